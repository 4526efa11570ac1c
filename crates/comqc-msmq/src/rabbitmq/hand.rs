//! The one message in hand: with prefetch 1 there is never another.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use comqc_session::{MessageId, Received, Timestamp};
use futures_core::Stream;
use lapin::message::Delivery as FromBroker;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, BasicProperties, Channel, Consumer, Error};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::address::Address;
use super::browse::put_back;
use super::headers::{self, short};
use super::link::{self, Link, within};
use crate::{Delivery, QueueError};

/// Bytes of a note: what is longer was not written here.
const LONGEST_NOTE: usize = 1024;

/// The connection by which messages come.
pub(crate) struct Intake {
    pub(crate) link: Link,
    consumer: Consumer,
}

impl Intake {
    pub(crate) async fn open(address: &Address, deadline: Instant) -> Result<Self, QueueError> {
        let link = Link::open(address, deadline).await?;
        let consume = async {
            link.channel.basic_qos(1, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            link.channel.basic_consume(short(&address.queue), "".into(), options, FieldTable::default()).await
        };
        let consumer = within(address.limit, "take a consumer", consume).await?;
        Ok(Self { link, consumer })
    }

    /// The next message. May be dropped before it ends.
    pub(crate) async fn next(&mut self) -> Option<Result<FromBroker, Error>> {
        poll_fn(|context| Pin::new(&mut self.consumer).poll_next(context)).await
    }

    /// Gives back what waits here, so that whoever asks next gets it.
    pub(crate) async fn close(self, limit: Duration) {
        let back = async {
            let options = BasicCancelOptions::default();
            self.link.channel.basic_cancel(self.consumer.tag(), options).await?;
            put_back(&self.link.channel).await
        };
        let _may_be_gone = within(limit, "take a message back", back).await;
        self.link.close(limit).await;
    }
}

/// A message that has come already.
pub(crate) async fn next_at_once(consumer: &mut Consumer) -> Option<Result<FromBroker, Error>> {
    poll_fn(|context| match Pin::new(&mut *consumer).poll_next(context) {
        Poll::Pending => Poll::Ready(None),
        ready => ready,
    })
    .await
}

/// The message in hand.
#[derive(Default)]
pub(crate) enum Held {
    #[default]
    Nothing,
    /// It has come, and nobody has received it yet.
    Arrived { acker: Acker, redelivered: bool, key: String, received: Box<Received> },
    /// Somebody has received it.
    Out { lock: u64, acker: Acker, key: String },
    /// Somebody has received it and is gone.
    Dropped(Acker),
}

impl Held {
    pub(crate) fn arrived(delivery: FromBroker) -> Self {
        let FromBroker { redelivered, properties, data, acker, .. } = delivery;
        let received = headers::decode(&properties, data).received;
        let key = if received.id == MessageId::NIL {
            // The broker changes headers when it comes again, and nothing of this.
            let told =
                format!("{:?}", (properties.timestamp(), properties.kind(), properties.correlation_id()));
            format!("{:032x}", headers::fingerprint(&[told.as_bytes(), &received.message.body]))
        } else {
            received.id.to_string()
        };
        Self::Arrived { acker, redelivered, key, received: Box::new(received) }
    }
}

/// What is asked of a message that has come.
pub(crate) struct Arrived {
    pub(crate) acker: Acker,
    pub(crate) redelivered: bool,
    pub(crate) key: String,
    pub(crate) id: MessageId,
}

/// Who has the message in hand.
#[derive(Default)]
pub(crate) struct Hand {
    held: Mutex<Held>,
    changed: Notify,
    locks: AtomicU64,
}

impl Hand {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, held: Held) {
        *self.held() = held;
    }

