//! Messages that cross on the wire.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ra_channel::FileVerb;
use ra_session::{Event, FileEvent, Input, Misuse, TransferId, Version};

use crate::pair::{MODES, Mode, Pair, Who};

const STATIC: Mode = (Version::V2, false);
const DYNAMIC: Mode = (Version::V3, true);

/// How far a transfer has come when it is cancelled.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Queued,
    /// FILEXFER is on the wire, or the channel is being created.
    Offering,
    Asked,
    /// ACK is on the wire.
    Accepting,
    Transferring,
    /// Blocks are on the wire.
    Blocks,
}

#[test]
fn either_side_cancels_at_any_moment() {
    use Stage::{Accepting, Asked, Blocks, Offering, Queued, Transferring};
    for mode in MODES {
        let size = if mode.0 == Version::V1 { 1_000_000 } else { 5000 };
        for sender in Who::BOTH {
            for stage in [Queued, Offering, Asked, Accepting, Transferring, Blocks] {
                for by_sender in [true, false] {
                    let mut pair = Pair::new(mode);
                    let receiver = sender.peer();
                    let before = (stage == Queued).then(|| pair.offer(sender, "before", 10));
                    let id = pair.offer(sender, "file", size);
                    if matches!(stage, Queued | Offering) {
                        pair.take(sender);
                        if !by_sender {
                            continue;
                        }
                    } else {
                        pair.run();
                        let theirs = pair.offered(receiver);
                        if stage != Asked {
                            pair.files(receiver).accept(theirs).unwrap();
                            pair.take(receiver);
                        }
                        if matches!(stage, Transferring | Blocks) {
                            pair.run();
                        }
                        if stage == Blocks {
                            let half = vec![0; usize::try_from(size / 2).unwrap()];
                            assert!(pair.blocks(sender, id, &half).unwrap() > 0);
                        }
                    }
                    let (who, id) = if by_sender { (sender, id) } else { (receiver, pair.offered(receiver)) };
                    pair.files(who).cancel(id).unwrap();
                    assert_eq!(pair.files(who).cancel(id), Err(Misuse::UnknownTransfer));
                    assert!(pair.told(who).ends_with(&format!("Failed {} Cancelled\n", id.0)));
                    pair.run();
                    // One more cancelled, so that nothing else is left.
                    if let Some(before) = before {
                        pair.files(sender).cancel(before).unwrap();
                        pair.run();
                    }
                    let what = format!("{mode:?} {sender:?} {stage:?} {by_sender}");
                    assert_eq!(
                        pair.told(who).matches("Failed").count(),
                        usize::from(before.is_some()),
                        "{what}"
                    );
                    let told = pair.told(who.peer());
                    let over = ["Failed", "Withdrawn"].map(|t| told.matches(t).count()).iter().sum::<usize>();
                    assert_eq!(
                        over,
                        told.matches("Offered").count().max(usize::from(!by_sender)),
                        "{what} {told}"
                    );
                    pair.assert_works();
                }
            }
        }
    }
}

#[test]
fn both_sides_cancel_at_once() {
    for mode in MODES {
        for sender in Who::BOTH {
            let mut pair = Pair::new(mode);
            let id = pair.offer(sender, "file", 5000);
            pair.run();
            let theirs = pair.offered(sender.peer());
            pair.files(sender.peer()).accept(theirs).unwrap();
            pair.run();
            pair.files(sender).cancel(id).unwrap();
            pair.files(sender.peer()).cancel(theirs).unwrap();
            pair.log();
            pair.run();
            assert_eq!(pair.log().matches("REJECT").count(), 2);
            for who in Who::BOTH {
                assert!(pair.told(who).ends_with("Failed 1 Cancelled\n"));
            }
            pair.assert_works();
        }
    }
}

