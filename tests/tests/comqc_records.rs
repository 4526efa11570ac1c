//! Records and pointers in tables of interfaces.

use comqc_session::{
    ArgumentError, DeadReason, Direction, Field, Interface, InterfaceProblem, Library, MessageId, Method,
    MethodKind, ObjectCodecs, Parameter, Plain, Player, PlayerOptions, Received, RecordType, Recorder,
    RecorderOptions, Records, Sender, Timestamp, Type, Verdict,
};
use expect_test::{Expect, expect};
use ndr_oaut::{Bstr, Elements, PSafeArray, Scalar, VarType, Variant};
use proptest::prelude::*;
use remassist_core::DecodeOptions;
use serde_json::{Value, json};
use testkit::vectors;
use uuid::{Uuid, uuid};

const IID: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
const LINE: Uuid = uuid!("a7c1b6de-0b1f-4e5f-9d4c-2a6b1f0e3d55");

fn plain(value: &Value) -> Plain {
    serde_json::from_value(value.clone()).unwrap()
}

fn json_of(plain: &Plain) -> Value {
    serde_json::to_value(plain).unwrap()
}

fn table(value: Value) -> Result<Interface, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn do_it(interface: &Interface) -> &Method {
    interface.method("Do", MethodKind::Method).unwrap()
}

/// A table with a method that takes one `record Line`, which has a GUID and a library.
fn shop(ty: &str) -> Interface {
    table(json!({
        "iid": IID, "name": "IShop",
        "records": [{
            "name": "Line", "guid": LINE, "library": { "guid": IID, "major": 1, "minor": 2 },
            "fields": [
                { "name": "article", "type": "BSTR" },
                { "name": "price", "type": "CURRENCY" },
                { "name": "extra", "type": "VARIANT" },
            ],
        }],
        "methods": [{ "name": "Do", "number": 3, "dispid": 1, "parameters": [{ "name": "x", "type": ty }] }],
    }))
    .unwrap()
}

fn line() -> Value {
    json!({ "article": "Cog", "price": "2.5000", "extra": 7 })
}

/// Bytes that the NDR classes of impacket have written.
#[test]
fn parameters_have_the_bytes_of_other_software() {
    let document = vectors::json("comqc/records.json");
    let mut methods = 0;
    for row in document["vectors"].as_array().unwrap() {
        let (name, bytes) = (&row["name"], vectors::hex(&row["hex"]));
        if row.get("table").is_none() {
            continue;
        }
        let interface = table(row["table"].clone()).unwrap();
        let method = do_it(&interface);
        let told = row["arguments"].as_array().unwrap();
        let values = method.parameters.iter().zip(told);
        let values: Vec<_> = values
            .map(|(p, value)| plain(value).value(&p.ty).unwrap_or_else(|e| panic!("{name}: {e}")))
            .collect();
        assert_eq!(method.encode(&values).unwrap(), bytes, "{name}");
        let read = method.decode(&bytes, &DecodeOptions::STRICT).unwrap();
        let shown = method.parameters.iter().zip(&read).map(|(p, value)| json_of(&Plain::of(&p.ty, value)));
        assert_eq!(&shown.collect::<Vec<_>>(), told, "{name}");
        for at in 0..bytes.len() {
            assert!(method.decode(&bytes[..at], &DecodeOptions::TOLERANT).is_err(), "{name}: {at} bytes");
        }
        methods += 1;
    }
    assert_eq!(methods, 5);
}

