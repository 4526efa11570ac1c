//! `remassist crypt`.

use std::io::Write;

use remassist::channel::easy_connect::{self, PeerKey};
use remassist::channel::session_token;
use remassist::core::Hex;
use remassist::invitation;
use rpc_net::NtHash;

use crate::args::{CryptArgs, CryptCommand, EasyConnectCommand, EasyConnectKey};
use crate::{Failure, input};

pub fn run(args: &CryptArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        CryptCommand::Account { user, password } => {
            let hash = NtHash::of_password(password.read()?.expose()).to_hex();
            writeln!(out, "{user}:{}", hash.expose())?;
        }
        CryptCommand::PassStub { password, stub } => {
            let pass = invitation::pass_value(password.read()?.expose(), stub);
            writeln!(out, "{}", pass.expose())?;
        }
        CryptCommand::Lhticket { password, decrypt: false } => {
            let password = password.read()?;
            let ticket = invitation::encrypt_ticket(password.expose(), &input::stdin_text()?);
            writeln!(out, "{:X}", Hex(&ticket))?;
        }
        CryptCommand::Lhticket { password, decrypt: true } => {
            let password = password.read()?;
            let ticket = input::unhex(input::stdin_text()?.as_bytes())?;
            let ticket = invitation::decrypt_ticket(password.expose(), &ticket);
            let ticket = ticket.map_err(|e| Failure::Input(e.to_string()))?;
            line(out, ticket.expose_untrimmed())?;
        }
        CryptCommand::Token { role, password } => {
            let password = password.read()?;
            let token = session_token((*role).into(), password.expose(), &input::stdin_text()?);
            writeln!(out, "{:x}", Hex(token.expose()))?;
        }
        CryptCommand::EasyConnect { command } => easy_connect(command, out)?,
    }
    Ok(())
}

fn easy_connect(command: &EasyConnectCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let derive =
        |key: &EasyConnectKey| Ok::<_, Failure>(PeerKey::derive(key.password.read()?.expose(), key.hours));
    match command {
        EasyConnectCommand::Password => {
            writeln!(out, "{}", easy_connect::password(&input::stdin_text()?).expose())?;
        }
        EasyConnectCommand::PeerName { key } => writeln!(out, "{}", derive(key)?.peer_name())?,
        EasyConnectCommand::Encrypt { key } => {
            writeln!(out, "{:x}", Hex(&derive(key)?.encrypt(&input::stdin_text()?)))?
        }
        EasyConnectCommand::Decrypt { key } => {
            let key = derive(key)?;
            let payload = input::unhex(input::stdin_text()?.as_bytes())?;
            let text = key.decrypt(&payload).map_err(|e| Failure::Input(e.to_string()))?;
            line(out, text.expose())?;
        }
    }
    Ok(())
}

/// Text as it is, in a line of its own.
fn line(out: &mut dyn Write, text: &str) -> std::io::Result<()> {
    out.write_all(text.as_bytes())?;
    if text.ends_with('\n') { Ok(()) } else { writeln!(out) }
}
