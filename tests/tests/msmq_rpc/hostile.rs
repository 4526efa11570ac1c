//! Who may not, and what is too much.

use comqc_msmq::mqmr::{Management, MgmtObject};
use comqc_msmq::mqrr::{
    MQ_DENY_SHARE, PEEK_ACCESS, RECEIVE_ACCESS, RemoteRead, SectionBuffer, SectionType, StartReceive, action,
    join,
};
use comqc_msmq::rpc::{ContextHandle, MqStatus, QueueFormat, RpcError};
use rpc_net::{AuthLevel, ConnectOptions, Error, Status};
use testkit::measure::{Random, soak};
use uuid::Uuid;

use crate::setup::{House, credentials, options};

const ORDERS: &str = "OS:box\\private$\\orders";

async fn connected(house: &House, options: &ConnectOptions) -> RemoteRead {
    RemoteRead::connect("127.0.0.1", Some(house.port()), options).await.unwrap()
}

async fn open(read: &RemoteRead, name: &str, access: u32, share: u32) -> Result<ContextHandle, MqStatus> {
    let opened = read.open_queue(QueueFormat::direct(name), access, share, Uuid::nil()).await;
    opened.map_err(|error| error.status().unwrap())
}

#[tokio::test]
async fn nobody_and_the_badly_protected_are_refused() {
    let house = House::new().await;
    let denied = Err(MqStatus(Status::ACCESS_DENIED.0));
    assert_eq!(open(&connected(&house, &ConnectOptions::default()).await, ORDERS, 1, 0).await, denied);
    for level in [AuthLevel::CONNECT, AuthLevel::INTEGRITY] {
        let mut weak = credentials("ann");
        weak.level = level;
        assert_eq!(open(&connected(&house, &weak).await, ORDERS, 1, 0).await, denied, "{level}");
        let manager = Management::connect("127.0.0.1", Some(house.port()), &weak).await.unwrap();
        let refused = manager.get_info(MgmtObject::Machine(0), &[1]).await.unwrap_err();
        assert_eq!(refused.status(), Some(MqStatus(Status::ACCESS_DENIED.0)));
    }
    // Integrity where it is configured, and never less.
    let mut integrity = options();
    integrity.minimum_level = AuthLevel::NONE;
    let house = House::with(integrity, |manager| manager).await;
    let mut weak = credentials("ann");
    weak.level = AuthLevel::INTEGRITY;
    assert!(open(&connected(&house, &weak).await, ORDERS, 1, 0).await.is_ok());
    assert_eq!(open(&connected(&house, &ConnectOptions::default()).await, ORDERS, 1, 0).await, denied);
}

#[tokio::test]
async fn rights_are_those_of_the_account_and_the_queue() {
    let house = House::new().await;
    let denied = Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    let bob = connected(&house, &credentials("bob")).await;
    assert!(open(&bob, ORDERS, RECEIVE_ACCESS, 0).await.is_ok());
    assert_eq!(open(&bob, "OS:box\\private$\\other", PEEK_ACCESS, 0).await, denied);
    for user in ["eve", "sue"] {
        let read = connected(&house, &credentials(user)).await;
        for access in [RECEIVE_ACCESS, PEEK_ACCESS] {
            assert_eq!(open(&read, ORDERS, access, 0).await, denied, "{user}");
        }
    }
    house.fill(&["one"]);
    let context = open(&bob, ORDERS, PEEK_ACCESS, 0).await.unwrap();
    let receive = bob.start_receive(context, StartReceive::default()).await.unwrap_err();
    assert_eq!(receive.status(), Some(MqStatus::MQ_ERROR_ACCESS_DENIED));
    let purge = bob.purge_queue(context).await.unwrap_err();
    assert_eq!(purge.status(), Some(MqStatus::STATUS_ACCESS_DENIED));
}

