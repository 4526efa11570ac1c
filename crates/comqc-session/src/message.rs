//! A message as queues carry it ([MS-MQDMPR] 3.1.1.12).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use comqc_format::{MSMQ_EXTENSION_GUID, Sid};
pub use msmq_packet::{EncryptionAlgorithm, HashAlgorithm, MessageClass, PrivacyLevel, SenderIdType};
use remassist_core::{Blob, named_numbers};
use uuid::Uuid;

named_numbers! {
    /// AuthenticationLevel: how a message is signed ([MS-MQDMPR] 3.1.1.12), as bits of the queue moniker and of MSMQ's API.
    SignatureLevel(u32) {
        /// Not signed; the only one that is sent.
        NONE = 0x00, "None";
        /// Signature of MSMQ 1.0.
        SIG10 = 0x02, "Sig10";
        /// Signature of MSMQ 2.0.
        SIG20 = 0x04, "Sig20";
        /// Signature of MSMQ 3.0.
        SIG30 = 0x08, "Sig30";
        /// XML digital signature.
        XML_SIG = 0x10, "XmlSig";
    }
    /// DeliveryGuarantee ([MS-MQDMPR] 3.1.1.12), bits DM of UserHeader ([MS-MQMQ] 2.2.19.2).
    DeliveryGuarantee(u8) {
        /// Lost when a queue manager ends.
        EXPRESS = 0, "Express";
        /// Kept on disk.
        RECOVERABLE = 1, "Recoverable";
    }
}

/// AcknowledgementsRequested ([MS-MQDMPR] 3.1.1.12), bits of MessagePropertiesHeader.Flags ([MS-MQMQ] 2.2.19.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AckFlags(pub u8);

impl AckFlags {
    /// PA: it has reached the queue.
    pub const POSITIVE_ARRIVAL: Self = Self(0x01);
    /// PR: it was received.
    pub const POSITIVE_RECEIVE: Self = Self(0x02);
    /// NA: it could not reach the queue.
    pub const NEGATIVE_ARRIVAL: Self = Self(0x04);
    /// NR: it was not received.
    pub const NEGATIVE_RECEIVE: Self = Self(0x08);
}

/// OBJECTID of a message ([MS-MQMQ] 2.2.8), 20 bytes: the GUID of the queue manager that took it first, and a number.
///
/// Text is that of MSMQ, `{GUID}\number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageId {
    /// Lineage.
    pub lineage: Uuid,
    /// Uniquifier.
    pub uniquifier: u32,
}

impl MessageId {
    /// No message: the default of CorrelationIdentifier.
    pub const NIL: Self = Self { lineage: Uuid::nil(), uniquifier: 0 };

    /// The wire form: the GUID in packet form, then the number, little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let number = self.uniquifier.to_le_bytes();
        for (to, from) in bytes.iter_mut().zip(self.lineage.to_bytes_le().into_iter().chain(number)) {
            *to = from;
        }
        bytes
    }

    /// From the wire form.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        let (lineage, uniquifier) = bytes.split_at(16);
        Self {
            lineage: lineage.first_chunk().map_or(Uuid::nil(), |guid| Uuid::from_bytes_le(*guid)),
            uniquifier: uniquifier.first_chunk().map_or(0, |number| u32::from_le_bytes(*number)),
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\\{}", self.lineage.braced(), self.uniquifier)
    }
}

/// Text that is not a [`MessageId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message identifier of the form {{GUID}}\\number")]
pub struct MessageIdError;

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (lineage, number) = text.split_once('\\').ok_or(MessageIdError)?;
        let lineage = Uuid::try_parse(lineage).map_err(|_| MessageIdError)?;
        let uniquifier = number.parse().map_err(|_| MessageIdError)?;
        Ok(Self { lineage, uniquifier })
    }
}

