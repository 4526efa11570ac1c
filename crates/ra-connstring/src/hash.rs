//! KH and KH2: what the expert knows of the novice's key before it connects.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remassist_core::{Text, constant_time_eq};
use sha1::Digest as _;

/// The hash function of a KH or KH2.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HashAlgorithm<'a> {
    /// SHA-1, 20 bytes: the only one of KH. It is weak, but a second key of the same hash is still out of reach.
    Sha1,
    /// `sha256`, 32 bytes.
    Sha256,
    /// `sha384`, 48 bytes.
    Sha384,
    /// `sha512`, 64 bytes.
    Sha512,
    /// One that the specification does not name.
    Unknown {
        /// What stands before the colon.
        name: Cow<'a, str>,
    },
}

/// The algorithms of KH2.
static KH2: [HashAlgorithm<'static>; 3] =
    [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

impl<'a> HashAlgorithm<'a> {
    /// The algorithm of a name in KH2, in either case.
    #[must_use]
    pub fn parse(name: &'a str) -> Self {
        let found = KH2.iter().find(|a| a.name().eq_ignore_ascii_case(name));
        found.cloned().unwrap_or(Self::Unknown { name: Cow::Borrowed(name) })
    }

    /// The name as KH2 has it; `sha1` for the one of KH.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Unknown { name } => name,
        }
    }

    fn digest(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Sha1 => Some(sha1::Sha1::digest(bytes).to_vec()),
            Self::Sha256 => Some(sha2::Sha256::digest(bytes).to_vec()),
            Self::Sha384 => Some(sha2::Sha384::digest(bytes).to_vec()),
            Self::Sha512 => Some(sha2::Sha512::digest(bytes).to_vec()),
            Self::Unknown { .. } => None,
        }
    }

    const fn digest_len(&self) -> Option<usize> {
        match self {
            Self::Sha1 => Some(20),
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Sha512 => Some(64),
            Self::Unknown { .. } => None,
        }
    }
}

/// The hash of a server's PublicKeyBlob ([MS-RAI] 2.2.2): the value of KH, or of KH2.
///
/// The PublicKeyBlob is the field of that name in the server certificate of TS_UD_SC_SEC1 ([MS-RDPBCGR]
/// 2.2.1.4.3.1.1.1), wPublicKeyBlobLen bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyHash<'a> {
    /// The hash function.
    pub algorithm: HashAlgorithm<'a>,
    /// The hash in base64.
    pub digest: Text<'a>,
}

impl<'a> KeyHash<'a> {
    /// Reads a KH: base64 of a SHA-1 hash.
    #[must_use]
    pub fn parse_kh(value: &'a str) -> Self {
        Self { algorithm: HashAlgorithm::Sha1, digest: Text::without_blanks(value) }
    }

    /// Reads a KH2: name of the algorithm, a colon, base64 of the hash. Without a colon the algorithm is unknown.
    #[must_use]
    pub fn parse_kh2(value: &'a str) -> Self {
        let (name, digest) = value.split_once(':').unwrap_or(("", value));
        Self { algorithm: HashAlgorithm::parse(name.trim()), digest: Text::without_blanks(digest) }
    }

    /// The KH of a PublicKeyBlob.
    #[must_use]
    pub fn compute_sha1(public_key_blob: &[u8]) -> Self {
        let digest = sha1::Sha1::digest(public_key_blob);
        Self { algorithm: HashAlgorithm::Sha1, digest: STANDARD.encode(digest).into() }
    }

    /// The hash of a PublicKeyBlob; `None` when the algorithm is unknown.
    #[must_use]
    pub fn compute(algorithm: HashAlgorithm<'a>, public_key_blob: &[u8]) -> Option<Self> {
        let digest = algorithm.digest(public_key_blob)?;
        Some(Self { algorithm, digest: STANDARD.encode(digest).into() })
    }

    /// Whether this is the hash of a PublicKeyBlob, compared in constant time. A hash that is no base64 or of the
    /// wrong length is a mismatch.
    pub fn verify(&self, public_key_blob: &[u8]) -> KeyVerdict {
        let Some(computed) = self.algorithm.digest(public_key_blob) else {
            return KeyVerdict::UnknownAlgorithm;
        };
        match STANDARD.decode(self.digest.as_bytes()) {
            Ok(expected) if constant_time_eq(&expected, &computed) => KeyVerdict::Match,
            _ => KeyVerdict::Mismatch,
        }
    }

    /// Whether the value of a KH has the form that the specification asks for.
    pub(crate) fn is_kh(value: &str) -> bool {
        is_digest(value, &HashAlgorithm::Sha1)
    }

    /// Whether the value of a KH2 has the form that the specification asks for.
    pub(crate) fn is_kh2(value: &str) -> bool {
        KH2.iter().any(|algorithm| {
            let digest = value.strip_prefix(algorithm.name()).and_then(|rest| rest.strip_prefix(':'));
            digest.is_some_and(|digest| is_digest(digest, algorithm))
        })
    }

    /// The same hash, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> KeyHash<'static> {
        let algorithm = match self.algorithm {
            HashAlgorithm::Sha1 => HashAlgorithm::Sha1,
            HashAlgorithm::Sha256 => HashAlgorithm::Sha256,
            HashAlgorithm::Sha384 => HashAlgorithm::Sha384,
            HashAlgorithm::Sha512 => HashAlgorithm::Sha512,
            HashAlgorithm::Unknown { name } => HashAlgorithm::Unknown { name: name.into_owned().into() },
        };
        KeyHash { algorithm, digest: self.digest.into_owned() }
    }
}

/// The value of the attribute: base64 alone for SHA-1 (KH), algorithm and colon before it for the others (KH2).
impl fmt::Display for KeyHash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.algorithm != HashAlgorithm::Sha1 {
            write!(f, "{}:", self.algorithm.name())?;
        }
        f.write_str(&self.digest)
    }
}

/// What became of comparing a server's key with a connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[must_use]
pub enum KeyVerdict {
    /// The key is the one that the connection string tells of.
    Match,
    /// The key is another one, or the hash is damaged: do not go on.
    Mismatch,
    /// The connection string has no hash.
    Absent,
    /// The hash was made with an algorithm that is not known: nothing is proved.
    UnknownAlgorithm,
}

/// Whether the text is base64 of as many bytes as the algorithm gives, with padding and no bits left over: told without
/// decoding it.
fn is_digest(text: &str, algorithm: &HashAlgorithm<'_>) -> bool {
    let Some(len) = algorithm.digest_len() else { return false };
    let characters = len.div_ceil(3).saturating_mul(4);
    let padding = len.div_ceil(3).saturating_mul(3).saturating_sub(len);
    let (unused_bits, end) = match padding {
        0 => (0, ""),
        1 => (0b0011, "="),
        _ => (0b1111, "=="),
    };
    let Some(digits) = text.strip_suffix(end).filter(|_| text.len() == characters) else { return false };
    let value = |byte: u8| DIGITS.get(usize::from(byte)).copied().unwrap_or(u8::MAX);
    // Without an end in between: a test for each digit costs more than reading all of them.
    let all = digits.bytes().fold(0, |all, byte| all | value(byte));
    let last = digits.bytes().next_back().map_or(0, value);
    all <= 63 && last & unused_bits == 0
}

/// The value of each digit of base64; above 63 for other bytes.
#[expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "evaluated when compiling: it cannot fail later"
)]
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0_u8;
    while value < 64 {
        digits[alphabet[value as usize] as usize] = value;
        value = value.wrapping_add(1);
    }
    digits
};
