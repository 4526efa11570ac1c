//! Presentation contexts: what a client offers and what a server takes.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U16, check_len, len_u16,
};
use uuid::{Uuid, uuid};

use crate::names::{ContextReason, ContextResult, RejectReason};
use crate::syntax::SyntaxId;
use crate::wire::{ByteOrder, c706, filler, padding, rpce};

const BIND: &str = "12.6.4.3";
const ACK: &str = "12.6.4.4";
const LIST: &str = "12.6.3.1";
const MAX_XMIT: At = c706(BIND, "rpcconn_bind_hdr_t", "max_xmit_frag");
const MAX_RECV: At = c706(BIND, "rpcconn_bind_hdr_t", "max_recv_frag");
const GROUP: At = c706(BIND, "rpcconn_bind_hdr_t", "assoc_group_id");
const CONTEXTS: At = c706(LIST, "p_cont_list_t", "n_context_elem");
const LIST_RESERVED: At = c706(LIST, "p_cont_list_t", "reserved");
const ELEMENT: At = c706(LIST, "p_cont_elem_t", "");
const ID: At = c706(LIST, "p_cont_elem_t", "p_cont_id");
const SYNTAXES: At = c706(LIST, "p_cont_elem_t", "n_transfer_syn");
const ELEMENT_RESERVED: At = c706(LIST, "p_cont_elem_t", "reserved");
const ABSTRACT: At = c706(LIST, "p_cont_elem_t", "abstract_syntax");
const TRANSFER: At = c706(LIST, "p_cont_elem_t", "transfer_syntaxes");
const ADDRESS_LENGTH: At = c706(LIST, "port_any_t", "length");
const ADDRESS: At = c706(LIST, "port_any_t", "port_spec");
const ADDRESS_PAD: At = c706(ACK, "rpcconn_bind_ack_hdr_t", "pad2");
const RESULTS: At = c706(LIST, "p_result_list_t", "n_results");
const RESULTS_RESERVED: At = c706(LIST, "p_result_list_t", "reserved");
const RESULT: At = c706(LIST, "p_result_t", "");
const RESULT_CODE: At = c706(LIST, "p_result_t", "result");
const RESULT_REASON: At = c706(LIST, "p_result_t", "reason");
const RESULT_SYNTAX: At = c706(LIST, "p_result_t", "transfer_syntax");
const REJECT: At = c706("12.6.4.5", "rpcconn_bind_nak_hdr_t", "provider_reject_reason");
const PROTOCOLS: At = rpce("2.2.1.1.6", "p_rt_versions_supported_t", "n_protocols");
const PROTOCOL: At = rpce("2.2.1.1.6", "p_rt_versions_supported_t", "p_protocols");
const NAK_TAIL: At = rpce("2.2.2.9", "bind_nak", "Signature");

/// The Signature of a bind_nak with extended error information ([MS-RPCE] 2.2.1.1.2).
pub const EXTENDED_ERROR_SIGNATURE: Uuid = uuid!("90740320-fad0-11d3-82d7-009027b130ab");

/// Body of bind and alter_context (\[C706\] 12.6.4.3, 12.6.4.1): max_xmit_frag u16, max_recv_frag u16, assoc_group_id u32,
/// n_context_elem u8, 3 reserved bytes, contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bind {
    /// The largest fragment that the client will send, in bytes.
    pub max_xmit_frag: u16,
    /// The largest fragment that the client can receive, in bytes.
    pub max_recv_frag: u16,
    /// The association that the connection joins; 0 asks for a new one.
    pub assoc_group_id: u32,
    /// Zeros, ignored when read.
    pub reserved: [u8; 3],
    /// At most 255.
    pub contexts: Vec<PresentationContext>,
}

/// An interface with the transfer syntaxes offered for it: p_cont_elem_t (\[C706\] 12.6.3.1): p_cont_id u16,
/// n_transfer_syn u8, reserved u8, abstract syntax, transfer syntaxes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PresentationContext {
    /// How requests name it.
    pub id: u16,
    /// 0, ignored when read.
    pub reserved: u8,
    /// The interface.
    pub abstract_syntax: SyntaxId,
    /// At most 255.
    pub transfer_syntaxes: Vec<SyntaxId>,
}

impl PresentationContext {
    /// A context with one transfer syntax, as [MS-RPCE] 3.3.1.5.6 wants it.
    #[must_use]
    pub fn new(id: u16, interface: SyntaxId, transfer: SyntaxId) -> Self {
        Self { id, reserved: 0, abstract_syntax: interface, transfer_syntaxes: Vec::from([transfer]) }
    }
}

