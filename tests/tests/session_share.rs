//! Share control ([MS-RA] 3.15, 3.16): every path of figures 14 to 17, in all versions and layouts; chat; settings.

use ra_channel::encomsp::{ControlFlags, Message, ParticipantFlags, Pdu};
use ra_session::{Channel, ControlEvent, EndedBy, Event, Misuse, Role, TakeBack, Why};
use rccommand::{Command, Name};
use remassist_core::text::TextDocument;
use remassist_core::{Encode as _, Utf16Le};
use testkit::pair::{self, Layout, Pair};

fn sessions() -> Vec<Pair> {
    let mut sessions = Vec::new();
    for credentials in [pair::first(), pair::second(), pair::third()] {
        for layout in Layout::ALL {
            let mut pair = Pair::established(&credentials, layout);
            controls(&mut pair, Role::Expert);
            controls(&mut pair, Role::Novice);
            sessions.push(pair);
        }
    }
    sessions
}

/// What a side has reported about control since the last call. Nothing else may be out of order.
fn controls(pair: &mut Pair, role: Role) -> Vec<ControlEvent> {
    let events = pair.events(role);
    assert!(!events.iter().any(|e| matches!(e, Event::Ignored(_) | Event::Closed(_))), "{events:?}");
    events.into_iter().filter_map(|e| if let Event::Control(c) = e { Some(c) } else { None }).collect()
}

fn request(pair: &mut Pair) {
    pair.expert.request_control().unwrap();
    assert!(!pair.expert.is_controlling());
    pair.settle();
    assert_eq!(controls(pair, Role::Novice), [ControlEvent::Requested]);
    assert!(!pair.novice.may_deliver_input(), "asked is not granted");
}

fn grant(pair: &mut Pair) {
    request(pair);
    pair.novice.allow_control().unwrap();
    // [MS-RA] 3.15.1: shared before the expert knows it.
    assert!(pair.novice.may_deliver_input());
    assert!(!pair.expert.is_controlling());
    pair.settle();
    assert_eq!(controls(pair, Role::Expert), [ControlEvent::Granted]);
    assert!(pair.expert.is_controlling());
}

/// Control is over, and can be had again.
fn over(pair: &mut Pair) {
    assert!(!pair.expert.is_controlling() && !pair.novice.may_deliver_input());
    grant(pair);
}

#[test]
fn granted_and_given_back() {
    for mut pair in sessions() {
        grant(&mut pair);
        pair.expert.release_control().unwrap();
        assert!(!pair.expert.is_controlling());
        pair.settle();
        assert_eq!(controls(&mut pair, Role::Novice), [ControlEvent::Ended(EndedBy::Expert)]);
        assert_eq!(controls(&mut pair, Role::Expert), []);
        over(&mut pair);
    }
}

#[test]
fn granted_and_taken_back() {
    for (how, by) in [(TakeBack::PanicKey, EndedBy::PanicKey), (TakeBack::Other, EndedBy::Novice)] {
        for mut pair in sessions() {
            grant(&mut pair);
            pair.novice.take_control(how).unwrap();
            assert!(!pair.novice.may_deliver_input(), "at once");
            pair.settle();
            assert_eq!(controls(&mut pair, Role::Expert), [ControlEvent::Ended(by)]);
            over(&mut pair);
        }
    }
}

#[test]
fn refused_by_the_user_or_by_a_policy() {
    for mut pair in sessions() {
        request(&mut pair);
        pair.novice.refuse_control().unwrap();
        pair.settle();
        assert_eq!(controls(&mut pair, Role::Expert), [ControlEvent::Refused]);
        over(&mut pair);
    }
    for credentials in [pair::first(), pair::second(), pair::third()] {
        let (expert, mut novice) = pair::configs(&credentials);
        novice.deny_control = true;
        let mut pair = Pair::new(expert, novice, Layout::Dynamic);
        pair.settle();
        pair.expert.screen_started();
        pair.expert.request_control().unwrap();
        pair.settle();
        assert_eq!(controls(&mut pair, Role::Expert), [ControlEvent::Denied]);
        assert_eq!(controls(&mut pair, Role::Novice), [], "the user is not asked");
        assert_eq!(pair.novice.allow_control(), Err(Misuse::NotAsked));
    }
}

#[test]
fn an_error_on_the_experts_side() {
    for mut pair in sessions() {
        grant(&mut pair);
        pair.expert.abort_control().unwrap();
        pair.settle();
        assert_eq!(controls(&mut pair, Role::Novice), [ControlEvent::Ended(EndedBy::ExpertError)]);
        over(&mut pair);
    }
}

