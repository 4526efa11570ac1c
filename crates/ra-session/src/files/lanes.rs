//! Channels of transfers: who creates them, and what is still to be said on them ([MS-RA] 2.1, 3.9.3, 3.10.3).

use ra_channel::{ChannelName, FileVerb};
use remassist_core::Role;

use crate::link::Link;
use crate::{Channel, Output};

/// Last words that wait for a channel. A peer that offers more than that at the same time gets no answer.
const MAX_WAITING: usize = 8;

/// The channel of one transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    pub(super) name: ChannelName,
    /// Only the novice, as RDP server, can create and close it.
    dynamic: bool,
}

impl Lane {
    pub(super) fn new(link: &Link, name: ChannelName) -> Self {
        Self { name, dynamic: link.channels.transfers_have_channels() }
    }

    pub(super) const fn channel(self) -> Channel {
        Channel::Transfer(self.name)
    }

    /// Whether it comes and goes.
    pub(super) const fn is_dynamic(self) -> bool {
        self.dynamic
    }

    /// Whether something can be sent on it now.
    pub(super) fn is_ready(self, link: &Link) -> bool {
        !self.dynamic || link.channels.is_open(self.channel())
    }

    /// Has it created, unless it is there or the other side's task. Says whether it must be waited for.
    pub(super) fn open(self, link: &mut Link) -> bool {
        let open = link.role == Role::Novice && !self.is_ready(link);
        if open {
            link.push(Output::Open(self.channel()));
        }
        open
    }

    fn close(self, link: &mut Link) {
        if self.dynamic && link.role == Role::Novice && link.channels.closed(self.channel()) {
            link.push(Output::Close(self.channel()));
        }
    }

    /// With its NUL.
    pub(super) fn say(self, link: &mut Link, verb: FileVerb) {
        link.transfer(self.name, verb.to_wire().as_bytes().to_vec());
    }
}

/// What is to be done as soon as a channel is there, before it is closed again.
#[derive(Debug)]
struct Waiting {
    lane: Lane,
    last: Option<Vec<u8>>,
}

/// A transfer ended with REJECT: what still arrives is of it.
#[derive(Debug)]
struct Silence {
    name: ChannelName,
    /// The peer has a REJECT from us on the channel as it is now.
    told: bool,
}

/// Channels of transfers that do not run.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: Vec<Waiting>,
    silence: Option<Silence>,
}

impl Lanes {
    /// Whether something is still to be said there: another transfer of that name must wait.
    pub(super) fn is_waiting(&self, name: ChannelName) -> bool {
        self.waiting.iter().any(|w| w.lane.name == name)
    }

    /// The transfer there ended with REJECT. What follows is dropped until the peer asks again.
    pub(super) fn silence(&mut self, name: ChannelName, told: bool) {
        self.silence = Some(Silence { name, told });
    }

    pub(super) fn is_silent(&self, name: ChannelName) -> bool {
        self.silence.as_ref().is_some_and(|s| s.name == name)
    }

    pub(super) fn end_silence(&mut self) {
        self.silence = None;
    }

    /// The peer accepts a file though no transfer runs there: says, once, whether to tell it so.
    pub(super) fn must_tell(&mut self, name: ChannelName) -> bool {
        let told = self.silence.as_ref().is_some_and(|s| s.name == name && s.told);
        self.silence(name, true);
        !told
    }

    /// The transfer is over: last words, then the channel goes.
    pub(super) fn leave(&mut self, link: &mut Link, lane: Lane, last: Option<Vec<u8>>) {
        self.waiting.insert(0, Waiting { lane, last });
        if lane.is_ready(link) {
            self.flush(link, lane);
        } else if link.role == Role::Expert {
            // Nothing but words needs the channel.
            self.waiting.retain(|w| w.last.is_some());
        }
    }

    /// REJECT for an offer on a channel that `runs`, which is over first, or on one where no transfer runs.
    pub(super) fn refuse(&mut self, link: &mut Link, lane: Lane, runs: bool) {
        if self.waiting.len() >= MAX_WAITING {
            return;
        }
        let ready = !runs && (!self.is_waiting(lane.name) && !lane.open(link)) && lane.is_ready(link);
        let last = Some(FileVerb::Reject.to_wire().as_bytes().to_vec());
        self.waiting.push(Waiting { lane, last });
        if ready {
            self.flush(link, lane);
        }
    }

    /// The channel is there.
    pub(super) fn opened(&mut self, link: &mut Link, name: ChannelName, runs: bool) {
        if let Some(silence) = self.silence.as_mut().filter(|s| s.name == name) {
            silence.told = false;
        }
        let waiting = self.waiting.iter().find(|w| w.lane.name == name).map(|w| w.lane);
        if let Some(lane) = waiting.filter(|_| !runs) {
            self.flush(link, lane);
        }
    }

    /// The channel is gone, and with it the one who listened there.
    pub(super) fn closed(&mut self, name: ChannelName) {
        self.waiting.retain(|w| w.lane.name != name);
    }

    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    fn flush(&mut self, link: &mut Link, lane: Lane) {
        for waiting in self.waiting.extract_if(.., |w| w.lane.name == lane.name) {
            if let Some(last) = waiting.last {
                link.transfer(lane.name, last);
                if let Some(silence) = self.silence.as_mut().filter(|s| s.name == lane.name) {
                    silence.told = true;
                }
            }
        }
        lane.close(link);
    }
}
