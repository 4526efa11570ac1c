//! Calls as the application knows them, and the writer that makes a message of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use remassist_core::{
    At, Blob, DecodeError, DecodeErrorKind, DecodeOptions, Encode as _, EncodeError, check_len, len_u32,
    usize_from,
};
use uuid::Uuid;

use crate::container::{Container, MESSAGE_SIZE};
use crate::{Header, Message, Method, Reader, SecurityData, SecurityHeader, TargetForm};

const MESSAGE: At = At::new("[MC-COMQC]", "2.2", "Message", "");
const SECURITY: At = At::new("[MC-COMQC]", "2.2.4", "SECD", "SecurityData");

/// The calls of a message without anything of the wire: what a recorder collects and a player plays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Recording<'a> {
    /// CLSID of the object that is called.
    pub target_id: Uuid,
    /// COM+ partition of that object.
    pub partition: Option<Uuid>,
    /// The security contexts that calls name by their place in this list. Only claims, see [`SecurityData`].
    pub contexts: Vec<SecurityData<'a>>,
    /// The calls in their order.
    pub calls: Vec<RecordedCall<'a>>,
}

/// One call of a [`Recording`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordedCall<'a> {
    /// The interface.
    pub interface_id: Uuid,
    /// Index of the method in the interface, with the three of `IUnknown` before.
    pub method_number: u32,
    /// Place of its security in [`Recording::contexts`].
    pub context: usize,
    /// The marshaled parameters.
    pub data: Blob<'a>,
}

impl RecordedCall<'_> {
    /// The same call, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> RecordedCall<'static> {
        RecordedCall { data: self.data.into_owned(), ..self }
    }
}

impl<'a> Recording<'a> {
    /// No calls yet.
    #[must_use]
    pub fn new(target_id: Uuid) -> Self {
        Self { target_id, partition: None, contexts: Vec::new(), calls: Vec::new() }
    }

    /// Adds a security context and returns its place.
    pub fn add_context(&mut self, security: SecurityData<'a>) -> usize {
        self.contexts.push(security);
        self.contexts.len().saturating_sub(1)
    }

    /// Adds a call under the context at this place.
    pub fn add_call(
        &mut self,
        context: usize,
        interface_id: Uuid,
        method_number: u32,
        data: impl Into<Blob<'a>>,
    ) {
        self.calls.push(RecordedCall { interface_id, method_number, context, data: data.into() });
    }

    /// The security of a call.
    #[must_use]
    pub fn security(&self, call: &RecordedCall<'_>) -> Option<&SecurityData<'a>> {
        self.contexts.get(call.context)
    }

    /// Reads the calls of a message with a [`Reader`].
    ///
    /// # Errors
    /// As [`Reader`]; also when there are more than [`Limits::items`](remassist_core::Limits::items) calls.
    pub fn decode(body: &'a [u8], options: &DecodeOptions) -> Result<Self, DecodeError> {
        let mut reader = Reader::with_options(body, options)?;
        let mut recording = Self::new(reader.container().target_id);
        let mut places = BTreeMap::new();
        let max = options.limits.items;
        for call in reader.by_ref() {
            let call = call?;
            if recording.calls.len() >= max {
                let kind = DecodeErrorKind::LimitExceeded { limit: "calls", max };
                return Err(DecodeError::new(call.offset, &MESSAGE, kind));
            }
            let context = match places.get(&call.security.offset) {
                Some(place) => *place,
                None => {
                    let place = recording.add_context(call.security.decode()?);
                    places.insert(call.security.offset, place);
                    place
                }
            };
            recording.add_call(context, call.interface_id, call.method_number, call.data);
        }
        recording.partition = reader.partition_id();
        Ok(recording)
    }

    /// The calls of a message that is already in parts.
    pub(crate) fn from_message(message: &'a Message<'_>) -> Result<Self, EncodeError> {
        message.check()?;
        let mut recording = Self::new(message.container.target_id);
        recording.partition = message.partition();
        let mut headers = BTreeMap::new();
        let mut places = BTreeMap::new();
        let mut offset = message.container.size();
        let (mut security, mut interface) = (0, Uuid::nil());
        for header in &message.headers {
            match header {
                Header::Security(header) => {
                    headers.insert(offset, &header.data);
                    security = offset;
                }
                Header::Reference { offset, .. } => security = usize_from(*offset),
                Header::Method(method) => {
                    interface = method.interface_id.unwrap_or(interface);
                    let place = match places.get(&security) {
                        Some(place) => *place,
                        None => {
                            let data = headers.get(&security).map_or(SecurityData::EMPTY, |d| d.borrowed());
                            let place = recording.add_context(data);
                            places.insert(security, place);
                            place
                        }
                    };
                    recording.add_call(place, interface, method.method_number, &*method.data);
                }
                Header::Partition { .. } | Header::Unknown { .. } => {}
            }
            offset = offset.saturating_add(header.size());
        }
        Ok(recording)
    }

    /// The same calls, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Recording<'static> {
        Recording {
            target_id: self.target_id,
            partition: self.partition,
            contexts: self.contexts.into_iter().map(SecurityData::into_owned).collect(),
            calls: self.calls.into_iter().map(RecordedCall::into_owned).collect(),
        }
    }
}

