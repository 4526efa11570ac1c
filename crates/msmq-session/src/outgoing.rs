//! What is to be sent to one destination, and what becomes of it ([MS-MQQB] 3.1.5.5 to 3.1.5.7, 3.1.6.5, 3.1.7.1).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use msmq_packet::{Acknowledgment, MessageClass, MessageIdentifier};
use remassist_core::Time;

use crate::clock::Clock;
use crate::{Expiry, Place, ResendSchedule, Ticket};

/// Source journaling that a message asks for (UserHeader.Flags JN and JP, [MS-MQMQ] 2.2.19.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Journaling {
    /// JN: what could not be delivered goes to the dead-letter queue.
    pub negative: bool,
    /// JP: what was delivered goes to the journal.
    pub positive: bool,
}

/// How a message is delivered ([MS-MQQB] 1.3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Delivery {
    /// Done when the peer has it in memory.
    Express,
    /// Done when the peer has it on disk.
    Recoverable,
    /// Exactly once and in order: done by an OrderAck.
    Transactional(Place),
}

/// A message of the outbox, as far as this machine needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The caller's number of the message; also names it in the session.
    pub ticket: Ticket,
    /// SourceQueueManager and MessageID.
    pub message: MessageIdentifier,
    /// How it is delivered.
    pub delivery: Delivery,
    /// What is to be done with it in the end.
    pub journaling: Journaling,
    /// When it need not be sent any more.
    pub expiry: Expiry,
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send this message on the session now; PreviousTxSequenceNumber is to be this number.
    Send {
        /// Which.
        ticket: Ticket,
        /// PreviousTxSequenceNumber: bridges the gap that messages have left that are not sent any more.
        previous: u32,
    },
    /// This message has expired. It is not sent (any more): see [`Fate::Expired`].
    Expired(Settled),
    /// Nothing can be sent now. Ask again at this time at the latest.
    Wait(Option<Time>),
}

/// What is to be done with a message of the outbox, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Delivered: remove it.
    Done,
    /// Delivered, and a copy is wanted: move it to the journal ([MS-MQQB] 3.1.5.5.4, 3.1.5.7).
    Journal,
    /// Delivered in order. Keep it, but do not send it again: AwaitingFinalACKTable, until [`Fate::of_final_ack`] tells more
    /// ([MS-MQQB] 3.1.5.6).
    AwaitFinalAck,
    /// Refused for this reason: remove it.
    Rejected(MessageClass),
    /// Refused for this reason, and a copy is wanted: move it to the dead-letter queue; that of transactions where it
    /// is transactional.
    DeadLetter(MessageClass),
    /// Not sent in time: remove it, or move it to the dead-letter queue where `dead_letter`. Where its
    /// MessagePropertiesHeader.Flags.NA asks for it, its administration queue is told `class` ([MS-MQQB] 3.1.7.1.2).
    Expired {
        /// MQMSG_CLASS_NACK_REACH_QUEUE_TIMEOUT or MQMSG_CLASS_NACK_RECEIVE_TIMEOUT.
        class: MessageClass,
        /// A copy is wanted.
        dead_letter: bool,
    },
}

impl Fate {
    /// What a FinalAck of this class says about a message ([MS-MQQB] 3.1.5.7).
    #[must_use]
    pub fn of_final_ack(class: MessageClass, journaling: Journaling) -> Self {
        match (class == MessageClass::ACK_RECEIVE, journaling) {
            (true, Journaling { positive: true, .. }) => Self::Journal,
            (true, _) => Self::Done,
            (false, Journaling { negative: true, .. }) => Self::DeadLetter(class),
            (false, _) => Self::Rejected(class),
        }
    }
}

/// A message and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub ticket: Ticket,
    /// What is to be done with it.
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    entry: Entry,
    /// It was sent on the session that is open now, and not lost with an earlier one.
    sent: bool,
    /// It was sent since this began: only then an OrderAck is about it. What was sent before a restart is sent again, and
    /// acknowledged again. A FinalAck comes once, and names the message.
    tried: bool,
}

