//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

use comqc_session::Timestamp;

/// The time that the machine's clock tells.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}
