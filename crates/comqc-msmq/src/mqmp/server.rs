//! qmcomm and qmcomm2 in front of our queues ([MS-MQMP] 3.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use comqc_session::{LocalName, PathName, Received, Verdict};
use ndr_oaut::Full;
use remassist_core::usize_from;
use rpc_net::{IncomingCall, Status};
use tokio::time::Instant;

use super::buffer::{CacTransferBufferV2, CreateRemoteCursor, ReceiveArm, Transfer, VaryingUnits};
use super::idl::*;
use super::message::{fill, sent};
use crate::mqrr::{GetServerPortResponse, action};
use crate::rpc::{
    ContextHandle, Handles, MqStatus, ObjectId, Owner, PropVariant, QueueFormat, QueueFormatId, QueueManager,
    Right, Seat, Served, StatusOnly, Text, XactUow, counts_agree, deadline, failed, read, write,
};
use crate::{Place, QueueError};

/// The open queues of qmcomm.
#[derive(Default)]
pub(crate) struct Server {
    handles: Handles<Open>,
    contexts: AtomicU32,
}

struct Open {
    seat: Seat,
    access: u32,
    exclusive: bool,
    /// hQMContext: looked for among the handles of the caller.
    context: u32,
}

type Answer = Result<Vec<u8>, Status>;

/// What the reserved cursor of rpc_ACCloseCursor is.
const NO_CURSOR: u32 = 0x0B;
/// The most bytes of a security descriptor, and of a transaction's whereabouts.
const SECURITY: u32 = 524_288;
const WHEREABOUTS: u32 = 131_072;

impl Server {
    pub(crate) fn run_down(&self, connection: u64) {
        self.handles.run_down(connection).iter().for_each(|open| open.seat.close());
    }

    /// Methods of qmcomm.
    pub(crate) async fn call(&self, manager: &QueueManager, call: &IncomingCall) -> Answer {
        if call.opnum == opnum::GET_RTQM_SERVER_PORT {
            // Anybody may ask: it is what a client does first.
            let GetServerPortRequest { ip } = read(call)?;
            let port = if ip == 0 { manager.port(call).into() } else { 0 };
            return write(&GetServerPortResponse { port });
        }
        let owner = Owner::of(call)?;
        match call.opnum {
            opnum::OPEN_QUEUE => {
                let request: OpenQueueRequest = read(call)?;
                let opened = self.open(manager, call, owner, &request);
                let ((queue, qm_context), status) = match opened {
                    Ok(opened) => (opened, MqStatus::MQ_OK),
                    Err(status) => ((ContextHandle::NULL, 0), status),
                };
                write(&OpenQueueResponse { remote_queue_name: Full::Null, qm_context, queue, status })
            }
            opnum::CLOSE_HANDLE => {
                let HandleRequest { queue } = read(call)?;
                self.handles.remove(queue, &owner)?.seat.close();
                write(&CloseHandleResponse::default())
            }
            opnum::CLOSE_CURSOR => {
                let CloseCursorRequest { queue, cursor } = read(call)?;
                let open = self.handles.get(queue, &owner)?;
                result(if cursor == NO_CURSOR { Ok(()) } else { open.seat.close_cursor(cursor) })
            }
            opnum::HANDLE_TO_FORMAT_NAME => {
                let request: HandleToFormatNameRequest = read(call)?;
                let open = self.handles.get(request.queue, &owner)?;
                write(&format_name(manager, &open, request))
            }
            opnum::PURGE_QUEUE => {
                let HandleRequest { queue } = read(call)?;
                let open = self.handles.get(queue, &owner)?;
                if open.access != access::RECEIVE {
                    return result(Err(MqStatus::MQ_ERROR_ACCESS_DENIED));
                }
                result(open.seat.target.queue().purge(open.seat.target.place).await.map(drop).map_err(failed))
            }
            opnum::CREATE_OBJECT => result(create(manager, call, read(call)?).await),
            opnum::DELETE_OBJECT => result(delete(manager, call, &read::<ObjectRequest>(call)?.object).await),
            opnum::GET_OBJECT_PROPERTIES => {
                let request: GetObjectPropertiesRequest = read(call)?;
                let (values, status) = match properties(manager, call, &request) {
                    Ok(values) => (values, MqStatus::MQ_OK),
                    Err(status) => (request.values, status),
                };
                write(&GetObjectPropertiesResponse { values, status })
            }
            opnum::OBJECT_PATH_TO_OBJECT_FORMAT => {
                let request: PathToFormatRequest = read(call)?;
                let (object, status) = match path_to_format(manager, call, &request) {
                    Ok(format) => (ObjectFormat(Some(format)), MqStatus::MQ_OK),
                    Err(status) => (request.object, status),
                };
                write(&PathToFormatResponse { object, status })
            }
            opnum => refused(opnum, call),
        }
    }

