//! RCCOMMAND messages and contact files.

use expect_test::expect;
use proptest::prelude::*;
use rccommand::{
    Command, Contact, ContactFile, ContactTime, FileXfer, InternalData, Name, RcCommand, Role, RsaPublicKey,
    Version, VoipEndpoint, VoipGo, peer_name,
};
use remassist_core::text::{Encoding, TextDocument, TextFormat as _};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Secret, utf16};
use testkit::{laws, vectors};

type Message<'a> = TextDocument<'a, RcCommand<'a>>;
type File<'a> = TextDocument<'a, ContactFile<'a>>;

fn read(name: &str) -> String {
    std::fs::read_to_string(vectors::dir().join("rccommand").join(name)).unwrap()
}

fn wire(text: &str) -> &'static [u8] {
    utf16::encode(text).leak()
}

fn z(text: &str) -> &'static [u8] {
    wire(&format!("{text}\0"))
}

/// The table of [MS-RA] 2.2.2, typed from the specification and not from our code: name, expert, novice, versions.
const TABLE: &[(&str, bool, bool, &[Version])] = {
    use Version::{V1, V2, V3};
    const ALL: &[Version] = &[V1, V2, V3];
    &[
        ("FILEXFER", true, true, ALL),
        ("ABORTRC", true, false, ALL),
        ("ACCEPTRC", false, true, ALL),
        ("DENIEDRC", false, true, ALL),
        ("ESCRC", false, true, ALL),
        ("REJECTRC", false, true, ALL),
        ("REMOTECTRLSTART", true, false, &[V1]),
        ("REMOTECTRLEND", true, false, ALL),
        ("TAKECONTROL", false, true, ALL),
        ("TYPINGSTART", true, false, ALL),
        ("EXPERTIP", true, false, &[V1]),
        ("SETTINGANNOUNCE", true, true, &[V3]),
        ("BANDWTOLOW", true, true, &[V1]),
        ("BANDWTOHIGH", true, true, &[V1]),
        ("DISABLEVOICE", true, true, &[V1]),
        ("PRESTART", true, true, &[V1]),
        ("PRESTARTNO", true, true, &[V1]),
        ("PRESTARTYES", true, true, &[V1]),
        ("VOIPPREGO", true, true, &[V1]),
        ("VOIPPREGO2", true, false, &[V1]),
        ("VOIPGO", false, true, &[V1]),
        ("VOIPGONO", true, true, &[V1]),
        ("VOIPQNO", true, true, &[V1]),
        ("WIZARDBAD", true, true, &[V1]),
        ("WIZARDGOOD", true, true, &[V1]),
    ]
};

#[test]
fn every_name_has_its_senders_and_versions() {
    assert_eq!(Name::ALL.len(), TABLE.len());
    for (text, expert, novice, versions) in TABLE {
        let name = Name::parse(text).unwrap();
        assert_eq!(name.as_str(), *text);
        for version in [Version::V1, Version::V2, Version::V3] {
            let in_version = versions.contains(&version);
            assert_eq!(name.may_send(Role::Expert, version), *expert && in_version, "{text}");
            assert_eq!(name.may_send(Role::Novice, version), *novice && in_version, "{text}");
        }
    }
}

#[test]
fn printed_samples() {
    let message = RcCommand::parse(read("filexfer-printed.xml").leak()).unwrap();
    let expected = FileXfer {
        file_name: "20070130182140.xml".into(),
        file_size: 436,
        channel_id: "RA_FX".into(),
        internal_data: InternalData::NONE,
    };
    assert_eq!(message.command().unwrap(), Command::FileXfer(expected));
    assert_eq!(message.command().unwrap().to_message(), message);

    let message = RcCommand::parse(read("voipgo-printed.xml").leak()).unwrap();
    let Command::VoipGo(go) = message.command().unwrap() else { panic!() };
    assert_eq!(go.version.as_deref(), Some(VoipGo::VERSION));
    assert_eq!(go.key.expose(), "NzaogjS5hQMun/saZ1YCBMT9GwrdJwOomrldiOmXTrE=");
    let expected = VoipEndpoint::Socket("172.31.242.5:11334".parse().unwrap());
    assert_eq!(go.endpoints().collect::<Vec<_>>(), [expected]);
    assert_eq!(message.command().unwrap().to_message(), message);
}

