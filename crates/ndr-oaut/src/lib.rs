#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod activation;
mod bindings;
mod bstr;
mod context;
mod dispatch;
mod engine;
mod extension;
mod interface;
mod names;
mod objref;
mod orpc;
mod properties;
mod safearray;
mod scalar;
mod variant;

/// What [`wire!`] names.
#[doc(hidden)]
pub use remassist_core;

pub use activation::{ActivationProperties, Property};
pub use bindings::{DualStringArray, SecurityBinding, StringBinding};
pub use bstr::Bstr;
pub use context::{Context, ContextProperty};
pub use dispatch::{DispParams, ExcepInfo, InvokeFlags, InvokeRequest, InvokeResponse};
#[doc(hidden)]
pub use engine::align_of;
pub use engine::{
    ByteOrder, Count, Frame, Full, Ndr, Placed, R4, R8, Reader, Ref, Residue, Serialized, Stub, Varying,
    WideString, Writer,
};
pub use extension::{ContextExtension, ErrorInfo, PolicyData};
pub use interface::{InterfacePointer, Record, RecordInfoData};
pub use names::{Features, SfType, VarType};
pub use objref::{CustomData, CustomObjRef, ObjRef, ObjRefBody, StdObjRef};
pub use orpc::{ComVersion, OrpcExtent, OrpcExtentArray, OrpcThat, OrpcThis};
pub use properties::{
    ActivationContextInfoData, CoServerInfo, InstanceInfoData, InstantiationInfoData, LocationInfoData,
    PropsOut, PropsOutInfo, RemoteReplyScmInfo, RemoteRequestScmInfo, ScmReplyInfoData, ScmRequestInfoData,
    SecurityInfoData, SpecialPropertiesData, SpecialReserved,
};
pub use safearray::{Bound, Elements, SafeArray, SafeArrayHead};
pub use scalar::{Decimal, Scalar, VariantBool};
pub use variant::{PSafeArray, Variant};
