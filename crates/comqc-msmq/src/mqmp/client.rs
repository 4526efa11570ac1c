//! The calls of qmcomm and qmcomm2 that senders and receivers need ([MS-MQMP] 3.2).

use comqc_session::{FormatName, MessageId, QueueMessage, Received};
use ndr_oaut::Full;
use remassist_core::len_u32;
use rpc_net::{ConnectOptions, Interface};
use uuid::Uuid;

use super::buffer::CreateRemoteCursor;
use super::idl::*;
use super::message::{read_received, sizes, to_measure, to_receive, to_send};
use crate::mqrr::action;
use crate::rpc::{
    ContextHandle, Endpoint, MqStatus, PropVariant, QueueFormat, RpcError, StatusOnly, Text, connect, done,
};

/// Both interfaces at a queue manager.
#[derive(Debug, Clone)]
pub struct QueueManagerClient {
    qmcomm: Endpoint,
    qmcomm2: Endpoint,
    name: String,
}

/// A queue that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenQueue {
    /// The handle of all calls but one.
    pub handle: ContextHandle,
    /// The number of rpc_ACReceiveMessageEx.
    pub context: u32,
}

/// Which message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiveFrom {
    /// The first one.
    First,
    /// That at a cursor.
    Cursor(u32),
    /// That behind the cursor, which it is then at; only to peek.
    Next(u32),
}

impl ReceiveFrom {
    fn parts(self, peek: bool) -> (u32, u32) {
        let action = if peek { action::PEEK_CURRENT } else { action::RECEIVE };
        match self {
            Self::First => (action, 0),
            Self::Cursor(cursor) => (action, cursor),
            Self::Next(cursor) => (action::PEEK_NEXT, cursor),
        }
    }
}

const RECEIVE: &str = "rpc_ACReceiveMessageEx";

/// How often a message is measured again that has become another one meanwhile.
const ATTEMPTS: u32 = 8;

impl QueueManagerClient {
    /// Interfaces that are bound; the name is that of this computer, which the server is told.
    #[must_use]
    pub fn new(qmcomm: Interface, qmcomm2: Interface, name: &str) -> Self {
        Self { qmcomm: Endpoint(qmcomm), qmcomm2: Endpoint(qmcomm2), name: name.into() }
    }

    /// Connects to a host, at the port given or at that which its endpoint mapper tells.
    ///
    /// # Errors
    /// When there is no connection, no such interface, or the caller is refused.
    pub async fn connect(
        host: &str,
        port: Option<u16>,
        options: &ConnectOptions,
        name: &str,
    ) -> Result<Self, RpcError> {
        let qmcomm = connect(host, port, QMCOMM, options).await?;
        let second = qmcomm.connection().interface(QMCOMM2).await;
        let qmcomm2 = second.map_err(|error| RpcError::Rpc { call: "bind", error })?;
        Ok(Self::new(qmcomm, qmcomm2, name))
    }

    /// R_QMGetRTQMServerPort: at which port the other calls are to be made.
    ///
    /// # Errors
    /// As every call; also when the server tells none.
    pub async fn get_server_port(&self) -> Result<u16, RpcError> {
        const CALL: &str = "R_QMGetRTQMServerPort";
        let request = GetServerPortRequest { ip: 0 };
        let answer: crate::mqrr::GetServerPortResponse =
            self.qmcomm.ask(CALL, opnum::GET_RTQM_SERVER_PORT, &request).await?;
        let port = u16::try_from(answer.port).ok().filter(|port| *port != 0);
        port.ok_or(RpcError::Wrong { call: CALL, reason: "the server tells no port" })
    }

    /// rpc_QMOpenQueueInternal: a queue of the server. Those of other machines, which it would tell, are refused.
    ///
    /// # Errors
    /// As every call; also for a queue that is elsewhere.
    pub async fn open(
        &self,
        queue: &FormatName,
        access: u32,
        share_mode: u32,
    ) -> Result<OpenQueue, RpcError> {
        const CALL: &str = "rpc_QMOpenQueueInternal";
        let request = OpenQueueRequest {
            queue: QueueFormat::from(queue),
            access,
            share_mode,
            remote_queue_name: Full::Null,
            license: Uuid::nil(),
            client_name: Text(self.name.clone()),
            ..OpenQueueRequest::default()
        };
        let answer: OpenQueueResponse = self.qmcomm.ask(CALL, opnum::OPEN_QUEUE, &request).await?;
        done(CALL, answer.status)?;
        if answer.queue == ContextHandle::NULL {
            return Err(RpcError::Wrong { call: CALL, reason: "the queue is on another machine" });
        }
        Ok(OpenQueue { handle: answer.queue, context: answer.qm_context })
    }

    /// rpc_ACCloseHandle.
    ///
    /// # Errors
    /// As every call.
    pub async fn close(&self, queue: OpenQueue) -> Result<(), RpcError> {
        const CALL: &str = "rpc_ACCloseHandle";
        let request = HandleRequest { queue: queue.handle };
        let answer: CloseHandleResponse = self.qmcomm.ask(CALL, opnum::CLOSE_HANDLE, &request).await?;
        done(CALL, answer.status)
    }

