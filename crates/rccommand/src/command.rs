//! `<RCCOMMAND .../>`: the message as it stands, and what it says.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::xml::{self, AttributeSpec, Attributes, Document, ElementSpec, Schema};
use remassist_core::{At, DecodeError, DecodeErrorKind as Kind, EncodeError, Secret, usize_from};

use crate::Name;

const ELEMENT: &str = "RCCOMMAND";
const fn attribute(name: &'static str) -> AttributeSpec {
    AttributeSpec::new("[MS-RA]", "2.2.2", ELEMENT, name)
}
static AT: At = At::new("[MS-RA]", "2.2.2", ELEMENT, "");
static NAME: At = At::new("[MS-RA]", "2.2.2", ELEMENT, "NAME");
static SCHEMA: Schema = Schema { at: At::new("[MS-RA]", "2.2.2", ELEMENT, ""), elements: &ELEMENTS };
static ELEMENTS: [ElementSpec; 1] =
    [ElementSpec { name: ELEMENT, at: At::new("[MS-RA]", "2.2.2", ELEMENT, ""), attributes: ATTRIBUTES }];
static ATTRIBUTES: &[AttributeSpec] = &[
    attribute("NAME"),
    attribute("FILENAME"),
    attribute("FILESIZE"),
    attribute("CHANNELID"),
    attribute("INTERNALDATA"),
    attribute("VOIPVER"),
    attribute("VOIPGOKEY").secret(),
    attribute("VOIPIPLIST"),
    attribute("VOIPILIST"),
    attribute("EXPERTIPDATA"),
    attribute("PROPERTY"),
    attribute("VALUE"),
];

/// An `RCCOMMAND` message ([MS-RA] 2.2.2): one XML element without content, on channel 71.
///
/// Attributes are kept in their order, unknown ones too. [`command`](Self::command) tells what they say; on a channel
/// the message is a [`TextDocument`](remassist_core::text::TextDocument) in UTF-16LE with a NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct RcCommand<'a> {
    /// NAME first, then those that belong to it.
    pub attributes: Attributes<'a>,
}

impl<'a> RcCommand<'a> {
    /// The value of NAME.
    #[must_use]
    pub fn name(&self) -> &str {
        self.attributes.get("NAME").unwrap_or_default()
    }

    /// What the message says.
    ///
    /// # Errors
    /// [`CommandError`] when an attribute that the command cannot do without is missing or is not what it should be.
    pub fn command(&self) -> Result<Command<'_>, CommandError> {
        match Name::parse(self.name()) {
            Some(name) => self.fields().command(name),
            None => Ok(Command::Unknown { name: Cow::Borrowed(self.name()) }),
        }
    }

    /// The attributes that the specification knows, found in one pass.
    fn fields(&self) -> Fields<'_> {
        let attributes = &self.attributes;
        let mut fields = Fields { attributes, places: Places::default(), known: 0 };
        let places = &mut fields.places;
        for (place, (attribute, _)) in (1..).zip(attributes.iter()) {
            let field = match attribute {
                "NAME" => {
                    places.name = place;
                    continue;
                }
                "FILENAME" => &mut places.file_name,
                "FILESIZE" => &mut places.file_size,
                "CHANNELID" => &mut places.channel_id,
                "INTERNALDATA" => &mut places.internal_data,
                "VOIPVER" => &mut places.voip_ver,
                "VOIPGOKEY" => &mut places.voip_go_key,
                "VOIPIPLIST" => &mut places.voip_ip_list,
                "VOIPILIST" => &mut places.voip_i_list,
                "EXPERTIPDATA" => &mut places.expert_ip_data,
                "PROPERTY" => &mut places.property,
                "VALUE" => &mut places.value,
                _ => continue,
            };
            *field = place;
            fields.known = fields.known.saturating_add(1);
        }
        fields
    }

    /// What the specification demands of a message that stands at `start`.
    fn rules(&self, cursor: &TextCursor<'_, '_>, start: usize) -> Result<(), DecodeError> {
        let fields = self.fields();
        let Some(name) = fields.get(fields.places.name) else {
            return Err(cursor.error(start, &NAME, Kind::Rule("the attribute is missing")));
        };
        let broken = |name: &str, rule| {
            let spec = ATTRIBUTES.iter().find(|a| a.name == name);
            xml::broken(cursor, start, ELEMENT, 0, spec.map_or(&NAME, |a| &a.at), rule)
        };
        let Some(name) = Name::parse(name) else {
            broken("NAME", "the command is not one that the specification knows")?;
            return Ok(());
        };
        if !fields.are_of(name) {
            let foreign = self
                .attributes
                .iter()
                .map(|(a, _)| a)
                .find(|a| !name.attributes().contains(a) && *a != "NAME");
            broken(foreign.unwrap_or_default(), "the attribute belongs to another command")?;
        }
        match fields.check(name) {
            Ok(()) => {}
            Err(CommandError::Missing { attribute, .. }) => {
                broken(attribute, "the command needs the attribute")?
            }
            Err(CommandError::Malformed { attribute, .. }) => {
                broken(attribute, "the value is not a decimal number that fits")?;
            }
        }
        Ok(())
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> RcCommand<'static> {
        RcCommand { attributes: self.attributes.into_owned() }
    }
}

