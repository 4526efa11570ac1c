//! What a connection with Standard RDP Security is made of: frames of [MS-RDPBCGR] 4.1, keys, and two layers whose handshake
//! is done.

use std::sync::OnceLock;

use rdp_standard_security::{Client, ClientOptions, Frames, Protection, Server, ServerKey, ServerOptions};
use remassist_core::from_hex;

use crate::vectors;

const ANNOTATED: &str = include_str!("../../../tests/vectors/rdp-standard-security/annotated.txt");

/// I/O channel of all frames here.
pub const IO: u16 = 1003;
/// A static channel.
pub const STATIC: u16 = 1004;
/// The message channel.
pub const MESSAGE: u16 = 1007;

/// A frame (`wire`) or the decrypted data in it (`clear`) of a section of [MS-RDPBCGR] 4.
pub fn annotated(section: &str, kind: &str) -> Vec<u8> {
    let start = format!("{section} {kind} ");
    let line = ANNOTATED.lines().find_map(|line| line.strip_prefix(&start));
    from_hex(line.unwrap_or_else(|| panic!("no {kind} in {section}"))).unwrap()
}

/// The recomputed known answers.
pub fn known_answers() -> serde_json::Value {
    vectors::json("rdp-standard-security/vectors.json")
}

/// The key of [MS-RDPBCGR] 4.8 (0, 512 bits), or one of 2,048 bits (1).
pub fn server_key(index: usize) -> ServerKey {
    static KEYS: OnceLock<[ServerKey; 2]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let answers = known_answers();
        [0, 1].map(|index| {
            let key = &answers["keys"][index];
            ServerKey::new(&vectors::hex(&key["n"]), 65537, &vectors::hex(&key["d"])).unwrap()
        })
    });
    keys[index].clone()
}

/// An MCS Send Data Request (of a client) or Indication (of a server).
pub fn send(request: bool, channel: u16, data: &[u8]) -> Vec<u8> {
    let [high, low] = channel.to_be_bytes();
    let [len_high, len_low] = u16::try_from(data.len()).unwrap().to_be_bytes();
    let kind = if request { 0x64 } else { 0x68 };
    let len: &[u8] = if data.len() < 0x80 { &[len_low] } else { &[len_high | 0x80, len_low] };
    x224(&[&[kind, 0, 6, high, low, 0x70], len, data].concat())
}

/// TPKT and X.224 around an MCS PDU.
pub fn x224(pdu: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(pdu.len() + 7).unwrap().to_be_bytes();
    [&[3, 0, high, low, 2, 0xF0, 0x80], pdu].concat()
}

/// A fast-path PDU in clear.
pub fn fast_path(header: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 3).unwrap() | 0x8000;
    [&[header], len.to_be_bytes().as_slice(), body].concat()
}

/// A Connect Response as a server without encryption sends it, with a message channel.
pub fn connect_response() -> Vec<u8> {
    let mut blocks = annotated("4.1.4", "wire")[0x49..0x65].to_vec();
    blocks.extend([2, 0x0C, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    blocks.extend([4, 0x0C, 6, 0]);
    blocks.extend(MESSAGE.to_le_bytes());
    let len = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let mut gcc = b"\0\x05\0\x14\x7C\0\x01\x2A\x14\x76\x0A\x01\x01\0\x01\xC0\0McDn".to_vec();
    gcc.push(len(&blocks));
    gcc.extend(blocks);
    let mut body = annotated("4.1.4", "wire")[12..46].to_vec();
    body.extend([4, len(&gcc)]);
    body.extend(gcc);
    x224(&[&[0x7F, 0x66, 0x81, len(&body)], body.as_slice()].concat())
}

/// A Client Info PDU in clear.
pub fn client_info() -> Vec<u8> {
    send(true, IO, &[&[0x40, 0, 0, 0], annotated("4.1.10", "clear").as_slice()].concat())
}

/// The licensing PDU of 4.1.11 in clear.
pub fn license() -> Vec<u8> {
    send(false, IO, &[&[0x80, 0, 0, 0], annotated("4.1.11", "clear").as_slice()].concat())
}

/// How far a handshake has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Nothing sent.
    Start,
    /// After the Connect Initial.
    Offered,
    /// After the Connect Response.
    Selected,
    /// After the Client Info PDU.
    Secure,
}

/// Client and server somewhere in the handshake.
pub fn layers_until(client: ClientOptions, server: ServerOptions, until: Until) -> (Client, Server) {
    let mut client = Client::new(client, [0x11; 32]);
    let mut server = Server::new(server, server_key(0), [0x22; 32]);
    if until >= Until::Offered {
        let initial = client.outgoing(&annotated("4.1.3", "wire")).unwrap();
        assert_eq!(server.incoming(&initial).unwrap(), Some(initial));
    }
    if until >= Until::Selected {
        let response = server.outgoing(&connect_response()).unwrap();
        let clear = client.incoming(&response).unwrap();
        assert_eq!(blocks(&clear), blocks(&connect_response()));
    }
    if until >= Until::Secure {
        let mut frames = Frames::new();
        frames.push(&client.outgoing(&client_info()).unwrap());
        if client.protection() != Protection::Clear {
            assert_eq!(server.incoming(frames.next().unwrap().unwrap()).unwrap(), None);
        }
        let info = server.incoming(frames.next().unwrap().unwrap()).unwrap();
        assert_eq!(info, Some(client_info()));
        assert_eq!(frames.waiting(), 0);
    }
    (client, server)
}

/// Client and server after the Client Info PDU.
pub fn handshake(client: ClientOptions, server: ServerOptions) -> (Client, Server) {
    layers_until(client, server, Until::Secure)
}

/// The blocks of a Connect Response: what stands around them has lengths that may be written in several ways.
fn blocks(frame: &[u8]) -> &[u8] {
    let at = frame.windows(4).position(|window| window == b"McDn").unwrap();
    &frame[at + 5..]
}

/// SHA-256, for known answers that would be long.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).to_vec()
}
