//! Standard RDP Security ([MS-RDPBCGR] 5.3): both roles against each other and against a hostile peer.

use expect_test::expect;
use proptest::prelude::*;
use rdp_standard_security::{
    Client, ClientOptions, Direction, Error, Frames, Level, Method, Methods, Protection, Server,
    ServerOptions, SessionKeys, frame_len,
};
use testkit::rdp::{
    self, IO, MESSAGE, STATIC, Until, annotated, fast_path, handshake, layers_until, send, server_key,
};

const METHODS: [Method; 3] = [Method::Bits40, Method::Bits56, Method::Bits128];
const LEVELS: [Level; 3] = [Level::Low, Level::ClientCompatible, Level::High];

fn options(method: Method, level: Level) -> (ClientOptions, ServerOptions) {
    (
        ClientOptions { methods: method.into(), ..ClientOptions::default() },
        ServerOptions { methods: method.into(), level, ..ServerOptions::default() },
    )
}

fn pair(method: Method, level: Level) -> (Client, Server) {
    let (client, server) = options(method, level);
    handshake(client, server)
}

/// The flags in the security header of a frame with an MCS header of eight or nine bytes.
fn flags(frame: &[u8]) -> u16 {
    let at = security_header(frame);
    u16::from_le_bytes([frame[at], frame[at + 1]])
}

fn security_header(frame: &[u8]) -> usize {
    if frame[13] & 0x80 == 0 { 14 } else { 15 }
}

fn text(result: Result<impl Sized, Error>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |e| e.to_string())
}

#[test]
fn the_printed_connection_has_the_same_frames_but_for_cipher_text() {
    let mut client =
        Client::new(ClientOptions { methods: Methods(0x1B), ..ClientOptions::default() }, [7; 32]);
    for request in ["4.1.1", "4.1.5"] {
        assert_eq!(client.outgoing(&annotated(request, "wire")).unwrap(), annotated(request, "wire"));
    }
    client.incoming(&annotated("4.1.2", "wire")).unwrap();
    let initial = annotated("4.1.3", "wire");
    let mut none = initial.clone();
    let at = none.windows(4).position(|bytes| bytes == [2, 0xC0, 12, 0]).unwrap() + 4;
    assert_eq!(none[at], 0x1B, "the printed client offers FIPS too");
    none[at] = 0;
    let mut ours = initial;
    ours[at] = 0x0B;
    assert_eq!(client.outgoing(&none).unwrap(), ours);
    let clear = client.incoming(&annotated("4.1.4", "wire")).unwrap();
    assert_eq!(clear.len(), 337 - 224 - 5, "without random, certificate, their lengths; shorter lengths");
    assert_eq!(
        client.protection(),
        Protection::Encrypted { method: Method::Bits128, level: Level::ClientCompatible }
    );
    let sent = client.outgoing(&rdp::client_info()).unwrap();
    let (exchange, info) = sent.split_at(94);
    let printed = annotated("4.1.9", "wire");
    assert_eq!(exchange[..22], printed[..22]);
    assert_eq!(exchange[86..], printed[86..]);
    same_but_cipher_text(info, "4.1.10");
    for section in ["4.1.14", "4.1.15", "4.1.16", "4.1.17", "4.1.18"] {
        let out = client.outgoing(&send(true, IO, &annotated(section, "clear"))).unwrap();
        same_but_cipher_text(&out, section);
    }
}

/// Frame headers and the bit SEC_ENCRYPT; the other flags of the printed frames say nothing.
fn same_but_cipher_text(frame: &[u8], section: &str) {
    let printed = annotated(section, "wire");
    assert_eq!(frame.len(), printed.len(), "{section}");
    let header = security_header(frame);
    assert_eq!(frame[..header], printed[..header], "{section}");
    assert_eq!(flags(frame) & 0xFFDF, flags(&printed) & 0xFFDF, "{section}");
}

// Negotiation

