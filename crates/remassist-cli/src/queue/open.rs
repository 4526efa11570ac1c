//! Addresses of queues.

use std::sync::Arc;

use comqc_msmq::Queue;
use comqc_msmq::sqlite::{Mode, SqliteAddress, SqliteQueue};
use remassist::core::Secret;

use crate::Failure;

/// The queue at an address, which is made when it is not there yet.
pub async fn queue(url: &Secret<String>) -> Result<Arc<dyn Queue>, Failure> {
    open(url, false).await
}

/// The queue at an address, which must be there.
pub async fn existing(url: &Secret<String>) -> Result<Arc<dyn Queue>, Failure> {
    open(url, true).await
}

async fn open(url: &Secret<String>, existing: bool) -> Result<Arc<dyn Queue>, Failure> {
    let text = url.expose().as_str();
    match text.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let mut address: SqliteAddress = text.parse()?;
            if existing && address.mode == Mode::Create {
                address.mode = Mode::Existing;
            }
            Ok(Arc::new(SqliteQueue::from(address.open()?)))
        }
        // The text may hold a password wherever it is not understood.
        _ => Err(Failure::Usage("a queue is sqlite:FILE?queue=NAME".to_owned())),
    }
}
