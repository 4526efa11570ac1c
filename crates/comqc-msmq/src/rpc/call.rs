//! Calls of clients, and stub data at servers.

use ndr_oaut::{ByteOrder, Ndr, Residue, Stub, Writer};
use remassist_core::{At, DecodeError, DecodeOptions, Limits};
use rpc_net::{ConnectOptions, Connection, Error, IncomingCall, Interface, Status, SyntaxId};

use super::mapper::map;
use super::status::MqStatus;
use crate::{MAX_MESSAGE, QueueError};

static STUB: At = At::new("[C706]", "14.4", "stub data", "");

/// Stub data of one call: a whole message, and what stands around it.
pub(crate) const MAX_STUB: usize = MAX_MESSAGE + (64 << 10);
const LIMITS: Limits = Limits::DEFAULT.with_message(MAX_STUB).with_string(MAX_MESSAGE).with_items(4096);

/// Why a call did not do what it was for.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The call did not come about, or failed by a fault.
    #[error("{call}: {error}")]
    Rpc {
        /// The method.
        call: &'static str,
        /// Why.
        error: Error,
    },
    /// The server has refused.
    #[error("{call}: {status}")]
    Status {
        /// The method.
        call: &'static str,
        /// Its result.
        status: MqStatus,
    },
    /// The answer cannot be read.
    #[error("{call}: the answer cannot be read: {error}")]
    Answer {
        /// The method.
        call: &'static str,
        /// Where and why.
        error: DecodeError,
    },
    /// The answer says what it cannot say.
    #[error("{call}: {reason}")]
    Wrong {
        /// The method.
        call: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The parameters cannot be written: too large.
    #[error("{call}: the parameters cannot be written")]
    Unwritable {
        /// The method.
        call: &'static str,
    },
    /// The endpoint mapper knows no port of the interface.
    #[error("the endpoint mapper knows no port of the interface")]
    NotRegistered,
}

impl RpcError {
    /// The HRESULT, where the server gave one: as a result, or as the status of a fault.
    #[must_use]
    pub fn status(&self) -> Option<MqStatus> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Rpc { error: Error::Fault(status), .. } => Some(MqStatus(status.0)),
            _ => None,
        }
    }

    /// Whether the connection is of no more use, so that a new one may help.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Rpc { error: Error::Closed(_) | Error::Io(_) | Error::TimedOut, .. })
    }
}

impl From<RpcError> for QueueError {
    fn from(error: RpcError) -> Self {
        let text = error.to_string();
        match error.status() {
            _ if error.is_disconnected() => Self::Disconnected(text),
            Some(MqStatus::MQ_ERROR_QUEUE_NOT_FOUND | MqStatus::MQ_ERROR_ILLEGAL_FORMATNAME) => {
                Self::Address(text)
            }
            Some(
                MqStatus::MQ_ERROR_OPERATION_NOT_SUPPORTED_BY_REMOTE_COMPUTER
                | MqStatus::MQ_ERROR_UNSUPPORTED_OPERATION,
            ) => Self::Unsupported(text),
            _ => Self::Backend(text),
        }
    }
}

/// Where a client finds an interface.
///
/// # Errors
/// When the endpoint mapper at port 135 cannot be asked, or the interface cannot be bound.
pub async fn connect(
    host: &str,
    port: Option<u16>,
    interface: SyntaxId,
    options: &ConnectOptions,
) -> Result<Interface, RpcError> {
    let port = match port {
        Some(port) => port,
        None => map((host, 135), interface).await?,
    };
    let failed = |error| RpcError::Rpc { call: "bind", error };
    let mut options = options.clone();
    options.rpc.max_stub = options.rpc.max_stub.max(MAX_STUB);
    let connection = Connection::connect((host, port), &options).await.map_err(failed)?;
    connection.interface(interface).await.map_err(failed)
}

/// An interface at a server.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint(pub(crate) Interface);

impl Endpoint {
    /// Calls a method; what follows the last parameter of its answer is ignored.
    pub(crate) async fn ask<Q, R>(&self, call: &'static str, opnum: u16, request: &Q) -> Result<R, RpcError>
    where
        Q: for<'a> Ndr<'a>,
        R: for<'a> Ndr<'a>,
    {
        let stub = write(request).map_err(|_| RpcError::Unwritable { call })?;
        let reply = self.0.call(opnum, None, stub).await.map_err(|error| RpcError::Rpc { call, error })?;
        let options = DecodeOptions::TOLERANT.with_limits(LIMITS);
        let answer = Stub::<R>::read(&reply.stub, order(reply.byte_order), &options);
        answer.map(|stub| stub.value.value).map_err(|error| RpcError::Answer { call, error })
    }
}

/// Whether a result is a success.
pub(crate) fn done(call: &'static str, status: MqStatus) -> Result<(), RpcError> {
    if status.is_success() { Ok(()) } else { Err(RpcError::Status { call, status }) }
}

fn order(order: rpc_net::ByteOrder) -> ByteOrder {
    match order {
        rpc_net::ByteOrder::Little => ByteOrder::Little,
        rpc_net::ByteOrder::Big => ByteOrder::Big,
    }
}

/// Stub data that cannot be read: RPC_X_BAD_STUB_DATA.
pub(crate) const fn bad_stub() -> Status {
    Status(0x0000_06F7)
}

/// The parameters of a call, which must keep all rules. What follows them is ignored.
pub(crate) fn read<Q: for<'a> Ndr<'a>>(call: &IncomingCall) -> Result<Q, Status> {
    let options = DecodeOptions::STRICT.with_limits(LIMITS);
    let stub = Stub::<Q>::read(&call.stub, order(call.byte_order), &options);
    stub.map(|stub| stub.value.value).map_err(|_| bad_stub())
}

/// Stub data of a request or response.
pub(crate) fn write<R: for<'a> Ndr<'a>>(value: &R) -> Result<Vec<u8>, Status> {
    let residue = Residue::default();
    let mut writer = Writer::new(ByteOrder::Little, &residue);
    writer.value(value, &STUB);
    writer.finish().map_err(|_| Status::FAULT_UNSPEC)
}
