//! What can go wrong at a client.

use std::fmt;
use std::io;

use dce_rpc::{Misuse, Reason, Refusal, Status};

/// Why a connection, an interface or a call was not to be had. Holds no secret and no byte of a peer.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The network failed.
    #[error("the network failed: {0}")]
    Io(io::ErrorKind),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The server does not take the interface or the security context.
    #[error("the server refuses: {}", refusal(.0))]
    Refused(Refusal),
    /// The call failed at the server. A fault is never signed: anyone on the way may have made it.
    #[error("the call failed with status {0}")]
    Fault(Status),
    /// The security provider failed: credentials that it cannot use, a KDC that says no, a server that proves nothing.
    #[error("the security provider failed: {0}")]
    Security(SecurityCode),
    /// The connection is over.
    #[error("the connection is over ({0:?})")]
    Closed(Reason),
    /// The request does not fit the connection: limits, sizes.
    #[error("{0}")]
    Misuse(Misuse),
    /// The mechanism cannot do the level: Kerberos does packet privacy only.
    #[error("the mechanism does not do this level of protection")]
    UnsupportedLevel,
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

fn refusal(why: &Refusal) -> String {
    match why {
        Refusal::Bind(reason) => format!("bind_nak, {reason}"),
        Refusal::Context(result, reason) => format!("{result}, {reason}"),
        Refusal::Fault(status) => format!("fault {status}"),
        _ => String::from("for another reason"),
    }
}

/// A status of a security provider, one of the codes SEC_E_.. ([MS-ERREF] 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityCode(
    /// The code.
    pub u32,
);

impl SecurityCode {
    /// SEC_E_LOGON_DENIED.
    pub const LOGON_DENIED: Self = Self(0x8009_030C);
    /// SEC_E_INVALID_TOKEN.
    pub const INVALID_TOKEN: Self = Self(0x8009_0308);
    /// SEC_E_MESSAGE_ALTERED: a signature is wrong.
    pub const MESSAGE_ALTERED: Self = Self(0x8009_030F);
    /// SEC_E_NO_AUTHENTICATING_AUTHORITY: no KDC answers.
    pub const NO_AUTHENTICATING_AUTHORITY: Self = Self(0x8009_0311);
    /// SEC_E_NO_CREDENTIALS.
    pub const NO_CREDENTIALS: Self = Self(0x8009_030E);
    /// SEC_E_INTERNAL_ERROR; also when nothing more is known.
    pub const INTERNAL_ERROR: Self = Self(0x8009_0304);

    /// The name of the code, `None` when it has none here.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::LOGON_DENIED => "SEC_E_LOGON_DENIED",
            Self::INVALID_TOKEN => "SEC_E_INVALID_TOKEN",
            Self::MESSAGE_ALTERED => "SEC_E_MESSAGE_ALTERED",
            Self::NO_AUTHENTICATING_AUTHORITY => "SEC_E_NO_AUTHENTICATING_AUTHORITY",
            Self::NO_CREDENTIALS => "SEC_E_NO_CREDENTIALS",
            Self::INTERNAL_ERROR => "SEC_E_INTERNAL_ERROR",
            _ => return None,
        })
    }
}

/// Only the code: texts of the provider may quote what it was given.
impl From<sspi::Error> for SecurityCode {
    fn from(error: sspi::Error) -> Self {
        Self(error.error_type as u32)
    }
}

impl fmt::Display for SecurityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for SecurityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityCode({self})")
    }
}
