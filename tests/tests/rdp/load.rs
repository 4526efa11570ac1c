//! Much to carry, and nobody who takes it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ra_rdp::rdp_standard_security::Methods;
use ra_rdp::{Downloads, RdpError, Security, test_picture};
use ra_session::{Event, FileEvent, FileName, FileOffer, Reason, Role, TransferId, Version};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::pair::{LIMIT, Pair, Seen, Setup};
use crate::relay::{Kill, Relay};
use crate::tools::{Random, Restless, alone, most_memory, record, soak};

/// A screen that never rests.
fn restless(mut setup: Setup) -> Setup {
    setup.display = Box::new(Restless(test_picture(320, 200)));
    setup
}

/// Either side, with each version.
fn roles_and_versions() -> impl Iterator<Item = (Role, Version)> {
    [Role::Expert, Role::Novice].into_iter().flat_map(|role| Version::ALL.map(|version| (role, version)))
}

/// Of each file.
fn size() -> u64 {
    if soak() { 100_000_000 } else { 5_000_000 }
}

fn hash(mut source: impl Read) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = source.read(&mut buffer).unwrap();
        if read == 0 {
            return hash.finalize().into();
        }
        hash.update(&buffer[..read]);
    }
}

/// Both sides offer a file at once, and talk meanwhile; the screen never rests.
async fn both_ways(name: &str, setup: Setup) {
    let (began, version) = (Instant::now(), setup.version);
    let mut pair = Pair::of(restless(setup)).await;
    pair.establish().await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut downloads = folders.each_ref().map(|folder| Downloads::new(folder.path()));
    for (role, seed) in [(Role::Expert, 1), (Role::Novice, 2)] {
        pair.side(role).send_file(FileOffer::new("disk.img", size()), Random(seed).take(size()));
        pair.side(role).say("0");
    }
    let (mut saved, mut chats) = ([None, None], [0, 0]);
    while saved.iter().any(Option::is_none) {
        let (role, seen) = pair.event().await;
        let own = usize::from(role == Role::Novice);
        let Seen::Session(event) = seen else { continue };
        if let Some(path) = downloads[own].follow(&event).unwrap() {
            saved[own] = Some(path);
        }
        assert!(!matches!(event, Event::File(FileEvent::Failed { .. })), "{event:?}");
        if let Event::Chat(text) = event {
            // Each message is answered by the next number.
            chats[own] += 1;
            let number: u32 = text.parse().unwrap();
            pair.side(role).say(&(number + 1).to_string());
        }
    }
    for (own, seed) in [(1, 1), (0, 2)] {
        let file = std::fs::File::open(saved[own].as_ref().unwrap()).unwrap();
        assert_eq!(file.metadata().unwrap().len(), size());
        assert!(
            hash(file) == hash(Random(seed).take(size())),
            "{version:?}: the file of {own} is another one"
        );
    }
    assert!(chats.iter().all(|count| *count > 2), "{version:?}: nobody could talk: {chats:?}");
    record(
        format_args!("{} MB each way, {name}, {version:?}", size() / 1_000_000),
        began,
        format_args!("SHA-256 equal, {} chat messages meanwhile", chats[0] + chats[1]),
    );
}

#[tokio::test]
async fn files_both_ways_with_tls() {
    for version in Version::ALL {
        both_ways("TLS", Setup::new(version, Security::Tls)).await;
    }
}

#[tokio::test]
async fn files_both_ways_without_tls() {
    for version in Version::ALL {
        both_ways("no encryption", Setup::new(version, Security::Rdp)).await;
    }
}

#[tokio::test]
async fn files_both_ways_with_rc4() {
    for version in Version::ALL {
        both_ways("RC4 128 bit", Setup::encrypted(version, Methods::BIT_128)).await;
    }
}

/// Bytes without end, counted as they are taken.
struct Counted(Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        self.0.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        Ok(buffer.len())
    }
}

