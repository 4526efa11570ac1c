//! Proprietary server certificates: made, read and checked ([MS-RDPBCGR] 2.2.1.4.3.1.1, 5.3.3.1).

use alloc::vec::Vec;
use core::fmt;

use remassist_core::{At, DecodeErrorKind, constant_time_eq};
use zeroize::Zeroizing;

use crate::Error;
use crate::cipher::{RANDOM_LEN, md5};
use crate::rsa::Modulus;
use crate::wire::{Reader, at};

const CERTIFICATE: &str = "PROPRIETARYSERVERCERTIFICATE";
static VERSION: At = at("2.2.1.4.3.1", "SERVER_CERTIFICATE", "dwVersion");
static SIG_ALG: At = at("2.2.1.4.3.1.1", CERTIFICATE, "dwSigAlgId");
static KEY_ALG: At = at("2.2.1.4.3.1.1", CERTIFICATE, "dwKeyAlgId");
static KEY_TYPE: At = at("2.2.1.4.3.1.1", CERTIFICATE, "wPublicKeyBlobType");
static KEY_LEN: At = at("2.2.1.4.3.1.1", CERTIFICATE, "wPublicKeyBlobLen");
static KEY_BLOB: At = at("2.2.1.4.3.1.1", CERTIFICATE, "PublicKeyBlob");
static SIG_TYPE: At = at("2.2.1.4.3.1.1", CERTIFICATE, "wSignatureBlobType");
static SIG_LEN: At = at("2.2.1.4.3.1.1", CERTIFICATE, "wSignatureBlobLen");
static SIG_BLOB: At = at("2.2.1.4.3.1.1", CERTIFICATE, "SignatureBlob");
static MAGIC: At = at("2.2.1.4.3.1.1.1", "RSA_PUBLIC_KEY", "magic");
static MODULUS_LEN: At = at("2.2.1.4.3.1.1.1", "RSA_PUBLIC_KEY", "keylen");
static BIT_LEN: At = at("2.2.1.4.3.1.1.1", "RSA_PUBLIC_KEY", "bitlen");
static DATA_LEN: At = at("2.2.1.4.3.1.1.1", "RSA_PUBLIC_KEY", "datalen");
static EXPONENT: At = at("2.2.1.4.3.1.1.1", "RSA_PUBLIC_KEY", "pubExp");
static MODULUS: At = at("2.2.1.4.3.1.1.1", "RSA_PUBLIC_KEY", "modulus");

/// "RSA1", least significant byte first.
const RSA1: u32 = 0x3141_5352;
/// Zero bytes behind every modulus, signature and encrypted random.
const PADDING: usize = 8;
const BB_RSA_KEY_BLOB: u16 = 6;
const BB_RSA_SIGNATURE_BLOB: u16 = 8;

/// The key that signs the proprietary certificates of everybody ([MS-RDPBCGR] 5.3.3.1.1), least significant byte first.
/// Its private half is public, so a good signature proves nothing about a server.
const SIGNING_MODULUS: [u8; 64] = [
    0x3D, 0x3A, 0x5E, 0xBD, 0x72, 0x43, 0x3E, 0xC9, 0x4D, 0xBB, 0xC1, 0x1E, 0x4A, 0xBA, 0x5F, 0xCB, 0x3E,
    0x88, 0x20, 0x87, 0xEF, 0xF5, 0xC1, 0xE2, 0xD7, 0xB7, 0x6B, 0x9A, 0xF2, 0x52, 0x45, 0x95, 0xCE, 0x63,
    0x65, 0x6B, 0x58, 0x3A, 0xFE, 0xEF, 0x7C, 0xE7, 0xBF, 0xFE, 0x3D, 0xF6, 0x5C, 0x7D, 0x6C, 0x5E, 0x06,
    0x09, 0x1A, 0xF5, 0x61, 0xBB, 0x20, 0x93, 0x09, 0x5F, 0x05, 0x6D, 0xEA, 0x87,
];
const SIGNING_PRIVATE_EXPONENT: [u8; 64] = [
    0x87, 0xA7, 0x19, 0x32, 0xDA, 0x11, 0x87, 0x55, 0x58, 0x00, 0x16, 0x16, 0x25, 0x65, 0x68, 0xF8, 0x24,
    0x3E, 0xE6, 0xFA, 0xE9, 0x67, 0x49, 0x94, 0xCF, 0x92, 0xCC, 0x33, 0x99, 0xE8, 0x08, 0x60, 0x17, 0x9A,
    0x12, 0x9F, 0x24, 0xDD, 0xB1, 0x24, 0x99, 0xC7, 0x3A, 0xB8, 0x0A, 0x7B, 0x0D, 0xDD, 0x35, 0x07, 0x79,
    0x17, 0x0B, 0x51, 0x9B, 0xB3, 0xC7, 0x10, 0x01, 0x13, 0xE7, 0x3F, 0xF3, 0x5F,
];
const SIGNING_EXPONENT: [u8; 4] = [0x5B, 0x7B, 0x88, 0xC0];

