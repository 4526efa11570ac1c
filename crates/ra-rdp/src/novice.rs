//! The novice: an RDP server for one expert ([MS-RA] 3.2).

mod accept;
mod listen;

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ironrdp_core::decode;
use ironrdp_pdu::Action;
use ironrdp_pdu::input::InputEventPdu;
use ironrdp_pdu::input::fast_path::{FastPathInput, FastPathInputEvent};
use ironrdp_pdu::rdp::headers::{ShareControlHeader, ShareControlPdu, ShareDataPdu};
use ra_session::{
    Attempts, Channel, Event, FileOffer, Input, Misuse, Novice, NoviceConfig, Role, Time, TransferId,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::rustls::ServerConfig;
use tracing::{Instrument as _, debug, info, info_span};

use crate::channels::{Brought, Channels};
use crate::chunk::user_data;
use crate::display::{DisplaySource, MOST, Tiles};
use crate::input::{Hand, InputSink, slow_path};
use crate::invite::KeyHashes;
use crate::line::{Line, Woken, ultimatum};
use crate::record::Recorder;
use crate::wire::{Frame, Wire};
use crate::{RdpError, Security, tls, wire};

/// How often the screen is looked at.
const CAPTURE: Duration = Duration::from_millis(100);
/// Connections that may wait beside each other before anything has come on them.
const CALLERS: usize = 64;
/// How long the expert may take to answer for its dynamic channels.
const SETTLE: Duration = Duration::from_secs(3);

/// What a novice decides about its connections.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct NoviceOptions {
    /// Security.
    pub security: Security,
    /// How long an expert may take until its RDP connection stands.
    pub connect_timeout: Duration,
    /// Most bytes of one channel message.
    pub message_limit: usize,
    /// How long experts are listened to: as long as the invitation is valid. A session may last longer.
    pub valid_for: Option<Duration>,
    /// How long the expert's machine may be silent: TCP asks whether it is still there. On Linux and Android this is also
    /// how long what was sent may stay without an acknowledgement, or find no room there because the program does not
    /// read. `None`: as long as it likes.
    pub keep_alive: Option<Duration>,
    /// As [`ExpertOptions::key_log`](crate::ExpertOptions::key_log).
    pub key_log: Option<PathBuf>,
    /// Encryption of standard RDP security, where TLS is not used: the key of the server, and what is selected.
    #[cfg(feature = "standard-security")]
    pub standard: Option<(rdp_standard_security::ServerKey, rdp_standard_security::ServerOptions)>,
}

impl Default for NoviceOptions {
    /// TLS, 30 seconds, 1 MiB, for ever, one minute.
    fn default() -> Self {
        Self {
            security: Security::Tls,
            connect_timeout: Duration::from_secs(30),
            message_limit: 1 << 20,
            valid_for: None,
            keep_alive: Some(Duration::from_secs(60)),
            key_log: None,
            #[cfg(feature = "standard-security")]
            standard: None,
        }
    }
}

/// Listens for experts.
#[derive(Debug)]
pub struct NoviceServer {
    listeners: Vec<TcpListener>,
    /// Connections on which nothing has come yet.
    callers: JoinSet<Result<Caller, RdpError>>,
    /// The same, the oldest first.
    silent: VecDeque<AbortHandle>,
    /// The first clock ends waiting, and may stand still while the machine sleeps; the second one does not.
    expires: Option<(Instant, SystemTime)>,
    options: NoviceOptions,
    tls: Arc<ServerConfig>,
}

impl NoviceServer {
    /// Listens on all addresses. One of IPv6 is for IPv6 only, also `[::]`.
    ///
    /// # Errors
    /// [`RdpError::Io`] when one cannot be had, or the key log; [`RdpError::Tls`].
    pub async fn bind(addresses: &[SocketAddr], options: NoviceOptions) -> Result<Self, RdpError> {
        let listeners = addresses.iter().map(|address| listen::bind(*address));
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        if listeners.is_empty() {
            return Err(RdpError::Configuration("there is no address to listen on"));
        }
        let tls = tls::server_config(options.key_log.as_deref())?;
        let expires = options
            .valid_for
            .and_then(|time| Instant::now().checked_add(time).zip(SystemTime::now().checked_add(time)));
        Ok(Self { listeners, callers: JoinSet::new(), silent: VecDeque::new(), expires, options, tls })
    }

