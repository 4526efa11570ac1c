//! `remassist invite`.

use std::io::{self, Write};

use ra_rdp::{FileType, KeyHashes, NewInvitation, RdpError};
use remassist::connstring::Endpoint;

use crate::args::InviteArgs;
use crate::{Failure, input, output};

pub fn run(args: &InviteArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let invitation = NewInvitation {
        file_type: file_type(args.file_type),
        name: args.name.clone(),
        minutes: args.minutes,
        password: args.password.read()?,
        addresses: endpoints(&args.addresses)?,
    };
    let made = invitation.make(&key_hashes(args)?).map_err(unusable)?;
    let file = made.file.expose();
    match &args.out {
        Some(path) => output::save(path, file.as_bytes())
            .map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?,
        None => write!(out, "{file}")?,
    }
    Ok(())
}

/// Addresses that an expert can connect to.
pub fn endpoints(addresses: &[String]) -> Result<Vec<Endpoint<'static>>, Failure> {
    let parse = |text: &String| {
        let endpoint = Endpoint::parse(text).map(Endpoint::into_owned);
        endpoint.ok_or_else(|| Failure::Usage(format!("{text:?} is not HOST:PORT or [IPV6]:PORT")))
    };
    addresses.iter().map(parse).collect()
}

/// The type of a file by its number.
pub fn file_type(number: u8) -> FileType {
    if number == 1 { FileType::Type1 } else { FileType::Type2 }
}

/// What the person wants does not fit together.
pub fn unusable(error: RdpError) -> Failure {
    Failure::Usage(error.to_string())
}

fn key_hashes(args: &InviteArgs) -> Result<KeyHashes, Failure> {
    if let Some(path) = &args.public_key {
        let blob = input::read(path)?;
        return Ok(KeyHashes::of(&blob));
    }
    let note = "no --public-key: the key hash is random, an expert that checks it will refuse the server";
    writeln!(io::stderr(), "remassist: note: {note}")?;
    KeyHashes::random().map_err(unusable)
}
