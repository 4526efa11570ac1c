//! What is in the file: of older and newer versions, of something else, damaged.

use std::fs;

use comqc_msmq::sqlite::rusqlite::Connection;
use comqc_msmq::sqlite::{Mode, Store, StoreOptions};
use comqc_msmq::{Place, QueueError};
use comqc_session::{MessageId, Verdict};

use crate::common::{labels, place, play_all, send, take};

/// The tables as the first version made them.
const VERSION_1: &str = include_str!("../../../crates/comqc-msmq/src/sqlite/schema-1.sql");

#[test]
fn a_database_of_an_older_version_is_brought_up_to_date() {
    let place = place();
    let db = Connection::open(place.path()).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    // One message of this store, and one that came with an identifier; four others were there and are gone.
    db.execute_batch(
        "PRAGMA application_id = 0x434F4D51; PRAGMA user_version = 1;
         INSERT INTO comqc_queue (id, name, created) VALUES (1, 'App', 0);
         INSERT INTO comqc_message (seq, queue, place, lineage, uniquifier, label, priority, sent, size, properties, sender)
         VALUES (2, 1, 'main', '00000000-0000-0000-0000-000000000001', 1, 'old', 3, 0, 3, '{}', '{}'),
                (4, 1, 'main', '00000000-0000-0000-0000-000000000002', 3, 'other', 3, 0, 0, '{}', '{}');
         INSERT INTO comqc_body VALUES (2, x'010203'), (4, x'');
         UPDATE comqc_store SET lineage = '00000000-0000-0000-0000-000000000001', base = 1, last = 6;",
    )
    .unwrap();
    let queue = place.queue();
    let shown: String =
        db.query_row("SELECT identifier FROM comqc_messages LIMIT 1", [], |row| row.get(0)).unwrap();
    assert_eq!(shown, "{00000000-0000-0000-0000-000000000001}\\1");
    let id = |lineage, uniquifier| MessageId { lineage: uuid::Uuid::from_u128(lineage), uniquifier };
    let old = queue.peek(Place::Main, Some(id(1, 1))).unwrap().unwrap();
    assert_eq!((&*old.message.properties.label, &*old.message.body), ("old", &[1, 2, 3][..]));
    let other = queue.peek(Place::Main, Some(id(2, 3))).unwrap().unwrap();
    assert_eq!(other.message.properties.label, "other");
    assert!(matches!(queue.peek(Place::Main, Some(id(1, 3))), Err(QueueError::NotFound(_))));
    assert_eq!(send(&queue, "new"), id(1, 6), "numbers go on");
    assert_eq!(play_all(&queue), ["old", "other", "new"]);
}

/// What was forwarded to the store that had given its identifier is another message of that store, but found by it.
#[test]
fn identifiers_that_come_back_are_found() {
    let place = place();
    let queue = place.queue();
    let first = send(&queue, "a");
    let delivery = take(&queue).unwrap();
    let received = delivery.received.clone();
    queue.settle(&delivery, &Verdict::Done).unwrap();
    assert_eq!(send(&queue, "b").uniquifier, 2);
    queue.forward(&received).unwrap();
    queue.forward(&received).unwrap();
    assert_eq!(labels(&queue, Place::Main), ["b", "a"], "once");
    assert_eq!(queue.peek(Place::Main, Some(first)).unwrap().unwrap().message.properties.label, "a");
    let third = MessageId { uniquifier: 3, ..first };
    assert!(matches!(queue.peek(Place::Main, Some(third)), Err(QueueError::NotFound(_))), "not its number");
    queue.remove(Place::Main, first).unwrap();
    assert_eq!(play_all(&queue), ["b"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let place = place();
    drop(place.store());
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 5).unwrap();
    let refused =
        Store::open(place.path()).unwrap_err().to_string().replace(place.path().to_str().unwrap(), "FILE");
    expect_test::expect!["the queue is damaged or of another version: FILE: its tables are of version 5; this program knows versions 1 to 4"].assert_eq(&refused);
}

#[test]
fn a_file_of_somebody_else_is_refused_and_not_touched() {
    let place = place();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    let before = fs::read(place.path()).unwrap();
    assert!(matches!(Store::open(place.path()), Err(QueueError::Damaged(_))));
    assert_eq!(fs::read(place.path()).unwrap(), before);
    fs::write(place.path(), "no database at all, but longer than a header would be".repeat(100)).unwrap();
    assert!(matches!(Store::open(place.path()), Err(QueueError::Damaged(_))));
}

#[test]
fn a_file_that_is_damaged_anywhere_is_refused_or_gives_what_it_has() {
    let place = place();
    let queue = place.queue();
    for n in 0..30 {
        send(&queue, &n.to_string());
    }
    drop(queue);
    let whole = fs::read(place.path()).unwrap();
    for page in 0..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xA5);
        fs::write(place.path(), damaged).unwrap();
        for extra in ["-wal", "-shm"] {
            _ = fs::remove_file(format!("{}{extra}", place.path().display()));
        }
        let looked = Store::open_with(place.path(), place.options()).and_then(|store| {
            let queue = store.queue("App")?;
            queue.count()?;
            let listed = queue.list(Place::Main, None, 100)?;
            listed.iter().try_for_each(|m| queue.peek(Place::Main, Some(m.id)).map(drop))
        });
        assert!(
            matches!(looked, Ok(()) | Err(QueueError::Damaged(_) | QueueError::NotFound(_))),
            "page {page}: {looked:?}"
        );
    }
}

