//! Peers that do not keep to the protocol, over TCP: they take nothing from others, and nothing stays of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use comqc_msmq::Place;
use comqc_msmq::msmq::{Acceptor, AcceptorOptions, ServedTarget};
use comqc_msmq::sqlite::{Outbox, StoredQueue};
use msmq_packet::{MessageIdentifier, QueueName, TransactionHeader, TxSequenceId, UserMessage};
use msmq_session::{Event, Input, Options, Output, Session, Ticket};
use remassist_core::{Encode as _, Time};
use testkit::measure::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::common::{Place as Directory, place};
use crate::transfer::{Running, acceptor, loopback, served};

const PATIENCE: Duration = Duration::from_secs(60);
const ME: Uuid = Uuid::from_u128(99);

struct Target {
    _place: Directory,
    queue: StoredQueue,
    address: SocketAddr,
    acceptor: Arc<Acceptor>,
    running: Running<()>,
}

async fn target(options: AcceptorOptions) -> Target {
    let place = place();
    let store = place.store("there.db");
    let queue = store.queue("orders").unwrap();
    let served = vec![served("orders", true, ServedTarget::Stored(queue.clone()))];
    let here = "127.0.0.1:0".parse().unwrap();
    let (address, acceptor, running) = acceptor(Outbox::new(store), here, served, options).await;
    Target { _place: place, queue, address, acceptor, running }
}

impl Target {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Whether a peer that behaves is served.
    async fn still_works(self) {
        let mut good = Peer::open(self.connect().await).await;
        let before = self.queue.count().unwrap().main;
        good.send(&message(1_000_000, 1, b"good".to_vec())).await;
        while self.queue.count().unwrap().main == before {
            good.work().await;
        }
        self.running.end().await;
    }
}

/// Whether the other side closes the connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut bytes = vec![0; 4096];
    let closed = async { while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
    timeout(PATIENCE, closed).await.is_ok()
}

fn message(sequence: u64, number: u32, body: Vec<u8>) -> UserMessage<'static> {
    let ordinal = u32::try_from(sequence).unwrap().wrapping_mul(1000) + number;
    let id = MessageIdentifier { queue_manager: ME, ordinal };
    UserMessage::new(id, 1_700_000_000, QueueName::direct(r"OS:there\private$\orders"))
        .with_body(body)
        .in_transaction(TransactionHeader::single(TxSequenceId(sequence), number, number - 1))
}

/// The initiator's side, by hand.
struct Peer {
    stream: TcpStream,
    session: Session,
    acknowledged: u32,
    over: bool,
}

impl Peer {
    async fn open(stream: TcpStream) -> Self {
        let session = Session::initiate(Options::new(ME), Time(0));
        let mut peer = Self { stream, session, acknowledged: 0, over: false };
        while !peer.session.is_open() {
            peer.work().await;
        }
        peer
    }

    async fn flush(&mut self) {
        loop {
            match self.session.poll() {
                Output::Send(bytes) => self.stream.write_all(&bytes).await.unwrap(),
                Output::Event(Event::Arrived(arrived)) => {
                    assert!(arrived.message.acknowledgment().is_some());
                    self.acknowledged += 1;
                    self.session.settle(Time(0), arrived.handle, Default::default()).unwrap();
                }
                Output::Event(_) => {}
                Output::Close(_) => self.over = true,
                _ => return,
            }
        }
    }

    async fn work(&mut self) {
        self.flush().await;
        let mut bytes = vec![0; 65_536];
        let count = timeout(Duration::from_millis(20), self.stream.read(&mut bytes)).await;
        if let Ok(Ok(count)) = count {
            assert_ne!(count, 0, "the connection was closed");
            self.session.handle(Time(0), Input::Data(&bytes[..count]));
        }
        self.flush().await;
    }

    async fn send(&mut self, message: &UserMessage<'static>) {
        while !self.session.can_send() {
            self.work().await;
        }
        self.session.send(Time(0), Ticket(0), message.clone()).unwrap();
        self.flush().await;
    }
}

