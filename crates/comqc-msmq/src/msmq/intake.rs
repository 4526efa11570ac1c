//! What comes from other machines, on its way into queues here.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use comqc_session::{DirectName, DirectQueue as Named, MessageId, QueueName};
use msmq_packet::{Acknowledgment, MessageIdentifier, QueueName as WireName, UserMessage};
use msmq_session::{
    Arrived, Decision, Facts, Handle, IncomingSequence, Room, Settlement, Target, Ticket, Verdict,
    administration_ack, judge,
};
use tokio::sync::{Mutex, broadcast, mpsc};
use tokio::task::yield_now;
use tracing::{debug, warn};
use uuid::Uuid;

use super::map::{class_name, from_wire};
use super::wire::Wire;
use crate::check::check_carried;
use crate::sqlite::{Arrival, Outbox, Store, StoredQueue, Transfer, step};
use crate::user_message::{identifier, seconds};
use crate::{Queue, QueueError};

/// Messages that are committed together, at most, and their bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Identifiers of acknowledgements that are reserved at a time.
const RESERVED: u32 = 10_000;

/// A queue that other machines may send to.
#[derive(Clone)]
pub struct Served {
    /// Its name: senders find it as `DIRECT=OS:host\private$\name`.
    pub name: QueueName,
    /// It takes transactional messages and no others; as queues of COM+ do. Otherwise, it takes others alone.
    pub transactional: bool,
    /// Where its messages go.
    pub target: ServedTarget,
}

/// Where messages from other machines go.
#[derive(Clone)]
pub enum ServedTarget {
    /// Into a queue in a database file: one commit takes a message and notes that it has come, so that it is taken once.
    Stored(StoredQueue),
    /// Into any queue. What has come is noted in the store of the acceptor after the queue has it; a message may come twice
    /// when this process is killed between the two, with the same identifier.
    Other(Arc<dyn Queue>),
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served")
            .field("name", &self.name)
            .field("transactional", &self.transactional)
            .finish_non_exhaustive()
    }
}

/// What a committer says of a message.
type Reply = (Handle, Result<(Verdict, Arrival), String>);

/// A message on its way to a committer.
struct Job {
    arrival: Arrival,
    handle: Handle,
    reply: mpsc::UnboundedSender<Reply>,
    /// One before it, of the same session, was not taken: it must not overtake it.
    broken: Arc<AtomicBool>,
}

/// The counters of an acceptor.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sessions: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) rejected: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// The queues here, and who commits to them.
pub(super) struct Intake {
    own: Uuid,
    outbox: Outbox,
    clock_skew: u32,
    queues: HashMap<String, (Arc<str>, bool, mpsc::UnboundedSender<Job>)>,
    ids: Mutex<(MessageId, u32)>,
    pub(super) counters: Counters,
}

impl Intake {
    /// Begins to commit, until it is dropped.
    pub(super) async fn new(
        outbox: Outbox,
        served: Vec<Served>,
        clock_skew: u32,
    ) -> Result<Arc<Self>, QueueError> {
        let ids = reserve(&outbox).await?;
        let mut queues = HashMap::new();
        for Served { name, transactional, target } in served {
            let (jobs, taken) = mpsc::unbounded_channel();
            let text: Arc<str> = format!("private$\\{name}").into();
            tokio::spawn(commit(target, outbox.store().clone(), taken));
            if queues.insert(name.to_string().to_lowercase(), (text, transactional, jobs)).is_some() {
                return Err(QueueError::Address(format!("queue {name} is served twice")));
            }
        }
        Ok(Arc::new(Self {
            own: ids.0.lineage,
            outbox,
            clock_skew,
            queues,
            ids: Mutex::new(ids),
            counters: Counters::default(),
        }))
    }

    /// Who this queue manager is.
    pub(super) fn own(&self) -> Uuid {
        self.own
    }

    /// An identifier for a message of this queue manager.
    async fn identifier(&self) -> Result<MessageIdentifier, QueueError> {
        let mut ids = self.ids.lock().await;
        if ids.1 == 0 {
            *ids = reserve(&self.outbox).await?;
        }
        let id = ids.0;
        ids.0.uniquifier = id.uniquifier.saturating_add(1);
        ids.1 = ids.1.saturating_sub(1);
        Ok(identifier(id))
    }

    /// The queue that a message is for.
    fn queue(&self, message: &UserMessage<'_>) -> Option<&(Arc<str>, bool, mpsc::UnboundedSender<Job>)> {
        let name = message.user.destination_queue.as_direct()?.to_text();
        let Ok(DirectName { queue: Named::Private(name), .. }) = name.parse() else { return None };
        self.queues.get(&name.to_string().to_lowercase())
    }
}

async fn reserve(outbox: &Outbox) -> Result<(MessageId, u32), QueueError> {
    let outbox = outbox.clone();
    // Whoever has used up the last numbers of a lineage gets fewer.
    let first = step(move || outbox.reserve(RESERVED)).await?;
    Ok((first, RESERVED.min(u32::MAX.saturating_sub(first.uniquifier))))
}

