#![doc = include_str!("../README.md")]

mod error;
mod queue;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;

pub use comqc_session as session;
pub use error::QueueError;
pub use queue::{Counts, Delivery, Listed, Place, Queue};
#[cfg(feature = "rabbitmq")]
pub use rabbitmq::RabbitQueue;
/// What tests look into.
#[cfg(all(feature = "rabbitmq", feature = "internals"))]
#[doc(hidden)]
pub use rabbitmq::{guard as rabbit_guard, headers as rabbit_headers};
