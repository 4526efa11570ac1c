//! Order, and who has a message.

use comqc_msmq::session::Verdict;
use comqc_msmq::{Place, Queue, QueueError};
use testkit::broker::Broker;

use super::player::Player;
use super::{done, is_empty, label, next, open, plays, run, send};

const MESSAGES: usize = 60;

pub fn kept(broker: &mut Broker) {
    run(in_order(broker, "order", "&retries=0"));
}

async fn in_order(broker: &Broker, name: &str, options: &str) {
    let queue = open(broker, name, options).await;
    for number in 0..MESSAGES {
        send(&queue, &number.to_string()).await;
    }
    for number in 0..MESSAGES {
        let expected = number.to_string();
        let delivery = next(&queue).await;
        assert_eq!(label(&delivery), expected);
        match number % 5 {
            0 => queue.settle(&delivery, &Verdict::Again("once more".into())).await.unwrap(),
            1 => queue.settle(&delivery, &Verdict::Return).await.unwrap(),
            // The player has died.
            2 => drop(delivery),
            // The connection ends.
            3 if number % 4 == 0 => {
                queue.close().await;
                let late = queue.settle(&delivery, &Verdict::Done).await;
                assert!(matches!(late, Err(QueueError::Locked(_))), "{late:?}");
            }
            _ => {
                done(&queue, &delivery).await;
                continue;
            }
        }
        plays(&queue, &expected).await;
    }
    is_empty(&queue).await;
    queue.close().await;
}

pub fn takeover(broker: &mut Broker) {
    run(async {
        let address = format!("{}&retries=0", broker.address("takeover"));
        let queue = open(broker, "takeover", "&retries=0").await;
        for name in ["first", "second", "third"] {
            send(&queue, name).await;
        }
        let mut player = Player::start(&address);
        assert_eq!(player.received(), "first");
        // The player has one: nobody else gets any.
        is_empty(&queue).await;
        let list = queue.list(Place::Main, None, 10).await;
        assert!(matches!(list, Err(QueueError::Unsupported(_))), "{list:?}");
        let waiting = next(&queue);
        let killed = async {
            player.kill();
        };
        let (delivery, ()) = tokio::join!(waiting, killed);
        assert_eq!((label(&delivery), delivery.received.abandoned), ("first", 1));
        done(&queue, &delivery).await;
        plays(&queue, "second").await;
        plays(&queue, "third").await;
        is_empty(&queue).await;
        queue.close().await;
    });
}

pub fn abandoned(broker: &mut Broker) {
    run(counted(broker, "abandoned", "&retries=0"));
}

async fn counted(broker: &Broker, name: &str, options: &str) {
    let queue = open(broker, name, options).await;
    let address = format!("{}{options}", broker.address(name));
    send(&queue, "a").await;
    let delivery = next(&queue).await;
    queue.settle(&delivery, &Verdict::Again("it fails".into())).await.unwrap();
    drop(delivery);
    queue.close().await;
    for times in 0..3 {
        let mut player = Player::start(&address);
        assert_eq!(player.received(), "a", "time {times}");
        player.kill();
    }
    let delivery = next(&queue).await;
    assert_eq!((delivery.received.failures, delivery.received.abandoned), (1, 3));
    // Returned by a shutdown, shown: none of it is a player that has died.
    queue.settle(&delivery, &Verdict::Return).await.unwrap();
    drop(delivery);
    for _ in 0..3 {
        queue.close().await;
        if options.contains("classic") {
            assert_eq!(queue.list(Place::Main, None, 10).await.unwrap().len(), 1);
        }
    }
    let delivery = next(&queue).await;
    assert_eq!((delivery.received.failures, delivery.received.abandoned), (1, 3));
    done(&queue, &delivery).await;
    queue.close().await;
}

pub fn classic(broker: &mut Broker) {
    run(async {
        in_order(broker, "classic", "&retries=0&type=classic").await;
        counted(broker, "classic-count", "&retries=0&type=classic").await;
    });
}
