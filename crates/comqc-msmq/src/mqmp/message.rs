//! Messages in transfer buffers ([MS-MQMP] 3.1.1.11).

use comqc_format::Sid;
use comqc_session::{
    AckFlags, DeliveryGuarantee, EncryptionAlgorithm, FormatName, HashAlgorithm, MessageClass, MessageId,
    PrivacyLevel, Properties, QueueMessage, Received, Sender, SenderIdType, SignatureLevel, Timestamp,
};
use remassist_core::{len_u32, usize_from};
use uuid::Uuid;

use super::buffer::{
    CacTransferBufferV1, CacTransferBufferV2, ReceiveArm, SendArm, Transfer, VaryingOctets, VaryingUnits,
};
use crate::rpc::{MqStatus, Octets, QueueFormat, XactUow};

/// For ever.
const INFINITE: u32 = u32::MAX;
/// pAuditing: MQMSG_DEADLETTER and MQMSG_JOURNAL.
const DEADLETTER: u8 = 1;
const JOURNAL: u8 = 2;
/// Characters of a label with its NUL.
pub(super) const LABEL: usize = 250;
/// Characters of a format name with its NUL.
const NAME: usize = 1024;
/// Bytes of a SID.
const SID: u16 = 68;

/// A transfer buffer that sends a message.
pub(super) fn to_send(message: &QueueMessage) -> CacTransferBufferV2 {
    let QueueMessage { properties, body } = message;
    let queue = |name: &str| name.parse::<FormatName>().ok().map(|name| QueueFormat::from(&name));
    let title: Vec<u16> = properties.label.encode_utf16().collect();
    let auditing = (if properties.negative_journaling { DEADLETTER } else { 0 })
        | if properties.positive_journaling { JOURNAL } else { 0 };
    let old = CacTransferBufferV1 {
        transfer: Transfer::Send(SendArm {
            admin_queue: queue(&properties.administration_queue),
            response_queue: queue(&properties.response_queue),
        }),
        class: Some(properties.class.0),
        correlation_id: Some(Some(properties.correlation.to_bytes().to_vec().into())),
        priority: Some(properties.priority),
        delivery: Some(properties.delivery.0),
        acknowledge: Some(properties.acknowledgements.0),
        auditing: Some(auditing),
        application_tag: Some(properties.application_tag),
        body_buffer_size: len_u32(body.len()),
        alloc_body_buffer: len_u32(body.len()),
        body: Some(Some(body.to_vec().into())),
        title_buffer_size: len_u32(title.len()),
        title: Some(Some(title.into())),
        absolute_time_to_queue: properties.time_to_reach_queue.unwrap_or(INFINITE),
        relative_time_to_live: properties.time_to_be_received.unwrap_or(INFINITE),
        trace: Some(u8::from(properties.tracing)),
        sender_id_type: Some(0),
        priv_level: Some(properties.privacy.0),
        hash_alg: Some(properties.hash_algorithm.0),
        encrypt_alg: Some(properties.encryption_algorithm.0),
        extension_buffer_size: len_u32(properties.extension.len()),
        extension: Some(Some(properties.extension.to_vec().into())),
        connector_type: (!properties.connector_type.is_nil()).then_some(Some(properties.connector_type)),
        body_type: Some(properties.body_type),
        ..CacTransferBufferV1::default()
    };
    CacTransferBufferV2 { old, ..CacTransferBufferV2::default() }
}

/// Text of characters up to a NUL.
fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// What stands behind two pointers.
fn inner<T>(value: Option<&Option<T>>) -> Option<&T> {
    value.and_then(Option::as_ref)
}

fn correlation(bytes: Option<&VaryingOctets>) -> MessageId {
    let bytes = bytes.and_then(|bytes| bytes.bytes.first_chunk().copied());
    bytes.map_or(MessageId::NIL, MessageId::from_bytes)
}

