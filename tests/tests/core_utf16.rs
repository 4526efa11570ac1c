//! UTF-16LE text, against the standard library.

use proptest::prelude::*;
use remassist_core::utf16::{self, Utf16Error};
use remassist_core::{Secret, Utf16Le};

fn reference(bytes: &[u8]) -> Result<String, Utf16Error> {
    let mut text = String::new();
    let mut offset = 0;
    for c in char::decode_utf16(bytes.chunks_exact(2).map(|u| u16::from_le_bytes([u[0], u[1]]))) {
        let Ok(c) = c else { return Err(Utf16Error { offset }) };
        text.push(c);
        offset += 2 * c.len_utf16();
    }
    if offset == bytes.len() { Ok(text) } else { Err(Utf16Error { offset }) }
}

/// Code units that are often ASCII and often surrogates: the borders between the ways of decoding.
fn units() -> impl Strategy<Value = Vec<u8>> {
    let unit =
        prop_oneof![6 => 0_u16..0x80, 1 => 0x80_u16..0x900, 1 => 0xD7FE_u16..=0xE001, 1 => any::<u16>()];
    (proptest::collection::vec(unit, 0..80), any::<bool>()).prop_map(|(units, odd)| {
        let mut bytes: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
        bytes.extend(odd.then_some(b'A'));
        bytes
    })
}

proptest! {
    #[test]
    fn decodes_as_the_standard_library(bytes in units()) {
        prop_assert_eq!(utf16::decode(&bytes), reference(&bytes));
        let text = Utf16Le::from(&bytes[..]);
        prop_assert_eq!(text.to_text(), reference(&bytes));
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Utf16Le<'_>>(&json).unwrap(), text);
    }

    #[test]
    fn encodes_as_the_standard_library(text in any::<String>()) {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        prop_assert_eq!(utf16::encode(&text), bytes.clone());
        prop_assert_eq!(utf16::encoded_len(&text), bytes.len());
        prop_assert_eq!(utf16::decode(&bytes), Ok(text.clone()));
        prop_assert!(Utf16Le::new(&text) == *text.as_str());
    }
}

#[test]
fn the_error_points_at_what_is_wrong() {
    for (prefix, at) in [("", 0), ("abc", 6), ("0123456789abcdef0", 34), ("aä😀", 8)] {
        for bad in [&[0x00, 0xD8][..], &[0x00, 0xDC], &[0x00, 0xD8, 0x41, 0x00], &[0x41]] {
            let bytes = [&utf16::encode(prefix)[..], bad].concat();
            assert_eq!(utf16::decode(&bytes), Err(Utf16Error { offset: at }), "{prefix:?} {bad:?}");
        }
    }
    assert_eq!(utf16::decode(b"A").unwrap_err().to_string(), "not well-formed UTF-16 at byte 0");
}

#[test]
fn terminators_are_found_at_code_units_only() {
    assert_eq!(utf16::nul_at(&[0x41, 0, 0, 0x41, 0, 0]), Some(4));
    assert_eq!(utf16::nul_at(&[0x41, 0, 0]), None);
    let z = Utf16Le::with_nul("ab");
    assert_eq!(z.as_bytes(), [0x61, 0, 0x62, 0, 0, 0]);
    assert!(
        z.is_terminated() && !Utf16Le::new("ab").is_terminated() && !Utf16Le::new("a\0b\0").is_terminated()
    );
    assert!(z.before_nul() == *"ab" && z != *"ab");
    assert_eq!(Utf16Le::new("a\0b").to_text_lossy(), "a");
    assert_eq!(Utf16Le::from(&[0x61, 0, 0x00, 0xD8, 0x62][..]).to_text_lossy(), "a\u{FFFD}\u{FFFD}");
}

#[test]
fn json_keeps_what_no_string_can_hold() {
    let shown = |bytes: &[u8]| serde_json::to_string(&Utf16Le::from(bytes)).unwrap();
    assert_eq!(shown(&[0x61, 0]), r#""a""#);
    assert_eq!(shown(&[0x61, 0, 0x00, 0xD8]), "[97,55296]");
    assert_eq!(shown(&[0x61, 0, 0x62]), r#"{"hex":"610062"}"#);
    for bad in ["[65536]", r#"{"hex":"6"}"#, r#"{"other":""}"#, "7", r#"{"hex":"61","hex":"62"}"#] {
        assert!(serde_json::from_str::<Utf16Le<'_>>(bad).is_err(), "{bad}");
    }
}

#[test]
fn debug_shows_text_where_there_is_some() {
    assert_eq!(format!("{:?}", Utf16Le::new("a\"b")), r#""a\"b""#);
    assert_eq!(format!("{:?}", Utf16Le::from(&[0x61][..])), "Utf16Le([61])");
    assert_eq!(format!("{:?}", Secret::new(Utf16Le::new("hunter2"))), "Secret(..)");
}
