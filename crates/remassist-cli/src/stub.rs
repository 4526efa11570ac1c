//! Stub data of calls, and what has to be told about them.

use ra_dcom::calls::{Direction, Message, Method, StubFormat};
use remassist::core::{
    At, Blob, Decode as _, DecodeError, DecodeErrorKind, DecodeOptions, Deviation, Encode as _, Format,
    Policy, TraceEntry,
};
use remassist::ndr::ByteOrder;
use remassist::rpc::VerificationTrailer;
use serde_json::{Value, json};

use crate::Failure;
use crate::args::{KindArg, StubArgs};
use crate::kinds::{self, Inspected};
use crate::pdu::shown;

/// What stub data do not tell themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    pub byte_order: ByteOrder,
    /// For the kind rai-call.
    pub call: Option<(Method, StubFormat)>,
}

impl StubArgs {
    /// Looks up the call, which the kind rai-call needs and no other takes.
    pub fn told(&self, kind: KindArg) -> Result<Told, Failure> {
        let byte_order = if self.big_endian { ByteOrder::Big } else { ByteOrder::Little };
        if kind == KindArg::RaiCall {
            return Ok(Told { byte_order, call: Some(self.call(byte_order)?) });
        }
        let is_value = matches!(kind, KindArg::OautBstr | KindArg::OautVariant | KindArg::OautSafearray);
        let options = [
            (self.interface.is_some(), "--interface"),
            (self.opnum.is_some(), "--opnum"),
            (self.request, "--request"),
            (self.response, "--response"),
            (self.no_orpc_header, "--no-orpc-header"),
            (self.big_endian && !is_value, "--big-endian"),
        ];
        match options.iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(Failure::Usage(format!("{option} goes with --kind rai-call"))),
            None => Ok(Told { byte_order, call: None }),
        }
    }

    fn call(&self, byte_order: ByteOrder) -> Result<(Method, StubFormat), Failure> {
        let needed = |what: &str| Failure::Usage(format!("--kind rai-call needs {what}"));
        let interface = self.interface.as_deref().ok_or_else(|| needed("--interface"))?;
        let opnum = self.opnum.as_deref().ok_or_else(|| needed("--opnum"))?;
        let direction = match (self.request, self.response) {
            (true, _) => Direction::Request,
            (_, true) => Direction::Response,
            _ => return Err(needed("--request or --response")),
        };
        let method = method(interface, opnum)?;
        let orpc_header = method.has_orpc_header() && !self.no_orpc_header;
        Ok((method, StubFormat { direction, byte_order, orpc_header }))
    }
}

/// The method of an interface, which is a name or a UUID, by its number or one of its names.
fn method(interface: &str, opnum: &str) -> Result<Method, Failure> {
    let by_name = Method::ALL.iter().find(|method| method.interface_name().eq_ignore_ascii_case(interface));
    let iid = by_name.map(|method| method.interface()).or_else(|| interface.parse().ok());
    let known = |iid| Method::ALL.iter().any(|method| method.interface() == iid);
    let iid = iid.filter(|iid| known(*iid));
    let iid = iid.ok_or_else(|| Failure::Usage(format!("unknown interface {interface:?}")))?;
    let found = match opnum.parse() {
        Ok(number) => Method::find(&iid, number),
        Err(_) => Method::ALL.iter().copied().find(|method| {
            let is = |name: &str| name.eq_ignore_ascii_case(opnum);
            (is(method.name()) || is(&format!("{method:?}")))
                && Method::find(&iid, method.opnum()) == Some(*method)
        }),
    };
    found.ok_or_else(|| Failure::Usage(format!("{interface} has no method {opnum:?} that is used")))
}

static STUB: At = At::new("[C706]", "14.4", "stub data", "");
static AFTER: At = At::new("[C706]", "14.4", "stub data", "(padding)");
/// Bytes that may stand behind the last parameter: what aligns the end, or a verification trailer.
const MAX_PADDING: usize = 7;

pub fn inspect(input: &[u8], options: &DecodeOptions, told: &Told) -> Result<Inspected, DecodeError> {
    let untold = DecodeError::new(0, &STUB, DecodeErrorKind::Rule("neither method nor direction is told"));
    let (method, format) = told.call.ok_or(untold)?;
    if format.direction == Direction::Request
        && let Some((_, at)) = VerificationTrailer::find(input)
        && let Ok(inspected) = read(input, at, method, format, options)
    {
        return Ok(inspected);
    }
    read(input, input.len(), method, format, options)
}

