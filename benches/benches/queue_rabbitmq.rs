//! Messages through a RabbitMQ broker, beside bare lapin doing the same: publish and confirm; get and acknowledge.
//!
//! The broker is the one that the interop lane unpacks (`cargo xtask interop --only queue:`), or that of
//! REMASSIST_RABBITMQ; without one nothing is measured.

use std::future::poll_fn;
use std::pin::Pin;

use comqc_msmq::rabbit_headers::{Fate, encode};
use comqc_msmq::session::{MessageId, Properties, QueueMessage, Received, Sender, Timestamp, Verdict};
use comqc_msmq::{Queue, RabbitQueue};
use futures_core::Stream;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use testkit::bench::{heading, ratio};
use testkit::broker::Broker;

const GOAL: f64 = 1.2;
const BODY: usize = 1_000;
const WAIT: std::time::Duration = std::time::Duration::from_secs(30);
/// More than are taken out in a run.
const THERE: usize = 4_000;

fn message() -> QueueMessage {
    let properties = Properties { label: "order".into(), ..Properties::default() };
    QueueMessage { properties, body: vec![7; BODY].into() }
}

/// lapin with one channel.
struct Bare {
    _connection: Connection,
    channel: Channel,
    properties: BasicProperties,
    body: Vec<u8>,
    queue: ShortString,
}

impl Bare {
    /// On a queue like ours, which is there already.
    async fn open(address: &str, queue: &str) -> Self {
        let uri = address.split('?').next().unwrap().replace("/?", "/%2F?").trim_end_matches('/').to_owned();
        let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let id = MessageId { lineage: uuid::Uuid::from_u128(1), uniquifier: 1 };
        let received = Received {
            id,
            message: message(),
            sender: Sender::default(),
            sent: Timestamp(1),
            round: 0,
            failures: 0,
            abandoned: 0,
        };
        let properties = encode(&received, Fate::default()).unwrap();
        Self { _connection: connection, channel, properties, body: vec![7; BODY], queue: queue.into() }
    }

    async fn publish(&self) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (queue, properties) = (self.queue.clone(), self.properties.clone());
        let confirm = self.channel.basic_publish("".into(), queue, options, &self.body, properties).await;
        assert!(confirm.unwrap().await.unwrap().is_ack());
    }

    async fn consumer(&self) -> Consumer {
        self.channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let (queue, options) = (self.queue.clone(), BasicConsumeOptions::default());
        self.channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap()
    }
}

fn main() {
    let Some(root) = Broker::root() else {
        println!("!!!! SKIPPED: RabbitMQ is not there: cargo xtask interop --only queue: !!!!");
        return;
    };
    let broker = Broker::start(&root);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let open = async |name: &str| {
        let address = format!("{}&retries=0", broker.address(name));
        let queue = RabbitQueue::open(&address).await.unwrap();
        queue.close().await;
        (queue, address)
    };
    let ((ours, _), (_, address)) = runtime.block_on(async { (open("ours").await, open("bare").await) });
    let bare = runtime.block_on(Bare::open(&address, "bare"));

    heading("RabbitMQ, quorum queue, 1,000 bytes");
    ratio(
        "publish and confirm",
        GOAL,
        || {
            runtime.block_on(ours.send(message())).unwrap();
        },
        || runtime.block_on(bare.publish()),
    );

    runtime.block_on(async {
        for _ in 0..THERE {
            ours.send(message()).await.unwrap();
            bare.publish().await;
        }
    });
    let mut consumer = runtime.block_on(bare.consumer());
    ratio(
        "get and acknowledge",
        GOAL,
        || {
            runtime.block_on(async {
                let delivery = ours.receive(WAIT).await.unwrap().expect("a message");
                ours.settle(&delivery, &Verdict::Done).await.unwrap();
            });
        },
        || {
            runtime.block_on(async {
                let delivery = poll_fn(|context| Pin::new(&mut consumer).poll_next(context)).await;
                delivery.unwrap().unwrap().acker.ack(BasicAckOptions::default()).await.unwrap();
            });
        },
    );
    runtime.block_on(ours.close());
}
