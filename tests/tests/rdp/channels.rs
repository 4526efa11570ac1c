//! Chunks of static channels and PDUs of dynamic ones that a peer may not send ([MS-RDPBCGR] 2.2.6.1, [MS-RDPEDYC] 2.2).

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use ra_rdp::Security;
use ra_session::{Event, FileEvent, FileOffer, Reason, Role, Version};

use crate::pair::{Pair, Seen, Setup};
use crate::relay::Relay;
use crate::tools::Random;

/// Most bytes of a channel message ([`ExpertOptions::message_limit`](ra_rdp::ExpertOptions)).
const LIMIT: u32 = 1 << 20;
const FIRST: u32 = 1;
const LAST: u32 = 2;
const COMPRESSED: u32 = 0x0020_0000;
const AT_FRONT: u32 = 0x0040_0000;
const FLUSHED: u32 = 0x0080_0000;

/// A chunk of a static channel in an MCS Send Data Request or Indication without encryption: its length and flags, and
/// what is in it.
fn chunk(frame: &mut [u8]) -> Option<(&mut [u8; 4], &mut [u8; 4], &mut [u8])> {
    let (0x64 | 0x68, channel) = (*frame.get(7)?, u16::from_be_bytes([*frame.get(10)?, *frame.get(11)?]))
    else {
        return None;
    };
    // The I/O channel is 1003.
    if frame[0] != 3 || !(1004..=1006).contains(&channel) {
        return None;
    }
    let start = if frame[13] & 0x80 == 0 { 14 } else { 15 };
    let (length, rest) = frame[start..].split_first_chunk_mut()?;
    let (flags, data) = rest.split_first_chunk_mut()?;
    Some((length, flags, data))
}

/// What somebody does to a chunk: its length, its flags, its data.
type Change = fn(&mut u32, &mut u32, &mut [u8]);

/// How the receiver ends when this happens to the next chunk that is sent to it.
async fn changed(from: Role, change: Change) -> (Option<Reason>, Result<(), String>) {
    let armed = Arc::new(Mutex::new(false));
    let trigger = Arc::clone(&armed);
    let mut setup = Setup::new(Version::V2, Security::Rdp);
    setup.relay = Some(Relay::looking(move |sender, frame| {
        let mut armed = trigger.lock().unwrap();
        if !*armed || sender != from {
            return;
        }
        let wanted = |data: &[u8]| data.windows(4).any(|two| two == b"H\0e\0");
        if let Some((length, flags, data)) = chunk(frame).filter(|(_, _, data)| wanted(data)) {
            let (mut l, mut f) = (u32::from_le_bytes(*length), u32::from_le_bytes(*flags));
            change(&mut l, &mut f, data);
            (*length, *flags) = (l.to_le_bytes(), f.to_le_bytes());
            *armed = false;
        }
    }));
    let mut pair = Pair::of(setup).await;
    pair.establish().await;
    *armed.lock().unwrap() = true;
    pair.side(from).say("Hello");
    // After a chunk that is not the last one.
    pair.side(from).say("Hello again");
    let [expert, novice] = pair.ends().await;
    assert!(!*armed.lock().unwrap(), "no chunk came");
    if from == Role::Expert { novice } else { expert }
}

async fn refused(changes: &[(&str, Change)]) {
    for from in [Role::Expert, Role::Novice] {
        for (words, change) in changes {
            let words = format!("the peer does not keep to RDP: {words}");
            assert_eq!(changed(from, *change).await, (Some(Reason::ConnectionLost), Err(words)), "{from:?}");
        }
    }
}

#[tokio::test]
async fn chunks_that_are_compressed() {
    // Nobody has offered it; types 0 to 3 of [MS-RDPBCGR] 2.2.6.1.1.
    let words = "a compressed chunk, though compression was not offered";
    refused(&[
        (words, |_, flags, _| *flags |= COMPRESSED),
        (words, |_, flags, _| *flags |= COMPRESSED | 0x0003_0000),
        (words, |_, flags, _| *flags |= AT_FRONT),
        (words, |_, flags, _| *flags |= FLUSHED),
    ])
    .await;
}

#[tokio::test]
async fn chunks_out_of_order() {
    let words = "a chunk out of order";
    refused(&[
        (words, |_, flags, _| *flags &= !FIRST),
        // The middle of a message that has no beginning.
        (words, |length, flags, _| {
            *length += 1;
            *flags &= !(FIRST | LAST);
        }),
        // The next message begins within it.
        (words, |length, flags, _| {
            *length += 1;
            *flags &= !LAST;
        }),
    ])
    .await;
}

#[tokio::test]
async fn chunks_of_a_wrong_length() {
    refused(&[
        ("a channel message that is too long", |length, _, _| *length = LIMIT + 1),
        ("a channel message that is too long", |length, _, _| *length = u32::MAX),
        ("a channel message that is too long", |length, flags, _| {
            *length = LIMIT + 1;
            *flags &= !LAST;
        }),
        ("a chunk out of order", |length, _, _| *length += 1),
        ("a chunk out of order", |length, _, _| *length -= 1),
        ("chunks that are longer than their message", |length, flags, _| {
            *length -= 1;
            *flags &= !LAST;
        }),
        ("chunks that are longer than their message", |length, flags, _| {
            *length = 0;
            *flags &= !LAST;
        }),
    ])
    .await;
}

/// Chat has a dynamic channel: Cmd 3 (data), an id of one byte, and text.
#[tokio::test]
async fn dynamic_messages_that_are_wrong() {
    fn is_data(data: &[u8]) {
        assert_eq!(data[0], 0x30, "{data:02x?}");
    }
    refused(&[
        // The text, taken for a length of four bytes.
        ("a dynamic message that is too long", |_, _, data| {
            is_data(data);
            data[0] = 0x28;
        }),
        ("a dynamic message that is longer than it says", |_, _, data| {
            is_data(data);
            (data[0], data[2]) = (0x20, 1);
        }),
        ("a PDU of a dynamic channel that cannot be read", |_, _, data| {
            is_data(data);
            data[0] = 0xF0;
        }),
    ])
    .await;
}

/// A block of a file of version 1 is a message of 409,600 bytes.
#[tokio::test]
async fn messages_of_many_chunks() {
    for from in [Role::Expert, Role::Novice] {
        for (limit, taken) in [(409_600, true), (409_599, false)] {
            let mut setup = Setup::new(Version::V1, Security::Rdp);
            (setup.novice.message_limit, setup.expert.message_limit) = (limit, limit);
            let mut pair = Pair::of(setup).await;
            pair.establish().await;
            pair.side(from).send_file(FileOffer::new("long", 409_600), Random(1).take(409_600));
            if taken {
                let complete =
                    |seen: &Seen| matches!(seen, Seen::Session(Event::File(FileEvent::Complete { .. })));
                pair.until(|role, seen| role == from.peer() && complete(seen)).await;
                continue;
            }
            let [expert, novice] = pair.ends().await;
            let end = if from == Role::Expert { novice } else { expert };
            let words = "the peer does not keep to RDP: a dynamic message that is too long".to_owned();
            assert_eq!(end, (Some(Reason::ConnectionLost), Err(words)), "{from:?}");
        }
    }
}
