//! Receiving under a lock, and what becomes of messages after that.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use comqc_session::{DeadReason, MessageId, Timestamp, Verdict};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Fault;
use super::holder::{self, Holder};
use super::row::{self, int, shortened};
use super::store::{Durability, Inner, locked};
use crate::{Delivery, Place, QueueError};

/// A lock of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// Who has locked it for this store.
    holder: i64,
    queue: i64,
    seq: i64,
    /// PositiveJournalingRequested.
    journal: bool,
    state: State,
}

impl Lease {
    /// Whether somebody has the delivery.
    fn is_held(&self) -> bool {
        matches!(self.state, State::Offered | State::Playing)
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// On its way to the player.
    Offered,
    /// The player has it.
    Playing,
    /// Dropped before it was settled; by the player, or before the player had it.
    Dropped {
        /// By the player.
        abandoned: bool,
    },
}

/// The locks of a store, by what [`Delivery::lock`] knows them by.
#[derive(Debug, Default)]
pub(super) struct Leases(HashMap<u64, Lease>);

/// The last lock of this process. No two stores know two deliveries by the same one.
static LAST: AtomicU64 = AtomicU64::new(0);

impl Leases {
    fn add(&mut self, lease: Lease) -> u64 {
        let lock = LAST.fetch_add(1, Ordering::Relaxed);
        self.0.insert(lock, lease);
        lock
    }

    /// The lock of a message that was locked last.
    fn of(&self, seq: i64, holder: i64) -> Option<Lease> {
        let own = self.0.iter().filter(|(_, lease)| lease.seq == seq && lease.holder == holder);
        own.max_by_key(|(lock, _)| **lock).map(|(_, lease)| *lease)
    }

    /// Says at which stage a delivery is.
    fn set(&mut self, lock: u64, state: State) {
        if let Some(lease) = self.0.get_mut(&lock) {
            lease.state = state;
        }
    }
}

/// Whether there is something to receive, without changing anything: what those who wait ask again and again.
fn ready(db: &Connection, inner: &Inner, queue: i64, now: Timestamp) -> Result<bool, Fault> {
    if let Some((seq, holder)) = holder::lock_of(db, queue)? {
        return may_free(inner, seq, holder);
    }
    let ready = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM comqc_message WHERE queue = ?1 AND place = 'main')
                 OR EXISTS (SELECT 1 FROM comqc_message WHERE queue = ?1 AND due <= ?2)
                 OR EXISTS (SELECT 1 FROM comqc_message WHERE queue = ?1 AND expires <= ?2)",
        )?
        .query_row(params![queue, int(now.0)], |row| row.get(0))?;
    Ok(ready)
}

/// Whether nobody has a locked message any more.
fn may_free(inner: &Inner, seq: i64, holder: i64) -> Result<bool, Fault> {
    match locked(&inner.leases).of(seq, holder) {
        Some(lease) => Ok(!lease.is_held()),
        None => Ok(!holder::lives(&inner.path, holder)?),
    }
}

/// The seq of the message of a queue that somebody has. Locks of those who are gone are ended first.
pub(super) fn live_lock(tx: &Transaction<'_>, inner: &Inner, queue: i64) -> Result<Option<i64>, Fault> {
    let Some((seq, holder)) = holder::lock_of(tx, queue)? else { return Ok(None) };
    if !may_free(inner, seq, holder)? {
        return Ok(Some(seq));
    }
    let own = locked(&inner.leases).of(seq, holder);
    match own {
        Some(lease) => {
            unlock(tx, queue, seq, holder)?;
            if lease.state == (State::Dropped { abandoned: true }) {
                tx.execute("UPDATE comqc_message SET abandoned = abandoned + 1 WHERE seq = ?1", [seq])?;
            }
        }
        None => holder::free(tx, &inner.path, holder)?,
    }
    Ok(None)
}

/// As [`live_lock`], without ending anything.
pub(super) fn locked_now(db: &Connection, inner: &Inner, queue: i64) -> Result<Option<i64>, Fault> {
    let lock = holder::lock_of(db, queue)?;
    // Who may not look at the file of the holder takes it for alive.
    Ok(lock.filter(|(seq, holder)| !may_free(inner, *seq, *holder).unwrap_or(false)).map(|(seq, _)| seq))
}

