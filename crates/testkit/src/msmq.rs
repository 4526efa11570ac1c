//! Two queue managers with their stores, and connections between them that break: everything that may go wrong between
//! sender and receiver of MSMQ, decided by numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use msmq_packet::{
    Acknowledgment, DeliveryMode, MessageClass, MessageIdentifier, Packet, PacketBuffer, QueueName,
    TransactionHeader, TxSequenceId, UserMessage,
};
use msmq_session::{
    Arrived, Decision, Delivery, Entry, Event, Expiry, Facts, Fate, Handle, IncomingSequence, Input,
    Journaling, Next, Numbers, Options, Outgoing, Output, Reason, ResendSchedule, Room, Sequence, Session,
    Settled, Settlement, Target, Ticket, judge, removed,
};
use remassist_core::{Decode, Time};
use uuid::Uuid;

/// Chooses a number below the one given.
pub type Choice<'a> = dyn FnMut(u64) -> u64 + 'a;

const HOSTS: [Uuid; 2] = [Uuid::from_u128(0xA), Uuid::from_u128(0xB)];
const QUEUES: [&str; 2] = [r"TCP:10.0.0.1\private$\plain", r"TCP:10.0.0.1\private$\transactional"];
/// The time of day when the world begins.
const BEGAN: u64 = 1_790_000_000;

/// What a message is, and its number among those of its kind and sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Express,
    Recoverable,
    Transactional,
    /// A FinalAck that the application has caused.
    Final,
}

#[derive(Debug, Clone)]
struct Row {
    kind: Kind,
    entry: Entry,
    message: UserMessage<'static>,
}

/// A message in a transactional queue that nobody has taken yet.
struct Held {
    message: UserMessage<'static>,
}

/// What survives a crash, and what the oracle knows.
struct Store {
    own: Uuid,
    message_ids: u32,
    tickets: u64,
    /// The greatest identifier of a sequence that was ever given.
    greatest: Option<TxSequenceId>,
    sequence: Sequence,
    outbox: Vec<Row>,
    awaiting: BTreeMap<Ticket, (MessageIdentifier, Journaling)>,
    journal: BTreeSet<Ticket>,
    finished: BTreeSet<Ticket>,
    /// What came, by SourceQueueManager.
    incoming: BTreeMap<Uuid, IncomingSequence>,
    history: BTreeSet<MessageIdentifier>,
    held: VecDeque<Held>,
    /// Numbers of the messages that were put into queues, in their order.
    got: BTreeMap<Kind, Vec<u64>>,
    /// How many messages of each kind were accepted from the program.
    accepted: BTreeMap<Kind, u64>,
    wants_journal: BTreeSet<Ticket>,
}

/// One end of a connection.
struct End {
    session: Session,
    arrived: VecDeque<Arrived>,
    /// Stored, and not told to the session yet.
    decided: VecDeque<(Handle, Settlement)>,
    monitor: Monitor,
    over: Option<Reason>,
}

/// Reads along what one end sends, and what comes to it, by the codec alone.
#[derive(Default)]
struct Monitor {
    sends: PacketBuffer,
    hears: PacketBuffer,
    /// Messages sent and acknowledged.
    sent: u64,
    acknowledged: u64,
    /// Of each message that came: whether it is recoverable; and how many are settled.
    came: Vec<bool>,
    settled: BTreeSet<u64>,
    window: u64,
}

