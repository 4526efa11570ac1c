//! IObjectExporter: where objects are, and whether somebody still holds them ([MS-DCOM] 3.1.2.5.1).

use dce_rpc::Status;
use ndr_oaut::DualStringArray;
use uuid::Uuid;

use super::core::{Call, Done, Novice, VERSION, plain};
use super::exporter::PingError;
use super::run::Caller;
use crate::ErrorStatus;
use crate::calls::{
    ComplexPingRequest, ComplexPingResponse, ResolveOxid2Response, ResolveOxidRequest, ResolveOxidResponse,
    ServerAlive2Response, SimplePingRequest, StatusOnly,
};

/// pAuthnHint: packet privacy.
pub(super) const AUTHN_HINT: u32 = 6;

impl From<PingError> for ErrorStatus {
    fn from(error: PingError) -> Self {
        match error {
            PingError::NoSet => Self::INVALID_SET,
            PingError::NoObject => Self::INVALID_OID,
            PingError::TooMany => Self::OUTOFMEMORY,
        }
    }
}

impl Novice {
    /// A call of IObjectExporter. ServerAlive and ServerAlive2 are for everybody, and tell nothing that is not known to who
    /// can connect.
    pub(super) fn object_exporter(&mut self, caller: &Caller<'_>, call: &Call<'_>) -> Result<Done, Status> {
        match call.opnum {
            0 => {
                let (bindings, ipid_rem_unknown, status) = self.resolve(call)?;
                let authn_hint = AUTHN_HINT;
                Done::plain(ResolveOxidResponse { bindings, ipid_rem_unknown, authn_hint, status }, status.0)
            }
            1 => {
                let SimplePingRequest { set_id } = plain(call)?;
                let pinged = self.exporter.ping(caller.owner, set_id, caller.now);
                let status = pinged.map_or_else(ErrorStatus::from, |()| ErrorStatus::SUCCESS);
                Done::plain(StatusOnly { status }, status.0)
            }
            2 => {
                let ComplexPingRequest { set_id, sequence_num, add_to_set, del_from_set } = plain(call)?;
                let (add, delete) = (add_to_set.unwrap_or_default(), del_from_set.unwrap_or_default());
                let changed =
                    self.exporter.change_set(caller.owner, set_id, sequence_num, &add, &delete, caller.now);
                let (set_id, status) = match changed {
                    Ok(set_id) => (set_id, ErrorStatus::SUCCESS),
                    Err(error) => (set_id, error.into()),
                };
                Done::plain(ComplexPingResponse { set_id, ping_backoff_factor: 0, status }, status.0)
            }
            3 => Done::plain(StatusOnly { status: ErrorStatus::SUCCESS }, 0),
            4 => {
                let (bindings, ipid_rem_unknown, status) = self.resolve(call)?;
                let (authn_hint, com_version) = (AUTHN_HINT, VERSION);
                let response =
                    ResolveOxid2Response { bindings, ipid_rem_unknown, authn_hint, com_version, status };
                Done::plain(response, status.0)
            }
            5 => {
                let bindings = Some(self.endpoints.resolver(call.local));
                let status = ErrorStatus::SUCCESS;
                Done::plain(ServerAlive2Response { com_version: VERSION, bindings, reserved: 0, status }, 0)
            }
            _ => Err(Status::OP_RNG_ERROR),
        }
    }

    /// There is one object exporter, and it listens on TCP only, whatever protocols the client knows.
    fn resolve(&self, call: &Call<'_>) -> Result<(Option<DualStringArray>, Uuid, ErrorStatus), Status> {
        let ResolveOxidRequest { oxid, .. } = plain(call)?;
        if oxid != self.exporter.oxid() {
            return Ok((None, Uuid::nil(), ErrorStatus::INVALID_OXID));
        }
        let bindings = self.endpoints.exporter(call.local);
        Ok((Some(bindings), self.exporter.remote_unknown(), ErrorStatus::SUCCESS))
    }
}
