//! UTF-16LE text as the protocols carry it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

/// UTF-16LE text as it came: a terminator, an unpaired surrogate, even an odd byte are kept.
///
/// In JSON a string; an array of 16-bit numbers when a surrogate is unpaired; `{"hex": ".."}` when the number of
/// bytes is odd.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Utf16Le<'a>(pub Cow<'a, [u8]>);

impl<'a> Utf16Le<'a> {
    /// Text without a terminator.
    #[must_use]
    pub fn new(text: &str) -> Utf16Le<'static> {
        Utf16Le(Cow::Owned(encode(text)))
    }

    /// Text with a terminating NUL.
    #[must_use]
    pub fn with_nul(text: &str) -> Utf16Le<'static> {
        let mut bytes = Vec::with_capacity(encoded_len(text).saturating_add(2));
        encode_into(text, &mut bytes);
        bytes.extend_from_slice(&[0, 0]);
        Utf16Le(Cow::Owned(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The code units; an odd last byte is left out.
    pub fn units(&self) -> impl DoubleEndedIterator<Item = u16> + ExactSizeIterator + '_ {
        units(&self.0)
    }

    /// The text up to the first NUL.
    #[must_use]
    pub fn before_nul(&self) -> Utf16Le<'_> {
        let len = nul_at(&self.0).unwrap_or(self.0.len());
        Utf16Le(Cow::Borrowed(self.0.get(..len).unwrap_or_default()))
    }

    /// Whether the text ends with its only NUL.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        nul_at(&self.0).is_some_and(|n| n.saturating_add(2) == self.0.len())
    }

    /// All of the text, the terminator too.
    ///
    /// # Errors
    /// [`Utf16Error`] at an unpaired surrogate or an odd last byte.
    pub fn to_text(&self) -> Result<String, Utf16Error> {
        decode(&self.0)
    }

    /// The text up to the first NUL, with U+FFFD where it is not well-formed.
    #[must_use]
    pub fn to_text_lossy(&self) -> String {
        let text = self.before_nul();
        let odd = (!text.0.len().is_multiple_of(2)).then_some(char::REPLACEMENT_CHARACTER);
        char::decode_utf16(text.units())
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .chain(odd)
            .collect()
    }

    /// The same text, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Utf16Le<'static> {
        Utf16Le(Cow::Owned(self.0.into_owned()))
    }
}

/// Compares with text of the same characters and no terminator.
impl PartialEq<str> for Utf16Le<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0.len().is_multiple_of(2) && self.units().eq(other.encode_utf16())
    }
}

impl<'a> From<&'a [u8]> for Utf16Le<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl AsRef<[u8]> for Utf16Le<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Wipes owned bytes; borrowed ones belong to somebody else.
impl Zeroize for Utf16Le<'_> {
    fn zeroize(&mut self) {
        if let Cow::Owned(bytes) = &mut self.0 {
            crate::secret::wipe(bytes);
        }
        self.0 = Cow::Borrowed(&[]);
    }
}

impl fmt::Debug for Utf16Le<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_text() {
            Ok(text) => fmt::Debug::fmt(&text, f),
            Err(_) => write!(f, "Utf16Le({:02x?})", self.0),
        }
    }
}

#[cfg(feature = "serde")]
mod json {
    use super::{Cow, String, Utf16Le, Vec, fmt};
    use crate::blob::Blob;
    use serde::de::{Error, MapAccess, SeqAccess, Visitor};
    use serde::ser::SerializeMap as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    impl Serialize for Utf16Le<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if !self.0.len().is_multiple_of(2) {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("hex", &Blob(Cow::Borrowed(&self.0)))?;
                return map.end();
            }
            match self.to_text() {
                Ok(text) => serializer.serialize_str(&text),
                Err(_) => serializer.collect_seq(self.units()),
            }
        }
    }

    struct Forms;
    impl<'de> Visitor<'de> for Forms {
        type Value = Utf16Le<'static>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string, an array of 16-bit code units, or {\"hex\": \"..\"}")
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Utf16Le::new(text))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut bytes = Vec::new();
            while let Some(unit) = seq.next_element::<u16>()? {
                bytes.extend_from_slice(&unit.to_le_bytes());
            }
            Ok(Utf16Le(Cow::Owned(bytes)))
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            match map.next_entry::<String, Blob<'static>>()? {
                Some((key, bytes)) if key == "hex" => Ok(Utf16Le(bytes.0)),
                _ => Err(Error::custom("expected the key \"hex\"")),
            }
        }
    }

    impl<'de> Deserialize<'de> for Utf16Le<'_> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Forms)
        }
    }
}