#[test]
fn a_request_can_be_withdrawn() {
    for mut pair in sessions() {
        request(&mut pair);
        pair.expert.release_control().unwrap();
        // The answer crosses it.
        pair.novice.allow_control().unwrap();
        pair.settle();
        assert_eq!(controls_anyway(&mut pair, Role::Novice), [ControlEvent::Ended(EndedBy::Expert)]);
        controls_anyway(&mut pair, Role::Expert);
        over(&mut pair);
        pair.expert.release_control().unwrap();
        pair.settle();
        controls(&mut pair, Role::Novice);
        request(&mut pair);
        pair.expert.release_control().unwrap();
        pair.settle();
        assert_eq!(controls(&mut pair, Role::Novice), [ControlEvent::Withdrawn]);
        assert_eq!(pair.novice.allow_control(), Err(Misuse::NotAsked));
    }
}

fn controls_anyway(pair: &mut Pair, role: Role) -> Vec<ControlEvent> {
    let events = pair.events(role).into_iter();
    events.filter_map(|e| if let Event::Control(c) = e { Some(c) } else { None }).collect()
}

#[test]
fn both_end_it_at_the_same_time() {
    for mut pair in sessions() {
        grant(&mut pair);
        pair.expert.release_control().unwrap();
        pair.novice.take_control(TakeBack::PanicKey).unwrap();
        pair.settle();
        controls_anyway(&mut pair, Role::Expert);
        controls_anyway(&mut pair, Role::Novice);
        over(&mut pair);
    }
}

#[test]
fn calls_that_do_not_fit() {
    for mut pair in sessions() {
        assert_eq!(pair.expert.release_control(), Err(Misuse::WrongState));
        assert_eq!(pair.expert.abort_control(), Err(Misuse::WrongState));
        assert_eq!(pair.novice.allow_control(), Err(Misuse::NotAsked));
        assert_eq!(pair.novice.refuse_control(), Err(Misuse::NotAsked));
        assert_eq!(pair.novice.take_control(TakeBack::Other), Err(Misuse::WrongState));
        pair.expert.request_control().unwrap();
        assert_eq!(pair.expert.request_control(), Err(Misuse::WrongState));
        assert_eq!(pair.expert.abort_control(), Err(Misuse::WrongState));
        pair.settle();
        pair.novice.allow_control().unwrap();
        assert_eq!(pair.novice.allow_control(), Err(Misuse::NotAsked));
        pair.settle();
        assert_eq!(pair.expert.request_control(), Err(Misuse::WrongState));
        pair.novice.close();
        assert!(!pair.novice.may_deliver_input(), "nothing is shared after the end");
        pair.settle();
        assert!(!pair.expert.is_controlling());
        assert_eq!(pair.expert.request_control(), Err(Misuse::Closed));
    }
}

fn command(name: Name) -> Vec<u8> {
    TextDocument::unicode_z(Command::Plain(name).to_message()).to_vec().unwrap()
}

fn participant(flags: ParticipantFlags) -> Vec<u8> {
    let friendly_name = Utf16Le::new("");
    Pdu::new(Message::ParticipantCreated { participant_id: 7, group_id: 0, flags, friendly_name })
        .to_vec()
        .unwrap()
}

#[test]
fn nothing_shares_control_but_the_novices_own_answer() {
    for credentials in [pair::first(), pair::second(), pair::third()] {
        let mut pair = Pair::established(&credentials, Layout::Dynamic);
        for name in Name::ALL.iter().filter(|n| n.purpose() == rccommand::Purpose::ShareControl) {
            pair.inject(Role::Novice, Channel::Commands, &command(*name));
            pair.settle();
            assert!(!pair.novice.may_deliver_input(), "{name:?}");
        }
        pair.inject(Role::Novice, Channel::Encomsp, &participant(ParticipantFlags::KNOWN));
        for flags in [ControlFlags::REQUEST_VIEW, ControlFlags::KNOWN] {
            let pdu = Pdu::new(Message::ControlChange { flags, participant_id: 1 }).to_vec().unwrap();
            pair.inject(Role::Novice, Channel::Encomsp, &pdu);
            pair.settle();
            assert!(!pair.novice.may_deliver_input());
        }
    }
}

#[test]
fn an_expert_that_knows_only_mcs_and_a_novice_that_knows_only_mcs() {
    // The novice answers on channel encomsp alone: what it allows is granted.
    let view = ParticipantFlags::MAY_VIEW | ParticipantFlags::IS_PARTICIPANT;
    let mut pair = Pair::established(&pair::second(), Layout::Dynamic);
    pair.damage = Some(Box::new(|_, _| Vec::new()));
    pair.inject(Role::Expert, Channel::Encomsp, &participant(view));
    pair.expert.request_control().unwrap();
    pair.inject(Role::Expert, Channel::Encomsp, &participant(view));
    assert!(!pair.expert.is_controlling(), "an announcement that came late is no answer");
    pair.inject(Role::Expert, Channel::Encomsp, &participant(view | ParticipantFlags::MAY_INTERACT));
    assert!(pair.expert.is_controlling());
    pair.inject(Role::Expert, Channel::Encomsp, &participant(view));
    assert!(!pair.expert.is_controlling());
    // Once it has answered on channel 71, the announcements only repeat what was said there.
    pair.expert.request_control().unwrap();
    pair.inject(Role::Expert, Channel::Commands, &command(Name::RejectRc));
    pair.expert.request_control().unwrap();
    pair.inject(Role::Expert, Channel::Encomsp, &participant(view | ParticipantFlags::MAY_INTERACT));
    assert!(!pair.expert.is_controlling());
}

