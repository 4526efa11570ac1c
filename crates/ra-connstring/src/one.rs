//! Connection string 1: eight fields with commas between them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use nom::bytes::complete::take_till;
use nom::character::complete::char;
use nom::combinator::all_consuming;
use nom::sequence::terminated;
use nom::{IResult, Parser as _};
use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::{At, DecodeError, DecodeErrorKind as Kind, EncodeError, Secret, Text, owned};

use crate::endpoint::port;
use crate::{Endpoint, Host, KeyHash, KeyVerdict};

const fn at(field: &'static str) -> At {
    At::new("[MS-RAI]", "2.2.1", "Connection String 1", field)
}
static AT: At = at("");
static PROTOCOL_VERSION: At = at("ProtocolVersion");
static PROTOCOL_TYPE: At = at("protocolType");
static ADDRESSES: At = at("machineAddressList");
static ACCOUNT_PASSWORD: At = at("assistantAccountPwd");
static SESSION_ID: At = at("RASessionID");
static SESSION_NAME: At = at("RASessionName");
static SESSION_PASSWORD: At = at("RASessionPwd");
static PARAMETERS: At = at("protocolSpecificParms");

/// What may follow the last field.
const TAIL: [char; 5] = [' ', '\t', '\r', '\n', '\0'];
const FIELDS: usize = 8;

/// Remote Assistance Connection String 1 ([MS-RAI] 2.2.1): a Unicode string of eight fields with commas between them.
///
/// ```text
/// 65538,1,172.31.243.138:3389;MIKE_HOME:3389,*,<RASessionID>,*,*,<protocolSpecificParms>
/// ```
///
/// No field can hold a comma. What else stands in a field is kept, blanks of a broken line too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConnectionString1<'a> {
    /// ProtocolVersion: must be [`PROTOCOL_VERSION`](Self::PROTOCOL_VERSION). In decimal digits without leading zeros.
    pub protocol_version: u32,
    /// protocolType: must be [`PROTOCOL_TYPE`](Self::PROTOCOL_TYPE). In decimal digits without leading zeros.
    pub protocol_type: u32,
    /// machineAddressList: `address:port` with semicolons between them, in order.
    pub addresses: Vec<Address<'a>>,
    /// assistantAccountPwd: must be `*`.
    pub assistant_account_password: Secret<Text<'a>>,
    /// RASessionID: who knows it may connect. See [`session_id`](Self::session_id).
    pub ra_session_id: Secret<Text<'a>>,
    /// RASessionName: must be `*`.
    pub session_name: Cow<'a, str>,
    /// RASessionPwd: must be `*`.
    pub session_password: Secret<Text<'a>>,
    /// protocolSpecificParms: base64 of the SHA-1 hash of the server's key, the same value as KH of connection string 2.
    pub protocol_specific_parameters: Cow<'a, str>,
}

impl<'a> ConnectionString1<'a> {
    /// The only value of ProtocolVersion.
    pub const PROTOCOL_VERSION: u32 = 65_538;
    /// The only value of protocolType: the Remote Desktop Protocol.
    pub const PROTOCOL_TYPE: u32 = 1;

    /// A connection string with the fixed values where the specification fixes them.
    #[must_use]
    pub fn new<'e>(
        endpoints: impl IntoIterator<Item = Endpoint<'e>>,
        session_id: &'a str,
        key_hash: &KeyHash<'_>,
    ) -> Self {
        let star = || Secret::new(Text::from("*"));
        Self {
            protocol_version: Self::PROTOCOL_VERSION,
            protocol_type: Self::PROTOCOL_TYPE,
            addresses: endpoints.into_iter().map(|e| Address(e.to_string().into())).collect(),
            assistant_account_password: star(),
            ra_session_id: Secret::new(session_id.into()),
            session_name: "*".into(),
            session_password: star(),
            protocol_specific_parameters: key_hash.digest.to_string().into(),
        }
    }

    /// RASessionID without the blanks of a broken line.
    #[must_use]
    pub fn session_id(&self) -> Secret<Text<'_>> {
        Secret::new(Text::without_blanks(self.ra_session_id.expose()))
    }

    /// protocolSpecificParms as the hash of a key; `None` when it is empty.
    #[must_use]
    pub fn key_hash(&self) -> Option<KeyHash<'_>> {
        let hash = KeyHash::parse_kh(&self.protocol_specific_parameters);
        (!hash.digest.is_empty()).then_some(hash)
    }

    /// Compares the key of a server with protocolSpecificParms. The specification leaves this field to RDP; where both
    /// connection strings of a session are known, it is their KH.
    pub fn verify_key(&self, public_key_blob: &[u8]) -> KeyVerdict {
        self.key_hash().map_or(KeyVerdict::Absent, |hash| hash.verify(public_key_blob))
    }

    /// The addresses to try, in order; entries that are no address with a port are left out.
    pub fn candidates(&self) -> impl Iterator<Item = Endpoint<'_>> {
        self.addresses.iter().filter_map(Address::endpoint)
    }

    /// The same connection string, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ConnectionString1<'static> {
        let secret = |s: Secret<Text<'_>>| s.map(|t| t.clone().into_owned());
        ConnectionString1 {
            protocol_version: self.protocol_version,
            protocol_type: self.protocol_type,
            addresses: self.addresses.into_iter().map(|a| Address(owned(a.0))).collect(),
            assistant_account_password: secret(self.assistant_account_password),
            ra_session_id: secret(self.ra_session_id),
            session_name: owned(self.session_name),
            session_password: secret(self.session_password),
            protocol_specific_parameters: owned(self.protocol_specific_parameters),
        }
    }
}

