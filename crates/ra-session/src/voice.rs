//! Voice ([MS-RA] 3.17, 3.18), version 1: the messages around a call; the call itself is RTC and the program's.

use rccommand::{Command, Name, VoipGo};
use remassist_core::{Role, Secret, Version};

use crate::link::Link;
use crate::{Channel, Event, Misuse, VoicePolicy, Why};

/// Voice.
///
/// A call begins with [`start`](Voice::start) on one side and [`Asked`](Self::Asked) on the other, goes on with
/// [`MakeClient`](Self::MakeClient) when the novice has asked and with [`MakeServer`](Self::MakeServer) in any case, and is there
/// with [`Established`](Self::Established). It ends with [`end`](Voice::end) on one side, [`CleanUp`](Self::CleanUp) on the
/// other, and [`Ended`](Self::Ended).
///
/// What the program does itself is not reported: after [`decline`](Voice::decline), [`failed`](Voice::failed),
/// [`cancel`](Voice::cancel), [`ended`](Voice::ended) and [`disable`](Voice::disable) there is nothing more to come.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoiceEvent {
    /// The peer wants to talk: answer with [`accept`](Voice::accept) or [`decline`](Voice::decline).
    Asked,
    /// The peer no longer asks.
    Withdrawn,
    /// Novice: create the RTC server, then call [`server_ready`](Voice::server_ready) or [`failed`](Voice::failed).
    MakeServer,
    /// Expert: see whether there is an RTC client and it is tuned, then call [`client_ready`](Voice::client_ready) or
    /// [`failed`](Voice::failed).
    MakeClient,
    /// Expert: connect to the novice's RTC server, with this key at one of these addresses. [`Established`](Self::Established)
    /// follows; if connecting fails, call [`end`](Voice::end).
    Connect(VoipGo<'static>),
    /// The call is established.
    Established,
    /// The peer ends the call: clean up, then call [`ended`](Voice::ended).
    CleanUp,
    /// The call is over: the peer has cleaned up, or knows nothing of it. Whatever is left of it here can go.
    Ended,
    /// There will be no call: an RTC server or client that is being made can go.
    Failed(VoiceFailure),
    /// Set the bit rate of RTC to so many bit/s, whether there is a call or not.
    BitRate(u32),
    /// Whether the peer has tuned its audio. If not, it cannot be asked for a call.
    PeerTuned(bool),
    /// The peer has no voice: it cannot be asked for a call in this session.
    PeerHasNoVoice,
}

/// Why there is no call.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoiceFailure {
    /// The peer does not want one (VOIPQNO).
    Declined,
    /// The peer asked too, at the same moment (PRESTARTNO): one of the two may ask again.
    Busy,
    /// The peer agreed, or asked, and wants no longer (VOIPQNO).
    Cancelled,
    /// Expert: the novice could not create the RTC server (VOIPGONO).
    ServerFailed,
    /// Novice: the expert has no RTC client, or it is not tuned (VOIPGONO).
    ClientFailed,
    /// The peer has no voice (DISABLEVOICE).
    Disabled,
    /// The session is over.
    SessionOver,
}

/// A bit rate of RTC ([MS-RA] 3.17.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bandwidth {
    /// 6,400 bit/s: BANDWTOLOW.
    Low,
    /// 64,000 bit/s: BANDWTOHIGH.
    High,
}

impl Bandwidth {
    /// The bit rate in bit/s.
    #[must_use]
    pub const fn bit_rate(self) -> u32 {
        match self {
            Self::Low => 6_400,
            Self::High => 64_000,
        }
    }
}

/// Voice, of either role: see [`Expert::voice`](crate::Expert::voice).
///
/// The novice is always the RTC server, whoever asks ([MS-RA] 3.17). Windows Vista and later never answer, so that the user
/// of a side that waits must be able to [`cancel`](Self::cancel).
///
/// Every method fails with [`Misuse::NotEstablished`], [`Misuse::Closed`], [`Misuse::QueueFull`] or [`Misuse::NoChannel`]
/// when nothing can be sent at all, and with [`Misuse::OtherVersion`] outside of version 1.
#[derive(Debug)]
pub struct Voice<'s> {
    pub(crate) link: &'s mut Link,
    pub(crate) machine: &'s mut VoiceMachine,
}

