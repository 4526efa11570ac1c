//! Real peers. docs/interop.md tells what each scenario proves.

mod dcom;
mod help;
mod impacket;
mod msmq;
mod novice;
mod offers;
mod paint;
mod program;
mod queue;
mod relay;
mod rpc;
mod samba;
mod screen;
mod shadow;
mod tshark;
mod x11;
mod xvfb;

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use program::Killed;
use xvfb::Xvfb;

use crate::run::{Outcome, Result, apt, installed, output, sh, target};

/// How long one event may take; only a failure ever takes so long.
const DEADLINE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "Pass123!";

/// By its name, with what scenarios share.
type Scenario<T> = (&'static str, fn(&T) -> Result);

/// xfreerdp as expert.
const EXPERTS: &[Scenario<Lane>] = &[
    ("a type 2 invitation brings the expert to our address", type_2),
    ("a type 2 invitation with the wrong password does not", type_2_wrong_password),
    ("a type 1 invitation brings the expert to our address", type_1),
    ("a ticket that was asked for brings the expert to our address", help::with_freerdp),
    ("xfreerdp is helped into our novice: TLS, type 2", novice::tls),
    ("the same without any encryption", novice::rdp),
    ("the same with RC4 of 40, 56 and 128 bits", novice::rc4),
    ("the same with an invitation of type 1", novice::type_1),
    ("xfreerdp with another PassStub is refused", novice::wrong_pass_stub),
    ("xfreerdp is refused by the user", novice::refused),
    ("xfreerdp helps at an X11 display that our novice shares", x11::freerdp),
    ("our expert helps at it", x11::ours),
    ("xfreerdp helps with RC4 for so long that the keys change", x11::keys_change),
];

/// freerdp-shadow-cli as novice.
const NOVICES: &[Scenario<Lane>] = &[
    ("our expert sees what freerdp-shadow-cli shares: TLS", shadow::tls),
    ("our expert sees it without any encryption", shadow::rdp),
    ("our expert sees it with RC4", shadow::rc4),
    ("our expert sees it with RC4 for so long that the keys change", shadow::keys_change),
    (
        "our expert leaves freerdp-shadow-cli with another key than that of the invitation",
        shadow::another_key,
    ),
];

/// How the lane is run.
#[derive(Default)]
pub struct Options {
    /// Another build of `remassist`.
    pub program: Option<PathBuf>,
    /// Only scenarios with this in their name.
    pub only: Option<String>,
    /// Where the files of the lane stay.
    pub keep: Option<PathBuf>,
}

impl Options {
    fn choose<T>(&self, scenarios: &mut Vec<Scenario<T>>) {
        scenarios.retain(|(name, _)| self.only.as_deref().is_none_or(|only| name.contains(only)));
    }

    /// The folder of a part of the lane, and whether it stays.
    fn folder(&self, part: &str) -> Result<(PathBuf, bool)> {
        let other = || std::env::temp_dir().join(format!("remassist-interop-{}-{part}", std::process::id()));
        let folder = self.keep.clone().unwrap_or_else(other);
        Ok((std::path::absolute(folder).map_err(|e| e.to_string())?, self.keep.is_some()))
    }
}

/// Runs the scenarios, a failed one twice. Those of RDP, DCOM, queues and MSMQ do not need each other's peers.
pub fn interop(options: &Options) -> Result<Outcome> {
    let programs = Programs::build(options)?;
    let outcomes =
        [rdp(options, &programs)?, dcom(options, programs)?, queue::queues(options)?, msmq::msmq(options)?];
    let told = outcomes.iter().map(|outcome| match outcome {
        Outcome::Passed(what) => what.clone(),
        Outcome::Skipped(why) => format!("SKIPPED: {why}"),
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let nothing = outcomes.iter().all(|outcome| matches!(outcome, Outcome::Skipped(_)));
    Ok(if nothing { Outcome::Skipped(told) } else { Outcome::Passed(told) })
}

/// What the scenarios run.
pub struct Programs {
    pub remassist: PathBuf,
    /// An example of `ra-dcom`: a novice with made-up sessions.
    pub novice: PathBuf,
    /// An example of `rpc-net`: a client that asks Samba.
    pub samba: PathBuf,
}

impl Programs {
    /// All at once, with the features of the whole workspace: nothing is built twice, and what comes after finds it built.
    fn build(options: &Options) -> Result<Self> {
        sh("cargo build --quiet --workspace --bin remassist --example novice --example samba")?;
        let folder = std::path::absolute(target().join("debug")).map_err(|e| e.to_string())?;
        Ok(Self {
            remassist: options.program.clone().unwrap_or_else(|| folder.join("remassist")),
            novice: folder.join("examples/novice"),
            samba: folder.join("examples/samba"),
        })
    }
}

fn skipped(what: &str) {
    println!("!!!! SKIPPED: {what} not installed and cannot be !!!!");
}

fn rdp(options: &Options, programs: &Programs) -> Result<Outcome> {
    let has_experts = || ["xfreerdp", "Xvfb", "xdotool"].iter().all(|program| installed(program));
    let has_novices = || installed("freerdp-shadow-cli");
    if !has_experts() || !has_novices() || !tshark::is_there() {
        apt("freerdp2-x11 freerdp2-shadow-x11 xvfb xdotool tshark");
    }
    if !has_experts() {
        skipped("xfreerdp, Xvfb and xdotool are");
        return Ok(Outcome::Skipped("no xfreerdp, Xvfb or xdotool".into()));
    }
    let mut scenarios = EXPERTS.to_vec();
    if has_novices() {
        scenarios.extend(NOVICES);
    } else {
        skipped("freerdp-shadow-cli is");
    }
    if !tshark::is_there() {
        skipped("tshark is");
    }
    options.choose(&mut scenarios);
    if scenarios.is_empty() {
        return Ok(Outcome::Passed("no scenario of RDP".into()));
    }
    let version = output("dpkg-query -W -f ${Version} freerdp2-x11").unwrap_or_else(|| "unknown".into());
    println!("peer: freerdp2-x11 {version}");
    let (folder, keep) = options.folder("rdp")?;
    run_all(&scenarios, &Lane::new(programs.remassist.clone(), folder, keep)?)?;
    Ok(Outcome::Passed(format!("{} scenarios with freerdp2-x11 {version}", scenarios.len())))
}

fn dcom(options: &Options, programs: Programs) -> Result<Outcome> {
    let (folder, keep) = options.folder("dcom")?;
    let Some(peers) = dcom::Peers::find(&folder, programs)? else {
        skipped("impacket is");
        return Ok(Outcome::Skipped("no impacket".into()));
    };
    let (mut scenarios, missing) = peers.scenarios();
    missing.iter().for_each(|what| skipped(&format!("{what} is")));
    let samba = output("dpkg-query -W -f ${Version} samba").unwrap_or_else(|| "none".into());
    let versions = format!("impacket {} and samba {samba}", peers.impacket.version);
    println!("peers: {versions}");
    options.choose(&mut scenarios);
    let result = run_all(&scenarios, &peers);
    // The servers end before their folder does.
    drop(peers);
    if !keep {
        let _gone = fs::remove_dir_all(&folder);
    }
    result?;
    Ok(Outcome::Passed(format!("{} scenarios with {versions}", scenarios.len())))
}

fn run_all<T>(scenarios: &[Scenario<T>], shared: &T) -> Result {
    for (name, scenario) in scenarios {
        let begun = Instant::now();
        let result = scenario(shared).or_else(|first| {
            println!("{name}: {first}; once more");
            scenario(shared)
        });
        match result {
            Ok(()) => println!("ok: {name} ({:.1} s)", begun.elapsed().as_secs_f64()),
            Err(e) => return Err(format!("{name}: {e}")),
        }
    }
    Ok(())
}

fn type_2(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let file = lane.invite(2, &[listener.address], None)?;
    lane.expert(&file, PASSWORD, None, &listener)?.connection_request()
}

fn type_2_wrong_password(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let file = lane.invite(2, &[listener.address], None)?;
    match lane.expert(&file, "Pass123?", None, &listener)? {
        Event::Ended(_) => Ok(()),
        Event::Connected(_) => Err("the expert connected with a wrong password".into()),
    }
}

/// The client skips the first address of a type 1 file and takes the one of its command line.
fn type_1(lane: &Lane) -> Result {
    let listener = Listener::new()?;
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let file = lane.invite(1, &[nowhere, listener.address], None)?;
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

/// What the scenarios share: the program that writes, a display for xfreerdp, a folder that is removed at the end.
struct Lane {
    program: PathBuf,
    folder: PathBuf,
    keep: bool,
    tshark: bool,
    xvfb: Xvfb,
}

impl Lane {
    fn new(program: PathBuf, folder: PathBuf, keep: bool) -> Result<Self> {
        let xvfb = Xvfb::start(&folder.join("expert"), "1024x768")?;
        Ok(Self { program, folder, keep, tshark: tshark::is_there(), xvfb })
    }

    /// Where our programs leave the secrets of TLS.
    fn key_log(&self) -> PathBuf {
        self.folder.join("keys.log")
    }

    /// An invitation by our program.
    fn invite(&self, kind: u8, addresses: &[SocketAddr], public_key: Option<&Path>) -> Result<PathBuf> {
        let file = self.folder.join(format!("type{kind}.msrcIncident"));
        let mut invite = Command::new(&self.program);
        invite.args(["invite", "--name", "novice", "--minutes", "10", "--password", PASSWORD, "--type"]);
        invite.arg(kind.to_string()).arg("--out").arg(&file);
        if let Some(path) = public_key {
            invite.arg("--public-key").arg(path);
        }
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
        expert.env("DISPLAY", &self.xvfb.display).env("HOME", &self.folder).stdin(Stdio::null());
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
        if !self.keep {
            let _gone = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Looks again and again until there is something, or a deadline is over.
fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if begun.elapsed() > DEADLINE {
            return Err(format!("{what} did not come in {} s", DEADLINE.as_secs()));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
