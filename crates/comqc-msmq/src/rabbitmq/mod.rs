//! Queues of a RabbitMQ broker. The README tells what is kept where, and what the broker cannot do.

mod address;
mod browse;
mod guard;
mod hand;
#[cfg(feature = "internals")]
pub mod headers;
#[cfg(not(feature = "internals"))]
#[expect(unreachable_pub, reason = "with internals, tests look into it")]
mod headers;
mod link;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use comqc_session::{DeadReason, MessageId, QueueMessage, Received, Sender, Verdict};
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions, QueuePurgeOptions};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until, timeout_at};
use uuid::Uuid;

use crate::check::{check, check_carried};
use crate::clock::now;
use crate::{Counts, Delivery, Listed, Place, Queue, QueueError};
use address::{Address, Kind};
use browse::Browse;
use hand::{Hand, Held, Intake, Note};
use headers::{Fate, short};
use link::{Link, look, within};

/// How long a message may take that the broker says is there.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// A queue of a RabbitMQ broker with its retry queues, dead queue and journal; feature `rabbitmq`.
///
/// Nothing is connected before it is needed, and what has broken is connected again by the next call.
pub struct RabbitQueue {
    address: Address,
    lineage: Uuid,
    sent: AtomicU64,
    publisher: Mutex<Option<Link>>,
    intake: Mutex<Option<Intake>>,
    hand: Arc<Hand>,
}

impl fmt::Debug for RabbitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RabbitQueue({})", self.address)
    }
}

