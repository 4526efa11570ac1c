//! Who calls.

use alloc::string::String;
use core::fmt;

/// An account. What a client names as domain proves nothing where the server's account has none. Windows does not tell upper and lower case apart in names, and so does not this:
/// two spellings are one account.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Domain; may be empty.
    pub domain: String,
    /// User.
    pub user: String,
}

impl Identity {
    /// An account.
    #[must_use]
    pub fn new(domain: &str, user: &str) -> Self {
        Self { domain: domain.into(), user: user.into() }
    }

    /// Whether it stands for an account in a list: one without domain stands for that user of any domain.
    #[must_use]
    pub fn covers(&self, account: &Self) -> bool {
        same_name(&self.user, &account.user)
            && (self.domain.is_empty() || same_name(&self.domain, &account.domain))
    }

    /// The spelling that all spellings have in common.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self { domain: self.domain.to_lowercase(), user: self.user.to_lowercase() }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        same_name(&self.domain, &other.domain) && same_name(&self.user, &other.user)
    }
}

impl Eq for Identity {}

/// `DOMAIN\user`, or `user` without a domain.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.domain.is_empty() {
            write!(f, "{}\\", self.domain)?;
        }
        f.write_str(&self.user)
    }
}

/// Whether two names are the same but for upper and lower case.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
