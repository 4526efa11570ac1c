#![doc = include_str!("../README.md")]

mod channels;
mod chunk;
mod display;
mod dvc;
mod error;
mod input;
mod novice;
#[cfg(feature = "standard-security")]
mod standard;
mod tls;
mod wire;

pub use display::{DisplaySource, Picture, test_picture};
pub use error::RdpError;
pub use input::{InputEvent, InputSink, MouseButton, NoInput};
pub use novice::{Caller, NoviceConnection, NoviceOptions, NoviceServer, Security};
#[cfg(feature = "standard-security")]
pub use rdp_standard_security;
#[cfg(feature = "standard-security")]
pub use standard::generate_server_key;
