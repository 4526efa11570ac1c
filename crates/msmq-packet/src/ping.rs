//! Is anybody there?

use bytes::BufMut;
use remassist_core::{At, Cursor, Decode, DecodeError, Encode, EncodeError};
use uuid::Uuid;

use crate::wire::{bits, invalid, places};

places!("[MS-MQQB]", "2.2.7", "Ping Packet":
    PING = "", FLAGS = "Flags", SIGNATURE = "Signature", COOKIE = "Cookie", QUEUE_MANAGER = "QMGuid");

const SIGNATURE_VALUE: u16 = 0x5548;

bits! {
    /// The field Flags of a [`Ping`], a u16: RC, RF, unused.
    PingFlags(u16) {
        /// RC: the one who asks is no server.
        CLIENT = 0x0001;
        /// RF: a session would be refused now.
        REFUSED = 0x0002;
    }
}

/// A datagram that asks whether a session would be accepted, or answers ([MS-MQQB] 2.2.7), 24 bytes: Flags u16,
/// Signature u16 (0x5548), Cookie u32, QMGuid. UDP port 3527.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ping {
    /// Flags.
    pub flags: PingFlags,
    /// Cookie: an answer repeats it.
    pub cookie: u32,
    /// QMGuid: who made the datagram.
    pub queue_manager: Uuid,
}

impl Ping {
    /// Bytes on the wire.
    pub const LEN: usize = 24;

    /// The answer to this request.
    #[must_use]
    pub const fn response(self, queue_manager: Uuid, refused: bool) -> Self {
        let flags = PingFlags(self.flags.0 & PingFlags::CLIENT.0).with(PingFlags::REFUSED.when(refused));
        Self { flags, cookie: self.cookie, queue_manager }
    }
}

/// Another signature is an error under both policies: such a datagram is to be ignored.
impl<'a> Decode<'a> for Ping {
    const AT: &'static At = &PING;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&PING, |cursor| {
            let flags = PingFlags(cursor.flags16(&FLAGS)?);
            let offset = cursor.offset();
            let signature = cursor.u16(&SIGNATURE)?;
            if signature != SIGNATURE_VALUE {
                return Err(DecodeError::new(offset, &SIGNATURE, invalid(signature.into())));
            }
            Ok(Self { flags, cookie: cursor.u32(&COOKIE)?, queue_manager: cursor.guid(&QUEUE_MANAGER)? })
        })
    }
}

impl Encode for Ping {
    fn encoded_len(&self) -> usize {
        Self::LEN
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice([self.flags.0, SIGNATURE_VALUE].map(u16::to_le_bytes).as_flattened());
        dst.put_slice(&self.cookie.to_le_bytes());
        dst.put_slice(&self.queue_manager.to_bytes_le());
    }
}