#[test]
fn the_server_selects_by_its_policy() {
    let select = |methods, level, offered| {
        let selected =
            ServerOptions { methods: Methods(methods), level, salted_mac: false }.select(Methods(offered));
        selected.map_or_else(|e| e.to_string(), |method| format!("{method:?}"))
    };
    assert_eq!(select(0x0B, Level::None, 0), "None");
    assert_eq!(select(0x0B, Level::Low, 0x1B), "Some(Bits128)");
    assert_eq!(select(0x09, Level::ClientCompatible, 0x1B), "Some(Bits56)");
    assert_eq!(select(0x01, Level::High, 0x1B), "Some(Bits40)");
    expect!["no common encryption method: the client offers 40 bit, 56 bit ([MS-RDPBCGR] 5.3.2.1)"]
        .assert_eq(&select(0x0B, Level::High, 0x09));
    expect!["no common encryption method: the client offers FIPS, 0x40 ([MS-RDPBCGR] 5.3.2.1)"]
        .assert_eq(&select(0x0B, Level::ClientCompatible, 0x50));
    expect!["no common encryption method: the client offers none ([MS-RDPBCGR] 5.3.2.1)"].assert_eq(&select(
        0x0B,
        Level::Low,
        0,
    ));
}

#[test]
fn a_french_client_offers_in_the_other_field() {
    let (_, mut server) = layers_until(ClientOptions::default(), ServerOptions::default(), Until::Start);
    let mut initial = annotated("4.1.3", "wire");
    let at = initial.windows(4).position(|bytes| bytes == [2, 0xC0, 12, 0]).unwrap();
    initial[at + 4..at + 12].copy_from_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
    assert!(server.incoming(&initial).is_ok());
}

/// What a client says to a security block of a server.
fn answer(change: impl Fn(&mut Vec<u8>)) -> String {
    let (mut client, mut server) =
        layers_until(ClientOptions::default(), ServerOptions::default(), Until::Offered);
    let mut response = server.outgoing(&rdp::connect_response()).unwrap();
    change(&mut response);
    let result = text(client.incoming(&response));
    assert_eq!(client.incoming(&response), Err(Error::Failed));
    assert_eq!(client.outgoing(&rdp::client_info()), Err(Error::Failed));
    result
}

#[test]
fn the_client_refuses_what_it_did_not_ask_for() {
    let at = |response: &[u8]| response.windows(2).position(|bytes| bytes == [2, 0x0C]).unwrap() + 4;
    let set = |offset: usize, value: u8| {
        move |response: &mut Vec<u8>| {
            let at = at(response);
            response[at + offset] = value;
        }
    };
    expect!["the server selected FIPS, which is not supported ([MS-RDPBCGR] 5.3.2)"]
        .assert_eq(&answer(set(0, 0x10)));
    expect!["the server selected FIPS, which is not supported ([MS-RDPBCGR] 5.3.2)"]
        .assert_eq(&answer(set(4, 4)));
    expect!["encryption method 0x4 does not go with level 3 ([MS-RDPBCGR] 5.3.2)"]
        .assert_eq(&answer(set(0, 4)));
    expect!["encryption method 0x0 does not go with level 3 ([MS-RDPBCGR] 5.3.2)"]
        .assert_eq(&answer(set(0, 0)));
    expect!["encryption method 0x2 does not go with level 0 ([MS-RDPBCGR] 5.3.2)"]
        .assert_eq(&answer(set(4, 0)));
    expect!["the server selected the methods 40 bit, which were not offered ([MS-RDPBCGR] 2.2.1.3.3)"]
        .assert_eq(&answer(set(0, 1)));
    expect![
        "TS_UD_SC_SEC1.serverRandomLen at byte 114: value 0x21 is not allowed here ([MS-RDPBCGR] 2.2.1.4.3)"
    ]
    .assert_eq(&answer(set(8, 33)));
    expect!["TS_UD_SC_SEC1.serverCertificate at byte 154: need 185 bytes, 184 left ([MS-RDPBCGR] 2.2.1.4.3)"]
        .assert_eq(&answer(set(12, 185)));
    expect!["X.509 certificate chains are not supported ([MS-RDPBCGR] 5.3.3.2)"]
        .assert_eq(&answer(set(48, 2)));
    expect!["the signature of the server certificate is wrong ([MS-RDPBCGR] 5.3.3.1.3)"]
        .assert_eq(&answer(set(90, 9)));
    expect!["the server selected no encryption ([MS-RDPBCGR] 5.3.2)"]
        .assert_eq(&answer(|response| *response = rdp::connect_response()));
}

