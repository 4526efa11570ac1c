//! Brings what is in an outbox to where it shall go.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use comqc_session::{Address, DeadReason, DeliveryGuarantee, MessageId};
use msmq_packet::{Acknowledgment, TxSequenceId};
use msmq_session::{
    Delivery, Entry, Event, Expiry, Fate as WireFate, Journaling, Next, Options, Outgoing as Front, Reason,
    ResendSchedule, Session, Settled, Ticket,
};
use remassist_core::Time;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout};
use tracing::{Instrument as _, debug, info, info_span, warn};

use super::acceptor::Acceptor;
use super::intake::{Intake, Receiver, add};
use super::map::{class_name, to_wire};
use super::wire::{Step, Wire, asked, until};
use crate::QueueError;
use crate::sqlite::{Fate, Outbox, Outgoing, OutgoingKey, OutgoingQueue, step};
use crate::user_message::{identifier, seconds};

/// Bytes of messages that are loaded at a time.
const LOADED: u64 = 8 * 1024 * 1024;
/// How often messages that wait for their final acknowledgement are looked after.
const SWEEP: Duration = Duration::from_secs(60);

/// How a [`Sender`] works.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// The port of other machines.
    pub port: u16,
    /// Messages that are on their way and not acknowledged at most.
    pub window: u16,
    /// How long a connection may take.
    pub connect: Duration,
    /// The first wait after a session has failed; each further one is twice as long.
    pub error_wait: Duration,
    /// The longest of these waits.
    pub max_error_wait: Duration,
    /// How long a session stays open when there is nothing to send.
    pub idle: Duration,
    /// When transactional messages are sent again whose acknowledgement does not come.
    pub schedule: ResendSchedule,
    /// Takes what the other machine has on disk for delivered, without its word that it was in order and will not be
    /// rejected: for hosts that its acknowledgements cannot reach. **What it rejects is lost then**, against [MS-MQQB]
    /// 3.1.1.6.2.
    pub accept_session_ack_as_delivery: bool,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            port: msmq_packet::TCP_PORT,
            window: 64,
            connect: Duration::from_secs(15),
            error_wait: Duration::from_secs(1),
            max_error_wait: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            schedule: ResendSchedule::default(),
            accept_session_ack_as_delivery: false,
        }
    }
}

/// What a [`Sender`] has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Sent {
    /// Messages that were sent, those that were sent again too.
    pub sent: u64,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that the other machine has rejected.
    pub rejected: u64,
    /// Messages whose time was over.
    pub expired: u64,
    /// Sessions that were opened.
    pub sessions: u64,
    /// Connections and sessions that have failed.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    delivered: AtomicU64,
    rejected: AtomicU64,
    expired: AtomicU64,
    sessions: AtomicU64,
    failures: AtomicU64,
}

/// Brings the messages of an [`Outbox`] to their destinations. Of all senders of an outbox one works, whatever processes they
/// are in; another one takes over when it ends.
#[derive(Clone)]
pub struct Sender {
    outbox: Outbox,
    options: SenderOptions,
    counters: Arc<Counters>,
    intake: Option<Arc<Intake>>,
    acks: broadcast::Sender<Acknowledgment>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}

type Stopped = watch::Receiver<bool>;

impl Sender {
    /// A sender that does not run yet.
    #[must_use]
    pub fn new(outbox: Outbox, options: SenderOptions) -> Self {
        let (acks, _) = broadcast::channel(1024);
        Self { outbox, options, counters: Arc::default(), intake: None, acks }
    }

    /// With the acceptor of this machine, to which others send their acknowledgements, and which takes what they send on
    /// sessions of this sender.
    #[must_use]
    pub fn with_acceptor(self, acceptor: &Acceptor) -> Self {
        Self { intake: Some(Arc::clone(acceptor.intake())), acks: acceptor.acks().clone(), ..self }
    }

    /// What it has counted.
    #[must_use]
    pub fn counted(&self) -> Sent {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { sent, delivered, rejected, expired, sessions, failures } = &*self.counters;
        Sent {
            sent: read(sent),
            delivered: read(delivered),
            rejected: read(rejected),
            expired: read(expired),
            sessions: read(sessions),
            failures: read(failures),
        }
    }

