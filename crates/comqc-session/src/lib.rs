#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod dispatch;
mod format_names;
mod interface;
mod message;
mod moniker;
mod names;
mod object;
#[cfg(feature = "serde")]
mod plain;
mod playback;
mod played;
mod player;
mod policy;
mod record;
mod recorder;
mod scheme;
mod shown;
mod tree;
mod types;
mod value;
mod verdict;
mod written;

pub use dispatch::{Argument, Invocation, MethodKind};
pub use format_names::{Address, DirectName, DirectQueue, FormatName, FormatNames, MachineQueue};
pub use interface::{
    ArgumentError, Direction, Interface, InterfaceError, InterfaceProblem, Method, NotQueueable, Parameter,
};
pub use message::{
    AckFlags, DeliveryGuarantee, EncryptionAlgorithm, HashAlgorithm, MessageClass, MessageId, MessageIdError,
    PrivacyLevel, Properties, QueueMessage, Received, Sender, SenderIdType, SignatureLevel, Timestamp,
};
pub use moniker::{Destination, Lifetime, MonikerClass, MonikerError, QueueMoniker};
pub use names::{LocalName, Member, Name, NameError, PathName, QueueName};
pub use object::{Object, ObjectCodecs, ObjectError};
pub use playback::{AfterFailure, CallError, Component, Playback, PlaybackKind};
pub use played::{NamedCall, PlayedCall};
pub use player::{Player, PlayerOptions};
pub use policy::{AuthenticatedSender, Claims, PlayUnauthenticated, Refused, SecurityPolicy};
pub use record::{Field, Library, RecordRef, RecordType, RecordTypeError, RecordTypeProblem, Records};
pub use recorder::{RecordError, RecordProblem, Recorder, RecorderOptions};
pub use scheme::RetryScheme;
pub use types::{ScalarType, Type, TypeError};
pub use value::{Plain, ValueError};
pub use verdict::{DeadReason, Verdict};