/// The front of the outbox for one destination queue: tells what to send, and takes acknowledgements.
///
/// Nothing here is durable. The caller has the outbox on disk, adds its messages in their order, oldest first, and carries
/// out what it is told, each [`Settled`] in one transaction. After a restart it begins with what is there.
///
/// Of transactional messages only those of one sequence are on their way at a time, since a receiver that has accepted a
/// later sequence drops what is missing of an earlier one.
#[derive(Debug)]
pub struct Outgoing {
    rows: VecDeque<Row>,
    schedule: ResendSchedule,
    resend: Option<Time>,
    clock: Clock,
    on_session_ack: bool,
}

impl Outgoing {
    /// Nothing to send yet.
    #[must_use]
    pub const fn new(schedule: ResendSchedule, now: Time) -> Self {
        Self { rows: VecDeque::new(), schedule, resend: None, clock: Clock::new(now), on_session_ack: false }
    }

    /// Takes the SessionAck of a transactional message for its delivery, as no OrderAck can come to a host that nobody can
    /// connect to. **A message that the peer rejects afterwards is lost without notice.** Not [MS-MQQB]: 3.1.1.6.2 forbids it.
    #[must_use]
    pub const fn accepting_session_acks_as_delivery(mut self) -> Self {
        self.on_session_ack = true;
        self
    }

    /// How many messages it holds. The caller need not add all of its outbox: some more than the window are enough.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The resend schedule as it stands, to be stored or shown.
    #[must_use]
    pub const fn schedule(&self) -> ResendSchedule {
        self.schedule
    }

    /// Adds a message behind all others. The places of transactional messages only grow.
    pub fn add(&mut self, entry: Entry) {
        self.rows.push_back(Row { entry, sent: false, tried: false });
    }

    /// What is next. Messages are sent only where `can_send`, but expire at any time; `unix` is the time of day in seconds
    /// since 1970.
    ///
    /// What is sent is sent again when the session ends without an acknowledgement, and, of transactional messages, when
    /// no OrderAck comes in time.
    pub fn next(&mut self, now: Time, unix: u32, can_send: bool) -> Next {
        self.clock.set(now);
        if self.resend.is_some_and(|at| at <= self.clock.now()) {
            // 3.1.6.5: everything that is not acknowledged goes out again.
            self.resend = None;
            self.schedule.advance();
            self.again();
        }
        let over = |row: &Row| Some((row.entry, row.entry.expiry.over(unix).filter(|_| !row.sent)?));
        if let Some((index, (entry, class))) =
            self.rows.iter().enumerate().find_map(|(i, row)| Some((i, over(row)?)))
        {
            self.rows.remove(index);
            self.check_timer();
            let fate = Fate::Expired { class, dead_letter: entry.journaling.negative };
            return Next::Expired(Settled { ticket: entry.ticket, fate });
        }
        if can_send && let Some((ticket, previous)) = self.send() {
            self.check_timer();
            return Next::Send { ticket, previous };
        }
        let expires =
            self.rows.iter().filter(|row| !row.sent).filter_map(|row| row.entry.expiry.left(unix)).min();
        let expires = expires.map(|seconds| self.clock.after(u64::from(seconds).saturating_mul(1000)));
        let deadline = self.resend.into_iter().chain(expires).min();
        Next::Wait(deadline.map(|at| self.clock.told_at(at)))
    }

    /// The next message that may be sent, with the number before its own.
    fn send(&mut self) -> Option<(Ticket, u32)> {
        let mut sequence = None;
        let mut previous = 0;
        for row in &mut self.rows {
            let place = match row.entry.delivery {
                Delivery::Transactional(place) => Some(place),
                _ => None,
            };
            // The sequence before this one is not acknowledged yet.
            if place.is_some_and(|place| *sequence.get_or_insert(place.id) != place.id) {
                return None;
            }
            if !row.sent {
                row.sent = true;
                row.tried = true;
                return Some((row.entry.ticket, if place.is_some() { previous } else { 0 }));
            }
            previous = place.map_or(previous, |place| place.number);
        }
        None
    }

