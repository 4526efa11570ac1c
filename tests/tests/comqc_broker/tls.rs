//! amqps, and what the logs may not hold.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use comqc_msmq::{Queue, QueueError, RabbitQueue};
use testkit::broker::Broker;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use super::{plays, run, send};

/// Not that of the broker: what must never be seen.
const PASSWORD: &str = "sEcReT.42";

/// A certificate for 127.0.0.1 that is its own authority, and its key.
pub fn files(folder: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

/// Everything that is logged, at all levels.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        *self.0.lock().unwrap() += &format!("{field}={value:?}\n");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

pub fn both(broker: &mut Broker) {
    let log = Log::default();
    // For all threads: the client library has one of its own.
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let files_here = tempfile::tempdir().unwrap();
    run(async {
        let at = format!("127.0.0.1:{}/?queue=tls&retries=0&timeout=20", broker.tls_port);
        let authority = broker.certificate.as_ref().unwrap().display();
        let queue = RabbitQueue::open(&format!("amqps://guest:guest@{at}&cacert={authority}")).await.unwrap();
        send(&queue, "over TLS").await;
        plays(&queue, "over TLS").await;
        queue.close().await;
        assert!(!log.text().is_empty(), "nothing was logged");

        // An authority that nobody has named, and one that is another.
        let (other, _) = files(files_here.path());
        for more in [String::new(), format!("&cacert={}", other.display())] {
            let address = format!("amqps://guest:{PASSWORD}@{at}{more}").replace("timeout=20", "timeout=1");
            let refused = RabbitQueue::open(&address).await.unwrap_err();
            assert!(matches!(refused, QueueError::Disconnected(_)), "{refused:?}");
            assert!(!refused.to_string().contains(PASSWORD) && !format!("{refused:?}").contains(PASSWORD));
        }
        // The right one, and the wrong password.
        let address = format!("amqps://guest:{PASSWORD}@{at}&cacert={authority}");
        let queue = RabbitQueue::new(&address).unwrap();
        let refused = queue.count().await.unwrap_err();
        assert!(matches!(refused, QueueError::Backend(_)), "{refused:?}");
        for told in [refused.to_string(), format!("{refused:?}{queue:?}"), queue.address(), log.text()] {
            assert!(!told.contains(PASSWORD), "{told}");
        }
    });
}