    /// rpc_ACPurgeQueue.
    ///
    /// # Errors
    /// As every call.
    pub async fn purge(&self, queue: OpenQueue) -> Result<(), RpcError> {
        self.status("rpc_ACPurgeQueue", opnum::PURGE_QUEUE, &HandleRequest { queue: queue.handle }).await
    }

    /// rpc_ACCreateCursorEx.
    ///
    /// # Errors
    /// As every call.
    pub async fn create_cursor(&self, queue: OpenQueue) -> Result<u32, RpcError> {
        const CALL: &str = "rpc_ACCreateCursorEx";
        let request = CreateCursorRequest { queue: queue.handle, cursor: CreateRemoteCursor::default() };
        let answer: CreateCursorResponse = self.qmcomm2.ask(CALL, opnum2::CREATE_CURSOR, &request).await?;
        done(CALL, answer.status).map(|()| answer.cursor.cursor)
    }

    /// rpc_ACCloseCursor.
    ///
    /// # Errors
    /// As every call.
    pub async fn close_cursor(&self, queue: OpenQueue, cursor: u32) -> Result<(), RpcError> {
        let request = CloseCursorRequest { queue: queue.handle, cursor };
        self.status("rpc_ACCloseCursor", opnum::CLOSE_CURSOR, &request).await
    }

    /// rpc_ACSendMessageEx: the server has the message when this returns.
    ///
    /// # Errors
    /// As every call; also where the server tells no identifier.
    pub async fn send(&self, queue: OpenQueue, message: &QueueMessage) -> Result<MessageId, RpcError> {
        const CALL: &str = "rpc_ACSendMessageEx";
        let request = SendMessageRequest {
            queue: queue.handle,
            buffer: to_send(message),
            message_id: Some(MessageId::NIL.into()),
        };
        let answer: SendMessageResponse = self.qmcomm2.ask(CALL, opnum2::SEND_MESSAGE, &request).await?;
        done(CALL, answer.status)?;
        let id = answer
            .message_id
            .ok_or(RpcError::Wrong { call: CALL, reason: "no identifier of the message" })?;
        Ok(id.into())
    }

    /// rpc_ACReceiveMessageEx with an action that peeks: a message that stays where it is; `None` when there is none in time.
    ///
    /// # Errors
    /// As every call.
    pub async fn peek(
        &self,
        queue: OpenQueue,
        from: ReceiveFrom,
        timeout: u32,
    ) -> Result<Option<Received>, RpcError> {
        let (action, cursor) = from.parts(true);
        let Some((body, extension)) = self.measure(queue, action, cursor, timeout).await? else {
            return Ok(None);
        };
        // Where the cursor has moved already, the message is at it.
        let action = action::PEEK_CURRENT;
        self.fetch(queue, (action, cursor, 0), body, extension).await
    }

    /// rpc_ACReceiveMessageEx: takes a message out; `None` when there is none in time. When the answer is lost on the way, so is
    /// the message: the protocol has no acknowledgement.
    ///
    /// # Errors
    /// As every call.
    pub async fn receive(
        &self,
        queue: OpenQueue,
        from: ReceiveFrom,
        timeout: u32,
    ) -> Result<Option<Received>, RpcError> {
        let (action, cursor) = from.parts(false);
        let mut result = Ok(None);
        for _ in 0..ATTEMPTS {
            let sizes = self.measure(queue, action::PEEK_CURRENT, cursor, timeout).await?;
            let Some((body, extension)) = sizes else { return Ok(None) };
            result = self.fetch(queue, (action, cursor, timeout), body, extension).await;
            match &result {
                // Somebody was faster, and the next one is larger.
                Err(error) if error.status() == Some(MqStatus::MQ_ERROR_BUFFER_OVERFLOW) => {}
                _ => return result,
            }
        }
        result
    }

    /// How much room the next message needs.
    async fn measure(
        &self,
        queue: OpenQueue,
        action: u32,
        cursor: u32,
        timeout: u32,
    ) -> Result<Option<(u32, u32)>, RpcError> {
        let request =
            ReceiveMessageRequest { qm_context: queue.context, buffer: to_measure(action, cursor, timeout) };
        let answer = self.ask_receive(&request).await?;
        let sizes = answer.as_ref().map(|answer| sizes(&answer.buffer));
        let most = len_u32(crate::MAX_MESSAGE);
        match sizes {
            Some((body, extension)) if body > most || extension > most => {
                Err(RpcError::Wrong { call: RECEIVE, reason: "a message is too large" })
            }
            sizes => Ok(sizes),
        }
    }

