//! Where a person types and reads, or a program does.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use remassist::session::{ControlEvent, Event, FileEvent};
use rustyline_async::{Readline, ReadlineEvent};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use crate::Failure;
use crate::args::EventsArg;
use crate::demo::words;

const PROMPT: &str = "> ";

/// Prints events as they come, since the reader may be waiting for one, and reads lines.
pub struct Console<'o> {
    out: Box<dyn Write + 'o>,
    json: bool,
    keyboard: Keyboard,
    prompt: String,
}

enum Keyboard {
    /// A person, who sees what was typed below what is printed.
    Terminal(Box<Readline>),
    Lines(Lines<BufReader<Stdin>>),
    /// There is nothing more to read.
    Over,
}

/// What was typed.
pub enum Typed {
    Line(String),
    /// Ctrl-C, or the end of the input at a terminal.
    Quit,
    /// Nobody types any more.
    Over,
}

impl<'o> Console<'o> {
    pub fn new(out: &'o mut dyn Write, events: Option<EventsArg>) -> Self {
        let json = events == Some(EventsArg::Json);
        if !json
            && io::stdin().is_terminal()
            && io::stdout().is_terminal()
            && let Ok((readline, shared)) = Readline::new(PROMPT.to_owned())
        {
            let keyboard = Keyboard::Terminal(Box::new(readline));
            return Self { out: Box::new(shared), json, keyboard, prompt: PROMPT.to_owned() };
        }
        let keyboard = Keyboard::Lines(BufReader::new(tokio::io::stdin()).lines());
        Self { out: Box::new(out), json, keyboard, prompt: String::new() }
    }

    pub const fn is_json(&self) -> bool {
        self.json
    }

    pub const fn is_terminal(&self) -> bool {
        matches!(self.keyboard, Keyboard::Terminal(_))
    }

    /// Whether somebody may answer a question.
    pub const fn is_attended(&self) -> bool {
        !matches!(self.keyboard, Keyboard::Over)
    }

    /// The next line; never comes back once it was [`Typed::Over`]. May be dropped at any time.
    pub async fn line(&mut self) -> Result<Typed, Failure> {
        match &mut self.keyboard {
            Keyboard::Terminal(readline) => Ok(match readline.readline().await {
                Ok(ReadlineEvent::Line(line)) => {
                    readline.add_history_entry(line.clone());
                    Typed::Line(line)
                }
                _ => Typed::Quit,
            }),
            Keyboard::Lines(lines) => match lines.next_line().await? {
                Some(line) => Ok(Typed::Line(line)),
                None => {
                    self.keyboard = Keyboard::Over;
                    Ok(Typed::Over)
                }
            },
            Keyboard::Over => std::future::pending().await,
        }
    }

    /// What stands before the line that is typed at a terminal.
    pub fn prompt(&mut self, before: Option<&str>) {
        let Keyboard::Terminal(readline) = &mut self.keyboard else { return };
        let prompt =
            before.map_or_else(|| PROMPT.to_owned(), |before| format!("{} {PROMPT}", printable(before)));
        if prompt != self.prompt && readline.update_prompt(&prompt).is_ok() {
            self.prompt = prompt;
        }
    }

    /// An event of the session.
    pub fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if let Event::File(FileEvent::Data { .. }) = event {
            return Ok(());
        }
        self.say(name(event), &words::of_event(event), details(event))
    }

    /// Something else that happened.
    pub fn say(&mut self, name: &str, text: &str, details: Value) -> Result<(), Failure> {
        let line = if self.json {
            let mut object = json!({ "event": name, "text": text });
            if let (Some(object), Value::Object(details)) = (object.as_object_mut(), details) {
                object.extend(details);
            }
            format!("{object}\n")
        } else {
            printable(text) + "\n"
        };
        self.write(line.as_bytes())?;
        Ok(())
    }

    /// What could not be done.
    pub fn complain(&mut self, text: &str) -> Result<(), Failure> {
        let line = format!("remassist: {}\n", printable(text));
        if self.is_terminal() {
            self.write(line.as_bytes())?
        } else {
            io::stderr().write_all(line.as_bytes())?
        }
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self.out.write_all(line) {
            // The terminal takes so many lines between two looks at it.
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                self.show();
                self.out.write_all(line)?;
            }
            written => written?,
        }
        self.out.flush()
    }

    /// Brings to the terminal what waits for it.
    fn show(&mut self) {
        if let Keyboard::Terminal(readline) = &mut self.keyboard {
            let _gone = readline.flush();
        }
    }
}

impl Drop for Console<'_> {
    fn drop(&mut self) {
        self.show();
    }
}

/// What the other side writes must not steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

const fn name(event: &Event) -> &'static str {
    match event {
        Event::Version(_) => "version",
        Event::Verified => "verified",
        Event::AskView { .. } => "ask_view",
        Event::ShareScreen => "share_screen",
        Event::Established(_) => "established",
        Event::PeerName(_) => "peer_name",
        Event::Chat(_) => "chat",
        Event::Typing => "typing",
        Event::Setting { .. } => "setting",
        Event::Contact(_) => "contact",
        Event::File(FileEvent::Offered { .. }) => "file_offered",
        Event::File(FileEvent::Accepted { .. }) => "file_accepted",
        Event::File(FileEvent::Complete { .. }) => "file_complete",
        Event::File(FileEvent::Sent { .. }) => "file_sent",
        Event::File(_) => "file_failed",
        Event::Control(ControlEvent::Requested) => "control_requested",
        Event::Control(ControlEvent::Withdrawn) => "control_withdrawn",
        Event::Control(ControlEvent::Granted) => "control_granted",
        Event::Control(ControlEvent::Refused) => "control_refused",
        Event::Control(ControlEvent::Denied) => "control_denied",
        Event::Control(_) => "control_ended",
        Event::Ignored(_) => "ignored",
        Event::Closed(_) => "closed",
        _ => "other",
    }
}

fn details(event: &Event) -> Value {
    match event {
        Event::Version(version) | Event::Established(version) => {
            json!({ "version": words::number(*version) })
        }
        Event::PeerName(name) => json!({ "name": name }),
        Event::AskView { expert } => json!({ "name": expert }),
        Event::Chat(text) => json!({ "message": text }),
        Event::File(FileEvent::Offered { id, name, size, .. }) => {
            json!({ "id": id.0, "name": name.suggestion, "size": size })
        }
        Event::File(
            FileEvent::Complete { id }
            | FileEvent::Sent { id }
            | FileEvent::Failed { id, .. }
            | FileEvent::Accepted { id },
        ) => json!({ "id": id.0 }),
        _ => json!({}),
    }
}
