//! Segments of TCP, put together by their sequence numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use remassist::msmq::{PING_PORT, PacketBuffer, TCP_PORT};

use super::file::{Frame, Moment};
use super::link::{Carried, Segment};
use crate::{Failure, msmq};

/// Directions of connections that are followed at a time.
const MAX_STREAMS: usize = 4096;
/// Bytes that may wait for earlier ones, in all streams.
const MAX_WAITING: usize = 32 << 20;

/// What was found, and where.
pub struct Found<'a> {
    pub time: Option<Moment>,
    pub transport: &'static str,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub what: What<'a>,
}

#[derive(Clone, Copy)]
pub enum What<'a> {
    /// A whole packet or ping.
    Packet(&'a [u8]),
    /// What is to be known about this stream.
    Note(&'a str),
}

type Emit<'e> = dyn FnMut(Found<'_>) -> Result<(), Failure> + 'e;

/// All directions of all connections.
#[derive(Default)]
pub struct Streams {
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
    waiting: usize,
    fragments: usize,
    too_many: usize,
    unknown_links: BTreeMap<i32, usize>,
}

/// One direction of a connection.
#[derive(Default)]
struct Stream {
    buffer: PacketBuffer,
    /// Position of the first byte.
    start: u64,
    /// Position of the next byte; its low half is a sequence number. None as long as no packet began.
    next: Option<u64>,
    /// Segments that came before earlier ones.
    early: BTreeMap<u64, Vec<u8>>,
    time: Option<Moment>,
}

