//! References to objects, with what is known of their data.

use remassist::core::{DecodeError, DecodeOptions};
use remassist::ndr::{
    ActivationProperties, ByteOrder, Context, CustomData, CustomObjRef, ErrorInfo, ObjRef, RecordInfoData,
};
use serde_json::Value;

use crate::forms::{self, Form};
use crate::kinds::{self, Inspected};
use crate::stub::Told;

/// Whether data of a class, in packet form, can be read.
type IsClass = fn(&[u8]) -> bool;

fn has<T: CustomData>(clsid: &[u8]) -> bool {
    T::CLASSES.iter().any(|class| class.0.to_bytes_le() == clsid)
}

macro_rules! form {
    ($name:literal, $borrowed:ty, $owned:ty) => {
        Form {
            name: $name,
            inspect: |input, options, _| kinds::inspect::<$borrowed>(input, options),
            encode: kinds::encode::<$owned>,
        }
    };
}

macro_rules! custom {
    ($($name:literal $type:ident $(<$borrowed:lifetime, $owned:lifetime>)?;)*) => {
        static FORMS: &[Form] = &[
            $(form!($name, CustomObjRef<$type $(<$borrowed>)?>, CustomObjRef<$type $(<$owned>)?>),)*
            form!("object", ObjRef<'_>, ObjRef<'static>),
        ];
        /// Of each form but the last.
        static CLASSES: &[IsClass] = &[$(has::<$type $(<$owned>)?>),*];
    };
}
custom! {
    "activation_properties" ActivationProperties<'_, 'static>;
    "context" Context<'_, 'static>;
    "error" ErrorInfo<'_, 'static>;
    "record_info" RecordInfoData;
}

pub fn inspect(input: &[u8], options: &DecodeOptions, _: &Told) -> Result<Inspected, DecodeError> {
    let is_custom = input.get(4..8) == Some(&[4, 0, 0, 0]);
    let clsid = input.get(24..40).filter(|_| is_custom).unwrap_or_default();
    let forms = FORMS.iter().zip(CLASSES.iter().map(Some).chain([None]));
    let read = |(form, class): (&Form, Option<&IsClass>)| {
        class.is_none_or(|is| is(clsid)).then(|| form.named(input, options, ByteOrder::Little))
    };
    forms.filter_map(read).next().unwrap_or_else(|| kinds::inspect::<ObjRef<'_>>(input, options))
}

pub fn encode(value: Value) -> Result<Vec<u8>, String> {
    forms::encode(FORMS, value)
}
