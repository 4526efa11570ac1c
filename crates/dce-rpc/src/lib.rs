#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod bind;
mod call;
mod fragment;
mod frame;
mod names;
mod pdu;
mod reassembly;
mod syntax;
mod trailer;
mod verifier;
mod wire;

pub use bind::{Bind, BindAck, BindNak, EXTENDED_ERROR_SIGNATURE, PresentationContext, PresentationResult};
pub use call::{Fault, Request, Response};
pub use fragment::{MUST_RECV_FRAG_SIZE, Piece, Pieces};
pub use frame::Framer;
pub use names::{AuthLevel, AuthType, ContextReason, ContextResult, Flags, PacketType, RejectReason, Status};
pub use pdu::{Body, CommonHeader, DataRepresentation, HEADER_LEN, Pdu};
pub use reassembly::{ContextKey, Fragment, Reassembly, ReassemblyError, Whole};
pub use syntax::{Features, SyntaxId};
pub use trailer::{Command, CommandBody, VerificationTrailer};
pub use verifier::Verifier;
pub use wire::ByteOrder;