/// Reads stub data that end at `end`, where a verification trailer begins or the input ends.
fn read(
    input: &[u8],
    end: usize,
    method: Method,
    format: StubFormat,
    options: &DecodeOptions,
) -> Result<Inspected, DecodeError> {
    let (stub, after) = input.split_at_checked(end).unwrap_or((input, &[]));
    let decoded = Message::read(method, format, stub, options)?;
    let (mut deviations, mut trace) = (decoded.deviations, decoded.trace);
    let mut value = kinds::json(&decoded.value);
    let mut add = |name: &str, json| value.as_object_mut().map(|map| map.insert(name.to_owned(), json));
    add("call", json!(method.to_string()));
    let padding = decoded.rest;
    if !padding.is_empty() {
        let len = padding.len();
        let offset = stub.len().saturating_sub(len);
        let kind = DecodeErrorKind::TrailingData { extra: len };
        let is_rest = after.is_empty();
        let is_zero = padding.iter().all(|byte| *byte == 0);
        if len > MAX_PADDING || is_rest && (!is_zero || options.policy == Policy::Strict) {
            return Err(DecodeError::new(offset, &STUB, kind));
        }
        if is_rest {
            deviations.push(Deviation { offset, at: &AFTER, kind });
        }
        add("padding", kinds::json(&Blob::from(padding)));
        let (depth, format) = (0, Format::Filler);
        trace.push(TraceEntry { depth, offset, len, at: &AFTER, format, note: None, secret: false });
    }
    if !after.is_empty() {
        let mut trailer = VerificationTrailer::decode_with(after, options)?;
        shift(end, &mut trailer.deviations, &mut trailer.trace);
        deviations.append(&mut trailer.deviations);
        trace.append(&mut trailer.trace);
        add("verification_trailer", kinds::json(&trailer.value));
    }
    if method == Method::Invoke {
        hide(&mut value);
        trace
            .iter_mut()
            .filter(|entry| entry.format == Format::Utf16Le)
            .for_each(|entry| entry.secret = true);
    }
    Ok(Inspected { value, deviations, trace })
}

/// Moves what was noticed to where it stands in the input.
pub fn shift(base: usize, deviations: &mut [Deviation], trace: &mut [TraceEntry]) {
    deviations.iter_mut().for_each(|deviation| deviation.offset = deviation.offset.saturating_add(base));
    trace.iter_mut().for_each(|entry| entry.offset = entry.offset.saturating_add(base));
}

pub fn encode(mut value: Value) -> Result<Vec<u8>, String> {
    let mut take = |name| value.as_object_mut().and_then(|map| map.remove(name));
    let padding: Blob<'_> = match take("padding") {
        Some(padding) => serde_json::from_value(padding).map_err(|e| e.to_string())?,
        None => Blob::default(),
    };
    let trailer = match take("verification_trailer") {
        Some(trailer) => kinds::encode::<VerificationTrailer<'static>>(trailer)?,
        None => Vec::new(),
    };
    if value
        .pointer("/body/Request/parameters/Invoke")
        .or(value.pointer("/body/Response/parameters/Invoke"))
        .is_some()
    {
        show(&mut value)?;
    }
    let message: Message<'static> = serde_json::from_value(value).map_err(|e| e.to_string())?;
    let mut bytes = message.to_vec().map_err(|e| e.to_string())?;
    bytes.extend_from_slice(&padding);
    bytes.extend_from_slice(&trailer);
    Ok(bytes)
}

/// The texts of a call by name may be a ticket; what they are only the object knows.
fn hide(value: &mut Value) {
    texts(value, &mut |text| {
        if !text.is_null() {
            *text = json!({ "secret": text.take() });
        }
        Ok(())
    })
    .unwrap_or_default();
}

fn show(value: &mut Value) -> Result<(), String> {
    texts(value, &mut shown)
}

/// Does something with each member "text".
fn texts(value: &mut Value, act: &mut dyn FnMut(&mut Value) -> Result<(), String>) -> Result<(), String> {
    match value {
        Value::Object(map) => map.iter_mut().try_for_each(|(name, value)| match name.as_str() {
            "text" => act(value),
            _ => texts(value, act),
        }),
        Value::Array(values) => values.iter_mut().try_for_each(|value| texts(value, act)),
        _ => Ok(()),
    }
}
