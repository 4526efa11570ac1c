//! One PDU: the common header, a body, what the security provider adds.

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U16, check_len,
    len_u16,
};

use crate::bind::{Bind, BindAck, BindNak};
use crate::call::{Fault, Request, Response};
use crate::names::{Flags, PacketType};
use crate::verifier::{self, Split, Verifier};
use crate::wire::{ByteOrder, c706, rpce};

const SECTION: &str = "12.6.3.1";
pub(crate) const PDU: At = c706("12.6", "PDU", "");
const HEADER: At = c706(SECTION, "rpcconn_common_hdr_t", "");
const VERSION: At = c706(SECTION, "rpcconn_common_hdr_t", "rpc_vers");
const MINOR: At = rpce("3.3.1.5.1", "rpcconn_common_hdr_t", "rpc_vers_minor");
const PTYPE: At = c706(SECTION, "rpcconn_common_hdr_t", "PTYPE");
const FLAGS: At = c706(SECTION, "rpcconn_common_hdr_t", "pfc_flags");
const DREP: At = c706(SECTION, "rpcconn_common_hdr_t", "packed_drep");
const FRAG_LENGTH: At = c706(SECTION, "rpcconn_common_hdr_t", "frag_length");
const AUTH_LENGTH: At = c706(SECTION, "rpcconn_common_hdr_t", "auth_length");
const CALL_ID: At = c706(SECTION, "rpcconn_common_hdr_t", "call_id");
const AUTH3_PAD: At = rpce("2.2.2.10", "rpc_auth_3", "pad");
const UNKNOWN: At = c706("12.6", "PDU", "(body)");

/// Bytes of the common header.
pub const HEADER_LEN: usize = 16;

/// The field packed_drep, 4 bytes (\[C706\] 14.1): order of bytes in numbers and character set, form of floating-point numbers,
/// two reserved bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct DataRepresentation(pub [u8; 4]);

impl DataRepresentation {
    /// Little-endian, ASCII, IEEE.
    pub const LITTLE: Self = Self([0x10, 0, 0, 0]);
    /// Big-endian, ASCII, IEEE.
    pub const BIG: Self = Self([0, 0, 0, 0]);

    /// The order of bytes; `None` for values that no document defines.
    #[must_use]
    pub const fn byte_order(self) -> Option<ByteOrder> {
        match self.0[0] >> 4 {
            0 => Some(ByteOrder::Big),
            1 => Some(ByteOrder::Little),
            _ => None,
        }
    }
}

/// The first 16 bytes of every PDU (\[C706\] 12.6.3.1): rpc_vers u8 (5), rpc_vers_minor u8, PTYPE u8, pfc_flags u8,
/// packed_drep, frag_length u16, auth_length u16, call_id u32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CommonHeader {
    /// Minor version: 0.
    pub version_minor: u8,
    /// What follows.
    pub packet_type: PacketType,
    /// Flags.
    pub flags: Flags,
    /// Form of the numbers.
    pub data_representation: DataRepresentation,
    /// Bytes of the whole PDU, at least 16.
    pub frag_length: u16,
    /// Bytes of the authentication token at its end; with 0 there is no sec_trailer either.
    pub auth_length: u16,
    /// Which call.
    pub call_id: u32,
}

impl CommonHeader {
    fn order(&self) -> ByteOrder {
        self.data_representation.byte_order().unwrap_or(ByteOrder::Little)
    }

    /// Bytes after the header.
    pub(crate) fn rest(&self) -> usize {
        usize::from(self.frag_length).saturating_sub(HEADER_LEN)
    }
}

impl<'a> Decode<'a> for CommonHeader {
    const AT: &'static At = &HEADER;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&HEADER, |cursor| {
            let start = cursor.offset();
            let version = cursor.u8(&VERSION)?;
            if version != 5 {
                let kind = DecodeErrorKind::InvalidValue { got: u64::from(version) };
                return Err(DecodeError::new(start, &VERSION, kind));
            }
            let version_minor = cursor.u8(&MINOR)?;
            let kind = DecodeErrorKind::InvalidValue { got: u64::from(version_minor) };
            cursor.must(version_minor == 0, start.saturating_add(1), &MINOR, kind)?;
            let packet_type = PacketType(cursor.u8(&PTYPE)?);
            cursor.context().note(packet_type.name());
            let flags = Flags(cursor.flags8(&FLAGS)?);
            let drep_at = cursor.offset();
            let drep = cursor.take(4, &DREP, Format::Bytes)?;
            let data_representation = DataRepresentation(drep.first_chunk().copied().unwrap_or_default());
            let Some(order) = data_representation.byte_order() else {
                let kind = DecodeErrorKind::Rule("neither big-endian nor little-endian");
                return Err(DecodeError::new(drep_at, &DREP, kind));
            };
            let frag_at = cursor.offset();
            let frag_length = order.u16(cursor, &FRAG_LENGTH)?;
            if usize::from(frag_length) < HEADER_LEN {
                let kind = DecodeErrorKind::Rule("less than the common header");
                return Err(DecodeError::new(frag_at, &FRAG_LENGTH, kind));
            }
            let auth_length = order.u16(cursor, &AUTH_LENGTH)?;
            let call_id = order.u32(cursor, &CALL_ID)?;
            Ok(Self {
                version_minor,
                packet_type,
                flags,
                data_representation,
                frag_length,
                auth_length,
                call_id,
            })
        })
    }
}

