//! What stands between the broker and the client library: the library reads nested headers without a bound on their depth,
//! and ends a connection for what it cannot read. Whoever publishes could end every receiver so. Headers that are not fit
//! for it are left out here; their message comes without any.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncRead as TokioRead, AsyncWrite as TokioWrite, ReadBuf};

use crate::filter::Filter;

/// Bytes that are taken from the broker at once.
const PIECE: usize = 32 * 1024;

/// The runtime of the client library, with guarded connections.
pub(crate) type Kit = RuntimeParts<Tokio, Guarded>;

/// Tokio's reactor; connections are made by `dial`.
#[derive(Debug, Clone)]
pub(crate) struct Guarded(pub(crate) Tokio);

impl Reactor for Guarded {
    type TcpStream = Guard;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// Nobody asks for it.
    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Guard, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl futures_core::Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    /// Nobody asks for it, either: connections come from `dial`.
    fn tcp_connect_addr(
        &self,
        _address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

/// What is guarded.
pub(crate) trait Stream: TokioRead + TokioWrite + Send {}

impl<S: TokioRead + TokioWrite + Send> Stream for S {}

/// A connection, the frames of which are looked at.
pub(crate) struct Guard {
    stream: Pin<Box<dyn Stream>>,
    filter: Filter,
    /// What was looked at, and how much of it was read.
    ready: Vec<u8>,
    read: usize,
    received: Vec<u8>,
}

impl Guard {
    pub(crate) fn new(stream: Pin<Box<dyn Stream>>) -> Self {
        Self { stream, filter: Filter::default(), ready: Vec::new(), read: 0, received: vec![0; PIECE] }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let mut waiting = this.ready.get(this.read..).unwrap_or_default();
            if !waiting.is_empty() || buffer.is_empty() {
                let count = io::Read::read(&mut waiting, buffer)?;
                this.read = this.read.saturating_add(count);
                return Poll::Ready(Ok(count));
            }
            this.ready.clear();
            this.read = 0;
            let mut received = ReadBuf::new(&mut this.received);
            ready!(this.stream.as_mut().poll_read(context, &mut received))?;
            if received.filled().is_empty() {
                return Poll::Ready(Ok(0));
            }
            this.filter.feed(received.filled(), &mut this.ready)?;
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().stream.as_mut().poll_write(context, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.as_mut().poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.as_mut().poll_shutdown(context)
    }
}
