//! Queues that are served, and places in them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use comqc_session::{LocalName, MessageId, Received};
use uuid::Uuid;

use crate::{Listed, Place, Queue, QueueError};

/// A queue that a queue manager serves.
#[derive(Clone)]
pub struct ServedQueue {
    /// Its name on this computer: `PRIVATE$\App`.
    pub name: LocalName,
    /// What keeps its messages.
    pub queue: Arc<dyn Queue>,
    /// Label: a description.
    pub label: String,
    /// Whether it is shown as transactional.
    pub transactional: bool,
}

impl std::fmt::Debug for ServedQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServedQueue({})", self.name)
    }
}

/// A served queue with its number in format names.
pub(crate) struct Served {
    pub(crate) info: ServedQueue,
    pub(crate) number: u32,
    pub(crate) instance: Uuid,
    lookup: Mutex<LookupIds>,
}

impl Served {
    pub(crate) fn new(info: ServedQueue, number: u32, instance: Uuid) -> Self {
        Self { info, number, instance, lookup: Mutex::default() }
    }

    /// The lookup identifier of a message.
    pub(crate) fn lookup_id(&self, id: MessageId) -> u64 {
        self.lookup.lock().unwrap_or_else(PoisonError::into_inner).of(id)
    }

    /// The message of a lookup identifier that was told before.
    pub(crate) fn message(&self, lookup: u64) -> Option<MessageId> {
        self.lookup.lock().unwrap_or_else(PoisonError::into_inner).message(lookup)
    }
}

/// Lookup identifiers, which our queues do not have: numbers in the order in which messages were shown. The oldest are
/// forgotten.
#[derive(Default)]
pub(crate) struct LookupIds {
    last: u64,
    numbers: HashMap<MessageId, u64>,
    messages: HashMap<u64, MessageId>,
    order: VecDeque<u64>,
}

/// How many lookup identifiers of a queue are remembered.
const REMEMBERED: usize = 65_536;

impl LookupIds {
    fn of(&mut self, id: MessageId) -> u64 {
        if let Some(number) = self.numbers.get(&id) {
            return *number;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
            && let Some(id) = self.messages.remove(&oldest)
        {
            self.numbers.remove(&id);
        }
        self.last = self.last.saturating_add(1);
        self.numbers.insert(id, self.last);
        self.messages.insert(self.last, id);
        self.order.push_back(self.last);
        self.last
    }

    fn message(&self, lookup: u64) -> Option<MessageId> {
        self.messages.get(&lookup).copied()
    }
}

/// A place in a served queue: what a format name leads to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) served: Arc<Served>,
    pub(crate) place: Place,
}

/// How many messages are looked at for one that is not locked.
const LOOKED_AT: usize = 64;

impl Target {
    pub(crate) fn queue(&self) -> &Arc<dyn Queue> {
        &self.served.info.queue
    }

    /// The first message that nobody has locked, without its body, after the one given.
    pub(crate) async fn next(&self, after: Option<MessageId>) -> Result<Option<Listed>, QueueError> {
        let mut after = after;
        loop {
            let listed = self.queue().list(self.place, after, LOOKED_AT).await?;
            let Some(last) = listed.last() else { return Ok(None) };
            after = Some(last.id);
            let full = listed.len() >= LOOKED_AT;
            if let Some(free) = listed.into_iter().find(|message| !message.locked) {
                return Ok(Some(free));
            }
            if !full {
                return Ok(None);
            }
        }
    }

    /// The first message that nobody has locked.
    pub(crate) async fn peek(&self) -> Result<Option<Received>, QueueError> {
        loop {
            let Some(listed) = self.next(None).await? else { return Ok(None) };
            match self.queue().peek(self.place, Some(listed.id)).await {
                // Somebody has received it meanwhile.
                Ok(None) | Err(QueueError::NotFound(_)) => {}
                found => return found,
            }
        }
    }
}

/// A position in a place that outlives the messages which it has passed.
#[derive(Debug, Default, Clone)]
pub(crate) struct Position {
    /// Messages passed, the last one being that at the cursor.
    passed: VecDeque<MessageId>,
}

/// How many passed messages a cursor remembers.
const PASSED: usize = 256;

impl Position {
    /// The message at the cursor.
    pub(crate) fn current(&self) -> Option<MessageId> {
        self.passed.back().copied()
    }

    /// The message behind the cursor, which it is then at.
    pub(crate) async fn advance(&mut self, target: &Target) -> Result<Option<Listed>, QueueError> {
        let mut gone = 0_usize;
        let next = loop {
            let index = self.passed.len().checked_sub(gone.saturating_add(1));
            let after = index.and_then(|index| self.passed.get(index)).copied();
            match target.next(after).await {
                Err(QueueError::NotFound(_)) if after.is_some() => gone = gone.saturating_add(1),
                next => break next?,
            }
        };
        if let Some(next) = &next {
            self.passed.truncate(self.passed.len().saturating_sub(gone));
            if self.passed.len() >= PASSED {
                self.passed.pop_front();
            }
            self.passed.push_back(next.id);
        }
        Ok(next)
    }
}
