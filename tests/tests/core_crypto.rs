//! Key derivations, against a naive loop and the examples of [MS-RAIOP] 4.

use remassist_core::crypto::{ROUNDS, crypt_derive_key_128, iterated_sha1, secret_utf16, sha1};
use remassist_core::from_hex;
use sha1::Digest as _;

/// The definition, word for word, with another hash function call for every round.
fn naive(base: &[u8]) -> [u8; 20] {
    let mut message = [base, &[0; 20]].concat();
    let mut hash = [0; 20];
    for _ in 0..ROUNDS {
        hash = sha1::Sha1::digest(&message).into();
        message[base.len()..].copy_from_slice(&hash);
    }
    hash
}

/// Lengths around each border: the tail with hash and padding fits one block up to 35 bytes.
#[test]
fn iterated_sha1_equals_the_naive_loop() {
    let base: Vec<u8> = (0..=u8::MAX).collect();
    for len in [0, 1, 12, 34, 35, 36, 37, 44, 55, 56, 63, 64, 65, 98, 99, 100, 101, 127, 128, 129, 130] {
        assert_eq!(*iterated_sha1(&base[..len]), naive(&base[..len]), "{len} bytes");
    }
}

/// [MS-RAIOP] 4.1: from the text to the cipher key, and 4.2.
#[test]
fn examples_of_ms_raiop() {
    let derived = iterated_sha1(&secret_utf16("SAMPLE"));
    assert_eq!(derived[..6], from_hex("1df635437492").unwrap());
    let letters = b"BCDFGHJKLMNPQRSTVWXYZ23456789";
    let mut password: String =
        derived[..6].iter().map(|b| char::from(letters[usize::from(*b) * 29 / 256])).collect();
    password += &(1_218_745_079 / 3600).to_string();
    assert_eq!(password, "F8JKRV338540");
    let key = iterated_sha1(&secret_utf16(&password));
    assert_eq!(key[..16], from_hex("30e3dbfb314b409a70bcce744cade65f").unwrap());
    let hash = sha1(&secret_utf16("30E3DBFB314B409A70BCCE744CADE65F"));
    assert_eq!(hash[..], from_hex("bb5002abfff3f8236d847d50eea99aba2b2c1e45").unwrap());
    assert_eq!(
        iterated_sha1(&secret_utf16("XVY3PH338518"))[..16],
        from_hex("410504d41b2cd63c31d0c1539ad9331c").unwrap()
    );
}

/// Passwords, their SHA-1 and the key that CryptDeriveKey made of it.
#[test]
fn crypt_derive_key_equals_cryptoapi() {
    let vectors = testkit::vectors::json("remassist-core/crypt-derive-key.json");
    let rows = vectors.as_array().unwrap();
    assert!(rows.len() >= 10);
    for row in rows {
        let hash = sha1(&secret_utf16(testkit::vectors::text(&row["password"])));
        assert_eq!(hash[..], testkit::vectors::hex(&row["sha1"]));
        assert_eq!(crypt_derive_key_128(&hash)[..], testkit::vectors::hex(&row["key"]));
    }
}
