//! A stream of packets: cut anywhere, it gives the same packets, and it holds no more than one.

use std::process::Command;

use msmq_packet::{
    BaseHeader, MAX_PACKET, MessageIdentifier, Packet, PacketBuffer, QueueName, SessionAck, SessionHeader,
    UserMessage, packet_len,
};
use remassist_core::{Decode, DecodeErrorKind, Encode};
use testkit::memory::{Counting, memory, most_memory};
use testkit::vectors;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn session() -> SessionHeader {
    SessionHeader {
        ack_sequence_number: 1,
        recoverable_ack_sequence_number: 0,
        recoverable_ack_flags: 0,
        user_sequence_number: 1,
        recoverable_sequence_number: 0,
        window_size: 64,
        reserved: 0,
    }
}

fn message(body: usize) -> UserMessage<'static> {
    let id = MessageIdentifier { queue_manager: uuid::Uuid::from_u128(1), ordinal: 2 };
    UserMessage::new(id, 3, QueueName::direct("OS:srv\\private$\\app")).with_body(vec![0xB0; body])
}

/// Packets of all types, one of them with a SessionHeader that PacketSize does not count.
fn packets() -> Vec<Vec<u8>> {
    let document = vectors::json("msmq/mqqb.json");
    let frames = document["frames"].as_array().unwrap();
    let mut packets: Vec<_> = [4, 7].iter().map(|n| vectors::hex(&frames[*n]["hex"])).collect();
    let mut with_session = message(5);
    with_session.session = Some(session());
    let bytes = with_session.to_vec().unwrap();
    assert_eq!(
        u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize + SessionHeader::LEN,
        bytes.len()
    );
    packets.push(bytes);
    packets.push(message(0).to_vec().unwrap());
    packets
}

#[test]
fn a_stream_that_is_cut_at_any_byte_gives_the_same_packets() {
    let packets = packets();
    let stream = packets.concat();
    for cut in 0..=stream.len() {
        let mut buffer = PacketBuffer::default();
        let mut got = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            buffer.push(piece);
            while let Some(packet) = buffer.pull().unwrap() {
                got.push(packet.to_vec());
            }
        }
        assert_eq!(got, packets, "cut at {cut}");
        assert_eq!(buffer.pending(), 0);
    }
}

#[test]
fn it_says_how_many_bytes_are_needed() {
    for packet in packets() {
        let mut buffer = PacketBuffer::default();
        let mut position = 0;
        while position < packet.len() {
            assert!(buffer.pull().unwrap().is_none());
            let needed = buffer.needed();
            assert!(needed > 0 && position + needed <= packet.len());
            buffer.push(&packet[position..position + needed]);
            position += needed;
        }
        assert_eq!(buffer.needed(), 0);
        assert_eq!(buffer.pull().unwrap().unwrap(), packet);
        assert_eq!(buffer.needed(), BaseHeader::LEN);
        assert_eq!(packet_len(&packet), Ok(Some(packet.len())));
        assert_eq!(packet_len(&packet[..15]), Ok(None));
        assert_eq!(packet_len(&packet[..16]), Ok(Some(packet.len())));
    }
}

#[test]
fn what_is_no_stream_of_packets_stays_wrong() {
    for (at, value, text) in [
        (0, 0x11, "BaseHeader.VersionNumber at byte 0: value 0x11 is not allowed here ([MS-MQMQ] 2.2.19.1)"),
        (4, b'X', "BaseHeader.Signature at byte 4: not the signature LIOR ([MS-MQMQ] 2.2.19.1)"),
        (
            10,
            0x41,
            "BaseHeader.PacketSize at byte 8: length or offset 4259872 does not fit its container of 4194304 ([MS-MQMQ] 2.2.19.1)",
        ),
        (
            8,
            15,
            "BaseHeader.PacketSize at byte 8: length or offset 15 does not fit its container of 4194304 ([MS-MQMQ] 2.2.19.1)",
        ),
    ] {
        let first = packets().swap_remove(0);
        let mut stream = first.clone();
        stream.extend(&first);
        stream[first.len() + at] = value;
        let mut buffer = PacketBuffer::default();
        buffer.push(&stream);
        assert_eq!(buffer.pull().unwrap().unwrap(), first);
        let error = buffer.pull().unwrap_err();
        assert_eq!(error.to_string(), text);
        buffer.push(&first);
        assert_eq!(buffer.pull().unwrap_err(), error, "it is the same later");
        assert_eq!((buffer.pending(), buffer.needed()), (0, 0));
    }
}

