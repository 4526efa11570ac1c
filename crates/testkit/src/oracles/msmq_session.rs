//! Sessions of MSMQ with whatever peer, and two of them with each other.

use std::collections::{BTreeMap, VecDeque};

use msmq_packet::{
    ConnectionParameters, EstablishConnection, FinalAck, MessageClass, MessageIdentifier, OperatingSystem,
    OrderAck, Packet, QueueName, SessionAck, SessionHeader, TransactionHeader, TxSequenceId, UserMessage,
};
use msmq_session::{
    AckRoute, Arrived, Decision, Delivery, Entry, Event, Expiry, Facts, IncomingSequence, Input, Journaling,
    Next, Options, Outgoing, Output, Place, ResendSchedule, Room, Session, Settlement, Target, Ticket, judge,
};
use remassist_core::{Decode as _, Encode as _, Time};
use uuid::Uuid;

use super::Oracle;
use crate::msmq::{Setting, World};

pub(super) const ALL: &[Oracle] =
    &[("msmq_initiator", initiator), ("msmq_acceptor", acceptor), ("msmq_pair", pair)];

const OWN: Uuid = Uuid::from_u128(0xB);
const PEER: Uuid = Uuid::from_u128(0xA);
/// Operations of one run.
const OPERATIONS: usize = 500;

/// The bytes that decide what is done.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    fn below(&mut self, end: u64) -> u64 {
        let len = [1, 2, 4, 8][[1 << 8, 1 << 16, 1 << 32].iter().filter(|most| end > **most).count()];
        (0..len).fold(0, |number, _| number << 8 | u64::from(self.byte())) % end.max(1)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }
}

fn initiator(input: &[u8]) {
    run(input, |options| Session::initiate(options, Time(1_000)));
}

fn acceptor(input: &[u8]) {
    run(input, |options| Session::accept(options, Time(1_000)));
}

/// A session, what it knows of the world, and what the peer has said.
struct Side {
    session: Session,
    now: Time,
    window: u16,
    max_unsettled: usize,
    outgoing: Outgoing,
    incoming: IncomingSequence,
    arrived: VecDeque<Arrived>,
    tickets: u64,
    /// How often each message was sent and not acknowledged.
    waiting: BTreeMap<u64, u32>,
    closed: bool,
    /// Messages that this side has sent, those of the peer, recoverable ones of the peer.
    sent: u16,
    came: u16,
    recoverable: u16,
    acknowledged: u16,
}

fn run(input: &[u8], begin: impl Fn(Options) -> Session) {
    let mut choices = Choices(input);
    let mut options = Options::new(OWN);
    options.window = choices.one_of(&[64, 1, 2, 0, u16::MAX]);
    options.max_unsettled = choices.one_of(&[64, 1, 0, 3]);
    options.max_unsettled_bytes = choices.one_of(&[8 << 20, 0, 500]);
    options.acks = choices.one_of(&[AckRoute::Session, AckRoute::Connect]);
    options.order_ack = choices.one_of(&[500, 0, u64::MAX]);
    let (window, max_unsettled) = (options.window.clamp(1, 4096), options.max_unsettled.max(1));
    let mut side = Side {
        session: begin(options),
        now: Time(1_000),
        window,
        max_unsettled,
        outgoing: Outgoing::new(ResendSchedule::default(), Time(1_000)),
        incoming: IncomingSequence::default(),
        arrived: VecDeque::new(),
        tickets: 0,
        waiting: BTreeMap::new(),
        closed: false,
        sent: 0,
        came: 0,
        recoverable: 0,
        acknowledged: 0,
    };
    side.poll();
    if choices.byte() & 1 == 0 {
        // As a well-behaved peer begins: most runs shall get further.
        let request = EstablishConnection::request(PEER, Uuid::nil(), 5, OperatingSystem(0));
        let answer = EstablishConnection { client_guid: OWN, ..request.response(PEER, false) };
        let establish = if side.session.is_initiator() { answer } else { request };
        side.hears(&establish.to_vec().unwrap());
        let (timeout, window) =
            (choices.one_of(&[20_000, 0, u32::MAX]), choices.one_of(&[64, 0, 1, u16::MAX]));
        side.hears(&ConnectionParameters::new(timeout, timeout, window).to_vec().unwrap());
        assert!(side.session.is_open());
    }
    for _ in 0..OPERATIONS {
        if choices.0.is_empty() {
            break;
        }
        side.step(&mut choices);
    }
    // Nothing waits for ever: some time after the last word the session is over.
    while let Some(arrived) = side.arrived.pop_front() {
        let _over = side.session.settle(side.now, arrived.handle, Settlement::default());
        side.poll();
    }
    for _ in 0..40 {
        side.now = Time(side.now.0.saturating_add(120_000));
        side.session.handle(side.now, Input::Tick);
        side.poll();
        while let Some(arrived) = side.arrived.pop_front() {
            let _over = side.session.settle(side.now, arrived.handle, Settlement::default());
        }
    }
    assert!(side.closed || side.now.0 > u64::MAX / 2, "it ends");
}

