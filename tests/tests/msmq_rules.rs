//! What is never tolerated, what is tolerated of packets that are no messages, and the readings of unclear sections.

use expect_test::expect;
use msmq_packet::{
    AddressHeader, AddressHeaderId, ConnectionParameters, DebugHeader, EstablishConnection, FormatName,
    MessageIdentifier, MessagePacket, MultiQueueFormatHeader, OperatingSystem, Packet, Ping, QueueName,
    SessionAck, SessionHeader, SignatureHeader, SoapHeader, UserMessage,
};
use remassist_core::{Decode, DecodeOptions, Encode, Limits};
use testkit::laws;
use uuid::Uuid;

fn message() -> UserMessage<'static> {
    let id = MessageIdentifier { queue_manager: Uuid::from_u128(1), ordinal: 2 };
    UserMessage::new(id, 3, QueueName::direct("OS:srv\\private$\\app")).with_body(b"0123456789abc".to_vec())
}

fn many() -> MultiQueueFormatHeader<'static> {
    let list = |id, names: Vec<FormatName<'static>>| AddressHeader::new(id, names);
    MultiQueueFormatHeader {
        destination: list(
            AddressHeaderId::DESTINATION,
            vec![FormatName::direct("OS:a\\q"), FormatName::Public { identifier: Uuid::from_u128(7) }],
        ),
        administration: list(AddressHeaderId::ADMIN, Vec::new()),
        response: list(AddressHeaderId::RESPONSE, Vec::new()),
        signature: SignatureHeader::default(),
    }
}

/// Refused by both policies, with the same error.
fn refused<'a, T: Decode<'a> + std::fmt::Debug>(bytes: &'a [u8]) -> String {
    let error = T::decode(bytes).unwrap_err();
    assert_eq!(T::decode_strict(bytes).unwrap_err(), error);
    error.to_string()
}