impl Monitor {
    /// What was sent never exceeds the window, and never acknowledges what is not settled.
    fn sends(&mut self, bytes: &[u8]) {
        self.sends.push(bytes);
        while let Some(packet) = self.sends.pull().expect("what is sent is packets") {
            let packet = Packet::decode_strict(packet).expect("what is sent keeps the rules");
            let header = match packet {
                Packet::SessionAck(ack) => Some(ack.session),
                Packet::UserMessage(message) => {
                    self.sent += 1;
                    assert!(self.sent - self.acknowledged <= self.window, "more than the window");
                    message.session
                }
                _ => None,
            };
            let Some(header) = header else { continue };
            let settled = (1..).take_while(|n| self.settled.contains(n)).count();
            let recoverable = self.came[..settled].iter().filter(|r| **r).count();
            let all = u16::try_from(settled & 0xFFFF).unwrap();
            assert!(
                all.wrapping_sub(header.ack_sequence_number) < 0x8000,
                "acknowledges what is not settled"
            );
            if header.recoverable_ack_flags != 0 {
                let highest = 31 - header.recoverable_ack_flags.leading_zeros();
                let last = header.recoverable_ack_sequence_number.wrapping_add(highest as u16);
                let stored = u16::try_from(recoverable & 0xFFFF).unwrap();
                assert!(stored.wrapping_sub(last) < 0x8000, "acknowledges what is not stored");
            }
        }
    }

    fn hears(&mut self, bytes: &[u8]) {
        self.hears.push(bytes);
        while let Some(packet) = self.hears.pull().expect("what comes is packets") {
            let packet = Packet::decode(packet).unwrap();
            let header = match &packet {
                Packet::SessionAck(ack) => Some(ack.session),
                Packet::UserMessage(message) => {
                    self.came.push(message.user.delivery_mode() == DeliveryMode::RECOVERABLE);
                    message.session
                }
                _ => None,
            };
            if let Some(header) = header {
                let low = u16::try_from(self.acknowledged & 0xFFFF).unwrap();
                self.acknowledged += u64::from(header.ack_sequence_number.wrapping_sub(low));
            }
        }
    }
}

/// Two directions of bytes on their way. After a reset nothing more goes in; what is there may still come out.
#[derive(Default)]
struct Wire {
    towards: [VecDeque<u8>; 2],
    reset: bool,
    /// Bytes that still come out in each direction before it is cut.
    limit: [Option<usize>; 2],
}

struct Host {
    store: Store,
    outgoing: Outgoing,
    /// Up to this ticket the outbox is in `outgoing`.
    loaded: u64,
    ends: BTreeMap<usize, End>,
    /// The connection that it sends on.
    current: Option<usize>,
    /// OrderAcks and FinalAcks that are late.
    late: Vec<Acknowledgment>,
    clock: u64,
}

/// What kind of world it is.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Transactional messages follow each other in one sequence.
    pub pipelined: bool,
    /// Settings of sessions; `own` is overwritten.
    pub options: Options,
}

/// Two hosts and what is between them.
pub struct World {
    hosts: [Host; 2],
    wires: Vec<Wire>,
    options: Options,
    faults: bool,
    cut: Option<(usize, usize)>,
    crash: Option<(u64, usize)>,
    /// How often each thing happened, for those who want to know that it did.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Host {
    fn new(own: Uuid, pipelined: bool) -> Self {
        let sequence = if pipelined { Sequence::Pipelined { last: None } } else { Sequence::One };
        let store = Store {
            own,
            message_ids: 0,
            tickets: 0,
            greatest: None,
            sequence,
            outbox: Vec::new(),
            awaiting: BTreeMap::new(),
            journal: BTreeSet::new(),
            finished: BTreeSet::new(),
            incoming: BTreeMap::new(),
            history: BTreeSet::new(),
            held: VecDeque::new(),
            got: BTreeMap::new(),
            accepted: BTreeMap::new(),
            wants_journal: BTreeSet::new(),
        };
        Self {
            store,
            outgoing: Outgoing::new(ResendSchedule::default(), Time(0)),
            loaded: 0,
            ends: BTreeMap::new(),
            current: None,
            late: Vec::new(),
            clock: 1_000_000,
        }
    }

    fn now(&self) -> Time {
        Time(self.clock)
    }

    fn unix(&self) -> u32 {
        u32::try_from(BEGAN + self.clock / 1000).unwrap()
    }

    fn message_id(&mut self) -> MessageIdentifier {
        self.store.message_ids += 1;
        MessageIdentifier { queue_manager: self.store.own, ordinal: self.store.message_ids }
    }

