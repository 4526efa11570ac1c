//! Session initialization ([MS-RA] 3.3 to 3.8): versions, verification, the user's answer, the end.

use std::time::Duration;

use ra_channel::{Control, ErrorCode, Packet};
use ra_session::loopback::Flight;
use ra_session::{
    AlternateShell, Attempts, BadVersion, Channel, Claim, ClientInfo, ClientInfoPolicy, Credentials, Event,
    Expert, ExpertConfig, ExpertError, Initiation, Input, KeyPolicy, Misuse, NoErrorAt, Novice, NoviceConfig,
    Output, Reason, Role, ServerKey, Time, Version, Why,
};
use remassist_core::{Encode as _, Secret};
use testkit::pair::{self, Layout, PASS_STUB, PASSWORD, Pair, STRING_1, STRING_2};

fn closed(events: &[Event]) -> Option<Reason> {
    events.iter().find_map(|e| if let Event::Closed(reason) = e { Some(*reason) } else { None })
}

fn versions(events: &[Event]) -> Vec<Version> {
    events.iter().filter_map(|e| if let Event::Version(v) = e { Some(*v) } else { None }).collect()
}

/// [MS-RA] 3: the version of a cell of the table; `None` where nobody can initiate such a session, so that the two wait
/// for each other until the time is up.
fn cell(credentials: &Credentials, novice: Version, expert: Version) -> Option<Version> {
    let version = credentials.version(expert);
    let easy = credentials.initiation() == Initiation::EasyConnect;
    // Easy Connect belongs to version 3; a novice without version 2 makes no connection string 2.
    (version <= novice && (!easy || version == Version::V3)).then_some(version)
}

#[test]
fn every_cell_of_the_version_table_and_every_way_of_initiation() {
    let ways = [
        pair::first(),
        Credentials::dcom(STRING_1).unwrap(),
        pair::second(),
        Credentials::dcom(STRING_2).unwrap(),
        pair::third(),
    ];
    let mut established = 0;
    for (credentials, novice, expert, layout) in ways
        .iter()
        .flat_map(|c| Version::ALL.map(|n| (c, n)))
        .flat_map(|(c, n)| Version::ALL.map(|e| (c, n, e)))
        .flat_map(|(c, n, e)| Layout::ALL.map(|l| (c, n, e, l)))
    {
        let expected = cell(credentials, novice, expert);
        let (mut e, mut n) = pair::configs(credentials);
        (e.options.highest, n.options.highest) = (expert, novice);
        let mut pair = Pair::new(e, n, layout);
        pair.settle();
        pair.expert.screen_started();
        pair.settle();
        let cell =
            format!("novice {novice:?}, expert {expert:?}, {layout:?}, {:?}", credentials.initiation());
        assert_eq!(pair.expert.version(), credentials.version(expert), "{cell}");
        assert_eq!(pair.expert.is_established(), expected.is_some(), "{cell}");
        assert_eq!(pair.novice.is_established(), expected.is_some(), "{cell}");
        match expected {
            Some(version) => {
                established += 1;
                assert_eq!(pair.novice.version(), Some(version), "{cell}");
                // Told once, and never changed.
                assert_eq!(versions(&pair.events(Role::Expert)), [version], "{cell}");
                assert_eq!(versions(&pair.events(Role::Novice)), [version], "{cell}");
            }
            None => {
                pair.advance(Duration::from_secs(121));
                assert!(pair.expert.is_closed() && pair.novice.is_closed(), "{cell}");
            }
        }
    }
    assert_eq!(established, 3 * (9 + 9 + 7 + 7 + 1));
}

/// A session that has not begun yet, after the options were changed.
fn pair_of(credentials: &Credentials, change: impl FnOnce(&mut ExpertConfig, &mut NoviceConfig)) -> Pair {
    let (mut expert, mut novice) = pair::configs(credentials);
    change(&mut expert, &mut novice);
    Pair::new(expert, novice, Layout::Dynamic)
}

/// How both sides end when nobody does anything but what the messages demand.
fn ends(mut pair: Pair) -> (Option<Reason>, Option<Reason>) {
    pair.settle();
    (closed(&pair.events(Role::Expert)), closed(&pair.events(Role::Novice)))
}

fn control(message: Control<'_>) -> Vec<u8> {
    Packet::control(message).to_vec().unwrap()
}

/// The other invitation that a wrong expert has.
fn wrong(string: &str, password: &str, stub: &str) -> Credentials {
    Credentials::invitation(string, Some(password), Some(stub)).unwrap()
}

