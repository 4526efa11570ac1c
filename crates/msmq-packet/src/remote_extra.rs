//! The headers that only a message has that was read remotely.

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U32, Utf16Le, check_len,
    len_u32, usize_from, utf16,
};

use crate::wire::{Padding, bits, invalid, places, rounded, sum};
use crate::{AddressType, MessageClass};

places!("[MS-MQRR]", "2.2.5.1.2.1", "SRMPEnvelopeHeader":
    ENVELOPE = "", ENVELOPE_ID = "HeaderId", ENVELOPE_RESERVED = "Reserved", ENVELOPE_LENGTH = "DataLength",
    ENVELOPE_DATA = "Data", ENVELOPE_PADDING = "(padding)");
places!("[MS-MQRR]", "2.2.5.1.2.2", "CompoundMessageHeader":
    COMPOUND = "", COMPOUND_ID = "HeaderId", COMPOUND_RESERVED = "Reserved", HTTP_SIZE = "HTTPBodySize",
    BODY_SIZE = "MsgBodySize", BODY_OFFSET = "MsgBodyOffset", COMPOUND_DATA = "Data",
    COMPOUND_PADDING = "(padding)");
places!("[MS-MQRR]", "2.2.5.3", "SubqueueHeader":
    SUBQUEUE = "", SUBQUEUE_SIZE = "HeaderSize", STATE = "TM and AcknowledgementClass", ABORTS = "AbortCounter",
    MOVES = "MoveCounter", MOVED = "LastMoveTime", NAME = "SubqueueName", TARGET = "TargetSubqueueName");
places!("[MS-MQRR]", "2.2.5.4", "DeadLetterHeader":
    DEAD_LETTER = "", DEAD_LETTER_SIZE = "HeaderSize", PATH = "DeadLetterPathName", PATH_PADDING = "(padding)");
places!("[MS-MQRR]", "2.2.5.5", "ExtendedAddressHeader":
    ADDRESS = "", ADDRESS_SIZE = "HeaderSize", ADDRESS_LENGTH = "AddressLength", ADDRESS_TYPE = "AddressType",
    SCOPE = "AddressScope", BYTES = "Address");

/// Bytes of the name of a subqueue.
const NAME_LEN: usize = 64;

/// Reads HeaderSize of a header of a known size: another one is an error under both policies.
pub(crate) fn whole_header(
    cursor: &mut Cursor<'_, '_>,
    at: &'static At,
    len: usize,
) -> Result<(), DecodeError> {
    let offset = cursor.offset();
    let got = cursor.u32(at)?;
    if usize_from(got) == len {
        return Ok(());
    }
    Err(DecodeError::new(offset, at, DecodeErrorKind::OutOfBounds { got: got.into(), max: len }))
}

/// What a message has that came over HTTP ([MS-MQRR] 2.2.5.1.2): SRMPEnvelopeHeader, CompoundMessageHeader, each rounded
/// up to a multiple of 4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SrmpHeaders<'a> {
    /// SRMPEnvelopeHeader.
    pub envelope: SrmpEnvelopeHeader<'a>,
    /// CompoundMessageHeader.
    pub compound: CompoundMessageHeader<'a>,
}

/// The SOAP envelope ([MS-MQRR] 2.2.5.1.2.1): HeaderId u16, Reserved u16, DataLength u32, Data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SrmpEnvelopeHeader<'a> {
    /// HeaderId: the specification has no value.
    pub id: u16,
    /// Reserved: ignored when read.
    pub reserved: u16,
    /// Data with its NUL.
    pub data: Utf16Le<'a>,
    /// Whether DataLength counts bytes, not code units: the specification does not say (erratum Q17), the NUL does.
    #[cfg_attr(feature = "serde", serde(default))]
    pub in_bytes: bool,
    /// Bytes up to a multiple of 4.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

/// The HTTP request ([MS-MQRR] 2.2.5.1.2.2): HeaderId u16, Reserved u16, HTTPBodySize u32, MsgBodySize u32,
/// MsgBodyOffset u32, Data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CompoundMessageHeader<'a> {
    /// HeaderId: the specification has no value.
    pub id: u16,
    /// Reserved: ignored when read.
    pub reserved: u16,
    /// MsgBodySize: bytes of the message body in `data`.
    pub body_size: u32,
    /// MsgBodyOffset: where it begins there.
    pub body_offset: u32,
    /// Data.
    pub data: Blob<'a>,
    /// Bytes up to a multiple of 4.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

impl<'a> CompoundMessageHeader<'a> {
    /// The message body.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.data.get(usize_from(self.body_offset)..)?.get(..usize_from(self.body_size))
    }
}

