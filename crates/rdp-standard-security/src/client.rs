//! The client's side of the layer.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::cipher::RANDOM_LEN;
use crate::frame::{self, Frame, SendData, frame_len};
use crate::gcc::{self, Channels, Response, Selected};
use crate::secure::{Secure, Side, flag, header, read_header};
use crate::{ClientOptions, Error, Level, Method, Methods, Protection, ServerCertificate};

/// The layer of a client: between an RDP client that knows no encryption, and the wire.
///
/// Every frame goes through [`outgoing`](Self::outgoing) or [`incoming`](Self::incoming), from the X.224 Connection Request
/// to the end. After the Connect Response [`certificate`](Self::certificate) is there; the keys of the session and the
/// Client Info PDU with its password leave only when the next frames are given, so this is the time to look at it.
pub struct Client {
    options: ClientOptions,
    random: Zeroizing<[u8; RANDOM_LEN]>,
    protection: Protection,
    certificate: Option<ServerCertificate>,
    state: State,
}

enum State {
    /// Before the Connect Initial.
    Start,
    /// Before the Connect Response.
    Offered,
    /// No encryption.
    Clear,
    /// Before the Client Info PDU.
    Selected {
        method: Method,
        level: Level,
        channels: Channels,
        server_random: [u8; RANDOM_LEN],
    },
    Secure(Box<Secure>),
    Failed,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("protection", &self.protection).finish_non_exhaustive()
    }
}

impl Client {
    /// A layer for one connection, with 32 bytes of a cryptographic random number generator that are used for nothing
    /// else.
    #[must_use]
    pub fn new(options: ClientOptions, random: [u8; RANDOM_LEN]) -> Self {
        Self {
            options,
            random: Zeroizing::new(random),
            protection: Protection::Negotiating,
            certificate: None,
            state: State::Start,
        }
    }

    /// What the server selected.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    /// The certificate of the server: there as soon as the Connect Response came in with encryption selected.
    #[must_use]
    pub const fn certificate(&self) -> Option<&ServerCertificate> {
        self.certificate.as_ref()
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

    /// Takes one whole frame from the wire; the result is the frame for the client.
    ///
    /// # Errors
    ///
    /// Any [`Error`]; all of them are final.
    pub fn incoming(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        self.incoming_frame(frame).inspect_err(|_| self.state = State::Failed)
    }

    fn outgoing_frame(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        match &mut self.state {
            State::Failed => Err(Error::Failed),
            State::Clear => Ok(bytes.to_vec()),
            State::Secure(secure) => secure.outgoing(bytes),
            State::Start => match frame::read(bytes)? {
                Frame::Connect { response: false } => {
                    self.state = State::Offered;
                    gcc::with_offer(bytes, self.options.methods.and(Methods::ALL))
                }
                Frame::Other => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
            State::Offered => match frame::read(bytes)? {
                Frame::Other => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
            State::Selected { .. } => match frame::read(bytes)? {
                Frame::Data(send) => self.client_info(&send),
                Frame::Other => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
        }
    }

    /// Sends the client random before the Client Info PDU ([MS-RDPBCGR] 3.2.5.3.10, 3.2.5.3.11).
    fn client_info(&mut self, send: &SendData<'_>) -> Result<Vec<u8>, Error> {
        let (flags, body) = read_header(&send.data)?;
        let State::Selected { method, level, channels, server_random } = &self.state else {
            return Err(too_early());
        };
        let certificate = self.certificate.as_ref().ok_or_else(too_early)?;
        if !send.request || send.channel != channels.io || flags & flag::INFO == 0 {
            return Err(too_early());
        }
        let encrypted = certificate.key().encrypt(&self.random);
        let len = u32::try_from(encrypted.len()).unwrap_or(u32::MAX).to_le_bytes();
        let exchange = [&header(flag::EXCHANGE | flag::LICENSE_ENCRYPT), len.as_slice(), &encrypted].concat();
        let mut out = send.write(&exchange)?;
        let mut secure = Secure::new(
            Side::Client,
            (*method, *level),
            *channels,
            &self.random,
            server_random,
            self.options.salted_mac,
        );
        out.extend(secure.write(send, flags, body.rest().to_vec(), true)?);
        self.random = Zeroizing::default();
        self.state = State::Secure(Box::new(secure));
        Ok(out)
    }

    fn incoming_frame(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        match &mut self.state {
            State::Failed => Err(Error::Failed),
            State::Clear => Ok(bytes.to_vec()),
            State::Secure(secure) => secure.incoming(bytes),
            State::Offered => match frame::read(bytes)? {
                Frame::Connect { response: true } => self.connect_response(bytes),
                Frame::Other => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
            State::Start | State::Selected { .. } => match frame::read(bytes)? {
                Frame::Other => Ok(bytes.to_vec()),
                _ => Err(too_early()),
            },
        }
    }

    fn connect_response(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let response = Response::read(bytes)?;
        match response.selected()? {
            Selected::Clear if self.options.allow_unencrypted => {
                self.protection = Protection::Clear;
                self.state = State::Clear;
                Ok(bytes.to_vec())
            }
            Selected::Clear => Err(Error::Unencrypted),
            Selected::Encrypted { method, .. } if !self.options.methods.contains(method) => {
                Err(Error::NotOffered { selected: method.into() })
            }
            Selected::Encrypted { method, level, server_random, certificate } => {
                let channels = response.channels()?;
                self.protection = Protection::Encrypted { method, level };
                self.certificate = Some(certificate);
                self.state = State::Selected { method, level, channels, server_random };
                response.without_security()
            }
        }
    }
}

/// The first frame, and what follows it.
pub(crate) fn split(frames: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let len = frame_len(frames)?.unwrap_or(usize::MAX);
    // What is not whole fails when it is read.
    Ok(frames.split_at_checked(len).unwrap_or((frames, &[])))
}

/// A PDU before its time.
pub(crate) fn too_early() -> Error {
    Error::Unexpected { pdu: "a PDU of a later or earlier phase", section: "1.3.1.1" }
}
