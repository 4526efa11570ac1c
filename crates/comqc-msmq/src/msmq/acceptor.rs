//! The side that other machines connect to.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use msmq_packet::Acknowledgment;
use msmq_session::{AckRoute, Event, Options, Session};
use remassist_core::Time;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};
use tracing::{Instrument as _, debug, info, info_span, warn};

use super::intake::{Intake, Receiver, Served, add};
use super::wire::{Step, Wire, asked};
use crate::QueueError;
use crate::sqlite::Outbox;

/// Addresses whose first bits are the same: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether an address is one of them. `::ffff:10.0.0.1` is `10.0.0.1`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |own: u128, other: u128, width: u32| {
            let rest = width.saturating_sub(self.bits.into());
            own.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => same(u32::from(own).into(), u32::from(other).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => same(own.into(), other.into(), 128),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, QueueError> {
        let wrong = || QueueError::Address(format!("{text:?} is no network like 10.0.0.0/8"));
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
        if bits > width { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

/// How an [`Acceptor`] works.
#[derive(Debug, Clone)]
pub struct AcceptorOptions {
    /// Who may connect: nobody by default. The protocol proves nothing about senders.
    pub allow: Vec<Network>,
    /// Sessions at most, in all and of one address.
    pub sessions: usize,
    /// See above.
    pub sessions_of_one: usize,
    /// How long a session may take to open.
    pub opening: Duration,
    /// How long a session may be open without a message.
    pub idle: Duration,
    /// Messages of a session that are not acknowledged at most, and their bytes.
    pub window: u16,
    /// See above; one message is always taken.
    pub bytes: usize,
    /// How long further messages are waited for before their order is acknowledged. Windows takes 500 ms; senders that wait
    /// for each acknowledgement want none.
    pub order_ack: Duration,
    /// Which way acknowledgements of order and fate go: over the session that the message came on, or to the sender's own
    /// port, for which a [`Sender`](super::Sender) has to run.
    pub acks: AckRoute,
    /// How far the clocks of senders may be off.
    pub clock_skew: Duration,
}

impl Default for AcceptorOptions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            sessions: 64,
            sessions_of_one: 16,
            opening: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            window: 64,
            bytes: 4 * 1024 * 1024,
            order_ack: Duration::ZERO,
            acks: AckRoute::Session,
            clock_skew: Duration::from_secs(300),
        }
    }
}

/// What an [`Acceptor`] has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Accepted {
    /// Sessions that were begun.
    pub sessions: u64,
    /// Connections that were not taken.
    pub refused: u64,
    /// Messages that were taken.
    pub delivered: u64,
    /// Messages that came again, or too early.
    pub duplicates: u64,
    /// Messages that were rejected.
    pub rejected: u64,
}

/// Where other machines connect to, and send messages for queues here.
///
/// A message is acknowledged when it is on disk in its queue, and not before.
pub struct Acceptor {
    listeners: Vec<TcpListener>,
    intake: Arc<Intake>,
    acks: broadcast::Sender<Acknowledgment>,
    options: AcceptorOptions,
    open: Arc<Open>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

/// Who has how many sessions.
type Open = Mutex<HashMap<IpAddr, usize>>;

/// Counts a session as long as it is there.
struct Counted {
    open: Arc<Open>,
    address: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

impl Acceptor {
    /// Binds these addresses, and no others. The store of the outbox tells who this queue manager is, and notes what has come
    /// for queues that are not in database files.
    ///
    /// # Errors
    /// [`QueueError::Address`] for addresses that cannot be bound and queues of the same name; those of the database.
    pub async fn bind(
        addresses: &[SocketAddr],
        outbox: Outbox,
        served: Vec<Served>,
        options: AcceptorOptions,
    ) -> Result<Self, QueueError> {
        let mut listeners = Vec::new();
        for address in addresses {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|error| QueueError::Address(format!("{address}: {error}")))?);
        }
        let (acks, _) = broadcast::channel(1024);
        let skew = u32::try_from(options.clock_skew.as_secs()).unwrap_or(u32::MAX);
        let intake = Intake::new(outbox, served, skew).await?;
        Ok(Self { listeners, intake, acks, options, open: Arc::default() })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    pub(super) fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    pub(super) fn acks(&self) -> &broadcast::Sender<Acknowledgment> {
        &self.acks
    }

