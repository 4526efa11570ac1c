//! Messages on their way to queues of other machines.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use comqc_session::{Address, DeadReason, DirectName, MessageId, QueueMessage, Received, Sender, Timestamp};
use msmq_packet::TxSequenceId;
use msmq_session::Place as TxPlace;
use rusqlite::{OptionalExtension, Transaction, params};
use tokio::sync::watch;
use uuid::Uuid;

use super::error::Fault;
use super::incoming;
use super::manage::find;
use super::receive::put;
use super::row::{self, OF_ID, int};
use super::store::{Durability, Inner, Store, locked};
use crate::check::check;
use crate::{Counts, Listed, Place, QueueError};

/// How messages are numbered for their destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transfer {
    /// Not transactional: the destination may have them twice after a failure, when it does not know their identifiers.
    Plain,
    /// Transactional, each in a sequence of its own: the next one goes when the one before was acknowledged.
    #[default]
    Single,
    /// Transactional, in one sequence: many go before the first was acknowledged. Those of different processes are in
    /// different sequences, which go one after the other.
    Sequence,
}

impl Transfer {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Single => "single",
            Self::Sequence => "sequence",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Single, Self::Sequence].into_iter().find(|transfer| transfer.name() == name)
    }
}

/// A message that waits for its destination, or for the acknowledgement of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What the outbox knows it by.
    pub key: OutgoingKey,
    /// Its identifier for the destination: that of the message, but for one that another queue has given, and one that is
    /// sent again by hand. Its queue manager is the one that sends.
    pub id: MessageId,
    /// Its place where it is transactional.
    pub place: Option<TxPlace>,
    /// The message.
    pub received: Received,
}

/// What the outbox knows a message by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutgoingKey(i64);

impl OutgoingKey {
    pub(crate) fn of(number: u64) -> Self {
        Self(int(number))
    }

    pub(crate) fn number(self) -> u64 {
        row::uint(self.0)
    }
}

/// How long a message is kept whose destination has it and was asked to tell what becomes of it there.
const FINAL_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What becomes of an outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The destination has it on disk.
    Delivered,
    /// The destination has it on disk, and will tell what becomes of it there.
    AwaitsFinal,
    /// The destination does not take it, or it did not get there in time: why.
    Dead(DeadReason, String),
    /// Its time is over and nobody wants to know.
    Dropped,
}

/// Where an outgoing message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It waits, or its acknowledgement is awaited.
    Waiting,
    /// It is not here any more, or only as a copy: the destination has it, unless somebody has removed it by hand.
    Gone,
    /// It is dead: the reason, and what the destination has said.
    Dead(DeadReason, String),
}

/// The messages of a [`Store`] to queues of other machines, by destination. A clone is the same outbox.
#[derive(Debug, Clone)]
pub struct Outbox {
    store: Store,
    /// Queues for which this one has begun to number.
    begun: Arc<Mutex<HashSet<i64>>>,
}

/// The messages of an [`Outbox`] to one destination. A clone is the same.
///
/// All functions block.
#[derive(Debug, Clone)]
pub struct OutgoingQueue {
    outbox: Outbox,
    id: i64,
    destination: Arc<DirectName>,
}

/// How the store names the queue of a destination.
fn name_of(destination: &DirectName) -> String {
    format!("DIRECT={destination}")
}