/// How a [`Recording`] becomes a [`Message`]. The default follows every SHOULD of [MC-COMQC] 2.2; each can be switched
/// off, and what is written then is still a message that keeps all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// Write no security header before a call that has the same security as the call before.
    pub omit_repeated_security: bool,
    /// Write a security reference header where the security is that of an earlier call.
    pub references: bool,
    /// Write `SMTH` where the interface is that of the call before.
    pub short_methods: bool,
    /// Form of the target's text.
    pub target_form: TargetForm,
    /// Largest message to write, in bytes.
    pub max_size: usize,
}

impl Writer {
    /// What fits into one MSMQ packet of 0x00400000 bytes ([MS-MQMQ] 2.2.19.1) when 4 KiB are kept for its headers:
    /// the format itself has no bound below 4 GiB (reading A24).
    pub const MAX_SIZE: usize = 0x0040_0000 - 0x1000;

    /// Everything that a sender should do.
    pub const OPTIMIZED: Self = Self {
        omit_repeated_security: true,
        references: true,
        short_methods: true,
        target_form: TargetForm::Braces,
        max_size: Self::MAX_SIZE,
    };

    /// Every call with its own security data and interface.
    pub const PLAIN: Self =
        Self { omit_repeated_security: false, references: false, short_methods: false, ..Self::OPTIMIZED };

    /// Makes a message of the calls. Padding is zeros, whatever the sender's memory holds.
    ///
    /// # Errors
    /// When there are no calls, when a call names a context that does not exist, when security data break a rule, or
    /// when the message would be longer than `max_size`.
    pub fn message<'r>(&self, recording: &'r Recording<'_>) -> Result<Message<'r>, EncodeError> {
        let container = Container::new(recording.target_id, self.target_form);
        let mut message = Message { container, headers: Vec::new(), excess: Blob::default() };
        let mut size = message.container.size();
        let mut push = |header: Header<'r>| {
            let offset = size;
            size = size.saturating_add(header.size());
            message.headers.push(header);
            check_len(size, self.max_size, &MESSAGE_SIZE).map(|()| offset)
        };
        if let Some(identifier) = recording.partition {
            push(Header::Partition { identifier })?;
        }
        let contexts = distinct(&recording.contexts)?;
        let mut offsets = BTreeMap::new();
        let (mut last_context, mut last_interface) = (None, None);
        for call in &recording.calls {
            let Some(&context) = contexts.get(call.context) else {
                return Err(EncodeError::Invalid {
                    at: &SECURITY,
                    reason: "names a context that does not exist",
                });
            };
            if last_context != Some(context) || !self.omit_repeated_security {
                match offsets.get(&context) {
                    Some(&offset) if self.references => {
                        push(Header::Reference { offset: len_u32(offset), padding: [0; 4] })?;
                    }
                    _ => {
                        let data = recording.contexts.get(context).map(SecurityData::borrowed);
                        let header = SecurityHeader::new(data.unwrap_or(SecurityData::EMPTY));
                        offsets.insert(context, push(Header::Security(header))?);
                    }
                }
            }
            let is_short = self.short_methods && last_interface == Some(call.interface_id);
            let interface_id = (!is_short).then_some(call.interface_id);
            push(Header::Method(Method::new(call.method_number, interface_id, Blob::from(&*call.data))))?;
            last_context = Some(context);
            last_interface = Some(call.interface_id);
        }
        message.check()?;
        Ok(message)
    }

    /// Makes the bytes of a message of the calls.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub fn to_vec(&self, recording: &Recording<'_>) -> Result<Vec<u8>, EncodeError> {
        self.message(recording)?.to_vec()
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::OPTIMIZED
    }
}

/// For each context the place of the first one with the same bytes.
fn distinct(contexts: &[SecurityData<'_>]) -> Result<Vec<usize>, EncodeError> {
    let mut first = BTreeMap::new();
    contexts
        .iter()
        .enumerate()
        .map(|(place, data)| Ok(*first.entry(data.to_vec()?).or_insert(place)))
        .collect()
}