    /// The hashes of the key that experts are shown.
    pub(crate) fn key_hashes(&self) -> Result<KeyHashes, RdpError> {
        #[cfg(feature = "standard-security")]
        if self.options.security != Security::Tls
            && let Some((key, _)) = &self.options.standard
        {
            return Ok(KeyHashes::of(&key.public_key_blob()));
        }
        KeyHashes::random()
    }

    /// The addresses, with their real ports.
    ///
    /// # Errors
    /// [`RdpError::Io`].
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, RdpError> {
        self.listeners.iter().map(|l| l.local_addr().map_err(RdpError::from)).collect()
    }

    /// The next expert: a connection on which an RDP connection was asked for. Experts dial all addresses at once, so
    /// connections on which nothing comes hold up nobody: they wait beside each other for a bounded time, and where there
    /// are too many, the oldest gives way. An error of the system is logged, and listening goes on. May be dropped at any
    /// time without losing anything.
    ///
    /// # Errors
    /// [`RdpError::Expired`].
    pub async fn accept(&mut self) -> Result<Caller, RdpError> {
        let expires = self.expires.map_or_else(Instant::now, |(expires, _)| expires);
        loop {
            tokio::select! {
                biased;
                () = sleep_until(expires), if self.expires.is_some() => return Err(RdpError::Expired),
                Some(caller) = self.callers.join_next() => match caller {
                    Ok(Ok(_)) if self.expires.is_some_and(|(_, expires)| expires <= SystemTime::now()) => {
                        return Err(RdpError::Expired);
                    }
                    Ok(Ok(caller)) => return Ok(caller),
                    Ok(Err(error)) => debug!(%error, "a connection that asked for nothing"),
                    Err(_) => {}
                },
                stream = listen::any(&self.listeners) => self.listen_to(stream),
            }
        }
    }

    /// Waits for the request of one more.
    fn listen_to(&mut self, stream: TcpStream) {
        self.silent.retain(|caller| !caller.is_finished());
        if self.silent.len() >= CALLERS
            && let Some(oldest) = self.silent.pop_front()
        {
            oldest.abort();
        }
        let caller = Caller::of(stream, self.options.connect_timeout, self.options.keep_alive);
        self.silent.push_back(self.callers.spawn(caller));
    }

    /// Makes the RDP connection with an expert and begins the session: one screen, one place for input.
    ///
    /// # Errors
    /// [`RdpError`]. FreeRDP asks for TLS first and comes again without it when it is told that TLS is not to be had: the
    /// first connection then ends with [`RdpError::Security`].
    pub async fn connect(
        &self,
        caller: Caller,
        config: NoviceConfig,
        attempts: Attempts,
        display: Box<dyn DisplaySource>,
        input: Box<dyn InputSink>,
    ) -> Result<NoviceConnection, RdpError> {
        let span = info_span!("novice", peer = %caller.address());
        self.begin(caller, config, attempts, display, input).instrument(span).await
    }

    async fn begin(
        &self,
        caller: Caller,
        config: NoviceConfig,
        attempts: Attempts,
        display: Box<dyn DisplaySource>,
        input: Box<dyn InputSink>,
    ) -> Result<NoviceConnection, RdpError> {
        let size = display.size();
        let drawn = |n| (1..=MOST).contains(&n);
        if !(drawn(size.0) && drawn(size.1)) {
            return Err(RdpError::Configuration("a screen has 1 to 8,192 pixels each way"));
        }
        let connecting = accept::accept(caller, &self.options, Arc::clone(&self.tls), size);
        let accepted =
            timeout(self.options.connect_timeout, connecting).await.map_err(|_| RdpError::TimedOut)??;
        let started = Instant::now();
        let novice = Novice::new(Time(0), config, attempts);
        let mut session = novice.map_err(|_| RdpError::Configuration("the name cannot be written"))?;
        session.client_info(accepted.client_info);
        let ids = accepted.ids;
        let mut channels = Channels::new(Role::Novice, ids, self.options.message_limit);
        if ids.drdynvc.is_some() {
            channels.start();
            for channel in [Channel::Control, Channel::Chat, Channel::Commands] {
                channels.create(channel);
            }
        }
        let (width, height) = size;
        let mut connection = NoviceConnection {
            line: Line::new(accepted.wire, accepted.early, channels, started),
            session,
            settling: Some(started + SETTLE),
            display,
            tiles: Tiles::new(width, height, accepted.format),
            sharing: false,
            suppressed: false,
            next_capture: started,
            input: Hand::new(input),
            io_channel: accepted.io_channel,
        };
        for channel in ids.opened() {
            connection.session.handle(connection.line.now(), Input::ChannelOpened(channel));
        }
        info!(remdesk = ids.remdesk.is_some(), drdynvc = ids.drdynvc.is_some(), "an expert has connected");
        Ok(connection)
    }
}

