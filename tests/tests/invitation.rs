//! Invitation files, PassStub, LHTICKET.

use expect_test::expect;
use proptest::prelude::*;
use ra_connstring::{
    ConnectionString, ConnectionString1, ConnectionString2, Endpoint, HashAlgorithm, KeyHash, KeyVerdict,
};
use ra_invitation::{
    Invitation, InvitationBuilder, InvitationKind, TicketError, Validity, decrypt_pass_stub, decrypt_ticket,
    encrypt_pass_stub, encrypt_ticket, generate_pass_stub, pass_value, verify_pass_stub,
};
use remassist_core::text::{Encoding, TextDocument, TextFormat as _};
use remassist_core::{Decode as _, DecodeOptions, from_hex, utf16};
use testkit::{laws, vectors};

type File<'a> = TextDocument<'a, Invitation<'a>>;

const PASSWORD: &str = "Pass123!";
const START: u64 = 1_795_240_964;

fn read(name: &str) -> &'static str {
    std::fs::read_to_string(vectors::dir().join("invitation").join(name)).unwrap().leak()
}

fn example(name: &str) -> std::path::PathBuf {
    vectors::dir().join("../../examples/data").join(name)
}

fn deviations(text: &str) -> String {
    let decoded = Invitation::parse_with(text, &DecodeOptions::TOLERANT).unwrap();
    let strict = Invitation::parse_with(text, &DecodeOptions::STRICT);
    assert_eq!(strict.is_ok(), decoded.deviations.is_empty());
    decoded.deviations.iter().map(|d| format!("{d}\n")).collect()
}

fn error(text: &str) -> String {
    Invitation::parse(text).unwrap_err().to_string()
}

const ONE: &str = "<?xml version=\"1.0\" encoding=\"Unicode\" ?>\n<UPLOADINFO TYPE=\"Escalated\"><UPLOADDATA \
                   USERNAME=\"novice\" RCTICKET=\"65538,1,192.0.2.10:3389,*,id,*,*,kh\" RCTICKETENCRYPTED=\"1\" \
                   DtStart=\"1795240964\" DtLength=\"360\" PassStub=\"WB^6HsrIaFmEpi\" L=\"0\"/></UPLOADINFO>";

fn two() -> String {
    ONE.replace("RCTICKET=", "LHTICKET=\"AABBccdd\" RCTICKET=")
}

