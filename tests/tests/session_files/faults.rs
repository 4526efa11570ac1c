//! Peers that keep to no figure.

use expect_test::expect;
use ra_channel::FileVerb;
use ra_session::{Channel, Input, TransferId, Version};
use remassist_core::utf16;

use crate::pair::{MODES, Mode, Pair, Who};

const STATIC: Mode = (Version::V2, false);
const DYNAMIC: Mode = (Version::V3, true);

fn verb(verb: FileVerb, nul: bool) -> Vec<u8> {
    let mut bytes = utf16::encode(verb.name());
    if nul {
        bytes.extend([0, 0]);
    }
    bytes
}

/// An offer from `who` that the other side has accepted; ids of both sides.
fn accepted(mode: Mode, who: Who, size: u64) -> (Pair, TransferId, TransferId) {
    let mut pair = Pair::new(mode);
    let id = pair.offer(who, "file", size);
    pair.run();
    let theirs = pair.offered(who.peer());
    pair.files(who.peer()).accept(theirs).unwrap();
    pair.run();
    for side in Who::BOTH {
        pair.events(side);
    }
    pair.log();
    (pair, id, theirs)
}

/// The channel of the transfer that runs, as any message on it tells.
fn lane(pair: &Pair, who: Who) -> Channel {
    match (pair.mode.0, who) {
        (Version::V1, Who::Expert) => Channel::parse("1000.612009461").unwrap(),
        (Version::V1, Who::Novice) => Channel::parse("192.0.2.10.612009461").unwrap(),
        _ => Pair::channel(),
    }
}

#[test]
fn blocks_that_spell_verbs_are_data() {
    for mode in [STATIC, DYNAMIC, (Version::V1, true)] {
        let mut pair = Pair::new(mode);
        for who in Who::BOTH {
            for word in FileVerb::ALL {
                for nul in [false, true] {
                    for before in [0, 1024] {
                        let mut file = vec![b'x'; before];
                        file.extend(verb(word, nul));
                        pair.send(who, "verb", &file);
                    }
                }
            }
        }
    }
}

/// Whatever is left of the file, a receiver takes the REJECT of a sender for what it is.
#[test]
fn a_sender_that_cancels_is_not_taken_for_data() {
    for mode in [STATIC, DYNAMIC, (Version::V1, true)] {
        for who in Who::BOTH {
            for (sent, left) in [(0, 27), (0, 28), (0, 29), (0, 30), (1024, 28), (1024, 30), (1024, 2000)] {
                if mode.0 == Version::V1 && sent > 0 {
                    continue;
                }
                let (mut pair, id, theirs) = accepted(mode, who, sent + left);
                let sent = usize::try_from(sent).unwrap();
                assert_eq!(pair.blocks(who, id, &vec![0; sent]), Ok(sent));
                pair.run();
                pair.events(who.peer());
                pair.files(who).cancel(id).unwrap();
                pair.run();
                assert_eq!(pair.told(who.peer()), format!("Failed {} CancelledByPeer\n", theirs.0), "{left}");
                assert_eq!(pair.told(who), format!("Failed {} Cancelled\n", id.0));
                assert!(pair.log().contains(if left == 30 {
                    "REJECT (28 bytes)"
                } else {
                    "REJECT (30 bytes)"
                }));
                pair.assert_works();
            }
        }
    }
}

/// [MS-RA] 3.9.5: what does not belong there is answered with REJECT.
#[test]
fn senders_reject_what_they_do_not_expect() {
    let reject = "FILEXFERREJECT";
    for mode in MODES {
        for who in Who::BOTH {
            for message in [verb(FileVerb::End, true), verb(FileVerb::Ack, true), b"data".to_vec()] {
                let waiting = FileVerb::recognize(&message) != Some(FileVerb::Ack);
                for transferring in [false, true] {
                    if !transferring && !waiting {
                        continue;
                    }
                    let mut pair = Pair::new(mode);
                    let id = pair.offer(who, "file", 5000);
                    pair.run();
                    let theirs = pair.offered(who.peer());
                    if transferring {
                        pair.files(who.peer()).accept(theirs).unwrap();
                        pair.run();
                    }
                    for side in Who::BOTH {
                        pair.events(side);
                    }
                    pair.log();
                    let channel = lane(&pair, who);
                    pair.inject(who.peer(), channel, &message);
                    assert_eq!(pair.told(who), format!("Failed {} OutOfSequence\n", id.0));
                    pair.run();
                    assert_eq!(pair.log().matches(reject).count(), 1);
                    let told = if transferring { "Failed {} CancelledByPeer\n" } else { "Withdrawn {}\n" };
                    assert_eq!(pair.told(who.peer()), told.replace("{}", &theirs.0.to_string()));
                    pair.assert_works();
                }
            }
        }
    }
}

