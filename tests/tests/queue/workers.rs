//! Processes that send and play (`tests/src/bin/queue_worker.rs`), and what they have said.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use comqc_msmq::sqlite::rusqlite::{Connection, Row};

/// What a message carries: which writer, in which of its lives, the how manieth message of that life.
pub type Mark = (u64, u64, u64);

/// A line of a worker.
pub enum Said {
    /// `send` has returned for this message.
    Sent(Mark),
    /// A message was played and settled.
    Played,
    /// The worker's standard output has ended.
    Ended,
}

/// A process that sends or plays.
pub struct Worker {
    child: Child,
    reader: Option<JoinHandle<()>>,
    lines: Receiver<Said>,
}

impl Worker {
    /// Starts one; its standard error is ours.
    pub fn start(arguments: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_queue_worker"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (said, lines) = channel();
        let reader = std::thread::spawn(move || read(BufReader::new(output), &said));
        Self { child, reader: Some(reader), lines }
    }

    /// What it says next.
    pub fn next(&self) -> Said {
        self.lines.recv().unwrap_or(Said::Ended)
    }

    /// Kills it at once and returns what else it had said.
    pub fn kill(&mut self) -> Vec<Said> {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Waits for its end, which must be a good one.
    pub fn finish(mut self) -> Vec<Said> {
        let (status, said) = self.end();
        assert!(status.success(), "{status}");
        said
    }

    fn end(&mut self) -> (std::process::ExitStatus, Vec<Said>) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status, self.lines.try_iter().filter(|said| !matches!(said, Said::Ended)).collect())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Of a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: impl std::io::BufRead, said: &Sender<Said>) {
    for line in output.lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let what = words.next();
        let mut number = || words.next().and_then(|word| word.parse().ok());
        // A line that was cut by the kill tells nothing.
        let told = match what {
            Some("sent") => number().zip(number()).zip(number()).map(|((a, b), c)| Said::Sent((a, b, c))),
            Some("played") => Some(Said::Played),
            _ => None,
        };
        if told.is_some_and(|told| said.send(told).is_err()) {
            return;
        }
    }
    let _ = said.send(Said::Ended);
}

/// What the player's database says was played, in order: mark and message id.
pub fn played(database: &Path) -> Vec<(Mark, String)> {
    let connection = Connection::open(database).unwrap();
    let mut statement =
        connection.prepare("SELECT writer, life, number, id FROM played ORDER BY rowid").unwrap();
    let number = |row: &Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let rows = statement
        .query_map([], |row| Ok(((number(row, 0)?, number(row, 1)?, number(row, 2)?), row.get(3)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Holds what was played against what the writers were told is kept.
pub fn check(sent: &[Mark], played: &[(Mark, String)]) {
    let mut ids = BTreeMap::new();
    for (place, (mark, id)) in played.iter().enumerate() {
        if let Some(before) = ids.insert(id.as_str(), place) {
            panic!("message {id} {mark:?} was played twice: rows {before} and {place}");
        }
    }
    let mut last = BTreeMap::new();
    for (mark, id) in played {
        let (writer, ..) = *mark;
        if let Some(before) = last.insert(writer, *mark) {
            assert!(before < *mark, "message {id}: {mark:?} was played after {before:?}");
        }
    }
    let marks: std::collections::BTreeSet<_> = played.iter().map(|(mark, _)| *mark).collect();
    assert_eq!(marks.len(), played.len(), "a message was kept twice");
    let lost: Vec<_> = sent.iter().filter(|mark| !marks.contains(mark)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}
