//! A stream of bytes, cut into packets.

use alloc::vec::Vec;

use remassist_core::{DecodeError, DecodeErrorKind, DecodeOptions, decode_using};

use crate::base::{BASE, BaseHeader, Head, MAX_PACKET, SIZE};

/// Bytes of the packet that `bytes` begin with, also when not all of them are there: PacketSize, and the SessionHeader
/// of a message, which it does not count. `None` when fewer than the 16 bytes of a BaseHeader are there and they may
/// still become one.
///
/// # Errors
/// When this is no BaseHeader, or PacketSize is less than its 16 bytes or more than [`MAX_PACKET`].
pub fn packet_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let Some(head) = bytes.first_chunk::<{ BaseHeader::LEN }>() else { return Ok(None) };
    let decoded = decode_using(head, &DecodeOptions::TOLERANT, &BASE, Head::parse)?;
    Ok(Some(decoded.value.whole()))
}

/// Cuts what a transport delivers into whole packets: bytes in with [`push`](Self::push), packets out with
/// [`pull`](Self::pull).
///
/// It holds the bytes that were pushed and not pulled yet: whoever pulls until `None` after each push keeps that below one
/// packet and one push. Nothing is reserved by PacketSize: memory grows with what really came.
#[derive(Debug, Clone)]
pub struct PacketBuffer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were pulled.
    start: usize,
    max: usize,
    failed: Option<DecodeError>,
}

impl Default for PacketBuffer {
    /// A stream whose packets have any size that is allowed.
    fn default() -> Self {
        Self::new(MAX_PACKET)
    }
}

impl PacketBuffer {
    /// A stream whose packets have at most `max_packet` bytes by PacketSize.
    #[must_use]
    pub const fn new(max_packet: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, max: max_packet, failed: None }
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

    /// Bytes that are still needed for the next packet, as far as is known: those of its BaseHeader, then those of the
    /// whole. 0 when [`pull`](Self::pull) has something to say.
    #[must_use]
    pub fn needed(&self) -> usize {
        match self.next_len() {
            Ok(len) => len.unwrap_or(BaseHeader::LEN).saturating_sub(self.pending()),
            Err(_) => 0,
        }
    }

    /// The next whole packet, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the stream is no stream of packets, or one is longer than the limit: as soon as the BaseHeader is there. The
    /// stream cannot be read any more then; the same error comes again. Offsets count from the beginning of the packet.
    pub fn pull(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        match self.next_len() {
            Ok(None) => Ok(None),
            Ok(Some(len)) => {
                let end = self.start.saturating_add(len);
                let packet = self.buffer.get(self.start..end);
                if packet.is_some() {
                    self.start = end;
                }
                Ok(packet)
            }
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
                self.start = 0;
                Err(error)
            }
        }
    }

    fn next_len(&self) -> Result<Option<usize>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let waiting = self.buffer.get(self.start..).unwrap_or_default();
        let len = packet_len(waiting)?;
        let limit = self.max.saturating_add(crate::SessionHeader::LEN);
        if len.is_some_and(|len| len > limit) {
            let kind = DecodeErrorKind::LimitExceeded { limit: "packet bytes", max: self.max };
            return Err(DecodeError::new(8, &SIZE, kind));
        }
        Ok(len)
    }
}
