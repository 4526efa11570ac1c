//! What both sides do with sspi.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracing::dispatcher::{self, Dispatch};

/// Runs sspi without its logs, which show messages before they are encrypted, and names.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
    dispatcher::with_default(&Dispatch::none(), f)
}

/// The result of a future that waits for nothing; `None` when it waits.
pub(crate) fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
