//! Packets of session initialization: [MS-RA] 2.1, 2.2.1.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ra_channel::{
    Authenticate, BstrForm, ChannelName, Control, ControlPayload, Data, ErrorCode, ExpertBlob, MsgType,
    NameBstr, Packet, SecretBstr,
};
use remassist_core::{
    Blob, Decode, DecodeErrorKind, DecodeOptions, Encode, Format, Limits, Secret, Utf16Le, from_hex,
};
use testkit::{laws, vectors};

fn utf16(text: &str) -> Vec<u8> {
    remassist_core::utf16::encode(text)
}

/// A packet of RC_CTL with the length that the data has.
fn packet(data: &[u8]) -> Vec<u8> {
    let name = utf16("RC_CTL\0");
    let mut bytes = (name.len() as u32).to_le_bytes().to_vec();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(name);
    bytes.extend(data);
    bytes
}

fn message(msg_type: u32, body: &[u8]) -> Vec<u8> {
    packet(&[&msg_type.to_le_bytes()[..], body].concat())
}

fn control(bytes: &[u8]) -> Control<'_> {
    match Packet::decode(bytes).unwrap().data {
        Data::Control(message) => message,
        other => panic!("{other:?}"),
    }
}

fn deviations<'a, T: laws::Codec<'a>>(bytes: &'a [u8]) -> Vec<String> {
    assert!(laws::bytes::<T>(bytes), "{:?}", T::decode(bytes).err());
    let decoded = T::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
    decoded.deviations.iter().map(ToString::to_string).collect()
}

fn refuses<'a, T: laws::Codec<'a>>(bytes: &'a [u8], expected: Expect) {
    assert!(!laws::bytes::<T>(bytes));
    expected.assert_eq(&T::decode(bytes).unwrap_err().to_string());
}

#[test]
fn every_remdesk_pdu_of_real_peers() {
    let runs = vectors::json("channel/remdesk-wire.json");
    let mut seen = 0;
    for (run, data) in runs["runs"].as_object().unwrap() {
        for pdu in data["pdus"].as_array().unwrap().iter().filter(|p| p["channel"] == "remdesk") {
            let bytes = vectors::hex(&pdu["hex"]);
            assert!(laws::bytes::<ControlPayload>(&bytes), "{run}");
            laws::truncations::<Packet>(&bytes);
            let payload = ControlPayload::decode(&bytes).unwrap();
            laws::json(&payload.clone().into_owned());
            let [packet] = &payload.packets[..] else { panic!("{payload:?}") };
            assert_eq!(packet.channel(), Some(ChannelName::Control));
            assert_eq!(packet.channel_name.as_bytes().len() as u64, pdu["ChannelNameLen"].as_u64().unwrap());
            let Data::Control(message) = &packet.data else { panic!("{packet:?}") };
            assert_eq!(u64::from(message.msg_type().0), pdu["msgType"].as_u64().unwrap());
            assert!(message.msg_type().name().unwrap().ends_with(vectors::text(&pdu["msg"])));
            fields(message, pdu, data);
            // The only rule that these peers break: the relay wrote version 1.1.
            let broken =
                ["v1", "type1quirk"].contains(&run.as_str()) && pdu["dir"] == "s2c" && pdu["msgType"] == 6;
            assert_eq!(deviations::<ControlPayload>(&bytes).len(), usize::from(broken), "{run}");
            seen += 1;
        }
    }
    assert_eq!(seen, 19);
}

