//! The header of every packet.

use bytes::BufMut;
use remassist_core::{
    Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, check_len, len_u32, usize_from,
};

use crate::wire::{bits, invalid, places};

places!("[MS-MQMQ]", "2.2.19.1", "BaseHeader":
    BASE = "", VERSION = "VersionNumber", RESERVED = "Reserved", FLAGS = "Flags", SIGNATURE = "Signature",
    SIZE = "PacketSize", TIME = "TimeToReachQueue");

/// Largest PacketSize, 4 MiB ([MS-MQMQ] 2.2.19.1).
pub const MAX_PACKET: usize = 0x0040_0000;
/// A time that never ends: TimeToReachQueue and TimeToBeReceived.
pub const INFINITE: u32 = 0xFFFF_FFFF;
/// Signature of a BaseHeader: `LIOR`.
pub(crate) const LIOR: [u8; 4] = *b"LIOR";
const VERSION_NUMBER: u8 = 0x10;

bits! {
    /// The field Flags of a [`BaseHeader`], a u16: PR (bits 0 to 2), IN, SH, DH, reserved (6, 7), TR, reserved.
    BaseFlags(u16) {
        /// PR, the bits of the priority.
        PRIORITY = 0x0007;
        /// IN: an internal packet.
        INTERNAL = 0x0008;
        /// SH: a SessionHeader is there.
        SESSION = 0x0010;
        /// DH: a DebugHeader is there.
        DEBUG = 0x0020;
        /// TR: the message is traced.
        TRACING = 0x0100;
    }
}

/// The first header of every packet ([MS-MQMQ] 2.2.19.1), 16 bytes: VersionNumber u8 (0x10), Reserved u8, Flags u16,
/// Signature (`LIOR`), PacketSize u32 (at most [`MAX_PACKET`]), TimeToReachQueue u32.
///
/// Version, signature and size are not here: they follow from the rest, and so do the flags IN, and in a UserMessage
/// SH and DH, which are clear here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BaseHeader {
    /// Reserved: anything.
    pub reserved: u8,
    /// Flags without those that follow from the rest.
    pub flags: BaseFlags,
    /// TimeToReachQueue: seconds from SentTime until the message must be at its queue, or [`INFINITE`]. In a message
    /// that is read remotely the Unix time when it ends ([MS-MQRR] 2.2.5.1).
    pub time_to_reach_queue: u32,
}

impl Default for BaseHeader {
    /// Priority 3, no end.
    fn default() -> Self {
        Self { reserved: 0, flags: BaseFlags(3), time_to_reach_queue: INFINITE }
    }
}

impl BaseHeader {
    /// Bytes on the wire.
    pub const LEN: usize = 16;

    /// PR: 0 to 7, 3 as a rule, 0 of transactional messages.
    #[must_use]
    pub const fn priority(self) -> u8 {
        let [low, _] = self.flags.0.to_le_bytes();
        low & 7
    }

    /// The header with another priority, of which 3 bits count.
    #[must_use]
    pub fn with_priority(mut self, priority: u8) -> Self {
        self.flags = self.flags.without(BaseFlags::PRIORITY).with(BaseFlags(u16::from(priority & 7)));
        self
    }

    pub(crate) fn put(self, flags: BaseFlags, size: usize, dst: &mut dyn BufMut) {
        let ([f0, f1], [l, i, o, r]) = (self.flags.with(flags).0.to_le_bytes(), LIOR);
        let words = [
            [VERSION_NUMBER, self.reserved, f0, f1],
            [l, i, o, r],
            len_u32(size).to_le_bytes(),
            self.time_to_reach_queue.to_le_bytes(),
        ];
        dst.put_slice(words.as_flattened());
    }
}

/// A BaseHeader as it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) base: BaseHeader,
    pub(crate) packet_size: u32,
    /// Where the packet begins.
    pub(crate) start: usize,
    /// Where Flags, PacketSize and TimeToReachQueue stand.
    pub(crate) flags_at: usize,
    pub(crate) size_at: usize,
    pub(crate) time_at: usize,
}

impl Head {
    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        cursor.group(&BASE, |cursor| {
            let start = cursor.offset();
            let version = cursor.u8(&VERSION)?;
            if version != VERSION_NUMBER {
                return Err(DecodeError::new(start, &VERSION, invalid(version.into())));
            }
            let reserved = cursor.array::<1>(&RESERVED, Format::Filler)?[0];
            let flags_at = cursor.offset();
            let flags = BaseFlags(cursor.flags16(&FLAGS)?);
            let offset = cursor.offset();
            if cursor.array::<4>(&SIGNATURE, Format::Utf8)? != LIOR {
                return Err(DecodeError::new(
                    offset,
                    &SIGNATURE,
                    DecodeErrorKind::Rule("not the signature LIOR"),
                ));
            }
            let size_at = cursor.offset();
            let packet_size = cursor.u32(&SIZE)?;
            let bounds = BaseHeader::LEN..=MAX_PACKET;
            if !bounds.contains(&usize_from(packet_size)) {
                let kind = DecodeErrorKind::OutOfBounds { got: packet_size.into(), max: MAX_PACKET };
                return Err(DecodeError::new(size_at, &SIZE, kind));
            }
            let time_at = cursor.offset();
            let time_to_reach_queue = cursor.u32(&TIME)?;
            let base = BaseHeader { reserved, flags, time_to_reach_queue };
            Ok(Self { base, packet_size, start, flags_at, size_at, time_at })
        })
    }

    /// What PacketSize counts after this header.
    pub(crate) fn remaining(&self) -> usize {
        usize_from(self.packet_size).saturating_sub(BaseHeader::LEN)
    }

    /// Bytes of the packet, with a SessionHeader behind a message, which PacketSize does not count (erratum Q7).
    pub(crate) fn whole(&self) -> usize {
        let behind =
            self.base.flags.contains(BaseFlags::SESSION) && !self.base.flags.contains(BaseFlags::INTERNAL);
        usize_from(self.packet_size).saturating_add(if behind { crate::SessionHeader::LEN } else { 0 })
    }
}

/// Whether PacketSize can say this.
pub(crate) fn check_size(size: usize) -> Result<(), EncodeError> {
    check_len(size, MAX_PACKET, &SIZE)
}
