//! PDUs that other software encoded, and structures assembled from the figures.

use dce_rpc::{Body, Features, Pdu, SyntaxId, VerificationTrailer};
use remassist_core::{Decode, DecodeOptions, Encode, Format};
use serde_json::Value;
use testkit::{laws, vectors};

/// Every key that is expected is there with the value expected; there may be more.
fn holds(path: &str, expected: &Value, got: &Value) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(_)) => {
            expected.iter().for_each(|(key, value)| holds(&format!("{path}.{key}"), value, &got[key]));
        }
        (Value::Array(expected), Value::Array(all)) => {
            assert_eq!(expected.len(), all.len(), "{path}");
            expected.iter().zip(all).for_each(|(expected, got)| holds(path, expected, got));
        }
        _ => assert_eq!(expected, got, "{path}"),
    }
}

macro_rules! case {
    ($type:ty, $case:expr, $bytes:expr) => {{
        let (name, bytes) = (vectors::text(&$case["name"]), $bytes);
        let value = <$type>::decode_strict(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        holds(name, &$case["expected"], &serde_json::to_value(&value).unwrap());
        assert_eq!(value.to_vec().unwrap(), *bytes, "{name}");
        assert!(laws::bytes::<$type>(bytes));
        laws::truncations::<$type>(bytes);
        laws::json(&value);
        value
    }};
}

fn all(file: &str, list: &str) -> Vec<(Value, Vec<u8>)> {
    let document = vectors::json(&format!("dce-rpc/{file}.json"));
    let cases = document[list].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases.into_iter().map(|case| (case.clone(), vectors::hex(&case["hex"]))).collect()
}

fn named(file: &str, list: &str, name: &str) -> Vec<u8> {
    all(file, list).into_iter().find(|(case, _)| case["name"] == name).unwrap().1
}

#[test]
fn pdus_of_impacket_decode_to_the_fields_listed() {
    let mut types: Vec<_> = all("impacket", "cases")
        .iter()
        .map(|(value, bytes)| case!(Pdu<'_>, value, bytes).body.packet_type())
        .collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), 11, "{types:?}");
}

#[test]
fn pdus_of_the_figures_decode_to_the_fields_listed() {
    for (value, bytes) in all("figures", "pdus") {
        case!(Pdu<'_>, value, &bytes);
    }
}

#[test]
fn verification_trailers_decode_to_the_fields_listed() {
    for (value, bytes) in all("figures", "trailers") {
        let trailer = case!(VerificationTrailer<'_>, value, &bytes);
        for len in 0..9 {
            let mut stub = vec![0x71; len];
            stub.resize(len + VerificationTrailer::padding(len), 0);
            let at = stub.len();
            stub.extend_from_slice(&bytes);
            assert_eq!(VerificationTrailer::find(&stub), Some((trailer.clone(), at)));
        }
    }
}

#[test]
fn extended_error_information_is_found() {
    let bytes = named("figures", "pdus", "fault with extended error information");
    let Body::Fault(fault) = Pdu::decode(&bytes).unwrap().body else { panic!() };
    assert_eq!(fault.extended_error(), Some(&b"eeinfo"[..]));
    let bytes = named("figures", "pdus", "bind_nak with extended error information");
    let Body::BindNak(nak) = Pdu::decode(&bytes).unwrap().body else { panic!() };
    assert_eq!(nak.extended_error(), Some(&b"eeinfo"[..]));
    let bytes = named("impacket", "cases", "bind_nak");
    let Body::BindNak(nak) = Pdu::decode(&bytes).unwrap().body else { panic!() };
    assert_eq!(nak.extended_error(), None);
}

#[test]
fn transfer_syntaxes_are_known() {
    let bytes = named("impacket", "cases", "bind with NDR64, features and a token");
    let Body::Bind(bind) = Pdu::decode(&bytes).unwrap().body else { panic!() };
    let syntaxes: Vec<_> = bind.contexts.iter().map(|c| c.transfer_syntaxes[0]).collect();
    assert_eq!(syntaxes, [SyntaxId::NDR, SyntaxId::NDR64, SyntaxId::feature_negotiation(Features::ALL)]);
    assert_eq!(syntaxes[2].features(), Some(Features::ALL));
    assert_eq!(syntaxes[0].features(), None);
    assert_eq!((syntaxes[0].major(), syntaxes[0].minor()), (2, 0));
}

#[test]
fn numbers_of_big_endian_pdus_are_numbers_in_the_trace() {
    let bytes = named("figures", "pdus", "big-endian request for an object with a signature");
    let trace = Pdu::decode_with(&bytes, &DecodeOptions::TOLERANT.with_trace(true)).unwrap().trace;
    let format = |field| trace.iter().find(|e| e.at.field == field).unwrap().format;
    for field in ["frag_length", "auth_length", "call_id", "alloc_hint", "opnum", "auth_context_id"] {
        assert_eq!(format(field), Format::UintBe, "{field}");
    }
    assert_eq!(format("object"), Format::GuidBe);
    let damaged = testkit::damage::numbers::<Pdu<'_>>(&bytes);
    assert!(damaged.iter().any(|d| d[..8] == bytes[..8] && d[8..10] == [0, bytes[9] + 1]), "frag_length + 1");
}
