//! The outbox: numbers that are given once, and what becomes of messages.

use std::collections::HashSet;
use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use comqc_msmq::sqlite::rusqlite::Connection;
use comqc_msmq::sqlite::{Fate, Outbox, OutgoingQueue, Progress, Transfer};
use comqc_msmq::{Place, QueueError};
use comqc_session::{DeadReason, MessageId};

use crate::common::{ORDERS, labels, message, numbers, place, waiting};

fn accept(queue: &OutgoingQueue, label: &str, transfer: Transfer) -> MessageId {
    queue.accept(&[message(label)], transfer).unwrap()[0]
}

/// What a destination demands ([MS-MQQB] 3.1.5.8.6).
fn rising(numbers: &[(u64, u32)]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

#[test]
fn messages_wait_in_order_with_numbers_that_rise() {
    let place = place();
    let queue = place.orders();
    let ids: Vec<_> = ["a", "b", "c"].map(|label| accept(&queue, label, Transfer::Single)).to_vec();
    let waiting = waiting(&queue);
    assert_eq!(labels(&waiting), ["a", "b", "c"]);
    assert!(rising(&numbers(&waiting)));
    assert!(waiting.iter().all(|outgoing| outgoing.place.unwrap().number == 1), "each its own sequence");
    assert_eq!(waiting.iter().map(|outgoing| outgoing.received.id).collect::<Vec<_>>(), ids);
    assert!(waiting.iter().all(|outgoing| outgoing.id == outgoing.received.id));
    assert_eq!(numbers(&waiting)[0].0 >> 32, 1_700_000_000, "TimeStamp is the time of the first one");
}

#[test]
fn messages_of_one_sequence_have_one_identifier_and_count_from_1() {
    let place = place();
    let queue = place.orders();
    let messages: Vec<_> = ["a", "b", "c"].iter().map(|label| message(label)).collect();
    queue.accept(&messages, Transfer::Sequence).unwrap();
    let numbers = numbers(&waiting(&queue));
    assert_eq!(numbers.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(numbers.iter().all(|(sequence, _)| *sequence == numbers[0].0));
}

#[test]
fn numbers_stay_when_the_store_is_opened_again_and_when_others_are_settled() {
    let place = place();
    let queue = place.orders();
    for label in ["a", "b", "c"] {
        accept(&queue, label, Transfer::Sequence);
    }
    let before = waiting(&queue);
    queue.settle(&[(before[0].key, Fate::Delivered)]).unwrap();
    drop(queue);
    let queue = place.orders();
    accept(&queue, "d", Transfer::Sequence);
    let after = waiting(&queue);
    assert_eq!(after[..2], before[1..]);
    assert!(rising(&numbers(&after)));
}

#[test]
fn numbers_rise_however_the_numbering_changes_and_the_clock_goes() {
    let place = place();
    let mut kinds = [Transfer::Single, Transfer::Sequence].into_iter().cycle();
    for (index, step) in [0_i64, -3_600_000, 10_000, -86_400_000, 1, 90_000_000].into_iter().enumerate() {
        let time = place.clock.load(Ordering::SeqCst).checked_add_signed(step).unwrap();
        place.clock.store(time, Ordering::SeqCst);
        let queue = place.orders();
        for kind in kinds.by_ref().take(3) {
            accept(&queue, &format!("{index}"), kind);
            accept(&queue, &format!("{index}"), kind);
        }
    }
    let queue = place.orders();
    let numbers = numbers(&waiting(&queue));
    assert_eq!(numbers.len(), 36);
    assert!(rising(&numbers), "{numbers:?}");
}

#[test]
fn numbers_rise_between_destinations_and_processes_that_take_turns() {
    let place = place();
    let other = r"TCP:10.0.0.5\private$\stock".parse().unwrap();
    let (first, second) = (place.outbox(), place.outbox());
    for round in 0..4 {
        for outbox in [&first, &second] {
            accept(&outbox.to(&ORDERS.parse().unwrap()).unwrap(), &format!("{round}"), Transfer::Single);
            accept(&outbox.to(&other).unwrap(), &format!("{round}"), Transfer::Sequence);
        }
    }
    for queue in first.waiting().unwrap() {
        let waiting = waiting(&queue);
        assert_eq!(labels(&waiting), ["0", "0", "1", "1", "2", "2", "3", "3"]);
        assert!(rising(&numbers(&waiting)));
    }
}

#[test]
fn a_file_that_was_restored_from_a_copy_gives_out_no_number_twice() {
    let place = place();
    accept(&place.orders(), "a", Transfer::Sequence);
    let copy = fs::read(place.path("outbox.db")).unwrap();
    place.clock.fetch_add(5000, Ordering::SeqCst);
    accept(&place.orders(), "lost", Transfer::Sequence);
    let lost = numbers(&waiting(&place.orders()))[1];
    fs::write(place.path("outbox.db"), copy).unwrap();
    place.clock.fetch_add(5000, Ordering::SeqCst);
    accept(&place.orders(), "b", Transfer::Sequence);
    assert!(numbers(&waiting(&place.orders()))[1] > lost);
}

#[test]
fn what_is_not_transactional_has_no_number_and_goes_by_priority() {
    let place = place();
    let queue = place.orders();
    for (label, priority) in [("low", 1), ("high", 7)] {
        let mut message = message(label);
        message.properties.priority = priority;
        queue.accept(&[message], Transfer::Plain).unwrap();
    }
    let waiting = waiting(&queue);
    assert_eq!(labels(&waiting), ["high", "low"]);
    assert!(waiting.iter().all(|outgoing| outgoing.place.is_none()));
}

#[test]
fn transactional_messages_keep_their_order_whatever_their_priority() {
    let place = place();
    let queue = place.orders();
    for (label, priority) in [("first", 1), ("second", 7)] {
        let mut message = message(label);
        message.properties.priority = priority;
        queue.accept(&[message], Transfer::Sequence).unwrap();
    }
    assert_eq!(labels(&waiting(&queue)), ["first", "second"]);
}

#[test]
fn the_sender_gets_what_it_does_not_have_yet_and_not_too_much() {
    let place = place();
    let queue = place.orders();
    for number in 0..5 {
        accept(&queue, &number.to_string(), Transfer::Sequence);
    }
    let first = queue.next(&HashSet::new(), 2, u64::MAX).unwrap();
    assert_eq!(labels(&first), ["0", "1"]);
    let known = first.iter().map(|outgoing| outgoing.key).collect();
    assert_eq!(labels(&queue.next(&known, 2, u64::MAX).unwrap()), ["2", "3"]);
    assert_eq!(labels(&queue.next(&known, 9, 9).unwrap()), ["2"], "as many bytes as it has room for");
}

#[test]
fn a_message_is_gone_when_it_was_delivered_and_kept_when_it_was_refused() {
    let place = place();
    let queue = place.orders();
    let [a, b, c] = ["a", "b", "c"].map(|label| accept(&queue, label, Transfer::Single));
    let mut journaled = message("d");
    journaled.properties.positive_journaling = true;
    let d = queue.accept(&[journaled], Transfer::Single).unwrap()[0];
    let keys: Vec<_> = waiting(&queue).iter().map(|outgoing| outgoing.key).collect();
    let refused = Fate::Dead(DeadReason::Undeliverable, "MQMSG_CLASS_NACK_ACCESS_DENIED".into());
    queue.settle(&[(keys[0], Fate::Delivered), (keys[1], refused), (keys[3], Fate::Delivered)]).unwrap();

    let outbox = queue.outbox();
    assert_eq!(outbox.progress(a).unwrap(), Progress::Gone);
    let dead = Progress::Dead(DeadReason::Undeliverable, "MQMSG_CLASS_NACK_ACCESS_DENIED".into());
    assert_eq!(outbox.progress(b).unwrap(), dead);
    assert_eq!(outbox.progress(c).unwrap(), Progress::Waiting);
    assert_eq!(outbox.progress(d).unwrap(), Progress::Gone);
    let counts = queue.count().unwrap();
    assert_eq!((counts.main, counts.dead, counts.journal), (1, 1, 1));
    assert_eq!(queue.list(Place::Dead, None, 9).unwrap()[0].dead, Some(DeadReason::Undeliverable));
    // Told twice, as when an answer comes again.
    queue.settle(&[(keys[0], Fate::Delivered)]).unwrap();
}

#[test]
fn a_message_that_is_sent_again_by_hand_has_a_new_number_and_its_old_identifier() {
    let place = place();
    let queue = place.orders();
    let id = accept(&queue, "a", Transfer::Single);
    accept(&queue, "b", Transfer::Single);
    let first = waiting(&queue);
    let refused = Fate::Dead(DeadReason::Undeliverable, "MQMSG_CLASS_NACK_Q_EXCEED_QUOTA".into());
    queue.settle(&[(first[0].key, refused)]).unwrap();
    queue.move_to(Place::Dead, id, Place::Main).unwrap();
    let second = waiting(&queue);
    assert_eq!(labels(&second), ["b", "a"]);
    assert!(rising(&numbers(&second)));
    assert_eq!(second[1].received.id, id);
    assert_ne!(second[1].id, id, "the destination may have noted the old one when it refused it");
    assert_eq!(queue.count().unwrap().dead, 0);
    assert!(matches!(queue.move_to(Place::Main, id, Place::Retry(0)), Err(QueueError::Unsupported(_))));
}

#[test]
fn a_message_that_waits_for_its_final_acknowledgement_ends_with_it_or_with_its_time() {
    let place = place();
    let queue = place.orders();
    let [a, b, c] = ["a", "b", "c"].map(|label| {
        let mut message = message(label);
        message.properties.negative_journaling = true;
        queue.accept(&[message], Transfer::Single).unwrap()[0]
    });
    let keys: Vec<_> = waiting(&queue).iter().map(|outgoing| (outgoing.key, Fate::AwaitsFinal)).collect();
    queue.settle(&keys).unwrap();
    assert_eq!(queue.count().unwrap().retry, [3]);
    assert!(waiting(&queue).is_empty());
    assert!(queue.outbox().finish(a, &Fate::Delivered).unwrap());
    assert!(!queue.outbox().finish(a, &Fate::Delivered).unwrap());
    let late = Fate::Dead(DeadReason::Undeliverable, "MQMSG_CLASS_NACK_RECEIVE_TIMEOUT".into());
    assert!(queue.outbox().finish(b, &late).unwrap());
    assert!(matches!(queue.outbox().progress(b).unwrap(), Progress::Dead(..)));
    assert_eq!(queue.outbox().progress(c).unwrap(), Progress::Gone);
    assert_eq!(queue.outbox().sweep().unwrap(), 0);
    place.clock.fetch_add(8 * 24 * 60 * 60 * 1000, Ordering::SeqCst);
    assert_eq!(queue.outbox().sweep().unwrap(), 1);
    assert_eq!(queue.count().unwrap().retry.first(), None);
}

#[test]
fn a_message_that_is_passed_on_twice_is_delivered_once() {
    let place = place();
    let store = place.store("local.db").queue("orders").unwrap();
    let id = store.send(&message("a")).unwrap();
    let received = store.peek(Place::Main, Some(id)).unwrap().unwrap();
    let queue = place.orders();
    queue.forward(&received, Transfer::Single).unwrap();
    queue.forward(&received, Transfer::Single).unwrap();
    let waiting = waiting(&queue);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].received.id, id);
    assert_ne!(waiting[0].id.lineage, id.lineage, "numbers are those of the outbox");
    queue.settle(&[(waiting[0].key, Fate::Delivered)]).unwrap();
    queue.forward(&received, Transfer::Single).unwrap();
    assert_eq!(queue.count().unwrap().main, 0, "it was passed on before");
}

