//! Peers that speak DCE/RPC and DCOM.

use std::cell::OnceCell;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::impacket::{Impacket, lines, scripts};
use super::relay::Relay;
use super::samba::{HOST, PASSWORD, Samba, USER, domain_is_there, standalone_is_there};
use super::tshark::{self, judge_rpc};
use super::{Programs, help, offers, rpc};
use crate::run::{Result, apt, root, target};

type Scenario = super::Scenario<Peers>;

const WITH_IMPACKET: &[Scenario] = &[
    ("impacket packs and unpacks all calls of Remote Assistance", self_check),
    ("impacket asks our novice through IRASrv, activated in every way", offers::ra_srv),
    ("impacket asks our novice through IPCHService: all methods", offers::pch_service),
    ("impacket asks our novice for 0, 1 and 500 sessions", offers::counts),
    ("impacket has ten contexts, many fragments, references and pings", offers::life),
    ("our novice refuses strangers, and whoever protects too little", offers::strangers),
    ("our novice refuses calls that are none", offers::no_calls),
    ("tshark reads what impacket and our novice say", offers::captured),
    ("impacket fetches a ticket, and our expert joins the novice with it", help::with_impacket),
    ("our expert lists sessions, fetches a ticket, offers help", help::ours),
];
const WITH_SAMBA: &[Scenario] = &[
    ("impacket asks Samba, with NTLM at every level", samba_calls),
    ("Samba refuses impacket with a wrong password", samba_refuses),
    ("tshark reads what impacket and Samba have sealed", samba_sealed),
    ("our RPC client asks Samba: NTLM and SPNEGO, integrity and privacy", rpc::standalone),
    ("our RPC client understands what Samba refuses", rpc::refusals),
    ("tshark reads what our RPC client and Samba say", rpc::captured),
];
const WITH_DOMAIN: &[Scenario] = &[
    ("Samba asks a domain controller, with Kerberos", kerberos),
    ("our RPC client asks a domain controller, with Kerberos", rpc::kerberos),
];

/// What the scenarios share.
pub struct Peers {
    pub folder: PathBuf,
    pub impacket: Impacket,
    pub tshark: bool,
    pub programs: Programs,
    domain: OnceCell<Samba>,
}

impl Peers {
    /// `None` where impacket cannot be had.
    pub fn find(folder: &Path, programs: Programs) -> Result<Option<Self>> {
        if !standalone_is_there() || !domain_is_there() {
            apt("samba samba-ad-provision samba-dsdb-modules samba-vfs-modules");
        }
        let Some(impacket) = Impacket::find(&target().join("interop")) else { return Ok(None) };
        let folder = folder.join("dcom");
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        Ok(Some(Self { folder, impacket, tshark: tshark::is_there(), programs, domain: OnceCell::new() }))
    }

    /// Those that can be run here, and what is missing for the others.
    pub fn scenarios(&self) -> (Vec<Scenario>, Vec<&'static str>) {
        let (mut scenarios, mut missing) = (WITH_IMPACKET.to_vec(), Vec::new());
        if standalone_is_there() {
            scenarios.extend(WITH_SAMBA);
        } else {
            missing.push("samba-dcerpcd");
        }
        if domain_is_there() {
            scenarios.extend(WITH_DOMAIN);
        } else {
            missing.push("samba-ad-provision");
        }
        (scenarios, missing)
    }

    /// A server for a scenario, in a folder that nobody has used.
    pub fn samba(&self, name: &str, start: fn(PathBuf) -> Result<Samba>) -> Result<Samba> {
        let folder = self.folder.join(name);
        let _none_yet = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        start(folder)
    }

    /// The domain controller, which all scenarios share: it takes longer to make than to ask.
    pub fn domain(&self) -> Result<&Samba> {
        if self.domain.get().is_none() {
            let _there = self.domain.set(self.samba("domain", Samba::domain)?);
        }
        self.domain.get().ok_or_else(|| "no domain controller".into())
    }

    /// The script that asks Samba.
    fn asks(&self, host: &str, password: &str) -> Command {
        let mut script = self.impacket.script("samba_calls.py");
        script.args(["--host", host, "--user", USER, "--password", password]);
        script
    }
}

