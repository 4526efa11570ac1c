//! A model of a session: whatever is done to two sides and to what is between them, these things hold.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ra_channel::encomsp::{ControlFlags, Message, ParticipantFlags, Pdu};
use ra_channel::{
    Authenticate, ChannelName, Control, ErrorCode, ExpertBlob, FileVerb, MsgType, NameBstr, Packet,
};
use ra_session::loopback::Flight;
use ra_session::{
    Attempts, Bandwidth, Channel, ClientInfo, ClientInfoPolicy, ControlEvent, Credentials, Event, Expert,
    FileEvent, FileOffer, Files, Input, Misuse, NoErrorAt, Novice, Output, Role, ServerKey, TakeBack, Time,
    TransferId, Version, Voice, VoicePolicy,
};
use rccommand::{Command, Contact, ContactTime, FileXfer, InternalData, Name, RsaPublicKey, VoipGo};
use remassist_core::text::TextDocument;
use remassist_core::{Encode as _, Secret, Utf16Le};

use super::Oracle;
use crate::pair::{self, Layout, Pair};

pub(super) const ALL: &[Oracle] =
    &[("session_model", model), ("session_messages", messages), ("session_stranger", stranger)];

/// Operations of one run.
const OPERATIONS: usize = 400;

/// The bytes that decide what is done.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    fn number(&mut self) -> u64 {
        self.one_of(&[0, 1, 2, 23, 24, 28, 30, 1023, 1024, 1025, 3000, 409_600, 1 << 33, u64::MAX])
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }

    fn role(&mut self) -> Role {
        self.one_of(&[Role::Expert, Role::Novice])
    }

    fn channel(&mut self) -> Channel {
        self.one_of(&[
            Channel::Control,
            Channel::Remdesk,
            Channel::Chat,
            Channel::Commands,
            Channel::Encomsp,
            Channel::Transfer(ChannelName::Transfer),
            Channel::Transfer(ChannelName::ExpertTransfer { seconds: 0 }),
            Channel::Transfer(ChannelName::NoviceTransfer { ip: [0, 0, 0, 0].into(), seconds: 0 }),
        ])
    }
}

/// A call that may come at a moment when it does not fit.
fn attempt(_: Result<(), Misuse>) {}

/// Byte `at` of every file that is sent.
fn content(at: u64) -> u8 {
    (at % 251) as u8
}

/// One file at a receiver.
#[derive(Debug, Default)]
struct Received {
    size: u64,
    accepted: bool,
    bytes: u64,
    right: bool,
    over: bool,
}

/// What a side has reported.
#[derive(Debug, Default)]
struct Seen {
    version: Option<Version>,
    verified: bool,
    view_allowed: bool,
    established: bool,
    closed: bool,
    received: BTreeMap<TransferId, Received>,
    /// Files offered to the peer, until they are sent or have failed.
    sending: Vec<TransferId>,
}

struct World {
    pair: Pair,
    expert: Seen,
    novice: Seen,
    /// The last successful answer of the novice's user to a request for control, not taken back since.
    control_granted: bool,
    /// Nothing but what the two sides said has reached them.
    clean: bool,
}

fn own_contact() -> ra_session::OwnContact {
    let key = RsaPublicKey { exponent: 65_537, modulus: vec![0x81; 64] };
    let time = ContactTime { year: 2026, month: 1, day: 1, hour: 0, minute: 0, second: 0, microsecond: 0 };
    let contact = Contact::new("Eva", "PC", vec![1, 2, 3], &key, time).unwrap();
    ra_session::OwnContact { contact, internal_data: InternalData(1) }
}

