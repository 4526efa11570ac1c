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
            bytes.zeroize();
        }
        self.0 = Cow::Borrowed(&[]);
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 32;
        write!(f, "Blob({} bytes: ", self.0.len())?;
        for byte in self.0.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(if self.0.len() > SHOWN { "..)" } else { ")" })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Blob<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Hex<'b>(&'b [u8]);
        impl fmt::Display for Hex<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        serializer.collect_str(&Hex(&self.0))
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

/// Bytes from hexadecimal digits of either case; `None` when there is anything else or an odd number of them.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    // Looked at once, at the end: a test for each digit costs more than reading all of them.
    let mut wrong = 0;
    let bytes = pairs
        .iter()
        .map(|[high, low]| {
            let (high, low) = (digit(*high), digit(*low));
            wrong |= (high | low) & NO_DIGIT;
            high.wrapping_shl(4) | low
        })
        .collect();
    (wrong == 0).then_some(bytes)
}

const NO_DIGIT: u8 = 0xF0;

/// The value of a hexadecimal digit, [`NO_DIGIT`] for anything else.
fn digit(byte: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "every byte is an index below 256")]
    DIGITS[usize::from(byte)]
}

const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut rest: &mut [u8] = &mut digits;
    let mut byte = 0_u8;
    while let Some((digit, more)) = rest.split_first_mut() {
        match byte {
            b'0'..=b'9' => *digit = byte.wrapping_sub(b'0'),
            b'A'..=b'F' => *digit = byte.wrapping_sub(b'A').wrapping_add(10),
            b'a'..=b'f' => *digit = byte.wrapping_sub(b'a').wrapping_add(10),
            _ => {}
        }
        byte = byte.wrapping_add(1);
        rest = more;
    }
    digits
};
