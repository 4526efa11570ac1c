//! Connections that are killed at any point: both sides end, and nothing of them is left. One test, as it counts what the
//! process holds.

mod common;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::relay::{Kill, Plan, Relay};
use common::{LIMIT, PASSWORD, Random, Seen, Side, credentials, soak};
use ra_rdp::{
    Downloads, ExpertConnection, ExpertOptions, InputEvent, NoInput, NoviceServer, RdpError, Security,
    test_picture,
};
use ra_session::{Attempts, ControlEvent, Event, ExpertConfig, FileOffer, NoviceConfig, Reason};
use ra_session::{Role, Version};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// How long a silent connection may take to connect, and a silent session to begin.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Rounds at the same time.
const LANES: u64 = 4;
const FILE: usize = 500_000;

/// How a side ended.
#[derive(Debug)]
enum End {
    /// Nobody called.
    Nobody,
    /// There was no connection.
    NotConnected(RdpError),
    /// There was one, and this is what it said last.
    Connected { verified: bool, reason: Option<Reason>, result: Result<(), RdpError> },
}

/// What both sides of a round share.
struct Round {
    killed: watch::Receiver<bool>,
    /// Nothing will come, and nobody says so: the people give up.
    silent: bool,
    /// Files that have come whole; after both of them there is nothing more to do.
    complete: AtomicU32,
    now: Arc<Notify>,
}

/// One side, from its first event to its last.
async fn live(mut side: Side, folder: &Path, round: &Round) -> End {
    let mut killed = round.killed.clone();
    let mut downloads = Downloads::new(folder);
    let (mut verified, mut reason, mut given_up) = (false, None, false);
    loop {
        let next = tokio::select! {
            next = side.next() => next,
            Ok(_) = killed.wait_for(|killed| *killed), if round.silent && !given_up && verified => {
                given_up = true;
                side.close();
                continue;
            }
        };
        let seen = match next {
            Ok(Some(seen)) => seen,
            Ok(None) => return End::Connected { verified, reason, result: Ok(()) },
            Err(e) => return End::Connected { verified, reason, result: Err(e) },
        };
        assert_eq!(reason, None, "an event after the last one: {seen:?}");
        let Seen::Session(event) = seen else { continue };
        if downloads.follow(&event).unwrap().is_some() && round.complete.fetch_add(1, Ordering::Relaxed) == 1
        {
            round.now.notify_one();
        }
        match (&mut side, event) {
            (_, Event::Closed(why)) => reason = Some(why),
            // From here on only people are waited for.
            (_, Event::Verified) => verified = true,
            (Side::Expert(expert), Event::Established(_)) => {
                expert.session().request_control().unwrap();
                side.say("Hello");
                side.send_file(FileOffer::new("of the expert", FILE as u64), Random(1));
            }
            (Side::Novice(_), Event::Established(_)) => {
                side.say("Hej");
                side.send_file(FileOffer::new("of the novice", FILE as u64), Random(2));
            }
            (Side::Expert(expert), Event::Control(ControlEvent::Granted)) => {
                expert.send_input(&[InputEvent::Pointer { x: 1, y: 2 }]).unwrap();
            }
            _ => {}
        }
    }
}

/// One connection, and how both sides ended.
async fn round(
    server: &mut NoviceServer,
    version: Version,
    security: Security,
    plan: Plan,
    folder: &Path,
) -> [End; 2] {
    let relay = Relay::new(server.addresses().unwrap()[0], plan).await;
    let round = Round {
        killed: relay.killed.clone(),
        silent: plan.kill == Kill::Silence,
        complete: AtomicU32::new(0),
        now: Arc::clone(&relay.now),
    };
    let over = Notify::new();
    let novice = async {
        let mut config = NoviceConfig::new([credentials(version, relay.address, PASSWORD)]);
        config.options.handshake_timeout = Some(PATIENCE);
        let caller = tokio::select! {
            caller = server.accept() => caller.unwrap(),
            // The connection may be gone before anything has come.
            () = over.notified() => return End::Nobody,
        };
        let display = Box::new(test_picture(202, 150));
        match server.connect(caller, config, Attempts::new(5), display, Box::new(NoInput)).await {
            Ok(novice) => live(Side::Novice(Box::new(novice)), folder, &round).await,
            Err(e) => End::NotConnected(e),
        }
    };
    let expert = async {
        let mut config = ExpertConfig::new(credentials(version, relay.address, PASSWORD));
        config.options.handshake_timeout = Some(PATIENCE);
        let mut options = ExpertOptions::default();
        options.security = security;
        options.standard.as_mut().unwrap().allow_unencrypted = true;
        options.connect_timeout = PATIENCE;
        let end = match ExpertConnection::dial(config, &options).await {
            Ok(expert) => live(Side::Expert(Box::new(expert)), folder, &round).await,
            Err(e) => End::NotConnected(e),
        };
        over.notify_one();
        end
    };
    let both = async { tokio::join!(expert, novice) };
    let (expert, novice) =
        timeout(LIMIT, both).await.unwrap_or_else(|_| panic!("{version:?} {plan:?} hangs"));
    relay.release.notify_one();
    timeout(LIMIT, relay.task).await.expect("the relay hangs").unwrap();
    [expert, novice]
}

