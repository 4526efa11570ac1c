//! The activation properties ([MS-DCOM] 2.2.22.2).

use alloc::vec::Vec;

use remassist_core::{At, DecodeError, DecodeErrorKind, len_u32};
use uuid::Uuid;

use crate::engine::{Count, Ndr, Placed, Reader, Ref, Writer};
use crate::wire;
use crate::{ComVersion, DualStringArray, InterfacePointer, WideString};

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-DCOM]", section, structure, field)
}

/// MAX_REQUESTED_INTERFACES and MAX_REQUESTED_PROTSEQS ([MS-DCOM] 2.2.28.1).
const MAX_REQUESTED: u32 = 0x8000;

/// A count with a range: fails outside of it, and where the array has another length.
fn ranged(count: Count, min: u32, len: usize, at: &'static At) -> Result<(), DecodeError> {
    if !(min..=MAX_REQUESTED).contains(&count.get()) {
        let kind = DecodeErrorKind::InvalidValue { got: count.get().into() };
        return Err(DecodeError::new(count.offset(), at, kind));
    }
    count.check(len, at)
}

/// The count of an array to write, if it is in the range.
fn count(len: usize, min: u32) -> Count {
    let fits = (min..=MAX_REQUESTED).contains(&len_u32(len));
    Count::of(if fits { len } else { usize::MAX })
}

/// `InstantiationInfoData` ([MS-DCOM] 2.2.22.2.1): what is to be made. 48 bytes and the IIDs.
///
/// classId, classCtx u32, actvflags u32, fIsSurrogate u32, cIID u32, instFlag u32, pIID, thisSize u32,
/// clientCOMVersion. Decoding fails when pIID is null and when cIID is not its size, 0, or above 32,768.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InstantiationInfoData {
    /// classId: the class of the object.
    pub class_id: Uuid,
    /// classCtx: ignored.
    pub class_ctx: u32,
    /// actvflags: how the object exporter is to be started.
    pub actv_flags: u32,
    /// fIsSurrogate: 0, ignored.
    pub is_surrogate: u32,
    /// instFlag: 0, ignored.
    pub inst_flag: u32,
    /// pIID: the interfaces that are asked for, 1 to 32,768.
    pub iids: Vec<Uuid>,
    /// thisSize: size of the property in bytes, ignored.
    pub this_size: u32,
    /// clientCOMVersion: ignored.
    pub client_version: ComVersion,
}

impl InstantiationInfoData {
    /// Asks for interfaces of an object of a class.
    #[must_use]
    pub fn new(class_id: Uuid, iids: Vec<Uuid>) -> Self {
        // Two headers of 8 bytes, 48 bytes, the number of IIDs, the IIDs; padded to a multiple of 8.
        let this_size = len_u32(iids.len().saturating_mul(16).saturating_add(72));
        Self { class_id, iids, this_size, ..Self::default() }
    }
}

static IIDS: At = at("2.2.22.2.1", "InstantiationInfoData", "cIID");
wire! {
    struct 'a InstantiationInfoData, "[MS-DCOM]" "2.2.22.2.1" "InstantiationInfoData", |v, r|
    "classId" class_id: Uuid = v.class_id;
    "classCtx" class_ctx: u32 = v.class_ctx;
    "actvflags" actv_flags: u32 = v.actv_flags;
    "fIsSurrogate" is_surrogate: u32 = v.is_surrogate;
    "cIID" size: Count = count(v.iids.len(), 1);
    "instFlag" inst_flag: u32 = v.inst_flag;
    "pIID" iids: Ref<Vec<Uuid>> = Ref(v.iids.clone());
    "thisSize" this_size: u32 = v.this_size;
    "clientCOMVersion" client_version: ComVersion = v.client_version;
    => {
        let _ = r;
        let iids = iids.0;
        ranged(size, 1, iids.len(), &IIDS)?;
        Ok(Self { class_id, class_ctx, actv_flags, is_surrogate, inst_flag, iids, this_size, client_version })
    }
}

