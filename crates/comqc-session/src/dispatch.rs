//! Calls on `IDispatch` ([MC-COMQC] 2.2.6.1.2, [MS-OAUT] 3.1.4.4).

use alloc::boxed::Box;
use alloc::vec::Vec;

use ndr_oaut::{DispParams, InvokeFlags, InvokeRequest, Variant};
use remassist_core::{len_u32, usize_from};
use uuid::Uuid;

/// `DISPID_PROPERTYPUT` ([MS-OAUT] 2.2.32.1): the name of the value that a property gets.
pub(crate) const PROPERTY_PUT: i32 = -3;

/// What a call on `IDispatch` does, one bit of dwFlags ([MS-OAUT] 3.1.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum MethodKind {
    /// `DISPATCH_METHOD`.
    #[default]
    Method,
    /// `DISPATCH_PROPERTYGET`.
    Get,
    /// `DISPATCH_PROPERTYPUT`: the last argument is the value.
    Put,
    /// `DISPATCH_PROPERTYPUTREF`: the last argument is the value.
    PutRef,
}

impl MethodKind {
    /// The bit of dwFlags.
    #[must_use]
    pub fn flag(self) -> InvokeFlags {
        match self {
            Self::Method => InvokeFlags::METHOD,
            Self::Get => InvokeFlags::PROPERTYGET,
            Self::Put => InvokeFlags::PROPERTYPUT,
            Self::PutRef => InvokeFlags::PROPERTYPUTREF,
        }
    }

    /// Whether a property gets a value.
    #[must_use]
    pub fn is_put(self) -> bool {
        matches!(self, Self::Put | Self::PutRef)
    }
}

/// An argument of a call on `IDispatch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<'a> {
    /// The value.
    pub value: Variant<'a>,
    /// \[in, out\]: it goes into rgVarRef. Nothing ever comes back ([MC-COMQC] 2.2.6.1.2).
    pub by_ref: bool,
}

impl<'a> From<Variant<'a>> for Argument<'a> {
    /// An \[in\] argument.
    fn from(value: Variant<'a>) -> Self {
        Self { value, by_ref: false }
    }
}

impl<'a> Argument<'a> {
    /// An \[in, out\] argument.
    #[must_use]
    pub fn by_ref(value: Variant<'a>) -> Self {
        Self { value, by_ref: true }
    }
}

/// The same value with `VT_BYREF`; what has no such form is a VARIANT by reference.
pub(crate) fn referenced(value: Variant<'_>) -> Variant<'_> {
    match value {
        Variant::Scalar(scalar) => Variant::ScalarRef(scalar),
        Variant::Bstr(text) => Variant::BstrRef(text),
        Variant::Unknown(pointer) => Variant::UnknownRef(pointer),
        Variant::Dispatch(pointer) => Variant::DispatchRef(pointer),
        Variant::Record(record) => Variant::RecordRef(record),
        Variant::Array { vt, array } => Variant::ArrayRef { vt, array },
        other => Variant::VariantRef(Some(Box::new(other))),
    }
}

/// The value without `VT_BYREF`.
pub(crate) fn dereferenced(value: Variant<'_>) -> Variant<'_> {
    match value {
        Variant::ScalarRef(scalar) => Variant::Scalar(scalar),
        Variant::BstrRef(text) => Variant::Bstr(text),
        Variant::UnknownRef(pointer) => Variant::Unknown(pointer),
        Variant::DispatchRef(pointer) => Variant::Dispatch(pointer),
        Variant::RecordRef(record) => Variant::Record(record),
        Variant::ArrayRef { vt, array } => Variant::Array { vt, array },
        Variant::VariantRef(value) => value.map(|value| *value).unwrap_or_default(),
        other => other,
    }
}

/// A call on `IDispatch` with its arguments as they were given: those without names in their order, then those with names. Arguments by
/// reference are in their places.
///
/// A null pointer in place of a VARIANT is `VT_EMPTY`. Where dwFlags tells several kinds of call it is the first of
/// put, putref, method, get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// dispIdMember.
    pub member: i32,
    /// What the call does.
    pub kind: MethodKind,
    /// lcid: the language of the arguments.
    pub lcid: u32,
    /// Arguments without names, the first one first; of a put the value is the last.
    pub positional: Vec<Argument<'a>>,
    /// Arguments with names, as the numbers that `GetIDsOfNames` gives.
    pub named: Vec<(i32, Argument<'a>)>,
}

impl<'a> From<InvokeRequest<'a>> for Invocation<'a> {
    fn from(request: InvokeRequest<'a>) -> Self {
        let InvokeRequest { member, lcid, flags, params, var_ref_index, var_ref, .. } = request;
        let kinds = [MethodKind::Put, MethodKind::PutRef, MethodKind::Method];
        let kind = kinds.into_iter().find(|kind| flags.contains(kind.flag())).unwrap_or(MethodKind::Get);
        let mut args: Vec<Argument<'a>> = params
            .args
            .unwrap_or_default()
            .into_iter()
            .map(|value| Argument::from(value.unwrap_or_default()))
            .collect();
        for (index, value) in var_ref_index.into_iter().zip(var_ref) {
            if let Some(place) = args.get_mut(usize_from(index)) {
                *place = Argument::by_ref(dereferenced(value.unwrap_or_default()));
            }
        }
        let names = params.named.unwrap_or_default();
        let positional = args.split_off(names.len().min(args.len()));
        let mut positional: Vec<_> = positional.into_iter().rev().collect();
        let mut named: Vec<_> = names.into_iter().zip(args).collect();
        if kind.is_put()
            && let Some(place) = named.iter().position(|(name, _)| *name == PROPERTY_PUT)
        {
            positional.push(named.remove(place).1);
        }
        Self { member, kind, lcid, positional, named }
    }
}

impl<'a> Invocation<'a> {
    /// The parameters of Invoke: arguments with names first, then the others, the last one first. The last argument of a put
    /// without a name is the value, with the name `DISPID_PROPERTYPUT`.
    #[must_use]
    pub fn into_request(self) -> InvokeRequest<'a> {
        let Self { member, kind, lcid, positional, named } = self;
        let mut names = Vec::new();
        let mut ordered = Vec::new();
        let mut positional = positional.into_iter().rev();
        if kind.is_put()
            && !named.iter().any(|(name, _)| *name == PROPERTY_PUT)
            && let Some(value) = positional.next()
        {
            names.push(PROPERTY_PUT);
            ordered.push(value);
        }
        for (name, argument) in named {
            names.push(name);
            ordered.push(argument);
        }
        ordered.extend(positional);
        let (mut args, mut var_ref_index, mut var_ref) = (Vec::new(), Vec::new(), Vec::new());
        for Argument { value, by_ref } in ordered {
            if by_ref {
                var_ref_index.push(len_u32(args.len()));
                var_ref.push(Some(referenced(value)));
                args.push(Some(Variant::Empty));
            } else {
                args.push(Some(value));
            }
        }
        let args = (!args.is_empty()).then_some(args);
        let params = DispParams { args, named: (!names.is_empty()).then_some(names) };
        InvokeRequest { member, iid: Uuid::nil(), lcid, flags: kind.flag(), params, var_ref_index, var_ref }
    }
}