    /// The program sends a message: from now on it is accepted.
    fn submit(&mut self, kind: Kind, journaling: Journaling) {
        let (message, sent) = (self.message_id(), self.unix());
        let number = self.store.accepted.entry(kind).or_default();
        *number += 1;
        let queue = QUEUES[usize::from(kind == Kind::Transactional)];
        let body = [&[kind as u8][..], &number.to_le_bytes()].concat();
        let mut packet = UserMessage::new(message, sent, QueueName::direct(queue)).with_body(body);
        let delivery = match kind {
            Kind::Express => Delivery::Express,
            Kind::Transactional => {
                let mut numbers = Numbers::resume(self.store.greatest, sent);
                let place = self.store.sequence.place(&mut numbers).unwrap();
                assert!(self.store.greatest.is_none_or(|id| id <= place.id));
                self.store.greatest = Some(place.id);
                packet = packet
                    .in_transaction(TransactionHeader::single(place.id, place.number, 0))
                    .with_journal(journaling.negative, journaling.positive);
                Delivery::Transactional(place)
            }
            _ => {
                packet = packet.recoverable();
                Delivery::Recoverable
            }
        };
        self.put(kind, packet, delivery, journaling);
    }

    fn put(&mut self, kind: Kind, message: UserMessage<'static>, delivery: Delivery, journaling: Journaling) {
        self.store.tickets += 1;
        let ticket = Ticket(self.store.tickets);
        if journaling.positive {
            self.store.wants_journal.insert(ticket);
        }
        let id = message.user.message_identifier();
        let entry = Entry { ticket, message: id, delivery, journaling, expiry: Expiry::NEVER };
        self.store.outbox.push(Row { kind, entry, message });
    }

    fn load(&mut self) {
        for row in &self.store.outbox {
            if row.entry.ticket.0 > self.loaded && self.outgoing.len() < 80 {
                self.loaded = row.entry.ticket.0;
                self.outgoing.add(row.entry);
            }
        }
    }

    fn crash(&mut self) {
        self.store.outbox.retain(|row| row.kind != Kind::Express);
        self.outgoing = Outgoing::new(ResendSchedule::default(), self.now());
        self.loaded = 0;
        self.ends.clear();
        self.current = None;
        self.late.clear();
    }

    fn settled(&mut self, settled: Settled) {
        let ticket = settled.ticket;
        let index = self.store.outbox.iter().position(|row| row.entry.ticket == ticket);
        let row = self.store.outbox.remove(index.expect("a message is settled once"));
        match settled.fate {
            Fate::AwaitFinalAck => {
                self.store.awaiting.insert(ticket, (row.entry.message, row.entry.journaling));
            }
            fate => self.finish(ticket, fate),
        }
    }

    fn finish(&mut self, ticket: Ticket, fate: Fate) {
        assert!(self.store.finished.insert(ticket), "a message is finished once");
        match fate {
            Fate::Done => {}
            Fate::Journal => assert!(self.store.journal.insert(ticket)),
            other => panic!("nothing is rejected here: {other:?}"),
        }
    }