#[test]
fn strict_and_tolerant() {
    let cases = [
        (z("<RCCOMMAND NAME=\"ESCRC\"/>"), true),
        (z("<RCCOMMAND NAME=\"DENIEDRC \"/>"), true),
        (z("<RCCOMMAND NAME='ESCRC'></RCCOMMAND>"), true),
        (z("<RCCOMMAND NAME=\"ESCRC\" NEW=\"kept\"/>"), true),
        (wire("<RCCOMMAND NAME=\"ESCRC\"/>"), false),
        (wire("<RCCOMMAND NAME=\"ESCRC\"/>\0\0"), false),
        (b"<RCCOMMAND NAME=\"ESCRC\"/>\0", false),
        (z("\u{FEFF}<RCCOMMAND NAME=\"ESCRC\"/>"), false),
        (z("<RCCOMMAND NAME=\"NEWRC\"/>"), false),
        (z("<RCCOMMAND NAME=\"ESCRC\" CHANNELID=\"70\"/>"), false),
        (z("<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"a\" CHANNELID=\"RA_FX\"/>"), false),
        (z("<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"a\" FILESIZE=\"-1\" CHANNELID=\"RA_FX\"/>"), false),
        (z("<RCCOMMAND NAME=\"EXPERTIP\"/>"), false),
    ];
    for (bytes, strict) in cases {
        let tolerant = Message::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
        assert_eq!(Message::decode_strict(bytes).is_ok(), strict, "{:?}", tolerant.value);
        assert!(tolerant.value.to_vec().is_ok());
        laws::json(&tolerant.value);
    }
}