#[tokio::test]
async fn names_of_nothing_and_numbers_that_are_none_are_refused() {
    let house = House::new().await;
    let ann = connected(&house, &credentials("ann")).await;
    for name in [
        "OS:elsewhere\\private$\\orders",
        "OS:box\\orders",
        "OS:box\\private$\\nothing",
        "OS:box\\private$\\orders;sub",
        "OS:box\\SYSTEM$;DEADXACT",
    ] {
        assert_eq!(open(&ann, name, 1, 0).await, Err(MqStatus::MQ_ERROR_QUEUE_NOT_FOUND), "{name}");
    }
    assert_eq!(open(&ann, "orders", 1, 0).await, Err(MqStatus::MQ_ERROR_ILLEGAL_FORMATNAME));
    let invalid = Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    for access in [0, 2, 3, 0x21, u32::MAX] {
        assert_eq!(open(&ann, ORDERS, access, 0).await, invalid);
    }
    assert_eq!(open(&ann, ORDERS, 1, 2).await, invalid);
    let context = open(&ann, ORDERS, 1, 0).await.unwrap();
    house.fill(&["one"]);
    for wrong in [
        StartReceive { action: 1, ..StartReceive::default() },
        StartReceive { action: action::PEEK_NEXT, ..StartReceive::default() },
        StartReceive { action: action::PEEK_CURRENT, lookup_id: 1, ..StartReceive::default() },
        StartReceive { action: action::LOOKUP_PEEK_CURRENT, ..StartReceive::default() },
        StartReceive {
            action: action::LOOKUP_PEEK_CURRENT,
            lookup_id: 1,
            timeout: 1,
            ..StartReceive::default()
        },
        StartReceive { action: action::LOOKUP_PEEK_NEXT, lookup_id: 1, cursor: 1, ..StartReceive::default() },
    ] {
        let refused = ann.start_receive(context, wrong).await.unwrap_err();
        assert_eq!(refused.status(), Some(MqStatus::MQ_ERROR_INVALID_PARAMETER), "{wrong:?}");
    }
    let unknown =
        StartReceive { action: action::LOOKUP_PEEK_CURRENT, lookup_id: 99, ..StartReceive::default() };
    let refused = ann.start_receive(context, unknown).await.unwrap_err();
    assert_eq!(refused.status(), Some(MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND));
}

#[tokio::test]
async fn handles_of_others_are_none() {
    let house = House::new().await;
    house.fill(&["one"]);
    let bob = connected(&house, &credentials("bob")).await;
    let context = open(&bob, ORDERS, 1, 0).await.unwrap();
    let held = StartReceive { request_id: 5, ..StartReceive::default() };
    assert!(bob.start_receive(context, held).await.unwrap().is_some());
    let mismatch = Some(MqStatus(Status::CONTEXT_MISMATCH.0));
    // Another account, and the same one on another connection.
    for user in ["ann", "bob"] {
        let other = connected(&house, &credentials(user)).await;
        let peek = StartReceive { action: action::PEEK_CURRENT, ..StartReceive::default() };
        assert_eq!(other.start_receive(context, peek).await.unwrap_err().status(), mismatch);
        assert_eq!(other.end_receive(context, 5, true).await.unwrap_err().status(), mismatch);
        assert_eq!(other.close_queue(context).await.unwrap_err().status(), mismatch);
        assert_eq!(other.purge_queue(context).await.unwrap_err().status(), mismatch);
        assert_eq!(other.create_cursor(context).await.unwrap_err().status(), mismatch);
    }
    for made_up in [ContextHandle::NULL, ContextHandle::new(Uuid::max())] {
        assert_eq!(bob.close_queue(made_up).await.unwrap_err().status(), mismatch);
    }
    bob.end_receive(context, 5, true).await.unwrap();
    assert_eq!(house.orders().count().unwrap().main, 0);
}

#[tokio::test]
async fn who_wants_a_queue_alone_has_it_alone() {
    let house = House::new().await;
    let (ann, bob) =
        (connected(&house, &credentials("ann")).await, connected(&house, &credentials("bob")).await);
    let alone = open(&bob, ORDERS, 1, MQ_DENY_SHARE).await.unwrap();
    let violation = Err(MqStatus::MQ_ERROR_SHARING_VIOLATION);
    assert_eq!(open(&ann, ORDERS, 1, 0).await, violation);
    bob.close_queue(alone).await.unwrap();
    let shared = open(&ann, ORDERS, 1, 0).await.unwrap();
    assert_eq!(open(&bob, ORDERS, 1, MQ_DENY_SHARE).await, violation);
    ann.close_queue(shared).await.unwrap();
    assert!(open(&bob, ORDERS, 1, MQ_DENY_SHARE).await.is_ok());
}

