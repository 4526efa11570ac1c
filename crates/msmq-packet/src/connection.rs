//! Packets of a session that are no messages.

use bytes::BufMut;
use remassist_core::{At, Blob, Cursor, DecodeError, DecodeErrorKind, Encode, EncodeError, Format};
use uuid::Uuid;

use crate::base::{BaseHeader, FLAGS as BASE_FLAGS, Head, INFINITE, TIME};
use crate::wire::{bits, excess, invalid, places, sum};
use crate::{BaseFlags, PacketType, SessionHeader};

places!("[MS-MQQB]", "2.2.1", "InternalHeader":
    INTERNAL = "", INTERNAL_RESERVED = "Reserved", INTERNAL_FLAGS = "Flags", TYPE = "Flags.PT");
places!("[MS-MQQB]", "2.2.2.1", "ConnectionParametersHeader":
    PARAMETERS = "", DISK_TIMEOUT = "RecoverableAckTimeout", TIMEOUT = "AckTimeout", RESERVED = "Reserved",
    WINDOW = "WindowSize");
places!("[MS-MQQB]", "2.2.3.1", "EstablishConnectionHeader":
    ESTABLISH = "", CLIENT = "ClientGuid", SERVER = "ServerGuid", STAMP = "TimeStamp",
    SYSTEM = "OperatingSystem", SYSTEM_RESERVED = "OperatingSystem.RE", ESTABLISH_RESERVED = "Reserved",
    PADDING = "Padding");
places!("[MS-MQQB]", "2.2.2", "ConnectionParameters Packet": PARAMETERS_EXCESS = "(after the last header)");
places!("[MS-MQQB]", "2.2.6", "SessionAck Packet": ACK_EXCESS = "(after the last header)");

/// Bytes of Padding.
const PADDING_LEN: usize = 512;
/// Padding of a response.
static PADDING_BYTES: [u8; PADDING_LEN] = [0x5A; PADDING_LEN];

bits! {
    /// The field Flags of an [`InternalHeader`], a u16: PT (bits 0 to 3), CS, reserved.
    InternalFlags(u16) {
        /// PT, the bits of the [`PacketType`].
        PACKET_TYPE = 0x000F;
        /// CS: the connection is refused.
        REFUSED = 0x0010;
    }

    /// The field OperatingSystem of an [`EstablishConnection`], a u16: RE (bits 0 to 7, 0x10), SE, OS, QS, unused.
    OperatingSystem(u16) {
        /// RE with its value.
        RESERVED = 0x0010;
        /// SE: no ping was sent before.
        NO_PING = 0x0100;
        /// OS: a server.
        SERVER = 0x0200;
        /// QS: quality of service.
        QUALITY = 0x0400;
    }
}

/// The second header of the packets that are no messages ([MS-MQQB] 2.2.1), 4 bytes: Reserved u16, Flags u16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InternalHeader {
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// Flags without PT, which the packet tells.
    pub flags: InternalFlags,
}

impl InternalHeader {
    /// CS: whether the connection is refused. A null ServerGuid is none (erratum Q1).
    #[must_use]
    pub const fn is_refused(self) -> bool {
        self.flags.contains(InternalFlags::REFUSED)
    }

    /// Reads the header. A type that is not known closes a session: an error under both policies.
    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<(Self, PacketType), DecodeError> {
        cursor.group(&INTERNAL, |cursor| {
            let reserved = u16::from_le_bytes(cursor.array(&INTERNAL_RESERVED, Format::Filler)?);
            let offset = cursor.offset();
            let flags = InternalFlags(cursor.flags16(&INTERNAL_FLAGS)?);
            let [low, _] = flags.0.to_le_bytes();
            let packet_type = PacketType(low & 0x0F);
            cursor.context().note(packet_type.name());
            if packet_type.name().is_none() {
                return Err(DecodeError::new(offset, &TYPE, invalid(packet_type.0.into())));
            }
            Ok((Self { reserved, flags: flags.without(InternalFlags::PACKET_TYPE) }, packet_type))
        })
    }

