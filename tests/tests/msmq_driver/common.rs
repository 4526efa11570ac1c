//! Stores in a directory of their own, with a clock that the test moves.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use comqc_msmq::sqlite::{Outbox, Outgoing, OutgoingQueue, Store, StoreOptions};
use comqc_session::{Properties, QueueMessage, Timestamp};
use tempfile::TempDir;

pub const ORDERS: &str = r"OS:server\private$\orders";

pub struct Place {
    pub directory: TempDir,
    pub clock: Arc<AtomicU64>,
}

pub fn place() -> Place {
    Place { directory: TempDir::new().unwrap(), clock: Arc::new(AtomicU64::new(1_700_000_000_000)) }
}

impl Place {
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn options(&self) -> StoreOptions {
        let clock = Arc::clone(&self.clock);
        StoreOptions {
            clock: Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))),
            ..StoreOptions::default()
        }
    }

    pub fn store(&self, name: &str) -> Store {
        Store::open_with(self.path(name), self.options()).unwrap()
    }

    /// Another process would have another one.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.store("outbox.db"))
    }

    pub fn orders(&self) -> OutgoingQueue {
        self.outbox().to(&ORDERS.parse().unwrap()).unwrap()
    }
}

pub fn message(label: &str) -> QueueMessage {
    QueueMessage {
        properties: Properties { label: label.into(), ..Properties::default() },
        body: format!("body of {label}").into_bytes().into(),
    }
}

/// All that waits.
pub fn waiting(queue: &OutgoingQueue) -> Vec<Outgoing> {
    queue.next(&HashSet::new(), 1000, u64::MAX).unwrap()
}

pub fn labels(waiting: &[Outgoing]) -> Vec<&str> {
    waiting.iter().map(|outgoing| &*outgoing.received.message.properties.label).collect()
}

pub fn numbers(waiting: &[Outgoing]) -> Vec<(u64, u32)> {
    waiting.iter().map(|outgoing| outgoing.place.map(|place| (place.id.0, place.number)).unwrap()).collect()
}
