//! Interfaces of objects on the novice's machine ([MS-DCOM] 3.2.4).

use std::sync::Arc;

use ndr_oaut::StdObjRef;
use uuid::Uuid;

use super::ExpertError;
use super::call::succeeded;
use super::exporter::Exporter;
use super::machine::Machine;
use super::ping;
use crate::HResult;
use crate::calls::{
    Call, InterfaceRefs, Method, RemAddRef, RemInterfaceRef, RemQueryInterface, RemQueryInterfaceRequest,
};

/// SORF_NOPING ([MS-DCOM] 2.2.18.2): the object lives without pings.
const NO_PING: u32 = 0x1000;

/// An interface of an object on the novice's machine. The machine is told by pings that it is wanted; its references are
/// given back when it is dropped, a little later, or at once by [`release`](Self::release).
#[derive(Debug)]
pub struct RemoteObject {
    machine: Machine,
    exporter: Arc<Exporter>,
    iid: Uuid,
    ipid: Uuid,
    oid: u64,
    /// Public references of this side.
    refs: u32,
    pinged: bool,
}

impl RemoteObject {
    pub(super) fn new(machine: Machine, exporter: Arc<Exporter>, iid: Uuid, std: &StdObjRef) -> Self {
        let pinged = std.flags & NO_PING == 0;
        if pinged {
            ping::hold(&machine, std.oid);
        }
        Self { machine, exporter, iid, ipid: std.ipid, oid: std.oid, refs: std.public_refs, pinged }
    }

    /// The interface.
    #[must_use]
    pub const fn iid(&self) -> Uuid {
        self.iid
    }

    /// Its number on the machine.
    #[must_use]
    pub const fn ipid(&self) -> Uuid {
        self.ipid
    }

    pub(super) const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The number of the object on the machine.
    #[must_use]
    pub const fn oid(&self) -> u64 {
        self.oid
    }

    /// Calls a method of the interface, or one that the interface inherits.
    ///
    /// # Errors
    /// [`ExpertError`]. What the HRESULT says is up to the caller.
    pub async fn call<C: Call>(
        &self,
        parameters: &C::Request<'_>,
    ) -> Result<C::Response<'static>, ExpertError> {
        self.exporter.call::<C>((self.iid, self.ipid), parameters).await
    }

    /// Another interface of the same object (IRemUnknown::RemQueryInterface).
    ///
    /// # Errors
    /// [`ExpertError`]; E_NOINTERFACE in [`ExpertError::Call`] when the object has none.
    pub async fn query(&self, iid: Uuid) -> Result<Self, ExpertError> {
        let call = Method::RemQueryInterface;
        let parameters = RemQueryInterfaceRequest { ipid: self.ipid, refs: 1, iids: vec![iid] };
        let answer = self.exporter.on_rem_unknown::<RemQueryInterface>(&parameters).await?;
        let [result] = answer.results.as_deref().unwrap_or_default() else {
            succeeded(call, answer.hresult)?;
            return Err(ExpertError::Protocol { call, rule: "not one result for one interface" });
        };
        succeeded(call, result.hresult)?;
        self.machine.take(Arc::clone(&self.exporter), iid, &result.std).await
    }

    /// Asks for more public references (IRemUnknown::RemAddRef).
    pub(super) async fn add_refs(&mut self, public_refs: u32) -> Result<(), ExpertError> {
        let refs = vec![RemInterfaceRef { ipid: self.ipid, public_refs, private_refs: 0 }];
        let answer = self.exporter.on_rem_unknown::<RemAddRef>(&InterfaceRefs { refs }).await?;
        succeeded(Method::RemAddRef, answer.hresult)?;
        let result = answer.results.first().copied().unwrap_or(HResult::E_FAIL);
        succeeded(Method::RemAddRef, result)?;
        self.refs = self.refs.saturating_add(public_refs);
        Ok(())
    }

    fn take_refs(&mut self) -> Option<RemInterfaceRef> {
        let public_refs = std::mem::take(&mut self.refs);
        (public_refs > 0).then_some(RemInterfaceRef { ipid: self.ipid, public_refs, private_refs: 0 })
    }

    /// Gives the references back and waits for the answer (IRemUnknown::RemRelease).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn release(mut self) -> Result<(), ExpertError> {
        match self.take_refs() {
            Some(refs) => self.exporter.release(refs).await,
            None => Ok(()),
        }
    }
}

impl Drop for RemoteObject {
    fn drop(&mut self) {
        if self.pinged {
            self.machine.held().let_go(self.oid);
        }
        if let Some(refs) = self.take_refs() {
            self.exporter.release_later(refs);
        }
    }
}
