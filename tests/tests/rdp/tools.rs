//! A screen that never rests, and what is logged; what is measured is in `measure`.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::io;
use std::sync::Once;

use ra_rdp::{DisplaySource, Picture};

pub use testkit::measure::{Random, alone, descriptors, record, soak};
pub use testkit::memory::{memory, most_memory};

/// A screen on which everything changes whenever it is looked at.
pub struct Restless(pub Picture);

impl DisplaySource for Restless {
    fn size(&self) -> (u16, u16) {
        (self.0.width(), self.0.height())
    }

    fn capture(&mut self, picture: &mut Picture) -> io::Result<()> {
        self.0.pixels_mut().iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        picture.clone_from(&self.0);
        Ok(())
    }
}

thread_local! {
    /// What all crates log in this thread, while somebody wants to know.
    static LOG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Looks at everything that is logged from now on: set once and for all threads, as one that came later would miss places
/// that are reached meanwhile.
struct Log;

impl Log {
    fn write(value: &dyn Debug) {
        LOG.with_borrow_mut(|log| writeln!(log.as_mut().unwrap(), "{value:?}").unwrap());
    }
}

impl tracing::field::Visit for &Log {
    fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn Debug) {
        Log::write(value);
    }
}

impl tracing::Subscriber for Log {
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        LOG.with_borrow(Option::is_some)
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut &*self);
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut &*self);
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut &*self);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Every test begins with it.
pub fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
}

/// Begins to keep what is logged in this thread; what was kept so far.
pub fn keep_log() -> String {
    LOG.replace(Some(String::new())).unwrap_or_default()
}
