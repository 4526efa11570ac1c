//! Messages from an outbox over MSMQ into a queue, on this machine, beside bare TCP with as many bare transactions for the same
//! bytes: one inserts at the sender, one for each 64 messages (the window) inserts at the receiver, and one removes at the sender after
//! answers of a byte.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use comqc_msmq::msmq::{Acceptor, AcceptorOptions, Sender, SenderOptions, Served, ServedTarget};
use comqc_msmq::sqlite::rusqlite::{Connection, params};
use comqc_msmq::sqlite::{Outbox, Progress, Store, Transfer};
use comqc_session::{QueueMessage, QueueName};
use testkit::bench::{heading, ratio};
use tokio::runtime::Runtime;

/// "at most 1.5 times".
const GOAL: f64 = 1.5;
/// Messages that come before the measured ones.
const WARM: usize = 100;
/// Messages that are on their way at most.
const WINDOW: usize = 64;
const PATIENCE: Duration = Duration::from_secs(60);

fn message(size: usize) -> QueueMessage {
    QueueMessage { body: vec![7; size].into(), ..QueueMessage::default() }
}

/// A sender and an acceptor, and what some messages cost until nothing is to be done for them any more.
fn ours(runtime: &Runtime, folder: &Path, count: usize, size: usize, transfer: Transfer) -> impl FnMut() {
    let outbox = Outbox::new(Store::open(folder.join("outbox.db")).unwrap());
    let there = Store::open(folder.join("there.db")).unwrap();
    let queue = there.queue("orders").unwrap();
    let served = Served {
        name: QueueName::new("orders").unwrap(),
        transactional: true,
        target: ServedTarget::Stored(queue.clone()),
    };
    let options =
        AcceptorOptions { allow: vec!["127.0.0.0/8".parse().unwrap()], ..AcceptorOptions::default() };
    let address = [([127, 0, 0, 1], 0).into()];
    let acceptor = Acceptor::bind(&address, Outbox::new(there), vec![served], options);
    let acceptor = Arc::new(runtime.block_on(acceptor).unwrap());
    let port = acceptor.addresses()[0].port();
    runtime.spawn(async move { acceptor.run(std::future::pending()).await });
    let sender = Sender::new(outbox.clone(), SenderOptions { port, ..SenderOptions::default() });
    runtime.spawn(async move { sender.run(std::future::pending()).await });

    let outgoing = outbox.to(&r"TCP:127.0.0.1\private$\orders".parse().unwrap()).unwrap();
    let messages = vec![message(size); count];
    let handle = runtime.handle().clone();
    let mut all = 0;
    move || {
        let ids = outgoing.accept(&messages, transfer).unwrap();
        let last = ids.last().copied().unwrap();
        assert_eq!(handle.block_on(outbox.settled(last, PATIENCE)).unwrap(), Progress::Gone);
        all += count;
        if all % 4096 < count {
            // What is there stays small, as where it is played.
            queue.purge(comqc_msmq::Place::Main).unwrap();
        }
    }
}

fn database(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.execute_batch("CREATE TABLE message (id INTEGER PRIMARY KEY, body BLOB)").unwrap();
    db
}

fn insert(db: &mut Connection, bodies: &[Vec<u8>]) {
    let tx = db.transaction().unwrap();
    for body in bodies {
        tx.prepare_cached("INSERT INTO message (body) VALUES (?1)").unwrap().execute(params![body]).unwrap();
    }
    tx.commit().unwrap();
}

/// The same by hand.
fn bare(folder: &Path, count: usize, size: usize) -> impl FnMut() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut there = database(&folder.join("bare-there.db"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let window = count.min(WINDOW);
        let mut bodies = vec![vec![0; size]; window];
        let mut all = 0;
        while bodies.iter_mut().all(|body| stream.read_exact(body).is_ok()) {
            insert(&mut there, &bodies);
            stream.write_all(&[1]).unwrap();
            all += window;
            if all % 4096 < window {
                there.execute("DELETE FROM message", []).unwrap();
            }
        }
    });
    let mut here = database(&folder.join("bare-here.db"));
    let bodies = vec![vec![7; size]; count];
    move || {
        insert(&mut here, &bodies);
        for body in &bodies {
            stream.write_all(body).unwrap();
        }
        stream.read_exact(&mut vec![0; count.div_ceil(WINDOW)]).unwrap();
        let tx = here.transaction().unwrap();
        let ids: Vec<i64> = {
            let mut ids = tx.prepare_cached("SELECT id FROM message").unwrap();
            let ids = ids.query_map([], |row| row.get(0)).unwrap();
            ids.map(Result::unwrap).collect()
        };
        for id in ids {
            tx.prepare_cached("DELETE FROM message WHERE id = ?1").unwrap().execute([id]).unwrap();
        }
        tx.commit().unwrap();
    }
}

fn main() {
    heading("messages over MSMQ");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (count, size, transfer, what) in [
        (1, 808, Transfer::Single, "one message of 808 bytes"),
        (1, 65_536, Transfer::Single, "one message of 64 KiB"),
        (64, 808, Transfer::Sequence, "64 messages of 808 bytes in a sequence"),
        (512, 808, Transfer::Sequence, "512 messages of 808 bytes in a sequence"),
    ] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut ours = ours(&runtime, folder.path(), count, size, transfer);
        let mut bare = bare(folder.path(), count, size);
        for _ in 0..WARM.div_ceil(count) {
            ours();
            bare();
        }
        ratio(what, GOAL, ours, bare);
    }
}
