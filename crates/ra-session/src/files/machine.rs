//! Both machines of file transfer, of which one runs at a time ([MS-RA] 3.9, figure 10; 3.10, figure 12).

use std::collections::VecDeque;
use std::mem;
use std::net::{IpAddr, Ipv4Addr};

use ra_channel::{ChannelName, FileVerb, file_block};
use rccommand::{Command, FileXfer, InternalData};
use remassist_core::text::TextDocument;
use remassist_core::{Encode as _, Role, Utf16Le, Version};

use super::lanes::{Lane, Lanes};
use super::{Blocks, FileEvent, FileFailure, FileName, FileOffer, Receiving, Sending, Source, TransferId};
use crate::link::{Link, Phase, writable};
use crate::{Channel, Event, Misuse, Options, Why};

const FILEXFER: &str = "FILEXFER";

/// A file to send.
#[derive(Debug)]
struct Outgoing {
    id: TransferId,
    offer: FileOffer,
    source: Source,
    /// Its channel, if it was offered before.
    name: Option<ChannelName>,
}

/// A file that is being sent.
#[derive(Debug)]
struct Sender {
    file: Outgoing,
    lane: Lane,
    sent: u64,
    /// The channel is still the one of the transfer before, which the novice may yet close.
    inherited: bool,
}

impl Sender {
    const fn left(&self) -> u64 {
        self.file.offer.size.saturating_sub(self.sent)
    }

    /// A REJECT that the receiver, who may expect data, takes for what it is: no block has its length.
    fn reject(&self, block: usize) -> Vec<u8> {
        let with_nul = FileVerb::Reject.to_wire();
        if with_nul.as_bytes().len() == expected(block, self.left()) {
            return Utf16Le::new(FileVerb::Reject.name()).as_bytes().to_vec();
        }
        with_nul.as_bytes().to_vec()
    }
}

/// A file of the peer.
#[derive(Debug)]
struct Receiver {
    id: TransferId,
    lane: Lane,
    size: u64,
    received: u64,
    /// Where bytes for the session itself go.
    collected: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// Novice: the channel for its file is being created; the peer knows nothing yet.
    Opening(Sender),
    /// FILEXFER was sent.
    WaitResponse(Sender),
    /// ACK came.
    Transferring(Sender),
    /// FILEXFER came, the user is asked.
    Asked(Receiver),
    /// The user agreed, but the channel for ACK is not there.
    Accepted(Receiver),
    /// ACK was sent.
    Receiving(Receiver),
}

impl State {
    const fn lane(&self) -> Option<Lane> {
        match self {
            Self::Idle => None,
            Self::Opening(s) | Self::WaitResponse(s) | Self::Transferring(s) => Some(s.lane),
            Self::Asked(r) | Self::Accepted(r) | Self::Receiving(r) => Some(r.lane),
        }
    }

    const fn id(&self) -> Option<TransferId> {
        match self {
            Self::Idle => None,
            Self::Opening(s) | Self::WaitResponse(s) | Self::Transferring(s) => Some(s.file.id),
            Self::Asked(r) | Self::Accepted(r) | Self::Receiving(r) => Some(r.id),
        }
    }

    fn runs_on(&self, name: ChannelName) -> bool {
        self.lane().is_some_and(|lane| lane.name == name)
    }
}

/// A FILEXFER that is looked at later.
#[derive(Debug)]
struct Early {
    name: ChannelName,
    xfer: FileXfer<'static>,
    collect: Option<usize>,
}

fn owned(xfer: &FileXfer<'_>) -> FileXfer<'static> {
    FileXfer {
        file_name: xfer.file_name.clone().into_owned().into(),
        channel_id: xfer.channel_id.clone().into_owned().into(),
        ..*xfer
    }
}

#[derive(Debug)]
pub(crate) struct FileMachine {
    state: State,
    queue: VecDeque<Outgoing>,
    lanes: Lanes,
    next_id: u64,
    address: IpAddr,
    unix_time: u64,
    /// What the peer asked while the channel was being created for something else.
    early: Option<Early>,
    /// The next name of version 1 has at least so many seconds, so that no two are the same.
    next_seconds: u64,
}

/// Bytes of the next block.
fn expected(block: usize, left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(block)
}

fn block_size(link: &Link) -> usize {
    file_block(link.version.unwrap_or(Version::V3))
}

fn failed(id: TransferId, why: FileFailure) -> FileEvent {
    FileEvent::Failed { id, why }
}

fn verb(verb: FileVerb) -> Vec<u8> {
    verb.to_wire().as_bytes().to_vec()
}

fn command(offer: &FileOffer, name: ChannelName) -> Command<'_> {
    Command::FileXfer(FileXfer {
        file_name: offer.name.as_str().into(),
        file_size: offer.size,
        channel_id: name.to_string().into(),
        internal_data: offer.internal_data,
    })
}

