//! `remassist novice`.

use std::io::Write;

use ra_rdp::rdp_standard_security::{Methods, ServerOptions};
use ra_rdp::{
    Caller, InputEvent, NewInvitation, NoviceConnection, NoviceOptions, NoviceServer, RdpError, Security,
};
use remassist::session::{Attempts, Credentials, Event, NoviceConfig};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver};

use crate::args::{EncryptionArg, NoviceArgs};
use crate::console::{Console, Typed};
use crate::helpers::{self, Helpers, Told};
use crate::invite;
use crate::recording::Recording;
use crate::talk::Talk;
use crate::{Failure, output};

/// Events of input that wait to be told; more are left out.
const INPUT: usize = 256;
/// Experts that may fail to prove that they have the invitation.
const ATTEMPTS: u32 = 5;

pub fn run(args: &NoviceArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut console = Console::new(out, args.events);
        serve(args, &mut console).await
    });
    // The thread that reads the terminal may never come back.
    runtime.shutdown_background();
    result
}

fn failed(error: RdpError) -> Failure {
    Failure::Input(error.to_string())
}

async fn serve(args: &NoviceArgs, console: &mut Console<'_>) -> Result<(), Failure> {
    // What cannot be shared is told before anybody is invited.
    args.display.open(mpsc::channel(INPUT).0).map_err(|e| Failure::Usage(e.to_string()))?;
    let recording = args.logs.record.as_deref().map(Recording::create).transpose()?;
    let mut server = bind(args).await?;
    let mut helpers = Helpers::start(&args.offers, &args.addresses, &server).await?;
    let invited = invitation(args, &server, console)?;
    if let Some(helpers) = &helpers {
        tell(console, helpers.listening())?;
    }
    let mut attempts = Attempts::new(ATTEMPTS);
    loop {
        let caller = tokio::select! {
            caller = server.accept() => caller.map_err(failed)?,
            told = helpers::told(&mut helpers) => {
                tell(console, told)?;
                continue;
            }
            quit = quit(console), if console.is_terminal() => return quit,
        };
        let mut credentials: Vec<Credentials> = invited.iter().cloned().collect();
        credentials.extend(helpers.iter().flat_map(Helpers::credentials));
        let connecting = connect(args, &server, caller, credentials, attempts);
        let connected = tokio::select! {
            connected = connecting => connected?,
            quit = quit(console), if console.is_terminal() => return quit,
        };
        let (mut connection, keys) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                console.say("connection_failed", &format!("no connection: {error}"), json!({}))?;
                continue;
            }
        };
        if let Some(recording) = &recording {
            connection.record(recording.recorder());
        }
        let talk = Talk::new(console, &args.allow, &args.receive_dir);
        let established = session(talk, &mut server, &mut connection, keys, &mut helpers).await?;
        if let Some(helpers) = &helpers {
            helpers.session_ended();
        }
        if let Some(error) = recording.as_ref().and_then(Recording::error) {
            console.complain(&format!("the recording has an end too early: {error}"))?;
        }
        attempts = connection.session().attempts();
        if invited.is_none() {
            // Nobody can try passwords on a ticket, so nobody who tries can end this.
            attempts = Attempts::new(ATTEMPTS);
        }
        if attempts.left() == 0 {
            return Err(Failure::Input("too many failed attempts".to_owned()));
        }
        if args.exit_after_session && established {
            return Ok(());
        }
    }
}

async fn bind(args: &NoviceArgs) -> Result<NoviceServer, Failure> {
    let mut options = NoviceOptions::default();
    options.security = args.security.into();
    options.key_log.clone_from(&args.logs.tls_key_log);
    options.valid_for = Some(std::time::Duration::from_secs(60 * u64::from(args.minutes)));
    if options.security != Security::Tls && args.encryption != EncryptionArg::None {
        let key = ra_rdp::generate_server_key().map_err(failed)?;
        let methods = match args.encryption {
            EncryptionArg::Bits40 => Methods::BIT_40,
            EncryptionArg::Bits56 => Methods::BIT_56,
            EncryptionArg::Bits128 | EncryptionArg::None => Methods::BIT_128,
        };
        options.standard = Some((key, ServerOptions { methods, ..ServerOptions::default() }));
    }
    NoviceServer::bind(&args.listen, options).await.map_err(failed)
}

fn tell(console: &mut Console<'_>, told: Told) -> Result<(), Failure> {
    console.say(told.name, &told.text, told.details)
}

