//! Messages as AMQP carries them, and addresses of brokers; no broker is needed.

use comqc_msmq::filter::Filter;
use comqc_msmq::rabbit_headers::{Carried, Fate, decode, encode};
use comqc_msmq::session::{
    DeadReason, MessageId, Properties, QueueMessage, Received, Sender, SenderIdType, Timestamp,
};
use comqc_msmq::{Queue, QueueError, RabbitQueue};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use proptest::prelude::*;
use uuid::Uuid;

fn received(properties: Properties) -> Received {
    Received {
        id: MessageId { lineage: Uuid::from_u128(0x1234), uniquifier: 0x0102_0304 },
        message: QueueMessage { properties, body: b"body".to_vec().into() },
        sender: Sender {
            sid: Some("S-1-5-21-1-2-3-500".parse().unwrap()),
            authenticated: false,
            description: "ann".into(),
        },
        sent: Timestamp(1_700_000_000_123),
        round: 2,
        failures: 0,
        abandoned: 0,
    }
}

fn unusual() -> Properties {
    Properties {
        extension: vec![1, 2, 3].into(),
        label: "Bestellung 5 ✓".into(),
        priority: 7,
        time_to_reach_queue: Some(1),
        time_to_be_received: Some(u32::MAX),
        positive_journaling: true,
        negative_journaling: true,
        tracing: true,
        body_type: 8,
        application_tag: 9,
        correlation: MessageId { lineage: Uuid::from_u128(5), uniquifier: 6 },
        administration_queue: r"DIRECT=OS:a\private$\b".into(),
        response_queue: r"DIRECT=TCP:10.0.0.1\c".into(),
        sender_id_type: SenderIdType::SID,
        connector_type: Uuid::from_u128(7),
        ..Properties::default()
    }
}

#[test]
fn what_is_sent_comes_back() {
    for properties in [Properties::default(), unusual()] {
        let sent = received(properties);
        let fate = Fate {
            dead: Some(DeadReason::Exhausted),
            error: Some("it fails"),
            due: Some(Timestamp(5)),
            ..Fate::default()
        };
        let carried = decode(&encode(&sent, fate).unwrap(), b"body".to_vec());
        let expected = Carried {
            received: sent,
            dead: Some(DeadReason::Exhausted),
            error: Some("it fails".into()),
            due: Some(Timestamp(5)),
        };
        assert_eq!(carried, expected);
    }
}

