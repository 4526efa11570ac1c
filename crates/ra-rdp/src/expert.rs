//! The expert: an RDP client of one novice ([MS-RA] 3.1).

mod connect;
mod dial;
mod fragments;

use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ironrdp_connector::connection_activation::{
    ConnectionActivationFactory, ConnectionActivationSequence, ConnectionActivationState,
};
use ironrdp_connector::{DesktopSize, Sequence as _, state_downcast};
use ironrdp_core::WriteBuf;
use ironrdp_graphics::image_processing::PixelFormat;
use ironrdp_pdu::Action;
use ironrdp_pdu::input::fast_path::FastPathInputEvent;
use ironrdp_pdu::input::mouse::PointerFlags;
use ironrdp_pdu::rdp::capability_sets::InputFlags;
use ironrdp_session::image::DecodedImage;
use ironrdp_session::{ActiveStage, ActiveStageBuilder, ActiveStageOutput};
use ra_connstring::ConnectionString;
use ra_session::{Event, Expert, ExpertConfig, FileOffer, Input, Misuse, Role, ServerKey, TransferId};
use remassist_core::text::TextFormat as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{Instrument as _, debug, info, info_span};

use crate::channels::Channels;
use crate::chunk::user_data;
use crate::display::{Picture, Rectangle};
use crate::input::{InputEvent, encode};
use crate::line::{Line, Woken, ultimatum};
use crate::record::Recorder;
use crate::wire::Frame;
use crate::{Protection, RdpError, Security};
use fragments::Fragments;

pub use dial::dial;

/// Most pixels of a novice's screen: 8,192 by 8,192.
const PIXELS: u32 = 1 << 26;
/// Events of input that are sent at a time.
const INPUT: usize = 256;

/// What an expert decides about its connection.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub struct ExpertOptions {
    /// Security.
    pub security: Security,
    /// How long one address may take to answer; so long may the lookup of a name take before it.
    pub address_timeout: Duration,
    /// How long all of them may take.
    pub dial_timeout: Duration,
    /// How long the RDP connection may take once an address has answered.
    pub connect_timeout: Duration,
    /// Most bytes of one channel message.
    pub message_limit: usize,
    /// How long the novice's machine may be silent: TCP asks whether it is still there. On Linux and Android this is also
    /// how long what was sent may stay without an acknowledgement, or find no room there because the program does not
    /// read. `None`: as long as it likes.
    pub keep_alive: Option<Duration>,
    /// Own address to connect from; `None`: the system chooses.
    pub source: Option<IpAddr>,
    /// File to which the secrets of TLS are added, in the format of `SSLKEYLOGFILE`. Whoever has it can read the
    /// connection: for looking into captures of tests only.
    pub key_log: Option<PathBuf>,
    /// Encryption of standard RDP security, where TLS is not used: what is offered, and whether a novice may do without
    /// (then also in one direction, encryption level low). `None`: nothing is offered and nothing is encrypted.
    #[cfg(feature = "standard-security")]
    pub standard: Option<rdp_standard_security::ClientOptions>,
}

impl Default for ExpertOptions {
    /// TLS, 10 seconds, 20 seconds, 30 seconds, 1 MiB, one minute, any own address, no key log; without TLS 128 bits and
    /// nothing less.
    fn default() -> Self {
        Self {
            security: Security::Tls,
            address_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(30),
            message_limit: 1 << 20,
            keep_alive: Some(Duration::from_secs(60)),
            source: None,
            key_log: None,
            #[cfg(feature = "standard-security")]
            standard: Some(rdp_standard_security::ClientOptions::default()),
        }
    }
}

/// What happened on a connection.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum ExpertEvent {
    /// The first event: the RDP connection stands.
    Connected {
        /// How it is protected.
        protection: Protection,
        /// Whether the key of the server is that of the invitation. Anything but a match proves nothing about the
        /// novice; a mismatch never comes so far. Where the novice does not encrypt, there is no match: a certificate
        /// can be copied.
        key: ServerKey,
    },
    /// Something in the session.
    Session(Event),
    /// This part of the novice's screen has changed; [`ExpertConnection::screen`] shows it.
    Screen(Rectangle),
}

