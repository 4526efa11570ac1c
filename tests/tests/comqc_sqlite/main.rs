//! Queues in a database file.

mod basics;
mod common;
mod files;
mod locks;
mod looking;
mod once;
mod processes;
mod waiting;
