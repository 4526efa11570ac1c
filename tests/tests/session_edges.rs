//! Edges of sessions: what is nearly right, comes too late, crosses, or does not fit.

use ra_channel::{Control, ExpertBlob, Packet};
use ra_session::{
    Attempts, Channel, ClientInfoPolicy, Credentials, Event, Expert, FileEvent, FileOffer, Input, Misuse,
    Novice, NoviceConfig, Output, Role, ServerKey, TakeBack, Time,
};
use rccommand::Command;
use remassist_core::text::TextDocument;
use remassist_core::{Encode as _, Secret};
use testkit::pair::{self, Layout, PASS_STUB, Pair, STRING_1, STRING_2};

fn control(message: Control<'_>) -> Vec<u8> {
    Packet::control(message).to_vec().unwrap()
}

fn command(command: Command<'_>) -> Vec<u8> {
    TextDocument::unicode_z(command.to_message()).to_vec().unwrap()
}

fn chat(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn novice_events(novice: &mut Novice) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match novice.poll() {
            Output::Event(event) => events.push(event),
            Output::Wait(_) => return events,
            _ => {}
        }
    }
}

fn alone(config: NoviceConfig) -> Novice {
    let mut novice = Novice::new(Time(0), config, Attempts::new(3)).unwrap();
    for channel in Layout::Dynamic.channels() {
        novice.handle(Time(0), Input::ChannelOpened(*channel));
    }
    novice.start(Time(0)).unwrap();
    novice
}

fn say(novice: &mut Novice, message: Control<'_>) {
    novice.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &control(message) });
}

/// An invitation of type 1 without password may have a PassStub (FreeRDP wants one). An expert that knows nothing at all
/// speaks version 2 and is verified.
#[test]
fn nothing_is_proved_without_password_in_version_2() {
    for string in [STRING_1, STRING_2] {
        let mut config = NoviceConfig::new([Credentials::invitation(string, None, Some(PASS_STUB)).unwrap()]);
        config.client_info = ClientInfoPolicy::WhereNeeded;
        let mut novice = alone(config);
        say(&mut novice, Control::expert_on_vista(Vec::new()));
        say(&mut novice, Control::VerifyPassword { expert_blob: ExpertBlob::new("Mallory", None) });
        let events = novice_events(&mut novice);
        assert!(!events.contains(&Event::Verified), "a stranger is verified: {events:?}");
    }
}

fn shared(outputs: usize) -> Pair {
    let (expert, mut novice) = pair::configs(&pair::second());
    novice.options.limits.outputs = outputs;
    let mut pair = Pair::new(expert, novice, Layout::Dynamic);
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    pair.expert.request_control().unwrap();
    pair.settle();
    pair.novice.allow_control().unwrap();
    pair.settle();
    assert!(pair.novice.may_deliver_input());
    pair
}

/// The panic key does not work while the queue is half full.
#[test]
fn the_panic_key_always_works() {
    let mut pair = shared(32);
    for _ in 0..16 {
        pair.inject(Role::Novice, Channel::Chat, &chat("x"));
    }
    assert!(!pair.novice.is_closed());
    let answer = pair.novice.take_control(TakeBack::PanicKey);
    assert!(!pair.novice.may_deliver_input(), "input is still delivered: {answer:?}");
}

/// Outputs that wait are shown as they are.
#[test]
fn no_token_in_debug() {
    let mut config = NoviceConfig::new([pair::third()]);
    config.options.name = "Nils".to_owned();
    let mut novice = alone(config);
    let shown = format!("{novice:?}");
    let mut sent = Vec::new();
    while let output @ (Output::Send { .. } | Output::Event(_)) = novice.poll() {
        if let Output::Send { bytes, .. } = output {
            sent = bytes;
        }
    }
    let token = format!("{:?}", &sent[sent.len() - 20..]);
    let token = token.trim_matches(['[', ']']);
    assert!(!shown.contains(token), "the token of the novice is in its Debug");
}

/// The same for what the expert of version 1 says: connection string and PASS, and for the Debug of an output.
#[test]
fn no_connection_string_in_debug() {
    let mut expert = Expert::new(Time(0), pair::configs(&pair::first()).0, ServerKey::Match).unwrap();
    expert.handle(Time(0), Input::ChannelOpened(Channel::Control));
    let bytes = control(Control::ServerAnnounce);
    expert.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &bytes });
    let shown = format!("{expert:?}");
    let id: Vec<u8> = "+ULZ6ifjoCa6cGPM".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let id = format!("{id:?}");
    assert!(!shown.contains(id.trim_matches(['[', ']'])), "the connection string is in Debug");
}

