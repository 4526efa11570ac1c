//! freerdp-shadow-cli as novice, `remassist expert` as expert.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::paint::Canvas;
use super::program::{Killed, Program};
use super::relay::Relay;
use super::screen::{Picture, wait_for};
use super::tshark::{Protection, judge};
use super::x11::until_messages;
use super::xvfb::Xvfb;
use super::{Lane, PASSWORD, until};
use crate::run::Result;

/// A shadow server that listens.
struct Shadow {
    address: SocketAddr,
    /// Where its keys are.
    home: PathBuf,
    server: Killed,
}

impl Shadow {
    fn start(lane: &Lane, xvfb: &Xvfb, security: &str) -> Result<Self> {
        let home = lane.folder.join("shadow");
        fs::create_dir_all(&home).map_err(|e| e.to_string())?;
        // It knows no port 0.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(|e| e.to_string())?;
        let mut shadow = Command::new("freerdp-shadow-cli");
        shadow.arg("/bind-address:127.0.0.1").arg(format!("/port:{}", address.port())).arg("-auth");
        shadow.args(Some(security).filter(|s| !s.is_empty()));
        shadow.env("DISPLAY", &xvfb.display).env("HOME", &home).env_remove("XDG_CONFIG_HOME");
        let mut server = Killed::silent(&mut shadow)?;
        until("freerdp-shadow-cli to listen", || {
            if server.runs() { Ok(listens(address)?.then_some(())) } else { Err("it has ended".into()) }
        })?;
        Ok(Self { address, home, server })
    }

    /// `PublicKeyBlob` of its key ([MS-RDPBCGR] 2.2.1.4.3.1.1.1), from the file of its private key.
    fn public_key(&self) -> Result<Vec<u8>> {
        let pem = fs::read_to_string(self.home.join(".config/freerdp/shadow/shadow.key"));
        let pem = pem.map_err(|e| format!("the key of the shadow server: {e}"))?;
        // A NUL stands at the end of the file.
        let base64: String =
            pem.trim_end_matches('\0').lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64_STANDARD.decode(base64).map_err(|e| e.to_string())?;
        public_key_blob(&der).ok_or_else(|| "the key of the shadow server is of another kind".into())
    }
}

/// Whether somebody listens there. To ask by connecting would be a client for the server.
fn listens(address: SocketAddr) -> Result<bool> {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").map_err(|e| e.to_string())?;
    let port = format!(":{:04X}", address.port());
    Ok(table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|own| own.ends_with(&port)) && fields.nth(1) == Some(LISTEN)
    }))
}

/// The public part of a PKCS#8 private key for RSA (RFC 5208, RFC 8017 A.1.2).
fn public_key_blob(der: &[u8]) -> Option<Vec<u8>> {
    let mut pkcs8 = children(element(&mut &*der)?);
    let rsa = children(element(&mut pkcs8.nth(2)?)?);
    let mut numbers = rsa.skip(1);
    let (modulus, exponent) = (numbers.next()?, numbers.next()?);
    // A zero byte stands before a number whose first bit is set.
    let modulus: Vec<u8> = modulus.iter().copied().skip_while(|byte| *byte == 0).collect();
    let exponent = exponent.iter().fold(0, |all: u32, byte| all << 8 | u32::from(*byte));
    let length = u32::try_from(modulus.len()).ok()?;
    let mut blob = b"RSA1".to_vec();
    blob.extend([length + 8, length * 8, length - 1, exponent].iter().flat_map(|n| n.to_le_bytes()));
    blob.extend(modulus.iter().rev());
    blob.extend([0; 8]);
    Some(blob)
}

/// The contents of a DER element.
fn element<'d>(der: &mut &'d [u8]) -> Option<&'d [u8]> {
    let (first, mut rest) = der.get(1..)?.split_first()?;
    let mut length = usize::from(*first);
    if length > 0x80 {
        let digits = rest.split_off(..length - 0x80)?;
        length = digits.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
    }
    let contents = rest.split_off(..length)?;
    *der = rest;
    Some(contents)
}

fn children(mut contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || element(&mut contents))
}

/// How our expert connects, and what comes of it.
struct Way<'w> {
    /// Of the shadow server.
    server: &'w str,
    expert: &'w str,
    connected: serde_json::Value,
    /// How tshark can read it, if it can.
    readable: Option<Protection>,
    /// Of the picture.
    number: usize,
}

pub fn tls(lane: &Lane) -> Result {
    let connected = json!({ "protection": "tls", "key": "unavailable" });
    let way =
        Way { server: "", expert: "--security tls", connected, readable: Some(Protection::Tls), number: 1 };
    seen(lane, "shadow-tls", &way)
}

/// From 127.0.0.1 the shadow server selects no encryption.
pub fn rdp(lane: &Lane) -> Result {
    for (number, security) in [(2, "any"), (3, "rdp")] {
        let connected = json!({ "protection": "none", "key": "unavailable" });
        let expert = &format!("--security {security} --encryption none");
        let way = Way { server: "/sec:rdp", expert, connected, readable: Some(Protection::None), number };
        seen(lane, &format!("shadow-{security}"), &way).map_err(|e| format!("--security {security}: {e}"))?;
    }
    Ok(())
}

