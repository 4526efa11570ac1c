#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod blob;
#[cfg(feature = "crypto")]
pub mod crypto;
mod decode;
mod encode;
mod error;
mod names;
mod options;
mod protocol;
mod secret;
mod string;
#[cfg(feature = "xml")]
pub mod text;
mod time;
mod trace;
pub mod utf16;
#[cfg(feature = "xml")]
pub mod xml;

pub use blob::{Blob, Hex, from_hex};
pub use decode::{Context, Cursor, Decode, Decoded, Group, decode_using, owned, usize_from};
pub use encode::{Encode, MAX_U16, MAX_U32, check_len, len_u16, len_u32};
pub use error::{At, DecodeError, DecodeErrorKind, Deviation, EncodeError};
pub use options::{DecodeOptions, Limits, Policy};
pub use protocol::{Role, Version};
pub use secret::{Secret, constant_time_eq};
pub use string::Text;
pub use time::Time;
pub use trace::{Format, TraceEntry};
pub use utf16::Utf16Le;

/// What the macros name.
#[doc(hidden)]
pub mod export {
    pub use alloc::vec::Vec;
    pub use bytes::BufMut;
}
