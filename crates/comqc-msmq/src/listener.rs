//! Takes messages out of a queue and has them played.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use comqc_session::{AfterFailure, CallError, Player, Verdict};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::clock::now;
use crate::{Delivery, Handler, Metrics, Outcome, Queue, QueueError};

/// How a [`Listener`] works.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// How long to wait for a message before shutdown is looked for again.
    pub wait: Duration,
    /// The first wait after an error of the queue; each further one is twice as long.
    pub error_wait: Duration,
    /// The longest of these waits.
    pub max_error_wait: Duration,
    /// Give up when the queue has failed for so long; `None` is never.
    pub give_up: Option<Duration>,
    /// How long the message in hand may still take when shutdown was asked for. Then it is given up, and comes again.
    pub grace: Duration,
    /// End when the queue has no message for now.
    pub until_empty: bool,
    /// The queue holds what could not be delivered to another one: its messages are played to the exception class, as
    /// FinalClientRetry.
    pub dead_letters: bool,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            wait: Duration::from_millis(250),
            error_wait: Duration::from_millis(100),
            max_error_wait: Duration::from_secs(30),
            give_up: None,
            grace: Duration::from_secs(30),
            until_empty: false,
            dead_letters: false,
        }
    }
}

/// Takes messages out of a queue one at a time, in order, has them played, and settles them.
///
/// The next message is taken only when the one before is settled: a slow handler fills nothing but the queue. What becomes
/// of a message that fails is up to the [`RetryScheme`](comqc_session::RetryScheme) of the player.
pub struct Listener<T> {
    queue: Arc<dyn Queue>,
    player: Player<T>,
    options: ListenerOptions,
    metrics: Arc<Metrics>,
}

/// Whether shutdown was asked for.
type Stopped = watch::Receiver<bool>;

impl<T: Send + Sync> Listener<T> {
    /// A listener that does not run yet.
    #[must_use]
    pub fn new(queue: Arc<dyn Queue>, player: Player<T>) -> Self {
        Self { queue, player, options: ListenerOptions::default(), metrics: Arc::default() }
    }

    /// With other options.
    #[must_use]
    pub fn with_options(mut self, options: ListenerOptions) -> Self {
        self.options = options;
        self
    }

    /// Counting in these counters.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// What it has counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Plays messages until `shutdown` is there; the message in hand is played to its end.
    ///
    /// Dropping the future instead gives up the message in hand: it comes again, abandoned once.
    ///
    /// # Errors
    /// When the queue cannot be used (damaged, not writable), or has failed for longer than
    /// [`give_up`](ListenerOptions::give_up), or fails at shutdown. No message is lost.
    pub async fn run(
        &self,
        handler: &impl Handler<T>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), QueueError> {
        let (stop, stopped) = watch::channel(false);
        let mut work = pin!(self.work(handler, stopped));
        tokio::select! {
            result = &mut work => return result,
            () = shutdown => stop.send_replace(true),
        };
        work.await
    }

    async fn work(&self, handler: &impl Handler<T>, mut stopped: Stopped) -> Result<(), QueueError> {
        let mut trouble = Trouble::default();
        while !*stopped.borrow() {
            // Not raced with shutdown: a message may come while it is dropped.
            match self.queue.receive(self.options.wait).await {
                Ok(Some(delivery)) => {
                    trouble = Trouble::default();
                    let span = info_span!("message", id = %delivery.received.id);
                    self.message(&delivery, handler, &mut stopped).instrument(span).await?;
                }
                Ok(None) if self.options.until_empty => break,
                Ok(None) => trouble = Trouble::default(),
                Err(error) => self.wait_after(error, &mut trouble, &mut stopped).await?,
            }
        }
        Ok(())
    }

