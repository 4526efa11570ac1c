//! All the queues that a message was sent to.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U32, Utf16Le, check_len,
    len_u32, usize_from, utf16,
};
use uuid::Uuid;

use crate::wire::{Padding, invalid, missing, places, rounded, sum};
use crate::{AddressHeaderId, FormatType};

places!("[MS-MQMQ]", "2.2.20.1", "MultiQueueFormatHeader":
    MULTI = "", DESTINATION = "Destination", ADMINISTRATION = "Administration", RESPONSE = "Response");
places!("[MS-MQMQ]", "2.2.20.2", "MQFAddressHeader":
    SIZE = "HeaderSize", ID = "HeaderID", RESERVED = "Reserved", COUNT = "ElementCount",
    ELEMENT = "FormatNameList", PADDING = "(padding)");
places!("[MS-MQMQ]", "2.2.18.1.4", "MQFFormatNameElement": TYPE = "FormatType", ALIGNMENT = "(padding)");
places!("[MS-MQMQ]", "2.2.18.1.7.1", "PublicQueueFormatName": PUBLIC = "PublicQueueIdentifier");
places!("[MS-MQMQ]", "2.2.18.1.7.2", "PrivateQueueFormatName":
    PRIVATE_MANAGER = "SourceQueueManager", PRIVATE = "PrivateQueueIdentifier");
places!("[MS-MQMQ]", "2.2.18.1.4.1", "MQFDirectQueueFormatName": DIRECT = "DirectFormatName");
places!("[MS-MQMQ]", "2.2.18.1.4.2", "MQFDistributionQueueFormatName": LIST = "DistributionListIdentifier");
places!("[MS-MQMQ]", "2.2.20.3", "MQFSignatureHeader":
    SIGNATURE_HEADER = "", SIGNATURE_ID = "ID", SIGNATURE_RESERVED = "Reserved", SIGNATURE_SIZE = "Size",
    SIGNATURE = "Signature");

/// Bytes of the fixed fields of a list.
const FIXED: usize = 12;

/// All destinations of a message, with their administration and response queues ([MS-MQMQ] 2.2.20.1): three lists and a
/// signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MultiQueueFormatHeader<'a> {
    /// Destination.
    pub destination: AddressHeader<'a>,
    /// Administration.
    pub administration: AddressHeader<'a>,
    /// Response.
    pub response: AddressHeader<'a>,
    /// Signature.
    pub signature: SignatureHeader<'a>,
}

/// A list of queues ([MS-MQMQ] 2.2.20.2, MQFAddressHeader): HeaderSize u32, HeaderID u16, Reserved u16, ElementCount
/// u32, the elements, padding to a multiple of 4.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AddressHeader<'a> {
    /// HeaderID.
    pub id: AddressHeaderId,
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// FormatNameList.
    pub elements: Vec<FormatNameElement<'a>>,
    /// Bytes after the elements that HeaderSize counts.
    #[cfg_attr(feature = "serde", serde(default))]
    pub inner_padding: Blob<'a>,
    /// Bytes up to a multiple of 4 that HeaderSize does not count.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
}

/// A queue in a list ([MS-MQMQ] 2.2.18.1.4, MQFFormatNameElement): FormatType u16, then the name, its GUIDs at multiples of
/// 4 bytes from the beginning of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FormatNameElement<'a> {
    /// Bytes between FormatType and a GUID.
    #[cfg_attr(feature = "serde", serde(default))]
    pub padding: Padding,
    /// FormatName.
    pub name: FormatName<'a>,
}

/// The name of a queue in a list ([MS-MQMQ] 2.2.18.1.4).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
pub enum FormatName<'a> {
    /// 1: a public queue, 16 bytes.
    Public {
        /// PublicQueueIdentifier.
        identifier: Uuid,
    },
    /// 2: a private queue, 20 bytes.
    Private {
        /// SourceQueueManager: the host.
        queue_manager: Uuid,
        /// PrivateQueueIdentifier.
        identifier: u32,
    },
    /// 3: a direct format name, up to its NUL.
    Direct {
        /// DirectFormatName with its NUL.
        name: Utf16Le<'a>,
    },
    /// 6: a distribution list, 16 bytes.
    DistributionList {
        /// DistributionListIdentifier.
        identifier: Uuid,
    },
}

/// A signature ([MS-MQMQ] 2.2.20.3, MQFSignatureHeader): ID u16 (0x015E), Reserved u16, Size u32, Signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SignatureHeader<'a> {
    /// Reserved: 0, ignored when read.
    pub reserved: u16,
    /// Signature: not verified.
    pub signature: Blob<'a>,
}

impl<'a> FormatName<'a> {
    /// The number of the form.
    #[must_use]
    pub const fn format_type(&self) -> FormatType {
        match self {
            Self::Public { .. } => FormatType::PUBLIC,
            Self::Private { .. } => FormatType::PRIVATE,
            Self::Direct { .. } => FormatType::DIRECT,
            Self::DistributionList { .. } => FormatType::DISTRIBUTION_LIST,
        }
    }

