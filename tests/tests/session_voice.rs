//! Voice: [MS-RA] 3.17, 3.18.

use std::collections::VecDeque;
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ra_session::{
    Attempts, Bandwidth, Channel, Credentials, Event, Expert, ExpertConfig, Input, Misuse, Novice,
    NoviceConfig, Output, Reason, Role, ServerKey, Time, Version, Voice, VoiceEvent, VoicePolicy, describe,
};
use rccommand::{Command, Name, VoipEndpoint, VoipGo};
use remassist_core::text::TextDocument;
use remassist_core::{Encode as _, Secret};

const STRING_1: &str = "65538,1,192.0.2.10:3389,*,+ULZ6ifjoCa6cGPMLQiGHRPwkg6VyJqGwxMnO6GcelwUh9a6,*,*,DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=";
const STRING_2: &str = concat!(
    r#"<E><A KH="DCEjZ+oQYYhi6w1zmvlcZNF/Bnw=" ID="+ULZ6ifjoCa6cGPMLQiGHRPwkg6VyJqGwxMnO6GcelwUh9a6"/>"#,
    r#"<C><T ID="1" SID="0"><L P="3389" N="192.0.2.10"/></T></C></E>"#
);
/// The printed example of [MS-RA] 4.1.
const KEY: &str = "NzaogjS5hQMun/saZ1YCBMT9GwrdJwOomrldiOmXTrE=";
const ADDRESSES: &str = "172.31.242.5:11334,192.0.2.1";

const E: Role = Role::Expert;
const N: Role = Role::Novice;

/// Both sides, all channels in one static channel, and what is on its way.
struct Sides {
    expert: Expert,
    novice: Novice,
    to_expert: VecDeque<Vec<u8>>,
    to_novice: VecDeque<Vec<u8>>,
    log: String,
}

impl Sides {
    fn with(credentials: &Credentials, expert: VoicePolicy, novice: VoicePolicy) -> Self {
        let mut config = ExpertConfig::new(credentials.clone());
        config.options.voice = expert;
        let expert = Expert::new(Time(0), config, ServerKey::Match).unwrap();
        let mut config = NoviceConfig::new([credentials.clone()]);
        config.options.voice = novice;
        let mut novice = Novice::new(Time(0), config, Attempts::new(1)).unwrap();
        novice.client_info(expert.client_info());
        let (to_expert, to_novice) = Default::default();
        let mut this = Self { expert, novice, to_expert, to_novice, log: String::new() };
        for role in [E, N] {
            this.handle(role, Input::ChannelOpened(Channel::Remdesk));
        }
        this.novice.start(Time(0)).unwrap();
        this.settle();
        this.novice.allow_view().unwrap();
        this.novice.view_started().unwrap();
        this.settle();
        // Version 3 has no message for it.
        this.expert.screen_started();
        this.settle();
        assert!(this.expert.is_established() && this.novice.is_established(), "{}", this.log);
        this.log.clear();
        this
    }

    fn new() -> Self {
        Self::with(&first(), VoicePolicy::Ask, VoicePolicy::Ask)
    }