/// What the program asks for.
impl FileMachine {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            state: State::Idle,
            queue: VecDeque::new(),
            lanes: Lanes::default(),
            next_id: 0,
            address: options.address,
            unix_time: options.unix_time,
            early: None,
            next_seconds: 0,
        }
    }

    fn new_id(&mut self) -> TransferId {
        self.next_id = self.next_id.saturating_add(1);
        TransferId(self.next_id)
    }

    /// Queues a file and begins with it when nothing else runs.
    pub(crate) fn send(
        &mut self,
        link: &mut Link,
        offer: FileOffer,
        source: Source,
    ) -> Result<TransferId, Misuse> {
        let version = link.established()?;
        if offer.internal_data.is_internal() && version != Version::V3 {
            return Err(Misuse::OtherVersion);
        }
        let message = TextDocument::unicode_z(command(&offer, ChannelName::Transfer).to_message());
        if !writable(&offer.name) || message.check().is_err() {
            return Err(Misuse::Unwritable);
        }
        link.channels.way(Channel::Commands).ok_or(Misuse::NoChannel)?;
        if self.queue.len() >= link.limits.files {
            return Err(Misuse::QueueFull);
        }
        let id = self.new_id();
        self.queue.push_back(Outgoing { id, offer, source, name: None });
        self.next(link);
        Ok(id)
    }

    pub(super) fn accept(&mut self, link: &mut Link, id: TransferId) -> Result<(), Misuse> {
        let receiver = self.question(link, id)?;
        self.acknowledge(link, receiver);
        Ok(())
    }

    pub(super) fn refuse(&mut self, link: &mut Link, id: TransferId) -> Result<(), Misuse> {
        let receiver = self.question(link, id)?;
        self.reject(link, receiver.lane, verb(FileVerb::Reject), None);
        Ok(())
    }

    /// Takes the transfer that the user was asked about out of the state.
    fn question(&mut self, link: &Link, id: TransferId) -> Result<Receiver, Misuse> {
        self.known(link, id)?;
        match mem::take(&mut self.state) {
            State::Asked(receiver) if receiver.id == id => Ok(receiver),
            state => {
                self.state = state;
                Err(Misuse::NotAsked)
            }
        }
    }

    fn known(&self, link: &Link, id: TransferId) -> Result<(), Misuse> {
        match link.phase {
            Phase::Closed => Err(Misuse::Closed),
            _ if self.state.id() == Some(id) || self.queue.iter().any(|f| f.id == id) => Ok(()),
            _ => Err(Misuse::UnknownTransfer),
        }
    }

    pub(super) fn cancel(&mut self, link: &mut Link, id: TransferId) -> Result<(), Misuse> {
        self.known(link, id)?;
        self.queue.retain(|file| file.id != id);
        if self.state.id() == Some(id) {
            self.give_up(link, FileFailure::Cancelled);
        } else {
            link.event(Event::File(failed(id, FileFailure::Cancelled)));
        }
        Ok(())
    }

    pub(super) fn blocks<'d>(
        &mut self,
        link: &mut Link,
        id: TransferId,
        data: &'d [u8],
    ) -> Result<Blocks<'d>, Misuse> {
        let version = link.established()?;
        self.known(link, id)?;
        let sender = match &self.state {
            State::Transferring(s) if s.file.id == id && matches!(s.file.source, Source::Program) => s,
            _ => return Err(Misuse::WrongState),
        };
        let (lane, left, block) = (sender.lane, sender.left(), file_block(version));
        let end = match u64::try_from(data.len()).unwrap_or(u64::MAX) {
            len if len > left => return Err(Misuse::WrongState),
            len if len == left => data.len(),
            _ => data.len().saturating_sub(data.len().checked_rem(block).unwrap_or_default()),
        };
        let way = link.channels.way(lane.channel()).ok_or(Misuse::NoChannel)?;
        let blocks = Blocks::new(way, lane.name, data.get(..end).unwrap_or_default(), block)?;
        if let State::Transferring(sender) = mem::take(&mut self.state) {
            link.not_idle();
            self.advance(link, sender, end);
        }
        Ok(blocks)
    }

    pub(super) fn sending(&self, link: &Link) -> Option<Sending> {
        match &self.state {
            State::Opening(s) | State::WaitResponse(s) | State::Transferring(s) => Some(Sending {
                id: s.file.id,
                sent: s.sent,
                size: s.file.offer.size,
                block: block_size(link),
            }),
            _ => None,
        }
    }

    pub(super) fn receiving(&self, link: &Link) -> Option<Receiving> {
        match &self.state {
            State::Asked(r) | State::Accepted(r) | State::Receiving(r) => {
                Some(Receiving { id: r.id, received: r.received, size: r.size, block: block_size(link) })
            }
            _ => None,
        }
    }
}

