//! Sessions between two queue managers, on a clock of their own.

use std::time::Duration;

use msmq_packet::{
    Acknowledgment, ConnectionParameters, EstablishConnection, FinalAck, MessageClass, MessageIdentifier,
    OperatingSystem, OrderAck, Packet, PacketBuffer, QueueName, SessionAck, SessionHeader, TxSequenceId,
    UserMessage,
};
use msmq_session::{
    AckRoute, Arrived, Event, Input, Misuse, Options, Output, Place, Reason, Session, Settlement, Ticket,
};
use remassist_core::{Decode, Encode, Time};
use uuid::Uuid;

const A: Uuid = Uuid::from_u128(0xA);
const B: Uuid = Uuid::from_u128(0xB);

/// One session and its clock.
struct Host {
    session: Session,
    now: Time,
    events: Vec<Event>,
    sent: Vec<Vec<u8>>,
    closed: Option<Reason>,
    wait: Option<Time>,
}

impl Host {
    fn initiator(options: Options) -> Self {
        Self::of(Session::initiate(options, Time(5_000)))
    }

    fn acceptor(options: Options) -> Self {
        Self::of(Session::accept(options, Time(5_000)))
    }

    fn of(session: Session) -> Self {
        let (events, sent) = (Vec::new(), Vec::new());
        let mut host = Self { session, now: Time(5_000), events, sent, closed: None, wait: None };
        host.poll();
        host
    }

