//! A queue in memory, for what needs one and not its disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use comqc_msmq::{Counts, Delivery, Listed, Place, Queue, QueueError};
use comqc_session::{MessageId, Properties, QueueMessage, Received, Sender, Timestamp, Verdict};
use uuid::Uuid;

/// Keeps the main place only. Clones are the same queue.
#[derive(Clone)]
pub struct HeapQueue {
    name: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Received>,
    locked: Option<MessageId>,
    last: u32,
}

impl HeapQueue {
    /// An empty one.
    pub fn new(name: &'static str) -> Self {
        Self { name, state: Arc::default() }
    }

    /// Puts so many messages in.
    pub fn fill(&self, count: u8) {
        for number in 0..count {
            let properties = Properties { label: format!("label {number}"), ..Properties::default() };
            self.put(QueueMessage { properties, body: vec![number; 20].into() });
        }
    }

    fn put(&self, message: QueueMessage) -> MessageId {
        let mut state = self.state.lock().unwrap();
        state.last += 1;
        let id = MessageId { lineage: Uuid::from_u128(7), uniquifier: state.last };
        let (sender, sent) = (Sender::default(), Timestamp(1_700_000_000_000));
        state.messages.push_back(Received { id, message, sender, sent, round: 0, failures: 0, abandoned: 0 });
        id
    }

    /// Whether somebody has a message.
    pub fn is_locked(&self) -> bool {
        self.state.lock().unwrap().locked.is_some()
    }
}

fn main_only(place: Place) -> Result<(), QueueError> {
    (place == Place::Main).then_some(()).ok_or_else(|| QueueError::Unsupported("a place".into()))
}

#[async_trait]
impl Queue for HeapQueue {
    fn address(&self) -> String {
        format!("heap:{}", self.name)
    }

    async fn send(&self, message: QueueMessage) -> Result<MessageId, QueueError> {
        comqc_msmq::check(&message)?;
        Ok(self.put(message))
    }

    async fn forward(&self, received: Received) -> Result<(), QueueError> {
        self.state.lock().unwrap().messages.push_back(received);
        Ok(())
    }

    async fn receive(&self, _: Duration) -> Result<Option<Delivery>, QueueError> {
        let mut state = self.state.lock().unwrap();
        if state.locked.is_some() {
            return Ok(None);
        }
        let Some(first) = state.messages.front().cloned() else { return Ok(None) };
        state.locked = Some(first.id);
        let (shared, id) = (Arc::clone(&self.state), first.id);
        Ok(Some(Delivery::new(first, 1).with_guard(move || {
            let mut state = shared.lock().unwrap();
            if state.locked == Some(id) {
                state.locked = None;
            }
        })))
    }

    async fn settle(&self, delivery: &Delivery, verdict: &Verdict) -> Result<(), QueueError> {
        let mut state = self.state.lock().unwrap();
        let id = delivery.received.id;
        if state.locked != Some(id) {
            return Err(QueueError::Locked(id));
        }
        state.locked = None;
        if matches!(verdict, Verdict::Done | Verdict::Dead(..)) {
            state.messages.retain(|message| message.id != id);
        }
        Ok(())
    }

    async fn list(
        &self,
        place: Place,
        after: Option<MessageId>,
        most: usize,
    ) -> Result<Vec<Listed>, QueueError> {
        main_only(place)?;
        let state = self.state.lock().unwrap();
        let from = match after {
            None => 0,
            Some(id) => {
                let at = state.messages.iter().position(|message| message.id == id);
                at.ok_or(QueueError::NotFound(id))? + 1
            }
        };
        let row = |message: &Received| Listed {
            id: message.id,
            label: message.message.properties.label.clone(),
            size: message.message.body.len() as u64,
            priority: message.message.properties.priority,
            sent: message.sent,
            due: None,
            locked: state.locked == Some(message.id),
            failures: 0,
            abandoned: 0,
            dead: None,
            error: None,
        };
        Ok(state.messages.iter().skip(from).take(most).map(row).collect())
    }

    async fn peek(&self, place: Place, id: Option<MessageId>) -> Result<Option<Received>, QueueError> {
        main_only(place)?;
        let state = self.state.lock().unwrap();
        match id {
            None => Ok(state.messages.front().cloned()),
            Some(id) => {
                let found = state.messages.iter().find(|message| message.id == id).cloned();
                found.map(Some).ok_or(QueueError::NotFound(id))
            }
        }
    }

    async fn move_to(&self, _: Place, _: MessageId, _: Place) -> Result<(), QueueError> {
        Err(QueueError::Unsupported("moving".into()))
    }

    async fn remove(&self, place: Place, id: MessageId) -> Result<(), QueueError> {
        main_only(place)?;
        self.state.lock().unwrap().messages.retain(|message| message.id != id);
        Ok(())
    }

    async fn purge(&self, place: Place) -> Result<u64, QueueError> {
        main_only(place)?;
        let mut state = self.state.lock().unwrap();
        let (before, locked) = (state.messages.len(), state.locked);
        state.messages.retain(|message| locked == Some(message.id));
        Ok((before - state.messages.len()) as u64)
    }

    async fn count(&self) -> Result<Counts, QueueError> {
        let state = self.state.lock().unwrap();
        let main = state.messages.len() as u64;
        Ok(Counts { main, locked: u64::from(state.locked.is_some()), ..Counts::default() })
    }
}