/// `SpecialPropertiesData` ([MS-DCOM] 2.2.22.2.2), in both definitions, 84 or 80 bytes: in which logon session.
///
/// dwSessionId u32, fRemoteThisSessionId u32, fClientImpersonating u32, fPartitionIDPresent u32, dwDefaultAuthnLvl u32,
/// guidPartition, dwPRTFlags u32, dwOrigClsctx u32, dwFlags u32, reserved fields. Which definition it is the size tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SpecialPropertiesData {
    /// dwSessionId: the logon session; see [`ANY_SESSION`](Self::ANY_SESSION).
    pub session_id: u32,
    /// fRemoteThisSessionId: whether a session is asked for; ignored.
    pub remote_this_session_id: u32,
    /// fClientImpersonating: ignored.
    pub client_impersonating: u32,
    /// fPartitionIDPresent: whether `partition` tells something.
    pub partition_id_present: u32,
    /// dwDefaultAuthnLvl: ignored.
    pub default_authn_level: u32,
    /// guidPartition: of a higher layer.
    pub partition: Uuid,
    /// dwPRTFlags: 0, ignored.
    pub prt_flags: u32,
    /// dwOrigClsctx: ignored.
    pub orig_clsctx: u32,
    /// dwFlags: [`USE_CONSOLE_SESSION`](Self::USE_CONSOLE_SESSION); other bits are ignored.
    pub flags: u32,
    /// The reserved fields: ignored.
    pub reserved: SpecialReserved,
}

/// The reserved fields of [`SpecialPropertiesData`], which differ between its two definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SpecialReserved {
    /// SpecialPropertiesData: 4 bytes, 4 of padding, 8 and 20 bytes.
    Usual {
        /// Reserved1: 0.
        reserved1: u32,
        /// Reserved2: 0.
        reserved2: u64,
        /// Reserved3: anything.
        reserved3: [u32; 5],
    },
    /// SpecialPropertiesData_Alternate: 32 bytes of anything.
    Alternate([u32; 8]),
}

impl SpecialPropertiesData {
    /// dwSessionId for any logon session.
    pub const ANY_SESSION: u32 = 0xFFFF_FFFF;
    /// `SPD_FLAG_USE_CONSOLE_SESSION`: the console session instead of the one that dwSessionId tells.
    pub const USE_CONSOLE_SESSION: u32 = 0x0000_0001;

    /// Asks for a logon session, or any.
    #[must_use]
    pub fn new(session: Option<u32>) -> Self {
        Self {
            session_id: session.unwrap_or(Self::ANY_SESSION),
            remote_this_session_id: u32::from(session.is_some_and(|session| session != Self::ANY_SESSION)),
            client_impersonating: 0,
            partition_id_present: 0,
            default_authn_level: 0,
            partition: Uuid::nil(),
            prt_flags: 0,
            orig_clsctx: 0,
            flags: 0,
            reserved: SpecialReserved::Usual { reserved1: 0, reserved2: 0, reserved3: [0; 5] },
        }
    }
}

static RESERVED1: At = at("2.2.22.2.2", "SpecialPropertiesData", "Reserved1");
static RESERVED2: At = at("2.2.22.2.2", "SpecialPropertiesData", "Reserved2");
static RESERVED3: At = at("2.2.22.2.2", "SpecialPropertiesData", "Reserved3");

fn fields<const N: usize>(r: &mut Reader<'_, '_>) -> Result<[u32; N], DecodeError> {
    let mut fields = [0; N];
    for field in &mut fields {
        *field = r.u32(&RESERVED3)?;
    }
    Ok(fields)
}

