//! Streams that other software made.

use std::fmt::Debug;

use ndr_oaut::{Bstr, Ndr, Stub};
use remassist_core::{Decode, DecodeOptions, Encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use testkit::{laws, vectors};

/// The laws for a stream of another's making; what is made of its value alone equals it where the mask says so.
/// Returns the value and whether all rules are kept.
fn stream<T>(name: &str, hex: &Value, mask: &Value) -> (T, bool)
where
    T: Ndr<'static> + PartialEq + Debug + Clone + Serialize + DeserializeOwned,
{
    let (input, mask) = (vectors::hex(hex).leak(), vectors::hex(mask));
    let strict = Stub::<T>::decode_strict(input);
    let stub = Stub::<T>::decode(input).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(laws::bytes::<Stub<'_, T>>(input), "{name}");
    laws::json(&stub);
    laws::truncations::<Stub<'_, T>>(input);
    for damaged in testkit::damage::all::<Stub<'_, T>>(input) {
        laws::bytes::<Stub<'_, T>>(damaged.leak());
    }
    let made = Stub::new(stub.value.clone()).to_vec().unwrap();
    assert_eq!(made.len(), input.len(), "{name}");
    for (at, ((made, given), mask)) in made.iter().zip(&*input).zip(&mask).enumerate() {
        assert_eq!(made & mask, given & mask, "{name} at {at}");
    }
    let again = Stub::<T>::decode_with(Vec::leak(made), &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(again.value.value, stub.value, "{name}");
    (stub.value, strict.is_ok())
}

fn rows(file: &str) -> Vec<Value> {
    vectors::json(&format!("ndr-oaut/{file}.json"))["vectors"].as_array().unwrap().clone()
}

#[test]
fn bstrs_of_the_wire_types() {
    for row in rows("oaut-types").iter().filter(|row| row["call"] == "BSTR") {
        let name = vectors::text(&row["name"]);
        let (value, strict) = stream::<Option<Bstr<'_>>>(name, &row["request"], &row["request_mask"]);
        assert!(strict, "{name}");
        let expected = match vectors::text(&row["input"]["bstr"]) {
            "NULL pointer" => None,
            text => Some(Bstr::new(text)),
        };
        assert_eq!(value, expected, "{name}");
    }
}
