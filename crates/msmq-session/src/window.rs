//! Sequence numbers of one session and what they acknowledge ([MS-MQQB] 3.1.1.4, 3.1.1.6.1).
//!
//! All numbers are 16 bits wide and go on with 0 after 65,535. Windows are far smaller than that, so a difference tells
//! which of two numbers is the later one.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use msmq_packet::SessionHeader;

use crate::Ticket;

/// Recoverable messages that one SessionHeader acknowledges: the bits of RecoverableMsgAckFlags.
pub(crate) const FLAGS: u16 = 32;

/// What is wrong with an acknowledgement of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongAck {
    /// It acknowledges what was never sent.
    NeverSent,
    /// The peer has sent another number of messages than came.
    Count,
}

/// A message that was sent on this session and waits for its acknowledgement.
#[derive(Debug, Clone, Copy)]
struct Sent {
    ticket: Ticket,
    /// SequenceNumber.
    number: u16,
    /// RecoverableSequenceNumber; `None` of an express message.
    recoverable: Option<u16>,
    /// The peer has it on disk.
    stored: bool,
}

/// Messages that go out.
#[derive(Debug, Default)]
pub(crate) struct SendWindow {
    /// MessageSentCount.
    pub(crate) sent: u16,
    /// RecoverableMessageSentCount.
    pub(crate) recoverable_sent: u16,
    /// AckSequenceNumber that the peer has told last.
    received: u16,
    /// OutgoingMessageTable, as far as it was sent on this session.
    table: VecDeque<Sent>,
}

impl SendWindow {
    /// UnAckedMessageCount: messages that were sent and not acknowledged as received.
    pub(crate) const fn unacknowledged(&self) -> u16 {
        self.sent.wrapping_sub(self.received)
    }

    /// Messages that were sent and not acknowledged: express ones as received, others as stored.
    pub(crate) fn waiting(&self) -> usize {
        self.table.len()
    }

    /// The next message goes out.
    pub(crate) fn send(&mut self, ticket: Ticket, recoverable: bool) {
        self.sent = self.sent.wrapping_add(1);
        if recoverable {
            self.recoverable_sent = self.recoverable_sent.wrapping_add(1);
        }
        let number = recoverable.then_some(self.recoverable_sent);
        self.table.push_back(Sent { ticket, number: self.sent, recoverable: number, stored: false });
    }

    /// The peer has acknowledged; these messages are done ([MS-MQQB] 3.1.5.5.1 to 3.1.5.5.3).
    pub(crate) fn acknowledged(&mut self, header: &SessionHeader) -> Result<Vec<Ticket>, WrongAck> {
        let newly = header.ack_sequence_number.wrapping_sub(self.received);
        if newly > self.unacknowledged() {
            return Err(WrongAck::NeverSent);
        }
        let (base, flags) = (header.recoverable_ack_sequence_number, header.recoverable_ack_flags);
        // How far a recoverable message lies behind the one that was sent last.
        let last = self.recoverable_sent;
        let behind = |number: u16| last.wrapping_sub(number);
        if flags != 0 {
            let highest = u16::try_from(31_u32.saturating_sub(flags.leading_zeros())).unwrap_or(0);
            // Numbers before the table are old acknowledgements, numbers behind it were never sent.
            if behind(base.wrapping_add(highest)) > 0x7FFF {
                return Err(WrongAck::NeverSent);
            }
        }
        self.received = header.ack_sequence_number;
        if flags != 0 {
            for sent in &mut self.table {
                let Some(number) = sent.recoverable else { continue };
                // Everything below the number is acknowledged, from there on the flags tell.
                let offset = number.wrapping_sub(base);
                let below = behind(number) > behind(base);
                sent.stored |= below || (offset < FLAGS && flags.wrapping_shr(offset.into()) & 1 == 1);
            }
        }
        let (sent, unacknowledged) = (self.sent, self.unacknowledged());
        let received = |number: u16| sent.wrapping_sub(number) >= unacknowledged;
        let mut done = Vec::new();
        self.table.retain(|entry| {
            let keep = match entry.recoverable {
                Some(_) => !entry.stored,
                None => !received(entry.number),
            };
            if !keep {
                done.push(entry.ticket);
            }
            keep
        });
        Ok(done)
    }
}