/// Only as the last field of its structure, which is the last of its stream: the bytes left tell which form it is.
impl<'a> Ndr<'a> for SpecialReserved {
    type Head = Self;
    const ALIGN: usize = 8;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        if r.remaining() < 36 {
            return fields(r).map(Self::Alternate);
        }
        let reserved1 = r.u32(&RESERVED1)?;
        let reserved2 = r.value(&RESERVED2)?;
        Ok(Self::Usual { reserved1, reserved2, reserved3: fields(r)? })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        match self {
            Self::Usual { reserved1, reserved2, reserved3 } => {
                w.u32(*reserved1);
                w.value(reserved2, &RESERVED2);
                reserved3.iter().for_each(|field| w.u32(*field));
            }
            Self::Alternate(reserved) => reserved.iter().for_each(|field| w.u32(*field)),
        }
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

wire! {
    struct 'a SpecialPropertiesData, "[MS-DCOM]" "2.2.22.2.2" "SpecialPropertiesData", |v, r|
    "dwSessionId" session_id: u32 = v.session_id;
    "fRemoteThisSessionId" remote_this_session_id: u32 = v.remote_this_session_id;
    "fClientImpersonating" client_impersonating: u32 = v.client_impersonating;
    "fPartitionIDPresent" partition_id_present: u32 = v.partition_id_present;
    "dwDefaultAuthnLvl" default_authn_level: u32 = v.default_authn_level;
    "guidPartition" partition: Uuid = v.partition;
    "dwPRTFlags" prt_flags: u32 = v.prt_flags;
    "dwOrigClsctx" orig_clsctx: u32 = v.orig_clsctx;
    "dwFlags" flags: u32 = v.flags;
    "Reserved" reserved: SpecialReserved = v.reserved;
    => {
        let _ = r;
        Ok(Self {
            session_id, remote_this_session_id, client_impersonating, partition_id_present, default_authn_level,
            partition, prt_flags, orig_clsctx, flags, reserved,
        })
    }
}

/// `InstanceInfoData` ([MS-DCOM] 2.2.22.2.3): the state that the object begins with. 16 bytes and what its pointers
/// point to: fileName, mode u32, ifdROT, ifdStg.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InstanceInfoData<'a> {
    /// fileName: the file that holds the state.
    pub file_name: Option<WideString<'a>>,
    /// mode: how to open it.
    pub mode: u32,
    /// ifdROT: null, ignored.
    pub rot: Option<InterfacePointer<'a>>,
    /// ifdStg: the storage that holds the state.
    pub stg: Option<InterfacePointer<'a>>,
}

wire! {
    struct 'a InstanceInfoData<'a>, "[MS-DCOM]" "2.2.22.2.3" "InstanceInfoData", |v, r|
    "fileName" file_name: Option<WideString<'a>> = v.file_name;
    "mode" mode: u32 = v.mode;
    "ifdROT" rot: Option<InterfacePointer<'a>> = v.rot;
    "ifdStg" stg: Option<InterfacePointer<'a>> = v.stg;
    => {
        let _ = r;
        Ok(Self { file_name, mode, rot, stg })
    }
}

impl InstanceInfoData<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> InstanceInfoData<'static> {
        InstanceInfoData {
            file_name: self.file_name.map(WideString::into_owned),
            mode: self.mode,
            rot: self.rot.map(InterfacePointer::into_owned),
            stg: self.stg.map(InterfacePointer::into_owned),
        }
    }
}

/// `ScmRequestInfoData` ([MS-DCOM] 2.2.22.2.4), 8 bytes and what its pointers point to: pdwReserved, remoteRequest.
///
/// Decoding fails when remoteRequest is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScmRequestInfoData {
    /// pdwReserved: null, ignored.
    pub pdw_reserved: Option<u32>,
    /// remoteRequest: what the client understands.
    pub remote_request: Ref<RemoteRequestScmInfo>,
}

wire! {
    struct 'a ScmRequestInfoData, "[MS-DCOM]" "2.2.22.2.4" "ScmRequestInfoData", |v, r|
    "pdwReserved" pdw_reserved: Option<u32> = v.pdw_reserved;
    "remoteRequest" remote_request: Ref<RemoteRequestScmInfo> = v.remote_request;
    => {
        let _ = r;
        Ok(Self { pdw_reserved, remote_request })
    }
}

/// `customREMOTE_REQUEST_SCM_INFO` ([MS-DCOM] 2.2.22.2.4.1), 12 bytes and the array: ClientImpLevel u32,
/// cRequestedProtseqs u16, pRequestedProtseqs.
///
/// Decoding fails when the count is not the size of the array, or above 32,768.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemoteRequestScmInfo {
    /// ClientImpLevel: ignored.
    pub client_imp_level: u32,
    /// pRequestedProtseqs: the protocols that the client speaks, 7 for TCP; at least one.
    pub requested_protseqs: Option<Vec<u16>>,
}

static PROTSEQS: At = at("2.2.22.2.4.1", "customREMOTE_REQUEST_SCM_INFO", "cRequestedProtseqs");
wire! {
    struct 'a RemoteRequestScmInfo, "[MS-DCOM]" "2.2.22.2.4.1" "customREMOTE_REQUEST_SCM_INFO", |v, r|
    "ClientImpLevel" client_imp_level: u32 = v.client_imp_level;
    "cRequestedProtseqs" size: Protseqs = Protseqs(count(v.protseqs().len(), 0));
    "pRequestedProtseqs" requested_protseqs: Option<Vec<u16>> = v.requested_protseqs;
    => {
        let _ = r;
        let value = Self { client_imp_level, requested_protseqs };
        ranged(size.0, 0, value.protseqs().len(), &PROTSEQS)?;
        Ok(value)
    }
}

