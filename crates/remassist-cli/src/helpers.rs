//! `remassist novice --dcom`: tickets for helpers who ask for one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ra_dcom::HResult;
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionProvider,
    TicketForm, TicketRequest,
};
use ra_rdp::{FileType, Tickets};
use remassist::core::Secret;
use remassist::session::Credentials;
use rpc_net::{Accounts as _, Audit, AuditEvent, FileAccounts};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::args::{Account, OffersArgs};
use crate::{Failure, invite};

/// How long a ticket lets in.
const VALID: Duration = Duration::from_secs(600);
/// Tickets that are out at a time: one for each helper.
const TICKETS: usize = 64;
/// Events that wait to be told; more are left out.
const EVENTS: usize = 256;

/// Something that a helper did.
pub struct Told {
    pub name: &'static str,
    pub text: String,
    pub details: Value,
}

/// Serves helpers.
pub struct Helpers {
    server: NoviceServer,
    desk: Arc<Desk>,
    events: mpsc::Receiver<Told>,
}

/// The session of this screen, and who has a ticket for it.
struct Desk {
    session: Session,
    helpers: FileAccounts,
    tickets: Tickets,
    given: Mutex<Vec<Given>>,
    busy: AtomicBool,
    events: mpsc::Sender<Told>,
}

struct Given {
    helper: Identity,
    credentials: Credentials,
    since: Instant,
}

impl Helpers {
    /// Listens where the arguments say; `None` when they say nothing.
    pub async fn start(
        args: &OffersArgs,
        addresses: &[String],
        rdp: &ra_rdp::NoviceServer,
    ) -> Result<Option<Self>, Failure> {
        let (false, Some(file)) = (args.dcom.is_empty(), &args.helpers) else { return Ok(None) };
        let accounts = |path: &std::path::Path| {
            FileAccounts::open(path).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))
        };
        let helpers = accounts(file)?;
        let can_log_on = args.accounts.as_deref().map_or_else(|| Ok(helpers.clone()), accounts)?;
        let tickets = rdp.tickets(invite::endpoints(addresses)?);
        let tickets = tickets.map_err(|e| Failure::Usage(e.to_string()))?;
        let (events, told) = mpsc::channel(EVENTS);
        let Account { domain, user } = args.session_of.clone().unwrap_or_else(this_user);
        let desk = Arc::new(Desk {
            session: Session::active(&domain, &user, args.session_id),
            helpers,
            tickets,
            given: Mutex::default(),
            busy: AtomicBool::new(false),
            events: events.clone(),
        });
        let mut options = NoviceOptions::default();
        options.resolver.clone_from(&args.dcom);
        options.object_port = args.dcom_object_port;
        let audit = Arc::new(Reporter(events));
        let server = NoviceServer::start(options, Arc::clone(&desk), Arc::new(can_log_on), audit).await;
        let server = server.map_err(|e| Failure::Usage(format!("--dcom: {e}")))?;
        Ok(Some(Self { server, desk, events: told }))
    }

    /// Where helpers ask, and about what.
    pub fn listening(&self) -> Told {
        let addresses: Vec<String> = self.server.resolver_addrs().iter().map(ToString::to_string).collect();
        let objects: Vec<String> = self.server.object_addrs().iter().map(ToString::to_string).collect();
        let session = self.desk.session.told().map_or_else(String::new, |name| name.to_string());
        let text = format!("helpers can ask for {session} at {}", addresses.join(", "));
        let details = json!({ "resolver": addresses, "objects": objects, "session": session });
        Told { name: "helpers_welcome", text, details }
    }

    /// Whom the tickets that are out let in.
    pub fn credentials(&self) -> Vec<Credentials> {
        self.desk.valid().iter().map(|given| given.credentials.clone()).collect()
    }

    /// There is a session: no more tickets, and those that are out let nobody in.
    pub fn session_began(&self) {
        self.desk.busy.store(true, Ordering::Relaxed);
        self.desk.given().clear();
    }

    /// The session is over.
    pub fn session_ended(&self) {
        self.desk.busy.store(false, Ordering::Relaxed);
    }

    /// The next thing that a helper does. May be dropped at any time.
    pub async fn told(&mut self) -> Told {
        match self.events.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }
}

