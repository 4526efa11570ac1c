//! Offering help to a machine, over DCOM: `remassist sessions`, `remassist ticket`, `remassist expert --offer`.

use std::future::Future;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use ra_dcom::SessionStateEnum;
use ra_dcom::expert::{DcomOptions, Expert, Interfaces, OfferableSession, Told};
use remassist::core::Secret;
use remassist::core::text::TextFormat as _;
use remassist::invitation::InvitationBuilder;
use rpc_net::{ConnectOptions, Credentials, Mechanism};
use serde_json::json;

use crate::args::{
    Account, AccountArgs, AuthArg, InterfaceArg, OptionalPassword, SessionArgs, SessionsArgs, TicketArgs,
};
use crate::console::printable;
use crate::{Failure, output};

/// Minutes that a written ticket says to be valid; only the novice knows.
const MINUTES: u64 = 10;

pub fn sessions(args: &SessionsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let (host, account, password) = (&args.host, &args.account, &args.password);
    let sessions = block_on(async { listed(&expert(host, account, password).await?).await })?;
    if args.json {
        for session in &sessions {
            writeln!(out, "{}", in_json(session))?;
        }
        return Ok(());
    }
    let state = |session: &OfferableSession| session.state.and_then(short).unwrap_or("-").to_owned();
    writeln!(out, "{:>10}  {:<13}  USER", "SESSION", "STATE")?;
    for session in &sessions {
        writeln!(out, "{:>10}  {:<13}  {}", session.id, state(session), user_of(session))?;
    }
    Ok(())
}

pub fn ticket(args: &TicketArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let ticket = block_on(obtain(&args.host, &args.account, &args.password, &args.session))?;
    let text = ticket.text.expose();
    let Some(path) = &args.invitation else {
        writeln!(out, "{}", text.trim_end())?;
        return Ok(());
    };
    let file = match ticket.told {
        // What Windows Desktop Sharing writes: a connection string 2 by itself.
        Told::RaSrv => Secret::new(text.clone()),
        Told::PchService => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let invitation = InvitationBuilder::new(&args.host, now, MINUTES).type1(text.trim_end(), None);
            Secret::new(invitation.to_text().map_err(|e| Failure::Input(e.to_string()))?)
        }
    };
    output::save(path, file.expose().as_bytes())
        .map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// A ticket that was asked for.
pub struct Ticket {
    pub text: Secret<String>,
    pub told: Told,
    /// Whose session it is.
    pub user: String,
}

/// Asks a machine for the ticket of the session that is meant.
pub async fn obtain(
    host: &str,
    account: &AccountArgs,
    password: &OptionalPassword,
    session: &SessionArgs,
) -> Result<Ticket, Failure> {
    let expert = expert(host, account, password).await?;
    let sessions = listed(&expert).await?;
    let session = meant(&sessions, session)?;
    let ticket = expert.ticket(session, &own(account)?.to_string()).await;
    let text = ticket.map_err(|e| Failure::Input(e.to_string()))?;
    Ok(Ticket { text, told: session.told, user: user_of(session) })
}

fn own(account: &AccountArgs) -> Result<&Account, Failure> {
    let missing = || Failure::Usage("an account at the machine is needed: --user".to_owned());
    account.user.as_ref().ok_or_else(missing)
}

async fn expert(host: &str, account: &AccountArgs, password: &OptionalPassword) -> Result<Expert, Failure> {
    let Account { domain, user } = own(account)?;
    let missing = || Failure::Usage("a password is needed: --password or --password-file".to_owned());
    let password = password.read()?.ok_or_else(missing)?;
    let mut options =
        ConnectOptions::new(Credentials { domain: domain.clone(), user: user.clone(), password });
    options.mechanism = match account.auth {
        AuthArg::Ntlm => Mechanism::Ntlm,
        AuthArg::Negotiate => Mechanism::Negotiate,
        AuthArg::Kerberos => Mechanism::Kerberos {
            kdc: account.kdc.clone().unwrap_or_default(),
            service: format!("RPCSS/{host}"),
        },
    };
    let mut options = DcomOptions::new(options);
    options.port = account.dcom_port;
    let expert = Expert::connect(host, options).await.map_err(|e| Failure::Input(format!("{host}: {e}")))?;
    Ok(expert.with_interfaces(match account.interface {
        None => Interfaces::Both,
        Some(InterfaceArg::Rasrv) => Interfaces::RaSrv,
        Some(InterfaceArg::Pchservice) => Interfaces::PchService,
    }))
}

async fn listed(expert: &Expert) -> Result<Vec<OfferableSession>, Failure> {
    expert.sessions().await.map_err(|e| Failure::Input(e.to_string()))
}

/// The one session that is meant.
fn meant<'s>(sessions: &'s [OfferableSession], args: &SessionArgs) -> Result<&'s OfferableSession, Failure> {
    let same = |told: &str, given: &str| told.to_lowercase() == given.to_lowercase();
    let is_meant = |session: &&OfferableSession| match (args.id, &args.user_name) {
        (Some(id), _) => session.id == id,
        (None, Some(Account { domain, user })) => {
            same(&session.user, user) && (domain.is_empty() || same(&session.domain, domain))
        }
        (None, None) => true,
    };
    let mut meant = sessions.iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(session), None) => Ok(session),
        (None, _) if sessions.is_empty() => Err(Failure::Input("the machine has no session".to_owned())),
        (None, _) => Err(Failure::Input(format!("no such session; there are {}", names(sessions)))),
        (Some(_), Some(_)) => {
            let several = names(sessions.iter().filter(is_meant));
            Err(Failure::Input(format!("which session? --session says; there are {several}")))
        }
    }
}

fn names<'s>(sessions: impl IntoIterator<Item = &'s OfferableSession>) -> String {
    let names = sessions.into_iter().map(|session| format!("{} ({})", session.id, user_of(session)));
    names.collect::<Vec<_>>().join(", ")
}

fn user_of(session: &OfferableSession) -> String {
    printable(&format!("{}\\{}", session.domain, session.user))
}

/// The name of a state, without what all names begin with.
fn short(state: SessionStateEnum) -> Option<&'static str> {
    state.name().map(|name| name.trim_start_matches("pch"))
}

fn in_json(session: &OfferableSession) -> serde_json::Value {
    json!({
        "session": session.id,
        "domain": session.domain,
        "user": session.user,
        "state": session.state.and_then(short),
        "interface": match session.told {
            Told::RaSrv => "IRASrv",
            Told::PchService => "IPCHService",
        },
    })
}
