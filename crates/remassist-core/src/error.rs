//! Errors and deviations: what is wrong, at which byte, in which field of which section.

use core::fmt;

/// Where in a structure, and where in which specification.
///
/// Every field that a codec reads has one such constant; errors, deviations and trace entries point at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct At {
    /// Name of the structure as the specification prints it.
    pub structure: &'static str,
    /// Name of the field; empty when the structure as a whole is meant.
    pub field: &'static str,
    /// Short name of the document, in brackets: `[MS-RA]`.
    pub doc: &'static str,
    /// Section number in that document.
    pub section: &'static str,
}

impl At {
    /// A place in a specification; `field` may be empty.
    #[must_use]
    pub const fn new(
        doc: &'static str,
        section: &'static str,
        structure: &'static str,
        field: &'static str,
    ) -> Self {
        Self { structure, field, doc, section }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(self.structure)
        } else {
            write!(f, "{}.{}", self.structure, self.field)
        }
    }
}

/// What is wrong with the bytes.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// The input ends inside a field.
    #[error("need {needed} bytes, {available} left")]
    Truncated {
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// Bytes follow the last field.
    #[error("{extra} bytes left after the value")]
    TrailingData {
        /// Number of bytes too many.
        extra: usize,
    },
    /// A number has a value that the specification does not allow.
    #[error("value {got:#x} is not allowed here")]
    InvalidValue {
        /// The number that was read.
        got: u64,
    },
    /// A length, count or offset does not fit what surrounds it.
    #[error("length or offset {got} does not fit its container of {max}")]
    OutOfBounds {
        /// The length, count or offset that was read.
        got: u64,
        /// What there is room for.
        max: usize,
    },
    /// A [`Limits`](crate::Limits) value was reached.
    #[error("more than the configured limit of {max} ({limit})")]
    LimitExceeded {
        /// Which limit.
        limit: &'static str,
        /// Its value.
        max: usize,
    },
    /// A rule is broken that is best told in words.
    #[error("{0}")]
    Rule(&'static str),
}

/// Why bytes could not be decoded.
///
/// Holds no input bytes, so it can always be logged; `Copy`, so it can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: usize,
    at: &'static At,
}

impl DecodeError {
    /// An error at an absolute byte offset of the input.
    #[must_use]
    pub const fn new(offset: usize, at: &'static At, kind: DecodeErrorKind) -> Self {
        Self { kind, offset, at }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Absolute offset in the input, in bytes, also for text.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The field, and the section that defines it.
    #[must_use]
    pub const fn at(&self) -> &'static At {
        self.at
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, offset, at } = self;
        write!(f, "{at} at byte {offset}: {kind} ({} {})", at.doc, at.section)
    }
}

impl core::error::Error for DecodeError {}

/// A rule that the input breaks without becoming unreadable; see [`Policy`](crate::Policy).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deviation {
    /// Absolute offset in the input, in bytes.
    pub offset: usize,
    /// The field, and the section with the rule.
    pub at: &'static At,
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DecodeError::new(self.offset, self.at, self.kind).fmt(f)
    }
}

/// Why a value could not be encoded. Nothing was written when this is returned.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The buffer given is too small.
    #[error("buffer has room for {available} bytes, {needed} needed")]
    BufferTooSmall {
        /// Bytes the value takes.
        needed: usize,
        /// Bytes the buffer can take.
        available: usize,
    },
    /// A length or count does not fit its wire type or a limit of the specification.
    #[error("{at}: {got} is more than the {max} that fit ({doc} {section})", doc = at.doc, section = at.section)]
    TooLarge {
        /// The field.
        at: &'static At,
        /// Its size in the value.
        got: usize,
        /// The largest size allowed.
        max: usize,
    },
    /// The value cannot be written so that it would be read again as it is.
    #[error("{at}: {reason} ({doc} {section})", doc = at.doc, section = at.section)]
    Invalid {
        /// The field.
        at: &'static At,
        /// What is wrong.
        reason: &'static str,
    },
}
