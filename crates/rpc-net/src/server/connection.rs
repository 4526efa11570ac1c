//! The task that drives a connection of a server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dce_rpc::{
    AuthLevel, AuthType, ByteOrder, Call, Host, Input, Misuse, Output, Reason, ServerEvent, Status, SyntaxId,
};
use remassist_core::Time;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::acceptor::Acceptor;
use crate::audit::AuditEvent;
use crate::server::{IncomingCall, Phase, Service, Shared};

/// While more than this is unsent, nothing more is read.
const HIGH_WATER: usize = 256 << 10;
const BUFFER: usize = 16 << 10;

/// Where a connection begins and ends, and its numbers.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) number: u64,
    pub(super) group: u32,
}

struct Desk<S> {
    service: Arc<S>,
    shared: Arc<Shared>,
    peer: SocketAddr,
}

impl<S: Service> Host for Desk<S> {
    type Security = Acceptor;

    fn supports(&mut self, interface: &SyntaxId) -> bool {
        self.service.supports(interface)
    }

    fn accept(&mut self, auth_type: AuthType, auth_level: AuthLevel) -> Option<Acceptor> {
        Acceptor::new(Arc::clone(&self.shared), self.peer, auth_type, auth_level)
    }

    fn minimum_level(&mut self, interface: &SyntaxId, opnum: u16) -> AuthLevel {
        self.service.minimum_level(interface, opnum).effective()
    }

    fn refused(&mut self, interface: &SyntaxId, opnum: u16, level: AuthLevel) {
        let (peer, interface) = (self.peer, *interface);
        self.shared.audit.event(&AuditEvent::CallRefused { peer, interface, opnum, level });
    }
}

/// A call under way.
struct Running {
    call_id: u32,
    interface: SyntaxId,
    opnum: u16,
    handle: AbortHandle,
}

type Answer = Result<Vec<u8>, Status>;

struct Connection<S: Service> {
    server: dce_rpc::Server<Desk<S>>,
    service: Arc<S>,
    shared: Arc<Shared>,
    ends: Ends,
    unsent: Vec<u8>,
    calls: JoinSet<Answer>,
    running: HashMap<task::Id, Running>,
    /// Whether a call was not refused.
    served: bool,
    /// When something went out, or a call began or ended.
    active: Instant,
    progress: Instant,
}

enum Next {
    Read(usize),
    Lost,
    Wrote(usize),
    Done(Result<(task::Id, Answer), JoinError>),
    Late,
    /// The server is shut down.
    End,
    /// The server is gone.
    Stop,
}

pub(super) async fn run<S: Service>(
    stream: TcpStream,
    ends: Ends,
    service: Arc<S>,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
) {
    let desk = Desk { service: Arc::clone(&service), shared: Arc::clone(&shared), peer: ends.peer };
    let port = ends.local.port().to_string();
    let now = Instant::now();
    let connection = Connection {
        server: dce_rpc::Server::new(desk, shared.options.rpc, ends.group, &port),
        service,
        shared: Arc::clone(&shared),
        ends,
        unsent: Vec::new(),
        calls: JoinSet::new(),
        running: HashMap::new(),
        served: false,
        active: now,
        progress: now,
    };
    let service = Arc::clone(&connection.service);
    let why = connection.drive(stream, phase).await;
    service.disconnected(ends.number);
    shared.audit.event(&AuditEvent::Disconnected { peer: ends.peer, why });
}