/// The properties of a message that its sender chooses ([MS-MQDMPR] 3.1.1.12).
///
/// All of them are carried from sender to receiver. What queues act on is told at each; the others are for receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Properties {
    /// Extension; of queued components [`MSMQ_EXTENSION_GUID`] in packet form.
    pub extension: Blob<'static>,
    /// Label, at most 249 characters of UTF-16.
    pub label: String,
    /// Priority, 0 to 7: higher ones are received first. Ignored where the queue is transactional.
    pub priority: u8,
    /// DeliveryGuarantee. Queues here keep every message on disk.
    pub delivery: DeliveryGuarantee,
    /// TimeToReachQueue in seconds; `None` is for ever.
    pub time_to_reach_queue: Option<u32>,
    /// TimeToBeReceived in seconds since it was sent; `None` is for ever. When it is over, the message goes to the dead
    /// queue with `negative_journaling`, and is dropped without.
    pub time_to_be_received: Option<u32>,
    /// PositiveJournalingRequested: a copy goes to the journal when the message was received.
    pub positive_journaling: bool,
    /// NegativeJournalingRequested: a copy goes to the dead-letter queue when it could not be delivered.
    pub negative_journaling: bool,
    /// TracingRequested.
    pub tracing: bool,
    /// Class.
    pub class: MessageClass,
    /// BodyType: a VARTYPE; 0 for queued components.
    pub body_type: u32,
    /// ApplicationTag.
    pub application_tag: u32,
    /// CorrelationIdentifier.
    pub correlation: MessageId,
    /// AcknowledgementsRequested.
    pub acknowledgements: AckFlags,
    /// AdministrationQueueFormatName; empty is none.
    pub administration_queue: String,
    /// ResponseQueueFormatName; empty is none.
    pub response_queue: String,
    /// AuthenticationLevel.
    pub signature_level: SignatureLevel,
    /// SenderIdentifierType.
    pub sender_id_type: SenderIdType,
    /// PrivacyLevel.
    pub privacy: PrivacyLevel,
    /// HashAlgorithm.
    pub hash_algorithm: HashAlgorithm,
    /// EncryptionAlgorithm.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// ConnectorTypeIdentifier; nil is none.
    pub connector_type: Uuid,
}

impl Default for Properties {
    /// Those of a recorded message: queued components, recoverable, for ever, from nobody.
    fn default() -> Self {
        Self {
            extension: Vec::from(MSMQ_EXTENSION_GUID.to_bytes_le()).into(),
            label: String::new(),
            priority: 3,
            delivery: DeliveryGuarantee::RECOVERABLE,
            time_to_reach_queue: None,
            time_to_be_received: None,
            positive_journaling: false,
            negative_journaling: false,
            tracing: false,
            class: MessageClass::NORMAL,
            body_type: 0,
            application_tag: 0,
            correlation: MessageId::NIL,
            acknowledgements: AckFlags::default(),
            administration_queue: String::new(),
            response_queue: String::new(),
            signature_level: SignatureLevel::NONE,
            sender_id_type: SenderIdType::NONE,
            privacy: PrivacyLevel::NONE,
            hash_algorithm: HashAlgorithm::SHA512,
            encryption_algorithm: EncryptionAlgorithm::AES128,
            connector_type: Uuid::nil(),
        }
    }
}

/// A message to send: properties and body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueueMessage {
    /// What goes along.
    pub properties: Properties,
    /// The body; of queued components a message of [MC-COMQC] 2.2.
    pub body: Blob<'static>,
}

/// A time of day: milliseconds since 1970 (UTC), as the clock of the machine tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time `duration` later; saturates.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` it is; nothing where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Who has sent a message, as its transport knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sender {
    /// SenderIdentifier, where it is a SID.
    pub sid: Option<Sid<'static>>,
    /// The transport has proven that this is the sender; otherwise it is a claim.
    pub authenticated: bool,
    /// What else the transport tells: a user of a broker, an address. For people and logs.
    pub description: String,
}

/// A message as it comes out of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Received {
    /// Identifier: the same however often the message comes.
    pub id: MessageId,
    /// What was sent.
    pub message: QueueMessage,
    /// Who has sent it.
    pub sender: Sender,
    /// When it was sent.
    pub sent: Timestamp,
    /// How often it went through a retry queue: 0 in its first round.
    pub round: u8,
    /// How often playing has failed in this round.
    pub failures: u32,
    /// How often a player has died while it had the message.
    pub abandoned: u32,
}
