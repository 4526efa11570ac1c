//! Opens an invitation with its password and prints where to connect:
//! `cargo run --package suite-examples --example read_invitation -- FILE PASSWORD`

use std::error::Error;
use std::time::SystemTime;

use remassist::connstring::ConnectionString;
use remassist::core::Decode as _;
use remassist::core::text::{TextDocument, TextFormat as _};
use remassist::invitation::{Invitation, pass_value};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "examples/data/type2.msrcIncident".to_owned());
    let password = args.next().unwrap_or_else(|| "Pass123!".to_owned());
    let file = std::fs::read(path)?;
    let invitation = TextDocument::<Invitation<'_>>::decode(&file)?.content;

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    println!("{:?} from {:?}: {:?}", invitation.kind(), invitation.user_name(), invitation.validity(now));

    let ticket = invitation.decrypt_ticket(&password)?;
    let connection = ConnectionString::parse(ticket.expose())?;
    for endpoint in connection.candidates() {
        println!("connect to {endpoint}");
    }
    if let Some(stub) = invitation.pass_stub() {
        // What goes into the expertBlob; printing a Secret shows nothing.
        println!("PASS: {:?}", pass_value(&password, stub.expose()));
    }
    Ok(())
}
