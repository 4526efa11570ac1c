//! The player: what it plays, in which order, and what becomes of a message that it does not.

use std::borrow::Cow;
use std::time::Duration;

use comqc_format::{GLOBAL_PARTITION, IID_IDISPATCH, Recording, SecurityData, Style, Writer, rule_of};
use comqc_session::{
    AfterFailure, Argument, AuthenticatedSender, CallError, Claims, Component, DeadReason, Direction,
    Interface, Method, MethodKind, ObjectCodecs, Parameter, Playback, PlaybackKind, PlayedCall, Player,
    PlayerOptions, Received, Recorder, RecorderOptions, Refused, RetryScheme, SecurityPolicy, Type, Verdict,
};
use expect_test::expect;
use ndr_oaut::{Bstr, InterfacePointer, Scalar, VarType, Variant};
use remassist_core::{Decode as _, DecodeOptions, Policy};
use testkit::queued::{IOTHER, ISHIP, SHIP, chain, claim, messages, of, received, sid, vector};
use testkit::vectors;
use uuid::{Uuid, uuid};

const EXTENSION: [u8; 16] = *b"\xfb\xbc\x64\x16\x51\x17\xd2\x11\xb5\x8e\x00\xe0\x29\x0e\x6c\x31";
const BOX: Uuid = uuid!("00000000-0000-0000-0000-0000000000b0");

fn player(options: PlayerOptions) -> Player<&'static str> {
    let mut player = Player::new(options);
    player.register(None, SHIP, "ship");
    player
}

fn default_player() -> Player<&'static str> {
    player(PlayerOptions::default())
}

/// A message of calls with one number each, all to method 3 of IShip.
fn numbers(count: i32) -> Received {
    let mut recorder = Recorder::new(SHIP, RecorderOptions::default());
    for number in 0..count {
        recorder.call(ISHIP, 3, number).unwrap();
    }
    of(recorder.finish().unwrap().unwrap())
}

/// Plays all calls and returns their numbers.
fn play(playback: Playback<'_, '_, &str>) -> (Vec<i32>, Verdict) {
    let mut seen = Vec::new();
    let component = |call: &PlayedCall<'_>| {
        seen.push(call.params::<i32>()?);
        Ok(())
    };
    match playback.play(&mut { component }) {
        AfterFailure::Settle(verdict) => (seen, verdict),
        AfterFailure::FinalRetry(_) => panic!("nothing has failed"),
    }
}

fn dead(result: Result<Playback<'_, '_, &str>, Verdict>) -> (DeadReason, String) {
    match result {
        Err(Verdict::Dead(reason, text)) => (reason, text.into_owned()),
        other => panic!("{other:?}"),
    }
}

fn failed(received: &Received, player: &Player<&str>) -> Verdict {
    let mut playback = player.begin(received).unwrap();
    playback.next_call().unwrap();
    match playback.failed("no room") {
        AfterFailure::Settle(verdict) => verdict,
        AfterFailure::FinalRetry(_) => panic!("there is no exception class"),
    }
}

#[test]
fn every_valid_message_is_played_in_order() {
    let player = default_player();
    for case in messages("valid") {
        let (name, received) = (&case["name"], vector(&case));
        let recording = Recording::decode(&received.message.body, &DecodeOptions::STRICT).unwrap();
        let mut playback = player.begin(&received).unwrap_or_else(|verdict| panic!("{name}: {verdict:?}"));
        assert_eq!((playback.kind(), playback.len()), (PlaybackKind::Normal, recording.calls.len()));
        assert_eq!((*playback.target(), playback.target_id()), ("ship", SHIP));
        assert_eq!(playback.received().id, received.id);
        for (index, expected) in recording.calls.iter().enumerate() {
            let call = playback.next_call().unwrap();
            assert_eq!((call.number, call.interface_id), (index + 1, expected.interface_id), "{name}");
            assert_eq!((call.method_number, call.data), (expected.method_number, &*expected.data), "{name}");
            assert_eq!(Some(&call.claims()), recording.security(expected), "{name}");
            assert_eq!(call.is_dispatch(), call.interface_id == IID_IDISPATCH);
            assert_eq!(call.invoke().is_ok(), call.is_dispatch(), "{name}");
        }
        assert!(playback.next_call().is_none());
        assert_eq!(playback.done(), Verdict::Done, "{name}");
    }
}

