//! Reading and writing the encodings around RDP: TPKT, X.224, BER and PER, as far as this layer needs them.

use alloc::vec::Vec;

use remassist_core::{At, DecodeError, DecodeErrorKind};

const DOC: &str = "[MS-RDPBCGR]";

/// A place in the specification.
pub(crate) const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new(DOC, section, structure, field)
}

/// Reads a frame from front to back; offsets are those of the frame.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame, offset: 0 }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn error(&self, at: &'static At, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.offset, at, kind)
    }

    pub(crate) fn rule(&self, at: &'static At, rule: &'static str) -> DecodeError {
        self.error(at, DecodeErrorKind::Rule(rule))
    }

    pub(crate) fn take(&mut self, len: usize, at: &'static At) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(
                self.error(at, DecodeErrorKind::Truncated { needed: len, available: self.rest.len() })
            );
        };
        self.rest = rest;
        self.offset = self.offset.saturating_add(len);
        Ok(taken)
    }

    /// What the next `len` bytes hold, to be read on their own.
    pub(crate) fn sub(&mut self, len: usize, at: &'static At) -> Result<Self, DecodeError> {
        let offset = self.offset;
        Ok(Self { rest: self.take(len, at)?, offset })
    }

    pub(crate) fn array<const N: usize>(&mut self, at: &'static At) -> Result<[u8; N], DecodeError> {
        let taken = self.take(N, at)?;
        Ok(taken.first_chunk().copied().unwrap_or([0; N]))
    }

    pub(crate) fn u8(&mut self, at: &'static At) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(at)?))
    }

    pub(crate) fn u16_be(&mut self, at: &'static At) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(at)?))
    }

    pub(crate) fn u16_le(&mut self, at: &'static At) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    pub(crate) fn u32_le(&mut self, at: &'static At) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    /// A number that must have one value.
    pub(crate) fn expect_u32(&mut self, value: u32, at: &'static At) -> Result<(), DecodeError> {
        let before = self.clone();
        match self.u32_le(at)? {
            got if got == value => Ok(()),
            got => Err(before.error(at, DecodeErrorKind::InvalidValue { got: got.into() })),
        }
    }

    /// A number that must have one value.
    pub(crate) fn expect_u16(&mut self, value: u16, at: &'static At) -> Result<(), DecodeError> {
        let before = self.clone();
        match self.u16_le(at)? {
            got if got == value => Ok(()),
            got => Err(before.error(at, DecodeErrorKind::InvalidValue { got: got.into() })),
        }
    }

    /// Bytes that must be these.
    pub(crate) fn expect(&mut self, bytes: &[u8], at: &'static At) -> Result<(), DecodeError> {
        let before = self.clone();
        if self.take(bytes.len(), at)? == bytes {
            Ok(())
        } else {
            Err(before.rule(at, "another encoding than the one that RDP uses"))
        }
    }

    /// A length in PER: 7 bits, or 15 bits in two bytes.
    pub(crate) fn per_len(&mut self, at: &'static At) -> Result<usize, DecodeError> {
        let first = self.u8(at)?;
        if first & 0x80 == 0 {
            return Ok(first.into());
        }
        Ok(u16::from_be_bytes([first & 0x7F, self.u8(at)?]).into())
    }

    /// The header of a BER element: checks the tag, gives the length.
    pub(crate) fn ber(&mut self, tag: &[u8], at: &'static At) -> Result<usize, DecodeError> {
        self.expect(tag, at)?;
        let before = self.clone();
        match self.u8(at)? {
            short @ ..=0x7F => Ok(short.into()),
            0x81 => Ok(self.u8(at)?.into()),
            0x82 => Ok(self.u16_be(at)?.into()),
            got => Err(before.error(at, DecodeErrorKind::InvalidValue { got: got.into() })),
        }
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self, at: &'static At) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(self.error(at, DecodeErrorKind::TrailingData { extra })),
        }
    }
}

/// Writes a length in PER, `None` when it has more than 15 bits.
pub(crate) fn write_per_len(out: &mut Vec<u8>, len: usize) -> Option<()> {
    match u8::try_from(len) {
        Ok(short @ ..=0x7F) => out.push(short),
        _ => {
            let long = u16::try_from(len).ok().filter(|len| len & 0x8000 == 0)?;
            out.extend((long | 0x8000).to_be_bytes());
        }
    }
    Some(())
}

/// Writes the header of a BER element, `None` when its length has more than 16 bits.
pub(crate) fn write_ber(out: &mut Vec<u8>, tag: &[u8], len: usize) -> Option<()> {
    out.extend(tag);
    match u8::try_from(len) {
        Ok(short @ ..=0x7F) => out.push(short),
        Ok(byte) => out.extend([0x81, byte]),
        Err(_) => {
            out.push(0x82);
            out.extend(u16::try_from(len).ok()?.to_be_bytes());
        }
    }
    Some(())
}
