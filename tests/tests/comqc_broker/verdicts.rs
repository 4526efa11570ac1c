//! What becomes of a message.

use std::time::Duration;

use comqc_msmq::session::{DeadReason, Properties, QueueMessage, Verdict};
use comqc_msmq::{Place, Queue, QueueError};
use testkit::broker::Broker;

use super::{counts, done, is_empty, label, message, next, open, plays, run, send};

pub fn every_verdict(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "verdicts", "&retries=1").await;
        let id = send(&queue, "a").await;

        let delivery = next(&queue).await;
        let received = &delivery.received;
        assert_eq!((received.id, received.round, received.failures, received.abandoned), (id, 0, 0, 0));
        assert_eq!(received.message, message("a"));
        assert_eq!(received.sender.description, "RabbitMQ user guest");
        assert!(received.sent.0 > 0);
        queue.settle(&delivery, &Verdict::Again("first".into())).await.unwrap();
        // The lock has ended with it.
        let twice = queue.settle(&delivery, &Verdict::Done).await;
        assert!(matches!(twice, Err(QueueError::Locked(locked)) if locked == id), "{twice:?}");

        let delivery = next(&queue).await;
        assert_eq!((delivery.received.id, delivery.received.failures), (id, 1));
        queue.settle(&delivery, &Verdict::Return).await.unwrap();

        let delivery = next(&queue).await;
        let received = &delivery.received;
        assert_eq!((received.id, received.failures, received.abandoned), (id, 1, 0));
        let retry = Verdict::Retry { queue: 0, wait: Duration::from_millis(10), error: "second".into() };
        queue.settle(&delivery, &retry).await.unwrap();

        let delivery = next(&queue).await;
        let received = &delivery.received;
        assert_eq!((received.id, received.round, received.failures, received.abandoned), (id, 1, 0, 0));
        assert_eq!(received.message, message("a"));
        assert_eq!(received.sender.description, "RabbitMQ user guest");
        let beyond = Verdict::Retry { queue: 1, wait: Duration::ZERO, error: "no such queue".into() };
        let refused = queue.settle(&delivery, &beyond).await;
        assert!(matches!(refused, Err(QueueError::Unsupported(_))), "{refused:?}");
        // It is still locked, and can be settled otherwise.
        done(&queue, &delivery).await;
        is_empty(&queue).await;
        counts(&queue, |counts| counts.main == 0).await;
        queue.close().await;
    });
}

pub fn walk(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "walk", "&retries=3").await;
        let id = send(&queue, "poison").await;
        for round in 0..=3 {
            for failures in 0..3 {
                let delivery = next(&queue).await;
                let received = &delivery.received;
                assert_eq!((received.id, received.round, received.failures), (id, round, failures));
                let verdict = match (round, failures) {
                    (_, 0..2) => Verdict::Again("it fails".into()),
                    (3, _) => Verdict::Dead(DeadReason::Exhausted, "it fails always".into()),
                    _ => Verdict::Retry {
                        queue: round,
                        wait: Duration::from_millis(20 << round),
                        error: "it fails".into(),
                    },
                };
                queue.settle(&delivery, &verdict).await.unwrap();
            }
        }
        is_empty(&queue).await;
        let dead = queue.list(Place::Dead, None, 10).await.unwrap();
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].id, dead[0].dead.unwrap()), (id, DeadReason::Exhausted));
        assert_eq!(dead[0].error.as_deref(), Some("it fails always"));
        queue.close().await;
    });
}

pub fn poison(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "poison", "&retries=0").await;
        let id = send(&queue, "poison").await;
        send(&queue, "after").await;
        let delivery = next(&queue).await;
        queue.settle(&delivery, &Verdict::Dead(DeadReason::Malformed, "no CHDR".into())).await.unwrap();
        plays(&queue, "after").await;
        let dead = queue.peek(Place::Dead, Some(id)).await.unwrap().unwrap();
        assert_eq!(dead.message, message("poison"));
        queue.move_to(Place::Dead, id, Place::Main).await.unwrap();
        let delivery = next(&queue).await;
        let received = &delivery.received;
        assert_eq!((received.id, received.round, received.failures, received.abandoned), (id, 0, 0, 0));
        done(&queue, &delivery).await;
        counts(&queue, |counts| counts.dead == 0).await;
        queue.close().await;
    });
}

pub fn journal(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "journal", "&retries=0").await;
        let properties =
            Properties { positive_journaling: true, label: "kept".into(), ..Properties::default() };
        let sent = QueueMessage { properties, ..message("kept") };
        let id = queue.send(sent.clone()).await.unwrap();
        send(&queue, "not kept").await;
        plays(&queue, "kept").await;
        plays(&queue, "not kept").await;
        counts(&queue, |counts| counts.journal == 1).await;
        let kept = queue.peek(Place::Journal, None).await.unwrap().unwrap();
        assert_eq!((kept.id, kept.message), (id, sent));
        queue.close().await;
    });
}

pub fn expiry(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "expiry", "&retries=0").await;
        let expiring = |name: &str, negative_journaling| {
            let label = name.into();
            let time_to_be_received = Some(0);
            let properties =
                Properties { label, negative_journaling, time_to_be_received, ..Properties::default() };
            QueueMessage { properties, ..message(name) }
        };
        queue.send(expiring("gone", false)).await.unwrap();
        let dead = queue.send(expiring("dead", true)).await.unwrap();
        send(&queue, "alive").await;
        let delivery = next(&queue).await;
        assert_eq!(label(&delivery), "alive");
        done(&queue, &delivery).await;
        is_empty(&queue).await;
        let listed = queue.list(Place::Dead, None, 10).await.unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((listed[0].id, listed[0].dead.unwrap()), (dead, DeadReason::Expired));
        queue.close().await;
    });
}
