//! What becomes of messages: at their receiver by its checks, at their sender by acknowledgements and time.

use msmq_packet::{
    Acknowledgment, AcknowledgmentFlags, FinalAck, INFINITE, MessageClass, MessageIdentifier, OrderAck,
    PrivacyLevel, QueueName, SecurityFlags, SecurityHeader, TransactionFlags, TransactionHeader,
    TxSequenceId, UserMessage,
};
use msmq_session::{
    Decision, Delivery, Entry, Expiry, Facts, Fate, IncomingSequence, Journaling, Next, Numbers, Order,
    Outgoing, Place, Removal, ResendSchedule, Room, Sequence, Settled, Target, Ticket, Verdict,
    administration_ack, judge, order_queue_ack, ping_answer, ping_request, removed,
};
use remassist_core::{Decode, Encode, Time};
use uuid::Uuid;

const SENDER: Uuid = Uuid::from_u128(0xA);
const OWN: Uuid = Uuid::from_u128(0xB);
const SENT: u32 = 1_790_000_000;
const ID: MessageIdentifier = MessageIdentifier { queue_manager: SENDER, ordinal: 9 };

fn message() -> UserMessage<'static> {
    UserMessage::new(ID, SENT, QueueName::direct(r"OS:b\private$\q")).recoverable().with_body(vec![1, 2, 3])
}

fn transactional(id: u64, number: u32, previous: u32) -> UserMessage<'static> {
    message().in_transaction(TransactionHeader::single(TxSequenceId(id), number, previous))
}

fn last(id: u64, number: u32) -> IncomingSequence {
    IncomingSequence { last: Some(place(id, number)), rejected: 0 }
}

const fn place(id: u64, number: u32) -> Place {
    Place { id: TxSequenceId(id), number }
}

fn facts(transactional: bool) -> Facts {
    Facts {
        own: OWN,
        unix: SENT,
        clock_skew: 0,
        target: Some(Target { transactional, authenticated: false, writable: true, room: Room::Enough }),
        sequence: IncomingSequence::default(),
        known: false,
        insecure_nacks: true,
    }
}

fn target(facts: Facts, change: impl Fn(&mut Target)) -> Facts {
    let mut target = facts.target.unwrap();
    change(&mut target);
    Facts { target: Some(target), ..facts }
}