#[test]
fn requests_of_another_version_are_dropped() {
    for (credentials, why) in [
        (pair::first(), None),
        (pair::second(), Some(Why::OtherVersion)),
        (pair::third(), Some(Why::OtherVersion)),
    ] {
        let mut pair = Pair::established(&credentials, Layout::Dynamic);
        pair.inject(Role::Novice, Channel::Commands, &command(Name::RemoteCtrlStart));
        pair.settle();
        let dropped = pair.events(Role::Novice).iter().find_map(|e| match e {
            Event::Ignored(ignored) => Some(ignored.why),
            _ => None,
        });
        assert_eq!(dropped, why);
        pair.inject(Role::Novice, Channel::Commands, &command(Name::AcceptRc));
        pair.settle();
        let wrong = pair
            .events(Role::Novice)
            .iter()
            .any(|e| matches!(e, Event::Ignored(i) if i.why == Why::WrongSender));
        assert!(wrong, "only a novice accepts");
    }
}

#[test]
fn chat_both_ways_with_the_limits_of_the_version() {
    for mut pair in sessions() {
        let version = pair.expert.version();
        assert_eq!(pair.novice.chat().limit(), ra_channel::chat_limit(version));
        for len in [0, 1, 511, 512, 100_000] {
            let text = "x".repeat(len);
            let allowed = len <= 511 || version == ra_session::Version::V1;
            let misuse = Misuse::TooLong { got: 2 * len + 2, max: 1024 };
            let expected = if allowed { Ok(()) } else { Err(misuse) };
            assert_eq!(pair.expert.chat().send(&text), expected);
            assert_eq!(pair.novice.chat().send(&text), expected);
            pair.settle();
            let heard: Vec<_> = if allowed { vec![Event::Chat(text)] } else { Vec::new() };
            assert_eq!(pair.events(Role::Novice), heard);
            assert_eq!(pair.events(Role::Expert), heard);
        }
        assert_eq!(pair.expert.chat().send("a\0b"), Err(Misuse::Unwritable));
        pair.expert.typing().unwrap();
        pair.settle();
        assert_eq!(pair.events(Role::Novice), [Event::Typing]);
    }
}

#[test]
fn a_long_message_of_version_one_is_read_in_every_version() {
    for mut pair in sessions() {
        let bytes = Utf16Le::with_nul(&"long ".repeat(2000));
        pair.inject(Role::Novice, Channel::Chat, bytes.as_bytes());
        pair.settle();
        assert_eq!(pair.events(Role::Novice), [Event::Chat("long ".repeat(2000))]);
    }
}

#[test]
fn settings_are_announced_by_the_expert_and_answered_by_the_novice() {
    for mut pair in sessions() {
        let third = pair.expert.version() == ra_session::Version::V3;
        let allowed = if third { Ok(()) } else { Err(Misuse::OtherVersion) };
        let setting = |value: &str| Event::Setting { property: "COLOR".to_owned(), value: value.to_owned() };
        assert_eq!(pair.novice.settings().announce("COLOR", "red"), allowed);
        pair.settle();
        assert_eq!(pair.events(Role::Expert), [], "the novice waits until it is asked");
        assert_eq!(pair.expert.settings().announce("COLOR", "blue"), allowed);
        pair.settle();
        if third {
            assert_eq!(pair.events(Role::Novice), [setting("blue")]);
            assert_eq!(pair.events(Role::Expert), [setting("red")]);
            // A value that comes later than the question is the answer to it.
            pair.expert.settings().announce("SIZE", "1").unwrap();
            pair.settle();
            assert_eq!(pair.events(Role::Expert), []);
            pair.novice.settings().announce("SIZE", "2").unwrap();
            pair.novice.settings().announce("SIZE", "3").unwrap();
            pair.settle();
            let answered = Event::Setting { property: "SIZE".to_owned(), value: "2".to_owned() };
            assert_eq!(pair.events(Role::Expert), [answered], "answered once");
            assert_eq!(pair.expert.settings().announce("CONTACTEXCHANGE", "1"), Err(Misuse::Unwritable));
            for n in 0..200 {
                let full = pair.expert.settings().announce(&format!("P{n}"), "1") == Err(Misuse::QueueFull);
                assert_eq!(full, n >= 61, "{n}");
            }
        }
    }
}