/// Body of bind_ack and alter_context_resp (\[C706\] 12.6.4.4, 12.6.4.2): max_xmit_frag u16, max_recv_frag u16,
/// assoc_group_id u32, length u16, secondary address, padding to a multiple of 4, n_results u8, 3 reserved bytes, results
/// of 24 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BindAck<'a> {
    /// The largest fragment that the server will send, in bytes.
    pub max_xmit_frag: u16,
    /// The largest fragment that the server can receive, in bytes.
    pub max_recv_frag: u16,
    /// The association of the connection.
    pub assoc_group_id: u32,
    /// Secondary address, a port as text with its NUL; no meaning ([MS-RPCE] 3.3.1.5.5). At most 65,535 bytes.
    pub secondary_address: Blob<'a>,
    /// 0 to 3 bytes up to a multiple of 4, ignored when read.
    pub padding: Blob<'a>,
    /// Zeros, ignored when read.
    pub reserved: [u8; 3],
    /// One for each context offered, in the same order; at most 255.
    pub results: Vec<PresentationResult>,
}

/// What became of one context: p_result_t (\[C706\] 12.6.3.1), 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PresentationResult {
    /// Accepted or not.
    pub result: ContextResult,
    /// A [`ContextReason`]; with [`ContextResult::NEGOTIATE_ACK`] the features
    /// ([MS-RPCE] 2.2.2.15).
    pub reason: ContextReason,
    /// The syntax chosen; all zero when there is none.
    pub transfer_syntax: SyntaxId,
}

/// Body of bind_nak (\[C706\] 12.6.4.5, [MS-RPCE] 2.2.2.9): provider_reject_reason u16, n_protocols u8, that many versions
/// of 2 bytes, the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BindNak<'a> {
    /// Why.
    pub reason: RejectReason,
    /// Versions that the server speaks, major and minor; at most 255.
    pub versions: Vec<[u8; 2]>,
    /// Padding, Signature and extended error information, when there are any.
    pub tail: Blob<'a>,
}

impl Bind {
    pub(crate) fn parse(order: ByteOrder, cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        let max_xmit_frag = order.u16(cursor, &MAX_XMIT)?;
        let max_recv_frag = order.u16(cursor, &MAX_RECV)?;
        let assoc_group_id = order.u32(cursor, &GROUP)?;
        let count_at = cursor.offset();
        let count = cursor.u8(&CONTEXTS)?;
        // "At least one": but a client that only goes on with an exchange of tokens may send none.
        cursor.must(count > 0, count_at, &CONTEXTS, DecodeErrorKind::Rule("no presentation context"))?;
        let reserved = filler(cursor, &LIST_RESERVED)?;
        let mut contexts = Vec::new();
        for _ in 0..count {
            contexts.push(cursor.group(&ELEMENT, |cursor| {
                let id = order.u16(cursor, &ID)?;
                let count = cursor.u8(&SYNTAXES)?;
                let [reserved] = filler(cursor, &ELEMENT_RESERVED)?;
                let abstract_syntax = cursor.group(&ABSTRACT, |c| SyntaxId::parse(order, c))?;
                let mut transfer_syntaxes = Vec::new();
                for _ in 0..count {
                    transfer_syntaxes.push(cursor.group(&TRANSFER, |c| SyntaxId::parse(order, c))?);
                }
                Ok(PresentationContext { id, reserved, abstract_syntax, transfer_syntaxes })
            })?);
        }
        Ok(Self { max_xmit_frag, max_recv_frag, assoc_group_id, reserved, contexts })
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.contexts.iter().fold(12, |len, context| {
            let syntaxes = SyntaxId::LEN.saturating_mul(context.transfer_syntaxes.len());
            len.saturating_add(24).saturating_add(syntaxes)
        })
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        check_len(self.contexts.len(), usize::from(u8::MAX), &CONTEXTS)?;
        let mut each = self.contexts.iter();
        each.try_for_each(|c| check_len(c.transfer_syntaxes.len(), usize::from(u8::MAX), &SYNTAXES))
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_u16(dst, self.max_xmit_frag);
        order.put_u16(dst, self.max_recv_frag);
        order.put_u32(dst, self.assoc_group_id);
        dst.put_u8(len_u8(self.contexts.len()));
        dst.put_slice(&self.reserved);
        for context in &self.contexts {
            order.put_u16(dst, context.id);
            dst.put_slice(&[len_u8(context.transfer_syntaxes.len()), context.reserved]);
            context.abstract_syntax.write(order, dst);
            context.transfer_syntaxes.iter().for_each(|syntax| syntax.write(order, dst));
        }
    }
}

