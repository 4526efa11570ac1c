//! What has come from other machines is taken once and in order.

use comqc_msmq::Place;
use comqc_msmq::sqlite::{Arrival, StoredQueue};
use comqc_session::{MessageId, Received, Sender, Timestamp};
use msmq_packet::{MessageClass, MessageIdentifier, QueueName, TransactionHeader, TxSequenceId, UserMessage};
use msmq_session::{Decision, Facts, IncomingSequence, Room, Target};
use uuid::Uuid;

use crate::common::{message, place};

const SENDER: Uuid = Uuid::from_u128(7);
const SENT: u32 = 1_700_000_000;

fn arrival(ordinal: u32, number: Option<(u64, u32, u32)>) -> Arrival {
    let identifier = MessageIdentifier { queue_manager: SENDER, ordinal };
    let mut headers = UserMessage::new(identifier, SENT, QueueName::direct(r"OS:here\private$\orders"));
    if let Some((sequence, number, previous)) = number {
        headers = headers.in_transaction(TransactionHeader::single(TxSequenceId(sequence), number, previous));
    }
    let target =
        Target { transactional: number.is_some(), authenticated: false, writable: true, room: Room::Enough };
    Arrival {
        queue: r"private$\orders".into(),
        headers: Box::new(headers),
        received: Received {
            id: MessageId { lineage: SENDER, uniquifier: ordinal },
            message: message(&ordinal.to_string()),
            sender: Sender::default(),
            sent: Timestamp(u64::from(SENT) * 1000),
            round: 0,
            failures: 0,
            abandoned: 0,
        },
        facts: Facts {
            own: Uuid::from_u128(1),
            unix: SENT,
            clock_skew: 0,
            target: Some(target),
            sequence: IncomingSequence::default(),
            known: false,
            insecure_nacks: false,
        },
    }
}

fn decisions(queue: &StoredQueue, arrivals: &[Arrival]) -> Vec<Decision> {
    queue.take(arrivals).unwrap().into_iter().map(|verdict| verdict.decision).collect()
}

#[test]
fn a_transactional_message_is_taken_where_it_follows_what_has_come() {
    use Decision::{Deliver, Duplicate, OutOfOrder};
    let place = place();
    for (sequence, number, previous, decision) in [
        (5, 1, 0, Deliver),
        (5, 1, 0, Duplicate),
        (5, 3, 2, OutOfOrder),
        (5, 2, 1, Deliver),
        (5, 3, 2, Deliver),
        (5, 7, 3, Deliver),
        (5, 9, 8, OutOfOrder),
        (5, 9, 0, Deliver),
        (5, 8, 0, Duplicate),
        (4, 10, 0, Duplicate),
        (6, 2, 1, OutOfOrder),
        (6, 2, 0, Deliver),
        (5, 10, 9, Duplicate),
    ] {
        // Each in a process of its own.
        let queue = place.store("q.db").queue("orders").unwrap();
        let ordinal = u32::try_from(sequence).unwrap() * 100 + number;
        let decided = decisions(&queue, &[arrival(ordinal, Some((sequence, number, previous)))]);
        assert_eq!(decided, [decision], "{sequence} {number} {previous}");
    }
    let queue = place.store("q.db").queue("orders").unwrap();
    let kept: Vec<_> = queue.list(Place::Main, None, 99).unwrap().into_iter().map(|m| m.label).collect();
    assert_eq!(kept, ["501", "502", "503", "507", "509", "602"]);
}

#[test]
fn senders_and_queues_have_nothing_to_do_with_each_other() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let mut of_other_sender = arrival(2, Some((3, 1, 0)));
    of_other_sender.headers.user.source_queue_manager = Uuid::from_u128(8);
    let in_other_queue = Arrival { queue: r"private$\stock".into(), ..arrival(3, Some((3, 1, 0))) };
    let in_same_queue = Arrival { queue: r"PRIVATE$\Orders".into(), ..arrival(4, Some((3, 1, 0))) };
    let all = [arrival(1, Some((9, 1, 0))), of_other_sender, in_other_queue, in_same_queue];
    let decided = decisions(&queue, &all);
    assert_eq!(decided, [Decision::Deliver, Decision::Deliver, Decision::Deliver, Decision::Duplicate]);
}

#[test]
fn other_messages_are_known_by_their_identifiers() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let both = [arrival(1, None), arrival(2, None), arrival(1, None)];
    assert_eq!(decisions(&queue, &both), [Decision::Deliver, Decision::Deliver, Decision::Duplicate]);
    assert_eq!(decisions(&queue, &both[..1]), [Decision::Duplicate]);
    assert_eq!(queue.count().unwrap().main, 2);
}

#[test]
fn what_is_rejected_does_not_move_the_order() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let mut refused = arrival(1, Some((1, 1, 0)));
    refused.facts.target.as_mut().unwrap().writable = false;
    let rejected = Decision::Reject(MessageClass::NACK_ACCESS_DENIED);
    assert_eq!(decisions(&queue, &[refused]), [rejected]);
    assert_eq!(decisions(&queue, &[arrival(1, Some((1, 1, 0)))]), [Decision::Deliver]);
}

#[test]
fn what_came_too_late_is_not_kept_and_what_follows_it_is() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let mut late = arrival(1, Some((1, 1, 0)));
    late.headers.user.time_to_be_received = 10;
    late.facts.unix = SENT + 11;
    let verdicts = queue.take(&[late, arrival(2, Some((1, 2, 1)))]).unwrap();
    assert_eq!(verdicts[0].decision, Decision::Reject(MessageClass::NACK_RECEIVE_TIMEOUT));
    assert!(verdicts[0].settlement.order_ack.is_some(), "it has reached its queue");
    assert_eq!(verdicts[1].decision, Decision::Deliver);
    assert_eq!(queue.count().unwrap().main, 1);
}

#[test]
fn what_cannot_be_kept_leaves_no_note() {
    let place = place();
    let queue = place.store("q.db").queue("orders").unwrap();
    let mut bad = arrival(2, Some((1, 2, 1)));
    bad.received.message.properties.priority = 9;
    assert!(queue.take(&[arrival(1, Some((1, 1, 0))), bad]).is_err());
    assert_eq!(queue.count().unwrap().main, 0);
    assert_eq!(decisions(&queue, &[arrival(1, Some((1, 1, 0)))]), [Decision::Deliver]);
}

#[test]
fn queues_elsewhere_are_judged_first_and_noted_when_they_have_it() {
    let place = place();
    let store = place.store("outbox.db");
    for number in [None, Some((1, 1, 0))] {
        let arrival = arrival(1, number);
        let verdict = store.judge(&arrival).unwrap();
        assert_eq!(verdict.decision, Decision::Deliver);
        assert_eq!(store.judge(&arrival).unwrap().decision, Decision::Deliver, "it was not taken");
        store.note(&[(arrival.clone(), verdict)]).unwrap();
        assert_eq!(store.judge(&arrival).unwrap().decision, Decision::Duplicate);
    }
}
