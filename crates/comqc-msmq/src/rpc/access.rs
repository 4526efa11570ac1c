//! Who may do what.

use comqc_session::LocalName;
use rpc_net::Caller;

/// What a caller wants to do ([MS-MQMQ] 2.2.24 has the rights of Windows).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Look at messages.
    Peek,
    /// Take messages out, and purge.
    Receive,
    /// Put messages in.
    Send,
    /// Ask for properties, counts and names.
    Query,
    /// Create and delete queues, and actions of management.
    Manage,
}

/// Decides for each call which account may do what. Who calls was proved by the signature of the call.
pub trait Access: Send + Sync + 'static {
    /// Whether the caller may do this to a queue; with `None` to the queue manager as a whole.
    fn allows(&self, caller: &Caller, queue: Option<&LocalName>, right: Right) -> bool;
}

/// Nobody may do anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Access for Nobody {
    fn allows(&self, _: &Caller, _: Option<&LocalName>, _: Right) -> bool {
        false
    }
}

/// Several rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    bits: u8,
}

impl Rights {
    /// None.
    pub const NONE: Self = Self { bits: 0 };
    /// Peek, receive and query.
    pub const READ: Self = Self::NONE.with(Right::Peek).with(Right::Receive).with(Right::Query);
    /// Send and query.
    pub const SEND: Self = Self::NONE.with(Right::Send).with(Right::Query);
    /// All.
    pub const ALL: Self = Self { bits: 0x1F };

    const fn bit(right: Right) -> u8 {
        match right {
            Right::Peek => 1,
            Right::Receive => 2,
            Right::Send => 4,
            Right::Query => 8,
            Right::Manage => 16,
        }
    }

    /// These, and one more.
    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self { bits: self.bits | Self::bit(right) }
    }

    /// Whether a right is among them.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.bits & Self::bit(right) != 0
    }
}

/// Accounts with their rights; who is not in the list may do nothing.
#[derive(Debug, Clone, Default)]
pub struct AccessList(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    domain: Option<String>,
    user: String,
    queue: Option<LocalName>,
    rights: Rights,
}

impl AccessList {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives an account rights on one queue, or with `None` on all queues and the queue manager. The account is `user` (in
    /// any domain) or `DOMAIN\user`, compared without regard to case.
    #[must_use]
    pub fn with(mut self, account: &str, queue: Option<LocalName>, rights: Rights) -> Self {
        let (domain, user) = match account.split_once('\\') {
            Some((domain, user)) => (Some(domain.to_lowercase()), user),
            None => (None, account),
        };
        self.0.push(Entry { domain, user: user.to_lowercase(), queue, rights });
        self
    }
}

impl Access for AccessList {
    fn allows(&self, caller: &Caller, queue: Option<&LocalName>, right: Right) -> bool {
        let (domain, user) = (caller.domain.to_lowercase(), caller.user.to_lowercase());
        self.0.iter().any(|entry| {
            entry.user == user
                && entry.domain.as_ref().is_none_or(|named| *named == domain)
                && entry.queue.as_ref().is_none_or(|named| Some(named) == queue)
                && entry.rights.has(right)
        })
    }
}
