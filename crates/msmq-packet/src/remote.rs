//! A message as it is read from another queue manager.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U32, check_len,
    len_u32, usize_from,
};

use crate::base::{BaseFlags, BaseHeader, FLAGS as BASE_FLAGS, Head, SIZE as PACKET_SIZE, check_size};
use crate::remote_extra::{
    DeadLetterHeader, ExtendedAddressHeader, SrmpHeaders, SubqueueHeader, whole_header,
};
use crate::wire::{bits, missing, places, sum};
use crate::{AddressType, UserFlags, UserMessage};

places!("[MS-MQRR]", "2.2.5", "Message Packet": PACKET = "", ROUNDING = "(padding)");
places!("[MS-MQRR]", "2.2.5.2", "ExtensionHeader":
    EXTENSION = "", SIZE = "HeaderSize", REMAINING = "RemainingHeadersSize", FLAGS = "Flags",
    RESERVED = "Reserved", EXCESS = "(after the last header)");
places!("[MS-MQMQ]", "2.2.19.2", "UserHeader": OVER_HTTP = "Flags.AH");

/// Bytes of an ExtensionHeader.
const EXTENSION_LEN: usize = 12;

bits! {
    /// The field Flags of an [`ExtensionHeader`], a u8: DL, SQ, unused, DI, EA, unused.
    ExtensionFlags(u8) {
        /// DL: a DeadLetterHeader is there.
        DEAD_LETTER = 0x01;
        /// SQ: a SubqueueHeader is there: always.
        SUBQUEUE = 0x02;
        /// DI: the dead-letter queue cannot be used.
        DEAD_LETTER_INVALID = 0x08;
        /// EA: an ExtendedAddressHeader is there: always.
        ADDRESS = 0x10;
    }
}

impl ExtensionFlags {
    /// What follows from the rest.
    const DERIVED: Self = Self(Self::DEAD_LETTER.0 | Self::SUBQUEUE.0 | Self::ADDRESS.0);
}

/// A message that was read remotely ([MS-MQRR] 2.2.5): the UserMessage of its queue, then headers that only the queue
/// manager knows.
///
/// In the UserMessage TimeToReachQueue is a Unix time, and with a direct format name QueueManagerAddress holds the address
/// of the sender ([`source`](Self::source)). What PacketSize counts is not said (erratum Q18): any value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessagePacket<'a> {
    /// UserMessage; its `excess` is what rounds it up to a multiple of 4.
    pub message: UserMessage<'a>,
    /// PacketSize, where it is not the size of the UserMessage without its SessionHeader.
    #[cfg_attr(feature = "serde", serde(default))]
    pub packet_size: Option<u32>,
    /// SRMPEnvelopeHeader and CompoundMessageHeader, of a message that came over HTTP.
    pub srmp: Option<SrmpHeaders<'a>>,
    /// ExtensionHeader and what it announces; Windows Server 2003 has none.
    pub extension: Option<ExtensionHeader<'a>>,
}

/// What follows a message that was read remotely ([MS-MQRR] 2.2.5.2), 12 bytes: HeaderSize u32, RemainingHeadersSize
/// u32, Flags u8, Reserved (3 bytes); then the headers that Flags announces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExtensionHeader<'a> {
    /// Flags without DL, SQ and EA, which follow from the rest.
    pub flags: ExtensionFlags,
    /// Reserved: ignored when read.
    pub reserved: [u8; 3],
    /// SubqueueHeader.
    pub subqueue: Option<SubqueueHeader<'a>>,
    /// DeadLetterHeader.
    pub dead_letter: Option<DeadLetterHeader<'a>>,
    /// ExtendedAddressHeader.
    pub address: Option<ExtendedAddressHeader>,
    /// Bytes that RemainingHeadersSize counts and no header has; none in a packet that keeps the rules.
    #[cfg_attr(feature = "serde", serde(default))]
    pub excess: Blob<'a>,
}

