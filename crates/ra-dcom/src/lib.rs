#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod calls;
#[cfg(feature = "net")]
pub mod expert;
mod hresult;
pub mod novice;
mod session;

pub use hresult::{ErrorStatus, HResult};
pub use session::{SessionName, SessionNameError, SessionStateEnum};
