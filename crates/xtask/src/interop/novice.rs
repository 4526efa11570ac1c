//! xfreerdp as expert, `remassist novice` as novice.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::program::{Killed, Program};
use super::relay::Relay;
use super::screen::{Picture, wait_on};
use super::tshark::{Protection, judge};
use super::{DEADLINE, Lane, PASSWORD, until};
use crate::run::Result;

/// A novice that runs.
pub struct Novice {
    pub file: PathBuf,
    /// Where the expert connects: a relay, which keeps what is said.
    pub address: SocketAddr,
    pub relay: Relay,
    pub program: Program,
}

impl Novice {
    /// `name`: of its files; `arguments`: those that are not the same for all.
    pub fn start(lane: &Lane, name: &str, kind: u8, arguments: &str) -> Result<Self> {
        let file = lane.folder.join(format!("{name}.msrcIncident"));
        let relay = Relay::start(lane.folder.join(format!("{name}.pcap")))?;
        let address = relay.address;
        let mut novice = Command::new(&lane.program);
        novice.args(["novice", "--listen", "127.0.0.1:0", "--password", PASSWORD, "--exit-after-session"]);
        novice.args(["--type", &kind.to_string(), "--address", &address.to_string()]);
        novice.args(arguments.split(' ')).arg("--tls-key-log").arg(lane.key_log());
        novice.arg("--receive-dir").arg(&lane.folder).arg("--invitation").arg(&file);
        let mut program = Program::spawn(&mut novice)?;
        let listening = program.wait("listening")?;
        let listening = listening["listening"][0].as_str().and_then(|a| a.parse().ok());
        relay.lead_to(listening.ok_or("no address")?);
        Ok(Self { file, address, relay, program })
    }
}

pub fn tls(lane: &Lane) -> Result {
    helped(lane, "novice-tls", 2, "tls")
}

pub fn rdp(lane: &Lane) -> Result {
    helped(lane, "novice-rdp", 2, "rdp --encryption none")
}

/// RC4 with every length of keys.
pub fn rc4(lane: &Lane) -> Result {
    ["40", "56", "128"].iter().try_for_each(|bits| {
        let security = format!("rdp --encryption {bits}");
        helped(lane, &format!("novice-rc4-{bits}"), 2, &security).map_err(|e| format!("{bits} bits: {e}"))
    })
}

pub fn type_1(lane: &Lane) -> Result {
    helped(lane, "novice-1-tls", 1, "tls")?;
    helped(lane, "novice-1-rdp", 1, "rdp --encryption none").map_err(|e| format!("without encryption: {e}"))
}

/// A whole session: the picture, no key before control is granted, keys afterwards, a clean end.
fn helped(lane: &Lane, name: &str, kind: u8, security: &str) -> Result {
    let mut novice = Novice::start(lane, name, kind, &format!("--allow view,control --security {security}"))?;
    // It takes the address of a type 1 file from its command line.
    let address = (kind == 1).then_some(novice.address);
    let mut expert = Killed::silent(&mut lane.xfreerdp(&novice.file, PASSWORD, address))?;
    let established = novice.program.wait("established")?;
    if established["version"] != 2 {
        return Err(format!("not version 2: {established}"));
    }
    wait_on(&lane.xvfb, &Picture::test())?;
    lane.xvfb.in_freerdp(&["key", "a"])?;
    // It asks for control through encomsp.
    lane.xvfb.in_freerdp(&["key", "ctrl+alt+c"])?;
    novice.program.wait("control_requested")?;
    if novice.program.seen.iter().any(|name| name == "input") {
        return Err("input was delivered before control was granted".into());
    }
    // The grant is on its way: it can only be seen by what follows from it. Keys that were held are released first.
    let begun = Instant::now();
    loop {
        lane.xvfb.in_freerdp(&["key", "b"])?;
        match novice.program.next(Duration::from_millis(500)) {
            Some(event) if event["text"].as_str().unwrap_or_default().starts_with("Key { scan_code: 48") => {
                break;
            }
            _ if begun.elapsed() > DEADLINE => return Err("no key after control was granted".into()),
            _ => {}
        }
    }
    let in_clear = security == "rdp --encryption none";
    // Each side ends it somewhere.
    if in_clear {
        lane.xvfb.close_freerdp()?;
    } else {
        novice.program.say("/quit")?;
    }
    novice.program.wait("closed")?;
    novice.program.ends_well()?;
    until("the end of xfreerdp", || expert.0.try_wait().map_err(|e| e.to_string()))?;
    match security {
        "tls" => judge(lane, &novice.relay, Protection::Tls),
        _ if in_clear => judge(lane, &novice.relay, Protection::None),
        // Nobody can read it.
        _ => Ok(()),
    }
}

/// The ticket opens, the expert connects, but what it proves is wrong.
pub fn wrong_pass_stub(lane: &Lane) -> Result {
    let mut novice = Novice::start(lane, "novice-stub", 2, "--allow view")?;
    let file = fs::read_to_string(&novice.file).map_err(|e| e.to_string())?;
    let at = file.find("PassStub=\"").ok_or("no PassStub")? + "PassStub=\"".len();
    let other = if file[at..].starts_with('A') { "B" } else { "A" };
    let changed = format!("{}{other}{}", &file[..at], &file[at + 1..]);
    fs::write(&novice.file, changed).map_err(|e| e.to_string())?;
    let _expert = Killed::silent(&mut lane.xfreerdp(&novice.file, PASSWORD, None))?;
    novice.program.wait("closed")?;
    if novice.program.has_seen("verified") || novice.program.has_seen("established") {
        return Err(format!("a wrong expert was let in: {:?}", novice.program.seen));
    }
    Ok(())
}

/// Nobody answers the question with yes.
pub fn refused(lane: &Lane) -> Result {
    let mut novice = Novice::start(lane, "novice-refuses", 2, "--security tls")?;
    let _expert = Killed::silent(&mut lane.xfreerdp(&novice.file, PASSWORD, None))?;
    novice.program.wait("ask_view")?;
    novice.program.say("n")?;
    novice.program.wait("closed")?;
    if novice.program.has_seen("established") {
        return Err("a session in spite of a refusal".into());
    }
    Ok(())
}
