//! The session authorization token ([MS-RA] 2.2.4).

use alloc::vec::Vec;

use remassist_core::Secret;
use remassist_core::crypto::iterated_sha1;
use remassist_core::utf16;
use zeroize::Zeroizing;

use crate::Role;

/// The token by which `role` shows that it knows password and connection string, version 3 only ([MS-RA] 2.2.4).
///
/// 100,000 rounds of SHA-1 over the UTF-16LE text of the last six characters of the password, `NOVICE` or `EXPERT`, and
/// the connection string, no NUL; 20 zero bytes follow in the first round, the hash before in the others. Takes tens of
/// milliseconds. Compare tokens as [`Secret`]s: in constant time.
///
/// The readings of what the specification leaves open: "bytes" of the password are characters; the zero bytes are only in
/// the first round; 100,000 hashes in all (as [MS-RAIOP] 3.1.5.1 says of the same derivation, with known answers).
#[must_use]
pub fn session_token(role: Role, password: &str, connection_string: &str) -> Secret<[u8; 20]> {
    let role = match role {
        Role::Novice => "NOVICE",
        Role::Expert => "EXPERT",
    };
    let base = concatenated([last_six(password), role, connection_string]);
    Secret::new(*iterated_sha1(&base))
}

/// What of the password goes into the token: the last six characters, all of a shorter one.
fn last_six(password: &str) -> &str {
    let start = password.char_indices().rev().nth(5).map_or(0, |(at, _)| at);
    password.get(start..).unwrap_or(password)
}

/// Texts in a row as UTF-16LE, in memory that is wiped and was never moved.
pub(crate) fn concatenated<const N: usize>(texts: [&str; N]) -> Zeroizing<Vec<u8>> {
    let len = texts.iter().fold(0, |sum, text| utf16::encoded_len(text).saturating_add(sum));
    let mut bytes = Zeroizing::new(Vec::with_capacity(len));
    for text in texts {
        utf16::encode_into(text, &mut bytes);
    }
    bytes
}
