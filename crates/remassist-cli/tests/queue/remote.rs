//! Queues of other machines: an outbox, and `queue serve`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::{CLASS, Desk, bounded};

/// A server of the queue of a desk, and its port.
fn server(desk: &Desk, more: &[&str]) -> (Child, String, BufReader<ChildStdout>) {
    let serve =
        ["serve", "--listen", "127.0.0.1:0", "--queue", "sqlite:there.db?queue=orders", "--outbox", "s.db"];
    let mut child = desk.command(&serve).args(more).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let port = line["addresses"][0].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    (child, port, lines)
}

const REMOTE: &str = r"DIRECT=OS:localhost\private$\orders";

#[test]
fn messages_are_sent_to_another_machine_and_played_there() {
    let desk = Desk::new();
    let (mut child, port, mut rest) =
        server(&desk, &["--exec", "cat >> played.jsonl", "--class", CLASS, "--interfaces", "calls.json"]);
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

    while !desk.path("played.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let mut said = String::new();
    rest.read_to_string(&mut said).unwrap();
    assert!(bounded::end(&mut child).success(), "{said}");
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!((&last["came"]["delivered"], &last["came"]["rejected"]), (&json!(1), &json!(1)), "{said}");
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

    let (mut there, port, _) = server(&desk, &[]);
    let mut own = desk
        .command(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--queue",
            "sqlite:own.db?queue=a",
            "--outbox",
            "o.db",
        ])
        .args(["--port", &port])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let list = ["list", "--queue", "sqlite:there.db?queue=orders"];
    while desk.run(&list).lines().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for child in [&mut there, &mut own] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
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
        let output = command.env("REMASSIST_OUTBOX", desk.path("o.db")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
    }
}
