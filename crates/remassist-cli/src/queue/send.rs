//! `remassist queue send`.

use std::io::Write;
use std::path::Path;

use comqc_msmq::Queue;
use comqc_msmq::session::{MessageId, Properties, QueueMessage};
use remassist::comqc::{Message, rule_of};
use remassist::core::Decode as _;
use serde_json::json;

use super::{open, told};
use crate::args::{Printed, SendArgs};
use crate::{Failure, input};

pub async fn send(args: &SendArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let properties = args.properties.read()?;
    // One that cannot be sent should be known before another one is.
    for file in args.files.iter().filter(|file| file.as_os_str() != "-") {
        body(file, args)?;
    }
    let queue = open::queue(&args.queue.url, &args.queue.outbox).await?;
    let bar = told::bar("sending", u64::try_from(args.files.len()).ok());
    for file in &args.files {
        let id = one(&*queue, properties.clone(), body(file, args)?).await?;
        sent(id, &*queue, args.printed, out)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Reads a body and looks whether players will take it.
fn body(file: &Path, args: &SendArgs) -> Result<Vec<u8>, Failure> {
    let body = input::read(file)?;
    if args.force {
        return Ok(body);
    }
    let fault =
        |text: String| Failure::Input(format!("{}: {text}; --force sends it as it is", file.display()));
    let message = Message::decode_strict(&body).map_err(|error| {
        let rule = rule_of(error.kind()).map_or_else(String::new, |rule| format!(" ({rule})"));
        fault(format!("{error}{rule}"))
    })?;
    args.properties.check_target(message.container.target_id).map_err(fault)?;
    Ok(body)
}

pub async fn one(queue: &dyn Queue, properties: Properties, body: Vec<u8>) -> Result<MessageId, Failure> {
    Ok(queue.send(QueueMessage { properties, body: body.into() }).await?)
}

/// Tells what was sent.
pub fn sent(id: MessageId, queue: &dyn Queue, printed: Printed, out: &mut dyn Write) -> Result<(), Failure> {
    let id = told::id(id);
    match printed.is_json() {
        true => writeln!(out, "{}", json!({ "id": id, "queue": told::address(queue) }))?,
        false => writeln!(out, "{id}")?,
    }
    // Whoever reads this relies on it.
    out.flush()?;
    Ok(())
}
