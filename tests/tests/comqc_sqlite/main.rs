//! Queues in a database file.

mod basics;
mod common;