struct Fields<'a> {
    attributes: &'a Attributes<'a>,
    places: Places,
    /// How many of them are there, without NAME.
    known: usize,
}

/// Where each attribute stands, counted from 1; 0 where it is missing.
#[derive(Default)]
struct Places {
    name: u32,
    file_name: u32,
    file_size: u32,
    channel_id: u32,
    internal_data: u32,
    voip_ver: u32,
    voip_go_key: u32,
    voip_ip_list: u32,
    voip_i_list: u32,
    expert_ip_data: u32,
    property: u32,
    value: u32,
}

impl<'a> Fields<'a> {
    fn get(&self, place: u32) -> Option<&'a str> {
        let index = usize_from(place).checked_sub(1)?;
        self.attributes.iter().nth(index).map(|(_, value)| value)
    }

    /// Whether all is there and readable that a command cannot do without.
    fn check(&self, name: Name) -> Result<(), CommandError> {
        let p = &self.places;
        let need = |place: u32, attribute| {
            if place > 0 { Ok(()) } else { Err(CommandError::Missing { name, attribute }) }
        };
        match name {
            Name::FileXfer => {
                need(p.file_name, "FILENAME")?;
                need(p.file_size, "FILESIZE")?;
                self.number::<u64>(name, p.file_size, "FILESIZE")?;
                need(p.channel_id, "CHANNELID")?;
                self.number::<u32>(name, p.internal_data, "INTERNALDATA").map(drop)
            }
            Name::ExpertIp => need(p.expert_ip_data, "EXPERTIPDATA"),
            Name::SettingAnnounce => {
                need(p.property, "PROPERTY")?;
                need(p.value, "VALUE")
            }
            Name::VoipGo => {
                need(p.voip_go_key, "VOIPGOKEY")?;
                need(p.voip_ip_list.max(p.voip_i_list), "VOIPIPLIST")
            }
            _ => Ok(()),
        }
    }

    fn command(&self, name: Name) -> Result<Command<'a>, CommandError> {
        self.check(name)?;
        let p = &self.places;
        let text = |place| self.get(place).unwrap_or_default();
        Ok(match name {
            Name::FileXfer => Command::FileXfer(FileXfer {
                file_name: text(p.file_name).into(),
                file_size: self.number(name, p.file_size, "FILESIZE")?,
                channel_id: text(p.channel_id).into(),
                internal_data: InternalData(self.number(name, p.internal_data, "INTERNALDATA")?),
            }),
            Name::ExpertIp => Command::ExpertIp { address: text(p.expert_ip_data).into() },
            Name::SettingAnnounce => {
                Command::SettingAnnounce { property: text(p.property).into(), value: text(p.value).into() }
            }
            Name::VoipGo => Command::VoipGo(VoipGo {
                version: self.get(p.voip_ver).map(Cow::Borrowed),
                key: Secret::new(text(p.voip_go_key).into()),
                ip_list: self.get(p.voip_ip_list).unwrap_or_else(|| text(p.voip_i_list)).into(),
            }),
            plain => Command::Plain(plain),
        })
    }

    /// A decimal number; 0 where it is missing.
    fn number<T: FromStr + Default>(
        &self,
        name: Name,
        place: u32,
        attribute: &'static str,
    ) -> Result<T, CommandError> {
        let Some(text) = self.get(place) else { return Ok(T::default()) };
        // What can be parsed besides digits is a sign.
        let number = if text.starts_with('+') { None } else { text.parse().ok() };
        number.ok_or(CommandError::Malformed { name, attribute })
    }

    /// Whether all attributes belong to the command.
    fn are_of(&self, name: Name) -> bool {
        let p = &self.places;
        let own = match name {
            Name::FileXfer => [p.file_name, p.file_size, p.channel_id, p.internal_data],
            Name::VoipGo => [p.voip_ver, p.voip_go_key, p.voip_ip_list, p.voip_i_list],
            Name::SettingAnnounce => [p.property, p.value, 0, 0],
            Name::ExpertIp => [p.expert_ip_data, 0, 0, 0],
            _ => [0; 4],
        };
        own.iter().filter(|place| **place > 0).count() == self.known
    }
}

