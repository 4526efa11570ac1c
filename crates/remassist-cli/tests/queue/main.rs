//! `remassist queue` as a user runs it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reports by panicking"
)]

mod bounded;
mod purge;
mod records;
#[cfg(unix)]
mod wire;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use remassist::core::from_hex;
use serde_json::{Value, json};
use tempfile::TempDir;

#[cfg(unix)]
use bounded::Fifo;

const CLASS: &str = "{3b0f7e52-6a11-4c8e-9d1b-5b6e2f0c9a41}";

/// A directory with a queue in it, and `calls.json`, the example.
struct Desk {
    folder: TempDir,
}

struct Run {
    status: i32,
    out: Vec<u8>,
    said: String,
}

impl Run {
    fn of(output: std::process::Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            out: output.stdout,
            said: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Lines of JSON.
    fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, 0, "{}", self.said);
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let lines =
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        lines.into_iter().filter(|line| line["event"] == name).collect()
    }

    /// The one line on standard error, with this exit status.
    fn fault(&self, status: i32) -> &str {
        assert_eq!((self.status, self.said.lines().count()), (status, 1), "{} {}", self.text(), self.said);
        self.said.trim_end().strip_prefix("remassist: ").unwrap()
    }
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: TempDir::new().unwrap() };
        let example = desk.run(&["record", "--example"]);
        std::fs::write(desk.path("calls.json"), &example.out).unwrap();
        desk
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_remassist"));
        command.arg("queue").args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("REMASSIST_QUEUE", "sqlite:q.db?queue=orders");
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(bounded::output(&mut self.command(args), None))
    }

    /// Sends the example with a label; the number in its identifier.
    fn send(&self, label: &str) -> String {
        let lines = self.run(&["record", "calls.json", "--label", label]).lines();
        lines[0]["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    fn list(&self, place: &str) -> Vec<Value> {
        self.run(&["list", "--place", place]).lines()
    }

    fn labels(&self, place: &str) -> Vec<String> {
        self.list(place).iter().map(|line| line["label"].as_str().unwrap().to_owned()).collect()
    }

    fn play(&self, args: &[&str]) -> Run {
        self.run(&[&["play", "--class", CLASS, "--once", "--waits", "1h"], args].concat())
    }

    fn write(&self, name: &str, value: &Value) {
        std::fs::write(self.path(name), value.to_string()).unwrap();
    }

    fn example(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("calls.json")).unwrap()).unwrap()
    }
}

fn vectors(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/comqc").join(name);
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["messages"].as_array().unwrap().clone()
}

#[test]
fn calls_are_recorded_listed_shown_and_received() {
    let desk = Desk::new();
    let id =
        desk.run(&["record", "calls.json", "--label", "caf\u{e9}", "--priority", "5"]).lines()[0].clone();
    assert!(id["queue"].as_str().unwrap().ends_with("q.db?queue=orders"), "{id}");
    let listed = desk.run(&["list"]).lines();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["label"], &listed[0]["priority"], &listed[0]["place"]),
        (&json!("caf\u{e9}"), &json!(5), &json!("main"))
    );
    let table = desk.run(&["list", "--table"]).text();
    assert!(table.starts_with("PLACE") && table.contains("ready") && table.contains("caf\u{e9}"), "{table}");
    assert_eq!(desk.run(&["stats"]).lines()[0]["main"], 1);

    let shown = desk.run(&["show", "--interfaces", "calls.json"]).text();
    for part in [
        "label: caf\u{e9}",
        "CHDR  [MC-COMQC] 2.2.2",
        "IDispatch::Invoke  [MS-OAUT] 3.1.4.4",
        "FLAGGED_WORD_BLOB  [MS-OAUT] 2.2.23.1",
        "\"Ada Lovelace\"",
        "call 1: IOrderEntry.NewOrder(order: 7, customer: \"Ada Lovelace\")",
        "price: \"1249.5000\")",
        "call 3: IDispatch.Submit(order: 7, wanted: \"2026-12-01T00:00:00\")",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    // Without a table it is told what is known.
    let plain = desk.run(&["show", "--json"]).lines()[0].clone();
    assert!(plain["calls"][0]["data"].is_string());
    assert_eq!(plain["calls"][2]["arguments"][1], json!({ "type": "DATE", "value": "2026-12-01T00:00:00" }));
    assert_eq!(plain["calls"][0]["claims"]["callers"][0]["account"], "SHOP\\alice");

    let body = desk.run(&["show", "--body", "-"]).out;
    let received = desk.run(&["receive"]);
    assert_eq!((received.status, &received.out), (0, &body));
    assert_eq!(desk.run(&["receive"]).fault(3).split(" from ").next().unwrap(), "no message can be received");
}

