//! What can go wrong, and what each of it means for the connection: it ends.

use remassist_core::DecodeError;

use crate::Methods;

/// Why the layer cannot go on. Every error is final: the connection is to be closed.
///
/// Holds no byte of any message.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A frame is not what its section says.
    #[error("{0}")]
    Malformed(#[from] DecodeError),
    /// The frame would be longer than its length field can tell when it is encrypted.
    #[error("a frame of {len} bytes is longer than its length field can tell ([MS-RDPBCGR] 2.2.8.1.2)")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// The server selected FIPS, as method or as level: not supported.
    #[error("the server selected FIPS, which is not supported ([MS-RDPBCGR] 5.3.2)")]
    Fips,
    /// The client offers nothing that the policy of the server allows.
    #[error("no common encryption method: the client offers {offered} ([MS-RDPBCGR] 5.3.2.1)")]
    NoCommonMethod {
        /// What it offers.
        offered: Methods,
    },
    /// The server selected a method that this client did not offer.
    #[error("the server selected the methods {selected}, which were not offered ([MS-RDPBCGR] 2.2.1.3.3)")]
    NotOffered {
        /// What it selected.
        selected: Methods,
    },
    /// Method and level contradict each other, or one of them is unknown.
    #[error("encryption method {method:#x} does not go with level {level} ([MS-RDPBCGR] 5.3.2)")]
    Contradiction {
        /// encryptionMethod.
        method: u32,
        /// encryptionLevel.
        level: u32,
    },
    /// The server selected no encryption and the client insists on it.
    #[error("the server selected no encryption ([MS-RDPBCGR] 5.3.2)")]
    Unencrypted,
    /// The server sent a chain of X.509 certificates: not supported.
    #[error("X.509 certificate chains are not supported ([MS-RDPBCGR] 5.3.3.2)")]
    X509,
    /// The signature of the certificate is not one of the Terminal Services signing key.
    #[error("the signature of the server certificate is wrong ([MS-RDPBCGR] 5.3.3.1.3)")]
    Signature,
    /// The RSA key cannot be used.
    #[error("the RSA key cannot be used: {reason} ([MS-RDPBCGR] 2.2.1.4.3.1.1.1)")]
    Key {
        /// Why.
        reason: &'static str,
    },
    /// A packet is in clear that must be encrypted.
    #[error("packet on channel {channel} is not encrypted ([MS-RDPBCGR] 5.3.6)")]
    NotEncrypted {
        /// MCS channel; 0 for a fast-path packet.
        channel: u16,
    },
    /// The signature of a packet is wrong: it was damaged, replayed, reordered, or made with other keys.
    #[error("the signature of encrypted packet {packet} is wrong ([MS-RDPBCGR] 5.3.6.1)")]
    Mac {
        /// How many packets were decrypted before it.
        packet: u32,
    },
    /// A PDU that has no place at this point of the connection.
    #[error("{pdu} has no place here ([MS-RDPBCGR] {section})")]
    Unexpected {
        /// The PDU.
        pdu: &'static str,
        /// The section with the sequence.
        section: &'static str,
    },
    /// An earlier frame ended the connection.
    #[error("an earlier error ended the connection")]
    Failed,
}
