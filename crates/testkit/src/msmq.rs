//! Two queue managers with their stores, and connections between them that break: everything that may go wrong between
//! sender and receiver of MSMQ, decided by numbers.

mod host;
mod monitor;

use std::collections::{BTreeMap, VecDeque};

use msmq_session::{AckRoute, Event, Input, Journaling, Options, Output, Reason, Room, Session};
use uuid::Uuid;

use host::{End, Host, Kind};
use monitor::Monitor;

/// Chooses a number below the one given.
pub type Choice<'a> = dyn FnMut(u64) -> u64 + 'a;

const HOSTS: [Uuid; 2] = [Uuid::from_u128(0xA), Uuid::from_u128(0xB)];
/// Connections that something may still happen on.
const RECENT: usize = 4;
/// Milliseconds until the end of all times of day of 32 bits, nearly.
const MOST: u64 = 2_000_000_000_000;

/// Two directions of bytes on their way. After a reset nothing more goes in; what is there may still come out.
#[derive(Default)]
struct Wire {
    towards: [VecDeque<u8>; 2],
    reset: bool,
    /// Nothing comes out before that many steps.
    stalled: u64,
    /// Bytes that still come out in each direction before it is cut.
    limit: [Option<usize>; 2],
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
    steps: u64,
    cut: Option<(usize, usize)>,
    crash: Option<(u64, usize)>,
    /// How often each thing happened, for those who want to know that it did.
    pub counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub fn new(setting: Setting) -> Self {
        Self {
            hosts: HOSTS.map(|own| Host::new(own, setting.pipelined)),
            wires: Vec::new(),
            options: setting.options,
            faults: true,
            steps: 0,
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
            let end = End {
                session,
                arrived: VecDeque::new(),
                decided: VecDeque::new(),
                decisions: 0,
                monitor,
                over: None,
            };
            host.ends.insert(connection, end);
            host.current = Some(connection);
            host.outgoing.disconnected();
            // What is long over is forgotten.
            host.ends.retain(|c, _| c + RECENT > connection);
        }
        self.count("connections");
    }

    /// Takes what the sessions of a host want.
    fn pump(&mut self, index: usize, choice: &mut Choice<'_>) {
        let host = &mut self.hosts[index];
        let connections: Vec<_> = host.ends.keys().copied().collect();
        for connection in connections {
            while let Some(end) = host.ends.get_mut(&connection) {
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
                            _ if self.options.acks == AckRoute::Connect => host.late.push(ack),
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
        if wire.stalled > self.steps && self.faults {
            return false;
        }
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
        self.steps += 1;
        let index = usize::from(choice(2) == 1);
        let connection = match self.wires.len().min(RECENT) as u64 {
            0 => None,
            recent => Some(self.wires.len() - 1 - choice(recent) as usize),
        };
        match choice(44) {
            0..=8 => {
                let most = if choice(2) == 0 { 1 + choice(700) } else { 1 << 20 };
                if let Some(connection) = connection {
                    self.deliver(connection, index, most as usize);
                }
            }
            9..=14 => self.pump(index, choice),
            15 | 16 => {
                let journaling = Journaling { negative: choice(8) == 0, positive: choice(8) == 0 };
                self.hosts[index].submit(Kind::Transactional, journaling);
            }
            17 | 18 => self.hosts[index].submit(Kind::Recoverable, Journaling::default()),
            19 => self.hosts[index].submit(Kind::Express, Journaling::default()),
            20..=24 => {
                let room = if choice(64) == 0 { Room::Later } else { Room::Enough };
                if let Some(connection) = connection {
                    self.hosts[index].decide(connection, room);
                }
            }
            25..=29 => {
                if let Some(connection) = connection {
                    let last = choice(3) == 0;
                    self.hosts[index].settle(connection, last);
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
                    1 if choice(8) == 0 => (host.clock + choice(1 << 32)).min(MOST),
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
                        if choice(2) == 0 {
                            direction.truncate(choice(direction.len() as u64 + 1) as usize);
                        }
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
                self.hosts[index].late_ack();
            }
            // Everybody does all that can be done, and waits for what is due soon.
            40 | 41 => {
                self.round();
                self.tick(600);
            }
            _ => {
                let lost = |host: &Host| {
                    host.current.is_none_or(|c| host.ends.get(&c).is_none_or(|e| e.over.is_some()))
                };
                if lost(&self.hosts[0]) || choice(16) == 0 {
                    // What is on its way on the old connection may be very late.
                    if let Some(old) = self.wires.last_mut() {
                        old.stalled = self.steps + choice(4).min(1) * choice(1_000);
                    }
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
        for index in 0..2 {
            self.pump(index, &mut |_| 7);
            self.done();
            for connection in self.wires.len().saturating_sub(RECENT)..self.wires.len() {
                if self.deliver(connection, index, usize::MAX) {
                    moved = true;
                    self.done();
                }
                while self.hosts[index].decide(connection, Room::Enough) {
                    moved = true;
                    self.done();
                }
                while self.hosts[index].settle(connection, false) {
                    moved = true;
                    self.done();
                }
            }
            while self.hosts[index].send() {
                moved = true;
                self.done();
            }
            moved |= self.hosts[index].late_ack();
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
            if self.hosts.iter().any(|host| host.current.is_none_or(|c| self.wires[c].reset)) {
                self.connect();
            }
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
