//! Lists, counts, and what people do by hand.

use std::time::Duration;

use comqc_msmq::{Counts, Place, QueueError};
use comqc_session::{DeadReason, MessageId, PrivacyLevel, Received, Sender, SignatureLevel, Verdict};

use crate::common::{labels, message, place, play_all, send, take};

#[test]
fn a_list_goes_on_after_any_message() {
    let place = place();
    let queue = place.queue();
    for n in 0..24 {
        let mut message = message(&n.to_string());
        message.properties.priority = n % 8;
        queue.send(&message).unwrap();
    }
    let all = queue.list(Place::Main, None, 1000).unwrap();
    assert_eq!(all.len(), 24);
    for page in 1..25 {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let next = queue.list(Place::Main, after, page).unwrap();
            let Some(last) = next.last() else { break };
            after = Some(last.id);
            assert!(next.len() <= page);
            paged.extend(next);
        }
        assert_eq!(paged, all);
    }
    assert_eq!(play_all(&queue), all.into_iter().map(|m| m.label).collect::<Vec<_>>());
}

#[test]
fn a_retry_queue_is_listed_by_the_time_that_is_left() {
    let place = place();
    let queue = place.queue();
    for (label, seconds) in [("late", 90), ("early", 30), ("middle", 60)] {
        send(&queue, label);
        let (wait, error) = (Duration::from_secs(seconds), "failed".into());
        queue.settle(&take(&queue).unwrap(), &Verdict::Retry { queue: 2, wait, error }).unwrap();
    }
    assert_eq!(labels(&queue, Place::Retry(2)), ["early", "middle", "late"]);
    let early = queue.peek(Place::Retry(2), None).unwrap().unwrap();
    assert_eq!((early.message, early.round), (message("early"), 1));
    let rest = queue.list(Place::Retry(2), Some(early.id), 10).unwrap();
    assert_eq!(rest.iter().map(|m| &*m.label).collect::<Vec<_>>(), ["middle", "late"]);
    assert_eq!(queue.count().unwrap().retry, [0, 0, 3]);
    place.clock.pass(Duration::from_secs(60));
    assert_eq!(queue.list(Place::Retry(2), None, 1).unwrap()[0].due, None, "it can be received");
    assert_eq!(play_all(&queue), ["early", "middle"]);
}

#[test]
fn counts_tell_what_is_where() {
    let place = place();
    let queue = place.queue();
    let oldest = place.clock.now();
    let ids: Vec<_> = (0..5)
        .map(|n| {
            let id = send(&queue, &n.to_string());
            place.clock.pass(Duration::from_secs(1));
            id
        })
        .collect();
    queue.move_to(Place::Main, ids[1], Place::Dead).unwrap();
    queue.move_to(Place::Main, ids[2], Place::Journal).unwrap();
    queue.move_to(Place::Main, ids[3], Place::Retry(1)).unwrap();
    let expected =
        Counts { main: 2, retry: vec![0, 1], dead: 1, journal: 1, locked: 0, oldest: Some(oldest) };
    assert_eq!(queue.count().unwrap(), expected);
    assert_eq!(queue.list(Place::Dead, None, 9).unwrap()[0].dead.unwrap(), DeadReason::Moved);
    assert_eq!(play_all(&queue), ["3", "0", "4"], "what is in a retry queue is due at once");
}

#[test]
fn what_is_moved_back_begins_anew() {
    let place = place();
    let queue = place.queue();
    let mut sent = message("a");
    sent.properties.time_to_be_received = Some(100);
    let id = queue.send(&sent).unwrap();
    let error = "no".into();
    let wait = Duration::from_secs(1);
    queue.settle(&take(&queue).unwrap(), &Verdict::Retry { queue: 0, wait, error }).unwrap();
    place.clock.pass(wait);
    queue.settle(&take(&queue).unwrap(), &Verdict::Again("no".into())).unwrap();
    queue.settle(&take(&queue).unwrap(), &Verdict::Dead(DeadReason::Exhausted, "no".into())).unwrap();
    place.clock.pass(Duration::from_secs(1000));
    queue.move_to(Place::Dead, id, Place::Main).unwrap();
    let again = take(&queue).unwrap().received;
    assert_eq!((again.id, again.round, again.failures), (id, 0, 0));
    assert_eq!(again.message, sent, "however late it is");
}

#[test]
fn what_is_not_there_is_not_found() {
    let place = place();
    let queue = place.queue();
    let id = send(&queue, "a");
    let nobody = MessageId::NIL;
    let missing = |result: Result<(), QueueError>| matches!(result, Err(QueueError::NotFound(_)));
    assert!(missing(queue.remove(Place::Main, nobody)));
    assert!(missing(queue.remove(Place::Dead, id)));
    assert!(missing(queue.move_to(Place::Journal, id, Place::Main)));
    assert!(missing(queue.peek(Place::Dead, Some(id)).map(drop)));
    assert!(missing(queue.list(Place::Main, Some(nobody), 5).map(drop)));
    assert!(missing(place.store().queue("Other").unwrap().remove(Place::Main, id)));
    queue.remove(Place::Main, id).unwrap();
    assert_eq!(queue.count().unwrap(), Counts::default());
}

