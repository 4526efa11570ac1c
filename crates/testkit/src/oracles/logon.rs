use rpc_net::AuthLevel;
use rpc_net::fuzzing::{Exchange, PASSWORD, answer, authenticate, init, response};

use super::Oracle;
use crate::logon::{Logon, logon};

pub(super) const ALL: &[Oracle] = &[("rpc_logon", logons), ("rpc_token", token)];

/// Tokens by themselves: what is read stands in them, nothing may stand behind them, what a server writes can be read.
fn token(input: &[u8]) {
    let has = |part: &[u8]| part.is_empty() || input.windows(part.len()).any(|window| window == part);
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let longer = [input, &[0]].concat();
    if let Some((domain, user, _)) = authenticate(input) {
        assert!(has(&utf16(&domain)) && has(&utf16(&user)));
        assert_eq!(authenticate(&longer), authenticate(input), "what nothing points at says nothing");
    }
    if let Some((mechanisms, ntlm, token)) = init(input) {
        assert!(has(&mechanisms) && token.is_none_or(|token| has(&token)) && ntlm < mechanisms.len());
        assert_eq!(init(&longer), None);
    }
    if let Some((token, mic)) = response(input) {
        assert!([&token, &mic].into_iter().flatten().all(|part| has(part)));
        assert_eq!(response(&longer), None);
        for chosen in [false, true] {
            let written = answer(chosen, token.clone(), mic.clone());
            assert_eq!(response(&written), Some((token.clone(), mic.clone())));
        }
    }
}

/// Bit 0 of the first byte: SPNEGO; 1: tokens as they come, each behind two bytes of length; 2: a wrong password; 3: packet
/// integrity. Else what follows changes the tokens of an honest client: number, place, bits.
fn logons(input: &[u8]) {
    let Some((mode, rest)) = input.split_first() else { return };
    let (spnego, raw, wrong) = (mode & 1 != 0, mode & 2 != 0, mode & 4 != 0);
    let level = if mode & 8 != 0 { AuthLevel::INTEGRITY } else { AuthLevel::PRIVACY };
    let password = if wrong { "another" } else { PASSWORD };
    if raw {
        return strangers(rest, Exchange::new(password, spnego, level).expect("the provider begins"));
    }
    let (edits, _) = rest.as_chunks::<4>();
    let mut changed = false;
    let end = logon(Logon { password, spnego, level }, |number, token| {
        for [which, low, high, bits] in edits {
            let at = usize::from(u16::from_le_bytes([*low, *high])) % token.len().max(1);
            if usize::from(which % 4) == number
                && *bits != 0
                && let Some(byte) = token.get_mut(at)
            {
                *byte ^= bits;
                changed = true;
            }
        }
    });
    assert!(!(wrong && (end.verified || end.done)), "a wrong password will do");
    assert!(wrong || changed || (end.verified && end.done), "the right password will not do: {end:?}");
    assert!(end.user.is_none_or(|user| user.eq_ignore_ascii_case("alice")), "somebody else");
}

/// Whoever does not know the password gets no further than the challenge.
fn strangers(mut rest: &[u8], mut exchange: Exchange) {
    let mut failed = false;
    while let Some((len, after)) = rest.split_first_chunk() {
        let (token, after) = after.split_at(usize::from(u16::from_le_bytes(*len)).min(after.len()));
        rest = after;
        match exchange.server(token) {
            Some((answer, done)) => assert!(!failed && !done && !answer.is_empty()),
            None => failed = true,
        }
    }
    assert!(!exchange.verify(&mut [0; 16], &[0; 16]));
    assert!(exchange.caller().is_none());
}
