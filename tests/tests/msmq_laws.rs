//! Laws over generated messages: any headers together, of any lengths.

use msmq_packet::{
    AddressHeader, AddressHeaderId, DebugHeader, DirectName, FormatName, MessageIdentifier, MessagePacket,
    MultiQueueFormatHeader, Packet, PacketBuffer, Padding, QueueName, SecurityHeader, SecurityItem,
    SessionHeader, SignatureHeader, SoapHeader, TransactionHeader, TxSequenceId, UserMessage,
};
use proptest::prelude::*;
use remassist_core::{Blob, Decode, Encode};
use testkit::laws;
use uuid::Uuid;

fn guid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

fn direct() -> impl Strategy<Value = QueueName<'static>> {
    "[^\0]{0,9}".prop_map(|name| QueueName::Direct(DirectName::new(&name)))
}

fn destination() -> impl Strategy<Value = QueueName<'static>> {
    prop_oneof![
        Just(QueueName::None),
        any::<u32>().prop_map(|identifier| QueueName::PrivateOnDestination { identifier }),
        guid().prop_map(|identifier| QueueName::Public { identifier }),
        direct(),
    ]
}

fn admin() -> impl Strategy<Value = QueueName<'static>> {
    prop_oneof![
        destination(),
        any::<u32>().prop_map(|identifier| QueueName::PrivateOnSource { identifier }),
        (guid(), any::<u32>())
            .prop_map(|(queue_manager, identifier)| QueueName::Private { queue_manager, identifier }),
    ]
}

fn response() -> impl Strategy<Value = QueueName<'static>> {
    prop_oneof![
        admin(),
        Just(QueueName::SameAsAdmin),
        any::<u32>().prop_map(|identifier| QueueName::PrivateOnAdminHost { identifier }),
    ]
}

fn security() -> impl Strategy<Value = SecurityHeader<'static>> {
    let item = || (bytes(7), Just(Padding::default())).prop_map(|(data, _)| SecurityItem::new(data));
    (any::<u16>(), item(), item(), item(), item(), item()).prop_map(|(flags, a, b, c, d, e)| SecurityHeader {
        flags: msmq_packet::SecurityFlags(flags),
        sender_id: a,
        encryption_key: b,
        signature: c,
        sender_certificate: d,
        provider_info: e,
    })
}

fn list(id: AddressHeaderId) -> impl Strategy<Value = AddressHeader<'static>> {
    let name = prop_oneof![
        guid().prop_map(|identifier| FormatName::Public { identifier }),
        (guid(), any::<u32>())
            .prop_map(|(queue_manager, identifier)| FormatName::Private { queue_manager, identifier }),
        "[^\0]{0,5}".prop_map(|name| FormatName::direct(&name)),
        guid().prop_map(|identifier| FormatName::DistributionList { identifier }),
    ];
    prop::collection::vec(name, 0..4).prop_map(move |names| AddressHeader::new(id, names))
}

fn multi() -> impl Strategy<Value = MultiQueueFormatHeader<'static>> {
    let lists = (
        list(AddressHeaderId::DESTINATION),
        list(AddressHeaderId::ADMIN),
        list(AddressHeaderId::RESPONSE),
        bytes(6),
    );
    lists.prop_map(|(destination, administration, response, signature)| MultiQueueFormatHeader {
        destination,
        administration,
        response,
        signature: SignatureHeader { reserved: 0, signature: signature.into() },
    })
}

fn soap() -> impl Strategy<Value = SoapHeader<'static>> {
    ("[^\0]{0,5}", "[^\0]{0,5}").prop_map(|(header, body)| SoapHeader::new(&header, &body))
}

fn session() -> impl Strategy<Value = SessionHeader> {
    (any::<[u16; 6]>(), any::<u32>()).prop_map(|([a, b, c, d, e, f], flags)| SessionHeader {
        ack_sequence_number: a,
        recoverable_ack_sequence_number: b,
        recoverable_ack_flags: flags,
        user_sequence_number: c,
        recoverable_sequence_number: d,
        window_size: e,
        reserved: f,
    })
}

