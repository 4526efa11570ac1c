//! `remassist encode`.

use std::io::Write;

use remassist::core::Hex;
use serde_json::Value;

use crate::args::EncodeArgs;
use crate::kinds::{Kind, by_name};
use crate::{Failure, input};

pub fn run(args: &EncodeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let text = input::read(&args.file)?;
    let json: Value = serde_json::from_slice(&text).map_err(|e| Failure::Input(format!("not JSON: {e}")))?;
    let (kind, value) = kind_and_value(args, json)?;
    let bytes = (kind.encode)(value).map_err(|e| Failure::Input(format!("{}: {e}", kind.name)))?;
    if args.hex {
        writeln!(out, "{:x}", Hex(&bytes))?;
    } else {
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The JSON is a value, or all that `inspect --json` printed.
fn kind_and_value(args: &EncodeArgs, json: Value) -> Result<(&'static Kind, Value), Failure> {
    let named = args.kind.kind();
    let told = match &json {
        Value::Object(map) if map.contains_key("value") => map.get("kind").and_then(Value::as_str),
        _ => None,
    };
    let Some(told) = told else {
        let missing = || Failure::Usage("the JSON does not say its kind: --kind is needed".to_owned());
        return Ok((named.ok_or_else(missing)?, json));
    };
    let kind = by_name(told).ok_or_else(|| Failure::Input(format!("unknown kind {told:?}")))?;
    match named {
        Some(named) if named.name != kind.name => {
            Err(Failure::Usage(format!("--kind {} for JSON of the kind {}", named.name, kind.name)))
        }
        _ => match json {
            Value::Object(mut map) => Ok((kind, map.remove("value").unwrap_or_default())),
            other => Ok((kind, other)),
        },
    }
}