#[test]
fn an_array_of_records_is_one_stream_behind_its_size() {
    let document = vectors::json("comqc/records.json");
    let row = document["vectors"].as_array().unwrap().last().unwrap();
    let mut record: RecordType = serde_json::from_value(row["record"].clone()).unwrap();
    (record.guid, record.library) = (Some(LINE), Some(Library { guid: IID, ..Default::default() }));
    let ty = Type::safe_array(Records::new(vec![record]).unwrap().get("row").unwrap()).unwrap();
    let value = plain(&row["elements"]).value(&ty).unwrap();
    let Variant::Array { vt: VarType::RECORD, array: Some(PSafeArray { safearray: Some(array) }) } = &value
    else {
        panic!("{value:?}")
    };
    let Elements::Record(records) = &array.elements else { panic!("{array:?}") };
    let bytes = vectors::hex(&row["hex"]);
    let (size, stream) = records[0].as_ref().unwrap().records.as_ref().unwrap().split_at(4);
    assert_eq!((size, stream), (&(bytes.len() as u32 + 4).to_le_bytes()[..], &bytes[..]));
    assert_eq!(array.bounds[0].elements, 3);
    assert_eq!(json_of(&Plain::of(&ty, &value)), row["elements"]);
}

#[test]
fn a_record_goes_wherever_a_value_goes() {
    let cases = [
        ("record Line", line()),
        ("[unique] record Line*", line()),
        ("[unique] record Line*", json!(null)),
        ("SAFEARRAY(record Line)", json!([line(), line()])),
        ("SAFEARRAY(record Line)", json!([])),
        ("PSAFEARRAY(record Line)", json!([line()])),
        ("[unique] SAFEARRAY(record Line)*", json!([line()])),
        ("SAFEARRAY(record Line)", json!({ "bounds": [[1, 5], [2, 0]], "elements": [line(), line()] })),
        ("VARIANT", json!({ "type": "record Line", "value": line() })),
        ("VARIANT", json!({ "type": "SAFEARRAY(record Line)", "value": [line()] })),
        ("VARIANT", json!({ "type": "record Line", "ref": true, "value": line() })),
        ("SAFEARRAY(VARIANT)", json!([{ "type": "record Line", "value": line() }, 1])),
        (
            "record Line",
            json!({ "article": "Box", "price": "0.0000", "extra": { "type": "record Line", "value": line() } }),
        ),
        ("[unique] VARIANT*", json!({ "to": null })),
        ("[unique] BSTR*", json!({ "to": null })),
        ("[unique] BSTR*", json!(null)),
        ("[unique] IUnknown**", json!({ "to": null })),
        ("[unique] VARIANT*", json!(7)),
        ("[unique] enum*", json!(7)),
    ];
    for (ty, told) in cases {
        let interface = shop(ty);
        let method = do_it(&interface);
        let (ty, records) = (&method.parameters[0].ty, interface.records());
        let value = plain(&told).value_with(ty, records).unwrap_or_else(|e| panic!("{ty} {told}: {e}"));
        let bytes = method.encode(std::slice::from_ref(&value)).unwrap();
        let read = method.decode(&bytes, &DecodeOptions::TOLERANT).unwrap();
        assert_eq!(read, std::slice::from_ref(&value), "{ty} {told}");
        assert_eq!(json_of(&Plain::of_with(ty, &value, records)), told);
        // On IDispatch, too.
        if told.is_null() {
            let error = method.invocation(0, vec![value], vec![]).unwrap_err();
            assert_eq!(error, ArgumentError::Null("x".into()));
        } else {
            let request = method.invocation(0, vec![value.clone()], vec![]).unwrap().into_request();
            let has_pointer = matches!(ty, Type::Unique(_)) || value.vt().is_by_ref();
            assert_eq!(request.var_ref.len(), usize::from(matches!(ty, Type::Unique(_))), "{ty}");
            let bytes = remassist_core::Encode::to_vec(&ndr_oaut::Stub::new(request));
            if !value.vt().is_by_ref() || has_pointer && matches!(ty, Type::Unique(_)) {
                let bytes = bytes.unwrap();
                let read: ndr_oaut::Stub<'_, ndr_oaut::InvokeRequest<'_>> =
                    remassist_core::Decode::decode(&bytes).unwrap();
                assert_eq!(method.arguments(read.value.into()).unwrap(), [value], "{ty} {told}");
            }
        }
    }
}

