//! Arrays and strings (\[C706\] 14.3.3, 14.3.4).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use remassist_core::{At, Blob, DecodeError, DecodeErrorKind, Format, Utf16Le, len_u32, usize_from};

use super::{Ndr, Reader, Writer, len_of};

/// A conformant array: the number of elements (4 bytes), then the elements. As a parameter or behind a pointer.
impl<'a, T: Ndr<'a>> Ndr<'a> for Vec<T> {
    type Head = Vec<T::Head>;
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self::Head, DecodeError> {
        let count = r.u32(at)?;
        r.elements(count, at, |r| T::head(r, at))
    }
    #[inline]
    fn tail(head: Self::Head, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        // Room for as many as were there: a `Result` tells `collect` nothing of their number.
        let mut elements = Vec::with_capacity(head.len());
        for head in head {
            elements.push(T::tail(head, r, at)?);
        }
        Ok(elements)
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.reserve(self.len().saturating_mul(T::ALIGN));
        w.len(self.len(), at);
        self.iter().for_each(|element| element.put_head(w, at));
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        self.iter().for_each(|element| element.put_tail(w, at));
    }
}

/// A conformant array of bytes.
impl<'a> Ndr<'a> for Blob<'a> {
    type Head = &'a [u8];
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<&'a [u8], DecodeError> {
        let count = r.u32(at)?;
        r.bytes(usize_from(count), at, Format::Bytes)
    }
    #[inline]
    fn tail(head: &'a [u8], _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head.into())
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.len(self.len(), at);
        w.bytes(self);
    }
    #[inline]
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// A conformant and varying array: room for `max_count` elements, of which those from `offset` on are sent. Three
/// counts of 4 bytes (room, offset, elements sent), then the elements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Varying<T> {
    /// Elements of the array; `offset` and the number of `elements` fit into it.
    pub max_count: u32,
    /// Index of the first element sent.
    pub offset: u32,
    /// The elements sent.
    pub elements: Vec<T>,
}

/// Reads the three counts of a varying array: room, offset, number.
fn varying(r: &mut Reader<'_, '_>, at: &'static At) -> Result<(u32, u32, u32), DecodeError> {
    let (max_count, offset) = (r.u32(at)?, r.u32(at)?);
    let position = r.offset();
    let count = r.u32(at)?;
    if u64::from(offset).saturating_add(u64::from(count)) > u64::from(max_count) {
        let room = max_count.saturating_sub(offset);
        let kind = DecodeErrorKind::OutOfBounds { got: count.into(), max: usize_from(room) };
        return Err(DecodeError::new(position, at, kind));
    }
    Ok((max_count, offset, count))
}

impl<'a, T: Ndr<'a>> Ndr<'a> for Varying<T> {
    type Head = Varying<T::Head>;
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self::Head, DecodeError> {
        let (max_count, offset, count) = varying(r, at)?;
        let elements = r.elements(count, at, |r| T::head(r, at))?;
        Ok(Varying { max_count, offset, elements })
    }
    #[inline]
    fn tail(head: Self::Head, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let Varying { max_count, offset, elements } = head;
        Ok(Self { max_count, offset, elements: Vec::tail(elements, r, at)? })
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        let end = self.offset.checked_add(len_of(&self.elements));
        w.need(end.is_some_and(|end| end <= self.max_count), at, "an array is larger than its room");
        w.u32(self.max_count);
        w.u32(self.offset);
        w.len(self.elements.len(), at);
        self.elements.iter().for_each(|element| element.put_head(w, at));
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        self.elements.put_tail(w, at);
    }
}

/// A string of 16-bit characters with a terminator (`[string] wchar_t*`, the referent): three counts of 4 bytes
/// (room, offset 0, characters sent), then the characters. An array that varies, always little-endian in memory.
///
/// The terminator is part of the text; that it is there is a rule of strict decoding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WideString<'a>(pub Utf16Le<'a>);

impl WideString<'_> {
    /// Text, to which a terminator is added.
    #[must_use]
    pub fn new(text: &str) -> WideString<'static> {
        WideString(Utf16Le::with_nul(text))
    }

    /// The same text, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> WideString<'static> {
        WideString(self.0.into_owned())
    }
}

impl<'a> Ndr<'a> for WideString<'a> {
    type Head = Self;
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        r.align(4)?;
        let position = r.position();
        let (max_count, offset, count) = varying(r, at)?;
        if offset != 0 {
            return Err(r.error(at, DecodeErrorKind::Rule("a string does not begin at its first character")));
        }
        if max_count != count {
            r.keep(position, 4);
        }
        let start = r.offset();
        let text = Self(r.units(usize_from(count), at)?);
        r.must(
            text.0.is_terminated(),
            start,
            at,
            DecodeErrorKind::Rule("a string does not end with its only NUL"),
        )?;
        Ok(text)
    }
    #[inline]
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        let count = len_u32(self.0.units().len());
        w.need(self.0.0.len().is_multiple_of(2), at, "a string has half a character");
        let room = w.kept(count.to_le_bytes(), |kept| u32::from_le_bytes(kept) >= count);
        w.raw(room);
        w.u32(0);
        w.len(self.0.units().len(), at);
        w.units(&self.0);
    }
    #[inline]
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

impl<'a> Reader<'_, 'a> {
    /// Reads a conformant array of numbers: bounded by the limit on bytes instead of that on elements.
    pub(crate) fn numbers<T: Ndr<'a>>(&mut self, at: &'static At) -> Result<Vec<T>, DecodeError> {
        let count = usize_from(self.u32(at)?);
        self.check_bytes(count.saturating_mul(T::ALIGN), at)?;
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(self.value(at)?);
        }
        Ok(numbers)
    }

    /// Reads 16-bit characters; only those of a big-endian stream are copied.
    pub(crate) fn units(&mut self, count: usize, at: &'static At) -> Result<Utf16Le<'a>, DecodeError> {
        let (format, swap) = if self.is_big() { (Format::Utf16Be, true) } else { (Format::Utf16Le, false) };
        let bytes = self.bytes(count.saturating_mul(2), at, format)?;
        Ok(Utf16Le(if swap { Cow::Owned(swapped(bytes)) } else { Cow::Borrowed(bytes) }))
    }
}

impl Writer<'_> {
    /// Writes 16-bit characters.
    pub(crate) fn units(&mut self, text: &Utf16Le<'_>) {
        if self.is_big() { self.bytes(&swapped(&text.0)) } else { self.bytes(&text.0) }
    }
}

fn swapped(bytes: &[u8]) -> Vec<u8> {
    bytes.as_chunks::<2>().0.iter().flat_map(|[low, high]| [*high, *low]).collect()
}
