#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[macro_use]
mod macros;

mod authenticate;
mod blob;
mod bstr;
mod chat;
mod control;
#[cfg(feature = "crypto")]
pub mod easy_connect;
pub mod encomsp;
mod error_code;
mod fast_path;
mod file;
mod name;
mod packet;
mod text;
#[cfg(feature = "crypto")]
mod token;

pub use authenticate::Authenticate;
pub use blob::{ExpertBlob, HelpBlob, Property};
pub use bstr::{Bstr, BstrForm, NameBstr, SecretBstr};
pub use chat::ChatMessage;
pub use control::{Control, MsgType};
pub use error_code::ErrorCode;
pub use fast_path::{UpdateHeader, UpdateWrapper};
pub use file::FileVerb;
pub use name::{ChannelName, MAX_NAME, ProtocolVersion, Role};
pub use packet::{ControlPayload, Data, Packet};
#[cfg(feature = "crypto")]
pub use token::session_token;
