//! Peers that say anything, by the oracles of the fuzz targets, and what they cost.

use msmq_packet::{
    ConnectionParameters, EstablishConnection, MessageIdentifier, OperatingSystem, QueueName, UserMessage,
};
use msmq_session::{Event, Input, Options, Output, Reason, Session};
use proptest::prelude::*;
use remassist_core::{Encode, Time};
use testkit::memory::{Counting, memory, most_memory};
use testkit::{measure, oracles};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_initiator_is_told(input in proptest::collection::vec(any::<u8>(), 0..1200)) {
        oracles::run("msmq_initiator", &input);
    }

    #[test]
    fn whatever_an_acceptor_is_told(input in proptest::collection::vec(any::<u8>(), 0..1200)) {
        oracles::run("msmq_acceptor", &input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_two_hosts(input in proptest::collection::vec(any::<u8>(), 0..3000)) {
        oracles::run("msmq_pair", &input);
    }
}

fn open() -> Session {
    let mut session = Session::accept(Options::new(Uuid::from_u128(0xB)), Time(0));
    let request = EstablishConnection::request(Uuid::from_u128(0xA), Uuid::nil(), 0, OperatingSystem(0));
    session.handle(Time(0), Input::Data(&request.to_vec().unwrap()));
    session.handle(Time(0), Input::Data(&ConnectionParameters::new(500, 20_000, 64).to_vec().unwrap()));
    session
}

fn message(size: usize) -> Vec<u8> {
    let id = MessageIdentifier { queue_manager: Uuid::from_u128(0xA), ordinal: 1 };
    UserMessage::new(id, 0, QueueName::direct("OS:b\\q")).with_body(vec![0; size]).to_vec().unwrap()
}

#[test]
fn a_flood_fills_no_memory() {
    if !measure::alone("a_flood_fills_no_memory") {
        return;
    }
    for size in [0, 1_000, 100_000, 4_000_000] {
        let bytes = message(size);
        let mut session = open();
        let mut arrived = Vec::new();
        let before = memory();
        most_memory();
        // A driver that reads as long as it is asked to, and settles nothing.
        let mut read = 0;
        'reading: for _ in 0..10_000 {
            for chunk in bytes.chunks(64 << 10) {
                if !session.wants_data() {
                    break 'reading;
                }
                session.handle(Time(0), Input::Data(chunk));
                read += chunk.len();
                loop {
                    match session.poll() {
                        Output::Event(Event::Arrived(one)) => arrived.push(one),
                        Output::Wait(_) => break,
                        _ => {}
                    }
                }
            }
        }
        let most = most_memory() - before;
        assert!(arrived.len() <= 64, "{}", arrived.len());
        assert!(most < 36 << 20, "{size}: {most} bytes of memory for {read} bytes read");
        println!(
            "bodies of {size} bytes: {} messages, {read} bytes read, {most} bytes of memory",
            arrived.len()
        );
    }
}

#[test]
fn a_driver_that_reads_on_is_stopped() {
    let mut session = open();
    let bytes = message(1_000_000);
    let mut reason = None;
    for _ in 0..100 {
        session.handle(Time(0), Input::Data(&bytes));
        loop {
            match session.poll() {
                Output::Close(why) => reason = Some(why),
                Output::Wait(_) => break,
                _ => {}
            }
        }
    }
    assert_eq!(reason, Some(Reason::Overflow));
}

#[test]
fn a_size_that_is_promised_takes_no_memory() {
    if !measure::alone("a_size_that_is_promised_takes_no_memory") {
        return;
    }
    let mut session = open();
    let mut head = message(0);
    head[8..12].copy_from_slice(&0x0040_0000_u32.to_le_bytes());
    let before = memory();
    session.handle(Time(0), Input::Data(&head));
    assert!(memory() - before < 64 << 10);
}
