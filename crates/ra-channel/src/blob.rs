//! Sets of named properties: expertBlob ([MS-RA] 2.2.1.4, 2.2.1.11) and the user help blob ([MS-RAI] 3.1.4.1.1).

use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use bytes::BufMut;
use nom::bytes::complete::{tag, take};
use nom::combinator::{consumed, map_opt, verify};
use nom::multi::fold_many1;
use nom::sequence::terminated;
use nom::{IResult, Parser as _};
use remassist_core::utf16::nul_at;
use remassist_core::{
    At, Cursor, Decode, DecodeError, DecodeErrorKind as Kind, Encode, EncodeError, Format, MAX_U32, Secret,
    Utf16Le, check_len,
};

use crate::text::{ODD, owned_secret};

/// `;` and `=` in UTF-16LE.
const SEMICOLON: &[u8] = &[b';', 0];
const EQUALS: u16 = 0x3D;

/// One pair `<length>;<name>=<value>`. The length counts UTF-16 code units from the name to the end of the value.
///
/// `Debug` shows the value only when the name is NAME, ID or UNSOLICITED; in JSON any other value is
/// `{"secret": ..}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Property<'a> {
    /// The name, without an equals sign.
    pub name: Utf16Le<'a>,
    /// The value.
    pub value: Secret<Utf16Le<'a>>,
}

impl<'a> Property<'a> {
    /// A property.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Property<'static> {
        Property { name: Utf16Le::new(name), value: Secret::new(Utf16Le::new(value)) }
    }

    /// Whether the value may be shown: that of NAME, ID and UNSOLICITED, not that of PASS or an unknown name.
    #[must_use]
    pub fn is_public(&self) -> bool {
        ["NAME", "ID", "UNSOLICITED"].iter().any(|name| self.name == **name)
    }

    /// The same property, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Property<'static> {
        Property { name: self.name.into_owned(), value: owned_secret(self.value) }
    }

    /// Bytes of name, equals sign and value.
    fn pair_len(&self) -> usize {
        let value = self.value.expose().as_bytes().len();
        self.name.as_bytes().len().saturating_add(2).saturating_add(value)
    }

    /// What the length field says.
    fn length(&self) -> usize {
        self.pair_len().div_euclid(2)
    }

    fn encoded_len(&self) -> usize {
        let digits = usize::try_from(self.length().checked_ilog10().unwrap_or(0)).unwrap_or(usize::MAX);
        digits.saturating_add(2).saturating_mul(2).saturating_add(self.pair_len())
    }

    fn check(&self, at: &'static Fields) -> Result<(), EncodeError> {
        let (name, value) = (self.name.as_bytes(), self.value.expose().as_bytes());
        let reason = if !name.len().is_multiple_of(2) || !value.len().is_multiple_of(2) {
            ODD
        } else if self.name.units().any(|u| u == EQUALS || u == 0) {
            "a name has no equals sign and no NUL"
        } else if nul_at(value).is_some() {
            "a value has no NUL"
        } else {
            return check_len(self.pair_len(), MAX_U32, &at.length);
        };
        Err(EncodeError::Invalid { at: &at.value, reason })
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice(Utf16Le::new(&self.length().to_string()).as_bytes());
        dst.put_slice(SEMICOLON);
        dst.put_slice(self.name.as_bytes());
        dst.put_u16_le(EQUALS);
        dst.put_slice(self.value.expose().as_bytes());
    }
}

impl fmt::Debug for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value: &dyn fmt::Debug = if self.is_public() { self.value.expose() } else { &self.value };
        f.debug_struct("Property").field("name", &self.name).field("value", value).finish()
    }
}

#[cfg(feature = "serde")]
mod json {
    use super::{Property, Secret, Utf16Le};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    #[serde(untagged)]
    enum Written<'a> {
        Secret(&'a Secret<Utf16Le<'a>>),
        Public(&'a Utf16Le<'a>),
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        Secret(Secret<Utf16Le<'static>>),
        Public(Utf16Le<'static>),
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename = "Property")]
    struct Shape<N, V> {
        name: N,
        value: V,
    }

    impl Serialize for Property<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let value = if self.is_public() {
                Written::Public(self.value.expose())
            } else {
                Written::Secret(&self.value)
            };
            Shape { name: &self.name, value }.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Property<'_> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let shape = Shape::<Utf16Le<'static>, Read>::deserialize(deserializer)?;
            let value = match shape.value {
                Read::Secret(value) => value,
                Read::Public(value) => Secret::new(value),
            };
            Ok(Self { name: shape.name, value })
        }
    }
}

/// What distinguishes the two kinds of blob.
pub(crate) struct Fields {
    blob: At,
    length: At,
    name: At,
    value: At,
    delimiter: At,
    terminator: At,
    known: &'static [&'static str],
}

