//! Reads an NDR stream.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use remassist_core::{At, Cursor, DecodeError, DecodeErrorKind, Format, usize_from};
use uuid::Uuid;

use super::{ByteOrder, Ndr, PAD, Residue, pad, referent};

/// A position in an NDR stream: aligns, turns bytes round, keeps what the value does not tell.
#[derive(Debug)]
pub struct Reader<'c, 'a> {
    cursor: Cursor<'c, 'a>,
    /// The stream from its first byte.
    input: &'a [u8],
    /// Absolute offset of the first byte of the stream.
    base: usize,
    order: ByteOrder,
    residue: Residue<'a>,
    /// Unique and embedded reference pointers so far.
    pointers: u32,
    /// Full pointers so far, with what they point to.
    full: BTreeMap<u32, &'static At>,
    depth: usize,
    /// Whether the record marks bytes as secret.
    secret: bool,
}

impl<'c, 'a> Reader<'c, 'a> {
    /// A stream that begins at the cursor.
    #[must_use]
    pub fn new(cursor: Cursor<'c, 'a>, order: ByteOrder) -> Self {
        let base = cursor.offset();
        let input = cursor.rest();
        let (residue, full) = (Residue::default(), BTreeMap::new());
        Self { cursor, input, base, order, residue, pointers: 0, full, depth: 0, secret: false }
    }

    /// The cursor behind what was read, and what the values read do not tell.
    #[must_use]
    pub fn finish(self) -> (Cursor<'c, 'a>, Residue<'a>) {
        (self.cursor, self.residue)
    }

