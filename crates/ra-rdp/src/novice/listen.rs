//! Where a novice listens.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::warn;

/// Connections that the system may hold until they are accepted.
const BACKLOG: i32 = 1024;
/// How long nobody is accepted when that has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address. One of IPv6 is never one of IPv4 as well, whatever the system would do: so both can have the same
/// port.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Elsewhere it would let others take the port away.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The next connection of any listener. No error is the last word: a network comes back, and so do descriptors.
pub(super) async fn any(listeners: &[TcpListener]) -> TcpStream {
    loop {
        let accepted = poll_fn(|cx| {
            let mut ready = listeners.iter().map(|listener| listener.poll_accept(cx));
            ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        match accepted.await {
            Ok((stream, _)) => return stream,
            // A caller who has gone already says nothing about the next one.
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                warn!(%error, "nobody can be accepted now");
                sleep(PAUSE).await;
            }
        }
    }
}