    /// The session has acknowledged a message ([MS-MQQB] 3.1.5.5). What is to be done with it; nothing with a transactional
    /// one, or one that is not here any more.
    pub fn acknowledged(&mut self, ticket: Ticket) -> Option<Settled> {
        let index = self.rows.iter().position(|row| row.entry.ticket == ticket)?;
        let entry = self.rows.get(index)?.entry;
        if matches!(entry.delivery, Delivery::Transactional(_)) && !self.on_session_ack {
            return None;
        }
        self.rows.remove(index);
        self.progress();
        let fate = if entry.journaling.positive { Fate::Journal } else { Fate::Done };
        Some(Settled { ticket, fate })
    }

    /// An OrderAck or FinalAck has come ([MS-MQQB] 3.1.5.6, 3.1.5.7). What is to be done with the messages that it speaks
    /// of; nothing, where they are not here any more. Then the caller looks a FinalAck up among the messages that await one.
    pub fn transaction_acknowledged(&mut self, ack: &Acknowledgment) -> Vec<Settled> {
        let mut settled = Vec::new();
        self.rows.retain(|Row { entry, tried, .. }| {
            let Delivery::Transactional(place) = entry.delivery else { return true };
            let fate = match ack {
                Acknowledgment::Order(ack)
                    if *tried && ack.sequence_id == place.id && ack.sequence_number >= place.number =>
                {
                    if entry.journaling == Journaling::default() {
                        Fate::Done
                    } else {
                        Fate::AwaitFinalAck
                    }
                }
                Acknowledgment::Final(ack)
                    if Place { id: ack.sequence_id, number: ack.sequence_number } == place
                        && ack.message == entry.message =>
                {
                    Fate::of_final_ack(ack.class, entry.journaling)
                }
                _ => return true,
            };
            settled.push(Settled { ticket: entry.ticket, fate });
            false
        });
        if !settled.is_empty() {
            if settled.iter().any(|s| matches!(s.fate, Fate::Rejected(_) | Fate::DeadLetter(_))) {
                self.again();
            }
            self.progress();
        }
        settled
    }

    /// A message is not to be sent (any more): somebody has deleted it, or it cannot be written. Whether it was here.
    pub fn remove(&mut self, ticket: Ticket) -> bool {
        let Some(index) = self.rows.iter().position(|row| row.entry.ticket == ticket) else { return false };
        self.rows.remove(index);
        self.again();
        self.check_timer();
        true
    }

    /// Transactional messages go out again: what came behind one that is gone was not accepted, as it named that one.
    fn again(&mut self) {
        for row in &mut self.rows {
            row.sent &= !matches!(row.entry.delivery, Delivery::Transactional(_));
        }
    }

    /// The session is over: what was sent on it and not acknowledged is sent again on the next one
    /// ([MS-MQQB] 3.1.5.9, 3.1.6.1).
    pub fn disconnected(&mut self) {
        for row in &mut self.rows {
            row.sent = false;
        }
        self.resend = None;
    }

    /// Something was acknowledged: the schedule begins again.
    fn progress(&mut self) {
        self.schedule.reset();
        self.resend = None;
        self.check_timer();
    }

    /// The timer runs while a transactional message is on its way.
    fn check_timer(&mut self) {
        let waits = |row: &Row| row.sent && matches!(row.entry.delivery, Delivery::Transactional(_));
        if !self.rows.iter().any(waits) {
            self.resend = None;
        } else if self.resend.is_none() {
            self.resend = Some(self.clock.after(u64::from(self.schedule.interval()).saturating_mul(1000)));
        }
    }
}