    /// Judges one message and stores what the verdict says, as one transaction would.
    fn decide(&mut self, connection: usize, room: Room) -> bool {
        let (own, unix, now) = (self.store.own, self.unix(), self.now());
        let Some(end) = self.ends.get_mut(&connection) else { return false };
        let Some(arrived) = end.arrived.pop_front() else { return false };
        let message = &arrived.message;
        let source = message.user.source_queue_manager;
        let name = message.user.destination_queue.as_direct().unwrap().to_text();
        let target = QUEUES.iter().position(|queue| *queue == name).map(|queue| Target {
            transactional: queue == 1,
            authenticated: false,
            writable: true,
            room,
        });
        let facts = Facts {
            own,
            unix,
            clock_skew: 0,
            target,
            sequence: self.store.incoming.get(&source).copied().unwrap_or_default(),
            known: self.store.history.contains(&message.user.message_identifier()),
            insecure_nacks: false,
        };
        let verdict = judge(message, &facts);
        match verdict.decision {
            Decision::Later => {
                end.session.refuse(now);
                return true;
            }
            Decision::Deliver => {
                let (kind, number) = body(message);
                let got = self.store.got.entry(kind).or_default();
                if kind == Kind::Transactional {
                    assert_eq!(number, got.len() as u64 + 1, "once and in order");
                    self.store.held.push_back(Held { message: (**message).clone() });
                } else {
                    assert!(!got.contains(&number), "{kind:?} {number} comes once");
                }
                got.push(number);
            }
            Decision::Duplicate | Decision::OutOfOrder => {}
            Decision::Acknowledges(_) => {}
            Decision::Reject(class) => panic!("{class:?}"),
        }
        if let Some(sequence) = verdict.sequence {
            self.store.incoming.insert(source, sequence);
        }
        if verdict.remember {
            self.store.history.insert(message.user.message_identifier());
        }
        end.decided.push_back((arrived.handle, verdict.settlement));
        if let Decision::Acknowledges(ack) = verdict.decision {
            let settled = self.outgoing.transaction_acknowledged(&ack);
            for settled in settled {
                self.settled(settled);
            }
            if let Acknowledgment::Final(ack) = ack {
                let found = self.store.awaiting.iter().find(|(_, (id, _))| *id == ack.message);
                if let Some((ticket, (_, journaling))) = found.map(|(t, a)| (*t, *a)) {
                    self.store.awaiting.remove(&ticket);
                    self.finish(ticket, Fate::of_final_ack(ack.class, journaling));
                }
            }
        }
        true
    }

    /// Tells the session of one message that is stored.
    fn settle(&mut self, connection: usize) -> bool {
        let now = self.now();
        let Some(end) = self.ends.get_mut(&connection) else { return false };
        let Some((handle, settlement)) = end.decided.pop_front() else { return false };
        if end.over.is_none() {
            end.monitor.settled.insert(end.monitor.settled.len() as u64 + 1);
            let _closed = end.session.settle(now, handle, settlement);
        }
        true
    }

    /// Sends what is next; whether something was.
    fn send(&mut self) -> bool {
        self.load();
        let (now, unix) = (self.now(), self.unix());
        let Some(end) = self.current.and_then(|c| self.ends.get_mut(&c)) else { return false };
        if end.over.is_some() {
            return false;
        }
        match self.outgoing.next(now, unix, end.session.can_send()) {
            Next::Send { ticket, previous } => {
                let row = self.store.outbox.iter().find(|row| row.entry.ticket == ticket).unwrap();
                let mut message = row.message.clone();
                if let Some(header) = &mut message.transaction {
                    header.previous_sequence_number = previous;
                }
                end.session.send(now, ticket, message).expect("it can send");
                true
            }
            Next::Expired(settled) => panic!("{settled:?}"),
            Next::Wait(_) => false,
        }
    }

    /// Sends an OrderAck or FinalAck that is due; whether there was room.
    fn acknowledge(&mut self, connection: usize, ack: Acknowledgment) -> bool {
        let (id, sent, now) = (self.message_id(), self.unix(), self.now());
        let Some(end) = self.ends.get_mut(&connection) else { return false };
        let queue = QueueName::order_queue("10.0.0.1");
        let message = match ack {
            Acknowledgment::Order(ack) => ack.message(id, sent, queue),
            Acknowledgment::Final(ack) => ack.message(id, sent, queue),
        };
        end.session.send(now, Ticket::NONE, message).is_ok()
    }

    /// The application takes a message out of the transactional queue.
    fn consume(&mut self) -> bool {
        let Some(held) = self.store.held.pop_front() else { return false };
        if let Some(ack) = removed(&held.message, MessageClass::ACK_RECEIVE).final_ack {
            let (id, sent) = (self.message_id(), self.unix());
            let message = ack.message(id, sent, QueueName::order_queue("10.0.0.1"));
            self.put(Kind::Final, message, Delivery::Recoverable, Journaling::default());
        }
        true
    }
}

