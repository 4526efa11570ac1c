//! The bodies of calls.

use bytes::BufMut;
use remassist_core::{At, Blob, Cursor, DecodeError, Format, usize_from};
use uuid::Uuid;

use crate::names::{Flags, Status};
use crate::wire::{ByteOrder, c706, filler};

const REQUEST: &str = "12.6.4.9";
const RESPONSE: &str = "12.6.4.10";
const FAULT: &str = "12.6.4.7";
const ALLOC_HINT: At = c706(REQUEST, "rpcconn_request_hdr_t", "alloc_hint");
const CONTEXT: At = c706(REQUEST, "rpcconn_request_hdr_t", "p_cont_id");
const OPNUM: At = c706(REQUEST, "rpcconn_request_hdr_t", "opnum");
const OBJECT: At = c706(REQUEST, "rpcconn_request_hdr_t", "object");
const STUB: At = c706(REQUEST, "rpcconn_request_hdr_t", "stub_data");
const RESPONSE_ALLOC_HINT: At = c706(RESPONSE, "rpcconn_response_hdr_t", "alloc_hint");
const RESPONSE_CONTEXT: At = c706(RESPONSE, "rpcconn_response_hdr_t", "p_cont_id");
const CANCELS: At = c706(RESPONSE, "rpcconn_response_hdr_t", "cancel_count");
const RESERVED: At = c706(RESPONSE, "rpcconn_response_hdr_t", "reserved");
const RESPONSE_STUB: At = c706(RESPONSE, "rpcconn_response_hdr_t", "stub_data");
const FAULT_ALLOC_HINT: At = c706(FAULT, "rpcconn_fault_hdr_t", "alloc_hint");
const FAULT_CONTEXT: At = c706(FAULT, "rpcconn_fault_hdr_t", "p_cont_id");
const FAULT_CANCELS: At = c706(FAULT, "rpcconn_fault_hdr_t", "cancel_count");
const FAULT_FLAGS: At = At::new("[MS-RPCE]", "2.2.2.8", "rpc_fault", "reserved");
const STATUS: At = c706(FAULT, "rpcconn_fault_hdr_t", "status");
const FAULT_RESERVED: At = c706(FAULT, "rpcconn_fault_hdr_t", "reserved2");
const FAULT_STUB: At = c706(FAULT, "rpcconn_fault_hdr_t", "stub_data");

/// Body of a request (\[C706\] 12.6.4.9): alloc_hint u32, p_cont_id u16, opnum u16, object UUID when the flag
/// [`Flags::OBJECT_UUID`] is set, stub data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Request<'a> {
    /// Bytes of stub data in this and all later fragments; 0 when not known ([MS-RPCE] 2.2.2.6).
    pub alloc_hint: u32,
    /// Presentation context.
    pub context_id: u16,
    /// Operation of the interface.
    pub opnum: u16,
    /// Object UUID; `Some` exactly when the flag is set.
    pub object: Option<Uuid>,
    /// Stub data of this fragment; encrypted at packet privacy.
    pub stub: Blob<'a>,
}

/// Body of a response (\[C706\] 12.6.4.10): alloc_hint u32, p_cont_id u16, cancel_count u8, reserved u8, stub data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Response<'a> {
    /// Bytes of stub data in this and all later fragments; 0 when not known.
    pub alloc_hint: u32,
    /// Presentation context.
    pub context_id: u16,
    /// Cancels received.
    pub cancel_count: u8,
    /// 0, ignored when read.
    pub reserved: u8,
    /// Stub data of this fragment; encrypted at packet privacy.
    pub stub: Blob<'a>,
}

/// Body of a fault (\[C706\] 12.6.4.7, [MS-RPCE] 2.2.2.8): alloc_hint u32, p_cont_id u16, cancel_count u8, reserved u8, status
/// u32, 4 reserved bytes, stub data or extended error information.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fault<'a> {
    /// 0x20 more than the bytes of extended error information, when there is some.
    pub alloc_hint: u32,
    /// Presentation context.
    pub context_id: u16,
    /// Cancels received.
    pub cancel_count: u8,
    /// Bit 0: there is extended error information.
    pub reserved: u8,
    /// Why the call failed.
    pub status: Status,
    /// Zeros, ignored when read.
    pub reserved2: [u8; 4],
    /// Extended error information, or stub data, which clients ignore.
    pub stub: Blob<'a>,
}