#[test]
fn without_encryption_frames_pass_as_they_are() {
    let client = ClientOptions { allow_unencrypted: true, ..ClientOptions::default() };
    let server = ServerOptions { level: Level::None, ..ServerOptions::default() };
    let (mut client, mut server) = handshake(client, server);
    assert_eq!((client.protection(), server.protection()), (Protection::Clear, Protection::Clear));
    assert_eq!(client.certificate(), None);
    for frame in [rdp::license(), send(false, IO, b"data"), fast_path(0, b"update")] {
        assert_eq!(server.outgoing(&frame).unwrap(), frame);
        assert_eq!(client.incoming(&frame).unwrap(), frame);
    }
}

#[test]
fn the_certificate_is_there_before_the_first_secret_leaves() {
    let (client, server) = options(Method::Bits128, Level::High);
    let (mut client, _) = layers_until(client, server, Until::Selected);
    let blob = client.certificate().unwrap().public_key_blob().to_vec();
    assert_eq!(blob, server_key(0).public_key_blob());
    assert!(client.outgoing(&rdp::client_info()).unwrap().len() > rdp::client_info().len() + 94);
}

// Sessions

/// Everything that goes through a session, from the server and from the client.
fn traffic(number: usize) -> [Vec<u8>; 2] {
    let data: Vec<u8> = (0..number % 300).map(|i| u8::try_from((i * 7 + number) % 256).unwrap()).collect();
    let share = [&[0xFF, 0xFF, 0x17, 0], data.as_slice()].concat();
    let heartbeat = [&[0, 0x40, 0, 0], data.as_slice()].concat();
    match number % 4 {
        0 => [send(false, IO, &share), send(true, IO, &share)],
        1 => [send(false, STATIC, &data), send(true, STATIC, &data)],
        2 => [send(false, MESSAGE, &heartbeat), send(true, MESSAGE, &heartbeat)],
        _ => [fast_path(0, &data), fast_path(0x04, &data)],
    }
}

/// A fast-path frame may come with its length in one byte or in two.
fn normal(frame: &[u8]) -> Vec<u8> {
    match frame {
        [3, ..] => frame.to_vec(),
        [header, 0..=0x7F, body @ ..] | [header, _, _, body @ ..] => fast_path(*header, body),
        _ => panic!("no frame"),
    }
}

#[test]
fn both_roles_agree_over_ten_thousand_packets() {
    for method in METHODS {
        for level in LEVELS {
            let (mut client, mut server) = pair(method, level);
            for number in 0..10_000 {
                let [down, up] = traffic(number);
                let wire = server.outgoing(&down).unwrap();
                assert_eq!(normal(&client.incoming(&wire).unwrap()), down, "{method:?} {level:?} {number}");
                let wire = client.outgoing(&up).unwrap();
                assert_eq!(
                    normal(&server.incoming(&wire).unwrap().unwrap()),
                    up,
                    "{method:?} {level:?} {number}"
                );
                let tail = &up[up.len().saturating_sub(16)..];
                assert!(number % 300 < 32 || !wire.ends_with(tail), "in clear: {number}");
            }
        }
    }
}

#[test]
fn level_low_leaves_what_the_server_sends_in_clear_behind_a_basic_header() {
    let (mut client, mut server) = pair(Method::Bits128, Level::Low);
    let wire = server.outgoing(&send(false, STATIC, b"data")).unwrap();
    assert_eq!(wire, send(false, STATIC, b"\0\0\0\0data"));
    assert_eq!(server.outgoing(&fast_path(0, b"update")).unwrap(), fast_path(0, b"update"));
    assert_eq!(flags(&client.outgoing(&send(true, STATIC, b"data")).unwrap()), 0x0008);
    assert_eq!(client.incoming(&wire).unwrap(), send(false, STATIC, b"data"));
}

