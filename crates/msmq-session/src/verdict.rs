//! What becomes of a message that came ([MS-MQQB] 3.1.5.8).

use msmq_packet::{
    Acknowledgment, AcknowledgmentFlags, FinalAck, MessageClass, PrivacyLevel, SecurityFlags,
    TransactionFlags, UserFlags, UserMessage,
};
use uuid::Uuid;

use crate::{Expiry, IncomingSequence, Order, Place};

/// How long the identifiers of messages that are not transactional are remembered, in seconds since they were seen last: 30
/// minutes ([MS-MQQB] 3.1.2.8, note 47).
pub const HISTORY_SECONDS: u32 = 1_800;

/// Room for one more message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// There is.
    #[default]
    Enough,
    /// The queue is full: the message is rejected ([MS-MQQB] 3.1.5.8.8, rStatus 1).
    QueueFull,
    /// There is none now, in the queue or in all: the session ends and the message comes again
    /// ([MS-MQQB] 3.1.5.8.8, rStatus 2).
    Later,
}

/// The queue that a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// It takes transactional messages, and no others.
    pub transactional: bool,
    /// It takes messages with a verified signature alone. None is verified here, so it takes none.
    pub authenticated: bool,
    /// The sender may write to it.
    pub writable: bool,
    /// Room in it.
    pub room: Room,
}

/// What the caller knows, read in the transaction that will hold the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// QueueManager.Identifier of this side.
    pub own: Uuid,
    /// The time of day, in seconds since 1970.
    pub unix: u32,
    /// Seconds that the clocks of sender and receiver may differ; 0 in [MS-MQQB].
    pub clock_skew: u32,
    /// The queue; `None` when there is no such queue.
    pub target: Option<Target>,
    /// What came for the queue from the SourceQueueManager of the message.
    pub sequence: IncomingSequence,
    /// The identifier of the message is remembered (MessageIDHistoryTable). Asked of messages that are not transactional.
    pub known: bool,
    /// SendInsecureNacks: administration queues are also told what a stranger could learn from
    /// ([MS-MQQB] 3.1.7.15, 5.1).
    pub insecure_nacks: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It goes into its queue.
    Deliver,
    /// It was there before: nothing happens.
    Duplicate,
    /// One before it is missing: nothing happens, it will come again.
    OutOfOrder,
    /// It is disregarded for this reason, one of MQMSG_CLASS_NACK.
    Reject(MessageClass),
    /// An OrderAck or FinalAck: to be given to [`Outgoing`](crate::Outgoing).
    Acknowledges(Acknowledgment),
    /// It cannot be taken now: [`Session::refuse`](crate::Session::refuse), and nothing is stored.
    Later,
}

/// What the session is told of a message that is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Sends an OrderAck for this place soon.
    pub order_ack: Option<Place>,
    /// Sends this FinalAck.
    pub final_ack: Option<FinalAck>,
}

/// What to do with a message, in one transaction; then [`Session::settle`](crate::Session::settle).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a verdict that nobody carries out loses the message"]
pub struct Verdict {
    /// What becomes of it.
    pub decision: Decision,
    /// The new state of queue and SourceQueueManager; `None` when it stays.
    pub sequence: Option<IncomingSequence>,
    /// Its identifier is to be remembered from now on.
    pub remember: bool,
    /// Its administration queue is told this: see [`administration_ack`](crate::administration_ack).
    pub administration: Option<MessageClass>,
    /// A copy goes to the dead-letter queue of this side ([MS-MQQB] 3.1.5.8.8).
    pub dead_letter: bool,
    /// What the session is told.
    pub settlement: Settlement,
}

impl Verdict {
    const fn of(decision: Decision) -> Self {
        let settlement = Settlement { order_ack: None, final_ack: None };
        Self {
            decision,
            sequence: None,
            remember: false,
            administration: None,
            dead_letter: false,
            settlement,
        }
    }
}

/// Judges a message that came, by the checks of [MS-MQQB] 3.1.5.8 in their order. Pure: the caller reads the facts and
/// carries the verdict out in one transaction.
///
/// An all-zero QueueManagerAddress is this side everywhere; messages for other queue managers are not passed on but
/// rejected. A transactional message that was accepted before is a duplicate whatever else is wrong with it by now.
pub fn judge(message: &UserMessage<'_>, facts: &Facts) -> Verdict {
    if let Some(ack) = message.acknowledgment() {
        // Its own sender's business, and harmless when it comes twice.
        return Verdict::of(Decision::Acknowledges(ack));
    }
    if message.transaction.is_none() && facts.known {
        return Verdict { remember: true, ..Verdict::of(Decision::Duplicate) };
    }
    let verdict = check(message, facts);
    Verdict { remember: message.transaction.is_none() && verdict.decision != Decision::Later, ..verdict }
}