/// Expert: ask, withdraw, ask again; the novice's yes to the first question crosses. Then the novice refuses the second.
#[test]
fn both_sides_agree_who_controls() {
    for credentials in [pair::first(), pair::second(), pair::third()] {
        let mut pair = Pair::established(&credentials, Layout::Dynamic);
        pair.expert.request_control().unwrap();
        pair.settle();
        pair.novice.allow_control().unwrap();
        pair.expert.release_control().unwrap();
        pair.expert.request_control().unwrap();
        pair.settle();
        pair.novice.refuse_control().unwrap();
        pair.settle();
        assert_eq!(pair.expert.is_controlling(), pair.novice.may_deliver_input(), "{}", pair.transcript());
    }
}

/// Version 2 without `encomsp`: nothing is sent, nothing is said, the expert waits for ever.
#[test]
fn a_request_that_cannot_be_sent_is_an_error() {
    let mut pair = Pair::established(&pair::second(), Layout::Dynamic);
    pair.handle(Role::Expert, Input::ChannelClosed(Channel::Encomsp));
    pair.transcript();
    assert_eq!(pair.expert.request_control(), Err(Misuse::NoChannel), "and it is Ok");
}

/// An announcement that fails with an error changes what the next one does.
#[test]
fn an_announcement_that_fails_changes_nothing() {
    let mut pair = Pair::established(&pair::third(), Layout::Dynamic);
    pair.expert.settings().announce("P", "1").unwrap();
    pair.settle();
    assert_eq!(pair.novice.settings().announce("P", "\u{1}"), Err(Misuse::Unwritable));
    pair.novice.settings().announce("P", "2").unwrap();
    pair.events(Role::Expert);
    pair.settle();
    let expected = Event::Setting { property: "P".to_owned(), value: "2".to_owned() };
    assert!(pair.events(Role::Expert).contains(&expected), "{}", pair.transcript());
}

/// What cannot be written is taken, and never announced.
#[test]
fn an_unwritable_setting_is_an_error() {
    let mut pair = Pair::established(&pair::third(), Layout::Dynamic);
    assert_eq!(pair.novice.settings().announce("Q", "\u{1}"), Err(Misuse::Unwritable));
}

/// A session that overflows closes without telling that its file has failed.
#[test]
fn files_fail_before_the_end() {
    let (expert, mut novice) = pair::configs(&pair::second());
    novice.options.limits.outputs = 32;
    let mut pair = Pair::new(expert, novice, Layout::Dynamic);
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    pair.expert.files().send(FileOffer::new("a.bin", 5000)).unwrap();
    pair.settle();
    let id = pair.novice.files().receiving().unwrap().id;
    pair.novice.files().accept(id).unwrap();
    pair.settle();
    for _ in 0..40 {
        pair.inject(Role::Novice, Channel::Chat, &chat("x"));
    }
    assert!(pair.novice.is_closed());
    let events = novice_events(&mut pair.novice);
    assert!(matches!(events.last(), Some(Event::Closed(_))));
    let failed = |e: &Event| matches!(e, Event::File(FileEvent::Failed { id: i, .. }) if *i == id);
    assert!(events.iter().any(failed), "{:?}", &events[events.len() - 3..]);
}

/// Version 2 without `encomsp`, the first picture is late: what the novice says is lost, its file waits for ever.
#[test]
fn what_the_novice_says_before_the_picture_is_not_lost() {
    let (expert, novice) = pair::configs(&pair::second());
    let expert = Expert::new(Time(0), expert, ServerKey::Match).unwrap();
    let mut novice = Novice::new(Time(0), novice, Attempts::new(3)).unwrap();
    novice.client_info(expert.client_info());
    let mut pair = Pair::joined(expert, novice, Layout::Dynamic);
    pair.handle(Role::Expert, Input::ChannelClosed(Channel::Encomsp));
    pair.handle(Role::Novice, Input::ChannelClosed(Channel::Encomsp));
    pair.settle();
    assert!(pair.novice.is_established());
    pair.novice.chat().send("hello").unwrap();
    pair.novice.files().send(FileOffer::new("a.txt", 5)).unwrap();
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    assert!(pair.expert.is_established());
    let events = pair.events(Role::Expert);
    assert!(
        events.iter().any(|e| matches!(e, Event::Chat(_))) && pair.expert.files().receiving().is_some(),
        "{}",
        pair.transcript()
    );
}