impl<'a> SrmpHeaders<'a> {
    pub(crate) fn into_owned(self) -> SrmpHeaders<'static> {
        let Self { envelope, compound } = self;
        SrmpHeaders {
            envelope: SrmpEnvelopeHeader { data: envelope.data.into_owned(), ..envelope },
            compound: CompoundMessageHeader { data: compound.data.into_owned(), ..compound },
        }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let envelope = cursor.group(&ENVELOPE, |cursor| {
            let id = cursor.u16(&ENVELOPE_ID)?;
            let reserved = u16::from_le_bytes(cursor.array(&ENVELOPE_RESERVED, Format::Filler)?);
            let length_at = cursor.offset();
            let got = cursor.u32(&ENVELOPE_LENGTH)?;
            let max = cursor.context().limits().string;
            let Some(len) = utf16::nul_at(cursor.rest()).map(|at| at.saturating_add(2)) else {
                return Err(cursor.error(&ENVELOPE_DATA, DecodeErrorKind::Rule("no NUL")));
            };
            if len > max {
                let kind = DecodeErrorKind::LimitExceeded { limit: "string bytes", max };
                return Err(cursor.error(&ENVELOPE_DATA, kind));
            }
            let in_bytes = usize_from(got) == len;
            if !in_bytes && usize_from(got).saturating_mul(2) != len {
                let kind = DecodeErrorKind::OutOfBounds { got: got.into(), max: len };
                return Err(DecodeError::new(length_at, &ENVELOPE_LENGTH, kind));
            }
            let data = Utf16Le::from(cursor.take(len, &ENVELOPE_DATA, Format::Utf16Le)?);
            let padding = Padding::parse(cursor, len, &ENVELOPE_PADDING)?;
            Ok(SrmpEnvelopeHeader { id, reserved, data, in_bytes, padding })
        })?;
        let compound = cursor.group(&COMPOUND, |cursor| {
            let id = cursor.u16(&COMPOUND_ID)?;
            let reserved = u16::from_le_bytes(cursor.array(&COMPOUND_RESERVED, Format::Filler)?);
            let len = usize_from(cursor.u32(&HTTP_SIZE)?);
            let size_at = cursor.offset();
            let body_size = cursor.u32(&BODY_SIZE)?;
            let body_offset = cursor.u32(&BODY_OFFSET)?;
            let data: Blob<'_> = cursor.take(len, &COMPOUND_DATA, Format::Bytes)?.into();
            let padding = Padding::parse(cursor, len, &COMPOUND_PADDING)?;
            let header = CompoundMessageHeader { id, reserved, body_size, body_offset, data, padding };
            let kind = DecodeErrorKind::OutOfBounds { got: body_size.into(), max: len };
            cursor.must(header.body().is_some(), size_at, &BODY_SIZE, kind)?;
            Ok(header)
        })?;
        Ok(Self { envelope, compound })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        let data = &self.envelope.data;
        if !(data.is_terminated() && data.as_bytes().len().is_multiple_of(2)) {
            let reason = "does not end with its only NUL";
            return Err(EncodeError::Invalid { at: &ENVELOPE_DATA, reason });
        }
        check_len(data.as_bytes().len(), MAX_U32, &ENVELOPE_LENGTH)?;
        check_len(self.compound.data.len(), MAX_U32, &HTTP_SIZE)
    }

    pub(crate) fn size(&self) -> usize {
        sum([24, rounded(self.envelope.data.as_bytes().len()), rounded(self.compound.data.len())])
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        let (envelope, compound) = (&self.envelope, &self.compound);
        let data = envelope.data.as_bytes();
        dst.put_slice([envelope.id, envelope.reserved].map(u16::to_le_bytes).as_flattened());
        let len = if envelope.in_bytes { data.len() } else { data.len().div_euclid(2) };
        dst.put_slice(&len_u32(len).to_le_bytes());
        dst.put_slice(data);
        envelope.padding.put(data.len(), dst);
        dst.put_slice([compound.id, compound.reserved].map(u16::to_le_bytes).as_flattened());
        let words = [len_u32(compound.data.len()), compound.body_size, compound.body_offset];
        dst.put_slice(words.map(u32::to_le_bytes).as_flattened());
        dst.put_slice(&compound.data);
        compound.padding.put(compound.data.len(), dst);
    }
}

bits! {
    /// TM, AcknowledgementClass and Reserved of a [`SubqueueHeader`], a u32: TM (bit 0), the class (bits 1 to 16),
    /// reserved.
    SubqueueState(u32) {
        /// TM: 0.
        TM = 0x0000_0001;
        /// The bits of the class.
        CLASS = 0x0001_FFFE;
    }
}