    /// Delivers until `shutdown` is there. What was not acknowledged until then is sent again by the next sender.
    ///
    /// # Errors
    /// When the outbox cannot be used.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<(), QueueError> {
        let (stop, stopped) = watch::channel(false);
        let mut work = pin!(self.work(stopped));
        tokio::select! {
            result = &mut work => return result,
            () = shutdown => stop.send_replace(true),
        };
        work.await
    }

    async fn work(&self, mut stopped: Stopped) -> Result<(), QueueError> {
        let Some(_only) = self.only(&mut stopped).await? else { return Ok(()) };
        let (mut changes, mut acks) = (self.outbox.changes(), self.acks.subscribe());
        let (mut tasks, mut busy) = (JoinSet::new(), HashSet::new());
        let mut swept: Option<Instant> = None;
        while !*stopped.borrow() {
            changes.mark_unchanged();
            if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
                let outbox = self.outbox.clone();
                step(move || outbox.sweep()).await?;
                swept = Some(Instant::now());
            }
            let outbox = self.outbox.clone();
            for queue in step(move || outbox.waiting()).await? {
                let name = queue.destination().to_string();
                if busy.insert(name.clone()) {
                    let span = info_span!("destination", name);
                    let route = Route::new(self.clone(), queue, stopped.clone());
                    tasks.spawn(async move { (name, route.run().await) }.instrument(span));
                }
            }
            tokio::select! {
                Some(ended) = tasks.join_next() => {
                    let (name, result) = ended.map_err(|error| QueueError::Backend(error.to_string()))?;
                    busy.remove(&name);
                    if let Err(error) = result {
                        self.may_pass(error)?;
                        let _ = timeout(self.options.error_wait, asked(&mut stopped)).await;
                    }
                }
                Ok(ack) = acks.recv() => self.finished(&ack).await?,
                _ = changes.changed() => {}
                () = until(Instant::now().checked_add(self.outbox.poll())) => {}
                () = asked(&mut stopped) => {}
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| QueueError::Backend(error.to_string()))?.1?;
        }
        Ok(())
    }

    /// Whether it is worth trying again after an error of the outbox.
    fn may_pass(&self, error: QueueError) -> Result<(), QueueError> {
        if matches!(error, QueueError::Full(_) | QueueError::Backend(_)) {
            warn!(%error, "the outbox fails");
            add(&self.counters.failures, 1);
            return Ok(());
        }
        Err(error)
    }

    /// Waits until no other sender has the outbox; nothing when stopped before.
    async fn only(&self, stopped: &mut Stopped) -> Result<Option<File>, QueueError> {
        let mut path = self.outbox.store().path().as_os_str().to_owned();
        path.push("-sender");
        let wrong = |error: io::Error| QueueError::Backend(format!("{}: {error}", path.display()));
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(wrong)?;
        let mut waits = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if !waits => {
                    info!("another sender has the outbox");
                    waits = true;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(wrong(error)),
            }
            if timeout(self.outbox.poll(), asked(stopped)).await.is_ok() {
                return Ok(None);
            }
        }
    }

    /// A message was delivered for which its destination tells later what has become of it: now it tells.
    async fn finished(&self, ack: &Acknowledgment) -> Result<(), QueueError> {
        let Acknowledgment::Final(ack) = *ack else { return Ok(()) };
        let id = MessageId { lineage: ack.message.queue_manager, uniquifier: ack.message.ordinal };
        let fate = match ack.is_positive() {
            true => Fate::Delivered,
            false => dead(DeadReason::Undeliverable, ack.class),
        };
        let outbox = self.outbox.clone();
        if step(move || outbox.finish(id, &fate)).await? && !ack.is_positive() {
            warn!(%id, class = class_name(ack.class), "rejected");
            add(&self.counters.rejected, 1);
        }
        Ok(())
    }
}

fn dead(reason: DeadReason, class: msmq_packet::MessageClass) -> Fate {
    Fate::Dead(reason, class_name(class))
}

