//! The rules between headers, as they are checked while reading.

use alloc::vec::Vec;

use remassist_core::{Cursor, DecodeError, len_u32, usize_from};

use crate::container::CHDR;
use crate::header::{METH_FIXED, OFFSET, Raw, SECD_FIXED};
use crate::order::{Index, Order};
use crate::reader::Security;
use crate::rules;

/// What a reader knows after some headers, but for the security headers after the first ones, see [`Index`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'a> {
    /// The message from its first byte, as long as Message Size says.
    pub(crate) message: &'a [u8],
    pub(crate) order: Order,
    /// Security in force.
    pub(crate) security: Option<Security<'a>>,
    /// Interface in force, where its header has it.
    pub(crate) interface: Option<&'a [u8; 16]>,
    index: Index,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { message, order: Order::default(), security: None, interface: None, index: Index::default() }
    }

    /// Checks a header that begins at this offset of the message and, for errors, at `absolute` of the input.
    pub(crate) fn accept(
        &mut self,
        raw: &Raw<'a>,
        offset: usize,
        absolute: usize,
        cursor: &Cursor<'_, 'a>,
        others: &mut Vec<u32>,
    ) -> Result<(), DecodeError> {
        let (step, at) = raw.step();
        self.order.accept(step, absolute, at, |ok, rule| cursor.must(ok, absolute, at, rule))?;
        match raw {
            Raw::Security { data, .. } => {
                self.index.add(len_u32(offset), others);
                self.security = Some(Security { offset, data });
            }
            Raw::Reference { offset: target, .. } => {
                self.security = Some(self.resolve(*target, offset, others).ok_or_else(|| {
                    DecodeError::new(absolute.saturating_add(8), &OFFSET, rules::SECR_OFFSET)
                })?);
            }
            Raw::Method(method) if method.interface_id.is_some() => {
                self.interface = self.message.get(offset..).and_then(|h| h.first_chunk()).and_then(interface);
            }
            Raw::Method(_) | Raw::Partition(_) | Raw::Unknown { .. } => {}
        }
        Ok(())
    }

    /// The security header at an offset of the message, if one stands there and before `end`.
    fn resolve(&self, target: u32, end: usize, others: &mut Vec<u32>) -> Option<Security<'a>> {
        let offset = usize_from(target);
        if offset >= end || !self.index.contains(target, self.message, end, others) {
            return None;
        }
        let header = self.message.get(offset..)?;
        let [_, _, len, _] = header.first_chunk::<SECD_FIXED>()?.as_chunks::<4>().0 else { return None };
        let data = header.get(SECD_FIXED..)?.get(..usize_from(u32::from_le_bytes(*len)))?;
        Some(Security { offset, data })
    }

    /// Checks the end of the message; the cursor stands there.
    pub(crate) fn finish(&self, cursor: &Cursor<'_, 'a>) -> Result<(), DecodeError> {
        let end = cursor.offset();
        self.order.finish(end, &CHDR, |ok, rule| cursor.must(ok, end, &CHDR, rule))
    }
}

/// The interface in a `METH` header.
pub(crate) fn interface(head: &[u8; METH_FIXED]) -> Option<&[u8; 16]> {
    head.last_chunk()
}
