//! Queues in a database file.

mod address;
mod error;
mod handler;
mod holder;
mod inbox;
#[cfg(feature = "msmq")]
mod incoming;
mod manage;
#[cfg(feature = "msmq")]
mod outbox;
mod queue;
mod receive;
mod row;
mod schema;
mod signal;
mod store;

pub use address::SqliteAddress;
pub use handler::InTransaction;
pub use inbox::{Inbox, Once, PlayError};
#[cfg(feature = "msmq")]
pub use incoming::Arrival;
#[cfg(feature = "msmq")]
pub(crate) use outbox::step;
#[cfg(feature = "msmq")]
pub use outbox::{Fate, Outbox, Outgoing, OutgoingKey, OutgoingQueue, Progress, Transfer};
pub use queue::{SqliteQueue, StoredQueue};
pub use rusqlite;
pub use store::{Clock, Mode, Store, StoreOptions};
