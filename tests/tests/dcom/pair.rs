//! A novice that serves, and what an expert needs to ask it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ra_dcom::SessionStateEnum;
use ra_dcom::expert::{DcomOptions, Expert, ExpertError};
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionProvider,
    TicketForm, TicketRequest,
};
use remassist_core::Secret;
use rpc_net::{Audit, AuditEvent, ConnectOptions, Credentials, MemoryAccounts};
use tokio::time::timeout;

/// What only a failure waits for.
pub const LIMIT: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "Pass123!";

/// A machine as a test wants it.
#[derive(Default)]
pub struct Machine {
    pub sessions: Vec<Session>,
    /// Why there are none.
    pub refuses: Option<Refusal>,
    /// Why there are no tickets.
    pub keeps_tickets: Option<Refusal>,
    /// What was asked for.
    pub asked: Mutex<Vec<TicketRequest>>,
}

impl SessionProvider for Machine {
    async fn may_ask(&self, caller: &Identity) -> bool {
        caller.user == "eva"
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        self.refuses.map_or_else(|| Ok(self.sessions.clone()), Err)
    }

    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        if let Some(refusal) = self.keeps_tickets {
            return Err(refusal);
        }
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.clone());
        let form = match request.form {
            TicketForm::ConnectionString1 => 1,
            TicketForm::ConnectionString2 => 2,
        };
        Ok(Secret::new(format!("ticket {form} of {:?}, number {}", request.session, asked.len())))
    }
}

/// Writes down what happens.
#[derive(Default)]
pub struct Notes {
    pub rpc: Mutex<Vec<AuditEvent>>,
    pub novice: Mutex<Vec<NoviceEvent>>,
}

impl Audit for Notes {
    fn event(&self, event: &AuditEvent) {
        self.rpc.lock().unwrap().push(event.clone());
    }
}

impl NoviceAudit for Notes {
    fn novice_event(&self, _: SocketAddr, event: &NoviceEvent) {
        self.novice.lock().unwrap().push(event.clone());
    }
}

/// A novice on loopback.
pub struct Pair {
    pub server: NoviceServer,
    pub machine: Arc<Machine>,
    pub notes: Arc<Notes>,
}

impl Pair {
    pub async fn new(machine: Machine) -> Self {
        Self::with(machine, |_| {}).await
    }

    pub async fn with(machine: Machine, change: impl FnOnce(&mut NoviceOptions)) -> Self {
        let (machine, notes) = (Arc::new(machine), Arc::<Notes>::default());
        let accounts = MemoryAccounts::new()
            .with(Some("DESK"), "eva", PASSWORD)
            .with(Some("DESK"), "otto", PASSWORD)
            .with(None, "any", PASSWORD);
        let mut options = NoviceOptions::at("127.0.0.1:0".parse().unwrap());
        change(&mut options);
        let audit = Arc::clone(&notes);
        let server = NoviceServer::start(options, Arc::clone(&machine), Arc::new(accounts), audit);
        Self { server: server.await.unwrap(), machine, notes }
    }

    pub fn port(&self) -> u16 {
        self.server.resolver_addrs()[0].port()
    }

    /// The expert of an account.
    pub async fn expert(&self, user: &str, password: &str) -> Result<Expert, ExpertError> {
        let options = ConnectOptions::new(Credentials::new("DESK", user, password));
        self.expert_with(options).await
    }

    pub async fn expert_with(&self, options: ConnectOptions) -> Result<Expert, ExpertError> {
        let mut options = DcomOptions::new(options);
        options.port = self.port();
        timeout(LIMIT, Expert::connect("127.0.0.1", options)).await.unwrap()
    }

    pub async fn eva(&self) -> Expert {
        self.expert("eva", PASSWORD).await.unwrap()
    }
}

/// Sessions of every kind: usable ones, ones without a user, ones that IRASrv does not list.
pub fn sessions() -> Vec<Session> {
    let mut sessions = vec![
        Session::active("DESK", "nora", 1),
        Session::active("BÜRO", "Jürgen 😀", 2),
        Session::active("DESK", "colon:5", 70_000),
    ];
    let state = |domain: Option<&str>, user: Option<&str>, id, state| Session {
        domain: domain.map(str::to_owned),
        user: user.map(str::to_owned),
        id,
        state,
    };
    sessions.extend([
        state(None, Some("nobody"), 3, SessionStateEnum::ACTIVE),
        state(Some("DESK"), None, 4, SessionStateEnum::CONNECTED),
        state(None, None, 5, SessionStateEnum::LISTEN),
        state(Some("DESK"), Some("gone"), 6, SessionStateEnum::DISCONNECTED),
        state(Some("DESK"), Some("idle"), 7, SessionStateEnum::IDLE),
        state(Some("DESK"), Some("shadow"), 8, SessionStateEnum::SHADOW),
    ]);
    sessions
}