impl World {
    fn new(c: &mut Choices<'_>) -> Self {
        let credentials: Credentials = match c.byte() % 4 {
            0 => pair::first(),
            1 => pair::second(),
            2 => pair::third(),
            _ => Credentials::dcom(pair::STRING_2).unwrap(),
        };
        let (mut expert, mut novice) = pair::configs(&credentials);
        let layout = c.one_of(&Layout::ALL);
        let bits = c.byte();
        let bit = |n: u8| bits & (1 << n) != 0;
        let voice = if bit(0) { VoicePolicy::Ask } else { VoicePolicy::Disabled };
        (expert.options.voice, novice.options.voice) = (voice, voice);
        if bit(1) {
            expert.options.contact = Some(own_contact());
            novice.options.contact = Some(own_contact());
        }
        novice.deny_control = bit(2);
        // A session of version 3 needs its own token.
        if bit(3) && credentials.version(Version::V3) < Version::V3 {
            novice.credentials.clear();
        }
        if bit(4) {
            novice.no_error_at = NoErrorAt::View;
        }
        expert.single_result = bit(5);
        novice.answer_timeout = bit(6).then_some(Duration::from_secs(30));
        let expert = Expert::new(Time(0), expert, ServerKey::Match).unwrap();
        let mut novice = Novice::new(Time(0), novice, Attempts::new(u32::from(!bit(7)) + 1)).unwrap();
        novice.client_info(expert.client_info());
        let mut pair = Pair::joined(expert, novice, layout);
        pair.agree = false;
        let mut this = Self {
            pair,
            expert: Seen::default(),
            novice: Seen::default(),
            control_granted: false,
            clean: true,
        };
        this.check();
        this
    }

