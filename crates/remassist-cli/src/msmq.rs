//! Packets of MSMQ, one after the other, and datagrams of its ping.

use remassist::comqc::{self, Message};
use remassist::core::{
    At, Decode as _, DecodeError, DecodeErrorKind, DecodeOptions, Decoded, Deviation, Format, Policy,
    TraceEntry,
};
use remassist::msmq::{Acknowledgment, Packet, Ping, UserMessage};
use serde_json::{Value, json};

use crate::kinds;
pub use crate::kinds::Inspected;
use crate::stub::{Told, shift};

/// Packets that are read: as many as fill the longest input, when they are small.
const MAX_PACKETS: usize = 1 << 20;

macro_rules! packets {
    ($($place:ident = $document:literal, $section:literal, $name:literal;)*) => {
        $(static $place: At = At::new($document, $section, $name, "");)*
    };
}
packets! {
    ESTABLISH = "[MS-MQQB]", "2.2.3", "EstablishConnection Packet";
    PARAMETERS = "[MS-MQQB]", "2.2.2", "ConnectionParameters Packet";
    SESSION_ACK = "[MS-MQQB]", "2.2.6", "SessionAck Packet";
    ORDER_ACK = "[MS-MQQB]", "2.2.4", "OrderAck Packet";
    FINAL_ACK = "[MS-MQQB]", "2.2.5", "FinalAck Packet";
    MESSAGE = "[MS-MQMQ]", "2.2.20", "UserMessage Packet";
    PACKET = "[MS-MQQB]", "2.2", "Packet";
    PING = "[MS-MQQB]", "2.2.7", "Ping Packet";
    COMQC = "[MC-COMQC]", "2.2", "Message (in MessageBody)";
}

/// Whether this begins as a packet, or is nothing but pings.
pub fn recognises(input: &[u8]) -> bool {
    let (pings, rest) = input.as_chunks::<{ Ping::LEN }>();
    matches!(input, [0x10, _, _, _, b'L', b'I', b'O', b'R', ..])
        || (rest.is_empty() && !pings.is_empty() && pings.iter().all(|ping| is_ping(ping)))
}

const fn is_ping(input: &[u8]) -> bool {
    matches!(input, [_, _, 0x48, 0x55, ..])
}

/// A packet, what it is called, and the bytes after it.
pub struct One<'a> {
    pub at: &'static At,
    pub inspected: Inspected,
    pub rest: &'a [u8],
}

/// Reads one packet or ping. What a message holds that the program knows is read, too.
pub fn one<'a>(input: &'a [u8], options: &DecodeOptions) -> Result<One<'a>, DecodeError> {
    if is_ping(input) && !recognises(input.get(..8).unwrap_or_default()) {
        let Decoded { value, rest, deviations, trace } = Ping::decode_with(input, options)?;
        let mut value = kinds::json(&value);
        if let Value::Object(map) = &mut value {
            map.insert("type".to_owned(), json!("ping"));
        }
        // It is the group of all of its fields itself.
        let trace =
            trace.into_iter().filter(|entry| entry.depth > 0).map(|entry| TraceEntry { depth: 0, ..entry });
        let trace = trace.collect();
        return Ok(One { at: &PING, inspected: Inspected { value, deviations, trace }, rest });
    }
    let Decoded { value: packet, rest, mut deviations, mut trace } = Packet::decode_with(input, options)?;
    let mut value = kinds::json(&packet);
    let at = match &packet {
        Packet::EstablishConnection(_) => &ESTABLISH,
        Packet::ConnectionParameters(_) => &PARAMETERS,
        Packet::SessionAck(_) => &SESSION_ACK,
        Packet::UserMessage(message) => {
            let Known { at, name, value: known, trace: known_trace, deviations: mut more } =
                Known::of(message, options)?;
            if let (Value::Object(map), Some(known)) = (&mut value, known) {
                map.insert(name.to_owned(), known);
            }
            deviations.append(&mut more);
            splice(&mut trace, known_trace);
            at
        }
        _ => &PACKET,
    };
    Ok(One { at, inspected: Inspected { value, deviations, trace }, rest })
}

/// What the body of a message is, where the program knows it.
struct Known {
    at: &'static At,
    /// Its member in JSON, for people; encoding takes the body.
    name: &'static str,
    value: Option<Value>,
    trace: Vec<TraceEntry>,
    deviations: Vec<Deviation>,
}