/// From elsewhere it does; then it shows its key, which has to be that of the invitation.
pub fn rc4(lane: &Lane) -> Result {
    for (number, bits) in [(4, "40"), (5, "56"), (6, "128")] {
        let connected = json!({ "protection": "rc4", "bits": 128, "both_ways": true, "key": "match" });
        let expert = &format!("--security any --source 127.0.0.2 --key-policy require --encryption {bits}");
        let way = Way { server: "/sec:rdp", expert, connected, readable: None, number };
        seen(lane, &format!("shadow-rc4-{bits}"), &way).map_err(|e| format!("{bits} bits: {e}"))?;
    }
    Ok(())
}

/// Where an invitation has to lead, and the `PublicKeyBlob` of its key.
fn invite(lane: &Lane, address: SocketAddr, key: &[u8]) -> Result<PathBuf> {
    let path = lane.folder.join("shadow.key.blob");
    fs::write(&path, key).map_err(|e| e.to_string())?;
    lane.invite(2, &[address], Some(&path))
}

/// Our expert.
pub fn expert(lane: &Lane, file: &Path, arguments: &str) -> Result<Program> {
    let mut expert = Command::new(&lane.program);
    expert.arg("expert").arg(file).args(["--password", PASSWORD]).args(arguments.split(' '));
    expert.arg("--tls-key-log").arg(lane.key_log()).arg("--receive-dir").arg(&lane.folder);
    Program::spawn(&mut expert)
}

/// A whole session: what protects it, the picture, another picture while it runs, a clean end.
fn seen(lane: &Lane, name: &str, way: &Way<'_>) -> Result {
    let xvfb = Xvfb::start(&lane.folder.join("shadowed"), "800x600")?;
    let canvas = Canvas::open(&xvfb)?;
    let painted = canvas.paint(way.number)?;
    let mut shadow = Shadow::start(lane, &xvfb, way.server)?;
    let relay = Relay::start(lane.folder.join(format!("{name}.pcap")))?;
    relay.lead_to(shadow.address);
    let file = invite(lane, relay.address, &shadow.public_key()?)?;
    let mut expert = expert(lane, &file, way.expert)?;
    let connected = expert.wait("connected")?;
    let told = way.connected.as_object().into_iter().flatten();
    if told.into_iter().any(|(name, value)| connected[name] != *value) {
        return Err(format!("it is not {}: {connected}", way.connected));
    }
    let established = expert.wait("established")?;
    if established["version"] != 2 {
        return Err(format!("not version 2: {established}"));
    }
    sees(lane, &mut expert, &painted)?;
    let painted = canvas.paint(way.number + 100)?;
    sees(lane, &mut expert, &painted)?;
    expert.say("/quit")?;
    expert.wait("closed")?;
    expert.ends_well()?;
    if !shadow.server.runs() {
        return Err("the shadow server has ended".into());
    }
    way.readable.map_or(Ok(()), |protection| judge(lane, &relay, protection))
}

/// So many messages of the server that its keys of RC4 are changed: the display is still seen.
pub fn keys_change(lane: &Lane) -> Result {
    let xvfb = Xvfb::start(&lane.folder.join("shadowed"), "800x600")?;
    let canvas = Canvas::open(&xvfb)?;
    let shadow = Shadow::start(lane, &xvfb, "/sec:rdp")?;
    let relay = Relay::start(lane.folder.join("shadow-keys.pcap"))?;
    relay.lead_to(shadow.address);
    let file = invite(lane, relay.address, &shadow.public_key()?)?;
    let mut expert = expert(lane, &file, "--security rdp --source 127.0.0.2")?;
    expert.wait("established")?;
    until_messages(&relay, 1, |number| canvas.noise(number).map(|_| ()))?;
    sees(lane, &mut expert, &canvas.paint(7)?)?;
    expert.say("/quit")?;
    expert.wait("closed")?;
    expert.ends_well()
}

/// Waits until our expert sees a picture.
pub fn sees(lane: &Lane, expert: &mut Program, picture: &Picture) -> Result {
    let path = lane.folder.join("seen.png");
    wait_for(picture, || {
        expert.say(&format!("/screenshot {}", path.display()))?;
        expert.wait("screenshot")?;
        Picture::from_png(&path)
    })
}

/// The key that the server shows is not that of the invitation: our expert says nothing about itself.
pub fn another_key(lane: &Lane) -> Result {
    let xvfb = Xvfb::start(&lane.folder.join("shadowed"), "800x600")?;
    let _kept = Canvas::open(&xvfb)?;
    let shadow = Shadow::start(lane, &xvfb, "/sec:rdp")?;
    let mut key = shadow.public_key()?;
    let last = key.len() - 9;
    key[last] ^= 1;
    let file = invite(lane, shadow.address, &key)?;
    let mut expert = expert(lane, &file, "--security any --source 127.0.0.2")?;
    let status = expert.status()?;
    if status.success() || expert.has_seen("connected") {
        return Err(format!("connected in spite of another key: {:?}", expert.seen));
    }
    Ok(())
}
