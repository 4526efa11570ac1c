//! The registry ([MS-RRP]).

use ndr_oaut::Varying;
use remassist_core::{Blob, len_u32};
use serde_json::json;

use super::types::{Handle, UnicodeString};
use super::{Calls, Failure, Outcome};

const OPEN_LOCAL_MACHINE: u16 = 2;
const CLOSE_KEY: u16 = 5;
const CREATE_KEY: u16 = 6;
const ENUM_KEY: u16 = 9;
const OPEN_KEY: u16 = 15;
const QUERY_VALUE: u16 = 17;
const SET_VALUE: u16 = 22;
/// MAXIMUM_ALLOWED.
const ALL: u32 = 0x0200_0000;
const REG_BINARY: u32 = 3;
/// More than ten fragments of the usual size.
const LARGE: usize = 60_000;

pub(crate) async fn ask(calls: &Calls) -> Outcome<()> {
    let answer = calls.ask(OPEN_LOCAL_MACHINE, (None::<u16>, ALL)).await?;
    let machine = answer.read::<Handle>()?;
    let mut keys = Vec::new();
    loop {
        // lpNameIn, lpClassIn, lpftLastWriteTime.
        let more = (UnicodeString::room(256), Some(UnicodeString::room(256)), None::<u64>);
        let answer = calls.ask(ENUM_KEY, (machine, len_u32(keys.len()), more)).await?;
        match answer.read::<(UnicodeString, Option<UnicodeString>, Option<u64>)>() {
            Ok((name, ..)) => keys.push(name.text()),
            // ERROR_NO_MORE_ITEMS.
            Err(Failure::Code(259)) => break,
            Err(failure) => return Err(failure),
        }
    }
    calls.tell("EnumKey", json!(keys));
    // dwOptions, samDesired.
    let name = UnicodeString::new("SYSTEM\\CurrentControlSet\\Control\\ProductOptions\0");
    let key = calls.ask(OPEN_KEY, (machine, name, 0_u32, ALL)).await?.read::<Handle>()?;
    let (kind, value) = query(calls, key, "ProductType", 256).await?;
    let text: Vec<_> = value.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
    let text = String::from_utf16_lossy(&text);
    calls.tell("QueryValue", json!({ "type": kind, "text": text.trim_end_matches('\0') }));
    close(calls, key).await?;
    match create(calls, machine).await {
        Ok(key) => {
            if let Err(failure) = large(calls, key).await {
                calls.tell_failure("SetValue", &failure);
            }
            close(calls, key).await?;
        }
        Err(failure) => calls.tell_failure("CreateKey", &failure),
    }
    close(calls, machine).await?;
    calls.tell("CloseKey", json!(null));
    Ok(())
}

async fn create(calls: &Calls, machine: Handle) -> Outcome<Handle> {
    let name = UnicodeString::new("SOFTWARE\\Samba\\Large\0");
    // lpClass; dwOptions; samDesired, lpSecurityAttributes, lpdwDisposition.
    let more = (UnicodeString::new("\0"), 0_u32, (ALL, 0_u32, Some(0_u32)));
    let answer = calls.ask(CREATE_KEY, (machine, name, more)).await?;
    Ok(answer.read::<(Handle, Option<u32>)>()?.0)
}

/// A value that takes many fragments, there and back.
async fn large(calls: &Calls, key: Handle) -> Outcome<()> {
    let value: Vec<u8> = (0..LARGE).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
    // lpValueName, dwType; lpData, cbData.
    let data = (Blob::from(value.as_slice()), len_u32(LARGE));
    calls.ask(SET_VALUE, (key, UnicodeString::new("value\0"), REG_BINARY, data)).await?.done()?;
    let (kind, again) = query(calls, key, "value", LARGE).await?;
    if again != value {
        return Err(Failure::Wrong("not the value that was set"));
    }
    calls.tell("SetValue", json!({ "type": kind, "bytes": again.len() }));
    Ok(())
}

async fn query(calls: &Calls, key: Handle, name: &str, room: usize) -> Outcome<(u32, Vec<u8>)> {
    let room = len_u32(room);
    // lpType; lpData, lpcbData, lpcbLen.
    let data = Some(Varying::<u8> { max_count: room, offset: 0, elements: Vec::new() });
    let more = (Some(0_u32), data, (Some(room), Some(0_u32)));
    let answer = calls.ask(QUERY_VALUE, (key, UnicodeString::new(&format!("{name}\0")), more)).await?;
    let (kind, data, lengths) =
        answer.read::<(Option<u32>, Option<Varying<u8>>, (Option<u32>, Option<u32>))>()?;
    let value = data.ok_or(Failure::Wrong("no data"))?.elements;
    if lengths != (Some(len_u32(value.len())), Some(len_u32(value.len()))) {
        return Err(Failure::Wrong("lengths that are not that of the data"));
    }
    Ok((kind.ok_or(Failure::Wrong("no type"))?, value))
}

async fn close(calls: &Calls, key: Handle) -> Outcome<()> {
    let answer = calls.ask(CLOSE_KEY, key).await?;
    if answer.read::<Handle>()? == Handle::default() { Ok(()) } else { Err(Failure::Wrong("still open")) }
}