impl Encode for CommonHeader {
    fn encoded_len(&self) -> usize {
        HEADER_LEN
    }

    fn check(&self) -> Result<(), EncodeError> {
        if usize::from(self.frag_length) < HEADER_LEN {
            return Err(EncodeError::Invalid { at: &FRAG_LENGTH, reason: "less than the common header" });
        }
        check_drep(self.data_representation)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        let order = self.order();
        dst.put_slice(&[5, self.version_minor, self.packet_type.0, self.flags.0]);
        dst.put_slice(&self.data_representation.0);
        order.put_u16(dst, self.frag_length);
        order.put_u16(dst, self.auth_length);
        order.put_u32(dst, self.call_id);
    }
}

fn check_drep(drep: DataRepresentation) -> Result<(), EncodeError> {
    let reason = "neither big-endian nor little-endian";
    drep.byte_order().map(|_| ()).ok_or(EncodeError::Invalid { at: &DREP, reason })
}

/// A PDU of connection-oriented RPC, which is one fragment of a request or response, or all of anything else
/// (\[C706\] 12.6, [MS-RPCE] 2.2.2.1).
///
/// frag_length, auth_length, PTYPE and auth_pad_length are not fields here: they follow from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pdu<'a> {
    /// Minor version: 0.
    pub version_minor: u8,
    /// Flags.
    pub flags: Flags,
    /// Form of the numbers in header and sec_trailer, and of the stub data.
    pub data_representation: DataRepresentation,
    /// Which call.
    pub call_id: u32,
    /// What it says.
    pub body: Body<'a>,
    /// What the security provider added.
    pub verifier: Option<Verifier<'a>>,
}

