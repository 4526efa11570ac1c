//! Frames: TPKT with X.224 and MCS inside, and fast-path.

use alloc::vec::Vec;

use remassist_core::{At, DecodeErrorKind};

use crate::Error;
use crate::wire::{Reader, at, write_per_len};

/// How much longer a frame can become: a security header of 12 bytes, and a length that needs one byte more.
///
/// The Security Exchange PDU and the certificate in the Connect Response are not counted.
pub const MAX_OVERHEAD: usize = 13;

/// The longest frame that a TPKT header can announce.
const MAX_FRAME: usize = 65_535;
const TPKT: u8 = 3;
const X224_DATA: u8 = 0xF0;
/// TPKT header and X.224 data header.
pub(crate) const X224_HEADER_LEN: usize = 7;

static TPKT_HEADER: At = at("2.2.1.1", "tpktHeader", "");
static TPKT_LEN: At = at("2.2.1.1", "tpktHeader", "length");
static X224: At = at("2.2.1.3", "x224Data", "");
static SDRQ: At = at("2.2.1.10", "mcsSDrq", "");
static SDRQ_DATA: At = at("2.2.1.10", "mcsSDrq", "userData");
static FAST_PATH: At = at("2.2.9.1.2", "TS_FP_UPDATE_PDU", "length1");
static ACTION: At = at("2.2.9.1.2", "TS_FP_UPDATE_PDU", "action");

/// Length of the frame that starts here; `None` when more bytes are needed to tell.
///
/// # Errors
///
/// When no frame can start like this.
pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, Error> {
    let reader = Reader::new(bytes);
    let len = match bytes {
        [] => return Ok(None),
        [TPKT, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        [TPKT, ..] => return Ok(None),
        [first, ..] if first & 3 != 0 => {
            return Err(reader
                .error(&ACTION, DecodeErrorKind::InvalidValue { got: (first & 3).into() })
                .into());
        }
        [_, len @ ..=0x7F, ..] => usize::from(*len),
        [_, high, low, ..] => usize::from(u16::from_be_bytes([high & 0x7F, *low])),
        [_, ..] => return Ok(None),
    };
    let least = match bytes {
        [TPKT, ..] => X224_HEADER_LEN,
        [_, ..=0x7F, ..] => 2,
        _ => 3,
    };
    if len < least {
        let at = if bytes.first() == Some(&TPKT) { &TPKT_LEN } else { &FAST_PATH };
        let got = u64::try_from(len).unwrap_or(u64::MAX);
        return Err(reader.error(at, DecodeErrorKind::InvalidValue { got }).into());
    }
    Ok(Some(len))
}

/// Cuts a stream of bytes into frames.
///
/// Holds at most one frame that is not complete (65,535 bytes) and what was pushed after it: take all frames out before
/// pushing again.
#[derive(Clone, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    start: usize,
}

impl core::fmt::Debug for Frames {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Frames").field("waiting", &self.waiting()).finish()
    }
}

impl Frames {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0 }
    }

    /// Takes in what came from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start.min(self.bytes.len()));
        self.start = 0;
        self.bytes.extend(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    ///
    /// When what stands next is no frame: the stream is lost.
    #[expect(clippy::should_implement_trait, reason = "it lends its frames, and it can fail")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        let Some(len) = frame_len(self.bytes.get(self.start..).unwrap_or_default())? else {
            return Ok(None);
        };
        let end = self.start.saturating_add(len);
        let Some(frame) = self.bytes.get(self.start..end) else { return Ok(None) };
        self.start = end;
        Ok(Some(frame))
    }

    /// Bytes that wait for the rest of their frame.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }
}

