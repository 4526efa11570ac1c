//! impacket as client of our servers, and as server of our clients; tshark reads what is said. Run by `cargo xtask interop`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

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

/// What impacket's client tells of one part, step by step.
async fn client(house: &House, user: &str, part: &str) -> Vec<Value> {
    let relay = Relay::to(house.port()).await;
    let mut command = script("impacket_msmq.py");
    command.arg("127.0.0.1").arg(relay.port().to_string());
    command.args([user, &password(user), "DOM", part]).stdin(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await.expect("impacket ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    judge(relay).await;
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
    let told = client(&house, "bob", "remote_read").await;
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

async fn manages_our_queues() {
    let house = House::new().await;
    house.fill(&["one", "second"]);
    let told = client(&house, "ann", "management").await;
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
    let told = client(&house, "ann", "programs").await;
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

#[tokio::test]
#[ignore = "needs impacket: cargo xtask interop"]
async fn scenarios() {
    let only = std::env::var("REMASSIST_ONLY").unwrap_or_default();
    macro_rules! run {
        ($($name:literal = $scenario:ident;)*) => {$(
            if $name.contains(&only) {
                $scenario().await;
                println!("ok: msmq: {}", $name);
            }
        )*};
    }
    run! {
        "impacket reads our queues through RemoteRead" = reads_our_queues;
        "impacket asks our queue manager through qmmgmt" = manages_our_queues;
        "impacket sends to our queues and receives from them through qmcomm" = uses_our_queues;
    }
}
