//! xfreerdp as expert, `remassist novice` as novice.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DEADLINE, Killed, Lane, PASSWORD, screen};
use crate::run::Result;

/// A novice that runs, and what it reports.
struct Novice {
    file: PathBuf,
    address: SocketAddr,
    events: Receiver<Value>,
    /// Names of all events so far.
    seen: Vec<String>,
    program: Killed,
}

impl Novice {
    fn start(lane: &Lane, kind: u8, security: &str, allow: &str) -> Result<Self> {
        let file = lane.folder.join(format!("novice-{kind}.msrcIncident"));
        let mut novice = Command::new(&lane.program);
        novice.args(["novice", "--listen", "127.0.0.1:0", "--password", PASSWORD, "--events", "json"]);
        novice.args(["--exit-after-session", "--type", &kind.to_string(), "--security"]);
        novice.args(security.split(' '));
        if !allow.is_empty() {
            novice.args(["--allow", allow]);
        }
        novice.arg("--receive-dir").arg(&lane.folder).arg("--invitation").arg(&file);
        let mut program =
            Killed::spawn(novice.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let out = program.0.stdout.take().expect("piped");
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(|line| line.ok()) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut this =
            Self { file, address: SocketAddr::from(([0; 4], 0)), events, seen: Vec::new(), program };
        let listening = this.wait("listening")?;
        let address = listening["addresses"][0].as_str().and_then(|a| a.parse().ok());
        this.address = address.ok_or("no address")?;
        Ok(this)
    }

    /// Waits for an event, and keeps the names of those before it.
    fn wait(&mut self, name: &str) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(begun.elapsed());
            let event = self.events.recv_timeout(left);
            let event = event.map_err(|_| format!("no event {name}; there were {:?}", self.seen))?;
            let this = event["event"].as_str().unwrap_or_default().to_owned();
            self.seen.push(this.clone());
            if this == name {
                return Ok(event);
            }
        }
    }

    fn ends_well(&mut self) -> Result {
        let status = self.program.0.wait().map_err(|e| e.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("remassist novice ended with {status}")) }
    }
}

pub fn tls(lane: &Lane) -> Result {
    helped(lane, 2, "tls")
}

pub fn rdp(lane: &Lane) -> Result {
    helped(lane, 2, "rdp --encryption none")
}

/// RC4 with every length of keys.
pub fn rc4(lane: &Lane) -> Result {
    ["40", "56", "128"].iter().try_for_each(|bits| {
        let security = format!("rdp --encryption {bits}");
        helped(lane, 2, &security).map_err(|e| format!("{bits} bits: {e}"))
    })
}

pub fn type_1(lane: &Lane) -> Result {
    helped(lane, 1, "tls")
}

/// A whole session: the picture, no key before control is granted, keys afterwards, a clean end.
fn helped(lane: &Lane, kind: u8, security: &str) -> Result {
    let mut novice = Novice::start(lane, kind, security, "view,control")?;
    // It takes the address of a type 1 file from its command line.
    let address = (kind == 1).then_some(novice.address);
    let mut expert = lane.xfreerdp(&novice.file, PASSWORD, address);
    let mut expert = Killed::spawn(expert.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let established = novice.wait("established")?;
    if established["version"] != 2 {
        return Err(format!("not version 2: {established}"));
    }
    screen::wait_for_picture(lane)?;
    screen::key(lane, "a")?;
    // It asks for control through encomsp.
    screen::key(lane, "ctrl+alt+c")?;
    novice.wait("control_requested")?;
    if novice.seen.iter().any(|name| name == "input") {
        return Err("input was delivered before control was granted".into());
    }
    // The grant is on its way: it can only be seen by what follows from it. Keys that were held are released first.
    let begun = Instant::now();
    loop {
        screen::key(lane, "b")?;
        match novice.events.recv_timeout(Duration::from_millis(500)) {
            Ok(event) if event["text"].as_str().unwrap_or_default().starts_with("Key { scan_code: 48") => {
                break;
            }
            _ if begun.elapsed() > DEADLINE => return Err("no key after control was granted".into()),
            _ => {}
        }
    }
    expert.0.kill().map_err(|e| e.to_string())?;
    novice.wait("closed")?;
    novice.ends_well()
}

/// The ticket opens, the expert connects, but what it proves is wrong.
pub fn wrong_pass_stub(lane: &Lane) -> Result {
    let mut novice = Novice::start(lane, 2, "tls", "view")?;
    let file = fs::read_to_string(&novice.file).map_err(|e| e.to_string())?;
    let at = file.find("PassStub=\"").ok_or("no PassStub")? + "PassStub=\"".len();
    let other = if file[at..].starts_with('A') { "B" } else { "A" };
    let changed = format!("{}{other}{}", &file[..at], &file[at + 1..]);
    fs::write(&novice.file, changed).map_err(|e| e.to_string())?;
    let mut expert = lane.xfreerdp(&novice.file, PASSWORD, None);
    let _expert = Killed::spawn(expert.stdout(Stdio::null()).stderr(Stdio::null()))?;
    novice.wait("closed")?;
    if novice.seen.iter().any(|name| name == "verified" || name == "established") {
        return Err(format!("a wrong expert was let in: {:?}", novice.seen));
    }
    Ok(())
}

/// Nobody answers the question with yes.
pub fn refused(lane: &Lane) -> Result {
    use std::io::Write as _;
    let mut novice = Novice::start(lane, 2, "tls", "")?;
    let mut expert = lane.xfreerdp(&novice.file, PASSWORD, None);
    let _expert = Killed::spawn(expert.stdout(Stdio::null()).stderr(Stdio::null()))?;
    novice.wait("ask_view")?;
    let answer = novice.program.0.stdin.as_mut().ok_or("no input")?;
    answer.write_all(b"n\n").map_err(|e| e.to_string())?;
    novice.wait("closed")?;
    if novice.seen.iter().any(|name| name == "established") {
        return Err("a session in spite of a refusal".into());
    }
    Ok(())
}
