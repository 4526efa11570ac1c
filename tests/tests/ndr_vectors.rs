//! Streams that other software made.

use std::fmt::Debug;

use ndr_oaut::{
    Bound, Bstr, Decimal, DispParams, Elements, ExcepInfo, InterfacePointer, InvokeFlags, InvokeRequest,
    InvokeResponse, Ndr, PSafeArray, SafeArray, Scalar, Stub, VarType, Variant, VariantBool, WideString,
};
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

/// The bytes of a BSTR's text, or a null one.
fn bstr(input: &Value) -> Option<Bstr<'static>> {
    match &input["value"] {
        Value::String(text) => Some(Bstr::new(text)),
        Value::Null if input["bytes"].is_null() => Some(Bstr::NULL),
        _ => Some(Bstr { text: Some(vectors::hex(&input["bytes"]).leak()[..].into()) }),
    }
}

fn number(text: &Value) -> i64 {
    let hex = |text: &str| i64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap();
    text.as_i64().unwrap_or_else(|| text.as_bool().map_or_else(|| hex(vectors::text(text)), i64::from))
}

fn scalar(vt: VarType, input: &Value) -> Scalar {
    let value = &input["value"];
    match vt {
        VarType::I1 => Scalar::I1(number(value) as i8),
        VarType::UI1 => Scalar::Ui1(number(value) as u8),
        VarType::I2 => Scalar::I2(number(value) as i16),
        VarType::UI2 => Scalar::Ui2(number(value) as u16),
        VarType::I4 => Scalar::I4(number(value) as i32),
        VarType::UI4 => Scalar::Ui4(number(value) as u32),
        VarType::INT => Scalar::Int(number(value) as i32),
        VarType::UINT => Scalar::Uint(number(value) as u32),
        VarType::I8 => Scalar::I8(number(value)),
        VarType::UI8 => Scalar::Ui8(number(value) as u64),
        VarType::ERROR => Scalar::Error(number(value) as u32),
        VarType::CY => Scalar::Currency(number(&input["value_int64"])),
        VarType::R4 => Scalar::R4((value.as_f64().unwrap() as f32).into()),
        VarType::R8 => Scalar::R8(value.as_f64().unwrap().into()),
        VarType::DATE => Scalar::Date(value.as_f64().unwrap().into()),
        VarType::BOOL => Scalar::Bool(value.as_bool().unwrap().into()),
        VarType::DECIMAL => Scalar::Decimal(Decimal {
            scale: number(&input["scale"]) as u8,
            sign: number(&input["sign"]) as u8,
            hi32: number(&input["hi32"]) as u32,
            lo64: number(&input["lo64"]) as u64,
            ..Decimal::default()
        }),
        _ => panic!("{input}"),
    }
}

/// The VARIANT that a row tells.
fn variant(input: &Value) -> Variant<'static> {
    let vt = VarType(number(&input["vt"]) as u16);
    let by_ref = vt.is_by_ref();
    if vt.is_array() {
        let array = PSafeArray { safearray: Some(Box::new(array(vt.base(), input))) };
        let (vt, array) = (vt.base(), Some(array));
        return if by_ref { Variant::ArrayRef { vt, array } } else { Variant::Array { vt, array } };
    }
    match (vt.base(), by_ref) {
        (VarType::EMPTY, _) => Variant::Empty,
        (VarType::NULL, _) => Variant::Null,
        (VarType::BSTR, false) => Variant::Bstr(bstr(input)),
        (VarType::DISPATCH, false) => Variant::Dispatch(None),
        (VarType::DISPATCH, true) => Variant::DispatchRef(None),
        (VarType::VARIANT, true) => Variant::VariantRef(Some(Box::new(variant(&input["inner"])))),
        (vt, false) => Variant::Scalar(scalar(vt, input)),
        (vt, true) => Variant::ScalarRef(scalar(vt, input)),
    }
}