#[test]
fn what_show_prints_can_be_recorded_again() {
    let desk = Desk::new();
    desk.send("");
    let list = desk.run(&["show", "--json", "--interfaces", "calls.json"]).lines()[0].clone();
    let mut again = desk.example();
    let mut calls = list["calls"].clone();
    for call in calls.as_array_mut().unwrap() {
        let call = call.as_object_mut().unwrap();
        call.remove("call");
        call.remove("claims");
    }
    again["calls"] = calls;
    desk.write("again.json", &again);
    let first = desk.run(&["show", "--body", "-"]).out;
    let second = desk.run(&["record", "again.json", "--output", "-"]).out;
    assert_eq!(first, second);
}

#[test]
fn every_vector_is_sent_and_shown_and_received_as_it_was() {
    let desk = Desk::new();
    let messages = vectors("valid.json");
    let mut names = Vec::new();
    for message in &messages {
        let name = format!("{}.bin", message["name"].as_str().unwrap());
        std::fs::write(desk.path(&name), from_hex(message["hex"].as_str().unwrap()).unwrap()).unwrap();
        names.push(name);
    }
    let sent =
        desk.run(&[&["send"][..], &names.iter().map(String::as_str).collect::<Vec<_>>()].concat()).lines();
    assert_eq!(sent.len(), names.len());
    for id in &sent {
        let id = id["id"].as_str().unwrap();
        assert_eq!(desk.run(&["show", id]).status, 0, "{id}");
        assert_eq!(desk.run(&["show", id, "--json"]).lines()[0]["id"], id);
    }
    std::fs::create_dir(desk.path("out")).unwrap();
    let received = desk.run(&["receive", "--most", "1000", "--dir", "out"]).lines();
    assert_eq!(received.len(), names.len());
    for (line, name) in received.iter().zip(&names) {
        let file = desk.path(line["file"].as_str().unwrap());
        assert!(std::fs::read(file).unwrap() == std::fs::read(desk.path(name)).unwrap(), "{name}");
    }
}

#[test]
fn values_of_every_type_come_back_as_they_were_written() {
    let desk = Desk::new();
    let values = json!([
        7,
        2.5,
        true,
        null,
        "\u{1F600} \"quoted\"",
        { "type": "hyper", "value": 5_000_000_000_i64 },
        { "type": "CURRENCY", "value": "-12.3456" },
        { "type": "DECIMAL", "value": "79228162514264337593543950335" },
        { "type": "DATE", "value": "1899-12-29T06:00:00" },
        { "type": "DATE", "value": "2024-02-29T23:59:59.999" },
        { "type": "DATE", "value": 1.1e-9 },
        { "type": "SAFEARRAY(short)", "value": [1, -2] },
        { "type": "SAFEARRAY(VARIANT)", "value": [1, "a", { "type": "DATE", "value": "2026-12-01T00:00:00" }] },
        { "type": "empty" },
        { "ref": 7 },
    ]);
    let mut list = desk.example();
    list["calls"] = json!([{ "dispatch": 5, "arguments": values, "named": { "9": "x" }, "lcid": 1031 }]);
    desk.write("values.json", &list);
    desk.run(&["record", "values.json"]).lines();
    let call = desk.run(&["show", "--json"]).lines()[0]["calls"][0].clone();
    assert_eq!(call["arguments"], values);
    assert_eq!((&call["named"], &call["lcid"]), (&json!({ "9": "x" }), &json!(1031)));
}

