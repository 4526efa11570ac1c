//! What errors of SQLite mean for a queue.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};

use crate::QueueError;

/// An error of SQLite that does not know its file yet, or one that is complete.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Queue(QueueError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<QueueError> for Fault {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl Fault {
    /// What it means for the database at this path.
    pub(super) fn at(self, path: &Path) -> QueueError {
        match self {
            Self::Sql(error) => sql(&error, path),
            Self::Queue(error) => error,
        }
    }
}

/// What an error of SQLite means for the database at this path.
pub(super) fn sql(error: &rusqlite::Error, path: &Path) -> QueueError {
    let shown = path.display();
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        return match error {
            // A column that holds what it cannot: somebody has written it by hand.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows => QueueError::Damaged(format!("{shown}: {error}")),
            _ => QueueError::Backend(format!("{shown}: {error}")),
        };
    };
    match code.code {
        ErrorCode::DiskFull => QueueError::Full(format!("{shown}: {error}")),
        // Neither a full disk nor damage: limits of the system on files, and quotas.
        ErrorCode::SystemIoFailure
            if matches!(code.extended_code, SQLITE_IOERR_WRITE | SQLITE_IOERR_SHMSIZE) =>
        {
            QueueError::Full(format!("{shown}: the system does not let the file grow ({error})"))
        }
        // The file was opened before; now it is what belongs beside it.
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            QueueError::ReadOnly { path: path.into(), reason: error.to_string() }
        }
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
            QueueError::Damaged(format!("{shown}: {error}"))
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            QueueError::Backend(format!("{shown}: others keep the database busy ({error})"))
        }
        _ => QueueError::Backend(format!("{shown}: {error}")),
    }
}

/// What an error of the file system means for a file.
pub(super) fn io(error: &io::Error, path: &Path) -> QueueError {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            QueueError::ReadOnly { path: path.into(), reason: error.to_string() }
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            QueueError::Full(format!("{shown}: {error}"))
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            QueueError::Address(format!("{shown}: {error}"))
        }
        io::ErrorKind::Unsupported => QueueError::Unsupported(format!("{shown}: {error}")),
        _ => QueueError::Backend(format!("{shown}: {error}")),
    }
}
