use std::fmt::Debug;

use ndr_oaut::{
    ActivationProperties, Bstr, ByteOrder, Context, ContextExtension, CustomObjRef, DualStringArray,
    ErrorInfo, Frame, InvokeRequest, InvokeResponse, Ndr, ObjRef, OrpcThat, OrpcThis, Property,
    RecordInfoData, SafeArray, Stub, Variant,
};
use remassist_core::{Decode, DecodeOptions, Encode};

use super::Oracle;
use crate::laws;

pub(super) const ALL: &[Oracle] =
    &[("ndr_value", value), ("ndr_objref", objref), ("ndr_orpc", orpc), ("ndr_activation", activation)];

/// The laws for a stream in the order that the choice tells. What is made of its value alone is read as that value;
/// what is left of it in the other order does not panic.
fn stream<'a, T: Ndr<'a> + PartialEq + Debug + Clone>(order: ByteOrder, input: &'a [u8]) {
    if order == ByteOrder::Little {
        laws::bytes::<Stub<'_, T>>(input);
    }
    let read = |options| Stub::<T>::read(input, order, options);
    let strict = read(&DecodeOptions::STRICT);
    match read(&DecodeOptions::TOLERANT.with_trace(true)) {
        Err(e) => {
            assert!(strict.is_err(), "strict accepts what tolerant refuses: {e}");
            assert!(e.offset() <= input.len(), "{e}");
        }
        Ok(decoded) => {
            assert_eq!(decoded.deviations.is_empty(), strict.is_ok(), "{:?}", decoded.deviations);
            let len = input.len() - decoded.rest.len();
            laws::trace_covers(&decoded.trace, len);
            assert_eq!(decoded.value.to_vec().expect("what was decoded can be encoded"), input[..len]);
            let mut plain = decoded.value.clone();
            plain.residue = Default::default();
            assert!(plain.to_vec().is_ok(), "the value alone can be encoded");
        }
    }
}

/// The first byte chooses type and order, the rest is the stream.
fn value(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let order = if choice & 0x80 == 0 { ByteOrder::Little } else { ByteOrder::Big };
    match choice & 7 {
        0 => stream::<Option<Bstr<'_>>>(order, input),
        1 => stream::<Option<Variant<'_>>>(order, input),
        2 => stream::<Option<SafeArray<'_>>>(order, input),
        3 => stream::<InvokeRequest<'_>>(order, input),
        4 => stream::<InvokeResponse<'_>>(order, input),
        5 => stream::<(Option<Option<SafeArray<'_>>>, i32)>(order, input),
        _ => stream::<Vec<Option<Variant<'_>>>>(order, input),
    }
}

/// An OBJREF of any form, and bindings as bytes and as NDR. Bindings that are well-formed are made again of their parts.
fn objref(input: &[u8]) {
    laws::bytes::<ObjRef<'_>>(input);
    laws::bytes::<CustomObjRef<Context<'_>>>(input);
    laws::bytes::<CustomObjRef<ErrorInfo<'_>>>(input);
    laws::bytes::<CustomObjRef<RecordInfoData>>(input);
    laws::bytes::<DualStringArray>(input);
    stream::<Option<DualStringArray>>(ByteOrder::Little, input);
    if let Ok(array) = DualStringArray::decode(input) {
        let (strings, securities) = (array.string_bindings(), array.security_bindings());
        let again = DualStringArray::new(&strings, &securities);
        assert_eq!(again.security_bindings(), securities);
        let again = again.string_bindings();
        assert_eq!(again, strings);
    }
}

/// The first byte chooses the order, the rest is what stands before the parameters of a call, or an extension.
fn orpc(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let order = if choice & 0x80 == 0 { ByteOrder::Little } else { ByteOrder::Big };
    match choice & 3 {
        0 => stream::<OrpcThat<'_>>(order, input),
        1 => stream::<ContextExtension<'_>>(order, input),
        _ => stream::<OrpcThis<'_>>(order, input),
    }
}

/// An activation property BLOB in its OBJREF. What is made of its values alone keeps all rules of lengths.
fn activation(input: &[u8]) {
    laws::bytes::<ActivationProperties<'_>>(input);
    if !laws::bytes::<CustomObjRef<ActivationProperties<'_>>>(input) {
        return;
    }
    let decoded = CustomObjRef::<ActivationProperties<'_>>::decode_with(input, &DecodeOptions::TOLERANT);
    let mut reference = decoded.expect("it was read before").value;
    reference.reserved = None;
    reference.value.frame = Frame::default();
    for property in &mut reference.value.properties {
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
        };
    }
    let bytes = reference.to_vec().expect("the values alone can be encoded");
    let again = CustomObjRef::<ActivationProperties<'_>>::decode(&bytes).expect("and read again");
    assert_eq!(again, reference);
}