#[test]
fn an_application_reads_and_makes_the_fields_of_a_record() {
    let interface = shop("record Line");
    let record = interface.records().iter().next().unwrap();
    let values =
        [Variant::Bstr(Some(Bstr::new("Cog"))), Variant::Scalar(Scalar::Currency(25_000)), Variant::Null];
    let made = record.of(&values).unwrap();
    assert_eq!(record.values(&made).unwrap(), values);
    assert!(record.of(&values[1..]).is_err());
    assert!(record.of(&[Variant::Null, Variant::Null, Variant::Null]).is_err());
    let Variant::Record(Some(told)) = plain(&line()).value(&do_it(&interface).parameters[0].ty).unwrap()
    else {
        panic!()
    };
    assert_eq!(record.values(&told).unwrap()[2], Variant::Scalar(Scalar::I4(7)));
    // A record that says that it is another one is none of these.
    let other = RecordType { guid: Some(IID), ..record.clone() };
    assert!(other.values(&told).is_err());
}

#[track_caller]
fn refused(records: Value, ty: &str, expected: Expect) {
    let value = json!({
        "iid": IID, "name": "I", "records": records,
        "methods": [{ "name": "Do", "number": 3, "parameters": [{ "name": "x", "type": ty }] }],
    });
    expected.assert_eq(&table(value).unwrap_err());
}

#[test]
fn a_table_with_wrong_records_is_refused() {
    let field = |ty: &str| json!([{ "name": "a", "type": ty }]);
    let one = |ty: &str| json!([{ "name": "R", "fields": field(ty) }]);
    refused(one("record R"), "long", expect!["record R: records are nested in each other, or deeper than 8"]);
    refused(
        one("[unique] record R*"),
        "long",
        expect!["record R: records are nested in each other, or deeper than 8"],
    );
    refused(one("record S"), "long", expect!["record R: field a: no record S is declared"]);
    refused(one("SAFEARRAY(record S)"), "long", expect!["record R: field a: no record S is declared"]);
    refused(one("long"), "record S", expect!["I.Do: parameter x: no record S is declared"]);
    refused(one("long"), "[unique] record S*", expect!["I.Do: parameter x: no record S is declared"]);
    refused(
        json!([{ "name": "R", "fields": [] }]),
        "long",
        expect!["record R: a record has at least one field"],
    );
    refused(
        json!([{ "name": "a b", "fields": field("long") }]),
        "long",
        expect!["record a b: the name is no identifier"],
    );
    let twice = json!([{ "name": "R", "fields": field("long") }, { "name": "r", "fields": field("long") }]);
    refused(twice, "long", expect!["record r: its name stands twice"]);
    let twice = json!([{ "name": "R", "fields": [{ "name": "a", "type": "long" }, { "name": "A", "type": "long" }] }]);
    refused(twice, "long", expect!["record R: field A stands twice"]);
    let many: Vec<_> = (0..1025).map(|n| json!({ "name": format!("f{n}"), "type": "char" })).collect();
    refused(
        json!([{ "name": "R", "fields": many }]),
        "long",
        expect!["record R: more than 1024 fields, with those of the records inside"],
    );
    // Each of the next has two of the one before: 2 to the power of 8, and too deep.
    let chain: Vec<_> = (0..9)
        .map(|n| match n {
            0 => json!({ "name": "R0", "fields": field("long") }),
            n => {
                let ty = format!("record R{}", n - 1);
                json!({ "name": format!("R{n}"), "fields": [{ "name": "a", "type": ty }, { "name": "b", "type": ty }] })
            }
        })
        .collect();
    refused(json!(chain), "long", expect!["record R8: records are nested in each other, or deeper than 8"]);
    table(json!({ "iid": IID, "name": "I", "records": chain[..8], "methods": [] })).unwrap();
    let array = Type::SafeArray(Box::new(Type::scalar(VarType::DECIMAL).unwrap()));
    let record = RecordType { name: "R".into(), fields: vec![Field::new("a", array)], ..Default::default() };
    expect!["record R: field a: SAFEARRAY(DECIMAL) is no type of Automation"]
        .assert_eq(&Records::new(vec![record]).unwrap_err().to_string());
    let by_ref = Parameter { by_ref: true, ..Parameter::new("x", "[unique] long*".parse().unwrap()) };
    let method =
        Method { name: "Do".into(), number: Some(3), parameters: vec![by_ref], ..Default::default() };
    let error = Interface::new(IID, "I", false, vec![method]).unwrap_err();
    assert_eq!(error.problem, InterfaceProblem::Pointer("x".into()));
    // Nothing comes back, so a pointer in NDR cannot be [in, out] ([MC-COMQC] 2.2.6.1.1).
    let in_out =
        Parameter { direction: Direction::InOut, ..Parameter::new("x", "[unique] long*".parse().unwrap()) };
    let method =
        Method { name: "Do".into(), number: Some(3), parameters: vec![in_out], ..Default::default() };
    assert!(Interface::new(IID, "I", false, vec![method]).is_err());
}

