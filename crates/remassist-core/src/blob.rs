//! Bytes without an inner form.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use zeroize::Zeroize;

/// Bytes that are kept as they came. In JSON a string of lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Blob<'a>(pub Cow<'a, [u8]>);

impl Blob<'_> {
    /// The same bytes, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Blob<'static> {
        Blob(Cow::Owned(self.0.into_owned()))
    }
}

impl Deref for Blob<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Blob<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> From<&'a [u8]> for Blob<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Blob<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }
}

/// Wipes owned bytes; borrowed ones belong to somebody else.
impl Zeroize for Blob<'_> {
    fn zeroize(&mut self) {
        if let Cow::Owned(bytes) = &mut self.0 {
            crate::secret::wipe(bytes);
        }
        self.0 = Cow::Borrowed(&[]);
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        write!(f, "Blob({} bytes: ", self.0.len())?;
        fmt::LowerHex::fmt(&Hex(self.0.get(..SHOWN).unwrap_or(&self.0)), f)?;
        f.write_str(if self.0.len() > SHOWN { "..)" } else { ")" })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Blob<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:x}", Hex(&self.0)))
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Blob<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        from_hex(&text)
            .map(Self::from)
            .ok_or_else(|| serde::de::Error::custom("not an even number of hexadecimal digits"))
    }
}

/// Bytes as hexadecimal digits: `{:x}` for lower, `{:X}` for upper case. The twin of [`from_hex`].
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::UpperHex for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Bytes from hexadecimal digits of either case; `None` when there is anything else or an odd number of them.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    // Without an end in between and without a table, so that many digits are read at a time.
    let digits = text.bytes().fold(true, |all, byte| all & byte.is_ascii_hexdigit());
    digits.then(|| pairs.iter().map(|pair| byte_of(u16::from_le_bytes(*pair))).collect())
}

/// The byte of two hexadecimal digits of either case, the first in the low half.
const fn byte_of(digits: u16) -> u8 {
    // A letter has bit 6, and its low half counts from 1.
    let letters = (digits >> 6) & 0x0101;
    let values = (digits & 0x0F0F).wrapping_add(letters.wrapping_mul(9));
    (values << 4 | values >> 8).to_le_bytes()[0]
}
