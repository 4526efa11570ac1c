//! The act in which help is offered: a ticket over DCOM instead of an invitation.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ra_dcom::expert::{DcomOptions, Expert, ExpertError, OfferableSession};
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionChoice,
    SessionProvider, TicketForm, TicketRequest,
};
use ra_dcom::{HResult, SessionStateEnum};
use ra_rdp::{FileType, Tickets};
use remassist::core::{Role, Secret, Version};
use remassist::session::{Credentials, Event, ExpertConfig, NoviceConfig, Reason};
use rpc_net::{Audit, AuditEvent, ConnectOptions, MemoryAccounts};

use super::stage::{Check, Door, Stage, fits};
use super::{ANSWER, GREETING, agree};
use crate::Failure;

/// Passwords of the helper and of somebody who is none.
const HELPER: &str = "Eva-Pass-1";
const OTHER: &str = "Otto-Pass-1";

/// The novice's machine: Nils sits at the screen that is shared.
struct Machine {
    tickets: Tickets,
    given: Mutex<Vec<Credentials>>,
}

const NILS: u32 = 2;

impl SessionProvider for Machine {
    async fn may_ask(&self, caller: &Identity) -> bool {
        *caller == Identity::new("DESK", "eva")
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        let gone = Session { state: SessionStateEnum::DISCONNECTED, ..Session::active("DESK", "guest", 3) };
        let nobody = Session { user: None, ..Session::active("DESK", "", 0) };
        Ok(vec![nobody, Session::active("DESK", "admin", 1), Session::active("DESK", "nils", NILS), gone])
    }

    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        if request.session != SessionChoice::Id(NILS) {
            return Err(Refusal::UnknownUser);
        }
        let made = self.tickets.make(match request.form {
            TicketForm::ConnectionString1 => FileType::Type1,
            TicketForm::ConnectionString2 => FileType::Type2,
        });
        let made = made.map_err(|_| Refusal::Failed)?;
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(made.credentials);
        Ok(made.connection_string)
    }
}

/// What the novice tells of its callers, until it is printed.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

/// What is printed, which is searched for secrets in the end.
struct Lines<'o> {
    out: &'o mut dyn Write,
    printed: String,
    notes: Arc<Notes>,
}

impl Lines<'_> {
    fn say(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        self.printed += line;
        Ok(())
    }

    /// What the novice has told since the last time.
    fn tell(&mut self) -> Result<(), Failure> {
        self.notes.take().iter().try_for_each(|note| self.say(&format!("novice: {note}")))
    }
}

