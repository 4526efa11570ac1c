//! Experts that are killed at random moments, by the network or by themselves: nothing of them is left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ra_dcom::expert::{Expert, Interfaces, Told};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bench::{Bench, ask, options};
use crate::pair::LIMIT;
use crate::relay::{Delivery, Fault, From, Kill, NOVICE, Plan, Relay};
use testkit::measure::{Random, alone, descriptors, record, soak};
use testkit::memory::memory;

/// How long both sides wait for each other.
const PATIENCE: Duration = Duration::from_millis(500);
/// Experts at the same time.
const LANES: u64 = 4;
/// What a killed expert may not cost: less than its buffers.
const MEMORY: isize = 64 << 10;

/// One expert; whether it got what it wanted.
async fn live(bench: &Bench, random: &mut Random) -> bool {
    let mut below = |end: u64| random.below(end);
    let (interfaces, told) = [(Interfaces::RaSrv, Told::RaSrv), (Interfaces::PchService, Told::PchService)]
        [usize::try_from(below(2)).unwrap()];
    let number = usize::try_from(below(40)).unwrap();
    // By itself, and then without a chance to say anything more; or by one of the network's ways.
    let itself = below(4) == 0;
    let kill = [Kill::Reset, Kill::Finish, Kill::Silence][usize::try_from(below(3)).unwrap()];
    let from = [From::Expert, From::Novice][usize::try_from(below(2)).unwrap()];
    let after = usize::try_from(below(600)).unwrap();
    let plan = (!itself).then_some(Plan { from, number, fault: Fault::Kill(after, kill) });
    let relay = Relay::start(&bench.server, plan, Delivery::WHOLE);
    let (ip, options) = (relay.address.ip().to_string(), options("eva", relay.address.port(), PATIENCE));
    let mut expert = tokio::spawn(async move {
        let expert = Expert::connect(&ip, options).await?;
        ask(&expert.with_interfaces(interfaces)).await
    });
    let dies = async {
        while !itself || relay.count() < 2 * number {
            tokio::task::yield_now().await;
        }
    };
    let end = tokio::select! {
        end = timeout(LIMIT, &mut expert) => end.expect("an expert hangs").unwrap(),
        () = dies => {
            expert.abort();
            let _aborted = expert.await;
            return false;
        }
    };
    if let Ok(answer) = &end {
        assert!(*answer == bench.right(told));
    }
    if kill == Kill::Silence && relay.hit().is_some() {
        // The novice has to see for itself.
        tokio::spawn(async move {
            tokio::time::sleep(4 * PATIENCE).await;
            drop(relay);
        });
    }
    end.is_ok()
}

async fn lanes(bench: &Arc<Bench>, random: &mut Random, experts: u64) -> u64 {
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (bench, mut random) = (Arc::clone(bench), Random(random.number()));
        lanes.spawn(async move {
            let mut answered = 0;
            for _ in 0..experts / LANES {
                answered += u64::from(live(&bench, &mut random).await);
            }
            answered
        });
    }
    let mut answered = 0;
    while let Some(lane) = lanes.join_next().await {
        answered += lane.unwrap();
    }
    answered
}

/// Until what is waited for by clocks is over: silence, and objects that nobody pings.
async fn settle(bench: &Bench, wanted: (usize, usize)) -> bool {
    let held = || (descriptors(), Handle::current().metrics().num_alive_tasks());
    let settled = async {
        bench.until(0).await;
        while held() != wanted {
            tokio::task::yield_now().await;
        }
    };
    if timeout(LIMIT, settled).await.is_err() {
        println!("descriptors and tasks: {wanted:?} before, {:?} after", held());
        return false;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(800)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
    bench.server.counts() == Default::default()
}

#[tokio::test]
async fn experts_killed_at_random_moments() {
    if !alone("kills::experts_killed_at_random_moments") {
        return;
    }
    let (began, mut random) = (Instant::now(), Random::seeded());
    let seed = random.0;
    let count = if soak() { 200 } else { 20 };
    let bench = Arc::new(Bench::new(NOVICE, 40, 0, PATIENCE).await);
    let before = (descriptors(), Handle::current().metrics().num_alive_tasks());
    // What is made once stays.
    lanes(&bench, &mut random, 20).await;
    bench.serves().await;
    assert!(settle(&bench, before).await);
    let memory_before = memory();
    let answered = lanes(&bench, &mut random, count).await;
    bench.serves().await;
    assert!(settle(&bench, before).await, "{:?}", bench.server.counts());
    let left = memory() - memory_before;
    assert!(left < MEMORY, "{left} bytes are left of {count} experts");
    record(
        format_args!("{count} experts killed"),
        began,
        format_args!(
            "seed {seed}; {answered} were answered before; descriptors and tasks as before, no object, {left} bytes left"
        ),
    );
}