/// One entry of machineAddressList, as it stands: `address:port`, the address an IPv4 address or a computer name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Address<'a>(pub Cow<'a, str>);

impl Address<'_> {
    /// The entry as an endpoint, without blanks; `None` when it is none. IPv6 is understood, though not foreseen.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint<'_>> {
        match Text::without_blanks(&self.0).0 {
            Cow::Borrowed(text) => Endpoint::parse(text),
            Cow::Owned(text) => Endpoint::parse(&text).map(Endpoint::into_owned),
        }
    }

    /// Whether the entry is what the specification says.
    fn is_well_formed(&self) -> bool {
        let Some((host, digits)) = self.0.rsplit_once(':') else { return false };
        let is_host = || !host.contains(':') && Host::is_one(host);
        port(digits).is_some() && (Host::is_simple(host) || is_host())
    }
}

fn field(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_till(|b| b == b',')(input)
}

/// The fields; an error tells where there are too few or too many.
fn fields(input: &[u8]) -> IResult<&[u8], [&[u8]; FIELDS]> {
    let comma = || terminated(field, char(','));
    let first = (comma(), comma(), comma(), comma(), comma(), comma(), comma(), field);
    all_consuming(first).map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h]).parse(input)
}

/// A number in decimal digits, written in the only way that gives the same digits again.
fn number(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// Reads field after field.
struct Fields<'r, 't, 'a> {
    cursor: &'r TextCursor<'t, 'a>,
    /// Where the next field begins.
    position: usize,
}

impl<'a> Fields<'_, '_, 'a> {
    /// Records a part of the text, checks its length, stands behind it and one separator.
    fn next(&mut self, text: &str, at: &'static At) -> Result<Range<usize>, DecodeError> {
        let start = self.position;
        let range = start..start.saturating_add(text.len());
        let max = self.cursor.limits().string;
        if text.len() > max {
            return Err(self.cursor.error(start, at, Kind::LimitExceeded { limit: "string bytes", max }));
        }
        self.cursor.field(range.clone(), at);
        self.position = range.end.saturating_add(1);
        Ok(range)
    }

