//! What the parts of a session share: outputs, channels, version, time.

use std::collections::VecDeque;
use std::time::Duration;

use ra_channel::encomsp::{Message, Pdu};
use ra_channel::{ChannelName, Control, Packet};
use rccommand::{Command, Name};
use remassist_core::text::TextDocument;
use remassist_core::{DecodeOptions, Encode, Limits, Role, Time, Utf16Le, Version};

use crate::channel::{Channels, Way};
use crate::{Channel, Event, Ignored, Misuse, Options, Output, SessionLimits, Why};

/// [MS-RA] 3.3.2.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Beginning,
    Established,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) role: Role,
    /// The highest version that this side speaks.
    pub(crate) highest: Version,
    /// The version of the session, once it is known.
    pub(crate) version: Option<Version>,
    pub(crate) phase: Phase,
    pub(crate) now: Time,
    pub(crate) channels: Channels,
    pub(crate) limits: SessionLimits,
    /// When the next heartbeat is due.
    beat: Option<Time>,
    out: VecDeque<Output>,
    overflow: bool,
    /// What is said now is about the end: it does not count.
    ending: bool,
}

impl Link {
    pub(crate) fn new(role: Role, now: Time, options: &Options) -> Self {
        Self {
            role,
            highest: options.highest,
            version: None,
            phase: Phase::Beginning,
            now,
            channels: Channels::default(),
            limits: options.limits,
            beat: None,
            out: VecDeque::new(),
            overflow: false,
            ending: false,
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        if self.phase == Phase::Closed {
            return;
        }
        if self.out.len() >= self.limits.outputs && !self.ending {
            self.overflow = true;
            return;
        }
        if matches!(output, Output::Send { .. }) {
            self.not_idle();
        }
        self.out.push_back(output);
    }

    /// An idle connection is one on which nothing was sent.
    pub(crate) fn not_idle(&mut self) {
        if let Some(beat) = &mut self.beat {
            *beat = self.now.after(HEARTBEAT);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Whether an output was lost because nobody took the others.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflow
    }

    /// From now on the session ends: what was under way is told, whatever waits already.
    pub(crate) fn begin_end(&mut self) {
        self.ending = true;
    }

    /// The last output of all.
    pub(crate) fn finish(&mut self, event: Event) {
        self.beat = None;
        self.phase = Phase::Closed;
        self.out.push_back(Output::Event(event));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub(crate) fn ignore(&mut self, channel: Channel, message: Option<&'static str>, why: Why) {
        self.event(Event::Ignored(Ignored { channel, message, why }));
    }

    /// The version, for what the program sends in an established session.
    pub(crate) fn established(&self) -> Result<Version, Misuse> {
        let version = self.running()?;
        // The other half is kept for what the peer makes necessary, and for what ends something.
        if self.out.len() >= self.limits.outputs.div_ceil(2) { Err(Misuse::QueueFull) } else { Ok(version) }
    }

    /// The version, for what may not be put off in an established session.
    pub(crate) fn running(&self) -> Result<Version, Misuse> {
        match (self.phase, self.version) {
            (Phase::Established, Some(version)) => Ok(version),
            (Phase::Closed, _) => Err(Misuse::Closed),
            _ => Err(Misuse::NotEstablished),
        }
    }

    /// Tolerant, within the limits of the session.
    pub(crate) fn decode_options(&self) -> DecodeOptions {
        let limits = Limits::DEFAULT.with_message(self.limits.message).with_items(self.limits.items);
        DecodeOptions::TOLERANT.with_limits(limits)
    }

    pub(crate) fn start_heartbeat(&mut self) {
        self.beat = Some(self.now.after(HEARTBEAT));
    }

    pub(crate) fn next_beat(&self) -> Option<Time> {
        self.beat
    }

    /// [MS-RA] 3.3.6: ISCONNECTED every 30 seconds on an idle connection.
    pub(crate) fn tick(&mut self) {
        if self.beat.is_some_and(|beat| beat <= self.now) {
            self.control(Control::IsConnected);
        }
    }

    /// A message of session initialization.
    pub(crate) fn control(&mut self, message: Control<'_>) {
        let Some(way) = self.channels.way(Channel::Control) else { return };
        let channel = if way == Way::Packet { Channel::Remdesk } else { Channel::Control };
        // What can go into a message was tried when the session was made.
        if let Ok(bytes) = Packet::control(message).to_vec() {
            self.push(Output::Send { channel, bytes });
        }
    }

    /// A payload of any other channel.
    pub(crate) fn payload(&mut self, channel: Channel, payload: &impl Encode) -> Result<(), Misuse> {
        let bytes = payload.to_vec().map_err(|_| Misuse::Unwritable)?;
        self.raw(channel, bytes)
    }

    fn raw(&mut self, channel: Channel, bytes: Vec<u8>) -> Result<(), Misuse> {
        let (channel, bytes) = match self.channels.way(channel).ok_or(Misuse::NoChannel)? {
            Way::Own(channel) => (channel, bytes),
            Way::Packet => {
                let name = channel.packet_name().ok_or(Misuse::NoChannel)?;
                let packet = Packet::payload(name, bytes).to_vec().map_err(|_| Misuse::Unwritable)?;
                (Channel::Remdesk, packet)
            }
        };
        self.push(Output::Send { channel, bytes });
        Ok(())
    }

    /// Whether a command can be written: XML does not allow every character.
    pub(crate) fn can_write(command: &Command<'_>) -> bool {
        TextDocument::unicode_z(command.to_message()).check().is_ok()
    }

    /// A command on channel 71.
    pub(crate) fn command(&mut self, command: &Command<'_>) -> Result<(), Misuse> {
        self.payload(Channel::Commands, &TextDocument::unicode_z(command.to_message()))
    }

    /// A command that is nothing but its name. Without a channel for it, nothing is sent.
    pub(crate) fn tell(&mut self, name: Name) {
        let _no_channel = self.command(&Command::Plain(name));
    }

    /// A PDU of [MS-RDPEMC], where there is a channel for it.
    pub(crate) fn encomsp(&mut self, message: Message<'_>) {
        let _no_channel = self.payload(Channel::Encomsp, &Pdu::new(message));
    }

    /// A verb or a block on the channel of a transfer.
    pub(crate) fn transfer(&mut self, name: ChannelName, bytes: Vec<u8>) {
        let _no_channel = self.raw(Channel::Transfer(name), bytes);
    }
}

/// Whether a text can be written into every message: it has no NUL.
pub(crate) fn writable(text: &str) -> bool {
    !text.contains('\0')
}

/// Bytes of a text as UTF-16LE with its NUL.
pub(crate) fn wire_len(text: &str) -> usize {
    Utf16Le::with_nul(text).as_bytes().len()
}