    async fn message(
        &self,
        delivery: &Delivery,
        handler: &impl Handler<T>,
        stopped: &mut Stopped,
    ) -> Result<(), QueueError> {
        let received = &delivery.received;
        let (began, age) = (Instant::now(), now().since(received.sent));
        debug!(round = received.round, failures = received.failures, ?age, "received");
        self.metrics.received(age);
        let grace = async {
            // An error means that nobody can ask any more.
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.options.grace).await;
        };
        let verdict = tokio::select! {
            verdict = self.play(delivery, handler) => verdict,
            () = grace => {
                warn!("given up for shutdown");
                Some(Verdict::Return)
            }
        };
        let settled = match verdict {
            Some(verdict) => self.settle(delivery, verdict, stopped).await,
            None => Ok(()),
        };
        self.metrics.settled(began.elapsed());
        settled
    }

    /// Plays a message; nothing is left to be done when the handler has removed it, too.
    async fn play(&self, delivery: &Delivery, handler: &impl Handler<T>) -> Option<Verdict> {
        let received = &delivery.received;
        let begun = match self.options.dead_letters {
            true => self.player.begin_client_retry(received),
            false => self.player.begin(received),
        };
        let mut playback = match begun {
            Ok(playback) => playback,
            Err(verdict) => return Some(verdict),
        };
        loop {
            match caught(handler.play(delivery, &mut playback)).await {
                Ok(Outcome::Played) => {
                    self.metrics.played(playback.len());
                    return Some(playback.done());
                }
                Ok(Outcome::Settled) => {
                    self.metrics.played(playback.len());
                    return None;
                }
                Ok(Outcome::Duplicate) => {
                    info!("was played before");
                    self.metrics.duplicate();
                    return Some(Verdict::Done);
                }
                Err(error) => {
                    warn!(%error, kind = ?playback.kind(), "failed");
                    self.metrics.failed();
                    match playback.failed(error) {
                        AfterFailure::Settle(verdict) => return Some(verdict),
                        AfterFailure::FinalRetry(next) => playback = next,
                    }
                }
            }
        }
    }

    /// Tells the queue, again and again while it fails: otherwise the message would be played twice.
    async fn settle(
        &self,
        delivery: &Delivery,
        verdict: Verdict,
        stopped: &mut Stopped,
    ) -> Result<(), QueueError> {
        let mut trouble = Trouble::default();
        loop {
            match self.queue.settle(delivery, &verdict).await {
                Ok(()) => break,
                Err(error @ (QueueError::Locked(_) | QueueError::NotFound(_))) => {
                    warn!(%error, "the lock is lost: the message comes again");
                    self.metrics.queue_error();
                    return Ok(());
                }
                // At shutdown there is no time to wait for better ones.
                Err(error) if *stopped.borrow() => return Err(error),
                Err(error) => self.wait_after(error, &mut trouble, stopped).await?,
            }
        }
        match &verdict {
            Verdict::Done | Verdict::Again(_) => {}
            Verdict::Return => self.metrics.returned(),
            Verdict::Retry { queue, wait, .. } => {
                info!(queue, ?wait, "to a retry queue");
                self.metrics.retried();
            }
            Verdict::Dead(reason, error) => {
                warn!(%reason, %error, "to the dead queue");
                self.metrics.dead(*reason);
            }
        }
        Ok(())
    }

    /// Waits after an error of the queue, or gives up.
    async fn wait_after(
        &self,
        error: QueueError,
        trouble: &mut Trouble,
        stopped: &mut Stopped,
    ) -> Result<(), QueueError> {
        self.metrics.queue_error();
        let since = *trouble.since.get_or_insert_with(Instant::now);
        let for_good = matches!(
            error,
            QueueError::Address(_)
                | QueueError::Damaged(_)
                | QueueError::ReadOnly { .. }
                | QueueError::Unsupported(_)
        );
        if for_good || self.options.give_up.is_some_and(|limit| since.elapsed() >= limit) {
            return Err(error);
        }
        let wait = trouble.wait.unwrap_or(self.options.error_wait).min(self.options.max_error_wait);
        trouble.wait = Some(wait.saturating_mul(2));
        warn!(%error, ?wait, "the queue fails");
        let _ = tokio::time::timeout(wait, stopped.wait_for(|stopped| *stopped)).await;
        Ok(())
    }
}

/// How long the queue has failed.
#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
    wait: Option<Duration>,
}

/// A handler's future, whose panic is a failure.
async fn caught(playing: impl Future<Output = Result<Outcome, CallError>>) -> Result<Outcome, CallError> {
    let mut playing = pin!(playing);
    // What a panic leaves behind is the handler's own, which has to live with it as with an error.
    let polled = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| playing.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(Err(CallError::new(format!("panicked: {}", words(&*panic))))),
    });
    polled.await
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}
