//! Channels as a driver names them, and which of them carries what ([MS-RA] 2.1).

use core::fmt;
use std::collections::VecDeque;

use ra_channel::ChannelName;

/// Channels of files that are remembered, whatever the peer creates.
const MAX_TRANSFERS: usize = 16;

/// A virtual channel of the connection ([MS-RA] 2.1, [MS-RDPEMC] 2.1).
///
/// `Display` gives the name that the channel has on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `RC_CTL`, dynamic: session initialization.
    Control,
    /// `remdesk`, static: session initialization, and whatever has no channel of its own.
    Remdesk,
    /// `70`, dynamic: chat.
    Chat,
    /// `71`, dynamic: commands.
    Commands,
    /// `encomsp`, static: share control of [MS-RDPEMC].
    Encomsp,
    /// `RA_FX`, or the name of a transfer of version 1, dynamic: a file.
    Transfer(ChannelName),
}

impl Channel {
    /// The channel of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "encomsp" {
            return Some(Self::Encomsp);
        }
        ChannelName::parse(name).and_then(Self::named)
    }

    fn named(name: ChannelName) -> Option<Self> {
        Some(match name {
            ChannelName::Control => Self::Control,
            ChannelName::StaticControl => Self::Remdesk,
            ChannelName::Chat => Self::Chat,
            ChannelName::Commands => Self::Commands,
            name if name.is_transfer() => Self::Transfer(name),
            _ => return None,
        })
    }

    /// The channel that a packet of the static channel is for; `None` for control messages and unknown names.
    pub(crate) fn of_packet(name: Option<ChannelName>) -> Option<Self> {
        name.filter(|n| !n.is_control()).and_then(Self::named)
    }

    /// The name in the header of a packet on the static channel.
    pub(crate) fn packet_name(self) -> Option<ChannelName> {
        match self {
            Self::Control | Self::Remdesk => Some(ChannelName::Control),
            Self::Chat => Some(ChannelName::Chat),
            Self::Commands => Some(ChannelName::Commands),
            Self::Transfer(name) => Some(name),
            Self::Encomsp => None,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => ChannelName::Control.fmt(f),
            Self::Remdesk => ChannelName::StaticControl.fmt(f),
            Self::Chat => ChannelName::Chat.fmt(f),
            Self::Commands => ChannelName::Commands.fmt(f),
            Self::Encomsp => f.write_str("encomsp"),
            Self::Transfer(name) => name.fmt(f),
        }
    }
}

/// Which channels are there. What has no channel of its own goes through `remdesk` in packets that carry its name
/// ([MS-RA] 2.2.1.2).
#[derive(Debug, Default)]
pub(crate) struct Channels {
    control: bool,
    remdesk: bool,
    chat: bool,
    commands: bool,
    encomsp: bool,
    /// Those of files: one, and for a moment those of files that are refused meanwhile.
    transfers: VecDeque<ChannelName>,
    /// The peer's control messages come on `remdesk`, so ours go there.
    on_remdesk: bool,
}

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// On a channel of its own.
    Own(Channel),
    /// In a packet on `remdesk`.
    Packet,
}

impl Channels {
    fn slot(&mut self, channel: Channel) -> Option<&mut bool> {
        match channel {
            Channel::Control => Some(&mut self.control),
            Channel::Remdesk => Some(&mut self.remdesk),
            Channel::Chat => Some(&mut self.chat),
            Channel::Commands => Some(&mut self.commands),
            Channel::Encomsp => Some(&mut self.encomsp),
            Channel::Transfer(_) => None,
        }
    }

    pub(crate) fn opened(&mut self, channel: Channel) {
        if let Channel::Transfer(name) = channel {
            self.transfers.retain(|open| *open != name);
            if self.transfers.len() >= MAX_TRANSFERS {
                self.transfers.pop_front();
            }
            self.transfers.push_back(name);
        } else if let Some(open) = self.slot(channel) {
            *open = true;
        }
    }

    /// Whether the channel was open until now.
    pub(crate) fn closed(&mut self, channel: Channel) -> bool {
        if let Channel::Transfer(name) = channel {
            let place = self.transfers.iter().position(|open| *open == name);
            return place.and_then(|place| self.transfers.remove(place)).is_some();
        }
        self.slot(channel).is_some_and(core::mem::take)
    }

    pub(crate) fn is_open(&self, channel: Channel) -> bool {
        match channel {
            Channel::Control => self.control,
            Channel::Remdesk => self.remdesk,
            Channel::Chat => self.chat,
            Channel::Commands => self.commands,
            Channel::Encomsp => self.encomsp,
            Channel::Transfer(name) => self.transfers.contains(&name),
        }
    }

    /// The peer spoke on this control channel: the answers belong there.
    pub(crate) fn follow(&mut self, channel: Channel) {
        self.on_remdesk = channel == Channel::Remdesk;
    }

    /// Whether files get a dynamic channel of their own: where the commands have one.
    pub(crate) fn transfers_have_channels(&self) -> bool {
        self.commands
    }

    pub(crate) fn way(&self, channel: Channel) -> Option<Way> {
        let prefers_own = channel != Channel::Control || !(self.on_remdesk && self.remdesk);
        if self.is_open(channel) && prefers_own {
            return Some(Way::Own(channel));
        }
        (self.remdesk && channel.packet_name().is_some()).then_some(Way::Packet)
    }
}
