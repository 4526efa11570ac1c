//! The queue manager: which queues there are, and who answers which interface.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use comqc_session::{
    Address, DirectName, DirectQueue, FormatName, LocalName, MachineQueue, Member, Name, QueueName,
};
use rpc_net::{AuthLevel, Caller, IncomingCall, ServerOptions, Service, Status, SyntaxId};

use super::access::{Access, Right};
use super::call::MAX_STUB;
use super::format::QueueFormat;
use super::options::ManagerOptions;
use super::served::{Served, ServedQueue, Target};
use super::status::MqStatus;
use crate::mqmp::{self, QMCOMM, QMCOMM2};
use crate::mqmr::{self, QMMGMT};
use crate::mqrr::{self, REMOTE_READ};
use crate::{Place, QueueError};

/// Makes queues, for a queue manager whose callers may create and delete some.
#[async_trait]
pub trait QueueFactory: Send + Sync + 'static {
    /// A new queue of this name, or that which is there already.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn create(
        &self,
        name: &LocalName,
        label: &str,
        transactional: bool,
    ) -> Result<ServedQueue, QueueError>;

    /// A queue is not served any more; whether its messages are deleted is the factory's affair.
    ///
    /// # Errors
    /// When it cannot be deleted: it is served further on.
    async fn delete(&self, queue: &ServedQueue) -> Result<(), QueueError>;
}

/// A queue manager of MSMQ in front of queues: a [`Service`] of `rpc_net::Server` that answers RemoteRead ([MS-MQRR]), qmmgmt
/// ([MS-MQMR]), and where it is allowed qmcomm and qmcomm2 ([MS-MQMP]).
///
/// Nobody who is not logged on can call anything, and who is needs rights for what he does.
pub struct QueueManager {
    pub(crate) options: ManagerOptions,
    pub(crate) access: Arc<dyn Access>,
    pub(crate) factory: Option<Arc<dyn QueueFactory>>,
    queues: RwLock<BTreeMap<LocalName, Arc<Served>>>,
    numbers: AtomicU32,
    port: AtomicU16,
    remote_read: mqrr::Server,
    client_protocol: mqmp::Server,
}

impl std::fmt::Debug for QueueManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueManager").field("computer", &self.options.computer).finish_non_exhaustive()
    }
}

impl QueueManager {
    /// A queue manager without queues.
    #[must_use]
    pub fn new(options: ManagerOptions, access: Arc<dyn Access>) -> Self {
        Self {
            options,
            access,
            factory: None,
            queues: RwLock::default(),
            numbers: AtomicU32::new(1),
            port: AtomicU16::new(0),
            remote_read: mqrr::Server::default(),
            client_protocol: mqmp::Server::default(),
        }
    }

    /// Lets callers with the right to manage create and delete private queues.
    #[must_use]
    pub fn with_factory(self, factory: Arc<dyn QueueFactory>) -> Self {
        Self { factory: Some(factory), ..self }
    }

    /// Options of an RPC server for a queue manager: whole messages fit into its calls, and so many of them may wait for
    /// messages as there may be open queues.
    #[must_use]
    pub fn server_options(&self) -> ServerOptions {
        let mut options = ServerOptions::default();
        options.rpc.max_stub = options.rpc.max_stub.max(MAX_STUB);
        options.max_calls = options.max_calls.max(self.options.limits.handles);
        options
    }

