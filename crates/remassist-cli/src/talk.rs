//! What both roles do in a session: chat, files, questions.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use ra_rdp::{Downloads, ExpertConnection, NoviceConnection};
use remassist::session::{ControlEvent, Event, FileEvent, FileOffer, Files, Misuse, TransferId};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::Failure;
use crate::args::Allow;
use crate::console::{Console, Typed};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);
/// Characters of a bar.
const BAR: usize = 24;

/// What a person has to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    View,
    Control,
    File(TransferId),
}

/// A connection of either role.
pub trait Side {
    fn chat(&mut self, text: &str) -> Result<(), Misuse>;
    fn files(&mut self) -> Files<'_>;
    fn send_file(&mut self, offer: FileOffer, file: File) -> Result<TransferId, Misuse>;
    fn close(&mut self);
    /// Commands of the role, with what they do.
    fn commands(&self) -> &'static [(&'static str, &'static str)];
    /// Does a command of the role; `None` if it has none of that name.
    fn command(&mut self, name: &str) -> Option<Result<(), Misuse>>;
    /// Answers a question that is not about files.
    fn decide(&mut self, question: Question, yes: bool) -> Result<(), Misuse>;
}

impl Side for NoviceConnection {
    fn chat(&mut self, text: &str) -> Result<(), Misuse> {
        self.session().chat().send(text)
    }
    fn files(&mut self) -> Files<'_> {
        self.session().files()
    }
    fn send_file(&mut self, offer: FileOffer, file: File) -> Result<TransferId, Misuse> {
        self.send_file(offer, file)
    }
    fn close(&mut self) {
        self.session().close();
    }
    fn commands(&self) -> &'static [(&'static str, &'static str)] {
        &[("/take", "take mouse and keyboard back")]
    }
    fn command(&mut self, name: &str) -> Option<Result<(), Misuse>> {
        let take = || self.session().take_control(remassist::session::TakeBack::Other);
        (name == "/take").then(take)
    }
    fn decide(&mut self, question: Question, yes: bool) -> Result<(), Misuse> {
        let session = self.session();
        match (question, yes) {
            (Question::View, true) => session.allow_view(),
            (Question::View, false) => session.refuse_view(),
            (Question::Control, true) => session.allow_control(),
            (Question::Control, false) => session.refuse_control(),
            (Question::File(_), _) => Ok(()),
        }
    }
}

impl Side for ExpertConnection {
    fn chat(&mut self, text: &str) -> Result<(), Misuse> {
        self.session().chat().send(text)
    }
    fn files(&mut self) -> Files<'_> {
        self.session().files()
    }
    fn send_file(&mut self, offer: FileOffer, file: File) -> Result<TransferId, Misuse> {
        self.send_file(offer, file)
    }
    fn close(&mut self) {
        self.session().close();
    }
    fn commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("/control", "ask for mouse and keyboard"),
            ("/release", "give them back"),
            ("/screenshot FILE", "save the screen as PNG"),
        ]
    }
    fn command(&mut self, name: &str) -> Option<Result<(), Misuse>> {
        match name {
            "/control" => Some(self.session().request_control()),
            "/release" => Some(self.session().release_control()),
            _ => None,
        }
    }
    fn decide(&mut self, _: Question, _: bool) -> Result<(), Misuse> {
        Ok(())
    }
}

/// One session at the console.
pub struct Talk<'c, 'o> {
    pub console: &'c mut Console<'o>,
    allow: &'c [Allow],
    downloads: Downloads,
    /// Not answered yet, the oldest first.
    questions: VecDeque<Question>,
    /// The one that stood before the line was withdrawn: an answer may have been meant for it.
    withdrawn: bool,
    /// Names of the files of this session.
    names: BTreeMap<TransferId, String>,
    next_progress: Instant,
}

impl<'c, 'o> Talk<'c, 'o> {
    pub fn new(console: &'c mut Console<'o>, allow: &'c [Allow], folder: &Path) -> Self {
        Self {
            console,
            allow,
            downloads: Downloads::new(folder),
            questions: VecDeque::new(),
            withdrawn: false,
            names: BTreeMap::new(),
            next_progress: Instant::now(),
        }
    }

