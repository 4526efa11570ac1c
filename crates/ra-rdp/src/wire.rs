//! Frames of RDP on a stream, both ways at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use ironrdp_pdu::Action;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Protection, RdpError};

/// Most bytes that are read before a frame is taken out: a whole frame, and what came with it.
const READ_AHEAD: usize = 128 << 10;
/// What is read at a time.
const READ: usize = 16 << 10;

/// Frames that may come before a connection is finished, to be looked at afterwards.
pub(crate) const EARLY: usize = 64;
/// Bytes that wait to be sent before nothing is added to them: a slow reader gets less, not more memory.
pub(crate) const HIGH_WATER: usize = 256 << 10;
/// Bytes that wait to be sent at which a peer that asks and does not read is given up.
const MOST_WAITING: usize = 16 << 20;
/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// Small messages go out at once, and a machine that is gone is noticed after so long a silence: [MS-RA] has heartbeats in
/// version 1 only, and nothing that has to be answered. TCP asks nothing while something is on its way, and sends that again
/// for a quarter of an hour: so it is given the same limit.
pub(crate) fn prepare(stream: &TcpStream, silence: Option<Duration>) -> io::Result<()> {
    /// Probes that a machine may leave without an answer, in the second half of the time.
    const PROBES: u32 = 4;
    stream.set_nodelay(true)?;
    if let Some(silence) = silence {
        let second = Duration::from_secs(1);
        let (idle, probe) = ((silence / 2).max(second), (silence / (2 * PROBES)).max(second));
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(probe).with_retries(PROBES);
        let socket = SockRef::from(stream);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(any(target_os = "android", target_os = "linux"))]
        socket.set_tcp_user_timeout(Some(silence.max(second)))?;
    }
    Ok(())
}

/// The stream of a connection, with or without TLS.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
pub(crate) type Stream = Box<dyn Duplex>;

/// A whole frame.
#[derive(Debug)]
pub(crate) struct Frame {
    /// X.224 (slow path) or fast path.
    pub(crate) action: Action,
    pub(crate) bytes: BytesMut,
}

/// What happened on the wire.
#[derive(Debug)]
pub(crate) enum Activity {
    /// A frame came.
    Frame(Frame),
    /// All that was to be sent has been handed to the system.
    Drained,
    /// The peer has closed its end.
    Closed,
}

