//! From whom, to whom.

use bytes::BufMut;
use remassist_core::{At, Cursor, DecodeError, DecodeErrorKind, EncodeError};
use uuid::Uuid;

use crate::base::INFINITE;
use crate::queue::Role;
use crate::wire::{bits, invalid, places, sum};
use crate::{DeliveryMode, MessageIdentifier, QueueName, QueueType};

places!("[MS-MQMQ]", "2.2.19.2", "UserHeader":
    USER = "", SOURCE = "SourceQueueManager", ADDRESS = "QueueManagerAddress", RECEIVED = "TimeToBeReceived",
    SENT = "SentTime", ID = "MessageID", FLAGS = "Flags", DESTINATION = "DestinationQueue",
    ADMIN = "AdminQueue", RESPONSE = "ResponseQueue", CONNECTOR = "ConnectorType", ROUTES = "Flags.RC",
    MODE = "Flags.DM", PROPERTIES = "Flags.MP", OVER_HTTP = "Flags.AH");

const fn flag(name: &'static str) -> At {
    At::new("[MS-MQMQ]", "2.2.19.2", "UserHeader", name)
}
static TO: Role = Role { at: &DESTINATION, flag: flag("Flags.DQ"), forms: 0b1010_1001 };
static ADMINISTRATION: Role = Role { at: &ADMIN, flag: flag("Flags.AQ"), forms: 0b1110_1101 };
static ANSWER: Role = Role { at: &RESPONSE, flag: flag("Flags.RQ"), forms: 0b1111_1111 };

/// Most servers that may have passed a message on.
const MAX_ROUTES: u8 = 0x1D;

bits! {
    /// The field Flags of a [`UserHeader`], a u32: RC (bits 0 to 4), DM (5, 6), reserved, JN, JP, DQ (10 to 12), AQ (13
    /// to 15), RQ (16 to 18), SH, TH, MP, CQ, MQ, reserved, AH, reserved (26, 27), HH, reserved.
    UserFlags(u32) {
        /// RC, the bits of the number of servers that passed the message on.
        ROUTES = 0x0000_001F;
        /// DM, the bits of the [`DeliveryMode`].
        DELIVERY = 0x0000_0060;
        /// JN: the sender keeps the message when it is not delivered.
        NEGATIVE_JOURNAL = 0x0000_0100;
        /// JP: the sender keeps the message when it is delivered.
        POSITIVE_JOURNAL = 0x0000_0200;
        /// DQ, AQ and RQ, the bits of the forms of the queues.
        QUEUES = 0x0007_FC00;
        /// SH: a SecurityHeader is there.
        SECURITY = 0x0008_0000;
        /// TH: a TransactionHeader is there.
        TRANSACTION = 0x0010_0000;
        /// MP: a MessagePropertiesHeader is there: always.
        PROPERTIES = 0x0020_0000;
        /// CQ: ConnectorType is there.
        CONNECTOR = 0x0040_0000;
        /// MQ: a MultiQueueFormatHeader is there.
        MULTI_QUEUE = 0x0080_0000;
        /// AH: the message came over HTTP; only in a message that is read remotely ([MS-MQRR] 2.2.5.1).
        OVER_HTTP = 0x0200_0000;
        /// HH: a SoapHeader is there.
        SOAP = 0x1000_0000;
    }
}

impl UserFlags {
    /// What follows from the rest of a message.
    pub(crate) const DERIVED: Self = Self(
        Self::QUEUES.0
            | Self::SECURITY.0
            | Self::TRANSACTION.0
            | Self::PROPERTIES.0
            | Self::CONNECTOR.0
            | Self::MULTI_QUEUE.0
            | Self::SOAP.0,
    );

    const fn number(self, shift: u32, mask: u8) -> u8 {
        let [low, ..] = self.0.wrapping_shr(shift).to_le_bytes();
        low & mask
    }
}

