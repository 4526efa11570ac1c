//! A receiver in a process of its own, that can be killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use comqc_msmq::{Queue, RabbitQueue};

use super::{label, next, run};

const ADDRESS: &str = "REMASSIST_PLAYER";
const RECEIVED: &str = "received ";

/// Receives one message, says so, and keeps it.
#[test]
#[ignore = "a process of the scenarios"]
fn player() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    run(async {
        let queue = RabbitQueue::open(&address).await.unwrap();
        let delivery = next(&queue).await;
        println!("\n{RECEIVED}{}", label(&delivery));
        // Until it is killed.
        let _other = queue.receive(Duration::from_secs(3600)).await;
        drop(delivery);
    });
}

pub struct Player {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Player {
    pub fn start(address: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "player::player", "--ignored", "--nocapture"]).env(ADDRESS, address);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// The label of the message that it has received.
    pub fn received(&mut self) -> String {
        let mut lines = (&mut self.output).lines().map(Result::unwrap);
        lines.find_map(|line| line.strip_prefix(RECEIVED).map(str::to_owned)).expect("it receives a message")
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
