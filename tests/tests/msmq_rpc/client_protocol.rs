//! qmcomm and qmcomm2: sending to our queues, and receiving from them, as programs do.

use std::sync::Arc;

use async_trait::async_trait;
use comqc_msmq::mqmp::{OpenQueue, QueueManagerClient, ReceiveFrom, access, property};
use comqc_msmq::rpc::{MqStatus, PropVariant, QueueFactory, RpcError, ServedQueue};
use comqc_msmq::session::{
    AckFlags, DeliveryGuarantee, FormatName, LocalName, MessageId, Properties, QueueMessage,
};
use comqc_msmq::sqlite::{SqliteQueue, Store};
use comqc_msmq::{Place, QueueError};
use rpc_net::{ConnectOptions, Error, Status};
use uuid::{Uuid, uuid};

use crate::setup::{House, credentials, message, options};

const TIMEOUT: u32 = 20_000;

fn orders() -> FormatName {
    "DIRECT=OS:box\\private$\\orders".parse().unwrap()
}

async fn client(house: &House, user: &str) -> QueueManagerClient {
    QueueManagerClient::connect("127.0.0.1", Some(house.port()), &credentials(user), "tests").await.unwrap()
}

async fn opened(house: &House, user: &str, access: u32) -> (QueueManagerClient, OpenQueue) {
    let client = client(house, user).await;
    let queue = client.open(&orders(), access, 0).await.unwrap();
    (client, queue)
}

fn refused<T: std::fmt::Debug>(result: Result<T, RpcError>) -> MqStatus {
    result.unwrap_err().status().unwrap()
}

fn with_everything() -> QueueMessage {
    let properties = Properties {
        extension: vec![1, 2, 3].into(),
        label: "Zwölf Boxkämpfer 😀".into(),
        priority: 5,
        delivery: DeliveryGuarantee::EXPRESS,
        time_to_reach_queue: Some(60),
        time_to_be_received: Some(3600),
        positive_journaling: true,
        negative_journaling: true,
        tracing: true,
        body_type: 8,
        application_tag: 77,
        correlation: MessageId { lineage: Uuid::max(), uniquifier: 4 },
        acknowledgements: AckFlags::POSITIVE_ARRIVAL,
        administration_queue: "DIRECT=OS:box\\PRIVATE$\\admin".into(),
        response_queue: "DIRECT=TCP:10.0.0.1\\answers".into(),
        connector_type: uuid!("11111111-2222-3333-4444-555555555555"),
        ..Properties::default()
    };
    QueueMessage { properties, body: vec![9; 100_000].into() }
}

#[tokio::test]
async fn what_is_sent_is_received_with_all_its_properties() {
    let house = House::new().await;
    let (sue, to) = opened(&house, "sue", access::SEND).await;
    let (bob, from) = opened(&house, "bob", access::RECEIVE).await;
    let large = QueueMessage { body: vec![7; 1 << 20].into(), ..message("large") };
    for message in [message("one"), with_everything(), QueueMessage::default(), large] {
        let id = sue.send(to, &message).await.unwrap();
        assert_eq!(house.orders().peek(Place::Main, None).unwrap().unwrap().message, message);
        let peeked = bob.peek(from, ReceiveFrom::First, TIMEOUT).await.unwrap().unwrap();
        let received = bob.receive(from, ReceiveFrom::First, TIMEOUT).await.unwrap().unwrap();
        assert_eq!((received.id, &received.message), (id, &message));
        assert_eq!(peeked, received);
        assert_eq!(house.orders().count().unwrap().main, 0);
    }
    assert_eq!(bob.receive(from, ReceiveFrom::First, 10).await.unwrap(), None);
    assert_eq!(bob.peek(from, ReceiveFrom::First, 10).await.unwrap(), None);
    bob.close(from).await.unwrap();
    let closed = bob.receive(from, ReceiveFrom::First, 0).await;
    assert_eq!(refused(closed), MqStatus::MQ_ERROR_INVALID_HANDLE);
}

