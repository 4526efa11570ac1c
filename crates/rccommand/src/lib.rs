#![doc = include_str!("../README.md")]

mod address;
mod command;
mod contact;
mod names;
mod time;

pub use address::{CONTACT_CLASSIFIER, KeyError, RsaPublicKey, peer_name};
pub use command::{Command, CommandError, FileXfer, InternalData, RcCommand, VoipEndpoint, VoipGo};
pub use contact::{Contact, ContactFile};
pub use names::{Name, Purpose};
pub use remassist_core::{Role, Version};
pub use time::{ContactTime, TimeError};
