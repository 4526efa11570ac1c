//! Processes that send and play (`tests/src/bin/queue_worker.rs`), and what they have said.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use comqc_msmq::sqlite::rusqlite::{Connection, Row};

/// Only a worker that hangs ever takes so long.
const BOUND: Duration = Duration::from_secs(900);

/// What a message carries: which writer, in which of its lives, the how manieth message of that life.
pub type Mark = (u64, u64, u64);

/// A process that sends or plays.
pub struct Worker {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts one; what it has sent is told as soon as `send` has returned. Its standard error is ours.
    pub fn start(arguments: &[String], sent: Sender<Mark>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_queue_worker"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || read(BufReader::new(output), &sent));
        Self { child, reader: Some(reader) }
    }

    /// Kills it at once; all that it has sent was told when this returns. It must not have ended by itself.
    pub fn kill(mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "a worker has ended");
        self.child.kill().unwrap();
        self.end();
    }

    /// Waits for its end, which must be a good one.
    pub fn finish(mut self) {
        let status = self.end();
        assert!(status.success(), "{status}");
    }

    fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < BOUND, "a worker does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        self.reader.take().unwrap().join().unwrap();
        status
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Of a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: impl std::io::BufRead, sent: &Sender<Mark>) {
    for line in output.lines().map_while(Result::ok) {
        // A line that was cut by the kill tells nothing.
        let mut numbers = line.strip_prefix("sent ").unwrap_or_default().split(' ').map(str::parse);
        if let (Some(Ok(writer)), Some(Ok(life)), Some(Ok(number))) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            sent.send((writer, life, number)).unwrap();
        }
    }
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