    fn put(self, packet_type: PacketType, dst: &mut dyn BufMut) {
        let flags = self.flags.with(InternalFlags(packet_type.0.into()));
        dst.put_slice([self.reserved, flags.0].map(u16::to_le_bytes).as_flattened());
    }
}

/// Asks for a session, or answers ([MS-MQQB] 2.2.3), 572 bytes: BaseHeader, [`InternalHeader`], ClientGuid,
/// ServerGuid, TimeStamp u32, OperatingSystem u16, Reserved u16, Padding (512 bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EstablishConnection<'a> {
    /// BaseHeader.
    pub base: BaseHeader,
    /// InternalHeader.
    pub internal: InternalHeader,
    /// ClientGuid: the queue manager that asks.
    pub client_guid: Uuid,
    /// ServerGuid: the queue manager that is asked; null when it is only known by a direct name.
    pub server_guid: Uuid,
    /// TimeStamp: milliseconds since the start of the system that asks; the answer repeats it.
    pub time_stamp: u32,
    /// OperatingSystem.
    pub operating_system: OperatingSystem,
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// Padding: 0x5A in an answer, anything in a request.
    pub padding: Blob<'a>,
}

/// How a session is to work ([MS-MQQB] 2.2.2), 32 bytes: BaseHeader, [`InternalHeader`], RecoverableAckTimeout u32,
/// AckTimeout u32, Reserved u16, WindowSize u16.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConnectionParameters<'a> {
    /// BaseHeader.
    pub base: BaseHeader,
    /// InternalHeader.
    pub internal: InternalHeader,
    /// RecoverableAckTimeout: milliseconds, 500 to 120,000, until recoverable messages are acknowledged.
    pub recoverable_ack_timeout: u32,
    /// AckTimeout: milliseconds, 20,000 to 120,000, without an acknowledgment until the session is closed.
    pub ack_timeout: u32,
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// WindowSize: messages until an acknowledgment is due.
    pub window_size: u16,
    /// Bytes after the last header; none in a packet that keeps the rules.
    #[cfg_attr(feature = "serde", serde(default))]
    pub excess: Blob<'a>,
}

impl ConnectionParameters<'_> {
    /// What RecoverableAckTimeout may be.
    pub const RECOVERABLE_ACK_TIMEOUT: core::ops::RangeInclusive<u32> = 0x1F4..=0x1D4C0;
    /// What AckTimeout may be.
    pub const ACK_TIMEOUT: core::ops::RangeInclusive<u32> = 0x4E20..=0x1D4C0;
}

/// An acknowledgment that travels alone ([MS-MQQB] 2.2.6), 36 bytes: BaseHeader, [`InternalHeader`], [`SessionHeader`].
/// PacketSize counts all of them (erratum Q7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionAck<'a> {
    /// BaseHeader, with the flag SH.
    pub base: BaseHeader,
    /// InternalHeader.
    pub internal: InternalHeader,
    /// SessionHeader.
    pub session: SessionHeader,
    /// Bytes after the last header; none in a packet that keeps the rules.
    #[cfg_attr(feature = "serde", serde(default))]
    pub excess: Blob<'a>,
}

impl EstablishConnection<'static> {
    /// A request, with its padding as an answer has it. `server_guid` is null for a direct name.
    #[must_use]
    pub fn request(client_guid: Uuid, server_guid: Uuid, time_stamp: u32, system: OperatingSystem) -> Self {
        Self {
            base: BaseHeader::default(),
            internal: InternalHeader::default(),
            client_guid,
            server_guid,
            time_stamp,
            operating_system: system.with(OperatingSystem::RESERVED),
            reserved: 0,
            padding: PADDING_BYTES.as_slice().into(),
        }
    }
}

