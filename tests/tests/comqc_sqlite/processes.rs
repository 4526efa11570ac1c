//! Other processes: those that are killed, and many at once.
//!
//! A child is this test program with one test chosen, which does something only when it is a child.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use comqc_msmq::sqlite::Store;
use comqc_msmq::{Place, QueueError};
use comqc_session::Verdict;

use crate::common::{label, labels, message, place, play_all, send, take};

/// Where a child is told what to do, and with which database.
const TASK: &str = "REMASSIST_CHILD";
const DATABASE: &str = "REMASSIST_DATABASE";

/// How many messages each of many senders sends.
const EACH: usize = 25;

fn command(task: &str, database: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "processes::as_a_child", "--nocapture"])
        .envs([(TASK, task.as_ref()), (DATABASE, database.as_os_str())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn child(task: &str, database: &Path) -> Child {
    command(task, database).spawn().unwrap()
}

/// Waits until a child says that it is so far.
fn hear(child: &mut Child, word: &str) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(word)), "the child ended without saying {word:?}");
}

#[test]
fn as_a_child() {
    let Ok(task) = std::env::var(TASK) else { return };
    if task == "denied" {
        let path = std::env::var_os(DATABASE).unwrap();
        let refused = Store::open(&path).and_then(|store| store.queue("App")?.send(&message("b")));
        println!(
            "{}",
            if matches!(refused, Err(QueueError::ReadOnly { .. })) { "read-only" } else { "other" }
        );
        println!("{refused:?}");
        return;
    }
    let queue = Store::open(std::env::var_os(DATABASE).unwrap()).unwrap().queue("App").unwrap();
    match &*task {
        "lock" => {
            let _delivery = queue.receive(Duration::from_secs(60)).unwrap().unwrap();
            println!("locked");
            // Until the other end of the pipe is gone, should nobody kill it.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        "play" => {
            let mut played = 0;
            while let Some(delivery) = queue.receive(Duration::from_millis(500)).unwrap() {
                queue.settle(&delivery, &Verdict::Done).unwrap();
                played += 1;
            }
            println!("played {played}");
        }
        sender => {
            for number in 0..EACH {
                queue.send(&message(&format!("{sender} {number}"))).unwrap();
            }
        }
    }
}

#[test]
fn the_lock_of_a_process_that_was_killed_is_free_at_once() {
    let place = place();
    let queue = place.queue();
    send(&queue, "first");
    send(&queue, "second");
    for abandoned in 1..4 {
        let mut other = child("lock", &place.path());
        hear(&mut other, "locked");
        assert!(take(&queue).is_none() && queue.list(Place::Main, None, 1).unwrap()[0].locked);
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(!queue.list(Place::Main, None, 1).unwrap()[0].locked);
        let delivery = take(&queue).unwrap();
        assert_eq!((label(&delivery), delivery.received.abandoned), ("first", abandoned));
        queue.settle(&delivery, &Verdict::Return).unwrap();
    }
    assert_eq!(play_all(&queue), ["first", "second"]);
    drop(queue);
    assert_eq!(place.files(), ["queues.db"], "nothing is left of those that were killed");
}

#[test]
fn who_waits_takes_over_from_a_process_that_is_killed() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let mut other = child("lock", &place.path());
    hear(&mut other, "locked");
    let waiting = thread::spawn(move || queue.receive(Duration::from_secs(60)).unwrap().map(|d| d.received));
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().abandoned, 1);
}

#[test]
fn the_files_of_processes_that_were_killed_idle_go_when_the_next_one_locks() {
    let place = place();
    let queue = place.queue();
    send(&queue, "a");
    let mut other = child("lock", &place.path());
    hear(&mut other, "locked");
    other.kill().unwrap();
    other.wait().unwrap();
    // Nobody asks for the message: the file of the dead is still there.
    assert!(place.files().contains(&"queues.db-holder-1".to_owned()));
    let elsewhere = place.store().queue("Elsewhere").unwrap();
    send(&elsewhere, "b");
    let _delivery = take(&elsewhere).unwrap();
    assert!(!place.files().contains(&"queues.db-holder-1".to_owned()));
    assert_eq!(queue.list(Place::Main, None, 1).unwrap()[0].abandoned, 1);
}

/// As somebody who may write to the file, but not into its folder. Root may everywhere, so a child is somebody else.
#[cfg(unix)]
#[test]
fn a_folder_of_somebody_else_is_told() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
    use std::os::unix::process::CommandExt as _;

    let place = place();
    send(&place.queue(), "a");
    let allow = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    allow(&place.path(), 0o666);
    allow(place.directory.path(), 0o555);
    let mut command = command("denied", &place.path());
    if std::fs::metadata(place.directory.path()).unwrap().uid() == 0 {
        command.uid(65534);
    }
    let output = match command.output() {
        Ok(output) => String::from_utf8(output.stdout).unwrap(),
        Err(error) => return println!("!!!! SKIPPED: nobody may run this test: {error} !!!!"),
    };
    allow(place.directory.path(), 0o755);
    assert!(output.contains("read-only"), "{output}");
    assert_eq!(play_all(&place.queue()), ["a"]);
}

#[test]
fn many_processes_and_threads_send_and_play_at_once() {
    let place = place();
    // All of them make the file.
    let mut children: Vec<_> = ["a", "b", "c"].map(|sender| child(sender, &place.path())).into();
    let queue = place.queue();
    children.push(child("play", &place.path()));
    let threads = ["d", "e", "f"].map(|sender| {
        let queue = if sender == "f" { place.queue() } else { queue.clone() };
        thread::spawn(move || {
            (0..EACH).map(|number| send(&queue, &format!("{sender} {number}"))).collect::<Vec<_>>()
        })
    });
    let ids: BTreeSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(ids.len(), 3 * EACH, "no identifier twice");
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut counts = queue.count().unwrap();
    // What the player has left, since it does not wait for ever: in the order of each sender.
    let left = labels(&queue, Place::Main);
    for sender in ["a", "b", "c", "d", "e", "f"] {
        let numbers: Vec<usize> =
            left.iter().filter_map(|label| label.strip_prefix(sender)?.trim().parse().ok()).collect();
        assert!(numbers.is_sorted() && numbers.last().is_none_or(|last| *last == EACH - 1));
    }
    assert_eq!(play_all(&queue).len() as u64, std::mem::take(&mut counts.main));
    let last: i64 = comqc_msmq::sqlite::rusqlite::Connection::open(place.path())
        .unwrap()
        .query_row("SELECT last FROM comqc_queue WHERE name = 'App'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(last as usize, 6 * EACH, "every one was taken");
}
