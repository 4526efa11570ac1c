//! IObjectExporter ([MS-DCOM] 3.1.2.5.1): plain RPC, without ORPCTHIS and ORPCTHAT.

use alloc::vec::Vec;

use ndr_oaut::{ComVersion, DualStringArray, wire};
use remassist_core::At;
use uuid::Uuid;

use super::count::Count16;
use super::macros::{own_itself, params};
use crate::ErrorStatus;

/// The \[in\] parameters of `ResolveOxid` (opnum 0, [MS-DCOM] 3.1.2.5.1.1) and of `ResolveOxid2` (opnum 4, 3.1.2.5.1.5):
/// pOxid u64, cRequestedProtseqs u16, arRequestedProtseqs.
///
/// Decoding fails when cRequestedProtseqs is not the size of the array.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResolveOxidRequest {
    /// pOxid: the object exporter.
    pub oxid: u64,
    /// arRequestedProtseqs: the protocols that the client speaks; 7 is TCP. At most 65,535.
    pub protseqs: Vec<u16>,
}

static PROTSEQS: At =
    At::new("[MS-DCOM]", "3.1.2.5.1.1", "IObjectExporter::ResolveOxid", "arRequestedProtseqs");
wire! {
    params 'a ResolveOxidRequest, "[MS-DCOM]" "3.1.2.5.1.1" "IObjectExporter::ResolveOxid", |v, r|
    "pOxid" oxid: u64 = v.oxid;
    "cRequestedProtseqs" count: Count16 = Count16::of(v.protseqs.len());
    "arRequestedProtseqs" protseqs: Vec<u16> = v.protseqs;
    => {
        let _ = r;
        count.check(protseqs.len(), &PROTSEQS)?;
        Ok(Self { oxid, protseqs })
    }
}
own_itself!(ResolveOxidRequest);

params! {
    /// The \[out\] parameters of `ResolveOxid` (opnum 0).
    params ResolveOxidResponse, "[MS-DCOM]" "3.1.2.5.1.1" "IObjectExporter::ResolveOxid" {
        /// ppdsaOxidBindings: where the object exporter is reached; null in failures.
        "ppdsaOxidBindings" bindings: Option<DualStringArray>;
        /// pipidRemUnknown: its Remote Unknown.
        "pipidRemUnknown" ipid_rem_unknown: Uuid;
        /// pAuthnHint: the lowest authentication level that it takes; only a hint.
        "pAuthnHint" authn_hint: u32;
        /// The error_status_t.
        "error_status_t" status: ErrorStatus;
    }
}

params! {
    /// The \[out\] parameters of `ResolveOxid2` (opnum 4).
    params ResolveOxid2Response, "[MS-DCOM]" "3.1.2.5.1.5" "IObjectExporter::ResolveOxid2" {
        /// ppdsaOxidBindings: where the object exporter is reached; null in failures.
        "ppdsaOxidBindings" bindings: Option<DualStringArray>;
        /// pipidRemUnknown: its Remote Unknown.
        "pipidRemUnknown" ipid_rem_unknown: Uuid;
        /// pAuthnHint: the lowest authentication level that it takes; only a hint.
        "pAuthnHint" authn_hint: u32;
        /// pComVersion: that of the object exporter.
        "pComVersion" com_version: ComVersion;
        /// The error_status_t.
        "error_status_t" status: ErrorStatus;
    }
}

params! {
    /// The \[in\] parameter of `SimplePing` (opnum 1), 8 bytes.
    params SimplePingRequest, "[MS-DCOM]" "3.1.2.5.1.2" "IObjectExporter::SimplePing" {
        /// pSetId: a ping set that `ComplexPing` made.
        "pSetId" set_id: u64;
    }
}

/// The \[in\] parameters of `ComplexPing` (opnum 2, [MS-DCOM] 3.1.2.5.1.3): pSetId u64, SequenceNum u16, cAddToSet u16,
/// cDelFromSet u16, AddToSet, DelFromSet.
///
/// Decoding fails when a count is not the size of its array; a null pointer is an array of none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ComplexPingRequest {
    /// pSetId: the ping set, 0 for a new one.
    pub set_id: u64,
    /// SequenceNum: a request with a smaller number than the set has seen changes nothing.
    pub sequence_num: u16,
    /// AddToSet: OIDs to add.
    pub add_to_set: Option<Vec<u64>>,
    /// DelFromSet: OIDs to take out.
    pub del_from_set: Option<Vec<u64>>,
}

static ADD: At = At::new("[MS-DCOM]", "3.1.2.5.1.3", "IObjectExporter::ComplexPing", "AddToSet");
static DEL: At = At::new("[MS-DCOM]", "3.1.2.5.1.3", "IObjectExporter::ComplexPing", "DelFromSet");
fn len(oids: Option<&Vec<u64>>) -> usize {
    oids.map_or(0, Vec::len)
}
wire! {
    params 'a ComplexPingRequest, "[MS-DCOM]" "3.1.2.5.1.3" "IObjectExporter::ComplexPing", |v, r|
    "pSetId" set_id: u64 = v.set_id;
    "SequenceNum" sequence_num: u16 = v.sequence_num;
    "cAddToSet" add: Count16 = Count16::of(len(v.add_to_set.as_ref()));
    "cDelFromSet" del: Count16 = Count16::of(len(v.del_from_set.as_ref()));
    "AddToSet" add_to_set: Option<Vec<u64>> = v.add_to_set;
    "DelFromSet" del_from_set: Option<Vec<u64>> = v.del_from_set;
    => {
        let _ = r;
        add.check(len(add_to_set.as_ref()), &ADD)?;
        del.check(len(del_from_set.as_ref()), &DEL)?;
        Ok(Self { set_id, sequence_num, add_to_set, del_from_set })
    }
}
own_itself!(ComplexPingRequest);

params! {
    /// The \[out\] parameters of `ComplexPing` (opnum 2), 16 bytes.
    params ComplexPingResponse, "[MS-DCOM]" "3.1.2.5.1.3" "IObjectExporter::ComplexPing" {
        /// pSetId: the ping set, also a new one.
        "pSetId" set_id: u64;
        /// pPingBackoffFactor: how much less often the client could ping; 0.
        "pPingBackoffFactor" ping_backoff_factor: u16;
        /// The error_status_t.
        "error_status_t" status: ErrorStatus;
    }
}

params! {
    /// The \[out\] parameters of `ServerAlive2` (opnum 5).
    params ServerAlive2Response, "[MS-DCOM]" "3.1.2.5.1.6" "IObjectExporter::ServerAlive2" {
        /// pComVersion: that of the resolver.
        "pComVersion" com_version: ComVersion;
        /// ppdsaOrBindings: where the resolver is reached, without ports.
        "ppdsaOrBindings" bindings: Option<DualStringArray>;
        /// pReserved: 0, ignored.
        "pReserved" reserved: u32;
        /// The error_status_t.
        "error_status_t" status: ErrorStatus;
    }
}
