//! From an outbox into queues, over TCP on this machine.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use comqc_msmq::msmq::{Acceptor, AcceptorOptions, Sender, SenderOptions, Served, ServedTarget};
use comqc_msmq::sqlite::rusqlite::Connection;
use comqc_msmq::sqlite::{Outbox, Progress, SqliteQueue, StoredQueue, Transfer};
use comqc_msmq::{Counts, Place, Queue};
use comqc_session::{DeadReason, DeliveryGuarantee, MessageId, QueueMessage, QueueName, Received};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::common::{Place as Directory, message, place};

const PATIENCE: Duration = Duration::from_secs(60);
const HERE: &str = "127.0.0.1:0";

pub fn served(name: &str, transactional: bool, target: ServedTarget) -> Served {
    Served { name: QueueName::new(name).unwrap(), transactional, target }
}

pub fn loopback() -> AcceptorOptions {
    AcceptorOptions { allow: vec!["127.0.0.0/8".parse().unwrap()], ..AcceptorOptions::default() }
}

/// A task that ends when it is asked to.
pub struct Running<T> {
    stop: oneshot::Sender<()>,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Running<T> {
    pub fn start<F: Future<Output = T> + Send + 'static>(
        run: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { stop, task: tokio::spawn(run(stopped)) }
    }

    pub async fn end(self) -> T {
        let _ended = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }

    /// As a process that is killed.
    pub async fn kill(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
}

pub async fn acceptor(
    outbox: Outbox,
    address: SocketAddr,
    served: Vec<Served>,
    options: AcceptorOptions,
) -> (SocketAddr, Arc<Acceptor>, Running<()>) {
    let acceptor = Arc::new(Acceptor::bind(&[address], outbox, served, options).await.unwrap());
    let address = acceptor.addresses()[0];
    let run = Arc::clone(&acceptor);
    let running = Running::start(|stop| async move { run.run(async { drop(stop.await) }).await });
    (address, acceptor, running)
}

pub fn options(port: u16) -> SenderOptions {
    SenderOptions { port, error_wait: Duration::from_millis(20), ..SenderOptions::default() }
}

pub fn sender(sender: Sender) -> Running<Result<(), comqc_msmq::QueueError>> {
    Running::start(|stop| async move { sender.run(async { drop(stop.await) }).await })
}

/// Two machines: one with an outbox, one with a queue.
struct Two {
    place: Directory,
    outbox: Outbox,
    queue: StoredQueue,
}

impl Two {
    fn new() -> Self {
        let place = place();
        let outbox = place.outbox();
        let queue = place.store("there.db").queue("orders").unwrap();
        Self { place, outbox, queue }
    }

    fn there(&self) -> Outbox {
        Outbox::new(self.place.store("there.db"))
    }

    fn accept(&self, messages: &[QueueMessage], transfer: Transfer) -> Vec<MessageId> {
        let destination = r"OS:localhost\private$\orders".parse().unwrap();
        self.outbox.to(&destination).unwrap().accept(messages, transfer).unwrap()
    }

    async fn serve(&self, transactional: bool) -> (SocketAddr, Arc<Acceptor>, Running<()>) {
        let target = ServedTarget::Stored(self.queue.clone());
        let served = vec![served("orders", transactional, target)];
        acceptor(self.there(), HERE.parse().unwrap(), served, loopback()).await
    }

    async fn delivered(&self, ids: &[MessageId]) {
        for id in ids {
            assert_eq!(self.outbox.settled(*id, PATIENCE).await.unwrap(), Progress::Gone);
        }
    }

