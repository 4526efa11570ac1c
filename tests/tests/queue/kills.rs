//! Writers and players are killed with SIGKILL at any time: nothing that was accepted is lost, nothing is played twice,
//! and the order stays.

use std::path::Path;
use std::time::Instant;

use crate::measure::{Random, record, soak};
use crate::workers::{Mark, Said, Worker, check, played};

const WRITERS: u64 = 2;

struct Run {
    database: String,
    /// Where the player writes what it plays: `same`, or another database.
    target: String,
    lives: u64,
    sent: Vec<Mark>,
}

impl Run {
    fn writer(&mut self, number: u64) -> Worker {
        self.lives += 1;
        let arguments = ["send", &self.database, "orders", &number.to_string(), &self.lives.to_string()];
        Worker::start(&arguments.map(str::to_owned))
    }

    fn player(&self, until_empty: bool) -> Worker {
        let end = if until_empty { "until-empty" } else { "until-killed" };
        Worker::start(&["play", &self.database, "orders", &self.target, end].map(str::to_owned))
    }

    fn heard_all(&mut self, said: Vec<Said>) {
        said.into_iter().for_each(|said| self.heard(said));
    }

    fn heard(&mut self, said: Said) {
        match said {
            Said::Sent(mark) => self.sent.push(mark),
            Said::Played => {}
            Said::Ended => panic!("a worker has ended"),
        }
    }
}

/// Kills writers and the player in turn, each after a random number of messages, until there were enough of both.
fn kill_them(target: Option<&str>, messages: u64, kills: u64) {
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut random = Random::seeded();
    let database = path("queue.db");
    let target = target.map_or_else(|| "same".to_owned(), path);
    let target_path = if target == "same" { database.clone() } else { target.clone() };
    let mut run = Run { database, target, lives: 0, sent: Vec::new() };

    let mut writers: Vec<_> = (0..WRITERS).map(|number| run.writer(number)).collect();
    let mut player = run.player(false);
    let mut killed = 0;
    while killed < kills || u64::try_from(run.sent.len()).unwrap() < messages {
        let victim = random.below(WRITERS + 1);
        let more = random.below(2 * messages / kills / (WRITERS + 1)) + 1;
        for _ in 0..more {
            // The others' lines wait in their channels.
            match writers.get(usize::try_from(victim).unwrap()) {
                Some(writer) => run.heard(writer.next()),
                None => run.heard(player.next()),
            }
        }
        // Anywhere in the work on the next message.
        std::thread::sleep(std::time::Duration::from_micros(random.below(3_000)));
        match writers.get_mut(usize::try_from(victim).unwrap()) {
            Some(writer) => {
                run.heard_all(writer.kill());
                *writer = run.writer(victim);
            }
            None => {
                run.heard_all(player.kill());
                player = run.player(false);
            }
        }
        killed += 1;
    }
    for worker in writers.iter_mut().chain([&mut player]) {
        run.heard_all(worker.kill());
    }
    run.player(true).finish();

    let played = played(Path::new(&target_path));
    check(&run.sent, &played);
    let (sent, played) = (run.sent.len(), played.len());
    record(
        format_args!(
            "{killed} kills of writers and players, {} database",
            if run.target == "same" { "the same" } else { "another" }
        ),
        began,
        format_args!("{sent} messages acknowledged, {played} played, none lost, none twice, in order"),
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
