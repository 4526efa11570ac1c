//! Logons at a server of rpc-net: tokens of a client that is honest, and what becomes of them.

use rpc_net::AuthLevel;
use rpc_net::fuzzing::Exchange;

/// What a logon is made of.
#[derive(Debug, Clone, Copy)]
pub struct Logon<'a> {
    pub password: &'a str,
    pub spnego: bool,
    pub level: AuthLevel,
}

/// How a logon ended.
#[derive(Debug)]
pub struct End {
    /// The tokens as the client made them.
    pub tokens: Vec<Vec<u8>>,
    /// Whether the server had no more to ask.
    pub done: bool,
    /// Whether it took the first message.
    pub verified: bool,
    /// Who it takes the client for.
    pub user: Option<String>,
}

/// Exchanges tokens and sends one message. `edit` sees each token of the client with its number, and the signature of the
/// message after the last one.
pub fn logon(logon: Logon<'_>, mut edit: impl FnMut(usize, &mut Vec<u8>)) -> End {
    let Logon { password, spnego, level } = logon;
    let mut exchange = Exchange::new(password, spnego, level).expect("the provider begins");
    let mut end = End { tokens: Vec::new(), done: false, verified: false, user: None };
    let mut answer = Vec::new();
    while let Some((mut token, last)) = exchange.client(&answer) {
        if last && token.is_empty() {
            break;
        }
        end.tokens.push(token.clone());
        edit(end.tokens.len() - 1, &mut token);
        let Some((next, done)) = exchange.server(&token) else {
            assert_eq!(exchange.server(&token), None, "a refused logon goes on");
            return end;
        };
        (answer, end.done) = (next, done);
        assert_eq!(exchange.caller(), None, "a caller before the first signature");
        if last || end.tokens.len() > 5 {
            break;
        }
    }
    let mut body = *b"sixteen bytes...";
    if let Some(mut signature) = exchange.protect(&mut body) {
        edit(end.tokens.len(), &mut signature);
        end.verified = exchange.verify(&mut body, &signature);
        assert!(!end.verified || body == *b"sixteen bytes...");
        if !end.verified {
            assert!(!exchange.verify(&mut body, &signature), "a second chance");
        }
    }
    end.user = exchange.caller().map(|caller| caller.user);
    assert_eq!(end.user.is_some(), end.verified, "who is verified is known, and nobody else");
    end
}
