//! Share control and what surrounds it, on the static channel `encomsp` ([MS-RDPEMC]).
//!
//! An expert of version 2 or 3 asks for control with [`Message::ControlChange`]; the novice announces what an expert may do
//! with [`Message::ParticipantCreated`].

mod message;
mod numbers;

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind as Kind, Encode, EncodeError, Format, MAX_U16,
    check_len, len_u16,
};

pub use message::{MAX_STRING, Message};
pub use numbers::{
    AppFlags, ControlFlags, DiscCode, DiscType, FilterFlags, ParticipantFlags, PduType, WindowFlags,
};

at! { "[MS-RDPEMC]":
    PAYLOAD = "3.1.5.1" "encomsp payload" "";
    HDR = "2.2.1" "ORDER_HDR" "";
    TYPE = "2.2.1" "ORDER_HDR" "Type";
    LENGTH = "2.2.1" "ORDER_HDR" "Length";
    EXTRA = "3.2.5.1.1" "PDU" "extension";
}

/// Bytes of ORDER_HDR.
const HEADER: usize = 4;

/// One PDU: `u16` Type, `u16` Length, then the fields of the message ([MS-RDPEMC] 2.2.1). Length counts the header too; less
/// than 4 is an error.
///
/// ```
/// use ra_channel::encomsp::{ControlFlags, Message, Pdu};
/// use remassist_core::{Decode as _, Encode as _};
///
/// let ask = Pdu::new(Message::ControlChange {
///     flags: ControlFlags::REQUEST_VIEW | ControlFlags::REQUEST_INTERACT,
///     participant_id: 1,
/// });
/// assert_eq!(ask.to_vec()?, [9, 0, 10, 0, 3, 0, 1, 0, 0, 0]);
/// # Ok::<(), remassist_core::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Pdu<'a> {
    /// What it says.
    pub message: Message<'a>,
    /// What stands behind the known fields: reserved for extensions, to be ignored ([MS-RDPEMC] 3.2.5.1.1). Empty behind an
    /// unknown message.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_empty"))]
    pub extra: Blob<'a>,
}

#[cfg(feature = "serde")]
fn is_empty(bytes: &Blob<'_>) -> bool {
    bytes.is_empty()
}

impl<'a> Pdu<'a> {
    /// A PDU without extension.
    #[must_use]
    pub fn new(message: Message<'a>) -> Self {
        Self { message, extra: Blob::default() }
    }

    /// The same PDU, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Pdu<'static> {
        Pdu { message: self.message.into_owned(), extra: self.extra.into_owned() }
    }
}

impl<'a> Decode<'a> for Pdu<'a> {
    const AT: &'static At = &HDR;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&HDR, |cursor| {
            let start = cursor.offset();
            let pdu_type = PduType(cursor.u16(&TYPE)?);
            cursor.context().note(pdu_type.name());
            let length_at = cursor.offset();
            let length = cursor.u16(&LENGTH)?;
            let Some(rest) = usize::from(length).checked_sub(HEADER) else {
                let kind = Kind::OutOfBounds { got: length.into(), max: HEADER };
                return Err(DecodeError::new(length_at, &LENGTH, kind));
            };
            let mut fields = cursor.sub(rest, &LENGTH)?;
            let got = pdu_type.0.into();
            fields.must(pdu_type.name().is_some(), start, &TYPE, Kind::InvalidValue { got })?;
            let message = Message::parse(pdu_type, &mut fields)?;
            Ok(Self { message, extra: Blob::from(fields.take_rest(&EXTRA, Format::Bytes)) })
        })
    }
}

impl Encode for Pdu<'_> {
    fn encoded_len(&self) -> usize {
        self.message.encoded_len().saturating_add(self.extra.len()).saturating_add(HEADER)
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.message.check()?;
        if let Message::Unknown { pdu_type, .. } = &self.message {
            if pdu_type.name().is_some() {
                return Err(EncodeError::Invalid {
                    at: &TYPE,
                    reason: "the type is known: it would not be read as an unknown message",
                });
            }
            if !self.extra.is_empty() {
                return Err(EncodeError::Invalid {
                    at: &EXTRA,
                    reason: "the body of an unknown message is all of it",
                });
            }
        }
        check_len(self.encoded_len(), MAX_U16, &LENGTH)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u16_le(self.message.pdu_type().0);
        dst.put_u16_le(len_u16(self.encoded_len()));
        self.message.write(dst);
        dst.put_slice(&self.extra);
    }
}

/// All PDUs of one payload of the channel ([MS-RDPEMC] 3.1.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EncomspPayload<'a> {
    /// At least one.
    pub pdus: Vec<Pdu<'a>>,
}

impl EncomspPayload<'_> {
    /// The same PDUs, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> EncomspPayload<'static> {
        EncomspPayload { pdus: self.pdus.into_iter().map(Pdu::into_owned).collect() }
    }
}

/// The PDUs fill the input.
impl<'a> Decode<'a> for EncomspPayload<'a> {
    const AT: &'static At = &PAYLOAD;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let max = cursor.context().limits().items;
        let mut pdus = Vec::new();
        while pdus.is_empty() || !cursor.is_empty() {
            if pdus.len() >= max {
                return Err(cursor.error(&PAYLOAD, Kind::LimitExceeded { limit: "PDUs", max }));
            }
            pdus.push(Pdu::parse(cursor)?);
        }
        Ok(Self { pdus })
    }
}

impl Encode for EncomspPayload<'_> {
    fn encoded_len(&self) -> usize {
        self.pdus.iter().fold(0, |sum, pdu| pdu.encoded_len().saturating_add(sum))
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.pdus.is_empty() {
            return Err(EncodeError::Invalid { at: &PAYLOAD, reason: "there is at least one PDU" });
        }
        self.pdus.iter().try_for_each(Pdu::check)
    }

    fn write(&self, dst: &mut dyn BufMut) {
        self.pdus.iter().for_each(|pdu| pdu.write(dst));
    }
}
