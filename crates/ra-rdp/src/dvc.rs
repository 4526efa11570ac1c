//! Dynamic virtual channels ([MS-RDPEDYC]): created by the novice, who is the RDP server; used by both.

use std::collections::BTreeMap;

use bytes::Buf;
use bytes::buf::{Chain, Take};
use ironrdp_core::{Decode as _, Encode, ReadCursor, encode, encode_vec};
use ironrdp_dvc::pdu::{
    CapabilitiesRequestPdu, CapabilitiesResponsePdu, CapsVersion, ClosePdu, CreateRequestPdu,
    CreateResponsePdu, CreationStatus, DataFirstPdu, DataPdu, DrdynvcClientPdu, DrdynvcDataPdu,
    DrdynvcServerPdu,
};
use ra_session::{Channel, Role};

use crate::RdpError;
use crate::channels::Brought;

/// Most bytes of a PDU ([MS-RDPEDYC] 3.1.5.1.4), of which a header takes up to 9.
const PDU: usize = 1600;
const DATA: usize = PDU - 9;
/// Dynamic channels at a time: those of a session, and some transfers.
const CHANNELS: usize = 32;

#[derive(Debug)]
struct Dynamic {
    channel: Channel,
    open: bool,
    expected: Option<usize>,
    message: Vec<u8>,
}

/// One side of drdynvc.
#[derive(Debug)]
pub(crate) struct Dvc {
    role: Role,
    limit: usize,
    /// Novice: the expert has answered the capabilities.
    ready: bool,
    channels: BTreeMap<u32, Dynamic>,
    next: u32,
    /// PDUs to send.
    out: Vec<Vec<u8>>,
    /// Novice: channels to create as soon as it is ready.
    wanted: Vec<Channel>,
}

