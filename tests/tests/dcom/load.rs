//! Much of it: activations, experts and contexts in numbers, with constant memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ndr_oaut::{ByteOrder, ComVersion, OrpcThis};
use ra_dcom::calls::{
    Body, Direction, GetSessionInfoRequest, IID_IPCHSERVICE, IID_IRASRV, IID_IREMUNKNOWN, Message, Method,
    Request, Response, StubFormat,
};
use ra_dcom::expert::{Expert, Interfaces, Machine, RaSrv, Told};
use remassist_core::{DecodeOptions, Encode as _};
use rpc_net::{Connection, SyntaxId};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::bench::{Bench, PATIENT, ask, options};
use crate::pair::LIMIT;
use testkit::measure::{alone, record, soak};
use testkit::memory::memory;

/// What any number of activations may leave in memory: less than a hundred objects.
const MEMORY: isize = 32 << 10;

/// Pages of the process that are in memory, in bytes.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split_whitespace().nth(1)?.parse::<usize>().ok().map(|pages| pages << 12)
}

async fn machine(bench: &Bench) -> Machine {
    let address = bench.resolver();
    Machine::connect(&address.ip().to_string(), options("eva", address.port(), PATIENT)).await.unwrap()
}

/// Activations one after the other, whose objects are given back by a call of their own or with those of others.
async fn activate(bench: &Bench, count: u32, waits: bool) {
    let machine = machine(bench).await;
    for number in 0..count {
        let object = RaSrv::activate(&machine, None).await.unwrap();
        if waits {
            object.release().await.unwrap();
            assert_eq!(bench.server.counts().objects, 0);
        } else {
            drop(object);
            // Those given back late are few at any time.
            assert!(bench.server.counts().objects < 100, "{number}: {:?}", bench.server.counts());
        }
    }
    bench.until_released().await;
}

#[tokio::test]
async fn ten_thousand_activations() {
    if !alone("load::ten_thousand_activations") {
        return;
    }
    let count = if soak() { 10_000 } else { 500 };
    let bench = Bench::local(3, 0).await;
    for (waits, how) in [(true, "released"), (false, "dropped")] {
        // What is made once stays.
        activate(&bench, 100, waits).await;
        bench.until(0).await;
        let (began, before, resident_before) = (Instant::now(), memory(), resident());
        activate(&bench, count, waits).await;
        bench.until(0).await;
        let left = memory() - before;
        assert!(left < MEMORY, "{left} bytes are left of {count} activations");
        let more = resident().zip(resident_before).map(|(now, then)| now.saturating_sub(then));
        // The allocator keeps some; a leak of one object each would be more.
        assert!(more.is_none_or(|more| more < 4 << 20), "{more:?} bytes more are resident");
        record(
            format_args!("{count} activations, {how}"),
            began,
            format_args!("{left} bytes left, {} more resident, no object", more.unwrap_or_default()),
        );
        assert_eq!(bench.server.counts().interfaces, 0);
    }
}

