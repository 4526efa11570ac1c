//! Where fuzz targets get in.

use bytes::{Buf as _, BytesMut};
use ra_session::{Channel, Role};

use crate::channels::{Brought, Channels, Ids};
use crate::chunk::user_data;

/// MCS channels of remdesk, encomsp and drdynvc.
const IDS: Ids = Ids { initiator: 1007, remdesk: Some(1004), encomsp: Some(1005), drdynvc: Some(1006) };
/// Most bytes of a message.
const LIMIT: usize = 1 << 16;
/// Most bytes that are answered for each byte that comes.
const ANSWER: usize = 64;

/// Takes pieces of an input as user data of the three channels: a byte for the channel, two for the length, the data. Panics when a message is longer than the limit, or when much more is answered than was sent.
#[expect(clippy::panic, reason = "a broken law")]
pub fn channels(input: &[u8]) {
    for role in [Role::Expert, Role::Novice] {
        let mut channels = Channels::new(role, IDS, LIMIT);
        if role == Role::Novice {
            channels.start();
            for channel in [Channel::Control, Channel::Chat, Channel::Commands] {
                channels.create(channel);
            }
        }
        let (mut rest, mut out) = (input, BytesMut::new());
        while let Some(([channel, low, high], data)) = rest.split_first_chunk::<3>() {
            let len = usize::from(u16::from_le_bytes([*low, *high])).min(data.len());
            let (data, after) = data.split_at_checked(len).unwrap_or((data, &[]));
            rest = after;
            match channels.receive(1004_u16.saturating_add(u16::from(channel % 3)), data) {
                Ok(Some(Brought::Data(_, message))) if message.len() > LIMIT => panic!("too long"),
                Ok(_) => {}
                Err(_) => break,
            }
            if channels.flush(&mut out).is_err() {
                break;
            }
        }
        let most = input.len().saturating_mul(ANSWER).saturating_add(4096);
        assert!(out.len() <= most, "{} bytes answered to {}", out.len(), input.len());
    }
}

/// Has both sides talk as the input says, and panics unless each message arrives whole and in order: a byte for channel and
/// sender, two for the length.
#[expect(clippy::panic, reason = "a broken law")]
pub fn conversation(input: &[u8]) {
    let mut sides = [Role::Expert, Role::Novice].map(|role| Channels::new(role, IDS, LIMIT));
    let [expert, novice] = &mut sides;
    novice.start();
    let dynamic = [Channel::Control, Channel::Chat, Channel::Commands];
    dynamic.iter().for_each(|channel| novice.create(*channel));
    let mut out = BytesMut::new();
    // Capabilities, their answer, what is created, its answers.
    for _ in 0..2 {
        carry(novice, expert, Role::Expert, &mut out);
        carry(expert, novice, Role::Novice, &mut out);
    }
    for (n, [what, low, high]) in input.as_chunks::<3>().0.iter().take(64).enumerate() {
        let [control, chat, commands] = dynamic;
        let all = [Channel::Remdesk, Channel::Encomsp, control, chat, commands];
        let Some(channel) = all.get(usize::from(what >> 1).checked_rem(all.len()).unwrap_or(0)) else {
            return;
        };
        let mut message =
            vec![u8::try_from(n).unwrap_or_default(); usize::from(u16::from_le_bytes([*low, *high]))];
        message.extend_from_slice(&[*what, *low, *high]);
        message.truncate(LIMIT);
        let (from, to, reader) = match what & 1 {
            0 => (&mut *expert, &mut *novice, Role::Novice),
            _ => (&mut *novice, &mut *expert, Role::Expert),
        };
        let Ok(()) = from.send(*channel, &message[..], &mut out) else { panic!("not sent") };
        let came = carry(from, to, reader, &mut out);
        let [Brought::Data(on, bytes)] = came.as_slice() else { panic!("{} came", came.len()) };
        assert!(on == channel && *bytes == message, "another message on {channel}");
    }
}

/// Brings what one side has to send to the other, frame by frame.
#[expect(clippy::panic, reason = "a broken law")]
fn carry(from: &mut Channels, to: &mut Channels, reader: Role, out: &mut BytesMut) -> Vec<Brought> {
    let Ok(()) = from.flush(out) else { panic!("not sent") };
    let mut came = Vec::new();
    while let Some([_, _, high, low]) = out.first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let frame = out.split_to(len.min(out.remaining()));
        let Some((channel, data)) = user_data(reader, &frame) else { panic!("no user data") };
        match to.receive(channel, &data) {
            Ok(brought) => came.extend(brought),
            Err(_) => panic!("refused"),
        }
    }
    came
}
