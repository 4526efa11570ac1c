//! Tables of interfaces, and values as people write them.

use comqc_session::{Direction, Interface, Method, MethodKind, Parameter, Plain, Type};
use expect_test::{Expect, expect};
use ndr_oaut::{
    Bound, Bstr, Decimal, Elements, InterfacePointer, Ndr, PSafeArray, R4, R8, Record, SafeArray, Scalar,
    Stub, VarType, Variant, VariantBool, wire,
};
use proptest::prelude::*;
use remassist_core::{Blob, DecodeOptions, Encode as _, Utf16Le};
use serde_json::json;
use testkit::vectors;
use uuid::{Uuid, uuid};

const IID: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

/// A table of one method with number 3 and DISPID 1.
fn one(parameters: Vec<Parameter>) -> Method {
    Method { name: "Do".into(), number: Some(3), dispid: Some(1), parameters, ..Default::default() }
}

fn method(types: &[Type]) -> Method {
    one(types
        .iter()
        .enumerate()
        .map(|(index, ty)| Parameter::new(&format!("p{index}"), ty.clone()))
        .collect())
}

fn ty(text: &str) -> Type {
    text.parse().unwrap()
}

#[test]
fn types_are_written_as_in_the_idl() {
    for text in [
        "char",
        "unsigned char",
        "short",
        "unsigned short",
        "long",
        "unsigned long",
        "int",
        "unsigned int",
        "hyper",
        "unsigned hyper",
        "float",
        "double",
        "VARIANT_BOOL",
        "SCODE",
        "CURRENCY",
        "DATE",
        "DECIMAL",
        "v1_enum",
        "enum",
        "BSTR",
        "VARIANT",
        "IUnknown*",
        "IDispatch*",
        "interface {3f2504e0-4f89-11d3-9a0c-0305e82c3301}",
        "record {3f2504e0-4f89-11d3-9a0c-0305e82c3301}",
        "record Line_2",
        "[unique] long*",
        "[unique] IUnknown**",
        "[unique] record Line*",
        "[unique] SAFEARRAY(record Line)*",
        "SAFEARRAY(VARIANT)",
        "PSAFEARRAY(unsigned char)",
        "SAFEARRAY(interface {3f2504e0-4f89-11d3-9a0c-0305e82c3301})",
    ] {
        assert_eq!(ty(text).to_string(), text);
    }
    assert_eq!(ty("HRESULT"), ty("SCODE"));
    for text in [
        "",
        "wchar_t",
        "long*",
        "SAFEARRAY()",
        "SAFEARRAY(SAFEARRAY(long))",
        "SAFEARRAY(DECIMAL)",
        "interface",
        "record 2x",
        "record a b",
        "[unique] long",
        "[unique] [unique] long**",
        "[unique] PSAFEARRAY(long)*",
        "SAFEARRAY([unique] long*)",
        "PBSTR",
    ] {
        assert!(text.parse::<Type>().is_err(), "{text}");
    }
}

#[test]
fn a_person_can_write_a_table() {
    let written = json!({
        "iid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "name": "IShip",
        "methods": [
            { "name": "Load", "number": 3, "parameters": [{ "name": "tons", "type": "long" }] },
            { "name": "Swap", "dispid": 2, "parameters": [{ "name": "a", "type": "BSTR", "direction": "in, out" }] },
            { "name": "Port", "dispid": 3, "kind": "put", "parameters": [{ "name": "value", "type": "BSTR" }] },
        ],
    });
    let table: Interface = serde_json::from_value(written).unwrap();
    assert_eq!((table.name(), table.iid(), table.is_dual(), table.methods().len()), ("IShip", IID, false, 3));
    assert_eq!(table.method("LOAD", MethodKind::Method), table.by_number(3));
    assert_eq!(table.method("port", MethodKind::Put), table.by_dispid(3, MethodKind::Put));
    assert_eq!(table.by_dispid(2, MethodKind::Method).unwrap().parameters[0].direction, Direction::InOut);
    assert_eq!(table.by_dispid(3, MethodKind::Get), None);
    let again: Interface = serde_json::from_value(serde_json::to_value(&table).unwrap()).unwrap();
    assert_eq!(again, table);
    let wrong = json!({ "iid": IID, "name": "IShip", "methods": [{ "name": "Load", "opnum": 3 }] });
    let error = serde_json::from_value::<Interface>(wrong).unwrap_err().to_string();
    assert!(error.contains("unknown field `opnum`"), "{error}");
    let wrong = json!({ "iid": IID, "name": "IShip", "methods": [{ "name": "Load", "number": 1 }] });
    let error = serde_json::from_value::<Interface>(wrong).unwrap_err().to_string();
    expect!["IShip.Load: 1 is the number of an inherited method, which cannot be recorded"].assert_eq(&error);
}

