//! What a sender makes: messages, and acknowledgments of transactional ones.

use expect_test::expect;
use msmq_packet::{
    Acknowledgment, AcknowledgmentFlags, DeliveryMode, FinalAck, INFINITE, MessageClass, MessageIdentifier,
    OrderAck, Packet, QueueName, SecurityHeader, SessionHeader, TransactionHeader, TxSequenceId, UserFlags,
    UserMessage,
};
use remassist_core::{Decode, DecodeOptions, Encode};
use testkit::laws;
use uuid::{Uuid, uuid};

const US: Uuid = uuid!("0f0e0d0c-0b0a-0908-0706-050403020100");
const COMQC: Uuid = uuid!("1664bcfb-1751-11d2-b58e-00e0290e6c31");

fn id(ordinal: u32) -> MessageIdentifier {
    MessageIdentifier { queue_manager: US, ordinal }
}

fn to_app() -> QueueName<'static> {
    QueueName::direct("OS:srv\\private$\\App")
}

fn comqc() -> UserMessage<'static> {
    let transaction = TransactionHeader::single(TxSequenceId::new(7, 9), 1, 0).with_transaction(0x12345);
    UserMessage::new(id(5), 1_700_000_000, to_app())
        .with_label("App")
        .with_extension(COMQC.to_bytes_le().to_vec())
        .with_body(b"CHDR and more".to_vec())
        .in_transaction(transaction)
}

#[test]
fn a_queued_component_message_has_the_properties_of_the_table() {
    let bytes = comqc().to_vec().unwrap();
    let message = UserMessage::decode_strict(&bytes).unwrap();
    assert_eq!(message, comqc());
    assert_eq!((message.base.priority(), message.base.time_to_reach_queue), (0, INFINITE));
    assert_eq!(message.user.time_to_be_received, INFINITE);
    assert_eq!(message.user.delivery_mode(), DeliveryMode::RECOVERABLE);
    assert_eq!(message.user_flags().0, 0x0030_1C20);
    assert_eq!(message.user.message_identifier(), id(5));
    assert_eq!(message.properties.extension.as_ref(), COMQC.to_bytes_le());
    let transaction = message.transaction.unwrap();
    assert_eq!((transaction.transaction(), transaction.flags.0), (0x12345, 0x0012_345C));
    assert_eq!((transaction.sequence_id.time_stamp(), transaction.sequence_id.ordinal()), (7, 9));
    assert_eq!((transaction.sequence_number, transaction.previous_sequence_number), (1, 0));
    // The Extension stands between label and body, 16 + 48 + 4 + 38 bytes and so on.
    let at = bytes.windows(16).position(|w| w == COMQC.to_bytes_le()).unwrap();
    assert_eq!(&bytes[at + 16..at + 20], b"CHDR");
    assert_eq!(&bytes[at - 8..at], b"A\0p\0p\0\0\0");
    laws::value(&comqc());
}

