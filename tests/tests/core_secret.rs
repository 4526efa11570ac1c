//! Secrets, blobs and time.

use remassist_core::{Blob, Secret, Time, constant_time_eq, from_hex};
use std::time::Duration;

#[test]
fn a_secret_is_shown_in_json_only() {
    let secret = Secret::new(String::from("hunter2"));
    assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(..) Secret(..)");
    let json = serde_json::to_string(&secret).unwrap();
    assert_eq!(json, r#"{"secret":"hunter2"}"#);
    assert_eq!(serde_json::from_str::<Secret<String>>(&json).unwrap(), secret);
    let redacted = serde_json::from_str::<Secret<String>>(r#"{"secret":null}"#).unwrap_err();
    assert!(redacted.to_string().starts_with("the secret was redacted"), "{redacted}");
    assert!(serde_json::from_str::<Secret<String>>(r#""hunter2""#).is_err());
}

#[test]
fn secrets_compare_by_value() {
    let secret = |s: &str| Secret::from(s.to_owned());
    assert_eq!(secret("a"), secret("a"));
    assert_ne!(secret("a"), secret("b"));
    assert_ne!(secret("a"), secret("ab"));
    assert_eq!(secret("abc").map(String::len).expose(), &3);
    assert!(constant_time_eq(b"", b"") && !constant_time_eq(b"a", b"") && !constant_time_eq(b"ab", b"ac"));
}

#[test]
fn blobs_are_hexadecimal_in_json() {
    let blob = Blob::from(&[0x00, 0xAB, 0xFF][..]);
    assert_eq!(serde_json::to_string(&blob).unwrap(), r#""00abff""#);
    assert_eq!(serde_json::from_str::<Blob<'_>>(r#""00ABff""#).unwrap(), blob);
    assert_eq!(format!("{blob:?}"), "Blob(3 bytes: 00abff)");
    assert_eq!(format!("{:?}", Blob::from(vec![0; 33])), format!("Blob(33 bytes: {}..)", "00".repeat(32)));
    for bad in ["0", "0g", "+1", " 1", "é"] {
        assert_eq!(from_hex(bad), None, "{bad}");
        assert!(serde_json::from_str::<Blob<'_>>(&format!("{bad:?}")).is_err());
    }
}

#[test]
fn time_does_not_overflow() {
    assert_eq!(Time(1).after(Duration::from_millis(5)), Time(6));
    assert_eq!(Time(1).after(Duration::MAX), Time(u64::MAX));
}
