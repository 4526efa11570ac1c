//! The cryptography of Easy Connect ([MS-RAIOP]), without the Peer Name Resolution Protocol.
//!
//! **Do not use it for anything else.** It is here because peers know nothing better. SHA-1 and a password of six
//! characters (29^6, under 30 bits) with a clock for salt are weak; nothing authenticates the cipher text; and the key of
//! the payload is made of the very text that is published as the unsecured peer name, so that whoever sees the name can
//! read the payload ([MS-RAIOP] 3.1.5.2 steps 7 to 9, 3.1.5.3 step 8). What then still needs the password is the session
//! token ([`session_token`](crate::session_token)).
//!
//! ```
//! use ra_channel::easy_connect::{PeerKey, password};
//!
//! // [MS-RAIOP] 4.1
//! let password = password("SAMPLE");
//! assert_eq!(password.expose(), "F8JKRV");
//! let key = PeerKey::derive(password.expose(), 1_218_745_079 / 3600);
//! let payload = key.encrypt("SAMPLE");
//! assert_eq!(payload[..4], [0x7f, 0xd6, 0x54, 0x48]);
//! assert_eq!(key.decrypt(&payload).unwrap().expose(), "SAMPLE");
//! ```

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remassist_core::Secret;
use remassist_core::crypto::{crypt_derive_key_128, iterated_sha1, secret_utf16, sha1};
use remassist_core::utf16;
use zeroize::Zeroizing;

use crate::token::concatenated;

/// Characters of a derived password ([MS-RAIOP] 3.1.5.1).
pub const ALLOWED_CHARACTERS: &[u8; 29] = b"BCDFGHJKLMNPQRSTVWXYZ23456789";

/// How much of the connection string goes into the password, in bytes ([MS-RAIOP] 3.1.5.1).
const PASSWORD_INPUT: usize = 8000;
const BLOCK: usize = 16;
/// [MS-RAIOP] says nothing of an initialization vector; the example of 4.1 has zeros.
const IV: [u8; BLOCK] = [0; BLOCK];

/// Why a payload could not be read.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The cipher text is empty or no multiple of 16 bytes.
    #[error("{len} bytes of cipher text are not one or more blocks of 16")]
    NotBlocks {
        /// Its length.
        len: usize,
    },
    /// What comes out is no padded UTF-16 text: the password or the hour is wrong, or the payload is damaged.
    #[error("wrong password or hour, or a damaged payload")]
    WrongPassword,
    /// What comes out is no padded UTF-16 text: the key that was unwrapped is wrong, or the payload is damaged.
    #[error("wrong key, or a damaged payload")]
    WrongKey,
    /// The FriendlyName is no decimal length within the payload.
    #[error("the FriendlyName is not the length of an exported key inside the payload")]
    FriendlyName,
    /// The exported key is no base64 text in UTF-16LE.
    #[error("the exported key is not base64 text")]
    ExportedKey,
}

/// The password that stands for a connection string, six characters of [`ALLOWED_CHARACTERS`] ([MS-RAIOP] 3.1.5.1).
/// 100,000 rounds of SHA-1 over the first 8,000 bytes.
#[must_use]
pub fn password(connection_string: &str) -> Secret<String> {
    let base = secret_utf16(connection_string);
    let hash = iterated_sha1(base.get(..PASSWORD_INPUT).unwrap_or(&base));
    let mut password = String::with_capacity(6);
    for byte in hash.iter().take(6) {
        // Floor of byte / 256 * 29: below 29 for every byte.
        let index = usize::from(*byte).saturating_mul(ALLOWED_CHARACTERS.len()).div_euclid(256);
        password.extend(ALLOWED_CHARACTERS.get(index).map(|c| char::from(*c)));
    }
    Secret::new(password)
}

/// Whole hours since 1970 (UTC), of seconds since 1970.
#[must_use]
pub const fn hours(seconds: u64) -> u64 {
    seconds.div_euclid(3600)
}

/// The hours under which a consumer looks for a peer name, in the order to try them ([MS-RAIOP] 3.2.5.2): now, one hour
/// ago, in one hour.
#[must_use]
pub const fn candidate_hours(now: u64) -> [u64; 3] {
    [now, now.saturating_sub(1), now.saturating_add(1)]
}

/// What password and hour make: the unsecured peer name and the key of its payload ([MS-RAIOP] 3.1.5.2, 3.1.5.3, 3.2.5.1).
#[derive(Clone)]
pub struct PeerKey {
    /// HexConvertedUnicodeString: 32 upper-case hexadecimal digits.
    key_string: Zeroizing<String>,
}

impl PeerKey {
    /// Derives both with 100,000 rounds of SHA-1 over the password and the decimal hours since 1970.
    #[must_use]
    pub fn derive(password: &str, hours: u64) -> Self {
        let hash = iterated_sha1(&concatenated([password, &hours.to_string()]));
        let digits = hash.iter().take(16).flat_map(|byte| [byte >> 4, byte & 0x0F]);
        let mut key_string = Zeroizing::new(String::with_capacity(32));
        key_string
            .extend(digits.filter_map(|d| char::from_digit(d.into(), 16)).map(|c| c.to_ascii_uppercase()));
        Self { key_string }
    }

    /// `0.` and the classifier ([MS-RAIOP] 4.2). It is published, and gives the payload away; see the module.
    #[must_use]
    pub fn peer_name(&self) -> String {
        alloc::format!("0.{}", self.classifier())
    }