/// The side of a session where messages come.
pub(super) struct Receiver {
    intake: Option<Arc<Intake>>,
    acks: broadcast::Sender<Acknowledgment>,
    address: IpAddr,
    peer: Uuid,
    connect_acks: bool,
    tickets: u64,
    reply: mpsc::UnboundedSender<Reply>,
    replies: mpsc::UnboundedReceiver<Reply>,
    broken: Arc<AtomicBool>,
}

impl Receiver {
    /// Without an intake, only acknowledgements are taken.
    pub(super) fn new(
        intake: Option<Arc<Intake>>,
        acks: broadcast::Sender<Acknowledgment>,
        address: IpAddr,
        connect_acks: bool,
    ) -> Self {
        let (reply, replies) = mpsc::unbounded_channel();
        // Addresses of IPv4 look like themselves, however the socket tells them.
        let address = address.to_canonical();
        Self {
            intake,
            acks,
            address,
            peer: Uuid::nil(),
            connect_acks,
            tickets: 1 << 63,
            reply,
            replies,
            broken: Arc::default(),
        }
    }

    pub(super) fn opened(&mut self, peer: Uuid) {
        self.peer = peer;
    }

    /// Takes a message that has come; an acknowledgement is given back.
    pub(super) fn arrived(&mut self, wire: &mut Wire, arrived: Arrived) -> Option<Acknowledgment> {
        let now = wire.now();
        let Arrived { handle, mut message, .. } = arrived;
        if let Some(ack) = message.acknowledgment() {
            let _over = wire.session.settle(now, handle, Settlement::default());
            return Some(ack);
        }
        let Some(intake) = &self.intake else {
            // Another process here may be the one that takes it.
            wire.session.refuse(now);
            return None;
        };
        let received = from_wire(&mut message, self.peer, self.address);
        let facts = Facts {
            own: intake.own,
            unix: seconds(intake.outbox.now()),
            clock_skew: intake.clock_skew,
            target: None,
            sequence: IncomingSequence::default(),
            known: false,
            insecure_nacks: false,
        };
        let Some((queue, transactional, jobs)) = intake.queue(&message) else {
            let verdict = judge(&message, &facts);
            let arrival = Arrival { queue: "".into(), headers: message, received, facts };
            let _here = self.reply.send((handle, Ok((verdict, arrival))));
            return None;
        };
        let target = Target {
            transactional: *transactional,
            authenticated: false,
            writable: true,
            // What no queue takes never fits.
            room: if check_carried(&received.message).is_ok() { Room::Enough } else { Room::QueueFull },
        };
        let facts = Facts { target: Some(target), ..facts };
        let arrival = Arrival { queue: Arc::clone(queue), headers: message, received, facts };
        let (reply, broken) = (self.reply.clone(), Arc::clone(&self.broken));
        let _never_ends = jobs.send(Job { arrival, handle, reply, broken });
        None
    }

    /// What a committer says next. May be dropped at any time.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }

    /// Tells the session what a committer has said, and what others have said meanwhile.
    pub(super) async fn replied(&mut self, wire: &mut Wire, first: Option<Reply>) {
        let mut next = first;
        while let Some((handle, said)) = next {
            match said {
                Ok((Verdict { decision: Decision::Later, .. }, _)) => wire.session.refuse(wire.now()),
                Ok((verdict, arrival)) => {
                    self.tell(&verdict, &arrival).await;
                    let _over = wire.session.settle(wire.now(), handle, verdict.settlement);
                }
                Err(error) => {
                    warn!(%error, peer = %self.address, "a message is not taken; it comes again");
                    wire.session.refuse(wire.now());
                }
            }
            next = self.replies.try_recv().ok();
        }
    }

    /// Counts, and tells the administration queue where the message wants it.
    async fn tell(&self, verdict: &Verdict, arrival: &Arrival) {
        let Some(intake) = &self.intake else { return };
        let (id, counters) = (arrival.received.id, &intake.counters);
        match verdict.decision {
            Decision::Deliver => add(&counters.delivered, 1),
            Decision::Duplicate | Decision::OutOfOrder => {
                debug!(%id, peer = %self.address, decision = ?verdict.decision, "not taken");
                add(&counters.duplicates, 1);
            }
            Decision::Reject(class) => {
                warn!(%id, peer = %self.address, class = class_name(class), "rejected");
                add(&counters.rejected, 1);
            }
            _ => {}
        }
        let Some(class) = verdict.administration else { return };
        let told = async {
            let mut headers = arrival.headers.clone();
            headers.properties.body = arrival.received.message.body.clone();
            let sent = seconds(intake.outbox.now());
            let ack = administration_ack(&headers, class, intake.identifier().await?, sent);
            match ack {
                Some(ack) => self.through_outbox(intake, ack).await,
                None => Ok(()),
            }
        };
        if let Err(error) = told.await {
            warn!(%error, %id, "the administration queue is not told");
        }
    }

