//! The encoding trait.

use alloc::vec::Vec;

use bytes::BufMut;

use crate::{At, EncodeError};

/// A value that can be written as bytes. Object safe, so that a channel can queue `Box<dyn Encode>`.
///
/// [`encode`](Self::encode) checks everything first: when it fails, nothing was written.
pub trait Encode {
    /// Exact number of bytes that the value takes.
    fn encoded_len(&self) -> usize;

    /// Checks that every length fits its field and that the value can be read again as it is.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] or [`EncodeError::Invalid`].
    fn check(&self) -> Result<(), EncodeError>;

    /// Writes a value that [`check`](Self::check) accepts into a buffer that has room for
    /// [`encoded_len`](Self::encoded_len) bytes: the part of [`encode`](Self::encode) that a codec writes.
    fn write(&self, dst: &mut dyn BufMut);

    /// Checks the value and the space, then writes.
    ///
    /// # Errors
    /// As [`check`](Self::check); also [`EncodeError::BufferTooSmall`].
    fn encode(&self, dst: &mut dyn BufMut) -> Result<(), EncodeError> {
        self.check()?;
        let (needed, available) = (self.encoded_len(), dst.remaining_mut());
        if available < needed {
            return Err(EncodeError::BufferTooSmall { needed, available });
        }
        self.write(dst);
        Ok(())
    }

    /// Encodes into a new vector with one allocation.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        self.check()?;
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.write(&mut bytes);
        debug_assert_eq!(bytes.len(), self.encoded_len(), "encoded_len is exact");
        Ok(bytes)
    }
}

const _: Option<&dyn Encode> = None;

/// Implements [`Encode`] for a type whose length only writing tells, by its method `written`, which makes all of the
/// bytes: [`to_vec`](Encode::to_vec) and [`encode`](Encode::encode) call it once.
#[macro_export]
macro_rules! encode_whole {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $crate::Encode for $type {
            fn encoded_len(&self) -> usize {
                self.written().map_or(0, |bytes| bytes.len())
            }

            fn check(&self) -> Result<(), $crate::EncodeError> {
                self.written().map(drop)
            }

            fn write(&self, dst: &mut dyn $crate::export::BufMut) {
                dst.put_slice(&self.written().unwrap_or_default());
            }

            fn encode(&self, dst: &mut dyn $crate::export::BufMut) -> Result<(), $crate::EncodeError> {
                let bytes = self.written()?;
                let (needed, available) = (bytes.len(), dst.remaining_mut());
                if available < needed {
                    return Err($crate::EncodeError::BufferTooSmall { needed, available });
                }
                dst.put_slice(&bytes);
                Ok(())
            }

            fn to_vec(&self) -> Result<$crate::export::Vec<u8>, $crate::EncodeError> {
                self.written()
            }
        }
    };
    ($type:ty) => {
        $crate::encode_whole!([] $type);
    };
}

/// Checks that a length or count is at most `max`.
///
/// # Errors
/// [`EncodeError::TooLarge`].
pub const fn check_len(got: usize, max: usize, at: &'static At) -> Result<(), EncodeError> {
    if got <= max { Ok(()) } else { Err(EncodeError::TooLarge { at, got, max }) }
}

/// Largest value of a `u32` length field, as `usize`.
pub const MAX_U32: usize = 0xFFFF_FFFF;
/// Largest value of a `u16` length field, as `usize`.
pub const MAX_U16: usize = 0xFFFF;

/// A length as `u32`, for use after [`check_len`]; saturates.
#[must_use]
pub fn len_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A length as `u16`, for use after [`check_len`]; saturates.
#[must_use]
pub fn len_u16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
