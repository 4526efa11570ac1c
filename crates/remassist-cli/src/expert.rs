//! `remassist expert`.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use ra_rdp::rdp_standard_security::{ClientOptions, Methods};
use ra_rdp::{ExpertConnection, ExpertEvent, ExpertOptions, InputEvent, Picture, Protection, RdpError};
use remassist::core::text::TextDocument;
use remassist::core::{Decode as _, DecodeOptions};
use remassist::invitation::Invitation;
use remassist::session::{ControlEvent, Credentials, Event, ExpertConfig, KeyPolicy, ServerKey};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::args::{Allow, EncryptionArg, ExpertArgs, KeyPolicyArg};
use crate::console::{Console, Typed};
use crate::recording::Recording;
use crate::talk::Talk;
use crate::{Failure, input, offer, output};

/// The command that saves the screen.
const SCREENSHOT: &str = "/screenshot ";

pub fn run(args: &ExpertArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut console = Console::new(out, args.events);
        help(args, &mut console).await
    });
    // The thread that reads the terminal may never come back.
    runtime.shutdown_background();
    result
}

fn failed(error: RdpError) -> Failure {
    Failure::Input(error.to_string())
}

/// What lets in: the invitation and the password, or a ticket that the machine gives.
async fn credentials(args: &ExpertArgs, console: &mut Console<'_>) -> Result<Credentials, Failure> {
    let invitation = match (&args.invitation, &args.offer) {
        (Some(invitation), _) => invitation,
        (None, Some(host)) => {
            let ticket = offer::obtain(host, &args.account, &args.password, &args.session).await?;
            let text = format!("{host} has given a ticket for the session of {}", ticket.user);
            console.say("ticket", &text, json!({ "session_of": ticket.user }))?;
            let made = Credentials::dcom(ticket.text.expose());
            return made.map_err(|e| Failure::Input(format!("the ticket of {host}: {e}")));
        }
        (None, None) => return Err(Failure::Usage("an invitation is needed, or --offer".to_owned())),
    };
    let file = input::read(invitation)?;
    let options = DecodeOptions::TOLERANT.with_limits(input::limits());
    let document = TextDocument::<Invitation<'_>>::decode_with(&file, &options);
    let document = document.map_err(|e| Failure::Input(format!("{}: {e}", invitation.display())))?;
    let password = args.password.read()?;
    let password = password.as_ref().map(|p| p.expose().as_str());
    let made = Credentials::from_invitation(&document.value.content, password);
    made.map_err(|e| Failure::Input(e.to_string()))
}

async fn help(args: &ExpertArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    let mut config = ExpertConfig::new(credentials(args, console).await?);
    config.options.name.clone_from(&args.name);
    config.user_name.clone_from(&args.name);
    config.key_policy = match args.key_policy {
        KeyPolicyArg::Require => KeyPolicy::Require,
        KeyPolicyArg::Warn => KeyPolicy::Warn,
    };
    let mut options = ExpertOptions::default();
    options.security = args.security.into();
    options.source = args.source;
    options.key_log.clone_from(&args.logs.tls_key_log);
    let (methods, allow_unencrypted) = match args.encryption {
        EncryptionArg::None => (Methods::ALL, true),
        EncryptionArg::Bits40 => (Methods::ALL, false),
        EncryptionArg::Bits56 => (Methods::BIT_56.or(Methods::BIT_128), false),
        EncryptionArg::Bits128 => (Methods::BIT_128, false),
    };
    options.standard = Some(ClientOptions { methods, allow_unencrypted, ..ClientOptions::default() });
    let recording = args.logs.record.as_deref().map(Recording::create).transpose()?;
    let mut connection = ExpertConnection::dial(config, &options).await.map_err(failed)?;
    if let Some(recording) = &recording {
        connection.record(recording.recorder());
    }

    let allow: &[Allow] = if args.accept_files { &[Allow::Files] } else { &[] };
    let talk = Talk::new(console, allow, &args.receive_dir);
    let mut helping = Helping { args, talk, keys: args.keys.clone(), established: false, screen: false };
    let ended = helping.run(&mut connection).await;
    let Helping { established, screen, .. } = helping;
    if let Some(error) = recording.as_ref().and_then(Recording::error) {
        console.complain(&format!("the recording has an end too early: {error}"))?;
    }
    if let Some(path) = args.screenshot.as_deref().filter(|_| screen) {
        save(path, &connection.screen()).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
        saved(console, path)?;
    }
    match ended {
        Err(Failure::Input(message)) if established => console.say("connection_failed", &message, json!({})),
        Ok(()) if !established => Err(Failure::Input("no session came about".to_owned())),
        other => other,
    }
}

