//! The calls of a message in bytes, without building anything.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::iter::FusedIterator;

use remassist_core::{Blob, Decode as _, DecodeError, DecodeOptions, Format, decode_using, usize_from};
use uuid::Uuid;

use crate::container::Container;
use crate::header::{COMPLETE, METH, METH_FIXED, Method, NDR, Raw, SMTH_FIXED};
use crate::walk::Walk;
use crate::{IID_IDISPATCH, SecurityData, Signature};

/// A call of a message ([MC-COMQC] 2.2.6) with what the headers before it say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// Where its `METH` or `SMTH` header begins, in bytes from the beginning of the message.
    pub offset: usize,
    /// Method Number.
    pub method_number: u32,
    /// Interface ID, from this header or the most recent one that has it.
    pub interface_id: Uuid,
    /// Marshaled Data, perhaps with undefined bytes behind the parameters.
    pub data: &'a [u8],
    /// The security header in force; only claims, see [`SecurityData`].
    pub security: Security<'a>,
}

impl Call<'_> {
    /// Whether the data are in the dispatch format; otherwise they are NDR ([MC-COMQC] 2.2.6.1).
    #[must_use]
    pub fn is_dispatch(&self) -> bool {
        self.interface_id == IID_IDISPATCH
    }
}

/// Where security data stand in a message; equal for calls under the same security header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security<'a> {
    /// Where the `SECD` header begins, in bytes from the beginning of the message.
    pub offset: usize,
    /// Security Data, checked.
    pub data: &'a [u8],
}

impl<'a> Security<'a> {
    /// The data as values.
    ///
    /// # Errors
    /// None for data that a [`Reader`] gives, as it has checked them; else as [`SecurityData`].
    pub fn decode(&self) -> Result<SecurityData<'a>, DecodeError> {
        SecurityData::decode(self.data)
    }
}

/// Walks the calls of a message in bytes; each is checked as [`Message`](crate::Message) checks it.
///
/// Walking any number of calls allocates nothing, until a reference names a security header after the first 16: then the
/// offsets of those are collected, 4 bytes each. (Under [`Policy::Tolerant`](remassist_core::Policy::Tolerant) a
/// deviation costs a short-lived allocation.) [`Limits::items`](remassist_core::Limits::items) does not apply, as no list
/// is built. Whether the whole message is well-formed is known only when the reader returns `None`: do not act on the
/// calls of a message before.
///
/// The size of the reader is about 450 bytes, half of it the container.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    container: Container<'a>,
    run: Run<'a>,
    state: State<'a>,
    /// Security headers after the first ones, see [`Index`](crate::order::Index).
    others: Vec<u32>,
}

/// Method headers that follow each other: all that reading them needs, so that the compiler can keep it in registers.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    /// What is left of the message; nothing while there is no run.
    rest: &'a [u8],
    /// Bytes of the message.
    message: usize,
    security: Security<'a>,
    /// The interface in force, where its header has it.
    interface: &'a [u8; 16],
}

/// What a run leaves alone. Passed by value, so that the address of the reader is not taken.
#[derive(Debug, Clone, Copy)]
struct State<'a> {
    walk: Walk<'a>,
    /// What was left of the message when the run began.
    rest: &'a [u8],
    options: DecodeOptions,
    deviations: usize,
    /// A run has begun.
    running: bool,
    done: bool,
}

impl<'a> Reader<'a> {
    /// Reads a message tolerantly, as [`Message::decode`](remassist_core::Decode::decode) does.
    ///
    /// # Errors
    /// When the container header is not well-formed.
    pub fn new(body: &'a [u8]) -> Result<Self, DecodeError> {
        Self::with_options(body, &DecodeOptions::TOLERANT)
    }

    /// Reads a message that must keep all rules.
    ///
    /// # Errors
    /// When the container header does not.
    pub fn strict(body: &'a [u8]) -> Result<Self, DecodeError> {
        Self::with_options(body, &DecodeOptions::STRICT)
    }

    /// Reads a message with the policy and limits given; nothing is traced.
    ///
    /// # Errors
    /// When the container header is not well-formed.
    #[inline(never)]
    pub fn with_options(body: &'a [u8], options: &DecodeOptions) -> Result<Self, DecodeError> {
        let options = options.with_trace(false);
        let decoded = decode_using(body, &options, crate::Message::AT, Container::parse)?;
        let (container, size) = decoded.value;
        let message = body.get(..size).unwrap_or(body);
        let state = State {
            walk: Walk::new(message),
            rest: message.get(container.size()..).unwrap_or_default(),
            options,
            deviations: decoded.deviations.len(),
            running: false,
            done: false,
        };
        let security = Security { offset: 0, data: &[] };
        let run = Run { rest: &[], message: size, security, interface: &[0; 16] };
        Ok(Self { container, run, state, others: Vec::new() })
    }