/// A connection with a novice. [`next`](Self::next) does all the work; the decisions go to [`session`](Self::session).
pub struct ExpertConnection {
    line: Line,
    session: Expert,
    io_channel: u16,
    stage: ActiveStage,
    fragments: Fragments,
    activations: ConnectionActivationFactory,
    /// The server has taken the screen away and is about to give another one ([MS-RDPBCGR] 1.3.1.3).
    activation: Option<Box<ConnectionActivationSequence>>,
    image: DecodedImage,
    changed: Option<Rectangle>,
    /// What was not told yet about the connection.
    connected: Option<(Protection, ServerKey)>,
    input: InputFlags,
    pointer: (u16, u16),
}

impl std::fmt::Debug for ExpertConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExpertConnection").field("session", &self.session).finish_non_exhaustive()
    }
}

impl ExpertConnection {
    /// Connects to the novice that the connection string of the credentials tells of.
    ///
    /// # Errors
    /// [`RdpError`].
    pub async fn dial(config: ExpertConfig, options: &ExpertOptions) -> Result<Self, RdpError> {
        let string = config.credentials.connection_string().clone();
        let string = ConnectionString::parse(string.expose());
        let string = string.map_err(|_| RdpError::Configuration("the connection string cannot be read"))?;
        let stream = dial(&string.candidates(), options).await?;
        Self::connect(stream, config, options).await
    }

    /// Makes the RDP connection on a stream and begins the session.
    ///
    /// # Errors
    /// [`RdpError`]; [`RdpError::Security`] when the novice does not offer the security that is demanded;
    /// [`RdpError::Expert`] when its key is not that of the invitation, before anything secret is sent. With
    /// [`Security::Any`] a novice without TLS is connected to once more, at the same address.
    pub async fn connect(
        stream: TcpStream,
        config: ExpertConfig,
        options: &ExpertOptions,
    ) -> Result<Self, RdpError> {
        let span = info_span!("expert", peer = %stream.peer_addr()?);
        Self::begin(stream, config, options).instrument(span).await
    }

    async fn begin(
        stream: TcpStream,
        config: ExpertConfig,
        options: &ExpertOptions,
    ) -> Result<Self, RdpError> {
        let connecting = connect::connect(stream, config, options);
        let connected =
            timeout(options.connect_timeout, connecting).await.map_err(|_| RdpError::TimedOut)??;
        let (ids, result) = (connected.ids, *connected.result);
        let stage = ActiveStageBuilder {
            static_channels: result.static_channels,
            user_channel_id: result.user_channel_id,
            io_channel_id: result.io_channel_id,
            message_channel_id: result.message_channel_id,
            share_id: result.share_id,
            compression_type: None,
            enable_server_pointer: false,
            pointer_software_rendering: false,
        };
        let channels = Channels::new(Role::Expert, ids, options.message_limit);
        let mut connection = Self {
            line: Line::new(connected.wire, connected.early, channels, connected.started),
            session: connected.session,
            io_channel: result.io_channel_id,
            stage: stage.build(),
            fragments: Fragments::default(),
            activations: result.activation_factory,
            activation: None,
            image: blank(result.desktop_size)?,
            changed: None,
            connected: Some((connected.protection, connected.key)),
            input: result.input_flags,
            pointer: (0, 0),
        };
        for channel in ids.opened() {
            connection.session.handle(connection.line.now(), Input::ChannelOpened(channel));
        }
        info!(remdesk = ids.remdesk.is_some(), drdynvc = ids.drdynvc.is_some(), "connected to a novice");
        Ok(connection)
    }

    /// The session: for decisions, chat, files and questions about its state. Call [`next`](Self::next) afterwards.
    pub fn session(&mut self) -> &mut Expert {
        &mut self.session
    }