/// The way to one destination.
struct Route {
    sender: Sender,
    queue: OutgoingQueue,
    stopped: Stopped,
    begun: Instant,
    front: Front,
    /// What the front has, by its number of the message.
    loaded: HashMap<OutgoingKey, Outgoing>,
    /// The queue manager that sends what is loaded.
    manager: Option<uuid::Uuid>,
    /// The sequence of the last transactional message that was sent.
    sequence: Option<TxSequenceId>,
    /// What has become of messages and is not noted yet.
    fates: Vec<(OutgoingKey, Fate)>,
    noting: Option<tokio::task::JoinHandle<Result<Vec<OutgoingKey>, QueueError>>>,
    /// There may be more in the outbox than is loaded.
    more: bool,
}

/// How a session ended.
enum End {
    /// There is nothing to send any more, or the sender is stopped.
    Done,
    /// It has to be tried again.
    Failed(String),
    /// It has sent or received; the wait begins anew.
    Broken(Reason),
}

impl Route {
    fn new(sender: Sender, queue: OutgoingQueue, stopped: Stopped) -> Self {
        let mut front = Front::new(sender.options.schedule, Time::default());
        if sender.options.accept_session_ack_as_delivery {
            front = front.accepting_session_acks_as_delivery();
        }
        Self {
            sender,
            queue,
            stopped,
            begun: Instant::now(),
            front,
            loaded: HashMap::new(),
            manager: None,
            sequence: None,
            fates: Vec::new(),
            noting: None,
            more: true,
        }
    }

    fn now(&self) -> Time {
        Time::default().after(self.begun.elapsed())
    }

    /// Delivers until nothing waits.
    async fn run(mut self) -> Result<(), QueueError> {
        let options = self.sender.options.clone();
        let mut wait = options.error_wait;
        loop {
            if self.loaded.is_empty() {
                self.manager = None;
            }
            self.load().await?;
            self.expire();
            if self.loaded.is_empty() && !self.more {
                break;
            }
            let failed = match self.session().await? {
                End::Done => None,
                End::Broken(reason) => {
                    wait = options.error_wait;
                    Some(format!("{reason:?}"))
                }
                End::Failed(error) => Some(error),
            };
            self.front.disconnected();
            if *self.stopped.borrow() {
                break;
            }
            if let Some(error) = failed {
                add(&self.sender.counters.failures, 1);
                warn!(error, ?wait, "not delivered");
                let _ = timeout(wait, asked(&mut self.stopped)).await;
                wait = wait.saturating_mul(2).min(options.max_error_wait);
            }
            if *self.stopped.borrow() {
                break;
            }
        }
        self.note_all().await
    }

    /// Loads what is next.
    async fn load(&mut self) -> Result<(), QueueError> {
        let window = usize::from(self.sender.options.window.max(1));
        if !self.more || self.front.len() >= window {
            return Ok(());
        }
        let known: HashSet<_> = self.loaded.keys().copied().collect();
        let queue = self.queue.clone();
        let most = window.saturating_mul(2);
        let next = step(move || queue.next(&known, most, LOADED)).await?;
        self.more = !next.is_empty();
        for outgoing in next {
            // Numbers of another queue manager are for another session.
            if *self.manager.get_or_insert(outgoing.id.lineage) != outgoing.id.lineage {
                break;
            }
            let properties = &outgoing.received.message.properties;
            let delivery = match outgoing.place {
                Some(place) => Delivery::Transactional(place),
                None if properties.delivery == DeliveryGuarantee::EXPRESS => Delivery::Express,
                None => Delivery::Recoverable,
            };
            let for_ever = |seconds: Option<u32>| seconds.unwrap_or(msmq_packet::INFINITE);
            self.front.add(Entry {
                ticket: Ticket(outgoing.key.number()),
                message: identifier(outgoing.id),
                delivery,
                journaling: Journaling {
                    negative: properties.negative_journaling,
                    positive: properties.positive_journaling,
                },
                expiry: Expiry {
                    sent: seconds(outgoing.received.sent),
                    reach_queue: for_ever(properties.time_to_reach_queue),
                    be_received: for_ever(properties.time_to_be_received),
                },
            });
            self.loaded.insert(outgoing.key, outgoing);
        }
        Ok(())
    }