fn both_ask_at_once(mode: Mode, expected: Expect) {
    let mut pair = Pair::new(mode);
    let ids = [pair.offer(Who::Expert, "expert", 1), pair.offer(Who::Novice, "novice", 1)];
    pair.log();
    for _ in 0..2 {
        pair.run();
        let receiver = Who::BOTH.into_iter().find(|w| pair.files(*w).receiving().is_some()).unwrap();
        let id = pair.offered(receiver);
        pair.files(receiver).accept(id).unwrap();
        pair.run();
        pair.blocks(receiver.peer(), ids[receiver.peer() as usize], b"!").unwrap();
    }
    pair.run();
    let told = Who::BOTH.map(|who| format!("-- {who:?}\n{}", pair.told(who))).concat();
    expected.assert_eq(&(pair.log() + &told));
    pair.assert_works();
}

#[test]
fn the_novice_is_first_version_1_static() {
    both_ask_at_once(
        (Version::V1, false),
        expect![[r#"
            Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="1000.612009461"/>
            Novice: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="novice" FILESIZE="1" CHANNELID="192.0.2.10.612009461"/>
            Novice: remdesk/1000.612009461 FILEXFERREJECT (30 bytes)
            Expert: remdesk/192.0.2.10.612009461 FILEXFERACK (24 bytes)
            Novice: remdesk/192.0.2.10.612009461 1 bytes
            Novice: remdesk/192.0.2.10.612009461 FILEXFEREND (24 bytes)
            Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="1000.612009461"/>
            Novice: remdesk/1000.612009461 FILEXFERACK (24 bytes)
            Expert: remdesk/1000.612009461 1 bytes
            Expert: remdesk/1000.612009461 FILEXFEREND (24 bytes)
            -- Expert
            Offered 2 "novice" 1
            Data 2 0+1
            Complete 2
            Accepted 1
            Sent 1
            -- Novice
            Ignored 71 FILEXFER Busy
            Accepted 1
            Sent 1
            Offered 2 "expert" 1
            Data 2 0+1
            Complete 2
        "#]],
    );
}

#[test]
fn the_novice_is_first_version_1_dynamic() {
    both_ask_at_once(
        (Version::V1, true),
        expect![[r#"
            Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="1000.612009461"/>
            Novice: open 192.0.2.10.612009461
            Novice: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="novice" FILESIZE="1" CHANNELID="192.0.2.10.612009461"/>
            Novice: open 1000.612009461
            Novice: 1000.612009461 FILEXFERREJECT (30 bytes)
            Novice: close 1000.612009461
            Expert: 192.0.2.10.612009461 FILEXFERACK (24 bytes)
            Novice: 192.0.2.10.612009461 1 bytes
            Novice: 192.0.2.10.612009461 FILEXFEREND (24 bytes)
            Novice: close 192.0.2.10.612009461
            Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="1000.612009461"/>
            Novice: open 1000.612009461
            Novice: 1000.612009461 FILEXFERACK (24 bytes)
            Expert: 1000.612009461 1 bytes
            Expert: 1000.612009461 FILEXFEREND (24 bytes)
            Novice: close 1000.612009461
            -- Expert
            Offered 2 "novice" 1
            Data 2 0+1
            Complete 2
            Accepted 1
            Sent 1
            -- Novice
            Ignored 71 FILEXFER Busy
            Accepted 1
            Sent 1
            Offered 2 "expert" 1
            Data 2 0+1
            Complete 2
        "#]],
    );
}

#[test]
fn the_novice_is_first_version_2_static() {
    both_ask_at_once(
        STATIC,
        expect![[r#"
        Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="RA_FX"/>
        Novice: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="novice" FILESIZE="1" CHANNELID="RA_FX"/>
        Expert: remdesk/RA_FX FILEXFERACK (24 bytes)
        Novice: remdesk/RA_FX 1 bytes
        Novice: remdesk/RA_FX FILEXFEREND (24 bytes)
        Expert: remdesk/71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="RA_FX"/>
        Novice: remdesk/RA_FX FILEXFERACK (24 bytes)
        Expert: remdesk/RA_FX 1 bytes
        Expert: remdesk/RA_FX FILEXFEREND (24 bytes)
        -- Expert
        Offered 2 "novice" 1
        Data 2 0+1
        Complete 2
        Accepted 1
        Sent 1
        -- Novice
        Ignored 71 FILEXFER Busy
        Accepted 1
        Sent 1
        Offered 2 "expert" 1
        Data 2 0+1
        Complete 2
    "#]],
    );
}

#[test]
fn the_novice_is_first_version_3_dynamic() {
    both_ask_at_once(
        DYNAMIC,
        expect![[r#"
        Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="RA_FX"/>
        Novice: open RA_FX
        Novice: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="novice" FILESIZE="1" CHANNELID="RA_FX"/>
        Expert: RA_FX FILEXFERACK (24 bytes)
        Novice: RA_FX 1 bytes
        Novice: RA_FX FILEXFEREND (24 bytes)
        Novice: close RA_FX
        Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="expert" FILESIZE="1" CHANNELID="RA_FX"/>
        Novice: open RA_FX
        Novice: RA_FX FILEXFERACK (24 bytes)
        Expert: RA_FX 1 bytes
        Expert: RA_FX FILEXFEREND (24 bytes)
        Novice: close RA_FX
        -- Expert
        Offered 2 "novice" 1
        Data 2 0+1
        Complete 2
        Accepted 1
        Sent 1
        -- Novice
        Ignored 71 FILEXFER Busy
        Accepted 1
        Sent 1
        Offered 2 "expert" 1
        Data 2 0+1
        Complete 2
    "#]],
    );
}

/// The novice gives up its file while the channel for it is being created: the expert's, which came meanwhile, is next.
#[test]
fn an_early_offer_is_not_lost() {
    for mode in [DYNAMIC, (Version::V1, true)] {
        for lost in [false, true] {
            let mut pair = Pair::new(mode);
            let own = pair.offer(Who::Novice, "novice", 1);
            pair.take(Who::Novice);
            pair.offer(Who::Expert, "expert", 1);
            pair.take(Who::Expert);
            pair.deliver_one(Who::Novice);
            pair.take(Who::Novice);
            assert_eq!(pair.told(Who::Novice), "");
            if lost {
                let channel = if mode.0 == Version::V1 { "192.0.2.10.612009461" } else { "RA_FX" };
                pair.lose(Who::Novice, ra_session::Channel::parse(channel).unwrap());
            } else {
                pair.files(Who::Novice).cancel(own).unwrap();
            }
            pair.run();
            let told = pair.told(Who::Novice);
            let why = if lost { "ChannelLost" } else { "Cancelled" };
            assert_eq!(told, format!("Failed 1 {why}\nOffered 2 \"expert\" 1\n"));
            pair.files(Who::Novice).refuse(TransferId(2)).unwrap();
            pair.run();
            pair.assert_works();
        }
    }
}

/// Blocks that are still on the wire when their receiver has cancelled, and already offers a file of its own on the same
/// channel.
#[test]
fn stale_blocks_do_no_harm() {
    for mode in MODES {
        for sender in Who::BOTH {
            let receiver = sender.peer();
            let mut pair = Pair::new(mode);
            let id = pair.offer(sender, "file", 1000 * 1024);
            pair.run();
            let theirs = pair.offered(receiver);
            pair.files(receiver).accept(theirs).unwrap();
            pair.run();
            pair.blocks(sender, id, &vec![0; 1000 * 1024]).unwrap();
            pair.take(sender);
            pair.files(receiver).cancel(theirs).unwrap();
            let own = pair.offer(receiver, "own", 3);
            pair.take(receiver);
            pair.events(receiver);
            pair.deliver(receiver);
            assert_eq!(pair.told(receiver), "", "{mode:?} {sender:?}");
            pair.run();
            let asked = pair.offered(sender);
            pair.files(sender).accept(asked).unwrap();
            pair.run();
            pair.blocks(receiver, own, b"own").unwrap();
            pair.run();
            assert_eq!(pair.told(receiver), format!("Accepted {0}\nSent {0}\n", own.0));
            pair.assert_works();
        }
    }
}

/// The user of the receiver cancels when END and the next FILEXFER are on the wire: the sender takes the REJECT for an
/// answer to the next file. When the receiver accepts that, it is told that nothing will come.
#[test]
fn a_late_reject_leaves_nobody_waiting() {
    for mode in [STATIC, DYNAMIC, (Version::V2, true), (Version::V3, false)] {
        let (sender, receiver) = (Who::Expert, Who::Novice);
        let mut pair = Pair::new(mode);
        let first = pair.offer(sender, "first", 3);
        let second = pair.offer(sender, "second", 3);
        pair.run();
        let theirs = pair.offered(receiver);
        pair.files(receiver).accept(theirs).unwrap();
        pair.run();
        pair.blocks(sender, first, b"abc").unwrap();
        pair.take(sender);
        pair.files(receiver).cancel(theirs).unwrap();
        pair.take(receiver);
        pair.run();
        assert!(pair.told(sender).ends_with(&format!("Sent {}\nFailed {} Refused\n", first.0, second.0)));
        let theirs = pair.offered(receiver);
        pair.files(receiver).accept(theirs).unwrap();
        pair.log();
        pair.run();
        assert!(pair.told(receiver).ends_with(&format!("Failed {} CancelledByPeer\n", theirs.0)));
        assert_eq!(pair.log().matches("REJECT").count(), 1);
        pair.assert_works();
    }
}

/// A novice that leaves the channel of its files open for the next one.
#[test]
fn a_channel_may_stay_open() {
    let ack = FileVerb::Ack.to_wire();
    for closes in [false, true] {
        let mut pair = Pair::new(DYNAMIC);
        let channel = Pair::channel();
        pair.open_for(Who::Expert, channel);
        let id = pair.offer(Who::Expert, "x", 2000);
        pair.take(Who::Expert);
        if closes {
            // It was the channel of the transfer before.
            pair.lose(Who::Expert, channel);
            assert_eq!(pair.told(Who::Expert), "");
            pair.open_for(Who::Expert, channel);
        }
        pair.handle(Who::Expert, Input::Data { channel, bytes: ack.as_bytes() });
        assert_eq!(pair.told(Who::Expert), format!("Accepted {}\n", id.0));
        pair.lose(Who::Expert, channel);
        assert_eq!(pair.told(Who::Expert), format!("Failed {} ChannelLost\n", id.0));
    }
}

/// A REJECT on a channel that the novice has closed already does not reach it: the answer on the next one gets another.
#[test]
fn a_reject_that_was_lost_is_said_again() {
    let ack = FileVerb::Ack.to_wire();
    let mut pair = Pair::new(DYNAMIC);
    let channel = Pair::channel();
    pair.open_for(Who::Expert, channel);
    let id = pair.offer(Who::Expert, "x", 2000);
    pair.take(Who::Expert);
    pair.files(Who::Expert).cancel(id).unwrap();
    pair.take(Who::Expert);
    assert_eq!(pair.log().matches("REJECT").count(), 1);
    // On the same channel, ACK and REJECT have crossed.
    pair.handle(Who::Expert, Input::Data { channel, bytes: ack.as_bytes() });
    pair.take(Who::Expert);
    assert_eq!(pair.log(), "");
    pair.lose(Who::Expert, channel);
    pair.open_for(Who::Expert, channel);
    for _ in 0..2 {
        pair.handle(Who::Expert, Input::Data { channel, bytes: ack.as_bytes() });
    }
    pair.take(Who::Expert);
    assert_eq!(pair.log(), "Expert: RA_FX FILEXFERREJECT (30 bytes)\n");
}

/// After the peer's next FILEXFER nothing of the file before can come.
#[test]
fn stale_blocks_end_with_the_next_file() {
    let mut pair = Pair::new(STATIC);
    let id = pair.offer(Who::Expert, "first", 10);
    pair.run();
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.run();
    pair.files(Who::Novice).cancel(theirs).unwrap();
    pair.run();
    assert_eq!(pair.files(Who::Expert).cancel(id), Err(Misuse::UnknownTransfer));
    pair.inject_offer(Who::Expert, "second", 0, "RA_FX", "");
    let theirs = pair.offered(Who::Novice);
    pair.files(Who::Novice).accept(theirs).unwrap();
    pair.take(Who::Novice);
    pair.inject(Who::Expert, Pair::channel(), FileVerb::End.to_wire().as_bytes());
    let own = pair.offer(Who::Novice, "own", 1);
    pair.told(Who::Novice);
    pair.inject(Who::Expert, Pair::channel(), b"data");
    assert_eq!(pair.told(Who::Novice), format!("Failed {} OutOfSequence\n", own.0));
}

#[derive(Debug, Clone)]
enum Op {
    Send(Who, u16),
    SendBytes(Who, u16),
    Accept(Who),
    Refuse(Who),
    Cancel(Who, u8),
    CancelRunning(Who),
    Blocks(Who, u16),
    Deliver(Who, u8),
    Run,
}

fn op() -> impl Strategy<Value = Op> {
    let who = || prop_oneof![Just(Who::Expert), Just(Who::Novice)];
    // Files of the same size are those that could be taken for each other.
    let len = || prop_oneof![prop::sample::select(vec![0_u16, 1, 1024, 1500]), 0..5000_u16];
    prop_oneof![
        2 => (who(), len()).prop_map(|(who, len)| Op::Send(who, len)),
        1 => (who(), len()).prop_map(|(who, len)| Op::SendBytes(who, len)),
        4 => who().prop_map(Op::Accept),
        1 => who().prop_map(Op::Refuse),
        1 => (who(), 0..5_u8).prop_map(|(who, index)| Op::Cancel(who, index)),
        1 => who().prop_map(Op::CancelRunning),
        4 => (who(), 0..5000_u16).prop_map(|(who, len)| Op::Blocks(who, len)),
        6 => (who(), 0..5_u8).prop_map(|(who, count)| Op::Deliver(who, count)),
        2 => Just(Op::Run),
    ]
}

/// What a program on both sides knows.
#[derive(Default)]
struct Books {
    /// Contents of the files by side and transfer.
    own: [BTreeMap<TransferId, Vec<u8>>; 2],
    sent: [BTreeMap<TransferId, usize>; 2],
    /// Names of the peer's files.
    theirs: [BTreeMap<TransferId, String>; 2],
    received: [BTreeMap<TransferId, Vec<u8>>; 2],
    over: [Vec<TransferId>; 2],
    names: BTreeMap<String, Vec<u8>>,
}

impl Books {
    fn file(&mut self, len: u16) -> (String, Vec<u8>) {
        let n = self.names.len();
        let data: Vec<u8> = (0..usize::from(len)).map(|at| (at / 3 + n * 37) as u8).collect();
        self.names.insert(format!("file {n}"), data.clone());
        (format!("file {n}"), data)
    }

    /// Every transfer ends once, and nothing complete is not what was sent.
    fn read(&mut self, pair: &mut Pair) {
        for who in Who::BOTH {
            let side = who as usize;
            for event in pair.events(who) {
                let Event::File(event) = event else { continue };
                match event {
                    FileEvent::Offered { id, name, .. } => {
                        assert!(self.theirs[side].insert(id, name.original).is_none());
                    }
                    FileEvent::Data { id, offset, bytes } => {
                        assert!(!self.over[side].contains(&id));
                        let data = self.received[side].entry(id).or_default();
                        assert_eq!(offset, data.len() as u64);
                        data.extend(bytes);
                    }
                    FileEvent::Complete { id } => {
                        let data = self.received[side].remove(&id).unwrap_or_default();
                        assert!(self.names[&self.theirs[side][&id]] == data, "{id:?} is another file");
                        self.end(side, id);
                    }
                    FileEvent::Sent { id } | FileEvent::Failed { id, .. } | FileEvent::Withdrawn { id } => {
                        self.end(side, id);
                    }
                    FileEvent::Accepted { .. } => {}
                    _ => unreachable!(),
                }
            }
        }
    }

    fn end(&mut self, side: usize, id: TransferId) {
        assert!(!self.over[side].contains(&id), "{id:?} ends twice");
        self.over[side].push(id);
    }

    fn apply(&mut self, pair: &mut Pair, op: &Op) {
        match op {
            Op::Send(who, len) => {
                let (name, data) = self.file(*len);
                let id = pair.offer(*who, &name, data.len() as u64);
                self.own[*who as usize].insert(id, data);
            }
            Op::SendBytes(who, len) => {
                let (name, data) = self.file(*len);
                let id = pair.files(*who).send_bytes(name, data.clone()).unwrap();
                self.own[*who as usize].insert(id, data);
            }
            Op::Accept(who) => {
                if let Some(progress) = pair.files(*who).receiving() {
                    let _asked = pair.files(*who).accept(progress.id);
                }
            }
            Op::Refuse(who) => {
                if let Some(progress) = pair.files(*who).receiving()
                    && pair.files(*who).refuse(progress.id).is_ok()
                {
                    self.read(pair);
                    self.end(*who as usize, progress.id);
                }
            }
            Op::Cancel(who, index) => {
                let ids: Vec<_> = self.own[*who as usize].keys().copied().collect();
                if let Some(id) = ids.get(usize::from(*index)) {
                    let _over = pair.files(*who).cancel(*id);
                }
            }
            Op::CancelRunning(who) => {
                if let Some(progress) = pair.files(*who).receiving() {
                    pair.files(*who).cancel(progress.id).unwrap();
                }
            }
            Op::Blocks(who, len) => {
                if let Some(progress) = pair.files(*who).sending() {
                    let sent = self.sent[*who as usize].entry(progress.id).or_default();
                    let rest = self.own[*who as usize][&progress.id].clone().split_off(*sent);
                    let data = &rest[..rest.len().min(usize::from(*len))];
                    // What waits is before what follows.
                    pair.take(*who);
                    if let Ok(consumed) = pair.blocks(*who, progress.id, data) {
                        *sent += consumed;
                    }
                }
            }
            Op::Deliver(who, count) => {
                for _ in 0..*count {
                    pair.deliver_one(*who);
                }
                pair.take(*who);
            }
            Op::Run => pair.run(),
        }
        self.read(pair);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn whatever_crosses_every_transfer_ends_once(
        mode in prop::sample::select(&MODES[..4]),
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let mut pair = Pair::new(mode);
        let mut books = Books::default();
        for op in &ops {
            books.apply(&mut pair, op);
        }
        // From here on both users want everything.
        for _ in 0..200 {
            for op in [Op::Accept(Who::Expert), Op::Accept(Who::Novice), Op::Run] {
                books.apply(&mut pair, &op);
            }
            for who in Who::BOTH {
                books.apply(&mut pair, &Op::Blocks(who, u16::MAX));
            }
            books.apply(&mut pair, &Op::Run);
        }
        for who in Who::BOTH {
            let side = who as usize;
            prop_assert_eq!(pair.files(who).sending(), None);
            prop_assert_eq!(pair.files(who).receiving(), None);
            for id in books.own[side].keys().chain(books.theirs[side].keys()) {
                prop_assert!(books.over[side].contains(id), "{:?} {:?} has no end", who, id);
            }
        }
        pair.assert_works();
    }
}
