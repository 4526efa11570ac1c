//! `remassist novice`.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use ra_rdp::rdp_standard_security::{Methods, ServerOptions};
use ra_rdp::{Caller, InputEvent, NoviceConnection, NoviceOptions, NoviceServer, RdpError, Security};
use remassist::session::{Attempts, Credentials, Event, NoviceConfig};
use serde_json::json;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::Failure;
use crate::args::{EncryptionArg, NoviceArgs};
use crate::console::{Console, Typed};
use crate::invite::{self, KeyHashes};
use crate::talk::Talk;

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
    args.display.open(mpsc::unbounded_channel().0).map_err(|e| Failure::Usage(e.to_string()))?;
    let (mut server, hashes) = bind(args).await?;
    let credentials = invitation(args, &server, &hashes, console)?;
    let mut attempts = Attempts::new(ATTEMPTS);
    loop {
        let caller = tokio::select! {
            caller = server.accept() => caller.map_err(failed)?,
            typed = console.line(), if console.is_terminal() => match typed? {
                Typed::Line(line) if line.trim() != "/quit" => {
                    console.complain("nobody is there yet; /quit ends it")?;
                    continue;
                }
                _ => return Ok(()),
            },
        };
        let Some((mut connection, keys)) =
            connect(args, &server, caller, &credentials, attempts, console).await?
        else {
            continue;
        };
        let talk = Talk::new(console, &args.allow, &args.receive_dir);
        let established = session(talk, &mut server, &mut connection, keys).await?;
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

async fn bind(args: &NoviceArgs) -> Result<(NoviceServer, KeyHashes), Failure> {
    let mut options = NoviceOptions::default();
    options.security = args.security.into();
    options.key_log.clone_from(&args.key_log.path);
    options.valid_for = Some(std::time::Duration::from_secs(60 * u64::from(args.minutes)));
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
    Ok((NoviceServer::bind(&args.listen, options).await.map_err(failed)?, hashes))
}

/// Writes the invitation. What the expert has to know in the end.
fn invitation(
    args: &NoviceArgs,
    server: &NoviceServer,
    hashes: &KeyHashes,
    console: &mut Console<'_>,
) -> Result<Credentials, Failure> {
    let password = args.password.read()?;
    let listening = server.addresses().map_err(failed)?;
    let mut addresses = args.addresses.clone();
    if addresses.is_empty() {
        let local: Vec<IpAddr> = if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect();
        let reachable = listening.iter().flat_map(|address| reachable(*address, &local));
        let writable = reachable.filter(|address| args.file_type != 1 || address.is_ipv4());
        addresses = writable.map(|address| address.to_string()).collect();
        if addresses.is_empty() {
            return Err(Failure::Usage("an invitation of type 1 cannot hold IPv6 addresses".to_owned()));
        }
    }
    let mut endpoints = invite::endpoints(&addresses, args.file_type)?;
    if args.file_type == 1 {
        // FreeRDP skips the first address of such a file.
        endpoints.extend_from_within(..1);
    }
    let made = invite::make(args.file_type, &args.name, &endpoints, hashes, args.minutes, &password)?;
    let (string, stub) = (made.connection_string.expose(), made.pass_stub.expose());
    let credentials = Credentials::invitation(string, Some(password.expose()), Some(stub));
    let credentials = credentials.map_err(|e| Failure::Usage(e.to_string()))?;
    invite::save(&args.invitation, made.file.as_bytes())
        .map_err(|e| Failure::Usage(format!("{}: {e}", args.invitation.display())))?;
    let file = args.invitation.display();
    let told = format!("listening on {}; the invitation is {file}", addresses.join(", "));
    let listening: Vec<String> = listening.iter().map(ToString::to_string).collect();
    console.say("listening", &told, json!({ "addresses": addresses, "listening": listening }))?;
    Ok(credentials)
}

/// Where an expert finds an address that is listened on: of all addresses, those that other machines can have.
fn reachable(address: SocketAddr, local: &[IpAddr]) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let listens = |ip: &&IpAddr| ip.is_ipv4() || address.is_ipv6();
    let found: Vec<_> = local
        .iter()
        .filter(listens)
        .filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        })
        .map(|ip| SocketAddr::new(*ip, address.port()))
        .collect();
    if found.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], address.port()))] } else { found }
}

/// Makes the connection with an expert; `None` if it comes to nothing.
async fn connect(
    args: &NoviceArgs,
    server: &NoviceServer,
    caller: Caller,
    credentials: &Credentials,
    attempts: Attempts,
    console: &mut Console<'_>,
) -> Result<Option<(NoviceConnection, UnboundedReceiver<InputEvent>)>, Failure> {
    let mut config = NoviceConfig::new([credentials.clone()]);
    config.options.name.clone_from(&args.name);
    let (typed, keys) = mpsc::unbounded_channel();
    let (display, input) = args.display.open(typed).map_err(|e| Failure::Input(e.to_string()))?;
    match server.connect(caller, config, attempts, display, input).await {
        Ok(connection) => Ok(Some((connection, keys))),
        Err(error) => {
            console.say("connection_failed", &format!("no connection: {error}"), json!({}))?;
            Ok(None)
        }
    }
}

/// One session; whether it was established.
async fn session(
    mut talk: Talk<'_, '_>,
    server: &mut NoviceServer,
    connection: &mut NoviceConnection,
    mut keys: UnboundedReceiver<InputEvent>,
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
            // One expert at a time.
            caller = server.accept(), if listening => {
                match caller {
                    Ok(_) => talk.console.say("turned_away", "another expert was turned away", json!({}))?,
                    Err(_) => listening = false,
                }
                continue;
            }
        };
        established |= matches!(event, Event::Established(_));
        talk.event(connection, &event)?;
        if matches!(event, Event::ShareScreen) {
            let started = connection.session().view_started();
            started.map_err(|e| Failure::Input(e.to_string()))?;
        }
    }
}