    fn files(&mut self, role: Role) -> Files<'_> {
        match role {
            Role::Expert => self.pair.expert.files(),
            Role::Novice => self.pair.novice.files(),
        }
    }

    fn voice(&mut self, role: Role) -> Voice<'_> {
        match role {
            Role::Expert => self.pair.expert.voice(),
            Role::Novice => self.pair.novice.voice(),
        }
    }

    fn seen(&mut self, role: Role) -> &mut Seen {
        match role {
            Role::Expert => &mut self.expert,
            Role::Novice => &mut self.novice,
        }
    }

    fn operate(&mut self, c: &mut Choices<'_>) {
        let wire = |this: &mut Self| -> Option<usize> { this.pair.wire.len().checked_sub(1) };
        match c.byte() % 24 {
            0..=3 => {
                self.pair.deliver();
            }
            4 => self.settle(),
            5 => {
                self.clean &= self.pair.wire.pop_front().is_none();
            }
            6 => {
                if let Some(flight) = self.pair.wire.front().cloned() {
                    self.clean = false;
                    self.pair.wire.push_front(flight);
                }
            }
            7 => {
                let (at, xor) = (usize::from(c.byte()), c.byte());
                if let Some((_, Flight::Data(_, bytes))) = self.pair.wire.front_mut() {
                    self.clean = false;
                    match (xor, bytes.len()) {
                        (_, 0) => {}
                        (0, len) => bytes.truncate(at % len),
                        (xor, len) => bytes[at % len] ^= xor,
                    }
                }
            }
            8 => {
                if let Some(last) = wire(self) {
                    self.clean = false;
                    let at = usize::from(c.byte()) % (last + 1);
                    self.pair.wire.swap(0, at);
                }
            }
            9 => {
                let millis = c.one_of(&[1, 999, 29_999, 30_000, 119_999, 120_001, 1 << 40]);
                self.pair.now =
                    if c.flag() { self.pair.now.after(Duration::from_millis(millis)) } else { Time(millis) };
                self.pair.tick();
            }
            10 => {
                self.clean = false;
                let (role, channel, bytes) = (c.role(), c.channel(), c.bytes());
                self.pair.inject(role, channel, &bytes);
            }
            11 | 12 => {
                self.clean = false;
                let role = c.role();
                let (channel, bytes) = message(c);
                self.pair.inject(role, channel, &bytes);
            }
            13 => {
                let (role, channel, opened) = (c.role(), c.channel(), c.flag());
                self.clean = false;
                let input =
                    if opened { Input::ChannelOpened(channel) } else { Input::ChannelClosed(channel) };
                self.pair.handle(role, input);
            }
            14..=16 => self.decide(c),
            17..=19 => self.transfer(c),
            20 => self.talk(c),
            21 => self.speak(c),
            22 => {
                // Seldom, or there is nothing left to see.
                if c.byte() == 0 {
                    if c.flag() { self.pair.expert.close() } else { self.pair.novice.close() }
                }
            }
            _ => self.pair.expert.screen_started(),
        }
    }

    /// What the two people decide, asked or not.
    fn decide(&mut self, c: &mut Choices<'_>) {
        let novice = &mut self.pair.novice;
        match c.byte() % 16 {
            0 | 1 => self.novice.view_allowed |= novice.allow_view().is_ok(),
            2 | 3 => attempt(novice.view_started()),
            4 => attempt(novice.accept_expert()),
            5 => {
                if c.byte() == 0 {
                    attempt(novice.refuse_view());
                    attempt(novice.reject_expert());
                    attempt(novice.view_failed());
                    attempt(novice.resolution_changed());
                }
            }
            6 | 7 => self.control_granted |= novice.allow_control().is_ok(),
            8 => attempt(novice.refuse_control()),
            9 => {
                if novice.take_control(c.one_of(&[TakeBack::PanicKey, TakeBack::Other])).is_ok() {
                    self.control_granted = false;
                }
            }
            10..=12 => attempt(self.pair.expert.request_control()),
            13 => attempt(self.pair.expert.release_control()),
            14 => attempt(self.pair.expert.abort_control()),
            _ => attempt(novice.start(Time(0))),
        }
    }

    fn transfer(&mut self, c: &mut Choices<'_>) {
        let role = c.role();
        match c.byte() % 8 {
            0 => {
                let offer =
                    FileOffer::new(c.one_of(&["a.txt", "../x", "", "CON", "\u{202E}gpj.exe"]), c.number());
                if let Ok(id) = self.files(role).send(offer) {
                    self.seen(role).sending.push(id);
                }
            }
            1 | 2 => {
                let offered: Vec<_> =
                    self.seen(role).received.iter().filter(|r| !r.1.over).map(|r| *r.0).collect();
                for id in offered {
                    if self.files(role).accept(id).is_ok() {
                        self.seen(role).received.get_mut(&id).unwrap().accepted = true;
                    }
                }
            }
            3 => {
                let id = self.files(role).receiving().map(|r| r.id);
                if let Some(id) = id
                    && self.files(role).refuse(id).is_ok()
                {
                    self.seen(role).received.get_mut(&id).unwrap().over = true;
                }
            }
            4 => {
                let id = TransferId(c.byte().into());
                attempt(self.files(role).cancel(id));
            }
            5 => {
                let bytes = vec![7; usize::from(c.byte()) * 9];
                if let Ok(id) = self.files(role).send_bytes("small.bin", bytes) {
                    self.seen(role).sending.push(id);
                }
            }
            _ => self.feed(role, usize::from(c.byte()) * 1024),
        }
    }

    /// Hands over blocks of the file that a side is sending, if it wants any.
    fn feed(&mut self, role: Role, most: usize) {
        let Some(sending) = self.files(role).sending() else { return };
        let most = u64::try_from(most.max(sending.block)).unwrap();
        let end = sending.size.min(sending.sent.saturating_add(most));
        let data: Vec<u8> = (sending.sent..end).map(content).collect();
        let Ok(blocks) = self.files(role).blocks(sending.id, &data) else { return };
        let (channel, pdus) = (blocks.channel(), blocks.iter().map(|b| b.to_vec()).collect::<Vec<_>>());
        for pdu in pdus {
            self.pair.send(role, channel, pdu);
        }
    }

    /// Chat and settings.
    fn talk(&mut self, c: &mut Choices<'_>) {
        let text = "x".repeat(usize::from(c.byte()) * 3);
        match c.byte() % 6 {
            0 => attempt(self.pair.expert.chat().send(&text)),
            1 => attempt(self.pair.novice.chat().send(&text)),
            2 => attempt(self.pair.expert.typing()),
            3 => attempt(self.pair.expert.settings().announce("P", &text)),
            _ => attempt(self.pair.novice.settings().announce("P", &text)),
        }
    }

    fn speak(&mut self, c: &mut Choices<'_>) {
        let role = c.role();
        let mut voice = self.voice(role);
        match c.byte() % 11 {
            0 | 1 => attempt(voice.start()),
            2 => attempt(voice.accept()),
            3 => attempt(voice.decline()),
            4 => attempt(voice.server_ready(Secret::new("key".to_owned()), "192.0.2.1:5")),
            5 => attempt(voice.client_ready()),
            6 => attempt(voice.failed()),
            7 => attempt(voice.cancel()),
            8 => attempt(voice.end()),
            9 => attempt(voice.ended()),
            _ => {
                attempt(voice.bandwidth(c.one_of(&[Bandwidth::Low, Bandwidth::High])));
                attempt(voice.tuned(c.flag()));
            }
        }
    }

    fn settle(&mut self) {
        // Every message can lead to some others, but not for ever.
        for steps in 0.. {
            assert!(steps < 100_000, "there is no end");
            self.check();
            if self.pair.deliver().is_none() {
                return;
            }
        }
    }

    /// Takes what both sides say, and looks whether it can be.
    fn check(&mut self) {
        self.pair.hear();
        for role in [Role::Expert, Role::Novice] {
            for event in self.pair.events(role) {
                self.event(role, event);
            }
        }
        let deliver = self.pair.novice.may_deliver_input();
        assert_eq!(deliver, self.control_granted, "input is delivered exactly while control is shared");
        assert!(!deliver || self.novice.established && !self.novice.closed);
        assert!(!self.pair.expert.is_controlling() || self.expert.established);
        for (seen, established, closed) in [
            (&self.expert, self.pair.expert.is_established(), self.pair.expert.is_closed()),
            (&self.novice, self.pair.novice.is_established(), self.pair.novice.is_closed()),
        ] {
            assert_eq!(seen.closed, closed);
            assert_eq!(established, seen.established && !closed);
        }
        self.pair.transcript();
    }

    fn event(&mut self, role: Role, event: Event) {
        let clean = self.clean;
        if role == Role::Novice && matches!(event, Event::Control(ControlEvent::Ended(_)) | Event::Closed(_))
        {
            self.control_granted = false;
        }
        let seen = self.seen(role);
        assert!(!seen.closed, "{event:?} after the end");
        match event {
            Event::Version(version) => {
                assert!(seen.version.is_none(), "the version never changes");
                seen.version = Some(version);
            }
            Event::Verified => seen.verified = true,
            Event::Established(version) => {
                assert!(seen.verified, "established without verification");
                assert!(!seen.established && seen.version == Some(version));
                assert!(role == Role::Expert || seen.view_allowed, "established without the user's consent");
                seen.established = true;
            }
            Event::Chat(_) | Event::Typing | Event::Setting { .. } | Event::Contact(_) => {
                assert!(seen.established);
            }
            Event::File(event) => {
                assert!(seen.established);
                file(seen, event, clean);
            }
            Event::Closed(_) => {
                seen.closed = true;
                for (id, received) in &seen.received {
                    assert!(received.over, "{id:?} is neither complete nor failed");
                }
                assert_eq!(seen.sending, [], "neither sent nor failed");
            }
            _ => {}
        }
    }

    /// What was left undisturbed comes to a good end; everything comes to an end.
    fn finish(mut self) {
        self.settle();
        if self.clean && !self.pair.novice.is_closed() && !self.pair.expert.is_closed() {
            for _ in 0..3 {
                attempt(self.pair.novice.accept_expert());
                self.settle();
                self.novice.view_allowed |= self.pair.novice.allow_view().is_ok();
                attempt(self.pair.novice.view_started());
                self.pair.expert.screen_started();
                self.settle();
            }
            if !self.pair.novice.is_closed() && !self.pair.expert.is_closed() {
                let controls = self.pair.expert.is_controlling();
                assert_eq!(controls, self.pair.novice.may_deliver_input(), "both agree who controls");
                assert!(self.pair.novice.is_established() && self.pair.expert.is_established(), "deadlock");
            }
        }
        // No timer fires without end.
        for _ in 0..200 {
            let Some(due) = self.pair.due() else { break };
            self.pair.now = self.pair.now.max(due);
            self.pair.tick();
            self.settle();
        }
        self.pair.expert.close();
        self.pair.novice.close();
        self.settle();
        assert!(self.pair.expert.is_closed() && self.pair.novice.is_closed());
        assert_eq!(self.pair.novice.allow_control(), Err(Misuse::Closed));
        assert_eq!(self.pair.due(), None, "nothing is due after the end");
    }
}

