//! Acknowledgments of transactional messages: messages to the order queue.

use remassist_core::{
    At, Cursor, DecodeError, DecodeErrorKind, DecodeOptions, Decoded, Format, decode_using,
};

use crate::wire::{invalid, places};
use crate::{MessageClass, MessageIdentifier, QueueName, TransactionHeader, TxSequenceId, UserMessage};

places!("[MS-MQQB]", "2.2.4.1", "OrderAck Body":
    ORDER = "", ORDER_ID = "TxSequenceID", ORDER_NUMBER = "TxSequenceNumber",
    ORDER_PREVIOUS = "TxPreviousSequenceNumber", RESERVED = "Reserved");
places!("[MS-MQQB]", "2.2.5.1", "FinalAck Body":
    FINAL = "", FINAL_ID = "TxSequenceID", FINAL_NUMBER = "TxSequenceNumber",
    FINAL_PREVIOUS = "TxPreviousSequenceNumber", SOURCE = "SourceGUID and MessageID");

/// Bytes of the body of an OrderAck and of a FinalAck.
const BODY: usize = 36;
/// PrivateQueueIdentifier of the order queue.
pub const ORDER_QUEUE_ID: u32 = 4;
/// What a direct format name of the order queue ends with.
pub const ORDER_QUEUE: &str = "\\PRIVATE$\\order_queue$";
/// Label of an OrderAck and of a FinalAck.
pub const ORDER_LABEL: &str = "QM Ordering Ack";

/// Says that transactional messages up to this one arrived in order ([MS-MQQB] 2.2.4.1): the body of a message of class
/// [`MessageClass::ORDER_ACK`] to the order queue, 36 bytes: TxSequenceID u64, TxSequenceNumber u32,
/// TxPreviousSequenceNumber u32, Reserved (20 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderAck {
    /// TxSequenceID of the message acknowledged (erratum Q5).
    pub sequence_id: TxSequenceId,
    /// TxSequenceNumber of the message acknowledged.
    pub sequence_number: u32,
    /// TxPreviousSequenceNumber: one less (erratum Q12).
    pub previous_sequence_number: u32,
    /// Reserved: 0, ignored when read.
    pub reserved: [u8; 20],
}

/// Says what became of a transactional message ([MS-MQQB] 2.2.5.1): the body of a message of the class given to the
/// order queue, 36 bytes: TxSequenceID u64, TxSequenceNumber u32, TxPreviousSequenceNumber u32, SourceGUID, MessageID
/// u32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FinalAck {
    /// Of the message that carries it: [`MessageClass::ACK_RECEIVE`] or a reason why not.
    pub class: MessageClass,
    /// TxSequenceID of the message acknowledged.
    pub sequence_id: TxSequenceId,
    /// TxSequenceNumber of the message acknowledged.
    pub sequence_number: u32,
    /// PreviousTxSequenceNumber of the message acknowledged.
    pub previous_sequence_number: u32,
    /// SourceGUID and MessageID of the message acknowledged.
    pub message: MessageIdentifier,
}

/// What a message to the order queue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
pub enum Acknowledgment {
    /// Messages arrived in order.
    Order(OrderAck),
    /// A message was taken or rejected.
    Final(FinalAck),
}

impl OrderAck {
    /// The acknowledgment of a message with this header.
    #[must_use]
    pub const fn of(transaction: &TransactionHeader) -> Self {
        Self::up_to(transaction.sequence_id, transaction.sequence_number)
    }

    /// The acknowledgment of the messages of a sequence up to this one.
    #[must_use]
    pub const fn up_to(sequence_id: TxSequenceId, sequence_number: u32) -> Self {
        let previous_sequence_number = sequence_number.saturating_sub(1);
        Self { sequence_id, sequence_number, previous_sequence_number, reserved: [0; 20] }
    }

    /// The form of the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BODY] {
        body(self.sequence_id, [self.sequence_number, self.previous_sequence_number], self.reserved)
    }

    /// The message to the order queue that carries it, of ours and to `destination`
    /// ([`QueueName::order_queue`]). Express, as [MS-MQQB] 2.2.4 wants it (erratum Q6).
    #[must_use]
    pub fn message<'a>(
        self,
        identifier: MessageIdentifier,
        sent_time: u32,
        destination: QueueName<'a>,
    ) -> UserMessage<'a> {
        carrier(identifier, sent_time, destination, MessageClass::ORDER_ACK, self.to_bytes())
    }
}

impl FinalAck {
    /// What became of a message; `None` when it is not transactional.
    #[must_use]
    pub fn of(message: &UserMessage<'_>, class: MessageClass) -> Option<Self> {
        let transaction = message.transaction?;
        Some(Self {
            class,
            sequence_id: transaction.sequence_id,
            sequence_number: transaction.sequence_number,
            previous_sequence_number: transaction.previous_sequence_number,
            message: message.user.message_identifier(),
        })
    }

    /// Whether the message was taken.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.class == MessageClass::ACK_RECEIVE
    }

    /// The form of the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BODY] {
        body(self.sequence_id, [self.sequence_number, self.previous_sequence_number], self.message.to_bytes())
    }

    /// The message to the order queue that carries it, of ours and to `destination`
    /// ([`QueueName::order_queue`]). Recoverable.
    #[must_use]
    pub fn message<'a>(
        self,
        identifier: MessageIdentifier,
        sent_time: u32,
        destination: QueueName<'a>,
    ) -> UserMessage<'a> {
        carrier(identifier, sent_time, destination, self.class, self.to_bytes()).recoverable()
    }
}