    /// Offset of the next byte in the stream.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.cursor.offset().saturating_sub(self.base)
    }

    /// Absolute offset of the next byte, for errors.
    #[inline]
    #[must_use]
    pub fn offset(&self) -> usize {
        self.cursor.offset()
    }

    /// Byte order of the stream.
    #[inline]
    #[must_use]
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// The next bytes, which stay where they are; `None` when there are fewer.
    #[inline]
    #[must_use]
    pub fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.cursor.rest().first_chunk()
    }

    /// Number of bytes left of the stream.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.cursor.remaining()
    }

    #[inline]
    pub(crate) fn is_big(&self) -> bool {
        self.order == ByteOrder::Big
    }

    /// An error at the next byte.
    #[must_use]
    pub fn error(&self, at: &'static At, kind: DecodeErrorKind) -> DecodeError {
        self.cursor.error(at, kind)
    }

    /// Checks a MUST that leaves the meaning clear when broken, at an absolute offset.
    ///
    /// # Errors
    /// When `ok` is false and the policy is strict.
    #[inline]
    pub fn must(
        &self,
        ok: bool,
        offset: usize,
        at: &'static At,
        kind: DecodeErrorKind,
    ) -> Result<(), DecodeError> {
        self.cursor.must(ok, offset, at, kind)
    }

    /// Reads a whole value: what stands in place, then what its pointers point to.
    ///
    /// # Errors
    /// Those of the value.
    #[inline]
    pub fn value<T: Ndr<'a>>(&mut self, at: &'static At) -> Result<T, DecodeError> {
        let head = T::head(self, at)?;
        T::tail(head, self, at)
    }

    /// Skips to a multiple of `align` (a power of two) from the beginning of the stream.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline(always)]
    pub fn align(&mut self, align: usize) -> Result<(), DecodeError> {
        match pad(self.position(), align) {
            0 => Ok(()),
            len => self.filler(len, &PAD),
        }
    }

    /// Reads `N` bytes at a multiple of `N`, least significant first, and where they stand in the stream.
    #[inline(always)]
    pub(crate) fn raw<const N: usize>(
        &mut self,
        at: &'static At,
        format: Format,
    ) -> Result<([u8; N], usize), DecodeError> {
        self.align(N)?;
        let position = self.position();
        let big = self.is_big() && N > 1;
        let format = match format {
            Format::Uint if big => Format::UintBe,
            // The record knows no big-endian numbers with a sign, and no bits.
            Format::Int | Format::Flags if big => Format::Bytes,
            format => format,
        };
        let mut number = self.cursor.array(at, format)?;
        if self.order == ByteOrder::Big {
            number.reverse();
        }
        Ok((number, position))
    }

    /// Reads a `u32`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn u32(&mut self, at: &'static At) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.raw(at, Format::Uint)?.0))
    }

    /// Reads a `u16`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn u16(&mut self, at: &'static At) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.raw(at, Format::Uint)?.0))
    }

    /// Reads a field that the value does not tell, and which the writer would set to `usual`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn free<const N: usize>(
        &mut self,
        at: &'static At,
        format: Format,
        usual: [u8; N],
    ) -> Result<[u8; N], DecodeError> {
        let (number, position) = self.raw(at, format)?;
        if number != usual {
            self.keep(position, N);
        }
        Ok(number)
    }

    /// Keeps `len` bytes that were read at a position of the stream.
    pub(crate) fn keep(&mut self, position: usize, len: usize) {
        if let Some(bytes) = self.input.get(position..).and_then(|bytes| bytes.get(..len)) {
            self.residue.keep(position, bytes);
        }
    }

    /// Reads a GUID: u32, u16, u16, 8 bytes; aligned to 4.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn guid(&mut self, at: &'static At) -> Result<Uuid, DecodeError> {
        self.align(4)?;
        match self.order {
            ByteOrder::Little => self.cursor.guid(at),
            ByteOrder::Big => self.cursor.array(at, Format::GuidBe).map(Uuid::from_bytes),
        }
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`], or [`DecodeErrorKind::LimitExceeded`] for more than the limit on strings.
    #[inline]
    pub fn bytes(&mut self, len: usize, at: &'static At, format: Format) -> Result<&'a [u8], DecodeError> {
        self.check_bytes(len, at)?;
        let bytes = self.cursor.take(len, at, format)?;
        if self.secret && len > 0 {
            self.cursor.context().secret();
        }
        Ok(bytes)
    }

    /// Reads a value whose texts are secret: the record of fields marks them.
    ///
    /// # Errors
    /// Those of `parse`.
    pub fn secretly<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let before = core::mem::replace(&mut self.secret, true);
        let value = parse(self);
        self.secret = before;
        value
    }

    #[inline]
    pub(crate) fn check_bytes(&self, len: usize, at: &'static At) -> Result<(), DecodeError> {
        let max = self.cursor.context().limits().string;
        if len <= max {
            return Ok(());
        }
        Err(self.error(at, DecodeErrorKind::LimitExceeded { limit: "string bytes", max }))
    }

    /// Reads bytes that should be zero and that the value does not tell.
    pub(crate) fn filler(&mut self, len: usize, at: &'static At) -> Result<(), DecodeError> {
        let position = self.position();
        let bytes = self.cursor.take(len, at, Format::Filler)?;
        if bytes.iter().any(|byte| *byte != 0) {
            self.residue.keep(position, bytes);
        }
        Ok(())
    }

    /// Reads the number of a pointer that is not full: whether it points to anything.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn referent(&mut self, at: &'static At) -> Result<bool, DecodeError> {
        let usual = referent(self.pointers);
        let (number, position) = self.raw(at, Format::Uint)?;
        let id = u32::from_le_bytes(number);
        if id == 0 {
            return Ok(false);
        }
        if id != usual {
            self.keep(position, 4);
        }
        self.pointers = self.pointers.saturating_add(1);
        Ok(true)
    }

    /// As [`referent`](Self::referent), for a pointer that must not be null.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`], or a rule.
    #[inline]
    pub fn reference(&mut self, at: &'static At) -> Result<(), DecodeError> {
        self.align(4)?;
        let offset = self.offset();
        if self.referent(at)? {
            return Ok(());
        }
        Err(DecodeError::new(offset, at, DecodeErrorKind::Rule("a pointer that needs a referent is null")))
    }

    /// Reads the place of an embedded reference pointer, whose value is not specified and may be 0 (\[C706\] 14.3.12.2):
    /// its referent follows in any case.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn embedded_reference(&mut self, at: &'static At) -> Result<(), DecodeError> {
        let usual = referent(self.pointers);
        self.pointers = self.pointers.saturating_add(1);
        self.free(at, Format::Uint, usual.to_le_bytes()).map(drop)
    }

    /// Whether a full pointer of this id has not been seen in the stream.
    pub(crate) fn is_new(&mut self, id: u32, at: &'static At) -> Result<bool, DecodeError> {
        match self.full.insert(id, at) {
            None => Ok(true),
            Some(before) if before == at => Ok(false),
            Some(_) => {
                Err(self
                    .error(at, DecodeErrorKind::Rule("a full pointer refers to something of another type")))
            }
        }
    }

    /// Reads elements one after the other; `count` is not trusted.
    ///
    /// # Errors
    /// Those of `element`; [`DecodeErrorKind::LimitExceeded`] for more than the limit on items.
    #[inline]
    pub fn elements<T>(
        &mut self,
        count: u32,
        at: &'static At,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let max = self.cursor.context().limits().items;
        if usize_from(count) > max {
            return Err(self.error(at, DecodeErrorKind::LimitExceeded { limit: "items", max }));
        }
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Reads something that may contain its own kind.
    ///
    /// # Errors
    /// Those of `parse`; [`DecodeErrorKind::LimitExceeded`] when it is nested too deep.
    #[inline]
    pub fn nested<T>(
        &mut self,
        at: &'static At,
        parse: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let max = self.cursor.context().limits().depth;
        if self.depth >= max {
            return Err(self.error(at, DecodeErrorKind::LimitExceeded { limit: "depth", max }));
        }
        self.depth = self.depth.saturating_add(1);
        let value = parse(self);
        self.depth = self.depth.saturating_sub(1);
        value
    }

    /// Reads what is little-endian whatever the order of the stream.
    ///
    /// # Errors
    /// Those of `parse`.
    #[inline]
    pub fn little_endian<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let order = core::mem::replace(&mut self.order, ByteOrder::Little);
        let value = parse(self);
        self.order = order;
        value
    }

    /// Records a structure whose fields `parse` reads.
    ///
    /// # Errors
    /// Those of `parse`.
    #[inline]
    pub fn group<T>(
        &mut self,
        at: &'static At,
        parse: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let context = self.cursor.context();
        let group = context.open(self.offset(), at);
        let value = parse(self)?;
        context.close(group, self.offset());
        Ok(value)
    }

    /// Notes the name of the value read last in the record of fields.
    #[inline]
    pub fn note(&self, note: Option<&'static str>) {
        self.cursor.context().note(note);
    }
}
