//! Accounts ([MS-SAMR]).

use ndr_oaut::{WideString, wire};
use serde_json::json;

use super::types::{Handle, Sid, UnicodeString};
use super::{Calls, Failure, Outcome};

pub(crate) const CLOSE: u16 = 1;
const LOOKUP_DOMAIN: u16 = 5;
pub(crate) const ENUMERATE_DOMAINS: u16 = 6;
const OPEN_DOMAIN: u16 = 7;
const ENUMERATE_USERS: u16 = 13;
const CONNECT5: u16 = 64;
/// MAXIMUM_ALLOWED.
pub(crate) const ALL: u32 = 0x0200_0000;

/// SAMPR_RID_ENUMERATION.
#[derive(Debug)]
struct Entry {
    id: u32,
    name: UnicodeString,
}

wire! {
    struct 'a Entry, "[MS-SAMR]" "2.2.3.9" "SAMPR_RID_ENUMERATION", |v, _r|
    "RelativeId" id: u32 = v.id;
    "Name" name: UnicodeString = v.name;
    => Ok(Self { id, name })
}

/// SAMPR_ENUMERATION_BUFFER.
#[derive(Debug)]
struct Entries {
    count: u32,
    entries: Option<Vec<Entry>>,
}

wire! {
    struct 'a Entries, "[MS-SAMR]" "2.2.3.10" "SAMPR_ENUMERATION_BUFFER", |v, _r|
    "EntriesRead" count: u32 = v.count;
    "Buffer" entries: Option<Vec<Entry>> = v.entries;
    => Ok(Self { count, entries })
}

impl Entries {
    fn read(self) -> Outcome<Vec<Entry>> {
        let entries = self.entries.unwrap_or_default();
        if usize::try_from(self.count).ok() != Some(entries.len()) {
            return Err(Failure::Wrong("EntriesRead is not the number of entries"));
        }
        Ok(entries)
    }
}

/// SamrConnect5.
pub(crate) async fn connect(calls: &Calls, access: u32) -> Outcome<Handle> {
    let name = Some(WideString::new("\\\\judge"));
    // ServerName, DesiredAccess, InVersion, InRevisionInfo: its tag, Revision 3, SupportedFeatures 0.
    let answer = calls.ask(CONNECT5, (name, access, 1_u32, (1_u32, 3_u32, 0_u32))).await?;
    // OutVersion, OutRevisionInfo, ServerHandle.
    let (version, (tag, revision, _), handle) = answer.read::<(u32, (u32, u32, u32), Handle)>()?;
    if (version, tag, revision) != (1, 1, 3) {
        return Err(Failure::Wrong("not the revision that was asked for"));
    }
    Ok(handle)
}

pub(crate) async fn domains(calls: &Calls, server: Handle) -> Outcome<Vec<String>> {
    // ServerHandle, EnumerationContext, PreferedMaximumLength.
    let answer = calls.ask(ENUMERATE_DOMAINS, (server, 0_u32, 0xFFFF_u32)).await?;
    // EnumerationContext, Buffer, CountReturned.
    let (_, entries, count) = answer.read::<(u32, Option<Entries>, u32)>()?;
    let names: Vec<_> =
        entries.ok_or(Failure::Wrong("no buffer"))?.read()?.iter().map(|entry| entry.name.text()).collect();
    if usize::try_from(count).ok() != Some(names.len()) {
        return Err(Failure::Wrong("CountReturned is not the number of entries"));
    }
    Ok(names)
}

pub(crate) async fn close(calls: &Calls, handle: Handle) -> Outcome<()> {
    let answer = calls.ask(CLOSE, handle).await?;
    if answer.read::<Handle>()? == Handle::default() { Ok(()) } else { Err(Failure::Wrong("still open")) }
}

pub(crate) async fn ask(calls: &Calls) -> Outcome<()> {
    let server = connect(calls, ALL).await?;
    let domains = domains(calls, server).await?;
    calls.tell("EnumerateDomains", json!(domains));
    let first = domains.first().ok_or(Failure::Wrong("no domain"))?;
    let answer = calls.ask(LOOKUP_DOMAIN, (server, UnicodeString::new(first))).await?;
    let sid = answer.read::<Option<Sid<'_>>>()?.ok_or(Failure::Wrong("no SID"))?;
    calls.tell("LookupDomain", json!(sid.to_string()));
    let answer = calls.ask(OPEN_DOMAIN, (server, ALL, sid)).await?;
    let domain = answer.read::<Handle>()?;
    // UserAccountControl: all.
    let answer = calls.ask(ENUMERATE_USERS, (domain, 0_u32, 0_u32, 0xFFFF_u32)).await?;
    let (_, entries, _) = answer.read::<(u32, Option<Entries>, u32)>()?;
    let users = entries.ok_or(Failure::Wrong("no buffer"))?.read()?;
    let users: Vec<_> = users.iter().map(|user| json!({ "id": user.id, "name": user.name.text() })).collect();
    calls.tell("EnumerateUsers", json!(users));
    for handle in [domain, server] {
        close(calls, handle).await?;
    }
    calls.tell("CloseHandle", json!(2));
    Ok(())
}