#[test]
fn outgoing_messages_are_in_no_queue_of_this_machine() {
    let place = place();
    let outbox = place.outbox();
    accept(&outbox.to(&ORDERS.parse().unwrap()).unwrap(), "a", Transfer::Single);
    outbox.store().queue("local").unwrap();
    assert_eq!(outbox.store().queues().unwrap(), ["local"]);
    assert!(outbox.store().queue(&format!("DIRECT={ORDERS}")).is_err());
    let same = outbox.to(&r"os:SERVER\PRIVATE$\Orders".parse().unwrap()).unwrap();
    assert_eq!(same.count().unwrap().main, 1, "names are compared without regard to case");
    let journal = outbox.to(&r"OS:server\private$\orders;JOURNAL".parse().unwrap());
    assert!(matches!(journal, Err(QueueError::Address(_))));
}

#[test]
fn old_numberings_go() {
    let place = place();
    for _ in 0..50 {
        let queue = place.orders();
        accept(&queue, "a", Transfer::Single);
        let all: Vec<_> = waiting(&queue).iter().map(|outgoing| (outgoing.key, Fate::Delivered)).collect();
        queue.settle(&all).unwrap();
    }
    let db = Connection::open(place.path("outbox.db")).unwrap();
    let rows: i64 = db.query_row("SELECT count(*) FROM msmq_numbering", [], |row| row.get(0)).unwrap();
    assert!(rows <= 2, "{rows}");
}