/// Both ask at once and the novice cancels at once: the expert's files must arrive all the same.
#[test]
fn a_cancel_of_the_novice_does_not_harm_the_experts_files() {
    let mut failed = String::new();
    for (credentials, layout) in
        [pair::first(), pair::second()].iter().flat_map(|c| Layout::ALL.map(|l| (c, l)))
    {
        let mut pair = Pair::established(credentials, layout);
        let n = pair.novice.files().send(FileOffer::new("n", 0)).unwrap();
        // The channel of the novice's file is there, its FILEXFER is on its way.
        while pair.novice.files().sending().is_some() && pair.once() && layout != Layout::OneStatic {
            if pair.transcript().contains("FILEXFER") {
                break;
            }
        }
        pair.expert.files().send(FileOffer::new("a", 0)).unwrap();
        pair.expert.files().send(FileOffer::new("b", 0)).unwrap();
        pair.hear();
        let _ = pair.novice.files().cancel(n);
        let mut names = Vec::new();
        for _ in 0..10 {
            pair.settle();
            let events = pair.events(Role::Novice);
            for event in events {
                match event {
                    Event::File(FileEvent::Offered { id, .. }) => {
                        let _ = pair.novice.files().accept(id);
                    }
                    Event::File(FileEvent::Complete { id }) => names.push(id),
                    _ => {}
                }
            }
        }
        if names.len() != 2 {
            failed += &format!("{:?} {layout:?}:\n{}\n", credentials.initiation(), pair.transcript());
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// Version 1 tells by a RESULT; what may be announced beside it is no consent.
#[test]
fn version_1_is_not_established_by_an_announcement() {
    let mut pair = Pair::with(&pair::first(), Layout::Dynamic);
    pair.agree = false;
    pair.settle();
    let view = [8, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0];
    pair.inject(Role::Expert, Channel::Encomsp, &view);
    pair.inject(Role::Expert, Channel::Chat, &chat("hello"));
    pair.settle();
    assert!(!pair.expert.is_established(), "{}", pair.transcript());
    let mut pair = Pair::with(&pair::second(), Layout::Dynamic);
    pair.agree = false;
    pair.settle();
    pair.inject(Role::Expert, Channel::Encomsp, &view);
    pair.settle();
    assert!(pair.expert.is_established(), "{}", pair.transcript());
}

/// The limit for PDUs does not hold on the channels of files.
#[test]
fn no_pdu_is_larger_than_the_limit() {
    let mut pair = Pair::established(&pair::second(), Layout::Dynamic);
    pair.expert.files().send(FileOffer::new("a", 1 << 30)).unwrap();
    pair.settle();
    let id = pair.novice.files().receiving().unwrap().id;
    pair.novice.files().accept(id).unwrap();
    pair.settle();
    pair.events(Role::Novice);
    pair.inject(Role::Novice, Channel::parse("RA_FX").unwrap(), &vec![0; (1 << 20) + 1]);
    pair.settle();
    let events = pair.events(Role::Novice);
    assert!(
        !events.iter().any(|e| matches!(e, Event::File(FileEvent::Data { .. }))),
        "a PDU of more than SessionLimits::message is taken"
    );
}

/// [MS-RA] 2.2.1.11: PASS is used in version 1; 2.2.1.12: EXPERT_ON_VISTA carries the encrypted password.
#[test]
fn the_password_of_expert_on_vista_is_looked_at() {
    let mut probe = Expert::new(Time(0), pair::configs(&pair::second()).0, ServerKey::Match).unwrap();
    probe.handle(Time(0), Input::ChannelOpened(Channel::Control));
    let hello = control(Control::VersionInfo { major: 1, minor: 2 });
    probe.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &hello });
    let mut vista = Vec::new();
    while let output @ (Output::Send { .. } | Output::Event(_)) = probe.poll() {
        if let (Output::Send { bytes, .. }, true) = (output, vista.is_empty()) {
            vista = bytes;
        }
    }
    let mut novice = alone(NoviceConfig::new([pair::second()]));
    novice.client_info(probe.client_info());
    novice.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &vista });
    say(&mut novice, Control::VerifyPassword { expert_blob: ExpertBlob::new("Eva", None) });
    let events = novice_events(&mut novice);
    assert!(events.contains(&Event::Verified), "{events:?}");
}

