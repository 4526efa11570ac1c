//! What has come from queue managers of other machines, so that nothing is taken twice.

use std::sync::Arc;
use std::time::Duration;

use comqc_session::{MessageId, Received, Timestamp};
use msmq_packet::{TxSequenceId, UserMessage};
use msmq_session::{Decision, Facts, IncomingSequence, Place, Verdict, judge};
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::StoredQueue;
use super::error::Fault;
use super::row::{self, int};
use super::store::{Durability, Store};
use crate::QueueError;
use crate::check::check_carried;

/// How many identifiers of messages are kept, and for how long: more than the half hour of [MS-MQQB] 3.1.2.8, since nothing
/// else tells that a message was there before.
const KEPT: i64 = 1_000_000;
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many old ones go with each new one, at most.
const PRUNED: i64 = 8;

/// A message that has come from another machine for a queue here.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The queue, as senders name it.
    pub queue: Arc<str>,
    /// The message as it came; its body may be left out.
    pub headers: Box<UserMessage<'static>>,
    /// The same as receivers get it.
    pub received: Received,
    /// What is known of it. The store adds what has come before.
    pub facts: Facts,
}

impl Arrival {
    fn sender(&self) -> Uuid {
        self.headers.user.source_queue_manager
    }

    /// What becomes of it, by what has come before.
    fn judge(&self, tx: &Transaction<'_>) -> Result<Verdict, Fault> {
        let mut facts = self.facts;
        if self.headers.transaction.is_some() {
            facts.sequence.last = last(tx, &self.queue, self.sender())?;
        } else {
            facts.known = seen(tx, &self.queue, self.received.id)?;
        }
        Ok(judge(&self.headers, &facts))
    }

    /// Notes that it has come.
    fn note(&self, tx: &Transaction<'_>, verdict: &Verdict, now: Timestamp) -> Result<(), Fault> {
        // Where nothing was taken, the place is the one that is there already.
        let taken = matches!(verdict.decision, Decision::Deliver | Decision::Reject(_));
        if let Some(IncomingSequence { last: Some(place), .. }) = verdict.sequence.filter(|_| taken) {
            advance(tx, &self.queue, self.sender(), place, now)?;
        }
        if verdict.remember && taken {
            see(tx, &self.queue, self.received.id, now)?;
        }
        Ok(())
    }
}

/// The last transactional message from a queue manager to a queue here.
fn last(tx: &Transaction<'_>, queue: &str, sender: Uuid) -> Result<Option<Place>, Fault> {
    let last = tx
        .prepare_cached("SELECT time, ordinal, number FROM msmq_incoming WHERE queue = ?1 AND sender = ?2")?
        .query_row(params![queue, sender.to_string()], |row| {
            Ok(Place { id: TxSequenceId::new(row.get(0)?, row.get(1)?), number: row.get(2)? })
        })
        .optional()?;
    Ok(last)
}

/// Notes the last transactional message.
fn advance(
    tx: &Transaction<'_>,
    queue: &str,
    sender: Uuid,
    last: Place,
    now: Timestamp,
) -> Result<(), Fault> {
    let Place { id, number } = last;
    tx.prepare_cached(
        "INSERT INTO msmq_incoming (queue, sender, time, ordinal, number, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (queue, sender)
         DO UPDATE SET time = excluded.time, ordinal = excluded.ordinal, number = excluded.number, at = excluded.at",
    )?
    .execute(params![queue, sender.to_string(), id.time_stamp(), id.ordinal(), number, int(now.0)])?;
    Ok(())
}

/// Whether a message that is not transactional has come before.
fn seen(tx: &Transaction<'_>, queue: &str, id: MessageId) -> Result<bool, Fault> {
    let mut seen =
        tx.prepare_cached("SELECT 1 FROM msmq_seen WHERE uniquifier = ?1 AND lineage = ?2 AND queue = ?3")?;
    Ok(seen.exists(params![id.uniquifier, id.lineage.to_string(), queue])?)
}

/// Notes a message; `false` when it is known already.
pub(super) fn see(tx: &Transaction<'_>, queue: &str, id: MessageId, now: Timestamp) -> Result<bool, Fault> {
    let new = tx
        .prepare_cached(
            "INSERT INTO msmq_seen (queue, lineage, uniquifier, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![queue, id.lineage.to_string(), id.uniquifier, int(now.0)])?;
    if new == 0 {
        return Ok(false);
    }
    let row = tx.last_insert_rowid();
    let keep = u64::try_from(KEPT_FOR.as_millis()).unwrap_or(u64::MAX);
    tx.prepare_cached(
        "DELETE FROM msmq_seen WHERE seq IN (SELECT seq FROM msmq_seen ORDER BY seq LIMIT ?1)
         AND (at < ?2 OR seq <= ?3) AND seq <> ?4",
    )?
    .execute(params![PRUNED, int(now.0.saturating_sub(keep)), row.saturating_sub(KEPT), row])?;
    Ok(true)
}

/// Takes a note back.
pub(super) fn forget(tx: &Transaction<'_>, queue: &str, id: MessageId) -> Result<(), Fault> {
    tx.prepare_cached("DELETE FROM msmq_seen WHERE uniquifier = ?1 AND lineage = ?2 AND queue = ?3")?
        .execute(params![id.uniquifier, id.lineage.to_string(), queue])?;
    Ok(())
}

impl StoredQueue {
    /// Takes what has come from other machines, in order and once, with the note that it has come: in one step.
    ///
    /// # Errors
    /// [`QueueError::Unsendable`] where one cannot be kept, and those of the database. Then none was taken.
    pub fn take(&self, arrivals: &[Arrival]) -> Result<Vec<Verdict>, QueueError> {
        arrivals.iter().try_for_each(|arrival| check_carried(&arrival.received.message))?;
        let inner = &self.store().inner;
        let now = inner.now();
        let verdicts = inner.write(Durability::Disk, |tx| {
            let take = |arrival: &Arrival| {
                let verdict = arrival.judge(tx)?;
                if verdict.decision == Decision::Deliver {
                    let Received { id, message, sender, sent, .. } = &arrival.received;
                    row::insert(tx, self.id(), message, Some(*id), sender, *sent)?;
                }
                arrival.note(tx, &verdict, now)?;
                Ok(verdict)
            };
            arrivals.iter().map(take).collect()
        })?;
        inner.signal.tell();
        Ok(verdicts)
    }
}

impl Store {
    /// What becomes of an arrival for a queue that is not in this store, by what [`note`](Self::note) has noted.
    ///
    /// # Errors
    /// Those of the database.
    pub fn judge(&self, arrival: &Arrival) -> Result<Verdict, QueueError> {
        self.inner.read(|tx| arrival.judge(tx))
    }

    /// Notes that arrivals have come, and those that were to be delivered are in queues that are not in this store.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note(&self, arrivals: &[(Arrival, Verdict)]) -> Result<(), QueueError> {
        let now = self.inner.now();
        self.inner.write(Durability::Disk, |tx| {
            arrivals.iter().try_for_each(|(arrival, verdict)| arrival.note(tx, verdict, now))
        })
    }
}
