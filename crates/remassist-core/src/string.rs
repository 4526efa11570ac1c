//! Text that can be wiped.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::ops::Deref;

use zeroize::Zeroize;

/// Text that is kept as it came, borrowed or owned: what [`Blob`](crate::Blob) is for bytes. As `Secret<Text>` it is a
/// secret that needs no copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text without blanks and line breaks: base64 and hexadecimal digits that a file breaks over lines.
    #[must_use]
    pub fn without_blanks(text: &'a str) -> Self {
        if !Self::has_blanks(text) {
            return Self(Cow::Borrowed(text));
        }
        // Room for all of it, so that no copy is left behind.
        let mut kept = String::with_capacity(text.len());
        kept.extend(text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')));
        Self(Cow::Owned(kept))
    }

    /// Whether there are blanks or line breaks in a text.
    #[must_use]
    pub fn has_blanks(text: &str) -> bool {
        // Without an end in between, so that many bytes are looked at at a time.
        text.bytes().fold(false, |found, b| found | matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    }

    /// The same text, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// Wipes owned text; borrowed text belongs to somebody else.
impl Zeroize for Text<'_> {
    fn zeroize(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            crate::secret::wipe_text(text);
        }
        self.0 = Cow::Borrowed("");
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
