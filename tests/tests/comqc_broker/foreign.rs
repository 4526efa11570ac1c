//! A client of other people: pika, in Python.

use std::io::Write as _;
use std::process::{Command, Stdio};

use comqc_msmq::session::{DeadReason, MessageId, Properties, QueueMessage, Sender, Timestamp, Verdict};
use comqc_msmq::{Place, Queue};
use serde_json::{Value, json};
use testkit::broker::Broker;

use super::{done, is_empty, label, message, next, open, plays, run, send};

/// The lines that it prints; `None` where there is no pika.
fn pika(broker: &Broker, what: &str, queue: &str, lines: &[Value]) -> Option<Vec<Value>> {
    let packages = Broker::root().unwrap().join("usr/lib/python3/dist-packages");
    if !packages.join("pika").exists() {
        println!("!!!! SKIPPED: pika is not there !!!!");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/comqc_broker/pika_peer.py");
    let mut command = Command::new("python3");
    command.args([script, what, &broker.port.to_string(), queue]).env("PYTHONPATH", packages);
    let mut peer = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = peer.stdin.take().unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let output = peer.wait_with_output().unwrap();
    assert!(output.status.success(), "pika ended with {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

pub fn both_ways(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "foreign", "&retries=0").await;
        let properties = Properties {
            label: "order 5".into(),
            priority: 6,
            correlation: MessageId { lineage: uuid::Uuid::from_u128(7), uniquifier: 8 },
            application_tag: 9,
            positive_journaling: true,
            ..Properties::default()
        };
        let id = queue.send(QueueMessage { properties, ..message("order 5") }).await.unwrap();
        plays(&queue, "order 5").await;

        // Not from the queue itself: no other consumer gets anything from it.
        let Some(lines) = pika(broker, "receive", "foreign_Journal", &[]) else { return };
        let read = &lines[0];
        assert_eq!(read["body"], "body of order 5");
        let told = &read["properties"];
        assert_eq!(told["content_type"], "application/x-comqc");
        assert_eq!((&told["delivery_mode"], &told["priority"]), (&json!(2), &json!(6)));
        let hex: String = id.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(told["message_id"], json!(hex));
        assert_eq!(told["correlation_id"], "0000000000000000000000000000000708000000");
        let headers = &told["headers"];
        assert_eq!(headers["x-comqc-extension"], json!({"hex": "fbbc64165117d211b58e00e0290e6c31"}));
        let readable: Value = serde_json::from_str(headers["x-comqc-properties"].as_str().unwrap()).unwrap();
        assert_eq!(readable["label"], "order 5");
        assert_eq!(readable["application_tag"], 9);

        let extension = json!({"hex": "fbbc64165117d211b58e00e0290e6c31"});
        let lines = [
            // As much as ours.
            json!({"body": "whole", "properties": {
                "content_type": "application/x-comqc", "message_id": hex, "priority": 2, "user_id": "guest",
                "timestamp": 1_700_000_000
            }, "headers": {
                "x-comqc-extension": extension, "x-comqc-properties": "{\"label\":\"whole\",\"application_tag\":5}"
            }}),
            // Nothing but a body.
            json!({"body": "bare"}),
            // What AMQP has names for.
            json!({"body": "named", "properties": {
                "message_id": "my message 1", "type": "named", "reply_to": "answers", "expiration": "600000"
            }, "headers": {"x-comqc-extension": extension}}),
        ];
        pika(broker, "send", "foreign", &lines).unwrap();

        let delivery = next(&queue).await;
        let received = &delivery.received;
        assert_eq!((received.id, label(&delivery)), (id, "whole"));
        let properties = &received.message.properties;
        assert_eq!((properties.priority, properties.application_tag), (2, 5));
        assert_eq!(*properties.extension, *Properties::default().extension);
        assert_eq!(received.sent, Timestamp(1_700_000_000_000));
        assert_eq!(
            received.sender,
            Sender { description: "RabbitMQ user guest".into(), ..Sender::default() }
        );
        done(&queue, &delivery).await;

        // Without an identifier it is given one, which stays.
        let delivery = next(&queue).await;
        let (given, body) = (delivery.received.id, delivery.received.message.body.to_vec());
        assert_eq!(
            (body.as_slice(), delivery.received.message.properties.extension.len()),
            (&b"bare"[..], 0)
        );
        assert_ne!(given, MessageId::NIL);
        queue.settle(&delivery, &Verdict::Again("once more".into())).await.unwrap();
        let delivery = next(&queue).await;
        assert_eq!((delivery.received.id, delivery.received.failures), (given, 1));
        done(&queue, &delivery).await;

        let delivery = next(&queue).await;
        let properties = &delivery.received.message.properties;
        assert_eq!((label(&delivery), properties.response_queue.as_str()), ("named", "answers"));
        assert_eq!(properties.time_to_be_received, Some(600));
        done(&queue, &delivery).await;
        is_empty(&queue).await;
        queue.close().await;
    });
}

pub fn hostile(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "hostile", "&retries=0").await;
        let lines = [
            json!({"body": "1", "headers": {
                "x-comqc-extension": 5, "x-comqc-properties": "{\"label\": [", "x-comqc-sent": -1, "x-comqc-round": 3000,
                "x-comqc-sender": {"a": 1}, "x-comqc-sid": "S-1-x", "x-comqc-dead": "?", "x-death": "?",
                "x-comqc-due": "soon"
            }, "properties": {"message_id": "zz", "correlation_id": "zz", "priority": 255, "timestamp": 0}}),
            json!({"body": "2", "headers": {"x-comqc-properties": {"long": 20_000}}}),
            json!({"body": "3", "headers": {"x-comqc-extension": {"long": 20_000}, "x-death": [{}, 5]}}),
            json!({"body": "4", "headers": {"x-comqc-sender": {"nested": 1_000}}}),
        ];
        if pika(broker, "send", "hostile", &lines).is_none() {
            return;
        }
        for body in ["1", "2", "3", "4"] {
            let delivery = next(&queue).await;
            assert_eq!(&*delivery.received.message.body, body.as_bytes());
            done(&queue, &delivery).await;
        }
        // Headers that are larger than ours ever are, or nested deeper than any stack: as if there were none.
        let identified = json!({"message_id": "mine"});
        let lines = [
            json!({"body": "5", "headers": {"x": {"long": 100_000}}, "properties": identified}),
            json!({"body": "6", "headers": {"x": {"nested": 10_000}}, "properties": identified}),
        ];
        pika(broker, "send", "hostile", &lines).unwrap();
        for body in ["5", "6"] {
            let delivery = next(&queue).await;
            let received = &delivery.received;
            assert_eq!(
                (&*received.message.body, received.sender.description.as_str()),
                (body.as_bytes(), "")
            );
            let verdict = Verdict::Dead(DeadReason::NotQueuedComponent, "no Extension".into());
            queue.settle(&delivery, &verdict).await.unwrap();
        }
        send(&queue, "after").await;
        plays(&queue, "after").await;
        assert_eq!(queue.list(Place::Dead, None, 10).await.unwrap().len(), 2);
        queue.close().await;
    });
}
