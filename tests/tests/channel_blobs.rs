//! expertBlob ([MS-RA] 2.2.1.4, 2.2.1.11) and the user help blob ([MS-RAI] 3.1.4.1.1).

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ra_channel::{ExpertBlob, HelpBlob, Property};
use remassist_core::{Decode, DecodeOptions, Encode, Secret, Utf16Le};
use testkit::{laws, vectors};

fn utf16(text: &str) -> Vec<u8> {
    remassist_core::utf16::encode(text)
}

fn refuses(text: &str, expected: Expect) {
    let bytes = utf16(text);
    assert!(!laws::bytes::<ExpertBlob>(&bytes));
    assert!(!laws::bytes::<HelpBlob>(&bytes));
    expected.assert_eq(&ExpertBlob::decode(&bytes).unwrap_err().to_string());
}

fn deviations<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Vec<String> {
    let decoded = T::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
    decoded.deviations.iter().map(ToString::to_string).collect()
}

#[test]
fn blob_of_the_vectors() {
    let vector = vectors::json("channel/expert-blob.json");
    let text = vectors::text(&vector["expert_blob"]);
    let pass = vectors::text(&vector["encrypted_pass_stub"]).to_uppercase();
    let blob = ExpertBlob::new(vectors::text(&vector["username"]), Some(&pass));
    assert_eq!(blob.to_vec().unwrap(), utf16(&format!("{text}\0")));
    for (terminated, bytes) in [(true, utf16(&format!("{text}\0"))), (false, utf16(text))] {
        let blob = ExpertBlob { terminated, ..blob.clone() };
        assert!(laws::bytes::<ExpertBlob>(&bytes));
        assert_eq!(ExpertBlob::decode_strict(&bytes).unwrap(), blob);
        assert_eq!(blob.name().unwrap(), "novice");
        assert_eq!(*blob.pass().unwrap().expose(), *pass);
        laws::value(&blob);
        laws::json(&blob);
    }
}