impl<'a> Request<'a> {
    /// The same request, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Request<'static> {
        Request { stub: self.stub.into_owned(), ..self }
    }

    pub(crate) fn parse(
        order: ByteOrder,
        flags: Flags,
        cursor: &mut Cursor<'_, 'a>,
    ) -> Result<Self, DecodeError> {
        let alloc_hint = order.u32(cursor, &ALLOC_HINT)?;
        let context_id = order.u16(cursor, &CONTEXT)?;
        let opnum = order.u16(cursor, &OPNUM)?;
        let has_object = flags.contains(Flags::OBJECT_UUID);
        let object = has_object.then(|| order.uuid(cursor, &OBJECT)).transpose()?;
        let stub = cursor.take_rest(&STUB, Format::Bytes).into();
        Ok(Self { alloc_hint, context_id, opnum, object, stub })
    }

    pub(crate) fn encoded_len(&self) -> usize {
        let object = if self.object.is_some() { 16 } else { 0_usize };
        self.stub.len().saturating_add(object).saturating_add(8)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_u32(dst, self.alloc_hint);
        order.put_u16(dst, self.context_id);
        order.put_u16(dst, self.opnum);
        if let Some(object) = &self.object {
            order.put_uuid(dst, object);
        }
        dst.put_slice(&self.stub);
    }
}

impl<'a> Response<'a> {
    /// The same response, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Response<'static> {
        Response { stub: self.stub.into_owned(), ..self }
    }

    pub(crate) fn parse(order: ByteOrder, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let alloc_hint = order.u32(cursor, &RESPONSE_ALLOC_HINT)?;
        let context_id = order.u16(cursor, &RESPONSE_CONTEXT)?;
        let cancel_count = cursor.u8(&CANCELS)?;
        let [reserved] = filler(cursor, &RESERVED)?;
        let stub = cursor.take_rest(&RESPONSE_STUB, Format::Bytes).into();
        Ok(Self { alloc_hint, context_id, cancel_count, reserved, stub })
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.stub.len().saturating_add(8)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_u32(dst, self.alloc_hint);
        order.put_u16(dst, self.context_id);
        dst.put_slice(&[self.cancel_count, self.reserved]);
        dst.put_slice(&self.stub);
    }
}

impl<'a> Fault<'a> {
    /// A fault without more information.
    #[must_use]
    pub fn new(context_id: u16, status: Status) -> Self {
        Self {
            alloc_hint: 0,
            context_id,
            cancel_count: 0,
            reserved: 0,
            status,
            reserved2: [0; 4],
            stub: Blob::default(),
        }
    }

    /// The same fault, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Fault<'static> {
        Fault { stub: self.stub.into_owned(), ..self }
    }

    /// Extended error information ([MS-EERR]), when the flag says that there is some and its length fits.
    #[must_use]
    pub fn extended_error(&self) -> Option<&[u8]> {
        let len = self.alloc_hint.checked_sub(0x20).filter(|_| self.reserved & 1 == 1)?;
        self.stub.get(..usize_from(len))
    }

    pub(crate) fn parse(order: ByteOrder, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let alloc_hint = order.u32(cursor, &FAULT_ALLOC_HINT)?;
        let context_id = order.u16(cursor, &FAULT_CONTEXT)?;
        let cancel_count = cursor.u8(&FAULT_CANCELS)?;
        let reserved = cursor.flags8(&FAULT_FLAGS)?;
        let status = Status(order.u32(cursor, &STATUS)?);
        cursor.context().note(status.name());
        let reserved2 = filler(cursor, &FAULT_RESERVED)?;
        let stub = cursor.take_rest(&FAULT_STUB, Format::Bytes).into();
        Ok(Self { alloc_hint, context_id, cancel_count, reserved, status, reserved2, stub })
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.stub.len().saturating_add(16)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_u32(dst, self.alloc_hint);
        order.put_u16(dst, self.context_id);
        dst.put_slice(&[self.cancel_count, self.reserved]);
        order.put_u32(dst, self.status.0);
        dst.put_slice(&self.reserved2);
        dst.put_slice(&self.stub);
    }
}