impl RabbitQueue {
    /// The queue at `amqp://user:password@host:port/vhost?queue=NAME`, or `amqps://`; connects to nothing yet.
    ///
    /// # Errors
    /// [`QueueError::Address`] when that is not an address, without any part of it; [`QueueError::Backend`] when the system
    /// has no random numbers for the identifiers of messages.
    pub fn new(address: &str) -> Result<Self, QueueError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| QueueError::Backend(error.to_string()))?;
        Ok(Self {
            address: Address::parse(address)?,
            lineage: uuid::Builder::from_random_bytes(random).into_uuid(),
            sent: AtomicU64::new(0),
            publisher: Mutex::new(None),
            intake: Mutex::new(None),
            hand: Arc::default(),
        })
    }

    /// The same, and connects: tells now what would go wrong later.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`QueueError::Disconnected`] when there is no broker in time; [`QueueError::Backend`] when it
    /// refuses; [`QueueError::Damaged`] when it has queues of these names with other properties.
    pub async fn open(address: &str) -> Result<Self, QueueError> {
        let queue = Self::new(address)?;
        queue.publisher().await?;
        Ok(queue)
    }

    /// Gives the message back that waits here, and ends the connections, once nobody receives any more. What was received
    /// and is not settled comes again.
    pub async fn close(&self) {
        let mut intake = self.intake.lock().await;
        if let Some(key) = self.hand.untouched() {
            let _counts_as_abandoned = self.write_note(&Note { key, ..Note::default() }).await;
        }
        if let Some(intake) = intake.take() {
            intake.close(self.address.limit).await;
        }
        self.hand.put(Held::Nothing);
        if let Some(publisher) = self.publisher.lock().await.take() {
            publisher.close(self.address.limit).await;
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now().checked_add(self.address.limit).unwrap_or_else(Instant::now)
    }

    /// Another identifier than any before: two numbers of 32 bits are counted, one of them in the GUID.
    fn next_id(&self) -> MessageId {
        let count = self.sent.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (count.checked_shr(32).unwrap_or_default(), count & u64::from(u32::MAX));
        MessageId {
            lineage: Uuid::from_u128(self.lineage.as_u128().wrapping_add(high.into())),
            uniquifier: u32::try_from(low).unwrap_or_default(),
        }
    }

    async fn connected(&self) -> Result<MutexGuard<'_, Option<Link>>, QueueError> {
        // Of those who wait for one that connects, each has its own limit.
        let deadline = self.deadline();
        let mut publisher = timeout_at(deadline, self.publisher.lock()).await.map_err(|_| gone())?;
        if publisher.as_ref().is_none_or(|link| !link.is_open()) {
            // The old one ends first: it holds nothing.
            *publisher = None;
            *publisher = Some(Link::open(&self.address, deadline).await?);
        }
        Ok(publisher)
    }

    /// The channel on which is published.
    async fn publisher(&self) -> Result<Channel, QueueError> {
        let publisher = self.connected().await?;
        publisher.as_ref().map(|link| link.channel.clone()).ok_or_else(gone)
    }

    /// Another channel, for looking into queues.
    async fn channel(&self) -> Result<Channel, QueueError> {
        let publisher = self.connected().await?;
        let link = publisher.as_ref().ok_or_else(gone)?;
        within(self.address.limit, "open a channel", link.connection.create_channel()).await
    }

    async fn publish(&self, place: Place, received: &Received, fate: Fate<'_>) -> Result<(), QueueError> {
        if let Place::Retry(number) = place
            && number >= self.address.retries
        {
            let has = self.address.retries;
            let why = format!("there are {has} retry queues, and none of number {number}: see retries=");
            return Err(QueueError::Unsupported(why));
        }
        let properties = headers::encode(received, fate)?;
        let channel = self.publisher().await?;
        let (name, body) = (self.address.name(place), &received.message.body);
        link::publish(&channel, &name, body, properties, self.address.limit).await
    }

    /// The message that waits here, if it is to be received.
    async fn hand_out(&self) -> Result<Option<Delivery>, QueueError> {
        let Some(arrived) = self.hand.arrived() else { return Ok(None) };
        if let Some(expired) = self.hand.expired(now()) {
            if expired.message.properties.negative_journaling {
                let fate = Fate { dead: Some(DeadReason::Expired), ..Fate::default() };
                self.publish(Place::Dead, &expired, fate).await?;
            }
            self.hand.put(Held::Nothing);
            let _comes_again = arrived.acker.ack(BasicAckOptions::default()).await;
            return Ok(None);
        }
        let note = if arrived.redelivered { self.read_note(&arrived.key).await? } else { None };
        // Without a note: somebody has had it, and nobody has said that nothing happened to it. It counts.
        let abandoned = u32::from(arrived.redelivered);
        let mut note =
            note.unwrap_or_else(|| Note { key: arrived.key.clone(), abandoned, ..Note::default() });
        if note.id.is_none() && arrived.id == MessageId::NIL {
            note.id = Some(self.next_id());
        }
        if note.out {
            note.abandoned = note.abandoned.saturating_add(1);
        }
        note.out = true;
        if arrived.redelivered || arrived.id == MessageId::NIL {
            self.write_note(&note).await?;
        }
        Ok(self.hand.give(note))
    }

    async fn read_note(&self, key: &str) -> Result<Option<Note>, QueueError> {
        let channel = self.channel().await?;
        let queue = self.address.attempts();
        let note = within(self.address.limit, "give the last attempt", Note::read(&channel, &queue)).await?;
        let _may_be_gone = channel.close(200, "OK".into()).await;
        Ok(note.filter(|note| note.key == key))
    }

    async fn write_note(&self, note: &Note) -> Result<(), QueueError> {
        let channel = self.publisher().await?;
        note.write(&channel, &self.address.attempts(), self.address.limit).await
    }

    /// A look into a queue. The main queue gives its messages to its receiver only: with none there, this is it. A quorum
    /// queue would then put a message that fails behind all that were looked at.
    async fn browse(&self, place: Place) -> Result<Browse, QueueError> {
        if place == Place::Main {
            let refused = |why: &str| QueueError::Unsupported(why.into());
            if self.address.kind == Kind::Quorum {
                return Err(refused("a quorum queue cannot show its messages without changing their order"));
            }
            let busy = || refused("somebody receives from it, and it shows its messages to nobody else");
            let mut intake = self.intake.try_lock().map_err(|_| busy())?;
            if self.hand.is_out() {
                return Err(busy());
            }
            if let Some(intake) = intake.take() {
                self.hand.put(Held::Nothing);
                intake.close(self.address.limit).await;
            }
            let channel = self.channel().await?;
            return Browse::consume(channel, &self.address.name(place), self.address.limit, busy).await;
        }
        Ok(Browse::get(self.channel().await?, self.address.name(place), self.address.limit))
    }

    /// Takes a message out of a queue, after it was done with as is to be.
    async fn take(&self, from: Place, id: MessageId, to: Option<Place>) -> Result<(), QueueError> {
        let mut browse = self.browse(from).await?;
        let result = loop {
            let Some(delivery) = browse.next().await? else { break Err(QueueError::NotFound(id)) };
            let carried = headers::decode(&delivery.properties, delivery.data);
            if carried.received.id != id {
                continue;
            }
            if let Some(to) = to {
                let dead = (to == Place::Dead).then_some(DeadReason::Moved);
                let expiration = matches!(to, Place::Retry(_)).then_some(0);
                let fate = Fate { dead, expiration, error: carried.error.as_deref(), ..Fate::default() };
                let received = Received { round: 0, ..carried.received };
                self.publish(to, &received, fate).await?;
            }
            let acknowledged = delivery.acker.ack(BasicAckOptions::default()).await;
            break match acknowledged {
                Ok(true) => Ok(()),
                _ => Err(QueueError::Disconnected("the message may be at both places".into())),
            };
        };
        browse.end().await;
        result
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    fn address(&self) -> String {
        self.address.to_string()
    }

    async fn send(&self, message: QueueMessage) -> Result<MessageId, QueueError> {
        check(&message)?;
        let properties = &message.properties;
        let seconds = properties.time_to_be_received.filter(|_| properties.negative_journaling);
        let expiration = seconds.and_then(|seconds| u64::from(seconds.checked_mul(1000)?).into());
        let id = self.next_id();
        let fate = Fate { expiration, user: Some(&self.address.user), ..Fate::default() };
        let received = Received {
            id,
            message,
            sender: Sender::default(),
            sent: now(),
            round: 0,
            failures: 0,
            abandoned: 0,
        };
        self.publish(Place::Main, &received, fate).await?;
        Ok(id)
    }

    async fn forward(&self, received: Received) -> Result<(), QueueError> {
        check_carried(&received.message)?;
        self.publish(Place::Main, &Received { round: 0, ..received }, Fate::default()).await
    }

    async fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError> {
        let mut deadline = Instant::now().checked_add(wait).unwrap_or_else(|| self.deadline());
        let Ok(mut intake) = timeout_at(deadline, self.intake.lock()).await else { return Ok(None) };
        let mut asked = false;
        loop {
            let open = match intake.take().filter(|intake| intake.link.is_open()) {
                Some(open) => open,
                None => {
                    // The broker gives to others what came by a connection that is gone.
                    self.hand.put(Held::Nothing);
                    Intake::open(&self.address, deadline).await?
                }
            };
            let open = intake.insert(open);
            if let Some(acker) = self.hand.take_dropped() {
                let _comes_again = acker.nack(requeue()).await;
            }
            if let Some(delivery) = self.hand_out().await? {
                return Ok(Some(delivery));
            }
            tokio::select! {
                biased;
                next = open.next() => match next {
                    Some(Ok(delivery)) => self.hand.put(Held::arrived(delivery)),
                    Some(Err(error)) => {
                        tracing::debug!(%error, "the broker is gone");
                        *intake = None;
                    }
                    None => *intake = None,
                },
                () = self.hand.changed() => {}
                () = sleep_until(deadline) => {
                    if asked {
                        return Ok(None);
                    }
                    asked = true;
                    // What the broker has for us may still be on its way.
                    let queue = look(&open.link.channel, &self.address.queue).await;
                    if queue.is_ok_and(|queue| queue.message_count() > 0 && queue.consumer_count() == 1)
                        && !self.hand.is_out()
                    {
                        deadline = Instant::now().checked_add(ON_ITS_WAY).unwrap_or(deadline);
                    }
                }
            }
        }
    }

    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        let received = &delivery.received;
        let locked = || QueueError::Locked(received.id);
        let (acker, key) = self.hand.out(delivery.lock()).ok_or_else(locked)?;
        let note = Note {
            key,
            id: Some(received.id),
            failures: received.failures,
            abandoned: received.abandoned,
            out: false,
        };
        let settled = match verdict {
            Verdict::Done => {
                if received.message.properties.positive_journaling {
                    self.publish(Place::Journal, received, Fate::default()).await?;
                }
                acker.ack(BasicAckOptions::default()).await
            }
            Verdict::Again(_) => {
                let failures = received.failures.saturating_add(1);
                self.write_note(&Note { failures, ..note }).await?;
                acker.nack(requeue()).await
            }
            Verdict::Return => {
                self.write_note(&note).await?;
                acker.nack(requeue()).await
            }
            Verdict::Retry { queue, wait, error } => {
                // The broker takes 32 bits.
                let expiration = Some(wait.as_millis().try_into().unwrap_or(u32::MAX).into());
                let due = Some(now().after(*wait));
                let fate = Fate { error: Some(error), expiration, due, ..Fate::default() };
                let received = Received { round: received.round.saturating_add(1), ..received.clone() };
                self.publish(Place::Retry(*queue), &received, fate).await?;
                acker.ack(BasicAckOptions::default()).await
            }
            Verdict::Dead(reason, error) => {
                let fate = Fate { dead: Some(*reason), error: Some(error), ..Fate::default() };
                self.publish(Place::Dead, received, fate).await?;
                acker.ack(BasicAckOptions::default()).await
            }
        };
        self.hand.settled(delivery.lock());
        match settled {
            Ok(true) => Ok(()),
            // Its channel is gone; it comes again.
            Ok(false) | Err(_) => Err(locked()),
        }
    }

    async fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        let mut browse = self.browse(place).await?;
        let mut listed = Vec::new();
        let mut skipping = after.is_some();
        while listed.len() < most {
            let Some(delivery) = browse.next().await? else { break };
            let size = u64::try_from(delivery.data.len()).unwrap_or(u64::MAX);
            let carried = headers::decode(&delivery.properties, Vec::new());
            let received = carried.received;
            if skipping {
                skipping = after != Some(received.id);
                continue;
            }
            listed.push(Listed {
                id: received.id,
                label: received.message.properties.label,
                size,
                priority: received.message.properties.priority,
                sent: received.sent,
                due: carried.due.filter(|_| matches!(place, Place::Retry(_))),
                locked: false,
                failures: 0,
                abandoned: 0,
                dead: carried.dead.filter(|_| place == Place::Dead),
                error: carried.error,
            });
        }
        browse.end().await;
        Ok(listed)
    }

    async fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        let mut browse = self.browse(place).await?;
        let mut found = None;
        while let Some(delivery) = browse.next().await? {
            let received = headers::decode(&delivery.properties, delivery.data).received;
            if id.is_none_or(|id| id == received.id) {
                found = Some(received);
                break;
            }
        }
        browse.end().await;
        Ok(found)
    }

    async fn move_to(&self, from: Place, id: MessageId, to: Place) -> Result<(), QueueError> {
        self.take(from, id, Some(to)).await
    }

    async fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        self.take(place, id, None).await
    }

    async fn purge(&self, place: Place) -> Result<u64, QueueError> {
        let channel = self.channel().await?;
        let purge = channel.queue_purge(short(&self.address.name(place)), QueuePurgeOptions::default());
        Ok(within(self.address.limit, "purge a queue", purge).await?.into())
    }

    async fn close(&self) {
        Self::close(self).await;
    }

    async fn count(&self) -> Result<Counts, QueueError> {
        let channel = self.channel().await?;
        let ready = async |place| {
            let name = self.address.name(place);
            let queue = within(self.address.limit, "count messages", look(&channel, &name)).await?;
            Ok::<u64, QueueError>(queue.message_count().into())
        };
        let mut counts = Counts { main: ready(Place::Main).await?, ..Counts::default() };
        for number in 0..self.address.retries {
            counts.retry.push(ready(Place::Retry(number)).await?);
        }
        counts.dead = ready(Place::Dead).await?;
        counts.journal = ready(Place::Journal).await?;
        counts.locked = u64::from(self.hand.is_out());
        counts.main = counts.main.saturating_add(u64::from(self.hand.holds()));
        Ok(counts)
    }
}

fn requeue() -> BasicNackOptions {
    BasicNackOptions { requeue: true, ..BasicNackOptions::default() }
}

fn gone() -> QueueError {
    QueueError::Disconnected("the connection is gone".into())
}
