//! Identifiers.

use core::fmt;

use bytes::BufMut;
use remassist_core::{At, Cursor, DecodeError};
use uuid::Uuid;

use crate::wire::places;

places!("[MS-MQMQ]", "2.2.18.1.3", "MessageIdentifier":
    GUID = "QueueManagerGuid", ORDINAL = "Ordinal");

/// A sequence of transactional messages of one sender ([MS-MQMQ] 2.2.18.1.2), 8 bytes: Ordinal u32, TimeStamp u32.
///
/// As a number it is TimeStamp << 32 | Ordinal, and compares so; on the wire a little-endian u64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TxSequenceId(pub u64);

impl TxSequenceId {
    /// An identifier of its two halves.
    #[must_use]
    pub const fn new(time_stamp: u32, ordinal: u32) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (ordinal.to_le_bytes(), time_stamp.to_le_bytes());
        Self(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The upper half.
    #[must_use]
    pub const fn time_stamp(self) -> u32 {
        let [.., a, b, c, d] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The lower half.
    #[must_use]
    pub const fn ordinal(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl fmt::Display for TxSequenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time_stamp(), self.ordinal())
    }
}

/// Names a message in the world ([MS-MQMQ] 2.2.18.1.3), 20 bytes: QueueManagerGuid, Ordinal u32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageIdentifier {
    /// QueueManagerGuid: the sender's queue manager.
    pub queue_manager: Uuid,
    /// Ordinal: never the same twice of one queue manager.
    pub ordinal: u32,
}

impl MessageIdentifier {
    /// Bytes on the wire.
    pub const LEN: usize = 20;

    /// The form of the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let parts = self.queue_manager.to_bytes_le().into_iter().chain(self.ordinal.to_le_bytes());
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        bytes
    }

    /// From the form of the wire.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let (guid, rest) = bytes.split_first_chunk().map_or(([0; 16], [0; 4]), |(guid, rest)| {
            (*guid, rest.first_chunk().copied().unwrap_or_default())
        });
        Self { queue_manager: Uuid::from_bytes_le(guid), ordinal: u32::from_le_bytes(rest) }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>, at: &'static At) -> Result<Self, DecodeError> {
        cursor.group(at, |cursor| {
            Ok(Self { queue_manager: cursor.guid(&GUID)?, ordinal: cursor.u32(&ORDINAL)? })
        })
    }

    pub(crate) fn put(self, dst: &mut dyn BufMut) {
        dst.put_slice(&self.to_bytes());
    }
}

/// `{557358d1-9150-9595-4997-b6e611ea26c6}\2286`, as Windows writes it.
impl fmt::Display for MessageIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}\\{}", self.queue_manager, self.ordinal)
    }
}