impl Voice<'_> {
    /// Asks the peer for a call (PRESTART). The expert should have an RTC client that is tuned before it asks.
    ///
    /// # Errors
    /// [`Misuse::WrongState`] while there is a call or the question for one, and after [`disable`](Self::disable);
    /// [`Misuse::PeerHasNoVoice`] when the peer has said that it has no voice or that its audio is not tuned.
    pub fn start(&mut self) -> Result<(), Misuse> {
        self.version()?;
        match self.machine.policy {
            VoicePolicy::Disabled => Err(Misuse::WrongState),
            // [MS-RA] 3.17.5: after WIZARDBAD nobody is asked.
            _ if self.machine.peer_disabled || self.machine.peer_untuned => Err(Misuse::PeerHasNoVoice),
            _ => self.step(&[State::Idle], Misuse::WrongState, Name::PreStart, State::Asking),
        }
    }

    /// Agrees to a call (PRESTARTYES): an answer to [`VoiceEvent::Asked`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn accept(&mut self) -> Result<(), Misuse> {
        self.step(&[State::Asked], Misuse::NotAsked, Name::PreStartYes, State::Agreed)
    }

    /// Refuses a call (VOIPQNO): an answer to [`VoiceEvent::Asked`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn decline(&mut self) -> Result<(), Misuse> {
        self.step(&[State::Asked], Misuse::NotAsked, Name::VoipQNo, State::Idle)
    }

    /// Novice: the RTC server waits with this key at these addresses, which have commas between them (VOIPGO): an answer to
    /// [`VoiceEvent::MakeServer`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`]; [`Misuse::Unwritable`].
    pub fn server_ready(&mut self, key: Secret<String>, ip_list: &str) -> Result<(), Misuse> {
        self.version()?;
        if self.machine.state != State::MakeServer {
            return Err(Misuse::NotAsked);
        }
        self.link.command(&Command::VoipGo(VoipGo { version: None, key, ip_list: ip_list.into() }))?;
        self.machine.to(self.link, State::Established, VoiceEvent::Established);
        Ok(())
    }

    /// Expert: the RTC client is there and tuned (VOIPPREGO2): an answer to [`VoiceEvent::MakeClient`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn client_ready(&mut self) -> Result<(), Misuse> {
        self.step(&[State::MakeClient], Misuse::NotAsked, Name::VoipPreGo2, State::WaitServer)
    }

    /// There is no RTC server or client to be had (VOIPGONO): an answer to [`VoiceEvent::MakeServer`] and
    /// [`VoiceEvent::MakeClient`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn failed(&mut self) -> Result<(), Misuse> {
        let from = [State::MakeServer, State::MakeClient];
        self.step(&from, Misuse::NotAsked, Name::VoipGoNo, State::Idle)
    }

    /// Waits no longer for whatever the peer should say (VOIPQNO): after [`start`](Self::start), [`accept`](Self::accept),
    /// [`client_ready`](Self::client_ready), or [`end`](Self::end).
    ///
    /// # Errors
    /// [`Misuse::WrongState`] when the peer is not waited for.
    pub fn cancel(&mut self) -> Result<(), Misuse> {
        let from = [State::Asking, State::Agreed, State::WaitClient, State::WaitServer, State::Ending];
        self.step(&from, Misuse::WrongState, Name::VoipQNo, State::Idle)
    }

    /// Ends the call (PRESTART). [`VoiceEvent::Ended`] follows when the peer has cleaned up.
    ///
    /// # Errors
    /// [`Misuse::WrongState`] when there is none.
    pub fn end(&mut self) -> Result<(), Misuse> {
        self.step(&[State::Established], Misuse::WrongState, Name::PreStart, State::Ending)
    }

    /// All is cleaned up (PRESTARTYES): the answer to [`VoiceEvent::CleanUp`].
    ///
    /// # Errors
    /// [`Misuse::NotAsked`].
    pub fn ended(&mut self) -> Result<(), Misuse> {
        self.step(&[State::CleaningUp], Misuse::NotAsked, Name::PreStartYes, State::Idle)
    }

    /// Wants the peer to use this bit rate (BANDWTOLOW, BANDWTOHIGH), whether there is a call or not.
    ///
    /// # Errors
    /// None but those of every method.
    pub fn bandwidth(&mut self, bandwidth: Bandwidth) -> Result<(), Misuse> {
        self.send(match bandwidth {
            Bandwidth::Low => Name::BandwToLow,
            Bandwidth::High => Name::BandwToHigh,
        })
    }

    /// Tells whether the audio of this side could be tuned (WIZARDGOOD, WIZARDBAD). If not, the peer should not ask.
    ///
    /// # Errors
    /// None but those of every method.
    pub fn tuned(&mut self, good: bool) -> Result<(), Misuse> {
        self.send(if good { Name::WizardGood } else { Name::WizardBad })
    }

    /// Tells that this side has no voice (DISABLEVOICE), which ends a call, and answers every question so from now on.
    ///
    /// # Errors
    /// None but those of every method.
    pub fn disable(&mut self) -> Result<(), Misuse> {
        self.send(Name::DisableVoice)?;
        self.machine.policy = VoicePolicy::Disabled;
        self.machine.state = State::Idle;
        Ok(())
    }

    /// Whether there is a call that nobody has begun to end.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.machine.state == State::Established
    }

    fn version(&self) -> Result<(), Misuse> {
        if self.link.established()? == Version::V1 { Ok(()) } else { Err(Misuse::OtherVersion) }
    }

    fn send(&mut self, name: Name) -> Result<(), Misuse> {
        self.version()?;
        self.link.command(&Command::Plain(name))
    }

    fn step(&mut self, from: &[State], otherwise: Misuse, name: Name, next: State) -> Result<(), Misuse> {
        self.version()?;
        if !from.contains(&self.machine.state) {
            return Err(otherwise);
        }
        self.send(name)?;
        self.machine.state = next;
        Ok(())
    }
}

