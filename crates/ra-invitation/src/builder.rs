//! Making invitations.

use remassist_core::Hex;
use remassist_core::xml::{Attributes, Document, Element};
use std::fmt::Write as _;

use crate::Invitation;

/// Makes complete invitations, which Windows and FreeRDP accept when written as a UTF-8 file
/// ([`to_text`](remassist_core::text::TextFormat::to_text)).
///
/// Begin with what both types have, end with [`type1`](Self::type1) or [`type2`](Self::type2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationBuilder<'a> {
    user_name: &'a str,
    start: u64,
    minutes: u64,
    modem: bool,
}

impl<'a> InvitationBuilder<'a> {
    /// An invitation of a user or computer, valid from `start` (seconds since 1970 in UTC) for some minutes.
    #[must_use]
    pub const fn new(user_name: &'a str, start: u64, minutes: u64) -> Self {
        Self { user_name, start, minutes, modem: false }
    }

    /// The same with L: whether the novice has a modem.
    #[must_use]
    pub const fn modem(mut self, modem: bool) -> Self {
        self.modem = modem;
        self
    }

    /// An invitation of type 1: a connection string 1 in the clear, and the PassStub when a password is needed.
    ///
    /// Without a PassStub (from [`generate_pass_stub`](crate::generate_pass_stub)) whoever has the file can connect;
    /// FreeRDP then drops the session.
    #[must_use]
    pub fn type1(&self, rc_ticket: &str, pass_stub: Option<&str>) -> Invitation<'static> {
        let attributes =
            Attributes::new().with("USERNAME", self.user_name).with_secret("RCTICKET", rc_ticket);
        self.finish(attributes, pass_stub)
    }

    /// An invitation of type 2: an encrypted connection string 2 (from `encrypt_ticket`), a PassStub, and perhaps a
    /// connection string 1 in the clear for experts that know nothing else.
    #[must_use]
    pub fn type2(&self, lh_ticket: &[u8], pass_stub: &str, rc_ticket: Option<&str>) -> Invitation<'static> {
        let mut digits = String::with_capacity(lh_ticket.len().saturating_mul(2));
        let _infallible = write!(digits, "{:X}", Hex(lh_ticket));
        let mut attributes =
            Attributes::new().with("USERNAME", self.user_name).with_secret("LHTICKET", &digits);
        if let Some(rc_ticket) = rc_ticket {
            attributes.set_secret("RCTICKET", rc_ticket);
        }
        self.finish(attributes, Some(pass_stub))
    }

    fn finish(&self, mut attributes: Attributes<'static>, pass_stub: Option<&str>) -> Invitation<'static> {
        attributes.set("RCTICKETENCRYPTED", if pass_stub.is_some() { "1" } else { "0" });
        attributes.set("DtStart", &self.start.to_string());
        attributes.set("DtLength", &self.minutes.to_string());
        if let Some(pass_stub) = pass_stub {
            attributes.set_secret("PassStub", pass_stub);
        }
        attributes.set("L", if self.modem { "1" } else { "0" });
        let data = Element::new("UPLOADDATA").with_attributes(attributes);
        let info = Attributes::new().with("TYPE", "Escalated");
        let root = Element::new("UPLOADINFO").with_attributes(info).with_child(data);
        let declaration = Attributes::new().with("version", "1.0").with("encoding", "Unicode");
        Invitation { document: Document { declaration: Some(declaration), root } }
    }
}