/// [MS-RA] 3.10.5.
#[test]
fn receivers_reject_what_they_do_not_expect() {
    for mode in MODES {
        for who in Who::BOTH {
            // Asked: nothing but REJECT may come.
            for message in [verb(FileVerb::End, true), verb(FileVerb::Ack, true), b"data".to_vec()] {
                let mut pair = Pair::new(mode);
                let id = pair.offer(who, "file", 5000);
                pair.run();
                let theirs = pair.offered(who.peer());
                pair.events(who.peer());
                pair.log();
                let channel = lane(&pair, who);
                pair.inject(who, channel, &message);
                assert_eq!(pair.told(who.peer()), format!("Failed {} OutOfSequence\n", theirs.0));
                pair.run();
                assert_eq!(pair.log().matches("REJECT").count(), 1);
                assert_eq!(pair.told(who), format!("Failed {} Refused\n", id.0));
                pair.assert_works();
            }
            // Receiving.
            for (size, messages, why) in [
                (100, vec![verb(FileVerb::End, true)], "WrongSize"),
                (100, vec![verb(FileVerb::End, false)], "WrongSize"),
                (100, vec![verb(FileVerb::Ack, true)], "OutOfSequence"),
                (100, vec![vec![0; 101]], "WrongSize"),
                (100, vec![vec![0; 100], vec![0; 1]], "WrongSize"),
                (100, vec![vec![0; 60], vec![0; 41]], "WrongSize"),
                (100, vec![vec![0; 100], verb(FileVerb::Ack, true)], "OutOfSequence"),
                (24, vec![verb(FileVerb::End, true), vec![0; 24]], "WrongSize"),
            ] {
                let (mut pair, id, theirs) = accepted(mode, who, size);
                let channel = lane(&pair, who);
                for message in messages {
                    pair.inject(who, channel, &message);
                }
                let told = pair.told(who.peer());
                assert!(
                    told.ends_with(&format!("Failed {} {why}\n", theirs.0)),
                    "{mode:?} {who:?} {size} {told}"
                );
                assert_eq!(pair.log().matches("REJECT").count(), 1);
                pair.run();
                assert!(pair.told(who).ends_with(&format!("Failed {} CancelledByPeer\n", id.0)));
                pair.assert_works();
            }
            // An empty file whose sender goes on.
            let mut pair = Pair::new(mode);
            let channel = lane(&pair, who);
            pair.inject_offer(who, "empty", 0, &channel.to_string(), "");
            pair.open_for(who.peer(), channel);
            let theirs = pair.offered(who.peer());
            pair.files(who.peer()).accept(theirs).unwrap();
            pair.take(who.peer());
            pair.inject(who, channel, &[0]);
            assert!(pair.told(who.peer()).ends_with("Failed 1 WrongSize\n"));
        }
    }
}

#[test]
fn blocks_of_any_length_are_taken() {
    for mode in [STATIC, DYNAMIC] {
        let (mut pair, _, theirs) = accepted(mode, Who::Expert, 3000);
        for len in [1, 1500, 0, 28, 24, 1447] {
            pair.inject(Who::Expert, Pair::channel(), &vec![7; len]);
        }
        pair.inject(Who::Expert, Pair::channel(), &verb(FileVerb::End, true));
        assert_eq!(
            pair.told(Who::Novice),
            "Data 1 0+1\nData 1 1+1500\nData 1 1501+28\nData 1 1529+24\nData 1 1553+1447\nComplete 1\n"
        );
        assert_eq!(theirs, TransferId(1));
    }
}