#[track_caller]
fn refused(dual: bool, methods: Vec<Method>, expected: Expect) {
    expected.assert_eq(&Interface::new(IID, "IShip", dual, methods).unwrap_err().to_string());
}

#[test]
fn a_table_of_what_cannot_be_recorded_is_refused() {
    let parameter = |direction| vec![Parameter { direction, ..Parameter::new("x", Type::Bstr) }];
    let out = one(parameter(Direction::Out));
    refused(false, vec![out], expect!["IShip.Do: parameter x is [out]: nothing comes back from a queue"]);
    let returns = Method { returns: Some(Type::Bstr), ..one(vec![]) };
    refused(false, vec![returns], expect!["IShip.Do: it returns BSTR: nothing comes back from a queue"]);
    let in_out = Method { dispid: None, ..one(parameter(Direction::InOut)) };
    refused(
        false,
        vec![in_out],
        expect!["IShip.Do: parameter x is [in, out], which only calls on IDispatch can have"],
    );
    let record = Method { dispid: None, ..one(vec![Parameter::new("x", Type::Record(IID.into()))]) };
    refused(false, vec![record], expect!["IShip.Do: parameter x is a record, whose fields no table tells"]);
    let nothing = Method { number: None, dispid: None, ..one(vec![]) };
    refused(false, vec![nothing], expect!["IShip.Do: neither number nor DISPID is told"]);
    let invoke = Method { number: Some(6), ..one(vec![]) };
    refused(
        true,
        vec![invoke.clone()],
        expect!["IShip.Do: 6 is the number of an inherited method, which cannot be recorded"],
    );
    Interface::new(IID, "IShip", false, vec![invoke.clone()]).unwrap();
    refused(
        false,
        vec![one(vec![]), Method { name: "Else".into(), dispid: None, ..one(vec![]) }],
        expect!["IShip.Else: its number stands twice"],
    );
    refused(
        false,
        vec![one(vec![]), Method { name: "Else".into(), number: None, ..one(vec![]) }],
        expect!["IShip.Else: its DISPID stands twice"],
    );
    refused(
        false,
        vec![one(vec![]), Method { name: "DO".into(), dispid: Some(9), ..invoke }],
        expect!["IShip.DO: its name stands twice"],
    );
    let twice = vec![Parameter::new("x", Type::Bstr), Parameter::new("X", Type::Bstr)];
    refused(false, vec![one(twice)], expect!["IShip.Do: parameter X stands twice"]);
    let nested = Type::SafeArray(Box::new(Type::SafeArray(Box::new(Type::Bstr))));
    refused(false, vec![method(&[nested])], expect!["IShip.Do: parameter p0: no such array"]);
    refused(
        false,
        vec![Method { kind: MethodKind::Put, ..one(vec![]) }],
        expect!["IShip.Do: a put needs a parameter for the value"],
    );
    let error = Interface::new(comqc_format::IID_IDISPATCH, "IDispatch", false, vec![]).unwrap_err();
    expect!["IDispatch: an interface needs an IID of its own"].assert_eq(&error.to_string());
    // One way to record it is enough, and what cannot be recorded is told when it is tried.
    let in_out = one(parameter(Direction::InOut));
    assert!(in_out.queueable().is_err() && in_out.queueable_on_dispatch().is_ok());
    Interface::new(IID, "IShip", false, vec![in_out]).unwrap();
}