    /// A direct format name.
    #[must_use]
    pub fn direct(name: &str) -> FormatName<'static> {
        FormatName::Direct { name: Utf16Le::with_nul(name) }
    }

    fn into_owned(self) -> FormatName<'static> {
        match self {
            Self::Public { identifier } => FormatName::Public { identifier },
            Self::Private { queue_manager, identifier } => FormatName::Private { queue_manager, identifier },
            Self::Direct { name } => FormatName::Direct { name: name.into_owned() },
            Self::DistributionList { identifier } => FormatName::DistributionList { identifier },
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Public { .. } | Self::DistributionList { .. } => 16,
            Self::Private { .. } => 20,
            Self::Direct { name } => name.as_bytes().len(),
        }
    }
}

impl<'a> FormatNameElement<'a> {
    /// An element with zeros as padding.
    #[must_use]
    pub fn new(name: FormatName<'a>) -> Self {
        Self { padding: Padding::default(), name }
    }

    /// Bytes between FormatType and the name, when the element stands at `offset` of its list.
    fn gap(&self, offset: usize) -> usize {
        if self.name.format_type() == FormatType::DIRECT { 0 } else { missing(offset.saturating_add(2)) }
    }

    /// Reads the element that stands at `offset` of its list.
    fn parse(cursor: &mut Cursor<'_, 'a>, offset: usize) -> Result<Self, DecodeError> {
        let at = cursor.offset();
        let form = FormatType(cursor.u16(&TYPE)?);
        cursor.context().note(form.name());
        let offset = offset.saturating_add(2);
        let mut padding = Padding::default();
        if form != FormatType::DIRECT {
            padding = Padding::parse(cursor, offset, &ALIGNMENT)?;
        }
        let name = match form {
            FormatType::PUBLIC => FormatName::Public { identifier: cursor.guid(&PUBLIC)? },
            FormatType::PRIVATE => FormatName::Private {
                queue_manager: cursor.guid(&PRIVATE_MANAGER)?,
                identifier: cursor.u32(&PRIVATE)?,
            },
            FormatType::DIRECT => {
                let Some(len) = utf16::nul_at(cursor.rest()) else {
                    return Err(cursor.error(&DIRECT, DecodeErrorKind::Rule("no NUL")));
                };
                let name = cursor.take(len.saturating_add(2), &DIRECT, Format::Utf16Le)?;
                FormatName::Direct { name: name.into() }
            }
            FormatType::DISTRIBUTION_LIST => FormatName::DistributionList { identifier: cursor.guid(&LIST)? },
            _ => return Err(DecodeError::new(at, &TYPE, invalid(form.0.into()))),
        };
        Ok(Self { padding, name })
    }

    fn put(&self, offset: usize, dst: &mut dyn BufMut) {
        dst.put_slice(&self.name.format_type().0.to_le_bytes());
        if self.gap(offset) > 0 {
            self.padding.put(offset.saturating_add(2), dst);
        }
        match &self.name {
            FormatName::Public { identifier } | FormatName::DistributionList { identifier } => {
                dst.put_slice(&identifier.to_bytes_le());
            }
            FormatName::Private { queue_manager, identifier } => {
                dst.put_slice(&queue_manager.to_bytes_le());
                dst.put_slice(&identifier.to_le_bytes());
            }
            FormatName::Direct { name } => dst.put_slice(name.as_bytes()),
        }
    }
}

impl<'a> AddressHeader<'a> {
    /// A list of names.
    #[must_use]
    pub fn new(id: AddressHeaderId, names: impl IntoIterator<Item = FormatName<'a>>) -> Self {
        Self {
            id,
            reserved: 0,
            elements: names.into_iter().map(FormatNameElement::new).collect(),
            inner_padding: Blob::default(),
            padding: Padding::default(),
        }
    }

