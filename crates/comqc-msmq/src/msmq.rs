//! Queues of MSMQ on other machines, and queues here for senders that use it.

mod acceptor;
mod direct;
mod intake;
mod map;
mod sender;
mod wire;

pub use acceptor::{Accepted, Acceptor, AcceptorOptions, Network};
pub use direct::DirectQueue;
pub use intake::{Served, ServedTarget};
pub use msmq_session::{AckRoute, ResendSchedule};
pub use sender::{Sender, SenderOptions, Sent};