/// The array that a row tells.
fn array(vt: VarType, input: &Value) -> SafeArray<'static> {
    let items = input.get("elements").or(input.get("memory_elements")).unwrap().as_array().unwrap();
    let elements = match vt {
        VarType::BSTR => {
            let text = |item: &Value| item.as_str().map(Bstr::new);
            Elements::Bstr(items.iter().map(text).collect())
        }
        VarType::VARIANT => Elements::Variant(items.iter().map(|item| Some(variant(item))).collect()),
        VarType::DISPATCH => Elements::HaveIid {
            iid: uuid::uuid!("00020400-0000-0000-c000-000000000046"),
            pointers: items.iter().map(|_| None).collect(),
        },
        VarType::UI1 => Elements::I1(items.iter().map(|n| number(n) as u8).collect::<Vec<_>>().into()),
        VarType::BOOL => {
            Elements::I2(items.iter().map(|b| VariantBool::from(b.as_bool().unwrap()).0).collect())
        }
        VarType::R4 => Elements::I4(items.iter().map(|n| (n.as_f64().unwrap() as f32).to_bits()).collect()),
        VarType::R8 | VarType::DATE => {
            Elements::I8(items.iter().map(|n| n.as_f64().unwrap().to_bits()).collect())
        }
        _ => Elements::I4(items.iter().map(|n| number(n) as u32).collect()),
    };
    let mut array = SafeArray::new(vt, elements);
    if let Some(lower) = input["lbound"].as_i64() {
        array.bounds[0].lower = lower as i32;
    }
    if let Some(bounds) = input["rgsabound_in_wire_order"].as_array() {
        let bound = |b: &Value| Bound { elements: number(&b[0]) as u32, lower: number(&b[1]) as i32 };
        array.bounds = bounds.iter().map(bound).collect();
    }
    array
}

fn array_type(input: &Value) -> VarType {
    match input["vt"].as_str() {
        Some("VT_I4") => VarType::I4,
        Some("VT_UI1") => VarType::UI1,
        Some("VT_R8") => VarType::R8,
        Some("VT_DATE") => VarType::DATE,
        Some("VT_BSTR") => VarType::BSTR,
        Some("VT_VARIANT") => VarType::VARIANT,
        Some("VT_DISPATCH") => VarType::DISPATCH,
        _ => panic!("{input}"),
    }
}