impl Known {
    fn nothing() -> Self {
        Self { at: &MESSAGE, name: "", value: None, trace: Vec::new(), deviations: Vec::new() }
    }

    fn of(message: &UserMessage<'_>, options: &DecodeOptions) -> Result<Self, DecodeError> {
        let base = message.body_offset();
        let body: &[u8] = &message.properties.body;
        if let Some(acknowledgment) = message.acknowledgment() {
            let class = message.properties.message_class;
            let at = match acknowledgment {
                Acknowledgment::Order(_) => &ORDER_ACK,
                Acknowledgment::Final(_) => &FINAL_ACK,
            };
            let decoded = Acknowledgment::decode_body(body, class, options).map_err(|e| moved(base, e))?;
            return Ok(Self { at, ..Self::read("acknowledgment", base, decoded) });
        }
        if comqc::check_extension(&message.properties.extension).is_err() {
            return Ok(Self::nothing());
        }
        match Message::decode_with(body, options) {
            Ok(decoded) => Ok(Self::read("comqc", base, decoded)),
            Err(error) if options.policy == Policy::Strict => Err(moved(base, error)),
            Err(error) => {
                let offset = error.offset().saturating_add(base);
                let deviations = vec![Deviation { offset, at: error.at(), kind: error.kind() }];
                Ok(Self { deviations, ..Self::nothing() })
            }
        }
    }

    fn read<T: serde::Serialize>(name: &'static str, base: usize, mut decoded: Decoded<'_, T>) -> Self {
        shift(base, &mut decoded.deviations, &mut decoded.trace);
        let Decoded { value, deviations, trace, .. } = decoded;
        Self { at: &MESSAGE, name, value: Some(kinds::json(&value)), trace, deviations }
    }
}

fn moved(base: usize, error: DecodeError) -> DecodeError {
    DecodeError::new(error.offset().saturating_add(base), error.at(), error.kind())
}

/// Puts the fields of the body in the place of the body.
fn splice(trace: &mut Vec<TraceEntry>, inner: Vec<TraceEntry>) {
    let is_body = |e: &TraceEntry| e.at.structure == "MessagePropertiesHeader" && e.at.field == "MessageBody";
    let Some(index) = trace.iter().position(is_body).filter(|_| !inner.is_empty()) else { return };
    let tail = trace.split_off(index);
    let Some((body, tail)) = tail.split_first() else { return };
    let depth = body.depth.saturating_add(1);
    let at = if inner.first().is_some_and(|e| e.at.doc == COMQC.doc) { &COMQC } else { body.at };
    trace.push(TraceEntry { format: Format::Group, at, ..*body });
    trace.extend(inner.into_iter().map(|e| TraceEntry { depth: e.depth.saturating_add(depth), ..e }));
    trace.extend_from_slice(tail);
}

pub fn inspect(input: &[u8], options: &DecodeOptions, _: &Told) -> Result<Inspected, DecodeError> {
    let (mut values, mut deviations, mut trace) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = input;
    while !rest.is_empty() || values.is_empty() {
        let base = input.len().saturating_sub(rest.len());
        if values.len() >= MAX_PACKETS {
            let kind = DecodeErrorKind::LimitExceeded { limit: "packets", max: MAX_PACKETS };
            return Err(DecodeError::new(base, &PACKET, kind));
        }
        let One { at, mut inspected, rest: after } = one(rest, options).map_err(|e| moved(base, e))?;
        shift(base, &mut inspected.deviations, &mut inspected.trace);
        values.push(inspected.value);
        deviations.append(&mut inspected.deviations);
        if options.trace {
            let (len, format) = (rest.len().saturating_sub(after.len()), Format::Group);
            trace.push(TraceEntry { depth: 0, offset: base, len, at, format, note: None, secret: false });
            inspected.trace.iter_mut().for_each(|entry| entry.depth = entry.depth.saturating_add(1));
            trace.append(&mut inspected.trace);
        }
        rest = after;
    }
    Ok(Inspected { value: Value::Array(values), deviations, trace })
}

pub fn encode(value: Value) -> Result<Vec<u8>, String> {
    let Value::Array(values) = value else { return Err("not an array of packets".to_owned()) };
    let mut bytes = Vec::new();
    for value in values {
        bytes.append(&mut match value.get("type").and_then(Value::as_str) {
            Some("ping") => kinds::encode::<Ping>(value)?,
            _ => kinds::encode::<Packet<'static>>(value)?,
        });
    }
    Ok(bytes)
}