/// The attributes of a message that is not in its plainest form.
fn of_document<'a>(cursor: &mut TextCursor<'_, 'a>) -> Result<Attributes<'a>, DecodeError> {
    let start = cursor.position();
    let Document { declaration, root } = Document::parse(cursor, &SCHEMA)?;
    let broken = |rule| Err(cursor.error(start, &AT, Kind::Rule(rule)));
    if root.name != ELEMENT {
        return broken("the element is not RCCOMMAND");
    }
    if declaration.is_some() {
        return broken("an XML declaration before an RCCOMMAND");
    }
    if !root.children.is_empty() {
        return broken("elements inside an RCCOMMAND");
    }
    Ok(root.attributes)
}

impl<'a> TextFormat<'a> for RcCommand<'a> {
    const AT: &'static At = &AT;
    const RULES: TextRules = TextRules::UNICODE_Z;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.position();
        let [element] = &ELEMENTS;
        let attributes = match Attributes::parse_plain(cursor, element) {
            Some(attributes) => attributes,
            None => of_document(cursor)?,
        };
        let this = Self { attributes };
        this.rules(cursor, start)?;
        Ok(this)
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        if self.attributes.get("NAME").is_none() {
            return Err(EncodeError::Invalid { at: &NAME, reason: "the attribute is missing" });
        }
        self.attributes.check(&AT)
    }

    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("<RCCOMMAND")?;
        self.attributes.write(out)?;
        out.write_str("/>")
    }
}

/// What an `RCCOMMAND` says.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// FILEXFER: wants to send a file.
    FileXfer(FileXfer<'a>),
    /// EXPERTIP: the address of the expert, for logs (version 1).
    ExpertIp {
        /// EXPERTIPDATA: the address as text.
        address: Cow<'a, str>,
    },
    /// SETTINGANNOUNCE: a setting and its value (version 3).
    SettingAnnounce {
        /// PROPERTY: name of the setting, `CONTACTEXCHANGE` for one.
        property: Cow<'a, str>,
        /// VALUE: its value.
        value: Cow<'a, str>,
    },
    /// VOIPGO: the novice's RTC server is ready (version 1).
    VoipGo(VoipGo<'a>),
    /// A command that its name says all of.
    Plain(Name),
    /// A command that [MS-RA] does not define.
    Unknown {
        /// The value of NAME.
        name: Cow<'a, str>,
    },
}

impl Command<'_> {
    /// Which command it is; `None` for an unknown one.
    #[must_use]
    pub const fn name(&self) -> Option<Name> {
        match self {
            Self::FileXfer(_) => Some(Name::FileXfer),
            Self::ExpertIp { .. } => Some(Name::ExpertIp),
            Self::SettingAnnounce { .. } => Some(Name::SettingAnnounce),
            Self::VoipGo(_) => Some(Name::VoipGo),
            Self::Plain(name) => Some(*name),
            Self::Unknown { .. } => None,
        }
    }

    /// The message that says this, with attributes in the order of the specification.
    #[must_use]
    pub fn to_message(&self) -> RcCommand<'static> {
        let name = match self {
            Self::Unknown { name } => name,
            known => known.name().map_or("", Name::as_str),
        };
        let mut attributes = Attributes::new().with("NAME", name);
        match self {
            Self::FileXfer(file) => {
                attributes.set("FILENAME", &file.file_name);
                attributes.set("FILESIZE", &file.file_size.to_string());
                attributes.set("CHANNELID", &file.channel_id);
                if file.internal_data != InternalData::NONE {
                    attributes.set("INTERNALDATA", &file.internal_data.0.to_string());
                }
            }
            Self::ExpertIp { address } => attributes.set("EXPERTIPDATA", address),
            Self::SettingAnnounce { property, value } => {
                attributes.set("PROPERTY", property);
                attributes.set("VALUE", value);
            }
            Self::VoipGo(go) => {
                attributes.set("VOIPVER", go.version.as_deref().unwrap_or(VoipGo::VERSION));
                attributes.set_secret("VOIPGOKEY", go.key.expose());
                attributes.set("VOIPIPLIST", &go.ip_list);
            }
            Self::Plain(_) | Self::Unknown { .. } => {}
        }
        RcCommand { attributes }
    }
}

