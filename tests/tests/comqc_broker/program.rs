//! The program `remassist queue` with addresses of a broker.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::broker::Broker;

/// Where `cargo xtask interop` has built the program, when that is not beside the tests.
const PROGRAM: &str = "REMASSIST_PROGRAM";
const CLASS: &str = "{3b0f7e52-6a11-4c8e-9d1b-5b6e2f0c9a41}";

fn program() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("remassist");
    let program = std::env::var_os(PROGRAM).map_or_else(beside, PathBuf::from);
    assert!(program.exists(), "{} is not built: cargo build -p remassist-cli", program.display());
    program
}

/// Runs a command; its exit status, and its lines of JSON.
fn queue(folder: &Path, address: &str, args: &[&str]) -> (i32, Vec<Value>) {
    let mut command = Command::new(program());
    command.arg("queue").args(args).current_dir(folder).env("REMASSIST_QUEUE", address).stdin(Stdio::null());
    let output = command.output().unwrap();
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!out.contains(":guest@") && !said.contains(":guest@"), "the password is shown: {out}{said}");
    let lines = out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let status = output.status.code().unwrap();
    assert!(status == 0 || status == 3, "{args:?}: {said}");
    (status, lines)
}

fn labels(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["label"].as_str().unwrap()).collect()
}

pub(crate) fn commands(broker: &mut Broker) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A quorum queue shows nobody what waits in it; that hides nothing else.
    let quorum = broker.address("program-quorum");
    let stats = queue(folder, &quorum, &["stats"]);
    assert_eq!((stats.0, &stats.1[0]["main"]), (0, &Value::from(0)));
    assert_eq!(queue(folder, &quorum, &["list"]), (0, Vec::new()));

    let address = broker.address("program") + "&type=classic";
    let run = |args: &[&str]| queue(folder, &address, args);
    let example = Command::new(program()).args(["queue", "record", "--example"]).output().unwrap();
    std::fs::write(folder.join("calls.json"), example.stdout).unwrap();

    for label in ["one", "two", "three"] {
        assert_eq!(run(&["record", "calls.json", "--label", label]).0, 0);
    }
    let (_, listed) = run(&["list"]);
    assert_eq!(labels(&listed), ["one", "two", "three"]);
    let (first, second) = (listed[0]["id"].as_str().unwrap(), listed[1]["id"].as_str().unwrap());
    let (_, shown) = run(&["show", first, "--json", "--interfaces", "calls.json"]);
    assert_eq!(shown[0]["calls"][1]["arguments"]["price"], "1249.5000");

    // One fails, and waits; the others are played. Looking at them has counted as nothing.
    let fails =
        ["--exec", "grep -q '\"label\":\"two\"' && exit 1; cat >> calls.out", "--interfaces", "calls.json"];
    let (status, events) =
        run(&[&["play", "--once", "--class", CLASS, "--waits", "1h"][..], &fails].concat());
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((status, count("played"), count("failed"), count("retry")), (3, 2, 2, 1), "{events:?}");
    let (_, waiting) = run(&["list", "--place", "retry-0"]);
    assert_eq!((labels(&waiting), &waiting[0]["abandoned"]), (vec!["two"], &Value::from(0)));
    assert!(waiting[0]["error"].as_str().unwrap().ends_with("exit status 1"), "{waiting:?}");

    // A person has it played again, in a queue of a file.
    let other = "sqlite:other.db?queue=program";
    assert_eq!(run(&["requeue", second]).0, 0);
    assert_eq!(run(&["move", second, "--to-queue", other]).0, 0);
    assert_eq!(run(&["receive"]).0, 3);
    let (status, events) =
        queue(folder, other, &["play", "--once", "--class", CLASS, "--exec", "true", "--per-message"]);
    assert_eq!(
        (status, &events[1]["event"], &events[1]["id"]),
        (0, &Value::from("played"), &Value::from(second))
    );

    // Dead ones are removed.
    assert_eq!(run(&["record", "calls.json", "--label", "four"]).0, 0);
    let unknown = ["play", "--once", "--class", "{00000000-0000-0000-0000-000000000001}", "--exec", "true"];
    assert_eq!(run(&unknown).0, 3);
    let (_, dead) = run(&["list", "--place", "dead"]);
    assert_eq!((labels(&dead), &dead[0]["dead"]), (vec!["four"], &Value::from("unknown-target")));
    assert_eq!(run(&["purge", "--place", "dead", "--yes"]).1[0]["removed"], 1);
    assert!(run(&["list"]).1.is_empty());
}
