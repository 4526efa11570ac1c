//! BSTR on the wire ([MS-RA] 2.2.1.12 to 2.2.1.15, [MS-DTYP] 2.2.5).

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, DecodeError, DecodeErrorKind as Kind, EncodeError, Format, MAX_U32, Secret, Utf16Le,
    check_len, len_u32, usize_from,
};

use crate::text::ODD;

/// How the data of a BSTR stands in the message. No capture of a Windows peer shows it, so all readings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum BstrForm {
    /// `u32` number of bytes, then the data.
    Counted,
    /// `u32` number of bytes, then the data, then a NUL of two bytes that is not counted: what [MS-DTYP] 2.2.5 draws.
    CountedNul,
    /// The data alone, to the end of the message.
    Plain,
}

impl BstrForm {
    /// The form that bytes have. Plain data that begins like a count is 64 KiB of text or an accident of one in four
    /// thousand million.
    fn of(bytes: &[u8]) -> Self {
        let Some((count, rest)) = bytes.split_first_chunk::<4>() else { return Self::Plain };
        let count = usize_from(u32::from_le_bytes(*count));
        match rest.split_at_checked(count) {
            Some((_, [])) => Self::Counted,
            Some((_, [0, 0])) => Self::CountedNul,
            _ => Self::Plain,
        }
    }

    const fn around(self) -> usize {
        match self {
            Self::Counted => 4,
            Self::CountedNul => 6,
            Self::Plain => 0,
        }
    }
}

/// A BSTR that fills the rest of a message ([MS-DTYP] 2.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bstr<T> {
    /// How it is written.
    pub form: BstrForm,
    /// The data, without count and without a NUL that is not counted.
    pub data: T,
}

/// A BSTR that holds a name as UTF-16LE text.
pub type NameBstr<'a> = Bstr<Utf16Le<'a>>;
/// A BSTR that holds cipher text or a token.
pub type SecretBstr<'a> = Bstr<Secret<Blob<'a>>>;

/// The places of a BSTR and of its parts.
pub(crate) struct Fields {
    pub(crate) data: At,
    pub(crate) count: At,
    pub(crate) nul: At,
    /// The form that the suite writes; the others are deviations.
    pub(crate) form: BstrForm,
}

impl<'a> NameBstr<'a> {
    /// A name, written as byte count and text without NUL.
    #[must_use]
    pub fn new(name: &str) -> NameBstr<'static> {
        Bstr { form: BstrForm::Counted, data: Utf16Le::new(name) }
    }

    /// The name up to a NUL, with U+FFFD where it is not well-formed.
    #[must_use]
    pub fn name(&self) -> alloc::string::String {
        self.data.to_text_lossy()
    }

    /// The same BSTR, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> NameBstr<'static> {
        Bstr { form: self.form, data: self.data.into_owned() }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>, at: &'static Fields) -> Result<Self, DecodeError> {
        let (form, data) = parse(cursor, at, Format::Utf16Le, false)?;
        if !data.len().is_multiple_of(2) {
            let offset = cursor.offset().saturating_sub(data.len());
            return Err(DecodeError::new(offset, &at.data, Kind::Rule(ODD)));
        }
        Ok(Self { form, data: Utf16Le::from(data) })
    }
}

impl<'a> SecretBstr<'a> {
    /// Bytes in the form given.
    #[must_use]
    pub fn new(form: BstrForm, data: impl Into<Blob<'a>>) -> Self {
        Self { form, data: Secret::new(data.into()) }
    }

    /// The session token: 20 bytes, or 40 hexadecimal digits in UTF-16LE with or without NUL ([MS-RA] 2.2.1.15).
    #[must_use]
    pub fn token(&self) -> Option<Secret<[u8; 20]>> {
        let data: &[u8] = self.data.expose();
        if let Ok(token) = <[u8; 20]>::try_from(data) {
            return Some(Secret::new(token));
        }
        let digits = data.strip_suffix(&[0, 0]).unwrap_or(data);
        let (digits, []) = digits.as_chunks::<4>() else { return None };
        if digits.len() != 20 {
            return None;
        }
        let mut token = zeroize::Zeroizing::new([0; 20]);
        for (byte, digits) in token.iter_mut().zip(digits) {
            let &[high, 0, low, 0] = digits else { return None };
            let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = digit(high)?.checked_shl(4)? | digit(low)?;
        }
        Some(Secret::new(*token))
    }

    /// The same BSTR, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecretBstr<'static> {
        Bstr { form: self.form, data: self.data.map(|d| d.clone().into_owned()) }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>, at: &'static Fields) -> Result<Self, DecodeError> {
        let (form, data) = parse(cursor, at, Format::Bytes, true)?;
        Ok(Self { form, data: Secret::new(Blob::from(data)) })
    }
}

fn parse<'a>(
    cursor: &mut Cursor<'_, 'a>,
    at: &'static Fields,
    format: Format,
    secret: bool,
) -> Result<(BstrForm, &'a [u8]), DecodeError> {
    let form = BstrForm::of(cursor.rest());
    cursor.must(
        form == at.form,
        cursor.offset(),
        &at.data,
        Kind::Rule("the BSTR is written in another form than expected"),
    )?;
    let len = match form {
        BstrForm::Plain => cursor.remaining(),
        BstrForm::Counted | BstrForm::CountedNul => usize_from(cursor.u32(&at.count)?),
    };
    let data = cursor.take(len, &at.data, format)?;
    if secret && len > 0 {
        cursor.context().secret();
    }
    if form == BstrForm::CountedNul {
        cursor.take(2, &at.nul, Format::Filler)?;
    }
    Ok((form, data))
}

macro_rules! encoding {
    ($type:ident, $text:literal, $bytes:expr) => {
        impl $type<'_> {
            fn bytes(&self) -> &[u8] {
                let bytes: fn(&Self) -> &[u8] = $bytes;
                bytes(self)
            }

            pub(crate) fn encoded_len(&self) -> usize {
                self.bytes().len().saturating_add(self.form.around())
            }

            pub(crate) fn check(&self, at: &'static Fields) -> Result<(), EncodeError> {
                let data = self.bytes();
                check_len(data.len(), MAX_U32, &at.data)?;
                if $text && !data.len().is_multiple_of(2) {
                    return Err(EncodeError::Invalid { at: &at.data, reason: ODD });
                }
                if self.form == BstrForm::Plain && BstrForm::of(data) != BstrForm::Plain {
                    return Err(EncodeError::Invalid {
                        at: &at.data,
                        reason: "plain data would be read as counted data",
                    });
                }
                Ok(())
            }

            pub(crate) fn write(&self, dst: &mut dyn BufMut) {
                let data = self.bytes();
                if self.form != BstrForm::Plain {
                    dst.put_u32_le(len_u32(data.len()));
                }
                dst.put_slice(data);
                if self.form == BstrForm::CountedNul {
                    dst.put_u16_le(0);
                }
            }
        }
    };
}

encoding!(NameBstr, true, |bstr| bstr.data.as_bytes());
encoding!(SecretBstr, false, |bstr| bstr.data.expose());
