//! The expert's side: asking a novice's machine for its sessions and for the ticket of one ([MS-RAI] 3.2, 3.4).

mod activation;
mod bindings;
mod call;
mod error;
mod exporter;
mod machine;
mod object;
mod ping;
mod rai;

use remassist_core::Secret;
use tracing::{debug, info};

pub use error::ExpertError;
pub use machine::{DcomOptions, Machine};
pub use object::RemoteObject;
pub use rai::{PchCollection, PchService, RaSrv, SafSession};

use crate::SessionStateEnum;

/// Which interfaces of a machine are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Interfaces {
    /// IRASrv, and IPCHService when that fails ([MS-RAI] 1.7).
    #[default]
    Both,
    /// IRASrv only.
    RaSrv,
    /// IPCHService only.
    PchService,
}

/// Which interface told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// IRASrv.
    RaSrv,
    /// IPCHService.
    PchService,
}

/// A session that help can be offered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferableSession {
    /// Domain of its user; not empty.
    pub domain: String,
    /// Its user; not empty.
    pub user: String,
    /// Its number.
    pub id: u32,
    /// Its state, which IRASrv does not tell.
    pub state: Option<SessionStateEnum>,
    /// Who told it: its ticket is to be had there.
    pub told: Told,
}

/// Asks a novice's machine for sessions and tickets. Nothing is asked twice by itself.
#[derive(Debug, Clone)]
pub struct Expert {
    machine: Machine,
    interfaces: Interfaces,
    max_sessions: usize,
}

impl Expert {
    /// Finds the machine; `host` is a name or an address.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn connect(host: &str, options: DcomOptions) -> Result<Self, ExpertError> {
        Ok(Self::new(Machine::connect(host, options).await?))
    }

    /// Asks a machine that was found; both interfaces, for 4,096 sessions at most.
    #[must_use]
    pub const fn new(machine: Machine) -> Self {
        Self { machine, interfaces: Interfaces::Both, max_sessions: 4096 }
    }

    /// Asks these interfaces.
    #[must_use]
    pub const fn with_interfaces(mut self, interfaces: Interfaces) -> Self {
        self.interfaces = interfaces;
        self
    }

    /// Takes so many sessions; further ones are left out.
    #[must_use]
    pub const fn with_max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// The machine, for calls of its own.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The sessions that have a user; the others must be ignored ([MS-RAI] 3.2.4). IPCHService is asked when IRASrv fails
    /// for a reason that another interface can mend ([`ExpertError::is_final`]).
    ///
    /// # Errors
    /// [`ExpertError`]; of IRASrv, when both fail.
    pub async fn sessions(&self) -> Result<Vec<OfferableSession>, ExpertError> {
        match self.interfaces {
            Interfaces::RaSrv => self.by_ra_srv().await,
            Interfaces::PchService => self.by_pch_service().await,
            Interfaces::Both => match self.by_ra_srv().await {
                Err(first) if !first.is_final() => {
                    info!(error = %first, "IRASrv has failed; asking IPCHService");
                    self.by_pch_service().await.map_err(|second| {
                        debug!(error = %second, "IPCHService has failed, too");
                        if second.is_final() { second } else { first }
                    })
                }
                told => told,
            },
        }
    }

    async fn by_ra_srv(&self) -> Result<Vec<OfferableSession>, ExpertError> {
        let object = RaSrv::activate(&self.machine, None).await?;
        let names = object.get_session_info().await;
        give_back(object.release().await);
        let names = names?.into_iter().filter(crate::SessionName::has_user).take(self.max_sessions);
        let session = |crate::SessionName { domain, user, id }| OfferableSession {
            domain,
            user,
            id,
            state: None,
            told: Told::RaSrv,
        };
        Ok(names.map(session).collect())
    }

    async fn by_pch_service(&self) -> Result<Vec<OfferableSession>, ExpertError> {
        let service = PchService::activate(&self.machine).await?;
        let sessions = self.collected(&service).await;
        give_back(service.release().await);
        sessions
    }

    async fn collected(&self, service: &PchService) -> Result<Vec<OfferableSession>, ExpertError> {
        let collection = service.remote_user_session_info().await?;
        let mut sessions = Vec::new();
        let most = i32::try_from(self.max_sessions).unwrap_or(i32::MAX);
        for index in 1..=collection.count().await?.min(most) {
            // Dropped: its references go back with those of the others.
            let session = collection.item(index).await?;
            let (domain, user) = (session.domain_name().await?, session.user_name().await?);
            let (id, state) = (session.session_id().await?, session.session_state().await?);
            let named = |name: Option<String>| name.filter(|name| !name.is_empty());
            if let (Some(domain), Some(user)) = (named(domain), named(user)) {
                let (state, told) = (Some(state), Told::PchService);
                sessions.push(OfferableSession { domain, user, id, state, told });
            }
        }
        give_back(collection.release().await);
        Ok(sessions)
    }

    /// The ticket of a session: a connection string for `Credentials::dcom` of the crate ra-session. The novice's user is not
    /// asked yet. `expert` is who asks, as `DOMAIN\user`: IPCHService is told.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn ticket(
        &self,
        session: &OfferableSession,
        expert: &str,
    ) -> Result<Secret<String>, ExpertError> {
        match session.told {
            Told::RaSrv => {
                let object = RaSrv::activate(&self.machine, Some(session.id)).await?;
                let ticket = object.get_novice_user_info().await;
                give_back(object.release().await);
                ticket
            }
            Told::PchService => {
                let service = PchService::activate(&self.machine).await?;
                let OfferableSession { domain, user, id, .. } = session;
                let ticket = service.remote_connection_parms(user, domain, *id, expert).await;
                give_back(service.release().await);
                ticket
            }
        }
    }
}

/// References that cannot be given back are no reason to have no answer.
fn give_back(released: Result<(), ExpertError>) {
    if let Err(error) = released {
        debug!(%error, "references were not given back");
    }
}
