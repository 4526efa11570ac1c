//! The captured runs of `tests/vectors/channel/remdesk-wire.json`: our expert answers the captured novice, our novice the
//! captured expert.

use ra_session::{
    AlternateShell, Attempts, BadVersion, Channel, ClientInfo, ControlEvent, Credentials, Event, Expert,
    ExpertConfig, Input, Novice, NoviceConfig, Output, ServerKey, Time, Version,
};
use remassist_core::Secret;
use serde_json::Value;
use testkit::vectors::{self, hex, text};

struct Run {
    json: Value,
}

impl Run {
    fn named(name: &str) -> Self {
        Self { json: vectors::json("channel/remdesk-wire.json")["runs"][name].clone() }
    }

    fn credentials(&self, string: &str) -> Credentials {
        let (password, stub) = (text(&self.json["password"]), text(&self.json["pass_stub"]));
        Credentials::invitation(text(&self.json[string]), Some(password), Some(stub)).unwrap()
    }

    /// Direction, channel and bytes of each PDU.
    fn pdus(&self) -> Vec<(&str, Channel, Vec<u8>)> {
        let pdus = self.json["pdus"].as_array().unwrap();
        pdus.iter()
            .map(|p| (text(&p["dir"]), Channel::parse(text(&p["channel"])).unwrap(), hex(&p["hex"])))
            .collect()
    }

    fn sent(&self, direction: &str, channel: Channel) -> Vec<Vec<u8>> {
        self.pdus().into_iter().filter(|(d, c, _)| *d == direction && *c == channel).map(|p| p.2).collect()
    }

    fn client_info(&self) -> ClientInfo {
        let fields = &self.json["client_info"]["fields"];
        let secret = |name: &str| Secret::new(text(&fields[name]).to_owned());
        assert_eq!(fields["Password"], ClientInfo::PASSWORD);
        ClientInfo {
            working_dir: secret("WorkingDir"),
            alternate_shell: secret("AlternateShell"),
            user_name: text(&fields["UserName"]).to_owned(),
        }
    }
}

/// The runs in which the expert speaks: name, connection string, version.
const RUNS: [(&str, &str, Version); 4] = [
    ("tls1", "connection_string_2", Version::V2),
    ("v1", "connection_string_2", Version::V1),
    ("type1quirk", "connection_string_1", Version::V1),
    ("enc1", "connection_string_2", Version::V2),
];

#[test]
fn our_expert_answers_the_captured_novice_with_the_captured_bytes() {
    for (name, string, version) in RUNS {
        let run = Run::named(name);
        let mut config = ExpertConfig::new(run.credentials(string));
        config.options.name = "novice".to_owned();
        config.options.highest = version;
        // The relay made the novice say 1.1.
        config.options.bad_version = BadVersion::NoError;
        config.user_name = text(&run.json["client_info"]["fields"]["UserName"]).to_owned();
        config.alternate_shell = AlternateShell::FreeRdp;
        let mut expert = Expert::new(Time(0), config, ServerKey::Unavailable).unwrap();
        assert_eq!(expert.client_info(), run.client_info(), "{name}");
        for channel in [Channel::Remdesk, Channel::Encomsp] {
            expert.handle(Time(0), Input::ChannelOpened(channel));
        }
        let mut sent = Vec::new();
        let mut events = Vec::new();
        for bytes in run.sent("s2c", Channel::Remdesk) {
            expert.handle(Time(0), Input::Data { channel: Channel::Remdesk, bytes: &bytes });
            drain(|| expert.poll(), &mut sent, &mut events);
        }
        expert.screen_started();
        drain(|| expert.poll(), &mut sent, &mut events);
        assert!(expert.is_established(), "{name}: {events:?}");
        let ours: Vec<_> = sent.iter().filter(|s| s.0 == Channel::Remdesk).map(|s| s.1.clone()).collect();
        let theirs = run.sent("c2s", Channel::Remdesk);
        // After the handshake ours tells its name, which the captured one does not.
        assert_eq!(ours[..theirs.len()], theirs, "{name}");
        assert_eq!(ours.len() - theirs.len(), usize::from(version == Version::V2), "{name}");
        // The novice answers with one RESULT and shows its screen: nothing was out of sequence.
        assert!(
            !events.iter().any(|e| matches!(e, Event::Ignored(_) | Event::Closed(_))),
            "{name}: {events:?}"
        );
    }
}

#[test]
fn without_pass_stub_the_captured_expert_tells_the_password() {
    let run = Run::named("bare");
    let string = text(&run.json["connection_string_2"]);
    let credentials = Credentials::invitation(string, Some(text(&run.json["password"])), None).unwrap();
    let config = ExpertConfig {
        alternate_shell: AlternateShell::FreeRdp,
        user_name: "root".to_owned(),
        ..ExpertConfig::new(credentials)
    };
    let expert = Expert::new(Time(0), config, ServerKey::Unavailable).unwrap();
    assert_eq!(expert.client_info(), run.client_info());
}