    /// Takes out what is too late, without a session.
    fn expire(&mut self) {
        while let Next::Expired(settled) =
            self.front.next(self.now(), seconds(self.sender.outbox.now()), false)
        {
            self.settled(settled);
        }
    }

    /// Remembers what has become of a message.
    fn settled(&mut self, Settled { ticket, fate }: Settled) {
        let key = OutgoingKey::of(ticket.0);
        let counters = &self.sender.counters;
        let id = self.loaded.get(&key).map(|outgoing| outgoing.received.id).unwrap_or(MessageId::NIL);
        let fate = match fate {
            WireFate::Rejected(class) | WireFate::DeadLetter(class) => {
                warn!(%id, class = class_name(class), "rejected");
                add(&counters.rejected, 1);
                dead(DeadReason::Undeliverable, class)
            }
            WireFate::Expired { class, dead_letter } => {
                warn!(%id, class = class_name(class), "too late");
                add(&counters.expired, 1);
                if dead_letter { dead(DeadReason::Expired, class) } else { Fate::Dropped }
            }
            fate => {
                debug!(%id, "delivered");
                add(&counters.delivered, 1);
                if fate == WireFate::AwaitFinalAck { Fate::AwaitsFinal } else { Fate::Delivered }
            }
        };
        self.fates.push((key, fate));
    }

    /// Begins to note what has become of messages, all at once, unless it is doing so.
    fn note(&mut self) {
        if self.noting.is_some() || self.fates.is_empty() {
            return;
        }
        let (queue, fates) = (self.queue.clone(), std::mem::take(&mut self.fates));
        self.noting = Some(tokio::task::spawn_blocking(move || {
            queue.settle(&fates)?;
            Ok(fates.into_iter().map(|(key, _)| key).collect())
        }));
    }

    /// Waits until what was begun is noted.
    async fn noted(&mut self) -> Result<(), QueueError> {
        let Some(noting) = &mut self.noting else { return std::future::pending().await };
        let noted = noting.await;
        self.noting = None;
        for key in noted.map_err(|error| QueueError::Backend(error.to_string()))?? {
            self.loaded.remove(&key);
        }
        Ok(())
    }

    async fn note_all(&mut self) -> Result<(), QueueError> {
        loop {
            self.note();
            if self.noting.is_none() {
                return Ok(());
            }
            self.noted().await?;
        }
    }

