//! `remassist invite`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remassist::connstring::{ConnectionString1, ConnectionString2, Endpoint, HashAlgorithm, Host, KeyHash};
use remassist::core::text::TextFormat as _;
use remassist::core::{EncodeError, Secret};
use remassist::invitation::{InvitationBuilder, encrypt_ticket, generate_pass_stub};

use crate::args::InviteArgs;
use crate::{Failure, input};

/// Random bytes behind an authentication id: as many as Windows takes.
const ID_BYTES: usize = 48;

pub fn run(args: &InviteArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let password = args.password.read()?;
    let endpoints = endpoints(&args.addresses, args.file_type)?;
    let made = make(args.file_type, &args.name, &endpoints, &key_hashes(args)?, args.minutes, &password)?;
    let file = made.file;
    match &args.out {
        Some(path) => {
            save(path, file.as_bytes()).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?
        }
        None => write!(out, "{file}")?,
    }
    Ok(())
}

/// An invitation, and what is in it.
pub struct Made {
    pub file: String,
    pub connection_string: Secret<String>,
    pub pass_stub: Secret<String>,
}

/// Makes an invitation for a machine that listens at these addresses.
pub fn make(
    file_type: u8,
    name: &str,
    endpoints: &[Endpoint<'_>],
    hashes: &KeyHashes,
    minutes: u32,
    password: &Secret<String>,
) -> Result<Made, Failure> {
    if password.expose().is_empty() {
        return Err(Failure::Usage("the password is empty".to_owned()));
    }
    let id = Secret::new(STANDARD.encode(random::<ID_BYTES>()?));
    let stub = pass_stub()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_err(|_| Failure::Usage("the clock stands before 1970".to_owned()))?.as_secs();
    let builder = InvitationBuilder::new(name, now, minutes.into());
    let (invitation, connection_string) = if file_type == 1 {
        let endpoints = endpoints.iter().map(|e| e.clone().into_owned());
        let ticket = ConnectionString1::new(endpoints, id.expose(), &hashes.sha1);
        let ticket = Secret::new(ticket.to_text().map_err(unwritable)?);
        (builder.type1(ticket.expose(), Some(stub.expose())), ticket)
    } else {
        let mut ticket = ConnectionString2::new(id.expose()).with_key_hash(&hashes.sha1);
        if let Some(sha256) = &hashes.sha256 {
            ticket = ticket.with_key_hash(sha256);
        }
        for endpoint in endpoints {
            ticket = ticket.with_listener(endpoint);
        }
        // Windows ends the text of a ticket so.
        let text = Secret::new(ticket.to_text().map_err(unwritable)? + "\r\n");
        (builder.type2(&encrypt_ticket(password.expose(), text.expose()), stub.expose(), None), text)
    };
    let file = invitation.to_text().map_err(unwritable)? + "\n";
    Ok(Made { file, connection_string, pass_stub: stub })
}

fn unwritable(error: EncodeError) -> Failure {
    Failure::Usage(format!("this cannot be written into an invitation: {error}"))
}

/// Addresses as an invitation of that type can hold them.
pub fn endpoints(addresses: &[String], file_type: u8) -> Result<Vec<Endpoint<'static>>, Failure> {
    let parse = |text: &String| {
        let endpoint = Endpoint::parse(text);
        let endpoint =
            endpoint.ok_or_else(|| Failure::Usage(format!("{text:?} is not HOST:PORT or [IPV6]:PORT")))?;
        if file_type == 1 && matches!(endpoint.host, Host::Ipv6 { .. }) {
            return Err(Failure::Usage(format!(
                "{text:?}: an invitation of type 1 cannot hold IPv6 addresses"
            )));
        }
        Ok(endpoint.into_owned())
    };
    addresses.iter().map(parse).collect()
}

/// What a connection string tells of the server's key.
pub struct KeyHashes {
    sha1: KeyHash<'static>,
    sha256: Option<KeyHash<'static>>,
}

impl KeyHashes {
    /// Of a key ([MS-RAI] 2.2.2).
    pub fn of(public_key_blob: &[u8]) -> Self {
        let sha256 = KeyHash::compute(HashAlgorithm::Sha256, public_key_blob);
        Self { sha1: KeyHash::compute_sha1(public_key_blob), sha256 }
    }

    /// Of no key at all: there is none to compare under TLS.
    pub fn random() -> Result<Self, Failure> {
        let digest = STANDARD.encode(random::<20>()?).into();
        Ok(Self { sha1: KeyHash { algorithm: HashAlgorithm::Sha1, digest }, sha256: None })
    }
}

fn key_hashes(args: &InviteArgs) -> Result<KeyHashes, Failure> {
    if let Some(path) = &args.public_key {
        let blob = input::read(path)?;
        return Ok(KeyHashes::of(&blob));
    }
    let note = "no --public-key: the key hash is random, an expert that checks it will refuse the server";
    writeln!(io::stderr(), "remassist: note: {note}")?;
    KeyHashes::random()
}

fn pass_stub() -> Result<Secret<String>, Failure> {
    let mut broken = None;
    let stub = generate_pass_stub(|bytes| {
        if let Err(e) = getrandom::fill(bytes) {
            broken = Some(e);
        }
    });
    match (stub, broken) {
        (Some(stub), None) => Ok(stub),
        _ => Err(Failure::Usage("the system gives no random bytes".to_owned())),
    }
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let none = |e| Failure::Usage(format!("the system gives no random bytes: {e}"));
    getrandom::fill(&mut bytes).map_err(none)?;
    Ok(bytes)
}

/// Writes a file whole or not at all. Only the owner can read it: it lets people in.
pub fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