    /// The container header: target and versions.
    #[must_use]
    pub fn container(&self) -> &Container<'a> {
        &self.container
    }

    /// The COM+ partition, as soon as its header has been passed: in a message that keeps the rules, after the first
    /// call.
    #[must_use]
    pub fn partition_id(&self) -> Option<Uuid> {
        self.state.walk.order.partition
    }

    /// How many rules the message broke so far; always 0 under [`Policy::Strict`](remassist_core::Policy::Strict).
    /// [`Message::decode_with`](remassist_core::Decode::decode_with) tells which.
    #[must_use]
    pub fn deviations(&self) -> usize {
        self.state.deviations
    }
}

impl<'a> Run<'a> {
    /// A method header that keeps all rules; for anything else `None`, and nothing has changed.
    #[inline(always)]
    fn next(&mut self) -> Option<Call<'a>> {
        let head = self.rest.first_chunk::<SMTH_FIXED>()?;
        let &[first, second, third, fourth] = head.as_chunks().0 else { return None };
        let [first, second, third, fourth] = [first, second, third, fourth].map(u64::from_le_bytes);
        let ([signature, size], [method_number, representation]) = (halves(first), halves(second));
        let ([flags, len], [reserved, _]) = (halves(third), halves(fourth));
        let (header, rest) = self.rest.split_at_checked(usize_from(size))?;
        if representation != NDR || flags != COMPLETE || reserved != 1 || first & (7 << 32) != 0 {
            return None;
        }
        // The sum does not overflow 64 bits; where it overflows 32, it is below the fixed part and no range.
        let end = |fixed| usize_from(len).wrapping_add(fixed);
        let data = if signature == Signature::SHORT_METHOD.0 {
            header.get(SMTH_FIXED..end(SMTH_FIXED))?
        } else if signature == Signature::METHOD.0 {
            let data = header.get(METH_FIXED..end(METH_FIXED))?;
            self.interface = header.first_chunk::<METH_FIXED>()?.last_chunk()?;
            data
        } else {
            return None;
        };
        let offset = self.message.saturating_sub(self.rest.len());
        self.rest = rest;
        let interface_id = Uuid::from_bytes_le(*self.interface);
        Some(Call { offset, method_number, interface_id, security: self.security, data })
    }
}

/// The lower and the upper half of a number.
#[inline(always)]
fn halves(number: u64) -> [u32; 2] {
    [number & 0xFFFF_FFFF, number >> 32].map(|half| u32::try_from(half).unwrap_or_default())
}

/// What reading a header changes, and the call.
struct Next<'a> {
    state: State<'a>,
    run: Run<'a>,
    others: Vec<u32>,
    item: Option<Result<Call<'a>, DecodeError>>,
}

impl<'a> State<'a> {
    /// The next call by the rules that all decoding follows.
    #[cold]
    #[inline(never)]
    fn next(mut self, mut run: Run<'a>, mut others: Vec<u32>) -> Next<'a> {
        if self.done {
            return Next { state: self, run, others, item: None };
        }
        if self.running {
            self.rest = run.rest;
            self.walk.interface = Some(run.interface);
        }
        let call = self.read(&mut others);
        self.running = matches!(call, Ok(Some(_)));
        self.done = !self.running;
        run.rest = if self.running { self.rest } else { &[] };
        if let (Some(security), Some(interface)) = (self.walk.security, self.walk.interface) {
            run.security = security;
            run.interface = interface;
        }
        Next { state: self, run, others, item: call.transpose() }
    }

    /// Reads headers up to the next call, or checks the end.
    fn read(&mut self, others: &mut Vec<u32>) -> Result<Option<Call<'a>>, DecodeError> {
        let Self { walk, rest, options, deviations, .. } = self;
        let message = walk.message;
        let start = message.len().saturating_sub(rest.len());
        let decoded = decode_using(message, options, &METH, |cursor| {
            cursor.take(start, &METH, Format::Filler)?;
            while !cursor.is_empty() {
                let offset = cursor.offset();
                let raw = Raw::parse(cursor, &mut |_| {})?;
                walk.accept(&raw, offset, offset, cursor, others)?;
                if let Raw::Method(Method { method_number, data: Blob(Cow::Borrowed(data)), .. }) = raw {
                    return Ok(walk.security.zip(walk.interface).map(|(security, interface)| Call {
                        offset,
                        method_number,
                        interface_id: Uuid::from_bytes_le(*interface),
                        security,
                        data,
                    }));
                }
            }
            walk.finish(cursor).map(|()| None)
        })?;
        *deviations = deviations.saturating_add(decoded.deviations.len());
        *rest = decoded.rest;
        Ok(decoded.value)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Call<'a>, DecodeError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(call) = self.run.next() {
            return Some(Ok(call));
        }
        let Next { state, run, others, item } = self.state.next(self.run, core::mem::take(&mut self.others));
        (self.state, self.run, self.others) = (state, run, others);
        item
    }
}

impl FusedIterator for Reader<'_> {}