#[test]
fn what_is_no_message_is_shown_as_far_as_it_goes() {
    let desk = Desk::new();
    std::fs::write(desk.path("junk"), b"no message").unwrap();
    desk.run(&["send", "--force", "junk", "--label", "a\u{1b}[2Jb"]).lines();
    let run = desk.run(&["show"]);
    assert_eq!(run.status, 1);
    assert!(run.text().contains("label: a\u{FFFD}[2Jb"), "{}", run.text());
    assert!(run.said.contains("the body is no message of queued calls"), "{}", run.said);
    let json = desk.run(&["show", "--json"]).lines()[0].clone();
    assert!(json["error"].is_string() && json["label"] == "a\u{1b}[2Jb");
    assert!(!desk.run(&["list", "--table"]).text().contains('\u{1b}'));
}

#[test]
fn bodies_that_break_a_rule_are_sent_only_by_force() {
    let desk = Desk::new();
    let invalid = vectors("invalid.json");
    let mut refused = 0;
    for message in invalid.iter().filter(|message| message["hex"].is_string()) {
        std::fs::write(desk.path("body"), from_hex(message["hex"].as_str().unwrap()).unwrap()).unwrap();
        let run = desk.run(&["send", "body"]);
        if run.status == 0 {
            // Its Extension is wrong, which is no part of the body.
            continue;
        }
        assert!(run.fault(1).starts_with("body: "), "{}", run.said);
        refused += 1;
    }
    assert!(refused > 30, "{refused}");
    assert_eq!(desk.run(&["send", "--force", "body"]).status, 0);
    let played = desk.play(&["--exec", "true"]);
    assert_eq!(played.status, 3);
    assert!(played.events("dead").iter().any(|event| event["reason"] == "malformed"), "{}", played.text());
    assert!(desk.list("main").is_empty());
}

#[test]
fn a_program_is_handed_each_call_as_json() {
    let desk = Desk::new();
    desk.send("one");
    let run = desk.play(&[
        "--exec",
        "cat >> calls.out; echo $REMASSIST_CALL/$REMASSIST_CALLS $REMASSIST_MESSAGE_ID >> env.out",
        "--interfaces",
        "calls.json",
    ]);
    assert_eq!(run.status, 0, "{}", run.said);
    assert_eq!(run.events("played").len(), 1);
    assert_eq!(run.events("ended")[0]["calls"], 4);
    let calls = std::fs::read_to_string(desk.path("calls.out")).unwrap();
    let calls: Vec<Value> = calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(calls.len(), 4);
    assert_eq!(calls[1]["arguments"]["price"], "1249.5000");
    assert_eq!((&calls[2]["dispatch"], &calls[2]["call"]), (&json!("Submit"), &json!(3)));
    assert_eq!(calls[0]["message"]["label"], "one");
    assert_eq!(calls[0]["message"]["target"]["class"], CLASS);
    let environment = std::fs::read_to_string(desk.path("env.out")).unwrap();
    let id = calls[0]["message"]["id"].as_str().unwrap();
    assert_eq!(environment, (1..=4).map(|call| format!("{call}/4 {id}\n")).collect::<String>());
    assert!(desk.run(&["list"]).lines().is_empty());

    desk.send("two");
    let run = desk.play(&["--exec", "cat > all.out", "--per-message", "--interfaces", "calls.json"]);
    assert_eq!(run.status, 0);
    let all: Value = serde_json::from_slice(&std::fs::read(desk.path("all.out")).unwrap()).unwrap();
    assert_eq!(all["calls"].as_array().unwrap().len(), 4);
    assert_eq!(all["calls"][1]["arguments"], calls[1]["arguments"]);
}

