//! What MSMQ's protocols over RPC have in common: types of [MS-MQMQ], results, calls, and the queue manager that answers
//! them; `mqrr`, `mqmr` and `mqmp` are the interfaces.

mod access;
mod call;
mod format;
mod handles;
pub(crate) mod macros;
mod manager;
mod mapper;
mod options;
mod packet;
mod propvariant;
mod seat;
mod served;
mod status;
mod types;

pub use access::{Access, AccessList, Nobody, Right, Rights};
pub(crate) use call::{Endpoint, bad_stub, done, read, write};
pub use call::{RpcError, connect};
pub use format::{QueueFormat, QueueFormatId};
pub(crate) use handles::{Handles, Owner};
pub use manager::{QueueFactory, QueueManager};
pub use mapper::{ENDPOINT_MAPPER, EndpointMapper, map};
pub use options::{ManagerLimits, ManagerOptions};
pub use packet::{PackError, Packed, pack, unpack};
pub use propvariant::PropVariant;
pub(crate) use propvariant::counts_agree;
pub(crate) use seat::{Seat, deadline, failed};
pub use served::ServedQueue;
pub(crate) use served::{Served, Target};
pub use status::MqStatus;
pub use types::{ContextHandle, Nothing, ObjectId, Octets, StatusOnly, Text, XactUow};