fn fields(message: &Control<'_>, pdu: &serde_json::Value, run: &serde_json::Value) {
    let text = |text: &Utf16Le<'_>| text.to_text().unwrap().replace('\0', "\\0");
    match message {
        Control::VersionInfo { major, minor } => {
            let both = [major.to_le_bytes(), minor.to_le_bytes()].concat();
            assert_eq!(both, vectors::hex(&pdu["payload_hex"]));
        }
        Control::Result { code } => assert_eq!(*code, ErrorCode::NO_ERROR),
        Control::ExpertOnVista { password } => {
            assert_eq!(password.form, BstrForm::Plain);
            assert_eq!(password.data.expose().to_vec(), vectors::hex(&run["encrypted_pass_stub"]));
        }
        Control::VerifyPassword { expert_blob } => expert(expert_blob, run),
        Control::RemoteControlDesktop { connection_string } => {
            assert_eq!(text(connection_string.expose()), vectors::text(&pdu["payload_utf16"]));
        }
        Control::Authenticate(message) => {
            expert(&message.expert_blob, run);
            assert!(message.connection_string.expose().is_terminated());
            let blob = Utf16Le(message.expert_blob.to_vec().unwrap().into());
            let both = text(message.connection_string.expose()) + &text(&blob);
            assert_eq!(both, vectors::text(&pdu["payload_utf16"]));
        }
        other => panic!("{other:?}"),
    }
}

fn expert(blob: &ExpertBlob<'_>, run: &serde_json::Value) {
    assert!(blob.terminated);
    assert_eq!(blob.name().unwrap(), "novice");
    let pass = blob.pass().unwrap().expose().to_text().unwrap();
    assert_eq!(pass.to_lowercase(), vectors::text(&run["encrypted_pass_stub"]));
}

#[test]
fn layouts() {
    let token = Secret::new([7; 20]);
    for (message, hex) in [
        (Control::remote_control_desktop("a"), "01000000 6100 0000"),
        (Control::Result { code: ErrorCode::HELPEE_SAID_NO }, "02000000 29000000"),
        (
            Control::Authenticate(Authenticate::new("a", ExpertBlob::new("b", None))),
            "03000000 6100 0000 3600 3b00 4e00 4100 4d00 4500 3d00 6200 0000",
        ),
        (Control::ServerAnnounce, "04000000"),
        (Control::Disconnect, "05000000"),
        (Control::VersionInfo { major: 1, minor: 2 }, "06000000 01000000 02000000"),
        (Control::IsConnected, "07000000"),
        (
            Control::VerifyPassword { expert_blob: ExpertBlob::new("", None) },
            "08000000 3500 3b00 4e00 4100 4d00 4500 3d00 0000",
        ),
        (Control::expert_on_vista(vec![1, 2, 3]), "09000000 010203"),
        (Control::expert_on_vista(vec![]), "09000000"),
        (Control::NoviceName { name: NameBstr::new("no") }, "0a000000 04000000 6e006f00"),
        (Control::ExpertName { name: NameBstr::new("") }, "0b000000 00000000"),
        (Control::token(&token), "0c000000 14000000 0707070707070707070707070707070707070707"),
    ] {
        let data = from_hex(&hex.replace(' ', "")).unwrap();
        let packet_bytes = packet(&data);
        let value = Packet::control(message);
        assert_eq!(value.to_vec().unwrap(), packet_bytes, "{value:?}");
        assert_eq!(Packet::decode_strict(&packet_bytes).unwrap(), value);
        laws::value(&value);
        laws::truncations::<Packet>(&packet_bytes);
        laws::json(&value);
    }
}

/// The bytes that crashed or stalled peers.
mod bytes_that_hurt_peers {
    use super::*;

    #[test]
    fn data_len_of_64_mib_with_28_bytes() {
        let mut bytes = packet(&[0; 28]);
        bytes[4..8].copy_from_slice(&0x0400_0000_u32.to_le_bytes());
        refuses::<Packet>(
            &bytes,
            expect![[
                r#"REMOTEDESKTOP_CHANNELBUFHEADER.DataLen at byte 22: need 67108864 bytes, 28 left ([MS-RA] 2.2.1.1)"#
            ]],
        );
    }

    #[test]
    fn data_len_below_4() {
        for len in 0..4 {
            assert!(Packet::decode(&packet(&[6, 0, 0][..len])).is_err());
        }
        refuses::<Packet>(
            &packet(&[6, 0]),
            expect![[
                r#"REMOTEDESKTOP_CTL_BUFHEADER.msgType at byte 22: need 4 bytes, 2 left ([MS-RA] 2.2.1.3)"#
            ]],
        );
    }