fn body(message: &UserMessage<'_>) -> (Kind, u64) {
    let (kind, number) = message.properties.body.split_first().unwrap();
    let kind = [Kind::Express, Kind::Recoverable, Kind::Transactional][usize::from(*kind)];
    (kind, u64::from_le_bytes(number.try_into().unwrap()))
}

impl World {
    pub fn new(setting: Setting) -> Self {
        Self {
            hosts: HOSTS.map(|own| Host::new(own, setting.pipelined)),
            wires: Vec::new(),
            options: setting.options,
            faults: true,
            cut: None,
            crash: None,
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Connects, host 0 to host 1.
    fn connect(&mut self) {
        let connection = self.wires.len();
        let mut wire = Wire::default();
        if let Some((towards, bytes)) = self.cut.take() {
            wire.limit[towards] = Some(bytes);
        }
        self.wires.push(wire);
        for (index, host) in self.hosts.iter_mut().enumerate() {
            let mut options = self.options.clone();
            options.own = host.store.own;
            let window = options.window.into();
            let session = match index {
                0 => Session::initiate(options, host.now()),
                _ => Session::accept(options, host.now()),
            };
            let monitor = Monitor { window, ..Monitor::default() };
            let end =
                End { session, arrived: VecDeque::new(), decided: VecDeque::new(), monitor, over: None };
            host.ends.insert(connection, end);
            host.current = Some(connection);
            host.outgoing.disconnected();
            // What is long over is forgotten.
            host.ends.retain(|c, _| c + 3 > connection);
        }
        self.count("connections");
    }

    /// Takes what the sessions of a host want.
    fn pump(&mut self, index: usize, choice: &mut Choice<'_>) {
        let host = &mut self.hosts[index];
        let connections: Vec<_> = host.ends.keys().copied().collect();
        for connection in connections {
            loop {
                let Some(end) = host.ends.get_mut(&connection) else { break };
                match end.session.poll() {
                    Output::Wait(_) => break,
                    Output::Send(bytes) => {
                        end.monitor.sends(&bytes);
                        let wire = &mut self.wires[connection];
                        if !wire.reset {
                            wire.towards[1 - index].extend(bytes);
                        }
                    }
                    Output::Close(reason) => {
                        let sound = matches!(
                            reason,
                            Reason::Local
                                | Reason::ConnectionLost
                                | Reason::Idle
                                | Reason::TimedOut
                                | Reason::Unacknowledged
                                | Reason::NotTaken
                        );
                        assert!(sound, "{reason:?}");
                        *self.counts.entry("closed").or_default() += 1;
                        end.over = Some(reason);
                        self.wires[connection].reset = true;
                        if host.current == Some(connection) {
                            host.current = None;
                            host.outgoing.disconnected();
                        }
                    }
                    Output::Event(Event::Open { peer }) => assert_eq!(peer, HOSTS[1 - index]),
                    Output::Event(Event::Arrived(arrived)) => end.arrived.push_back(arrived),
                    Output::Event(Event::Acknowledged(ticket)) => {
                        // What an old session says is late, and true.
                        if let Some(settled) = host.outgoing.acknowledged(ticket) {
                            host.settled(settled);
                        }
                    }
                    Output::Event(Event::Acknowledge { ack, direct }) => {
                        assert!(direct);
                        match if self.faults { choice(8) } else { 7 } {
                            0 => *self.counts.entry("acks lost").or_default() += 1,
                            1 => host.late.push(ack),
                            2 => {
                                host.late.push(ack);
                                host.acknowledge(connection, ack);
                                *self.counts.entry("acks twice").or_default() += 1;
                            }
                            _ => assert!(host.acknowledge(connection, ack), "there is room for it"),
                        }
                    }
                    Output::Event(other) => panic!("{other:?}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// Brings bytes to a host, at most so many.
    fn deliver(&mut self, connection: usize, index: usize, most: usize) -> bool {
        let wire = &mut self.wires[connection];
        let host = &mut self.hosts[index];
        let now = host.now();
        let Some(end) = host.ends.get_mut(&connection) else {
            // Nobody is there: the bytes go nowhere, and the other side will hear of it.
            wire.reset = true;
            wire.towards[index].clear();
            return false;
        };
        if end.over.is_some() {
            wire.towards[index].clear();
            return false;
        }
        if wire.towards[index].is_empty() {
            if wire.reset {
                end.session.handle(now, Input::ConnectionLost);
                return true;
            }
            return false;
        }
        if !end.session.wants_data() {
            return false;
        }
        let len = most.min(wire.towards[index].len()).min(wire.limit[index].unwrap_or(usize::MAX));
        let bytes: Vec<u8> = wire.towards[index].drain(..len).collect();
        if let Some(limit) = &mut wire.limit[index] {
            *limit -= len;
            if *limit == 0 {
                wire.reset = true;
                wire.towards[index].clear();
            }
        }
        end.monitor.hears(&bytes);
        end.session.handle(now, Input::Data(&bytes));
        len > 0
    }

    fn tick(&mut self, milliseconds: u64) {
        for host in &mut self.hosts {
            host.clock += milliseconds;
            let now = host.now();
            for end in host.ends.values_mut() {
                end.session.handle(now, Input::Tick);
            }
        }
    }

    /// One thing happens.
    pub fn step(&mut self, choice: &mut Choice<'_>) {
        let index = usize::from(choice(2) == 1);
        let connection = match self.wires.len().min(3) as u64 {
            0 => None,
            recent => Some(self.wires.len() - 1 - choice(recent) as usize),
        };
        match choice(40) {
            0..=8 => {
                let most = if choice(2) == 0 { 1 + choice(700) } else { 1 << 20 };
                if let Some(connection) = connection {
                    self.deliver(connection, index, most as usize);
                }
            }
            9..=14 => self.pump(index, choice),
            15..=17 => {
                let journaling = Journaling { negative: choice(8) == 0, positive: choice(8) == 0 };
                self.hosts[index].submit(Kind::Transactional, journaling);
            }
            18 => self.hosts[index].submit(Kind::Recoverable, Journaling::default()),
            19 => self.hosts[index].submit(Kind::Express, Journaling::default()),
            20..=24 => {
                let room = if choice(64) == 0 { Room::Later } else { Room::Enough };
                if let Some(connection) = connection {
                    self.hosts[index].decide(connection, room);
                }
            }
            25..=29 => {
                if let Some(connection) = connection {
                    self.hosts[index].settle(connection);
                }
            }
            30..=33 => {
                self.hosts[index].send();
            }
            34 => {
                let milliseconds = [10, 300, 700, 20_000, 45_000][choice(5) as usize];
                self.tick(milliseconds);
            }
            35 => {
                let host = &mut self.hosts[index];
                host.clock = match choice(4) {
                    0 => host.clock.saturating_sub(choice(1 << 22)),
                    1 if choice(8) == 0 => host.clock + choice(1 << 32),
                    _ => host.clock + choice(2_000),
                };
                self.count("clocks changed");
            }
            36 if choice(4) == 0 => {
                if let Some(connection) = connection {
                    // Cut at any byte, in either direction.
                    let wire = &mut self.wires[connection];
                    wire.reset = true;
                    for direction in &mut wire.towards {
                        let keep = choice(direction.len() as u64 + 1) as usize;
                        direction.truncate(keep);
                    }
                    self.count("cuts");
                }
            }
            37 if choice(16) == 0 => {
                self.hosts[index].crash();
                self.count("crashes");
            }
            38 => {
                self.hosts[index].consume();
            }
            39 => {
                // An acknowledgement that was late or doubled, on whatever connection there is now.
                let host = &mut self.hosts[index];
                if let (Some(ack), Some(connection)) = (host.late.pop(), connection)
                    && host.ends.get(&connection).is_some_and(|end| end.session.can_send())
                {
                    host.acknowledge(connection, ack);
                }
            }
            _ => {
                let lost = |host: &Host| {
                    host.current.is_none_or(|c| host.ends.get(&c).is_none_or(|e| e.over.is_some()))
                };
                if lost(&self.hosts[0]) || choice(16) == 0 {
                    self.connect();
                }
            }
        }
    }

    /// The programs of both hosts send so many transactional messages, one of them with journals, and one of each other kind.
    pub fn submit(&mut self, messages: u64) {
        for host in &mut self.hosts {
            for n in 0..messages {
                host.submit(Kind::Transactional, Journaling { negative: n == 0, positive: n == 0 });
            }
            host.submit(Kind::Recoverable, Journaling::default());
            host.submit(Kind::Express, Journaling::default());
        }
    }

    /// The first connection is cut when so many bytes have come to a host.
    pub fn cut_after(&mut self, host: usize, bytes: usize) {
        self.cut = Some((host, bytes));
    }

    /// A host crashes after so many things that were done on either side.
    pub fn crash_after(&mut self, host: usize, things: u64) {
        self.crash = Some((things, host));
    }

    /// Whether the cut and the crash that were asked for have happened.
    pub fn has_happened(&self) -> bool {
        self.crash.is_none() && self.wires.first().is_some_and(|w| w.limit.iter().flatten().all(|l| *l == 0))
    }

    /// Something was done: perhaps it was the last thing before a crash.
    fn done(&mut self) {
        if let Some((things, host)) = &mut self.crash {
            match things.checked_sub(1) {
                Some(left) => *things = left,
                None => {
                    let host = *host;
                    self.crash = None;
                    self.hosts[host].crash();
                }
            }
        }
    }

    /// One round without faults of which each host does all that it can. Whether anything moved.
    fn round(&mut self) -> bool {
        let mut moved = false;
        if self.hosts.iter().any(|host| host.current.is_none_or(|c| self.wires[c].reset)) {
            self.connect();
        }
        for index in 0..2 {
            self.pump(index, &mut |_| 7);
            self.done();
            for connection in self.wires.len().saturating_sub(4)..self.wires.len() {
                if self.deliver(connection, index, usize::MAX) {
                    moved = true;
                    self.done();
                }
                while self.hosts[index].decide(connection, Room::Enough) {
                    moved = true;
                    self.done();
                }
                while self.hosts[index].settle(connection) {
                    moved = true;
                    self.done();
                }
            }
            while self.hosts[index].send() {
                moved = true;
                self.done();
            }
            while self.hosts[index].consume() {
                moved = true;
                self.done();
            }
            self.pump(index, &mut |_| 7);
            self.done();
        }
        moved
    }

    /// Nothing goes wrong any more but what was asked for: everything arrives, and all is settled in the end.
    pub fn finish(&mut self) {
        self.faults = false;
        let mut still = 0;
        for rounds in 0.. {
            assert!(rounds < 20_000, "it ends");
            let moved = self.round();
            let done = self.hosts.iter().all(|h| h.store.outbox.is_empty() && h.store.awaiting.is_empty());
            if done && !moved {
                break;
            }
            still = if moved { 0 } else { still + 1 };
            assert!(still < 200, "it goes on");
            self.tick(if moved { 600 } else { 15_000 });
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let accepted = |kind| host.store.accepted.get(&kind).copied().unwrap_or_default();
            let other = &self.hosts[1 - index].store;
            let mut got = other.got.clone();
            let transactional = got.remove(&Kind::Transactional).unwrap_or_default();
            assert!(transactional.into_iter().eq(1..=accepted(Kind::Transactional)), "all, once, in order");
            let mut recoverable = got.remove(&Kind::Recoverable).unwrap_or_default();
            recoverable.sort_unstable();
            assert!(recoverable.into_iter().eq(1..=accepted(Kind::Recoverable)), "all and once");
            let express = got.remove(&Kind::Express).unwrap_or_default();
            assert!(express.iter().all(|n| *n <= accepted(Kind::Express)));
            assert_eq!(host.store.journal, host.store.wants_journal, "what was to be journaled is");
        }
    }

    /// Transactional messages that were delivered.
    pub fn delivered(&self) -> u64 {
        self.hosts.iter().map(|h| h.store.got.get(&Kind::Transactional).map_or(0, Vec::len) as u64).sum()
    }
}