#[tokio::test]
async fn what_is_no_packet_ends_the_connection() {
    let target = target(loopback()).await;
    let mut random = Random::seeded();
    let mut noise = vec![0; 4096];
    std::io::Read::read_exact(&mut random, &mut noise).unwrap();
    let mut huge = b"\x10\x00\x0b\x00LIOR".to_vec();
    huge.extend(u32::MAX.to_le_bytes());
    huge.extend([0xFF; 64]);
    let early = message(1, 1, b"before the session is open".to_vec()).to_vec().unwrap();
    for bytes in [noise, b"GET / HTTP/1.0\r\n\r\n".repeat(40), huge, early] {
        let mut stream = target.connect().await;
        stream.write_all(&bytes).await.unwrap();
        assert!(is_closed(&mut stream).await);
    }
    assert_eq!(target.queue.count().unwrap().main, 0);
    target.still_works().await;
}

#[tokio::test]
async fn whoever_says_nothing_or_almost_nothing_is_not_waited_for() {
    let options = AcceptorOptions { opening: Duration::from_millis(200), ..loopback() };
    let target = target(options).await;
    let mut silent = target.connect().await;
    let mut slow = target.connect().await;
    let drip = async {
        for byte in b"\x10\x00\x0b\x00LIOR\x3c\x02\x00\x00".iter().cycle() {
            if slow.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, drip).await.unwrap();
    assert!(is_closed(&mut silent).await);
    target.still_works().await;
}

#[tokio::test]
async fn connections_are_counted_and_given_back() {
    let options = AcceptorOptions { sessions: 6, sessions_of_one: 4, ..loopback() };
    let target = target(options).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(Peer::open(target.connect().await).await);
    }
    for _ in 0..20 {
        assert!(is_closed(&mut target.connect().await).await);
    }
    assert_eq!(target.acceptor.counted().refused, 20);
    held.clear();
    // The ends of the others are noticed one after the other.
    loop {
        let mut probe = target.connect().await;
        let told = timeout(Duration::from_millis(50), probe.read(&mut [0; 1])).await;
        if told.is_err() {
            break;
        }
    }
    target.still_works().await;
}

#[tokio::test]
async fn messages_of_nobody_and_for_nobody_change_nothing() {
    let target = target(loopback()).await;
    let mut peer = Peer::open(target.connect().await).await;
    for (index, name) in
        [r"OS:there\private$\nothing", r"OS:there\public", "nonsense", r"TCP:1.2.3.4\private$\x"]
            .into_iter()
            .enumerate()
    {
        let mut message = message(u64::try_from(index).unwrap() + 1, 1, b"x".to_vec());
        message.user.destination_queue = QueueName::direct(name);
        peer.send(&message).await;
    }
    while peer.acknowledged < 4 {
        peer.work().await;
    }
    assert_eq!(target.acceptor.counted().rejected, 4);
    assert_eq!(target.queue.count().unwrap().main, 0);
    target.still_works().await;
}

#[tokio::test]
async fn large_messages_of_a_peer_that_does_not_listen_are_taken_within_bounds() {
    let target = target(AcceptorOptions { window: 4, ..loopback() }).await;
    let mut peer = Peer::open(target.connect().await).await;
    let body = vec![1; 4 * 1024 * 1024 - 400];
    for number in 1..=8 {
        peer.send(&message(1, number, body.clone())).await;
    }
    while target.queue.count().unwrap().main < 8 {
        peer.work().await;
    }
    let kept = target.queue.list(Place::Main, None, 9).unwrap();
    assert!(kept.iter().all(|listed| listed.size == body.len() as u64));
    target.still_works().await;
}

#[tokio::test]
async fn sequences_that_jump_are_not_taken_and_what_follows_is() {
    let target = target(loopback()).await;
    let mut peer = Peer::open(target.connect().await).await;
    for (sequence, number) in [(5, 2), (5, 1), (5, 1), (5, 3), (4, 1), (5, 2), (5, 3)] {
        peer.send(&message(sequence, number, vec![u8::try_from(number).unwrap()])).await;
    }
    while target.queue.count().unwrap().main < 3 || target.acceptor.counted().duplicates < 4 {
        peer.work().await;
    }
    let ids: Vec<_> =
        target.queue.list(Place::Main, None, 9).unwrap().iter().map(|m| m.id.uniquifier).collect();
    assert_eq!(ids, [5001, 5002, 5003]);
    target.still_works().await;
}
