//! Programs that run beside the lane: ours with their events, and those of others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DEADLINE, until};
use crate::run::Result;

/// A child that does not outlive its value.
pub struct Killed(pub Child);

impl Killed {
    pub fn spawn(command: &mut Command) -> Result<Self> {
        command.spawn().map(Self).map_err(|e| format!("{}: {e}", command.get_program().display()))
    }

    /// One that nobody listens to.
    pub fn silent(command: &mut Command) -> Result<Self> {
        Self::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    }

    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// `remassist` with `--events json`.
pub struct Program {
    child: Killed,
    events: Receiver<Value>,
    /// Names of all events so far.
    pub seen: Vec<String>,
}

impl Program {
    pub fn spawn(command: &mut Command) -> Result<Self> {
        Self::start(command.args(["--events", "json"]))
    }

    /// Another program that tells such events.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Killed::spawn(command.stderr(Stdio::null()))?;
        let out = child.0.stdout.take().expect("piped");
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(|line| line.ok()) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, events, seen: Vec::new() })
    }

    /// The next event, if it comes in time.
    pub fn next(&mut self, limit: Duration) -> Option<Value> {
        let event = self.events.recv_timeout(limit).ok()?;
        self.seen.push(event["event"].as_str().unwrap_or_default().to_owned());
        Some(event)
    }

    /// Waits for an event, and keeps the names of those before it.
    pub fn wait(&mut self, name: &str) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let event = self.next(DEADLINE.saturating_sub(begun.elapsed()));
            let event = event.ok_or_else(|| format!("no event {name}; there were {:?}", self.seen))?;
            if event["event"] == name {
                return Ok(event);
            }
        }
    }

    /// Whether an event has come so far.
    pub fn has_seen(&mut self, name: &str) -> bool {
        while self.next(Duration::ZERO).is_some() {}
        self.seen.iter().any(|seen| seen == name)
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) -> Result {
        let input = self.child.0.stdin.as_mut().ok_or("no input")?;
        input.write_all(format!("{line}\n").as_bytes()).map_err(|e| e.to_string())
    }

    /// Waits until the program has ended.
    pub fn status(&mut self) -> Result<ExitStatus> {
        until("the end of remassist", || self.child.0.try_wait().map_err(|e| e.to_string()))
    }

    /// Waits until the program has ended, with the exit status 0.
    pub fn ends_well(&mut self) -> Result {
        let status = self.status()?;
        if status.success() { Ok(()) } else { Err(format!("remassist ended with {status}: {:?}", self.seen)) }
    }
}