/// Neither a transfer nor anything else comes of a REJECT.
#[test]
fn reject_is_never_answered() {
    for mode in MODES {
        for who in Who::BOTH {
            for nul in [false, true] {
                let reject = verb(FileVerb::Reject, nul);
                let channel = |pair: &Pair| lane(pair, who);
                let mut pair = Pair::new(mode);
                pair.log();
                let lane_name = channel(&pair);
                pair.inject(who, lane_name, &reject);
                pair.inject(who.peer(), lane_name, &reject);
                assert_eq!(pair.told(who) + &pair.told(who.peer()) + &pair.log(), "");
                // To the receiver that asks, to the one that receives, and to the sender.
                for (accept, to_sender) in [(false, false), (true, false), (false, true), (true, true)] {
                    let mut pair = Pair::new(mode);
                    pair.offer(who, "file", 5000);
                    pair.run();
                    let theirs = pair.offered(who.peer());
                    if accept {
                        pair.files(who.peer()).accept(theirs).unwrap();
                        pair.run();
                    }
                    pair.log();
                    pair.events(who);
                    pair.events(who.peer());
                    let from = if to_sender { who.peer() } else { who };
                    pair.inject(from, lane_name, &reject);
                    pair.inject(from, lane_name, &reject);
                    let expected = match (accept, to_sender) {
                        (false, false) => "Withdrawn 1\n",
                        (false, true) => "Failed 1 Refused\n",
                        (true, _) => "Failed 1 CancelledByPeer\n",
                    };
                    assert_eq!(pair.told(from.peer()), expected);
                    assert!(!pair.log().contains("REJECT"));
                }
            }
        }
    }
}

#[test]
fn nothing_runs_and_only_ack_is_answered() {
    for mode in MODES {
        let mut pair = Pair::new(mode);
        pair.log();
        let channel = Pair::channel();
        pair.inject(Who::Expert, channel, b"data");
        pair.inject(Who::Expert, channel, &verb(FileVerb::End, true));
        pair.inject(Who::Expert, channel, b"");
        assert_eq!(
            pair.told(Who::Novice),
            "Ignored RA_FX - OutOfSequence\nIgnored RA_FX FILEXFEREND OutOfSequence\n"
        );
        assert_eq!(pair.log(), "");
        // Who accepts waits for a file. Told once.
        if mode.1 {
            pair.open_for(Who::Novice, channel);
        }
        for _ in 0..3 {
            pair.inject(Who::Expert, channel, &verb(FileVerb::Ack, true));
        }
        assert_eq!(pair.told(Who::Novice), "");
        assert_eq!(pair.log().matches("REJECT").count(), 1);
        if mode.1 {
            pair.lose(Who::Novice, channel);
        }
        pair.assert_works();
    }
}

/// A peer that asks again on the same channel before it was answered no longer means what it asked before.
#[test]
fn the_last_question_counts() {
    for mode in [STATIC, DYNAMIC] {
        for who in Who::BOTH {
            let mut pair = Pair::new(mode);
            pair.inject_offer(who, "first", 1, "RA_FX", "");
            pair.inject_offer(who, "second", 2, "RA_FX", "");
            let asked = "Offered 1 \"first\" 1\nWithdrawn 1\nOffered 2 \"second\" 2\n";
            assert_eq!(pair.told(who.peer()), asked);
            assert_eq!(pair.log().matches("REJECT").count(), 0);
        }
    }
    // The user has agreed, but the peer cannot know.
    let mut pair = Pair::new(DYNAMIC);
    pair.inject_offer(Who::Expert, "first", 1, "RA_FX", "");
    pair.files(Who::Novice).accept(TransferId(1)).unwrap();
    pair.inject_offer(Who::Expert, "second", 2, "RA_FX", "");
    let told = "Offered 1 \"first\" 1\nFailed 1 CancelledByPeer\nOffered 2 \"second\" 2\n";
    assert_eq!(pair.told(Who::Novice), told);
}

/// CHANNELID names a channel of transfers, or the offer is ignored.
#[test]
fn no_other_channel_can_be_named() {
    for mode in MODES {
        let mut pair = Pair::new(mode);
        pair.log();
        for name in [
            "70",
            "71",
            "RC_CTL",
            "remdesk",
            "encomsp",
            "",
            "ra_fx",
            "RA FX",
            "RA_FX ",
            "1000.",
            "1000.-1",
            "1000.x",
            "cliprdr",
            "rdpdr",
            "1.2.3.1",
            "1000.18446744073709551616",
            ".1",
        ] {
            pair.inject_offer(Who::Expert, "x", 1, name, "");
            assert_eq!(pair.told(Who::Novice), "Ignored 71 FILEXFER WrongChannel\n", "{name}");
        }
        assert_eq!(pair.log(), "");
        // Those of another version are taken: nothing depends on it.
        for name in ["RA_FX", "1000.1", "10.0.0.1.5", "::1.7"] {
            pair.inject_offer(Who::Expert, "x", 1, name, "");
            let id = pair.offered(Who::Novice);
            pair.files(Who::Novice).refuse(id).unwrap();
            pair.run();
            pair.told(Who::Novice);
            assert!(pair.log().contains(&format!("{name} FILEXFERREJECT")), "{name}");
        }
    }
}

