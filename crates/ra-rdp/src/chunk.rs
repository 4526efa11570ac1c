//! Static virtual channels: chunks of at most 1,600 bytes ([MS-RDPBCGR] 2.2.6.1, 3.1.5.2).

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};
use ironrdp_core::{Decode as _, ReadCursor, encode_vec};
use ironrdp_pdu::mcs::{SendDataIndication, SendDataRequest};
use ironrdp_pdu::x224::X224;
use ra_session::Role;

use crate::RdpError;

/// Bytes of a chunk without its header ([MS-RDPBCGR] 2.2.6.1).
const CHUNK: usize = 1600;
const FIRST: u32 = 0x0000_0001;
const LAST: u32 = 0x0000_0002;
const SHOW_PROTOCOL: u32 = 0x0000_0010;
/// PACKET_COMPRESSED, PACKET_AT_FRONT, PACKET_FLUSHED and the type: this side offers no compression.
const COMPRESSED: u32 = 0x00EF_0000;

/// Puts chunks together. Bounded: nothing is reserved by a declared length, and no message is longer than the limit.
#[derive(Debug)]
pub(crate) struct Chunks {
    limit: usize,
    expected: Option<usize>,
    message: Vec<u8>,
}

impl Chunks {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, expected: None, message: Vec::new() }
    }

    /// Takes a chunk; gives the message that it completes.
    pub(crate) fn take<'c>(&mut self, data: &'c [u8]) -> Result<Option<Cow<'c, [u8]>>, RdpError> {
        let broken = |what| Err(RdpError::Protocol(what));
        let Some((length, rest)) = data.split_first_chunk::<4>() else {
            return broken("a chunk without header");
        };
        let Some((flags, chunk)) = rest.split_first_chunk::<4>() else {
            return broken("a chunk without header");
        };
        let (length, flags) = (u32::from_le_bytes(*length), u32::from_le_bytes(*flags));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if flags & COMPRESSED != 0 {
            return broken("a compressed chunk, though compression was not offered");
        }
        if length > self.limit {
            return broken("a channel message that is too long");
        }
        match (flags & FIRST != 0, flags & LAST != 0, self.expected) {
            (true, true, None) if chunk.len() == length => return Ok(Some(Cow::Borrowed(chunk))),
            (true, false, None) => {
                self.expected = Some(length);
                self.message = Vec::new();
            }
            (false, _, Some(expected)) if expected == length => {}
            _ => return broken("a chunk out of order"),
        }
        if self.message.len().saturating_add(chunk.len()) > length {
            return broken("chunks that are longer than their message");
        }
        self.message.extend_from_slice(chunk);
        if flags & LAST == 0 {
            return Ok(None);
        }
        if self.message.len() != length {
            return broken("chunks that are shorter than their message");
        }
        self.expected = None;
        Ok(Some(Cow::Owned(std::mem::take(&mut self.message))))
    }
}

/// Where a message of a static channel goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Who sends: an expert sends requests, a novice indications ([MS-RDPBCGR] 3.1.5.2.1).
    pub(crate) role: Role,
    pub(crate) initiator: u16,
    pub(crate) channel: u16,
}

impl Route {
    /// Appends user data of MCS, with X.224 and TPKT around it.
    pub(crate) fn data(self, user_data: Vec<u8>, out: &mut BytesMut) -> Result<(), RdpError> {
        let (initiator_id, channel_id, user_data) = (self.initiator, self.channel, Cow::Owned(user_data));
        let frame = match self.role {
            Role::Expert => encode_vec(&X224(SendDataRequest { initiator_id, channel_id, user_data })),
            Role::Novice => encode_vec(&X224(SendDataIndication { initiator_id, channel_id, user_data })),
        };
        out.extend_from_slice(&frame.map_err(|_| RdpError::Protocol("a message that cannot be written"))?);
        Ok(())
    }

    /// Appends a message in chunks.
    pub(crate) fn message(self, message: &[u8], out: &mut BytesMut) -> Result<(), RdpError> {
        let length =
            u32::try_from(message.len()).map_err(|_| RdpError::Protocol("a message that is too long"))?;
        let count = message.len().div_ceil(CHUNK).max(1);
        for n in 0..count {
            let start = n.saturating_mul(CHUNK);
            let chunk =
                message.get(start..message.len().min(start.saturating_add(CHUNK))).unwrap_or_default();
            let first = if n == 0 { FIRST } else { 0 };
            let last = if n.saturating_add(1) == count { LAST } else { 0 };
            let mut data = Vec::with_capacity(chunk.len().saturating_add(8));
            data.put_u32_le(length);
            data.put_u32_le(SHOW_PROTOCOL | first | last);
            data.put_slice(chunk);
            self.data(data, out)?;
        }
        Ok(())
    }
}

/// MCS channel and user data of a frame that carries data; `None` for any other frame.
pub(crate) fn user_data(role: Role, frame: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut cursor = ReadCursor::new(frame);
    // What an expert reads is an indication.
    Some(match role {
        Role::Expert => {
            let X224(data) = X224::<SendDataIndication<'_>>::decode(&mut cursor).ok()?;
            (data.channel_id, data.user_data.into_owned())
        }
        Role::Novice => {
            let X224(data) = X224::<SendDataRequest<'_>>::decode(&mut cursor).ok()?;
            (data.channel_id, data.user_data.into_owned())
        }
    })
}
