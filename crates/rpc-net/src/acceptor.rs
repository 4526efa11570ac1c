//! The server's security contexts: NTLM, by itself or inside SPNEGO.

pub(crate) mod ntlm;
mod session;
pub(crate) mod spnego;

use std::net::SocketAddr;
use std::sync::Arc;

use dce_rpc::{AuthLevel, AuthType, Message, Security, SecurityFailure, Status, Step};

use crate::accounts::NtHash;
use crate::audit::{AuditEvent, RefusedLogon};
use crate::server::{Caller, Shared};
use ntlm::{Handshake, Names};
use session::Session;
use spnego::{Init, NegState, Response};

const DENIED: SecurityFailure = SecurityFailure(Status::ACCESS_DENIED);

enum State {
    /// Nothing came yet.
    Begin,
    /// SPNEGO without NTLM's first message: NTLM was not the client's first choice.
    Chosen(Offer),
    /// The challenge was sent.
    Challenged(Box<Handshake>, Option<Offer>),
    Ready(Box<Session>),
    Failed,
}

/// What a SPNEGO client has offered.
struct Offer {
    /// The encoded list of mechanisms, which the MICs sign.
    mechanisms: Vec<u8>,
    /// Whether NTLM is the client's first choice.
    first: bool,
}

/// One security context of a server.
pub(crate) struct Acceptor {
    shared: Arc<Shared>,
    peer: SocketAddr,
    auth_type: AuthType,
    level: AuthLevel,
    state: State,
    names: Names,
    verified: bool,
}

impl Acceptor {
    /// A context of a mechanism; `None` when it is not there.
    pub(crate) fn new(
        shared: Arc<Shared>,
        peer: SocketAddr,
        auth_type: AuthType,
        level: AuthLevel,
    ) -> Option<Self> {
        let known = matches!(auth_type, AuthType::WINNT | AuthType::DEFAULT | AuthType::GSS_NEGOTIATE);
        let (state, names) = (State::Begin, Names::default());
        known.then_some(Self { shared, peer, auth_type, level, state, names, verified: false })
    }

