//! The novice on the network: two ports of an RPC server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use dce_rpc::{AuthLevel, Status, SyntaxId};
use if_addrs::get_if_addrs;
use remassist_core::Time;
use rpc_net::{Accounts, Audit, IncomingCall, NoAudit, Server, ServerOptions, Service};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::core::{Answer, Call, NoRandom, Novice, NoviceEvent, Pending, Port, Question, Reply, Step};
use super::endpoints::Endpoints;
use super::exporter::Counts;
use super::identity::Identity;
use super::limits::NoviceLimits;
use super::provider::{Refusal, SessionProvider};

/// Where clients look for a resolver.
const RESOLVER_PORT: u16 = 135;
/// How often objects of clients that are gone are looked for.
const TICK: Duration = Duration::from_secs(30);
/// Ports that are tried until all addresses have the same.
const TRIES: usize = 16;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// What a novice decides about its server.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct NoviceOptions {
    /// Where the resolver listens; one of IPv6 is for IPv6 only. Known clients look at port 135 and nowhere else.
    pub resolver: Vec<SocketAddr>,
    /// Port of the objects, on the same addresses; 0 for any.
    pub object_port: u16,
    /// Addresses told to clients besides the one that they came to. Empty: those of the machine.
    pub addresses: Vec<IpAddr>,
    /// Name told to clients. `None`: that of the machine, as far as it can be found out.
    pub hostname: Option<String>,
    /// Limits of each of the two RPC servers.
    pub rpc: ServerOptions,
    /// Limits on objects.
    pub limits: NoviceLimits,
}

impl Default for NoviceOptions {
    /// All addresses, port 135, any port for the objects.
    fn default() -> Self {
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        Self {
            resolver: any.map(|ip| SocketAddr::new(ip, RESOLVER_PORT)).into(),
            object_port: 0,
            addresses: Vec::new(),
            hostname: None,
            rpc: ServerOptions::default(),
            limits: NoviceLimits::default(),
        }
    }
}

impl NoviceOptions {
    /// The defaults, with a resolver at one address.
    #[must_use]
    pub fn at(resolver: SocketAddr) -> Self {
        Self { resolver: Vec::from([resolver]), ..Self::default() }
    }
}

/// Takes what happens at a novice, besides what happens at its RPC servers.
pub trait NoviceAudit: Audit {
    /// Something has happened. Called in the tasks of connections: it must not wait.
    fn novice_event(&self, peer: SocketAddr, event: &NoviceEvent);
}

impl NoviceAudit for NoAudit {
    fn novice_event(&self, _: SocketAddr, _: &NoviceEvent) {}
}

/// A novice that serves. When it is dropped, it stops at once.
#[derive(Debug)]
#[must_use = "a novice that is dropped stops"]
pub struct NoviceServer {
    resolver: Server,
    objects: Server,
    novice: Arc<Mutex<Novice>>,
    tick: Tick,
}

/// A task that ends with its owner.
#[derive(Debug)]
struct Tick(JoinHandle<()>);

impl Drop for Tick {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl NoviceServer {
    /// Listens on both ports and serves. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When an address or port cannot be had, or the system gives no random numbers. An IPv6 address of a system without
    /// IPv6 is passed over when there is another one.
    pub async fn start<P: SessionProvider>(
        options: NoviceOptions,
        provider: Arc<P>,
        accounts: Arc<dyn Accounts>,
        audit: Arc<dyn NoviceAudit>,
    ) -> io::Result<Self> {
        let resolver = listen_all(&options.resolver)?;
        let bound = resolver.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let (objects, object_port) = listen_objects(&bound, options.object_port)?;
        let endpoints = Endpoints {
            addresses: if options.addresses.is_empty() { reachable(&bound) } else { options.addresses },
            hostname: options.hostname.or_else(hostname),
            resolver_port: bound.first().map_or(RESOLVER_PORT, SocketAddr::port),
            object_port,
        };
        let novice = Novice::new(endpoints, options.limits, |bytes| {
            // What stays 0 is no id.
            let _ = getrandom::fill(bytes);
        });
        let novice = Arc::new(Mutex::new(novice.map_err(|NoRandom| io::Error::other(NoRandom))?));
        let (tables, started) = (Arc::clone(&novice), Instant::now());
        let shared = Arc::new(Shared { novice: tables, provider, audit: Arc::clone(&audit), started });
        let serve = |listeners, port| {
            let service = Arc::new(PortService { port, shared: Arc::clone(&shared) });
            let audit: Arc<dyn NoviceAudit> = Arc::clone(&audit);
            Server::serve(listeners, service, Arc::clone(&accounts), audit, options.rpc)
        };
        let (objects, resolver) = (serve(objects, Port::Objects)?, serve(resolver, Port::Resolver)?);
        let tick = Tick(tokio::spawn(async move {
            loop {
                sleep(TICK).await;
                let now = shared.now();
                shared.novice().tick(now);
            }
        }));
        Ok(Self { resolver, objects, novice, tick })
    }

