//! The file.

use std::fmt;

use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::xml::{AttributeSpec, Attributes, Document, ElementSpec, Schema, broken};
use remassist_core::{At, DecodeError, DecodeErrorKind as Kind, EncodeError, Secret, Text, from_hex};

use crate::TicketError;

const DOC: &str = "[MS-RAI]";
const INFO: &str = "UPLOADINFO";
const DATA: &str = "UPLOADDATA";

const fn at(element: &'static str, attribute: &'static str) -> At {
    At::new(DOC, "6", element, attribute)
}
const fn data(name: &'static str) -> AttributeSpec {
    AttributeSpec::new(DOC, "6", DATA, name)
}

static AT: At = at("Remote Assistance Invitation File", "");
static INFO_TYPE: At = at(INFO, "TYPE");
static DATA_AT: At = at(DATA, "");
static USERNAME: At = at(DATA, "USERNAME");
static RCTICKET: At = at(DATA, "RCTICKET");
static RCTICKETENCRYPTED: At = at(DATA, "RCTICKETENCRYPTED");
static LHTICKET: At = at(DATA, "LHTICKET");
static DT_START: At = at(DATA, "DtStart");
static DT_LENGTH: At = at(DATA, "DtLength");
static PASS_STUB: At = at(DATA, "PassStub");
static MODEM: At = at(DATA, "L");

static SCHEMA: Schema = Schema {
    at: at("Remote Assistance Invitation File", ""),
    elements: &[
        ElementSpec {
            name: INFO,
            at: at(INFO, ""),
            attributes: &[AttributeSpec::new(DOC, "6", INFO, "TYPE")],
        },
        ElementSpec {
            name: DATA,
            at: at(DATA, ""),
            attributes: &[
                data("USERNAME"),
                data("LHTICKET").secret(),
                data("RCTICKET").secret(),
                data("RCTICKETENCRYPTED"),
                data("DtStart"),
                data("DtLength"),
                data("PassStub").secret(),
                data("L"),
            ],
        },
        // A file that is only a connection string 2 ([MS-RAI] 2.2.2).
        ElementSpec { name: "E", at: At::new(DOC, "2.2.2", "E", ""), attributes: &[] },
        ElementSpec {
            name: "A",
            at: At::new(DOC, "2.2.2", "A", ""),
            attributes: &[AttributeSpec::new(DOC, "2.2.2", "A", "ID").secret()],
        },
    ],
};

/// Which kind of invitation a file is.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum InvitationKind {
    /// The first type: a connection string 1 in the clear. Windows XP and Windows Server 2003.
    Type1,
    /// The second type: an encrypted connection string 2. Windows Vista and later.
    Type2,
    /// A connection string 2 and nothing else: Windows Desktop Sharing. The specification does not know this kind.
    ConnectionString,
}

/// Whether an invitation can be used at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Validity {
    /// Within DtLength minutes of DtStart.
    Valid,
    /// Before DtStart: the clocks differ, or the file is wrong.
    NotYet,
    /// DtLength minutes after DtStart or later.
    Expired,
    /// DtStart or DtLength is missing or no number.
    Unknown,
}

/// A Remote Assistance invitation file ([MS-RAI] 6), in Windows with the extension `.msrcIncident`.
///
/// ```text
/// <?xml version="1.0" encoding="Unicode" ?>
/// <UPLOADINFO TYPE="Escalated"><UPLOADDATA USERNAME=".." LHTICKET=".." RCTICKET=".." RCTICKETENCRYPTED="1"
///     DtStart="seconds" DtLength="minutes" PassStub=".." L="0"/></UPLOADINFO>
/// ```
///
/// All attributes are kept, unknown ones too. RCTICKET, LHTICKET and PassStub are secrets: the connection string 1 holds
/// the authentication id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Invitation<'a> {
    /// The document; its root is `<UPLOADINFO>` with one `<UPLOADDATA>`, or `<E>`.
    pub document: Document<'a>,
}

