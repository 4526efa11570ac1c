//! A queue that tells what becomes of its messages.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use comqc_msmq::session::{MessageId, QueueMessage, Received, Verdict};
use comqc_msmq::{Counts, Delivery, Listed, Place, Queue, QueueError};

/// Does what the queue inside does, and tells of each message that was settled.
pub struct Observed<F> {
    pub queue: Arc<dyn Queue>,
    pub tell: F,
}

#[async_trait]
impl<F: Fn(&Received, &Verdict) + Send + Sync + 'static> Queue for Observed<F> {
    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        self.queue.settle(delivery, verdict).await?;
        (self.tell)(&delivery.received, verdict);
        Ok(())
    }

    fn address(&self) -> String {
        self.queue.address()
    }

    async fn send(&self, message: QueueMessage) -> Result<MessageId, QueueError> {
        self.queue.send(message).await
    }

    async fn forward(&self, received: Received) -> Result<(), QueueError> {
        self.queue.forward(received).await
    }

    async fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError> {
        self.queue.receive(wait).await
    }

    async fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        self.queue.list(place, after, most).await
    }

    async fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        self.queue.peek(place, id).await
    }

    async fn move_to(&self, from: Place, id: MessageId, to: Place) -> Result<(), QueueError> {
        self.queue.move_to(from, id, to).await
    }

    async fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        self.queue.remove(place, id).await
    }

    async fn purge(&self, place: Place) -> Result<u64, QueueError> {
        self.queue.purge(place).await
    }

    async fn count(&self) -> Result<Counts, QueueError> {
        self.queue.count().await
    }
}
