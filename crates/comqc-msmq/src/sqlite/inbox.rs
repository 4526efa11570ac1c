//! Playing each message once: the handler's changes and the note that the message was played are one transaction.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use comqc_session::{MessageId, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::error::Fault;
use super::row::int;
use super::store::{Clock, Store, system_clock};
use crate::{Delivery, QueueError};

/// The table of the messages that were played, in a database of the handler: one that has played a message knows it when
/// it comes again, because its queue was not told in time.
///
/// ```sql
/// comqc_played (seq, queue, lineage, uniquifier, at)  -- at: milliseconds since 1970 (UTC)
/// ```
///
/// Old rows go as new ones come. They must outlive the time until a message comes again: the restart of a player, or of a
/// broker.
#[derive(Clone)]
pub struct Inbox {
    keep: Duration,
    most: u64,
    clock: Clock,
}

/// What became of a message that was to be played once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once<T> {
    /// It was played now, with this result.
    Now(T),
    /// It was played before, and is not played again: it only has to be settled.
    Before,
}

/// Why a message was not played. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlayError<E> {
    /// The handler says so.
    #[error(transparent)]
    Handler(E),
    /// The database does.
    #[error(transparent)]
    Queue(QueueError),
}

/// How many old rows go with each new one, at most.
const PRUNED: i64 = 8;

/// `PRAGMA synchronous` of a database whose commits are on disk.
const FULL: i64 = 2;

impl Inbox {
    /// The table in this database, made where it is missing. Keeps the last million of messages, for a week.
    ///
    /// # Errors
    /// Those of the database.
    pub fn create(db: &Connection) -> Result<Self, QueueError> {
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS comqc_played (
                 seq        INTEGER PRIMARY KEY,  -- order of playing
                 queue      TEXT    NOT NULL,
                 lineage    TEXT    NOT NULL,     -- identifier: GUID
                 uniquifier INTEGER NOT NULL,     -- identifier: number
                 at         INTEGER NOT NULL,     -- milliseconds since 1970 (UTC)
                 UNIQUE (uniquifier, lineage, queue)
             )",
        )
        .map_err(|error| fault(error, db))?;
        Ok(Self { keep: Duration::from_secs(7 * 24 * 60 * 60), most: 1_000_000, clock: system_clock() })
    }

    /// Keeping messages for another time, and another number of them.
    #[must_use]
    pub fn keeping(self, keep: Duration, most: u64) -> Self {
        Self { keep, most, ..self }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Plays a message in one transaction with the note that it was played.
    ///
    /// The database must commit to disk (`PRAGMA synchronous` FULL, the default, or EXTRA): a queue forgets the message
    /// for good as soon as it is settled.
    ///
    /// # Errors
    /// What the handler returns, and errors of the database: then nothing was changed.
    pub fn play<T, E>(
        &self,
        db: &mut Connection,
        queue: &str,
        id: MessageId,
        play: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<Once<T>, PlayError<E>> {
        let path = db.path().unwrap_or_default().to_owned();
        let failed = |error: rusqlite::Error| PlayError::Queue(Fault::from(error).at(Path::new(&path)));
        let synchronous: i64 =
            db.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
        if synchronous < FULL {
            let wrong =
                format!("{path}: messages are played once only with PRAGMA synchronous FULL or EXTRA");
            return Err(PlayError::Queue(QueueError::Unsupported(wrong)));
        }
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        if !self.note(&tx, queue, id).map_err(PlayError::Queue)? {
            return Ok(Once::Before);
        }
        let value = play(&tx).map_err(PlayError::Handler)?;
        tx.commit().map_err(failed)?;
        Ok(Once::Now(value))
    }

    /// Notes in a transaction that a message was played; `false` when that is known already.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note(&self, tx: &Transaction<'_>, queue: &str, id: MessageId) -> Result<bool, QueueError> {
        self.try_note(tx, queue, id).map_err(|error| fault(error, tx))
    }

    fn try_note(&self, tx: &Transaction<'_>, queue: &str, id: MessageId) -> rusqlite::Result<bool> {
        let now: Timestamp = (self.clock)();
        let new = tx
            .prepare_cached(
                "INSERT INTO comqc_played (queue, lineage, uniquifier, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![queue, id.lineage.to_string(), id.uniquifier, int(now.0)])?;
        if new == 0 {
            return Ok(false);
        }
        let keep = u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX);
        tx.prepare_cached(
            "DELETE FROM comqc_played WHERE seq IN (SELECT seq FROM comqc_played ORDER BY seq LIMIT ?1)
             AND (at < ?2 OR seq <= ?3) AND seq <> ?4",
        )?
        .execute(params![
            PRUNED,
            int(now.0.saturating_sub(keep)),
            tx.last_insert_rowid().saturating_sub(int(self.most)),
            tx.last_insert_rowid(),
        ])?;
        Ok(true)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("keep", &self.keep).field("most", &self.most).finish_non_exhaustive()
    }
}

fn fault(error: rusqlite::Error, db: &Connection) -> QueueError {
    Fault::from(error).at(Path::new(db.path().unwrap_or_default()))
}

/// What a handler's transaction ends in.
enum Step<E> {
    Handler(E),
    Fault(Fault),
}

impl<E> From<Fault> for Step<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Store {
    /// Plays a message of this store in a transaction of its database, which also removes the message: where queue and
    /// handler share a database, one commit does it all, and nothing is left to be settled.
    ///
    /// The lock of the delivery is verified in the same transaction. In the handler, what changes this database must go
    /// through its transaction, [`send_in_transaction`](super::StoredQueue::send_in_transaction) too; other functions of
    /// the store that change something would wait for the handler to end.
    ///
    /// # Errors
    /// What the handler returns, [`QueueError::Locked`] when the lock is not there any more, and those of the database.
    /// Then nothing was changed, and the delivery still has to be settled.
    pub fn play_in_transaction<T, E>(
        &self,
        delivery: &Delivery,
        play: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, PlayError<E>> {
        let played =
            self.inner.play(delivery.lock(), delivery.received.id, |tx| play(tx).map_err(Step::Handler));
        played.map_err(|step| match step {
            Step::Handler(error) => PlayError::Handler(error),
            Step::Fault(fault) => PlayError::Queue(fault.at(&self.inner.path)),
        })
    }
}