    /// The novice's screen as it was sent so far; what was not is black.
    #[must_use]
    pub fn screen(&self) -> Picture {
        let mut picture = Picture::new(self.image.width(), self.image.height());
        let pixels = picture.pixels_mut().chunks_exact_mut(4);
        for (to, from) in pixels.zip(self.image.data().chunks_exact(4)) {
            to.copy_from_slice(from);
            if let Some(nothing) = to.last_mut() {
                *nothing = 0;
            }
        }
        picture
    }

    /// Sends input. Extended buttons and the horizontal wheel are left out when the novice does not know them.
    ///
    /// # Errors
    /// [`Misuse::WrongState`] in [`RdpError::Session`] while the novice does not share control;
    /// [`RdpError::Protocol`] when it takes no fast-path input, or no Unicode and there is some. Nothing is sent then.
    pub fn send_input(&mut self, events: &[InputEvent]) -> Result<(), RdpError> {
        if !self.session.is_controlling() {
            return Err(Misuse::WrongState.into());
        }
        if !self.input.intersects(InputFlags::FASTPATH_INPUT | InputFlags::FASTPATH_INPUT_2) {
            return Err(RdpError::Protocol("the novice takes no fast-path input"));
        }
        let unicode = events.iter().any(|event| matches!(event, InputEvent::Unicode { .. }));
        if unicode && !self.input.contains(InputFlags::UNICODE) {
            return Err(RdpError::Protocol("the novice takes no Unicode input"));
        }
        for events in events.chunks(INPUT) {
            let mut encoded = Vec::with_capacity(events.len());
            events.iter().for_each(|event| encode(*event, &mut self.pointer, &mut encoded));
            encoded.retain(|event| self.input.contains(needs(event)));
            let sent = self.stage.process_fastpath_input(&mut self.image, &encoded);
            self.outputs(sent.map_err(|_| RdpError::Connection("input"))?)?;
        }
        Ok(())
    }

    /// Offers a file. When the novice takes it, its bytes are read and sent by [`next`](Self::next), in pieces, as there is
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

    /// The next event; `None` when the connection is over, after [`Event::Closed`]. Sends and receives meanwhile. May be
    /// dropped at any time without losing anything, as in `select!`.
    ///
    /// # Errors
    /// [`RdpError`]: why the connection is over, after [`Event::Closed`]. That the novice has just gone is no error.
    pub async fn next(&mut self) -> Result<Option<ExpertEvent>, RdpError> {
        let span = self.line.span.clone();
        self.advance().instrument(span).await
    }

    async fn advance(&mut self) -> Result<Option<ExpertEvent>, RdpError> {
        if let Some((protection, key)) = self.connected.take() {
            return Ok(Some(ExpertEvent::Connected { protection, key }));
        }
        loop {
            if let Some(event) = self.line.pump(|| self.session.poll())? {
                return Ok(Some(ExpertEvent::Session(event)));
            }
            if self.line.is_over() {
                return self.line.end().await.map(|()| None);
            }
            if let Some(changed) = self.changed.take() {
                return Ok(Some(ExpertEvent::Screen(changed)));
            }
            if let Err(error) = self.step().await {
                // The session tells first what comes of it: files fail, control ends.
                self.line.fail(error);
                self.session.handle(self.line.now(), Input::ConnectionLost);
            }
        }
    }

    /// Sends what there is to send, or waits for something to happen.
    async fn step(&mut self) -> Result<(), RdpError> {
        if self.line.wire.has_room() && self.line.feed(self.session.files())? {
            return Ok(());
        }
        match self.line.wait(None).await? {
            Woken::Frame(frame) => self.frame(&frame)?,
            Woken::Drained => {}
            Woken::Due => self.session.handle(self.line.now(), Input::Tick),
        }
        Ok(())
    }

