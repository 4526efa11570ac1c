//! `remassist queue record`.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use comqc_msmq::session::{Invocation, MethodKind, QueueMessage, RecordError, Recorder, RecorderOptions};
use remassist::core::from_hex;
use remassist::ndr::Variant;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::calls::{Tables, arguments, kind, read_argument};
use super::security;
use super::send::{self, Goal};
use crate::args::RecordArgs;
use crate::{Failure, input, output};

const EXAMPLE: &str = include_str!("example.json");

pub async fn record(args: &RecordArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(file) = args.calls.as_deref().filter(|_| !args.example) else {
        return Ok(out.write_all(EXAMPLE.as_bytes())?);
    };
    if args.output.is_none() && args.url.is_none() {
        return Err(Failure::Usage("where to? --output FILE, or --queue URL".to_owned()));
    }
    let properties = args.properties.read()?;
    let list = input::read(file)?;
    let options = RecorderOptions { properties, ..RecorderOptions::default() };
    let (target, message) =
        message(&list, options).map_err(|e| Failure::Input(format!("{}: {e}", file.display())))?;
    args.properties.check_target(target).map_err(Failure::Input)?;
    if let Some(path) = &args.output {
        write(path, &message.body, out)?;
    }
    if let Some(url) = &args.url {
        let goal = Goal::open(url, &args.outbox).await?;
        let id = send::one(goal.queue(), message.properties, message.body.to_vec()).await?;
        // Standard output may have the body already.
        let mut nowhere = io::sink();
        let quiet = args.output.as_deref() == Some(Path::new("-"));
        let out: &mut dyn Write = if quiet { &mut nowhere } else { out };
        send::sent(id, goal.queue(), args.printed, out)?;
        goal.deliver(&[id], &args.delivery, args.printed, out).await?;
    }
    Ok(())
}

/// Writes a body where the user wants it.
pub fn write(path: &Path, body: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    if path != Path::new("-") {
        return output::save(path, body).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())));
    }
    if io::stdout().is_terminal() {
        return Err(Failure::Usage("a body is nothing for a terminal: a FILE, or | PROGRAM".to_owned()));
    }
    Ok(out.write_all(body)?)
}

/// The class that a list of calls is for, and the message that it tells.
fn message(list: &[u8], options: RecorderOptions) -> Result<(Uuid, QueueMessage), String> {
    let list: Value = serde_json::from_slice(list).map_err(|e| e.to_string())?;
    let members = list.as_object().ok_or("a list of calls is an object with target and calls")?;
    let known = ["target", "partition", "interfaces", "lcid", "security", "calls"];
    only(members, &known)?;
    let target = members.get("target").ok_or("target is missing: the CLSID of the object that is called")?;
    let lcid = language(members)?.unwrap_or(options.lcid);
    let target = guid("target", target)?;
    let mut recorder = Recorder::new(target, options);
    if let Some(partition) = members.get("partition").filter(|partition| !partition.is_null()) {
        recorder = recorder.in_partition(guid("partition", partition)?);
    }
    let mut tables = Tables::default();
    tables.add(&list)?;
    let calls = members.get("calls").and_then(Value::as_array);
    let calls = calls.ok_or("calls is missing: an array with at least one call")?;
    let common = members.get("security").unwrap_or(&Value::Null);
    for (index, value) in calls.iter().enumerate() {
        let number = index.saturating_add(1);
        let told = |e: String| format!("call {number}: {e}");
        let members = value.as_object().ok_or_else(|| told("a call is an object".to_owned()))?;
        let security = security::read(members.get("security").unwrap_or(common)).map_err(told)?;
        recorder.set_security(security).map_err(|e| told(e.to_string()))?;
        call(&mut recorder, members, lcid, &tables).map_err(|fault| match fault {
            Fault::Told(text) => told(text),
            // It tells the call itself.
            Fault::Recorder(error) => error.to_string(),
        })?;
    }
    let message = recorder.finish().map_err(|e| e.to_string())?;
    let message = message.ok_or_else(|| "there are no calls: nothing would be sent".to_owned());
    message.map(|message| (target, message))
}

/// What is wrong with a call.
enum Fault {
    Told(String),
    Recorder(RecordError),
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Told(text)
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        Self::Recorder(error)
    }
}

