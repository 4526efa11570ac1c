//! Any packet of a session.

use bytes::BufMut;
use remassist_core::{At, Cursor, Decode, DecodeError, Encode, EncodeError};

use crate::base::{BASE, Head};
use crate::connection::InternalHeader;
use crate::{BaseFlags, ConnectionParameters, EstablishConnection, PacketType, SessionAck, UserMessage};

/// A packet of a session ([MS-MQQB] 2.2), by BaseHeader and, of internal ones, InternalHeader. OrderAck and FinalAck are
/// messages: [`UserMessage::acknowledgment`].
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
#[expect(clippy::large_enum_variant, reason = "most packets are messages: no allocation for each of them")]
pub enum Packet<'a> {
    /// Asks for a session, or answers.
    EstablishConnection(EstablishConnection<'a>),
    /// How the session is to work.
    ConnectionParameters(ConnectionParameters<'a>),
    /// What arrived.
    SessionAck(SessionAck<'a>),
    /// A message.
    UserMessage(UserMessage<'a>),
}

impl<'a> Packet<'a> {
    /// What the packet is, in the words of the specification.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EstablishConnection(_) => "EstablishConnection",
            Self::ConnectionParameters(_) => "ConnectionParameters",
            Self::SessionAck(_) => "SessionAck",
            Self::UserMessage(_) => "UserMessage",
        }
    }

    /// The same packet, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Packet<'static> {
        match self {
            Self::EstablishConnection(p) => Packet::EstablishConnection(p.into_owned()),
            Self::ConnectionParameters(p) => Packet::ConnectionParameters(p.into_owned()),
            Self::SessionAck(p) => Packet::SessionAck(p.into_owned()),
            Self::UserMessage(p) => Packet::UserMessage(p.into_owned()),
        }
    }

    fn inner(&self) -> &dyn Encode {
        match self {
            Self::EstablishConnection(p) => p,
            Self::ConnectionParameters(p) => p,
            Self::SessionAck(p) => p,
            Self::UserMessage(p) => p,
        }
    }
}

impl<'a> Decode<'a> for Packet<'a> {
    const AT: &'static At = &BASE;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let head = Head::parse(cursor)?;
        if !head.base.flags.contains(BaseFlags::INTERNAL) {
            return UserMessage::parse_after(cursor, &head).map(Self::UserMessage);
        }
        let mut inside = cursor.sub(head.remaining(), &BASE)?;
        let (internal, packet_type) = InternalHeader::parse(&mut inside)?;
        match packet_type {
            PacketType::ESTABLISH_CONNECTION => {
                EstablishConnection::parse(&mut inside, &head, internal).map(Self::EstablishConnection)
            }
            PacketType::CONNECTION_PARAMETERS => {
                ConnectionParameters::parse(&mut inside, &head, internal).map(Self::ConnectionParameters)
            }
            _ => SessionAck::parse(&mut inside, &head, internal).map(Self::SessionAck),
        }
    }
}

impl Encode for Packet<'_> {
    fn encoded_len(&self) -> usize {
        self.inner().encoded_len()
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.inner().check()
    }

    fn write(&self, dst: &mut dyn BufMut) {
        self.inner().write(dst);
    }
}

macro_rules! from {
    ($($variant:ident),*) => {$(
        impl<'a> From<$variant<'a>> for Packet<'a> {
            fn from(packet: $variant<'a>) -> Self {
                Self::$variant(packet)
            }
        }
    )*};
}
from!(EstablishConnection, ConnectionParameters, SessionAck, UserMessage);
