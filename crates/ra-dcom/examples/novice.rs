//! A novice with made-up sessions and tickets, for trying clients: `novice FILE`, where FILE is JSON:
//!
//! ```json
//! {
//!     "resolver": "127.0.0.1:1135",
//!     "accounts": [{ "domain": null, "user": "alice", "password": "secret" }],
//!     "helpers": ["alice"],
//!     "sessions": [{ "domain": "DOM", "user": null, "id": 1, "state": "pchActive" }],
//!     "refusal": null
//! }
//! ```
//!
//! `refusal`, one of `policy`, `running`, `memory`, is why there are no tickets. It says in a line of JSON where it listens, then
//! what happens, and ends with its input.

#![expect(clippy::print_stdout, reason = "a program")]
#![expect(clippy::indexing_slicing, reason = "what a JSON value does not have is null")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ra_dcom::SessionStateEnum;
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionProvider,
    TicketForm, TicketRequest,
};
use remassist_core::Secret;
use rpc_net::{Audit, AuditEvent, MemoryAccounts};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

struct Machine {
    helpers: Vec<String>,
    sessions: Vec<Session>,
    refusal: Option<Refusal>,
    made: AtomicU32,
}

impl SessionProvider for Machine {
    async fn may_ask(&self, caller: &Identity) -> bool {
        self.helpers.contains(&caller.user)
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        Ok(self.sessions.clone())
    }

    /// Tells which session it is for, and which of all tickets it is.
    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let meant = self.sessions.iter().find(|session| session.is_meant(request));
        let id = meant.ok_or(Refusal::UnknownUser)?.id;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::new(match request.form {
            TicketForm::ConnectionString1 => {
                format!("65538,1,127.0.0.1:3389,*,ticket {number} of session {id},*,*,kh")
            }
            TicketForm::ConnectionString2 => format!(
                "<E><A KH=\"kh\" ID=\"ticket {number} of session {id}\"/><C><T ID=\"1\" SID=\"0\"><L P=\"3389\" N=\"127.0.0.1\"/></T></C></E>"
            ),
        }))
    }
}

/// One line of JSON for each event.
struct Told;

impl Audit for Told {
    fn event(&self, event: &AuditEvent) {
        println!("{}", json!({ "event": "rpc", "text": format!("{event:?}") }));
    }
}

impl NoviceAudit for Told {
    fn novice_event(&self, _: SocketAddr, event: &NoviceEvent) {
        println!("{}", json!({ "event": "novice", "text": format!("{event:?}") }));
    }
}

fn session(value: &Value) -> Option<Session> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let state = SessionStateEnum::ALL.iter().find(|state| state.name() == value["state"].as_str())?;
    let id = value["id"].as_u64().and_then(|id| u32::try_from(id).ok())?;
    Some(Session { domain: text("domain"), user: text("user"), id, state: *state })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("novice FILE")?;
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let list = |name: &str| file[name].as_array().cloned().unwrap_or_default();
    let mut accounts = MemoryAccounts::new();
    for account in list("accounts") {
        let text = |name: &str| account[name].as_str().ok_or("an account has user and password");
        accounts = accounts.with(account["domain"].as_str(), text("user")?, text("password")?);
    }
    let sessions: Option<Vec<_>> = list("sessions").iter().map(session).collect();
    let machine = Machine {
        helpers: list("helpers").iter().filter_map(|helper| Some(helper.as_str()?.to_owned())).collect(),
        sessions: sessions.ok_or("a session has id and state")?,
        refusal: match file["refusal"].as_str() {
            None => None,
            Some("policy") => Some(Refusal::Policy),
            Some("running") => Some(Refusal::AlreadyRunning),
            Some("memory") => Some(Refusal::OutOfMemory),
            Some(_) => return Err("a refusal is policy, running or memory".into()),
        },
        made: AtomicU32::new(1),
    };
    let options = NoviceOptions::at(file["resolver"].as_str().ok_or("no resolver")?.parse()?);
    let server = NoviceServer::start(options, Arc::new(machine), Arc::new(accounts), Arc::new(Told)).await?;
    let addresses = |of: &[SocketAddr]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (resolver, objects) = (addresses(server.resolver_addrs()), addresses(server.object_addrs()));
    println!("{}", json!({ "event": "listening", "resolver": resolver, "objects": objects }));
    let mut input = tokio::io::stdin();
    while input.read(&mut [0; 64]).await? != 0 {}
    server.shutdown().await;
    Ok(())
}
