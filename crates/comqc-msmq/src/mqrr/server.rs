//! RemoteRead in front of our queues ([MS-MQRR] 3.1).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comqc_session::{Received, Verdict};
use rpc_net::{IncomingCall, Status};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::idl::*;
use super::section::sections;
use crate::rpc::{
    Handles, MqStatus, Nothing, Owner, QueueManager, Right, Seat, StatusOnly, Target, deadline, failed, pack,
    read, write,
};
use crate::{Delivery, Place, QueueError};

/// The open queues of RemoteRead.
#[derive(Default)]
pub(crate) struct Server {
    handles: Handles<Open>,
}

/// An open queue.
struct Open {
    seat: Seat,
    access: u32,
    exclusive: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    pending: HashMap<u32, Pending>,
}

/// A request to receive ([MS-MQRR] 3.1.1.2).
enum Pending {
    /// It waits for a message; told when it is cancelled.
    Waiting(watch::Sender<bool>),
    /// Its message waits for R_EndReceive.
    Held(Box<Delivery>, AbortHandle),
}

impl Open {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what was handed out and cancels what waits.
    fn close(&self) {
        self.seat.close();
        let pending = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.pending)
        };
        for (_, pending) in pending {
            match pending {
                Pending::Waiting(cancel) => {
                    cancel.send_replace(true);
                }
                Pending::Held(delivery, timer) => {
                    timer.abort();
                    self.give_back(delivery);
                }
            }
        }
    }

    /// The message stays in its queue, as if nobody had received it.
    fn give_back(&self, delivery: impl Into<Box<Delivery>>) {
        let (queue, delivery) = (Arc::clone(self.seat.target.queue()), delivery.into());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Should that fail, the lock ends with the delivery.
            runtime.spawn(async move { drop(queue.settle(&delivery, &Verdict::Return).await) });
        }
    }
}

/// Forgets a request that does not wait any more, also when its call is dropped.
struct Waiting<'o> {
    open: &'o Open,
    request_id: u32,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.open.state().pending.remove(&self.request_id);
        }
    }
}

type Answer = Result<Vec<u8>, Status>;

impl Server {
    pub(crate) fn run_down(&self, connection: u64) {
        self.handles.run_down(connection).iter().for_each(|open| open.close());
    }

    pub(crate) async fn call(&self, manager: &QueueManager, call: &IncomingCall) -> Answer {
        let owner = Owner::of(call)?;
        match call.opnum {
            opnum::GET_SERVER_PORT => {
                read::<Nothing>(call)?;
                write(&GetServerPortResponse { port: manager.port(call).into() })
            }
            opnum::OPEN_QUEUE => {
                let request = read::<OpenQueueRequest>(call)?;
                let context = self.open(manager, call, owner, &request).map_err(|status| Status(status.0))?;
                write(&OpenQueueResponse { context })
            }
            opnum::CLOSE_QUEUE => {
                let open = self.handles.remove(read::<ContextRequest>(call)?.context, &owner)?;
                open.close();
                write(&CloseQueueResponse::default())
            }
            opnum::CREATE_CURSOR => {
                let open = self.handles.get(read::<ContextRequest>(call)?.context, &owner)?;
                let cursor = open.seat.create_cursor(manager.options.limits.cursors);
                let status = cursor.err().unwrap_or_default();
                write(&CreateCursorResponse { cursor: cursor.unwrap_or_default(), status })
            }
            opnum::CLOSE_CURSOR => {
                let CloseCursorRequest { context, cursor } = read(call)?;
                result(self.handles.get(context, &owner)?.seat.close_cursor(cursor))
            }
            opnum::PURGE_QUEUE => {
                let open = self.handles.get(read::<ContextRequest>(call)?.context, &owner)?;
                if open.access != RECEIVE_ACCESS {
                    return result(Err(MqStatus::STATUS_ACCESS_DENIED));
                }
                let purged = open.seat.target.queue().purge(open.seat.target.place).await;
                result(purged.map(drop).map_err(|_| MqStatus::MQ_ERROR))
            }
            opnum::START_RECEIVE => {
                let request = read::<StartReceiveRequest>(call)?;
                let open = self.handles.get(request.context, &owner)?;
                let answer = start_receive(manager, &open, &request).await;
                write(&answer.unwrap_or_else(|status| StartReceiveResponse { status, ..Default::default() }))
            }
            opnum::CANCEL_RECEIVE => {
                let CancelReceiveRequest { context, request_id } = read(call)?;
                result(cancel(&*self.handles.get(context, &owner)?, request_id))
            }
            opnum::END_RECEIVE => {
                let EndReceiveRequest { context, ack, request_id } = read(call)?;
                let open = self.handles.get(context, &owner)?;
                result(end_receive(&open, ack, request_id).await)
            }
            // As on Windows Server 2003, which has no move and no transactions either.
            _ => Err(Status::OP_RNG_ERROR),
        }
    }