impl EstablishConnection<'_> {
    /// The answer to this request ([MS-MQQB] 3.1.5.3.2): the same with our GUID, refused or not.
    #[must_use]
    pub fn response(&self, server_guid: Uuid, refused: bool) -> EstablishConnection<'static> {
        let flags = InternalFlags::REFUSED.when(refused);
        EstablishConnection {
            internal: InternalHeader { reserved: 0, flags },
            ..EstablishConnection::request(
                self.client_guid,
                server_guid,
                self.time_stamp,
                self.operating_system,
            )
        }
    }
}

impl ConnectionParameters<'static> {
    /// A packet with these values: the request, and the answer that repeats it.
    #[must_use]
    pub fn new(recoverable_ack_timeout: u32, ack_timeout: u32, window_size: u16) -> Self {
        Self {
            base: BaseHeader::default(),
            internal: InternalHeader::default(),
            recoverable_ack_timeout,
            ack_timeout,
            reserved: 0,
            window_size,
            excess: Blob::default(),
        }
    }
}

impl SessionAck<'static> {
    /// A packet with this header.
    #[must_use]
    pub fn new(session: SessionHeader) -> Self {
        let base = BaseHeader::default();
        Self {
            base: BaseHeader { flags: base.flags.with(BaseFlags::SESSION), ..base },
            internal: InternalHeader::default(),
            session,
            excess: Blob::default(),
        }
    }
}

/// What all internal packets must be: no message, no time.
fn rules(cursor: &Cursor<'_, '_>, head: &Head) -> Result<BaseHeader, DecodeError> {
    let time = head.base.time_to_reach_queue;
    cursor.must(time == INFINITE, head.time_at, &TIME, invalid(time.into()))?;
    let debug = head.base.flags.contains(BaseFlags::DEBUG);
    let kind = DecodeErrorKind::Rule("only a message has a DebugHeader");
    cursor.must(!debug, head.flags_at, &BASE_FLAGS, kind)?;
    Ok(BaseHeader { flags: head.base.flags.without(BaseFlags::INTERNAL), ..head.base })
}

impl<'a> EstablishConnection<'a> {
    pub(crate) fn parse(
        cursor: &mut Cursor<'_, 'a>,
        head: &Head,
        internal: InternalHeader,
    ) -> Result<Self, DecodeError> {
        let base = rules(cursor, head)?;
        cursor.group(&ESTABLISH, |cursor| {
            let client_guid = cursor.guid(&CLIENT)?;
            let server_guid = cursor.guid(&SERVER)?;
            let time_stamp = cursor.u32(&STAMP)?;
            let offset = cursor.offset();
            let operating_system = OperatingSystem(cursor.flags16(&SYSTEM)?);
            let [reserved_bits, _] = operating_system.0.to_le_bytes();
            cursor.must(reserved_bits == 0x10, offset, &SYSTEM_RESERVED, invalid(reserved_bits.into()))?;
            let reserved = u16::from_le_bytes(cursor.array(&ESTABLISH_RESERVED, Format::Filler)?);
            let offset = cursor.offset();
            let padding = cursor.take_rest(&PADDING, Format::Filler);
            let kind = DecodeErrorKind::Rule("not 512 bytes");
            cursor.must(padding.len() == PADDING_LEN, offset, &PADDING, kind)?;
            let padding = padding.into();
            Ok(Self {
                base,
                internal,
                client_guid,
                server_guid,
                time_stamp,
                operating_system,
                reserved,
                padding,
            })
        })
    }

    /// The same packet, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> EstablishConnection<'static> {
        EstablishConnection { padding: self.padding.into_owned(), ..self }
    }
}

