//! What both connections are made of, around their sessions.

use std::collections::VecDeque;
use std::time::Duration;

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, McsMessage};
use ironrdp_pdu::x224::X224;
use ra_session::{Event, Files, Output, Time};
use tokio::time::{Instant, sleep_until};
use tracing::Span;

use crate::RdpError;
use crate::channels::Channels;
use crate::uploads::Uploads;
use crate::wire::{Activity, Frame, Stream, Wire};

/// The wire, what goes over it for a session, and how it ends.
pub(crate) struct Line {
    pub(crate) wire: Wire<Stream>,
    /// What came before the connection was finished.
    early: VecDeque<Frame>,
    pub(crate) channels: Channels,
    pub(crate) uploads: Uploads,
    started: Instant,
    /// When the session wants to be asked again.
    due: Option<Time>,
    /// The session is over.
    over: bool,
    /// Why the connection is gone.
    lost: Option<RdpError>,
    /// The end was told to the peer.
    farewell: bool,
    /// In which all is logged.
    pub(crate) span: Span,
}

/// What was waited for.
pub(crate) enum Woken {
    Frame(Frame),
    /// All that was to be sent is.
    Drained,
    /// It is time.
    Due,
}

impl Line {
    /// In the span that is the current one.
    pub(crate) fn new(wire: Wire<Stream>, early: Vec<Frame>, channels: Channels, started: Instant) -> Self {
        let (uploads, early, span) = (Uploads::default(), early.into(), Span::current());
        Self {
            wire,
            early,
            channels,
            uploads,
            started,
            due: None,
            over: false,
            lost: None,
            farewell: false,
            span,
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time(0).after(self.started.elapsed())
    }

    /// Takes what the session has to say, up to the next event.
    pub(crate) fn pump(&mut self, mut poll: impl FnMut() -> Output) -> Result<Option<Event>, RdpError> {
        let event = loop {
            match poll() {
                Output::Send { channel, bytes } => {
                    self.channels.send(channel, &bytes[..], self.wire.output())?
                }
                Output::Open(channel) => self.channels.create(channel),
                Output::Close(channel) => self.channels.close(channel),
                Output::Event(event) => {
                    self.uploads.follow(&event);
                    self.over |= matches!(event, Event::Closed(_));
                    break Some(event);
                }
                Output::Wait(due) => {
                    self.due = due;
                    break None;
                }
                _ => {}
            }
        };
        self.channels.flush(self.wire.output())?;
        Ok(event)
    }

    /// Adds a piece of a file: whether there was one.
    pub(crate) fn feed(&mut self, files: Files<'_>) -> Result<bool, RdpError> {
        self.uploads.feed(files, &mut self.channels, self.wire.output())
    }

    /// Waits for the wire or for the session's clock, or until then.
    pub(crate) async fn wait(&mut self, until: Option<Instant>) -> Result<Woken, RdpError> {
        if let Some(frame) = self.early.pop_front() {
            return Ok(Woken::Frame(frame));
        }
        let due = self.due.map(|due| self.started + Duration::from_millis(due.0));
        let deadline = due.into_iter().chain(until).min();
        let deadline = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            activity = self.wire.activity() => match activity? {
                Activity::Frame(frame) => Ok(Woken::Frame(frame)),
                Activity::Drained => Ok(Woken::Drained),
                Activity::Closed => Err(RdpError::Closed),
            },
            () = sleep_until(deadline) => Ok(Woken::Due),
        }
    }

    /// The connection is gone: the first reason counts.
    pub(crate) fn fail(&mut self, error: RdpError) {
        self.lost.get_or_insert(error);
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// Sends what is left and ends the connection, if it is not gone.
    pub(crate) async fn end(&mut self) -> Result<(), RdpError> {
        if let Some(error) = self.lost.take_if(|error| !matches!(error, RdpError::Closed)) {
            return Err(error);
        }
        if !std::mem::replace(&mut self.farewell, true) {
            let ultimatum = DisconnectProviderUltimatum { reason: DisconnectReason::UserRequested };
            if let Ok(bytes) = encode_vec(&X224(ultimatum)) {
                self.wire.send(&bytes);
            }
        }
        self.wire.close().await;
        Ok(())
    }
}

/// What a frame of MCS means that carries no data: the end, or nothing.
pub(crate) fn ultimatum(frame: &[u8]) -> Result<(), RdpError> {
    match decode::<X224<McsMessage<'_>>>(frame) {
        Ok(X224(McsMessage::DisconnectProviderUltimatum(_))) => Err(RdpError::Closed),
        _ => Ok(()),
    }
}