#[test]
fn a_row_that_was_written_by_hand_is_told() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let db = Connection::open(place.path()).unwrap();
    db.execute_batch("UPDATE comqc_message SET properties = '{\"tracing\": 7}'").unwrap();
    let told = queue.receive(std::time::Duration::ZERO).unwrap_err();
    assert!(matches!(told, QueueError::Damaged(_)), "{told}");
    db.execute_batch("UPDATE comqc_message SET properties = '{}'").unwrap();
    assert_eq!(play_all(&queue), ["a"]);
}

#[test]
fn what_only_looks_makes_nothing() {
    let place = place();
    let options = |mode| StoreOptions { mode, ..place.options() };
    assert!(matches!(Store::open_with(place.path(), options(Mode::ReadOnly)), Err(QueueError::Address(_))));
    assert!(matches!(Store::open_with(place.path(), options(Mode::Existing)), Err(QueueError::Address(_))));
    assert_eq!(place.files(), [""; 0]);
    send(&place.queue(), "a");
    let store = Store::open_with(place.path(), options(Mode::ReadOnly)).unwrap();
    assert!(matches!(store.queue("Other"), Err(QueueError::Address(_))));
    let queue = store.queue("app").unwrap();
    assert_eq!((queue.name(), labels(&queue, Place::Main)), ("App", vec!["a".to_owned()]));
    let refused = queue.receive(std::time::Duration::ZERO).unwrap_err();
    assert!(matches!(refused, QueueError::ReadOnly { .. }), "{refused}");
}

#[test]
fn numbers_that_are_used_up_begin_a_new_lineage() {
    let place = place();
    let queue = place.queue();
    let first = send(&queue, "a");
    assert_eq!(first.uniquifier, 1);
    let db = Connection::open(place.path()).unwrap();
    db.execute("UPDATE comqc_queue SET last = ?1", [i64::from(u32::MAX) - 1]).unwrap();
    assert_eq!(send(&queue, "b"), MessageId { uniquifier: u32::MAX, ..first });
    let other = send(&queue, "c");
    assert_eq!(other.uniquifier, 1);
    assert_ne!(other.lineage, first.lineage);
    assert_eq!(send(&queue, "d"), MessageId { uniquifier: 2, ..other });
    db.execute("UPDATE comqc_lineage SET closed = 1", []).unwrap();
    assert_ne!(send(&queue, "e").lineage, other.lineage, "a copy that lives on");
    assert_eq!(play_all(&queue), ["a", "b", "c", "d", "e"]);
}

#[test]
fn names_that_no_queue_can_have_are_refused() {
    let store = place();
    let store = store.store();
    for name in ["", "a\\b", "a;b", "a,b", "a\"b", "a+b", "a\nb", &"x".repeat(125)] {
        assert!(matches!(store.queue(name), Err(QueueError::Address(_))), "{name:?}");
    }
    for name in [
        "Order Entry",
        "a/b",
        "a'; DROP TABLE x -- ".trim_end_matches(' ').replace(';', ":").as_str(),
        &"x".repeat(124),
    ] {
        store.queue(name).unwrap();
    }
    assert_eq!(store.queues().unwrap().len(), 4);
}

/// Files hold only what is not the default: should a default change, those of this version would have to be written out.
#[test]
fn the_defaults_that_files_leave_out_are_these() {
    let properties = serde_json::to_string_pretty(&comqc_session::Properties::default()).unwrap();
    expect_test::expect![[r#"
        {
          "extension": "fbbc64165117d211b58e00e0290e6c31",
          "label": "",
          "priority": 3,
          "delivery": 1,
          "time_to_reach_queue": null,
          "time_to_be_received": null,
          "positive_journaling": false,
          "negative_journaling": false,
          "tracing": false,
          "class": 0,
          "body_type": 0,
          "application_tag": 0,
          "correlation": {
            "lineage": "00000000-0000-0000-0000-000000000000",
            "uniquifier": 0
          },
          "acknowledgements": 0,
          "administration_queue": "",
          "response_queue": "",
          "signature_level": 0,
          "sender_id_type": 0,
          "privacy": 0,
          "hash_algorithm": 32782,
          "encryption_algorithm": 26126,
          "connector_type": "00000000-0000-0000-0000-000000000000"
        }"#]]
    .assert_eq(&properties);
    let sender = serde_json::to_string(&comqc_session::Sender::default()).unwrap();
    expect_test::expect![[r#"{"sid":null,"authenticated":false,"description":""}"#]].assert_eq(&sender);
}

#[test]
fn a_message_without_its_body_is_told() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    Connection::open(place.path()).unwrap().execute_batch("UPDATE comqc_message SET body = x''").unwrap();
    assert!(matches!(take_error(&queue), QueueError::Damaged(_)));
    assert!(take(&place.store().queue("Other").unwrap()).is_none());
}

fn take_error(queue: &comqc_msmq::sqlite::StoredQueue) -> QueueError {
    queue.receive(std::time::Duration::ZERO).unwrap_err()
}