#[test]
fn every_invalid_message_goes_to_the_dead_queue_at_once_and_says_why() {
    let player = default_player();
    for case in messages("invalid") {
        let (reason, text) = dead(player.begin(&vector(&case)));
        let rule = case["rule"].as_str().unwrap();
        let expected =
            if rule == "EXTENSION" { DeadReason::NotQueuedComponent } else { DeadReason::Malformed };
        assert_eq!(reason, expected, "{}", case["name"]);
        assert!(text.contains(&format!("{rule}: ")), "{}: {text}", case["name"]);
    }
}

#[test]
fn a_tolerant_player_plays_what_leaves_the_meaning_clear() {
    let tolerant = player(PlayerOptions { format: Policy::Tolerant, ..Default::default() });
    for case in messages("invalid") {
        let received = vector(&case);
        let accepts = case["tolerant"].as_str().unwrap().starts_with("accept");
        assert_eq!(tolerant.begin(&received).is_ok(), accepts, "{}", case["name"]);
    }
}

#[test]
fn ambiguous_messages_are_read_as_listed() {
    let player = default_player();
    for case in messages("ambiguous").iter().filter(|case| case["length"] != 0) {
        let received = vector(case);
        let result = player.begin(&received);
        match (case["name"].as_str().unwrap(), case["strict"].as_str().unwrap()) {
            ("smth_after_method_number_0", _) => {
                let (reason, text) = dead(result);
                assert_eq!(reason, DeadReason::Malformed);
                expect!["call 1, method 0 of {3f2504e0-4f89-11d3-9a0c-0305e82c3301}: methods of IUnknown cannot be recorded"].assert_eq(&text);
            }
            (_, verdict) if verdict.starts_with("reject") => {
                assert_eq!(dead(result).0, DeadReason::Malformed)
            }
            (_, verdict) => {
                assert!(verdict.starts_with("accept"), "{verdict}");
                assert!(result.is_ok(), "{result:?}");
            }
        }
    }
}

/// [MC-COMQC] 3.1.5: Extension, format, target, security.
#[test]
fn the_checks_come_in_their_order() {
    struct Nobody;
    impl SecurityPolicy for Nobody {
        fn check(&self, _: &Claims<'_>) -> Result<(), Refused> {
            Err(Refused("nobody may".into()))
        }
    }
    let strict = || PlayerOptions { policy: Box::new(Nobody), ..Default::default() };
    let (stranger, known) = (Player::<&str>::new(strict()), player(strict()));
    let good = numbers(1);
    let no_format = received(&EXTENSION, b"CHDR");
    let nothing = received(&[], b"CHDR");
    assert_eq!(dead(stranger.begin(&nothing)).0, DeadReason::NotQueuedComponent);
    assert_eq!(dead(stranger.begin(&no_format)).0, DeadReason::Malformed);
    assert_eq!(
        dead(stranger.begin(&good)),
        (DeadReason::UnknownTarget, "nobody has registered {812df40e-bd88-11d0-8a6d-00c04fc340ee}".into())
    );
    assert_eq!(dead(known.begin(&good)), (DeadReason::Security, "nobody may".into()));
    let abandoned = Received { abandoned: 11, ..nothing };
    assert_eq!(dead(stranger.begin(&abandoned)).0, DeadReason::Abandoned);
}

#[test]
fn a_component_plays_the_calls_and_the_message_is_done() {
    let (numbers, player) = (numbers(5), default_player());
    assert_eq!(play(player.begin(&numbers).unwrap()), (vec![0, 1, 2, 3, 4], Verdict::Done));
}

#[test]
fn a_message_is_not_done_before_all_calls_were_taken() {
    let (received, player) = (numbers(3), default_player());
    let mut playback = player.begin(&received).unwrap();
    playback.next_call().unwrap();
    playback.next_call().unwrap();
    assert_eq!(playback.done(), Verdict::Again("only 2 of 3 calls were played".into()));
    let last = Received { failures: 2, round: 5, ..received };
    let text = Cow::Borrowed("only 0 of 3 calls were played");
    assert_eq!(player.begin(&last).unwrap().done(), Verdict::Dead(DeadReason::Exhausted, text));
}

