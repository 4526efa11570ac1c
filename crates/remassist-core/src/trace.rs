//! The record of what was read where, for analysers.

use alloc::vec::Vec;

use crate::At;

/// How the bytes of a field are to be shown.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A structure or list: its fields follow, one level deeper.
    Group,
    /// A little-endian unsigned number of the entry's length.
    Uint,
    /// A big-endian unsigned number of the entry's length.
    UintBe,
    /// A little-endian signed number of the entry's length.
    Int,
    /// A little-endian bit field of the entry's length.
    Flags,
    /// A GUID in packet form ([MS-DTYP] 2.3.4.2).
    Guid,
    /// A GUID whose numbers are big-endian, as its text has them.
    GuidBe,
    /// UTF-8 text.
    Utf8,
    /// UTF-16LE text.
    Utf16Le,
    /// UTF-16BE text.
    Utf16Be,
    /// Bytes without a known inner form.
    Bytes,
    /// Bytes without meaning: padding, reserved fields, quotes and blanks of XML.
    Filler,
}

/// One field, or the structure around several.
///
/// The entries that are not [`Format::Group`] cover each byte of the value exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceEntry {
    /// Nesting, 0 for the outermost.
    pub depth: usize,
    /// Absolute offset in the input, in bytes.
    pub offset: usize,
    /// Length on the wire, in bytes.
    pub len: usize,
    /// Which field this is.
    pub at: &'static At,
    /// How to show it.
    pub format: Format,
    /// The specification's name for the value, where it has one.
    pub note: Option<&'static str>,
    /// The bytes are secret: show them only when asked to.
    pub secret: bool,
}

/// Collects entries while decoding; does nothing unless switched on.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) entries: Vec<TraceEntry>,
    pub(crate) depth: usize,
    /// The last entry is the field recorded last, so a note belongs to it.
    pub(crate) noteworthy: bool,
}
