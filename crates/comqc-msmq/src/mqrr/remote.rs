//! A queue of another queue manager as a [`Queue`].

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use comqc_session::{Address, DirectName, FormatName, MessageId, QueueMessage, Received, Verdict};
use rpc_net::ConnectOptions;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::client::{Picked, RemoteRead, StartReceive};
use super::idl::{MQ_DENY_NONE, PEEK_ACCESS, RECEIVE_ACCESS, action};
use crate::rpc::{ContextHandle, MqStatus, QueueFormat, RpcError, unpack};
use crate::{Counts, Delivery, Listed, Place, Queue, QueueError};

/// How a [`RemoteQueue`] is reached.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// Credentials, mechanism and level: packet privacy unless something else is asked for.
    pub connect: ConnectOptions,
    /// Port of RemoteRead; without one the endpoint mapper at port 135 is asked.
    pub port: Option<u16>,
    /// The GUID that this client gives for its queue manager.
    pub client: Uuid,
    /// Only look at messages: PEEK_ACCESS.
    pub peek_only: bool,
    /// The longest wait of one call; longer ones are made of several.
    pub slice: Duration,
    /// The most messages that counting looks at.
    pub most_counted: u64,
}

impl RemoteOptions {
    /// NTLM at packet privacy, by the endpoint mapper, to receive; 20 seconds for one call, 100,000 messages counted.
    #[must_use]
    pub fn new(connect: ConnectOptions) -> Self {
        Self {
            connect,
            port: None,
            client: Uuid::nil(),
            peek_only: false,
            slice: Duration::from_secs(20),
            most_counted: 100_000,
        }
    }
}

/// A queue of another queue manager, read by RemoteRead ([MS-MQRR]). Clones are the same one.
///
/// A message that [`receive`](Queue::receive) gives is locked at its server until it is settled, or the connection ends:
/// `Done` acknowledges it (RR_ACK), which removes it; `Again` and `Return` leave it there (RR_NACK), at the front. The protocol
/// has no retry queues and no dead queue: for `Retry` and `Dead` the message is put [`aside`](Self::with_aside), into a queue of
/// this side, and then acknowledged; without one they are [`QueueError::Unsupported`], and the lock stays. A
/// [`Mover`](super::Mover) takes all messages into a store of this side, where everything else is done.
#[derive(Debug, Clone)]
pub struct RemoteQueue {
    inner: Arc<Inner>,
}

struct Inner {
    host: String,
    name: DirectName,
    options: RemoteOptions,
    line: Mutex<Option<Line>>,
    generation: AtomicU64,
    request: AtomicU32,
    aside: Option<Arc<dyn Queue>>,
    failures: std::sync::Mutex<HashMap<MessageId, u32>>,
    /// Locks of deliveries that are not settled.
    held: std::sync::Mutex<HashSet<u64>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An open queue.
#[derive(Debug, Clone)]
struct Line {
    read: RemoteRead,
    context: ContextHandle,
    generation: u32,
}

/// How many failures are remembered.
const FAILURES: usize = 1024;

impl RemoteQueue {
    /// A queue by its direct format name, `OS:host\PRIVATE$\App` or `TCP:address\..`. Nothing is connected yet.
    ///
    /// # Errors
    /// For addresses of other protocols.
    pub fn new(name: DirectName, options: RemoteOptions) -> Result<Self, QueueError> {
        let host = match &name.address {
            Address::Os(host) => host.to_string(),
            Address::Tcp(address) => address.to_string(),
            _ => return Err(QueueError::Address(format!("{name} is not read over RPC"))),
        };
        Ok(Self { inner: Arc::new(Inner::new(host, name, options, None)) })
    }

    /// With a queue of this side for messages that are to be tried again later, or never will be played: they go there as
    /// they are, with their identifiers, and only then are they acknowledged.
    #[must_use]
    pub fn with_aside(self, aside: Arc<dyn Queue>) -> Self {
        let Inner { host, name, options, .. } = &*self.inner;
        let inner = Inner::new(host.clone(), name.clone(), options.clone(), Some(aside));
        Self { inner: Arc::new(inner) }
    }

    /// The name of the queue.
    #[must_use]
    pub fn name(&self) -> &DirectName {
        &self.inner.name
    }