    #[test]
    fn two_messages_in_one_pdu() {
        let bytes = [message(5, &[]), message(2, &[0; 4])].concat();
        assert_eq!(deviations::<ControlPayload>(&bytes), [""; 0]);
        let payload = ControlPayload::decode(&bytes).unwrap();
        let messages: Vec<_> = payload.packets.iter().map(|p| p.data.clone()).collect();
        let result = Control::Result { code: ErrorCode::NO_ERROR };
        assert_eq!(messages, [Data::Control(Control::Disconnect), Data::Control(result)]);
        refuses::<ControlPayload>(
            &bytes[..bytes.len() - 1],
            expect![[
                r#"REMOTEDESKTOP_CHANNELBUFHEADER.DataLen at byte 48: need 8 bytes, 7 left ([MS-RA] 2.2.1.1)"#
            ]],
        );
        // As one packet there is something left.
        assert!(Packet::decode(&bytes).is_err());
        assert_eq!(Packet::decode_prefix(&bytes).unwrap().1.len(), 30);
    }

    #[test]
    fn odd_name_len() {
        let mut bytes = message(5, &[]);
        bytes[0] = 13;
        refuses::<Packet>(
            &bytes,
            expect![[
                r#"REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: UTF-16 text has an even number of bytes ([MS-RA] 2.2.1.1)"#
            ]],
        );
    }

