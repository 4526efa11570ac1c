//! Waking those who wait for messages in the same process, whichever store they have opened.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::store::locked;

/// Changes to one database, seen from everywhere in this process.
#[derive(Debug)]
pub(super) struct Signal {
    /// For those who wait with tokio.
    watched: watch::Sender<()>,
    /// For those who wait without: how many changes there were.
    changes: Mutex<u64>,
    changed: Condvar,
}

/// The signals of the databases that are open.
static SIGNALS: Mutex<Option<HashMap<PathBuf, Weak<Signal>>>> = Mutex::new(None);

impl Signal {
    /// The signal of the database at this path.
    pub(super) fn of(path: &Path) -> Arc<Self> {
        let mut all = locked(&SIGNALS);
        let all = all.get_or_insert_default();
        if let Some(signal) = all.get(path).and_then(Weak::upgrade) {
            return signal;
        }
        all.retain(|_, signal| signal.strong_count() > 0);
        let signal = Arc::new(Self {
            watched: watch::Sender::new(()),
            changes: Mutex::default(),
            changed: Condvar::new(),
        });
        all.insert(path.into(), Arc::downgrade(&signal));
        signal
    }

    /// Something has changed.
    pub(super) fn tell(&self) {
        self.watched.send_replace(());
        let mut changes = locked(&self.changes);
        *changes = changes.wrapping_add(1);
        drop(changes);
        self.changed.notify_all();
    }

    /// Who is told of changes from now on.
    pub(super) fn listen(&self) -> watch::Receiver<()> {
        self.watched.subscribe()
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> u64 {
        *locked(&self.changes)
    }

    /// Waits for a change after so many, at most so long; whether there was one.
    pub(super) fn wait(&self, seen: u64, most: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(locked(&self.changes), most, |changes| *changes == seen);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