    /// Closes the queue; what was received and not settled comes again. The next call opens it again.
    pub async fn close(&self) {
        let line = self.inner.line.lock().await.take();
        if let Some(line) = line {
            // The server does the same when the connection ends.
            let _ = line.read.close_queue(line.context).await;
        }
    }
}

impl Inner {
    fn new(host: String, name: DirectName, options: RemoteOptions, aside: Option<Arc<dyn Queue>>) -> Self {
        Self {
            host,
            name,
            options,
            line: Mutex::default(),
            generation: AtomicU64::new(0),
            request: AtomicU32::new(1),
            aside,
            failures: std::sync::Mutex::default(),
            held: std::sync::Mutex::default(),
        }
    }

    async fn line(&self) -> Result<Line, QueueError> {
        let mut place = self.line.lock().await;
        if let Some(line) = &*place {
            return Ok(line.clone());
        }
        let options = &self.options;
        let read = RemoteRead::connect(&self.host, options.port, &options.connect).await?;
        let access = if options.peek_only { PEEK_ACCESS } else { RECEIVE_ACCESS };
        let format = QueueFormat::from(&FormatName::Direct(self.name.clone()));
        let context = read.open_queue(format, access, MQ_DENY_NONE, options.client).await?;
        let number = self.generation.fetch_add(1, Ordering::Relaxed);
        let generation = u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
        let line = Line { read, context, generation };
        *place = Some(line.clone());
        Ok(line)
    }

    /// What a call gave; after a connection that is over the next call makes another one.
    async fn checked<T>(&self, line: &Line, result: Result<T, RpcError>) -> Result<T, RpcError> {
        if result.as_ref().is_err_and(|error| {
            // A server that has forgotten the handle was started anew.
            error.is_disconnected() || error.status() == Some(MqStatus(rpc_net::Status::CONTEXT_MISMATCH.0))
        }) {
            let mut place = self.line.lock().await;
            if place.as_ref().is_some_and(|current| current.generation == line.generation) {
                *place = None;
            }
        }
        result
    }

    fn next_request(&self) -> u32 {
        self.request.fetch_add(1, Ordering::Relaxed)
    }

    async fn pick(&self, line: &Line, request: StartReceive) -> Result<Option<Picked>, RpcError> {
        let picked = line.read.start_receive(line.context, request).await;
        self.checked(line, picked).await
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<MessageId, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, picked: &Picked) -> Result<Received, QueueError> {
        let mut received = unpack(&picked.packet).map_err(|error| QueueError::Damaged(error.to_string()))?;
        received.failures = self.failures().get(&received.id).copied().unwrap_or_default();
        Ok(received)
    }
}

/// A request under way: when its future is dropped the server is told that nobody waits for the message.
struct Request {
    line: Line,
    request_id: u32,
    over: bool,
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.over {
            leave(self.line.clone(), self.request_id);
        }
    }
}

/// Cancels a request, or gives back its message.
fn leave(line: Line, request_id: u32) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        if line.read.cancel_receive(line.context, request_id).await.is_err() {
            // It does not wait: its message is held. Should that fail too, the connection's end gives it back.
            let _ = line.read.end_receive(line.context, request_id, false).await;
        }
    });
}

/// What a delivery is known by: the open queue in the upper half, the request in the lower.
fn lock_of(line: &Line, request_id: u32) -> u64 {
    u64::from(line.generation) << 32 | u64::from(request_id)
}

const WHOLE: u32 = u32::MAX;

fn unsupported(what: &str) -> QueueError {
    QueueError::Unsupported(format!("{what} is not part of RemoteRead"))
}

fn main_only(place: Place) -> Result<(), QueueError> {
    match place {
        Place::Main => Ok(()),
        place => Err(unsupported(&format!("the place {place}"))),
    }
}

#[async_trait]
impl Queue for RemoteQueue {
    fn address(&self) -> String {
        format!("DIRECT={}", self.inner.name)
    }

    async fn send(&self, _: QueueMessage) -> Result<MessageId, QueueError> {
        Err(unsupported("sending"))
    }

    async fn forward(&self, _: Received) -> Result<(), QueueError> {
        Err(unsupported("sending"))
    }