/// The message of a transfer buffer that sends one ([MS-MQMP] 3.1.5.2).
pub(super) fn sent(buffer: &CacTransferBufferV2) -> Result<QueueMessage, MqStatus> {
    let old = &buffer.old;
    let Transfer::Send(SendArm { admin_queue, response_queue }) = &old.transfer else {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    };
    if !buffer.sizes_agree() {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    }
    if old.uow.is_some_and(|uow| uow != XactUow::default()) {
        // Nobody can have enlisted it.
        return Err(MqStatus::MQ_ERROR_TRANSACTION_SEQUENCE);
    }
    if old.encrypted != 0 || old.signature_size != 0 || old.priv_level.is_some_and(|level| level != 0) {
        return Err(MqStatus::MQ_ERROR_COMPUTER_DOES_NOT_SUPPORT_ENCRYPTION);
    }
    let name = |queue: &Option<QueueFormat>| {
        let queue =
            queue.as_ref().map(|queue| queue.to_format_name().ok_or(MqStatus::MQ_ERROR_ILLEGAL_FORMATNAME));
        queue.transpose().map(|name| name.map(|name| name.to_string()).unwrap_or_default())
    };
    let auditing = old.auditing.unwrap_or_default();
    let (priority, delivery) = (old.priority.unwrap_or(3), old.delivery.unwrap_or_default());
    let correct = priority <= 7 && delivery <= 1 && auditing <= (DEADLETTER | JOURNAL);
    if !correct {
        return Err(MqStatus::MQ_ERROR_ILLEGAL_PROPERTY_VALUE);
    }
    let finite = |seconds: u32| (seconds != 0 && seconds != INFINITE).then_some(seconds);
    let label =
        inner(old.title.as_ref()).map(|title| title.units.iter().copied().take(LABEL).collect::<Vec<u16>>());
    let octets = |array: Option<&Option<VaryingOctets>>| {
        inner(array).map(|array| array.bytes.clone()).unwrap_or_default().into()
    };
    Ok(QueueMessage {
        properties: Properties {
            extension: octets(old.extension.as_ref()),
            label: label.map(|units| text(&units)).unwrap_or_default(),
            priority,
            delivery: DeliveryGuarantee(delivery),
            time_to_reach_queue: finite(old.absolute_time_to_queue),
            time_to_be_received: finite(old.relative_time_to_live),
            positive_journaling: auditing & JOURNAL != 0,
            negative_journaling: auditing & DEADLETTER != 0,
            tracing: old.trace.is_some_and(|trace| trace != 0),
            class: MessageClass(old.class.unwrap_or_default()),
            body_type: old.body_type.unwrap_or_default(),
            application_tag: old.application_tag.unwrap_or_default(),
            correlation: correlation(inner(old.correlation_id.as_ref())),
            acknowledgements: AckFlags(old.acknowledge.unwrap_or_default()),
            administration_queue: name(admin_queue)?,
            response_queue: name(response_queue)?,
            signature_level: SignatureLevel::NONE,
            sender_id_type: SenderIdType::NONE,
            privacy: PrivacyLevel::NONE,
            hash_algorithm: HashAlgorithm(old.hash_alg.unwrap_or_default()),
            encryption_algorithm: EncryptionAlgorithm(old.encrypt_alg.unwrap_or_default()),
            connector_type: inner(old.connector_type.as_ref()).copied().unwrap_or_default(),
        },
        body: octets(old.body.as_ref()),
    })
}

/// A transfer buffer with room for a message with so large a body and extension.
pub(super) fn to_receive(
    action: u32,
    cursor: u32,
    timeout: u32,
    body: u32,
    extension: u32,
) -> CacTransferBufferV2 {
    let name = || Some(Some(vec![0; NAME]));
    let room = |size: u32| Some(Some(VaryingOctets { room: size, bytes: vec![0; usize_from(size)] }));
    let arm = ReceiveArm {
        request_timeout: timeout,
        action,
        cursor,
        response_len: len_u32(NAME),
        response: name(),
        response_len_prop: Some(len_u32(NAME)),
        admin_len: len_u32(NAME),
        admin: name(),
        admin_len_prop: Some(len_u32(NAME)),
        ..ReceiveArm::default()
    };
    let old = CacTransferBufferV1 {
        transfer: Transfer::Receive(arm),
        class: Some(0),
        message_id: Some(Some(MessageId::NIL.into())),
        correlation_id: room(20),
        sent_time: Some(0),
        arrived_time: Some(0),
        priority: Some(0),
        delivery: Some(0),
        acknowledge: Some(0),
        auditing: Some(0),
        application_tag: Some(0),
        body: room(body),
        body_buffer_size: body,
        alloc_body_buffer: body,
        body_size: Some(0),
        title: Some(Some(vec![0; LABEL].into())),
        title_buffer_size: len_u32(LABEL),
        title_size: Some(len_u32(LABEL)),
        relative_time_to_queue: Some(0),
        time_to_live: Some(0),
        trace: Some(0),
        sender_id_type: Some(0),
        sender_id: Some(Some(Octets(vec![0; usize::from(SID)]))),
        sender_id_len: SID,
        sender_id_len_prop: Some(0),
        priv_level: Some(0),
        hash_alg: Some(0),
        encrypt_alg: Some(0),
        source_qm: Some(Some(Uuid::nil())),
        extension: room(extension),
        extension_buffer_size: extension,
        extension_size: Some(0),
        connector_type: Some(Some(Uuid::nil())),
        body_type: Some(0),
        ..CacTransferBufferV1::default()
    };
    CacTransferBufferV2 { old, ..CacTransferBufferV2::default() }
}