    /// Waits until progress is to be told, if a file is on its way.
    pub fn progress(&self, side: &mut dyn Side) -> impl Future<Output = ()> + use<> {
        let running = running(&side.files()).is_some();
        let next = self.next_progress;
        async move { if running { sleep_until(next).await } else { std::future::pending().await } }
    }

    /// Tells how far the file on its way has come.
    pub fn tell_progress(&mut self, side: &mut dyn Side) -> Result<(), Failure> {
        self.next_progress = Instant::now() + PROGRESS;
        let Some((id, done, size)) = running(&side.files()) else { return Ok(()) };
        let name = self.names.get(&id).cloned().unwrap_or_default();
        let percent = done.saturating_mul(100) / size.max(1);
        if self.console.is_json() {
            let details = json!({ "id": id.0, "name": name, "bytes": done, "size": size });
            return self.console.say("progress", &format!("{name}: {percent} %"), details);
        }
        let full = BAR.saturating_mul(usize::try_from(percent).unwrap_or(100)) / 100;
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(BAR.saturating_sub(full)));
        self.console.prompt(Some(&format!("{name} [{bar}] {percent} %")));
        Ok(())
    }

    /// Tells of an event, and does what follows from it.
    pub fn event(&mut self, side: &mut dyn Side, event: &Event) -> Result<(), Failure> {
        self.console.event(event)?;
        match event {
            Event::AskView { .. } => self.ask(side, Question::View)?,
            Event::Control(ControlEvent::Requested) => self.ask(side, Question::Control)?,
            Event::Control(ControlEvent::Withdrawn) => self.withdraw(Question::Control),
            Event::File(FileEvent::Offered { id, name, .. }) => {
                self.names.insert(*id, name.suggestion.clone());
                self.ask(side, Question::File(*id))?;
            }
            Event::File(FileEvent::Withdrawn { id } | FileEvent::Failed { id, .. }) => {
                self.withdraw(Question::File(*id));
            }
            Event::Closed(_) => self.questions.clear(),
            _ => {}
        }
        match self.downloads.follow(event) {
            Ok(None) => {}
            Ok(Some(path)) => {
                let path = path.display().to_string();
                self.console.say("file_saved", &format!("saved as {path}"), json!({ "path": path }))?;
            }
            Err(error) => {
                self.console.complain(&format!("the file cannot be written: {error}"))?;
                let transfer = side.files().receiving();
                let _already_over = transfer.map(|transfer| side.files().cancel(transfer.id));
            }
        }
        self.prompt(side);
        Ok(())
    }

    fn ask(&mut self, side: &mut dyn Side, question: Question) -> Result<(), Failure> {
        let what = match question {
            Question::View => Allow::View,
            Question::Control => Allow::Control,
            Question::File(_) => Allow::Files,
        };
        if self.allow.contains(&what) {
            self.answer(side, question, true);
        } else if self.console.is_attended() {
            self.questions.push_back(question);
        } else {
            self.refuse(side, question)?;
        }
        Ok(())
    }

    /// Answers for a person who is not there.
    fn refuse(&mut self, side: &mut dyn Side, question: Question) -> Result<(), Failure> {
        self.answer(side, question, false);
        self.console.say("refused", "refused, since nobody is there to answer", json!({}))
    }

    fn withdraw(&mut self, question: Question) {
        self.withdrawn |= self.questions.front() == Some(&question);
        self.questions.retain(|asked| *asked != question);
    }

    fn answer(&mut self, side: &mut dyn Side, question: Question, yes: bool) {
        // A question that was withdrawn meanwhile is no error of the person.
        let _late = match (question, yes) {
            (Question::File(id), true) => side.files().accept(id),
            (Question::File(id), false) => side.files().refuse(id),
            (question, yes) => side.decide(question, yes),
        };
    }

    /// The oldest question stands before the line, or the file that is on its way.
    fn prompt(&mut self, side: &mut dyn Side) {
        let words = match self.questions.front() {
            Some(Question::View) => Some("may the expert see the screen? y or n".to_owned()),
            Some(Question::Control) => Some("may the expert use mouse and keyboard? y or n".to_owned()),
            Some(Question::File(id)) => {
                let name = self.names.get(id).map_or("the file", String::as_str);
                Some(format!("take {name}? y or n"))
            }
            None if running(&side.files()).is_some() => return,
            None => None,
        };
        self.console.prompt(words.as_deref());
    }

    /// What the person types: an answer, a command, or a chat message.
    pub fn typed(&mut self, side: &mut dyn Side, typed: Typed) -> Result<(), Failure> {
        match typed {
            Typed::Line(line) => self.line(side, line.trim())?,
            Typed::Quit => side.close(),
            Typed::Over => {
                for question in std::mem::take(&mut self.questions) {
                    self.refuse(side, question)?;
                }
            }
        }
        self.prompt(side);
        Ok(())
    }

    fn line(&mut self, side: &mut dyn Side, line: &str) -> Result<(), Failure> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let answer = matches!(word, "y" | "yes" | "n" | "no");
        if answer && withdrawn && rest.is_empty() {
            return self
                .console
                .complain("that question was withdrawn; if another one stands here now, answer that");
        }
        let question = if answer { self.meant(rest) } else { None };
        let done = match (word, question) {
            ("", _) => Ok(()),
            (_, Some(question)) => {
                self.questions.retain(|asked| *asked != question);
                self.answer(side, question, word.starts_with('y'));
                Ok(())
            }
            ("/quit", _) => {
                side.close();
                Ok(())
            }
            ("/send", _) if !rest.is_empty() => return self.send(side, Path::new(rest.trim())),
            ("/cancel", _) => {
                let transfer = running(&side.files());
                transfer.map_or(Ok(()), |(id, ..)| side.files().cancel(id))
            }
            ("/help", _) => {
                let all = [
                    ("y, n", "answer the oldest question; or one by its name: y view, n control, y 2"),
                    ("/send FILE", "send a file"),
                    ("/cancel", "cancel the file on its way"),
                    ("/quit", "end the session"),
                ];
                for (name, what) in all.iter().chain(side.commands()) {
                    self.console.say("help", &format!("{name:<18}{what}"), json!({}))?;
                }
                Ok(())
            }
            (name, _) if name.starts_with('/') => match side.command(name) {
                Some(done) => done,
                None => return self.console.complain(&format!("{name}: no such command; /help tells which")),
            },
            _ => side.chat(line),
        };
        done.or_else(|e| self.console.complain(&e.to_string()))
    }

    /// The question that an answer is for: the oldest, or the one that it names: `view`, `control`, or the id of a file.
    fn meant(&self, name: &str) -> Option<Question> {
        let mut questions = self.questions.iter().copied();
        match name {
            "" => questions.next(),
            "view" => questions.find(|question| *question == Question::View),
            "control" => questions.find(|question| *question == Question::Control),
            id => questions
                .find(|question| matches!(question, Question::File(file) if file.0.to_string() == id)),
        }
    }

    /// Offers a file.
    pub fn send(&mut self, side: &mut dyn Side, path: &Path) -> Result<(), Failure> {
        let open = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(std::io::Error::other("not a file"));
            }
            Ok((metadata.len(), file))
        };
        let (size, file) = match open() {
            Ok(opened) => opened,
            Err(e) => return self.console.complain(&format!("{}: {e}", path.display())),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match side.send_file(FileOffer::new(name.clone(), size), file) {
            Ok(id) => {
                self.names.insert(id, name.into_owned());
                Ok(())
            }
            Err(e) => self.console.complain(&e.to_string()),
        }
    }
}

/// The file on its way, of either direction: bytes that have gone or come, bytes in all.
fn running(files: &Files<'_>) -> Option<(TransferId, u64, u64)> {
    let sending = files.sending().map(|s| (s.id, s.sent, s.size));
    let receiving = files.receiving().map(|r| (r.id, r.received, r.size));
    sending.or(receiving).filter(|(_, done, _)| *done > 0)
}