    /// What it has counted.
    #[must_use]
    pub fn counted(&self) -> Accepted {
        let counters = &self.intake.counters;
        Accepted {
            sessions: counters.sessions.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            delivered: counters.delivered.load(Ordering::Relaxed),
            duplicates: counters.duplicates.load(Ordering::Relaxed),
            rejected: counters.rejected.load(Ordering::Relaxed),
        }
    }

    /// Takes messages until `shutdown` is there. Then all sessions end; what was not acknowledged comes again.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let (mut sessions, mut shutdown) = (JoinSet::new(), pin!(shutdown));
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.accept() => match accepted {
                    Ok((stream, peer)) => match self.admit(peer.ip()) {
                        Ok(counted) => {
                            let receiver = self.receiver(peer.ip());
                            let span = info_span!("session", %peer);
                            let session = session(stream, self.session(), receiver, stopped.clone(), counted);
                            sessions.spawn(session.instrument(span));
                        }
                        Err(reason) => {
                            debug!(%peer, reason, "refused");
                            add(&self.intake.counters.refused, 1);
                        }
                    },
                    Err(error) => {
                        // As a rule no more files may be opened: other sessions will end.
                        warn!(%error, "no connection can be taken");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = sessions.join_next() => {}
            }
        }
        stop.send_replace(true);
        while sessions.join_next().await.is_some() {}
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| {
            let mut asked = self.listeners.iter().map(|listener| listener.poll_accept(cx));
            asked.find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }

    /// Whether this address may have one more session.
    fn admit(&self, address: IpAddr) -> Result<Counted, &'static str> {
        let address = address.to_canonical();
        if !self.options.allow.iter().any(|network| network.contains(address)) {
            return Err("not allowed");
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().copied().fold(0, usize::saturating_add) >= self.options.sessions {
            return Err("too many sessions");
        }
        let own = open.entry(address).or_default();
        if *own >= self.options.sessions_of_one {
            return Err("too many sessions of this address");
        }
        *own = own.saturating_add(1);
        drop(open);
        add(&self.intake.counters.sessions, 1);
        Ok(Counted { open: Arc::clone(&self.open), address })
    }

    fn receiver(&self, address: IpAddr) -> Receiver {
        let connect = self.options.acks == AckRoute::Connect;
        Receiver::new(Some(Arc::clone(&self.intake)), self.acks.clone(), address, connect)
    }

    fn session(&self) -> Session {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut options = Options::new(self.intake.own());
        options.window = self.options.window;
        options.initialization = millis(self.options.opening);
        options.cleanup = millis(self.options.idle);
        options.order_ack = millis(self.options.order_ack);
        options.acks = self.options.acks;
        options.max_unsettled = self.options.window.max(1).into();
        options.max_unsettled_bytes = self.options.bytes;
        Session::accept(options, Time::default())
    }
}

/// A session that somebody else has begun.
async fn session(
    stream: TcpStream,
    session: Session,
    mut receiver: Receiver,
    mut stopped: watch::Receiver<bool>,
    counted: Counted,
) {
    let mut wire = Wire::new(stream, session);
    loop {
        while let Some(step) = wire.ready() {
            match step {
                Step::Over(reason) => {
                    debug!(?reason, "over");
                    drop(counted);
                    return;
                }
                Step::Event(Event::Open { peer }) => {
                    info!(peer = %peer.braced(), "open");
                    receiver.opened(peer);
                }
                Step::Event(Event::Arrived(arrived)) => {
                    if let Some(ack) = receiver.arrived(&mut wire, arrived) {
                        receiver.pass_on(ack);
                    }
                }
                Step::Event(Event::Acknowledge { ack, direct }) => {
                    receiver.acknowledge(&mut wire, &ack, direct).await;
                }
                Step::Event(_) => {}
            }
        }
        tokio::select! {
            () = wire.work() => {}
            reply = receiver.reply() => receiver.replied(&mut wire, reply).await,
            () = asked(&mut stopped), if !wire.is_over() => {
                let now = wire.now();
                wire.session.end(now);
            }
        }
    }
}
