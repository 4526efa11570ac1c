//! Writes an NDR stream.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use remassist_core::{At, EncodeError, MAX_U32, check_len, len_u32};
use uuid::Uuid;

use super::{ByteOrder, Ndr, Residue, pad, referent};

/// An NDR stream being written: aligns, turns bytes round, numbers pointers.
///
/// Writing goes on after the first error, which [`finish`](Self::finish) returns.
#[derive(Debug)]
pub struct Writer<'r> {
    out: Vec<u8>,
    /// Where in `out` the stream begins.
    base: usize,
    order: ByteOrder,
    residue: &'r Residue<'r>,
    pointers: u32,
    full: BTreeSet<u32>,
    error: Option<EncodeError>,
}

impl<'r> Writer<'r> {
    /// An empty stream.
    #[must_use]
    pub fn new(order: ByteOrder, residue: &'r Residue<'r>) -> Self {
        Self::behind(Vec::new(), order, residue)
    }

    /// An empty stream that begins behind the bytes given.
    #[must_use]
    pub(crate) fn behind(out: Vec<u8>, order: ByteOrder, residue: &'r Residue<'r>) -> Self {
        let base = out.len();
        Self { out, base, order, residue, pointers: 0, full: BTreeSet::new(), error: None }
    }

    /// Makes room for as many bytes more.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// The bytes of the stream, and those before it.
    ///
    /// # Errors
    /// The first that [`fail`](Self::fail) was given.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        self.error.map_or(Ok(self.out), Err)
    }

    #[inline]
    pub(crate) fn is_big(&self) -> bool {
        self.order == ByteOrder::Big
    }

    /// Notes that the value cannot be written.
    pub fn fail(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
    }

    /// Notes that the value cannot be written, unless `ok`.
    #[inline]
    pub fn need(&mut self, ok: bool, at: &'static At, reason: &'static str) {
        if !ok {
            self.fail(EncodeError::Invalid { at, reason });
        }
    }

    /// Offset of the next byte in the stream.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len().saturating_sub(self.base)
    }

    /// Writes a whole value: what stands in place, then what its pointers point to.
    #[inline]
    pub fn value<'a, T: Ndr<'a>>(&mut self, value: &T, at: &'static At) {
        value.put_head(self, at);
        value.put_tail(self, at);
    }

    /// Fills up to a multiple of `align` (a power of two) from the beginning of the stream.
    #[inline(always)]
    pub fn align(&mut self, align: usize) {
        match pad(self.position(), align) {
            0 => {}
            len => self.filler(len),
        }
    }

    /// Writes bytes that the value does not tell: zeros.
    pub(crate) fn filler(&mut self, len: usize) {
        let position = self.position();
        match self.residue.get(position, len) {
            Some(kept) => self.out.extend_from_slice(kept),
            None => self.out.resize(self.out.len().saturating_add(len), 0),
        }
    }

    /// Writes a number, given with the least significant byte first, at a multiple of its size.
    #[inline(always)]
    pub(crate) fn raw<const N: usize>(&mut self, mut number: [u8; N]) {
        self.align(N);
        if self.order == ByteOrder::Big {
            number.reverse();
        }
        self.out.extend_from_slice(&number);
    }

    /// Writes a `u32`.
    #[inline]
    pub fn u32(&mut self, number: u32) {
        self.raw(number.to_le_bytes());
    }

    /// Writes a `u16`.
    #[inline]
    pub fn u16(&mut self, number: u16) {
        self.raw(number.to_le_bytes());
    }

    /// The number kept for the place where one of `N` bytes comes next, if `fits` takes it; else `usual`.
    #[inline]
    pub(crate) fn kept<const N: usize>(
        &mut self,
        usual: [u8; N],
        fits: impl FnOnce([u8; N]) -> bool,
    ) -> [u8; N] {
        self.align(N);
        let Some(mut kept) = self.residue.get(self.position(), N).and_then(|b| b.first_chunk::<N>().copied())
        else {
            return usual;
        };
        if self.order == ByteOrder::Big {
            kept.reverse();
        }
        if fits(kept) { kept } else { usual }
    }

    /// Writes a field that the value does not tell: what was read, else `usual`.
    #[inline]
    pub fn free<const N: usize>(&mut self, usual: [u8; N]) {
        let number = self.kept(usual, |_| true);
        self.raw(number);
    }

    /// Writes a number again over the one written at a position, unless another was kept for it.
    pub(crate) fn free_again(&mut self, position: usize, number: u32) {
        let mut number = number.to_le_bytes();
        if self.order == ByteOrder::Big {
            number.reverse();
        }
        let kept = self.residue.get(position, 4).and_then(|bytes| bytes.first_chunk::<4>());
        let place = self
            .out
            .get_mut(self.base.saturating_add(position)..)
            .and_then(|rest| rest.first_chunk_mut::<4>());
        if let Some(place) = place {
            *place = kept.copied().unwrap_or(number);
        }
    }

    /// Writes a length or count as a `u32`.
    #[inline]
    pub fn len(&mut self, len: usize, at: &'static At) {
        if let Err(error) = check_len(len, MAX_U32, at) {
            self.fail(error);
        }
        self.u32(len_u32(len));
    }

    /// Writes a GUID: u32, u16, u16, 8 bytes; aligned to 4.
    #[inline]
    pub fn guid(&mut self, guid: &Uuid) {
        self.align(4);
        let bytes = if self.order == ByteOrder::Big { guid.into_bytes() } else { guid.to_bytes_le() };
        self.out.extend_from_slice(&bytes);
    }

    /// Writes bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes the number of a pointer that is not full.
    #[inline(always)]
    pub fn referent(&mut self, points: bool) {
        if !points {
            return self.u32(0);
        }
        let usual = referent(self.pointers);
        self.pointers = self.pointers.saturating_add(1);
        let id = self.kept(usual.to_le_bytes(), |kept| kept != [0; 4]);
        self.raw(id);
    }

    /// Writes the place of an embedded reference pointer: what was read, else a number as for any pointer.
    #[inline]
    pub fn embedded_reference(&mut self) {
        let usual = referent(self.pointers);
        self.pointers = self.pointers.saturating_add(1);
        self.free(usual.to_le_bytes());
    }

    /// Whether a full pointer of this id has not been written.
    pub(crate) fn is_new(&mut self, id: u32) -> bool {
        self.full.insert(id)
    }

    /// Writes what is little-endian whatever the order of the stream.
    #[inline]
    pub fn little_endian(&mut self, write: impl FnOnce(&mut Self)) {
        let order = core::mem::replace(&mut self.order, ByteOrder::Little);
        write(self);
        self.order = order;
    }
}

/// A count in memory as the `u32` that stands on the wire; saturates, [`Writer::len`] sees what is too large.
pub(crate) fn len_of<T>(items: &[T]) -> u32 {
    len_u32(items.len())
}
