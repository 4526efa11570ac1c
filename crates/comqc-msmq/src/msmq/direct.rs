//! Queues of other machines, as far as this one has messages for them.

use std::time::Duration;

use async_trait::async_trait;
use comqc_session::{DirectName, MessageId, QueueMessage, Received, Verdict};

use super::map::check;
use crate::sqlite::{Outbox, OutgoingQueue, Transfer, step};
use crate::{Counts, Delivery, Listed, Place, Queue, QueueError};

/// A queue of another machine, `DIRECT=OS:host\private$\name` or `DIRECT=TCP:address\private$\name`, in front of an
/// [`Outbox`]: what it has taken is on disk here, and a sender brings it there.
///
/// What it shows is what is still here: [`Place::Main`] waits, `Retry(0)` was delivered and waits for its final
/// acknowledgement, [`Place::Dead`] did not get there, [`Place::Journal`] has copies of what did. It gives no messages: they
/// are received where they are.
#[derive(Debug, Clone)]
pub struct DirectQueue {
    queue: OutgoingQueue,
    transfer: Transfer,
}

impl DirectQueue {
    /// The queue of a name.
    ///
    /// # Errors
    /// [`QueueError::Address`] where messages cannot be sent there by this protocol, and those of the database.
    pub fn new(outbox: &Outbox, destination: &DirectName, transfer: Transfer) -> Result<Self, QueueError> {
        Ok(Self { queue: outbox.to(destination)?, transfer })
    }

    /// The messages that are here.
    #[must_use]
    pub fn outgoing(&self) -> &OutgoingQueue {
        &self.queue
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&OutgoingQueue) -> Result<T, QueueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let queue = self.queue.clone();
        step(move || work(&queue)).await
    }
}

fn not_here<T>() -> Result<T, QueueError> {
    Err(QueueError::Unsupported("messages of a queue of another machine are received there".into()))
}

#[async_trait]
impl Queue for DirectQueue {
    fn address(&self) -> String {
        format!("DIRECT={}", self.queue.destination())
    }

    async fn send(&self, message: QueueMessage) -> Result<MessageId, QueueError> {
        check(&message, self.queue.destination())?;
        let transfer = self.transfer;
        let ids = self.run(move |queue| queue.accept(&[message], transfer)).await?;
        ids.first().copied().ok_or_else(|| QueueError::Backend("nothing was taken".into()))
    }

    async fn forward(&self, received: Received) -> Result<(), QueueError> {
        check(&received.message, self.queue.destination())?;
        let transfer = self.transfer;
        self.run(move |queue| queue.forward(&received, transfer)).await
    }

    async fn receive(&self, _: Duration) -> Result<Option<Delivery>, QueueError> {
        not_here()
    }

    async fn settle(&self, _: &Delivery, _: &Verdict) -> Result<(), QueueError> {
        not_here()
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
        self.run(OutgoingQueue::count).await
    }
}