/// Parameters of all kinds, described for the engine.
#[derive(Debug, Clone, PartialEq)]
struct Everything {
    a: u8,
    b: Option<Bstr<'static>>,
    c: i16,
    d: Option<Variant<'static>>,
    e: R8,
    f: Option<SafeArray<'static>>,
    g: i64,
    h: Option<InterfacePointer<'static>>,
    i: Decimal,
    j: Option<PSafeArray<'static>>,
    k: VariantBool,
    l: u16,
    m: R4,
}

struct Typed<'a>(&'a Everything);

wire! {
    params 'a Typed<'a>, "[TEST]" "1" "Everything", |v, r|
    "a" a: u8 = v.0.a;
    "b" b: Option<Bstr<'a>> = v.0.b;
    "c" c: i16 = v.0.c;
    "d" d: Option<Variant<'a>> = v.0.d;
    "e" e: R8 = v.0.e;
    "f" f: Option<SafeArray<'a>> = v.0.f;
    "g" g: i64 = v.0.g;
    "h" h: Option<InterfacePointer<'a>> = v.0.h;
    "i" i: Decimal = v.0.i;
    "j" j: Option<PSafeArray<'a>> = v.0.j;
    "k" k: VariantBool = v.0.k;
    "l" l: u16 = v.0.l;
    "m" m: R4 = v.0.m;
    => {
        let _ = (a, b, c, d, e, f, g, h, i, j, k, l, m, r);
        unreachable!("only written")
    }
}

#[test]
fn the_table_writes_what_the_engine_writes() {
    let texts = || SafeArray::new(VarType::BSTR, Elements::Bstr(vec![Some(Bstr::new("x")), None]));
    let all = Everything {
        a: 1,
        b: Some(Bstr::new("odd")),
        c: -2,
        d: Some(Variant::Scalar(Scalar::I8(3))),
        e: 4.5.into(),
        f: Some(texts()),
        g: i64::MIN,
        h: Some(InterfacePointer { objref: b"object".to_vec().into() }),
        i: Decimal { scale: 2, sign: 0x80, lo64: 314, ..Default::default() },
        j: Some(PSafeArray { safearray: Some(Box::new(texts())) }),
        k: VariantBool::TRUE,
        l: 7,
        m: 1.25.into(),
    };
    let types = [
        "unsigned char",
        "BSTR",
        "short",
        "VARIANT",
        "double",
        "SAFEARRAY(BSTR)",
        "hyper",
        "IUnknown*",
        "DECIMAL",
        "PSAFEARRAY(BSTR)",
        "VARIANT_BOOL",
        "enum",
        "float",
    ];
    let array = || PSafeArray { safearray: Some(Box::new(texts())) };
    let values = vec![
        Variant::Scalar(Scalar::Ui1(all.a)),
        Variant::Bstr(all.b.clone()),
        Variant::Scalar(Scalar::I2(all.c)),
        all.d.clone().unwrap(),
        Variant::Scalar(Scalar::R8(all.e)),
        Variant::Array { vt: VarType::BSTR, array: Some(array()) },
        Variant::Scalar(Scalar::I8(all.g)),
        Variant::Unknown(all.h.clone()),
        Variant::Scalar(Scalar::Decimal(all.i)),
        Variant::Array { vt: VarType::BSTR, array: Some(array()) },
        Variant::Scalar(Scalar::Bool(all.k)),
        Variant::Scalar(Scalar::I4(all.l.into())),
        Variant::Scalar(Scalar::R4(all.m)),
    ];
    let method = method(&types.map(ty));
    let dynamic = method.encode(&values).unwrap();
    assert_eq!(dynamic, Stub::new(Typed(&all)).to_vec().unwrap());
    assert_eq!(method.decode(&dynamic, &DecodeOptions::STRICT).unwrap(), values);
}

