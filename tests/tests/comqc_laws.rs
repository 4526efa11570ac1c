//! Laws over generated messages, and what the writer does.

use comqc_format::{
    AuthenticationLevel, AuthenticationService, CollectionType, Container, Header, ImpersonationLevel,
    Message, Method, Property, PropertyType, Reader, RecordedCall, Recording, SecurityData, Sid, Style,
    TargetForm, Writer, rule_of,
};
use expect_test::expect;
use proptest::prelude::*;
use remassist_core::{Blob, Decode, DecodeErrorKind, DecodeOptions, Encode, EncodeError, Limits};
use testkit::laws;
use uuid::{Uuid, uuid};

const TARGET: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const IID: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

fn sid() -> impl Strategy<Value = Sid<'static>> {
    (0..1_u64 << 48, prop::collection::vec(any::<u32>(), 0..=15)).prop_map(|(authority, parts)| {
        let mut bytes = vec![1, parts.len() as u8];
        bytes.extend(&authority.to_be_bytes()[2..]);
        bytes.extend(parts.into_iter().flat_map(u32::to_le_bytes));
        Sid::new(bytes).unwrap()
    })
}

fn property() -> impl Strategy<Value = Property<'static>> {
    prop_oneof![
        (sid(), any::<bool>()).prop_map(|(sid, authenticated)| {
            let mut property = Property::sid(&sid);
            if authenticated {
                property.property_type = PropertyType::AUTHENTICATED_SID;
            }
            property
        }),
        "[^\0]{0,12}".prop_map(|name| Property::account_name(&name)),
        any::<u32>().prop_map(|n| Property::authentication_service(AuthenticationService(n))),
        any::<u32>().prop_map(|n| Property::authentication_level(AuthenticationLevel(n))),
        any::<u32>().prop_map(|n| Property::impersonation_level(ImpersonationLevel(n))),
    ]
}

fn security() -> impl Strategy<Value = SecurityData<'static>> {
    let callers = prop::collection::vec(prop::collection::vec(property(), 1..4), 0..3);
    (any::<bool>(), any::<u32>(), callers).prop_map(|(append, level, callers)| {
        let mut data = SecurityData::new(AuthenticationLevel(level), Vec::new());
        data.collections.truncate(1);
        data.collections.extend(callers.into_iter().map(|properties| comqc_format::Collection {
            collection_type: CollectionType::CALLER,
            properties,
        }));
        if !append {
            data.style = Style::DO_NOT_APPEND;
        }
        data
    })
}

fn recording() -> impl Strategy<Value = Recording<'static>> {
    let call =
        (any::<prop::sample::Index>(), 0..3_u128, any::<u32>(), prop::collection::vec(any::<u8>(), 0..20));
    let contexts = prop::collection::vec(security(), 1..4);
    let partition = prop::option::of(any::<u128>().prop_map(Uuid::from_u128));
    (any::<u128>(), partition, contexts, prop::collection::vec(call, 1..8)).prop_map(
        |(target, partition, contexts, calls)| {
            let mut recording = Recording::new(Uuid::from_u128(target));
            recording.partition = partition;
            let len = contexts.len();
            recording.contexts = contexts;
            for (context, interface, number, data) in calls {
                recording.add_call(context.index(len), Uuid::from_u128(interface), number, data);
            }
            recording
        },
    )
}

fn writer() -> impl Strategy<Value = Writer> {
    let form = prop_oneof![Just(TargetForm::Braces), Just(TargetForm::Bare), Just(TargetForm::Empty)];
    (any::<[bool; 3]>(), form).prop_map(
        |([omit_repeated_security, references, short_methods], target_form)| Writer {
            omit_repeated_security,
            references,
            short_methods,
            target_form,
            ..Writer::default()
        },
    )
}

