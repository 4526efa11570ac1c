//! `remassist queue list|move|requeue|purge|stats`.

use std::io::{self, IsTerminal as _, Write};

use comqc_msmq::session::MessageId;
use comqc_msmq::{Counts, Listed, Place, Queue, QueueError};
use serde_json::{Value, json};

use super::named::{Pages, find, places};
use super::{open, told};
use crate::Failure;
use crate::args::{ListArgs, MoveArgs, Printed, PurgeArgs, RequeueArgs, StatsArgs};

pub async fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let places = if args.places.is_empty() { places(&*queue).await? } else { args.places.clone() };
    let mut rows = Vec::new();
    for place in places {
        let mut pages = Pages::of(place, args.most);
        loop {
            let page = match pages.next(&*queue).await {
                // One place that nobody may look at does not hide the others.
                Err(error @ QueueError::Unsupported(_)) if args.places.is_empty() => {
                    let count = of(&queue.count().await?, place);
                    writeln!(io::stderr(), "remassist: {count} messages at {place} are not listed: {error}")?;
                    break;
                }
                page => page?,
            };
            if page.is_empty() {
                break;
            }
            for message in &page {
                if args.printed.is_json() {
                    writeln!(out, "{}", told::listed(place, message))?;
                } else {
                    rows.push(row(place, message));
                }
            }
        }
    }
    if !args.printed.is_json() {
        let columns = [
            ("PLACE", false),
            ("ID", false),
            ("PRIO", true),
            ("BYTES", true),
            ("SENT", false),
            ("FAILED", true),
            ("STATE", false),
            ("LABEL", false),
            ("LAST ERROR", false),
        ];
        told::table(out, &columns, &rows)?;
    }
    Ok(())
}

fn row(place: Place, message: &Listed) -> Vec<String> {
    let Listed { id, label, size, priority, sent, failures, .. } = message;
    vec![
        place.to_string(),
        told::id(*id),
        priority.to_string(),
        size.to_string(),
        told::time(*sent),
        failures.to_string(),
        state(message),
        label.clone(),
        message.error.as_deref().map_or_else(String::new, told::end),
    ]
}

/// What a message waits for.
fn state(message: &Listed) -> String {
    let mut parts = Vec::new();
    if message.locked {
        parts.push("in hand".to_owned());
    }
    if let Some(dead) = message.dead {
        parts.push(dead.to_string());
    }
    let wait = message.due.map(|due| due.since(told::now())).unwrap_or_default();
    if !wait.is_zero() {
        parts.push(format!("due in {}", told::length(wait)));
    }
    if message.abandoned > 0 {
        parts.push(format!("abandoned {}", message.abandoned));
    }
    if parts.is_empty() { "ready".to_owned() } else { parts.join(", ") }
}

pub async fn stats(args: &StatsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let counts = queue.count().await?;
    let age = counts.oldest.map(|oldest| told::now().since(oldest));
    if args.printed.is_json() {
        let mut value = serde_json::to_value(&counts).unwrap_or_default();
        if let Some(value) = value.as_object_mut() {
            value.insert("oldest".to_owned(), json!(counts.oldest.map(told::time)));
            value.insert("queue".to_owned(), json!(told::address(&*queue)));
        }
        writeln!(out, "{value}")?;
        return Ok(());
    }
    let Counts { main, retry, dead, journal, locked, .. } = counts;
    let mut rows = vec![vec!["main".to_owned(), main.to_string()]];
    let retry = retry.iter().zip(0_u8..);
    rows.extend(retry.map(|(count, number)| vec![Place::Retry(number).to_string(), count.to_string()]));
    rows.push(vec!["dead".to_owned(), dead.to_string()]);
    rows.push(vec!["journal".to_owned(), journal.to_string()]);
    rows.push(vec!["in hand".to_owned(), locked.to_string()]);
    rows.push(vec!["oldest".to_owned(), age.map_or_else(|| "-".to_owned(), told::length)]);
    writeln!(out, "{}", told::address(&*queue))?;
    told::table(out, &[("PLACE", false), ("MESSAGES", true)], &rows)?;
    Ok(())
}

/// Where a message goes.
enum Goal<'q> {
    Place(Place),
    Queue(&'q dyn Queue),
}