/// Somebody who asks for an RDP connection.
#[derive(Debug)]
pub struct Caller {
    pub(crate) wire: Wire<TcpStream>,
    pub(crate) request: Frame,
    address: SocketAddr,
}

impl Caller {
    async fn of(stream: TcpStream, patience: Duration, silence: Option<Duration>) -> Result<Self, RdpError> {
        wire::prepare(&stream, silence)?;
        let address = stream.peer_addr()?;
        let mut wire = Wire::new(stream);
        let request = timeout(patience, wire.frame()).await.map_err(|_| RdpError::TimedOut)??;
        Ok(Self { wire, request, address })
    }

    /// Where it calls from.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A connection with one expert. [`next`](Self::next) does all the work; the decisions go to [`session`](Self::session).
pub struct NoviceConnection {
    line: Line,
    session: Novice,
    /// Until when answers about dynamic channels are waited for; `None` once the session has begun.
    settling: Option<Instant>,
    display: Box<dyn DisplaySource>,
    tiles: Tiles,
    sharing: bool,
    /// The expert does not want pictures now.
    suppressed: bool,
    next_capture: Instant,
    input: Hand,
    io_channel: u16,
}

impl std::fmt::Debug for NoviceConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoviceConnection").field("session", &self.session).finish_non_exhaustive()
    }
}

impl NoviceConnection {
    /// The session: for decisions, chat, files and questions about its state. Call [`next`](Self::next) afterwards.
    pub fn session(&mut self) -> &mut Novice {
        &mut self.session
    }

    /// Offers a file. When the expert takes it, its bytes are read and sent by [`next`](Self::next), in pieces, as there is
    /// room; the reads block. A source that has fewer bytes than `offer.size` fails the transfer.
    ///
    /// # Errors
    /// As [`Files::send`](ra_session::Files::send).
    pub fn send_file(
        &mut self,
        offer: FileOffer,
        source: impl Read + Send + 'static,
    ) -> Result<TransferId, Misuse> {
        self.line.uploads.offer(self.session.files(), offer, Box::new(source))
    }

    /// Shows a recorder what passes on the channels from now on: all of it, when this is called before
    /// [`next`](Self::next).
    pub fn record(&mut self, recorder: impl Recorder + 'static) {
        self.line.channels.record(Box::new(recorder));
    }

    /// The next event; `None` when the connection is over, after [`Event::Closed`]. Sends, receives and looks at the screen
    /// meanwhile. May be dropped at any time without losing anything, as in `select!`.
    ///
    /// # Errors
    /// [`RdpError`]: why the connection is over, after [`Event::Closed`]. That the expert has just gone is no error.
    pub async fn next(&mut self) -> Result<Option<Event>, RdpError> {
        let span = self.line.span.clone();
        self.advance().instrument(span).await
    }

    async fn advance(&mut self) -> Result<Option<Event>, RdpError> {
        loop {
            // Control has ended, or the session.
            if !self.session.may_deliver_input()
                && let Err(error) = self.input.release()
            {
                self.fail(RdpError::Input(error));
            }
            if let Some(event) = self.line.pump(|| self.session.poll())? {
                match event {
                    Event::Established(_) => {
                        self.sharing = true;
                        self.next_capture = Instant::now();
                    }
                    Event::Closed(_) => self.sharing = false,
                    _ => {}
                }
                return Ok(Some(event));
            }
            if self.line.is_over() {
                return self.line.end().await.map(|()| None);
            }
            if let Err(error) = self.step().await {
                self.fail(error);
            }
        }
    }

    /// The connection is over. The session tells first what comes of it: files fail, control ends.
    fn fail(&mut self, error: RdpError) {
        self.line.fail(error);
        self.session.handle(self.line.now(), Input::ConnectionLost);
    }

