//! Messages as message packets ([MS-MQRR] 2.2.5).

use std::ops::Range;

use comqc_format::Sid;
use comqc_session::{
    AckFlags, DeliveryGuarantee, DirectName, EncryptionAlgorithm, FormatName, HashAlgorithm, MessageClass,
    MessageId, PrivacyLevel, Properties, QueueMessage, Received, Sender, SenderIdType, Timestamp,
};
use msmq_packet::{
    AcknowledgmentFlags, DeliveryMode, INFINITE, MessageIdentifier, MessagePacket, MessagePropertiesHeader,
    QueueName, SecurityHeader, UserFlags, UserMessage,
};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Limits};
use uuid::Uuid;

use crate::MAX_MESSAGE;

/// A message packet, and where its body is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The packet.
    pub bytes: Vec<u8>,
    /// The body.
    pub body: Range<usize>,
}

/// Why a message is no message packet, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PackError(String);

/// A message as a message packet, for one who reads it remotely. `destination` is the format name of its queue.
///
/// Of what a message has, tracing is not told, since it needs a report queue; a sender is told as a claim.
///
/// # Errors
/// For a message that is too large.
pub fn pack(received: &Received, destination: &FormatName) -> Result<Packed, PackError> {
    let packet = MessagePacket::new(user_message(received, destination), None);
    let bytes = packet.to_vec().map_err(|error| PackError(error.to_string()))?;
    // The body ends before what rounds its header up to 4; that, and the extension, is all that follows.
    let properties = &packet.message.properties;
    let rounding = [properties.body.len(), properties.label.as_bytes().len(), properties.extension.len()]
        .into_iter()
        .fold(0, usize::wrapping_add)
        .wrapping_neg()
        & 3;
    let behind = packet.extension.as_ref().map_or(0, |_| EXTENSION_LEN).saturating_add(rounding);
    let end = bytes.len().saturating_sub(behind);
    let body = end.saturating_sub(properties.body.len())..end;
    Ok(Packed { bytes, body })
}

/// ExtensionHeader, SubqueueHeader and ExtendedAddressHeader ([MS-MQRR] 2.2.5.2, 2.2.5.3, 2.2.5.5).
const EXTENSION_LEN: usize = 12 + 148 + 28;

/// A message packet as a message. What a sender claims of himself stays a claim. Of a message that came over HTTP the body is
/// that of its properties; headers of SRMP are not looked into.
///
/// # Errors
/// When it cannot be read.
pub fn unpack(packet: &[u8]) -> Result<Received, PackError> {
    let limits = Limits::DEFAULT.with_message(MAX_MESSAGE.saturating_add(4096)).with_string(MAX_MESSAGE);
    let options = DecodeOptions::TOLERANT.with_limits(limits);
    let packet =
        MessagePacket::decode_with(packet, &options).map_err(|error| PackError(error.to_string()))?.value;
    let source = packet.source();
    let mut received = received(packet.message);
    if let Some(source) = source {
        received.sender.description = source.to_string();
    }
    Ok(received)
}

/// Seconds of a time, for a header.
fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}

fn identifier(id: MessageId) -> MessageIdentifier {
    MessageIdentifier { queue_manager: id.lineage, ordinal: id.uniquifier }
}

fn message_id(id: MessageIdentifier) -> MessageId {
    MessageId { lineage: id.queue_manager, uniquifier: id.ordinal }
}

fn user_message<'a>(received: &'a Received, destination: &FormatName) -> UserMessage<'a> {
    let properties = &received.message.properties;
    let sent = seconds(received.sent);
    let mut message = UserMessage::new(identifier(received.id), sent, queue_name(destination))
        .with_body(&received.message.body[..])
        .with_body_type(properties.body_type)
        .with_extension(&properties.extension[..])
        .with_label(&properties.label)
        .with_priority(properties.priority)
        // [MS-MQRR] 2.2.5.1: the time when it ends, not how long it takes.
        .with_time_to_reach_queue(
            properties
                .time_to_reach_queue
                .map_or(INFINITE, |time| sent.checked_add(time).unwrap_or(INFINITE)),
        )
        .with_time_to_be_received(properties.time_to_be_received.unwrap_or(INFINITE))
        .with_journal(properties.negative_journaling, properties.positive_journaling);
    if properties.delivery == DeliveryGuarantee::RECOVERABLE {
        message = message.recoverable();
    }
    message.user.admin_queue = named(&properties.administration_queue);
    message.user.response_queue = named(&properties.response_queue);
    message.user.connector_type = (!properties.connector_type.is_nil()).then_some(properties.connector_type);
    message.properties = MessagePropertiesHeader {
        flags: AcknowledgmentFlags(properties.acknowledgements.0),
        message_class: msmq_packet::MessageClass(properties.class.0),
        correlation_id: identifier(properties.correlation),
        application_tag: properties.application_tag,
        privacy_level: msmq_packet::PrivacyLevel(properties.privacy.0),
        hash_algorithm: msmq_packet::HashAlgorithm(properties.hash_algorithm.0),
        encryption_algorithm: msmq_packet::EncryptionAlgorithm(properties.encryption_algorithm.0),
        ..message.properties
    };
    message.security = received.sender.sid.as_ref().map(|sid| SecurityHeader::of_sid(sid.as_bytes()));
    message
}

