//! The expert: the one who gives help ([MS-RA] 3.3, 3.5, 3.7).

use ra_channel::encomsp::Message;
use ra_channel::{Authenticate, Control, ErrorCode, ExpertBlob, NameBstr};
use rccommand::{Command, Name};
use remassist_core::{Role, Secret, Time, Utf16Le, Version};

use crate::chat::Chat;
use crate::core::{self, Core, Side};
use crate::files::Files;
use crate::link::{Link, Phase, writable};
use crate::settings::Settings;
use crate::share::{self, ExpertShare};
use crate::voice::Voice;
use crate::{
    AlternateShell, Channel, ClientInfo, Credentials, Event, Input, KeyPolicy, Misuse, Options, Output,
    Reason, ServerKey, Why,
};

/// What an expert needs.
#[derive(Debug, Clone)]
pub struct ExpertConfig {
    /// The invitation.
    pub credentials: Credentials,
    /// What both roles decide.
    pub options: Options,
    /// What follows when there is nothing to compare the key of the server with.
    pub key_policy: KeyPolicy,
    /// What is told in the Client Info PDU.
    pub alternate_shell: AlternateShell,
    /// UserName of the Client Info PDU.
    pub user_name: String,
    /// Own address to tell the novice for its logs (EXPERTIP, version 1).
    pub address: Option<String>,
    /// Take the first RESULT(NOERROR) of version 2 for the end of the handshake, as figure 5 of [MS-RA] draws it.
    /// Otherwise the session is established when the screen begins or a second RESULT(NOERROR) comes (figure 4). With it, the
    /// novice's user may not have answered yet: what is sent until the screen begins may be lost.
    pub single_result: bool,
}

impl ExpertConfig {
    /// The defaults around credentials.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            options: Options::default(),
            key_policy: KeyPolicy::default(),
            alternate_shell: AlternateShell::default(),
            user_name: String::new(),
            address: None,
            single_result: false,
        }
    }
}

/// Why there is no expert to be had.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpertError {
    /// The key of the server is not the one that the connection string tells of, or the policy demands that it can be
    /// compared. Disconnect without sending anything.
    #[error("the key of the server is not verified: {0:?}")]
    ServerKey(ServerKey),
    /// A name or user name has a NUL, or the address a character that XML does not allow.
    #[error("a text cannot be written")]
    Unwritable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Version 1: nothing was sent yet; whether SERVER_ANNOUNCE or VERSIONINFO comes first does not matter.
    BeginV1,
    /// Version 2: waits for VERSIONINFO.
    BeginV2,
    /// Version 3: waits for the novice's token.
    BeginV3,
    /// Versions 1 and 2: waits for the verdict on connection string and password.
    WaitVerification,
    /// Waits for the user, and for the screen.
    WaitView,
    Established,
    Closed,
}

/// An expert.
#[doc = include_str!("../docs/expert.md")]
#[derive(Debug)]
pub struct Expert {
    core: Core,
    config: ExpertConfig,
    state: State,
    share: ExpertShare,
    /// The screen began before the novice had answered.
    screen: bool,
}

