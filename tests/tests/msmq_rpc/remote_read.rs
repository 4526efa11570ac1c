//! RemoteRead: the queue of another queue manager, through our own server.

use std::sync::Arc;
use std::time::Duration;

use comqc_msmq::mqrr::{
    Moved, Mover, PEEK_ACCESS, RECEIVE_ACCESS, RemoteOptions, RemoteQueue, RemoteRead, StartReceive, action,
};
use comqc_msmq::rpc::{ContextHandle, MqStatus, QueueFormat, RpcError, map};
use comqc_msmq::session::{DeadReason, Verdict};
use comqc_msmq::sqlite::{SqliteQueue, Store};
use comqc_msmq::{Place, Queue, QueueError};
use rpc_net::Status;
use uuid::Uuid;

use crate::setup::{House, SOON, credentials, message, options};

const ORDERS: &str = "OS:box\\private$\\orders";

fn remote(house: &House, user: &str) -> RemoteQueue {
    let mut options = RemoteOptions::new(credentials(user));
    options.port = Some(house.port());
    RemoteQueue::new("TCP:127.0.0.1\\private$\\orders".parse().unwrap(), options).unwrap()
}

async fn opened(house: &House, user: &str) -> (RemoteRead, ContextHandle) {
    let read = RemoteRead::connect("127.0.0.1", Some(house.port()), &credentials(user)).await.unwrap();
    let context = read.open_queue(QueueFormat::direct(ORDERS), RECEIVE_ACCESS, 0, Uuid::nil()).await.unwrap();
    (read, context)
}

fn body(delivery: &comqc_msmq::Delivery) -> String {
    String::from_utf8(delivery.received.message.body.to_vec()).unwrap()
}