impl Outbox {
    /// The outbox of a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, begun: Arc::default() }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The messages to a destination, which need not have any.
    ///
    /// # Errors
    /// [`QueueError::Address`] where messages cannot be sent there, and those of the database.
    pub fn to(&self, destination: &DirectName) -> Result<OutgoingQueue, QueueError> {
        let reachable = matches!(destination.address, Address::Os(_) | Address::Tcp(_));
        if destination.is_read_only() || !reachable {
            return Err(QueueError::Address(format!("DIRECT={destination}: nothing can be sent there")));
        }
        let (inner, name) = (&self.store.inner, name_of(destination));
        let known = |tx: &Transaction<'_>| -> Result<Option<i64>, Fault> {
            let mut known = tx.prepare_cached("SELECT id FROM comqc_queue WHERE name = ?1")?;
            Ok(known.query_row([&name], |row| row.get(0)).optional()?)
        };
        let id = match inner.read(known)? {
            Some(id) => id,
            None => inner.write(Durability::Disk, |tx| {
                tx.execute(
                    "INSERT INTO comqc_queue (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![name, int(inner.now().0)],
                )?;
                known(tx)?.ok_or_else(|| Fault::Queue(QueueError::Damaged(format!("no queue {name:?}"))))
            })?,
        };
        Ok(OutgoingQueue { outbox: self.clone(), id, destination: Arc::new(destination.clone()) })
    }

    /// The destinations that messages wait for.
    ///
    /// # Errors
    /// Those of the database.
    pub fn waiting(&self) -> Result<Vec<OutgoingQueue>, QueueError> {
        let names = self.store.inner.read(|tx| {
            let mut names = tx.prepare_cached(
                "SELECT id, name FROM comqc_queue q WHERE instr(name, '\\') > 0
                 AND EXISTS (SELECT 1 FROM comqc_message m WHERE m.queue = q.id AND m.place = 'main')
                 ORDER BY name",
            )?;
            let names = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(names.collect::<rusqlite::Result<Vec<(i64, String)>>>()?)
        })?;
        let queue = |(id, name): (i64, String)| {
            let destination = name.strip_prefix("DIRECT=").and_then(|name| name.parse().ok());
            let destination = destination.ok_or_else(|| QueueError::Damaged(format!("a queue {name:?}")))?;
            Ok(OutgoingQueue { outbox: self.clone(), id, destination: Arc::new(destination) })
        };
        names.into_iter().map(queue).collect()
    }

    /// Gives out identifiers that no message has: the first of so many that follow each other. Its GUID is that of the
    /// queue manager that this store is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn reserve(&self, count: u32) -> Result<MessageId, QueueError> {
        self.store.inner.write(Durability::Disk, |tx| {
            let (seq, first) = row::number(tx)?;
            let last = seq.saturating_add(count.into()).saturating_sub(1);
            tx.execute(
                "INSERT INTO comqc_queue (name, created, last) VALUES ('\\', ?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET last = excluded.last",
                [int(self.store.inner.now().0), last],
            )?;
            Ok(first)
        })
    }

    /// Where a message is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn progress(&self, id: MessageId) -> Result<Progress, QueueError> {
        self.store.inner.read(|tx| {
            let found = tx
                .prepare_cached(&format!(
                    "SELECT m.place, m.dead, m.error FROM comqc_message m JOIN comqc_queue q ON q.id = m.queue
                     WHERE m.seq IN ({OF_ID}) AND instr(q.name, '\\') > 0 ORDER BY m.place = 'main' DESC LIMIT 1"
                ))?
                .query_row(params![id.uniquifier, id.lineage.to_string()], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?))
                })
                .optional()?;
            Ok(match found {
                Some((place, ..)) if place == "main" => Progress::Waiting,
                Some((_, Some(dead), error)) => Progress::Dead(
                    DeadReason::from_name(&dead).unwrap_or(DeadReason::Undeliverable),
                    Option::<String>::unwrap_or_default(error),
                ),
                _ => Progress::Gone,
            })
        })
    }

    /// As [`progress`](Self::progress), and waits at most so long for a message to be delivered or dead.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settled(&self, id: MessageId, wait: Duration) -> Result<Progress, QueueError> {
        let (mut changes, begun) = (self.changes(), Instant::now());
        loop {
            changes.mark_unchanged();
            let this = self.clone();
            let progress = step(move || this.progress(id)).await?;
            let left = wait.saturating_sub(begun.elapsed());
            if progress != Progress::Waiting || left.is_zero() {
                return Ok(progress);
            }
            // Another process may be the one that delivers.
            let _ = tokio::time::timeout(left.min(self.poll()), changes.changed()).await;
        }
    }

    /// What is told of changes by this process.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.store.inner.signal.listen()
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        self.store.inner.now()
    }

    /// How often to look for changes by other processes.
    pub(crate) fn poll(&self) -> Duration {
        self.store.inner.options.poll.max(Duration::from_millis(1))
    }

    /// Ends waits for final acknowledgements that take longer than a week; how many.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sweep(&self) -> Result<u64, QueueError> {
        let now = int(self.store.inner.now().0);
        let late = "queue IN (SELECT id FROM comqc_queue WHERE instr(name, '\\') > 0) AND due <= ?1";
        let any = self.store.inner.read(|tx| {
            Ok(tx.prepare(&format!("SELECT 1 FROM comqc_message WHERE {late} LIMIT 1"))?.exists([now])?)
        })?;
        if !any {
            return Ok(0);
        }
        self.store.inner.write(Durability::Disk, |tx| {
            let kept = tx.execute(
                &format!(
                    "UPDATE comqc_message SET place = 'journal', due = NULL, expires = NULL
                     WHERE {late} AND properties ->> 'positive_journaling'"
                ),
                [now],
            )?;
            let gone = tx.execute(&format!("DELETE FROM comqc_message WHERE {late}"), [now])?;
            Ok(u64::try_from(kept.saturating_add(gone)).unwrap_or(u64::MAX))
        })
    }

    /// Notes what a destination says at last of a message that it knows by this identifier; whether there was one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn finish(&self, id: MessageId, fate: &Fate) -> Result<bool, QueueError> {
        let inner = &self.store.inner;
        let found = inner.write(Durability::Disk, |tx| {
            let seq: Option<i64> = tx
                .prepare_cached(
                    "SELECT seq FROM comqc_message m JOIN comqc_queue q ON q.id = m.queue
                     WHERE seq = (SELECT base + ?1 FROM comqc_lineage WHERE lineage = ?2)
                     AND instr(q.name, '\\') > 0 AND place IN ('main', 'retry-0')",
                )?
                .query_row(params![id.uniquifier, id.lineage.to_string()], |row| row.get(0))
                .optional()?;
            seq.map_or(Ok(false), |seq| end(tx, seq, fate, inner.now()).map(|()| true))
        })?;
        inner.signal.tell();
        Ok(found)
    }
}

