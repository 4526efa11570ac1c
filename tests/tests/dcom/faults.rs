//! What may happen to any PDU on its way happens: every call ends in a typed error or in the right answer, never in a wrong
//! one, nothing waits for ever, nobody else notices, and nothing is left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ra_dcom::expert::{Expert, ExpertError, Interfaces, Told};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bench::{Answer, Bench, PATIENT, ask, options};
use crate::pair::LIMIT;
use crate::relay::{Delivery, Fault, From, Kill, NOVICE, Plan, Relay, Seen};
use testkit::measure::{Random, record, soak};

/// How long both sides wait for each other where nothing but that ends a conversation ..
const SHORT: Duration = Duration::from_millis(300);
/// .. and where some conversations end so.
const LONG: Duration = Duration::from_secs(1);
/// Conversations at the same time.
const LANES: usize = 8;

/// By which interface an expert asks, and of how many sessions: the answer of IRASrv has several fragments.
const CONVERSATIONS: [(Interfaces, Told, u32); 2] =
    [(Interfaces::RaSrv, Told::RaSrv, 300), (Interfaces::PchService, Told::PchService, 2)];

/// One conversation, through a relay.
async fn converse(relay: &Relay, interfaces: Interfaces, patience: Duration) -> Result<Answer, ExpertError> {
    let options = options("eva", relay.address.port(), patience);
    let asked = async {
        let expert = Expert::connect(&relay.address.ip().to_string(), options).await?;
        ask(&expert.with_interfaces(interfaces)).await
    };
    timeout(LIMIT, asked).await.unwrap_or_else(|_| panic!("an expert hangs: {:?}", relay.hit()))
}

/// The PDUs of a conversation to which nothing happens.
async fn untouched(bench: &Bench, interfaces: Interfaces, told: Told) -> Vec<Seen> {
    let relay = Relay::start(&bench.server, None, Delivery::WHOLE);
    let answer = converse(&relay, interfaces, PATIENT).await.unwrap();
    assert!(answer == bench.right(told));
    bench.until_released().await;
    relay.seen()
}

/// Whether a conversation may only fail: what was harmed is signed, and its failure is told.
fn must_fail(plan: &Plan, hit: &Seen) -> bool {
    let told = hit.is_signed() && !hit.release;
    match plan.fault {
        Fault::Flip { .. } | Fault::Drop | Fault::Bare => told,
        Fault::Kill(after, _) => told && after < hit.bytes.len(),
        // The whole PDU was there, or comes too late.
        Fault::Insert(_) | Fault::Repeat | Fault::Late => false,
    }
}

/// How the conversations ended.
type Ends = BTreeMap<&'static str, u32>;

fn judge(
    (bench, told, patience): (&Bench, Told, Duration),
    plan: &Plan,
    hit: Option<&Seen>,
    end: &Result<Answer, ExpertError>,
) -> &'static str {
    let fails = hit.is_some_and(|hit| must_fail(plan, hit));
    match end {
        Ok(answer) => {
            assert!(*answer == bench.right(told), "{plan:?} has changed an answer");
            assert!(!fails, "{plan:?} was not noticed");
            if hit.is_some() { "right answers all the same" } else { "not reached" }
        }
        // A busy machine can be slower than that.
        Err(ExpertError::Connecting(_) | ExpertError::Rpc { .. }) if hit.is_none() && patience < PATIENT => {
            "not reached in time"
        }
        Err(error) => {
            assert!(hit.is_some(), "{plan:?} has not happened, and yet: {error:?}");
            match error {
                ExpertError::Connecting(_) | ExpertError::Rpc { .. } => "errors of the connection",
                // Only calls without signature can be changed at all: ServerAlive2.
                ExpertError::Answer { .. }
                | ExpertError::Protocol { .. }
                | ExpertError::Version
                | ExpertError::Resolver { .. } => "errors of an answer without signature",
                ExpertError::Unreachable { .. } => "errors while connecting",
                other => panic!("{plan:?}: {other:?}"),
            }
        }
    }
}

