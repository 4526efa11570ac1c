//! Packets of MSMQ: alone, and in captured network traffic.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test reports by panicking")]

use std::net::SocketAddr;

use common::{failure, hex, run, stdout, vectors};
use remassist::core::{Encode as _, from_hex};
use remassist::msmq::{MessageClass, MessageIdentifier, OrderAck, QueueName, TxSequenceId, UserMessage};
use serde_json::Value;
use wire::{Link, Record, pcap, pcapng, tcp, udp};

mod common;
mod wire;

fn frames() -> Vec<Vec<u8>> {
    let document = vectors("msmq/mqqb.json");
    let frames = document["frames"].as_array().unwrap().iter();
    let whole = |frame: &Value| frame.get("reconstructed_hex").unwrap_or(&frame["hex"]).clone();
    frames.map(|frame| from_hex(whole(frame).as_str().unwrap()).unwrap()).collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

const US: MessageIdentifier = MessageIdentifier { queue_manager: uuid::Uuid::from_u128(1), ordinal: 7 };

/// The first message of the vectors of COMQC, queued.
fn comqc() -> Vec<u8> {
    let document = vectors("comqc/valid.json");
    let row = &document["messages"][0];
    let bytes = |name: &str| from_hex(row[name].as_str().unwrap()).unwrap();
    let message = UserMessage::new(US, 1, QueueName::direct("OS:srv\\private$\\App"));
    message.with_extension(bytes("extension_hex")).with_body(bytes("hex")).to_vec().unwrap()
}

fn order_ack() -> Vec<u8> {
    let ack = OrderAck::up_to(TxSequenceId::new(5, 9), 3);
    ack.message(US, 1, QueueName::order_queue("10.0.0.5")).to_vec().unwrap()
}

#[test]
fn a_stream_of_packets_goes_to_json_and_back() {
    let stream = [&frames()[2..].concat()[..], &comqc(), &order_ack()].concat();
    let json = stdout(&["inspect", "--json", "-"], &stream);
    let value: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["kind"], "msmq");
    let packets = value["value"].as_array().unwrap();
    let types: Vec<_> = packets.iter().map(|p| p["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "establish_connection",
            "establish_connection",
            "connection_parameters",
            "connection_parameters",
            "user_message",
            "session_ack",
            "user_message",
            "user_message"
        ]
    );
    assert_eq!(value["deviations"].as_array().unwrap().len(), 1, "frame 7 asks for reports to no queue");
    assert_eq!(packets[6]["comqc"]["headers"][1]["type"], "method");
    assert_eq!(packets[7]["acknowledgment"]["type"], "order");
    assert_eq!(packets[7]["acknowledgment"]["sequence_number"], 3);
    assert_eq!(stdout(&["encode", "-"], &json), stream);
    // Also when it is told what it is.
    let again = stdout(&["encode", "--kind", "msmq", "-"], value["value"].to_string().as_bytes());
    assert_eq!(again, stream);
    let (status, error) = failure(&["encode", "--kind", "msmq", "-"], b"{}");
    assert_eq!((status, error.as_str()), (1, "remassist: msmq: not an array of packets\n"));
}

#[test]
fn the_tree_names_packets_and_shows_what_they_hold() {
    let tree = text(stdout(&["inspect", "-"], &[comqc(), order_ack()].concat()));
    for line in [
        "UserMessage Packet  [MS-MQMQ] 2.2.20",
        "OrderAck Packet  [MS-MQQB] 2.2.4",
        "DirectFormatName: \"OS:srv\\\\private$\\\\App\\u{0}\"",
        "Message (in MessageBody)  [MC-COMQC] 2.2",
        "METH  [MC-COMQC] 2.2.6",
        "Flags: 0x3 PR=3  [MS-MQMQ] 2.2.19.1",
        "Flags: 0x201c00 DQ=7 MP  [MS-MQMQ] 2.2.19.2",
        "TxSequenceNumber: 3  [MS-MQQB] 2.2.4.1",
        "MessageClass: 255 MQMSG_CLASS_ORDER_ACK",
    ] {
        assert!(tree.contains(line), "{line} is not in {tree}");
    }
    let json = text(stdout(&["inspect", "--json", "-"], &comqc()));
    assert!(json.contains("\"comqc\""));

    // A body that is no queued component message is a deviation, and stays what it is.
    let mut broken = comqc();
    let at = broken.windows(4).position(|w| w == b"CHDR").unwrap();
    broken[at] = b'X';
    let tree = text(stdout(&["inspect", "-"], &broken));
    assert!(tree.contains("deviation: ") && tree.contains(&format!("at byte {at}")), "{tree}");
    let (status, error) = failure(&["inspect", "--strict", "-"], &broken);
    assert!(status == 1 && error.contains(&format!("at byte {at}")), "{error}");
}