/// A message that came in and was not acknowledged yet.
#[derive(Debug, Clone, Copy)]
struct Came {
    handle: u64,
    recoverable: bool,
    size: usize,
    settled: bool,
}

/// Messages that come in.
///
/// Only what is settled is acknowledged, and only when everything before it is, too: a sender takes all below
/// RecoverableMsgAckSeqNumber for stored.
#[derive(Debug, Default)]
pub(crate) struct ReceiveWindow {
    /// MessageReceivedCount.
    received: u16,
    /// RecoverableMessageReceivedCount.
    recoverable_received: u16,
    /// Messages from the oldest that is not settled on.
    open: VecDeque<Came>,
    /// Settled without a gap.
    settled: u16,
    recoverable_settled: u16,
    /// Acknowledged.
    acknowledged: u16,
    recoverable_acknowledged: u16,
    handles: u64,
    /// Bytes of the messages that are not settled.
    unsettled: usize,
}

impl ReceiveWindow {
    /// Messages that are kept in mind, and bytes of those that are not settled.
    pub(crate) fn unsettled(&self) -> (usize, usize) {
        (self.open.len(), self.unsettled)
    }

    /// A message came ([MS-MQQB] 3.1.5.8.2).
    pub(crate) fn came(&mut self, recoverable: bool, size: usize) -> u64 {
        self.received = self.received.wrapping_add(1);
        if recoverable {
            self.recoverable_received = self.recoverable_received.wrapping_add(1);
        }
        self.handles = self.handles.saturating_add(1);
        let handle = self.handles;
        self.open.push_back(Came { handle, recoverable, size, settled: false });
        self.unsettled = self.unsettled.saturating_add(size);
        handle
    }

    /// Whether the peer counts as many messages as came ([MS-MQQB] 3.1.5.5.5).
    pub(crate) const fn check(&self, header: &SessionHeader) -> Result<(), WrongAck> {
        if header.user_sequence_number == self.received
            && header.recoverable_sequence_number == self.recoverable_received
        {
            Ok(())
        } else {
            Err(WrongAck::Count)
        }
    }

    /// A message is settled. Whether there was such a message.
    pub(crate) fn settle(&mut self, handle: u64) -> bool {
        let Some(came) = self.open.iter_mut().find(|came| came.handle == handle && !came.settled) else {
            return false;
        };
        came.settled = true;
        self.unsettled = self.unsettled.saturating_sub(came.size);
        while let Some(first) = self.open.front().copied().filter(|first| first.settled) {
            self.open.pop_front();
            self.settled = self.settled.wrapping_add(1);
            if first.recoverable {
                self.recoverable_settled = self.recoverable_settled.wrapping_add(1);
            }
        }
        true
    }

    /// UnackedReceivedMsgCount, of messages that could be acknowledged: all of them, recoverable ones.
    pub(crate) const fn unacknowledged(&self) -> (u16, u16) {
        (
            self.settled.wrapping_sub(self.acknowledged),
            self.recoverable_settled.wrapping_sub(self.recoverable_acknowledged),
        )
    }

    /// Acknowledges what can be: AckSequenceNumber, RecoverableMsgAckSeqNumber, RecoverableMsgAckFlags
    /// ([MS-MQQB] 3.1.6.4).
    pub(crate) fn acknowledge(&mut self) -> (u16, u16, u32) {
        let (_, recoverable) = self.unacknowledged();
        self.acknowledged = self.settled;
        if recoverable == 0 {
            return (self.acknowledged, 0, 0);
        }
        let number = recoverable.min(FLAGS);
        let first = self.recoverable_acknowledged.wrapping_add(1);
        self.recoverable_acknowledged = self.recoverable_acknowledged.wrapping_add(number);
        (self.acknowledged, first, u32::MAX.wrapping_shr(u32::from(FLAGS.saturating_sub(number))))
    }
}
