//! What a queue can do, whatever keeps the messages.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use comqc_session::{DeadReason, MessageId, QueueMessage, Received, Timestamp, Verdict};

use crate::QueueError;

/// Where in a queue a message is: COM+ keeps a queue `App` with others beside it, `App_0` to `App_4` and `App_DeadQueue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The queue itself.
    Main,
    /// The retry queue of this number, from 0: its messages are received too, once their wait is over.
    Retry(u8),
    /// The dead queue: what nobody will play.
    Dead,
    /// The journal: copies of what was received, where their senders wanted it.
    Journal,
}

impl fmt::Display for Place {
    /// `main`, `retry-0`, `dead`, `journal`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Main => f.write_str("main"),
            Self::Retry(number) => write!(f, "retry-{number}"),
            Self::Dead => f.write_str("dead"),
            Self::Journal => f.write_str("journal"),
        }
    }
}

impl FromStr for Place {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "main" => Ok(Self::Main),
            "dead" => Ok(Self::Dead),
            "journal" => Ok(Self::Journal),
            _ => (text.strip_prefix("retry-").and_then(|number| number.parse().ok()).map(Self::Retry))
                .ok_or_else(|| QueueError::Address(format!("no place {text:?} in a queue"))),
        }
    }
}

/// A message under a lock: nobody else gets it until it is settled, or whoever holds it is gone.
///
/// Dropping one that is not settled ends the lock too: the player has died.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub received: Received,
    lock: u64,
    _guard: Option<Guard>,
}

impl Delivery {
    /// A message with what its backend knows it by.
    #[must_use]
    pub fn new(received: Received, lock: u64) -> Self {
        Self { received, lock, _guard: None }
    }

    /// With what is to be done when it is dropped, settled or not.
    #[must_use]
    pub fn with_guard(self, dropped: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { _guard: Some(Guard(Some(Box::new(dropped)))), ..self }
    }

    /// What the backend knows it by.
    #[must_use]
    pub fn lock(&self) -> u64 {
        self.lock
    }
}

/// Runs a function when it is dropped.
struct Guard(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(dropped) = self.0.take() {
            dropped();
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// A message in a list, without its body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// Identifier.
    pub id: MessageId,
    /// Label.
    pub label: String,
    /// Bytes of the body.
    pub size: u64,
    /// Priority.
    pub priority: u8,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it can be received, where that is still to come.
    pub due: Option<Timestamp>,
    /// Somebody has received it and not settled it yet.
    pub locked: bool,
    /// How often playing has failed in this round.
    pub failures: u32,
    /// How often a player has died while it had the message.
    pub abandoned: u32,
    /// Why it is in the dead queue.
    pub dead: Option<DeadReason>,
    /// What the last failure was.
    pub error: Option<String>,
}

/// How many messages are where.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// In the queue, locked ones too.
    pub main: u64,
    /// In each retry queue, from number 0.
    pub retry: Vec<u64>,
    /// In the dead queue.
    pub dead: u64,
    /// In the journal.
    pub journal: u64,
    /// How many of them somebody has locked.
    pub locked: u64,
    /// When the oldest message that is not dead was sent.
    pub oldest: Option<Timestamp>,
}

/// A queue with its retry queues, dead queue and journal.
///
/// What `send` has taken is on disk and is never lost; what `receive` gives comes again until `settle` was told what
/// becomes of it, with the same identifier. Messages of one priority come in the order in which they were sent, and none
/// before one that somebody has locked, so that a second receiver takes over in order when the first one ends.
///
/// Every function may be dropped before it ends: then the change was made or not, never by half.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// The address, without secrets.
    fn address(&self) -> String;

    /// Takes a message. When it returns, the message is on disk.
    ///
    /// # Errors
    /// When the message cannot be carried or kept; after [`QueueError::Disconnected`] it may have been kept.
    async fn send(&self, message: QueueMessage) -> Result<MessageId, QueueError>;

    /// Takes a message that another queue has given, with its identifier, sender and time; a player knows it again.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    async fn forward(&self, received: Received) -> Result<(), QueueError>;

    /// The next message, under a lock; waits for one at most so long. Messages of retry queues come as soon as they are
    /// due, before others.
    ///
    /// # Errors
    /// When the backend fails.
    async fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError>;

    /// Does what the player has said, in one step, and ends the lock.
    ///
    /// # Errors
    /// [`QueueError::Locked`] when the lock is not there any more: the message comes again. When the backend fails
    /// otherwise, the lock is still there, and this can be asked for again.
    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError>;

    /// The messages at a place, in the order in which they would come; at most so many, after the one given.
    ///
    /// # Errors
    /// When the backend fails or cannot list.
    async fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError>;

    /// A message at a place, left where it is: that with this identifier, or the first.
    ///
    /// # Errors
    /// When it is not there, or the backend fails.
    async fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError>;

    /// Moves a message to another place, where it can be received at once and has no failures.
    ///
    /// # Errors
    /// When it is not there, is locked, or the backend fails.
    async fn move_to(&self, from: Place, id: MessageId, to: Place) -> Result<(), QueueError>;

    /// Removes one message.
    ///
    /// # Errors
    /// When it is not there, is locked, or the backend fails.
    async fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError>;

    /// Removes all messages at a place that nobody has locked, and returns how many.
    ///
    /// # Errors
    /// When the backend fails.
    async fn purge(&self, place: Place) -> Result<u64, QueueError>;

    /// How many messages are where.
    ///
    /// # Errors
    /// When the backend fails.
    async fn count(&self) -> Result<Counts, QueueError>;

    /// Gives back what was taken ahead and nobody has received, once nobody receives any more; otherwise the next one to
    /// receive might take it for abandoned.
    async fn close(&self) {}
}
