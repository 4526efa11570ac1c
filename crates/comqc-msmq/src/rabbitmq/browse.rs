//! A look into a queue: messages are taken out without being acknowledged, and the channel is closed, which puts them back
//! where they were.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};

use super::hand::next;
use super::headers::short;
use super::link::{look, within};
use crate::QueueError;

/// Messages of a queue, in their order.
pub(crate) struct Browse {
    channel: Channel,
    queue: String,
    consumer: Option<Consumer>,
    /// How many there were when the look began.
    left: u32,
    limit: Duration,
}

impl Browse {
    /// One at a time.
    pub(crate) async fn get(channel: Channel, queue: String, limit: Duration) -> Result<Self, QueueError> {
        let left = within(limit, "count messages", look(&channel, &queue)).await?.message_count();
        Ok(Self { channel, queue, consumer: None, left, limit })
    }

    /// As the consumer of a queue that gives its messages to one consumer only.
    pub(crate) async fn consume(
        channel: Channel,
        queue: &str,
        limit: Duration,
        busy: impl FnOnce() -> QueueError,
    ) -> Result<Self, QueueError> {
        let there = within(limit, "count messages", look(&channel, queue)).await?;
        if there.consumer_count() > 0 {
            return Err(busy());
        }
        let left = there.message_count().min(u16::MAX.into());
        let consume = async |channel: &Channel| {
            channel.basic_qos(u16::try_from(left).unwrap_or(u16::MAX), BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            channel.basic_consume(short(queue), "".into(), options, FieldTable::default()).await
        };
        let consumed =
            if left > 0 { Some(within(limit, "take a consumer", consume(&channel)).await) } else { None };
        let consumer = consumed.transpose()?;
        Ok(Self { channel, queue: queue.into(), consumer, left, limit })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Delivery>, QueueError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        match &mut self.consumer {
            Some(consumer) => {
                let next = async { next(consumer).await.transpose() };
                within(self.limit, "give a message", next).await
            }
            None => {
                let get = self.channel.basic_get(short(&self.queue), BasicGetOptions::default());
                Ok(within(self.limit, "give a message", get).await?.map(|message| message.delivery))
            }
        }
    }

    pub(crate) async fn end(self) {
        let close = self.channel.close(200, "OK".into());
        let _may_be_gone = within(self.limit, "close a channel", close).await;
    }
}
