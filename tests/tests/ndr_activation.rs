//! Activation properties: those of other software, values of the crate's own making, and hostile ones.

use ndr_oaut::{
    ActivationContextInfoData, ActivationProperties, ByteOrder, CoServerInfo, CustomObjRef, DualStringArray,
    InstanceInfoData, InstantiationInfoData, InterfacePointer, LocationInfoData, ObjRef, ObjRefBody,
    Property, PropsOut, PropsOutInfo, Ref, RemoteReplyScmInfo, RemoteRequestScmInfo, ScmReplyInfoData,
    ScmRequestInfoData, SecurityBinding, SecurityInfoData, Serialized, SpecialPropertiesData,
    SpecialReserved, StringBinding, Stub, WideString,
};
use remassist_core::{Blob, Decode, DecodeOptions, Encode, Limits};
use serde_json::Value;
use testkit::{laws, vectors};
use uuid::{Uuid, uuid};

type Reference = CustomObjRef<ActivationProperties<'static>>;

const CLASS: Uuid = uuid!("833e4010-aff7-4ac3-aac2-9f24c1457bce");
const IID: Uuid = uuid!("833e4100-aff7-4ac3-aac2-9f24c1457bce");

/// Whether JSON says all that was expected.
fn says(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| actual.get(name).is_some_and(|actual| says(actual, expected))),
        (Value::Object(actual), Value::String(_)) => says(&actual["objref"], expected),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| says(a, e))
        }
        (Value::String(actual), Value::String(expected)) => {
            actual.strip_suffix('\0').unwrap_or(actual) == expected
        }
        _ => actual == expected,
    }
}

#[test]
fn properties_of_others_say_what_was_put_in() {
    let file = vectors::json("ndr-oaut/activation.json");
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(file["count"], cases.len());
    for case in cases {
        let name = vectors::text(&case["name"]);
        let bytes = vectors::hex(&case["hex"]).leak();
        let reference = Reference::decode(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(laws::bytes::<Reference>(bytes), "{name}");
        laws::json(&reference);
        laws::truncations::<Reference>(bytes);
        assert_eq!(reference.clone().into_owned(), reference);
        // Those of the client are as the first.
        let damage = (!name.contains("sends")).then(|| testkit::damage::all::<Reference>(bytes));
        for damaged in damage.into_iter().flatten() {
            laws::bytes::<Reference>(damaged.leak());
        }
        assert_eq!(reference.is_request(), !name.contains("reply"));

        let expected = case["expected"].as_array().unwrap();
        let properties = &reference.value.properties;
        assert_eq!(properties.len(), expected.len(), "{name}");
        for (property, expected) in properties.iter().zip(expected) {
            let actual = serde_json::to_value(property).unwrap();
            let (kind, expected) = expected.as_object().unwrap().iter().next().unwrap();
            let actual = if kind == "Unknown" { &actual[kind] } else { &actual[kind]["value"] };
            assert!(says(actual, expected), "{name}: {actual} is not {expected}");
        }

        // What is made of the values alone keeps all rules and says the same.
        let mut again = ActivationProperties::new(properties.clone());
        again.properties.iter_mut().for_each(plain);
        let again = if reference.is_request() { Reference::request(again) } else { Reference::reply(again) };
        let bytes = again.to_vec().unwrap().leak();
        let read = Reference::decode_strict(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(read, again, "{name}");
    }
}

/// Leaves of a property nothing but its value.
fn plain(property: &mut Property<'static>) {
    *property = match property.clone() {
        Property::InstantiationInfo(p) => p.value.into(),
        Property::SpecialProperties(p) => p.value.into(),
        Property::InstanceInfo(p) => p.value.into(),
        Property::ScmRequestInfo(p) => p.value.into(),
        Property::ActivationContextInfo(p) => p.value.into(),
        Property::ServerLocationInfo(p) => p.value.into(),
        Property::SecurityInfo(p) => p.value.into(),
        Property::ScmReplyInfo(p) => p.value.into(),
        Property::PropsOutInfo(p) => p.value.into(),
        unknown => unknown,
    }
}

fn pointer() -> Option<InterfacePointer<'static>> {
    Some(InterfacePointer { objref: b"MEOW...".to_vec().into() })
}

fn request() -> ActivationProperties<'static> {
    let name = || Some(WideString::new("novice"));
    let protseqs = RemoteRequestScmInfo { client_imp_level: 2, requested_protseqs: Some(vec![7]) };
    let server = CoServerInfo { name: name(), pdw_reserved: Some(1), ..CoServerInfo::default() };
    ActivationProperties::new(vec![
        SpecialPropertiesData::new(Some(3)).into(),
        InstantiationInfoData::new(CLASS, vec![IID, Uuid::nil()]).into(),
        ActivationContextInfoData { client_ctx: pointer(), ..ActivationContextInfoData::default() }.into(),
        SecurityInfoData { server_info: Some(server), ..SecurityInfoData::default() }.into(),
        InstanceInfoData { file_name: name(), mode: 2, stg: pointer(), ..InstanceInfoData::default() }.into(),
        LocationInfoData { machine_name: name(), ..LocationInfoData::default() }.into(),
        Property::Unknown { clsid: IID, data: b"12345".to_vec().into() },
        ScmRequestInfoData { pdw_reserved: Some(5), remote_request: Ref(protseqs) }.into(),
    ])
}

