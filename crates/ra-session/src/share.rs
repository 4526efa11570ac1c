//! Share control ([MS-RA] 3.15, 3.16, [MS-RDPEMC] 2.2.4).

use ra_channel::encomsp::{ControlFlags, Message, ParticipantFlags};
use rccommand::Name;
use remassist_core::{Utf16Le, Version};

use crate::channel::Way;
use crate::link::Link;
use crate::{Channel, Event, Misuse, Why};

/// The one participant beside the novice.
const EXPERT: u32 = 1;

/// Share control.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlEvent {
    /// Novice: may the expert use mouse and keyboard? Answer with `allow_control` or `refuse_control`.
    Requested,
    /// Novice: the expert no longer asks.
    Withdrawn,
    /// Expert: control was granted.
    Granted,
    /// Expert: the user refused.
    Refused,
    /// Expert: a policy of the novice's machine forbids it.
    Denied,
    /// Control is over.
    Ended(EndedBy),
}

/// Who ended control.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The expert gave it back.
    Expert,
    /// An error on the expert's side.
    ExpertError,
    /// The novice, with the panic key.
    PanicKey,
    /// The novice, by other means.
    Novice,
}

/// How the novice takes control back ([MS-RA] 3.16.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeBack {
    /// With the panic key, Esc in Windows: ESCRC.
    PanicKey,
    /// By other means: TAKECONTROL.
    Other,
}

fn report(link: &mut Link, event: ControlEvent) {
    link.event(Event::Control(event));
}