#[test]
fn licensing_keeps_its_header_and_is_encrypted_for_those_who_can() {
    let (mut client, mut server) = pair(Method::Bits128, Level::High);
    let wire = server.outgoing(&rdp::license()).unwrap();
    assert_eq!(flags(&wire), 0x0288, "encrypted, licensing, takes encrypted licensing");
    assert_eq!(wire.len(), annotated("4.1.11", "wire").len());
    let seen = client.incoming(&wire).unwrap();
    assert_eq!(flags(&seen), 0x0280);
    let answer = send(true, IO, &[&[0x80, 0, 0, 0], annotated("4.1.11", "clear").as_slice()].concat());
    let wire = client.outgoing(&answer).unwrap();
    assert_eq!(flags(&wire), 0x0088);
    assert_eq!(server.incoming(&wire).unwrap().unwrap(), answer);
    // In clear they are taken too, until something else comes.
    assert_eq!(client.incoming(&rdp::license()).unwrap(), rdp::license());
    let demand = server.outgoing(&send(false, IO, &annotated("4.1.12", "clear"))).unwrap();
    client.incoming(&demand).unwrap();
    assert_eq!(
        text(client.incoming(&rdp::license())),
        "a licensing PDU has no place here ([MS-RDPBCGR] 1.3.1.1)"
    );
}

#[test]
fn the_salted_mac_is_used_when_both_announce_it() {
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let (client, server) = options(Method::Bits128, Level::High);
        let (mut client, mut server) = handshake(
            ClientOptions { salted_mac: ours, ..client },
            ServerOptions { salted_mac: theirs, ..server },
        );
        let salt = if ours && theirs { 0x0800 } else { 0 };
        let demand = server.outgoing(&send(false, IO, &annotated("4.1.12", "clear"))).unwrap();
        let seen = client.incoming(&demand).unwrap();
        let confirm = client.outgoing(&send(true, IO, &annotated("4.1.13", "clear"))).unwrap();
        assert_eq!((flags(&demand), flags(&confirm)), (8, 8));
        server.incoming(&confirm).unwrap();
        let at =
            annotated("4.1.12", "clear").windows(4).position(|set| set == [1, 0, 24, 0]).unwrap() + 14 + 15;
        assert_eq!(seen[at] & 0x10 != 0, theirs);
        for number in 0..8 {
            let [down, up] = traffic(number);
            let wire = server.outgoing(&down).unwrap();
            assert_eq!(salted(&wire), salt);
            assert_eq!(normal(&client.incoming(&wire).unwrap()), down);
            let wire = client.outgoing(&up).unwrap();
            assert_eq!(salted(&wire), salt);
            assert_eq!(normal(&server.incoming(&wire).unwrap().unwrap()), up);
        }
    }
}

/// SEC_SECURE_CHECKSUM, also of a fast-path frame.
fn salted(frame: &[u8]) -> u16 {
    if frame[0] == 3 { flags(frame) & 0x0800 } else { u16::from(frame[0] & 0x40) << 5 }
}

#[test]
fn licensing_is_in_clear_for_those_who_cannot() {
    let (client, server) = options(Method::Bits128, Level::High);
    // A client that says nothing of encrypted licensing.
    let (mut client, mut server) = layers_until(client, server, Until::Selected);
    let mut sent = client.outgoing(&rdp::client_info()).unwrap();
    let at = security_header(&sent);
    assert_eq!(sent[at..at + 2], [1, 2]);
    sent[at + 1] = 0;
    let (exchange, info) = sent.split_at(frame_len(&sent).unwrap().unwrap());
    server.incoming(exchange).unwrap();
    server.incoming(info).unwrap();
    let wire = server.outgoing(&rdp::license()).unwrap();
    assert_eq!(flags(&wire), 0x0280);
    client.incoming(&wire).unwrap();
    // A server that says nothing of it.
    let (mut client, _) = pair(Method::Bits128, Level::High);
    client.incoming(&rdp::license()).unwrap();
    let answer = send(true, IO, &[&[0x80, 0, 0, 0], annotated("4.1.11", "clear").as_slice()].concat());
    assert_eq!(client.outgoing(&answer).unwrap(), answer);
}

