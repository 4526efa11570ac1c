//! `remassist queue play`.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use comqc_msmq::session::{
    CallError, Claims, PlayUnauthenticated, Playback, PlaybackKind, PlayedCall, Player, PlayerOptions,
    Received, Refused, RetryScheme, SecurityPolicy, Verdict,
};
use comqc_msmq::{Delivery, Handler, Listener, ListenerOptions, Outcome, Queue, Snapshot};
use remassist::comqc::Sid;
use serde_json::{Value, json};

use super::calls::{self, Tables};
use super::exec::Program;
use super::observed::Observed;
use super::{open, security, told};
use crate::Failure;
use crate::args::{Class, PlayArgs, PlayerArgs};
use crate::console::printable;

/// The longest wait for the message in hand once the program was asked to end. Asked twice, it does not wait.
const GRACE: Duration = Duration::from_secs(365 * 86_400);

pub async fn play(args: &PlayArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let address = told::address(&*queue);
    let (tell, told) = mpsc::channel();
    let options = ListenerOptions {
        wait: if args.once { Duration::ZERO } else { Duration::from_millis(250) },
        until_empty: args.once,
        ..ListenerOptions::default()
    };
    let (listener, handler) =
        player(&args.exec, &args.classes, &args.player, Arc::clone(&queue), options, tell)?;
    let json = args.printed.is_json();
    let mut print = |event: &Value| -> io::Result<()> {
        match json {
            true => writeln!(out, "{event}")?,
            false => writeln!(out, "{}", printable(event["text"].as_str().unwrap_or_default()))?,
        }
        out.flush()
    };
    let mut signals = Signals::new()?;
    let bar = told::bar("played", None);
    print(&json!({ "event": "playing", "queue": address, "text": format!("playing {address}") }))?;
    let ended = {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        let run = listener.run(&handler, async {
            let _asked = stopped.await;
        });
        tokio::pin!(run);
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        loop {
            let ended = tokio::select! {
                biased;
                ended = &mut run => Some(ended),
                () = signals.next() => match stop.take() {
                    Some(stop) => {
                        let _it_ends = stop.send(());
                        let text = "ending after the message in hand; once more ends at once";
                        print(&json!({ "event": "ending", "text": text }))?;
                        None
                    }
                    // Asked twice. Whoever has the message next learns that it was abandoned.
                    None => return Err(Failure::Unfinished("ended at once; the message in hand comes again".to_owned())),
                },
                _ = tick.tick() => None,
            };
            for event in told.try_iter() {
                bar.suspend(|| print(&event))?;
                bar.inc(1);
            }
            if let Some(ended) = ended {
                break ended;
            }
        }
    };
    bar.finish_and_clear();
    let counted = listener.metrics().snapshot();
    queue.close().await;
    print(&summary(&counted))?;
    ended?;
    let dead: u64 = counted.dead.values().sum();
    match counted.failures.saturating_add(dead) {
        0 => Ok(()),
        _ => Err(Failure::Unfinished(format!("{} failures, {dead} messages are dead", counted.failures))),
    }
}

/// What plays the messages of a queue by programs, and tells what becomes of them.
pub fn player(
    exec: &str,
    classes: &[Class],
    args: &PlayerArgs,
    queue: Arc<dyn Queue>,
    options: ListenerOptions,
    tell: mpsc::Sender<Value>,
) -> Result<(Listener<()>, Programs), Failure> {
    let tables = Tables::read(&args.interfaces)?;
    let mut how = PlayerOptions {
        scheme: RetryScheme { tries: args.tries, waits: args.waits.clone(), ..RetryScheme::default() },
        names: tables.interfaces().to_vec(),
        ..PlayerOptions::default()
    };
    how.policy = policy(&args.require_sender)?;
    let mut player = Player::new(how);
    for Class { id, partition } in classes {
        player.register(*partition, *id, ());
        if args.exec_final.is_some() {
            player.register_exception(*partition, *id, ());
        }
    }
    let handler = Programs {
        normal: Program(exec.to_owned()),
        last: args.exec_final.clone().map(Program),
        per_message: args.per_message,
        tables,
    };
    let tell = Mutex::new(tell);
    let observed = Observed {
        queue,
        tell: move |received: &Received, verdict: &Verdict| {
            let tell = tell.lock().unwrap_or_else(PoisonError::into_inner);
            let _nobody_prints_any_more = tell.send(event(received, verdict));
        },
    };
    let options = ListenerOptions { grace: GRACE, ..options };
    Ok((Listener::new(Arc::new(observed), player).with_options(options), handler))
}

/// What became of a message.
fn event(received: &Received, verdict: &Verdict) -> Value {
    let id = told::id(received.id);
    let (name, detail) = match verdict {
        Verdict::Done => ("played", String::new()),
        Verdict::Again(error) => ("failed", format!(": {error}")),
        Verdict::Retry { queue, wait, error } => {
            ("retry", format!(", comes again from retry-{queue} in {}: {error}", told::length(*wait)))
        }
        Verdict::Dead(reason, error) => ("dead", format!(", {reason}: {error}")),
        Verdict::Return => ("returned", String::new()),
    };
    let mut value = json!({ "event": name, "id": id, "label": received.message.properties.label });
    let rest = match verdict {
        Verdict::Retry { queue, wait, error } => {
            json!({ "retry": queue, "wait_ms": wait.as_millis(), "error": error })
        }
        Verdict::Again(error) => json!({ "error": error }),
        Verdict::Dead(reason, error) => json!({ "reason": reason.name(), "error": error }),
        Verdict::Done | Verdict::Return => json!({}),
    };
    if let (Some(value), Value::Object(rest)) = (value.as_object_mut(), rest) {
        value.extend(rest);
        value.insert("text".to_owned(), Value::String(format!("{id} {name}{detail}")));
    }
    value
}

