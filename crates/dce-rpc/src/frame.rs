//! A stream of bytes, cut into PDUs.

use alloc::vec::Vec;

use remassist_core::{At, Decode as _, DecodeError, DecodeErrorKind};

use crate::pdu::{CommonHeader, HEADER_LEN};
use crate::wire::c706;

const FRAG_LENGTH: At = c706("12.6.3.1", "rpcconn_common_hdr_t", "frag_length");

/// Cuts what a transport delivers into whole PDUs: bytes in with [`push`](Self::push), PDUs out with
/// [`pull`](Self::pull).
///
/// It holds the bytes that were pushed and not pulled yet. Whoever pulls until `None` after each push keeps that below
/// one fragment and one push.
#[derive(Debug, Clone)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were pulled.
    start: usize,
    max: usize,
    failed: Option<DecodeError>,
}

impl Default for Framer {
    /// A stream whose fragments have any size.
    fn default() -> Self {
        Self::new(u16::MAX)
    }
}

impl Framer {
    /// A stream whose fragments have at most `max_fragment` bytes.
    #[must_use]
    pub fn new(max_fragment: u16) -> Self {
        Self { buffer: Vec::new(), start: 0, max: usize::from(max_fragment), failed: None }
    }

    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// The next whole PDU with its header, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the stream is no stream of PDUs, or one is longer than the limit: as soon as the header is there. The stream
    /// cannot be read any more then; the same error comes again. Offsets count from the beginning of the PDU.
    pub fn pull(&mut self) -> Result<Option<(CommonHeader, &mut [u8])>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let waiting = self.buffer.get(self.start..).unwrap_or_default();
        let Some(head) = waiting.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let header = match self.header(head) {
            Ok(header) => header,
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
                self.start = 0;
                return Err(error);
            }
        };
        let end = self.start.saturating_add(usize::from(header.frag_length));
        let Some(pdu) = self.buffer.get_mut(self.start..end) else { return Ok(None) };
        self.start = end;
        Ok(Some((header, pdu)))
    }

    fn header(&self, head: &[u8]) -> Result<CommonHeader, DecodeError> {
        let header = CommonHeader::decode(head)?;
        let got = usize::from(header.frag_length);
        if got > self.max {
            let kind = DecodeErrorKind::LimitExceeded { limit: "fragment bytes", max: self.max };
            return Err(DecodeError::new(8, &FRAG_LENGTH, kind));
        }
        Ok(header)
    }
}
