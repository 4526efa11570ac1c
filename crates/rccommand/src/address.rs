//! ADDRESS of a contact: the peer name that belongs to its public key.

use std::fmt;

use pkcs1::UintRef;
use pkcs1::der::Encode as _;
use remassist_core::Hex;
use sha1::Digest as _;

/// What stands behind the authority in the ADDRESS of a contact ([MS-RA] 3.14.5).
pub const CONTACT_CLASSIFIER: &str = "RAContact";

/// `PUBLICKEYSTRUC` and `RSAPUBKEY` of a public key, up to the length of the modulus.
const HEADER: [u8; 12] = [6, 2, 0, 0, 0, 0xA4, 0, 0, b'R', b'S', b'A', b'1'];

/// An RSA public key, as PUBLICKEY of a contact carries it in base64 ([MS-RA] 2.2.5).
///
/// The bytes are a public key BLOB of CryptoAPI: 12 fixed bytes (type 6, version 2, algorithm 0xA400, `RSA1`), length
/// of the modulus in bits, exponent (each a little-endian `u32`), modulus (low byte first).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RsaPublicKey {
    /// Public exponent.
    pub exponent: u32,
    /// Modulus, high byte first, without leading zeros.
    pub modulus: Vec<u8>,
}

/// The bytes are not an RSA public key.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// The fixed bytes at the beginning differ, or the lengths do not agree.
    Malformed,
    /// The modulus is zero or longer than 16,384 bits.
    Size,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a public key BLOB of an RSA key",
            Self::Size => "an RSA key of this size cannot be handled",
        })
    }
}

impl std::error::Error for KeyError {}

impl RsaPublicKey {
    const MAX_BYTES: usize = 2048;

    /// Reads a public key BLOB.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let rest = blob.strip_prefix(&HEADER).ok_or(KeyError::Malformed)?;
        let (bits, rest) = rest.split_first_chunk::<4>().ok_or(KeyError::Malformed)?;
        let (exponent, modulus) = rest.split_first_chunk::<4>().ok_or(KeyError::Malformed)?;
        let bytes = usize::try_from(u32::from_le_bytes(*bits)).unwrap_or(usize::MAX).div_ceil(8);
        if bytes != modulus.len() {
            return Err(KeyError::Malformed);
        }
        let modulus: Vec<u8> = modulus.iter().rev().copied().skip_while(|b| *b == 0).collect();
        if modulus.is_empty() || modulus.len() > Self::MAX_BYTES {
            return Err(KeyError::Size);
        }
        Ok(Self { exponent: u32::from_le_bytes(*exponent), modulus })
    }

    /// Writes a public key BLOB.
    ///
    /// # Errors
    /// [`KeyError::Size`].
    pub fn to_blob(&self) -> Result<Vec<u8>, KeyError> {
        if self.modulus.is_empty() || self.modulus.len() > Self::MAX_BYTES {
            return Err(KeyError::Size);
        }
        let bits = u32::try_from(self.modulus.len().saturating_mul(8)).map_err(|_| KeyError::Size)?;
        let mut blob = HEADER.to_vec();
        blob.extend_from_slice(&bits.to_le_bytes());
        blob.extend_from_slice(&self.exponent.to_le_bytes());
        blob.extend(self.modulus.iter().rev());
        Ok(blob)
    }

    /// The authority of the key's secure peer names: SHA-1 over the DER of `RSAPublicKey` (PKCS #1). No
    /// specification at hand says so in bytes; it is what the sample of [MS-RA] 2.2.5 was made with.
    ///
    /// # Errors
    /// [`KeyError::Size`].
    pub fn authority(&self) -> Result<[u8; 20], KeyError> {
        let exponent = self.exponent.to_be_bytes();
        let key = pkcs1::RsaPublicKey {
            modulus: UintRef::new(&self.modulus).map_err(|_| KeyError::Size)?,
            public_exponent: UintRef::new(&exponent).map_err(|_| KeyError::Size)?,
        };
        Ok(sha1::Sha1::digest(key.to_der().map_err(|_| KeyError::Size)?).into())
    }
}

/// The ADDRESS of the contact who holds a key: 40 hexadecimal digits, a point, [`CONTACT_CLASSIFIER`].
///
/// # Errors
/// [`KeyError::Size`].
pub fn peer_name(key: &RsaPublicKey) -> Result<String, KeyError> {
    Ok(format!("{:x}.{CONTACT_CLASSIFIER}", Hex(&key.authority()?)))
}
