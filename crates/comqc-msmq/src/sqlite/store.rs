//! A database file with queues, opened.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use comqc_session::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::error::{self, Fault};
use super::holder::{self, Holder};
use super::receive::Leases;
use super::signal::Signal;
use super::{StoredQueue, schema};
use crate::QueueError;

/// How a database file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// File and queues are made where they are missing.
    #[default]
    Create,
    /// File and queue must be there.
    Existing,
    /// As [`Existing`](Self::Existing), and nothing is changed: for looking.
    ReadOnly,
}

/// What a store goes by.
#[derive(Clone)]
pub struct StoreOptions {
    /// How the file is opened.
    pub mode: Mode,
    /// How long a step waits for the steps of others; 30 seconds by default.
    pub busy: Duration,
    /// How often at least somebody who waits for a message looks for those that other processes have sent, and for
    /// retry messages that are due; 100 milliseconds by default. Messages of the same process are seen at once.
    pub poll: Duration,
    /// The clock; that of the system by default.
    pub clock: Clock,
}

/// A clock that tests may set.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the system.
pub(super) fn system_clock() -> Clock {
    Arc::new(crate::clock::now)
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Create,
            busy: Duration::from_secs(30),
            poll: Duration::from_millis(100),
            clock: system_clock(),
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("mode", &self.mode)
            .field("busy", &self.busy)
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}

/// A database file with any number of queues, which any number of processes and threads may have open.
///
/// WAL, synchronous=FULL: what was committed is on disk. Nothing here needs tokio, and everything blocks;
/// [`SqliteQueue`](super::SqliteQueue) is what async programs use. A clone is the same store.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

/// What all queues of a store share.
pub(super) struct Inner {
    pub(super) path: PathBuf,
    pub(super) options: StoreOptions,
    /// Connections that nobody uses right now.
    idle: Mutex<Vec<Handle>>,
    /// Whose turn it is to write: SQLite has one writer at a time, and sleeps where this wakes.
    writing: Mutex<()>,
    /// The lock file, from the first message that was received.
    pub(super) holder: Mutex<Option<Holder>>,
    /// The locks of this store.
    pub(super) leases: Mutex<Leases>,
    pub(super) signal: Arc<Signal>,
}

/// Whether a commit waits until it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It does: not even a failure of power takes it back.
    Disk,
    /// It does not: a failure of power may take it back, the end of a process does not. For locks, which do not
    /// outlive their holders.
    Process,
}

/// A connection and how its commits are.
struct Handle {
    db: Connection,
    durability: Durability,
}

impl Handle {
    fn set(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability != durability {
            let level = if durability == Durability::Disk { "FULL" } else { "NORMAL" };
            self.db.pragma_update(None, "synchronous", level)?;
            self.durability = durability;
        }
        Ok(())
    }
}

/// The most connections that are kept.
const MOST_IDLE: usize = 4;

