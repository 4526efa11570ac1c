//! The encrypted part of a connection, the same for both roles ([MS-RDPBCGR] 5.3.6, 5.3.8, 2.2.8.1.1.2).

use alloc::vec::Vec;

use remassist_core::At;

use crate::capabilities::{SharePdu, salted, set_salted};
use crate::cipher::{Direction, RANDOM_LEN, SIGNATURE_LEN};
use crate::frame::{self, Frame, SendData};
use crate::gcc::Channels;
use crate::wire::{Reader, at};
use crate::{Cipher, Error, Level, Method, SessionKeys};

static HEADER: At = at("2.2.8.1.1.2.1", "TS_SECURITY_HEADER", "flags");
static SIGNATURE: At = at("2.2.8.1.1.2.2", "TS_SECURITY_HEADER1", "dataSignature");
static FAST_PATH_SIGNATURE: At = at("2.2.9.1.2", "TS_FP_UPDATE_PDU", "dataSignature");

/// Flags of a security header ([MS-RDPBCGR] 2.2.8.1.1.2.1).
pub(crate) mod flag {
    pub(crate) const EXCHANGE: u16 = 0x0001;
    pub(crate) const ENCRYPT: u16 = 0x0008;
    pub(crate) const INFO: u16 = 0x0040;
    pub(crate) const LICENSE: u16 = 0x0080;
    /// The sender takes encrypted licensing PDUs: in the Security Exchange of a client, in all licensing PDUs of a server.
    pub(crate) const LICENSE_ENCRYPT: u16 = 0x0200;
    pub(crate) const REDIRECTION: u16 = 0x0400;
    pub(crate) const SECURE_CHECKSUM: u16 = 0x0800;
}

const FAST_PATH_SECURE_CHECKSUM: u8 = 0x40;
const FAST_PATH_ENCRYPTED: u8 = 0x80;
/// Channel number in an error about a fast-path PDU.
const FAST_PATH: u16 = 0;

/// Which side this layer is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Header of a redirection with enhanced security, which is the one that others know: kind 10, no version, and padding.
const REDIRECTION_HEADER_LEN: usize = 8;

/// A connection whose keys are there.
pub(crate) struct Secure {
    side: Side,
    level: Level,
    channels: Channels,
    outgoing: Cipher,
    incoming: Cipher,
    /// Licensing PDUs may still come.
    licensing: bool,
    /// The peer takes licensing PDUs that are encrypted.
    pub(crate) encrypted_licenses: bool,
    /// Whether our side announces the salted MAC.
    salted_mac: bool,
    /// Whether the server announced it.
    server_salts: bool,
    /// Both did.
    salted: bool,
}

impl Secure {
    pub(crate) fn new(
        side: Side,
        (method, level): (Method, Level),
        channels: Channels,
        client_random: &[u8; RANDOM_LEN],
        server_random: &[u8; RANDOM_LEN],
        salted_mac: bool,
    ) -> Self {
        let keys = SessionKeys::derive(method, client_random, server_random);
        let (client, server) =
            (keys.cipher(Direction::ClientToServer), keys.cipher(Direction::ServerToClient));
        let (outgoing, incoming) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        Self {
            side,
            level,
            channels,
            outgoing,
            incoming,
            licensing: true,
            encrypted_licenses: false,
            salted_mac,
            server_salts: false,
            salted: false,
        }
    }

    /// Whether what this side sends is encrypted.
    fn encrypts(&self) -> bool {
        self.side == Side::Client || self.level != Level::Low
    }

    /// Whether what the peer sends must be encrypted.
    fn demands(&self) -> bool {
        self.side == Side::Server || self.level != Level::Low
    }

    /// A frame on its way to the wire.
    pub(crate) fn outgoing(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        match frame::read(bytes)? {
            Frame::Other => Ok(bytes.to_vec()),
            Frame::Connect { .. } => Err(connect_again()),
            Frame::FastPath { header, body } => {
                if !self.encrypts() {
                    return Ok(bytes.to_vec());
                }
                let mut data = body.rest().to_vec();
                let signature = self.outgoing.seal(&mut data, self.salted);
                let salt = if self.salted { FAST_PATH_SECURE_CHECKSUM } else { 0 };
                frame::write_fast_path(header | FAST_PATH_ENCRYPTED | salt, &[&signature, &data])
            }
            Frame::Data(send) => {
                self.check_direction(&send, self.side == Side::Client)?;
                self.outgoing_data(&send)
            }
        }
    }

