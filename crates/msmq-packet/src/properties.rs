//! Properties and body.

use bytes::BufMut;
use remassist_core::{
    Blob, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U32, Utf16Le, check_len, len_u32,
    usize_from,
};

use crate::wire::{Padding, bits, invalid, missing, places, rounded, sum};
use crate::{EncryptionAlgorithm, HashAlgorithm, MessageClass, MessageIdentifier, PrivacyLevel};

places!("[MS-MQMQ]", "2.2.19.3", "MessagePropertiesHeader":
    PROPERTIES = "", FLAGS = "Flags", LABEL_LENGTH = "LabelLength", CLASS = "MessageClass",
    CORRELATION = "CorrelationID", BODY_TYPE = "BodyType", TAG = "ApplicationTag", SIZE = "MessageSize",
    ALLOCATION = "AllocationBodySize", PRIVACY = "PrivacyLevel", HASH = "HashAlgorithm",
    ENCRYPTION = "EncryptionAlgorithm", EXTENSION_SIZE = "ExtensionSize", LABEL = "Label",
    EXTENSION = "ExtensionData", BODY = "MessageBody", SLACK = "MessageBody (allocated)", PADDING = "(padding)");

/// Most code units of a label, with its NUL.
pub const MAX_LABEL: usize = 0xFA;
/// Bits that classes of applications may have ([MS-MQMQ] 2.2.18.1.6).
const CLASS_BITS: u16 = 0xE1FF;
/// Bytes of the fixed fields.
const FIXED: usize = 56;

bits! {
    /// Which reports the AdminQueue gets ([MS-MQMQ] 2.2.19.3), a u8; bits 4 to 7 are not used.
    AcknowledgmentFlags(u8) {
        /// PA: the message reached its queue.
        POSITIVE_ARRIVAL = 0x01;
        /// PR: the message was taken.
        POSITIVE_RECEIVE = 0x02;
        /// NA: the message did not reach its queue.
        NEGATIVE_ARRIVAL = 0x04;
        /// NR: the message was not taken.
        NEGATIVE_RECEIVE = 0x08;
    }
}

impl AcknowledgmentFlags {
    /// All four.
    pub(crate) const USED: Self = Self(0x0F);
}

/// Properties of a message and its body ([MS-MQMQ] 2.2.19.3): Flags u8, LabelLength u8, MessageClass u16, CorrelationID
/// (20 bytes), BodyType u32, ApplicationTag u32, MessageSize u32, AllocationBodySize u32, PrivacyLevel u32,
/// HashAlgorithm u32, EncryptionAlgorithm u32, ExtensionSize u32, Label, ExtensionData, MessageBody, padding to a
/// multiple of 4. 56 bytes and what they count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MessagePropertiesHeader<'a> {
    /// Flags: the reports that the AdminQueue gets.
    pub flags: AcknowledgmentFlags,
    /// MessageClass.
    pub message_class: MessageClass,
    /// CorrelationID: of a report, the message that it is about; else the application's.
    pub correlation_id: MessageIdentifier,
    /// BodyType: a type of PROPVARIANT ([MS-MQMQ] 2.2.12), 0 for none.
    pub body_type: u32,
    /// ApplicationTag.
    pub application_tag: u32,
    /// AllocationBodySize, where it is not the length of `body` and `slack`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub allocation_body_size: Option<u32>,
    /// PrivacyLevel.
    pub privacy_level: PrivacyLevel,
    /// HashAlgorithm.
    pub hash_algorithm: HashAlgorithm,
    /// EncryptionAlgorithm.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// Label with its NUL, at most [`MAX_LABEL`] units; empty when there is none.
    pub label: Utf16Le<'a>,
    /// ExtensionData.
    pub extension: Blob<'a>,
    /// MessageBody.
    pub body: Blob<'a>,
    /// What is allocated behind the body.
    #[cfg_attr(feature = "serde", serde(default))]
    pub slack: Blob<'a>,
    /// Bytes up to a multiple of 4.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