    fn open(
        &self,
        manager: &QueueManager,
        call: &IncomingCall,
        owner: Owner,
        request: &OpenQueueRequest,
    ) -> Result<(ContextHandle, u32), MqStatus> {
        let right = match request.access {
            access::RECEIVE => Right::Receive,
            access::PEEK => Right::Peek,
            access::SEND => Right::Send,
            _ => return Err(MqStatus::MQ_ERROR_UNSUPPORTED_ACCESS_MODE),
        };
        let exclusive = match request.share_mode {
            0 => false,
            1 if right != Right::Send => true,
            _ => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
        };
        if request.remote_queue != 0 {
            return Err(MqStatus::MQ_ERROR_INVALID_HANDLE);
        }
        let target = manager.resolve(&request.queue)?;
        if !manager.may(call.caller.as_ref(), Some(&target.served.info.name), right) {
            return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
        }
        if right == Right::Send && target.place != Place::Main {
            return Err(MqStatus::MQ_ERROR_UNSUPPORTED_ACCESS_MODE);
        }
        let same = |open: &Open| {
            right != Right::Send
                && open.access != access::SEND
                && Arc::ptr_eq(&open.seat.target.served, &target.served)
                && open.seat.target.place == target.place
                && (exclusive || open.exclusive)
        };
        let context = self.contexts.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        let seat = Seat::new(target.clone());
        let open = Open { seat, access: request.access, exclusive, context };
        let handle = self.handles.insert(owner, open, &manager.options.limits, same)?;
        Ok((handle, context))
    }

    /// Methods of qmcomm2.
    pub(crate) async fn call2(&self, manager: &QueueManager, call: &IncomingCall) -> Answer {
        let owner = Owner::of(call)?;
        match call.opnum {
            opnum2::SEND_MESSAGE_INTERNAL => {
                read::<SendMessageInternalRequest>(call)?;
                // As no STATUS_RETRY was ever returned.
                write(&SendMessageResponse { message_id: None, status: MqStatus::MQ_ERROR_ILLEGAL_OPERATION })
            }
            opnum2::SEND_MESSAGE => {
                let request: SendMessageRequest = read(call)?;
                let open = self.handles.get(request.queue, &owner)?;
                let wanted = request.message_id.is_some();
                let (message_id, status) = match send(&open, &request.buffer).await {
                    Ok(id) => (wanted.then_some(id), MqStatus::MQ_OK),
                    Err(status) => (request.message_id, status),
                };
                write(&SendMessageResponse { message_id, status })
            }
            opnum2::RECEIVE_MESSAGE => {
                let ReceiveMessageRequest { qm_context, mut buffer } = read(call)?;
                let open = self.handles.find(&owner, |open| open.context == qm_context);
                let status = match open {
                    Some(open) => receive(manager, &open, &mut buffer).await,
                    None => Err(MqStatus::MQ_ERROR_INVALID_HANDLE),
                };
                if status.is_err() {
                    // All of it is to be disregarded: it need not travel.
                    buffer = CacTransferBufferV2::default();
                }
                write(&ReceiveMessageResponse { buffer, status: status.err().unwrap_or_default() })
            }
            opnum2::CREATE_CURSOR => {
                let CreateCursorRequest { queue, cursor } = read(call)?;
                let open = self.handles.get(queue, &owner)?;
                let created = open.seat.create_cursor(manager.options.limits.cursors);
                let status = created.err().unwrap_or_default();
                let cursor = CreateRemoteCursor { cursor: created.unwrap_or_default(), ..cursor };
                write(&CreateCursorResponse { cursor, status })
            }
            _ => Err(Status::OP_RNG_ERROR),
        }
    }
}