#[test]
fn what_leaves_two_readings_is_refused() {
    let security = |response: &[u8]| response.windows(2).position(|bytes| bytes == [2, 0x0C]).unwrap();
    // The block of the channels becomes a second block of security, or an unknown one.
    let change = |kind| {
        answer(|response| {
            let at = security(response) - 16;
            response[at] = kind;
        })
    };
    expect!["TS_UD_SC_SEC1.encryptionMethod at byte 104: the block stands twice ([MS-RDPBCGR] 2.2.1.4.3)"]
        .assert_eq(&change(2));
    expect!["TS_UD_SC_NET.MCSChannelId at byte 74: the block is missing ([MS-RDPBCGR] 2.2.1.4.4)"]
        .assert_eq(&change(9));
    let (mut client, _) = pair(Method::Bits128, Level::High);
    let mut long = send(false, STATIC, b"\0\0\0\0data!");
    long[13] -= 1;
    expect!["mcsSDrq.userData at byte 22: 1 bytes left after the value ([MS-RDPBCGR] 2.2.1.10)"]
        .assert_eq(&text(client.incoming(&long)));
}

#[test]
fn a_redirection_takes_the_form_of_its_security() {
    for level in LEVELS {
        let (mut client, mut server) = pair(Method::Bits128, level);
        let packet = annotated("4.5", "clear");
        let [low, high] = u16::try_from(packet.len() + 8).unwrap().to_le_bytes();
        let enhanced = send(false, IO, &[&[low, high, 10, 0, 0xEB, 3, 0, 0], packet.as_slice()].concat());
        let wire = server.outgoing(&enhanced).unwrap();
        assert_eq!(flags(&wire), 0x0408);
        assert_eq!(wire.len(), annotated("4.5", "wire").len());
        assert_eq!(client.incoming(&wire).unwrap(), enhanced);
    }
}

#[test]
fn several_frames_at_once_are_several_frames() {
    let (mut client, mut server) = pair(Method::Bits56, Level::High);
    let wire = client.outgoing(&[traffic(1)[1].clone(), traffic(3)[1].clone()].concat()).unwrap();
    let mut frames = Frames::new();
    for byte in wire.chunks(1) {
        frames.push(byte);
    }
    for expected in [traffic(1)[1].clone(), traffic(3)[1].clone()] {
        let frame = frames.next().unwrap().unwrap();
        assert_eq!(normal(&server.incoming(frame).unwrap().unwrap()), expected);
    }
    assert_eq!(frames.next(), Ok(None));
    assert_eq!(frames.waiting(), 0);
}

#[test]
fn a_frame_that_would_be_too_long_is_an_error() {
    let (mut client, _) = pair(Method::Bits128, Level::High);
    let long = fast_path(0, &vec![0; 0x7FFF - 3 - 7]);
    assert_eq!(
        text(client.outgoing(&long)),
        "a frame of 32768 bytes is longer than its length field can tell ([MS-RDPBCGR] 2.2.8.1.2)"
    );
    let (mut client, _) = pair(Method::Bits128, Level::High);
    let long = send(true, STATIC, &vec![0; 0x7FFF - 11]);
    assert!(matches!(client.outgoing(&long), Err(Error::TooLong { len: 0x8000 })));
}

// Hostile peers

#[test]
fn damaged_replayed_and_reordered_packets_are_errors() {
    for method in METHODS {
        for number in 0..4 {
            let fresh = || pair(method, Level::High);
            let (mut client, mut server) = fresh();
            let first = server.outgoing(&traffic(number)[0]).unwrap();
            let second = server.outgoing(&traffic(number + 8)[0]).unwrap();
            client.incoming(&first).unwrap();
            assert_eq!(client.incoming(&first), Err(Error::Mac { packet: 1 }), "replayed");
            assert_eq!(client.incoming(&second), Err(Error::Failed));
            assert_eq!(fresh().0.incoming(&second), Err(Error::Mac { packet: 0 }), "reordered");
            assert!(fresh().1.incoming(&first).is_err(), "reflected");
            let signature = match first[..] {
                [3, ..] => security_header(&first) + 4,
                [_, 0x80..=0xFF, ..] => 3,
                _ => 2,
            };
            for at in signature..first.len() {
                for bit in 0..8 {
                    let mut damaged = first.clone();
                    damaged[at] ^= 1 << bit;
                    assert_eq!(fresh().0.incoming(&damaged), Err(Error::Mac { packet: 0 }), "byte {at}");
                }
            }
        }
    }
}

