//! Connection strings 1 and 2.

use expect_test::expect;
use proptest::prelude::*;
use ra_connstring::{
    Address, ConnectionString, ConnectionString1, ConnectionString2, Endpoint, HashAlgorithm, Host, KeyHash,
    KeyVerdict,
};
use remassist_core::text::{Encoding, TextDocument, TextFormat as _};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Limits, Secret, Text, utf16};
use testkit::{laws, vectors};

type Document<'a> = TextDocument<'a, ConnectionString<'a>>;

fn read(name: &str) -> &'static str {
    std::fs::read_to_string(vectors::dir().join("invitation").join(name)).unwrap().leak()
}

fn candidates(string: &ConnectionString<'_>) -> Vec<String> {
    string.candidates().iter().map(Endpoint::to_string).collect()
}

fn deviations(text: &str) -> String {
    let decoded = ConnectionString::parse_with(text, &DecodeOptions::TOLERANT).unwrap();
    let strict = ConnectionString::parse_with(text, &DecodeOptions::STRICT);
    assert_eq!(strict.is_ok(), decoded.deviations.is_empty());
    decoded.deviations.iter().map(|d| format!("{d}\n")).collect()
}

fn error(text: &str) -> String {
    ConnectionString::parse(text).unwrap_err().to_string()
}

const ONE: &str = "65538,1,192.0.2.10:3389;HOME:3390,*,c2Vzc2lvbg==,*,*,RcfwecK8dpcT1fjZ6iQ5M0+q7iU=";
const TWO: &str = "<E><A KH=\"YiKwWUY8Ioq5NB3wAQHSbs5kwrM=\" ID=\"c2Vzc2lvbg==\"/><C><T ID=\"1\" SID=\"7\">\
                   <L P=\"49749\" N=\"fe80::1%3\"/><L P=\"49751\" N=\"192.0.2.10\"/></T></C></E>";