/// What the peer and the connection do.
impl FileMachine {
    /// FILEXFER came. `collect`: internal data of at most so many bytes is taken without asking.
    pub(crate) fn receive(&mut self, link: &mut Link, xfer: &FileXfer<'_>, collect: Option<usize>) {
        // Whatever the peer writes there, it is never the name of another channel of the session.
        let Some(name) = ChannelName::parse(&xfer.channel_id).filter(|name| name.is_transfer()) else {
            return link.ignore(Channel::Commands, Some(FILEXFER), Why::WrongChannel);
        };
        let lane = Lane::new(link, name);
        let runs = self.state.runs_on(name);
        match (mem::take(&mut self.state), link.role) {
            (State::Idle, _) if !self.lanes.is_waiting(name) => {
                let _opening = lane.open(link);
                self.offered(link, lane, xfer, collect);
            }
            // Both sides ask at the same moment: the novice's file is first.
            (State::WaitResponse(sender), Role::Expert) => {
                // Again under the same name: a novice that has forgotten its own file finds out that it is the same.
                self.queue.push_front(Outgoing { name: Some(sender.lane.name), ..sender.file });
                self.offered(link, lane, xfer, collect);
            }
            // The novice's file is first here too, if it comes to that; and last words before the next.
            (state @ (State::Opening(_) | State::Idle), _) if self.early.is_none() => {
                self.state = state;
                self.early = Some(Early { name, xfer: owned(xfer), collect });
            }
            // A peer that asks again on the same channel no longer means what it asked before.
            (State::Asked(receiver), _) if runs => {
                link.event(Event::File(FileEvent::Withdrawn { id: receiver.id }));
                self.offered(link, lane, xfer, collect);
            }
            (State::Accepted(receiver), _) if runs => {
                link.event(Event::File(failed(receiver.id, FileFailure::CancelledByPeer)));
                self.offered(link, lane, xfer, collect);
            }
            // It believes that the file before is over, so that what follows would be taken for the rest of it.
            (state @ State::Receiving(_), _) if runs => {
                self.state = state;
                link.ignore(Channel::Commands, Some(FILEXFER), Why::Busy);
                self.give_up(link, FileFailure::OutOfSequence);
            }
            (state, role) => {
                // In versions 2 and 3 the expert finds the novice's FILEXFER in answer to its own.
                let yields = role == Role::Novice && runs && matches!(state, State::WaitResponse(_));
                self.state = state;
                link.ignore(Channel::Commands, Some(FILEXFER), Why::Busy);
                if !yields {
                    self.lanes.refuse(link, lane, runs);
                }
            }
        }
    }

