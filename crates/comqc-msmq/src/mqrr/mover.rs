//! Takes messages out of a queue of another machine into a store of this one.

use std::time::Duration;

use comqc_session::{MessageId, Verdict};
use tokio::task;

use crate::sqlite::StoredQueue;
use crate::{Queue, QueueError};

/// Takes messages out of a queue, for example a [`RemoteQueue`](super::RemoteQueue), into one of a store: each is on disk here
/// before it is acknowledged there. One that comes again, since the acknowledgement was lost, is known by its identifier and
/// only acknowledged.
#[derive(Debug)]
pub struct Mover<Q> {
    from: Q,
    to: StoredQueue,
    source: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// There was none in time.
    Nothing,
    /// It is here now, and was acknowledged.
    Taken(MessageId),
    /// It was here before, and was acknowledged again.
    Again(MessageId),
}

impl<Q: Queue> Mover<Q> {
    /// From a queue into one of a store.
    #[must_use]
    pub fn new(from: Q, to: StoredQueue) -> Self {
        let source = from.address();
        Self { from, to, source }
    }

    /// Takes the next message; waits for one at most so long.
    ///
    /// # Errors
    /// When one of the queues fails. What was not acknowledged comes again, and is not taken twice.
    pub async fn step(&self, wait: Duration) -> Result<Moved, QueueError> {
        let Some(delivery) = self.from.receive(wait).await? else { return Ok(Moved::Nothing) };
        let id = delivery.received.id;
        let (to, source, received) = (self.to.clone(), self.source.clone(), delivery.received.clone());
        let taken = task::spawn_blocking(move || to.take_over(&source, &received)).await;
        let new = taken.map_err(|error| QueueError::Backend(error.to_string()))??;
        // It is on disk: now it may go there.
        self.from.settle(&delivery, &Verdict::Done).await?;
        Ok(if new { Moved::Taken(id) } else { Moved::Again(id) })
    }

    /// Takes messages until `end`; failures are waited out, with growing waits.
    pub async fn run(&self, end: impl Future<Output = ()>) {
        const FIRST: Duration = Duration::from_millis(100);
        const LONGEST: Duration = Duration::from_secs(30);
        let moving = async {
            let mut pause = FIRST;
            loop {
                match self.step(Duration::from_secs(60)).await {
                    Ok(_) => pause = FIRST,
                    Err(error) => {
                        tracing::warn!(queue = %self.source, %error, "messages are not taken over");
                        tokio::time::sleep(pause).await;
                        pause = pause.saturating_mul(2).min(LONGEST);
                    }
                }
            }
        };
        tokio::select! {
            () = moving => {}
            () = end => {}
        }
    }
}
