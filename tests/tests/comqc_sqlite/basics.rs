//! Sending, receiving, settling.

use std::time::Duration;

use comqc_msmq::{Counts, Place, QueueError};
use comqc_session::{DeadReason, Properties, Verdict};

use crate::common::{label, labels, message, place, play_all, send, take};

#[test]
fn messages_come_in_the_order_of_sending() {
    let place = place();
    let queue = place.queue();
    let sent: Vec<_> = (0..20).map(|n| n.to_string()).inspect(|label| _ = send(&queue, label)).collect();
    assert_eq!(play_all(&queue), sent);
    assert_eq!(queue.count().unwrap(), Counts::default());
}

#[test]
fn higher_priorities_come_first() {
    let place = place();
    let queue = place.queue();
    for (label, priority) in [("a", 3), ("b", 7), ("c", 0), ("d", 3), ("e", 7)] {
        let mut message = message(label);
        message.properties.priority = priority;
        queue.send(&message).unwrap();
    }
    assert_eq!(labels(&queue, Place::Main), ["b", "e", "a", "d", "c"]);
    assert_eq!(play_all(&queue), ["b", "e", "a", "d", "c"]);
}

#[test]
fn nothing_comes_before_a_message_that_somebody_has() {
    let place = place();
    let (mine, other) = (place.queue(), place.queue());
    send(&mine, "first");
    send(&mine, "second");
    let first = take(&mine).unwrap();
    assert!(take(&mine).is_none() && take(&other).is_none());
    mine.settle(&first, &Verdict::Return).unwrap();
    let again = take(&other).unwrap();
    assert_eq!((label(&again), again.received.failures, again.received.abandoned), ("first", 0, 0));
    let gone = mine.settle(&first, &Verdict::Done).unwrap_err();
    assert!(matches!(gone, QueueError::Locked(id) if id == first.received.id), "{gone}");
}

#[test]
fn a_failure_is_counted_and_told() {
    let place = place();
    let queue = place.queue();
    send(&queue, "first");
    send(&queue, "second");
    for failures in 0..3 {
        let delivery = take(&queue).unwrap();
        assert_eq!((label(&delivery), delivery.received.failures), ("first", failures));
        queue.settle(&delivery, &Verdict::Again("no such customer".into())).unwrap();
    }
    let listed = &queue.list(Place::Main, None, 1).unwrap()[0];
    assert_eq!((listed.failures, listed.error.as_deref()), (3, Some("no such customer")));
}

#[test]
fn a_retry_queue_lets_go_when_its_time_is_over_and_before_others() {
    let place = place();
    let queue = place.queue();
    send(&queue, "poison");
    send(&queue, "good");
    let poison = take(&queue).unwrap();
    let wait = Duration::from_secs(60);
    queue.settle(&poison, &Verdict::Again("once".into())).unwrap();
    let poison = take(&queue).unwrap();
    queue.settle(&poison, &Verdict::Retry { queue: 0, wait, error: "thrice".into() }).unwrap();
    assert_eq!(labels(&queue, Place::Retry(0)), ["poison"]);
    assert_eq!(queue.list(Place::Retry(0), None, 1).unwrap()[0].due, Some(place.clock.now().after(wait)));
    assert_eq!(play_all(&queue), ["good"]);
    send(&queue, "later");
    place.clock.pass(wait - Duration::from_millis(1));
    let later = take(&queue).unwrap();
    assert_eq!(label(&later), "later");
    queue.settle(&later, &Verdict::Return).unwrap();
    place.clock.pass(Duration::from_millis(1));
    let again = take(&queue).unwrap();
    assert_eq!((again.received.round, again.received.failures), (1, 0));
    queue.settle(&again, &Verdict::Return).unwrap();
    assert_eq!(play_all(&queue), ["poison", "later"]);
}

#[test]
fn the_dead_queue_keeps_the_reason() {
    let place = place();
    let queue = place.queue();
    let id = send(&queue, "broken");
    let delivery = take(&queue).unwrap();
    queue.settle(&delivery, &Verdict::Dead(DeadReason::Malformed, "no container header".into())).unwrap();
    let dead = &queue.list(Place::Dead, None, 1).unwrap()[0];
    assert_eq!((dead.id, dead.dead.unwrap()), (id, DeadReason::Malformed));
    assert_eq!(dead.error.as_deref(), Some("no container header"));
    assert!(take(&queue).is_none());
    queue.move_to(Place::Dead, id, Place::Main).unwrap();
    assert_eq!(play_all(&queue), ["broken"]);
}

#[test]
fn every_property_arrives_as_it_was_sent() {
    let place = place();
    let queue = place.queue();
    let mut sent = message("all");
    sent.properties = Properties {
        label: "Ähre \u{1F33E}".into(),
        priority: 6,
        time_to_be_received: Some(9),
        tracing: true,
        response_queue: "DIRECT=OS:a\\b".into(),
        ..sent.properties
    };
    let id = queue.send(&sent).unwrap();
    let received = take(&queue).unwrap().received;
    assert_eq!((received.id, received.message, received.sent), (id, sent, place.clock.now()));
}