#[tokio::test]
async fn cursors_pass_the_messages_and_a_queue_is_purged() {
    let house = House::new().await;
    let ids = house.fill(&["one", "two", "three"]);
    let (bob, queue) = opened(&house, "bob", access::RECEIVE).await;
    let cursor = bob.create_cursor(queue).await.unwrap();
    let mut seen = Vec::new();
    let mut from = ReceiveFrom::Cursor(cursor);
    while let Some(received) = bob.peek(queue, from, 0).await.unwrap() {
        seen.push(received.id);
        from = ReceiveFrom::Next(cursor);
    }
    assert_eq!(seen, ids);
    // Our queues give messages in their order only.
    let last = bob.receive(queue, ReceiveFrom::Cursor(cursor), 0).await;
    assert_eq!(refused(last), MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION);
    bob.close_cursor(queue, cursor).await.unwrap();
    let closed = bob.close_cursor(queue, cursor).await;
    assert_eq!(refused(closed), MqStatus::MQ_ERROR_INVALID_HANDLE);
    bob.close_cursor(queue, 0x0B).await.unwrap();
    let cursor = bob.create_cursor(queue).await.unwrap();
    assert_eq!(bob.peek(queue, ReceiveFrom::Cursor(cursor), 0).await.unwrap().unwrap().id, ids[0]);
    assert_eq!(bob.receive(queue, ReceiveFrom::Cursor(cursor), 0).await.unwrap().unwrap().id, ids[0]);
    assert_eq!(bob.format_name(queue).await.unwrap(), "DIRECT=OS:box.example.com\\PRIVATE$\\orders");
    bob.purge(queue).await.unwrap();
    assert_eq!(house.orders().count().unwrap().main, 0);
}

#[tokio::test]
async fn rights_and_access_are_kept() {
    let house = House::new().await;
    house.fill(&["one"]);
    let denied = MqStatus::MQ_ERROR_ACCESS_DENIED;
    let eve = client(&house, "eve").await;
    for access in [access::RECEIVE, access::SEND, access::PEEK] {
        assert_eq!(refused(eve.open(&orders(), access, 0).await), denied);
    }
    let (sue, to) = opened(&house, "sue", access::SEND).await;
    assert_eq!(refused(sue.open(&orders(), access::PEEK, 0).await), denied);
    assert_eq!(refused(sue.peek(to, ReceiveFrom::First, 0).await), denied);
    let (bob, look) = opened(&house, "bob", access::PEEK).await;
    assert_eq!(refused(bob.open(&orders(), access::SEND, 0).await), denied);
    assert_eq!(refused(bob.receive(look, ReceiveFrom::First, 0).await), denied);
    assert_eq!(refused(bob.send(look, &message("two")).await), denied);
    assert_eq!(refused(bob.purge(look).await), denied);
    // The number of a queue is good for its own caller, on its own connection.
    let (_, from) = opened(&house, "bob", access::RECEIVE).await;
    for other in ["ann", "bob"] {
        let taken = client(&house, other).await.receive(from, ReceiveFrom::First, 0).await;
        assert_eq!(refused(taken), MqStatus::MQ_ERROR_INVALID_HANDLE);
    }
    assert_eq!(house.orders().count().unwrap().main, 1);
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let house = House::new().await;
    let (sue, to) = opened(&house, "sue", access::SEND).await;
    let with = |change: fn(&mut Properties)| {
        let mut message = message("one");
        change(&mut message.properties);
        message
    };
    let illegal = MqStatus::MQ_ERROR_ILLEGAL_PROPERTY_VALUE;
    assert_eq!(refused(sue.send(to, &with(|p| p.priority = 8)).await), illegal);
    assert_eq!(refused(sue.send(to, &with(|p| p.delivery = DeliveryGuarantee(2))).await), illegal);
    let encrypted = with(|p| p.privacy = comqc_msmq::session::PrivacyLevel::BASE);
    assert_eq!(
        refused(sue.send(to, &encrypted).await),
        MqStatus::MQ_ERROR_COMPUTER_DOES_NOT_SUPPORT_ENCRYPTION
    );
    assert_eq!(house.orders().count().unwrap().main, 0);
}

