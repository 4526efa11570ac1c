//! A queue manager: its store, and what it has in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use msmq_packet::{
    Acknowledgment, DirectName, FinalAck, MessageClass, MessageIdentifier, QueueName, TransactionHeader,
    TxSequenceId, UserMessage,
};
use msmq_session::{
    Arrived, Decision, Delivery, Entry, Expiry, Facts, Fate, Handle, IncomingSequence, Journaling, Next,
    Numbers, Outgoing, Reason, ResendSchedule, Room, Sequence, Session, Settled, Settlement, Target, Ticket,
    judge, order_queue_ack, removed,
};
use remassist_core::Time;
use uuid::Uuid;

use super::monitor::Monitor;

pub(super) const QUEUES: [&str; 2] = [r"TCP:10.0.0.1\private$\plain", r"TCP:10.0.0.1\private$\transactional"];
/// The time of day when the world begins.
pub(super) const BEGAN: u64 = 1_790_000_000;
/// What a message is, and its number among those of its kind and sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Express,
    Recoverable,
    Transactional,
    /// A FinalAck that the application has caused.
    Final,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) entry: Entry,
    pub(super) message: UserMessage<'static>,
}

/// A message in a transactional queue that nobody has taken yet.
pub(super) struct Held {
    pub(super) message: UserMessage<'static>,
}

/// What survives a crash, and what the oracle knows.
pub(super) struct Store {
    pub(super) own: Uuid,
    pub(super) message_ids: u32,
    pub(super) tickets: u64,
    /// The greatest identifier of a sequence that was ever given.
    pub(super) greatest: Option<TxSequenceId>,
    pub(super) sequence: Sequence,
    pub(super) outbox: Vec<Row>,
    pub(super) awaiting: BTreeMap<Ticket, (MessageIdentifier, Journaling)>,
    pub(super) journal: BTreeSet<Ticket>,
    pub(super) finished: BTreeSet<Ticket>,
    /// What came, by SourceQueueManager.
    pub(super) incoming: BTreeMap<Uuid, IncomingSequence>,
    pub(super) history: BTreeSet<MessageIdentifier>,
    pub(super) held: VecDeque<Held>,
    /// Numbers of the messages that were put into queues, in their order.
    pub(super) got: BTreeMap<Kind, Vec<u64>>,
    /// How many messages of each kind were accepted from the program.
    pub(super) accepted: BTreeMap<Kind, u64>,
    pub(super) wants_journal: BTreeSet<Ticket>,
}

/// One end of a connection.
pub(super) struct End {
    pub(super) session: Session,
    pub(super) arrived: VecDeque<Arrived>,
    /// Stored, and not told to the session yet.
    pub(super) decided: VecDeque<(u64, Handle, Settlement)>,
    /// Messages that were decided.
    pub(super) decisions: u64,
    pub(super) monitor: Monitor,
    pub(super) over: Option<Reason>,
}

pub(super) struct Host {
    pub(super) store: Store,
    pub(super) outgoing: Outgoing,
    /// Up to this ticket the outbox is in `outgoing`.
    pub(super) loaded: u64,
    pub(super) ends: BTreeMap<usize, End>,
    /// The connection that it sends on.
    pub(super) current: Option<usize>,
    /// OrderAcks and FinalAcks that are late.
    pub(super) late: Vec<Acknowledgment>,
    pub(super) clock: u64,
}

