//! One session between two queue managers ([MS-MQQB] 3.1.5, 3.1.6).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use core::fmt;

use msmq_packet::{
    Acknowledgment, ConnectionParameters, DeliveryMode, EstablishConnection, OperatingSystem, OrderAck,
    Packet, PacketBuffer, QueueName, SessionAck, SessionHeader, TxSequenceId, UserMessage,
};
use remassist_core::{Decode as _, Encode as _, Time};
use uuid::Uuid;

use crate::clock::Clock;
use crate::io::Queue;
use crate::window::{FLAGS, ReceiveWindow, SendWindow, WrongAck};
use crate::{
    AckRoute, Arrived, Event, Handle, Input, Misuse, Options, Output, Place, Reason, Settlement, Ticket,
};

/// SessionState ([MS-MQQB] 3.1.1.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// WAITING_EC_MSG: the acceptor has not heard anything yet.
    WaitingForEstablish,
    /// WAITING_ECR_MSG: the initiator has asked.
    WaitingForEstablished {
        asked: Time,
    },
    /// WAITING_CP_MSG.
    WaitingForParameters,
    /// WAITING_CPR_MSG.
    WaitingForParametersBack,
    Open,
    Closed,
}

/// Timers that run, as times that have passed.
#[derive(Debug, Clone, Copy, Default)]
struct Timers {
    /// Session Initialization Timer (3.1.2.1).
    initialization: Option<Time>,
    /// Session Cleanup Timer (3.1.2.2).
    cleanup: Option<Time>,
    /// Session Ack Wait Timer (3.1.2.4).
    ack_wait: Option<Time>,
    /// Session Ack Send Timer (3.1.2.5).
    ack_send: Option<Time>,
    /// Order Ack Send Timer (3.1.2.7).
    order_ack: Option<Time>,
}

/// OrderAcks and FinalAcks that wait, at most. What is dropped comes again, with the message that it was about.
const MAX_ACKS: usize = 1024;
/// What a driver may read at a time after `wants_data` said yes.
const READ: usize = 256 << 10;

/// One session between two queue managers, over one connection: the initiator's side or the acceptor's.
///
/// `handle` takes what happens, then `poll` gives what is to be done, until it gives [`Output::Wait`]. Nothing of it is
/// durable: a session begins with nothing and ends with the connection, and what was not acknowledged goes out again.
pub struct Session {
    options: Options,
    initiator: bool,
    state: State,
    clock: Clock,
    buffer: PacketBuffer,
    queue: Queue,
    timers: Timers,
    peer: Uuid,
    /// WindowSize and ReceivedWindowSize, the smaller one.
    window: u16,
    /// AckWaitTimeout.
    ack_wait: u32,
    /// RecoverableAckSendTimeout.
    recoverable_ack: u32,
    out: SendWindow,
    came: ReceiveWindow,
    /// ReceivedAck.
    heard: bool,
    /// DirectFormatSession.
    direct: bool,
    /// OrderAcks that are due when the timer says so: the last place of each sequence.
    order_acks: BTreeMap<TxSequenceId, u32>,
    /// LastOrderAckSendTime.
    last_order_ack: Time,
    /// Acknowledgements that are due.
    acks: VecDeque<Acknowledgment>,
}

/// Says how the session stands; messages are not shown.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Session");
        text.field("state", &self.state).field("peer", &self.peer).field("window", &self.window);
        text.field("timers", &self.timers).finish_non_exhaustive()
    }
}

impl Session {
    /// The initiator's side of a connection that is open ([MS-MQQB] 3.1.5.2.3). Asks at once.
    #[must_use]
    pub fn initiate(options: Options, now: Time) -> Self {
        let mut session = Self::new(options, now, State::WaitingForEstablished { asked: Time(0) });
        let mut system = OperatingSystem(0);
        if !session.options.pinged {
            system = system.with(OperatingSystem::NO_PING);
        }
        if session.options.server_class {
            system = system.with(OperatingSystem::SERVER);
        }
        let [a, b, c, d, ..] = now.0.to_le_bytes();
        let stamp = u32::from_le_bytes([a, b, c, d]);
        let request =
            EstablishConnection::request(session.options.own, session.options.server, stamp, system);
        session.send_packet(&Packet::EstablishConnection(request));
        session
    }

