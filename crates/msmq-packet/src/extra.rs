//! Headers that few messages have: tracing, and what came by SOAP.

use bytes::BufMut;
use remassist_core::{
    At, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U32, Utf16Le, check_len, len_u32,
    usize_from,
};
use uuid::Uuid;

use crate::wire::{Padding, bits, invalid, missing, places, sum};

places!("[MS-MQMQ]", "2.2.20.8", "DebugHeader":
    DEBUG = "", FLAGS = "Flags", QUEUE_TYPE = "Flags.QT", DEBUG_RESERVED = "Reserved", QUEUE = "QueueIdentifier");
places!("[MS-MQMQ]", "2.2.20.7", "SoapHeader":
    SOAP = "", HEADER_ID = "HeaderSectionID", RESERVED = "Reserved", HEADER_LENGTH = "HeaderDataLength",
    HEADER = "Header", PADDING = "(padding)", BODY_ID = "BodySectionID", RESERVED1 = "Reserved1",
    BODY_LENGTH = "BodyDataLength", BODY = "Body");

bits! {
    /// The field Flags of a [`DebugHeader`], a u16: QT (bits 0 and 1), unused.
    DebugFlags(u16) {
        /// QT, the bits of the type of queue.
        QUEUE_TYPE = 0x0003;
    }
}

/// Where reports about the way of a message go ([MS-MQMQ] 2.2.20.8), 4 or 20 bytes: Flags u16, Reserved u16,
/// QueueIdentifier GUID if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DebugHeader {
    /// Flags without QT, which follows from `queue`.
    pub flags: DebugFlags,
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// QueueIdentifier: a public queue.
    pub queue: Option<Uuid>,
}

impl DebugHeader {
    pub(crate) fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        cursor.group(&DEBUG, |cursor| {
            let offset = cursor.offset();
            let flags = DebugFlags(cursor.flags16(&FLAGS)?);
            let reserved = u16::from_le_bytes(cursor.array(&DEBUG_RESERVED, Format::Filler)?);
            let queue = match flags.0 & DebugFlags::QUEUE_TYPE.0 {
                0 => None,
                1 => Some(cursor.guid(&QUEUE)?),
                other => return Err(DecodeError::new(offset, &QUEUE_TYPE, invalid(other.into()))),
            };
            Ok(Self { flags: flags.without(DebugFlags::QUEUE_TYPE), reserved, queue })
        })
    }

    pub(crate) fn check(self) -> Result<(), EncodeError> {
        if self.flags.0 & DebugFlags::QUEUE_TYPE.0 != 0 {
            return Err(EncodeError::Invalid { at: &QUEUE_TYPE, reason: "follows from the queue" });
        }
        Ok(())
    }

    pub(crate) const fn size(self) -> usize {
        if self.queue.is_some() { 20 } else { 4 }
    }

    pub(crate) fn put(self, dst: &mut dyn BufMut) {
        let flags = self.flags.with(DebugFlags(u16::from(self.queue.is_some())));
        dst.put_slice([flags.0, self.reserved].map(u16::to_le_bytes).as_flattened());
        if let Some(queue) = self.queue {
            dst.put_slice(&queue.to_bytes_le());
        }
    }
}

const HEADER_SECTION: u16 = 0x0320;
const BODY_SECTION: u16 = 0x0384;

/// Text of applications that use SOAP ([MS-MQMQ] 2.2.20.7): HeaderSectionID u16 (0x0320), Reserved u16,
/// HeaderDataLength u32 in code units, Header, BodySectionID u16 (0x0384), Reserved1 u16, BodyDataLength u32 in code
/// units, Body. Sections may be rounded up to multiples of 4: the specification does not say (erratum Q17).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SoapHeader<'a> {
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// Header with its NUL.
    pub header: Utf16Le<'a>,
    /// Whether BodySectionID is rounded up to a multiple of 4 from the beginning.
    #[cfg_attr(feature = "serde", serde(default))]
    pub aligned: bool,
    /// The bytes that rounds it up.
    #[cfg_attr(feature = "serde", serde(default))]
    pub header_padding: Padding,
    /// Reserved1: 0, ignored when read.
    pub reserved1: u16,
    /// Body with its NUL.
    pub body: Utf16Le<'a>,
    /// Bytes up to a multiple of 4, where another header follows.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

