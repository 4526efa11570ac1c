//! BSTR ([MS-OAUT] 2.2.23).

use core::fmt;

use remassist_core::{At, DecodeError, DecodeErrorKind, Format, Utf16Le, usize_from};

use crate::engine::{Ndr, Reader, Writer};

const fn at(field: &'static str) -> At {
    At::new("[MS-OAUT]", "2.2.23.1", "FLAGGED_WORD_BLOB", field)
}
static BLOB: At = at("");
static MAX_COUNT: At = at("max_count");
static BYTES: At = at("cBytes");
static SIZE: At = at("clSize");
static DATA: At = at("asData");

/// cBytes of a null BSTR.
const NULL: u32 = 0xFFFF_FFFF;

/// `FLAGGED_WORD_BLOB`, what a BSTR points to ([MS-OAUT] 2.2.23.1); 12 bytes and the data, always little-endian.
///
/// max_count u32, cBytes u32 (0xFFFFFFFF for a null BSTR), clSize u32 (half of cBytes, rounded up; equal to max_count),
/// clSize 16-bit units. A BSTR as a parameter or field is `Option<Bstr>`: `None` is a null pointer, `Bstr::NULL` the null
/// BSTR of [MS-OAUT] 2.2.23.2, which points to a blob that says so.
///
/// Decoding fails when the three counts contradict each other.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bstr<'a> {
    /// The data, as long as cBytes says; `None` for a null BSTR.
    pub text: Option<Utf16Le<'a>>,
}

impl Bstr<'_> {
    /// The null BSTR, which is not the empty one.
    pub const NULL: Bstr<'static> = Bstr { text: None };

    /// Text, without a terminator.
    #[must_use]
    pub fn new(text: &str) -> Bstr<'static> {
        Bstr { text: Some(Utf16Le::new(text)) }
    }

    /// The same text, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Bstr<'static> {
        Bstr { text: self.text.map(Utf16Le::into_owned) }
    }
}

impl fmt::Debug for Bstr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "Bstr({text:?})"),
            None => f.write_str("Bstr(NULL)"),
        }
    }
}

impl<'a> Ndr<'a> for Bstr<'a> {
    type Head = Self;
    const ALIGN: usize = 4;

    #[inline]
    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(4)?;
        r.little_endian(|r| r.group(&BLOB, Self::blob))
    }

    #[inline]
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        let text = self.text.as_ref().map_or(&[][..], |text| &text.0);
        let len = u32::try_from(text.len()).unwrap_or(NULL);
        w.need(len != NULL, &BYTES, "a BSTR is too long");
        let bytes = if self.text.is_some() { len } else { NULL };
        let units = len.div_ceil(2).to_le_bytes();
        w.align(4);
        w.bytes([units, bytes.to_le_bytes(), units].as_flattened());
        w.bytes(text);
        if text.len() % 2 == 1 {
            w.filler(1);
        }
    }

    #[inline]
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

impl<'a> Bstr<'a> {
    #[inline]
    fn blob(r: &mut Reader<'_, 'a>) -> Result<Self, DecodeError> {
        let (max_count, bytes) = (r.u32(&MAX_COUNT)?, r.u32(&BYTES)?);
        let offset = r.offset();
        let size = r.u32(&SIZE)?;
        let units = if bytes == NULL { 0 } else { bytes.div_ceil(2) };
        for (got, max) in [(size, units), (max_count, size)] {
            if got != max {
                let kind = DecodeErrorKind::OutOfBounds { got: got.into(), max: usize_from(max) };
                return Err(DecodeError::new(offset, &SIZE, kind));
            }
        }
        if bytes == NULL {
            return Ok(Self { text: None });
        }
        let text = r.bytes(usize_from(bytes), &DATA, Format::Utf16Le)?;
        if text.len() % 2 == 1 {
            r.filler(1, &DATA)?;
        }
        Ok(Self { text: Some(text.into()) })
    }
}
