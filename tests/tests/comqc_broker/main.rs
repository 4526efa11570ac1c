//! Queues of a RabbitMQ broker, which is started here. `cargo xtask interop` installs it and runs the scenarios.

mod browse;
mod faults;
mod foreign;
mod order;
mod player;
mod program;
mod tls;
mod verdicts;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use comqc_msmq::session::{MessageId, Properties, QueueMessage, Verdict};
use comqc_msmq::{Counts, Delivery, Queue, RabbitQueue};
use testkit::broker::Broker;
use testkit::measure::soak;

/// Only a failure ever waits so long.
const WAIT: Duration = Duration::from_secs(60);

type Scenario = (&'static str, fn(&mut Broker));

const SCENARIOS: &[Scenario] = &[
    ("every verdict does what it says", verdicts::every_verdict),
    ("a message walks through the retry queues to the dead queue", verdicts::walk),
    ("poison is dead at once, and can be moved back", verdicts::poison),
    ("what a receiver was told to keep is in the journal", verdicts::journal),
    ("what is not received in time is dead or gone", verdicts::expiry),
    ("one message comes after the other, whatever happens to it", order::kept),
    ("nobody gets a message while somebody has one, and the next takes over", order::takeover),
    ("players that die are counted, and looks are not", order::abandoned),
    ("places are listed and left as they were", browse::listed),
    ("messages are moved, removed, purged and counted", browse::changed),
    ("a classic queue is listed and left as it was", browse::classic),
    ("a foreign program reads our messages and sends some", foreign::both_ways),
    ("hostile headers stop nobody", foreign::hostile),
    ("classic queues keep order and count, too", order::classic),
    ("the program records, plays, moves and removes", program::commands),
    ("TLS, and no password in any log", tls::both),
    ("what the broker refuses is said", faults::refused),
    ("without the broker there are clear errors, and then it goes on", faults::stopped),
    ("a broker killed under load loses nothing and plays nothing twice", faults::killed),
];

/// One broker for all of them.
#[test]
#[ignore = "needs RabbitMQ: cargo xtask interop"]
fn scenarios() {
    let root = Broker::root().expect("RabbitMQ is not installed: cargo xtask interop installs it");
    let only = std::env::var("REMASSIST_ONLY").unwrap_or_default();
    let chosen = |(name, _): &&Scenario| format!("queue: {name}").contains(&only);
    let chosen: Vec<_> = SCENARIOS.iter().filter(chosen).collect();
    if chosen.is_empty() {
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = tls::files(files.path());
    let mut broker = Broker::start_with(&root, Some((&certificate, &key)));
    for (name, scenario) in chosen {
        let begun = Instant::now();
        println!("\nqueue: {name}");
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| scenario(&mut broker))) {
            if soak() {
                resume_unwind(failure);
            }
            println!("queue: {name}: failed; once more");
            // With another broker: what was left in this one would be in the way.
            broker = Broker::start_with(&root, Some((&certificate, &key)));
            scenario(&mut broker);
        }
        println!("ok: queue: {name} ({:.1} s)", begun.elapsed().as_secs_f64());
    }
}

fn run<T>(scenario: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(scenario)
}

async fn open(broker: &Broker, name: &str, options: &str) -> RabbitQueue {
    RabbitQueue::open(&format!("{}{options}", broker.address(name))).await.unwrap()
}

fn message(label: &str) -> QueueMessage {
    let properties = Properties { label: label.into(), ..Properties::default() };
    QueueMessage { properties, body: format!("body of {label}").into_bytes().into() }
}

async fn send(queue: &impl Queue, label: &str) -> MessageId {
    queue.send(message(label)).await.unwrap()
}

async fn next(queue: &impl Queue) -> Delivery {
    queue.receive(WAIT).await.unwrap().expect("a message")
}

fn label(delivery: &Delivery) -> &str {
    &delivery.received.message.properties.label
}

async fn done(queue: &impl Queue, delivery: &Delivery) {
    queue.settle(delivery, &Verdict::Done).await.unwrap();
}

/// Receives a message of this label, and says that it was played.
async fn plays(queue: &impl Queue, expected: &str) {
    let delivery = next(queue).await;
    assert_eq!(label(&delivery), expected);
    done(queue, &delivery).await;
}

/// What a quorum queue says of its length is a moment old.
async fn counts(queue: &impl Queue, expected: impl Fn(&Counts) -> bool) {
    let begun = Instant::now();
    loop {
        let counts = queue.count().await.unwrap();
        if expected(&counts) {
            return;
        }
        assert!(begun.elapsed() < WAIT, "{counts:?}");
    }
}

async fn is_empty(queue: &impl Queue) {
    assert!(queue.receive(Duration::ZERO).await.unwrap().is_none(), "there is a message");
}
