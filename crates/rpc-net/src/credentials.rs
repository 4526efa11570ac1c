//! Who a client is, and how it proves that.

use dce_rpc::AuthType;
use remassist_core::Secret;

/// An account with its password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Domain; with Kerberos the realm. Empty for an account of the server.
    pub domain: String,
    /// User.
    pub user: String,
    /// Password.
    pub password: Secret<String>,
}

impl Credentials {
    /// An account with its password.
    #[must_use]
    pub fn new(domain: impl Into<String>, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { domain: domain.into(), user: user.into(), password: Secret::new(password.into()) }
    }
}

/// How a client proves who it is.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mechanism {
    /// NTLM by itself: auth_type 10.
    #[default]
    Ntlm,
    /// NTLM inside SPNEGO: auth_type 9.
    Negotiate,
    /// Kerberos by itself: auth_type 16. Does packet privacy only.
    Kerberos {
        /// Where the KDC is: `host`, `host:port`, `tcp://host:port` or `udp://host:port`.
        kdc: String,
        /// The service principal: `host/server.example.com`.
        service: String,
    },
}

impl Mechanism {
    pub(crate) const fn auth_type(&self) -> AuthType {
        match self {
            Self::Ntlm => AuthType::WINNT,
            Self::Negotiate => AuthType::GSS_NEGOTIATE,
            Self::Kerberos { .. } => AuthType::GSS_KERBEROS,
        }
    }
}