    fn text(&mut self, text: &str, at: &'static At) -> Result<Cow<'a, str>, DecodeError> {
        self.next(text, at).map(|range| self.cursor.cow(range))
    }

    fn secret(&mut self, text: &str, at: &'static At) -> Result<Secret<Text<'a>>, DecodeError> {
        let range = self.next(text, at)?;
        self.cursor.secret();
        Ok(Secret::new(Text(self.cursor.cow(range))))
    }

    fn number(&mut self, text: &str, at: &'static At, expected: u32) -> Result<u32, DecodeError> {
        let start = self.next(text, at)?.start;
        let value = number(text).ok_or_else(|| {
            self.cursor.error(start, at, Kind::Rule("not a decimal number that fits, without leading zeros"))
        })?;
        self.cursor.must(value == expected, start, at, Kind::InvalidValue { got: value.into() })?;
        Ok(value)
    }

    /// A rule of the field that comes next.
    fn must(&self, ok: bool, at: &'static At, rule: &'static str) -> Result<(), DecodeError> {
        self.cursor.must(ok, self.position, at, Kind::Rule(rule))
    }

    fn addresses(&mut self, text: &str) -> Result<Vec<Address<'a>>, DecodeError> {
        self.must(!text.is_empty(), &ADDRESSES, "no address")?;
        let max = self.cursor.limits().items;
        let mut addresses = Vec::new();
        if text.is_empty() {
            self.position = self.position.saturating_add(1);
            return Ok(addresses);
        }
        for entry in text.split(';') {
            if addresses.len() >= max {
                let kind = Kind::LimitExceeded { limit: "addresses", max };
                return Err(self.cursor.error(self.position, &ADDRESSES, kind));
            }
            let position = self.position;
            let address = Address(self.text(entry, &ADDRESSES)?);
            let rule = Kind::Rule("not an IPv4 address or computer name with a port");
            self.cursor.must(address.is_well_formed(), position, &ADDRESSES, rule)?;
            addresses.push(address);
        }
        Ok(addresses)
    }
}

impl<'a> TextFormat<'a> for ConnectionString1<'a> {
    const AT: &'static At = &AT;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        const STAR: &str = "the value is not *";
        const BLANKS: &str = "blanks inside the value";
        let base = cursor.position();
        let text = cursor.rest().trim_end_matches(TAIL);
        if let Some(at) = text.find('\0') {
            return Err(cursor.error(base.saturating_add(at), &AT, Kind::Rule("a NUL inside the text")));
        }
        let parsed = fields(text.as_bytes()).map_err(|e| {
            let rest = match e {
                nom::Err::Error(e) | nom::Err::Failure(e) => e.input.len(),
                nom::Err::Incomplete(_) => 0,
            };
            let position = base.saturating_add(text.len().saturating_sub(rest));
            cursor.error(position, &AT, Kind::Rule("there are not exactly eight fields"))
        });
        let mut start = 0_usize;
        let [version, protocol, addresses, account, id, name, password, parameters] =
            parsed?.1.map(|field| {
                let range = start..start.saturating_add(field.len());
                start = range.end.saturating_add(1);
                text.get(range).unwrap_or_default()
            });
        let mut fields = Fields { cursor, position: base };
        let protocol_version = fields.number(version, &PROTOCOL_VERSION, Self::PROTOCOL_VERSION)?;
        let protocol_type = fields.number(protocol, &PROTOCOL_TYPE, Self::PROTOCOL_TYPE)?;
        let addresses = fields.addresses(addresses)?;
        fields.must(account == "*", &ACCOUNT_PASSWORD, STAR)?;
        let assistant_account_password = fields.secret(account, &ACCOUNT_PASSWORD)?;
        fields.must(!id.is_empty(), &SESSION_ID, "the value is empty")?;
        fields.must(!Text::has_blanks(id), &SESSION_ID, BLANKS)?;
        let ra_session_id = fields.secret(id, &SESSION_ID)?;
        fields.must(name == "*", &SESSION_NAME, STAR)?;
        let session_name = fields.text(name, &SESSION_NAME)?;
        fields.must(password == "*", &SESSION_PASSWORD, STAR)?;
        let session_password = fields.secret(password, &SESSION_PASSWORD)?;
        fields.must(!Text::has_blanks(parameters), &PARAMETERS, BLANKS)?;
        let protocol_specific_parameters = fields.text(parameters, &PARAMETERS)?;
        cursor.advance(text.len());
        Ok(Self {
            protocol_version,
            protocol_type,
            addresses,
            assistant_account_password,
            ra_session_id,
            session_name,
            session_password,
            protocol_specific_parameters,
        })
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        let invalid = |at, reason| Err(EncodeError::Invalid { at, reason });
        let parts = [
            (&**self.assistant_account_password.expose(), &ACCOUNT_PASSWORD),
            (&**self.ra_session_id.expose(), &SESSION_ID),
            (&*self.session_name, &SESSION_NAME),
            (&**self.session_password.expose(), &SESSION_PASSWORD),
            (&*self.protocol_specific_parameters, &PARAMETERS),
        ];
        let addresses = self.addresses.iter().map(|a| (&*a.0, &ADDRESSES));
        for (text, at) in parts.into_iter().chain(addresses) {
            if text.contains([',', '\0']) {
                return invalid(at, "a comma or NUL cannot stand in a field");
            }
        }
        if self.addresses.iter().any(|a| a.0.contains(';')) {
            return invalid(&ADDRESSES, "a semicolon cannot stand in an address");
        }
        if matches!(self.addresses.as_slice(), [only] if only.0.is_empty()) {
            return invalid(&ADDRESSES, "an empty address alone would be read as no address");
        }
        if self.protocol_specific_parameters.ends_with(TAIL) {
            return invalid(&PARAMETERS, "blanks at the end would be read as no part of it");
        }
        Ok(())
    }

    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{},{},", self.protocol_version, self.protocol_type)?;
        for (index, address) in self.addresses.iter().enumerate() {
            if index > 0 {
                out.write_str(";")?;
            }
            out.write_str(&address.0)?;
        }
        for text in [
            &**self.assistant_account_password.expose(),
            &**self.ra_session_id.expose(),
            &*self.session_name,
            &**self.session_password.expose(),
            &*self.protocol_specific_parameters,
        ] {
            out.write_str(",")?;
            out.write_str(text)?;
        }
        Ok(())
    }
}
