//! `remassist queue serve`.

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use comqc_msmq::msmq::{
    Acceptor, AcceptorOptions, AckRoute, Network, Sender, SenderOptions, Served, ServedTarget,
};
use comqc_msmq::session::QueueName;
use comqc_msmq::sqlite::{Outbox, SqliteAddress, SqliteQueue, Store};
use comqc_msmq::{ListenerOptions, OpenOptions, Queue};
use remassist::core::Secret;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::play::{self, Signals};
use super::{open, told};
use crate::Failure;
use crate::args::{Acks, ServeArgs};
use crate::console::printable;

/// What names a queue for senders.
const PRIVATE: &str = r"=private$\";

pub async fn serve(args: &ServeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let outbox = Outbox::new(Store::open(open::path(args.outbox.as_deref(), false)?)?);
    let (mut served, mut queues) = (Vec::new(), Vec::new());
    for url in &args.queues {
        let (name, target, queue) = queue(url).await?;
        served.push(Served { name, transactional: !args.not_transactional, target });
        queues.push(queue);
    }
    let options = AcceptorOptions {
        allow: allowed(args)?,
        acks: match args.acks {
            Acks::Session => AckRoute::Session,
            Acks::Connect => AckRoute::Connect,
        },
        ..AcceptorOptions::default()
    };
    let acceptor = Arc::new(Acceptor::bind(&args.listen, outbox.clone(), served, options).await?);
    let sender = Sender::new(outbox, SenderOptions { port: args.port, ..SenderOptions::default() });
    let sender = sender.with_acceptor(&acceptor);

    let (stop, stopped) = watch::channel(false);
    let asked = |mut stopped: watch::Receiver<bool>| async move {
        let _nobody_asks_any_more = stopped.wait_for(|stopped| *stopped).await;
    };
    let (tell, told) = mpsc::channel();
    let (mut tasks, mut listeners) = (JoinSet::new(), Vec::new());
    for queue in &queues {
        let Some(exec) = &args.exec else { break };
        let (queue, tell) = (Arc::clone(queue), tell.clone());
        let (listener, handler) =
            play::player(exec, &args.classes, &args.player, queue, ListenerOptions::default(), tell)?;
        let listener = Arc::new(listener);
        listeners.push(Arc::clone(&listener));
        let asked = asked(stopped.clone());
        tasks.spawn(async move { listener.run(&handler, asked).await });
    }
    let (accepts, sends) = (Arc::clone(&acceptor), sender.clone());
    let (first, second) = (asked(stopped.clone()), asked(stopped));
    tasks.spawn(async move {
        accepts.run(first).await;
        Ok(())
    });
    tasks.spawn(async move { sends.run(second).await });

    let json = args.printed.is_json();
    let mut print = |event: &Value| -> io::Result<()> {
        match json {
            true => writeln!(out, "{event}")?,
            false => writeln!(out, "{}", printable(event["text"].as_str().unwrap_or_default()))?,
        }
        out.flush()
    };
    let addresses: Vec<_> = acceptor.addresses().iter().map(ToString::to_string).collect();
    let text = format!("listening on {}", addresses.join(", "));
    print(&json!({ "event": "listening", "addresses": addresses, "text": text }))?;
    let mut signals = Signals::new()?;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut result = Ok(());
    loop {
        tokio::select! {
            biased;
            ended = tasks.join_next() => match ended {
                None => break,
                Some(ended) => {
                    let ended = ended.map_err(|error| Failure::Input(error.to_string()))?;
                    if let Err(error) = ended {
                        result = Err(error);
                        stop.send_replace(true);
                    }
                }
            },
            () = signals.next() => {
                if *stop.borrow() {
                    return Err(Failure::Unfinished("ended at once; messages in hand come again".to_owned()));
                }
                stop.send_replace(true);
                let text = "ending after the messages in hand; once more ends at once";
                print(&json!({ "event": "ending", "text": text }))?;
            }
            _ = tick.tick() => {}
        }
        for event in told.try_iter() {
            print(&event)?;
        }
    }
    for event in told.try_iter() {
        print(&event)?;
    }
    for listener in listeners {
        print(&play::summary(&listener.metrics().snapshot()))?;
    }
    let (came, went) = (acceptor.counted(), sender.counted());
    let text = format!(
        "{} messages taken in {} sessions, {} that came again, {} rejected; {} delivered to others",
        came.delivered, came.sessions, came.duplicates, came.rejected, went.delivered
    );
    print(&json!({ "event": "served", "came": came, "went": went, "text": text }))?;
    for queue in queues {
        queue.close().await;
    }
    Ok(result?)
}

/// A queue of the command line, and its name for senders.
async fn queue(url: &Secret<String>) -> Result<(QueueName, ServedTarget, Arc<dyn Queue>), Failure> {
    let url = url.expose();
    let at = url.to_ascii_lowercase().rfind(PRIVATE);
    let (address, name) = match at.and_then(|at| Some((url.get(..at)?, url.get(at..)?.get(PRIVATE.len()..)?)))
    {
        Some((address, name)) => (address, Some(name)),
        None => (url.as_str(), None),
    };
    let own = address.rsplit_once("queue=").map(|(_, own)| own.split('&').next().unwrap_or(own));
    let stored = address.starts_with("sqlite:").then(|| address.parse::<SqliteAddress>()).transpose()?;
    let own = stored.as_ref().map(|stored| stored.queue.as_str()).or(own);
    let name = name.or(own).ok_or_else(|| Failure::Usage("a queue has no name".to_owned()))?;
    let name = QueueName::new(name)
        .map_err(|error| Failure::Usage(format!("{name:?} is no name for senders: {error}")))?;
    if let Some(stored) = stored {
        let stored = stored.open()?;
        let queue = SqliteQueue::from(stored.clone());
        return Ok((name, ServedTarget::Stored(stored), Arc::new(queue)));
    }
    let queue = comqc_msmq::open(address, &OpenOptions::default()).await?;
    if told::address(&*queue).starts_with("DIRECT=") {
        return Err(Failure::Usage("what comes is not passed on to other machines".to_owned()));
    }
    Ok((name, ServedTarget::Other(Arc::clone(&queue)), queue))
}

/// Who may connect.
fn allowed(args: &ServeArgs) -> Result<Vec<Network>, Failure> {
    if !args.allow.is_empty() {
        return Ok(args.allow.clone());
    }
    if !args.listen.iter().all(|address| address.ip().is_loopback()) {
        return Err(Failure::Usage("who may send? --allow ADDRESS or --allow NETWORK/BITS".to_owned()));
    }
    let own: Result<Vec<Network>, _> = ["127.0.0.0/8", "::1"].iter().map(|own| own.parse()).collect();
    Ok(own?)
}