impl Dvc {
    pub(crate) fn new(role: Role, limit: usize) -> Self {
        Self {
            role,
            limit,
            ready: false,
            channels: BTreeMap::new(),
            next: 1,
            out: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// PDUs to send on the static channel drdynvc.
    pub(crate) fn take_output(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.out)
    }

    fn push(&mut self, pdu: &impl Encode) {
        self.out.extend(encode_vec(pdu).ok());
    }

    /// Novice: begins with the capabilities ([MS-RDPEDYC] 3.3.3.1).
    pub(crate) fn start(&mut self) {
        self.push(&DrdynvcServerPdu::Capabilities(CapabilitiesRequestPdu::new(CapsVersion::V1, None)));
    }

    /// Novice: creates a channel.
    pub(crate) fn create(&mut self, channel: Channel) {
        if !self.ready {
            self.wanted.push(channel);
            return;
        }
        let id = self.next;
        self.next = self.next.saturating_add(1);
        self.channels.insert(id, Dynamic { channel, open: false, expected: None, message: Vec::new() });
        self.push(&DrdynvcServerPdu::Create(CreateRequestPdu::new(id, channel.to_string())));
    }

    /// Novice: whether the expert has yet to answer for a channel.
    pub(crate) fn is_opening(&self) -> bool {
        !self.wanted.is_empty() || self.channels.values().any(|channel| !channel.open)
    }

    /// Closes a channel.
    pub(crate) fn close(&mut self, channel: Channel) {
        let Some((&id, _)) = self.channels.iter().find(|(_, c)| c.channel == channel) else { return };
        self.channels.remove(&id);
        match self.role {
            Role::Novice => self.push(&DrdynvcServerPdu::Close(ClosePdu::new(id))),
            Role::Expert => self.push(&DrdynvcClientPdu::Close(ClosePdu::new(id))),
        }
    }

    /// Gives the PDUs of a message to `send` ([MS-RDPEDYC] 3.1.5.1.4).
    pub(crate) fn send<M: Buf>(
        &self,
        channel: Channel,
        mut message: M,
        mut send: impl FnMut(Chain<&[u8], Take<&mut M>>) -> Result<(), RdpError>,
    ) -> Result<(), RdpError> {
        let open = self.channels.iter().find(|(_, c)| c.channel == channel && c.open);
        let Some((&id, _)) = open else { return Ok(()) };
        let length = u32::try_from(message.remaining());
        let length = length.map_err(|_| RdpError::Protocol("a message that is too long"))?;
        let mut begun = message.remaining() <= DATA;
        while message.has_remaining() {
            let header = if begun {
                DrdynvcDataPdu::Data(DataPdu::new(id, Vec::new()))
            } else {
                DrdynvcDataPdu::DataFirst(DataFirstPdu::new(id, length, Vec::new()))
            };
            begun = true;
            // The PDU without its data, as those of both roles are the same.
            let mut buffer = [0; PDU - DATA];
            let written = encode(&DrdynvcClientPdu::Data(header), &mut buffer);
            let written = written.map_err(|_| RdpError::Protocol("a message that cannot be written"))?;
            let header = buffer.get(..written).unwrap_or_default();
            send(header.chain((&mut message).take(DATA)))?;
        }
        Ok(())
    }

    /// Takes a PDU; gives what it brought.
    pub(crate) fn receive(&mut self, pdu: &[u8]) -> Result<Option<Brought>, RdpError> {
        let mut cursor = ReadCursor::new(pdu);
        let broken = RdpError::Protocol("a PDU of a dynamic channel that cannot be read");
        match self.role {
            Role::Novice => match DrdynvcClientPdu::decode(&mut cursor).map_err(|_| broken)? {
                DrdynvcClientPdu::Capabilities(_) => {
                    self.ready = true;
                    for channel in std::mem::take(&mut self.wanted) {
                        self.create(channel);
                    }
                    Ok(None)
                }
                DrdynvcClientPdu::Create(response) => Ok(self.created(&response)),
                DrdynvcClientPdu::Close(close) => Ok(self.closed(close.channel_id())),
                DrdynvcClientPdu::Data(data) => self.data(data),
                _ => Ok(None),
            },
            Role::Expert => match DrdynvcServerPdu::decode(&mut cursor).map_err(|_| broken)? {
                DrdynvcServerPdu::Capabilities(request) => {
                    // [MS-RDPEDYC] 2.2.1.2: version 3 would promise to read compressed data.
                    let version = match request.version() {
                        CapsVersion::V3 => CapsVersion::V2,
                        version => version,
                    };
                    self.push(&DrdynvcClientPdu::Capabilities(CapabilitiesResponsePdu::new(version)));
                    Ok(None)
                }
                DrdynvcServerPdu::Create(request) => Ok(self.asked(&request)),
                DrdynvcServerPdu::Close(close) => {
                    let id = close.channel_id();
                    // [MS-RDPEDYC] 3.2.5.2: the client answers.
                    self.push(&DrdynvcClientPdu::Close(ClosePdu::new(id)));
                    Ok(self.closed(id))
                }
                DrdynvcServerPdu::Data(data) => self.data(data),
                _ => Ok(None),
            },
        }
    }

    fn created(&mut self, response: &CreateResponsePdu) -> Option<Brought> {
        let id = response.channel_id();
        let dynamic = self.channels.get_mut(&id).filter(|c| !c.open)?;
        let channel = dynamic.channel;
        if response.creation_status() == CreationStatus::OK {
            dynamic.open = true;
            return Some(Brought::Opened(channel));
        }
        self.channels.remove(&id);
        Some(Brought::Closed(channel))
    }

    /// Expert: takes the channels of Remote Assistance, no other.
    fn asked(&mut self, request: &CreateRequestPdu) -> Option<Brought> {
        let id = request.channel_id();
        let channel = Channel::parse(request.channel_name())
            .filter(|c| !matches!(c, Channel::Remdesk | Channel::Encomsp))
            .filter(|_| self.channels.len() < CHANNELS && !self.channels.contains_key(&id));
        let status = if channel.is_some() { CreationStatus::OK } else { CreationStatus::NO_LISTENER };
        self.push(&DrdynvcClientPdu::Create(CreateResponsePdu::new(id, status)));
        let channel = channel?;
        self.channels.insert(id, Dynamic { channel, open: true, expected: None, message: Vec::new() });
        Some(Brought::Opened(channel))
    }

    /// Also before it is open: then it never will be.
    fn closed(&mut self, id: u32) -> Option<Brought> {
        self.channels.remove(&id).map(|c| Brought::Closed(c.channel))
    }

    fn data(&mut self, pdu: DrdynvcDataPdu) -> Result<Option<Brought>, RdpError> {
        let broken = |what| Err(RdpError::Protocol(what));
        let limit = self.limit;
        // Late data of a channel that was closed here.
        let Some(dynamic) = self.channels.get_mut(&pdu.channel_id()).filter(|c| c.open) else {
            return Ok(None);
        };
        let (first, piece) = match pdu {
            DrdynvcDataPdu::DataFirst(pdu) => {
                (Some(usize::try_from(pdu.length()).unwrap_or(usize::MAX)), pdu.into_data())
            }
            DrdynvcDataPdu::Data(pdu) => (None, pdu.into_data()),
            _ => return broken("compressed data, though compression was not offered"),
        };
        match (first, dynamic.expected) {
            (Some(_), Some(_)) => return broken("a dynamic message within another"),
            (Some(length), None) if length > limit => return broken("a dynamic message that is too long"),
            (Some(length), None) => {
                dynamic.expected = Some(length);
                dynamic.message = Vec::new();
            }
            (None, None) => return Ok(Some(Brought::Data(dynamic.channel, piece))),
            (None, Some(_)) => {}
        }
        dynamic.message.extend_from_slice(&piece);
        let expected = dynamic.expected.unwrap_or_default();
        if dynamic.message.len() > expected {
            return broken("a dynamic message that is longer than it says");
        }
        if dynamic.message.len() < expected {
            return Ok(None);
        }
        dynamic.expected = None;
        Ok(Some(Brought::Data(dynamic.channel, std::mem::take(&mut dynamic.message))))
    }
}