/// Where a connection is killed: in the handshakes of RDP and TLS, in session initialization, in the first picture, in the
/// files.
fn plan(random: &mut Random, number: u64) -> Plan {
    let (from, to) = [(0, 300), (300, 3_000), (3_000, 12_000), (12_000, 100_000), (100_000, 600_000)]
        [usize::try_from(number % 5).unwrap()];
    let kill = [Kill::Reset, Kill::Finish, Kill::Silence][usize::try_from(random.below(3)).unwrap()];
    let side = if random.below(2) == 0 { Role::Expert } else { Role::Novice };
    Plan { kill, from: side, after: from + random.below(to - from) }
}

/// Whole files under their names, and nothing else; how many.
fn files(folder: &Path) -> usize {
    let whole: Vec<Vec<u8>> = [1, 2].map(bytes).into();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let content = std::fs::read(entry.path()).unwrap();
        let seed = usize::from(name.ends_with("novice"));
        assert!(name.ends_with("of the expert") || name.ends_with("of the novice"), "{name} is left over");
        assert!(content == whole[seed], "{name} is not whole");
        count += 1;
    }
    count
}

fn bytes(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; FILE];
    Random(seed).read_exact(&mut bytes).unwrap();
    bytes
}

/// What a side may say after its connection was killed.
fn judge(plan: Plan, end: &End) {
    let (verified, reason, result) = match end {
        End::Nobody => return,
        End::NotConnected(e) => {
            use RdpError::{Configuration, Session, Unreachable};
            assert!(!matches!(e, Configuration(_) | Session(_) | Unreachable(_)), "{plan:?}: {e:?}");
            return;
        }
        End::Connected { verified, reason, result } => (*verified, *reason, result),
    };
    let reason = reason.unwrap_or_else(|| panic!("{plan:?}: no reason"));
    match reason {
        Reason::ConnectionLost => {}
        // Silence is noticed by the one who waits, or by people; the end that it tells may still get through.
        Reason::TimedOut => assert!(plan.kill == Kill::Silence && !verified, "{plan:?}: {end:?}"),
        Reason::Local => assert!(plan.kill == Kill::Silence && verified, "{plan:?}: {end:?}"),
        other => panic!("{plan:?}: {other:?}"),
    }
    if let Err(e) = result {
        assert!(matches!(e, RdpError::Io(_) | RdpError::Tls), "{plan:?}: {e:?}");
    }
}

/// Rounds one after the other with the same server; how often each point was reached.
async fn lane(mut random: Random, rounds: u64) -> BTreeMap<&'static str, u32> {
    let folder = tempfile::tempdir().unwrap();
    let mut counts = BTreeMap::new();
    for security in [Security::Tls, Security::Rdp] {
        let mut server = common::server(|options| {
            options.security = security;
            options.connect_timeout = PATIENCE;
        })
        .await;
        for number in 0..rounds / 2 {
            let version = Version::ALL[usize::try_from(random.below(3)).unwrap()];
            let plan = plan(&mut random, number);
            let ends = round(&mut server, version, security, plan, folder.path()).await;
            files(folder.path());
            for end in &ends {
                judge(plan, end);
                let name = match end {
                    End::Nobody => "before the first message",
                    End::NotConnected(_) => "while connecting",
                    End::Connected { verified: false, .. } => "before the session",
                    End::Connected { .. } => "in the session",
                };
                *counts.entry(name).or_insert(0) += 1;
            }
        }
        // The next expert is served as if nothing had happened.
        let before = files(folder.path());
        let plan = Plan { kill: Kill::Finish, from: Role::Expert, after: u64::MAX };
        let ends = round(&mut server, Version::V2, security, plan, folder.path()).await;
        assert_eq!(files(folder.path()), before + 2, "{ends:?}");
    }
    counts
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[tokio::test]
async fn connections_killed_at_any_point() {
    let mut random = Random::seeded();
    let rounds = if soak() { 200 } else { 24 };
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = (descriptors(), tasks());
    let lanes: Vec<_> =
        (0..LANES).map(|_| tokio::spawn(lane(Random(random.number()), rounds / LANES))).collect();
    let mut counts = BTreeMap::new();
    for lane in lanes {
        for (name, count) in lane.await.unwrap() {
            *counts.entry(name).or_insert(0) += count;
        }
    }
    println!("{rounds} connections killed; both sides: {counts:?}");
    // Sockets and tasks that end on their own get a moment.
    let settled = async {
        while (descriptors(), tasks()) != before {
            tokio::task::yield_now().await;
        }
    };
    let settled = timeout(Duration::from_secs(30), settled).await;
    assert!(
        settled.is_ok(),
        "descriptors and tasks: {before:?} before, {:?} after",
        (descriptors(), tasks())
    );
}
