//! Playing a message once, whatever fails.

use std::time::Duration;

use comqc_msmq::sqlite::rusqlite::{self, Connection};
use comqc_msmq::sqlite::{Inbox, Once, PlayError};
use comqc_msmq::{Counts, Place, QueueError};
use comqc_session::{MessageId, Verdict};

use crate::common::{label, labels, message, place, send, take};

fn orders(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).unwrap()
}

fn handler() -> (tempfile::TempDir, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let db = Connection::open(directory.path().join("orders.db")).unwrap();
    db.execute_batch("CREATE TABLE orders (label TEXT)").unwrap();
    (directory, db)
}

fn order(tx: &rusqlite::Transaction<'_>) -> rusqlite::Result<usize> {
    tx.execute("INSERT INTO orders VALUES ('a')", [])
}

#[test]
fn an_inbox_plays_a_message_once() {
    let (_directory, mut db) = handler();
    let inbox = Inbox::create(&db).unwrap();
    let id = MessageId { lineage: uuid::Uuid::from_u128(1), uniquifier: 7 };
    assert_eq!(inbox.play(&mut db, "App", id, order).unwrap(), Once::Now(1));
    assert_eq!(inbox.play(&mut db, "App", id, order).unwrap(), Once::Before);
    assert_eq!(inbox.play(&mut db, "Other", id, order).unwrap(), Once::Now(1), "another queue");
    assert_eq!(orders(&db), 2);
}

#[test]
fn a_handler_that_fails_has_played_nothing() {
    let (_directory, mut db) = handler();
    let inbox = Inbox::create(&db).unwrap();
    let failed = inbox.play(&mut db, "App", MessageId::NIL, |tx| {
        order(tx).unwrap();
        Err::<(), _>("no such customer")
    });
    assert!(matches!(failed, Err(PlayError::Handler("no such customer"))));
    assert_eq!(orders(&db), 0);
    assert_eq!(inbox.play(&mut db, "App", MessageId::NIL, order).unwrap(), Once::Now(1));
}

#[test]
fn an_inbox_forgets_what_is_old_and_what_is_too_much() {
    let place = place();
    let (_directory, mut db) = handler();
    let clock = place.clock.clone();
    let inbox = Inbox::create(&db).unwrap().keeping(Duration::from_secs(60), 5);
    let inbox = inbox.with_clock(std::sync::Arc::new(move || clock.now()));
    let id = |uniquifier| MessageId { lineage: uuid::Uuid::nil(), uniquifier };
    let known = |db: &Connection| -> i64 {
        db.query_row("SELECT count(*) FROM comqc_played", [], |row| row.get(0)).unwrap()
    };
    for n in 0..20 {
        inbox.play(&mut db, "App", id(n), order).unwrap();
    }
    assert_eq!(known(&db), 5);
    assert_eq!(inbox.play(&mut db, "App", id(15), order).unwrap(), Once::Before);
    place.clock.pass(Duration::from_secs(61));
    inbox.play(&mut db, "App", id(20), order).unwrap();
    assert_eq!(known(&db), 1);
}

#[test]
fn a_database_that_may_forget_commits_plays_nothing() {
    let (_directory, mut db) = handler();
    let inbox = Inbox::create(&db).unwrap();
    db.pragma_update(None, "synchronous", "NORMAL").unwrap();
    let refused = inbox.play(&mut db, "App", MessageId::NIL, order);
    assert!(matches!(refused, Err(PlayError::Queue(QueueError::Unsupported(_)))));
}

#[test]
fn one_transaction_plays_and_removes() {
    let place = place();
    let queue = place.queue();
    let store = queue.store();
    send(&queue, "a");
    let mut kept = message("b");
    kept.properties.positive_journaling = true;
    queue.send(&kept).unwrap();
    let other = store.queue("Next").unwrap();
    for expected in ["a", "b"] {
        let delivery = take(&queue).unwrap();
        let played = store.play_in_transaction(&delivery, |tx| -> rusqlite::Result<_> {
            tx.execute_batch("CREATE TABLE IF NOT EXISTS orders (label TEXT)")?;
            tx.execute("INSERT INTO orders VALUES (?1)", [label(&delivery)])?;
            other.send_in_transaction(tx, &message(expected)).unwrap();
            Ok(label(&delivery).to_owned())
        });
        assert_eq!(played.unwrap(), expected);
    }
    assert_eq!(queue.count().unwrap(), Counts { journal: 1, ..Counts::default() });
    assert_eq!(labels(&other, Place::Main), ["a", "b"]);
    assert_eq!(orders(&Connection::open(place.path()).unwrap()), 2);
}

#[test]
fn a_transaction_that_fails_keeps_the_lock_and_sends_nothing() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let delivery = take(&queue).unwrap();
    let failed = queue.store().play_in_transaction(&delivery, |tx| {
        queue.send_in_transaction(tx, &message("b")).unwrap();
        Err::<(), _>("no")
    });
    assert!(matches!(failed, Err(PlayError::Handler("no"))));
    assert!(take(&queue).is_none());
    queue.settle(&delivery, &Verdict::Again("no".into())).unwrap();
    assert_eq!(labels(&queue, Place::Main), ["a"]);
}

#[test]
fn a_handler_that_panics_has_played_nothing() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let delivery = take(&queue).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        queue.store().play_in_transaction(&delivery, |tx| -> Result<(), ()> {
            queue.send_in_transaction(tx, &message("b")).unwrap();
            panic!("a handler's own")
        })
    }));
    assert!(panicked.is_err());
    queue.settle(&delivery, &Verdict::Again("panicked".into())).unwrap();
    assert_eq!(labels(&queue, Place::Main), ["a"]);
}

#[test]
fn a_lock_that_is_lost_plays_nothing() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let delivery = take(&queue).unwrap();
    queue.settle(&delivery, &Verdict::Return).unwrap();
    let lost =
        queue.store().play_in_transaction(&delivery, |_| -> Result<(), ()> { panic!("must not play") });
    assert!(matches!(lost, Err(PlayError::Queue(QueueError::Locked(_)))));
}