impl<'a> ExtensionHeader<'a> {
    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&EXTENSION, |cursor| {
            whole_header(cursor, &SIZE, EXTENSION_LEN)?;
            let remaining = usize_from(cursor.u32(&REMAINING)?);
            let flags_at = cursor.offset();
            let flags = ExtensionFlags(cursor.flags8(&FLAGS)?);
            let always = ExtensionFlags::SUBQUEUE.with(ExtensionFlags::ADDRESS);
            let kind = DecodeErrorKind::Rule("SQ and EA are not both set");
            cursor.must(flags.contains(always), flags_at, &FLAGS, kind)?;
            let reserved = cursor.array(&RESERVED, Format::Filler)?;
            let mut rest = cursor.sub(remaining, &REMAINING)?;
            let subqueue = match flags.contains(ExtensionFlags::SUBQUEUE) {
                true => Some(SubqueueHeader::parse(&mut rest)?),
                false => None,
            };
            let dead_letter = match flags.contains(ExtensionFlags::DEAD_LETTER) {
                true => Some(DeadLetterHeader::parse(&mut rest)?),
                false => None,
            };
            let address = match flags.contains(ExtensionFlags::ADDRESS) {
                true => Some(ExtendedAddressHeader::parse(&mut rest)?),
                false => None,
            };
            let offset = rest.offset();
            let excess = rest.take_rest(&EXCESS, Format::Bytes);
            let kind = DecodeErrorKind::Rule("bytes that RemainingHeadersSize counts and no header has");
            cursor.must(excess.is_empty(), offset, &EXCESS, kind)?;
            let flags = flags.without(ExtensionFlags::DERIVED);
            Ok(Self { flags, reserved, subqueue, dead_letter, address, excess: excess.into() })
        })
    }

    fn into_owned(self) -> ExtensionHeader<'static> {
        ExtensionHeader {
            flags: self.flags,
            reserved: self.reserved,
            subqueue: self.subqueue.map(SubqueueHeader::into_owned),
            dead_letter: self.dead_letter.map(DeadLetterHeader::into_owned),
            address: self.address,
            excess: self.excess.into_owned(),
        }
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.flags.0 & ExtensionFlags::DERIVED.0 != 0 {
            let reason = "a bit that follows from the rest is set";
            return Err(EncodeError::Invalid { at: &FLAGS, reason });
        }
        self.subqueue.as_ref().map_or(Ok(()), SubqueueHeader::check)?;
        self.dead_letter.as_ref().map_or(Ok(()), DeadLetterHeader::check)?;
        check_len(self.remaining(), MAX_U32, &REMAINING)
    }

    fn remaining(&self) -> usize {
        sum([
            self.subqueue.as_ref().map_or(0, |_| SubqueueHeader::LEN),
            self.dead_letter.as_ref().map_or(0, DeadLetterHeader::size),
            self.address.map_or(0, |_| ExtendedAddressHeader::LEN),
            self.excess.len(),
        ])
    }

    fn put(&self, dst: &mut dyn BufMut) {
        dst.put_slice(
            [len_u32(EXTENSION_LEN), len_u32(self.remaining())].map(u32::to_le_bytes).as_flattened(),
        );
        let flags = self
            .flags
            .with(ExtensionFlags::SUBQUEUE.when(self.subqueue.is_some()))
            .with(ExtensionFlags::DEAD_LETTER.when(self.dead_letter.is_some()))
            .with(ExtensionFlags::ADDRESS.when(self.address.is_some()));
        let [a, b, c] = self.reserved;
        dst.put_slice(&[flags.0, a, b, c]);
        if let Some(subqueue) = &self.subqueue {
            subqueue.put(dst);
        }
        if let Some(dead_letter) = &self.dead_letter {
            dead_letter.put(dst);
        }
        if let Some(address) = self.address {
            address.put(dst);
        }
        dst.put_slice(&self.excess);
    }
}

impl<'a> MessagePacket<'a> {
    /// A message in its queue, with the headers that are always there, empty, and the address of its sender.
    #[must_use]
    pub fn new(message: UserMessage<'a>, source: Option<IpAddr>) -> Self {
        let extension = ExtensionHeader {
            subqueue: Some(SubqueueHeader::default()),
            address: Some(source.map(ExtendedAddressHeader::from).unwrap_or_default()),
            ..ExtensionHeader::default()
        };
        let mut packet = Self { message, packet_size: None, srmp: None, extension: Some(extension) };
        let end = sum([packet.front_size(), packet.message.back_size()]);
        if packet.message.excess.is_empty() {
            let zeros: &'static [u8] = &[0; 3];
            packet.message.excess = zeros.get(..missing(end)).unwrap_or_default().into();
        }
        packet
    }

    /// The address that the message came from: that of the ExtendedAddressHeader, or an IPv4 address that lies over
    /// QueueManagerAddress where a direct format name is the destination ([MS-MQRR] 2.2.5.1).
    #[must_use]
    pub fn source(&self) -> Option<IpAddr> {
        let extended = self.extension.as_ref().and_then(|e| e.address).and_then(ExtendedAddressHeader::ip);
        extended.or_else(|| {
            self.message.user.destination_queue.as_direct()?;
            let [4, 0, kind, 0, _, _, _, _, a, b, c, d, ..] =
                self.message.user.queue_manager_address.to_bytes_le()
            else {
                return None;
            };
            (u16::from(kind) == AddressType::IPV4.0).then(|| Ipv4Addr::new(a, b, c, d).into())
        })
    }