/// Source, destination and identity of a message ([MS-MQMQ] 2.2.19.2): SourceQueueManager GUID, QueueManagerAddress
/// GUID, TimeToBeReceived u32, SentTime u32, MessageID u32, Flags u32, DestinationQueue, AdminQueue, ResponseQueue,
/// ConnectorType GUID if there is one; 48 bytes and the names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserHeader<'a> {
    /// SourceQueueManager: who sent it first.
    pub source_queue_manager: Uuid,
    /// QueueManagerAddress: who is to have it; null with a direct format name. In a message that is read remotely an
    /// address then: see [`MessagePacket::source`](crate::MessagePacket::source).
    pub queue_manager_address: Uuid,
    /// TimeToBeReceived: seconds until somebody must have taken it, or [`INFINITE`].
    pub time_to_be_received: u32,
    /// SentTime: Unix time in seconds.
    pub sent_time: u32,
    /// MessageID: the ordinal of its [`MessageIdentifier`].
    pub message_id: u32,
    /// Flags without those that follow from the rest: RC, DM, JN, JP, AH and the reserved ones are here.
    pub flags: UserFlags,
    /// DestinationQueue: none, a private queue of the receiver, public or direct.
    pub destination_queue: QueueName<'a>,
    /// AdminQueue: where reports about the message go.
    pub admin_queue: QueueName<'a>,
    /// ResponseQueue: where an application answers to.
    pub response_queue: QueueName<'a>,
    /// ConnectorType: the application's.
    pub connector_type: Option<Uuid>,
}

impl<'a> UserHeader<'a> {
    /// A header without administration and response queue, express, without an end.
    #[must_use]
    pub fn new(message: MessageIdentifier, sent_time: u32, destination_queue: QueueName<'a>) -> Self {
        Self {
            source_queue_manager: message.queue_manager,
            queue_manager_address: Uuid::nil(),
            time_to_be_received: INFINITE,
            sent_time,
            message_id: message.ordinal,
            flags: UserFlags(0),
            destination_queue,
            admin_queue: QueueName::None,
            response_queue: QueueName::None,
            connector_type: None,
        }
    }

    /// Which message it is: SourceQueueManager and MessageID.
    #[must_use]
    pub const fn message_identifier(&self) -> MessageIdentifier {
        MessageIdentifier { queue_manager: self.source_queue_manager, ordinal: self.message_id }
    }

    /// DM: how far the message is kept.
    #[must_use]
    pub const fn delivery_mode(&self) -> DeliveryMode {
        DeliveryMode(self.flags.number(5, 3))
    }

    /// Changes DM, of which 2 bits count.
    pub fn set_delivery_mode(&mut self, mode: DeliveryMode) {
        let bits = UserFlags(u32::from(mode.0 & 3) << 5);
        self.flags = self.flags.without(UserFlags::DELIVERY).with(bits);
    }

    /// RC: how many servers passed the message on.
    #[must_use]
    pub const fn route_count(&self) -> u8 {
        self.flags.number(0, 0x1F)
    }

    /// Flags of the queues and of ConnectorType.
    pub(crate) fn derived_flags(&self) -> UserFlags {
        let form = |queue: &QueueName<'_>, shift: u32| u32::from(queue.queue_type().0).wrapping_shl(shift);
        let queues =
            form(&self.destination_queue, 10) | form(&self.admin_queue, 13) | form(&self.response_queue, 16);
        UserFlags(queues).with(UserFlags::CONNECTOR.when(self.connector_type.is_some()))
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> UserHeader<'static> {
        UserHeader {
            destination_queue: self.destination_queue.into_owned(),
            admin_queue: self.admin_queue.into_owned(),
            response_queue: self.response_queue.into_owned(),
            ..self
        }
    }