    fn into_owned(self) -> AddressHeader<'static> {
        let owned =
            |e: FormatNameElement<'_>| FormatNameElement { padding: e.padding, name: e.name.into_owned() };
        AddressHeader {
            id: self.id,
            reserved: self.reserved,
            elements: self.elements.into_iter().map(owned).collect(),
            inner_padding: self.inner_padding.into_owned(),
            padding: self.padding,
        }
    }

    fn parse(
        cursor: &mut Cursor<'_, 'a>,
        expected: AddressHeaderId,
        at: &'static At,
    ) -> Result<Self, DecodeError> {
        cursor.group(at, |cursor| {
            let size_at = cursor.offset();
            let size = cursor.u32(&SIZE)?;
            let Some(inside) =
                usize_from(size).checked_sub(4).filter(|inside| *inside >= FIXED.wrapping_sub(4))
            else {
                let kind = DecodeErrorKind::OutOfBounds { got: size.into(), max: FIXED };
                return Err(DecodeError::new(size_at, &SIZE, kind));
            };
            let mut list = cursor.sub(inside, &ELEMENT)?;
            let offset = list.offset();
            let id = AddressHeaderId(list.u16(&ID)?);
            list.context().note(id.name());
            list.must(id == expected, offset, &ID, invalid(id.0.into()))?;
            let reserved = u16::from_le_bytes(list.array(&RESERVED, Format::Filler)?);
            let count_at = list.offset();
            let count = list.u32(&COUNT)?;
            let max = list.context().limits().items;
            if usize_from(count) > max {
                let kind = DecodeErrorKind::LimitExceeded { limit: "queues", max };
                return Err(DecodeError::new(count_at, &COUNT, kind));
            }
            let mut elements = Vec::new();
            for _ in 0..count {
                let offset = list.offset().saturating_sub(size_at);
                elements.push(list.group(&ELEMENT, |list| FormatNameElement::parse(list, offset))?);
            }
            let offset = list.offset();
            let inner_padding: Blob<'_> = list.take_rest(&PADDING, Format::Filler).into();
            let kind = DecodeErrorKind::Rule("bytes that HeaderSize counts and no element has");
            list.must(inner_padding.len() < 4, offset, &PADDING, kind)?;
            let padding = Padding::parse(cursor, usize_from(size), &PADDING)?;
            Ok(Self { id, reserved, elements, inner_padding, padding })
        })
    }

    /// HeaderSize.
    fn unpadded(&self) -> usize {
        let end =
            self.elements.iter().fold(FIXED, |offset, e| sum([offset, 2, e.gap(offset), e.name.size()]));
        end.saturating_add(self.inner_padding.len())
    }

    fn size(&self) -> usize {
        rounded(self.unpadded())
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_len(self.unpadded(), MAX_U32, &SIZE)?;
        for element in &self.elements {
            if let FormatName::Direct { name } = &element.name
                && !(name.is_terminated() && name.as_bytes().len().is_multiple_of(2))
            {
                return Err(EncodeError::Invalid { at: &DIRECT, reason: "does not end with its only NUL" });
            }
        }
        Ok(())
    }

    fn put(&self, dst: &mut dyn BufMut) {
        let size = self.unpadded();
        dst.put_slice(&len_u32(size).to_le_bytes());
        dst.put_slice([self.id.0, self.reserved].map(u16::to_le_bytes).as_flattened());
        dst.put_slice(&len_u32(self.elements.len()).to_le_bytes());
        let mut offset = FIXED;
        for element in &self.elements {
            element.put(offset, dst);
            offset = sum([offset, 2, element.gap(offset), element.name.size()]);
        }
        dst.put_slice(&self.inner_padding);
        self.padding.put(size, dst);
    }
}

impl<'a> MultiQueueFormatHeader<'a> {
    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> MultiQueueFormatHeader<'static> {
        MultiQueueFormatHeader {
            destination: self.destination.into_owned(),
            administration: self.administration.into_owned(),
            response: self.response.into_owned(),
            signature: SignatureHeader {
                reserved: self.signature.reserved,
                signature: self.signature.signature.into_owned(),
            },
        }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&MULTI, |cursor| {
            let destination = AddressHeader::parse(cursor, AddressHeaderId::DESTINATION, &DESTINATION)?;
            let administration = AddressHeader::parse(cursor, AddressHeaderId::ADMIN, &ADMINISTRATION)?;
            let response = AddressHeader::parse(cursor, AddressHeaderId::RESPONSE, &RESPONSE)?;
            let signature = cursor.group(&SIGNATURE_HEADER, |cursor| {
                let offset = cursor.offset();
                let id = cursor.u16(&SIGNATURE_ID)?;
                if id != AddressHeaderId::SIGNATURE.0 {
                    return Err(DecodeError::new(offset, &SIGNATURE_ID, invalid(id.into())));
                }
                let reserved = u16::from_le_bytes(cursor.array(&SIGNATURE_RESERVED, Format::Filler)?);
                let size = usize_from(cursor.u32(&SIGNATURE_SIZE)?);
                let signature = cursor.take(size, &SIGNATURE, Format::Bytes)?.into();
                Ok(SignatureHeader { reserved, signature })
            })?;
            Ok(Self { destination, administration, response, signature })
        })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        self.destination.check()?;
        self.administration.check()?;
        self.response.check()?;
        check_len(self.signature.signature.len(), MAX_U32, &SIGNATURE_SIZE)
    }

    pub(crate) fn size(&self) -> usize {
        let lists = [&self.destination, &self.administration, &self.response].map(AddressHeader::size);
        sum([sum(lists), 8, self.signature.signature.len()])
    }

    pub(crate) fn put(&self, dst: &mut dyn BufMut) {
        self.destination.put(dst);
        self.administration.put(dst);
        self.response.put(dst);
        let head = [AddressHeaderId::SIGNATURE.0, self.signature.reserved];
        dst.put_slice(head.map(u16::to_le_bytes).as_flattened());
        dst.put_slice(&len_u32(self.signature.signature.len()).to_le_bytes());
        dst.put_slice(&self.signature.signature);
    }
}
