//! Test vectors: data under `tests/vectors`.

use std::path::PathBuf;

use serde_json::Value;

/// The folder of the vectors.
pub fn dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors"))
}

/// A JSON file below `tests/vectors`.
pub fn json(path: &str) -> Value {
    let text = std::fs::read_to_string(dir().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The bytes of a JSON string of hexadecimal digits.
pub fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a string of hexadecimal digits");
    remassist_core::from_hex(text).expect("an even number of hexadecimal digits")
}

/// A JSON string.
pub fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
