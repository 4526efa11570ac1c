//! qmcomm and qmcomm2 ([MS-MQMP]): the interface of programs to a queue manager.
//!
//! On today's Windows no server answers most of it: all methods but a few fail unless the queue manager is a supporting server
//! ([MS-MQMP] 3.1.4, 3.1.5), which Windows Server 2003, 2008 and 2008 R2 are not by default, and later ones not at all, and 1.6
//! calls the protocol deprecated. Here it is for programs that speak it, with our queue manager as the server, and for old
//! servers.
//!
//! It has no acknowledgement: a message that was received is gone, even when the answer with it is lost on the way. Use
//! [`mqrr`](crate::mqrr) where no message may be lost.

mod buffer;
mod client;
mod idl;
mod message;
mod server;

pub use buffer::{
    CacTransferBufferV1, CacTransferBufferV2, CreateRemoteCursor, ReceiveArm, SendArm, Transfer,
    VaryingOctets, VaryingUnits,
};
pub use client::{OpenQueue, QueueManagerClient, ReceiveFrom};
pub use idl::*;
pub use message::read_received;
pub(crate) use server::Server;
