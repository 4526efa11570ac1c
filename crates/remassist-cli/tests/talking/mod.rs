//! The program while it runs.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const PASSWORD: &str = "Pass123!";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program that talks in lines of JSON.
pub struct Talking {
    pub child: Child,
    said: std::io::BufReader<ChildStdout>,
}

impl Talking {
    pub fn start(args: &[&str], input: Stdio) -> Self {
        Self::without_password(&[args, &["--password", PASSWORD]].concat(), input)
    }

    pub fn without_password(args: &[&str], input: Stdio) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_remassist"));
        program.args(args).args(["--events", "json"]).current_dir(root());
        let mut child = program.stdin(input).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = std::io::BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    pub fn event(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    pub fn wait(&mut self, name: &str) -> Value {
        loop {
            let event = self.event().unwrap_or_else(|| panic!("it ends without {name}"));
            if event["event"] == name {
                return event;
            }
        }
    }

    /// How it ended, and what it still said. It is killed when it does not end.
    pub fn end(mut self, patience: u64) -> (Option<i32>, Vec<Value>) {
        let end = Instant::now() + Duration::from_secs(patience);
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > end => self.child.kill().unwrap(),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        (status.code(), std::iter::from_fn(|| self.event()).collect())
    }
}

/// Nothing goes on when a test is over.
impl Drop for Talking {
    fn drop(&mut self) {
        let _it_has_ended = self.child.kill();
        let _it_has_ended = self.child.wait();
    }
}