fn section<'a>(
    cursor: &mut Cursor<'_, 'a>,
    id: u16,
    places: [&'static At; 4],
) -> Result<(u16, Utf16Le<'a>), DecodeError> {
    let [id_at, reserved_at, length_at, text_at] = places;
    let offset = cursor.offset();
    let got = cursor.u16(id_at)?;
    if got != id {
        return Err(DecodeError::new(offset, id_at, invalid(got.into())));
    }
    let reserved = u16::from_le_bytes(cursor.array(reserved_at, Format::Filler)?);
    let bytes = usize_from(cursor.u32(length_at)?).saturating_mul(2);
    let offset = cursor.offset();
    let max = cursor.context().limits().string;
    if bytes > max {
        return Err(cursor.error(text_at, DecodeErrorKind::LimitExceeded { limit: "string bytes", max }));
    }
    let text = Utf16Le::from(cursor.take(bytes, text_at, Format::Utf16Le)?);
    let kind = DecodeErrorKind::Rule("the length does not end at the only NUL");
    cursor.must(text.is_terminated(), offset, text_at, kind)?;
    Ok((reserved, text))
}

impl<'a> SoapHeader<'a> {
    /// Two texts.
    #[must_use]
    pub fn new(header: &str, body: &str) -> SoapHeader<'static> {
        SoapHeader {
            reserved: 0,
            header: Utf16Le::with_nul(header),
            aligned: false,
            header_padding: Padding::default(),
            reserved1: 0,
            body: Utf16Le::with_nul(body),
            padding: Padding::default(),
        }
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SoapHeader<'static> {
        SoapHeader { header: self.header.into_owned(), body: self.body.into_owned(), ..self }
    }

    /// Reads the header; `last` when no other follows.
    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>, last: bool) -> Result<Self, DecodeError> {
        cursor.group(&SOAP, |cursor| {
            let places = [&HEADER_ID, &RESERVED, &HEADER_LENGTH, &HEADER];
            let (reserved, header) = section(cursor, HEADER_SECTION, places)?;
            let len = header.as_bytes().len();
            let next = cursor.rest().first_chunk::<2>().map(|id| u16::from_le_bytes(*id));
            let aligned = missing(len) > 0 && next != Some(BODY_SECTION);
            let len = if aligned { len } else { 0 };
            let header_padding = Padding::parse(cursor, len, &PADDING)?;
            let places = [&BODY_ID, &RESERVED1, &BODY_LENGTH, &BODY];
            let (reserved1, body) = section(cursor, BODY_SECTION, places)?;
            let mut soap = Self {
                reserved,
                header,
                aligned,
                header_padding,
                reserved1,
                body,
                padding: Padding::default(),
            };
            if !last {
                soap.padding = Padding::parse(cursor, soap.unpadded(), &PADDING)?;
            }
            Ok(soap)
        })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        for (text, at, text_at) in
            [(&self.header, &HEADER_LENGTH, &HEADER), (&self.body, &BODY_LENGTH, &BODY)]
        {
            let len = text.as_bytes().len();
            check_len(len.div_euclid(2), MAX_U32, at)?;
            if !len.is_multiple_of(2) {
                return Err(EncodeError::Invalid { at: text_at, reason: "half a code unit" });
            }
        }
        let [low, high, _] = self.header_padding.0;
        let padded = missing(self.header.as_bytes().len()) > 0;
        if self.aligned && (!padded || u16::from_le_bytes([low, high]) == BODY_SECTION) {
            return Err(EncodeError::Invalid { at: &PADDING, reason: "cannot be told from no padding" });
        }
        Ok(())
    }

    fn unpadded(&self) -> usize {
        let header = self.header.as_bytes().len();
        let padding = if self.aligned { missing(header) } else { 0 };
        sum([16, header, padding, self.body.as_bytes().len()])
    }

    pub(crate) fn size(&self, last: bool) -> usize {
        let size = self.unpadded();
        size.saturating_add(if last { 0 } else { missing(size) })
    }

    pub(crate) fn put(&self, last: bool, dst: &mut dyn BufMut) {
        let texts =
            [(HEADER_SECTION, self.reserved, &self.header), (BODY_SECTION, self.reserved1, &self.body)];
        for (id, reserved, text) in texts {
            let bytes = text.as_bytes();
            dst.put_slice([id, reserved].map(u16::to_le_bytes).as_flattened());
            dst.put_slice(&len_u32(bytes.len().div_euclid(2)).to_le_bytes());
            dst.put_slice(bytes);
            if id == HEADER_SECTION && self.aligned {
                self.header_padding.put(bytes.len(), dst);
            }
        }
        if !last {
            self.padding.put(self.unpadded(), dst);
        }
    }
}
