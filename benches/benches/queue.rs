//! The life of a message in a SQLite queue (record, encode, store, lock, fetch, check, play, remove) beside as many bare
//! transactions with the same bytes: one that inserts, one that locks and is not synced, one that removes.
//!
//! On a real disk, whose syncs are most of both, and in memory where the machine has `/dev/shm`: that shows what we add.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use comqc_msmq::sqlite::Store;
use comqc_msmq::sqlite::rusqlite::{Connection, params};
use comqc_session::{Player, PlayerOptions, Recorder, RecorderOptions, Verdict};
use testkit::bench::{heading, ratio};
use uuid::{Uuid, uuid};

const CLASS: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const INTERFACE: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
/// "at most 1.3 times".
const GOAL: f64 = 1.3;

fn recorded(calls: usize, size: usize) -> Recorder {
    let mut recorder = Recorder::new(CLASS, RecorderOptions::default());
    for call in 0..calls {
        let data = vec![u8::try_from(call % 256).unwrap(); size];
        recorder.call_marshaled(INTERFACE, 3, data).unwrap();
    }
    recorder
}

/// Our queue in a folder, and what one message costs.
fn ours(folder: &Path, calls: usize, size: usize) -> impl FnMut() {
    let queue = Store::open(folder.join("ours.db")).unwrap().queue("orders").unwrap();
    let mut player = Player::new(PlayerOptions::default());
    player.register(None, CLASS, ());
    move || {
        queue.send(&recorded(calls, size).finish().unwrap().unwrap()).unwrap();
        let delivery = queue.receive(Duration::ZERO).unwrap().unwrap();
        let mut playback = player.begin(&delivery.received).unwrap();
        while let Some(call) = playback.next_call() {
            black_box(call.data);
        }
        let verdict = playback.done();
        assert_eq!(verdict, Verdict::Done);
        queue.settle(&delivery, &verdict).unwrap();
    }
}

/// The same transactions by hand.
fn bare(folder: &Path, calls: usize, size: usize) -> impl FnMut() {
    let body = recorded(calls, size).finish().unwrap().unwrap().body;
    let mut db = Connection::open(folder.join("bare.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch("CREATE TABLE message (id INTEGER PRIMARY KEY, holder INTEGER, body BLOB)").unwrap();
    move || {
        let mut step = |synchronous: &str, sql: &str, body: Option<&[u8]>| {
            db.pragma_update(None, "synchronous", synchronous).unwrap();
            let tx = db.transaction().unwrap();
            match body {
                Some(body) => tx.prepare_cached(sql).unwrap().execute(params![body]),
                None => tx.prepare_cached(sql).unwrap().execute([]),
            }
            .unwrap();
            tx.commit().unwrap();
        };
        step("FULL", "INSERT INTO message (body) VALUES (?1)", Some(&body));
        step("NORMAL", "UPDATE message SET holder = 1", None);
        let read: Vec<u8> = db.query_row("SELECT body FROM message", [], |row| row.get(0)).unwrap();
        assert_eq!(read.len(), body.len());
        let mut step = |sql: &str| {
            db.pragma_update(None, "synchronous", "FULL").unwrap();
            let tx = db.transaction().unwrap();
            tx.prepare_cached(sql).unwrap().execute([]).unwrap();
            tx.commit().unwrap();
        };
        step("DELETE FROM message");
    }
}

fn measure(place: &str, folder: &Path, goal: f64) {
    for (calls, size) in [(1, 64), (20, 64), (100, 640)] {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let name = format!("message of {calls} calls, {size} bytes each, {place}");
        ratio(&name, goal, ours(folder.path(), calls, size), bare(folder.path(), calls, size));
    }
}

fn main() {
    heading("queue in SQLite");
    measure("on disk", Path::new(env!("CARGO_TARGET_TMPDIR")), GOAL);
    if Path::new("/dev/shm").is_dir() {
        // No goal is named where nothing is synced: a bound that shows when something gets slower.
        measure("in memory", Path::new("/dev/shm"), 4.0);
    }
}
