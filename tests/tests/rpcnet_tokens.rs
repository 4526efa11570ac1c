//! Tokens of strangers: what a server reads in them, and who gets in.

use rpc_net::AuthLevel;
use rpc_net::fuzzing::{PASSWORD, answer, authenticate, init, response};
use testkit::logon::{End, Logon, logon};

const LEVELS: [AuthLevel; 2] = [AuthLevel::INTEGRITY, AuthLevel::PRIVACY];

fn honest(spnego: bool) -> Logon<'static> {
    Logon { password: PASSWORD, spnego, level: AuthLevel::PRIVACY }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// AUTHENTICATE_MESSAGE of an honest client.
fn message() -> Vec<u8> {
    logon(honest(false), |_, _| {}).tokens.remove(1)
}

fn refused(end: &End) -> bool {
    !end.verified && end.user.is_none()
}

#[test]
fn only_the_password_lets_in() {
    for spnego in [false, true] {
        for level in LEVELS {
            let end = logon(Logon { password: PASSWORD, spnego, level }, |_, _| {});
            assert!(end.done && end.verified, "{end:?}");
            assert_eq!(end.user.as_deref(), Some("Alice"));
            for password in ["", "pass wörd", "Pass wörd 😀"] {
                let end = logon(Logon { password, spnego, level }, |_, _| {});
                assert!(refused(&end) && !end.done, "{end:?}");
            }
        }
    }
}

#[test]
fn a_token_that_ends_early_is_refused() {
    for spnego in [false, true] {
        let whole = logon(honest(spnego), |_, _| {}).tokens;
        for (number, token) in whole.iter().enumerate() {
            for cut in 1..token.len() {
                // Every length of the last token; of the others, some.
                if number + 1 < whole.len() && cut % 7 != 0 {
                    continue;
                }
                let end = logon(honest(spnego), |at, token| {
                    if at == number {
                        token.truncate(token.len().saturating_sub(cut));
                    }
                });
                assert!(refused(&end), "token {number} without {cut} bytes: {end:?}");
            }
        }
    }
}

/// The MIC of NTLM covers all three messages, so nothing in them can be changed.
#[test]
fn no_byte_of_the_messages_can_be_changed() {
    let whole = logon(honest(false), |_, _| {}).tokens;
    for (number, token) in whole.iter().enumerate() {
        // NegotiateFlags say what is looked at: each of its bits.
        let flags = if number == 0 { 12..16 } else { 60..64 };
        let bits = |place| if flags.contains(&place) { 0..8 } else { 4..5 };
        for (place, bit) in (0..token.len()).flat_map(|place| bits(place).map(move |bit| (place, bit))) {
            let end = logon(honest(false), |at, token| {
                // The length may differ, as the names of target and time do not.
                if let Some(byte) = token.get_mut(place).filter(|_| at == number) {
                    *byte ^= 1 << bit;
                }
            });
            assert!(refused(&end), "bit {bit} of byte {place} of token {number}: {end:?}");
        }
    }
}

/// AvFlags, which the password signs, tell of a MIC: it has to be there and right whatever the rest of the message says.
#[test]
fn a_mic_that_is_told_of_cannot_be_left_out() {
    for spnego in [false, true] {
        let end = logon(honest(spnego), |_, token| {
            // NTLMSSP_NEGOTIATE_TARGET_INFO, without which sspi looks for none.
            if let Some(at) = find(token, b"NTLMSSP\0\x03").filter(|at| token.len() > at + 88) {
                token[at + 62] ^= 0x80;
                token[at + 72..at + 88].fill(0);
            }
        });
        assert!(refused(&end) && !end.done, "{end:?}");
    }
}

/// The challenge is another one for each logon.
#[test]
fn tokens_of_another_logon_are_refused() {
    for spnego in [false, true] {
        let earlier = logon(honest(spnego), |_, _| {}).tokens;
        let end = logon(honest(spnego), |number, token| {
            if number > 0
                && let Some(same) = earlier.get(number)
            {
                token.clone_from(same);
            }
        });
        assert!(refused(&end) && !end.done, "{end:?}");
    }
}