#[test]
fn data_in_clear_is_refused() {
    let (client, server) = (|| pair(Method::Bits128, Level::High).0, || pair(Method::Bits128, Level::Low).1);
    expect!["packet on channel 1004 is not encrypted ([MS-RDPBCGR] 5.3.6)"]
        .assert_eq(&text(client().incoming(&send(false, STATIC, b"\0\0\0\0data"))));
    expect!["packet on channel 1003 is not encrypted ([MS-RDPBCGR] 5.3.6)"]
        .assert_eq(&text(server().incoming(&send(true, IO, b"\0\0\0\0data"))));
    expect!["packet on channel 0 is not encrypted ([MS-RDPBCGR] 5.3.6)"]
        .assert_eq(&text(client().incoming(&fast_path(0, b"update"))));
    expect!["packet on channel 0 is not encrypted ([MS-RDPBCGR] 5.3.6)"]
        .assert_eq(&text(server().incoming(&fast_path(4, b"input"))));
    expect!["an MCS Send Data Request has no place here ([MS-RDPBCGR] 3.2.5.1)"]
        .assert_eq(&text(client().incoming(&send(true, IO, b"\0\0\0\0data"))));
    // Only a server may leave the message channel in clear ([MS-RDPBCGR] 2.2.14.3, 2.2.14.4).
    let heartbeat = b"\0\x40\0\0\0\0\x01\x02";
    assert_eq!(client().incoming(&send(false, MESSAGE, heartbeat)).unwrap(), send(false, MESSAGE, heartbeat));
    expect!["packet on channel 1007 is not encrypted ([MS-RDPBCGR] 5.3.6)"]
        .assert_eq(&text(server().incoming(&send(true, MESSAGE, heartbeat))));
}

#[test]
fn pdus_out_of_sequence_are_errors() {
    let all = |until| {
        let (client, server) = options(Method::Bits128, Level::High);
        move || layers_until(client, server, until)
    };
    let at = |until| all(until)();
    let (early, initial) = (
        "a PDU of a later or earlier phase has no place here ([MS-RDPBCGR] 1.3.1.1)",
        annotated("4.1.3", "wire"),
    );
    assert_eq!(text(at(Until::Start).0.outgoing(&rdp::client_info())), early);
    assert_eq!(text(at(Until::Start).0.incoming(&annotated("4.1.4", "wire"))), early);
    assert_eq!(text(at(Until::Start).1.incoming(&send(true, IO, b"data"))), early);
    assert_eq!(text(at(Until::Start).1.outgoing(&rdp::connect_response())), early);
    assert_eq!(text(at(Until::Offered).0.incoming(&send(false, IO, b"data"))), early);
    assert_eq!(text(at(Until::Offered).1.incoming(&initial)), early);
    assert_eq!(text(at(Until::Selected).0.outgoing(&send(true, STATIC, b"data"))), early);
    assert_eq!(text(at(Until::Selected).0.outgoing(&send(true, IO, b"\x80\0\0\0data"))), early);
    assert_eq!(text(at(Until::Selected).0.incoming(&fast_path(0, b"update"))), early);
    expect!["something else than the Security Exchange PDU has no place here ([MS-RDPBCGR] 3.3.5.3.10)"]
        .assert_eq(&text(at(Until::Selected).1.incoming(&rdp::client_info())));
    expect!["a second MCS Connect has no place here ([MS-RDPBCGR] 1.3.1.1)"]
        .assert_eq(&text(at(Until::Secure).1.incoming(&initial)));
    let (mut client, mut server) = at(Until::Selected);
    let sent = client.outgoing(&rdp::client_info()).unwrap();
    let exchange = &sent[..frame_len(&sent).unwrap().unwrap()];
    server.incoming(exchange).unwrap();
    expect!["something else than the Client Info PDU has no place here ([MS-RDPBCGR] 3.3.5.3.11)"]
        .assert_eq(&text(server.incoming(exchange)));
}

