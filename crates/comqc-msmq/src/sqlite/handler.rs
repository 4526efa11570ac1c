//! The handler whose component works in a transaction.

use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use comqc_session::{CallError, Playback};
use rusqlite::{Connection, Transaction};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::store::locked;
use super::{Inbox, Once, PlayError, StoredQueue};
use crate::{Delivery, Handler, Outcome, QueueError};

/// Plays each message exactly once: all its calls in one transaction of the component's database, which also notes that it
/// was played, or removes it where that is the database of the queue.
///
/// `F` is `Fn(&Transaction<'_>, &mut Playback<'_, '_, T>) -> Result<(), CallError>`. It blocks; on a runtime of several
/// threads, the others go on meanwhile.
pub struct InTransaction<F> {
    database: Database,
    play: F,
}

enum Database {
    /// That of the queue.
    Queue(StoredQueue),
    /// Another one: the queue is told after the commit, and the inbox knows a message that comes again.
    Own { db: Mutex<Connection>, inbox: Inbox, queue: String },
}

impl<F> fmt::Debug for InTransaction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTransaction").finish_non_exhaustive()
    }
}

impl<F> InTransaction<F> {
    /// In the database of the queue: one commit plays and removes.
    #[must_use]
    pub fn of_queue(queue: StoredQueue, play: F) -> Self {
        Self { database: Database::Queue(queue), play }
    }

    /// In a database of its own, for messages of any queue; `queue` is the name under which they are noted there. The
    /// connection must commit to disk, see [`Inbox::play`].
    ///
    /// # Errors
    /// When the inbox cannot be made.
    pub fn of_database(db: Connection, queue: impl Into<String>, play: F) -> Result<Self, QueueError> {
        let inbox = Inbox::create(&db)?;
        Ok(Self { database: Database::Own { db: Mutex::new(db), inbox, queue: queue.into() }, play })
    }
}

#[async_trait]
impl<T, F> Handler<T> for InTransaction<F>
where
    T: Sync,
    F: Fn(&Transaction<'_>, &mut Playback<'_, '_, T>) -> Result<(), CallError> + Send + Sync,
{
    async fn play(
        &self,
        delivery: &Delivery,
        playback: &mut Playback<'_, '_, T>,
    ) -> Result<Outcome, CallError> {
        let whole = |tx: &Transaction<'_>| {
            (self.play)(tx, playback)?;
            // Not to be committed.
            playback.next_call().map_or(Ok(()), |call| {
                Err(CallError::new(format_args!("the component has left out call {}", call.number)))
            })
        };
        let played = blocking(|| match &self.database {
            Database::Queue(stored) => {
                stored.store().play_in_transaction(delivery, whole).map(|()| Outcome::Settled)
            }
            Database::Own { db, inbox, queue } => {
                inbox.play(&mut locked(db), queue, delivery.received.id, whole).map(|once| match once {
                    Once::Now(()) => Outcome::Played,
                    Once::Before => Outcome::Duplicate,
                })
            }
        });
        played.map_err(|error| match error {
            PlayError::Handler(error) => error,
            PlayError::Queue(error) => CallError::new(error),
        })
    }
}

/// Does what blocks, where possible without keeping other tasks waiting.
fn blocking<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