#[test]
fn structure_is_never_tolerated() {
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = message();
        message.debug = Some(DebugHeader { flags: Default::default(), reserved: 0, queue: None });
        message.multi_queue = Some(Box::new(many()));
        let mut bytes = message.to_vec().unwrap();
        change(&mut bytes);
        refused::<Packet<'_>>(&bytes)
    };
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).rposition(|w| w == what).unwrap();
    let all = [
        with(&|b| b[60 + 1] = b[61] & !0x1C | 0x04),
        with(&|b| b[60 + 1] |= 0x20),
        with(&|b| b[60 + 2] &= !0x20),
        with(&|b| {
            let at = find(b, &[0x64, 0, 0, 0]) - 8;
            b[at] |= 2;
        }),
        with(&|b| {
            let at = find(b, &[0x64, 0, 0, 0]) - 4;
            b[at] = 11;
        }),
        with(&|b| {
            let at = find(b, &[0x64, 0, 0, 0]) + 8;
            b[at] = 5;
        }),
        with(&|b| {
            let at = find(b, &[0x5E, 0x01]);
            b[at] = 0x5F;
        }),
        with(&|b| b[2] |= 0x08),
        refused::<Packet<'_>>(&{
            let mut bytes = SessionAck::new(session()).to_vec().unwrap();
            bytes[18] = 4;
            bytes
        }),
        refused::<Ping>(&[0; 24]),
        refused::<UserMessage<'_>>(&SessionAck::new(session()).to_vec().unwrap()),
        refused::<MessagePacket<'_>>(&SessionAck::new(session()).to_vec().unwrap()),
    ];
    expect![[r#"
        UserHeader.Flags.DQ at byte 60: value 0x1 is not allowed here ([MS-MQMQ] 2.2.19.2)
        UserHeader.Flags.AQ at byte 60: value 0x1 is not allowed here ([MS-MQMQ] 2.2.19.2)
        UserHeader.Flags.MP at byte 60: no message without a MessagePropertiesHeader ([MS-MQMQ] 2.2.19.2)
        DebugHeader.Flags.QT at byte 180: value 0x2 is not allowed here ([MS-MQMQ] 2.2.20.8)
        MQFAddressHeader.HeaderSize at byte 184: length or offset 11 does not fit its container of 12 ([MS-MQMQ] 2.2.20.2)
        MQFFormatNameElement.FormatType at byte 196: value 0x5 is not allowed here ([MS-MQMQ] 2.2.18.1.4)
        MQFSignatureHeader.ID at byte 256: value 0x15f is not allowed here ([MS-MQMQ] 2.2.20.3)
        InternalHeader.Flags.PT at byte 18: value 0x0 is not allowed here ([MS-MQQB] 2.2.1)
        InternalHeader.Flags.PT at byte 18: value 0x4 is not allowed here ([MS-MQQB] 2.2.1)
        Ping Packet.Signature at byte 2: value 0x0 is not allowed here ([MS-MQQB] 2.2.7)
        BaseHeader.Flags at byte 2: IN is set: no message ([MS-MQMQ] 2.2.19.1)
        BaseHeader.Flags at byte 2: IN is set: no message ([MS-MQMQ] 2.2.19.1)"#]].assert_eq(&all.join("\n"));
}

fn session() -> SessionHeader {
    SessionHeader {
        ack_sequence_number: 1,
        recoverable_ack_sequence_number: 1,
        recoverable_ack_flags: 1,
        user_sequence_number: 1,
        recoverable_sequence_number: 1,
        window_size: 64,
        reserved: 0,
    }
}

#[test]
fn packets_that_are_no_messages_have_rules_of_their_own() {
    let told = |packet: Packet<'static>| {
        let bytes = packet.to_vec().unwrap();
        let decoded = Packet::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
        assert_eq!(decoded.value, packet);
        assert!(laws::bytes::<Packet<'_>>(&bytes));
        assert!(Packet::decode_strict(&bytes).is_err());
        decoded.deviations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let parameters = ConnectionParameters::new(499, 120_001, 0);
    let mut long = ConnectionParameters::new(500, 20_000, 64);
    long.excess = vec![1, 2, 3, 4].into();
    let mut short = EstablishConnection::request(Uuid::nil(), Uuid::nil(), 0, OperatingSystem::default());
    short.padding = vec![0; 100].into();
    let mut other = EstablishConnection::request(Uuid::nil(), Uuid::nil(), 0, OperatingSystem::default());
    other.operating_system.0 = 0x20;
    let mut timed = SessionAck::new(session());
    timed.base.time_to_reach_queue = 60;
    let mut bare = SessionAck::new(session());
    bare.base.flags.0 &= !0x10;
    let mut debug = SessionAck::new(session());
    debug.base.flags.0 |= 0x20;
    let all = [
        told(parameters.into()),
        told(long.into()),
        told(short.into()),
        told(other.into()),
        told(timed.into()),
        told(bare.into()),
        told(debug.into()),
    ];
    expect![[r#"
        ConnectionParametersHeader.RecoverableAckTimeout at byte 20: value 0x1f3 is not allowed here ([MS-MQQB] 2.2.2.1); ConnectionParametersHeader.AckTimeout at byte 24: value 0x1d4c1 is not allowed here ([MS-MQQB] 2.2.2.1)
        ConnectionParameters Packet.(after the last header) at byte 32: bytes that PacketSize counts and no header has ([MS-MQQB] 2.2.2)
        EstablishConnectionHeader.Padding at byte 60: not 512 bytes ([MS-MQQB] 2.2.3.1)
        EstablishConnectionHeader.OperatingSystem.RE at byte 56: value 0x20 is not allowed here ([MS-MQQB] 2.2.3.1)
        BaseHeader.TimeToReachQueue at byte 12: value 0x3c is not allowed here ([MS-MQMQ] 2.2.19.1)
        BaseHeader.Flags at byte 2: SH is not set ([MS-MQMQ] 2.2.19.1)
        BaseHeader.Flags at byte 2: only a message has a DebugHeader ([MS-MQMQ] 2.2.19.1)"#]].assert_eq(&all.join("\n"));
}

#[test]
fn a_body_takes_the_bytes_allocated_for_it_where_they_are_there() {
    // They are there.
    let mut slack = message();
    slack.properties.slack = b"more".to_vec().into();
    laws::value(&slack);
    let bytes = slack.to_vec().unwrap();
    assert_eq!(UserMessage::decode_strict(&bytes).unwrap().properties.slack.as_ref(), b"more");

    // The packet ends right after the body.
    let mut promised = message();
    promised.properties.allocation_body_size = Some(1000);
    laws::value(&promised);
    let bytes = promised.to_vec().unwrap();
    assert_eq!(bytes.len(), message().to_vec().unwrap().len());
    assert_eq!(UserMessage::decode_strict(&bytes).unwrap(), promised);

    // Another header follows: then the bytes are missing.
    let mut followed = message();
    followed.soap = Some(SoapHeader::new("", ""));
    let mut bytes = followed.to_vec().unwrap();
    let at = bytes.windows(8).position(|w| w == [13, 0, 0, 0, 13, 0, 0, 0]).unwrap();
    bytes[at + 5] = 1;
    assert!(refused::<UserMessage<'_>>(&bytes).contains("MessageBody (allocated) at byte "));

    // Less than the body.
    let mut less = message();
    less.properties.allocation_body_size = Some(12);
    let bytes = less.to_vec().unwrap();
    let decoded = UserMessage::decode_with(&bytes, &DecodeOptions::TOLERANT).unwrap();
    assert_eq!(decoded.value, less);
    assert_eq!(
        decoded.deviations[0].to_string(),
        "MessagePropertiesHeader.AllocationBodySize at byte 144: less than MessageSize ([MS-MQMQ] 2.2.19.3)"
    );
}

#[test]
fn the_second_section_of_soap_is_found_rounded_up_or_not() {
    for (header, aligned) in [("ab", false), ("ab", true), ("abc", false)] {
        let mut message = message();
        let mut soap = SoapHeader::new(header, "body");
        soap.aligned = aligned;
        message.soap = Some(soap);
        laws::value(&message);
        message.multi_queue = Some(Box::new(many()));
        laws::value(&message);
    }
    let mut wrong = message();
    let mut soap = SoapHeader::new("abc", "");
    soap.aligned = true;
    wrong.soap = Some(soap);
    assert!(wrong.to_vec().is_err(), "there is nothing to round up");
}

#[test]
fn lists_and_names_obey_the_limits() {
    let mut message = message();
    message.multi_queue = Some(Box::new(many()));
    let bytes = message.to_vec().unwrap();
    let with = |limits| Packet::decode_with(&bytes, &DecodeOptions::TOLERANT.with_limits(limits));
    assert!(with(Limits::DEFAULT).is_ok());
    let error = with(Limits::DEFAULT.with_items(1)).unwrap_err().to_string();
    assert!(error.starts_with("MQFAddressHeader.ElementCount at byte "), "{error}");
    let error = with(Limits::DEFAULT.with_string(10)).unwrap_err().to_string();
    assert!(error.starts_with("DirectQueueFormatName.DirectFormatName at byte 66: more than"), "{error}");
}

#[test]
fn a_remote_message_knows_where_it_came_from() {
    let packet = MessagePacket::new(message(), Some("fd00::7".parse().unwrap()));
    laws::value(&packet);
    assert_eq!(packet.source(), Some("fd00::7".parse().unwrap()));
    assert_eq!(MessagePacket::decode_strict(&packet.to_vec().unwrap()).unwrap(), packet);
    let mut old = MessagePacket::new(message(), None);
    assert_eq!(old.source(), None);
    old.extension = None;
    let guid = [4, 0, 1, 0, 0, 0, 0, 0, 10, 0, 0, 7, 0, 0, 0, 0];
    old.message.user.queue_manager_address = Uuid::from_bytes_le(guid);
    assert_eq!(old.source(), Some("10.0.0.7".parse().unwrap()));
    laws::value(&old);
    old.message.user.destination_queue = QueueName::Public { identifier: Uuid::nil() };
    assert_eq!(old.source(), None, "it is a GUID then");
    // SRMP headers belong to the flag AH.
    old.message.user.flags = msmq_packet::UserFlags::OVER_HTTP;
    assert!(old.to_vec().is_err());
}

#[test]
fn a_ping_is_answered_with_its_cookie() {
    let request =
        Ping { flags: msmq_packet::PingFlags(0x7D01), cookie: 9, queue_manager: Uuid::from_u128(1) };
    let answer = request.response(Uuid::from_u128(2), true);
    assert_eq!((answer.flags.0, answer.cookie, answer.queue_manager), (3, 9, Uuid::from_u128(2)));
    assert_eq!(request.response(Uuid::nil(), false).flags.0, 1);
    laws::value(&answer);
}
