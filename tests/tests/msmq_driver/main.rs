//! MSMQ on the wire: what is kept until another machine has it, and what is taken from others.

mod common;
mod hostile;
mod incoming;
mod outbox;
mod transfer;