#[test]
fn internal_data_is_asked_about_unless_it_is_expected() {
    for (mode, told) in [(STATIC, "Offered 1 \"x\" 5\n"), (DYNAMIC, "Offered 1 \"x\" 5 internal\n")] {
        let mut pair = Pair::new(mode);
        pair.inject_offer(Who::Expert, "x", 5, "RA_FX", " INTERNALDATA=\"2\"");
        assert_eq!(pair.told(Who::Novice), told);
    }
}

/// Files are announced with any size; none of it is reserved.
#[test]
fn sizes_are_only_numbers() {
    for mode in [STATIC, DYNAMIC] {
        let mut pair = Pair::new(mode);
        pair.inject_offer(Who::Novice, "huge", u64::MAX, "RA_FX", "");
        let id = pair.offered(Who::Expert);
        pair.open_for(Who::Expert, Pair::channel());
        pair.files(Who::Expert).accept(id).unwrap();
        pair.take(Who::Expert);
        pair.inject(Who::Novice, Pair::channel(), &[1; 1024]);
        assert_eq!(pair.files(Who::Expert).receiving().map(|r| (r.received, r.size)), Some((1024, u64::MAX)));
        pair.files(Who::Expert).cancel(id).unwrap();
        assert!(pair.told(Who::Expert).ends_with("Failed 1 Cancelled\n"));
    }
}

/// Another FILEXFER while a transfer runs.
#[test]
fn one_file_at_a_time() {
    // The same channel: refused when the running one is over.
    for mode in [STATIC, DYNAMIC] {
        for who in Who::BOTH {
            let second = who.peer();
            let (mut pair, id, _) = accepted(mode, who, 10);
            pair.inject_offer(second, "second", 1, "RA_FX", "");
            assert_eq!(pair.told(who), "Ignored 71 FILEXFER Busy\n");
            assert_eq!(pair.log(), "");
            pair.blocks(who, id, &[0; 10]).unwrap();
            pair.take(who);
            let log = pair.log();
            let (end, reject) = (log.find("END").unwrap(), log.find("REJECT").unwrap());
            assert!(end < reject && log.find("close").is_none_or(|close| reject < close), "{log}");
            assert_eq!(log.matches("REJECT").count(), 1);
            pair.assert_works();
        }
    }
    // Another channel: refused at once, and the running one goes on.
    for mode in [(Version::V1, false), (Version::V1, true)] {
        for who in Who::BOTH {
            for second in Who::BOTH {
                let (mut pair, id, _) = accepted(mode, who, 10);
                pair.inject_offer(second, "second", 1, "1000.77", "");
                assert_eq!(pair.told(second.peer()), "Ignored 71 FILEXFER Busy\n");
                if mode.1 && second == Who::Novice {
                    pair.open_for(Who::Expert, Channel::parse("1000.77").unwrap());
                }
                pair.run();
                assert!(pair.log().contains("1000.77 FILEXFERREJECT"));
                pair.blocks(who, id, &[0; 10]).unwrap();
                pair.run();
                assert!(pair.told(who.peer()).ends_with("Complete 1\n"));
                pair.assert_works();
            }
        }
    }
}

/// A sender that offers a file while another is received believes that one to be over: what it sends would be taken for
/// the rest of it. One REJECT ends both.
#[test]
fn a_file_is_not_taken_for_another() {
    for mode in [STATIC, DYNAMIC] {
        for who in Who::BOTH {
            let (mut pair, id, theirs) = accepted(mode, who, 10);
            pair.inject_offer(who, "second", 10, "RA_FX", "");
            let told = format!("Ignored 71 FILEXFER Busy\nFailed {} OutOfSequence\n", theirs.0);
            assert_eq!(pair.told(who.peer()), told);
            pair.run();
            assert_eq!(pair.told(who), format!("Failed {} CancelledByPeer\n", id.0));
            assert_eq!(pair.log().matches("REJECT").count(), 1);
            pair.assert_works();
        }
    }
}