/// Figures 18, 19, 21 and 22. The states wait for the peer, or for the program where it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// PRESTART was sent.
    Asking,
    /// PRESTART has come; for the program.
    Asked,
    /// PRESTARTYES was sent; VOIPPREGO comes next.
    Agreed,
    /// Novice that asked: VOIPPREGO was sent.
    WaitClient,
    /// Expert that was asked: for the program.
    MakeClient,
    /// Expert: VOIPPREGO or VOIPPREGO2 was sent.
    WaitServer,
    /// Novice: for the program.
    MakeServer,
    Established,
    /// PRESTART was sent in a call.
    Ending,
    /// PRESTART has come in a call; for the program.
    CleaningUp,
}

#[derive(Debug)]
pub(crate) struct VoiceMachine {
    policy: VoicePolicy,
    state: State,
    peer_disabled: bool,
    peer_untuned: bool,
}

fn report(link: &mut Link, event: VoiceEvent) {
    link.event(Event::Voice(event));
}

impl VoiceMachine {
    pub(crate) const fn new(policy: VoicePolicy) -> Self {
        Self { policy, state: State::Idle, peer_disabled: false, peer_untuned: false }
    }

    fn to(&mut self, link: &mut Link, next: State, event: VoiceEvent) {
        self.state = next;
        report(link, event);
    }

