//! `remassist queue send`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use comqc_msmq::Queue;
use comqc_msmq::msmq::{DirectQueue, Sender, SenderOptions};
use comqc_msmq::session::{MessageId, Properties, QueueMessage};
use comqc_msmq::sqlite::Progress;
use remassist::comqc::{Message, rule_of};
use remassist::core::{Decode as _, Secret};
use serde_json::json;

use super::{open, told};
use crate::args::{DeliveryArgs, OutboxArg, Printed, SendArgs};
use crate::{Failure, input};

pub async fn send(args: &SendArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let properties = args.properties.read()?;
    // One that cannot be sent should be known before another one is.
    for file in args.files.iter().filter(|file| file.as_os_str() != "-") {
        body(file, args)?;
    }
    let goal = Goal::open(&args.queue.url, &args.queue.outbox).await?;
    let bar = told::bar("sending", u64::try_from(args.files.len()).ok());
    let mut ids = Vec::new();
    for file in &args.files {
        let id = one(goal.queue(), properties.clone(), body(file, args)?).await?;
        sent(id, goal.queue(), args.printed, out)?;
        ids.push(id);
        bar.inc(1);
    }
    bar.finish_and_clear();
    goal.deliver(&ids, &args.delivery, args.printed, out).await
}

/// Where messages are sent.
pub enum Goal {
    /// A queue that has them when it has taken them.
    Queue(Arc<dyn Queue>),
    /// A queue of another machine.
    Direct(DirectQueue),
}

impl Goal {
    pub async fn open(url: &Secret<String>, outbox: &OutboxArg) -> Result<Self, Failure> {
        Ok(match open::direct(url, outbox)? {
            Some(queue) => Self::Direct(queue),
            None => Self::Queue(open::queue(url, outbox).await?),
        })
    }

    pub fn queue(&self) -> &dyn Queue {
        match self {
            Self::Queue(queue) => &**queue,
            Self::Direct(queue) => queue,
        }
    }

    /// Brings messages to the other machine, unless another process does, and tells what has become of them.
    pub async fn deliver(
        &self,
        ids: &[MessageId],
        args: &DeliveryArgs,
        printed: Printed,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let Self::Direct(queue) = self else { return Ok(()) };
        let outbox = queue.outgoing().outbox();
        let sender =
            Sender::new(outbox.clone(), SenderOptions { port: args.port, ..SenderOptions::default() });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let deliver = sender.run(async {
            let _asked = stopped.await;
        });
        let begun = Instant::now();
        let watch = async {
            let (mut waiting, mut dead) = (0_usize, 0_usize);
            for id in ids {
                let left = args.wait.saturating_sub(begun.elapsed());
                let (state, error) = match outbox.settled(*id, left).await? {
                    Progress::Gone => ("delivered", None),
                    Progress::Dead(reason, error) => {
                        dead = dead.saturating_add(1);
                        (reason.name(), Some(error))
                    }
                    _ => {
                        waiting = waiting.saturating_add(1);
                        ("waiting", None)
                    }
                };
                let id = told::id(*id);
                let detail = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
                match printed.is_json() {
                    true => writeln!(out, "{}", json!({ "id": id, "state": state, "error": error }))?,
                    false => writeln!(out, "{id} {state}{detail}")?,
                }
                out.flush()?;
            }
            let _it_has_ended = stop.send(());
            Ok::<_, Failure>((waiting, dead))
        };
        let (delivered, watched) = tokio::join!(deliver, watch);
        let (waiting, dead) = watched?;
        delivered?;
        match (dead, waiting) {
            (0, 0) => Ok(()),
            (0, _) => Err(Failure::Unfinished(format!("{waiting} messages wait in the outbox"))),
            _ => Err(Failure::Rejected(format!(
                "{dead} messages are not taken there, {waiting} wait in the outbox"
            ))),
        }
    }
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
