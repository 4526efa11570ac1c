//! Who has a message, and what becomes of it when they are gone.

use std::time::Duration;

use comqc_msmq::{Place, QueueError};
use comqc_session::Verdict;

use crate::common::{label, place, play_all, send, take};

#[test]
fn a_store_that_is_closed_leaves_no_file_and_no_row() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let delivery = take(&queue).unwrap();
    assert_eq!(place.files(), ["queues.db", "queues.db-holder-1", "queues.db-shm", "queues.db-wal"]);
    queue.settle(&delivery, &Verdict::Return).unwrap();
    drop((queue, delivery));
    assert_eq!(place.files(), ["queues.db"]);
    let queue = place.queue();
    assert_eq!(label(&take(&queue).unwrap()), "a");
}

#[test]
fn a_delivery_that_is_dropped_comes_again_as_abandoned() {
    let place = place();
    let (queue, other) = (place.queue(), place.queue());
    send(&queue, "a");
    for abandoned in 0..3 {
        let again = other.receive(Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!((label(&again), again.received.abandoned), ("a", abandoned));
    }
}

#[test]
fn a_settled_delivery_ends_nothing_when_it_is_dropped() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let first = take(&queue).unwrap();
    queue.settle(&first, &Verdict::Return).unwrap();
    let second = take(&queue).unwrap();
    drop(first);
    assert!(place.queue().receive(Duration::from_millis(20)).unwrap().is_none(), "the second has it");
    queue.settle(&second, &Verdict::Done).unwrap();
}

#[test]
fn a_delivery_of_another_store_settles_nothing() {
    let place = place();
    let (queue, other) = (place.queue(), place.store().queue("Other").unwrap());
    send(&queue, "a");
    send(&other, "b");
    let (a, b) = (take(&queue).unwrap(), take(&other).unwrap());
    assert!(matches!(other.settle(&a, &Verdict::Done), Err(QueueError::Locked(_))));
    queue.settle(&a, &Verdict::Return).unwrap();
    other.settle(&b, &Verdict::Done).unwrap();
    assert_eq!(play_all(&queue), ["a"]);
}

#[test]
fn a_locked_message_is_left_alone_by_hand() {
    let place = place();
    let (queue, other) = (place.queue(), place.queue());
    let first = send(&queue, "first");
    send(&queue, "second");
    let delivery = take(&queue).unwrap();
    let locked =
        |result: Result<(), QueueError>| matches!(result, Err(QueueError::Locked(id)) if id == first);
    assert!(locked(other.move_to(Place::Main, first, Place::Dead)));
    assert!(locked(other.remove(Place::Main, first)));
    assert!(other.list(Place::Main, None, 1).unwrap()[0].locked);
    assert_eq!(other.count().unwrap().locked, 1);
    assert_eq!(other.purge(Place::Main).unwrap(), 1);
    queue.settle(&delivery, &Verdict::Return).unwrap();
    assert!(!other.list(Place::Main, None, 1).unwrap()[0].locked);
    assert_eq!(play_all(&queue), ["first"]);
}

#[test]
fn a_store_whose_file_a_person_removed_has_lost_its_lock_and_no_message() {
    let place = place();
    let (queue, other) = (place.queue(), place.queue());
    send(&queue, "a");
    let lost = take(&queue).unwrap();
    std::fs::remove_file(place.directory.path().join("queues.db-holder-1")).unwrap();
    let delivery = take(&other).unwrap();
    assert_eq!(delivery.received.abandoned, 1);
    assert!(matches!(queue.settle(&lost, &Verdict::Done), Err(QueueError::Locked(_))));
    other.settle(&delivery, &Verdict::Return).unwrap();
    let again = take(&queue).unwrap();
    assert!(take(&other).is_none(), "the first store has registered anew");
    queue.settle(&again, &Verdict::Done).unwrap();
}
