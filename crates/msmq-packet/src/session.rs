//! What arrived, and what was written to disk.

use bytes::BufMut;
use remassist_core::{Cursor, DecodeError, Format};

use crate::wire::{invalid, places};

places!("[MS-MQMQ]", "2.2.20.4", "SessionHeader":
    SESSION = "", ACK = "AckSequenceNumber", DISK = "RecoverableMsgAckSeqNumber",
    DISK_FLAGS = "RecoverableMsgAckFlags", SENT = "UserMsgSequenceNumber",
    SENT_RECOVERABLE = "RecoverableMsgSeqNumber", WINDOW = "WindowSize", RESERVED = "Reserved");

/// An acknowledgment of a session ([MS-MQMQ] 2.2.20.4), 16 bytes: AckSequenceNumber u16, RecoverableMsgAckSeqNumber u16,
/// RecoverableMsgAckFlags u32, UserMsgSequenceNumber u16, RecoverableMsgSeqNumber u16, WindowSize u16, Reserved u16.
/// Counts are those of this session, and begin with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionHeader {
    /// AckSequenceNumber: messages that arrived here.
    pub ack_sequence_number: u16,
    /// RecoverableMsgAckSeqNumber: the first recoverable message that bit 0 of the flags is about; 0 for none.
    pub recoverable_ack_sequence_number: u16,
    /// RecoverableMsgAckFlags: bit k says that the k-th recoverable message after that one is on disk here.
    pub recoverable_ack_flags: u32,
    /// UserMsgSequenceNumber: messages sent from here.
    pub user_sequence_number: u16,
    /// RecoverableMsgSeqNumber: recoverable messages sent from here.
    pub recoverable_sequence_number: u16,
    /// WindowSize: messages until an acknowledgment is due.
    pub window_size: u16,
    /// Reserved: anything.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reserved: u16,
}

impl SessionHeader {
    /// Bytes on the wire.
    pub const LEN: usize = 16;
    /// The usual WindowSize.
    pub const WINDOW: u16 = 0x40;

    /// The numbers of the recoverable messages that are on disk by this header.
    pub fn on_disk(&self) -> impl Iterator<Item = u16> + use<> {
        let (first, flags) = (self.recoverable_ack_sequence_number, self.recoverable_ack_flags);
        (0..32_u16)
            .filter(move |k| first != 0 && flags.wrapping_shr((*k).into()) & 1 == 1)
            .map(move |k| first.wrapping_add(k))
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        cursor.group(&SESSION, |cursor| {
            let ack_sequence_number = cursor.u16(&ACK)?;
            let recoverable_ack_sequence_number = cursor.u16(&DISK)?;
            let recoverable_ack_flags = cursor.flags32(&DISK_FLAGS)?;
            let user_sequence_number = cursor.u16(&SENT)?;
            let recoverable_sequence_number = cursor.u16(&SENT_RECOVERABLE)?;
            let offset = cursor.offset();
            let window_size = cursor.u16(&WINDOW)?;
            cursor.must(window_size > 0, offset, &WINDOW, invalid(0))?;
            let reserved = u16::from_le_bytes(cursor.array(&RESERVED, Format::Filler)?);
            Ok(Self {
                ack_sequence_number,
                recoverable_ack_sequence_number,
                recoverable_ack_flags,
                user_sequence_number,
                recoverable_sequence_number,
                window_size,
                reserved,
            })
        })
    }

    pub(crate) fn put(self, dst: &mut dyn BufMut) {
        let [a, b, c, d] = self.recoverable_ack_flags.to_le_bytes();
        let words = [
            self.ack_sequence_number.to_le_bytes(),
            self.recoverable_ack_sequence_number.to_le_bytes(),
            [a, b],
            [c, d],
            self.user_sequence_number.to_le_bytes(),
            self.recoverable_sequence_number.to_le_bytes(),
            self.window_size.to_le_bytes(),
            self.reserved.to_le_bytes(),
        ];
        dst.put_slice(words.as_flattened());
    }
}