#[test]
fn a_client_random_that_is_none_is_refused_or_shown_by_the_first_packet() {
    let (client, server) = options(Method::Bits128, Level::High);
    let exchange = |encrypted: &[u8]| {
        let len = u32::try_from(encrypted.len()).unwrap().to_le_bytes();
        send(true, IO, &[&[1, 0, 0, 0], len.as_slice(), encrypted].concat())
    };
    let modulus = server_key(0).public().modulus().to_vec();
    let answer = |encrypted: &[u8]| {
        text(layers_until(client, server, Until::Selected).1.incoming(&exchange(encrypted)))
    };
    expect!["TS_SECURITY_PACKET.encryptedClientRandom at byte 86: the number is not below the modulus ([MS-RDPBCGR] 2.2.1.10.1)"]
        .assert_eq(&answer(&modulus));
    assert_eq!(answer(&[modulus.as_slice(), &[0; 8]].concat()), answer(&modulus).replace("86", "94"));
    assert!(answer(&[0xFF; 4000]).contains("is not below the modulus"));
    assert_eq!(answer(&[0; 4000]), "no error");
    assert_eq!(answer(&[]), "no error");
    // More than 32 bytes: nobody learns that before the Client Info PDU.
    let mut below = modulus;
    below[0] -= 1;
    let (mut client, mut server) = layers_until(client, server, Until::Selected);
    assert_eq!(server.incoming(&exchange(&below)), Ok(None));
    let sent = client.outgoing(&rdp::client_info()).unwrap();
    let info = &sent[frame_len(&sent).unwrap().unwrap()..];
    assert_eq!(server.incoming(info), Err(Error::Mac { packet: 0 }));
}

