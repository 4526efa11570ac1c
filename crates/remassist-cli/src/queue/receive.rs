//! `remassist queue receive`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::time::Duration;

use comqc_msmq::Queue;
use comqc_msmq::session::{Received, Verdict};
use remassist::core::Hex;
use serde_json::{Value, json};

use super::{open, told};
use crate::args::ReceiveArgs;
use crate::{Failure, output};

pub async fn receive(args: &ReceiveArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let raw = args.dir.is_none() && !args.printed.json;
    if raw && args.most > 1 {
        return Err(Failure::Usage(
            "several bodies cannot follow each other: --dir DIR or --json".to_owned(),
        ));
    }
    if raw && io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "a body is nothing for a terminal: --dir DIR, --json, or > FILE".to_owned(),
        ));
    }
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let taken = take(args, raw, &*queue, out).await;
    let address = told::address(&*queue);
    queue.close().await;
    match taken? {
        0 => Err(Failure::Unfinished(format!("no message can be received from {address}"))),
        _ => Ok(()),
    }
}

/// Takes messages; how many.
async fn take(args: &ReceiveArgs, raw: bool, queue: &dyn Queue, out: &mut dyn Write) -> Result<u64, Failure> {
    let bar = told::bar("received", None);
    let mut count = 0_u64;
    while count < args.most {
        let Some(delivery) = queue.receive(Duration::from_secs(args.wait)).await? else { break };
        let received = &delivery.received;
        let kept = match &args.dir {
            Some(dir) => keep(dir, received).map(Value::String),
            None if raw => print(out, &received.message.body).map(|()| Value::Null),
            None => Ok(json!(format!("{:x}", Hex(&received.message.body)))),
        };
        let kept = match kept.and_then(|kept| tell(args, received, kept, out)) {
            Ok(()) => Verdict::Done,
            Err(error) => {
                // It comes again at once; when this fails, too, its lock ends with the program.
                let _it_comes_again = queue.settle(&delivery, &Verdict::Return).await;
                return Err(error);
            }
        };
        queue.settle(&delivery, &kept).await?;
        count = count.saturating_add(1);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(count)
}

/// Writes a body into a file that is named by the message; the same message has the same name again.
fn keep(dir: &Path, received: &Received) -> Result<String, Failure> {
    let id = received.id;
    let path = dir.join(format!("{}-{}.comqc", id.lineage, id.uniquifier));
    let saved = output::save(&path, &received.message.body).and_then(|()| sync(dir));
    saved.map_err(|e| Failure::Input(format!("{}: {e}", path.display())))?;
    Ok(path.display().to_string())
}

/// A new name is on disk only when its directory is.
fn sync(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Writes to standard output, and to the disk where that is a file.
fn print(out: &mut dyn Write, bytes: &[u8]) -> Result<(), Failure> {
    out.write_all(bytes)?;
    out.flush()?;
    sync_stdout().map_err(Failure::Output)
}

#[cfg(unix)]
fn sync_stdout() -> io::Result<()> {
    use std::os::fd::AsFd as _;
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
}

#[cfg(not(unix))]
fn sync_stdout() -> io::Result<()> {
    Ok(())
}

fn tell(args: &ReceiveArgs, received: &Received, kept: Value, out: &mut dyn Write) -> Result<(), Failure> {
    if args.dir.is_none() && !args.printed.json {
        return Ok(());
    }
    if args.printed.is_json() {
        let mut value = told::received(received);
        if let Some(value) = value.as_object_mut() {
            value.insert(if args.dir.is_some() { "file" } else { "body" }.to_owned(), kept);
        }
        writeln!(out, "{value}")?;
    } else if let Value::String(path) = kept {
        writeln!(out, "{}  {path}", told::id(received.id))?;
    }
    out.flush()?;
    sync_stdout().map_err(Failure::Output)
}
