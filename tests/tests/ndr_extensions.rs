//! Contexts, ORPC extensions, user-defined types: made by hand after the figures, since no software at hand writes them.

use ndr_oaut::{
    ByteOrder, Context, ContextExtension, ContextProperty, CustomObjRef, Decimal, Elements, ErrorInfo,
    OrpcExtent, PolicyData, Record, RecordInfoData, SafeArray, Scalar, Stub, VarType, Variant,
};
use remassist_core::{Decode, DecodeOptions, Encode, Utf16Le};
use testkit::laws;
use uuid::{Uuid, uuid};

const IID: Uuid = uuid!("833e4100-aff7-4ac3-aac2-9f24c1457bce");
/// Of IErrorInfo.
const ERROR_INFO: Uuid = uuid!("1cf2b120-547d-101b-8e65-08002b2bd119");

fn hex(text: &str) -> Vec<u8> {
    remassist_core::from_hex(&text.replace([' ', '\n'], "")).unwrap()
}

fn deviations<'a, T: Decode<'a> + Encode>(bytes: &'a [u8]) -> Vec<String> {
    assert!(T::decode_strict(bytes).is_err());
    let decoded = T::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(decoded.value.to_vec().unwrap(), bytes);
    decoded.deviations.iter().map(ToString::to_string).collect()
}

