//! Calls as JSON that people can read and write.

use std::collections::BTreeMap;
use std::path::PathBuf;

use comqc_msmq::session::{Argument, Invocation, MethodKind};
use remassist::comqc::IID_IDISPATCH;
use remassist::core::{DecodeOptions, Hex};
use remassist::ndr::{ByteOrder, InvokeRequest, Stub};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::values;
use crate::{Failure, input};

/// What is known of interfaces: the member `interfaces` of a list of calls, and `names` for the DISPIDs of `IDispatch`.
#[derive(Debug, Default)]
pub struct Tables {
    names: BTreeMap<String, i32>,
}

impl Tables {
    /// Reads files: lists of calls, or just those members of them.
    pub fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut tables = Self::default();
        for file in files {
            let fault = |text: String| Failure::Input(format!("{}: {text}", file.display()));
            let value = serde_json::from_slice(&input::read(file)?).map_err(|e| fault(e.to_string()))?;
            tables.add(&value).map_err(fault)?;
        }
        Ok(tables)
    }

    /// Adds what a list of calls says of interfaces.
    pub fn add(&mut self, list: &Value) -> Result<(), String> {
        if let Some(names) = list.get("names") {
            let wrong = || "names is an object: the DISPID of each name".to_owned();
            for (name, id) in names.as_object().ok_or_else(wrong)? {
                let id = id.as_i64().and_then(|id| i32::try_from(id).ok()).ok_or_else(wrong)?;
                self.names.insert(name.clone(), id);
            }
        }
        Ok(())
    }

    /// The DISPID of a name.
    pub fn dispid(&self, name: &str) -> Option<i32> {
        self.names.get(name).copied()
    }

    fn name(&self, dispid: i32) -> Option<&str> {
        self.names.iter().find(|(_, id)| **id == dispid).map(|(name, _)| name.as_str())
    }
}

/// A call with its arguments, as far as they are known: those of `IDispatch` always, others by a table.
pub fn call(interface_id: Uuid, method: u32, data: &[u8], tables: &Tables) -> Value {
    if interface_id == IID_IDISPATCH {
        let read = Stub::<InvokeRequest<'_>>::read(data, ByteOrder::Little, &DecodeOptions::TOLERANT);
        if let Ok(request) = read {
            return invocation(request.value.value.into(), tables);
        }
    }
    json!({
        "interface": interface_id.braced().to_string(),
        "method": method,
        "data": format!("{:x}", Hex(data)),
    })
}

fn invocation(call: Invocation<'_>, tables: &Tables) -> Value {
    let Invocation { member, kind, lcid, positional, named } = call;
    let name = |id: i32| tables.name(id).map_or_else(|| id.to_string(), str::to_owned);
    let named: Map<String, Value> = named.iter().map(|(id, value)| (name(*id), argument(value))).collect();
    json!({
        "dispatch": tables.name(member).map_or_else(|| json!(member), |name| json!(name)),
        "dispid": member,
        "kind": kind_name(kind),
        "lcid": lcid,
        "arguments": positional.iter().map(argument).collect::<Vec<_>>(),
        "named": named,
    })
}

const KINDS: [(&str, MethodKind); 4] = [
    ("method", MethodKind::Method),
    ("get", MethodKind::Get),
    ("put", MethodKind::Put),
    ("putref", MethodKind::PutRef),
];

fn kind_name(kind: MethodKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("method", |(name, _)| name)
}

/// What a call on `IDispatch` does, by its name in JSON.
pub fn kind(name: &str) -> Option<MethodKind> {
    KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

fn argument(argument: &Argument<'_>) -> Value {
    let value = values::json(&argument.value);
    if argument.by_ref { json!({ "ref": value }) } else { value }
}

/// The argument that JSON tells: a value, or one by reference.
pub fn read_argument(value: &Value) -> Result<Argument<'static>, String> {
    match value.as_object().filter(|map| map.len() == 1).and_then(|map| map.get("ref")) {
        Some(value) => values::variant(value).map(Argument::by_ref),
        None => values::variant(value).map(Argument::from),
    }
}
