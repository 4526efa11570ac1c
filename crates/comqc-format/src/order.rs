//! The order of headers: figures 2 to 6 of [MC-COMQC] 2.2, and where security headers stand.

use remassist_core::{At, DecodeError, DecodeErrorKind, usize_from};
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

/// Number of equal parts that [`Index`] divides a message into.
const PARTS: usize = 64;

/// Where security headers stand, in a fixed amount of memory: the first one of each part of the message. The others are
/// found from there by their Size, so a message full of references costs no more than its length times a part's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index {
    first: [u32; PARTS],
    part: usize,
}

impl Index {
    pub(crate) fn new(message: &[u8]) -> Self {
        Self { first: [0; PARTS], part: message.len().div_ceil(PARTS).max(1) }
    }

    fn slot(&mut self, offset: usize) -> Option<&mut u32> {
        self.first.get_mut(offset.checked_div(self.part)?)
    }

    /// Adds a security header at this offset of the message; offsets rise.
    pub(crate) fn add(&mut self, offset: u32) {
        if let Some(slot @ 0) = self.slot(usize_from(offset)) {
            *slot = offset;
        }
    }

    /// Whether a security header that was added stands at this offset. `message` is well-formed up to the last one.
    pub(crate) fn contains(&mut self, offset: u32, message: &[u8]) -> bool {
        let target = usize_from(offset);
        let Some(first @ 1..) = self.slot(target).map(|slot| *slot) else { return false };
        let mut at = usize_from(first);
        while at < target {
            let Some([_, size]) = head(message, at) else { return false };
            at = at.saturating_add(usize_from(size).max(8));
        }
        at == target && head(message, at).is_some_and(|[signature, _]| signature == Signature::SECURITY.0)
    }
}

/// Signature and size of the header at an offset.
fn head(message: &[u8], at: usize) -> Option<[u32; 2]> {
    let head: &[[u8; 4]] = message.get(at..)?.first_chunk::<8>()?.as_chunks().0;
    let [signature, size] = head else { return None };
    Some([u32::from_le_bytes(*signature), u32::from_le_bytes(*size)])
}
