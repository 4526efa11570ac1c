//! MSRA_FP_UPDATE_WRAPPER ([MS-RA] 2.2.7.1): padding behind fast-path updates.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind as Kind, Encode, EncodeError, Format, MAX_U16,
    check_len, len_u16,
};

const WRAPPER: At = At::new("[MS-RA]", "2.2.7.1", "MSRA_FP_UPDATE_WRAPPER", "");
const PAD: At = At::new("[MS-RA]", "2.2.7.1", "MSRA_FP_UPDATE_WRAPPER", "pad");
at! { "[MS-RDPBCGR]":
    HEADER = "2.2.9.1.2.1" "TS_FP_UPDATE" "updateHeader";
    COMPRESSION = "2.2.9.1.2.1" "TS_FP_UPDATE" "compressionFlags";
    SIZE = "2.2.9.1.2.1" "TS_FP_UPDATE" "size";
    DATA = "2.2.9.1.2.1" "TS_FP_UPDATE" "updateData";
}

/// updateHeader of a fast-path update ([MS-RDPBCGR] 2.2.9.1.2.1): 4 bits of type, 2 of fragmentation, 2 of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UpdateHeader(pub u8);

impl UpdateHeader {
    /// The bit that says that compressionFlags is there.
    const COMPRESSED: u8 = 0x80;

    /// FASTPATH_UPDATETYPE_*, 0 to 15.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0 & 0x0F
    }

    /// FASTPATH_FRAGMENT_*: 0 single, 1 last, 2 first, 3 next.
    #[must_use]
    pub const fn fragmentation(self) -> u8 {
        (self.0 & 0x30) >> 4
    }

    /// Whether compressionFlags follows.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.0 & Self::COMPRESSED != 0
    }
}

/// A fast-path update whose size counts padding too: `u8` updateHeader, `u8` compressionFlags when the header says so, `u16`
/// size, then the data of the update and the padding.
///
/// Nothing in it tells where the padding begins: only who knows the inner length of the update can
/// [`split`](Self::split) it. The graphics are none of this crate's business.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UpdateWrapper<'a> {
    /// Type, fragmentation, compression.
    pub header: UpdateHeader,
    /// There exactly when the header says so.
    pub compression_flags: Option<u8>,
    /// updateData, then pad: together at most 65,535 bytes.
    pub content: Blob<'a>,
}

impl<'a> UpdateWrapper<'a> {
    /// Wraps the data of an update with `padding` zero bytes.
    #[must_use]
    pub fn new(header: UpdateHeader, compression_flags: Option<u8>, data: &'a [u8], padding: u16) -> Self {
        let content = if padding == 0 {
            Blob(Cow::Borrowed(data))
        } else {
            let mut content = Vec::from(data);
            content.resize(data.len().saturating_add(padding.into()), 0);
            Blob::from(content)
        };
        Self { header, compression_flags, content }
    }

    /// The data of the update, of `data_len` bytes, and the padding, which means nothing.
    ///
    /// # Errors
    /// When the wrapper holds fewer bytes; the offset counts from the beginning of the content.
    pub fn split(&self, data_len: usize) -> Result<(&[u8], &[u8]), DecodeError> {
        self.content.split_at_checked(data_len).ok_or_else(|| {
            let got = u64::try_from(data_len).unwrap_or(u64::MAX);
            DecodeError::new(0, &PAD, Kind::OutOfBounds { got, max: self.content.len() })
        })
    }

    /// The same wrapper, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> UpdateWrapper<'static> {
        let Self { header, compression_flags, content } = self;
        UpdateWrapper { header, compression_flags, content: content.into_owned() }
    }
}

impl<'a> Decode<'a> for UpdateWrapper<'a> {
    const AT: &'static At = &WRAPPER;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&WRAPPER, |cursor| {
            let start = cursor.offset();
            let header = UpdateHeader(cursor.flags8(&HEADER)?);
            // The other bit of the compression field has no meaning.
            let known = header.0 & 0x40 == 0;
            cursor.must(known, start, &HEADER, Kind::InvalidValue { got: header.0.into() })?;
            let compression_flags =
                if header.is_compressed() { Some(cursor.flags8(&COMPRESSION)?) } else { None };
            let size = cursor.u16(&SIZE)?;
            let content = Blob::from(cursor.take(size.into(), &DATA, Format::Bytes)?);
            Ok(Self { header, compression_flags, content })
        })
    }
}

impl Encode for UpdateWrapper<'_> {
    fn encoded_len(&self) -> usize {
        let header = if self.compression_flags.is_some() { 4 } else { 3 };
        self.content.len().saturating_add(header)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.compression_flags.is_some() != self.header.is_compressed() {
            return Err(EncodeError::Invalid {
                at: &COMPRESSION,
                reason: "it is there when updateHeader says so, and only then",
            });
        }
        check_len(self.content.len(), MAX_U16, &SIZE)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u8(self.header.0);
        if let Some(flags) = self.compression_flags {
            dst.put_u8(flags);
        }
        dst.put_u16_le(len_u16(self.content.len()));
        dst.put_slice(&self.content);
    }
}