/// What is signed: the MD5 hash, a zero, 0xFF, and 1 as the most significant byte.
fn signed(hash: &[u8; 16]) -> [u8; 64] {
    let mut block = [0xFF; 64];
    block.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    let [.., one, zero] = &mut block;
    (*one, *zero) = (1, 0);
    if let Some(zero) = block.get_mut(16) {
        *zero = 0;
    }
    block
}

/// The public key of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    modulus: Modulus,
    exponent: u32,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("bits", &self.modulus.len().saturating_mul(8))
            .field("exponent", &self.exponent)
            .finish()
    }
}

impl PublicKey {
    fn new(modulus_le: &[u8], exponent: u32) -> Result<Self, Error> {
        if exponent < 3 || exponent & 1 == 0 {
            return Err(Error::Key { reason: "its public exponent is even or 1" });
        }
        Ok(Self { modulus: Modulus::new(modulus_le)?, exponent })
    }

    /// The modulus, least significant byte first.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        self.modulus.bytes()
    }

    /// The public exponent.
    #[must_use]
    pub const fn exponent(&self) -> u32 {
        self.exponent
    }

    /// Encrypts a client random for the server: as many bytes as the modulus has and 8 more ([MS-RDPBCGR] 5.3.4.1).
    #[must_use]
    pub fn encrypt(&self, client_random: &[u8; RANDOM_LEN]) -> Vec<u8> {
        let power = self.modulus.power(client_random, &self.exponent.to_le_bytes());
        // A random of 256 bits is below every modulus of 512.
        let mut out = power.map(|bytes| bytes.to_vec()).unwrap_or_default();
        out.resize(self.modulus.len().saturating_add(PADDING), 0);
        out
    }

    /// The PublicKeyBlob: what KH and KH2 of a Remote Assistance invitation are hashes of.
    #[must_use]
    pub fn blob(&self) -> Vec<u8> {
        let len = u32::try_from(self.modulus.len()).unwrap_or(u32::MAX);
        let fields =
            [RSA1, len.saturating_add(8), len.saturating_mul(8), len.saturating_sub(1), self.exponent];
        let mut out: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        out.extend(self.modulus.bytes());
        out.extend([0; PADDING]);
        out
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.expect_u32(RSA1, &MAGIC)?;
        let key_len = reader.u32_le(&MODULUS_LEN)?;
        let Some(len) = key_len.checked_sub(8) else {
            let kind = DecodeErrorKind::InvalidValue { got: key_len.into() };
            return Err(reader.error(&MODULUS_LEN, kind).into());
        };
        let bits = len.checked_mul(8).ok_or_else(|| {
            reader.error(&MODULUS_LEN, DecodeErrorKind::InvalidValue { got: key_len.into() })
        })?;
        reader.expect_u32(bits, &BIT_LEN)?;
        reader.expect_u32(len.saturating_sub(1), &DATA_LEN)?;
        let exponent = reader.u32_le(&EXPONENT)?;
        let modulus = reader.take(remassist_core::usize_from(len), &MODULUS)?;
        reader.expect(&[0; PADDING], &MODULUS)?;
        Self::new(modulus, exponent)
    }
}

/// A proprietary certificate whose signature is good. That proves nothing about who made it: the signing key is printed
/// in the specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    blob: Vec<u8>,
    key: PublicKey,
}