#[test]
fn padding_behind_the_parameters_is_ignored() {
    let method = method(&[ty("long"), ty("BSTR")]);
    let values = [Variant::Scalar(Scalar::I4(1)), Variant::Bstr(Some(Bstr::new("x")))];
    let mut bytes = method.encode(&values).unwrap();
    for at in 0..bytes.len() {
        assert!(method.decode(&bytes[..at], &DecodeOptions::TOLERANT).is_err());
    }
    bytes.extend_from_slice(&[0xCC; 61]);
    assert_eq!(method.decode(&bytes, &DecodeOptions::STRICT).unwrap(), values);
    let error = method.decode(&bytes[..6], &DecodeOptions::STRICT).unwrap_err().to_string();
    expect!["parameter p1: parameters at byte 4: need 4 bytes, 2 left ([MC-COMQC] 2.2.6.1.1)"]
        .assert_eq(&error);
}

#[test]
fn what_does_not_fit_a_parameter_is_told_by_its_name() {
    let fails = |text: &str, value: Variant<'_>, expected: Expect| {
        let error =
            method(&[ty("long"), ty(text)]).encode(&[Variant::Scalar(Scalar::I4(1)), value]).unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    fails("BSTR", Variant::Empty, expect!["parameter p1: not a BSTR"]);
    fails("enum", Variant::Scalar(Scalar::I4(-1)), expect!["parameter p1: not a enum"]);
    fails(
        "SAFEARRAY(long)",
        Variant::Array { vt: VarType::I2, array: None },
        expect!["parameter p1: not a SAFEARRAY(long)"],
    );
    let array = SafeArray {
        bounds: vec![Bound { elements: 9, lower: 0 }],
        ..SafeArray::new(VarType::I2, Elements::I2(vec![1]))
    };
    let array = Some(PSafeArray { safearray: Some(Box::new(array)) });
    fails(
        "VARIANT",
        Variant::Array { vt: VarType::I2, array },
        expect![
            "parameter p1: SAFEARRAYUNION.Size: the number of elements is not the product of the bounds ([MS-OAUT] 2.2.30.9)"
        ],
    );
    let null = method(&[ty("VARIANT")]).decode(&[0; 4], &DecodeOptions::TOLERANT).unwrap_err();
    expect!["parameter p0: parameters.VARIANT at byte 0: a VARIANT is a null pointer ([MC-COMQC] 2.2.6.1.1)"]
        .assert_eq(&null.to_string());
    let shorts = method(&[ty("SAFEARRAY(short)")]);
    let bytes = Stub::new(Some(SafeArray::new(VarType::I4, Elements::I4(vec![1])))).to_vec().unwrap();
    let other = shorts.decode(&bytes, &DecodeOptions::TOLERANT).unwrap_err();
    expect!["parameter p0: parameters.SAFEARRAY at byte 0: an array of another type ([MC-COMQC] 2.2.6.1.1)"]
        .assert_eq(&other.to_string());
}

/// Values that Wine's engine has written, read by a table and written again.
#[test]
fn values_of_other_software_are_read_by_a_table() {
    let document = vectors::json("ndr-oaut/oaut-types.json");
    let mut read = 0;
    for row in document["vectors"].as_array().unwrap() {
        let types: Vec<Type> = match row["call"].as_str().unwrap() {
            "BSTR" => vec![Type::Bstr],
            "VARIANT" if row["input"]["note"] != "NULL pointer" => vec![Type::Variant],
            call @ ("SAFEARRAY" | "PSAFEARRAY") => {
                let vt = row["input"]["vt"].as_str().unwrap_or("VT_BSTR");
                let names = [
                    ("VT_I4", "long"),
                    ("VT_UI1", "unsigned char"),
                    ("VT_R8", "double"),
                    ("VT_BSTR", "BSTR"),
                    ("VT_VARIANT", "VARIANT"),
                ];
                let name = names.iter().find(|(name, _)| *name == vt).unwrap().1;
                vec![ty(&format!("{call}({name})"))]
            }
            "RemoteConnectionParms" => ["BSTR", "BSTR", "long", "BSTR"].map(ty).to_vec(),
            "Item" => vec![ty("long")],
            _ => continue,
        };
        let (name, bytes, mask) =
            (&row["name"], vectors::hex(&row["request"]), vectors::hex(&row["request_mask"]));
        let method = method(&types);
        let values =
            method.decode(&bytes, &DecodeOptions::TOLERANT).unwrap_or_else(|e| panic!("{name}: {e}"));
        let written = method.encode(&values).unwrap();
        assert_eq!(written.len(), bytes.len(), "{name}");
        read += 1;
        if row["input"]["note"].as_str().is_some_and(|note| note.starts_with("clSize left 0")) {
            continue;
        }
        for ((ours, theirs), mask) in written.iter().zip(&bytes).zip(&mask) {
            assert_eq!(ours & mask, theirs & mask, "{name}");
        }
    }
    assert_eq!(read, 29);
}

