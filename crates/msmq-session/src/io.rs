//! What goes into a session and what comes out.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use msmq_packet::{Acknowledgment, UserMessage};
use remassist_core::{DecodeError, Time};
use uuid::Uuid;

/// The caller's number of a message that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ticket(pub u64);

impl Ticket {
    /// For messages whose acknowledgement nobody waits for, such as OrderAcks: there is no [`Event::Acknowledged`].
    pub const NONE: Self = Self(u64::MAX);
}

/// A session's number of a message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub(crate) u64);

/// What a driver tells a session.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// Bytes that arrived, cut anywhere.
    Data(&'a [u8]),
    /// The connection is gone.
    ConnectionLost,
    /// Time has passed. Due at the time that [`Output::Wait`] names; earlier or later does no harm.
    Tick,
}

/// Bytes are counted, not shown.
impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => write!(f, "Data({} bytes)", bytes.len()),
            Self::ConnectionLost => f.write_str("ConnectionLost"),
            Self::Tick => f.write_str("Tick"),
        }
    }
}

/// What a session wants of its driver.
#[non_exhaustive]
#[must_use = "dropping an output loses bytes or an event"]
#[derive(PartialEq)]
pub enum Output {
    /// Send these bytes, after all that came before.
    Send(Vec<u8>),
    /// Something that the program wants to know.
    Event(Event),
    /// Close the connection after all was sent; nothing follows but [`Output::Wait`]. What was sent and not acknowledged is
    /// to be sent again on another session, what came and was not settled comes again.
    Close(Reason),
    /// There is nothing more. Call `handle(now, Input::Tick)` at this time at the latest.
    Wait(Option<Time>),
}

/// Bytes are counted, not shown.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
            Self::Close(reason) => f.debug_tuple("Close").field(reason).finish(),
            Self::Wait(time) => f.debug_tuple("Wait").field(time).finish(),
        }
    }
}

/// What happened.
#[non_exhaustive]
#[derive(Debug, PartialEq)]
pub enum Event {
    /// The session is open: messages may be sent.
    Open {
        /// QueueManager.Identifier of the peer, as it says; unverified.
        peer: Uuid,
    },
    /// A message came. Answer with [`Session::settle`](crate::Session::settle) or
    /// [`Session::refuse`](crate::Session::refuse); until then it is not acknowledged.
    Arrived(Arrived),
    /// The peer has a message: an express one in memory, others on disk. Nothing is said about its order.
    Acknowledged(Ticket),
    /// An OrderAck or FinalAck is due: make a message of it by [`order_queue_ack`](crate::order_queue_ack) and send
    /// it, as [`Ticket::NONE`] on this session, or, where [`Options::acks`] says so, to the peer's own port. When it is lost,
    /// the message that it is about comes again, and the acknowledgement is due again.
    Acknowledge {
        /// What to say.
        ack: Acknowledgment,
        /// Messages came for direct format names, so the peer's order queue is named by its address; otherwise by the
        /// identifier of its queue manager (DirectFormatSession, [MS-MQQB] 3.1.7.17).
        direct: bool,
    },
}

/// A message that came.
#[derive(PartialEq)]
pub struct Arrived {
    /// Names it in this session.
    pub handle: Handle,
    /// All of it; its SessionHeader is taken out.
    pub message: Box<UserMessage<'static>>,
}

/// Says which it is, not what it says.
impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrived({}, {})", self.handle.0, self.message.user.message_identifier())
    }
}

/// Why a session is over.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This side closed it.
    Local,
    /// The connection is gone.
    ConnectionLost,
    /// No message came or went for a while ([MS-MQQB] 3.1.6.2).
    Idle,
    /// The peer did not open the session in time ([MS-MQQB] 3.1.6.6).
    TimedOut,
    /// The peer acknowledges nothing ([MS-MQQB] 3.1.6.3).
    Unacknowledged,
    /// The peer refuses the session: bit CS ([MS-MQQB] 2.2.1).
    Refused,
    /// The peer asks for another queue manager than this one; it was told so ([MS-MQQB] 3.1.5.3.1).
    NotThisServer,
    /// Another queue manager answers than the one asked for, or it answers somebody else ([MS-MQQB] 3.1.5.3.2).
    AnotherServer,
    /// What came is no packet ([MS-MQQB] 3.1.5.1.3).
    Undecodable(DecodeError),
    /// A packet that does not belong here, by its name.
    OutOfSequence(&'static str),
    /// An acknowledgement of what was never sent.
    NeverSent,
    /// The peer has sent another number of messages than came ([MS-MQQB] 3.1.5.5.5).
    Count,
    /// A message was not taken: [`Session::refuse`](crate::Session::refuse).
    NotTaken,
    /// The driver goes on reading although [`Session::wants_data`](crate::Session::wants_data) says no.
    Overflow,
}

