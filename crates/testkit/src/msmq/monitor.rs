//! What may be acknowledged, and how much may be on its way, known by the codec alone.

use std::collections::BTreeSet;

use msmq_packet::{DeliveryMode, Packet, PacketBuffer};
use remassist_core::Decode;

/// Reads along what one end sends, and what comes to it, by the codec alone.
#[derive(Default)]
pub(super) struct Monitor {
    pub(super) sends: PacketBuffer,
    pub(super) hears: PacketBuffer,
    /// Messages sent and acknowledged.
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    /// Of each message that came: whether it is recoverable; and how many are settled.
    pub(super) came: Vec<bool>,
    pub(super) settled: BTreeSet<u64>,
    pub(super) window: u64,
}

impl Monitor {
    /// What was sent never exceeds the window, and never acknowledges what is not settled.
    pub(super) fn sends(&mut self, bytes: &[u8]) {
        self.sends.push(bytes);
        while let Some(packet) = self.sends.pull().expect("what is sent is packets") {
            let packet = Packet::decode_strict(packet).expect("what is sent keeps the rules");
            let header = match packet {
                Packet::SessionAck(ack) => Some(ack.session),
                Packet::UserMessage(message) => {
                    self.sent += 1;
                    assert!(self.sent - self.acknowledged <= self.window, "more than the window");
                    message.session
                }
                _ => None,
            };
            let Some(header) = header else { continue };
            let settled = (1..).take_while(|n| self.settled.contains(n)).count();
            let recoverable = self.came[..settled].iter().filter(|r| **r).count();
            let all = u16::try_from(settled & 0xFFFF).unwrap();
            assert!(
                all.wrapping_sub(header.ack_sequence_number) < 0x8000,
                "acknowledges what is not settled"
            );
            if header.recoverable_ack_flags != 0 {
                let highest = 31 - header.recoverable_ack_flags.leading_zeros();
                let last = header.recoverable_ack_sequence_number.wrapping_add(highest as u16);
                let stored = u16::try_from(recoverable & 0xFFFF).unwrap();
                assert!(stored.wrapping_sub(last) < 0x8000, "acknowledges what is not stored");
            }
        }
    }

    pub(super) fn hears(&mut self, bytes: &[u8]) {
        self.hears.push(bytes);
        while let Some(packet) = self.hears.pull().expect("what comes is packets") {
            let packet = Packet::decode(packet).unwrap();
            let header = match &packet {
                Packet::SessionAck(ack) => Some(ack.session),
                Packet::UserMessage(message) => {
                    self.came.push(message.user.delivery_mode() == DeliveryMode::RECOVERABLE);
                    message.session
                }
                _ => None,
            };
            if let Some(header) = header {
                let low = u16::try_from(self.acknowledged & 0xFFFF).unwrap();
                self.acknowledged += u64::from(header.ack_sequence_number.wrapping_sub(low));
            }
        }
    }
}
