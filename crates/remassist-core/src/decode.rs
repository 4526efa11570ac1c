//! The decoding trait, its context and the cursor that codecs read with.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cell::RefCell;

use uuid::Uuid;

use crate::trace::Recorder;
use crate::{At, DecodeError, DecodeErrorKind, DecodeOptions, Deviation, Format, Limits, Policy, TraceEntry};

/// Deviations kept per message; the rest of a hostile message only costs time.
const MAX_DEVIATIONS: usize = 1024;

/// A decoded value, what follows it, and what was noticed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a, T> {
    /// The value.
    pub value: T,
    /// The input after the value.
    pub rest: &'a [u8],
    /// Rules that the input breaks, in the order of reading; always empty under [`Policy::Strict`].
    pub deviations: Vec<Deviation>,
    /// Every field read, when [`DecodeOptions::trace`] is set.
    pub trace: Vec<TraceEntry>,
}

/// A value that can be read from bytes. Never panics, whatever the bytes are.
pub trait Decode<'a>: Sized {
    /// The structure, for errors that concern all of it.
    const AT: &'static At;

    /// Reads one value at the cursor: the one method that a codec writes.
    ///
    /// # Errors
    /// When the bytes cannot be read as this structure, or break a rule under [`Policy::Strict`].
    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError>;

    /// Decodes a value at the beginning of `input` with the given policy, limits and trace.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); also when `input` is longer than [`Limits::message`].
    fn decode_with(input: &'a [u8], options: &DecodeOptions) -> Result<Decoded<'a, Self>, DecodeError> {
        decode_using(input, options, Self::AT, Self::parse)
    }

    /// Tolerant; the value must fill `input`.
    ///
    /// # Errors
    /// As [`decode_with`](Self::decode_with); also when bytes are left over.
    fn decode(input: &'a [u8]) -> Result<Self, DecodeError> {
        whole(input, &DecodeOptions::TOLERANT)
    }

    /// Every MUST of the specification; the value must fill `input`.
    ///
    /// # Errors
    /// As [`decode_with`](Self::decode_with); also when bytes are left over.
    fn decode_strict(input: &'a [u8]) -> Result<Self, DecodeError> {
        whole(input, &DecodeOptions::STRICT)
    }

    /// Tolerant; returns what follows the value.
    ///
    /// # Errors
    /// As [`decode_with`](Self::decode_with).
    fn decode_prefix(input: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        Self::decode_with(input, &DecodeOptions::TOLERANT).map(|d| (d.value, d.rest))
    }
}

fn whole<'a, T: Decode<'a>>(input: &'a [u8], options: &DecodeOptions) -> Result<T, DecodeError> {
    let decoded = T::decode_with(input, options)?;
    match decoded.rest.len() {
        0 => Ok(decoded.value),
        extra => Err(DecodeError::new(
            input.len().saturating_sub(extra),
            T::AT,
            DecodeErrorKind::TrailingData { extra },
        )),
    }
}

/// Runs a parsing function over `input`: what [`Decode::decode_with`] does, for functions that are not a trait's.
///
/// # Errors
/// As `parse`; also when `input` is longer than [`Limits::message`].
pub fn decode_using<'a, T>(
    input: &'a [u8],
    options: &DecodeOptions,
    at: &'static At,
    parse: impl FnOnce(&mut Cursor<'_, 'a>) -> Result<T, DecodeError>,
) -> Result<Decoded<'a, T>, DecodeError> {
    let max = options.limits.message;
    if input.len() > max {
        return Err(DecodeError::new(
            max,
            at,
            DecodeErrorKind::LimitExceeded { limit: "message bytes", max },
        ));
    }
    let context = Context::new(options);
    let mut cursor = Cursor { context: &context, rest: input, offset: 0 };
    let value = parse(&mut cursor)?;
    let rest = cursor.rest;
    let trace = context.recorder.map(|r| r.into_inner().entries).unwrap_or_default();
    Ok(Decoded { value, rest, deviations: context.deviations.into_inner(), trace })
}

/// What one decoding shares between its nested parts: options, deviations, trace.
#[derive(Debug)]
pub struct Context {
    options: DecodeOptions,
    deviations: RefCell<Vec<Deviation>>,
    recorder: Option<RefCell<Recorder>>,
}

