use ra_connstring::ConnectionString;
use ra_invitation::{
    Invitation, InvitationKind, TicketError, decrypt_pass_stub, decrypt_ticket, encrypt_ticket,
};
use remassist_core::Decode;
use remassist_core::text::{TextDocument, TextFormat as _};

use super::Oracle;
use crate::{laws, xml_law};

pub(super) const ALL: &[Oracle] = &[("invitation", invitation), ("ticket", ticket)];

type File<'a> = TextDocument<'a, Invitation<'a>>;

fn invitation(input: &[u8]) {
    if !xml_law!(File<'_>, input) {
        return;
    }
    let Ok(file) = File::decode(input) else { return };
    laws::json(&file);
    let invitation = &file.content;
    let kind = invitation.kind();
    assert_eq!(invitation.lh_ticket() == Err(TicketError::Absent), kind != InvitationKind::Type2);
    assert_eq!(invitation.connection_string().is_some(), kind == InvitationKind::ConnectionString);
    if let Some(text) = invitation.connection_string() {
        ConnectionString::parse(text.expose()).expect("the connection string can be read");
    }
    if let Ok(plain) = invitation.decrypt_ticket("Pass123!") {
        assert!(plain.expose().starts_with('<'));
    }
    let _any = invitation.validity(1_795_240_964);
}

fn ticket(input: &[u8]) {
    const PASSWORD: &str = "Pass123!";
    match decrypt_ticket(PASSWORD, input) {
        Ok(plain) => {
            assert_eq!(encrypt_ticket(PASSWORD, plain.expose_untrimmed()), input);
            super::run("connstring", plain.expose_untrimmed().as_bytes());
        }
        Err(e) => {
            assert_eq!(e == TicketError::NotBlocks, input.is_empty() || !input.len().is_multiple_of(16))
        }
    }
    let _any = decrypt_pass_stub(PASSWORD, input);
    // Arbitrary bytes are rarely a ticket: as plain text they are.
    if let Ok(text) = core::str::from_utf8(input) {
        let ticket = encrypt_ticket(PASSWORD, text);
        assert_eq!(decrypt_ticket(PASSWORD, &ticket).unwrap().expose_untrimmed(), text);
    }
}