fn self_check(peers: &Peers) -> Result {
    let mut script = peers.impacket.script("self_check.py");
    let vectors = root().join("tests/vectors/ra-dcom/rai-calls.json");
    if vectors.exists() {
        script.arg(vectors);
    }
    expect(&lines(&mut script)?, 1, |_| "ok")
}

fn samba_calls(peers: &Peers) -> Result {
    let samba = peers.samba("calls", Samba::standalone)?;
    let told = lines(&mut peers.asks(&samba.address.to_string(), PASSWORD))?;
    // A level that has a password but no signature.
    expect(&told, 12, |line| if line["level"] == "connect" { "fault 0x00000005" } else { "ok" })
}

fn samba_refuses(peers: &Peers) -> Result {
    let samba = peers.samba("refuses", Samba::standalone)?;
    let mut script = peers.asks(&samba.address.to_string(), "Pass123?");
    let told = lines(script.args(["--levels", "integrity,privacy"]))?;
    // nca_s_proto_error: the security context was never established.
    expect(&told, 6, |_| "fault 0x1c01000b")
}

fn samba_sealed(peers: &Peers) -> Result {
    let samba = peers.samba("sealed", Samba::standalone)?;
    for level in ["integrity", "privacy"] {
        let mut script = peers.asks(&samba.address.to_string(), PASSWORD);
        let told = lines(script.args(["--levels", level, "--interfaces", "srvsvc"]))?;
        let port =
            told.first().and_then(|line| line["port"].as_u64()).and_then(|port| u16::try_from(port).ok());
        let relay = Relay::start(peers.folder.join(format!("samba-{level}.pcap")))?;
        relay.lead_to(SocketAddr::from((samba.address, port.ok_or("no port of srvsvc")?)));
        let mut script = peers.asks(&relay.address.ip().to_string(), PASSWORD);
        script.args(["--levels", level, "--interfaces", "srvsvc"]);
        script.args(["--port", &relay.address.port().to_string()]);
        expect(&lines(&mut script)?, 1, |_| "ok")?;
        if peers.tshark {
            let operations = judge_rpc(relay.ended()?, &[relay.address.port()], Some(PASSWORD))?;
            for name in ["NetShareEnumAll request", "NetShareEnumAll response"] {
                if !operations.iter().any(|operation| operation.contains(name)) {
                    return Err(format!("{level}: tshark does not show {name}: {operations:?}"));
                }
            }
        }
    }
    Ok(())
}

fn kerberos(peers: &Peers) -> Result {
    let samba = peers.domain()?;
    let mut script = Command::new("/usr/bin/python3");
    script.env("KRB5_CONFIG", samba.krb5_conf()).arg(scripts().join("kerberos_calls.py"));
    script.arg(&samba.configuration).args([&samba.address.to_string(), HOST, PASSWORD]);
    let told = lines(&mut script)?;
    expect(&told, 4, |line| if line["binding"] == "krb5,connect" { "refused" } else { "ok" })
}

/// So many lines, each with the result that it should have: `ok`, `fault 0x00000005`, ...
fn expect(told: &[Value], count: usize, result: impl Fn(&Value) -> &'static str) -> Result {
    if told.len() != count {
        return Err(format!("{} lines in place of {count}: {told:?}", told.len()));
    }
    let seen = |line: &Value| {
        let words = [&line["result"], &line["status"], &line["code"]];
        words.iter().filter_map(|word| word.as_str()).collect::<Vec<_>>().join(" ")
    };
    match told.iter().find(|line| seen(line) != result(line)) {
        Some(line) => Err(format!("not \"{}\": {line}", result(line))),
        None => Ok(()),
    }
}

/// Whether everything expected is there and the same; objects may have more.
pub fn holds(told: &Value, expected: &Value) -> bool {
    match (told, expected) {
        (Value::Object(told), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| told.get(name).is_some_and(|told| holds(told, value)))
        }
        (Value::Array(told), Value::Array(expected)) => {
            told.len() == expected.len() && told.iter().zip(expected).all(|(told, value)| holds(told, value))
        }
        _ => told == expected,
    }
}
