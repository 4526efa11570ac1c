//! Static virtual channels: chunks of at most 1,600 bytes ([MS-RDPBCGR] 2.2.6.1, 3.1.5.2).

use std::borrow::Cow;

use bytes::{Buf, BufMut as _, BytesMut};
use ironrdp_core::{Decode as _, ReadCursor};
use ironrdp_pdu::mcs::{SendDataIndication, SendDataRequest};
use ironrdp_pdu::x224::X224;
use ra_session::Role;

use crate::RdpError;

/// Bytes of a chunk without its header ([MS-RDPBCGR] 2.2.6.1).
const CHUNK: usize = 1600;
const FIRST: u32 = 0x0000_0001;
const LAST: u32 = 0x0000_0002;
const SHOW_PROTOCOL: u32 = 0x0000_0010;
/// CHANNEL_FLAG_SUSPEND and CHANNEL_FLAG_RESUME.
const SUSPEND_RESUME: u32 = 0x0000_0060;
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

    /// Takes a chunk; gives the message that it completes. What asks to suspend or resume the channels is not heeded: a
    /// novice has to ignore it, and an expert has little to send.
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
        if flags & SUSPEND_RESUME != 0 && chunk.is_empty() {
            return Ok(None);
        }
        if flags & COMPRESSED != 0 {
            return broken("a compressed chunk, though compression was not offered");
        }
        if length > self.limit {
            return broken("a channel message that is too long");
        }
        match (flags & FIRST != 0, flags & LAST != 0, self.expected) {
            // [MS-RDPBCGR] 3.1.5.2.2: a whole message may come with both flags, or with none.
            (true, true, None) | (false, false, None) if chunk.len() == length => {
                return Ok(Some(Cow::Borrowed(chunk)));
            }
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
    /// Appends a message in chunks. The bytes of files come along here: each is copied once.
    pub(crate) fn message(self, mut message: impl Buf, out: &mut BytesMut) -> Result<(), RdpError> {
        let length = u32::try_from(message.remaining());
        let length = length.map_err(|_| RdpError::Protocol("a message that is too long"))?;
        let mut first = FIRST;
        loop {
            let size = message.remaining().min(CHUNK);
            let last = if size == message.remaining() { LAST } else { 0 };
            self.header(size, length, SHOW_PROTOCOL | first | last, out);
            out.put((&mut message).take(size));
            if last != 0 {
                return Ok(());
            }
            first = 0;
        }
    }

    /// Appends what stands before a chunk: TPKT, X.224 data and MCS Send Data ([T.123] 8, [T.125] 7), as IronRDP writes them,
    /// and CHANNEL_PDU_HEADER ([MS-RDPBCGR] 2.2.6.1.1). `size`: bytes of the chunk, at most [`CHUNK`].
    fn header(self, size: usize, length: u32, flags: u32, out: &mut BytesMut) {
        /// Of the first user.
        const FIRST_USER: u16 = 1001;
        /// TPKT, X.224 and MCS, with a length of two bytes.
        const BEFORE: u16 = 15;
        let user_data = u16::try_from(size).unwrap_or_default().saturating_add(8);
        let short = user_data < 0x80;
        let [t1, t0] = user_data.saturating_add(BEFORE).saturating_sub(short.into()).to_be_bytes();
        let send = match self.role {
            Role::Expert => 0x64,
            Role::Novice => 0x68,
        };
        let [i1, i0] = self.initiator.saturating_sub(FIRST_USER).to_be_bytes();
        let [c1, c0] = self.channel.to_be_bytes();
        let [u1, u0] = (user_data | 0x8000).to_be_bytes();
        let [l0, l1, l2, l3] = length.to_le_bytes();
        let [f0, f1, f2, f3] = flags.to_le_bytes();
        let before = [3, 0, t1, t0, 2, 0xF0, 0x80, send, i1, i0, c1, c0, 0x70];
        let header = [l0, l1, l2, l3, f0, f1, f2, f3];
        out.put_slice(&before);
        if short {
            out.put_u8(u0);
        } else {
            out.put_slice(&[u1, u0]);
        }
        out.put_slice(&header);
    }
}

/// MCS channel and user data of a frame that carries data; `None` for any other frame.
pub(crate) fn user_data(role: Role, frame: &[u8]) -> Option<(u16, Cow<'_, [u8]>)> {
    let mut cursor = ReadCursor::new(frame);
    // What an expert reads is an indication.
    Some(match role {
        Role::Expert => {
            let X224(data) = X224::<SendDataIndication<'_>>::decode(&mut cursor).ok()?;
            (data.channel_id, data.user_data)
        }
        Role::Novice => {
            let X224(data) = X224::<SendDataRequest<'_>>::decode(&mut cursor).ok()?;
            (data.channel_id, data.user_data)
        }
    })
}