impl RemoteRequestScmInfo {
    /// The protocols that the client speaks.
    #[must_use]
    pub fn protseqs(&self) -> &[u16] {
        self.requested_protseqs.as_deref().unwrap_or_default()
    }
}

/// A count of 2 bytes.
#[derive(Debug)]
pub struct Protseqs(Count);

impl<'a> Ndr<'a> for Protseqs {
    type Head = Count;
    const ALIGN: usize = 2;

    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Count, DecodeError> {
        let count = r.value::<Placed<u16>>(at)?;
        Ok(Count::placed(count.value.into(), count.offset))
    }

    fn tail(head: Count, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(Self(head))
    }

    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        let count = u16::try_from(self.0.get());
        w.need(count.is_ok(), at, "more than 32,768 protocols");
        w.u16(count.unwrap_or_default());
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// `ActivationContextInfoData` ([MS-DCOM] 2.2.22.2.5), 24 bytes and what its pointers point to: clientOK u32, bReserved1
/// u32, dwReserved1 u32, dwReserved2 u32, pIFDClientCtx, pIFDPrototypeCtx.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ActivationContextInfoData<'a> {
    /// clientOK: 0, ignored.
    pub client_ok: u32,
    /// bReserved1: 0, ignored.
    pub b_reserved1: u32,
    /// dwReserved1: 0, ignored.
    pub dw_reserved1: u32,
    /// dwReserved2: 0, ignored.
    pub dw_reserved2: u32,
    /// pIFDClientCtx: the context of the client. Clients are known that send none.
    pub client_ctx: Option<InterfacePointer<'a>>,
    /// pIFDPrototypeCtx: the context that the object is to have.
    pub prototype_ctx: Option<InterfacePointer<'a>>,
}

wire! {
    struct 'a ActivationContextInfoData<'a>, "[MS-DCOM]" "2.2.22.2.5" "ActivationContextInfoData", |v, r|
    "clientOK" client_ok: u32 = v.client_ok;
    "bReserved1" b_reserved1: u32 = v.b_reserved1;
    "dwReserved1" dw_reserved1: u32 = v.dw_reserved1;
    "dwReserved2" dw_reserved2: u32 = v.dw_reserved2;
    "pIFDClientCtx" client_ctx: Option<InterfacePointer<'a>> = v.client_ctx;
    "pIFDPrototypeCtx" prototype_ctx: Option<InterfacePointer<'a>> = v.prototype_ctx;
    => {
        let _ = r;
        Ok(Self { client_ok, b_reserved1, dw_reserved1, dw_reserved2, client_ctx, prototype_ctx })
    }
}

impl ActivationContextInfoData<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ActivationContextInfoData<'static> {
        let Self { client_ok, b_reserved1, dw_reserved1, dw_reserved2, client_ctx, prototype_ctx } = self;
        ActivationContextInfoData {
            client_ok,
            b_reserved1,
            dw_reserved1,
            dw_reserved2,
            client_ctx: client_ctx.map(InterfacePointer::into_owned),
            prototype_ctx: prototype_ctx.map(InterfacePointer::into_owned),
        }
    }
}

/// `LocationInfoData` ([MS-DCOM] 2.2.22.2.6), 16 bytes and the name: machineName, processId u32, apartmentId u32,
/// contextId u32. Must be there, and is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LocationInfoData<'a> {
    /// machineName: null.
    pub machine_name: Option<WideString<'a>>,
    /// processId: 0.
    pub process_id: u32,
    /// apartmentId: 0.
    pub apartment_id: u32,
    /// contextId: 0.
    pub context_id: u32,
}

wire! {
    struct 'a LocationInfoData<'a>, "[MS-DCOM]" "2.2.22.2.6" "LocationInfoData", |v, r|
    "machineName" machine_name: Option<WideString<'a>> = v.machine_name;
    "processId" process_id: u32 = v.process_id;
    "apartmentId" apartment_id: u32 = v.apartment_id;
    "contextId" context_id: u32 = v.context_id;
    => {
        let _ = r;
        Ok(Self { machine_name, process_id, apartment_id, context_id })
    }
}