/// With an administration queue that wants to know everything.
fn reporting(message: UserMessage<'static>) -> UserMessage<'static> {
    let all = AcknowledgmentFlags(0x0F);
    message.with_admin_queue(QueueName::direct(r"OS:a\private$\admin"), all)
}

fn rejected(verdict: &Verdict) -> Option<(MessageClass, Option<MessageClass>, Option<MessageClass>)> {
    let Decision::Reject(class) = verdict.decision else { return None };
    Some((class, verdict.administration, verdict.settlement.final_ack.map(|ack| ack.class)))
}

// ---- the receiver ----

#[test]
fn the_next_message_of_a_sequence_or_the_first_of_a_later_one_is_accepted() {
    let cases = [
        (None, (5, 1, 0), Order::Next),
        (None, (5, 4, 0), Order::Next),
        (None, (5, 2, 1), Order::Gap),
        (Some((5, 3)), (5, 4, 3), Order::Next),
        (Some((5, 3)), (5, 9, 2), Order::Next),
        (Some((5, 3)), (5, 5, 4), Order::Gap),
        (Some((5, 3)), (5, 3, 2), Order::Duplicate),
        (Some((5, 3)), (5, 1, 0), Order::Duplicate),
        (Some((5, 3)), (6, 1, 0), Order::Next),
        (Some((5, 3)), (6, 2, 1), Order::Gap),
        (Some((5, 3)), (4, 9, 0), Order::Duplicate),
        (Some((5, 3)), (4, 9, 8), Order::Duplicate),
    ];
    for (before, (id, number, previous), order) in cases {
        let state = before.map_or(IncomingSequence::default(), |(id, number)| last(id, number));
        let header = TransactionHeader::single(TxSequenceId(id), number, previous);
        assert_eq!(state.judge(&header), order, "{before:?} {header:?}");
    }
}

#[test]
fn what_is_delivered_moves_the_sequence_and_is_acknowledged() {
    let verdict = judge(&reporting(transactional(5, 1, 0)), &facts(true));
    assert_eq!(verdict.decision, Decision::Deliver);
    assert_eq!(verdict.sequence, Some(last(5, 1)));
    assert_eq!(verdict.settlement.order_ack, Some(place(5, 1)));
    assert_eq!(verdict.administration, Some(MessageClass::ACK_REACH_QUEUE));
    assert_eq!((verdict.settlement.final_ack, verdict.remember, verdict.dead_letter), (None, false, false));
    let verdict = judge(&message(), &facts(false));
    assert_eq!((verdict.decision, verdict.remember), (Decision::Deliver, true));
    assert_eq!((verdict.sequence, verdict.administration, verdict.settlement.order_ack), (None, None, None));
}

#[test]
fn what_is_not_accepted_leaves_the_place_and_tells_it_again() {
    let facts = Facts { sequence: last(5, 3), ..facts(true) };
    for (message, decision) in [
        (transactional(5, 2, 1), Decision::Duplicate),
        (transactional(4, 2, 0), Decision::Duplicate),
        (transactional(5, 5, 4), Decision::OutOfOrder),
    ] {
        let verdict = judge(&reporting(message), &facts);
        assert_eq!(verdict.decision, decision);
        assert_eq!(verdict.sequence, Some(IncomingSequence { rejected: 1, ..last(5, 3) }));
        assert_eq!(verdict.settlement.order_ack, Some(place(5, 3)));
        assert_eq!((verdict.settlement.final_ack, verdict.administration), (None, None));
    }
}

#[test]
fn a_message_that_is_known_is_not_delivered_again() {
    let verdict = judge(&message(), &Facts { known: true, ..facts(false) });
    assert_eq!((verdict.decision, verdict.remember), (Decision::Duplicate, true));
}

#[test]
fn messages_are_rejected_for_the_first_reason_in_the_order_of_the_checks() {
    let encrypted = |mut message: UserMessage<'static>| {
        message.properties.privacy_level = PrivacyLevel::ENHANCED;
        message
    };
    let all_wrong = || encrypted(reporting(transactional(5, 2, 1)).with_time_to_reach_queue(1));
    let mut facts = facts(true);
    facts.unix += 100;
    facts = target(facts, |t| {
        *t = Target { transactional: true, authenticated: true, writable: false, room: Room::QueueFull };
    });
    let class = |message: &UserMessage<'_>, facts: &Facts| rejected(&judge(message, facts)).map(|r| r.0);
    let nobody = Facts { target: None, ..facts };
    assert_eq!(class(&all_wrong(), &nobody), Some(MessageClass::NACK_BAD_DST_Q));
    let plain = target(facts, |t| t.transactional = false);
    assert_eq!(class(&all_wrong(), &plain), Some(MessageClass::NACK_NOT_TRANSACTIONAL_Q));
    assert_eq!(class(&encrypted(message()), &facts), Some(MessageClass::NACK_NOT_TRANSACTIONAL_MSG));
    assert_eq!(class(&all_wrong(), &facts), Some(MessageClass::NACK_BAD_SIGNATURE));
    facts = target(facts, |t| t.authenticated = false);
    assert_eq!(class(&all_wrong(), &facts), Some(MessageClass::NACK_BAD_ENCRYPTION));
    let clear = reporting(transactional(5, 2, 1)).with_time_to_reach_queue(1);
    assert_eq!(class(&clear, &facts), Some(MessageClass::NACK_ACCESS_DENIED));
    facts = target(facts, |t| t.writable = true);
    assert_eq!(class(&clear, &facts), Some(MessageClass::NACK_REACH_QUEUE_TIMEOUT));
    let in_time = reporting(transactional(5, 2, 1));
    assert_eq!(judge(&in_time, &facts).decision, Decision::OutOfOrder);
    let next = reporting(transactional(5, 1, 0));
    assert_eq!(class(&next, &facts), Some(MessageClass::NACK_Q_EXCEED_QUOTA));
    // What was accepted before is a duplicate, whatever is wrong with it now.
    let before = Facts { sequence: last(5, 2), ..target(facts, |t| t.authenticated = true) };
    assert_eq!(judge(&all_wrong(), &before).decision, Decision::Duplicate);
}

