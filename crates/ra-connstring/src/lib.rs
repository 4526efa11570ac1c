#![doc = include_str!("../README.md")]

mod any;
mod endpoint;
mod hash;
mod one;
mod two;

pub use any::ConnectionString;
pub use endpoint::{Endpoint, Host};
pub use hash::{HashAlgorithm, KeyHash, KeyVerdict};
pub use one::{Address, ConnectionString1};
pub use two::{ConnectionString2, Listener, Transport};
