//! `<RCCOMMAND .../>`: the message as it stands, and what it says.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::xml::{AttributeSpec, Attributes, Document, ElementSpec, Schema};
use remassist_core::{At, DecodeError, DecodeErrorKind as Kind, EncodeError, Secret};

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
        let mut fields = Fields::default();
        for (attribute, value) in self.attributes.iter() {
            let field = match attribute {
                "NAME" => {
                    fields.name = Some(value);
                    continue;
                }
                "FILENAME" => &mut fields.file_name,
                "FILESIZE" => &mut fields.file_size,
                "CHANNELID" => &mut fields.channel_id,
                "INTERNALDATA" => &mut fields.internal_data,
                "VOIPVER" => &mut fields.voip_ver,
                "VOIPGOKEY" => &mut fields.voip_go_key,
                "VOIPIPLIST" => &mut fields.voip_ip_list,
                "VOIPILIST" => &mut fields.voip_i_list,
                "EXPERTIPDATA" => &mut fields.expert_ip_data,
                "PROPERTY" => &mut fields.property,
                "VALUE" => &mut fields.value,
                _ => continue,
            };
            *field = Some(value);
            fields.known = fields.known.saturating_add(1);
        }
        fields
    }

    /// What the specification demands of a message that stands at `start`.
    fn rules(&self, cursor: &TextCursor<'_, '_>, start: usize) -> Result<(), DecodeError> {
        let fields = self.fields();
        let Some(name) = fields.name else {
            return Err(cursor.error(start, &NAME, Kind::Rule("the attribute is missing")));
        };
        let broken = |name: &str, rule| {
            let spec = ATTRIBUTES.iter().find(|a| a.name == name);
            cursor.must(false, start, spec.map_or(&NAME, |a| &a.at), Kind::Rule(rule))
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
        match fields.command(name) {
            Ok(_) => {}
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

#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a str>,
    file_name: Option<&'a str>,
    file_size: Option<&'a str>,
    channel_id: Option<&'a str>,
    internal_data: Option<&'a str>,
    voip_ver: Option<&'a str>,
    voip_go_key: Option<&'a str>,
    voip_ip_list: Option<&'a str>,
    voip_i_list: Option<&'a str>,
    expert_ip_data: Option<&'a str>,
    property: Option<&'a str>,
    value: Option<&'a str>,
    /// How many of them are there, without NAME.
    known: usize,
}

impl<'a> Fields<'a> {
    fn command(&self, name: Name) -> Result<Command<'a>, CommandError> {
        let need = |field: Option<&'a str>, attribute| match field {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => Err(CommandError::Missing { name, attribute }),
        };
        Ok(match name {
            Name::FileXfer => Command::FileXfer(FileXfer {
                file_name: need(self.file_name, "FILENAME")?,
                file_size: number(name, "FILESIZE", &need(self.file_size, "FILESIZE")?)?,
                channel_id: need(self.channel_id, "CHANNELID")?,
                internal_data: match self.internal_data {
                    Some(value) => InternalData(number(name, "INTERNALDATA", value)?),
                    None => InternalData::NONE,
                },
            }),
            Name::ExpertIp => Command::ExpertIp { address: need(self.expert_ip_data, "EXPERTIPDATA")? },
            Name::SettingAnnounce => Command::SettingAnnounce {
                property: need(self.property, "PROPERTY")?,
                value: need(self.value, "VALUE")?,
            },
            Name::VoipGo => Command::VoipGo(VoipGo {
                version: self.voip_ver.map(Cow::Borrowed),
                key: Secret::new(need(self.voip_go_key, "VOIPGOKEY")?.into_owned()),
                ip_list: need(self.voip_ip_list.or(self.voip_i_list), "VOIPIPLIST")?,
            }),
            plain => Command::Plain(plain),
        })
    }

    /// Whether all attributes belong to the command.
    fn are_of(&self, name: Name) -> bool {
        let own = match name {
            Name::FileXfer => &[self.file_name, self.file_size, self.channel_id, self.internal_data][..],
            Name::VoipGo => &[self.voip_ver, self.voip_go_key, self.voip_ip_list, self.voip_i_list],
            Name::SettingAnnounce => &[self.property, self.value],
            Name::ExpertIp => &[self.expert_ip_data],
            _ => &[],
        };
        own.iter().flatten().count() == self.known
    }
}

fn number<T: std::str::FromStr>(name: Name, attribute: &'static str, text: &str) -> Result<T, CommandError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or(CommandError::Malformed { name, attribute })
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
            Some(attributes) => Ok(attributes),
            None => of_document(cursor),
        };
        let mut this = attributes.map(|attributes| Self { attributes });
        if let Err(broken) = this.as_ref().map_or(Ok(()), |this| this.rules(cursor, start)) {
            this = Err(broken);
        }
        this
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
