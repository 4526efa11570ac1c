//! Any queue by its address.

#[cfg(feature = "msmq")]
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Queue, QueueError};

/// How a queue is opened by its address.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// What is on this machine must be there: no file and no queue is made.
    pub existing: bool,
    /// The database with the messages to other machines.
    #[cfg(feature = "msmq")]
    pub outbox: Option<PathBuf>,
    /// How they are numbered.
    #[cfg(feature = "msmq")]
    pub transfer: crate::sqlite::Transfer,
}

/// Opens the queue of an address:
///
/// | Address | Queue | Feature |
/// |---|---|---|
/// | `sqlite:FILE?queue=NAME` | in a database file | `sqlite` |
/// | `amqp://..?queue=NAME`, `amqps://..` | of a RabbitMQ broker | `rabbitmq` |
/// | `DIRECT=OS:..`, `DIRECT=TCP:..` | of another machine, by MSMQ | `msmq` |
///
/// # Errors
/// [`QueueError::Address`] for others, without any part of them, since they may hold a password;
/// [`QueueError::Unsupported`] for those whose feature is off; and those of the queues.
pub async fn open(address: &str, options: &OpenOptions) -> Result<Arc<dyn Queue>, QueueError> {
    let kind = address.split_once([':', '=']).map(|(kind, _)| kind).unwrap_or_default();
    if kind.eq_ignore_ascii_case("sqlite") {
        return sqlite(address, options);
    }
    if kind.eq_ignore_ascii_case("amqp") || kind.eq_ignore_ascii_case("amqps") {
        return rabbitmq(address).await;
    }
    if kind.eq_ignore_ascii_case("DIRECT") {
        return direct(address, options);
    }
    let known = r"sqlite:FILE?queue=NAME, amqp://HOST/VHOST?queue=NAME, or DIRECT=OS:HOST\private$\NAME";
    Err(QueueError::Address(format!("it is none of {known}")))
}

/// What is asked of a program that was built without it.
#[cfg(not(all(feature = "sqlite", feature = "rabbitmq", feature = "msmq")))]
fn missing<T>(what: &str) -> Result<T, QueueError> {
    Err(QueueError::Unsupported(format!("this program was built without {what}")))
}

#[cfg(feature = "sqlite")]
fn sqlite(address: &str, options: &OpenOptions) -> Result<Arc<dyn Queue>, QueueError> {
    use crate::sqlite::{Mode, SqliteAddress, SqliteQueue};
    let mut address: SqliteAddress = address.parse()?;
    if options.existing && address.mode == Mode::Create {
        address.mode = Mode::Existing;
    }
    Ok(Arc::new(SqliteQueue::from(address.open()?)))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &str, _: &OpenOptions) -> Result<Arc<dyn Queue>, QueueError> {
    missing("SQLite (feature sqlite)")
}

#[cfg(feature = "rabbitmq")]
async fn rabbitmq(address: &str) -> Result<Arc<dyn Queue>, QueueError> {
    Ok(Arc::new(crate::RabbitQueue::open(address).await?))
}

#[cfg(not(feature = "rabbitmq"))]
async fn rabbitmq(_: &str) -> Result<Arc<dyn Queue>, QueueError> {
    missing("RabbitMQ (feature rabbitmq)")
}

#[cfg(feature = "msmq")]
fn direct(address: &str, options: &OpenOptions) -> Result<Arc<dyn Queue>, QueueError> {
    use crate::msmq::DirectQueue;
    use crate::sqlite::{Mode, Outbox, Store, StoreOptions};
    let name: comqc_session::FormatName =
        address.parse().map_err(|error| QueueError::Address(format!("{address:?}: {error}")))?;
    let comqc_session::FormatName::Direct(name) = name else {
        return Err(QueueError::Address(format!("{address:?}: not a direct format name")));
    };
    let Some(path) = &options.outbox else {
        return Err(QueueError::Address(format!("{address}: there is no outbox")));
    };
    let mode = if options.existing { Mode::Existing } else { Mode::Create };
    let store = Store::open_with(path, StoreOptions { mode, ..StoreOptions::default() })?;
    Ok(Arc::new(DirectQueue::new(&Outbox::new(store), &name, options.transfer)?))
}

#[cfg(not(feature = "msmq"))]
fn direct(_: &str, _: &OpenOptions) -> Result<Arc<dyn Queue>, QueueError> {
    missing("MSMQ (feature msmq)")
}
