//! Pings: a machine keeps the objects of a client only while it hears from it ([MS-DCOM] 3.2.6.1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::ExpertError;
use super::machine::{Inner, Machine, resolved};
use crate::ErrorStatus;
use crate::calls::{ComplexPing, ComplexPingRequest, Method, SimplePing, SimplePingRequest};

/// The objects of a machine that are held, each with the number of its interfaces that are.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    oids: BTreeMap<u64, usize>,
    /// The task that tells the machine.
    told: Option<AbortHandle>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(task) = self.told.take() {
            task.abort();
        }
    }
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn let_go(&self, oid: u64) {
        let mut state = self.lock();
        if let Some(count) = state.oids.get_mut(&oid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.oids.remove(&oid);
            }
        }
    }
}

/// One interface more of an object is held.
pub(super) fn hold(machine: &Machine, oid: u64) {
    let mut state = machine.held().lock();
    let count = state.oids.entry(oid).or_default();
    *count = count.saturating_add(1);
    if state.told.is_none() {
        state.told = Some(tokio::spawn(tell(machine.downgrade())).abort_handle());
    }
}

/// Tells the machine until it, or the last object, is gone.
async fn tell(machine: Weak<Inner>) {
    let Some(period) = machine.upgrade().map(|machine| machine.ping_interval()) else { return };
    let mut ticks = interval(period.max(std::time::Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is due at once, and nothing is to be told yet.
    ticks.tick().await;
    let mut set = PingSet::default();
    loop {
        ticks.tick().await;
        let Some(machine) = machine.upgrade() else { return };
        let oids: BTreeSet<u64> = {
            let mut state = machine.held.lock();
            if state.oids.is_empty() && set.id == 0 {
                state.told = None;
                return;
            }
            state.oids.keys().copied().collect()
        };
        if let Err(error) = set.ping(&machine, oids).await {
            debug!(%error, "a ping failed");
        }
    }
}

/// A ping set of the machine ([MS-DCOM] 3.2.1).
#[derive(Debug, Default)]
struct PingSet {
    /// SETID; 0 while there is none.
    id: u64,
    sequence: u16,
    oids: BTreeSet<u64>,
}

impl PingSet {
    async fn ping(&mut self, machine: &Inner, oids: BTreeSet<u64>) -> Result<(), ExpertError> {
        if self.id != 0 && self.oids == oids {
            let pinged = machine.ask::<SimplePing>(&SimplePingRequest { set_id: self.id }).await?;
            return resolved(Method::SimplePing, pinged.status).inspect_err(|error| self.forget(error));
        }
        let changed =
            |a: &BTreeSet<u64>, b: &BTreeSet<u64>| -> Vec<u64> { a.difference(b).copied().collect() };
        let (add, del) = (changed(&oids, &self.oids), changed(&self.oids, &oids));
        let some = |oids: Vec<u64>| Some(oids).filter(|oids| !oids.is_empty());
        self.sequence = self.sequence.wrapping_add(1);
        let ping = ComplexPingRequest {
            set_id: self.id,
            sequence_num: self.sequence,
            add_to_set: some(add),
            del_from_set: some(del),
        };
        let pinged = machine.ask::<ComplexPing>(&ping).await?;
        resolved(Method::ComplexPing, pinged.status).inspect_err(|error| self.forget(error))?;
        // A machine may drop a set that has become empty, and does not say so.
        *self = if oids.is_empty() {
            Self::default()
        } else {
            Self { id: pinged.set_id, sequence: self.sequence, oids }
        };
        Ok(())
    }

    /// A set that the machine does not know any more is made anew. So is one that cannot take an object that is gone: the
    /// machine counts that as no ping for the others, while in a new set it passes such objects over.
    fn forget(&mut self, error: &ExpertError) {
        if let ExpertError::Resolver { status: ErrorStatus::INVALID_SET | ErrorStatus::INVALID_OID, .. } =
            error
        {
            *self = Self::default();
        }
    }
}
