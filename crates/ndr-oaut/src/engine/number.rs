//! Numbers, GUIDs and counts (\[C706\] 14.2).

use remassist_core::{At, DecodeError, DecodeErrorKind, Format, MAX_U32, len_u32, usize_from};
use uuid::Uuid;

use super::{Ndr, Reader, Writer};

macro_rules! numbers {
    ($($type:ty, $align:literal, $format:ident;)*) => {$(
        impl<'a> Ndr<'a> for $type {
            type Head = Self;
            const ALIGN: usize = $align;
            #[inline]
            fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
                r.raw(at, Format::$format).map(|(bytes, _)| <$type>::from_le_bytes(bytes))
            }
            #[inline]
            fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
                Ok(head)
            }
            #[inline]
            fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
                w.raw(self.to_le_bytes());
            }
            #[inline]
            fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
        }
    )*};
}
numbers! {
    u8, 1, Uint;
    i8, 1, Int;
    u16, 2, Uint;
    i16, 2, Int;
    u32, 4, Uint;
    i32, 4, Int;
    u64, 8, Uint;
    i64, 8, Int;
    R4, 4, Uint;
    R8, 8, Uint;
}

macro_rules! floats {
    ($($(#[$doc:meta])* $name:ident, $bits:ident, $float:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub $bits);

        impl $name {
            fn from_le_bytes(bytes: [u8; size_of::<$bits>()]) -> Self {
                Self($bits::from_le_bytes(bytes))
            }
            fn to_le_bytes(self) -> [u8; size_of::<$bits>()] {
                self.0.to_le_bytes()
            }
            /// The number.
            #[must_use]
            pub fn value(self) -> $float {
                $float::from_bits(self.0)
            }
        }

        impl From<$float> for $name {
            fn from(value: $float) -> Self {
                Self(value.to_bits())
            }
        }
    )*};
}
floats! {
    /// An IEEE number of 4 bytes, as its bits: so that it equals itself and is kept whatever it is.
    R4, u32, f32;
    /// An IEEE number of 8 bytes, as its bits: so that it equals itself and is kept whatever it is.
    R8, u64, f64;
}

impl<'a> Ndr<'a> for Uuid {
    type Head = Self;
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        r.guid(at)
    }
    #[inline]
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.guid(self);
    }
    #[inline]
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// A field that says how many elements another field has (`size_is`, `length_is`): 4 bytes, not kept in the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    len: usize,
    offset: usize,
}

impl Count {
    /// The count to write.
    #[must_use]
    pub fn of(len: usize) -> Self {
        Self { len, offset: 0 }
    }

    /// The count to write for two arrays of one size; cannot be written when they differ.
    #[must_use]
    pub fn same(len: usize, other: usize) -> Self {
        Self { len: if len == other { len } else { usize::MAX }, offset: 0 }
    }

    /// A count that was read in another form, at an absolute offset.
    pub(crate) fn placed(len: u32, offset: usize) -> Self {
        Self { len: usize_from(len), offset }
    }

    /// Reads a count.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn read(r: &mut Reader<'_, '_>, at: &'static At) -> Result<Self, DecodeError> {
        r.align(4)?;
        let offset = r.offset();
        Ok(Self { len: usize_from(r.u32(at)?), offset })
    }

    /// Absolute offset of a count that was read.
    #[must_use]
    pub fn offset(self) -> usize {
        self.offset
    }

    /// The count.
    #[must_use]
    pub fn get(self) -> u32 {
        len_u32(self.len)
    }

    /// Checks a count that was read against the elements that were there.
    ///
    /// # Errors
    /// [`DecodeErrorKind::OutOfBounds`].
    pub fn check(self, len: usize, at: &'static At) -> Result<(), DecodeError> {
        if self.len == len {
            return Ok(());
        }
        let got = u64::from(self.get());
        Err(DecodeError::new(self.offset, at, DecodeErrorKind::OutOfBounds { got, max: len }))
    }
}

impl<'a> Ndr<'a> for Count {
    type Head = Self;
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        Self::read(r, at)
    }
    #[inline]
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.need(self.len <= MAX_U32, at, "a count is out of its range, or not that of both arrays");
        w.u32(self.get());
    }
    #[inline]
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}
