#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod bindings;
mod bstr;
mod dispatch;
mod engine;
mod interface;
mod names;
mod objref;
mod orpc;
mod safearray;
mod scalar;
mod variant;

/// What [`wire!`] names.
#[doc(hidden)]
pub use remassist_core;

pub use bindings::{DualStringArray, SecurityBinding, StringBinding};
pub use bstr::Bstr;
pub use dispatch::{DispParams, ExcepInfo, InvokeFlags, InvokeRequest, InvokeResponse};
#[doc(hidden)]
pub use engine::align_of;
pub use engine::{
    ByteOrder, Count, Full, Ndr, Placed, R4, R8, Reader, Residue, Stub, Varying, WideString, Writer,
};
pub use interface::{InterfacePointer, Record};
pub use names::{Features, SfType, VarType};
pub use objref::{ObjRef, ObjRefBody, StdObjRef};
pub use orpc::{ComVersion, OrpcExtent, OrpcExtentArray, OrpcThat, OrpcThis};
pub use safearray::{Bound, Elements, SafeArray, SafeArrayHead};
pub use scalar::{Decimal, Scalar, VariantBool};
pub use variant::{PSafeArray, Variant};
