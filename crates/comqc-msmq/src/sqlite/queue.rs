//! One queue of a store, for programs with and without tokio.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use comqc_session::{MessageId, QueueMessage, QueueName, Received, Sender, Verdict};
use rusqlite::{OptionalExtension, Transaction, params};
use tokio::task;
use tokio::time::timeout;

use super::address::SqliteAddress;
use super::inbox::Inbox;
use super::row::{self, OF_ID, int};
use super::store::{Durability, Inner, Mode, Store};
use crate::check::{check, check_carried};
use crate::{Counts, Delivery, Listed, Place, Queue, QueueError};

/// A queue of a [`Store`], whose functions block. A clone is the same queue.
#[derive(Debug, Clone)]
pub struct StoredQueue {
    store: Store,
    id: i64,
    name: Arc<str>,
}

/// When somebody who waits looks again: soon at first, then less and less often.
struct Pace {
    begun: Instant,
    wait: Duration,
    pause: Duration,
    longest: Duration,
}

impl Pace {
    const FIRST: Duration = Duration::from_millis(2);

    fn new(wait: Duration, inner: &Inner) -> Self {
        Self { begun: Instant::now(), wait, pause: Self::FIRST, longest: inner.options.poll.max(Self::FIRST) }
    }

    /// How long to wait now; nothing when the time is over.
    fn pause(&mut self) -> Option<Duration> {
        let left = self.wait.saturating_sub(self.begun.elapsed());
        let pause = self.pause.min(left);
        self.pause = self.pause.saturating_mul(2).min(self.longest);
        (!left.is_zero()).then_some(pause)
    }

    /// Something has changed.
    fn hurry(&mut self) {
        self.pause = Self::FIRST;
    }
}

impl StoredQueue {
    pub(super) fn open(store: &Store, name: &str) -> Result<Self, QueueError> {
        QueueName::new(name).map_err(|error| QueueError::Address(format!("{name:?}: {error}")))?;
        let known = store.inner.read(|tx| {
            let mut known = tx.prepare_cached("SELECT id, name FROM comqc_queue WHERE name = ?1")?;
            Ok(known.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
        })?;
        let (id, name) = match known {
            Some(known) => known,
            None if store.inner.options.mode == Mode::Create => {
                store.inner.write(Durability::Disk, |tx| {
                    tx.execute(
                        "INSERT INTO comqc_queue (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                        params![name, int(store.inner.now().0)],
                    )?;
                    Ok(tx.query_row("SELECT id, name FROM comqc_queue WHERE name = ?1", [name], |row| {
                        Ok((row.get(0)?, row.get::<_, String>(1)?))
                    })?)
                })?
            }
            None => {
                let path = store.path().display();
                return Err(QueueError::Address(format!("there is no queue {name:?} in {path}")));
            }
        };
        Ok(Self { store: store.clone(), id, name: name.into() })
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.store.inner
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    #[cfg(feature = "msmq")]
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes a message. When it returns, the message is on disk.
    ///
    /// # Errors
    /// [`QueueError::Unsendable`], and those of the database.
    pub fn send(&self, message: &QueueMessage) -> Result<MessageId, QueueError> {
        check(message)?;
        let now = self.inner().now();
        let id = self
            .inner()
            .write(Durability::Disk, |tx| row::insert(tx, self.id, message, None, &Sender::default(), now))?;
        self.inner().signal.tell();
        Ok(id)
    }

    /// Takes a message in a transaction of the caller on the same database: it is sent when that is committed. So a
    /// handler that plays a message sends others if, and only if, it comes through.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_in_transaction(
        &self,
        tx: &Transaction<'_>,
        message: &QueueMessage,
    ) -> Result<MessageId, QueueError> {
        check(message)?;
        row::insert(tx, self.id, message, None, &Sender::default(), self.inner().now())
            .map_err(|fault| fault.at(self.store.path()))
    }

    /// Takes a message that another queue has given; see [`Queue::forward`]. One that is here already, in the queue, a
    /// retry queue or the dead queue, is not taken again.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn forward(&self, received: &Received) -> Result<(), QueueError> {
        check_carried(&received.message)?;
        self.inner().write(Durability::Disk, |tx| {
            let known = tx
                .prepare_cached(&format!(
                    "SELECT 1 FROM comqc_message WHERE seq IN ({OF_ID}) AND +queue = ?3 AND place <> 'journal'"
                ))?
                .exists(params![received.id.uniquifier, received.id.lineage.to_string(), self.id])?;
            if !known {
                let Received { id, message, sender, sent, .. } = received;
                row::insert(tx, self.id, message, Some(*id), sender, *sent)?;
            }
            Ok(())
        })?;
        self.inner().signal.tell();
        Ok(())
    }