    fn open(
        &self,
        manager: &QueueManager,
        call: &IncomingCall,
        owner: Owner,
        request: &OpenQueueRequest,
    ) -> Result<crate::rpc::ContextHandle, MqStatus> {
        let right = match request.access {
            RECEIVE_ACCESS => Right::Receive,
            PEEK_ACCESS => Right::Peek,
            _ => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
        };
        let exclusive = match request.share_mode {
            MQ_DENY_NONE => false,
            MQ_DENY_SHARE => true,
            _ => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
        };
        let target = manager.resolve(&request.queue)?;
        if !manager.may(call.caller.as_ref(), Some(&target.served.info.name), right) {
            return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
        }
        let same = |open: &Open| {
            Arc::ptr_eq(&open.seat.target.served, &target.served)
                && open.seat.target.place == target.place
                && (exclusive || open.exclusive)
        };
        let open = Open {
            seat: Seat::new(target.clone()),
            access: request.access,
            exclusive,
            state: Mutex::default(),
        };
        self.handles.insert(owner, open, &manager.options.limits, same)
    }
}

fn result(result: Result<(), MqStatus>) -> Answer {
    write(&StatusOnly { status: result.err().unwrap_or_default() })
}

/// Cancels a request that waits. One whose message was handed out cannot be cancelled any more.
fn cancel(open: &Open, request_id: u32) -> Result<(), MqStatus> {
    let mut state = open.state();
    match state.pending.get(&request_id) {
        Some(Pending::Waiting(cancel)) => {
            cancel.send_replace(true);
            state.pending.remove(&request_id);
            Ok(())
        }
        _ => Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
    }
}

async fn end_receive(open: &Arc<Open>, ack: u32, request_id: u32) -> Result<(), MqStatus> {
    let verdict = match ack {
        RR_ACK => Verdict::Done,
        RR_NACK => Verdict::Return,
        _ => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
    };
    let delivery = {
        let mut state = open.state();
        if state.pending.is_empty() {
            return Err(MqStatus::MQ_ERROR_INVALID_HANDLE);
        }
        match state.pending.remove(&request_id) {
            Some(Pending::Held(delivery, timer)) => {
                timer.abort();
                delivery
            }
            Some(waiting) => {
                state.pending.insert(request_id, waiting);
                return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
            }
            None => return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER),
        }
    };
    let queue = Arc::clone(open.seat.target.queue());
    // Goes on when the caller is gone: what he has acknowledged, he has.
    let settled = tokio::spawn(async move { queue.settle(&delivery, &verdict).await }).await;
    match settled {
        Ok(Ok(())) => Ok(()),
        Ok(Err(QueueError::Locked(_) | QueueError::NotFound(_))) => Err(MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND),
        _ => Err(MqStatus::MQ_ERROR),
    }
}

/// What a request is for, once its parameters were found to fit each other ([MS-MQRR] 3.1.4.7).
enum Action {
    Receive,
    ReceiveAt(u32),
    Peek,
    PeekCursor {
        cursor: u32,
        advance: bool,
    },
    PeekLookup(u64, i8),
    /// One that our queues cannot give out of order.
    ReceiveLookup(u64),
    Unsupported,
}

