//! Servers.

mod connection;
mod limits;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use dce_rpc::{AuthLevel, ByteOrder, Options, Status, SyntaxId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::audit::{Audit, AuditEvent};
use limits::Limits;

/// What a server serves.
pub trait Service: Send + Sync + 'static {
    /// Whether there is such an interface, in this version.
    fn supports(&self, interface: &SyntaxId) -> bool;

    /// The least protection of a call; one with less gets fault 5.
    fn minimum_level(&self, interface: &SyntaxId, opnum: u16) -> AuthLevel {
        let _ = (interface, opnum);
        AuthLevel::INTEGRITY
    }

    /// Answers a call: with the stub data of the response, little-endian, or with the status of a fault. The future is
    /// dropped when the client gives the call up, when the connection ends, and when the server stops.
    fn call(&self, call: IncomingCall) -> impl Future<Output = Result<Vec<u8>, Status>> + Send;

    /// A connection is over, and so are its calls: what it still holds is run down (\[C706\] 5.1.6). The number is
    /// [`IncomingCall::connection`].
    fn disconnected(&self, connection: u64) {
        let _ = connection;
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The domain that the client named. It proves nothing where the account is one without domain.
    pub domain: String,
    /// The user, in the client's case.
    pub user: String,
    /// How its calls are protected.
    pub level: AuthLevel,
}

/// A call to be answered.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingCall {
    /// Who calls: only where a signature was verified, so at packet integrity and privacy.
    pub caller: Option<Caller>,
    /// How this call is protected.
    pub level: AuthLevel,
    /// The interface.
    pub interface: SyntaxId,
    /// The operation.
    pub opnum: u16,
    /// The object.
    pub object: Option<Uuid>,
    /// Parameters.
    pub stub: Vec<u8>,
    /// The order of the bytes of numbers in them.
    pub byte_order: ByteOrder,
    /// The client's address.
    pub peer: SocketAddr,
    /// The server's address.
    pub local: SocketAddr,
    /// The connection: counted in the server from 1.
    pub connection: u64,
}

impl IncomingCall {
    /// A call of nobody without parameters; what it has more is set afterwards. For tests of services.
    #[must_use]
    pub fn new(interface: SyntaxId, opnum: u16, peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            caller: None,
            level: AuthLevel::NONE,
            interface,
            opnum,
            object: None,
            stub: Vec::new(),
            byte_order: ByteOrder::Little,
            peer,
            local,
            connection: 0,
        }
    }
}

/// Limits of a server.
#[non_exhaustive]
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// Sizes, features and limits of each association: calls, presentation contexts, security contexts.
    pub rpc: Options,
    /// Connections.
    pub max_connections: usize,
    /// Connections of one address; of IPv6 the first 64 bits count.
    pub max_connections_per_address: usize,
    /// Calls that are answered at a time, all connections together; the others wait.
    pub max_calls: usize,
    /// So many failed logons of one address ..
    pub max_failed_logons: u32,
    /// .. within this time ..
    pub failed_logons_within: Duration,
    /// .. and it is refused for this time.
    pub refused_for: Duration,
    /// From a connection's beginning to its first call that is not refused.
    pub handshake_timeout: Duration,
    /// For a connection without calls.
    pub idle_timeout: Duration,
    /// For bytes that a client does not take.
    pub write_timeout: Duration,
    /// How long calls may take to end when the server is shut down.
    pub shutdown_timeout: Duration,
}

impl Default for ServerOptions {
    /// 256 connections, 32 of one address, 64 calls, 32 security contexts a connection; 10 failed logons within a minute
    /// are refused for a minute; 30 seconds for the handshake, 15 minutes idle, 30 seconds to write, 10 to shut down.
    fn default() -> Self {
        let mut rpc = Options::default();
        rpc.max_security = 32;
        rpc.max_contexts = 64;
        Self {
            rpc,
            max_connections: 256,
            max_connections_per_address: 32,
            max_calls: 64,
            max_failed_logons: 10,
            failed_logons_within: Duration::from_secs(60),
            refused_for: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(900),
            write_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) limits: Limits,
    options: ServerOptions,
    calls: Semaphore,
    connections: AtomicU64,
    groups: AtomicU32,
}

impl Shared {
    pub(crate) fn new(accounts: Arc<dyn Accounts>, audit: Arc<dyn Audit>, options: ServerOptions) -> Self {
        Self {
            accounts,
            audit,
            limits: Limits::new(&options),
            options,
            calls: Semaphore::new(options.max_calls.min(Semaphore::MAX_PERMITS)),
            connections: AtomicU64::new(1),
            groups: AtomicU32::new(1),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    Ending,
}

/// A server that serves. When it is dropped, it stops at once.
#[derive(Debug)]
#[must_use = "a server that is dropped stops"]
pub struct Server {
    phase: watch::Sender<Phase>,
    addresses: Vec<SocketAddr>,
    patience: Duration,
}

impl Server {
    /// Serves on listeners: as many addresses as there are, IPv4 and IPv6. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When a listener has no address.
    pub fn serve<S: Service>(
        listeners: Vec<TcpListener>,
        service: Arc<S>,
        accounts: Arc<dyn Accounts>,
        audit: Arc<dyn Audit>,
        options: ServerOptions,
    ) -> io::Result<Self> {
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let shared = Arc::new(Shared::new(accounts, audit, options));
        let (phase, _) = watch::channel(Phase::Serving);
        for listener in listeners {
            let accepting = accept(listener, Arc::clone(&service), Arc::clone(&shared), phase.subscribe());
            tokio::spawn(accepting);
        }
        Ok(Self { phase, addresses, patience: options.shutdown_timeout })
    }

    /// Where it listens, in the order of the listeners.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more connections and calls, lets the calls under way end and answers them, and closes all connections;
    /// after `shutdown_timeout` without waiting any longer.
    pub async fn shutdown(self) {
        self.phase.send_replace(Phase::Ending);
        // All connections and listeners hold the other end.
        let _ = timeout(self.patience, self.phase.closed()).await;
    }
}

async fn accept<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.changed() => return,
        };
        let Ok((stream, peer)) = accepted else {
            // No descriptors are left, most likely: others have to end first.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        begin(stream, peer, &service, &shared, &phase);
    }
}

fn begin<S: Service>(
    stream: TcpStream,
    peer: SocketAddr,
    service: &Arc<S>,
    shared: &Arc<Shared>,
    phase: &watch::Receiver<Phase>,
) {
    let Ok(local) = stream.local_addr() else { return };
    let permit = match limits::admit(shared, peer.ip()) {
        Ok(permit) => permit,
        Err(why) => return shared.audit.event(&AuditEvent::ConnectionRefused { peer, why }),
    };
    shared.audit.event(&AuditEvent::Connected { peer, local });
    let _ = stream.set_nodelay(true);
    let number = shared.connections.fetch_add(1, Ordering::Relaxed);
    let group = shared.groups.fetch_add(1, Ordering::Relaxed).max(1);
    let ends = connection::Ends { peer, local, number, group };
    let running = connection::run(stream, ends, Arc::clone(service), Arc::clone(shared), phase.clone());
    tokio::spawn(async move {
        running.await;
        drop(permit);
    });
}
