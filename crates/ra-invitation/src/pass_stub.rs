//! PassStub: what the expert encrypts with the password to show that it knows it.

use remassist_core::Secret;
use zeroize::Zeroizing;

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
/// Without the `&` that Windows takes, too: FreeRDP 2 does not read `&amp;` as one, and its proof is wrong then.
const SPECIAL: &[u8] = b"!@#$^*()-+=";
const ANY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*_";

/// What each of the 14 characters is taken from, as in all stubs that Windows is known to have made.
const PATTERN: [&[u8]; 14] =
    [ANY, ANY, SPECIAL, DIGITS, UPPER, LOWER, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY];

/// Random bytes in a row that may be of no use before the source counts as broken: with an honest one that
/// happens once in 10^68 cases.
const PATIENCE: usize = 64;

/// A new PassStub of 14 characters: the third one of `!@#$^*()-+=`, the fourth a digit, the fifth an upper case and
/// the sixth a lower case letter, the others of `A-Z a-z 0-9 * _`; about 76 bits.
///
/// `fill` fills a slice with random bytes, which must come from a source fit for keys. All characters of an alphabet
/// are equally likely. `None` when the source gives 64 bytes in a row that are of no use: then it is not random.
#[must_use]
pub fn generate_pass_stub(mut fill: impl FnMut(&mut [u8])) -> Option<Secret<String>> {
    // Large enough from the beginning, so that no copy is left behind.
    let mut stub = Zeroizing::new(String::with_capacity(PATTERN.len()));
    for alphabet in PATTERN {
        stub.push(draw(alphabet, &mut fill)?);
    }
    Some(Secret::new(core::mem::take(&mut *stub)))
}

/// One character, by rejection: bytes of the last, incomplete round of the alphabet are not used.
fn draw(alphabet: &[u8], fill: &mut impl FnMut(&mut [u8])) -> Option<char> {
    for _ in 0..PATIENCE {
        let mut byte = [0];
        fill(&mut byte);
        let value = usize::from(u8::from_ne_bytes(byte));
        let fair = 256_usize.saturating_sub(256_usize.checked_rem(alphabet.len())?);
        if value < fair {
            return alphabet.get(value.checked_rem(alphabet.len())?).copied().map(char::from);
        }
    }
    None
}

#[cfg(feature = "crypto")]
pub use cipher::{decrypt_pass_stub, encrypt_pass_stub, pass_value, verify_pass_stub};

#[cfg(feature = "crypto")]
mod cipher {
    use std::fmt::Write as _;

    use md5::Digest as _;
    use rc4::{KeyInit as _, Rc4, StreamCipher as _};
    use remassist_core::{Hex, Secret, constant_time_eq, crypto, len_u32, usize_from, utf16};
    use zeroize::Zeroizing;

    /// Encrypts a PassStub, in place: RC4 with MD5 of the UTF-16LE password as key.
    fn apply(password: &str, bytes: &mut [u8]) {
        let key = Zeroizing::new(<[u8; 16]>::from(md5::Md5::digest(&*crypto::secret_utf16(password))));
        if let Ok(mut cipher) = Rc4::new_from_slice(&*key) {
            cipher.apply_keystream(bytes);
        }
    }

    /// Encrypts a PassStub ([MS-RAI] 6 note <17>): RC4 under MD5 of the UTF-16LE password without NUL, over the length
    /// of the stub in bytes (`u32`, low byte first) and its UTF-16LE form.
    ///
    /// MD5 and RC4 are broken, there is no salt and no cost: whoever has the stub and this can try passwords as fast as
    /// the machine goes, and equal passwords give equal key streams. Peers know nothing else.
    #[must_use]
    pub fn encrypt_pass_stub(password: &str, pass_stub: &str) -> Vec<u8> {
        let len = utf16::encoded_len(pass_stub);
        let mut bytes = Vec::with_capacity(len.saturating_add(4));
        bytes.extend_from_slice(&len_u32(len).to_le_bytes());
        utf16::encode_into(pass_stub, &mut bytes);
        apply(password, &mut bytes);
        bytes
    }

    /// The encrypted PassStub in upper-case hexadecimal digits: the PASS of an expertBlob.
    #[must_use]
    pub fn pass_value(password: &str, pass_stub: &str) -> Secret<String> {
        let bytes = encrypt_pass_stub(password, pass_stub);
        let mut text = String::with_capacity(bytes.len().saturating_mul(2));
        let _infallible = write!(text, "{:X}", Hex(&bytes));
        Secret::new(text)
    }

    /// Whether the bytes are the PassStub under the password: what a novice does with the PASS of an expert. The bytes
    /// are compared in constant time.
    #[must_use]
    pub fn verify_pass_stub(password: &str, pass_stub: &str, encrypted: &[u8]) -> bool {
        constant_time_eq(&encrypt_pass_stub(password, pass_stub), encrypted)
    }

    /// The PassStub in the bytes; `None` when the password is wrong or the bytes are damaged.
    #[must_use]
    pub fn decrypt_pass_stub(password: &str, encrypted: &[u8]) -> Option<Secret<String>> {
        let mut bytes = Zeroizing::new(encrypted.to_vec());
        apply(password, &mut bytes);
        let (len, stub) = bytes.split_first_chunk::<4>()?;
        let len = usize_from(u32::from_le_bytes(*len));
        (len == stub.len()).then(|| utf16::decode(stub).ok()).flatten().map(Secret::new)
    }
}
