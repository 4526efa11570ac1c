//! When transactional messages are sent again ([MS-MQQB] 3.1.3.1 ResendTimerTable).

/// ResendTimerTable with its index: how long to wait for an OrderAck before everything unacknowledged is sent again.
///
/// The first three waits are short, the next three medium, three more long, and all later ones final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResendSchedule {
    /// ResendTimeoutsShort, in seconds: 30.
    pub short: u32,
    /// ResendTimeoutsMedium, in seconds: 300.
    pub medium: u32,
    /// ResendTimeoutsLong, in seconds: 1,800.
    pub long: u32,
    /// ResendTimeoutsFinal, in seconds: 21,600.
    pub last: u32,
    /// ResendIntervalIndex: how often was sent again without an acknowledgement since, 0 to 9.
    pub index: u8,
}

impl Default for ResendSchedule {
    /// The intervals of [MS-MQQB] 3.1.1.3, from the beginning.
    fn default() -> Self {
        Self { short: 30, medium: 300, long: 1_800, last: 21_600, index: 0 }
    }
}

impl ResendSchedule {
    /// ResendInterval: how long to wait now, in seconds.
    #[must_use]
    pub const fn interval(&self) -> u32 {
        match self.index {
            0..=2 => self.short,
            3..=5 => self.medium,
            6..=8 => self.long,
            _ => self.last,
        }
    }

    /// What was sent is sent again: the next wait is that of the next entry.
    pub fn advance(&mut self) {
        self.index = self.index.saturating_add(1).min(9);
    }

    /// An acknowledgement has come: the next wait is the first again.
    pub const fn reset(&mut self) {
        self.index = 0;
    }
}
