//! Our RPC client, Samba as server.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use serde_json::{Value, json};

use super::dcom::{Peers, holds};
use super::impacket::lines;
use super::relay::Relay;
use super::samba::{HOST, PASSWORD, REALM, Samba, USER};
use super::tshark::judge_rpc;
use crate::run::Result;

const ALL: &str = "samr,winreg,srvsvc";
/// A value, and the name of a server: more than ten fragments each way, and so many in one request.
const LARGE: u32 = 60_000;
const LONG: u32 = 20_000;

/// Operations by the names that tshark has for them.
const SAMR: &[&str] = &["Connect5", "EnumDomains", "LookupDomain", "OpenDomain", "EnumDomainUsers", "Close"];
const WINREG: &[&str] =
    &["OpenHKLM", "OpenKey", "EnumKey", "QueryValue", "SetValue", "CreateKey", "CloseKey"];
const SRVSVC: &[&str] = &["NetSrvGetInfo", "NetShareEnumAll", "NetRemoteTOD"];

/// Our client, as an example of `rpc-net`.
fn asks(peers: &Peers, host: Ipv4Addr, user: &str, password: &str, options: &[&str]) -> Result<Vec<Value>> {
    let mut client = Command::new(&peers.programs.samba);
    // DOM\\user or user.
    let (domain, user) = user.split_once('\\').unwrap_or(("", user));
    client
        .env("DOMAIN", domain)
        .env("USER_NAME", user)
        .env("PASSWORD", password)
        .arg(format!("host={host}"))
        .args(options);
    lines(&mut client)
}

/// One after the other, each with what must be in it; "result" is "ok" where nothing else is said.
fn expect(told: &[Value], expected: &[(&str, Value)]) -> Result {
    let right = |(told, (operation, expected)): (&Value, &(&str, Value))| {
        told["operation"] == *operation
            && told["result"] == expected["result"].as_str().unwrap_or("ok")
            && holds(told, expected)
    };
    match told.iter().zip(expected).find(|pair| !right(*pair)) {
        Some((told, expected)) => Err(format!("not {expected:?}, but {told}")),
        None if told.len() != expected.len() => Err(format!("not {} answers: {told:?}", expected.len())),
        None => Ok(()),
    }
}

fn samr() -> Vec<(&'static str, Value)> {
    vec![
        ("EnumerateDomains", json!({ "found": ["JUDGE", "Builtin"] })),
        ("LookupDomain", json!({})),
        ("EnumerateUsers", json!({ "found": [{ "id": 1000, "name": USER }] })),
        ("CloseHandle", json!({ "found": 2 })),
    ]
}

