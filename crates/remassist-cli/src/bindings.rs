//! DUALSTRINGARRAY as text ([MS-DCOM] 2.2.19).

use remassist::core::{Format, TraceEntry};
use remassist::ndr::DualStringArray;
use serde_json::{Value, json};

/// The bindings, the first ones first.
fn texts(array: &DualStringArray) -> Vec<String> {
    let strings = array.string_bindings().into_iter().map(|binding| match binding.tower_id {
        7 => format!("ncacn_ip_tcp:{}", binding.network_address),
        id => format!("tower {id:#x}:{}", binding.network_address),
    });
    let securities = array.security_bindings().into_iter().map(|binding| {
        let service = match binding.authentication_service {
            9 => "Negotiate".to_owned(),
            10 => "NTLM".to_owned(),
            16 => "Kerberos".to_owned(),
            other => format!("service {other:#x}"),
        };
        if binding.principal.is_empty() { service } else { format!("{service} as {}", binding.principal) }
    });
    strings.chain(securities).collect()
}

/// Adds "bindings" to every array in JSON, for people; encoding does not look at it.
pub fn add(json: &mut Value) {
    match json {
        Value::Object(map) => {
            if map.len() == 2 && map.contains_key("security_offset") && map.contains_key("units") {
                let array = serde_json::from_value(Value::Object(map.clone()));
                let bindings = array.map(|array| texts(&array)).unwrap_or_default();
                map.insert("bindings".to_owned(), json!(bindings));
            } else {
                map.values_mut().for_each(add);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(add),
        _ => {}
    }
}

/// Follows a trace and knows the bindings once the units of an array have passed.
#[derive(Debug, Default)]
pub struct Follower {
    offset: u16,
}

impl Follower {
    /// How many entries from the first on are the units of an array, as one entry, with the bindings.
    pub fn units(&mut self, trace: &[TraceEntry], input: &[u8]) -> Option<(usize, TraceEntry, String)> {
        let first = trace.first()?;
        if first.at.structure != "DUALSTRINGARRAY" {
            return None;
        }
        let bytes = |entry: &TraceEntry| input.get(entry.offset..entry.offset.saturating_add(entry.len));
        if first.at.field == "wSecurityOffset" {
            self.offset =
                bytes(first)?.try_into().ok().map(|unit| number(first.format == Format::Uint, unit))?;
        }
        if first.at.field != "aStringArray" {
            return None;
        }
        // In NDR each unit is an entry, and one of a big-endian stream has no format.
        let count = trace.iter().take_while(|entry| entry.at == first.at).count();
        let is_little = first.format == Format::Uint || first.len != 2;
        let entries = trace.get(..count)?;
        let len = entries.iter().fold(0_usize, |len, entry| len.saturating_add(entry.len));
        let all = TraceEntry { len, format: Format::Bytes, ..*first };
        let units = bytes(&all)?.as_chunks::<2>().0.iter().map(|unit| number(is_little, *unit)).collect();
        let array = DualStringArray { security_offset: self.offset, units };
        Some((count, all, texts(&array).join(", ")))
    }
}

fn number(is_little: bool, unit: [u8; 2]) -> u16 {
    if is_little { u16::from_le_bytes(unit) } else { u16::from_be_bytes(unit) }
}