impl OutgoingQueue {
    fn inner(&self) -> &Arc<Inner> {
        &self.outbox.store.inner
    }

    /// Whose messages these are.
    #[must_use]
    pub fn destination(&self) -> &DirectName {
        &self.destination
    }

    /// The outbox.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Takes messages. When it returns, they and their numbers are on disk, all or none.
    ///
    /// # Errors
    /// [`QueueError::Unsendable`], and those of the database.
    pub fn accept(
        &self,
        messages: &[QueueMessage],
        transfer: Transfer,
    ) -> Result<Vec<MessageId>, QueueError> {
        messages.iter().try_for_each(check)?;
        let now = self.inner().now();
        self.taking(|tx, begun| {
            let mut take = |message| self.take(tx, message, None, &Sender::default(), now, transfer, begun);
            messages.iter().map(|message| take(Cow::Borrowed(message))).collect()
        })
    }

    /// Takes a message that another queue has given, once: its identifier is remembered for as long as those of messages
    /// that come from other machines.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn forward(&self, received: &Received, transfer: Transfer) -> Result<(), QueueError> {
        let Received { id, message, sender, sent, .. } = received;
        check(message)?;
        self.taking(|tx, begun| {
            if incoming::see(tx, &name_of(&self.destination), *id, self.inner().now())? {
                self.take(tx, Cow::Borrowed(message), Some(*id), sender, *sent, transfer, begun)?;
            }
            Ok(())
        })
    }

    /// Takes something in a transaction, which is told whether this outbox has begun to number, and tells it.
    fn taking<T>(
        &self,
        step: impl FnOnce(&Transaction<'_>, &mut bool) -> Result<T, Fault>,
    ) -> Result<T, QueueError> {
        let mut begun = locked(&self.outbox.begun).contains(&self.id);
        let taken = self.inner().write(Durability::Disk, |tx| step(tx, &mut begun))?;
        if begun {
            locked(&self.outbox.begun).insert(self.id);
        }
        self.inner().signal.tell();
        Ok(taken)
    }

    #[expect(clippy::too_many_arguments, reason = "what a row has")]
    fn take(
        &self,
        tx: &Transaction<'_>,
        mut message: Cow<'_, QueueMessage>,
        id: Option<MessageId>,
        sender: &Sender,
        sent: Timestamp,
        transfer: Transfer,
        begun: &mut bool,
    ) -> Result<MessageId, Fault> {
        if transfer != Transfer::Plain && message.properties.priority != 0 {
            // Transactional messages come in the order of their numbers, and tell no other.
            message.to_mut().properties.priority = 0;
        }
        let id = row::insert(tx, self.id, &message, id, sender, sent)?;
        self.number(tx, tx.last_insert_rowid(), transfer, begun)?;
        Ok(id)
    }

    /// Sees to it that the numbering that holds is right for a new message.
    fn number(
        &self,
        tx: &Transaction<'_>,
        seq: i64,
        transfer: Transfer,
        begun: &mut bool,
    ) -> Result<(), Fault> {
        let (lineage, base): (String, i64) = tx
            .prepare_cached(
                "SELECT lineage, base FROM comqc_lineage WHERE NOT closed ORDER BY id DESC LIMIT 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let last: Option<(String, i64, String)> = tx
            .prepare_cached(
                "SELECT lineage, time, kind FROM msmq_numbering WHERE queue = ?1 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row([self.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let mut time = int(self.inner().now().0 / 1000).min(u32::MAX.into());
        if let Some((manager, last, kind)) = last {
            if *begun && manager == lineage && kind == transfer.name() {
                return Ok(());
            }
            time = time.max(last);
        }
        tx.execute(
            "INSERT INTO msmq_numbering (queue, seq, lineage, time, ordinal, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![self.id, seq, lineage, time, seq.saturating_sub(base), transfer.name()],
        )?;
        // Those that no message goes by any more; the last one tells the time.
        tx.execute(
            "DELETE FROM msmq_numbering WHERE queue = ?1 AND seq < (
                 SELECT max(seq) FROM msmq_numbering WHERE queue = ?1 AND seq <= (
                     SELECT min(seq) FROM comqc_message WHERE queue = ?1 AND place = 'main'))",
            [self.id],
        )?;
        *begun = true;
        Ok(())
    }

    /// The first messages that wait, in the order in which they are to be sent, but for those that are known: at most so
    /// many, and none after so many bytes.
    ///
    /// # Errors
    /// Those of the database.
    pub fn next(
        &self,
        known: &HashSet<OutgoingKey>,
        most: usize,
        most_bytes: u64,
    ) -> Result<Vec<Outgoing>, QueueError> {
        self.inner().read(|tx| {
            let mut keys = tx.prepare_cached(
                "SELECT seq FROM comqc_message WHERE queue = ?1 AND place = 'main' ORDER BY priority DESC, seq LIMIT ?2",
            )?;
            let limit = int(u64::try_from(known.len().saturating_add(most)).unwrap_or(u64::MAX));
            let keys = keys.query_map([self.id, limit], |row| row.get(0))?;
            let (mut next, mut bytes) = (Vec::new(), 0_u64);
            for seq in keys {
                let key = OutgoingKey(seq?);
                if known.contains(&key) {
                    continue;
                }
                if next.len() >= most || bytes >= most_bytes {
                    break;
                }
                let Some(received) = row::load(tx, key.0)? else { continue };
                bytes = bytes.saturating_add(u64::try_from(received.message.body.len()).unwrap_or(u64::MAX));
                let (id, place) = self.number_of(tx, key.0)?;
                next.push(Outgoing { key, id, place, received });
            }
            Ok(next)
        })
    }

    /// What the destination knows a message by.
    fn number_of(&self, tx: &Transaction<'_>, seq: i64) -> Result<(MessageId, Option<TxPlace>), Fault> {
        let row: Option<(String, i64, u32, u32, String)> = tx
            .prepare_cached(
                "SELECT lineage, seq, time, ordinal, kind FROM msmq_numbering
                 WHERE queue = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row([self.id, seq], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?;
        let numbered = row.and_then(|(lineage, first, time, ordinal, kind)| {
            let (lineage, transfer) = (Uuid::try_parse(&lineage).ok()?, Transfer::from_name(&kind)?);
            let since = u32::try_from(seq.checked_sub(first)?).ok()?;
            let uniquifier = ordinal.checked_add(since)?;
            let place = match transfer {
                Transfer::Plain => None,
                Transfer::Single => Some(TxPlace { id: TxSequenceId::new(time, uniquifier), number: 1 }),
                Transfer::Sequence => {
                    Some(TxPlace { id: TxSequenceId::new(time, ordinal), number: since.checked_add(1)? })
                }
            };
            Some((MessageId { lineage, uniquifier }, place))
        });
        Ok(numbered.ok_or_else(|| QueueError::Damaged(format!("message {seq} has no number")))?)
    }

    /// Notes what has become of messages, in one step. Those that are not here any more are left out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn settle(&self, fates: &[(OutgoingKey, Fate)]) -> Result<(), QueueError> {
        if fates.is_empty() {
            return Ok(());
        }
        self.inner().write(Durability::Disk, |tx| {
            fates.iter().try_for_each(|(key, fate)| end(tx, key.0, fate, self.inner().now()))
        })?;
        self.inner().signal.tell();
        Ok(())
    }

    /// The messages at a place, at most so many, after the one given, which must be there. [`Place::Main`] is what
    /// waits, `Retry(0)` what waits for its final acknowledgement.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], and those of the database.
    pub fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        self.inner().list(self.id, place, after, most)
    }

    /// A message at a place: that with this identifier, or the first.
    ///
    /// # Errors
    /// [`QueueError::NotFound`] for an identifier that is not there, and those of the database.
    pub fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        self.inner().peek(self.id, place, id)
    }

    /// Moves a message. One that is to be sent again goes behind all others, with a new number: the destination takes the
    /// old one for done. It is numbered as the last one that was taken.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], [`QueueError::Unsupported`] for retry queues, and those of the database.
    pub fn move_to(&self, from: Place, id: MessageId, to: Place) -> Result<(), QueueError> {
        match to {
            Place::Main if from != Place::Main => self.taking(|tx, begun| {
                let seq = find(tx, self.id, from, id)?;
                let Some(Received { message, sender, .. }) = row::load(tx, seq)? else {
                    return Err(QueueError::NotFound(id).into());
                };
                let kind: String = tx.query_row(
                    "SELECT kind FROM msmq_numbering WHERE queue = ?1 ORDER BY seq DESC LIMIT 1",
                    [self.id],
                    |row| row.get(0),
                )?;
                let transfer = Transfer::from_name(&kind).unwrap_or_default();
                tx.execute("DELETE FROM comqc_message WHERE seq = ?1", [seq])?;
                let now = self.inner().now();
                self.take(tx, Cow::Owned(message), Some(id), &sender, now, transfer, begun)?;
                Ok(())
            }),
            Place::Retry(_) => {
                Err(QueueError::Unsupported("what goes to another machine has no retry queues".into()))
            }
            _ => self.inner().move_to(self.id, from, id, to),
        }
    }

    /// Removes one message. If it was on its way, the destination may have it nevertheless.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], and those of the database.
    pub fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        // It may be passed on again.
        self.inner().write(Durability::Disk, |tx| incoming::forget(tx, &name_of(&self.destination), id))?;
        self.inner().remove(self.id, place, id)?;
        self.inner().signal.tell();
        Ok(())
    }

    /// Removes all messages at a place, and returns how many.
    ///
    /// # Errors
    /// Those of the database.
    pub fn purge(&self, place: Place) -> Result<u64, QueueError> {
        let purged = self.inner().purge(self.id, place)?;
        self.inner().signal.tell();
        Ok(purged)
    }

    /// How many messages are where.
    ///
    /// # Errors
    /// Those of the database.
    pub fn count(&self) -> Result<Counts, QueueError> {
        self.inner().count(self.id)
    }
}

/// Notes what has become of a message.
fn end(tx: &Transaction<'_>, seq: i64, fate: &Fate, now: Timestamp) -> Result<(), Fault> {
    match fate {
        Fate::Delivered => {
            let delete = "DELETE FROM comqc_message
                          WHERE seq = ?1 AND NOT coalesce(properties ->> 'positive_journaling', 0)";
            if tx.prepare_cached(delete)?.execute([seq])? == 0 {
                put(tx, seq, Place::Journal, None, Timestamp::default())?;
            }
        }
        Fate::AwaitsFinal => put(tx, seq, Place::Retry(0), None, now.after(FINAL_WAIT))?,
        Fate::Dead(reason, error) => {
            put(tx, seq, Place::Dead, Some((*reason, error)), Timestamp::default())?;
        }
        Fate::Dropped => {
            tx.prepare_cached("DELETE FROM comqc_message WHERE seq = ?1")?.execute([seq])?;
        }
    }
    Ok(())
}

/// Runs a step that blocks where it keeps no other task waiting.
pub(crate) async fn step<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, QueueError> + Send + 'static,
) -> Result<T, QueueError> {
    tokio::task::spawn_blocking(step).await.map_err(|error| QueueError::Backend(error.to_string()))?
}