pub fn summary(counted: &Snapshot) -> Value {
    let Snapshot { received, played, calls, failures, retries, duplicates, .. } = counted;
    let dead: u64 = counted.dead.values().sum();
    let text = format!(
        "{received} received, {played} played with {calls} calls, {failures} failures, {retries} to retry queues, {dead} dead"
    );
    json!({
        "event": "ended", "received": received, "played": played, "calls": calls, "failures": failures,
        "retries": retries, "duplicates": duplicates, "dead": counted.dead,
        "busy_ms": counted.busy.as_millis(), "text": text,
    })
}

/// Ctrl-C, and SIGTERM where there is one.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(not(unix))]
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Comes back at the next one.
    #[cfg(unix)]
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub async fn next(&mut self) {
        let _asked = tokio::signal::ctrl_c().await;
    }
}

/// Whose messages are played.
fn policy(senders: &[String]) -> Result<Box<dyn SecurityPolicy>, Failure> {
    if senders.is_empty() {
        return Ok(Box::new(PlayUnauthenticated));
    }
    let sid = |text: &String| {
        let wrong = || Failure::Usage(format!("{text:?} is no SID like S-1-5-21-1-2-3-1001"));
        text.parse::<Sid<'static>>().map_err(|_| wrong())
    };
    Ok(Box::new(Senders(senders.iter().map(sid).collect::<Result<_, _>>()?)))
}

/// Plays what comes from these accounts, as the transport proves.
struct Senders(Vec<Sid<'static>>);

impl SecurityPolicy for Senders {
    fn check(&self, claims: &Claims<'_>) -> Result<(), Refused> {
        match claims.sender.sid.as_ref().filter(|_| claims.sender.authenticated) {
            None => Err(Refused("the transport has not authenticated the sender".into())),
            Some(sid) if self.0.contains(sid) => Ok(()),
            Some(sid) => Err(Refused(format!("{sid} is not among those whose messages are played").into())),
        }
    }
}

/// Has calls done by programs.
pub struct Programs {
    normal: Program,
    last: Option<Program>,
    per_message: bool,
    tables: Tables,
}

#[async_trait]
impl Handler<()> for Programs {
    async fn play(
        &self,
        delivery: &Delivery,
        playback: &mut Playback<'_, '_, ()>,
    ) -> Result<Outcome, CallError> {
        let received = &delivery.received;
        let program = match playback.kind() {
            PlaybackKind::Normal => &self.normal,
            _ => self.last.as_ref().ok_or(CallError::new("there is no program for last tries"))?,
        };
        let message = Message {
            received,
            calls: playback.len(),
            target: json!({
                "class": playback.target_id().braced().to_string(),
                "partition": playback.partition().map(|partition| partition.braced().to_string()),
            }),
            last: playback.kind() != PlaybackKind::Normal,
        };
        let mut all = Vec::new();
        while let Some(call) = playback.next_call() {
            let number = call.number;
            let call = self.call(&call);
            if self.per_message {
                all.push(call);
            } else {
                message.hand(program, Some(number), call).await?;
            }
        }
        if self.per_message {
            message.hand(program, None, json!({ "calls": all })).await?;
        }
        Ok(Outcome::Played)
    }
}

impl Programs {
    fn call(&self, call: &PlayedCall<'_>) -> Value {
        let mut value = calls::call(call.interface_id, call.method_number, call.data, &self.tables);
        if let Some(value) = value.as_object_mut() {
            value.insert("call".to_owned(), json!(call.number));
            value.insert("claims".to_owned(), security::json(&call.claims()));
        }
        value
    }
}

/// What programs are told of a message beside its calls.
struct Message<'m> {
    received: &'m Received,
    calls: usize,
    target: Value,
    last: bool,
}

impl Message<'_> {
    async fn hand(&self, program: &Program, call: Option<usize>, mut value: Value) -> Result<(), CallError> {
        let Received { id, round, failures, .. } = self.received;
        let mut told = told::received(self.received);
        if let (Some(value), Some(told)) = (value.as_object_mut(), told.as_object_mut()) {
            told.insert("calls".to_owned(), json!(self.calls));
            told.insert("target".to_owned(), self.target.clone());
            told.insert("last".to_owned(), json!(self.last));
            value.insert("message".to_owned(), Value::Object(std::mem::take(told)));
        }
        let mut environment = vec![
            ("REMASSIST_MESSAGE_ID", told::id(*id)),
            ("REMASSIST_CALLS", self.calls.to_string()),
            ("REMASSIST_ROUND", round.to_string()),
            ("REMASSIST_FAILURES", failures.to_string()),
            ("REMASSIST_LAST", u8::from(self.last).to_string()),
        ];
        environment.extend(call.map(|call| ("REMASSIST_CALL", call.to_string())));
        let input = format!("{value}\n");
        program.run(input.as_bytes(), &environment).await.map_err(CallError::new)
    }
}