    fn voice(&mut self, role: Role) -> Voice<'_> {
        match role {
            Role::Expert => self.expert.voice(),
            Role::Novice => self.novice.voice(),
        }
    }

    fn handle(&mut self, role: Role, input: Input<'_>) {
        match role {
            Role::Expert => self.expert.handle(Time(0), input),
            Role::Novice => self.novice.handle(Time(0), input),
        }
    }

    /// Takes all that a side has to say.
    fn drain(&mut self, role: Role) {
        loop {
            let output = match role {
                Role::Expert => self.expert.poll(),
                Role::Novice => self.novice.poll(),
            };
            let line = match output {
                Output::Wait(_) => return,
                Output::Send { channel, bytes } => {
                    let [said] = &describe(channel, &bytes)[..] else { panic!("one message at a time") };
                    let line = format!("-> {} {}", said.name.trim_start_matches("RCCOMMAND "), said.detail);
                    match role {
                        Role::Expert => self.to_novice.push_back(bytes),
                        Role::Novice => self.to_expert.push_back(bytes),
                    }
                    line
                }
                Output::Event(Event::Voice(event)) => format!("* {event:?}"),
                Output::Event(Event::Ignored(ignored)) => {
                    assert_eq!(ignored.channel, Channel::Commands);
                    format!("ignores {}: {}", ignored.message.unwrap(), ignored.why)
                }
                Output::Event(event) => format!("* {event:?}"),
                other => panic!("{other:?}"),
            };
            writeln!(self.log, "{role:?} {}", line.trim_end()).unwrap();
        }
    }

    /// Delivers one message to a side, if there is one.
    fn deliver(&mut self, to: Role) -> bool {
        self.drain(E);
        self.drain(N);
        let bytes = match to {
            Role::Expert => self.to_expert.pop_front(),
            Role::Novice => self.to_novice.pop_front(),
        };
        let Some(bytes) = bytes else { return false };
        self.handle(to, Input::Data { channel: Channel::Remdesk, bytes: &bytes });
        self.drain(to);
        true
    }

    fn settle(&mut self) {
        while self.deliver(E) || self.deliver(N) {}
    }

    /// A command as if the peer had sent it.
    fn inject(&mut self, to: Role, command: Command<'_>) {
        let bytes = TextDocument::unicode_z(command.to_message()).to_vec().unwrap();
        let packet = ra_channel::Packet::payload(ra_channel::ChannelName::Commands, bytes).to_vec().unwrap();
        self.handle(to, Input::Data { channel: Channel::Remdesk, bytes: &packet });
        self.drain(to);
    }

    /// Delivers everything and compares what was said since the last time.
    fn expect(&mut self, expected: Expect) {
        self.settle();
        expected.assert_eq(&std::mem::take(&mut self.log));
    }

    /// Up to the call, without a look at it.
    fn call(&mut self) {
        self.voice(E).start().unwrap();
        self.settle();
        self.voice(N).accept().unwrap();
        self.settle();
        self.voice(N).server_ready(key(), ADDRESSES).unwrap();
        self.settle();
        assert_eq!(self.established(), [true, true]);
        self.log.clear();
    }

    fn established(&mut self) -> [bool; 2] {
        [self.expert.voice().is_established(), self.novice.voice().is_established()]
    }

    /// Nothing can be answered, given up or ended.
    fn assert_idle(&mut self, role: Role) {
        let mut voice = self.voice(role);
        assert_eq!(voice.accept(), Err(Misuse::NotAsked));
        assert_eq!(voice.decline(), Err(Misuse::NotAsked));
        assert_eq!(voice.server_ready(key(), ADDRESSES), Err(Misuse::NotAsked));
        assert_eq!(voice.client_ready(), Err(Misuse::NotAsked));
        assert_eq!(voice.failed(), Err(Misuse::NotAsked));
        assert_eq!(voice.ended(), Err(Misuse::NotAsked));
        assert_eq!(voice.cancel(), Err(Misuse::WrongState));
        assert_eq!(voice.end(), Err(Misuse::WrongState));
        assert!(!voice.is_established());
    }

    fn assert_both_idle(&mut self) {
        self.assert_idle(E);
        self.assert_idle(N);
        assert!(self.to_expert.is_empty() && self.to_novice.is_empty());
    }
}

fn key() -> Secret<String> {
    Secret::new(KEY.to_owned())
}

fn first() -> Credentials {
    Credentials::invitation(STRING_1, Some("Pass123!"), Some("o2*5GdBARK_JBB")).unwrap()
}

fn plain(name: Name) -> Command<'static> {
    Command::Plain(name)
}

fn go() -> Command<'static> {
    Command::VoipGo(VoipGo { version: None, key: key(), ip_list: ADDRESSES.into() })
}

