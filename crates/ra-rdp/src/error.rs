//! Why a connection fails.

use std::io;

/// Why a connection cannot be made or does not go on. Holds nothing that the peer wrote, so it can be logged.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RdpError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer has closed the connection.
    #[error("the peer has closed the connection")]
    Closed,
    /// The peer does not keep to the protocol.
    #[error("the peer does not keep to RDP: {0}")]
    Protocol(&'static str),
    /// IronRDP does not understand the peer, in the step named.
    #[error("the RDP connection failed in {0}")]
    Connection(&'static str),
    /// The peer does not offer the security that the policy demands.
    #[error("the peer does not offer the security that is demanded")]
    Security,
    /// TLS failed.
    #[error("TLS failed")]
    Tls,
    /// Standard RDP security failed.
    #[cfg(feature = "standard-security")]
    #[error("{0}")]
    Standard(rdp_standard_security::Error),
    /// The invitation is no longer valid.
    #[error("the invitation is no longer valid")]
    Expired,
    /// A step took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The screen can no longer be read.
    #[error("the screen cannot be read: {0}")]
    Display(io::Error),
    /// Input of the expert can no longer be delivered.
    #[error("input cannot be delivered: {0}")]
    Input(io::Error),
    /// The session refuses what it was given.
    #[error("{0}")]
    Session(#[from] ra_session::Misuse),
    /// There is no expert to be had with this configuration and this server.
    #[error("{0}")]
    Expert(#[from] ra_session::ExpertError),
    /// None of the addresses could be connected to.
    #[error("none of {0} addresses can be reached")]
    Unreachable(usize),
    /// The configuration of the session is not usable.
    #[error("{0}")]
    Configuration(&'static str),
}