#[test]
fn what_fails_waits_in_a_retry_queue_and_can_be_played_again() {
    let desk = Desk::new();
    let number = desk.send("poison");
    desk.send("good");
    let run = desk.play(&[
        "--exec",
        "test $REMASSIST_CALL != 2 || ! grep -q poison || { echo no such article >&2; exit 7; }",
    ]);
    assert_eq!(run.status, 3);
    assert_eq!(run.events("failed").len(), 2);
    let retry = &run.events("retry")[0];
    assert_eq!((&retry["retry"], &retry["wait_ms"]), (&json!(0), &json!(3_600_000)));
    let error = retry["error"].as_str().unwrap();
    assert!(
        error.starts_with("call 2 of 4, method 8 of {8f2c1a70-0d4e-4a35-b1c6-7e9d3a5f2b10}: ")
            && error.ends_with("exit status 7: no such article"),
        "{error}"
    );
    assert_eq!(run.events("played").len(), 1);
    assert_eq!(desk.labels("retry-0"), ["poison"]);
    assert_eq!(desk.list("retry-0")[0]["error"], retry["error"]);
    let table = desk.run(&["list", "--table"]).text();
    let row = table.lines().nth(1).unwrap();
    assert!(row.starts_with("retry-0") && row.ends_with("exit status 7: no such article"), "{table}");
    // It is not due, so nobody gets it.
    assert_eq!(desk.play(&["--exec", "true"]).events("ended")[0]["received"], 0);
    let moved = desk.run(&["requeue", &number]).lines();
    assert_eq!((&moved[0]["from"], &moved[0]["to"]), (&json!("retry-0"), &json!("main")));
    assert_eq!(desk.play(&["--exec", "true"]).status, 0);
    assert!(desk.run(&["list"]).lines().is_empty());
}

#[test]
fn what_fails_in_every_round_goes_to_the_last_program_and_then_to_the_dead() {
    let desk = Desk::new();
    desk.send("poison");
    desk.send("rescued");
    let args = ["play", "--class", CLASS, "--once", "--waits", "0ms,0ms", "--tries", "2", "--per-message"];
    let last = "grep -q rescued; s=$?; echo $REMASSIST_LAST $REMASSIST_ROUND >> last.out; exit $s";
    let run = desk.run(&[&args[..], &["--exec", "exit 1", "--exec-final", last]].concat());
    assert_eq!(run.status, 3, "{}", run.said);
    assert_eq!((run.events("retry").len(), run.events("failed").len()), (4, 6));
    assert_eq!((run.events("dead").len(), run.events("played").len()), (1, 1), "{}", run.text());
    assert_eq!(run.events("dead")[0]["reason"], "exhausted");
    assert_eq!(std::fs::read_to_string(desk.path("last.out")).unwrap(), "1 2\n1 2\n");
    assert_eq!(desk.labels("dead"), ["poison"]);
    let table = desk.run(&["list", "--table"]).text();
    assert!(table.contains("exhausted"), "{table}");
    assert_eq!(desk.run(&["requeue", "--all"]).lines().len(), 1);
    assert_eq!(desk.labels("main"), ["poison"]);
}

#[test]
fn only_what_is_registered_is_played() {
    let desk = Desk::new();
    desk.send("");
    let other = "{00000000-0000-0000-0000-000000000001}";
    let run = desk.run(&["play", "--class", other, "--once", "--exec", "touch played"]);
    assert_eq!((run.status, &run.events("dead")[0]["reason"]), (3, &json!("unknown-target")));
    assert!(!desk.path("played").exists());
    desk.run(&["requeue", "--all"]).lines();
    let run = desk.play(&["--exec", "touch played", "--require-sender", "S-1-5-21-1-2-3-1001"]);
    assert_eq!((run.status, &run.events("dead")[0]["reason"]), (3, &json!("security")));
    assert!(!desk.path("played").exists());
}

