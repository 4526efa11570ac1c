//! What the methods of RemoteRead ask and answer ([MS-MQRR] 6), in the order of the IDL.

use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind, usize_from};
use rpc_net::SyntaxId;
use uuid::{Uuid, uuid};

use crate::rpc::macros::wires;
use crate::rpc::{ContextHandle, MqStatus, Octets, QueueFormat};

/// RemoteRead, version 1.0 ([MS-MQRR] 1.9).
pub const REMOTE_READ: SyntaxId = SyntaxId::new(uuid!("1a9134dd-7b39-45ba-ad88-44d01ca47f28"), 1, 0);

/// Numbers of the methods.
pub mod opnum {
    /// R_GetServerPort.
    pub const GET_SERVER_PORT: u16 = 0;
    /// R_OpenQueue.
    pub const OPEN_QUEUE: u16 = 2;
    /// R_CloseQueue.
    pub const CLOSE_QUEUE: u16 = 3;
    /// R_CreateCursor.
    pub const CREATE_CURSOR: u16 = 4;
    /// R_CloseCursor.
    pub const CLOSE_CURSOR: u16 = 5;
    /// R_PurgeQueue.
    pub const PURGE_QUEUE: u16 = 6;
    /// R_StartReceive.
    pub const START_RECEIVE: u16 = 7;
    /// R_CancelReceive.
    pub const CANCEL_RECEIVE: u16 = 8;
    /// R_EndReceive.
    pub const END_RECEIVE: u16 = 9;
}

/// dwAccess of R_OpenQueue: receive and peek.
pub const RECEIVE_ACCESS: u32 = 0x01;
/// dwAccess of R_OpenQueue: peek only.
pub const PEEK_ACCESS: u32 = 0x20;
/// dwShareMode: any number of handles.
pub const MQ_DENY_NONE: u32 = 0;
/// dwShareMode: one handle.
pub const MQ_DENY_SHARE: u32 = 1;
/// dwAck of R_EndReceive: the message was not received, and stays.
pub const RR_NACK: u32 = 1;
/// dwAck of R_EndReceive: the message was received, and goes.
pub const RR_ACK: u32 = 2;

/// ulAction of R_StartReceive ([MS-MQRR] 3.1.4.7).
pub mod action {
    /// Receive the first message, or that at the cursor.
    pub const RECEIVE: u32 = 0x0000_0000;
    /// Peek the first message, or that at the cursor.
    pub const PEEK_CURRENT: u32 = 0x8000_0000;
    /// Move the cursor, and peek.
    pub const PEEK_NEXT: u32 = 0x8000_0001;
    /// Peek the message of a lookup identifier.
    pub const LOOKUP_PEEK_CURRENT: u32 = 0x4000_0010;
    /// Peek the one behind it.
    pub const LOOKUP_PEEK_NEXT: u32 = 0x4000_0011;
    /// Peek the one before it.
    pub const LOOKUP_PEEK_PREV: u32 = 0x4000_0012;
    /// Receive the message of a lookup identifier.
    pub const LOOKUP_RECEIVE_CURRENT: u32 = 0x4000_0020;
    /// Receive the one behind it.
    pub const LOOKUP_RECEIVE_NEXT: u32 = 0x4000_0021;
    /// Receive the one before it.
    pub const LOOKUP_RECEIVE_PREV: u32 = 0x4000_0022;
}