#[test]
fn every_truncation_of_a_handshake_is_an_error() {
    let (client, server) = options(Method::Bits128, Level::High);
    let at = |until| layers_until(client, server, until);
    let (mut one, mut other) = at(Until::Start);
    let initial = one.outgoing(&annotated("4.1.3", "wire")).unwrap();
    other.incoming(&initial).unwrap();
    let response = other.outgoing(&rdp::connect_response()).unwrap();
    one.incoming(&response).unwrap();
    let sent = one.outgoing(&rdp::client_info()).unwrap();
    let (exchange, info) = sent.split_at(frame_len(&sent).unwrap().unwrap());
    // Cut off, and cut off with the length of the frame made right.
    let cuts = |frame: &[u8]| -> Vec<Vec<u8>> {
        (0..frame.len())
            .flat_map(|len| {
                let cut = frame[..len].to_vec();
                let mut right = cut.clone();
                if let [_, _, high, low, ..] = right.as_mut_slice() {
                    [*high, *low] = u16::try_from(len).unwrap().to_be_bytes();
                }
                [cut, right]
            })
            .collect()
    };
    for cut in cuts(&initial) {
        // TPKT and X.224 around nothing is for others to refuse.
        let other = matches!(cut.len(), 7 | 8) && cut[3] == cut.len() as u8;
        assert!(at(Until::Start).1.incoming(&cut).is_err() || other, "{cut:02x?}");
        assert!(at(Until::Start).0.outgoing(&cut).is_err() || other || cut.is_empty(), "{cut:02x?}");
    }
    for cut in cuts(&response) {
        assert!(at(Until::Offered).0.incoming(&cut).is_err() || matches!(cut.len(), 7 | 8), "{cut:02x?}");
    }
    for cut in cuts(exchange) {
        assert!(at(Until::Selected).1.incoming(&cut).is_err() || matches!(cut.len(), 7), "{cut:02x?}");
    }
    for cut in cuts(info) {
        let (_, mut server) = at(Until::Selected);
        server.incoming(exchange).unwrap();
        assert!(server.incoming(&cut).is_err(), "{cut:02x?}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let (client, server) = pair(Method::Bits128, Level::High);
    expect!["Client { protection: Encrypted { method: Bits128, level: High }, .. }"]
        .assert_eq(&format!("{client:?}"));
    expect!["Server { protection: Encrypted { method: Bits128, level: High }, .. }"]
        .assert_eq(&format!("{server:?}"));
    expect!["ServerKey { public: PublicKey { bits: 512, exponent: 65537 }, .. }"]
        .assert_eq(&format!("{:?}", server_key(0)));
    let keys = SessionKeys::derive(Method::Bits40, &[1; 32], &[2; 32]);
    expect!["SessionKeys { method: Bits40, .. }"].assert_eq(&format!("{keys:?}"));
    expect!["Cipher { method: Bits40, count: 0, .. }"]
        .assert_eq(&format!("{:?}", keys.cipher(Direction::ClientToServer)));
}

#[test]
fn streams_that_are_no_frames_are_errors() {
    let len = |bytes: &[u8]| frame_len(bytes).map_err(|e| e.to_string());
    assert_eq!(len(&[]), Ok(None));
    assert_eq!(len(&[3, 0, 1]), Ok(None));
    assert_eq!(len(&[3, 0, 1, 2]), Ok(Some(258)));
    assert_eq!(len(&[0x80]), Ok(None));
    assert_eq!(len(&[0, 0x81]), Ok(None));
    assert_eq!(len(&[0, 0x81, 2]), Ok(Some(258)));
    assert_eq!(len(&[0xC4, 0x11]), Ok(Some(17)));
    expect!["tpktHeader.length at byte 0: value 0x6 is not allowed here ([MS-RDPBCGR] 2.2.1.1)"]
        .assert_eq(&len(&[3, 0, 0, 6]).unwrap_err());
    expect!["TS_FP_UPDATE_PDU.length1 at byte 0: value 0x1 is not allowed here ([MS-RDPBCGR] 2.2.9.1.2)"]
        .assert_eq(&len(&[0, 1]).unwrap_err());
    expect!["TS_FP_UPDATE_PDU.action at byte 0: value 0x2 is not allowed here ([MS-RDPBCGR] 2.2.9.1.2)"]
        .assert_eq(&len(&[0x16, 3, 1]).unwrap_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn anything_passes_both_ways(
        method in 0..3_usize,
        level in 0..3_usize,
        frames in prop::collection::vec((any::<bool>(), 0..3_u8, prop::collection::vec(any::<u8>(), 0..600)), 1..20),
    ) {
        let (mut client, mut server) = pair(METHODS[method], LEVELS[level]);
        for (up, kind, data) in frames {
            let frame = match kind {
                0 => send(up, STATIC, &data),
                // Not a PDU that the layer looks into.
                1 => send(up, IO, &[&[0, 0, 7, 0], data.as_slice()].concat()),
                _ => fast_path(0, &data),
            };
            let seen = if up {
                server.incoming(&client.outgoing(&frame).unwrap()).unwrap().unwrap()
            } else {
                client.incoming(&server.outgoing(&frame).unwrap()).unwrap()
            };
            prop_assert_eq!(normal(&seen), frame);
        }
    }

    #[test]
    fn damage_anywhere_is_never_taken_for_data(
        at in any::<prop::sample::Index>(),
        value in 1..=255_u8,
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (mut client, mut server) = pair(Method::Bits128, Level::High);
        let mut wire = client.outgoing(&send(true, STATIC, &data)).unwrap();
        let at = at.index(wire.len());
        wire[at] ^= value;
        if let Ok(Some(seen)) = server.incoming(&wire) {
            // Flags that mean nothing, the initiator, the priority, another channel; or no data at all.
            let tail = seen.get(seen.len().saturating_sub(data.len())..).unwrap_or_default();
            prop_assert!(tail == data.as_slice() || wire[7] >> 2 != 25 || wire[5] != 0xF0);
        }
    }
}