#[test]
fn a_person_is_told_what_a_record_lacks() {
    let interface = shop("record Line");
    let wrong = |value: Value| {
        plain(&value).value(&do_it(&interface).parameters[0].ty).map(drop).unwrap_err().to_string()
    };
    let mut lacking = line();
    lacking.as_object_mut().unwrap().remove("price");
    expect!["field price: left out, is not a CURRENCY"].assert_eq(&wrong(lacking));
    let mut more = line();
    more["prize"] = json!(1);
    expect!["prize, which record Line does not have, is not a field"].assert_eq(&wrong(more));
    let mut other = line();
    other["price"] = json!("much");
    expect![[r#"field price: "much" is not a CURRENCY"#]].assert_eq(&wrong(other));
    let mut twice = line();
    twice["PRICE"] = json!(1);
    expect!["field price: told twice, is not a CURRENCY"].assert_eq(&wrong(twice));
    expect!["null is not a record Line"].assert_eq(&wrong(json!(null)));
    let bounds = json!({ "bounds": [[3, 0]], "elements": [line()] });
    let array = shop("SAFEARRAY(record Line)");
    let error = plain(&bounds).value(&do_it(&array).parameters[0].ty).unwrap_err().to_string();
    expect!["a value with bounds, elements is not a SAFEARRAY(record Line)"].assert_eq(&error);
}

#[test]
fn without_guid_and_library_a_record_is_a_parameter_in_ndr_alone() {
    let fields = json!([{ "name": "a", "type": "long" }]);
    let interface = |ty: &str| {
        table(json!({
            "iid": IID, "name": "I", "records": [{ "name": "R", "fields": fields }],
            "methods": [{ "name": "Do", "number": 3, "dispid": 1, "parameters": [{ "name": "x", "type": ty }] }],
        }))
        .unwrap()
    };
    let plainly = interface("record R");
    let method = do_it(&plainly);
    let value = plain(&json!({ "a": 1 })).value(&method.parameters[0].ty).unwrap();
    assert_eq!(method.encode(std::slice::from_ref(&value)).unwrap(), [1, 0, 0, 0]);
    let error = method.invocation(0, vec![value], vec![]).unwrap_err().to_string();
    expect!["parameter x: in a VARIANT or SAFEARRAY the GUID and the library of record R are needed"]
        .assert_eq(&error);
    let array = interface("SAFEARRAY(record R)");
    let method = do_it(&array);
    let value = plain(&json!([{ "a": 1 }])).value(&method.parameters[0].ty).unwrap();
    let error = method.encode(&[value]).unwrap_err().to_string();
    expect!["parameter x: in a VARIANT or SAFEARRAY the GUID and the library of record R are needed"]
        .assert_eq(&error);
    let told = plain(&json!({ "type": "record R", "value": { "a": 1 } }));
    let error = told.value_with(&Type::Variant, array.records()).unwrap_err().to_string();
    expect!["a VARIANT of record R is not one of a record whose GUID and library are declared"]
        .assert_eq(&error);
    assert!(told.value(&Type::Variant).is_err());
}

#[test]
fn bytes_that_are_no_such_record_are_shown_as_bytes() {
    let interface = shop("SAFEARRAY(record Line)");
    let ty = &do_it(&interface).parameters[0].ty;
    let value = plain(&json!([line()])).value(ty).unwrap();
    let Variant::Array { vt, array: Some(PSafeArray { safearray: Some(mut array) }) } = value else {
        panic!()
    };
    let Elements::Record(records) = &mut array.elements else { panic!() };
    let record = records[0].as_mut().unwrap();
    let mut bytes = record.records.take().unwrap().to_vec();
    bytes.push(0);
    record.records = Some(bytes.into());
    let value = Variant::Array { vt, array: Some(PSafeArray { safearray: Some(array) }) };
    let shown = Plain::of(ty, &value);
    assert!(json_of(&shown)[0].get("records").is_some(), "{shown:?}");
    assert_eq!(shown.value(ty).unwrap(), value);
}

/// Objects in fields are checked as those in parameters.
#[test]
fn objects_of_unknown_classes_are_found_in_records() {
    let interface = table(json!({
        "iid": IID, "name": "I",
        "records": [
            { "name": "Outer", "fields": [{ "name": "inner", "type": "[unique] record Inner*" }] },
            { "name": "Inner", "fields": [{ "name": "object", "type": "IUnknown*" }, { "name": "n", "type": "char" }] },
        ],
        "methods": [{ "name": "Do", "number": 3, "parameters": [{ "name": "x", "type": "record Outer" }] }],
    }))
    .unwrap();
    let class = LINE.to_string();
    let told = json!({ "inner": { "object": { "class": class, "data": "0102" }, "n": 1 } });
    let value = plain(&told).value(&do_it(&interface).parameters[0].ty).unwrap();
    let known = |known: bool| {
        let mut objects = ObjectCodecs::default();
        if known {
            objects.register::<Vec<u8>>(LINE, |bytes| Ok(bytes.clone()), |bytes| Ok(bytes.to_vec()));
        }
        objects
    };
    let mut recorder = Recorder::new(IID, RecorderOptions::default());
    assert!(recorder.call_method(&interface, "Do", std::slice::from_ref(&value)).is_err());
    let mut recorder = Recorder::new(IID, RecorderOptions { objects: known(true), ..Default::default() });
    recorder.call_method(&interface, "Do", &[value]).unwrap();
    let message = recorder.finish().unwrap().unwrap();
    let received = Received {
        id: MessageId::NIL,
        message,
        sender: Sender::default(),
        sent: Timestamp(0),
        round: 0,
        failures: 0,
        abandoned: 0,
    };
    for is_known in [true, false] {
        let mut player = Player::new(PlayerOptions {
            objects: known(is_known),
            interfaces: vec![interface.clone()],
            ..Default::default()
        });
        player.register(None, IID, ());
        match player.begin(&received) {
            Ok(_) => assert!(is_known),
            Err(Verdict::Dead(reason, _)) => {
                assert_eq!((reason, is_known), (DeadReason::UnknownObject, false))
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A record in a VARIANT of a record in a VARIANT ..: read only so deep.
#[test]
fn records_in_variants_are_read_only_so_deep() {
    let interface = shop("record Line");
    let ty = &do_it(&interface).parameters[0].ty;
    let record = interface.records().iter().next().unwrap();
    let mut value = Variant::Null;
    for _ in 0..500 {
        let fields = [Variant::Bstr(None), Variant::Scalar(Scalar::Currency(0)), value];
        value = Variant::Record(Some(Box::new(record.of(&fields).unwrap())));
    }
    let text = serde_json::to_string(&Plain::of_with(ty, &value, interface.records())).unwrap();
    let depth = text.matches("\"article\"").count();
    assert!((2..10).contains(&depth), "{depth}");
    // As many records as a small message can claim.
    let array = shop("SAFEARRAY(record Line)");
    let ty = &do_it(&array).parameters[0].ty;
    let Variant::Array { vt, array: Some(PSafeArray { safearray: Some(mut many) }) } =
        plain(&json!([line()])).value(ty).unwrap()
    else {
        panic!()
    };
    many.bounds[0].elements = u32::MAX;
    let value = Variant::Array { vt, array: Some(PSafeArray { safearray: Some(many) }) };
    assert!(json_of(&Plain::of(ty, &value))["elements"][0].get("records").is_some());
}

/// Types of fields, with values.
fn fields() -> impl Strategy<Value = (String, Value)> {
    let simple = prop_oneof![
        any::<u8>().prop_map(|n| ("unsigned char".to_owned(), json!(n))),
        any::<i16>().prop_map(|n| ("short".to_owned(), json!(n))),
        any::<i32>().prop_map(|n| ("long".to_owned(), json!(n))),
        any::<i64>().prop_map(|n| ("hyper".to_owned(), json!(n))),
        any::<u16>().prop_map(|n| ("enum".to_owned(), json!(n))),
        any::<bool>().prop_map(|b| ("VARIANT_BOOL".to_owned(), json!(b))),
        (-1e9..1e9).prop_map(|n: f64| ("double".to_owned(), json!(n))),
        "[a-z]{0,6}".prop_map(|text| ("BSTR".to_owned(), json!(text))),
        any::<i32>().prop_map(|n| ("VARIANT".to_owned(), json!(n))),
        Just(("DECIMAL".to_owned(), json!("1.25"))),
        Just(("IUnknown*".to_owned(), json!(null))),
        prop::collection::vec(any::<i32>(), 1..4).prop_map(|n| ("SAFEARRAY(long)".to_owned(), json!(n))),
    ];
    (simple, 0..3).prop_map(|((ty, value), pointer)| match pointer {
        0 => (format!("[unique] {ty}*"), if value.is_null() { json!({ "to": null }) } else { value }),
        1 => (format!("[unique] {ty}*"), json!(null)),
        _ => (ty, value),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Records of any fields, in records, are kept by NDR and by a person; short buffers are errors, damage does not panic.
    #[test]
    fn records_are_kept(
        inner in prop::collection::vec(fields(), 1..6),
        outer in prop::collection::vec(fields(), 1..5),
        by_pointer in any::<bool>(),
        before in any::<u8>(),
        hit in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let named = |fields: &[(String, Value)]| -> (Vec<Value>, serde_json::Map<String, Value>) {
            let numbered = || fields.iter().enumerate();
            (
                numbered().map(|(n, (ty, _))| json!({ "name": format!("f{n}"), "type": ty })).collect(),
                numbered().map(|(n, (_, value))| (format!("f{n}"), value.clone())).collect(),
            )
        };
        let ((inner, inner_value), (mut outer, mut outer_value)) = (named(&inner), named(&outer));
        let ty = if by_pointer { "[unique] record In*" } else { "record In" };
        outer.push(json!({ "name": "inner", "type": ty }));
        outer_value.insert("inner".into(), inner_value.into());
        let interface = table(json!({
            "iid": IID, "name": "I",
            "records": [{ "name": "Out", "fields": outer }, { "name": "In", "fields": inner }],
            "methods": [{ "name": "Do", "number": 3, "parameters": [
                { "name": "before", "type": "unsigned char" }, { "name": "x", "type": "record Out" },
            ] }],
        })).unwrap();
        let again: Interface = serde_json::from_value(serde_json::to_value(&interface).unwrap()).unwrap();
        prop_assert_eq!(&again, &interface);
        let method = do_it(&interface);
        let ty = &method.parameters[1].ty;
        let told = Value::Object(outer_value);
        let values = [Variant::Scalar(Scalar::Ui1(before)), plain(&told).value(ty).unwrap()];
        let mut bytes = method.encode(&values).unwrap();
        let read = method.decode(&bytes, &DecodeOptions::STRICT).unwrap();
        prop_assert_eq!(&read[..], &values[..]);
        prop_assert_eq!(json_of(&Plain::of(ty, &read[1])), told);
        prop_assert!(method.decode(&bytes[..bytes.len() - 1], &DecodeOptions::TOLERANT).is_err());
        let at = hit.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(damaged) = method.decode(&bytes, &DecodeOptions::TOLERANT) {
            let written = method.encode(&damaged).unwrap();
            prop_assert_eq!(method.decode(&written, &DecodeOptions::TOLERANT).unwrap(), damaged);
        }
    }
}
