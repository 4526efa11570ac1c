//! Help that is offered: tickets over DCOM, as users ask for them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

mod talking;

use talking::{PASSWORD, Talking, root};

fn run(args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_remassist"));
    program.args(args).current_dir(root()).stdin(Stdio::null()).output().unwrap()
}

/// What a program that succeeds prints.
fn printed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status and the one line of a program that fails.
fn failure(args: &[&str]) -> (i32, String) {
    let output = run(args);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A novice that gives tickets to eva; otto has an account, and is no helper.
struct Desk {
    novice: Talking,
    folder: TempDir,
    port: String,
}

impl Desk {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = |user| printed(&["crypt", "account", "--user", user, "--password", PASSWORD]);
        let accounts = [account("DESK\\eva"), account("DESK\\otto")];
        assert!(accounts[0].starts_with("DESK\\eva:") && !accounts[0].contains(PASSWORD), "{}", accounts[0]);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
            path.to_str().unwrap().to_owned()
        };
        let helpers = write("helpers", &accounts[0]);
        let all = write("accounts", &accounts.concat());
        let mut args = vec!["novice", "--listen", "127.0.0.1:0", "--dcom", "127.0.0.1:0"];
        args.extend([
            "--helpers",
            &helpers,
            "--accounts",
            &all,
            "--session-of",
            "DESK\\nora",
            "--session-id",
            "7",
        ]);
        args.extend(more);
        let mut novice = Talking::start(&args, Stdio::null());
        let welcome = novice.wait("helpers_welcome");
        let port = welcome["resolver"][0].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        Self { novice, folder, port }
    }

    /// A command, as a user of the machine.
    fn of<'a>(&'a self, command: &[&'a str], user: &'a str) -> Vec<&'a str> {
        let own = ["--dcom-port", &self.port, "--user", user];
        command.iter().copied().chain(own).chain(["--password", PASSWORD]).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

const EVA: &str = "DESK\\eva";

#[test]
fn sessions_are_listed() {
    let desk = Desk::new(&[]);
    let table = printed(&desk.of(&["sessions", "127.0.0.1"], EVA));
    assert_eq!(table, "   SESSION  STATE          USER\n         7  -              DESK\\nora\n");
    for auth in ["ntlm", "negotiate"] {
        let old = ["sessions", "127.0.0.1", "--json", "--auth", auth, "--interface", "pchservice"];
        let json: Value = serde_json::from_str(&printed(&desk.of(&old, EVA))).unwrap();
        assert_eq!(json["session"], 7);
        assert_eq!((&json["domain"], &json["user"]), (&"DESK".into(), &"nora".into()));
        assert_eq!((&json["state"], &json["interface"]), (&"Active".into(), &"IPCHService".into()));
    }
}

#[test]
fn tickets_are_given() {
    let mut desk = Desk::new(&[]);
    let ticket = printed(&desk.of(&["ticket", "127.0.0.1", "--session", "7"], EVA));
    assert!(ticket.starts_with("<E><A KH=") && ticket.ends_with("</E>\n"), "{ticket}");
    assert_eq!(desk.novice.wait("ticket_given")["helper"], EVA);
    let other = printed(&desk.of(&["ticket", "127.0.0.1", "--user-name", "NORA"], EVA));
    assert_ne!(ticket, other);
    // Connection string 1, in a file of type 1.
    let file = desk.path("ticket.msrcIncident");
    let old = ["ticket", "127.0.0.1", "--interface", "pchservice", "--invitation", file.to_str().unwrap()];
    assert_eq!(printed(&desk.of(&old, EVA)), "");
    let shown = printed(&["inspect", "--show-secrets", file.to_str().unwrap()]);
    assert!(shown.contains("RCTICKET") && shown.contains("127.0.0.1:"), "{shown}");
}

#[test]
fn why_there_is_none() {
    let mut desk = Desk::new(&[]);
    for (args, text) in [
        (
            desk.of(&["ticket", "127.0.0.1", "--session", "8"], EVA),
            "no such session; there are 7 (DESK\\nora)",
        ),
        (desk.of(&["ticket", "127.0.0.1", "--user-name", "X\\nora"], EVA), "no such session"),
        (desk.of(&["sessions", "127.0.0.1"], "DESK\\otto"), "E_ACCESSDENIED (0x80070005)"),
        (desk.of(&["sessions", "127.0.0.1"], "DESK\\nobody"), "access denied"),
        (desk.of(&["expert", "--offer", "127.0.0.1"], "DESK\\nobody"), "access denied"),
    ] {
        let (status, told) = failure(&args);
        assert!(status == 1 && told.contains(text) && told.lines().count() == 1, "{args:?} {status} {told}");
    }
    assert_eq!(desk.novice.wait("helper_refused")["helper"], "DESK\\otto");
    // No account, no password, both an invitation and an offer.
    for args in [
        vec!["sessions", "127.0.0.1", "--password", PASSWORD],
        vec!["sessions", "127.0.0.1", "--user", EVA],
        vec!["expert", "--offer", "127.0.0.1"],
        vec!["expert", "file", "--offer", "127.0.0.1", "--user", EVA],
        vec!["expert"],
        vec!["sessions", "127.0.0.1", "--user", EVA, "--auth", "kerberos", "--password", PASSWORD],
        vec!["novice", "--listen", "127.0.0.1:0"],
        vec!["novice", "--listen", "127.0.0.1:0", "--dcom", "127.0.0.1:0"],
    ] {
        assert_eq!(failure(&args).0, 2, "{args:?}");
    }
}

#[test]
fn a_machine_that_is_not_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let args = ["sessions", "127.0.0.1", "--dcom-port", &port, "--user", EVA, "--password", PASSWORD];
    let (status, told) = failure(&args);
    assert!(status == 1 && told.contains("cannot be reached"), "{told}");
}

#[test]
fn help_is_offered() {
    let mut desk = Desk::new(&["--allow", "view", "--exit-after-session"]);
    let args = ["--dcom-port", &desk.port, "--user", EVA, "--name", "Eva", "--say", "hello", "--for", "1"];
    let args: Vec<_> = ["expert", "--offer", "127.0.0.1"].into_iter().chain(args).collect();
    let mut expert = Talking::start(&args, Stdio::null());
    assert_eq!(expert.wait("ticket")["session_of"], "DESK\\nora");
    expert.wait("established");
    assert_eq!(desk.novice.wait("chat")["message"], "hello");
    // While there is a session, there are no tickets.
    let (status, told) = failure(&desk.of(&["ticket", "127.0.0.1"], EVA));
    assert!(status == 1 && told.contains("ERROR_CANNOT_MAKE"), "{told}");
    assert_eq!(expert.end(30).0, Some(0));
    assert_eq!(desk.novice.end(30).0, Some(0));
}

#[test]
fn a_ticket_lets_in_once() {
    let mut desk = Desk::new(&["--allow", "view"]);
    let file = desk.path("ticket");
    printed(&desk.of(&["ticket", "127.0.0.1", "--invitation", file.to_str().unwrap()], EVA));
    let helping = ["expert", file.to_str().unwrap(), "--for", "1"];
    let mut first = Talking::without_password(&helping, Stdio::null());
    first.wait("established");
    assert_eq!(first.end(30).0, Some(0));
    desk.novice.wait("closed");
    let second = Talking::without_password(&helping, Stdio::null());
    assert_eq!(second.end(30).0, Some(1));
    // And the novice goes on giving tickets.
    printed(&desk.of(&["ticket", "127.0.0.1"], EVA));
}