#[test]
fn our_novice_answers_the_captured_expert() {
    for (name, string, version) in RUNS {
        let run = Run::named(name);
        let mut novice =
            Novice::new(Time(0), NoviceConfig::new([run.credentials(string)]), Attempts::new(1)).unwrap();
        novice.client_info(run.client_info());
        for channel in [Channel::Remdesk, Channel::Encomsp] {
            novice.handle(Time(0), Input::ChannelOpened(channel));
        }
        novice.start(Time(0)).unwrap();
        let (mut sent, mut events) = (Vec::new(), Vec::new());
        drain(|| novice.poll(), &mut sent, &mut events);
        for bytes in run.sent("c2s", Channel::Remdesk) {
            novice.handle(Time(0), Input::Data { channel: Channel::Remdesk, bytes: &bytes });
            drain(|| novice.poll(), &mut sent, &mut events);
        }
        assert!(events.contains(&Event::AskView { expert: Some("novice".to_owned()) }), "{name}: {events:?}");
        novice.allow_view().unwrap();
        novice.view_started().unwrap();
        drain(|| novice.poll(), &mut sent, &mut events);
        assert_eq!(novice.version(), Some(version), "{name}");
        assert!(novice.is_established(), "{name}");
        assert!(
            !events.iter().any(|e| matches!(e, Event::Ignored(_) | Event::Closed(_))),
            "{name}: {events:?}"
        );
        let ours: Vec<_> = sent.iter().filter(|s| s.0 == Channel::Remdesk).map(|s| s.1.clone()).collect();
        // SERVER_ANNOUNCE, which the captured novice lacks; VERSIONINFO 1.2; RESULT(NOERROR), twice in version 1.
        assert_eq!(ours.len(), if version == Version::V1 { 4 } else { 3 }, "{name}");
        assert_eq!(ours[1], Run::named("tls1").sent("s2c", Channel::Remdesk)[0], "{name}");
        let result = run.sent("s2c", Channel::Remdesk).pop().unwrap();
        assert!(ours[2..].iter().all(|bytes| *bytes == result), "{name}");
    }
}

#[test]
fn the_captured_expert_asks_for_control_when_it_may_view() {
    let run = Run::named("enc1");
    let mut novice = {
        let config = NoviceConfig::new([run.credentials("connection_string_2")]);
        Novice::new(Time(0), config, Attempts::new(1)).unwrap()
    };
    novice.client_info(run.client_info());
    for channel in [Channel::Remdesk, Channel::Encomsp] {
        novice.handle(Time(0), Input::ChannelOpened(channel));
    }
    novice.start(Time(0)).unwrap();
    for bytes in run.sent("c2s", Channel::Remdesk) {
        novice.handle(Time(0), Input::Data { channel: Channel::Remdesk, bytes: &bytes });
    }
    novice.allow_view().unwrap();
    novice.view_started().unwrap();
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    drain(|| novice.poll(), &mut sent, &mut events);
    // MAY_VIEW and not MAY_INTERACT is what makes it ask.
    let announced = sent.iter().find(|s| s.0 == Channel::Encomsp).unwrap();
    assert_eq!(announced.1[..14], [8, 0, 28, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0], "{announced:?}");
    let asks = run.sent("c2s", Channel::Encomsp);
    novice.handle(Time(0), Input::Data { channel: Channel::Encomsp, bytes: &asks[0] });
    events.clear();
    drain(|| novice.poll(), &mut Vec::new(), &mut events);
    assert_eq!(events, [Event::Control(ControlEvent::Requested)]);
    assert!(!novice.may_deliver_input());
    novice.allow_control().unwrap();
    assert!(novice.may_deliver_input());
    sent.clear();
    drain(|| novice.poll(), &mut sent, &mut events);
    // ACCEPTRC in a packet, which it does not understand, and the announcement, which it does.
    assert_eq!(sent.iter().map(|s| s.0).collect::<Vec<_>>(), [Channel::Remdesk, Channel::Encomsp]);
    assert_eq!(sent[1].1[12], 7);
}

fn drain(mut poll: impl FnMut() -> Output, sent: &mut Vec<(Channel, Vec<u8>)>, events: &mut Vec<Event>) {
    loop {
        match poll() {
            Output::Send { channel, bytes } => sent.push((channel, bytes)),
            Output::Event(event) => events.push(event),
            Output::Wait(_) => return,
            other => panic!("{other:?}"),
        }
    }
}
