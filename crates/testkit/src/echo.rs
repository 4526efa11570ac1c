//! A server with a small service, for the tests of rpc-net.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use rpc_net::{
    Audit, AuditEvent, AuthLevel, ConnectOptions, Connection, Credentials, IncomingCall, Interface,
    MemoryAccounts, Server, ServerOptions, Service, Status, SyntaxId,
};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use uuid::{Uuid, uuid};

pub const INTERFACE: SyntaxId = SyntaxId::new(uuid!("5a7f1c52-86d4-4a0c-9a4b-0c5e3b0f2a11"), 1, 0);
pub const PASSWORD: &str = "pass wörd 😀";

/// Interfaces that the service has too.
pub fn other(number: u8) -> SyntaxId {
    SyntaxId::new(Uuid::from_fields(0xABCD_0000, 0, 0, &[0, 0, 0, 0, 0, 0, 0, number]), 1, 0)
}

/// The service: operations by number.
pub struct Echo {
    /// Calls of `WAIT` wait for a permit.
    pub gate: Semaphore,
    /// Calls of `WAIT` that have begun, and those that were dropped.
    pub waiting: Mutex<(usize, usize)>,
    /// Told when `waiting` has changed.
    pub changed: tokio::sync::Notify,
}

impl Echo {
    pub const REVERSE: u16 = 0;
    pub const WHO: u16 = 1;
    pub const FAULT: u16 = 2;
    pub const WAIT: u16 = 3;
    /// May be called by anybody.
    pub const OPEN: u16 = 4;
    pub const PANIC: u16 = 5;
    /// Gives as many bytes as the u32 that comes.
    pub const BIG: u16 = 6;
    pub const FORBIDDEN: u16 = 7;

    /// Waits until so many calls have begun and so many were dropped.
    pub async fn until(&self, begun: usize, dropped: usize) {
        loop {
            let changed = self.changed.notified();
            if *self.waiting.lock().unwrap() == (begun, dropped) {
                return;
            }
            changed.await;
        }
    }
}

struct Dropped<'a>(&'a Echo, bool);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.waiting.lock().unwrap().1 += 1;
            self.0.changed.notify_waiters();
        }
    }
}

impl Service for Echo {
    fn supports(&self, interface: &SyntaxId) -> bool {
        *interface == INTERFACE || interface.uuid.as_fields().0 == 0xABCD_0000
    }

    fn minimum_level(&self, _: &SyntaxId, opnum: u16) -> AuthLevel {
        if opnum == Self::OPEN { AuthLevel::NONE } else { AuthLevel::INTEGRITY }
    }

    async fn call(&self, call: IncomingCall) -> Result<Vec<u8>, Status> {
        match call.opnum {
            Self::REVERSE => Ok(call.stub.into_iter().rev().collect()),
            Self::WHO | Self::OPEN => {
                let name = call.caller.map(|caller| {
                    assert_eq!(caller.level, call.level);
                    format!("{}\\{}", caller.domain, caller.user)
                });
                Ok(format!("{name:?} {}", call.level).into_bytes())
            }
            Self::FAULT => Err(Status(0x1234_5678)),
            Self::FORBIDDEN => Err(Status(0)),
            Self::WAIT => {
                self.waiting.lock().unwrap().0 += 1;
                self.changed.notify_waiters();
                let mut dropped = Dropped(self, false);
                self.gate.acquire().await.unwrap().forget();
                dropped.1 = true;
                Ok(call.stub)
            }
            Self::PANIC => panic!("as asked"),
            Self::BIG => {
                let len = u32::from_le_bytes(call.stub.try_into().unwrap());
                Ok((0..=255).cycle().take(len as usize).collect())
            }
            _ => Err(Status::OP_RNG_ERROR),
        }
    }
}

/// Keeps what has happened.
#[derive(Default)]
pub struct Kept {
    events: Mutex<Vec<AuditEvent>>,
    changed: tokio::sync::Notify,
}

impl Audit for Kept {
    fn event(&self, event: &AuditEvent) {
        self.events.lock().unwrap().push(event.clone());
        self.changed.notify_waiters();
    }
}

impl Kept {
    pub fn take(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    /// Waits for an event.
    pub async fn until(&self, wanted: impl Fn(&AuditEvent) -> bool) {
        loop {
            let changed = self.changed.notified();
            if self.events.lock().unwrap().iter().any(&wanted) {
                return;
            }
            changed.await;
        }
    }
}

pub fn accounts() -> MemoryAccounts {
    MemoryAccounts::new().with(None, "alice", PASSWORD)
}

pub fn echo() -> Arc<Echo> {
    let gate = Semaphore::new(0);
    Arc::new(Echo { gate, waiting: Mutex::default(), changed: Default::default() })
}

pub async fn serve(options: ServerOptions) -> (Server, Arc<Kept>) {
    let (server, audit, _) = serve_echo(options).await;
    (server, audit)
}

pub async fn serve_echo(options: ServerOptions) -> (Server, Arc<Kept>, Arc<Echo>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let audit = Arc::new(Kept::default());
    let echo = echo();
    let service = Arc::clone(&echo);
    let kept = Arc::clone(&audit);
    let server = Server::serve(vec![listener], service, Arc::new(accounts()), kept, options).unwrap();
    (server, audit, echo)
}

pub fn options() -> ConnectOptions {
    ConnectOptions::new(Credentials::new("DOM", "Alice", PASSWORD))
}

pub async fn interface(server: &Server, options: &ConnectOptions) -> Interface {
    let connection = Connection::connect(server.local_addrs()[0], options).await.unwrap();
    connection.interface(INTERFACE).await.unwrap()
}

/// What becomes of a PDU on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Pass,
    /// The connection is cut in its place.
    Cut,
    /// It and all that follows in this direction never arrive.
    Stall,
}

/// A relay for one connection: `edit` sees each PDU, with whether it is the client's and its number in its direction.
pub async fn relay(
    server: std::net::SocketAddr,
    edit: impl Fn(bool, usize, &mut Vec<u8>) -> Fate + Send + Sync + 'static,
) -> std::net::SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = tokio::net::TcpStream::connect(server).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = forward(from_client, to_server, |n, pdu| edit(true, n, pdu)) => {}
            () = forward(from_server, to_client, |n, pdu| edit(false, n, pdu)) => {}
        }
    });
    address
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    edit: impl Fn(usize, &mut Vec<u8>) -> Fate,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for number in 0.. {
        let mut pdu = vec![0; 16];
        if from.read_exact(&mut pdu).await.is_err() {
            return;
        }
        pdu.resize(usize::from(u16::from_le_bytes([pdu[8], pdu[9]])), 0);
        if from.read_exact(&mut pdu[16..]).await.is_err() {
            return;
        }
        match edit(number, &mut pdu) {
            Fate::Pass => {}
            Fate::Cut => return,
            Fate::Stall => std::future::pending().await,
        }
        if to.write_all(&pdu).await.is_err() {
            return;
        }
    }
}