/// A call that does not fit the state of the session. Nothing was changed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The session is over, or not open yet. A message that is settled too late comes again, on another session.
    #[error("the session is not open")]
    NotOpen,
    /// The window is full: ask [`Session::can_send`](crate::Session::can_send) before.
    #[error("too many messages are not acknowledged")]
    NoRoom,
    /// There is no such message, or it is settled already.
    #[error("no such message")]
    UnknownMessage,
    /// The message cannot be written.
    #[error("the message cannot be written: {0}")]
    Unwritable(remassist_core::EncodeError),
}

/// Which way OrderAcks and FinalAcks go.
///
/// By [MS-MQQB] 1.3.5.1 over a session that is open, else by a new one; 3.1.6.9 sends an OrderAck only while the session is
/// open that the message came on, so there is always one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AckRoute {
    /// Over the session that the message came on: through NAT, and to senders that do not listen. [`Event::Acknowledge`]
    /// comes only when there is room for the message.
    #[default]
    Session,
    /// To the peer's own port, by connecting.
    Connect,
}

/// Settings of a session.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// QueueManager.Identifier: who this side is.
    pub own: Uuid,
    /// RemoteQMGuid at the initiator; nil when the name of the queue is a direct one, as then nobody knows it.
    pub server: Uuid,
    /// WindowSize: how many messages are not acknowledged at most, 1 to 4,096.
    pub window: u16,
    /// AckWaitTimeout of the initiator in milliseconds, 20,000 to 120,000.
    pub ack_timeout: u32,
    /// How many times AckWaitTimeout the peer may say nothing while messages are not acknowledged ([MS-MQQB] 3.1.2.4).
    pub ack_wait_factor: u8,
    /// Duration of the Session Initialization Timer in milliseconds.
    pub initialization: u64,
    /// Duration of the Session Cleanup Timer in milliseconds.
    pub cleanup: u64,
    /// OrderAckTimeout in milliseconds. Less than 500 is against [MS-MQQB] 3.1.3.2, and what a sender likes that waits for
    /// each OrderAck.
    pub order_ack: u64,
    /// MaximumOrderAckDelay in milliseconds: for so long further messages put an OrderAck off.
    pub max_order_ack_delay: u64,
    /// Which way OrderAcks and FinalAcks go.
    pub acks: AckRoute,
    /// EstablishConnectionHeader.OperatingSystem.SE is 0: a Ping Request was sent before.
    pub pinged: bool,
    /// EstablishConnectionHeader.OperatingSystem.OS: a server's operating system.
    pub server_class: bool,
    /// Messages that came and are not settled at most, 1 to 16,384; more are not read.
    pub max_unsettled: usize,
    /// Their bytes at most. One message is always read.
    pub max_unsettled_bytes: usize,
    /// Bytes that wait for [`Session::poll`](crate::Session::poll) when no further message is taken.
    pub max_unsent: usize,
}

impl Options {
    /// The settings of Windows: window of 64 messages, AckWaitTimeout 20 s (twice), 60 s to open, idle for 300 s,
    /// OrderAckTimeout 500 ms and 10 s at most; 64 messages and 8 MiB unsettled, 1 MiB unsent.
    #[must_use]
    pub const fn new(own: Uuid) -> Self {
        Self {
            own,
            server: Uuid::nil(),
            window: 64,
            ack_timeout: 20_000,
            ack_wait_factor: 2,
            initialization: 60_000,
            cleanup: 300_000,
            order_ack: 500,
            max_order_ack_delay: 10_000,
            acks: AckRoute::Session,
            pinged: false,
            server_class: true,
            max_unsettled: 64,
            max_unsettled_bytes: 8 << 20,
            max_unsent: 1 << 20,
        }
    }
}

/// Outputs in their order.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Output>,
    unsent: usize,
    closed: bool,
}

impl Queue {
    /// Bytes that wait.
    pub(crate) const fn unsent(&self) -> usize {
        self.unsent
    }

    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        if !self.closed {
            self.unsent = self.unsent.saturating_add(bytes.len());
            self.waiting.push_back(Output::Send(bytes));
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        if !self.closed {
            self.waiting.push_back(Output::Event(event));
        }
    }

    pub(crate) fn close(&mut self, reason: Reason) {
        if !self.closed {
            self.waiting.push_back(Output::Close(reason));
            self.closed = true;
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        let output = self.waiting.pop_front()?;
        if let Output::Send(bytes) = &output {
            self.unsent = self.unsent.saturating_sub(bytes.len());
        }
        Some(output)
    }
}
