//! What the figures draw.

use expect_test::{Expect, expect};
use ra_session::{
    Event, FileEvent, FileFailure, FileName, FileOffer, Input, Misuse, OwnContact, Receiving, Sending,
    TransferId, Version,
};
use rccommand::{Contact, ContactTime, InternalData, RsaPublicKey};
use remassist_core::Time;

use crate::pair::{MODES, Mode, Pair, Who};

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// The whole of figure 11: two blocks and a half.
fn figure_11(mode: Mode, who: Who, expected: Expect) {
    let block = if mode.0 == Version::V1 { 409_600 } else { 1024 };
    let mut pair = Pair::new(mode);
    pair.log();
    pair.send(who, "20070130182140.xml", &bytes(block * 2 + block / 2));
    expected.assert_eq(&pair.log());
    pair.assert_works();
}

#[test]
fn version_1_expert_static() {
    figure_11(
        (Version::V1, false),
        Who::Expert,
        expect![[r#"
        Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="1024000" CHANNELID="1000.612009461"/>
        Novice: remdesk/1000.612009461 FILEXFERACK (24 bytes)
        Expert: remdesk/1000.612009461 409600 bytes
        Expert: remdesk/1000.612009461 409600 bytes
        Expert: remdesk/1000.612009461 204800 bytes
        Expert: remdesk/1000.612009461 FILEXFEREND (24 bytes)
    "#]],
    );
}

#[test]
fn version_1_novice_static() {
    figure_11(
        (Version::V1, false),
        Who::Novice,
        expect![[r#"
        Novice: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="1024000" CHANNELID="192.0.2.10.612009461"/>
        Expert: remdesk/192.0.2.10.612009461 FILEXFERACK (24 bytes)
        Novice: remdesk/192.0.2.10.612009461 409600 bytes
        Novice: remdesk/192.0.2.10.612009461 409600 bytes
        Novice: remdesk/192.0.2.10.612009461 204800 bytes
        Novice: remdesk/192.0.2.10.612009461 FILEXFEREND (24 bytes)
    "#]],
    );
}

#[test]
fn version_1_expert_dynamic() {
    figure_11(
        (Version::V1, true),
        Who::Expert,
        expect![[r#"
        Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="1024000" CHANNELID="1000.612009461"/>
        Novice: open 1000.612009461
        Novice: 1000.612009461 FILEXFERACK (24 bytes)
        Expert: 1000.612009461 409600 bytes
        Expert: 1000.612009461 409600 bytes
        Expert: 1000.612009461 204800 bytes
        Expert: 1000.612009461 FILEXFEREND (24 bytes)
        Novice: close 1000.612009461
    "#]],
    );
}

#[test]
fn version_1_novice_dynamic() {
    figure_11(
        (Version::V1, true),
        Who::Novice,
        expect![[r#"
        Novice: open 192.0.2.10.612009461
        Novice: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="1024000" CHANNELID="192.0.2.10.612009461"/>
        Expert: 192.0.2.10.612009461 FILEXFERACK (24 bytes)
        Novice: 192.0.2.10.612009461 409600 bytes
        Novice: 192.0.2.10.612009461 409600 bytes
        Novice: 192.0.2.10.612009461 204800 bytes
        Novice: 192.0.2.10.612009461 FILEXFEREND (24 bytes)
        Novice: close 192.0.2.10.612009461
    "#]],
    );
}

#[test]
fn version_2_expert_static() {
    figure_11(
        (Version::V2, false),
        Who::Expert,
        expect![[r#"
        Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="2560" CHANNELID="RA_FX"/>
        Novice: remdesk/RA_FX FILEXFERACK (24 bytes)
        Expert: remdesk/RA_FX 1024 bytes
        Expert: remdesk/RA_FX 1024 bytes
        Expert: remdesk/RA_FX 512 bytes
        Expert: remdesk/RA_FX FILEXFEREND (24 bytes)
    "#]],
    );
}

#[test]
fn version_2_novice_static() {
    figure_11(
        (Version::V2, false),
        Who::Novice,
        expect![[r#"
        Novice: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="2560" CHANNELID="RA_FX"/>
        Expert: remdesk/RA_FX FILEXFERACK (24 bytes)
        Novice: remdesk/RA_FX 1024 bytes
        Novice: remdesk/RA_FX 1024 bytes
        Novice: remdesk/RA_FX 512 bytes
        Novice: remdesk/RA_FX FILEXFEREND (24 bytes)
    "#]],
    );
}

#[test]
fn version_3_expert_dynamic() {
    figure_11(
        (Version::V3, true),
        Who::Expert,
        expect![[r#"
        Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="2560" CHANNELID="RA_FX"/>
        Novice: open RA_FX
        Novice: RA_FX FILEXFERACK (24 bytes)
        Expert: RA_FX 1024 bytes
        Expert: RA_FX 1024 bytes
        Expert: RA_FX 512 bytes
        Expert: RA_FX FILEXFEREND (24 bytes)
        Novice: close RA_FX
    "#]],
    );
}

#[test]
fn version_3_novice_dynamic() {
    figure_11(
        (Version::V3, true),
        Who::Novice,
        expect![[r#"
        Novice: open RA_FX
        Novice: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="20070130182140.xml" FILESIZE="2560" CHANNELID="RA_FX"/>
        Expert: RA_FX FILEXFERACK (24 bytes)
        Novice: RA_FX 1024 bytes
        Novice: RA_FX 1024 bytes
        Novice: RA_FX 512 bytes
        Novice: RA_FX FILEXFEREND (24 bytes)
        Novice: close RA_FX
    "#]],
    );
}

#[test]
fn every_length_around_a_block_arrives() {
    for mode in [(Version::V2, false), (Version::V3, true)] {
        let mut pair = Pair::new(mode);
        for len in [0, 1, 23, 24, 30, 1023, 1024, 1025, 2047, 2048, 2049, 10_000] {
            for who in Who::BOTH {
                pair.send(who, "x", &bytes(len));
            }
        }
    }
    let mut pair = Pair::new((Version::V1, true));
    for len in [0, 1, 1024, 409_599, 409_600, 409_601] {
        for who in Who::BOTH {
            pair.send(who, "x", &bytes(len));
        }
    }
}

#[test]
fn an_empty_file_is_acknowledged_and_ended() {
    let mut pair = Pair::new((Version::V2, false));
    pair.log();
    pair.send(Who::Expert, "empty", b"");
    expect![[r#"
        Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="empty" FILESIZE="0" CHANNELID="RA_FX"/>
        Novice: remdesk/RA_FX FILEXFERACK (24 bytes)
        Expert: remdesk/RA_FX FILEXFEREND (24 bytes)
    "#]]
    .assert_eq(&pair.log());
}

/// A small file through `send_bytes`: nothing to do but to accept it.
#[test]
fn the_session_hands_over_small_files_by_itself() {
    for mode in MODES {
        for who in Who::BOTH {
            let mut pair = Pair::new(mode);
            for data in [bytes(5000), Vec::new()] {
                let id = pair.files(who).send_bytes("small", data.clone()).unwrap();
                pair.run();
                let theirs = pair.offered(who.peer());
                pair.files(who.peer()).accept(theirs).unwrap();
                pair.run();
                assert_eq!(pair.complete(who.peer()), Some(data));
                assert_eq!(pair.told(who), format!("Sent {}\n", id.0));
            }
            pair.assert_works();
        }
    }
}

/// One block per poll, so that what else is to be sent does not wait for the whole file.
#[test]
fn small_files_do_not_hold_up_anything_else() {
    let mut pair = Pair::new((Version::V1, true));
    let data = bytes(409_600 * 3 + 1);
    let id = pair.files(Who::Expert).send_bytes("small", data.clone()).unwrap();
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.take(Who::Novice);
    assert!(pair.deliver_one(Who::Expert));
    // ACK has come; nothing was polled yet.
    let progress = Sending { id, sent: 0, size: data.len() as u64, block: 409_600 };
    assert_eq!(pair.files(Who::Expert).sending(), Some(progress));
    assert_eq!(pair.files(Who::Expert).blocks(id, &data).err(), Some(Misuse::WrongState));
    pair.run();
    assert_eq!(pair.complete(Who::Novice), Some(data));
}

#[test]
fn events_tell_the_whole_story() {
    let mut pair = Pair::new((Version::V3, true));
    let id = pair.offer(Who::Novice, "..\\report\u{202E}.txt", 1500);
    pair.run();
    let theirs = pair.offered(Who::Expert);
    let name = FileName::new("..\\report\u{202E}.txt");
    assert_eq!(name.suggestion, "report.txt");
    let offered = FileEvent::Offered { id: theirs, name, size: 1500, internal_data: InternalData::NONE };
    assert!(pair.events(Who::Expert).contains(&Event::File(offered)));
    pair.files(Who::Expert).accept(theirs).unwrap();
    pair.run();
    pair.blocks(Who::Novice, id, &bytes(1024)).unwrap();
    pair.run();
    assert_eq!(pair.files(Who::Novice).sending(), Some(Sending { id, sent: 1024, size: 1500, block: 1024 }));
    let progress = Receiving { id: theirs, received: 1024, size: 1500, block: 1024 };
    assert_eq!(pair.files(Who::Expert).receiving(), Some(progress));
    pair.blocks(Who::Novice, id, &bytes(476)).unwrap();
    pair.run();
    expect![[r#"
        Accepted 1
        Sent 1
        ---
        Data 1 0+1024
        Data 1 1024+476
        Complete 1
    "#]]
    .assert_eq(&format!("{}---\n{}", pair.told(Who::Novice), pair.told(Who::Expert)));
}

#[test]
fn blocks_are_whole_ones_and_the_last() {
    let mut pair = Pair::new((Version::V2, false));
    let id = pair.offer(Who::Expert, "x", 3000);
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(1024)), Err(Misuse::WrongState));
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.run();
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(3001)), Err(Misuse::WrongState));
    assert_eq!(pair.blocks(Who::Expert, TransferId(77), &bytes(1)), Err(Misuse::UnknownTransfer));
    assert_eq!(pair.blocks(Who::Expert, id, b""), Ok(0));
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(1023)), Ok(0));
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(1024)), Ok(1024));
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(1500)), Ok(1024));
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(953)), Err(Misuse::WrongState));
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(951)), Ok(0));
    assert_eq!(pair.blocks(Who::Expert, id, &bytes(952)), Ok(952));
    assert_eq!(pair.blocks(Who::Expert, id, b""), Err(Misuse::UnknownTransfer));
    pair.run();
    assert_eq!(pair.complete(Who::Novice).unwrap().len(), 3000);
}

#[test]
fn headers_are_those_of_packets() {
    let mut pair = Pair::new((Version::V2, false));
    let id = pair.offer(Who::Expert, "x", 2500);
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.run();
    let data = bytes(2500);
    let blocks = pair.files(Who::Expert).blocks(id, &data).unwrap();
    assert!(!blocks.is_empty());
    let name = b"R\0A\0_\0F\0X\0\0\0";
    let header = |len: u32| [&12_u32.to_le_bytes()[..], &len.to_le_bytes(), name].concat();
    let found: Vec<_> = blocks.iter().map(|b| (b.header.to_vec(), b.data.to_vec())).collect();
    let expected: Vec<_> = data.chunks(1024).map(|d| (header(d.len() as u32), d.to_vec())).collect();
    assert_eq!(found, expected);
    let mut buffer = [0xEE; 1100];
    for (block, (header, data)) in blocks.iter().zip(&expected) {
        let pdu = [&header[..], data].concat();
        assert_eq!(block.to_vec(), pdu);
        assert_eq!(block.copy_to(&mut buffer), Some(pdu.len()));
        assert_eq!(buffer[..pdu.len()], pdu);
        assert_eq!(block.copy_to(&mut buffer[..pdu.len()]), Some(pdu.len()));
        let mut short = vec![0xEE; pdu.len() - 1];
        assert_eq!(block.copy_to(&mut short), None);
        assert!(short.iter().all(|byte| *byte == 0xEE));
    }
    // Borrowed, not copied.
    assert!(blocks.iter().zip(data.chunks(1024)).all(|(b, d)| std::ptr::eq(b.data, d)));
}

/// [MS-RA] 3.3.6: a connection on which blocks are sent is not idle.
#[test]
fn blocks_are_signs_of_life() {
    for busy in [true, false] {
        let mut pair = Pair::with((Version::V1, false), |_, options| options.heartbeat = true);
        let id = pair.offer(Who::Expert, "x", 1 << 20);
        pair.run();
        let theirs = pair.offered(Who::Novice);
        pair.files(Who::Novice).accept(theirs).unwrap();
        pair.run();
        pair.log();
        pair.now = Time(29_000);
        pair.handle(Who::Expert, Input::Tick);
        if busy {
            pair.blocks(Who::Expert, id, &bytes(409_600)).unwrap();
        }
        pair.now = Time(31_000);
        pair.handle(Who::Expert, Input::Tick);
        pair.take(Who::Expert);
        assert_eq!(pair.log().contains("RC_CTL"), !busy);
    }
}

#[test]
fn refused_files_come_to_nothing() {
    for mode in MODES {
        for who in Who::BOTH {
            let mut pair = Pair::new(mode);
            let id = pair.offer(who, "unwanted", 10);
            pair.run();
            let theirs = pair.offered(who.peer());
            pair.files(who.peer()).refuse(theirs).unwrap();
            assert_eq!(pair.files(who.peer()).refuse(theirs), Err(Misuse::UnknownTransfer));
            pair.run();
            assert_eq!(pair.told(who), format!("Failed {} Refused\n", id.0));
            assert_eq!(pair.told(who.peer()), format!("Offered {} \"unwanted\" 10\n", theirs.0));
            pair.assert_works();
        }
    }
}

#[test]
fn misuse_changes_nothing() {
    let mut pair = Pair::new((Version::V2, false));
    let unknown = TransferId(99);
    let mut files = pair.files(Who::Expert);
    assert_eq!(files.accept(unknown), Err(Misuse::UnknownTransfer));
    assert_eq!(files.refuse(unknown), Err(Misuse::UnknownTransfer));
    assert_eq!(files.cancel(unknown), Err(Misuse::UnknownTransfer));
    let internal = FileOffer { internal_data: InternalData(1), ..FileOffer::new("x", 1) };
    assert_eq!(files.send(internal), Err(Misuse::OtherVersion));
    assert_eq!(files.send(FileOffer::new("a\0b", 1)), Err(Misuse::Unwritable));
    assert_eq!(files.send_bytes("a\u{1}b", vec![1]), Err(Misuse::Unwritable));
    assert_eq!(files.sending(), None);
    let own = files.send(FileOffer::new("x", 1)).unwrap();
    assert_eq!(files.accept(own), Err(Misuse::NotAsked));
    assert_eq!(files.refuse(own), Err(Misuse::NotAsked));
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    assert_eq!(pair.files(Who::Novice).accept(theirs), Err(Misuse::NotAsked));
    assert_eq!(pair.blocks(Who::Novice, theirs, b""), Err(Misuse::WrongState));
    pair.close(Who::Expert);
    let mut files = pair.files(Who::Expert);
    assert_eq!(files.cancel(own), Err(Misuse::Closed));
    assert_eq!(files.accept(own), Err(Misuse::Closed));
    assert_eq!(files.send(FileOffer::new("x", 1)), Err(Misuse::Closed));
    assert_eq!(files.blocks(own, b"").err(), Some(Misuse::Closed));
}

#[test]
fn files_wait_for_their_turn() {
    for mode in MODES {
        for who in Who::BOTH {
            let mut pair = Pair::with(mode, |_, options| options.limits.files = 3);
            let ids: Vec<_> =
                (0..4).map(|n| pair.files(who).send_bytes(format!("{n}"), bytes(n)).unwrap()).collect();
            assert_eq!(pair.files(who).send(FileOffer::new("x", 1)), Err(Misuse::QueueFull));
            let other = pair.files(who.peer()).send_bytes("other", bytes(2000)).unwrap();
            // The second of the four is taken out of the queue.
            pair.files(who).cancel(ids[1]).unwrap();
            let (mut names, mut lens) = (Vec::new(), Vec::new());
            for _ in 0..4 {
                pair.run();
                let receiver = Who::BOTH.into_iter().find(|w| pair.files(*w).receiving().is_some()).unwrap();
                let id = pair.offered(receiver);
                let name = pair.events(receiver).into_iter().find_map(|e| match e {
                    Event::File(FileEvent::Offered { name, .. }) => Some(name.original),
                    _ => None,
                });
                names.push(name.unwrap());
                pair.files(receiver).accept(id).unwrap();
                // Only as far as this file.
                while pair.files(receiver).receiving().is_some_and(|r| r.id == id) {
                    for side in Who::BOTH {
                        pair.take(side);
                        pair.deliver_one(side);
                    }
                }
                lens.extend(pair.complete(receiver).map(|data| data.len()));
            }
            pair.run();
            assert_eq!(pair.files(who.peer()).cancel(other), Err(Misuse::UnknownTransfer));
            // Both asked at once; the novice's file is first.
            let first = if who == Who::Novice { ["0", "other"] } else { ["other", "0"] };
            assert!(names.iter().filter(|n| first.contains(&n.as_str())).eq(first.iter()), "{names:?}");
            names.retain(|n| n != "other");
            assert_eq!(names, ["0", "2", "3"]);
            lens.sort_unstable();
            assert_eq!(lens, [0, 2, 3, 2000]);
            pair.assert_works();
        }
    }
}

/// [MS-RA] 2.2.2: seconds since 1970 at the end, and never the same name twice.
#[test]
fn names_of_version_1_differ() {
    let mut pair = Pair::new((Version::V1, false));
    pair.log();
    for who in Who::BOTH {
        pair.send(who, "x", b"");
        pair.send(who, "x", b"");
    }
    pair.now = Time(10_000);
    pair.handle(Who::Expert, Input::Tick);
    pair.send(Who::Expert, "x", b"");
    let log = pair.log();
    let names: Vec<_> = log.split("CHANNELID=\"").skip(1).map(|t| t.split('"').next().unwrap()).collect();
    expect![[r#"
        1000.612009461
        1000.612009462
        192.0.2.10.612009461
        192.0.2.10.612009462
        1000.612009471"#]]
    .assert_eq(&names.join("\n"));
    // An address whose name would not fit.
    let mut pair = Pair::with((Version::V1, false), |_, options| {
        options.address = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
        options.unix_time = u64::MAX;
    });
    pair.log();
    pair.send(Who::Novice, "x", b"y");
    expect![[r#"Novice: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="x" FILESIZE="1" CHANNELID="0.0.0.0.18446744073709551615"/>"#]].assert_eq(pair.log().lines().next().unwrap());
}

fn contact(name: &str) -> OwnContact {
    let key = RsaPublicKey { modulus: vec![0xC5; 256], exponent: 65_537 };
    let time = "20080625161611.761000".parse::<ContactTime>().unwrap();
    let contact = Contact::new(name, "machine", vec![0x42; 4000], &key, time).unwrap();
    OwnContact { contact, internal_data: InternalData(1) }
}

#[test]
fn contacts_are_exchanged() {
    for dynamic in [false, true] {
        let mut pair = Pair::with((Version::V3, dynamic), |who, options| {
            options.contact = Some(contact(if who == Who::Expert { "Eve" } else { "Nora" }));
        });
        let told = format!("{}---\n{}", pair.told(Who::Expert), pair.told(Who::Novice));
        let expected = "Setting CONTACTEXCHANGE=1\nSent 1\nContact Nora\n---\n\
            Setting CONTACTEXCHANGE=1\nContact Eve\nSent 2\n";
        assert_eq!(told, expected);
        pair.assert_works();
    }
}

#[test]
fn contacts_above_the_limit_are_refused() {
    let mut pair = Pair::with((Version::V3, true), |who, options| {
        options.contact = Some(contact("name"));
        if who == Who::Novice {
            options.limits.contact = 100;
        }
    });
    let told = format!("{}---\n{}", pair.told(Who::Expert), pair.told(Who::Novice));
    expect![[r#"
        Setting CONTACTEXCHANGE=1
        Failed 1 Refused
        ---
        Setting CONTACTEXCHANGE=1
        Ignored 71 FILEXFER TooLarge
    "#]]
    .assert_eq(&told);
    pair.assert_works();
}

#[test]
fn the_session_ends_every_transfer() {
    for mode in MODES {
        for who in Who::BOTH {
            let mut pair = Pair::new(mode);
            let running = pair.offer(who, "running", 10);
            let queued = pair.offer(who, "queued", 10);
            pair.run();
            let theirs = pair.offered(who.peer());
            let waits = pair.offer(who.peer(), "waits", 10);
            pair.told(who.peer());
            pair.close(who);
            pair.close(who.peer());
            let why = FileFailure::SessionEnded;
            assert_eq!(
                pair.told(who),
                format!("Failed {} {why:?}\nFailed {} {why:?}\nClosed Local\n", running.0, queued.0)
            );
            assert_eq!(
                pair.told(who.peer()),
                format!("Withdrawn {}\nFailed {} {why:?}\nClosed Local\n", theirs.0, waits.0)
            );
        }
    }
    let mut pair = Pair::new((Version::V3, true));
    let id = pair.offer(Who::Expert, "x", 10);
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.run();
    pair.told(Who::Novice);
    pair.close(Who::Expert);
    pair.run();
    assert_eq!(pair.told(Who::Novice), format!("Failed {} SessionEnded\nClosed Peer\n", theirs.0));
    assert_eq!(
        pair.told(Who::Expert),
        format!("Accepted {0}\nFailed {0} SessionEnded\nClosed Local\n", id.0)
    );
}

/// Sizes above 32 bits in constant memory: nothing is kept but what is in one PDU.
#[test]
fn five_gibibytes_pass_through() {
    const SIZE: u64 = 5 << 30;
    const BLOCK: usize = 409_600;
    let mut pair = Pair::new((Version::V1, true));
    let id = pair.offer(Who::Expert, "disk.img", SIZE);
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.run();
    pair.events(Who::Expert);
    pair.events(Who::Novice);
    let data = vec![0x5A; BLOCK * 64];
    let (mut left, mut received) = (SIZE, 0);
    while left > 0 {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let blocks = pair.files(Who::Expert).blocks(id, &data[..len]).unwrap();
        assert_eq!(blocks.consumed(), len);
        let channel = blocks.channel();
        let pdus: Vec<&[u8]> = blocks.iter().map(|b| b.data).collect();
        left -= len as u64;
        for bytes in pdus {
            pair.handle(Who::Novice, Input::Data { channel, bytes });
            match &pair.events(Who::Novice)[..] {
                [Event::File(FileEvent::Data { offset, bytes: got, .. })] => {
                    assert_eq!((*offset, got.len()), (received, bytes.len()));
                    received += bytes.len() as u64;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    pair.run();
    assert_eq!(received, SIZE);
    assert_eq!(pair.told(Who::Novice), format!("Complete {}\n", theirs.0));
    assert_eq!(pair.told(Who::Expert), format!("Sent {}\n", id.0));
}