impl Default for MessagePropertiesHeader<'_> {
    /// No label, no extension, no body; SHA-512 and AES 128, which nobody uses without a signature or a key.
    fn default() -> Self {
        Self {
            flags: AcknowledgmentFlags(0),
            message_class: MessageClass::NORMAL,
            correlation_id: MessageIdentifier::default(),
            body_type: 0,
            application_tag: 0,
            allocation_body_size: None,
            privacy_level: PrivacyLevel::NONE,
            hash_algorithm: HashAlgorithm::SHA512,
            encryption_algorithm: EncryptionAlgorithm::AES128,
            label: Utf16Le::default(),
            extension: Blob::default(),
            body: Blob::default(),
            slack: Blob::default(),
            padding: Padding::default(),
        }
    }
}

/// A header with what rules about other headers need.
pub(crate) struct Read<'a> {
    pub(crate) header: MessagePropertiesHeader<'a>,
    pub(crate) flags_at: usize,
    pub(crate) hash_at: usize,
}

/// Where HashAlgorithm stands, for the rule that only holds with a signature.
pub(crate) use HASH as HASH_ALGORITHM;

impl<'a> MessagePropertiesHeader<'a> {
    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> MessagePropertiesHeader<'static> {
        MessagePropertiesHeader {
            label: self.label.into_owned(),
            extension: self.extension.into_owned(),
            body: self.body.into_owned(),
            slack: self.slack.into_owned(),
            ..self
        }
    }

    /// Reads the header; `last` when no other follows up to the end of the cursor.
    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>, last: bool) -> Result<Read<'a>, DecodeError> {
        cursor.group(&PROPERTIES, |cursor| {
            let flags_at = cursor.offset();
            let flags = AcknowledgmentFlags(cursor.flags8(&FLAGS)?);
            let length_at = cursor.offset();
            let label_length = usize::from(cursor.u8(&LABEL_LENGTH)?);
            let class_at = cursor.offset();
            let message_class = MessageClass(cursor.u16(&CLASS)?);
            cursor.context().note(message_class.name());
            let correlation_id = MessageIdentifier::parse(cursor, &CORRELATION)?;
            let body_type = cursor.u32(&BODY_TYPE)?;
            let application_tag = cursor.u32(&TAG)?;
            let body_size = usize_from(cursor.u32(&SIZE)?);
            let allocation_at = cursor.offset();
            let allocated = cursor.u32(&ALLOCATION)?;
            let privacy_at = cursor.offset();
            let privacy_level = PrivacyLevel(cursor.u32(&PRIVACY)?);
            cursor.context().note(privacy_level.name());
            let hash_at = cursor.offset();
            let hash_algorithm = HashAlgorithm(cursor.u32(&HASH)?);
            cursor.context().note(hash_algorithm.name());
            let encryption_at = cursor.offset();
            let encryption_algorithm = EncryptionAlgorithm(cursor.u32(&ENCRYPTION)?);
            cursor.context().note(encryption_algorithm.name());
            let extension_size = usize_from(cursor.u32(&EXTENSION_SIZE)?);

            let max = MAX_LABEL;
            let kind = DecodeErrorKind::OutOfBounds { got: u64::try_from(label_length).unwrap_or(0), max };
            cursor.must(label_length <= max, length_at, &LABEL_LENGTH, kind)?;
            let class = message_class.0;
            cursor.must(class & !CLASS_BITS == 0, class_at, &CLASS, invalid(class.into()))?;
            let known = privacy_level.name().is_some();
            cursor.must(known, privacy_at, &PRIVACY, invalid(privacy_level.0.into()))?;
            let known = encryption_algorithm.name().is_some();
            cursor.must(known, encryption_at, &ENCRYPTION, invalid(encryption_algorithm.0.into()))?;

            let label_at = cursor.offset();
            let label =
                Utf16Le::from(cursor.take(label_length.saturating_mul(2), &LABEL, Format::Utf16Le)?);
            let terminated = label_length == 0 || label.is_terminated();
            let kind = DecodeErrorKind::Rule("LabelLength does not end at the only NUL");
            cursor.must(terminated, label_at, &LABEL, kind)?;
            let extension = cursor.take(extension_size, &EXTENSION, Format::Bytes)?.into();
            let left = cursor.remaining();
            let body = cursor.take(body_size, &BODY, Format::Bytes)?.into();
            let before = sum([FIXED, label_length.saturating_mul(2), extension_size]);

            let kind = DecodeErrorKind::Rule("less than MessageSize");
            cursor.must(usize_from(allocated) >= body_size, allocation_at, &ALLOCATION, kind)?;
            // Reading Q16: the body takes the bytes allocated for it, where they are there.
            let wanted = usize_from(allocated).saturating_sub(body_size);
            let without = body_size.saturating_add(missing(before.saturating_add(body_size)));
            let here = if last && without == left && wanted > cursor.remaining() { 0 } else { wanted };
            let slack: Blob<'_> = cursor.take(here, &SLACK, Format::Bytes)?.into();
            let padding = Padding::parse(cursor, sum([before, body_size, here]), &PADDING)?;
            let allocation_body_size =
                (usize_from(allocated) != body_size.saturating_add(here)).then_some(allocated);
            let header = Self {
                flags,
                message_class,
                correlation_id,
                body_type,
                application_tag,
                allocation_body_size,
                privacy_level,
                hash_algorithm,
                encryption_algorithm,
                label,
                extension,
                body,
                slack,
                padding,
            };
            Ok(Read { header, flags_at, hash_at })
        })
    }

    pub(crate) fn check(&self, last: bool) -> Result<(), EncodeError> {
        let label = self.label.as_bytes().len();
        if !label.is_multiple_of(2) {
            return Err(EncodeError::Invalid { at: &LABEL, reason: "half a code unit" });
        }
        check_len(label.div_euclid(2), usize::from(u8::MAX), &LABEL_LENGTH)?;
        check_len(self.extension.len(), MAX_U32, &EXTENSION_SIZE)?;
        check_len(self.body.len().saturating_add(self.slack.len()), MAX_U32, &ALLOCATION)?;
        let Some(allocated) = self.allocation_body_size.map(usize_from) else { return Ok(()) };
        let (body, slack) = (self.body.len(), self.slack.len());
        let padding = missing(self.unpadded());
        let read_again = allocated < body || last && allocated > body.saturating_add(padding);
        if slack == 0 && read_again {
            return Ok(());
        }
        Err(EncodeError::Invalid {
            at: &ALLOCATION,
            reason: "not the length of the body and what is behind it",
        })
    }

    /// Where the body begins in the header.
    pub(crate) fn body_offset(&self) -> usize {
        sum([FIXED, self.label.as_bytes().len(), self.extension.len()])
    }

    fn unpadded(&self) -> usize {
        sum([self.body_offset(), self.body.len(), self.slack.len()])
    }

    pub(crate) fn size(&self) -> usize {
        rounded(self.unpadded())
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        let units = self.label.as_bytes().len().div_euclid(2);
        let [c0, c1] = self.message_class.0.to_le_bytes();
        dst.put_slice(&[self.flags.0, u8::try_from(units).unwrap_or(u8::MAX), c0, c1]);
        self.correlation_id.put(dst);
        let allocated = len_u32(self.body.len().saturating_add(self.slack.len()));
        let words = [
            self.body_type,
            self.application_tag,
            len_u32(self.body.len()),
            self.allocation_body_size.unwrap_or(allocated),
            self.privacy_level.0,
            self.hash_algorithm.0,
            self.encryption_algorithm.0,
            len_u32(self.extension.len()),
        ];
        dst.put_slice(words.map(u32::to_le_bytes).as_flattened());
        dst.put_slice(self.label.as_bytes());
        dst.put_slice(&self.extension);
        dst.put_slice(&self.body);
        dst.put_slice(&self.slack);
        self.padding.put(self.unpadded(), dst);
    }
}