/// RC_CTL could not be created before the driver has told of `remdesk`.
#[test]
fn a_channel_that_was_never_there_is_not_lost() {
    let mut novice = Novice::new(Time(0), NoviceConfig::new([pair::second()]), Attempts::new(1)).unwrap();
    novice.handle(Time(0), Input::ChannelClosed(Channel::Control));
    novice.handle(Time(0), Input::ChannelOpened(Channel::Remdesk));
    assert_eq!(novice.start(Time(0)), Ok(()));
}

/// A contact that nobody could read counts as one: the novice gives its own for it.
#[test]
fn no_contact_for_rubbish() {
    let (mut expert, mut novice) = pair::configs(&pair::third());
    let own = own_contact();
    novice.options.contact = Some(own);
    expert.options.contact = None;
    let mut pair = Pair::new(expert, novice, Layout::OneStatic);
    pair.settle();
    pair.expert.screen_started();
    pair.settle();
    let announce = Command::SettingAnnounce { property: "CONTACTEXCHANGE".into(), value: "1".into() };
    pair.inject(Role::Novice, Channel::Commands, &command(announce));
    let mut offer = FileOffer::new("x", 3);
    offer.internal_data = rccommand::InternalData(1);
    pair.expert.files().send(offer).unwrap();
    pair.settle();
    let sending = pair.expert.files().sending().unwrap();
    let blocks = pair.expert.files().blocks(sending.id, b"abc").unwrap();
    let (channel, pdu) = (blocks.channel(), blocks.iter().next().unwrap().to_vec());
    pair.carry(Role::Expert, channel, pdu);
    pair.settle();
    assert!(!pair.transcript().contains("contact.xml"), "the novice gives its contact for rubbish");
}

fn own_contact() -> ra_session::OwnContact {
    use rccommand::{Contact, ContactTime, InternalData, RsaPublicKey};
    let key = RsaPublicKey { exponent: 65_537, modulus: vec![0x81; 64] };
    let time = ContactTime { year: 2026, month: 1, day: 1, hour: 0, minute: 0, second: 0, microsecond: 0 };
    let contact = Contact::new("Eva", "PC", vec![1, 2, 3], &key, time).unwrap();
    ra_session::OwnContact { contact, internal_data: InternalData(1) }
}

/// Ask, cancel, ask again while the yes to the first question is on its way.
#[test]
fn a_late_yes_is_not_one_to_the_next_question() {
    let (mut expert, mut novice) = pair::configs(&pair::first());
    expert.options.voice = ra_session::VoicePolicy::Ask;
    novice.options.voice = ra_session::VoicePolicy::Ask;
    let mut pair = Pair::new(expert, novice, Layout::Dynamic);
    pair.settle();
    pair.expert.voice().start().unwrap();
    pair.settle();
    pair.novice.voice().accept().unwrap();
    pair.expert.voice().cancel().unwrap();
    pair.expert.voice().start().unwrap();
    pair.settle();
    pair.novice.voice().accept().unwrap();
    pair.settle();
    let ready = pair.novice.voice().server_ready(Secret::new("key".to_owned()), "192.0.2.1:5");
    assert_eq!(ready, Ok(()), "{}", pair.transcript());
}

/// Attempts are used up: the novice of version 3 still hands out its token, which can be guessed at leisure.
#[test]
fn no_token_when_no_attempt_is_left() {
    let mut novice = Novice::new(Time(0), NoviceConfig::new([pair::third()]), Attempts::new(0)).unwrap();
    novice.handle(Time(0), Input::ChannelOpened(Channel::Control));
    let _ = novice.start(Time(0));
    let mut sent = Vec::new();
    while let output @ (Output::Send { .. } | Output::Event(_)) = novice.poll() {
        sent.extend(if let Output::Send { bytes, .. } = output { Some(bytes) } else { None });
    }
    assert_eq!(sent, [control(Control::Disconnect)], "no token for somebody who will not be looked at");
}

#[test]
fn a_lost_connection_ends_everything() {
    let mut pair = Pair::established(&pair::second(), Layout::Dynamic);
    let id = pair.novice.files().send(FileOffer::new("a", 5)).unwrap();
    pair.settle();
    pair.events(Role::Novice);
    pair.handle(Role::Novice, Input::ConnectionLost);
    let events = novice_events(&mut pair.novice);
    let why = ra_session::FileFailure::SessionEnded;
    let closed = Event::Closed(ra_session::Reason::ConnectionLost);
    assert_eq!(events, [Event::File(FileEvent::Failed { id, why }), closed]);
}