#[test]
fn a_wrong_password_is_refused_in_every_version() {
    let refused = |code| Some(Reason::Refused(code));
    let v1 = pair_of(&pair::first(), |e, _| e.credentials = wrong(STRING_1, "other", PASS_STUB));
    assert_eq!(ends(v1), (refused(ErrorCode::INVALID_PASSWORD), Some(Reason::NotVerified)));
    let v2 = pair_of(&pair::second(), |e, _| e.credentials = wrong(STRING_2, "other", PASS_STUB));
    assert_eq!(ends(v2), (refused(ErrorCode::PASSWORDS_DONT_MATCH), Some(Reason::NotVerified)));
    // The novice speaks first: its token is wrong in the eyes of the expert, whose own is never sent.
    let wrong = Credentials::easy_connect(STRING_2, "GGGGGG").unwrap();
    let v3 = pair_of(&pair::third(), |e, _| e.credentials = wrong);
    assert_eq!(ends(v3), (Some(Reason::WrongToken), Some(Reason::Peer)));
}

#[test]
fn a_wrong_connection_string_or_pass_stub_is_refused() {
    let other_1 = STRING_1.replace("ULZ6", "XXXX");
    let other_2 = STRING_2.replace("ULZ6", "XXXX");
    for (right, string, password, stub) in [
        (pair::first(), other_1.as_str(), PASSWORD, PASS_STUB),
        (pair::first(), STRING_1, PASSWORD, "o2*5GdBARK_JBC"),
        (pair::first(), STRING_2, PASSWORD, PASS_STUB),
        (pair::second(), &other_2, PASSWORD, PASS_STUB),
        (pair::second(), STRING_2, PASSWORD, "o2*5GdBARK_JBC"),
    ] {
        let (_, novice) = ends(pair_of(&right, |e, _| {
            e.options.highest = right.version(Version::V3);
            e.credentials = wrong(string, password, stub);
        }));
        assert_eq!(novice, Some(Reason::NotVerified), "{string} {password} {stub}");
    }
}

#[test]
fn an_expert_sends_its_token_only_to_the_right_novice() {
    let config = ExpertConfig::new(pair::third());
    for token in [[0; 20], [0xFF; 20]] {
        let mut expert = Expert::new(Time(0), config.clone(), ServerKey::Match).unwrap();
        expert.handle(Time(0), Input::ChannelOpened(Channel::Control));
        let bytes = control(Control::token(&Secret::new(token)));
        expert.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &bytes });
        let (sent, events) = drain(&mut expert);
        assert_eq!(sent, [control(Control::Disconnect)]);
        assert_eq!(closed(&events), Some(Reason::WrongToken));
    }
}