#[test]
fn messages_are_moved_between_places_and_queues() {
    let desk = Desk::new();
    let (one, two) = (desk.send("one"), desk.send("two"));
    desk.run(&["move", &one, "--to", "dead"]).lines();
    assert_eq!((desk.labels("main"), desk.labels("dead")), (vec!["two".to_owned()], vec!["one".to_owned()]));
    let before = desk.list("main")[0]["id"].clone();
    let other = "sqlite:other.db?queue=b";
    desk.run(&["move", &two, "--to-queue", other]).lines();
    assert!(desk.labels("main").is_empty());
    let there = desk.run(&["list", "--queue", other]).lines();
    assert_eq!((&there[0]["id"], &there[0]["label"]), (&before, &json!("two")));
    assert_eq!(
        desk.run(&["move", &two, "--to", "dead"]).fault(1).split(" in ").next(),
        Some("there is no message 2")
    );
    let same = desk.run(&["move", &one, "--to-queue", "sqlite:q.db?queue=orders"]);
    assert_eq!(same.fault(2), "--to-queue is the queue that they are in");

    let all = desk.run(&["move", "--all", "--from", "dead", "--to", "main"]).lines();
    assert_eq!(all.len(), 1);
    assert_eq!(
        desk.run(&["purge", "--place", "main"]).fault(2),
        "nobody is there to be asked: --yes removes without asking"
    );
    assert_eq!(desk.run(&["purge", "--place", "main", "--yes"]).lines()[0]["removed"], 1);
    assert!(desk.run(&["list"]).lines().is_empty());
}

