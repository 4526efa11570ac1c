#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod container;
mod header;
mod message;
mod names;
mod object;
mod order;
mod reader;
mod recording;
mod rules;
mod security;
mod sid;
mod sink;
mod walk;

use uuid::{Uuid, uuid};

pub use container::{Container, TargetForm};
pub use header::{Header, Method, SecurityHeader};
pub use message::Message;
pub use names::{
    AuthenticationLevel, AuthenticationService, CollectionType, ImpersonationLevel, PropertyType, Signature,
    Style,
};
pub use object::ObjectReference;
pub use reader::{Call, Reader, Security};
pub use recording::{RecordedCall, Recording, Writer};
pub use rules::{check_extension, rule_of};
pub use security::{Collection, Property, PropertyValue, SecurityData};
pub use sid::{Sid, SidError};

/// The value of the MSMQ property Extension that marks a queued component message ([MC-COMQC] 2.1); on the wire in
/// packet form, see [`check_extension`].
///
/// The glossary of 1.9 calls this GUID "Message Signature", which is the name of the field that holds
/// [`CONTAINER_GUID`]: the constants here are named by the place where they stand.
pub const MSMQ_EXTENSION_GUID: Uuid = uuid!("1664bcfb-1751-11d2-b58e-00e0290e6c31");
/// The field Message Signature of the container header ([MC-COMQC] 2.2.2, where one hyphen is missing in print).
pub const CONTAINER_GUID: Uuid = uuid!("71bbdb83-fc41-11d0-b764-0080c7ec3fc1");
/// The field Structure ID of the call target identifier ([MC-COMQC] 2.2.2.1).
pub const TARGET_STRUCTURE_GUID: Uuid = uuid!("ecabafc6-7f19-11d2-978e-0000f8757e2a");
/// `IDispatch` ([MS-OAUT] 1.9): calls on it carry dispatch marshaling, all others NDR ([MC-COMQC] 2.2.6.1).
pub const IID_IDISPATCH: Uuid = uuid!("00020400-0000-0000-c000-000000000046");
/// The partition every COM+ computer has ([MS-COMA] 1.9), a usual value of [`Header::Partition`].
pub const GLOBAL_PARTITION: Uuid = uuid!("41e90f3e-56c1-4633-81c3-6e8bac8bdd70");
