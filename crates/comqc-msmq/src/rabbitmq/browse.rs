//! A look into a queue: messages are taken out without being acknowledged, and put back where they were.
//!
//! What a quorum queue says of its length is a moment old; what it gives is not. So a look ends where it gives nothing. And
//! what comes back goes behind all that has come back before: only a look at everything leaves the order as it was.

use std::collections::VecDeque;
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Error};

use super::hand::next_at_once;
use super::headers::short;
use super::link::{look, within};
use crate::QueueError;

/// Messages of the main queue that one look shows: they are all in memory. Only classic queues are looked at so.
const MOST: u16 = 1_000;

/// Messages of a queue, in their order.
pub(crate) enum Browse {
    /// One at a time, so many as there were at the first.
    Get { channel: Channel, queue: String, left: Option<u32>, limit: Duration },
    /// All that a consumer was given.
    Consumed { channel: Channel, messages: VecDeque<Delivery>, limit: Duration },
}

impl Browse {
    pub(crate) fn get(channel: Channel, queue: String, limit: Duration) -> Self {
        Self::Get { channel, queue, left: None, limit }
    }

    /// As the consumer of a queue that gives its messages to one consumer only.
    pub(crate) async fn consume(
        channel: Channel,
        queue: &str,
        limit: Duration,
        busy: impl FnOnce() -> QueueError,
    ) -> Result<Self, QueueError> {
        if within(limit, "count messages", look(&channel, queue)).await?.consumer_count() > 0 {
            return Err(busy());
        }
        let all = async {
            channel.basic_qos(MOST, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            let mut consumer =
                channel.basic_consume(short(queue), "".into(), options, FieldTable::default()).await?;
            // The answer to this comes after the messages.
            look(&channel, queue).await?;
            let mut messages = VecDeque::new();
            while let Some(delivery) = next_at_once(&mut consumer).await.transpose()? {
                messages.push_back(delivery);
            }
            channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
            Ok(messages)
        };
        let messages = within(limit, "show its messages", all).await?;
        Ok(Self::Consumed { channel, messages, limit })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Delivery>, QueueError> {
        match self {
            Self::Consumed { messages, .. } => Ok(messages.pop_front()),
            Self::Get { left: Some(0), .. } => Ok(None),
            Self::Get { channel, queue, left, limit } => {
                let get = channel.basic_get(short(queue), BasicGetOptions::default());
                let Some(message) = within(*limit, "give a message", get).await? else { return Ok(None) };
                *left = Some(left.map_or(message.message_count, |left| left.saturating_sub(1)));
                Ok(Some(message.delivery))
            }
        }
    }

    /// Puts them back. When this fails, the broker does so when the connection ends.
    pub(crate) async fn end(mut self) {
        while let Ok(Some(_)) = self.next().await {}
        let (Self::Get { channel, limit, .. } | Self::Consumed { channel, limit, .. }) = self;
        let _may_be_gone = within(limit, "take messages back", put_back(&channel)).await;
    }
}

/// Gives back all that a channel has and nobody has acknowledged, and closes it. Closing alone gives back, too, but later:
/// who asks next would find nothing.
pub(crate) async fn put_back(channel: &Channel) -> Result<(), Error> {
    channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true }).await?;
    channel.close(200, "OK".into()).await
}
