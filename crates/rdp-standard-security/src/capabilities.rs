//! The one bit of the capability exchange that matters here: who knows the salted MAC ([MS-RDPBCGR] 2.2.7.1.1).

use crate::wire::{Reader, at};

use remassist_core::{At, DecodeError};

const ENC_SALTED_CHECKSUM: u8 = 0x10;
const GENERAL: u16 = 1;

static CAPABILITIES: At = at("2.2.1.13.1.1", "TS_DEMAND_ACTIVE_PDU", "");

/// The share PDUs that this layer looks into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SharePdu {
    DemandActive,
    ConfirmActive,
    Redirection,
}

impl SharePdu {
    /// The kind of a share PDU ([MS-RDPBCGR] 2.2.8.1.1.1.1).
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        match data {
            [_, _, kind, _, ..] if kind & 0x0F == 1 => Some(Self::DemandActive),
            [_, _, kind, _, ..] if kind & 0x0F == 3 => Some(Self::ConfirmActive),
            [_, _, kind, _, ..] if kind & 0x0F == 10 => Some(Self::Redirection),
            _ => None,
        }
    }
}

/// Where the byte of extraFlags stands; nothing when there is no General Capability Set or the PDU is damaged: that is for
/// others to find.
fn extra_flags(kind: SharePdu, data: &[u8]) -> Option<usize> {
    let find = || -> Result<usize, DecodeError> {
        let at = &CAPABILITIES;
        let mut reader = Reader::new(data);
        // Share control header and share id; the client adds the originator.
        reader.take(if kind == SharePdu::ConfirmActive { 12 } else { 10 }, at)?;
        let source = reader.u16_le(at)?;
        reader.u16_le(at)?;
        reader.take(source.into(), at)?;
        reader.u32_le(at)?;
        loop {
            let kind = reader.u16_le(at)?;
            let len = reader.u16_le(at)?;
            let mut set = reader.sub(len.saturating_sub(4).into(), at)?;
            if kind == GENERAL {
                set.take(10, at)?;
                set.clone().u16_le(at)?;
                return Ok(set.offset());
            }
        }
    };
    find().ok()
}

/// Whether the sender of a Demand or Confirm Active knows the salted MAC.
pub(crate) fn salted(kind: SharePdu, data: &[u8]) -> bool {
    let flags = extra_flags(kind, data).and_then(|offset| data.get(offset));
    flags.is_some_and(|flags| flags & ENC_SALTED_CHECKSUM != 0)
}

/// Sets or clears the bit in a Demand or Confirm Active.
pub(crate) fn set_salted(kind: SharePdu, data: &mut [u8], salted: bool) {
    if let Some(flags) = extra_flags(kind, data).and_then(|offset| data.get_mut(offset)) {
        *flags = if salted { *flags | ENC_SALTED_CHECKSUM } else { *flags & !ENC_SALTED_CHECKSUM };
    }
}