#[test]
fn no_byte_of_the_first_signature_can_be_changed() {
    for spnego in [false, true] {
        let tokens = logon(honest(spnego), |_, _| {}).tokens.len();
        for place in 0..16 {
            let end = logon(honest(spnego), |at, signature| {
                if at == tokens {
                    signature[place] ^= 1;
                }
            });
            assert!(end.done && refused(&end), "byte {place}: {end:?}");
        }
    }
}

#[test]
fn fields_that_point_elsewhere() {
    let whole = message();
    assert!(authenticate(&whole).is_some());
    for field in [20, 28, 36] {
        for (len, offset) in [
            (u16::MAX, 0),
            (1, u32::MAX),
            (u16::MAX, u32::MAX),
            (2, whole.len() as u32 - 1),
            (2, u32::MAX - 1),
        ] {
            let mut token = whole.clone();
            token[field..field + 2].copy_from_slice(&len.to_le_bytes());
            token[field + 4..field + 8].copy_from_slice(&offset.to_le_bytes());
            assert_eq!(authenticate(&token), None, "field {field}: {len} at {offset}");
        }
    }
    // Names of an odd number of bytes, and half a character.
    for field in [28, 36] {
        let mut token = whole.clone();
        token[field] = 3;
        assert_eq!(authenticate(&token), None);
        let end = token.len() as u32;
        token.extend([0, 0xD8]);
        token[field] = 2;
        token[field + 4..field + 8].copy_from_slice(&end.to_le_bytes());
        assert_eq!(authenticate(&token), None);
    }
    // A response that is too short for NTLMv2: 24 bytes are one of NTLMv1.
    for len in [1, 15, 16, 24, 43] {
        let mut token = whole.clone();
        token[20..22].copy_from_slice(&u16::to_le_bytes(len));
        assert_eq!(authenticate(&token), None, "{len} bytes");
    }
}

#[test]
fn attributes_without_end() {
    let whole = message();
    let response = u32::from_le_bytes(whole[24..28].try_into().unwrap()) as usize;
    let attributes = response + 16 + 28;
    // One that reaches beyond the end, one that never ends, none at all.
    for (at, bytes) in [(attributes + 2, [0xFF, 0xFF]), (attributes, [9, 0])] {
        let mut token = whole.clone();
        token[at..at + 2].copy_from_slice(&bytes);
        if bytes == [0xFF, 0xFF] {
            assert_eq!(authenticate(&token), None);
        } else {
            assert!(authenticate(&token).is_some(), "others are passed over");
        }
    }
    let mut token = whole[..attributes].to_vec();
    let len = u16::try_from(attributes - response).unwrap();
    token[20..22].copy_from_slice(&len.to_le_bytes());
    assert_eq!(authenticate(&token), None);
}

#[test]
fn messages_of_other_kinds() {
    let whole = logon(honest(false), |_, _| {}).tokens;
    for token in [&b""[..], b"NTLMSSP\0", &whole[0], &[0x30; 200], &[0; 4096]] {
        assert_eq!(authenticate(token), None);
        assert_eq!(init(token), None);
        assert_eq!(response(token), None);
    }
    // Everything weaker than what is needed: 128 bit, key exchange, extended session security, Unicode.
    for (byte, bit) in [(63, 0x20), (63, 0x40), (62, 0x08), (60, 0x01)] {
        let mut token = whole[1].clone();
        token[byte] ^= bit;
        assert_eq!(authenticate(&token), None, "flag {bit:#x} of byte {byte}");
        let end = logon(honest(false), |number, token| {
            if number == 0 {
                token[byte - 48] ^= bit;
            }
        });
        assert!(refused(&end) && end.tokens.len() == 1, "{end:?}");
    }
}

fn der(tag: u8, len: &[u8], content: &[u8]) -> Vec<u8> {
    [&[tag], len, content].concat()
}