fn drain(expert: &mut Expert) -> (Vec<Vec<u8>>, Vec<Event>) {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    loop {
        match expert.poll() {
            Output::Send { bytes, .. } => sent.push(bytes),
            Output::Event(event) => events.push(event),
            Output::Wait(_) => return (sent, events),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_key_that_does_not_match_ends_it_before_anything_is_sent() {
    let unproven = [ServerKey::Absent, ServerKey::UnknownAlgorithm, ServerKey::Unavailable];
    for policy in [KeyPolicy::Warn, KeyPolicy::Require] {
        let expert = |key| {
            let config = ExpertConfig { key_policy: policy, ..ExpertConfig::new(pair::second()) };
            Expert::new(Time(0), config, key).map(|e| e.client_info())
        };
        assert_eq!(expert(ServerKey::Mismatch), Err(ExpertError::ServerKey(ServerKey::Mismatch)));
        assert!(expert(ServerKey::Match).is_ok());
        for key in unproven {
            let refused = (policy == KeyPolicy::Require).then_some(ExpertError::ServerKey(key));
            assert_eq!(expert(key).err(), refused);
        }
    }
}

#[test]
fn the_key_is_compared_with_the_hash_in_the_connection_string() {
    let of = |string: &str| Credentials::invitation(string, Some(PASSWORD), Some(PASS_STUB)).unwrap();
    assert_eq!(pair::second().verify_key(None), ServerKey::Unavailable);
    assert_eq!(pair::second().verify_key(Some(b"another key")), ServerKey::Mismatch);
    let key = b"RSA1 and the rest";
    let hash = ra_connstring::KeyHash::compute_sha1(key);
    let string = ra_connstring::ConnectionString2::new("id").with_key_hash(&hash);
    let mut text = String::new();
    remassist_core::text::TextFormat::write_text(&string, &mut text).unwrap();
    assert_eq!(of(&text).verify_key(Some(key)), ServerKey::Match);
    assert_eq!(of(r#"<E><A ID="id"/><C/></E>"#).verify_key(Some(key)), ServerKey::Absent);
}

#[test]
fn client_info_as_the_specification_and_as_freerdp_write_it() {
    let info = |credentials: &Credentials, shell| {
        let mut config = ExpertConfig::new(credentials.clone());
        config.alternate_shell = shell;
        config.user_name = "Eva".to_owned();
        Expert::new(Time(0), config, ServerKey::Match).unwrap().client_info()
    };
    let no_stub = Credentials::invitation(STRING_1, Some(PASSWORD), None).unwrap();
    let no_password = Credentials::invitation(STRING_1, None, None).unwrap();
    let dcom = Credentials::dcom(STRING_2).unwrap();
    for (credentials, specification, freerdp) in [
        (pair::second(), PASSWORD, "*"),
        (no_stub, PASSWORD, PASSWORD),
        (no_password, "*", "*"),
        (dcom, "*", "*"),
        // Its password is proved by the token.
        (pair::third(), "*", "*"),
    ] {
        let shown = info(&credentials, AlternateShell::Password);
        assert_eq!(shown.working_dir.expose().get(..5), Some("+ULZ6"));
        assert_eq!(shown.alternate_shell.expose(), specification);
        assert_eq!(shown.user_name, "Eva");
        assert_eq!(info(&credentials, AlternateShell::FreeRdp).alternate_shell.expose(), freerdp);
    }
    assert_eq!(ClientInfo::PASSWORD, "*");
}

/// Whether a novice lets an expert in that shows these values in its Client Info PDU and everything else right.
fn let_in(credentials: &Credentials, policy: ClientInfoPolicy, info: Option<(&str, &str)>) -> bool {
    let (mut expert, mut novice) = pair::configs(credentials);
    novice.client_info = policy;
    expert.options.highest = credentials.version(Version::V3);
    let expert = Expert::new(Time(0), expert, ServerKey::Match).unwrap();
    let mut novice = Novice::new(Time(0), novice, Attempts::new(1)).unwrap();
    if let Some((id, shell)) = info {
        novice.client_info(ClientInfo {
            working_dir: Secret::new(id.to_owned()),
            alternate_shell: Secret::new(shell.to_owned()),
            user_name: String::new(),
        });
    }
    let mut pair = Pair::joined(expert, novice, Layout::Dynamic);
    pair.settle();
    pair.novice.is_established()
}

#[test]
fn the_novice_checks_the_client_info() {
    use ClientInfoPolicy::{Require, WhereNeeded};
    let id = "+ULZ6ifjoCa6cGPMLQiGHRPwkg6VyJqGwxMnO6GcelwUh9a6";
    let dcom = [Credentials::dcom(STRING_1).unwrap(), Credentials::dcom(STRING_2).unwrap()];
    let stubs = [pair::first(), pair::second()];
    for credentials in stubs.iter().chain(&dcom).chain([&pair::third()]) {
        let told = if stubs.iter().any(|s| s.version(Version::V3) == credentials.version(Version::V3))
            && credentials.initiation() != Initiation::Dcom
        {
            PASSWORD
        } else if credentials.initiation() == Initiation::EasyConnect {
            pair::EASY_PASSWORD
        } else {
            "*"
        };
        assert!(let_in(credentials, Require, Some((id, "*"))), "FreeRDP's way, {credentials:?}");
        assert!(let_in(credentials, Require, Some((id, told))), "as specified, {credentials:?}");
        assert!(!let_in(credentials, Require, Some(("other", "*"))), "another ID, {credentials:?}");
        assert!(!let_in(credentials, Require, Some((id, "guess"))), "another password, {credentials:?}");
        assert!(!let_in(credentials, Require, None), "no Client Info, {credentials:?}");
        // In version 2 nothing but the Client Info PDU has the ID of a ticket without PassStub.
        let needed =
            credentials.initiation() == Initiation::Dcom && credentials.version(Version::V3) == Version::V2;
        assert_eq!(let_in(credentials, WhereNeeded, None), !needed, "{credentials:?}");
    }
    // Without PassStub, AlternateShell alone proves the password.
    let no_stub = Credentials::invitation(STRING_1, Some(PASSWORD), None).unwrap();
    assert!(let_in(&no_stub, Require, Some((id, PASSWORD))));
    assert!(!let_in(&no_stub, Require, Some((id, "*"))));
    assert!(!let_in(&no_stub, WhereNeeded, None));
}

#[test]
fn a_user_who_refuses_is_told_by_its_code() {
    for (credentials, expert) in [
        (pair::first(), Reason::Refused(ErrorCode::HELPEE_SAID_NO)),
        (pair::second(), Reason::Refused(ErrorCode::HELPEE_SAID_NO)),
        // Version 3 has no RESULT in its figures: the connection ends.
        (pair::third(), Reason::Peer),
    ] {
        let mut pair = Pair::with(&credentials, Layout::Dynamic);
        pair.agree = false;
        pair.settle();
        assert!(pair.events(Role::Novice).contains(&Event::AskView { expert: asked_for(&credentials) }));
        pair.novice.refuse_view().unwrap();
        assert_eq!(ends(pair), (Some(expert), Some(Reason::ViewRefused(ErrorCode::HELPEE_SAID_NO))));
    }
}

/// The name in AskView: the expertBlob of versions 1 and 2.
fn asked_for(credentials: &Credentials) -> Option<String> {
    (credentials.initiation() != Initiation::EasyConnect).then(|| "Eva".to_owned())
}

#[test]
fn every_code_of_a_result_ends_the_handshake() {
    for code in ErrorCode::ALL.iter().filter(|c| **c != ErrorCode::NO_ERROR) {
        for (credentials, no_error_at) in [
            (pair::first(), NoErrorAt::Verification),
            (pair::second(), NoErrorAt::Verification),
            (pair::second(), NoErrorAt::View),
        ] {
            let mut pair = pair_of(&credentials, |_, n| n.no_error_at = no_error_at);
            pair.agree = false;
            pair.settle();
            pair.novice.refuse_view_with(*code).unwrap();
            assert_eq!(ends(pair), (Some(Reason::Refused(*code)), Some(Reason::ViewRefused(*code))));
        }
        // Before the expert is verified, too: the novice is helped already, for example.
        let mut pair = pair_of(&pair::first(), |_, _| {});
        pair.novice.refuse_view_with(*code).unwrap();
        assert_eq!(ends(pair).1, Some(Reason::ViewRefused(*code)));
    }
}

#[test]
fn the_switch_of_version_two_for_no_error() {
    for (at, verified, established) in
        [(NoErrorAt::Verification, true, false), (NoErrorAt::View, false, false)]
    {
        let mut pair = pair_of(&pair::second(), |_, n| n.no_error_at = at);
        pair.agree = false;
        pair.settle();
        assert_eq!(pair.events(Role::Expert).contains(&Event::Verified), verified, "{at:?}");
        assert_eq!(pair.expert.is_established(), established, "{at:?}");
        pair.novice.allow_view().unwrap();
        pair.novice.view_started().unwrap();
        pair.settle();
        pair.expert.screen_started();
        assert!(pair.expert.is_established(), "{at:?}");
    }
}

#[test]
fn the_first_result_may_be_the_end_of_the_handshake() {
    let mut pair = pair_of(&pair::second(), |e, _| e.single_result = true);
    pair.agree = false;
    pair.settle();
    assert!(pair.expert.is_established());
    // It can still be refused: what the novice says then ends the session.
    pair.novice.refuse_view().unwrap();
    pair.settle();
    assert!(pair.expert.is_closed());
}

#[test]
fn a_screen_that_begins_early_is_no_verification() {
    let mut pair = Pair::with(&pair::second(), Layout::Dynamic);
    pair.agree = false;
    pair.expert.screen_started();
    assert!(!pair.expert.is_established());
    pair.settle();
    // A known novice shows its screen whatever happens: NOERROR is then the end of the handshake.
    assert!(pair.expert.is_established());
}

#[test]
fn wrong_version_numbers_by_the_three_policies_in_both_roles() {
    for (policy, code) in [
        (BadVersion::IncompatibleVersion, Some(ErrorCode::INCOMPATIBLE_VERSION)),
        (BadVersion::Fail, Some(ErrorCode::E_FAIL)),
        (BadVersion::NoError, None),
    ] {
        for (major, minor) in [(1, 1), (2, 2), (0, 0), (1, u32::MAX)] {
            let reason = Some(Reason::IncompatibleVersion { major, minor });
            let bytes = control(Control::VersionInfo { major, minor });
            let (mut config, mut novice) = pair::configs(&pair::first());
            config.options.bad_version = policy;
            novice.options.bad_version = policy;
            let mut expert = Expert::new(Time(0), config, ServerKey::Match).unwrap();
            expert.handle(Time(0), Input::ChannelOpened(Channel::Control));
            expert.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &bytes });
            let (sent, events) = drain(&mut expert);
            match code {
                Some(code) => {
                    assert_eq!(sent, [control(Control::Result { code })]);
                    assert_eq!(closed(&events), reason);
                }
                None => assert_eq!(sent.len(), 2, "VERSIONINFO and AUTHENTICATE"),
            }
            let mut novice = Novice::new(Time(0), novice, Attempts::new(1)).unwrap();
            novice.handle(Time(0), Input::ChannelOpened(Channel::Control));
            novice.start(Time(0)).unwrap();
            novice.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &bytes });
            assert_eq!(novice.is_closed(), code.is_some(), "{policy:?}");
        }
    }
}

#[test]
fn a_version_one_expert_that_got_its_answer_still_looks_at_the_version() {
    // SERVER_ANNOUNCE was enough to begin; VERSIONINFO follows and does not fit.
    let mut expert = Expert::new(Time(0), ExpertConfig::new(pair::first()), ServerKey::Match).unwrap();
    expert.handle(Time(0), Input::ChannelOpened(Channel::Control));
    for message in [Control::ServerAnnounce, Control::ServerAnnounce] {
        let bytes = control(message);
        expert.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &bytes });
    }
    assert_eq!(drain(&mut expert).0.len(), 2, "answered once");
    let right = control(Control::VersionInfo { major: 1, minor: 2 });
    expert.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &right });
    assert_eq!(drain(&mut expert).0.len(), 0, "silent");
    let wrong = control(Control::VersionInfo { major: 1, minor: 3 });
    expert.handle(Time(0), Input::Data { channel: Channel::Control, bytes: &wrong });
    assert_eq!(drain(&mut expert).0, [control(Control::Result { code: ErrorCode::INCOMPATIBLE_VERSION })]);
}