fn file(seen: &mut Seen, event: FileEvent, clean: bool) {
    match event {
        FileEvent::Offered { id, name, size, .. } => {
            assert!(!name.suggestion.is_empty() && !name.suggestion.contains(['/', '\\', ':', '\0']));
            let received = Received { size, right: true, ..Received::default() };
            assert!(seen.received.insert(id, received).is_none());
        }
        FileEvent::Withdrawn { id } => {
            let received = seen.received.get_mut(&id).unwrap();
            assert!(!received.over && !received.accepted);
            received.over = true;
        }
        FileEvent::Data { id, offset, bytes } => {
            let received = seen.received.get_mut(&id).unwrap();
            assert!(received.accepted && !received.over && !bytes.is_empty());
            assert_eq!(offset, received.bytes, "no gap, nothing twice");
            received.right &= bytes.iter().zip(offset..).all(|(byte, at)| *byte == content(at) || *byte == 7);
            received.bytes += u64::try_from(bytes.len()).unwrap();
            assert!(received.bytes <= received.size);
        }
        FileEvent::Complete { id } => {
            let received = seen.received.get_mut(&id).unwrap();
            assert!(received.accepted && !received.over);
            assert_eq!(received.bytes, received.size, "a part is not complete");
            assert!(received.right || !clean, "other bytes than were sent");
            received.over = true;
        }
        FileEvent::Failed { id, .. } => match seen.received.get_mut(&id) {
            Some(received) => {
                assert!(!received.over);
                received.over = true;
            }
            None => seen.sending.retain(|sending| *sending != id),
        },
        FileEvent::Sent { id } => seen.sending.retain(|sending| *sending != id),
        _ => {}
    }
}