#[test]
fn pings_are_recognised() {
    let pings = frames()[..2].concat();
    let json = stdout(&["inspect", "--json", "-"], &pings);
    let value: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&value["kind"], value["value"].as_array().unwrap().len()), (&Value::from("msmq"), 2));
    assert_eq!(value["value"][0]["cookie"], 4);
    assert_eq!(stdout(&["encode", "-"], &json), pings);
    let tree = text(stdout(&["inspect", "-"], &pings));
    assert!(tree.contains("Ping Packet") && tree.contains("Cookie: 4"), "{tree}");
}

#[test]
fn errors_tell_the_byte() {
    let mut stream = [order_ack(), order_ack()].concat();
    let at = order_ack().len();
    stream.truncate(stream.len() - 1);
    let (status, error) = failure(&["inspect", "--kind", "msmq", "-"], &stream);
    assert_eq!(status, 1);
    assert!(error.starts_with("remassist: msmq: "), "{error}");
    assert!(error.contains(&format!(" at byte {}: need ", at + 16)), "{error}");
}

/// A conversation: both sides, with what can go wrong on the way of segments.
fn conversation(link: Link, ipv6: bool) -> Vec<Record> {
    let address = |n: u8, port: u16| -> SocketAddr {
        if ipv6 {
            format!("[fd00::{n}]:{port}").parse().unwrap()
        } else {
            format!("10.0.0.{n}:{port}").parse().unwrap()
        }
    };
    let (client, server) = (address(1, 49759), address(2, 1801));
    let frames = frames();
    let mut records = vec![
        udp(link, address(1, 4057), address(2, 3527), &frames[0]),
        udp(link, address(2, 3527), address(1, 4057), &frames[1]),
        tcp(link, client, server, 0xFFFF_FF00, true, b""),
        tcp(link, server, client, 100, true, b""),
    ];
    // The sequence numbers of the client wrap around.
    let out = [&frames[2][..], &frames[4], &frames[6], &comqc()].concat();
    let back = [&frames[3][..], &frames[5], &frames[7], &order_ack()].concat();
    let mut pieces: Vec<(usize, &[u8])> = out
        .chunks(700)
        .scan(0, |at, piece| Some((std::mem::replace(at, *at + piece.len()), piece)))
        .collect();
    // Out of order, twice, and overlapping.
    pieces.swap(1, 2);
    pieces.insert(3, pieces[0]);
    pieces.insert(4, (690, &out[690..800]));
    let sequence = |at: usize| 0xFFFF_FF01_u32.wrapping_add(at as u32);
    records.extend(pieces.iter().map(|(at, piece)| tcp(link, client, server, sequence(*at), false, piece)));
    records.push(tcp(link, client, address(2, 445), 5, false, b"not for us"));
    records.push(tcp(link, server, client, 101, false, &back[..700]));
    records.push(tcp(link, server, client, 101, false, &back[..700]));
    records.push(tcp(link, server, client, 801, false, &back[700..]));
    records
}

