//! The novice: the one who receives help ([MS-RA] 3.4, 3.6, 3.8).

use std::time::Duration;

use ra_channel::encomsp::Message;
use ra_channel::{Control, ErrorCode, NameBstr};
use rccommand::{Command, Name};
use remassist_core::{Role, Secret, Time, Version};

use crate::chat::Chat;
use crate::core::{self, Core, Side};
use crate::files::Files;
use crate::link::{Phase, writable};
use crate::settings::Settings;
use crate::share::{NoviceShare, TakeBack};
use crate::voice::Voice;
use crate::{
    Channel, Claim, ClientInfo, ClientInfoPolicy, Credentials, Event, Initiation, Input, Misuse, Options,
    Output, Reason, Why,
};

/// When version 2 says RESULT(NOERROR): figure 6 of [MS-RA] and its text differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoErrorAt {
    /// When the expert is verified, as in figure 6; HELPEESAIDNO follows if the user refuses.
    #[default]
    Verification,
    /// When the user has agreed and the screen is shared.
    View,
}

/// How many experts may fail to prove themselves before no other is looked at. It spans connections: hand it from one
/// [`Novice`] to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    left: u32,
}

impl Attempts {
    /// So many.
    #[must_use]
    pub const fn new(left: u32) -> Self {
        Self { left }
    }

    /// How many are left.
    #[must_use]
    pub const fn left(self) -> u32 {
        self.left
    }
}

/// What a novice needs.
#[derive(Debug, Clone)]
pub struct NoviceConfig {
    /// What lets an expert in: any one of them. With none, the program is asked ([`Event::Verify`]). The first one of Easy
    /// Connect makes the session one of version 3.
    pub credentials: Vec<Credentials>,
    /// What both roles decide.
    pub options: Options,
    /// How the Client Info PDU is looked at.
    pub client_info: ClientInfoPolicy,
    /// When version 2 says RESULT(NOERROR).
    pub no_error_at: NoErrorAt,
    /// A policy forbids that the expert uses mouse and keyboard.
    pub deny_control: bool,
    /// How long the user may take to allow the view, `None` for ever.
    pub answer_timeout: Option<Duration>,
}

impl NoviceConfig {
    /// The defaults around credentials.
    #[must_use]
    pub fn new(credentials: impl IntoIterator<Item = Credentials>) -> Self {
        Self {
            credentials: credentials.into_iter().collect(),
            options: Options::default(),
            client_info: ClientInfoPolicy::default(),
            no_error_at: NoErrorAt::default(),
            deny_control: false,
            answer_timeout: None,
        }
    }
}

/// Why there is no novice to be had.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoviceError {
    /// The name has a NUL.
    #[error("a text has a NUL")]
    Unwritable,
}

#[derive(Debug)]
enum State {
    /// Not started.
    New,
    /// Waits for what tells the version: VERSIONINFO and AUTHENTICATE, in any order, or EXPERT_ON_VISTA.
    WaitVersion {
        compatible: bool,
        claim: Option<Claim>,
    },
    /// Version 2: waits for VERIFY_PASSWORD; what EXPERT_ON_VISTA had.
    WaitPassword(Option<Secret<Vec<u8>>>),
    /// Version 3: waits for the expert's token.
    WaitToken,
    /// The program verifies.
    Verifying(Claim),
    /// Version 1: waits for REMOTE_CONTROL_DESKTOP.
    WaitViewRequest,
    /// The user is asked.
    AskUser,
    /// The user has agreed, the screen is not shared yet.
    Sharing,
    Established,
    Closed,
}

/// A novice.
#[doc = include_str!("../docs/novice.md")]
#[derive(Debug)]
pub struct Novice {
    core: Core,
    config: NoviceConfig,
    state: State,
    attempts: Attempts,
    share: NoviceShare,
    client_info: Option<ClientInfo>,
    /// REMOTE_CONTROL_DESKTOP came before the answer to AUTHENTICATE.
    view_requested: bool,
    expert: Option<String>,
}

