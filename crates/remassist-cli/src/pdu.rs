//! PDUs of connection-oriented RPC, one after the other.

use remassist::core::{At, Decode as _, DecodeError, DecodeErrorKind, DecodeOptions, Format, TraceEntry};
use remassist::rpc::{AuthLevel, Body, Pdu};
use serde_json::{Value, json};

use crate::kinds::{self, Inspected};
use crate::stub::{Told, shift};

/// PDUs that are read: as many as fill the longest input, when they are of a usual size.
const MAX_PDUS: usize = 1 << 16;
static STREAM: At = At::new("[C706]", "12.6", "PDU", "");

/// Members of JSON that may hold what is secret, and the field of each.
const STUB: (&str, &str) = ("stub", "stub_data");
const TOKEN: (&str, &str) = ("token", "auth_token");

pub fn inspect(input: &[u8], options: &DecodeOptions, _: &Told) -> Result<Inspected, DecodeError> {
    let (mut values, mut deviations, mut trace) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = input;
    while !rest.is_empty() || values.is_empty() {
        let base = input.len().saturating_sub(rest.len());
        if values.len() >= MAX_PDUS {
            let kind = DecodeErrorKind::LimitExceeded { limit: "PDUs", max: MAX_PDUS };
            return Err(DecodeError::new(base, &STREAM, kind));
        }
        let decoded = Pdu::decode_with(rest, options);
        let mut decoded =
            decoded.map_err(|e| DecodeError::new(e.offset().saturating_add(base), e.at(), e.kind()))?;
        shift(base, &mut decoded.deviations, &mut decoded.trace);
        values.push(hidden(&decoded.value, &mut decoded.trace));
        deviations.append(&mut decoded.deviations);
        if options.trace {
            let len = rest.len().saturating_sub(decoded.rest.len());
            let (at, format) = (&STREAM, Format::Group);
            trace.push(TraceEntry { depth: 0, offset: base, len, at, format, note: None, secret: false });
            decoded.trace.iter_mut().for_each(|entry| entry.depth = entry.depth.saturating_add(1));
            trace.append(&mut decoded.trace);
        }
        rest = decoded.rest;
    }
    Ok(Inspected { value: Value::Array(values), deviations, trace })
}

/// The JSON of a PDU. Stub data that are not encrypted may hold a ticket, and a token what passwords can be tried on:
/// both are secret. Signatures are not.
fn hidden(pdu: &Pdu<'_>, trace: &mut [TraceEntry]) -> Value {
    let mut json = kinds::json(pdu);
    let verifier = pdu.verifier.as_ref();
    let is_call = matches!(pdu.body, Body::Request(_) | Body::Response(_) | Body::Fault(_));
    let is_sealed = verifier.is_some_and(|verifier| verifier.auth_level == AuthLevel::PRIVACY);
    let mut hide = |(member, field), holder| {
        if let Some(bytes) = json.get_mut(holder).and_then(|holder| holder.get_mut(member)) {
            *bytes = json!({ "secret": bytes.take() });
        }
        trace.iter_mut().filter(|entry| entry.at.field == field).for_each(|entry| entry.secret = true);
    };
    match is_call {
        true if !is_sealed => hide(STUB, "body"),
        true => {}
        false => hide(TOKEN, "verifier"),
    }
    json
}

pub fn encode(value: Value) -> Result<Vec<u8>, String> {
    let Value::Array(values) = value else { return Err("not an array of PDUs".to_owned()) };
    let mut bytes = Vec::new();
    for mut value in values {
        for (holder, member) in [("body", STUB.0), ("verifier", TOKEN.0)] {
            let member = value.get_mut(holder).and_then(|holder| holder.get_mut(member));
            member.map_or(Ok(()), shown)?;
        }
        bytes.append(&mut kinds::encode::<Pdu<'static>>(value)?);
    }
    Ok(bytes)
}

/// What was secret, as the value that it is.
pub fn shown(value: &mut Value) -> Result<(), String> {
    match value.get_mut("secret").map(Value::take) {
        Some(Value::Null) => return Err("the secret was redacted".to_owned()),
        Some(secret) => *value = secret,
        None => {}
    }
    Ok(())
}
