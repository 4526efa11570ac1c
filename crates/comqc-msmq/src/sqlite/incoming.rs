//! What has come from queue managers of other machines, so that nothing is taken twice.

use std::sync::Arc;
use std::time::Duration;

use comqc_session::{MessageId, Received, Timestamp};
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::StoredQueue;
use super::error::Fault;
use super::outbox::TxNumber;
use super::row::{self, int};
use super::store::{Durability, Store};
use crate::QueueError;
use crate::check::check_carried;

/// How many identifiers of messages are kept, and for how long ([MS-MQQB] 3.1.2.8: MessageIDHistory).
const KEPT: i64 = 1_000_000;
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many old ones go with each new one, at most.
const PRUNED: i64 = 8;

/// The last transactional message from a queue manager to a queue here.
fn last(tx: &Transaction<'_>, queue: &str, sender: Uuid) -> Result<Option<TxNumber>, Fault> {
    let last = tx
        .prepare_cached("SELECT time, ordinal, number FROM msmq_incoming WHERE queue = ?1 AND sender = ?2")?
        .query_row(params![queue, sender.to_string()], |row| {
            let (time, ordinal, number): (u32, u32, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(TxNumber { sequence: u64::from(time) << 32 | u64::from(ordinal), number })
        })
        .optional()?;
    Ok(last)
}

/// Notes the last transactional message.
fn advance(
    tx: &Transaction<'_>,
    queue: &str,
    sender: Uuid,
    last: TxNumber,
    now: Timestamp,
) -> Result<(), Fault> {
    let TxNumber { sequence, number } = last;
    tx.prepare_cached(
        "INSERT INTO msmq_incoming (queue, sender, time, ordinal, number, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (queue, sender)
         DO UPDATE SET time = excluded.time, ordinal = excluded.ordinal, number = excluded.number, at = excluded.at",
    )?
    .execute(params![
        queue,
        sender.to_string(),
        int(sequence >> 32),
        int(sequence & u64::from(u32::MAX)),
        number,
        int(now.0)
    ])?;
    Ok(())
}

/// Whether a message that is not transactional has come before.
fn seen(tx: &Transaction<'_>, arrival: &Arrival) -> Result<bool, Fault> {
    let MessageId { lineage, uniquifier } = arrival.received.id;
    let mut seen =
        tx.prepare_cached("SELECT 1 FROM msmq_seen WHERE uniquifier = ?1 AND lineage = ?2 AND queue = ?3")?;
    Ok(seen.exists(params![uniquifier, lineage.to_string(), arrival.queue])?)
}

/// Notes a message that is not transactional.
fn see(tx: &Transaction<'_>, arrival: &Arrival, now: Timestamp) -> Result<(), Fault> {
    let MessageId { lineage, uniquifier } = arrival.received.id;
    tx.prepare_cached(
        "INSERT INTO msmq_seen (queue, lineage, uniquifier, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![arrival.queue, lineage.to_string(), uniquifier, int(now.0)])?;
    let row = tx.last_insert_rowid();
    let keep = u64::try_from(KEPT_FOR.as_millis()).unwrap_or(u64::MAX);
    tx.prepare_cached(
        "DELETE FROM msmq_seen WHERE seq IN (SELECT seq FROM msmq_seen ORDER BY seq LIMIT ?1)
         AND (at < ?2 OR seq <= ?3) AND seq <> ?4",
    )?
    .execute(params![PRUNED, int(now.0.saturating_sub(keep)), row.saturating_sub(KEPT), row])?;
    Ok(())
}

/// A message that has come from another machine for a queue here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The queue, as senders name it.
    pub queue: Arc<str>,
    /// The queue manager that has sent it, by its session.
    pub sender: Uuid,
    /// Its number where it is transactional, and the number of the message before it in its sequence.
    pub number: Option<(TxNumber, u32)>,
    /// The message.
    pub received: Received,
}

/// What an arrival is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// New.
    New,
    /// Known: it has come before.
    Duplicate,
    /// A transactional message whose predecessor has not come yet.
    OutOfOrder,
}

/// What an arrival is, by what has come before it ([MS-MQQB] 3.1.5.8.1 and 3.1.5.8.6).
fn judge(tx: &Transaction<'_>, arrival: &Arrival) -> Result<Judged, Fault> {
    let Some((TxNumber { sequence, number }, previous)) = arrival.number else {
        return Ok(if seen(tx, arrival)? { Judged::Duplicate } else { Judged::New });
    };
    let last = last(tx, &arrival.queue, arrival.sender)?;
    let last = last.unwrap_or(TxNumber { sequence: 0, number: 0 });
    let follows = sequence == last.sequence && number > last.number && previous <= last.number;
    Ok(if follows || (sequence > last.sequence && previous == 0) {
        Judged::New
    } else if sequence < last.sequence || (sequence == last.sequence && number <= last.number) {
        Judged::Duplicate
    } else {
        Judged::OutOfOrder
    })
}

/// Notes that an arrival was taken.
fn note(tx: &Transaction<'_>, arrival: &Arrival, now: Timestamp) -> Result<(), Fault> {
    match arrival.number {
        Some((number, _)) => advance(tx, &arrival.queue, arrival.sender, number, now),
        None => see(tx, arrival, now),
    }
}

impl StoredQueue {
    /// Takes what has come from other machines, in order and once, with the note that it has come: in one step.
    ///
    /// # Errors
    /// [`QueueError::Unsendable`] where one cannot be kept, and those of the database. Then none was taken.
    pub fn take(&self, arrivals: &[Arrival]) -> Result<Vec<Judged>, QueueError> {
        arrivals.iter().try_for_each(|arrival| check_carried(&arrival.received.message))?;
        let inner = &self.store().inner;
        let now = inner.now();
        let judged = inner.write(Durability::Disk, |tx| {
            let take = |arrival: &Arrival| {
                let judged = judge(tx, arrival)?;
                if judged == Judged::New {
                    let Received { id, message, sender, sent, .. } = &arrival.received;
                    row::insert(tx, self.id(), message, Some(*id), sender, *sent)?;
                    note(tx, arrival, now)?;
                }
                Ok(judged)
            };
            arrivals.iter().map(take).collect()
        })?;
        inner.signal.tell();
        Ok(judged)
    }
}

impl Store {
    /// What arrivals are for queues that are somewhere else, each by what [`note`](Self::note) knows.
    ///
    /// # Errors
    /// Those of the database.
    pub fn judge(&self, arrival: &Arrival) -> Result<Judged, QueueError> {
        self.inner.read(|tx| judge(tx, arrival))
    }

    /// Notes that an arrival was taken into a queue that is somewhere else.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note(&self, arrival: &Arrival) -> Result<(), QueueError> {
        self.inner.write(Durability::Disk, |tx| note(tx, arrival, self.inner.now()))
    }
}
