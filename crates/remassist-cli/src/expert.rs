//! `remassist expert`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use ra_rdp::rdp_standard_security::{ClientOptions, Methods};
use ra_rdp::{ExpertConnection, ExpertEvent, ExpertOptions, Picture, Protection, RdpError};
use remassist::core::text::TextDocument;
use remassist::core::{Decode as _, DecodeOptions};
use remassist::invitation::Invitation;
use remassist::session::{Credentials, Event, ExpertConfig, FileEvent, FileOffer, KeyPolicy, ServerKey};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::{Instant, sleep_until};

use crate::args::{EncryptionArg, EventsArg, ExpertArgs, KeyPolicyArg};
use crate::report::Reporter;
use crate::{Failure, input};

pub fn run(args: &ExpertArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reporter = Reporter { out, json: args.events == Some(EventsArg::Json) };
    let result = runtime.block_on(help(args, reporter));
    // The thread that reads the terminal may never come back.
    runtime.shutdown_background();
    result
}

fn failed(error: RdpError) -> Failure {
    Failure::Input(error.to_string())
}

/// What the invitation and the password let in.
fn credentials(args: &ExpertArgs) -> Result<Credentials, Failure> {
    let file = input::read(&args.invitation)?;
    let options = DecodeOptions::TOLERANT.with_limits(input::limits());
    let document = TextDocument::<Invitation<'_>>::decode_with(&file, &options);
    let document = document.map_err(|e| Failure::Input(format!("{}: {e}", args.invitation.display())))?;
    let password = args.password.read()?;
    let password = password.as_ref().map(|p| p.expose().as_str());
    let made = Credentials::from_invitation(&document.value.content, password);
    made.map_err(|e| Failure::Input(e.to_string()))
}

async fn help(args: &ExpertArgs, reporter: Reporter<'_>) -> Result<(), Failure> {
    let mut config = ExpertConfig::new(credentials(args)?);
    config.options.name.clone_from(&args.name);
    config.user_name.clone_from(&args.name);
    config.key_policy = match args.key_policy {
        KeyPolicyArg::Require => KeyPolicy::Require,
        KeyPolicyArg::Warn => KeyPolicy::Warn,
    };
    let mut options = ExpertOptions::default();
    options.security = args.security.into();
    options.source = args.source;
    options.key_log.clone_from(&args.key_log.path);
    let (methods, allow_unencrypted) = match args.encryption {
        EncryptionArg::None => (Methods::ALL, true),
        EncryptionArg::Bits40 => (Methods::ALL, false),
        EncryptionArg::Bits56 => (Methods::BIT_56.or(Methods::BIT_128), false),
        EncryptionArg::Bits128 => (Methods::BIT_128, false),
    };
    options.standard = Some(ClientOptions { methods, allow_unencrypted, ..ClientOptions::default() });
    let mut connection = ExpertConnection::dial(config, &options).await.map_err(failed)?;

    let mut helping = Helping { args, reporter, established: false, screen: false };
    let ended = helping.run(&mut connection).await;
    if let Some(path) = args.screenshot.as_deref().filter(|_| helping.screen) {
        save(path, &connection.screen()).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
        let path = path.display().to_string();
        let text = format!("the screen is saved as {path}");
        helping.reporter.say("screenshot", &text, json!({ "path": path }))?;
    }
    match ended {
        Err(Failure::Input(message)) if helping.established => {
            helping.reporter.say("connection_failed", &message, json!({}))
        }
        Ok(()) if !helping.established => Err(Failure::Input("no session came about".to_owned())),
        other => other,
    }
}

/// One session.
struct Helping<'s, 'o> {
    args: &'s ExpertArgs,
    reporter: Reporter<'o>,
    established: bool,
    screen: bool,
}