/// A buffer that only asks how large body and extension are.
pub(super) fn to_measure(action: u32, cursor: u32, timeout: u32) -> CacTransferBufferV2 {
    let arm = ReceiveArm { request_timeout: timeout, action, cursor, ..ReceiveArm::default() };
    let old = CacTransferBufferV1 {
        transfer: Transfer::Receive(arm),
        body_size: Some(0),
        extension_size: Some(0),
        ..CacTransferBufferV1::default()
    };
    CacTransferBufferV2 { old, ..CacTransferBufferV2::default() }
}

/// Puts a value where a pointer leads.
fn put<T>(place: &mut Option<T>, value: T) {
    if let Some(place) = place {
        *place = value;
    }
}

/// Puts text with its NUL into an array of so many characters; the size that is told then, or nothing where it does not fit.
fn put_units(
    array: &mut Option<Option<Vec<u16>>>,
    len: &mut u32,
    told: &mut Option<u32>,
    value: &str,
) -> bool {
    let Some(Some(units)) = array else { return true };
    let mut whole: Vec<u16> = value.encode_utf16().collect();
    whole.push(0);
    let room = told.unwrap_or(*len).min(*len);
    put(told, len_u32(whole.len()));
    if usize_from(room) < whole.len() {
        return false;
    }
    *len = len_u32(whole.len());
    *units = whole;
    true
}

/// Puts bytes into an array that keeps its size.
fn put_octets(array: &mut Option<Option<VaryingOctets>>, value: &[u8]) -> bool {
    let Some(Some(array)) = array else { return true };
    let room = array.bytes.len();
    if value.len() > room {
        return false;
    }
    array.bytes = value.to_vec();
    array.bytes.resize(room, 0);
    true
}

/// Fills in what a receiver has asked for ([MS-MQMP] 3.1.5.3). Nothing that he has room for is left out.
pub(super) fn fill(
    buffer: &mut CacTransferBufferV2,
    received: &Received,
    destination: &FormatName,
) -> Result<(), MqStatus> {
    let old = &mut buffer.old;
    let Received { id, message: QueueMessage { properties, body }, sender, sent, .. } = received;
    let Transfer::Receive(arm) = &mut old.transfer else { return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER) };
    put(&mut old.body_size, len_u32(body.len()));
    put(&mut old.extension_size, len_u32(properties.extension.len()));
    let names = [
        put_units(
            &mut arm.response,
            &mut arm.response_len,
            &mut arm.response_len_prop,
            &properties.response_queue,
        ),
        put_units(
            &mut arm.admin,
            &mut arm.admin_len,
            &mut arm.admin_len_prop,
            &properties.administration_queue,
        ),
        put_units(&mut arm.dest, &mut arm.dest_len, &mut arm.dest_len_prop, &destination.to_string()),
        put_units(&mut arm.ordering, &mut arm.ordering_len, &mut arm.ordering_len_prop, ""),
    ];
    if names.contains(&false) {
        return Err(MqStatus::MQ_ERROR_FORMATNAME_BUFFER_TOO_SMALL);
    }
    if !put_octets(&mut old.body, body) || !put_octets(&mut old.extension, &properties.extension) {
        return Err(MqStatus::MQ_ERROR_BUFFER_OVERFLOW);
    }
    let mut title = inner(old.title.as_ref()).map(|title| Some(title.units.clone()));
    if !put_units(&mut title, &mut old.title_buffer_size, &mut old.title_size, &properties.label) {
        return Err(MqStatus::MQ_ERROR_LABEL_BUFFER_TOO_SMALL);
    }
    if let Some(title) = title.flatten() {
        old.title = Some(Some(VaryingUnits::from(title)));
    }
    let sid = sender.sid.as_ref().map(Sid::as_bytes).unwrap_or_default();
    put(&mut old.sender_id_len_prop, len_u32(sid.len()));
    if let Some(Some(room)) = &mut old.sender_id {
        if sid.len() > room.0.len() {
            return Err(MqStatus::MQ_ERROR_SENDERID_BUFFER_TOO_SMALL);
        }
        let size = room.0.len();
        room.0 = sid.to_vec();
        room.0.resize(size, 0);
    }
    let seconds = u32::try_from(sent.0 / 1000).unwrap_or(u32::MAX);
    let auditing = (if properties.negative_journaling { DEADLETTER } else { 0 })
        | if properties.positive_journaling { JOURNAL } else { 0 };
    put(&mut old.class, properties.class.0);
    put(&mut old.message_id, Some((*id).into()));
    if let Some(Some(correlation)) = &mut old.correlation_id {
        correlation.bytes = properties.correlation.to_bytes().to_vec();
    }
    put(&mut old.sent_time, seconds);
    put(&mut old.arrived_time, seconds);
    put(&mut old.priority, properties.priority);
    put(&mut old.delivery, properties.delivery.0);
    put(&mut old.acknowledge, properties.acknowledgements.0);
    put(&mut old.auditing, auditing);
    put(&mut old.application_tag, properties.application_tag);
    put(&mut old.relative_time_to_queue, properties.time_to_reach_queue.unwrap_or(INFINITE));
    put(&mut old.time_to_live, properties.time_to_be_received.unwrap_or(INFINITE));
    put(&mut old.trace, u8::from(properties.tracing));
    put(&mut old.sender_id_type, u32::from(u8::from(!sid.is_empty())));
    put(&mut old.priv_level, properties.privacy.0);
    put(&mut old.authenticated, 0);
    put(&mut old.hash_alg, properties.hash_algorithm.0);
    put(&mut old.encrypt_alg, properties.encryption_algorithm.0);
    // No certificates, keys and signatures are kept.
    put(&mut old.sender_cert_len_prop, 0);
    put(&mut old.auth_prov_name_len_prop, 0);
    put(&mut old.prov_type, 0);
    put(&mut old.symm_keys_size_prop, 0);
    put(&mut old.signature_size_prop, 0);
    put(&mut old.source_qm, Some(id.lineage));
    put(&mut old.connector_type, Some(properties.connector_type));
    put(&mut old.body_type, properties.body_type);
    put(&mut old.version, VERSION);
    put(&mut buffer.first_in_xact, 0);
    put(&mut buffer.last_in_xact, 0);
    Ok(())
}