impl Context {
    fn new(options: &DecodeOptions) -> Self {
        Self {
            options: *options,
            deviations: RefCell::default(),
            recorder: options.trace.then(RefCell::default),
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// Whether fields are recorded.
    #[must_use]
    #[inline]
    pub fn tracing(&self) -> bool {
        self.recorder.is_some()
    }

    #[cfg(feature = "xml")]
    pub(crate) fn deviations(&self) -> usize {
        self.deviations.borrow().len()
    }

    /// Checks a MUST that leaves the meaning clear when broken: an error under [`Policy::Strict`], a
    /// [`Deviation`] under [`Policy::Tolerant`].
    ///
    /// # Errors
    /// When `ok` is false under [`Policy::Strict`].
    #[inline]
    pub fn must(
        &self,
        ok: bool,
        offset: usize,
        at: &'static At,
        kind: DecodeErrorKind,
    ) -> Result<(), DecodeError> {
        if ok {
            return Ok(());
        }
        match self.options.policy {
            Policy::Strict => Err(DecodeError::new(offset, at, kind)),
            Policy::Tolerant => {
                let mut deviations = self.deviations.borrow_mut();
                if deviations.len() < MAX_DEVIATIONS {
                    deviations.push(Deviation { offset, at, kind });
                }
                Ok(())
            }
        }
    }

    /// Records a field; one without bytes leaves no entry.
    #[inline]
    pub fn field(&self, offset: usize, len: usize, at: &'static At, format: Format) {
        if let Some(recorder) = &self.recorder {
            let mut recorder = recorder.borrow_mut();
            recorder.noteworthy = len > 0 || format == Format::Group;
            if recorder.noteworthy {
                let depth = recorder.depth;
                recorder.entries.push(TraceEntry {
                    depth,
                    offset,
                    len,
                    at,
                    format,
                    note: None,
                    secret: false,
                });
            }
        }
    }

    /// Gives the field recorded last the specification's name for its value.
    #[inline]
    pub fn note(&self, note: Option<&'static str>) {
        self.amend(|e| e.note = note);
    }

    /// Marks the field recorded last as secret.
    pub fn secret(&self) {
        self.amend(|e| e.secret = true);
    }

    fn amend(&self, change: impl FnOnce(&mut TraceEntry)) {
        if let Some(recorder) = &self.recorder {
            let mut recorder = recorder.borrow_mut();
            if recorder.noteworthy {
                recorder.entries.last_mut().map(change).unwrap_or_default();
            }
        }
    }

    /// Records a structure; what is recorded until [`close`](Self::close) lies inside it.
    #[inline]
    pub fn open(&self, offset: usize, at: &'static At) -> Group {
        let Some(recorder) = &self.recorder else { return Group(0) };
        let index = recorder.borrow().entries.len();
        self.field(offset, 0, at, Format::Group);
        let mut recorder = recorder.borrow_mut();
        recorder.depth = recorder.depth.saturating_add(1);
        Group(index)
    }

    /// Ends a structure begun with [`open`](Self::open) at the absolute offset `end`.
    #[inline]
    pub fn close(&self, group: Group, end: usize) {
        if let Some(recorder) = &self.recorder {
            let mut recorder = recorder.borrow_mut();
            recorder.depth = recorder.depth.saturating_sub(1);
            if let Some(entry) = recorder.entries.get_mut(group.0) {
                entry.len = end.saturating_sub(entry.offset);
            }
        }
    }

    /// Fills the holes between what was recorded, in ascending order, since `group` with fillers from `start` to
    /// `end`: for text, whose markup is not worth a call for every blank.
    pub fn fill(&self, group: &Group, start: usize, end: usize, at: &'static At) {
        let Some(recorder) = &self.recorder else { return };
        let mut recorder = recorder.borrow_mut();
        let base = recorder.depth;
        let inside = group.0.saturating_add(1).min(recorder.entries.len());
        let tail = recorder.entries.split_off(inside);
        let mut hole = Hole { entries: &mut recorder.entries, base, position: start, at };
        // Where the structures around the next entry end, the innermost last.
        let mut ends: Vec<usize> = Vec::new();
        for entry in tail {
            while ends.len() > entry.depth.saturating_sub(base) {
                let depth = ends.len();
                hole.fill(ends.pop().unwrap_or_default(), depth);
            }
            hole.fill(entry.offset, ends.len());
            if entry.format == Format::Group {
                ends.push(entry.offset.saturating_add(entry.len));
            } else {
                hole.position = entry.offset.saturating_add(entry.len);
            }
            hole.entries.push(entry);
        }
        while let Some(end) = ends.pop() {
            hole.fill(end, ends.len().saturating_add(1));
        }
        hole.fill(end, 0);
        recorder.noteworthy = false;
    }
}

/// What [`Context::fill`] fills: from `position` on.
struct Hole<'r> {
    entries: &'r mut Vec<TraceEntry>,
    base: usize,
    position: usize,
    at: &'static At,
}

impl Hole<'_> {
    fn fill(&mut self, end: usize, depth: usize) {
        if let Some(len) = end.checked_sub(self.position).filter(|len| *len > 0) {
            self.entries.push(TraceEntry {
                depth: self.base.saturating_add(depth),
                offset: self.position,
                len,
                at: self.at,
                format: Format::Filler,
                note: None,
                secret: false,
            });
            self.position = end;
        }
    }
}

