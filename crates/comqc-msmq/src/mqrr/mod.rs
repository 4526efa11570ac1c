//! RemoteRead ([MS-MQRR]): receiving from the queues of another queue manager, and letting others receive from ours.

mod client;
mod idl;
#[cfg(feature = "sqlite")]
mod mover;
mod remote;
mod section;
mod server;

pub use client::{Picked, RemoteRead, StartReceive};
pub use idl::*;
#[cfg(feature = "sqlite")]
pub use mover::{Moved, Mover};
pub use remote::{RemoteOptions, RemoteQueue};
pub use section::{join, sections};
pub(crate) use server::Server;