#[test]
fn expert_on_vista_decides_for_version_two_after_versioninfo() {
    let (_, config) = pair::configs(&pair::second());
    let mut novice = Novice::new(Time(0), config, Attempts::new(1)).unwrap();
    novice.handle(Time(0), Input::ChannelOpened(Channel::Control));
    novice.start(Time(0)).unwrap();
    let version = control(Control::VersionInfo { major: 1, minor: 2 });
    let vista = control(Control::expert_on_vista(&b"cipher text"[..]));
    for bytes in [&version, &vista, &version] {
        novice.handle(Time(0), Input::Data { channel: Channel::Control, bytes });
    }
    assert_eq!(novice.version(), Some(Version::V2));
    assert!(!novice.is_closed());
}

#[test]
fn authenticate_may_come_before_versioninfo() {
    let expert = Expert::new(Time(0), pair::configs(&pair::first()).0, ServerKey::Match).unwrap();
    let novice = Novice::new(Time(0), pair::configs(&pair::first()).1, Attempts::new(1)).unwrap();
    let info = expert.client_info();
    let mut pair = Pair::joined(expert, novice, Layout::Dynamic);
    pair.novice.client_info(info);
    let mut held = None;
    // Two messages in one flight change places.
    pair.damage = Some(Box::new(move |from, flight| match (from, held.take()) {
        (Role::Expert, None) => {
            held = Some(flight);
            Vec::new()
        }
        (_, other) => std::iter::once(flight).chain(other).collect(),
    }));
    pair.settle();
    assert!(pair.novice.version() == Some(Version::V1), "{}", pair.transcript());
}