#[test]
fn lengths_of_spnego() {
    let token = Some(vec![7; 5]);
    let whole = answer(false, token.clone(), None);
    assert_eq!(response(&whole), Some((token.clone(), None)));
    let fields = &whole[4..];
    let len = u8::try_from(fields.len()).unwrap();
    let sequence =
        |form: &[u8]| der(0xA1, &[len + 1 + u8::try_from(form.len()).unwrap()], &der(0x30, form, fields));
    // Short, and as long as they may be.
    for form in [&[len][..], &[0x81, len], &[0x82, 0, len], &[0x83, 0, 0, len]] {
        assert_eq!(response(&sequence(form)), Some((token.clone(), None)), "{form:x?}");
    }
    // Without end, of many bytes, beyond the end, too short.
    for form in [
        &[0x80][..],
        &[0x84, 0, 0, 0, len],
        &[0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x83, 0xFF, 0xFF, 0xFF],
        &[0xFF],
        &[len + 1],
        &[len - 1],
        &[0],
    ] {
        assert_eq!(response(&sequence(form)), None, "{form:x?}");
    }
    let deep = (0..20_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let len = u16::try_from(inner.len()).unwrap_or(u16::MAX).to_be_bytes();
        if inner.len() > 60_000 { inner } else { der(0xA1, &[0x82, len[0], len[1]], &inner) }
    });
    assert_eq!(response(&deep), None);
}

#[test]
fn who_does_not_offer_ntlm_or_hides_it_gets_nothing() {
    const NTLM: &[u8] = &[0x2B, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];
    let whole = logon(honest(true), |_, _| {}).tokens;
    let (_, place, token) = init(&whole[0]).unwrap();
    assert!(place < 3 && (place > 0 || token.is_some()));
    let mut other = whole[0].clone();
    let at = find(&other, NTLM).unwrap();
    other[at + 9] = 11;
    assert_eq!(init(&other), None);
    // Who changes the list of mechanisms is found out by the MICs.
    let end = logon(honest(true), |number, token| {
        if number == 0 {
            let at = find(token, NTLM).unwrap();
            token[at + 9] = 11;
        }
    });
    assert!(refused(&end), "{end:?}");
    // So is who takes the MIC of the list away.
    let end = logon(honest(true), |_, token| {
        if let Some((Some(ntlm), Some(_))) = response(token) {
            *token = answer(false, Some(ntlm), None);
        }
    });
    assert!(refused(&end), "{end:?}");
}

/// With `LOGON_SEEDS` set, tokens of an honest client become seeds of the fuzz targets.
#[test]
fn seeds() {
    if std::env::var_os("LOGON_SEEDS").is_none() {
        return;
    }
    let corpus = testkit::vectors::dir().join("../../fuzz/corpus");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(corpus.join(target)).unwrap();
        std::fs::write(corpus.join(target).join(name), bytes).unwrap();
    };
    for (spnego, name) in [(false, "ntlm"), (true, "spnego")] {
        let tokens = logon(honest(spnego), |_, _| {}).tokens;
        let mut raw = vec![2 | u8::from(spnego)];
        for (number, token) in tokens.iter().enumerate() {
            write("rpc_token", &format!("{name}-{number}"), token);
            if let Some((Some(inner), _)) = response(token) {
                write("rpc_token", &format!("{name}-{number}-inner"), &inner);
            }
            raw.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
            raw.extend(token);
        }
        write("rpc_logon", &format!("{name}-raw"), &raw);
        for (bits, what) in [(0, "privacy"), (8, "integrity"), (4, "wrong")] {
            write("rpc_logon", &format!("{name}-{what}"), &[bits | u8::from(spnego)]);
        }
        write("rpc_logon", &format!("{name}-changed"), &[u8::from(spnego), 1, 40, 0, 1, 0, 12, 0, 8]);
    }
    write("rpc_token", "answer", &answer(true, Some(vec![1; 200]), Some(vec![2; 16])));
}
