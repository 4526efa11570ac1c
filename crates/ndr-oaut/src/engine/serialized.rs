//! Type serialization version 1 ([MS-RPCE] 2.2.6).

use alloc::vec::Vec;

use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U32, check_len,
    encode_whole, len_u32, usize_from,
};

use super::{ByteOrder, Ndr, Reader, Residue, Writer, pad};

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-RPCE]", section, structure, field)
}
static STREAM: At = at("2.2.6", "Type Serialization Version 1", "");
static PADDING: At = at("2.2.6.2", "Type Serialization Version 1", "padding");
static REST: At = at("2.2.6.2", "Type Serialization Version 1", "");
static VERSION: At = at("2.2.6.1", "Common Type Header", "Version");
static ENDIANNESS: At = at("2.2.6.1", "Common Type Header", "Endianness");
static HEADER_LENGTH: At = at("2.2.6.1", "Common Type Header", "CommonHeaderLength");
static FILLER: At = at("2.2.6.1", "Common Type Header", "Filler");
static LENGTH: At = at("2.2.6.2", "Private Header for Constructed Type", "ObjectBufferLength");
static PRIVATE_FILLER: At = at("2.2.6.2", "Private Header for Constructed Type", "Filler");

/// Endianness of little-endian streams; that of big-endian ones is 0.
const LITTLE: u8 = 0x10;
/// Bytes of the two headers.
pub(crate) const HEADERS: usize = 16;

/// One constructed type as a stream with headers ([MS-RPCE] 2.2.6).
///
/// Version u8 (1), Endianness u8 (0x10 little, 0 big), CommonHeaderLength u16 (8), Filler u32; ObjectBufferLength u32
/// (the value with its padding), Filler u32; the value, padded to a multiple of 8. The first header is little-endian,
/// the second and the value have the order that the first tells.
///
/// Decoding fails at other versions, orders and header lengths, and when the value does not fit into its length. A
/// length that is not a multiple of 8, and more bytes than padding behind the value, are deviations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Serialized<'a, T> {
    /// The value.
    pub value: T,
    /// What stands around it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub frame: Frame<'a>,
}

/// What a stream of type serialization 1 says besides its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Frame<'a> {
    /// In which order.
    pub byte_order: ByteOrder,
    /// Filler of the common header: 0xCCCCCCCC, ignored.
    pub filler: u32,
    /// Filler of the private header: 0, ignored.
    pub private_filler: u32,
    /// What else stands in the value.
    pub residue: Residue<'a>,
    /// The bytes behind the value that ObjectBufferLength counts, where they are not zeros up to a multiple of 8.
    pub padding: Option<Blob<'a>>,
    /// Bytes behind the stream that belong to it by the size that its container gives: padding of senders that do not
    /// count it in ObjectBufferLength. Empty for a stream that stands alone.
    pub rest: Blob<'a>,
}

impl Default for Frame<'_> {
    /// What the specification wants to be sent.
    fn default() -> Self {
        Self {
            byte_order: ByteOrder::Little,
            filler: 0xCCCC_CCCC,
            private_filler: 0,
            residue: Residue::default(),
            padding: None,
            rest: Blob::default(),
        }
    }
}

impl Frame<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Frame<'static> {
        let Self { byte_order, filler, private_filler, residue, padding, rest } = self;
        Frame {
            byte_order,
            filler,
            private_filler,
            residue: residue.into_owned(),
            padding: padding.map(Blob::into_owned),
            rest: rest.into_owned(),
        }
    }

    /// Appends the stream of a value.
    pub(crate) fn append<'a, T: Ndr<'a>>(&self, value: &T, mut out: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
        let endianness = if self.byte_order == ByteOrder::Little { LITTLE } else { 0 };
        out.extend_from_slice(&[1, endianness, 8, 0]);
        out.extend_from_slice(&self.filler.to_le_bytes());
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.byte_order.bytes(self.private_filler));

        let start = out.len();
        let mut writer = Writer::behind(out, self.byte_order, &self.residue);
        writer.value(value, &STREAM);
        let mut out = writer.finish()?;
        match &self.padding {
            Some(padding) => out.extend_from_slice(padding),
            None => out.resize(out.len().saturating_add(pad(out.len().saturating_sub(start), 8)), 0),
        }
        let length = out.len().saturating_sub(start);
        check_len(length, MAX_U32, &LENGTH)?;
        if let Some(place) = out.get_mut(length_at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
            *place = self.byte_order.bytes(len_u32(length));
        }
        out.extend_from_slice(&self.rest);
        Ok(out)
    }
}

