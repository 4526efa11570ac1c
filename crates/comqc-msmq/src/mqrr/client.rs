//! The calls of RemoteRead ([MS-MQRR] 3.2).

use rpc_net::{ConnectOptions, Interface};
use uuid::Uuid;

use super::idl::*;
use super::section::join;
use crate::MAX_MESSAGE;
use crate::rpc::{
    ContextHandle, Endpoint, MqStatus, Nothing, QueueFormat, RpcError, StatusOnly, connect, done,
};

/// The interface at a server. Each function is one call; [`RemoteQueue`](super::RemoteQueue) is a queue made of them.
#[derive(Debug, Clone)]
pub struct RemoteRead(Endpoint);

/// What R_StartReceive is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartReceive {
    /// The message of a lookup identifier; 0 for none.
    pub lookup_id: u64,
    /// The message at a cursor; 0 for none.
    pub cursor: u32,
    /// One of [`action`].
    pub action: u32,
    /// Milliseconds to wait for a message.
    pub timeout: u32,
    /// Number of the request, for R_EndReceive and R_CancelReceive.
    pub request_id: u32,
    /// Bytes of the body that are wanted.
    pub max_body_size: u32,
}

/// A message packet as it was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// When it arrived, in seconds since 1970 (UTC).
    pub arrive_time: u32,
    /// Lower 7 bytes of the lookup identifier.
    pub sequence_id: u64,
    /// The message packet, with zeros for the part of the body that was not wanted.
    pub packet: Vec<u8>,
    /// Bytes of the body that were not wanted.
    pub missing: usize,
}

/// Version of MSMQ that R_OpenQueue tells: that of Windows Server 2008 R2 and later.
const VERSION: (u8, u8, u16) = (6, 1, 0);

impl RemoteRead {
    /// An interface that is bound.
    #[must_use]
    pub fn new(interface: Interface) -> Self {
        Self(Endpoint(interface))
    }

    /// Connects to a host, at the port given or at that which its endpoint mapper tells.
    ///
    /// # Errors
    /// When there is no connection, no such interface, or the caller is refused.
    pub async fn connect(host: &str, port: Option<u16>, options: &ConnectOptions) -> Result<Self, RpcError> {
        Ok(Self::new(connect(host, port, REMOTE_READ, options).await?))
    }

    /// R_GetServerPort: at which port the other calls are to be made.
    ///
    /// # Errors
    /// As every call; also when the server tells none.
    pub async fn get_server_port(&self) -> Result<u16, RpcError> {
        const CALL: &str = "R_GetServerPort";
        let answer: GetServerPortResponse = self.0.ask(CALL, opnum::GET_SERVER_PORT, &Nothing {}).await?;
        let port = u16::try_from(answer.port).ok().filter(|port| *port != 0);
        port.ok_or(RpcError::Wrong { call: CALL, reason: "the server tells no port" })
    }

    /// R_OpenQueue.
    ///
    /// # Errors
    /// As every call; the HRESULT is that of a fault.
    pub async fn open_queue(
        &self,
        queue: QueueFormat,
        access: u32,
        share_mode: u32,
        client: Uuid,
    ) -> Result<ContextHandle, RpcError> {
        let (major, minor, build_number) = VERSION;
        let request = OpenQueueRequest {
            queue,
            access,
            share_mode,
            client_id: client,
            non_routing_server: 1,
            major,
            minor,
            build_number,
            workgroup: 1,
        };
        let answer: OpenQueueResponse = self.0.ask("R_OpenQueue", opnum::OPEN_QUEUE, &request).await?;
        Ok(answer.context)
    }

    /// R_CloseQueue.
    ///
    /// # Errors
    /// As every call.
    pub async fn close_queue(&self, context: ContextHandle) -> Result<(), RpcError> {
        const CALL: &str = "R_CloseQueue";
        let answer: CloseQueueResponse =
            self.0.ask(CALL, opnum::CLOSE_QUEUE, &ContextRequest { context }).await?;
        done(CALL, answer.status)
    }

    /// R_CreateCursor.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_cursor(&self, context: ContextHandle) -> Result<u32, RpcError> {
        const CALL: &str = "R_CreateCursor";
        let answer: CreateCursorResponse =
            self.0.ask(CALL, opnum::CREATE_CURSOR, &ContextRequest { context }).await?;
        done(CALL, answer.status).map(|()| answer.cursor)
    }

    /// R_CloseCursor.
    ///
    /// # Errors
    /// As every call.
    pub async fn close_cursor(&self, context: ContextHandle, cursor: u32) -> Result<(), RpcError> {
        let request = CloseCursorRequest { context, cursor };
        self.status("R_CloseCursor", opnum::CLOSE_CURSOR, &request).await
    }

    /// R_PurgeQueue.
    ///
    /// # Errors
    /// As every call.
    pub async fn purge_queue(&self, context: ContextHandle) -> Result<(), RpcError> {
        self.status("R_PurgeQueue", opnum::PURGE_QUEUE, &ContextRequest { context }).await
    }

    /// R_StartReceive; `None` when no message came in time.
    ///
    /// # Errors
    /// As every call; also for sections that are not those of a packet.
    pub async fn start_receive(
        &self,
        context: ContextHandle,
        request: StartReceive,
    ) -> Result<Option<Picked>, RpcError> {
        const CALL: &str = "R_StartReceive";
        let StartReceive { lookup_id, cursor, action, timeout, request_id, max_body_size } = request;
        let request = StartReceiveRequest {
            context,
            lookup_id,
            cursor,
            action,
            timeout,
            request_id,
            max_body_size,
            max_compound_message_size: max_body_size,
        };
        let answer: StartReceiveResponse = self.0.ask(CALL, opnum::START_RECEIVE, &request).await?;
        if answer.status == MqStatus::MQ_ERROR_IO_TIMEOUT {
            return Ok(None);
        }
        done(CALL, answer.status)?;
        let (packet, missing) = join(answer.sections.unwrap_or_default(), MAX_PACKET)?;
        let StartReceiveResponse { arrive_time, sequence_id, .. } = answer;
        Ok(Some(Picked { arrive_time, sequence_id, packet, missing }))
    }

    /// R_CancelReceive.
    ///
    /// # Errors
    /// As every call; when the request does not wait any more.
    pub async fn cancel_receive(&self, context: ContextHandle, request_id: u32) -> Result<(), RpcError> {
        let request = CancelReceiveRequest { context, request_id };
        self.status("R_CancelReceive", opnum::CANCEL_RECEIVE, &request).await
    }

    /// R_EndReceive: the message was received (`true`) and goes, or it stays.
    ///
    /// # Errors
    /// As every call; when the message is not held any more, it comes again.
    pub async fn end_receive(
        &self,
        context: ContextHandle,
        request_id: u32,
        ack: bool,
    ) -> Result<(), RpcError> {
        let request = EndReceiveRequest { context, ack: if ack { RR_ACK } else { RR_NACK }, request_id };
        self.status("R_EndReceive", opnum::END_RECEIVE, &request).await
    }

    async fn status<Q>(&self, call: &'static str, opnum: u16, request: &Q) -> Result<(), RpcError>
    where
        Q: for<'a> ndr_oaut::Ndr<'a>,
    {
        let answer: StatusOnly = self.0.ask(call, opnum, request).await?;
        done(call, answer.status)
    }
}

/// The most bytes of a message packet: a message, and the headers of [MS-MQRR] 2.2.5 behind it.
const MAX_PACKET: usize = MAX_MESSAGE + 4096;
