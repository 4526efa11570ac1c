//! Messages of an outbox for the wire, and what has come as receivers get it.

use std::net::IpAddr;

use comqc_session::{DirectName, FormatName, MessageId, QueueMessage, Received, Timestamp};
use msmq_packet::{QueueName, TransactionHeader, UserMessage};
use msmq_session::Place;
use remassist_core::Encode as _;
use uuid::Uuid;

use crate::QueueError;
use crate::sqlite::Outgoing;
use crate::user_message::{queue_name, received, user_message};

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
    let Received { message, sent, .. } = &outgoing.received;
    wire(outgoing.id, outgoing.place, previous, message, *sent, destination)
}

/// Whether a message can go to a destination.
///
/// # Errors
/// [`QueueError::Unsendable`] where the wire cannot carry it.
pub(super) fn check(message: &QueueMessage, destination: &DirectName) -> Result<(), QueueError> {
    let place = Place { id: msmq_packet::TxSequenceId(1), number: 1 };
    let wire = wire(MessageId::NIL, Some(place), 0, message, Timestamp::default(), destination)?;
    wire.check().map_err(|error| QueueError::Unsendable(error.to_string()))
}

fn wire<'m>(
    id: MessageId,
    place: Option<Place>,
    previous: u32,
    message: &'m QueueMessage,
    sent: Timestamp,
    destination: &DirectName,
) -> Result<UserMessage<'m>, QueueError> {
    let QueueMessage { properties, body } = message;
    let to = QueueName::direct(&destination.to_string());
    let mut message = user_message(id, sent, to, properties, body);
    message.user.admin_queue = named(&properties.administration_queue)?;
    message.user.response_queue = named(&properties.response_queue)?;
    Ok(match place {
        Some(place) => message.in_transaction(TransactionHeader::single(place.id, place.number, previous)),
        None => message,
    })
}

/// A format name as it stands in a header.
fn named(name: &str) -> Result<QueueName<'static>, QueueError> {
    if name.is_empty() {
        return Ok(QueueName::None);
    }
    let wrong = |why: String| QueueError::Unsendable(format!("{name:?} in its properties: {why}"));
    let format: FormatName =
        name.parse().map_err(|error: comqc_session::NameError| wrong(error.to_string()))?;
    queue_name(&format).ok_or_else(|| wrong("no queue that can be told".into()))
}

/// The message as receivers get it, which takes the body out of the other one.
pub(super) fn from_wire(message: &mut UserMessage<'static>, peer: Uuid, address: IpAddr) -> Received {
    let mut received = received(message);
    received.sender.description = format!("{} at {address}", peer.braced());
    received
}