#[test]
fn people_can_read_it() {
    let basic = encode(&received(unusual()), Fate { expiration: Some(60_000), ..Fate::default() }).unwrap();
    let headers = basic.headers().as_ref().unwrap().inner();
    let shown = headers.iter().map(|(name, value)| match value {
        AMQPValue::LongString(text) => format!("{name}: {text}\n"),
        AMQPValue::LongInt(number) => format!("{name}: {number}\n"),
        AMQPValue::LongLongInt(number) => format!("{name}: {number}\n"),
        AMQPValue::ByteArray(bytes) => format!("{name}: {:02x?}\n", bytes.as_slice()),
        other => panic!("{other:?}"),
    });
    expect_test::expect![[r#"
        x-comqc-extension: [01, 02, 03]
        x-comqc-properties: {"label":"Bestellung 5 ✓","priority":7,"time_to_reach_queue":1,"time_to_be_received":4294967295,"positive_journaling":true,"negative_journaling":true,"tracing":true,"body_type":8,"application_tag":9,"correlation":{"lineage":"00000000-0000-0000-0000-000000000005","uniquifier":6},"administration_queue":"DIRECT=OS:a\\private$\\b","response_queue":"DIRECT=TCP:10.0.0.1\\c","sender_id_type":1,"connector_type":"00000000-0000-0000-0000-000000000007"}
        x-comqc-round: 2
        x-comqc-sender: ann
        x-comqc-sent: 1700000000123
        x-comqc-sid: S-1-5-21-1-2-3-500
    "#]]
    .assert_eq(&shown.collect::<String>());
    let short = |text: &Option<lapin::types::ShortString>| text.as_ref().unwrap().to_string();
    assert_eq!(short(basic.message_id()), "0000000000000000000000000000123404030201");
    assert_eq!(short(basic.correlation_id()), "0000000000000000000000000000000506000000");
    assert_eq!(short(basic.expiration()), "60000");
    assert_eq!((basic.delivery_mode(), basic.priority()), (&Some(2), &Some(7)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let long = Properties { administration_queue: "x".repeat(20_000), ..Properties::default() };
    let extension = Properties { extension: vec![0; 9_000].into(), ..Properties::default() };
    for properties in [long, extension] {
        let refused = encode(&received(properties), Fate::default());
        assert!(matches!(refused, Err(QueueError::Unsendable(_))), "{refused:?}");
    }
}

#[test]
fn foreign_identifiers_are_always_the_same() {
    let id =
        |text: &str| decode(&BasicProperties::default().with_message_id(text.into()), Vec::new()).received.id;
    let hex = MessageId { lineage: Uuid::from_u128(0x1234), uniquifier: 0x0102_0304 };
    assert_eq!(id("0000000000000000000000000000123404030201"), hex);
    assert_eq!(id(&hex.to_string()), hex);
    let lineage = Uuid::from_u128(77);
    assert_eq!(id(&lineage.to_string()), MessageId { lineage, uniquifier: 0 });
    assert_eq!(id("order 5"), id("order 5"));
    assert_ne!(id("order 5"), id("order 6"));
    assert_eq!(decode(&BasicProperties::default(), Vec::new()).received.id, MessageId::NIL);
}

#[test]
fn the_broker_tells_why_it_has_made_a_message_dead() {
    for (reason, dead) in [("expired", DeadReason::Expired), ("delivery_limit", DeadReason::Abandoned)] {
        let mut death = FieldTable::default();
        death.insert("reason".into(), AMQPValue::LongString(reason.into()));
        let mut headers = FieldTable::default();
        let deaths = FieldArray::from(vec![AMQPValue::FieldTable(death)]);
        headers.insert("x-death".into(), AMQPValue::FieldArray(deaths));
        let carried = decode(&BasicProperties::default().with_headers(headers), Vec::new());
        assert_eq!(carried.dead, Some(dead));
    }
}

fn hostile_value() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        any::<Vec<u8>>().prop_map(|bytes| AMQPValue::LongString(bytes.into())),
        any::<Vec<u8>>().prop_map(|bytes| AMQPValue::ByteArray(bytes.into())),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        any::<bool>().prop_map(AMQPValue::Boolean),
        Just(AMQPValue::LongString("{\"priority\":300}".into())),
        Just(AMQPValue::LongString("{\"label\":\"a\",\"label\":\"b\"}".into())),
        Just(AMQPValue::LongString(vec![b'['; 10_000].into())),
        Just(AMQPValue::LongString("é".repeat(1_000).into())),
        Just(AMQPValue::Void),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|values| AMQPValue::FieldArray(values.into()))
    })
}

const NAMES: [&str; 10] = [
    "x-comqc-extension",
    "x-comqc-properties",
    "x-comqc-sent",
    "x-comqc-sender",
    "x-comqc-sid",
    "x-comqc-round",
    "x-comqc-dead",
    "x-comqc-error",
    "x-comqc-due",
    "x-death",
];

proptest! {
    #[test]
    fn whatever_the_headers_are_the_message_comes_and_can_be_passed_on(
        values in prop::collection::vec((prop::sample::select(&NAMES[..]), hostile_value()), 0..10),
        id in ".{0,60}", timestamp in any::<u64>(), priority in any::<u8>(), expiration in ".{0,20}",
    ) {
        let mut headers = FieldTable::default();
        for (name, value) in values {
            headers.insert(name.into(), value);
        }
        let basic = BasicProperties::default()
            .with_headers(headers)
            .with_message_id(id.into())
            .with_timestamp(timestamp)
            .with_priority(priority)
            .with_expiration(expiration.into());
        let carried = decode(&basic, b"body".to_vec());
        prop_assert_eq!(&*carried.received.message.body, b"body");
        prop_assert!(carried.received.message.properties.priority <= 7);
        let again = encode(&carried.received, Fate::default()).unwrap();
        prop_assert_eq!(decode(&again, b"body".to_vec()).received, carried.received);
    }

    #[test]
    fn the_filter_lets_the_same_through_however_it_comes(
        frames in prop::collection::vec((prop::sample::select(&[1_u8, 2, 3, 8][..]), prop::collection::vec(any::<u8>(), 14..60)), 0..6),
        pieces in 1_usize..20,
    ) {
        let mut stream = Vec::new();
        for (kind, payload) in frames {
            stream.extend(frame(kind, &payload));
        }
        let mut whole = Vec::new();
        Filter::default().feed(&stream, &mut whole).unwrap();
        let (mut filter, mut pieced) = (Filter::default(), Vec::new());
        for piece in stream.chunks(pieces) {
            filter.feed(piece, &mut pieced).unwrap();
        }
        prop_assert_eq!(pieced, whole);
    }
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 1];
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame.push(0xCE);
    frame
}

