#![doc = include_str!("../README.md")]

mod builder;
mod invitation;
mod pass_stub;
mod ticket;

pub use builder::InvitationBuilder;
pub use invitation::{Invitation, InvitationKind, Validity};
pub use pass_stub::generate_pass_stub;
#[cfg(feature = "crypto")]
pub use pass_stub::{decrypt_pass_stub, encrypt_pass_stub, pass_value, verify_pass_stub};
pub use ticket::{Ticket, TicketError};
#[cfg(feature = "crypto")]
pub use ticket::{decrypt_ticket, encrypt_ticket};
