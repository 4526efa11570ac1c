//! An open queue as one looks at it: its cursors, and waiting for messages to peek at.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comqc_session::{MessageId, Received};
use tokio::time::{Instant, sleep, timeout_at};

use super::served::{Position, Target};
use super::status::MqStatus;
use crate::QueueError;

/// How often one who waits for a message to peek at looks again.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A place in a queue with cursors.
pub(crate) struct Seat {
    pub(crate) target: Target,
    cursors: Mutex<Cursors>,
}

#[derive(Default)]
struct Cursors {
    closed: bool,
    last: u32,
    positions: HashMap<u32, Position>,
}

/// A failure of the queue itself.
pub(crate) fn failed(error: QueueError) -> MqStatus {
    match error {
        QueueError::NotFound(_) => MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND,
        QueueError::Unsupported(_) => MqStatus::MQ_ERROR_OPERATION_NOT_SUPPORTED_BY_REMOTE_COMPUTER,
        _ => MqStatus::MQ_ERROR_SERVICE_NOT_AVAILABLE,
    }
}

/// The time after a wait.
pub(crate) fn deadline(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now)
}

impl Seat {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, cursors: Mutex::default() }
    }

    fn cursors(&self) -> MutexGuard<'_, Cursors> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all cursors and all waiting.
    pub(crate) fn close(&self) {
        let mut cursors = self.cursors();
        cursors.closed = true;
        cursors.positions.clear();
    }

    /// A new cursor, which stands before the first message.
    pub(crate) fn create_cursor(&self, most: usize) -> Result<u32, MqStatus> {
        let mut cursors = self.cursors();
        if cursors.closed || cursors.positions.len() >= most {
            return Err(MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES);
        }
        let cursor = cursors.last.checked_add(1).ok_or(MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES)?;
        cursors.last = cursor;
        cursors.positions.insert(cursor, Position::default());
        Ok(cursor)
    }

    pub(crate) fn close_cursor(&self, cursor: u32) -> Result<(), MqStatus> {
        let closed = self.cursors().positions.remove(&cursor);
        closed.map(drop).ok_or(MqStatus::MQ_ERROR_INVALID_HANDLE)
    }

    fn position(&self, cursor: u32) -> Result<Position, MqStatus> {
        self.cursors().positions.get(&cursor).cloned().ok_or(MqStatus::STATUS_INVALID_HANDLE)
    }

    /// The message at a cursor, which was peeked at before.
    pub(crate) fn at(&self, cursor: u32) -> Result<MessageId, MqStatus> {
        self.position(cursor)?.current().ok_or(MqStatus::MQ_ERROR_ILLEGAL_CURSOR_ACTION)
    }

    /// The first message that nobody has locked.
    pub(crate) async fn peek(&self, deadline: Instant) -> Result<Received, MqStatus> {
        self.look(deadline, || async { self.target.peek().await.map_err(failed) }).await
    }

    /// The message at a cursor, or that behind it.
    pub(crate) async fn peek_at(
        &self,
        cursor: u32,
        advance: bool,
        deadline: Instant,
    ) -> Result<Received, MqStatus> {
        self.look(deadline, || self.at_cursor(cursor, advance)).await
    }

    async fn at_cursor(&self, cursor: u32, advance: bool) -> Result<Option<Received>, MqStatus> {
        let mut position = self.position(cursor)?;
        let id = match position.current() {
            Some(current) if !advance => Some(current),
            None if advance => return Err(MqStatus::MQ_ERROR_ILLEGAL_CURSOR_ACTION),
            _ => position.advance(&self.target).await.map_err(failed)?.map(|listed| listed.id),
        };
        let Some(id) = id else { return Ok(None) };
        match self.target.queue().peek(self.target.place, Some(id)).await {
            Ok(Some(received)) => {
                if let Some(place) = self.cursors().positions.get_mut(&cursor) {
                    *place = position;
                }
                Ok(Some(received))
            }
            Ok(None) | Err(QueueError::NotFound(_)) => Err(MqStatus::MQ_ERROR_MESSAGE_ALREADY_RECEIVED),
            Err(error) => Err(failed(error)),
        }
    }

    /// Asks again, less and less often, until there is something or time is over.
    async fn look<F: Future<Output = Result<Option<Received>, MqStatus>>>(
        &self,
        deadline: Instant,
        mut look: impl FnMut() -> F,
    ) -> Result<Received, MqStatus> {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.cursors().closed {
                return Err(MqStatus::MQ_ERROR_OPERATION_CANCELLED);
            }
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                return Err(MqStatus::MQ_ERROR_IO_TIMEOUT);
            }
            let _ = timeout_at(deadline, sleep(pause)).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}
