//! What a server tells of itself.

use std::net::SocketAddr;

use dce_rpc::{AuthLevel, AuthType, Reason, SyntaxId};

use crate::accounts::AccountsError;
use crate::server::Caller;

/// Takes what happens at a server. Called in the tasks of connections: it must not wait.
pub trait Audit: Send + Sync + 'static {
    /// Something has happened.
    fn event(&self, event: &AuditEvent);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn event(&self, _event: &AuditEvent) {}
}

/// What happens at a server. Names are those that the client gave, at most 256 characters of each; there is no secret.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditEvent {
    /// A connection was accepted.
    Connected {
        /// From where.
        peer: SocketAddr,
        /// Where.
        local: SocketAddr,
    },
    /// A connection was closed at once.
    ConnectionRefused {
        /// From where.
        peer: SocketAddr,
        /// Why.
        why: RefusedConnection,
    },
    /// A security context has its first message verified: the caller is who it says.
    LoggedOn {
        /// From where.
        peer: SocketAddr,
        /// Who.
        caller: Caller,
        /// How.
        auth_type: AuthType,
    },
    /// A logon failed.
    LogonRefused {
        /// From where.
        peer: SocketAddr,
        /// The domain that the client named; empty when it did not come so far.
        domain: String,
        /// The user that the client named; empty when it did not come so far.
        user: String,
        /// Why.
        why: RefusedLogon,
    },
    /// A call was answered with fault 5 because of its level.
    CallRefused {
        /// From where.
        peer: SocketAddr,
        /// The interface.
        interface: SyntaxId,
        /// The operation.
        opnum: u16,
        /// What protected the call.
        level: AuthLevel,
    },
    /// A service panicked; the client got a fault.
    CallPanicked {
        /// The interface.
        interface: SyntaxId,
        /// The operation.
        opnum: u16,
    },
    /// A connection is over.
    Disconnected {
        /// From where.
        peer: SocketAddr,
        /// Why.
        why: Reason,
    },
}

/// Why a connection was refused.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedConnection {
    /// There are too many.
    #[error("too many connections")]
    TooMany,
    /// There are too many from this address.
    #[error("too many connections from this address")]
    TooManyFromAddress,
    /// Too many logons from this address failed.
    #[error("too many failed logons from this address")]
    FailedLogons,
}

/// Why a logon was refused.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedLogon {
    /// No such account, or another password. Which of them is not told, not even here.
    #[error("no such account, or another password")]
    WrongCredentials,
    /// The first signature is wrong.
    #[error("a wrong signature")]
    WrongSignature,
    /// Nobody: a logon without user.
    #[error("a logon without user")]
    Anonymous,
    /// What came is no token, or does not offer what is asked for.
    #[error("no token, or not one of what is asked for")]
    BadToken,
    /// Too many logons from this address failed.
    #[error("too many failed logons from this address")]
    FailedLogons,
    /// The accounts cannot be read.
    #[error("{0}")]
    Accounts(AccountsError),
}