/// [MS-RA] 2.2.1.11 prints both.
#[test]
fn printed_blobs() {
    let john = ExpertBlob::decode_strict(&utf16("9;NAME=John")).unwrap().into_owned();
    assert_eq!(john.name().unwrap(), "John");
    assert_eq!(john.pass(), None);
    let both = "9;NAME=John69;PASS=D4B4277E9E9D06CFC19BB23FD869B5E0C99B0908280407A6E2EEC43F98035F7D";
    let bytes = utf16(both);
    let both = ExpertBlob::decode_strict(&bytes).unwrap();
    assert_eq!(both.pass().unwrap().expose().units().count(), 64);
    expect![[r#"
        ExpertBlob {
            properties: [
                Property {
                    name: "NAME",
                    value: "John",
                },
                Property {
                    name: "PASS",
                    value: Secret(..),
                },
            ],
            terminated: false,
        }
    "#]]
    .assert_debug_eq(&both);
    expect![[r#"{"properties":[{"name":"NAME","value":"John"},{"name":"PASS","value":{"secret":"D4B4277E9E9D06CFC19BB23FD869B5E0C99B0908280407A6E2EEC43F98035F7D"}}],"terminated":false}"#]]
        .assert_eq(&serde_json::to_string(&both).unwrap());
}

/// [MS-RAI] 3.1.4.1.1; section 4 there prints a C literal, whose two backslashes are one character.
#[test]
fn help_blob() {
    for (expert, text) in [
        (r"EXDOMAIN\EXUSER", r"13;UNSOLICITED=118;ID=EXDOMAIN\EXUSER"),
        (r"TESTDOMAIN\Admin", r"13;UNSOLICITED=119;ID=TESTDOMAIN\Admin"),
    ] {
        let bytes = utf16(text);
        let blob = HelpBlob::decode_strict(&bytes).unwrap();
        assert_eq!(blob, HelpBlob::new(expert));
        assert!(blob.unsolicited());
        assert_eq!(blob.id().unwrap(), expert);
        assert!(format!("{blob:?}").contains(&expert.replace('\\', "\\\\")));
        assert_eq!(blob.to_vec().unwrap(), bytes);
        laws::value(&HelpBlob::new(expert));
        laws::json(&HelpBlob::new(expert));
        assert!(laws::bytes::<HelpBlob>(&utf16(&format!("{text}\0"))));
    }
    assert!(!laws::bytes::<HelpBlob>(&utf16(r"13;UNSOLICITED=119;ID=TESTDOMAIN\\Admin")));
    assert!(!HelpBlob::decode(&utf16("13;UNSOLICITED=0")).unwrap().unsolicited());
    expect![[r#"
        [
            "bstrUserHelpBlob.PropertyName at byte 4: unknown property ([MS-RAI] 3.1.4.1.1)",
        ]
    "#]]
    .assert_debug_eq(&deviations::<HelpBlob>(&utf16("6;NAME=a")));
}

#[test]
fn lengths_count_code_units() {
    // A character outside the BMP counts as two, and one of them may be alone.
    let blob = ExpertBlob::new("ä😀", None);
    assert_eq!(blob.to_vec().unwrap(), utf16("8;NAME=ä😀\0"));
    let mut lone = utf16("6;NAME=");
    lone.extend([0x3D, 0xD8]);
    assert!(laws::bytes::<ExpertBlob>(&lone));
    let blob = ExpertBlob::decode_strict(&lone).unwrap();
    laws::json(&blob.clone().into_owned());
    assert_eq!(serde_json::to_value(&blob).unwrap()["properties"][0]["value"], serde_json::json!([0xD83D]));
    let long = ExpertBlob::new(&"x".repeat(99_995), None);
    assert_eq!(long.to_vec().unwrap()[..14], utf16("100000;")[..]);
    assert_eq!(ExpertBlob::decode(&long.to_vec().unwrap()).unwrap(), long);
    for (len, digits) in [(4, 1), (5, 2), (94, 2), (95, 3)] {
        let blob = ExpertBlob { terminated: false, ..ExpertBlob::new(&"x".repeat(len), None) };
        assert_eq!(blob.encoded_len(), 2 * (digits + 1 + 5 + len));
    }
}

#[test]
fn values_with_separators_in_them() {
    for value in ["", "=", ";", "9;NAME=John", "a=b=c", " \r\n"] {
        let blob = ExpertBlob::new(value, Some(value));
        let bytes = blob.to_vec().unwrap();
        assert_eq!(ExpertBlob::decode_strict(&bytes).unwrap(), blob);
    }
}

#[test]
fn errors_name_the_byte() {
    refuses(
        "8;NAME=John",
        expect![
            "expertBlob.length at byte 20: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "10;NAME=John",
        expect![
            "expertBlob.length at byte 0: length or offset 10 does not fit its container of 9 ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "9;NAME=John70;PASS=D4",
        expect![
            "expertBlob.length at byte 22: length or offset 70 does not fit its container of 7 ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "NAME=John",
        expect![
            "expertBlob.length at byte 0: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "9 ;NAME=John",
        expect![
            "expertBlob.length at byte 0: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "09;NAME=John",
        expect![
            "expertBlob.length at byte 0: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "4;NAME=John",
        expect![
            "expertBlob.PropertyName at byte 4: there is no equals sign within the length of the property ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "0;",
        expect![
            "expertBlob.length at byte 0: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "9;NAME=John;",
        expect![
            "expertBlob.length at byte 22: a property begins with its length and a semicolon ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "9;NAME=John\0\0",
        expect!["expertBlob.terminator at byte 24: 2 bytes left after the value ([MS-RA] 2.2.1.11)"],
    );
    refuses(
        "9;NAME=Jo\0n",
        expect![
            "expertBlob.length at byte 0: length or offset 9 does not fit its container of 7 ([MS-RA] 2.2.1.11)"
        ],
    );
    refuses(
        "99999999999999999999999;N=",
        expect![
            "expertBlob.length at byte 0: length or offset 18446744073709551615 does not fit its container of 2 ([MS-RA] 2.2.1.11)"
        ],
    );
    let odd = [utf16("9;NAME=John"), vec![0]].concat();
    assert!(ExpertBlob::decode(&odd).is_err());
}

#[test]
fn rules_on_names() {
    let bytes = utf16("6;NAME=a6;MAIL=b6;NAME=c2;=d");
    assert!(laws::bytes::<ExpertBlob>(&bytes));
    expect![[r#"
        [
            "expertBlob.PropertyName at byte 20: unknown property ([MS-RA] 2.2.1.11)",
            "expertBlob.PropertyName at byte 36: the property occurs twice ([MS-RA] 2.2.1.11)",
            "expertBlob.PropertyName at byte 52: unknown property ([MS-RA] 2.2.1.11)",
        ]
    "#]]
    .assert_debug_eq(&deviations::<ExpertBlob>(&bytes));
    let blob = ExpertBlob::decode(&bytes).unwrap();
    assert_eq!(blob.name().unwrap(), "a", "the first one counts");
    assert!(!format!("{blob:?}").contains("\"b\""), "what is not known to be public is secret: {blob:?}");
}

#[test]
fn blobs_that_could_not_be_read_again_are_not_written() {
    let name = |bytes: &'static [u8], value: &'static [u8]| ExpertBlob {
        properties: vec![Property { name: bytes.into(), value: Secret::new(value.into()) }],
        terminated: true,
    };
    for blob in
        [name(b"=\0", b""), name(b"a", b""), name(b"a\0", b"b"), name(b"\0\0", b""), name(b"a\0", b"\0\0")]
    {
        assert!(blob.to_vec().is_err(), "{blob:?}");
    }
    assert!(name(b"a\0", b"=\0").to_vec().is_ok());
}

fn text() -> impl Strategy<Value = Utf16Le<'static>> {
    let units = prop::collection::vec(
        prop_oneof![Just(b';'), Just(b'='), b'0'..=b'z', Just(0xFFu8)].prop_map(u16::from),
        0..10,
    );
    prop_oneof![units, prop::collection::vec(1_u16.., 0..4)]
        .prop_map(|units| Utf16Le(units.iter().flat_map(|u| u.to_le_bytes()).collect::<Vec<_>>().into()))
}

fn property() -> impl Strategy<Value = Property<'static>> {
    let known =
        prop_oneof![Just("NAME"), Just("PASS"), Just("ID"), Just("UNSOLICITED")].prop_map(Utf16Le::new);
    (prop_oneof![3 => known, 1 => text()], text())
        .prop_map(|(name, value)| Property { name, value: Secret::new(value) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn laws_of_blobs(properties in prop::collection::vec(property(), 0..4), terminated in any::<bool>()) {
        let expert = ExpertBlob { properties: properties.clone(), terminated };
        prop_assume!(expert.check().is_ok());
        laws::value(&expert);
        laws::json(&expert);
        prop_assert_eq!(&expert.clone().into_owned(), &expert);
        let help = HelpBlob { properties, terminated };
        laws::value(&help);
        laws::json(&help);
        prop_assert_eq!(&help.clone().into_owned(), &help);
    }

    #[test]
    fn laws_of_text(text in "([0-9]{1,2};[NAMEPS]{1,4}=[a-z;=0-9]{0,8}\0?){0,3}") {
        laws::bytes::<ExpertBlob>(&utf16(&text));
        laws::bytes::<HelpBlob>(&utf16(&text));
    }
}