fn result(result: Result<(), MqStatus>) -> Answer {
    write(&StatusOnly { status: result.err().unwrap_or_default() })
}

/// Methods that are not done here: their answers, with nothing in them but the result.
fn refused(opnum: u16, call: &IncomingCall) -> Answer {
    const UNSUPPORTED: MqStatus = MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION;
    match opnum {
        opnum::GET_REMOTE_QUEUE_NAME => {
            read::<(u32, Full<Text>)>(call)?;
            write(&(Full::<Text>::Null, MqStatus::MQ_ERROR_INVALID_HANDLE))
        }
        // pphContext, pdwContext, dwpQueue, phQueue: remote reading is what RemoteRead is for.
        opnum::OPEN_REMOTE_QUEUE => write(&((ContextHandle::NULL, 0_u32), (0_u32, 0_u32), UNSUPPORTED)),
        opnum::CREATE_REMOTE_CURSOR => write(&(0_u32, UNSUPPORTED)),
        // Handles that nobody was given.
        opnum::CLOSE_REMOTE_QUEUE_CONTEXT | opnum::COMMIT_TRANSACTION | opnum::ABORT_TRANSACTION => {
            read::<HandleRequest>(call)?;
            Err(Status::CONTEXT_MISMATCH)
        }
        opnum::GET_OBJECT_SECURITY => {
            let (_, _, room) = read::<(ObjectFormat, u32, u32)>(call)?;
            write(&(room_of(room, SECURITY)?, 0_u32, UNSUPPORTED))
        }
        opnum::GET_TM_WHEREABOUTS => {
            let StatusOnly { status: MqStatus(room) } = read(call)?;
            write(&(room_of(room, WHEREABOUTS)?, 0_u32, MqStatus::MQ_ERROR_DTC_CONNECT))
        }
        opnum::ENLIST_TRANSACTION => result(Err(MqStatus::MQ_ERROR_TRANSACTION_ENLIST)),
        opnum::ENLIST_INTERNAL_TRANSACTION => {
            read::<XactUow>(call)?;
            write(&(ContextHandle::NULL, MqStatus::MQ_ERROR_TRANSACTION_ENLIST))
        }
        opnum::SET_CURSOR_PROPERTIES => result(Err(MqStatus::MQ_ERROR_ILLEGAL_OPERATION)),
        opnum::SET_OBJECT_SECURITY | opnum::SET_OBJECT_PROPERTIES => result(Err(UNSUPPORTED)),
        opnum::QUERY_QM_REGISTRY => write(&(None::<Text>, UNSUPPORTED)),
        _ => Err(Status::OP_RNG_ERROR),
    }
}

/// An array of zeros as large as the caller has room.
fn room_of(room: u32, most: u32) -> Result<crate::rpc::Octets, Status> {
    if room > most {
        return Err(crate::rpc::bad_stub());
    }
    Ok(crate::rpc::Octets(vec![0; usize_from(room)]))
}

fn format_name(
    manager: &QueueManager,
    open: &Open,
    request: HandleToFormatNameRequest,
) -> HandleToFormatNameResponse {
    let HandleToFormatNameRequest { buffer_len, format_name, length, .. } = request;
    let told = format_name.as_ref().map_or(0, |name| remassist_core::len_u32(name.units.len()));
    if length != buffer_len || told != buffer_len {
        let status = MqStatus::MQ_ERROR_INVALID_PARAMETER;
        return HandleToFormatNameResponse { format_name, length, status };
    }
    let mut whole: Vec<u16> =
        manager.format_name(&open.seat.target.served).to_string().encode_utf16().collect();
    whole.push(0);
    let (needed, room) = (remassist_core::len_u32(whole.len()), usize_from(buffer_len));
    let status =
        if needed <= buffer_len { MqStatus::MQ_OK } else { MqStatus::MQ_ERROR_FORMATNAME_BUFFER_TOO_SMALL };
    whole.resize(room, 0);
    if let Some(last) = whole.last_mut() {
        *last = 0;
    }
    let format_name = format_name.map(|_| VaryingUnits::from(whole));
    HandleToFormatNameResponse { format_name, length: needed, status }
}