    /// Sends an OrderAck or FinalAck that is due.
    pub(super) async fn acknowledge(&mut self, wire: &mut Wire, ack: &Acknowledgment, direct: bool) {
        let Some(intake) = &self.intake else { return };
        let made = async {
            let id = intake.identifier().await?;
            let address = self.address.to_string();
            let destination = match direct || self.connect_acks {
                true => WireName::order_queue(&address),
                false => WireName::PrivateOnDestination { identifier: msmq_packet::ORDER_QUEUE_ID },
            };
            let sent = seconds(intake.outbox.now());
            let message = match ack {
                Acknowledgment::Order(ack) => ack.message(id, sent, destination),
                Acknowledgment::Final(ack) => ack.message(id, sent, destination),
            };
            if self.connect_acks {
                return self.through_outbox(intake, message).await.map(|()| None);
            }
            Ok::<_, QueueError>(Some(message))
        };
        match made.await {
            Ok(None) => {}
            Ok(Some(message)) => {
                self.tickets = self.tickets.wrapping_add(1);
                let sent = wire.session.send(wire.now(), Ticket(self.tickets), message);
                if let Err(error) = sent {
                    debug!(%error, "an acknowledgement is not sent; it comes again with its message");
                }
            }
            Err(error) => warn!(%error, "an acknowledgement cannot be sent"),
        }
    }

    /// Has a message of this queue manager delivered as all others are.
    async fn through_outbox(&self, intake: &Intake, message: UserMessage<'_>) -> Result<(), QueueError> {
        let mut message = message.into_owned();
        let Some(name) = message.user.destination_queue.as_direct().map(|name| name.to_text()) else {
            return Ok(());
        };
        let name: DirectName =
            name.parse().map_err(|error| QueueError::Address(format!("{name:?}: {error}")))?;
        let message = from_wire(&mut message, intake.own, Ipv4Addr::LOCALHOST.into()).message;
        let outbox = intake.outbox.clone();
        step(move || outbox.to(&name)?.accept(&[message], Transfer::Plain).map(drop)).await
    }

    /// Gives an acknowledgement to whoever waits for it.
    pub(super) fn pass_on(&self, ack: Acknowledgment) {
        let _nobody_waits = self.acks.send(ack);
    }
}

/// Commits what comes for one queue, in its order, many at a time.
async fn commit(target: ServedTarget, state: Store, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut first = None;
    loop {
        let Some(job) = (match first.take() {
            Some(job) => Some(job),
            None => jobs.recv().await,
        }) else {
            return;
        };
        // What one read has brought comes at once.
        let mut waiting = None;
        while waiting != Some(jobs.len()) && jobs.len() < BATCH {
            waiting = Some(jobs.len());
            yield_now().await;
        }
        let (mut batch, mut bytes) = (vec![job], 0_usize);
        while batch.len() < BATCH {
            let Ok(job) = jobs.try_recv() else { break };
            bytes = bytes.saturating_add(job.arrival.received.message.body.len());
            if bytes > BATCH_BYTES {
                first = Some(job);
                break;
            }
            batch.push(job);
        }
        batch.retain(|job| !job.broken.load(Ordering::Acquire));
        match &target {
            ServedTarget::Stored(queue) => store(queue, batch).await,
            ServedTarget::Other(queue) => {
                for job in batch {
                    pass(&**queue, &state, job).await;
                }
            }
        }
    }
}

impl Job {
    fn done(self, verdict: Verdict) {
        let _session_is_over = self.reply.send((self.handle, Ok((verdict, self.arrival))));
    }

    fn failed(self, error: &str) {
        self.broken.store(true, Ordering::Release);
        let _session_is_over = self.reply.send((self.handle, Err(error.to_owned())));
    }
}

/// All of a batch in one transaction.
async fn store(queue: &StoredQueue, batch: Vec<Job>) {
    let queue = queue.clone();
    let stored = tokio::task::spawn_blocking(move || {
        let (arrivals, jobs): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|Job { arrival, handle, reply, broken }| (arrival, (handle, reply, broken)))
            .unzip();
        let verdicts = queue.take(&arrivals).map_err(|error| error.to_string());
        for (index, (arrival, (handle, reply, broken))) in arrivals.into_iter().zip(jobs).enumerate() {
            let job = Job { arrival, handle, reply, broken };
            match &verdicts {
                Ok(verdicts) => match verdicts.get(index) {
                    Some(verdict) => job.done(*verdict),
                    None => job.failed("no verdict"),
                },
                Err(error) => job.failed(error),
            }
        }
    });
    // A panic ends no session: its replies are missed, and it times out.
    let _done = stored.await;
}

/// One message into a queue that is somewhere else.
async fn pass(queue: &dyn Queue, state: &Store, job: Job) {
    if job.broken.load(Ordering::Acquire) {
        return;
    }
    let (store, arrival) = (state.clone(), job.arrival.clone());
    let passed = async {
        let verdict = {
            let (store, arrival) = (store.clone(), arrival.clone());
            step(move || store.judge(&arrival)).await?
        };
        if verdict.decision == Decision::Deliver {
            queue.forward(arrival.received.clone()).await?;
        }
        step(move || store.note(&[(arrival, verdict)])).await?;
        Ok::<_, QueueError>(verdict)
    };
    match passed.await {
        Ok(verdict) => job.done(verdict),
        Err(error) => job.failed(&error.to_string()),
    }
}