/// Three tries, five retry queues with 1, 2, 4, 8 and 16 minutes, then the dead queue.
#[test]
fn a_poison_message_walks_through_the_retry_queues() {
    let player = default_player();
    let mut message = numbers(1);
    let error = "call 1 of 1, method 3 of {3f2504e0-4f89-11d3-9a0c-0305e82c3301}: no room";
    let (mut tries, mut waits) = (0, Vec::new());
    loop {
        tries += 1;
        match failed(&message, &player) {
            Verdict::Again(text) => {
                assert_eq!(text, error);
                message.failures += 1;
            }
            Verdict::Retry { queue, wait, error: text } => {
                assert_eq!((queue, &*text), (message.round, error));
                waits.push(wait.as_secs() / 60);
                (message.round, message.failures) = (queue + 1, 0);
            }
            verdict => {
                assert_eq!(verdict, Verdict::Dead(DeadReason::Exhausted, error.into()));
                break;
            }
        }
    }
    assert_eq!((tries, waits), (18, vec![1, 2, 4, 8, 16]));
}

#[test]
fn a_scheme_of_another_making_is_obeyed() {
    let waits = vec![Duration::from_secs(5)];
    let scheme = RetryScheme { tries: 0, waits, abandoned: 0 };
    let player = player(PlayerOptions { scheme, ..Default::default() });
    let first = numbers(1);
    assert!(matches!(failed(&first, &player), Verdict::Retry { queue: 0, .. }));
    let second = Received { round: 1, ..first.clone() };
    assert!(matches!(failed(&second, &player), Verdict::Dead(DeadReason::Exhausted, _)));
    let many = RetryScheme { waits: vec![Duration::ZERO; 300], ..RetryScheme::ONCE };
    assert!(many.after_failure(&Received { round: 254, ..first.clone() }, "".into()).is_some());
    assert!(many.after_failure(&Received { round: 255, ..first.clone() }, "".into()).is_none());
    let abandoned = Received { abandoned: 1, ..first };
    assert_eq!(
        dead(player.begin(&abandoned)),
        (DeadReason::Abandoned, "1 players ended while they had the message".into())
    );
}

#[test]
fn the_exception_class_gets_the_message_once_after_the_last_try() {
    let mut player = default_player();
    player.register_exception(None, SHIP, "exception");
    let last = Received { failures: 2, round: 5, ..numbers(2) };
    let begin = || {
        let mut playback = player.begin(&last).unwrap();
        playback.next_call().unwrap();
        playback.next_call().unwrap();
        match playback.failed("no room") {
            AfterFailure::FinalRetry(playback) => playback,
            other => panic!("{other:?}"),
        }
    };
    let retry = begin();
    assert_eq!(
        (*retry.target(), retry.kind(), retry.len()),
        ("exception", PlaybackKind::FinalServerRetry, 2)
    );
    assert_eq!(play(retry), (vec![0, 1], Verdict::Done));
    let AfterFailure::Settle(verdict) = begin().failed("not here either") else { panic!() };
    let text = "before the first call: not here either";
    assert_eq!(verdict, Verdict::Dead(DeadReason::Exhausted, text.into()));
    assert!(matches!(begin().done(), Verdict::Dead(DeadReason::Exhausted, _)));
}

#[test]
fn a_message_that_came_back_to_its_sender_goes_to_the_exception_class() {
    let mut player = default_player();
    let message = numbers(1);
    let (reason, text) = dead(player.begin_client_retry(&message));
    assert_eq!(reason, DeadReason::UnknownTarget);
    expect!["nobody has registered an exception class of {812df40e-bd88-11d0-8a6d-00c04fc340ee}"]
        .assert_eq(&text);
    player.register_exception(None, SHIP, "exception");
    let playback = player.begin_client_retry(&message).unwrap();
    assert_eq!((*playback.target(), playback.kind()), ("exception", PlaybackKind::FinalClientRetry));
    assert!(matches!(playback.failed(""), AfterFailure::Settle(Verdict::Dead(DeadReason::Exhausted, _))));
    assert_eq!(play(player.begin_client_retry(&message).unwrap()).1, Verdict::Done);
}

