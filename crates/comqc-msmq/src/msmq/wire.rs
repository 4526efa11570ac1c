//! A session on a TCP connection.

use std::io;
use std::time::Duration;

use msmq_session::{Event, Input, Output, Reason, Session};
use remassist_core::Time;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes that are read at a time.
const READ: usize = 64 * 1024;
/// Bytes that wait to be written at most, but for one message.
const UNWRITTEN: usize = 1024 * 1024;
/// How often timers are looked after when a peer does not read.
const STUCK: Duration = Duration::from_secs(1);
/// How long the last bytes of a session may take.
const LAST: Duration = Duration::from_secs(5);

/// What a session has to say.
#[derive(Debug)]
pub(super) enum Step {
    /// Something has happened.
    Event(Event),
    /// It is over.
    Over(Reason),
}

/// A session and its connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) session: Session,
    stream: TcpStream,
    begun: Instant,
    unwritten: Vec<u8>,
    /// How many of them are written.
    written: usize,
    input: Vec<u8>,
    due: Option<Time>,
    over: Option<Reason>,
}

impl Wire {
    /// `session` begins at [`Time`] 0.
    pub(super) fn new(stream: TcpStream, session: Session) -> Self {
        // Acknowledgements are small and waited for.
        let _slower = stream.set_nodelay(true);
        Self {
            session,
            stream,
            begun: Instant::now(),
            unwritten: Vec::new(),
            written: 0,
            input: vec![0; READ],
            due: None,
            over: None,
        }
    }

    /// Whether nothing but the last bytes is to be written.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(super) fn now(&self) -> Time {
        Time::default().after(self.begun.elapsed())
    }

    /// What the session has to say without waiting.
    pub(super) fn ready(&mut self) -> Option<Step> {
        while self.over.is_none() && self.unwritten.len() < UNWRITTEN {
            match self.session.poll() {
                Output::Send(bytes) if self.unwritten.is_empty() => self.unwritten = bytes,
                Output::Send(bytes) => self.unwritten.extend(bytes),
                Output::Event(event) => return Some(Step::Event(event)),
                Output::Close(reason) => self.over = Some(reason),
                Output::Wait(due) => {
                    self.due = due;
                    break;
                }
                _ => {}
            }
        }
        self.over.filter(|_| self.unwritten.is_empty()).map(Step::Over)
    }

    /// Reads, writes, and lets time pass; then [`ready`](Self::ready) is to be asked again. May be dropped at any time.
    pub(super) async fn work(&mut self) {
        if self.over.is_some() {
            let rest = self.unwritten.get(self.written..).unwrap_or_default();
            let last = timeout(LAST, self.stream.write_all(rest)).await;
            if matches!(last, Ok(Ok(()))) {
                let _gone_already = self.stream.shutdown().await;
            }
            self.clear();
            return;
        }
        let due = match self.due {
            // Not asked lately: there is too much to write.
            _ if self.unwritten.len() >= UNWRITTEN => Instant::now().checked_add(STUCK),
            Some(due) => self.begun.checked_add(Duration::from_millis(due.0)),
            None => None,
        };
        let rest = self.unwritten.get(self.written..).unwrap_or_default();
        let reads = self.session.wants_data();
        let (mut reader, mut writer) = self.stream.split();
        let done: io::Result<Option<usize>> = tokio::select! {
            written = writer.write(rest), if !rest.is_empty() => written.map(|count| {
                self.written = self.written.saturating_add(count);
                None
            }),
            read = reader.read(&mut self.input), if reads => read.map(Some),
            () = until(due) => Ok(None),
        };
        if self.written >= self.unwritten.len() {
            self.clear();
        }
        let now = self.now();
        match done {
            Ok(Some(0)) | Err(_) => self.lost(now),
            Ok(Some(count)) => {
                let data = self.input.get(..count).unwrap_or_default();
                self.session.handle(now, Input::Data(data));
            }
            Ok(None) => self.session.handle(now, Input::Tick),
        }
    }

    /// The connection is gone: nothing can be written any more.
    fn lost(&mut self, now: Time) {
        self.session.handle(now, Input::ConnectionLost);
        self.clear();
    }

    fn clear(&mut self) {
        self.unwritten = Vec::new();
        self.written = 0;
    }
}

/// Waits until it is true, or nobody can make it true any more.
pub(super) async fn asked(stopped: &mut watch::Receiver<bool>) {
    let _nobody = stopped.wait_for(|stopped| *stopped).await;
}

/// Waits until then, or for ever.
pub(super) async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}