fn scalars() -> impl Strategy<Value = (Type, Variant<'static>)> {
    let scalar = |text: &'static str| move |scalar: Scalar| (ty(text), Variant::Scalar(scalar));
    prop_oneof![
        any::<i8>().prop_map(Scalar::I1).prop_map(scalar("char")),
        any::<u8>().prop_map(Scalar::Ui1).prop_map(scalar("unsigned char")),
        any::<i16>().prop_map(Scalar::I2).prop_map(scalar("short")),
        any::<u16>().prop_map(Scalar::Ui2).prop_map(scalar("unsigned short")),
        any::<i32>().prop_map(Scalar::I4).prop_map(scalar("long")),
        any::<u32>().prop_map(Scalar::Ui4).prop_map(scalar("unsigned long")),
        any::<i64>().prop_map(Scalar::I8).prop_map(scalar("hyper")),
        any::<u64>().prop_map(Scalar::Ui8).prop_map(scalar("unsigned hyper")),
        any::<i32>().prop_map(Scalar::Int).prop_map(scalar("int")),
        any::<u32>().prop_map(Scalar::Uint).prop_map(scalar("unsigned int")),
        any::<f32>().prop_map(|n| Scalar::R4(n.into())).prop_map(scalar("float")),
        any::<f64>().prop_map(|n| Scalar::R8(n.into())).prop_map(scalar("double")),
        any::<f64>().prop_map(|n| Scalar::Date(n.into())).prop_map(scalar("DATE")),
        any::<bool>().prop_map(|b| Scalar::Bool(b.into())).prop_map(scalar("VARIANT_BOOL")),
        any::<u32>().prop_map(Scalar::Error).prop_map(scalar("SCODE")),
        any::<i64>().prop_map(Scalar::Currency).prop_map(scalar("CURRENCY")),
        (0_u8..=28, any::<bool>(), any::<u32>(), any::<u64>())
            .prop_map(|(scale, negative, hi32, lo64)| {
                let sign = if negative { 0x80 } else { 0 };
                Scalar::Decimal(Decimal { reserved: 0, scale, sign, hi32, lo64 })
            })
            .prop_map(scalar("DECIMAL")),
        any::<i32>().prop_map(Scalar::I4).prop_map(scalar("v1_enum")),
        any::<u16>().prop_map(|n| Scalar::I4(n.into())).prop_map(scalar("enum")),
    ]
}

fn bstr() -> impl Strategy<Value = Bstr<'static>> {
    prop_oneof![
        "\\PC{0,12}".prop_map(|text| Bstr::new(&text)),
        prop::collection::vec(any::<u8>(), 0..7).prop_map(|bytes| Bstr { text: Some(Utf16Le(bytes.into())) }),
        Just(Bstr::NULL),
    ]
}

fn pointer() -> impl Strategy<Value = Option<InterfacePointer<'static>>> {
    let object = |data: Vec<u8>| comqc_format::ObjectReference::new(IID, data.into()).to_vec().unwrap();
    let objref = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(object)
    ];
    prop::option::of(objref.prop_map(|objref| InterfacePointer { objref: objref.into() }))
}

fn record() -> impl Strategy<Value = Record<'static>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..5);
    bytes().prop_map(|mut content| {
        let mut records = u32::try_from(content.len() + 4).unwrap().to_le_bytes().to_vec();
        records.append(&mut content);
        let info = InterfacePointer { objref: Blob::from(b"MEOW".to_vec()) };
        Record { flags: 1, info: Some(info), records: Some(records.into()) }
    })
}

