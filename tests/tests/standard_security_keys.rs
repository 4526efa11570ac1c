//! Keys, streams and certificates of Standard RDP Security ([MS-RDPBCGR] 5.3.3 to 5.3.7).

use expect_test::expect;
use rdp_standard_security::{Direction, Error, Method, ServerCertificate, ServerKey, SessionKeys};
use testkit::rdp::{self, annotated, server_key};
use testkit::vectors::hex;

fn text(result: Result<impl Sized, Error>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |e| e.to_string())
}

#[test]
fn streams_are_those_that_python_made() {
    for stream in rdp::known_answers()["streams"].as_array().unwrap() {
        let method = match stream["bits"].as_u64().unwrap() {
            40 => Method::Bits40,
            56 => Method::Bits56,
            _ => Method::Bits128,
        };
        let direction =
            if stream["sender"] == "client" { Direction::ClientToServer } else { Direction::ServerToClient };
        let salted = stream["salted"].as_bool().unwrap();
        let client: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let server = client.map(|byte| byte + 200);
        let keys = SessionKeys::derive(method, &client, &server);
        let (mut sender, mut receiver) = (keys.cipher(direction), keys.cipher(direction));
        let mut all = Vec::new();
        for number in 0..12_300_usize {
            let clear: Vec<u8> =
                (0..number % 61).map(|i| u8::try_from((number + i) % 251).unwrap()).collect();
            let mut data = clear.clone();
            let signature = sender.seal(&mut data, salted);
            let sealed = [signature.as_slice(), &data].concat();
            if let Some(expected) = stream["packets"].get(number.to_string()) {
                assert_eq!(sealed, hex(expected), "packet {number} of {stream}");
            }
            receiver.open(&mut data, &signature, salted).unwrap();
            assert_eq!(data, clear);
            all.extend(sealed);
        }
        assert_eq!(hex(&stream["sha256"]), testkit::rdp::sha256(&all), "{stream}");
    }
}

#[test]
fn certificates_and_randoms_are_those_that_python_made() {
    for (index, key) in rdp::known_answers()["keys"].as_array().unwrap().iter().enumerate() {
        let server = server_key(index);
        let certificate = hex(&key["certificate"]);
        assert_eq!(server.certificate(), certificate);
        let parsed = ServerCertificate::parse(&certificate).unwrap();
        assert_eq!(parsed.key(), server.public());
        assert_eq!(parsed.public_key_blob(), server.public_key_blob());
        let random: [u8; 32] = hex(&key["random"]).try_into().unwrap();
        let encrypted = hex(&key["encrypted"]);
        assert_eq!(parsed.key().encrypt(&random), encrypted);
        assert_eq!(server.decrypt(&encrypted).unwrap().as_slice(), random);
    }
}

#[test]
fn the_printed_certificate_has_a_good_signature() {
    let response = annotated("4.1.4", "wire");
    let certificate = ServerCertificate::parse(&response[response.len() - 184..]).unwrap();
    assert_eq!(certificate.key().exponent(), 65537);
    assert_eq!(certificate.key().modulus()[..4], [0xCB, 0x81, 0xFE, 0xBA]);
    assert_eq!(certificate.public_key_blob(), &response[response.len() - 168..response.len() - 76]);
    expect!["PublicKey { bits: 512, exponent: 65537 }"].assert_eq(&format!("{:?}", certificate.key()));
}

#[test]
fn hostile_certificates_are_refused() {
    let good = server_key(0).certificate();
    let with = |at: usize, bytes: &[u8]| {
        let mut certificate = good.clone();
        certificate[at..at + bytes.len()].copy_from_slice(bytes);
        text(ServerCertificate::parse(&certificate))
    };
    expect![
        "SERVER_CERTIFICATE.dwVersion at byte 0: value 0x3 is not allowed here ([MS-RDPBCGR] 2.2.1.4.3.1)"
    ]
    .assert_eq(&with(0, &[3]));
    expect!["X.509 certificate chains are not supported ([MS-RDPBCGR] 5.3.3.2)"]
        .assert_eq(&with(0, &[2, 0, 0, 0x80]));
    expect!["PROPRIETARYSERVERCERTIFICATE.dwSigAlgId at byte 4: value 0x2 is not allowed here ([MS-RDPBCGR] 2.2.1.4.3.1.1)"].assert_eq(&with(4, &[2]));
    expect![
        "RSA_PUBLIC_KEY.magic at byte 16: value 0x32415352 is not allowed here ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"
    ]
    .assert_eq(&with(16, b"RSA2"));
    expect!["RSA_PUBLIC_KEY.keylen at byte 24: value 0x7 is not allowed here ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"]
        .assert_eq(&with(20, &[7]));
    expect!["RSA_PUBLIC_KEY.keylen at byte 24: value 0xffffffff is not allowed here ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"].assert_eq(&with(20, &[0xFF; 4]));
    expect![
        "RSA_PUBLIC_KEY.bitlen at byte 24: value 0x200 is not allowed here ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"
    ]
    .assert_eq(&with(20, &[0x50]));
    expect!["the RSA key cannot be used: its public exponent is even or 1 ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"]
        .assert_eq(&with(32, &[1, 0, 0, 0]));
    expect!["the RSA key cannot be used: its modulus is even ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"]
        .assert_eq(&with(36, &[0]));
    expect!["the RSA key cannot be used: its modulus is shorter than it says ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"]
        .assert_eq(&with(99, &[0]));
    expect!["the signature of the server certificate is wrong ([MS-RDPBCGR] 5.3.3.1.3)"]
        .assert_eq(&with(32, &[3, 0, 0, 0]));
    expect!["PROPRIETARYSERVERCERTIFICATE.SignatureBlob at byte 112: need 73 bytes, 72 left ([MS-RDPBCGR] 2.2.1.4.3.1.1)"].assert_eq(&with(110, &[73]));
    expect!["the signature of the server certificate is wrong ([MS-RDPBCGR] 5.3.3.1.3)"]
        .assert_eq(&with(112, &[0; 72]));
    expect!["the signature of the server certificate is wrong ([MS-RDPBCGR] 5.3.3.1.3)"]
        .assert_eq(&with(112, &[0xFF; 72]));
    for len in 0..good.len() {
        assert!(ServerCertificate::parse(&good[..len]).is_err());
    }
    for at in 0..good.len() * 8 {
        let mut damaged = good.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert!(ServerCertificate::parse(&damaged).is_err(), "bit {at}");
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    let key = &rdp::known_answers()["keys"][0];
    let (n, d) = (hex(&key["n"]), hex(&key["d"]));
    let new = |n: &[u8], e, d: &[u8]| text(ServerKey::new(n, e, d));
    assert_eq!(new(&[&[0], n.as_slice()].concat(), 65537, &[&[0, 0], d.as_slice()].concat()), "no error");
    expect!["the RSA key cannot be used: its private half does not undo its public half ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"].assert_eq(&new(&n, 3, &d));
    expect!["the RSA key cannot be used: its modulus has less than 512 or more than 4,096 bits ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"].assert_eq(&new(&n[1..], 65537, &d));
    expect!["the RSA key cannot be used: its private exponent is longer than its modulus ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)"].assert_eq(&new(&n, 65537, &[d.as_slice(), &[1]].concat()));
    assert!(new(&n, 65537, &[]).contains("does not undo"));
}