/// What stands between RDP and the stream: standard RDP security, or nothing.
pub(crate) trait Layer: std::fmt::Debug + Send {
    /// Whole frames on their way out.
    fn outgoing(&mut self, frames: &[u8]) -> Result<Vec<u8>, RdpError>;
    /// A frame that came; `None` when it was for the layer.
    fn incoming(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, RdpError>;
    /// What the layer does once it is negotiated, and the PublicKeyBlob of the server if it has shown one.
    fn protection(&self) -> (Protection, Option<&[u8]>);
}

/// A stream, what was read of it, and what is to be written.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    input: BytesMut,
    /// Whole frames that the layer has not seen yet.
    staged: BytesMut,
    output: BytesMut,
    layer: Option<Box<dyn Layer>>,
    /// Written to the stream and not flushed yet.
    dirty: bool,
    /// Why nothing can be written any more.
    broken: Option<io::Error>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            staged: BytesMut::new(),
            output: BytesMut::new(),
            layer: None,
            dirty: false,
            broken: None,
        }
    }

    /// Puts a layer between RDP and the stream, from now on.
    #[cfg(feature = "standard-security")]
    pub(crate) fn set_layer(&mut self, layer: Box<dyn Layer>) {
        self.layer = Some(layer);
    }

    /// What the layer does, and the PublicKeyBlob of the server if it has shown one.
    pub(crate) fn protection(&self) -> (Protection, Option<&[u8]>) {
        self.layer.as_ref().map_or((Protection::None, None), |layer| layer.protection())
    }

    /// The same wire over another stream: what stands between stays.
    pub(crate) fn boxed<T>(self, map: impl FnOnce(S) -> T) -> Wire<T> {
        let Self { stream, input, staged, output, layer, dirty, broken } = self;
        Wire { stream: map(stream), input, staged, output, layer, dirty, broken }
    }

    /// The stream, when nothing is under way on it.
    ///
    /// # Errors
    /// [`RdpError::Protocol`] when the peer has sent more than it may at this point.
    pub(crate) fn into_stream(self) -> Result<S, RdpError> {
        if self.input.is_empty() {
            Ok(self.stream)
        } else {
            Err(RdpError::Protocol("more than one message before the security upgrade"))
        }
    }

    /// Queues bytes to be sent.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.staged.extend_from_slice(bytes);
    }

    /// Where to append what is to be sent.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.staged
    }

    /// Bytes that wait to be sent.
    fn pending(&self) -> usize {
        self.output.len().saturating_add(self.staged.len())
    }

    /// Whether there is room for what can wait: a slow reader gets less, and what has come is looked at first.
    pub(crate) fn has_room(&self) -> bool {
        self.pending() < HIGH_WATER && !matches!(self.whole(), Ok(Some(_)))
    }

    /// The next thing that happens. May be dropped at any time without losing anything.
    pub(crate) async fn activity(&mut self) -> Result<Activity, RdpError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> Result<Frame, RdpError> {
        loop {
            match self.activity().await? {
                Activity::Frame(frame) => return Ok(frame),
                Activity::Drained => {}
                Activity::Closed => return Err(RdpError::Closed),
            }
        }
    }

    /// Sends all that waits.
    pub(crate) async fn flush(&mut self) -> Result<(), RdpError> {
        self.seal()?;
        poll_fn(|cx| self.poll_write(cx)).await?;
        Ok(())
    }

    /// Passes what is staged through the layer.
    fn seal(&mut self) -> Result<(), RdpError> {
        let staged = self.staged.split();
        match &mut self.layer {
            _ if staged.is_empty() => {}
            Some(layer) => self.output.extend_from_slice(&layer.outgoing(&staged)?),
            None if self.output.is_empty() => self.output = staged,
            None => self.output.extend_from_slice(&staged),
        }
        Ok(())
    }

    /// Sends all that waits and the end of the stream, and waits for the peer's: a stream that is dropped while something
    /// comes may take back what was sent last. Nothing can be done about a peer that does not answer, or is gone.
    pub(crate) async fn close(&mut self) {
        let end = async {
            self.flush().await?;
            poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await?;
            while poll_fn(|cx| self.poll_read(cx)).await? > 0 {
                self.input.clear();
            }
            Ok::<(), RdpError>(())
        };
        let _gone_or_silent = timeout(FAREWELL, end).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Activity, RdpError>> {
        self.seal()?;
        if self.output.len() > MOST_WAITING {
            return Poll::Ready(Err(RdpError::Protocol("it does not read what it asks for")));
        }
        let waited = !self.output.is_empty() || self.dirty;
        let mut drained = false;
        if self.broken.is_none() {
            match self.poll_write(cx) {
                Poll::Ready(Ok(())) => drained = waited,
                Poll::Ready(Err(e)) => self.broken = Some(e),
                Poll::Pending => {}
            }
        }
        // Whatever became of writing: what the peer has said before it went is there all the same, and then the end.
        let read = self.poll_frame(cx);
        match &read {
            Poll::Ready(Ok(Activity::Frame(_))) => read,
            Poll::Pending if drained => Poll::Ready(Ok(Activity::Drained)),
            _ => match self.broken.take_if(|e| !is_gone(e)) {
                Some(e) => Poll::Ready(Err(e.into())),
                None => read,
            },
        }
    }

    /// The next frame, or the end.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Activity, RdpError>> {
        loop {
            if let Some(frame) = self.take()? {
                return Poll::Ready(Ok(Activity::Frame(frame)));
            }
            if self.input.len() > READ_AHEAD {
                return Poll::Ready(Err(RdpError::Protocol("a frame that is too long")));
            }
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Ok(Activity::Closed));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
            self.dirty = true;
        }
        if self.dirty {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.dirty = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [0; READ];
        let mut buffer = ReadBuf::new(&mut piece);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Err(e) if is_gone(&e) => return Poll::Ready(Ok(0)),
            other => other?,
        }
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// The next frame of what was read, if it is whole, as RDP sees it.
    fn take(&mut self) -> Result<Option<Frame>, RdpError> {
        while let Some((action, length)) = self.whole()? {
            let frame = Frame { action, bytes: self.input.split_to(length) };
            let Some(layer) = &mut self.layer else { return Ok(Some(frame)) };
            if let Some(bytes) = layer.incoming(&frame.bytes)? {
                return Ok(Some(Frame { action: frame.action, bytes: BytesMut::from(&bytes[..]) }));
            }
        }
        Ok(None)
    }

    /// Kind and length of the frame at the beginning of what was read, if it is whole.
    fn whole(&self) -> Result<Option<(Action, usize)>, RdpError> {
        let size = ironrdp_pdu::find_size(&self.input);
        let Some(info) = size.map_err(|_| RdpError::Protocol("neither TPKT nor fast path"))? else {
            return Ok(None);
        };
        if info.length == 0 {
            return Err(RdpError::Protocol("a frame without length"));
        }
        Ok((self.input.len() >= info.length).then_some((info.action, info.length)))
    }
}

/// The peer has gone: with TLS or without it, and in a hurry or not, since RDP has a message of its own for the end.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{join, sink};

    use super::{Activity, Wire};

    /// What has come is read, though all is written at once, and before more is written.
    #[tokio::test]
    async fn a_stream_that_takes_everything() {
        let frame = [3, 0, 0, 8, 2, 0xF0, 0x80, 1];
        let frames = frame.repeat(2);
        let mut wire = Wire::new(join(&frames[..], sink()));
        for room in [false, true] {
            wire.send(b"a file");
            let activity = wire.activity().await.unwrap();
            assert!(matches!(&activity, Activity::Frame(came) if came.bytes[..] == frame), "{activity:?}");
            assert_eq!(wire.has_room(), room);
        }
        wire.send(b"its end");
        let end = wire.activity().await.unwrap();
        assert!(matches!(end, Activity::Closed), "{end:?}");
    }
}
