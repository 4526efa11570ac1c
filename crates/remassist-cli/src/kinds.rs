//! What can be decoded and encoded, by the name of its kind.

use remassist::channel::encomsp::EncomspPayload;
use remassist::channel::{ChatMessage, ControlPayload, ExpertBlob, HelpBlob};
use remassist::comqc::Message;
use remassist::connstring::ConnectionString;
use remassist::core::text::TextDocument;
use remassist::core::{
    At, Decode, DecodeError, DecodeErrorKind, DecodeOptions, Decoded, Deviation, Encode, TraceEntry,
};
use remassist::invitation::Invitation;
use remassist::rccommand::{ContactFile, RcCommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::stub::{self, Told};
use crate::{msmq, oaut, objref, pdu};

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
    pub inspect: fn(&[u8], &DecodeOptions, &Told) -> Result<Inspected, DecodeError>,
    /// Encodes the JSON form of a value.
    pub encode: fn(Value) -> Result<Vec<u8>, String>,
}

macro_rules! kind {
    ($name:literal, $borrowed:ty, $owned:ty) => {
        Kind {
            name: $name,
            inspect: |input, options, _| inspect::<$borrowed>(input, options),
            encode: encode::<$owned>,
        }
    };
}

/// The kinds as which inputs without a signature are tried, in that order.
pub static KINDS: &[Kind] = &[
    kind!("comqc", Message<'_>, Message<'static>),
    kind!("invitation", TextDocument<'_, Invitation<'_>>, TextDocument<'static, Invitation<'static>>),
    kind!(
        "connstring",
        TextDocument<'_, ConnectionString<'_>>,
        TextDocument<'static, ConnectionString<'static>>
    ),
    kind!("rccommand", TextDocument<'_, RcCommand<'_>>, TextDocument<'static, RcCommand<'static>>),
    kind!("contact", TextDocument<'_, ContactFile<'_>>, TextDocument<'static, ContactFile<'static>>),
    kind!("rc-ctl", ControlPayload<'_>, ControlPayload<'static>),
    kind!("encomsp", EncomspPayload<'_>, EncomspPayload<'static>),
    kind!("help-blob", HelpBlob<'_>, HelpBlob<'static>),
    kind!("expert-blob", ExpertBlob<'_>, ExpertBlob<'static>),
    kind!("chat", ChatMessage<'_>, ChatMessage<'static>),
];

/// The kinds that are never tried: stub data look like anything, and the others have a signature.
static OTHERS: &[Kind] = &[
    Kind { name: "oaut-bstr", inspect: oaut::inspect_bstr, encode: oaut::encode_bstr },
    Kind { name: "oaut-variant", inspect: oaut::inspect_variant, encode: oaut::encode_variant },
    Kind { name: "oaut-safearray", inspect: oaut::inspect_safearray, encode: oaut::encode_safearray },
    Kind { name: "objref", inspect: objref::inspect, encode: objref::encode },
    Kind { name: "rai-call", inspect: stub::inspect, encode: stub::encode },
    Kind { name: "msmq", inspect: msmq::inspect, encode: msmq::encode },
    Kind { name: "rpc-pdu", inspect: pdu::inspect, encode: pdu::encode },
];

/// The kind of a name.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().chain(OTHERS).find(|kind| kind.name == name)
}

pub fn inspect<'a, T: Decode<'a> + Serialize>(
    input: &'a [u8],
    options: &DecodeOptions,
) -> Result<Inspected, DecodeError> {
    whole(T::decode_with(input, options)?, input, T::AT)
}

/// What was decoded, if it is all of the input.
pub fn whole<T: Serialize>(
    decoded: Decoded<'_, T>,
    input: &[u8],
    at: &'static At,
) -> Result<Inspected, DecodeError> {
    if !decoded.rest.is_empty() {
        let extra = decoded.rest.len();
        let kind = DecodeErrorKind::TrailingData { extra };
        return Err(DecodeError::new(input.len().saturating_sub(extra), at, kind));
    }
    let value = json(&decoded.value);
    Ok(Inspected { value, deviations: decoded.deviations, trace: decoded.trace })
}

/// A type that cannot become JSON would be a defect of ours: shown as such, not as a panic.
pub fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|e| Value::String(e.to_string()))
}

pub fn encode<T: Encode + DeserializeOwned>(value: Value) -> Result<Vec<u8>, String> {
    let value: T = serde_json::from_value(value).map_err(|e| e.to_string())?;
    value.to_vec().map_err(|e| e.to_string())
}