#[test]
fn a_rejected_message_is_reported_to_its_sender_and_moves_nothing() {
    let full = target(facts(true), |t| t.room = Room::QueueFull);
    let verdict = judge(&reporting(transactional(5, 1, 0)), &full);
    let quota = MessageClass::NACK_Q_EXCEED_QUOTA;
    assert_eq!(rejected(&verdict), Some((quota, Some(quota), Some(quota))));
    assert_eq!((verdict.sequence, verdict.settlement.order_ack, verdict.dead_letter), (None, None, false));
    let ack = verdict.settlement.final_ack.unwrap();
    assert_eq!((ack.message, ack.sequence_id, ack.sequence_number), (ID, TxSequenceId(5), 1));
    // Others have no FinalAck, and a copy stays here where they ask for one.
    let full = target(facts(false), |t| t.room = Room::QueueFull);
    let verdict = judge(&reporting(message()).with_journal(true, false), &full);
    assert_eq!((rejected(&verdict), verdict.dead_letter), (Some((quota, Some(quota), None)), true));
    // Where there will be room, nothing happens at all.
    let later = target(facts(false), |t| t.room = Room::Later);
    let verdict = judge(&reporting(message()), &later);
    assert_eq!((verdict.decision, verdict.remember, verdict.administration), (Decision::Later, false, None));
}

#[test]
fn strangers_learn_nothing_unless_it_is_allowed() {
    for (insecure_nacks, told) in [(false, None), (true, Some(MessageClass::NACK_BAD_DST_Q))] {
        let facts = Facts { target: None, insecure_nacks, ..facts(true) };
        let verdict = judge(&reporting(transactional(5, 1, 0)), &facts);
        let class = MessageClass::NACK_BAD_DST_Q;
        assert_eq!(rejected(&verdict), Some((class, told, Some(class))));
    }
    let quiet =
        message().with_admin_queue(QueueName::direct("OS:a\\q"), AcknowledgmentFlags::POSITIVE_ARRIVAL);
    assert_eq!(judge(&quiet, &Facts { target: None, ..facts(false) }).administration, None);
}

#[test]
fn a_message_for_another_queue_manager_is_not_passed_on() {
    let mut elsewhere = transactional(5, 1, 0);
    elsewhere.user.queue_manager_address = SENDER;
    assert_eq!(rejected(&judge(&elsewhere, &facts(true))).unwrap().0, MessageClass::NACK_BAD_DST_Q);
    elsewhere.user.queue_manager_address = OWN;
    assert_eq!(judge(&elsewhere, &facts(true)).decision, Decision::Deliver);
}

