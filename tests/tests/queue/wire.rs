//! From an outbox over MSMQ into a queue, and played from there: a sender, an acceptor and a player are killed with SIGKILL at any
//! time, their clocks step back, and the connections between them break at any byte. Nothing that was accepted is lost, nothing
//! is played twice, and the order stays.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::workers::{Mark, Worker, check, played};
use testkit::measure::{Random, record, soak};

struct Run {
    outbox: String,
    database: String,
    /// Where the sender connects to, and where the acceptor listens.
    proxy: u16,
    port: u16,
    transfer: &'static str,
    lives: u64,
    random: Random,
    sent: Sender<Mark>,
}

const WORKERS: [&str; 3] = ["remote", "serve", "play"];

impl Run {
    fn start(&mut self, which: &str) -> Worker {
        self.lives += 1;
        let (life, late) = (self.lives.to_string(), self.random.below(7_200_000).to_string());
        let (port, proxy) = (self.port.to_string(), self.proxy.to_string());
        let arguments: Vec<&str> = match which {
            "remote" => vec!["remote", &self.outbox, &proxy, "0", &life, self.transfer, &late],
            "drain" => vec!["drain", &self.outbox, &proxy, &late],
            "serve" => vec!["serve", &self.database, "orders", &port, &late],
            end => {
                let end = if end == "play" { "until-killed" } else { "until-empty" };
                vec!["play", &self.database, "orders", "same", end]
            }
        };
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        Worker::start(&arguments, self.sent.clone())
    }
}

/// Kills one of them each time that so many messages were accepted.
fn break_everything(transfer: &'static str, messages: u64, kills: u64) {
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut random = Random::seeded();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = Proxy::start(port, random.number());
    let (tell, told) = channel();
    let mut run = Run {
        outbox: path("outbox.db"),
        database: path("queue.db"),
        proxy: proxy.port,
        port,
        transfer,
        lives: 0,
        random: Random(random.number()),
        sent: tell,
    };

    let mut workers: Vec<_> = WORKERS.into_iter().map(|which| run.start(which)).collect();
    let mut sent = Vec::new();
    for _ in 0..kills {
        let more = random.below(2 * messages / kills) + 1;
        let enough = sent.len() + usize::try_from(more).unwrap();
        while sent.len() < enough {
            sent.push(told.recv_timeout(Duration::from_secs(300)).expect("the sender has ended"));
        }
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        let victim = usize::try_from(random.below(3)).unwrap();
        workers.remove(victim).kill();
        workers.insert(victim, run.start(WORKERS[victim]));
    }
    workers.remove(0).kill();
    sent.extend(told.try_iter());
    run.start("drain").finish();
    workers.into_iter().for_each(Worker::kill);
    run.start("until-empty").finish();

    let played = played(Path::new(&run.database));
    check(&sent, &played);
    record(
        format_args!("{kills} kills of sender, acceptor and player, {transfer}"),
        began,
        format_args!(
            "{} messages accepted, {} played over {} connections with {} faults, none lost, none twice, in order",
            sent.len(),
            played.len(),
            proxy.connections.load(Ordering::Relaxed),
            proxy.faults.load(Ordering::Relaxed),
        ),
    );
}

#[test]
fn killed_and_cut_at_any_time_with_sequences() {
    let (messages, kills) = if soak() { (100_000, 200) } else { (2_000, 9) };
    break_everything("sequence", messages, kills);
}

#[test]
fn killed_and_cut_at_any_time_with_one_message_at_a_time() {
    let (messages, kills) = if soak() { (10_000, 60) } else { (300, 6) };
    break_everything("single", messages, kills);
}