#[test]
fn names_are_told_in_version_two_only() {
    for (credentials, told) in [(pair::first(), false), (pair::second(), true), (pair::third(), false)] {
        let mut pair = Pair::established(&credentials, Layout::Dynamic);
        let name = |events: &[Event]| {
            events.iter().find_map(|e| if let Event::PeerName(n) = e { Some(n.clone()) } else { None })
        };
        assert_eq!(name(&pair.events(Role::Expert)), told.then(|| "Nils".to_owned()));
        assert_eq!(name(&pair.events(Role::Novice)), told.then(|| "Eva".to_owned()));
    }
}

#[test]
fn the_address_is_told_once_in_version_one_only() {
    for (credentials, told) in [(pair::first(), 1), (pair::second(), 0), (pair::third(), 0)] {
        let mut pair = pair_of(&credentials, |e, _| e.address = Some("192.0.2.7".to_owned()));
        pair.settle();
        pair.expert.screen_started();
        pair.settle();
        let events = pair.events(Role::Novice);
        let count = events.iter().filter(|e| **e == Event::ExpertAddress("192.0.2.7".to_owned())).count();
        assert_eq!(count, told, "{events:?}");
    }
}

#[test]
fn an_hour_of_heartbeats() {
    for (credentials, heartbeat, expected) in [
        (pair::first(), true, 120),
        (pair::first(), false, 0),
        (pair::second(), true, 0),
        (pair::third(), true, 0),
    ] {
        let mut pair = pair_of(&credentials, |e, n| {
            (e.options.heartbeat, n.options.heartbeat) = (heartbeat, heartbeat);
        });
        pair.settle();
        pair.expert.screen_started();
        pair.advance(Duration::from_secs(3600));
        for role in [Role::Expert, Role::Novice] {
            let beats = pair.events(role).iter().filter(|e| **e == Event::Alive).count();
            assert_eq!(beats, expected, "{role:?}");
        }
    }
}

