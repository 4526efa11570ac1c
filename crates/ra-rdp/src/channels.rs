//! The channels of a session over those of an RDP connection ([MS-RA] 2.1).

use bytes::{Buf, BytesMut};
use ra_session::{Channel, Input, Role, describe};
use tracing::{Level, enabled, trace};

use crate::RdpError;
use crate::chunk::{Chunks, Route};
use crate::dvc::Dvc;
use crate::record::{Passed, Recorder, Tape};

/// MCS channels of the static channels; `None` for those that the expert did not ask for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ids {
    pub(crate) initiator: u16,
    pub(crate) remdesk: Option<u16>,
    pub(crate) encomsp: Option<u16>,
    pub(crate) drdynvc: Option<u16>,
}

impl Ids {
    /// The channels of the session that are there from the beginning.
    pub(crate) fn opened(self) -> impl Iterator<Item = Channel> {
        let all = [(Channel::Remdesk, self.remdesk), (Channel::Encomsp, self.encomsp)];
        all.into_iter().filter(|(_, id)| id.is_some()).map(|(channel, _)| channel)
    }
}

/// Static and dynamic channels of one connection.
#[derive(Debug)]
pub(crate) struct Channels {
    role: Role,
    ids: Ids,
    remdesk: Chunks,
    encomsp: Chunks,
    drdynvc: Chunks,
    dvc: Dvc,
    tape: Option<Tape>,
}

/// What a channel brought for the session.
#[derive(Debug)]
pub(crate) enum Brought {
    /// A channel can be used.
    Opened(Channel),
    /// A channel is gone, or the expert did not take it.
    Closed(Channel),
    /// A message.
    Data(Channel, Vec<u8>),
}

impl Brought {
    pub(crate) fn input(&self) -> Input<'_> {
        match self {
            Self::Opened(channel) => Input::ChannelOpened(*channel),
            Self::Closed(channel) => Input::ChannelClosed(*channel),
            Self::Data(channel, bytes) => Input::Data { channel: *channel, bytes },
        }
    }
}

impl Channels {
    /// `limit`: most bytes of a message.
    pub(crate) fn new(role: Role, ids: Ids, limit: usize) -> Self {
        let chunks = || Chunks::new(limit);
        Self {
            role,
            ids,
            remdesk: chunks(),
            encomsp: chunks(),
            drdynvc: chunks(),
            dvc: Dvc::new(role, limit),
            tape: None,
        }
    }

    /// Shows a recorder what passes from now on.
    pub(crate) fn record(&mut self, recorder: Box<dyn Recorder>) {
        let tape = self.tape.insert(Tape::new(recorder));
        self.ids.opened().for_each(|channel| tape.record(Role::Expert, channel, Passed::Opened));
    }

    /// Whether an MCS channel is one of these.
    pub(crate) fn has(&self, channel: u16) -> bool {
        [self.ids.remdesk, self.ids.encomsp, self.ids.drdynvc].contains(&Some(channel))
    }

    /// Takes the user data of one of these channels.
    pub(crate) fn receive(&mut self, channel: u16, data: &[u8]) -> Result<Option<Brought>, RdpError> {
        let brought = self.take(channel, data)?;
        match &brought {
            // Dynamic channels are created by the novice.
            Some(Brought::Opened(channel)) => self.passed(Role::Novice, *channel, Passed::Opened),
            Some(Brought::Closed(channel)) => self.passed(self.role.peer(), *channel, Passed::Closed),
            Some(Brought::Data(channel, bytes)) => {
                self.passed(self.role.peer(), *channel, Passed::Message(bytes.into()));
            }
            None => {}
        }
        Ok(brought)
    }

    fn take(&mut self, channel: u16, data: &[u8]) -> Result<Option<Brought>, RdpError> {
        let (chunks, fixed) = match Some(channel) {
            id if id == self.ids.remdesk => (&mut self.remdesk, Some(Channel::Remdesk)),
            id if id == self.ids.encomsp => (&mut self.encomsp, Some(Channel::Encomsp)),
            _ => (&mut self.drdynvc, None),
        };
        let Some(message) = chunks.take(data)? else { return Ok(None) };
        match fixed {
            Some(channel) => Ok(Some(Brought::Data(channel, message.into_owned()))),
            None => self.dvc.receive(&message),
        }
    }

    fn route(&self, channel: u16) -> Route {
        Route { role: self.role, initiator: self.ids.initiator, channel }
    }

    /// Appends a message of a session. What has no channel is not sent.
    pub(crate) fn send(
        &mut self,
        channel: Channel,
        mut message: impl Buf,
        out: &mut BytesMut,
    ) -> Result<(), RdpError> {
        if self.tape.is_none() && !enabled!(Level::TRACE) {
            return self.put(channel, message, out);
        }
        let whole = message.copy_to_bytes(message.remaining());
        self.passed(self.role, channel, Passed::Message((&whole[..]).into()));
        self.put(channel, whole, out)
    }

    /// Tells the recorder, and the log: without secrets, and without what was said.
    fn passed(&mut self, from: Role, channel: Channel, what: Passed<'_>) {
        match &what {
            Passed::Opened => trace!(%channel, "opened"),
            Passed::Closed => trace!(?from, %channel, "closed"),
            Passed::Message(bytes) if enabled!(Level::TRACE) => {
                describe(channel, bytes).iter().for_each(|message| trace!(?from, "{message}"));
            }
            Passed::Message(_) => {}
        }
        if let Some(tape) = &mut self.tape {
            tape.record(from, channel, what);
        }
    }

    fn put(&mut self, channel: Channel, message: impl Buf, out: &mut BytesMut) -> Result<(), RdpError> {
        let fixed = match channel {
            Channel::Remdesk => self.ids.remdesk,
            Channel::Encomsp => self.ids.encomsp,
            _ => {
                // What was said before comes before it.
                self.flush(out)?;
                let Some(id) = self.ids.drdynvc else { return Ok(()) };
                let route = self.route(id);
                return self.dvc.send(channel, message, |pdu| route.message(pdu, out));
            }
        };
        fixed.map_or(Ok(()), |id| self.route(id).message(message, out))
    }

    /// The version of dynamic channels is asked for.
    pub(crate) fn start(&mut self) {
        self.dvc.start();
    }

    /// Has a dynamic channel created.
    pub(crate) fn create(&mut self, channel: Channel) {
        self.dvc.create(channel);
    }

    /// Whether a dynamic channel is being created.
    pub(crate) fn is_opening(&self) -> bool {
        self.dvc.is_opening()
    }

    /// Closes a dynamic channel.
    pub(crate) fn close(&mut self, channel: Channel) {
        self.passed(self.role, channel, Passed::Closed);
        self.dvc.close(channel);
    }

    /// Appends what the dynamic channels have to say.
    pub(crate) fn flush(&mut self, out: &mut BytesMut) -> Result<(), RdpError> {
        let Some(id) = self.ids.drdynvc else { return Ok(()) };
        let route = self.route(id);
        self.dvc.take_output().iter().try_for_each(|pdu| route.message(&pdu[..], out))
    }
}
