#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod capabilities;
mod certificate;
mod cipher;
mod client;
mod error;
mod frame;
mod gcc;
mod options;
mod rsa;
mod secure;
mod server;
mod wire;

pub use certificate::{PublicKey, ServerCertificate, ServerKey};
pub use cipher::{Cipher, Direction, RANDOM_LEN, SIGNATURE_LEN, SessionKeys, UPDATE_INTERVAL};
pub use client::Client;
pub use error::Error;
pub use frame::{Frames, MAX_OVERHEAD, frame_len};
pub use options::{ClientOptions, Level, Method, Methods, Protection, ServerOptions};
pub use server::Server;
