//! Order of incoming transactional messages ([MS-MQQB] 3.1.5.8.6).

use msmq_packet::{TransactionHeader, TxSequenceId};

use crate::Place;

/// What was accepted last from one sender for one queue: IncomingTxSequenceID, IncomingTxSequenceNumber and
/// TxMessageRejectCount ([MS-MQQB] 3.1.1.3.1).
///
/// Durable, one for each pair of queue and SourceQueueManager: read, judged by and written in the transaction that puts the
/// message into the queue. The default is that nothing came yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IncomingSequence {
    /// The last message accepted; `None` before the first.
    pub last: Option<Place>,
    /// How many were not accepted since.
    pub rejected: u32,
}

/// What the order says to a transactional message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is the next one.
    Next,
    /// It was accepted before, or a later one was.
    Duplicate,
    /// One before it is missing.
    Gap,
}

impl IncomingSequence {
    /// Whether a message is the next one. Nothing changes.
    ///
    /// It is, when its sequence is the last one, its number is greater than the last one and PreviousTxSequenceNumber is
    /// not; or when its sequence is later than the last one and PreviousTxSequenceNumber is 0.
    #[must_use]
    pub fn judge(&self, header: &TransactionHeader) -> Order {
        let (id, number) = self.last.map_or((TxSequenceId(0), 0), |last| (last.id, last.number));
        if header.sequence_id < id || (header.sequence_id == id && header.sequence_number <= number) {
            return Order::Duplicate;
        }
        let before = if header.sequence_id == id { number } else { 0 };
        if header.previous_sequence_number <= before { Order::Next } else { Order::Gap }
    }

    /// What is to be stored when a message was accepted.
    #[must_use]
    pub const fn accepted(header: &TransactionHeader) -> Self {
        let place = Place { id: header.sequence_id, number: header.sequence_number };
        Self { last: Some(place), rejected: 0 }
    }

    /// What is to be stored when a message was not accepted: the last place stays what it is.
    #[must_use]
    pub const fn not_accepted(self) -> Self {
        Self { rejected: self.rejected.saturating_add(1), ..self }
    }
}