/// The same calls with the security of each in place of its number.
fn resolved<'r>(recording: &'r Recording<'_>) -> Vec<(RecordedCall<'r>, SecurityData<'r>)> {
    let resolve = |c: &RecordedCall<'_>| {
        (
            RecordedCall { context: 0, ..c.clone().into_owned() },
            recording.security(c).unwrap().clone().into_owned(),
        )
    };
    recording.calls.iter().map(resolve).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_keeps_all_rules_and_reads_the_same(recording in recording(), writer in writer()) {
        let bytes = writer.to_vec(&recording).unwrap();
        let message = Message::decode_strict(&bytes).unwrap();
        prop_assert_eq!(&message, &writer.message(&recording).unwrap());
        let read = Recording::decode(&bytes, &DecodeOptions::STRICT).unwrap();
        prop_assert_eq!(resolved(&read), resolved(&recording));
        prop_assert_eq!((read.target_id, read.partition), (recording.target_id, recording.partition));
        prop_assert_eq!(&read, &message.recording().unwrap());
        prop_assert_eq!(&message.clone().into_owned(), &message);
        prop_assert_eq!(&read.clone().into_owned(), &read);
        let text = serde_json::to_string(&recording).unwrap();
        prop_assert_eq!(serde_json::from_str::<Recording<'_>>(&text).unwrap(), recording);
        laws::json(&message);
        testkit::oracles::run("comqc_message", &bytes);
    }

    #[test]
    fn security_data_keep_the_laws(data in security()) {
        laws::value(&data);
        laws::json(&data);
        laws::truncations::<SecurityData<'_>>(&data.to_vec().unwrap());
        testkit::oracles::run("comqc_security", &data.to_vec().unwrap());
    }

    #[test]
    fn sids_have_a_text(sid in sid()) {
        prop_assert_eq!(sid.to_string().parse::<Sid<'_>>().unwrap(), sid.clone());
        let text = serde_json::to_string(&sid).unwrap();
        prop_assert_eq!(serde_json::from_str::<Sid<'_>>(&text).unwrap(), sid);
    }

    /// Any bytes in the place of headers: nothing panics, and the reader agrees with the message.
    #[test]
    fn any_bytes_are_survived(tail in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
        let mut bytes = Writer::default().to_vec(&small()).unwrap();
        bytes.truncate(cut.index(bytes.len()));
        bytes.extend(tail);
        if let Some(size) = bytes.get(32..36).map(|_| bytes.len() as u32) {
            bytes[32..36].copy_from_slice(&size.to_le_bytes());
        }
        testkit::oracles::run("comqc_message", &bytes);
        testkit::oracles::run("comqc_security", &bytes);
    }
}

fn small() -> Recording<'static> {
    let mut recording = Recording::new(TARGET);
    let alice = recording.add_context(SecurityData::EMPTY);
    let bob = recording.add_context(SecurityData::new(
        AuthenticationLevel::PRIVACY,
        vec![Property::sid(&"S-1-5-18".parse().unwrap()), Property::account_name("bob")],
    ));
    recording.add_call(alice, IID, 3, vec![7, 0, 0, 0]);
    recording.add_call(bob, IID, 4, vec![]);
    recording.add_call(alice, IID, 3, vec![9]);
    recording
}

/// Every damage to a message with all headers obeys the laws, and the reader agrees with the message on it.
#[test]
fn damaged_messages_keep_the_laws() {
    let mut recording = small();
    recording.partition = Some(comqc_format::GLOBAL_PARTITION);
    let message = Writer::default().message(&recording).unwrap().into_owned();
    laws::value(&message);
    let bytes: &'static [u8] = message.to_vec().unwrap().leak();
    for damaged in testkit::damage::all::<Message<'_>>(bytes) {
        testkit::oracles::run("comqc_message", &damaged);
    }
}

