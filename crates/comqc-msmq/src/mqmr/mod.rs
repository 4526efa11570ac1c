//! qmmgmt ([MS-MQMR]): which queues another queue manager has, and how many messages are in them.

mod client;
mod idl;
mod server;

pub use client::{Management, QueueInfo};
pub use idl::*;
pub(crate) use server::answer;
