#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod bstr;
mod engine;

pub use bstr::Bstr;
pub use engine::{ByteOrder, Count, Full, Ndr, R4, R8, Reader, Residue, Stub, Varying, WideString, Writer};
