//! Stub data, cut into fragments.

use core::iter::FusedIterator;

use remassist_core::len_u32;

use crate::names::Flags;
use crate::pdu::HEADER_LEN;
use crate::verifier;

/// Stub data of every fragment but the last are a multiple of this, so that a sec_trailer needs padding in the last only,
/// and every fragment begins at a multiple of 8 (\[C706\] 12.6.2, [MS-RPCE] 2.2.2.11).
const UNIT: usize = 16;

/// The smallest fragment size that every implementation can receive: MustRecvFragSize (\[C706\] 12.6.2).
pub const MUST_RECV_FRAG_SIZE: u16 = 1432;

/// One piece of stub data with the fields that depend on its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// [`Flags::FIRST`], [`Flags::LAST`], both or none.
    pub flags: Flags,
    /// alloc_hint: stub data of this and all later pieces ([MS-RPCE] 2.2.2.6).
    pub alloc_hint: u32,
    /// The stub data of this piece.
    pub stub: &'a [u8],
}

/// Cuts stub data into pieces that fit fragments; at least one, also of nothing.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    rest: &'a [u8],
    each: usize,
    /// Bytes at the end that stay in one piece.
    keep: usize,
    first: bool,
    done: bool,
}

impl<'a> Pieces<'a> {
    /// Pieces for fragments of at most `max_fragment` bytes, with or without an object UUID, each with a token of
    /// `token` bytes (0: without sec_trailer). A size that is smaller than [`MUST_RECV_FRAG_SIZE`] counts as that.
    ///
    /// `None` when a token leaves no room for stub data.
    #[must_use]
    pub fn new(stub: &'a [u8], max_fragment: u16, object: bool, token: usize) -> Option<Self> {
        let max = usize::from(max_fragment.max(MUST_RECV_FRAG_SIZE));
        let object = if object { 16 } else { 0_usize };
        let trailer = if token > 0 { verifier::LEN.saturating_add(token) } else { 0 };
        let fixed = HEADER_LEN.saturating_add(8).saturating_add(object).saturating_add(trailer);
        let room = max.checked_sub(fixed)?;
        let each = room.saturating_sub(room & UNIT.saturating_sub(1));
        (each > 0).then_some(Self { rest: stub, each, keep: 0, first: true, done: false })
    }

    /// The same with the last `keep` bytes in one piece: a verification trailer stands in the last fragment alone
    /// ([MS-RPCE] 2.2.2.13).
    pub(crate) const fn keeping(self, keep: usize) -> Self {
        Self { keep, ..self }
    }

    /// Bytes of the next piece.
    fn each(&self) -> usize {
        let left = self.rest.len().saturating_sub(self.each);
        if left == 0 || left >= self.keep {
            return self.each;
        }
        let before = self.rest.len().saturating_sub(self.keep);
        match before.saturating_sub(before & UNIT.saturating_sub(1)) {
            0 => self.each,
            shorter => shorter,
        }
    }

    /// Padding up to the sec_trailer, for stub data of `len` bytes.
    #[must_use]
    pub const fn padding(len: usize) -> usize {
        crate::wire::padding(len, UNIT)
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.done {
            return None;
        }
        let alloc_hint = len_u32(self.rest.len());
        let (stub, rest) = self.rest.split_at_checked(self.each()).unwrap_or((self.rest, &[]));
        self.rest = rest;
        self.done = rest.is_empty();
        let first = if self.first { Flags::FIRST } else { Flags::default() };
        self.first = false;
        let flags = if self.done { first.with(Flags::LAST) } else { first };
        Some(Piece { flags, alloc_hint, stub })
    }
}

impl FusedIterator for Pieces<'_> {}
