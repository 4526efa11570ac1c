//! Messages assembled from the specification by independent software.

use comqc_format::{
    Header, IID_IDISPATCH, Message, PropertyValue, Reader, Recording, Signature, TargetForm, Writer,
    check_extension, rule_of,
};
use remassist_core::{Decode, DecodeOptions, Encode};
use serde_json::{Value, json};
use testkit::{laws, vectors};

fn messages(file: &str) -> Vec<Value> {
    let document = vectors::json(&format!("comqc/{file}.json"));
    let messages = document["messages"].as_array().unwrap().clone();
    assert_eq!(document["count"], messages.len());
    messages
}

fn named(file: &str, name: &str) -> Vec<u8> {
    vectors::hex(&messages(file).into_iter().find(|c| c["name"] == name).unwrap()["hex"])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The field dump of the vectors, made from a decoded message.
fn dump(message: &Message<'_>, bytes: &[u8]) -> Value {
    let container = &message.container;
    let mut headers = Vec::new();
    let mut offset = container.size();
    let mut interface = String::new();
    for header in &message.headers {
        let mut entry = json!({
            "type": header.signature().name().unwrap(), "offset": offset, "size": header.size()
        });
        let fields = match header {
            Header::Partition { identifier } => json!({ "partition": identifier.to_string() }),
            Header::Security(s) => json!({
                "securityDataSize": s.data.encoded_len(),
                "security": {
                    "style": s.data.style.0,
                    "collections": s.data.collections.iter().map(|c| json!({
                        "collectionType": format!("0x{:04x}", c.collection_type.0),
                        "properties": c.properties.iter().map(|p| json!({
                            "type": format!("0x{:04x}", p.property_type.0), "size": p.size, "data": hex(&p.data)
                        })).collect::<Vec<_>>(),
                    })).collect::<Vec<_>>(),
                },
            }),
            Header::Reference { offset, .. } => json!({ "securityHeaderOffset": offset }),
            Header::Method(m) => {
                interface = m.interface_id.map_or(interface, |id| id.to_string());
                let dispatch = interface == IID_IDISPATCH.to_string();
                json!({
                    "marshaling": if dispatch { "dispatch" } else { "ndr" },
                    "methodNumber": m.method_number,
                    "marshaledDataSize": m.data.len(),
                    "interface": interface,
                    "marshaledData": hex(&m.data),
                    "padding2": m.padding2.len(),
                })
            }
            other => panic!("{other:?}"),
        };
        entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        headers.push(entry);
        offset += header.size();
    }
    json!({
        "container": {
            "offset": 0,
            "size": container.size(),
            "messageSize": bytes.len(),
            "callTargetIdentifierSize": container.target_size(),
            "targetId": container.target_id.to_string(),
            "targetIdStringSize": container.target_id_string.as_bytes().len(),
            "targetIdString": container.target_id_string.to_text_lossy(),
        },
        "headers": headers,
        "calls": message.recording().unwrap().calls.len(),
    })
}

#[test]
fn valid_messages_decode_to_the_fields_listed() {
    for case in messages("valid") {
        let (name, bytes) = (&case["name"], vectors::hex(&case["hex"]));
        assert_eq!(case["length"], bytes.len());
        check_extension(&vectors::hex(&case["extension_hex"])).unwrap();
        let message = Message::decode_strict(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(dump(&message, &bytes), case["fields"], "{name}");
        assert_eq!(message.to_vec().unwrap(), bytes, "{name}");
        assert!(laws::bytes::<Message<'_>>(&bytes));
        laws::json(&message);
        laws::truncations::<Message<'_>>(&bytes);
        let read = Recording::decode(&bytes, &DecodeOptions::STRICT).unwrap();
        assert_eq!(read, message.recording().unwrap(), "{name}");
        testkit::oracles::run("comqc_message", &bytes);
    }
}

/// The writer finds the same optimizations as the independent software.
#[test]
fn the_writer_writes_the_same_bytes() {
    let mut same = 0;
    for case in messages("valid") {
        let bytes = vectors::hex(&case["hex"]);
        let recording = Recording::decode(&bytes, &DecodeOptions::STRICT).unwrap();
        let target_form = match case["name"].as_str().unwrap() {
            "target_bare" => TargetForm::Bare,
            "target_empty" => TargetForm::Empty,
            _ => TargetForm::Braces,
        };
        let written = Writer { target_form, ..Writer::default() }.to_vec(&recording).unwrap();
        if case["name"] != "max_padding" {
            assert_eq!(hex(&written), hex(&bytes), "{}", case["name"]);
            same += 1;
        }
    }
    assert_eq!(same, 10);
}

#[test]
fn invalid_messages_get_the_verdicts_listed() {
    for case in messages("invalid") {
        let (name, bytes) = (&case["name"], vectors::hex(&case["hex"]));
        let rule = case["rule"].as_str().unwrap();
        let extension = check_extension(&vectors::hex(&case["extension_hex"]));
        if rule == "EXTENSION" {
            assert_eq!(rule_of(extension.unwrap_err().kind()), Some(rule));
            Message::decode_strict(&bytes).unwrap();
            continue;
        }
        extension.unwrap();
        let error = Message::decode_strict(&bytes).unwrap_err();
        assert_eq!(rule_of(error.kind()), Some(rule), "{name}: {error}");
        let tolerant = Message::decode_with(&bytes, &DecodeOptions::TOLERANT);
        if case["tolerant"].as_str().unwrap().starts_with("accept") {
            let tolerant = tolerant.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(tolerant.deviations.iter().any(|d| rule_of(d.kind) == Some(rule)), "{name}");
            assert_eq!(tolerant.value.to_vec().unwrap(), bytes, "{name}");
            laws::json(&tolerant.value);
        } else {
            let error = tolerant.map(|t| panic!("{name}: {t:?}")).unwrap_err();
            assert_eq!(rule_of(error.kind()), Some(rule), "{name}: {error}");
        }
        testkit::oracles::run("comqc_message", &bytes);
    }
}

#[test]
fn ambiguous_messages_get_the_verdicts_listed() {
    for case in messages("ambiguous") {
        let (name, bytes) = (&case["name"], vectors::hex(&case["hex"]));
        if bytes.is_empty() {
            continue; // More than 4 MiB: see the writer's own test.
        }
        let accepts = |verdict: &Value| verdict.as_str().unwrap().starts_with("accept");
        let strict = Message::decode_strict(&bytes);
        assert_eq!(strict.is_ok(), accepts(&case["strict"]), "{name}: {strict:?}");
        let tolerant = Message::decode(&bytes);
        let expected = if case["tolerant"] == "same" { &case["strict"] } else { &case["tolerant"] };
        assert_eq!(tolerant.is_ok(), accepts(expected), "{name}: {tolerant:?}");
        if let Ok(message) = tolerant {
            assert_eq!(message.to_vec().unwrap(), bytes, "{name}");
            laws::json(&message);
        }
        testkit::oracles::run("comqc_message", &bytes);
    }
}

#[test]
fn an_unknown_trailing_header_is_kept() {
    let bytes = named("ambiguous", "caller_identifier_trailing");
    let message = Message::decode(&bytes).unwrap();
    let Some(Header::Unknown { signature, body }) = message.headers.last() else { panic!("{message:?}") };
    assert_eq!((*signature, body.len()), (Signature(u32::from_le_bytes(*b"CALR")), 16));
    let mut reader = Reader::new(&bytes).unwrap();
    assert!(reader.next().unwrap().is_ok());
    assert!(reader.next().is_none());
    assert_eq!(reader.deviations(), 1);
}

#[test]
fn claims_are_typed() {
    let bytes = named("valid", "security_chain");
    let call = Reader::strict(&bytes).unwrap().next().unwrap().unwrap();
    let security = call.security.decode().unwrap();
    assert_eq!(security.minimum_level().unwrap().name(), Some("RPC_C_AUTHN_LEVEL_CONNECT"));
    let [direct, earlier] = security.callers().collect::<Vec<_>>()[..] else { panic!("{security:?}") };
    assert_eq!(direct.sid().unwrap().to_string(), "S-1-5-21-1001-1002-1003-1107");
    assert_eq!(direct.authentication_service().unwrap().name(), Some("RPC_C_AUTHN_GSS_KERBEROS"));
    assert_eq!(direct.authentication_level().unwrap().0, 6);
    assert_eq!(direct.account_name(), None);
    assert_eq!(earlier.sid().unwrap().to_string(), "S-1-5-21-1001-1002-1003-1108");
    assert_eq!(earlier.account_name().unwrap(), *"bob");
    assert_eq!(earlier.impersonation_level().unwrap().name(), Some("RPC_C_IMP_LEVEL_IDENTIFY"));
    assert!(matches!(earlier.properties[0].value(), PropertyValue::Sid(_)));
}
