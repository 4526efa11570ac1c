//! The calls of qmmgmt ([MS-MQMR] 3.2).

use rpc_net::{ConnectOptions, Interface};

use super::idl::*;
use crate::rpc::{Endpoint, PropVariant, QueueFormat, RpcError, StatusOnly, connect, done};

/// The interface at a server.
#[derive(Debug, Clone)]
pub struct Management(Endpoint);

/// What a queue manager tells of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueInfo {
    /// Path name.
    pub path_name: String,
    /// Format name.
    pub format_name: String,
    /// `PUBLIC`, `PRIVATE`, `MACHINE`, `CONNECTOR` or `MULTICAST`.
    pub kind: String,
    /// Whether it is transactional, where that is known.
    pub transactional: Option<bool>,
    /// Messages in it.
    pub messages: u32,
    /// Messages in its journal.
    pub journal_messages: u32,
}

const GET_INFO: &str = "R_QMMgmtGetInfo";

impl Management {
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
        Ok(Self::new(connect(host, port, QMMGMT, options).await?))
    }

    /// R_QMMgmtGetInfo: the values of properties of an object, 1 to 128.
    ///
    /// # Errors
    /// As every call; also for another number of values.
    pub async fn get_info(
        &self,
        object: MgmtObject,
        properties: &[u32],
    ) -> Result<Vec<PropVariant>, RpcError> {
        let request = GetInfoRequest {
            object,
            count: remassist_core::len_u32(properties.len()),
            properties: properties.to_vec(),
            values: vec![PropVariant::Null; properties.len()],
        };
        let answer: GetInfoResponse = self.0.ask(GET_INFO, opnum::GET_INFO, &request).await?;
        done(GET_INFO, answer.status)?;
        if answer.values.len() != properties.len() {
            return Err(RpcError::Wrong {
                call: GET_INFO,
                reason: "another number of values than was asked for",
            });
        }
        Ok(answer.values)
    }

    /// The format names of the queues in use.
    ///
    /// # Errors
    /// As [`get_info`](Self::get_info).
    pub async fn active_queues(&self) -> Result<Vec<String>, RpcError> {
        self.names(machine::ACTIVEQUEUES).await
    }

    /// The path names of the private queues.
    ///
    /// # Errors
    /// As [`get_info`](Self::get_info).
    pub async fn private_queues(&self) -> Result<Vec<String>, RpcError> {
        self.names(machine::PRIVATEQ).await
    }

    async fn names(&self, property: u32) -> Result<Vec<String>, RpcError> {
        let values = self.get_info(MgmtObject::Machine(0), &[property]).await?;
        let names = values.first().and_then(PropVariant::as_texts);
        let names = names.ok_or(RpcError::Wrong { call: GET_INFO, reason: "a list of names is none" })?;
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// What is told of a queue.
    ///
    /// # Errors
    /// As [`get_info`](Self::get_info).
    pub async fn queue(&self, queue: QueueFormat) -> Result<QueueInfo, RpcError> {
        use queue::{FORMATNAME, JOURNAL_MESSAGE_COUNT, MESSAGE_COUNT, PATHNAME, TYPE, XACT};
        let asked = [PATHNAME, FORMATNAME, TYPE, XACT, MESSAGE_COUNT, JOURNAL_MESSAGE_COUNT];
        let values = self.get_info(MgmtObject::Queue(Some(queue)), &asked).await?;
        let text = |at: usize| values.get(at).and_then(PropVariant::as_text).unwrap_or_default().to_owned();
        let number = |at: usize| match values.get(at) {
            Some(PropVariant::Ui4(number)) => *number,
            _ => 0,
        };
        let transactional = match text(3).as_str() {
            "YES" => Some(true),
            "NO" => Some(false),
            _ => None,
        };
        Ok(QueueInfo {
            path_name: text(0),
            format_name: text(1),
            kind: text(2),
            transactional,
            messages: number(4),
            journal_messages: number(5),
        })
    }

    /// R_QMMgmtAction: `TIDY` and others.
    ///
    /// # Errors
    /// As every call.
    pub async fn action(&self, object: MgmtObject, action: &str) -> Result<(), RpcError> {
        const CALL: &str = "R_QMMgmtAction";
        let request = ActionRequest { object, action: action.into() };
        let answer: StatusOnly = self.0.ask(CALL, opnum::ACTION, &request).await?;
        done(CALL, answer.status)
    }
}