/// Ends a lock, if it is still there.
fn unlock(tx: &Transaction<'_>, queue: i64, seq: i64, holder: i64) -> Result<bool, Fault> {
    let freed = tx
        .prepare_cached(
            "UPDATE comqc_queue SET locked = NULL, holder = NULL, since = NULL
             WHERE id = ?1 AND locked = ?2 AND holder = ?3",
        )?
        .execute([queue, seq, holder])?;
    Ok(freed > 0)
}

/// Ends the time of messages that were not received: those whose senders want to know go to the dead queue.
fn expire(tx: &Transaction<'_>, queue: i64, now: Timestamp) -> Result<(), Fault> {
    let late = params![queue, int(now.0)];
    let any = tx
        .prepare_cached("SELECT 1 FROM comqc_message WHERE queue = ?1 AND expires <= ?2 LIMIT 1")?
        .exists(late)?;
    if any {
        tx.execute(
            "UPDATE comqc_message SET place = 'dead', due = NULL, expires = NULL, dead = ?3,
                    error = 'its time to be received is over'
             WHERE queue = ?1 AND expires <= ?2 AND properties ->> 'negative_journaling'",
            params![queue, int(now.0), DeadReason::Expired.name()],
        )?;
        tx.execute("DELETE FROM comqc_message WHERE queue = ?1 AND expires <= ?2", late)?;
    }
    Ok(())
}

/// Puts a message somewhere else in its queue. What is in the dead queue or the journal does not expire any more.
pub(super) fn put(
    tx: &Transaction<'_>,
    seq: i64,
    place: Place,
    dead: Option<(DeadReason, &str)>,
    due: Timestamp,
) -> Result<(), Fault> {
    let due = matches!(place, Place::Retry(_)).then_some(int(due.0));
    tx.prepare_cached(
        "UPDATE comqc_message SET place = ?2, due = ?3, dead = ?4, error = coalesce(?5, error),
                expires = iif(?2 IN ('dead', 'journal'), NULL, expires)
         WHERE seq = ?1",
    )?
    .execute(params![
        seq,
        place.to_string(),
        due,
        dead.map(|(reason, _)| reason.name()),
        dead.map(|(_, error)| shortened(error)),
    ])?;
    Ok(())
}

/// Removes a message that was played; where its sender wants it, it goes into the journal.
fn done(tx: &Transaction<'_>, lease: Lease) -> Result<(), Fault> {
    if lease.journal {
        return put(tx, lease.seq, Place::Journal, None, Timestamp::default());
    }
    tx.prepare_cached("DELETE FROM comqc_message WHERE seq = ?1")?.execute([lease.seq])?;
    Ok(())
}

impl Inner {
    /// Locks the next message of a queue, if there is one that may be received.
    pub(super) fn try_receive(self: &Arc<Self>, queue: i64) -> Result<Option<Delivery>, QueueError> {
        if !self.read(|tx| ready(tx, self, queue, self.now()))? {
            return Ok(None);
        }
        // Never taken inside a transaction: whoever waits here would be waited for.
        let mut own = locked(&self.holder);
        let (mut new, mut lock) = (None, None);
        let taken = self.write(Durability::Process, |tx| {
            if live_lock(tx, self, queue)?.is_some() {
                return Ok(None);
            }
            let now = self.now();
            expire(tx, queue, now)?;
            let Some(seq) = head(tx, queue, now)? else { return Ok(None) };
            let received = row::load(tx, seq)?
                .ok_or_else(|| QueueError::Damaged(format!("message {seq} is not there")))?;
            let holder = match &*own {
                Some(own) if holder::known(tx, own.id)? => own.id,
                // The first message; or a person has removed the file, and somebody took this store for dead.
                _ => new.insert(Holder::register(tx, &self.path, now)?).id,
            };
            tx.prepare_cached("UPDATE comqc_queue SET locked = ?2, holder = ?3, since = ?4 WHERE id = ?1")?
                .execute(params![queue, seq, holder, int(now.0)])?;
            // Before the commit, for those who look for locks that nobody has.
            let journal = received.message.properties.positive_journaling;
            let lease = Lease { holder, queue, seq, journal, state: State::Offered };
            lock = Some(locked(&self.leases).add(lease));
            Ok(Some(received))
        });
        if let (Err(_), Some(lock)) = (&taken, lock) {
            locked(&self.leases).0.remove(&lock);
        }
        let (Some(received), Some(lock)) = (taken?, lock) else { return Ok(None) };
        if new.is_some() {
            *own = new;
        }
        let inner = Arc::clone(self);
        Ok(Some(Delivery::new(received, lock).with_guard(move || inner.dropped(lock))))
    }