impl Expert {
    /// An expert for a connection whose server has shown this key. Make it before the Client Info PDU is sent, which
    /// may hold the password: [`client_info`](Self::client_info) tells what goes into it.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub fn new(now: Time, config: ExpertConfig, server_key: ServerKey) -> Result<Self, ExpertError> {
        if !server_key.is_acceptable(config.key_policy) {
            return Err(ExpertError::ServerKey(server_key));
        }
        let address = config.address.as_deref().unwrap_or_default();
        let address = Link::can_write(&Command::ExpertIp { address: address.into() });
        if !address || !writable(&config.options.name) || !writable(&config.user_name) {
            return Err(ExpertError::Unwritable);
        }
        let mut core = Core::new(Role::Expert, now, &config.options);
        let version = config.credentials.version(config.options.highest);
        core.set_version(version);
        core.deadline = config.options.handshake_timeout.map(|timeout| now.after(timeout));
        let state = match version {
            Version::V1 => State::BeginV1,
            Version::V2 => State::BeginV2,
            Version::V3 => State::BeginV3,
        };
        Ok(Self { core, config, state, share: ExpertShare::new(), screen: false })
    }

    /// What goes into the Client Info PDU ([MS-RA] 2.2.7.2).
    #[must_use]
    pub fn client_info(&self) -> ClientInfo {
        self.config.credentials.client_info(&self.config.user_name, self.config.alternate_shell)
    }

    /// Takes what happened. Then call [`poll`](Self::poll) until it gives [`Output::Wait`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        core::handle(self, now, input);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        self.core.poll()
    }

    /// The first picture of the novice's screen has come: the user has agreed. In versions 2 and 3 nothing else need tell so; in
    /// version 1 a second RESULT(NOERROR) does, but a known novice never sends it.
    pub fn screen_started(&mut self) {
        match self.state {
            State::WaitView => self.establish(),
            State::BeginV1 | State::BeginV2 | State::BeginV3 | State::WaitVerification => self.screen = true,
            State::Established | State::Closed => {}
        }
    }

    /// Ends the session.
    pub fn close(&mut self) {
        core::disconnect(self, Reason::Local);
    }

    /// The version of the session.
    #[must_use]
    pub fn version(&self) -> Version {
        self.config.credentials.version(self.config.options.highest)
    }

    /// Whether the session is established and not over.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.core.link.phase == Phase::Established
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.link.phase == Phase::Closed
    }

    /// Chat.
    pub fn chat(&mut self) -> Chat<'_> {
        Chat { link: &mut self.core.link }
    }

    /// Tells the novice that a chat message is being typed.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`], [`Misuse::NoChannel`].
    pub fn typing(&mut self) -> Result<(), Misuse> {
        self.core.link.established()?;
        self.core.link.command(&Command::Plain(Name::TypingStart))
    }

    /// Files.
    pub fn files(&mut self) -> Files<'_> {
        Files { link: &mut self.core.link, machine: &mut self.core.files }
    }

    /// Settings.
    pub fn settings(&mut self) -> Settings<'_> {
        Settings { link: &mut self.core.link, machine: &mut self.core.settings }
    }

    /// Voice.
    pub fn voice(&mut self) -> Voice<'_> {
        Voice { link: &mut self.core.link, machine: &mut self.core.voice }
    }

    /// Asks for mouse and keyboard.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`]; [`Misuse::WrongState`] when it was asked or granted already; [`Misuse::NoChannel`] without
    /// channel 71 (version 1) or `encomsp` (versions 2 and 3); [`Misuse::QueueFull`].
    pub fn request_control(&mut self) -> Result<(), Misuse> {
        self.share.request(&mut self.core.link)
    }

    /// Gives mouse and keyboard back, or no longer asks for them.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`]; [`Misuse::WrongState`] when it was neither asked nor granted.
    pub fn release_control(&mut self) -> Result<(), Misuse> {
        self.share.end(&mut self.core.link, Name::RemoteCtrlEnd)
    }

    /// Gives mouse and keyboard back because of an error on this side.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`]; [`Misuse::WrongState`] without control.
    pub fn abort_control(&mut self) -> Result<(), Misuse> {
        self.share.end(&mut self.core.link, Name::AbortRc)
    }

    /// Whether input may be sent now: only while the novice shares control.
    #[must_use]
    pub fn is_controlling(&self) -> bool {
        self.is_established() && self.share.controlling()
    }

    /// [MS-RA] 3.3.5: VERSIONINFO and AUTHENTICATE.
    fn authenticate(&mut self) {
        let blob = self.expert_blob();
        let string = self.config.credentials.connection_string().expose();
        let link = &mut self.core.link;
        link.control(Control::VersionInfo { major: 1, minor: 2 });
        link.control(Control::Authenticate(Authenticate::new(string, blob)));
        self.state = State::WaitVerification;
    }

    /// [MS-RA] 3.5.5: EXPERT_ON_VISTA and VERIFY_PASSWORD.
    fn verify_password(&mut self) {
        let cipher_text = self.config.credentials.cipher_text().unwrap_or_default();
        let expert_blob = self.expert_blob();
        let link = &mut self.core.link;
        link.control(Control::expert_on_vista(cipher_text));
        link.control(Control::VerifyPassword { expert_blob });
        self.state = State::WaitVerification;
    }

    fn expert_blob(&self) -> ExpertBlob<'static> {
        let pass = self.config.credentials.pass();
        ExpertBlob::new(&self.config.options.name, pass.as_ref().map(|p| p.expose().as_str()))
    }

    /// The novice's user is asked now, for as long as it takes.
    fn verified(&mut self) {
        self.core.deadline = None;
        self.core.link.event(Event::Verified);
        self.state = State::WaitView;
        if self.screen {
            self.establish();
        }
    }

    fn establish(&mut self) {
        let version = self.version();
        self.state = State::Established;
        self.core.establish(version, self.config.options.heartbeat);
        let link = &mut self.core.link;
        match version {
            // [MS-RA] 3.3.5: the address, once.
            Version::V1 => {
                if let Some(address) = &self.config.address {
                    let _no_channel = link.command(&Command::ExpertIp { address: address.as_str().into() });
                }
            }
            Version::V2 if !self.config.options.name.is_empty() => {
                link.control(Control::ExpertName { name: NameBstr::new(&self.config.options.name) });
            }
            Version::V2 | Version::V3 => {}
        }
        self.core.settings.established(link);
    }

    fn result(&mut self, code: ErrorCode, out_of_sequence: impl FnOnce(&mut Self)) {
        match (self.state, code) {
            // [MS-RA] 3.3.5: version 1 asks for the view.
            (State::WaitVerification, ErrorCode::NO_ERROR) => {
                if self.version() == Version::V1 {
                    let string = self.config.credentials.connection_string().expose();
                    let connection_string = Secret::new(Utf16Le::with_nul(string));
                    self.core.link.control(Control::RemoteControlDesktop { connection_string });
                } else if self.config.single_result {
                    self.screen = true;
                }
                self.verified();
            }
            (State::WaitView, ErrorCode::NO_ERROR) => self.establish(),
            (State::BeginV1 | State::BeginV2 | State::BeginV3, ErrorCode::NO_ERROR) => out_of_sequence(self),
            // The screen, another view or a known novice was faster.
            (State::Established, ErrorCode::NO_ERROR) => {}
            (State::Established, ErrorCode(300..=302)) => core::close(self, Reason::ScreenEnded(code)),
            (_, code) => core::close(self, Reason::Refused(code)),
        }
    }
}

