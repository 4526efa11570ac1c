//! One message being played.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Write as _};

use comqc_format::{Call, Reader};

use crate::player::Player;
use crate::{DeadReason, PlayedCall, Received, Verdict};

/// Bytes of a failure's text that are kept.
const MAX_ERROR: usize = 2048;

/// Which object a message is played to, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaybackKind {
    /// The component that was called.
    Normal,
    /// The exception class, after the component has failed in every round (COM+'s `IPlaybackControl::FinalServerRetry`).
    FinalServerRetry,
    /// The exception class at the sender, whose message could not be delivered (`IPlaybackControl::FinalClientRetry`).
    FinalClientRetry,
}

/// A component that plays calls.
pub trait Component {
    /// Plays one call. What the calls of a message do belongs together: when one fails, all of them come again.
    ///
    /// # Errors
    /// When the call has failed.
    fn call(&mut self, call: &PlayedCall<'_>) -> Result<(), CallError>;
}

impl<F: FnMut(&PlayedCall<'_>) -> Result<(), CallError>> Component for F {
    fn call(&mut self, call: &PlayedCall<'_>) -> Result<(), CallError> {
        self(call)
    }
}

/// Why a component could not play a call, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError(pub Cow<'static, str>);

impl CallError {
    /// From whatever can be shown.
    pub fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string().into())
    }
}

impl From<&'static str> for CallError {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for CallError {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<remassist_core::DecodeError> for CallError {
    fn from(error: remassist_core::DecodeError) -> Self {
        Self::new(error)
    }
}

impl From<crate::ObjectError> for CallError {
    fn from(error: crate::ObjectError) -> Self {
        Self::new(error)
    }
}

impl From<crate::ArgumentError> for CallError {
    fn from(error: crate::ArgumentError) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for CallError {}

/// What to do after a failure.
#[derive(Debug)]
pub enum AfterFailure<'p, 'm, T> {
    /// Settle the message.
    Settle(Verdict),
    /// That was the last try: play the message to the exception class, once.
    FinalRetry(Playback<'p, 'm, T>),
}

/// One message being played: its calls in their order, then [`done`](Self::done) or [`failed`](Self::failed).
///
/// The whole message was read and checked before; nothing of it can turn out to be malformed now.
pub struct Playback<'p, 'm, T> {
    player: &'p Player<T>,
    received: &'m Received,
    target: &'p T,
    kind: PlaybackKind,
    found: Found<'m>,
    calls: Box<Reader<'m>>,
    taken: usize,
    last: Option<Call<'m>>,
}

/// A message that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Found<'m> {
    /// Before its first call.
    pub(crate) reader: Box<Reader<'m>>,
    pub(crate) calls: usize,
    pub(crate) partition: Option<uuid::Uuid>,
}

impl<T> fmt::Debug for Playback<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playback")
            .field("id", &self.received.id)
            .field("kind", &self.kind)
            .field("len", &self.found.calls)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl<'p, 'm, T> Playback<'p, 'm, T> {
    pub(crate) fn new(
        player: &'p Player<T>,
        received: &'m Received,
        target: &'p T,
        kind: PlaybackKind,
        found: Found<'m>,
    ) -> Self {
        let calls = found.reader.clone();
        Self { player, received, target, kind, found, calls, taken: 0, last: None }
    }

    /// What was registered for the object that is called, or for its exception class.
    #[must_use]
    pub fn target(&self) -> &'p T {
        self.target
    }

    /// To which of them, and why.
    #[must_use]
    pub fn kind(&self) -> PlaybackKind {
        self.kind
    }

    /// The message.
    #[must_use]
    pub fn received(&self) -> &'m Received {
        self.received
    }

    /// CLSID of the object that is called.
    #[must_use]
    pub fn target_id(&self) -> uuid::Uuid {
        self.found.reader.container().target_id
    }

    /// COM+ partition of that object, as the message names it.
    #[must_use]
    pub fn partition(&self) -> Option<uuid::Uuid> {
        self.found.partition
    }

    /// Number of calls; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a message has at least one call")]
    pub fn len(&self) -> usize {
        self.found.calls
    }

    /// The next call.
    pub fn next_call(&mut self) -> Option<PlayedCall<'m>> {
        // The whole message was walked before, so there is no error to be found.
        let call = self.calls.next()?.ok()?;
        self.taken = self.taken.saturating_add(1);
        self.last = Some(call);
        Some(PlayedCall {
            number: self.taken,
            interface_id: call.interface_id,
            method_number: call.method_number,
            data: call.data,
            security: call.security,
            objects: self.player.options.objects.clone(),
            options: self.player.parameters(),
        })
    }

    /// All calls were played. Where some were not even taken, that is a failure.
    #[must_use]
    pub fn done(self) -> Verdict {
        if self.taken == self.found.calls {
            return Verdict::Done;
        }
        let error: Cow<'static, str> =
            format!("only {} of {} calls were played", self.taken, self.found.calls).into();
        let scheme = &self.player.options.scheme;
        let verdict = match self.kind {
            PlaybackKind::Normal => scheme.after_failure(self.received, error.clone()),
            PlaybackKind::FinalServerRetry | PlaybackKind::FinalClientRetry => None,
        };
        verdict.unwrap_or_else(|| exhausted(error))
    }

    /// The call taken last has failed: what the scheme says, or the exception class.
    #[must_use]
    pub fn failed(self, error: impl fmt::Display) -> AfterFailure<'p, 'm, T> {
        let error: Cow<'static, str> = self.describe(&error).into();
        if self.kind != PlaybackKind::Normal {
            return AfterFailure::Settle(exhausted(error));
        }
        if let Some(verdict) = self.player.options.scheme.after_failure(self.received, error.clone()) {
            return AfterFailure::Settle(verdict);
        }
        let Self { player, received, found, .. } = self;
        match player.exception(found.partition, found.reader.container().target_id) {
            Some(target) => AfterFailure::FinalRetry(Self::new(
                player,
                received,
                target,
                PlaybackKind::FinalServerRetry,
                found,
            )),
            None => AfterFailure::Settle(exhausted(error)),
        }
    }

    /// Plays all calls through a component.
    pub fn play(mut self, component: &mut (impl Component + ?Sized)) -> AfterFailure<'p, 'm, T> {
        while let Some(call) = self.next_call() {
            if let Err(error) = component.call(&call) {
                return self.failed(error);
            }
        }
        AfterFailure::Settle(self.done())
    }

    /// Which call, and the component's words.
    fn describe(&self, error: &dyn fmt::Display) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = match &self.last {
            Some(call) => {
                write!(text, "call {} of {}, {}", self.taken, self.found.calls, self.player.method(call))
            }
            None => write!(text, "before the first call"),
        };
        let _ = write!(text, ": {error}");
        let end = (0..=MAX_ERROR).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text
    }
}

fn exhausted(error: Cow<'static, str>) -> Verdict {
    Verdict::Dead(DeadReason::Exhausted, error)
}
