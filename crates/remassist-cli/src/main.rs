//! `remassist`: look into, make and check what the protocols of Remote Assistance and Queued Components carry.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod bindings;
mod capture;
mod console;
mod crypt;
mod demo;
mod detect;
mod encode;
mod expert;
mod flags;
mod forms;
mod helpers;
mod input;
mod inspect;
mod invite;
mod kinds;
mod msmq;
mod novice;
mod oaut;
mod objref;
mod offer;
mod output;
mod pdu;
mod queue;
mod recording;
mod shown;
mod stub;
mod talk;
mod transcript;
mod tree;

use args::{Args, Command};

/// Why the program ends without a result.
#[derive(Debug)]
enum Failure {
    /// The input, or the password, is not what it should be: exit status 1.
    Input(String),
    /// The program was called in a way that cannot work: exit status 2.
    Usage(String),
    /// Nothing is wrong, but not all is done that could have been: exit status 3.
    Unfinished(String),
    /// The output could not be written: exit status 1, or 0 when nobody reads it any more.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn main() -> ExitCode {
    // Reports wrong usage itself, with exit status 2.
    let args = Args::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = run(args, &mut out).and_then(|()| Ok(out.flush()?));
    // What is still buffered must not be written on the way out: nobody may be reading.
    let _unwritten = out.into_parts();
    let (status, message) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Output(e)) => (1, format!("cannot write: {e}")),
        Err(Failure::Input(message)) => (1, message),
        Err(Failure::Usage(message)) => (2, message),
        Err(Failure::Unfinished(message)) => (3, message),
    };
    let _nobody_listens = writeln!(io::stderr(), "remassist: {message}");
    ExitCode::from(status)
}

fn run(args: Args, out: &mut dyn Write) -> Result<(), Failure> {
    match args.command {
        Command::Inspect(args) => inspect::run(&args, out),
        Command::Encode(args) => encode::run(&args, out),
        Command::Invite(args) => invite::run(&args, out),
        Command::Crypt(args) => crypt::run(&args, out),
        Command::Queue(command) => queue::run(&command, out),
        Command::Demo(args) => demo::run(&args, out),
        Command::Novice(args) => novice::run(&args, out),
        Command::Expert(args) => expert::run(&args, out),
        Command::Sessions(args) => offer::sessions(&args, out),
        Command::Ticket(args) => offer::ticket(&args, out),
    }
}
