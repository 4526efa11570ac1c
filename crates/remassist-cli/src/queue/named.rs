//! Finding the messages that people name.

use std::collections::BTreeSet;

use comqc_msmq::session::MessageId;
use comqc_msmq::{Listed, Place, Queue, QueueError};

use super::told;
use crate::Failure;
use crate::args::Named;

/// Messages that are listed at a time.
const PAGE: usize = 500;
/// Retry queues that a queue can have: a round is counted in eight bits.
const MOST_RETRY_QUEUES: u8 = u8::MAX;

/// The places of a queue that may hold something, in the order of a message's way.
pub async fn places(queue: &dyn Queue) -> Result<Vec<Place>, Failure> {
    let retry = queue.count().await?.retry.len();
    let retry = u8::try_from(retry).unwrap_or(MOST_RETRY_QUEUES);
    let retry = (0..retry).map(Place::Retry);
    Ok([Place::Main].into_iter().chain(retry).chain([Place::Dead, Place::Journal]).collect())
}

/// The messages at a place, page by page.
pub struct Pages {
    place: Place,
    after: Option<MessageId>,
    most: Option<u64>,
    /// What was listed: players may take the message that the next page begins after.
    seen: BTreeSet<MessageId>,
}

impl Pages {
    pub fn of(place: Place, most: Option<u64>) -> Self {
        Self { place, after: None, most, seen: BTreeSet::new() }
    }

    /// The next messages; none when there are no more.
    pub async fn next(&mut self, queue: &dyn Queue) -> Result<Vec<Listed>, QueueError> {
        let most = self.most.map_or(PAGE, |most| usize::try_from(most).unwrap_or(PAGE).min(PAGE));
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut page = match queue.list(self.place, self.after, most).await {
            Err(QueueError::NotFound(_)) if self.after.is_some() => {
                queue.list(self.place, None, PAGE).await?
            }
            page => page?,
        };
        self.after = page.last().map_or(self.after, |last| Some(last.id));
        page.retain(|listed| self.seen.insert(listed.id));
        page.truncate(most);
        let count = u64::try_from(page.len()).unwrap_or(u64::MAX);
        self.most = self.most.map(|most| most.saturating_sub(count));
        Ok(page)
    }
}

/// Where the messages are that are named.
pub async fn find(
    queue: &dyn Queue,
    named: &[Named],
    place_told: Option<Place>,
) -> Result<Vec<(Place, MessageId)>, Failure> {
    let places = match place_told {
        Some(place) => vec![place],
        None => places(queue).await?,
    };
    let mut found = vec![Vec::new(); named.len()];
    for place in places {
        let mut pages = Pages::of(place, None);
        loop {
            let page = match pages.next(queue).await {
                // Where nobody may look, nothing is found.
                Err(QueueError::Unsupported(_)) if place_told.is_none() => break,
                page => page?,
            };
            if page.is_empty() {
                break;
            }
            for (named, found) in named.iter().zip(&mut found) {
                let is_meant = |listed: &&Listed| match named {
                    Named::Id(id) => listed.id == *id,
                    Named::Number(number) => listed.id.uniquifier == *number,
                };
                found.extend(page.iter().filter(is_meant).map(|listed| (place, listed.id)));
            }
        }
    }
    let at = place_told.map_or_else(String::new, |place| format!(" at {place}"));
    (named.iter().zip(found))
        .map(|(named, found)| match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Failure::Input(format!("there is no message {named}{at} in {}", told::address(queue)))),
            // A copy in the journal is not what is meant where the message itself is there, too.
            [one, rest @ ..] if rest.iter().all(|(place, id)| *place == Place::Journal && *id == one.1) => {
                Ok(*one)
            }
            _ => Err(Failure::Input(format!(
                "several messages are {named}{at}: tell the place or the whole id"
            ))),
        })
        .collect()
}