    /// The same packet, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> MessagePacket<'static> {
        MessagePacket {
            message: self.message.into_owned(),
            packet_size: self.packet_size,
            srmp: self.srmp.map(SrmpHeaders::into_owned),
            extension: self.extension.map(ExtensionHeader::into_owned),
        }
    }

    /// BaseHeader up to CompoundMessageHeader.
    fn front_size(&self) -> usize {
        self.message.front_size().saturating_add(self.srmp.as_ref().map_or(0, SrmpHeaders::size))
    }

    /// What PacketSize is as a rule.
    fn message_size(&self) -> usize {
        self.front_size().saturating_add(self.message.back_size())
    }
}

impl<'a> Decode<'a> for MessagePacket<'a> {
    const AT: &'static At = &PACKET;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.offset();
        let head = Head::parse(cursor)?;
        if head.base.flags.contains(BaseFlags::INTERNAL) {
            let kind = DecodeErrorKind::Rule("IN is set: no message");
            return Err(DecodeError::new(head.flags_at, &BASE_FLAGS, kind));
        }
        let (mut message, flags) = UserMessage::parse_front(cursor, &head, true)?;
        let srmp = match flags.contains(UserFlags::OVER_HTTP) {
            true => Some(SrmpHeaders::parse(cursor)?),
            false => None,
        };
        message.parse_back(cursor, flags)?;
        let end = cursor.offset().saturating_sub(start);
        message.excess = cursor.take(missing(end), &ROUNDING, Format::Filler)?.into();
        let end = cursor.offset().saturating_sub(start);
        message.parse_session(cursor, &head)?;
        let extension = match cursor.is_empty() {
            true => None,
            false => Some(ExtensionHeader::parse(cursor)?),
        };
        let packet_size = (usize_from(head.packet_size) != end).then_some(head.packet_size);
        let all = cursor.offset().saturating_sub(start);
        let kind = DecodeErrorKind::Rule("neither the size of the message nor of the whole");
        let known = packet_size.is_none_or(|size| usize_from(size) == all);
        cursor.must(known, head.size_at, &PACKET_SIZE, kind)?;
        Ok(Self { message, packet_size, srmp, extension })
    }
}

impl Encode for MessagePacket<'_> {
    fn encoded_len(&self) -> usize {
        let extension = self.extension.as_ref().map_or(0, |e| EXTENSION_LEN.saturating_add(e.remaining()));
        sum([self.message_size(), self.message.session_size(), extension])
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.message.check_headers(true)?;
        let over_http = self.message.user.flags.contains(UserFlags::OVER_HTTP);
        if over_http != self.srmp.is_some() {
            let reason = "tells of the headers of SRMP";
            return Err(EncodeError::Invalid { at: &OVER_HTTP, reason });
        }
        self.srmp.as_ref().map_or(Ok(()), SrmpHeaders::check)?;
        self.extension.as_ref().map_or(Ok(()), ExtensionHeader::check)?;
        let before = self.message_size().saturating_sub(self.message.excess.len());
        if self.message.excess.len() != missing(before) {
            return Err(EncodeError::Invalid {
                at: &ROUNDING,
                reason: "does not round up to a multiple of 4",
            });
        }
        let own = self.packet_size.map(usize_from);
        if own.is_some_and(|size| size < BaseHeader::LEN || size == self.message_size()) {
            return Err(EncodeError::Invalid { at: &PACKET_SIZE, reason: "would be read as another value" });
        }
        check_size(own.unwrap_or_else(|| self.message_size()))
    }

    fn write(&self, dst: &mut dyn BufMut) {
        let size = self.packet_size.map_or_else(|| self.message_size(), usize_from);
        self.message.put_front(size, dst);
        if let Some(srmp) = &self.srmp {
            srmp.put(dst);
        }
        self.message.put_back(dst);
        if let Some(extension) = &self.extension {
            extension.put(dst);
        }
    }
}

impl From<IpAddr> for ExtendedAddressHeader {
    fn from(address: IpAddr) -> Self {
        let mut bytes = [0; 16];
        let (address_type, own) = match &address {
            IpAddr::V4(v4) => (AddressType::IPV4, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AddressType::IPV6, v6.octets().to_vec()),
        };
        for (to, from) in bytes.iter_mut().zip(&own) {
            *to = *from;
        }
        Self { address_length: remassist_core::len_u16(own.len()), address_type, scope: 0, address: bytes }
    }
}

impl ExtendedAddressHeader {
    /// The address.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.address;
        match (self.address_type, self.address_length) {
            (AddressType::IPV4, 4) => Some(Ipv4Addr::new(a, b, c, d).into()),
            (AddressType::IPV6, 16) => Some(Ipv6Addr::from(self.address).into()),
            _ => None,
        }
    }
}