    #[test]
    fn name_over_64_bytes() {
        let name = utf16(&("x".repeat(40) + "\0"));
        let bytes = [&82_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), &name, b"abcd"].concat();
        expect![[r#"
            [
                "REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: length or offset 82 does not fit its container of 64 ([MS-RA] 2.2.1.1)",
                "REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName at byte 8: unknown channel name ([MS-RA] 2.2.1.2)",
            ]
        "#]]
        .assert_debug_eq(&deviations::<Packet>(&bytes));
        assert_eq!(Packet::decode(&bytes).unwrap().data, Data::Payload(Blob::from(&b"abcd"[..])));
    }

    #[test]
    fn name_without_nul() {
        let bytes =
            [&12_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), &utf16("RC_CTL"), &[5, 0, 0, 0]].concat();
        expect![[r#"
            [
                "REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName at byte 8: the name does not end with its only NUL ([MS-RA] 2.2.1.2)",
            ]
        "#]]
        .assert_debug_eq(&deviations::<Packet>(&bytes));
        assert_eq!(control(&bytes), Control::Disconnect);
    }

    #[test]
    fn unknown_msg_type() {
        let bytes = message(0x7F, b"abc");
        expect![[r#"
            [
                "REMOTEDESKTOP_CTL_BUFHEADER.msgType at byte 22: value 0x7f is not allowed here ([MS-RA] 2.2.1.3)",
            ]
        "#]]
        .assert_debug_eq(&deviations::<Packet>(&bytes));
        let body = Blob::from(&b"abc"[..]);
        assert_eq!(control(&bytes), Control::Unknown { msg_type: MsgType(0x7F), body });
    }

    #[test]
    fn text_without_terminator() {
        let string = message(1, &utf16("65538,1,*"));
        assert_eq!(deviations::<Packet>(&string), [""; 0], "2.2.1.9 does not ask for a NUL");
        let blob = message(8, &utf16("9;NAME=John"));
        assert_eq!(deviations::<Packet>(&blob), [""; 0], "2.2.1.11 does not ask for a NUL");
        let both = message(3, &utf16("<E></E>\09;NAME=John"));
        expect![[r#"
            [
                "REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET.expertBlob at byte 64: expertBlob has no NUL ([MS-RA] 2.2.1.4)",
            ]
        "#]]
        .assert_debug_eq(&deviations::<Packet>(&both));
    }

    #[test]
    fn missing_delimiters() {
        refuses::<Packet>(
            &message(8, &utf16("9NAME=John")),
            expect![[
                r#"expertBlob.length at byte 26: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"#
            ]],
        );
        refuses::<Packet>(
            &message(8, &utf16("8;NAMEJohn")),
            expect![[
                r#"expertBlob.PropertyName at byte 30: there is no equals sign within the length of the property ([MS-RA] 2.2.1.11)"#
            ]],
        );
        refuses::<Packet>(
            &message(3, &utf16("65538,1,*,ID,*,*,KH11;NAME=novice")),
            expect![[
                r#"REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET.raConnectionString at byte 26: where the connection string ends and expertBlob begins cannot be told ([MS-RA] 2.2.1.4)"#
            ]],
        );
    }
}

#[test]
fn values_that_break_a_rule() {
    expect![[r#"
        [
            "REMOTEDESKTOP_CTL_VERSIONINFO_PACKET.versionMajor at byte 26: value 0x3 is not allowed here ([MS-RA] 2.2.1.8)",
            "REMOTEDESKTOP_CTL_VERSIONINFO_PACKET.versionMinor at byte 30: value 0x4 is not allowed here ([MS-RA] 2.2.1.8)",
        ]
    "#]]
    .assert_debug_eq(&deviations::<Packet>(&message(6, &[3, 0, 0, 0, 4, 0, 0, 0])));
    expect![[r#"
        [
            "REMOTEDESKTOP_CTL_RESULT_PACKET.result at byte 26: value 0x2 is not allowed here ([MS-RA] 2.2.1.10)",
        ]
    "#]]
    .assert_debug_eq(&deviations::<Packet>(&message(2, &[2, 0, 0, 0])));
    let name = utf16("remdesk\0");
    let bytes = [&16_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), &name, &[5, 0, 0, 0]].concat();
    expect![[r#"
        [
            "REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName at byte 8: control messages are named RC_CTL ([MS-RA] 2.2.1.2)",
        ]
    "#]]
    .assert_debug_eq(&deviations::<Packet>(&bytes));
}

#[test]
fn structure_that_is_wrong() {
    refuses::<Packet>(
        &message(5, &[0]),
        expect![[
            r#"REMOTEDESKTOP_CTL_BUFHEADER.data at byte 26: 1 bytes left after the value ([MS-RA] 2.2.1.3)"#
        ]],
    );
    refuses::<Packet>(
        &message(6, &[1, 0, 0, 0, 2, 0]),
        expect![[
            r#"REMOTEDESKTOP_CTL_VERSIONINFO_PACKET.versionMinor at byte 30: need 4 bytes, 2 left ([MS-RA] 2.2.1.8)"#
        ]],
    );
    refuses::<Packet>(
        &message(1, &utf16("a\0b")),
        expect![[
            r#"REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP_PACKET.raConnectionString at byte 30: 2 bytes left after the value ([MS-RA] 2.2.1.9)"#
        ]],
    );
    refuses::<Packet>(
        &message(1, b"abc"),
        expect![[
            r#"REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP_PACKET.raConnectionString at byte 26: UTF-16 text has an even number of bytes ([MS-RA] 2.2.1.9)"#
        ]],
    );
    refuses::<Packet>(
        &message(10, &[3, 0, 0, 0, 1, 2, 3]),
        expect![[
            r#"REMOTEDESKTOP_CTL_RANOVICE_NAME.RANoviceName at byte 30: UTF-16 text has an even number of bytes ([MS-RA] 2.2.1.13)"#
        ]],
    );
    refuses::<ControlPayload>(
        &[],
        expect![[
            r#"REMOTEDESKTOP_CHANNELBUFHEADER.ChannelNameLen at byte 0: need 4 bytes, 0 left ([MS-RA] 2.2.1.1)"#
        ]],
    );
}

#[test]
fn values_that_could_not_be_read_again_are_not_written() {
    let errors: Vec<_> = [
        Packet { channel_name: Utf16Le::with_nul("70"), data: Data::Control(Control::Disconnect) },
        Packet { channel_name: Utf16Le::with_nul("RC_CTL"), data: Data::Payload(Blob::default()) },
        Packet { channel_name: Utf16Le::from(&b"abc"[..]), data: Data::Payload(Blob::default()) },
        Packet::control(Control::Unknown { msg_type: MsgType::RESULT, body: Blob::default() }),
        Packet::control(Control::remote_control_desktop("a\0b")),
        Packet::control(Control::expert_on_vista(vec![1, 0, 0, 0, 9])),
        Packet::control(Control::Authenticate(Authenticate::new("a\0b", ExpertBlob::new("", None)))),
        Packet::control(Control::Authenticate(Authenticate {
            connection_string: Secret::new(Utf16Le::new("<E>no end")),
            expert_blob: ExpertBlob::new("", None),
        })),
        Packet::control(Control::VerifyPassword { expert_blob: ExpertBlob::new("a\0", None) }),
    ]
    .iter()
    .map(|packet| packet.to_vec().unwrap_err().to_string())
    .collect();
    expect![[r#"
        [
            "REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName: control messages, and nothing else, are named RC_CTL or remdesk ([MS-RA] 2.2.1.2)",
            "REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName: control messages, and nothing else, are named RC_CTL or remdesk ([MS-RA] 2.2.1.2)",
            "REMOTEDESKTOP_CTL_PACKETHEADER.ChannelName: UTF-16 text has an even number of bytes ([MS-RA] 2.2.1.2)",
            "REMOTEDESKTOP_CTL_BUFHEADER.msgType: the type is known: it would not be read as an unknown message ([MS-RA] 2.2.1.3)",
            "REMOTEDESKTOP_CTL_REMOTE_CONTROL_DESKTOP_PACKET.raConnectionString: a NUL is the last character ([MS-RA] 2.2.1.9)",
            "REMOTEDESKTOP_EXPERT_ON_VISTA.EncryptedPassword: plain data would be read as counted data ([MS-RA] 2.2.1.12)",
            "REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET.raConnectionString: a NUL is the last character ([MS-RA] 2.2.1.4)",
            "REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET.raConnectionString: without a NUL, the connection string and expertBlob could not be told apart ([MS-RA] 2.2.1.4)",
            "expertBlob.PropertyValue: a value has no NUL ([MS-RA] 2.2.1.11)",
        ]
    "#]]
    .assert_debug_eq(&errors);
}

#[test]
fn authenticate_with_both_texts_run_together() {
    const XML: &str = r#"<E><A KH="Bnw=" ID="x=1;y"/><C></C></E>"#;
    const PLAIN: &str = "65538,1,dummy:1;127.0.0.1:35326,*,ID,*,*,DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=";
    const BLOB: &str =
        "11;NAME=novice69;PASS=45410293A24FDEE2581A9BAAC824A85630E29C5834BC66CEE25A0B06A73A97E6";
    for (text, string, blob, broken) in [
        (format!("{XML}\0{BLOB}\0"), format!("{XML}\0"), BLOB, 0),
        (format!("{PLAIN}\0{BLOB}\0"), format!("{PLAIN}\0"), BLOB, 0),
        (format!("{PLAIN}\0{BLOB}"), format!("{PLAIN}\0"), BLOB, 1),
        (format!("{XML}{BLOB}"), XML.to_owned(), BLOB, 2),
        (format!("{XML}{BLOB}\0"), XML.to_owned(), BLOB, 1),
        (format!("{XML}\r\n{BLOB}"), format!("{XML}\r\n"), BLOB, 2),
        (format!("{PLAIN}{BLOB}"), PLAIN.to_owned(), BLOB, 2),
        (format!("{PLAIN}{BLOB}\0"), PLAIN.to_owned(), BLOB, 1),
        // Without expertBlob.
        (format!("{XML}\0"), format!("{XML}\0"), "", 1),
        (format!("{XML}\r\n\0"), format!("{XML}\r\n\0"), "", 1),
        (format!("{PLAIN}\0"), format!("{PLAIN}\0"), "", 1),
        (XML.to_owned(), XML.to_owned(), "", 2),
        (format!("{XML}\0\0"), format!("{XML}\0"), "", 0),
    ] {
        let bytes = message(3, &utf16(&text));
        assert_eq!(deviations::<Packet>(&bytes).len(), broken, "{text:?}");
        let Control::Authenticate(message) = control(&bytes) else { panic!("{text:?}") };
        assert_eq!(message.connection_string.expose().to_text().unwrap(), string);
        assert_eq!(message.expert_blob.name().is_some(), !blob.is_empty());
        assert_eq!(
            message.expert_blob.encoded_len() / 2,
            blob.len() + usize::from(message.expert_blob.terminated)
        );
        laws::json(&Packet::control(Control::Authenticate(message.into_owned())));
    }
    for text in [PLAIN, "", "\0\0\0", "<E>9;NAME=John", "a=9;NAM=John"] {
        assert!(Packet::decode(&message(3, &utf16(text))).is_err(), "{text:?}");
    }
}

#[test]
fn bstr_forms() {
    let expected = |form| {
        [BstrForm::Counted, BstrForm::CountedNul, BstrForm::Plain].iter().filter(|f| **f == form).count()
    };
    for (body, form, name) in [
        (&b"\x04\0\0\0a\0b\0"[..], BstrForm::Counted, "ab"),
        (b"\x04\0\0\0a\0b\0\0\0", BstrForm::CountedNul, "ab"),
        (b"a\0b\0", BstrForm::Plain, "ab"),
        (b"a\0b\0\0\0", BstrForm::Plain, "ab"),
        (b"", BstrForm::Plain, ""),
    ] {
        let bytes = message(10, body);
        assert_eq!(expected(form), 1);
        assert_eq!(deviations::<Packet>(&bytes).len(), usize::from(form != BstrForm::Counted), "{body:?}");
        let Control::NoviceName { name: bstr } = control(&bytes) else { panic!() };
        assert_eq!((bstr.form, bstr.name().as_str()), (form, name));
        laws::json(&Packet::decode(&bytes).unwrap().into_owned());
    }
    let counted = message(9, b"\x03\0\0\0abc");
    assert_eq!(deviations::<Packet>(&counted).len(), 1);
    let Control::ExpertOnVista { password } = control(&counted) else { panic!() };
    assert_eq!(password.data.expose().to_vec(), b"abc");
}

#[test]
fn token_forms() {
    let token = std::array::from_fn::<u8, 20, _>(|n| (n * 13 + 1) as u8);
    let digits: String = token.iter().map(|b| format!("{b:02X}")).collect();
    let forms =
        [token.to_vec(), utf16(&digits), utf16(&digits.to_lowercase()), utf16(&(digits.clone() + "\0"))];
    for data in forms {
        for form in [BstrForm::Counted, BstrForm::CountedNul, BstrForm::Plain] {
            let packet = Packet::control(Control::Token { token: SecretBstr::new(form, data.clone()) });
            let bytes = packet.to_vec().unwrap();
            assert_eq!(deviations::<Packet>(&bytes).len(), usize::from(form != BstrForm::Counted));
            let Control::Token { token: bstr } = control(&bytes) else { panic!() };
            assert_eq!(bstr.token().unwrap(), Secret::new(token));
        }
    }
    for wrong in [
        vec![0; 19],
        vec![0; 21],
        utf16(&digits[1..]),
        utf16(&digits.replace('0', "g")),
        vec![b'0'; 40],
        vec![],
    ] {
        assert!(SecretBstr::new(BstrForm::Plain, wrong.clone()).token().is_none(), "{wrong:?}");
    }
}

#[test]
fn other_channels_carry_no_msg_type() {
    let value = Packet::payload(ChannelName::Chat, &b"h\0i\0\0\0"[..]);
    let bytes = value.to_vec().unwrap();
    assert_eq!(bytes, [&[6, 0, 0, 0, 6, 0, 0, 0, b'7', 0, b'0', 0, 0, 0][..], b"h\0i\0\0\0"].concat());
    assert_eq!(Packet::decode_strict(&bytes).unwrap(), value);
    for name in ["71", "RA_FX", "1000.612009461", "172.31.251.165.612009461"] {
        let value = Packet::payload(ChannelName::parse(name).unwrap(), vec![1, 2]);
        assert_eq!(value.channel().unwrap().to_string(), name);
        let bytes = value.to_vec().unwrap();
        assert_eq!(Packet::decode_strict(&bytes).unwrap(), value);
        laws::json(&value);
        laws::value(&value);
    }
}

#[test]
fn secrets_do_not_show() {
    let secrets = ["Sesame42", "4553414D45", "65538,1,host:3389", "DEADBEEF"];
    let messages = [
        Control::remote_control_desktop("65538,1,host:3389,*,ID,*,*,Sesame42="),
        Control::Authenticate(Authenticate::new(
            "65538,1,host:3389",
            ExpertBlob::new("John", Some("4553414D45")),
        )),
        Control::VerifyPassword { expert_blob: ExpertBlob::new("John", Some("4553414D45")) },
        Control::expert_on_vista(b"Sesame42".to_vec()),
        Control::Token { token: SecretBstr::new(BstrForm::Plain, utf16("DEADBEEF")) },
    ];
    for message in messages {
        let packet = Packet::control(message);
        let (debug, json) = (format!("{packet:?} {packet:#?}"), serde_json::to_string(&packet).unwrap());
        for secret in secrets {
            let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
            assert!(!debug.contains(secret) && !debug.contains(&hex), "{debug}");
        }
        assert!(json.contains(r#""secret":"#), "{json}");
        // A program that redacts does so by the key; nothing redacted is ever sent.
        let mut redacted: serde_json::Value = serde_json::from_str(&json).unwrap();
        redact(&mut redacted);
        assert!(serde_json::from_value::<Packet>(redacted.clone()).is_err());
        for secret in secrets {
            assert!(!redacted.to_string().contains(secret), "{redacted}");
        }
        // The trace marks them too.
        let bytes = packet.to_vec().unwrap();
        let trace = Packet::decode_with(&bytes, &DecodeOptions::TOLERANT.with_trace(true)).unwrap().trace;
        let mut shown = Vec::new();
        for entry in trace.iter().filter(|e| !e.secret && e.format != Format::Group) {
            shown.extend_from_slice(&bytes[entry.offset..entry.offset + entry.len]);
        }
        for secret in secrets {
            let found = |needle: &[u8]| shown.windows(needle.len()).any(|w| w == needle);
            assert!(!found(secret.as_bytes()) && !found(&utf16(secret)), "{trace:?}");
        }
    }
    let public = ExpertBlob::new("John", Some("x"));
    assert!(format!("{public:?}").contains("John"));
}

fn redact(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                if key == "secret" { *value = serde_json::Value::Null } else { redact(value) }
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(redact),
        _ => {}
    }
}

#[test]
fn limits() {
    let many = message(5, &[]).repeat(5);
    let options = |limits| DecodeOptions::TOLERANT.with_limits(limits);
    let error = ControlPayload::decode_with(&many, &options(Limits::DEFAULT.with_items(4))).unwrap_err();
    expect!["channel PDU at byte 104: more than the configured limit of 4 (packets) ([MS-RA] 2.2.1)"]
        .assert_eq(&error.to_string());
    assert!(ControlPayload::decode_with(&many, &options(Limits::DEFAULT.with_items(5))).is_ok());
    let blob = message(8, &utf16("9;NAME=John6;PASS=x"));
    let error = Packet::decode_with(&blob, &options(Limits::DEFAULT.with_items(1))).unwrap_err();
    expect!["expertBlob at byte 48: more than the configured limit of 1 (properties) ([MS-RA] 2.2.1.11)"]
        .assert_eq(&error.to_string());
    for bytes in [blob, message(1, &utf16("abc"))] {
        let error = Packet::decode_with(&bytes, &options(Limits::DEFAULT.with_string(4))).unwrap_err();
        assert!(error.to_string().contains("limit of 4 (string bytes)"), "{error}");
    }
}

#[test]
fn hostile_sizes_take_no_time_and_no_memory() {
    for unit in ["=", "=1", "=1;", "</E>", "<", "1;=", "3;NAME=1;"] {
        let text = utf16(&unit.repeat(1 << 18));
        for msg_type in [1, 3, 8, 10] {
            laws::bytes::<Packet>(&message(msg_type, &text));
            laws::bytes::<Packet>(&message(msg_type, &[&utf16("<")[..], &text].concat()));
        }
    }
}

pub fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zA-Z0-9 ;=äß😀]{0,12}"]
}

fn blob() -> impl Strategy<Value = ExpertBlob<'static>> {
    (name(), prop::option::of("[0-9A-F]{0,64}"), any::<bool>()).prop_map(|(name, pass, terminated)| {
        ExpertBlob { terminated, ..ExpertBlob::new(&name, pass.as_deref()) }
    })
}

fn form() -> impl Strategy<Value = BstrForm> {
    prop_oneof![Just(BstrForm::Counted), Just(BstrForm::CountedNul), Just(BstrForm::Plain)]
}

fn message_value() -> impl Strategy<Value = Control<'static>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..48);
    let bstr = move || (form(), bytes()).prop_map(|(form, data)| SecretBstr::new(form, data));
    let name = || (form(), name()).prop_map(|(form, name)| NameBstr { form, data: Utf16Le::new(&name) });
    prop_oneof![
        "[ -~]{0,40}".prop_map(|s| Control::remote_control_desktop(&s)),
        any::<u32>().prop_map(|code| Control::Result { code: ErrorCode(code) }),
        ("[ -~]{0,40}", blob()).prop_map(|(s, blob)| {
            let mut message = Authenticate::new(&s, ExpertBlob { terminated: true, ..blob.clone() });
            message.expert_blob.terminated = blob.terminated;
            Control::Authenticate(message)
        }),
        Just(Control::ServerAnnounce),
        Just(Control::Disconnect),
        Just(Control::IsConnected),
        (any::<u32>(), any::<u32>()).prop_map(|(major, minor)| Control::VersionInfo { major, minor }),
        blob().prop_map(|expert_blob| Control::VerifyPassword { expert_blob }),
        bstr().prop_map(|password| Control::ExpertOnVista { password }),
        name().prop_map(|name| Control::NoviceName { name }),
        name().prop_map(|name| Control::ExpertName { name }),
        bstr().prop_map(|token| Control::Token { token }),
        (13_u32.., bytes())
            .prop_map(|(n, body)| Control::Unknown { msg_type: MsgType(n), body: Blob::from(body) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn laws_of_packets(message in message_value()) {
        let packet = Packet::control(message);
        prop_assume!(packet.check().is_ok());
        laws::value(&packet);
        laws::truncations::<Packet>(&packet.to_vec().unwrap());
        laws::json(&packet);
        prop_assert_eq!(&packet.clone().into_owned(), &packet);
    }

    #[test]
    fn laws_of_payloads(messages in prop::collection::vec(message_value(), 1..4)) {
        let payload = ControlPayload { packets: messages.into_iter().map(Packet::control).collect() };
        prop_assume!(payload.check().is_ok());
        laws::value(&payload);
        laws::json(&payload);
        prop_assert_eq!(&payload.clone().into_owned(), &payload);
    }

    #[test]
    fn laws_of_authenticate_text(text in "[<E/>=0-9;NAMEPS\0a\r]{0,24}") {
        laws::bytes::<Packet>(&message(3, &utf16(&text)));
    }
}

/// [MS-RA] 2.2.1.2: 64 bytes with the NUL are allowed, 66 are not.
#[test]
fn the_longest_channel_name() {
    for (seconds, strict) in [("12345678", true), ("123456789", false)] {
        let name = Utf16Le::with_nul(&format!("2001:db8::ff00:42:8329.{seconds}"));
        let packet = Packet { channel_name: name, data: Data::Payload(b"x".as_slice().into()) };
        let bytes = packet.to_vec().unwrap();
        assert_eq!(packet.channel_name.as_bytes().len() == 64, strict);
        assert_eq!(Packet::decode(&bytes).unwrap(), packet);
        match Packet::decode_strict(&bytes) {
            Ok(again) => assert!(strict && again == packet),
            Err(e) => {
                assert!(!strict && e.kind() == DecodeErrorKind::OutOfBounds { got: 66, max: 64 }, "{e}")
            }
        }
    }
}
