//! Standard RDP security between RDP and the stream ([MS-RDPBCGR] 5.3).

use rdp_standard_security::{Error, Server, ServerKey, ServerOptions};

use rsa::RsaPrivateKey;
use rsa::rand_core::UnwrapErr;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

use crate::RdpError;
use crate::wire::Layer;

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
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| RdpError::Configuration("the system gives no random bytes"))?;
    Ok(Box::new(Server::new(options, key.clone(), random)))
}

impl Layer for Server {
    fn outgoing(&mut self, frames: &[u8]) -> Result<Vec<u8>, RdpError> {
        Ok(Self::outgoing(self, frames)?)
    }

    fn incoming(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, RdpError> {
        Ok(Self::incoming(self, frame)?)
    }
}