    /// Reads the header, and its flags as they stand; `remote` when it was read remotely, so that other rules hold.
    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>, remote: bool) -> Result<(Self, UserFlags), DecodeError> {
        cursor.group(&USER, |cursor| {
            let source_queue_manager = cursor.guid(&SOURCE)?;
            let address_at = cursor.offset();
            let queue_manager_address = cursor.guid(&ADDRESS)?;
            let time_to_be_received = cursor.u32(&RECEIVED)?;
            let sent_time = cursor.u32(&SENT)?;
            let message_id = cursor.u32(&ID)?;
            let flags_at = cursor.offset();
            let flags = UserFlags(cursor.flags32(&FLAGS)?);
            let form = |shift| QueueType(flags.number(shift, 7));
            let header = Self {
                source_queue_manager,
                queue_manager_address,
                time_to_be_received,
                sent_time,
                message_id,
                flags: flags.without(UserFlags::DERIVED),
                destination_queue: QueueName::parse(cursor, form(10), &TO, flags_at)?,
                admin_queue: QueueName::parse(cursor, form(13), &ADMINISTRATION, flags_at)?,
                response_queue: QueueName::parse(cursor, form(16), &ANSWER, flags_at)?,
                connector_type: match flags.contains(UserFlags::CONNECTOR) {
                    true => Some(cursor.guid(&CONNECTOR)?),
                    false => None,
                },
            };
            if !flags.contains(UserFlags::PROPERTIES) {
                let kind = DecodeErrorKind::Rule("no message without a MessagePropertiesHeader");
                return Err(DecodeError::new(flags_at, &PROPERTIES, kind));
            }
            let routes = header.route_count();
            cursor.must(routes <= MAX_ROUTES, flags_at, &ROUTES, invalid(routes.into()))?;
            let mode = header.delivery_mode();
            cursor.must(mode.name().is_some(), flags_at, &MODE, invalid(mode.0.into()))?;
            let transactional = flags.contains(UserFlags::TRANSACTION);
            let kind = DecodeErrorKind::Rule("a transactional message that is not recoverable");
            cursor.must(!transactional || mode != DeliveryMode::EXPRESS, flags_at, &MODE, kind)?;
            if !remote {
                let kind = DecodeErrorKind::Rule("only a message that is read remotely has it");
                cursor.must(!flags.contains(UserFlags::OVER_HTTP), flags_at, &OVER_HTTP, kind)?;
                let direct = header.destination_queue.as_direct().is_some();
                let kind = DecodeErrorKind::Rule("not null with a direct format name");
                cursor.must(!direct || queue_manager_address.is_nil(), address_at, &ADDRESS, kind)?;
            }
            Ok((header, flags))
        })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        if self.flags.0 & UserFlags::DERIVED.0 != 0 {
            return Err(EncodeError::Invalid {
                at: &FLAGS,
                reason: "a bit that follows from the rest is set",
            });
        }
        self.destination_queue.check(&TO)?;
        self.admin_queue.check(&ADMINISTRATION)?;
        self.response_queue.check(&ANSWER)
    }

    pub(crate) fn size(&self) -> usize {
        let connector = if self.connector_type.is_some() { 16 } else { 0 };
        sum([
            48,
            self.destination_queue.size(),
            self.admin_queue.size(),
            self.response_queue.size(),
            connector,
        ])
    }

    pub(crate) fn put(&self, flags: UserFlags, dst: &mut dyn BufMut) {
        let guids = [self.source_queue_manager.to_bytes_le(), self.queue_manager_address.to_bytes_le()];
        dst.put_slice(guids.as_flattened());
        let words = [self.time_to_be_received, self.sent_time, self.message_id, self.flags.with(flags).0];
        dst.put_slice(words.map(u32::to_le_bytes).as_flattened());
        self.destination_queue.put(dst);
        self.admin_queue.put(dst);
        self.response_queue.put(dst);
        if let Some(connector) = self.connector_type {
            dst.put_slice(&connector.to_bytes_le());
        }
    }
}
