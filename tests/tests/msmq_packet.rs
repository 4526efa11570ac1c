//! The frames that [MS-MQQB] 4.1 prints.

use msmq_packet::{
    ConnectionParameters, EstablishConnection, OperatingSystem, Packet, Ping, QueueName, SessionAck,
    SessionHeader, UserMessage,
};
use remassist_core::{Decode, DecodeOptions, Encode};
use serde_json::{Value, json};
use testkit::{laws, vectors};

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

fn deviations<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Vec<String> {
    let decoded = T::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
    decoded.deviations.iter().map(ToString::to_string).collect()
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
