//! What is printed: tables for people, lines of JSON for programs.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anstyle::Style;
use comqc_msmq::session::{MessageId, Properties, Received, Timestamp};
use comqc_msmq::{Listed, Place, Queue};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::calendar;
use crate::args::Printed;
use crate::console::printable;

impl Printed {
    /// Whether a program reads what is printed.
    pub fn is_json(self) -> bool {
        self.json || !self.table && !io::stdout().is_terminal()
    }
}

/// A column of a table: its heading, and whether it holds numbers.
pub type Column = (&'static str, bool);

/// Characters of a cell that are shown; JSON has all of them.
const CELL: usize = 48;

/// Prints a table. What a cell holds cannot steer the terminal, and is cut where it is long.
pub fn table(out: &mut dyn Write, columns: &[Column], rows: &[Vec<String>]) -> io::Result<()> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cut(&printable(cell))).collect()).collect();
    let widths: Vec<usize> = (columns.iter().enumerate())
        .map(|(index, (heading, _))| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(heading.len())
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, width), (_, is_number)) in cells.zip(&widths).zip(columns) {
            let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
            line += &if *is_number { format!("{blanks}{cell}  ") } else { format!("{cell}{blanks}  ") };
        }
        line.trim_end().to_owned()
    };
    let heading = heading();
    writeln!(out, "{heading}{}{heading:#}", line(&mut columns.iter().map(|(heading, _)| *heading)))?;
    for row in &rows {
        writeln!(out, "{}", line(&mut row.iter().map(String::as_str)))?;
    }
    Ok(())
}

/// The end of a text, where errors tell what was wrong, as long as a cell may be.
pub fn end(text: &str) -> String {
    let surplus = text.chars().count().saturating_sub(CELL);
    if surplus == 0 {
        return text.to_owned();
    }
    let end: String = text.chars().skip(surplus.saturating_add(2)).collect();
    format!("..{end}")
}

fn cut(cell: &str) -> String {
    match cell.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}..", cell.get(..end).unwrap_or_default()),
        None => cell.to_owned(),
    }
}

fn heading() -> Style {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => Style::new(),
        _ => Style::new().bold(),
    }
}

/// The identifier as people type it: without what a shell takes away.
pub fn id(id: MessageId) -> String {
    format!("{}/{}", id.lineage, id.uniquifier)
}

/// A message of a list as JSON.
pub fn listed(place: Place, message: &Listed) -> Value {
    let mut value = json!({ "id": id(message.id), "place": place.to_string() });
    if let (Some(value), Ok(Value::Object(rest))) = (value.as_object_mut(), serde_json::to_value(message)) {
        value.extend(rest.into_iter().filter(|(name, _)| name != "id"));
    }
    for (name, time) in [("sent", Some(message.sent)), ("due", message.due)] {
        if let (Some(value), Some(time)) = (value.as_object_mut(), time) {
            value.insert(name.to_owned(), Value::String(self::time(time)));
        }
    }
    value
}

/// What a message is, without its body, as JSON.
pub fn received(message: &Received) -> Value {
    let Received { id, message: inner, sender, sent, round, failures, abandoned } = message;
    json!({
        "id": self::id(*id),
        "label": inner.properties.label,
        "size": inner.body.len(),
        "sent": time(*sent),
        "sender": {
            "sid": sender.sid.as_ref().map(ToString::to_string),
            "authenticated": sender.authenticated,
            "description": sender.description,
        },
        "round": round,
        "failures": failures,
        "abandoned": abandoned,
        "properties": properties(&inner.properties),
    })
}

/// The properties that are not those of every message.
pub fn properties(properties: &Properties) -> Value {
    let json = |properties| serde_json::to_value(properties).unwrap_or_default();
    let (usual, mut told) = (json(&Properties::default()), json(properties));
    if let Some(told) = told.as_object_mut() {
        told.retain(|name, value| name != "label" && usual.get(name) != Some(value));
    }
    told
}

/// The address of a queue, without how it was opened.
pub fn address(queue: &dyn Queue) -> String {
    let address = queue.address();
    let plain = address.strip_suffix("&mode=rw").or(address.strip_suffix("&mode=ro"));
    plain.unwrap_or(&address).to_owned()
}

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A time of day in UTC: `2026-11-21T20:15:00.250Z`.
pub fn time(time: Timestamp) -> String {
    calendar::utc(time.0)
}

/// A length of time for people, in its two largest units: `3m 20s`.
pub fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{}ms", length.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A bar of so many messages, on standard error where that is a terminal.
pub fn bar(what: &'static str, messages: Option<u64>) -> ProgressBar {
    let bar = messages.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = match messages {
        Some(_) => "{msg} {bar:40} {pos}/{len} {eta}",
        None => "{spinner} {msg} {pos} ({per_sec})",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what)
}