fn check(message: &UserMessage<'_>, facts: &Facts) -> Verdict {
    let address = message.user.queue_manager_address;
    let here = address.is_nil() || address == facts.own;
    let Some(target) = facts.target.filter(|_| here) else {
        return reject(message, facts, MessageClass::NACK_BAD_DST_Q);
    };
    match (message.transaction.is_some(), target.transactional) {
        (true, false) => return reject(message, facts, MessageClass::NACK_NOT_TRANSACTIONAL_Q),
        (false, true) => return reject(message, facts, MessageClass::NACK_NOT_TRANSACTIONAL_MSG),
        _ => {}
    }
    let order = message.transaction.as_ref().map(|header| facts.sequence.judge(header));
    if order == Some(Order::Duplicate) {
        return not_accepted(facts, Decision::Duplicate);
    }
    if let Some(class) = refused(message, &target) {
        return reject(message, facts, class);
    }
    let over = Expiry::of(message).with_skew(facts.clock_skew).over(facts.unix);
    if over == Some(MessageClass::NACK_REACH_QUEUE_TIMEOUT) {
        if order.is_some() {
            // Not acknowledged, so its sender has it, and judges by its own clock when that is over.
            return Verdict::of(Decision::Reject(MessageClass::NACK_REACH_QUEUE_TIMEOUT));
        }
        return reject(message, facts, MessageClass::NACK_REACH_QUEUE_TIMEOUT);
    }
    if order == Some(Order::Gap) {
        return not_accepted(facts, Decision::OutOfOrder);
    }
    match target.room {
        Room::Enough => {}
        Room::Later => return Verdict::of(Decision::Later),
        Room::QueueFull => {
            let dead_letter =
                message.transaction.is_none() && message.user.flags.contains(UserFlags::NEGATIVE_JOURNAL);
            return Verdict { dead_letter, ..reject(message, facts, MessageClass::NACK_Q_EXCEED_QUOTA) };
        }
    }
    let mut verdict = Verdict::of(Decision::Deliver);
    if let Some(header) = &message.transaction {
        verdict.sequence = Some(IncomingSequence::accepted(header));
        verdict.settlement.order_ack = Some(Place::of(header));
    }
    if let Some(class) = over {
        // It has reached its queue, and its time there is over.
        let removed = removed(message, class);
        verdict.decision = Decision::Reject(class);
        verdict.administration = removed.administration;
        verdict.settlement.final_ack = removed.final_ack;
    } else if message.properties.flags.contains(AcknowledgmentFlags::POSITIVE_ARRIVAL) && has_admin(message) {
        verdict.administration = Some(MessageClass::ACK_REACH_QUEUE);
    }
    verdict
}

/// 3.1.5.8.3, with neither signatures that are verified nor bodies that are decrypted.
fn refused(message: &UserMessage<'_>, target: &Target) -> Option<MessageClass> {
    let encrypted = message.security.as_ref().is_some_and(|s| s.flags.contains(SecurityFlags::ENCRYPTED));
    if target.authenticated {
        Some(MessageClass::NACK_BAD_SIGNATURE)
    } else if encrypted || message.properties.privacy_level != PrivacyLevel::NONE {
        Some(MessageClass::NACK_BAD_ENCRYPTION)
    } else if !target.writable {
        Some(MessageClass::NACK_ACCESS_DENIED)
    } else {
        None
    }
}

/// A transactional message that is not the next one: the sender is told which was accepted last.
fn not_accepted(facts: &Facts, decision: Decision) -> Verdict {
    let mut verdict = Verdict::of(decision);
    verdict.sequence = Some(facts.sequence.not_accepted());
    verdict.settlement.order_ack = facts.sequence.last;
    verdict
}

fn reject(message: &UserMessage<'_>, facts: &Facts, class: MessageClass) -> Verdict {
    let mut verdict = Verdict::of(Decision::Reject(class));
    let insecure = matches!(
        class,
        MessageClass::NACK_BAD_DST_Q
            | MessageClass::NACK_BAD_ENCRYPTION
            | MessageClass::NACK_BAD_SIGNATURE
            | MessageClass::NACK_ACCESS_DENIED
            | MessageClass::NACK_UNSUPPORTED_CRYPTO_PROVIDER
    );
    let asked =
        message.properties.flags.contains(AcknowledgmentFlags::NEGATIVE_ARRIVAL) && has_admin(message);
    verdict.administration = (asked && (facts.insecure_nacks || !insecure)).then_some(class);
    verdict.settlement.final_ack = FinalAck::of(message, class);
    verdict
}

fn has_admin(message: &UserMessage<'_>) -> bool {
    !message.user.admin_queue.is_none()
}

/// What is to be said when a message leaves its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removal {
    /// Its administration queue is told this.
    pub administration: Option<MessageClass>,
    /// A FinalAck for its sender.
    pub final_ack: Option<FinalAck>,
}

/// What is to be said when a message leaves its queue ([MS-MQQB] 3.1.7.2): `class` is MQMSG_CLASS_ACK_RECEIVE when an
/// application has taken it, otherwise one of MQMSG_CLASS_NACK_Q_DELETED, _Q_PURGED, _RECEIVE_TIMEOUT and
/// _RECEIVE_REJECTED.
#[must_use]
pub fn removed(message: &UserMessage<'_>, class: MessageClass) -> Removal {
    let asked = match class {
        MessageClass::ACK_RECEIVE => AcknowledgmentFlags::POSITIVE_RECEIVE,
        _ => AcknowledgmentFlags::NEGATIVE_RECEIVE,
    };
    let journals = UserFlags(UserFlags::NEGATIVE_JOURNAL.0 | UserFlags::POSITIVE_JOURNAL.0);
    let wanted = message.user.flags.0 & journals.0 != 0
        || message.transaction.as_ref().is_some_and(|t| t.flags.contains(TransactionFlags::FINAL_ACK));
    Removal {
        administration: (has_admin(message) && message.properties.flags.contains(asked)).then_some(class),
        final_ack: if wanted { FinalAck::of(message, class) } else { None },
    }
}
