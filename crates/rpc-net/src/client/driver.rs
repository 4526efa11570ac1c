//! The task that drives a connection of a client.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use dce_rpc::{
    ByteOrder, CallSpec, Client, ClientEvent, ContextKey, Features, Input, Misuse, Options, Output, Reason,
    SyntaxId,
};
use remassist_core::Time;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use crate::client::Reply;
use crate::error::Error;
use crate::initiator::{Failure, Initiator};

/// While more than this is unsent, no more requests are taken.
const HIGH_WATER: usize = 256 << 10;
const BUFFER: usize = 16 << 10;

/// What an interface is on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    context_id: u16,
    security: Option<u32>,
}

/// What is asked of the driver. Who does not wait any more has dropped the other end of `reply`.
pub(super) enum Command {
    Bind {
        interface: SyntaxId,
        security: Option<Box<(ContextKey, Initiator)>>,
        failure: Failure,
        reply: oneshot::Sender<Result<Bound, Error>>,
    },
    Call {
        bound: Bound,
        opnum: u16,
        object: Option<Uuid>,
        stub: Vec<u8>,
        reply: oneshot::Sender<Result<Reply, Error>>,
    },
}

struct Binding {
    security: Option<u32>,
    failure: Failure,
    reply: oneshot::Sender<Result<Bound, Error>>,
}

pub(super) struct Driver {
    client: Client<Initiator>,
    commands: mpsc::Receiver<Command>,
    write_timeout: Duration,
    start: Instant,
    unsent: Vec<u8>,
    /// A request that has to wait for an answer to another one.
    held: Option<Command>,
    binding: Option<Binding>,
    calls: HashMap<u32, oneshot::Sender<Result<Reply, Error>>>,
    /// The first security context, which serves all interfaces where the server grants no second one.
    first_security: Option<u32>,
    over: Arc<OnceLock<Reason>>,
}

enum Next {
    Read(usize),
    Lost,
    Wrote(usize),
    Command(Option<Command>),
    Abandoned(u32),
    Tick,
    Stuck,
}

impl Driver {
    pub(super) fn new(
        options: Options,
        write_timeout: Duration,
        commands: mpsc::Receiver<Command>,
        over: Arc<OnceLock<Reason>>,
    ) -> Self {
        Self {
            client: Client::new(options, 0),
            commands,
            write_timeout,
            start: Instant::now(),
            unsent: Vec::new(),
            held: None,
            binding: None,
            calls: HashMap::new(),
            first_security: None,
            over,
        }
    }

    pub(super) async fn run(mut self, mut stream: TcpStream) {
        let reason = self.drive(&mut stream).await;
        self.over.get_or_init(|| reason);
        let error = match reason {
            // The server gives no answer to a failed exchange but the end of the connection.
            Reason::Security(_) => self.binding.as_ref().and_then(|binding| binding.failure.code()),
            _ => None,
        };
        let error = error.map_or(Error::Closed(reason), Error::Security);
        if let Some(binding) = self.binding.take() {
            let _ = binding.reply.send(Err(error));
        }
        for (_, reply) in self.calls.drain() {
            let _ = reply.send(Err(Error::Closed(reason)));
        }
        // The last words, where the server still listens.
        let _ = timeout(self.write_timeout, async {
            stream.write_all(&self.unsent).await?;
            stream.shutdown().await
        })
        .await;
    }

