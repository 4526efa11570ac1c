//! A store in a directory of its own, with a clock that the test moves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use comqc_msmq::sqlite::{Store, StoreOptions, StoredQueue};
use comqc_msmq::{Delivery, Place};
use comqc_session::{MessageId, Properties, QueueMessage, Timestamp, Verdict};
use tempfile::TempDir;

/// A time of day that only the test moves.
#[derive(Clone)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub struct Directory {
    pub directory: TempDir,
    pub clock: Clock,
}

/// A directory for a database, and its time.
pub fn place() -> Directory {
    Directory {
        directory: TempDir::new().unwrap(),
        clock: Clock(Arc::new(AtomicU64::new(1_700_000_000_000))),
    }
}

impl Directory {
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("queues.db")
    }

    pub fn options(&self) -> StoreOptions {
        let clock = self.clock.clone();
        StoreOptions { clock: Arc::new(move || clock.now()), ..StoreOptions::default() }
    }

    pub fn store(&self) -> Store {
        Store::open_with(self.path(), self.options()).unwrap()
    }

    pub fn queue(&self) -> StoredQueue {
        self.store().queue("App").unwrap()
    }

    /// The names of the files that are there.
    pub fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        let mut files: Vec<_> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }
}

/// A message whose label tells it from the others.
pub fn message(label: &str) -> QueueMessage {
    QueueMessage {
        properties: Properties { label: label.into(), ..Properties::default() },
        body: format!("body of {label}").into_bytes().into(),
    }
}

pub fn send(queue: &StoredQueue, label: &str) -> MessageId {
    queue.send(&message(label)).unwrap()
}

/// What can be received at once.
pub fn take(queue: &StoredQueue) -> Option<Delivery> {
    queue.receive(Duration::ZERO).unwrap()
}

pub fn label(delivery: &Delivery) -> &str {
    &delivery.received.message.properties.label
}

/// Plays everything that can be received at once; the labels.
pub fn play_all(queue: &StoredQueue) -> Vec<String> {
    let mut labels = Vec::new();
    while let Some(delivery) = take(queue) {
        labels.push(label(&delivery).to_owned());
        queue.settle(&delivery, &Verdict::Done).unwrap();
    }
    labels
}

/// The labels at a place.
pub fn labels(queue: &StoredQueue, place: Place) -> Vec<String> {
    queue.list(place, None, 1000).unwrap().into_iter().map(|listed| listed.label).collect()
}
