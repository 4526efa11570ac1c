//! Fragments of one direction, put together.

use alloc::vec::Vec;

use remassist_core::usize_from;
use uuid::Uuid;

use crate::names::{AuthLevel, AuthType, Flags};

/// Which security context protects a fragment: all fragments of a call have the same ([MS-RPCE] 2.2.2.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContextKey {
    /// The security provider.
    pub auth_type: AuthType,
    /// How the call is protected.
    pub auth_level: AuthLevel,
    /// The security context.
    pub context_id: u32,
}

/// A fragment of a request or response whose signature was verified and whose stub data are plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Of the header; [`Flags::FIRST`] and [`Flags::LAST`] count.
    pub flags: Flags,
    /// Which call.
    pub call_id: u32,
    /// Presentation context.
    pub context_id: u16,
    /// Operation; 0 in responses.
    pub opnum: u16,
    /// Object UUID of a request.
    pub object: Option<Uuid>,
    /// alloc_hint.
    pub alloc_hint: u32,
    /// Security context.
    pub security: Option<ContextKey>,
    /// Whether numbers are big-endian.
    pub big_endian: bool,
    /// Stub data without padding.
    pub stub: &'a [u8],
}

/// A whole request or response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Which call.
    pub call_id: u32,
    /// Presentation context.
    pub context_id: u16,
    /// Operation; 0 in responses.
    pub opnum: u16,
    /// Object UUID of a request.
    pub object: Option<Uuid>,
    /// Security context.
    pub security: Option<ContextKey>,
    /// Whether numbers are big-endian.
    pub big_endian: bool,
    /// All stub data.
    pub stub: Vec<u8>,
}

/// Why fragments do not fit together. Nothing of the call is kept.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReassemblyError {
    /// A fragment that is not the first of its call, and no call has begun.
    #[error("a fragment of no call")]
    NotBegun,
    /// A first fragment of a call that has begun.
    #[error("a second first fragment of one call")]
    BegunAlready,
    /// A fragment of another call before the last of this one.
    #[error("fragments of two calls are mixed")]
    OtherCall,
    /// A field differs from that of the first fragment.
    #[error("{0} differs between fragments")]
    Differs(&'static str),
    /// More stub data than allowed.
    #[error("more than {max} bytes of stub data")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// alloc_hint promises more than all fragments hold ([MS-RPCE] 2.2.2.6).
    #[error("alloc_hint promises more stub data than came")]
    AllocHint,
}

/// Puts the fragments of one call at a time together: what a sender must not mix ([MS-RPCE] 3.3.3).
#[derive(Debug, Clone)]
pub struct Reassembly {
    begun: Option<Whole>,
    hint: usize,
    max: usize,
}

impl Reassembly {
    /// Takes at most `max_stub` bytes of stub data for each call; [MS-RPCE] 3.3.3.5.4 has 4 MiB for requests.
    #[must_use]
    pub const fn new(max_stub: usize) -> Self {
        Self { begun: None, hint: 0, max: max_stub }
    }

    /// The call that has begun and is not whole.
    #[must_use]
    pub fn call_id(&self) -> Option<u32> {
        self.begun.as_ref().map(|call| call.call_id)
    }

    /// Forgets the call that has begun.
    pub fn clear(&mut self) {
        self.begun = None;
    }

    /// Takes the next fragment; gives the call with its last one.
    ///
    /// # Errors
    /// When it does not fit; the call that had begun is dropped then.
    pub fn push(&mut self, fragment: &Fragment<'_>) -> Result<Option<Whole>, ReassemblyError> {
        let first = fragment.flags.contains(Flags::FIRST);
        let mut call = match (self.begun.take(), first) {
            (None, true) => {
                self.hint = usize_from(fragment.alloc_hint);
                Whole {
                    call_id: fragment.call_id,
                    context_id: fragment.context_id,
                    opnum: fragment.opnum,
                    object: fragment.object,
                    security: fragment.security,
                    big_endian: fragment.big_endian,
                    stub: Vec::new(),
                }
            }
            (None, false) => return Err(ReassemblyError::NotBegun),
            (Some(call), _) if call.call_id != fragment.call_id => return Err(ReassemblyError::OtherCall),
            (Some(_), true) => return Err(ReassemblyError::BegunAlready),
            (Some(call), false) => call,
        };
        for (same, field) in [
            (call.context_id == fragment.context_id, "p_cont_id"),
            (call.opnum == fragment.opnum, "opnum"),
            (call.object == fragment.object, "object"),
            (call.security == fragment.security, "sec_trailer"),
            (call.big_endian == fragment.big_endian, "packed_drep"),
        ] {
            if !same {
                return Err(ReassemblyError::Differs(field));
            }
        }
        if call.stub.len().saturating_add(fragment.stub.len()) > self.max {
            return Err(ReassemblyError::TooLarge { max: self.max });
        }
        call.stub.extend_from_slice(fragment.stub);
        if !fragment.flags.contains(Flags::LAST) {
            self.begun = Some(call);
            return Ok(None);
        }
        if self.hint > call.stub.len() {
            return Err(ReassemblyError::AllocHint);
        }
        Ok(Some(call))
    }
}
