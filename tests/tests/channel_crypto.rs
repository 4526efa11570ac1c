//! Session token ([MS-RA] 2.2.4) and Easy Connect ([MS-RAIOP]).

use expect_test::expect;
use ra_channel::easy_connect::{self, PayloadError, PeerKey, SecurePayload};
use ra_channel::{Control, Packet, Role, session_token};
use remassist_core::crypto::sha1;
use remassist_core::{Encode, Secret, from_hex};

fn utf16(text: &str) -> Vec<u8> {
    remassist_core::utf16::encode(text)
}

fn hex(text: &str) -> Vec<u8> {
    from_hex(&text.replace(' ', "")).unwrap()
}

/// The steps as the specifications write them down, one after the other, with nothing clever.
fn slow(base: &[u8]) -> [u8; 20] {
    let mut hash = [0; 20];
    for _ in 0..100_000 {
        hash = sha1(&[base, &hash].concat());
    }
    hash
}

/// The string printed in [MS-RA] 2.2.4, after the password ABCDEF and NOVICE.
const CONNECTION_STRING: &str = "<E>\r\n<A KH=\"YiKwWUY8Ioq5NB3wAQHSbs5kwrM=\" ID=\"8rYm30RBW8/4dAWoUsWbFCF5jno/7jr5t\
    NpHQc2goLbw4uuBBJvLsU02YYLlBMg5\" />\r\n<C>\r\n<T ID=\"1\" SID=\"1440550163\">\r\n<L P=\"49749\" \
    N=\"2001:4898:1a:5:79e2:3356:9b22:3470\"/>\r\n<L P=\"49751\" N=\"172.31.250.64\"/>\r\n</T>\r\n</C>\r\n</E>";

#[test]
fn token_of_the_printed_string() {
    let token = session_token(Role::Novice, "ABCDEF", CONNECTION_STRING);
    assert_eq!(*token.expose(), slow(&utf16(&format!("ABCDEFNOVICE{CONNECTION_STRING}"))));
    // No result was published; Python's hashlib gives the same.
    let digits: String = token.expose().iter().map(|b| format!("{b:02x}")).collect();
    expect!["0c103f13afc5979ac7d720d127c417f89971004a"].assert_eq(&digits);
    let packet = Packet::control(Control::token(&token));
    assert_eq!(packet.to_vec().unwrap()[22..30], [12, 0, 0, 0, 20, 0, 0, 0]);
    let Control::Token { token: bstr } = Control::token(&token) else { panic!() };
    assert_eq!(bstr.token().unwrap(), token);
    assert!(!format!("{packet:?}").contains(&digits[..8]));
}

#[test]
fn token_depends_on_all_that_goes_into_it() {
    let token = |role, password, string| *session_token(role, password, string).expose();
    let novice = token(Role::Novice, "ABCDEF", "<E/>");
    assert_eq!(novice, slow(&utf16("ABCDEFNOVICE<E/>")));
    let expert = token(Role::Expert, "ABCDEF", "<E/>");
    assert_eq!(expert, slow(&utf16("ABCDEFEXPERT<E/>")));
    assert_ne!(novice, expert);
    // The last six characters of the password, all of a short one, characters and not bytes.
    assert_eq!(token(Role::Novice, "xxABCDEF", "<E/>"), novice);
    assert_ne!(token(Role::Novice, "BCDEF", "<E/>"), novice);
    assert_eq!(token(Role::Novice, "", ""), slow(&utf16("NOVICE")));
    assert_eq!(token(Role::Expert, "1äöüß€6", ""), slow(&utf16("äöüß€6EXPERT")));
}

/// Every length of the last block: one block and two, and the borders between.
#[test]
fn all_tails() {
    for len in (0..64).step_by(7).chain([17, 18, 19]) {
        let string = "x".repeat(len);
        assert_eq!(
            *session_token(Role::Expert, "", &string).expose(),
            slow(&utf16(&format!("EXPERT{string}"))),
            "{len}"
        );
    }
}