/// Whether the novice says that its reader may view the screen.
pub(crate) fn may_view(message: &Message<'_>) -> bool {
    let view = ParticipantFlags::MAY_VIEW | ParticipantFlags::IS_PARTICIPANT;
    matches!(message, Message::ParticipantCreated { flags, .. } if flags.contains(view))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExpertState {
    Viewing,
    Waiting,
    Controlling,
}

/// Figure 14.
#[derive(Debug)]
pub(crate) struct ExpertShare {
    state: ExpertState,
    participant: u32,
    /// The novice answers on channel 71: then what it announces with [MS-RDPEMC] says the same again, perhaps late.
    by_commands: bool,
}

impl ExpertShare {
    pub(crate) const fn new() -> Self {
        Self { state: ExpertState::Viewing, participant: 0, by_commands: false }
    }

    pub(crate) fn controlling(&self) -> bool {
        self.state == ExpertState::Controlling
    }

    /// [MS-RA] 3.15.5.
    pub(crate) fn request(&mut self, link: &mut Link) -> Result<(), Misuse> {
        let version = link.established()?;
        if self.state != ExpertState::Viewing {
            return Err(Misuse::WrongState);
        }
        let channel = if version == Version::V1 { Channel::Commands } else { Channel::Encomsp };
        link.channels.way(channel).ok_or(Misuse::NoChannel)?;
        if version == Version::V1 {
            link.tell(Name::RemoteCtrlStart);
        } else {
            self.change(link, ControlFlags::REQUEST_VIEW | ControlFlags::REQUEST_INTERACT);
        }
        self.state = ExpertState::Waiting;
        Ok(())
    }

    /// Ends control, or the question for it.
    pub(crate) fn end(&mut self, link: &mut Link, name: Name) -> Result<(), Misuse> {
        let version = link.running()?;
        match self.state {
            ExpertState::Viewing => return Err(Misuse::WrongState),
            ExpertState::Waiting if name == Name::AbortRc => return Err(Misuse::WrongState),
            ExpertState::Waiting | ExpertState::Controlling => {}
        }
        link.tell(name);
        if version != Version::V1 {
            self.change(link, ControlFlags::REQUEST_VIEW);
        }
        self.state = ExpertState::Viewing;
        Ok(())
    }

    fn change(&self, link: &mut Link, flags: ControlFlags) {
        link.encomsp(Message::ControlChange { flags, participant_id: self.participant });
    }

    pub(crate) fn on_command(&mut self, link: &mut Link, name: Name) {
        let (next, event) = match (self.state, name) {
            (ExpertState::Waiting, Name::AcceptRc) => (ExpertState::Controlling, ControlEvent::Granted),
            (ExpertState::Waiting, Name::RejectRc) => (ExpertState::Viewing, ControlEvent::Refused),
            (ExpertState::Waiting, Name::DeniedRc) => (ExpertState::Viewing, ControlEvent::Denied),
            (ExpertState::Controlling, Name::EscRc) => {
                (ExpertState::Viewing, ControlEvent::Ended(EndedBy::PanicKey))
            }
            (ExpertState::Controlling, Name::TakeControl) => {
                (ExpertState::Viewing, ControlEvent::Ended(EndedBy::Novice))
            }
            // The answer to a question that came after one that was withdrawn: ACCEPTRC was meant for that one.
            (ExpertState::Controlling, Name::RejectRc) => (ExpertState::Viewing, ControlEvent::Refused),
            (ExpertState::Controlling, Name::DeniedRc) => (ExpertState::Viewing, ControlEvent::Denied),
            // [MS-RA] 3.15.5: what is out of sequence is ignored.
            _ => return link.ignore(Channel::Commands, Some(name.as_str()), Why::OutOfSequence),
        };
        self.by_commands = true;
        self.state = next;
        report(link, event);
    }

    pub(crate) fn on_encomsp(&mut self, link: &mut Link, message: &Message<'_>) {
        match message {
            Message::ParticipantCreated { participant_id, flags, .. }
                if flags.contains(ParticipantFlags::IS_PARTICIPANT) =>
            {
                self.participant = *participant_id;
                self.announced(link, flags.contains(ParticipantFlags::MAY_INTERACT));
            }
            Message::ParticipantRemoved { participant_id, .. } if *participant_id == self.participant => {
                self.announced(link, false);
            }
            other => link.ignore(Channel::Encomsp, other.pdu_type().name(), Why::NotUsed),
        }
    }

    fn announced(&mut self, link: &mut Link, interact: bool) {
        let (next, event) = match (self.state, interact) {
            _ if self.by_commands => return,
            (ExpertState::Waiting, true) => (ExpertState::Controlling, ControlEvent::Granted),
            (ExpertState::Controlling, false) => (ExpertState::Viewing, ControlEvent::Ended(EndedBy::Novice)),
            // What the novice allows before anybody asks changes nothing.
            _ => return,
        };
        self.state = next;
        report(link, event);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoviceState {
    Viewing,
    Asking,
    Shared,
}

/// Figure 16.
#[derive(Debug)]
pub(crate) struct NoviceShare {
    state: NoviceState,
    /// A policy forbids control.
    denied: bool,
    expert: String,
}

impl NoviceShare {
    pub(crate) const fn new(denied: bool) -> Self {
        Self { state: NoviceState::Viewing, denied, expert: String::new() }
    }

    pub(crate) fn shared(&self) -> bool {
        self.state == NoviceState::Shared
    }

    /// The session has begun: the expert is told what it may do.
    pub(crate) fn established(&mut self, link: &mut Link, expert: Option<String>) {
        self.expert = expert.unwrap_or_default();
        self.announce(link);
    }

    /// [MS-RDPEMC] 2.2.4.1: in versions 2 and 3, and to an expert that has nothing but static channels, which may know no
    /// other way.
    fn announce(&self, link: &mut Link) {
        let only_static = link.channels.way(Channel::Commands) == Some(Way::Packet);
        if link.version == Some(Version::V1) && !only_static {
            return;
        }
        let mut flags = ParticipantFlags::MAY_VIEW | ParticipantFlags::IS_PARTICIPANT;
        if self.shared() {
            flags = flags | ParticipantFlags::MAY_INTERACT;
        }
        link.encomsp(Message::ParticipantCreated {
            participant_id: EXPERT,
            group_id: 0,
            flags,
            friendly_name: Utf16Le::new(&self.expert),
        });
    }

    pub(crate) fn answer(&mut self, link: &mut Link, allow: bool) -> Result<(), Misuse> {
        link.running()?;
        if self.state != NoviceState::Asking {
            return Err(Misuse::NotAsked);
        }
        if allow {
            // [MS-RA] 3.15.1: first control is shared, then the expert is told.
            self.state = NoviceState::Shared;
            link.tell(Name::AcceptRc);
            self.announce(link);
        } else {
            self.state = NoviceState::Viewing;
            link.tell(Name::RejectRc);
        }
        Ok(())
    }

    pub(crate) fn take_back(&mut self, link: &mut Link, how: TakeBack) -> Result<(), Misuse> {
        link.running()?;
        if self.state != NoviceState::Shared {
            return Err(Misuse::WrongState);
        }
        self.state = NoviceState::Viewing;
        link.tell(match how {
            TakeBack::PanicKey => Name::EscRc,
            TakeBack::Other => Name::TakeControl,
        });
        self.announce(link);
        Ok(())
    }

    pub(crate) fn on_command(&mut self, link: &mut Link, name: Name) {
        match name {
            Name::RemoteCtrlStart => self.requested(link, Channel::Commands, name.as_str()),
            Name::RemoteCtrlEnd => self.ended(link, EndedBy::Expert, Channel::Commands, name.as_str()),
            Name::AbortRc => self.ended(link, EndedBy::ExpertError, Channel::Commands, name.as_str()),
            _ => link.ignore(Channel::Commands, Some(name.as_str()), Why::OutOfSequence),
        }
    }

    pub(crate) fn on_encomsp(&mut self, link: &mut Link, message: &Message<'_>) {
        let name = message.pdu_type().name();
        match message {
            // A known expert sends another number than its own, so the participant is not looked at.
            Message::ControlChange { flags, .. } if flags.contains(ControlFlags::REQUEST_INTERACT) => {
                self.requested(link, Channel::Encomsp, name.unwrap_or_default());
            }
            // An expert of version 2 or 3 says so on channel 71 too.
            Message::ControlChange { .. } if self.state == NoviceState::Viewing => {}
            Message::ControlChange { .. } => {
                self.ended(link, EndedBy::Expert, Channel::Encomsp, name.unwrap_or_default());
            }
            _ => link.ignore(Channel::Encomsp, name, Why::NotUsed),
        }
    }

    fn requested(&mut self, link: &mut Link, channel: Channel, name: &'static str) {
        match self.state {
            // [MS-RA] 3.16.5: DENIEDRC supersedes REJECTRC.
            NoviceState::Viewing if self.denied => link.tell(Name::DeniedRc),
            NoviceState::Viewing => {
                self.state = NoviceState::Asking;
                report(link, ControlEvent::Requested);
            }
            NoviceState::Asking | NoviceState::Shared => {
                link.ignore(channel, Some(name), Why::OutOfSequence);
            }
        }
    }

    fn ended(&mut self, link: &mut Link, by: EndedBy, channel: Channel, name: &'static str) {
        let event = match self.state {
            NoviceState::Viewing => return link.ignore(channel, Some(name), Why::OutOfSequence),
            NoviceState::Asking => ControlEvent::Withdrawn,
            NoviceState::Shared => ControlEvent::Ended(by),
        };
        self.state = NoviceState::Viewing;
        report(link, event);
        if event != ControlEvent::Withdrawn {
            self.announce(link);
        }
    }

    /// The session is over: nothing is shared any more.
    pub(crate) fn close(&mut self) {
        self.state = NoviceState::Viewing;
    }
}