#[test]
fn a_busy_connection_needs_no_heartbeat() {
    let mut pair = Pair::established(&pair::first(), Layout::Dynamic);
    for _ in 0..100 {
        pair.advance(Duration::from_secs(29));
        pair.expert.chat().send("still there").unwrap();
        pair.novice.chat().send("yes").unwrap();
    }
    assert!(!pair.events(Role::Novice).contains(&Event::Alive));
    assert!(!pair.events(Role::Expert).contains(&Event::Alive));
}

#[test]
fn a_silent_peer_times_out() {
    let (expert, novice) = pair::configs(&pair::second());
    let mut expert = Expert::new(Time(5), expert, ServerKey::Match).unwrap();
    expert.handle(Time(5), Input::ChannelOpened(Channel::Control));
    let mut novice = Novice::new(Time(5), novice, Attempts::new(1)).unwrap();
    novice.handle(Time(5), Input::ChannelOpened(Channel::Control));
    novice.start(Time(5)).unwrap();
    expert.handle(Time(120_004), Input::Tick);
    novice.handle(Time(120_004), Input::Tick);
    assert!(!expert.is_closed() && !novice.is_closed());
    // A clock that steps back changes nothing.
    expert.handle(Time(0), Input::Tick);
    expert.handle(Time(120_005), Input::Tick);
    novice.handle(Time(120_005), Input::Tick);
    assert_eq!(closed(&drain(&mut expert).1), Some(Reason::TimedOut));
    assert!(novice.is_closed());
}

#[test]
fn a_user_who_never_answers() {
    let mut pair = pair_of(&pair::second(), |_, n| n.answer_timeout = Some(Duration::from_secs(60)));
    pair.agree = false;
    pair.settle();
    pair.advance(Duration::from_secs(59));
    assert!(!pair.novice.is_closed());
    pair.advance(Duration::from_secs(1));
    assert_eq!(
        ends(pair),
        (Some(Reason::Refused(ErrorCode::HELPEE_NEVER_RESPONDED)), Some(Reason::TimedOut))
    );
}

#[test]
fn failed_attempts_are_limited_across_connections() {
    let (expert, novice) = pair::configs(&pair::second());
    let wrong = ExpertConfig { credentials: wrong(STRING_2, "guess", PASS_STUB), ..expert.clone() };
    let mut attempts = Attempts::new(2);
    let mut reasons = Vec::new();
    for expert in [wrong.clone(), wrong.clone(), expert.clone()] {
        let expert = Expert::new(Time(0), expert, ServerKey::Match).unwrap();
        let mut n = Novice::new(Time(0), novice.clone(), attempts).unwrap();
        n.client_info(expert.client_info());
        let mut pair = Pair::joined(expert, n, Layout::Dynamic);
        pair.settle();
        attempts = pair.novice.attempts();
        // Who tries cannot tell a wrong password from the limit.
        assert_eq!(
            closed(&pair.events(Role::Expert)),
            Some(Reason::Refused(ErrorCode::PASSWORDS_DONT_MATCH))
        );
        reasons.extend(closed(&pair.events(Role::Novice)));
    }
    assert_eq!(reasons, [Reason::NotVerified, Reason::NotVerified, Reason::TooManyAttempts]);
    assert_eq!(attempts.left(), 0);
}

