//! Running commands.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub type Result<T = ()> = std::result::Result<T, String>;

/// How a step ended that did not fail.
pub enum Outcome {
    Passed(String),
    /// Something could not be had on this machine; the reason.
    Skipped(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(what) if what.is_empty() => f.write_str("passed"),
            Self::Passed(what) => write!(f, "passed: {what}"),
            Self::Skipped(why) => write!(f, "SKIPPED: {why}"),
        }
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/xtask has a root").into()
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command in the root, from words separated by blanks.
pub fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).current_dir(root());
    command
}

/// Runs a command and shows it and its output.
pub fn run(mut command: Command) -> Result {
    println!("$ {}", shown(&command));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ended with {status}", shown(&command))),
        Err(e) => Err(format!("{}: {e}", shown(&command))),
    }
}

/// [`run`] with the words of a line.
pub fn sh(line: &str) -> Result {
    run(command(line))
}

/// As [`run`]; also gives each line of the standard output to `each`.
pub fn run_lines(mut command: Command, mut each: impl FnMut(&str)) -> Result {
    println!("$ {}", shown(&command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
    for line in BufReader::new(child.stdout.take().expect("piped")).lines().map_while(std::io::Result::ok) {
        println!("{line}");
        each(&line);
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(&command))) }
}

/// The standard output of a command, without showing anything; `None` when it fails.
pub fn output(line: &str) -> Option<String> {
    let output = command(line).stderr(Stdio::null()).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program is there.
pub fn installed(program: &str) -> bool {
    output(&format!("which {program}")).is_some()
}

/// Installs Debian packages, where that can be done; the caller looks whether they are there.
pub fn apt(packages: &str) {
    if output("id -u").as_deref() == Some("0") {
        let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends";
        let _may_fail = sh("apt-get update -qq").and_then(|()| sh(&format!("{install} {packages}")));
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={} ", name.display(), value?.display())));
    variables.collect::<String>() + &words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