/// What a PDU says.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "type", rename_all = "snake_case"))]
pub enum Body<'a> {
    /// A fragment of the parameters of a call.
    Request(Request<'a>),
    /// A fragment of its results.
    Response(Response<'a>),
    /// A call failed.
    Fault(Fault<'a>),
    /// Presentation contexts for a new connection.
    Bind(Bind),
    /// What the server takes of them.
    BindAck(BindAck<'a>),
    /// The server takes nothing.
    BindNak(BindNak<'a>),
    /// More contexts for a connection.
    AlterContext(Bind),
    /// What the server takes of them.
    AlterContextResp(BindAck<'a>),
    /// The last token of an odd number of them ([MS-RPCE] 2.2.2.10).
    Auth3 {
        /// 4 bytes, ignored when read.
        pad: Blob<'a>,
    },
    /// The server asks the client to end the connection (\[C706\] 12.6.4.11).
    Shutdown,
    /// The client wants a call to end early (\[C706\] 12.6.4.6).
    CoCancel,
    /// The client does not wait for a call any more (\[C706\] 12.6.4.8).
    Orphaned,
    /// A type that connection-oriented RPC does not have.
    Unknown {
        /// PTYPE.
        packet_type: PacketType,
        /// All between header and verifier.
        body: Blob<'a>,
    },
}

impl<'a> Body<'a> {
    /// The field PTYPE.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Request(_) => PacketType::REQUEST,
            Self::Response(_) => PacketType::RESPONSE,
            Self::Fault(_) => PacketType::FAULT,
            Self::Bind(_) => PacketType::BIND,
            Self::BindAck(_) => PacketType::BIND_ACK,
            Self::BindNak(_) => PacketType::BIND_NAK,
            Self::AlterContext(_) => PacketType::ALTER_CONTEXT,
            Self::AlterContextResp(_) => PacketType::ALTER_CONTEXT_RESP,
            Self::Auth3 { .. } => PacketType::AUTH3,
            Self::Shutdown => PacketType::SHUTDOWN,
            Self::CoCancel => PacketType::CO_CANCEL,
            Self::Orphaned => PacketType::ORPHANED,
            Self::Unknown { packet_type, .. } => *packet_type,
        }
    }

    /// The same body, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Body<'static> {
        match self {
            Self::Request(body) => Body::Request(body.into_owned()),
            Self::Response(body) => Body::Response(body.into_owned()),
            Self::Fault(body) => Body::Fault(body.into_owned()),
            Self::Bind(body) => Body::Bind(body),
            Self::BindAck(body) => Body::BindAck(body.into_owned()),
            Self::BindNak(body) => Body::BindNak(body.into_owned()),
            Self::AlterContext(body) => Body::AlterContext(body),
            Self::AlterContextResp(body) => Body::AlterContextResp(body.into_owned()),
            Self::Auth3 { pad } => Body::Auth3 { pad: pad.into_owned() },
            Self::Shutdown => Body::Shutdown,
            Self::CoCancel => Body::CoCancel,
            Self::Orphaned => Body::Orphaned,
            Self::Unknown { packet_type, body } => Body::Unknown { packet_type, body: body.into_owned() },
        }
    }

    /// Reads the body; what is left of the cursor does not belong to it.
    fn parse(header: &CommonHeader, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let order = header.order();
        let body = match header.packet_type {
            PacketType::REQUEST => Self::Request(Request::parse(order, header.flags, cursor)?),
            PacketType::RESPONSE => Self::Response(Response::parse(order, cursor)?),
            PacketType::FAULT => Self::Fault(Fault::parse(order, cursor)?),
            PacketType::BIND => Self::Bind(Bind::parse(order, cursor)?),
            PacketType::BIND_ACK => Self::BindAck(BindAck::parse(order, cursor)?),
            PacketType::BIND_NAK => Self::BindNak(BindNak::parse(order, cursor)?),
            PacketType::ALTER_CONTEXT => Self::AlterContext(Bind::parse(order, cursor)?),
            PacketType::ALTER_CONTEXT_RESP => Self::AlterContextResp(BindAck::parse(order, cursor)?),
            PacketType::AUTH3 => {
                let start = cursor.offset();
                let pad = cursor.take_rest(&AUTH3_PAD, Format::Filler);
                cursor.must(pad.len() == 4, start, &AUTH3_PAD, DecodeErrorKind::Rule("not 4 bytes"))?;
                let token = header.auth_length > 0;
                cursor.must(token, start, &AUTH3_PAD, DecodeErrorKind::Rule("no token follows"))?;
                Self::Auth3 { pad: pad.into() }
            }
            PacketType::SHUTDOWN => Self::Shutdown,
            PacketType::CO_CANCEL => Self::CoCancel,
            PacketType::ORPHANED => Self::Orphaned,
            packet_type => {
                let start = cursor.offset();
                let kind = DecodeErrorKind::Rule("no type of connection-oriented RPC");
                cursor.must(false, start, &PTYPE, kind)?;
                let body = cursor.take_rest(&UNKNOWN, Format::Bytes).into();
                Self::Unknown { packet_type, body }
            }
        };
        Ok(body)
    }

    /// Whether a sec_trailer without token may follow.
    const fn is_answer(&self) -> bool {
        matches!(self, Self::BindAck(_) | Self::AlterContextResp(_))
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Request(body) => body.encoded_len(),
            Self::Response(body) => body.encoded_len(),
            Self::Fault(body) => body.encoded_len(),
            Self::Bind(body) | Self::AlterContext(body) => body.encoded_len(),
            Self::BindAck(body) | Self::AlterContextResp(body) => body.encoded_len(),
            Self::BindNak(body) => body.encoded_len(),
            Self::Auth3 { pad } => pad.len(),
            Self::Shutdown | Self::CoCancel | Self::Orphaned => 0,
            Self::Unknown { body, .. } => body.len(),
        }
    }

    fn check(&self, flags: Flags) -> Result<(), EncodeError> {
        match self {
            Self::Request(body) if body.object.is_some() != flags.contains(Flags::OBJECT_UUID) => {
                let reason = "PFC_OBJECT_UUID does not tell whether there is an object UUID";
                Err(EncodeError::Invalid { at: &FLAGS, reason })
            }
            Self::Bind(body) | Self::AlterContext(body) => body.check(),
            Self::BindAck(body) | Self::AlterContextResp(body) => body.check(),
            Self::BindNak(body) => body.check(),
            Self::Unknown { packet_type, .. } if is_known(*packet_type) => {
                Err(EncodeError::Invalid { at: &PTYPE, reason: "a type that has a body of its own" })
            }
            _ => Ok(()),
        }
    }

    fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        match self {
            Self::Request(body) => body.write(order, dst),
            Self::Response(body) => body.write(order, dst),
            Self::Fault(body) => body.write(order, dst),
            Self::Bind(body) | Self::AlterContext(body) => body.write(order, dst),
            Self::BindAck(body) | Self::AlterContextResp(body) => body.write(order, dst),
            Self::BindNak(body) => body.write(order, dst),
            Self::Auth3 { pad } => dst.put_slice(pad),
            Self::Shutdown | Self::CoCancel | Self::Orphaned => {}
            Self::Unknown { body, .. } => dst.put_slice(body),
        }
    }
}

