//! The novice: a DCOM server that offers help sessions and tickets ([MS-RAI] 3.1, 3.3).
//!
//! [`Novice`] is all of it without I/O: calls in, answers or questions out, the clock as an argument. What only the machine
//! knows (sessions, tickets, who may ask) is a [`SessionProvider`]; [`SingleSession`] is one for a machine with one session.
//!
//! 1. Every object belongs to the account for which it was made. For all others it does not exist.
//! 2. An object dies with its last reference, when its ping set was not pinged for six minutes, and when it is in no ping set
//!    and was not called for as long.
//! 3. A call is answered only at packet integrity or above; ServerAlive and ServerAlive2 alone need no caller.
//! 4. Whether a caller may ask is asked at each activation, and again before sessions or a ticket are given.

mod activation;
mod core;
mod dispatch;
mod endpoints;
mod exporter;
mod identity;
mod limits;
mod methods;
mod object;
mod provider;
mod resolver;
mod run;
#[cfg(feature = "net")]
mod server;
mod unknown;

pub use self::core::{Answer, Call, NoRandom, Novice, NoviceEvent, Pending, Port, Question, Reply, Step};
/// What calls and answers name.
pub use dce_rpc::{AuthLevel, Status, SyntaxId};
pub use endpoints::Endpoints;
pub use exporter::Counts;
pub use identity::Identity;
pub use limits::NoviceLimits;
pub use object::Class;
pub use provider::{
    Refusal, Session, SessionChoice, SessionProvider, SingleSession, TicketForm, TicketMaker, TicketRequest,
};
#[cfg(feature = "net")]
pub use server::{NoviceAudit, NoviceOptions, NoviceServer};