wires! {
    /// The result of R_GetServerPort: a port, 0 in failures.
    params GetServerPortResponse, "[MS-MQRR]" "3.1.4.1" "R_GetServerPort" {
        /// The port.
        "port" port: u32;
    }

    /// The \[in\] parameters of R_OpenQueue ([MS-MQRR] 3.1.4.2).
    params OpenQueueRequest, "[MS-MQRR]" "3.1.4.2" "R_OpenQueue" {
        /// pQueueFormat.
        "pQueueFormat" queue: QueueFormat;
        /// dwAccess: [`RECEIVE_ACCESS`] or [`PEEK_ACCESS`].
        "dwAccess" access: u32;
        /// dwShareMode: [`MQ_DENY_NONE`] or [`MQ_DENY_SHARE`].
        "dwShareMode" share_mode: u32;
        /// pClientId: the client's queue manager.
        "pClientId" client_id: Uuid;
        /// fNonRoutingServer: 1 unless the client is a routing server.
        "fNonRoutingServer" non_routing_server: i32;
        /// Major: version of the client.
        "Major" major: u8;
        /// Minor.
        "Minor" minor: u8;
        /// BuildNumber.
        "BuildNumber" build_number: u16;
        /// fWorkgroup: 1 where the client is in no domain.
        "fWorkgroup" workgroup: i32;
    }

    /// The \[out\] parameter of R_OpenQueue, 20 bytes. It fails by a fault with the HRESULT as status.
    params OpenQueueResponse, "[MS-MQRR]" "3.1.4.2" "R_OpenQueue" {
        /// pphContext.
        "pphContext" context: ContextHandle;
    }

    /// A context handle alone: what R_CloseQueue, R_CreateCursor and R_PurgeQueue ask.
    params ContextRequest, "[MS-MQRR]" "3.1.4.3" "RemoteRead" {
        /// phContext.
        "phContext" context: ContextHandle;
    }

    /// What R_CloseQueue answers.
    params CloseQueueResponse, "[MS-MQRR]" "3.1.4.3" "R_CloseQueue" {
        /// pphContext: none when it was closed.
        "pphContext" context: ContextHandle;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// What R_CreateCursor answers.
    params CreateCursorResponse, "[MS-MQRR]" "3.1.4.4" "R_CreateCursor" {
        /// phCursor.
        "phCursor" cursor: u32;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of R_CloseCursor.
    params CloseCursorRequest, "[MS-MQRR]" "3.1.4.5" "R_CloseCursor" {
        /// phContext.
        "phContext" context: ContextHandle;
        /// hCursor.
        "hCursor" cursor: u32;
    }

    /// The \[in\] parameters of R_StartReceive ([MS-MQRR] 3.1.4.7).
    params StartReceiveRequest, "[MS-MQRR]" "3.1.4.7" "R_StartReceive" {
        /// phContext.
        "phContext" context: ContextHandle;
        /// LookupId: 0 for none.
        "LookupId" lookup_id: u64;
        /// hCursor: 0 for none.
        "hCursor" cursor: u32;
        /// ulAction: see [`action`].
        "ulAction" action: u32;
        /// ulTimeout, in milliseconds.
        "ulTimeout" timeout: u32;
        /// dwRequestId: the client's number of this request.
        "dwRequestId" request_id: u32;
        /// dwMaxBodySize: so many bytes of the body are wanted.
        "dwMaxBodySize" max_body_size: u32;
        /// dwMaxCompoundMessageSize: the same for messages of SRMP.
        "dwMaxCompoundMessageSize" max_compound_message_size: u32;
    }

    /// What R_StartReceive answers.
    params StartReceiveResponse, "[MS-MQRR]" "3.1.4.7" "R_StartReceive" {
        /// pdwArriveTime: seconds since 1970 (UTC).
        "pdwArriveTime" arrive_time: u32;
        /// pSequenceId: the lower 7 bytes of the lookup identifier.
        "pSequenceId" sequence_id: u64;
        /// pdwNumberOfSections.
        "pdwNumberOfSections" number_of_sections: u32;
        /// ppPacketSections: the message packet, at most two sections.
        "ppPacketSections" sections: Option<Vec<SectionBuffer>>;
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The \[in\] parameters of R_CancelReceive.
    params CancelReceiveRequest, "[MS-MQRR]" "3.1.4.8" "R_CancelReceive" {
        /// phContext.
        "phContext" context: ContextHandle;
        /// dwRequestId.
        "dwRequestId" request_id: u32;
    }

    /// The \[in\] parameters of R_EndReceive.
    params EndReceiveRequest, "[MS-MQRR]" "3.1.4.9" "R_EndReceive" {
        /// phContext.
        "phContext" context: ContextHandle;
        /// dwAck: [`RR_ACK`] or [`RR_NACK`].
        "dwAck" ack: u32;
        /// dwRequestId.
        "dwRequestId" request_id: u32;
    }
}

/// SectionType ([MS-MQRR] 2.2.7), 16 bits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SectionType(pub u16);

impl SectionType {
    /// stFullPacket: the whole message packet.
    pub const FULL_PACKET: Self = Self(0);
    /// stBinaryFirstSection: up to the part of the body that was wanted.
    pub const BINARY_FIRST: Self = Self(1);
    /// stBinarySecondSection: what follows the body.
    pub const BINARY_SECOND: Self = Self(2);
    /// stSrmpFirstSection: the same of a message of SRMP.
    pub const SRMP_FIRST: Self = Self(3);
    /// stSrmpSecondSection: the same of a message of SRMP.
    pub const SRMP_SECOND: Self = Self(4);

    /// The specification's name of the value, `None` when it has none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::FULL_PACKET => "stFullPacket",
            Self::BINARY_FIRST => "stBinaryFirstSection",
            Self::BINARY_SECOND => "stBinarySecondSection",
            Self::SRMP_FIRST => "stSrmpFirstSection",
            Self::SRMP_SECOND => "stSrmpSecondSection",
            _ => return None,
        })
    }
}