fn reply() -> ActivationProperties<'static> {
    let string = StringBinding { tower_id: 7, network_address: "192.0.2.1[49152]".to_owned() };
    let security = SecurityBinding { authentication_service: 10, principal: String::new() };
    let remote_reply = Ref(RemoteReplyScmInfo {
        oxid: 1,
        oxid_bindings: Ref(DualStringArray::new(&[string], &[security])),
        ipid_rem_unknown: IID,
        authn_hint: 6,
        ..RemoteReplyScmInfo::default()
    });
    let interfaces = vec![
        PropsOut { iid: IID, hresult: 0, pointer: pointer() },
        PropsOut { iid: CLASS, hresult: 0x8000_4002, pointer: None },
    ];
    ActivationProperties::new(vec![
        PropsOutInfo { interfaces }.into(),
        ScmReplyInfoData { pdw_reserved: None, remote_reply }.into(),
    ])
}

#[test]
fn requests_and_replies_keep_the_laws() {
    for reference in [Reference::request(request()), Reference::reply(reply())] {
        let bytes = reference.to_vec().unwrap().leak();
        assert_eq!(Reference::decode_strict(bytes).unwrap(), reference);
        laws::value(&reference.value);
        laws::value(&reference);
        laws::json(&reference);
        // The same bytes as any other OBJREF: the size of the data and 8 more.
        let objref = ObjRef::decode_strict(bytes).unwrap();
        let ObjRefBody::Custom { clsid, extension: 0, reserved, data } = objref.body else { panic!() };
        assert_eq!((clsid, objref.iid), (reference.clsid, reference.iid));
        assert_eq!(reserved as usize, data.len() + 8);
        assert_eq!(&*data, reference.value.to_vec().unwrap());
    }
}

#[test]
fn properties_are_found_by_their_class() {
    let (request, reply) = (request(), reply());
    assert_eq!(request.instantiation_info().unwrap().iids.len(), 2);
    assert_eq!(request.special_properties().unwrap().session_id, 3);
    assert_eq!(request.special_properties().unwrap().remote_this_session_id, 1);
    assert_eq!(request.scm_request_info().unwrap().remote_request.0.protseqs(), [7]);
    assert!(request.scm_reply_info().is_none());
    assert_eq!(reply.scm_reply_info().unwrap().remote_reply.0.authn_hint, 6);
    assert_eq!(reply.props_out_info().unwrap().interfaces[0].pointer, pointer());
    assert_eq!(SpecialPropertiesData::new(None).remote_this_session_id, 0);
}

#[test]
fn this_size_is_the_size_of_the_property() {
    for count in 1..4 {
        let info = InstantiationInfoData::new(CLASS, vec![IID; count]);
        let size = info.this_size as usize;
        assert_eq!(Serialized::from(info).encoded_len(), size);
    }
}

#[test]
fn big_endian_properties_are_read_and_written() {
    let mut blob = reply();
    blob.frame.byte_order = ByteOrder::Big;
    for property in &mut blob.properties {
        match property {
            Property::PropsOutInfo(p) => p.frame.byte_order = ByteOrder::Big,
            Property::ScmReplyInfo(p) => p.frame.byte_order = ByteOrder::Big,
            _ => {}
        }
    }
    laws::value(&blob);
    let bytes = blob.to_vec().unwrap();
    assert_eq!(bytes[8..16], [1, 0, 8, 0, 0xCC, 0xCC, 0xCC, 0xCC]);
    // Length of the header's value, totalSize.
    assert_eq!(bytes[16..20], 96_u32.to_be_bytes());
    assert_eq!(bytes[24..28], (bytes.len() as u32 - 8).to_be_bytes());
}