impl Side {
    fn poll(&mut self) {
        for outputs in 0.. {
            assert!(outputs < 10_000, "a peer makes it do so much");
            match self.session.poll() {
                Output::Wait(wait) => {
                    assert!(!self.closed || wait.is_none());
                    break;
                }
                Output::Close(_) => {
                    assert!(!self.closed, "it ends once");
                    self.closed = true;
                }
                other if self.closed => panic!("{other:?} after the end"),
                Output::Send(bytes) => {
                    if let Packet::UserMessage(_) = Packet::decode(&bytes).unwrap() {
                        self.sent = self.sent.wrapping_add(1);
                        assert!(self.sent.wrapping_sub(self.acknowledged) <= self.window);
                    }
                }
                Output::Event(Event::Arrived(arrived)) => self.arrived.push_back(arrived),
                Output::Event(Event::Acknowledged(Ticket(n))) => {
                    let waiting = self.waiting.get_mut(&n).expect("it was sent");
                    *waiting = waiting.checked_sub(1).expect("it is acknowledged as often as it was sent");
                    let _settled = self.outgoing.acknowledged(Ticket(n));
                }
                Output::Event(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(self.arrived.len() <= self.max_unsettled);
    }

    fn hears(&mut self, bytes: &[u8]) {
        if self.session.wants_data() {
            self.session.handle(self.now, Input::Data(bytes));
            self.poll();
        }
    }

    fn number(&self, choices: &mut Choices<'_>, right: u16) -> u16 {
        match choices.byte() {
            0..=200 => right,
            201..=220 => right.wrapping_sub(1),
            221..=240 => right.wrapping_add(1),
            _ => choices.below(1 << 16) as u16,
        }
    }

    fn header(&mut self, choices: &mut Choices<'_>) -> SessionHeader {
        let header = SessionHeader {
            ack_sequence_number: self.number(choices, self.sent),
            recoverable_ack_sequence_number: choices.below(1 << 16) as u16,
            recoverable_ack_flags: if choices.byte() & 3 == 0 { choices.below(1 << 32) as u32 } else { 0 },
            user_sequence_number: self.number(choices, self.came),
            recoverable_sequence_number: self.number(choices, self.recoverable),
            window_size: choices.one_of(&[64, 1, 0, u16::MAX]),
            reserved: 0,
        };
        // What is acknowledged within bounds counts for the window.
        let newly = header.ack_sequence_number.wrapping_sub(self.acknowledged);
        if newly <= self.sent.wrapping_sub(self.acknowledged) {
            self.acknowledged = header.ack_sequence_number;
        }
        header
    }

    fn message(&mut self, choices: &mut Choices<'_>) -> UserMessage<'static> {
        let id = MessageIdentifier { queue_manager: PEER, ordinal: choices.byte().into() };
        let sequence_id = TxSequenceId(choices.one_of(&[1, 2, 3, 0, u64::MAX]));
        let (number, previous) = (u32::from(choices.byte()), u32::from(choices.byte()));
        let order_queue = QueueName::order_queue("10.0.0.1");
        let queue = QueueName::direct(r"OS:b\private$\q");
        let plain = UserMessage::new(id, 0, queue).with_body(vec![0; choices.one_of(&[0, 3, 600])]);
        let mut message =
            match choices.byte() % 6 {
                0 => plain,
                1 => plain.recoverable(),
                2 => plain.in_transaction(TransactionHeader::single(sequence_id, number, previous)),
                3 => OrderAck::up_to(sequence_id, number).message(id, 0, order_queue),
                4 => {
                    let class = choices.one_of(&[MessageClass::ACK_RECEIVE, MessageClass::NACK_Q_DELETED]);
                    let message = MessageIdentifier { queue_manager: OWN, ordinal: number };
                    let (sequence_number, previous_sequence_number) = (number, previous);
                    FinalAck { class, sequence_id, sequence_number, previous_sequence_number, message }
                        .message(id, 0, order_queue)
                }
                _ => plain.with_journal(true, true),
            };
        self.came = self.came.wrapping_add(1);
        if message.user.delivery_mode().0 == 1 {
            self.recoverable = self.recoverable.wrapping_add(1);
        }
        if choices.byte() & 3 == 0 {
            message.session = Some(self.header(choices));
        }
        message
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 16 {
            0 => {
                let bytes = choices.bytes();
                self.hears(&bytes);
            }
            1 => {
                let client = choices.one_of(&[PEER, OWN, Uuid::nil()]);
                let server = choices.one_of(&[OWN, PEER, Uuid::nil()]);
                let system = OperatingSystem(choices.below(1 << 16) as u16);
                let request =
                    EstablishConnection::request(client, server, choices.below(1 << 32) as u32, system);
                let packet = match choices.byte() & 3 {
                    0 | 1 => request,
                    refused => request.response(server, refused == 3),
                };
                self.hears(&packet.to_vec().unwrap());
            }
            2 => {
                let number = choices.one_of(&[500, 0, 20_000, u32::MAX]);
                let window = choices.one_of(&[64, 0, u16::MAX]);
                self.hears(&ConnectionParameters::new(number, number, window).to_vec().unwrap());
            }
            3 | 4 if self.session.wants_data() => {
                let ack = SessionAck::new(self.header(choices));
                self.hears(&ack.to_vec().unwrap());
            }
            5..=8 if self.session.wants_data() => {
                let bytes = self.message(choices).to_vec().unwrap();
                let (first, second) = bytes.split_at(usize::from(choices.byte()).min(bytes.len()));
                self.hears(first);
                self.hears(second);
            }
            9 => {
                let passed = choices.one_of(&[0, 500, 10_000, 60_000, 300_000, u64::MAX / 4]);
                let back = choices.byte() & 7 == 0;
                self.now = Time(if back { self.now.0 / 2 } else { self.now.0.saturating_add(passed) });
                self.session.handle(self.now, Input::Tick);
                self.poll();
            }
            10 | 11 => self.settle(choices),
            12 | 13 => {
                self.tickets += 1;
                let place = Place { id: TxSequenceId(self.tickets.min(3)), number: self.tickets as u32 };
                let message = MessageIdentifier { queue_manager: OWN, ordinal: self.tickets as u32 };
                let delivery = match choices.byte() % 3 {
                    0 => Delivery::Express,
                    1 => Delivery::Recoverable,
                    _ => Delivery::Transactional(place),
                };
                let journaling = Journaling { negative: choices.byte() & 1 == 1, positive: false };
                let expiry =
                    Expiry { sent: 0, reach_queue: choices.one_of(&[u32::MAX, 50]), be_received: u32::MAX };
                self.outgoing.add(Entry {
                    ticket: Ticket(self.tickets),
                    message,
                    delivery,
                    journaling,
                    expiry,
                });
                self.send();
            }
            14 if choices.byte() & 15 == 0 => {
                match choices.byte() % 3 {
                    0 => self.session.refuse(self.now),
                    1 => self.session.end(self.now),
                    _ => self.session.handle(self.now, Input::ConnectionLost),
                }
                self.poll();
            }
            // A flood of one packet.
            15 if choices.byte() & 7 == 0 && self.session.wants_data() => {
                let bytes = self.message(choices).to_vec().unwrap();
                for _ in 0..200 {
                    self.hears(&bytes);
                }
            }
            _ => {}
        }
    }

    /// Sends all that may go.
    fn send(&mut self) {
        loop {
            let unix = (self.now.0 / 1000).min(u32::MAX.into()) as u32;
            match self.outgoing.next(self.now, unix, self.session.can_send()) {
                Next::Send { ticket, previous } => {
                    let id = MessageIdentifier { queue_manager: OWN, ordinal: ticket.0 as u32 };
                    let mut message = UserMessage::new(id, 0, QueueName::direct(r"OS:a\q"));
                    if ticket.0 & 1 == 1 {
                        let header = TransactionHeader::single(TxSequenceId(1), u32::MAX, previous);
                        message = message.in_transaction(header);
                    }
                    *self.waiting.entry(ticket.0).or_default() += 1;
                    self.session.send(self.now, ticket, message).expect("it can send");
                    self.poll();
                }
                Next::Expired(_) => {}
                Next::Wait(_) => break,
            }
        }
    }

    fn settle(&mut self, choices: &mut Choices<'_>) {
        let first = choices.byte() & 1 == 0;
        let Some(arrived) = (if first { self.arrived.pop_front() } else { self.arrived.pop_back() }) else {
            return;
        };
        let target = Target {
            transactional: arrived.message.transaction.is_some(),
            authenticated: false,
            writable: true,
            room: Room::Enough,
        };
        let facts = Facts {
            own: OWN,
            unix: 0,
            clock_skew: 0,
            target: (choices.byte() & 7 != 0).then_some(target),
            sequence: self.incoming,
            known: choices.byte() & 7 == 0,
            insecure_nacks: true,
        };
        let verdict = judge(&arrived.message, &facts);
        if let (Decision::Deliver, Some(_)) = (verdict.decision, &arrived.message.transaction) {
            assert!(verdict.sequence.unwrap().last > self.incoming.last, "places only grow");
        }
        if let Decision::Acknowledges(ack) = verdict.decision {
            let before = self.outgoing.len();
            assert_eq!(before, self.outgoing.transaction_acknowledged(&ack).len() + self.outgoing.len());
        }
        self.incoming = verdict.sequence.unwrap_or(self.incoming);
        let settled = self.session.settle(self.now, arrived.handle, verdict.settlement);
        assert!(settled.is_ok() || self.closed);
        self.poll();
    }
}

fn pair(input: &[u8]) {
    let mut choices = Choices(input);
    let pipelined = choices.byte() & 1 == 1;
    let mut options = Options::new(Uuid::nil());
    options.window = choices.one_of(&[64, 1, 2, 7]);
    options.max_unsettled = choices.one_of(&[64, 1, 5]);
    let mut world = World::new(Setting { pipelined, options });
    for _ in 0..2_000 {
        if choices.0.is_empty() {
            break;
        }
        world.step(&mut |below| choices.below(below));
    }
    world.finish();
}
