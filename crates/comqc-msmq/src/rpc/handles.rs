//! Context handles of a server: whose they are, how many there may be, and what is left of a connection that is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpc_net::{IncomingCall, Status};
use uuid::Uuid;

use super::options::ManagerLimits;
use super::status::MqStatus;
use super::types::ContextHandle;

/// Whose a handle is: the account, and its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    connection: u64,
    domain: String,
    user: String,
}

impl Owner {
    /// Who calls; nobody who is not known may.
    pub(crate) fn of(call: &IncomingCall) -> Result<Self, Status> {
        let caller = call.caller.as_ref().ok_or(Status::ACCESS_DENIED)?;
        let (domain, user) = (caller.domain.to_lowercase(), caller.user.to_lowercase());
        Ok(Self { connection: call.connection, domain, user })
    }

    fn is_account_of(&self, other: &Self) -> bool {
        self.domain == other.domain && self.user == other.user
    }
}

/// The handles of one kind.
pub(crate) struct Handles<T> {
    table: Mutex<HashMap<Uuid, (Owner, Arc<T>)>>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { table: Mutex::default() }
    }
}

impl<T> Handles<T> {
    fn table(&self) -> MutexGuard<'_, HashMap<Uuid, (Owner, Arc<T>)>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new handle, unless one that is there conflicts with it, or there are as many as there may be.
    pub(crate) fn insert(
        &self,
        owner: Owner,
        value: T,
        limits: &ManagerLimits,
        conflicts: impl Fn(&T) -> bool,
    ) -> Result<ContextHandle, MqStatus> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES)?;
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let mut table = self.table();
        if table.values().any(|(_, value)| conflicts(value)) {
            return Err(MqStatus::MQ_ERROR_SHARING_VIOLATION);
        }
        let own = table.values().filter(|(other, _)| owner.is_account_of(other)).count();
        if table.len() >= limits.handles || own >= limits.handles_per_caller {
            return Err(MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES);
        }
        table.insert(id, (owner, Arc::new(value)));
        Ok(ContextHandle::new(id))
    }

    /// What a handle stands for, for its owner on its connection; for others it is none, which RPC tells by
    /// nca_s_fault_context_mismatch.
    pub(crate) fn get(&self, handle: ContextHandle, owner: &Owner) -> Result<Arc<T>, Status> {
        let table = self.table();
        let (of, value) = table.get(&handle.id).ok_or(Status::CONTEXT_MISMATCH)?;
        if of == owner { Ok(Arc::clone(value)) } else { Err(Status::CONTEXT_MISMATCH) }
    }

    /// Ends a handle of its owner.
    pub(crate) fn remove(&self, handle: ContextHandle, owner: &Owner) -> Result<Arc<T>, Status> {
        self.get(handle, owner)?;
        self.table().remove(&handle.id).map(|(_, value)| value).ok_or(Status::CONTEXT_MISMATCH)
    }

    /// Ends all handles of a connection.
    pub(crate) fn run_down(&self, connection: u64) -> Vec<Arc<T>> {
        let mut table = self.table();
        let gone: Vec<Uuid> = table
            .iter()
            .filter(|(_, (owner, _))| owner.connection == connection)
            .map(|(id, _)| *id)
            .collect();
        gone.iter().filter_map(|id| table.remove(id)).map(|(_, value)| value).collect()
    }

    /// The first one of an owner for which the test holds.
    pub(crate) fn find(&self, owner: &Owner, mut test: impl FnMut(&T) -> bool) -> Option<Arc<T>> {
        let table = self.table();
        table.values().find(|(of, value)| of == owner && test(value)).map(|(_, value)| Arc::clone(value))
    }
}
