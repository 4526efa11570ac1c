#![doc = include_str!("../README.md")]

mod error;
mod queue;

pub use comqc_session as session;
pub use error::QueueError;
pub use queue::{Counts, Delivery, Listed, Place, Queue};
