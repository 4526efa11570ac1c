//! `remassist queue`: what queues hold, and what becomes of it.

use std::future::Future;
use std::io::Write;

use comqc_msmq::QueueError;

use crate::Failure;
use crate::args::QueueCommand;

mod calendar;
mod calls;
mod exec;
mod manage;
mod named;
mod observed;
mod open;
mod play;
mod properties;
mod receive;
mod record;
mod security;
mod send;
mod serve;
mod show;
mod told;

pub fn run(command: &QueueCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        QueueCommand::Send(args) => block_on(send::send(args, out)),
        QueueCommand::Record(args) => block_on(record::record(args, out)),
        QueueCommand::Receive(args) => block_on(receive::receive(args, out)),
        QueueCommand::Serve(args) => block_on(serve::serve(args, out)),
        QueueCommand::Play(args) => block_on(play::play(args, out)),
        QueueCommand::List(args) => block_on(manage::list(args, out)),
        QueueCommand::Move(args) => block_on(manage::move_to(args, out)),
        QueueCommand::Requeue(args) => block_on(manage::requeue(args, out)),
        QueueCommand::Purge(args) => block_on(manage::purge(args, out)),
        QueueCommand::Stats(args) => block_on(manage::stats(args, out)),
        QueueCommand::Show(args) => block_on(show::show(args, out)),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// What the queue says when it cannot do what it is asked for.
impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Address(_) => Self::Usage(error.to_string()),
            _ => Self::Input(error.to_string()),
        }
    }
}
