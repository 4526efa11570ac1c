//! Chat ([MS-RA] 3.11, 3.12).

use ra_channel::{ChatMessage, chat_limit};
use remassist_core::{Decode as _, Decoded};

use crate::link::{Link, Phase, wire_len};
use crate::{Channel, Event, Misuse, Why};

/// Chat, of either role: see [`Expert::chat`](crate::Expert::chat).
#[derive(Debug)]
pub struct Chat<'s> {
    pub(crate) link: &'s mut Link,
}

impl Chat<'_> {
    /// Sends one message.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`]; [`Misuse::TooLong`] for more than [`limit`](Self::limit) bytes; [`Misuse::Unwritable`]
    /// for a text with a NUL.
    pub fn send(&mut self, text: &str) -> Result<(), Misuse> {
        let version = self.link.established()?;
        let (got, max) = (wire_len(text), chat_limit(version).unwrap_or(usize::MAX));
        if got > max {
            return Err(Misuse::TooLong { got, max });
        }
        let message = ChatMessage::new(version, text).map_err(|_| Misuse::Unwritable)?;
        self.link.payload(Channel::Chat, &message)
    }

    /// Most bytes that a message takes in UTF-16LE with its NUL ([MS-RA] 3.11.5): 1,024 in versions 2 and 3, `None` for any
    /// number in version 1 and before the version is known.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        self.link.version.and_then(chat_limit)
    }
}

/// A block on channel 70: whatever it is, it is one message to show ([MS-RA] 3.12.5).
pub(crate) fn receive(link: &mut Link, bytes: &[u8]) {
    if link.phase != Phase::Established {
        return link.ignore(Channel::Chat, None, Why::NotEstablished);
    }
    match ChatMessage::decode_with(bytes, &link.decode_options()) {
        Ok(Decoded { value, .. }) => link.event(Event::Chat(value.to_text())),
        Err(error) => link.ignore(Channel::Chat, None, Why::Undecodable(error)),
    }
}