    /// Where the resolver listens.
    #[must_use]
    pub fn resolver_addrs(&self) -> &[SocketAddr] {
        self.resolver.local_addrs()
    }

    /// Where the objects are.
    #[must_use]
    pub fn object_addrs(&self) -> &[SocketAddr] {
        self.objects.local_addrs()
    }

    /// What clients hold at the moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        locked(&self.novice).counts()
    }

    /// Takes no more calls, lets those under way end, and closes all connections.
    pub async fn shutdown(self) {
        let Self { resolver, objects, tick, novice: _ } = self;
        tokio::join!(resolver.shutdown(), objects.shutdown());
        drop(tick);
    }
}

fn locked(novice: &Mutex<Novice>) -> MutexGuard<'_, Novice> {
    novice.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What both ports share.
struct Shared<P> {
    novice: Arc<Mutex<Novice>>,
    provider: Arc<P>,
    audit: Arc<dyn NoviceAudit>,
    started: Instant,
}

impl<P: SessionProvider> Shared<P> {
    fn now(&self) -> Time {
        Time(0).after(self.started.elapsed())
    }

    fn novice(&self) -> MutexGuard<'_, Novice> {
        locked(&self.novice)
    }

    /// Asks the machine. Who may not ask gets no further.
    async fn ask(&self, pending: &Pending) -> Answer {
        if !self.provider.may_ask(pending.caller()).await {
            return Answer::Refused(Refusal::AccessDenied);
        }
        let answer = match pending.question() {
            Question::MayAsk => Ok(Answer::Allowed),
            Question::Sessions => self.provider.sessions(pending.caller()).await.map(Answer::Sessions),
            Question::Ticket(request) => self.provider.ticket(request).await.map(Answer::Ticket),
        };
        answer.unwrap_or_else(Answer::Refused)
    }
}

/// One of the two ports.
struct PortService<P> {
    port: Port,
    shared: Arc<Shared<P>>,
}

impl<P: SessionProvider> Service for PortService<P> {
    fn supports(&self, interface: &SyntaxId) -> bool {
        Novice::supports(self.port, interface)
    }

    fn minimum_level(&self, interface: &SyntaxId, opnum: u16) -> AuthLevel {
        Novice::minimum_level(interface, opnum)
    }

    async fn call(&self, call: IncomingCall) -> Result<Vec<u8>, Status> {
        let shared = &*self.shared;
        let identity = call.caller.map(|caller| Identity { domain: caller.domain, user: caller.user });
        let plain = Call {
            caller: identity.as_ref(),
            interface: call.interface,
            opnum: call.opnum,
            object: call.object,
            stub: &call.stub,
            byte_order: match call.byte_order {
                dce_rpc::ByteOrder::Little => ndr_oaut::ByteOrder::Little,
                dce_rpc::ByteOrder::Big => ndr_oaut::ByteOrder::Big,
            },
            local: Some(call.local.ip()),
        };
        let step = {
            let mut novice = shared.novice();
            novice.call(shared.now(), self.port, &plain)
        };
        let Reply { stub, event } = match step {
            Step::Reply(reply) => reply,
            Step::Ask(pending) => {
                let answer = shared.ask(&pending).await;
                let mut novice = shared.novice();
                novice.answer(shared.now(), pending, answer)
            }
        };
        if let Some(event) = event {
            shared.audit.novice_event(call.peer, &event);
        }
        stub
    }
}

/// Listens on one address; of IPv6 only on IPv6, so that both can have the same port.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn listen_all(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut failed) = (Vec::new(), None);
    for address in addresses {
        match listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_ipv6() && address.ip().is_unspecified() => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() {
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen on");
        return Err(failed.unwrap_or_else(none));
    }
    Ok(listeners)
}

/// Listens for calls on objects, on one port of all addresses.
fn listen_objects(addresses: &[SocketAddr], port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let mut tries = 0_usize;
    loop {
        tries = tries.saturating_add(1);
        let mut listeners: Vec<TcpListener> = Vec::new();
        let mut chosen = port;
        let listening = addresses.iter().try_for_each(|address| {
            let listener = listen(SocketAddr::new(address.ip(), chosen))?;
            chosen = listener.local_addr()?.port();
            listeners.push(listener);
            io::Result::Ok(())
        });
        match listening {
            Ok(()) => return Ok((listeners, chosen)),
            // The port that was free on the first address is not on another.
            Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// The addresses that other machines can have.
fn reachable(bound: &[SocketAddr]) -> Vec<IpAddr> {
    let machine = || get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
    let mut found = Vec::new();
    for address in bound {
        if !address.ip().is_unspecified() {
            found.push(address.ip());
            continue;
        }
        found.extend(machine().filter(|ip| match ip {
            IpAddr::V4(ip) => address.is_ipv4() && !ip.is_loopback() && !ip.is_link_local(),
            IpAddr::V6(ip) => address.is_ipv6() && !ip.is_loopback() && !ip.is_unicast_link_local(),
        }));
    }
    found
}

/// The name of the machine.
fn hostname() -> Option<String> {
    let file = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = file.or_else(|| std::env::var("COMPUTERNAME").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.into())
}