#[test]
fn contexts_keep_the_laws() {
    let property = |clsid, flags, data: &[u8]| ContextProperty {
        clsid,
        policy_id: IID,
        flags,
        data: data.to_vec().into(),
    };
    let properties = vec![
        property(Uuid::nil(), ContextProperty::EXPOSE, b"MEOW"),
        property(IID, ContextProperty::ENVOY, b""),
    ];
    let context = Context::new(IID, properties);
    laws::value(&context);
    laws::json(&context);
    assert_eq!(context.clone().into_owned(), context);
    let reference = CustomObjRef::new(context.clone());
    laws::value(&reference);
    assert_eq!(CustomObjRef::decode_strict(&reference.to_vec().unwrap()).unwrap(), reference);

    let bytes = Context::new(IID, vec![]).to_vec().unwrap();
    let start = "0100 0100 00413e83f7afc34aaac29f24c1457bce 02000000 00000000";
    assert_eq!(bytes, hex(&format!("{start} 00000000 00000000 00000000 00000000 01000000")));
    let mut many = bytes.clone();
    many[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(Context::decode(&many).unwrap_err().to_string().contains("(items)"));
    for at in [0, 2, 28, 32] {
        let mut wrong = bytes.clone();
        wrong[at] = 9;
        assert_eq!(Context::decode(&wrong).unwrap_err().offset(), at);
    }
    let odd = Context { flags: 1, properties: vec![property(IID, 3, b"")], ..context };
    expect_test::expect![[r#"
        Context.Flags at byte 20: value 0x1 is not allowed here ([MS-DCOM] 2.2.20)
        PROPMARSHALHEADER.flags at byte 80: value 0x3 is not allowed here ([MS-DCOM] 2.2.20.1)"#]]
    .assert_eq(&deviations::<Context<'_>>(&odd.to_vec().unwrap()).join("\n"));
}

#[test]
fn error_information_keeps_the_laws() {
    let info = ErrorInfo {
        help_context: 7,
        iid: IID,
        source: Some(Utf16Le::with_nul("RA")),
        description: None,
        help_file: Some(Utf16Le::with_nul("")),
    };
    laws::value(&info);
    laws::json(&info);
    laws::truncations::<ErrorInfo<'_>>(info.to_vec().unwrap().leak());
    assert_eq!(info.clone().into_owned(), info);
    let bytes = info.to_vec().unwrap();
    let expected = "00000000 07000000 00413e83f7afc34aaac29f24c1457bce
        ffffffff 03000000 00000000 03000000 520041000000
        00000000
        ffffffff 01000000 00000000 01000000 0000";
    assert_eq!(bytes, hex(expected));
    // Any interface may stand in the reference.
    let reference = CustomObjRef { iid: ERROR_INFO, ..CustomObjRef::new(info.clone()) };
    laws::value(&reference);
    assert_eq!(CustomObjRef::decode_strict(&reference.to_vec().unwrap()).unwrap(), reference);

    for (at, byte) in [(0, 1), (24, 0), (28, 2), (32, 1), (36, 4), (46, 1)] {
        let mut wrong = bytes.clone();
        wrong[at] = byte;
        assert!(ErrorInfo::decode(&wrong).is_err(), "{at}");
    }
    let open = ErrorInfo { source: Some(Utf16Le::new("RA")), ..info };
    expect_test::expect![
        "ErrorInfoString.Name at byte 40: a string does not end with its only NUL ([MS-DCOM] 2.2.21.3)"
    ]
    .assert_eq(&deviations::<ErrorInfo<'_>>(&open.to_vec().unwrap()).join("\n"));
}

fn policies() -> ContextExtension<'static> {
    let policy = |data: &[u8]| PolicyData { reserved: 0, policy_id: IID, data: data.to_vec().into() };
    let policies = vec![policy(b"abc"), policy(b"12345678")];
    ContextExtension { buffer: 256, policies, ..ContextExtension::default() }
}

#[test]
fn context_extensions_keep_the_laws_in_both_orders() {
    let extension = policies();
    assert_eq!(extension.clone().into_owned(), extension);
    let mut stub = Stub::new(extension);
    laws::value(&stub);
    laws::json(&stub);
    let expected = "4b554e41 00000100 02000000 00010000 60000000 00000000 00000000 00000000
        4e414e49 03000000 60000000 00000000 00413e83f7afc34aaac29f24c1457bce
        4e414e49 08000000 68000000 00000000 00413e83f7afc34aaac29f24c1457bce
        6162630000000000 3132333435363738";
    let bytes = stub.to_vec().unwrap();
    assert_eq!(bytes, hex(expected));
    laws::truncations::<Stub<'_, ContextExtension<'_>>>(bytes.leak());
    stub.byte_order = ByteOrder::Big;
    let bytes = stub.to_vec().unwrap().leak();
    assert_eq!(bytes[..8], hex("414e554b 00010000"));
    let again = Stub::read(bytes, ByteOrder::Big, &DecodeOptions::STRICT).unwrap();
    assert_eq!(again.value, stub);
    let extent = OrpcExtent { id: OrpcExtent::CONTEXT, data: bytes.to_vec().into() };
    assert_eq!(OrpcExtent::ERROR.as_fields().0, 0x31C);
    laws::value(&Stub::new(extent));
}

#[test]
fn sizes_of_context_extensions_that_lie_are_errors() {
    let bytes = Stub::new(policies()).to_vec().unwrap();
    let error = |at: usize, number: u32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        Stub::<ContextExtension<'_>>::decode(&bytes).unwrap_err().to_string()
    };
    let errors = [
        error(0, 1),
        error(4, 1),
        error(8, 3),
        error(8, u32::MAX),
        error(16, 0),
        error(32, 1),
        error(36, u32::MAX),
        error(40, 0x68),
        error(68, 16),
        error(72, 0x60),
    ];
    expect_test::expect![[r#"
        Context ORPC Extension.Signature at byte 0: value 0x1 is not allowed here ([MS-DCOM] 2.2.21.4)
        Context ORPC Extension.Version at byte 4: value 0x1 is not allowed here ([MS-DCOM] 2.2.21.4)
        Context ORPC Extension.cbSize at byte 16: length or offset 96 does not fit its container of 128 ([MS-DCOM] 2.2.21.4)
        Context ORPC Extension.cbSize at byte 16: length or offset 96 does not fit its container of 137438953472 ([MS-DCOM] 2.2.21.4)
        Context ORPC Extension.cbSize at byte 16: length or offset 0 does not fit its container of 96 ([MS-DCOM] 2.2.21.4)
        EntryHeader.Signature at byte 32: value 0x1 is not allowed here ([MS-DCOM] 2.2.21.5)
        EntryHeader.cbSize at byte 72: length or offset 104 does not fit its container of 4294967392 ([MS-DCOM] 2.2.21.5)
        EntryHeader.cbSize at byte 40: length or offset 104 does not fit its container of 96 ([MS-DCOM] 2.2.21.5)
        Context ORPC Extension.PolicyData at byte 104: need 16 bytes, 8 left ([MS-DCOM] 2.2.21.4)
        EntryHeader.cbSize at byte 72: length or offset 96 does not fit its container of 104 ([MS-DCOM] 2.2.21.5)"#]].assert_eq(&errors.join("\n"));
}

#[test]
fn types_of_records_keep_the_laws() {
    let info = RecordInfoData { library: IID, major: 1, record: ERROR_INFO, minor: 2, lcid: 1033 };
    laws::value(&info);
    let reference = CustomObjRef::new(info);
    laws::value(&reference);
    laws::json(&reference);
    assert_eq!(CustomObjRef::decode_strict(&reference.to_vec().unwrap()).unwrap(), reference);
    let bytes = info.to_vec().unwrap();
    let expected =
        "00413e83f7afc34aaac29f24c1457bce 01000000 20b1f21c7d541b108e6508002b2bd119 02000000 09040000";
    assert_eq!(bytes, hex(expected));
}

#[test]
fn records_begin_with_their_size_and_tell_their_type() {
    let record = Record { flags: 1, info: None, records: Some(vec![5, 0, 0, 0].into()) };
    let bytes = Stub::new(record).to_vec().unwrap();
    expect_test::expect![[r#"
        _wireBRECORD.pRecord at byte 4: the records do not begin with clSize ([MS-OAUT] 2.2.28.2.1)
        _wireBRECORD.pRecInfo at byte 8: the type of the records is not told ([MS-OAUT] 2.2.28.2.1)"#]]
    .assert_eq(&deviations::<Stub<'_, Record<'_>>>(&bytes).join("\n"));
    let short = Record { flags: 1, info: None, records: Some(vec![2, 0].into()) };
    let bytes = Stub::new(short).to_vec().unwrap();
    assert_eq!(deviations::<Stub<'_, Record<'_>>>(&bytes).len(), 2);
}

#[test]
fn errors_in_decimals_point_at_them_wherever_they_stand() {
    let decimal = |scale, sign| Decimal { scale, sign, ..Decimal::default() };
    let bytes = Stub::new(vec![decimal(29, 0), decimal(0, 1)]).to_vec().unwrap();
    let decoded = Stub::<Vec<Decimal>>::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
    let offsets: Vec<_> = decoded.deviations.iter().map(|d| d.offset).collect();
    assert_eq!(offsets, [8 + 2, 8 + 16 + 3]);
    let bytes = Stub::new(Variant::Scalar(Scalar::Decimal(decimal(29, 0)))).to_vec().unwrap();
    let decoded = Stub::<Variant<'_>>::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(decoded.deviations[0].offset, 24 + 2);
}

#[test]
fn the_place_of_a_reference_pointer_may_hold_anything() {
    let place = 4 + 4 * 6;
    for (elements, vt) in [
        (Elements::Bstr(vec![None]), VarType::BSTR),
        (Elements::Variant(vec![None]), VarType::VARIANT),
        (Elements::Unknown(vec![None]), VarType::UNKNOWN),
    ] {
        let array = SafeArray::new(vt, elements);
        let mut bytes = Stub::new(Some(array.clone())).to_vec().unwrap();
        assert_eq!(bytes[place - 4..place], [1, 0, 0, 0]);
        for number in [0_u32, 1, 0xAEF1_AEF1] {
            bytes[place..place + 4].copy_from_slice(&number.to_le_bytes());
            let stub = Stub::<Option<SafeArray<'_>>>::decode_strict(&bytes).unwrap();
            assert_eq!(stub.value.as_ref(), Some(&array));
            assert_eq!(stub.to_vec().unwrap(), bytes);
        }
    }
    // That of numbers is a unique pointer.
    let mut bytes = Stub::new(Some(SafeArray::new(VarType::I2, Elements::I2(vec![1])))).to_vec().unwrap();
    bytes[place..place + 4].fill(0);
    assert_eq!(Stub::<Option<SafeArray<'_>>>::decode(&bytes).unwrap_err().offset(), place);
}
