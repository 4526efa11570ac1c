//! Time that never goes back, made of a clock that may.

use core::time::Duration;

use remassist_core::Time;

/// What the caller's clock has told so far. Deadlines are kept in time that has passed, so a clock that steps back
/// delays a timer by no more than what was left of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    told: Time,
    passed: Time,
}

impl Clock {
    pub(crate) const fn new(now: Time) -> Self {
        Self { told: now, passed: Time(0) }
    }

    /// The clock tells this time now.
    pub(crate) fn set(&mut self, now: Time) {
        self.passed = Time(self.passed.0.saturating_add(now.0.saturating_sub(self.told.0)));
        self.told = now;
    }

    /// Time that has passed.
    pub(crate) const fn now(&self) -> Time {
        self.passed
    }

    pub(crate) fn after(&self, milliseconds: u64) -> Time {
        self.passed.after(Duration::from_millis(milliseconds))
    }

    /// What the caller's clock will tell when this much has passed.
    pub(crate) fn told_at(&self, deadline: Time) -> Time {
        Time(self.told.0.saturating_add(deadline.0.saturating_sub(self.passed.0)))
    }
}
