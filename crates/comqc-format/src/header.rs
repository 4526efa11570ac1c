//! The headers after the container.

use remassist_core::{
    At, Blob, Cursor, DecodeError, Encode as _, EncodeError, Format, MAX_U32, check_len, len_u32, usize_from,
};
use uuid::Uuid;

use crate::container::zeros;
use crate::order::Step;
use crate::rules::{self, encode_error};
use crate::security::{self, Item};
use crate::sink::Sink;
use crate::{IID_IDISPATCH, SecurityData, Signature};

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MC-COMQC]", section, structure, field)
}
pub(crate) const PART: At = at("2.2.3", "PART", "");
pub(crate) const SECD: At = at("2.2.4", "SECD", "");
pub(crate) const SECR: At = at("2.2.5", "SECR", "");
pub(crate) const METH: At = at("2.2.6", "METH", "");
pub(crate) const SMTH: At = at("2.2.6", "SMTH", "");
pub(crate) const UNKNOWN: At = at("2.2", "UnknownHeader", "");
const COMMON: At = at("2.2.1", "CommonHeader", "");
const SIGNATURE: At = at("2.2.1", "CommonHeader", "HeaderSignature");
const SIZE: At = at("2.2.1", "CommonHeader", "Size");
const IDENTIFIER: At = at("2.2.3", "PART", "Identifier");
const DATA_SIZE: At = at("2.2.4", "SECD", "SecurityDataSize");
const HEADER_PADDING: At = at("2.2.4", "SECD", "HeaderPadding");
const DATA: At = at("2.2.4", "SECD", "SecurityData");
const DATA_PADDING: At = at("2.2.4", "SECD", "DataPadding");
pub(crate) const OFFSET: At = at("2.2.5", "SECR", "SecurityHeaderOffset");
const PADDING: At = at("2.2.5", "SECR", "Padding");
const METHOD_NUMBER: At = at("2.2.6", "METH", "MethodNumber");
const DATA_REPRESENTATION: At = at("2.2.6", "METH", "DataRepresentation");
const FLAGS: At = at("2.2.6", "METH", "Flags");
const MARSHALED_SIZE: At = at("2.2.6", "METH", "MarshaledDataSize");
const RESERVED: At = at("2.2.6", "METH", "Reserved");
const PADDING1: At = at("2.2.6", "METH", "Padding1");
const INTERFACE: At = at("2.2.6", "METH", "InterfaceID");
const MARSHALED: At = at("2.2.6.1", "METH", "MarshaledData");
const PADDING2: At = at("2.2.6.1.4", "METH", "Padding2");
const BODY: At = at("2.2", "UnknownHeader", "(body)");

/// Data Representation: NDR with little-endian integers, ASCII and IEEE numbers ([C706] 14.1).
pub(crate) const NDR: u32 = 0x10;
/// Flags of a method header.
pub(crate) const COMPLETE: u32 = 0x1000;
/// Bytes of the fixed fields of each header.
pub(crate) const METH_FIXED: usize = 48;
pub(crate) const SMTH_FIXED: usize = 32;
pub(crate) const SECD_FIXED: usize = 16;
const PART_SIZE: usize = 24;
const SECR_SIZE: usize = 16;
const COMMON_SIZE: usize = 8;

/// A header after the container ([MC-COMQC] 2.2.3 to 2.2.6), each a multiple of 8 bytes: Header Signature (4 letters), Size
/// u32 (all of the header), fields.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
pub enum Header<'a> {
    /// `PART`, 24 bytes: the COM+ partition of the target ([MC-COMQC] 2.2.3), at most once and directly after the
    /// container.
    Partition {
        /// GUID of the partition; the null GUID leaves the choice to the server.
        identifier: Uuid,
    },
    /// `SECD`: security data for the calls after it.
    Security(SecurityHeader<'a>),
    /// `SECR`, 16 bytes: the security data of an earlier header for the calls after it ([MC-COMQC] 2.2.5).
    Reference {
        /// Security Header Offset: where that `SECD` begins, in bytes from the beginning of the message.
        offset: u32,
        /// Padding: 0, ignored when read.
        padding: [u8; 4],
    },
    /// `METH` or `SMTH`: a call.
    Method(Method<'a>),
    /// A header that no section defines. Only after the last call, and only tolerated: figure 2 draws a "Caller
    /// Identifier Header" there (reading A9).
    Unknown {
        /// Its signature.
        signature: Signature,
        /// What follows Size.
        body: Blob<'a>,
    },
}

/// A security header ([MC-COMQC] 2.2.4): `SECD`, Size u32, Security Data Size u32, Header Padding (4 bytes), Security
/// Data, Data Padding to a multiple of 8.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecurityHeader<'a> {
    /// Header Padding: 0, ignored when read.
    pub header_padding: [u8; 4],
    /// Security Data.
    pub data: SecurityData<'a>,
    /// Data Padding: zeros, ignored when read.
    pub padding: Blob<'a>,
}

