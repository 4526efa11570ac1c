//! Messages of queues as messages of the wire, and back ([MS-MQDMPR] 3.1.7.1.30 to 3.1.7.1.32).

use std::net::IpAddr;

use comqc_format::Sid;
use comqc_session::{
    AckFlags, DeliveryGuarantee, DirectName, EncryptionAlgorithm, FormatName, HashAlgorithm, MessageClass,
    MessageId, PrivacyLevel, Properties, QueueMessage, Received, Sender, SenderIdType, Timestamp,
};
use msmq_packet::{
    AcknowledgmentFlags, DeliveryMode, INFINITE, MessageIdentifier, MessagePropertiesHeader, QueueName,
    TransactionHeader, UserFlags, UserMessage,
};
use msmq_session::Place;
use remassist_core::Encode as _;
use uuid::Uuid;

use crate::QueueError;
use crate::sqlite::Outgoing;

/// SentTime: seconds since 1970.
pub(super) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}

pub(super) fn identifier(id: MessageId) -> MessageIdentifier {
    MessageIdentifier { queue_manager: id.lineage, ordinal: id.uniquifier }
}

/// The name of a class, or its number.
pub(super) fn class_name(class: msmq_packet::MessageClass) -> String {
    class.name().map_or_else(|| format!("class 0x{:04X}", class.0), str::to_owned)
}

/// The message for a destination. `previous` is the number before its own in its sequence.
///
/// # Errors
/// [`QueueError::Unsendable`] where the wire cannot carry it.
pub(super) fn to_wire<'m>(
    outgoing: &'m Outgoing,
    destination: &DirectName,
    previous: u32,
) -> Result<UserMessage<'m>, QueueError> {
    let Received { message: QueueMessage { properties, body }, sent, .. } = &outgoing.received;
    wire(outgoing.id, outgoing.place, previous, properties, &body[..], *sent, destination)
}

/// Whether a message can go to a destination.
///
/// # Errors
/// [`QueueError::Unsendable`] where the wire cannot carry it.
pub(super) fn check(message: &QueueMessage, destination: &DirectName) -> Result<(), QueueError> {
    let QueueMessage { properties, body } = message;
    let place = Place { id: msmq_packet::TxSequenceId(1), number: 1 };
    let wire =
        wire(MessageId::NIL, Some(place), 0, properties, &body[..], Timestamp::default(), destination)?;
    wire.check().map_err(|error| QueueError::Unsendable(error.to_string()))
}

fn wire<'m>(
    id: MessageId,
    place: Option<Place>,
    previous: u32,
    properties: &'m Properties,
    body: &'m [u8],
    sent: Timestamp,
    destination: &DirectName,
) -> Result<UserMessage<'m>, QueueError> {
    let to = QueueName::direct(&destination.to_string());
    let mut message = UserMessage::new(identifier(id), seconds(sent), to)
        .with_body(body)
        .with_body_type(properties.body_type)
        .with_extension(&properties.extension[..])
        .with_label(&properties.label)
        .with_priority(properties.priority)
        .with_time_to_reach_queue(properties.time_to_reach_queue.unwrap_or(INFINITE))
        .with_time_to_be_received(properties.time_to_be_received.unwrap_or(INFINITE))
        .with_admin_queue(
            queue(&properties.administration_queue)?,
            AcknowledgmentFlags(properties.acknowledgements.0),
        )
        .with_response_queue(queue(&properties.response_queue)?)
        .with_journal(properties.negative_journaling, properties.positive_journaling)
        .with_class(msmq_packet::MessageClass(properties.class.0))
        .with_correlation(identifier(properties.correlation))
        .with_application_tag(properties.application_tag);
    message.user.set_delivery_mode(DeliveryMode(properties.delivery.0));
    message.user.connector_type = (!properties.connector_type.is_nil()).then_some(properties.connector_type);
    message.properties.hash_algorithm = msmq_packet::HashAlgorithm(properties.hash_algorithm.0);
    message.properties.encryption_algorithm =
        msmq_packet::EncryptionAlgorithm(properties.encryption_algorithm.0);
    Ok(match place {
        Some(place) => message.in_transaction(TransactionHeader::single(place.id, place.number, previous)),
        None => message,
    })
}