fn call(
    recorder: &mut Recorder,
    members: &Map<String, Value>,
    lcid: u32,
    tables: &Tables,
) -> Result<(), Fault> {
    if let Some(member) = members.get("dispatch") {
        only(members, &["dispatch", "dispid", "kind", "lcid", "arguments", "named", "security"])?;
        return dispatch(recorder, member, members, language(members)?.unwrap_or(lcid), tables);
    }
    let interface = members.get("interface").and_then(Value::as_str).ok_or_else(|| {
        "interface or dispatch is missing: an interface by name or IID, or a method of IDispatch by name or DISPID"
            .to_owned()
    })?;
    let method = members.get("method").ok_or_else(|| "method is missing: its name or number".to_owned())?;
    let number = method.as_u64().and_then(|method| u32::try_from(method).ok());
    if let Some(data) = members.get("data") {
        only(members, &["interface", "method", "data", "security"])?;
        let iid = guid("interface", &Value::String(interface.to_owned()))?;
        let number = number.ok_or_else(|| "with data, method is a number".to_owned())?;
        let data = data.as_str().and_then(from_hex);
        let data = data.ok_or_else(|| "data is a text of hexadecimal digits".to_owned())?;
        return Ok(recorder.call_marshaled(iid, number, data)?);
    }
    only(members, &["interface", "iid", "method", "number", "arguments", "security"])?;
    let table =
        tables.interface(interface).ok_or_else(|| format!("interface {interface:?} is in no table"))?;
    let named = method.as_str().and_then(|name| table.method(name, MethodKind::Method));
    let found = named
        .or_else(|| table.by_number(number?))
        .ok_or_else(|| format!("{interface} has no method {method}"))?;
    let none = Value::Array(Vec::new());
    let at = |e: String| format!("{}.{}: {e}", table.name(), found.name);
    let arguments = arguments(table, found, members.get("arguments").unwrap_or(&none)).map_err(at)?;
    let data = found.encode(&arguments).map_err(|e| at(e.to_string()))?;
    Ok(recorder.call_marshaled(table.iid(), found.number.unwrap_or_default(), data)?)
}

fn dispatch(
    recorder: &mut Recorder,
    member: &Value,
    members: &Map<String, Value>,
    lcid: u32,
    tables: &Tables,
) -> Result<(), Fault> {
    let kind = match members.get("kind") {
        None => MethodKind::Method,
        Some(told) => {
            let known = told.as_str().and_then(kind);
            known.ok_or_else(|| format!("kind is method, get, put or putref, not {told}"))?
        }
    };
    let none = Value::Array(Vec::new());
    let told = members.get("arguments").unwrap_or(&none);
    if let Some(name) = member.as_str() {
        only(members, &["dispatch", "dispid", "kind", "lcid", "arguments", "security"])?;
        let found = tables.dispatched(name, kind);
        let (table, method) =
            found.ok_or_else(|| format!("no table has a method {name:?} of this kind with a DISPID"))?;
        let at = |e: String| format!("{}: {e}", method.name);
        let mut arguments = arguments(table, method, told).map_err(at)?;
        // What is left out at the end need not be told.
        while !kind.is_put() && arguments.last() == Some(&Variant::MISSING) {
            arguments.pop();
        }
        let call = method.invocation(lcid, arguments, Vec::new()).map_err(|e| at(e.to_string()))?;
        return Ok(recorder.invoke_request(call.into_request())?);
    }
    let member = member.as_i64().and_then(|member| i32::try_from(member).ok());
    let member = member.ok_or_else(|| "dispatch is a name or a DISPID".to_owned())?;
    let mut arguments = Vec::new();
    let told = told.as_array().ok_or_else(|| "with a DISPID, arguments is an array".to_owned())?;
    for (index, value) in told.iter().enumerate() {
        let number = index.saturating_add(1);
        arguments
            .push(read_argument(value, tables.records()).map_err(|e| format!("argument {number}: {e}"))?);
    }
    let mut named = Vec::new();
    let told = members.get("named").map(|told| told.as_object().ok_or("named is an object".to_owned()));
    for (name, value) in told.transpose()?.into_iter().flatten() {
        let id =
            name.parse().map_err(|_| format!("argument {name}: with a DISPID, names are numbers, too"))?;
        named
            .push((id, read_argument(value, tables.records()).map_err(|e| format!("argument {name}: {e}"))?));
    }
    if kind.is_put() && arguments.is_empty() && named.is_empty() {
        return Err(Fault::Told("the value that the property gets is missing".to_owned()));
    }
    let call = Invocation { member, kind, lcid, positional: arguments, named };
    Ok(recorder.invoke_request(call.into_request())?)
}

/// The language of arguments, where it is told.
fn language(members: &Map<String, Value>) -> Result<Option<u32>, String> {
    let Some(lcid) = members.get("lcid") else { return Ok(None) };
    let number = lcid.as_u64().and_then(|lcid| u32::try_from(lcid).ok());
    number.map(Some).ok_or_else(|| "lcid is a whole number, as 1033".to_owned())
}

/// That nothing is told that is not understood.
fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name:?} is not known here; there are {}", known.join(", "))),
        None => Ok(()),
    }
}

fn guid(what: &str, value: &Value) -> Result<Uuid, String> {
    let guid = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
    guid.ok_or_else(|| {
        format!("{what} is a GUID, as \"{{812df40e-bd88-11d0-8a6d-00c04fc340ee}}\", not {value}")
    })
}
