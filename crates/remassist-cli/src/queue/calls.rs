//! Calls as JSON that people can read and write.

use std::path::PathBuf;

use comqc_msmq::session::{
    Argument, Interface, Invocation, Method, MethodKind, Parameter, Plain, RecordType, Records, Type,
};
use remassist::comqc::IID_IDISPATCH;
use remassist::core::{DecodeOptions, Hex};
use remassist::ndr::{ByteOrder, InvokeRequest, Stub, Variant};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::calendar;
use crate::{Failure, input};

/// What is known of interfaces: the member `interfaces` of a list of calls.
#[derive(Debug, Default)]
pub struct Tables {
    interfaces: Vec<Interface>,
    /// The records of all of them, where no two have one name.
    records: Records,
}

impl Tables {
    /// Reads files: lists of calls, of which only the tables count, arrays of tables, or one table.
    pub fn read(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut tables = Self::default();
        for file in files {
            let fault = |text: String| Failure::Input(format!("{}: {text}", file.display()));
            let value: Value =
                serde_json::from_slice(&input::read(file)?).map_err(|e| fault(e.to_string()))?;
            let value = match value {
                Value::Array(_) => json!({ "interfaces": value }),
                one if one.get("iid").is_some() => json!({ "interfaces": [one] }),
                list => list,
            };
            tables.add(&value).map_err(fault)?;
        }
        Ok(tables)
    }

    /// Adds the tables of a list of calls.
    pub fn add(&mut self, list: &Value) -> Result<(), String> {
        let Some(interfaces) = list.get("interfaces") else { return Ok(()) };
        let interfaces = interfaces.as_array().ok_or("interfaces is an array of tables")?;
        for (index, value) in interfaces.iter().enumerate() {
            let interface = serde_json::from_value(value.clone());
            let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
            let number = index.saturating_add(1);
            self.interfaces.push(interface.map_err(|e| format!("interface {number} {name}: {e}"))?);
        }
        let mut records: Vec<RecordType> = Vec::new();
        for record in self.interfaces.iter().flat_map(|table| table.records().iter()) {
            if !records.contains(record) {
                records.push(record.clone());
            }
        }
        self.records = Records::new(records).unwrap_or_default();
        Ok(())
    }

    /// The interface of a name or IID.
    pub fn interface(&self, named: &str) -> Option<&Interface> {
        let iid = Uuid::try_parse(named).ok();
        self.interfaces
            .iter()
            .find(|table| Some(table.iid()) == iid || table.name().eq_ignore_ascii_case(named))
    }

    /// The interfaces.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// What is known of records in a call on `IDispatch` by DISPID.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The method of a name that calls on `IDispatch` can have.
    pub fn dispatched(&self, name: &str, kind: MethodKind) -> Option<(&Interface, &Method)> {
        let methods = self.interfaces.iter().filter_map(|table| Some((table, table.method(name, kind)?)));
        methods.into_iter().find(|(_, method)| method.dispid.is_some())
    }

    /// The method of an interface, where a table has it.
    pub fn method(&self, iid: Uuid, number: u32) -> Option<(&Interface, &Method)> {
        let tables = self.interfaces.iter().filter(|table| table.iid() == iid);
        tables.into_iter().find_map(|table| Some((table, table.by_number(number)?)))
    }

    /// The method of a DISPID, where only one table has it: messages do not tell the interface.
    fn of_dispid(&self, dispid: i32, kind: MethodKind) -> Option<(&Interface, &Method)> {
        let tables = self.interfaces.iter();
        let mut methods = tables.filter_map(|table| Some((table, table.by_dispid(dispid, kind)?)));
        methods.next().filter(|_| methods.next().is_none())
    }
}

/// A call with its arguments, as far as they are known: those of `IDispatch` always, others by a table.
pub fn call(interface_id: Uuid, method: u32, data: &[u8], tables: &Tables) -> Value {
    let (mut interface, mut name, mut error) = (interface_id.braced().to_string(), json!(method), None);
    if interface_id == IID_IDISPATCH {
        match Stub::<InvokeRequest<'_>>::read(data, ByteOrder::Little, &DecodeOptions::TOLERANT) {
            Ok(request) => return invocation(request.value.value.into(), tables),
            Err(fault) => error = Some(fault.to_string()),
        }
    } else if let Some((table, known)) = tables.method(interface_id, method) {
        match known.decode(data, &DecodeOptions::TOLERANT) {
            Ok(arguments) => {
                interface = table.name().to_owned();
                return json!({
                    "interface": interface,
                    "iid": interface_id.braced().to_string(),
                    "method": known.name,
                    "number": method,
                    "arguments": by_name(table, known, &arguments),
                });
            }
            Err(fault) => error = Some(fault.to_string()),
        }
        name = json!(method);
    }
    let mut call = json!({ "interface": interface, "method": name, "data": format!("{:x}", Hex(data)) });
    if let (Some(call), Some(error)) = (call.as_object_mut(), error) {
        call.insert("error".to_owned(), json!(error));
    }
    call
}