/// A structure being recorded; see [`Context::open`].
#[derive(Debug)]
#[must_use = "close it, or what follows is recorded one level too deep"]
pub struct Group(usize);

/// A position in the input: reads fields, knows absolute offsets, records what it reads.
#[derive(Debug, Clone)]
pub struct Cursor<'c, 'a> {
    context: &'c Context,
    rest: &'a [u8],
    offset: usize,
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $format:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`DecodeErrorKind::Truncated`].
        #[inline]
        pub fn $name(&mut self, at: &'static At) -> Result<$type, DecodeError> {
            self.array(at, Format::$format).map(<$type>::from_le_bytes)
        }
    )*};
}

impl<'c, 'a> Cursor<'c, 'a> {
    /// What the whole decoding shares.
    #[must_use]
    #[inline]
    pub fn context(&self) -> &'c Context {
        self.context
    }

    /// Absolute offset of the next byte.
    #[must_use]
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes that are left.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes left.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error at the next byte.
    #[must_use]
    pub fn error(&self, at: &'static At, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.offset, at, kind)
    }

    /// [`Context::must`] at the absolute offset given.
    ///
    /// # Errors
    /// When `ok` is false under [`Policy::Strict`].
    #[inline]
    pub fn must(
        &self,
        ok: bool,
        offset: usize,
        at: &'static At,
        kind: DecodeErrorKind,
    ) -> Result<(), DecodeError> {
        self.context.must(ok, offset, at, kind)
    }

    /// Takes `len` bytes without recording them.
    #[inline]
    fn advance(&mut self, len: usize, at: &'static At) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            let available = self.rest.len();
            return Err(self.error(at, DecodeErrorKind::Truncated { needed: len, available }));
        };
        self.rest = rest;
        self.offset = self.offset.saturating_add(len);
        Ok(head)
    }

    /// Reads `N` bytes and records them with the format given.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn array<const N: usize>(&mut self, at: &'static At, format: Format) -> Result<[u8; N], DecodeError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            let available = self.rest.len();
            return Err(self.error(at, DecodeErrorKind::Truncated { needed: N, available }));
        };
        self.context.field(self.offset, N, at, format);
        self.rest = rest;
        self.offset = self.offset.saturating_add(N);
        Ok(*head)
    }

    numbers! {
        /// Reads a byte.
        u8: u8, Uint;
        /// Reads a little-endian `u16`.
        u16: u16, Uint;
        /// Reads a little-endian `u32`.
        u32: u32, Uint;
        /// Reads a little-endian `u64`.
        u64: u64, Uint;
        /// Reads a little-endian `i32`.
        i32: i32, Int;
        /// Reads a little-endian bit field of 8 bits.
        flags8: u8, Flags;
        /// Reads a little-endian bit field of 16 bits.
        flags16: u16, Flags;
        /// Reads a little-endian bit field of 32 bits.
        flags32: u32, Flags;
    }

    /// Reads a GUID in packet form ([MS-DTYP] 2.3.4.2), 16 bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn guid(&mut self, at: &'static At) -> Result<Uuid, DecodeError> {
        self.array(at, Format::Guid).map(Uuid::from_bytes_le)
    }

    /// Reads `len` bytes and records them with the format given.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn take(&mut self, len: usize, at: &'static At, format: Format) -> Result<&'a [u8], DecodeError> {
        let offset = self.offset;
        let bytes = self.advance(len, at)?;
        self.context.field(offset, len, at, format);
        Ok(bytes)
    }

    /// Reads all that is left and records it with the format given.
    #[inline]
    pub fn take_rest(&mut self, at: &'static At, format: Format) -> &'a [u8] {
        let bytes = self.rest;
        self.context.field(self.offset, bytes.len(), at, format);
        self.rest = &[];
        self.offset = self.offset.saturating_add(bytes.len());
        bytes
    }

    /// A cursor over the next `len` bytes, which this one then stands behind.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    #[inline]
    pub fn sub(&mut self, len: usize, at: &'static At) -> Result<Self, DecodeError> {
        let (context, offset) = (self.context, self.offset);
        let rest = self.advance(len, at)?;
        Ok(Self { context, rest, offset })
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
        let group = self.context.open(self.offset, at);
        let value = parse(self)?;
        self.context.close(group, self.offset);
        Ok(value)
    }

    /// Fails when bytes are left.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TrailingData`].
    pub fn finish(&self, at: &'static At) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(self.error(at, DecodeErrorKind::TrailingData { extra })),
        }
    }
}

/// A length field as `usize`; one that does not fit is larger than any input.
#[inline]
#[must_use]
pub fn usize_from(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Makes the content of a [`Cow`] owned, whatever it borrows from.
#[must_use]
pub fn owned<'b, T: ?Sized + alloc::borrow::ToOwned>(value: Cow<'_, T>) -> Cow<'b, T> {
    Cow::Owned(value.into_owned())
}