/// The JSON lines of a capture.
fn lines(capture: &[u8]) -> Vec<Value> {
    let json = text(stdout(&["inspect", "--json", "-"], capture));
    json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_conversation_is_put_together_whatever_carries_it() {
    let mut told = Vec::new();
    for link in [Link::Ethernet, Link::Vlan, Link::Cooked, Link::Cooked2, Link::Raw, Link::Loopback] {
        for ipv6 in [false, true] {
            for capture in [
                pcap(link, &conversation(link, ipv6), false, false),
                pcap(link, &conversation(link, ipv6), true, true),
                pcapng(link, &conversation(link, ipv6)),
            ] {
                let lines = lines(&capture);
                let packets: Vec<_> =
                    lines.iter().map(|l| l["packet"].as_str().unwrap().to_owned()).collect();
                assert_eq!(
                    packets,
                    [
                        "Ping Packet",
                        "Ping Packet",
                        "EstablishConnection Packet",
                        "ConnectionParameters Packet",
                        "UserMessage Packet",
                        "UserMessage Packet",
                        "EstablishConnection Packet",
                        "ConnectionParameters Packet",
                        "SessionAck Packet",
                        "OrderAck Packet"
                    ],
                    "{link:?} {ipv6}"
                );
                let value = |line: &Value| line["value"].clone();
                told.push(lines.iter().map(value).collect::<Vec<_>>());
                let client = if ipv6 { "[fd00::1]:49759" } else { "10.0.0.1:49759" };
                assert_eq!((&lines[2]["from"], &lines[6]["to"]), (&client.into(), &client.into()));
                assert_eq!((&lines[0]["transport"], &lines[2]["transport"]), (&"udp".into(), &"tcp".into()));
            }
        }
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "all captures say the same");
    // A line can be encoded again.
    let capture = pcap(Link::Ethernet, &conversation(Link::Ethernet, false), false, false);
    assert_eq!(stdout(&["encode", "-"], lines(&capture)[2].to_string().as_bytes()), frames()[2]);
}

#[test]
fn packets_are_told_with_time_and_direction() {
    let capture = pcap(Link::Ethernet, &conversation(Link::Ethernet, false), false, false);
    let tree = text(stdout(&["inspect", "-"], &capture));
    let heads: Vec<_> = tree.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        heads[0],
        "#1 2026-02-28 23:59:58.000001 UTC  10.0.0.1:4057 -> 10.0.0.2:3527  Ping Packet, 24 bytes"
    );
    assert_eq!(
        heads[4],
        "#5 2026-03-01 00:00:08.000011 UTC  10.0.0.1:49759 -> 10.0.0.2:1801  UserMessage Packet, 2224 bytes"
    );
    assert!(tree.ends_with("10 packets of MSMQ in 15 frames\n"), "{}", &tree[tree.len() - 80..]);
    let nanoseconds = lines(&pcapng(Link::Raw, &conversation(Link::Raw, false)));
    assert_eq!(nanoseconds[0]["time"], "2026-02-28T23:59:58.000001500Z");
}

#[test]
fn what_was_not_captured_is_told_and_the_rest_is_read() {
    let link = Link::Ethernet;
    let [client, server]: [SocketAddr; 2] =
        ["10.0.0.1:49759".parse().unwrap(), "10.0.0.2:1801".parse().unwrap()];
    let ack = order_ack();
    let len = ack.len() as u32;
    // The capture began late; two packets, a hole in the second, two more, and one that is cut at the end.
    let at = |n: u32| 1000 + n * len;
    let records = [
        tcp(link, client, server, 990, false, b"in between"),
        tcp(link, client, server, at(0), false, &ack),
        tcp(link, client, server, at(1), false, &ack[..50]),
        tcp(link, client, server, at(1) + 60, false, &ack[60..]),
        tcp(link, client, server, at(2), false, &ack),
        tcp(link, client, server, at(3), false, &ack),
        tcp(link, client, server, at(4), false, &ack[..100]),
    ];
    let tree = text(stdout(&["inspect", "-"], &pcap(link, &records, false, false)));
    assert_eq!(tree.matches("OrderAck Packet, ").count(), 3, "{tree}");
    assert!(tree.contains("10 bytes were not captured"), "{tree}");
    assert!(
        tree.contains(&format!("the last packet is not whole: 100 bytes, {} more needed", len - 100)),
        "{tree}"
    );

    // Something else on the port.
    let mut noise = order_ack();
    noise[4] = b'X';
    let records = [
        tcp(link, client, server, 1, true, b""),
        tcp(link, client, server, 2, false, &noise),
        tcp(link, client, server, 2 + len, false, b"GET / HTTP/1.1"),
        tcp(link, client, server, 500, false, &ack),
    ];
    let capture = pcap(link, &records, false, false);
    let tree = text(stdout(&["inspect", "-"], &capture));
    assert!(tree.contains("not a packet: BaseHeader.Signature at byte 4"), "{tree}");
    assert_eq!(tree.matches("OrderAck Packet, ").count(), 1, "{tree}");
    // A packet whose inside is wrong does not end the stream.
    let mut wrong = order_ack();
    wrong[62] ^= 0x20;
    let both = [wrong, ack].concat();
    let capture = pcap(link, &[tcp(link, client, server, 1, false, &both)], false, false);
    let lines = lines(&capture);
    assert!(lines[0]["error"].as_str().unwrap().starts_with("msmq: "), "{lines:?}");
    assert_eq!(lines[1]["packet"], "OrderAck Packet");
    let (status, error) = {
        let output = run(&["inspect", "--strict", "-"], &capture);
        (output.status.code(), text(output.stderr))
    };
    assert!(status == Some(1) && error.contains("10.0.0.1:49759 -> 10.0.0.2:1801  msmq: "), "{error}");
}

