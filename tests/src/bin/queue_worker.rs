//! A process of the tests of queues, to be killed: sends messages without end, or plays them.
//!
//! ```text
//! queue_worker send DATABASE QUEUE WRITER LIFE [MESSAGES]
//! queue_worker play DATABASE QUEUE TARGET until-empty|until-killed
//! queue_worker remote OUTBOX PORT WRITER LIFE plain|single|sequence LATE
//! queue_worker drain OUTBOX PORT LATE
//! queue_worker serve DATABASE QUEUE PORT LATE
//! ```
//!
//! TARGET is the database of what was played, `same` for that of the queue. `remote` sends by MSMQ over PORT of this machine
//! without end, `drain` until nothing waits; `serve` takes what comes. Their clocks are LATE by so many milliseconds.

use std::error::Error;
use std::future::pending;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use comqc_msmq::msmq::{Acceptor, AcceptorOptions, Sender, SenderOptions, Served, ServedTarget};
use comqc_msmq::sqlite::rusqlite::{Connection, Transaction, params};
use comqc_msmq::sqlite::{InTransaction, Outbox, SqliteQueue, Store, StoreOptions, Transfer};
use comqc_msmq::{Listener, ListenerOptions};
use comqc_session::{
    CallError, Playback, Player, PlayerOptions, QueueMessage, QueueName, Recorder, RecorderOptions, Timestamp,
};
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
        ["remote", outbox, port, writer, life, transfer, late] => {
            let outbox = Outbox::new(late_store(outbox, late.parse()?)?);
            let (sender, writer, life) =
                (remote_sender(&outbox, port.parse()?), writer.parse()?, life.parse()?);
            let transfer = match transfer {
                "plain" => Transfer::Plain,
                "single" => Transfer::Single,
                _ => Transfer::Sequence,
            };
            std::thread::spawn(move || {
                if let Err(error) = remote(&outbox, writer, life, transfer) {
                    eprintln!("{error}");
                    std::process::exit(1);
                }
            });
            Ok(runtime()?.block_on(sender.run(pending()))?)
        }
        ["drain", outbox, port, late] => {
            let outbox = Outbox::new(late_store(outbox, late.parse()?)?);
            let sender = remote_sender(&outbox, port.parse()?);
            let empty = async {
                while outbox.waiting().is_ok_and(|waiting| !waiting.is_empty()) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            Ok(runtime()?.block_on(sender.run(empty))?)
        }
        ["serve", database, queue, port, late] => {
            let store = late_store(database, late.parse()?)?;
            runtime()?.block_on(serve(store, queue, port.parse()?))
        }
        _ => Err("see the source for usage".into()),
    }
}

/// What the player knows.
fn message(writer: u32, life: u32, number: u32) -> Result<QueueMessage, Box<dyn Error>> {
    let mut recorder = Recorder::new(CLASS, RecorderOptions::default());
    recorder.call(INTERFACE, 3, (writer, life, number))?;
    Ok(recorder.finish()?.ok_or("no calls")?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// A store whose clock is late.
fn late_store(path: &str, late: u64) -> Result<Store, Box<dyn Error>> {
    let clock = move || {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(Duration::from_millis(late));
        Timestamp::default().after(now)
    };
    Ok(Store::open_with(path, StoreOptions { clock: Arc::new(clock), ..StoreOptions::default() })?)
}

fn remote_sender(outbox: &Outbox, port: u16) -> Sender {
    let options = SenderOptions {
        port,
        error_wait: Duration::from_millis(5),
        max_error_wait: Duration::from_millis(100),
        ..SenderOptions::default()
    };
    Sender::new(outbox.clone(), options)
}

/// Puts messages into the outbox, some at a time, as fast as they are delivered.
fn remote(outbox: &Outbox, writer: u32, life: u32, transfer: Transfer) -> Result<(), Box<dyn Error>> {
    let queue = outbox.to(&r"OS:localhost\private$\orders".parse()?)?;
    let mut output = std::io::stdout();
    let mut next = 1;
    for step in 1_u32.. {
        while queue.count()?.main > 500 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let numbers = next..next + step % 20 + 1;
        let messages: Vec<_> =
            numbers.clone().map(|number| message(writer, life, number)).collect::<Result<_, _>>()?;
        queue.accept(&messages, transfer)?;
        next = numbers.end;
        let lines: String = numbers.map(|number| format!("sent {writer} {life} {number}\n")).collect();
        output.write_all(lines.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

async fn serve(store: Store, queue: &str, port: u16) -> Result<(), Box<dyn Error>> {
    let target = ServedTarget::Stored(store.queue(queue)?);
    let served = vec![Served { name: QueueName::new("orders")?, transactional: true, target }];
    let options = AcceptorOptions {
        allow: vec!["127.0.0.0/8".parse()?],
        sessions_of_one: 64,
        ..AcceptorOptions::default()
    };
    let address = ([127, 0, 0, 1], port).into();
    let acceptor = Acceptor::bind(&[address], Outbox::new(store), served, options).await?;
    acceptor.run(pending()).await;
    Ok(())
}

fn send(database: &str, queue: &str, writer: u32, life: u32, messages: u32) -> Result<(), Box<dyn Error>> {
    let queue = Store::open(database)?.queue(queue)?;
    let mut output = std::io::stdout();
    for number in 1..=messages {
        queue.send(&message(writer, life, number)?)?;
        // In one piece, so that a kill does not cut it.
        output.write_all(format!("sent {writer} {life} {number}\n").as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

fn play(database: &str, queue: &str, target: &str, until_empty: bool) -> Result<(), Box<dyn Error>> {
    let queue = Store::open(database)?.queue(queue)?;
    let connection = Connection::open(if target == "same" { database } else { target })?;
    connection.busy_timeout(Duration::from_secs(30))?;
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