#[test]
fn errors_name_byte_field_and_section() {
    let error = |bytes| Message::decode(bytes).unwrap_err().to_string();
    let cases = [
        z("<RCCOMAND NAME=\"ESCRC\"/>"),
        z("<RCCOMMAND/>"),
        z("<RCCOMMAND NAME=\"ESCRC\" NAME=\"ESCRC\"/>"),
        z("<RCCOMMAND NAME=\"ESCRC\">text</RCCOMMAND>"),
        z("<RCCOMMAND NAME=\"ESCRC\"/><RCCOMMAND NAME=\"ESCRC\"/>"),
        z("<!DOCTYPE x><RCCOMMAND NAME=\"ESCRC\"/>"),
        z("<RCCOMMAND NAME=\"é&bomb;\"/>"),
        z("<RCCOMMAND NAME=\"ESC"),
        wire("<RCCOMMAND NAME=\"ESCRC\"/>\0x"),
        b"",
        &[b'<', 0, 0, 0xD8, b'>', 0],
    ];
    let all: Vec<String> = cases.into_iter().map(error).collect();
    expect![[r#"
        RCCOMMAND at byte 0: the element is not RCCOMMAND ([MS-RA] 2.2.2)
        RCCOMMAND.NAME at byte 0: the attribute is missing ([MS-RA] 2.2.2)
        RCCOMMAND.NAME at byte 48: an attribute stands twice ([MS-RA] 2.2.2)
        RCCOMMAND at byte 48: text where only XML elements may stand ([MS-RA] 2.2.2)
        RCCOMMAND at byte 50: 52 bytes left after the value ([MS-RA] 2.2.2)
        RCCOMMAND at byte 0: a DOCTYPE is refused ([MS-RA] 2.2.2)
        RCCOMMAND.NAME at byte 36: a reference that is not predefined in XML ([MS-RA] 2.2.2)
        RCCOMMAND at byte 0: the text ends inside an attribute's value ([MS-RA] 2.2.2)
        RCCOMMAND at byte 52: 2 bytes left after the value ([MS-RA] 2.2.2)
        RCCOMMAND at byte 0: the text ends before the XML element does ([MS-RA] 2.2.2)
        RCCOMMAND at byte 2: the text is not well-formed in its encoding ([MS-RA] 2.2.2)"#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn deviations_point_at_the_value() {
    let text = "<RCCOMMAND NAME=\"FILEXFER\" FILENAME='NAME=\"x\"' FILESIZE=\"many\" CHANNELID=\"RA_FX\"/>\0";
    let bytes = z(text.trim_end_matches('\0'));
    let error = Message::decode_strict(bytes).unwrap_err();
    assert_eq!(error.offset(), text.find("many").unwrap() * 2, "{error}");
    assert_eq!(error.at().field, "FILESIZE");
    let bytes = z("<!-- é --><RCCOMMAND X=\"\" NAME=\"EXPERTIP\"/>");
    let error = Message::decode_strict(bytes).unwrap_err();
    assert_eq!((error.offset(), error.at().field), (20, "EXPERTIPDATA"), "{error}");
    let contact = read("contact-printed.xml").replace("TYPE=\"1\"", "TYPE=\"7\"");
    let error = File::decode_strict(contact.as_bytes()).unwrap_err();
    assert_eq!(error.offset(), contact.find("\"7\"").unwrap() + 1, "{error}");
}

#[test]
fn the_voice_key_is_not_shown() {
    let bytes = z(&read("voipgo-printed.xml"));
    let message = Message::decode(bytes).unwrap();
    let shown = format!("{message:?} {:?}", message.content.command());
    assert!(!shown.contains("NzaogjS5") && shown.contains("172.31.242.5"), "{shown}");
    let json = serde_json::to_value(&message).unwrap();
    assert_eq!(json["content"]["VOIPGOKEY"]["secret"], "NzaogjS5hQMun/saZ1YCBMT9GwrdJwOomrldiOmXTrE=");
    let mut redacted = json;
    redacted["content"]["VOIPGOKEY"]["secret"] = serde_json::Value::Null;
    let error = serde_json::from_value::<TextDocument<'static, RcCommand<'static>>>(redacted).unwrap_err();
    assert!(error.to_string().contains("VOIPGOKEY"), "{error}");
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ -~\\t\\r\\né漢😀]{0,20}").unwrap()
}

fn command() -> impl Strategy<Value = Command<'static>> {
    prop_oneof![
        (text(), any::<u64>(), text(), any::<u32>()).prop_map(|(name, file_size, channel, flags)| {
            Command::FileXfer(FileXfer {
                file_name: name.into(),
                file_size,
                channel_id: channel.into(),
                internal_data: InternalData(flags),
            })
        }),
        text().prop_map(|t| Command::ExpertIp { address: t.into() }),
        (text(), text()).prop_map(|(p, v)| Command::SettingAnnounce { property: p.into(), value: v.into() }),
        (text(), text(), text()).prop_map(|(version, key, list)| {
            Command::VoipGo(VoipGo {
                version: Some(version.into()),
                key: Secret::new(key),
                ip_list: list.into(),
            })
        }),
        prop::sample::select(Name::ALL)
            .prop_filter("needs no attributes", |n| n.attributes().is_empty())
            .prop_map(Command::Plain),
        "[A-Z]{1,8}x".prop_map(|name| Command::Unknown { name: name.into() }),
    ]
}

proptest! {
    #[test]
    fn what_is_said_is_understood(command in command()) {
        let message = TextDocument::unicode_z(command.to_message());
        let bytes = message.to_vec().unwrap();
        let again = Message::decode(&bytes).unwrap();
        prop_assert_eq!(again.content.command().unwrap(), command);
        laws::json(&again);
    }
}

#[test]
fn laws_hold_around_real_messages() {
    for name in ["filexfer-printed.xml", "voipgo-printed.xml"] {
        let message = TextDocument::unicode_z(RcCommand::parse(read(name).leak()).unwrap());
        laws::xml_value(&message);
        let wire: &'static [u8] = message.to_vec().unwrap().leak();
        laws::truncations::<Message<'_>>(&wire[..wire.len() - 2]);
    }
    laws::xml_value(&TextDocument::utf8(
        ContactFile::parse("<RAINVITATIONCOLL><RAINVITATIONITEM NAME=\"é\"/></RAINVITATIONCOLL>").unwrap(),
    ));
}

