//! Looking into places, and changing what is there.

use std::time::Duration;

use comqc_msmq::session::{DeadReason, MessageId, Verdict};
use comqc_msmq::{Listed, Place, Queue, QueueError, RabbitQueue};
use testkit::broker::Broker;

use super::{counts, is_empty, next, open, plays, run, send};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn labels(listed: &[Listed]) -> Vec<&str> {
    listed.iter().map(|listed| listed.label.as_str()).collect()
}

/// Puts four messages into the dead queue.
async fn dead(queue: &RabbitQueue) -> Vec<MessageId> {
    let mut ids = Vec::new();
    for name in NAMES {
        ids.push(send(queue, name).await);
        let delivery = next(queue).await;
        let verdict = Verdict::Dead(DeadReason::UnknownTarget, "nobody plays it".into());
        queue.settle(&delivery, &verdict).await.unwrap();
    }
    ids
}

pub fn listed(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "listed", "&retries=1").await;
        let ids = dead(&queue).await;
        for _ in 0..3 {
            let all = queue.list(Place::Dead, None, 10).await.unwrap();
            assert_eq!(labels(&all), NAMES);
            assert_eq!(all[0].size, 9);
            assert_eq!(all[0].dead.unwrap(), DeadReason::UnknownTarget);
            let some = queue.list(Place::Dead, Some(ids[0]), 2).await.unwrap();
            assert_eq!(labels(&some), ["b", "c"]);
            assert_eq!(queue.peek(Place::Dead, None).await.unwrap().unwrap().id, ids[0]);
            assert_eq!(queue.peek(Place::Dead, Some(ids[2])).await.unwrap().unwrap().id, ids[2]);
            assert_eq!(queue.peek(Place::Dead, Some(MessageId::NIL)).await.unwrap(), None);
        }
        queue.close().await;

        for name in NAMES {
            send(&queue, name).await;
        }
        let list = queue.list(Place::Main, None, 10).await;
        assert!(matches!(list, Err(QueueError::Unsupported(_))), "{list:?}");
        let delivery = next(&queue).await;
        let wait = Duration::from_secs(3600);
        queue.settle(&delivery, &Verdict::Retry { queue: 0, wait, error: "later".into() }).await.unwrap();
        let waiting = queue.list(Place::Retry(0), None, 10).await.unwrap();
        assert_eq!(labels(&waiting), ["a"]);
        assert_eq!(waiting[0].error.as_deref(), Some("later"));
        assert!(waiting[0].due.unwrap() > waiting[0].sent.after(Duration::from_secs(3000)));
        for name in ["b", "c", "d"] {
            plays(&queue, name).await;
        }
        is_empty(&queue).await;
        queue.close().await;
    });
}

/// The main queue, while nobody receives.
pub fn classic(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "classic-list", "&retries=0&type=classic").await;
        for name in NAMES {
            send(&queue, name).await;
        }
        for _ in 0..3 {
            assert_eq!(labels(&queue.list(Place::Main, None, 10).await.unwrap()), NAMES);
            assert_eq!(labels(&queue.list(Place::Main, None, 2).await.unwrap()), ["a", "b"]);
        }
        let delivery = next(&queue).await;
        let busy = queue.peek(Place::Main, None).await;
        assert!(matches!(busy, Err(QueueError::Unsupported(_))), "{busy:?}");
        queue.settle(&delivery, &Verdict::Again("once more".into())).await.unwrap();
        for name in NAMES {
            plays(&queue, name).await;
        }
        queue.close().await;
    });
}

pub fn changed(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "changed", "&retries=1").await;
        let ids = dead(&queue).await;
        counts(&queue, |counts| {
            (counts.main, counts.dead, counts.journal, &counts.retry[..]) == (0, 4, 0, &[0])
        })
        .await;

        queue.move_to(Place::Dead, ids[1], Place::Main).await.unwrap();
        // Through the retry queue: its wait is over at once.
        queue.move_to(Place::Dead, ids[2], Place::Retry(0)).await.unwrap();
        let missing = queue.move_to(Place::Dead, ids[1], Place::Main).await;
        assert!(matches!(missing, Err(QueueError::NotFound(id)) if id == ids[1]), "{missing:?}");
        plays(&queue, "b").await;
        plays(&queue, "c").await;

        queue.remove(Place::Dead, ids[0]).await.unwrap();
        assert_eq!(labels(&queue.list(Place::Dead, None, 10).await.unwrap()), ["d"]);
        assert_eq!(queue.purge(Place::Dead).await.unwrap(), 1);
        counts(&queue, |counts| counts.dead == 0).await;

        send(&queue, "locked").await;
        send(&queue, "free").await;
        let delivery = next(&queue).await;
        counts(&queue, |counts| (counts.main, counts.locked) == (2, 1)).await;
        assert_eq!(queue.purge(Place::Main).await.unwrap(), 1);
        queue.settle(&delivery, &Verdict::Done).await.unwrap();
        is_empty(&queue).await;
        queue.close().await;
    });
}