impl LocationInfoData<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> LocationInfoData<'static> {
        let Self { machine_name, process_id, apartment_id, context_id } = self;
        let machine_name = machine_name.map(WideString::into_owned);
        LocationInfoData { machine_name, process_id, apartment_id, context_id }
    }
}

/// `SecurityInfoData` ([MS-DCOM] 2.2.22.2.7), 12 bytes and what its pointers point to: dwAuthnFlags u32, pServerInfo,
/// pdwReserved. Ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecurityInfoData<'a> {
    /// dwAuthnFlags: 0.
    pub authn_flags: u32,
    /// pServerInfo.
    pub server_info: Option<CoServerInfo<'a>>,
    /// pdwReserved: null.
    pub pdw_reserved: Option<u32>,
}

wire! {
    struct 'a SecurityInfoData<'a>, "[MS-DCOM]" "2.2.22.2.7" "SecurityInfoData", |v, r|
    "dwAuthnFlags" authn_flags: u32 = v.authn_flags;
    "pServerInfo" server_info: Option<CoServerInfo<'a>> = v.server_info;
    "pdwReserved" pdw_reserved: Option<u32> = v.pdw_reserved;
    => {
        let _ = r;
        Ok(Self { authn_flags, server_info, pdw_reserved })
    }
}

impl SecurityInfoData<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecurityInfoData<'static> {
        let Self { authn_flags, server_info, pdw_reserved } = self;
        let server_info = server_info.map(CoServerInfo::into_owned);
        SecurityInfoData { authn_flags, server_info, pdw_reserved }
    }
}

/// `COSERVERINFO` ([MS-DCOM] 2.2.22.2.7.1), 16 bytes and what its pointers point to: dwReserved1 u32, pwszName,
/// pdwReserved, dwReserved2 u32. Ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CoServerInfo<'a> {
    /// dwReserved1: 0.
    pub reserved1: u32,
    /// pwszName: the server as the user of the client named it.
    pub name: Option<WideString<'a>>,
    /// pdwReserved: null.
    pub pdw_reserved: Option<u32>,
    /// dwReserved2: 0.
    pub reserved2: u32,
}

wire! {
    struct 'a CoServerInfo<'a>, "[MS-DCOM]" "2.2.22.2.7.1" "COSERVERINFO", |v, r|
    "dwReserved1" reserved1: u32 = v.reserved1;
    "pwszName" name: Option<WideString<'a>> = v.name;
    "pdwReserved" pdw_reserved: Option<u32> = v.pdw_reserved;
    "dwReserved2" reserved2: u32 = v.reserved2;
    => {
        let _ = r;
        Ok(Self { reserved1, name, pdw_reserved, reserved2 })
    }
}

impl CoServerInfo<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> CoServerInfo<'static> {
        let Self { reserved1, name, pdw_reserved, reserved2 } = self;
        CoServerInfo { reserved1, name: name.map(WideString::into_owned), pdw_reserved, reserved2 }
    }
}

/// `ScmReplyInfoData` ([MS-DCOM] 2.2.22.2.8), 8 bytes and what its pointers point to: pdwReserved, remoteReply.
///
/// Decoding fails when remoteReply is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScmReplyInfoData {
    /// pdwReserved: null, ignored.
    pub pdw_reserved: Option<u32>,
    /// remoteReply: where the object is.
    pub remote_reply: Ref<RemoteReplyScmInfo>,
}

wire! {
    struct 'a ScmReplyInfoData, "[MS-DCOM]" "2.2.22.2.8" "ScmReplyInfoData", |v, r|
    "pdwReserved" pdw_reserved: Option<u32> = v.pdw_reserved;
    "remoteReply" remote_reply: Ref<RemoteReplyScmInfo> = v.remote_reply;
    => {
        let _ = r;
        Ok(Self { pdw_reserved, remote_reply })
    }
}