macro_rules! fields {
    ($doc:literal $section:literal $structure:literal $known:expr) => {
        Fields {
            blob: At::new($doc, $section, $structure, ""),
            length: At::new($doc, $section, $structure, "length"),
            name: At::new($doc, $section, $structure, "PropertyName"),
            value: At::new($doc, $section, $structure, "PropertyValue"),
            delimiter: At::new($doc, $section, $structure, "delimiter"),
            terminator: At::new($doc, $section, $structure, "terminator"),
            known: $known,
        }
    };
}

const EXPERT: Fields = fields!("[MS-RA]" "2.2.1.11" "expertBlob" &["NAME", "PASS"]);
const HELP: Fields = fields!("[MS-RAI]" "3.1.4.1.1" "bstrUserHelpBlob" &["UNSOLICITED", "ID"]);

/// Reads a length and its semicolon: the digits, and their value. A leading zero is no length, so that a blob has one
/// spelling only.
pub(crate) fn length(input: &[u8]) -> IResult<&[u8], (&[u8], u64)> {
    let digit = map_opt(take(2_usize), |unit: &[u8]| match unit {
        [digit @ b'0'..=b'9', 0] => char::from(*digit).to_digit(10).map(u64::from),
        _ => None,
    });
    let number = fold_many1(digit, || 0_u64, |n, digit| n.saturating_mul(10).saturating_add(digit));
    terminated(
        verify(consumed(number), |(digits, _): &(&[u8], u64)| digits.first() != Some(&b'0')),
        tag(SEMICOLON),
    )
    .parse(input)
}

fn parse<'a>(
    cursor: &mut Cursor<'_, 'a>,
    at: &'static Fields,
) -> Result<(Vec<Property<'a>>, bool), DecodeError> {
    cursor.group(&at.blob, |cursor| {
        let bytes = cursor.rest();
        let context = cursor.context();
        if bytes.len() > context.limits().string {
            let max = context.limits().string;
            return Err(cursor.error(&at.blob, Kind::LimitExceeded { limit: "string bytes", max }));
        }
        if !bytes.len().is_multiple_of(2) {
            return Err(cursor.error(&at.blob, Kind::Rule(ODD)));
        }
        let nul = nul_at(bytes);
        let mut text = cursor.sub(nul.unwrap_or(bytes.len()), &at.blob)?;
        let (mut properties, mut seen) = (Vec::new(), 0_u32);
        while !text.is_empty() {
            if properties.len() >= context.limits().items {
                let max = context.limits().items;
                return Err(text.error(&at.blob, Kind::LimitExceeded { limit: "properties", max }));
            }
            properties.push(property(&mut text, at, &mut seen)?);
        }
        if nul.is_some() {
            cursor.take(2, &at.terminator, Format::Filler)?;
        }
        cursor.finish(&at.terminator)?;
        Ok((properties, nul.is_some()))
    })
}

fn property<'a>(
    text: &mut Cursor<'_, 'a>,
    at: &'static Fields,
    seen: &mut u32,
) -> Result<Property<'a>, DecodeError> {
    let start = text.offset();
    let Ok((_, (digits, units))) = length(text.rest()) else {
        return Err(text.error(&at.length, Kind::Rule("a property begins with its length and a semicolon")));
    };
    text.take(digits.len(), &at.length, Format::Utf16Le)?;
    text.take(SEMICOLON.len(), &at.delimiter, Format::Filler)?;
    let len = usize::try_from(units.saturating_mul(2)).unwrap_or(usize::MAX);
    if len > text.remaining() {
        let max = text.remaining().div_euclid(2);
        return Err(DecodeError::new(start, &at.length, Kind::OutOfBounds { got: units, max }));
    }
    let mut pair = text.sub(len, &at.value)?;
    let Some(equals) = Utf16Le::from(pair.rest()).units().position(|unit| unit == EQUALS) else {
        return Err(
            pair.error(&at.name, Kind::Rule("there is no equals sign within the length of the property"))
        );
    };
    let name_at = pair.offset();
    let name = Utf16Le::from(pair.take(equals.saturating_mul(2), &at.name, Format::Utf16Le)?);
    let known = at.known.iter().position(|known| name == **known);
    pair.must(known.is_some(), name_at, &at.name, Kind::Rule("unknown property"))?;
    if let Some(bit) = known.and_then(|n| 1_u32.checked_shl(u32::try_from(n).ok()?)) {
        pair.must(*seen & bit == 0, name_at, &at.name, Kind::Rule("the property occurs twice"))?;
        *seen |= bit;
    }
    pair.take(2, &at.delimiter, Format::Filler)?;
    let value = Utf16Le::from(pair.take_rest(&at.value, Format::Utf16Le));
    let property = Property { name, value: Secret::new(value) };
    if !property.is_public() && !property.value.expose().as_bytes().is_empty() {
        pair.context().secret();
    }
    Ok(property)
}

