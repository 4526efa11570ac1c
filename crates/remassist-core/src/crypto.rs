//! Key derivations that several of the protocols share.
//!
//! All of it is old: SHA-1 is broken for signatures, the derivations have no salt, and one of them no cost at all.
//! The protocols fix it, peers know nothing else, and no other code in the suite uses it.

use alloc::vec::Vec;

use sha1::Digest as _;
use zeroize::Zeroizing;

/// Number of hashes in an iterated SHA-1 ([MS-RA] 2.2.4, [MS-RAIOP] 3.1.5.1).
pub const ROUNDS: u32 = 100_000;

const BLOCK: usize = 64;
const HASH: usize = 20;

/// The first 16 bytes that `CryptDeriveKey` makes of a SHA-1 hash: SHA-1 over 64 bytes of 0x36 with the hash XORed
/// into the first 20 ([MS-RAIOP] 4.1; the same for the LHTICKET of [MS-RAI] 6 note <20>).
#[must_use]
pub fn crypt_derive_key_128(hash: &[u8; HASH]) -> Zeroizing<[u8; 16]> {
    let mut pad = Zeroizing::new([0x36_u8; BLOCK]);
    for (pad, hash) in pad.iter_mut().zip(hash) {
        *pad ^= hash;
    }
    let digest = Zeroizing::new(<[u8; HASH]>::from(sha1::Sha1::digest(pad.as_slice())));
    let mut key = Zeroizing::new([0; 16]);
    for (key, digest) in key.iter_mut().zip(digest.iter()) {
        *key = *digest;
    }
    key
}

/// SHA-1 of `base` and 20 zero bytes, then 99,999 times of `base` and the hash before ([MS-RA] 2.2.4 steps 2 to 5,
/// [MS-RAIOP] 3.1.5.1 and 3.1.5.2).
///
/// The blocks of `base` that never change are hashed once: a round costs one compression, or two when the hash and
/// SHA-1's padding do not fit into what `base` leaves of its last block.
#[must_use]
pub fn iterated_sha1(base: &[u8]) -> Zeroizing<[u8; HASH]> {
    let (blocks, tail) = base.as_chunks::<BLOCK>();
    let mut prefix = Zeroizing::new([0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]);
    sha1::block_api::compress(&mut prefix, blocks);
    if tail.len().saturating_add(HASH).saturating_add(9) <= BLOCK {
        rounds::<1>(&prefix, tail, base.len())
    } else {
        rounds::<2>(&prefix, tail, base.len())
    }
}

/// Runs all rounds over the `N` blocks that hold the end of the base, the hash, and SHA-1's padding.
fn rounds<const N: usize>(prefix: &[u32; 5], tail: &[u8], base_len: usize) -> Zeroizing<[u8; HASH]> {
    let mut message = Zeroizing::new([[0_u8; BLOCK]; N]);
    let bits = u64::try_from(base_len).unwrap_or(u64::MAX).saturating_add(20).saturating_mul(8);
    let hash_at = tail.len();
    let end = hash_at.saturating_add(HASH);
    let flat = message.as_flattened_mut();
    let length_at = flat.len().saturating_sub(8);
    for (to, from) in flat.iter_mut().zip(tail) {
        *to = *from;
    }
    if let Some(mark) = flat.get_mut(end) {
        *mark = 0x80;
    }
    for (to, from) in flat.iter_mut().skip(length_at).zip(bits.to_be_bytes()) {
        *to = from;
    }
    let mut state = Zeroizing::new(*prefix);
    for round in 0..ROUNDS {
        if round > 0 {
            write_hash(message.as_flattened_mut(), hash_at, &state);
        }
        *state = *prefix;
        sha1::block_api::compress(&mut state, message.as_slice());
    }
    let mut hash = Zeroizing::new([0; HASH]);
    write_hash(hash.as_mut_slice(), 0, &state);
    hash
}

#[inline]
fn write_hash(message: &mut [u8], at: usize, state: &[u32; 5]) {
    if let Some(slot) = message.get_mut(at..).and_then(|m| m.first_chunk_mut::<HASH>()) {
        for (to, word) in slot.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *to = word.to_be_bytes();
        }
    }
}

/// SHA-1 of some bytes.
#[must_use]
pub fn sha1(bytes: &[u8]) -> [u8; HASH] {
    sha1::Sha1::digest(bytes).into()
}

/// Text as UTF-16LE bytes that are wiped when dropped: passwords before they are hashed.
#[must_use]
pub fn secret_utf16(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(crate::utf16::encode(text))
}