/// Arrays: of one or two dimensions, of every kind of element.
fn arrays() -> impl Strategy<Value = (Type, SafeArray<'static>)> {
    fn list<T: Clone + std::fmt::Debug + 'static>(
        element: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<Vec<T>> {
        prop::collection::vec(element, 2..5).boxed()
    }
    let variants = prop_oneof![
        scalars().prop_map(|(ty, value)| if ty == Type::Enum16 { Variant::Null } else { value }),
        bstr().prop_map(|text| Variant::Bstr(Some(text)))
    ];
    prop_oneof![
        list(any::<u8>()).prop_map(|n| ("unsigned char", Elements::I1(n.into()))),
        list(any::<u8>()).prop_map(|n| ("char", Elements::I1(n.into()))),
        list(any::<u16>()).prop_map(|n| ("short", Elements::I2(n))),
        list(any::<u16>()).prop_map(|n| ("VARIANT_BOOL", Elements::I2(n))),
        list(any::<u32>()).prop_map(|n| ("long", Elements::I4(n))),
        list(any::<u32>()).prop_map(|n| ("SCODE", Elements::I4(n))),
        list(any::<f32>()).prop_map(|n| ("float", Elements::I4(n.iter().map(|n| n.to_bits()).collect()))),
        list(any::<u64>()).prop_map(|n| ("unsigned hyper", Elements::I8(n))),
        list(any::<u64>()).prop_map(|n| ("CURRENCY", Elements::I8(n))),
        list(any::<f64>()).prop_map(|n| ("double", Elements::I8(n.iter().map(|n| n.to_bits()).collect()))),
        list(bstr().prop_map(Some)).prop_map(|n| ("BSTR", Elements::Bstr(n))),
        list(variants.prop_map(Some)).prop_map(|n| ("VARIANT", Elements::Variant(n))),
        list(pointer()).prop_map(|n| ("IUnknown*", Elements::Unknown(n))),
        list(pointer()).prop_map(|n| ("IDispatch*", Elements::Dispatch(n))),
        list(pointer()).prop_map(|pointers| (
            "interface {3f2504e0-4f89-11d3-9a0c-0305e82c3301}",
            Elements::HaveIid { iid: IID, pointers }
        )),
        record()
            .prop_map(|n| ("record {3f2504e0-4f89-11d3-9a0c-0305e82c3301}", Elements::Record(vec![Some(n)]))),
    ]
    .prop_flat_map(|(text, elements)| {
        let ty = ty(text);
        let array = SafeArray::new(ty.vt(), elements);
        (Just(ty), Just(array), any::<bool>(), any::<i32>())
    })
    .prop_map(|(ty, mut array, matrix, lower)| {
        if matrix {
            let elements = array.bounds[0].elements;
            array.bounds = vec![Bound { elements, lower }, Bound { elements: 1, lower: 0 }];
        }
        (ty, array)
    })
}

fn typed() -> impl Strategy<Value = (Type, Variant<'static>)> {
    let array = |(ty, array): (Type, Option<SafeArray<'static>>)| {
        let vt = ty.vt();
        let array = Some(PSafeArray { safearray: array.map(Box::new) });
        (ty, Variant::Array { vt, array })
    };
    prop_oneof![
        scalars(),
        bstr().prop_map(|text| (Type::Bstr, Variant::Bstr(Some(text)))),
        pointer().prop_map(|pointer| (Type::Unknown, Variant::Unknown(pointer))),
        pointer().prop_map(|pointer| (Type::Interface(IID), Variant::Unknown(pointer))),
        pointer().prop_map(|pointer| (Type::Dispatch, Variant::Dispatch(pointer))),
        scalars().prop_map(|(_, value)| (Type::Variant, value)),
        Just((Type::Variant, Variant::Empty)),
        Just((Type::Variant, Variant::Null)),
        bstr().prop_map(|text| (Type::Variant, Variant::BstrRef(Some(text)))),
        scalars().prop_map(|(_, value)| (Type::Variant, Variant::VariantRef(Some(Box::new(value))))),
        record().prop_map(|record| (Type::Variant, Variant::Record(Some(Box::new(record))))),
        arrays().prop_map(move |(ty, a)| (Type::Variant, array((ty, Some(a))).1)),
        arrays().prop_map(move |(ty, a)| {
            let (ty, value) = array((ty, Some(a)));
            (Type::SafeArray(Box::new(ty)), value)
        }),
        (arrays(), any::<bool>()).prop_map(move |((ty, a), some)| {
            let (ty, value) = array((ty, some.then_some(a)));
            (Type::PSafeArray(Box::new(ty)), value)
        }),
    ]
}

