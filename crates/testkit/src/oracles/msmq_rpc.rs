use std::sync::{Arc, OnceLock};

use comqc_msmq::mqmp::{self, QMCOMM, QMCOMM2};
use comqc_msmq::mqmr::{ActionRequest, GetInfoRequest, GetInfoResponse, QMMGMT};
use comqc_msmq::mqrr::{self, REMOTE_READ, StartReceiveResponse, join};
use comqc_msmq::rpc::{AccessList, ManagerOptions, QueueManager, Rights, ServedQueue, StatusOnly, unpack};
use comqc_session::{LocalName, Name};
use ndr_oaut::{ByteOrder, Ndr, Stub};
use remassist_core::{Decode as _, DecodeOptions};
use rpc_net::{AuthLevel, Caller, IncomingCall, Service, SyntaxId};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use super::Oracle;
use crate::heap_queue::HeapQueue;
use crate::laws;

pub(super) const ALL: &[Oracle] = &[("msmq_rpc_stub", stub), ("msmq_rpc_server", server)];

/// The laws of a structure in little-endian order; in big-endian order it does not panic.
fn law<T: for<'a> Ndr<'a> + PartialEq + std::fmt::Debug>(input: &[u8]) -> Option<T> {
    laws::bytes::<Stub<'_, T>>(input);
    let _any = Stub::<T>::read(input, ByteOrder::Big, &DecodeOptions::TOLERANT);
    Stub::<T>::decode_with(input, &DecodeOptions::TOLERANT).ok().map(|stub| stub.value.value)
}

/// The first byte chooses what the rest is: a request to a server, or an answer to a client.
fn stub(input: &[u8]) {
    let Some((choice, stub)) = input.split_first() else { return };
    macro_rules! choose {
        ($($number:literal => $type:ty,)*) => {
            match choice {
                $($number => drop(law::<$type>(stub)),)*
                _ => {}
            }
        };
    }
    choose! {
        0 => mqrr::OpenQueueRequest,
        1 => mqrr::OpenQueueResponse,
        2 => mqrr::CreateCursorResponse,
        3 => mqrr::StartReceiveRequest,
        5 => mqrr::EndReceiveRequest,
        6 => GetInfoRequest,
        7 => GetInfoResponse,
        8 => ActionRequest,
        9 => StatusOnly,
        10 => mqmp::OpenQueueRequest,
        11 => mqmp::OpenQueueResponse,
        12 => mqmp::HandleToFormatNameRequest,
        13 => mqmp::HandleToFormatNameResponse,
        14 => mqmp::CreateObjectRequest,
        15 => mqmp::GetObjectPropertiesRequest,
        16 => mqmp::PathToFormatRequest,
        17 => mqmp::PathToFormatResponse,
        18 => mqmp::SendMessageInternalRequest,
        19 => mqmp::SendMessageRequest,
        20 => mqmp::SendMessageResponse,
        21 => mqmp::ReceiveMessageRequest,
        23 => mqmp::CreateCursorRequest,
        24 => mqmp::CreateCursorResponse,
    }
    match choice {
        // What a reader makes of the answer.
        4 => {
            let answer = law::<StartReceiveResponse>(stub);
            if let Some(Ok((packet, missing))) =
                answer.map(|answer| join(answer.sections.unwrap_or_default(), 1 << 16))
            {
                assert!(missing <= packet.len() && packet.len() <= 1 << 16);
                let _any = unpack(&packet);
            }
        }
        22 => {
            if let Some(answer) = law::<mqmp::ReceiveMessageResponse>(stub) {
                let _any = mqmp::read_received(&answer.buffer);
            }
        }
        _ => {}
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().expect("a runtime"))
}

/// One after the other: opnum with the interface in its upper two bits, length of the stub data (2 bytes), stub data. Where its
/// first byte is 0xFE, the first 20 bytes are the handle that was given last, and the first 4 the queue's number of qmcomm.
fn server(input: &[u8]) {
    runtime().block_on(calls(input));
}

async fn calls(mut input: &[u8]) {
    let name = |name: &str| name.parse::<LocalName>().expect("a name");
    let mut options = ManagerOptions::new(Name::computer("box").expect("a name"), Uuid::from_u128(1));
    options.client_protocol = true;
    options.actions = true;
    // Nobody waits in here.
    options.limits.wait = std::time::Duration::ZERO;
    let access = AccessList::new().with("fuzz", None, Rights::ALL);
    let manager = QueueManager::new(options, Arc::new(access));
    let queue = HeapQueue::new("fuzz");
    queue.fill(3);
    manager.serve(ServedQueue {
        name: name("PRIVATE$\\q"),
        queue: Arc::new(queue.clone()),
        label: "fuzzed".into(),
        transactional: false,
    });
    let mut handle = [0; 20];
    let mut context = [0; 4];
    while let Some((&[choice, low, high], rest)) = input.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (stub, behind) = rest.split_at(length);
        input = behind;
        let interface: SyntaxId = [REMOTE_READ, QMMGMT, QMCOMM, QMCOMM2][usize::from(choice >> 6)];
        let opnum = u16::from(choice & 0x3F);
        let mut stub = stub.to_vec();
        if stub.first() == Some(&0xFE) {
            match interface {
                QMCOMM2 if opnum == mqmp::opnum2::RECEIVE_MESSAGE => {
                    stub.iter_mut().zip(context).for_each(|(to, from)| *to = from);
                }
                _ => stub.iter_mut().zip(handle).for_each(|(to, from)| *to = from),
            }
        }
        let here = ([127, 0, 0, 1], 1).into();
        let mut call = IncomingCall::new(interface, opnum, here, here);
        let level = AuthLevel::PRIVACY;
        call.caller = Some(Caller { domain: String::new(), user: "fuzz".into(), level });
        call.stub = stub;
        call.connection = 1;
        let Ok(answer) = manager.call(call).await else { continue };
        match (interface, opnum) {
            (REMOTE_READ, mqrr::opnum::OPEN_QUEUE) => handle = *answer.first_chunk().expect("a handle"),
            (QMCOMM, mqmp::opnum::OPEN_QUEUE) => {
                let answer = Stub::<mqmp::OpenQueueResponse>::decode(&answer).expect("our own answer").value;
                context = answer.qm_context.to_le_bytes();
                handle[4..].copy_from_slice(&answer.queue.id.to_bytes_le());
            }
            _ => {}
        }
    }
    manager.disconnected(1);
    // What was held is given back.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    assert!(!queue.is_locked(), "a message is locked by nobody");
}