    fn outgoing_data(&mut self, send: &SendData<'_>) -> Result<Vec<u8>, Error> {
        let data = send.data.rest();
        if Some(send.channel) == self.channels.message {
            // Carries a header already.
            let (flags, body) = read_header(&send.data)?;
            return self.write(send, flags, body.rest().to_vec(), self.encrypts());
        }
        if send.channel != self.channels.io {
            return self.write(send, 0, data.to_vec(), self.encrypts());
        }
        if self.licensing && is_licensing(data) {
            let (flags, body) = read_header(&send.data)?;
            let ours = if self.side == Side::Server { flag::LICENSE_ENCRYPT } else { 0 };
            let encrypts = self.encrypts() && self.encrypted_licenses;
            return self.write(send, flags | ours, body.rest().to_vec(), encrypts);
        }
        if self.side == Side::Server {
            self.licensing = false;
        }
        let kind = SharePdu::of(data);
        if kind == Some(SharePdu::Redirection) && self.side == Side::Server {
            // Standard security has its own form of it, always encrypted ([MS-RDPBCGR] 2.2.13.2.1).
            let body = data.get(REDIRECTION_HEADER_LEN..).unwrap_or_default();
            return self.write(send, flag::REDIRECTION, body.to_vec(), true);
        }
        let mut body = data.to_vec();
        if let Some(kind) = kind {
            set_salted(kind, &mut body, self.salted_mac);
        }
        let out = self.write(send, 0, body.clone(), self.encrypts())?;
        self.capabilities(kind, &body);
        Ok(out)
    }

    /// Writes data behind the header that belongs to it.
    pub(crate) fn write(
        &mut self,
        send: &SendData<'_>,
        flags: u16,
        mut body: Vec<u8>,
        encrypted: bool,
    ) -> Result<Vec<u8>, Error> {
        let kept = flags & !(flag::ENCRYPT | flag::SECURE_CHECKSUM);
        if !encrypted {
            return send.write(&[&header(kept), body.as_slice()].concat());
        }
        let salt = if self.salted { flag::SECURE_CHECKSUM } else { 0 };
        let signature = self.outgoing.seal(&mut body, self.salted);
        send.write(&[&header(kept | flag::ENCRYPT | salt), signature.as_slice(), &body].concat())
    }

    /// A frame from the wire.
    pub(crate) fn incoming(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        match frame::read(bytes)? {
            Frame::Other => Ok(bytes.to_vec()),
            Frame::Connect { .. } => Err(connect_again()),
            Frame::FastPath { header, mut body } => {
                let clear = header & !(FAST_PATH_ENCRYPTED | FAST_PATH_SECURE_CHECKSUM);
                if header & FAST_PATH_ENCRYPTED == 0 {
                    if self.demands() {
                        return Err(Error::NotEncrypted { channel: FAST_PATH });
                    }
                    return frame::write_fast_path(clear, &[body.rest()]);
                }
                let signature = body.array::<SIGNATURE_LEN>(&FAST_PATH_SIGNATURE)?;
                let mut data = body.rest().to_vec();
                let salted = header & FAST_PATH_SECURE_CHECKSUM != 0;
                self.incoming.open(&mut data, &signature, salted)?;
                frame::write_fast_path(clear, &[&data])
            }
            Frame::Data(send) => {
                self.check_direction(&send, self.side == Side::Server)?;
                self.incoming_data(&send)
            }
        }
    }

    fn incoming_data(&mut self, send: &SendData<'_>) -> Result<Vec<u8>, Error> {
        let io = send.channel == self.channels.io;
        let message = Some(send.channel) == self.channels.message;
        let (flags, _) = read_header(&send.data)?;
        let license = io && flags & flag::LICENSE != 0;
        if license && !self.licensing {
            return Err(Error::Unexpected { pdu: "a licensing PDU", section: "1.3.1.1" });
        }
        let redirection = io && self.side == Side::Client && flags & flag::REDIRECTION != 0;
        let in_clear = !self.demands() || license || (message && self.side == Side::Client);
        let data = self.open(send, redirection, in_clear)?;
        if license {
            if self.side == Side::Client {
                self.encrypted_licenses = flags & flag::LICENSE_ENCRYPT != 0;
            }
            return send.write(&[&basic(flags), data.as_slice()].concat());
        }
        if message {
            return send.write(&[&basic(flags), data.as_slice()].concat());
        }
        if !io {
            return send.write(&data);
        }
        if self.side == Side::Client {
            self.licensing = false;
        }
        if redirection {
            let len = u16::try_from(data.len().saturating_add(REDIRECTION_HEADER_LEN)).unwrap_or(u16::MAX);
            let [low, high] = len.to_le_bytes();
            let [source_high, source_low] = send.channel.to_be_bytes();
            return send
                .write(&[&[low, high, 10, 0, source_low, source_high, 0, 0], data.as_slice()].concat());
        }
        self.capabilities(SharePdu::of(&data), &data);
        send.write(&data)
    }

