//! What plays the calls of a message.

use async_trait::async_trait;
use comqc_session::{CallError, Playback, PlayedCall};

use crate::Delivery;

/// What a handler has done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All calls were played: the listener removes the message.
    Played,
    /// All calls were played in a transaction that has removed the message, too.
    Settled,
    /// The message had been played before: the listener removes it.
    Duplicate,
}

/// Plays messages for a [`Listener`](crate::Listener), as a whole.
///
/// `T` is what the embedder has registered for a class. A handler that panics has failed.
#[async_trait]
pub trait Handler<T: Sync>: Send + Sync {
    /// Plays all calls, in order: as [`Components`] does, or in a transaction.
    ///
    /// # Errors
    /// When a call could not be played: then nothing of the message counts, and it is tried again later. What was done
    /// outside of a transaction stays done.
    async fn play(
        &self,
        delivery: &Delivery,
        playback: &mut Playback<'_, '_, T>,
    ) -> Result<Outcome, CallError>;
}

/// A component that is called asynchronously.
#[async_trait]
pub trait AsyncComponent: Send + Sync {
    /// Plays one call.
    ///
    /// # Errors
    /// When the call could not be played; the message comes again, from its first call.
    async fn call(&self, call: &PlayedCall<'_>) -> Result<(), CallError>;
}

/// The handler of registered [`AsyncComponent`]s: calls one after the other, without a transaction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Components;

#[async_trait]
impl<T: AsyncComponent> Handler<T> for Components {
    async fn play(&self, _: &Delivery, playback: &mut Playback<'_, '_, T>) -> Result<Outcome, CallError> {
        let component = playback.target();
        while let Some(call) = playback.next_call() {
            component.call(&call).await?;
        }
        Ok(Outcome::Played)
    }
}