    async fn receive(&self, wait: Duration) -> Result<Option<Delivery>, QueueError> {
        let inner = &self.inner;
        let begun = Instant::now();
        loop {
            let line = inner.line().await?;
            let left = wait.saturating_sub(begun.elapsed());
            // The answer has to come before the call's own time is over.
            let longest = inner.options.slice.min(inner.options.connect.call_timeout.mul_f32(0.5));
            let slice = u32::try_from(left.min(longest).as_millis()).unwrap_or(u32::MAX);
            let request_id = inner.next_request();
            let mut request = Request { line: line.clone(), request_id, over: false };
            let asked = StartReceive {
                action: action::RECEIVE,
                timeout: slice,
                request_id,
                max_body_size: WHOLE,
                ..StartReceive::default()
            };
            let picked = match inner.pick(&line, asked).await {
                Ok(Some(picked)) => picked,
                Ok(None) => {
                    request.over = true;
                    if begun.elapsed() >= wait {
                        return Ok(None);
                    }
                    continue;
                }
                Err(error) => {
                    // After an answer that cannot be read the message may be held; dropping the request gives it back.
                    request.over = matches!(error, RpcError::Status { .. });
                    return Err(error.into());
                }
            };
            let received = inner.read(&picked)?;
            request.over = true;
            let lock = lock_of(&line, request_id);
            inner.held().insert(lock);
            let holder = Arc::clone(inner);
            return Ok(Some(Delivery::new(received, lock).with_guard(move || {
                if holder.held().remove(&lock) {
                    leave(line, request_id);
                }
            })));
        }
    }

    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        let (inner, id) = (&self.inner, delivery.received.id);
        let line = inner.line.lock().await.clone();
        let generation = delivery.lock() >> 32;
        let line = line.filter(|line| u64::from(line.generation) == generation);
        let line = line.ok_or(QueueError::Locked(id))?;
        let request_id = u32::try_from(delivery.lock() & u64::from(u32::MAX)).unwrap_or_default();
        let ack = match verdict {
            Verdict::Done => true,
            Verdict::Again(_) | Verdict::Return => false,
            Verdict::Retry { .. } | Verdict::Dead(..) => {
                let aside = inner.aside.as_ref().ok_or_else(|| unsupported("a retry queue or dead queue"))?;
                aside.forward(delivery.received.clone()).await?;
                if matches!(verdict, Verdict::Dead(..)) {
                    aside.move_to(Place::Main, id, Place::Dead).await?;
                }
                true
            }
        };
        let ended = line.read.end_receive(line.context, request_id, ack).await;
        match inner.checked(&line, ended).await {
            Ok(()) => {}
            Err(RpcError::Status { .. }) => return Err(QueueError::Locked(id)),
            Err(error) => return Err(error.into()),
        }
        inner.held().remove(&delivery.lock());
        let mut failures = inner.failures();
        match verdict {
            Verdict::Again(_) => {
                if failures.len() >= FAILURES {
                    failures.clear();
                }
                let count = failures.entry(id).or_default();
                *count = count.saturating_add(1);
            }
            Verdict::Return => {}
            _ => drop(failures.remove(&id)),
        }
        Ok(())
    }

    async fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        main_only(place)?;
        let mut listed = Vec::new();
        let mut found = after.is_none();
        self.walk(u64::MAX, |received, size| {
            if found && listed.len() < most {
                listed.push(row(received, size));
            }
            found |= after == Some(received.id);
            listed.len() < most
        })
        .await?;
        match after {
            Some(id) if !found => Err(QueueError::NotFound(id)),
            _ => Ok(listed),
        }
    }

    async fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        main_only(place)?;
        let line = self.inner.line().await?;
        let cursor = match id {
            None => 0,
            Some(id) => self.seek(&line, id).await?,
        };
        let request = StartReceive {
            cursor,
            action: action::PEEK_CURRENT,
            request_id: self.inner.next_request(),
            max_body_size: WHOLE,
            ..StartReceive::default()
        };
        let picked = self.inner.pick(&line, request).await;
        close(&line, cursor).await;
        match (picked, id) {
            (Err(error), Some(id)) if error.status() == Some(MqStatus::MQ_ERROR_MESSAGE_ALREADY_RECEIVED) => {
                Err(QueueError::NotFound(id))
            }
            (picked, _) => picked?.map(|picked| self.inner.read(&picked)).transpose(),
        }
    }

    async fn move_to(&self, _: Place, _: MessageId, _: Place) -> Result<(), QueueError> {
        Err(unsupported("moving messages"))
    }

    async fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        main_only(place)?;
        let line = self.inner.line().await?;
        let cursor = self.seek(&line, id).await?;
        let request_id = self.inner.next_request();
        let mut request = Request { line: line.clone(), request_id, over: false };
        let asked = StartReceive { cursor, action: action::RECEIVE, request_id, ..StartReceive::default() };
        let picked = self.inner.pick(&line, asked).await;
        request.over = matches!(picked, Err(RpcError::Status { .. }) | Ok(None));
        close(&line, cursor).await;
        picked?.ok_or(QueueError::NotFound(id))?;
        let ended = line.read.end_receive(line.context, request_id, true).await;
        self.inner.checked(&line, ended).await?;
        request.over = true;
        Ok(())
    }

    async fn purge(&self, place: Place) -> Result<u64, QueueError> {
        main_only(place)?;
        // The protocol tells no number: it is that of just before.
        let count = self.count().await?.main;
        let line = self.inner.line().await?;
        let purged = line.read.purge_queue(line.context).await;
        self.inner.checked(&line, purged).await?;
        Ok(count)
    }

    async fn count(&self) -> Result<Counts, QueueError> {
        let mut counts = Counts::default();
        let most = self.inner.options.most_counted;
        self.walk(most.saturating_add(1), |received, _| {
            counts.main = counts.main.saturating_add(1);
            counts.oldest = Some(counts.oldest.map_or(received.sent, |oldest| oldest.min(received.sent)));
            true
        })
        .await?;
        if counts.main > most {
            return Err(QueueError::Unsupported(format!("there are more than {most} messages")));
        }
        Ok(counts)
    }
}