/// Where nobody serves helpers, nothing happens.
pub async fn told(helpers: &mut Option<Helpers>) -> Told {
    match helpers {
        Some(helpers) => helpers.told().await,
        None => std::future::pending().await,
    }
}

/// This user at this machine.
fn this_user() -> Account {
    let var = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok());
    let file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = var(["COMPUTERNAME", "HOSTNAME"]).or_else(file).unwrap_or_default();
    let host = host.trim();
    Account {
        domain: if host.is_empty() { "localhost" } else { host }.to_owned(),
        user: var(["USER", "USERNAME"]).unwrap_or_else(|| "novice".to_owned()),
    }
}

impl Desk {
    fn given(&self) -> MutexGuard<'_, Vec<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn valid(&self) -> MutexGuard<'_, Vec<Given>> {
        let mut given = self.given();
        given.retain(|given| given.since.elapsed() < VALID);
        given
    }

    fn tell(&self, name: &'static str, text: impl fmt::Display, helper: &Identity) {
        let told = Told { name, text: text.to_string(), details: json!({ "helper": helper.to_string() }) };
        let _too_many = self.events.try_send(told);
    }

    fn make(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        if !self.session.is_meant(request) {
            return Err(Refusal::UnknownUser);
        }
        if self.busy.load(Ordering::Relaxed) {
            return Err(Refusal::AlreadyRunning);
        }
        let made = self.tickets.make(match request.form {
            TicketForm::ConnectionString1 => FileType::Type1,
            TicketForm::ConnectionString2 => FileType::Type2,
        });
        let made = made.map_err(|_| Refusal::Failed)?;
        let mut given = self.valid();
        given.retain(|given| given.helper != request.caller);
        if given.len() >= TICKETS {
            return Err(Refusal::OutOfMemory);
        }
        let (helper, since) = (request.caller.clone(), Instant::now());
        given.push(Given { helper, credentials: made.credentials, since });
        Ok(made.connection_string)
    }
}

impl SessionProvider for Desk {
    async fn may_ask(&self, caller: &Identity) -> bool {
        self.helpers.nt_hash(&caller.domain, &caller.user).is_ok_and(|hash| hash.is_some())
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        Ok(vec![self.session.clone()])
    }

    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        let helper = &request.caller;
        let made = self.make(request);
        match &made {
            Ok(_) => self.tell("ticket_given", format_args!("{helper} was given a ticket"), helper),
            Err(why) => {
                let why = why.hresult();
                self.tell("ticket_refused", format_args!("{helper} was given no ticket: {why}"), helper);
            }
        }
        made
    }
}

/// Tells of logons and calls that were refused.
struct Reporter(mpsc::Sender<Told>);

impl Audit for Reporter {
    fn event(&self, event: &AuditEvent) {
        let (text, details) = match event {
            AuditEvent::LogonRefused { peer, domain, user, why } => {
                let text = format!("{domain}\\{user} from {peer} could not log on: {why}");
                (text, json!({ "helper": format!("{domain}\\{user}"), "peer": peer.to_string() }))
            }
            AuditEvent::ConnectionRefused { peer, why } => {
                (format!("{peer} was turned away: {why}"), json!({ "peer": peer.to_string() }))
            }
            AuditEvent::CallRefused { peer, opnum, .. } => {
                (format!("{peer} called {opnum} without protection"), json!({ "peer": peer.to_string() }))
            }
            _ => return,
        };
        let _too_many = self.0.try_send(Told { name: "helper_refused", text, details });
    }
}

impl NoviceAudit for Reporter {
    fn novice_event(&self, peer: SocketAddr, event: &NoviceEvent) {
        if let NoviceEvent::Refused { caller: Some(caller), code, .. } = event
            && HResult(*code) == HResult::E_ACCESSDENIED
        {
            let text = format!("{caller} from {peer} is no helper");
            let details = json!({ "helper": caller.to_string(), "peer": peer.to_string() });
            let _too_many = self.0.try_send(Told { name: "helper_refused", text, details });
        }
    }
}