/// A message of any kind, of any version and either side, as it would be written.
fn message(c: &mut Choices<'_>) -> (Channel, Vec<u8>) {
    let blob = || ExpertBlob::new("Eva", Some("00FF"));
    let string = Secret::new(Utf16Le::with_nul(pair::STRING_1));
    let command = |command: Command<'_>| TextDocument::unicode_z(command.to_message()).to_vec().unwrap();
    let (channel, bytes) = match c.byte() % 8 {
        0..=2 => {
            let message = match c.byte() % 13 {
                0 => Control::RemoteControlDesktop { connection_string: string },
                1 => Control::Result { code: c.one_of(ErrorCode::ALL) },
                2 => Control::Result { code: ErrorCode::NO_ERROR },
                3 => Control::Authenticate(Authenticate::new(pair::STRING_1, blob())),
                4 => Control::ServerAnnounce,
                5 => Control::VersionInfo { major: c.byte().into(), minor: 2 },
                6 => Control::IsConnected,
                7 => Control::VerifyPassword { expert_blob: blob() },
                8 => Control::expert_on_vista(vec![3; 32]),
                9 => Control::NoviceName { name: NameBstr::new("N") },
                10 => Control::ExpertName { name: NameBstr::new("E") },
                11 => Control::token(&Secret::new([c.byte(); 20])),
                _ => Control::Unknown { msg_type: MsgType(99), body: c.bytes().into() },
            };
            let channel = c.one_of(&[Channel::Control, Channel::Remdesk]);
            return (channel, Packet::control(message).to_vec().unwrap());
        }
        3 => (Channel::Commands, command(Command::Plain(plain(c)))),
        4 => {
            let xfer = FileXfer {
                file_name: "..\\x:y".into(),
                file_size: c.number(),
                channel_id: c.one_of(&["RA_FX", "1000.7", "0.0.0.0.7", "71", "RC_CTL"]).into(),
                internal_data: InternalData(u32::from(c.flag())),
            };
            (Channel::Commands, command(Command::FileXfer(xfer)))
        }
        5 => {
            let value = c.one_of(&["0", "1"]).into();
            let commands = [
                Command::SettingAnnounce { property: "CONTACTEXCHANGE".into(), value },
                Command::ExpertIp { address: "192.0.2.1".into() },
                Command::VoipGo(VoipGo { version: None, key: Secret::default(), ip_list: "x".into() }),
            ];
            (Channel::Commands, command(commands[usize::from(c.byte()) % 3].clone()))
        }
        6 => {
            let flags = ControlFlags(c.byte().into());
            let rights = ParticipantFlags(c.byte().into());
            let name = Utf16Le::new("x");
            let message = match c.byte() % 3 {
                0 => Message::ControlChange { flags, participant_id: c.byte().into() },
                1 => Message::StreamPaused,
                _ => Message::ParticipantCreated {
                    participant_id: 1,
                    group_id: 0,
                    flags: rights,
                    friendly_name: name,
                },
            };
            return (Channel::Encomsp, Pdu::new(message).to_vec().unwrap());
        }
        _ => {
            let verb = c.one_of(&FileVerb::ALL).to_wire();
            let len = usize::try_from(c.number()).unwrap_or(5).min(2000);
            let block = if c.flag() { verb.as_bytes().to_vec() } else { vec![1; len] };
            (c.channel(), block)
        }
    };
    // Alone, or in a packet of the static channel.
    match (c.flag(), ChannelName::parse(&channel.to_string())) {
        (true, Some(name)) if !name.is_control() => {
            (Channel::Remdesk, Packet::payload(name, bytes).to_vec().unwrap())
        }
        _ => (channel, bytes),
    }
}