/// One frame.
pub(crate) enum Frame<'a> {
    /// A fast-path PDU in either direction.
    FastPath { header: u8, body: Reader<'a> },
    /// MCS Connect Initial or Connect Response.
    Connect { response: bool },
    /// MCS Send Data Request or Indication.
    Data(SendData<'a>),
    /// The rest: X.224 connection, MCS domain.
    Other,
}

/// An MCS Send Data Request or Indication.
#[derive(Clone)]
pub(crate) struct SendData<'a> {
    /// Sent by the client.
    pub(crate) request: bool,
    pub(crate) initiator: [u8; 2],
    pub(crate) channel: u16,
    /// Priority and segmentation.
    pub(crate) priority: u8,
    pub(crate) data: Reader<'a>,
}

/// Reads one whole frame and nothing else.
pub(crate) fn read(frame: &[u8]) -> Result<Frame<'_>, Error> {
    let mut reader = Reader::new(frame);
    let truncated = |needed| {
        let kind = DecodeErrorKind::Truncated { needed, available: frame.len() };
        Error::from(Reader::new(frame).error(&TPKT_HEADER, kind))
    };
    let len = frame_len(frame)?.ok_or_else(|| truncated(4))?;
    if len > frame.len() {
        return Err(truncated(len));
    }
    let mut whole = reader.sub(len, &TPKT_HEADER)?;
    reader.finish(&TPKT_HEADER)?;
    let first = whole.u8(&ACTION)?;
    if first != TPKT {
        let long = whole.u8(&FAST_PATH)? & 0x80 != 0;
        whole.take(usize::from(long), &FAST_PATH)?;
        return Ok(Frame::FastPath { header: first, body: whole });
    }
    whole.take(3, &TPKT_HEADER)?;
    let [_, code, _] = whole.array(&X224)?;
    if code != X224_DATA {
        return Ok(Frame::Other);
    }
    let pdu = match whole.rest() {
        [0x7F, 0x65, ..] => return Ok(Frame::Connect { response: false }),
        [0x7F, 0x66, ..] => return Ok(Frame::Connect { response: true }),
        [choice, ..] => choice >> 2,
        [] => 0,
    };
    if !matches!(pdu, 25 | 26) {
        return Ok(Frame::Other);
    }
    whole.u8(&SDRQ)?;
    let initiator = whole.array(&SDRQ)?;
    let channel = whole.u16_be(&SDRQ)?;
    let priority = whole.u8(&SDRQ)?;
    let len = whole.per_len(&SDRQ_DATA)?;
    let data = whole.sub(len, &SDRQ_DATA)?;
    whole.finish(&SDRQ_DATA)?;
    Ok(Frame::Data(SendData { request: pdu == 25, initiator, channel, priority, data }))
}

/// Puts TPKT and X.224 around an MCS PDU.
pub(crate) fn write_x224(pdu: &[u8]) -> Result<Vec<u8>, Error> {
    let len = pdu.len().saturating_add(X224_HEADER_LEN);
    let [high, low] = u16::try_from(len).map_err(|_| Error::TooLong { len })?.to_be_bytes();
    Ok([&[TPKT, 0, high, low, 2, X224_DATA, 0x80], pdu].concat())
}

impl SendData<'_> {
    /// The same PDU with other data.
    pub(crate) fn write(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let mut pdu = Vec::with_capacity(data.len().saturating_add(8));
        pdu.push(if self.request { 25 << 2 } else { 26 << 2 });
        pdu.extend(self.initiator);
        pdu.extend(self.channel.to_be_bytes());
        pdu.push(self.priority);
        write_per_len(&mut pdu, data.len()).ok_or(Error::TooLong { len: data.len() })?;
        pdu.extend(data);
        write_x224(&pdu)
    }
}

/// Writes a fast-path PDU.
pub(crate) fn write_fast_path(header: u8, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let body = parts.iter().fold(0_usize, |len, part| len.saturating_add(part.len()));
    let short = body.saturating_add(2);
    let len = if short < 0x80 { short } else { short.saturating_add(1) };
    let mut out = Vec::with_capacity(len.min(MAX_FRAME));
    out.push(header);
    write_per_len(&mut out, len).ok_or(Error::TooLong { len })?;
    parts.iter().for_each(|part| out.extend(*part));
    Ok(out)
}
