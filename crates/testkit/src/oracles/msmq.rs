use msmq_packet::{
    Acknowledgment, MAX_PACKET, MessagePacket, Packet, PacketBuffer, Ping, UserMessage, packet_len,
};
use remassist_core::{Decode as _, DecodeError, DecodeOptions, Encode as _};

use super::Oracle;
use crate::laws;

pub(super) const ALL: &[Oracle] = &[("msmq_packet", packet), ("msmq_stream", stream)];

/// The laws of all packets; a packet is as long as its beginning says; an acknowledgment says the same in a new message.
fn packet(input: &[u8]) {
    laws::bytes::<Ping>(input);
    if laws::bytes::<UserMessage<'_>>(input) {
        assert!(laws::bytes::<Packet<'_>>(input), "a message is a packet");
    }
    if let Ok(decoded) = Packet::decode_with(input, &DecodeOptions::TOLERANT) {
        laws::bytes::<Packet<'_>>(input);
        laws::json(&decoded.value);
        let len = input.len() - decoded.rest.len();
        assert_eq!(packet_len(input), Ok(Some(len)), "the beginning says how long it is");
        if let Packet::UserMessage(message) = &decoded.value {
            acknowledgment(message);
        }
        assert_eq!(decoded.value.clone().into_owned(), decoded.value);
    }
    if laws::bytes::<MessagePacket<'_>>(input) {
        let (packet, _) = MessagePacket::decode_prefix(input).expect("it was accepted");
        laws::json(&packet);
        let _any = packet.source();
        assert_eq!(packet.clone().into_owned(), packet);
    }
}

fn acknowledgment(message: &UserMessage<'_>) {
    let Some(acknowledgment) = message.acknowledgment() else { return };
    let (id, time, to) =
        (message.user.message_identifier(), message.user.sent_time, message.user.destination_queue.clone());
    let again = match acknowledgment {
        Acknowledgment::Order(ack) => ack.message(id, time, to),
        Acknowledgment::Final(ack) => ack.message(id, time, to),
    };
    assert_eq!(again.acknowledgment(), Some(acknowledgment));
    let bytes = again.to_vec().expect("what was built can be encoded");
    assert_eq!(UserMessage::decode(&bytes).as_ref(), Ok(&again));
}

/// What one look at the whole stream finds: whole packets, and how it ends.
fn cut(mut input: &[u8]) -> (Vec<&[u8]>, Option<DecodeError>) {
    let mut packets = Vec::new();
    loop {
        match packet_len(input) {
            Ok(Some(len)) if len <= input.len() => {
                let (packet, rest) = input.split_at(len);
                packets.push(packet);
                input = rest;
            }
            Ok(_) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}

/// However a stream is cut, its packets are the same. The first byte says how long the pieces are.
fn stream(input: &[u8]) {
    let Some((size, input)) = input.split_first() else { return };
    let (packets, error) = cut(input);
    let mut expected = packets.iter();
    let mut buffer = PacketBuffer::default();
    let mut failed = None;
    for piece in input.chunks(usize::from(*size).max(1)) {
        let needed = buffer.needed();
        buffer.push(piece);
        if piece.len() < needed {
            assert_eq!(buffer.pull(), Ok(None), "not before as many bytes came as were asked for");
        }
        loop {
            match buffer.pull() {
                Ok(None) => break,
                Ok(Some(packet)) => assert_eq!(Some(&packet), expected.next()),
                Err(error) => {
                    failed = Some(error);
                    assert_eq!((buffer.pending(), buffer.needed()), (0, 0));
                    break;
                }
            }
        }
        assert!(buffer.pending() <= MAX_PACKET + 16);
    }
    assert_eq!(expected.next(), None, "all packets that are whole");
    assert_eq!(failed, error, "the same error");
}
