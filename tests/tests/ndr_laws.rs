//! Values of the crate's own making: laws, both byte orders, limits, damage.

use std::fmt::Debug;

use ndr_oaut::{
    Bound, Bstr, ByteOrder, DualStringArray, Elements, ExcepInfo, Full, InterfacePointer, InvokeRequest, Ndr,
    ObjRef, ObjRefBody, OrpcExtent, OrpcExtentArray, OrpcThat, OrpcThis, PSafeArray, Record, SafeArray,
    Scalar, SecurityBinding, StdObjRef, StringBinding, Stub, VarType, Variant, Varying, WideString,
};
use remassist_core::{Blob, Decode, DecodeOptions, Encode, EncodeError, Format, Limits};
use testkit::{laws, vectors};
use uuid::{Uuid, uuid};

const IID: Uuid = uuid!("833e4100-aff7-4ac3-aac2-9f24c1457bce");

/// The laws for a value, which keeps all rules, in both byte orders.
fn value<T: Ndr<'static> + PartialEq + Debug + Clone>(value: T) -> &'static [u8] {
    let mut stub = Stub::new(value);
    laws::value(&stub);
    let little = stub.to_vec().unwrap().leak();
    assert_eq!(Stub::<T>::decode_strict(little).unwrap(), stub);
    laws::truncations::<Stub<'_, T>>(little);
    stub.byte_order = ByteOrder::Big;
    let big: &'static [u8] = stub.to_vec().unwrap().leak();
    assert_eq!(big.len(), little.len());
    let read = |bytes| Stub::<T>::read(bytes, ByteOrder::Big, &DecodeOptions::STRICT.with_trace(true));
    let decoded = read(big).unwrap();
    assert_eq!(decoded.value, stub);
    laws::trace_covers(&decoded.trace, big.len());
    let options = DecodeOptions::STRICT.with_trace(true);
    let expected = Stub::<T>::read(little, ByteOrder::Little, &options).unwrap().trace;
    assert_eq!(decoded.trace.len(), expected.len());
    for (big_endian, entry) in decoded.trace.iter().zip(&expected) {
        let range = entry.offset..entry.offset + entry.len;
        assert_eq!((big_endian.offset, big_endian.len, big_endian.at), (entry.offset, entry.len, entry.at));
        let told = (big_endian.format, &big[range.clone()]);
        let expected = (entry.format, &little[range]);
        assert!(says_the_same(told, expected), "{}: {told:?} {expected:?}", entry.at);
    }
    for at in 0..big.len() {
        assert!(read(&big[..at]).is_err());
        let mut damaged = big.to_vec();
        damaged[at] ^= 1 << (at % 8);
        let damaged = damaged.leak();
        if let Ok(d) = Stub::<T>::read(damaged, ByteOrder::Big, &DecodeOptions::TOLERANT) {
            assert_eq!(d.value.to_vec().unwrap(), damaged[..damaged.len() - d.rest.len()]);
        }
    }
    little
}

/// Whether a field recorded in a big-endian stream has the format and value of one in a little-endian stream.
fn says_the_same(big: (Format, &[u8]), little: (Format, &[u8])) -> bool {
    let turned: Vec<_> = little.1.iter().rev().copied().collect();
    match (big.0, little.0) {
        (Format::UintBe, Format::Uint) | (Format::Bytes, Format::Int | Format::Flags) => big.1 == turned,
        (Format::Filler, Format::Filler) => big.1 == turned || big.1 == little.1,
        (Format::GuidBe, Format::Guid) => Uuid::from_slice(big.1) == Uuid::from_slice_le(little.1),
        (Format::Group, Format::Group) | (Format::Utf16Be, Format::Utf16Le) => true,
        // BSTR, VARIANT and SAFEARRAY, single bytes, what has no order.
        (big_format, format) => big_format == format && big.1 == little.1,
    }
}

fn pointer() -> Option<InterfacePointer<'static>> {
    Some(InterfacePointer { objref: b"MEOW...".to_vec().into() })
}

fn record() -> Record<'static> {
    Record { flags: 1, info: pointer(), records: Some(vec![4, 0, 0, 0].into()) }
}

#[test]
fn every_kind_of_variant_keeps_the_laws() {
    let array = |vt, elements| PSafeArray { safearray: Some(Box::new(SafeArray::new(vt, elements))) };
    let deep = Variant::VariantRef(Some(Box::new(Variant::BstrRef(Some(Bstr::new("deep"))))));
    let texts = vec![Some(Bstr::new("a")), Some(Bstr::NULL), None];
    for variant in [
        Variant::Null,
        Variant::Scalar(Scalar::R4(f32::NAN.into())),
        Variant::Scalar(Scalar::Ui8(u64::MAX)),
        Variant::Unknown(pointer()),
        Variant::DispatchRef(pointer()),
        Variant::UnknownRef(None),
        Variant::Record(Some(Box::new(record()))),
        Variant::RecordRef(None),
        Variant::Array { vt: VarType::I4, array: None },
        Variant::ArrayRef { vt: VarType::BSTR, array: Some(array(VarType::BSTR, Elements::Bstr(texts))) },
        Variant::Array {
            vt: VarType::VARIANT,
            array: Some(array(VarType::VARIANT, Elements::Variant(vec![Some(deep.clone()), None]))),
        },
        deep,
    ] {
        value(Some(variant.clone()));
        assert_eq!(variant.clone().into_owned(), variant);
    }
}