impl Helping<'_, '_> {
    async fn run(&mut self, connection: &mut ExpertConnection) -> Result<(), Failure> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut typing = true;
        let mut end = self.args.seconds.map(|s| Instant::now() + Duration::from_secs(s));
        loop {
            let until = end.unwrap_or_else(Instant::now);
            let event = tokio::select! {
                event = connection.next() => event.map_err(failed)?,
                line = lines.next_line(), if typing => {
                    match line? {
                        Some(line) => Self::line(connection, line.trim())?,
                        None => typing = false,
                    }
                    continue;
                }
                () = sleep_until(until), if end.is_some() => {
                    end = None;
                    connection.session().close();
                    continue;
                }
            };
            match event {
                None => return Ok(()),
                Some(ExpertEvent::Connected { protection, key }) => self.connected(protection, key)?,
                Some(ExpertEvent::Session(event)) => {
                    self.reporter.event(&event)?;
                    self.event(connection, &event)?;
                }
                Some(ExpertEvent::Screen(_)) if !self.screen => {
                    self.screen = true;
                    let screen = connection.screen();
                    let (width, height) = (screen.width(), screen.height());
                    let text = format!("the screen has come: {width} by {height}");
                    self.reporter.say("screen", &text, json!({ "width": width, "height": height }))?;
                }
                Some(_) => {}
            }
        }
    }

    /// What is known of the connection: who is at the other end, and who can listen.
    fn connected(&mut self, protection: Protection, key: ServerKey) -> Result<(), Failure> {
        let (name, how) = match protection {
            Protection::None => ("none", "without any encryption".to_owned()),
            Protection::Rc4 { bits, both_ways: true } => ("rc4", format!("by RC4 of {bits} bits")),
            Protection::Rc4 { bits, both_ways: false } => {
                ("rc4", format!("by RC4 of {bits} bits, but what comes is not encrypted"))
            }
            Protection::Tls => ("tls", "by TLS".to_owned()),
        };
        let (verdict, who) = match key {
            ServerKey::Match => ("match", "the key of the novice is that of the invitation"),
            ServerKey::Mismatch => ("mismatch", "the key of the novice is another one"),
            ServerKey::Absent => {
                ("absent", "nothing proves yet who the novice is: the invitation has no key")
            }
            ServerKey::UnknownAlgorithm => {
                ("unknown_algorithm", "nothing proves yet who the novice is: the hash of its key is unknown")
            }
            ServerKey::Unavailable => ("unavailable", "nothing proves yet who the novice is"),
        };
        let mut details = json!({ "protection": name, "key": verdict });
        if let Protection::Rc4 { bits, both_ways } = protection {
            details = json!({ "protection": name, "bits": bits, "both_ways": both_ways, "key": verdict });
        }
        self.reporter.say("connected", &format!("connected {how}; {who}"), details)
    }

    /// What follows from an event.
    fn event(&mut self, connection: &mut ExpertConnection, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Established(_) => {
                self.established = true;
                if let Some(text) = &self.args.say {
                    told(connection.session().chat().send(text))?;
                }
                if let Some(path) = &self.args.send {
                    Self::send(connection, path)?;
                }
                if self.args.request_control {
                    told(connection.session().request_control())?;
                }
            }
            Event::File(FileEvent::Offered { id, .. }) => {
                told(connection.session().files().refuse(*id))?;
                self.reporter.say("file_refused", "the file is not taken", json!({ "id": id.0 }))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn send(connection: &mut ExpertConnection, path: &Path) -> Result<(), Failure> {
        let open = || File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, file) = open().map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        told(connection.send_file(FileOffer::new(name, size), file))
    }

    /// What the person types: a command, or a chat message.
    fn line(connection: &mut ExpertConnection, line: &str) -> Result<(), Failure> {
        let session = connection.session();
        let done = match line {
            "" => Ok(()),
            "/quit" => {
                session.close();
                Ok(())
            }
            "/control" => session.request_control(),
            "/release" => session.release_control(),
            text => session.chat().send(text),
        };
        told(done)
    }
}

/// What cannot be done now is told, and the session goes on.
fn told<T>(result: Result<T, remassist::session::Misuse>) -> Result<(), Failure> {
    if let Err(e) = result {
        writeln!(io::stderr(), "remassist: {e}")?;
    }
    Ok(())
}

fn save(path: &Path, picture: &Picture) -> io::Result<()> {
    let out = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(out, picture.width().into(), picture.height().into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut pixels = Vec::with_capacity(picture.pixels().len());
    for pixel in picture.pixels().chunks_exact(4) {
        pixels.extend(pixel.iter().take(3).rev());
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(())
}
