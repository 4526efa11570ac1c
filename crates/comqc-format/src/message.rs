//! The whole message, byte for byte.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U32, check_len,
};
use uuid::Uuid;

use crate::container::{CHDR, Container, MESSAGE_SIZE};
use crate::header::{Header, OFFSET, Raw, SecurityHeader};
use crate::order::Order;
use crate::rules::{self, encode_error};
use crate::sink::{Batch, Sink};
use crate::walk::Walk;
use crate::{Recording, SecurityData};

const MESSAGE: At = At::new("[MC-COMQC]", "2.2", "Message", "");
const EXCESS: At = At::new("[MC-COMQC]", "2.2.2", "Message", "(after Message Size)");

/// A queued component message ([MC-COMQC] 2.2), the body of an MSMQ message: the container header, then headers in the
/// order of figures 2 to 6, each a multiple of 8 bytes, little-endian.
///
/// ```text
/// CHDR [PART] SECD METH *( [SECD / SECR] (METH / SMTH) )
/// ```
///
/// Every byte is kept, so what was accepted encodes to the same bytes; only sizes and constants follow from the rest.
/// [`recording`](Self::recording) gives the calls without the wire's optimizations, [`Reader`](crate::Reader) the calls
/// of a message in bytes without building anything.
///
/// Decoding checks every rule that [`rule_of`](crate::rule_of) names. It fails where an offset, a size, a signature or
/// security data leave a doubt, under both policies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Message<'a> {
    /// The container header.
    pub container: Container<'a>,
    /// The other headers in the order of the wire.
    pub headers: Vec<Header<'a>>,
    /// Bytes after those that Message Size counts; none in a message that keeps the rules.
    pub excess: Blob<'a>,
}

impl<'a> Message<'a> {
    /// The COM+ partition of the target.
    #[must_use]
    pub fn partition(&self) -> Option<Uuid> {
        self.headers.iter().find_map(|h| match h {
            Header::Partition { identifier } => Some(*identifier),
            _ => None,
        })
    }

    /// The calls, each with its interface and its security data.
    ///
    /// # Errors
    /// As [`check`](Encode::check): only when the fields were changed so that they are no message any more.
    pub fn recording(&self) -> Result<Recording<'_>, EncodeError> {
        Recording::from_message(self)
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        Message {
            container: self.container.into_owned(),
            headers: self.headers.into_iter().map(Header::into_owned).collect(),
            excess: self.excess.into_owned(),
        }
    }

    /// The field Message Size.
    fn message_size(&self) -> usize {
        self.headers.iter().map(Header::size).fold(self.container.size(), usize::saturating_add)
    }

    fn put(&self, message_size: usize, dst: &mut impl Sink) {
        self.container.put(message_size, dst);
        for header in &self.headers {
            header.put(dst);
        }
        dst.put(&self.excess);
    }

    /// Checks everything and returns Message Size.
    fn checked_size(&self) -> Result<usize, EncodeError> {
        self.container.check()?;
        let mut offset = self.container.size();
        let mut order = Order::default();
        let mut security = Vec::new();
        let tolerant = |_, _| Ok(());
        let mut after_method = false;
        for header in &self.headers {
            if let (Header::Method(method), true) = (header, after_method) {
                // Where one method may stand, any other may follow.
                let size = method.size();
                if size.is_multiple_of(8) {
                    offset = offset.saturating_add(size);
                    continue;
                }
            }
            after_method = matches!(header, Header::Method(_));
            header.check()?;
            let (step, at) = header.step();
            order.accept(step, offset, at, tolerant).map_err(|e| encode_error(e.at(), e.kind()))?;
            match header {
                Header::Security(_) => security.push(offset),
                Header::Reference { offset: target, .. }
                    if security.binary_search(&remassist_core::usize_from(*target)).is_err() =>
                {
                    return Err(encode_error(&OFFSET, rules::SECR_OFFSET));
                }
                _ => {}
            }
            offset = offset.saturating_add(header.size());
        }
        order.finish(offset, &CHDR, tolerant).map_err(|e| encode_error(e.at(), e.kind()))?;
        check_len(offset, MAX_U32, &MESSAGE_SIZE)?;
        Ok(offset)
    }
}

impl<'a> Decode<'a> for Message<'a> {
    const AT: &'static At = &MESSAGE;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let (body, start) = (cursor.rest(), cursor.offset());
        let (container, size) = Container::parse(cursor)?;
        let mut inner = cursor.sub(size.saturating_sub(container.size()), &CHDR)?;
        let mut walk = Walk::new(body.get(..size).unwrap_or(body));
        let (mut headers, mut others) = (Vec::new(), Vec::new());
        let max = cursor.context().limits().items;
        while !inner.is_empty() {
            if headers.len() >= max {
                return Err(inner.error(&MESSAGE, DecodeErrorKind::LimitExceeded { limit: "headers", max }));
            }
            let absolute = inner.offset();
            let mut data = SecurityData::EMPTY;
            let raw = Raw::parse(&mut inner, &mut |item| data.push(item))?;
            walk.accept(&raw, absolute.saturating_sub(start), absolute, &inner, &mut others)?;
            headers.push(match raw {
                Raw::Partition(identifier) => Header::Partition { identifier },
                Raw::Security { header_padding, padding, .. } => {
                    Header::Security(SecurityHeader { header_padding, data, padding: padding.into() })
                }
                Raw::Reference { offset, padding } => Header::Reference { offset, padding },
                Raw::Method(method) => Header::Method(method),
                Raw::Unknown { signature, body } => Header::Unknown { signature, body: body.into() },
            });
        }
        walk.finish(&inner)?;
        let excess = cursor.take_rest(&EXCESS, Format::Bytes).into();
        Ok(Self { container, headers, excess })
    }
}

impl Encode for Message<'_> {
    fn encoded_len(&self) -> usize {
        self.message_size().saturating_add(self.excess.len())
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.checked_size().map(|_| ())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        Batch::of(dst, |batch| self.put(self.message_size(), batch));
    }

    fn encode(&self, dst: &mut dyn BufMut) -> Result<(), EncodeError> {
        let size = self.checked_size()?;
        let (needed, available) = (size.saturating_add(self.excess.len()), dst.remaining_mut());
        if available < needed {
            return Err(EncodeError::BufferTooSmall { needed, available });
        }
        Batch::of(dst, |batch| self.put(size, batch));
        Ok(())
    }

    fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        let size = self.checked_size()?;
        let mut bytes = Vec::with_capacity(size.saturating_add(self.excess.len()));
        self.put(size, &mut bytes);
        Ok(bytes)
    }
}