#[tokio::test]
async fn more_than_the_limits_is_refused() {
    let mut small = options();
    (small.limits.handles, small.limits.handles_per_caller) = (3, 2);
    (small.limits.cursors, small.limits.pending) = (1, 1);
    let house = House::with(small, |manager| manager).await;
    let full = MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES;
    let (ann, bob) =
        (connected(&house, &credentials("ann")).await, connected(&house, &credentials("bob")).await);
    let context = open(&bob, ORDERS, 1, 0).await.unwrap();
    open(&bob, ORDERS, 1, 0).await.unwrap();
    assert_eq!(open(&bob, ORDERS, 1, 0).await, Err(full));
    open(&ann, ORDERS, 1, 0).await.unwrap();
    assert_eq!(open(&ann, ORDERS, 1, 0).await, Err(full));
    bob.create_cursor(context).await.unwrap();
    assert_eq!(bob.create_cursor(context).await.unwrap_err().status(), Some(full));
    house.fill(&["one", "two"]);
    let receive = |request_id| StartReceive { request_id, ..StartReceive::default() };
    assert!(bob.start_receive(context, receive(1)).await.unwrap().is_some());
    assert_eq!(bob.start_receive(context, receive(2)).await.unwrap_err().status(), Some(full));
    bob.end_receive(context, 1, false).await.unwrap();
    assert!(bob.start_receive(context, receive(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn stub_data_that_is_none_is_refused() {
    let house = House::new().await;
    let connection =
        rpc_net::Connection::connect(("127.0.0.1", house.port()), &credentials("ann")).await.unwrap();
    for interface in [
        comqc_msmq::mqrr::REMOTE_READ,
        comqc_msmq::mqmr::QMMGMT,
        comqc_msmq::mqmp::QMCOMM,
        comqc_msmq::mqmp::QMCOMM2,
    ] {
        let bound = connection.interface(interface).await.unwrap();
        for opnum in 0..36 {
            for stub in [vec![], vec![0; 3], vec![0xFF; 64], vec![0xFF; 5000]] {
                let answer = bound.call(opnum, None, stub).await;
                let refused = match &answer {
                    Err(Error::Fault(status)) => {
                        [0x6F7, Status::OP_RNG_ERROR.0, Status::CONTEXT_MISMATCH.0].contains(&status.0)
                    }
                    // Methods without parameters.
                    Ok(_) => true,
                    Err(_) => false,
                };
                assert!(refused, "{interface:?} {opnum} {answer:?}");
            }
        }
    }
    let error = RpcError::Status { call: "R_PurgeQueue", status: MqStatus(0xC00E_0003) };
    assert_eq!(error.to_string(), "R_PurgeQueue: MQ_ERROR_QUEUE_NOT_FOUND");
}

#[test]
fn sections_that_are_not_those_of_a_packet_are_refused_and_cost_nothing() {
    let section = |kind, size_alloc, bytes: &[u8]| SectionBuffer { kind, size_alloc, bytes: bytes.into() };
    let (whole, first, second) =
        (SectionType::FULL_PACKET, SectionType::BINARY_FIRST, SectionType::BINARY_SECOND);
    for wrong in [
        vec![],
        vec![section(whole, 4, b"abc")],
        vec![section(second, 3, b"abc")],
        vec![section(first, u32::MAX, b"abc")],
        vec![section(first, 1 << 20, b"abc"), section(second, 1 << 20, b"def")],
        vec![section(first, 3, b"abc"), section(first, 3, b"def")],
        vec![section(first, 3, b"abc"), section(second, 4, b"def")],
        vec![section(whole, 3, b"abc"), section(second, 3, b"def")],
        vec![section(first, 3, b"abc"), section(SectionType::SRMP_SECOND, 3, b"def")],
        vec![section(first, 3, b"abc"), section(second, 3, b"def"), section(second, 3, b"def")],
        vec![section(SectionType(9), 3, b"abc")],
    ] {
        assert!(join(wrong.clone(), 1 << 20).is_err(), "{wrong:?}");
    }
    let two = vec![section(first, 5, b"abc"), section(second, 3, b"def")];
    assert_eq!(join(two, 1 << 20).unwrap(), (b"abc\0\0def".to_vec(), 2));
}

/// What fuzzing does, for a moment: bytes of the seeds changed, cut and doubled.
#[test]
fn damaged_calls_and_answers_break_no_law() {
    let mut random = Random::seeded();
    for target in ["msmq_rpc_stub", "msmq_rpc_server"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        for seed in std::fs::read_dir(folder).unwrap() {
            let seed = std::fs::read(seed.unwrap().path()).unwrap();
            for _ in 0..if soak() { 5000 } else { 200 } {
                let mut input = seed.clone();
                for _ in 0..=random.below(4) {
                    let at = usize::try_from(random.below(input.len() as u64 + 1)).unwrap();
                    match random.below(5) {
                        0 => input.truncate(at),
                        1 => input.extend_from_within(at..),
                        2 if at + 4 <= input.len() => input[at..at + 4].fill(0xFF),
                        _ if at < input.len() => input[at] = random.number().to_le_bytes()[0],
                        _ => {}
                    }
                }
                testkit::oracles::run(target, &input);
            }
        }
    }
}
