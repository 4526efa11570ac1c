use rccommand::{ContactFile, RcCommand};
use remassist_core::text::TextDocument;

use super::Oracle;
use crate::xml_law;

pub(super) const ALL: &[Oracle] = &[("rccommand", message), ("contact", contact)];

fn message(input: &[u8]) {
    if xml_law!(TextDocument<'_, RcCommand<'_>>, input) {
        let decoded = <TextDocument<'_, RcCommand<'_>> as remassist_core::Decode<'_>>::decode(input);
        let Ok(document) = decoded else { return };
        crate::laws::json(&document);
        // What a message says can be said again.
        if let Ok(command) = document.content.command() {
            let again = command.to_message();
            assert_eq!(again.command().as_ref().map(|c| c.name()), Ok(command.name()));
        }
    }
}

fn contact(input: &[u8]) {
    if xml_law!(TextDocument<'_, ContactFile<'_>>, input) {
        let decoded = <TextDocument<'_, ContactFile<'_>> as remassist_core::Decode<'_>>::decode(input);
        let Ok(document) = decoded else { return };
        crate::laws::json(&document);
        if let Some(contact) = document.content.contact() {
            let again = contact.to_file().contact();
            assert_eq!(again.as_ref(), Some(&contact));
            let _either = contact.address_matches_key();
        }
    }
}
