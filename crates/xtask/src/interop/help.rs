//! Tickets that are used: `remassist novice --dcom`, and who asks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::dcom::{Peers, holds};
use super::impacket::lines;
use super::offers::{HELPER, ask};
use super::program::Program;
use super::{Lane, Listener, PASSWORD};
use crate::run::Result;

const HELPER_ACCOUNT: &str = "DOM\\alice";

/// A novice of one session, `DOM\carol` in number 3, and one helper.
struct Novice {
    remassist: PathBuf,
    program: Program,
    port: u16,
    /// File with the helper's password.
    password: PathBuf,
}

impl Novice {
    fn start(remassist: &Path, folder: &Path, more: &[&str]) -> Result<Self> {
        let said = |e: std::io::Error| e.to_string();
        let (password, helpers) = (folder.join("password"), folder.join("helpers"));
        fs::write(&password, PASSWORD).map_err(said)?;
        let mut account = Command::new(remassist);
        account.args(["crypt", "account", "--user", HELPER_ACCOUNT, "--password-file"]).arg(&password);
        fs::write(&helpers, text(&mut account)?).map_err(said)?;
        // The program refuses a file that others can read.
        text(Command::new("chmod").arg("600").arg(&helpers))?;
        let mut novice = Command::new(remassist);
        novice.args(["novice", "--dcom", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--helpers"]).arg(helpers);
        novice.args(["--session-of", "DOM\\carol", "--session-id", "3", "--allow", "view"]);
        novice.arg("--exit-after-session").arg("--receive-dir").arg(folder).args(more);
        let mut program = Program::spawn(&mut novice)?;
        let welcome = program.wait("helpers_welcome")?;
        let port = welcome["resolver"][0].as_str().and_then(|address| address.rsplit_once(':'));
        let port = port.and_then(|(_, port)| port.parse().ok()).ok_or("no resolver")?;
        Ok(Self { remassist: remassist.to_owned(), program, port, password })
    }

    /// `remassist` as helper: an account, a password, a port.
    fn helper(&self, words: &[&str]) -> Command {
        let mut helper = Command::new(&self.remassist);
        helper.args(words).args(["--user", HELPER_ACCOUNT, "--dcom-port", &self.port.to_string()]);
        helper.arg("--password-file").arg(&self.password);
        helper
    }

    /// An expert has come with a ticket: both verify each other, there is a session, and it ends.
    fn gets_help(mut self, expert: &mut Program, version: u32) -> Result {
        for program in [&mut self.program, expert] {
            program.wait("verified")?;
            let established = program.wait("established")?;
            if established["version"] != version {
                return Err(format!("not version {version}: {established}"));
            }
        }
        expert.wait("screen")?;
        expert.say("/quit")?;
        expert.wait("closed")?;
        expert.ends_well()?;
        self.program.wait("closed")?;
        self.program.ends_well()
    }
}

/// What a program prints, when it ends well.
fn text(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} ended with {}: {said}", command.get_program().display(), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn differs(what: &str, told: impl std::fmt::Debug) -> Result {
    Err(format!("{what}: {told:?}"))
}

pub fn with_impacket(peers: &Peers) -> Result {
    for level in ["integrity", "privacy"] {
        let mut novice = Novice::start(&peers.programs.remassist, &peers.folder, &[])?;
        let options = [&HELPER[..], &["--domain", "DOM", "--level", level]].concat();
        let steps = [
            ("activate,session=3", json!({})),
            ("get-session-info", json!({ "names": ["DOM\\carol:3"], "count": 1 })),
            ("get-novice-user-info", json!({})),
        ];
        let told = ask(peers, novice.port, &options, &steps)?;
        let ticket = told.last().and_then(|told| told["text"].as_str()).unwrap_or_default();
        if !ticket.starts_with("<E><A KH=\"") {
            return differs("no connection string", told);
        }
        novice.program.wait("ticket_given")?;
        // As Windows Desktop Sharing writes files.
        let file = peers.folder.join("ticket.msrcIncident");
        fs::write(&file, ticket).map_err(|e| e.to_string())?;
        let mut expert = Command::new(&peers.programs.remassist);
        expert.arg("expert").arg(file).arg("--receive-dir").arg(&peers.folder);
        novice.gets_help(&mut Program::spawn(&mut expert)?, 2)?;
    }
    // The way of Windows XP.
    let novice = Novice::start(&peers.programs.remassist, &peers.folder, &[])?;
    let options = [&HELPER[..], &["--domain", "DOM"]].concat();
    let old = "remote-connection-parms,user=carol,domain=DOM,session=3";
    let steps = [
        ("activate,class=pchservice", json!({})),
        (
            "sessions",
            json!({ "sessions": [{ "id": 3, "domain": "DOM", "user": "carol", "state": "Active" }] }),
        ),
        (old, json!({})),
    ];
    let told = ask(peers, novice.port, &options, &steps)?;
    let ticket = told.last().and_then(|told| told["text"].as_str()).unwrap_or_default();
    if !ticket.starts_with("65538,1,127.0.0.1:") { differs("no connection string 1", told) } else { Ok(()) }
}

pub fn ours(peers: &Peers) -> Result {
    for interface in ["rasrv", "pchservice"] {
        let mut novice = Novice::start(&peers.programs.remassist, &peers.folder, &[])?;
        let asked = ["sessions", "127.0.0.1", "--interface", interface];
        let table = text(&mut novice.helper(&asked))?;
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let state = if interface == "rasrv" { "-" } else { "Active" };
        if rows != [["SESSION", "STATE", "USER"], ["3", state, "DOM\\carol"]] {
            return differs("another table", table);
        }
        let sessions = lines(novice.helper(&asked).arg("--json"))?;
        let session = json!({ "session": 3, "domain": "DOM", "user": "carol" });
        if sessions.len() != 1 || !sessions.iter().all(|told| holds(told, &session)) {
            return differs("other sessions", sessions);
        }
        let asked = ["ticket", "127.0.0.1", "--interface", interface, "--session", "3"];
        let ticket = text(&mut novice.helper(&asked))?;
        let begins = if interface == "rasrv" { "<E><A KH=\"" } else { "65538,1,127.0.0.1:" };
        if !ticket.starts_with(begins) || ticket.lines().count() != 1 {
            return differs("no ticket", ticket);
        }
        novice.program.wait("ticket_given")?;
        let asked = ["ticket", "127.0.0.1", "--interface", interface, "--session", "4"];
        if text(&mut novice.helper(&asked)).is_ok() {
            return differs("a ticket for a session that is not there", interface);
        }
        let asked = ["expert", "--offer", "127.0.0.1", "--interface", interface, "--user-name", "DOM\\carol"];
        let mut expert = novice.helper(&asked);
        let mut expert = Program::spawn(expert.arg("--receive-dir").arg(&peers.folder))?;
        let ticket: Value = expert.wait("ticket")?;
        if ticket["session_of"] != "DOM\\carol" {
            return differs("a ticket for another session", ticket);
        }
        // A connection string 1 is one of Windows XP, which speaks version 1.
        novice.gets_help(&mut expert, if interface == "rasrv" { 2 } else { 1 })?;
    }
    Ok(())
}

/// xfreerdp finds the address in the ticket, and goes there. Further it does not come: its proof needs a password and a PassStub.
pub fn with_freerdp(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let novice = Novice::start(&lane.program, &lane.folder, &["--address", &listener.address.to_string()])?;
    let file = lane.folder.join("ticket.msrcIncident");
    text(novice.helper(&["ticket", "127.0.0.1"]).arg("--invitation").arg(&file))?;
    lane.expert(&file, PASSWORD, None, &listener)?.connection_request()
}
