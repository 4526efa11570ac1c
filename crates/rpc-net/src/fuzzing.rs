//! Security contexts without a network, and what a server reads in tokens of strangers: for the fuzz targets and tests of the
//! workspace.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use dce_rpc::{AuthLevel, AuthType, Message, Security as _};

use crate::acceptor::Acceptor;
use crate::acceptor::ntlm::Authenticate;
use crate::acceptor::spnego::{Init, NegState, Response};
use crate::accounts::MemoryAccounts;
use crate::audit::NoAudit;
use crate::credentials::{Credentials, Mechanism};
use crate::initiator::{Failure, Initiator};
use crate::provider::now;
use crate::server::{Caller, ServerOptions, Shared};

/// The password that the accounts of [`Exchange`] know.
pub const PASSWORD: &str = "pass wörd 😀";

/// What a server reads in AUTHENTICATE_MESSAGE: domain, user, whether there is a MIC.
#[must_use]
pub fn authenticate(token: &[u8]) -> Option<(String, String, bool)> {
    let message = Authenticate::parse(token)?;
    Some((message.names.domain, message.names.user, message.has_mic))
}

/// What a server reads in NegTokenInit: the list of mechanisms, NTLM's place in it, the token.
#[must_use]
pub fn init(token: &[u8]) -> Option<(Vec<u8>, usize, Option<Vec<u8>>)> {
    let Init { mechanisms, ntlm, token } = Init::parse(token)?;
    Some((mechanisms, ntlm, token))
}

/// What a server reads in NegTokenResp: token and MIC.
#[must_use]
pub fn response(token: &[u8]) -> Option<(Option<Vec<u8>>, Option<Vec<u8>>)> {
    let Response { token, mic } = Response::parse(token)?;
    Some((token, mic))
}

/// A NegTokenResp of a server.
#[must_use]
pub fn answer(chosen: bool, token: Option<Vec<u8>>, mic: Option<Vec<u8>>) -> Vec<u8> {
    Response::answer(NegState::AcceptIncomplete, chosen, token, mic)
}

/// A client and a server that hand tokens to each other.
pub struct Exchange {
    client: Initiator,
    server: Acceptor,
    level: AuthLevel,
}

impl Exchange {
    /// `alice` with a password, by NTLM alone or in SPNEGO; at packet privacy or integrity. The server knows `alice` by
    /// [`PASSWORD`]. `None` when the provider fails.
    #[must_use]
    pub fn new(password: &str, spnego: bool, level: AuthLevel) -> Option<Self> {
        let accounts = Arc::new(MemoryAccounts::new().with(None, "alice", PASSWORD));
        let mut options = ServerOptions::default();
        options.max_failed_logons = u32::MAX;
        let shared = Arc::new(Shared::new(accounts, Arc::new(NoAudit), options));
        let (auth_type, mechanism) = if spnego {
            (AuthType::GSS_NEGOTIATE, Mechanism::Negotiate)
        } else {
            (AuthType::WINNT, Mechanism::Ntlm)
        };
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let server = Acceptor::new(shared, peer, auth_type, level)?;
        let credentials = Credentials::new("DOM", "Alice", password);
        let client = now(Initiator::new(&credentials, &mechanism, level, Failure::default()))?.ok()?;
        Some(Self { client, server, level })
    }

    /// The client's next token, and whether it is its last one. `None` when it has given up.
    pub fn client(&mut self, token: &[u8]) -> Option<(Vec<u8>, bool)> {
        self.client.step(token).ok().map(|step| (step.token, step.done))
    }

    /// The server's next token, and whether it wants no more. `None` when it refuses.
    pub fn server(&mut self, token: &[u8]) -> Option<(Vec<u8>, bool)> {
        self.server.step(token).ok().map(|step| (step.token, step.done))
    }

    /// A message of the client, as it arrives, and its signature.
    pub fn protect(&mut self, body: &mut [u8]) -> Option<Vec<u8>> {
        let level = self.level;
        self.client.protect(&mut message(level, body)).ok()
    }

    /// Whether the server takes a message for one of the client.
    pub fn verify(&mut self, body: &mut [u8], signature: &[u8]) -> bool {
        let level = self.level;
        self.server.verify(&mut message(level, body), signature).is_ok()
    }

    /// Who the server takes the client for.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        self.server.caller()
    }
}

fn message(level: AuthLevel, body: &mut [u8]) -> Message<'_> {
    Message::new(level, &[5; 24], body, &[6; 8])
}