    /// Who it is: known only after the first signature was verified, so never at connect level.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let Names { domain, user } = self.names.clone();
        self.verified.then_some(Caller { domain, user, level: self.level })
    }

    fn advance(&mut self, token: &[u8]) -> Result<Step, RefusedLogon> {
        if self.shared.limits.blocked(self.peer.ip()) {
            return Err(RefusedLogon::FailedLogons);
        }
        let wrapped = self.auth_type == AuthType::GSS_NEGOTIATE;
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Begin if wrapped => self.offered(token),
            State::Begin => self.challenge(token, None),
            State::Chosen(offer) => {
                let response = Response::parse(token).ok_or(RefusedLogon::BadToken)?;
                self.challenge(&response.token.ok_or(RefusedLogon::BadToken)?, Some(offer))
            }
            State::Challenged(handshake, offer) => self.authenticate(*handshake, offer, token),
            State::Ready(_) | State::Failed => Err(RefusedLogon::BadToken),
        }
    }

    /// SPNEGO's first token.
    fn offered(&mut self, token: &[u8]) -> Result<Step, RefusedLogon> {
        let Init { mechanisms, ntlm, token } = Init::parse(token).ok_or(RefusedLogon::BadToken)?;
        let offer = Offer { mechanisms, first: ntlm == 0 };
        match token {
            Some(token) if offer.first => self.challenge(&token, Some(offer)),
            _ => {
                let state = if offer.first { NegState::AcceptIncomplete } else { NegState::RequestMic };
                self.state = State::Chosen(offer);
                Ok(Step { token: Response::answer(state, true, None, None), done: false })
            }
        }
    }

    fn challenge(&mut self, token: &[u8], offer: Option<Offer>) -> Result<Step, RefusedLogon> {
        let mut handshake = Handshake::new();
        let mut token = handshake.challenge(token).ok_or(RefusedLogon::BadToken)?;
        if offer.is_some() {
            token = Response::answer(NegState::AcceptIncomplete, true, Some(token), None);
        }
        self.state = State::Challenged(Box::new(handshake), offer);
        Ok(Step { token, done: false })
    }

    fn authenticate(
        &mut self,
        handshake: Handshake,
        offer: Option<Offer>,
        token: &[u8],
    ) -> Result<Step, RefusedLogon> {
        let (token, mic) = match &offer {
            Some(_) => {
                let response = Response::parse(token).ok_or(RefusedLogon::BadToken)?;
                (response.token.ok_or(RefusedLogon::BadToken)?, response.mic)
            }
            None => (Vec::from(token), None),
        };
        let message = ntlm::Authenticate::parse(&token).ok_or(RefusedLogon::BadToken)?;
        self.names = message.names.clone();
        if message.names.user.is_empty() {
            return Err(RefusedLogon::Anonymous);
        }
        let Names { domain, user } = &message.names;
        let hash = self.shared.accounts.nt_hash(domain, user).map_err(RefusedLogon::Accounts)?;
        // An account that is not there takes as long as a wrong password.
        let (hash, known) = match hash {
            Some(hash) => (hash, true),
            None => (NtHash::new([0; 16]), false),
        };
        let session = handshake.authenticate(&token, &message, &hash);
        let mut session = session.filter(|_| known).ok_or(RefusedLogon::WrongCredentials)?;
        let Some(offer) = offer else {
            self.state = State::Ready(Box::new(session));
            return Ok(Step { token: Vec::new(), done: true });
        };
        let answer = match mic {
            Some(mic) => {
                if !session.verify_mic(&offer.mechanisms, &mic) {
                    return Err(RefusedLogon::WrongSignature);
                }
                Some(session.mic(&offer.mechanisms))
            }
            // [MS-SPNG] 3.3.5.1: it may be left out only where nobody could have changed the list unseen.
            None if offer.first && !message.has_mic => None,
            None => return Err(RefusedLogon::BadToken),
        };
        self.state = State::Ready(Box::new(session));
        Ok(Step { token: Response::answer(NegState::AcceptCompleted, false, None, answer), done: true })
    }

    fn refused(&self, why: RefusedLogon) {
        if !matches!(why, RefusedLogon::FailedLogons | RefusedLogon::Accounts(_)) {
            self.shared.limits.failed(self.peer.ip());
        }
        let cut = |name: &str| name.chars().take(256).collect();
        let (domain, user) = (cut(&self.names.domain), cut(&self.names.user));
        self.shared.audit.event(&AuditEvent::LogonRefused { peer: self.peer, domain, user, why });
    }
}

impl Security for Acceptor {
    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityFailure> {
        self.advance(token).map_err(|why| {
            self.state = State::Failed;
            self.refused(why);
            DENIED
        })
    }

    fn signature_len(&self) -> usize {
        Session::SIGNATURE
    }

    fn protect(&mut self, message: &mut Message<'_>) -> Result<Vec<u8>, SecurityFailure> {
        match &mut self.state {
            State::Ready(session) => Ok(Vec::from(session.protect(message))),
            _ => Err(DENIED),
        }
    }

    fn verify(&mut self, message: &mut Message<'_>, signature: &[u8]) -> Result<(), SecurityFailure> {
        let State::Ready(session) = &mut self.state else { return Err(DENIED) };
        if !session.verify(message, signature) {
            self.state = State::Failed;
            if !self.verified {
                self.refused(RefusedLogon::WrongSignature);
            }
            return Err(SecurityFailure(Status::SEC_PKG_ERROR));
        }
        if !self.verified {
            self.verified = true;
            if let Some(mut caller) = self.caller() {
                let cut = |name: &mut String| *name = name.chars().take(256).collect();
                cut(&mut caller.domain);
                cut(&mut caller.user);
                let (peer, auth_type) = (self.peer, self.auth_type);
                self.shared.audit.event(&AuditEvent::LoggedOn { peer, caller, auth_type });
            }
        }
        Ok(())
    }
}
