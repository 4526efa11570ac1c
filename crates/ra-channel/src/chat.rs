//! Chat ([MS-RA] 3.11.5, 3.12.5).

use alloc::string::String;

use bytes::BufMut;
use remassist_core::{
    At, Cursor, Decode, DecodeError, DecodeErrorKind as Kind, Encode, EncodeError, Utf16Le, check_len,
};

use crate::Version;
use crate::text::{check_text, text};

at! { "[MS-RA]":
    CHAT = "3.11.5" "chat message" "";
    TEXT = "3.11.5" "chat message" "text";
}

/// One message on channel 70: UTF-16LE text and a NUL, with no header on a dynamic channel.
///
/// Every version reads messages of any length; versions 2 and 3 send at most 1,024 bytes, NUL included. A missing NUL is
/// a deviation, characters after it are an error.
///
/// ```
/// use ra_channel::{ChatMessage, Version};
/// use remassist_core::Encode as _;
///
/// let message = ChatMessage::new(Version::V3, "hi")?;
/// assert_eq!(message.to_vec()?, b"h\0i\0\0\0");
/// assert!(ChatMessage::new(Version::V3, &"x".repeat(512)).is_err());
/// # Ok::<(), remassist_core::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChatMessage<'a> {
    /// The text with its NUL.
    pub text: Utf16Le<'a>,
}

impl ChatMessage<'_> {
    /// A message to send.
    ///
    /// # Errors
    /// As [`check_for`](Self::check_for).
    pub fn new(version: Version, text: &str) -> Result<ChatMessage<'static>, EncodeError> {
        let message = ChatMessage { text: Utf16Le::with_nul(text) };
        message.check_for(version)?;
        Ok(message)
    }

    /// Checks that a session of that version may send the message.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] above [`chat_limit`], [`EncodeError::Invalid`] when the NUL is not the last
    /// character.
    pub fn check_for(&self, version: Version) -> Result<(), EncodeError> {
        self.check()?;
        if !self.text.is_terminated() {
            return Err(EncodeError::Invalid { at: &TEXT, reason: "a NUL is the last character" });
        }
        check_len(self.text.as_bytes().len(), chat_limit(version).unwrap_or(usize::MAX), &TEXT)
    }

    /// The text to show: without NUL, with U+FFFD where it is not well-formed.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.text.to_text_lossy()
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ChatMessage<'static> {
        ChatMessage { text: self.text.into_owned() }
    }
}

/// The message fills the input.
impl<'a> Decode<'a> for ChatMessage<'a> {
    const AT: &'static At = &CHAT;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let text = text(cursor, &TEXT)?;
        let end = cursor.offset();
        cursor.must(text.is_terminated(), end, &TEXT, Kind::Rule("the message has no NUL"))?;
        Ok(Self { text })
    }
}

impl Encode for ChatMessage<'_> {
    fn encoded_len(&self) -> usize {
        self.text.as_bytes().len()
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_text(self.text.as_bytes(), &TEXT)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice(self.text.as_bytes());
    }
}

/// Most bytes of a chat message that is sent, with its NUL ([MS-RA] 3.11.5); `None` when there is no bound.
#[must_use]
pub const fn chat_limit(version: Version) -> Option<usize> {
    match version {
        Version::V1 => None,
        Version::V2 | Version::V3 => Some(1024),
    }
}