/// Nothing is left of all connections, and of their objects after three missed pings.
async fn nothing_is_left(bench: &Bench, tasks: usize) {
    bench.until(0).await;
    let settled = async {
        while Handle::current().metrics().num_alive_tasks() != tasks {
            tokio::task::yield_now().await;
        }
    };
    let settled = timeout(LIMIT, settled).await;
    assert!(settled.is_ok(), "{} tasks instead of {tasks}", Handle::current().metrics().num_alive_tasks());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(800)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.server.counts(), Default::default());
    assert_eq!(bench.tally.panics.load(std::sync::atomic::Ordering::Relaxed), 0);
}

/// Plans for the PDUs of a conversation, each carried out.
async fn suffer(what: &str, patience: Duration, mut plans: impl FnMut(&[Seen]) -> Vec<Plan>) {
    let began = Instant::now();
    let mut ends = Ends::new();
    let mut count = 0;
    for (interfaces, told, sessions) in CONVERSATIONS {
        let bench = Arc::new(Bench::new(NOVICE, sessions, 0, patience).await);
        let seen = untouched(&bench, interfaces, told).await;
        bench.until(0).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let plans = plans(&seen);
        count += plans.len();
        let queue = Arc::new(Mutex::new(plans));
        let mut lanes = JoinSet::new();
        for _ in 0..LANES {
            let (bench, queue) = (Arc::clone(&bench), Arc::clone(&queue));
            lanes.spawn(async move {
                let (mut ends, mut silent) = (Ends::new(), Vec::new());
                loop {
                    let Some(plan) = queue.lock().unwrap().pop() else { return (ends, silent) };
                    let relay = Relay::start(&bench.server, Some(plan.clone()), Delivery::WHOLE);
                    let end = converse(&relay, interfaces, patience).await;
                    let end = judge((&bench, told, patience), &plan, relay.hit().as_ref(), &end);
                    *ends.entry(end).or_default() += 1;
                    if let Fault::Kill(_, Kill::Silence) = plan.fault {
                        silent.push(relay);
                    }
                }
            });
        }
        let mut silent = Vec::new();
        while let Some(lane) = lanes.join_next().await {
            let (of_lane, relays) = lane.unwrap();
            silent.push(relays);
            for (end, number) in of_lane {
                *ends.entry(end).or_default() += number;
            }
        }
        bench.serves().await;
        // The novice gets no end of connections that are silent, and has to see for itself.
        bench.until(0).await;
        drop(silent);
        nothing_is_left(&bench, tasks).await;
        tokio::time::resume();
    }
    let ends: Vec<_> = ends.iter().map(|(end, number)| format!("{number} {end}")).collect();
    record(format_args!("{count} PDUs {what}"), began, ends.join(", "));
}

/// Every PDU of both directions with its number.
fn all(seen: &[Seen]) -> impl Iterator<Item = (From, usize, &Seen)> {
    [From::Expert, From::Novice].into_iter().flat_map(move |from| {
        let mine = seen.iter().filter(move |seen| seen.from == from);
        mine.enumerate().map(move |(number, seen)| (from, number, seen))
    })
}

fn place(random: &mut Random, len: usize) -> usize {
    usize::try_from(random.below(u64::try_from(len).unwrap())).unwrap()
}

#[tokio::test]
async fn cut_at_every_pdu_and_inside_each() {
    let mut random = Random::seeded();
    let inside = if soak() { 10 } else { 1 };
    suffer("cut", PATIENT, |seen| {
        let mut plans = Vec::new();
        for (from, number, seen) in all(seen) {
            let mut cut = |after, kill| plans.push(Plan { from, number, fault: Fault::Kill(after, kill) });
            for kill in [Kill::Reset, Kill::Finish] {
                cut(0, kill);
                for _ in 0..inside {
                    cut(1 + place(&mut random, seen.bytes.len() - 1), kill);
                }
            }
        }
        plans
    })
    .await;
}

#[tokio::test]
async fn silence_at_every_pdu_and_inside_each() {
    let mut random = Random::seeded();
    suffer("silence", SHORT, |seen| {
        let mut plans = Vec::new();
        for (from, number, seen) in all(seen).filter(|(_, number, _)| soak() || number % 5 == 0) {
            for after in [0, 1 + place(&mut random, seen.bytes.len() - 1)] {
                plans.push(Plan { from, number, fault: Fault::Kill(after, Kill::Silence) });
            }
        }
        plans
    })
    .await;
}