    /// A command of voice that the peer may send in version 1.
    pub(crate) fn receive(&mut self, link: &mut Link, name: Name) {
        let ignore = |link: &mut Link, why| link.ignore(Channel::Commands, Some(name.as_str()), why);
        match (self.state, name, link.role) {
            // [MS-RA] 3.17.5: what does not belong to any call.
            (_, Name::BandwToLow, _) => report(link, VoiceEvent::BitRate(Bandwidth::Low.bit_rate())),
            (_, Name::BandwToHigh, _) => report(link, VoiceEvent::BitRate(Bandwidth::High.bit_rate())),
            (_, Name::WizardBad | Name::WizardGood, _) => {
                self.peer_untuned = name == Name::WizardBad;
                report(link, VoiceEvent::PeerTuned(!self.peer_untuned));
            }
            (_, Name::DisableVoice, _) => {
                self.peer_disabled = true;
                self.over(link, VoiceFailure::Disabled);
                report(link, VoiceEvent::PeerHasNoVoice);
            }
            // [MS-RA] 3.17.5, note <8>.
            (State::Idle, Name::PreStart, _) => match self.policy {
                VoicePolicy::Silent => ignore(link, Why::NotUsed),
                VoicePolicy::Disabled => link.tell(Name::DisableVoice),
                VoicePolicy::Ask => self.to(link, State::Asked, VoiceEvent::Asked),
            },
            // Both ask: the peer says PRESTARTNO too, and that ends it. Going on before it has come would take that
            // answer for one to the next question.
            (State::Asking, Name::PreStart, _) => link.tell(Name::PreStartNo),
            (State::Asking, Name::PreStartYes, Role::Expert) => {
                link.tell(Name::VoipPreGo);
                self.state = State::WaitServer;
            }
            (State::Asking, Name::PreStartYes, Role::Novice) => {
                link.tell(Name::VoipPreGo);
                self.state = State::WaitClient;
            }
            // The first was the answer to a question that was cancelled; this one is to the question after it.
            (State::WaitServer, Name::PreStartYes, Role::Expert)
            | (State::WaitClient, Name::PreStartYes, Role::Novice) => link.tell(Name::VoipPreGo),
            // Figures 21 and 19.
            (State::Agreed, Name::VoipPreGo, Role::Novice) | (State::WaitClient, Name::VoipPreGo2, _) => {
                self.to(link, State::MakeServer, VoiceEvent::MakeServer);
            }
            (State::Agreed, Name::VoipPreGo, Role::Expert) => {
                self.to(link, State::MakeClient, VoiceEvent::MakeClient);
            }
            (State::Established, Name::PreStart, _) => {
                self.to(link, State::CleaningUp, VoiceEvent::CleanUp);
            }
            // Both end: the peer says PRESTARTYES too.
            (State::Ending, Name::PreStart, _) => link.tell(Name::PreStartYes),
            (State::Ending, Name::PreStartYes, _) => self.to(link, State::Idle, VoiceEvent::Ended),
            // Figures 18 and 22 differ in which of them comes when, so that each of them ends whatever goes on: their sender
            // is idle. In a call they come when VOIPGO has crossed a VOIPQNO.
            (State::Idle, Name::PreStartNo | Name::VoipQNo | Name::VoipGoNo, _) => {
                ignore(link, Why::OutOfSequence);
            }
            (_, Name::PreStartNo, _) => self.over(link, VoiceFailure::Busy),
            (State::Asking, Name::VoipQNo, _) => self.over(link, VoiceFailure::Declined),
            (_, Name::VoipQNo, _) => self.over(link, VoiceFailure::Cancelled),
            (_, Name::VoipGoNo, Role::Expert) => self.over(link, VoiceFailure::ServerFailed),
            (_, Name::VoipGoNo, Role::Novice) => self.over(link, VoiceFailure::ClientFailed),
            _ => ignore(link, Why::OutOfSequence),
        }
    }

    /// VOIPGO came: the peer is the novice ([MS-RA] 3.17.5).
    pub(crate) fn go(&mut self, link: &mut Link, go: VoipGo<'_>) {
        if self.state != State::WaitServer {
            return link.ignore(Channel::Commands, Some(Name::VoipGo.as_str()), Why::OutOfSequence);
        }
        report(link, VoiceEvent::Connect(go.into_owned()));
        self.to(link, State::Established, VoiceEvent::Established);
    }

    /// The session is over.
    pub(crate) fn end(&mut self, link: &mut Link) {
        self.over(link, VoiceFailure::SessionOver);
    }

    /// Whatever goes on is over because of the peer.
    fn over(&mut self, link: &mut Link, failure: VoiceFailure) {
        let event = match self.state {
            State::Idle => return,
            State::Asked => VoiceEvent::Withdrawn,
            State::Asking
            | State::Agreed
            | State::WaitClient
            | State::MakeClient
            | State::WaitServer
            | State::MakeServer => VoiceEvent::Failed(failure),
            State::Established | State::Ending | State::CleaningUp => VoiceEvent::Ended,
        };
        self.to(link, State::Idle, event);
    }
}