/// One session.
struct Helping<'s, 'o> {
    args: &'s ExpertArgs,
    talk: Talk<'s, 'o>,
    /// What is still to be typed.
    keys: Option<String>,
    established: bool,
    screen: bool,
}

impl Helping<'_, '_> {
    async fn run(&mut self, connection: &mut ExpertConnection) -> Result<(), Failure> {
        let mut end = self.args.seconds.map(|s| Instant::now() + Duration::from_secs(s));
        loop {
            let until = end.unwrap_or_else(Instant::now);
            let progress = self.talk.progress(connection);
            let event = tokio::select! {
                event = connection.next() => event.map_err(failed)?,
                typed = self.talk.console.line() => {
                    match typed? {
                        Typed::Line(line) if line.starts_with(SCREENSHOT) => {
                            self.screenshot(connection, line.trim_start_matches(SCREENSHOT).trim())?;
                        }
                        typed => self.talk.typed(connection, typed)?,
                    }
                    continue;
                }
                () = progress => {
                    self.talk.tell_progress(connection)?;
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
                    self.talk.event(connection, &event)?;
                    self.event(connection, &event)?;
                }
                Some(ExpertEvent::Screen(_)) if !self.screen => {
                    self.screen = true;
                    let screen = connection.screen();
                    let (width, height) = (screen.width(), screen.height());
                    let text = format!("the screen has come: {width} by {height}");
                    self.talk.console.say("screen", &text, json!({ "width": width, "height": height }))?;
                }
                Some(_) => {}
            }
        }
    }

    /// Saves the screen as it is now.
    fn screenshot(&mut self, connection: &ExpertConnection, path: &str) -> Result<(), Failure> {
        let path = Path::new(path);
        match save(path, &connection.screen()) {
            Ok(()) => saved(self.talk.console, path),
            Err(e) => self.talk.console.complain(&format!("{}: {e}", path.display())),
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
        self.talk.console.say("connected", &format!("connected {how}; {who}"), details)
    }

    /// What was asked for on the command line.
    fn event(&mut self, connection: &mut ExpertConnection, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Established(_) => {
                self.established = true;
                if let Some(text) = &self.args.say {
                    let said = connection.session().chat().send(text);
                    said.or_else(|e| self.talk.console.complain(&e.to_string()))?;
                }
                for path in &self.args.send {
                    self.talk.send(connection, path)?;
                }
                if self.args.request_control || self.args.keys.is_some() {
                    let asked = connection.session().request_control();
                    asked.or_else(|e| self.talk.console.complain(&e.to_string()))?;
                }
            }
            Event::Control(ControlEvent::Granted) => {
                if let Some(keys) = self.keys.take() {
                    connection.send_input(&typing(&keys)).map_err(failed)?;
                    self.talk.console.say("typed", "the keys are sent", json!({}))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Keys that write a text: characters as such, since nobody knows the novice's keyboard, and those that write nothing by
/// their place.
fn typing(text: &str) -> Vec<InputEvent> {
    let mut events = Vec::new();
    for character in text.chars() {
        let place = match character {
            '\n' => Some(0x1C),
            '\t' => Some(0x0F),
            '\u{8}' => Some(0x0E),
            '\u{1B}' => Some(0x01),
            _ => None,
        };
        let mut units = [0; 2];
        let units: &[u16] = if place.is_some() { &[0] } else { character.encode_utf16(&mut units) };
        for unit in units {
            events.extend([true, false].map(|down| match place {
                Some(scan_code) => InputEvent::Key { scan_code, extended: false, down },
                None => InputEvent::Unicode { unit: *unit, down },
            }));
        }
    }
    events
}

fn save(path: &Path, picture: &Picture) -> io::Result<()> {
    let mut png = Vec::new();
    picture.to_png(&mut png)?;
    output::save(path, &png)
}

fn saved(console: &mut Console<'_>, path: &Path) -> Result<(), Failure> {
    let path = path.display().to_string();
    let text = format!("the screen is saved as {path}");
    console.say("screenshot", &text, json!({ "path": path }))
}