fn plain(c: &mut Choices<'_>) -> Name {
    let with_attributes = |n: &Name| n.attributes().is_empty();
    let names: Vec<_> = Name::ALL.iter().copied().filter(with_attributes).collect();
    c.one_of(&names)
}

fn model(input: &[u8]) {
    let mut choices = Choices(input);
    let mut world = World::new(&mut choices);
    for _ in 0..OPERATIONS {
        if choices.is_empty() {
            break;
        }
        world.operate(&mut choices);
        world.check();
    }
    world.finish();
}

/// Bytes on the channels of one side that is alone: established or not, it survives them.
fn messages(input: &[u8]) {
    let mut choices = Choices(input);
    let credentials = match choices.byte() % 3 {
        0 => pair::first(),
        1 => pair::second(),
        _ => pair::third(),
    };
    let layout = choices.one_of(&Layout::ALL);
    let mut pair = if choices.flag() {
        Pair::established(&credentials, layout)
    } else {
        Pair::with(&credentials, layout)
    };
    pair.agree = false;
    pair.settle();
    pair.damage = Some(Box::new(|_, _| Vec::new()));
    let role = choices.role();
    let mut pending = VecDeque::from([choices.0]);
    while let Some(rest) = pending.pop_front() {
        let mut choices = Choices(rest);
        let channel = choices.channel();
        let len = usize::from(choices.byte()) + 256 * usize::from(choices.byte() % 8);
        let (bytes, rest) = choices.0.split_at(len.min(choices.0.len()));
        pair.inject(role, channel, bytes);
        pair.hear();
        assert!(!pair.novice.may_deliver_input());
        assert!(pair.events(role).len() < 5000);
        if !rest.is_empty() {
            pending.push_back(rest);
        }
    }
}

/// Messages of somebody who knows nothing of the invitation: the novice never takes it for the expert.
fn stranger(input: &[u8]) {
    let mut c = Choices(input);
    // The connection strings of the messages have another ID.
    let (first, second) = (pair::STRING_1.replace("ULZ6", "ABCD"), pair::STRING_2.replace("ULZ6", "ABCD"));
    let string = c.one_of(&[first.as_str(), second.as_str()]);
    let credentials = match c.byte() % 5 {
        0 => Credentials::invitation(string, Some(pair::PASSWORD), Some(pair::PASS_STUB)),
        1 => Credentials::invitation(string, Some(pair::PASSWORD), None),
        2 => Credentials::invitation(string, None, Some(pair::PASS_STUB)),
        3 => Credentials::invitation(string, None, None),
        _ => Credentials::dcom(string),
    };
    let easy = c.flag().then(pair::third);
    let (_, mut config) = pair::configs(&credentials.unwrap());
    config.credentials.extend(easy);
    config.client_info = c.one_of(&[ClientInfoPolicy::Require, ClientInfoPolicy::WhereNeeded]);
    config.options.highest = c.one_of(&Version::ALL);
    let mut novice = Novice::new(Time(0), config, Attempts::new(1)).unwrap();
    if c.flag() {
        let guess = |text: &str| Secret::new(text.to_owned());
        let shell = c.one_of(&["*", "", "guess"]);
        let working_dir = guess(c.one_of(&["*", "", "guess"]));
        let info = ClientInfo { working_dir, alternate_shell: guess(shell), user_name: String::new() };
        novice.client_info(info);
    }
    for channel in c.one_of(&Layout::ALL).channels() {
        novice.handle(Time(0), Input::ChannelOpened(*channel));
    }
    novice.start(Time(0)).unwrap();
    while !c.is_empty() {
        let (channel, bytes) = if c.flag() { message(&mut c) } else { (c.channel(), c.bytes()) };
        novice.handle(Time(0), Input::Data { channel, bytes: &bytes });
        loop {
            match novice.poll() {
                Output::Event(Event::Verified | Event::AskView { .. }) => panic!("a stranger is verified"),
                Output::Wait(_) => break,
                _ => {}
            }
        }
        assert!(!novice.is_established() && !novice.may_deliver_input());
    }
}
