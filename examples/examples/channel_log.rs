//! Decodes messages of the channel RC_CTL, one per line in hexadecimal digits, and tells what was wrong with each.

use std::error::Error;

use remassist::channel::{ControlPayload, Data};
use remassist::core::{Decode as _, DecodeOptions, from_hex};

/// A handshake as xfreerdp and a server with a foolish version make it, and a message that was cut off.
const CAPTURED: &str = "\
0e0000000c000000520043005f00430054004c000000060000000100000002000000
0e0000000c000000520043005f00430054004c000000060000000100000009000000
0e00000008000000520043005f00430054004c0000000200000029000000
0e00000008000000520043005f00430054004c00000002000000290000";

fn main() -> Result<(), Box<dyn Error>> {
    for line in CAPTURED.lines() {
        let bytes = from_hex(line).ok_or("not hexadecimal")?;
        let decoded = match ControlPayload::decode_with(&bytes, &DecodeOptions::TOLERANT) {
            Ok(decoded) => decoded,
            Err(error) => {
                println!("refused: {error}");
                continue;
            }
        };
        for packet in &decoded.value.packets {
            match &packet.data {
                Data::Control(message) => println!("{message:?}"),
                other => println!("payload of another channel: {other:?}"),
            }
        }
        for deviation in &decoded.deviations {
            println!("  against the specification: {deviation}");
        }
    }
    Ok(())
}