async fn send(open: &Open, buffer: &CacTransferBufferV2) -> Result<ObjectId, MqStatus> {
    if open.access != access::SEND {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    let message = sent(buffer)?;
    let queue = Arc::clone(open.seat.target.queue());
    // Goes on when the caller is gone: then it was sent or not, never by half.
    let stored = tokio::spawn(async move { queue.send(message).await }).await;
    match stored {
        Ok(Ok(id)) => Ok(id.into()),
        Ok(Err(QueueError::Unsendable(_))) => Err(MqStatus::MQ_ERROR_PROPERTY),
        Ok(Err(QueueError::Full(_))) => Err(MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES),
        _ => Err(MqStatus::MQ_ERROR_MESSAGE_STORAGE_FAILED),
    }
}

async fn receive(
    manager: &QueueManager,
    open: &Open,
    buffer: &mut CacTransferBufferV2,
) -> Result<(), MqStatus> {
    let Transfer::Receive(ReceiveArm { action, cursor, request_timeout, .. }) = buffer.old.transfer else {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    };
    if !buffer.sizes_agree() {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    }
    if buffer.old.uow.is_some_and(|uow| uow != XactUow::default()) {
        return Err(MqStatus::MQ_ERROR_TRANSACTION_SEQUENCE);
    }
    let receives = action == action::RECEIVE;
    if open.access == access::SEND || (receives && open.access != access::RECEIVE) {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    let wait = Duration::from_millis(request_timeout.into()).min(manager.options.limits.wait);
    let deadline = deadline(wait);
    let destination = manager.format_name(&open.seat.target.served);
    let peeked: Received = match (action, cursor) {
        (action::RECEIVE, cursor) => return take(open, buffer, cursor, deadline, &destination).await,
        (action::PEEK_CURRENT, 0) => open.seat.peek(deadline).await?,
        (action::PEEK_CURRENT, cursor) => open.seat.peek_at(cursor, false, deadline).await?,
        (action::PEEK_NEXT, cursor) if cursor != 0 => open.seat.peek_at(cursor, true, deadline).await?,
        _ => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
    };
    fill(buffer, &peeked, &destination)
}

/// Takes a message out, if it fits; otherwise it stays.
async fn take(
    open: &Open,
    buffer: &mut CacTransferBufferV2,
    cursor: u32,
    deadline: Instant,
    destination: &comqc_session::FormatName,
) -> Result<(), MqStatus> {
    if open.seat.target.place != Place::Main {
        return Err(MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION);
    }
    let only = if cursor == 0 { None } else { Some(open.seat.at(cursor)?) };
    let queue = open.seat.target.queue();
    let received = queue.receive(deadline.saturating_duration_since(Instant::now())).await;
    let delivery = received.map_err(failed)?.ok_or(MqStatus::MQ_ERROR_IO_TIMEOUT)?;
    let filled = if only.is_some_and(|only| only != delivery.received.id) {
        Err(MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION)
    } else {
        fill(buffer, &delivery.received, destination)
    };
    let verdict = if filled.is_ok() { Verdict::Done } else { Verdict::Return };
    let queue = Arc::clone(queue);
    let settled = tokio::spawn(async move { queue.settle(&delivery, &verdict).await }).await;
    filled?;
    match settled {
        Ok(Ok(())) => Ok(()),
        _ => Err(MqStatus::MQ_ERROR_SERVICE_NOT_AVAILABLE),
    }
}

/// A private queue of this machine by its path name.
fn private(manager: &QueueManager, path: &Text) -> Result<LocalName, MqStatus> {
    let path: PathName = path.0.parse().map_err(|_| MqStatus::MQ_ERROR_ILLEGAL_QUEUE_PATHNAME)?;
    if !manager.is_own(&path.computer) {
        return Err(MqStatus::MQ_ERROR_ILLEGAL_QUEUE_PATHNAME);
    }
    match &path.queue {
        LocalName::Private(name) if name.subqueue().is_none() && !name.is_journal() => Ok(path.queue),
        _ => Err(MqStatus::MQ_ERROR_ILLEGAL_QUEUE_PATHNAME),
    }
}

async fn create(
    manager: &QueueManager,
    call: &IncomingCall,
    request: CreateObjectRequest,
) -> Result<(), MqStatus> {
    let CreateObjectRequest { object_type, path_name, security_size, security, count, properties, values } =
        request;
    let told = security.as_ref().map_or(0, |security| remassist_core::len_u32(security.0.len()));
    if object_type != 1
        || security_size > SECURITY
        || told != security_size
        || !counts_agree(count, properties.len(), values.len())
    {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    }
    let factory = manager.factory.as_ref().ok_or(MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION)?;
    let name = private(manager, &path_name)?;
    if !manager.may(call.caller.as_ref(), Some(&name), Right::Manage) {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    if manager.find(&name).is_some() {
        return Err(MqStatus::MQ_ERROR_QUEUE_EXISTS);
    }
    if manager.served().len() >= manager.options.limits.queues {
        return Err(MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES);
    }
    let (mut label, mut transactional) = (String::new(), false);
    for (property, value) in properties.iter().zip(&values) {
        match (*property, value) {
            (property::LABEL, value) => label = value.as_text().unwrap_or_default().into(),
            (property::TRANSACTION, PropVariant::Ui1(value)) => transactional = *value != 0,
            // Neither journals nor quotas nor signatures are configured by callers.
            (101..=126, _) => {}
            _ => return Err(MqStatus::MQ_ERROR_ILLEGAL_PROPID),
        }
    }
    let queue = factory.create(&name, &label, transactional).await.map_err(failed)?;
    manager.serve(queue);
    Ok(())
}

/// A queue that a caller may ask about.
fn object(
    manager: &QueueManager,
    call: &IncomingCall,
    object: &ObjectFormat,
    right: Right,
) -> Result<Arc<Served>, MqStatus> {
    let format = object.0.as_ref().ok_or(MqStatus::MQ_ERROR_INVALID_PARAMETER)?;
    let target = manager.resolve(format)?;
    if !manager.may(call.caller.as_ref(), Some(&target.served.info.name), right) {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    if target.place == Place::Main { Ok(target.served) } else { Err(MqStatus::MQ_ERROR_QUEUE_NOT_FOUND) }
}

async fn delete(manager: &QueueManager, call: &IncomingCall, format: &ObjectFormat) -> Result<(), MqStatus> {
    let factory = manager.factory.as_ref().ok_or(MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION)?;
    let served = object(manager, call, format, Right::Manage)?;
    factory.delete(&served.info).await.map_err(failed)?;
    manager.withdraw(&served.info.name);
    Ok(())
}

fn properties(
    manager: &QueueManager,
    call: &IncomingCall,
    request: &GetObjectPropertiesRequest,
) -> Result<Vec<PropVariant>, MqStatus> {
    if !counts_agree(request.count, request.properties.len(), request.values.len()) {
        return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
    }
    let served = object(manager, call, &request.object, Right::Query)?;
    let value = |id: &u32| {
        Ok(match *id {
            property::INSTANCE => PropVariant::Clsid(Some(served.instance)),
            property::PATHNAME => {
                PropVariant::text(&format!("{}\\{}", manager.options.computer, served.info.name))
            }
            property::JOURNAL | property::AUTHENTICATE => PropVariant::Ui1(0),
            property::QUOTA => PropVariant::Ui4(u32::MAX),
            property::LABEL => PropVariant::text(&served.info.label),
            property::PRIV_LEVEL => PropVariant::Ui4(0),
            property::TRANSACTION => PropVariant::Ui1(u8::from(served.info.transactional)),
            _ => return Err(MqStatus::MQ_ERROR_ILLEGAL_PROPID),
        })
    };
    request.properties.iter().map(value).collect()
}

fn path_to_format(
    manager: &QueueManager,
    call: &IncomingCall,
    request: &PathToFormatRequest,
) -> Result<QueueFormat, MqStatus> {
    let name = private(manager, &request.path_name)?;
    if !manager.may(call.caller.as_ref(), Some(&name), Right::Query) {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    let served = manager.find(&name).ok_or(MqStatus::MQ_ERROR_QUEUE_NOT_FOUND)?;
    let id = ObjectId { lineage: manager.options.machine, uniquifier: served.number };
    Ok(QueueFormat { suffix_and_flags: 0, id: QueueFormatId::Private(id) })
}
