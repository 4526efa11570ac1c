//! A mover whose connection is cut: whatever was under way, each message is taken once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use comqc_msmq::mqrr::{Mover, RemoteOptions, RemoteQueue};
use comqc_msmq::sqlite::Store;
use testkit::measure::{record, soak};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::setup::{House, credentials};

/// A relay whose first connection ends after so many bytes, both ways together; how many went through it.
async fn cut_after(port: u16, most: u64) -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let passed = Arc::<AtomicU64>::default();
    let count = Arc::clone(&passed);
    tokio::spawn(async move {
        let mut left = most;
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let limit = std::mem::replace(&mut left, u64::MAX);
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut passed = 0;
                let (mut here, mut there) = ([0; 512], [0; 512]);
                while passed < limit {
                    let (bytes, to) = tokio::select! {
                        Ok(n @ 1..) = client.read(&mut here) => (&here[..n], &mut server),
                        Ok(n @ 1..) = server.read(&mut there) => (&there[..n], &mut client),
                        else => break,
                    };
                    let room = usize::try_from(limit - passed).unwrap_or(usize::MAX);
                    let bytes = &bytes[..bytes.len().min(room)];
                    passed += bytes.len() as u64;
                    if to.write_all(bytes).await.is_err() {
                        break;
                    }
                }
                count.fetch_add(passed, Ordering::Relaxed);
            });
        }
    });
    (own, passed)
}

/// Moves two messages through a connection that is cut; how many steps failed, and whether the cut came.
async fn moved(most: u64) -> (usize, bool) {
    let house = House::new().await;
    let ids = house.fill(&["one", "two"]);
    let (port, passed) = cut_after(house.port(), most).await;
    let mut options = RemoteOptions::new(credentials("bob"));
    options.port = Some(port);
    let remote = RemoteQueue::new("TCP:127.0.0.1\\private$\\orders".parse().unwrap(), options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(folder.path().join("local.db")).unwrap().queue("orders").unwrap();
    let mover = Mover::new(remote.clone(), local.clone());
    let mut failed = 0;
    while house.orders().count().unwrap().main > 0 {
        failed += usize::from(mover.step(Duration::from_secs(20)).await.is_err());
        assert!(failed <= 2, "cut after {most} bytes: one connection is cut, and no other");
    }
    let here = local.list(comqc_msmq::Place::Main, None, 10).unwrap();
    assert_eq!(here.iter().map(|row| row.id).collect::<Vec<_>>(), ids, "cut after {most} bytes");
    (failed, passed.load(Ordering::Relaxed) >= most)
}

#[tokio::test]
async fn a_cut_anywhere_loses_nothing_and_takes_nothing_twice() {
    let began = Instant::now();
    let step = if soak() { 5 } else { 211 };
    let (mut cuts, mut failures) = (0, 0);
    for most in (0..).step_by(step) {
        let (failed, cut) = moved(most).await;
        if !cut {
            break;
        }
        cuts += 1;
        failures += failed;
    }
    assert!(cuts > 10 && failures > 10, "{cuts} cuts, {failures} failures");
    record(
        "RemoteRead, two messages moved with a cut at every fifth byte",
        began,
        format!("{cuts} cuts, none lost, none twice"),
    );
}