/// `customREMOTE_REPLY_SCM_INFO` ([MS-DCOM] 2.2.22.2.8.1), 36 bytes, aligned to 8, and the bindings: Oxid u64,
/// pdsaOxidBindings, ipidRemUnknown, authnHint u32, serverVersion.
///
/// Decoding fails when pdsaOxidBindings is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemoteReplyScmInfo {
    /// Oxid: the object exporter.
    pub oxid: u64,
    /// pdsaOxidBindings: where it is reached, with endpoints, and how calls on it are secured.
    pub oxid_bindings: Ref<DualStringArray>,
    /// ipidRemUnknown: its IRemUnknown.
    pub ipid_rem_unknown: Uuid,
    /// authnHint: the lowest authentication level that it takes. Never a reason for a client to use less than it would.
    pub authn_hint: u32,
    /// serverVersion.
    pub server_version: ComVersion,
}

wire! {
    struct 'a RemoteReplyScmInfo, "[MS-DCOM]" "2.2.22.2.8.1" "customREMOTE_REPLY_SCM_INFO", |v, r|
    "Oxid" oxid: u64 = v.oxid;
    "pdsaOxidBindings" oxid_bindings: Ref<DualStringArray> = v.oxid_bindings;
    "ipidRemUnknown" ipid_rem_unknown: Uuid = v.ipid_rem_unknown;
    "authnHint" authn_hint: u32 = v.authn_hint;
    "serverVersion" server_version: ComVersion = v.server_version;
    => {
        let _ = r;
        Ok(Self { oxid, oxid_bindings, ipid_rem_unknown, authn_hint, server_version })
    }
}

/// `PropsOutInfo` ([MS-DCOM] 2.2.22.2.9), 16 bytes and three arrays: cIfs u32, piid, phresults, ppIntfData.
///
/// Decoding fails when one of the arrays is null or of another size than cIfs, and when cIfs is 0 or above 32,768. A
/// success without a pointer and a failure with one are deviations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PropsOutInfo<'a> {
    /// What became of each interface that was asked for.
    pub interfaces: Vec<PropsOut<'a>>,
}

/// What became of one interface: the elements of one index in the arrays of [`PropsOutInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PropsOut<'a> {
    /// piid: which interface.
    pub iid: Uuid,
    /// phresults: 0, or why there is none.
    pub hresult: u32,
    /// ppIntfData: an OBJREF, null with a failure.
    pub pointer: Option<InterfacePointer<'a>>,
}

static IFS: At = at("2.2.22.2.9", "PropsOutInfo", "cIfs");
static POINTERS: At = at("2.2.22.2.9", "PropsOutInfo", "ppIntfData");
wire! {
    struct 'a PropsOutInfo<'a>, "[MS-DCOM]" "2.2.22.2.9" "PropsOutInfo", |v, r|
    "cIfs" size: Count = count(v.interfaces.len(), 1);
    "piid" iids: Ref<Vec<Uuid>> = Ref(v.interfaces.iter().map(|out| out.iid).collect());
    "phresults" hresults: Ref<Vec<u32>> = Ref(v.interfaces.iter().map(|out| out.hresult).collect());
    "ppIntfData" pointers: Ref<Vec<Option<InterfacePointer<'a>>>> =
        Ref(v.interfaces.iter().map(|out| out.pointer.clone()).collect());
    => {
        ranged(size, 1, iids.0.len(), &IFS)?;
        size.check(hresults.0.len(), &IFS)?;
        size.check(pointers.0.len(), &IFS)?;
        let interfaces = iids.0.into_iter().zip(hresults.0).zip(pointers.0);
        let interfaces: Vec<_> = interfaces
            .map(|((iid, hresult), pointer)| PropsOut { iid, hresult, pointer })
            .collect();
        let failed = |out: &PropsOut<'_>| out.hresult >= 0x8000_0000;
        let fits = |out: &PropsOut<'_>| {
            if out.pointer.is_some() { !failed(out) } else { out.hresult != 0 }
        };
        let rule = DecodeErrorKind::Rule("a success without a pointer, or a failure with one");
        r.must(interfaces.iter().all(fits), size.offset(), &POINTERS, rule)?;
        Ok(Self { interfaces })
    }
}

impl PropsOutInfo<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> PropsOutInfo<'static> {
        let own = |out: PropsOut<'_>| PropsOut {
            iid: out.iid,
            hresult: out.hresult,
            pointer: out.pointer.map(InterfacePointer::into_owned),
        };
        PropsOutInfo { interfaces: self.interfaces.into_iter().map(own).collect() }
    }
}
