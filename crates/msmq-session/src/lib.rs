#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod clock;
mod expiry;
mod incoming;
mod io;
mod numbers;
mod outgoing;
mod ping;
mod reports;
mod resend;
mod session;
mod verdict;
mod window;

pub use expiry::Expiry;
pub use incoming::{IncomingSequence, Order};
pub use io::{AckRoute, Arrived, Event, Handle, Input, Misuse, Options, Output, Reason, Ticket};
pub use numbers::{Numbers, Place, Sequence};
pub use outgoing::{Delivery, Entry, Fate, Journaling, Next, Outgoing, Settled};
pub use ping::{ping_answer, ping_request};
pub use reports::{administration_ack, order_queue_ack};
pub use resend::ResendSchedule;
pub use session::Session;
pub use verdict::{
    Decision, Facts, HISTORY_SECONDS, Removal, Room, Settlement, Target, Verdict, judge, removed,
};
