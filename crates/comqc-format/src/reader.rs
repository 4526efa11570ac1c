//! The calls of a message in bytes, without building anything.

use core::iter::FusedIterator;

use remassist_core::{Decode as _, DecodeError, DecodeOptions, decode_using, usize_from};
use uuid::Uuid;

use crate::container::Container;
use crate::header::{COMPLETE, METH, METH_FIXED, NDR, Raw, SMTH_FIXED};
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
    /// The security header in force; only claims, see [`SecurityData`].
    pub security: Security<'a>,
    /// Marshaled Data, perhaps with undefined bytes behind the parameters.
    pub data: &'a [u8],
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
/// Walking any number of calls allocates nothing. (Under [`Policy::Tolerant`](remassist_core::Policy::Tolerant) a deviation costs a short-lived
/// allocation.) [`Limits::items`](remassist_core::Limits::items) does not apply, as no list is built. Whether the whole
/// message is well-formed is known only when the reader returns `None`: do not act on the calls of a message before.
///
/// The size of the reader is about 1.3 kB, of which most is the index that finds security headers again.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    container: Container<'a>,
    walk: Walk<'a>,
    /// What is left of the message; empty after the end and after an error.
    rest: &'a [u8],
    options: DecodeOptions,
    deviations: usize,
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
    pub fn with_options(body: &'a [u8], options: &DecodeOptions) -> Result<Self, DecodeError> {
        let options = options.with_trace(false);
        let decoded = decode_using(body, &options, crate::Message::AT, Container::parse)?;
        let (container, size) = decoded.value;
        let message = body.get(..size).unwrap_or(body);
        Ok(Self {
            rest: message.get(container.size()..).unwrap_or_default(),
            walk: Walk::new(message),
            deviations: decoded.deviations.len(),
            container,
            options,
            done: false,
        })
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
        self.walk.order.partition
    }

    /// How many rules the message broke so far; always 0 under [`Policy::Strict`](remassist_core::Policy::Strict).
    /// [`Message::decode_with`](remassist_core::Decode::decode_with) tells which.
    #[must_use]
    pub fn deviations(&self) -> usize {
        self.deviations
    }

    /// A method header that keeps all rules, under security that is known; for anything else `None`, and nothing has
    /// changed.
    #[inline(always)]
    fn fast(&mut self) -> Option<Call<'a>> {
        let head = self.rest.first_chunk::<SMTH_FIXED>()?;
        let &[signature, size, number, representation, flags, len, reserved, _] = head.as_chunks::<4>().0
        else {
            return None;
        };
        let [signature, size, method_number, len] = [signature, size, number, len].map(u32::from_le_bytes);
        let constants = [representation, flags, reserved].map(u32::from_le_bytes);
        let (header, rest) = self.rest.split_at_checked(usize_from(size))?;
        let security = self.walk.security?;
        let interface_id;
        let data;
        if signature == Signature::SHORT_METHOD.0 {
            interface_id = self.walk.interface?;
            data = header.get(SMTH_FIXED..)?;
        } else if signature == Signature::METHOD.0 {
            let (head, tail) = header.split_first_chunk::<METH_FIXED>()?;
            interface_id = Uuid::from_bytes_le(*head.last_chunk()?);
            data = tail;
        } else {
            return None;
        }
        let data = data.get(..usize_from(len))?;
        if constants != [NDR, COMPLETE, 1] || !size.is_multiple_of(8) || self.walk.order.has_unknown() {
            return None;
        }
        let offset = self.walk.message.len().saturating_sub(self.rest.len());
        self.rest = rest;
        self.walk.interface = Some(interface_id);
        self.walk.order.method();
        Some(Call { offset, method_number, interface_id, security, data })
    }

    /// The next call by the rules that all decoding follows.
    #[cold]
    #[inline(never)]
    fn slow(&mut self) -> Option<Result<Call<'a>, DecodeError>> {
        while !self.done {
            match self.step() {
                Ok(None) => {}
                Ok(Some(call)) => return Some(Ok(call)),
                Err(e) => {
                    self.done = true;
                    self.rest = &[];
                    return Some(Err(e));
                }
            }
        }
        None
    }

    /// Reads one header, or checks the end.
    fn step(&mut self) -> Result<Option<Call<'a>>, DecodeError> {
        let (message, options) = (self.walk.message, self.options);
        let offset = message.len().saturating_sub(self.rest.len());
        let walk = &mut self.walk;
        let done = &mut self.done;
        let decoded = decode_using(message, &options, &METH, |cursor| {
            cursor.take(offset, &METH, remassist_core::Format::Filler)?;
            if cursor.is_empty() {
                *done = true;
                walk.finish(cursor)?;
                return Ok(None);
            }
            let raw = Raw::parse(cursor, &mut |_| {})?;
            walk.accept(&raw, offset, offset, cursor)?;
            Ok(Some(raw))
        })?;
        self.deviations = self.deviations.saturating_add(decoded.deviations.len());
        self.rest = decoded.rest;
        let Some(Raw::Method(method)) = decoded.value else { return Ok(None) };
        let (Some(security), Some(interface_id)) = (self.walk.security, self.walk.interface) else {
            return Ok(None);
        };
        let data = match method.data.0 {
            alloc::borrow::Cow::Borrowed(data) => data,
            alloc::borrow::Cow::Owned(_) => &[],
        };
        Ok(Some(Call { offset, method_number: method.method_number, interface_id, security, data }))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Call<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.fast() {
            Some(call) => Some(Ok(call)),
            None => self.slow(),
        }
    }
}

impl FusedIterator for Reader<'_> {}
