//! What has come from other machines is taken once and in order.

use comqc_msmq::Place;
use comqc_msmq::sqlite::{Arrival, Judged, StoredQueue, TxNumber};
use comqc_session::{MessageId, Received, Sender, Timestamp};
use uuid::Uuid;

use crate::common::{message, place};

const SENDER: Uuid = Uuid::from_u128(7);

fn arrival(uniquifier: u32, number: Option<(u64, u32, u32)>) -> Arrival {
    Arrival {
        queue: r"private$\orders".into(),
        sender: SENDER,
        number: number.map(|(sequence, number, previous)| (TxNumber { sequence, number }, previous)),
        received: Received {
            id: MessageId { lineage: SENDER, uniquifier },
            message: message(&uniquifier.to_string()),
            sender: Sender::default(),
            sent: Timestamp(1_700_000_000_000),
            round: 0,
            failures: 0,
            abandoned: 0,
        },
    }
}

fn take(queue: &StoredQueue, sequence: u64, number: u32, previous: u32) -> Judged {
    let uniquifier = u32::try_from(sequence).unwrap() * 100 + number;
    queue.take(&[arrival(uniquifier, Some((sequence, number, previous)))]).unwrap()[0]
}

#[test]
fn a_transactional_message_is_taken_where_it_follows_what_has_come() {
    use Judged::{Duplicate, New, OutOfOrder};
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    for (sequence, number, previous, judged) in [
        (5, 1, 0, New),
        (5, 1, 0, Duplicate),
        (5, 3, 2, OutOfOrder),
        (5, 2, 1, New),
        (5, 3, 2, New),
        (5, 7, 3, New),
        (5, 9, 8, OutOfOrder),
        (5, 9, 0, New),
        (5, 8, 0, Duplicate),
        (4, 10, 0, Duplicate),
        (6, 2, 1, OutOfOrder),
        (6, 2, 0, New),
        (5, 10, 9, Duplicate),
    ] {
        // Each in a process of its own.
        let queue = place.store("q.db").queue("orders").unwrap();
        assert_eq!(take(&queue, sequence, number, previous), judged, "{sequence} {number} {previous}");
    }
    let kept: Vec<_> = queue.list(Place::Main, None, 99).unwrap().into_iter().map(|m| m.label).collect();
    assert_eq!(kept, ["501", "502", "503", "507", "509", "602"]);
}

#[test]
fn senders_and_queues_have_nothing_to_do_with_each_other() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let first = arrival(1, Some((9, 1, 0)));
    let of_other_sender = Arrival { sender: Uuid::from_u128(8), ..arrival(2, Some((3, 1, 0))) };
    let in_other_queue = Arrival { queue: r"private$\stock".into(), ..arrival(3, Some((3, 1, 0))) };
    let same_queue = Arrival { queue: r"PRIVATE$\Orders".into(), ..arrival(4, Some((3, 1, 0))) };
    let judged = queue.take(&[first, of_other_sender, in_other_queue, same_queue]).unwrap();
    assert_eq!(judged, [Judged::New, Judged::New, Judged::New, Judged::Duplicate]);
}

#[test]
fn other_messages_are_known_by_their_identifiers() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let both = [arrival(1, None), arrival(2, None), arrival(1, None)];
    assert_eq!(queue.take(&both).unwrap(), [Judged::New, Judged::New, Judged::Duplicate]);
    assert_eq!(queue.take(&both[..1]).unwrap(), [Judged::Duplicate]);
    assert_eq!(queue.count().unwrap().main, 2);
}

#[test]
fn what_cannot_be_kept_leaves_no_note() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let mut bad = arrival(2, Some((1, 2, 1)));
    bad.received.message.properties.priority = 9;
    assert!(queue.take(&[arrival(1, Some((1, 1, 0))), bad]).is_err());
    assert_eq!(queue.count().unwrap().main, 0);
    assert_eq!(queue.take(&[arrival(1, Some((1, 1, 0)))]).unwrap(), [Judged::New]);
}

#[test]
fn queues_elsewhere_are_judged_first_and_noted_when_they_have_it() {
    let place = place();
    let store = place.store("outbox.db");
    for number in [None, Some((1, 1, 0))] {
        let arrival = arrival(1, number);
        assert_eq!(store.judge(&arrival).unwrap(), Judged::New);
        assert_eq!(store.judge(&arrival).unwrap(), Judged::New, "it was not taken");
        store.note(&arrival).unwrap();
        assert_eq!(store.judge(&arrival).unwrap(), Judged::Duplicate);
    }
}
