//! What tshark, an independent reader of RDP and DCE/RPC, thinks of a capture.

use std::path::Path;
use std::process::Command;

use super::Lane;
use super::relay::Relay;
use crate::run::{Result, installed};

/// What a capture is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    None,
    /// With the key log of the lane.
    Tls,
}

/// Messages of each of [`LAYERS`] that a whole session has at least.
const MESSAGES: usize = 10;
const LAYERS: [&str; 3] = ["cotp", "t125", "rdp"];

const FIELDS: [&str; 11] = [
    "frame.number",
    "frame.protocols",
    "tcp.len",
    "_ws.malformed",
    "rdp.performanceFlags",
    "rdp.autoReconnectCookie.length",
    "rdp_drdynvc.cmd",
    "rdp_drdynvc.capabilities.version",
    "rdp_drdynvc.capabilities.prioritycharge0",
    "tls.record.opaque_type",
    "tls.record.content_type",
];

/// Length of a sealed request with 24 bytes of stub data: header, those, trailer, NTLM signature.
const SHORT: u16 = 24 + 24 + 8 + 16;

pub fn is_there() -> bool {
    installed("tshark")
}

/// Waits until all connections of a relay are over; no packet of them may be malformed, and RDP must have been found in
/// them.
pub fn judge(lane: &Lane, relay: &Relay, protection: Protection) -> Result {
    let capture = relay.ended()?;
    if !lane.tshark {
        return Ok(());
    }
    let port = relay.address.port();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture).env("HOME", &lane.folder);
    match protection {
        Protection::None => tshark.arg("-d").arg(format!("tcp.port=={port},tpkt")),
        Protection::Tls => {
            tshark.arg("-o").arg(format!("tls.keylog_file:{}", lane.key_log().display()));
            tshark.args(["-d", &format!("tcp.port=={port},tls"), "-d", &format!("tls.port=={port},tpkt")])
        }
    };
    tshark.args(["-T", "fields"]).args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output().map_err(|e| format!("tshark: {e}"))?;
    if !output.status.success() {
        return Err(format!("tshark: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let frames: Vec<Frame<'_>> = text.lines().map(Frame::new).collect();
    for frame in &frames {
        frame.judge()?;
        let known = match protection {
            Protection::None => frame.field(2) == "0" || LAYERS.iter().any(|layer| frame.count(layer) > 0),
            // What a record really holds is known when it can be decrypted.
            Protection::Tls => frame.field(9).is_empty() || !frame.field(10).is_empty(),
        };
        if !known {
            return Err(format!("tshark does not know what frame {} is", frame.field(0)));
        }
    }
    for layer in LAYERS {
        let count: usize = frames.iter().map(|frame| frame.count(layer)).sum();
        if count < MESSAGES {
            return Err(format!("tshark finds {count} messages of {layer} only"));
        }
    }
    Ok(())
}

/// The operations of DCE/RPC in a capture, as tshark tells them; no packet may be malformed. With the password of NTLM it looks
/// into what is sealed, too.
pub fn judge_rpc(capture: &Path, ports: &[u16], password: Option<&str>) -> Result<Vec<String>> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(capture);
    for port in ports {
        tshark.arg("-d").arg(format!("tcp.port=={port},dcerpc"));
    }
    if let Some(password) = password {
        tshark.arg("-o").arg(format!("ntlmssp.nt_password:{password}"));
    }
    let fields = ["frame.number", "_ws.col.Info", "_ws.malformed", "dcerpc.pkt_type", "dcerpc.cn_frag_len"];
    tshark.args(["-Y", "dcerpc", "-T", "fields"]).args(fields.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output().map_err(|e| format!("tshark: {e}"))?;
    if !output.status.success() {
        return Err(format!("tshark: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut operations = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [number, info, malformed, kind, length] = fields[..] else {
            return Err(format!("tshark: {line}"));
        };
        // tshark 4.0 cannot read what it has unsealed when that is shorter than 24 bytes.
        let short = password.is_some() && kind == "0" && length.parse().is_ok_and(|n: u16| n < SHORT);
        if !malformed.is_empty() && !short {
            return Err(format!("frame {number} ({info}): {malformed}"));
        }
        operations.push(info.to_owned());
    }
    Ok(operations)
}

/// [`FIELDS`] of a frame; what stands in it more than once is separated by commas.
struct Frame<'t>(Vec<&'t str>);

impl<'t> Frame<'t> {
    fn new(line: &'t str) -> Self {
        Self(line.split('\t').collect())
    }

    fn field(&self, index: usize) -> &'t str {
        self.0.get(index).copied().unwrap_or_default()
    }

    fn count(&self, protocol: &str) -> usize {
        self.field(1).split(':').filter(|layer| *layer == protocol).count()
    }

    fn judge(&self) -> Result {
        // The second entry for each is that of the expert information.
        let malformed: Vec<_> =
            self.field(3).split(',').filter(|m| !m.is_empty() && *m != "_ws.malformed").collect();
        let unexcused = malformed.iter().filter(|malformed| match **malformed {
            "[Malformed Packet: RDP]" => !self.is_short_client_info(),
            "[Malformed Packet: DRDYNVC]" => !self.is_capabilities_of_version_1(),
            _ => true,
        });
        // An excuse is good for one.
        if unexcused.count() == 0 && malformed.len() < 2 {
            return Ok(());
        }
        Err(format!("frame {} ({}): {malformed:?}", self.field(0), self.field(1)))
    }

    /// tshark 4.0 wants all fields of TS_EXTENDED_INFO_PACKET, of which those from clientTimeZone on are optional
    /// ([MS-RDPBCGR] 2.2.1.11.1.1.1). Excused is what ends with one of the last fields that a packet without a cookie has.
    fn is_short_client_info(&self) -> bool {
        let [flags, cookie] = [self.field(4), self.field(5)];
        !flags.is_empty() && !flags.contains(',') && ["", "0"].contains(&cookie)
    }

    /// tshark 4.0 wants the priority charges of version 2 in DYNVC_CAPS_VERSION1, too ([MS-RDPEDYC] 2.2.1.1.1).
    fn is_capabilities_of_version_1(&self) -> bool {
        [self.field(6), self.field(7), self.field(8)] == ["0x05", "1", ""]
    }
}