#[test]
fn the_expert_asks_and_ends() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    assert_eq!(sides.voice(E).start(), Err(Misuse::WrongState));
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Novice * Asked
    "#]]);
    assert_eq!(sides.voice(N).start(), Err(Misuse::WrongState));
    sides.voice(N).accept().unwrap();
    assert_eq!(sides.voice(N).accept(), Err(Misuse::NotAsked));
    assert_eq!(sides.voice(N).server_ready(key(), ADDRESSES), Err(Misuse::NotAsked));
    sides.expect(expect![[r#"
        Novice -> PRESTARTYES
        Expert -> VOIPPREGO
        Novice * MakeServer
    "#]]);
    assert_eq!(sides.established(), [false, false]);
    assert_eq!(sides.voice(N).server_ready(key(), "a\0b"), Err(Misuse::Unwritable));
    assert_eq!(sides.voice(N).client_ready(), Err(Misuse::NotAsked));
    sides.voice(N).server_ready(key(), ADDRESSES).unwrap();
    sides.expect(expect![[r#"
        Novice -> VOIPGO "172.31.242.5:11334,192.0.2.1"
        Novice * Established
        Expert * Connect(VoipGo { version: Some("VOIPVER2"), key: Secret(..), ip_list: "172.31.242.5:11334,192.0.2.1" })
        Expert * Established
    "#]]);
    assert_eq!(sides.established(), [true, true]);
    assert_eq!(sides.voice(E).cancel(), Err(Misuse::WrongState));
    sides.voice(E).end().unwrap();
    assert_eq!(sides.voice(E).end(), Err(Misuse::WrongState));
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Novice * CleanUp
    "#]]);
    assert_eq!(sides.established(), [false, false]);
    assert_eq!(sides.voice(N).end(), Err(Misuse::WrongState));
    sides.voice(N).ended().unwrap();
    sides.expect(expect![[r#"
        Novice -> PRESTARTYES
        Expert * Ended
    "#]]);
    sides.assert_both_idle();
    sides.call();
}

#[test]
fn the_novice_asks_and_ends() {
    let mut sides = Sides::new();
    sides.voice(N).start().unwrap();
    sides.expect(expect![[r#"
        Novice -> PRESTART
        Expert * Asked
    "#]]);
    sides.voice(E).accept().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTARTYES
        Novice -> VOIPPREGO
        Expert * MakeClient
    "#]]);
    assert_eq!(sides.voice(E).server_ready(key(), ADDRESSES), Err(Misuse::NotAsked));
    sides.voice(E).client_ready().unwrap();
    sides.expect(expect![[r#"
        Expert -> VOIPPREGO2
        Novice * MakeServer
    "#]]);
    sides.voice(N).server_ready(key(), ADDRESSES).unwrap();
    sides.expect(expect![[r#"
        Novice -> VOIPGO "172.31.242.5:11334,192.0.2.1"
        Novice * Established
        Expert * Connect(VoipGo { version: Some("VOIPVER2"), key: Secret(..), ip_list: "172.31.242.5:11334,192.0.2.1" })
        Expert * Established
    "#]]);
    assert_eq!(sides.established(), [true, true]);
    sides.voice(N).end().unwrap();
    sides.expect(expect![[r#"
        Novice -> PRESTART
        Expert * CleanUp
    "#]]);
    sides.voice(E).ended().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTARTYES
        Novice * Ended
    "#]]);
    sides.assert_both_idle();
}

#[test]
fn the_expert_gets_key_and_addresses() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    sides.settle();
    sides.voice(N).accept().unwrap();
    sides.settle();
    sides.voice(N).server_ready(key(), ADDRESSES).unwrap();
    sides.drain(N);
    let bytes = sides.to_expert.pop_front().unwrap();
    sides.handle(E, Input::Data { channel: Channel::Remdesk, bytes: &bytes });
    let Output::Event(Event::Voice(VoiceEvent::Connect(go))) = sides.expert.poll() else { panic!() };
    assert_eq!(go.version.as_deref(), Some("VOIPVER2"));
    assert_eq!(go.key.expose(), KEY);
    let endpoints: Vec<_> = go.endpoints().collect();
    let expected = [
        VoipEndpoint::Socket("172.31.242.5:11334".parse().unwrap()),
        VoipEndpoint::Ip("192.0.2.1".parse().unwrap()),
    ];
    assert_eq!(endpoints, expected);
    assert_eq!(sides.expert.poll(), Output::Event(Event::Voice(VoiceEvent::Established)));
    assert!(!sides.log.contains(KEY));
}

#[test]
fn a_refusal() {
    for (role, expected) in [
        (
            E,
            expect![[r#"
            Expert -> PRESTART
            Novice * Asked
            Novice -> VOIPQNO
            Expert * Failed(Declined)
        "#]],
        ),
        (
            N,
            expect![[r#"
            Novice -> PRESTART
            Expert * Asked
            Expert -> VOIPQNO
            Novice * Failed(Declined)
        "#]],
        ),
    ] {
        let mut sides = Sides::new();
        sides.voice(role).start().unwrap();
        sides.settle();
        sides.voice(role.peer()).decline().unwrap();
        assert_eq!(sides.voice(role.peer()).decline(), Err(Misuse::NotAsked));
        sides.expect(expected);
        sides.assert_both_idle();
    }
}

#[test]
fn no_server() {
    for (role, expected) in [
        (
            E,
            expect![[r#"
            Novice -> VOIPGONO
            Expert * Failed(ServerFailed)
        "#]],
        ),
        (
            N,
            expect![[r#"
            Novice -> VOIPGONO
            Expert * Failed(ServerFailed)
        "#]],
        ),
    ] {
        let mut sides = Sides::new();
        sides.voice(role).start().unwrap();
        sides.settle();
        sides.voice(role.peer()).accept().unwrap();
        sides.settle();
        if role == N {
            sides.voice(E).client_ready().unwrap();
            sides.settle();
        }
        sides.log.clear();
        sides.voice(N).failed().unwrap();
        assert_eq!(sides.voice(N).failed(), Err(Misuse::NotAsked));
        sides.expect(expected);
        sides.assert_both_idle();
    }
}

#[test]
fn no_client() {
    let mut sides = Sides::new();
    sides.voice(N).start().unwrap();
    sides.settle();
    sides.voice(E).accept().unwrap();
    sides.settle();
    sides.log.clear();
    sides.voice(E).failed().unwrap();
    sides.expect(expect![[r#"
        Expert -> VOIPGONO
        Novice * Failed(ClientFailed)
    "#]]);
    sides.assert_both_idle();
}

/// Brings the sides into each state of figures 18, 19, 21 and 22 that waits for the peer, with the side that waits.
fn waiting() -> Vec<(&'static str, Role, Sides)> {
    let mut all = Vec::new();
    for asks in [E, N] {
        let other = asks.peer();
        let mut sides = Sides::new();
        sides.voice(asks).start().unwrap();
        sides.settle();
        all.push(("asking", asks, sides));
        let mut sides = Sides::new();
        sides.voice(asks).start().unwrap();
        sides.settle();
        sides.voice(other).accept().unwrap();
        sides.drain(other);
        all.push(("agreed", other, sides));
        let mut sides = Sides::new();
        sides.voice(asks).start().unwrap();
        sides.settle();
        sides.voice(other).accept().unwrap();
        sides.settle();
        all.push(("ready", asks, sides));
        let mut sides = Sides::new();
        sides.call();
        sides.voice(asks).end().unwrap();
        sides.settle();
        all.push(("ending", asks, sides));
    }
    let mut sides = Sides::new();
    sides.voice(N).start().unwrap();
    sides.settle();
    sides.voice(E).accept().unwrap();
    sides.settle();
    sides.voice(E).client_ready().unwrap();
    sides.settle();
    all.push(("client ready", E, sides));
    all
}

#[test]
fn whoever_waits_can_give_up() {
    let mut log = String::new();
    for (state, role, mut sides) in waiting() {
        sides.log.clear();
        sides.voice(role).cancel().unwrap();
        assert_eq!(sides.voice(role).cancel(), Err(Misuse::WrongState));
        sides.settle();
        sides.assert_both_idle();
        writeln!(log, "== {state}, {role:?}\n{}", sides.log).unwrap();
        sides.call();
    }
    expect![[r#"
        == asking, Expert
        Expert -> VOIPQNO
        Novice * Withdrawn

        == agreed, Novice
        Novice -> VOIPQNO
        Expert -> VOIPPREGO
        Expert * Failed(Cancelled)
        Novice ignores VOIPPREGO: out of sequence

        == ready, Expert
        Expert -> VOIPQNO
        Novice * Failed(Cancelled)

        == ending, Expert
        Expert -> VOIPQNO
        Novice * Ended

        == asking, Novice
        Novice -> VOIPQNO
        Expert * Withdrawn

        == agreed, Expert
        Expert -> VOIPQNO
        Novice -> VOIPPREGO
        Expert ignores VOIPPREGO: out of sequence
        Novice * Failed(Cancelled)

        == ready, Novice
        Novice -> VOIPQNO
        Expert * Failed(Cancelled)

        == ending, Novice
        Novice -> VOIPQNO
        Expert * Ended

        == client ready, Expert
        Expert -> VOIPQNO
        Novice * Failed(Cancelled)

    "#]]
    .assert_eq(&log);
}

#[test]
fn any_refusal_ends_any_waiting() {
    let mut log = String::new();
    for name in [Name::PreStartNo, Name::VoipQNo, Name::VoipGoNo, Name::DisableVoice] {
        for (state, role, mut sides) in waiting() {
            sides.drain(E);
            sides.drain(N);
            sides.log.clear();
            sides.inject(role, plain(name));
            sides.assert_idle(role);
            writeln!(log, "{} {state}, {}", name.as_str(), sides.log.trim_end().replace('\n', ", ")).unwrap();
        }
    }
    expect![[r#"
        PRESTARTNO asking, Expert * Failed(Busy)
        PRESTARTNO agreed, Novice * Failed(Busy)
        PRESTARTNO ready, Expert * Failed(Busy)
        PRESTARTNO ending, Expert * Ended
        PRESTARTNO asking, Novice * Failed(Busy)
        PRESTARTNO agreed, Expert * Failed(Busy)
        PRESTARTNO ready, Novice * Failed(Busy)
        PRESTARTNO ending, Novice * Ended
        PRESTARTNO client ready, Expert * Failed(Busy)
        VOIPQNO asking, Expert * Failed(Declined)
        VOIPQNO agreed, Novice * Failed(Cancelled)
        VOIPQNO ready, Expert * Failed(Cancelled)
        VOIPQNO ending, Expert * Ended
        VOIPQNO asking, Novice * Failed(Declined)
        VOIPQNO agreed, Expert * Failed(Cancelled)
        VOIPQNO ready, Novice * Failed(Cancelled)
        VOIPQNO ending, Novice * Ended
        VOIPQNO client ready, Expert * Failed(Cancelled)
        VOIPGONO asking, Expert * Failed(ServerFailed)
        VOIPGONO agreed, Novice * Failed(ClientFailed)
        VOIPGONO ready, Expert * Failed(ServerFailed)
        VOIPGONO ending, Expert * Ended
        VOIPGONO asking, Novice * Failed(ClientFailed)
        VOIPGONO agreed, Expert * Failed(ServerFailed)
        VOIPGONO ready, Novice * Failed(ClientFailed)
        VOIPGONO ending, Novice * Ended
        VOIPGONO client ready, Expert * Failed(ServerFailed)
        DISABLEVOICE asking, Expert * Failed(Disabled), Expert * PeerHasNoVoice
        DISABLEVOICE agreed, Novice * Failed(Disabled), Novice * PeerHasNoVoice
        DISABLEVOICE ready, Expert * Failed(Disabled), Expert * PeerHasNoVoice
        DISABLEVOICE ending, Expert * Ended, Expert * PeerHasNoVoice
        DISABLEVOICE asking, Novice * Failed(Disabled), Novice * PeerHasNoVoice
        DISABLEVOICE agreed, Expert * Failed(Disabled), Expert * PeerHasNoVoice
        DISABLEVOICE ready, Novice * Failed(Disabled), Novice * PeerHasNoVoice
        DISABLEVOICE ending, Novice * Ended, Novice * PeerHasNoVoice
        DISABLEVOICE client ready, Expert * Failed(Disabled), Expert * PeerHasNoVoice
    "#]]
    .assert_eq(&log);
}

#[test]
fn any_refusal_withdraws_a_question_and_ends_a_call() {
    for name in [Name::PreStartNo, Name::VoipQNo, Name::VoipGoNo, Name::DisableVoice] {
        let has_none = if name == Name::DisableVoice { " * PeerHasNoVoice" } else { "" };
        let log = |sides: &Sides| {
            let lines: Vec<_> = sides.log.lines().map(|l| l.split_once(' ').unwrap().1).collect();
            format!(" {}", lines.join(" "))
        };
        for role in [E, N] {
            let mut sides = Sides::new();
            sides.inject(role, plain(Name::PreStart));
            sides.log.clear();
            sides.inject(role, plain(name));
            assert_eq!(log(&sides), format!(" * Withdrawn{has_none}"));
            sides.assert_idle(role);

            let mut sides = Sides::new();
            sides.call();
            sides.inject(role, plain(name));
            assert_eq!(log(&sides), format!(" * Ended{has_none}"));
            sides.assert_idle(role);

            // The peer waits no longer for the end of cleaning up.
            let mut sides = Sides::new();
            sides.call();
            sides.inject(role, plain(Name::PreStart));
            sides.log.clear();
            sides.inject(role, plain(name));
            assert_eq!(log(&sides), format!(" * Ended{has_none}"));
            sides.assert_idle(role);
        }
    }
}

#[test]
fn both_ask_at_once() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    sides.voice(N).start().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Novice -> PRESTART
        Expert -> PRESTARTNO
        Novice -> PRESTARTNO
        Expert * Failed(Busy)
        Novice * Failed(Busy)
    "#]]);
    sides.assert_both_idle();
    sides.call();
}

#[test]
fn both_end_at_once() {
    let mut sides = Sides::new();
    sides.call();
    sides.voice(E).end().unwrap();
    sides.voice(N).end().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Novice -> PRESTART
        Expert -> PRESTARTYES
        Novice -> PRESTARTYES
        Expert * Ended
        Novice * Ended
    "#]]);
    sides.assert_both_idle();
    sides.call();
}

#[test]
fn a_peer_that_answers_no_when_both_end() {
    let mut sides = Sides::new();
    sides.call();
    sides.voice(E).end().unwrap();
    sides.drain(E);
    sides.inject(E, plain(Name::PreStart));
    sides.inject(E, plain(Name::PreStartNo));
    sides.assert_idle(E);
    expect![[r#"
        Expert -> PRESTART
        Expert -> PRESTARTYES
        Expert * Ended
    "#]]
    .assert_eq(&sides.log);
}

#[test]
fn an_answer_crosses_a_cancel() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    sides.settle();
    sides.voice(N).accept().unwrap();
    sides.voice(E).cancel().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Novice * Asked
        Expert -> VOIPQNO
        Novice -> PRESTARTYES
        Expert ignores PRESTARTYES: out of sequence
        Novice * Failed(Cancelled)
    "#]]);
    sides.assert_both_idle();
}

#[test]
fn the_server_crosses_a_cancel() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    sides.settle();
    sides.voice(N).accept().unwrap();
    sides.settle();
    sides.log.clear();
    sides.voice(N).server_ready(key(), ADDRESSES).unwrap();
    sides.voice(E).cancel().unwrap();
    sides.expect(expect![[r#"
        Expert -> VOIPQNO
        Novice -> VOIPGO "172.31.242.5:11334,192.0.2.1"
        Novice * Established
        Expert ignores VOIPGO: out of sequence
        Novice * Ended
    "#]]);
    sides.assert_both_idle();
}

#[test]
fn cancels_cross() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    sides.settle();
    sides.voice(N).accept().unwrap();
    sides.drain(N);
    sides.log.clear();
    sides.voice(N).cancel().unwrap();
    sides.voice(E).cancel().unwrap();
    sides.expect(expect![[r#"
        Expert -> VOIPQNO
        Novice -> VOIPQNO
        Expert ignores PRESTARTYES: out of sequence
        Expert ignores VOIPQNO: out of sequence
        Novice ignores VOIPQNO: out of sequence
    "#]]);
    sides.assert_both_idle();
    sides.call();
}

#[test]
fn a_question_crosses_the_cancel_of_another() {
    let mut sides = Sides::new();
    sides.voice(E).start().unwrap();
    sides.voice(N).start().unwrap();
    sides.voice(E).cancel().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Expert -> VOIPQNO
        Novice -> PRESTART
        Expert * Asked
        Novice -> PRESTARTNO
        Expert * Withdrawn
        Novice * Failed(Declined)
    "#]]);
    sides.assert_both_idle();
}

#[test]
fn a_silent_peer() {
    let mut sides = Sides::with(&first(), VoicePolicy::Ask, VoicePolicy::Silent);
    sides.voice(E).start().unwrap();
    sides.expect(expect![[r#"
        Expert -> PRESTART
        Novice ignores PRESTART: of no use here
    "#]]);
    sides.assert_idle(N);
    sides.voice(E).cancel().unwrap();
    sides.expect(expect![[r#"
        Expert -> VOIPQNO
        Novice ignores VOIPQNO: out of sequence
    "#]]);
    sides.assert_both_idle();
    // It may ask all the same.
    sides.voice(N).start().unwrap();
    sides.settle();
    sides.voice(E).accept().unwrap();
    sides.settle();
    sides.voice(E).client_ready().unwrap();
    sides.settle();
    sides.voice(N).server_ready(key(), ADDRESSES).unwrap();
    sides.settle();
    assert_eq!(sides.established(), [true, true]);
}

#[test]
fn a_peer_without_voice() {
    let mut sides = Sides::with(&first(), VoicePolicy::Disabled, VoicePolicy::Ask);
    sides.voice(N).start().unwrap();
    sides.expect(expect![[r#"
        Novice -> PRESTART
        Expert -> DISABLEVOICE
        Novice * Failed(Disabled)
        Novice * PeerHasNoVoice
    "#]]);
    sides.assert_both_idle();
    assert_eq!(sides.voice(N).start(), Err(Misuse::PeerHasNoVoice));
    assert_eq!(sides.voice(E).start(), Err(Misuse::WrongState));
    // Tuned or not, it has none.
    sides.voice(E).tuned(true).unwrap();
    sides.settle();
    assert_eq!(sides.voice(N).start(), Err(Misuse::PeerHasNoVoice));
}

#[test]
fn a_side_has_no_voice_any_more() {
    let mut sides = Sides::new();
    sides.call();
    sides.voice(E).disable().unwrap();
    sides.expect(expect![[r#"
        Expert -> DISABLEVOICE
        Novice * Ended
        Novice * PeerHasNoVoice
    "#]]);
    sides.assert_both_idle();
    assert_eq!(sides.voice(E).start(), Err(Misuse::WrongState));
    assert_eq!(sides.voice(N).start(), Err(Misuse::PeerHasNoVoice));
    sides.inject(E, plain(Name::PreStart));
    sides.expect(expect![[r#"
        Expert -> DISABLEVOICE
        Novice * PeerHasNoVoice
    "#]]);
}

#[test]
fn bandwidth() {
    assert_eq!([Bandwidth::Low, Bandwidth::High].map(Bandwidth::bit_rate), [6_400, 64_000]);
    let mut sides = Sides::new();
    sides.voice(E).bandwidth(Bandwidth::Low).unwrap();
    sides.voice(N).bandwidth(Bandwidth::High).unwrap();
    sides.expect(expect![[r#"
        Expert -> BANDWTOLOW
        Novice -> BANDWTOHIGH
        Expert * BitRate(64000)
        Novice * BitRate(6400)
    "#]]);
    sides.call();
    sides.voice(N).bandwidth(Bandwidth::Low).unwrap();
    sides.expect(expect![[r#"
        Novice -> BANDWTOLOW
        Expert * BitRate(6400)
    "#]]);
    assert_eq!(sides.established(), [true, true]);
}

#[test]
fn the_wizard() {
    for role in [E, N] {
        let mut sides = Sides::new();
        sides.voice(role).tuned(false).unwrap();
        sides.settle();
        assert_eq!(sides.voice(role.peer()).start(), Err(Misuse::PeerHasNoVoice));
        sides.assert_both_idle();
        sides.voice(role).tuned(true).unwrap();
        sides.settle();
        sides.voice(role.peer()).start().unwrap();
        sides.voice(role.peer()).cancel().unwrap();
        sides.settle();
        let lines: Vec<_> = sides.log.lines().filter(|l| l.contains("Tuned")).collect();
        let who = role.peer();
        assert_eq!(lines, [format!("{who:?} * PeerTuned(false)"), format!("{who:?} * PeerTuned(true)")]);
    }
    // It neither ends a call nor keeps the other side from asking.
    let mut sides = Sides::new();
    sides.call();
    sides.voice(N).tuned(false).unwrap();
    sides.settle();
    assert_eq!(sides.established(), [true, true]);
    let mut sides = Sides::new();
    sides.voice(N).tuned(false).unwrap();
    sides.settle();
    sides.voice(N).start().unwrap();
    sides.settle();
    sides.voice(E).accept().unwrap();
}

#[test]
fn what_is_out_of_sequence_is_ignored() {
    for role in [E, N] {
        for command in Name::ALL.iter().filter(|n| n.purpose() == rccommand::Purpose::Voice) {
            let command = if *command == Name::VoipGo { go() } else { plain(*command) };
            let name = command.name().unwrap();
            let own =
                [Name::BandwToLow, Name::BandwToHigh, Name::WizardBad, Name::WizardGood, Name::DisableVoice];
            if own.contains(&name) {
                continue;
            }
            let why = if name.may_send(role.peer(), Version::V1) {
                "out of sequence"
            } else {
                "may not be sent by that side"
            };
            let ignored = format!("{role:?} ignores {}: {why}\n", name.as_str());
            // Idle.
            if name != Name::PreStart {
                let mut sides = Sides::new();
                sides.inject(role, command.clone());
                assert_eq!(sides.log, ignored);
                sides.assert_both_idle();
            }
            // Asked.
            let refusal = [Name::PreStartNo, Name::VoipQNo, Name::VoipGoNo].contains(&name);
            if !refusal {
                let mut sides = Sides::new();
                sides.inject(role, plain(Name::PreStart));
                sides.log.clear();
                sides.inject(role, command.clone());
                assert_eq!(sides.log, ignored);
                sides.voice(role).accept().unwrap();
            }
            // In a call.
            if !refusal && name != Name::PreStart {
                let mut sides = Sides::new();
                sides.call();
                sides.inject(role, command.clone());
                assert_eq!(sides.log, ignored);
                assert_eq!(sides.established(), [true, true]);
            }
            // Cleaning up.
            if !refusal {
                let mut sides = Sides::new();
                sides.call();
                sides.inject(role, plain(Name::PreStart));
                sides.log.clear();
                sides.inject(role, command);
                assert_eq!(sides.log, ignored);
                sides.voice(role).ended().unwrap();
            }
        }
    }
}

#[test]
fn nobody_is_called_without_having_agreed() {
    // VOIPPREGO and VOIPGO before the question was answered.
    let mut sides = Sides::new();
    sides.inject(N, plain(Name::PreStart));
    sides.inject(N, plain(Name::VoipPreGo));
    sides.inject(N, plain(Name::VoipPreGo2));
    assert_eq!(sides.voice(N).server_ready(key(), ADDRESSES), Err(Misuse::NotAsked));
    let mut sides = Sides::new();
    for command in [plain(Name::PreStart), plain(Name::VoipPreGo), go()] {
        sides.inject(E, command);
    }
    assert_eq!(sides.voice(E).client_ready(), Err(Misuse::NotAsked));
    assert_eq!(sides.established(), [false, false]);
}

#[test]
fn other_versions_have_no_voice() {
    let second = Credentials::invitation(STRING_2, Some("Pass123!"), Some("o2*5GdBARK_JBB")).unwrap();
    let third = Credentials::easy_connect(STRING_2, "F8JKRV").unwrap();
    for (credentials, version) in [(second, Version::V2), (third, Version::V3)] {
        let mut sides = Sides::with(&credentials, VoicePolicy::Ask, VoicePolicy::Ask);
        assert_eq!(sides.expert.version(), version);
        for role in [E, N] {
            let mut voice = sides.voice(role);
            let misuses = [
                voice.start(),
                voice.accept(),
                voice.decline(),
                voice.server_ready(key(), ADDRESSES),
                voice.client_ready(),
                voice.failed(),
                voice.cancel(),
                voice.end(),
                voice.ended(),
                voice.bandwidth(Bandwidth::Low),
                voice.tuned(true),
                voice.disable(),
            ];
            assert_eq!(misuses, [Err(Misuse::OtherVersion); 12]);
            sides.log.clear();
            for name in [Name::PreStart, Name::BandwToLow, Name::DisableVoice] {
                sides.inject(role, plain(name));
            }
            let lines = ["PRESTART", "BANDWTOLOW", "DISABLEVOICE"]
                .map(|name| format!("{role:?} ignores {name}: belongs to another version\n"));
            assert_eq!(sides.log, lines.concat());
        }
    }
}

#[test]
fn nothing_without_a_session() {
    let mut config = ExpertConfig::new(first());
    config.options.voice = VoicePolicy::Ask;
    let mut expert = Expert::new(Time(0), config, ServerKey::Match).unwrap();
    assert_eq!(expert.voice().start(), Err(Misuse::NotEstablished));
    assert_eq!(expert.voice().disable(), Err(Misuse::NotEstablished));
    expert.close();
    assert_eq!(expert.voice().start(), Err(Misuse::Closed));
    assert!(!expert.voice().is_established());
}

#[test]
fn the_end_of_the_session_is_the_end_of_voice() {
    let closed = |reason| format!("Expert * Closed({reason:?})\n");
    let mut begun: Vec<(&str, Sides)> = waiting()
        .into_iter()
        .filter(|(_, role, _)| *role == E)
        .map(|(state, _, sides)| (if state == "ending" { "Ended" } else { "Failed(SessionOver)" }, sides))
        .collect();
    let mut asked = Sides::new();
    asked.voice(N).start().unwrap();
    asked.settle();
    begun.push(("Withdrawn", asked));
    let mut call = Sides::new();
    call.call();
    begun.push(("Ended", call));
    assert_eq!(begun.len(), 7);
    for (event, mut sides) in begun {
        sides.drain(E);
        sides.log.clear();
        sides.expert.close();
        sides.drain(E);
        let expected = format!("Expert -> REMOTEDESKTOP_CTL_DISCONNECT\nExpert * {event}\n");
        assert_eq!(sides.log, expected + &closed(Reason::Local));
        assert_eq!(sides.voice(E).cancel(), Err(Misuse::Closed));
        assert!(!sides.voice(E).is_established());
    }
    // Nothing to report.
    let mut sides = Sides::new();
    sides.expert.close();
    sides.drain(E);
    assert_eq!(sides.log, "Expert -> REMOTEDESKTOP_CTL_DISCONNECT\n".to_owned() + &closed(Reason::Local));
}

/// What a user, a program or the network may do.
#[derive(Debug, Clone, Copy)]
enum Step {
    Start,
    Accept,
    Decline,
    ServerReady,
    ClientReady,
    Failed,
    Cancel,
    End,
    Ended,
    Tuned(bool),
    Bandwidth,
    Deliver,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Start),
        3 => Just(Step::Accept),
        1 => Just(Step::Decline),
        3 => Just(Step::ServerReady),
        3 => Just(Step::ClientReady),
        1 => Just(Step::Failed),
        1 => Just(Step::Cancel),
        2 => Just(Step::End),
        2 => Just(Step::Ended),
        1 => any::<bool>().prop_map(Step::Tuned),
        1 => Just(Step::Bandwidth),
        9 => Just(Step::Deliver),
        2 => Just(Step::Settle),
    ]
}

fn take(sides: &mut Sides, role: Role, step: Step) -> Result<(), Misuse> {
    let mut voice = sides.voice(role);
    match step {
        Step::Start => voice.start(),
        Step::Accept => voice.accept(),
        Step::Decline => voice.decline(),
        Step::ServerReady => voice.server_ready(key(), ADDRESSES),
        Step::ClientReady => voice.client_ready(),
        Step::Failed => voice.failed(),
        Step::Cancel => voice.cancel(),
        Step::End => voice.end(),
        Step::Ended => voice.ended(),
        Step::Tuned(good) => voice.tuned(good),
        Step::Bandwidth => voice.bandwidth(Bandwidth::High),
        Step::Deliver => {
            sides.deliver(role);
            Ok(())
        }
        Step::Settle => {
            sides.settle();
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order: both have the call or none, and both can always come to rest and begin anew.
    #[test]
    fn both_sides_come_to_rest(steps in prop::collection::vec((any::<bool>(), step()), 0..60)) {
        let mut sides = Sides::new();
        for (expert, step) in steps {
            let role = if expert { E } else { N };
            let _misuse = take(&mut sides, role, step);
        }
        sides.settle();
        let [expert, novice] = sides.established();
        prop_assert_eq!(expert, novice, "{}", sides.log);
        for _ in 0..2 {
            for role in [E, N] {
                for step in [Step::Decline, Step::Failed, Step::Ended, Step::Cancel, Step::End] {
                    let _misuse = take(&mut sides, role, step);
                }
                sides.settle();
            }
        }
        sides.assert_both_idle();
        for role in [E, N] {
            sides.voice(role).tuned(true).unwrap();
        }
        sides.settle();
        sides.call();
    }
}
