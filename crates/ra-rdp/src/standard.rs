//! Standard RDP security between RDP and the stream ([MS-RDPBCGR] 5.3).

use rdp_standard_security as standard;
use rdp_standard_security::{
    Client, ClientOptions, Error, Level, Method, Methods, Server, ServerKey, ServerOptions,
};

use rsa::RsaPrivateKey;
use rsa::rand_core::UnwrapErr;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

use crate::invite::random;
use crate::wire::Layer;
use crate::{Protection, RdpError};

impl From<Error> for RdpError {
    fn from(error: Error) -> Self {
        Self::Standard(error)
    }
}

/// Bits of a new key; FreeRDP and Windows take 2,048.
const KEY_BITS: usize = 2048;

/// A new key for standard RDP security. What KH and KH2 of an invitation are made of is its
/// [`public_key_blob`](ServerKey::public_key_blob).
///
/// # Errors
/// [`RdpError::Configuration`] when the system gives no random bytes.
pub fn generate_server_key() -> Result<ServerKey, RdpError> {
    let broken = |_| RdpError::Configuration("no RSA key could be made");
    let key = RsaPrivateKey::new(&mut UnwrapErr(getrandom::SysRng), KEY_BITS).map_err(broken)?;
    // What nearly every key has.
    const EXPONENT: u32 = 65_537;
    let (modulus, private) = (key.n().to_be_bytes(), key.d().to_be_bytes());
    Ok(ServerKey::new(&modulus, EXPONENT, &private)?)
}

/// The layer of a novice.
pub(crate) fn server(key: &ServerKey, options: ServerOptions) -> Result<Box<dyn Layer>, RdpError> {
    Ok(Box::new(Server::new(options, key.clone(), random()?)))
}

/// The layer of an expert.
pub(crate) fn client(options: ClientOptions) -> Result<Box<dyn Layer>, RdpError> {
    // The layer would leave it out without a word.
    if options.methods.and(Methods::ALL) != options.methods {
        return Err(RdpError::Configuration("FIPS and unknown methods of encryption cannot be offered"));
    }
    Ok(Box::new(Client::new(options, random()?)))
}

fn protection(negotiated: standard::Protection) -> Protection {
    let standard::Protection::Encrypted { method, level } = negotiated else { return Protection::None };
    let bits = match method {
        Method::Bits40 => 40,
        Method::Bits56 => 56,
        Method::Bits128 => 128,
    };
    Protection::Rc4 { bits, both_ways: level != Level::Low }
}

impl Layer for Client {
    fn outgoing(&mut self, frames: &[u8]) -> Result<Vec<u8>, RdpError> {
        Ok(Self::outgoing(self, frames)?)
    }

    fn incoming(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, RdpError> {
        Ok(Some(Self::incoming(self, frame)?))
    }

    fn protection(&self) -> (Protection, Option<&[u8]>) {
        (
            protection(Self::protection(self)),
            self.certificate().map(|certificate| certificate.public_key_blob()),
        )
    }
}

impl Layer for Server {
    fn outgoing(&mut self, frames: &[u8]) -> Result<Vec<u8>, RdpError> {
        Ok(Self::outgoing(self, frames)?)
    }

    fn incoming(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, RdpError> {
        Ok(Self::incoming(self, frame)?)
    }

    fn protection(&self) -> (Protection, Option<&[u8]>) {
        (protection(Self::protection(self)), None)
    }
}