#[tokio::test]
async fn what_is_done_is_gone_and_what_is_not_comes_again() {
    let house = House::new().await;
    let ids = house.fill(&["one", "two"]);
    let queue = remote(&house, "bob");
    let first = queue.receive(SOON).await.unwrap().unwrap();
    assert_eq!((body(&first), first.received.id), ("one".into(), ids[0]));
    assert_eq!(first.received.message, message("one"));
    queue.settle(&first, &Verdict::Again("the warehouse is closed".into())).await.unwrap();
    let again = queue.receive(SOON).await.unwrap().unwrap();
    assert_eq!((again.received.id, again.received.failures), (ids[0], 1));
    assert_eq!(house.orders().count().unwrap().main, 2);
    queue.settle(&again, &Verdict::Done).await.unwrap();
    assert_eq!(house.orders().count().unwrap().main, 1);
    let second = queue.receive(SOON).await.unwrap().unwrap();
    assert_eq!(second.received.id, ids[1]);
    assert_eq!(house.orders().count().unwrap().locked, 1);
    // Nobody says anything: it is given back.
    drop(second);
    let second = queue.receive(SOON).await.unwrap().unwrap();
    assert_eq!((second.received.id, second.received.failures), (ids[1], 0));
    queue.settle(&second, &Verdict::Done).await.unwrap();
    assert!(queue.receive(Duration::from_millis(50)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lock_ends_with_its_connection() {
    let house = House::new().await;
    let ids = house.fill(&["one"]);
    let (read, context) = opened(&house, "bob").await;
    let request = StartReceive { max_body_size: 100, request_id: 7, ..StartReceive::default() };
    assert!(read.start_receive(context, request).await.unwrap().is_some());
    drop(read);
    let delivery = remote(&house, "bob").receive(SOON).await.unwrap().unwrap();
    assert_eq!((delivery.received.id, delivery.received.abandoned), (ids[0], 0));
}

#[tokio::test]
async fn what_nobody_acknowledges_is_given_back_in_time() {
    let mut options = options();
    options.limits.acknowledge_within = Duration::from_millis(1);
    let house = House::with(options, |manager| manager).await;
    house.fill(&["one"]);
    let (read, context) = opened(&house, "bob").await;
    let request =
        StartReceive { max_body_size: 100, request_id: 7, timeout: 20_000, ..StartReceive::default() };
    assert!(read.start_receive(context, request).await.unwrap().is_some());
    let (other, there) = opened(&house, "ann").await;
    assert!(other.start_receive(there, request).await.unwrap().is_some());
    let late = read.end_receive(context, 7, true).await.unwrap_err();
    assert_eq!(late.status(), Some(MqStatus::MQ_ERROR_INVALID_HANDLE));
    assert_eq!(house.orders().count().unwrap().main, 1);
}

#[tokio::test]
async fn a_request_that_waits_can_be_cancelled() {
    let house = House::new().await;
    let (read, context) = opened(&house, "bob").await;
    let request = StartReceive { request_id: 9, timeout: u32::MAX, ..StartReceive::default() };
    let waiting = tokio::spawn({
        let read = read.clone();
        async move { read.start_receive(context, request).await }
    });
    // As soon as it waits.
    while let Err(error) = read.cancel_receive(context, 9).await {
        assert_eq!(error.status(), Some(MqStatus::MQ_ERROR_INVALID_PARAMETER));
        tokio::task::yield_now().await;
    }
    let cancelled = waiting.await.unwrap().unwrap_err();
    assert_eq!(cancelled.status(), Some(MqStatus::MQ_ERROR_OPERATION_CANCELLED));
}

#[tokio::test]
async fn closing_ends_what_waits_and_gives_back_what_is_held() {
    let house = House::new().await;
    house.fill(&["one"]);
    let (read, context) = opened(&house, "bob").await;
    let held = StartReceive { request_id: 1, ..StartReceive::default() };
    assert!(read.start_receive(context, held).await.unwrap().is_some());
    let request = StartReceive { request_id: 2, timeout: u32::MAX, ..StartReceive::default() };
    let mut waiting = Box::pin(read.start_receive(context, request));
    // It goes out first: calls of a connection begin in their order.
    tokio::select! {
        biased;
        answer = &mut waiting => panic!("{answer:?}"),
        () = tokio::task::yield_now() => {}
    }
    read.close_queue(context).await.unwrap();
    let ended = waiting.await.unwrap_err();
    assert_eq!(ended.status(), Some(MqStatus::MQ_ERROR_OPERATION_CANCELLED));
    let closed = read.end_receive(context, 1, true).await.unwrap_err();
    assert_eq!(closed.status(), Some(MqStatus(Status::CONTEXT_MISMATCH.0)));
    assert!(remote(&house, "ann").receive(SOON).await.unwrap().is_some());
}

#[tokio::test]
async fn part_of_a_body_comes_as_sections_that_make_the_whole_packet() {
    let house = House::new().await;
    house.fill(&["0123456789"]);
    let (read, context) = opened(&house, "bob").await;
    let peek = |max_body_size| StartReceive {
        action: action::PEEK_CURRENT,
        max_body_size,
        ..StartReceive::default()
    };
    let whole = read.start_receive(context, peek(10)).await.unwrap().unwrap();
    assert_eq!(whole.missing, 0);
    for size in 0..10 {
        let part = read.start_receive(context, peek(size)).await.unwrap().unwrap();
        assert_eq!((part.missing, part.packet.len()), (10 - size as usize, whole.packet.len()));
        let received = comqc_msmq::rpc::unpack(&part.packet).unwrap();
        let (told, missing) = received.message.body.split_at(size as usize);
        assert_eq!(told, &b"0123456789"[..size as usize]);
        assert!(missing.iter().all(|byte| *byte == 0));
    }
}

#[tokio::test]
async fn a_cursor_passes_all_messages_and_survives_what_is_taken() {
    let house = House::new().await;
    let ids = house.fill(&["one", "two", "three", "four"]);
    let (read, context) = opened(&house, "bob").await;
    let cursor = read.create_cursor(context).await.unwrap();
    let step = |action| StartReceive { cursor, action, ..StartReceive::default() };
    let id = |picked: Option<comqc_msmq::mqrr::Picked>| {
        picked.map(|picked| comqc_msmq::rpc::unpack(&picked.packet).unwrap().id)
    };
    let early = read.start_receive(context, step(action::PEEK_NEXT)).await.unwrap_err();
    assert_eq!(early.status(), Some(MqStatus::MQ_ERROR_ILLEGAL_CURSOR_ACTION));
    let next = |action| read.start_receive(context, step(action));
    assert_eq!(id(next(action::PEEK_CURRENT).await.unwrap()), Some(ids[0]));
    assert_eq!(id(next(action::PEEK_CURRENT).await.unwrap()), Some(ids[0]));
    assert_eq!(id(next(action::PEEK_NEXT).await.unwrap()), Some(ids[1]));
    for gone in &ids[..2] {
        house.orders().remove(Place::Main, *gone).unwrap();
    }
    let gone = next(action::PEEK_CURRENT).await.unwrap_err();
    assert_eq!(gone.status(), Some(MqStatus::MQ_ERROR_MESSAGE_ALREADY_RECEIVED));
    assert_eq!(id(next(action::PEEK_NEXT).await.unwrap()), Some(ids[2]));
    assert_eq!(id(next(action::PEEK_NEXT).await.unwrap()), Some(ids[3]));
    assert_eq!(id(next(action::PEEK_NEXT).await.unwrap()), None);
    read.close_cursor(context, cursor).await.unwrap();
    let closed = read.start_receive(context, step(action::PEEK_CURRENT)).await.unwrap_err();
    assert_eq!(closed.status(), Some(MqStatus::STATUS_INVALID_HANDLE));
}

#[tokio::test]
async fn a_remote_queue_is_listed_counted_looked_into_and_emptied() {
    let house = House::new().await;
    let ids = house.fill(&["one", "two", "three"]);
    let queue = remote(&house, "bob");
    let listed = queue.list(Place::Main, None, 10).await.unwrap();
    let here = house.orders().list(Place::Main, None, 10).unwrap();
    assert_eq!(listed.len(), 3);
    for (there, here) in listed.iter().zip(&here) {
        assert_eq!((there.id, &there.label, there.size), (here.id, &here.label, here.size));
    }
    assert_eq!(queue.list(Place::Main, Some(ids[0]), 1).await.unwrap()[0].id, ids[1]);
    assert_eq!(queue.count().await.unwrap().main, 3);
    let third = queue.peek(Place::Main, Some(ids[2])).await.unwrap().unwrap();
    assert_eq!(&third.message.body[..], b"three");
    assert_eq!(queue.peek(Place::Main, None).await.unwrap().unwrap().id, ids[0]);
    queue.remove(Place::Main, ids[0]).await.unwrap();
    let unknown = queue.peek(Place::Main, Some(ids[0])).await;
    assert!(matches!(unknown, Err(QueueError::NotFound(id)) if id == ids[0]));
    // Our queues give messages in order only.
    assert!(matches!(queue.remove(Place::Main, ids[2]).await, Err(QueueError::Unsupported(_))));
    assert_eq!(queue.purge(Place::Main).await.unwrap(), 2);
    assert_eq!(house.orders().count().unwrap().main, 0);
    assert!(matches!(queue.send(message("x")).await, Err(QueueError::Unsupported(_))));
    assert!(matches!(queue.list(Place::Dead, None, 1).await, Err(QueueError::Unsupported(_))));
}

#[tokio::test]
async fn what_fails_too_often_is_put_aside_and_only_then_acknowledged() {
    let house = House::new().await;
    let ids = house.fill(&["one", "two"]);
    let bare = remote(&house, "bob");
    let delivery = bare.receive(SOON).await.unwrap().unwrap();
    let dead = Verdict::Dead(DeadReason::Malformed, "no container".into());
    assert!(matches!(bare.settle(&delivery, &dead).await, Err(QueueError::Unsupported(_))));
    drop(delivery);
    let folder = tempfile::tempdir().unwrap();
    let aside = Store::open(folder.path().join("aside.db")).unwrap().queue("orders").unwrap();
    let queue = remote(&house, "bob").with_aside(Arc::new(SqliteQueue::from(aside.clone())));
    let first = queue.receive(SOON).await.unwrap().unwrap();
    queue.settle(&first, &dead).await.unwrap();
    let second = queue.receive(SOON).await.unwrap().unwrap();
    let retry = Verdict::Retry { queue: 0, wait: SOON, error: "closed".into() };
    queue.settle(&second, &retry).await.unwrap();
    assert_eq!(house.orders().count().unwrap().main, 0);
    let counts = aside.count().unwrap();
    assert_eq!((counts.main, counts.dead), (1, 1));
    assert_eq!(aside.peek(Place::Dead, None).unwrap().unwrap().id, ids[0]);
}

#[tokio::test]
async fn a_mover_takes_each_message_once_even_when_the_acknowledgement_is_lost() {
    let house = House::new().await;
    let ids = house.fill(&["one", "two"]);
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(folder.path().join("local.db")).unwrap().queue("orders").unwrap();
    let mover = Mover::new(remote(&house, "bob"), local.clone());
    assert_eq!(mover.step(SOON).await.unwrap(), Moved::Taken(ids[0]));
    assert_eq!(house.orders().count().unwrap().main, 1);
    // Taken, but the acknowledgement did not arrive; and played here meanwhile.
    let queue = remote(&house, "bob");
    let delivery = queue.receive(SOON).await.unwrap().unwrap();
    assert!(local.take_over(&queue.address(), &delivery.received).unwrap());
    drop(delivery);
    queue.close().await;
    local.purge(Place::Main).unwrap();
    assert_eq!(mover.step(SOON).await.unwrap(), Moved::Again(ids[1]));
    assert_eq!(local.count().unwrap().main, 0);
    assert_eq!(house.orders().count().unwrap().main, 0);
    assert_eq!(mover.step(Duration::from_millis(10)).await.unwrap(), Moved::Nothing);
}

#[tokio::test]
async fn a_queue_is_opened_again_after_its_connection() {
    let house = House::new().await;
    let queue = remote(&house, "bob");
    house.fill(&["one"]);
    let delivery = queue.receive(SOON).await.unwrap().unwrap();
    queue.close().await;
    let gone = queue.settle(&delivery, &Verdict::Done).await;
    assert!(matches!(gone, Err(QueueError::Locked(_))), "{gone:?}");
    let again = queue.receive(SOON).await.unwrap().unwrap();
    assert_eq!(again.received.id, delivery.received.id);
    queue.settle(&again, &Verdict::Done).await.unwrap();
}

#[tokio::test]
async fn the_largest_message_comes_through() {
    let house = House::new().await;
    let mut large = message("one");
    large.body = vec![7; comqc_msmq::MAX_MESSAGE - 1024].into();
    house.orders().send(&large).unwrap();
    let queue = remote(&house, "bob");
    let delivery = queue.receive(SOON).await.unwrap().unwrap();
    assert_eq!(delivery.received.message, large);
    queue.settle(&delivery, &Verdict::Done).await.unwrap();
}

#[tokio::test]
async fn journals_and_dead_queues_can_be_looked_into() {
    let house = House::new().await;
    let ids = house.fill(&["one"]);
    house.orders().move_to(Place::Main, ids[0], Place::Dead).unwrap();
    let read = RemoteRead::connect("127.0.0.1", Some(house.port()), &credentials("bob")).await.unwrap();
    for name in ["OS:box\\private$\\orders_DeadQueue", "OS:BOX.example.com\\PRIVATE$\\Orders_DEADQUEUE"] {
        let format = QueueFormat::direct(name);
        let context = read.open_queue(format.clone(), PEEK_ACCESS, 0, Uuid::nil()).await.unwrap();
        let peek = StartReceive { action: action::PEEK_CURRENT, ..StartReceive::default() };
        let picked = read.start_receive(context, peek).await.unwrap().unwrap();
        assert_eq!(comqc_msmq::rpc::unpack(&picked.packet).unwrap().id, ids[0]);
        let context = read.open_queue(format, RECEIVE_ACCESS, 0, Uuid::nil()).await.unwrap();
        let refused = read.start_receive(context, StartReceive::default()).await.unwrap_err();
        let unsupported = MqStatus::MQ_ERROR_OPERATION_NOT_SUPPORTED_BY_REMOTE_COMPUTER;
        assert_eq!(refused.status(), Some(unsupported));
    }
}

#[tokio::test]
async fn the_endpoint_mapper_tells_the_port_and_so_does_the_server() {
    let house = House::new().await;
    let mapper = house.mapper().await;
    let at = mapper.local_addrs()[0];
    assert_eq!(map(at, comqc_msmq::mqrr::REMOTE_READ).await, Ok(house.port()));
    assert_eq!(map(at, comqc_msmq::mqmr::QMMGMT).await, Err(RpcError::NotRegistered));
    let (read, _) = opened(&house, "bob").await;
    assert_eq!(read.get_server_port().await, Ok(house.port()));
    house.manager.set_port(2103);
    assert_eq!(read.get_server_port().await, Ok(2103));
}