/// Where in its queue a message is ([MS-MQRR] 2.2.5.3), 148 bytes: HeaderSize u32, TM, AcknowledgementClass and Reserved
/// u32, AbortCounter u32, MoveCounter u32, LastMoveTime u32, SubqueueName (64 bytes), TargetSubqueueName (64 bytes).
/// Without a name it is to be ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SubqueueHeader<'a> {
    /// TM, AcknowledgementClass and Reserved.
    pub state: SubqueueState,
    /// AbortCounter: how often reading or moving it failed since it last succeeded.
    pub abort_counter: u32,
    /// MoveCounter: how often it was moved.
    pub move_counter: u32,
    /// LastMoveTime: when it was moved; milliseconds since 1970, as far as 32 bits go.
    pub last_move_time: u32,
    /// SubqueueName without the NULs at its end.
    pub name: Utf16Le<'a>,
    /// TargetSubqueueName without the NULs at its end.
    pub target: Utf16Le<'a>,
}

impl<'a> SubqueueHeader<'a> {
    /// Bytes on the wire.
    pub const LEN: usize = 148;

    /// AcknowledgementClass.
    #[must_use]
    pub const fn acknowledgement_class(&self) -> MessageClass {
        let [low, high, ..] = (self.state.0 >> 1).to_le_bytes();
        MessageClass(u16::from_le_bytes([low, high]))
    }

    pub(crate) fn into_owned(self) -> SubqueueHeader<'static> {
        SubqueueHeader { name: self.name.into_owned(), target: self.target.into_owned(), ..self }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&SUBQUEUE, |cursor| {
            whole_header(cursor, &SUBQUEUE_SIZE, Self::LEN)?;
            let offset = cursor.offset();
            let state = SubqueueState(cursor.flags32(&STATE)?);
            cursor.must(!state.contains(SubqueueState::TM), offset, &STATE, invalid(state.0.into()))?;
            Ok(Self {
                state,
                abort_counter: cursor.u32(&ABORTS)?,
                move_counter: cursor.u32(&MOVES)?,
                last_move_time: cursor.u32(&MOVED)?,
                name: Self::parse_name(cursor, &NAME)?,
                target: Self::parse_name(cursor, &TARGET)?,
            })
        })
    }

    fn parse_name(cursor: &mut Cursor<'_, 'a>, at: &'static At) -> Result<Utf16Le<'a>, DecodeError> {
        let offset = cursor.offset();
        let bytes = cursor.take(NAME_LEN, at, Format::Utf16Le)?;
        let len = utf16::units(bytes).rposition(|unit| unit != 0).map_or(0, |at| at.saturating_add(1));
        let name = Utf16Le::from(bytes.get(..len.saturating_mul(2)).unwrap_or(bytes));
        let one = utf16::nul_at(name.as_bytes()).is_none() && name.as_bytes().len() < NAME_LEN;
        cursor.must(one, offset, at, DecodeErrorKind::Rule("not a name with NULs up to its end"))?;
        Ok(name)
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        for (name, at) in [(&self.name, &NAME), (&self.target, &TARGET)] {
            check_len(name.as_bytes().len(), NAME_LEN, at)?;
            if !name.as_bytes().len().is_multiple_of(2) || name.units().next_back() == Some(0) {
                return Err(EncodeError::Invalid { at, reason: "is without the NULs at its end" });
            }
        }
        Ok(())
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        let words =
            [len_u32(Self::LEN), self.state.0, self.abort_counter, self.move_counter, self.last_move_time];
        dst.put_slice(words.map(u32::to_le_bytes).as_flattened());
        for name in [&self.name, &self.target] {
            let name = name.as_bytes();
            dst.put_slice(name);
            dst.put_bytes(0, NAME_LEN.saturating_sub(name.len()));
        }
    }
}

/// The dead-letter queue that an application wants ([MS-MQRR] 2.2.5.4): HeaderSize u32, DeadLetterPathName, zeros up to a
/// multiple of 4.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DeadLetterHeader<'a> {
    /// DeadLetterPathName with its NUL.
    pub path: Utf16Le<'a>,
    /// Bytes after it that HeaderSize counts.
    #[cfg_attr(feature = "serde", serde(default))]
    pub inner_padding: Blob<'a>,
    /// Bytes up to a multiple of 4 that HeaderSize does not count.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