    /// The player has the delivery now: what it drops, it has abandoned.
    pub(super) fn hand_over(&self, lock: u64) {
        locked(&self.leases).set(lock, State::Playing);
    }

    /// A delivery was dropped, settled or not.
    fn dropped(self: &Arc<Self>, lock: u64) {
        let queue = {
            let mut leases = locked(&self.leases);
            let Some(lease) = leases.0.get_mut(&lock) else { return };
            match lease.state {
                State::Offered => lease.state = State::Dropped { abandoned: false },
                State::Playing => lease.state = State::Dropped { abandoned: true },
                State::Dropped { .. } => return,
            }
            lease.queue
        };
        // Not here: this may be a thread of tokio. Should it fail, the next who receives with this store does it.
        let inner = Arc::clone(self);
        let end = move || {
            if inner.write(Durability::Process, |tx| live_lock(tx, &inner, queue)).is_ok() {
                locked(&inner.leases).0.remove(&lock);
                inner.signal.tell();
            }
        };
        let _ = thread::Builder::new().spawn(end);
    }

    /// Ends the lock of a delivery by what the player has said.
    pub(super) fn settle(&self, lock: u64, id: MessageId, verdict: &Verdict) -> Result<(), QueueError> {
        // A lock that a failure of power takes away is as good as a message that was put back.
        let durability = if *verdict == Verdict::Return { Durability::Process } else { Durability::Disk };
        self.write(durability, |tx| {
            let lease = self.claim(tx, lock, id)?;
            let seq = lease.seq;
            match verdict {
                Verdict::Done => done(tx, lease)?,
                Verdict::Again(error) => {
                    tx.prepare_cached(
                        "UPDATE comqc_message SET failures = failures + 1, error = ?2 WHERE seq = ?1",
                    )?
                    .execute(params![seq, shortened(error)])?;
                }
                Verdict::Retry { queue, wait, error } => {
                    put(tx, seq, Place::Retry(*queue), None, self.now().after(*wait))?;
                    tx.prepare_cached(
                        "UPDATE comqc_message SET round = min(round + 1, 255), failures = 0, error = ?2
                         WHERE seq = ?1",
                    )?
                    .execute(params![seq, shortened(error)])?;
                }
                Verdict::Dead(reason, error) => {
                    put(tx, seq, Place::Dead, Some((*reason, error)), Timestamp::default())?;
                }
                Verdict::Return => {}
            }
            Ok(())
        })?;
        locked(&self.leases).0.remove(&lock);
        self.signal.tell();
        Ok(())
    }

    /// Runs a handler in a transaction that removes the message, too.
    pub(super) fn play<T, E: From<Fault>>(
        &self,
        lock: u64,
        id: MessageId,
        play: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // Without taking a turn among those who write: handlers take their time.
        let value = self.transact(Some(Durability::Disk), |tx| -> Result<T, E> {
            let lease = self.claim(tx, lock, id)?;
            let value = play(tx)?;
            done(tx, lease)?;
            Ok(value)
        })?;
        locked(&self.leases).0.remove(&lock);
        self.signal.tell();
        Ok(value)
    }

    /// Ends the lock of a delivery, which must still be there.
    fn claim(&self, tx: &Transaction<'_>, lock: u64, id: MessageId) -> Result<Lease, Fault> {
        let lease = locked(&self.leases).0.get(&lock).copied();
        match lease {
            Some(lease) if unlock(tx, lease.queue, lease.seq, lease.holder)? => Ok(lease),
            _ => Err(QueueError::Locked(id).into()),
        }
    }
}

/// The next message: of the retry queues what has waited longest beyond its time, then the first of the highest priority.
fn head(tx: &Transaction<'_>, queue: i64, now: Timestamp) -> Result<Option<i64>, Fault> {
    let due = tx
        .prepare_cached(
            "SELECT seq FROM comqc_message WHERE queue = ?1 AND due <= ?2 ORDER BY due, seq LIMIT 1",
        )?
        .query_row(params![queue, int(now.0)], |row| row.get(0))
        .optional()?;
    if due.is_some() {
        return Ok(due);
    }
    let first = tx
        .prepare_cached(
            "SELECT seq FROM comqc_message WHERE queue = ?1 AND place = 'main'
             ORDER BY priority DESC, seq LIMIT 1",
        )?
        .query_row([queue], |row| row.get(0))
        .optional()?;
    Ok(first)
}
