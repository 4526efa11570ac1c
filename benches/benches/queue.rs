//! The life of a message in a SQLite queue (record, encode, store, lock, fetch, check, play, remove) beside as many bare
//! transactions with the same bytes: one that inserts, one that locks and is not synced, one that reads, one that removes.
//!
//! On a real disk, whose syncs are most of both, and in memory where the machine has `/dev/shm`: that shows what we add.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use comqc_msmq::sqlite::Store;
use comqc_msmq::sqlite::rusqlite::{Connection, Params};
use comqc_session::{Player, PlayerOptions, Recorder, RecorderOptions, Verdict};
use testkit::bench::{heading, ratio};
use uuid::{Uuid, uuid};

const CLASS: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const INTERFACE: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
/// "at most 1.3 times".
const GOAL: f64 = 1.3;
/// Messages that come before the measured ones.
const WARM: usize = 500;

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

/// The same transactions by hand. The lock is a row of its own, so that it does not touch the body.
fn bare(folder: &Path, calls: usize, size: usize) -> impl FnMut() {
    let body = recorded(calls, size).finish().unwrap().unwrap().body;
    let mut db = Connection::open(folder.join("bare.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.execute_batch(
        "CREATE TABLE message (id INTEGER PRIMARY KEY, body BLOB);
         CREATE TABLE lock (message INTEGER);
         INSERT INTO lock VALUES (NULL)",
    )
    .unwrap();
    move || {
        step(&mut db, "INSERT INTO message (body) VALUES (?1)", [&body[..]]);
        db.pragma_update(None, "synchronous", "NORMAL").unwrap();
        step(&mut db, "UPDATE lock SET message = (SELECT min(id) FROM message)", []);
        let read: Vec<u8> = db
            .prepare_cached("SELECT body FROM message WHERE id = (SELECT message FROM lock)")
            .unwrap()
            .query_row([], |row| row.get(0))
            .unwrap();
        assert_eq!(read.len(), body.len());
        db.pragma_update(None, "synchronous", "FULL").unwrap();
        step(&mut db, "DELETE FROM message WHERE id = (SELECT message FROM lock)", []);
    }
}

/// A transaction that changes one row.
fn step(db: &mut Connection, sql: &str, values: impl Params) {
    let tx = db.transaction().unwrap();
    assert_eq!(tx.prepare_cached(sql).unwrap().execute(values).unwrap(), 1);
    tx.commit().unwrap();
}

fn measure(place: &str, folder: &Path, goal: f64) {
    for (calls, size) in [(1, 64), (20, 64), (100, 640)] {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let name = format!("message of {calls} calls, {size} bytes each, {place}");
        let (mut ours, mut bare) = (ours(folder.path(), calls, size), bare(folder.path(), calls, size));
        // Until both logs are as long as they become: writing over them is faster than making them longer.
        for _ in 0..WARM {
            ours();
            bare();
        }
        ratio(&name, goal, ours, bare);
    }
}

fn main() {
    // A heap that has had a large block keeps what is freed. Otherwise both sides would give the pages of large bodies back to
    // the system, and fetch them again for the next one.
    drop(black_box(vec![1_u8; 16 << 20]));
    heading("queue in SQLite");
    // A heap that has had a large block keeps what is freed. Otherwise, most of a large message in memory would be pages that
    // both sides give back to the system and fetch again.
    drop(black_box(vec![1_u8; 16 << 20]));
    measure("on disk", Path::new(env!("CARGO_TARGET_TMPDIR")), GOAL);
    if Path::new("/dev/shm").is_dir() {
        // No goal is named where nothing is synced: a bound that shows when something gets slower.
        measure("in memory", Path::new("/dev/shm"), 2.5);
    }
}