#[test]
fn every_kind_of_array_keeps_the_laws() {
    for (vt, elements) in [
        (VarType::UI1, Elements::I1(vec![1, 2, 3].into())),
        (VarType::BOOL, Elements::I2(vec![0xFFFF, 0])),
        (VarType::ERROR, Elements::I4(vec![5])),
        (VarType::CY, Elements::I8(vec![1, 2])),
        (VarType::UNKNOWN, Elements::Unknown(vec![pointer(), None])),
        (VarType::DISPATCH, Elements::Dispatch(vec![pointer()])),
        (VarType::RECORD, Elements::Record(vec![Some(record())])),
        (VarType::UNKNOWN, Elements::HaveIid { iid: IID, pointers: vec![None, pointer()] }),
    ] {
        let array = SafeArray::new(vt, elements);
        assert_eq!(array.clone().into_owned(), array);
        value(Some(array));
    }
    let mut array = SafeArray::new(VarType::I2, Elements::I2((0..24).collect()));
    array.bounds = [(2, -1), (3, 0), (4, 7)].map(|(elements, lower)| Bound { elements, lower }).to_vec();
    value(array.clone());
    array.bounds.pop();
    let error = Stub::new(array).to_vec().unwrap_err();
    assert!(matches!(error, EncodeError::Invalid { .. }), "{error}");
}

#[test]
fn pointees_come_after_the_structure_and_in_the_order_of_their_pointers() {
    let pair = vec![Some(1_u16), None, Some(2)];
    let bytes = value((Some(pair), 7_u8));
    let hex = "00000200 03000000 04000200 00000000 08000200 0100 0200 07".replace(' ', "");
    assert_eq!(bytes, remassist_core::from_hex(&hex).unwrap());
}

#[test]
fn full_pointers_share_their_referent() {
    let new = |id, value: u16| Full::New { id, value };
    let bytes = value((vec![new(1, 9), Full::Null, Full::Again { id: 1 }, new(2, 8)], Full::<u16>::Null));
    assert_eq!(bytes.len(), 4 + 4 * 4 + 2 * 2 + 4);
    for wrong in [vec![Full::Again { id: 1 }], vec![new(0, 1)], vec![new(1, 1), new(1, 1)]] {
        assert!(Stub::new(wrong).to_vec().is_err());
    }
}

#[test]
fn arrays_that_vary_and_strings_keep_the_laws() {
    value(Some(Varying { max_count: 9, offset: 2, elements: vec![Some(1_u32), None] }));
    let bytes = value(Some(WideString::new("Grüße")));
    let mut roomy = bytes.to_vec();
    roomy[4] = 64;
    assert!(laws::bytes::<Stub<'_, Option<WideString<'_>>>>(&roomy));
    assert!(Stub::new(Varying { max_count: 1, offset: 1, elements: vec![1_u8] }).to_vec().is_err());
}