    /// The acceptor's side of a connection that came in ([MS-MQQB] 3.1.5.10).
    #[must_use]
    pub fn accept(options: Options, now: Time) -> Self {
        Self::new(options, now, State::WaitingForEstablish)
    }

    fn new(options: Options, now: Time, state: State) -> Self {
        let clock = Clock::new(now);
        let initialization = Some(clock.after(options.initialization));
        Self {
            initiator: matches!(state, State::WaitingForEstablished { .. }),
            state,
            clock,
            buffer: PacketBuffer::default(),
            queue: Queue::default(),
            timers: Timers { initialization, ..Timers::default() },
            peer: options.server,
            window: options.window.clamp(1, 4096),
            ack_wait: clamped(options.ack_timeout, ConnectionParameters::ACK_TIMEOUT),
            recoverable_ack: u32::MAX,
            out: SendWindow::default(),
            came: ReceiveWindow::default(),
            heard: false,
            direct: false,
            order_acks: BTreeMap::new(),
            last_order_ack: clock.now(),
            acks: VecDeque::new(),
            options,
        }
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether this is the side that has opened the connection.
    #[must_use]
    pub const fn is_initiator(&self) -> bool {
        self.initiator
    }

    /// RemoteQMGuid: who the peer says it is; nil before it has said so.
    #[must_use]
    pub const fn peer(&self) -> Uuid {
        self.peer
    }

    /// Whether [`send`](Self::send) takes a message now: the session is open, fewer messages than the window are not
    /// acknowledged, and what was written is taken.
    #[must_use]
    pub fn can_send(&self) -> bool {
        let table = usize::from(self.options.window.clamp(1, 4096)).saturating_mul(4);
        self.is_open()
            && self.out.unacknowledged() < self.window
            && self.out.waiting() < table
            && self.queue.unsent() < self.options.max_unsent.max(1)
    }

    /// Whether the driver should read on. Otherwise messages wait to be settled; then leave what comes in the connection,
    /// so that the peer notices. Whether anything is unsent is no reason: two sides that both send would wait for each
    /// other.
    #[must_use]
    pub fn wants_data(&self) -> bool {
        self.state != State::Closed && self.takes_packets()
    }

    fn takes_packets(&self) -> bool {
        let (messages, bytes) = self.came.unsettled();
        messages < self.options.max_unsettled.clamp(1, 1 << 14)
            && bytes < self.options.max_unsettled_bytes.max(1)
    }

    /// Something happened. Call [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.clock.set(now);
        match input {
            _ if self.state == State::Closed => {}
            Input::ConnectionLost => self.close(Reason::ConnectionLost),
            Input::Tick => {}
            Input::Data(data) => {
                if self.buffer.pending() > msmq_packet::MAX_PACKET.saturating_add(READ) {
                    return self.close(Reason::Overflow);
                }
                self.buffer.push(data);
            }
        }
        self.packets();
        self.timeouts();
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Output {
        loop {
            if let Some(output) = self.queue.poll() {
                return output;
            }
            if self.state == State::Closed {
                return Output::Wait(None);
            }
            // There may be room now for what had to wait.
            if !self.packets() && !self.acknowledge() {
                return Output::Wait(self.deadline().map(|at| self.clock.told_at(at)));
            }
        }
    }

    /// Sends a message. Whether it goes out with a SessionHeader is the session's business; a message that is on disk, or
    /// transactional, has DM = 1.
    ///
    /// # Errors
    ///
    /// The session cannot send now ([`can_send`](Self::can_send)), or the message cannot be written.
    pub fn send(&mut self, now: Time, ticket: Ticket, mut message: UserMessage<'_>) -> Result<(), Misuse> {
        self.clock.set(now);
        if !self.is_open() {
            return Err(Misuse::NotOpen);
        }
        if !self.can_send() {
            return Err(Misuse::NoRoom);
        }
        // Checked before anything is counted; with a header, as that is the longer form.
        message.session = Some(self.header_of(0, 0, 0));
        message.check().map_err(Misuse::Unwritable)?;
        let recoverable = is_recoverable(&message);
        self.out.send(ticket, recoverable);
        message.session = match self.came.unacknowledged() {
            (0, 0) => None,
            _ => Some(self.session_header()),
        };
        let bytes = message.to_vec().map_err(Misuse::Unwritable)?;
        self.queue.send(bytes);
        self.active();
        if self.timers.ack_wait.is_none() {
            self.timers.ack_wait = Some(self.clock.after(self.ack_wait_duration()));
        }
        Ok(())
    }

    /// A message that came is settled: what became of it is durable, or it was disregarded for good. Now it is
    /// acknowledged, and the acknowledgements of its order and fate are scheduled.
    ///
    /// # Errors
    ///
    /// There is no such message, or the session is over: then the message comes again.
    pub fn settle(&mut self, now: Time, handle: Handle, settlement: Settlement) -> Result<(), Misuse> {
        self.clock.set(now);
        if self.state == State::Closed {
            return Err(Misuse::NotOpen);
        }
        if !self.came.settle(handle.0) {
            return Err(Misuse::UnknownMessage);
        }
        if let Some(place) = settlement.order_ack {
            self.schedule_order_ack(place);
        }
        if let Some(ack) = settlement.final_ack {
            self.queue_ack(Acknowledgment::Final(ack));
        }
        let (all, recoverable) = self.came.unacknowledged();
        if recoverable > 0 {
            // 3.1.5.8.7: the first recoverable message restarts the timer with the shorter duration.
            let soon = self.clock.after(self.recoverable_ack.into());
            self.timers.ack_send = Some(self.timers.ack_send.map_or(soon, |at| at.min(soon)));
        } else if all > 0 && self.timers.ack_send.is_none() {
            self.timers.ack_send = Some(self.clock.after(u64::from(self.ack_wait) / 2));
        }
        if recoverable >= FLAGS || all >= (self.window / 2).max(1) {
            self.timers.ack_send = Some(self.clock.now());
        }
        self.timeouts();
        Ok(())
    }

    /// A message that came cannot be taken now, for want of room or because the store fails: ends the session without
    /// acknowledging it, so that it comes again ([MS-MQQB] 3.1.5.8.8, the quota of the queue manager).
    pub fn refuse(&mut self, now: Time) {
        self.clock.set(now);
        self.close(Reason::NotTaken);
    }

    /// Ends the session ([MS-MQQB] 3.1.5.9). Acknowledges first what is settled.
    pub fn end(&mut self, now: Time) {
        self.clock.set(now);
        if self.is_open() {
            self.send_acks();
        }
        self.close(Reason::Local);
    }

    fn close(&mut self, reason: Reason) {
        self.queue.close(reason);
        self.state = State::Closed;
        self.timers = Timers::default();
        self.buffer = PacketBuffer::default();
        self.acks.clear();
        self.order_acks.clear();
    }

    /// A user message was sent or received.
    fn active(&mut self) {
        self.timers.cleanup = Some(self.clock.after(self.options.cleanup));
    }

    fn ack_wait_duration(&self) -> u64 {
        u64::from(self.ack_wait).saturating_mul(self.options.ack_wait_factor.max(1).into())
    }

    // ---- packets ----

    /// Takes the packets that are whole, as long as there is room. Whether there was one.
    fn packets(&mut self) -> bool {
        let mut any = false;
        while self.state != State::Closed && self.takes_packets() {
            let mut buffer = core::mem::take(&mut self.buffer);
            let packet = match buffer.pull() {
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    self.buffer = buffer;
                    break;
                }
                Err(error) => {
                    self.close(Reason::Undecodable(error));
                    break;
                }
            };
            any = true;
            self.packet(packet);
            if self.state != State::Closed {
                self.buffer = buffer;
            }
        }
        any
    }

