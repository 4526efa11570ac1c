//! What takes too long for CI: all that the tests of sessions over RDP and of DCOM can do, and every fuzz target for a long
//! time. Each of them has a section in docs/soak.md, which a run writes anew.

use std::fs;

use crate::fuzz;
use crate::run::{Result, command, output, root, run_lines};

/// Tests that do more where REMASSIST_SOAK is set.
struct Tests {
    /// The section that they have.
    title: &'static str,
    /// Who is tested with whom.
    what: &'static str,
    /// How they are run.
    command: &'static str,
}

const TESTS: &[Tests] = &[
    Tests {
        title: "Sessions over RDP",
        what: "our expert with our novice on loopback",
        command: "cargo test -p suite-tests --test rdp -- kills:: load:: --nocapture --test-threads=1",
    },
    Tests {
        title: "Sessions and tickets over DCOM",
        what: "our expert with our novice on loopback",
        command: "cargo test -p suite-tests --test dcom -- faults:: kills:: load:: --nocapture --test-threads=1",
    },
    Tests {
        title: "Queues in SQLite",
        what: "processes that send and play, killed with SIGKILL",
        command: "cargo test -p suite-tests --test queue -- kills:: --nocapture --test-threads=1",
    },
    Tests {
        title: "Queues over MSMQ",
        what: "a sender, an acceptor and a player, killed with SIGKILL, and a proxy between them that cuts and withholds",
        command: "cargo test -p suite-tests --test queue -- wire:: --nocapture --test-threads=1",
    },
    Tests {
        title: "Sessions of MSMQ",
        what: "two queue managers in one process, their connections cut, their processes killed and their clocks moved by numbers",
        command: "cargo test -p suite-tests --test msmq_session_world -- --nocapture --test-threads=1",
    },
    Tests {
        title: "Queues of RabbitMQ",
        what: "a sender and a player, and a broker that is killed with SIGKILL",
        command: "env REMASSIST_ONLY=killed cargo test -p suite-tests --test comqc_broker -- --ignored --nocapture --exact \
                  scenarios",
    },
];
const HEAD: &str = "# Soak runs\n\nWritten by `cargo xtask soak`.\n";

/// Runs the tests whose title has this text in full and writes what they say they did; all of them, also when some fail.
pub fn tests(title: &str) -> Result {
    // Asked before the first section changes the tree.
    let origin = origin()?;
    let mut meant = TESTS.iter().filter(|tests| tests.title.contains(title)).peekable();
    meant.peek().ok_or_else(|| format!("no section of docs/soak.md has {title:?} in its title"))?;
    meant.map(|tests| section(tests, &origin)).fold(Ok(()), Result::and)
}

fn section(tests: &Tests, origin: &str) -> Result {
    let Tests { title, what, command: tests } = tests;
    let mut soak = command(tests);
    soak.env("REMASSIST_SOAK", "1");
    let (mut rows, mut verdict) = (String::new(), String::new());
    let result = run_lines(soak, |line| {
        // libtest may have begun the line.
        if let Some((_, told)) = line.split_once("soak | ") {
            rows += &format!("| {told} |\n");
        } else if let Some(told) = line.strip_prefix("test result: ")
            // That of a test in a process of its own is not the last one.
            && !told.starts_with("ok. 1 passed")
        {
            verdict = format!("- result: {}\n", told.split("; finished").next().unwrap_or(told));
        }
    });
    let text = format!(
        "`REMASSIST_SOAK=1 {tests}`: {what}.\n\n{origin}{verdict}\n\
         | what | seconds | result |\n|---|---:|---|\n{rows}"
    );
    write(title, &text)?;
    if rows.is_empty() { result.and(Err("no test told what it did".into())) } else { result }
}

/// Runs every fuzz target and writes what came out.
pub fn fuzz(seconds: u64, jobs: usize) -> Result {
    let origin = origin()?;
    let reports = fuzz::run_all(&[], seconds, jobs)?;
    let mut text = format!(
        "Every fuzz target, {jobs} at a time, without sanitizer, from the corpora of the repository and what earlier runs \
         on the\nsame machine had found.\n\n{origin}\n| target | seconds | executions | findings |\n|---|---:|---:|---:|\n"
    );
    for r in &reports {
        let found = if r.failed && r.findings.is_empty() {
            "run failed".into()
        } else {
            r.findings.len().to_string()
        };
        text += &format!("| {} | {} | {} | {found} |\n", r.target, r.seconds, r.executions);
    }
    write("Fuzz targets", &text)?;
    fuzz::verdict(&reports)
}

/// When, from what and with what it is run.
fn origin() -> Result<String> {
    let date = output("date -u +%F").ok_or("no date")?;
    let commit = output("git describe --always --dirty --abbrev=12").ok_or("no commit")?;
    let compiler = output("rustc --version").ok_or("no compiler")?;
    Ok(format!("- date: {date}\n- commit: {commit}\n- compiler: {compiler}\n"))
}

/// Puts a section into docs/soak.md, in the place of the one that it had.
fn write(title: &str, text: &str) -> Result {
    let path = root().join("docs/soak.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, with_section(&old, title, text)).map_err(|e| format!("{}: {e}", path.display()))
}

fn with_section(old: &str, title: &str, text: &str) -> String {
    let (head, rest) = old.split_once("\n## ").unwrap_or((old, ""));
    let mut sections: Vec<(&str, &str)> =
        rest.split("\n## ").filter_map(|section| section.split_once("\n\n")).collect();
    match sections.iter_mut().find(|(name, _)| *name == title) {
        Some(section) => section.1 = text,
        None => sections.push((title, text)),
    }
    let head = if head.trim().is_empty() { HEAD } else { head };
    let sections = sections.iter().map(|(name, text)| format!("\n## {name}\n\n{}\n", text.trim_end()));
    format!("{}\n{}", head.trim_end(), sections.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_run_writes_its_own_section_only() {
        let one = with_section("", "A", "first\n\n- x\n");
        let two = with_section(&one, "B", "second\n");
        assert_eq!(
            two,
            "# Soak runs\n\nWritten by `cargo xtask soak`.\n\n## A\n\nfirst\n\n- x\n\n## B\n\nsecond\n"
        );
        let three = with_section(&two, "A", "third");
        assert_eq!(
            three,
            "# Soak runs\n\nWritten by `cargo xtask soak`.\n\n## A\n\nthird\n\n## B\n\nsecond\n"
        );
    }
}