    fn offered(&mut self, link: &mut Link, lane: Lane, xfer: &FileXfer<'_>, collect: Option<usize>) {
        self.lanes.end_silence();
        // [MS-RA] 2.2.2: no other version knows INTERNALDATA.
        let internal = Some(xfer.internal_data).filter(|_| link.version == Some(Version::V3));
        let internal_data = internal.unwrap_or(InternalData::NONE);
        let collect = collect.filter(|_| internal_data.is_internal());
        let size = xfer.file_size;
        if collect.is_some_and(|max| usize::try_from(size).map_or(true, |size| size > max)) {
            link.ignore(Channel::Commands, Some(FILEXFER), Why::TooLarge);
            return self.reject(link, lane, verb(FileVerb::Reject), None);
        }
        let id = self.new_id();
        let receiver = Receiver { id, lane, size, received: 0, collected: collect.map(|_| Vec::new()) };
        if collect.is_some() {
            return self.acknowledge(link, receiver);
        }
        let name = FileName::new(&*xfer.file_name);
        link.event(Event::File(FileEvent::Offered { id, name, size, internal_data }));
        self.state = State::Asked(receiver);
    }

    /// A block or verb on the channel of a transfer; gives internal data that is complete.
    pub(crate) fn data(&mut self, link: &mut Link, name: ChannelName, bytes: &[u8]) -> Option<Vec<u8>> {
        if link.phase != Phase::Established {
            link.ignore(Channel::Transfer(name), None, Why::NotEstablished);
            return None;
        }
        if bytes.is_empty() {
            return None;
        }
        let message = FileVerb::recognize(bytes);
        if !self.state.runs_on(name) {
            self.stray(link, name, message);
            return None;
        }
        match (mem::take(&mut self.state), message) {
            // [MS-RA] 3.9.5.
            (State::WaitResponse(sender), Some(FileVerb::Ack)) => self.begin(link, sender),
            (State::WaitResponse(s), Some(FileVerb::Reject)) => {
                self.rejected(link, s.lane, failed(s.file.id, FileFailure::Refused));
            }
            (State::Transferring(s), Some(FileVerb::Reject)) => {
                self.rejected(link, s.lane, failed(s.file.id, FileFailure::CancelledByPeer));
            }
            // What was under way when the peer's file was rejected, or of a channel that is no more.
            (state @ State::WaitResponse(_), _) if self.lanes.is_silent(name) => self.state = state,
            (state @ State::Opening(_), _) => self.state = state,
            // [MS-RA] 3.10.5.
            (State::Asked(r), Some(FileVerb::Reject)) => {
                self.rejected(link, r.lane, FileEvent::Withdrawn { id: r.id });
            }
            (State::Accepted(r), Some(FileVerb::Reject)) => {
                self.rejected(link, r.lane, failed(r.id, FileFailure::CancelledByPeer));
            }
            (State::Receiving(receiver), message) => return self.block(link, receiver, message, bytes),
            (state, _) => {
                self.state = state;
                self.give_up(link, FileFailure::OutOfSequence);
            }
        }
        None
    }

    /// Verbs stand among the blocks, and a block may spell a verb. A sender that keeps to the protocol sends END when
    /// nothing is left, and blocks of the one length that is expected: everything else that spells a verb is one.
    fn block(
        &mut self,
        link: &mut Link,
        mut receiver: Receiver,
        message: Option<FileVerb>,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let (id, lane) = (receiver.id, receiver.lane);
        let left = receiver.size.saturating_sub(receiver.received);
        let message = message.filter(|_| bytes.len() != expected(block_size(link), left));
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match message {
            Some(FileVerb::End) if left == 0 => {
                let done = receiver.collected.is_none().then_some(FileEvent::Complete { id });
                self.over(link, lane, None, done);
                return receiver.collected;
            }
            Some(FileVerb::Reject) => {
                self.rejected(link, lane, failed(id, FileFailure::CancelledByPeer));
            }
            Some(FileVerb::Ack) => {
                self.state = State::Receiving(receiver);
                self.give_up(link, FileFailure::OutOfSequence);
            }
            Some(FileVerb::End) => {
                self.state = State::Receiving(receiver);
                self.give_up(link, FileFailure::WrongSize);
            }
            _ if len > left => {
                self.state = State::Receiving(receiver);
                self.give_up(link, FileFailure::WrongSize);
            }
            _ => {
                match &mut receiver.collected {
                    // At most FILESIZE, which is within the limit.
                    Some(collected) => collected.extend_from_slice(bytes),
                    None => {
                        let (offset, bytes) = (receiver.received, bytes.to_vec());
                        link.event(Event::File(FileEvent::Data { id, offset, bytes }));
                    }
                }
                receiver.received = receiver.received.saturating_add(len);
                self.state = State::Receiving(receiver);
            }
        }
        None
    }

