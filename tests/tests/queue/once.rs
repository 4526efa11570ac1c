//! Exactly once: handlers in a transaction.

use std::path::Path;
use std::time::Duration;

use comqc_msmq::sqlite::rusqlite::{Connection, Transaction};
use comqc_msmq::sqlite::{InTransaction, Store, StoredQueue};
use comqc_msmq::{Delivery, Handler, Outcome};
use comqc_session::{
    AfterFailure, CallError, Playback, Player, PlayerOptions, Recorder, RecorderOptions, Verdict,
};
use uuid::{Uuid, uuid};

const CLASS: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const INTERFACE: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

fn open(path: &Path) -> StoredQueue {
    Store::open(path).unwrap().queue("orders").unwrap()
}

fn send(queue: &StoredQueue, numbers: &[u32]) {
    let mut recorder = Recorder::new(CLASS, RecorderOptions::default());
    for number in numbers {
        recorder.call(INTERFACE, 3, *number).unwrap();
    }
    queue.send(&recorder.finish().unwrap().unwrap()).unwrap();
}

fn receive(queue: &StoredQueue) -> Delivery {
    queue.receive(Duration::ZERO).unwrap().unwrap()
}

/// Writes down the number of each call; 13 is bad luck, and after 99 the rest is left out.
fn note(tx: &Transaction<'_>, playback: &mut Playback<'_, '_, ()>) -> Result<(), CallError> {
    while let Some(call) = playback.next_call() {
        let number = call.params::<u32>()?;
        tx.execute("INSERT INTO noted VALUES (?1)", [number]).map_err(CallError::new)?;
        match number {
            13 => return Err("bad luck".into()),
            99 => break,
            _ => {}
        }
    }
    Ok(())
}

fn database(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch("CREATE TABLE IF NOT EXISTS noted (number INTEGER)").unwrap();
    db
}

fn noted(path: &Path) -> Vec<u32> {
    let db = database(path);
    let mut rows = db.prepare("SELECT number FROM noted ORDER BY rowid").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What the handler says, and the verdict that follows.
fn play(handler: &impl Handler<()>, delivery: &Delivery) -> (Result<Outcome, CallError>, Option<Verdict>) {
    let mut player = Player::new(PlayerOptions::default());
    player.register(None, CLASS, ());
    let mut playback = player.begin(&delivery.received).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(handler.play(delivery, &mut playback));
    let verdict = match &outcome {
        Ok(Outcome::Settled) => None,
        Ok(Outcome::Duplicate) => Some(Verdict::Done),
        Ok(Outcome::Played) => Some(playback.done()),
        Err(error) => match playback.failed(error) {
            AfterFailure::Settle(verdict) => Some(verdict),
            AfterFailure::FinalRetry(_) => panic!("no exception class is registered"),
        },
    };
    (outcome, verdict)
}

#[test]
fn one_commit_plays_and_removes_where_the_database_is_that_of_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let queue = open(&path);
    database(&path);
    send(&queue, &[1, 2]);
    let delivery = receive(&queue);
    let handler = InTransaction::of_queue(queue.clone(), note);
    assert_eq!(play(&handler, &delivery), (Ok(Outcome::Settled), None));
    assert_eq!((noted(&path), queue.count().unwrap().main), (vec![1, 2], 0));
}

#[test]
fn nothing_of_a_message_that_fails_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("queue.db"), folder.path().join("other.db"));
    let queue = open(&path);
    database(&path);
    for numbers in [[1, 13], [99, 2]] {
        send(&queue, &numbers);
        let words = if numbers[1] == 13 { "bad luck" } else { "has left out call 2" };
        for own in [false, true] {
            let delivery = receive(&queue);
            let (outcome, verdict) = if own {
                play(&InTransaction::of_database(database(&other), "orders", note).unwrap(), &delivery)
            } else {
                play(&InTransaction::of_queue(queue.clone(), note), &delivery)
            };
            assert!(outcome.is_err_and(|error| error.0.contains(words)), "{numbers:?}");
            let verdict = verdict.unwrap();
            assert!(matches!(&verdict, Verdict::Again(error) if error.contains(words)), "{verdict:?}");
            queue.settle(&delivery, &verdict).unwrap();
        }
        let delivery = receive(&queue);
        assert_eq!(delivery.received.failures, 2);
        queue.settle(&delivery, &Verdict::Done).unwrap();
    }
    assert_eq!((noted(&path), noted(&other)), (vec![], vec![]));
}

#[test]
fn a_message_that_comes_again_after_the_commit_is_not_played_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("queue.db"), folder.path().join("other.db"));
    let queue = open(&path);
    send(&queue, &[1]);
    let handler = InTransaction::of_database(database(&other), "orders", note).unwrap();
    let delivery = receive(&queue);
    assert_eq!(play(&handler, &delivery), (Ok(Outcome::Played), Some(Verdict::Done)));
    // The player dies before it has told the queue.
    drop((delivery, handler, queue));

    let queue = open(&path);
    let handler = InTransaction::of_database(database(&other), "orders", note).unwrap();
    let delivery = queue.receive(Duration::from_secs(60)).unwrap().unwrap();
    assert_eq!(delivery.received.abandoned, 1);
    assert_eq!(play(&handler, &delivery), (Ok(Outcome::Duplicate), Some(Verdict::Done)));
    assert_eq!(noted(&other), [1]);
}