impl Side for Expert {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn on_control(&mut self, channel: Channel, message: Control<'_>) {
        let name = message.msg_type().name();
        let ignore = |this: &mut Self, why| this.core.link.ignore(channel, name, why);
        match (self.state, message) {
            // [MS-RA] 3.3.5; 3.5.5 has VERSIONINFO alone begin the handshake of version 2.
            (State::BeginV1, Control::ServerAnnounce) => self.authenticate(),
            (State::BeginV2, Control::ServerAnnounce) => {}
            (State::BeginV1 | State::WaitVerification, Control::VersionInfo { major, minor })
                if self.version() == Version::V1 =>
            {
                match self.config.options.bad_version.code().filter(|_| (major, minor) != (1, 2)) {
                    Some(code) => {
                        self.core.link.control(Control::Result { code });
                        core::close(self, Reason::IncompatibleVersion { major, minor });
                    }
                    None if self.state == State::BeginV1 => self.authenticate(),
                    None => {}
                }
            }
            // [MS-RA] 3.5.5: whatever it says.
            (State::BeginV2, Control::VersionInfo { .. }) => self.verify_password(),
            // [MS-RA] 3.7.5: the own token goes to nobody but the novice that has shown the right one.
            (State::BeginV3, Control::Token { token }) => {
                let credentials = &self.config.credentials;
                let own = credentials.token(Role::Novice).zip(token.token());
                match credentials
                    .token(Role::Expert)
                    .filter(|_| own.is_some_and(|(own, shown)| *own == shown))
                {
                    Some(token) => {
                        self.core.link.control(Control::token(token));
                        self.verified();
                    }
                    None => core::disconnect(self, Reason::WrongToken),
                }
            }
            (_, Control::Result { code }) => self.result(code, |this| ignore(this, Why::OutOfSequence)),
            // [MS-RA] 2.2.1.13.
            (State::WaitView | State::Established, Control::NoviceName { name }) => {
                self.core.link.event(Event::PeerName(name.name()));
            }
            (
                _,
                Control::RemoteControlDesktop { .. }
                | Control::Authenticate(_)
                | Control::VerifyPassword { .. }
                | Control::ExpertOnVista { .. }
                | Control::ExpertName { .. },
            ) => ignore(self, Why::WrongSender),
            _ => ignore(self, Why::OutOfSequence),
        }
    }

    fn on_command(&mut self, command: &Command<'_>) {
        if let Some(name) = command.name() {
            self.share.on_command(&mut self.core.link, name);
        }
    }

    fn on_encomsp(&mut self, message: &Message<'_>) {
        if !self.is_established() && share::may_view(message) {
            self.on_early();
        }
        if !self.is_established() {
            return core::too_early(self, message);
        }
        self.share.on_encomsp(&mut self.core.link, message);
    }

    /// What a verified novice says may be faster than the first picture of its screen. In version 1 it tells by a RESULT.
    fn on_early(&mut self) {
        if self.state == State::WaitView && self.version() != Version::V1 {
            self.establish();
        }
    }

    fn on_deadline(&mut self) {
        core::disconnect(self, Reason::TimedOut);
    }

    fn on_close(&mut self) {
        self.state = State::Closed;
    }
}
