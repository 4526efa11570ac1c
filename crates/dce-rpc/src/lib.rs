#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod bind;
mod call;
mod client;
mod fragment;
mod frame;
mod io;
mod names;
mod pdu;
mod reassembly;
mod security;
mod server;
mod syntax;
mod trailer;
mod verifier;
mod wire;

pub use bind::{Bind, BindAck, BindNak, EXTENDED_ERROR_SIGNATURE, PresentationContext, PresentationResult};
pub use call::{Fault, Request, Response};
pub use client::{CallSpec, Client, ClientEvent, Refusal};
pub use fragment::{MUST_RECV_FRAG_SIZE, Piece, Pieces};
pub use frame::Framer;
pub use io::{Input, Misuse, Options, Output, Reason};
pub use names::{AuthLevel, AuthType, ContextReason, ContextResult, Flags, PacketType, RejectReason, Status};
pub use pdu::{Body, CommonHeader, DataRepresentation, HEADER_LEN, Pdu};
pub use reassembly::{ContextKey, Fragment, Reassembly, ReassemblyError, Whole};
pub use security::{Message, Security, SecurityFailure, Step};
pub use server::{Call, Host, Server, ServerEvent};
pub use syntax::{Features, SyntaxId};
pub use trailer::{Command, CommandBody, VerificationTrailer};
pub use verifier::Verifier;
pub use wire::ByteOrder;
