//! IRemUnknown and IRemUnknown2 ([MS-DCOM] 3.1.1.5.6, 3.1.1.5.7).

use alloc::vec::Vec;

use ndr_oaut::{InterfacePointer, StdObjRef, wire};
use remassist_core::At;
use uuid::Uuid;

use super::count::Count16;
use super::macros::{own_itself, params};
use crate::HResult;

/// The \[in\] parameters of `RemQueryInterface` (opnum 3, [MS-DCOM] 3.1.1.5.6.1.1): ripid, cRefs u32, cIids u16, iids.
///
/// Decoding fails when cIids is not the size of the array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemQueryInterfaceRequest {
    /// ripid: an interface of the object.
    pub ipid: Uuid,
    /// cRefs: public references wanted on each new interface.
    pub refs: u32,
    /// iids: the interfaces asked for, at most 65,535.
    pub iids: Vec<Uuid>,
}

static IIDS: At = At::new("[MS-DCOM]", "3.1.1.5.6.1.1", "IRemUnknown::RemQueryInterface", "iids");
wire! {
    params 'a RemQueryInterfaceRequest, "[MS-DCOM]" "3.1.1.5.6.1.1" "IRemUnknown::RemQueryInterface", |v, r|
    "ripid" ipid: Uuid = v.ipid;
    "cRefs" refs: u32 = v.refs;
    "cIids" count: Count16 = Count16::of(v.iids.len());
    "iids" iids: Vec<Uuid> = v.iids;
    => {
        let _ = r;
        count.check(iids.len(), &IIDS)?;
        Ok(Self { ipid, refs, iids })
    }
}
own_itself!(RemQueryInterfaceRequest);

params! {
    /// `REMQIRESULT` ([MS-DCOM] 2.2.24), 48 bytes: hResult u32, 4 bytes of padding, STDOBJREF.
    struct RemQiResult, "[MS-DCOM]" "2.2.24" "REMQIRESULT" {
        /// hResult.
        "hResult" hresult: HResult;
        /// std: the interface; ignored after a failure.
        "std" std: StdObjRef;
    }
}

params! {
    /// The \[out\] parameters of `RemQueryInterface` (opnum 3).
    params RemQueryInterfaceResponse, "[MS-DCOM]" "3.1.1.5.6.1.1" "IRemUnknown::RemQueryInterface" {
        /// ppQIResults: one for each interface asked for; null in failures.
        "ppQIResults" results: Option<Vec<RemQiResult>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// `REMINTERFACEREF` ([MS-DCOM] 2.2.23), 24 bytes.
    struct RemInterfaceRef, "[MS-DCOM]" "2.2.23" "REMINTERFACEREF" {
        /// ipid.
        "ipid" ipid: Uuid;
        /// cPublicRefs.
        "cPublicRefs" public_refs: u32;
        /// cPrivateRefs.
        "cPrivateRefs" private_refs: u32;
    }
}

/// The \[in\] parameters of `RemAddRef` (opnum 4, [MS-DCOM] 3.1.1.5.6.1.2) and `RemRelease` (opnum 5, 3.1.1.5.6.1.3):
/// cInterfaceRefs u16, InterfaceRefs.
///
/// Decoding fails when cInterfaceRefs is not the size of the array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InterfaceRefs {
    /// InterfaceRefs: references to add or to give back, at most 65,535 interfaces.
    pub refs: Vec<RemInterfaceRef>,
}

static REFS: At = At::new("[MS-DCOM]", "3.1.1.5.6.1.2", "IRemUnknown::RemAddRef", "InterfaceRefs");
wire! {
    params 'a InterfaceRefs, "[MS-DCOM]" "3.1.1.5.6.1.2" "IRemUnknown::RemAddRef", |v, r|
    "cInterfaceRefs" count: Count16 = Count16::of(v.refs.len());
    "InterfaceRefs" refs: Vec<RemInterfaceRef> = v.refs;
    => {
        let _ = r;
        count.check(refs.len(), &REFS)?;
        Ok(Self { refs })
    }
}
own_itself!(InterfaceRefs);

params! {
    /// The \[out\] parameters of `RemAddRef` (opnum 4).
    params RemAddRefResponse, "[MS-DCOM]" "3.1.1.5.6.1.2" "IRemUnknown::RemAddRef" {
        /// pResults: one for each interface.
        "pResults" results: Vec<HResult>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

/// The \[in\] parameters of `RemQueryInterface2` (opnum 6, [MS-DCOM] 3.1.1.5.7.1.1): ripid, cIids u16, iids.
///
/// Decoding fails when cIids is not the size of the array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemQueryInterface2Request {
    /// ripid: an interface of the object.
    pub ipid: Uuid,
    /// iids: the interfaces asked for, at most 65,535.
    pub iids: Vec<Uuid>,
}

static IIDS2: At = At::new("[MS-DCOM]", "3.1.1.5.7.1.1", "IRemUnknown2::RemQueryInterface2", "iids");
wire! {
    params 'a RemQueryInterface2Request, "[MS-DCOM]" "3.1.1.5.7.1.1" "IRemUnknown2::RemQueryInterface2", |v, r|
    "ripid" ipid: Uuid = v.ipid;
    "cIids" count: Count16 = Count16::of(v.iids.len());
    "iids" iids: Vec<Uuid> = v.iids;
    => {
        let _ = r;
        count.check(iids.len(), &IIDS2)?;
        Ok(Self { ipid, iids })
    }
}
own_itself!(RemQueryInterface2Request);

params! {
    /// The \[out\] parameters of `RemQueryInterface2` (opnum 6).
    params RemQueryInterface2Response<'a>, "[MS-DCOM]" "3.1.1.5.7.1.1" "IRemUnknown2::RemQueryInterface2" {
        /// phr: one for each interface asked for.
        "phr" results: Vec<HResult>;
        /// ppMIF: the interfaces as OBJREFs; null after a failure.
        "ppMIF" interfaces: Vec<Option<InterfacePointer<'a>>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}
