//! Types that all interfaces have.

use ndr_oaut::{Ndr, Reader, WideString, Writer, wire};
use remassist_core::{At, DecodeError, DecodeErrorKind, Format, usize_from};
use uuid::Uuid;

use super::macros::wires;
use super::status::MqStatus;

impl<'a> Ndr<'a> for MqStatus {
    type Head = Self;
    const ALIGN: usize = 4;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let value = Self(r.u32(at)?);
        r.note(value.name());
        Ok(value)
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.u32(self.0);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// A string of 16-bit characters with its terminator (`[string] wchar_t*`, the referent), as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text(pub String);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl<'a> Ndr<'a> for Text {
    type Head = Self;
    const ALIGN: usize = 4;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let text = WideString::head(r, at)?;
        let rule = DecodeErrorKind::Rule("a string is not well-formed UTF-16 with a NUL at its end only");
        let whole = Some(&text.0).filter(|text| text.is_terminated());
        whole.and_then(|text| text.before_nul().to_text().ok()).map(Self).ok_or_else(|| r.error(at, rule))
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.need(!self.0.contains('\0'), at, "a NUL in a text");
        WideString::new(&self.0).put_head(w, at);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// A conformant array of bytes (`[size_is] byte*`, the referent): their number (4 bytes), then the bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Octets(pub Vec<u8>);

impl<'a> Ndr<'a> for Octets {
    type Head = Self;
    const ALIGN: usize = 4;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let count = r.u32(at)?;
        r.bytes(usize_from(count), at, Format::Bytes).map(|bytes| Self(bytes.into()))
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.len(self.0.len(), at);
        w.bytes(&self.0);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Octets({} bytes)", self.0.len())
    }
}

/// An RPC context handle (\[C706\] 14.3.5), 20 bytes; all zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ContextHandle {
    /// context_handle_attributes: 0.
    pub attributes: u32,
    /// context_handle_uuid.
    pub id: Uuid,
}

impl ContextHandle {
    /// None.
    pub const NULL: Self = Self { attributes: 0, id: Uuid::nil() };

    /// A handle of this number.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self { attributes: 0, id }
    }
}

wire! {
    struct 'a ContextHandle, "[C706]" "14.3.5" "ndr_context_handle", |v, _r|
    "context_handle_attributes" attributes: u32 = v.attributes;
    "context_handle_uuid" id: Uuid = v.id;
    => Ok(Self { attributes, id })
}

wires! {
    /// OBJECTID ([MS-MQMQ] 2.2.8), 20 bytes.
    struct ObjectId, "[MS-MQMQ]" "2.2.8" "OBJECTID" {
        /// Lineage.
        "Lineage" lineage: Uuid;
        /// Uniquifier.
        "Uniquifier" uniquifier: u32;
    }

    /// What a method without \[out\] parameters answers, 4 bytes.
    params StatusOnly, "[MS-RPCE]" "2.2.2" "response" {
        /// The HRESULT.
        "HRESULT" status: MqStatus;
    }

    /// The parameters of a method that has none but its binding: no bytes.
    params Nothing, "[MS-RPCE]" "2.2.2" "request" {}
}

impl From<comqc_session::MessageId> for ObjectId {
    fn from(id: comqc_session::MessageId) -> Self {
        Self { lineage: id.lineage, uniquifier: id.uniquifier }
    }
}

impl From<ObjectId> for comqc_session::MessageId {
    fn from(id: ObjectId) -> Self {
        Self { lineage: id.lineage, uniquifier: id.uniquifier }
    }
}

/// XACTUOW ([MS-MQMQ] 2.2.18.1.8), 16 bytes: a transaction; all zero is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XactUow(pub [u8; 16]);

impl<'a> Ndr<'a> for XactUow {
    type Head = Self;
    const ALIGN: usize = 1;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        let bytes = r.bytes(16, at, Format::Bytes)?;
        Ok(Self(bytes.first_chunk().copied().unwrap_or_default()))
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.bytes(&self.0);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}