    /// What stands behind the security header, decrypted where it is encrypted.
    fn open(&mut self, send: &SendData<'_>, always: bool, in_clear: bool) -> Result<Vec<u8>, Error> {
        let (flags, mut body) = read_header(&send.data)?;
        if flags & flag::ENCRYPT == 0 && !always {
            let channel = send.channel;
            return if in_clear { Ok(body.rest().to_vec()) } else { Err(Error::NotEncrypted { channel }) };
        }
        let signature = body.array::<SIGNATURE_LEN>(&SIGNATURE)?;
        let mut data = body.rest().to_vec();
        self.incoming.open(&mut data, &signature, flags & flag::SECURE_CHECKSUM != 0)?;
        Ok(data)
    }

    /// The Client Info PDU: the first that a server decrypts.
    pub(crate) fn client_info(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let Frame::Data(send) = frame::read(bytes)? else { return Err(no_client_info()) };
        self.check_direction(&send, true)?;
        let (flags, _) = read_header(&send.data)?;
        if send.channel != self.channels.io || flags & flag::INFO == 0 {
            return Err(no_client_info());
        }
        let data = self.open(&send, false, false)?;
        send.write(&[&basic(flags), data.as_slice()].concat())
    }

    /// Looks who announces the salted MAC.
    fn capabilities(&mut self, kind: Option<SharePdu>, data: &[u8]) {
        match kind {
            Some(SharePdu::DemandActive) => {
                self.server_salts = salted(SharePdu::DemandActive, data);
            }
            Some(SharePdu::ConfirmActive) => {
                self.salted = self.salted_mac && self.server_salts && salted(SharePdu::ConfirmActive, data);
            }
            _ => {}
        }
    }

    /// Data of the peer must not be taken for our own, and the other way round.
    fn check_direction(&self, send: &SendData<'_>, request: bool) -> Result<(), Error> {
        if send.request == request {
            return Ok(());
        }
        let pdu = if send.request { "an MCS Send Data Request" } else { "an MCS Send Data Indication" };
        Err(Error::Unexpected { pdu, section: "3.2.5.1" })
    }
}

/// The flags of a security header, and what follows the basic part.
pub(crate) fn read_header<'a>(data: &Reader<'a>) -> Result<(u16, Reader<'a>), Error> {
    let mut body = data.clone();
    let flags = body.u16_le(&HEADER)?;
    body.u16_le(&HEADER)?;
    Ok((flags, body))
}

/// A basic security header.
pub(crate) fn header(flags: u16) -> [u8; 4] {
    let [low, high] = flags.to_le_bytes();
    [low, high, 0, 0]
}

/// The header of a PDU that keeps one when nothing is encrypted.
fn basic(flags: u16) -> [u8; 4] {
    header(flags & !(flag::ENCRYPT | flag::SECURE_CHECKSUM))
}

/// Whether data of our own side is a licensing PDU with its basic header and not a share PDU: the size in the licensing
/// preamble is right, and the second number, which is the type of a share PDU, is zero ([MS-RDPBCGR] 2.2.1.12.1.1).
fn is_licensing(data: &[u8]) -> bool {
    let [flags, _, 0, 0, _, _, low, high, ..] = data else { return false };
    u16::from(*flags) & flag::LICENSE != 0
        && usize::from(u16::from_le_bytes([*low, *high])) == data.len().saturating_sub(4)
}

fn connect_again() -> Error {
    Error::Unexpected { pdu: "a second MCS Connect", section: "1.3.1.1" }
}

fn no_client_info() -> Error {
    Error::Unexpected { pdu: "something else than the Client Info PDU", section: "3.3.5.3.11" }
}
