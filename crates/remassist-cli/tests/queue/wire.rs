//! Queues of other machines, and queues here for what they send.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bounded::{self, BOUND};
use crate::{CLASS, Desk};

/// A server, which is killed when nobody waits for its end.
struct Server {
    child: Child,
    port: String,
    said: Receiver<String>,
}

impl Server {
    fn start(desk: &Desk, queue: &str, outbox: &str, more: &[&str]) -> Self {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--queue", queue, "--outbox", outbox];
        let mut child = desk.command(&serve).args(more).stdout(Stdio::piped()).spawn().unwrap();
        let said = bounded::lines(child.stdout.take().unwrap());
        let line: Value = serde_json::from_str(&said.recv_timeout(BOUND).unwrap()).unwrap();
        let address = line["addresses"][0].as_str().unwrap();
        let port = address.rsplit_once(':').unwrap().1.to_owned();
        Self { child, port, said }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _it_has_ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < BOUND);
        std::thread::sleep(Duration::from_millis(10));
    }
}

const REMOTE: &str = r"DIRECT=OS:localhost\private$\orders";

#[test]
fn messages_are_sent_to_another_machine_and_played_there() {
    let desk = Desk::new();
    let play = ["--exec", "cat >> played.jsonl", "--class", CLASS, "--interfaces", "calls.json"];
    let mut server = Server::start(&desk, "sqlite:there.db?queue=orders", "s.db", &play);
    let port = server.port.clone();
    let remote = ["--queue", REMOTE, "--outbox", "o.db", "--port", &port];
    let lines = desk.run(&[&["record", "calls.json", "--label", "seven"], &remote[..]].concat()).lines();
    assert_eq!(
        (&lines[0]["queue"], &lines[1]["state"]),
        (&json!(r"DIRECT=OS:localhost\PRIVATE$\orders"), &json!("delivered"))
    );
    assert_eq!(lines[0]["id"], lines[1]["id"]);

    desk.run(&["record", "calls.json", "--output", "body"]).lines();
    let nowhere =
        ["--queue", r"DIRECT=OS:localhost\private$\nowhere", "--outbox", "o.db", "--port", &port, "body"];
    let refused = desk.run(&[&["send"], &nowhere[..]].concat());
    assert_eq!(refused.status, 4, "{}", refused.said);
    assert!(refused.text().contains("MQMSG_CLASS_NACK_BAD_DST_Q"), "{}", refused.text());
    let dead = desk.run(&["list", "--queue", nowhere[1], "--outbox", "o.db"]).lines();
    assert_eq!((&dead[0]["place"], &dead[0]["dead"]), (&json!("dead"), &json!("undeliverable")));

    until(|| desk.path("played.jsonl").exists());
    let asked = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(asked.success() && bounded::end(&mut server.child).success());
    let said: Vec<String> = server.said.iter().collect();
    let events: Vec<Value> = said.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!((&last["came"]["delivered"], &last["came"]["rejected"]), (&json!(1), &json!(1)), "{said:?}");
    let played = std::fs::read_to_string(desk.path("played.jsonl")).unwrap();
    let first: Value = serde_json::from_str(played.lines().next().unwrap()).unwrap();
    assert_eq!((&first["message"]["label"], &first["message"]["id"]), (&json!("seven"), &lines[0]["id"]));
}

#[test]
fn a_message_that_nobody_takes_stays_in_the_outbox_until_a_server_delivers_it() {
    let desk = Desk::new();
    let remote = ["--queue", REMOTE, "--outbox", "o.db"];
    let waits = desk.run(&[&["record", "calls.json", "--wait", "0s", "--label", "a"], &remote[..]].concat());
    assert_eq!((waits.status, waits.fault(3)), (3, "1 messages wait in the outbox"));
    let stats = desk.run(&[&["stats"], &remote[..]].concat()).lines();
    assert_eq!((&stats[0]["main"], &stats[0]["dead"]), (&json!(1), &json!(0)));
    assert_eq!(desk.run(&[&["receive", "--json"], &remote[..]].concat()).status, 1);

    let there = Server::start(&desk, "sqlite:there.db?queue=orders", "s.db", &[]);
    let _own = Server::start(&desk, "sqlite:own.db?queue=a", "o.db", &["--port", &there.port]);
    let list = ["list", "--queue", "sqlite:there.db?queue=orders"];
    until(|| !desk.run(&list).lines().is_empty());
    assert_eq!(desk.run(&list).lines()[0]["label"], "a");
}

#[test]
fn who_may_send_must_be_told() {
    let desk = Desk::new();
    for args in [
        &["serve", "--queue", "sqlite:q.db?queue=a"][..],
        &["serve", "--listen", "127.0.0.1:0"],
        &["serve", "--listen", "0.0.0.0:0", "--queue", "sqlite:q.db?queue=a"],
        &["serve", "--listen", "nowhere", "--queue", "sqlite:q.db?queue=a"],
        &["serve", "--listen", "127.0.0.1:0", "--queue", "sqlite:q.db?queue=a", "--allow", "10.0.0.0/33"],
        &["serve", "--listen", "127.0.0.1:0", "--queue", "sqlite:q.db?queue=a", "--exec", "true"],
        &["serve", "--listen", "127.0.0.1:0", "--queue", r"DIRECT=OS:x\private$\a"],
        &["send", "--queue", "DIRECT=OS:x", "calls.json", "--force"],
        &["send", "--queue", r"DIRECT=HTTP://x/msmq/private$/a", "calls.json", "--force"],
    ] {
        let mut command = desk.command(args);
        let output = bounded::output(command.env("REMASSIST_OUTBOX", desk.path("o.db")), None);
        assert_eq!(output.status.code(), Some(2), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
    }
}