macro_rules! blob {
    ($type:ident, $fields:ident) => {
        impl<'a> $type<'a> {
            /// The value of the first property of that name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<&Secret<Utf16Le<'a>>> {
                self.properties.iter().find(|p| p.name == *name).map(|p| &p.value)
            }

            /// The same blob, borrowed from nobody.
            #[must_use]
            pub fn into_owned(self) -> $type<'static> {
                let properties = self.properties.into_iter().map(Property::into_owned).collect();
                $type { properties, terminated: self.terminated }
            }
        }

        /// The blob fills the input.
        impl<'a> Decode<'a> for $type<'a> {
            const AT: &'static At = &$fields.blob;

            fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
                let (properties, terminated) = parse(cursor, &$fields)?;
                Ok(Self { properties, terminated })
            }
        }

        impl Encode for $type<'_> {
            fn encoded_len(&self) -> usize {
                let terminator = if self.terminated { 2 } else { 0 };
                self.properties.iter().fold(terminator, |sum, p| p.encoded_len().saturating_add(sum))
            }

            fn check(&self) -> Result<(), EncodeError> {
                self.properties.iter().try_for_each(|p| p.check(&$fields))
            }

            fn write(&self, dst: &mut dyn BufMut) {
                self.properties.iter().for_each(|p| p.write(dst));
                if self.terminated {
                    dst.put_u16_le(0);
                }
            }
        }
    };
}

/// What the expert tells of itself: expertBlob of [MS-RA] 2.2.1.4 and 2.2.1.11, UTF-16LE.
///
/// ```
/// use ra_channel::ExpertBlob;
/// use remassist_core::{Decode as _, Encode as _, Utf16Le};
///
/// let blob = ExpertBlob::new("John", None);
/// assert_eq!(blob.to_vec()?, Utf16Le::with_nul("9;NAME=John").as_bytes());
/// assert!(ExpertBlob::decode(Utf16Le::new("8;NAME=John").as_bytes()).is_err());
/// # Ok::<(), remassist_core::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExpertBlob<'a> {
    /// NAME and PASS, in the order of the wire; others are deviations.
    pub properties: Vec<Property<'a>>,
    /// Whether a NUL follows. [MS-RA] 2.2.1.4 demands it, 2.2.1.11 says nothing; the suite writes it.
    pub terminated: bool,
}

blob!(ExpertBlob, EXPERT);

impl<'a> ExpertBlob<'a> {
    /// NAME, and PASS when there is one: the PassStub encrypted with the password, as hexadecimal digits.
    #[must_use]
    pub fn new(name: &str, pass: Option<&str>) -> ExpertBlob<'static> {
        let mut properties = Vec::from([Property::new("NAME", name)]);
        properties.extend(pass.map(|pass| Property::new("PASS", pass)));
        ExpertBlob { properties, terminated: true }
    }

    /// The value of NAME.
    #[must_use]
    pub fn name(&self) -> Option<&Utf16Le<'a>> {
        self.get("NAME").map(Secret::expose)
    }

    /// The value of PASS: cipher text in hexadecimal digits.
    #[must_use]
    pub fn pass(&self) -> Option<&Secret<Utf16Le<'a>>> {
        self.get("PASS")
    }
}

/// bstrUserHelpBlob of IPCHService::RemoteConnectionParms ([MS-RAI] 3.1.4.1.1), the content of the BSTR in UTF-16LE.
///
/// The length of the second pair counts `ID=` too, as in the first example there; the text of that section says the
/// opposite.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HelpBlob<'a> {
    /// UNSOLICITED and ID, in the order of the wire; others are deviations.
    pub properties: Vec<Property<'a>>,
    /// Whether a NUL follows.
    pub terminated: bool,
}

blob!(HelpBlob, HELP);

impl<'a> HelpBlob<'a> {
    /// `UNSOLICITED=1` and the expert as `DOMAIN\user`.
    #[must_use]
    pub fn new(expert: &str) -> HelpBlob<'static> {
        let properties = Vec::from([Property::new("UNSOLICITED", "1"), Property::new("ID", expert)]);
        HelpBlob { properties, terminated: false }
    }

    /// The expert, as `DOMAIN\user`.
    #[must_use]
    pub fn id(&self) -> Option<&Utf16Le<'a>> {
        self.get("ID").map(Secret::expose)
    }

    /// Whether the blob says that nobody asked for the help.
    #[must_use]
    pub fn unsolicited(&self) -> bool {
        self.get("UNSOLICITED").is_some_and(|value| *value.expose() == *"1")
    }
}
