//! What stands between the two sides: it counts, and it stops or breaks the connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ra_session::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How a connection ends that nobody has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// Both ends are reset.
    Reset,
    /// Both ends see the end of the stream.
    Finish,
    /// Nothing comes any more, and nobody says so.
    Silence,
}

/// When it does.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub kill: Kill,
    /// Whose bytes are counted.
    pub from: Role,
    /// The last of them that gets through.
    pub after: u64,
}

/// A relay for one connection.
pub struct Relay {
    pub address: SocketAddr,
    /// Kills at once, whatever the plan says.
    pub now: Arc<Notify>,
    /// Whether the connection was killed.
    pub killed: watch::Receiver<bool>,
    /// Lets a silent connection go.
    pub release: Arc<Notify>,
    pub task: JoinHandle<()>,
}

impl Relay {
    pub async fn new(to: SocketAddr, plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (now, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, killed) = watch::channel(false);
        let (at_once, released) = (Arc::clone(&now), Arc::clone(&release));
        let task = tokio::spawn(async move {
            let (expert, _) = listener.accept().await.unwrap();
            drop(listener);
            let novice = TcpStream::connect(to).await.unwrap();
            let (mut expert, mut novice) = (expert, novice);
            carry(&mut expert, &mut novice, plan, &at_once).await;
            if plan.kill == Kill::Reset {
                expert.set_zero_linger().unwrap();
                novice.set_zero_linger().unwrap();
                drop((expert, novice));
                tell.send_replace(true);
                return;
            }
            if plan.kill == Kill::Finish {
                let _gone = (expert.shutdown().await, novice.shutdown().await);
                tell.send_replace(true);
                // What still comes is taken, so that it is not answered with a reset.
                let mut nothing = (tokio::io::sink(), tokio::io::sink());
                let _gone = tokio::join!(
                    tokio::io::copy(&mut expert, &mut nothing.0),
                    tokio::io::copy(&mut novice, &mut nothing.1)
                );
                return;
            }
            tell.send_replace(true);
            released.notified().await;
        });
        Self { address, now, killed, release, task }
    }
}

/// Carries bytes both ways until the plan, or the program, says that it is enough, or one side is gone.
async fn carry(expert: &mut TcpStream, novice: &mut TcpStream, plan: Plan, now: &Notify) {
    let (mut of_expert, mut to_expert) = expert.split();
    let (mut of_novice, mut to_novice) = novice.split();
    let mut left = plan.after;
    let mut buffers = ([0; 4096], [0; 4096]);
    loop {
        let (from, read) = tokio::select! {
            read = of_expert.read(&mut buffers.0) => (Role::Expert, read),
            read = of_novice.read(&mut buffers.1) => (Role::Novice, read),
            () = now.notified() => return,
        };
        let Ok(read @ 1..) = read else { return };
        let mut pass = read;
        if from == plan.from {
            pass = pass.min(usize::try_from(left).unwrap_or(usize::MAX));
            left -= pass as u64;
        }
        let write = async {
            match from {
                Role::Expert => to_novice.write_all(&buffers.0[..pass]).await,
                Role::Novice => to_expert.write_all(&buffers.1[..pass]).await,
            }
        };
        let written = tokio::select! {
            written = write => written,
            () = now.notified() => return,
        };
        if written.is_err() || left == 0 {
            return;
        }
    }
}

/// A relay that can be told to read nothing of one side for a while.
pub struct Gate {
    pub address: SocketAddr,
    open: watch::Sender<bool>,
    /// Bytes that have come from that side.
    pub passed: Arc<AtomicU64>,
    pub stalled: Arc<AtomicBool>,
}

impl Gate {
    /// `held`: whose bytes are held back while the gate is shut.
    pub async fn new(to: SocketAddr, held: Role) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, mut is_open) = watch::channel(true);
        let passed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&passed);
        let stalled = Arc::new(AtomicBool::new(false));
        let is_stalled = Arc::clone(&stalled);
        tokio::spawn(async move {
            let (expert, _) = listener.accept().await.unwrap();
            let novice = TcpStream::connect(to).await.unwrap();
            let (of_expert, to_expert) = expert.into_split();
            let (of_novice, to_novice) = novice.into_split();
            let (mut of_held, mut to_other, mut of_other, mut to_held) = match held {
                Role::Expert => (of_expert, to_novice, of_novice, to_expert),
                Role::Novice => (of_novice, to_expert, of_expert, to_novice),
            };
            let free = async { tokio::io::copy(&mut of_other, &mut to_held).await.map(drop) };
            let gated = async {
                let mut buffer = vec![0; 16 << 10];
                loop {
                    is_stalled.store(!*is_open.borrow(), Ordering::Relaxed);
                    if is_open.wait_for(|open| *open).await.is_err() {
                        return io_end();
                    }
                    let read = of_held.read(&mut buffer).await?;
                    if read == 0 {
                        return to_other.shutdown().await;
                    }
                    count.fetch_add(read as u64, Ordering::Relaxed);
                    to_other.write_all(&buffer[..read]).await?;
                }
            };
            let _gone = tokio::join!(free, gated);
        });
        Self { address, open, passed, stalled }
    }

    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

fn io_end() -> std::io::Result<()> {
    Err(std::io::ErrorKind::ConnectionAborted.into())
}
