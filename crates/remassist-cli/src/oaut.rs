//! Values of OLE Automation as stub data of their own, in each form in which they stand in calls.

use remassist::core::{Decode as _, DecodeError, DecodeErrorKind, DecodeOptions};
use remassist::ndr::{Bstr, ByteOrder, Ndr, PSafeArray, SafeArray, Stub, Variant};
use serde::Serialize;
use serde_json::Value;

use crate::forms::{self, Form};
use crate::kinds::{Inspected, encode, whole};
use crate::stub::Told;

macro_rules! form {
    ($name:literal, $borrowed:ty, $owned:ty) => {
        Form {
            name: $name,
            inspect: |input, options, order| read::<$borrowed>(input, options, order),
            encode: encode::<Stub<'static, $owned>>,
        }
    };
}

/// With the referent id of the pointer to it, as a parameter; and without, as what that pointer points to.
static BSTR: &[Form] =
    &[form!("pointer", Option<Bstr<'_>>, Option<Bstr<'static>>), form!("pointee", Bstr<'_>, Bstr<'static>)];
static VARIANT: &[Form] = &[
    form!("pointer", Option<Variant<'_>>, Option<Variant<'static>>),
    form!("pointee", Variant<'_>, Variant<'static>),
];
static SAFEARRAY: &[Form] = &[
    form!("pointer", Option<SafeArray<'_>>, Option<SafeArray<'static>>),
    form!("pointer_to_pointer", Option<PSafeArray<'_>>, Option<PSafeArray<'static>>),
    form!("pointee", SafeArray<'_>, SafeArray<'static>),
];

macro_rules! kinds {
    ($($inspect:ident $encode:ident $forms:ident;)*) => {$(
        pub fn $inspect(input: &[u8], options: &DecodeOptions, told: &Told) -> Result<Inspected, DecodeError> {
            first($forms, input, options, told.byte_order)
        }

        pub fn $encode(value: Value) -> Result<Vec<u8>, String> {
            forms::encode($forms, value)
        }
    )*};
}
kinds! {
    inspect_bstr encode_bstr BSTR;
    inspect_variant encode_variant VARIANT;
    inspect_safearray encode_safearray SAFEARRAY;
}

fn read<'a, T: Ndr<'a> + Serialize>(
    input: &'a [u8],
    options: &DecodeOptions,
    order: ByteOrder,
) -> Result<Inspected, DecodeError> {
    whole(Stub::<T>::read(input, order, options)?, input, Stub::<T>::AT)
}

/// The first form that the input has, if possible without deviations; or the error of the one that goes furthest.
fn first(
    forms: &[Form],
    input: &[u8],
    options: &DecodeOptions,
    order: ByteOrder,
) -> Result<Inspected, DecodeError> {
    let strict = DecodeOptions::STRICT.with_limits(options.limits).with_trace(options.trace);
    let strictly = forms.iter().find_map(|form| form.named(input, &strict, order).ok());
    if let Some(inspected) = strictly {
        return Ok(inspected);
    }
    let mut furthest = DecodeError::new(0, Stub::<u32>::AT, DecodeErrorKind::Rule("none of the forms"));
    for form in forms {
        match form.named(input, options, order) {
            Err(error) if error.offset() < furthest.offset() => {}
            Err(error) => furthest = error,
            inspected => return inspected,
        }
    }
    Err(furthest)
}
