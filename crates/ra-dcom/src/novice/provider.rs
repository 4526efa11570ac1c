//! What the novice's machine has to tell: sessions and tickets.

use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;

use remassist_core::Secret;

use super::identity::{Identity, same_name};
use crate::{HResult, SessionName, SessionStateEnum};

/// A terminal services session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Domain of its user.
    pub domain: Option<String>,
    /// Its user.
    pub user: Option<String>,
    /// Its number.
    pub id: u32,
    /// Its state.
    pub state: SessionStateEnum,
}

impl Session {
    /// The active session of a user.
    #[must_use]
    pub fn active(domain: &str, user: &str, id: u32) -> Self {
        Self { domain: Some(domain.into()), user: Some(user.into()), id, state: SessionStateEnum::ACTIVE }
    }

    /// Whether IRASrv lists it: neither idle nor disconnected ([MS-RAI] 3.3.4.1.2).
    #[must_use]
    pub fn is_offered(&self) -> bool {
        !matches!(self.state, SessionStateEnum::IDLE | SessionStateEnum::DISCONNECTED)
    }

    /// As IRASrv tells it; `None` when the domain or the user is missing: such sessions are of no use to an expert
    /// ([MS-RAI] 3.2.4).
    #[must_use]
    pub fn told(&self) -> Option<SessionName> {
        Some(SessionName { domain: self.domain.clone()?, user: self.user.clone()?, id: self.id })
    }

    /// Whether it is the session of this user, without regard to upper and lower case.
    #[must_use]
    pub fn is_of(&self, user: &Identity) -> bool {
        let same = |mine: &Option<String>, name: &str| mine.as_deref().is_some_and(|m| same_name(m, name));
        same(&self.domain, &user.domain) && same(&self.user, &user.user)
    }

    /// Whether a ticket can be asked for so, where this is the session that is shared: by its number or any, and by the name
    /// of its user or none.
    #[must_use]
    pub fn is_meant(&self, request: &TicketRequest) -> bool {
        let chosen = match request.session {
            SessionChoice::Any | SessionChoice::Console => true,
            SessionChoice::Id(id) => id == self.id,
        };
        chosen && request.user.as_ref().is_none_or(|user| self.is_of(user))
    }
}

/// In which session help is asked for: SpecialPropertiesData of the activation ([MS-DCOM] 2.2.22.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SessionChoice {
    /// In any: dwSessionId 0xFFFFFFFF, or nothing said.
    #[default]
    Any,
    /// In that of the console.
    Console,
    /// In this one.
    Id(u32),
}

/// Which ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketForm {
    /// Connection string 1 ([MS-RAI] 2.2.1): what IPCHService gives.
    ConnectionString1,
    /// Connection string 2 ([MS-RAI] 2.2.2): what IRASrv gives.
    ConnectionString2,
}

/// Somebody asks for a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRequest {
    /// The expert.
    pub caller: Identity,
    /// The session.
    pub session: SessionChoice,
    /// Whose session it must be: told by IPCHService only.
    pub user: Option<Identity>,
    /// Which ticket.
    pub form: TicketForm,
    /// bstrUserHelpBlob ([MS-RAI] 3.1.4.1.1), as the expert sent it: it says who the expert says to be, and proves
    /// nothing.
    pub help_blob: Option<String>,
}

/// Why there are no sessions, or there is no ticket.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// This caller may not ask.
    AccessDenied,
    /// A policy forbids help.
    Policy,
    /// Remote Assistance is running already.
    AlreadyRunning,
    /// There is no such user, or the session is not that user's.
    UnknownUser,
    /// There is no memory left.
    OutOfMemory,
    /// Something else went wrong.
    Failed,
}

impl Refusal {
    /// The HRESULT of the tables in [MS-RAI] 3.1.4.1.1 and 3.3.4.1.1.
    #[must_use]
    pub const fn hresult(self) -> HResult {
        match self {
            Self::AccessDenied => HResult::E_ACCESSDENIED,
            Self::Policy => HResult::ERROR_ACCESS_DISABLED_BY_POLICY,
            Self::AlreadyRunning => HResult::ERROR_CANNOT_MAKE,
            Self::UnknownUser => HResult::ERROR_NONE_MAPPED,
            Self::OutOfMemory => HResult::E_OUTOFMEMORY,
            Self::Failed => HResult::E_FAIL,
        }
    }
}

/// Sessions, tickets, and who may ask for them.
pub trait SessionProvider: Send + Sync + 'static {
    /// Whether this caller is one of the helpers. Asked at activation and again before each of the other two.
    fn may_ask(&self, caller: &Identity) -> impl Future<Output = bool> + Send;

    /// All sessions, also those that are idle or disconnected.
    fn sessions(&self, caller: &Identity) -> impl Future<Output = Result<Vec<Session>, Refusal>> + Send;

    /// Makes a ticket. It lets in whoever has it, so it is for this caller only: no two calls give the same one.
    fn ticket(&self, request: &TicketRequest)
    -> impl Future<Output = Result<Secret<String>, Refusal>> + Send;
}

/// What makes the tickets of [`SingleSession`]: the RDP novice that waits for the expert. A closure is one, too.
pub trait TicketMaker: Send + Sync + 'static {
    /// Makes a ticket of the form asked for.
    fn make(&self, request: &TicketRequest) -> impl Future<Output = Result<Secret<String>, Refusal>> + Send;
}

impl<F> TicketMaker for F
where
    F: Fn(&TicketRequest) -> Result<Secret<String>, Refusal> + Send + Sync + 'static,
{
    fn make(&self, request: &TicketRequest) -> impl Future<Output = Result<Secret<String>, Refusal>> + Send {
        core::future::ready(self(request))
    }
}

/// A machine with one session, which is shared, and a list of helpers.
#[derive(Debug)]
pub struct SingleSession<T> {
    session: Session,
    helpers: Vec<Identity>,
    tickets: T,
}

impl<T: TicketMaker> SingleSession<T> {
    /// One session; who may ask for help sessions and tickets (without domain: that user of any); what makes the tickets.
    #[must_use]
    pub fn new(session: Session, helpers: Vec<Identity>, tickets: T) -> Self {
        Self { session, helpers, tickets }
    }
}

impl<T: TicketMaker> SessionProvider for SingleSession<T> {
    async fn may_ask(&self, caller: &Identity) -> bool {
        self.helpers.iter().any(|helper| helper.covers(caller))
    }

    async fn sessions(&self, _: &Identity) -> Result<Vec<Session>, Refusal> {
        Ok(Vec::from([self.session.clone()]))
    }

    async fn ticket(&self, request: &TicketRequest) -> Result<Secret<String>, Refusal> {
        if self.session.is_meant(request) {
            self.tickets.make(request).await
        } else {
            Err(Refusal::UnknownUser)
        }
    }
}