    /// Something on a channel where no transfer runs. The peer may not know yet that none does.
    fn stray(&mut self, link: &mut Link, name: ChannelName, message: Option<FileVerb>) {
        let lane = Lane::new(link, name);
        match message {
            // The peer took a REJECT for the answer to another offer, or an offer that it was to forget for one that stands.
            Some(FileVerb::Ack) if lane.is_ready(link) && self.lanes.must_tell(name) => {
                lane.say(link, FileVerb::Reject);
            }
            // Never an answer to REJECT.
            Some(FileVerb::Reject) => {}
            _ if self.lanes.is_silent(name) => {}
            _ => link.ignore(lane.channel(), message.map(FileVerb::name), Why::OutOfSequence),
        }
    }

    /// The channel of a transfer was created.
    pub(crate) fn opened(&mut self, link: &mut Link, name: ChannelName) {
        let runs = self.state.runs_on(name);
        self.lanes.opened(link, name, runs);
        match mem::take(&mut self.state) {
            State::Opening(sender) if runs => {
                self.request(link, sender);
                if let Some(early) = self.early.take() {
                    self.receive(link, &early.xfer, early.collect);
                }
            }
            State::Accepted(receiver) if runs => self.acknowledge(link, receiver),
            State::WaitResponse(sender) if runs => {
                self.state = State::WaitResponse(Sender { inherited: false, ..sender });
            }
            state => self.state = state,
        }
        self.next(link);
    }

    /// The channel of a transfer is gone or could not be created.
    pub(crate) fn closed(&mut self, link: &mut Link, name: ChannelName) {
        self.lanes.closed(name);
        match mem::take(&mut self.state) {
            // It was the channel of the transfer before.
            State::WaitResponse(sender) if sender.inherited && sender.lane.name == name => {
                self.state = State::WaitResponse(Sender { inherited: false, ..sender });
            }
            state => {
                let lost = state.lane().is_some_and(|lane| lane.name == name && lane.is_dynamic());
                match state.id().filter(|_| lost) {
                    Some(id) => link.event(Event::File(failed(id, FileFailure::ChannelLost))),
                    None => self.state = state,
                }
            }
        }
        self.next(link);
    }

    /// There is nothing else to send: the next block of a file that the session itself has.
    pub(crate) fn pump(&mut self, link: &mut Link) {
        match mem::take(&mut self.state) {
            State::Transferring(sender) => {
                let block = match &sender.file.source {
                    Source::Owned(bytes) => {
                        let rest = usize::try_from(sender.sent).ok().and_then(|sent| bytes.get(sent..));
                        rest.and_then(|rest| rest.chunks(block_size(link)).next())
                            .unwrap_or_default()
                            .to_vec()
                    }
                    Source::Program => Vec::new(),
                };
                if block.is_empty() {
                    self.state = State::Transferring(sender);
                } else {
                    let len = block.len();
                    link.transfer(sender.lane.name, block);
                    self.advance(link, sender, len);
                }
            }
            state => self.state = state,
        }
    }

    /// The session is over ([MS-RA] 3.9.5): every transfer fails.
    pub(crate) fn end(&mut self, link: &mut Link) {
        let why = FileFailure::SessionEnded;
        match mem::take(&mut self.state) {
            State::Asked(receiver) => link.event(Event::File(FileEvent::Withdrawn { id: receiver.id })),
            state => {
                if let Some(id) = state.id() {
                    link.event(Event::File(failed(id, why)));
                }
            }
        }
        for file in self.queue.drain(..) {
            link.event(Event::File(failed(file.id, why)));
        }
        self.lanes.end();
        self.early = None;
    }
}