#[test]
fn the_program_verifies_when_the_novice_has_nothing_to_compare_with() {
    for credentials in [pair::first(), pair::second()] {
        for accept in [true, false] {
            let (expert, mut novice) = pair::configs(&credentials);
            novice.credentials.clear();
            let mut pair = Pair::new(expert, novice, Layout::Dynamic);
            pair.settle();
            let events = pair.events(Role::Novice);
            let claim: &Claim = events
                .iter()
                .find_map(|e| if let Event::Verify(claim) = e { Some(claim) } else { None })
                .unwrap();
            assert!(claim.proves(&credentials, ClientInfoPolicy::Require));
            assert!(!claim.proves(&wrong(STRING_1, "x", PASS_STUB), ClientInfoPolicy::Require));
            assert!(!pair.novice.is_established());
            let answer = if accept { pair.novice.accept_expert() } else { pair.novice.reject_expert() };
            assert_eq!(answer, Ok(()));
            assert_eq!(pair.novice.accept_expert(), Err(Misuse::NotAsked), "answered once");
            pair.settle();
            assert_eq!(pair.novice.is_established(), accept);
        }
    }
}

#[test]
fn either_side_disconnects_in_any_state() {
    for credentials in [pair::first(), pair::second(), pair::third()] {
        for (role, steps) in [Role::Expert, Role::Novice].iter().flat_map(|r| (0..3).map(move |s| (r, s))) {
            let mut pair = Pair::with(&credentials, Layout::OneStatic);
            pair.agree = steps > 1;
            if steps > 0 {
                pair.settle();
                pair.expert.screen_started();
                pair.settle();
            }
            match role {
                Role::Expert => pair.expert.close(),
                Role::Novice => pair.novice.close(),
            }
            pair.settle();
            assert_eq!(closed(&pair.events(*role)), Some(Reason::Local));
            assert_eq!(closed(&pair.events(role.peer())), Some(Reason::Peer));
            // The end is the end.
            pair.expert.close();
            pair.novice.close();
            pair.settle();
            assert_eq!(pair.events(Role::Expert), []);
            assert_eq!(pair.events(Role::Novice), []);
        }
    }
}

#[test]
fn a_new_resolution_ends_the_session() {
    let code = ErrorCode::SHADOW_END_CONFIG_CHANGE;
    for credentials in [pair::first(), pair::second()] {
        let mut pair = Pair::established(&credentials, Layout::Dynamic);
        pair.novice.resolution_changed().unwrap();
        assert_eq!(ends(pair), (Some(Reason::ScreenEnded(code)), Some(Reason::ScreenEnded(code))));
    }
}

#[test]
fn a_lost_channel_ends_the_session() {
    for lost in [Channel::Control, Channel::Chat, Channel::Commands] {
        let mut pair = Pair::established(&pair::second(), Layout::Dynamic);
        pair.handle(Role::Expert, Input::ChannelClosed(lost));
        pair.handle(Role::Novice, Input::ChannelClosed(lost));
        assert_eq!(ends(pair), (Some(Reason::ChannelLost(lost)), Some(Reason::ChannelLost(lost))));
    }
    let mut pair = Pair::established(&pair::second(), Layout::Dynamic);
    // Only share control needs it.
    pair.handle(Role::Novice, Input::ChannelClosed(Channel::Encomsp));
    assert_eq!(ends(pair), (None, None));
}

#[test]
fn decisions_that_come_too_late_or_twice_change_nothing() {
    let mut pair = Pair::with(&pair::second(), Layout::Dynamic);
    pair.agree = false;
    assert_eq!(pair.novice.allow_view(), Err(Misuse::NotAsked));
    assert_eq!(pair.novice.view_started(), Err(Misuse::NotAsked));
    assert_eq!(pair.novice.start(Time(0)), Err(Misuse::Started));
    pair.settle();
    assert_eq!(pair.novice.view_started(), Err(Misuse::NotAsked));
    assert_eq!(pair.novice.refuse_view_with(ErrorCode::NO_ERROR), Err(Misuse::WrongState));
    assert_eq!(pair.novice.allow_view(), Ok(()));
    assert_eq!(pair.novice.allow_view(), Err(Misuse::NotAsked));
    assert!(!pair.novice.is_established());
    assert_eq!(pair.novice.view_started(), Ok(()));
    assert_eq!(pair.novice.view_started(), Err(Misuse::NotAsked));
    assert_eq!(pair.novice.refuse_view(), Err(Misuse::NotAsked));
    assert!(pair.novice.is_established());
    assert_eq!(pair.novice.chat().send("hello"), Ok(()));
    pair.novice.close();
    assert_eq!(pair.novice.chat().send("hello"), Err(Misuse::Closed));
    assert_eq!(pair.novice.start(Time(0)), Err(Misuse::Closed));
}

