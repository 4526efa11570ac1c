//! Tasks of the project. `cargo xtask ci` is the definition of CI.

mod ci;
mod fuzz;
mod interop;
mod lanes;
mod run;
mod soak;

use std::process::ExitCode;

use run::Result;

const USAGE: &str = "\
Usage: cargo xtask <task>

  ci                                        everything that must hold, in one run
  fuzz [--seconds N] [--jobs N] [TARGET..]  fuzz targets, 60 seconds each
  soak [--only tests|fuzz|TITLE] [--seconds N] [--jobs N]
                                            sessions over RDP killed 200 times and loaded with 100 MB files, novices
                                            asked 10,000 times over DCOM, queues with 100,000 messages under 200 kills,
                                            then every fuzz target for 10 minutes; writes docs/soak.md. TITLE is part of
                                            the title of a section there: just the tests of that
  interop [--program PATH] [--only TEXT] [--keep DIR]
                                            real peers against what the program writes";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = if arguments.is_empty() { String::new() } else { arguments.remove(0) };
    match dispatch(&task, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: &str, mut arguments: Vec<String>) -> Result {
    match task {
        "ci" => none_left(&arguments).and_then(|()| ci::ci()),
        "fuzz" => {
            let seconds = option(&mut arguments, "--seconds")?.unwrap_or(60);
            let jobs = option(&mut arguments, "--jobs")?.unwrap_or(1);
            fuzz::fuzz(&arguments, seconds, jobs)
        }
        "soak" => {
            let seconds = option(&mut arguments, "--seconds")?.unwrap_or(600);
            let jobs = option(&mut arguments, "--jobs")?.unwrap_or(2);
            let only: Option<String> = option(&mut arguments, "--only")?;
            none_left(&arguments)?;
            match only.as_deref() {
                Some("tests") => soak::tests(""),
                Some("fuzz") => soak::fuzz(seconds, jobs),
                None => {
                    let tests = soak::tests("");
                    soak::fuzz(seconds, jobs).and(tests)
                }
                Some(title) => soak::tests(title),
            }
        }
        "interop" => {
            let program = option(&mut arguments, "--program")?;
            let only = option(&mut arguments, "--only")?;
            let keep = option(&mut arguments, "--keep")?;
            none_left(&arguments)?;
            interop::interop(&interop::Options { program, only, keep })
                .map(|outcome| println!("interop: {outcome}"))
        }
        _ => Err(USAGE.into()),
    }
}

/// Takes `--name VALUE` out of the arguments.
fn option<T: std::str::FromStr>(arguments: &mut Vec<String>, name: &str) -> Result<Option<T>> {
    let Some(at) = arguments.iter().position(|a| a == name) else { return Ok(None) };
    let taken: Vec<_> = arguments.drain(at..arguments.len().min(at + 2)).collect();
    let value = taken.get(1).and_then(|v| v.parse().ok());
    value.map(Some).ok_or_else(|| format!("{name} needs a value\n{USAGE}"))
}

fn none_left(arguments: &[String]) -> Result {
    if arguments.is_empty() { Ok(()) } else { Err(format!("unknown argument {}\n{USAGE}", arguments[0])) }
}