#[test]
fn printed_sample_of_type_1() {
    let text = read("type1-printed.xml");
    let invitation = Invitation::parse(text).unwrap();
    assert_eq!(invitation.kind(), InvitationKind::Type1);
    assert_eq!(invitation.user_name(), Some("jeff"));
    assert_eq!((invitation.start(), invitation.minutes()), (Some(1_160_080_069), Some(60)));
    assert_eq!((invitation.rc_ticket_encrypted(), invitation.modem()), (Some(true), Some(false)));
    assert_eq!(&**invitation.pass_stub().unwrap().expose(), "o2*5GdBARK_JBB");
    assert_eq!(invitation.lh_ticket(), Err(TicketError::Absent));
    let ticket = invitation.rc_ticket().unwrap();
    let string = ConnectionString1::parse(ticket.expose()).unwrap();
    assert_eq!(&**string.session_id().expose(), "ot9B5Ut8n6FmiIOr2Aa915WwuLcMdtNl5AoXFiA4wLg=");
    assert_eq!(
        string.candidates().map(|e| e.to_string()).collect::<Vec<_>>(),
        ["192.168.1.65:3389", "jeff_xp:3389"]
    );
    expect![[r#"
        UPLOADDATA at byte 381: an end tag without its start tag ([MS-RAI] 6)
        UPLOADDATA.RCTICKET at byte 128: blanks inside the ticket ([MS-RAI] 6)
    "#]]
    .assert_eq(&deviations(text));
}

#[test]
fn printed_sample_of_type_2() {
    let text = read("type2-printed.xml");
    let invitation = Invitation::parse(text).unwrap();
    assert_eq!(invitation.kind(), InvitationKind::Type2);
    assert_eq!(&**invitation.pass_stub().unwrap().expose(), "fg^2IkiL*z3j4U");
    let ticket = invitation.lh_ticket().unwrap();
    assert_eq!((ticket.len(), &ticket[..4]), (880, &[0x3C, 0xD9, 0xC8, 0xA0][..]));
    assert_eq!(invitation.decrypt_ticket("password"), Err(TicketError::WrongPassword));
    let ticket = invitation.rc_ticket().unwrap();
    let string = ConnectionString1::parse(ticket.expose()).unwrap();
    assert_eq!(string.candidates().map(|e| e.to_string()).collect::<Vec<_>>(), ["172.31.244.101:55646"]);
    expect![[r#"
        UPLOADDATA.RCTICKET at byte 1904: blanks inside the ticket ([MS-RAI] 6)
        UPLOADDATA.LHTICKET at byte 110: not an even number of hexadecimal digits ([MS-RAI] 6)
    "#]]
    .assert_eq(&deviations(text));
}

#[test]
fn pass_stub_vectors() {
    let vectors = vectors::json("invitation/crypto-passstub.json");
    let (mut same, mut other) = (0, 0);
    for row in vectors["vectors"].as_array().unwrap() {
        let (password, stub) = (vectors::text(&row["password"]), vectors::text(&row["passstub"]));
        let expected = vectors::hex(&row["ciphertext"]);
        let ours = encrypt_pass_stub(password, stub);
        // A 40-bit key with the rest of the hash as its salt is the same key.
        let key = [&row["key"], &row["key_salt"]].map(vectors::text).concat();
        if row["key_bits"] == 128 || key == vectors::text(&row["md5"]) {
            assert_eq!(ours, expected, "{}", row["name"]);
            assert!(verify_pass_stub(password, stub, &expected));
            assert_eq!(decrypt_pass_stub(password, &expected).unwrap().expose(), stub);
            assert_eq!(
                pass_value(password, stub).expose(),
                &row["ciphertext"].as_str().unwrap().to_uppercase()
            );
            same += 1;
        } else {
            assert_ne!(ours, expected, "{}", row["name"]);
            assert!(!verify_pass_stub(password, stub, &expected));
            other += 1;
        }
        // The NUL behind a password is no part of it.
        assert_ne!(encrypt_pass_stub(&format!("{password}\0"), stub), expected);
        assert!(!verify_pass_stub(password, stub, &expected[1..]));
        assert_ne!(decrypt_pass_stub("wrong", &expected).map(|s| s.expose() == stub), Some(true));
    }
    assert_eq!((same, other), (25, 10));
}

#[test]
fn ticket_vectors() {
    let vectors = vectors::json("invitation/crypto-lhticket.json");
    let rows = vectors["vectors"].as_array().unwrap();
    assert_eq!(rows.len(), 19);
    for row in rows {
        let (password, text) = (vectors::text(&row["password"]), vectors::text(&row["connection_string"]));
        let expected = vectors::hex(&row["ciphertext"]);
        assert_eq!(encrypt_ticket(password, text), expected, "{}", row["name"]);
        assert_eq!(from_hex(vectors::text(&row["lhticket"])).unwrap(), expected);
        let ticket = decrypt_ticket(password, &expected).unwrap();
        assert_eq!(ticket.expose_untrimmed(), text);
        assert_eq!(ticket.expose(), text.trim());
        // With the NUL of the password the key is another one, in both directions.
        let other = password.strip_suffix('\0').map_or(format!("{password}\0"), str::to_owned);
        assert_ne!(encrypt_ticket(&other, text), expected);
        assert!(decrypt_ticket(&other, &expected).map_or(true, |t| t.expose_untrimmed() != text));
        assert_eq!(decrypt_ticket(password, &expected[1..]), Err(TicketError::NotBlocks));
        assert_eq!(decrypt_ticket(password, &[]), Err(TicketError::NotBlocks));
    }
}

#[test]
fn one_set_of_credentials_in_all_forms() {
    let vectors = vectors::json("invitation/invitations.json");
    let text = |name: &str| vectors::text(&vectors[name]).to_owned();
    let (password, stub) = (text("password"), text("pass_stub"));
    let ticket = from_hex(&text("lhticket")).unwrap();
    let invitation = InvitationBuilder::new(&text("username"), START, 360).type2(
        &ticket,
        &stub,
        Some(&text("connection_string_1")),
    );
    let file = invitation.to_text().unwrap();
    assert_eq!(deviations(&file), "");
    let plain = invitation.decrypt_ticket(&password).unwrap();
    assert_eq!(plain.expose(), text("connection_string_2"));
    assert_eq!(plain.expose_untrimmed(), format!("{}\r\n", text("connection_string_2")));
    assert_eq!(encrypt_ticket(&password, plain.expose_untrimmed()), ticket);
    assert!(file.contains(&format!(" LHTICKET=\"{}\" ", text("lhticket"))));
    let string = ConnectionString::parse(plain.expose()).unwrap();
    assert_eq!(string.candidates()[0].to_string(), "127.0.0.1:3390");
    let pass = pass_value(&password, &stub);
    assert_eq!(pass.expose().to_lowercase(), text("encrypted_pass_stub"));
    assert!(text("expert_blob").ends_with(&format!(";PASS={}", pass.expose())));
}

#[test]
fn what_freerdp_is_known_to_make_of_a_password() {
    let pass = pass_value("Password1", "RT=0PvIndan52*");
    assert_eq!(pass.expose(), "3C9CAE0BCE7AB15C8AAC01D676045EDF3FFAF092E2DE368A2017E68A0DED7C90");
}

#[test]
fn tickets_may_end_in_any_way() {
    let string = "<E><C/></E>";
    for tail in ["", "\r\n", "\0", "\r\n\0", "\0\0"] {
        for lower in [false, true] {
            let ticket = encrypt_ticket(PASSWORD, &format!("{string}{tail}"));
            let file = InvitationBuilder::new("n", 0, 0).type2(&ticket, "stub", None).to_text().unwrap();
            let digits = file.split("LHTICKET=\"").nth(1).unwrap().split('"').next().unwrap();
            let file = if lower { file.replace(digits, &digits.to_lowercase()) } else { file.clone() };
            let invitation = Invitation::parse(&file).unwrap();
            let plain = invitation.decrypt_ticket(PASSWORD).unwrap();
            assert_eq!((plain.expose(), plain.expose_untrimmed()), (string, &*format!("{string}{tail}")));
            let string = ConnectionString2::parse(plain.expose_untrimmed()).unwrap();
            assert_eq!(string.candidates().count(), 0);
        }
    }
}

#[test]
fn wrong_passwords_are_told_from_broken_tickets() {
    let ticket = encrypt_ticket(PASSWORD, "<E/>");
    let with = |digits: &str| two().replace("AABBccdd", digits);
    let open =
        |file: &str, password: &str| Invitation::parse(file).unwrap().decrypt_ticket(password).map(|_| ());
    let digits: String = ticket.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(open(&with(&digits), PASSWORD), Ok(()));
    for n in 0..2000 {
        assert_eq!(open(&with(&digits), &format!("{n}")), Err(TicketError::WrongPassword));
    }
    assert_eq!(open(&with(&digits[1..]), PASSWORD), Err(TicketError::NotHexadecimal));
    assert_eq!(open(&with("xy"), PASSWORD), Err(TicketError::NotHexadecimal));
    assert_eq!(open(&with(&digits[2..]), PASSWORD), Err(TicketError::NotBlocks));
    assert_eq!(open(&with(""), PASSWORD), Err(TicketError::NotBlocks));
    assert_eq!(open(ONE, PASSWORD), Err(TicketError::Absent));
    // The text of another kind of secret under the right password is no ticket.
    let other: String = encrypt_ticket(PASSWORD, "text").iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(open(&with(&other), PASSWORD), Err(TicketError::WrongPassword));
    expect!["the password is wrong, or LHTICKET is damaged"]
        .assert_eq(&TicketError::WrongPassword.to_string());
}

#[test]
fn every_must() {
    let (one, two) = (ONE.to_owned(), two());
    assert_eq!((deviations(&one), deviations(&two)), Default::default());
    let cases: [(&str, &str, &str); 20] = [
        (&one, "Escalated", "Other"),
        (&one, " TYPE=\"Escalated\"", ""),
        (&one, "</UPLOADINFO>", "<X/></UPLOADINFO>"),
        (&one, "USERNAME", "USER"),
        (&one, ",*,id", ",*,i\r\nd"),
        (&one, "ENCRYPTED=\"1", "ENCRYPTED=\"2"),
        (&one, "ENCRYPTED=\"1", "X=\"1"),
        (&one, "1795240964", "-1"),
        (&one, "1795240964", " 1 "),
        (&one, "DtStart", "Start"),
        (&one, "360", "six hours"),
        (&one, "DtLength", "Length"),
        (&one, "PassStub", "Stub"),
        (&one, "WB^6HsrIaFmEpi", ""),
        (&one, "L=\"0\"", ""),
        (&one, "L=\"0\"", "L=\"2\""),
        (&two, "AABBccdd", "AABB ccdd"),
        (&two, "AABBccdd", "AABBccd"),
        (&two, "/></UPLOADINFO>", "/></UPLOADDATA></UPLOADINFO>"),
        ("<E><A ID=\"1\"/></E>", "", ""),
    ];
    let found: String = cases
        .iter()
        .map(|(text, from, to)| format!("{from:?} -> {to:?}\n{}", deviations(&text.replacen(from, to, 1))))
        .collect();
    expect![[r#"
        "Escalated" -> "Other"
        UPLOADINFO.TYPE at byte 60: the value is not Escalated ([MS-RAI] 6)
        " TYPE=\"Escalated\"" -> ""
        UPLOADINFO.TYPE at byte 42: the value is not Escalated ([MS-RAI] 6)
        "</UPLOADINFO>" -> "<X/></UPLOADINFO>"
        UPLOADDATA at byte 71: other elements beside UPLOADDATA ([MS-RAI] 6)
        "USERNAME" -> "USER"
        UPLOADDATA.USERNAME at byte 71: the attribute is missing ([MS-RAI] 6)
        ",*,id" -> ",*,i\r\nd"
        UPLOADDATA.RCTICKET at byte 111: blanks inside the ticket ([MS-RAI] 6)
        "ENCRYPTED=\"1" -> "ENCRYPTED=\"2"
        UPLOADDATA.RCTICKETENCRYPTED at byte 167: missing, or neither 0 nor 1 ([MS-RAI] 6)
        "ENCRYPTED=\"1" -> "X=\"1"
        UPLOADDATA.RCTICKETENCRYPTED at byte 71: missing, or neither 0 nor 1 ([MS-RAI] 6)
        "1795240964" -> "-1"
        UPLOADDATA.DtStart at byte 179: missing, or not a decimal number ([MS-RAI] 6)
        "1795240964" -> " 1 "
        UPLOADDATA.DtStart at byte 179: missing, or not a decimal number ([MS-RAI] 6)
        "DtStart" -> "Start"
        UPLOADDATA.DtStart at byte 71: missing, or not a decimal number ([MS-RAI] 6)
        "360" -> "six hours"
        UPLOADDATA.DtLength at byte 201: missing, or not a decimal number ([MS-RAI] 6)
        "DtLength" -> "Length"
        UPLOADDATA.DtLength at byte 71: missing, or not a decimal number ([MS-RAI] 6)
        "PassStub" -> "Stub"
        UPLOADDATA.PassStub at byte 71: missing, though a password is needed ([MS-RAI] 6)
        "WB^6HsrIaFmEpi" -> ""
        UPLOADDATA.PassStub at byte 216: missing, though a password is needed ([MS-RAI] 6)
        "L=\"0\"" -> ""
        UPLOADDATA.L at byte 71: missing, or neither 0 nor 1 ([MS-RAI] 6)
        "L=\"0\"" -> "L=\"2\""
        UPLOADDATA.L at byte 235: missing, or neither 0 nor 1 ([MS-RAI] 6)
        "AABBccdd" -> "AABB ccdd"
        UPLOADDATA.LHTICKET at byte 111: not an even number of hexadecimal digits ([MS-RAI] 6)
        "AABBccdd" -> "AABBccd"
        UPLOADDATA.LHTICKET at byte 111: not an even number of hexadecimal digits ([MS-RAI] 6)
        "/></UPLOADINFO>" -> "/></UPLOADDATA></UPLOADINFO>"
        UPLOADDATA at byte 259: an end tag without its start tag ([MS-RAI] 6)
        "" -> ""
        Remote Assistance Invitation File at byte 0: the file is only a connection string ([MS-RAI] 6)
    "#]]
    .assert_eq(&found);
}

#[test]
fn harmless_variants_are_no_deviations() {
    for (from, to) in [
        (" PassStub=", " PassStub= "),
        ("<UPLOADDATA ", "<UPLOADDATA\r\n\t"),
        ("/></UPLOADINFO>", "></UPLOADDATA></UPLOADINFO>"),
        ("/></UPLOADINFO>", "/>\n<!-- made by hand -->\n</UPLOADINFO>\r\n\0"),
        ("\"1\"", "'1'"),
        ("<?xml version=\"1.0\" encoding=\"Unicode\" ?>\n", ""),
        (" L=", " NEW=\"kept\" L="),
        ("WB^6", "&#x57;B^6"),
    ] {
        let text = ONE.replacen(from, to, 1);
        assert_eq!(deviations(&text), "", "{to}");
        let invitation = Invitation::parse(&text).unwrap();
        assert_eq!(&**invitation.pass_stub().unwrap().expose(), "WB^6HsrIaFmEpi");
    }
}

#[test]
fn without_a_password() {
    let invitation =
        InvitationBuilder::new("novice", START, 1).modem(true).type1("65538,1,a:1,*,i,*,*,k", None);
    let text = invitation.to_text().unwrap();
    assert_eq!(deviations(&text), "");
    assert_eq!((invitation.needs_password(), invitation.pass_stub()), (false, None));
    assert_eq!((invitation.rc_ticket_encrypted(), invitation.modem()), (Some(false), Some(true)));
    // Where RCTICKETENCRYPTED says nothing, a PassStub does.
    let vague = ONE.replace("ENCRYPTED=\"1\"", "ENCRYPTED=\"\"");
    assert!(Invitation::parse(&vague).unwrap().needs_password());
    assert!(!Invitation::parse(&vague.replace("WB^6HsrIaFmEpi", "")).unwrap().needs_password());
    assert!(
        Invitation::parse(&two().replace("ENCRYPTED=\"1\"", "ENCRYPTED=\"0\"")).unwrap().needs_password()
    );
}

#[test]
fn a_connection_string_alone() {
    let text = "<E><A KH=\"x\" ID=\"auth&amp;id\"/><C><T ID=\"1\" SID=\"0\"><L P=\"1\" N=\"a\"/></T></C></E>";
    let invitation = Invitation::parse(text).unwrap();
    assert_eq!((invitation.kind(), invitation.needs_password()), (InvitationKind::ConnectionString, false));
    assert_eq!(invitation.connection_string().unwrap().expose(), text);
    assert_eq!((invitation.user_name(), invitation.rc_ticket(), invitation.pass_stub()), (None, None, None));
    assert_eq!(
        (invitation.lh_ticket(), invitation.validity(0)),
        (Err(TicketError::Absent), Validity::Unknown)
    );
    assert!(!format!("{invitation:?}").contains("auth"));
    assert_eq!(Invitation::parse(ONE).unwrap().connection_string(), None);
}

#[test]
fn errors() {
    let found: String = [
        "",
        "<UPLOADINFO/>",
        "<UPLOADDATA/>",
        "<UPLOADINFO><UPLOADDATA/></UPLOADINFO>",
        "<UPLOADINFO><UPLOADDATA RCTICKET=''/><UPLOADDATA RCTICKET=''/></UPLOADINFO>",
        "<UPLOADINFO><UPLOADDATA RCTICKET='' RCTICKET=''/></UPLOADINFO>",
        "<UPLOADINFO><UPLOADDATA RCTICKET=''>",
        "<UPLOADINFO><UPLOADDATA RCTICKET=''/></UPLOADINFO></UPLOADINFO>",
        "<UPLOADINFO><UPLOADDATA RCTICKET='&secret;'/></UPLOADINFO>",
        "<!DOCTYPE UPLOADINFO><UPLOADINFO/>",
        "65538,1,a:1,*,i,*,*,k",
    ]
    .map(|text| format!("{}\n", error(text)))
    .concat();
    expect![[r#"
        Remote Assistance Invitation File at byte 0: the text ends before the XML element does ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 0: there is not exactly one UPLOADDATA ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 0: the outermost element is neither UPLOADINFO nor E ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 0: neither RCTICKET nor LHTICKET ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 0: there is not exactly one UPLOADDATA ([MS-RAI] 6)
        UPLOADDATA.RCTICKET at byte 36: an attribute stands twice ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 36: the text ends before the XML element does ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 50: 13 bytes left after the value ([MS-RAI] 6)
        UPLOADDATA.RCTICKET at byte 34: a reference that is not predefined in XML ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 0: a DOCTYPE is refused ([MS-RAI] 6)
        Remote Assistance Invitation File at byte 0: text where only XML elements may stand ([MS-RAI] 6)
    "#]].assert_eq(&found);
}

#[test]
fn validity() {
    let invitation = Invitation::parse(ONE).unwrap();
    for (now, expected) in [
        (0, Validity::NotYet),
        (START - 1, Validity::NotYet),
        (START, Validity::Valid),
        (START + 360 * 60 - 1, Validity::Valid),
        (START + 360 * 60, Validity::Expired),
        (u64::MAX, Validity::Expired),
    ] {
        assert_eq!(invitation.validity(now), expected, "{now}");
    }
    let max = ONE.replace("\"360\"", "\"18446744073709551615\"");
    assert_eq!(Invitation::parse(&max).unwrap().validity(u64::MAX - 1), Validity::Valid);
    for (from, to) in [("360", "x"), ("1795240964", ""), ("360", "99999999999999999999"), ("DtStart", "X")] {
        let text = ONE.replace(from, to);
        assert_eq!(Invitation::parse(&text).unwrap().validity(START), Validity::Unknown);
    }
}

#[test]
fn every_encoding() {
    for text in [ONE, &two(), read("type1-printed.xml"), read("type2-printed.xml")] {
        let expected = Invitation::parse(text).unwrap();
        for (encoding, bom) in [
            (Encoding::Utf8, false),
            (Encoding::Utf8, true),
            (Encoding::Utf16Le, false),
            (Encoding::Utf16Le, true),
            (Encoding::Utf16Be, false),
            (Encoding::Utf16Be, true),
        ] {
            let whole = format!("{}{text}\r\n", if bom { "\u{FEFF}" } else { "" });
            let bytes: Vec<u8> = match encoding {
                Encoding::Utf8 => whole.into_bytes(),
                Encoding::Utf16Le => utf16::encode(&whole),
                Encoding::Utf16Be => whole.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            };
            let bytes: &'static [u8] = bytes.leak();
            let file = File::decode(bytes).unwrap();
            assert_eq!((file.encoding, file.bom), (encoding, bom));
            assert_eq!(file.content, expected);
            assert!(testkit::xml_law!(File<'_>, bytes));
            laws::json(&file);
        }
    }
}

#[test]
fn files_look_as_freerdp_wants_them() {
    let file = InvitationBuilder::new("a \"novice\" & <friend>", START, 360);
    let text = file.type2(&[0xAB; 16], "WB^6HsrIaFmEpi", Some("65538,1,a:1,*,i,*,*,k")).to_text().unwrap();
    expect![[r#"
        <?xml version="1.0" encoding="Unicode" ?>
        <UPLOADINFO TYPE="Escalated"><UPLOADDATA USERNAME="a &quot;novice&quot; &amp; &lt;friend&gt;" LHTICKET="ABABABABABABABABABABABABABABABAB" RCTICKET="65538,1,a:1,*,i,*,*,k" RCTICKETENCRYPTED="1" DtStart="1795240964" DtLength="360" PassStub="WB^6HsrIaFmEpi" L="0"/></UPLOADINFO>"#]].assert_eq(&text);
    let text = file.type1("65538,1,a:1,*,i,*,*,k", Some("WB^6HsrIaFmEpi")).to_text().unwrap();
    expect![[r#"
        <?xml version="1.0" encoding="Unicode" ?>
        <UPLOADINFO TYPE="Escalated"><UPLOADDATA USERNAME="a &quot;novice&quot; &amp; &lt;friend&gt;" RCTICKET="65538,1,a:1,*,i,*,*,k" RCTICKETENCRYPTED="1" DtStart="1795240964" DtLength="360" PassStub="WB^6HsrIaFmEpi" L="0"/></UPLOADINFO>"#]].assert_eq(&text);
    assert_eq!(Invitation::parse(&text).unwrap().user_name(), Some("a \"novice\" & <friend>"));
    assert!(file.type1("a\u{1}", None).to_text().is_err());
}

#[test]
fn pass_stubs_follow_the_pattern() {
    let mut state = 1_u64;
    let mut random = |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        });
    };
    let mut seen = vec![std::collections::BTreeMap::new(); 14];
    for _ in 0..20_000 {
        let stub = generate_pass_stub(&mut random).unwrap();
        assert_eq!(stub.expose().chars().count(), 14);
        for (at, c) in stub.expose().chars().enumerate() {
            *seen[at].entry(c).or_insert(0_u32) += 1;
        }
    }
    for (at, counts) in seen.iter().enumerate() {
        let (alphabet, size): (fn(&char) -> bool, usize) = match at {
            2 => (|c| "!@#$^*()-+=".contains(*c), 11),
            3 => (|c| c.is_ascii_digit(), 10),
            4 => (|c| c.is_ascii_uppercase(), 26),
            5 => (|c| c.is_ascii_lowercase(), 26),
            _ => (|c| c.is_ascii_alphanumeric() || "*_".contains(*c), 64),
        };
        assert!(counts.keys().all(alphabet), "{at}: {counts:?}");
        assert_eq!(counts.len(), size, "{at}");
        // No character is favoured: 5 standard deviations around the mean.
        let mean = 20_000.0 / size as f64;
        assert!(
            counts.values().all(|n| (f64::from(*n) - mean).abs() < 5.0 * mean.sqrt()),
            "{at}: {counts:?}"
        );
    }
    // Known stubs have the pattern, and a source that gives one byte for ever is found out.
    assert_eq!(generate_pass_stub(|bytes| bytes.fill(0)).unwrap().expose(), "AA!0AaAAAAAAAA");
    assert_eq!(generate_pass_stub(|bytes| bytes.fill(255)), None);
}

#[test]
fn secrets_are_not_shown() {
    let (id, stub) = ("c2Vzc2lvbg==", "WB^6HsrIaFmEpi");
    let string = format!("<E><A KH=\"x\" ID=\"{id}\"/></E>");
    let ticket = encrypt_ticket(PASSWORD, &string);
    let digits = ticket.iter().map(|b| format!("{b:02X}")).collect::<String>();
    let one = format!("65538,1,a:1,*,{id},*,*,k");
    let invitation = InvitationBuilder::new("novice", START, 360).type2(&ticket, stub, Some(&one));
    let text = invitation.to_text().unwrap();
    let plain = invitation.decrypt_ticket(PASSWORD).unwrap();
    let shown = format!(
        "{:?} {:#?} {plain:?} {:?} {:?} {:?} {:?}",
        invitation,
        File::decode(text.as_bytes()).unwrap(),
        invitation.rc_ticket(),
        invitation.pass_stub(),
        pass_value(PASSWORD, stub),
        decrypt_pass_stub(PASSWORD, &encrypt_pass_stub(PASSWORD, stub)),
    );
    let pass = pass_value(PASSWORD, stub);
    let secrets = [id, stub, &digits[..16], PASSWORD, &pass.expose()[..16]];
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    // JSON marks them.
    let json = serde_json::to_value(&invitation).unwrap();
    let data = &json["root"]["children"][0]["attributes"];
    for name in ["LHTICKET", "RCTICKET", "PassStub"] {
        assert!(data[name]["secret"].is_string(), "{data}");
    }
    // The trace marks the bytes, errors say nothing of them.
    let decoded = Invitation::parse_with(&text, &DecodeOptions::TOLERANT.with_trace(true)).unwrap();
    let marked: Vec<_> =
        decoded.trace.iter().filter(|e| e.secret).map(|e| &text[e.offset..][..e.len]).collect();
    assert_eq!(marked, [&*digits, &one, stub]);
    for end in 0..text.len() {
        if let Err(e) = Invitation::parse(&text[..end]) {
            let e = format!("{e} {e:?}");
            assert!(secrets.iter().all(|s| !e.contains(s)), "{e}");
        }
    }
}

#[test]
fn unknown_attributes_are_kept() {
    let text = ONE.replace(" L=", " NEW=\"&lt;kept&gt;\" L=");
    assert_eq!(Invitation::parse(&text).unwrap().to_text().unwrap(), text);
    assert_eq!(Invitation::parse(&text).unwrap().upload_data().unwrap().get("NEW"), Some("<kept>"));
}

/// The files in `examples/data`; written again when they are missing.
#[test]
fn the_example_files_are_complete() {
    let key = b"an example of a PublicKeyBlob";
    let v6 = Endpoint::parse("[2001:db8::10]:49749").unwrap();
    let v4 = Endpoint::parse("192.0.2.10:49749").unwrap();
    let (kh, kh2) = (KeyHash::compute_sha1(key), KeyHash::compute(HashAlgorithm::Sha256, key).unwrap());
    let (id, stub) = ("ZXhhbXBsZSBvZiBhbiBhdXRoZW50aWNhdGlvbiBpZA==", "WB^6HsrIaFmEpi");
    let string2 = ConnectionString2::new(id).with_key_hash(&kh).with_key_hash(&kh2);
    let string2 = string2.with_listener(&v6).with_listener(&v4).to_text().unwrap();
    let string1 = ConnectionString1::new([v4.clone()], id, &kh).to_text().unwrap();
    let builder = InvitationBuilder::new("novice", START, 360);
    let ticket = encrypt_ticket(PASSWORD, &format!("{string2}\r\n"));
    for (name, made) in [
        ("type1.msrcIncident", builder.type1(&string1, Some(stub))),
        ("type2.msrcIncident", builder.type2(&ticket, stub, Some(&string1))),
    ] {
        let made = made.to_text().unwrap() + "\n";
        if !example(name).exists() {
            std::fs::create_dir_all(example("")).unwrap();
            std::fs::write(example(name), &made).unwrap();
        }
        let file = std::fs::read(example(name)).unwrap();
        assert_eq!(file, made.as_bytes(), "{name}");
        let invitation = File::decode_strict(&file).unwrap().content;
        assert_eq!(&**invitation.rc_ticket().unwrap().expose(), string1);
        ConnectionString::parse_with(&string1, &DecodeOptions::STRICT).unwrap();
        if invitation.kind() == InvitationKind::Type2 {
            let plain = invitation.decrypt_ticket(PASSWORD).unwrap();
            let string = ConnectionString::parse_with(plain.expose(), &DecodeOptions::STRICT).unwrap().value;
            assert_eq!(string.candidates(), [v6.clone(), v4.clone()]);
            assert_eq!(string.verify_key(key), KeyVerdict::Match);
        }
    }
}

#[test]
fn truncated_files_are_errors() {
    laws::truncations::<File<'_>>(ONE.as_bytes());
    laws::truncations::<File<'_>>(utf16::encode(&two()).leak());
}

prop_compose! {
    fn invitation()(
        user in "\\PC{0,12}",
        ticket in prop::collection::vec(any::<u8>(), 0..40),
        rc_ticket in prop::option::of("[!-~]{0,20}"),
        stub in "[ -~]{0,14}",
        (start, minutes, modem) in any::<(u64, u64, bool)>(),
        kind in 0_u8..3,
        extra in prop::option::of("\\PC{0,8}"),
    ) -> Invitation<'static> {
        let builder = InvitationBuilder::new(&user, start, minutes).modem(modem);
        let mut invitation = match kind {
            0 => builder.type1(rc_ticket.as_deref().unwrap_or_default(), None),
            1 => builder.type1(rc_ticket.as_deref().unwrap_or_default(), Some(&stub)),
            _ => builder.type2(&ticket, &stub, rc_ticket.as_deref()),
        };
        assert_eq!(invitation.validity(start.saturating_sub(1)) == Validity::NotYet, start > 0);
        if kind == 2 {
            assert_eq!(invitation.lh_ticket().unwrap(), ticket);
        }
        if let Some(extra) = &extra {
            invitation.document.root.attributes.set("EXTRA", extra);
        }
        invitation
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn laws_of_files(content in invitation(), encoding in 0_u8..3) {
        let encoding = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be][usize::from(encoding)];
        let file = TextDocument { encoding, bom: encoding != Encoding::Utf8, content, tail: "\r\n".into() };
        laws::xml_value(&file);
        laws::json(&file);
        assert_eq!(file.clone().map_owned(Invitation::into_owned), file);
    }

    #[test]
    fn laws_of_encryption(password in "\\PC{0,16}", text in "\\PC{0,64}", stub in "\\PC{0,20}", damage in any::<prop::sample::Index>()) {
        let mut ticket = encrypt_ticket(&password, &text);
        let plain = decrypt_ticket(&password, &ticket).unwrap();
        assert_eq!(plain.expose_untrimmed(), text);
        let at = damage.index(ticket.len());
        ticket[at] ^= 1;
        assert!(decrypt_ticket(&password, &ticket).map_or(true, |t| t.expose_untrimmed() != text));

        let mut encrypted = encrypt_pass_stub(&password, &stub);
        assert!(verify_pass_stub(&password, &stub, &encrypted));
        assert_eq!(decrypt_pass_stub(&password, &encrypted).unwrap().expose(), &stub);
        let at = damage.index(encrypted.len());
        encrypted[at] ^= 1;
        assert!(!verify_pass_stub(&password, &stub, &encrypted));
    }
}