/// [MS-RAIOP] 4.1, every printed value.
#[test]
fn raiop_4_1() {
    let zeros = [0; 20];
    assert_eq!(
        sha1(&[&utf16("SAMPLE")[..], &zeros].concat()).to_vec(),
        hex("00 df 01 a1 9d 25 89 60 e6 a4 4a a9 8b e9 c2 6f 00 29 22 39")
    );
    assert_eq!(slow(&utf16("SAMPLE"))[..6], hex("1d f6 35 43 74 92"));
    assert_eq!(easy_connect::password("SAMPLE").expose(), "F8JKRV");
    assert_eq!(easy_connect::hours(1_218_745_079), 338_540);
    assert_eq!(
        sha1(&[&utf16("F8JKRV338540")[..], &zeros].concat()).to_vec(),
        hex("5f 3d 53 db 86 9a f1 ac 24 63 21 f4 c1 78 90 6d 91 a7 1a d5")
    );
    let key = PeerKey::derive("F8JKRV", 338_540);
    assert_eq!(key.classifier(), "30E3DBFB314B409A70BCCE744CADE65F");
    assert_eq!(
        sha1(&utf16(key.classifier())).to_vec(),
        hex("bb 50 02 ab ff f3 f8 23 6d 84 7d 50 ee a9 9a ba 2b 2c 1e 45")
    );
    let payload = key.encrypt("SAMPLE");
    assert_eq!(payload, hex("7f d6 54 48 2f e0 92 73 d7 69 85 b0 1d 4b 7a 4b"));
    assert_eq!(key.decrypt(&payload).unwrap().expose(), "SAMPLE");
    assert!(!format!("{key:?}").contains("30E3"));
}

/// [MS-RAIOP] 4.2, every printed value.
#[test]
fn raiop_4_2() {
    assert_eq!(easy_connect::hours(1_218_665_203), 338_518);
    assert_eq!(
        sha1(&[&utf16("XVY3PH338518")[..], &[0; 20]].concat()).to_vec(),
        hex("3c 51 c6 24 a0 02 95 33 28 44 cc e9 7b 3e 18 9f 08 1e 96 2a")
    );
    assert_eq!(slow(&utf16("XVY3PH338518"))[..16], hex("41 05 04 d4 1b 2c d6 3c 31 d0 c1 53 9a d9 33 1c"));
    let key = PeerKey::derive("XVY3PH", 338_518);
    assert_eq!(key.peer_name(), "0.410504D41B2CD63C31D0C1539AD9331C");
}

#[test]
fn only_8000_bytes_make_the_password() {
    let (short, long) = ("a".repeat(4000), "a".repeat(4000) + "b");
    assert_eq!(easy_connect::password(&short), easy_connect::password(&long));
    assert_ne!(easy_connect::password(&short), easy_connect::password(&short[1..]));
    let password = easy_connect::password("");
    assert_eq!(password.expose().len(), 6);
    assert!(password.expose().bytes().all(|b| easy_connect::ALLOWED_CHARACTERS.contains(&b)));
}

#[test]
fn hours_to_try() {
    assert_eq!(easy_connect::candidate_hours(338_540), [338_540, 338_539, 338_541]);
    assert_eq!(easy_connect::candidate_hours(0), [0, 0, 1]);
    assert_eq!(easy_connect::hours(3599), 0);
    assert_eq!(easy_connect::hours(3600), 1);
}

