//! Fuzzing on a stable compiler, without sanitizer: the suite has no unsafe code, its oracles tell by a panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::run::{Outcome, Result, command, installed, output, root, run, sh};

/// What one run of a target came to.
pub struct Report {
    pub target: String,
    pub seconds: u64,
    pub executions: u64,
    pub findings: Vec<PathBuf>,
    pub failed: bool,
}

/// Five seconds each: whether the targets build and run.
pub fn smoke() -> Result<Outcome> {
    let reports = run_all(&[], 5, 2)?;
    verdict(&reports)?;
    Ok(Outcome::Passed(format!("{} targets", reports.len())))
}

pub fn fuzz(targets: &[String], seconds: u64, jobs: usize) -> Result {
    verdict(&run_all(targets, seconds, jobs)?)
}

pub fn verdict(reports: &[Report]) -> Result {
    let failed: Vec<_> = reports.iter().filter(|r| r.failed).map(|r| r.target.as_str()).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("findings in {}", failed.join(", "))) }
}

/// Builds the targets, then runs those named (all when none is), `jobs` at a time.
pub fn run_all(names: &[String], seconds: u64, jobs: usize) -> Result<Vec<Report>> {
    if !installed("cargo-fuzz") {
        sh("cargo install cargo-fuzz --locked")?;
    }
    let all = output("cargo fuzz list").ok_or("cargo fuzz list failed")?;
    let targets: Vec<&str> =
        all.lines().filter(|t| names.is_empty() || names.iter().any(|n| n == t)).collect();
    if let Some(unknown) = names.iter().find(|n| !targets.contains(&n.as_str())) {
        return Err(format!("no fuzz target {unknown}; there are:\n{all}"));
    }
    let mut build = command("cargo fuzz build --sanitizer none");
    // libFuzzer needs coverage flags that a stable compiler only takes so.
    build.env("RUSTC_BOOTSTRAP", "1");
    if let [only] = targets[..] {
        build.arg(only);
    }
    run(build)?;
    let compiler = output("rustc -vV").ok_or("no compiler")?;
    let host = compiler.lines().find_map(|l| l.strip_prefix("host: ")).ok_or("no host")?;
    let programs = root().join("fuzz/target").join(host).join("release");
    let queue = Mutex::new(targets.iter());
    let reports = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let next = queue.lock().expect("no panic").next();
            let Some(target) = next else { return };
            let report = run_one(&programs, target, seconds);
            reports.lock().expect("no panic").push(report);
        }
    };
    thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(worker))));
    let mut reports = reports.into_inner().expect("no panic").into_iter().collect::<Result<Vec<_>>>()?;
    reports.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(reports)
}

fn run_one(programs: &Path, target: &str, seconds: u64) -> Result<Report> {
    let fuzz = root().join("fuzz");
    // libFuzzer writes to the first folder: the seeds of the repository stay as they are.
    let (scratch, seeds) = (fuzz.join("target/corpus").join(target), fuzz.join("corpus").join(target));
    let artifacts = fuzz.join("artifacts").join(target);
    for folder in [&scratch, &seeds, &artifacts] {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let log = fuzz.join("target").join(format!("{target}.log"));
    let log_file = fs::File::create(&log).map_err(|e| e.to_string())?;
    let before = files(&artifacts);
    let start = Instant::now();
    let status = Command::new(programs.join(target))
        .args([&scratch, &seeds])
        .args([
            format!("-max_total_time={seconds}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-max_len=16384".into(),
            "-rss_limit_mb=2048".into(),
            "-timeout=10".into(),
            "-print_final_stats=1".into(),
        ])
        .stdout(Stdio::null())
        .stderr(log_file)
        .status()
        .map_err(|e| format!("{target}: {e}"))?;
    let seconds = start.elapsed().as_secs();
    let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    let executions = text
        .lines()
        .find_map(|l| l.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
        .unwrap_or(0);
    let findings: Vec<_> = files(&artifacts).into_iter().filter(|f| !before.contains(f)).collect();
    let per_second = executions / seconds.max(1);
    println!(
        "{target:<20} {seconds:>5} s {executions:>12} runs {per_second:>8} per second {} findings",
        findings.len()
    );
    if !status.success() {
        let tail: Vec<_> = text.lines().rev().take(40).collect();
        tail.iter().rev().for_each(|line| println!("    {line}"));
        findings.iter().for_each(|f| println!("    kept in {}", f.display()));
    }
    Ok(Report { target: target.into(), seconds, executions, failed: !status.success(), findings })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect()
}