/// A header frame with tables in one another.
fn nested(depth: usize) -> Vec<u8> {
    let mut table: Vec<u8> = Vec::new();
    for _ in 0..depth {
        let mut outer = b"\x01tF".to_vec();
        outer.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
        outer.extend(table);
        table = outer;
    }
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0x20, 0];
    payload.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
    payload.extend(table);
    frame(2, &payload)
}

fn filtered(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Filter::default().feed(bytes, &mut out).unwrap();
    out
}

#[test]
fn headers_too_deep_are_left_out_and_others_are_not() {
    assert_eq!(filtered(&nested(0)), nested(0));
    assert_eq!(filtered(&nested(31)), nested(31));
    let bare = frame(2, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0]);
    for depth in [32, 1_000] {
        let mut stream = nested(depth);
        stream.extend(frame(3, b"12345"));
        let mut expected = bare.clone();
        expected.extend(frame(3, b"12345"));
        assert_eq!(filtered(&stream), expected, "{depth}");
    }
}

#[test]
fn headers_that_nobody_can_have_sent_end_the_connection() {
    let mut out = Vec::new();
    let huge = [2, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF];
    assert!(Filter::default().feed(&huge, &mut out).is_err());
    // Too short for class, size and flags: nothing could be put in its place.
    assert!(Filter::default().feed(&frame(2, &[0; 13]), &mut out).is_err());
    assert!(out.is_empty());
    // Another version: not frames.
    assert_eq!(filtered(b"AMQP\x00\x01\x00\x00"), b"AMQP\x00\x01\x00\x00");
}

#[test]
fn addresses_are_shown_without_their_password() {
    for (given, shown) in [
        ("amqp://h?queue=App", "amqp://guest@h:5672/%2F?queue=App"),
        (
            "amqps://ann:p%40ss@[::1]/v?queue=App&type=classic",
            "amqps://ann@[::1]:5671/v?queue=App&type=classic",
        ),
        ("amqp://ann:p@ss@h:1/%2F?queue=a%20b&retries=2", "amqp://ann@h:1/%2F?queue=a%20b&retries=2"),
    ] {
        let queue = RabbitQueue::new(given).unwrap();
        assert_eq!(queue.address(), shown);
        assert_eq!(format!("{queue:?}"), format!("RabbitQueue({shown})"));
    }
}

#[test]
fn wrong_addresses_are_refused_and_never_shown() {
    for wrong in [
        "",
        "http://ann:sEcReT@h/?queue=App",
        "amqp://ann:sEcReT@h/",
        "amqp://ann:sEcReT@h:port/?queue=App",
        "amqp://ann:sEcReT@h/?queue=App&sEcReT=1",
        "amqp://ann:sEcReT@h/?queue=App&type=sEcReT",
        "amqp://ann:sEcReT@h/?queue=App&retries=33",
        "amqp://ann:sEcReT@h/?queue=App&timeout=sEcReT",
        "amqp://ann:sEcReT@h/?queue=amq.App",
        "amqp://ann:sEcReT%@h/?queue=App",
        "amqp://ann:12/sEcReT@h/?queue=App",
        "amqp://ann:sEc?ReT@h/?queue=App",
    ] {
        let error = RabbitQueue::new(wrong).unwrap_err();
        assert!(matches!(error, QueueError::Address(_)), "{wrong}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("sEcReT"), "{error}");
    }
    let long = format!("amqp://h/?queue={}", "x".repeat(300));
    assert!(RabbitQueue::new(&long).is_err());
}
