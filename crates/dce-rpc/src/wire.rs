//! Numbers of either byte order.

use bytes::BufMut;
use remassist_core::{At, Cursor, DecodeError, Format};
use uuid::Uuid;

pub(crate) const fn c706(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[C706]", section, structure, field)
}

pub(crate) const fn rpce(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-RPCE]", section, structure, field)
}

/// The order of the bytes in numbers, as the first octet of packed_drep tells it (\[C706\] 14.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The lowest byte first.
    Little,
    /// The highest byte first.
    Big,
}

macro_rules! numbers {
    ($($read:ident, $put:ident: $type:ty, $len:literal;)*) => {$(
        #[inline]
        pub(crate) fn $read(self, cursor: &mut Cursor<'_, '_>, at: &'static At) -> Result<$type, DecodeError> {
            match self {
                Self::Little => cursor.$read(at),
                Self::Big => cursor.take($len, at, Format::UintBe).map(|bytes| {
                    <$type>::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default())
                }),
            }
        }

        #[inline]
        pub(crate) fn $put(self, dst: &mut dyn BufMut, value: $type) {
            match self {
                Self::Little => dst.put_slice(&value.to_le_bytes()),
                Self::Big => dst.put_slice(&value.to_be_bytes()),
            }
        }
    )*};
}

impl ByteOrder {
    numbers! {
        u16, put_u16: u16, 2;
        u32, put_u32: u32, 4;
    }

    pub(crate) fn uuid(self, cursor: &mut Cursor<'_, '_>, at: &'static At) -> Result<Uuid, DecodeError> {
        match self {
            Self::Little => cursor.guid(at),
            Self::Big => cursor
                .take(16, at, Format::GuidBe)
                .map(|bytes| Uuid::from_bytes(bytes.first_chunk().copied().unwrap_or_default())),
        }
    }

    pub(crate) fn put_uuid(self, dst: &mut dyn BufMut, value: &Uuid) {
        match self {
            Self::Little => dst.put_slice(&value.to_bytes_le()),
            Self::Big => dst.put_slice(value.as_bytes()),
        }
    }
}

/// Bytes that are read and kept, of a fixed number.
pub(crate) fn filler<const N: usize>(
    cursor: &mut Cursor<'_, '_>,
    at: &'static At,
) -> Result<[u8; N], DecodeError> {
    let bytes = cursor.take(N, at, Format::Filler)?;
    Ok(bytes.first_chunk().copied().unwrap_or([0; N]))
}

/// Bytes from `len` to the next multiple of `align`, which is a power of two.
pub(crate) const fn padding(len: usize, align: usize) -> usize {
    len.wrapping_neg() & align.wrapping_sub(1)
}
