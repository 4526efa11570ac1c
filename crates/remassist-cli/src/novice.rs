//! `remassist novice`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ra_rdp::{
    DisplaySource, InputEvent, NoviceConnection, NoviceOptions, NoviceServer, Picture, RdpError, Security,
};
use remassist::connstring::Endpoint;
use remassist::session::{Attempts, ControlEvent, Credentials, Event, FileEvent, NoviceConfig, TransferId};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};
use tokio::sync::mpsc;

use crate::Failure;
use crate::args::{Allow, DisplayArg, EncryptionArg, EventsArg, NoviceArgs};
use crate::invite::{self, KeyHashes};
use crate::report::Reporter;
use ra_rdp::rdp_standard_security::{Methods, ServerOptions};

/// Experts that may fail to prove that they have the invitation.
const ATTEMPTS: u32 = 5;

pub fn run(args: &NoviceArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reporter = Reporter { out, json: args.events == Some(EventsArg::Json) };
    runtime.block_on(serve(args, reporter))
}

fn failed(error: RdpError) -> Failure {
    Failure::Input(error.to_string())
}

async fn serve(args: &NoviceArgs, mut reporter: Reporter<'_>) -> Result<(), Failure> {
    let password = args.password.read()?;
    let mut options = NoviceOptions::default();
    options.security = args.security.into();
    options.key_log.clone_from(&args.key_log.path);
    let mut hashes = KeyHashes::random()?;
    if options.security != Security::Tls && args.encryption != EncryptionArg::None {
        let key = ra_rdp::generate_server_key().map_err(failed)?;
        hashes = KeyHashes::of(&key.public_key_blob());
        let methods = match args.encryption {
            EncryptionArg::Bits40 => Methods::BIT_40,
            EncryptionArg::Bits56 => Methods::BIT_56,
            EncryptionArg::Bits128 | EncryptionArg::None => Methods::BIT_128,
        };
        options.standard = Some((key, ServerOptions { methods, ..ServerOptions::default() }));
    }
    let mut server = NoviceServer::bind(&args.listen, options).await.map_err(failed)?;
    let addresses: Vec<String> =
        server.addresses().map_err(failed)?.iter().map(ToString::to_string).collect();
    let mut endpoints: Vec<_> = addresses.iter().filter_map(|a| Endpoint::parse(a)).collect();
    if args.file_type == 1 {
        // FreeRDP skips the first address of such a file.
        endpoints.extend_from_within(..1);
    }
    let made = invite::make(args.file_type, &args.name, &endpoints, &hashes, args.minutes, &password)?;
    let (string, stub) = (made.connection_string.expose(), made.pass_stub.expose());
    let credentials = Credentials::invitation(string, Some(password.expose()), Some(stub));
    let credentials = credentials.map_err(|e| Failure::Usage(e.to_string()))?;
    invite::save(&args.invitation, made.file.as_bytes())
        .map_err(|e| Failure::Usage(format!("{}: {e}", args.invitation.display())))?;
    let told =
        format!("listening on {}; the invitation is {}", addresses.join(", "), args.invitation.display());
    reporter.say("listening", &told, json!({ "addresses": addresses }))?;

    let mut attempts = Attempts::new(ATTEMPTS);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let caller = server.accept().await.map_err(failed)?;
        let mut config = NoviceConfig::new([credentials.clone()]);
        config.options.name.clone_from(&args.name);
        let (typed, keys) = mpsc::unbounded_channel();
        let sink = Box::new(move |event: InputEvent| {
            let _nobody_reads = typed.send(event);
        });
        let connected = server.connect(caller, config, attempts, display(args.display), sink).await;
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                reporter.say("connection_failed", &format!("no connection: {error}"), json!({}))?;
                continue;
            }
        };
        let mut session =
            Session { args, reporter: &mut reporter, lines: &mut lines, keys, files: BTreeMap::new() };
        let established = match session.run(&mut connection).await {
            Ok(established) => established,
            Err(Failure::Input(message)) => {
                reporter.say("connection_failed", &message, json!({}))?;
                connection.session().is_established()
            }
            Err(other) => return Err(other),
        };
        attempts = connection.session().attempts();
        if attempts.left() == 0 {
            return Err(Failure::Input("too many failed attempts".to_owned()));
        }
        if args.exit_after_session {
            return if established {
                Ok(())
            } else {
                Err(Failure::Input("no session came about".to_owned()))
            };
        }
    }
}

fn display(arg: DisplayArg) -> Box<dyn DisplaySource> {
    let picture: Picture = match arg {
        DisplayArg::Test => ra_rdp::test_picture(800, 600),
    };
    Box::new(picture)
}

/// One session and its files.
struct Session<'s, 'o> {
    args: &'s NoviceArgs,
    reporter: &'s mut Reporter<'o>,
    lines: &'s mut Lines<BufReader<Stdin>>,
    keys: mpsc::UnboundedReceiver<InputEvent>,
    files: BTreeMap<TransferId, (PathBuf, NamedTempFile)>,
}

