//! A full disk and a folder that may not be written to: clear errors, and nothing is lost.
//!
//! Root may write everywhere, so this takes a mount of its own, in a namespace of its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use comqc_msmq::sqlite::{Store, StoredQueue};
use comqc_msmq::{Place, QueueError};
use comqc_session::{MessageId, Properties, QueueMessage, Verdict};
use testkit::measure::{again, is_again};

/// Runs a test as root of a mount namespace of its own. Whether this is there.
fn with_mounts(test: &str) -> bool {
    const UNSHARE: [&str; 3] = ["unshare", "--mount", "--map-root-user"];
    if is_again() {
        return true;
    }
    let mut there = Command::new(UNSHARE[0]);
    if !there.args(&UNSHARE[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        println!("!!!! SKIPPED {test}: no namespaces on this machine !!!!");
        return false;
    }
    again(test, &UNSHARE)
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status().unwrap();
    assert!(status.success(), "mount {arguments:?}: {status}");
}

fn message(number: usize) -> QueueMessage {
    let properties = Properties { label: number.to_string(), ..Properties::default() };
    QueueMessage { properties, body: vec![7; 20_000].into() }
}

/// Takes out everything and returns what it was.
fn drain(queue: &StoredQueue) -> Vec<MessageId> {
    let mut ids = Vec::new();
    while let Some(delivery) = queue.receive(Duration::ZERO).unwrap() {
        ids.push(delivery.received.id);
        queue.settle(&delivery, &Verdict::Done).unwrap();
    }
    ids
}

#[test]
fn a_full_disk_loses_nothing() {
    if !with_mounts("disk::a_full_disk_loses_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"], folder.path());
    let ballast = folder.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let queue = Store::open(folder.path().join("queue.db")).unwrap().queue("orders").unwrap();

    let mut sent = Vec::new();
    let error = loop {
        match queue.send(&message(sent.len())) {
            Ok(id) => sent.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, QueueError::Full(_)), "{error:?}");
    assert!(sent.len() > 5, "{}", sent.len());
    assert!(matches!(queue.send(&message(0)), Err(QueueError::Full(_))));
    assert_eq!(queue.count().unwrap().main, sent.len() as u64);

    // Whether there is room to take one out or not: it is there until it is settled, and then it is gone.
    let mut got = Vec::new();
    match queue.receive(Duration::ZERO) {
        Err(error) => assert!(matches!(error, QueueError::Full(_)), "{error:?}"),
        Ok(delivery) => {
            let delivery = delivery.unwrap();
            match queue.settle(&delivery, &Verdict::Done) {
                Ok(()) => {}
                Err(error) => {
                    assert!(matches!(error, QueueError::Full(_)), "{error:?}");
                    std::fs::remove_file(&ballast).unwrap();
                    queue.settle(&delivery, &Verdict::Done).unwrap();
                }
            }
            got.push(delivery.received.id);
        }
    }
    let _ = std::fs::remove_file(&ballast);
    sent.push(queue.send(&message(1_000)).unwrap());
    got.extend(drain(&queue));
    assert_eq!(got, sent);
}

#[test]
fn a_folder_that_may_not_be_written_to_loses_nothing() {
    if !with_mounts("disk::a_folder_that_may_not_be_written_to_loses_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    mount(&["-t", "tmpfs", "tmpfs"], folder.path());
    let path = folder.path().join("queue.db");
    let queue = Store::open(&path).unwrap().queue("orders").unwrap();
    let sent: Vec<_> = (0..10).map(|number| queue.send(&message(number)).unwrap()).collect();
    drop(queue);

    mount(&["-o", "remount,ro"], folder.path());
    let error = Store::open(&path).and_then(|store| store.queue("orders")?.send(&message(0))).unwrap_err();
    assert!(matches!(error, QueueError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("queue.db"), "{error}");
    let error =
        Store::open(&path).and_then(|store| store.queue("orders")?.receive(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, QueueError::ReadOnly { .. }), "{error:?}");
    let error = Store::open(folder.path().join("new.db")).unwrap_err();
    assert!(matches!(error, QueueError::ReadOnly { .. }), "{error:?}");

    mount(&["-o", "remount,rw"], folder.path());
    let queue = Store::open(&path).unwrap().queue("orders").unwrap();
    assert_eq!(queue.list(Place::Main, None, 100).unwrap().len(), 10);
    assert_eq!(drain(&queue), sent);
}