impl<'a> ConnectionParameters<'a> {
    pub(crate) fn parse(
        cursor: &mut Cursor<'_, 'a>,
        head: &Head,
        internal: InternalHeader,
    ) -> Result<Self, DecodeError> {
        let base = rules(cursor, head)?;
        let mut packet = cursor.group(&PARAMETERS, |cursor| {
            let at = cursor.offset();
            let recoverable_ack_timeout = cursor.u32(&DISK_TIMEOUT)?;
            let ok = Self::RECOVERABLE_ACK_TIMEOUT.contains(&recoverable_ack_timeout);
            cursor.must(ok, at, &DISK_TIMEOUT, invalid(recoverable_ack_timeout.into()))?;
            let at = cursor.offset();
            let ack_timeout = cursor.u32(&TIMEOUT)?;
            let ok = Self::ACK_TIMEOUT.contains(&ack_timeout);
            cursor.must(ok, at, &TIMEOUT, invalid(ack_timeout.into()))?;
            let reserved = u16::from_le_bytes(cursor.array(&RESERVED, Format::Filler)?);
            let window_size = cursor.u16(&WINDOW)?;
            let excess = Blob::default();
            Ok(Self { base, internal, recoverable_ack_timeout, ack_timeout, reserved, window_size, excess })
        })?;
        packet.excess = excess(cursor, &PARAMETERS_EXCESS)?;
        Ok(packet)
    }

    /// The same packet, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ConnectionParameters<'static> {
        ConnectionParameters { excess: self.excess.into_owned(), ..self }
    }
}

impl<'a> SessionAck<'a> {
    pub(crate) fn parse(
        cursor: &mut Cursor<'_, 'a>,
        head: &Head,
        internal: InternalHeader,
    ) -> Result<Self, DecodeError> {
        let base = rules(cursor, head)?;
        let kind = DecodeErrorKind::Rule("SH is not set");
        cursor.must(base.flags.contains(BaseFlags::SESSION), head.flags_at, &BASE_FLAGS, kind)?;
        let session = SessionHeader::parse(cursor)?;
        let excess = excess(cursor, &ACK_EXCESS)?;
        Ok(Self { base, internal, session, excess })
    }

    /// The same packet, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SessionAck<'static> {
        SessionAck { excess: self.excess.into_owned(), ..self }
    }
}

/// What can be wrong with an internal packet that is to be written.
fn check(base: &BaseHeader, internal: &InternalHeader, size: usize) -> Result<(), EncodeError> {
    let follows =
        |at: &'static At| EncodeError::Invalid { at, reason: "a bit that follows from the rest is set" };
    if base.flags.contains(BaseFlags::INTERNAL) {
        return Err(follows(&BASE_FLAGS));
    }
    if internal.flags.0 & InternalFlags::PACKET_TYPE.0 != 0 {
        return Err(follows(&TYPE));
    }
    crate::base::check_size(size)
}

macro_rules! internal_packets {
    ($($packet:ident($type:ident, $fixed:literal, $tail:ident) = |$self:ident, $dst:ident| $put:block)*) => {$(
        impl Encode for $packet<'_> {
            fn encoded_len(&self) -> usize {
                sum([$fixed, self.$tail.len()])
            }

            fn check(&self) -> Result<(), EncodeError> {
                check(&self.base, &self.internal, self.encoded_len())
            }

            fn write(&$self, $dst: &mut dyn BufMut) {
                $self.base.put(BaseFlags::INTERNAL, $self.encoded_len(), $dst);
                $self.internal.put(PacketType::$type, $dst);
                $put
                $dst.put_slice(&$self.$tail);
            }
        }
    )*};
}

internal_packets! {
    EstablishConnection(ESTABLISH_CONNECTION, 60, padding) = |self, dst| {
        let guids = [self.client_guid.to_bytes_le(), self.server_guid.to_bytes_le()];
        dst.put_slice(guids.as_flattened());
        dst.put_slice(&self.time_stamp.to_le_bytes());
        dst.put_slice([self.operating_system.0, self.reserved].map(u16::to_le_bytes).as_flattened());
    }
    ConnectionParameters(CONNECTION_PARAMETERS, 32, excess) = |self, dst| {
        let words = [self.recoverable_ack_timeout, self.ack_timeout];
        dst.put_slice(words.map(u32::to_le_bytes).as_flattened());
        dst.put_slice([self.reserved, self.window_size].map(u16::to_le_bytes).as_flattened());
    }
    SessionAck(SESSION_ACK, 36, excess) = |self, dst| {
        self.session.put(dst);
    }
}
