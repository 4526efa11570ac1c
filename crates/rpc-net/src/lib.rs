#![doc = include_str!("../README.md")]

mod acceptor;
mod accounts;
mod audit;
mod client;
mod credentials;
mod error;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod fuzzing;
mod initiator;
mod kdc;
mod provider;
mod server;

pub use accounts::{Accounts, AccountsError, FileAccounts, MemoryAccounts, NtHash};
pub use audit::{Audit, AuditEvent, NoAudit, RefusedConnection, RefusedLogon};
pub use client::{ConnectOptions, Connection, Interface, Reply};
pub use credentials::{Credentials, Mechanism};
pub use error::{Error, SecurityCode};
pub use server::{Caller, IncomingCall, Server, ServerOptions, Service};

pub use dce_rpc::{
    AuthLevel, ByteOrder, ContextReason, ContextResult, Features, Options, Reason, Refusal, RejectReason,
    Status, SyntaxId,
};