fn transaction() -> impl Strategy<Value = TransactionHeader> {
    (any::<u64>(), any::<u32>(), any::<u32>(), prop::option::of(guid())).prop_map(
        |(id, number, flags, connector)| TransactionHeader {
            flags: msmq_packet::TransactionFlags(flags & !1),
            connector,
            ..TransactionHeader::single(TxSequenceId(id), number, number.wrapping_mul(3))
        },
    )
}

fn message() -> impl Strategy<Value = UserMessage<'static>> {
    let head = (guid(), any::<[u32; 3]>(), destination(), admin(), response(), prop::option::of(guid()));
    let body = ("[^\0]{0,9}", bytes(9), bytes(40), bytes(5), any::<[u8; 3]>());
    let debug = prop::option::of(prop::option::of(guid()));
    let more = (
        prop::option::of(transaction()),
        prop::option::of(security()),
        debug,
        prop::option::of(soap()),
        prop::option::of(multi()),
        prop::option::of(session()),
    );
    (head, body, more).prop_map(|(head, body, more)| {
        let (queue_manager, [ordinal, time, flags], to, admin, response, connector) = head;
        let mut message = UserMessage::new(MessageIdentifier { queue_manager, ordinal }, time, to);
        message.user.admin_queue = admin;
        message.user.response_queue = response;
        message.user.connector_type = connector;
        // What does not follow from the rest.
        message.user.flags.0 = flags & 0xED00_03FF;
        message.base.flags.0 = u16::from_le_bytes([flags.to_le_bytes()[1] & 0xC7, 0xFE]);
        let (label, extension, body, slack, padding) = body;
        message = message.with_label(&label).with_extension(extension).with_body(body);
        message.properties.slack = Blob::from(slack);
        let used = message.encoded_len();
        message.properties.padding = Padding(padding);
        message.properties.body_type = u32::try_from(used).unwrap();
        let (transaction, security, debug, soap, multi, session) = more;
        message.transaction = transaction;
        message.security = security;
        let header = |queue| DebugHeader { flags: msmq_packet::DebugFlags(0xFFFC), reserved: 7, queue };
        message.debug = debug.map(header);
        message.soap = soap;
        message.multi_queue = multi.map(Box::new);
        message.session = session;
        // Padding that is not written would be read as zeros.
        let bytes = message.to_vec().unwrap();
        UserMessage::decode(&bytes).unwrap().into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_headers_together_keep_the_laws(message in message()) {
        laws::value(&message);
        laws::json(&message);
        let bytes = message.to_vec().unwrap();
        laws::truncations::<Packet<'_>>(&bytes);
        testkit::oracles::run("msmq_packet", &bytes);
        prop_assert_eq!(bytes[message.body_offset()..].starts_with(&message.properties.body), true);
    }

    #[test]
    fn streams_of_any_messages_are_cut_as_they_were_put_together(
        messages in prop::collection::vec(message(), 1..5),
        size in 1..300_usize,
    ) {
        let packets: Vec<Vec<u8>> = messages.iter().map(|m| m.to_vec().unwrap()).collect();
        let mut buffer = PacketBuffer::default();
        let mut got = Vec::new();
        for piece in packets.concat().chunks(size) {
            buffer.push(piece);
            while let Some(packet) = buffer.pull().unwrap() {
                got.push(packet.to_vec());
            }
        }
        prop_assert_eq!(got, packets);
    }

    #[test]
    fn what_is_sent_can_be_read_remotely(message in message(), address in any::<[u8; 4]>()) {
        let mut message = message;
        message.user.flags.0 &= !msmq_packet::UserFlags::OVER_HTTP.0;
        let packet = MessagePacket::new(message, Some(address.into()));
        let bytes = packet.to_vec().unwrap();
        prop_assert_eq!(&MessagePacket::decode(&bytes).unwrap(), &packet);
        prop_assert_eq!(packet.source(), Some(address.into()));
        laws::json(&packet);
        prop_assert!(laws::bytes::<MessagePacket<'_>>(&bytes));
    }
}
