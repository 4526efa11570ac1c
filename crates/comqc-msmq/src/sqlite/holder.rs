//! Who holds locks, and whether they live.
//!
//! A store that receives has a row in `comqc_holder` and, beside the database, a file that it keeps locked by the
//! operating system, which lets go of the lock however the process ends. Whoever can lock the file of another knows that
//! the other is gone. Rows and files come and go only inside write transactions, so that nobody sees one without the other.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use comqc_session::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::{self, Fault};
use super::row::int;

/// This store, among those that have messages locked.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) id: i64,
    path: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

/// The file of a holder.
fn file_of(database: &Path, holder: i64) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(format!("-holder-{holder}"));
    path.into()
}

impl Holder {
    /// A new one, with a row and a file of its own. When the transaction does not come through, the file goes by itself.
    pub(super) fn register(tx: &Transaction<'_>, database: &Path, now: Timestamp) -> Result<Self, Fault> {
        free_all_dead(tx, database)?;
        tx.execute(
            "INSERT INTO comqc_holder (pid, opened) VALUES (?1, ?2)",
            params![process::id(), int(now.0)],
        )?;
        let id = tx.last_insert_rowid();
        let path = file_of(database, id);
        let open = || -> io::Result<File> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("a new lock file is locked by somebody else"));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        format!("files cannot be locked on this file system: {error}"),
                    ));
                }
            }
            writeln!(file, "{}", process::id())?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { id, path, _file: file }),
            Err(error) => {
                // The row goes with the transaction; a file without a row means nothing.
                let _ = fs::remove_file(&path);
                Err(error::io(&error, &path).into())
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The others see that it is gone by either: no file, or one that they can lock.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the store of this holder is still open somewhere.
pub(super) fn lives(database: &Path, holder: i64) -> Result<bool, Fault> {
    let path = file_of(database, holder);
    // For writing: some file systems want it for an exclusive lock, and who may not write may not know.
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error::io(&error, &path).into()),
    };
    // Shared: those who look do not take one another for the holder.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error::io(&error, &path).into()),
    }
}

/// Which message of a queue somebody has, and who: seq and holder.
pub(super) fn lock_of(db: &Connection, queue: i64) -> Result<Option<(i64, i64)>, Fault> {
    let lock = db
        .prepare_cached("SELECT locked, holder FROM comqc_queue WHERE id = ?1 AND locked IS NOT NULL")?
        .query_row([queue], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(lock)
}

/// Whether a holder is still known. One whose file was removed by a person is not.
pub(super) fn known(db: &Connection, holder: i64) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT 1 FROM comqc_holder WHERE id = ?1")?.exists([holder])?)
}

/// Ends whatever a holder has locked, and the holder: the player has died.
pub(super) fn free(tx: &Transaction<'_>, database: &Path, holder: i64) -> Result<(), Fault> {
    tx.execute(
        "UPDATE comqc_message SET abandoned = abandoned + 1
         WHERE seq IN (SELECT locked FROM comqc_queue WHERE holder = ?1)",
        [holder],
    )?;
    tx.execute(
        "UPDATE comqc_queue SET locked = NULL, holder = NULL, since = NULL WHERE holder = ?1",
        [holder],
    )?;
    tx.execute("DELETE FROM comqc_holder WHERE id = ?1", [holder])?;
    let _ = fs::remove_file(file_of(database, holder));
    Ok(())
}

/// Frees what all dead holders have left.
fn free_all_dead(tx: &Transaction<'_>, database: &Path) -> Result<(), Fault> {
    let mut ids = tx.prepare_cached("SELECT id FROM comqc_holder")?;
    let ids = ids.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for id in ids {
        if !lives(database, id)? {
            free(tx, database, id)?;
        }
    }
    Ok(())
}
