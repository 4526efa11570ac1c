//! qmmgmt in front of our queues ([MS-MQMR] 3.1).

use comqc_session::LocalName;
use rpc_net::{Caller, IncomingCall, Status};

use super::idl::*;
use crate::rpc::{
    MqStatus, PropVariant, QueueManager, Right, Served, StatusOnly, Target, counts_agree, read, write,
};
use crate::{Counts, Place};

/// Bytes are not told by our queues: they are counted by looking at so many messages at most.
const COUNTED: usize = 4096;

pub(crate) async fn answer(manager: &QueueManager, call: &IncomingCall) -> Result<Vec<u8>, Status> {
    match call.opnum {
        opnum::GET_INFO => {
            let request: GetInfoRequest = read(call)?;
            let answer = get_info(manager, call.caller.as_ref(), &request).await;
            let (values, status) = match answer {
                Ok(values) => (values, MqStatus::MQ_OK),
                // What came goes back: nothing is set.
                Err(status) => (request.values, status),
            };
            write(&GetInfoResponse { values, status })
        }
        opnum::ACTION => {
            let request: ActionRequest = read(call)?;
            let done = action(manager, call.caller.as_ref(), &request);
            write(&StatusOnly { status: done.err().unwrap_or_default() })
        }
        _ => Err(Status::OP_RNG_ERROR),
    }
}

async fn get_info(
    manager: &QueueManager,
    caller: Option<&Caller>,
    request: &GetInfoRequest,
) -> Result<Vec<PropVariant>, MqStatus> {
    if !counts_agree(request.count, request.properties.len(), request.values.len()) {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    }
    let mut values = Vec::new();
    match &request.object {
        MgmtObject::Machine(_) => {
            if !manager.may(caller, None, Right::Query) {
                return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
            }
            for property in &request.properties {
                values.push(of_machine(manager, *property).await?);
            }
        }
        MgmtObject::Queue(Some(format)) => {
            let target = manager.resolve(format)?;
            if !manager.may(caller, Some(&target.served.info.name), Right::Query) {
                return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
            }
            let counts =
                target.queue().count().await.map_err(|_| MqStatus::MQ_ERROR_SERVICE_NOT_AVAILABLE)?;
            for property in &request.properties {
                values.push(of_queue(manager, &target, &counts, *property).await?);
            }
        }
        MgmtObject::Queue(None) | MgmtObject::Session(_) => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
    }
    Ok(values)
}

async fn of_machine(manager: &QueueManager, property: u32) -> Result<PropVariant, MqStatus> {
    let queues = manager.served();
    Ok(match property {
        machine::ACTIVEQUEUES => {
            PropVariant::texts(queues.iter().map(|served| manager.format_name(served).to_string()))
        }
        machine::PRIVATEQ => {
            let private =
                |served: &&std::sync::Arc<Served>| matches!(served.info.name, LocalName::Private(_));
            PropVariant::texts(queues.iter().filter(private).map(|served| path_name(manager, served)))
        }
        // Without a directory there is no server of it.
        machine::DSSERVER => PropVariant::Null,
        machine::CONNECTED => PropVariant::text("CONNECTED"),
        machine::TYPE => PropVariant::text(""),
        machine::BYTES_IN_ALL_QUEUES => {
            let mut bytes = 0_u64;
            for served in queues {
                bytes = bytes.saturating_add(bytes_at(&Target { served, place: Place::Main }).await);
            }
            PropVariant::I8(i64::try_from(bytes).unwrap_or(i64::MAX))
        }
        _ => return Err(MqStatus::MQ_ERROR_ILLEGAL_PROPID),
    })
}

async fn of_queue(
    manager: &QueueManager,
    target: &Target,
    counts: &Counts,
    property: u32,
) -> Result<PropVariant, MqStatus> {
    let served = &target.served;
    let number = |number: u64| PropVariant::Ui4(u32::try_from(number).unwrap_or(u32::MAX));
    let yes = |yes: bool| PropVariant::text(if yes { "YES" } else { "NO" });
    let here = match target.place {
        Place::Main => counts.main,
        Place::Retry(retry) => counts.retry.get(usize::from(retry)).copied().unwrap_or_default(),
        Place::Dead => counts.dead,
        Place::Journal => counts.journal,
    };
    Ok(match property {
        queue::PATHNAME => PropVariant::text(&path_name(manager, served)),
        queue::FORMATNAME => PropVariant::text(&manager.format_name(served).to_string()),
        queue::TYPE => PropVariant::text(match served.info.name {
            LocalName::Public(_) => "PUBLIC",
            LocalName::Private(_) => "PRIVATE",
            LocalName::System(_) => "MACHINE",
        }),
        queue::LOCATION => PropVariant::text("LOCAL"),
        queue::XACT => yes(served.info.transactional),
        queue::FOREIGN => yes(false),
        queue::MESSAGE_COUNT => number(here),
        queue::BYTES_IN_QUEUE => number(bytes_at(target).await),
        queue::JOURNAL_MESSAGE_COUNT => number(counts.journal),
        queue::BYTES_IN_JOURNAL => {
            number(bytes_at(&Target { served: served.clone(), place: Place::Journal }).await)
        }
        queue::STATE => PropVariant::text("LOCAL CONNECTION"),
        // Of outgoing queues, which there are none of.
        queue::NEXTHOPS..=queue::CONNECTION_HISTORY => PropVariant::Null,
        queue::SUBQUEUE_COUNT => PropVariant::Ui4(0),
        queue::SUBQUEUE_NAMES => PropVariant::texts([]),
        _ => return Err(MqStatus::MQ_ERROR_ILLEGAL_PROPID),
    })
}

fn path_name(manager: &QueueManager, served: &Served) -> String {
    format!("{}\\{}", manager.options.computer, served.info.name)
}

/// Bytes of the bodies of the first messages at a place; 0 where it cannot be looked into.
async fn bytes_at(target: &Target) -> u64 {
    let listed = target.queue().list(target.place, None, COUNTED).await.unwrap_or_default();
    listed.iter().map(|message| message.size).fold(0, u64::saturating_add)
}

/// Nothing has to be tidied up, connected or sent again here: TIDY is done by doing nothing, where it is allowed, and the rest
/// is for outgoing queues.
fn action(manager: &QueueManager, caller: Option<&Caller>, request: &ActionRequest) -> Result<(), MqStatus> {
    if !manager.options.actions || !manager.may(caller, None, Right::Manage) {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    match (&request.object, request.action.0.to_ascii_uppercase().as_str()) {
        (MgmtObject::Machine(_), "TIDY") => Ok(()),
        (MgmtObject::Machine(_), "CONNECT" | "DISCONNECT")
        | (MgmtObject::Queue(_), "PAUSE" | "RESUME" | "EOD_RESEND") => {
            Err(MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION)
        }
        _ => Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
    }
}