/// A format name as text, where it is one.
fn named(text: &str) -> QueueName<'static> {
    text.parse().as_ref().map(queue_name).unwrap_or_default()
}

fn queue_name(name: &FormatName) -> QueueName<'static> {
    match name {
        FormatName::Direct(direct) => QueueName::direct(&direct.to_string()),
        FormatName::Public(queue) => QueueName::Public { identifier: *queue },
        FormatName::Private { computer, number, .. } => {
            QueueName::Private { queue_manager: *computer, identifier: *number }
        }
        _ => QueueName::None,
    }
}

/// The format name of a queue that a header names; of the source, where it says so.
fn format_name(queue: &QueueName<'_>, source: Uuid) -> String {
    let private = |computer, number| FormatName::Private { computer, number, journal: false }.to_string();
    match queue {
        QueueName::Direct(name) => {
            let name = name.to_text();
            name.parse::<DirectName>()
                .map_or_else(|_| format!("DIRECT={name}"), |name| format!("DIRECT={name}"))
        }
        QueueName::Public { identifier } => FormatName::Public(*identifier).to_string(),
        QueueName::Private { queue_manager, identifier } => private(*queue_manager, *identifier),
        QueueName::PrivateOnSource { identifier } => private(source, *identifier),
        _ => String::new(),
    }
}

fn received(message: UserMessage<'_>) -> Received {
    let UserMessage { base, user, security, properties, .. } = message;
    let source = user.source_queue_manager;
    let administration_queue = format_name(&user.admin_queue, source);
    let response_queue = match &user.response_queue {
        QueueName::SameAsAdmin => administration_queue.clone(),
        queue => format_name(queue, source),
    };
    let sid = security.as_ref().and_then(SecurityHeader::sid).and_then(|sid| Sid::new(sid.to_vec()));
    let sender_id_type =
        security.as_ref().map_or(SenderIdType::NONE, |security| SenderIdType(security.sender_id_type().0));
    let finite = |time: u32| (time != INFINITE).then_some(time);
    Received {
        id: message_id(user.message_identifier()),
        message: QueueMessage {
            properties: Properties {
                extension: properties.extension.into_owned(),
                label: properties.label.to_text_lossy(),
                priority: base.priority(),
                delivery: if user.delivery_mode() == DeliveryMode::EXPRESS {
                    DeliveryGuarantee::EXPRESS
                } else {
                    DeliveryGuarantee::RECOVERABLE
                },
                time_to_reach_queue: finite(base.time_to_reach_queue)
                    .map(|end| end.saturating_sub(user.sent_time)),
                time_to_be_received: finite(user.time_to_be_received),
                positive_journaling: user.flags.contains(UserFlags::POSITIVE_JOURNAL),
                negative_journaling: user.flags.contains(UserFlags::NEGATIVE_JOURNAL),
                tracing: false,
                class: MessageClass(properties.message_class.0),
                body_type: properties.body_type,
                application_tag: properties.application_tag,
                correlation: message_id(properties.correlation_id),
                acknowledgements: AckFlags(properties.flags.0),
                administration_queue,
                response_queue,
                signature_level: comqc_session::SignatureLevel::NONE,
                sender_id_type,
                privacy: PrivacyLevel(properties.privacy_level.0),
                hash_algorithm: HashAlgorithm(properties.hash_algorithm.0),
                encryption_algorithm: EncryptionAlgorithm(properties.encryption_algorithm.0),
                connector_type: user.connector_type.unwrap_or_default(),
            },
            body: properties.body.into_owned(),
        },
        sender: Sender { sid, authenticated: false, description: String::new() },
        sent: Timestamp(u64::from(user.sent_time).saturating_mul(1000)),
        round: 0,
        failures: 0,
        abandoned: 0,
    }
}
