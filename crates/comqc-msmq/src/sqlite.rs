//! Queues in a database file.

mod address;
mod error;
mod handler;
mod holder;
mod inbox;
mod manage;
mod queue;
mod receive;
mod row;
mod schema;
mod signal;
mod store;

pub use address::SqliteAddress;
pub use handler::InTransaction;
pub use inbox::{Inbox, Once, PlayError};
pub use queue::{SqliteQueue, StoredQueue};
pub use rusqlite;
pub use store::{Clock, Mode, Store, StoreOptions};
