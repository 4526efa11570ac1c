//! What a queue manager is, and what it may take.

use std::time::Duration;

use comqc_session::Name;
use rpc_net::AuthLevel;
use uuid::Uuid;

/// How a [`QueueManager`](super::QueueManager) presents itself.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct ManagerOptions {
    /// The name of this computer, as it stands in path names and direct format names.
    pub computer: Name,
    /// Other names by which clients call it.
    pub aliases: Vec<Name>,
    /// The GUID of this queue manager: of the machine in format names of private queues.
    pub machine: Uuid,
    /// The least protection of a call; less than packet integrity is taken for that.
    pub minimum_level: AuthLevel,
    /// Whether RemoteRead ([MS-MQRR]) is served.
    pub remote_read: bool,
    /// Whether qmmgmt ([MS-MQMR]) is served.
    pub management: bool,
    /// Whether qmcomm and qmcomm2 ([MS-MQMP]) are served.
    pub client_protocol: bool,
    /// Whether actions of management (R_QMMgmtAction TIDY) are done; otherwise they are refused.
    pub actions: bool,
    /// Limits.
    pub limits: ManagerLimits,
}

impl ManagerOptions {
    /// A queue manager of this name and GUID: packet privacy, RemoteRead and qmmgmt, no actions.
    #[must_use]
    pub fn new(computer: Name, machine: Uuid) -> Self {
        Self {
            computer,
            aliases: Vec::new(),
            machine,
            minimum_level: AuthLevel::PRIVACY,
            remote_read: true,
            management: true,
            client_protocol: false,
            actions: false,
            limits: ManagerLimits::default(),
        }
    }
}

/// What the callers of a queue manager may take.
#[non_exhaustive]
#[derive(Debug, Clone, Copy)]
pub struct ManagerLimits {
    /// Open queues, all callers together.
    pub handles: usize,
    /// Open queues of one account.
    pub handles_per_caller: usize,
    /// Cursors of one open queue.
    pub cursors: usize,
    /// Requests of one open queue that wait, or whose message is not acknowledged.
    pub pending: usize,
    /// How long a message that was handed out waits for its R_EndReceive; then it is given back ([MS-MQRR] 3.1.2.2).
    pub acknowledge_within: Duration,
    /// How long a request may wait for a message; one that wants to wait longer is told that time is over.
    pub wait: Duration,
    /// Queues, when callers may create some.
    pub queues: usize,
}

impl Default for ManagerLimits {
    /// 1,024 open queues, 64 of one account, 16 cursors and 16 requests each; 5 minutes to acknowledge, an hour to wait, 1,024
    /// queues.
    fn default() -> Self {
        Self {
            handles: 1024,
            handles_per_caller: 64,
            cursors: 16,
            pending: 16,
            acknowledge_within: Duration::from_secs(300),
            wait: Duration::from_secs(3600),
            queues: 1024,
        }
    }
}