impl Notes {
    fn note(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// What was told since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Audit for Notes {
    fn event(&self, event: &AuditEvent) {
        if let AuditEvent::LogonRefused { domain, user, why, .. } = event {
            self.note(format!("{domain}\\{user} could not log on: {why}"));
        }
    }
}

impl NoviceAudit for Notes {
    fn novice_event(&self, _: SocketAddr, event: &NoviceEvent) {
        match event {
            NoviceEvent::Activated { caller, .. } => self.note(format!("made an object for {caller}")),
            NoviceEvent::SessionsTold { caller, count } => {
                self.note(format!("told {caller} of {count} sessions"))
            }
            NoviceEvent::TicketGiven { caller, .. } => self.note(format!("gave {caller} a ticket")),
            NoviceEvent::Refused { caller: Some(caller), code, .. } => {
                self.note(format!("refused {caller}: {}", HResult(*code)));
            }
            _ => {}
        }
    }
}

/// The act.
pub async fn act(out: &mut dyn Write) -> Result<Vec<Check>, Failure> {
    let notes = Arc::<Notes>::default();
    let mut lines = Lines { out, printed: String::new(), notes: Arc::clone(&notes) };
    lines.say("\n== help is offered: a ticket over DCOM, then version 2 over RDP with TLS ==")?;
    let door = Door::open().await?;
    let tickets = fits(door.tickets())?;
    let machine = Arc::new(Machine { tickets, given: Mutex::default() });
    let accounts = MemoryAccounts::new().with(Some("DESK"), "eva", HELPER).with(Some("DESK"), "otto", OTHER);
    let options = NoviceOptions::at(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = NoviceServer::start(options, Arc::clone(&machine), Arc::new(accounts), notes).await;
    let server = fits(server)?;
    let resolver = fits(server.resolver_addrs().first().copied().ok_or("no resolver"))?;

    let mut checks = Vec::new();
    let mut check = |what: &str, held| checks.push((format!("offer: {what}"), held));
    let wrong = ask(&mut lines, resolver, "eva", "Eva-Pass-2").await?;
    check("a wrong password is refused", wrong.is_err_and(|e| e.is_denied()));
    let other = ask(&mut lines, resolver, "otto", OTHER).await?;
    let denied = |e: ExpertError| matches!(e, ExpertError::Call { hresult: HResult::E_ACCESSDENIED, .. });
    check("who is no helper is refused with E_ACCESSDENIED", other.is_err_and(denied));
    let (expert, sessions) = fits(ask(&mut lines, resolver, "eva", HELPER).await?)?;
    let listed: Vec<_> = sessions.iter().map(|s| (s.user.as_str(), s.id)).collect();
    check(
        "sessions without a user, and disconnected ones, are not listed",
        listed == [("admin", 1), ("nils", NILS)],
    );

    let nils = fits(sessions.iter().find(|s| s.user == "nils").ok_or("Nils has no session"))?;
    lines.say(&format!("expert: asks for the ticket of session {} (IRASrv::GetNoviceUserInfo)", nils.id))?;
    let ticket = fits(expert.ticket(nils, "DESK\\eva").await)?;
    lines.tell()?;
    let admin = fits(sessions.iter().find(|s| s.user == "admin").ok_or("there is no admin"))?;
    let refused = expert.ticket(admin, "DESK\\eva").await;
    check("there is no ticket for a session that is not shared", refused.is_err());
    lines.tell()?;

    let config = ExpertConfig::new(fits(Credentials::dcom(ticket.expose()))?);
    let given = machine.given.lock().unwrap_or_else(PoisonError::into_inner).clone();
    check("one ticket was given", given.len() == 1);
    let Lines { out, printed, .. } = lines;
    let printed = printed + &help(out, door, config, NoviceConfig::new(given), &mut check).await?;
    server.shutdown().await;
    let id = ticket.expose().split("ID=\"").nth(1).and_then(|rest| rest.split('"').next());
    let id = fits(id.ok_or("the ticket has no ID"))?;
    check(
        "no password or ticket in the transcript",
        ![HELPER, OTHER, id].iter().any(|s| printed.contains(s)),
    );
    Ok(checks)
}

/// Asks as somebody for the sessions; what comes of it.
async fn ask(
    lines: &mut Lines<'_>,
    resolver: SocketAddr,
    user: &str,
    password: &str,
) -> Result<Result<(Expert, Vec<OfferableSession>), ExpertError>, Failure> {
    lines.say(&format!("expert: asks as DESK\\{user} for sessions (IRASrv::GetSessionInfo)"))?;
    let mut options =
        DcomOptions::new(ConnectOptions::new(rpc_net::Credentials::new("DESK", user, password)));
    options.port = resolver.port();
    let asked = async {
        let expert = Expert::connect(&resolver.ip().to_string(), options).await?;
        let sessions = expert.sessions().await?;
        Ok((expert, sessions))
    };
    let told = asked.await;
    lines.tell()?;
    match &told {
        Ok((_, sessions)) => {
            for session in sessions {
                let OfferableSession { id, domain, user, .. } = session;
                lines.say(&format!("expert: there is session {id} of {domain}\\{user}"))?;
            }
        }
        Err(error) => lines.say(&format!("expert: {error}"))?,
    }
    Ok(told)
}

/// The session that the ticket lets in; gives back what was printed of it.
async fn help(
    out: &mut dyn Write,
    door: Door,
    mut expert: ExpertConfig,
    mut novice: NoviceConfig,
    check: &mut dyn FnMut(&str, bool),
) -> Result<String, Failure> {
    expert.options.name = "Eva".to_owned();
    expert.user_name = "eva".to_owned();
    novice.options.name = "Nils".to_owned();
    let mut stage = Stage::new(out, door, expert, novice).await?;
    let (mut verified, mut established, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    let (mut chats, mut controlled) = (Vec::new(), false);
    stage
        .play(&mut |stage, role, event| {
            agree(stage, event)?;
            match (role, event) {
                (_, Event::Verified) => verified.push(role),
                (_, Event::Established(version)) => {
                    established.push(*version);
                    if role == Role::Expert {
                        fits(stage.expert().chat().send(GREETING))?;
                    }
                }
                (Role::Novice, Event::Chat(text)) => {
                    chats.push(text.clone());
                    fits(stage.novice().chat().send(ANSWER))?;
                }
                (Role::Expert, Event::Chat(text)) => {
                    chats.push(text.clone());
                    fits(stage.expert().request_control())?;
                }
                (Role::Novice, Event::Control(remassist::session::ControlEvent::Requested)) => {
                    fits(stage.novice().allow_control())?;
                }
                (Role::Expert, Event::Control(remassist::session::ControlEvent::Granted)) => {
                    controlled = stage.novice().may_deliver_input();
                    stage.expert().close();
                }
                (_, Event::Closed(reason)) => reasons.push((role, *reason)),
                _ => {}
            }
            Ok(())
        })
        .await?;
    check("the novice verified the expert by its ticket", verified.contains(&Role::Novice));
    check("a session of version 2 was established on both sides", established == [Version::V2; 2]);
    check("the expert saw the novice's screen", stage.seen);
    check("chat arrived both ways", chats == [GREETING, ANSWER]);
    check("the expert was given control", controlled);
    check("the expert ended it", reasons.contains(&(Role::Expert, Reason::Local)));
    stage.finish()?;
    Ok(stage.printed().to_owned())
}
