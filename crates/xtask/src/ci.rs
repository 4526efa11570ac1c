//! The definition of CI.

use std::time::{Duration, Instant};

use crate::run::{Outcome, Result, command, output, run, run_lines, sh};
use crate::{fuzz, interop, lanes};

/// A step by its name.
type Step = (&'static str, fn() -> Result<Outcome>);

/// The tests come last, so that they are what the log ends with.
const STEPS: &[Step] = &[
    ("format", || sh("cargo fmt --all --check").map(passed)),
    ("clippy", || sh("cargo clippy --workspace --all-targets --all-features -- -D warnings").map(passed)),
    ("docs", docs),
    ("features", features),
    ("no_std", lanes::no_std),
    ("wasm", lanes::wasm),
    ("windows", lanes::windows),
    ("miri", lanes::miri),
    ("fuzz smoke", fuzz::smoke),
    ("interop", || interop::interop(&interop::Options::default())),
    ("test", test),
];

pub fn passed(_: ()) -> Outcome {
    Outcome::Passed(String::new())
}

/// Runs every step, also after one failed, then sums up.
pub fn ci() -> Result {
    let start = Instant::now();
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        println!("\n==== {name} ====");
        let begun = Instant::now();
        let result = step();
        let told = match &result {
            Ok(outcome) => outcome.to_string(),
            Err(message) => {
                failed.push(*name);
                format!("FAILED: {message}")
            }
        };
        println!("==== {name}: {told} ({}) ====", seconds(begun.elapsed()));
        let short = told.lines().next().unwrap_or_default();
        lines.push(format!("{name:<12} {:>7}  {short}", seconds(begun.elapsed())));
    }
    println!("\n==== summary ====\n{}", lines.join("\n"));
    println!("all of it    {:>7}", seconds(start.elapsed()));
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The README's test command, which also replays the fuzz corpora (tests/tests/replay.rs).
fn test() -> Result<Outcome> {
    let (mut programs, mut passed, mut failed) = (0, 0, 0);
    let result = run_lines(command("cargo test --workspace --no-fail-fast"), |line| {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let words: Vec<&str> = counts.split([' ', ';']).collect();
            let at = words.iter().position(|w| *w == what);
            at.and_then(|at| words.get(at.wrapping_sub(1))?.parse::<u32>().ok()).unwrap_or(0)
        };
        programs += 1;
        passed += count("passed");
        failed += count("failed");
    });
    println!("{passed} passed, {failed} failed");
    let told = format!("{passed} tests passed, {failed} failed, in {programs} test programs");
    match result {
        Ok(()) if passed == 0 => Err("no tests ran".into()),
        Ok(()) => Ok(Outcome::Passed(told)),
        Err(e) => Err(format!("{told}: {e}")),
    }
}

fn docs() -> Result<Outcome> {
    let mut doc = command("cargo doc --workspace --no-deps --all-features");
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc).map(passed)
}

/// A library that is published.
pub struct Library {
    pub name: String,
    pub features: Vec<String>,
}

/// The libraries of the workspace that are published.
pub fn libraries() -> Result<Vec<Library>> {
    let json = output("cargo metadata --no-deps --format-version=1").ok_or("cargo metadata failed")?;
    let metadata: serde_json::Value = serde_json::from_str(&json).map_err(|e| e.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("no packages")?.iter();
    let published = packages.filter(|p| {
        let kinds = p["targets"].as_array().into_iter().flatten();
        p["publish"].is_null() && kinds.into_iter().any(|t| t["kind"][0] == "lib")
    });
    let library = |p: &serde_json::Value| Library {
        name: p["name"].as_str().unwrap_or_default().to_owned(),
        features: p["features"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect(),
    };
    Ok(published.map(library).collect())
}

/// Every library without features and with each feature alone.
fn features() -> Result<Outcome> {
    let mut count = 0;
    for Library { name, features } in libraries()? {
        let check = format!("cargo check --quiet -p {name} --no-default-features");
        sh(&check)?;
        for feature in features.iter().filter(|f| *f != "default") {
            sh(&format!("{check} --features {feature}"))?;
        }
        count += 1 + features.len();
    }
    Ok(Outcome::Passed(format!("{count} combinations")))
}
