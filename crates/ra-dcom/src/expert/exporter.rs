//! An object exporter as a client sees it ([MS-DCOM] 3.2.1): one connection for all its objects.

use ndr_oaut::ComVersion;
use rpc_net::Connection;
use tokio::sync::mpsc;
use tracing::debug;
use uuid::Uuid;

use super::ExpertError;
use super::call::{Line, call, succeeded};
use crate::calls::{Call, IID_IREMUNKNOWN, InterfaceRefs, Method, RemInterfaceRef, RemRelease};

/// References that one call gives back at most.
const AT_ONCE: usize = 256;

/// An object exporter.
#[derive(Debug)]
pub(super) struct Exporter {
    calls: Calls,
    releases: mpsc::UnboundedSender<RemInterfaceRef>,
}

/// What calls on an exporter need.
#[derive(Debug, Clone)]
struct Calls {
    line: Line,
    version: ComVersion,
    rem_unknown: Uuid,
}

impl Calls {
    async fn call<C: Call>(
        &self,
        (iid, ipid): (Uuid, Uuid),
        parameters: &C::Request<'_>,
    ) -> Result<C::Response<'static>, ExpertError> {
        let interface = self.line.interface(iid, C::METHOD).await?;
        call::<C>(&interface, self.version, Some(ipid), parameters).await
    }

    async fn on_rem_unknown<C: Call>(
        &self,
        parameters: &C::Request<'_>,
    ) -> Result<C::Response<'static>, ExpertError> {
        self.call::<C>((IID_IREMUNKNOWN, self.rem_unknown), parameters).await
    }

    async fn release(&self, refs: Vec<RemInterfaceRef>) -> Result<(), ExpertError> {
        let released = self.on_rem_unknown::<RemRelease>(&InterfaceRefs { refs }).await?;
        succeeded(Method::RemRelease, released.hresult)
    }
}

impl Exporter {
    /// An exporter that a connection leads to. A task gives references back that were only dropped; it ends when the
    /// exporter is gone.
    pub(super) fn new(connection: Connection, version: ComVersion, rem_unknown: Uuid) -> Self {
        let calls = Calls { line: Line::new(connection), version, rem_unknown };
        let (releases, dropped) = mpsc::unbounded_channel();
        tokio::spawn(give_back(calls.clone(), dropped));
        Self { calls, releases }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.calls.line.connection().is_closed()
    }

    /// Calls a method on an interface of an object: its IID and IPID.
    pub(super) async fn call<C: Call>(
        &self,
        interface: (Uuid, Uuid),
        parameters: &C::Request<'_>,
    ) -> Result<C::Response<'static>, ExpertError> {
        self.calls.call::<C>(interface, parameters).await
    }

    /// Calls a method of IRemUnknown.
    pub(super) async fn on_rem_unknown<C: Call>(
        &self,
        parameters: &C::Request<'_>,
    ) -> Result<C::Response<'static>, ExpertError> {
        self.calls.on_rem_unknown::<C>(parameters).await
    }

    /// Gives references back, and waits for the answer.
    pub(super) async fn release(&self, refs: RemInterfaceRef) -> Result<(), ExpertError> {
        self.calls.release(vec![refs]).await
    }

    /// Gives references back some time later.
    pub(super) fn release_later(&self, refs: RemInterfaceRef) {
        let _exporter_is_gone = self.releases.send(refs);
    }
}

async fn give_back(calls: Calls, mut dropped: mpsc::UnboundedReceiver<RemInterfaceRef>) {
    let mut refs = Vec::new();
    while dropped.recv_many(&mut refs, AT_ONCE).await > 0 {
        if let Err(error) = calls.release(std::mem::take(&mut refs)).await {
            // The server finds out by the pings that do not come.
            debug!(%error, "references were not given back");
            if calls.line.connection().is_closed() {
                return;
            }
        }
    }
}