#[tokio::test]
async fn the_port_is_told_to_anybody_and_nothing_else() {
    let house = House::new().await;
    let nobody = ConnectOptions::default();
    let client =
        QueueManagerClient::connect("127.0.0.1", Some(house.port()), &nobody, "tests").await.unwrap();
    assert_eq!(client.get_server_port().await, Ok(house.port()));
    let refused = client.open(&orders(), access::SEND, 0).await.unwrap_err();
    let denied = Error::Fault(Status::ACCESS_DENIED);
    assert!(matches!(refused, RpcError::Rpc { error, .. } if error == denied), "{refused}");
}

#[tokio::test]
async fn the_interfaces_are_off_unless_they_are_wanted() {
    let mut off = options();
    off.client_protocol = false;
    let house = House::with(off, |manager| manager).await;
    let ann = credentials("ann");
    let client = QueueManagerClient::connect("127.0.0.1", Some(house.port()), &ann, "tests").await;
    assert!(matches!(client, Err(RpcError::Rpc { call: "bind", error: Error::Refused(_) })));
}

/// Queues of a store of its own.
struct Queues(Store);

#[async_trait]
impl QueueFactory for Queues {
    async fn create(
        &self,
        name: &LocalName,
        label: &str,
        transactional: bool,
    ) -> Result<ServedQueue, QueueError> {
        let LocalName::Private(queue) = name else {
            return Err(QueueError::Unsupported("private queues only".into()));
        };
        let queue = Arc::new(SqliteQueue::from(self.0.queue(queue.name())?));
        Ok(ServedQueue { name: name.clone(), queue, label: label.into(), transactional })
    }

    async fn delete(&self, _: &ServedQueue) -> Result<(), QueueError> {
        Ok(())
    }
}

#[tokio::test]
async fn queues_are_created_and_deleted_where_that_is_configured() {
    let path = ".\\private$\\new";
    let house = House::new().await;
    let ann = client(&house, "ann").await;
    let off = MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION;
    assert_eq!(refused(ann.create_queue(path, "", false).await), off);

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("new.db")).unwrap();
    let mut small = options();
    small.limits.queues = 3;
    let house = House::with(small, |manager| manager.with_factory(Arc::new(Queues(store)))).await;
    let (ann, bob) = (client(&house, "ann").await, client(&house, "bob").await);
    let denied = MqStatus::MQ_ERROR_ACCESS_DENIED;
    assert_eq!(refused(bob.create_queue(path, "", false).await), denied);
    ann.create_queue(path, "made for a test", true).await.unwrap();
    assert_eq!(refused(ann.create_queue(path, "", true).await), MqStatus::MQ_ERROR_QUEUE_EXISTS);
    let full = MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES;
    assert_eq!(refused(ann.create_queue(".\\private$\\more", "", true).await), full);
    for elsewhere in ["other\\private$\\new", ".\\new", ".\\private$\\a;b", "new"] {
        let illegal = MqStatus::MQ_ERROR_ILLEGAL_QUEUE_PATHNAME;
        assert_eq!(refused(ann.create_queue(elsewhere, "", true).await), illegal, "{elsewhere}");
    }
    let format = ann.path_to_format(path).await.unwrap();
    assert_eq!(refused(bob.path_to_format(path).await), denied);
    let wanted = [property::PATHNAME, property::LABEL, property::TRANSACTION];
    let told = ["box.example.com\\PRIVATE$\\new", "made for a test"].map(PropVariant::text);
    let [path_name, label] = told;
    assert_eq!(
        ann.get_properties(format.clone(), &wanted).await.unwrap(),
        [path_name, label, PropVariant::Ui1(1)]
    );
    let name = format.to_format_name().unwrap();
    let queue = ann.open(&name, access::SEND, 0).await.unwrap();
    ann.send(queue, &message("first")).await.unwrap();
    assert_eq!(refused(bob.delete_queue(format.clone()).await), denied);
    ann.delete_queue(format.clone()).await.unwrap();
    assert_eq!(refused(ann.open(&name, access::SEND, 0).await), MqStatus::MQ_ERROR_QUEUE_NOT_FOUND);
    assert_eq!(refused(ann.delete_queue(format).await), MqStatus::MQ_ERROR_QUEUE_NOT_FOUND);
}
