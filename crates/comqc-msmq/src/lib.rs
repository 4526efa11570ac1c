#![doc = include_str!("../README.md")]

mod check;
mod error;
mod queue;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use check::{MAX_MESSAGE, check};
pub use comqc_session as session;
pub use error::QueueError;
pub use queue::{Counts, DeadReasonName, Delivery, Listed, Place, Queue};