#[test]
fn wrong_passwords_and_damaged_payloads() {
    let key = PeerKey::derive("F8JKRV", 338_540);
    let payload = key.encrypt(CONNECTION_STRING);
    assert_eq!(key.decrypt(&payload).unwrap().expose(), CONNECTION_STRING);
    for wrong in [PeerKey::derive("F8JKRW", 338_540), PeerKey::derive("F8JKRV", 338_541)] {
        let error = wrong.decrypt(&payload).unwrap_err();
        assert_eq!(error, PayloadError::WrongPassword);
        expect!["wrong password or hour, or a damaged payload"].assert_eq(&error.to_string());
    }
    assert_eq!(key.decrypt(&[]).unwrap_err(), PayloadError::NotBlocks { len: 0 });
    let error = key.decrypt(&payload[1..]).unwrap_err();
    assert_eq!(error, PayloadError::NotBlocks { len: payload.len() - 1 });
    assert!(error.to_string().contains("are not one or more blocks of 16"));
    assert_eq!(key.decrypt(&payload[..16]).unwrap_err(), PayloadError::WrongPassword);
    // A peer that encrypts its terminator too is understood.
    let with_nul = key.encrypt(&format!("{CONNECTION_STRING}\0"));
    assert_eq!(key.decrypt(&with_nul).unwrap().expose(), CONNECTION_STRING);
}

/// Not RSA, and not secret: what the closure does is not the business of the crate.
fn mask(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ 0xA5).collect()
}

#[test]
fn secure_peer_names() {
    let key = Secret::new([0x42; 32]);
    let sealed = SecurePayload::seal(CONNECTION_STRING, &key, |key| {
        Ok::<_, PayloadError>([&mask(key)[..], &[0; 96]].concat())
    })
    .unwrap();
    // 128 bytes of RSA are 172 characters of base64, 344 bytes.
    assert_eq!(sealed.friendly_name, "344");
    assert_eq!(sealed.payload[..4], utf16("5+")[..]);
    let open = |sealed: &SecurePayload| {
        sealed.open(|wrapped| {
            assert_eq!(wrapped.len(), 128);
            Ok::<_, PayloadError>(Secret::new(mask(&wrapped[..32]).try_into().unwrap()))
        })
    };
    assert_eq!(open(&sealed).unwrap().expose(), CONNECTION_STRING);

    // Line breaks, as Windows likes to put into base64, and a NUL.
    let (text, data) = sealed.payload.split_at(344);
    let exported = [&text[..128], &utf16("\r\n"), &text[128..], &utf16("\r\n\0")].concat();
    let broken = SecurePayload {
        friendly_name: format!("{}\0", exported.len()),
        payload: [&exported[..], data].concat(),
    };
    assert_eq!(open(&broken).unwrap().expose(), CONNECTION_STRING);

    let change =
        |name: &str, payload: &[u8]| SecurePayload { friendly_name: name.into(), payload: payload.into() };
    for name in ["", "x", "-1", "+344", " 344", "99999", "99999999999999999999999"] {
        assert_eq!(change(name, &sealed.payload).parts().unwrap_err(), PayloadError::FriendlyName, "{name}");
    }
    for name in ["343", "342", "338"] {
        assert_eq!(change(name, &sealed.payload).parts().unwrap_err(), PayloadError::ExportedKey, "{name}");
    }
    assert_eq!(open(&change("344", &sealed.payload[..351])).unwrap_err(), PayloadError::NotBlocks { len: 7 });
    let other = sealed.open(|_| Ok::<_, PayloadError>(Secret::new([0; 32])));
    assert_eq!(other.unwrap_err(), PayloadError::WrongKey);
    let refused = sealed.open(|_| Err::<Secret<[u8; 32]>, _>(PayloadError::ExportedKey));
    assert_eq!(refused.unwrap_err(), PayloadError::ExportedKey);
}

/// Made with `openssl enc -aes-256-cbc`, a key of 0x42 and a zero initialization vector.
#[test]
fn aes_256_known_answer() {
    let payload =
        SecurePayload::seal("SAMPLE", &Secret::new([0x42; 32]), |_| Ok::<_, PayloadError>(vec![])).unwrap();
    assert_eq!(payload.friendly_name, "0");
    assert_eq!(payload.payload, hex("6af4db4d14837f5a7a6fb477aa21098f"));
}