fn signatures(writer: Writer, recording: &Recording<'_>) -> String {
    let message = writer.message(recording).unwrap();
    message.headers.iter().map(|h| h.signature().name().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_optimization_can_be_switched_off() {
    let mut recording = small();
    recording.contexts.push(SecurityData::EMPTY);
    recording.add_call(2, IID, 5, vec![]);
    recording.add_call(0, TARGET, 5, vec![]);
    recording.add_call(0, TARGET, 5, vec![]);
    let on = Writer::OPTIMIZED;
    expect!["SECD METH SECD SMTH SECR SMTH SMTH METH SMTH"].assert_eq(&signatures(on, &recording));
    expect!["SECD METH SECD METH SECD METH SECD METH SECD METH SECD METH"]
        .assert_eq(&signatures(Writer::PLAIN, &recording));
    expect!["SECD METH SECD METH SECR METH METH METH METH"]
        .assert_eq(&signatures(Writer { short_methods: false, ..on }, &recording));
    expect!["SECD METH SECD SMTH SECD SMTH SMTH METH SMTH"]
        .assert_eq(&signatures(Writer { references: false, ..on }, &recording));
    expect!["SECD METH SECD SMTH SECR SMTH SECR SMTH SECR METH SECR SMTH"]
        .assert_eq(&signatures(Writer { omit_repeated_security: false, ..on }, &recording));
}

#[test]
fn the_writer_refuses_what_is_no_message() {
    let refuse =
        |recording: &Recording<'_>, writer: Writer| writer.to_vec(recording).unwrap_err().to_string();
    let recording = small();
    expect!["CHDR: NO-METHOD: the message holds no method ([MC-COMQC] 2.2.2)"]
        .assert_eq(&refuse(&Recording::new(TARGET), Writer::default()));
    let mut dangling = small();
    dangling.calls[1].context = 2;
    expect!["SECD.SecurityData: names a context that does not exist ([MC-COMQC] 2.2.4)"]
        .assert_eq(&refuse(&dangling, Writer::default()));
    let mut unclear = small();
    unclear.contexts[1].collections[1].properties[0].property_type = PropertyType::MINIMUM_LEVEL;
    expect!["SecurityProperty.PropertyType: SEC-PROPCOLL: a property that belongs into the other type of collection ([MS-COM] 2.2.3.2.1)"]
        .assert_eq(&refuse(&unclear, Writer::default()));
    let len = Writer::default().to_vec(&recording).unwrap().len();
    assert!(Writer { max_size: len, ..Writer::default() }.to_vec(&recording).is_ok());
    let error = Writer { max_size: len - 1, ..Writer::default() }.to_vec(&recording).unwrap_err();
    assert!(matches!(error, EncodeError::TooLarge { got, max, .. } if got == len && max == len - 1));
    let mut large = small();
    large.add_call(0, IID, 3, vec![0; Writer::MAX_SIZE]);
    assert!(matches!(Writer::default().to_vec(&large), Err(EncodeError::TooLarge { .. })));
    assert!(Writer { max_size: usize::MAX, ..Writer::default() }.to_vec(&large).is_ok());
}

#[test]
fn a_changed_message_is_checked_before_it_is_written() {
    let recording = small();
    let message = Writer::default().message(&recording).unwrap();
    let refuse = |change: &dyn Fn(&mut Message<'_>)| {
        let mut changed = message.clone();
        change(&mut changed);
        let mut buffer = Vec::new();
        let error = changed.encode(&mut buffer).unwrap_err();
        assert!(buffer.is_empty());
        assert_eq!(changed.to_vec(), Err(error));
        assert_eq!(changed.check(), Err(error));
        error.to_string()
    };
    expect!["CommonHeader.Size: COMMON-SIZE8: Size is not a multiple of 8 ([MC-COMQC] 2.2.1)"].assert_eq(
        &refuse(&|m| {
            let method = Method { padding2: Blob::default(), ..Method::new(3, None, Blob::from(&b"x"[..])) };
            m.headers.push(Header::Method(method));
        }),
    );
    expect!["SECD: ORDER-GROUP: security without a method header after it ([MC-COMQC] 2.2.4)"].assert_eq(
        &refuse(&|m| {
            let header = m.headers[0].clone();
            m.headers.insert(0, header.into_owned());
        }),
    );
    expect!["SMTH: METH-FIRST-IID: the first method names no interface ([MC-COMQC] 2.2.6)"].assert_eq(
        &refuse(&|m| {
            if let Header::Method(method) = &mut m.headers[1] {
                method.interface_id = None;
            }
        }),
    );
    expect!["SECR.SecurityHeaderOffset: SECR-OFFSET: not the offset of a security header before this one ([MC-COMQC] 2.2.5)"]
        .assert_eq(&refuse(&|m| m.container = Container::new(TARGET, TargetForm::Bare)));
}

#[test]
fn limits_hold() {
    let recording = small();
    let bytes = Writer::default().to_vec(&recording).unwrap();
    let limited = |limits| DecodeOptions::TOLERANT.with_limits(limits);
    let items = limited(Limits::DEFAULT.with_items(5));
    let error = Message::decode_with(&bytes, &items).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { limit: "headers", max: 5 });
    assert_eq!(rule_of(error.kind()), None);
    assert_eq!(Reader::with_options(&bytes, &items).unwrap().count(), 3, "no list, no limit");
    let error = Recording::decode(&bytes, &limited(Limits::DEFAULT.with_items(2))).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { limit: "calls", max: 2 });
    let error = Reader::with_options(&bytes, &limited(Limits::DEFAULT.with_string(77))).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { limit: "string bytes", max: 77 });
    let short = limited(Limits::DEFAULT.with_message(bytes.len() - 1));
    assert!(Reader::with_options(&bytes, &short).is_err() && Message::decode_with(&bytes, &short).is_err());
}

