#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod message;
mod verdict;

pub use message::{
    AckFlags, DeliveryGuarantee, EncryptionAlgorithm, HashAlgorithm, MessageClass, MessageId, MessageIdError,
    PrivacyLevel, Properties, QueueMessage, Received, Sender, SenderIdType, SignatureLevel, Timestamp,
};
pub use verdict::{DeadReason, Verdict};