    /// Takes a message of another queue once: [`forward`](Self::forward) and a note of its identifier in one commit, so that it
    /// is not taken again when it comes again, even after it was played here. `false` when it was taken before. `source` is
    /// the address of that queue; for how long notes are kept, [`Inbox::create`] tells.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn take_over(&self, source: &str, received: &Received) -> Result<bool, QueueError> {
        check_carried(&received.message)?;
        let new = self.inner().write(Durability::Disk, |tx| {
            let inbox = Inbox::create(tx)?;
            let new = inbox.note(tx, &format!("{source} > {}", self.name), received.id)?;
            if new {
                let Received { id, message, sender, sent, .. } = received;
                row::insert(tx, self.id, message, Some(*id), sender, *sent)?;
            }
            Ok(new)
        })?;
        self.inner().signal.tell();
        Ok(new)
    }

    /// The next message, under a lock; waits for one at most so long. See [`Queue::receive`].
    ///
    /// # Errors
    /// Those of the database.
    pub fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError> {
        let signal = &self.inner().signal;
        let mut pace = Pace::new(wait, self.inner());
        loop {
            let seen = signal.changes();
            if let Some(delivery) = self.attempt()? {
                self.inner().hand_over(delivery.lock());
                return Ok(Some(delivery));
            }
            let Some(pause) = pace.pause() else { return Ok(None) };
            if signal.wait(seen, pause) {
                pace.hurry();
            }
        }
    }

    fn attempt(&self) -> Result<Option<Delivery>, QueueError> {
        self.inner().try_receive(self.id)
    }

    /// Does what the player has said; see [`Queue::settle`].
    ///
    /// # Errors
    /// [`QueueError::Locked`] when the lock is not there any more, and those of the database.
    pub fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        self.inner().settle(delivery.lock(), delivery.received.id, verdict)
    }

    /// The messages at a place, at most so many, after the one given, which must be there.
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

    /// A message at a place, left where it is: that with this identifier, or the first.
    ///
    /// # Errors
    /// [`QueueError::NotFound`] for an identifier that is not there, and those of the database.
    pub fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        self.inner().peek(self.id, place, id)
    }

    /// Moves a message to another place; see [`Queue::move_to`]. It keeps its place in the order of sending.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], [`QueueError::Locked`], and those of the database.
    pub fn move_to(&self, from: Place, id: MessageId, to: Place) -> Result<(), QueueError> {
        self.inner().move_to(self.id, from, id, to)
    }

    /// Removes one message.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], [`QueueError::Locked`], and those of the database.
    pub fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        self.inner().remove(self.id, place, id)
    }

    /// Removes all messages at a place that nobody has locked, and returns how many.
    ///
    /// # Errors
    /// Those of the database.
    pub fn purge(&self, place: Place) -> Result<u64, QueueError> {
        self.inner().purge(self.id, place)
    }

    /// How many messages are where.
    ///
    /// # Errors
    /// Those of the database.
    pub fn count(&self) -> Result<Counts, QueueError> {
        self.inner().count(self.id)
    }
}

/// A queue in a database file: the [`Queue`] of asynchronous programs. A clone is the same queue.
///
/// Each step runs on a thread of tokio for steps that block. Dropping its future does not break it off: it ends as if
/// nobody had asked for its result, and a message that it has locked is given back.
#[derive(Debug, Clone)]
pub struct SqliteQueue(StoredQueue);

impl SqliteQueue {
    /// Opens the queue of an address, `sqlite:PATH?queue=NAME`; see [`SqliteAddress`].
    ///
    /// # Errors
    /// [`QueueError::Address`], and those of [`Store::open`].
    pub fn open(address: &str) -> Result<Self, QueueError> {
        address.parse::<SqliteAddress>()?.open().map(Self)
    }

    /// The queue, for functions that block.
    #[must_use]
    pub fn stored(&self) -> &StoredQueue {
        &self.0
    }

    async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&StoredQueue) -> Result<T, QueueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let queue = self.0.clone();
        (task::spawn_blocking(move || step(&queue)).await)
            .map_err(|error| QueueError::Backend(error.to_string()))?
    }
}

impl From<StoredQueue> for SqliteQueue {
    fn from(queue: StoredQueue) -> Self {
        Self(queue)
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    fn address(&self) -> String {
        SqliteAddress::of(&self.0).to_string()
    }

    async fn send(&self, message: QueueMessage) -> Result<MessageId, QueueError> {
        self.run(move |queue| queue.send(&message)).await
    }

    async fn forward(&self, received: Received) -> Result<(), QueueError> {
        self.run(move |queue| queue.forward(&received)).await
    }

    async fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError> {
        let mut changes = self.0.inner().signal.listen();
        let mut pace = Pace::new(wait, self.0.inner());
        loop {
            changes.mark_unchanged();
            if let Some(delivery) = self.run(StoredQueue::attempt).await? {
                // Only here does the caller have it: a future that was dropped before has given it back.
                self.0.inner().hand_over(delivery.lock());
                return Ok(Some(delivery));
            }
            let Some(pause) = pace.pause() else { return Ok(None) };
            if timeout(pause, changes.changed()).await.is_ok() {
                pace.hurry();
            }
        }
    }

    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        let (lock, id, verdict) = (delivery.lock(), delivery.received.id, verdict.clone());
        self.run(move |queue| queue.inner().settle(lock, id, &verdict)).await
    }

    async fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        self.run(move |queue| queue.list(place, after, most)).await
    }

    async fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        self.run(move |queue| queue.peek(place, id)).await
    }

    async fn move_to(&self, from: Place, id: MessageId, to: Place) -> Result<(), QueueError> {
        self.run(move |queue| queue.move_to(from, id, to)).await
    }

    async fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        self.run(move |queue| queue.remove(place, id)).await
    }

    async fn purge(&self, place: Place) -> Result<u64, QueueError> {
        self.run(move |queue| queue.purge(place)).await
    }

    async fn count(&self) -> Result<Counts, QueueError> {
        self.run(|queue| queue.count()).await
    }
}