impl<S: Service> Connection<S> {
    async fn drive(mut self, mut stream: TcpStream, mut phase: watch::Receiver<Phase>) -> Reason {
        let begun = Instant::now();
        let mut buffer = vec![0; BUFFER];
        let mut ending = false;
        let write_timeout = self.shared.options.write_timeout;
        let (mut read, mut write) = stream.split();
        let reason = loop {
            if let Some(reason) = self.drain() {
                break reason;
            }
            if ending && self.running.is_empty() {
                break Reason::Local;
            }
            let late = self.deadline(begun);
            let open = !ending && self.unsent.len() < HIGH_WATER;
            let next = tokio::select! {
                result = read.read(&mut buffer), if open => match result {
                    Ok(0) | Err(_) => Next::Lost,
                    Ok(n) => Next::Read(n),
                },
                result = write.write(&self.unsent), if !self.unsent.is_empty() => {
                    result.map_or(Next::Lost, Next::Wrote)
                }
                Some(done) = self.calls.join_next_with_id(), if !self.running.is_empty() => Next::Done(done),
                () = sleep_until(late) => Next::Late,
                changed = phase.changed() => if changed.is_ok() { Next::End } else { Next::Stop },
            };
            let now = Time(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
            match next {
                Next::Read(n) => self.server.handle(now, Input::Data(buffer.get(..n).unwrap_or_default())),
                Next::Lost => break Reason::ConnectionLost,
                Next::Wrote(n) => {
                    self.progress = Instant::now();
                    self.unsent.drain(..n.min(self.unsent.len()));
                }
                Next::Done(done) => self.done(done),
                Next::Late if self.deadline(begun) <= Instant::now() => break Reason::TimedOut,
                Next::Late => {}
                Next::End => ending = true,
                Next::Stop => break Reason::Local,
            }
        };
        let last = match reason {
            Reason::ConnectionLost | Reason::TimedOut => Duration::ZERO,
            _ => write_timeout,
        };
        self.calls.shutdown().await;
        let _ = timeout(last, async {
            stream.write_all(&self.unsent).await?;
            stream.shutdown().await
        })
        .await;
        reason
    }

    /// When the connection has taken too long: to its first call, to its next one, to take what is sent.
    fn deadline(&self, begun: Instant) -> Instant {
        let options = &self.shared.options;
        let idle = match (self.served, self.running.is_empty()) {
            (false, _) => begun + options.handshake_timeout,
            (true, true) => self.active + options.idle_timeout,
            // Far: it is not the client who is slow.
            (true, false) => self.active + Duration::from_secs(86_400 * 365),
        };
        if self.unsent.is_empty() { idle } else { idle.min(self.progress + options.write_timeout) }
    }

    /// Takes all outputs; gives the reason when the connection is over.
    fn drain(&mut self) -> Option<Reason> {
        loop {
            match self.server.poll() {
                Output::Send(bytes) => {
                    self.active = Instant::now();
                    if self.unsent.is_empty() {
                        self.progress = self.active;
                    }
                    self.unsent.extend_from_slice(&bytes);
                }
                Output::Event(ServerEvent::Call(call)) => self.call(call),
                Output::Event(ServerEvent::Orphaned(call_id)) => {
                    if let Some(running) = self.running.values().find(|running| running.call_id == call_id) {
                        running.handle.abort();
                    }
                }
                Output::Event(_) => {}
                Output::Close(reason) => return Some(reason),
                _ => return None,
            }
        }
    }

    fn call(&mut self, call: Call) {
        let Call { call_id, interface, opnum, object, security, big_endian, stub } = call;
        let level = security.map_or(AuthLevel::NONE, |key| key.auth_level);
        let peer = self.ends.peer;
        self.served = true;
        self.active = Instant::now();
        let provider = security.and_then(|key| self.server.security(&key));
        let caller = provider.filter(|_| level.is_protected()).and_then(Acceptor::caller);
        let incoming = IncomingCall {
            caller,
            level,
            object,
            stub,
            byte_order: if big_endian { ByteOrder::Big } else { ByteOrder::Little },
            connection: self.ends.number,
            ..IncomingCall::new(interface, opnum, peer, self.ends.local)
        };
        let (service, shared) = (Arc::clone(&self.service), Arc::clone(&self.shared));
        let handle = self.calls.spawn(async move {
            let _permit = shared.calls.acquire().await;
            service.call(incoming).await
        });
        self.running.insert(handle.id(), Running { call_id, interface, opnum, handle });
    }

    fn done(&mut self, done: Result<(task::Id, Answer), JoinError>) {
        self.active = Instant::now();
        let (id, answer) = match done {
            Ok((id, answer)) => (id, answer),
            Err(error) => {
                let id = error.id();
                if let Some(running) = self.running.get(&id).filter(|_| error.is_panic()) {
                    let Running { interface, opnum, .. } = *running;
                    self.shared.audit.event(&AuditEvent::CallPanicked { interface, opnum });
                }
                (id, Err(Status::FAULT_UNSPEC))
            }
        };
        let Some(Running { call_id, .. }) = self.running.remove(&id) else { return };
        match answer {
            Ok(stub) => {
                if let Err(Misuse::Unwritable) = self.server.respond(call_id, &stub) {
                    self.fault(call_id, Status::FAULT_UNSPEC, true);
                }
            }
            Err(status) => self.fault(call_id, status, true),
        }
    }

    /// The call may be gone: orphaned, or one that wants no answer.
    fn fault(&mut self, call_id: u32, status: Status, executed: bool) {
        if let Err(Misuse::ForbiddenStatus) = self.server.fault(call_id, status, executed) {
            let _ = self.server.fault(call_id, Status::FAULT_UNSPEC, executed);
        }
    }
}