#[test]
fn printed_sample_of_1() {
    let text = read("connstring1-printed.txt");
    let string = ConnectionString::parse(text).unwrap();
    assert_eq!(candidates(&string), ["172.31.243.138:3389", "MIKE_HOME:3389"]);
    let ConnectionString::V1(one) = &string else { panic!() };
    assert_eq!((one.protocol_version, one.protocol_type), (65_538, 1));
    assert_eq!(&**one.session_id().expose(), "Uj7Rp0lU80SibpRwRZ9+z1vvh7nIgvN89X1AiKp15Vc=");
    assert!(one.ra_session_id.expose().contains('\n'), "the field is kept as it stands");
    assert_eq!(one.key_hash().unwrap().digest.0, "RcfwecK8dpcT1fjZ6iQ5M0+q7iU=");
    // The only thing that is wrong is the line break, and it is where it says.
    expect![[r#"
        Connection String 1.RASessionID at byte 45: blanks inside the value ([MS-RAI] 2.2.1)
    "#]]
    .assert_eq(&deviations(text));
    assert_eq!(string.to_text().unwrap(), text.trim_end());
}

#[test]
fn printed_sample_of_2() {
    let text = read("connstring2-printed.xml");
    let string = ConnectionString::parse(text).unwrap();
    assert_eq!(candidates(&string), ["[2001:4898:1a:5:79e2:3356:9b22:3470]:49749", "172.31.250.64:49751"]);
    let ConnectionString::V2(two) = &string else { panic!() };
    let id = two.id().unwrap();
    assert_eq!(&**id.expose(), "8rYm30RBW8/4dAWoUsWbFCF5jno/7jr5tNpHQc2goLbw4uuBBJvLsU02YYLlBMg5");
    assert_eq!(two.key_hash().unwrap().to_string(), "YiKwWUY8Ioq5NB3wAQHSbs5kwrM=");
    let hash = two.key_hash2().unwrap();
    assert_eq!(hash.algorithm, HashAlgorithm::Sha256);
    assert_eq!(hash.digest.0, "wKSAkAV3sBfa9WpuRFJcP9q1twJc6wOBuoJ9tsyXwpk=");
    let transport = two.transports().next().unwrap();
    assert_eq!((transport.id(), transport.session_id()), (Some("1"), Some("1440550163")));
    expect![[r#"
        A.ID at byte 109: empty, or blanks inside the value ([MS-RAI] 2.2.2)
    "#]]
    .assert_eq(&deviations(text));
}

#[test]
fn clean_strings_have_no_deviations() {
    for text in [ONE, TWO] {
        assert_eq!(deviations(text), "");
        assert_eq!(ConnectionString::parse(text).unwrap().to_text().unwrap(), text);
    }
}

#[test]
fn every_must_of_1() {
    let cases: [(&str, &str); 12] = [
        ("65538,", "65537,"),
        (",1,", ",2,"),
        ("192.0.2.10:3389;HOME:3390", ""),
        (";HOME:3390", ";"),
        (";HOME:3390", ";HOME"),
        (";HOME:3390", ";HOME:65536"),
        (";HOME:3390", ";[2001:db8::1]:3390"),
        ("*,c2Vz", "secret,c2Vz"),
        ("c2Vzc2lvbg==", ""),
        ("==,*,*", "==,name,*"),
        ("==,*,*", "==,*,secret"),
        ("q7iU=", "q7iU= ="),
    ];
    let found: String = cases.iter().map(|(from, to)| deviations(&ONE.replacen(from, to, 1))).collect();
    expect![[r#"
        Connection String 1.ProtocolVersion at byte 0: value 0x10001 is not allowed here ([MS-RAI] 2.2.1)
        Connection String 1.protocolType at byte 6: value 0x2 is not allowed here ([MS-RAI] 2.2.1)
        Connection String 1.machineAddressList at byte 8: no address ([MS-RAI] 2.2.1)
        Connection String 1.machineAddressList at byte 24: not an IPv4 address or computer name with a port ([MS-RAI] 2.2.1)
        Connection String 1.machineAddressList at byte 24: not an IPv4 address or computer name with a port ([MS-RAI] 2.2.1)
        Connection String 1.machineAddressList at byte 24: not an IPv4 address or computer name with a port ([MS-RAI] 2.2.1)
        Connection String 1.machineAddressList at byte 24: not an IPv4 address or computer name with a port ([MS-RAI] 2.2.1)
        Connection String 1.assistantAccountPwd at byte 34: the value is not * ([MS-RAI] 2.2.1)
        Connection String 1.RASessionID at byte 36: the value is empty ([MS-RAI] 2.2.1)
        Connection String 1.RASessionName at byte 49: the value is not * ([MS-RAI] 2.2.1)
        Connection String 1.RASessionPwd at byte 51: the value is not * ([MS-RAI] 2.2.1)
        Connection String 1.protocolSpecificParms at byte 53: blanks inside the value ([MS-RAI] 2.2.1)
    "#]]
    .assert_eq(&found);
}

#[test]
fn every_must_of_2() {
    let cases: [(&str, &str); 21] = [
        ("<E>", "<?xml version=\"1.0\"?><E>"),
        ("<A", "<X/><Y/><A"),
        ("<E>", "<E><A/>"),
        ("A KH", "B KH"),
        ("wrM=", "wrM"),
        ("YiKw", ""),
        ("KH=", "OTHER="),
        ("KH=\"", "KH2=\"sha256:"),
        ("ID=\"c2V", "KH2=\"md5:AAAA\" ID=\"c2V"),
        ("c2Vzc2lvbg==", ""),
        ("ID=\"c2", "OTHER=\"c2"),
        ("<C>", "<C/><C>"),
        ("ID=\"1\"", ""),
        ("SID=\"7\"", ""),
        ("<C>", "<C><T ID=\"0\" SID=\"0\"/>"),
        ("P=\"49749\"", "P=\"0\""),
        ("P=\"49749\"", "P=\"49749\" U=\"wss://x\""),
        ("P=\"49749\"", "U=\"wss://x\""),
        ("P=\"49749\"", ""),
        ("fe80::1%3", ""),
        ("fe80::1%3", "fe80::1::2"),
    ];
    let found: String = cases
        .iter()
        .map(|(from, to)| format!("{from} -> {to}\n{}", deviations(&TWO.replacen(from, to, 1))))
        .collect();
    expect![[r#"
        <E> -> <?xml version="1.0"?><E>
        Connection String 2 at byte 0: an XML declaration ([MS-RAI] 2.2.2)
        <A -> <X/><Y/><A
        <E> -> <E><A/>
        A at byte 3: the element does not stand exactly once ([MS-RAI] 2.2.2)
        A.KH at byte 3: the attribute is missing ([MS-RAI] 2.2.2)
        A.ID at byte 3: the attribute is missing ([MS-RAI] 2.2.2)
        A KH -> B KH
        A at byte 0: the element does not stand exactly once ([MS-RAI] 2.2.2)
        A.KH at byte 0: the attribute is missing ([MS-RAI] 2.2.2)
        A.ID at byte 0: the attribute is missing ([MS-RAI] 2.2.2)
        wrM= -> wrM
        A.KH at byte 10: not base64 of 20 bytes ([MS-RAI] 2.2.2)
        YiKw -> 
        A.KH at byte 10: not base64 of 20 bytes ([MS-RAI] 2.2.2)
        KH= -> OTHER=
        A.KH at byte 3: the attribute is missing ([MS-RAI] 2.2.2)
        KH=" -> KH2="sha256:
        A.KH at byte 3: the attribute is missing ([MS-RAI] 2.2.2)
        A.KH2 at byte 11: not a known algorithm, a colon and base64 of its hash ([MS-RAI] 2.2.2)
        ID="c2V -> KH2="md5:AAAA" ID="c2V
        A.KH2 at byte 45: not a known algorithm, a colon and base64 of its hash ([MS-RAI] 2.2.2)
        c2Vzc2lvbg== -> 
        A.ID at byte 44: empty, or blanks inside the value ([MS-RAI] 2.2.2)
        ID="c2 -> OTHER="c2
        A.ID at byte 3: the attribute is missing ([MS-RAI] 2.2.2)
        <C> -> <C/><C>
        C at byte 59: the element does not stand exactly once ([MS-RAI] 2.2.2)
        ID="1" -> 
        T.ID at byte 62: the attribute is missing ([MS-RAI] 2.2.2)
        SID="7" -> 
        T.SID at byte 62: the attribute is missing ([MS-RAI] 2.2.2)
        <C> -> <C><T ID="0" SID="0"/>
        T at byte 62: a transport without listener ([MS-RAI] 2.2.2)
        P="49749" -> P="0"
        L.P at byte 86: not a port ([MS-RAI] 2.2.2)
        P="49749" -> P="49749" U="wss://x"
        L.P at byte 86: not exactly one of P and U ([MS-RAI] 2.2.2)
        P="49749" -> U="wss://x"
        P="49749" -> 
        L.P at byte 80: not exactly one of P and U ([MS-RAI] 2.2.2)
        fe80::1%3 -> 
        L.N at byte 96: no name or address ([MS-RAI] 2.2.2)
        fe80::1%3 -> fe80::1::2
        L.N at byte 96: no name or address ([MS-RAI] 2.2.2)
    "#]]
    .assert_eq(&found);
}

#[test]
fn errors() {
    let found: String = [
        "",
        "65538",
        "65538,1,a:1,*,id,*,*",
        "65538,1,a:1,*,id,*,*,kh,more",
        "065538,1,a:1,*,id,*,*,kh",
        "4294967296,1,a:1,*,id,*,*,kh",
        " 65538,1,a:1,*,id,*,*,kh",
        "65538,1,a:1,*,i\0d,*,*,kh",
        "<F/>",
        "<E><A ID=\"1\" ID=\"2\"/></E>",
        "<!DOCTYPE E><E/>",
        "<E>text</E>",
        "<E><A></E>",
        "<E/><E/>",
    ]
    .map(|text| format!("{}\n", error(text)))
    .concat();
    expect![[r#"
        Connection String 1 at byte 0: there are not exactly eight fields ([MS-RAI] 2.2.1)
        Connection String 1 at byte 5: there are not exactly eight fields ([MS-RAI] 2.2.1)
        Connection String 1 at byte 20: there are not exactly eight fields ([MS-RAI] 2.2.1)
        Connection String 1 at byte 23: there are not exactly eight fields ([MS-RAI] 2.2.1)
        Connection String 1.ProtocolVersion at byte 0: not a decimal number that fits, without leading zeros ([MS-RAI] 2.2.1)
        Connection String 1.ProtocolVersion at byte 0: not a decimal number that fits, without leading zeros ([MS-RAI] 2.2.1)
        Connection String 1.ProtocolVersion at byte 0: not a decimal number that fits, without leading zeros ([MS-RAI] 2.2.1)
        Connection String 1 at byte 15: a NUL inside the text ([MS-RAI] 2.2.1)
        Connection String 2 at byte 0: the outermost element is not E ([MS-RAI] 2.2.2)
        A.ID at byte 13: an attribute stands twice ([MS-RAI] 2.2.2)
        Connection String 2 at byte 0: a DOCTYPE is refused ([MS-RAI] 2.2.2)
        Connection String 2 at byte 3: text where only XML elements may stand ([MS-RAI] 2.2.2)
        Connection String 2.E at byte 6: an end tag without its start tag ([MS-RAI] 2.2.2)
        Remote Assistance Connection String at byte 4: 4 bytes left after the value ([MS-RAI] 2.2)
    "#]].assert_eq(&found);
}

#[test]
fn limits_are_obeyed() {
    let options = |limits| DecodeOptions::TOLERANT.with_limits(limits);
    let many = ONE.replace("HOME:3390", "a:1;b:2;c:3");
    for (text, limits) in [
        (&*many, Limits::DEFAULT.with_items(3)),
        (ONE, Limits::DEFAULT.with_string(10)),
        (ONE, Limits::DEFAULT.with_message(ONE.len() - 1)),
        (TWO, Limits::DEFAULT.with_depth(3)),
        (TWO, Limits::DEFAULT.with_items(5)),
        (TWO, Limits::DEFAULT.with_string(10)),
    ] {
        let e = ConnectionString::parse_with(text, &options(limits)).unwrap_err();
        assert!(e.to_string().contains("configured limit"), "{e}");
    }
}

#[test]
fn candidates_are_in_order() {
    let text = "<E><A/><C><T><L P='1' N='b.example'/><L U='wss://x' N='192.0.2.1'/><L P='2' N='[2001:db8::1]'/>\
                <L P='x' N='192.0.2.2'/></T><T><L P=' 3 ' N=' 192.0.2.3 '/><L P='1' N='b.example'/></T></C></E>";
    let string = ConnectionString2::parse(text).unwrap();
    let found: Vec<_> = string.candidates().map(|e| e.to_string()).collect();
    assert_eq!(found, ["b.example:1", "[2001:db8::1]:2", "192.0.2.3:3", "b.example:1"]);
    let websocket = string.transports().next().unwrap().listeners().nth(1).unwrap();
    assert_eq!(
        (websocket.uri(), websocket.name(), websocket.port()),
        (Some("wss://x"), Some("192.0.2.1"), None)
    );

    // The first entry of the list that FreeRDP 2 needs is no address; an address broken over lines is one.
    let one = ConnectionString::parse("65538,1,;192.0.2.1:33\r\n89;fe80::1%eth0:1,*,i,*,*,k").unwrap();
    assert_eq!(candidates(&one), ["192.0.2.1:3389", "[fe80::1%eth0]:1"]);
}

#[test]
fn hosts() {
    let v6 = |a: &str, scope: Option<&'static str>| {
        Some(Host::Ipv6 { address: a.parse().unwrap(), scope: scope.map(Into::into) })
    };
    assert_eq!(Host::parse("192.0.2.1"), Some(Host::Ipv4("192.0.2.1".parse().unwrap())));
    assert_eq!(Host::parse("[::1]"), v6("::1", None));
    assert_eq!(Host::parse("::1"), v6("::1", None));
    assert_eq!(Host::parse("fe80::1%3"), v6("fe80::1", Some("3")));
    assert_eq!(Host::parse("::ffff:192.0.2.1"), v6("::ffff:192.0.2.1", None));
    assert_eq!(Host::parse("MIKE_HOME"), Some(Host::Name("MIKE_HOME".into())));
    assert_eq!(Host::parse("256.1.1.1"), Some(Host::Name("256.1.1.1".into())));
    for none in ["", " ", "a b", "[::1", "::1]", "fe80::1%", "a:b", "[name]", "a\0"] {
        assert_eq!(Host::parse(none), None, "{none:?}");
    }
    for none in ["host", "host:", ":1", "host:0", "host:65536", "host:+1", "::1"] {
        assert_eq!(Endpoint::parse(none).map(|e| e.to_string()).filter(|_| none != "::1"), None, "{none:?}");
    }
}

#[test]
fn key_hashes() {
    // FIPS 180: the message "abc".
    let known = [
        (HashAlgorithm::Sha1, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        (HashAlgorithm::Sha256, "sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
        (HashAlgorithm::Sha384, "sha384:ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn"),
        (
            HashAlgorithm::Sha512,
            "sha512:3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==",
        ),
    ];
    for (algorithm, text) in known {
        let hash = KeyHash::compute(algorithm.clone(), b"abc").unwrap();
        assert_eq!(hash.to_string(), text);
        assert_eq!((hash.verify(b"abc"), hash.verify(b"abd")), (KeyVerdict::Match, KeyVerdict::Mismatch));
        let read =
            if algorithm == HashAlgorithm::Sha1 { KeyHash::parse_kh(text) } else { KeyHash::parse_kh2(text) };
        assert_eq!(read, hash);
    }
    assert_eq!(KeyHash::compute_sha1(b"abc").to_string(), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
    assert_eq!(
        KeyHash::parse_kh2("SHA256: ungWv48Bz+pBQUDeXa4i\nI7ADYaOWF3qctBD/YfIAFa0=").verify(b"abc"),
        KeyVerdict::Match
    );
    assert_eq!(
        KeyHash::parse_kh2("md5:kAFQmDzST7DWlj99KOF/cg==").verify(b"abc"),
        KeyVerdict::UnknownAlgorithm
    );
    assert_eq!(KeyHash::parse_kh2("ungWv48B").verify(b"abc"), KeyVerdict::UnknownAlgorithm);
    for damaged in ["", "x", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0", "qZk+NkcGgWq6PiVxeFDCbJzQ2A=="] {
        assert_eq!(KeyHash::parse_kh(damaged).verify(b"abc"), KeyVerdict::Mismatch, "{damaged}");
    }
}

#[test]
fn kh2_replaces_kh() {
    let kh = KeyHash::compute_sha1(b"key");
    let kh2 = KeyHash::compute(HashAlgorithm::Sha384, b"other").unwrap();
    let verdict = |string: &ConnectionString2<'_>, key: &[u8]| string.verify_key(key);
    let none = ConnectionString2::new("id");
    assert_eq!(verdict(&none, b"key"), KeyVerdict::Absent);
    let old = none.with_key_hash(&kh);
    assert_eq!((verdict(&old, b"key"), verdict(&old, b"x")), (KeyVerdict::Match, KeyVerdict::Mismatch));
    let both = old.with_key_hash(&kh2);
    assert_eq!((verdict(&both, b"key"), verdict(&both, b"other")), (KeyVerdict::Mismatch, KeyVerdict::Match));
    // An unknown algorithm does not fall back to KH.
    let strange =
        ConnectionString2::parse("<E><A KH='qZk+NkcGgWq6PiVxeFDCbJzQ2J0=' KH2='sha3:AAAA' ID='1'/><C/></E>")
            .unwrap();
    assert_eq!(verdict(&strange, b"abc"), KeyVerdict::UnknownAlgorithm);
}

#[test]
fn made_strings_are_clean() {
    let endpoints = ["192.0.2.10:3389", "novice.example:49751"].map(|e| Endpoint::parse(e).unwrap());
    let kh = KeyHash::compute_sha1(b"key");
    let one = ConnectionString1::new(endpoints.clone(), "session", &kh);
    let text = one.to_text().unwrap();
    assert_eq!(text, format!("65538,1,192.0.2.10:3389;novice.example:49751,*,session,*,*,{kh}"));
    assert_eq!(deviations(&text), "");
    assert_eq!(one.verify_key(b"key"), KeyVerdict::Match);

    let two = ConnectionString2::new("id")
        .with_key_hash(&KeyHash::compute(HashAlgorithm::Sha256, b"key").unwrap())
        .with_key_hash(&kh)
        .with_listener(&endpoints[0])
        .with_transport("2", "5")
        .with_websocket("wss://novice.example/", &Host::parse("novice.example").unwrap())
        .with_listener(&Endpoint::parse("[fe80::1%3]:1").unwrap());
    let text = two.to_text().unwrap();
    expect![[r#"<E><A KH="pi8iJb9wv6zLx/HvKjl4NnFzd94=" KH2="sha256:LHDhK3oGRvkiefQnx7OOczTY5Tic/xZ6HcMOc/gmtoM=" ID="id"/><C><T ID="1" SID="0"><L P="3389" N="192.0.2.10"/></T><T ID="2" SID="5"><L U="wss://novice.example/" N="novice.example"/><L P="1" N="fe80::1%3"/></T></C></E>"#]].assert_eq(&text);
    assert_eq!(deviations(&text), "");
}

#[test]
fn unknown_attributes_are_kept() {
    let text = "<E V=\"2\"><A KH=\"\" ID=\"1\" CE=\"TUlJ&#xA;QQ==\" NEW=\"x\"/><NEW Y=\"&lt;\"/><C/></E>";
    let string = ConnectionString2::parse(text).unwrap();
    assert_eq!(string.certificate().unwrap().0, "TUlJQQ==");
    assert_eq!(string.to_text().unwrap(), text);
}

#[test]
fn every_encoding_and_tail() {
    for text in [ONE, TWO] {
        let content = ConnectionString::parse(text).unwrap().into_owned();
        for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
            for bom in [false, true] {
                for tail in ["", "\r\n", "\0", "\r\n\0", " \n"] {
                    let document =
                        TextDocument { encoding, bom, content: content.clone(), tail: tail.into() };
                    let bytes: &'static [u8] = document.to_vec().unwrap().leak();
                    assert_eq!(Document::decode_strict(bytes).unwrap(), document);
                    assert!(laws::bytes::<Document<'_>>(bytes));
                    laws::json(&document);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let good = ConnectionString1::parse(ONE).unwrap();
    let text = |t: &'static str| Secret::new(Text::from(t));
    let bad = [
        ConnectionString1 { session_name: "a,b".into(), ..good.clone() },
        ConnectionString1 { ra_session_id: text("a\0"), ..good.clone() },
        ConnectionString1 { session_password: text(","), ..good.clone() },
        ConnectionString1 { addresses: vec![Address("a;b".into())], ..good.clone() },
        ConnectionString1 { addresses: vec![Address("".into())], ..good.clone() },
        ConnectionString1 { protocol_specific_parameters: "kh\n".into(), ..good.clone() },
    ];
    for bad in bad {
        assert!(bad.to_text().is_err(), "{bad:?}");
    }
    let mut other = ConnectionString2::parse(TWO).unwrap();
    other.document.root.name = "F".into();
    assert!(other.to_text().is_err());
}

#[test]
fn secrets_are_not_shown() {
    let id = "c2Vzc2lvbg==";
    for text in [ONE.replace(",*,Rcf", ",PASSWORD,Rcf").replace(",*,c2", ",PASSWORD,c2"), TWO.into()] {
        let string = ConnectionString::parse(&text).unwrap();
        let shown = format!("{string:?} {:#?}", string.clone().into_owned());
        assert!(!shown.contains(id) && !shown.contains("PASSWORD"), "{shown}");
        let json = serde_json::to_string(&string).unwrap();
        assert!(json.contains(&format!("{{\"secret\":\"{id}\"}}")), "{json}");
        // The trace marks the bytes.
        let decoded = ConnectionString::parse_with(&text, &DecodeOptions::TOLERANT.with_trace(true)).unwrap();
        let secret: Vec<_> =
            decoded.trace.iter().filter(|e| e.secret).map(|e| &text[e.offset..][..e.len]).collect();
        assert!(secret.contains(&id), "{secret:?}");
        // And an error says nothing of it.
        for end in 0..text.len() {
            if let Err(e) = ConnectionString::parse(&text[..end]) {
                assert!(!format!("{e} {e:?}").contains("c2Vz"));
            }
        }
    }
}

fn field() -> impl Strategy<Value = String> {
    "[^,\0]{0,12}|[A-Za-z0-9+/]{20}=|\\*"
}

prop_compose! {
    fn one()(
        version in prop_oneof![Just(65_538), any::<u32>()],
        kind in prop_oneof![Just(1), any::<u32>()],
        addresses in prop::collection::vec("[^,;\0]{0,8}|192\\.0\\.2\\.[0-9]:[1-9][0-9]{3}", 0..4),
        fields in prop::array::uniform4(field()),
        last in "[^, \t\r\n\0]{0,12}",
    ) -> ConnectionString1<'static> {
        let [account, id, name, password] = fields;
        let secret = |text: String| Secret::new(Text::from(text));
        let empty = matches!(addresses.as_slice(), [only] if only.is_empty());
        let addresses = if empty { Vec::new() } else { addresses };
        ConnectionString1 {
            protocol_version: version,
            protocol_type: kind,
            addresses: addresses.into_iter().map(|a| Address(a.into())).collect(),
            assistant_account_password: secret(account),
            ra_session_id: secret(id),
            session_name: name.into(),
            session_password: secret(password),
            protocol_specific_parameters: last.into(),
        }
    }
}

prop_compose! {
    fn two()(
        id in "\\PC{0,20}",
        key in any::<[u8; 4]>(),
        listeners in prop::collection::vec(("[a-z0-9.]{1,12}|fe80::[0-9]%[a-z0-9]{1,4}", 1..=u16::MAX, any::<bool>()), 0..5),
        extra in "\\PC{0,10}",
    ) -> ConnectionString2<'static> {
        let mut string = ConnectionString2::new(&id)
            .with_key_hash(&KeyHash::compute_sha1(&key))
            .with_key_hash(&KeyHash::compute(HashAlgorithm::Sha512, &key).unwrap());
        for (host, port, transport) in &listeners {
            if *transport {
                string = string.with_transport("1", &extra);
            }
            string = string.with_listener(&Endpoint { host: Host::parse(host).unwrap(), port: *port });
        }
        string.document.root.attributes.set("EXTRA", &extra);
        assert_eq!(string.candidates().count(), listeners.len());
        string
    }
}

fn document(string: ConnectionString<'static>, encoding: u8) -> Document<'static> {
    match encoding % 3 {
        0 => TextDocument::utf8(string),
        1 => TextDocument::unicode_z(string),
        _ => TextDocument { encoding: Encoding::Utf16Be, bom: true, content: string, tail: "\r\n".into() },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn laws_of_1(string in one(), encoding in any::<u8>()) {
        let document = document(ConnectionString::V1(string), encoding);
        laws::xml_value(&document);
        assert!(laws::bytes::<Document<'_>>(document.to_vec().unwrap().leak()));
        laws::json(&document);
        assert_eq!(document.clone().map_owned(ConnectionString::into_owned), document);
    }

    #[test]
    fn laws_of_2(string in two(), encoding in any::<u8>()) {
        let document = document(ConnectionString::V2(string), encoding);
        laws::xml_value(&document);
        laws::json(&document);
        assert_eq!(document.clone().map_owned(ConnectionString::into_owned), document);
    }
}

#[test]
fn truncated_strings_are_errors() {
    laws::truncations::<TextDocument<'_, ConnectionString2<'_>>>(TWO.as_bytes());
    laws::truncations::<TextDocument<'_, ConnectionString2<'_>>>(utf16::encode(TWO).leak());
    for len in 0..ONE.rfind(',').unwrap() {
        assert!(ConnectionString1::parse(&ONE[..len]).is_err());
    }
}

#[test]
fn a_string_of_recorded_credentials() {
    let vectors = vectors::json("invitation/invitations.json");
    let text = |name: &str| vectors::text(&vectors[name]).to_owned();
    let (one, two) = (text("connection_string_1"), text("connection_string_2"));
    let (one, two) = (ConnectionString1::parse(&one).unwrap(), ConnectionString2::parse(&two).unwrap());
    assert_eq!(one.session_id(), two.id().unwrap());
    assert_eq!(one.key_hash(), two.key_hash());
    assert_eq!(one.candidates().collect::<Vec<_>>(), two.candidates().collect::<Vec<_>>());
    assert_eq!(
        (deviations(&one.to_text().unwrap()), deviations(&two.to_text().unwrap())),
        Default::default()
    );
}

/// Finding the place of each of very many deviations would cost the square of their number.
#[test]
fn very_many_deviations_are_cheap() {
    let listeners = "<L P=\"x\"/>".repeat(60_000);
    let text = format!("<E><A KH=\"\" ID=\"i\"/><C><T ID=\"1\" SID=\"1\">{listeners}</T></C></E>");
    let decoded = ConnectionString::parse_with(&text, &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(decoded.deviations.len(), 1024);
    let second = &decoded.deviations[1];
    assert_eq!(&text[second.offset..second.offset + 2], "<L", "{second}");
}
