//! Connections of a client.

mod driver;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dce_rpc::{AuthLevel, ByteOrder, ContextKey, Options, Reason, SyntaxId};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use crate::credentials::{Credentials, Mechanism};
use crate::error::Error;
use crate::initiator::{Failure, Initiator};
use driver::{Bound, Command, Driver};

/// Requests that wait for the driver at most; whoever asks for more waits too.
const QUEUE: usize = 32;

/// How a client connects.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Sizes, limits and features of the association.
    pub rpc: Options,
    /// For the TCP connection, all addresses together.
    pub connect_timeout: Duration,
    /// For each interface, the exchange of tokens and questions to a KDC among it.
    pub bind_timeout: Duration,
    /// For each call.
    pub call_timeout: Duration,
    /// For bytes that the server does not take.
    pub write_timeout: Duration,
    /// Who calls; without credentials nothing is protected.
    pub credentials: Option<Credentials>,
    /// How that is proved.
    pub mechanism: Mechanism,
    /// How calls are protected.
    pub level: AuthLevel,
}

impl Default for ConnectOptions {
    /// 10 seconds to connect, 30 to bind, 60 for a call, 30 to write; nobody by NTLM at packet privacy.
    fn default() -> Self {
        Self {
            rpc: Options::default(),
            connect_timeout: Duration::from_secs(10),
            bind_timeout: Duration::from_secs(30),
            call_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            credentials: None,
            mechanism: Mechanism::Ntlm,
            level: AuthLevel::PRIVACY,
        }
    }
}

impl ConnectOptions {
    /// The defaults with credentials.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..Self::default() }
    }
}

/// One connection to a server. Clones are the same connection; a task drives it, and ends it when the last clone and the
/// last interface are gone.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    commands: mpsc::Sender<Command>,
    options: ConnectOptions,
    peer: SocketAddr,
    local: SocketAddr,
    next_security: AtomicU32,
    over: Arc<std::sync::OnceLock<Reason>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("peer", &self.inner.peer).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to the first address that takes the connection. Nothing is bound yet.
    ///
    /// # Errors
    /// When no address can be reached in time.
    pub async fn connect(address: impl ToSocketAddrs, options: &ConnectOptions) -> Result<Self, Error> {
        let stream = timeout(options.connect_timeout, TcpStream::connect(address));
        let stream = stream.await.map_err(|_| Error::TimedOut)??;
        Self::over(stream, options)
    }

    /// Uses a TCP connection that is there.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn over(stream: TcpStream, options: &ConnectOptions) -> Result<Self, Error> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        stream.set_nodelay(true)?;
        let (commands, queue) = mpsc::channel(QUEUE);
        let over = Arc::new(std::sync::OnceLock::new());
        let driver = Driver::new(options.rpc, options.write_timeout, queue, Arc::clone(&over));
        tokio::spawn(driver.run(stream));
        let (options, next_security) = (options.clone(), AtomicU32::new(1));
        Ok(Self { inner: Arc::new(Inner { commands, options, peer, local, next_security, over }) })
    }

    /// The server's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.inner.peer
    }

    /// The own address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// Whether the connection is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.commands.is_closed()
    }

    /// Asks for an interface, each time with a presentation context of its own, and with credentials a security context of
    /// its own (the first one again where the server grants no more).
    ///
    /// # Errors
    /// When the server refuses, the security provider fails, it takes too long, or the connection is over. A first
    /// interface that is refused as a whole (bind_nak) ends the connection.
    pub async fn interface(&self, syntax: SyntaxId) -> Result<Interface, Error> {
        let options = &self.inner.options;
        timeout(options.bind_timeout, self.bind(syntax)).await.map_err(|_| Error::TimedOut)?
    }

    async fn bind(&self, interface: SyntaxId) -> Result<Interface, Error> {
        let ConnectOptions { credentials, mechanism, level, .. } = &self.inner.options;
        let failure = Failure::default();
        let mut security = None;
        if let Some(credentials) = credentials {
            let level =
                if level.effective() == AuthLevel::PACKET { AuthLevel::INTEGRITY } else { level.effective() };
            let context_id = self.inner.next_security.fetch_add(1, Ordering::Relaxed);
            let key = ContextKey { auth_type: mechanism.auth_type(), auth_level: level, context_id };
            let initiator = Initiator::new(credentials, mechanism, level, failure.clone()).await?;
            security = Some(Box::new((key, initiator)));
        }
        let (reply, answer) = oneshot::channel();
        let bound = self.ask(Command::Bind { interface, security, failure, reply }, answer).await?;
        Ok(Interface { connection: self.clone(), syntax: interface, bound })
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let sent = self.inner.commands.send(command).await;
        sent.map_err(|_| self.closed())?;
        answer.await.map_err(|_| self.closed())?
    }

    fn closed(&self) -> Error {
        Error::Closed(self.inner.over.get().copied().unwrap_or(Reason::ConnectionLost))
    }
}

/// An interface of a server. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Interface {
    connection: Connection,
    syntax: SyntaxId,
    bound: Bound,
}

/// The results of a call, verified as the level of the connection says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Stub data.
    pub stub: Vec<u8>,
    /// The order of the bytes of numbers in it.
    pub byte_order: ByteOrder,
}

impl Interface {
    /// The connection.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The interface.
    #[must_use]
    pub const fn syntax(&self) -> SyntaxId {
        self.syntax
    }

    /// Makes a call, with parameters in little-endian order. When the future is dropped, the call is abandoned: the
    /// server is told, the connection goes on.
    ///
    /// # Errors
    /// When the call fails at the server, takes too long, or the connection is over.
    pub async fn call(&self, opnum: u16, object: Option<Uuid>, stub: Vec<u8>) -> Result<Reply, Error> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Call { bound: self.bound, opnum, object, stub, reply };
        let patience = self.connection.inner.options.call_timeout;
        timeout(patience, self.connection.ask(command, answer)).await.map_err(|_| Error::TimedOut)?
    }
}