#[test]
fn both_definitions_of_special_properties_are_read() {
    let usual = SpecialPropertiesData::new(None);
    let reserved = SpecialReserved::Alternate([1, 2, 3, 4, 5, 6, 7, 8]);
    let alternate = SpecialPropertiesData { reserved, ..usual };
    for (value, len) in [(usual, 16 + 88), (alternate, 16 + 80)] {
        let stream = Serialized::from(value);
        laws::value(&stream);
        let bytes = stream.to_vec().unwrap().leak();
        assert_eq!(bytes.len(), len);
        assert_eq!(Serialized::<SpecialPropertiesData>::decode_strict(bytes).unwrap(), stream);
    }
}

/// Bytes of the blob of [`reply`] with a number put in place of another.
fn changed(at: usize, number: u32) -> &'static [u8] {
    let mut bytes = reply().to_vec().unwrap();
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    bytes.leak()
}

fn error(bytes: &'static [u8]) -> String {
    ActivationProperties::decode(bytes).unwrap_err().to_string()
}

#[test]
fn sizes_that_lie_are_errors() {
    let len = u32::try_from(reply().encoded_len()).unwrap();
    let end = "([MS-DCOM] 2.2.22)";
    let errors = [
        error(changed(0, len)),
        error(changed(0, len - 16)),
        error(changed(0, u32::MAX)),
        error(changed(24, len)),
        error(changed(28, 112 - 8)),
        error(changed(28, 112 + 8)),
        error(changed(28, u32::MAX)),
        error(changed(40, 0)),
        error(changed(40, 1)),
        error(changed(72, 1000)),
        error(changed(112, 0x7FFF_FFFF)),
        error(changed(112, 8)),
        error(changed(60, 0)),
    ];
    let text = errors.join("\n").replace(end, "..");
    expect_test::expect![[r#"
        Activation Properties BLOB.dwSize at byte 8: need 352 bytes, 344 left ..
        CustomHeader.totalSize at byte 24: length or offset 344 does not fit its container of 336 ([MS-DCOM] 2.2.22.1)
        Activation Properties BLOB.dwSize at byte 8: need 4294967295 bytes, 344 left ..
        CustomHeader.totalSize at byte 24: length or offset 352 does not fit its container of 344 ([MS-DCOM] 2.2.22.1)
        CustomHeader.headerSize at byte 28: length or offset 104 does not fit its container of 112 ([MS-DCOM] 2.2.22.1)
        Common Type Header.Version at byte 128: value 0x60 is not allowed here ([MS-RPCE] 2.2.6.1)
        Type Serialization Version 1 at byte 120: need 4294967183 bytes, 232 left ([MS-RPCE] 2.2.6.2)
        CustomHeader.cIfs at byte 40: value 0x0 is not allowed here ([MS-DCOM] 2.2.22.1)
        CustomHeader.cIfs at byte 40: length or offset 1 does not fit its container of 2 ([MS-DCOM] 2.2.22.1)
        CustomHeader.pclsid at byte 108: need 16 bytes, 12 left ([MS-DCOM] 2.2.22.1)
        CustomHeader.pSizes at byte 120: need 2147483647 bytes, 232 left ([MS-DCOM] 2.2.22.1)
        Private Header for Constructed Type.ObjectBufferLength at byte 128: need 4 bytes, 0 left ([MS-RPCE] 2.2.6.2)
        CustomHeader.pclsid at byte 60: a pointer that needs a referent is null ([MS-DCOM] 2.2.22.1)"#]].assert_eq(&text);
}

#[test]
fn more_than_ten_properties_are_a_deviation_up_to_the_limit() {
    let of = |count: u128| {
        let unknown = |n| Property::Unknown { clsid: Uuid::from_u128(n), data: b"12345678".to_vec().into() };
        ActivationProperties::new((0..count).map(unknown).collect()).to_vec().unwrap().leak()
    };
    assert!(ActivationProperties::decode_strict(of(10)).is_ok());
    let eleven = of(11);
    assert!(laws::bytes::<ActivationProperties<'_>>(eleven));
    let error = ActivationProperties::decode_strict(eleven).unwrap_err().to_string();
    assert_eq!(error, "CustomHeader.cIfs at byte 40: value 0xb is not allowed here ([MS-DCOM] 2.2.22.1)");
    let options = |items| DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_items(items));
    let decoded = ActivationProperties::decode_with(eleven, &options(11)).unwrap();
    assert_eq!((decoded.value.properties.len(), decoded.deviations.len()), (11, 1));
    assert!(ActivationProperties::decode_with(eleven, &options(10)).is_err());
}

#[test]
fn the_header_size_is_right_whatever_the_header_holds() {
    let mut blob = request();
    blob.pdw_reserved = Some(7);
    assert!(laws::bytes::<ActivationProperties<'_>>(blob.to_vec().unwrap().leak()));
    blob.frame.padding = Some(vec![1; 5].into());
    blob.frame.rest = b"\xFA\xFA".to_vec().into();
    let bytes = blob.to_vec().unwrap().leak();
    assert!(laws::bytes::<ActivationProperties<'_>>(bytes));
    assert_eq!(ActivationProperties::decode(bytes).unwrap(), blob);
}

#[test]
fn rules_of_properties_are_deviations() {
    let mut blob = reply();
    let again = blob.properties[1].clone();
    blob.properties.push(again);
    blob.class_info = IID;
    let Property::PropsOutInfo(p) = &mut blob.properties[0] else { panic!() };
    p.value.interfaces[1].pointer = pointer();
    p.frame.padding = Some(vec![0; 12].into());
    p.frame.rest = b"\xFA".to_vec().into();
    let mut reference = Reference::reply(blob);
    reference.iid = IID;
    let bytes = reference.to_vec().unwrap().leak();
    assert!(laws::bytes::<Reference>(bytes));
    let decoded = Reference::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(decoded.value, reference);
    let texts: Vec<_> = decoded.deviations.iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        OBJREF.iid at byte 8: iid does not go with clsid ([MS-DCOM] 2.2.18)
        CustomHeader.classInfoClsid at byte 92: classInfoClsid is not GUID_NULL ([MS-DCOM] 2.2.22.1)
        Private Header for Constructed Type.ObjectBufferLength at byte 200: the length is not a multiple of 8 ([MS-RPCE] 2.2.6.2)
        PropsOutInfo.ppIntfData at byte 208: a success without a pointer, or a failure with one ([MS-DCOM] 2.2.22.2.9)
        Type Serialization Version 1.padding at byte 315: 12 bytes left after the value ([MS-RPCE] 2.2.6.2)
        Type Serialization Version 1 at byte 327: 1 bytes left after the value ([MS-RPCE] 2.2.6.2)
        CustomHeader.pclsid at byte 156: a property stands twice ([MS-DCOM] 2.2.22.1)"#]].assert_eq(&texts.join("\n"));
}

#[test]
fn references_of_other_classes_are_refused() {
    let mut reference = Reference::request(request());
    reference.clsid = IID;
    assert!(reference.to_vec().is_err());
    let custom = |clsid| {
        let data: Blob<'_> = b"12345".to_vec().into();
        let body = ObjRefBody::Custom { clsid, extension: 0, reserved: 13, data };
        let bytes = ObjRef { iid: IID, body }.to_vec().unwrap().leak();
        Reference::decode(bytes).unwrap_err().to_string()
    };
    expect_test::expect!["OBJREF_CUSTOM.clsid at byte 24: not a class of such data ([MS-DCOM] 2.2.18.6)"]
        .assert_eq(&custom(IID));
    expect_test::expect![
        "Activation Properties BLOB.dwReserved at byte 52: need 4 bytes, 1 left ([MS-DCOM] 2.2.22)"
    ]
    .assert_eq(&custom(uuid!("00000338-0000-0000-c000-000000000046")));
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let none = ActivationProperties::new(vec![]);
    assert!(none.to_vec().is_err());
    let hidden = Property::Unknown { clsid: request().properties[0].clsid(), data: Blob::default() };
    assert!(ActivationProperties::new(vec![hidden]).to_vec().is_err());

    assert!(Stub::new(InstantiationInfoData::new(CLASS, vec![])).to_vec().is_err());
    assert!(Stub::new(InstantiationInfoData::new(CLASS, vec![IID; 0x8001])).to_vec().is_err());
    assert!(Stub::new(PropsOutInfo::default()).to_vec().is_err());
    let protseqs = |count| {
        let requested_protseqs = Some(vec![7; count]);
        Stub::new(RemoteRequestScmInfo { client_imp_level: 2, requested_protseqs }).to_vec()
    };
    assert!(protseqs(0x8001).is_err() && protseqs(0x1_0007).is_err());
    assert!(Stub::<RemoteRequestScmInfo>::decode_strict(&protseqs(0x8000).unwrap()).is_ok());
}