/// A method header ([MC-COMQC] 2.2.6): `METH` or `SMTH`, Size u32, Method Number u32, Data Representation u32 (0x10), Flags
/// u32 (0x1000), Marshaled Data Size u32, Reserved u32 (1), Padding 1 (4 bytes), Interface ID GUID (only `METH`),
/// Marshaled Data, Padding 2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Method<'a> {
    /// Method Number: index in the interface, with the three of `IUnknown` before (reading A22).
    pub method_number: u32,
    /// Flags: 0x1000.
    pub flags: u32,
    /// Reserved: 1.
    pub reserved: u32,
    /// Padding 1: 0, ignored when read.
    pub padding1: [u8; 4],
    /// Interface ID; `None` in `SMTH`: that of the `METH` before.
    pub interface_id: Option<Uuid>,
    /// Marshaled Data: the parameters, perhaps with undefined bytes behind them ([MC-COMQC] 2.2.6.1.4).
    pub data: Blob<'a>,
    /// Padding 2: undefined, of any length.
    pub padding2: Blob<'a>,
}

impl<'a> Method<'a> {
    /// A call with the constants that the specification gives and zeros as padding.
    #[must_use]
    pub fn new(method_number: u32, interface_id: Option<Uuid>, data: Blob<'a>) -> Self {
        let padding2 = zeros(data.len());
        Self { method_number, flags: COMPLETE, reserved: 1, padding1: [0; 4], interface_id, data, padding2 }
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Method<'static> {
        Method { data: self.data.into_owned(), padding2: self.padding2.into_owned(), ..self }
    }

    /// The field Size.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        let fixed = if self.interface_id.is_some() { METH_FIXED } else { SMTH_FIXED };
        fixed.saturating_add(self.data.len()).saturating_add(self.padding2.len())
    }

    #[inline]
    fn put<B: Sink>(&self, dst: &mut B) {
        let (data, padding): (&[u8], &[u8]) = (&self.data, &self.padding2);
        let signature = if self.interface_id.is_some() { Signature::METHOD } else { Signature::SHORT_METHOD };
        let (size, len, padding1) =
            (len_u32(self.size()), len_u32(data.len()), u32::from_le_bytes(self.padding1));
        let words = [signature.0, size, self.method_number, NDR, self.flags, len, self.reserved, padding1];
        dst.put_method(words.map(u32::to_le_bytes), self.interface_id.map(|id| id.to_bytes_le()));
        dst.put(data);
        if !padding.is_empty() {
            dst.put(padding);
        }
    }
}

impl<'a> SecurityHeader<'a> {
    /// A header with zeros as padding.
    #[must_use]
    pub fn new(data: SecurityData<'a>) -> Self {
        let padding = zeros(data.encoded_len());
        Self { header_padding: [0; 4], data, padding }
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecurityHeader<'static> {
        SecurityHeader {
            header_padding: self.header_padding,
            data: self.data.into_owned(),
            padding: self.padding.into_owned(),
        }
    }
}

