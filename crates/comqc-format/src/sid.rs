//! Security identifiers.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A well-formed SID ([MS-DTYP] 2.4.2.2): revision 1, at most 15 subauthorities, 8 + 4n bytes.
///
/// Text and JSON are the form of [MS-DTYP] 2.4.2.1, `S-1-5-21-1-2-3-1000`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sid<'a>(Cow<'a, [u8]>);

/// Text that is not a SID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SidError;

impl fmt::Display for SidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a SID of the form S-1-5-21-..")
    }
}

impl core::error::Error for SidError {}

impl<'a> Sid<'a> {
    /// A SID from its wire form; `None` when it is not well-formed.
    #[must_use]
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        let (head, tail) = bytes.split_first_chunk::<8>()?;
        let [1, count @ 0..=15, ..] = *head else { return None };
        (tail.len() == usize::from(count).saturating_mul(4)).then_some(Self(bytes))
    }

    /// The wire form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The authority, a number of 48 bits.
    #[must_use]
    pub fn authority(&self) -> u64 {
        match self.0.first_chunk() {
            Some(&[_, _, a, b, c, d, e, f]) => u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
            None => 0,
        }
    }

    /// The subauthorities; the last is the relative identifier of the account.
    pub fn sub_authorities(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.0.get(8..).unwrap_or_default().as_chunks().0.iter().map(|word| u32::from_le_bytes(*word))
    }

    /// The same SID, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Sid<'static> {
        Sid(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for Sid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.authority() {
            small @ 0..=0xFFFF_FFFF => write!(f, "S-1-{small}")?,
            large => write!(f, "S-1-0x{large:012X}")?,
        }
        self.sub_authorities().try_for_each(|sub| write!(f, "-{sub}"))
    }
}

impl fmt::Debug for Sid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({self})")
    }
}

impl FromStr for Sid<'static> {
    type Err = SidError;

    fn from_str(text: &str) -> Result<Self, SidError> {
        let mut parts = text.strip_prefix("S-1-").ok_or(SidError)?.split('-');
        let authority = parts.next().ok_or(SidError)?;
        let authority = match authority.strip_prefix("0x") {
            Some(hex) => digits(hex, 16)?,
            None => digits(authority, 10)?,
        };
        let subs = parts
            .map(|p| digits(p, 10).and_then(|n| u32::try_from(n).map_err(|_| SidError)))
            .collect::<Result<Vec<_>, _>>()?;
        let [0, 0, authority @ ..] = authority.to_be_bytes() else { return Err(SidError) };
        let mut bytes = Vec::from([1, u8::try_from(subs.len()).map_err(|_| SidError)?]);
        bytes.extend_from_slice(&authority);
        bytes.extend(subs.into_iter().flat_map(u32::to_le_bytes));
        Self::new(bytes).ok_or(SidError)
    }
}

/// A number of digits only: no sign.
fn digits(text: &str, radix: u32) -> Result<u64, SidError> {
    if !text.chars().all(|c| c.is_digit(radix)) {
        return Err(SidError);
    }
    u64::from_str_radix(text, radix).map_err(|_| SidError)
}

#[cfg(feature = "serde")]
impl serde::Serialize for Sid<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Sid<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse::<Sid<'static>>().map_err(serde::de::Error::custom)
    }
}
