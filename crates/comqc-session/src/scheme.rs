//! How often a message is tried, and when.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{DeadReason, Received, Verdict};

/// How often a message is tried, and how long it waits in between. The default is what COM+ does: three tries, then
/// retry queue 0 after one minute, three tries, queue 1 after two, and so on to queue 4 after 16 minutes.
///
/// All of it follows from the counters of [`Received`]; nothing here reads a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RetryScheme {
    /// Tries in a round, the first included; 0 counts as 1.
    pub tries: u32,
    /// How long a message waits in each retry queue, from number 0. Of more than 255 only the first 255 are used.
    pub waits: Vec<Duration>,
    /// How often players may die while they have a message: once more, and it is dead.
    pub abandoned: u32,
}

impl Default for RetryScheme {
    fn default() -> Self {
        let waits = [1, 2, 4, 8, 16].map(|minutes: u64| Duration::from_secs(minutes.saturating_mul(60)));
        Self { tries: 3, waits: waits.into(), abandoned: 10 }
    }
}

impl RetryScheme {
    /// One try and no retry queues.
    pub const ONCE: Self = Self { tries: 1, waits: Vec::new(), abandoned: 10 };

    /// The verdict of a message that is not to be tried at all, because too many players have died over it.
    #[must_use]
    pub fn before(&self, received: &Received) -> Option<Verdict> {
        let Received { abandoned, .. } = received;
        (*abandoned > self.abandoned).then(|| {
            let text = format!("{abandoned} players ended while they had the message");
            Verdict::Dead(DeadReason::Abandoned, text.into())
        })
    }

    /// What becomes of a message that was tried once more and failed; `None` when that was the last try of the last
    /// round.
    #[must_use]
    pub fn after_failure(&self, received: &Received, error: Cow<'static, str>) -> Option<Verdict> {
        if received.failures.saturating_add(1) < self.tries {
            return Some(Verdict::Again(error));
        }
        let queue = received.round;
        let wait = self.waits.get(usize::from(queue)).copied();
        wait.filter(|_| queue < u8::MAX).map(|wait| Verdict::Retry { queue, wait, error })
    }
}
