//! The order of headers: figures 2 to 6 of [MC-COMQC] 2.2, and where security headers stand.

use alloc::vec::Vec;

use remassist_core::{At, DecodeError, DecodeErrorKind, len_u32, usize_from};
use uuid::Uuid;

use crate::{Signature, rules};

/// What of a header matters for the order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Partition(Uuid),
    Security,
    Reference,
    Method { interface: bool },
    Unknown,
}

/// What has been seen so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Order {
    pub(crate) partition: Option<Uuid>,
    /// A header other than the partition.
    started: bool,
    /// A security header.
    security: bool,
    /// A security header or reference that waits for its method.
    pending: bool,
    /// A method with an interface.
    interface: bool,
    /// A method.
    methods: bool,
    /// Offset of the first unknown header.
    unknown: Option<usize>,
}

impl Order {
    /// Checks that a header may stand at this offset; `must` decides on rules that leave the meaning clear.
    pub(crate) fn accept(
        &mut self,
        step: Step,
        offset: usize,
        at: &'static At,
        must: impl Fn(bool, DecodeErrorKind) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let fail = |rule| Err(DecodeError::new(offset, at, rule));
        if let (Some(unknown), false) = (self.unknown, matches!(step, Step::Unknown)) {
            // It was not the last one after all, and what it says about security nobody knows (reading A9).
            return Err(DecodeError::new(unknown, at, rules::UNKNOWN_HEADER));
        }
        match step {
            Step::Partition(id) => {
                if self.partition.is_some_and(|first| first != id) {
                    return fail(rules::PART_TWICE);
                }
                must(!self.started && self.partition.is_none(), rules::ORDER_PART)?;
                self.partition = Some(id);
                return Ok(());
            }
            Step::Reference if !self.security => return fail(rules::SECD_FIRST),
            Step::Security | Step::Reference => {
                if self.pending {
                    return fail(rules::ORDER_GROUP);
                }
                self.pending = true;
                self.security = true;
            }
            Step::Method { interface } => {
                if !self.security {
                    return fail(rules::SECD_FIRST);
                }
                if !interface && !self.interface {
                    return fail(rules::METH_FIRST_IID);
                }
                self.pending = false;
                self.interface = true;
                self.methods = true;
            }
            Step::Unknown => {
                if !self.methods || self.pending {
                    return fail(rules::UNKNOWN_HEADER);
                }
                must(false, rules::UNKNOWN_HEADER)?;
                self.unknown.get_or_insert(offset);
            }
        }
        self.started = true;
        Ok(())
    }

    /// Checks that the message may end at this offset.
    pub(crate) fn finish(
        &self,
        offset: usize,
        at: &'static At,
        must: impl Fn(bool, DecodeErrorKind) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.methods {
            return Err(DecodeError::new(offset, at, rules::NO_METHOD));
        }
        must(!self.pending, rules::ORDER_GROUP)
    }
}

/// Security headers that [`Index`] keeps without allocating.
const INLINE: usize = 16;

/// Where the first security headers stand. The offsets of the others go into a list that exists only for a message that
/// refers to one of them; it takes 4 bytes for each, which are 24 or more. So a reference is found by binary search.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Index {
    first: [u32; INLINE],
    count: usize,
}

impl Index {
    /// Adds a security header at this offset of the message; offsets rise.
    pub(crate) fn add(&mut self, offset: u32, others: &mut Vec<u32>) {
        if let Some(slot) = self.first.get_mut(self.count) {
            *slot = offset;
            self.count = self.count.saturating_add(1);
        } else if !others.is_empty() {
            others.push(offset);
        }
    }

    /// Whether a security header stands at an offset of the message, which is well-formed up to `end`.
    pub(crate) fn contains(&self, offset: u32, message: &[u8], end: usize, others: &mut Vec<u32>) -> bool {
        let first = self.first.get(..self.count).unwrap_or_default();
        match self.first.last() {
            Some(last @ 1..) if offset > *last => {
                if others.is_empty() {
                    *others = security_headers(message, usize_from(*last), end);
                }
                others.binary_search(&offset).is_ok()
            }
            _ => first.binary_search(&offset).is_ok(),
        }
    }
}

/// Offsets of the security headers after the header at an offset and before `end`.
fn security_headers(message: &[u8], mut at: usize, end: usize) -> Vec<u32> {
    let mut found = Vec::new();
    while let Some([_, size]) = head(message, at) {
        at = at.saturating_add(usize_from(size).max(8));
        if at >= end {
            break;
        }
        if head(message, at).is_some_and(|[signature, _]| signature == Signature::SECURITY.0) {
            found.push(len_u32(at));
        }
    }
    found
}

/// Signature and size of the header at an offset.
fn head(message: &[u8], at: usize) -> Option<[u32; 2]> {
    let head: &[[u8; 4]] = message.get(at..)?.first_chunk::<8>()?.as_chunks().0;
    let [signature, size] = head else { return None };
    Some([u32::from_le_bytes(*signature), u32::from_le_bytes(*size)])
}