#[test]
fn encrypted_bodies_are_refused_however_that_is_told() {
    let mut encrypted = message();
    let mut security = SecurityHeader::of_sid(vec![1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(judge(&message().with_security(security.clone()), &facts(false)).decision, Decision::Deliver);
    security.flags = security.flags.with(SecurityFlags::ENCRYPTED);
    encrypted.security = Some(security);
    assert_eq!(rejected(&judge(&encrypted, &facts(false))).unwrap().0, MessageClass::NACK_BAD_ENCRYPTION);
}

#[test]
fn time_runs_by_both_clocks() {
    let late = |message: UserMessage<'static>, after: i64, skew: u32| {
        let transactional = message.transaction.is_some();
        let unix = u32::try_from(i64::from(SENT) + after).unwrap();
        judge(&reporting(message), &Facts { unix, clock_skew: skew, ..facts(transactional) })
    };
    let (reach, receive) = (MessageClass::NACK_REACH_QUEUE_TIMEOUT, MessageClass::NACK_RECEIVE_TIMEOUT);
    let short = || message().with_time_to_reach_queue(10);
    assert_eq!(late(short(), 10, 0).decision, Decision::Deliver);
    assert_eq!(rejected(&late(short(), 11, 0)), Some((reach, Some(reach), None)));
    // A clock that is ahead by no more than is allowed, and a sender that lives in the future.
    assert_eq!(late(short(), 71, 61).decision, Decision::Deliver);
    assert_eq!(late(short(), -1_000_000, 0).decision, Decision::Deliver);
    // Its sender still has it, and judges by its own clock.
    let verdict = late(transactional(5, 1, 0).with_time_to_reach_queue(10), 11, 0);
    assert_eq!(rejected(&verdict), Some((reach, None, None)));
    assert_eq!((verdict.sequence, verdict.settlement.order_ack), (None, None));
    // One that has reached its queue too late for anybody to take it was accepted in order.
    let verdict = late(transactional(5, 1, 0).with_time_to_be_received(10).with_journal(true, false), 11, 0);
    assert_eq!(rejected(&verdict), Some((receive, Some(receive), Some(receive))));
    assert_eq!((verdict.sequence, verdict.settlement.order_ack), (Some(last(5, 1)), Some(place(5, 1))));
    assert_eq!(Expiry { sent: 0, reach_queue: INFINITE, be_received: INFINITE }.over(u32::MAX), None);
    assert_eq!(Expiry { sent: 100, reach_queue: 10, be_received: 5 }.left(100), Some(6));
}

#[test]
fn acknowledgements_are_told_from_messages() {
    let order = OrderAck::up_to(TxSequenceId(5), 3);
    let carrier = order.message(ID, SENT, QueueName::order_queue("10.0.0.1"));
    let verdict = judge(&carrier, &Facts { target: None, known: true, ..facts(false) });
    assert_eq!(verdict.decision, Decision::Acknowledges(Acknowledgment::Order(order)));
    assert_eq!((verdict.settlement, verdict.administration), (Default::default(), None));
}

#[test]
fn who_wants_to_know_is_told_when_a_message_leaves_its_queue() {
    let (taken, timeout) = (MessageClass::ACK_RECEIVE, MessageClass::NACK_RECEIVE_TIMEOUT);
    assert_eq!(removed(&transactional(5, 1, 0), taken), Removal::default());
    assert_eq!(removed(&reporting(message()), taken).administration, Some(taken));
    assert_eq!(removed(&reporting(message()), timeout).administration, Some(timeout));
    for (negative, positive) in [(true, false), (false, true)] {
        let ack = removed(&transactional(5, 1, 0).with_journal(negative, positive), taken).final_ack.unwrap();
        assert_eq!((ack.class, ack.message), (taken, ID));
        assert_eq!(removed(&message().with_journal(negative, positive), taken).final_ack, None);
    }
    let mut asks = transactional(5, 1, 0);
    asks.transaction.as_mut().unwrap().flags = TransactionFlags::FINAL_ACK;
    assert_eq!(removed(&asks, timeout).final_ack.unwrap().class, timeout);
}

#[test]
fn a_report_goes_to_the_administration_queue_and_names_message_and_queue() {
    let id = MessageIdentifier { queue_manager: OWN, ordinal: 1 };
    let report = |message: &UserMessage<'_>, class| administration_ack(message, class, id, SENT + 5);
    let positive = report(&reporting(message()), MessageClass::ACK_REACH_QUEUE).unwrap();
    assert_eq!(positive.user.destination_queue, QueueName::direct(r"OS:a\private$\admin"));
    assert_eq!(positive.user.response_queue, QueueName::direct(r"OS:b\private$\q"));
    assert_eq!(positive.user.delivery_mode(), message().user.delivery_mode());
    assert_eq!(positive.properties.correlation_id, ID);
    assert_eq!(positive.properties.message_class, MessageClass::ACK_REACH_QUEUE);
    assert_eq!((positive.properties.body.len(), positive.user.message_identifier()), (0, id));
    let negative = report(&reporting(message()), MessageClass::NACK_Q_EXCEED_QUOTA).unwrap();
    assert_eq!(&*negative.properties.body, [1, 2, 3]);
    // Written and read again, it is what it was.
    assert_eq!(UserMessage::decode_strict(&negative.to_vec().unwrap()).unwrap(), negative);

    let with = |queue| message().with_admin_queue(queue, AcknowledgmentFlags(15));
    let other = Uuid::from_u128(0xC);
    for (queue, address) in [
        (QueueName::PrivateOnSource { identifier: 7 }, SENDER),
        (QueueName::Private { queue_manager: other, identifier: 7 }, other),
    ] {
        let report = report(&with(queue), MessageClass::ACK_RECEIVE).unwrap();
        assert_eq!(report.user.queue_manager_address, address);
        assert_eq!(report.user.destination_queue, QueueName::PrivateOnDestination { identifier: 7 });
    }
    assert_eq!(report(&message(), MessageClass::ACK_RECEIVE), None);
    assert_eq!(report(&with(QueueName::Public { identifier: other }), MessageClass::ACK_RECEIVE), None);
}

#[test]
fn an_acknowledgement_finds_the_order_queue_by_address_or_by_queue_manager() {
    let id = MessageIdentifier { queue_manager: OWN, ordinal: 1 };
    let ack = order(5, 3);
    let direct = order_queue_ack(&ack, Some("10.0.0.1"), SENDER, id, SENT);
    assert_eq!(direct.user.destination_queue, QueueName::direct(r"TCP:10.0.0.1\PRIVATE$\order_queue$"));
    let other = order_queue_ack(&ack, None, SENDER, id, SENT);
    assert_eq!(other.user.destination_queue, QueueName::PrivateOnDestination { identifier: 4 });
    assert_eq!((direct.user.queue_manager_address, other.user.queue_manager_address), (Uuid::nil(), SENDER));
    for message in [direct, other] {
        let message = UserMessage::decode_strict(&message.to_vec().unwrap()).unwrap().into_owned();
        assert_eq!(message.acknowledgment(), Some(ack));
    }
}

// ---- the sender ----

#[test]
fn numbers_only_grow_whatever_the_clock_says() {
    let mut numbers = Numbers::resume(None, 100);
    assert_eq!(numbers.sequence(), Some(TxSequenceId::new(100, 1)));
    assert_eq!(numbers.sequence(), Some(TxSequenceId::new(100, 2)));
    let stored = TxSequenceId::new(100, 2);
    assert_eq!(Numbers::resume(Some(stored), 99).sequence(), Some(TxSequenceId::new(100, 3)));
    assert_eq!(Numbers::resume(Some(stored), 101).sequence(), Some(TxSequenceId::new(101, 1)));
    assert_eq!(
        Numbers::resume(Some(TxSequenceId::new(7, u32::MAX)), 0).sequence(),
        Some(TxSequenceId::new(8, 1))
    );
    assert_eq!(Numbers::resume(Some(TxSequenceId(u64::MAX)), 0).sequence(), None);
}

#[test]
fn a_sequence_that_is_full_is_followed_by_the_next() {
    let mut numbers = Numbers::resume(None, 100);
    let mut one = Sequence::One;
    assert_eq!(one.place(&mut numbers), Some(Place { id: TxSequenceId::new(100, 1), number: 1 }));
    assert_eq!(one.place(&mut numbers), Some(Place { id: TxSequenceId::new(100, 2), number: 1 }));
    let mut many = Sequence::Pipelined { last: None };
    for number in 1..=3 {
        assert_eq!(many.place(&mut numbers), Some(Place { id: TxSequenceId::new(100, 3), number }));
    }
    let mut many = Sequence::Pipelined { last: Some(place(9, u32::MAX)) };
    assert_eq!(many.place(&mut numbers), Some(Place { id: TxSequenceId::new(100, 4), number: 1 }));
}

#[test]
fn messages_are_sent_again_after_the_times_of_the_table() {
    let mut schedule = ResendSchedule::default();
    let mut intervals = Vec::new();
    for _ in 0..12 {
        intervals.push(schedule.interval());
        schedule.advance();
    }
    let printed = [30, 30, 30, 300, 300, 300, 1_800, 1_800, 1_800, 21_600, 21_600, 21_600];
    assert_eq!(intervals, printed);
    schedule.reset();
    assert_eq!(schedule, ResendSchedule::default());
}

fn entry(ticket: u64, delivery: Delivery) -> Entry {
    let message = MessageIdentifier { queue_manager: SENDER, ordinal: ticket as u32 };
    Entry {
        ticket: Ticket(ticket),
        message,
        delivery,
        journaling: Journaling::default(),
        expiry: Expiry::NEVER,
    }
}

fn outgoing(entries: impl IntoIterator<Item = Entry>) -> Outgoing {
    let mut outgoing = Outgoing::new(ResendSchedule::default(), Time(0));
    for entry in entries {
        outgoing.add(entry);
    }
    outgoing
}

/// Tickets, with PreviousTxSequenceNumber, that go out at a time.
fn goes_out(outgoing: &mut Outgoing, now: u64) -> Vec<(u64, u32)> {
    let mut sent = Vec::new();
    while let Next::Send { ticket, previous } = outgoing.next(Time(now), SENT, true) {
        sent.push((ticket.0, previous));
    }
    sent
}

fn order(id: u64, number: u32) -> Acknowledgment {
    Acknowledgment::Order(OrderAck::up_to(TxSequenceId(id), number))
}

fn final_ack(ticket: u64, at: Place, class: MessageClass) -> Acknowledgment {
    Acknowledgment::Final(FinalAck {
        class,
        sequence_id: at.id,
        sequence_number: at.number,
        previous_sequence_number: 0,
        message: MessageIdentifier { queue_manager: SENDER, ordinal: ticket as u32 },
    })
}

fn settled(ticket: u64, fate: Fate) -> Settled {
    Settled { ticket: Ticket(ticket), fate }
}

#[test]
fn one_sequence_is_on_its_way_at_a_time() {
    let mut one = outgoing((1..=3).map(|n| entry(n, Delivery::Transactional(place(n, 1)))));
    assert_eq!(goes_out(&mut one, 0), [(1, 0)]);
    // A SessionAck says nothing about its order.
    assert_eq!(one.acknowledged(Ticket(1)), None);
    assert_eq!(goes_out(&mut one, 0), []);
    assert_eq!(one.transaction_acknowledged(&order(2, 1)), []);
    assert_eq!(one.transaction_acknowledged(&order(1, 1)), [settled(1, Fate::Done)]);
    assert_eq!(goes_out(&mut one, 0), [(2, 0)]);

    let mut many = outgoing((1..=3).map(|n| entry(n, Delivery::Transactional(place(9, n as u32)))));
    assert_eq!(goes_out(&mut many, 0), [(1, 0), (2, 1), (3, 2)]);
    assert_eq!(many.transaction_acknowledged(&order(9, 2)), [settled(1, Fate::Done), settled(2, Fate::Done)]);
    many.disconnected();
    assert_eq!(goes_out(&mut many, 0), [(3, 0)]);
}

#[test]
fn what_nobody_acknowledges_in_order_goes_out_again_by_the_table() {
    let mut one = outgoing([entry(1, Delivery::Transactional(place(5, 1))), entry(2, Delivery::Recoverable)]);
    assert_eq!(goes_out(&mut one, 0), [(1, 0), (2, 0)]);
    let mut now = 0;
    for seconds in [30, 30, 30, 300, 300, 300, 1_800] {
        assert_eq!(one.next(Time(now), SENT, true), Next::Wait(Some(Time(now + seconds * 1000))));
        now += seconds * 1000;
        assert_eq!(goes_out(&mut one, now - 1), []);
        assert_eq!(goes_out(&mut one, now), [(1, 0)]);
    }
    assert_eq!(one.transaction_acknowledged(&order(5, 1)).len(), 1);
    assert_eq!(
        (one.next(Time(now), SENT, true), one.schedule()),
        (Next::Wait(None), ResendSchedule::default())
    );
    one.disconnected();
    assert_eq!(goes_out(&mut one, now), [(2, 0)]);
    assert_eq!(one.acknowledged(Ticket(2)), Some(settled(2, Fate::Done)));
    assert!(one.is_empty());
}

#[test]
fn a_gap_is_bridged_when_a_message_is_refused() {
    let mut many = outgoing((1..=3).map(|n| entry(n, Delivery::Transactional(place(9, n as u32)))));
    assert_eq!(goes_out(&mut many, 0), [(1, 0), (2, 1), (3, 2)]);
    let class = MessageClass::NACK_ACCESS_DENIED;
    let ack = final_ack(2, place(9, 2), class);
    assert_eq!(many.transaction_acknowledged(&ack), [settled(2, Fate::Rejected(class))]);
    assert_eq!(class.name(), Some("MQMSG_CLASS_NACK_ACCESS_DENIED"));
    // What was sent behind it was not accepted, and names another one before itself now.
    assert_eq!(goes_out(&mut many, 0), [(1, 0), (3, 1)]);
    // Numbers and message must both be right.
    assert_eq!(many.transaction_acknowledged(&final_ack(3, place(9, 1), class)), []);
}

#[test]
fn a_message_that_is_deleted_leaves_no_gap() {
    let mut many = outgoing((1..=3).map(|n| entry(n, Delivery::Transactional(place(9, n as u32)))));
    assert_eq!(goes_out(&mut many, 0), [(1, 0), (2, 1), (3, 2)]);
    assert!(many.remove(Ticket(2)) && !many.remove(Ticket(2)));
    assert_eq!(goes_out(&mut many, 0), [(1, 0), (3, 1)]);
}

#[test]
fn journals_decide_what_becomes_of_a_message() {
    let (taken, refused) = (MessageClass::ACK_RECEIVE, MessageClass::NACK_Q_EXCEED_QUOTA);
    for (negative, positive) in [(false, false), (false, true), (true, false), (true, true)] {
        let journaling = Journaling { negative, positive };
        let at = place(5, 1);
        let with = |delivery| {
            let mut one = outgoing([Entry { journaling, ..entry(1, delivery) }]);
            assert_eq!(goes_out(&mut one, 0), [(1, 0)]);
            one
        };
        let done = if positive { Fate::Journal } else { Fate::Done };
        assert_eq!(with(Delivery::Express).acknowledged(Ticket(1)), Some(settled(1, done)));
        assert_eq!(with(Delivery::Recoverable).acknowledged(Ticket(1)), Some(settled(1, done)));
        let waits = if negative || positive { Fate::AwaitFinalAck } else { Fate::Done };
        let transactional = || with(Delivery::Transactional(at));
        assert_eq!(transactional().transaction_acknowledged(&order(5, 1)), [settled(1, waits)]);
        let fate = |class| transactional().transaction_acknowledged(&final_ack(1, at, class));
        let never_sent =
            outgoing([entry(1, Delivery::Transactional(at))]).transaction_acknowledged(&order(5, 1));
        assert_eq!(never_sent, []);
        assert_eq!(fate(taken), [settled(1, done)]);
        let bad = if negative { Fate::DeadLetter(refused) } else { Fate::Rejected(refused) };
        assert_eq!(fate(refused), [settled(1, bad)]);
        assert_eq!(Fate::of_final_ack(refused, journaling), bad);
    }
}

#[test]
fn messages_expire_while_nobody_can_be_reached() {
    let expiry = Expiry { sent: SENT, reach_queue: 10, be_received: INFINITE };
    let journaling = Journaling { negative: true, positive: false };
    let mut many = outgoing([
        Entry { expiry, journaling, ..entry(1, Delivery::Transactional(place(9, 1))) },
        Entry {
            expiry: Expiry { reach_queue: 60, ..expiry },
            ..entry(2, Delivery::Transactional(place(9, 2)))
        },
    ]);
    assert_eq!(many.next(Time(0), SENT, false), Next::Wait(Some(Time(11_000))));
    let class = MessageClass::NACK_REACH_QUEUE_TIMEOUT;
    let expired = Fate::Expired { class, dead_letter: true };
    assert_eq!(many.next(Time(11_000), SENT + 11, false), Next::Expired(settled(1, expired)));
    assert_eq!(many.next(Time(11_000), SENT + 11, false), Next::Wait(Some(Time(61_000))));
    assert_eq!(goes_out(&mut many, 11_000), [(2, 0)]);
}

#[test]
fn a_host_that_cannot_listen_may_take_the_session_for_the_queue() {
    let mut one =
        outgoing([entry(1, Delivery::Transactional(place(5, 1)))]).accepting_session_acks_as_delivery();
    assert_eq!(goes_out(&mut one, 0), [(1, 0)]);
    assert_eq!(one.acknowledged(Ticket(1)), Some(settled(1, Fate::Done)));
}

#[test]
fn a_ping_is_answered_once() {
    let request = ping_request(SENDER, 5, true);
    for refused in [false, true] {
        let response = request.response(OWN, refused);
        assert_eq!(response.flags.0, if refused { 2 } else { 0 });
        assert_eq!((ping_answer(&response, 5), ping_answer(&response, 6)), (Some(!refused), None));
    }
    assert_eq!(ping_request(SENDER, 5, false).response(OWN, false).flags.0, 1);
}