#[tokio::test]
async fn a_program_can_wait_until_a_message_is_delivered() {
    let place = place();
    let queue = place.orders();
    let id = accept(&queue, "a", Transfer::Single);
    let outbox: Outbox = queue.outbox().clone();
    assert_eq!(outbox.settled(id, Duration::ZERO).await.unwrap(), Progress::Waiting);
    let key = waiting(&queue)[0].key;
    let waits = tokio::spawn(async move { outbox.settled(id, Duration::from_secs(60)).await.unwrap() });
    // Another process: nothing wakes the one that waits.
    place.orders().settle(&[(key, Fate::Delivered)]).unwrap();
    assert_eq!(waits.await.unwrap(), Progress::Gone);
}

#[test]
fn a_message_that_was_taken_out_by_hand_may_be_passed_on_again() {
    let place = place();
    let store = place.store("local.db").queue("orders").unwrap();
    let id = store.send(&message("a")).unwrap();
    let received = store.peek(Place::Main, Some(id)).unwrap().unwrap();
    let queue = place.orders();
    queue.forward(&received, Transfer::Single).unwrap();
    queue.remove(Place::Main, id).unwrap();
    queue.forward(&received, Transfer::Single).unwrap();
    assert_eq!(queue.count().unwrap().main, 1);
}

#[test]
fn identifiers_that_are_reserved_are_those_of_no_message() {
    let place = place();
    let queue = place.orders();
    let before = accept(&queue, "a", Transfer::Single);
    let first = queue.outbox().reserve(10).unwrap();
    let after = accept(&queue, "b", Transfer::Single);
    let second = place.outbox().reserve(10).unwrap();
    assert_eq!(
        (first.lineage, after.lineage, second.lineage),
        (before.lineage, before.lineage, before.lineage)
    );
    assert!(before.uniquifier < first.uniquifier);
    assert!(first.uniquifier + 10 <= after.uniquifier && after.uniquifier < second.uniquifier);
    assert!(queue.outbox().store().queues().unwrap().is_empty());
}