    fn frame(&mut self, frame: &Frame) -> Result<(), RdpError> {
        if frame.action == Action::X224 {
            match user_data(Role::Expert, &frame.bytes) {
                Some((channel, data)) if self.line.channels.has(channel) => {
                    if let Some(brought) = self.line.channels.receive(channel, &data)? {
                        self.session.handle(self.line.now(), brought.input());
                    }
                    return Ok(());
                }
                Some((channel, _)) if channel == self.io_channel && self.activation.is_some() => {
                    return self.reactivate(&frame.bytes);
                }
                Some(_) => {}
                None => return ultimatum(&frame.bytes),
            }
        }
        if self.activation.is_some() {
            // Pictures of a screen that is no more.
            return Ok(());
        }
        if frame.action == Action::FastPath {
            self.fragments.check(&frame.bytes)?;
        }
        let processed = self.stage.process(&mut self.image, frame.action, &frame.bytes, None);
        self.outputs(processed.map_err(|_| RdpError::Connection("the active session"))?)
    }

    fn outputs(&mut self, outputs: Vec<ActiveStageOutput>) -> Result<(), RdpError> {
        for output in outputs {
            match output {
                ActiveStageOutput::ResponseFrame(frame) => self.line.wire.send(&frame),
                ActiveStageOutput::GraphicsUpdate(region) => {
                    let region = Rectangle::of(&region);
                    self.changed = Some(self.changed.map_or(region, |changed| changed.around(region)));
                    self.session.screen_started();
                }
                ActiveStageOutput::Terminate(_) => return Err(RdpError::Closed),
                ActiveStageOutput::DeactivateAll => {
                    debug!("the screen is given anew");
                    self.activation = Some(Box::new(self.activations.create()));
                }
                ActiveStageOutput::ServerRedirection(_) => return Err(RdpError::Protocol("a redirection")),
                _ => {}
            }
        }
        Ok(())
    }

    /// [MS-RDPBCGR] 1.3.1.3: capabilities and finalization once more.
    fn reactivate(&mut self, frame: &[u8]) -> Result<(), RdpError> {
        let Some(activation) = &mut self.activation else { return Ok(()) };
        let broken = RdpError::Connection("the reactivation");
        let mut input = frame;
        loop {
            let mut out = WriteBuf::new();
            activation.step(input, None, &mut out).map_err(|_| RdpError::Connection("the reactivation"))?;
            self.line.wire.send(out.filled());
            input = &[];
            let state = state_downcast::<ConnectionActivationState>(activation.state());
            match state {
                Some(ConnectionActivationState::Finalized {
                    desktop_size,
                    share_id,
                    input_flags,
                    static_channel_chunk_size,
                    ..
                }) => {
                    let (io, user) = (activation.io_channel_id(), activation.user_channel_id());
                    let chunk = *static_channel_chunk_size;
                    if !self.stage.reactivate(io, user, *share_id, false, false, chunk) {
                        return Err(broken);
                    }
                    self.image = blank(*desktop_size)?;
                    let (width, height) = (desktop_size.width, desktop_size.height);
                    self.changed = Some(Rectangle { x: 0, y: 0, width, height });
                    self.input = *input_flags;
                    self.activation = None;
                    return Ok(());
                }
                Some(ConnectionActivationState::Redirected { .. }) => return Err(broken),
                _ if activation.next_pdu_hint().is_some() => return Ok(()),
                _ => {}
            }
        }
    }
}

/// What the novice has to know for a mouse event ([MS-RDPBCGR] 2.2.7.1.6).
fn needs(event: &FastPathInputEvent) -> InputFlags {
    match event {
        FastPathInputEvent::MouseEventEx(_) => InputFlags::MOUSEX,
        FastPathInputEvent::MouseEvent(mouse) if mouse.flags.contains(PointerFlags::HORIZONTAL_WHEEL) => {
            InputFlags::TS_MOUSE_HWHEEL
        }
        _ => InputFlags::empty(),
    }
}

/// A black screen. Its size is the novice's word, so it is not believed without limit.
fn blank(size: DesktopSize) -> Result<DecodedImage, RdpError> {
    let DesktopSize { width, height } = size;
    let pixels = u32::from(width).saturating_mul(height.into());
    if pixels == 0 || pixels > PIXELS {
        return Err(RdpError::Protocol("a screen without size, or a huge one"));
    }
    Ok(DecodedImage::new(PixelFormat::BgrX32, width, height))
}
