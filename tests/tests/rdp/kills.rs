//! Connections that are killed at any point: both sides end, and nothing of them is left.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ra_rdp::rdp_standard_security::Methods;
use ra_rdp::{Downloads, ExpertConnection, InputEvent, NoviceServer, RdpError, Security};
use ra_session::{Attempts, ControlEvent, Event, FileOffer, Reason, Role, Version};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::pair::{LIMIT, Seen, Setup, Side};
use crate::relay::{Kill, Plan, Relay};
use crate::tools::{Random, alone, descriptors, memory, record, soak};

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
    relay: Relay,
    plan: Plan,
    /// Files that have come whole; after both of them there is nothing more to do.
    complete: AtomicU32,
}

/// One side, from its first event to its last.
async fn live(mut side: Side, folder: &Path, round: &Round) -> End {
    // Nothing will come, and nobody says so: the people give up.
    let silent = round.plan.kill == Kill::Silence;
    let mut downloads = Downloads::new(folder);
    let (mut verified, mut reason, mut given_up) = (false, None, false);
    loop {
        let seen = tokio::select! {
            seen = side.next() => seen,
            () = round.relay.killed(), if silent && !given_up && verified => {
                given_up = true;
                side.close();
                continue;
            }
        };
        side.answer(&seen);
        if let Seen::End(result) = seen {
            return End::Connected { verified, reason, result };
        }
        assert_eq!(reason, None, "an event after the last one: {seen:?}");
        let Seen::Session(event) = seen else { continue };
        if downloads.follow(&event).unwrap().is_some() && round.complete.fetch_add(1, Ordering::Relaxed) == 1
        {
            round.relay.kill(round.plan.kill);
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
async fn round(server: &mut NoviceServer, setup: Setup, plan: Plan, folder: &Path) -> [End; 2] {
    let round = Round { relay: Relay::killing(plan), plan, complete: AtomicU32::new(0) };
    let (address, task) = round.relay.start(server.addresses().unwrap()[0]).await;
    let (novice, expert) = (setup.novice_config(address), setup.expert_config(address));
    let over = Notify::new();
    let novice = async {
        let caller = tokio::select! {
            caller = server.accept() => caller.unwrap(),
            // The connection may be gone before anything has come.
            () = over.notified() => return End::Nobody,
        };
        match server.connect(caller, novice, Attempts::new(5), setup.display, setup.input).await {
            Ok(novice) => live(Side::Novice(Box::new(novice)), folder, &round).await,
            Err(e) => End::NotConnected(e),
        }
    };
    let expert = async {
        let end = match ExpertConnection::dial(expert, &setup.expert).await {
            Ok(expert) => live(Side::Expert(Box::new(expert)), folder, &round).await,
            Err(e) => End::NotConnected(e),
        };
        over.notify_one();
        end
    };
    let both = async { tokio::join!(expert, novice) };
    let (expert, novice) = timeout(LIMIT, both).await.unwrap_or_else(|_| panic!("{plan:?} hangs"));
    round.relay.release();
    timeout(LIMIT, task).await.expect("the relay hangs").unwrap();
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

/// TLS, nothing, and RC4.
const PROTECTIONS: [fn(Version) -> Setup; 3] = [
    |version| Setup::new(version, Security::Tls),
    |version| Setup::new(version, Security::Rdp),
    |version| Setup::encrypted(version, Methods::BIT_128),
];

/// Rounds one after the other with the same servers; how often each point was reached.
async fn lane(mut random: Random, rounds: u64) -> BTreeMap<&'static str, u32> {
    let folder = tempfile::tempdir().unwrap();
    let mut counts = BTreeMap::new();
    let mut servers = Vec::new();
    let setup = |kind: usize, version| {
        let mut setup = PROTECTIONS[kind](version);
        setup.novice.connect_timeout = PATIENCE;
        setup.expert.connect_timeout = PATIENCE;
        setup.handshake = Some(PATIENCE);
        setup
    };
    for kind in 0..PROTECTIONS.len() {
        servers.push(setup(kind, Version::V2).listen().await);
    }
    for number in 0..rounds {
        let kind = usize::try_from(random.below(3)).unwrap();
        let version = Version::ALL[usize::try_from(random.below(3)).unwrap()];
        let plan = plan(&mut random, number);
        let ends = round(&mut servers[kind], setup(kind, version), plan, folder.path()).await;
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
    for (kind, server) in servers.iter_mut().enumerate() {
        let before = files(folder.path());
        let plan = Plan { kill: Kill::Finish, from: Role::Expert, after: u64::MAX };
        let ends = round(server, setup(kind, Version::V2), plan, folder.path()).await;
        assert_eq!(files(folder.path()), before + 2, "{ends:?}");
    }
    counts
}

/// What a killed connection may not cost: less than any of its buffers.
const MEMORY: isize = 64 << 10;

#[tokio::test]
async fn connections_killed_at_any_point() {
    if !alone("kills::connections_killed_at_any_point") {
        return;
    }
    let (began, mut random) = (Instant::now(), Random::seeded());
    let seed = random.0;
    let rounds = if soak() { 200 } else { 20 };
    let held = || (descriptors(), tokio::runtime::Handle::current().metrics().num_alive_tasks());
    // What is made once stays.
    lane(Random(random.number()), 5).await;
    let (before, memory_before) = (held(), memory());
    let lanes: Vec<_> =
        (0..LANES).map(|_| tokio::spawn(lane(Random(random.number()), rounds / LANES))).collect();
    let mut counts = BTreeMap::new();
    for lane in lanes {
        for (name, count) in lane.await.unwrap() {
            *counts.entry(name).or_insert(0) += count;
        }
    }
    // Sockets and tasks that end on their own get a moment.
    let settled = async {
        while held() != before {
            tokio::task::yield_now().await;
        }
    };
    let settled = timeout(LIMIT, settled).await;
    assert!(settled.is_ok(), "descriptors and tasks: {before:?} before, {:?} after", held());
    let left = memory() - memory_before;
    assert!(left < MEMORY, "{left} bytes are left of {rounds} connections");
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    record(
        format_args!("{rounds} connections killed"),
        began,
        format_args!(
            "seed {seed}; sides that ended: {}; descriptors and tasks as before, {left} bytes left, no half file",
            counts.join(", ")
        ),
    );
}
