#![doc = include_str!("../README.md")]

mod check;
mod clock;
mod error;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod filter;
#[cfg(all(feature = "rabbitmq", not(feature = "internals")))]
#[expect(unreachable_pub, reason = "with internals, tests look into it")]
mod filter;
mod handler;
mod listener;
mod metrics;
#[cfg(feature = "msmq")]
pub mod msmq;
mod open;
mod queue;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use check::{MAX_MESSAGE, check};
pub use comqc_session as session;
pub use error::QueueError;
pub use handler::{AsyncComponent, Components, Handler, Outcome};
pub use listener::{Listener, ListenerOptions};
pub use metrics::{Metrics, Snapshot};
pub use open::{OpenOptions, open};
pub use queue::{Counts, Delivery, Listed, Place, Queue};
#[cfg(feature = "rabbitmq")]
pub use rabbitmq::RabbitQueue;
/// What tests look into.
#[cfg(all(feature = "rabbitmq", feature = "internals"))]
#[doc(hidden)]
pub use rabbitmq::headers as rabbit_headers;