impl<'a> DeadLetterHeader<'a> {
    pub(crate) fn into_owned(self) -> DeadLetterHeader<'static> {
        DeadLetterHeader {
            path: self.path.into_owned(),
            inner_padding: self.inner_padding.into_owned(),
            padding: self.padding,
        }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&DEAD_LETTER, |cursor| {
            let offset = cursor.offset();
            let size = cursor.u32(&DEAD_LETTER_SIZE)?;
            let Some(inside) = usize_from(size).checked_sub(4) else {
                let kind = DecodeErrorKind::OutOfBounds { got: size.into(), max: 4 };
                return Err(DecodeError::new(offset, &DEAD_LETTER_SIZE, kind));
            };
            let mut inner = cursor.sub(inside, &PATH)?;
            let offset = inner.offset();
            let nul = utf16::nul_at(inner.rest());
            inner.must(nul.is_some(), offset, &PATH, DecodeErrorKind::Rule("no NUL"))?;
            let len = nul.map_or(inside, |at| at.saturating_add(2));
            let path = inner.take(len, &PATH, Format::Utf16Le)?.into();
            let offset = inner.offset();
            let inner_padding: Blob<'_> = inner.take_rest(&PATH_PADDING, Format::Filler).into();
            let zeros = inner_padding.len() < 4 && inner_padding.iter().all(|b| *b == 0);
            let kind = DecodeErrorKind::Rule("more than zeros up to a multiple of 4");
            inner.must(zeros, offset, &PATH_PADDING, kind)?;
            let padding = Padding::parse(cursor, usize_from(size), &PATH_PADDING)?;
            Ok(Self { path, inner_padding, padding })
        })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        let whole = self.path.is_terminated()
            || utf16::nul_at(self.path.as_bytes()).is_none() && self.inner_padding.is_empty();
        if !whole {
            return Err(EncodeError::Invalid { at: &PATH, reason: "does not end with its only NUL" });
        }
        check_len(self.unpadded(), MAX_U32, &DEAD_LETTER_SIZE)
    }

    fn unpadded(&self) -> usize {
        sum([4, self.path.as_bytes().len(), self.inner_padding.len()])
    }

    pub(crate) fn size(&self) -> usize {
        rounded(self.unpadded())
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        dst.put_slice(&len_u32(self.unpadded()).to_le_bytes());
        dst.put_slice(self.path.as_bytes());
        dst.put_slice(&self.inner_padding);
        self.padding.put(self.unpadded(), dst);
    }
}

/// The address that a message came from ([MS-MQRR] 2.2.5.5), 28 bytes: HeaderSize u32, AddressLength u16, AddressType
/// u16, AddressScope u32, Address (16 bytes). With type 0 it is to be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExtendedAddressHeader {
    /// AddressLength: bytes of Address that count.
    pub address_length: u16,
    /// AddressType.
    pub address_type: AddressType,
    /// AddressScope: of an IPv6 address, else 0.
    pub scope: u32,
    /// Address.
    pub address: [u8; 16],
}

impl Default for ExtendedAddressHeader {
    /// No address.
    fn default() -> Self {
        Self { address_length: 0, address_type: AddressType::NONE, scope: 0, address: [0; 16] }
    }
}

impl ExtendedAddressHeader {
    /// Bytes on the wire.
    pub const LEN: usize = 28;

    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        cursor.group(&ADDRESS, |cursor| {
            whole_header(cursor, &ADDRESS_SIZE, Self::LEN)?;
            let offset = cursor.offset();
            let address_length = cursor.u16(&ADDRESS_LENGTH)?;
            let kind = DecodeErrorKind::OutOfBounds { got: address_length.into(), max: 16 };
            cursor.must(address_length <= 16, offset, &ADDRESS_LENGTH, kind)?;
            let offset = cursor.offset();
            let address_type = AddressType(cursor.u16(&ADDRESS_TYPE)?);
            cursor.context().note(address_type.name());
            let known = address_type.name().is_some();
            cursor.must(known, offset, &ADDRESS_TYPE, invalid(address_type.0.into()))?;
            let scope = cursor.u32(&SCOPE)?;
            let address = cursor.array(&BYTES, Format::Bytes)?;
            Ok(Self { address_length, address_type, scope, address })
        })
    }

    pub(crate) fn put(self, dst: &mut dyn BufMut) {
        dst.put_slice(&len_u32(Self::LEN).to_le_bytes());
        let words = [self.address_length, self.address_type.0];
        dst.put_slice(words.map(u16::to_le_bytes).as_flattened());
        dst.put_slice(&self.scope.to_le_bytes());
        dst.put_slice(&self.address);
    }
}
