//! Who stands between an expert and a novice, at both ports: passes PDUs on, whole or in pieces, and does one of them harm.
//!
//! The novice listens at 127.0.0.2, the relay with the same object port at another address of the machine. There the
//! expert finds it, as it tries every port at the address at which it has found the resolver.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ra_dcom::novice::NoviceServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Where the novice is.
pub const NOVICE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where the first relay is.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Expert,
    Novice,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    Reset,
    Finish,
    /// Nothing comes any more, and nobody says so.
    Silence,
}

/// What happens to a PDU.
#[derive(Debug, Clone)]
pub enum Fault {
    /// So many of its bytes arrive, then the connection ends.
    Kill(usize, Kill),
    /// Other bytes come before it.
    Insert(Vec<u8>),
    Flip {
        byte: usize,
        bit: u8,
    },
    Repeat,
    Drop,
    /// Comes after the next one of its direction.
    Late,
    /// Comes without its signature.
    Bare,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub from: From,
    /// Counted in its direction from 0, both ports together.
    pub number: usize,
    pub fault: Fault,
}

/// How PDUs that suffer no harm arrive.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// Bytes in one piece.
    pub pieces: usize,
    /// All fragments of a call at once.
    pub merged: bool,
}

impl Delivery {
    pub const WHOLE: Self = Self { pieces: usize::MAX, merged: false };
}

/// A PDU that has come.
#[derive(Debug, Clone)]
pub struct Seen {
    pub from: From,
    pub bytes: Vec<u8>,
    /// A call that gives references back, or the answer to one: its failure is not told.
    pub release: bool,
}

impl Seen {
    /// Whether it is a request or a response with a signature.
    pub fn is_signed(&self) -> bool {
        matches!(self.bytes[2], 0 | 2) && self.bytes[10..12] != [0, 0]
    }
}

struct Inner {
    plan: Option<Plan>,
    delivery: Delivery,
    numbers: [AtomicUsize; 2],
    seen: Mutex<Vec<Seen>>,
    hit: Mutex<Option<Seen>>,
}

/// A relay, until it is dropped.
pub struct Relay {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// At an address that no other relay has.
    pub fn start(to: &NoviceServer, plan: Option<Plan>, delivery: Delivery) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let inner = Arc::new(Inner {
            plan,
            delivery,
            numbers: Default::default(),
            seen: Mutex::default(),
            hit: Mutex::default(),
        });
        // Other processes may have taken one.
        let (resolver, objects) = (0..100)
            .find_map(|_| {
                let ip = Ipv4Addr::from_bits(FIRST.to_bits() + NEXT.fetch_add(1, Ordering::Relaxed));
                let objects = listen((ip, to.object_addrs()[0].port()).into()).ok()?;
                Some((listen((ip, 0).into()).ok()?, objects))
            })
            .unwrap();
        let address = resolver.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&inner).serve(resolver, to.resolver_addrs()[0]));
        tasks.spawn(Arc::clone(&inner).serve(objects, to.object_addrs()[0]));
        Self { address, inner, _tasks: tasks }
    }

    /// All PDUs that have come.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// How many that is.
    pub fn count(&self) -> usize {
        self.inner.seen.lock().unwrap().len()
    }

    /// The PDU that has met its fault.
    pub fn hit(&self) -> Option<Seen> {
        self.inner.hit.lock().unwrap().clone()
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(64)
}

impl Inner {
    async fn serve(self: Arc<Self>, listener: TcpListener, to: SocketAddr) {
        let mut connections = JoinSet::new();
        loop {
            let (expert, _) = listener.accept().await.unwrap();
            let this = Arc::clone(&self);
            connections.spawn(async move {
                let Ok(novice) = TcpStream::connect(to).await else { return };
                this.carry(expert, novice).await;
            });
            while connections.try_join_next().is_some() {}
        }
    }

