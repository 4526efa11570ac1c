#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod ack;
mod base;
mod build;
mod connection;
mod extra;
mod ids;
mod message;
mod multi;
mod names;
mod packet;
mod ping;
mod properties;
mod queue;
mod remote;
mod remote_extra;
mod security;
mod session;
mod stream;
mod transaction;
mod user;
mod wire;

pub use ack::{Acknowledgment, FinalAck, ORDER_LABEL, ORDER_QUEUE, ORDER_QUEUE_ID, OrderAck};
pub use base::{BaseFlags, BaseHeader, INFINITE, MAX_PACKET};
pub use connection::{
    ConnectionParameters, EstablishConnection, InternalFlags, InternalHeader, OperatingSystem, SessionAck,
};
pub use extra::{DebugFlags, DebugHeader, SoapHeader};
pub use ids::{MessageIdentifier, TxSequenceId};
pub use message::UserMessage;
pub use multi::{AddressHeader, FormatName, FormatNameElement, MultiQueueFormatHeader, SignatureHeader};
pub use names::{
    AddressHeaderId, AddressType, DeliveryMode, EncryptionAlgorithm, FormatType, HashAlgorithm, MessageClass,
    PacketType, PrivacyLevel, QueueType, SenderIdType,
};
pub use packet::Packet;
pub use ping::{Ping, PingFlags};
pub use properties::{AcknowledgmentFlags, MAX_LABEL, MessagePropertiesHeader};
pub use queue::{DirectName, QueueName};
pub use remote::{ExtensionFlags, ExtensionHeader, MessagePacket};
pub use remote_extra::{
    CompoundMessageHeader, DeadLetterHeader, ExtendedAddressHeader, SrmpEnvelopeHeader, SrmpHeaders,
    SubqueueHeader, SubqueueState,
};
pub use security::{SecurityFlags, SecurityHeader, SecurityItem};
pub use session::SessionHeader;
pub use stream::{PacketBuffer, packet_len};
pub use transaction::{TransactionFlags, TransactionHeader};
pub use user::{UserFlags, UserHeader};
pub use wire::Padding;

/// TCP port of sessions ([MS-MQQB] 2.1.1).
pub const TCP_PORT: u16 = 1801;
/// UDP port of pings ([MS-MQQB] 2.1.2).
pub const PING_PORT: u16 = 3527;