#[test]
fn the_printed_contact() {
    let text = read("contact-printed.xml");
    for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
        for bom in [false, true] {
            let content = ContactFile::parse(&text).unwrap();
            let file = TextDocument { encoding, bom, content, tail: "\r\n".into() };
            let bytes = file.to_vec().unwrap();
            let again = File::decode_strict(&bytes).unwrap();
            assert_eq!(again, file);
        }
    }
    let contact = ContactFile::parse(&text).unwrap().contact().unwrap();
    assert_eq!((contact.name.as_str(), contact.computer_name.as_str()), ("Dave Heberer", "DHERB-X86-1"));
    assert_eq!(contact.avatar[..2], *b"Bm".map(|b| b.to_ascii_uppercase()).as_slice());
    let key = RsaPublicKey::from_blob(&contact.public_key).unwrap();
    assert_eq!((key.exponent, key.modulus.len()), (65_537, 128));
    assert_eq!(key.to_blob().unwrap(), contact.public_key);
    // The authority of the printed ADDRESS can be computed from the printed PUBLICKEY.
    assert_eq!(peer_name(&key).unwrap(), contact.address);
    assert!(contact.address_matches_key());
    let time = contact.time.unwrap();
    assert_eq!((time.year, time.month, time.day, time.hour, time.microsecond), (2008, 6, 25, 16, 761_000));
    assert_eq!(time.to_string(), "20080625161611.761000");
    let made = Contact::new("Dave Heberer", "DHERB-X86-1", contact.avatar.clone(), &key, time).unwrap();
    assert_eq!(made, contact);
    let file = TextDocument::utf8(made.to_file());
    assert_eq!(File::decode_strict(&file.to_vec().unwrap()).unwrap().content.contact().unwrap(), contact);
    laws::json(&file);
}

#[test]
fn contact_variants() {
    let table = "<RAINVITATIONCOLL><RAINVITATION NAME=\"n\" COMPUTERNAME=\"c\" AVATAR=\"\" PUBLICKEYBLOB=\"AAAA\" \
                 ADDRESS=\"0\" TYPE=\"1\" TIME=\"20080625161611\"/></RAINVITATIONCOLL>";
    let contact = ContactFile::parse(table).unwrap().contact().unwrap();
    assert_eq!(contact.public_key, [0; 3]);
    assert!(!contact.address_matches_key());
    assert_eq!(File::decode_strict(table.as_bytes()).unwrap().content.contact().unwrap(), contact);
    for (from, to) in
        [("TYPE=\"1\"", "TYPE=\"2\""), ("20080625", "20081325"), ("AAAA", "AAA"), ("NAME=\"n\"", "")]
    {
        let text = table.replace(from, to);
        assert!(File::decode_strict(text.as_bytes()).is_err(), "{text}");
        let tolerant = File::decode_with(text.as_bytes(), &DecodeOptions::TOLERANT).unwrap();
        assert_eq!(tolerant.deviations.len(), 1, "{text}");
    }
    let two = table.replace("</RAINVITATIONCOLL>", "<RAINVITATION/></RAINVITATIONCOLL>");
    assert!(File::decode_strict(two.as_bytes()).is_err());
    for text in ["<RAINVITATIONCOLL/>", "<RAINVITATIONITEM/>", "<a/>"] {
        assert!(File::decode(text.as_bytes()).is_err());
    }
}

#[test]
fn times() {
    for bad in [
        "",
        "2008",
        "20080625161611.",
        "20080625161611.1234567",
        "20081325161611.0",
        "2008062516161é.0",
        "20080625241611.0",
    ] {
        assert!(bad.parse::<ContactTime>().is_err(), "{bad}");
    }
    assert_eq!("20080625161611.5".parse::<ContactTime>().unwrap().microsecond, 500_000);
}

#[test]
fn hostile_keys() {
    let blob = RsaPublicKey { exponent: 3, modulus: vec![0x80; 64] }.to_blob().unwrap();
    for len in 0..blob.len() {
        assert!(RsaPublicKey::from_blob(&blob[..len]).is_err());
    }
    let mut huge = blob.clone();
    huge[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(RsaPublicKey::from_blob(&huge).is_err());
    assert!(RsaPublicKey { exponent: 3, modulus: vec![1; 5000] }.authority().is_ok_and(|_| true));
    assert!(RsaPublicKey { exponent: 3, modulus: vec![1; 5000] }.to_blob().is_err());
}
