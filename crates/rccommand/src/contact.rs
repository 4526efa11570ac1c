//! The contact file that version 3 exchanges.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remassist_core::text::{TextCursor, TextFormat, TextRules};
use remassist_core::xml::{AttributeSpec, Attributes, Document, Element, ElementSpec, Schema, broken};
use remassist_core::{At, DecodeError, DecodeErrorKind as Kind, EncodeError};

use crate::{ContactTime, KeyError, RsaPublicKey, peer_name};

const COLLECTION: &str = "RAINVITATIONCOLL";
const ITEM: &str = "RAINVITATIONITEM";
/// The table of 2.2.5 names the item so; the sample and 3.14.5 do not.
const ITEM_IN_TABLE: &str = "RAINVITATION";

const fn at(structure: &'static str) -> At {
    At::new("[MS-RA]", "2.2.5", structure, "")
}
const fn attribute(name: &'static str) -> AttributeSpec {
    AttributeSpec::new("[MS-RA]", "2.2.5", ITEM, name)
}
static COLLECTION_AT: At = at(COLLECTION);
static ITEM_AT: At = at(ITEM);
static SCHEMA: Schema = Schema {
    at: at(COLLECTION),
    elements: &[
        ElementSpec { name: COLLECTION, at: at(COLLECTION), attributes: &[] },
        ElementSpec { name: ITEM, at: at(ITEM), attributes: ATTRIBUTES },
        ElementSpec { name: ITEM_IN_TABLE, at: at(ITEM), attributes: ATTRIBUTES },
    ],
};
static ATTRIBUTES: &[AttributeSpec] = &[
    attribute("NAME"),
    attribute("COMPUTERNAME"),
    attribute("AVATAR"),
    attribute("PUBLICKEY"),
    attribute("PUBLICKEYBLOB"),
    attribute("ADDRESS"),
    attribute("TYPE"),
    attribute("TIME"),
];

/// A contact file ([MS-RA] 2.2.5): `RAINVITATIONCOLL` around one `RAINVITATIONITEM`. The specification fixes no
/// encoding; written in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ContactFile<'a> {
    /// The XML, unknown attributes and elements too.
    pub document: Document<'a>,
}

/// What a contact file says about a person and a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// NAME of the contact.
    pub name: String,
    /// COMPUTERNAME.
    pub computer_name: String,
    /// AVATAR: the bytes of a picture, a BMP in the sample; may be empty.
    pub avatar: Vec<u8>,
    /// PUBLICKEY (or PUBLICKEYBLOB): the bytes of a public key BLOB, see [`RsaPublicKey`].
    pub public_key: Vec<u8>,
    /// ADDRESS: the peer name under which the contact will publish.
    pub address: String,
    /// TIME at which this was made or changed.
    pub time: Option<ContactTime>,
}

impl Contact {
    /// A contact with the ADDRESS that belongs to its key.
    ///
    /// # Errors
    /// [`KeyError::Size`].
    pub fn new(
        name: impl Into<String>,
        computer_name: impl Into<String>,
        avatar: Vec<u8>,
        key: &RsaPublicKey,
        time: ContactTime,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            name: name.into(),
            computer_name: computer_name.into(),
            avatar,
            public_key: key.to_blob()?,
            address: peer_name(key)?,
            time: Some(time),
        })
    }

    /// Whether ADDRESS is the one that belongs to the key: a contact for which it is not can never be reached, or
    /// leads to somebody else.
    #[must_use]
    pub fn address_matches_key(&self) -> bool {
        let name = RsaPublicKey::from_blob(&self.public_key).and_then(|key| peer_name(&key));
        name.is_ok_and(|name| name.eq_ignore_ascii_case(&self.address))
    }

    /// The file that says this.
    #[must_use]
    pub fn to_file(&self) -> ContactFile<'static> {
        let mut attributes = Attributes::new()
            .with("NAME", &self.name)
            .with("COMPUTERNAME", &self.computer_name)
            .with("AVATAR", &STANDARD.encode(&self.avatar))
            .with("PUBLICKEY", &STANDARD.encode(&self.public_key))
            .with("ADDRESS", &self.address)
            .with("TYPE", "1");
        if let Some(time) = self.time {
            attributes.set("TIME", &time.to_string());
        }
        let item = Element::new(ITEM).with_attributes(attributes);
        let declaration = Some(Attributes::new().with("version", "1.0"));
        ContactFile { document: Document { declaration, root: Element::new(COLLECTION).with_child(item) } }
    }
}