fn by_name(interface: &Interface, method: &Method, arguments: &[Variant<'_>]) -> Map<String, Value> {
    let told = method.parameters.iter().zip(arguments);
    let value = |ty, value| json_of(ty, value, interface.records());
    told.map(|(parameter, told)| (parameter.name.clone(), value(&parameter.ty, told))).collect()
}

fn invocation(call: Invocation<'_>, tables: &Tables) -> Value {
    let (member, kind, lcid) = (call.member, call.kind, call.lcid);
    let known = tables.of_dispid(member, kind);
    if let Some((table, method)) = known
        && let Ok(arguments) = method.arguments(call.clone())
    {
        return json!({
            "dispatch": method.name,
            "dispid": member,
            "kind": kind_name(kind),
            "lcid": lcid,
            "arguments": by_name(table, method, &arguments),
        });
    }
    let argument = |value| argument(value, &tables.records);
    let named = call.named.iter().map(|(id, value)| (id.to_string(), argument(value)));
    json!({
        "dispatch": member,
        "kind": kind_name(kind),
        "lcid": lcid,
        "arguments": call.positional.iter().map(argument).collect::<Vec<_>>(),
        "named": named.collect::<Map<_, _>>(),
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

fn argument(argument: &Argument<'_>, records: &Records) -> Value {
    let value = json_of(&Type::Variant, &argument.value, records);
    if argument.by_ref { json!({ "ref": value }) } else { value }
}

/// The argument that JSON tells: a value, or one by reference.
pub fn read_argument(value: &Value, records: &Records) -> Result<Argument<'static>, String> {
    match value.as_object().filter(|map| map.len() == 1).and_then(|map| map.get("ref")) {
        Some(value) => read_value(&Type::Variant, value, records).map(Argument::by_ref),
        None => read_value(&Type::Variant, value, records).map(|value| match value.vt().is_by_ref() {
            true => Argument::by_ref(value),
            false => Argument::from(value),
        }),
    }
}

/// The value of a type that JSON tells.
fn read_value(ty: &Type, value: &Value, records: &Records) -> Result<Variant<'static>, String> {
    let mut value = value.clone();
    calendar::to_days(ty, records, &mut value)?;
    let plain: Plain = serde_json::from_value(value).map_err(|e| e.to_string())?;
    plain.value_with(ty, records).map_err(|e| e.to_string())
}

/// JSON that tells a value of a type.
fn json_of(ty: &Type, value: &Variant<'_>, records: &Records) -> Value {
    let mut value = serde_json::to_value(Plain::of_with(ty, value, records)).unwrap_or_default();
    calendar::of_days(ty, records, &mut value);
    value
}

/// The arguments of a method in the order of its parameters: told by place, or by name.
///
/// Those that are left out are [`Variant::MISSING`], where they may be.
pub fn arguments(
    interface: &Interface,
    method: &Method,
    told: &Value,
) -> Result<Vec<Variant<'static>>, String> {
    let parameters = &method.parameters;
    let mut values: Vec<Option<&Value>> = vec![None; parameters.len()];
    match told {
        Value::Array(items) if items.len() <= parameters.len() => {
            for (place, item) in values.iter_mut().zip(items) {
                *place = Some(item);
            }
        }
        Value::Array(items) => {
            return Err(format!(
                "{} arguments; {} has {} parameters",
                items.len(),
                method.name,
                parameters.len()
            ));
        }
        Value::Object(members) => {
            for (name, value) in members {
                let place = parameters.iter().position(|parameter| parameter.name.eq_ignore_ascii_case(name));
                let place = place.and_then(|place| values.get_mut(place));
                *place.ok_or_else(|| format!("argument {name}: {} has no such parameter", method.name))? =
                    Some(value);
            }
        }
        _ => return Err("arguments is an array, or an object by name".to_owned()),
    }
    let read = |(parameter, value): (&Parameter, Option<&Value>)| match value {
        Some(value) => read_value(&parameter.ty, value, interface.records())
            .map_err(|e| format!("argument {}: {e}", parameter.name)),
        None if parameter.optional => Ok(Variant::MISSING),
        None => Err(format!("argument {} is missing; it is a {}", parameter.name, parameter.ty)),
    };
    parameters.iter().zip(values).map(read).collect()
}