impl Novice {
    /// A novice for one connection.
    ///
    /// # Errors
    /// [`NoviceError`].
    pub fn new(now: Time, config: NoviceConfig, attempts: Attempts) -> Result<Self, NoviceError> {
        if !writable(&config.options.name) {
            return Err(NoviceError::Unwritable);
        }
        Ok(Self {
            core: Core::new(Role::Novice, now, &config.options),
            share: NoviceShare::new(config.deny_control),
            config,
            state: State::New,
            attempts,
            client_info: None,
            view_requested: false,
            expert: None,
        })
    }

    /// The fields of the expert's Client Info PDU ([MS-RA] 2.2.7.2), which comes before any channel.
    pub fn client_info(&mut self, client_info: ClientInfo) {
        self.client_info = Some(client_info);
    }

    /// Begins: the channels that can be used were told with [`Input::ChannelOpened`].
    ///
    /// # Errors
    /// [`Misuse::NoChannel`] without a channel for session initialization, [`Misuse::Started`], [`Misuse::Closed`].
    pub fn start(&mut self, now: Time) -> Result<(), Misuse> {
        match self.state {
            State::New => {}
            State::Closed => return Err(Misuse::Closed),
            _ => return Err(Misuse::Started),
        }
        let novice_token = self.token(Role::Novice);
        let link = &mut self.core.link;
        link.channels.way(Channel::Control).ok_or(Misuse::NoChannel)?;
        link.now = link.now.max(now);
        self.core.deadline = self.config.options.handshake_timeout.map(|timeout| link.now.after(timeout));
        match novice_token {
            // [MS-RA] 3.8.5.
            // A token is something to try passwords on: not for one who is not looked at anyway.
            Some(_) if self.attempts.left == 0 => core::disconnect(self, Reason::TooManyAttempts),
            Some(token) => {
                self.core.set_version(Version::V3);
                self.core.link.control(Control::token(&token));
                self.state = State::WaitToken;
            }
            // [MS-RA] 3.4.5, 3.6.5.
            None => {
                link.control(Control::ServerAnnounce);
                link.control(Control::VersionInfo { major: 1, minor: 2 });
                self.state = State::WaitVersion { compatible: false, claim: None };
            }
        }
        Ok(())
    }

    /// The token of a role, when the session was initiated so that it is one of version 3.
    fn token(&self, role: Role) -> Option<Secret<[u8; 20]>> {
        let easy = self.config.credentials.iter().find(|c| c.initiation() == Initiation::EasyConnect);
        easy.filter(|_| self.config.options.highest >= Version::V3)?.token(role).cloned()
    }