#[test]
fn a_journal_keeps_what_was_received_where_the_sender_wants_it() {
    let place = place();
    let queue = place.queue();
    let mut kept = message("kept");
    kept.properties.positive_journaling = true;
    queue.send(&kept).unwrap();
    send(&queue, "gone");
    assert_eq!(play_all(&queue), ["kept", "gone"]);
    assert_eq!(labels(&queue, Place::Journal), ["kept"]);
    assert_eq!(queue.peek(Place::Journal, None).unwrap().unwrap().message, kept);
    assert_eq!(queue.purge(Place::Journal).unwrap(), 1);
}

#[test]
fn a_message_whose_time_is_over_is_dropped_or_dead() {
    let place = place();
    let queue = place.queue();
    for (label, told) in [("dropped", false), ("dead", true), ("lasting", true)] {
        let mut message = message(label);
        message.properties.time_to_be_received = (label != "lasting").then_some(10);
        message.properties.negative_journaling = told;
        queue.send(&message).unwrap();
    }
    place.clock.pass(Duration::from_millis(9_999));
    assert_eq!(queue.count().unwrap().main, 3);
    place.clock.pass(Duration::from_millis(1));
    assert_eq!(play_all(&queue), ["lasting"]);
    let dead = queue.list(Place::Dead, None, 9).unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((&*dead[0].label, dead[0].dead.unwrap()), ("dead", DeadReason::Expired));
}

#[test]
fn a_message_in_hand_does_not_expire() {
    let place = place();
    let queue = place.queue();
    let mut sent = message("a");
    sent.properties.time_to_be_received = Some(10);
    queue.send(&sent).unwrap();
    let delivery = take(&queue).unwrap();
    place.clock.pass(Duration::from_secs(60));
    assert!(take(&queue).is_none());
    queue.settle(&delivery, &Verdict::Done).unwrap();
    assert_eq!(queue.count().unwrap(), Counts::default());
}

#[test]
fn what_is_forwarded_keeps_its_identifier_and_comes_once() {
    let place = place();
    let store = place.store();
    let (from, to) = (store.queue("From").unwrap(), store.queue("To").unwrap());
    send(&from, "a");
    let mut received = take(&from).unwrap().received;
    received.sender.description = "a broker".into();
    received.sender.authenticated = true;
    received.sender.sid = Some("S-1-5-21-1-2-3-1000".parse().unwrap());
    place.clock.pass(Duration::from_secs(5));
    to.forward(&received).unwrap();
    to.forward(&received).unwrap();
    let arrived = take(&to).unwrap();
    assert_eq!(arrived.received, received);
    to.settle(&arrived, &Verdict::Done).unwrap();
    assert!(take(&to).is_none());
}

#[test]
fn what_nobody_can_carry_is_refused() {
    let place = place();
    let queue = place.queue();
    let mut long = message(&"x".repeat(250));
    let refused = |message: &_| queue.send(message).unwrap_err().to_string();
    expect_test::expect!["the message cannot be sent: its label is longer than 249 characters"]
        .assert_eq(&refused(&long));
    long.properties.label.pop();
    queue.send(&long).unwrap();
    long.properties.priority = 8;
    expect_test::expect!["the message cannot be sent: its priority is 8, not 0 to 7"]
        .assert_eq(&refused(&long));
    let mut big = message("big");
    big.body = vec![0; 4 << 20].into();
    expect_test::expect!["the message cannot be sent: it has 4194323 bytes; 4194304 are the most"]
        .assert_eq(&refused(&big));
    let mut secret = message("secret");
    secret.properties.privacy = PrivacyLevel::BASE;
    expect_test::expect!["the message cannot be sent: it is to be encrypted, which this queue does not"]
        .assert_eq(&refused(&secret));
    secret.properties.privacy = PrivacyLevel::NONE;
    secret.properties.signature_level = SignatureLevel::SIG30;
    expect_test::expect!["the message cannot be sent: it is to be signed, which this queue does not"]
        .assert_eq(&refused(&secret));
    // Where it was sent, it was signed.
    let (id, sender, sent) = (MessageId::NIL, Sender::default(), place.clock.now());
    let signed = Received { id, message: secret, sender, sent, round: 0, failures: 0, abandoned: 0 };
    queue.forward(&signed).unwrap();
}

#[test]
fn an_error_is_kept_no_longer_than_a_person_reads() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let endless = "Ä".repeat(100_000);
    queue.settle(&take(&queue).unwrap(), &Verdict::Again(endless.into())).unwrap();
    let error = queue.list(Place::Main, None, 1).unwrap()[0].error.clone().unwrap();
    assert_eq!(error, format!("{}..", "Ä".repeat(2048)));
}
