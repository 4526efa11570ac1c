//! Waiting for messages, with and without tokio, and futures that are dropped.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use comqc_msmq::sqlite::SqliteQueue;
use comqc_msmq::sqlite::rusqlite::Connection;
use comqc_msmq::{Queue, QueueError};
use comqc_session::Verdict;

use crate::common::{label, message, place, send, take};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn who_waits_gets_what_another_store_sends() {
    let place = place();
    let (sender, receiver) = (place.queue(), place.queue());
    let waiting = thread::spawn(move || receiver.receive(LONG).unwrap().map(|d| label(&d).to_owned()));
    send(&sender, "a");
    assert_eq!(waiting.join().unwrap().as_deref(), Some("a"));
}

#[test]
fn who_waits_takes_over_when_a_message_is_settled() {
    let place = place();
    let (first, second) = (place.queue(), place.queue());
    send(&first, "a");
    send(&first, "b");
    let delivery = take(&first).unwrap();
    let waiting = thread::spawn(move || second.receive(LONG).unwrap().map(|d| label(&d).to_owned()));
    first.settle(&delivery, &Verdict::Done).unwrap();
    assert_eq!(waiting.join().unwrap().as_deref(), Some("b"));
}

#[tokio::test]
async fn an_address_opens_a_queue_for_async_programs() {
    let place = place();
    let address = format!("sqlite:{}?queue=Order%20Entry", place.path().display());
    let queue = SqliteQueue::open(&address).unwrap();
    assert_eq!(queue.address(), address);
    let waiting = tokio::spawn({
        let queue: Arc<dyn Queue> = Arc::new(SqliteQueue::open(&address).unwrap());
        async move {
            let delivery = queue.receive(LONG).await.unwrap().unwrap();
            queue.settle(&delivery, &Verdict::Done).await.unwrap();
            label(&delivery).to_owned()
        }
    });
    queue.send(message("a")).await.unwrap();
    assert_eq!(waiting.await.unwrap(), "a");
    assert_eq!(queue.count().await.unwrap().main, 0);
}

#[tokio::test]
async fn a_future_of_receive_that_is_dropped_takes_nothing_away() {
    let place = place();
    let queue = SqliteQueue::from(place.queue());
    for n in 0..50_u32 {
        queue.send(message("a")).await.unwrap();
        let dropped = tokio::spawn({
            let queue = queue.clone();
            async move { queue.receive(LONG).await }
        });
        for _ in 0..n % 5 {
            tokio::task::yield_now().await;
        }
        dropped.abort();
        // Whether it was too late or not: what it had is there again, at the latest when it is dropped.
        drop(dropped.await);
        let delivery = queue.receive(LONG).await.unwrap().unwrap();
        queue.settle(&delivery, &Verdict::Done).await.unwrap();
        assert_eq!(queue.count().await.unwrap().main, 0);
    }
}

#[tokio::test]
async fn a_message_that_nobody_got_was_abandoned_by_nobody() {
    let place = place();
    let (stored, other) = (place.queue(), place.queue());
    send(&stored, "a");
    let queue = SqliteQueue::from(stored);
    // Nothing can be locked before the task has begun and this thread has it back.
    let writer = Connection::open(place.path()).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let dropped = tokio::spawn(async move { queue.receive(LONG).await });
    tokio::task::yield_now().await;
    writer.execute_batch("ROLLBACK").unwrap();
    // From here on only its blocking step goes on, since this thread is not given back.
    while other.count().unwrap().locked == 0 {
        thread::yield_now();
    }
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    let delivery = other.receive(LONG).unwrap().unwrap();
    assert_eq!(delivery.received.abandoned, 0);
}

#[test]
fn addresses_are_read_and_written() {
    let address = |text: &str| text.parse::<comqc_msmq::sqlite::SqliteAddress>();
    let printed = |text: &str| address(text).map_or_else(|e| e.to_string(), |a| a.to_string());
    for same in [
        "sqlite:q.db?queue=App",
        "sqlite:/var/q%3F%25.db?queue=Order%20Entry&mode=ro",
        "sqlite:C:\\q.db?queue=a=b&mode=rw",
    ] {
        assert_eq!(printed(same), same);
    }
    assert_eq!(printed("sqlite:///q.db?mode=rwc&queue=%41pp"), "sqlite:/q.db?queue=App");
    for wrong in [
        "",
        "sqlite",
        "amqp:q.db?queue=a",
        "sqlite:q.db",
        "sqlite:?queue=a",
        "sqlite:q.db?queue",
        "sqlite://host/q.db?queue=a",
        "sqlite:q.db?queue=a&queue=b",
        "sqlite:q.db?queue=a&mode=x",
        "sqlite:q.db?queue=%4",
        "sqlite:q%00.db?queue=a",
        "sqlite:q.db?queue=%FF",
        "sqlite:q.db?queue=a&other=b",
        "sqlite:q.db?queue=a%+1",
    ] {
        let refused = address(wrong);
        assert!(matches!(refused, Err(QueueError::Address(_))), "{wrong}: {refused:?}");
    }
}
