//! What the embedder brings: security contexts.

use alloc::vec::Vec;

use remassist_core::{Blob, Encode as _, EncodeError};

use crate::fragment::{Piece, Pieces};
use crate::names::{AuthLevel, Flags, Status};
use crate::pdu::{Body, CommonHeader, Pdu};
use crate::reassembly::ContextKey;
use crate::verifier::{self, Verifier};

/// One security context of one connection, built and used by a security provider ([MS-RPCE] 3.3.1.5.2): NTLM, SPNEGO,
/// Kerberos. The embedder implements it; this crate knows no cryptography.
pub trait Security {
    /// Takes the peer's token, which is empty at the client's first step, and gives the next one.
    ///
    /// # Errors
    /// When the exchange has failed; the status goes to the peer where a fault can carry it.
    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityFailure>;

    /// Bytes of every signature. Asked only after the exchange is done.
    fn signature_len(&self) -> usize;

    /// Signs a message, and encrypts its body in place at packet privacy; gives the signature.
    ///
    /// # Errors
    /// When the provider fails; the connection is closed then.
    fn protect(&mut self, message: &mut Message<'_>) -> Result<Vec<u8>, SecurityFailure>;

    /// Verifies a signature, after decrypting the body in place at packet privacy.
    ///
    /// # Errors
    /// When the signature is not the one of the message; the connection is closed then.
    fn verify(&mut self, message: &mut Message<'_>, signature: &[u8]) -> Result<(), SecurityFailure>;

    /// Whether the provider can sign what it does not encrypt ([MS-RPCE] 3.3.1.5.2.2).
    fn supports_header_signing(&self) -> bool {
        true
    }
}

/// What a step of the exchange gives.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// For the peer; empty when there is none.
    pub token: Vec<u8>,
    /// Whether the context can be used.
    pub done: bool,
}

/// The segments of one fragment ([MS-RPCE] 2.2.2.1), and how they are to be protected.
///
/// A mechanism that signs whole PDUs, as NTLM with extended session security does, covers header, body and trailer in this
/// order, whether or not header signing was negotiated.
#[non_exhaustive]
pub struct Message<'m> {
    /// Common header and fixed fields, the object UUID among them.
    pub header: &'m [u8],
    /// Stub data and padding: what is encrypted.
    pub body: &'m mut [u8],
    /// sec_trailer, without the signature.
    pub trailer: &'m [u8],
    /// Integrity or privacy; connect when a signature has no meaning.
    pub level: AuthLevel,
    /// Whether both sides said that they support header signing.
    pub header_signing: bool,
    /// Counts the messages of this direction and context from 0.
    pub sequence: u32,
}

impl<'m> Message<'m> {
    /// The first message of its direction, without header signing. For tests of providers.
    #[must_use]
    pub fn new(level: AuthLevel, header: &'m [u8], body: &'m mut [u8], trailer: &'m [u8]) -> Self {
        Self { header, body, trailer, level, header_signing: false, sequence: 0 }
    }
}

/// The security provider has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityFailure(
    /// What a fault says.
    pub Status,
);

/// Where a security context stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Building,
    Ready,
    Failed(Status),
}

/// A security context with its counters.
pub(crate) struct Context<S> {
    pub(crate) key: ContextKey,
    pub(crate) provider: S,
    pub(crate) stage: Stage,
    sent: u32,
    received: u32,
}

impl<S: Security> Context<S> {
    pub(crate) fn new(key: ContextKey, provider: S) -> Self {
        Self { key, provider, stage: Stage::Building, sent: 0, received: 0 }
    }

    pub(crate) fn step(&mut self, token: &[u8]) -> Result<Step, SecurityFailure> {
        let step = self.provider.step(token);
        self.stage = match &step {
            Ok(Step { done: true, .. }) => Stage::Ready,
            Ok(_) => Stage::Building,
            Err(SecurityFailure(status)) => Stage::Failed(*status),
        };
        step
    }

