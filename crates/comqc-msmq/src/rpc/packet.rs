//! Messages as message packets ([MS-MQRR] 2.2.5).

use std::ops::Range;

use comqc_session::Received;

/// A message packet, and where its body is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The packet.
    pub bytes: Vec<u8>,
    /// The body.
    pub body: Range<usize>,
}

/// Why a message is no message packet, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PackError(pub String);

/// todo
pub fn pack(received: &Received, lookup: u64, destination: &str) -> Result<Packed, PackError> {
    let _ = (received, lookup, destination);
    Err(PackError(String::new()))
}

/// todo
pub fn unpack(packet: &[u8]) -> Result<Received, PackError> {
    let _ = packet;
    Err(PackError(String::new()))
}
