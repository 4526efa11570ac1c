//! Why a queue does not do what it was asked for.

use std::path::PathBuf;

use comqc_session::MessageId;

/// Why a queue does not do what it was asked for. Nothing was changed, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The address of the queue is not understood.
    #[error("not the address of a queue: {0}")]
    Address(String),
    /// The message cannot be carried.
    #[error("the message cannot be sent: {0}")]
    Unsendable(String),
    /// There is no message of this identifier at this place.
    #[error("no message {0} there")]
    NotFound(MessageId),
    /// The message is locked by a receiver, or the lock of this delivery is not there any more.
    #[error("message {0} is locked by another receiver")]
    Locked(MessageId),
    /// There is no room: a full disk, or a quota.
    #[error("no room for the message: {0}")]
    Full(String),
    /// The place may not be written to.
    #[error("{path} cannot be written: {reason}", path = .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The database or broker holds what it should not, or is of another version.
    #[error("the queue is damaged or of another version: {0}")]
    Damaged(String),
    /// Whether it was done is not known: the connection broke before the answer. Asking again may do it twice; a receiver
    /// knows the second by its identifier.
    #[error("the broker is gone: {0}")]
    Disconnected(String),
    /// The backend cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// Anything else that the backend tells.
    #[error("{0}")]
    Backend(String),
}