    async fn carry(&self, mut expert: TcpStream, mut novice: TcpStream) {
        expert.set_nodelay(true).unwrap();
        novice.set_nodelay(true).unwrap();
        let releases = Mutex::default();
        let kill = {
            let (mut of_expert, mut to_expert) = expert.split();
            let (mut of_novice, mut to_novice) = novice.split();
            let there = self.pass(From::Expert, &releases, &mut of_expert, &mut to_novice);
            let back = self.pass(From::Novice, &releases, &mut of_novice, &mut to_expert);
            tokio::pin!(there, back);
            tokio::select! {
                Err(kill) = &mut there => kill,
                Err(kill) = &mut back => kill,
                else => return,
            }
        };
        match kill {
            Kill::Finish => {}
            Kill::Reset => {
                expert.set_zero_linger().unwrap();
                novice.set_zero_linger().unwrap();
            }
            Kill::Silence => std::future::pending().await,
        }
    }

    async fn pass(
        &self,
        from: From,
        releases: &Mutex<Vec<[u8; 4]>>,
        input: &mut ReadHalf<'_>,
        output: &mut WriteHalf<'_>,
    ) -> Result<(), Kill> {
        let (mut waiting, mut late) = (Vec::new(), None);
        while let Some(bytes) = pdu(input).await {
            let seen = Seen { from, release: self.releases(from, releases, &bytes), bytes };
            let number = self.numbers[usize::from(from == From::Novice)].fetch_add(1, Ordering::Relaxed);
            self.seen.lock().unwrap().push(seen.clone());
            let plan = self.plan.as_ref().filter(|plan| plan.from == from && plan.number == number);
            if plan.is_some() {
                *self.hit.lock().unwrap() = Some(seen.clone());
            }
            let bytes = seen.bytes;
            let last = bytes[3] & 2 != 0;
            match plan.map(|plan| &plan.fault) {
                None => waiting.extend(bytes),
                Some(Fault::Kill(after, kill)) => {
                    waiting.extend(&bytes[..(*after).min(bytes.len())]);
                    let _gone = output.write_all(&waiting).await;
                    return Err(*kill);
                }
                Some(Fault::Insert(others)) => waiting.extend([others.as_slice(), &bytes].concat()),
                Some(Fault::Flip { byte, bit }) => {
                    let at = waiting.len() + byte % bytes.len();
                    waiting.extend(bytes);
                    waiting[at] ^= 1 << (bit % 8);
                }
                Some(Fault::Repeat) => waiting.extend([bytes.as_slice(), &bytes].concat()),
                Some(Fault::Drop) => {}
                Some(Fault::Late) => {
                    late = Some(bytes);
                    continue;
                }
                Some(Fault::Bare) => waiting.extend(bare(bytes)),
            }
            waiting.extend(late.take().unwrap_or_default());
            if self.delivery.merged && !last {
                continue;
            }
            for piece in std::mem::take(&mut waiting).chunks(self.delivery.pieces) {
                if output.write_all(piece).await.is_err() {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        }
        let _gone = output.shutdown().await;
        Ok(())
    }

    /// Whether a PDU belongs to IRemUnknown::RemRelease.
    fn releases(&self, from: From, releases: &Mutex<Vec<[u8; 4]>>, bytes: &[u8]) -> bool {
        let call_id = [bytes[12], bytes[13], bytes[14], bytes[15]];
        let mut releases = releases.lock().unwrap();
        match (from, bytes[2]) {
            (From::Expert, 0) => {
                // The others that the expert calls have other numbers, but for ServerAlive2, which has no signature.
                let release = bytes[22..24] == [5, 0];
                releases.extend(release.then_some(call_id));
                release
            }
            (From::Novice, 2 | 3) => releases.contains(&call_id),
            _ => false,
        }
    }
}

async fn pdu(input: &mut ReadHalf<'_>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 16];
    input.read_exact(&mut bytes).await.ok()?;
    bytes.resize(usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), 0);
    input.read_exact(&mut bytes[16..]).await.ok()?;
    Some(bytes)
}

/// A PDU without sec_trailer and token.
fn bare(mut bytes: Vec<u8>) -> Vec<u8> {
    let token = usize::from(u16::from_le_bytes([bytes[10], bytes[11]]));
    if token == 0 {
        return bytes;
    }
    let trailer = bytes.len() - token - 8;
    let end = trailer - usize::from(bytes[trailer + 2]);
    bytes.truncate(end);
    bytes[8..10].copy_from_slice(&u16::try_from(end).unwrap().to_le_bytes());
    bytes[10..12].fill(0);
    bytes
}
