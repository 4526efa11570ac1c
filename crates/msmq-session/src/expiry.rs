//! When a message is too late ([MS-MQQB] 3.1.7.1.2).

use msmq_packet::{INFINITE, MessageClass, UserMessage};

/// How long a message lives: SentTime, TimeToReachQueue and TimeToBeReceived ([MS-MQMQ] 2.2.19.1, 2.2.19.2), in seconds.
///
/// Both times run from SentTime on, by the clock of the sender there and by the clock of the receiver here: nothing on the
/// wire tells how far they differ. A message from the future has not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Expiry {
    /// SentTime, since 1970.
    pub sent: u32,
    /// TimeToReachQueue; 0xFFFFFFFF is for ever.
    pub reach_queue: u32,
    /// TimeToBeReceived; 0xFFFFFFFF is for ever.
    pub be_received: u32,
}

impl Expiry {
    /// For ever.
    pub const NEVER: Self = Self { sent: 0, reach_queue: INFINITE, be_received: INFINITE };

    /// That of a message.
    #[must_use]
    pub const fn of(message: &UserMessage<'_>) -> Self {
        Self {
            sent: message.user.sent_time,
            reach_queue: message.base.time_to_reach_queue,
            be_received: message.user.time_to_be_received,
        }
    }

    /// The same with clocks that may differ by so many seconds: both times are that much longer.
    #[must_use]
    pub const fn with_skew(self, skew: u32) -> Self {
        Self {
            reach_queue: self.reach_queue.saturating_add(skew),
            be_received: self.be_received.saturating_add(skew),
            ..self
        }
    }

    /// Whether the message is too late at this time of day, in seconds since 1970:
    /// MQMSG_CLASS_NACK_REACH_QUEUE_TIMEOUT or MQMSG_CLASS_NACK_RECEIVE_TIMEOUT.
    #[must_use]
    pub const fn over(self, unix: u32) -> Option<MessageClass> {
        let age = unix.saturating_sub(self.sent);
        if self.reach_queue != INFINITE && age > self.reach_queue {
            Some(MessageClass::NACK_REACH_QUEUE_TIMEOUT)
        } else if self.be_received != INFINITE && age > self.be_received {
            Some(MessageClass::NACK_RECEIVE_TIMEOUT)
        } else {
            None
        }
    }

    /// Seconds until it is too late; `None` is never.
    #[must_use]
    pub fn left(self, unix: u32) -> Option<u32> {
        let span = Some(self.reach_queue.min(self.be_received)).filter(|span| *span != INFINITE)?;
        Some(self.sent.saturating_add(span).saturating_add(1).saturating_sub(unix))
    }
}
