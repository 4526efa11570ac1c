//! Messages that tell what became of others ([MS-MQQB] 3.1.7.15, 3.1.7.17).

use msmq_packet::{
    Acknowledgment, MessageClass, MessageIdentifier, ORDER_QUEUE_ID, QueueName, SecurityFlags, UserMessage,
};
use uuid::Uuid;

/// The message that carries an OrderAck or FinalAck to the order queue of a peer: the one at this IP address where messages
/// came for direct format names, otherwise that of the queue manager `peer` ([MS-MQQB] 3.1.7.17).
///
/// `identifier` is a number of the own queue manager that no other message has, `sent_time` is Unix time in seconds.
#[must_use]
pub fn order_queue_ack(
    ack: &Acknowledgment,
    address: Option<&str>,
    peer: Uuid,
    identifier: MessageIdentifier,
    sent_time: u32,
) -> UserMessage<'static> {
    let queue = match address {
        Some(address) => QueueName::order_queue(address),
        None => QueueName::PrivateOnDestination { identifier: ORDER_QUEUE_ID },
    };
    let mut message = match ack {
        Acknowledgment::Order(ack) => ack.message(identifier, sent_time, queue),
        Acknowledgment::Final(ack) => ack.message(identifier, sent_time, queue),
    };
    if address.is_none() {
        message.user.queue_manager_address = peer;
    }
    message
}

/// The message that tells the administration queue of `message` what became of it; `None` where it names no queue, or one
/// that nobody finds without a directory.
///
/// It is on disk where `message` is; its CorrelationID is the identifier of `message`, its ResponseQueue the queue that
/// `message` was for. A negative one brings the body back. `identifier` is a number of the own queue manager that no other
/// message has, `sent_time` is Unix time in seconds.
///
/// It goes where its QueueManagerAddress says, or its direct name: over a session that is open to there, or a new one.
#[must_use]
pub fn administration_ack(
    message: &UserMessage<'_>,
    class: MessageClass,
    identifier: MessageIdentifier,
    sent_time: u32,
) -> Option<UserMessage<'static>> {
    let user = &message.user;
    let private = |identifier: u32| QueueName::PrivateOnDestination { identifier };
    let (address, destination) = match &user.admin_queue {
        QueueName::PrivateOnSource { identifier } => (user.source_queue_manager, private(*identifier)),
        QueueName::PrivateOnDestination { identifier } => (user.queue_manager_address, private(*identifier)),
        QueueName::Private { queue_manager, identifier } => (*queue_manager, private(*identifier)),
        QueueName::Direct(_) => (Uuid::nil(), user.admin_queue.clone().into_owned()),
        _ => return None,
    };
    let response = match &user.destination_queue {
        QueueName::PrivateOnDestination { identifier } => {
            QueueName::Private { queue_manager: user.queue_manager_address, identifier: *identifier }
        }
        other => other.clone().into_owned(),
    };
    let mut ack = UserMessage::new(identifier, sent_time, destination)
        .with_class(class)
        .with_correlation(user.message_identifier())
        .with_response_queue(response);
    ack.user.queue_manager_address = address;
    ack.user.set_delivery_mode(user.delivery_mode());
    let positive = matches!(class, MessageClass::ACK_REACH_QUEUE | MessageClass::ACK_RECEIVE);
    let encrypted = message.security.as_ref().is_some_and(|s| s.flags.contains(SecurityFlags::ENCRYPTED));
    if !positive && !encrypted {
        ack = ack
            .with_body(message.properties.body.clone().into_owned())
            .with_body_type(message.properties.body_type);
    }
    Some(ack)
}
