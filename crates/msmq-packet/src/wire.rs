//! What all headers are read and written with.

use bytes::BufMut;
use remassist_core::{At, Blob, Cursor, DecodeError, DecodeErrorKind, Format};

/// Declares the places of a structure.
macro_rules! places {
    ($doc:literal, $section:literal, $structure:literal: $($const:ident = $field:literal),* $(,)?) => {$(
        pub(crate) const $const: remassist_core::At =
            remassist_core::At::new($doc, $section, $structure, $field);
    )*};
}
pub(crate) use places;

/// Declares newtypes of bit fields, with a constant for each bit that means something.
macro_rules! bits {
    ($(
        $(#[$attribute:meta])*
        $type:ident($number:ty) { $($(#[$item:meta])* $const:ident = $value:expr;)* }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $type(pub $number);

        impl $type {
            $($(#[$item])* pub const $const: Self = Self($value);)*

            /// Whether all of these bits are set.
            #[must_use]
            pub const fn contains(self, bits: Self) -> bool {
                self.0 & bits.0 == bits.0
            }

            /// The same with these bits set.
            #[must_use]
            pub const fn with(self, bits: Self) -> Self {
                Self(self.0 | bits.0)
            }

            /// The same with these bits cleared.
            #[must_use]
            pub const fn without(self, bits: Self) -> Self {
                Self(self.0 & !bits.0)
            }

            /// The bits when `condition` holds, none otherwise.
            #[must_use]
            pub const fn when(self, condition: bool) -> Self {
                if condition { self } else { Self(0) }
            }
        }
    )*};
}
pub(crate) use bits;

/// Bytes that round a field up to a multiple of 4. Their values mean nothing, and are kept; only as many are written as
/// are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Padding(pub [u8; 3]);

impl Padding {
    /// Reads what `len` bytes of field lack to a multiple of 4.
    pub(crate) fn parse(
        cursor: &mut Cursor<'_, '_>,
        len: usize,
        at: &'static At,
    ) -> Result<Self, DecodeError> {
        let mut padding = [0; 3];
        let bytes = cursor.take(missing(len), at, Format::Filler)?;
        for (to, from) in padding.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(Self(padding))
    }

    pub(crate) fn put(self, len: usize, dst: &mut dyn BufMut) {
        dst.put_slice(self.0.get(..missing(len)).unwrap_or_default());
    }
}

/// What `len` lacks to a multiple of 4.
pub(crate) const fn missing(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// `len`, rounded up to a multiple of 4.
pub(crate) const fn rounded(len: usize) -> usize {
    len.saturating_add(missing(len))
}

/// A number that is not allowed.
pub(crate) const fn invalid(got: u64) -> DecodeErrorKind {
    DecodeErrorKind::InvalidValue { got }
}

/// The sum of lengths.
pub(crate) fn sum<const N: usize>(lens: [usize; N]) -> usize {
    lens.into_iter().fold(0, usize::saturating_add)
}

/// Bytes that no header has.
pub(crate) fn excess<'a>(cursor: &mut Cursor<'_, 'a>, at: &'static At) -> Result<Blob<'a>, DecodeError> {
    let offset = cursor.offset();
    let bytes = cursor.take_rest(at, Format::Bytes);
    cursor.must(
        bytes.is_empty(),
        offset,
        at,
        DecodeErrorKind::Rule("bytes that PacketSize counts and no header has"),
    )?;
    Ok(bytes.into())
}
