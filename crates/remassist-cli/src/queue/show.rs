//! `remassist queue show`.

use std::io::Write;

use comqc_msmq::session::{MessageId, Received};
use comqc_msmq::{Place, Queue, QueueError};
use remassist::comqc::{IID_IDISPATCH, Message, Reader, check_extension};
use remassist::core::{At, Decode as _, DecodeOptions, Decoded, Format, TraceEntry, decode_using};
use remassist::ndr::{ByteOrder, InvokeRequest, Reader as NdrReader, Stub};
use serde_json::{Value, json};

use super::calls::{Tables, call};
use super::named::{find, places};
use super::{open, record, security, told};
use crate::args::ShowArgs;
use crate::console::printable;
use crate::{Failure, input, inspect, tree};

pub async fn show(args: &ShowArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let tables = Tables::read(&args.interfaces)?;
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let (place, id) = place_of(args, &*queue).await?;
    let received = queue.peek(place, id).await?;
    let received = received.ok_or_else(|| Failure::Unfinished(format!("there is no message at {place}")))?;
    if let Some(path) = &args.body {
        return record::write(path, &received.message.body, out);
    }
    let shown = Shown::read(&received, &tables);
    if args.json {
        return Ok(writeln!(out, "{}", shown.json(place))?);
    }
    shown.print(place, out)
}

/// Where the message is that is meant: the first one when none is named.
async fn place_of(args: &ShowArgs, queue: &dyn Queue) -> Result<(Place, Option<MessageId>), Failure> {
    if let Some(named) = args.id {
        let found = find(queue, &[named], args.place).await?;
        let (place, id) = found.first().copied().unwrap_or((Place::Main, MessageId::NIL));
        return Ok((place, Some(id)));
    }
    if let Some(place) = args.place {
        return Ok((place, None));
    }
    for place in places(queue).await? {
        match queue.peek(place, None).await {
            Err(QueueError::Unsupported(_)) => {}
            found => {
                if found?.is_some() {
                    return Ok((place, None));
                }
            }
        }
    }
    Err(Failure::Unfinished(format!("there is no message in {}", told::address(queue))))
}

/// What a message says.
struct Shown<'m> {
    received: &'m Received,
    message: Result<Decoded<'m, Message<'m>>, String>,
    /// Each call, with where its parameters stand.
    calls: Vec<(usize, Value)>,
    trace: Vec<TraceEntry>,
}

fn options() -> DecodeOptions {
    DecodeOptions::TOLERANT.with_limits(input::limits())
}

impl<'m> Shown<'m> {
    fn read(received: &'m Received, tables: &Tables) -> Self {
        let body = &received.message.body;
        let mut message = Message::decode_with(body, &options().with_trace(true)).map_err(|e| e.to_string());
        if let Err(error) = check_extension(&received.message.properties.extension) {
            message = message.map_err(|fault| format!("{fault}; {error}"));
        }
        let mut trace =
            message.as_mut().map(|message| std::mem::take(&mut message.trace)).unwrap_or_default();
        let mut calls = Vec::new();
        let reader = Reader::with_options(body, &options());
        for (index, found) in reader.into_iter().flatten().map_while(Result::ok).enumerate() {
            let mut told = call(found.interface_id, found.method_number, found.data, tables);
            if let Some(told) = told.as_object_mut() {
                told.insert("call".to_owned(), json!(index.saturating_add(1)));
                let claims = found.security.decode().ok().map(|data| security::json(&data));
                told.insert("claims".to_owned(), json!(claims));
            }
            // The parameters are part of the body, so this is where they stand in it.
            let offset = body.len().saturating_sub(rest_from(body, found.data));
            splice(
                &mut trace,
                offset,
                parameters(found.interface_id, found.method_number, found.data, tables),
            );
            calls.push((offset, told));
        }
        Self { received, message, calls, trace }
    }

    fn json(&self, place: Place) -> Value {
        let mut value = told::received(self.received);
        let message = match &self.message {
            Ok(message) => json!({
                "target": message.value.container.target_id.braced().to_string(),
                "partition": message.value.partition().map(|partition| partition.braced().to_string()),
                "calls": self.calls.iter().map(|(_, call)| call).collect::<Vec<_>>(),
                "deviations": message.deviations.iter().map(inspect::deviation).collect::<Vec<_>>(),
            }),
            Err(error) => json!({ "error": error }),
        };
        if let (Some(value), Value::Object(message)) = (value.as_object_mut(), message) {
            value.insert("place".to_owned(), json!(place.to_string()));
            value.extend(message);
        }
        value
    }

