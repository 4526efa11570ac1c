//! An expert and a novice with wires between them that deliver when a test says so.

use std::collections::VecDeque;
use std::fmt::Write as _;

use ra_channel::{ControlPayload, Data, FileVerb};
use ra_session::{
    Attempts, Channel, Credentials, Event, Expert, ExpertConfig, FileEvent, FileOffer, Files, Input, Misuse,
    Novice, NoviceConfig, Options, Output, ServerKey, TransferId, Version,
};
use remassist_core::{Decode as _, Time, utf16};

const ONE: &str = "65538,1,192.0.2.10:3389;HOME:3390,*,c2Vzc2lvbg==,*,*,RcfwecK8dpcT1fjZ6iQ5M0+q7iU=";
const TWO: &str = "<E><A KH=\"YiKwWUY8Ioq5NB3wAQHSbs5kwrM=\" ID=\"c2Vzc2lvbg==\"/><C><T ID=\"1\" SID=\"7\">\
    <L P=\"3389\" N=\"192.0.2.10\"/></T></C></E>";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Expert,
    Novice,
}

impl Who {
    pub const BOTH: [Self; 2] = [Self::Expert, Self::Novice];

    pub const fn peer(self) -> Self {
        match self {
            Self::Expert => Self::Novice,
            Self::Novice => Self::Expert,
        }
    }
}

/// Version, and whether files have dynamic channels.
pub type Mode = (Version, bool);

pub const MODES: [Mode; 6] = [
    (Version::V1, false),
    (Version::V1, true),
    (Version::V2, false),
    (Version::V2, true),
    (Version::V3, false),
    (Version::V3, true),
];

#[derive(Debug)]
enum Item {
    Data(Channel, Vec<u8>),
    Opened(Channel),
    Closed(Channel),
}

pub struct Pair {
    pub mode: Mode,
    expert: Expert,
    novice: Novice,
    pub now: Time,
    to: [VecDeque<Item>; 2],
    events: [Vec<Event>; 2],
    log: String,
    open: Vec<Channel>,
}

impl Pair {
    pub fn new(mode: Mode) -> Self {
        Self::with(mode, |_, _| {})
    }

    pub fn with(mode: Mode, options: impl Fn(Who, &mut Options)) -> Self {
        let credentials = match mode.0 {
            Version::V1 => Credentials::invitation(ONE, None, None),
            Version::V2 => Credentials::invitation(TWO, None, None),
            Version::V3 => Credentials::easy_connect(TWO, "ABCDEF"),
        }
        .unwrap();
        let mut novice = NoviceConfig::new([credentials.clone()]);
        let mut expert = ExpertConfig::new(credentials);
        for (who, options_of) in [(Who::Expert, &mut expert.options), (Who::Novice, &mut novice.options)] {
            options_of.address = "192.0.2.10".parse().unwrap();
            options_of.unix_time = 612_009_461;
            options_of.heartbeat = false;
            options(who, options_of);
        }
        let now = Time(0);
        let mut this = Self {
            mode,
            expert: Expert::new(now, expert, ServerKey::Match).unwrap(),
            novice: Novice::new(now, novice, Attempts::new(3)).unwrap(),
            now,
            to: Default::default(),
            events: Default::default(),
            log: String::new(),
            open: Vec::new(),
        };
        let channels: &[Channel] =
            if mode.1 { &[Channel::Control, Channel::Chat, Channel::Commands] } else { &[Channel::Remdesk] };
        for channel in channels {
            this.handle(Who::Expert, Input::ChannelOpened(*channel));
            this.handle(Who::Novice, Input::ChannelOpened(*channel));
        }
        this.novice.client_info(this.expert.client_info());
        this.novice.start(now).unwrap();
        this.run();
        this.novice.allow_view().unwrap();
        this.novice.view_started().unwrap();
        this.run();
        this.expert.screen_started();
        this.run();
        assert!(this.expert.is_established() && this.novice.is_established());
        assert_eq!(this.novice.version(), Some(mode.0));
        this
    }

    pub fn handle(&mut self, who: Who, input: Input<'_>) {
        match who {
            Who::Expert => self.expert.handle(self.now, input),
            Who::Novice => self.novice.handle(self.now, input),
        }
    }

