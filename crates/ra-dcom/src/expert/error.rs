//! What can go wrong for an expert.

use std::fmt;

use remassist_core::DecodeError;
use rpc_net::{Refusal, RejectReason, SecurityCode, Status};

use crate::calls::Method;
use crate::{ErrorStatus, HResult};

/// Why an expert gets no answer, or not the one it wants. Holds no secret and no byte of a peer.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpertError {
    /// The machine cannot be reached.
    Connecting(rpc_net::Error),
    /// The network, the RPC runtime of the server, or the logon.
    Rpc {
        /// Of which call, or for which one.
        call: Method,
        /// What happened.
        error: rpc_net::Error,
    },
    /// The call was made and says no.
    Call {
        /// Which call.
        call: Method,
        /// What it says.
        hresult: HResult,
    },
    /// The resolver says no.
    Resolver {
        /// Which call.
        call: Method,
        /// What it says.
        status: ErrorStatus,
    },
    /// The answer cannot be read.
    Answer {
        /// Of which call.
        call: Method,
        /// Where it is wrong.
        error: DecodeError,
    },
    /// The answer can be read and makes no sense.
    Protocol {
        /// Of which call.
        call: Method,
        /// What is wrong.
        rule: &'static str,
    },
    /// The novice's machine speaks another major version of DCOM.
    Version,
    /// None of the addresses that the novice's machine tells for its objects can be reached.
    Unreachable {
        /// How many were tried.
        tried: usize,
    },
    /// What was to be sent cannot be written.
    Unwritable,
    /// The system gives no random bytes.
    NoRandom,
}

impl ExpertError {
    /// Whether another interface of the same machine, with the same account, would say the same: the logon has failed, the
    /// helper may not ask, a policy forbids it, help is running already. Then nothing else is tried ([MS-RAI] 1.7 has an
    /// expert try IPCHService when IRASrv fails), so that the user sees why.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Call { hresult, .. } => matches!(
                *hresult,
                HResult::E_ACCESSDENIED
                    | HResult::RPC_E_ACCESS_DENIED
                    | HResult::ERROR_ACCESS_DISABLED_BY_POLICY
                    | HResult::ERROR_CANNOT_MAKE
            ),
            Self::Rpc { error, .. } => match error {
                rpc_net::Error::Security(_)
                | rpc_net::Error::Io(_)
                | rpc_net::Error::TimedOut
                | rpc_net::Error::UnsupportedLevel => true,
                _ => self.is_denied(),
            },
            Self::Connecting(_) | Self::Version | Self::NoRandom => true,
            _ => false,
        }
    }

    /// Whether the account, its password or its rights are why.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Call { hresult, .. } => {
                matches!(*hresult, HResult::E_ACCESSDENIED | HResult::RPC_E_ACCESS_DENIED)
            }
            Self::Rpc { error, .. } => match error {
                rpc_net::Error::Fault(status) | rpc_net::Error::Refused(Refusal::Fault(status)) => {
                    *status == Status::ACCESS_DENIED
                }
                // What servers say of a token that is wrong.
                rpc_net::Error::Refused(Refusal::Bind(reason)) => *reason == RejectReason::INVALID_CHECKSUM,
                rpc_net::Error::Security(code) => *code == SecurityCode::LOGON_DENIED,
                _ => false,
            },
            _ => false,
        }
    }
}

impl fmt::Display for ExpertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting(error) => write!(f, "the machine cannot be reached: {error}"),
            Self::Rpc { call, error } if self.is_denied() => write!(f, "{call}: access denied ({error})"),
            Self::Rpc { call, error } => write!(f, "{call}: {error}"),
            Self::Call { call, hresult } => write!(f, "{call}: {hresult}"),
            Self::Resolver { call, status } => write!(f, "{call}: {status}"),
            Self::Answer { call, error } => write!(f, "{call}: the answer cannot be read: {error}"),
            Self::Protocol { call, rule } => write!(f, "{call}: {rule}"),
            Self::Version => f.write_str("the machine speaks another version of DCOM"),
            Self::Unreachable { tried } => {
                write!(f, "none of the {tried} addresses of the machine's objects can be reached")
            }
            Self::Unwritable => f.write_str("the request cannot be written"),
            Self::NoRandom => f.write_str("the system gives no random bytes"),
        }
    }
}

impl std::error::Error for ExpertError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connecting(error) | Self::Rpc { error, .. } => Some(error),
            Self::Call { hresult, .. } => Some(hresult),
            Self::Resolver { status, .. } => Some(status),
            Self::Answer { error, .. } => Some(error),
            _ => None,
        }
    }
}