impl RemoteQueue {
    /// Goes through the messages that nobody has locked, without their bodies, while `each` wants more.
    async fn walk(
        &self,
        most: u64,
        each: impl FnMut(&Received, u64) -> bool + Send,
    ) -> Result<(), QueueError> {
        let line = self.inner.line().await?;
        let created = line.read.create_cursor(line.context).await;
        let cursor = self.inner.checked(&line, created).await?;
        let result = self.walk_by(&line, cursor, most, each).await;
        close(&line, cursor).await;
        result
    }

    async fn walk_by(
        &self,
        line: &Line,
        cursor: u32,
        most: u64,
        mut each: impl FnMut(&Received, u64) -> bool + Send,
    ) -> Result<(), QueueError> {
        let mut action = action::PEEK_CURRENT;
        for _ in 0..most {
            let request_id = self.inner.next_request();
            let request = StartReceive { cursor, action, request_id, ..StartReceive::default() };
            action = action::PEEK_NEXT;
            let picked = match self.inner.pick(line, request).await {
                Ok(Some(picked)) => picked,
                Ok(None) => break,
                // Somebody has received the message at the cursor: the next one is looked at.
                Err(error) if error.status() == Some(MqStatus::MQ_ERROR_MESSAGE_ALREADY_RECEIVED) => continue,
                Err(error) => return Err(error.into()),
            };
            let received = self.inner.read(&picked)?;
            if !each(&received, u64::try_from(received.message.body.len()).unwrap_or(u64::MAX)) {
                break;
            }
        }
        Ok(())
    }

    /// A cursor at a message.
    async fn seek(&self, line: &Line, id: MessageId) -> Result<u32, QueueError> {
        let created = line.read.create_cursor(line.context).await;
        let cursor = self.inner.checked(line, created).await?;
        let mut found = false;
        let walked = self
            .walk_by(line, cursor, self.inner.options.most_counted, |received, _| {
                found = received.id == id;
                !found
            })
            .await;
        match walked {
            Ok(()) if found => Ok(cursor),
            walked => {
                close(line, cursor).await;
                walked?;
                Err(QueueError::NotFound(id))
            }
        }
    }
}

/// Closes a cursor; what is left of it goes with the open queue.
async fn close(line: &Line, cursor: u32) {
    if cursor != 0 {
        let _ = line.read.close_cursor(line.context, cursor).await;
    }
}

fn row(received: &Received, size: u64) -> Listed {
    let properties = &received.message.properties;
    Listed {
        id: received.id,
        label: properties.label.clone(),
        size,
        priority: properties.priority,
        sent: received.sent,
        due: None,
        locked: false,
        failures: received.failures,
        abandoned: received.abandoned,
        dead: None,
        error: None,
    }
}
