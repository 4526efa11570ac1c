//! An object exporter as a client sees it ([MS-DCOM] 3.2.1): one connection for all its objects.

use std::collections::HashMap;
use std::sync::Arc;

use ndr_oaut::{ComVersion, Ndr};
use rpc_net::{Connection, Interface};
use tokio::sync::{Mutex, mpsc};
use tracing::debug;
use uuid::Uuid;

use super::ExpertError;
use super::call::{Read, answer, call, request, syntax};
use crate::calls::{IID_IREMUNKNOWN, InterfaceRefs, RemInterfaceRef, ResultOnly};

/// References that one call gives back at most.
const AT_ONCE: usize = 256;

/// An object exporter.
#[derive(Debug)]
pub(super) struct Exporter {
    line: Line,
    releases: mpsc::UnboundedSender<RemInterfaceRef>,
}

/// What calls on an exporter need.
#[derive(Debug, Clone)]
struct Line {
    connection: Connection,
    version: ComVersion,
    rem_unknown: Uuid,
    /// Bound already, by IID.
    interfaces: Arc<Mutex<HashMap<Uuid, Interface>>>,
}

impl Line {
    async fn call<'a, P: Ndr<'a>, R>(
        &self,
        (name, iid, opnum): (&'static str, Uuid, u16),
        ipid: Uuid,
        parameters: &P,
        read: Read<R>,
    ) -> Result<R, ExpertError> {
        let stub = request(Some(self.version), parameters)?;
        let interface = self.interface(name, iid).await?;
        call(&interface, name, opnum, Some(ipid), stub, read).await
    }

    async fn interface(&self, name: &'static str, iid: Uuid) -> Result<Interface, ExpertError> {
        let mut interfaces = self.interfaces.lock().await;
        if let Some(interface) = interfaces.get(&iid) {
            return Ok(interface.clone());
        }
        let interface = self.connection.interface(syntax(iid)).await;
        let interface = interface.map_err(|error| ExpertError::Rpc { call: name, error })?;
        interfaces.insert(iid, interface.clone());
        Ok(interface)
    }

    /// IRemUnknown::RemRelease.
    async fn release(&self, refs: Vec<RemInterfaceRef>) -> Result<(), ExpertError> {
        const NAME: &str = "IRemUnknown::RemRelease";
        let refs = InterfaceRefs { refs };
        let method = (NAME, IID_IREMUNKNOWN, 5);
        let released = self.call(method, self.rem_unknown, &refs, answer!(ResultOnly)).await?;
        succeeded(NAME, released.hresult)
    }
}

/// An HRESULT that tells failure as an error.
pub(super) fn succeeded(call: &'static str, hresult: crate::HResult) -> Result<(), ExpertError> {
    if hresult.is_success() { Ok(()) } else { Err(ExpertError::Call { call, hresult }) }
}

impl Exporter {
    /// An exporter that a connection leads to. A task gives references back that were only dropped; it ends when the
    /// exporter is gone.
    pub(super) fn new(connection: Connection, version: ComVersion, rem_unknown: Uuid) -> Self {
        let interfaces = Arc::new(Mutex::new(HashMap::new()));
        let line = Line { connection, version, rem_unknown, interfaces };
        let (releases, dropped) = mpsc::unbounded_channel();
        tokio::spawn(give_back(line.clone(), dropped));
        Self { line, releases }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.line.connection.is_closed()
    }

    pub(super) const fn rem_unknown(&self) -> Uuid {
        self.line.rem_unknown
    }

    /// A call on an interface of an object: name, IID, opnum.
    pub(super) async fn call<'a, P: Ndr<'a>, R>(
        &self,
        method: (&'static str, Uuid, u16),
        ipid: Uuid,
        parameters: &P,
        read: Read<R>,
    ) -> Result<R, ExpertError> {
        self.line.call(method, ipid, parameters, read).await
    }

    /// Gives references back, and waits for the answer.
    pub(super) async fn release(&self, refs: RemInterfaceRef) -> Result<(), ExpertError> {
        self.line.release(vec![refs]).await
    }

    /// Gives references back some time later.
    pub(super) fn release_later(&self, refs: RemInterfaceRef) {
        let _exporter_is_gone = self.releases.send(refs);
    }
}

async fn give_back(line: Line, mut dropped: mpsc::UnboundedReceiver<RemInterfaceRef>) {
    let mut refs = Vec::new();
    while dropped.recv_many(&mut refs, AT_ONCE).await > 0 {
        if let Err(error) = line.release(std::mem::take(&mut refs)).await {
            // The server finds out by the pings that do not come.
            debug!(%error, "references were not given back");
            if line.connection.is_closed() {
                return;
            }
        }
    }
}