/// Where UTF-16 text is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not well-formed UTF-16 at byte {offset}")]
pub struct Utf16Error {
    /// Offset of the unpaired surrogate or of the odd last byte, in bytes.
    pub offset: usize,
}

/// The code units of UTF-16LE bytes; an odd last byte is left out.
pub fn units(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u16> + ExactSizeIterator + '_ {
    bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit))
}

/// Byte offset of the first NUL code unit.
#[must_use]
pub fn nul_at(bytes: &[u8]) -> Option<usize> {
    units(bytes).position(|u| u == 0).map(|n| n.saturating_mul(2))
}

/// Bytes that `text` takes as UTF-16LE.
#[must_use]
pub fn encoded_len(text: &str) -> usize {
    if text.is_ascii() { text.len().saturating_mul(2) } else { text.encode_utf16().count().saturating_mul(2) }
}

/// Text as UTF-16LE bytes.
#[must_use]
pub fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded_len(text));
    encode_into(text, &mut bytes);
    bytes
}

/// Appends text as UTF-16LE bytes.
pub fn encode_into(text: &str, bytes: &mut Vec<u8>) {
    if text.is_ascii() {
        let start = bytes.len();
        bytes.resize(start.saturating_add(text.len().saturating_mul(2)), 0);
        let units = bytes.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>().0;
        for (unit, byte) in units.iter_mut().zip(text.bytes()) {
            *unit = [byte, 0];
        }
    } else {
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    }
}

/// UTF-16LE bytes as text, without looking for a BOM or a terminator.
///
/// The text may be a secret: no copy of it is left behind in memory, also when this fails.
///
/// # Errors
/// [`Utf16Error`] at an unpaired surrogate or an odd last byte.
pub fn decode(bytes: &[u8]) -> Result<String, Utf16Error> {
    // As if all of it were ASCII, many characters at a time; whether it is, is looked at once, at the end.
    let mut seen = 0;
    let low = |unit: u16| {
        seen |= unit;
        unit.to_le_bytes()[0]
    };
    let mut ascii: Vec<u8> = units(bytes).map(low).collect();
    if seen > 0x7F {
        ascii.truncate(units(bytes).take_while(|unit| *unit < 0x80).count());
    }
    let done = ascii.len().saturating_mul(2);
    let text = String::from_utf8(ascii).unwrap_or_default();
    match bytes.get(done..) {
        None | Some([]) => Ok(text),
        Some(rest) => decode_rest(Zeroizing::new(text), rest, done),
    }
}

/// Goes on where ASCII ends, one character at a time.
fn decode_rest(ascii: Zeroizing<String>, rest: &[u8], mut offset: usize) -> Result<String, Utf16Error> {
    // A code unit takes at most three bytes: the text never has to move.
    let room = rest.len().div_euclid(2).saturating_mul(3);
    let mut text = Zeroizing::new(String::with_capacity(ascii.len().saturating_add(room)));
    text.push_str(&ascii);
    for c in char::decode_utf16(units(rest)) {
        let c = c.map_err(|_| Utf16Error { offset })?;
        offset = offset.saturating_add(c.len_utf16().saturating_mul(2));
        text.push(c);
    }
    if rest.len().is_multiple_of(2) { Ok(core::mem::take(&mut text)) } else { Err(Utf16Error { offset }) }
}