fn body(sequence: TxSequenceId, numbers: [u32; 2], rest: [u8; 20]) -> [u8; BODY] {
    let mut bytes = [0; BODY];
    let parts = sequence.0.to_le_bytes().into_iter().chain(numbers.into_iter().flat_map(u32::to_le_bytes));
    for (to, from) in bytes.iter_mut().zip(parts.chain(rest)) {
        *to = from;
    }
    bytes
}

fn carrier<'a>(
    identifier: MessageIdentifier,
    sent_time: u32,
    destination: QueueName<'a>,
    class: MessageClass,
    body: [u8; BODY],
) -> UserMessage<'a> {
    UserMessage::new(identifier, sent_time, destination)
        .with_priority(0)
        .with_class(class)
        .with_label(ORDER_LABEL)
        .with_body(body.to_vec())
}

impl<'a> QueueName<'a> {
    /// The order queue of the host with this IP address, as text: `TCP:10.0.0.5\PRIVATE$\order_queue$`.
    #[must_use]
    pub fn order_queue(address: &str) -> QueueName<'static> {
        QueueName::direct(&alloc::format!("TCP:{address}{ORDER_QUEUE}"))
    }

    /// Whether this is an order queue: private queue 4 of the receiver, or a direct format name of that queue.
    #[must_use]
    pub fn is_order_queue(&self) -> bool {
        match self {
            Self::PrivateOnDestination { identifier } => *identifier == ORDER_QUEUE_ID,
            Self::Direct(direct) => {
                let tail = ORDER_QUEUE.bytes().rev().map(u16::from);
                let name = direct.name.before_nul();
                let mut units = name.units().rev();
                let fold = |unit: u16| u8::try_from(unit).map_or(unit, |b| b.to_ascii_lowercase().into());
                tail.into_iter().all(|unit| units.next().is_some_and(|own| fold(own) == fold(unit)))
            }
            _ => false,
        }
    }
}

impl UserMessage<'_> {
    /// What the message says when it is an OrderAck or a FinalAck ([MS-MQQB] 3.1.5.1.1): it goes to an order queue, its
    /// class is that of an OrderAck or at least 0x4000, its body has 36 bytes and it is no transactional message itself.
    /// A SessionHeader may travel with it, and any delivery mode (erratum Q6).
    #[must_use]
    pub fn acknowledgment(&self) -> Option<Acknowledgment> {
        let class = self.properties.message_class;
        let known = class == MessageClass::ORDER_ACK || class >= MessageClass::ACK_RECEIVE;
        if !known || self.transaction.is_some() || !self.user.destination_queue.is_order_queue() {
            return None;
        }
        let body = Acknowledgment::decode_body(&self.properties.body, class, &DecodeOptions::TOLERANT);
        body.ok().map(|decoded| decoded.value)
    }
}

impl Acknowledgment {
    /// Reads the body of an acknowledgment; the class of its message says which of the two it is.
    ///
    /// # Errors
    /// When it has other than 36 bytes, or breaks a rule under [`Policy::Strict`](remassist_core::Policy).
    pub fn decode_body<'a>(
        body: &'a [u8],
        class: MessageClass,
        options: &DecodeOptions,
    ) -> Result<Decoded<'a, Self>, DecodeError> {
        let is_order = class == MessageClass::ORDER_ACK;
        decode_using(body, options, if is_order { &ORDER } else { &FINAL }, |cursor| {
            let value = if is_order { Self::order(cursor)? } else { Self::last(cursor, class)? };
            cursor.finish(if is_order { &ORDER } else { &FINAL })?;
            Ok(value)
        })
    }

    /// An OrderAck of number 0 acknowledges nothing, and has no number before.
    fn order(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        let (sequence_id, sequence_number) = sequence(cursor, [&ORDER_ID, &ORDER_NUMBER])?;
        let offset = cursor.offset();
        let previous_sequence_number = cursor.u32(&ORDER_PREVIOUS)?;
        let one_less = sequence_number.checked_sub(1).unwrap_or(previous_sequence_number);
        let kind = DecodeErrorKind::Rule("not one less than TxSequenceNumber");
        cursor.must(previous_sequence_number == one_less, offset, &ORDER_PREVIOUS, kind)?;
        let reserved = cursor.array(&RESERVED, Format::Filler)?;
        Ok(Self::Order(OrderAck { sequence_id, sequence_number, previous_sequence_number, reserved }))
    }

    fn last(cursor: &mut Cursor<'_, '_>, class: MessageClass) -> Result<Self, DecodeError> {
        let (sequence_id, sequence_number) = sequence(cursor, [&FINAL_ID, &FINAL_NUMBER])?;
        let previous_sequence_number = cursor.u32(&FINAL_PREVIOUS)?;
        let message = MessageIdentifier::parse(cursor, &SOURCE)?;
        Ok(Self::Final(FinalAck { class, sequence_id, sequence_number, previous_sequence_number, message }))
    }
}

fn sequence(
    cursor: &mut Cursor<'_, '_>,
    [id, number]: [&'static At; 2],
) -> Result<(TxSequenceId, u32), DecodeError> {
    let sequence_id = TxSequenceId(cursor.u64(id)?);
    let offset = cursor.offset();
    let sequence_number = cursor.u32(number)?;
    cursor.must(sequence_number > 0, offset, number, invalid(0))?;
    Ok((sequence_id, sequence_number))
}