#[test]
fn the_reader_gives_calls_in_place_and_then_stays_at_the_end() {
    let recording = small();
    let bytes = Writer::default().to_vec(&recording).unwrap();
    let mut reader = Reader::strict(&bytes).unwrap();
    assert_eq!((reader.container().target_id, reader.partition_id()), (TARGET, None));
    let calls: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
    let found: Vec<_> =
        calls.iter().map(|c| (c.offset, c.method_number, c.security.offset, c.data)).collect();
    assert_eq!(found[0], (224, 3, 200, &[7, 0, 0, 0][..]));
    assert_eq!(found[1].2, 280);
    assert_eq!((found[2].2, found[2].3), (200, &[9][..]));
    assert!(calls.iter().all(|c| c.interface_id == IID && !c.is_dispatch()));
    assert_eq!((reader.next(), reader.next(), reader.deviations()), (None, None, 0));

    let mut broken = bytes;
    let at = broken.len() - 40 + 12;
    broken[at] = 0x11;
    let mut reader = Reader::new(&broken).unwrap();
    assert_eq!(reader.by_ref().filter_map(Result::ok).count(), 2);
    assert_eq!(reader.next(), None, "nothing after an error");
}

#[test]
fn texts_that_are_no_sids() {
    for text in
        ["", "S-1-", "S-2-5-18", "S-1-5-", "S-1-5-+8", "S-1-5-4294967296", "S-1-0x1000000000000", "s-1-5-18"]
    {
        assert!(text.parse::<Sid<'_>>().is_err(), "{text}");
    }
    let sixteen = format!("S-1-5{}", "-1".repeat(16));
    assert!(sixteen.parse::<Sid<'_>>().is_err());
    assert_eq!("S-1-0xFFFFFFFFFFFF-1".parse::<Sid<'_>>().unwrap().to_string(), "S-1-0xFFFFFFFFFFFF-1");
    assert_eq!("S-1-5".parse::<Sid<'_>>().unwrap().sub_authorities().len(), 0);
}

#[test]
fn fields_are_traced_with_their_names() {
    let recording = small();
    let bytes = Writer::default().to_vec(&recording).unwrap();
    let decoded = Message::decode_with(&bytes, &DecodeOptions::STRICT.with_trace(true)).unwrap();
    laws::trace_covers(&decoded.trace, bytes.len());
    let line = |offset: usize| {
        let entry = decoded.trace.iter().rfind(|e| e.offset == offset).unwrap();
        format!("{} {} {:?} {:?}", entry.at, entry.len, entry.format, entry.note)
    };
    expect![[r#"CommonHeader.HeaderSignature 4 Uint Some("SECD")"#]].assert_eq(&line(200));
    expect![[r#"SecurityORPCExtension.Style 2 Uint Some("do not append recipient")"#]].assert_eq(&line(220));
    expect!["CallTargetIdentifier.TargetIDString 78 Utf16Le None"].assert_eq(&line(116));
}
