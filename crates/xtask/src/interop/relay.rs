//! Carries bytes between an expert and a novice, and keeps them as a capture: no privileges are needed, and nothing is lost.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::SystemTime;

use socket2::{Domain, Socket, Type};

use super::until;
use crate::run::Result;

/// Bytes that are read at a time.
const PIECE: usize = 16 << 10;
/// Most bytes of a synthetic segment, which is an IPv4 packet.
const SEGMENT: usize = 48 << 10;
/// TCP flags (RFC 9293, 3.1).
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Listens for experts and connects each to the novice, from the address that the expert has.
pub struct Relay {
    pub address: SocketAddr,
    pub capture: PathBuf,
    novice: Arc<OnceLock<SocketAddr>>,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    file: File,
    /// Connections so far.
    begun: usize,
    ended: usize,
    /// Messages of experts, of the novice.
    messages: [usize; 2],
    failed: Option<String>,
}

impl Relay {
    pub fn start(capture: PathBuf) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let mut file = File::create(&capture).map_err(|e| e.to_string())?;
        file.write_all(&file_header()).map_err(|e| e.to_string())?;
        let shared =
            Arc::new(Mutex::new(Shared { file, begun: 0, ended: 0, messages: [0; 2], failed: None }));
        let this = Self { address, capture, novice: Arc::default(), shared };
        let (novice, shared) = (Arc::clone(&this.novice), Arc::clone(&this.shared));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (novice, shared) = (Arc::clone(&novice), Arc::clone(&shared));
                lock(&shared).begun += 1;
                thread::spawn(move || {
                    let result = carry(stream, novice.wait(), address, &shared);
                    let mut shared = lock(&shared);
                    shared.ended += 1;
                    shared.failed = result.err().or(shared.failed.take());
                });
            }
        });
        Ok(this)
    }

    /// Where the novice is; connections wait until it is told.
    pub fn lead_to(&self, novice: SocketAddr) {
        let _told_already = self.novice.set(novice);
    }

    /// Messages so far, of experts and of the novice: TLS records, or what RDP is made of.
    pub fn messages(&self) -> [usize; 2] {
        lock(&self.shared).messages
    }

    /// Waits until all connections are over; the capture is whole then.
    pub fn ended(&self) -> Result<&Path> {
        until("the end of a connection", || {
            let shared = lock(&self.shared);
            match &shared.failed {
                Some(error) => Err(format!("relay: {error}")),
                None => Ok((shared.begun > 0 && shared.begun == shared.ended).then_some(())),
            }
        })?;
        Ok(&self.capture)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One connection, until both sides have ended it.
fn carry(expert: TcpStream, novice: &SocketAddr, listening: SocketAddr, shared: &Mutex<Shared>) -> Result {
    let said = |e: std::io::Error| e.to_string();
    let peer = expert.peer_addr().map_err(said)?;
    let novice = connect(peer.ip(), *novice).map_err(said)?;
    for stream in [&expert, &novice] {
        stream.set_nodelay(true).map_err(said)?;
    }
    let record = Mutex::new(Record { ends: [peer, listening], next: [0; 2], shared });
    let write = |from: usize, flags: u8, data: &[u8]| {
        let mut record = record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        record.write(from, flags, data)
    };
    write(0, SYN, &[])
        .and_then(|()| write(1, SYN | ACK, &[]))
        .and_then(|()| write(0, ACK, &[]))
        .map_err(said)?;
    let way = |from: usize, mut source: &TcpStream, mut target: &TcpStream| {
        let (mut piece, mut waiting) = ([0; PIECE], Vec::new());
        // A peer that was killed resets its connection: that is an end, too.
        while let Ok(count @ 1..) = source.read(&mut piece) {
            waiting.extend(&piece[..count]);
            // Before it is passed on: an answer never stands before its question.
            while let Some(length) = message(&waiting) {
                write(from, PSH | ACK, &waiting[..length]).map_err(said)?;
                waiting.drain(..length);
            }
            if target.write_all(&piece[..count]).is_err() {
                // It is gone, and nobody will say the rest.
                waiting.clear();
                break;
            }
        }
        let _gone_already = target.shutdown(Shutdown::Write);
        if !waiting.is_empty() {
            write(from, PSH | ACK, &waiting).map_err(said)?;
        }
        write(from, FIN | ACK, &[]).map_err(said)
    };
    thread::scope(|scope| {
        let back = scope.spawn(|| way(1, &novice, &expert));
        way(0, &expert, &novice).and(back.join().unwrap_or_else(|_| Err("a thread panicked".into())))
    })
}

/// The length of the message at the beginning, if it is whole: PDU of DCE/RPC, TLS record, TPKT or fast path. Each is a segment of its own in
/// the capture, since tshark does not put fast-path messages together.
fn message(bytes: &[u8]) -> Option<usize> {
    let length = match *bytes {
        // DCE/RPC, version 5.0, little-endian.
        [5, 0, _, _, 0x10, _, _, _, low, high, ..] => usize::from(u16::from_le_bytes([low, high])),
        [0x14..=0x17, 3, _, high, low, ..] => usize::from(u16::from_be_bytes([high, low])) + 5,
        [3, _, high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
        [first, high, low, ..] if first != 3 && high & 0x80 != 0 => {
            usize::from(u16::from_be_bytes([high & 0x7F, low]))
        }
        [first, length, ..] if first != 3 && length & 0x80 == 0 => usize::from(length),
        _ => return None,
    };
    (1..=bytes.len()).contains(&length).then_some(length)
}

/// The shadow server goes by the address that somebody comes from.
fn connect(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// A connection as it would have been captured.
struct Record<'s> {
    /// The expert, the novice.
    ends: [SocketAddr; 2],
    /// The next sequence number of each.
    next: [u32; 2],
    shared: &'s Mutex<Shared>,
}

impl Record<'_> {
    /// What an end says.
    fn write(&mut self, from: usize, flags: u8, data: &[u8]) -> std::io::Result<()> {
        lock(self.shared).messages[from] += usize::from(!data.is_empty());
        if data.len() <= SEGMENT {
            return self.segment(from, flags, data);
        }
        data.chunks(SEGMENT).try_for_each(|data| self.segment(from, flags, data))
    }

    fn segment(&mut self, from: usize, flags: u8, data: &[u8]) -> std::io::Result<()> {
        let to = 1 - from;
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[to] };
        let packet = packet(self.ends[from], self.ends[to], [self.next[from], acknowledged], flags, data);
        // SYN and FIN have a place in the sequence, too.
        let length = data.len() + usize::from(flags & (SYN | FIN) != 0);
        self.next[from] = self.next[from].wrapping_add(u32::try_from(length).unwrap_or_default());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let length = u32::try_from(packet.len()).unwrap_or_default();
        let seconds = u32::try_from(now.as_secs()).unwrap_or_default();
        let mut record: Vec<u8> =
            [seconds, now.subsec_micros(), length, length].iter().flat_map(|n| n.to_le_bytes()).collect();
        record.extend(packet);
        lock(self.shared).file.write_all(&record)
    }
}

/// The beginning of a capture file of the classic format, of IP packets without anything around them (LINKTYPE_RAW).
fn file_header() -> Vec<u8> {
    let (magic, version, zone, accuracy, longest, raw) = (0xA1B2_C3D4, 0x0004_0002, 0, 0, 1 << 18, 101);
    [magic, version, zone, accuracy, longest, raw].iter().flat_map(|n: &u32| n.to_le_bytes()).collect()
}

/// An IPv4 packet with a TCP segment. Checksums are left out, as for packets that are captured where they are sent.
fn packet(from: SocketAddr, to: SocketAddr, numbers: [u32; 2], flags: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(40 + data.len()).unwrap_or_default().to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, 6, 0, 0];
    for end in [from, to] {
        if let IpAddr::V4(address) = end.ip() {
            packet.extend(address.octets());
        }
    }
    for end in [from, to] {
        packet.extend(end.port().to_be_bytes());
    }
    packet.extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
    packet.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    packet.extend(data);
    packet
}