    /// The classifier of the unsecured peer name, whose authority is `0`.
    #[must_use]
    pub fn classifier(&self) -> &str {
        &self.key_string
    }

    /// The payload of the peer name: AES-128-CBC with PKCS#7 padding of the UTF-16LE text without NUL
    /// ([MS-RAIOP] 3.1.5.2).
    #[must_use]
    pub fn encrypt(&self, connection_string: &str) -> Vec<u8> {
        encrypt_128(&self.cipher_key(), connection_string)
    }

    /// The connection string of a payload ([MS-RAIOP] 3.2.5.3), without the NUL that it may end with.
    ///
    /// # Errors
    /// [`PayloadError::NotBlocks`], [`PayloadError::WrongPassword`]. Nothing authenticates the payload: that a wrong password
    /// is noticed is only very likely.
    pub fn decrypt(&self, payload: &[u8]) -> Result<Secret<String>, PayloadError> {
        let text = decrypt_128(&self.cipher_key(), payload)?;
        text.ok_or(PayloadError::WrongPassword)
    }

    fn cipher_key(&self) -> Zeroizing<[u8; 16]> {
        crypt_derive_key_128(&Zeroizing::new(sha1(&secret_utf16(&self.key_string))))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerKey(..)")
    }
}

/// What is registered under a secure peer name ([MS-RAIOP] 3.3.5.1, 3.3.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurePayload {
    /// The exported key, base64 in UTF-16LE, then the encrypted connection string.
    pub payload: Vec<u8>,
    /// The length of the exported key in bytes, in decimal.
    pub friendly_name: String,
}

impl SecurePayload {
    /// Encrypts a connection string with AES-256-CBC under a random `key` of the caller, which `wrap` encrypts with the RSA
    /// public key of the consumer ([MS-RAIOP] 3.3.5.1).
    ///
    /// RSA is left to the caller because the specification does not tell its padding, or in which order the bytes of the
    /// result stand. Zero initialization vector and PKCS#7 padding are the reading of this crate, as for unsecured peer names.
    ///
    /// # Errors
    /// Those of `wrap`.
    pub fn seal<E>(
        connection_string: &str,
        key: &Secret<[u8; 32]>,
        wrap: impl FnOnce(&[u8; 32]) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let exported = STANDARD.encode(wrap(key.expose())?);
        let mut payload = utf16::encode(&exported);
        let friendly_name = payload.len().to_string();
        payload.append(&mut encrypt_256(key.expose(), connection_string));
        Ok(Self { payload, friendly_name })
    }

    /// The connection string; `unwrap` decrypts the key with the RSA private key of the consumer ([MS-RAIOP] 3.4.5.2).
    /// Blanks, line breaks and NULs in the base64 text do not matter.
    ///
    /// # Errors
    /// Those of `unwrap`; a [`PayloadError`] when the payload does not have the form, or the key does not fit.
    pub fn open<E: From<PayloadError>>(
        &self,
        unwrap: impl FnOnce(&[u8]) -> Result<Secret<[u8; 32]>, E>,
    ) -> Result<Secret<String>, E> {
        let (wrapped, data) = self.parts()?;
        let key = unwrap(&wrapped)?;
        let text = decrypt_256(key.expose(), data)?;
        text.ok_or_else(|| PayloadError::WrongKey.into())
    }

    /// The encrypted key and the encrypted connection string ([MS-RAIOP] 3.4.5.2 step 1).
    ///
    /// # Errors
    /// [`PayloadError::FriendlyName`], [`PayloadError::ExportedKey`].
    pub fn parts(&self) -> Result<(Vec<u8>, &[u8]), PayloadError> {
        let digits = self.friendly_name.trim_end_matches('\0');
        let len = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        let (exported, data) =
            len.and_then(|len| self.payload.split_at_checked(len)).ok_or(PayloadError::FriendlyName)?;
        let text = utf16::decode(exported).map_err(|_| PayloadError::ExportedKey)?;
        let text: String = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n' | '\0')).collect();
        let wrapped = STANDARD.decode(text).map_err(|_| PayloadError::ExportedKey)?;
        Ok((wrapped, data))
    }
}

macro_rules! cbc {
    ($cipher:ty, $key:literal, $encrypt:ident, $decrypt:ident) => {
        fn $encrypt(key: &[u8; $key], text: &str) -> Vec<u8> {
            cbc::Encryptor::<$cipher>::new(key.into(), (&IV).into())
                .encrypt_padded_vec::<Pkcs7>(&secret_utf16(text))
        }

        /// `None` when what comes out is no padded text.
        fn $decrypt(key: &[u8; $key], data: &[u8]) -> Result<Option<Secret<String>>, PayloadError> {
            if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
                return Err(PayloadError::NotBlocks { len: data.len() });
            }
            let mut plain = Zeroizing::new(data.to_vec());
            let text = cbc::Decryptor::<$cipher>::new(key.into(), (&IV).into())
                .decrypt_padded::<Pkcs7>(&mut plain)
                .ok()
                .and_then(|bytes| utf16::decode(bytes.strip_suffix(&[0, 0]).unwrap_or(bytes)).ok());
            Ok(text.map(Secret::new))
        }
    };
}

cbc!(aes::Aes128, 16, encrypt_128, decrypt_128);
cbc!(aes::Aes256, 32, encrypt_256, decrypt_256);
