//! The server's side of the layer.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use remassist_core::At;
use zeroize::Zeroizing;

use crate::cipher::RANDOM_LEN;
use crate::client::{split, too_early};
use crate::frame::{self, Frame, SendData};
use crate::gcc::{self, Channels, Response};
use crate::secure::{Secure, Side, flag, read_header};
use crate::wire::at;
use crate::{Error, Level, Method, Protection, ServerKey, ServerOptions};

static LENGTH: At = at("2.2.1.10.1", "TS_SECURITY_PACKET", "length");
static RANDOM: At = at("2.2.1.10.1", "TS_SECURITY_PACKET", "encryptedClientRandom");

/// The layer of a server: between an RDP server that knows no encryption, and the wire.
///
/// Every frame goes through [`outgoing`](Self::outgoing) or [`incoming`](Self::incoming), from the X.224 Connection Request
/// to the end.
pub struct Server {
    options: ServerOptions,
    key: ServerKey,
    random: Zeroizing<[u8; RANDOM_LEN]>,
    protection: Protection,
    state: State,
}

enum State {
    /// Before the Connect Initial.
    Start,
    /// Before the Connect Response.
    Offered(Option<Method>),
    /// No encryption.
    Clear,
    /// Before the Security Exchange PDU.
    Selected(Method, Level, Channels),
    /// Before the Client Info PDU.
    Exchanged(Box<Secure>),
    Secure(Box<Secure>),
    Failed,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("protection", &self.protection).finish_non_exhaustive()
    }
}

impl Server {
    /// A layer for one connection, with 32 bytes of a cryptographic random number generator that are used for nothing
    /// else.
    #[must_use]
    pub fn new(options: ServerOptions, key: ServerKey, random: [u8; RANDOM_LEN]) -> Self {
        let random = Zeroizing::new(random);
        Self { options, key, random, protection: Protection::Negotiating, state: State::Start }
    }

    /// What was selected for this client.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    /// Takes one or more whole frames on their way to the wire; the result is what to send.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; all of them are final.
    pub fn outgoing(&mut self, frames: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let mut rest = frames;
        while !rest.is_empty() {
            let result = split(rest).and_then(|(frame, after)| {
                rest = after;
                self.outgoing_frame(frame)
            });
            out.extend(result.inspect_err(|_| self.state = State::Failed)?);
        }
        Ok(out)
    }

    /// Takes one whole frame from the wire; the result is the frame for the server. Nothing for the Security Exchange PDU,
    /// which is for this layer.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; all of them are final.
    pub fn incoming(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.incoming_frame(frame).inspect_err(|_| self.state = State::Failed)
    }

    fn outgoing_frame(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        match &mut self.state {
            State::Failed => Err(Error::Failed),
            State::Clear => Ok(bytes.to_vec()),
            State::Secure(secure) => secure.outgoing(bytes),
            State::Offered(method) => match (frame::read(bytes)?, *method) {
                (Frame::Connect { response: true }, Some(method)) => self.connect_response(method, bytes),
                (Frame::Connect { response: true }, None) => {
                    self.protection = Protection::Clear;
                    self.state = State::Clear;
                    Ok(bytes.to_vec())
                }
                (Frame::Other, _) => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
            State::Start | State::Selected(..) | State::Exchanged(_) => match frame::read(bytes)? {
                Frame::Other => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
        }
    }

    /// Puts method, level, random and certificate in ([MS-RDPBCGR] 3.3.5.3.4).
    fn connect_response(&mut self, method: Method, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let response = Response::read(bytes)?;
        let level = self.options.level;
        let out = response.with_selected(method, level, &self.random, &self.key.certificate())?;
        self.protection = Protection::Encrypted { method, level };
        self.state = State::Selected(method, level, response.channels()?);
        Ok(out)
    }

    fn incoming_frame(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match &mut self.state {
            State::Failed => Err(Error::Failed),
            State::Clear => Ok(Some(bytes.to_vec())),
            State::Secure(secure) => secure.incoming(bytes).map(Some),
            State::Start => match frame::read(bytes)? {
                Frame::Connect { response: false } => {
                    self.state = State::Offered(self.options.select(gcc::offered(bytes)?)?);
                    Ok(Some(bytes.to_vec()))
                }
                Frame::Other => Ok(Some(bytes.to_vec())),
                _ => Err(too_early()),
            },
            State::Selected(method, level, channels) => match frame::read(bytes)? {
                Frame::Data(send) => {
                    let selected = ((*method, *level), *channels);
                    self.security_exchange(selected, &send)?;
                    Ok(None)
                }
                Frame::Other => Ok(Some(bytes.to_vec())),
                _ => Err(too_early()),
            },
            State::Exchanged(secure) => {
                let info = secure.client_info(bytes)?;
                if let State::Exchanged(secure) = core::mem::replace(&mut self.state, State::Failed) {
                    self.state = State::Secure(secure);
                }
                Ok(Some(info))
            }
            State::Offered(_) => match frame::read(bytes)? {
                Frame::Other => Ok(Some(bytes.to_vec())),
                _ => Err(too_early()),
            },
        }
    }

    /// Takes the client random ([MS-RDPBCGR] 3.3.5.3.10).
    fn security_exchange(
        &mut self,
        (selected, channels): ((Method, Level), Channels),
        send: &SendData<'_>,
    ) -> Result<(), Error> {
        let (flags, mut body) = read_header(&send.data)?;
        if !send.request || send.channel != channels.io || flags & flag::EXCHANGE == 0 {
            let pdu = "something else than the Security Exchange PDU";
            return Err(Error::Unexpected { pdu, section: "3.3.5.3.10" });
        }
        let len = body.u32_le(&LENGTH)?;
        let encrypted = body.take(remassist_core::usize_from(len), &RANDOM)?;
        body.finish(&RANDOM)?;
        let random = self.key.decrypt(encrypted);
        let random = random.ok_or_else(|| body.rule(&RANDOM, "the number is not below the modulus"))?;
        let salted = self.options.salted_mac;
        let mut secure = Secure::new(Side::Server, selected, channels, &random, &self.random, salted);
        secure.encrypted_licenses = flags & flag::LICENSE_ENCRYPT != 0;
        self.state = State::Exchanged(Box::new(secure));
        Ok(())
    }
}
