//! Packets of MSMQ ([MS-MQMQ] 2.2.20), beside a copy of the same bytes.

use std::hint::black_box;

use msmq_packet::{
    MAX_PACKET, MessageIdentifier, Packet, PacketBuffer, QueueName, TransactionHeader, TxSequenceId,
    UserMessage,
};
use remassist_core::{Decode, Encode};
use testkit::bench::{heading, ratio};
use uuid::uuid;

/// A queued component message as a sender of COM+ makes it.
fn message(body: usize) -> UserMessage<'static> {
    let queue_manager = uuid!("0f0e0d0c-0b0a-0908-0706-050403020100");
    let transaction = TransactionHeader::single(TxSequenceId::new(5, 9), 1, 0);
    UserMessage::new(
        MessageIdentifier { queue_manager, ordinal: 7 },
        1,
        QueueName::direct("OS:srv\\private$\\App"),
    )
    .with_label("App")
    .with_extension(vec![0xEE; 16])
    .with_body(vec![0xB0; body])
    .in_transaction(transaction)
}

fn main() {
    heading("msmq: one message, against one copy of its bytes");
    let largest = MAX_PACKET - message(0).encoded_len();
    for (name, body, encode_goal, decode_goal) in
        [("1 KiB", 1 << 10, 6.0, 12.0), ("64 KiB", 1 << 16, 1.3, 0.5), ("4 MiB", largest, 1.2, 0.01)]
    {
        let message = message(body);
        let bytes = message.to_vec().unwrap();
        let copy = || _ = black_box(black_box(&bytes[..]).to_vec());
        ratio(
            &format!("UserMessage to_vec, {name}"),
            encode_goal,
            || _ = black_box(black_box(&message).to_vec().unwrap()),
            copy,
        );
        ratio(
            &format!("Packet decode_strict, {name}"),
            decode_goal,
            || _ = black_box(Packet::decode_strict(black_box(&bytes)).unwrap()),
            copy,
        );
    }

    heading("msmq: a stream of 1 MiB, in pieces of 64 KiB, against a copy of it");
    for (name, body) in [("1 KiB", 1 << 10), ("16 KiB", 1 << 14)] {
        let packet = message(body).to_vec().unwrap();
        let stream = packet.repeat((1 << 20) / packet.len());
        let cut = |decode: bool| {
            let mut buffer = PacketBuffer::default();
            let mut count = 0;
            for piece in black_box(&stream).chunks(1 << 16) {
                buffer.push(piece);
                while let Some(packet) = buffer.pull().unwrap() {
                    count += usize::from(!decode || Packet::decode(packet).is_ok());
                }
            }
            black_box(count);
        };
        let copy = || _ = black_box(black_box(&stream[..]).to_vec());
        ratio(&format!("PacketBuffer, messages of {name}"), 2.0, || cut(false), copy);
        ratio(&format!("PacketBuffer and decode, messages of {name}"), 15.0, || cut(true), copy);
    }
}
