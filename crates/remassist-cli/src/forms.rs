//! Values that have several forms on the wire: in JSON an object with one member, named as the form.

use remassist::core::{DecodeError, DecodeOptions};
use remassist::ndr::ByteOrder;
use serde_json::{Value, json};

use crate::kinds::Inspected;

/// One form.
pub struct Form {
    /// Its name in JSON.
    pub name: &'static str,
    /// Decodes the whole input.
    pub inspect: fn(&[u8], &DecodeOptions, ByteOrder) -> Result<Inspected, DecodeError>,
    /// Encodes the JSON form of a value.
    pub encode: fn(Value) -> Result<Vec<u8>, String>,
}

impl Form {
    pub fn named(
        &self,
        input: &[u8],
        options: &DecodeOptions,
        order: ByteOrder,
    ) -> Result<Inspected, DecodeError> {
        let inspected = (self.inspect)(input, options, order)?;
        Ok(Inspected { value: json!({ self.name: inspected.value }), ..inspected })
    }
}

/// Encodes a value in the form that its JSON names.
pub fn encode(forms: &[Form], value: Value) -> Result<Vec<u8>, String> {
    let mut entries = value.as_object().into_iter().flatten();
    let found = match (entries.next(), entries.next()) {
        (Some((name, _)), None) => forms.iter().find(|form| form.name == name),
        _ => None,
    };
    let names = || forms.iter().map(|form| form.name).collect::<Vec<_>>().join(", ");
    let form = found.ok_or_else(|| format!("not an object with one member, which is one of {}", names()))?;
    match value {
        Value::Object(mut map) => (form.encode)(map.remove(form.name).unwrap_or_default()),
        other => (form.encode)(other),
    }
}