    /// Takes what happened. Then call [`poll`](Self::poll) until it gives [`Output::Wait`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        core::handle(self, now, input);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        self.core.poll()
    }

    /// The expert is the one expected: the answer to [`Event::Verify`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn accept_expert(&mut self) -> Result<(), Misuse> {
        self.verdict(true)
    }

    /// The expert is not the one expected: the answer to [`Event::Verify`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn reject_expert(&mut self) -> Result<(), Misuse> {
        self.verdict(false)
    }

    fn verdict(&mut self, verified: bool) -> Result<(), Misuse> {
        let State::Verifying(claim) = &self.state else { return Err(Misuse::NotAsked) };
        let (version, name) = (claim.version, claim.expert_name.clone());
        self.verified(version, name, verified);
        Ok(())
    }

    /// The expert may see the screen: the answer to [`Event::AskView`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn allow_view(&mut self) -> Result<(), Misuse> {
        let State::AskUser = self.state else { return Err(Misuse::NotAsked) };
        self.core.deadline = None;
        self.core.link.event(Event::ShareScreen);
        self.state = State::Sharing;
        Ok(())
    }

    /// The user refuses: the answer to [`Event::AskView`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn refuse_view(&mut self) -> Result<(), Misuse> {
        self.refuse_view_with(ErrorCode::HELPEE_SAID_NO)
    }

    /// The expert does not get to see the screen for another reason than that the user refuses
    /// ([`ErrorCode::HELPEE_ALREADY_BEING_HELPED`], for example). May also be called before the user is asked.
    ///
    /// # Errors
    /// [`Misuse::NotAsked`] before `start` and once the screen is shared; [`Misuse::WrongState`] for a code that says that
    /// there is no error.
    pub fn refuse_view_with(&mut self, code: ErrorCode) -> Result<(), Misuse> {
        match self.state {
            State::New | State::Established | State::Closed => Err(Misuse::NotAsked),
            _ if code == ErrorCode::NO_ERROR => Err(Misuse::WrongState),
            _ => {
                self.refuse(code, Reason::ViewRefused(code));
                Ok(())
            }
        }
    }

    /// The screen is shared: the answer to [`Event::ShareScreen`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn view_started(&mut self) -> Result<(), Misuse> {
        let (State::Sharing, Some(version)) = (&self.state, self.core.link.version) else {
            return Err(Misuse::NotAsked);
        };
        // [MS-RA] 3.4.5 says so in the end; figure 6 said so when the expert was verified.
        if version == Version::V1 || (version == Version::V2 && self.config.no_error_at == NoErrorAt::View) {
            self.core.link.control(Control::Result { code: ErrorCode::NO_ERROR });
        }
        self.state = State::Established;
        self.core.establish(version, self.config.options.heartbeat);
        let link = &mut self.core.link;
        if version == Version::V2 && !self.config.options.name.is_empty() {
            link.control(Control::NoviceName { name: NameBstr::new(&self.config.options.name) });
        }
        self.share.established(link, self.expert.take());
        self.core.settings.established(link);
        Ok(())
    }

    /// The screen cannot be shared: the answer to [`Event::ShareScreen`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn view_failed(&mut self) -> Result<(), Misuse> {
        let State::Sharing = self.state else { return Err(Misuse::NotAsked) };
        self.refuse(ErrorCode::SHADOW_END_UNKNOWN, Reason::ViewRefused(ErrorCode::SHADOW_END_UNKNOWN));
        Ok(())
    }

    /// The desktop has changed its resolution or colour depth, which ends the session (figures 3 and 6).
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`].
    pub fn resolution_changed(&mut self) -> Result<(), Misuse> {
        let State::Established = self.state else { return Err(Misuse::NotEstablished) };
        let code = ErrorCode::SHADOW_END_CONFIG_CHANGE;
        self.refuse(code, Reason::ScreenEnded(code));
        Ok(())
    }

    /// Ends the session.
    pub fn close(&mut self) {
        core::disconnect(self, Reason::Local);
    }

    /// The version of the session, once it is known.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.core.link.version
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

    /// Attempts that are left for the next connection.
    #[must_use]
    pub const fn attempts(&self) -> Attempts {
        self.attempts
    }

    /// Chat.
    pub fn chat(&mut self) -> Chat<'_> {
        Chat { link: &mut self.core.link }
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

    /// Mouse and keyboard are shared from now on: the answer to
    /// [`ControlEvent::Requested`](crate::ControlEvent::Requested).
    ///
    /// # Errors
    /// [`Misuse::NotAsked`], [`Misuse::NotEstablished`].
    pub fn allow_control(&mut self) -> Result<(), Misuse> {
        self.share.answer(&mut self.core.link, true)
    }

    /// The user refuses control: the answer to [`ControlEvent::Requested`](crate::ControlEvent::Requested).
    ///
    /// # Errors
    /// [`Misuse::NotAsked`], [`Misuse::NotEstablished`].
    pub fn refuse_control(&mut self) -> Result<(), Misuse> {
        self.share.answer(&mut self.core.link, false)
    }

    /// Takes control back.
    ///
    /// # Errors
    /// [`Misuse::WrongState`] while control is not shared, [`Misuse::NotEstablished`].
    pub fn take_control(&mut self, how: TakeBack) -> Result<(), Misuse> {
        self.share.take_back(&mut self.core.link, how)
    }

    /// Whether the expert's input may be delivered now: only while control is shared. Ask for each input.
    #[must_use]
    pub fn may_deliver_input(&self) -> bool {
        self.is_established() && self.share.shared()
    }

    /// RESULT with an error code, then the end. Version 3 has no RESULT in its figures: there the connection just ends.
    fn refuse(&mut self, code: ErrorCode, reason: Reason) {
        if self.core.link.version == Some(Version::V3) {
            return core::disconnect(self, reason);
        }
        self.core.link.control(Control::Result { code });
        core::close(self, reason);
    }

    /// The expert has shown all that it will show.
    fn claimed(&mut self, mut claim: Claim) {
        claim.client_info = self.client_info.take();
        if self.core.link.version != Some(claim.version) {
            self.core.set_version(claim.version);
        }
        let (version, name) = (claim.version, claim.expert_name.clone());
        if self.attempts.left == 0 {
            self.verified(version, name, false);
        } else if self.config.credentials.is_empty() {
            self.core.link.event(Event::Verify(claim.clone()));
            self.state = State::Verifying(claim);
        } else {
            let policy = self.config.client_info;
            // Every one is tried, so that the time does not tell which of them fits.
            let proved = self.config.credentials.iter().filter(|c| claim.proves(c, policy)).count() > 0;
            self.verified(version, name, proved);
        }
    }

    fn verified(&mut self, version: Version, name: Option<String>, verified: bool) {
        if !verified {
            let reason = match (self.attempts.left.checked_sub(1), version) {
                (None, _) => Reason::TooManyAttempts,
                (Some(_), Version::V3) => Reason::WrongToken,
                (Some(_), _) => Reason::NotVerified,
            };
            self.attempts.left = self.attempts.left.saturating_sub(1);
            match version {
                // [MS-RA] 3.4.5; the figures have INVALIDPARAMETERSTRING.
                Version::V1 => {
                    self.core.link.control(Control::Result { code: ErrorCode::INVALID_PASSWORD });
                    core::disconnect(self, reason);
                }
                // [MS-RA] 3.6.5.
                Version::V2 => self.refuse(ErrorCode::PASSWORDS_DONT_MATCH, reason),
                // [MS-RA] 3.8.5.
                Version::V3 => core::disconnect(self, reason),
            }
            return;
        }
        self.expert = name;
        self.core.link.event(Event::Verified);
        self.state = match version {
            Version::V1 => {
                self.core.link.control(Control::Result { code: ErrorCode::NO_ERROR });
                State::WaitViewRequest
            }
            Version::V2 => {
                if self.config.no_error_at == NoErrorAt::Verification {
                    self.core.link.control(Control::Result { code: ErrorCode::NO_ERROR });
                }
                State::AskUser
            }
            Version::V3 => State::AskUser,
        };
        if matches!(self.state, State::AskUser) || self.view_requested {
            self.ask_user();
        }
    }

    fn ask_user(&mut self) {
        let link = &mut self.core.link;
        link.event(Event::AskView { expert: self.expert.clone() });
        self.core.deadline = self.config.answer_timeout.map(|timeout| link.now.after(timeout));
        self.state = State::AskUser;
    }

    /// Version 1 goes on when it has both messages ([MS-RA] 3.4.5).
    fn version_one(&mut self, compatible: bool, claim: Option<Claim>) {
        match claim {
            Some(claim) if compatible => self.claimed(claim),
            claim => self.state = State::WaitVersion { compatible, claim },
        }
    }
}

impl Side for Novice {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn on_control(&mut self, channel: Channel, message: Control<'_>) {
        let name = message.msg_type().name();
        let ignore = |this: &mut Self, why| this.core.link.ignore(channel, name, why);
        match (&mut self.state, message) {
            // [MS-RA] 3.4.5: both numbers are looked at; 3.6.5 lets EXPERT_ON_VISTA follow.
            (State::WaitVersion { claim, .. }, Control::VersionInfo { major, minor }) => {
                let claim = claim.take();
                match self.config.options.bad_version.code().filter(|_| (major, minor) != (1, 2)) {
                    Some(code) => self.refuse(code, Reason::IncompatibleVersion { major, minor }),
                    None => self.version_one(true, claim),
                }
            }
            (State::WaitVersion { compatible, .. }, Control::Authenticate(message)) => {
                let compatible = *compatible;
                let mut claim = Claim::of_blob(Version::V1, &message.expert_blob);
                let text = message.connection_string.expose().to_text_lossy();
                claim.connection_string = Some(Secret::new(text));
                self.version_one(compatible, Some(claim));
            }
            // [MS-RA] 3.6.5: it decides for version 2, whatever came before.
            (State::WaitVersion { .. }, Control::ExpertOnVista { password }) => {
                self.core.set_version(Version::V2);
                let shown = Some(password.data.map(|data| data.to_vec()));
                self.state = State::WaitPassword(shown.filter(|p| !p.expose().is_empty()));
            }
            (State::WaitPassword(encrypted), Control::VerifyPassword { expert_blob }) => {
                let encrypted_password = encrypted.take();
                self.claimed(Claim { encrypted_password, ..Claim::of_blob(Version::V2, &expert_blob) });
            }
            // [MS-RA] 2.2.1.8: sent for compatibility, no action.
            (State::WaitPassword(_), Control::VersionInfo { .. }) => {}
            (State::WaitToken, Control::Token { token }) => match token.token() {
                Some(token) => self.claimed(Claim::of_token(token)),
                None => self.verified(Version::V3, None, false),
            },
            // A known expert does not wait for the answer to AUTHENTICATE.
            (
                State::WaitVersion { .. } | State::Verifying(Claim { version: Version::V1, .. }),
                Control::RemoteControlDesktop { .. },
            ) => self.view_requested = true,
            (State::WaitViewRequest, Control::RemoteControlDesktop { .. }) => self.ask_user(),
            // [MS-RA] 2.2.1.14.
            (State::AskUser | State::Sharing | State::Established, Control::ExpertName { name }) => {
                self.core.link.event(Event::PeerName(name.name()));
            }
            // [MS-RA] 3.3.5: the expert of version 1 says so when the version numbers do not fit.
            (
                State::WaitVersion { .. } | State::Verifying(_) | State::WaitViewRequest,
                Control::Result { code },
            ) if code != ErrorCode::NO_ERROR => {
                core::close(self, Reason::Refused(code));
            }
            (_, Control::Result { .. } | Control::ServerAnnounce | Control::NoviceName { .. }) => {
                ignore(self, Why::WrongSender);
            }
            _ => ignore(self, Why::OutOfSequence),
        }
    }

    fn on_command(&mut self, command: &Command<'_>) {
        match command {
            Command::ExpertIp { address } => {
                self.core.link.event(Event::ExpertAddress(address.clone().into_owned()));
            }
            Command::Plain(Name::TypingStart) => self.core.link.event(Event::Typing),
            command => {
                if let Some(name) = command.name() {
                    self.share.on_command(&mut self.core.link, name);
                }
            }
        }
    }

    fn on_encomsp(&mut self, message: &Message<'_>) {
        if !self.is_established() {
            return core::too_early(self, message);
        }
        self.share.on_encomsp(&mut self.core.link, message);
    }

    /// The expert is established when the novice says so.
    fn on_early(&mut self) {}

    fn on_deadline(&mut self) {
        match self.state {
            State::AskUser => self.refuse(ErrorCode::HELPEE_NEVER_RESPONDED, Reason::TimedOut),
            _ => core::disconnect(self, Reason::TimedOut),
        }
    }

    fn on_close(&mut self) {
        self.state = State::Closed;
        self.share.close();
    }
}