impl Streams {
    /// Takes a frame, and tells what has become whole by it.
    pub fn take(&mut self, frame: &Frame<'_>, emit: &mut Emit<'_>) -> Result<(), Failure> {
        match Carried::of(frame) {
            Carried::Tcp(from, to, segment) if from.port() == TCP_PORT || to.port() == TCP_PORT => {
                if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&(from, to)) {
                    self.too_many = self.too_many.saturating_add(1);
                    return Ok(());
                }
                let stream = self.streams.entry((from, to)).or_default();
                stream.time = frame.time;
                let mut tell = Tell { time: frame.time, from, to, emit };
                stream.segment(segment, &mut self.waiting, &mut tell)
            }
            Carried::Udp(from, to, bytes) if from.port() == PING_PORT || to.port() == PING_PORT => {
                emit(Found { time: frame.time, transport: "udp", from, to, what: What::Packet(bytes) })
            }
            Carried::Fragment => {
                self.fragments = self.fragments.saturating_add(1);
                Ok(())
            }
            Carried::UnknownLink(link) => {
                let count = self.unknown_links.entry(link).or_default();
                *count = count.saturating_add(1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tells what is left at the end: packets behind bytes that never came, and packets that were not whole.
    pub fn finish(&mut self, emit: &mut Emit<'_>) -> Result<(), Failure> {
        for ((from, to), stream) in &mut self.streams {
            let mut tell = Tell { time: stream.time, from: *from, to: *to, emit };
            while !stream.early.is_empty() {
                stream.jump(&mut self.waiting, &mut tell)?;
            }
            let (pending, needed) = (stream.buffer.pending(), stream.buffer.needed());
            if pending > 0 {
                tell.note(&format!("the last packet is not whole: {pending} bytes, {needed} more needed"))?;
            }
        }
        Ok(())
    }

    /// What was not looked into, for the last line.
    pub fn left_out(&self) -> String {
        let mut text = String::new();
        let mut add = |count: usize, what: &str| {
            if count > 0 {
                let _infallible = write!(text, "; {count} {what}");
            }
        };
        add(self.fragments, "fragments of IP packets are left out");
        add(self.too_many, "frames of more connections than are followed are left out");
        for (link, count) in &self.unknown_links {
            add(*count, &format!("frames of the link type {link}, which is not known, are left out"));
        }
        text
    }
}

/// Where what is found goes to.
struct Tell<'t, 'e> {
    time: Option<Moment>,
    from: SocketAddr,
    to: SocketAddr,
    emit: &'t mut Emit<'e>,
}

impl Tell<'_, '_> {
    fn tell(&mut self, what: What<'_>) -> Result<(), Failure> {
        let Self { time, from, to, .. } = *self;
        (self.emit)(Found { time, transport: "tcp", from, to, what })
    }

    fn note(&mut self, note: &str) -> Result<(), Failure> {
        self.tell(What::Note(note))
    }
}

impl Stream {
    fn segment(
        &mut self,
        segment: Segment<'_>,
        waiting: &mut usize,
        tell: &mut Tell<'_, '_>,
    ) -> Result<(), Failure> {
        let Segment { sequence, syn, payload } = segment;
        if syn {
            let next = sequence.wrapping_add(1);
            // Not the same SYN again, nor one that comes late: another connection between the same ports.
            if self.next.is_none() || low(self.start) != next {
                let lost = self.buffer.pending();
                if lost > 0 {
                    tell.note(&format!("another connection begins; {lost} bytes of a packet are left"))?;
                }
                *waiting = waiting.saturating_sub(self.early.values().map(Vec::len).sum());
                *self = Self { time: self.time, ..Self::default() };
                self.begin(next);
            }
            return self.place(next, payload, waiting, tell);
        }
        if payload.is_empty() {
            return Ok(());
        }
        if self.next.is_none() {
            // The capture began after the connection: with the first packet that begins a segment.
            if !msmq::recognises(payload) {
                return Ok(());
            }
            self.begin(sequence);
        }
        self.place(sequence, payload, waiting, tell)
    }

    fn begin(&mut self, sequence: u32) {
        // Room for what comes late.
        self.start = u64::from(sequence) | 1 << 32;
        self.next = Some(self.start);
    }

    /// Puts a payload where it belongs.
    fn place(
        &mut self,
        sequence: u32,
        payload: &[u8],
        waiting: &mut usize,
        tell: &mut Tell<'_, '_>,
    ) -> Result<(), Failure> {
        let Some(next) = self.next else { return Ok(()) };
        let distance = i64::from(sequence.wrapping_sub(low(next)).cast_signed());
        let position = next.saturating_add_signed(distance);
        if position > next {
            let known = self.early.get(&position).map_or(0, Vec::len);
            if known < payload.len() {
                *waiting = waiting.saturating_add(payload.len()).saturating_sub(known);
                self.early.insert(position, payload.to_vec());
            }
            if *waiting > MAX_WAITING {
                self.jump(waiting, tell)?;
            }
            return Ok(());
        }
        self.feed(position, payload, waiting, tell)?;
        while let Some(next) = self.next
            && let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() <= next)
        {
            let (position, payload) = entry.remove_entry();
            *waiting = waiting.saturating_sub(payload.len());
            self.feed(position, &payload, waiting, tell)?;
        }
        Ok(())
    }

    /// Takes what is new of a payload that begins at the next byte or before it.
    fn feed(
        &mut self,
        position: u64,
        payload: &[u8],
        waiting: &mut usize,
        tell: &mut Tell<'_, '_>,
    ) -> Result<(), Failure> {
        let Some(next) = self.next else { return Ok(()) };
        let known = usize::try_from(next.saturating_sub(position)).unwrap_or(usize::MAX);
        let Some(new) = payload.get(known..).filter(|new| !new.is_empty()) else { return Ok(()) };
        self.next = Some(next.saturating_add(new.len() as u64));
        self.buffer.push(new);
        loop {
            match self.buffer.pull() {
                Ok(None) => return Ok(()),
                Ok(Some(packet)) => tell.tell(What::Packet(packet))?,
                Err(error) => {
                    tell.note(&format!("not a packet: {error}; waiting for one that begins a segment"))?;
                    *waiting = waiting.saturating_sub(self.early.values().map(Vec::len).sum());
                    *self = Self { time: self.time, ..Self::default() };
                    return Ok(());
                }
            }
        }
    }

    /// Gives up what is missing: goes on with the first packet that begins a segment after it.
    fn jump(&mut self, waiting: &mut usize, tell: &mut Tell<'_, '_>) -> Result<(), Failure> {
        let Some(next) = self.next else { return Ok(()) };
        let missing = self.early.first_key_value().map_or(0, |(position, _)| position.saturating_sub(next));
        tell.note(&format!("{missing} bytes were not captured"))?;
        self.buffer = PacketBuffer::default();
        self.next = None;
        while let Some((position, payload)) = self.early.pop_first() {
            *waiting = waiting.saturating_sub(payload.len());
            if self.next.is_none() && !msmq::recognises(&payload) {
                continue;
            }
            let next = *self.next.get_or_insert(position);
            if position > next {
                // Something is missing again.
                *waiting = waiting.saturating_add(payload.len());
                self.early.insert(position, payload);
                break;
            }
            self.feed(position, &payload, waiting, tell)?;
        }
        Ok(())
    }
}

/// The sequence number of a position.
fn low(position: u64) -> u32 {
    let [a, b, c, d, ..] = position.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
