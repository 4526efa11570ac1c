//! The endpoint mapper (\[C706\] O, [MS-RPCE] 2.2.1.2): where an interface is.

use ndr_oaut::{Full, Ndr, Reader, Varying, Writer};
use remassist_core::{At, Blob, DecodeError, DecodeErrorKind, Format, usize_from};
use rpc_net::{ConnectOptions, Connection, SyntaxId};
use uuid::{Uuid, uuid};

use super::types::Handle;
use super::{Calls, Failure, Outcome};

const MAPPER: SyntaxId = SyntaxId::new(uuid!("e1af8308-5d1f-11c9-91a4-08002b14a0fa"), 3, 0);
const NDR: Uuid = uuid!("8a885d04-1ceb-11c9-9fe8-08002b104860");
const MAP: u16 = 3;
/// Protocol identifiers of floors (\[C706\] I).
const UUID_FLOOR: u8 = 0x0D;
const CONNECTION_ORIENTED: u8 = 0x0B;
const TCP: u8 = 0x07;
const IP: u8 = 0x09;

static TOWER: At = At::new("[C706]", "L", "twr_t", "");

/// twr_t: tower_length, once as the size of the array; then the octets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tower<'a>(Blob<'a>);

impl<'a> Ndr<'a> for Tower<'a> {
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

impl Tower<'_> {
    /// An interface in NDR over TCP, at any port of any address.
    fn of(syntax: SyntaxId) -> Self {
        let mut octets = vec![5, 0];
        let mut floor = |left: &[u8], right: &[u8]| {
            for side in [left, right] {
                octets.extend(u16::try_from(side.len()).unwrap_or(u16::MAX).to_le_bytes());
                octets.extend(side);
            }
        };
        for (uuid, major) in [(syntax.uuid, syntax.major()), (NDR, 2)] {
            let mut left = vec![UUID_FLOOR];
            left.extend(uuid.to_bytes_le());
            left.extend(major.to_le_bytes());
            floor(&left, &[0, 0]);
        }
        floor(&[CONNECTION_ORIENTED], &[0, 0]);
        floor(&[TCP], &[0, 0]);
        floor(&[IP], &[0; 4]);
        Self(octets.into())
    }

    fn port(&self) -> Option<u16> {
        let mut rest = self.0.get(2..)?;
        while let Some((left, right)) = side(&mut rest).zip(side(&mut rest)) {
            if left == [TCP] {
                return Some(u16::from_be_bytes(right.try_into().ok()?));
            }
        }
        None
    }
}

/// One half of a floor.
fn side<'t>(rest: &mut &'t [u8]) -> Option<&'t [u8]> {
    let (length, behind) = rest.split_first_chunk()?;
    let (side, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = behind;
    Some(side)
}

/// Asks the endpoint mapper of a host, without credentials.
pub(crate) async fn port(host: &str, syntax: SyntaxId) -> Outcome<u16> {
    let connection = Connection::connect((host, 135), &ConnectOptions::default()).await?;
    let calls = Calls { interface: connection.interface(MAPPER).await?, name: "epmapper" };
    let tower = Full::New { id: 2, value: Tower::of(syntax) };
    // obj, map_tower, entry_handle, max_towers.
    let asked = (Full::<Uuid>::Null, tower, Handle::default(), 4_u32);
    let answer = calls.ask(MAP, asked).await?;
    // entry_handle, num_towers, towers.
    let (_, count, towers) = answer.read::<(Handle, u32, Varying<Full<Tower<'_>>>)>()?;
    if usize_from(count) != towers.elements.len() {
        return Err(Failure::Wrong("num_towers is not the number of towers"));
    }
    let mut ports = towers.elements.iter().filter_map(|tower| match tower {
        Full::New { value, .. } => value.port(),
        _ => None,
    });
    ports.next_back().ok_or(Failure::Wrong("no port of the interface"))
}
