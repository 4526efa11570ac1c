//! IRemUnknown and IRemUnknown2: more interfaces and references ([MS-DCOM] 3.1.1.5.6, 3.1.1.5.7).

use alloc::vec::Vec;
use core::net::IpAddr;

use dce_rpc::Status;
use ndr_oaut::StdObjRef;
use uuid::Uuid;

use super::core::{Call, Done, Novice, orpc};
use super::object::Pointer;
use super::run::Caller;
use crate::HResult;
use crate::calls::{
    IID_IREMUNKNOWN2, InterfaceRefs, RemAddRefResponse, RemInterfaceRef, RemQiResult,
    RemQueryInterface2Request, RemQueryInterface2Response, RemQueryInterfaceRequest,
    RemQueryInterfaceResponse, ResultOnly,
};

impl Novice {
    /// A call of IRemUnknown or IRemUnknown2. Both are the Remote Unknown; the second has one method more.
    pub(super) fn rem_unknown(&mut self, caller: &Caller<'_>, call: &Call<'_>) -> Result<Done, Status> {
        if call.object != Some(self.exporter.remote_unknown()) {
            return Err(Status(HResult::RPC_E_INVALID_IPID.0));
        }
        match call.opnum {
            3 => {
                let RemQueryInterfaceRequest { ipid, refs, iids } = orpc(call)?;
                let (results, hresult) = match self.query(caller, &ipid, refs, &iids) {
                    Ok(found) => {
                        let hresult = overall(&found);
                        let result = |found: Result<Pointer, HResult>| match found {
                            Ok(pointer) => RemQiResult { hresult: HResult::S_OK, std: pointer.std },
                            Err(hresult) => RemQiResult { hresult, std: StdObjRef::default() },
                        };
                        (Some(found.into_iter().map(result).collect()), hresult)
                    }
                    Err(hresult) => (None, hresult),
                };
                Done::orpc(RemQueryInterfaceResponse { results, hresult }, hresult)
            }
            4 => {
                let InterfaceRefs { refs } = orpc(call)?;
                let mut add = |r: &RemInterfaceRef| {
                    let there =
                        self.exporter.add_references(caller.owner, &r.ipid, r.public_refs, r.private_refs);
                    if there { HResult::S_OK } else { HResult::CO_E_OBJNOTREG }
                };
                let results = refs.iter().map(&mut add).collect();
                Done::orpc(RemAddRefResponse { results, hresult: HResult::S_OK }, HResult::S_OK)
            }
            5 => {
                let InterfaceRefs { refs } = orpc(call)?;
                for r in refs {
                    self.exporter.release(caller.owner, &r.ipid, r.public_refs, r.private_refs);
                }
                Done::orpc(ResultOnly { hresult: HResult::S_OK }, HResult::S_OK)
            }
            6 if call.interface.uuid == IID_IREMUNKNOWN2 => {
                let RemQueryInterface2Request { ipid, iids } = orpc(call)?;
                self.query2(caller, &ipid, &iids, call.local)
            }
            _ => Err(Status::OP_RNG_ERROR),
        }
    }

    fn query2(
        &mut self,
        caller: &Caller<'_>,
        ipid: &Uuid,
        iids: &[Uuid],
        local: Option<IpAddr>,
    ) -> Result<Done, Status> {
        // As many references as in any OBJREF that is new.
        let found = self.query(caller, ipid, 5, iids);
        let (results, interfaces, hresult) = match found {
            Ok(found) => {
                let hresult = overall(&found);
                let results = found.iter().map(|f| f.err().unwrap_or(HResult::S_OK)).collect();
                let objref = |f: &Result<Pointer, _>| f.as_ref().ok().map(|p| self.objref(p, local));
                (results, found.iter().map(objref).collect(), hresult)
            }
            Err(hresult) => {
                // The arrays have the sizes of the request also in failures.
                let none = iids.iter().map(|_| None).collect();
                (iids.iter().map(|_| hresult).collect(), none, hresult)
            }
        };
        Done::orpc(RemQueryInterface2Response { results, interfaces, hresult }, hresult)
    }

    /// References to more interfaces of the object that an IPID belongs to.
    fn query(
        &mut self,
        caller: &Caller<'_>,
        ipid: &Uuid,
        references: u32,
        iids: &[Uuid],
    ) -> Result<Vec<Result<Pointer, HResult>>, HResult> {
        let interface = self.exporter.interface(caller.owner, ipid).ok_or(HResult::RPC_E_INVALID_OBJECT)?;
        if iids.is_empty() {
            return Err(HResult::E_INVALIDARG);
        }
        if iids.len() > self.limits.items_per_call {
            return Err(HResult::E_OUTOFMEMORY);
        }
        let mut found = |iid: &Uuid| {
            let std = self.exporter.marshal(interface.oid, *iid, references, caller.now)?;
            Ok(Pointer { iid: *iid, std })
        };
        Ok(iids.iter().map(&mut found).collect())
    }
}

/// When there is none of the interfaces, the call fails, so that clients that ask for one need to look at one place only.
fn overall(found: &[Result<Pointer, HResult>]) -> HResult {
    match found.iter().find(|found| found.is_ok()) {
        Some(_) => HResult::S_OK,
        None => HResult::E_NOINTERFACE,
    }
}