/// VersionNumber of a BaseHeader ([MS-MQMQ] 2.2.19.1).
const VERSION: u32 = 0x10;

/// How large body and extension of a message are, as the server has told.
pub(super) fn sizes(buffer: &CacTransferBufferV2) -> (u32, u32) {
    (buffer.old.body_size.unwrap_or_default(), buffer.old.extension_size.unwrap_or_default())
}

/// The message of a transfer buffer that was filled; `None` where a property is missing or its array is too small.
#[must_use]
pub fn read_received(buffer: &CacTransferBufferV2) -> Option<Received> {
    let old = &buffer.old;
    let Transfer::Receive(arm) = &old.transfer else { return None };
    let (body_size, extension_size) = sizes(buffer);
    let octets = |array: Option<&Option<VaryingOctets>>, size: u32| {
        inner(array)?.bytes.get(..usize_from(size)).map(|bytes| bytes.to_vec().into())
    };
    let name =
        |units: &Option<Option<Vec<u16>>>| inner(units.as_ref()).map(|units| text(units)).unwrap_or_default();
    let sid = inner(old.sender_id.as_ref()).and_then(|sid| {
        let len = usize_from(old.sender_id_len_prop.unwrap_or_default());
        Sid::new(sid.0.get(..len).filter(|sid| !sid.is_empty())?.to_vec())
    });
    let finite = |seconds: u32| (seconds != INFINITE).then_some(seconds);
    let auditing = old.auditing?;
    Some(Received {
        id: inner(old.message_id.as_ref())?.clone().into(),
        message: QueueMessage {
            properties: Properties {
                extension: octets(old.extension.as_ref(), extension_size)?,
                label: inner(old.title.as_ref()).map(|title| text(&title.units)).unwrap_or_default(),
                priority: old.priority?,
                delivery: DeliveryGuarantee(old.delivery?),
                time_to_reach_queue: finite(old.relative_time_to_queue?),
                time_to_be_received: finite(old.time_to_live?),
                positive_journaling: auditing & JOURNAL != 0,
                negative_journaling: auditing & DEADLETTER != 0,
                tracing: old.trace.is_some_and(|trace| trace != 0),
                class: MessageClass(old.class?),
                body_type: old.body_type?,
                application_tag: old.application_tag?,
                correlation: correlation(inner(old.correlation_id.as_ref())),
                acknowledgements: AckFlags(old.acknowledge?),
                administration_queue: name(&arm.admin),
                response_queue: name(&arm.response),
                signature_level: SignatureLevel::NONE,
                sender_id_type: SenderIdType(old.sender_id_type.and_then(|kind| kind.try_into().ok())?),
                privacy: PrivacyLevel(old.priv_level?),
                hash_algorithm: HashAlgorithm(old.hash_alg?),
                encryption_algorithm: EncryptionAlgorithm(old.encrypt_alg?),
                connector_type: inner(old.connector_type.as_ref()).copied().unwrap_or_default(),
            },
            body: octets(old.body.as_ref(), body_size)?,
        },
        sender: Sender { sid, authenticated: false, description: String::new() },
        sent: Timestamp(u64::from(old.sent_time?).saturating_mul(1000)),
        round: 0,
        failures: 0,
        abandoned: 0,
    })
}