#[test]
fn targets_are_found_by_partition_and_class() {
    let own = Uuid::from_u128(5);
    let find = |registered: &[(Option<Uuid>, &'static str)], partition: Option<Uuid>| {
        let mut player = Player::new(PlayerOptions::default());
        for (partition, target) in registered {
            player.register(*partition, SHIP, *target);
        }
        let recorder = Recorder::new(SHIP, RecorderOptions::default());
        let mut recorder = match partition {
            Some(partition) => recorder.in_partition(partition),
            None => recorder,
        };
        recorder.call(ISHIP, 3, 1).unwrap();
        let received = of(recorder.finish().unwrap().unwrap());
        player.begin(&received).map(|playback| {
            assert_eq!(playback.partition(), partition);
            *playback.target()
        })
    };
    let all = [(None, "any"), (Some(GLOBAL_PARTITION), "global"), (Some(own), "own")];
    assert_eq!(find(&all, Some(own)).unwrap(), "own");
    for global in [None, Some(Uuid::nil()), Some(GLOBAL_PARTITION)] {
        assert_eq!(find(&all, global).unwrap(), "global");
        assert_eq!(find(&all[..1], global).unwrap(), "any");
        assert!(find(&all[2..], global).is_err());
    }
    assert_eq!(find(&all[..2], Some(own)).unwrap(), "any");
    assert_eq!(find(&[(Some(Uuid::nil()), "nil")], Some(own)).unwrap(), "nil");
    let (reason, text) = match find(&all[1..2], Some(own)) {
        Err(Verdict::Dead(reason, text)) => (reason, text),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason, DeadReason::UnknownTarget);
    assert!(text.ends_with("in the partition {00000000-0000-0000-0000-000000000005}"), "{text}");
}

/// A message of one call for each context, and who has sent it.
fn from(contexts: &[SecurityData<'static>], user: Option<u32>, authenticated: bool) -> Received {
    let mut recorder = Recorder::new(SHIP, RecorderOptions::default());
    for context in contexts {
        recorder.set_authenticated_security(context.clone()).unwrap();
        recorder.call(ISHIP, 3, 1).unwrap();
    }
    let mut received = of(recorder.finish().unwrap().unwrap());
    received.sender.sid = user.map(sid);
    received.sender.authenticated = authenticated;
    received
}

#[test]
fn authentication_is_what_the_transport_proves_and_every_claim_agrees_with() {
    let strict =
        player(PlayerOptions { policy: Box::new(AuthenticatedSender::default()), ..Default::default() });
    let lenient = AuthenticatedSender { allow_no_caller: true };
    let lenient = player(PlayerOptions { policy: Box::new(lenient), ..Default::default() });
    let name_only = SecurityData::new(
        comqc_format::AuthenticationLevel(1),
        vec![comqc_format::Property::account_name("alice")],
    );
    let append = SecurityData { style: Style::APPEND, collections: Vec::new() };
    // Contexts, sender, whether it is authenticated, and who plays it.
    type Case<'a> = (&'a [SecurityData<'static>], Option<u32>, bool, bool, bool);
    let cases: [Case<'_>; 9] = [
        (&[claim(1107)], Some(1107), true, true, true),
        (&[claim(1107)], Some(1107), false, false, false),
        (&[claim(1107)], None, true, false, false),
        (&[claim(1107)], Some(1108), true, false, false),
        (&[claim(1107), claim(1108)], Some(1107), true, false, false),
        (&[claim(1107), SecurityData::EMPTY], Some(1107), true, false, true),
        (&[append], Some(1107), true, false, true),
        (&[chain()], Some(1107), true, false, false),
        (&[name_only], Some(1107), true, false, false),
    ];
    for (contexts, user, authenticated, by_strict, by_lenient) in cases {
        let message = from(contexts, user, authenticated);
        assert_eq!(strict.begin(&message).is_ok(), by_strict, "{contexts:?} {user:?} {authenticated}");
        assert_eq!(lenient.begin(&message).is_ok(), by_lenient, "{contexts:?} {user:?} {authenticated}");
        assert!(default_player().begin(&message).is_ok());
    }
    let (reason, text) = dead(strict.begin(&from(&[claim(1107)], Some(1107), false)));
    assert_eq!((reason, &*text), (DeadReason::Security, "the transport has not authenticated the sender"));
}

#[test]
fn a_policy_sees_every_context_and_every_caller() {
    struct Look;
    impl SecurityPolicy for Look {
        fn check(&self, claims: &Claims<'_>) -> Result<(), Refused> {
            assert_eq!((claims.target_id, claims.partition), (SHIP, None));
            assert_eq!(claims.contexts, [claim(1107), chain()]);
            assert_eq!(claims.contexts[1].callers().count(), 2);
            Err(Refused(claims.sender.description.clone().into()))
        }
    }
    let player = player(PlayerOptions { policy: Box::new(Look), ..Default::default() });
    let mut message = from(&[claim(1107), chain(), claim(1107)], None, false);
    message.sender.description = "amqp user ship".into();
    assert_eq!(dead(player.begin(&message)), (DeadReason::Security, "amqp user ship".into()));
}

#[test]
fn a_failure_tells_call_method_and_the_words_of_the_component() {
    let load = Method {
        name: "Load".into(),
        number: Some(3),
        parameters: vec![Parameter::new("tons", Type::scalar(VarType::I4).unwrap())],
        ..Default::default()
    };
    let ship = Interface::new(ISHIP, "IShip", false, vec![load]).unwrap();
    let player = player(PlayerOptions { interfaces: vec![ship], ..Default::default() });
    let received = numbers(3);
    struct Full;
    impl Component for Full {
        fn call(&mut self, call: &PlayedCall<'_>) -> Result<(), CallError> {
            if call.params::<i32>()? == 1 { Err("the hold is full".into()) } else { Ok(()) }
        }
    }
    let AfterFailure::Settle(Verdict::Again(text)) = player.begin(&received).unwrap().play(&mut Full) else {
        panic!()
    };
    expect!["call 2 of 3, IShip.Load (method 3 of {3f2504e0-4f89-11d3-9a0c-0305e82c3301}): the hold is full"]
        .assert_eq(&text);
    // A component cannot fill the queue with its words.
    let long = "ö".repeat(100_000);
    let AfterFailure::Settle(Verdict::Again(text)) = player.begin(&received).unwrap().failed(long) else {
        panic!()
    };
    assert!(text.len() <= 2048 && text.ends_with('ö'), "{}", text.len());
}

fn boxes() -> ObjectCodecs {
    let mut objects = ObjectCodecs::default();
    objects.register::<String>(
        BOX,
        |text| Ok(text.clone().into_bytes()),
        |data| String::from_utf8(data.to_vec()).map_err(|error| error.to_string()),
    );
    objects
}

/// A message with an object in a call on `IDispatch`, and in one in NDR.
fn with_object(nested: bool) -> [Received; 2] {
    let options = RecorderOptions { objects: boxes(), ..Default::default() };
    let mut by_name = Recorder::new(SHIP, options.clone());
    let pointer = by_name.object(&String::from("a box")).unwrap();
    let mut value = Variant::Unknown(Some(pointer.clone()));
    if nested {
        let inside = ndr_oaut::Elements::Variant(vec![None, Some(value)]);
        let array = ndr_oaut::SafeArray::new(VarType::VARIANT, inside);
        let array = Some(ndr_oaut::PSafeArray { safearray: Some(Box::new(array)) });
        value = Variant::Array { vt: VarType::VARIANT, array };
    }
    by_name.invoke(1, MethodKind::Method, vec![Argument::by_ref(value)], vec![]).unwrap();
    let mut by_number = Recorder::new(SHIP, options);
    by_number.call(ISHIP, 8, Some(pointer)).unwrap();
    [by_name, by_number].map(|recorder| of(recorder.finish().unwrap().unwrap()))
}

fn take() -> Interface {
    let take = Method {
        name: "Take".into(),
        number: Some(8),
        parameters: vec![Parameter::new("what", Type::Unknown)],
        ..Default::default()
    };
    Interface::new(ISHIP, "IShip", false, vec![take]).unwrap()
}

#[test]
fn objects_of_unknown_classes_are_dead_before_a_call_is_played() {
    for nested in [false, true] {
        let [by_name, by_number] = with_object(nested);
        let strange = player(PlayerOptions { interfaces: vec![take()], ..Default::default() });
        let (reason, text) = dead(strange.begin(&by_name));
        assert_eq!(reason, DeadReason::UnknownObject);
        expect!["call 1, DISPID 1 of IDispatch: class {00000000-0000-0000-0000-0000000000b0} is not registered for objects in arguments"].assert_eq(&text);
        assert_eq!(dead(strange.begin(&by_number)).0, DeadReason::UnknownObject);
        // Without a table nobody can know; the component finds out.
        let untold = default_player();
        let call = untold.begin(&by_number).unwrap().next_call().unwrap();
        let pointer: Option<InterfacePointer<'_>> = call.params().unwrap();
        assert!(call.object(&pointer.unwrap()).is_err());
    }
}

#[test]
fn objects_of_registered_classes_are_made_again() {
    let [by_name, by_number] = with_object(false);
    let player = player(PlayerOptions { objects: boxes(), interfaces: vec![take()], ..Default::default() });
    let call = player.begin(&by_name).unwrap().next_call().unwrap();
    let Some(Some(Variant::UnknownRef(Some(pointer)))) = call.invoke().unwrap().var_ref.into_iter().next()
    else {
        panic!()
    };
    assert_eq!(call.object_as::<String>(&pointer).unwrap(), "a box");
    assert_eq!(call.object(&pointer).unwrap().downcast_ref::<String>().unwrap(), "a box");
    expect!["an object of class {00000000-0000-0000-0000-0000000000b0} is no u8"]
        .assert_eq(&call.object_as::<u8>(&pointer).unwrap_err().to_string());
    let table = take();
    let call = player.begin(&by_number).unwrap().next_call().unwrap();
    let named = call.named(&table).unwrap();
    assert_eq!((named.interface.name(), &*named.method.name), ("IShip", "Take"));
    let Some(Variant::Unknown(Some(pointer))) = named.argument("WHAT") else { panic!() };
    assert_eq!(call.object_as::<String>(pointer).unwrap(), "a box");
}

#[test]
fn what_stands_for_an_object_and_is_none_is_malformed() {
    let mut recorder = Recorder::new(SHIP, RecorderOptions::default());
    recorder.call(ISHIP, 8, Some(InterfacePointer { objref: b"MEOW".to_vec().into() })).unwrap();
    let received = of(recorder.finish().unwrap().unwrap());
    let player = player(PlayerOptions { objects: boxes(), interfaces: vec![take()], ..Default::default() });
    let (reason, text) = dead(player.begin(&received));
    assert_eq!(reason, DeadReason::Malformed);
    assert!(text.starts_with("call 1, IShip.Take (method 8 of {3f2504e0-4f89-11d3-9a0c-0305e82c3301}): not an object by value: "), "{text}");
}

#[test]
fn calls_that_cannot_have_been_recorded_are_malformed() {
    let dual = Method { name: "Load".into(), number: Some(7), dispid: Some(1), ..Default::default() };
    let dual = Interface::new(ISHIP, "IShip", true, vec![dual]).unwrap();
    let in_out = Method {
        name: "Swap".into(),
        number: Some(3),
        dispid: Some(2),
        parameters: vec![Parameter { direction: Direction::InOut, ..Parameter::new("x", Type::Bstr) }],
        ..Default::default()
    };
    let other = Interface::new(IOTHER, "IOther", false, vec![in_out]).unwrap();
    let player = player(PlayerOptions { interfaces: vec![dual, other], ..Default::default() });
    let one = |interface, method, data: &[u8]| {
        let mut recording = Recording::new(SHIP);
        let context = recording.add_context(SecurityData::EMPTY);
        recording.add_call(context, interface, method, data.to_vec());
        let body = Writer::default().to_vec(&recording).unwrap();
        player.begin(&received(&EXTENSION, &body)).map(drop)
    };
    for (interface, method, data, why) in [
        (ISHIP, 2, &b""[..], "methods of IUnknown cannot be recorded"),
        (ISHIP, 6, b"", "methods of IDispatch are not called under the IID of a dual interface"),
        (IID_IDISPATCH, 5, b"", "of IDispatch only Invoke can be recorded"),
        (IID_IDISPATCH, 6, b"abc", "need 4 bytes, 3 left"),
        (IOTHER, 3, b"", "parameter x is [in, out], which only calls on IDispatch can have"),
    ] {
        match one(interface, method, data) {
            Err(Verdict::Dead(DeadReason::Malformed, text)) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    // What no table knows of is for the component.
    assert_eq!(one(ISHIP, 9, b""), Ok(()));
}

#[test]
fn named_calls_are_the_same_in_both_formats() {
    let long = Type::scalar(VarType::I4).unwrap();
    let move_to = Method {
        name: "MoveTo".into(),
        number: Some(9),
        dispid: Some(5),
        parameters: vec![Parameter::new("x", long), Parameter::new("port", Type::Bstr)],
        ..Default::default()
    };
    let table = Interface::new(ISHIP, "IShip", true, vec![move_to]).unwrap();
    let arguments = [Variant::Scalar(Scalar::I4(1111)), Variant::Bstr(Some(Bstr::new("Ipswich")))];
    let mut recorder = Recorder::new(SHIP, RecorderOptions::default());
    recorder.call_method(&table, "moveto", &arguments).unwrap();
    recorder.invoke_method(&table, "MOVETO", MethodKind::Method, arguments.to_vec(), vec![]).unwrap();
    let [x, port] = arguments.clone();
    recorder
        .invoke_method(&table, "MoveTo", MethodKind::Method, vec![], vec![("port", port), ("X", x)])
        .unwrap();
    let received = of(recorder.finish().unwrap().unwrap());
    let player = default_player();
    let mut playback = player.begin(&received).unwrap();
    while let Some(call) = playback.next_call() {
        let named = call.named(&table).unwrap();
        assert_eq!((&*named.method.name, &named.arguments[..]), ("MoveTo", &arguments[..]));
    }
    let stranger = Interface::new(IOTHER, "IOther", false, vec![]).unwrap();
    let mut playback = player.begin(&received).unwrap();
    let call = playback.next_call().unwrap();
    let error = call.named(&stranger).unwrap_err().to_string();
    expect!["IOther has no interface {3f2504e0-4f89-11d3-9a0c-0305e82c3301}"].assert_eq(&error);
    let error = playback.next_call().unwrap().named(&stranger).unwrap_err().to_string();
    expect!["IOther has no DISPID 5"].assert_eq(&error);
}

#[test]
fn limits_are_kept() {
    let limited = |options| player(options).begin(&numbers(3)).map(drop);
    let message = numbers(3);
    let size = message.message.body.len();
    let cases = [
        (PlayerOptions { max_body: size - 1, ..Default::default() }, "bytes, more than"),
        (PlayerOptions { max_calls: 2, ..Default::default() }, "more than 2 calls"),
    ];
    for (options, why) in cases {
        match limited(options) {
            Err(Verdict::Dead(DeadReason::Malformed, text)) => assert!(text.contains(why), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    limited(PlayerOptions { max_body: size, max_calls: 3, ..Default::default() }).unwrap();
    let options = || PlayerOptions { max_collections: 2, ..Default::default() };
    assert!(player(options()).begin(&from(&[claim(1107)], None, false)).is_ok());
    let three = from(&[claim(1107), chain()], None, false);
    let player = player(options());
    assert_eq!(dead(player.begin(&three)).1, "more than 2 collections of security properties");
}

#[test]
fn hostile_messages_do_not_stop_a_player() {
    let player = default_player();
    // 10,001 calls.
    let many = RecorderOptions { max_calls: 10_001, ..Default::default() };
    let mut recorder = Recorder::new(SHIP, many);
    for _ in 0..10_001 {
        recorder.call_marshaled(ISHIP, 3, b"".to_vec()).unwrap();
    }
    let message = of(recorder.finish().unwrap().unwrap());
    assert_eq!(dead(player.begin(&message)), (DeadReason::Malformed, "more than 10000 calls".into()));
    // 4 MiB of the smallest headers, and of security headers that all differ.
    let one = numbers(1).message.body;
    let (container, rest) = one.split_at(200);
    let (security, method) = rest.split_at(24);
    let fill = |header: &[u8]| {
        let mut body = container.to_vec();
        body.extend_from_slice(rest);
        while body.len() + header.len() <= Writer::MAX_SIZE {
            body.extend_from_slice(header);
        }
        let size = u32::try_from(body.len()).unwrap().to_le_bytes();
        body[32..36].copy_from_slice(&size);
        received(&EXTENSION, &body)
    };
    assert_eq!(dead(player.begin(&fill(method))).1, "more than 10000 calls");
    assert_eq!(dead(player.begin(&fill(security))).0, DeadReason::Malformed);
    assert_eq!(dead(player.begin(&fill(&[security, method].concat()))).1, "more than 10000 calls");
    assert_eq!(dead(player.begin(&fill(&[0; 8]))).0, DeadReason::Malformed);
    // References to references, to themselves, in a circle.
    for target in [0_u32, 224, 272, 280, 288, 304, u32::MAX] {
        let mut reference = b"SECR\x10\0\0\0".to_vec();
        reference.extend_from_slice(&target.to_le_bytes());
        reference.extend_from_slice(&[0; 4]);
        reference.extend_from_slice(method);
        assert_eq!(dead(player.begin(&fill(&reference))).0, DeadReason::Malformed, "{target}");
    }
    // A VARIANT in a VARIANT in a VARIANT.
    let mut value = Variant::Empty;
    for _ in 0..40 {
        value = Variant::VariantRef(Some(Box::new(value)));
    }
    let invocation = comqc_session::Invocation {
        member: 1,
        kind: MethodKind::Method,
        lcid: 0,
        positional: vec![Argument::by_ref(value)],
        named: vec![],
    };
    let data = remassist_core::Encode::to_vec(&ndr_oaut::Stub::new(invocation.into_request())).unwrap();
    let mut recording = Recording::new(SHIP);
    let context = recording.add_context(SecurityData::EMPTY);
    recording.add_call(context, IID_IDISPATCH, 6, data);
    let body = Writer::default().to_vec(&recording).unwrap();
    let (reason, text) = dead(player.begin(&received(&EXTENSION, &body)));
    assert_eq!(reason, DeadReason::Malformed);
    assert!(text.contains("limit of 16 (depth)"), "{text}");
}

#[test]
fn damaged_messages_get_a_verdict() {
    let options = || PlayerOptions { interfaces: vec![take()], objects: boxes(), ..Default::default() };
    let (strict, tolerant) =
        (player(options()), player(PlayerOptions { format: Policy::Tolerant, ..options() }));
    let mut bodies: Vec<_> = messages("valid").iter().map(|case| vectors::hex(&case["hex"])).collect();
    bodies.extend(with_object(true).map(|received| received.message.body.to_vec()));
    let mut played = 0;
    for body in bodies {
        for damaged in testkit::damage::all::<comqc_format::Message<'_>>(&body) {
            let received = received(&EXTENSION, &damaged);
            for player in [&strict, &tolerant] {
                let Ok(mut playback) = player.begin(&received) else { continue };
                for _ in 0..playback.len() {
                    let call = playback.next_call().unwrap();
                    let _ = (call.claims(), call.invoke(), call.named(&take()).is_ok());
                }
                assert_eq!(playback.done(), Verdict::Done);
                played += 1;
            }
            let good = comqc_format::Message::decode_strict(&damaged);
            if let Err(error) = good {
                let (reason, text) = dead(strict.begin(&received));
                assert_eq!(reason, DeadReason::Malformed);
                assert!(rule_of(error.kind()).is_none_or(|rule| text.contains(rule)), "{error}: {text}");
            }
        }
    }
    assert!(played > 1000, "{played}");
}

#[test]
fn what_is_shown_of_a_call_does_not_hold_its_parameters() {
    let (received, player) = (numbers(1), default_player());
    let mut playback = player.begin(&received).unwrap();
    let call = playback.next_call().unwrap();
    expect!["PlayedCall { number: 1, interface_id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301, method_number: 3, data: \"4 bytes\", .. }"].assert_eq(&format!("{call:?}"));
}

#[test]
fn reasons_have_one_name_everywhere() {
    for reason in DeadReason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        assert_eq!(
            (reason.to_string(), DeadReason::from_name(reason.name())),
            (reason.name().into(), Some(*reason))
        );
    }
}