/// From state to state.
impl FileMachine {
    /// Begins with the next file, unless a transfer runs or its channel is still needed.
    fn next(&mut self, link: &mut Link) {
        while let State::Idle = self.state {
            if let Some(early) = self.early.take_if(|early| !self.lanes.is_waiting(early.name)) {
                self.receive(link, &early.xfer, early.collect);
                continue;
            }
            let seconds = self.unix_time.saturating_add(link.now.0 / 1000).max(self.next_seconds);
            let version = link.version.unwrap_or(Version::V3);
            let name = |address| ChannelName::for_transfer(version, link.role, address, seconds);
            // The names of most IPv6 addresses are too long; nobody verifies them.
            let new = name(self.address).or_else(|_| name(Ipv4Addr::UNSPECIFIED.into()));
            let name = self.queue.front().and_then(|file| file.name).or_else(|| new.ok());
            let Some(name) = name.filter(|name| !self.lanes.is_waiting(*name)) else { return };
            let Some(file) = self.queue.pop_front() else { return };
            self.next_seconds = seconds.saturating_add(1);
            let lane = Lane::new(link, name);
            let inherited = link.role == Role::Expert && lane.is_dynamic() && lane.is_ready(link);
            let sender = Sender { file, lane, sent: 0, inherited };
            if lane.open(link) {
                self.state = State::Opening(sender);
            } else {
                self.request(link, sender);
            }
        }
    }

    /// [MS-RA] 3.9.5: FILEXFER.
    fn request(&mut self, link: &mut Link, sender: Sender) {
        match link.command(&command(&sender.file.offer, sender.lane.name)) {
            Ok(()) => self.state = State::WaitResponse(sender),
            Err(_) => link.event(Event::File(failed(sender.file.id, FileFailure::ChannelLost))),
        }
    }

    /// The peer wants the file.
    fn begin(&mut self, link: &mut Link, sender: Sender) {
        self.lanes.end_silence();
        if matches!(sender.file.source, Source::Program) && sender.left() > 0 {
            link.event(Event::File(FileEvent::Accepted { id: sender.file.id }));
        }
        self.advance(link, sender, 0);
    }

    /// So many bytes more were sent. [MS-RA] 3.9.5: END after the last.
    fn advance(&mut self, link: &mut Link, mut sender: Sender, len: usize) {
        sender.sent = sender.sent.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if sender.left() > 0 {
            self.state = State::Transferring(sender);
        } else {
            let done = FileEvent::Sent { id: sender.file.id };
            self.over(link, sender.lane, Some(verb(FileVerb::End)), Some(done));
        }
    }

    /// [MS-RA] 3.10.5: ACK, as soon as there is a channel for it.
    fn acknowledge(&mut self, link: &mut Link, receiver: Receiver) {
        if receiver.lane.is_ready(link) {
            receiver.lane.say(link, FileVerb::Ack);
            self.state = State::Receiving(receiver);
        } else {
            self.state = State::Accepted(receiver);
        }
    }

    /// Ends the transfer that runs, and tells the peer if it knows of it.
    fn give_up(&mut self, link: &mut Link, why: FileFailure) {
        match mem::take(&mut self.state) {
            State::Idle => {}
            State::Opening(s) => self.over(link, s.lane, None, Some(failed(s.file.id, why))),
            State::WaitResponse(s) | State::Transferring(s) => {
                let last = s.reject(block_size(link));
                self.reject(link, s.lane, last, Some(failed(s.file.id, why)));
            }
            State::Asked(r) | State::Accepted(r) | State::Receiving(r) => {
                self.reject(link, r.lane, verb(FileVerb::Reject), Some(failed(r.id, why)));
            }
        }
    }

    /// [MS-RA] 3.9.5, 3.10.5: after REJECT nothing is sent and what comes is dropped.
    fn reject(&mut self, link: &mut Link, lane: Lane, last: Vec<u8>, event: Option<FileEvent>) {
        self.lanes.silence(lane.name, true);
        self.over(link, lane, Some(last), event);
    }

    /// The same when the peer sent it.
    fn rejected(&mut self, link: &mut Link, lane: Lane, event: FileEvent) {
        self.lanes.silence(lane.name, false);
        self.over(link, lane, None, Some(event));
    }

    fn over(&mut self, link: &mut Link, lane: Lane, last: Option<Vec<u8>>, event: Option<FileEvent>) {
        self.lanes.leave(link, lane, last);
        if let Some(event) = event {
            link.event(Event::File(event));
        }
        self.next(link);
    }
}
