//! A proxy that breaks connections: it cuts them at any byte, withholds what one side says, delays, and closes one direction.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use testkit::measure::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// What happens to a direction of a connection after some bytes.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Nothing.
    None,
    /// The whole connection is cut.
    Cut,
    /// What comes is dropped; a while later the connection is cut.
    Withhold,
    /// Nothing comes for a while.
    Delay,
    /// This direction is closed; a while later the connection is cut.
    Close,
}

pub struct Proxy {
    pub port: u16,
    /// Connections, and those that were broken.
    pub connections: Arc<AtomicU64>,
    pub faults: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// To a port of this machine.
    pub fn start(to: u16, seed: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, faults) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let counters = (Arc::clone(&connections), Arc::clone(&faults));
        runtime.spawn(async move {
            let mut random = Random(seed);
            while let Ok((stream, _)) = listener.accept().await {
                counters.0.fetch_add(1, Ordering::Relaxed);
                let seeds = [random.number(), random.number()];
                tokio::spawn(connection(stream, to, seeds, Arc::clone(&counters.1)));
            }
        });
        Self { port, connections, faults, _runtime: runtime }
    }
}

async fn connection(stream: TcpStream, to: u16, seeds: [u64; 2], faults: Arc<AtomicU64>) {
    let Ok(other) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await else { return };
    let ((from_a, to_a), (from_b, to_b)) = (stream.into_split(), other.into_split());
    // Whichever ends first ends both: what is dropped is closed.
    tokio::select! {
        () = direction(from_a, to_b, Random(seeds[0]), &faults) => {}
        () = direction(from_b, to_a, Random(seeds[1]), &faults) => {}
    }
}

/// Copies until the fault that chance wants.
async fn direction(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut random: Random, faults: &AtomicU64) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let fault = match random.below(8) {
            0..=2 => Fault::Cut,
            3 => Fault::Withhold,
            4 => Fault::Delay,
            5 => Fault::Close,
            _ => Fault::None,
        };
        // From the first byte on; most of them later.
        let scale = random.below(20);
        let mut left = usize::try_from(random.below(2 << scale)).unwrap();
        while left > 0 {
            let most = left.min(bytes.len());
            let count = match from.read(&mut bytes[..most]).await {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            if to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
            left -= count;
        }
        let while_ = Duration::from_millis(random.below(200));
        faults.fetch_add(u64::from(!matches!(fault, Fault::None)), Ordering::Relaxed);
        match fault {
            Fault::None => {}
            Fault::Cut => return,
            Fault::Delay => sleep(while_).await,
            Fault::Close => {
                let _gone = to.shutdown().await;
                return sleep(while_).await;
            }
            Fault::Withhold => {
                let drop_all = async { while from.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
                let _either = tokio::time::timeout(while_, drop_all).await;
                return;
            }
        }
    }
}
