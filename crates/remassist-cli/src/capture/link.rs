//! From a frame to what TCP or UDP carries.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};

use super::file::Frame;

/// A segment of TCP.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    pub sequence: u32,
    pub syn: bool,
    pub payload: &'a [u8],
}

/// What a frame carries.
#[derive(Debug, Clone, Copy)]
pub enum Carried<'a> {
    Tcp(SocketAddr, SocketAddr, Segment<'a>),
    Udp(SocketAddr, SocketAddr, &'a [u8]),
    /// A part of an IP packet.
    Fragment,
    /// A link layer that is not known.
    UnknownLink(i32),
    /// Neither TCP nor UDP.
    Other,
}

impl<'a> Carried<'a> {
    pub fn of(frame: &Frame<'a>) -> Self {
        let data = frame.data;
        let at = |offset: usize| data.get(offset..).unwrap_or_default();
        let ether_type = |bytes: &[u8]| bytes.first_chunk().map_or(0, |two| u16::from_be_bytes(*two));
        let sliced = match frame.link {
            1 => LaxSlicedPacket::from_ethernet(data).ok(),
            // BSD loopback: the family of addresses; raw IP, of several numbers.
            0 | 108 => LaxSlicedPacket::from_ip(at(4)).ok(),
            12 | 14 | 101 | 228 | 229 => LaxSlicedPacket::from_ip(data).ok(),
            // Linux cooked, versions 1 and 2.
            113 => Some(LaxSlicedPacket::from_ether_type(EtherType(ether_type(at(14))), at(16))),
            276 => Some(LaxSlicedPacket::from_ether_type(EtherType(ether_type(data)), at(20))),
            other => return Self::UnknownLink(other),
        };
        sliced.map_or(Self::Other, |sliced| Self::of_ip(&sliced))
    }

    fn of_ip(sliced: &LaxSlicedPacket<'a>) -> Self {
        let (from, to): (IpAddr, IpAddr) = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            _ => return Self::Other,
        };
        let fragmented =
            sliced.net.as_ref().and_then(LaxNetSlice::ip_payload_ref).is_some_and(|p| p.fragmented);
        match &sliced.transport {
            _ if fragmented => Self::Fragment,
            Some(TransportSlice::Tcp(tcp)) => Self::Tcp(
                SocketAddr::new(from, tcp.source_port()),
                SocketAddr::new(to, tcp.destination_port()),
                Segment { sequence: tcp.sequence_number(), syn: tcp.syn(), payload: tcp.payload() },
            ),
            Some(TransportSlice::Udp(udp)) => Self::Udp(
                SocketAddr::new(from, udp.source_port()),
                SocketAddr::new(to, udp.destination_port()),
                udp.payload(),
            ),
            _ => Self::Other,
        }
    }
}
