//! What can be decoded and encoded, by the name of its kind.

use remassist::channel::encomsp::EncomspPayload;
use remassist::channel::{ChatMessage, ControlPayload, ExpertBlob, HelpBlob};
use remassist::comqc::Message;
use remassist::connstring::ConnectionString;
use remassist::core::text::TextDocument;
use remassist::core::{Decode, DecodeError, DecodeErrorKind, DecodeOptions, Deviation, Encode, TraceEntry};
use remassist::invitation::Invitation;
use remassist::rccommand::{ContactFile, RcCommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A decoded value, ready to be shown.
#[derive(Debug)]
pub struct Inspected {
    pub value: Value,
    pub deviations: Vec<Deviation>,
    pub trace: Vec<TraceEntry>,
}

/// One kind of input.
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// Decodes the whole input.
    pub inspect: fn(&[u8], &DecodeOptions) -> Result<Inspected, DecodeError>,
    /// Encodes the JSON form of a value.
    pub encode: fn(Value) -> Result<Vec<u8>, String>,
}

macro_rules! kind {
    ($name:literal, $borrowed:ty, $owned:ty) => {
        Kind { name: $name, inspect: |input, options| inspect::<$borrowed>(input, options), encode: encode::<$owned> }
    };
}

/// Every kind. The order is that in which inputs without a signature are tried.
pub static KINDS: &[Kind] = &[
    kind!("comqc", Message<'_>, Message<'static>),
    kind!("invitation", TextDocument<'_, Invitation<'_>>, TextDocument<'static, Invitation<'static>>),
    kind!("connstring", TextDocument<'_, ConnectionString<'_>>, TextDocument<'static, ConnectionString<'static>>),
    kind!("rccommand", TextDocument<'_, RcCommand<'_>>, TextDocument<'static, RcCommand<'static>>),
    kind!("contact", TextDocument<'_, ContactFile<'_>>, TextDocument<'static, ContactFile<'static>>),
    kind!("rc-ctl", ControlPayload<'_>, ControlPayload<'static>),
    kind!("encomsp", EncomspPayload<'_>, EncomspPayload<'static>),
    kind!("help-blob", HelpBlob<'_>, HelpBlob<'static>),
    kind!("expert-blob", ExpertBlob<'_>, ExpertBlob<'static>),
    kind!("chat", ChatMessage<'_>, ChatMessage<'static>),
];

/// The kind of a name.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

fn inspect<'a, T: Decode<'a> + Serialize>(
    input: &'a [u8],
    options: &DecodeOptions,
) -> Result<Inspected, DecodeError> {
    let decoded = T::decode_with(input, options)?;
    if !decoded.rest.is_empty() {
        let extra = decoded.rest.len();
        let kind = DecodeErrorKind::TrailingData { extra };
        return Err(DecodeError::new(input.len().saturating_sub(extra), T::AT, kind));
    }
    // A type that cannot become JSON would be a defect of ours: shown as such, not as a panic.
    let value = serde_json::to_value(&decoded.value).unwrap_or_else(|e| Value::String(e.to_string()));
    Ok(Inspected { value, deviations: decoded.deviations, trace: decoded.trace })
}

fn encode<T: Encode + DeserializeOwned>(value: Value) -> Result<Vec<u8>, String> {
    let value: T = serde_json::from_value(value).map_err(|e| e.to_string())?;
    value.to_vec().map_err(|e| e.to_string())
}
