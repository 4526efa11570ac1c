//! Texts that hold a ticket: connection strings.

use alloc::borrow::Cow;

use ndr_oaut::{Bstr, Ndr, Reader, WideString, Writer};
use remassist_core::{At, DecodeError, Secret, Utf16Le};

use super::macros::own_borrowed;

fn own(text: &Utf16Le<'_>) -> Utf16Le<'static> {
    text.clone().into_owned()
}

fn lent<'a>(text: &'a Secret<Utf16Le<'_>>) -> Utf16Le<'a> {
    Utf16Le(Cow::Borrowed(text.expose().as_bytes()))
}

/// What a BSTR that holds a connection string points to: as [`Bstr`], and secret, since the string holds a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecretBstr<'a> {
    /// The text; `None` for a null BSTR.
    pub text: Option<Secret<Utf16Le<'a>>>,
}

impl SecretBstr<'_> {
    /// The null BSTR.
    pub const NULL: SecretBstr<'static> = SecretBstr { text: None };

    /// Text, without a terminator.
    #[must_use]
    pub fn new(text: &str) -> SecretBstr<'static> {
        SecretBstr { text: Some(Secret::new(Utf16Le::new(text))) }
    }

    /// The same text, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecretBstr<'static> {
        SecretBstr { text: self.text.map(|text| text.map(own)) }
    }
}
own_borrowed!(SecretBstr);

impl<'a> Ndr<'a> for SecretBstr<'a> {
    type Head = Self;
    const ALIGN: usize = <Bstr<'a> as Ndr<'a>>::ALIGN;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let bstr = r.secretly(|r| Bstr::head(r, at))?;
        Ok(Self { text: bstr.text.map(Secret::new) })
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        Bstr { text: self.text.as_ref().map(lent) }.put_head(w, at);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// What a wide string that holds a connection string points to: as [`WideString`], and secret, since the string holds a
/// ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecretWideString<'a>(pub Secret<Utf16Le<'a>>);

impl SecretWideString<'_> {
    /// Text, to which a terminator is added.
    #[must_use]
    pub fn new(text: &str) -> SecretWideString<'static> {
        SecretWideString(Secret::new(Utf16Le::with_nul(text)))
    }

    /// The same text, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecretWideString<'static> {
        SecretWideString(self.0.map(own))
    }
}
own_borrowed!(SecretWideString);

impl<'a> Ndr<'a> for SecretWideString<'a> {
    type Head = Self;
    const ALIGN: usize = <WideString<'a> as Ndr<'a>>::ALIGN;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        r.secretly(|r| WideString::head(r, at)).map(|text| Self(Secret::new(text.0)))
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        WideString(lent(&self.0)).put_head(w, at);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}