    fn packet(&mut self, bytes: &[u8]) {
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => return self.close(Reason::Undecodable(error)),
        };
        self.heard = true;
        match (self.state, packet) {
            (State::WaitingForEstablish, Packet::EstablishConnection(request)) => self.establish(&request),
            (State::WaitingForEstablished { asked }, Packet::EstablishConnection(response)) => {
                self.established(&response, asked);
            }
            (State::WaitingForParameters, Packet::ConnectionParameters(request)) => self.parameters(&request),
            (State::WaitingForParametersBack, Packet::ConnectionParameters(response)) => {
                if response.internal.is_refused() {
                    return self.close(Reason::Refused);
                }
                self.peer_window(response.window_size);
                self.open();
            }
            (State::Open, Packet::SessionAck(ack)) => self.session_ack(&ack.session),
            (State::Open, Packet::UserMessage(message)) => {
                self.user_message(message.into_owned(), bytes.len())
            }
            (_, packet) => self.close(Reason::OutOfSequence(packet.name())),
        }
    }

    /// 3.1.5.3.1.
    fn establish(&mut self, request: &EstablishConnection<'_>) {
        self.peer = request.client_guid;
        // CS means refused and nothing else: a zero ServerGuid is what every direct name brings.
        let valid = request.server_guid.is_nil() || request.server_guid == self.options.own;
        self.send_packet(&Packet::EstablishConnection(request.response(self.options.own, !valid)));
        if valid {
            self.state = State::WaitingForParameters;
        } else {
            self.close(Reason::NotThisServer);
        }
    }

    /// 3.1.5.3.2.
    fn established(&mut self, response: &EstablishConnection<'_>, asked: Time) {
        if response.internal.is_refused() {
            return self.close(Reason::Refused);
        }
        let expected = self.options.server;
        if response.client_guid != self.options.own
            || !(expected.is_nil() || response.server_guid == expected)
        {
            return self.close(Reason::AnotherServer);
        }
        self.peer = response.server_guid;
        // The round trip by the own clock, whatever TimeStamp came back.
        let round_trip = self.clock.now().0.saturating_sub(asked.0).saturating_mul(8);
        let timeout = u32::try_from(round_trip).unwrap_or(u32::MAX);
        self.recoverable_ack = clamped(timeout, ConnectionParameters::RECOVERABLE_ACK_TIMEOUT);
        let parameters = ConnectionParameters::new(self.recoverable_ack, self.ack_wait, self.window);
        self.send_packet(&Packet::ConnectionParameters(parameters));
        self.state = State::WaitingForParametersBack;
    }

    /// 3.1.5.4.1.
    fn parameters(&mut self, request: &ConnectionParameters<'_>) {
        if request.internal.is_refused() {
            return self.close(Reason::Refused);
        }
        let own_window = self.options.window.clamp(1, 4096);
        self.peer_window(request.window_size);
        self.ack_wait = clamped(request.ack_timeout, ConnectionParameters::ACK_TIMEOUT);
        let recoverable = request.recoverable_ack_timeout;
        self.recoverable_ack = clamped(recoverable, ConnectionParameters::RECOVERABLE_ACK_TIMEOUT);
        // The values go back as they came, out of range or not.
        let response = ConnectionParameters::new(recoverable, request.ack_timeout, own_window);
        self.send_packet(&Packet::ConnectionParameters(response));
        self.open();
    }

    fn open(&mut self) {
        self.state = State::Open;
        self.timers.initialization = None;
        self.last_order_ack = self.clock.now();
        self.active();
        self.queue.event(Event::Open { peer: self.peer });
    }

    /// ReceivedWindowSize: never more than the own window, never none.
    fn peer_window(&mut self, window: u16) {
        self.window = self.options.window.clamp(1, 4096).min(window.max(1));
    }

    /// 3.1.5.5.
    fn session_ack(&mut self, header: &SessionHeader) {
        if let Err(wrong) = self.came.check(header) {
            return self.wrong(wrong);
        }
        let done = match self.out.acknowledged(header) {
            Ok(done) => done,
            Err(wrong) => return self.wrong(wrong),
        };
        for ticket in done.into_iter().filter(|ticket| *ticket != Ticket::NONE) {
            self.queue.event(Event::Acknowledged(ticket));
        }
        self.peer_window(header.window_size);
        self.timers.ack_wait = (self.out.waiting() > 0).then(|| self.clock.after(self.ack_wait_duration()));
    }

    fn wrong(&mut self, wrong: WrongAck) {
        self.close(match wrong {
            WrongAck::NeverSent => Reason::NeverSent,
            WrongAck::Count => Reason::Count,
        });
    }

    /// 3.1.5.8.2 and 3.1.5.8.4; the rest is the driver's.
    fn user_message(&mut self, mut message: UserMessage<'static>, size: usize) {
        let handle = self.came.came(is_recoverable(&message), size);
        self.active();
        self.direct |= matches!(message.user.destination_queue, QueueName::Direct(_));
        let header = message.session.take();
        // Before its SessionHeader: where that is wrong, the message still reaches its queue ([MS-MQMQ] 2.2.20.4).
        self.queue.event(Event::Arrived(Arrived { handle: Handle(handle), message: Box::new(message) }));
        if let Some(header) = header {
            self.session_ack(&header);
        }
    }

    // ---- acknowledgements ----

    fn header_of(&self, ack: u16, recoverable: u16, flags: u32) -> SessionHeader {
        SessionHeader {
            ack_sequence_number: ack,
            recoverable_ack_sequence_number: recoverable,
            recoverable_ack_flags: flags,
            user_sequence_number: self.out.sent,
            recoverable_sequence_number: self.out.recoverable_sent,
            window_size: self.options.window.clamp(1, 4096),
            reserved: 0,
        }
    }

    /// A SessionHeader that acknowledges all that it can.
    fn session_header(&mut self) -> SessionHeader {
        let (ack, recoverable, flags) = self.came.acknowledge();
        if self.came.unacknowledged() == (0, 0) {
            self.timers.ack_send = None;
        }
        self.header_of(ack, recoverable, flags)
    }

    /// Acknowledges what is settled, in as many packets as it takes.
    fn send_acks(&mut self) {
        while self.came.unacknowledged() != (0, 0) {
            let header = self.session_header();
            self.send_packet(&Packet::SessionAck(SessionAck::new(header)));
        }
        self.timers.ack_send = None;
    }

    /// 3.1.1.6.2: the timer starts with the first message, and again with each further one, but not for ever.
    fn schedule_order_ack(&mut self, place: Place) {
        if self.order_acks.len() >= MAX_ACKS {
            self.order_acks_due();
        }
        let number = self.order_acks.entry(place.id).or_default();
        *number = place.number.max(*number);
        let since = self.clock.now().0.saturating_sub(self.last_order_ack.0);
        if self.timers.order_ack.is_none() || since < self.options.max_order_ack_delay {
            self.timers.order_ack = Some(self.clock.after(self.options.order_ack));
        }
    }

    /// 3.1.6.9.
    fn order_acks_due(&mut self) {
        self.timers.order_ack = None;
        self.last_order_ack = self.clock.now();
        for (id, number) in core::mem::take(&mut self.order_acks) {
            self.queue_ack(Acknowledgment::Order(OrderAck::up_to(id, number)));
        }
    }

    fn queue_ack(&mut self, ack: Acknowledgment) {
        if self.acks.len() < MAX_ACKS {
            self.acks.push_back(ack);
        }
    }

    /// Gives out an acknowledgement that is due. Whether there was one.
    fn acknowledge(&mut self) -> bool {
        let room = self.options.acks == AckRoute::Connect || self.can_send();
        let Some(ack) = self.is_open().then(|| if room { self.acks.pop_front() } else { None }).flatten()
        else {
            return false;
        };
        self.queue.event(Event::Acknowledge { ack, direct: self.direct });
        true
    }

    // ---- timers ----

    fn deadline(&self) -> Option<Time> {
        let Timers { initialization, cleanup, ack_wait, ack_send, order_ack } = self.timers;
        [initialization, cleanup, ack_wait, ack_send, order_ack].into_iter().flatten().min()
    }

    fn timeouts(&mut self) {
        let now = self.clock.now();
        let due = |timer: Option<Time>| timer.is_some_and(|at| at <= now);
        if due(self.timers.initialization) {
            return self.close(Reason::TimedOut);
        }
        if due(self.timers.ack_send) {
            self.send_acks();
        }
        if due(self.timers.order_ack) {
            self.order_acks_due();
        }
        if due(self.timers.ack_wait) {
            // 3.1.6.3.
            self.timers.ack_wait = None;
            if self.out.waiting() > 0 {
                if !self.heard {
                    return self.close(Reason::Unacknowledged);
                }
                self.heard = false;
                self.timers.ack_wait = Some(self.clock.after(self.ack_wait_duration()));
            }
        }
        if due(self.timers.cleanup) {
            let (unsettled, _) = self.came.unsettled();
            if unsettled > 0 || self.out.waiting() > 0 {
                self.active();
            } else {
                self.close(Reason::Idle);
            }
        }
    }

    fn send_packet(&mut self, packet: &Packet<'_>) {
        match packet.to_vec() {
            Ok(bytes) => self.queue.send(bytes),
            // Nothing that is written here can fail.
            Err(_) => self.close(Reason::Overflow),
        }
    }
}

fn clamped(value: u32, range: core::ops::RangeInclusive<u32>) -> u32 {
    value.clamp(*range.start(), *range.end())
}

/// Whether a message counts among the recoverable ones: DM is 1.
fn is_recoverable(message: &UserMessage<'_>) -> bool {
    message.user.delivery_mode() == DeliveryMode::RECOVERABLE
}
