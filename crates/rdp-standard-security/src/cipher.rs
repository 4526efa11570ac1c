//! Session keys, and the stream of one direction: RC4, MAC, key update ([MS-RDPBCGR] 5.3.5 to 5.3.7).

use core::fmt;

use md5::Md5;
use rc4::{KeyInit as _, Rc4, StreamCipher as _};
use remassist_core::constant_time_eq;
use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use crate::{Error, Method};

/// Length of the client random and of the server random.
pub const RANDOM_LEN: usize = 32;

/// Length of the signature of a packet.
pub const SIGNATURE_LEN: usize = 8;

/// After so many packets in one direction its key is changed.
pub const UPDATE_INTERVAL: u16 = 4096;

const PAD1: [u8; 40] = [0x36; 40];
const PAD2: [u8; 48] = [0x5C; 48];

type Key = Zeroizing<[u8; 16]>;

/// Whose data a [`Cipher`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What the client sends.
    ClientToServer,
    /// What the server sends.
    ServerToClient,
}

/// The keys that both sides derive from the two randoms ([MS-RDPBCGR] 5.3.5.1).
pub struct SessionKeys {
    method: Method,
    mac: Key,
    client: Key,
    server: Key,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("method", &self.method).finish_non_exhaustive()
    }
}

impl SessionKeys {
    /// Derives the keys.
    #[must_use]
    pub fn derive(
        method: Method,
        client_random: &[u8; RANDOM_LEN],
        server_random: &[u8; RANDOM_LEN],
    ) -> Self {
        let salted_hash = |secret: &[u8], salt: &[u8]| {
            let inner = sha1(&[salt, secret, client_random, server_random]);
            md5(&[secret, inner.as_slice()])
        };
        let expand = |secret: &[u8; 48], salts: [&[u8]; 3]| {
            let mut out = Zeroizing::new([0; 48]);
            for (part, salt) in out.as_chunks_mut::<16>().0.iter_mut().zip(salts) {
                *part = *salted_hash(secret, salt);
            }
            out
        };
        let mut pre_master = Zeroizing::new([0; 48]);
        let first = client_random.iter().take(24).chain(server_random.iter().take(24));
        pre_master.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
        let master = expand(&pre_master, [b"A", b"BB", b"CCC"]);
        let blob = expand(&master, [b"X", b"YY", b"ZZZ"]);
        let (chunks, _) = blob.as_chunks::<16>();
        let mut parts = chunks.iter();
        let mut next = || Zeroizing::new(parts.next().copied().unwrap_or_default());
        let (mac, server, client) = (next(), next(), next());
        let final_hash = |key: &Key| md5(&[key.as_slice(), client_random, server_random]);
        Self {
            method,
            mac: reduce(method, mac),
            client: reduce(method, final_hash(&client)),
            server: reduce(method, final_hash(&server)),
        }
    }

    /// The cipher of one direction, before its first packet. Both sides use the same one.
    #[must_use]
    pub fn cipher(&self, direction: Direction) -> Cipher {
        let initial = match direction {
            Direction::ClientToServer => self.client.clone(),
            Direction::ServerToClient => self.server.clone(),
        };
        Cipher {
            method: self.method,
            mac: self.mac.clone(),
            rc4: start(self.method, &initial),
            current: initial.clone(),
            initial,
            used: 0,
            count: 0,
        }
    }
}

/// One direction of a session: encrypts on one side, decrypts on the other.
pub struct Cipher {
    method: Method,
    mac: Key,
    initial: Key,
    current: Key,
    rc4: Rc4,
    /// Packets since the last update of the key.
    used: u16,
    /// All packets: what salts the MAC.
    count: u32,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher")
            .field("method", &self.method)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Cipher {
    /// Encrypts a packet in place; the result is its signature ([MS-RDPBCGR] 5.3.6.1).
    #[must_use]
    pub fn seal(&mut self, data: &mut [u8], salted: bool) -> [u8; SIGNATURE_LEN] {
        let signature = self.sign(data, salted);
        self.apply(data);
        signature
    }

    /// Decrypts a packet in place and compares its signature in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::Mac`]: the data is not to be used, and no later packet can be decrypted.
    pub fn open(
        &mut self,
        data: &mut [u8],
        signature: &[u8; SIGNATURE_LEN],
        salted: bool,
    ) -> Result<(), Error> {
        let packet = self.count;
        self.apply(data);
        // The count is the one before this packet: what the sender salted it with.
        let expected = self.sign_as(packet, data, salted);
        if constant_time_eq(&expected, signature) { Ok(()) } else { Err(Error::Mac { packet }) }
    }

    /// How many packets went through.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    fn sign(&self, data: &[u8], salted: bool) -> [u8; SIGNATURE_LEN] {
        self.sign_as(self.count, data, salted)
    }

    fn sign_as(&self, count: u32, data: &[u8], salted: bool) -> [u8; SIGNATURE_LEN] {
        let key = part(self.method, &self.mac);
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
        let count = count.to_le_bytes();
        let salt: &[u8] = if salted { &count } else { &[] };
        let inner = sha1(&[key, &PAD1, &len, data, salt]);
        let digest = md5(&[key, &PAD2, inner.as_slice()]);
        digest.first_chunk().copied().unwrap_or_default()
    }

    fn apply(&mut self, data: &mut [u8]) {
        if self.used == UPDATE_INTERVAL {
            self.current = update(self.method, &self.initial, &self.current);
            self.rc4 = start(self.method, &self.current);
            self.used = 0;
        }
        self.rc4.apply_keystream(data);
        self.used = self.used.saturating_add(1);
        self.count = self.count.wrapping_add(1);
    }
}

/// The bytes of a key that a method uses.
fn part(method: Method, key: &Key) -> &[u8] {
    key.get(..method.key_len()).unwrap_or_default()
}

fn start(method: Method, key: &Key) -> Rc4 {
    // RC4 repeats a key until it has 256 bytes, so a key repeated up to 32 is the same key.
    let mut long = Zeroizing::new([0; 32]);
    long.iter_mut().zip(part(method, key).iter().cycle()).for_each(|(to, from)| *to = *from);
    Rc4::new((&*long).into())
}

/// Puts the salt of the weak methods over the first bytes ([MS-RDPBCGR] 5.3.5.1, table 1).
fn reduce(method: Method, mut key: Key) -> Key {
    let salt: &[u8] = match method {
        Method::Bits40 => &[0xD1, 0x26, 0x9E],
        Method::Bits56 => &[0xD1],
        Method::Bits128 => &[],
    };
    key.iter_mut().zip(salt).for_each(|(to, from)| *to = *from);
    key
}

/// The key after `current` ([MS-RDPBCGR] 5.3.7.1).
fn update(method: Method, initial: &Key, current: &Key) -> Key {
    let (first, now) = (part(method, initial), part(method, current));
    let inner = sha1(&[first, &PAD1, now]);
    let mut key = md5(&[first, &PAD2, inner.as_slice()]);
    let mut rc4 = start(method, &key);
    if let Some(used) = key.get_mut(..method.key_len()) {
        rc4.apply_keystream(used);
    }
    reduce(method, key)
}

fn sha1(parts: &[&[u8]]) -> Zeroizing<[u8; 20]> {
    let hash = parts.iter().fold(Sha1::new(), |hash, part| hash.chain_update(part));
    Zeroizing::new(hash.finalize().into())
}

pub(crate) fn md5(parts: &[&[u8]]) -> Key {
    let hash = parts.iter().fold(Md5::new(), |hash, part| hash.chain_update(part));
    Zeroizing::new(hash.finalize().into())
}
