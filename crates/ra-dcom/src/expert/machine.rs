//! The novice's machine: its object resolver, and what it has told of its object exporters ([MS-DCOM] 3.2).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ndr_oaut::{ComVersion, DualStringArray, InterfacePointer, ObjRef, ObjRefBody, StdObjRef};
use remassist_core::{Decode as _, DecodeOptions};
use rpc_net::{AuthLevel, ConnectOptions, Connection, SecurityCode, Status};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::ExpertError;
use super::bindings::{Place, places};
use super::call::{Line, bind, call};
use super::exporter::Exporter;
use super::object::RemoteObject;
use super::ping::Held;
use crate::ErrorStatus;
use crate::calls::{
    Call, IID_IOBJECTEXPORTER, Method, NoParameters, ResolveOxid2, ResolveOxidRequest, ServerAlive2,
};

/// How long an address may be the only one that is tried.
const NEXT: Duration = Duration::from_millis(250);
/// Of a server that does not tell its version ([MS-DCOM] 3.2.4.1.1.1).
const OLDEST: ComVersion = ComVersion { major: 5, minor: 1 };
/// ncacn_ip_tcp ([MS-DCOM] 2.2.19.3).
pub(super) const TCP: u16 = 7;

/// How an expert asks a machine.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct DcomOptions {
    /// Port of the object resolver: 135.
    pub port: u16,
    /// Account, mechanism, timeouts. Calls are always sealed, whatever its level says ([MS-RAI] 5.1), all but the question
    /// whether the server is alive, which has no security at all: without an account nothing is asked.
    pub connect: ConnectOptions,
    /// How often a machine is told that its objects are still wanted; at most 2 minutes ([MS-DCOM] 3.2.2).
    pub ping_interval: Duration,
}

impl DcomOptions {
    /// Port 135, a ping every 2 minutes.
    #[must_use]
    pub fn new(connect: ConnectOptions) -> Self {
        Self { port: 135, connect, ping_interval: Duration::from_secs(120) }
    }
}

/// A machine with an object resolver. Clones are the same one; the connection goes when the last one and the last object
/// are gone.
#[derive(Debug, Clone)]
pub struct Machine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    resolver: Line,
    options: DcomOptions,
    version: ComVersion,
    /// Whether it has turned out that there is no IRemoteSCMActivator.
    old: AtomicBool,
    exporters: Mutex<HashMap<u64, Weak<Exporter>>>,
    pub(super) held: Held,
}