/// A format name as it stands in a header.
fn queue(name: &str) -> Result<QueueName<'static>, QueueError> {
    if name.is_empty() {
        return Ok(QueueName::None);
    }
    let wrong = |why: String| QueueError::Unsendable(format!("{name:?} in its properties: {why}"));
    match name.parse().map_err(|error: comqc_session::NameError| wrong(error.to_string()))? {
        FormatName::Direct(name) => Ok(QueueName::direct(&name.to_string())),
        FormatName::Public(identifier) => Ok(QueueName::Public { identifier }),
        FormatName::Private { computer, number, journal: false } => {
            Ok(QueueName::Private { queue_manager: computer, identifier: number })
        }
        _ => Err(wrong("no queue that can be told".into())),
    }
}

/// A format name as it stood in the header of a message.
fn name(queue: &QueueName<'_>, message: &UserMessage<'_>) -> String {
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
        QueueName::SameAsAdmin => name(&message.user.admin_queue, message),
        // Of a host that only the administration queue tells; and none.
        _ => String::new(),
    }
}

/// The message as receivers get it, which takes the body out of the other one. Nobody has proven who has sent it.
pub(super) fn from_wire(message: &mut UserMessage<'static>, peer: Uuid, address: IpAddr) -> Received {
    let body = std::mem::take(&mut message.properties.body);
    let (user, base) = (&message.user, &message.base);
    let for_ever = |seconds: u32| (seconds != INFINITE).then_some(seconds);
    let MessagePropertiesHeader {
        flags,
        message_class,
        correlation_id,
        body_type,
        application_tag,
        privacy_level,
        hash_algorithm,
        encryption_algorithm,
        label,
        extension,
        ..
    } = &message.properties;
    let security = message.security.as_ref();
    let id = user.message_identifier();
    let properties = Properties {
        extension: extension.clone(),
        label: label.before_nul().to_text_lossy(),
        priority: base.priority(),
        delivery: DeliveryGuarantee(user.delivery_mode().0),
        time_to_reach_queue: for_ever(base.time_to_reach_queue),
        time_to_be_received: for_ever(user.time_to_be_received),
        positive_journaling: user.flags.contains(UserFlags::POSITIVE_JOURNAL),
        negative_journaling: user.flags.contains(UserFlags::NEGATIVE_JOURNAL),
        class: MessageClass(message_class.0),
        body_type: *body_type,
        application_tag: *application_tag,
        correlation: MessageId { lineage: correlation_id.queue_manager, uniquifier: correlation_id.ordinal },
        acknowledgements: AckFlags(flags.0),
        administration_queue: name(&user.admin_queue, message),
        response_queue: name(&user.response_queue, message),
        sender_id_type: security.map_or(SenderIdType::NONE, |s| SenderIdType(s.sender_id_type().0)),
        privacy: PrivacyLevel(privacy_level.0),
        hash_algorithm: HashAlgorithm(hash_algorithm.0),
        encryption_algorithm: EncryptionAlgorithm(encryption_algorithm.0),
        connector_type: user.connector_type.unwrap_or_default(),
        ..Properties::default()
    };
    let sid = security.and_then(|security| Sid::new(security.sid()?.to_vec()));
    Received {
        id: MessageId { lineage: id.queue_manager, uniquifier: id.ordinal },
        message: QueueMessage { properties, body },
        sender: Sender { sid, authenticated: false, description: format!("{} at {address}", peer.braced()) },
        sent: Timestamp(u64::from(user.sent_time).saturating_mul(1000)),
        round: 0,
        failures: 0,
        abandoned: 0,
    }
}
