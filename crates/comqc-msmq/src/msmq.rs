//! Queues of MSMQ on other machines, and queues here for senders that use it.

mod direct;

pub use direct::DirectQueue;
