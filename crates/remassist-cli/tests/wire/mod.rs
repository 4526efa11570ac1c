//! Captures, made byte for byte.

use std::net::{IpAddr, SocketAddr};

/// What the frames of a capture begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// Ethernet with a tag of a VLAN.
    Vlan,
    Cooked,
    Cooked2,
    Raw,
    Loopback,
    /// Of USB.
    Unknown,
}

impl Link {
    fn number(self) -> u32 {
        match self {
            Self::Ethernet | Self::Vlan => 1,
            Self::Cooked => 113,
            Self::Cooked2 => 276,
            Self::Raw => 101,
            Self::Loopback => 0,
            Self::Unknown => 147,
        }
    }

    fn head(self, ipv6: bool) -> Vec<u8> {
        let kind = if ipv6 { [0x86, 0xDD] } else { [0x08, 0x00] };
        match self {
            Self::Ethernet | Self::Unknown => [&[0x11; 12][..], &kind].concat(),
            Self::Vlan => [&[0x11; 12][..], &[0x81, 0, 0, 5], &kind].concat(),
            Self::Cooked => [&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0][..], &kind].concat(),
            Self::Cooked2 => [&kind[..], &[0; 18]].concat(),
            Self::Raw => Vec::new(),
            Self::Loopback => vec![if ipv6 { 30 } else { 2 }, 0, 0, 0],
        }
    }
}

/// One frame.
#[derive(Debug, Clone)]
pub struct Record {
    pub data: Vec<u8>,
}

fn ip(link: Link, from: SocketAddr, to: SocketAddr, protocol: u8, inner: &[u8]) -> Record {
    let mut data = link.head(from.is_ipv6());
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            data.extend([0x45, 0]);
            data.extend((inner.len() as u16 + 20).to_be_bytes());
            data.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
            data.extend(from.octets());
            data.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            data.extend([0x60, 0, 0, 0]);
            data.extend((inner.len() as u16).to_be_bytes());
            data.extend([protocol, 64]);
            data.extend(from.octets());
            data.extend(to.octets());
        }
        _ => unreachable!("one family"),
    }
    data.extend(inner);
    Record { data }
}

/// A segment; with SYN or with ACK and PSH.
pub fn tcp(link: Link, from: SocketAddr, to: SocketAddr, sequence: u32, syn: bool, payload: &[u8]) -> Record {
    let mut inner = Vec::new();
    inner.extend(from.port().to_be_bytes());
    inner.extend(to.port().to_be_bytes());
    inner.extend(sequence.to_be_bytes());
    inner.extend([0; 4]);
    inner.extend([0x50, if syn { 0x02 } else { 0x18 }, 0xFF, 0xFF, 0, 0, 0, 0]);
    inner.extend(payload);
    ip(link, from, to, 6, &inner)
}

/// A datagram.
pub fn udp(link: Link, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Record {
    let mut inner = Vec::new();
    inner.extend(from.port().to_be_bytes());
    inner.extend(to.port().to_be_bytes());
    inner.extend((payload.len() as u16 + 8).to_be_bytes());
    inner.extend([0, 0]);
    inner.extend(payload);
    ip(link, from, to, 17, &inner)
}

/// 2026-02-28 23:59:58 UTC, in seconds; each frame comes a second and a microsecond later.
const BEGIN: u64 = 1_772_323_198;

/// A file of libpcap.
pub fn pcap(link: Link, records: &[Record], big_endian: bool, nanoseconds: bool) -> Vec<u8> {
    let four = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let two = |n: u16| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut file = Vec::new();
    file.extend(four(if nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 }));
    file.extend(two(2));
    file.extend(two(4));
    for word in [0, 0, 262_144, link.number()] {
        file.extend(four(word));
    }
    for (n, record) in (0_u32..).zip(records) {
        let unit = if nanoseconds { 1000 } else { 1 };
        let len = record.data.len() as u32;
        for word in [BEGIN as u32 + n, (n + 1) * unit, len, len] {
            file.extend(four(word));
        }
        file.extend(&record.data);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes(), &len[..], body, &len].concat()
}

/// A file of pcapng with times in nanoseconds.
pub fn pcapng(link: Link, records: &[Record]) -> Vec<u8> {
    let mut file =
        block(0x0A0D_0D0A, &[&0x1A2B_3C4D_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat());
    // if_tsresol 9, then the end of the options.
    let description = [
        &(link.number() as u16).to_le_bytes()[..],
        &[0, 0],
        &[0, 0, 4, 0],
        &[9, 0, 1, 0, 9, 0, 0, 0],
        &[0; 4],
    ];
    file.extend(block(1, &description.concat()));
    for (n, record) in (0_u64..).zip(records) {
        let time = (BEGIN + n) * 1_000_000_000 + (n + 1) * 1000 + 500;
        let len = record.data.len() as u32;
        let mut body = Vec::new();
        for word in [0, (time >> 32) as u32, time as u32, len, len] {
            body.extend(word.to_le_bytes());
        }
        body.extend(&record.data);
        body.resize(body.len().next_multiple_of(4), 0);
        file.extend(block(6, &body));
    }
    file
}