#[test]
fn a_capture_that_is_cut_anywhere_tells_what_is_there() {
    let records = conversation(Link::Ethernet, false);
    for capture in [pcap(Link::Ethernet, &records, false, false), pcapng(Link::Ethernet, &records)] {
        for len in (4..capture.len()).step_by(97) {
            let output = run(&["inspect", "--kind", "capture", "--json", "-"], &capture[..len]);
            let (status, error) = (output.status.code().unwrap(), text(output.stderr));
            assert!(status <= 1 && !error.contains("panicked"), "{len}: {error}");
            assert!(text(output.stdout).lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
        }
        let mut damaged = capture.clone();
        for at in (0..capture.len()).step_by(61) {
            damaged[at] ^= 0xFF;
            let output = run(&["inspect", "--kind", "capture", "-"], &damaged);
            let error = text(output.stderr);
            assert!(output.status.code().unwrap() <= 1 && !error.contains("panicked"), "{at}: {error}");
            damaged[at] ^= 0xFF;
        }
    }
    let (status, error) = failure(&["inspect", "--kind", "capture", "-"], b"none");
    assert_eq!(status, 1);
    assert!(error.starts_with("remassist: capture: "), "{error}");
}

#[test]
fn fragments_and_unknown_links_are_counted() {
    let link = Link::Ethernet;
    let mut records = conversation(link, false);
    // More fragments follow.
    records[0].data[20] |= 0x20;
    let tree = text(stdout(&["inspect", "-"], &pcap(link, &records, false, false)));
    assert!(tree.ends_with("; 1 fragments of IP packets are left out\n"), "{tree}");
    let tree = text(stdout(&["inspect", "-"], &pcap(Link::Unknown, &records, false, false)));
    assert_eq!(
        tree,
        "0 packets of MSMQ in 15 frames; 15 frames of the link type 147, which is not known, are left out\n"
    );
}

#[test]
fn segments_without_a_length_are_read() {
    // What a card is to cut into segments itself has no length yet when it is captured.
    let link = Link::Ethernet;
    let [client, server]: [SocketAddr; 2] =
        ["10.0.0.1:49759".parse().unwrap(), "10.0.0.2:1801".parse().unwrap()];
    let mut record = tcp(link, client, server, 1, false, &[order_ack(), comqc()].concat());
    record.data[16] = 0;
    record.data[17] = 0;
    let lines = lines(&pcap(link, &[record], false, false));
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_final_acknowledgment_is_named() {
    let message = UserMessage::new(US, 1, QueueName::direct("OS:srv\\private$\\App"));
    let transaction = remassist::msmq::TransactionHeader::single(TxSequenceId::new(5, 9), 1, 0);
    let message = message.in_transaction(transaction);
    let ack = remassist::msmq::FinalAck::of(&message, MessageClass::NACK_BAD_DST_Q).unwrap();
    let bytes = ack.message(US, 2, QueueName::order_queue("10.0.0.5")).to_vec().unwrap();
    let tree = text(stdout(&["inspect", "--hex", "-"], hex(&bytes).as_bytes()));
    assert!(tree.contains("FinalAck Packet  [MS-MQQB] 2.2.5"), "{tree}");
    assert!(tree.contains("MessageClass: 32768 (0x8000) MQMSG_CLASS_NACK_BAD_DST_Q"), "{tree}");
}

#[test]
fn a_connection_begins_once_and_another_one_begins_anew() {
    let link = Link::Raw;
    let [client, server]: [SocketAddr; 2] =
        ["10.0.0.1:49759".parse().unwrap(), "10.0.0.2:1801".parse().unwrap()];
    let ack = order_ack();
    let (first, rest) = ack.split_at(100);
    let syn = |sequence| tcp(link, client, server, sequence, true, b"");
    let data = |sequence, bytes| tcp(link, client, server, sequence, false, bytes);
    // The SYN once more, after data; then a connection between the same ports while a packet is not whole.
    let records = [
        syn(9),
        data(10, first),
        syn(9),
        data(110, rest),
        data(10 + ack.len() as u32, first),
        syn(5000),
        data(5001, &ack),
    ];
    let tree = text(stdout(&["inspect", "-"], &pcap(link, &records, false, false)));
    assert_eq!(tree.matches("OrderAck Packet, ").count(), 2, "{tree}");
    assert!(tree.contains("another connection begins; 100 bytes of a packet are left"), "{tree}");
    assert!(tree.ends_with("2 packets of MSMQ in 7 frames\n"), "{tree}");
    // A SYN that comes after the first data.
    let records = [data(10, &ack), syn(9), data(10 + ack.len() as u32, &ack)];
    let tree = text(stdout(&["inspect", "-"], &pcap(link, &records, false, false)));
    assert_eq!(tree.matches("OrderAck Packet, ").count(), 2, "{tree}");
    assert!(!tree.contains("not captured"), "{tree}");
}