/// FILEXFER: a file that the sender of the command wants to send ([MS-RA] 2.2.2, 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileXfer<'a> {
    /// FILENAME: the name suggested. It comes from the peer: never use it as a path.
    pub file_name: Cow<'a, str>,
    /// FILESIZE: bytes that will follow.
    pub file_size: u64,
    /// CHANNELID: the channel on which they follow.
    pub channel_id: Cow<'a, str>,
    /// INTERNALDATA (version 3).
    pub internal_data: InternalData,
}

/// INTERNALDATA: bit flags; a missing attribute and 0 say that the file is for the user. The specification defines
/// no bit; any other value marks data between the two programs, such as a contact file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct InternalData(pub u32);

impl InternalData {
    /// A file for the user.
    pub const NONE: Self = Self(0);

    /// Whether the file is not for the user.
    #[must_use]
    pub const fn is_internal(self) -> bool {
        self.0 != 0
    }
}

/// VOIPGO: where and with which key the expert's RTC client connects ([MS-RA] 2.2.2, 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoipGo<'a> {
    /// VOIPVER, where it stands; [`VERSION`](Self::VERSION) is written when it does not.
    pub version: Option<Cow<'a, str>>,
    /// VOIPGOKEY: key of the RTC connection.
    pub key: Secret<String>,
    /// VOIPIPLIST, or VOIPILIST as the usage block of 2.2.2 prints it: addresses with commas between them.
    pub ip_list: Cow<'a, str>,
}

impl VoipGo<'_> {
    /// The version that the printed example carries.
    pub const VERSION: &'static str = "VOIPVER2";

    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> VoipGo<'static> {
        VoipGo {
            version: self.version.map(|version| version.into_owned().into()),
            key: self.key,
            ip_list: self.ip_list.into_owned().into(),
        }
    }

    /// The addresses, in order; blank entries are left out.
    pub fn endpoints(&self) -> impl Iterator<Item = VoipEndpoint<'_>> {
        self.ip_list.split(',').map(str::trim).filter(|e| !e.is_empty()).map(VoipEndpoint::parse)
    }
}

/// One address of VOIPIPLIST.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoipEndpoint<'a> {
    /// Address and port.
    Socket(SocketAddr),
    /// An address alone.
    Ip(IpAddr),
    /// Anything else, as it stands.
    Other(&'a str),
}

impl<'a> VoipEndpoint<'a> {
    fn parse(text: &'a str) -> Self {
        text.parse().map(Self::Socket).or_else(|_| text.parse().map(Self::Ip)).unwrap_or(Self::Other(text))
    }
}

/// Why a message does not say what its name promises. Holds nothing that the peer wrote.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// An attribute is missing.
    Missing {
        /// The command.
        name: Name,
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute is not a decimal number that fits.
    Malformed {
        /// The command.
        name: Name,
        /// The attribute.
        attribute: &'static str,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, attribute, what) = match self {
            Self::Missing { name, attribute } => (name, attribute, "is missing"),
            Self::Malformed { name, attribute } => (name, attribute, "is not a decimal number that fits"),
        };
        write!(f, "{} {attribute} {what} ([MS-RA] 2.2.2)", name.as_str())
    }
}

impl std::error::Error for CommandError {}