#[test]
fn a_limit_refuses_a_packet_as_soon_as_its_header_is_there() {
    let bytes = message(10_000).to_vec().unwrap();
    let mut buffer = PacketBuffer::new(4096);
    buffer.push(&bytes[..BaseHeader::LEN]);
    let error = buffer.pull().unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::LimitExceeded { limit: "packet bytes", max: 4096 });
    let mut buffer = PacketBuffer::new(bytes.len());
    buffer.push(&bytes);
    assert!(buffer.pull().unwrap().is_some());
}

#[test]
fn the_largest_message_fills_a_packet_and_one_more_byte_is_too_much() {
    let empty = message(0).encoded_len();
    let largest = message(MAX_PACKET - empty).to_vec().unwrap();
    assert_eq!(largest.len(), MAX_PACKET);
    let packet = Packet::decode_strict(&largest).unwrap();
    assert_eq!(packet.encoded_len(), MAX_PACKET);
    let error = message(MAX_PACKET - empty + 1).to_vec().unwrap_err();
    assert_eq!(
        error.to_string(),
        "BaseHeader.PacketSize: 4194308 is more than the 4194304 that fit ([MS-MQMQ] 2.2.19.1)"
    );
    // The SessionHeader is not counted.
    let mut with_session = message(MAX_PACKET - empty);
    with_session.session = Some(session());
    let bytes = with_session.to_vec().unwrap();
    assert_eq!(bytes.len(), MAX_PACKET + SessionHeader::LEN);
    let mut buffer = PacketBuffer::default();
    buffer.push(&bytes);
    assert_eq!(buffer.pull().unwrap().unwrap(), bytes);
    assert_eq!(Packet::decode(&bytes).unwrap(), Packet::UserMessage(with_session));
}

/// Runs a test below in a process of its own, where nothing else allocates.
fn alone(name: &str) {
    let program = std::env::current_exe().unwrap();
    let status =
        Command::new(program).args(["--exact", name, "--ignored", "--test-threads=1"]).status().unwrap();
    assert!(status.success(), "{name}");
}

#[test]
fn memory_is_bounded_by_what_came() {
    alone("memory_alone");
}

#[test]
#[ignore = "in a process of its own"]
fn memory_alone() {
    // A header that promises 4 MiB reserves nothing.
    let mut header = message(MAX_PACKET / 2).to_vec().unwrap();
    header.truncate(64);
    let (before, _) = (memory(), most_memory());
    let mut buffer = PacketBuffer::default();
    buffer.push(&header);
    assert!(buffer.pull().unwrap().is_none());
    assert!(Packet::decode(&header).is_err());
    assert!(most_memory() - before < 1024, "{}", most_memory() - before);
    drop(buffer);

    // A body is borrowed: decoding 4 MiB allocates nothing of that size.
    let empty = message(0).encoded_len();
    let largest = message(MAX_PACKET - empty).to_vec().unwrap();
    let (before, _) = (memory(), most_memory());
    let packet = Packet::decode(&largest).unwrap();
    assert!(most_memory() - before < 1024);
    drop(packet);

    // Many packets through one buffer hold no more than one packet and one push.
    let ack = SessionAck::new(session()).to_vec().unwrap();
    let stream = ack.repeat(50_000);
    let (before, _) = (memory(), most_memory());
    let mut buffer = PacketBuffer::default();
    let mut count = 0;
    for piece in stream.chunks(1000) {
        buffer.push(piece);
        while buffer.pull().unwrap().is_some() {
            count += 1;
        }
    }
    assert_eq!(count, 50_000);
    assert!(most_memory() - before < 4096, "{}", most_memory() - before);

    // Elements of lists are not reserved by their count.
    let document = vectors::json("msmq/packets.json");
    let cases = document["cases"].as_array().unwrap();
    let many = vectors::hex(&cases.iter().find(|c| c["name"] == "many queues").unwrap()["hex"]);
    let at = many.windows(4).position(|w| w == 5_u32.to_le_bytes()).unwrap();
    let mut hostile = many.clone();
    hostile[at..at + 4].copy_from_slice(&60_000_u32.to_le_bytes());
    let (before, _) = (memory(), most_memory());
    assert!(Packet::decode(&hostile).is_err());
    assert!(most_memory() - before < 4096, "{}", most_memory() - before);
}