    fn poll(&mut self) {
        loop {
            match self.session.poll() {
                Output::Send(bytes) => self.sent.push(bytes),
                Output::Event(event) => self.events.push(event),
                Output::Close(reason) => self.closed = Some(reason),
                Output::Wait(wait) => {
                    self.wait = wait;
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn hears(&mut self, bytes: &[u8]) {
        self.session.handle(self.now, Input::Data(bytes));
        self.poll();
    }

    fn hears_packet(&mut self, packet: impl Into<Packet<'static>>) {
        self.hears(&packet.into().to_vec().unwrap());
    }

    /// Time passes.
    fn later(&mut self, milliseconds: u64) {
        self.now = self.now.after(Duration::from_millis(milliseconds));
        self.session.handle(self.now, Input::Tick);
        self.poll();
    }

    /// Packets that were sent since it was asked for the last time.
    fn packets(&mut self) -> Vec<Packet<'static>> {
        let mut buffer = PacketBuffer::default();
        let mut packets = Vec::new();
        for bytes in self.sent.drain(..) {
            buffer.push(&bytes);
            while let Some(packet) = buffer.pull().unwrap() {
                packets.push(Packet::decode_strict(packet).unwrap().into_owned());
            }
        }
        packets
    }

    /// SessionHeaders that were sent since, alone or with a message.
    fn headers(&mut self) -> Vec<SessionHeader> {
        let header = |packet| match packet {
            Packet::SessionAck(ack) => Some(ack.session),
            Packet::UserMessage(message) => message.session,
            _ => None,
        };
        self.packets().into_iter().filter_map(header).collect()
    }

    fn arrived(&mut self) -> Vec<Arrived> {
        let (arrived, events) = self.events.drain(..).partition(|e| matches!(e, Event::Arrived(_)));
        self.events = events;
        let arrived: Vec<Event> = arrived;
        arrived.into_iter().map(|e| if let Event::Arrived(a) = e { a } else { unreachable!() }).collect()
    }

    fn acknowledged(&mut self) -> Vec<u64> {
        let ticket = |e| if let Event::Acknowledged(Ticket(n)) = e { Some(n) } else { None };
        self.events.drain(..).filter_map(ticket).collect()
    }

    /// Settles everything that came.
    fn settle_all(&mut self) -> usize {
        let arrived = self.arrived();
        for one in &arrived {
            self.session.settle(self.now, one.handle, Settlement::default()).unwrap();
        }
        self.poll();
        arrived.len()
    }

    fn send(&mut self, ticket: u64, message: UserMessage<'_>) -> Result<(), Misuse> {
        self.session.send(self.now, Ticket(ticket), message)?;
        self.poll();
        Ok(())
    }
}

fn message(number: u32) -> UserMessage<'static> {
    let id = MessageIdentifier { queue_manager: A, ordinal: number };
    UserMessage::new(id, 1_790_000_000, QueueName::direct(r"OS:b\private$\q")).with_body(vec![7; 5])
}

fn ack(ack: u16, sent: u16) -> SessionHeader {
    SessionHeader {
        ack_sequence_number: ack,
        recoverable_ack_sequence_number: 0,
        recoverable_ack_flags: 0,
        user_sequence_number: sent,
        recoverable_sequence_number: 0,
        window_size: 64,
        reserved: 0,
    }
}

/// Carries what was sent until nobody says anything more.
fn exchange(a: &mut Host, b: &mut Host) {
    while !a.sent.is_empty() || !b.sent.is_empty() {
        for bytes in std::mem::take(&mut a.sent) {
            b.hears(&bytes);
        }
        for bytes in std::mem::take(&mut b.sent) {
            a.hears(&bytes);
        }
    }
}

fn pair_of(a: Options, b: Options) -> (Host, Host) {
    let (mut a, mut b) = (Host::initiator(a), Host::acceptor(b));
    exchange(&mut a, &mut b);
    assert_eq!(a.events, [Event::Open { peer: B }]);
    assert_eq!(b.events, [Event::Open { peer: A }]);
    a.events.clear();
    b.events.clear();
    (a, b)
}

fn pair() -> (Host, Host) {
    pair_of(Options::new(A), Options::new(B))
}

// ---- establishment ----

#[test]
fn the_initiator_asks_and_learns_who_answers() {
    let mut a = Host::initiator(Options::new(A));
    let [Packet::EstablishConnection(request)] = &a.packets()[..] else { panic!() };
    assert_eq!((request.client_guid, request.server_guid, request.time_stamp), (A, Uuid::nil(), 5_000));
    assert_eq!(request.operating_system.0, 0x0310);
    a.now = Time(5_100);
    a.hears_packet(request.response(B, false));
    let [Packet::ConnectionParameters(parameters)] = &a.packets()[..] else { panic!() };
    // Eight times the round trip.
    assert_eq!(
        (parameters.recoverable_ack_timeout, parameters.ack_timeout, parameters.window_size),
        (800, 20_000, 64)
    );
    assert_eq!((a.session.peer(), a.session.is_open()), (B, false));
    a.hears_packet(parameters.clone());
    assert_eq!(a.events, [Event::Open { peer: B }]);
}

#[test]
fn the_acceptor_answers_with_its_name_and_the_time_of_the_request() {
    let mut b = Host::acceptor(Options::new(B));
    let system = OperatingSystem::NO_PING.with(OperatingSystem::RESERVED);
    b.hears_packet(EstablishConnection::request(A, B, 77, system));
    let [Packet::EstablishConnection(response)] = &b.packets()[..] else { panic!() };
    assert_eq!((response.client_guid, response.server_guid, response.time_stamp), (A, B, 77));
    assert_eq!((response.operating_system, response.internal.is_refused()), (system, false));
    assert!(response.padding.iter().all(|byte| *byte == 0x5A));
    b.hears_packet(ConnectionParameters::new(800, 30_000, 9));
    let [Packet::ConnectionParameters(parameters)] = &b.packets()[..] else { panic!() };
    assert_eq!(
        (parameters.recoverable_ack_timeout, parameters.ack_timeout, parameters.window_size),
        (800, 30_000, 64)
    );
    assert_eq!(b.events, [Event::Open { peer: A }]);
}

#[test]
fn who_is_asked_for_somebody_else_refuses() {
    let other = Uuid::from_u128(0xC);
    let mut options = Options::new(A);
    options.server = other;
    let (mut a, mut b) = (Host::initiator(options), Host::acceptor(Options::new(B)));
    exchange(&mut a, &mut b);
    assert_eq!((a.closed, b.closed), (Some(Reason::Refused), Some(Reason::NotThisServer)));
    assert!(a.events.is_empty() && b.events.is_empty());
}

#[test]
fn an_answer_of_or_to_somebody_else_ends_the_session() {
    let other = Uuid::from_u128(0xC);
    let request = |client| EstablishConnection::request(client, Uuid::nil(), 0, OperatingSystem(0));
    let mut a = Host::initiator(Options::new(A));
    a.hears_packet(request(other).response(B, false));
    assert_eq!(a.closed, Some(Reason::AnotherServer));
    let mut options = Options::new(A);
    options.server = B;
    let mut a = Host::initiator(options);
    a.hears_packet(request(A).response(other, false));
    assert_eq!(a.closed, Some(Reason::AnotherServer));
}

#[test]
fn absurd_parameters_are_used_within_their_ranges_and_sent_back_as_they_came() {
    for (timeout, window) in [(0, 0), (u32::MAX, u16::MAX)] {
        let mut b = Host::acceptor(Options::new(B));
        b.hears_packet(EstablishConnection::request(A, Uuid::nil(), 77, OperatingSystem(0)));
        b.packets();
        let parameters = ConnectionParameters::new(timeout, timeout, window);
        b.hears(&parameters.to_vec().unwrap());
        let sent = b.sent.remove(0);
        let Packet::ConnectionParameters(back) = Packet::decode(&sent).unwrap() else { panic!() };
        assert_eq!(
            (back.recoverable_ack_timeout, back.ack_timeout, back.window_size),
            (timeout, timeout, 64)
        );
        // 64 is the own window, and 1 the least that a peer may have.
        let mut sent = 0;
        while b.session.can_send() {
            sent += 1;
            b.send(sent, message(sent as u32)).unwrap();
        }
        assert_eq!(sent, if window == 0 { 1 } else { 64 });
        assert_eq!(b.send(0, message(0)), Err(Misuse::NoRoom));
    }
}

#[test]
fn a_recoverable_message_is_acknowledged_after_half_a_second_to_two_minutes() {
    for (timeout, used) in [(0, 500), (u32::MAX, 120_000)] {
        let mut b = Host::acceptor(Options::new(B));
        b.hears_packet(EstablishConnection::request(A, Uuid::nil(), 77, OperatingSystem(0)));
        b.hears_packet(ConnectionParameters::new(timeout, timeout, 64));
        b.sent.clear();
        b.hears_packet(message(1).recoverable());
        b.settle_all();
        b.later(used - 1);
        assert!(b.sent.is_empty());
        b.later(1);
        assert_eq!(b.headers().len(), 1);
    }
}

#[test]
fn a_session_that_does_not_open_in_time_is_over() {
    for mut host in [Host::initiator(Options::new(A)), Host::acceptor(Options::new(B))] {
        assert_eq!(host.wait, Some(Time(65_000)));
        host.later(59_999);
        assert_eq!(host.closed, None);
        host.later(1);
        assert_eq!((host.closed, host.wait), (Some(Reason::TimedOut), None));
    }
}

#[test]
fn a_packet_that_does_not_belong_there_ends_the_session() {
    let request = EstablishConnection::request(A, Uuid::nil(), 0, OperatingSystem(0));
    let parameters = ConnectionParameters::new(500, 20_000, 64);
    let packets: [Packet<'static>; 4] =
        [request.into(), parameters.into(), SessionAck::new(ack(0, 0)).into(), message(1).into()];
    // The one packet that each state takes is left out.
    for (index, packet) in packets.iter().enumerate() {
        if index != 0 {
            let mut b = Host::acceptor(Options::new(B));
            b.hears_packet(packet.clone());
            assert_eq!(b.closed, Some(Reason::OutOfSequence(packet.name())));
            let mut a = Host::initiator(Options::new(A));
            a.hears_packet(packet.clone());
            assert_eq!(a.closed, Some(Reason::OutOfSequence(packet.name())));
        }
        if index < 2 {
            let (mut a, mut b) = pair();
            a.hears_packet(packet.clone());
            b.hears_packet(packet.clone());
            assert_eq!((a.closed, b.closed), (Some(Reason::OutOfSequence(packet.name())), a.closed));
        }
    }
}

#[test]
fn what_is_no_packet_ends_the_session() {
    let mut b = Host::acceptor(Options::new(B));
    b.hears(b"GET / HTTP/1.1\r\n\r\n");
    let Some(Reason::Undecodable(error)) = b.closed else { panic!() };
    assert_eq!(error.offset(), 0);
    assert!(!b.session.wants_data());
}

// ---- sending and its acknowledgement ----

#[test]
fn an_express_message_is_acknowledged_when_it_is_settled() {
    let (mut a, mut b) = pair();
    a.send(1, message(1)).unwrap();
    exchange(&mut a, &mut b);
    b.later(100_000 / 8);
    assert!(b.sent.is_empty(), "nothing is settled");
    assert_eq!(b.settle_all(), 1);
    // AckTimeout / 2.
    b.later(9_999);
    assert!(b.sent.is_empty());
    b.later(1);
    exchange(&mut a, &mut b);
    assert_eq!(a.acknowledged(), [1]);
}

#[test]
fn a_recoverable_message_is_acknowledged_sooner() {
    let (mut a, mut b) = pair();
    a.send(1, message(1).recoverable()).unwrap();
    exchange(&mut a, &mut b);
    b.settle_all();
    b.later(499);
    assert!(b.sent.is_empty());
    b.later(1);
    exchange(&mut a, &mut b);
    assert_eq!(a.acknowledged(), [1]);
}

#[test]
fn messages_are_acknowledged_without_gaps_in_whatever_order_they_are_settled() {
    let (mut a, mut b) = pair();
    for n in 1..=4 {
        a.send(n, message(n as u32).recoverable()).unwrap();
    }
    exchange(&mut a, &mut b);
    let arrived = b.arrived();
    for (n, acked) in [(1, 0), (3, 0), (0, 2), (2, 4)] {
        b.session.settle(b.now, arrived[n].handle, Settlement::default()).unwrap();
        b.later(500);
        let headers = b.headers();
        assert_eq!(headers.last().map_or(0, |h| h.ack_sequence_number), acked);
    }
    assert_eq!(
        b.session.settle(b.now, arrived[0].handle, Settlement::default()),
        Err(Misuse::UnknownMessage)
    );
}

#[test]
fn acknowledgements_travel_with_messages() {
    let (mut a, mut b) = pair();
    a.send(1, message(1).recoverable()).unwrap();
    exchange(&mut a, &mut b);
    b.settle_all();
    b.send(1, message(2)).unwrap();
    let [Packet::UserMessage(reply)] = &b.packets()[..] else { panic!() };
    let header = reply.session.unwrap();
    let expected =
        SessionHeader { recoverable_ack_sequence_number: 1, recoverable_ack_flags: 1, ..ack(1, 1) };
    assert_eq!(header, expected);
    a.hears(&Packet::from(reply.clone()).to_vec().unwrap());
    assert_eq!(a.arrived().len(), 1);
    assert_eq!(a.acknowledged(), [1]);
    // Nothing is left to be said.
    b.later(60_000);
    assert!(b.headers().is_empty());
}

#[test]
fn half_a_window_or_32_recoverable_messages_are_acknowledged_at_once() {
    for (recoverable, window, at) in [(false, 64, 32), (false, 7, 3), (false, 1, 1), (true, 4096, 32)] {
        let options = |own| {
            let mut options = Options::new(own);
            options.window = window;
            options.max_unsettled = 8192;
            options
        };
        let (mut a, mut b) = pair_of(options(A), options(B));
        for n in 1..=at {
            let one = message(n as u32);
            a.send(n, if recoverable { one.recoverable() } else { one }).unwrap();
            exchange(&mut a, &mut b);
            assert!(a.acknowledged().is_empty());
            b.settle_all();
            assert_eq!(b.sent.len(), usize::from(n == at), "{window}, message {n}");
        }
        exchange(&mut a, &mut b);
        assert_eq!(a.acknowledged().len() as u64, at);
    }
}

#[test]
fn no_more_than_the_window_is_on_its_way() {
    let mut options = Options::new(B);
    options.window = 5;
    let (mut a, mut b) = pair_of(Options::new(A), options);
    for n in 1..=5 {
        a.send(n, message(n as u32)).unwrap();
    }
    assert!(!a.session.can_send());
    assert_eq!(a.send(6, message(6)), Err(Misuse::NoRoom));
    exchange(&mut a, &mut b);
    b.settle_all();
    exchange(&mut a, &mut b);
    assert!(a.session.can_send());
    // A peer that is short of memory makes its window smaller.
    a.hears_packet(SessionAck::new(SessionHeader { window_size: 1, ..ack(5, 0) }));
    a.send(6, message(6)).unwrap();
    assert!(!a.session.can_send());
}

#[test]
fn sequence_numbers_go_on_behind_their_last() {
    let (mut a, mut b) = pair();
    let mut done = 0;
    for n in 0..70_000_u64 {
        let one = message(n as u32);
        a.send(n, if n % 3 == 0 { one } else { one.recoverable() }).unwrap();
        if n % 16 == 0 {
            exchange(&mut a, &mut b);
            b.settle_all();
            b.later(600);
            exchange(&mut a, &mut b);
            done += a.acknowledged().len();
        }
    }
    exchange(&mut a, &mut b);
    b.settle_all();
    b.later(600);
    exchange(&mut a, &mut b);
    done += a.acknowledged().len();
    assert_eq!((done, a.closed, b.closed), (70_000, None, None));
}

#[test]
fn acknowledgements_of_what_was_never_sent_end_the_session() {
    let wrong = [
        (ack(3, 0), Reason::NeverSent),
        (ack(0xFFFF, 0), Reason::NeverSent),
        (
            SessionHeader { recoverable_ack_sequence_number: 2, recoverable_ack_flags: 1, ..ack(2, 0) },
            Reason::NeverSent,
        ),
        (
            SessionHeader { recoverable_ack_sequence_number: 1, recoverable_ack_flags: 2, ..ack(2, 0) },
            Reason::NeverSent,
        ),
        (
            SessionHeader { recoverable_ack_sequence_number: 1, recoverable_ack_flags: 1 << 31, ..ack(2, 0) },
            Reason::NeverSent,
        ),
        (ack(2, 1), Reason::Count),
        (SessionHeader { recoverable_sequence_number: 1, ..ack(2, 0) }, Reason::Count),
    ];
    for (header, reason) in wrong {
        let (mut a, _) = pair();
        a.send(1, message(1)).unwrap();
        a.send(2, message(2).recoverable()).unwrap();
        a.hears_packet(SessionAck::new(header));
        assert_eq!(a.closed, Some(reason), "{header:?}");
        assert!(a.acknowledged().is_empty());
    }
}

#[test]
fn what_lies_below_the_number_is_stored_and_above_it_what_the_flags_tell() {
    let (mut a, _) = pair();
    for n in 1..=6 {
        a.send(n, message(n as u32).recoverable()).unwrap();
    }
    let header =
        SessionHeader { recoverable_ack_sequence_number: 3, recoverable_ack_flags: 0b1001, ..ack(6, 0) };
    a.hears_packet(SessionAck::new(header));
    assert_eq!(a.acknowledged(), [1, 2, 3, 6]);
    // Without flags nothing is said about the disk.
    let header = SessionHeader { recoverable_ack_sequence_number: 5, recoverable_ack_flags: 0, ..ack(6, 0) };
    a.hears_packet(SessionAck::new(header));
    assert!(a.acknowledged().is_empty());
}

#[test]
fn a_peer_that_acknowledges_nothing_is_left() {
    let (mut a, mut b) = pair();
    a.send(1, message(1)).unwrap();
    a.sent.clear();
    // Twice AckTimeout, and once more for what was heard before.
    a.later(40_000);
    assert_eq!(a.closed, None);
    a.later(39_999);
    assert_eq!(a.closed, None);
    a.later(1);
    assert_eq!(a.closed, Some(Reason::Unacknowledged));
    // One that says anything is not.
    b.send(1, message(1)).unwrap();
    for n in 1..10 {
        b.later(39_000);
        b.hears_packet(message(n));
    }
    assert_eq!(b.closed, None);
}

#[test]
fn an_idle_session_ends() {
    let (mut a, mut b) = pair();
    a.later(299_999);
    assert_eq!((a.closed, a.wait), (None, Some(Time(305_000))));
    a.later(1);
    assert_eq!(a.closed, Some(Reason::Idle));
    // Not while a message waits to be settled.
    b.hears_packet(message(1));
    b.later(1_000_000);
    assert_eq!(b.closed, None);
    b.settle_all();
    b.later(300_000);
    assert_eq!(b.closed, Some(Reason::Idle));
}

#[test]
fn a_clock_that_steps_back_delays_and_does_no_more() {
    let (mut a, mut b) = pair();
    a.send(1, message(1).recoverable()).unwrap();
    exchange(&mut a, &mut b);
    b.settle_all();
    b.later(400);
    b.now = Time(0);
    b.session.handle(b.now, Input::Tick);
    b.poll();
    assert_eq!(b.wait, Some(Time(100)));
    b.later(100);
    assert_eq!(b.headers().len(), 1);
    assert_eq!(b.closed, None);
}

// ---- order and fate ----

#[test]
fn order_acks_wait_for_each_other_but_not_for_ever() {
    let place = |id, number| Place { id: TxSequenceId(id), number };
    let (_, mut b) = pair();
    let settle = |b: &mut Host, number, place| {
        b.hears_packet(message(number));
        let handle = b.arrived()[0].handle;
        b.session.settle(b.now, handle, Settlement { order_ack: Some(place), final_ack: None }).unwrap();
        b.poll();
    };
    let due = |b: &mut Host| {
        let order = |e| match e {
            Event::Acknowledge { ack: Acknowledgment::Order(ack), direct: true } => Some(ack),
            _ => None,
        };
        b.events.drain(..).filter_map(order).collect::<Vec<_>>()
    };
    for (number, sequence, last) in [(1, 7, 1), (2, 7, 2), (3, 8, 1)] {
        settle(&mut b, number, place(sequence, last));
        b.later(499);
        assert!(due(&mut b).is_empty());
    }
    b.later(1);
    // One for each sequence.
    assert_eq!(due(&mut b), [OrderAck::up_to(TxSequenceId(7), 2), OrderAck::up_to(TxSequenceId(8), 1)]);
    let mut number = 3;
    let began = b.now;
    while due(&mut b).is_empty() {
        number += 1;
        settle(&mut b, number, place(8, number));
        b.later(400);
    }
    assert!((10_000..11_000).contains(&(b.now.0 - began.0)));
}

#[test]
fn an_acknowledgement_waits_for_room_or_goes_by_another_way() {
    for route in [AckRoute::Session, AckRoute::Connect] {
        let mut options = Options::new(B);
        options.acks = route;
        options.window = 1;
        options.order_ack = 0;
        let (_, mut b) = pair_of(Options::new(A), options);
        b.send(1, message(1)).unwrap();
        b.hears_packet(message(1));
        let handle = b.arrived()[0].handle;
        let ack_final = FinalAck {
            class: MessageClass::NACK_BAD_DST_Q,
            sequence_id: TxSequenceId(1),
            sequence_number: 1,
            previous_sequence_number: 0,
            message: MessageIdentifier { queue_manager: A, ordinal: 1 },
        };
        let settlement = Settlement { order_ack: None, final_ack: Some(ack_final) };
        b.session.settle(b.now, handle, settlement).unwrap();
        b.poll();
        let expected = Event::Acknowledge { ack: Acknowledgment::Final(ack_final), direct: true };
        if route == AckRoute::Session {
            assert!(b.events.is_empty());
            b.hears_packet(SessionAck::new(ack(1, 1)));
            assert_eq!(b.events, [Event::Acknowledged(Ticket(1)), expected]);
        } else {
            assert_eq!(b.events, [expected]);
        }
    }
}

#[test]
fn a_message_that_is_not_taken_ends_the_session_and_is_not_acknowledged() {
    let (mut a, mut b) = pair();
    a.send(1, message(1)).unwrap();
    exchange(&mut a, &mut b);
    b.session.refuse(b.now);
    b.poll();
    assert_eq!(b.closed, Some(Reason::NotTaken));
    assert!(b.sent.is_empty());
    let handle = b.arrived()[0].handle;
    assert_eq!(b.session.settle(b.now, handle, Settlement::default()), Err(Misuse::NotOpen));
}

#[test]
fn what_is_settled_is_acknowledged_before_the_end() {
    let (mut a, mut b) = pair();
    a.send(1, message(1)).unwrap();
    exchange(&mut a, &mut b);
    b.settle_all();
    b.session.end(b.now);
    b.poll();
    assert_eq!(b.closed, Some(Reason::Local));
    exchange(&mut a, &mut b);
    assert_eq!(a.acknowledged(), [1]);
    assert_eq!(a.send(2, message(2)), Ok(()));
    a.session.handle(a.now, Input::ConnectionLost);
    a.poll();
    assert_eq!(a.closed, Some(Reason::ConnectionLost));
    assert_eq!(a.send(3, message(3)), Err(Misuse::NotOpen));
}

#[test]
fn a_wrong_count_with_a_message_ends_the_session_behind_the_message() {
    let (_, mut b) = pair();
    let mut wrong = message(1);
    wrong.session = Some(ack(0, 2));
    b.hears_packet(wrong);
    assert_eq!((b.arrived().len(), b.closed), (1, Some(Reason::Count)));
}

#[test]
fn a_message_that_cannot_be_written_is_not_counted() {
    let (mut a, mut b) = pair();
    let huge = message(1).with_body(vec![0; 5 << 20]);
    assert!(matches!(a.send(1, huge), Err(Misuse::Unwritable(_))));
    a.send(2, message(2)).unwrap();
    b.send(1, message(1)).unwrap();
    exchange(&mut a, &mut b);
    a.settle_all();
    a.later(10_000);
    exchange(&mut a, &mut b);
    assert_eq!((a.closed, b.closed, b.acknowledged()), (None, None, vec![1]));
}

#[test]
fn nobody_reads_a_message_in_a_log() {
    let (mut a, mut b) = pair();
    let secret = || message(1).with_body(b"SECRET".to_vec());
    a.send(1, secret()).unwrap();
    let bytes = a.sent.remove(0);
    b.session.handle(b.now, Input::Data(&bytes[..bytes.len() - 1]));
    let waiting = format!("{:?}", b.session);
    b.hears(&bytes[bytes.len() - 1..]);
    let all = format!("{waiting} {:?} {:?} {:?}", b.session, b.events, Output::Send(bytes));
    assert!(!all.contains("SECRET") && !all.contains("83, 69, 67"), "{all}");
    assert!(all.contains("Open"));
}