    /// Serves a queue, in place of one of the same name.
    pub fn serve(&self, queue: ServedQueue) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        // The number of a private queue makes its GUID, so that it is another one for each queue.
        let (high, mid, low, rest) = self.options.machine.as_fields();
        let instance = uuid::Uuid::from_fields(high ^ number, mid, low, rest);
        let served = Arc::new(Served::new(queue.clone(), number, instance));
        self.queues.write().unwrap_or_else(PoisonError::into_inner).insert(queue.name, served);
    }

    /// Serves a queue no more; what has it open keeps it.
    pub fn withdraw(&self, name: &LocalName) -> bool {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// The port at which RemoteRead is, which R_GetServerPort tells; 0 for that to which the call came.
    pub fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    pub(crate) fn port(&self, call: &IncomingCall) -> u16 {
        match self.port.load(Ordering::Relaxed) {
            0 => call.local.port(),
            port => port,
        }
    }

    /// All queues, in the order of their names.
    pub(crate) fn served(&self) -> Vec<Arc<Served>> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn find(&self, name: &LocalName) -> Option<Arc<Served>> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whether the caller may do this; without a caller nobody may do anything.
    pub(crate) fn may(&self, caller: Option<&Caller>, queue: Option<&LocalName>, right: Right) -> bool {
        caller.is_some_and(|caller| self.access.allows(caller, queue, right))
    }

    /// What a format name leads to.
    pub(crate) fn resolve(&self, format: &QueueFormat) -> Result<Target, MqStatus> {
        let name = format.to_format_name().ok_or(MqStatus::MQ_ERROR_ILLEGAL_FORMATNAME)?;
        self.target(&name).ok_or(MqStatus::MQ_ERROR_QUEUE_NOT_FOUND)
    }

    fn target(&self, name: &FormatName) -> Option<Target> {
        match name {
            FormatName::Direct(direct) => {
                if !self.is_here(direct) {
                    return None;
                }
                match &direct.queue {
                    DirectQueue::Public(queue) => self.place(queue, LocalName::Public),
                    DirectQueue::Private(queue) => self.place(queue, LocalName::Private),
                    DirectQueue::Machine(_) => None,
                }
            }
            FormatName::Private { computer, number, journal } if *computer == self.options.machine => {
                let served = self.served().into_iter().find(|served| served.number == *number)?;
                Some(Target { served, place: if *journal { Place::Journal } else { Place::Main } })
            }
            FormatName::Public(instance) => {
                let served = self.served().into_iter().find(|served| served.instance == *instance)?;
                matches!(served.info.name, LocalName::Public(_))
                    .then_some(Target { served, place: Place::Main })
            }
            _ => None,
        }
    }

    /// A queue by its name, or one of those that COM+ has beside it.
    fn place(&self, queue: &QueueName, local: fn(QueueName) -> LocalName) -> Option<Target> {
        if queue.subqueue().is_some() {
            return None;
        }
        let named = |name: &str| QueueName::new(name).ok().and_then(|name| self.find(&local(name)));
        if let Some(served) = named(queue.name()) {
            return Some(Target {
                served,
                place: if queue.is_journal() { Place::Journal } else { Place::Main },
            });
        }
        let (application, member) = queue.member();
        let place = match member {
            _ if queue.is_journal() => return None,
            Member::Main => return None,
            Member::Retry(number) => Place::Retry(number),
            Member::Dead => Place::Dead,
        };
        Some(Target { served: named(application)?, place })
    }

    /// Whether an address is that of this computer: one of its names, or any address of the Internet protocol, since the
    /// call came here.
    fn is_here(&self, direct: &DirectName) -> bool {
        match &direct.address {
            Address::Os(name) => self.is_own(name),
            Address::Tcp(_) => true,
            _ => false,
        }
    }

    /// Whether a name is one of this computer.
    pub(crate) fn is_own(&self, name: &Name) -> bool {
        let own = |other: &str| name.eq_ignore_ascii_case(other);
        own(".")
            || own("localhost")
            || own(&self.options.computer)
            || self.options.computer.split('.').next().is_some_and(own)
            || self.options.aliases.iter().any(|alias| own(alias))
    }

    /// The direct format name of a queue.
    pub(crate) fn format_name(&self, served: &Served) -> FormatName {
        let queue = match &served.info.name {
            LocalName::Public(name) => DirectQueue::Public(name.clone()),
            LocalName::Private(name) => DirectQueue::Private(name.clone()),
            LocalName::System(_) => DirectQueue::Machine(MachineQueue::DeadLetter),
        };
        FormatName::Direct(DirectName { address: Address::Os(self.options.computer.clone()), queue })
    }
}

impl Service for QueueManager {
    fn supports(&self, interface: &SyntaxId) -> bool {
        let ManagerOptions { remote_read, management, client_protocol, .. } = self.options;
        (remote_read && *interface == REMOTE_READ)
            || (management && *interface == QMMGMT)
            || (client_protocol && (*interface == QMCOMM || *interface == QMCOMM2))
    }

    fn minimum_level(&self, interface: &SyntaxId, opnum: u16) -> AuthLevel {
        if *interface == QMCOMM && opnum == mqmp::opnum::GET_RTQM_SERVER_PORT {
            // [MS-MQMP] 3.1.4.24: clients ask for the port before they log on.
            return AuthLevel::NONE;
        }
        self.options.minimum_level.max(AuthLevel::INTEGRITY)
    }

    async fn call(&self, call: IncomingCall) -> Result<Vec<u8>, Status> {
        match call.interface {
            REMOTE_READ => self.remote_read.call(self, &call).await,
            QMMGMT => mqmr::answer(self, &call).await,
            QMCOMM => self.client_protocol.call(self, &call).await,
            QMCOMM2 => self.client_protocol.call2(self, &call).await,
            _ => Err(Status::UNK_IF),
        }
    }

    fn disconnected(&self, connection: u64) {
        self.remote_read.run_down(connection);
        self.client_protocol.run_down(connection);
    }
}