impl Host {
    pub(super) fn new(own: Uuid, pipelined: bool) -> Self {
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

    pub(super) fn now(&self) -> Time {
        Time(self.clock)
    }

    pub(super) fn unix(&self) -> u32 {
        u32::try_from(BEGAN + self.clock / 1000).unwrap()
    }

    pub(super) fn message_id(&mut self) -> MessageIdentifier {
        self.store.message_ids += 1;
        MessageIdentifier { queue_manager: self.store.own, ordinal: self.store.message_ids }
    }

    /// The program sends a message: from now on it is accepted.
    pub(super) fn submit(&mut self, kind: Kind, journaling: Journaling) {
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

    pub(super) fn put(
        &mut self,
        kind: Kind,
        message: UserMessage<'static>,
        delivery: Delivery,
        journaling: Journaling,
    ) {
        self.store.tickets += 1;
        let ticket = Ticket(self.store.tickets);
        if journaling.positive {
            self.store.wants_journal.insert(ticket);
        }
        let id = message.user.message_identifier();
        let entry = Entry { ticket, message: id, delivery, journaling, expiry: Expiry::NEVER };
        self.store.outbox.push(Row { kind, entry, message });
    }

    pub(super) fn load(&mut self) {
        for row in &self.store.outbox {
            if row.entry.ticket.0 > self.loaded && self.outgoing.len() < 80 {
                self.loaded = row.entry.ticket.0;
                self.outgoing.add(row.entry);
            }
        }
    }

    pub(super) fn crash(&mut self) {
        self.store.outbox.retain(|row| row.kind != Kind::Express);
        self.outgoing = Outgoing::new(ResendSchedule::default(), self.now());
        self.loaded = 0;
        self.ends.clear();
        self.current = None;
        self.late.clear();
    }

    pub(super) fn settled(&mut self, settled: Settled) {
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

    pub(super) fn finish(&mut self, ticket: Ticket, fate: Fate) {
        assert!(self.store.finished.insert(ticket), "a message is finished once");
        match fate {
            Fate::Done => {}
            Fate::Journal => assert!(self.store.journal.insert(ticket)),
            other => panic!("nothing is rejected here: {other:?}"),
        }
    }

    /// Judges one message and stores what the verdict says, as one transaction would.
    pub(super) fn decide(&mut self, connection: usize, room: Room) -> bool {
        let (own, unix, now) = (self.store.own, self.unix(), self.now());
        let Some(end) = self.ends.get_mut(&connection) else { return false };
        let Some(arrived) = end.arrived.pop_front() else { return false };
        let message = &arrived.message;
        let source = message.user.source_queue_manager;
        let name = message.user.destination_queue.as_direct().map(DirectName::to_text);
        let target = QUEUES.iter().position(|queue| name.as_deref() == Some(queue)).map(|queue| Target {
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
        end.decisions += 1;
        end.decided.push_back((end.decisions, arrived.handle, verdict.settlement));
        if let Decision::Acknowledges(ack) = verdict.decision {
            let settled = self.outgoing.transaction_acknowledged(&ack);
            let none = settled.is_empty();
            for settled in settled {
                self.settled(settled);
            }
            if let (Acknowledgment::Final(ack), true) = (ack, none) {
                self.final_ack(&ack);
            }
        }
        true
    }

    /// A FinalAck of a message that is not in memory: it awaits one, or was not loaded since a restart.
    fn final_ack(&mut self, ack: &FinalAck) {
        let waits = self.store.awaiting.iter().find(|(_, (id, _))| *id == ack.message);
        if let Some((ticket, journaling)) = waits.map(|(ticket, (_, journaling))| (*ticket, *journaling)) {
            self.store.awaiting.remove(&ticket);
            return self.finish(ticket, Fate::of_final_ack(ack.class, journaling));
        }
        if let Some(row) = self.store.outbox.iter().find(|row| row.entry.message == ack.message) {
            let fate = Fate::of_final_ack(ack.class, row.entry.journaling);
            self.settled(Settled { ticket: row.entry.ticket, fate });
        }
    }

    /// Tells the session of one message that is stored, the first or the last of them.
    pub(super) fn settle(&mut self, connection: usize, last: bool) -> bool {
        let now = self.now();
        let Some(end) = self.ends.get_mut(&connection) else { return false };
        let decided = if last { end.decided.pop_back() } else { end.decided.pop_front() };
        let Some((number, handle, settlement)) = decided else { return false };
        if end.over.is_none() {
            end.monitor.settled.insert(number);
            let _closed = end.session.settle(now, handle, settlement);
        }
        true
    }

    /// Sends what is next; whether something was.
    pub(super) fn send(&mut self) -> bool {
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
    pub(super) fn acknowledge(&mut self, connection: usize, ack: Acknowledgment) -> bool {
        let (id, sent, now) = (self.message_id(), self.unix(), self.now());
        let Some(end) = self.ends.get_mut(&connection) else { return false };
        let message = order_queue_ack(&ack, Some("10.0.0.1"), end.session.peer(), id, sent);
        end.session.send(now, Ticket::NONE, message).is_ok()
    }

    /// Sends an acknowledgement that was late, was doubled, or goes another way than its message came; whether one went.
    pub(super) fn late_ack(&mut self) -> bool {
        let Some(connection) = self.current else { return false };
        let can_send = |end: &End| end.over.is_none() && end.session.can_send();
        if !self.ends.get(&connection).is_some_and(can_send) {
            return false;
        }
        let Some(ack) = self.late.pop() else { return false };
        self.acknowledge(connection, ack)
    }

    /// The application takes a message out of the transactional queue.
    pub(super) fn consume(&mut self) -> bool {
        let Some(held) = self.store.held.pop_front() else { return false };
        if let Some(ack) = removed(&held.message, MessageClass::ACK_RECEIVE).final_ack {
            let (id, sent) = (self.message_id(), self.unix());
            let message = order_queue_ack(&Acknowledgment::Final(ack), None, Uuid::nil(), id, sent);
            self.put(Kind::Final, message, Delivery::Recoverable, Journaling::default());
        }
        true
    }
}

pub(super) fn body(message: &UserMessage<'_>) -> (Kind, u64) {
    let (kind, number) = message.properties.body.split_first().unwrap();
    let kind = [Kind::Express, Kind::Recoverable, Kind::Transactional][usize::from(*kind)];
    (kind, u64::from_le_bytes(number.try_into().unwrap()))
}
