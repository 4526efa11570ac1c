//! Before messages are removed for good, a person is asked: at a terminal, or nobody is.

use std::process::Stdio;

use crate::{Desk, Run, bounded};

#[test]
fn without_a_terminal_nothing_is_removed_unless_it_is_told() {
    let desk = Desk::new();
    let number = desk.send("kept");
    for args in [&["purge", "--place", "main"][..], &["purge", &number]] {
        let run = desk.run(args);
        assert!(run.fault(2).contains("--yes"), "{}", run.said);
        assert!(run.out.is_empty());
        // An answer that no person has typed is none.
        std::fs::write(desk.path("answer"), "y\n").unwrap();
        let answer = std::fs::File::open(desk.path("answer")).unwrap();
        let run = Run::of(bounded::output(desk.command(args).stdin(Stdio::from(answer)), None));
        assert_eq!(run.status, 2, "{}", run.said);
    }
    assert_eq!(desk.labels("main"), ["kept"]);
    assert_eq!(desk.run(&["purge", &number, "--yes"]).lines()[0]["removed"], 1);
    assert!(desk.labels("main").is_empty());
    desk.send("gone");
    assert_eq!(desk.run(&["purge", "--place", "main", "--yes"]).lines()[0]["removed"], 1);
    assert!(desk.labels("main").is_empty());
}

/// At a terminal that `script` of util-linux makes. Its status is that of the program.
#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_only_yes_removes() {
    use std::io::Write as _;
    use std::process::Command;

    let version = Command::new("script").arg("--version").output();
    if !version.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("util-linux")) {
        eprintln!("left out: there is no script of util-linux");
        return;
    }
    let desk = Desk::new();
    for (answer, removes) in
        [("\n", false), ("n\n", false), ("nobody\n", false), ("y\n", true), ("yes\n", true)]
    {
        desk.send("asked");
        let before = desk.list("main").len();
        let mut command = Command::new("script");
        let program = format!("'{}' queue purge --place main", env!("CARGO_BIN_EXE_remassist"));
        command.args(["--quiet", "--return", "--command", &program, "/dev/null"]);
        command.env("REMASSIST_QUEUE", "sqlite:q.db?queue=orders").env("SHELL", "/bin/sh");
        command.current_dir(desk.path("")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut said = bounded::bytes(child.stdout.take().unwrap());
        // Who answers before the question would answer the shell.
        said.until("[y/N]");
        stdin.write_all(answer.as_bytes()).unwrap();
        let status = bounded::end(&mut child);
        let text = said.rest();
        assert!(text.contains(&format!("Remove messages ({before} at main) from ")), "{text}");
        assert_eq!(status.code(), Some(if removes { 0 } else { 3 }), "{answer:?}: {text}");
        assert_eq!(desk.list("main").len(), if removes { 0 } else { before });
        assert_eq!(text.contains("nothing was removed"), !removes, "{text}");
    }
}