impl Machine {
    /// Finds the resolver of a machine and asks for its version (IObjectExporter::ServerAlive2, without security). The
    /// account is not proved before something is asked for.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn connect(host: &str, mut options: DcomOptions) -> Result<Self, ExpertError> {
        if options.connect.credentials.is_none() {
            return Err(ExpertError::Connecting(rpc_net::Error::Security(SecurityCode::NO_CREDENTIALS)));
        }
        options.connect.level = AuthLevel::PRIVACY;
        let mut open = options.connect.clone();
        open.credentials = None;
        let asked =
            Connection::connect((host, options.port), &open).await.map_err(ExpertError::Connecting)?;
        let version = match server_alive2(&asked).await {
            Ok(version) => version,
            // [MS-DCOM] 3.2.4.1.1.1: an old server.
            Err(ExpertError::Rpc { error: rpc_net::Error::Fault(Status::OP_RNG_ERROR), .. }) => OLDEST,
            Err(error) => return Err(error),
        };
        let own = ComVersion::default();
        if version.major != own.major {
            return Err(ExpertError::Version);
        }
        let resolver = Connection::connect(asked.peer_addr(), &options.connect).await;
        let resolver = resolver.map_err(ExpertError::Connecting)?;
        let held = Held::default();
        let inner = Arc::new(Inner {
            resolver: Line::new(resolver),
            version: version.min(own),
            // [MS-DCOM] 3.2.4.1.1.2: it came with 5.6.
            old: AtomicBool::new(version < ComVersion { major: 5, minor: 6 }),
            exporters: Mutex::default(),
            held,
            options,
        });
        Ok(Self { inner })
    }

    /// Where the resolver was reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.resolver.connection().peer_addr()
    }

    /// The version of DCOM that both sides speak.
    #[must_use]
    pub fn version(&self) -> ComVersion {
        self.inner.version
    }

    pub(super) fn resolver(&self) -> &Line {
        &self.inner.resolver
    }

    /// Whether there is no IRemoteSCMActivator.
    pub(super) fn is_old(&self) -> bool {
        self.inner.old.load(Ordering::Relaxed)
    }

    pub(super) fn found_old(&self) {
        self.inner.old.store(true, Ordering::Relaxed);
    }

    /// Makes an object of a reference that came in an answer, which has counted it. Objects of other machines are refused.
    ///
    /// # Errors
    /// [`ExpertError`]; [`ExpertError::Protocol`] for a reference in another form than OBJREF_STANDARD, or to nothing.
    pub async fn object(
        &self,
        call: Method,
        pointer: Option<&InterfacePointer<'_>>,
    ) -> Result<RemoteObject, ExpertError> {
        let wrong = |rule| ExpertError::Protocol { call, rule };
        let pointer = pointer.ok_or_else(|| wrong("there is no object"))?;
        let objref = ObjRef::decode_with(&pointer.objref, &DecodeOptions::TOLERANT);
        let objref = objref.map_err(|error| ExpertError::Answer { call, error })?.value;
        let std = match objref.body {
            ObjRefBody::Standard { std, .. } | ObjRefBody::Handler { std, .. } => std,
            ObjRefBody::Extended { std, .. } => std,
            _ => return Err(wrong("an object is marshaled by itself")),
        };
        let exporter = self.exporter(std.oxid).await?;
        self.take(exporter, objref.iid, &std).await
    }

    /// An object whose exporter is known.
    pub(super) async fn take(
        &self,
        exporter: Arc<Exporter>,
        iid: Uuid,
        std: &StdObjRef,
    ) -> Result<RemoteObject, ExpertError> {
        let mut object = RemoteObject::new(self.clone(), exporter, iid, std);
        if std.public_refs == 0 {
            // [MS-DCOM] 3.2.4.4: nothing was counted for this side.
            object.add_refs(1).await?;
        }
        Ok(object)
    }

    /// The exporter of objects, by what an activation has told of it.
    pub(super) async fn exporter_at(
        &self,
        oxid: u64,
        bindings: &DualStringArray,
        rem_unknown: Uuid,
        version: ComVersion,
    ) -> Result<Arc<Exporter>, ExpertError> {
        if let Some(known) = self.known(oxid) {
            return Ok(known);
        }
        let places = places(&bindings.string_bindings(), self.address(), self.inner.options.port);
        let connection = dial(places, &self.inner.options.connect).await?;
        let exporter = Arc::new(Exporter::new(connection, version.min(self.inner.version), rem_unknown));
        let mut exporters = self.exporters();
        exporters.retain(|_, exporter| exporter.strong_count() > 0);
        exporters.insert(oxid, Arc::downgrade(&exporter));
        Ok(exporter)
    }

    fn exporters(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Weak<Exporter>>> {
        self.inner.exporters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, oxid: u64) -> Option<Arc<Exporter>> {
        self.exporters().get(&oxid).and_then(Weak::upgrade).filter(|exporter| !exporter.is_closed())
    }

    /// The exporter of an OXID; asks the resolver of this machine when it is not known ([MS-DCOM] 3.2.4.1.2).
    async fn exporter(&self, oxid: u64) -> Result<Arc<Exporter>, ExpertError> {
        if let Some(known) = self.known(oxid) {
            return Ok(known);
        }
        let call = Method::ResolveOxid2;
        let parameters = ResolveOxidRequest { oxid, protseqs: vec![TCP] };
        let told = self.inner.ask::<ResolveOxid2>(&parameters).await?;
        resolved(call, told.status)?;
        let bindings = told.bindings.ok_or(ExpertError::Protocol { call, rule: "there are no bindings" })?;
        self.exporter_at(oxid, &bindings, told.ipid_rem_unknown, told.com_version).await
    }

    pub(super) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    pub(super) fn held(&self) -> &Held {
        &self.inner.held
    }
}

impl Inner {
    /// Calls a method of IObjectExporter with the account of the caller.
    pub(super) async fn ask<C: Call>(
        &self,
        parameters: &C::Request<'_>,
    ) -> Result<C::Response<'static>, ExpertError> {
        let interface = self.resolver.interface(IID_IOBJECTEXPORTER, C::METHOD).await?;
        call::<C>(&interface, self.version, None, parameters).await
    }

    pub(super) fn ping_interval(&self) -> Duration {
        self.options.ping_interval
    }
}

/// A status that tells failure as an error.
pub(super) fn resolved(call: Method, status: ErrorStatus) -> Result<(), ExpertError> {
    if status.0 == 0 { Ok(()) } else { Err(ExpertError::Resolver { call, status }) }
}

async fn server_alive2(connection: &Connection) -> Result<ComVersion, ExpertError> {
    let method = Method::ServerAlive2;
    let interface = bind(connection, IID_IOBJECTEXPORTER, method).await?;
    let told = call::<ServerAlive2>(&interface, ComVersion::default(), None, &NoParameters {}).await?;
    resolved(method, told.status)?;
    Ok(told.com_version)
}

/// Connects to the first of the places that answers. Each has a head start before the next one, and no longer than it takes
/// to fail.
async fn dial(places: Vec<Place>, options: &ConnectOptions) -> Result<Connection, ExpertError> {
    let tried = places.len();
    let mut dialling = JoinSet::new();
    for place in places {
        let options = options.clone();
        dialling.spawn(async move {
            match place {
                Place::Address(address) => Connection::connect(address, &options).await,
                Place::Name(name, port) => Connection::connect((name.as_str(), port), &options).await,
            }
        });
        if let Ok(Some(Ok(Ok(connection)))) = timeout(NEXT, dialling.join_next()).await {
            return Ok(connection);
        }
    }
    while let Some(dialled) = dialling.join_next().await {
        if let Ok(Ok(connection)) = dialled {
            return Ok(connection);
        }
    }
    Err(ExpertError::Unreachable { tried })
}