/// Writes the invitation, if one is wanted. What the expert has to know in the end.
fn invitation(
    args: &NoviceArgs,
    server: &NoviceServer,
    console: &mut Console<'_>,
) -> Result<Option<Credentials>, Failure> {
    let Some(path) = &args.invitation else {
        listening(server, console, "listening", json!({}))?;
        return Ok(None);
    };
    let missing = || Failure::Usage("a password is needed: --password or --password-file".to_owned());
    let made = server.invite(NewInvitation {
        file_type: invite::file_type(args.file_type),
        name: args.name.clone(),
        minutes: args.minutes,
        password: args.password.read()?.ok_or_else(missing)?,
        addresses: invite::endpoints(&args.addresses)?,
    });
    let made = made.map_err(invite::unusable)?;
    output::save(path, made.file.expose().as_bytes())
        .map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
    let addresses: Vec<String> = made.addresses.iter().map(ToString::to_string).collect();
    let told = format!("listening on {}; the invitation is {}", addresses.join(", "), path.display());
    listening(server, console, &told, json!({ "addresses": addresses }))?;
    Ok(Some(made.credentials))
}

fn listening(
    server: &NoviceServer,
    console: &mut Console<'_>,
    text: &str,
    mut details: Value,
) -> Result<(), Failure> {
    let listening = server.addresses().map_err(failed)?;
    let listening: Vec<String> = listening.iter().map(ToString::to_string).collect();
    if let Some(details) = details.as_object_mut() {
        details.insert("listening".to_owned(), json!(listening));
    }
    let text =
        if text == "listening" { format!("listening on {}", listening.join(", ")) } else { text.to_owned() };
    console.say("listening", &text, details)
}

/// Comes back when the person at the terminal wants no expert any more.
async fn quit(console: &mut Console<'_>) -> Result<(), Failure> {
    loop {
        match console.line().await? {
            Typed::Line(line) if line.trim() != "/quit" => {
                console.complain("nobody is there yet; /quit ends it")?;
            }
            _ => return Ok(()),
        }
    }
}

/// Makes the connection with an expert.
async fn connect(
    args: &NoviceArgs,
    server: &NoviceServer,
    caller: Caller,
    credentials: Vec<Credentials>,
    attempts: Attempts,
) -> Result<Result<(NoviceConnection, Receiver<InputEvent>), RdpError>, Failure> {
    let mut config = NoviceConfig::new(credentials);
    config.options.name.clone_from(&args.name);
    let (typed, keys) = mpsc::channel(INPUT);
    let (display, input) = args.display.open(typed).map_err(|e| Failure::Input(e.to_string()))?;
    let connected = server.connect(caller, config, attempts, display, input).await;
    Ok(connected.map(|connection| (connection, keys)))
}

/// One session; whether it was established.
async fn session(
    mut talk: Talk<'_, '_>,
    server: &mut NoviceServer,
    connection: &mut NoviceConnection,
    mut keys: Receiver<InputEvent>,
    helpers: &mut Option<Helpers>,
) -> Result<bool, Failure> {
    let (mut established, mut listening) = (false, true);
    loop {
        let progress = talk.progress(connection);
        let event = tokio::select! {
            event = connection.next() => match event {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(established),
                Err(error) => {
                    talk.console.say("connection_failed", &error.to_string(), json!({}))?;
                    return Ok(established);
                }
            },
            Some(key) = keys.recv() => {
                talk.console.say("input", &format!("{key:?}"), json!({}))?;
                continue;
            }
            typed = talk.console.line() => {
                talk.typed(connection, typed?)?;
                continue;
            }
            () = progress => {
                talk.tell_progress(connection)?;
                continue;
            }
            told = helpers::told(helpers) => {
                tell(talk.console, told)?;
                continue;
            }
            // One expert at a time.
            caller = server.accept(), if listening => {
                match caller {
                    Ok(_) => talk.console.say("turned_away", "another expert was turned away", json!({}))?,
                    Err(_) => listening = false,
                }
                continue;
            }
        };
        if matches!(event, Event::Established(_)) {
            established = true;
            if let Some(helpers) = &*helpers {
                helpers.session_began();
            }
        }
        talk.event(connection, &event)?;
        if matches!(event, Event::ShareScreen) {
            let started = connection.session().view_started();
            started.map_err(|e| Failure::Input(e.to_string()))?;
        }
    }
}