/// A header as it is read: nothing of it allocated. Its security data went to the visitor.
#[derive(Debug)]
pub(crate) enum Raw<'a> {
    Partition(Uuid),
    Security { header_padding: [u8; 4], data: &'a [u8], padding: &'a [u8] },
    Reference { offset: u32, padding: [u8; 4] },
    Method(Method<'a>),
    Unknown { signature: Signature, body: &'a [u8] },
}

impl<'a> Raw<'a> {
    /// Reads the header at the cursor, which ends where the message ends, and checks all that can be checked without the
    /// other headers.
    pub(crate) fn parse(
        cursor: &mut Cursor<'_, 'a>,
        each: &mut dyn FnMut(Item<'a>),
    ) -> Result<Self, DecodeError> {
        let (start, left) = (cursor.offset(), cursor.remaining());
        let fail = |at, rule| Err(DecodeError::new(start, at, rule));
        let Some(head) = cursor.rest().first_chunk::<COMMON_SIZE>() else {
            return fail(&COMMON, rules::COMMON_TRUNC);
        };
        let &[a, b, c, d, e, f, g, h] = head;
        let signature = Signature(u32::from_le_bytes([a, b, c, d]));
        let size = usize_from(u32::from_le_bytes([e, f, g, h]));
        let size_at = start.saturating_add(4);
        let (at, fixed) = match signature {
            Signature::CONTAINER => return fail(&SIGNATURE, rules::CONTAINER_ONCE),
            Signature::PARTITION => (&PART, PART_SIZE),
            Signature::SECURITY => (&SECD, SECD_FIXED),
            Signature::REFERENCE => (&SECR, SECR_SIZE),
            Signature::METHOD => (&METH, METH_FIXED),
            Signature::SHORT_METHOD => (&SMTH, SMTH_FIXED),
            _ => (&UNKNOWN, COMMON_SIZE),
        };
        let rule = if !size.is_multiple_of(8) {
            Some(rules::COMMON_SIZE8)
        } else if signature == Signature::PARTITION && size != fixed {
            Some(rules::PART_SIZE)
        } else if signature == Signature::REFERENCE && size != fixed {
            Some(rules::SECR_SIZE)
        } else if left < fixed {
            Some(rules::COMMON_TRUNC)
        } else if size < fixed || size > left {
            Some(rules::COMMON_SIZE)
        } else {
            None
        };
        if let Some(rule) = rule {
            return Err(DecodeError::new(size_at, &SIZE, rule));
        }
        let mut header = cursor.sub(size, at)?;
        header.group(at, |cursor| {
            cursor.u32(&SIGNATURE)?;
            cursor.context().note(signature.name());
            cursor.u32(&SIZE)?;
            match signature {
                Signature::PARTITION => cursor.guid(&IDENTIFIER).map(Self::Partition),
                Signature::SECURITY => Self::security(cursor, each),
                Signature::REFERENCE => {
                    Ok(Self::Reference { offset: cursor.u32(&OFFSET)?, padding: filler(cursor, &PADDING)? })
                }
                Signature::METHOD => Self::method(cursor, true),
                Signature::SHORT_METHOD => Self::method(cursor, false),
                _ => Ok(Self::Unknown { signature, body: cursor.take_rest(&BODY, Format::Bytes) }),
            }
        })
    }

    fn security(cursor: &mut Cursor<'_, 'a>, each: &mut dyn FnMut(Item<'a>)) -> Result<Self, DecodeError> {
        let size_at = cursor.offset();
        let len = usize_from(cursor.u32(&DATA_SIZE)?);
        let header_padding = filler(cursor, &HEADER_PADDING)?;
        let data = cursor.rest();
        let Some(data) = data.get(..len) else {
            return Err(DecodeError::new(size_at, &DATA_SIZE, rules::SECD_DATASIZE));
        };
        security::walk(&mut cursor.sub(len, &DATA)?, each)?;
        cursor.must(cursor.remaining() < 8, cursor.offset(), &DATA_PADDING, rules::SECD_PADDING)?;
        let padding = cursor.take_rest(&DATA_PADDING, Format::Filler);
        Ok(Self::Security { header_padding, data, padding })
    }

    fn method(cursor: &mut Cursor<'_, 'a>, has_interface: bool) -> Result<Self, DecodeError> {
        let method_number = cursor.u32(&METHOD_NUMBER)?;
        let offset = cursor.offset();
        if cursor.u32(&DATA_REPRESENTATION)? != NDR {
            return Err(DecodeError::new(offset, &DATA_REPRESENTATION, rules::METH_DREP));
        }
        let offset = cursor.offset();
        let flags = cursor.flags32(&FLAGS)?;
        cursor.must(flags == COMPLETE, offset, &FLAGS, rules::METH_FLAGS)?;
        let size_at = cursor.offset();
        let len = usize_from(cursor.u32(&MARSHALED_SIZE)?);
        let offset = cursor.offset();
        let reserved = cursor.u32(&RESERVED)?;
        cursor.must(reserved == 1, offset, &RESERVED, rules::METH_RESERVED)?;
        let padding1 = filler(cursor, &PADDING1)?;
        let interface_id = if has_interface {
            let id = cursor.guid(&INTERFACE)?;
            cursor.context().note((id == IID_IDISPATCH).then_some("IID_IDispatch"));
            Some(id)
        } else {
            None
        };
        if len > cursor.remaining() {
            return Err(DecodeError::new(size_at, &MARSHALED_SIZE, rules::METH_DATASIZE));
        }
        let data = cursor.take(len, &MARSHALED, Format::Bytes)?.into();
        let padding2 = cursor.take_rest(&PADDING2, Format::Filler).into();
        Ok(Self::Method(Method { method_number, flags, reserved, padding1, interface_id, data, padding2 }))
    }

    pub(crate) fn step(&self) -> (Step, &'static At) {
        match self {
            Self::Partition(id) => (Step::Partition(*id), &PART),
            Self::Security { .. } => (Step::Security, &SECD),
            Self::Reference { .. } => (Step::Reference, &SECR),
            Self::Method(m) if m.interface_id.is_some() => (Step::Method { interface: true }, &METH),
            Self::Method(_) => (Step::Method { interface: false }, &SMTH),
            Self::Unknown { .. } => (Step::Unknown, &UNKNOWN),
        }
    }
}

fn filler(cursor: &mut Cursor<'_, '_>, at: &'static At) -> Result<[u8; 4], DecodeError> {
    cursor.take(4, at, Format::Filler).map(crate::container::array)
}

impl Header<'_> {
    /// The field Header Signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        match self {
            Self::Partition { .. } => Signature::PARTITION,
            Self::Security(_) => Signature::SECURITY,
            Self::Reference { .. } => Signature::REFERENCE,
            Self::Method(Method { interface_id: Some(_), .. }) => Signature::METHOD,
            Self::Method(_) => Signature::SHORT_METHOD,
            Self::Unknown { signature, .. } => *signature,
        }
    }

    /// The field Size: bytes of the whole header.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Partition { .. } => PART_SIZE,
            Self::Security(s) => {
                SECD_FIXED.saturating_add(s.data.encoded_len()).saturating_add(s.padding.len())
            }
            Self::Reference { .. } => SECR_SIZE,
            Self::Method(m) => m.size(),
            Self::Unknown { body, .. } => COMMON_SIZE.saturating_add(body.len()),
        }
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Header<'static> {
        match self {
            Self::Partition { identifier } => Header::Partition { identifier },
            Self::Security(s) => Header::Security(s.into_owned()),
            Self::Reference { offset, padding } => Header::Reference { offset, padding },
            Self::Method(m) => Header::Method(m.into_owned()),
            Self::Unknown { signature, body } => Header::Unknown { signature, body: body.into_owned() },
        }
    }

    pub(crate) fn step(&self) -> (Step, &'static At) {
        match self {
            Self::Partition { identifier } => (Step::Partition(*identifier), &PART),
            Self::Security(_) => (Step::Security, &SECD),
            Self::Reference { .. } => (Step::Reference, &SECR),
            Self::Method(Method { interface_id: Some(_), .. }) => (Step::Method { interface: true }, &METH),
            Self::Method(_) => (Step::Method { interface: false }, &SMTH),
            Self::Unknown { .. } => (Step::Unknown, &UNKNOWN),
        }
    }

    /// Checks what can be checked without the other headers.
    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        let size = self.size();
        if !size.is_multiple_of(8) {
            return Err(encode_error(&SIZE, rules::COMMON_SIZE8));
        }
        check_len(size, MAX_U32, &SIZE)?;
        match self {
            Self::Security(s) => s.data.check(),
            Self::Unknown { signature, .. } if signature.name().is_some() => Err(EncodeError::Invalid {
                at: &SIGNATURE,
                reason: "is that of a header with a form of its own",
            }),
            _ => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn put<B: Sink>(&self, dst: &mut B) {
        if let Self::Method(method) = self {
            return method.put(dst);
        }
        let size = len_u32(self.size());
        let signature = self.signature().0;
        match self {
            Self::Method(_) => {}
            Self::Partition { identifier } => {
                dst.put([signature, size].map(u32::to_le_bytes).as_flattened());
                dst.put(&identifier.to_bytes_le());
            }
            Self::Security(s) => {
                let len = len_u32(s.data.encoded_len());
                dst.put([signature, size, len].map(u32::to_le_bytes).as_flattened());
                dst.put(&s.header_padding);
                s.data.put(dst);
                dst.put(&s.padding);
            }
            Self::Reference { offset, padding } => {
                let [signature, size, offset] = [signature, size, *offset].map(u32::to_le_bytes);
                dst.put([signature, size, offset, *padding].as_flattened());
            }
            Self::Unknown { body, .. } => {
                dst.put([signature, size].map(u32::to_le_bytes).as_flattened());
                dst.put(body);
            }
        }
    }
}