    async fn fetch(
        &self,
        queue: OpenQueue,
        (action, cursor, timeout): (u32, u32, u32),
        body: u32,
        extension: u32,
    ) -> Result<Option<Received>, RpcError> {
        let buffer = to_receive(action, cursor, timeout, body, extension);
        let request = ReceiveMessageRequest { qm_context: queue.context, buffer };
        let Some(answer) = self.ask_receive(&request).await? else { return Ok(None) };
        let message = read_received(&answer.buffer);
        message
            .map(Some)
            .ok_or(RpcError::Wrong { call: RECEIVE, reason: "a property of the message is missing" })
    }

    /// `None` when no message came in time.
    async fn ask_receive(
        &self,
        request: &ReceiveMessageRequest,
    ) -> Result<Option<ReceiveMessageResponse>, RpcError> {
        let answer: ReceiveMessageResponse =
            self.qmcomm2.ask(RECEIVE, opnum2::RECEIVE_MESSAGE, request).await?;
        if answer.status == MqStatus::MQ_ERROR_IO_TIMEOUT {
            return Ok(None);
        }
        done(RECEIVE, answer.status).map(|()| Some(answer))
    }

    /// rpc_ACHandleToFormatName.
    ///
    /// # Errors
    /// As every call.
    pub async fn format_name(&self, queue: OpenQueue) -> Result<String, RpcError> {
        const CALL: &str = "rpc_ACHandleToFormatName";
        const ROOM: usize = 1024;
        let request = HandleToFormatNameRequest {
            queue: queue.handle,
            buffer_len: len_u32(ROOM),
            format_name: Some(vec![0; ROOM].into()),
            length: len_u32(ROOM),
        };
        let answer: HandleToFormatNameResponse =
            self.qmcomm.ask(CALL, opnum::HANDLE_TO_FORMAT_NAME, &request).await?;
        done(CALL, answer.status)?;
        let units = answer.format_name.unwrap_or_default().units;
        Ok(String::from_utf16_lossy(units.split(|unit| *unit == 0).next().unwrap_or_default()))
    }

    /// R_QMCreateObjectInternal: a private queue of this path name.
    ///
    /// # Errors
    /// As every call; where the queue is there already, MQ_ERROR_QUEUE_EXISTS.
    pub async fn create_queue(
        &self,
        path_name: &str,
        label: &str,
        transactional: bool,
    ) -> Result<(), RpcError> {
        let request = CreateObjectRequest {
            object_type: 1,
            path_name: path_name.into(),
            security_size: 0,
            security: None,
            count: 2,
            properties: vec![property::LABEL, property::TRANSACTION],
            values: vec![PropVariant::text(label), PropVariant::Ui1(u8::from(transactional))],
        };
        self.status("R_QMCreateObjectInternal", opnum::CREATE_OBJECT, &request).await
    }

    /// R_QMObjectPathToObjectFormat: the format name of a path name.
    ///
    /// # Errors
    /// As every call.
    pub async fn path_to_format(&self, path_name: &str) -> Result<QueueFormat, RpcError> {
        const CALL: &str = "R_QMObjectPathToObjectFormat";
        let request = PathToFormatRequest {
            path_name: path_name.into(),
            object: ObjectFormat(Some(QueueFormat::default())),
        };
        let answer: PathToFormatResponse =
            self.qmcomm.ask(CALL, opnum::OBJECT_PATH_TO_OBJECT_FORMAT, &request).await?;
        done(CALL, answer.status)?;
        answer.object.0.ok_or(RpcError::Wrong { call: CALL, reason: "no format name" })
    }

    /// R_QMDeleteObject: deletes a private queue.
    ///
    /// # Errors
    /// As every call.
    pub async fn delete_queue(&self, queue: QueueFormat) -> Result<(), RpcError> {
        let request = ObjectRequest { object: ObjectFormat(Some(queue)) };
        self.status("R_QMDeleteObject", opnum::DELETE_OBJECT, &request).await
    }

    /// R_QMGetObjectProperties: values of properties of a private queue, 1 to 128.
    ///
    /// # Errors
    /// As every call; also for another number of values.
    pub async fn get_properties(
        &self,
        queue: QueueFormat,
        properties: &[u32],
    ) -> Result<Vec<PropVariant>, RpcError> {
        const CALL: &str = "R_QMGetObjectProperties";
        let request = GetObjectPropertiesRequest {
            object: ObjectFormat(Some(queue)),
            count: len_u32(properties.len()),
            properties: properties.to_vec(),
            values: vec![PropVariant::Null; properties.len()],
        };
        let answer: GetObjectPropertiesResponse =
            self.qmcomm.ask(CALL, opnum::GET_OBJECT_PROPERTIES, &request).await?;
        done(CALL, answer.status)?;
        if answer.values.len() != properties.len() {
            return Err(RpcError::Wrong {
                call: CALL,
                reason: "another number of values than was asked for",
            });
        }
        Ok(answer.values)
    }

    async fn status<Q>(&self, call: &'static str, opnum: u16, request: &Q) -> Result<(), RpcError>
    where
        Q: for<'a> ndr_oaut::Ndr<'a>,
    {
        let answer: StatusOnly = self.qmcomm.ask(call, opnum, request).await?;
        done(call, answer.status)
    }
}