/// While a file without end goes one way, everything else still goes both ways.
#[tokio::test]
async fn a_file_starves_nobody() {
    for (from, version) in roles_and_versions() {
        let mut pair = Pair::of(restless(Setup::new(version, Security::Tls))).await;
        pair.establish().await;
        pair.side(from).send_file(FileOffer::new("endless", 1 << 50), Counted(Arc::default()));
        pair.file_data().await;
        let (mut screens, mut chats) = (0, 0);
        pair.side(Role::Expert).say("?");
        while screens < 5 || chats < 10 {
            match pair.event().await {
                (_, Seen::Screen(_)) => screens += 1,
                (role, Seen::Session(Event::Chat(_))) => {
                    chats += 1;
                    pair.side(role).say("!");
                }
                (_, Seen::Session(Event::File(FileEvent::Failed { why, .. }))) => panic!("{why}"),
                _ => {}
            }
        }
    }
}

/// What the systems on the way may hold, and what this side may hold itself.
const HELD: u64 = 24 << 20;
/// What both sides of a session may have in memory more than before.
const MEMORY: isize = 4 << 20;

/// A peer that stops reading while a file and a screen that never rests are sent to it.
#[tokio::test]
async fn who_does_not_read_is_sent_no_more() {
    if !alone("load::who_does_not_read_is_sent_no_more") {
        return;
    }
    let (began, mut most) = (Instant::now(), 0);
    for (held, version) in roles_and_versions() {
        let relay = Relay::new();
        let mut setup = restless(Setup::new(version, Security::Tls));
        setup.relay = Some(relay.clone());
        let mut pair = Pair::of(setup).await;
        pair.establish().await;
        let read = Arc::new(AtomicU64::new(0));
        let count = || read.load(Ordering::Relaxed);
        pair.side(held).send_file(FileOffer::new("endless", 1 << 50), Counted(Arc::clone(&read)));
        pair.file_data().await;
        relay.hold(Some(held));
        let (begin, memory) = (count(), most_memory().min(crate::tools::memory()));
        // Until nothing moves: a machine that stands still can only end this too early, and then the bound holds as well.
        let mut last = u64::MAX;
        while last != count() {
            last = count();
            let moves = async {
                while count() == last {
                    pair.event().await;
                }
            };
            let _still = timeout(Duration::from_millis(300), moves).await;
            assert!(count() - begin < HELD, "{held:?}, {version:?}: {} bytes were taken", count() - begin);
        }
        // It recovers.
        relay.hold(None);
        let enough = last + 2 * HELD;
        let moves = async {
            while count() < enough {
                pair.event().await;
            }
        };
        timeout(LIMIT, moves).await.expect("it does not go on");
        let grown = most_memory() - memory;
        assert!(grown < MEMORY, "{held:?}, {version:?}: {grown} bytes");
        most = most.max(grown);
    }
    record("peers that stop reading", began, format_args!("at most {most} bytes more in memory"));
}

/// Nobody answers any more; the one who ends the session is not held up.
#[tokio::test]
async fn a_silent_peer_cannot_keep_a_session_open() {
    for version in Version::ALL {
        let relay = Relay::new();
        let mut setup = Setup::new(version, Security::Tls);
        setup.relay = Some(relay.clone());
        let mut pair = Pair::of(setup).await;
        pair.establish().await;
        relay.kill(Kill::Silence);
        pair.side(Role::Expert).close();
        pair.side(Role::Novice).close();
        let ends = pair.ends().await;
        assert_eq!(ends, [(Some(Reason::Local), Ok(())), (Some(Reason::Local), Ok(()))]);
    }
}