impl<T> From<T> for Serialized<'_, T> {
    fn from(value: T) -> Self {
        Self { value, frame: Frame::default() }
    }
}

impl<'a, T: Ndr<'a>> Serialized<'a, T> {
    fn written(&self) -> Result<Vec<u8>, EncodeError> {
        self.frame.append(&self.value, Vec::new())
    }

    /// Reads a stream that a container says to take all of the cursor; bytes behind it are a deviation.
    ///
    /// # Errors
    /// Those of [`Decode`].
    pub fn parse_whole(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let mut stream = Self::parse(cursor)?;
        stream.frame.parse_rest(cursor, cursor.remaining())?;
        Ok(stream)
    }
}

impl<'a> Frame<'a> {
    /// Reads the bytes that a container counts behind the stream.
    pub(crate) fn parse_rest(&mut self, cursor: &mut Cursor<'_, 'a>, len: usize) -> Result<(), DecodeError> {
        if len > 0 {
            let offset = cursor.offset();
            self.rest = cursor.take(len, &REST, Format::Filler)?.into();
            cursor.must(false, offset, &REST, DecodeErrorKind::TrailingData { extra: len })?;
        }
        Ok(())
    }
}

fn invalid(offset: usize, at: &'static At, got: u32) -> DecodeError {
    DecodeError::new(offset, at, DecodeErrorKind::InvalidValue { got: got.into() })
}

impl<'a, T: Ndr<'a>> Decode<'a> for Serialized<'a, T> {
    const AT: &'static At = &STREAM;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.offset();
        let version = cursor.u8(&VERSION)?;
        if version != 1 {
            return Err(invalid(start, &VERSION, version.into()));
        }
        let byte_order = match cursor.u8(&ENDIANNESS)? {
            LITTLE => ByteOrder::Little,
            0 => ByteOrder::Big,
            got => return Err(invalid(start.saturating_add(1), &ENDIANNESS, got.into())),
        };
        let length = cursor.u16(&HEADER_LENGTH)?;
        if length != 8 {
            return Err(invalid(start.saturating_add(2), &HEADER_LENGTH, length.into()));
        }
        let filler = cursor.u32(&FILLER)?;

        let mut header = Reader::new(cursor.clone(), byte_order);
        let offset = header.offset();
        let (length, private_filler) = (header.u32(&LENGTH)?, header.u32(&PRIVATE_FILLER)?);
        *cursor = header.finish().0;
        let rule = DecodeErrorKind::Rule("the length is not a multiple of 8");
        cursor.must(length.is_multiple_of(8), offset, &LENGTH, rule)?;

        let mut reader = Reader::new(cursor.sub(usize_from(length), &LENGTH)?, byte_order);
        let value = reader.value(&STREAM)?;
        let (mut end, residue) = reader.finish();
        let (offset, extra) = (end.offset(), end.remaining());
        let padding = end.take_rest(&PADDING, Format::Filler);
        end.must(extra < 8, offset, &PADDING, DecodeErrorKind::TrailingData { extra })?;
        let usual = length.is_multiple_of(8) && extra < 8 && padding.iter().all(|byte| *byte == 0);
        let padding = (!usual).then(|| padding.into());
        let rest = Blob::default();
        Ok(Self { value, frame: Frame { byte_order, filler, private_filler, residue, padding, rest } })
    }
}

encode_whole!(['a, T: Ndr<'a>] Serialized<'a, T>);
