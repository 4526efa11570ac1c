//! What goes into an association and what comes out, for both sides.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use remassist_core::{DecodeError, Time};

use crate::names::Status;
use crate::reassembly::ReassemblyError;
use crate::security::{SecurityFailure, SendError};
use crate::syntax::Features;

/// What a driver tells an association.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// Bytes that arrived, cut anywhere.
    Data(&'a [u8]),
    /// The connection is gone.
    ConnectionLost,
    /// Time has passed. Due at the time that [`Output::Wait`] names; earlier or later does no harm.
    Tick,
}

/// What an association wants of its driver.
#[non_exhaustive]
#[must_use = "dropping an output loses bytes or an event"]
#[derive(PartialEq, Eq)]
pub enum Output<E> {
    /// Send these bytes, after all that came before.
    Send(Vec<u8>),
    /// Something that the program wants to know.
    Event(E),
    /// Close the connection after all was sent; nothing follows but [`Output::Wait`].
    Close(Reason),
    /// There is nothing more. Call `handle(now, Input::Tick)` at this time at the latest.
    Wait(Option<Time>),
}

/// Bytes are counted, not shown.
impl<E: fmt::Debug> fmt::Debug for Output<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
            Self::Close(reason) => f.debug_tuple("Close").field(reason).finish(),
            Self::Wait(time) => f.debug_tuple("Wait").field(time).finish(),
        }
    }
}

/// Why a connection is over.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This side closed it.
    Local,
    /// The connection is gone.
    ConnectionLost,
    /// What came is no PDU.
    Undecodable(DecodeError),
    /// Fragments do not fit together.
    Fragments(ReassemblyError),
    /// A PDU came that the peer may not send in this state.
    OutOfSequence,
    /// A response that had to be protected was not, or by another security context.
    Unprotected,
    /// The security provider failed: a wrong signature, or a failed exchange.
    Security(Status),
    /// The peer answered nothing in time.
    TimedOut,
    /// More waits to be taken with `poll` than the limits allow.
    Overflow,
    /// What was to be sent cannot be written.
    Unwritable,
}

/// A call that does not fit the state of the association. Nothing was changed, unless the security provider failed: then
/// the connection is closed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The connection is over.
    #[error("the connection is over")]
    Closed,
    /// Contexts are being negotiated already.
    #[error("contexts are being negotiated already")]
    Negotiating,
    /// There is no such presentation context, or the server has not accepted it.
    #[error("no such presentation context")]
    UnknownContext,
    /// There is no such security context, or it is not built, or it was asked for twice.
    #[error("no such security context")]
    UnknownSecurity,
    /// There is no such call.
    #[error("no such call")]
    UnknownCall,
    /// More calls or contexts at a time than the limits allow, or than the server can take.
    #[error("too many calls or contexts at a time")]
    TooMany,
    /// The status may not be sent ([MS-RPCE] 3.3.3.5.1).
    #[error("a status that no server may send")]
    ForbiddenStatus,
    /// The security provider does not do what is asked.
    #[error("the security provider failed")]
    Security,
    /// What was to be sent cannot be written.
    #[error("cannot be written")]
    Unwritable,
}

/// Sizes and features of an association.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The largest fragment sent and asked for, in bytes; at least [`MUST_RECV_FRAG_SIZE`](crate::MUST_RECV_FRAG_SIZE).
    pub max_fragment: u16,
    /// Stub data of one request or response, in bytes. A client holds that much for each call under way, a server for
    /// one call that is coming in and for those that were not taken with `poll` yet.
    pub max_stub: usize,
    /// Calls at a time.
    pub max_calls: usize,
    /// Presentation contexts.
    pub max_contexts: usize,
    /// Security contexts; at most 2,000 at a client ([MS-RPCE] 3.3.1.5.4).
    pub max_security: usize,
    /// Features offered or granted.
    pub features: Features,
    /// Client: how long an answer may take ([MS-RPCE] 3.3.2.1.5).
    pub timeout: Option<Duration>,
}

impl Default for Options {
    /// 5,840 bytes, 4 MiB, 64 calls, 256 presentation and 128 security contexts, all features, 15 minutes.
    fn default() -> Self {
        Self {
            max_fragment: 5840,
            max_stub: 4 << 20,
            max_calls: 64,
            max_contexts: 256,
            max_security: 128,
            features: Features::ALL,
            timeout: Some(Duration::from_secs(900)),
        }
    }
}

/// Outputs that wait at most.
const MAX_OUTPUTS: usize = 4096;

/// Outputs in their order.
pub(crate) struct Queue<E> {
    waiting: VecDeque<Output<E>>,
    pub(crate) closed: bool,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self { waiting: VecDeque::new(), closed: false }
    }

    pub(crate) fn push(&mut self, output: Output<E>) {
        if self.closed {
            return;
        }
        if self.waiting.len() >= MAX_OUTPUTS {
            return self.close(Reason::Overflow);
        }
        self.waiting.push_back(output);
    }

    pub(crate) fn event(&mut self, event: E) {
        self.push(Output::Event(event));
    }

    pub(crate) fn close(&mut self, reason: Reason) {
        if !self.closed {
            self.waiting.push_back(Output::Close(reason));
            self.closed = true;
        }
    }

    /// What a caller is told when a call could not be written. A provider that failed has used up sequence numbers.
    pub(crate) fn unsent(&mut self, error: SendError) -> Misuse {
        match error {
            SendError::Security(SecurityFailure(status)) => {
                self.close(Reason::Security(status));
                Misuse::Security
            }
            SendError::Encode(_) | SendError::NoRoom => Misuse::Unwritable,
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output<E>> {
        self.waiting.pop_front()
    }
}
