//! A process of the tests of queues, to be killed: sends messages without end, or plays them.
//!
//! ```text
//! queue_worker send DATABASE QUEUE WRITER LIFE [MESSAGES]
//! queue_worker play DATABASE QUEUE TARGET until-empty|until-killed
//! ```
//!
//! TARGET is the database of what was played, `same` for that of the queue.

use std::error::Error;
use std::future::pending;
use std::io::Write as _;
use std::sync::Arc;

use comqc_msmq::sqlite::rusqlite::{Connection, Transaction, params};
use comqc_msmq::sqlite::{InTransaction, SqliteQueue, Store};
use comqc_msmq::{Listener, ListenerOptions};
use comqc_session::{CallError, Playback, Player, PlayerOptions, Recorder, RecorderOptions};
use uuid::{Uuid, uuid};

const CLASS: Uuid = uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee");
const INTERFACE: Uuid = uuid!("3f2504e0-4f89-11d3-9a0c-0305e82c3301");

const PLAYED: &str =
    "CREATE TABLE IF NOT EXISTS played (writer INTEGER, life INTEGER, number INTEGER, id TEXT)";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["send", database, queue, writer, life] => {
            send(database, queue, writer.parse()?, life.parse()?, u32::MAX)
        }
        ["send", database, queue, writer, life, messages] => {
            send(database, queue, writer.parse()?, life.parse()?, messages.parse()?)
        }
        ["play", database, queue, target, end] => play(database, queue, target, end == "until-empty"),
        _ => Err("see the source for usage".into()),
    }
}

fn send(database: &str, queue: &str, writer: u32, life: u32, messages: u32) -> Result<(), Box<dyn Error>> {
    let queue = Store::open(database)?.queue(queue)?;
    let mut output = std::io::stdout();
    for number in 1..=messages {
        let mut recorder = Recorder::new(CLASS, RecorderOptions::default());
        recorder.call(INTERFACE, 3, (writer, life, number))?;
        queue.send(&recorder.finish()?.ok_or("no calls")?)?;
        // In one piece, so that a kill does not cut it.
        output.write_all(format!("sent {writer} {life} {number}\n").as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

fn play(database: &str, queue: &str, target: &str, until_empty: bool) -> Result<(), Box<dyn Error>> {
    let queue = Store::open(database)?.queue(queue)?;
    let connection = Connection::open(if target == "same" { database } else { target })?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute(PLAYED, [])?;

    let mut player = Player::new(PlayerOptions::default());
    player.register(None, CLASS, ());
    let component = |tx: &Transaction<'_>, playback: &mut Playback<'_, '_, ()>| {
        let id = playback.received().id.to_string();
        while let Some(call) = playback.next_call() {
            let (writer, life, number) = call.params::<(u32, u32, u32)>()?;
            tx.execute("INSERT INTO played VALUES (?1, ?2, ?3, ?4)", params![writer, life, number, id])
                .map_err(CallError::new)?;
        }
        Ok(())
    };
    let handler = match target {
        "same" => InTransaction::of_queue(queue.clone(), component),
        _ => InTransaction::of_database(connection, "orders", component)?,
    };
    let options = ListenerOptions { until_empty, ..ListenerOptions::default() };
    let listener = Listener::new(Arc::new(SqliteQueue::from(queue)), player).with_options(options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(listener.run(&handler, pending()))?;
    Ok(())
}