#[test]
fn every_property_can_be_set() {
    let full = UserMessage::new(id(1), 2, QueueName::Public { identifier: US })
        .with_admin_queue(QueueName::direct("OS:me\\private$\\admin"), AcknowledgmentFlags(0x0F))
        .with_response_queue(QueueName::SameAsAdmin)
        .with_priority(7)
        .with_time_to_reach_queue(60)
        .with_time_to_be_received(120)
        .with_journal(true, false)
        .with_class(MessageClass::ACK_RECEIVE)
        .with_correlation(id(77))
        .with_application_tag(0xCAFE)
        .with_body_type(8)
        .with_security(SecurityHeader::of_sid(vec![1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]))
        .recoverable();
    let mut full = full;
    full.user.queue_manager_address = Uuid::from_u128(9);
    let bytes = full.to_vec().unwrap();
    let again = UserMessage::decode_strict(&bytes).unwrap();
    assert_eq!(again, full);
    assert!(again.user.flags.contains(UserFlags::NEGATIVE_JOURNAL));
    assert!(!again.clone().with_journal(false, true).user.flags.contains(UserFlags::NEGATIVE_JOURNAL));
    assert_eq!(again.base.priority(), 7);
    laws::value(&full);
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let error = |change: &dyn Fn(&mut UserMessage<'static>)| {
        let mut message = comqc();
        change(&mut message);
        message.to_vec().map(|_| ()).unwrap_err().to_string()
    };
    let mut all = Vec::new();
    all.push(error(&|m| m.user.destination_queue = QueueName::SameAsAdmin));
    all.push(error(&|m| m.user.admin_queue = QueueName::PrivateOnAdminHost { identifier: 1 }));
    all.push(error(&|m| *m = m.clone().with_label(&"l".repeat(300))));
    all.push(error(&|m| m.user.flags = UserFlags::SECURITY));
    all.push(error(&|m| m.base.flags.0 |= 0x10));
    all.push(error(&|m| {
        m.properties.allocation_body_size = Some(100);
        m.soap = Some(msmq_packet::SoapHeader::new("", ""));
    }));
    all.push(error(&|m| m.properties.label = b"odd"[..].into()));
    expect![[r#"
        [
            "UserHeader.Flags.DQ: a form that is not allowed here ([MS-MQMQ] 2.2.19.2)",
            "UserHeader.Flags.AQ: a form that is not allowed here ([MS-MQMQ] 2.2.19.2)",
            "MessagePropertiesHeader.LabelLength: 301 is more than the 255 that fit ([MS-MQMQ] 2.2.19.3)",
            "UserHeader.Flags: a bit that follows from the rest is set ([MS-MQMQ] 2.2.19.2)",
            "BaseHeader.Flags: a bit that follows from the rest is set ([MS-MQMQ] 2.2.19.1)",
            "MessagePropertiesHeader.AllocationBodySize: not the length of the body and what is behind it ([MS-MQMQ] 2.2.19.3)",
            "MessagePropertiesHeader.Label: half a code unit ([MS-MQMQ] 2.2.19.3)",
        ]
    "#]]
    .assert_debug_eq(&all);
}

#[test]
fn strict_names_every_broken_rule() {
    let rules = |change: &dyn Fn(&mut UserMessage<'static>)| {
        let mut message = comqc();
        change(&mut message);
        let bytes = message.to_vec().unwrap();
        let decoded = UserMessage::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
        assert_eq!(decoded.value, message);
        let told: Vec<_> = decoded.deviations.iter().map(ToString::to_string).collect();
        assert_eq!(UserMessage::decode_strict(&bytes).unwrap_err().to_string(), told[0]);
        told.join("; ")
    };
    let all = [
        rules(&|m| m.base = m.base.with_priority(3)),
        rules(&|m| m.user.set_delivery_mode(DeliveryMode::EXPRESS)),
        rules(&|m| m.user.set_delivery_mode(DeliveryMode(3))),
        rules(&|m| m.user.flags.0 |= 0x1E),
        rules(&|m| m.user.queue_manager_address = US),
        rules(&|m| m.user.admin_queue = to_app()),
        rules(&|m| m.properties.message_class = MessageClass(0x0200)),
        rules(&|m| m.properties.privacy_level = msmq_packet::PrivacyLevel(2)),
        rules(&|m| m.properties.encryption_algorithm = msmq_packet::EncryptionAlgorithm(1)),
        rules(&|m| *m = m.clone().with_label(&"l".repeat(252))),
        rules(&|m| m.properties.label = b"a\0"[..].into()),
        rules(&|m| m.transaction.as_mut().unwrap().sequence_number = 0),
        rules(&|m| m.transaction.as_mut().unwrap().previous_sequence_number = u32::MAX),
        rules(&|m| m.security = Some(SecurityHeader::default())),
        rules(&|m| m.excess = vec![0; 4].into()),
        rules(&|m| m.base.flags.0 |= 0x100),
        rules(&|m| {
            m.session = Some(SessionHeader {
                ack_sequence_number: 0,
                recoverable_ack_sequence_number: 0,
                recoverable_ack_flags: 0,
                user_sequence_number: 0,
                recoverable_sequence_number: 0,
                window_size: 0,
                reserved: 0,
            })
        }),
    ];
    expect![[r#"
        BaseHeader.Flags at byte 2: a transactional message has priority 0 ([MS-MQMQ] 2.2.19.1)
        UserHeader.Flags.DM at byte 60: a transactional message that is not recoverable ([MS-MQMQ] 2.2.19.2)
        UserHeader.Flags.DM at byte 60: value 0x3 is not allowed here ([MS-MQMQ] 2.2.19.2)
        UserHeader.Flags.RC at byte 60: value 0x1e is not allowed here ([MS-MQMQ] 2.2.19.2)
        UserHeader.QueueManagerAddress at byte 32: not null with a direct format name ([MS-MQMQ] 2.2.19.2)
        UserHeader.AdminQueue at byte 172: a queue for no report ([MS-MQMQ] 2.2.19.2)
        MessagePropertiesHeader.MessageClass at byte 130: value 0x200 is not allowed here ([MS-MQMQ] 2.2.19.3)
        MessagePropertiesHeader.PrivacyLevel at byte 168: value 0x2 is not allowed here ([MS-MQMQ] 2.2.19.3)
        MessagePropertiesHeader.EncryptionAlgorithm at byte 176: value 0x1 is not allowed here ([MS-MQMQ] 2.2.19.3)
        MessagePropertiesHeader.LabelLength at byte 129: length or offset 253 does not fit its container of 250 ([MS-MQMQ] 2.2.19.3)
        MessagePropertiesHeader.Label at byte 184: LabelLength does not end at the only NUL ([MS-MQMQ] 2.2.19.3)
        TransactionHeader.TxSequenceNumber at byte 120: value 0x0 is not allowed here ([MS-MQMQ] 2.2.20.5)
        TransactionHeader.PreviousTxSequenceNumber at byte 124: value 0xffffffff is not allowed here ([MS-MQMQ] 2.2.20.5)
        SecurityHeader at byte 128: nothing in it ([MS-MQMQ] 2.2.20.6)
        UserMessage Packet.(after the last header) at byte 224: bytes that PacketSize counts and no header has ([MS-MQMQ] 2.2.20)
        BaseHeader.Flags at byte 2: TR is set without DH ([MS-MQMQ] 2.2.19.1)
        SessionHeader.WindowSize at byte 236: value 0x0 is not allowed here ([MS-MQMQ] 2.2.20.4)"#]].assert_eq(&all.join("\n"));
}

#[test]
fn acknowledgments_travel_as_messages_to_the_order_queue() {
    let message = comqc();
    let order = OrderAck::of(&message.transaction.unwrap());
    let to = QueueName::order_queue("10.0.0.5");
    assert_eq!(to, QueueName::direct("TCP:10.0.0.5\\PRIVATE$\\order_queue$"));
    let carrier = order.message(id(8), 9, to.clone());
    assert_eq!(carrier.base_flags().0, 0);
    assert_eq!(carrier.user_flags().0, 0x0020_1C00, "MP and DQ and nothing else");
    assert_eq!(carrier.properties.label.to_text_lossy(), "QM Ordering Ack");
    assert_eq!(carrier.properties.body.len(), 0x24);
    let bytes = carrier.to_vec().unwrap();
    let Packet::UserMessage(read) = Packet::decode_strict(&bytes).unwrap() else { panic!("a message") };
    assert_eq!(read.acknowledgment(), Some(Acknowledgment::Order(order)));
    assert_eq!((order.sequence_number, order.previous_sequence_number), (1, 0));
    // With DM 1 and an acknowledgment of the session it is one, too.
    assert_eq!(carrier.clone().recoverable().acknowledgment(), Some(Acknowledgment::Order(order)));

    let rejected = FinalAck::of(&message, MessageClass::NACK_ACCESS_DENIED).unwrap();
    assert_eq!((rejected.message, rejected.is_positive()), (id(5), false));
    let carrier = rejected.message(id(9), 9, QueueName::PrivateOnDestination { identifier: 4 });
    assert_eq!(carrier.user_flags().0, 0x0020_0C20);
    let bytes = carrier.to_vec().unwrap();
    let read = UserMessage::decode_strict(&bytes).unwrap();
    assert_eq!(read.acknowledgment(), Some(Acknowledgment::Final(rejected)));
    let plain = UserMessage::new(id(1), 0, to_app());
    assert_eq!(FinalAck::of(&plain, MessageClass::ACK_RECEIVE), None);
}

#[test]
fn other_messages_acknowledge_nothing() {
    let order = OrderAck::up_to(TxSequenceId(1), 4);
    let ack = order.message(id(8), 9, QueueName::order_queue("10.0.0.5"));
    assert!(ack.acknowledgment().is_some());
    let mut elsewhere = ack.clone();
    elsewhere.user.destination_queue = to_app();
    let mut short = ack.clone();
    short.properties.body = short.properties.body[..35].to_vec().into();
    let mut long = ack.clone();
    long.properties.body = [&*long.properties.body, &[0]].concat().into();
    let normal = ack.clone().with_class(MessageClass::NORMAL);
    let reached = ack.clone().with_class(MessageClass::ACK_REACH_QUEUE);
    let transactional = ack.clone().in_transaction(TransactionHeader::single(TxSequenceId(1), 1, 0));
    let mut other_queue = ack;
    other_queue.user.destination_queue = QueueName::PrivateOnDestination { identifier: 5 };
    for (n, message) in
        [elsewhere, short, long, normal, reached, transactional, other_queue].iter().enumerate()
    {
        assert_eq!(message.acknowledgment(), None, "{n}");
    }
    for name in ["TCP:1.2.3.4\\private$\\ORDER_QUEUE$", "OS:h\\PRIVATE$\\order_queue$"] {
        assert!(QueueName::direct(name).is_order_queue(), "{name}");
    }
    for name in ["order_queue$", "", "TCP:1.2.3.4\\private$\\order_queue$x", "TCP:1\\xprivate$order_queue$"] {
        assert!(!QueueName::direct(name).is_order_queue(), "{name}");
    }
}

#[test]
fn sequences_compare_as_numbers_and_messages_have_the_names_of_windows() {
    assert!(TxSequenceId::new(2, 0) > TxSequenceId::new(1, u32::MAX));
    assert_eq!(TxSequenceId::new(0x0102_0304, 0x0506_0708), TxSequenceId(0x0102_0304_0506_0708));
    assert_eq!(TxSequenceId::new(7, 9).to_string(), "7.9");
    assert_eq!(id(5).to_string(), "{0f0e0d0c-0b0a-0908-0706-050403020100}\\5");
    assert_eq!(MessageIdentifier::from_bytes(id(5).to_bytes()), id(5));
}