/// A connection, an account and a conversation for each.
#[tokio::test]
async fn two_hundred_experts_at_once() {
    let count = if soak() { 200 } else { 20 };
    let began = Instant::now();
    let bench = Arc::new(Bench::local(50, count).await);
    let tasks = Handle::current().metrics().num_alive_tasks();
    let mut experts = JoinSet::new();
    for number in 0..count {
        let bench = Arc::clone(&bench);
        let told = if number % 4 == 0 { Told::PchService } else { Told::RaSrv };
        experts.spawn(async move {
            let address = bench.resolver();
            let options = options(&format!("eva{number}"), address.port(), PATIENT);
            let expert = Expert::connect(&address.ip().to_string(), options).await.unwrap();
            let interfaces = if told == Told::RaSrv { Interfaces::RaSrv } else { Interfaces::PchService };
            let answer = ask(&expert.with_interfaces(interfaces)).await.unwrap();
            assert!(answer == bench.right(told));
        });
    }
    let all = async {
        while let Some(expert) = experts.join_next().await {
            expert.unwrap();
        }
    };
    timeout(2 * LIMIT, all).await.expect("an expert hangs");
    bench.until_released().await;
    bench.until(0).await;
    let settled = async {
        while Handle::current().metrics().num_alive_tasks() != tasks {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, settled).await.expect("tasks are left");
    assert_eq!(bench.server.counts(), Default::default());
    record(format_args!("{count} experts at once"), began, "all answered, nothing left");
}

/// Each presentation context with a security context of its own; earlier ones stay usable.
#[tokio::test]
async fn ten_contexts_on_one_connection() {
    let bench = Bench::local(30, 0).await;
    let machine = machine(&bench).await;
    let object = RaSrv::activate(&machine, None).await.unwrap();
    let connect = options("eva", 0, PATIENT).connect;
    let connection = Connection::connect(bench.server.object_addrs()[0], &connect).await.unwrap();
    let mut contexts = Vec::new();
    for number in 0..10 {
        // Others stand between them.
        let other = [IID_IREMUNKNOWN, IID_IPCHSERVICE][number % 2];
        contexts.push((
            connection.interface(SyntaxId::new(IID_IRASRV, 0, 0)).await.unwrap(),
            connection.interface(SyntaxId::new(other, 0, 0)).await.unwrap(),
        ));
    }
    let version = ComVersion { major: 5, minor: 7 };
    let this = OrpcThis { version, flags: 0, reserved1: 0, cid: Uuid::max(), extensions: None };
    let parameters = Request::GetSessionInfo(GetSessionInfoRequest::default());
    let stub = Message::new(Body::Request { this: Some(this), parameters }).to_vec().unwrap();
    let method = Method::GetSessionInfo;
    for round in 0..3_usize {
        for number in 0..10 {
            let (interface, other) = &contexts[number * 7 % 10];
            let ipid = Some(object.object().ipid());
            let reply = interface.call(method.opnum(), ipid, stub.clone()).await.unwrap();
            let format =
                StubFormat { byte_order: ByteOrder::Little, ..StubFormat::of(method, Direction::Response) };
            let answer = Message::read(method, format, &reply.stub, &DecodeOptions::STRICT).unwrap().value;
            let Body::Response { parameters: Response::GetSessionInfo(answer), .. } = answer.body else {
                panic!()
            };
            assert_eq!(answer.user_names.sessions().count(), 30, "round {round}, context {number}");
            // The object has no such interface, and the context goes on.
            assert!(other.call(99, ipid, Vec::new()).await.is_err());
        }
    }
    object.release().await.unwrap();
    bench.until_released().await;
}

/// The clock goes on, and everybody does what is due.
async fn pass(minutes: u64) {
    for _ in 0..2 * minutes {
        tokio::time::advance(Duration::from_secs(30)).await;
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

/// What an expert holds lives as long as it pings, and goes when the expert is gone without a word.
#[tokio::test]
async fn objects_live_as_long_as_somebody_pings() {
    let bench = Bench::new(std::net::Ipv4Addr::LOCALHOST, 3, 0, Duration::from_secs(100_000)).await;
    let port = bench.resolver().port();
    let count = if soak() { 1000 } else { 50 };
    // This one pings.
    let machine =
        Machine::connect("127.0.0.1", options("eva", port, Duration::from_secs(100_000))).await.unwrap();
    let held = RaSrv::activate(&machine, None).await.unwrap();
    // This one is in a runtime of its own, in which nothing happens any more when it is gone.
    let gone = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let objects = runtime.block_on(async {
            let machine = Machine::connect("127.0.0.1", options("eva", port, PATIENT)).await.unwrap();
            let mut objects = Vec::new();
            for _ in 0..count {
                objects.push(RaSrv::activate(&machine, None).await.unwrap());
            }
            objects
        });
        drop(runtime);
        drop(objects);
    });
    let activated = async {
        while !gone.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, activated).await.expect("activations hang");
    gone.join().unwrap();
    bench.until(2).await;
    assert_eq!(bench.server.counts().objects, 1 + count);
    tokio::time::pause();
    pass(5).await;
    assert_eq!(bench.server.counts().objects, 1 + count, "three pings may be missed");
    pass(3).await;
    assert_eq!(bench.server.counts().objects, 1);
    assert_eq!(bench.server.counts().sets, 1);
    pass(30).await;
    assert_eq!(bench.server.counts().objects, 1, "it is pinged");
    assert_eq!(held.get_session_info().await.unwrap().len(), 3);
    drop((held, machine));
    pass(10).await;
    assert_eq!(bench.server.counts(), Default::default());
}