#[tokio::test]
async fn flipped_bits() {
    let mut random = Random::seeded();
    let each = if soak() { 50 } else { 2 };
    suffer("with another bit", LONG, |seen| {
        let mut plans = Vec::new();
        for (from, number, seen) in all(seen) {
            for _ in 0..each {
                let (byte, bit) = (place(&mut random, seen.bytes.len()), random.below(8) as u8);
                plans.push(Plan { from, number, fault: Fault::Flip { byte, bit } });
            }
        }
        plans
    })
    .await;
}

#[tokio::test]
async fn repeated_dropped_late_and_without_signature() {
    suffer("repeated, dropped, late or bare", SHORT, |seen| {
        let mut plans = Vec::new();
        for (from, number, _) in all(seen).filter(|(_, number, _)| soak() || number % 2 == 0) {
            for fault in [Fault::Repeat, Fault::Drop, Fault::Late, Fault::Bare] {
                plans.push(Plan { from, number, fault });
            }
        }
        plans
    })
    .await;
}

#[tokio::test]
async fn garbage_between_fragments() {
    let mut random = Random::seeded();
    let each = if soak() { 20 } else { 1 };
    suffer("behind garbage", LONG, |conversation| {
        let mut plans = Vec::new();
        for (from, number, seen) in all(conversation) {
            let mut insert = |bytes| plans.push(Plan { from, number, fault: Fault::Insert(bytes) });
            for _ in 0..each {
                insert((0..1 + random.below(64)).map(|_| random.number() as u8).collect());
            }
            // What looks right: PDUs of every type, of the call under way, without signature.
            let packet_type = u8::try_from(random.below(21)).unwrap();
            let mut bytes = seen.bytes[..16].to_vec();
            (bytes[2], bytes[3]) = (packet_type, 3);
            bytes.extend([0; 16]);
            bytes[8..12].copy_from_slice(&[32, 0, 0, 0]);
            insert(bytes);
            // PDUs of another place of the conversation.
            let other = &conversation[place(&mut random, conversation.len())];
            insert(other.bytes.clone());
        }
        plans
    })
    .await;
}

#[tokio::test]
async fn pieces_of_any_size_and_calls_at_once() {
    for (interfaces, told, sessions) in CONVERSATIONS {
        let bench = Bench::new(NOVICE, sessions, 0, PATIENT).await;
        for merged in [false, true] {
            for pieces in [1, 7, 1001, usize::MAX] {
                let relay = Relay::start(&bench.server, None, Delivery { pieces, merged });
                let answer = converse(&relay, interfaces, PATIENT).await.unwrap();
                assert!(answer == bench.right(told), "pieces of {pieces}, merged: {merged}");
                bench.until_released().await;
            }
        }
        bench.until(0).await;
        let merged = Relay::start(&bench.server, None, Delivery::WHOLE);
        converse(&merged, interfaces, PATIENT).await.unwrap();
        let fragments =
            merged.seen().iter().filter(|seen| seen.bytes[2] == 2 && seen.bytes[3] & 2 == 0).count();
        assert!(fragments > 0 || told == Told::PchService, "an answer was to have several fragments");
    }
}

/// Both ports can be cut; the expert then goes on to the other interface, or says why not.
#[tokio::test]
async fn another_interface_is_asked_when_the_first_is_cut_off() {
    let bench = Bench::new(NOVICE, 3, 0, PATIENT).await;
    let seen = untouched(&bench, Interfaces::Both, Told::RaSrv).await;
    let mut told = [0, 0, 0];
    for (from, number, _) in all(&seen) {
        let plan = Plan { from, number, fault: Fault::Kill(0, Kill::Finish) };
        let relay = Relay::start(&bench.server, Some(plan.clone()), Delivery::WHOLE);
        let end = converse(&relay, Interfaces::Both, PATIENT).await;
        let by = match end {
            Ok(answer) => {
                let by = answer.0[0].told;
                assert!(answer == bench.right(by), "{plan:?}");
                usize::from(by == Told::PchService)
            }
            Err(ExpertError::Rpc { .. } | ExpertError::Connecting(_)) => 2,
            Err(error) => panic!("{plan:?}: {error:?}"),
        };
        told[by] += 1;
    }
    assert!(told.iter().all(|count| *count > 0), "{told:?}");
    bench.serves().await;
}
