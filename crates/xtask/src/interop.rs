//! Real peers. docs/interop.md tells what each scenario proves.

mod novice;
mod screen;

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use crate::run::{Outcome, Result, apt, command, installed, output, root, sh};

/// How long one event may take; only a failure ever takes so long.
const DEADLINE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "Pass123!";

type Scenario = (&'static str, fn(&Lane) -> Result);

const SCENARIOS: &[Scenario] = &[
    ("a type 2 invitation brings the expert to our address", type_2),
    ("a type 2 invitation with the wrong password does not", type_2_wrong_password),
    ("a type 1 invitation brings the expert to our address", type_1),
    ("xfreerdp is helped into our novice: TLS, type 2", novice::tls),
    ("the same without any encryption", novice::rdp),
    ("the same with RC4 of 40, 56 and 128 bits", novice::rc4),
    ("the same with an invitation of type 1", novice::type_1),
    ("xfreerdp with another PassStub is refused", novice::wrong_pass_stub),
    ("xfreerdp is refused by the user", novice::refused),
];

/// Runs every scenario, a failed one twice.
pub fn interop(program: Option<PathBuf>) -> Result<Outcome> {
    let all = || ["xfreerdp", "Xvfb", "xdotool"].iter().all(|program| installed(program));
    if !all() {
        apt("freerdp2-x11 xvfb xdotool");
        if !all() {
            println!("!!!! SKIPPED: xfreerdp, Xvfb and xdotool are not installed and cannot be !!!!");
            return Ok(Outcome::Skipped("no xfreerdp, Xvfb or xdotool".into()));
        }
    }
    let program = match program {
        Some(path) => path,
        None => {
            sh("cargo build --quiet -p remassist-cli")?;
            let folder =
                std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
            folder.join("debug/remassist")
        }
    };
    let version = output("dpkg-query -W -f ${Version} freerdp2-x11").unwrap_or_else(|| "unknown".into());
    println!("peer: freerdp2-x11 {version}");
    let lane = Lane::new(program)?;
    for (name, scenario) in SCENARIOS {
        let result = scenario(&lane).or_else(|first| {
            println!("{name}: {first}; once more");
            scenario(&lane)
        });
        match result {
            Ok(()) => println!("ok: {name}"),
            Err(e) => return Err(format!("{name}: {e}")),
        }
    }
    Ok(Outcome::Passed(format!("{} scenarios with freerdp2-x11 {version}", SCENARIOS.len())))
}

fn type_2(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let file = lane.invite(2, &[listener.address])?;
    lane.expert(&file, PASSWORD, None, &listener)?.connection_request()
}

fn type_2_wrong_password(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let file = lane.invite(2, &[listener.address])?;
    match lane.expert(&file, "Pass123?", None, &listener)? {
        Event::Ended(_) => Ok(()),
        Event::Connected(_) => Err("the expert connected with a wrong password".into()),
    }
}

/// The client skips the first address of a type 1 file and takes the one of its command line.
fn type_1(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let file = lane.invite(1, &[nowhere, listener.address])?;
    lane.expert(&file, PASSWORD, Some(listener.address), &listener)?.connection_request()
}

/// What happens to an expert that was started.
enum Event {
    /// A connection arrived; its first bytes.
    Connected(Vec<u8>),
    /// The program has ended; its last words.
    Ended(String),
}

impl Event {
    /// TPKT (T.123, 8) around an X.224 connection request (X.224, 13.3).
    fn connection_request(self) -> Result {
        match self {
            Self::Connected(bytes) => match bytes[..] {
                [3, 0, _, _, _, 0xE0] => Ok(()),
                _ => Err(format!("no X.224 connection request: {bytes:02x?}")),
            },
            Self::Ended(words) => Err(format!("the expert gave up without connecting:\n{words}")),
        }
    }
}

/// Our end: tells what arrives.
struct Listener {
    address: SocketAddr,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

impl Listener {
    fn new() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let (sender, events) = mpsc::channel();
        let connected = sender.clone();
        thread::spawn(move || {
            if let Ok((mut stream, _)) = listener.accept() {
                let mut bytes = Vec::new();
                let _some = stream.set_read_timeout(Some(DEADLINE));
                let _any = (&mut stream).take(6).read_to_end(&mut bytes);
                let _nobody_waits = connected.send(Event::Connected(bytes));
            }
        });
        Ok(Self { address, events, sender })
    }
}

/// What the scenarios share: the program that writes, a display, a folder that is removed at the end.
struct Lane {
    program: PathBuf,
    folder: PathBuf,
    display: String,
    _xvfb: Killed,
}

impl Lane {
    fn new(program: PathBuf) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("remassist-interop-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let mut xvfb = command("Xvfb -displayfd 1 -screen 0 1024x768x24 -nolisten tcp -fbdir");
        xvfb.arg(&folder);
        let mut xvfb = Killed::spawn(xvfb.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let out = xvfb.0.stdout.take().expect("piped");
        let (sender, number) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _read = BufReader::new(out).read_line(&mut line);
            let _nobody_waits = sender.send(line.trim().to_owned());
        });
        let number = number.recv_timeout(DEADLINE).ok().filter(|n| !n.is_empty());
        let display = format!(":{}", number.ok_or("Xvfb does not start")?);
        Ok(Self { program, folder, display, _xvfb: xvfb })
    }

    /// An invitation by our program.
    fn invite(&self, kind: u8, addresses: &[SocketAddr]) -> Result<PathBuf> {
        let file = self.folder.join(format!("type{kind}.msrcIncident"));
        let mut invite = Command::new(&self.program);
        invite.args(["invite", "--name", "novice", "--minutes", "10", "--password", PASSWORD, "--type"]);
        invite.arg(kind.to_string()).arg("--out").arg(&file);
        for address in addresses {
            invite.args(["--address", &address.to_string()]);
        }
        let status = invite.status().map_err(|e| format!("{}: {e}", self.program.display()))?;
        if status.success() { Ok(file) } else { Err(format!("remassist invite ended with {status}")) }
    }

    /// xfreerdp with an invitation.
    fn xfreerdp(&self, file: &Path, password: &str, address: Option<SocketAddr>) -> Command {
        let mut expert = Command::new("xfreerdp");
        expert.arg(file).arg(format!("/assistance:{password}")).arg("/cert:ignore");
        expert.args(address.map(|a| format!("/v:{a}")));
        expert.env("DISPLAY", &self.display).env("HOME", &self.folder).stdin(Stdio::null());
        expert
    }

    /// Starts xfreerdp with an invitation and waits for what comes first; the program is ended in any case.
    fn expert(
        &self,
        file: &Path,
        password: &str,
        address: Option<SocketAddr>,
        listener: &Listener,
    ) -> Result<Event> {
        let mut expert = self.xfreerdp(file, password, address);
        let mut expert = Killed::spawn(expert.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let mut errors = expert.0.stderr.take().expect("piped");
        let ended = listener.sender.clone();
        thread::spawn(move || {
            let mut words = Vec::new();
            let _until_it_ends = errors.read_to_end(&mut words);
            let _nobody_waits = ended.send(Event::Ended(String::from_utf8_lossy(&words).into_owned()));
        });
        let event = listener.events.recv_timeout(DEADLINE);
        event.map_err(|_| format!("nothing happened in {} s", DEADLINE.as_secs()))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// A child that does not outlive its value.
struct Killed(Child);

impl Killed {
    fn spawn(command: &mut Command) -> Result<Self> {
        command.spawn().map(Self).map_err(|e| format!("{}: {e}", command.get_program().display()))
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
