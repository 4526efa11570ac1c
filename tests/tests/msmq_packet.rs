//! The frames that [MS-MQQB] 4.1 prints, and packets that a script assembled from the tables of the specifications.

use msmq_packet::{
    BaseHeader, ConnectionParameters, EncryptionAlgorithm, EstablishConnection, HashAlgorithm, MessagePacket,
    OperatingSystem, Packet, Ping, PingFlags, QueueName, SecurityHeader, SessionAck, SessionHeader,
    UserMessage,
};
use remassist_core::{Decode, DecodeOptions, Encode, Format};
use serde_json::Value;
use testkit::{laws, vectors};
use uuid::Uuid;

fn frame(number: usize) -> (Value, Vec<u8>) {
    let document = vectors::json("msmq/mqqb.json");
    let frame = document["frames"][number - 1].clone();
    let whole = frame.get("reconstructed_hex").unwrap_or(&frame["hex"]);
    let bytes = vectors::hex(whole);
    (frame["decoded"].clone(), bytes)
}

fn number(value: &Value) -> u64 {
    match value {
        Value::String(text) => u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap(),
        _ => value.as_u64().unwrap(),
    }
}

#[test]
fn all_eight_frames_are_written_again_as_they_were() {
    for n in 1..=8 {
        let (_, bytes) = frame(n);
        if n <= 2 {
            assert_eq!(Ping::decode_strict(&bytes).unwrap().to_vec().unwrap(), bytes);
            assert!(laws::bytes::<Ping>(&bytes));
            laws::truncations::<Ping>(&bytes);
        } else {
            let packet = Packet::decode(&bytes).unwrap_or_else(|e| panic!("frame {n}: {e}"));
            assert_eq!(packet.to_vec().unwrap(), bytes, "frame {n}");
            assert!(laws::bytes::<Packet<'_>>(&bytes));
            laws::truncations::<Packet<'_>>(&bytes);
            laws::json(&packet);
            assert_eq!(packet.clone().into_owned(), packet);
            if n != 7 {
                Packet::decode_strict(&bytes).unwrap();
            }
        }
    }
}

fn guid(value: &Value) -> Uuid {
    vectors::text(value).parse().unwrap()
}

#[test]
fn pings_say_what_the_text_says() {
    for n in [1, 2] {
        let (told, bytes) = frame(n);
        let ping = Ping::decode(&bytes).unwrap();
        assert_eq!(u64::from(ping.flags.0), number(&told["Flags"]));
        assert_eq!(
            (u64::from(ping.cookie), ping.queue_manager),
            (number(&told["Cookie"]), guid(&told["QMGuid"]))
        );
        assert!(ping.flags.contains(PingFlags::CLIENT) && !ping.flags.contains(PingFlags::REFUSED));
    }
}

fn base_is(base: BaseHeader, told: &Value) {
    let told = &told["BaseHeader"];
    assert_eq!(u64::from(base.reserved), number(&told["Reserved"]));
    assert_eq!(u64::from(base.priority()), number(&told["Flags.PR"]));
    assert_eq!(u64::from(base.time_to_reach_queue), number(&told["TimeToReachQueue"]));
}

#[test]
fn both_ends_establish_a_connection() {
    for n in [3, 4] {
        let (told, bytes) = frame(n);
        let Ok(Packet::EstablishConnection(packet)) = Packet::decode_strict(&bytes) else {
            panic!("frame {n}")
        };
        base_is(packet.base, &told);
        let told = &told["EstablishConnectionHeader"];
        assert_eq!(packet.client_guid, guid(&told["ClientGuid"]));
        assert_eq!(packet.server_guid, guid(&told["ServerGuid"]));
        assert_eq!(u64::from(packet.time_stamp), number(&told["TimeStamp"]));
        assert_eq!(u64::from(packet.operating_system.0), number(&told["OperatingSystem"]));
        let server = OperatingSystem::NO_PING.with(OperatingSystem::SERVER);
        assert!(packet.operating_system.contains(server) && !packet.internal.is_refused());
        assert!(packet.padding.len() == 512 && packet.padding.iter().all(|b| *b == 0x5A));
        // What we would send in its place differs in the reserved byte alone.
        let mut ours =
            EstablishConnection::request(packet.client_guid, packet.server_guid, packet.time_stamp, server);
        ours.base.reserved = packet.base.reserved;
        assert_eq!(ours.to_vec().unwrap(), bytes);
        let answer = packet.response(Uuid::from_u128(7), true);
        assert_eq!((answer.client_guid, answer.time_stamp), (packet.client_guid, packet.time_stamp));
        assert!(answer.internal.is_refused() && Packet::decode_strict(&answer.to_vec().unwrap()).is_ok());
    }
}

#[test]
fn both_ends_agree_on_parameters() {
    for n in [5, 6] {
        let (told, bytes) = frame(n);
        let Ok(Packet::ConnectionParameters(packet)) = Packet::decode_strict(&bytes) else {
            panic!("frame {n}")
        };
        base_is(packet.base, &told);
        let told = &told["ConnectionParametersHeader"];
        assert_eq!(u64::from(packet.recoverable_ack_timeout), number(&told["RecoverableAckTimeout"]));
        assert_eq!(u64::from(packet.ack_timeout), number(&told["AckTimeout"]));
        let mut ours = ConnectionParameters::new(1496, 120_000, 64);
        ours.base.reserved = 0xC0;
        assert_eq!(ours, packet);
    }
}

#[test]
fn the_message_is_read_by_its_bytes_and_its_deviation_is_told() {
    let (told, bytes) = frame(7);
    let Ok(Packet::UserMessage(message)) = Packet::decode(&bytes) else { panic!("a message") };
    base_is(message.base, &told);
    let header = &told["UserHeader"];
    assert_eq!(message.user.source_queue_manager, guid(&header["SourceQueueManager"]));
    assert_eq!(u64::from(message.user.message_id), number(&header["MessageID"]));
    assert_eq!(u64::from(message.user.sent_time), number(&header["SentTime"]));
    assert_eq!(u64::from(message.user_flags().0), number(&header["Flags"]));
    assert_eq!(message.user.destination_queue, QueueName::direct("OS:a04bm02\\q"));
    let security = message.security.as_ref().unwrap();
    assert_eq!(security.sid().unwrap(), vectors::hex(&told["SecurityHeader"]["SecurityID"]));
    let properties = &message.properties;
    assert_eq!(properties.label.to_text_lossy(), "mqsender label");
    assert_eq!((properties.body.len(), properties.body_type, properties.padding.0), (2000, 8, [0; 3]));
    assert_eq!(
        (properties.hash_algorithm.name(), properties.encryption_algorithm.name()),
        (Some("SHA-1"), Some("RC4"))
    );
    assert_eq!(message.acknowledgment(), None);
    let deviations: Vec<_> = Packet::decode_with(&bytes, &DecodeOptions::TOLERANT)
        .unwrap()
        .deviations
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(deviations, ["UserHeader.AdminQueue at byte 136: reports to no queue ([MS-MQMQ] 2.2.19.2)"]);
    assert!(Packet::decode_strict(&bytes).is_err());
    // What the builder makes of the same values is the same.
    let ours = UserMessage::new(
        message.user.message_identifier(),
        message.user.sent_time,
        QueueName::direct("OS:a04bm02\\q"),
    )
    .with_label("mqsender label")
    .with_body(&*properties.body)
    .with_body_type(8)
    .with_time_to_reach_queue(345_600)
    .with_admin_queue(QueueName::None, properties.flags)
    .with_security(SecurityHeader::of_sid(security.sid().unwrap()));
    let mut ours = ours;
    ours.properties.hash_algorithm = HashAlgorithm::SHA1;
    ours.properties.encryption_algorithm = EncryptionAlgorithm::RC4;
    assert_eq!(ours.to_vec().unwrap(), bytes);
}

#[test]
fn a_session_is_acknowledged() {
    let (told, bytes) = frame(8);
    let Ok(Packet::SessionAck(packet)) = Packet::decode_strict(&bytes) else { panic!("a SessionAck") };
    base_is(packet.base, &told);
    let expected = SessionHeader {
        ack_sequence_number: 1,
        recoverable_ack_sequence_number: 0,
        recoverable_ack_flags: 0,
        user_sequence_number: 0,
        recoverable_sequence_number: 0,
        window_size: 64,
        reserved: 0,
    };
    assert_eq!(packet.session, expected);
    let mut ours = SessionAck::new(expected);
    ours.base.reserved = 205;
    assert_eq!(ours.to_vec().unwrap(), bytes);
    assert_eq!(packet.session.on_disk().count(), 0);
    let some = SessionHeader {
        recoverable_ack_sequence_number: 0xFFFF,
        recoverable_ack_flags: 0x8000_0005,
        ..expected
    };
    assert_eq!(some.on_disk().collect::<Vec<_>>(), [0xFFFF, 1, 30]);
}

/// Name, offset and bytes of every field but padding, as the trace tells them.
fn fields<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Vec<(String, u64, String)> {
    let decoded = T::decode_with(bytes, &DecodeOptions::STRICT.with_trace(true)).unwrap();
    assert!(decoded.rest.is_empty());
    let leaves = decoded.trace.iter().filter(|e| e.format != Format::Group && e.at.field != "(padding)");
    leaves
        .map(|e| {
            let value = &bytes[e.offset..e.offset + e.len];
            (e.at.to_string(), e.offset as u64, format!("{:x}", remassist_core::Hex(value)))
        })
        .collect()
}

#[test]
fn every_field_of_every_header_is_where_the_tables_have_it() {
    let document = vectors::json("msmq/packets.json");
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() >= 55, "{}", cases.len());
    for case in cases {
        let (name, bytes) = (vectors::text(&case["name"]), vectors::hex(&case["hex"]));
        let told: Vec<(String, u64, String)> = case["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| {
                (vectors::text(&f[0]).to_owned(), f[1].as_u64().unwrap(), vectors::text(&f[2]).to_owned())
            })
            .collect();
        macro_rules! is {
            ($type:ty) => {{
                let value = <$type>::decode_strict(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(fields::<$type>(&bytes), told, "{name}");
                assert_eq!(value.to_vec().unwrap(), bytes, "{name}");
                laws::json(&value);
                let owned: &'static [u8] = bytes.clone().leak();
                laws::value(&<$type>::decode(owned).unwrap());
            }};
        }
        match vectors::text(&case["type"]) {
            "ping" => is!(Ping),
            "packet" => is!(Packet<'_>),
            _ => {
                let packet = MessagePacket::decode_strict(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(fields::<MessagePacket<'_>>(&bytes), told, "{name}");
                assert_eq!(packet.to_vec().unwrap(), bytes, "{name}");
                laws::json(&packet);
                laws::value(&packet.into_owned());
            }
        }
        testkit::oracles::run("msmq_packet", &bytes);
    }
}
