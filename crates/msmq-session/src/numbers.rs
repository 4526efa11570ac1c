//! Numbers of outgoing transactional messages ([MS-MQQB] 3.1.1.5).

use msmq_packet::{TransactionHeader, TxSequenceId};

/// OutgoingTxSequenceID of a queue manager ([MS-MQQB] 3.1.1.3.1): gives identifiers that only grow.
///
/// One for all destinations. What it gives is stored with the message, in one transaction, before anything is sent; after
/// a restart it goes on behind the greatest that was stored. A receiver drops what has a lower number than it has seen, so
/// losing these numbers loses messages: where nothing is stored, the time of day makes up for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    last: u64,
}

impl Numbers {
    /// Goes on behind `stored`, the greatest identifier that was ever given; `now` in seconds since 1970.
    ///
    /// TimeStamp is the later one of both, so neither a clock that stepped back nor a lost store gives a number again,
    /// unless both happen.
    #[must_use]
    pub fn resume(stored: Option<TxSequenceId>, now: u32) -> Self {
        let stored = stored.map_or(0, |id| id.0);
        Self { last: stored.max(u64::from(now).wrapping_shl(32)) }
    }

    /// OutgoingTxSequenceID of a new sequence; `None` when all 2<sup>64</sup> are used up.
    pub fn sequence(&mut self) -> Option<TxSequenceId> {
        // An Ordinal that overflows carries into TimeStamp, which is as good as a later time.
        let mut next = self.last.checked_add(1)?;
        if next & 0xFFFF_FFFF == 0 {
            // Ordinal 0 means that there was no sequence yet.
            next = next.checked_add(1)?;
        }
        self.last = next;
        Some(TxSequenceId(next))
    }
}

/// Place of a transactional message: identifier of its sequence, and number in it from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Place {
    /// TxSequenceID.
    pub id: TxSequenceId,
    /// TxSequenceNumber.
    pub number: u32,
}

impl Place {
    /// That of a message.
    #[must_use]
    pub const fn of(header: &TransactionHeader) -> Self {
        Self { id: header.sequence_id, number: header.sequence_number }
    }
}

/// How the messages to one destination are numbered.
///
/// Durable, beside the outbox: `last` is stored in the transaction that stores the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Sequence {
    /// Each message is a sequence of its own. One is on its way at a time; nothing can be out of order.
    One,
    /// Messages follow each other in one sequence, so that many are on their way at a time.
    Pipelined {
        /// The last message of the sequence; `None` before the first.
        last: Option<Place>,
    },
}

impl Sequence {
    /// The place of the next message; `None` when all identifiers are used up.
    pub fn place(&mut self, numbers: &mut Numbers) -> Option<Place> {
        match self {
            Self::One => Some(Place { id: numbers.sequence()?, number: 1 }),
            Self::Pipelined { last } => {
                let following =
                    last.and_then(|last| Some(Place { number: last.number.checked_add(1)?, ..last }));
                let place = match following {
                    Some(place) => place,
                    None => Place { id: numbers.sequence()?, number: 1 },
                };
                *last = Some(place);
                Some(place)
            }
        }
    }
}