impl Store {
    /// Opens a database file, or makes it.
    ///
    /// # Errors
    /// [`QueueError::Damaged`] for a file that is damaged, something else, or of a newer version;
    /// [`QueueError::ReadOnly`] and [`QueueError::Full`] where it cannot be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, QueueError> {
        Self::open_with(path, StoreOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: StoreOptions) -> Result<Self, QueueError> {
        let path = path.as_ref();
        // The errors of the system are clearer than those of SQLite. A file that is empty counts as new.
        let file = match options.mode {
            Mode::Create => {
                fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
            }
            Mode::Existing => fs::OpenOptions::new().read(true).write(true).open(path),
            Mode::ReadOnly => fs::File::open(path),
        };
        // Lock files are looked for beside the one real name of the database.
        let path = file.and_then(|_| path.canonicalize()).map_err(|e| error::io(&e, path))?;
        let inner = Inner {
            signal: Signal::of(&path),
            path,
            options,
            idle: Mutex::default(),
            writing: Mutex::default(),
            holder: Mutex::default(),
            leases: Mutex::default(),
        };
        let handle = inner.prepare().map_err(|fault| fault.at(&inner.path))?;
        inner.give_back(handle);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The path, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The queue of this name, made where it is missing and [`Mode`] lets it be.
    ///
    /// # Errors
    /// [`QueueError::Address`] for a name that no queue can have and for a queue that is missing; those of the
    /// database.
    pub fn queue(&self, name: &str) -> Result<StoredQueue, QueueError> {
        StoredQueue::open(self, name)
    }

    /// The names of all queues. Those of other machines are none: what waits for them is theirs.
    ///
    /// # Errors
    /// Those of the database.
    pub fn queues(&self) -> Result<Vec<String>, QueueError> {
        self.inner.read(|tx| {
            let mut names =
                tx.prepare_cached("SELECT name FROM comqc_queue WHERE instr(name, '\\') = 0 ORDER BY name")?;
            let names = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(names)
        })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        (self.options.clock)()
    }

    /// Runs a step that changes something: all of it, or nothing.
    pub(super) fn write<T>(
        &self,
        durability: Durability,
        step: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, QueueError> {
        if self.options.mode == Mode::ReadOnly {
            return Err(QueueError::ReadOnly {
                path: self.path.clone(),
                reason: "opened for reading".into(),
            });
        }
        let turn = locked(&self.writing);
        let done = self.transact(Some(durability), step);
        drop(turn);
        done.map_err(|fault| fault.at(&self.path))
    }

    /// Runs a step that only looks, at one state of the database.
    pub(super) fn read<T>(
        &self,
        step: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, QueueError> {
        self.transact(None, step).map_err(|fault: Fault| fault.at(&self.path))
    }

    /// Runs a step in a transaction, that of a writer where a durability is given; an error rolls it back.
    pub(super) fn transact<T, E: From<Fault>>(
        &self,
        writer: Option<Durability>,
        step: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut handle = match locked(&self.idle).pop() {
            Some(handle) => handle,
            None => self.connect()?,
        };
        let behavior = match writer {
            Some(durability) => {
                handle.set(durability).map_err(Fault::from)?;
                TransactionBehavior::Immediate
            }
            None => TransactionBehavior::Deferred,
        };
        let tx = handle.db.transaction_with_behavior(behavior).map_err(Fault::from)?;
        let value = step(&tx)?;
        tx.commit().map_err(Fault::from)?;
        self.give_back(handle);
        Ok(value)
    }

    fn give_back(&self, handle: Handle) {
        let mut idle = locked(&self.idle);
        if idle.len() < MOST_IDLE {
            idle.push(handle);
        }
    }

    /// The first connection: makes the tables, or checks them.
    fn prepare(&self) -> Result<Handle, Fault> {
        let begun = Instant::now();
        loop {
            let prepared = self.connect().and_then(|mut handle| {
                // Before anything is changed: the file may be somebody else's.
                schema::version(&handle.db, &self.path)?;
                if self.options.mode != Mode::ReadOnly {
                    let mode: String =
                        handle.db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
                    if !mode.eq_ignore_ascii_case("wal") {
                        return Err(QueueError::Unsupported(format!(
                            "{}: this file system cannot be shared between processes (no WAL)",
                            self.path.display()
                        ))
                        .into());
                    }
                    schema::migrate(&mut handle.db, &self.path)?;
                }
                Ok(handle)
            });
            match prepared {
                // Whoever else is making the same file; SQLite does not wait here by itself.
                Err(Fault::Sql(rusqlite::Error::SqliteFailure(e, _)))
                    if e.code == ErrorCode::DatabaseBusy && begun.elapsed() < self.options.busy =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                done => return done,
            }
        }
    }

    fn connect(&self) -> Result<Handle, Fault> {
        let access = match self.options.mode {
            Mode::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Mode::Create | Mode::Existing => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let mut db = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let (most, mut begun) = (self.options.busy, Instant::now());
        db.busy_handler(Some(move |times: i32| {
            if times == 0 {
                begun = Instant::now();
            }
            // The steps of others take about as long as the disk needs: a millisecond, seldom ten.
            thread::sleep(Duration::from_millis(u64::try_from(times).unwrap_or(0).clamp(1, 10)));
            begun.elapsed() < most
        }))?;
        db.set_prepared_statement_cache_capacity(64);
        // Statements are not planned anew whenever they come with other values.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        // What a burst has needed is given back.
        db.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        Ok(Handle { db, durability: Durability::Disk })
    }
}

impl Drop for Inner {
    /// No delivery is left, since each has the store: just the row is removed.
    fn drop(&mut self) {
        let own = locked(&self.holder).take();
        if let Some(own) = own {
            let _ = self.write(Durability::Process, |tx| holder::free(tx, &self.path, own.id));
        }
    }
}

/// Locks; what a panic of somebody else has left is whole, since SQLite rolls back.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
