//! A stream of its own: byte order, value, and the bytes that the value does not determine.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeOptions, Decoded, EncodeError, decode_using, encode_whole,
};

use super::{Ndr, Reader, Writer};

static STUB: At = At::new("[C706]", "14.4", "NDR stream", "");

/// Byte order of a stream: the integer part of the data representation format label (\[C706\] 14.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ByteOrder {
    /// Least significant byte first, what every known peer sends.
    #[default]
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// A number in this order.
    pub(crate) fn bytes(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

/// The bytes of a stream that its value does not determine, where they are not those that [`Writer`] would choose:
/// padding, referent ids, reserved fields, counts that are only hints. By offset in the stream.
///
/// Empty for a value that was made, not read. An entry that does not fit the place any more, because the value was
/// changed, is not used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Residue<'a>(pub BTreeMap<usize, Blob<'a>>);

impl<'a> Residue<'a> {
    /// The bytes kept for a place, if as many were kept as stand there.
    #[inline]
    pub(crate) fn get(&self, offset: usize, len: usize) -> Option<&[u8]> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&offset).map(|bytes| &**bytes).filter(|bytes| bytes.len() == len)
    }

    pub(crate) fn keep(&mut self, offset: usize, bytes: &'a [u8]) {
        self.0.insert(offset, Blob::from(bytes));
    }

    /// The same bytes, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Residue<'static> {
        Residue(self.0.into_iter().map(|(offset, bytes)| (offset, bytes.into_owned())).collect())
    }
}

/// A value as an NDR stream of its own: the parameters of a call, or one value.
///
/// Alignment counts from its first byte. [`Decode`] reads little-endian streams, [`Stub::read`] both orders; what was
/// read is written as the same bytes in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stub<'a, T> {
    /// What the stream says.
    pub value: T,
    /// In which order.
    pub byte_order: ByteOrder,
    /// What else stands in it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub residue: Residue<'a>,
}

impl<T> Stub<'_, T> {
    /// A little-endian stream.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, byte_order: ByteOrder::Little, residue: Residue::default() }
    }
}

impl<'a, T: Ndr<'a>> Stub<'a, T> {
    /// Reads the value at the beginning of `input`, which has the byte order given.
    ///
    /// # Errors
    /// Those of the value; also when `input` is longer than the limit on messages.
    pub fn read(
        input: &'a [u8],
        byte_order: ByteOrder,
        options: &DecodeOptions,
    ) -> Result<Decoded<'a, Self>, DecodeError> {
        decode_using(input, options, &STUB, |cursor| Self::parse_as(cursor, byte_order))
    }

    /// Reads the value at a cursor; alignment counts from there.
    ///
    /// # Errors
    /// Those of the value.
    pub fn parse_as(cursor: &mut Cursor<'_, 'a>, byte_order: ByteOrder) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(cursor.clone(), byte_order);
        let value = reader.value(&STUB)?;
        let (end, residue) = reader.finish();
        *cursor = end;
        Ok(Self { value, byte_order, residue })
    }

    fn written(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new(self.byte_order, &self.residue);
        writer.value(&self.value, &STUB);
        writer.finish()
    }
}

impl<'a, T: Ndr<'a>> Decode<'a> for Stub<'a, T> {
    const AT: &'static At = &STUB;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        Self::parse_as(cursor, ByteOrder::Little)
    }
}

// Lengths depend on alignment and on what stands before.
encode_whole!(['a, T: Ndr<'a>] Stub<'a, T>);
