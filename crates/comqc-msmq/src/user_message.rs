//! Messages of queues as messages of the wire, and back ([MS-MQDMPR] 3.1.7.1.30 to 3.1.7.1.32).

use comqc_format::Sid;
use comqc_session::{
    AckFlags, DeliveryGuarantee, FormatName, MessageId, Properties, QueueMessage, Received, Sender,
    SenderIdType, Timestamp,
};
use msmq_packet::{
    AcknowledgmentFlags, DeliveryMode, INFINITE, MessageIdentifier, QueueName, SecurityHeader, UserFlags,
    UserMessage,
};
use uuid::Uuid;

/// SentTime: seconds since 1970.
pub(crate) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}

pub(crate) fn identifier(id: MessageId) -> MessageIdentifier {
    MessageIdentifier { queue_manager: id.lineage, ordinal: id.uniquifier }
}

fn message_id(id: MessageIdentifier) -> MessageId {
    MessageId { lineage: id.queue_manager, uniquifier: id.ordinal }
}

/// A message for the wire: all but its administration and response queue, and who has sent it.
pub(crate) fn user_message<'m>(
    id: MessageId,
    sent: Timestamp,
    destination: QueueName<'m>,
    properties: &'m Properties,
    body: &'m [u8],
) -> UserMessage<'m> {
    let mut message = UserMessage::new(identifier(id), seconds(sent), destination)
        .with_body(body)
        .with_body_type(properties.body_type)
        .with_extension(&properties.extension[..])
        .with_label(&properties.label)
        .with_priority(properties.priority)
        .with_time_to_reach_queue(properties.time_to_reach_queue.unwrap_or(INFINITE))
        .with_time_to_be_received(properties.time_to_be_received.unwrap_or(INFINITE))
        .with_journal(properties.negative_journaling, properties.positive_journaling)
        .with_class(properties.class)
        .with_correlation(identifier(properties.correlation))
        .with_application_tag(properties.application_tag);
    message.user.set_delivery_mode(DeliveryMode(properties.delivery.0));
    message.user.connector_type = (!properties.connector_type.is_nil()).then_some(properties.connector_type);
    message.properties.flags = AcknowledgmentFlags(properties.acknowledgements.0);
    message.properties.hash_algorithm = properties.hash_algorithm;
    message.properties.encryption_algorithm = properties.encryption_algorithm;
    message
}

/// A queue as it stands in a header; `None` where no header can tell it.
pub(crate) fn queue_name(name: &FormatName) -> Option<QueueName<'static>> {
    match name {
        FormatName::Direct(name) => Some(QueueName::direct(&name.to_string())),
        FormatName::Public(identifier) => Some(QueueName::Public { identifier: *identifier }),
        FormatName::Private { computer, number, journal: false } => {
            Some(QueueName::Private { queue_manager: *computer, identifier: *number })
        }
        _ => None,
    }
}

/// The format name of a queue that stood in the header of a message.
fn format_name(queue: &QueueName<'_>, message: &UserMessage<'_>) -> String {
    let private =
        |computer: Uuid, number: u32| FormatName::Private { computer, number, journal: false }.to_string();
    match queue {
        QueueName::Direct(name) => format!("DIRECT={}", name.to_text()),
        QueueName::Public { identifier } => FormatName::Public(*identifier).to_string(),
        QueueName::Private { queue_manager, identifier } => private(*queue_manager, *identifier),
        QueueName::PrivateOnSource { identifier } => private(message.user.source_queue_manager, *identifier),
        QueueName::PrivateOnDestination { identifier } => {
            private(message.user.queue_manager_address, *identifier)
        }
        QueueName::SameAsAdmin if message.user.admin_queue != QueueName::SameAsAdmin => {
            format_name(&message.user.admin_queue, message)
        }
        // Of a host that only the administration queue tells; and none.
        _ => String::new(),
    }
}

/// The message as receivers get it, which takes the body out of the other one. Nobody has proven who has sent it.
pub(crate) fn received(message: &mut UserMessage<'static>) -> Received {
    let body = std::mem::take(&mut message.properties.body);
    let (user, base, header) = (&message.user, &message.base, &message.properties);
    let for_ever = |seconds: u32| (seconds != INFINITE).then_some(seconds);
    let security = message.security.as_ref();
    let properties = Properties {
        extension: header.extension.clone(),
        label: header.label.before_nul().to_text_lossy(),
        priority: base.priority(),
        delivery: DeliveryGuarantee(user.delivery_mode().0),
        time_to_reach_queue: for_ever(base.time_to_reach_queue),
        time_to_be_received: for_ever(user.time_to_be_received),
        positive_journaling: user.flags.contains(UserFlags::POSITIVE_JOURNAL),
        negative_journaling: user.flags.contains(UserFlags::NEGATIVE_JOURNAL),
        class: header.message_class,
        body_type: header.body_type,
        application_tag: header.application_tag,
        correlation: message_id(header.correlation_id),
        acknowledgements: AckFlags(header.flags.0),
        administration_queue: format_name(&user.admin_queue, message),
        response_queue: format_name(&user.response_queue, message),
        sender_id_type: security.map_or(SenderIdType::NONE, SecurityHeader::sender_id_type),
        privacy: header.privacy_level,
        hash_algorithm: header.hash_algorithm,
        encryption_algorithm: header.encryption_algorithm,
        connector_type: user.connector_type.unwrap_or_default(),
        ..Properties::default()
    };
    let sid = security.and_then(SecurityHeader::sid).and_then(|sid| Sid::new(sid.to_vec()));
    Received {
        id: message_id(user.message_identifier()),
        message: QueueMessage { properties, body },
        sender: Sender { sid, authenticated: false, description: String::new() },
        sent: Timestamp(u64::from(user.sent_time).saturating_mul(1000)),
        round: 0,
        failures: 0,
        abandoned: 0,
    }
}