/// TCP asks both machines whether they are still there: the kernel's list has a keep-alive timer for each end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn machines_that_are_gone_are_noticed_by_tcp() {
    for silence in [Some(Duration::from_secs(60)), None] {
        let mut setup = Setup::new(Version::V2, Security::Tls);
        setup.novice.keep_alive = silence;
        let mut server = setup.listen().await;
        let address = server.addresses().unwrap()[0];
        let mut pair = Pair::with(setup, &mut server).await;
        pair.establish().await;
        // Until all that was sent is acknowledged, the timers are those of sending.
        let mut timers = Vec::new();
        for _ in 0..300 {
            timers = timers_of(address.port());
            if timers.iter().all(|timer| timer.starts_with("02") || timer.starts_with("00")) {
                break;
            }
            let _ = timeout(Duration::from_millis(100), pair.event()).await;
        }
        timers.sort();
        let kinds: Vec<_> = timers.iter().map(|timer| &timer[..2]).collect();
        // The listener has none; the expert's end asks in any case.
        let wanted = if silence.is_some() { ["00", "02", "02"] } else { ["00", "00", "02"] };
        assert_eq!(kinds, wanted, "{timers:?}");
        for timer in timers.iter().filter(|timer| timer.starts_with("02")) {
            let left = u64::from_str_radix(&timer[3..], 16).unwrap();
            assert!(left <= 30 * 100, "{timer}: the first question comes too late");
        }
    }
}

/// `tr:tm->when` of the sockets of a port.
fn timers_of(port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|f| f.len() > 5 && (f[1].ends_with(&port) || f[2].ends_with(&port)))
        .map(|f| f[5].to_owned())
        .collect()
}

fn offered(id: u64, name: &str) -> Event {
    let name = FileName::new(name);
    let internal_data = FileOffer::new("", 0).internal_data;
    Event::File(FileEvent::Offered { id: TransferId(id), name, size: 3, internal_data })
}

fn data(id: u64, bytes: &[u8]) -> Event {
    Event::File(FileEvent::Data { id: TransferId(id), offset: 0, bytes: bytes.to_vec() })
}

#[test]
fn files_are_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let complete = |id| Event::File(FileEvent::Complete { id: TransferId(id) });
    let mut downloads = Downloads::new(folder.path());
    for id in 1..=3 {
        downloads.follow(&offered(id, "C:\\a\\b.txt")).unwrap();
        downloads.follow(&data(id, &[id as u8; 3])).unwrap();
        // Bytes of a transfer that nobody was asked about.
        downloads.follow(&data(77, b"contact")).unwrap();
        assert_eq!(downloads.follow(&complete(77)).unwrap(), None);
        let path = downloads.follow(&complete(id)).unwrap().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), [id as u8; 3]);
    }
    assert_eq!(names(), ["1-b.txt", "2-b.txt", "b.txt"]);
    // Empty files have no bytes.
    downloads.follow(&offered(4, "empty")).unwrap();
    assert_eq!(downloads.follow(&complete(4)).unwrap().unwrap(), folder.path().join("empty"));
    // Failed, replaced by another offer, and left behind.
    for last in [
        Event::File(FileEvent::Failed { id: TransferId(5), why: ra_session::FileFailure::WrongSize }),
        Event::File(FileEvent::Withdrawn { id: TransferId(5) }),
        offered(6, "other"),
    ] {
        downloads.follow(&offered(5, "half")).unwrap();
        downloads.follow(&data(5, b"ab")).unwrap();
        assert_eq!(names().len(), 5);
        downloads.follow(&last).unwrap();
        assert_eq!(names(), ["1-b.txt", "2-b.txt", "b.txt", "empty"]);
    }
    downloads.follow(&data(6, b"ab")).unwrap();
    drop(downloads);
    assert_eq!(names(), ["1-b.txt", "2-b.txt", "b.txt", "empty"]);
    let mut nowhere = Downloads::new(folder.path().join("not there"));
    nowhere.follow(&offered(1, "a")).unwrap();
    assert!(nowhere.follow(&data(1, b"ab")).is_err());
    assert_eq!(nowhere.follow(&complete(1)).unwrap(), None);
}

/// An expert whose novice asks and asks and reads nothing.
#[test]
fn the_error_of_a_peer_that_does_not_read_names_no_peer() {
    let text = RdpError::Protocol("it does not read what it asks for").to_string();
    assert_eq!(text, "the peer does not keep to RDP: it does not read what it asks for");
}