/// What was asked last, and not answered.
#[derive(Debug, Clone, Copy)]
enum Question {
    View,
    Control,
    File(TransferId),
}

impl Session<'_, '_> {
    /// Whether a session was established.
    async fn run(&mut self, connection: &mut NoviceConnection) -> Result<bool, Failure> {
        let mut established = false;
        let mut question = None;
        let mut typing = true;
        loop {
            let event = tokio::select! {
                event = connection.next() => event.map_err(failed)?,
                Some(key) = self.keys.recv() => {
                    self.reporter.say("input", &format!("{key:?}"), json!({}))?;
                    continue;
                }
                line = self.lines.next_line(), if typing => {
                    match line? {
                        Some(line) => self.line(connection, &line, &mut question)?,
                        None => typing = false,
                    }
                    continue;
                }
            };
            let Some(event) = event else { return Ok(established) };
            established |= matches!(event, Event::Established(_));
            self.reporter.event(&event)?;
            question = self.event(connection, &event)?.or(question);
        }
    }

    fn allowed(&self, what: Allow) -> bool {
        self.args.allow.contains(&what)
    }

    /// What follows from an event; a question if the person has to answer it.
    fn event(
        &mut self,
        connection: &mut NoviceConnection,
        event: &Event,
    ) -> Result<Option<Question>, Failure> {
        let question = match event {
            Event::AskView { .. } => Some((Allow::View, Question::View)),
            Event::Control(ControlEvent::Requested) => Some((Allow::Control, Question::Control)),
            Event::File(FileEvent::Offered { id, name, .. }) => {
                let file = NamedTempFile::new_in(&self.args.receive_dir)?;
                self.files.insert(*id, (free(&self.args.receive_dir, &name.suggestion), file));
                Some((Allow::Files, Question::File(*id)))
            }
            Event::ShareScreen => {
                fits(connection.session().view_started())?;
                None
            }
            Event::File(FileEvent::Data { id, bytes, .. }) => {
                if let Some((_, file)) = self.files.get_mut(id) {
                    file.write_all(bytes)?;
                }
                None
            }
            Event::File(FileEvent::Complete { id }) => {
                if let Some((path, file)) = self.files.remove(id) {
                    file.as_file().sync_all()?;
                    file.persist_noclobber(&path).map_err(|e| e.error)?;
                    let path = path.display().to_string();
                    self.reporter.say("file_saved", &format!("saved as {path}"), json!({ "path": path }))?;
                }
                None
            }
            Event::File(FileEvent::Failed { id, .. } | FileEvent::Withdrawn { id }) => {
                self.files.remove(id);
                None
            }
            _ => None,
        };
        match question {
            Some((what, question)) if self.allowed(what) => {
                self.answer(connection, question, true).map(|()| None)
            }
            Some((_, question)) => {
                if !self.reporter.json {
                    writeln!(self.reporter.out, "(y or n)")?;
                    self.reporter.out.flush()?;
                }
                Ok(Some(question))
            }
            None => Ok(None),
        }
    }

    fn answer(
        &mut self,
        connection: &mut NoviceConnection,
        question: Question,
        yes: bool,
    ) -> Result<(), Failure> {
        let session = connection.session();
        // A question that was withdrawn meanwhile is no error of the person.
        let _late = match (question, yes) {
            (Question::View, true) => session.allow_view(),
            (Question::View, false) => session.refuse_view(),
            (Question::Control, true) => session.allow_control(),
            (Question::Control, false) => session.refuse_control(),
            (Question::File(id), true) => session.files().accept(id),
            (Question::File(id), false) => {
                self.files.remove(&id);
                session.files().refuse(id)
            }
        };
        Ok(())
    }

    /// What the person types: an answer, a command, or a chat message.
    fn line(
        &mut self,
        connection: &mut NoviceConnection,
        line: &str,
        question: &mut Option<Question>,
    ) -> Result<(), Failure> {
        match (line.trim(), question.take()) {
            ("y" | "yes", Some(asked)) => self.answer(connection, asked, true),
            ("n" | "no", Some(asked)) => self.answer(connection, asked, false),
            ("/quit", _) => {
                connection.session().close();
                Ok(())
            }
            ("/take", _) => {
                let _none = connection.session().take_control(remassist::session::TakeBack::Other);
                Ok(())
            }
            (text, open) => {
                *question = open;
                if let Err(e) = connection.session().chat().send(text) {
                    writeln!(io::stderr(), "remassist: {e}")?;
                }
                Ok(())
            }
        }
    }
}

fn fits(result: Result<(), remassist::session::Misuse>) -> Result<(), Failure> {
    result.map_err(|e| Failure::Input(e.to_string()))
}

/// A name that is not taken.
fn free(folder: &Path, name: &str) -> PathBuf {
    let taken = |n: u32| if n == 0 { folder.join(name) } else { folder.join(format!("{n}-{name}")) };
    (0..1000).map(taken).find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}
