//! A novice that can be asked any number of times: it and its audit keep nothing but numbers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::time::Duration;

use ra_dcom::expert::{DcomOptions, Expert, ExpertError, Interfaces, OfferableSession, Told};
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionProvider,
    TicketForm, TicketRequest,
};
use remassist_core::Secret;
use rpc_net::{Audit, AuditEvent, ConnectOptions, Credentials, MemoryAccounts};
use tokio::time::timeout;

use crate::pair::{LIMIT, PASSWORD};

/// How many connections there are, and how many calls have panicked.
#[derive(Debug, Default)]
pub struct Tally {
    pub connections: AtomicIsize,
    pub refused: AtomicUsize,
    pub panics: AtomicUsize,
}

impl Audit for Tally {
    fn event(&self, event: &AuditEvent) {
        match event {
            AuditEvent::Connected { .. } => _ = self.connections.fetch_add(1, Ordering::Relaxed),
            AuditEvent::Disconnected { .. } => _ = self.connections.fetch_sub(1, Ordering::Relaxed),
            AuditEvent::ConnectionRefused { .. } => _ = self.refused.fetch_add(1, Ordering::Relaxed),
            AuditEvent::CallPanicked { .. } => _ = self.panics.fetch_add(1, Ordering::Relaxed),
            _ => {}
        }
    }
}

impl NoviceAudit for Tally {
    fn novice_event(&self, _: SocketAddr, _: &NoviceEvent) {}
}

/// Many sessions, each with a ticket that is always the same.
struct Desk(Vec<Session>);

impl SessionProvider for Desk {
    async fn may_ask(&self, caller: &Identity) -> bool {
        caller.user.starts_with("eva")
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        Ok(self.0.clone())
    }

    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        Ok(Secret::new(match request.form {
            TicketForm::ConnectionString1 => format!("one of {:?}", request.session),
            TicketForm::ConnectionString2 => format!("two of {:?}", request.session),
        }))
    }
}

/// What an expert gets in the end.
pub type Answer = (Vec<OfferableSession>, String);

pub struct Bench {
    pub server: NoviceServer,
    pub tally: Arc<Tally>,
    sessions: Vec<Session>,
}

/// How long both sides have patience in tests in which nobody comes to the end of it.
pub const PATIENT: Duration = LIMIT;

impl Bench {
    /// A novice at an address of its own, with so many sessions and accounts; `patience` for handshakes and silence.
    pub async fn new(ip: Ipv4Addr, sessions: u32, accounts: usize, patience: Duration) -> Self {
        let sessions: Vec<_> =
            (1..=sessions).map(|id| Session::active("DESK", &format!("user {id} of many"), id)).collect();
        let mut options = NoviceOptions::at((ip, 0).into());
        options.hostname = Some("localhost".to_owned());
        options.limits.objects = 1 << 20;
        options.limits.objects_per_caller = 1 << 20;
        options.rpc.max_connections = 4096;
        options.rpc.max_connections_per_address = 4096;
        options.rpc.max_failed_logons = u32::MAX;
        options.rpc.handshake_timeout = patience;
        options.rpc.idle_timeout = patience;
        options.rpc.write_timeout = patience;
        let names = (0..accounts).map(|number| format!("eva{number}"));
        let known = names.fold(MemoryAccounts::new().with(None, "eva", PASSWORD), |known, name| {
            known.with(None, &name, PASSWORD)
        });
        let (desk, tally) = (Arc::new(Desk(sessions.clone())), Arc::<Tally>::default());
        let audit = Arc::clone(&tally);
        let server = NoviceServer::start(options, desk, Arc::new(known), audit).await.unwrap();
        Self { server, tally, sessions }
    }

    pub async fn local(sessions: u32, accounts: usize) -> Self {
        Self::new(Ipv4Addr::LOCALHOST, sessions, accounts, PATIENT).await
    }

    pub fn resolver(&self) -> SocketAddr {
        self.server.resolver_addrs()[0]
    }

    /// What the interfaces say, that no fault may change.
    pub fn right(&self, told: Told) -> Answer {
        let session = |session: &Session| OfferableSession {
            domain: session.domain.clone().unwrap(),
            user: session.user.clone().unwrap(),
            id: session.id,
            state: (told == Told::PchService).then_some(session.state),
            told,
        };
        let form = if told == Told::RaSrv { "two" } else { "one" };
        (self.sessions.iter().map(session).collect(), format!("{form} of Id(1)"))
    }

    pub fn connections(&self) -> isize {
        self.tally.connections.load(Ordering::Relaxed)
    }

    /// Waits for a number of connections.
    pub async fn until(&self, connections: isize) {
        let settled = async {
            while self.connections() != connections {
                tokio::task::yield_now().await;
            }
        };
        let settled = timeout(LIMIT, settled).await;
        assert!(settled.is_ok(), "{} connections instead of {connections}", self.connections());
    }

    /// Waits until nobody holds an object.
    pub async fn until_released(&self) {
        let settled = async {
            while self.server.counts().objects != 0 {
                tokio::task::yield_now().await;
            }
        };
        let settled = timeout(LIMIT, settled).await;
        assert!(settled.is_ok(), "{:?}", self.server.counts());
    }

    /// Somebody else is served as if nothing had happened.
    pub async fn serves(&self) {
        let options = options("eva", self.resolver().port(), PATIENT);
        let asked = async {
            let expert = Expert::connect(&self.resolver().ip().to_string(), options).await?;
            ask(&expert.with_interfaces(Interfaces::RaSrv)).await
        };
        let answer = timeout(LIMIT, asked).await.expect("others wait for ever").expect("others are refused");
        assert!(answer == self.right(Told::RaSrv));
    }
}

/// How an expert calls.
pub fn options(user: &str, port: u16, patience: Duration) -> DcomOptions {
    let mut connect = ConnectOptions::new(Credentials::new("DESK", user, PASSWORD));
    connect.connect_timeout = patience;
    connect.bind_timeout = patience;
    connect.call_timeout = patience;
    connect.write_timeout = patience;
    let mut options = DcomOptions::new(connect);
    options.port = port;
    options
}

/// All that an expert asks.
pub async fn ask(expert: &Expert) -> Result<Answer, ExpertError> {
    let sessions = expert.sessions().await?;
    let ticket = expert.ticket(&sessions[0], "DESK\\eva").await?;
    Ok((sessions, ticket.expose().clone()))
}
