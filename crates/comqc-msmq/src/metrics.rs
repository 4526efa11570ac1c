//! What a listener counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use comqc_session::DeadReason;

/// Upper bounds of the ages that are counted, in seconds; older ones count too.
const AGES: [u64; 6] = [1, 10, 60, 600, 3_600, 86_400];

/// Counters of a listener; one set may serve several.
#[derive(Debug, Default)]
pub struct Metrics {
    received: AtomicU64,
    calls: AtomicU64,
    played: AtomicU64,
    duplicates: AtomicU64,
    failures: AtomicU64,
    retries: AtomicU64,
    returned: AtomicU64,
    queue_errors: AtomicU64,
    in_hand: AtomicU64,
    rest: Mutex<Rest>,
}

#[derive(Debug, Default, Clone)]
struct Rest {
    dead: BTreeMap<DeadReason, u64>,
    ages: [u64; AGES.len()],
    ages_count: u64,
    ages_sum: Duration,
    busy: Duration,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Metrics {
    pub(crate) fn received(&self, age: Duration) {
        add(&self.received, 1);
        self.in_hand.store(1, Ordering::Relaxed);
        self.rest(|rest| {
            for (bound, count) in AGES.iter().zip(&mut rest.ages) {
                *count = count.saturating_add(u64::from(age <= Duration::from_secs(*bound)));
            }
            rest.ages_count = rest.ages_count.saturating_add(1);
            rest.ages_sum = rest.ages_sum.saturating_add(age);
        });
    }

    pub(crate) fn settled(&self, busy: Duration) {
        self.in_hand.store(0, Ordering::Relaxed);
        self.rest(|rest| rest.busy = rest.busy.saturating_add(busy));
    }

    pub(crate) fn played(&self, calls: usize) {
        add(&self.played, 1);
        add(&self.calls, u64::try_from(calls).unwrap_or(u64::MAX));
    }

    pub(crate) fn duplicate(&self) {
        add(&self.duplicates, 1);
    }

    pub(crate) fn failed(&self) {
        add(&self.failures, 1);
    }

    pub(crate) fn retried(&self) {
        add(&self.retries, 1);
    }

    pub(crate) fn returned(&self) {
        add(&self.returned, 1);
    }

    pub(crate) fn dead(&self, reason: DeadReason) {
        self.rest(|rest| {
            let count = rest.dead.entry(reason).or_default();
            *count = count.saturating_add(1);
        });
    }

    pub(crate) fn queue_error(&self) {
        add(&self.queue_errors, 1);
    }

    fn rest(&self, change: impl FnOnce(&mut Rest)) {
        // Whoever panicked while holding it has only counted.
        change(&mut self.rest.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// The numbers of now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut rest = Rest::default();
        self.rest(|now| rest = now.clone());
        Snapshot {
            received: read(&self.received),
            calls: read(&self.calls),
            played: read(&self.played),
            duplicates: read(&self.duplicates),
            failures: read(&self.failures),
            retries: read(&self.retries),
            returned: read(&self.returned),
            queue_errors: read(&self.queue_errors),
            in_hand: read(&self.in_hand),
            dead: rest.dead.into_iter().map(|(reason, count)| (reason.name(), count)).collect(),
            ages: AGES.into_iter().zip(rest.ages).collect(),
            ages_count: rest.ages_count,
            ages_sum: rest.ages_sum,
            busy: rest.busy,
        }
    }
}

/// The counters of a listener at one time. `Display` is the text format of OpenMetrics, without its end.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Messages received.
    pub received: u64,
    /// Calls of messages that were played whole.
    pub calls: u64,
    /// Messages played whole.
    pub played: u64,
    /// Messages that had been played before and were not again.
    pub duplicates: u64,
    /// Times that playing a message has failed.
    pub failures: u64,
    /// Messages put into a retry queue.
    pub retries: u64,
    /// Messages given back because of shutdown.
    pub returned: u64,
    /// Errors of the queue.
    pub queue_errors: u64,
    /// Messages being played.
    pub in_hand: u64,
    /// Messages put into the dead queue, for each reason.
    pub dead: BTreeMap<&'static str, u64>,
    /// How many messages were at most so many seconds old when they were received.
    pub ages: BTreeMap<u64, u64>,
    /// How many ages were counted.
    pub ages_count: u64,
    /// The sum of all ages.
    pub ages_sum: Duration,
    /// Time spent with messages.
    pub busy: Duration,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, help, value) in [
            ("received", "Messages received.", self.received),
            ("calls", "Calls of messages played whole.", self.calls),
            ("played", "Messages played whole.", self.played),
            ("duplicates", "Messages that had been played before.", self.duplicates),
            ("failures", "Times that playing a message has failed.", self.failures),
            ("retries", "Messages put into a retry queue.", self.retries),
            ("returned", "Messages given back because of shutdown.", self.returned),
            ("queue_errors", "Errors of the queue.", self.queue_errors),
        ] {
            writeln!(
                f,
                "# HELP comqc_{name} {help}\n# TYPE comqc_{name} counter\ncomqc_{name}_total {value}"
            )?;
        }
        writeln!(f, "# HELP comqc_in_hand Messages being played.\n# TYPE comqc_in_hand gauge")?;
        writeln!(f, "comqc_in_hand {}", self.in_hand)?;
        writeln!(f, "# HELP comqc_dead Messages put into the dead queue.\n# TYPE comqc_dead counter")?;
        for (reason, count) in &self.dead {
            writeln!(f, "comqc_dead_total{{reason=\"{reason}\"}} {count}")?;
        }
        writeln!(f, "# HELP comqc_age_seconds Age of messages when they were received.")?;
        writeln!(f, "# TYPE comqc_age_seconds histogram")?;
        for (bound, count) in &self.ages {
            writeln!(f, "comqc_age_seconds_bucket{{le=\"{bound}.0\"}} {count}")?;
        }
        writeln!(f, "comqc_age_seconds_bucket{{le=\"+Inf\"}} {}", self.ages_count)?;
        writeln!(f, "comqc_age_seconds_count {}", self.ages_count)?;
        writeln!(f, "comqc_age_seconds_sum {}", self.ages_sum.as_secs_f64())?;
        writeln!(f, "# HELP comqc_busy_seconds Time spent with messages.")?;
        writeln!(f, "# TYPE comqc_busy_seconds counter")?;
        writeln!(f, "comqc_busy_seconds_total {}", self.busy.as_secs_f64())
    }
}
