//! The figures of [MS-RA] section 3 as transcripts, in `tests/transcripts`: who sends what, and what each side reports.
//! `UPDATE_EXPECT=1` writes them; a person reads them beside the figure.

use std::time::Duration;

use expect_test::expect_file;
use ra_channel::{ChannelName, FileVerb};
use ra_session::loopback::Flight;
use ra_session::{
    Bandwidth, Channel, ControlEvent, Credentials, Event, ExpertConfig, FileEvent, FileOffer, Input,
    NoErrorAt, NoviceConfig, Role, TakeBack, TransferId, VoiceEvent, VoicePolicy,
};
use rccommand::{Command, FileXfer};
use remassist_core::text::TextDocument;
use remassist_core::{Encode as _, Secret};
use testkit::pair::{self, Layout, Pair};

/// Compares with `tests/transcripts/<name>.txt`.
fn compare(name: &str, pair: &mut Pair) {
    let path = format!("{}/transcripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    expect_file![path].assert_eq(&pair.transcript());
}

fn begin(credentials: &Credentials, change: impl FnOnce(&mut ExpertConfig, &mut NoviceConfig)) -> Pair {
    let (mut expert, mut novice) = pair::configs(credentials);
    change(&mut expert, &mut novice);
    Pair::new(expert, novice, Layout::Dynamic)
}

fn wrong(credentials: &Credentials) -> Credentials {
    match credentials.initiation() {
        ra_session::Initiation::EasyConnect => Credentials::easy_connect(pair::STRING_2, "GGGGGG"),
        _ => {
            let string = credentials.connection_string().expose();
            Credentials::invitation(string, Some("another password"), Some(pair::PASS_STUB))
        }
    }
    .unwrap()
}

#[test]
fn figures_1_to_9_established_and_ended() {
    for (name, credentials) in [
        ("figure-02-version-1", pair::first()),
        ("figure-05-version-2", pair::second()),
        ("figure-08-version-3", pair::third()),
    ] {
        let mut pair = begin(&credentials, |e, _| e.address = Some("192.0.2.7".to_owned()));
        pair.settle();
        pair.expert.screen_started();
        pair.advance(Duration::from_secs(31));
        pair.expert.close();
        pair.settle();
        compare(name, &mut pair);
    }
}

#[test]
fn figures_1_to_9_not_verified() {
    for (name, credentials) in [
        ("figure-03-version-1-wrong-password", pair::first()),
        ("figure-06-version-2-wrong-password", pair::second()),
        ("figure-07-version-3-wrong-password", pair::third()),
    ] {
        let mut pair = begin(&credentials, |e, _| e.credentials = wrong(&credentials));
        pair.settle();
        compare(name, &mut pair);
    }
}

#[test]
fn figures_1_to_9_refused() {
    for (name, credentials) in [
        ("figure-03-version-1-refused", pair::first()),
        ("figure-06-version-2-refused", pair::second()),
        ("figure-09-version-3-refused", pair::third()),
    ] {
        let mut pair = begin(&credentials, |_, _| {});
        pair.agree = false;
        pair.settle();
        pair.novice.refuse_view().unwrap();
        pair.settle();
        compare(name, &mut pair);
    }
}

#[test]
fn figures_1_to_6_the_switches() {
    let mut pair = begin(&pair::second(), |_, n| n.no_error_at = NoErrorAt::View);
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    compare("figure-06-version-2-no-error-with-the-view", &mut pair);

    let mut pair = begin(&pair::second(), |e, _| e.single_result = true);
    pair.settle();
    compare("figure-05-version-2-single-result", &mut pair);

    for (name, credentials) in [
        ("figure-03-version-1-resolution", pair::first()),
        ("figure-06-version-2-resolution", pair::second()),
    ] {
        let mut pair = Pair::established(&credentials, Layout::Dynamic);
        pair.transcript();
        pair.novice.resolution_changed().unwrap();
        pair.settle();
        compare(name, &mut pair);
    }
}

#[test]
fn figure_1_version_numbers_that_do_not_fit() {
    let mut pair = begin(&pair::first(), |_, _| {});
    // The novice says 1.3.
    pair.damage = Some(Box::new(|role, mut flight| {
        if let (Role::Novice, Flight::Data(_, bytes)) = (role, &mut flight)
            && bytes.len() == 34
        {
            bytes[30] = 3;
        }
        vec![flight]
    }));
    pair.settle();
    compare("figure-01-incompatible-version", &mut pair);
}

/// Begins a file and lets it come to its end; the receiver does what it is told when it is asked.
fn send(pair: &mut Pair, from: Role, name: &str, size: u64, answer: impl Fn(&mut Pair, Role, TransferId)) {
    let offer = FileOffer::new(name, size);
    match from {
        Role::Expert => pair.expert.files().send(offer),
        Role::Novice => pair.novice.files().send(offer),
    }
    .unwrap();
    for _ in 0..20 {
        pair.settle();
        for role in [Role::Expert, Role::Novice] {
            for event in pair.events(role) {
                match event {
                    Event::File(FileEvent::Offered { id, .. }) => answer(pair, role, id),
                    Event::File(FileEvent::Accepted { id }) => feed(pair, role, id),
                    _ => {}
                }
            }
        }
    }
}

fn feed(pair: &mut Pair, role: Role, id: TransferId) {
    let files = match role {
        Role::Expert => &mut pair.both.expert.files(),
        Role::Novice => &mut pair.both.novice.files(),
    };
    let size = usize::try_from(files.sending().unwrap().size).unwrap();
    let data = vec![b'.'; size];
    let blocks = files.blocks(id, &data).unwrap();
    let (channel, pdus) = (blocks.channel(), blocks.iter().map(|b| b.to_vec()).collect::<Vec<_>>());
    for pdu in pdus {
        pair.carry(role, channel, pdu);
    }
}

fn accept(pair: &mut Pair, role: Role, id: TransferId) {
    match role {
        Role::Expert => pair.expert.files().accept(id),
        Role::Novice => pair.novice.files().accept(id),
    }
    .unwrap();
}

fn refuse(pair: &mut Pair, role: Role, id: TransferId) {
    match role {
        Role::Expert => pair.expert.files().refuse(id),
        Role::Novice => pair.novice.files().refuse(id),
    }
    .unwrap();
}

fn ready(credentials: &Credentials, layout: Layout) -> Pair {
    let mut pair = Pair::established(credentials, layout);
    pair.transcript();
    pair.events(Role::Expert);
    pair.events(Role::Novice);
    pair
}

#[test]
fn figures_10_to_13_sent() {
    for (name, credentials, layout, size) in [
        ("figure-11-version-1-static", pair::first(), Layout::OneStatic, 500_000),
        ("figure-11-version-2-static", pair::second(), Layout::OneStatic, 2500),
        ("figure-11-version-2-dynamic", pair::second(), Layout::Dynamic, 2500),
        ("figure-11-version-3-dynamic", pair::third(), Layout::Dynamic, 2048),
    ] {
        let mut pair = ready(&credentials, layout);
        send(&mut pair, Role::Expert, "from-expert.txt", size, accept);
        send(&mut pair, Role::Novice, "from-novice.txt", 436, accept);
        send(&mut pair, Role::Novice, "empty.txt", 0, accept);
        compare(name, &mut pair);
    }
}

#[test]
fn figures_10_to_13_not_sent() {
    for (name, from) in
        [("figure-10-refused-by-the-novice", Role::Expert), ("figure-10-refused-by-the-expert", Role::Novice)]
    {
        let mut pair = ready(&pair::second(), Layout::Dynamic);
        send(&mut pair, from, "unwanted.txt", 5000, refuse);
        compare(name, &mut pair);
    }
    for (name, canceller) in [
        ("figure-12-cancelled-by-the-sender", Role::Expert),
        ("figure-12-cancelled-by-the-receiver", Role::Novice),
    ] {
        let mut pair = ready(&pair::second(), Layout::Dynamic);
        let id = pair.expert.files().send(FileOffer::new("large.txt", 5000)).unwrap();
        pair.settle();
        let offered = pair.novice.files().receiving().unwrap().id;
        accept(&mut pair, Role::Novice, offered);
        pair.settle();
        let part = vec![b'.'; 2048];
        let blocks: Vec<_> = {
            let mut files = pair.expert.files();
            let blocks = files.blocks(id, &part).unwrap();
            blocks.iter().map(|b| (blocks.channel(), b.to_vec())).collect()
        };
        for (channel, pdu) in blocks {
            pair.carry(Role::Expert, channel, pdu);
        }
        match canceller {
            Role::Expert => pair.expert.files().cancel(id).unwrap(),
            Role::Novice => pair.novice.files().cancel(offered).unwrap(),
        }
        pair.settle();
        compare(name, &mut pair);
    }
}

#[test]
fn figure_10_out_of_sequence() {
    let mut pair = ready(&pair::second(), Layout::Dynamic);
    pair.expert.files().send(FileOffer::new("a.txt", 10)).unwrap();
    pair.settle();
    let channel = Channel::Transfer(ChannelName::Transfer);
    pair.inject(Role::Expert, channel, FileVerb::End.to_wire().as_bytes());
    pair.settle();
    compare("figure-10-out-of-sequence", &mut pair);
}

#[test]
fn figures_14_to_17_share_control() {
    for (name, credentials, layout) in [
        ("figure-15-version-1", pair::first(), Layout::Dynamic),
        ("figure-15-version-2", pair::second(), Layout::Dynamic),
        ("figure-15-version-3-static", pair::third(), Layout::OneStatic),
    ] {
        let mut pair = ready(&credentials, layout);
        for end in 0..5 {
            pair.expert.request_control().unwrap();
            pair.settle();
            assert!(pair.events(Role::Novice).contains(&Event::Control(ControlEvent::Requested)));
            if end == 0 {
                pair.novice.refuse_control().unwrap();
                pair.settle();
                continue;
            }
            pair.novice.allow_control().unwrap();
            pair.settle();
            match end {
                1 => pair.novice.take_control(TakeBack::PanicKey).unwrap(),
                2 => pair.novice.take_control(TakeBack::Other).unwrap(),
                3 => pair.expert.release_control().unwrap(),
                _ => pair.expert.abort_control().unwrap(),
            }
            pair.settle();
        }
        compare(name, &mut pair);
    }
    let mut pair = begin(&pair::second(), |_, n| n.deny_control = true);
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    pair.transcript();
    pair.expert.request_control().unwrap();
    pair.settle();
    compare("figure-16-denied-by-policy", &mut pair);
}

/// A session of version 1 whose users want to talk.
fn talking() -> Pair {
    let mut pair = begin(&pair::first(), |e, n| {
        (e.options.voice, n.options.voice) = (VoicePolicy::Ask, VoicePolicy::Ask);
    });
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    pair.transcript();
    pair
}

/// Answers whatever the voice machines ask, with yes.
fn talk(pair: &mut Pair) {
    for _ in 0..10 {
        pair.settle();
        for role in [Role::Expert, Role::Novice] {
            for event in pair.events(role) {
                let mut voice = match role {
                    Role::Expert => pair.both.expert.voice(),
                    Role::Novice => pair.both.novice.voice(),
                };
                let Event::Voice(event) = event else { continue };
                match event {
                    VoiceEvent::Asked => voice.accept().unwrap(),
                    VoiceEvent::MakeServer => {
                        voice.server_ready(Secret::new("secret key".to_owned()), "192.0.2.10:11334").unwrap();
                    }
                    VoiceEvent::MakeClient => voice.client_ready().unwrap(),
                    VoiceEvent::CleanUp => voice.ended().unwrap(),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn figures_18_to_23_voice() {
    for (name, asks, ends) in [
        ("figure-20-the-expert-asks-and-ends", Role::Expert, Role::Expert),
        ("figure-20-the-expert-asks-the-novice-ends", Role::Expert, Role::Novice),
        ("figure-23-the-novice-asks-and-ends", Role::Novice, Role::Novice),
        ("figure-23-the-novice-asks-the-expert-ends", Role::Novice, Role::Expert),
    ] {
        let mut pair = talking();
        match asks {
            Role::Expert => pair.expert.voice().start().unwrap(),
            Role::Novice => pair.novice.voice().start().unwrap(),
        }
        talk(&mut pair);
        assert!(pair.expert.voice().is_established() && pair.novice.voice().is_established());
        pair.expert.voice().bandwidth(Bandwidth::Low).unwrap();
        match ends {
            Role::Expert => pair.expert.voice().end().unwrap(),
            Role::Novice => pair.novice.voice().end().unwrap(),
        }
        talk(&mut pair);
        assert!(!pair.expert.voice().is_established() && !pair.novice.voice().is_established());
        compare(name, &mut pair);
    }
}

#[test]
fn figures_18_to_22_voice_refused() {
    let mut pair = talking();
    pair.expert.voice().start().unwrap();
    pair.settle();
    pair.novice.voice().decline().unwrap();
    pair.settle();
    compare("figure-18-declined", &mut pair);

    let mut pair = talking();
    pair.novice.voice().start().unwrap();
    pair.settle();
    pair.expert.voice().accept().unwrap();
    pair.settle();
    pair.expert.voice().failed().unwrap();
    pair.settle();
    compare("figure-19-no-client", &mut pair);

    let mut pair = talking();
    pair.expert.voice().start().unwrap();
    pair.settle();
    pair.novice.voice().accept().unwrap();
    pair.settle();
    pair.novice.voice().failed().unwrap();
    pair.settle();
    compare("figure-21-no-server", &mut pair);

    let mut pair = talking();
    pair.expert.voice().start().unwrap();
    pair.novice.voice().start().unwrap();
    pair.settle();
    compare("figure-18-both-ask", &mut pair);
}

#[test]
fn section_3_14_contacts() {
    let contact = |name: &str| {
        let key = rccommand::RsaPublicKey { exponent: 65_537, modulus: vec![0x83; 64] };
        let time = rccommand::ContactTime {
            year: 2026,
            month: 2,
            day: 3,
            hour: 4,
            minute: 5,
            second: 6,
            microsecond: 7,
        };
        let contact = rccommand::Contact::new(name, "PC", vec![b'B', b'M'], &key, time).unwrap();
        Some(ra_session::OwnContact { contact, internal_data: rccommand::InternalData(1) })
    };
    let mut pair = begin(&pair::third(), |e, n| {
        (e.options.contact, n.options.contact) = (contact("Eva"), contact("Nils"));
    });
    pair.settle();
    compare("section-3.14-contacts", &mut pair);

    // Each is sent once, whatever is announced again; what comes then is for the user to decide.
    let announce = |value: &str| {
        let command = Command::SettingAnnounce { property: "CONTACTEXCHANGE".into(), value: value.into() };
        TextDocument::unicode_z(command.to_message()).to_vec().unwrap()
    };
    for role in [Role::Expert, Role::Novice] {
        pair.inject(role, Channel::Commands, &announce("1"));
        pair.settle();
        pair.events(role.peer());
        let xfer = Command::FileXfer(FileXfer {
            file_name: "contact.xml".into(),
            file_size: 5,
            channel_id: "RA_FX".into(),
            internal_data: rccommand::InternalData(1),
        });
        pair.inject(role, Channel::Commands, &TextDocument::unicode_z(xfer.to_message()).to_vec().unwrap());
        pair.hear();
        let offered = |e: &Event| matches!(e, Event::File(FileEvent::Offered { .. }));
        assert!(pair.events(role).iter().any(offered), "{role:?}");
        let id = match role {
            Role::Expert => pair.expert.files().receiving().unwrap().id,
            Role::Novice => pair.novice.files().receiving().unwrap().id,
        };
        refuse(&mut pair, role, id);
        pair.settle();
    }

    let mut pair = begin(&pair::third(), |e, _| e.options.contact = contact("Eva"));
    pair.settle();
    compare("section-3.14-no-contacts", &mut pair);
}

#[test]
fn a_channel_that_cannot_be_created() {
    let mut pair = ready(&pair::second(), Layout::Dynamic);
    pair.damage =
        Some(Box::new(|_, flight| if let Flight::Opened(_) = flight { Vec::new() } else { vec![flight] }));
    pair.novice.files().send(FileOffer::new("a.txt", 10)).unwrap();
    pair.hear();
    pair.wire.clear();
    pair.handle(Role::Novice, Input::ChannelClosed(Channel::Transfer(ChannelName::Transfer)));
    pair.settle();
    compare("section-2.1-no-channel", &mut pair);
}
