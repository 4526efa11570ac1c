//! Who stands between an expert and a novice, and sees whole frames.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rdp_standard_security::Frames;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Expert,
    Novice,
}

/// Is shown every frame before it goes on, and may change it.
pub type Look = Arc<Mutex<dyn FnMut(From, &mut [u8]) + Send>>;

/// Where to connect instead.
pub async fn relay(to: SocketAddr, look: Look) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((expert, _)) = listener.accept().await {
            let novice = TcpStream::connect(to).await.unwrap();
            let ((expert_in, expert_out), (novice_in, novice_out)) =
                (expert.into_split(), novice.into_split());
            tokio::spawn(pass(From::Expert, expert_in, novice_out, Arc::clone(&look)));
            tokio::spawn(pass(From::Novice, novice_in, expert_out, Arc::clone(&look)));
        }
    });
    address
}

async fn pass(from: From, mut input: OwnedReadHalf, mut output: OwnedWriteHalf, look: Look) {
    let (mut frames, mut piece) = (Frames::new(), [0; 16 << 10]);
    while let Ok(read @ 1..) = input.read(&mut piece).await {
        frames.push(&piece[..read]);
        while let Some(frame) = frames.next().unwrap() {
            let mut frame = frame.to_vec();
            (look.lock().unwrap())(from, &mut frame);
            if output.write_all(&frame).await.is_err() {
                return;
            }
        }
    }
    let _gone = output.shutdown().await;
}
