//! What a message claims of its callers, as JSON.

use remassist::comqc::{
    AuthenticationLevel, AuthenticationService, Collection, ImpersonationLevel, Property, SecurityData, Sid,
};
use serde_json::{Map, Value, json};

/// What is claimed, for people and programs; nothing of it is proven.
pub fn json(data: &SecurityData<'_>) -> Value {
    let callers: Vec<Value> = data.callers().map(caller).collect();
    json!({ "minimum_level": data.minimum_level().map(|level| level.0), "callers": callers })
}

fn caller(caller: &Collection<'_>) -> Value {
    json!({
        "sid": caller.sid().map(|sid| sid.to_string()),
        "account": caller.account_name().map(|name| name.to_text_lossy()),
        "service": caller.authentication_service().map(|service| service.0),
        "level": caller.authentication_level().map(|level| level.0),
        "impersonation": caller.impersonation_level().map(|level| level.0),
    })
}

/// The security data that a list of calls tells: `{"account": "DOM\\alice", "sid": "S-1-..", "level": 6}`, or null for nothing.
///
/// Account and SID are what an application has given; nobody has authenticated them.
pub fn read(value: &Value) -> Result<SecurityData<'static>, String> {
    let members = match value {
        Value::Null => return Ok(SecurityData::EMPTY),
        Value::Object(members) => members,
        _ => return Err("security is an object with account, sid, level, service, impersonation".to_owned()),
    };
    let known = ["account", "sid", "level", "service", "impersonation"];
    if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("security has no member {name:?}; there are {}", known.join(", ")));
    }
    let level = AuthenticationLevel(number(members, "level")?.unwrap_or(AuthenticationLevel::NONE.0));
    let mut caller = Vec::new();
    if let Some(service) = number(members, "service")? {
        caller.push(Property::authentication_service(AuthenticationService(service)));
    }
    if members.contains_key("level") {
        caller.push(Property::authentication_level(level));
    }
    if let Some(impersonation) = number(members, "impersonation")? {
        caller.push(Property::impersonation_level(ImpersonationLevel(impersonation)));
    }
    if let Some(sid) = text(members, "sid")? {
        let sid: Sid<'static> =
            sid.parse().map_err(|_| format!("{sid:?} is no SID like S-1-5-21-1-2-3-1001"))?;
        caller.push(Property::sid(&sid));
    }
    if let Some(account) = text(members, "account")? {
        caller.push(Property::account_name(account));
    }
    match caller.is_empty() {
        true => Ok(SecurityData::EMPTY),
        false => Ok(SecurityData::new(level, caller)),
    }
}

fn number(members: &Map<String, Value>, name: &str) -> Result<Option<u32>, String> {
    let Some(value) = members.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.map(Some).ok_or_else(|| format!("security.{name} is a whole number"))
}

fn text<'v>(members: &'v Map<String, Value>, name: &str) -> Result<Option<&'v str>, String> {
    let Some(value) = members.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    value.as_str().map(Some).ok_or_else(|| format!("security.{name} is a text"))
}
