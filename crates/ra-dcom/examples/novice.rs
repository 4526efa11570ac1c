//! A novice with made-up sessions and tickets, for trying clients:
//!
//! ```text
//! novice 127.0.0.1:1135 account=alice:secret helper=alice [account=..] [helper=..] [sessions=N|none|odd] [refuse=policy|running]
//! ```
//!
//! Tells in one line where it listens, then what happens; ends with its input.

#![expect(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ra_dcom::SessionStateEnum;
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionChoice,
    SessionProvider, TicketForm, TicketRequest,
};
use remassist_core::Secret;
use rpc_net::{Audit, AuditEvent, MemoryAccounts};
use tokio::io::AsyncReadExt as _;

struct Machine {
    helpers: Vec<Identity>,
    sessions: Vec<Session>,
    refusal: Option<Refusal>,
    made: AtomicU32,
}

impl SessionProvider for Machine {
    async fn may_ask(&self, caller: &Identity) -> bool {
        self.helpers.iter().any(|helper| helper.covers(caller))
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        Ok(self.sessions.clone())
    }

    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let is_it = |session: &&Session| {
            let chosen = match request.session {
                SessionChoice::Id(id) => session.id == id,
                _ => true,
            };
            chosen && request.user.as_ref().is_none_or(|user| session.is_of(user))
        };
        let session = self.sessions.iter().find(is_it).ok_or(Refusal::UnknownUser)?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::new(match request.form {
            TicketForm::ConnectionString1 => {
                format!("65538,1,127.0.0.1:3389,*,id{number}of{},*,*,kh", session.id)
            }
            TicketForm::ConnectionString2 => format!(
                "<E><A KH=\"kh\" ID=\"id{number}of{}\"/><C><T ID=\"1\" SID=\"0\"><L P=\"3389\" N=\"127.0.0.1\"/></T></C></E>",
                session.id
            ),
        }))
    }
}

struct Told;

impl Audit for Told {
    fn event(&self, event: &AuditEvent) {
        println!("{event:?}");
    }
}

impl NoviceAudit for Told {
    fn novice_event(&self, peer: SocketAddr, event: &NoviceEvent) {
        println!("{peer} {event:?}");
    }
}

fn odd() -> Vec<Session> {
    let of = |domain: Option<&str>, user: Option<&str>, id, state| Session {
        domain: domain.map(str::to_owned),
        user: user.map(str::to_owned),
        id,
        state,
    };
    vec![
        of(Some("DOM"), Some("alice"), 1, SessionStateEnum::ACTIVE),
        of(Some("D\u{d6}M"), Some("\u{65e5}\u{672c}\u{1f600}"), 2, SessionStateEnum::CONNECTED),
        of(None, Some("nobody"), 3, SessionStateEnum::ACTIVE),
        of(None, None, 4, SessionStateEnum::LISTEN),
        of(Some("DOM"), Some("idle"), 5, SessionStateEnum::IDLE),
        of(Some("DOM"), Some("gone"), 6, SessionStateEnum::DISCONNECTED),
    ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().ok_or("no address")?.parse()?;
    let mut accounts = MemoryAccounts::new();
    let mut machine = Machine {
        helpers: Vec::new(),
        sessions: vec![Session::active("DOM", "alice", 1)],
        refusal: None,
        made: AtomicU32::new(0),
    };
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or("no NAME=VALUE")?;
        match (name, value) {
            ("account", value) => {
                let (user, password) = value.split_once(':').ok_or("no USER:PASSWORD")?;
                accounts = accounts.with(None, user, password);
            }
            ("helper", user) => machine.helpers.push(Identity::new("", user)),
            ("sessions", "none") => machine.sessions.clear(),
            ("sessions", "odd") => machine.sessions = odd(),
            ("sessions", count) => {
                let session = |id: u32| Session::active("DOM", &format!("user{id}"), id);
                machine.sessions = (1..=count.parse()?).map(session).collect();
            }
            ("refuse", "policy") => machine.refusal = Some(Refusal::Policy),
            ("refuse", "running") => machine.refusal = Some(Refusal::AlreadyRunning),
            _ => return Err("what is that?".into()),
        }
    }
    let options = NoviceOptions::at(listen);
    let server = NoviceServer::start(options, Arc::new(machine), Arc::new(accounts), Arc::new(Told)).await?;
    println!("listening {:?} {:?}", server.resolver_addrs(), server.object_addrs());
    let mut input = tokio::io::stdin();
    while input.read(&mut [0; 64]).await? != 0 {}
    server.shutdown().await;
    Ok(())
}