#[test]
fn properties_travel_with_a_message() {
    let desk = Desk::new();
    let mut args =
        vec!["record", "calls.json", "--label", "x", "--priority", "7", "--expires", "90s", "--journal"];
    args.extend([
        "--dead-letter",
        "--application-tag",
        "9",
        "--response-queue",
        "DIRECT=OS:host\\private$\\r",
    ]);
    args.extend(["--correlation", "{812df40e-bd88-11d0-8a6d-00c04fc340ee}\\4"]);
    desk.run(&args).lines();
    let properties = &desk.run(&["show", "--json"]).lines()[0]["properties"].clone();
    assert_eq!(properties["priority"], 7);
    assert_eq!(properties["time_to_be_received"], 90);
    assert_eq!(
        (&properties["positive_journaling"], &properties["negative_journaling"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(properties["correlation"]["uniquifier"], 4);
    assert_eq!(desk.play(&["--exec", "true"]).status, 0);
    assert_eq!(desk.labels("journal"), ["x"]);
    let moniker = format!("queue:Label=by moniker,Priority=1,Journal=MQMSG_JOURNAL/new:{CLASS}");
    let id = desk.run(&["record", "calls.json", "--priority", "6", "--moniker", &moniker]).lines()[0]["id"]
        .clone();
    let told = desk.run(&["show", id.as_str().unwrap(), "--json"]).lines()[0].clone();
    assert_eq!((&told["label"], &told["properties"]["priority"]), (&json!("by moniker"), &json!(6)));
    assert_eq!(told["properties"]["positive_journaling"], true);
    let other = "queue:Label=x/new:{00000000-0000-0000-0000-000000000001}";
    assert!(desk.run(&["record", "calls.json", "--moniker", other]).fault(1).contains("the moniker names"));
    assert_eq!(desk.run(&["record", "calls.json", "--moniker", "queue:Nothing=1"]).status, 2);
    let long = "x".repeat(250);
    assert!(desk.run(&["record", "calls.json", "--label", &long]).fault(2).contains("at most 249"));
}

#[test]
fn faults_in_a_list_of_calls_name_call_and_argument() {
    let desk = Desk::new();
    let faults: &[(&str, Value, &str)] = &[
        ("/target", json!("nobody"), "target is a GUID"),
        ("/calls", json!([]), "there are no calls"),
        ("/calls/0/method", json!("Nothing"), "call 1: IOrderEntry has no method \"Nothing\""),
        ("/calls/0/interface", json!("IOther"), "call 1: interface \"IOther\" is in no table"),
        ("/calls/0/arguments/order", json!("seven"), "call 1: IOrderEntry.NewOrder: argument order: "),
        (
            "/calls/0/arguments",
            json!({ "order": 7 }),
            "call 1: IOrderEntry.NewOrder: argument customer is missing",
        ),
        ("/calls/0/arguments", json!({ "ordre": 7 }), "call 1: IOrderEntry.NewOrder: argument ordre: "),
        ("/calls/1/arguments/3", json!("12.34567"), "call 2: IOrderEntry.AddLine: argument price: "),
        ("/calls/1/arguments", json!([1, 2, 3, 4, 5]), "call 2: 5 arguments"),
        ("/calls/2/dispatch", json!("Sumbit"), "call 3: no table has a method \"Sumbit\""),
        ("/calls/2/arguments/wanted", json!("2026-02-30"), "call 3: Submit: argument wanted: "),
        ("/calls/3/arguments", json!([]), "call 4: the value that the property gets is missing"),
        ("/calls/3/kind", json!("call"), "call 4: kind is method, get, put or putref"),
        ("/calls/3", json!({ "dispach": 4 }), "call 4: interface or dispatch is missing"),
        ("/security", json!({ "acount": "x" }), "call 1: security has no member \"acount\""),
        ("/interfaces/0/methods/0/parameters/0/type", json!("void*"), "interface 1 IOrderEntry: "),
    ];
    for (place, value, told) in faults {
        let mut list = desk.example();
        *list.pointer_mut(place).unwrap() = value.clone();
        desk.write("bad.json", &list);
        let run = desk.run(&["record", "bad.json"]);
        let fault = run.fault(1);
        assert!(
            fault.starts_with("bad.json: ") && fault.contains(told.trim_start_matches("call 2: 5")),
            "{fault}"
        );
        if !told.contains("5 arguments") {
            assert!(fault["bad.json: ".len()..].starts_with(told), "{fault}\nis not {told}");
        }
    }
    assert!(!desk.path("q.db").exists(), "nothing was sent");
}

#[test]
fn wrong_addresses_tell_no_secret() {
    let desk = Desk::new();
    for url in [
        "amqp://ann:hush-hush@127.0.0.1:1/?queue=x&timeout=1",
        "amqp://ann:hush-hush@127.0.0.1",
        "amqp:ann:hush-hush",
        "http://ann:hush-hush@host/",
        "hush-hush",
    ] {
        for args in [&["list", "--queue", url][..], &["send", "calls.json", "--force", "--queue", url]] {
            let run = desk.run(args);
            assert!([1, 2].contains(&run.status), "{url}: {}", run.status);
            assert!(!run.said.contains("hush") && !run.text().contains("hush"), "{}", run.said);
        }
    }
    let help = bounded::output(
        desk.command(&["list", "--help"]).env("REMASSIST_QUEUE", "amqp://ann:hush-hush@h/"),
        None,
    );
    assert!(!String::from_utf8(help.stdout).unwrap().contains("hush"));
    // A queue to look into is not made.
    assert_eq!(desk.run(&["list", "--queue", "sqlite:none.db?queue=q"]).status, 2);
    assert!(!desk.path("none.db").exists());
}

/// A player that goes on until it is stopped.
struct Playing {
    child: Child,
    said: Receiver<String>,
}

impl Playing {
    fn start(desk: &Desk, exec: &str) -> Self {
        let mut command = desk.command(&["play", "--class", CLASS, "--exec", exec]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = bounded::lines(child.stdout.take().unwrap());
        let mut playing = Self { child, said };
        playing.until("playing");
        playing
    }

    fn until(&mut self, event: &str) -> Value {
        loop {
            let line = self.said.recv_timeout(bounded::BOUND);
            let line = line.unwrap_or_else(|error| panic!("it says no {event}: {error}"));
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let _it_has_ended = self.child.kill();
        let _it_has_ended = self.child.wait();
    }
}

#[cfg(unix)]
#[test]
fn a_message_comes_again_when_its_player_is_killed() {
    let desk = Desk::new();
    desk.send("first");
    desk.send("second");
    let [here, go] = ["here", "go"].map(|name| Fifo::new(desk.path(name)));
    let mut playing = Playing::start(&desk, "echo $REMASSIST_CALL > here; cat go");
    assert_eq!(here.read(), "1\n");
    assert_eq!(desk.run(&["stats"]).lines()[0]["locked"], 1);
    // What somebody has in hand is nobody else's.
    assert_eq!(desk.run(&["receive"]).status, 3);
    playing.child.kill().unwrap();
    bounded::end(&mut playing.child);
    // What it had started would wait for ever.
    go.write("");
    let again = desk.play(&["--exec", "true"]);
    let played: Vec<_> = again.events("played").iter().map(|event| event["label"].clone()).collect();
    assert_eq!((again.status, played), (0, vec![json!("first"), json!("second")]));
}

#[cfg(unix)]
#[test]
fn a_player_that_is_asked_to_end_ends_after_the_message_in_hand() {
    for signal in ["INT", "TERM"] {
        let desk = Desk::new();
        desk.send("first");
        desk.send("second");
        let [here, go] = ["here", "go"].map(|name| Fifo::new(desk.path(name)));
        let mut playing = Playing::start(&desk, "test $REMASSIST_CALL != 1 || { echo > here; cat go; }");
        here.read();
        let id = playing.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        // It must know before the message is done, or it would begin the next one.
        playing.until("ending");
        go.write("go");
        assert_eq!(playing.until("played")["label"], "first");
        assert_eq!(playing.until("ended")["played"], 1);
        assert_eq!(bounded::end(&mut playing.child).code(), Some(0));
        assert_eq!(desk.labels("main"), ["second"]);
    }
}

#[cfg(unix)]
#[test]
fn a_body_that_cannot_be_written_is_not_taken_out() {
    let desk = Desk::new();
    desk.send("kept");
    let run = desk.run(&["receive", "--dir", "not-there"]);
    assert!(run.fault(1).contains("not-there"), "{}", run.said);
    if Path::new("/dev/full").exists() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = bounded::output(&mut desk.command(&["receive"]), Some(full.into()));
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!(desk.labels("main"), ["kept"]);
    assert_eq!(desk.list("main")[0]["abandoned"], 0);
}

#[test]
fn wrong_usage_is_told() {
    let desk = Desk::new();
    desk.send("");
    for args in [
        &["receive", "--most", "2"][..],
        &["list", "--place", "nowhere"],
        &["show", "what"],
        &["move", "1"],
        &["move", "--all", "--to", "dead"],
        &["requeue", "--all", "--from", "main"],
        &["play", "--exec", "true", "--class", "nothing"],
        &["play", "--exec", "true", "--class", CLASS, "--waits", "5"],
        &["play", "--exec", "true", "--class", CLASS, "--require-sender", "alice"],
        &["record", "calls.json", "--priority", "8"],
    ] {
        assert_eq!(desk.run(args).status, 2, "{args:?}");
    }
    assert_eq!(desk.labels("main").len(), 1);
}

#[test]
fn the_demonstration_plays_everything_once() {
    for (act, checks) in [("queue", 14), ("msmq", 7)] {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_remassist"));
        let output = bounded::output(demo.args(["demo", "--act", act]), None);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.ends_with(&format!("{checks} checks, 0 failed\n")), "{text}");
    }
}