    /// Ends when somebody else has changed it.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn arrived(&self) -> Option<Arrived> {
        match &*self.held() {
            Held::Arrived { acker, redelivered, key, received } => Some(Arrived {
                acker: acker.clone(),
                redelivered: *redelivered,
                key: key.clone(),
                id: received.id,
            }),
            _ => None,
        }
    }

    /// The message that has come, if its time to be received is over.
    pub(crate) fn expired(&self, now: Timestamp) -> Option<Box<Received>> {
        match &*self.held() {
            Held::Arrived { received, .. } => {
                let seconds = received.message.properties.time_to_be_received?;
                // Of some foreign messages nobody knows when they were sent.
                let over =
                    received.sent.0 > 0 && received.sent.after(Duration::from_secs(seconds.into())) <= now;
                over.then(|| received.clone())
            }
            _ => None,
        }
    }

    /// The key of a message that has come for the first time and that nobody has received.
    pub(crate) fn untouched(&self) -> Option<String> {
        match &*self.held() {
            Held::Arrived { redelivered: false, key, .. } => Some(key.clone()),
            _ => None,
        }
    }

    pub(crate) fn is_out(&self) -> bool {
        matches!(&*self.held(), Held::Out { .. })
    }

    pub(crate) fn holds(&self) -> bool {
        !matches!(&*self.held(), Held::Nothing)
    }

    pub(crate) fn take_dropped(&self) -> Option<Acker> {
        let mut held = self.held();
        match mem::take(&mut *held) {
            Held::Dropped(acker) => Some(acker),
            other => {
                *held = other;
                None
            }
        }
    }

    /// Gives the message that has come to whoever receives.
    pub(crate) fn give(self: &Arc<Self>, note: Note) -> Option<Delivery> {
        let mut held = self.held();
        match mem::take(&mut *held) {
            Held::Arrived { acker, key, mut received, .. } => {
                let lock = self.locks.fetch_add(1, Ordering::Relaxed);
                *held = Held::Out { lock, acker, key };
                received.id = note.id.unwrap_or(received.id);
                (received.failures, received.abandoned) = (note.failures, note.abandoned);
                let hand = Arc::clone(self);
                Some(Delivery::new(*received, lock).with_guard(move || hand.dropped(lock)))
            }
            other => {
                *held = other;
                None
            }
        }
    }

    fn dropped(&self, lock: u64) {
        let mut held = self.held();
        match mem::take(&mut *held) {
            Held::Out { lock: out, acker, .. } if out == lock => *held = Held::Dropped(acker),
            other => {
                *held = other;
                return;
            }
        }
        drop(held);
        self.changed.notify_one();
    }

    /// What a delivery is settled with, while its channel is there.
    pub(crate) fn out(&self, lock: u64) -> Option<(Acker, String)> {
        match &*self.held() {
            Held::Out { lock: out, acker, key } if *out == lock && acker.usable() => {
                Some((acker.clone(), key.clone()))
            }
            _ => None,
        }
    }

    pub(crate) fn settled(&self, lock: u64) {
        let mut held = self.held();
        if matches!(&*held, Held::Out { lock: out, .. } if *out == lock) {
            *held = Held::Nothing;
        }
        drop(held);
        self.changed.notify_one();
    }
}

/// What is known of a message that comes again: the one message of a queue that keeps only its last.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Note {
    /// Which message.
    pub(crate) key: String,
    /// The identifier that it has, or was given.
    pub(crate) id: Option<MessageId>,
    /// How often playing has failed in this round.
    pub(crate) failures: u32,
    /// How often a player has died while it had the message.
    pub(crate) abandoned: u32,
    /// A player has it, or had it when it died.
    pub(crate) out: bool,
}

impl Note {
    pub(crate) async fn read(channel: &Channel, queue: &str) -> Result<Option<Self>, Error> {
        let Some(message) = channel.basic_get(short(queue), BasicGetOptions::default()).await? else {
            return Ok(None);
        };
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        message.delivery.acker.nack(options).await?;
        let data = &message.delivery.data;
        Ok((data.len() <= LONGEST_NOTE).then(|| serde_json::from_slice(data).ok()).flatten())
    }

    pub(crate) async fn write(
        &self,
        channel: &Channel,
        queue: &str,
        limit: Duration,
    ) -> Result<(), QueueError> {
        let body = serde_json::to_vec(self).map_err(|error| QueueError::Backend(error.to_string()))?;
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
        link::publish(channel, queue, &body, properties, limit).await
    }
}
