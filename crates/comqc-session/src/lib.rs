#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod format_names;
mod message;
mod moniker;
mod names;
mod object;
mod playback;
mod played;
mod player;
mod policy;
mod scheme;
mod verdict;

pub use format_names::{Address, DirectName, DirectQueue, FormatName, FormatNames, MachineQueue};
pub use message::{
    AckFlags, DeliveryGuarantee, EncryptionAlgorithm, HashAlgorithm, MessageClass, MessageId, MessageIdError,
    PrivacyLevel, Properties, QueueMessage, Received, Sender, SenderIdType, SignatureLevel, Timestamp,
};
pub use moniker::{Destination, Lifetime, MonikerClass, MonikerError, QueueMoniker};
pub use names::{LocalName, Member, Name, NameError, PathName, QueueName};
pub use object::{Object, ObjectCodecs, ObjectError};
pub use playback::{AfterFailure, CallError, Component, Playback, PlaybackKind};
pub use played::PlayedCall;
pub use player::{Player, PlayerOptions};
pub use policy::{AuthenticatedSender, Claims, PlayUnauthenticated, Refused, SecurityPolicy};
pub use scheme::RetryScheme;
pub use verdict::{DeadReason, Verdict};