impl ServerCertificate {
    /// Reads a SERVER_CERTIFICATE and checks its signature.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::X509`], [`Error::Key`], [`Error::Signature`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(Reader::new(bytes))
    }

    pub(crate) fn read(mut reader: Reader<'_>) -> Result<Self, Error> {
        let (bytes, start) = (reader.rest(), reader.offset());
        let before = reader.clone();
        // The highest bit tells whether the certificate is temporary.
        match reader.u32_le(&VERSION)? & 0x7FFF_FFFF {
            1 => {}
            2 => return Err(Error::X509),
            got => {
                return Err(before.error(&VERSION, DecodeErrorKind::InvalidValue { got: got.into() }).into());
            }
        }
        reader.expect_u32(1, &SIG_ALG)?;
        reader.expect_u32(1, &KEY_ALG)?;
        reader.expect_u16(BB_RSA_KEY_BLOB, &KEY_TYPE)?;
        let len = reader.u16_le(&KEY_LEN)?;
        let mut blob = reader.sub(len.into(), &KEY_BLOB)?;
        let signed_len = reader.offset().saturating_sub(start);
        let blob_bytes = blob.rest().to_vec();
        let key = PublicKey::read(&mut blob)?;
        blob.finish(&KEY_BLOB)?;
        reader.expect_u16(BB_RSA_SIGNATURE_BLOB, &SIG_TYPE)?;
        let len = reader.u16_le(&SIG_LEN)?;
        let signature = reader.take(len.into(), &SIG_BLOB)?;
        reader.finish(&SIG_BLOB)?;
        let expected = signed(&md5(&[bytes.get(..signed_len).unwrap_or_default()]));
        let found = Modulus::new(&SIGNING_MODULUS)?.power(signature, &SIGNING_EXPONENT);
        match found {
            Some(found) if constant_time_eq(&found, &expected) => Ok(Self { blob: blob_bytes, key }),
            _ => Err(Error::Signature),
        }
    }

    /// The public key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The PublicKeyBlob as it came: what KH and KH2 of a Remote Assistance invitation are hashes of.
    #[must_use]
    pub fn public_key_blob(&self) -> &[u8] {
        &self.blob
    }
}

/// The key pair of a server; the private half is wiped when it is dropped.
#[derive(Clone)]
pub struct ServerKey {
    public: PublicKey,
    /// Least significant byte first.
    private: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl ServerKey {
    /// Takes an RSA key: modulus (512 to 4,096 bits, a multiple of 8), public exponent, private exponent; the numbers with
    /// their most significant byte first, as most libraries give them.
    ///
    /// Windows has keys of 512 or 2,048 bits; not every client takes more than that.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] when the numbers are no RSA key.
    pub fn new(modulus: &[u8], exponent: u32, private_exponent: &[u8]) -> Result<Self, Error> {
        let little_endian = |bytes: &[u8]| -> Vec<u8> {
            let leading = bytes.iter().take_while(|byte| **byte == 0).count();
            bytes.iter().skip(leading).rev().copied().collect()
        };
        let public = PublicKey::new(&little_endian(modulus), exponent)?;
        let private = Zeroizing::new(little_endian(private_exponent));
        if private.len() > public.modulus.len() {
            return Err(Error::Key { reason: "its private exponent is longer than its modulus" });
        }
        let key = Self { public, private };
        let trial = [0x5A; RANDOM_LEN];
        if key.decrypt(&key.public.encrypt(&trial)).is_none_or(|random| *random != trial) {
            return Err(Error::Key { reason: "its private half does not undo its public half" });
        }
        Ok(key)
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The PublicKeyBlob: what KH and KH2 of a Remote Assistance invitation are hashes of.
    #[must_use]
    pub fn public_key_blob(&self) -> Vec<u8> {
        self.public.blob()
    }

    /// The certificate, signed with the key that everybody has ([MS-RDPBCGR] 5.3.3.1.2).
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        let blob = self.public.blob();
        let mut out: Vec<u8> = [1_u32; 3].iter().flat_map(|field| field.to_le_bytes()).collect();
        out.extend(BB_RSA_KEY_BLOB.to_le_bytes());
        out.extend(u16::try_from(blob.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(&blob);
        let block = signed(&md5(&[&out]));
        let modulus = Modulus::new(&SIGNING_MODULUS).ok();
        // The block is below the modulus: its highest byte is zero.
        let signature = modulus.and_then(|modulus| modulus.power(&block, &SIGNING_PRIVATE_EXPONENT));
        let mut signature = signature.map(|bytes| bytes.to_vec()).unwrap_or_default();
        signature.resize(SIGNING_MODULUS.len().saturating_add(PADDING), 0);
        out.extend(BB_RSA_SIGNATURE_BLOB.to_le_bytes());
        out.extend(u16::try_from(signature.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(signature);
        out
    }

    /// Decrypts a client random ([MS-RDPBCGR] 5.3.4.2); `None` when it is not below the modulus.
    ///
    /// What does not fit into 32 bytes is cut off without an error: telling it would help who tries to decrypt a random
    /// that was recorded. The first packet shows that the keys are wrong.
    #[must_use]
    pub fn decrypt(&self, encrypted: &[u8]) -> Option<Zeroizing<[u8; RANDOM_LEN]>> {
        let power = self.public.modulus.power(encrypted, &self.private)?;
        power.first_chunk().map(|random| Zeroizing::new(*random))
    }
}
