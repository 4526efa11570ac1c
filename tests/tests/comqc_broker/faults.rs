//! A broker that refuses, stops, is killed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use comqc_msmq::session::Verdict;
use comqc_msmq::sqlite::rusqlite::{self, Connection};
use comqc_msmq::sqlite::{Inbox, Once};
use comqc_msmq::{Place, Queue, QueueError, RabbitQueue};
use testkit::broker::Broker;

use super::{WAIT, done, is_empty, label, message, next, open, plays, run, send};
use testkit::measure::{Random, record, soak};

pub fn refused(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "refused", "&retries=0").await;
        queue.close().await;
        let other = RabbitQueue::open(&format!("{}&retries=0&type=classic", broker.address("refused"))).await;
        assert!(matches!(other, Err(QueueError::Damaged(_))), "{other:?}");
        let nobody = format!("amqp://nobody:nothing@127.0.0.1:{}/?queue=refused", broker.port);
        let nobody = RabbitQueue::open(&nobody).await;
        assert!(matches!(nobody, Err(QueueError::Backend(_))), "{nobody:?}");
        let nowhere = format!("amqp://guest:guest@127.0.0.1:{}/nowhere?queue=refused", broker.port);
        let nowhere = RabbitQueue::open(&nowhere).await;
        assert!(matches!(nowhere, Err(QueueError::Backend(_))), "{nowhere:?}");
        // Nobody has declared it: the broker returns the message.
        let missing = open(broker, "missing", "&declare=no").await;
        let returned = missing.send(message("lost")).await;
        assert!(matches!(&returned, Err(QueueError::Backend(why)) if why.contains("312")), "{returned:?}");
    });
}

pub fn stopped(broker: &mut Broker) {
    run(async {
        let queue = open(broker, "stopped", "&retries=0&timeout=1").await;
        send(&queue, "a").await;
        send(&queue, "b").await;
        let held = next(&queue).await;
        broker.stop();

        let is_gone = |error: QueueError| assert!(matches!(error, QueueError::Disconnected(_)), "{error:?}");
        is_gone(queue.send(message("lost")).await.unwrap_err());
        is_gone(queue.count().await.unwrap_err());
        is_gone(queue.list(Place::Dead, None, 1).await.unwrap_err());
        is_gone(queue.receive(Duration::from_millis(100)).await.unwrap_err());
        let late = queue.settle(&held, &Verdict::Done).await;
        assert!(matches!(late, Err(QueueError::Locked(_))), "{late:?}");

        // Whoever waits when it comes back gets what it has kept.
        let patient = RabbitQueue::new(&format!("{}&retries=0", broker.address("stopped"))).unwrap();
        let (delivery, ()) = tokio::join!(next(&patient), async { broker.restart() });
        assert_eq!(label(&delivery), "a");
        done(&patient, &delivery).await;
        patient.close().await;
        send(&queue, "c").await;
        plays(&queue, "b").await;
        plays(&queue, "c").await;
        is_empty(&queue).await;
        queue.close().await;
    });
}

/// What comes after everything else.
const END: &str = "end";

pub fn killed(broker: &mut Broker) {
    let (messages, kills) = if soak() { (20_000, 20) } else { (500, 2) };
    let (began, mut random) = (Instant::now(), Random::seeded());
    let address = format!("{}&retries=0&timeout=120", broker.address("killed"));
    run(async { RabbitQueue::open(&address).await.unwrap().close().await });
    // A quorum queue that is seconds old may have no leader after a kill: all of it has to be on disk.
    broker.stop();
    broker.restart();
    let mut moments: Vec<u64> = (0..kills).map(|_| 1 + random.below(messages * 9 / 10)).collect();
    moments.sort_unstable();

    let progress = Arc::new(AtomicU64::new(0));
    let sender = {
        let (address, progress) = (address.clone(), Arc::clone(&progress));
        thread::spawn(move || run(sends(&address, messages, &progress)))
    };
    let player = thread::spawn(move || run(plays_all(&address)));
    for moment in moments {
        while progress.load(Ordering::SeqCst) < moment && !sender.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        broker.kill();
        broker.restart();
    }
    let confirmed = sender.join().unwrap();
    let (played, again) = player.join().unwrap();

    assert!(played.is_sorted_by(|one, next| one < next), "played twice or out of order: {played:?}");
    let all: HashSet<u64> = played.iter().copied().collect();
    let lost: Vec<&u64> = confirmed.iter().filter(|number| !all.contains(number)).collect();
    assert!(lost.is_empty(), "confirmed and lost: {lost:?}");
    let told = format!(
        "{} of {messages} confirmed, none of them lost; {} played, once and in order; {again} came again",
        confirmed.len(),
        played.len()
    );
    record(format!("RabbitMQ killed {kills} times under load"), began, told);
}

/// Sends numbers; those that were confirmed. What is not known is not sent again.
async fn sends(address: &str, messages: u64, progress: &AtomicU64) -> Vec<u64> {
    let queue = RabbitQueue::open(address).await.unwrap();
    let mut confirmed = Vec::new();
    for number in 1..=messages {
        match queue.send(message(&number.to_string())).await {
            Ok(_) => confirmed.push(number),
            Err(error) => assert!(matches!(error, QueueError::Disconnected(_)), "{error:?}"),
        }
        progress.store(number, Ordering::SeqCst);
    }
    while queue.send(message(END)).await.is_err() {}
    queue.close().await;
    confirmed
}

/// Plays what comes into a database that knows what it has played; the numbers in their order, and how many came again.
async fn plays_all(address: &str) -> (Vec<u64>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut db = Connection::open(folder.path().join("played.db")).unwrap();
    db.execute_batch("CREATE TABLE played (at INTEGER PRIMARY KEY, number INTEGER NOT NULL)").unwrap();
    let inbox = Inbox::create(&db).unwrap();
    let queue = RabbitQueue::open(address).await.unwrap();
    let mut again = 0;
    loop {
        let delivery = match queue.receive(WAIT).await {
            Ok(delivery) => delivery.expect("a message"),
            Err(QueueError::Disconnected(_)) => continue,
            Err(error) => panic!("{error:?}"),
        };
        let at_end = label(&delivery) == END;
        if !at_end {
            let number: i64 = label(&delivery).parse().unwrap();
            let played = inbox.play(&mut db, "killed", delivery.received.id, |tx| {
                tx.execute("INSERT INTO played (number) VALUES (?1)", [number])
            });
            again += u64::from(matches!(played.unwrap(), Once::Before));
        }
        match queue.settle(&delivery, &Verdict::Done).await {
            Ok(()) | Err(QueueError::Locked(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        if at_end {
            break;
        }
    }
    queue.close().await;
    let mut rows = db.prepare("SELECT number FROM played ORDER BY at").unwrap();
    let played = rows.query_map([], |row| row.get(0)).unwrap();
    (played.map(|number: rusqlite::Result<i64>| number.unwrap().try_into().unwrap()).collect(), again)
}
