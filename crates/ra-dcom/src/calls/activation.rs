//! IActivation and IRemoteSCMActivator ([MS-DCOM] 3.1.2.5.2).
//!
//! Both are plain RPC whose IDL has ORPCTHIS and ORPCTHAT as first parameters: on the wire no different from a call on
//! an object.

use alloc::vec::Vec;

use ndr_oaut::{ComVersion, Count, DualStringArray, InterfacePointer, WideString, wire};
use remassist_core::{At, DecodeErrorKind};
use uuid::Uuid;

use super::count::Count16;
use super::macros::{Own as _, own_borrowed, params};
use crate::{ErrorStatus, HResult};

/// MAX_REQUESTED_INTERFACES ([MS-DCOM] 2.2.28.1).
pub const MAX_REQUESTED_INTERFACES: u32 = 0x8000;
/// MAX_REQUESTED_PROTSEQS ([MS-DCOM] 2.2.28.1).
pub const MAX_REQUESTED_PROTSEQS: u16 = 0x8000;

/// The \[in\] parameters of `RemoteActivation` (opnum 0, [MS-DCOM] 3.1.2.5.2.3.1) behind ORPCTHIS: Clsid,
/// pwszObjectName, pObjectStorage, ClientImpLevel u32, Mode u32, Interfaces u32, pIIDs, cRequestedProtseqs u16,
/// aRequestedProtseqs.
///
/// Decoding fails when a count is not the size of its array. Counts out of range are deviations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemoteActivationRequest<'a> {
    /// Clsid: the class of the object.
    pub clsid: Uuid,
    /// pwszObjectName: what to make the object of.
    pub object_name: Option<WideString<'a>>,
    /// pObjectStorage: what to make the object of.
    pub object_storage: Option<InterfacePointer<'a>>,
    /// ClientImpLevel: ignored.
    pub client_imp_level: u32,
    /// Mode: 0; 0xFFFFFFFF asks for the class factory.
    pub mode: u32,
    /// pIIDs: the interfaces asked for, 1 to 0x8000.
    pub iids: Option<Vec<Uuid>>,
    /// aRequestedProtseqs: the protocols that the client speaks; 7 is TCP. At most 0x8000.
    pub protseqs: Vec<u16>,
}

const fn at(field: &'static str) -> At {
    At::new("[MS-DCOM]", "3.1.2.5.2.3.1", "IActivation::RemoteActivation", field)
}
static INTERFACES: At = at("Interfaces");
static IIDS: At = at("pIIDs");
static COUNT: At = at("cRequestedProtseqs");
static PROTSEQS: At = at("aRequestedProtseqs");
wire! {
    params 'a RemoteActivationRequest<'a>, "[MS-DCOM]" "3.1.2.5.2.3.1" "IActivation::RemoteActivation", |v, r|
    "Clsid" clsid: Uuid = v.clsid;
    "pwszObjectName" object_name: Option<WideString<'a>> = v.object_name;
    "pObjectStorage" object_storage: Option<InterfacePointer<'a>> = v.object_storage;
    "ClientImpLevel" client_imp_level: u32 = v.client_imp_level;
    "Mode" mode: u32 = v.mode;
    "Interfaces" interfaces: Count = Count::of(v.iids.as_ref().map_or(0, Vec::len));
    "pIIDs" iids: Option<Vec<Uuid>> = v.iids;
    "cRequestedProtseqs" count: Count16 = Count16::of(v.protseqs.len());
    "aRequestedProtseqs" protseqs: Vec<u16> = v.protseqs;
    => {
        interfaces.check(iids.as_ref().map_or(0, Vec::len), &IIDS)?;
        count.check(protseqs.len(), &PROTSEQS)?;
        let got = DecodeErrorKind::InvalidValue { got: interfaces.get().into() };
        let in_range = (1..=MAX_REQUESTED_INTERFACES).contains(&interfaces.get());
        r.must(in_range, interfaces.offset(), &INTERFACES, got)?;
        count.in_range(MAX_REQUESTED_PROTSEQS, r, &COUNT)?;
        Ok(Self { clsid, object_name, object_storage, client_imp_level, mode, iids, protseqs })
    }
}

impl RemoteActivationRequest<'_> {
    /// The same parameters, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> RemoteActivationRequest<'static> {
        let Self { clsid, object_name, object_storage, client_imp_level, mode, iids, protseqs } = self;
        let (object_name, object_storage) = (object_name.own(), object_storage.own());
        RemoteActivationRequest { clsid, object_name, object_storage, client_imp_level, mode, iids, protseqs }
    }
}
own_borrowed!(RemoteActivationRequest);

params! {
    /// The \[out\] parameters of `RemoteActivation` (opnum 0) behind ORPCTHAT.
    params RemoteActivationResponse<'a>, "[MS-DCOM]" "3.1.2.5.2.3.1" "IActivation::RemoteActivation" {
        /// pOxid: the object exporter.
        "pOxid" oxid: u64;
        /// ppdsaOxidBindings: where it is reached; null in failures.
        "ppdsaOxidBindings" bindings: Option<DualStringArray>;
        /// pipidRemUnknown: its Remote Unknown.
        "pipidRemUnknown" ipid_rem_unknown: Uuid;
        /// pAuthnHint: the lowest authentication level that it takes; only a hint.
        "pAuthnHint" authn_hint: u32;
        /// pServerVersion.
        "pServerVersion" server_version: ComVersion;
        /// phr: the result of the activation.
        "phr" hr: HResult;
        /// ppInterfaceData: an OBJREF for each interface asked for, or null.
        "ppInterfaceData" interfaces: Vec<Option<InterfacePointer<'a>>>;
        /// pResults: one for each interface asked for.
        "pResults" results: Vec<HResult>;
        /// The error_status_t.
        "error_status_t" status: ErrorStatus;
    }
}

params! {
    /// The \[in\] parameter of `RemoteGetClassObject` (opnum 3) behind ORPCTHIS.
    params RemoteGetClassObjectRequest<'a>, "[MS-DCOM]" "3.1.2.5.2.3.2" "IRemoteSCMActivator::RemoteGetClassObject" {
        /// pActProperties: an OBJREF_CUSTOM of CLSID_ActivationPropertiesIn.
        "pActProperties" act_properties: Option<InterfacePointer<'a>>;
    }
}

params! {
    /// The \[in\] parameters of `RemoteCreateInstance` (opnum 4) behind ORPCTHIS.
    params RemoteCreateInstanceRequest<'a>, "[MS-DCOM]" "3.1.2.5.2.3.3" "IRemoteSCMActivator::RemoteCreateInstance" {
        /// pUnkOuter: null.
        "pUnkOuter" unk_outer: Option<InterfacePointer<'a>>;
        /// pActProperties: an OBJREF_CUSTOM of CLSID_ActivationPropertiesIn.
        "pActProperties" act_properties: Option<InterfacePointer<'a>>;
    }
}

params! {
    /// The \[out\] parameter of `RemoteGetClassObject` and `RemoteCreateInstance` (opnums 3 and 4) behind ORPCTHAT.
    params ActivationResponse<'a>, "[MS-DCOM]" "3.1.2.5.2.3.3" "IRemoteSCMActivator::RemoteCreateInstance" {
        /// ppActProperties: an OBJREF_CUSTOM of CLSID_ActivationPropertiesOut; null in failures.
        "ppActProperties" act_properties: Option<InterfacePointer<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}