#[test]
fn a_screen_that_cannot_be_shared() {
    let mut pair = Pair::with(&pair::first(), Layout::Dynamic);
    pair.agree = false;
    pair.settle();
    pair.novice.allow_view().unwrap();
    pair.novice.view_failed().unwrap();
    let code = ErrorCode::SHADOW_END_UNKNOWN;
    assert_eq!(ends(pair), (Some(Reason::Refused(code)), Some(Reason::ViewRefused(code))));
}

#[test]
fn nothing_but_the_handshake_is_taken_before_the_session_is_established() {
    let mut pair = Pair::with(&pair::second(), Layout::Dynamic);
    pair.agree = false;
    pair.settle();
    pair.events(Role::Novice);
    pair.inject(Role::Novice, Channel::Chat, b"h\0i\0\0\0");
    pair.inject(Role::Novice, Channel::Encomsp, &[9, 0, 10, 0, 3, 0, 1, 0, 0, 0]);
    let command = "<RCCOMMAND NAME=\"REMOTECTRLEND\"/>\0".encode_utf16().flat_map(u16::to_le_bytes);
    pair.inject(Role::Novice, Channel::Commands, &command.collect::<Vec<_>>());
    pair.settle();
    let ignored: Vec<_> = pair
        .events(Role::Novice)
        .iter()
        .map(|e| if let Event::Ignored(i) = e { (i.channel, i.why) } else { panic!("{e:?}") })
        .collect();
    let expected = [Channel::Chat, Channel::Encomsp, Channel::Commands].map(|c| (c, Why::NotEstablished));
    assert_eq!(ignored, expected);
}

#[test]
fn no_secret_in_debug() {
    for credentials in [pair::first(), pair::second(), pair::third()] {
        let mut pair = Pair::with(&credentials, Layout::Dynamic);
        pair.settle();
        let shown = format!("{:?} {:?} {credentials:?}", pair.expert, pair.novice);
        for secret in [PASSWORD, PASS_STUB, pair::EASY_PASSWORD, "ULZ6"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[test]
fn a_clock_that_steps_back_stands_still() {
    let mut pair = Pair::established(&pair::first(), Layout::Dynamic);
    pair.advance(Duration::from_secs(100));
    pair.events(Role::Novice);
    pair.expert.handle(Time(0), Input::Tick);
    pair.expert.chat().send("at second 100").unwrap();
    pair.settle();
    pair.advance(Duration::from_secs(29));
    let events = pair.events(Role::Novice);
    assert!(!events.contains(&Event::Alive), "the connection is not idle yet: {events:?}");
}

#[test]
fn only_the_static_channel_carries_what_is_named_for_another() {
    for layout in Layout::ALL {
        let mut pair = Pair::established(&pair::second(), layout);
        pair.events(Role::Novice);
        let packet = Packet::payload(ra_channel::ChannelName::Chat, &b"h\0i\0\0\0"[..]).to_vec().unwrap();
        pair.inject(Role::Novice, Channel::Control, &packet);
        pair.settle();
        let events = pair.events(Role::Novice);
        assert!(matches!(&events[..], [Event::Ignored(i)] if i.why == Why::WrongChannel), "{events:?}");
        pair.inject(Role::Novice, Channel::Remdesk, &packet);
        pair.settle();
        assert_eq!(pair.events(Role::Novice), [Event::Chat("hi".to_owned())]);
    }
}

#[test]
fn authenticate_alone_proves_nothing() {
    let expert = Expert::new(Time(0), pair::configs(&pair::first()).0, ServerKey::Match).unwrap();
    let info = expert.client_info();
    let mut pair = Pair::joined(
        expert,
        Novice::new(Time(0), pair::configs(&pair::first()).1, Attempts::new(1)).unwrap(),
        Layout::Dynamic,
    );
    pair.novice.client_info(info);
    // The expert's VERSIONINFO never comes.
    pair.damage = Some(Box::new(|from, flight| match &flight {
        Flight::Data(_, bytes) if from == Role::Expert && bytes.len() == 34 => Vec::new(),
        _ => vec![flight],
    }));
    pair.settle();
    assert!(!pair.events(Role::Novice).contains(&Event::Verified));
    pair.inject(Role::Novice, Channel::Control, &control(Control::VersionInfo { major: 1, minor: 9 }));
    pair.settle();
    let reason = Reason::IncompatibleVersion { major: 1, minor: 9 };
    assert_eq!(closed(&pair.events(Role::Novice)), Some(reason));
}
