#![doc = include_str!("../README.md")]

mod channels;
mod chunk;
mod display;
mod downloads;
mod dvc;
mod error;
mod expert;
#[cfg(feature = "internals")]
mod framing;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod invite;
mod line;
mod novice;
#[cfg(feature = "png")]
mod png;
mod record;
#[cfg(feature = "standard-security")]
mod standard;
mod statics;
mod tls;
mod uploads;
mod wire;
#[cfg(feature = "x11")]
mod x11;

pub use display::{DisplaySource, Picture, Rectangle, test_picture};
pub use downloads::Downloads;
pub use error::RdpError;
pub use expert::{ExpertConnection, ExpertEvent, ExpertOptions, dial};
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use framing::{Framing, tls_configs};
pub use input::{InputEvent, InputSink, MouseButton, NoInput};
pub use invite::{FileType, KeyHashes, MadeInvitation, MadeTicket, NewInvitation, Tickets};
pub use novice::{Caller, NoviceConnection, NoviceOptions, NoviceServer};
#[cfg(feature = "standard-security")]
pub use rdp_standard_security;
pub use record::{Passed, Record, Recorder, RecordingReader, RecordingWriter};
#[cfg(feature = "standard-security")]
pub use standard::generate_server_key;
pub use tls::{Protection, Security};
#[cfg(feature = "x11")]
pub use x11::{X11Display, X11Input};