/// Moves messages, and tells each that has moved.
async fn moved(
    queue: &dyn Queue,
    messages: &[(Place, MessageId)],
    goal: &Goal<'_>,
    printed: Printed,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let bar = told::bar("moving", Some(u64::try_from(messages.len()).unwrap_or(u64::MAX)));
    for (place, id) in messages {
        let to = match goal {
            Goal::Place(to) => {
                queue.move_to(*place, *id, *to).await?;
                json!({ "id": told::id(*id), "from": place.to_string(), "to": to.to_string() })
            }
            Goal::Queue(other) => {
                forward(queue, *place, *id, *other).await?;
                json!({ "id": told::id(*id), "from": place.to_string(), "to_queue": told::address(*other) })
            }
        };
        if printed.is_json() {
            writeln!(out, "{to}")?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if !printed.is_json() {
        let to = match goal {
            Goal::Place(to) => to.to_string(),
            Goal::Queue(other) => told::address(*other),
        };
        writeln!(out, "{} to {to}", count(messages.len(), "moved"))?;
    }
    Ok(())
}

fn count(messages: usize, done: &str) -> String {
    match messages {
        1 => format!("1 message {done}"),
        _ => format!("{messages} messages {done}"),
    }
}

/// Puts a message into another queue, and only then takes it out of this one.
async fn forward(queue: &dyn Queue, place: Place, id: MessageId, to: &dyn Queue) -> Result<(), Failure> {
    let message = queue.peek(place, Some(id)).await?.ok_or(QueueError::NotFound(id))?;
    to.forward(message).await?;
    queue.remove(place, id).await.map_err(|error| {
        let told = told::id(id);
        Failure::Input(format!("message {told} is in both queues now, since it cannot be removed: {error}"))
    })
}

/// All messages at a place that nobody has in hand.
async fn all(queue: &dyn Queue, place: Place) -> Result<Vec<(Place, MessageId)>, Failure> {
    let (mut pages, mut messages) = (Pages::of(place, None), Vec::new());
    loop {
        let page = pages.next(queue).await?;
        if page.is_empty() {
            return Ok(messages);
        }
        messages.extend(page.iter().filter(|listed| !listed.locked).map(|listed| (place, listed.id)));
    }
}

pub async fn move_to(args: &MoveArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let messages = match args.from {
        Some(place) if args.all => all(&*queue, place).await?,
        from => find(&*queue, &args.ids, from).await?,
    };
    let other = match &args.to_queue {
        Some(url) => Some(open::queue(url, &args.queue.outbox).await?),
        None => None,
    };
    let goal = match (&other, args.to) {
        (Some(other), _) if told::address(&**other) == told::address(&*queue) => {
            return Err(Failure::Usage("--to-queue is the queue that they are in".to_owned()));
        }
        (Some(other), _) => Goal::Queue(&**other),
        (None, to) => Goal::Place(to.unwrap_or(Place::Main)),
    };
    moved(&*queue, &messages, &goal, args.printed, out).await
}

pub async fn requeue(args: &RequeueArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if matches!(args.from, Some(Place::Main | Place::Journal)) {
        return Err(Failure::Usage("messages are requeued from dead, or from retry-N".to_owned()));
    }
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let messages = if args.all {
        all(&*queue, args.from.unwrap_or(Place::Dead)).await?
    } else {
        find(&*queue, &args.ids, args.from).await?
    };
    if let Some((place, id)) =
        messages.iter().find(|(place, _)| matches!(place, Place::Main | Place::Journal))
    {
        return Err(Failure::Input(format!("message {} is at {place}: it is not requeued", told::id(*id))));
    }
    moved(&*queue, &messages, &Goal::Place(Place::Main), args.printed, out).await
}

pub async fn purge(args: &PurgeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let queue = open::existing(&args.queue.url, &args.queue.outbox).await?;
    let messages = find(&*queue, &args.ids, None).await?;
    if !args.yes && !agreed(&*queue, &args.places, messages.len()).await? {
        return Err(Failure::Unfinished("nothing was removed".to_owned()));
    }
    let mut removed = 0_u64;
    for (place, id) in messages {
        queue.remove(place, id).await?;
        removed = removed.saturating_add(1);
        if args.printed.is_json() {
            writeln!(out, "{}", json!({ "place": place.to_string(), "id": told::id(id), "removed": 1 }))?;
        }
    }
    for place in &args.places {
        let count = queue.purge(*place).await?;
        removed = removed.saturating_add(count);
        if args.printed.is_json() {
            writeln!(out, "{}", json!({ "place": place.to_string(), "id": Value::Null, "removed": count }))?;
        }
    }
    if !args.printed.is_json() {
        writeln!(out, "{}", count(usize::try_from(removed).unwrap_or(usize::MAX), "removed"))?;
    }
    Ok(())
}

/// Asks a person whether to go on.
async fn agreed(queue: &dyn Queue, places: &[Place], messages: usize) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("nobody is there to be asked: --yes removes without asking".to_owned()));
    }
    let what = if places.is_empty() {
        count(messages, "")
    } else {
        let counts = queue.count().await?;
        let at = places.iter().map(|place| format!("{} at {place}", of(&counts, *place)));
        format!("messages ({})", at.collect::<Vec<_>>().join(", "))
    };
    write!(io::stderr(), "Remove {} from {} for good? [y/N] ", what.trim_end(), told::address(queue))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn of(counts: &Counts, place: Place) -> u64 {
    match place {
        Place::Main => counts.main,
        Place::Retry(number) => counts.retry.get(usize::from(number)).copied().unwrap_or_default(),
        Place::Dead => counts.dead,
        Place::Journal => counts.journal,
    }
}
