//! The place of a message among the transactional ones.

use bytes::BufMut;
use remassist_core::{Cursor, DecodeError, EncodeError};
use uuid::Uuid;

use crate::TxSequenceId;
use crate::wire::{bits, invalid, places};

places!("[MS-MQMQ]", "2.2.20.5", "TransactionHeader":
    TRANSACTION = "", FLAGS = "Flags", ID = "TxSequenceID", NUMBER = "TxSequenceNumber",
    PREVIOUS = "PreviousTxSequenceNumber", CONNECTOR = "ConnectorQMGuid");

bits! {
    /// The field Flags of a [`TransactionHeader`], a u32: CG, FA, FM, LM, ID (bits 4 to 23), reserved.
    TransactionFlags(u32) {
        /// CG: ConnectorQMGuid is there.
        CONNECTOR = 0x0000_0001;
        /// FA: a FinalAck is asked for.
        FINAL_ACK = 0x0000_0002;
        /// FM: the first message of its transaction.
        FIRST = 0x0000_0004;
        /// LM: the last message of its transaction.
        LAST = 0x0000_0008;
        /// ID, the bits of the number of the transaction.
        TRANSACTION = 0x00FF_FFF0;
    }
}

/// The place of a transactional message in its sequence ([MS-MQMQ] 2.2.20.5), 20 or 36 bytes: Flags u32, TxSequenceID
/// u64, TxSequenceNumber u32, PreviousTxSequenceNumber u32, ConnectorQMGuid if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TransactionHeader {
    /// Flags without CG, which follows from `connector`.
    pub flags: TransactionFlags,
    /// TxSequenceID.
    pub sequence_id: TxSequenceId,
    /// TxSequenceNumber: 1 for the first message of the sequence.
    pub sequence_number: u32,
    /// PreviousTxSequenceNumber: 0 when there is none before.
    pub previous_sequence_number: u32,
    /// ConnectorQMGuid.
    pub connector: Option<Uuid>,
}

impl TransactionHeader {
    /// A message that is a transaction of its own: FM and LM are set.
    #[must_use]
    pub const fn single(sequence_id: TxSequenceId, sequence_number: u32, previous: u32) -> Self {
        Self {
            flags: TransactionFlags::FIRST.with(TransactionFlags::LAST),
            sequence_id,
            sequence_number,
            previous_sequence_number: previous,
            connector: None,
        }
    }

    /// ID: the number of the transaction, 20 bits.
    #[must_use]
    pub const fn transaction(self) -> u32 {
        (self.flags.0 & TransactionFlags::TRANSACTION.0) >> 4
    }

    /// The header with another ID, of which 20 bits count.
    #[must_use]
    pub const fn with_transaction(mut self, id: u32) -> Self {
        let bits = TransactionFlags(id << 4 & TransactionFlags::TRANSACTION.0);
        self.flags = self.flags.without(TransactionFlags::TRANSACTION).with(bits);
        self
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        cursor.group(&TRANSACTION, |cursor| {
            let flags = TransactionFlags(cursor.flags32(&FLAGS)?);
            let sequence_id = TxSequenceId(cursor.u64(&ID)?);
            let offset = cursor.offset();
            let sequence_number = cursor.u32(&NUMBER)?;
            cursor.must(sequence_number > 0, offset, &NUMBER, invalid(0))?;
            let offset = cursor.offset();
            let previous = cursor.u32(&PREVIOUS)?;
            cursor.must(previous < u32::MAX, offset, &PREVIOUS, invalid(previous.into()))?;
            let connector = match flags.contains(TransactionFlags::CONNECTOR) {
                true => Some(cursor.guid(&CONNECTOR)?),
                false => None,
            };
            Ok(Self {
                flags: flags.without(TransactionFlags::CONNECTOR),
                sequence_id,
                sequence_number,
                previous_sequence_number: previous,
                connector,
            })
        })
    }

    pub(crate) fn check(self) -> Result<(), EncodeError> {
        if self.flags.contains(TransactionFlags::CONNECTOR) {
            return Err(EncodeError::Invalid { at: &FLAGS, reason: "CG follows from the connector" });
        }
        Ok(())
    }

    pub(crate) const fn size(self) -> usize {
        if self.connector.is_some() { 36 } else { 20 }
    }

    pub(crate) fn put(self, dst: &mut dyn BufMut) {
        let flags = self.flags.with(TransactionFlags::CONNECTOR.when(self.connector.is_some()));
        dst.put_slice(&flags.0.to_le_bytes());
        dst.put_slice(&self.sequence_id.0.to_le_bytes());
        let words = [self.sequence_number, self.previous_sequence_number];
        dst.put_slice(words.map(u32::to_le_bytes).as_flattened());
        if let Some(connector) = self.connector {
            dst.put_slice(&connector.to_bytes_le());
        }
    }
}