fn action_of(request: &StartReceiveRequest) -> Option<Action> {
    let StartReceiveRequest { lookup_id, cursor, action, timeout, .. } = *request;
    let (with_lookup, with_cursor) = (lookup_id != 0, cursor != 0);
    Some(match (action, with_lookup, with_cursor) {
        (action::RECEIVE, false, false) => Action::Receive,
        (action::RECEIVE, false, true) => Action::ReceiveAt(cursor),
        (action::PEEK_CURRENT, false, false) => Action::Peek,
        (action::PEEK_CURRENT, false, true) => Action::PeekCursor { cursor, advance: false },
        (action::PEEK_NEXT, false, true) => Action::PeekCursor { cursor, advance: true },
        (action::LOOKUP_PEEK_CURRENT, true, false) if timeout == 0 => Action::PeekLookup(lookup_id, 0),
        (action::LOOKUP_PEEK_NEXT, true, false) if timeout == 0 => Action::PeekLookup(lookup_id, 1),
        (action::LOOKUP_PEEK_PREV, true, false) if timeout == 0 => Action::PeekLookup(lookup_id, -1),
        (action::LOOKUP_RECEIVE_CURRENT, true, false) if timeout == 0 => Action::ReceiveLookup(lookup_id),
        (action::LOOKUP_RECEIVE_NEXT | action::LOOKUP_RECEIVE_PREV, _, false) if timeout == 0 => {
            Action::Unsupported
        }
        _ => return None,
    })
}

async fn start_receive(
    manager: &QueueManager,
    open: &Arc<Open>,
    request: &StartReceiveRequest,
) -> Result<StartReceiveResponse, MqStatus> {
    let action = action_of(request).ok_or(MqStatus::MQ_ERROR_INVALID_PARAMETER)?;
    let limits = manager.options.limits;
    let wait = Duration::from_millis(request.timeout.into()).min(limits.wait);
    let deadline = deadline(wait);
    let receives = matches!(
        action,
        Action::Receive | Action::ReceiveAt(_) | Action::ReceiveLookup(_) | Action::Unsupported
    );
    if receives && open.access != RECEIVE_ACCESS {
        return Err(MqStatus::MQ_ERROR_ACCESS_DENIED);
    }
    let received = match action {
        Action::Unsupported => return Err(MqStatus::MQ_ERROR_OPERATION_NOT_SUPPORTED_BY_REMOTE_COMPUTER),
        Action::Receive => return receive(manager, open, request, deadline, None).await,
        Action::ReceiveAt(cursor) => {
            let id = open.seat.at(cursor)?;
            return receive(manager, open, request, deadline, Some(id)).await;
        }
        Action::ReceiveLookup(lookup) => {
            let id = open.seat.target.served.message(lookup).ok_or(MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND)?;
            return receive(manager, open, request, deadline, Some(id)).await;
        }
        Action::Peek => open.seat.peek(deadline).await?,
        Action::PeekCursor { cursor, advance } => open.seat.peek_at(cursor, advance, deadline).await?,
        Action::PeekLookup(lookup, step) => peek_lookup(open, lookup, step).await?,
    };
    answer(manager, open, &received, request.max_body_size)
}

fn answer(
    manager: &QueueManager,
    open: &Open,
    received: &Received,
    max_body_size: u32,
) -> Result<StartReceiveResponse, MqStatus> {
    let lookup = open.seat.target.served.lookup_id(received.id);
    let name = manager.format_name(&open.seat.target.served);
    let packed = pack(received, &name).map_err(|_| MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES)?;
    let sections = sections(&packed, max_body_size);
    Ok(StartReceiveResponse {
        arrive_time: u32::try_from(received.sent.0 / 1000).unwrap_or(u32::MAX),
        sequence_id: lookup & 0x00FF_FFFF_FFFF_FFFF,
        number_of_sections: remassist_core::len_u32(sections.len()),
        sections: Some(sections),
        status: MqStatus::MQ_OK,
    })
}