impl Invitation<'_> {
    /// The attributes of `<UPLOADDATA>`; `None` when the file is only a connection string.
    #[must_use]
    pub fn upload_data(&self) -> Option<&Attributes<'_>> {
        self.document.root.child(DATA).filter(|_| self.document.root.name == INFO).map(|d| &d.attributes)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.upload_data()?.get(name)
    }

    /// Which kind of invitation it is: of type 2 when it has an LHTICKET.
    #[must_use]
    pub fn kind(&self) -> InvitationKind {
        match self.upload_data() {
            None => InvitationKind::ConnectionString,
            Some(data) if data.get("LHTICKET").is_some() => InvitationKind::Type2,
            Some(_) => InvitationKind::Type1,
        }
    }

    /// USERNAME: who invites, a user or a computer. Anybody can write anything there.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.get("USERNAME")
    }

    /// RCTICKET: the text of a connection string 1 in the clear, without the blanks of a broken line. A file of type 2
    /// may have one too.
    #[must_use]
    pub fn rc_ticket(&self) -> Option<Secret<Text<'_>>> {
        self.get("RCTICKET").map(|ticket| Secret::new(Text::without_blanks(ticket)))
    }

    /// RCTICKETENCRYPTED. It tells that a password is needed: RCTICKET itself is in the clear either way.
    #[must_use]
    pub fn rc_ticket_encrypted(&self) -> Option<bool> {
        self.get("RCTICKETENCRYPTED").map(str::trim).and_then(flag)
    }

    /// LHTICKET: the encrypted bytes.
    ///
    /// # Errors
    /// [`TicketError::Absent`] or [`TicketError::NotHexadecimal`].
    pub fn lh_ticket(&self) -> Result<Vec<u8>, TicketError> {
        let digits = self.get("LHTICKET").ok_or(TicketError::Absent)?;
        from_hex(digits)
            .or_else(|| from_hex(&Text::without_blanks(digits)))
            .ok_or(TicketError::NotHexadecimal)
    }

    /// The connection string 2 in LHTICKET.
    ///
    /// # Errors
    /// As [`lh_ticket`](Self::lh_ticket) and [`decrypt_ticket`](crate::decrypt_ticket()); also
    /// [`TicketError::WrongPassword`] when the text does not begin as XML does.
    #[cfg(feature = "crypto")]
    pub fn decrypt_ticket(&self, password: &str) -> Result<crate::Ticket, TicketError> {
        let ticket = crate::ticket::decrypt(password, self.lh_ticket()?)?;
        if ticket.expose().starts_with('<') { Ok(ticket) } else { Err(TicketError::WrongPassword) }
    }

    /// PassStub: what the expert encrypts with the password. `None` also when it is empty.
    #[must_use]
    pub fn pass_stub(&self) -> Option<Secret<Text<'_>>> {
        self.get("PassStub").filter(|stub| !stub.is_empty()).map(|stub| Secret::new(stub.into()))
    }

    /// Whether the expert must ask for a password: always for type 2, as RCTICKETENCRYPTED and PassStub say for type 1,
    /// never for a connection string alone.
    #[must_use]
    pub fn needs_password(&self) -> bool {
        match self.kind() {
            InvitationKind::Type2 => true,
            InvitationKind::Type1 => self.rc_ticket_encrypted().unwrap_or_else(|| self.pass_stub().is_some()),
            InvitationKind::ConnectionString => false,
        }
    }

    /// DtStart: when the invitation was made, in seconds since 1970 in UTC.
    #[must_use]
    pub fn start(&self) -> Option<u64> {
        self.get("DtStart").map(str::trim).and_then(number)
    }

    /// DtLength: for how many minutes it is valid.
    #[must_use]
    pub fn minutes(&self) -> Option<u64> {
        self.get("DtLength").map(str::trim).and_then(number)
    }

    /// Whether the invitation can be used at a time given in seconds since 1970 in UTC. Nothing protects the numbers:
    /// what counts is whether the novice still listens.
    #[must_use]
    pub fn validity(&self, now: u64) -> Validity {
        let (Some(start), Some(minutes)) = (self.start(), self.minutes()) else { return Validity::Unknown };
        match now.checked_sub(start) {
            None => Validity::NotYet,
            Some(age) if age < minutes.saturating_mul(60) => Validity::Valid,
            Some(_) => Validity::Expired,
        }
    }

    /// L: whether the novice has a modem.
    #[must_use]
    pub fn modem(&self) -> Option<bool> {
        self.get("L").map(str::trim).and_then(flag)
    }

    /// The text of the connection string 2 that is the whole file; `None` for a file of type 1 or 2.
    #[must_use]
    pub fn connection_string(&self) -> Option<Secret<String>> {
        if self.kind() != InvitationKind::ConnectionString {
            return None;
        }
        // Counted first, so that the text does not grow and leave copies behind.
        let mut len = Length(0);
        let _infallible = self.document.root.write(&mut len);
        let mut text = String::with_capacity(len.0);
        let _infallible = self.document.root.write(&mut text);
        Some(Secret::new(text))
    }

    /// The same invitation, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Invitation<'static> {
        Invitation { document: self.document.into_owned() }
    }

    /// What makes a document an invitation at all.
    fn shape(&self) -> Result<(), &'static str> {
        if self.document.root.name == "E" {
            return Ok(());
        }
        if self.document.root.name != INFO {
            return Err("the outermost element is neither UPLOADINFO nor E");
        }
        if self.document.root.children_named(DATA).take(2).count() != 1 {
            return Err("there is not exactly one UPLOADDATA");
        }
        let data = self.upload_data();
        if data.is_none_or(|data| data.get("RCTICKET").or_else(|| data.get("LHTICKET")).is_none()) {
            return Err("neither RCTICKET nor LHTICKET");
        }
        Ok(())
    }

    /// Checks what the specification asks for; `must` is told of each rule and of whether it is kept.
    fn rules<E>(&self, must: impl Fn(bool, &'static At, &'static str) -> Result<(), E>) -> Result<(), E> {
        const NUMBER: &str = "missing, or not a decimal number";
        const FLAG: &str = "missing, or neither 0 nor 1";
        const BLANKS: &str = "blanks inside the ticket";
        let Some(data) = self.upload_data() else {
            return must(false, &AT, "the file is only a connection string");
        };
        let kind = self.document.root.attributes.get("TYPE");
        must(kind == Some("Escalated"), &INFO_TYPE, "the value is not Escalated")?;
        must(self.document.root.children.len() == 1, &DATA_AT, "other elements beside UPLOADDATA")?;
        must(data.get("USERNAME").is_some(), &USERNAME, "the attribute is missing")?;
        if let Some(ticket) = data.get("RCTICKET") {
            must(!Text::has_blanks(ticket), &RCTICKET, BLANKS)?;
        }
        if let Some(ticket) = data.get("LHTICKET") {
            // Without an end in between, so that many bytes are looked at at a time.
            let digits = ticket.bytes().fold(true, |all, b| all & b.is_ascii_hexdigit());
            must(
                digits && ticket.len().is_multiple_of(2),
                &LHTICKET,
                "not an even number of hexadecimal digits",
            )?;
        }
        must(data.get("RCTICKETENCRYPTED").and_then(flag).is_some(), &RCTICKETENCRYPTED, FLAG)?;
        must(data.get("DtStart").and_then(number).is_some(), &DT_START, NUMBER)?;
        must(data.get("DtLength").and_then(number).is_some(), &DT_LENGTH, NUMBER)?;
        let stub = data.get("PassStub").is_some_and(|stub| !stub.is_empty());
        must(stub || !self.needs_password(), &PASS_STUB, "missing, though a password is needed")?;
        must(data.get("L").and_then(flag).is_some(), &MODEM, FLAG)
    }
}

impl<'a> TextFormat<'a> for Invitation<'a> {
    const AT: &'static At = &AT;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.position();
        let this = Self { document: Document::parse(cursor, &SCHEMA)? };
        this.shape().map_err(|rule| cursor.error(start, &AT, Kind::Rule(rule)))?;
        this.rules(
            |ok, at, rule| {
                if ok { Ok(()) } else { broken(cursor, start, at.structure, 0, at, rule) }
            },
        )?;
        Ok(this)
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        self.shape().map_err(|reason| EncodeError::Invalid { at: &AT, reason })?;
        self.document.check(&AT)
    }

    /// The declaration with a blank at its end, as all known files have it, in a line of its own; then all else in one
    /// line: FreeRDP refuses a line break behind `<UPLOADDATA`.
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if let Some(declaration) = &self.document.declaration {
            out.write_str("<?xml")?;
            declaration.write(out)?;
            out.write_str(" ?>\n")?;
        }
        self.document.root.write(out)
    }
}

/// Counts bytes.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}
