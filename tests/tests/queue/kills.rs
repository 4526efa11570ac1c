//! Writers and players are killed with SIGKILL at any time: nothing that was accepted is lost, nothing is played twice,
//! and the order stays.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use crate::workers::{Mark, Worker, check, played};
use testkit::measure::{Random, record, soak};

/// They have the numbers from 0; the player has the one behind.
const WRITERS: u64 = 2;

struct Run {
    database: String,
    /// Where the player writes what it plays: `same`, or another database.
    target: String,
    lives: u64,
    sent: Sender<Mark>,
}

impl Run {
    /// A writer by its number, or the player.
    fn start(&mut self, number: u64) -> Worker {
        self.lives += 1;
        let (number, life) = (number.to_string(), self.lives.to_string());
        if number == WRITERS.to_string() {
            return self.player("until-killed");
        }
        self.worker(&["send", &self.database, "orders", &number, &life])
    }

    fn player(&self, end: &str) -> Worker {
        self.worker(&["play", &self.database, "orders", &self.target, end])
    }

    fn worker(&self, arguments: &[&str]) -> Worker {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Worker::start(&arguments, self.sent.clone())
    }
}

/// Kills writers and the player, one of them each time that so many messages were sent.
fn kill_them(target: Option<&str>, messages: u64, kills: u64) {
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut random = Random::seeded();
    let database = path("queue.db");
    let target = target.map_or_else(|| "same".to_owned(), path);
    let played_in = if target == "same" { database.clone() } else { target.clone() };
    let (tell, told) = channel();
    let mut run = Run { database, target, lives: 0, sent: tell };

    let mut workers: Vec<_> = (0..=WRITERS).map(|number| run.start(number)).collect();
    let mut sent = Vec::new();
    for _ in 0..kills {
        let more = random.below(2 * messages / kills) + 1;
        let enough = sent.len() + usize::try_from(more).unwrap();
        while sent.len() < enough {
            sent.push(told.recv_timeout(Duration::from_secs(300)).expect("the writers have ended"));
        }
        // Anywhere in the work on the next message.
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        let victim = random.below(WRITERS + 1);
        let place = usize::try_from(victim).unwrap();
        workers.remove(place).kill();
        workers.insert(place, run.start(victim));
    }
    workers.into_iter().for_each(Worker::kill);
    sent.extend(told.try_iter());
    run.player("until-empty").finish();

    let played = played(Path::new(&played_in));
    check(&sent, &played);
    let which = if run.target == "same" { "the same" } else { "another" };
    record(
        format_args!("{kills} kills of writers and players, {which} database"),
        began,
        format_args!(
            "{} messages acknowledged, {} played, none lost, none twice, in order",
            sent.len(),
            played.len()
        ),
    );
}

fn counts() -> (u64, u64) {
    if soak() { (50_000, 100) } else { (1_500, 10) }
}

#[test]
fn killed_at_any_time_into_the_same_database() {
    let (messages, kills) = counts();
    kill_them(None, messages, kills);
}

#[test]
fn killed_at_any_time_into_another_database() {
    let (messages, kills) = counts();
    kill_them(Some("orders.db"), messages, kills);
}
