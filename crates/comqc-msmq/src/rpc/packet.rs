//! Messages as message packets ([MS-MQRR] 2.2.5).

use std::ops::Range;

use comqc_session::{FormatName, QueueMessage, Received};
use msmq_packet::{INFINITE, MessagePacket, SecurityHeader, UserMessage};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Limits};

use crate::MAX_MESSAGE;
use crate::user_message::{queue_name, received, seconds, user_message};

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
    let packet = MessagePacket::new(message(received, destination), None);
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
    let sent = packet.message.user.sent_time;
    let mut received = received(&mut packet.message.into_owned());
    let end = &mut received.message.properties.time_to_reach_queue;
    *end = end.map(|end| end.saturating_sub(sent));
    if let Some(source) = source {
        received.sender.description = source.to_string();
    }
    Ok(received)
}

fn message<'a>(received: &'a Received, destination: &FormatName) -> UserMessage<'a> {
    let Received { id, message: QueueMessage { properties, body }, sender, sent, .. } = received;
    let named = |text: &str| text.parse().ok().as_ref().and_then(queue_name).unwrap_or_default();
    let to = queue_name(destination).unwrap_or_default();
    let mut message = user_message(*id, *sent, to, properties, body);
    // [MS-MQRR] 2.2.5.1: the time when it ends, not how long it takes.
    if let Some(time) = properties.time_to_reach_queue {
        message.base.time_to_reach_queue = seconds(*sent).checked_add(time).unwrap_or(INFINITE);
    }
    message.user.admin_queue = named(&properties.administration_queue);
    message.user.response_queue = named(&properties.response_queue);
    message.properties.privacy_level = properties.privacy;
    message.security = sender.sid.as_ref().map(|sid| SecurityHeader::of_sid(sid.as_bytes()));
    message
}