/// `large`: what is said about a large value.
fn winreg(large: (&'static str, Value)) -> Vec<(&'static str, Value)> {
    vec![
        ("EnumKey", json!({ "found": ["SOFTWARE", "SYSTEM"] })),
        ("QueryValue", json!({ "found": { "type": 1, "text": "ServerNT" } })),
        large,
        ("CloseKey", json!({})),
    ]
}

fn srvsvc() -> Vec<(&'static str, Value)> {
    let server = |asked| json!({ "found": { "asked": asked, "name": "JUDGE", "platform": 500 } });
    vec![
        ("ServerGetInfo", server(5)),
        ("ServerGetInfo", server(LONG)),
        ("ShareEnum", json!({ "found": [{ "name": "IPC$", "type": 0x8000_0003_u32 }] })),
        ("RemoteTOD", json!({ "found": { "timezone": 0 } })),
    ]
}

pub fn standalone(peers: &Peers) -> Result {
    let samba = peers.samba("ours", Samba::standalone)?;
    let large = ("SetValue", json!({ "found": { "type": 3, "bytes": LARGE } }));
    let all = [samr(), winreg(large), srvsvc()].concat();
    for mechanism in ["mechanism=ntlm", "mechanism=negotiate"] {
        for level in ["level=integrity", "level=privacy"] {
            for fragment in ["fragment=5840", "fragment=1432"] {
                let options = [&format!("ask={ALL}"), mechanism, level, fragment];
                let told = asks(peers, samba.address, USER, PASSWORD, &options)?;
                expect(&told, &all).map_err(|e| format!("{mechanism} {level} {fragment}: {e}"))?;
                let Some(seconds) = told.last().and_then(|tod| tod["found"]["seconds"].as_u64()) else {
                    return Err("RemoteTOD without a time".into());
                };
                let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_err(|e| e.to_string())?.as_secs();
                if seconds.abs_diff(now) > 60 {
                    return Err(format!("RemoteTOD tells {seconds}, and it is {now}"));
                }
            }
        }
    }
    Ok(())
}

fn fault(status: &str) -> Value {
    json!({ "result": "fault", "status": status })
}

/// What a connection outlives.
fn refused(builtin: &str, domain: &str) -> Vec<(&'static str, Value)> {
    let found = json!({ "found": [domain, builtin] });
    vec![
        ("an interface that is not there", json!({ "result": "refused" })),
        ("an operation that is not there", fault("0x1c010002")),
        ("parameters that are too short", fault("0x000006f7")),
        ("a handle that is closed", fault("0x1c00001a")),
        ("an interface for named pipes only", fault("0x00000005")),
        ("EnumerateDomains", found.clone()),
        ("EnumerateDomains", found.clone()),
        ("EnumerateDomains", found),
    ]
}

pub fn refusals(peers: &Peers) -> Result {
    let samba = peers.samba("refused", Samba::standalone)?;
    let ask = format!("ask={ALL}");
    for mechanism in ["mechanism=ntlm", "mechanism=negotiate"] {
        // A signature is never to be had at this level.
        let told = asks(peers, samba.address, USER, PASSWORD, &[&ask, mechanism, "level=connect"])?;
        expect(&told, &vec![("call", fault("0x00000005")); 3]).map_err(|e| format!("{mechanism}: {e}"))?;
        for level in ["level=integrity", "level=privacy"] {
            for user in [USER, "nobody-at-all"] {
                let told = asks(peers, samba.address, user, "Pass123?", &[&ask, mechanism, level])?;
                // SPNEGO tells it in the bind, NTLM with the first call.
                let expected = match mechanism {
                    "mechanism=ntlm" => ("call", fault("0x1c01000b")),
                    _ => ("bind", json!({ "result": "refused" })),
                };
                let told = expect(&told, &vec![expected; 3]);
                told.map_err(|e| format!("{user} {mechanism} {level}: {e}"))?;
            }
        }
    }
    for level in ["level=integrity", "level=privacy"] {
        let told = asks(peers, samba.address, USER, PASSWORD, &["ask=refusals", level])?;
        expect(&told, &refused("Builtin", "JUDGE"))?;
    }
    // Nobody may read, and not write: neither make a key, nor with a handle of one that is there.
    let denied = || json!({ "result": "code", "code": "0x00000005" });
    let told = asks(peers, samba.address, "", "", &["ask=winreg", "level=none"])?;
    expect(&told, &winreg(("CreateKey", denied())))?;
    asks(peers, samba.address, USER, PASSWORD, &["ask=winreg"])?;
    let told = asks(peers, samba.address, "", "", &["ask=winreg", "level=none"])?;
    expect(&told, &winreg(("SetValue", denied())))
}

/// A relay to the port that was told.
fn relay(peers: &Peers, samba: &Samba, told: &[Value], name: &str) -> Result<Relay> {
    let port = told.first().and_then(|line| line["port"].as_u64()).and_then(|port| u16::try_from(port).ok());
    let relay = Relay::start(peers.folder.join(format!("ours-{name}.pcap")))?;
    relay.lead_to(SocketAddr::from((samba.address, port.ok_or("no port")?)));
    Ok(relay)
}

/// Whether each operation has a request and a response with its name.
fn shows(operations: &[String], names: &[&str]) -> Result {
    let each = names.iter().flat_map(|name| [format!("{name} request"), format!("{name} response")]);
    let missing = each.into_iter().find(|wanted| !operations.iter().any(|told| told.contains(wanted)));
    missing.map_or(Ok(()), |wanted| Err(format!("tshark shows no {wanted}: {operations:?}")))
}

/// tshark reads what our client and Samba say.
pub fn captured(peers: &Peers) -> Result {
    let samba = peers.samba("ours-captured", Samba::standalone)?;
    for (interface, names) in [("samr", SAMR), ("winreg", WINREG), ("srvsvc", SRVSVC)] {
        for (level, mechanism) in [("integrity", "ntlm"), ("privacy", "ntlm"), ("privacy", "negotiate")] {
            let name = format!("{interface}-{level}-{mechanism}");
            let told = asks(peers, samba.address, USER, PASSWORD, &[&format!("ask=map-{interface}")])?;
            let relay = relay(peers, &samba, &told, &name)?;
            let options = [
                format!("ask={interface}"),
                format!("level={level}"),
                format!("mechanism={mechanism}"),
                format!("at={}", relay.address),
            ];
            let told = asks(peers, samba.address, USER, PASSWORD, &options.each_ref().map(String::as_str))?;
            if told.iter().any(|line| line["result"] != "ok") {
                return Err(format!("{name}: {told:?}"));
            }
            let capture = relay.ended()?;
            if !peers.tshark {
                continue;
            }
            // The mechListMIC of SPNEGO uses up what tshark then takes for the first call's.
            let password = (mechanism == "ntlm").then_some(PASSWORD);
            let operations = judge_rpc(capture, &[relay.address.port()], password)?;
            let several = |kind: &&str| {
                operations.iter().any(|told| told.starts_with(kind) && told.contains("Fragment: Mid"))
            };
            if interface == "winreg" && !["Request", "Response"].iter().all(several) {
                return Err(format!("{name}: no call of several fragments: {operations:?}"));
            }
            // Only what it can unseal does it put together.
            let whole = |wanted: &&str| password.is_some() || *wanted != "SetValue";
            let names: Vec<&str> = names.iter().copied().filter(whole).collect();
            shows(&operations, &names).map_err(|e| format!("{name}: {e}"))?;
        }
    }
    Ok(())
}

/// The tickets of Samba's KDC, asked by TCP and by UDP; what Kerberos cannot do is refused here.
pub fn kerberos(peers: &Peers) -> Result {
    let samba = peers.domain()?;
    let asks = |way: &str, service: &str, password: &str, options: &[&str]| {
        let (kdc, service) = (format!("kdc={way}{}:88", samba.address), format!("service={service}"));
        let options = [&["mechanism=kerberos", &kdc, &service], options].concat();
        asks(peers, samba.address, &format!("{REALM}\\Administrator"), password, &options)
    };
    let service = format!("host/{HOST}");
    let failed = || [("bind", json!({ "result": "failed" }))];
    for way in ["tcp://", "udp://"] {
        let told = asks(way, &service, PASSWORD, &["ask=samr"])?;
        let users = told.get(2).and_then(|line| line["found"].as_array()).cloned().unwrap_or_default();
        let krbtgt = json!({ "id": 502, "name": "krbtgt" });
        if !users.contains(&krbtgt) {
            return Err(format!("{way}: not the accounts of a domain: {told:?}"));
        }
        let domains = json!({ "found": ["REMASSIST", "BUILTIN"] });
        let expected = [
            ("EnumerateDomains", domains),
            ("LookupDomain", json!({})),
            ("EnumerateUsers", json!({})),
            ("CloseHandle", json!({})),
        ];
        expect(&told, &expected)?;
        let told = asks(way, &service, PASSWORD, &["ask=refusals"])?;
        expect(&told, &refused("BUILTIN", "REMASSIST"))?;
        expect(&asks(way, &service, "Pass123?", &["ask=samr"])?, &failed())?;
        expect(&asks(way, "host/nobody.remassist.test", PASSWORD, &["ask=samr"])?, &failed())?;
    }
    expect(&asks("tcp://", &service, PASSWORD, &["ask=samr", "level=integrity"])?, &failed())?;
    let told = asks("tcp://", &service, PASSWORD, &["ask=map-samr"])?;
    let relay = relay(peers, samba, &told, "kerberos-samr")?;
    let at = format!("at={}", relay.address);
    let told = asks("tcp://", &service, PASSWORD, &["ask=samr", &at])?;
    if told.len() != 4 || told.iter().any(|line| line["result"] != "ok") {
        return Err(format!("through the relay: {told:?}"));
    }
    let capture = relay.ended()?;
    if peers.tshark {
        let operations = judge_rpc(capture, &[relay.address.port()], None)?;
        shows(&operations, SAMR)?;
    }
    Ok(())
}
