//! Signing and sealing of a server's NTLM context ([MS-NLMP] 3.4), with extended session security, 128 bits, key exchange.
//!
//! By the session key and not through sspi's context, since what SPNEGO's MICs do to the counters cannot be had there.

use dce_rpc::{AuthLevel, Message};
use md5::{Digest as _, Md5};
use rc4::{KeyInit as _, Rc4, StreamCipher as _};
use remassist_core::constant_time_eq;
use zeroize::Zeroizing;

use super::ntlm::hmac_md5;

type Key = Zeroizing<[u8; 16]>;

/// One direction.
struct Direction {
    signing: Key,
    sealing: Key,
    /// Goes on from message to message; MICs do not touch it ([MS-SPNG] 3.3.5.1).
    cipher: Rc4,
    sequence: u32,
}

/// Both directions.
pub(super) struct Session {
    send: Direction,
    receive: Direction,
}

impl Session {
    /// Bytes of NTLMSSP_MESSAGE_SIGNATURE: version 1, checksum of 8, sequence number.
    pub(super) const SIGNATURE: usize = 16;

    pub(super) fn new(key: &[u8]) -> Self {
        Self {
            send: Direction::new(key, "server", "client"),
            receive: Direction::new(key, "client", "server"),
        }
    }

    pub(super) fn protect(&mut self, message: &mut Message<'_>) -> [u8; Self::SIGNATURE] {
        if !message.level.is_protected() {
            return [0; Self::SIGNATURE];
        }
        let digest = self.send.digest(&[message.header, message.body, message.trailer]);
        if message.level == AuthLevel::PRIVACY {
            self.send.cipher.apply_keystream(message.body);
        }
        self.send.sign(digest)
    }

    pub(super) fn verify(&mut self, message: &mut Message<'_>, signature: &[u8]) -> bool {
        if !message.level.is_protected() {
            return true;
        }
        if message.level == AuthLevel::PRIVACY {
            self.receive.cipher.apply_keystream(message.body);
        }
        let digest = self.receive.digest(&[message.header, message.body, message.trailer]);
        let right = self.receive.sign(digest);
        // What follows the signature in its room is filler.
        signature.get(..Self::SIGNATURE).is_some_and(|given| constant_time_eq(given, &right))
    }

    /// The server's MIC of SPNEGO, before all messages.
    pub(super) fn mic(&mut self, data: &[u8]) -> Vec<u8> {
        Vec::from(self.send.mic(data))
    }

    /// Whether the client's MIC of SPNEGO is right.
    pub(super) fn verify_mic(&mut self, data: &[u8], mic: &[u8]) -> bool {
        constant_time_eq(mic, &self.receive.mic(data))
    }
}

impl Direction {
    /// SIGNKEY and SEALKEY ([MS-NLMP] 3.4.5.2, 3.4.5.3).
    fn new(session: &[u8], from: &str, to: &str) -> Self {
        let derive = |what: &str| {
            let magic = format!("session key to {from}-to-{to} {what} key magic constant\0");
            Key::new(Md5::new().chain_update(session).chain_update(magic).finalize().into())
        };
        let (signing, sealing) = (derive("signing"), derive("sealing"));
        let cipher = cipher(&sealing);
        Self { signing, sealing, cipher, sequence: 0 }
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 16] {
        let sequence = self.sequence.to_le_bytes();
        let mut all = vec![&sequence[..]];
        all.extend_from_slice(parts);
        hmac_md5(&*self.signing, &all)
    }

    /// MAC ([MS-NLMP] 3.4.4.2).
    fn sign(&mut self, digest: [u8; 16]) -> [u8; 16] {
        signature(&mut self.cipher, digest, &mut self.sequence)
    }

    fn mic(&mut self, data: &[u8]) -> [u8; 16] {
        let digest = self.digest(&[data]);
        signature(&mut cipher(&self.sealing), digest, &mut self.sequence)
    }
}

fn cipher(key: &Key) -> Rc4 {
    // RC4 repeats a key until it has 256 bytes, so a key twice is the same key.
    let mut twice = Zeroizing::new([0; 32]);
    twice.iter_mut().zip(key.iter().cycle()).for_each(|(to, from)| *to = *from);
    Rc4::new((&*twice).into())
}

fn signature(cipher: &mut Rc4, digest: [u8; 16], sequence: &mut u32) -> [u8; 16] {
    let [mut checksum, _] = split(digest);
    cipher.apply_keystream(&mut checksum);
    let ([a, b, c, d, e, f, g, h], [s, t, u, v]) = (checksum, sequence.to_le_bytes());
    *sequence = sequence.wrapping_add(1);
    [1, 0, 0, 0, a, b, c, d, e, f, g, h, s, t, u, v]
}

fn split([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]: [u8; 16]) -> [[u8; 8]; 2] {
    [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]]
}