#[test]
fn variants_and_arrays_of_the_wire_types() {
    let mut seen = 0;
    for row in rows("oaut-types") {
        let (name, input) = (vectors::text(&row["name"]), &row["input"]);
        let (hex, mask) = (&row["request"], &row["request_mask"]);
        let null = input["vt"].is_null();
        match vectors::text(&row["call"]) {
            // Its clSize is 0 and its discriminant another one; see the laws below.
            "VARIANT" if name == "spec-046" => {
                let bytes = vectors::hex(hex).leak();
                assert!(laws::bytes::<Stub<'_, Option<Variant<'_>>>>(bytes));
                let stub = Stub::<Option<Variant<'_>>>::decode(bytes).unwrap();
                assert_eq!(stub.value, Some(variant(input)));
                assert!(stub.residue.0.len() == 2, "{:?}", stub.residue);
            }
            "VARIANT" => {
                let (value, strict) = stream::<Option<Variant<'_>>>(name, hex, mask);
                assert_eq!((value, strict), ((!null).then(|| variant(input)), true), "{name}");
            }
            "SAFEARRAY" => {
                let (value, strict) = stream::<Option<SafeArray<'_>>>(name, hex, mask);
                let expected = (!null).then(|| array(array_type(input), input));
                assert_eq!((value, strict), (expected, true), "{name}");
            }
            "PSAFEARRAY" => {
                let (value, strict) = stream::<Option<PSafeArray<'_>>>(name, hex, mask);
                let safearray = Some(Box::new(array(array_type(input), input)));
                assert_eq!((value, strict), (Some(PSafeArray { safearray }), true), "{name}");
            }
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 22);
}

#[test]
fn calls_of_the_wire_types() {
    type Text = Option<Bstr<'static>>;
    let mut seen = 0;
    for row in rows("oaut-types") {
        let (name, input) = (vectors::text(&row["name"]), &row["input"]);
        let (request, request_mask) = (&row["request"], &row["request_mask"]);
        let (response, response_mask) = (&row["response"], &row["response_mask"]);
        let result = || number(&input["return"]) as u32;
        let text = |text: &Value| Some(text.as_str().map_or(Bstr::NULL, Bstr::new));
        match vectors::text(&row["call"]) {
            "RemoteConnectionParms" => {
                let value = stream::<(Text, Text, i32, Text)>(name, request, request_mask).0;
                let i = &input["in"];
                assert_eq!(value, (text(&i[0]), text(&i[1]), number(&i[2]) as i32, text(&i[3])), "{name}");
                let value = stream::<(Text, u32)>(name, response, response_mask).0;
                assert_eq!(value, (text(&input["out"]), result()), "{name}");
            }
            "RemoteUserSessionInfo" => {
                let value = stream::<(Option<InterfacePointer<'_>>, u32)>(name, response, response_mask).0;
                assert_eq!(value, (None, 0), "{name}");
            }
            "Item" => {
                assert_eq!(i64::from(stream::<i32>(name, request, request_mask).0), number(&input["in"][0]));
                let value = stream::<(Option<Variant<'_>>, u32)>(name, response, response_mask).0;
                assert_eq!(value, (Some(variant(&input["out"])), result()), "{name}");
            }
            "GetBstr (DomainName/UserName get)" => {
                let value = stream::<(Text, u32)>(name, response, response_mask).0;
                assert_eq!(value, (text(&input["out"]), result()), "{name}");
            }
            "[in,out] SAFEARRAY*, [in,out] INT*" => {
                let value = stream::<(Option<SafeArray<'_>>, i32)>(name, request, request_mask).0;
                assert_eq!(value, (None, 0), "{name}");
                stream::<(Option<SafeArray<'_>>, i32, u32)>(name, response, response_mask);
            }
            "[in,out] PSAFEARRAY*, [in,out] INT*" => {
                let value = stream::<(Option<PSafeArray<'_>>, i32)>(name, request, request_mask).0;
                assert_eq!(value, (None, 0), "{name}");
                stream::<(Option<PSafeArray<'_>>, i32, u32)>(name, response, response_mask);
            }
            "Invoke" => invoke(&row, true),
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 14);
}

/// The bytes of a request without the few zeros that some proxies leave behind the last parameter.
fn parameters(hex: &Value) -> Value {
    let bytes = vectors::hex(hex).leak();
    let rest = Stub::<InvokeRequest<'_>>::decode_prefix(bytes).unwrap().1;
    assert!(rest.len() < 8 && rest.iter().all(|byte| *byte == 0), "{rest:?}");
    Value::String(vectors::text(hex)[..(bytes.len() - rest.len()) * 2].to_owned())
}

/// An Invoke as a row tells it.
fn invoke(row: &Value, response_usable: bool) {
    let (name, input) = (vectors::text(&row["name"]), &row["input"]);
    let (value, strict) =
        stream::<InvokeRequest<'_>>(name, &parameters(&row["request"]), &row["request_mask"]);
    let listed = |key: &str| input[key].as_array().cloned().unwrap_or_default();
    let args: Vec<_> = listed("rgvarg").iter().map(|input| Some(variant(input))).collect();
    let (mut var_ref_index, mut var_ref) = (Vec::new(), Vec::new());
    let by_value = args.into_iter().enumerate().map(|(index, arg)| {
        if !arg.as_ref().is_some_and(|arg| arg.vt().is_by_ref()) {
            return arg;
        }
        var_ref_index.push(index as u32);
        var_ref.push(arg);
        Some(Variant::Empty)
    });
    let args: Vec<_> = by_value.collect();
    let named: Vec<_> = listed("named").iter().map(|n| number(n) as i32).collect();
    let flags = match vectors::text(&input["flags"]) {
        "METHOD" => InvokeFlags::METHOD,
        "PROPERTYGET" => InvokeFlags::PROPERTYGET,
        _ => InvokeFlags(number(&input["flags"]) as u32),
    };
    let expected = InvokeRequest {
        member: number(&input["dispid"]) as i32,
        lcid: number(&input["lcid"]) as u32,
        flags,
        params: DispParams {
            args: (!args.is_empty()).then_some(args),
            named: (!named.is_empty()).then_some(named),
        },
        var_ref_index,
        var_ref,
        ..InvokeRequest::default()
    };
    assert_eq!(value.clone().into_owned(), value);
    assert_eq!((value, strict), (expected, true), "{name}");
    if !response_usable {
        return;
    }
    let value = stream::<InvokeResponse<'_>>(name, &row["response"], &row["response_mask"]).0;
    let exception = match input["server_returns"].is_null() {
        true => ExcepInfo::NONE,
        false => ExcepInfo {
            source: Some(Bstr::new("Src")),
            description: Some(Bstr::new("It failed")),
            scode: 0x8004_0001,
            ..ExcepInfo::NONE
        },
    };
    let hresult = if exception.scode == 0 { 0 } else { 0x8002_0009 };
    let result = Some(input.get("result_value").map_or(Variant::Empty, variant));
    assert_eq!(value.clone().into_owned(), value);
    let expected = InvokeResponse { result, exception, hresult, ..InvokeResponse::default() };
    assert_eq!(value, expected, "{name}");
}

#[test]
fn calls_of_a_dispatch_proxy() {
    let rows = rows("dispatch-invoke");
    let calls = rows.iter().filter(|row| row["call"] == "Invoke");
    // Its responses align all pointees at 8, as their deviation says.
    for row in calls.clone() {
        let mut row = row.clone();
        if row["name"] == "dispatch-012" {
            // That proxy aligns an array of pointers to VARIANTs at 8; a pointer is aligned at 4.
            for key in ["request", "request_mask"] {
                let mut bytes = vectors::hex(&row[key]);
                bytes.drain(100..104);
                bytes.drain(92..96);
                row[key] = Value::String(format!("{:x}", remassist_core::Hex(&bytes)));
            }
        }
        if row["name"] == "dispatch-014" {
            // The referent ids of its SAFEARRAY and of the elements: the mask asks for them.
            let mut mask = vectors::hex(&row["request_mask"]);
            mask[80..84].fill(0);
            mask[108..112].fill(0);
            row["request_mask"] = Value::String(format!("{:x}", remassist_core::Hex(&mask)));
        }
        invoke(&row, row["response_usable_as_is"] == true);
    }
    assert_eq!(calls.count(), 9);
}

#[test]
fn values_as_they_are_marshaled() {
    let rows = rows("oaut-usermarshal");
    for row in &rows {
        let (name, input) = (vectors::text(&row["name"]), &row["input"]);
        let start = row["start_offset_mod_8"].as_u64().unwrap() as usize;
        let ahead = |key: &str| Value::String("00".repeat(start) + vectors::text(&row[key]));
        let (hex, mask) = (ahead("wire"), ahead("mask"));
        match (vectors::text(&row["type"]), start) {
            ("BSTR", 0 | 2) => {
                let value = match start {
                    0 => stream::<Bstr<'_>>(name, &hex, &mask).0,
                    _ => stream::<(u16, Bstr<'_>)>(name, &hex, &mask).0.1,
                };
                let text = input.get("utf16le").or(input.get("bytes"));
                let expected = text.map(|hex| vectors::hex(hex).leak()[..].into());
                assert_eq!(value, Bstr { text: expected }, "{name}");
            }
            ("VARIANT", _) if name == "variant-i4-reserved" => {
                let stub = Stub::<Variant<'_>>::decode(vectors::hex(&hex).leak()).unwrap();
                assert!(laws::bytes::<Stub<'_, Variant<'_>>>(vectors::hex(&hex).leak()));
                assert_eq!((stub.value, stub.residue.0.len()), (variant(input), 3));
            }
            ("VARIANT", 0 | 4) => {
                let (value, strict) = match start {
                    0 => stream::<Variant<'_>>(name, &hex, &mask),
                    _ => {
                        let ((_, value), strict) = stream::<(u32, Variant<'_>)>(name, &hex, &mask);
                        (value, strict)
                    }
                };
                let mut value = value;
                if let Variant::ScalarRef(Scalar::Decimal(decimal)) = &mut value {
                    decimal.reserved = 0;
                }
                assert_eq!((value, strict), (variant(input), true), "{name}");
            }
            ("SAFEARRAY", 0) => {
                let (value, strict) = stream::<Option<SafeArray<'_>>>(name, &hex, &mask);
                let expected = array(array_type(input), input);
                assert_eq!((value, strict), (Some(expected), name != "sa-bstr-0"), "{name}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        rows.len(),
        vectors::json("ndr-oaut/oaut-usermarshal.json")["count"].as_u64().unwrap_or(48) as usize
    );
}

#[test]
fn other_calls_of_a_dispatch_proxy() {
    let rows = rows("dispatch-invoke");
    let row = |call: &str| rows.iter().find(|row| row["call"] == call).unwrap();
    let count = row("GetTypeInfoCount");
    assert_eq!(stream::<(u32, u32)>("count", &count["response"], &count["response_mask"]), ((1, 0), true));

    type Names = (uuid::Uuid, Vec<Option<WideString<'static>>>, u32, u32);
    let names = row("GetIDsOfNames");
    let request = stream::<Names>("names", &names["request"], &names["request_mask"]);
    let name = Some(WideString::new("RemoteConnectionParms"));
    assert_eq!(request, ((uuid::Uuid::nil(), vec![name], 1, 1033), true));
    let response = stream::<(Vec<i32>, u32)>("ids", &names["response"], &names["response_mask"]);
    assert_eq!(response, ((vec![256], 0), true));
}