    async fn drive(&mut self, stream: &mut TcpStream) -> Reason {
        let mut buffer = vec![0; BUFFER];
        let mut progress = Instant::now();
        let (mut read, mut write) = stream.split();
        loop {
            let deadline = loop {
                match self.client.poll() {
                    Output::Send(bytes) => {
                        if self.unsent.is_empty() {
                            progress = Instant::now();
                        }
                        self.unsent.extend_from_slice(&bytes);
                    }
                    Output::Event(event) => self.event(event),
                    Output::Close(reason) => return reason,
                    Output::Wait(time) => break time,
                    _ => {}
                }
            };
            if let Some(command) = self.held.take() {
                self.held = self.submit(command);
                if self.held.is_none() {
                    continue;
                }
            }
            let deadline = deadline.map(|Time(at)| self.start + Duration::from_millis(at));
            let more = self.held.is_none() && self.unsent.len() < HIGH_WATER;
            let next = tokio::select! {
                result = read.read(&mut buffer) => match result {
                    Ok(0) | Err(_) => Next::Lost,
                    Ok(n) => Next::Read(n),
                },
                result = write.write(&self.unsent), if !self.unsent.is_empty() => {
                    result.map_or(Next::Lost, Next::Wrote)
                }
                command = self.commands.recv(), if more => Next::Command(command),
                call_id = abandoned(&mut self.calls) => Next::Abandoned(call_id),
                () = sleep_until(progress + self.write_timeout), if !self.unsent.is_empty() => Next::Stuck,
                () = wait_until(deadline) => Next::Tick,
            };
            let now = self.now();
            match next {
                Next::Read(n) => {
                    let bytes = buffer.get(..n).unwrap_or_default();
                    self.client.handle(now, Input::Data(bytes));
                }
                Next::Lost => self.client.handle(now, Input::ConnectionLost),
                Next::Wrote(n) => {
                    progress = Instant::now();
                    self.unsent.drain(..n.min(self.unsent.len()));
                }
                Next::Command(Some(command)) => self.held = self.submit(command),
                Next::Command(None) => self.client.close(),
                Next::Abandoned(call_id) => self.abandon(call_id),
                Next::Tick => self.client.handle(now, Input::Tick),
                Next::Stuck => return Reason::TimedOut,
            }
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Does what is asked; gives it back when it has to wait.
    fn submit(&mut self, command: Command) -> Option<Command> {
        let now = self.now();
        match command {
            Command::Bind { reply, .. } if reply.is_closed() => None,
            Command::Call { reply, .. } if reply.is_closed() => None,
            Command::Bind { .. } if self.binding.is_some() => Some(command),
            Command::Bind { interface, mut security, failure, reply } => {
                let several = self.client.features().contains(Features::SECURITY_CONTEXT_MULTIPLEXING);
                let mut id = security.as_ref().map(|security| security.0.context_id);
                if let Some(first) = self.first_security.filter(|_| !several && id.is_some()) {
                    (security, id) = (None, Some(first));
                }
                match self.client.bind(now, interface, security.map(|security| *security)) {
                    Ok(_) => self.binding = Some(Binding { security: id, failure, reply }),
                    Err(misuse) => {
                        let _ = reply.send(Err(Error::Misuse(misuse)));
                    }
                }
                None
            }
            Command::Call { bound, opnum, object, stub, reply } => {
                let Bound { context_id, security } = bound;
                let spec = CallSpec { context_id, security, opnum, object, stub: &stub };
                match self.client.call(now, &spec) {
                    Ok(call_id) => {
                        self.calls.insert(call_id, reply);
                    }
                    Err(Misuse::TooMany) => return Some(Command::Call { bound, opnum, object, stub, reply }),
                    Err(misuse) => {
                        let _ = reply.send(Err(Error::Misuse(misuse)));
                    }
                }
                None
            }
        }
    }

    fn event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Bound { context_id } => {
                if let Some(Binding { security, reply, .. }) = self.binding.take() {
                    self.first_security = self.first_security.or(security);
                    let _ = reply.send(Ok(Bound { context_id, security }));
                }
            }
            ClientEvent::Refused { why, .. } => {
                if let Some(binding) = self.binding.take() {
                    let _ = binding.reply.send(Err(Error::Refused(why)));
                }
            }
            ClientEvent::Response { call_id, big_endian, stub } => {
                let byte_order = if big_endian { ByteOrder::Big } else { ByteOrder::Little };
                self.answer(call_id, Ok(Reply { stub, byte_order }));
            }
            ClientEvent::Fault { call_id, status, .. } => self.answer(call_id, Err(Error::Fault(status))),
            // [MS-RPCE] 3.3.2.5.4: nothing new is begun here, what is under way ends.
            ClientEvent::Shutdown => self.commands.close(),
            _ => {}
        }
    }

    fn answer(&mut self, call_id: u32, result: Result<Reply, Error>) {
        if let Some(reply) = self.calls.remove(&call_id) {
            // Nobody may wait any more.
            let _ = reply.send(result);
        }
    }

    /// Without the feature an orphaned PDU would end the connection: then the answer is waited for and dropped.
    fn abandon(&mut self, call_id: u32) {
        self.calls.remove(&call_id);
        let keeps = self.client.features().contains(Features::KEEP_CONNECTION_ON_ORPHAN);
        let told = if keeps { self.client.orphan(call_id) } else { self.client.cancel(call_id) };
        // The call may be over.
        let _ = told;
    }
}

/// A call that nobody waits for any more.
async fn abandoned(calls: &mut HashMap<u32, oneshot::Sender<Result<Reply, Error>>>) -> u32 {
    poll_fn(|cx| {
        let mut calls = calls.iter_mut();
        let found = calls.find_map(|(id, reply)| reply.poll_closed(cx).is_ready().then_some(*id));
        found.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
