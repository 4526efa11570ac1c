//! impacket as client of our servers, and as server of our clients; tshark reads what is said. Run by `cargo xtask interop`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use comqc_msmq::mqmp::{QueueManagerClient, ReceiveFrom, access};
use comqc_msmq::mqmr::{Management, MgmtObject, QueueInfo};
use comqc_msmq::mqrr::{Moved, Mover, RemoteOptions, RemoteQueue};
use comqc_msmq::rpc::{MqStatus, PropVariant, QueueFormat};
use comqc_msmq::session::{
    DeliveryGuarantee, FormatName, MessageId, Properties, QueueMessage, Received, Sender, Timestamp, Verdict,
};
use comqc_msmq::sqlite::Store;
use comqc_msmq::{Place, Queue as _};
use rpc_net::ConnectOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use uuid::{Uuid, uuid};

use crate::relay::{Relay, judge};
use crate::setup::{House, MACHINE, password};

const PATIENCE: Duration = Duration::from_secs(60);

fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/xtask/peers")
}

fn script(name: &str) -> Command {
    let python = std::env::var("REMASSIST_IMPACKET").expect("REMASSIST_IMPACKET: a Python that has impacket");
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(scripts().join(name)).kill_on_drop(true);
    command
}

/// What impacket's client tells of one part, step by step; it makes so many calls at least.
async fn client(port: u16, calls: usize, user: &str, part: &str) -> Vec<Value> {
    let relay = Relay::to(port).await;
    let mut command = script("impacket_msmq.py");
    command.arg("127.0.0.1").arg(relay.port().to_string());
    command.args([user, &password(user), "DOM", part]).stdin(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await.expect("impacket ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    judge(relay, calls).await;
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Steps with what must be in them.
fn expect(told: &[Value], expected: &[(&str, Value)]) {
    for (told, (step, expected)) in told.iter().zip(expected) {
        let right = told["step"] == *step
            && expected.as_object().unwrap().iter().all(|(name, value)| told[name] == *value);
        assert!(right, "not {step} {expected}, but {told}");
    }
    assert_eq!(told.len(), expected.len(), "{told:?}");
}

const OK: &str = "0x00000000";

async fn reads_our_queues() {
    let house = House::new().await;
    house.fill(&["one", "second", "third"]);
    let told = client(house.port(), 20, "bob", "remote_read").await;
    let packet = json!({
        "version": 16, "signature": "LIOR", "reach": u32::MAX, "label": "about one", "body": "one",
        "destination": "OS:box.example.com\\PRIVATE$\\orders",
        "extension": "fbbc64165117d211b58e00e0290e6c31",
        "trailers": [188, 12, 176, 0x12, 148, 28],
    });
    let with = |more: Value| {
        let mut whole = packet.clone();
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    expect(
        &told,
        &[
            ("port", json!({ "port": house.port() })),
            ("unknown queue", json!({ "fault": "0xc00e0003" })),
            ("open", json!({ "null": false })),
            ("peek", with(json!({ "sections": 1, "type": 0 }))),
            ("part", json!({ "types": [1, 2], "sizes": [1, 0] })),
            ("receive", with(json!({ "arrived": true, "lookup": 1 }))),
            ("the same number", json!({ "status": "0xc00e0006" })),
            ("nack", json!({ "status": OK })),
            ("again", json!({ "body": "one" })),
            ("neither", json!({ "status": "0xc00e0006" })),
            ("ack", json!({ "status": OK })),
            ("ack again", json!({ "status": "0xc00e0007" })),
            ("cursor", json!({ "status": OK })),
            ("walk", json!({ "bodies": ["second", "third"], "status": "0xc00e001b" })),
            ("close cursor", json!({ "status": OK })),
            ("cancel nothing", json!({ "status": "0xc00e0006" })),
            ("another connection", json!({ "fault": "0x1c00001a" })),
            ("held elsewhere", json!({ "body": "second" })),
            ("after the rundown", json!({ "body": "second", "status": OK })),
            ("purge", json!({ "status": OK })),
            ("empty", json!({ "status": "0xc00e001b" })),
            ("close", json!({ "null": true, "status": OK })),
            ("after closing", json!({ "fault": "0x1c00001a" })),
            ("nobody", json!({ "fault": "0x00000005" })),
            ("integrity", json!({ "fault": "0x00000005" })),
        ],
    );
    assert_eq!(house.orders().count().unwrap().main, 0);
}

async fn asks_our_mapper() {
    let house = House::new().await;
    let mapper = house.mapper().await;
    let told = client(mapper.local_addrs()[0].port(), 2, "eve", "mapper").await;
    let binding = format!("ncacn_ip_tcp:127.0.0.1[{}]", house.port());
    expect(&told, &[("RemoteRead", json!({ "binding": binding })), ("qmmgmt", json!({ "binding": null }))]);
    assert!(told[1]["why"].as_str().unwrap().contains("ept_s_not_registered"), "{told:?}");
}

async fn manages_our_queues() {
    let house = House::new().await;
    house.fill(&["one", "second"]);
    let told = client(house.port(), 5, "ann", "management").await;
    let names = ["orders", "other"].map(|name| format!("box.example.com\\PRIVATE$\\{name}"));
    let formats = names.clone().map(|name| format!("DIRECT=OS:{name}"));
    expect(
        &told,
        &[
            ("machine", json!({ "values": [formats, names, null, "CONNECTED", "", 9] })),
            (
                "queue",
                json!({ "values": [
                    names[0], formats[0], "PRIVATE", "LOCAL", "YES", "NO", 2, 9, 0, "LOCAL CONNECTION", 0, []
                ] }),
            ),
            ("outgoing", json!({ "values": [null, null, null] })),
            ("no property", json!({ "values": "0xc00e0039" })),
            ("action", json!({ "status": "0xc00e0025" })),
        ],
    );
}

async fn uses_our_queues() {
    let house = House::new().await;
    let told = client(house.port(), 15, "ann", "programs").await;
    let id = told[2]["id"].clone();
    let message = json!({
        "id": id, "body": "from python", "size": 11, "extension": "010203", "label": "a label", "label_units": 8,
        "priority": 5, "delivery": 1, "auditing": 1, "tag": 4711, "body_type": 8, "live": 3600,
        "correlation": "000102030405060708090a0b0c0d0e0f10111213",
        "response": "DIRECT=OS:answers\\PRIVATE$\\there",
        "destination": "DIRECT=OS:box.example.com\\PRIVATE$\\orders",
    });
    expect(
        &told,
        &[
            ("port", json!({ "port": house.port() })),
            ("open to send", json!({ "status": OK, "null": false })),
            ("send", json!({ "status": OK })),
            ("send without id", json!({ "status": OK, "id": null })),
            ("open to receive", json!({ "status": OK })),
            ("too small", json!({ "status": "0xc00e001a" })),
            ("peek", message.clone()),
            ("cursor", json!({ "status": OK })),
            ("at the cursor", message.clone()),
            ("next", json!({ "body": "from python" })),
            ("no more", json!({ "status": "0xc00e001b" })),
            ("receive", message),
            ("purge", json!({ "status": OK })),
            ("empty", json!({ "status": "0xc00e001b" })),
            ("path", json!({ "status": OK, "queue": format!("{MACHINE}\\1") })),
            (
                "properties",
                json!({
                    "status": OK, "instance": 36,
                    "values": ["box.example.com\\PRIVATE$\\orders", "the queue orders", 1],
                }),
            ),
            ("create", json!({ "status": "0xc00e006a" })),
            ("close", json!({ "null": true, "status": OK })),
            ("after closing", json!({ "status": "0xc00e0007" })),
        ],
    );
    assert_eq!(house.orders().count().unwrap().main, 0);
}

/// impacket's queue manager.
struct Foreign {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    relay: Relay,
}

impl Foreign {
    async fn new() -> Self {
        let mut command = script("impacket_msmq_server.py");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = timeout(PATIENCE, lines.next_line()).await.expect("it says its port").unwrap().unwrap();
        let relay = Relay::to(port.parse().unwrap()).await;
        Self { child, lines, relay }
    }

    /// What it was told, and what is left.
    async fn told(mut self) -> Value {
        drop(self.child.stdin.take());
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("it ends").unwrap().unwrap();
        judge(self.relay, 5).await;
        serde_json::from_str(&line).unwrap()
    }
}

/// Nobody's: impacket's server has no security provider.
fn nobody() -> ConnectOptions {
    ConnectOptions::default()
}

const SOURCE: Uuid = uuid!("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");

/// The message of this number as impacket's server makes it.
fn theirs(number: u32) -> Received {
    let mut correlation = [0; 20];
    correlation.iter_mut().zip(0..).for_each(|(byte, number)| *byte = number);
    let properties = Properties {
        label: format!("label {number}"),
        priority: 5,
        delivery: DeliveryGuarantee::RECOVERABLE,
        time_to_reach_queue: Some(100),
        negative_journaling: true,
        body_type: 8,
        application_tag: 42,
        correlation: MessageId::from_bytes(correlation),
        ..Properties::default()
    };
    Received {
        id: MessageId { lineage: SOURCE, uniquifier: number },
        message: QueueMessage { properties, body: format!("body number {number}").into_bytes().into() },
        sender: Sender { description: "10.0.0.7".into(), ..Sender::default() },
        sent: Timestamp(1_700_000_000_000),
        round: 0,
        failures: 0,
        abandoned: 0,
    }
}

async fn is_read_by_us() {
    let foreign = Foreign::new().await;
    let mut options = RemoteOptions::new(nobody());
    options.port = Some(foreign.relay.port());
    let queue = RemoteQueue::new("TCP:127.0.0.1\\private$\\orders".parse().unwrap(), options).unwrap();
    assert_eq!(queue.count().await.unwrap().main, 3);
    let listed = queue.list(Place::Main, None, 10).await.unwrap();
    let rows: Vec<_> = listed.iter().map(|row| (row.id.uniquifier, row.label.as_str(), row.size)).collect();
    assert_eq!(rows, [(1, "label 1", 13), (2, "label 2", 13), (3, "label 3", 13)]);
    assert_eq!(queue.peek(Place::Main, Some(listed[1].id)).await.unwrap(), Some(theirs(2)));
    let delivery = queue.receive(PATIENCE).await.unwrap().unwrap();
    assert_eq!(delivery.received, theirs(1));
    queue.settle(&delivery, &Verdict::Return).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(folder.path().join("local.db")).unwrap().queue("orders").unwrap();
    let mover = Mover::new(queue.clone(), local.clone());
    for number in [1, 2] {
        assert_eq!(mover.step(PATIENCE).await.unwrap(), Moved::Taken(theirs(number).id));
    }
    assert_eq!(local.count().unwrap().main, 2);
    assert_eq!(local.peek(Place::Main, Some(theirs(2).id)).unwrap().unwrap().message, theirs(2).message);
    // A message in hand that nobody settles.
    drop(queue.receive(PATIENCE).await.unwrap().unwrap());
    let again = queue.receive(PATIENCE).await.unwrap().unwrap();
    assert_eq!(again.received.id, theirs(3).id);
    queue.settle(&again, &Verdict::Done).await.unwrap();
    assert!(queue.receive(Duration::ZERO).await.unwrap().is_none());
    queue.close().await;
    let told = foreign.told().await;
    let opened = json!({ "call": "open", "name": "TCP:127.0.0.1\\PRIVATE$\\orders", "access": 1, "share": 0, "flags": [1, 1, 6, 1] });
    let end = |ack: u32, message: u32| json!({ "call": "end", "ack": ack, "message": message });
    assert_eq!(
        told,
        json!({
            "told": [opened, end(1, 1), end(2, 1), end(2, 2), end(1, 3), end(2, 3), { "call": "close" }],
            "sent": [], "left": [],
        })
    );
}

async fn is_asked_by_us() {
    let foreign = Foreign::new().await;
    let manager = Management::connect("127.0.0.1", Some(foreign.relay.port()), &nobody()).await.unwrap();
    assert_eq!(manager.private_queues().await.unwrap(), ["box\\private$\\orders", "box\\private$\\a b"]);
    assert_eq!(manager.active_queues().await.unwrap(), ["DIRECT=OS:box\\private$\\orders"]);
    let values = manager.get_info(MgmtObject::Machine(0), &[6, 3]).await.unwrap();
    assert_eq!(values, [PropVariant::I8(1 << 40), PropVariant::Null]);
    let told = manager.queue(QueueFormat::direct("OS:box\\private$\\orders")).await.unwrap();
    let expected = QueueInfo {
        path_name: "box\\private$\\orders".into(),
        format_name: "DIRECT=OS:box\\private$\\orders".into(),
        kind: "PRIVATE".into(),
        transactional: None,
        messages: 3,
        journal_messages: 70_000,
    };
    assert_eq!(told, expected);
    manager.action(MgmtObject::Machine(0), "TIDY").await.unwrap();
    let told = foreign.told().await;
    let queue = json!({ "call": "queue", "name": "OS:box\\private$\\orders" });
    assert_eq!(told["told"], json!([queue, { "call": "action", "what": "TIDY", "type": 1 }]));
}

async fn is_used_by_us() {
    let foreign = Foreign::new().await;
    let port = Some(foreign.relay.port());
    let client = QueueManagerClient::connect("127.0.0.1", port, &nobody(), "tests").await.unwrap();
    assert_eq!(client.get_server_port().await, Ok(2103));
    let name = "DIRECT=OS:box\\private$\\orders".parse().unwrap();
    let queue = client.open(&name, access::SEND, 0).await.unwrap();
    let message = QueueMessage {
        properties: Properties {
            time_to_be_received: Some(60),
            administration_queue: "DIRECT=OS:a\\b".into(),
            ..theirs(7).message.properties
        },
        body: b"ours".to_vec().into(),
    };
    let id = client.send(queue, &message).await.unwrap();
    assert_eq!(id, MessageId { lineage: SOURCE, uniquifier: 4242 });
    let exists = client.create_queue(".\\private$\\orders", "a label", true).await.unwrap_err();
    assert_eq!(exists.status(), Some(MqStatus::MQ_ERROR_QUEUE_EXISTS));
    let format = client.path_to_format(".\\private$\\orders").await.unwrap();
    let private = FormatName::Private { computer: SOURCE, number: 0x2A, journal: false };
    assert_eq!(format.to_format_name(), Some(private));
    let peeked = client.peek(queue, ReceiveFrom::First, 0).await.unwrap().unwrap();
    let received = client.receive(queue, ReceiveFrom::First, 0).await.unwrap().unwrap();
    assert_eq!(peeked, received);
    assert_eq!((received.id, received.sent), (theirs(1).id, theirs(1).sent));
    assert_eq!(received.message.body, theirs(1).message.body);
    let Properties { label, extension, priority, response_queue, body_type, .. } =
        received.message.properties;
    assert_eq!((label.as_str(), &extension[..], priority), ("label 1", &[9, 8][..], 6));
    assert_eq!((response_queue.as_str(), body_type), ("DIRECT=OS:a\\b", 8));
    assert_eq!(received.sender.sid.unwrap().to_string(), "S-1-5-18");
    client.close(queue).await.unwrap();
    let told = foreign.told().await;
    let expected = json!({
        "body": "ours", "sizes": [4, 4], "label": "label 7", "extension": "fbbc64165117d211b58e00e0290e6c31",
        "queues": ["OS:a\\b", null], "times": [100, 60], "numbers": [0, 5, 1, 0, 1, 42, 8],
        "correlation": "000102030405060708090a0b0c0d0e0f10111213", "wanted": true,
    });
    assert_eq!(told["sent"], json!([expected]));
    assert_eq!(told["left"], json!([2, 3]));
    let opened = json!({ "call": "open internal", "name": "OS:box\\PRIVATE$\\orders", "access": 2, "client": "tests" });
    let created = json!({ "call": "create", "path": ".\\private$\\orders", "properties": [108, 113], "values": ["a label", 1] });
    assert_eq!(told["told"], json!([opened, created]));
}

#[tokio::test]
#[ignore = "needs impacket: cargo xtask interop"]
async fn scenarios() {
    let only = std::env::var("REMASSIST_ONLY").unwrap_or_default();
    macro_rules! run {
        ($($name:literal = $scenario:ident;)*) => {$(
            if concat!("msmq: ", $name).contains(&only) {
                $scenario().await;
                println!("ok: msmq: {}", $name);
            }
        )*};
    }
    run! {
        "impacket asks our endpoint mapper" = asks_our_mapper;
        "impacket reads our queues through RemoteRead" = reads_our_queues;
        "impacket asks our queue manager through qmmgmt" = manages_our_queues;
        "impacket sends to our queues and receives from them through qmcomm" = uses_our_queues;
        "we read and move the messages of impacket's RemoteRead" = is_read_by_us;
        "we ask impacket's qmmgmt" = is_asked_by_us;
        "we send to impacket's qmcomm and receive from it" = is_used_by_us;
    }
}