    pub fn files(&mut self, who: Who) -> Files<'_> {
        match who {
            Who::Expert => self.expert.files(),
            Who::Novice => self.novice.files(),
        }
    }

    pub fn close(&mut self, who: Who) {
        match who {
            Who::Expert => self.expert.close(),
            Who::Novice => self.novice.close(),
        }
        self.take(who);
    }

    /// Takes all outputs and puts them on the wire.
    pub fn take(&mut self, who: Who) {
        loop {
            let output = match who {
                Who::Expert => self.expert.poll(),
                Who::Novice => self.novice.poll(),
            };
            match output {
                Output::Send { channel, bytes } => {
                    // What is sent on a channel that is not there is lost; a session must not do it.
                    let dynamic = matches!(channel, Channel::Transfer(_));
                    assert!(
                        !dynamic || who == Who::Expert || self.open.contains(&channel),
                        "{channel} is closed"
                    );
                    writeln!(self.log, "{who:?}: {}", show(channel, &bytes)).unwrap();
                    self.to[who.peer() as usize].push_back(Item::Data(channel, bytes));
                }
                Output::Open(channel) => {
                    writeln!(self.log, "{who:?}: open {channel}").unwrap();
                    assert!(who == Who::Novice && !self.open.contains(&channel), "{channel} is open");
                    self.open.push(channel);
                    self.to[Who::Expert as usize].push_back(Item::Opened(channel));
                }
                Output::Close(channel) => {
                    writeln!(self.log, "{who:?}: close {channel}").unwrap();
                    assert!(who == Who::Novice && self.open.contains(&channel), "{channel} is closed");
                    self.open.retain(|open| *open != channel);
                    self.to[Who::Expert as usize].push_back(Item::Closed(channel));
                }
                Output::Event(event) => self.events[who as usize].push(event),
                Output::Wait(_) => return,
                _ => unreachable!(),
            }
        }
    }

    /// Hands one thing over. `false`: there is nothing.
    pub fn deliver_one(&mut self, who: Who) -> bool {
        let Some(item) = self.to[who as usize].pop_front() else { return false };
        match item {
            Item::Data(channel, bytes) => {
                let lost = matches!(channel, Channel::Transfer(_)) && !self.open.contains(&channel);
                if !(lost && who == Who::Novice) {
                    self.handle(who, Input::Data { channel, bytes: &bytes });
                }
            }
            Item::Opened(channel) => {
                self.handle(who, Input::ChannelOpened(channel));
                if who == Who::Expert {
                    // The client has agreed.
                    self.to[Who::Novice as usize].push_back(Item::Opened(channel));
                }
            }
            Item::Closed(channel) => self.handle(who, Input::ChannelClosed(channel)),
        }
        true
    }

    /// Hands over what is on the wire to this side, and nothing that it answers.
    pub fn deliver(&mut self, who: Who) {
        while self.deliver_one(who) {}
        self.take(who);
    }

    /// Until nothing is left to do.
    pub fn run(&mut self) {
        loop {
            for who in Who::BOTH {
                self.take(who);
            }
            if self.to.iter().all(VecDeque::is_empty) {
                return;
            }
            for who in Who::BOTH {
                self.deliver(who);
            }
        }
    }

    /// A payload that comes from `who` and that its session knows nothing of.
    pub fn inject(&mut self, who: Who, channel: Channel, payload: &[u8]) {
        let channel_name = channel.to_string();
        let (channel, bytes) = if self.mode.1 {
            (channel, payload.to_vec())
        } else {
            let name = utf16::encode(&format!("{channel_name}\0"));
            let mut bytes = u32::try_from(name.len()).unwrap().to_le_bytes().to_vec();
            bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
            bytes.extend(name);
            bytes.extend(payload);
            (Channel::Remdesk, bytes)
        };
        self.deliver(who.peer());
        self.handle(who.peer(), Input::Data { channel, bytes: &bytes });
        self.take(who.peer());
    }

    /// A FILEXFER that comes from `who` and that its session knows nothing of.
    pub fn inject_offer(&mut self, who: Who, name: &str, size: u64, channel: &str, more: &str) {
        let text = format!(
            "<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"{name}\" FILESIZE=\"{size}\" CHANNELID=\"{channel}\"{more}/>\0"
        );
        self.inject(who, Channel::Commands, &utf16::encode(&text));
    }

    /// As the driver of the novice tells of a channel that only a peer outside of this pair uses.
    pub fn open_for(&mut self, who: Who, channel: Channel) {
        if !self.open.contains(&channel) {
            self.open.push(channel);
        }
        self.handle(who, Input::ChannelOpened(channel));
        self.take(who);
    }

    /// A channel breaks, for this side.
    pub fn lose(&mut self, who: Who, channel: Channel) {
        self.open.retain(|open| *open != channel);
        self.handle(who, Input::ChannelClosed(channel));
        self.take(who);
    }

    /// The channel of transfers, in versions 2 and 3.
    pub fn channel() -> Channel {
        Channel::parse("RA_FX").unwrap()
    }

    pub fn offer(&mut self, who: Who, name: &str, size: u64) -> TransferId {
        self.files(who).send(FileOffer::new(name, size)).unwrap()
    }

    /// Hands over as many blocks as `data` has.
    pub fn blocks(&mut self, who: Who, id: TransferId, data: &[u8]) -> Result<usize, Misuse> {
        let blocks = self.files(who).blocks(id, data)?;
        let (channel, consumed) = (blocks.channel(), blocks.consumed());
        let pdus: Vec<_> = blocks.iter().map(|block| block.to_vec()).collect();
        assert_eq!(pdus.len(), blocks.iter().len());
        for bytes in pdus {
            writeln!(self.log, "{who:?}: {}", show(channel, &bytes)).unwrap();
            self.to[who.peer() as usize].push_back(Item::Data(channel, bytes));
        }
        Ok(consumed)
    }

    /// What was sent since the last call.
    pub fn log(&mut self) -> String {
        std::mem::take(&mut self.log)
    }

    pub fn events(&mut self, who: Who) -> Vec<Event> {
        self.take(who);
        std::mem::take(&mut self.events[who as usize])
    }

    /// What was told of files since the last call, in short.
    pub fn told(&mut self, who: Who) -> String {
        let mut out = String::new();
        for event in self.events(who) {
            let line = match event {
                Event::File(FileEvent::Offered { id, name, size, internal_data }) => {
                    let internal = if internal_data.is_internal() { " internal" } else { "" };
                    format!("Offered {} {:?} {size}{internal}", id.0, name.suggestion)
                }
                Event::File(FileEvent::Withdrawn { id }) => format!("Withdrawn {}", id.0),
                Event::File(FileEvent::Accepted { id }) => format!("Accepted {}", id.0),
                Event::File(FileEvent::Data { id, offset, bytes }) => {
                    format!("Data {} {offset}+{}", id.0, bytes.len())
                }
                Event::File(FileEvent::Complete { id }) => format!("Complete {}", id.0),
                Event::File(FileEvent::Sent { id }) => format!("Sent {}", id.0),
                Event::File(FileEvent::Failed { id, why }) => format!("Failed {} {why:?}", id.0),
                Event::Ignored(ignored) => {
                    format!(
                        "Ignored {} {} {:?}",
                        ignored.channel,
                        ignored.message.unwrap_or("-"),
                        ignored.why
                    )
                }
                Event::Closed(reason) => format!("Closed {reason:?}"),
                Event::Setting { property, value } if value == "1" => format!("Setting {property}={value}"),
                Event::Contact(contact) => format!("Contact {}", contact.name),
                _ => continue,
            };
            out.push_str(&line);
            out.push('\n');
        }
        out
    }

    /// The id of the file that is offered to this side now.
    pub fn offered(&mut self, who: Who) -> TransferId {
        self.take(who);
        self.files(who).receiving().expect("an offer").id
    }

    /// Bytes that were received since the last call of `events` or `told`, when the file is complete.
    pub fn complete(&mut self, who: Who) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        let mut complete = false;
        for event in self.events(who) {
            match event {
                Event::File(FileEvent::Data { offset, bytes, .. }) => {
                    assert_eq!(offset, all.len() as u64);
                    all.extend(bytes);
                }
                Event::File(FileEvent::Complete { .. }) => complete = true,
                Event::File(FileEvent::Failed { .. }) => return None,
                _ => {}
            }
        }
        complete.then_some(all)
    }

    /// Sends a file from offer to end.
    #[track_caller]
    pub fn send(&mut self, who: Who, name: &str, data: &[u8]) {
        self.run();
        for side in Who::BOTH {
            self.events(side);
        }
        let id = self.offer(who, name, data.len() as u64);
        self.run();
        let theirs = self.offered(who.peer());
        self.files(who.peer()).accept(theirs).unwrap();
        self.run();
        if !data.is_empty() {
            assert_eq!(self.blocks(who, id, data), Ok(data.len()));
        }
        self.run();
        assert_eq!(self.complete(who.peer()).as_deref(), Some(data));
        assert!(self.events(who).contains(&Event::File(FileEvent::Sent { id })));
    }

    /// Nothing hangs: files can be sent both ways.
    #[track_caller]
    pub fn assert_works(&mut self) {
        self.run();
        for who in Who::BOTH {
            assert_eq!(self.files(who).sending(), None);
            assert_eq!(self.files(who).receiving(), None);
            self.send(who, "after.txt", b"all is well");
        }
    }
}

/// One PDU in words.
fn show(channel: Channel, bytes: &[u8]) -> String {
    if channel == Channel::Remdesk {
        let payload = ControlPayload::decode_strict(bytes).unwrap();
        let packet = &payload.packets[0];
        return match (&packet.data, packet.channel()) {
            (Data::Payload(payload), Some(name)) => {
                format!("remdesk/{}", show(Channel::parse(&name.to_string()).unwrap(), payload))
            }
            _ => "remdesk/RC_CTL".to_owned(),
        };
    }
    match channel {
        Channel::Commands => format!("71 {}", utf16::decode(bytes).unwrap().trim_end_matches('\0')),
        Channel::Transfer(_) => match FileVerb::recognize(bytes) {
            Some(verb) => format!("{channel} {verb} ({} bytes)", bytes.len()),
            None => format!("{channel} {} bytes", bytes.len()),
        },
        _ => format!("{channel} {} bytes", bytes.len()),
    }
}
