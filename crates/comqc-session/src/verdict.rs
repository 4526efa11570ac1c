//! What becomes of a message after the player has had it.

use alloc::borrow::Cow;
use core::fmt;
use core::time::Duration;

/// What a queue has to do with a message that was received under a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was played: remove it.
    Done,
    /// Playing failed: put it back where it was, at the front, with one more failure.
    Again(Cow<'static, str>),
    /// Playing failed too often in this round: put it into the retry queue of this number, with no failures, not to be
    /// received before the time has passed.
    Retry {
        /// Number of the retry queue, from 0: `App_0`.
        queue: u8,
        /// How long it waits there.
        wait: Duration,
        /// Why it failed.
        error: Cow<'static, str>,
    },
    /// It will never be played: put it into the dead queue.
    Dead(DeadReason, Cow<'static, str>),
    /// Nobody has tried it (shutdown): put it back where it was, at the front, as it was.
    Return,
}

/// Why a message is in the dead queue. JSON is [`name`](Self::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum DeadReason {
    /// The Extension property is not that of queued components ([MC-COMQC] 3.1.5).
    NotQueuedComponent,
    /// The body breaks the format ([MC-COMQC] 2.2).
    Malformed,
    /// Nobody has registered its target.
    UnknownTarget,
    /// The policy refuses its security properties.
    Security,
    /// An object in its arguments is of a class that nobody has registered ([MC-COMQC] 2.2.6.1.5).
    UnknownObject,
    /// The component failed in every round.
    Exhausted,
    /// Players died while they had it.
    Abandoned,
    /// Its time to be received is over.
    Expired,
    /// The queue manager of the destination does not take it, or it did not get there in time.
    Undeliverable,
    /// A person has put it there.
    Moved,
}

impl DeadReason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::NotQueuedComponent,
        Self::Malformed,
        Self::UnknownTarget,
        Self::Security,
        Self::UnknownObject,
        Self::Exhausted,
        Self::Abandoned,
        Self::Expired,
        Self::Undeliverable,
        Self::Moved,
    ];

    /// The name that queues keep: `malformed`, `unknown-target`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotQueuedComponent => "not-queued-component",
            Self::Malformed => "malformed",
            Self::UnknownTarget => "unknown-target",
            Self::Security => "security",
            Self::UnknownObject => "unknown-object",
            Self::Exhausted => "exhausted",
            Self::Abandoned => "abandoned",
            Self::Expired => "expired",
            Self::Undeliverable => "undeliverable",
            Self::Moved => "moved",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