    /// A verifier that carries a token of the exchange; `None` without token.
    pub(crate) fn carry(&self, token: Vec<u8>, body_len: usize) -> Option<Verifier<'static>> {
        let padding = crate::wire::padding(body_len, 4);
        (!token.is_empty()).then(|| self.verifier(padding, token.into()))
    }

    fn verifier(&self, padding: usize, token: Blob<'static>) -> Verifier<'static> {
        let ContextKey { auth_type, auth_level, context_id } = self.key;
        Verifier { padding: zeros(padding), auth_type, auth_level, reserved: 0, context_id, token }
    }

    /// Verifies a request or response and decrypts its stub data, which begin at `stub`.
    pub(crate) fn open(
        &mut self,
        header: &CommonHeader,
        stub: usize,
        pdu: &mut [u8],
        header_signing: bool,
    ) -> Result<(), SecurityFailure> {
        if !self.key.auth_level.is_protected() {
            return Ok(());
        }
        let (message, signature) = self.split(pdu, stub, usize::from(header.auth_length))?;
        let mut message = Message { header_signing, sequence: self.received, ..message };
        self.provider.verify(&mut message, signature)?;
        self.received = self.received.wrapping_add(1);
        Ok(())
    }

    /// Signs an encoded PDU whose token is `len` zeros, and puts the signature there.
    fn seal(
        &mut self,
        pdu: &mut [u8],
        stub: usize,
        len: usize,
        header_signing: bool,
    ) -> Result<(), SecurityFailure> {
        let (message, room) = self.split(pdu, stub, len)?;
        let mut message = Message { header_signing, sequence: self.sent, ..message };
        let signature = self.provider.protect(&mut message)?;
        // What a signature leaves of its room stays zero ([MS-RPCE] 2.2.2.11).
        let room = room.get_mut(..signature.len()).ok_or(PACKAGE)?;
        room.copy_from_slice(&signature);
        self.sent = self.sent.wrapping_add(1);
        Ok(())
    }

    fn split<'m>(
        &self,
        pdu: &'m mut [u8],
        stub: usize,
        signature: usize,
    ) -> Result<(Message<'m>, &'m mut [u8]), SecurityFailure> {
        let end = pdu.len().checked_sub(signature).ok_or(PACKAGE)?;
        let (pdu, signature) = pdu.split_at_mut_checked(end).ok_or(PACKAGE)?;
        let trailer = pdu.len().checked_sub(verifier::LEN).ok_or(PACKAGE)?;
        let (pdu, trailer) = pdu.split_at_mut_checked(trailer).ok_or(PACKAGE)?;
        let (header, body) = pdu.split_at_mut_checked(stub).ok_or(PACKAGE)?;
        let level = self.key.auth_level;
        Ok((Message { header, body, trailer, level, header_signing: false, sequence: 0 }, signature))
    }
}

const PACKAGE: SecurityFailure = SecurityFailure(Status::SEC_PKG_ERROR);

/// Why a request or response could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendError {
    Security(SecurityFailure),
    Encode(EncodeError),
    NoRoom,
}

impl From<SecurityFailure> for SendError {
    fn from(failure: SecurityFailure) -> Self {
        Self::Security(failure)
    }
}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// How a request or response is sent.
pub(crate) struct Sending {
    pub(crate) call_id: u32,
    pub(crate) flags: Flags,
    pub(crate) object: bool,
    pub(crate) max_fragment: u16,
    pub(crate) header_signing: bool,
    /// Bytes at the end of the stub data that stay in one fragment.
    pub(crate) keep: usize,
}

impl Sending {
    /// Writes all fragments; `body` makes the body of each.
    pub(crate) fn write<'s, S: Security>(
        &self,
        stub: &'s [u8],
        mut context: Option<&mut Context<S>>,
        body: impl Fn(u32, Blob<'s>) -> Body<'s>,
    ) -> Result<Vec<u8>, SendError> {
        let token = context.as_ref().map_or(0, |context| context.provider.signature_len());
        let pieces = Pieces::new(stub, self.max_fragment, self.object, token).ok_or(SendError::NoRoom)?;
        let start = if self.object { 40 } else { 24 };
        // What headers and signatures add is nearly always less than a sixteenth.
        let mut out = Vec::with_capacity(stub.len().saturating_add(stub.len() / 16).saturating_add(128));
        for Piece { flags, alloc_hint, stub } in pieces.keeping(self.keep) {
            let mut pdu = Pdu::new(self.flags.with(flags), self.call_id, body(alloc_hint, stub.into()));
            pdu.verifier = context.as_ref().map(|c| c.verifier(Pieces::padding(stub.len()), zeros(token)));
            let from = out.len();
            pdu.check()?;
            pdu.write(&mut out);
            if let Some(context) = &mut context {
                let pdu = out.get_mut(from..).unwrap_or_default();
                context.seal(pdu, start, token, self.header_signing)?;
            }
        }
        Ok(out)
    }
}

pub(crate) fn zeros(len: usize) -> Blob<'static> {
    core::iter::repeat_n(0, len).collect::<Vec<u8>>().into()
}
