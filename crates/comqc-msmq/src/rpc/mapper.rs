//! The endpoint mapper (\[C706\] O, [MS-RPCE] 2.2.1.2): at which port an interface is.

use std::net::{IpAddr, Ipv4Addr};

use ndr_oaut::{Full, Ndr, Reader, Varying, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind, Format, len_u32, usize_from};
use rpc_net::{AuthLevel, ConnectOptions, Connection, IncomingCall, Service, Status, SyntaxId};
use tokio::net::ToSocketAddrs;
use uuid::{Uuid, uuid};

use super::call::{Endpoint, RpcError, read, write};
use super::types::ContextHandle;

/// The interface of endpoint mappers, version 3.0, at port 135.
pub const ENDPOINT_MAPPER: SyntaxId = SyntaxId::new(uuid!("e1af8308-5d1f-11c9-91a4-08002b14a0fa"), 3, 0);
const NDR: Uuid = uuid!("8a885d04-1ceb-11c9-9fe8-08002b104860");
const MAP: u16 = 3;
/// Protocol identifiers of floors (\[C706\] I).
const UUID_FLOOR: u8 = 0x0D;
const CONNECTION_ORIENTED: u8 = 0x0B;
const TCP: u8 = 0x07;
const IP: u8 = 0x09;
/// EPT_S_NOT_REGISTERED, as ept_map returns it (\[C706\] E).
const NOT_REGISTERED: u32 = 0x16C9_A0D6;
/// Towers in one answer, at most.
const TOWERS: u32 = 64;

static TOWER: At = At::new("[C706]", "L", "twr_t", "");

/// twr_t: tower_length, once as the size of the array; then the octets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Tower(Vec<u8>);

impl<'a> Ndr<'a> for Tower {
    type Head = Self;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        let (size, length) = (r.u32(&TOWER)?, r.u32(&TOWER)?);
        if size != length {
            return Err(r.error(&TOWER, DecodeErrorKind::Rule("two lengths of a tower")));
        }
        Ok(Self(r.bytes(usize_from(length), &TOWER, Format::Bytes)?.into()))
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.len(self.0.len(), &TOWER);
        w.len(self.0.len(), &TOWER);
        w.bytes(&self.0);
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

impl Tower {
    /// An interface in NDR over TCP.
    fn of(syntax: SyntaxId, port: u16, ip: Ipv4Addr) -> Self {
        let mut octets = vec![5, 0];
        let mut floor = |left: &[u8], right: &[u8]| {
            for side in [left, right] {
                octets.extend(u16::try_from(side.len()).unwrap_or(u16::MAX).to_le_bytes());
                octets.extend(side);
            }
        };
        for (uuid, major, minor) in [(syntax.uuid, syntax.major(), syntax.minor()), (NDR, 2, 0)] {
            let mut left = vec![UUID_FLOOR];
            left.extend(uuid.to_bytes_le());
            left.extend(major.to_le_bytes());
            floor(&left, &minor.to_le_bytes());
        }
        floor(&[CONNECTION_ORIENTED], &[0, 0]);
        floor(&[TCP], &port.to_be_bytes());
        floor(&[IP], &ip.octets());
        Self(octets)
    }

    /// The sides of its floors.
    fn floors(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.0.get(2..).unwrap_or_default();
        std::iter::from_fn(move || side(&mut rest).zip(side(&mut rest)))
    }

    fn port(&self) -> Option<u16> {
        let (_, right) = self.floors().find(|(left, _)| *left == [TCP])?;
        right.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// UUID and major version of the interface in NDR over TCP.
    fn interface(&self) -> Option<(Uuid, u16)> {
        let syntax = |left: &[u8]| {
            let (UUID_FLOOR, rest) = left.split_first().map(|(id, rest)| (*id, rest))? else { return None };
            let (uuid, rest) = rest.split_first_chunk::<16>()?;
            Some((Uuid::from_bytes_le(*uuid), u16::from_le_bytes(*rest.first_chunk()?)))
        };
        let mut floors = self.floors();
        let interface = syntax(floors.next()?.0)?;
        let ndr = syntax(floors.next()?.0)?;
        (ndr == (NDR, 2) && self.port().is_some()).then_some(interface)
    }
}

/// One half of a floor.
fn side<'t>(rest: &mut &'t [u8]) -> Option<&'t [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (side, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = behind;
    Some(side)
}

/// obj, map_tower, entry_handle, max_towers.
type Asked = (Full<Uuid>, Full<Tower>, ContextHandle, u32);
/// entry_handle, num_towers, towers, status.
type Answered = (ContextHandle, u32, Varying<Full<Tower>>, u32);

/// Asks an endpoint mapper for the port of an interface, without credentials, as everybody may.
///
/// # Errors
/// When it cannot be asked, or knows no port.
pub async fn map(mapper: impl ToSocketAddrs, interface: SyntaxId) -> Result<u16, RpcError> {
    let failed = |error| RpcError::Rpc { call: "ept_map", error };
    let connection = Connection::connect(mapper, &ConnectOptions::default()).await.map_err(failed)?;
    let endpoint = Endpoint(connection.interface(ENDPOINT_MAPPER).await.map_err(failed)?);
    let tower = Full::New { id: 2, value: Tower::of(interface, 0, Ipv4Addr::UNSPECIFIED) };
    let asked: Asked = (Full::Null, tower, ContextHandle::NULL, 4);
    let (_, _, towers, status): Answered = endpoint.ask("ept_map", MAP, &asked).await?;
    let port = towers.elements.iter().find_map(|tower| match tower {
        Full::New { value, .. } if status == 0 => value.port(),
        _ => None,
    });
    port.filter(|port| *port != 0).ok_or(RpcError::NotRegistered)
}

/// An endpoint mapper that knows some interfaces: for port 135, where no other program has it. Anybody may ask, and it
/// takes nothing but questions for an interface in NDR over TCP.
#[derive(Debug, Clone, Default)]
pub struct EndpointMapper {
    entries: Vec<(SyntaxId, u16)>,
}

impl EndpointMapper {
    /// One that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With an interface, and its port.
    #[must_use]
    pub fn with(mut self, interface: SyntaxId, port: u16) -> Self {
        self.entries.push((interface, port));
        self
    }

    fn answer(&self, asked: &Asked, local: IpAddr) -> Answered {
        let (_, tower, _, most) = asked;
        let wanted = match tower {
            Full::New { value, .. } => value.interface(),
            _ => None,
        };
        let ip = match local {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let found = self.entries.iter().filter(|(entry, _)| Some((entry.uuid, entry.major())) == wanted);
        let elements: Vec<Full<Tower>> = (3..)
            .zip(found.take(usize_from((*most).min(TOWERS))))
            .map(|(id, (entry, port))| Full::New { id, value: Tower::of(*entry, *port, ip) })
            .collect();
        let status = if elements.is_empty() { NOT_REGISTERED } else { 0 };
        let count = len_u32(elements.len());
        let towers = Varying { max_count: (*most).max(count), offset: 0, elements };
        (ContextHandle::NULL, count, towers, status)
    }
}

impl Service for EndpointMapper {
    fn supports(&self, interface: &SyntaxId) -> bool {
        *interface == ENDPOINT_MAPPER
    }

    fn minimum_level(&self, _: &SyntaxId, _: u16) -> AuthLevel {
        AuthLevel::NONE
    }

    async fn call(&self, call: IncomingCall) -> Result<Vec<u8>, Status> {
        if call.opnum != MAP {
            return Err(Status::OP_RNG_ERROR);
        }
        write(&self.answer(&read(&call)?, call.local.ip()))
    }
}