/// A peer that asks and asks is answered so often, and no more is kept.
#[test]
fn refusals_that_wait_are_bounded() {
    let (mut pair, id, _) = accepted(DYNAMIC, Who::Expert, 10);
    for _ in 0..1000 {
        pair.inject_offer(Who::Novice, "again", 1, "RA_FX", "");
    }
    assert_eq!(pair.told(Who::Expert).matches("Busy").count(), 1000);
    pair.blocks(Who::Expert, id, &[0; 10]).unwrap();
    pair.run();
    assert_eq!(pair.log().matches("REJECT").count(), 8);
    pair.assert_works();
    // Channels that nobody creates.
    let (mut pair, id, _) = accepted((Version::V1, true), Who::Expert, 10);
    for n in 0..1000 {
        pair.inject_offer(Who::Novice, "again", 1, &format!("10.0.0.1.{n}"), "");
    }
    pair.events(Who::Expert);
    pair.blocks(Who::Expert, id, &[0; 10]).unwrap();
    pair.run();
    assert_eq!(pair.log().matches("REJECT").count(), 0);
    pair.assert_works();
}

#[test]
fn a_lost_channel_ends_the_transfer() {
    for mode in [DYNAMIC, (Version::V2, true), (Version::V1, true)] {
        for who in Who::BOTH {
            for accept in [false, true] {
                let mut pair = Pair::new(mode);
                let id = pair.offer(who, "x", 5000);
                pair.run();
                let theirs = pair.offered(who.peer());
                if accept {
                    pair.files(who.peer()).accept(theirs).unwrap();
                    pair.run();
                }
                let channel = lane(&pair, who);
                for (side, id) in [(who, id), (who.peer(), theirs)] {
                    pair.events(side);
                    pair.lose(side, channel);
                    assert_eq!(pair.told(side), format!("Failed {} ChannelLost\n", id.0));
                }
                pair.assert_works();
            }
        }
    }
    // It could not be created.
    let mut pair = Pair::new(DYNAMIC);
    let id = pair.offer(Who::Novice, "x", 1);
    let next = pair.offer(Who::Novice, "y", 1);
    pair.take(Who::Novice);
    pair.lose(Who::Novice, Pair::channel());
    assert_eq!(pair.told(Who::Novice), format!("Failed {} ChannelLost\n", id.0));
    assert_eq!(pair.files(Who::Novice).sending().map(|s| s.id), Some(next));
    // Static channels know nothing of it.
    let (mut pair, id, _) = accepted(STATIC, Who::Expert, 10);
    pair.handle(Who::Expert, Input::ChannelClosed(Pair::channel()));
    pair.blocks(Who::Expert, id, &[0; 10]).unwrap();
    pair.run();
    assert!(pair.told(Who::Novice).ends_with("Complete 1\n"));
}

#[test]
fn nothing_is_sent_before_the_channel_is_there() {
    // The expert answers a novice whose channel it hears of late.
    for accept in [true, false] {
        let mut pair = Pair::new(DYNAMIC);
        pair.inject_offer(Who::Novice, "x", 1, "RA_FX", "");
        let id = pair.offered(Who::Expert);
        pair.log();
        if accept {
            pair.files(Who::Expert).accept(id).unwrap();
        } else {
            pair.files(Who::Expert).refuse(id).unwrap();
        }
        pair.take(Who::Expert);
        assert_eq!(pair.log(), "");
        pair.open_for(Who::Expert, Pair::channel());
        let verb = if accept { "ACK (24" } else { "REJECT (30" };
        assert_eq!(pair.log(), format!("Expert: RA_FX FILEXFER{verb} bytes)\n"));
    }
    // The novice, whose answer waits for its own channel.
    for accept in [true, false] {
        let mut pair = Pair::new(DYNAMIC);
        pair.log();
        let id = pair.offer(Who::Expert, "x", 0);
        pair.take(Who::Expert);
        pair.deliver(Who::Novice);
        let theirs = pair.offered(Who::Novice);
        if accept {
            pair.files(Who::Novice).accept(theirs).unwrap();
        } else {
            pair.files(Who::Novice).refuse(theirs).unwrap();
        }
        pair.take(Who::Novice);
        assert_eq!(pair.files(Who::Expert).sending().map(|s| s.id), Some(id));
        pair.run();
        if accept {
            expect![[r#"
                Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="x" FILESIZE="0" CHANNELID="RA_FX"/>
                Novice: open RA_FX
                Novice: RA_FX FILEXFERACK (24 bytes)
                Expert: RA_FX FILEXFEREND (24 bytes)
                Novice: close RA_FX
            "#]]
            .assert_eq(&pair.log());
        } else {
            expect![[r#"
                Expert: 71 <RCCOMMAND NAME="FILEXFER" FILENAME="x" FILESIZE="0" CHANNELID="RA_FX"/>
                Novice: open RA_FX
                Novice: RA_FX FILEXFERREJECT (30 bytes)
                Novice: close RA_FX
            "#]]
            .assert_eq(&pair.log());
        }
        pair.assert_works();
    }
}