    /// Sends what there is to send, or waits for something to happen.
    async fn step(&mut self) -> Result<(), RdpError> {
        if self.fill()? {
            return Ok(());
        }
        let capture =
            (self.sharing && !self.suppressed && self.line.wire.has_room()).then_some(self.next_capture);
        match self.line.wait(capture.into_iter().chain(self.settling).min()).await? {
            Woken::Frame(frame) => self.frame(&frame),
            Woken::Drained => Ok(()),
            Woken::Due => self.tick(),
        }
    }

    /// Where there is room: a piece of a file, and a piece of the screen. Whether there was anything.
    fn fill(&mut self) -> Result<bool, RdpError> {
        if !self.line.wire.has_room() {
            return Ok(false);
        }
        let fed = self.line.feed(self.session.files())?;
        Ok(self.show()? || fed)
    }

    fn tick(&mut self) -> Result<(), RdpError> {
        self.session.handle(self.line.now(), Input::Tick);
        if self.settling.is_some_and(|settling| settling <= Instant::now()) {
            self.begin()?;
        }
        Ok(())
    }

    /// The channels are settled: the session begins.
    fn begin(&mut self) -> Result<(), RdpError> {
        self.settling = None;
        debug!("the channels are settled");
        self.session.start(self.line.now())?;
        Ok(())
    }

    /// Sends the next part of the screen that has changed. Whether there was one.
    fn show(&mut self) -> Result<bool, RdpError> {
        if !self.sharing || self.suppressed {
            return Ok(false);
        }
        if self.tiles.is_done() {
            if self.next_capture > Instant::now() {
                return Ok(false);
            }
            self.next_capture = Instant::now() + CAPTURE;
            self.tiles.capture(&mut *self.display).map_err(RdpError::Display)?;
            if self.display.size() != self.tiles.size() {
                self.sharing = false;
                self.session.resolution_changed()?;
                return Ok(true);
            }
        }
        self.tiles.encode(self.line.wire.output())
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), RdpError> {
        if frame.action == Action::FastPath {
            return self.fast_path(&frame.bytes);
        }
        let Some((channel, data)) = user_data(Role::Novice, &frame.bytes) else {
            return ultimatum(&frame.bytes);
        };
        if channel == self.io_channel {
            return self.share_data(&data);
        }
        if self.line.channels.has(channel)
            && let Some(brought) = self.line.channels.receive(channel, &data)?
        {
            self.settle(&brought);
            self.session.handle(self.line.now(), brought.input());
        }
        Ok(())
    }

    /// Whether all is known about the dynamic channels of the session.
    fn settle(&mut self, brought: &Brought) {
        let answer = matches!(brought, Brought::Opened(_) | Brought::Closed(_));
        if answer && self.settling.is_some() && !self.line.channels.is_opening() {
            // After this one is told.
            self.settling = Some(Instant::now());
        }
    }

    fn fast_path(&mut self, frame: &[u8]) -> Result<(), RdpError> {
        let Ok(input) = decode::<FastPathInput>(frame) else { return Ok(()) };
        input.input_events().iter().try_for_each(|event| self.deliver(event))
    }

    /// Asked for every event: control may end between two of them.
    fn deliver(&mut self, event: &FastPathInputEvent) -> Result<(), RdpError> {
        if self.session.may_deliver_input() {
            self.input.take(event).map_err(RdpError::Input)
        } else {
            Ok(())
        }
    }

    fn share_data(&mut self, data: &[u8]) -> Result<(), RdpError> {
        let Ok(header) = decode::<ShareControlHeader>(data) else { return Ok(()) };
        let ShareControlPdu::Data(data) = header.share_control_pdu else { return Ok(()) };
        match data.share_data_pdu {
            ShareDataPdu::Input(InputEventPdu(events)) => {
                return events.iter().filter_map(slow_path).try_for_each(|event| self.deliver(&event));
            }
            ShareDataPdu::RefreshRectangle(_) => self.tiles.refresh(),
            ShareDataPdu::SuppressOutput(suppress) => {
                self.suppressed = suppress.desktop_rect.is_none();
                self.tiles.refresh();
            }
            ShareDataPdu::ShutdownRequest => self.session.close(),
            _ => {}
        }
        Ok(())
    }
}
