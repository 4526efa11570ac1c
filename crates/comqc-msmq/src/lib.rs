#![doc = include_str!("../README.md")]

mod clock;
mod error;
mod handler;
mod listener;
mod metrics;
mod queue;

pub use comqc_session as session;
pub use error::QueueError;
pub use handler::{AsyncComponent, Components, Handler, Outcome};
pub use listener::{Listener, ListenerOptions};
pub use metrics::{Metrics, Snapshot};
pub use queue::{Counts, Delivery, Listed, Place, Queue};