    async fn connect(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let port = self.sender.options.port;
        let addresses: Vec<_> = match &self.queue.destination().address {
            Address::Tcp(address) => vec![SocketAddr::new(*address, port)],
            Address::Os(name) => lookup_host((&**name, port)).await?.collect(),
            _ => Vec::new(),
        };
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => failed = io::Error::new(error.kind(), format!("{address}: {error}")),
            }
        }
        Err(failed)
    }

    /// One session, until it ends or there is nothing to send.
    async fn session(&mut self) -> Result<End, QueueError> {
        let mut stopped = self.stopped.clone();
        let connected = tokio::select! {
            connected = timeout(self.sender.options.connect, self.connect()) => connected,
            () = asked(&mut stopped) => return Ok(End::Done),
        };
        let (stream, address) = match connected {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Ok(End::Failed(error.to_string())),
            Err(_) => return Ok(End::Failed("nobody answers".into())),
        };
        let manager = match (self.manager, &self.sender.intake) {
            (Some(manager), _) => manager,
            (None, Some(intake)) => intake.own(),
            (None, None) => return Ok(End::Done),
        };
        let mut options = Options::new(manager);
        options.window = self.sender.options.window;
        let mut wire = Wire::new(stream, Session::initiate(options, Time::default()));
        let (intake, acks) = (self.sender.intake.clone(), self.sender.acks.clone());
        let mut elsewhere = acks.subscribe();
        let mut receiver = Receiver::new(intake, acks, address.ip(), false);
        let (mut changes, mut idle) = (self.sender.outbox.changes(), None);
        let mut opened = false;
        loop {
            while let Some(step) = wire.ready() {
                match step {
                    Step::Over(Reason::Local | Reason::Idle) => return Ok(End::Done),
                    Step::Over(reason) if opened => return Ok(End::Broken(reason)),
                    Step::Over(reason) => return Ok(End::Failed(format!("{reason:?}"))),
                    Step::Event(Event::Open { peer }) => {
                        info!(peer = %peer.braced(), %address, "open");
                        add(&self.sender.counters.sessions, 1);
                        opened = true;
                        receiver.opened(peer);
                    }
                    Step::Event(Event::Acknowledged(ticket)) => {
                        if let Some(settled) = self.front.acknowledged(ticket) {
                            self.settled(settled);
                        }
                    }
                    Step::Event(Event::Arrived(arrived)) => {
                        if let Some(ack) = receiver.arrived(&mut wire, arrived) {
                            self.acknowledged(&ack).await?;
                        }
                    }
                    Step::Event(Event::Acknowledge { ack, direct }) => {
                        receiver.acknowledge(&mut wire, &ack, direct).await;
                    }
                    Step::Event(_) => {}
                }
            }
            self.note();
            // Whatever else has ended the last wait, too.
            self.more |= changes.has_changed().unwrap_or(false);
            changes.mark_unchanged();
            self.load().await?;
            if self.loaded.is_empty() && self.more && !wire.is_over() {
                // What is next is from another queue manager.
                let now = wire.now();
                wire.session.end(now);
                continue;
            }
            let (due, sent) = self.send(&mut wire).await?;
            if sent || (self.noting.is_none() && !self.fates.is_empty()) {
                // The session has something to say now, or something is to be noted.
                continue;
            }
            let now = Instant::now();
            let empty = self.loaded.is_empty() && self.fates.is_empty();
            idle = if empty { idle.or(now.checked_add(self.sender.options.idle)) } else { None };
            let due = due.and_then(|due| self.begun.checked_add(Duration::from_millis(due.0)));
            let poll = now.checked_add(self.sender.outbox.poll());
            tokio::select! {
                () = wire.work() => {}
                noted = self.noted() => noted?,
                reply = receiver.reply() => receiver.replied(&mut wire, reply).await,
                Ok(ack) = elsewhere.recv() => self.acknowledged(&ack).await?,
                _ = changes.changed() => self.more = true,
                () = until(poll) => self.more = true,
                () = until(due) => {}
                () = until(idle), if !wire.is_over() => {
                    let now = wire.now();
                    wire.session.end(now);
                }
                () = asked(&mut stopped), if !wire.is_over() => {
                    let now = wire.now();
                    wire.session.end(now);
                }
            }
        }
    }

    /// Takes an OrderAck or FinalAck.
    async fn acknowledged(&mut self, ack: &Acknowledgment) -> Result<(), QueueError> {
        let settled = self.front.transaction_acknowledged(ack);
        if settled.is_empty() {
            return self.sender.finished(ack).await;
        }
        settled.into_iter().for_each(|settled| self.settled(settled));
        Ok(())
    }

    /// Sends what can be sent; when to ask again at the latest, and whether anything was sent.
    async fn send(&mut self, wire: &mut Wire) -> Result<(Option<Time>, bool), QueueError> {
        let mut any = false;
        loop {
            let can_send = wire.session.can_send() && !wire.is_over();
            match self.front.next(self.now(), seconds(self.sender.outbox.now()), can_send) {
                Next::Wait(due) => return Ok((due, any)),
                Next::Expired(settled) => self.settled(settled),
                Next::Send { ticket, previous } => {
                    let key = OutgoingKey::of(ticket.0);
                    let place = self.loaded.get(&key).and_then(|outgoing| outgoing.place);
                    if place.is_some_and(|place| self.sequence.replace(place.id) != Some(place.id)) {
                        // Once a later sequence has come, the destination acknowledges nothing of earlier ones any more:
                        // they must be gone for good.
                        self.note_all().await?;
                    }
                    let Some(outgoing) = self.loaded.get(&key) else { continue };
                    let message = to_wire(outgoing, self.queue.destination(), previous)?;
                    let sent = wire.session.send(wire.now(), ticket, message);
                    sent.map_err(|error| QueueError::Unsendable(error.to_string()))?;
                    add(&self.sender.counters.sent, 1);
                    any = true;
                }
            }
        }
    }
}