#[test]
fn counts_that_lie_neither_allocate_nor_pass() {
    let mut bytes = Stub::new(vec![1_u8]).to_vec().unwrap();
    bytes[..4].copy_from_slice(&60_000_u32.to_le_bytes());
    let error = Stub::<Vec<u8>>::decode(&bytes).unwrap_err();
    assert_eq!(error.offset(), 5);
    bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = Stub::<Vec<u8>>::decode(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "NDR stream at byte 4: more than the configured limit of 65536 (items) ([C706] 14.4)"
    );
    assert!(Stub::<Blob<'_>>::decode(&bytes).is_err());
}

#[test]
fn variants_in_variants_are_limited() {
    let mut variant = Variant::Empty;
    for _ in 0..15 {
        variant = Variant::VariantRef(Some(Box::new(variant)));
    }
    let bytes = Stub::new(variant.clone()).to_vec().unwrap();
    assert_eq!(Stub::<Variant<'_>>::decode_strict(&bytes).unwrap().value, variant);
    let deeper = Stub::new(Variant::VariantRef(Some(Box::new(variant)))).to_vec().unwrap();
    assert!(Stub::<Variant<'_>>::decode(&deeper).unwrap_err().to_string().contains("(depth)"));
    let limits = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_depth(17));
    assert!(Stub::<Variant<'_>>::decode_with(&deeper, &limits).is_ok());
}

#[test]
fn rules_of_invoke_are_deviations() {
    let by_ref = || Some(Variant::ScalarRef(Scalar::I4(1)));
    let mut request =
        InvokeRequest { var_ref_index: vec![0], var_ref: vec![by_ref()], ..InvokeRequest::default() };
    request.iid = IID;
    request.params.args = Some(vec![by_ref()]);
    request.params.named = Some(vec![1, 2]);
    let bytes = Stub::new(request.clone()).to_vec().unwrap();
    let decoded = Stub::<InvokeRequest<'_>>::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
    let texts: Vec<_> = decoded.deviations.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts.iter().map(|text| text.split(" at ").next().unwrap()).collect::<Vec<_>>(),
        [
            "DISPPARAMS.cNamedArgs",
            "IDispatch::Invoke.riid",
            "IDispatch::Invoke.dwFlags",
            "IDispatch::Invoke.pDispParams",
            "IDispatch::Invoke.rgVarRefIdx"
        ]
    );
    request.var_ref_index.clear();
    assert!(Stub::new(request).to_vec().is_err());
    value(ExcepInfo { source: None, scode: 1, ..ExcepInfo::NONE });
}

#[test]
fn orpc_headers_keep_the_laws() {
    let extent = |data: &[u8]| OrpcExtent { id: IID, data: data.to_vec().into() };
    let this = OrpcThis { cid: IID, ..OrpcThis::default() };
    assert_eq!(value(this.clone()).len(), 32);
    assert_eq!(value(OrpcThat::default()), [0; 8]);
    let array = OrpcExtentArray::new(vec![extent(b"abc"), extent(b"12345678"), extent(b"")]);
    assert_eq!(array.iter().count(), 3);
    value(OrpcThis { extensions: Some(array.clone()), ..this });
    value(OrpcThat { flags: 1, extensions: Some(array.clone()) });
    let mut wrong = array;
    wrong.size = 2;
    let bytes = Stub::new(wrong).to_vec().unwrap();
    assert!(Stub::<OrpcExtentArray<'_>>::decode_strict(&bytes).is_err());
    assert!(laws::bytes::<Stub<'_, OrpcExtentArray<'_>>>(&bytes));
}

fn bindings() -> DualStringArray {
    let string = StringBinding { tower_id: 7, network_address: "::1[4711]".to_owned() };
    let security = SecurityBinding { authentication_service: 10, principal: String::new() };
    DualStringArray::new(&[string.clone(), string], &[security])
}

#[test]
fn bindings_are_read_as_they_were_made() {
    let array = bindings();
    laws::value(&array);
    laws::json(&array);
    assert_eq!(DualStringArray::decode_strict(&array.to_vec().unwrap()).unwrap(), array);
    value(Some(array.clone()));
    assert_eq!(array.string_bindings().len(), 2);
    assert_eq!(array.string_bindings()[1].network_address, "::1[4711]");
    assert_eq!(
        array.security_bindings(),
        [SecurityBinding { authentication_service: 10, principal: String::new() }]
    );
    let smallest = DualStringArray::new(&[], &[]).to_vec().unwrap();
    assert_eq!(smallest, [4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(DualStringArray::decode_strict(&smallest).is_ok());
    assert!(DualStringArray::decode(&[1, 0, 2, 0, 0, 0]).is_err());
}

#[test]
fn object_references_keep_the_laws() {
    let std = StdObjRef { flags: StdObjRef::NO_PING, public_refs: 5, oxid: 1, oid: 2, ipid: IID };
    value(std);
    let resolver = bindings();
    let data: Blob<'_> = b"12345".to_vec().into();
    for body in [
        ObjRefBody::Standard { std, resolver: resolver.clone() },
        ObjRefBody::Handler { std, clsid: IID, resolver: resolver.clone() },
        ObjRefBody::Custom { clsid: IID, extension: 0, reserved: 13, data: data.clone() },
        ObjRefBody::Extended { std, resolver, data_id: IID, data, padding: vec![0; 3].into() },
    ] {
        let objref = ObjRef { iid: IID, body };
        laws::value(&objref);
        laws::json(&objref);
        assert_eq!(objref.clone().into_owned(), objref);
        assert_eq!(ObjRef::decode_strict(&objref.to_vec().unwrap()).unwrap(), objref);
    }
}

#[test]
fn object_references_of_others() {
    let file = vectors::json("ndr-oaut/objref.json");
    let number = |v: &serde_json::Value| u64::from_str_radix(&vectors::text(v)[2..], 16).unwrap();
    for row in file["vectors"].as_array().unwrap() {
        let bytes = vectors::hex(&row["objref"]).leak();
        assert!(laws::bytes::<ObjRef<'_>>(bytes));
        let decoded = &row["decoded"];
        let std = &decoded["STDOBJREF"];
        let expected = ObjRef {
            iid: vectors::text(&decoded["iid"]).parse().unwrap(),
            body: ObjRefBody::Standard {
                std: StdObjRef {
                    flags: number(&std["flags"]) as u32,
                    public_refs: std["cPublicRefs"].as_u64().unwrap() as u32,
                    oxid: number(&std["oxid"]),
                    oid: number(&std["oid"]),
                    ipid: vectors::text(&std["ipid"]).parse().unwrap(),
                },
                // Not even the terminators, which is a deviation.
                resolver: DualStringArray::default(),
            },
        };
        assert_eq!(ObjRef::decode(bytes).unwrap(), expected);
        assert!(ObjRef::decode_strict(bytes).is_err());
    }
    assert_eq!(file["count"], 4);
}