/// The number without what JSON does not keep: which of the values that are no number it was.
fn is_number(value: &Variant<'_>) -> bool {
    let nan32 = |bits: &u32| f32::from_bits(*bits).is_nan();
    let nan64 = |bits: &u64| f64::from_bits(*bits).is_nan();
    match value {
        Variant::Scalar(Scalar::R4(R4(bits))) => !nan32(bits),
        Variant::Scalar(Scalar::R8(R8(bits)) | Scalar::Date(R8(bits))) => !nan64(bits),
        Variant::VariantRef(Some(value)) => is_number(value),
        Variant::Array { vt, array: Some(PSafeArray { safearray: Some(array) }) } => match &array.elements {
            Elements::I4(items) if *vt == VarType::R4 => !items.iter().any(nan32),
            Elements::I8(items) if *vt == VarType::R8 => !items.iter().any(nan64),
            Elements::Variant(items) => items.iter().flatten().all(is_number),
            // A VARIANT does not tell which interface its array is of.
            Elements::HaveIid { .. } => false,
            _ => true,
        },
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is written by a table is read by it as the same values; a short buffer is an error.
    #[test]
    fn values_are_kept_by_a_table(pairs in prop::collection::vec(typed(), 0..5)) {
        let (types, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let method = method(&types);
        Interface::new(IID, "I", false, vec![method.clone()]).unwrap();
        let bytes = method.encode(&values).unwrap();
        prop_assert_eq!(&method.decode(&bytes, &DecodeOptions::TOLERANT).unwrap(), &values);
        if let Some(short) = bytes.len().checked_sub(1) {
            prop_assert!(method.decode(&bytes[..short], &DecodeOptions::TOLERANT).is_err());
        }
    }

    /// What is shown to a person and written by one is the same value.
    #[test]
    fn values_are_kept_by_a_person((ty, value) in typed()) {
        prop_assume!(is_number(&value) || ty != Type::Variant && !matches!(value, Variant::Scalar(_) | Variant::Array { .. }));
        let text = serde_json::to_string(&Plain::of(&ty, &value)).unwrap();
        let read: Plain = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.value(&ty).unwrap_or_else(|e| panic!("{ty} {text}: {e}")), value, "{}", text);
    }

    /// Calls on `IDispatch` keep their arguments, too.
    #[test]
    fn values_are_kept_by_a_call(pairs in prop::collection::vec((typed(), any::<bool>()), 1..5), put in any::<bool>()) {
        let mut parameters = Vec::new();
        let mut values = Vec::new();
        for (index, ((ty, value), in_out)) in pairs.into_iter().enumerate() {
            let direction = if in_out && !value.vt().is_by_ref() { Direction::InOut } else { Direction::In };
            // By reference, an argument that is a reference already cannot stand among those by value.
            let value = if value.vt().is_by_ref() { Variant::Null } else { value };
            parameters.push(Parameter { direction, ..Parameter::new(&format!("p{index}"), ty) });
            values.push(value);
        }
        let kind = if put { MethodKind::Put } else { MethodKind::Method };
        let method = Method { kind, ..one(parameters) };
        let invocation = method.invocation(0, values.clone(), vec![]).unwrap();
        let request = invocation.clone().into_request();
        let bytes = Stub::new(request).to_vec().unwrap();
        let read = remassist_core::Decode::decode(&bytes).map(|stub: Stub<'_, ndr_oaut::InvokeRequest<'_>>| stub.value).unwrap();
        prop_assert_eq!(method.arguments(read.into()).unwrap(), values);
    }
}

#[test]
fn a_person_writes_values_as_in_json() {
    let value = |text: &str, json: serde_json::Value| {
        let plain: Plain = serde_json::from_value(json).unwrap();
        plain.value(&ty(text)).map_err(|error| error.to_string())
    };
    let scalar = |scalar| Ok(Variant::Scalar(scalar));
    assert_eq!(value("long", json!(7)), scalar(Scalar::I4(7)));
    assert_eq!(value("SCODE", json!("0x80020004")), Ok(Variant::MISSING));
    assert_eq!(value("double", json!(7)), scalar(Scalar::R8(7.0.into())));
    assert_eq!(value("CURRENCY", json!("12.5")), scalar(Scalar::Currency(125_000)));
    assert_eq!(value("CURRENCY", json!(-3)), scalar(Scalar::Currency(-30_000)));
    assert_eq!(value("VARIANT", json!({ "type": "short", "value": 7 })), scalar(Scalar::I2(7)));
    assert_eq!(
        value("VARIANT", json!({ "type": "short", "value": 7, "ref": true })),
        Ok(Variant::ScalarRef(Scalar::I2(7)))
    );
    assert_eq!(value("VARIANT", json!(5_000_000_000_i64)), scalar(Scalar::I8(5_000_000_000)));
    assert_eq!(value("VARIANT", json!(u64::MAX)), scalar(Scalar::Ui8(u64::MAX)));
    assert_eq!(value("BSTR", json!(null)), Ok(Variant::Bstr(Some(Bstr::NULL))));
    let bytes = SafeArray::new(VarType::UI1, Elements::I1(vec![1, 2].into()));
    let bytes =
        Variant::Array { vt: VarType::UI1, array: Some(PSafeArray { safearray: Some(Box::new(bytes)) }) };
    assert_eq!(value("SAFEARRAY(unsigned char)", json!([1, 2])), Ok(bytes.clone()));
    assert_eq!(value("SAFEARRAY(unsigned char)", json!({ "hex": "0102" })), Ok(bytes));
    for (text, json, wanted) in [
        ("long", json!(5_000_000_000_i64), "5000000000 is not a long"),
        ("unsigned char", json!(-1), "-1 is not a unsigned char"),
        ("BSTR", json!(5), "5 is not a BSTR"),
        ("float", json!(1e300), "1e300 is not a float"),
        ("CURRENCY", json!("1.23456"), "\"1.23456\" is not a CURRENCY"),
        ("DECIMAL", json!("1e5"), "\"1e5\" is not a DECIMAL"),
        ("VARIANT", json!({ "type": "wchar_t" }), "a value with type is not a VARIANT"),
        ("IUnknown*", json!("x"), "\"x\" is not a IUnknown*"),
        ("SAFEARRAY(long)", json!([1, "x"]), "\"x\" is not a long"),
    ] {
        assert_eq!(value(text, json), Err(wanted.into()));
    }
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(value("VARIANT", deep), Err("a value is not nested less than 32 deep".into()));
    assert!(serde_json::from_str::<Plain>(r#"{"type": "long", "type": "short"}"#).is_err());
}

/// That everything of the engine can be had by a table.
#[test]
fn scalars_have_the_bytes_of_the_engine() {
    fn same<T: Ndr<'static>>(text: &str, scalar: Scalar, value: T) {
        let bytes = method(&[ty(text)]).encode(&[Variant::Scalar(scalar)]).unwrap();
        assert_eq!(bytes, Stub::new(value).to_vec().unwrap());
    }
    same("char", Scalar::I1(-1), -1_i8);
    same("int", Scalar::Int(-1), -1_i32);
    same("unsigned hyper", Scalar::Ui8(u64::MAX), u64::MAX);
    same("enum", Scalar::I4(5), 5_u16);
    same("v1_enum", Scalar::I4(5), 5_u32);
    same("DATE", Scalar::Date(1.5.into()), R8::from(1.5));
    same("CURRENCY", Scalar::Currency(-5), -5_i64);
}
