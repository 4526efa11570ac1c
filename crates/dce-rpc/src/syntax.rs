//! Interfaces, transfer syntaxes, features.

use bytes::BufMut;
use core::fmt;
use remassist_core::{At, Cursor, DecodeError};
use uuid::{Uuid, uuid};

use crate::wire::{ByteOrder, c706};

const UUID: At = c706("12.6.3.1", "p_syntax_id_t", "if_uuid");
const VERSION: At = c706("12.6.3.1", "p_syntax_id_t", "if_version");

/// An interface or a transfer syntax with its version: p_syntax_id_t, RPC_SYNTAX_IDENTIFIER (\[C706\] 12.6.3.1,
/// [MS-RPCE] 2.2.2.7), 20 bytes: UUID, u32 with the major version in its low and the minor in its high half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SyntaxId {
    /// UUID.
    pub uuid: Uuid,
    /// Major version in the low, minor version in the high 16 bits.
    pub version: u32,
}

impl SyntaxId {
    /// Bytes on the wire.
    pub(crate) const LEN: usize = 20;
    /// All zero: no syntax; in refused results and where features are negotiated.
    pub const NIL: Self = Self { uuid: Uuid::nil(), version: 0 };
    /// NDR 2.0 (\[C706\] I, [MS-RPCE] 2.2.4.12).
    pub const NDR: Self = Self::new(uuid!("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2, 0);
    /// NDR64 ([MS-RPCE] 2.2.5.1).
    pub const NDR64: Self = Self::new(uuid!("71710533-beba-4937-8319-b5dbef9ccc36"), 1, 0);

    /// An interface or syntax of a version.
    #[must_use]
    pub const fn new(uuid: Uuid, major: u16, minor: u16) -> Self {
        let ([a, b], [c, d]) = (major.to_le_bytes(), minor.to_le_bytes());
        Self { uuid, version: u32::from_le_bytes([a, b, c, d]) }
    }

    /// The major version.
    #[must_use]
    pub const fn major(self) -> u16 {
        let [a, b, _, _] = self.version.to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    /// The minor version.
    #[must_use]
    pub const fn minor(self) -> u16 {
        let [_, _, c, d] = self.version.to_le_bytes();
        u16::from_le_bytes([c, d])
    }

    /// The name of a transfer syntax, `None` for all others.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match *self {
            Self::NDR => Some("NDR"),
            Self::NDR64 => Some("NDR64"),
            other => other.features().map(|_| "bind time feature negotiation"),
        }
    }

    /// The transfer syntax that offers features when binding ([MS-RPCE] 3.3.1.5.3): 6cb71c2c-9812-4540, then the eight
    /// octets of BindTimeFeatureNegotiationBitmask; version 1.0.
    #[must_use]
    pub const fn feature_negotiation(features: Features) -> Self {
        let [a, b] = features.0.to_le_bytes();
        let tail = [a, b, 0, 0, 0, 0, 0, 0];
        Self::new(Uuid::from_fields(0x6CB7_1C2C, 0x9812, 0x4540, &tail), 1, 0)
    }

    /// What such a transfer syntax offers; `None` for all others. Octets after the second are reserved and left out.
    #[must_use]
    pub fn features(&self) -> Option<Features> {
        let (first, second, third, &[a, b, ..]) = self.uuid.as_fields();
        let prefix = (first, second, third) == (0x6CB7_1C2C, 0x9812, 0x4540);
        (prefix && self.version == 1).then(|| Features(u16::from_le_bytes([a, b])))
    }

    pub(crate) fn parse(order: ByteOrder, cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        let uuid = order.uuid(cursor, &UUID)?;
        let version = order.u32(cursor, &VERSION)?;
        let value = Self { uuid, version };
        cursor.context().note(value.name());
        Ok(value)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_uuid(dst, &self.uuid);
        order.put_u32(dst, self.version);
    }
}

impl fmt::Display for SyntaxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}.{}", self.uuid, self.major(), self.minor())
    }
}

/// Features of a connection: the first octets of BindTimeFeatureNegotiationBitmask and all of
/// BindTimeFeatureNegotiationResponseBitmask, little-endian ([MS-RPCE] 2.2.2.14, 2.2.2.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Features(pub u16);

impl Features {
    /// None.
    pub const NONE: Self = Self(0);
    /// Several security contexts on one connection ([MS-RPCE] 3.3.1.5.4).
    pub const SECURITY_CONTEXT_MULTIPLEXING: Self = Self(0x01);
    /// The connection stays open after an orphaned PDU ([MS-RPCE] 3.3.1.5.10).
    pub const KEEP_CONNECTION_ON_ORPHAN: Self = Self(0x02);
    /// Both: what this crate supports.
    pub const ALL: Self = Self(0x03);

    /// Whether all features of `other` are there.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both have: the answer of a server, reserved bits cleared.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