    fn print(&self, place: Place, out: &mut dyn Write) -> Result<(), Failure> {
        let Received { id, message: inner, sender, sent, round, failures, abandoned } = self.received;
        writeln!(out, "message {} at {place}, sent {}", told::id(*id), told::time(*sent))?;
        if !inner.properties.label.is_empty() {
            writeln!(out, "label: {}", printable(&inner.properties.label))?;
        }
        let sid = sender.sid.as_ref().map_or_else(|| "nobody known".to_owned(), ToString::to_string);
        let proven = if sender.authenticated { "authenticated" } else { "not authenticated" };
        writeln!(out, "sender: {sid}, {proven} {}", printable(&sender.description))?;
        writeln!(out, "round {round}, {failures} failures, abandoned {abandoned} times")?;
        if let Value::Object(properties) = told::properties(&inner.properties) {
            for (name, value) in properties {
                writeln!(out, "{name}: {}", printable(&value.to_string()))?;
            }
        }
        match &self.message {
            Ok(message) => {
                writeln!(out, "\ncomqc, {} bytes", inner.body.len())?;
                tree::print(out, &inner.body, &self.trace, &message.deviations, false)?;
                writeln!(out)?;
            }
            Err(error) => {
                out.flush()?;
                return Err(Failure::Input(format!("the body is no message of queued calls: {error}")));
            }
        }
        for (index, (_, call)) in self.calls.iter().enumerate() {
            let name = match (call.get("interface"), call.get("dispatch")) {
                (Some(interface), _) => {
                    let method = call.get("method").unwrap_or(&Value::Null);
                    format!("{}.{}", plain(interface), plain(method))
                }
                (_, Some(member)) => format!("IDispatch.{}", plain(member)),
                _ => String::new(),
            };
            let arguments = match call.get("arguments") {
                Some(Value::Object(members)) => members
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect::<Vec<_>>()
                    .join(", "),
                Some(Value::Array(items)) => {
                    items.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
                }
                _ => "no table tells the arguments: --interfaces".to_owned(),
            };
            let line = format!("call {}: {name}({arguments})", index.saturating_add(1));
            writeln!(out, "{}", printable(&line))?;
        }
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Bytes from the beginning of a part to the end of the whole.
fn rest_from(whole: &[u8], part: &[u8]) -> usize {
    let (start, end) = (whole.as_ptr_range().end.addr(), part.as_ptr().addr());
    start.saturating_sub(end)
}

static PARAMETERS: At = At::new("[MC-COMQC]", "2.2.6.1", "parameters", "");

/// The fields of marshaled parameters; none where they are not understood.
fn parameters(iid: uuid::Uuid, method: u32, data: &[u8], tables: &Tables) -> Vec<TraceEntry> {
    let options = options().with_trace(true);
    if iid == IID_IDISPATCH {
        let read = Stub::<InvokeRequest<'_>>::read(data, ByteOrder::Little, &options);
        return read.map(|decoded| decoded.trace).unwrap_or_default();
    }
    let Some((_, method)) = tables.method(iid, method) else { return Vec::new() };
    let read = decode_using(data, &options, &PARAMETERS, |cursor| {
        let mut reader = NdrReader::new(cursor.clone(), ByteOrder::Little);
        for parameter in &method.parameters {
            parameter.ty.read(&mut reader)?;
        }
        *cursor = reader.finish().0;
        Ok(())
    });
    read.map(|decoded| decoded.trace).unwrap_or_default()
}

/// Puts fields that were found inside a field under it.
fn splice(trace: &mut Vec<TraceEntry>, offset: usize, inner: Vec<TraceEntry>) {
    let found = trace.iter().position(|entry| entry.offset == offset && entry.at.field == "MarshaledData");
    let Some(place) = found.filter(|_| !inner.is_empty()) else { return };
    let Some(outer) = trace.get_mut(place) else { return };
    outer.format = Format::Group;
    let depth = outer.depth.saturating_add(1);
    let inner = inner.into_iter().map(|entry| TraceEntry {
        depth: entry.depth.saturating_add(depth),
        offset: entry.offset.saturating_add(offset),
        ..entry
    });
    let after = place.saturating_add(1);
    trace.splice(after..after, inner.collect::<Vec<_>>());
}