/// SectionBuffer ([MS-MQRR] 2.2.6): SectionBufferType u16, SectionSizeAlloc u32, SectionSize u32, pSectionBuffer.
///
/// Decoding fails where SectionSize is not the size of the buffer, SectionSizeAlloc is smaller, or there is no buffer.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SectionBuffer {
    /// SectionBufferType.
    pub kind: SectionType,
    /// SectionSizeAlloc: bytes of the section, had the body been wanted whole.
    pub size_alloc: u32,
    /// pSectionBuffer.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SectionBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SectionBuffer({:?}, {} of {} bytes)", self.kind.name(), self.bytes.len(), self.size_alloc)
    }
}

static SECTION: At = At::new("[MS-MQRR]", "2.2.6", "SectionBuffer", "");
static KIND: At = At::new("[MS-MQRR]", "2.2.6", "SectionBuffer", "SectionBufferType");
static ALLOC: At = At::new("[MS-MQRR]", "2.2.6", "SectionBuffer", "SectionSizeAlloc");
static SIZE: At = At::new("[MS-MQRR]", "2.2.6", "SectionBuffer", "SectionSize");
static BUFFER: At = At::new("[MS-MQRR]", "2.2.6", "SectionBuffer", "pSectionBuffer");

impl<'a> Ndr<'a> for SectionBuffer {
    /// Type, SectionSizeAlloc, SectionSize, and where that stood.
    type Head = (SectionType, u32, u32, usize);
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self::Head, DecodeError> {
        r.align(4)?;
        r.group(&SECTION, |r| {
            let kind = SectionType(r.u16(&KIND)?);
            r.note(kind.name());
            let alloc = r.u32(&ALLOC)?;
            let offset = r.offset();
            let size = r.u32(&SIZE)?;
            if size > alloc {
                let kind = DecodeErrorKind::OutOfBounds { got: size.into(), max: usize_from(alloc) };
                return Err(DecodeError::new(offset, &SIZE, kind));
            }
            r.reference(&BUFFER)?;
            Ok((kind, alloc, size, offset))
        })
    }

    fn tail(head: Self::Head, r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        let (kind, size_alloc, size, offset) = head;
        let bytes = r.value::<Octets>(&BUFFER)?.0;
        if bytes.len() != usize_from(size) {
            let kind = DecodeErrorKind::OutOfBounds { got: size.into(), max: bytes.len() };
            return Err(DecodeError::new(offset, &SIZE, kind));
        }
        Ok(Self { kind, size_alloc, bytes })
    }

    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.align(4);
        w.u16(self.kind.0);
        w.u32(self.size_alloc);
        w.len(self.bytes.len(), at);
        w.referent(true);
    }

    fn put_tail(&self, w: &mut Writer<'_>, _: &'static At) {
        w.len(self.bytes.len(), &BUFFER);
        w.bytes(&self.bytes);
    }
}