impl<'a> ContactFile<'a> {
    /// The item: the attributes of the one contact.
    #[must_use]
    pub fn item(&self) -> Option<&Element<'a>> {
        let root = &self.document.root;
        root.child(ITEM).or_else(|| root.child(ITEM_IN_TABLE))
    }

    /// The contact; attributes that are missing or cannot be read are empty.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        let attributes = &self.item()?.attributes;
        let text = |name: &str| attributes.get(name).unwrap_or_default().to_owned();
        let bytes = |name: &str| attributes.get(name).and_then(decode_base64).unwrap_or_default();
        let key = if attributes.get("PUBLICKEY").is_some() { "PUBLICKEY" } else { "PUBLICKEYBLOB" };
        Some(Contact {
            name: text("NAME"),
            computer_name: text("COMPUTERNAME"),
            avatar: bytes("AVATAR"),
            public_key: bytes(key),
            address: text("ADDRESS"),
            time: text("TIME").parse().ok(),
        })
    }

    /// The same file, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ContactFile<'static> {
        ContactFile { document: self.document.into_owned() }
    }
}

/// Base64 with blanks anywhere: the sample breaks its lines.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

impl<'a> TextFormat<'a> for ContactFile<'a> {
    const AT: &'static At = &COLLECTION_AT;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        let start = cursor.position();
        let this = Self { document: Document::parse(cursor, &SCHEMA)? };
        if this.document.root.name != COLLECTION {
            return Err(cursor.error(
                start,
                &COLLECTION_AT,
                Kind::Rule("the element is not RAINVITATIONCOLL"),
            ));
        }
        let Some(item) = this.item() else {
            return Err(cursor.error(start, &ITEM_AT, Kind::Rule("the element is missing")));
        };
        let must = |ok, name, rule| {
            if ok {
                return Ok(());
            }
            let spec = ATTRIBUTES.iter().find(|a| a.name == name);
            broken(cursor, start, &item.name, 0, spec.map_or(&ITEM_AT, |a| &a.at), rule)
        };
        let only = this.document.root.children.len() == 1;
        must(only, "", "RAINVITATIONCOLL does not have exactly one child")?;
        let get = |name| item.attributes.get(name);
        for name in ["NAME", "COMPUTERNAME", "AVATAR", "ADDRESS", "TYPE", "TIME"] {
            must(get(name).is_some(), name, "the attribute is missing")?;
        }
        let key = get("PUBLICKEY").or_else(|| get("PUBLICKEYBLOB"));
        must(key.is_some(), "PUBLICKEY", "the attribute is missing")?;
        let base64 = |text: Option<&str>| text.is_none_or(|t| decode_base64(t).is_some());
        must(base64(get("AVATAR")), "AVATAR", "the value is not base64")?;
        must(base64(key), "PUBLICKEY", "the value is not base64")?;
        must(get("TYPE").is_none_or(|t| t == "1"), "TYPE", "the value is not 1")?;
        let time = get("TIME").is_none_or(|t| t.parse::<ContactTime>().is_ok());
        must(time, "TIME", "the value is not a time of the form YYYYMMDDhhmmss.ffffff")?;
        Ok(this)
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        if self.item().is_none() || self.document.root.name != COLLECTION {
            let reason = "not RAINVITATIONCOLL around RAINVITATIONITEM";
            return Err(EncodeError::Invalid { at: &COLLECTION_AT, reason });
        }
        self.document.check(&COLLECTION_AT)
    }

    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.document.write(out)
    }
}