/// Receives the next message; with `only` no other one.
async fn receive(
    manager: &QueueManager,
    open: &Arc<Open>,
    request: &StartReceiveRequest,
    deadline: Instant,
    only: Option<comqc_session::MessageId>,
) -> Result<StartReceiveResponse, MqStatus> {
    if open.seat.target.place != Place::Main {
        return Err(MqStatus::MQ_ERROR_OPERATION_NOT_SUPPORTED_BY_REMOTE_COMPUTER);
    }
    let request_id = request.request_id;
    let (cancel, mut cancelled) = watch::channel(false);
    {
        let mut state = open.state();
        if state.closed {
            return Err(MqStatus::MQ_ERROR_OPERATION_CANCELLED);
        }
        if state.pending.contains_key(&request_id) {
            return Err(MqStatus::MQ_ERROR_INVALID_PARAMETER);
        }
        if state.pending.len() >= manager.options.limits.pending {
            return Err(MqStatus::MQ_ERROR_INSUFFICIENT_RESOURCES);
        }
        state.pending.insert(request_id, Pending::Waiting(cancel));
    }
    let mut waiting = Waiting { open, request_id, over: false };
    let delivery = tokio::select! {
        delivery = open.seat.target.queue().receive(deadline.saturating_duration_since(Instant::now())) => delivery,
        _ = cancelled.changed() => {
            waiting.over = true;
            return Err(MqStatus::MQ_ERROR_OPERATION_CANCELLED);
        }
    };
    let delivery = delivery.map_err(failed)?.ok_or(MqStatus::MQ_ERROR_IO_TIMEOUT)?;
    if only.is_some_and(|only| only != delivery.received.id) {
        // Before the answer, so that whoever looks next sees it. Should it fail, the lock ends with the delivery.
        let _ = open.seat.target.queue().settle(&delivery, &Verdict::Return).await;
        return Err(MqStatus::MQ_ERROR_OPERATION_NOT_SUPPORTED_BY_REMOTE_COMPUTER);
    }
    let answer = match answer(manager, open, &delivery.received, request.max_body_size) {
        Ok(answer) => answer,
        Err(status) => {
            open.give_back(delivery);
            return Err(status);
        }
    };
    let within = manager.options.limits.acknowledge_within;
    let mut state = open.state();
    if *cancelled.borrow() || state.closed {
        drop(state);
        waiting.over = true;
        open.give_back(delivery);
        return Err(MqStatus::MQ_ERROR_OPERATION_CANCELLED);
    }
    // [MS-MQRR] 3.1.5.1: nobody has acknowledged it.
    let late = Arc::clone(open);
    let timer = tokio::spawn(async move {
        sleep(within).await;
        let held = late.state().pending.remove(&request_id);
        if let Some(Pending::Held(delivery, _)) = held {
            late.give_back(delivery);
        }
    });
    state.pending.insert(request_id, Pending::Held(Box::new(delivery), timer.abort_handle()));
    waiting.over = true;
    Ok(answer)
}

async fn peek_lookup(open: &Open, lookup: u64, step: i8) -> Result<Received, MqStatus> {
    let target = &open.seat.target;
    let id = target.served.message(lookup).ok_or(MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND)?;
    let id = match step {
        0 => Some(id),
        1 => target.next(Some(id)).await.map_err(failed)?.map(|listed| listed.id),
        _ => before(target, id).await.map_err(failed)?,
    };
    let id = id.ok_or(MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND)?;
    let found = target.queue().peek(target.place, Some(id)).await.map_err(failed)?;
    found.ok_or(MqStatus::MQ_ERROR_MESSAGE_NOT_FOUND)
}

/// The message before another one.
async fn before(
    target: &Target,
    id: comqc_session::MessageId,
) -> Result<Option<comqc_session::MessageId>, QueueError> {
    let (mut after, mut before) = (None, None);
    while let Some(next) = target.next(after).await? {
        if next.id == id {
            return Ok(before);
        }
        before = Some(next.id);
        after = before;
    }
    Err(QueueError::NotFound(id))
}
