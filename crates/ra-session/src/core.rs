//! What both roles do: routing, commands, timers, the end.

use ra_channel::encomsp::{EncomspPayload, Message};
use ra_channel::{ChannelName, Control, ControlPayload, Data};
use rccommand::{Command, Name, Purpose, RcCommand};
use remassist_core::text::TextDocument;
use remassist_core::{Decode as _, Decoded, Role, Time, Version};

use crate::files::FileMachine;
use crate::link::{Link, Phase};
use crate::settings::SettingsMachine;
use crate::voice::VoiceMachine;
use crate::{Channel, Event, Input, Options, Output, Reason, Why, chat};

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) link: Link,
    pub(crate) files: FileMachine,
    pub(crate) voice: VoiceMachine,
    pub(crate) settings: SettingsMachine,
    /// When the peer, or the user, has been silent for too long.
    pub(crate) deadline: Option<Time>,
}

/// What is different in the two roles.
pub(crate) trait Side {
    fn core(&mut self) -> &mut Core;
    /// A message of session initialization.
    fn on_control(&mut self, channel: Channel, message: Control<'_>);
    /// A command about share control, or one that only one role knows. The sender may send it in this version.
    fn on_command(&mut self, command: &Command<'_>);
    /// Something came that belongs to an established session, and this one is not yet.
    fn on_early(&mut self);
    /// A PDU of [MS-RDPEMC].
    fn on_encomsp(&mut self, message: &Message<'_>);
    /// The deadline has passed.
    fn on_deadline(&mut self);
    /// The session ends: what only one role has.
    fn on_close(&mut self);
}

impl Core {
    pub(crate) fn new(role: Role, now: Time, options: &Options) -> Self {
        Self {
            link: Link::new(role, now, options),
            files: FileMachine::new(options),
            voice: VoiceMachine::new(options.voice),
            settings: SettingsMachine::new(options.contact.clone()),
            deadline: None,
        }
    }

    pub(crate) fn set_version(&mut self, version: Version) {
        self.link.version = Some(version);
        self.link.event(Event::Version(version));
    }

    /// The session is established.
    pub(crate) fn establish(&mut self, version: Version, heartbeat: bool) {
        self.deadline = None;
        self.link.phase = Phase::Established;
        self.link.event(Event::Established(version));
        if heartbeat && version == Version::V1 {
            self.link.start_heartbeat();
        }
    }

    pub(crate) fn poll(&mut self) -> Output {
        if let Some(output) = self.link.pop() {
            return output;
        }
        self.files.pump(&mut self.link);
        self.link.pop().unwrap_or_else(|| {
            Output::Wait(match (self.deadline, self.link.next_beat()) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            })
        })
    }
}

pub(crate) fn handle(side: &mut impl Side, now: Time, input: Input<'_>) {
    let core = side.core();
    if core.link.phase == Phase::Closed {
        return;
    }
    // A clock that steps back stands still.
    core.link.now = core.link.now.max(now);
    match input {
        Input::Data { channel, bytes } => data(side, channel, bytes),
        Input::ChannelOpened(channel) => {
            core.link.channels.opened(channel);
            if let Channel::Transfer(name) = channel {
                core.files.opened(&mut core.link, name);
            }
        }
        Input::ChannelClosed(channel) => closed(side, channel),
        Input::ConnectionLost => close(side, Reason::ConnectionLost),
        Input::Tick => core.link.tick(),
    }
    let core = side.core();
    if core.deadline.is_some_and(|deadline| deadline <= core.link.now) {
        side.on_deadline();
    }
    if side.core().link.overflowed() {
        close(side, Reason::Overflow);
    }
}

/// The end, whatever the reason.
pub(crate) fn close(side: &mut impl Side, reason: Reason) {
    if side.core().link.phase == Phase::Closed {
        return;
    }
    side.core().link.begin_end();
    side.on_close();
    let core = side.core();
    core.files.end(&mut core.link);
    core.voice.end(&mut core.link);
    core.deadline = None;
    core.link.finish(Event::Closed(reason));
}

/// The end by this side: the peer is told ([MS-RA] 3.3.5).
pub(crate) fn disconnect(side: &mut impl Side, reason: Reason) {
    let link = &mut side.core().link;
    link.begin_end();
    link.control(Control::Disconnect);
    close(side, reason);
}

fn closed(side: &mut impl Side, channel: Channel) {
    let core = side.core();
    let was_open = core.link.channels.closed(channel);
    match channel {
        Channel::Transfer(name) => core.files.closed(&mut core.link, name),
        // [MS-RA] 2.1: the channels stay for as long as the session.
        Channel::Control | Channel::Remdesk
            if was_open && core.link.channels.way(Channel::Control).is_none() =>
        {
            close(side, Reason::ChannelLost(channel));
        }
        Channel::Chat | Channel::Commands if was_open => close(side, Reason::ChannelLost(channel)),
        _ => {}
    }
}

fn data(side: &mut impl Side, channel: Channel, bytes: &[u8]) {
    let link = &mut side.core().link;
    if bytes.len() > link.limits.message {
        return link.ignore(channel, None, Why::TooLarge);
    }
    match channel {
        Channel::Control | Channel::Remdesk => packets(side, channel, bytes),
        Channel::Chat | Channel::Commands | Channel::Transfer(_) => payload(side, channel, bytes),
        Channel::Encomsp => encomsp(side, bytes),
    }
}

/// [MS-RA] 2.2.1.2: packets on `remdesk` or `RC_CTL`.
fn packets(side: &mut impl Side, channel: Channel, bytes: &[u8]) {
    let link = &mut side.core().link;
    let payloads = match ControlPayload::decode_with(bytes, &link.decode_options()) {
        Ok(Decoded { value, .. }) => value,
        Err(error) => return link.ignore(channel, None, Why::Undecodable(error)),
    };
    for packet in payloads.packets {
        let to = Channel::of_packet(packet.channel());
        match packet.data {
            Data::Control(message) => control(side, channel, message),
            Data::Payload(bytes) => match to {
                // Only the static channel carries what is named for another.
                Some(to) if channel == Channel::Remdesk => payload(side, to, &bytes),
                Some(_) => side.core().link.ignore(channel, None, Why::WrongChannel),
                None => side.core().link.ignore(channel, None, Why::Unknown),
            },
            _ => side.core().link.ignore(channel, None, Why::Unknown),
        }
        if side.core().link.phase == Phase::Closed {
            return;
        }
    }
}

fn control(side: &mut impl Side, channel: Channel, message: Control<'_>) {
    let link = &mut side.core().link;
    let (kind, name) = (message.msg_type(), message.msg_type().name());
    // The novice speaks first; the expert answers where it did.
    if link.role == Role::Expert {
        link.channels.follow(channel);
    }
    let fits = |version: Version| version <= link.highest && kind.is_used_in(version);
    let fits = link.version.map_or_else(|| Version::ALL.into_iter().any(fits), fits);
    match message {
        Control::Disconnect => close(side, Reason::Peer),
        Control::Unknown { .. } => link.ignore(channel, name, Why::Unknown),
        // [MS-RA] 3: dropped without an error.
        _ if !fits => link.ignore(channel, name, Why::OtherVersion),
        // [MS-RA] 3.3.6: nothing follows from it.
        Control::IsConnected => link.event(Event::Alive),
        message => side.on_control(channel, message),
    }
}

fn payload(side: &mut impl Side, channel: Channel, bytes: &[u8]) {
    if side.core().link.phase == Phase::Beginning {
        side.on_early();
    }
    let core = side.core();
    match channel {
        Channel::Chat => chat::receive(&mut core.link, bytes),
        Channel::Commands => commands(side, bytes),
        Channel::Transfer(name) => transfer(core, name, bytes),
        _ => core.link.ignore(channel, None, Why::WrongChannel),
    }
}

fn transfer(core: &mut Core, name: ChannelName, bytes: &[u8]) {
    if let Some(file) = core.files.data(&mut core.link, name, bytes) {
        core.settings.collected(&mut core.link, &mut core.files, &file);
    }
}

/// [MS-RA] 2.2.2: a command on channel 71.
fn commands(side: &mut impl Side, bytes: &[u8]) {
    let core = side.core();
    let link = &mut core.link;
    let message = match TextDocument::<RcCommand<'_>>::decode_with(bytes, &link.decode_options()) {
        Ok(Decoded { value, .. }) => value.content,
        Err(error) => return link.ignore(Channel::Commands, None, Why::Undecodable(error)),
    };
    let Some(name) = Name::parse(message.name()) else {
        return link.ignore(Channel::Commands, None, Why::Unknown);
    };
    match admitted(link, name, &message) {
        Ok(command) => dispatch(side, name, command),
        Err(why) => link.ignore(Channel::Commands, Some(name.as_str()), why),
    }
}

/// What a command says, when this session takes it from the peer.
fn admitted<'m>(link: &Link, name: Name, message: &'m RcCommand<'_>) -> Result<Command<'m>, Why> {
    let command = message.command().map_err(|_| Why::Incomplete)?;
    let peer = link.role.peer();
    match (link.phase, link.version) {
        (Phase::Established, Some(version)) if name.may_send(peer, version) => Ok(command),
        (Phase::Established, _) if Version::ALL.iter().any(|v| name.may_send(peer, *v)) => {
            Err(Why::OtherVersion)
        }
        (Phase::Established, _) => Err(Why::WrongSender),
        _ => Err(Why::NotEstablished),
    }
}

fn dispatch(side: &mut impl Side, name: Name, command: Command<'_>) {
    let core = side.core();
    let link = &mut core.link;
    match (name.purpose(), command) {
        (Purpose::FileTransfer, Command::FileXfer(xfer)) => {
            let collect = core.settings.expects(link);
            core.files.receive(link, &xfer, collect);
        }
        (_, Command::SettingAnnounce { property, value }) => {
            core.settings.receive(link, &mut core.files, &property, &value);
        }
        (Purpose::Voice, Command::VoipGo(go)) => core.voice.go(link, go),
        (Purpose::Voice, _) => core.voice.receive(link, name),
        (_, command) => side.on_command(&command),
    }
}

/// [MS-RDPEMC] 3.1.5.1.
fn encomsp(side: &mut impl Side, bytes: &[u8]) {
    let link = &mut side.core().link;
    let payload = match EncomspPayload::decode_with(bytes, &link.decode_options()) {
        Ok(Decoded { value, .. }) => value,
        Err(error) => return link.ignore(Channel::Encomsp, None, Why::Undecodable(error)),
    };
    for pdu in payload.pdus {
        side.on_encomsp(&pdu.message);
    }
}

/// Share control belongs to an established session.
pub(crate) fn too_early(side: &mut impl Side, message: &Message<'_>) {
    side.core().link.ignore(Channel::Encomsp, message.pdu_type().name(), Why::NotEstablished);
}