    fn there_is(&self) -> Vec<String> {
        self.queue.list(Place::Main, None, 100_000).unwrap().into_iter().map(|m| m.label).collect()
    }
}

fn labeled(count: usize) -> (Vec<String>, Vec<QueueMessage>) {
    let labels: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    let messages = labels.iter().map(|label| message(label)).collect();
    (labels, messages)
}

#[tokio::test]
async fn messages_get_there_once_and_in_order() {
    for transfer in [Transfer::Single, Transfer::Sequence, Transfer::Plain] {
        let two = Two::new();
        let (labels, messages) = labeled(if transfer == Transfer::Single { 50 } else { 500 });
        let ids = two.accept(&messages, transfer);
        let (address, acceptor, running) = two.serve(transfer != Transfer::Plain).await;
        let sending = Sender::new(two.outbox.clone(), options(address.port()));
        let sends = sender(sending.clone());
        two.delivered(&ids).await;
        assert_eq!(two.there_is(), labels, "{transfer:?}");
        assert_eq!(two.outbox.waiting().unwrap().len(), 0);
        sends.end().await.unwrap();
        running.end().await;
        let counted = acceptor.counted();
        assert_eq!((counted.delivered, counted.duplicates, counted.rejected), (labels.len() as u64, 0, 0));
        assert_eq!(sending.counted().delivered, labels.len() as u64);
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_sent() {
    let two = Two::new();
    let mut sent = message("Größe \u{2116} 5");
    let id = MessageId { lineage: uuid::Uuid::from_u128(5), uniquifier: 6 };
    sent.properties.correlation = id;
    sent.properties.application_tag = 77;
    sent.properties.response_queue = r"DIRECT=OS:here\private$\answers".into();
    sent.properties.time_to_be_received = Some(100_000);
    sent.properties.priority = 6;
    let ids = two.accept(std::slice::from_ref(&sent), Transfer::Plain);
    let (address, _, running) = two.serve(false).await;
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    two.delivered(&ids).await;
    let received: Received = two.queue.peek(Place::Main, None).unwrap().unwrap();
    assert_eq!(received.id, ids[0]);
    sent.properties.response_queue = r"DIRECT=OS:here\PRIVATE$\answers".into();
    assert_eq!(received.message, sent);
    assert_eq!(received.sent.0, 1_700_000_000_000, "in seconds");
    assert!(!received.sender.authenticated);
    assert!(received.sender.description.ends_with("at 127.0.0.1"), "{}", received.sender.description);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_message_of_the_greatest_size_arrives_and_a_greater_one_is_not_taken() {
    let two = Two::new();
    let body = |len: usize| QueueMessage { body: vec![7; len].into(), ..message("big") };
    let queue = comqc_msmq::msmq::DirectQueue::new(
        &two.outbox,
        &r"OS:localhost\private$\orders".parse().unwrap(),
        Transfer::Single,
    )
    .unwrap();
    assert!(queue.send(body(4 * 1024 * 1024)).await.is_err());
    let id = queue.send(body(4 * 1024 * 1024 - 300)).await.unwrap();
    let (address, _, running) = two.serve(true).await;
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    two.delivered(&[id]).await;
    assert_eq!(two.queue.peek(Place::Main, None).unwrap().unwrap().message.body.len(), 4 * 1024 * 1024 - 300);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn express_messages_are_acknowledged_too() {
    let two = Two::new();
    let mut express = message("fast");
    express.properties.delivery = DeliveryGuarantee::EXPRESS;
    let mut recoverable = message("kept");
    recoverable.properties.delivery = DeliveryGuarantee::RECOVERABLE;
    let ids = two.accept(&[express, recoverable], Transfer::Plain);
    let (address, _, running) = two.serve(false).await;
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    two.delivered(&ids).await;
    assert_eq!(two.there_is(), ["fast", "kept"]);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn what_is_rejected_is_dead_with_the_class_and_the_rest_goes_on() {
    let two = Two::new();
    let wrong = two.accept(&[message("to a queue of transactions")], Transfer::Plain);
    let right = two.accept(&[message("a")], Transfer::Single);
    let nowhere = r"OS:localhost\private$\nowhere".parse().unwrap();
    let lost = two.outbox.to(&nowhere).unwrap().accept(&[message("nowhere")], Transfer::Single).unwrap();
    let (address, _, running) = two.serve(true).await;
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    two.delivered(&right).await;
    let dead = two.outbox.settled(lost[0], PATIENCE).await.unwrap();
    let class = "MQMSG_CLASS_NACK_BAD_DST_Q".to_owned();
    assert_eq!(dead, Progress::Dead(DeadReason::Undeliverable, class));
    // Nothing tells the sender of a message that is not transactional, unless it names an administration queue.
    two.delivered(&wrong).await;
    assert_eq!(two.there_is(), ["a"]);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn what_is_too_late_is_not_sent() {
    let two = Two::new();
    let mut late = message("late");
    late.properties.time_to_reach_queue = Some(1);
    late.properties.negative_journaling = true;
    let mut forgotten = late.clone();
    forgotten.properties.negative_journaling = false;
    let ids = two.accept(&[late, forgotten, message("b")], Transfer::Single);
    two.place.clock.fetch_add(3000, Ordering::SeqCst);
    let (address, _, running) = two.serve(true).await;
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    let class = "MQMSG_CLASS_NACK_REACH_QUEUE_TIMEOUT".to_owned();
    let dead = two.outbox.settled(ids[0], PATIENCE).await.unwrap();
    assert_eq!(dead, Progress::Dead(DeadReason::Expired, class));
    two.delivered(&ids[1..]).await;
    assert_eq!(two.there_is(), ["b"]);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn either_side_may_start_first_and_end_at_any_time() {
    let two = Two::new();
    let (labels, messages) = labeled(400);
    let address: SocketAddr = {
        // A port that is free for now.
        let probe = std::net::TcpListener::bind(HERE).unwrap();
        probe.local_addr().unwrap()
    };
    let mut sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    let mut ids = Vec::new();
    let served = || vec![served("orders", true, ServedTarget::Stored(two.queue.clone()))];
    for (round, messages) in messages.chunks(50).enumerate() {
        ids.extend(two.accept(messages, Transfer::Sequence));
        let (_, _, running) = acceptor(two.there(), address, served(), loopback()).await;
        let last = if round % 2 == 0 { &ids[ids.len() - 50..ids.len() - 30] } else { &ids[..] };
        two.delivered(last).await;
        match round % 4 {
            0 => running.kill().await,
            1 => running.end().await,
            2 => {
                sends.kill().await;
                running.kill().await;
                sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
            }
            _ => {
                sends.end().await.unwrap();
                running.end().await;
                sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
            }
        }
    }
    let (_, _, running) = acceptor(two.there(), address, served(), loopback()).await;
    two.delivered(&ids).await;
    assert_eq!(two.there_is(), labels);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn one_sender_works_and_another_takes_over() {
    let two = Two::new();
    let (address, _, running) = two.serve(true).await;
    let first = sender(Sender::new(two.outbox.clone(), options(address.port())));
    let one = two.accept(&[message("a")], Transfer::Single);
    two.delivered(&one).await;
    let second = Sender::new(two.place.outbox(), options(address.port()));
    let waits = sender(second.clone());
    let two_ids = two.accept(&[message("b")], Transfer::Single);
    two.delivered(&two_ids).await;
    assert_eq!(second.counted().sent, 0);
    first.kill().await;
    let three = two.accept(&[message("c")], Transfer::Single);
    two.delivered(&three).await;
    assert_eq!(second.counted().sent, 1);
    assert_eq!(two.there_is(), ["a", "b", "c"]);
    waits.end().await.unwrap();
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_sequence_waits_until_the_one_before_is_gone_for_good() {
    let two = Two::new();
    let ids = two.accept(&[message("a"), message("b")], Transfer::Single);
    let (address, _, running) = two.serve(true).await;
    // Nothing can be noted in the outbox.
    let busy = Connection::open(two.place.path("outbox.db")).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sending = Sender::new(two.outbox.clone(), options(address.port()));
    let sends = sender(sending.clone());
    while sending.counted().delivered == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Otherwise a sender that is killed now would have to send "a" again, and the destination would acknowledge only "b".
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(two.there_is(), ["a"]);
    busy.execute_batch("COMMIT").unwrap();
    two.delivered(&ids).await;
    assert_eq!(two.there_is(), ["a", "b"]);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_queue_that_is_no_database_file_is_served_too() {
    let two = Two::new();
    let (labels, messages) = labeled(30);
    let ids = two.accept(&messages, Transfer::Sequence);
    let queue: Arc<dyn Queue> = Arc::new(SqliteQueue::from(two.queue.clone()));
    let state = Outbox::new(two.place.store("state.db"));
    let served = vec![served("orders", true, ServedTarget::Other(queue))];
    let (address, _, running) = acceptor(state, HERE.parse().unwrap(), served, loopback()).await;
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    two.delivered(&ids).await;
    assert_eq!(two.there_is(), labels);
    sends.end().await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn acknowledgements_may_come_by_a_connection_of_their_own() {
    let two = Two::new();
    let (labels, messages) = labeled(20);
    let ids = two.accept(&messages, Transfer::Sequence);
    // The sender's own acceptor, with no queues.
    let own = acceptor(two.outbox.clone(), HERE.parse().unwrap(), vec![], loopback()).await;
    let (own, accepts, listens) = own;
    let connects = AcceptorOptions { acks: comqc_msmq::msmq::AckRoute::Connect, ..loopback() };
    let target = ServedTarget::Stored(two.queue.clone());
    let there = vec![served("orders", true, target)];
    let (address, _, running) = acceptor(two.there(), HERE.parse().unwrap(), there, connects).await;
    let answers = sender(Sender::new(two.there(), options(own.port())));
    let sending = Sender::new(two.outbox.clone(), options(address.port())).with_acceptor(&accepts);
    let sends = sender(sending);
    two.delivered(&ids).await;
    assert_eq!(two.there_is(), labels);
    sends.end().await.unwrap();
    answers.end().await.unwrap();
    running.end().await;
    listens.end().await;
}

#[tokio::test]
async fn nobody_may_connect_who_is_not_allowed() {
    let two = Two::new();
    let served = vec![served("orders", true, ServedTarget::Stored(two.queue.clone()))];
    let nobody = AcceptorOptions::default();
    let (address, acceptor, running) = acceptor(two.there(), HERE.parse().unwrap(), served, nobody).await;
    let ids = two.accept(&[message("a")], Transfer::Single);
    let sends = sender(Sender::new(two.outbox.clone(), options(address.port())));
    while acceptor.counted().refused < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(two.outbox.progress(ids[0]).unwrap(), Progress::Waiting);
    assert_eq!(two.queue.count().unwrap(), Counts::default());
    sends.end().await.unwrap();
    running.end().await;
}