impl BindAck<'_> {
    /// An answer; `secondary_address` with its NUL, or empty.
    #[must_use]
    pub fn new(
        fragments: (u16, u16),
        assoc_group_id: u32,
        secondary_address: Vec<u8>,
        results: Vec<PresentationResult>,
    ) -> Self {
        let zeros: Vec<u8> = core::iter::repeat_n(0, address_padding(secondary_address.len())).collect();
        Self {
            max_xmit_frag: fragments.0,
            max_recv_frag: fragments.1,
            assoc_group_id,
            secondary_address: secondary_address.into(),
            padding: zeros.into(),
            reserved: [0; 3],
            results,
        }
    }

    /// The same answer, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> BindAck<'static> {
        BindAck {
            secondary_address: self.secondary_address.into_owned(),
            padding: self.padding.into_owned(),
            results: self.results,
            ..self
        }
    }

    pub(crate) fn encoded_len(&self) -> usize {
        let results = self.results.len().saturating_mul(24);
        let address = self.secondary_address.len().saturating_add(self.padding.len());
        address.saturating_add(results).saturating_add(14)
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        check_len(self.secondary_address.len(), MAX_U16, &ADDRESS)?;
        if self.padding.len() != address_padding(self.secondary_address.len()) {
            let reason = "the padding does not end at a multiple of 4";
            return Err(EncodeError::Invalid { at: &ADDRESS_PAD, reason });
        }
        check_len(self.results.len(), usize::from(u8::MAX), &RESULTS)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_u16(dst, self.max_xmit_frag);
        order.put_u16(dst, self.max_recv_frag);
        order.put_u32(dst, self.assoc_group_id);
        order.put_u16(dst, len_u16(self.secondary_address.len()));
        dst.put_slice(&self.secondary_address);
        dst.put_slice(&self.padding);
        dst.put_u8(len_u8(self.results.len()));
        dst.put_slice(&self.reserved);
        for result in &self.results {
            order.put_u16(dst, result.result.0);
            order.put_u16(dst, result.reason.0);
            result.transfer_syntax.write(order, dst);
        }
    }
}

impl<'a> BindAck<'a> {
    pub(crate) fn parse(order: ByteOrder, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let max_xmit_frag = order.u16(cursor, &MAX_XMIT)?;
        let max_recv_frag = order.u16(cursor, &MAX_RECV)?;
        let assoc_group_id = order.u32(cursor, &GROUP)?;
        let len = usize::from(order.u16(cursor, &ADDRESS_LENGTH)?);
        let secondary_address = cursor.take(len, &ADDRESS, Format::Bytes)?.into();
        let padding = cursor.take(address_padding(len), &ADDRESS_PAD, Format::Filler)?.into();
        let count = cursor.u8(&RESULTS)?;
        let reserved = filler(cursor, &RESULTS_RESERVED)?;
        let mut results = Vec::new();
        for _ in 0..count {
            results.push(cursor.group(&RESULT, |cursor| {
                let result = ContextResult(order.u16(cursor, &RESULT_CODE)?);
                cursor.context().note(result.name());
                let reason = ContextReason(order.u16(cursor, &RESULT_REASON)?);
                let transfer_syntax = cursor.group(&RESULT_SYNTAX, |c| SyntaxId::parse(order, c))?;
                Ok(PresentationResult { result, reason, transfer_syntax })
            })?);
        }
        Ok(Self {
            max_xmit_frag,
            max_recv_frag,
            assoc_group_id,
            secondary_address,
            padding,
            reserved,
            results,
        })
    }
}

impl<'a> BindNak<'a> {
    /// A refusal for the reason given, by a server of version 5.0.
    #[must_use]
    pub fn new(reason: RejectReason) -> Self {
        Self { reason, versions: Vec::from([[5, 0]]), tail: Blob::default() }
    }

    /// The same refusal, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> BindNak<'static> {
        BindNak { reason: self.reason, versions: self.versions, tail: self.tail.into_owned() }
    }

    /// Extended error information ([MS-EERR]): all that follows its signature. The offset that [MS-RPCE] 2.2.2.9 gives
    /// fits no number of versions, so the signature is looked for.
    #[must_use]
    pub fn extended_error(&self) -> Option<&[u8]> {
        let signatures = [EXTENDED_ERROR_SIGNATURE.to_bytes_le(), EXTENDED_ERROR_SIGNATURE.into_bytes()];
        let at = self.tail.windows(16).take(16).position(|w| signatures.iter().any(|s| s == w))?;
        self.tail.get(at.saturating_add(16)..)
    }

    pub(crate) fn parse(order: ByteOrder, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let reason = RejectReason(order.u16(cursor, &REJECT)?);
        cursor.context().note(reason.name());
        let count = cursor.u8(&PROTOCOLS)?;
        let mut versions = Vec::new();
        for _ in 0..count {
            versions.push([cursor.u8(&PROTOCOL)?, cursor.u8(&PROTOCOL)?]);
        }
        let tail = cursor.take_rest(&NAK_TAIL, Format::Bytes).into();
        Ok(Self { reason, versions, tail })
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.versions.len().saturating_mul(2).saturating_add(self.tail.len()).saturating_add(3)
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        check_len(self.versions.len(), usize::from(u8::MAX), &PROTOCOLS)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        order.put_u16(dst, self.reason.0);
        dst.put_u8(len_u8(self.versions.len()));
        self.versions.iter().for_each(|version| dst.put_slice(version));
        dst.put_slice(&self.tail);
    }
}

/// Bytes between the secondary address, which begins 26 bytes into the PDU, and the results.
const fn address_padding(len: usize) -> usize {
    padding(len.saturating_add(26), 4)
}

/// A count that was checked.
fn len_u8(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}