/// Whether a type has a body of its own; no other type has a name.
fn is_known(packet_type: PacketType) -> bool {
    packet_type.name().is_some()
}

impl<'a> Pdu<'a> {
    /// A PDU of version 5.0, little-endian, without verifier.
    #[must_use]
    pub fn new(flags: Flags, call_id: u32, body: Body<'a>) -> Self {
        let data_representation = DataRepresentation::LITTLE;
        Self { version_minor: 0, flags, data_representation, call_id, body, verifier: None }
    }

    /// The same PDU, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Pdu<'static> {
        Pdu { body: self.body.into_owned(), verifier: self.verifier.map(Verifier::into_owned), ..self }
    }

    /// The first 16 bytes as they are written; lengths that do not fit are cut.
    #[must_use]
    pub fn header(&self) -> CommonHeader {
        CommonHeader {
            version_minor: self.version_minor,
            packet_type: self.body.packet_type(),
            flags: self.flags,
            data_representation: self.data_representation,
            frag_length: len_u16(self.encoded_len()),
            auth_length: len_u16(self.verifier.as_ref().map_or(0, |v| v.token.len())),
            call_id: self.call_id,
        }
    }
}

impl<'a> Decode<'a> for Pdu<'a> {
    const AT: &'static At = &PDU;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let header = CommonHeader::parse(cursor)?;
        let mut rest = cursor.sub(header.rest(), &FRAG_LENGTH)?;
        let (body, verifier) = if header.auth_length == 0 {
            let body = Body::parse(&header, &mut rest)?;
            let verifier = bare_verifier(&header, &body, &mut rest)?;
            rest.finish(&PDU)?;
            (body, verifier)
        } else {
            let split = Split::find(&rest, header.auth_length, &AUTH_LENGTH)?;
            let mut inner = rest.sub(split.body, &PDU)?;
            let body = Body::parse(&header, &mut inner)?;
            inner.finish(&PDU)?;
            (body, Some(split.parse(header.order(), &mut rest)?))
        };
        Ok(Self {
            version_minor: header.version_minor,
            flags: header.flags,
            data_representation: header.data_representation,
            call_id: header.call_id,
            body,
            verifier,
        })
    }
}

/// The sec_trailer with auth_length 0 with which Samba ends an exchange that has no last token. [MS-RPCE] 2.2.2.11 leaves it
/// out.
fn bare_verifier<'a>(
    header: &CommonHeader,
    body: &Body<'a>,
    rest: &mut Cursor<'_, 'a>,
) -> Result<Option<Verifier<'a>>, DecodeError> {
    if !body.is_answer() || rest.remaining() < verifier::LEN {
        return Ok(None);
    }
    let split = Split::find(rest, 0, &AUTH_LENGTH)?;
    if split.body != 0 {
        return Ok(None);
    }
    let kind = DecodeErrorKind::Rule("a sec_trailer without token");
    rest.must(false, rest.offset(), &verifier::TRAILER, kind)?;
    split.parse(header.order(), rest).map(Some)
}

impl Encode for Pdu<'_> {
    fn encoded_len(&self) -> usize {
        let verifier = self.verifier.as_ref().map_or(0, Verifier::encoded_len);
        HEADER_LEN.saturating_add(self.body.encoded_len()).saturating_add(verifier)
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_drep(self.data_representation)?;
        self.body.check(self.flags)?;
        self.verifier.as_ref().map_or(Ok(()), |verifier| verifier.check(self.body.is_answer()))?;
        check_len(self.encoded_len(), MAX_U16, &FRAG_LENGTH)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        let header = self.header();
        header.write(dst);
        self.body.write(header.order(), dst);
        if let Some(verifier) = &self.verifier {
            verifier.write(header.order(), dst);
        }
    }
}
