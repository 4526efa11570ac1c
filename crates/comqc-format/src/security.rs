//! Security data: what a message claims about its callers.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U16, Utf16Le,
    check_len, len_u16, utf16,
};

use crate::rules::{self, encode_error};
use crate::sid::Sid;
use crate::sink::{Batch, Sink};
use crate::{
    AuthenticationLevel, AuthenticationService, CollectionType, ImpersonationLevel, PropertyType, Style,
};

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-COM]", section, structure, field)
}
const DATA: At = at("2.2.3.2.4", "SecurityORPCExtension", "");
const MAX_VERSION: At = at("2.2.3.2.4", "SecurityORPCExtension", "MaxVersion");
const MIN_VERSION: At = at("2.2.3.2.4", "SecurityORPCExtension", "MinVersion");
const STYLE: At = at("2.2.3.2.4", "SecurityORPCExtension", "Style");
const COLLECTIONS: At = at("2.2.3.2.4", "SecurityORPCExtension", "cCollections");
const COLLECTION: At = at("2.2.3.2.3", "SecurityPropertyCollection", "");
const COLLECTION_TYPE: At = at("2.2.3.2.2", "SecurityPropertyCollection", "collectionType");
const PROPERTIES: At = at("2.2.3.2.2", "SecurityPropertyCollection", "cProperties");
const PROPERTY: At = at("2.2.3.2.1", "SecurityProperty", "");
const PROPERTY_TYPE: At = at("2.2.3.2.1", "SecurityProperty", "PropertyType");
const PROPERTY_SIZE: At = at("2.2.3.2.1.1", "SecurityProperty", "Size");
const PROPERTY_DATA: At = at("2.2.3.2.1.1", "SecurityProperty", "Data");

/// The Security ORPC Extension as a security header carries it ([MS-COM] 2.2.3.2.4), little-endian, 8 bytes and the
/// collections: MaxVersion u16 and MinVersion u16 (both 1), Style u16, cCollections u16, collections.
///
/// **Only claims.** A queued component message is neither signed nor encrypted ([MC-COMQC] 5.1): whoever can put a
/// message into the queue can write any SID and any authentication level here. Show them, log them, compare them with
/// the identity that the transport proves; never decide on them alone. Collections after the second describe earlier
/// callers, but the order of callers differs between two sections of [MS-COM], so nothing may depend on it.
///
/// Decoding keeps to the rules `SEC-*` of [`rule_of`](crate::rule_of) under both policies, because half-understood
/// security data are worse than none; only a Size that is not rounded or padding that is not zero (`SEC-PROPPAD`) is
/// a deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SecurityData<'a> {
    /// Whether the called side appends itself to the chain of callers.
    pub style: Style,
    /// First the properties of the chain, then those of each caller; may be empty.
    pub collections: Vec<Collection<'a>>,
}

/// Properties of the chain or of one caller ([MS-COM] 2.2.3.2.3): collectionType u16, cProperties u16 (not 0),
/// properties.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Collection<'a> {
    /// [`CollectionType::CHAIN`] for the first collection, [`CollectionType::CALLER`] for the others.
    pub collection_type: CollectionType,
    /// At least one.
    pub properties: Vec<Property<'a>>,
}

/// One security property ([MS-COM] 2.2.3.2.1): PropertyType u16, Size u16, Data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Property<'a> {
    /// What the property says.
    pub property_type: PropertyType,
    /// The field Size, in bytes; rounded up to a multiple of 4 it is the length of `data`.
    pub size: u16,
    /// The value with its padding; see [`value`](Self::value).
    pub data: Blob<'a>,
}

/// The value of a property by its type; every one a claim of the sender.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyValue<'a> {
    /// SID of a caller.
    Sid(Sid<'a>),
    /// Account name of a caller, without its terminator.
    AccountName(Utf16Le<'a>),
    /// Security provider of the call.
    AuthenticationService(AuthenticationService),
    /// Protection of the call, or the lowest one of the chain.
    AuthenticationLevel(AuthenticationLevel),
    /// What the called side may do.
    ImpersonationLevel(ImpersonationLevel),
    /// Data that do not fit the type; never in decoded data.
    Unknown {
        /// The data with their padding.
        data: &'a [u8],
    },
}

impl<'a> SecurityData<'a> {
    /// The smallest data, 8 bytes: no collections, and none to be appended.
    pub const EMPTY: Self = Self { style: Style::DO_NOT_APPEND, collections: Vec::new() };

    /// The data of a call without callers before it: the level of the call as that of the chain, and the caller's
    /// properties ([MS-COM] 3.14.4).
    #[must_use]
    pub fn new(level: AuthenticationLevel, caller: Vec<Property<'a>>) -> Self {
        let chain = Vec::from([Property::minimum_level(level)]);
        Self {
            style: Style::APPEND,
            collections: Vec::from([
                Collection { collection_type: CollectionType::CHAIN, properties: chain },
                Collection { collection_type: CollectionType::CALLER, properties: caller },
            ]),
        }
    }

    /// The lowest authentication level of the chain, as claimed.
    #[must_use]
    pub fn minimum_level(&self) -> Option<AuthenticationLevel> {
        self.collections.iter().find_map(|c| c.level(PropertyType::MINIMUM_LEVEL))
    }

    /// The callers, as claimed, in the order of the message.
    pub fn callers(&self) -> impl Iterator<Item = &Collection<'a>> {
        self.collections.iter().filter(|c| c.collection_type == CollectionType::CALLER)
    }

    /// The same data, borrowed from this value.
    pub(crate) fn borrowed(&self) -> SecurityData<'_> {
        fn borrow<'p>(p: &'p Property<'_>) -> Property<'p> {
            Property { data: Blob::from(&*p.data), ..*p }
        }
        let collections = self.collections.iter().map(|c| Collection {
            collection_type: c.collection_type,
            properties: c.properties.iter().map(borrow).collect(),
        });
        SecurityData { style: self.style, collections: collections.collect() }
    }

    /// The same data, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SecurityData<'static> {
        let collections = self.collections.into_iter().map(Collection::into_owned).collect();
        SecurityData { style: self.style, collections }
    }
}

impl Collection<'_> {
    /// The first property of a type.
    #[must_use]
    pub fn get(&self, property_type: PropertyType) -> Option<PropertyValue<'_>> {
        self.properties.iter().find(|p| p.property_type == property_type).map(Property::value)
    }

    /// The claimed SID: the one said to be authenticated, else the one an application gave.
    #[must_use]
    pub fn sid(&self) -> Option<Sid<'_>> {
        let value =
            self.get(PropertyType::AUTHENTICATED_SID).or_else(|| self.get(PropertyType::APPLICATION_SID));
        if let Some(PropertyValue::Sid(sid)) = value { Some(sid) } else { None }
    }

    /// The claimed account name: the one said to be authenticated, else the one an application gave.
    #[must_use]
    pub fn account_name(&self) -> Option<Utf16Le<'_>> {
        let value =
            self.get(PropertyType::AUTHENTICATED_NAME).or_else(|| self.get(PropertyType::APPLICATION_NAME));
        if let Some(PropertyValue::AccountName(name)) = value { Some(name) } else { None }
    }

    /// The claimed security provider.
    #[must_use]
    pub fn authentication_service(&self) -> Option<AuthenticationService> {
        match self.get(PropertyType::AUTHENTICATION_SERVICE) {
            Some(PropertyValue::AuthenticationService(service)) => Some(service),
            _ => None,
        }
    }

    /// The claimed protection of the call.
    #[must_use]
    pub fn authentication_level(&self) -> Option<AuthenticationLevel> {
        self.level(PropertyType::AUTHENTICATION_LEVEL)
    }

    /// What the caller allows to do in its name, as claimed.
    #[must_use]
    pub fn impersonation_level(&self) -> Option<ImpersonationLevel> {
        match self.get(PropertyType::IMPERSONATION_LEVEL) {
            Some(PropertyValue::ImpersonationLevel(level)) => Some(level),
            _ => None,
        }
    }

    fn level(&self, property_type: PropertyType) -> Option<AuthenticationLevel> {
        match self.get(property_type) {
            Some(PropertyValue::AuthenticationLevel(level)) => Some(level),
            _ => None,
        }
    }

    /// The same collection, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Collection<'static> {
        Collection {
            collection_type: self.collection_type,
            properties: self.properties.into_iter().map(Property::into_owned).collect(),
        }
    }
}

impl Property<'static> {
    /// A SID that an application supplies ([`PropertyType::APPLICATION_SID`]). To claim an authenticated one, set
    /// `property_type` afterwards.
    #[must_use]
    pub fn sid(sid: &Sid<'_>) -> Self {
        Self::padded(PropertyType::APPLICATION_SID, sid.as_bytes().to_vec())
    }

    /// An account name that an application supplies ([`PropertyType::APPLICATION_NAME`]), terminated and padded. To
    /// claim an authenticated one, set `property_type` afterwards.
    #[must_use]
    pub fn account_name(name: &str) -> Self {
        let mut data = utf16::encode(name);
        data.extend([0, 0]);
        Self::padded(PropertyType::APPLICATION_NAME, data)
    }

    /// The security provider of the call.
    #[must_use]
    pub fn authentication_service(service: AuthenticationService) -> Self {
        Self::padded(PropertyType::AUTHENTICATION_SERVICE, service.0.to_le_bytes().to_vec())
    }

    /// The protection of the call.
    #[must_use]
    pub fn authentication_level(level: AuthenticationLevel) -> Self {
        Self::padded(PropertyType::AUTHENTICATION_LEVEL, level.0.to_le_bytes().to_vec())
    }

    /// What the called side may do.
    #[must_use]
    pub fn impersonation_level(level: ImpersonationLevel) -> Self {
        Self::padded(PropertyType::IMPERSONATION_LEVEL, level.0.to_le_bytes().to_vec())
    }

    /// The lowest protection in the chain of calls.
    #[must_use]
    pub fn minimum_level(level: AuthenticationLevel) -> Self {
        Self::padded(PropertyType::MINIMUM_LEVEL, level.0.to_le_bytes().to_vec())
    }

    fn padded(property_type: PropertyType, mut data: Vec<u8>) -> Self {
        data.resize(data.len().next_multiple_of(4), 0);
        Self { property_type, size: len_u16(data.len()), data: data.into() }
    }
}

impl Property<'_> {
    /// The same property, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Property<'static> {
        Property { data: self.data.into_owned(), ..self }
    }

    /// The value, read by the type of the property.
    #[must_use]
    pub fn value(&self) -> PropertyValue<'_> {
        let data: &[u8] = &self.data;
        let number = data.try_into().map(u32::from_le_bytes).ok();
        let value = match self.property_type {
            PropertyType::AUTHENTICATED_SID | PropertyType::APPLICATION_SID => {
                Sid::new(data).map(PropertyValue::Sid)
            }
            PropertyType::AUTHENTICATED_NAME | PropertyType::APPLICATION_NAME => utf16::nul_at(data)
                .and_then(|len| data.get(..len))
                .map(|name| PropertyValue::AccountName(name.into())),
            PropertyType::AUTHENTICATION_SERVICE => {
                number.map(|n| PropertyValue::AuthenticationService(AuthenticationService(n)))
            }
            PropertyType::AUTHENTICATION_LEVEL | PropertyType::MINIMUM_LEVEL => {
                number.map(|n| PropertyValue::AuthenticationLevel(AuthenticationLevel(n)))
            }
            PropertyType::IMPERSONATION_LEVEL => {
                number.map(|n| PropertyValue::ImpersonationLevel(ImpersonationLevel(n)))
            }
            _ => None,
        };
        value.unwrap_or(PropertyValue::Unknown { data })
    }

    /// The rule that the property breaks in a collection of this type, and the field.
    fn broken(&self, collection: CollectionType) -> Option<(&'static At, DecodeErrorKind)> {
        let Property { property_type, size, data } = self;
        if property_type.name().is_none() {
            return Some((&PROPERTY_TYPE, rules::SEC_PROPTYPE));
        }
        if (*property_type == PropertyType::MINIMUM_LEVEL) != (collection == CollectionType::CHAIN) {
            return Some((&PROPERTY_TYPE, rules::SEC_PROPCOLL));
        }
        match *property_type {
            PropertyType::AUTHENTICATED_SID | PropertyType::APPLICATION_SID => {
                Sid::new(&**data).is_none().then_some((&PROPERTY_DATA, rules::SEC_SID))
            }
            PropertyType::AUTHENTICATED_NAME | PropertyType::APPLICATION_NAME => self
                .name_padding()
                .is_none_or(|padding| padding.len() >= 4)
                .then_some((&PROPERTY_DATA, rules::SEC_NAME)),
            _ => (*size != 4).then_some((&PROPERTY_SIZE, rules::SEC_DWORD)),
        }
    }

    /// What follows the terminator of a name.
    fn name_padding(&self) -> Option<&[u8]> {
        self.data.get(utf16::nul_at(&self.data)?.saturating_add(2)..)
    }

    /// Whether Size is rounded and the padding is zero (reading A21).
    fn is_padded(&self) -> bool {
        let is_name =
            matches!(self.property_type, PropertyType::AUTHENTICATED_NAME | PropertyType::APPLICATION_NAME);
        let zero = |padding: &[u8]| padding.iter().all(|b| *b == 0);
        self.size.is_multiple_of(4) && (!is_name || self.name_padding().is_none_or(zero))
    }
}

/// What reading security data meets, in this order; a property belongs to the last collection.
pub(crate) enum Item<'a> {
    Style(Style),
    Collection(CollectionType),
    Property(Property<'a>),
}

/// Reads and checks security data that fill the cursor, without building anything.
pub(crate) fn walk<'a>(
    cursor: &mut Cursor<'_, 'a>,
    each: &mut dyn FnMut(Item<'a>),
) -> Result<(), DecodeError> {
    need(cursor, 8, &DATA)?;
    for field in [&MAX_VERSION, &MIN_VERSION] {
        let offset = cursor.offset();
        if cursor.u16(field)? != 1 {
            return Err(DecodeError::new(offset, field, rules::SEC_VERSION));
        }
    }
    let offset = cursor.offset();
    let style = Style(cursor.u16(&STYLE)?);
    cursor.context().note(style.name());
    if style.name().is_none() {
        return Err(DecodeError::new(offset, &STYLE, rules::SEC_STYLE));
    }
    each(Item::Style(style));
    let count = cursor.u16(&COLLECTIONS)?;
    let mut expected = CollectionType::CHAIN;
    for _ in 0..count {
        cursor.group(&COLLECTION, |cursor| walk_collection(cursor, expected, each))?;
        expected = CollectionType::CALLER;
    }
    if cursor.is_empty() { Ok(()) } else { Err(cursor.error(&DATA, rules::SEC_TRAILING)) }
}

fn walk_collection<'a>(
    cursor: &mut Cursor<'_, 'a>,
    expected: CollectionType,
    each: &mut dyn FnMut(Item<'a>),
) -> Result<(), DecodeError> {
    need(cursor, 4, &COLLECTION)?;
    let offset = cursor.offset();
    let collection = CollectionType(cursor.u16(&COLLECTION_TYPE)?);
    cursor.context().note(collection.name());
    if collection != expected {
        return Err(DecodeError::new(offset, &COLLECTION_TYPE, rules::SEC_COLLTYPE));
    }
    let offset = cursor.offset();
    let count = cursor.u16(&PROPERTIES)?;
    if count == 0 {
        return Err(DecodeError::new(offset, &PROPERTIES, rules::SEC_EMPTYCOLL));
    }
    each(Item::Collection(collection));
    for _ in 0..count {
        let property = cursor.group(&PROPERTY, |cursor| walk_property(cursor, collection))?;
        each(Item::Property(property));
    }
    Ok(())
}

fn walk_property<'a>(
    cursor: &mut Cursor<'_, 'a>,
    collection: CollectionType,
) -> Result<Property<'a>, DecodeError> {
    need(cursor, 4, &PROPERTY)?;
    let offset = cursor.offset();
    let property_type = PropertyType(cursor.u16(&PROPERTY_TYPE)?);
    cursor.context().note(property_type.name());
    let size = cursor.u16(&PROPERTY_SIZE)?;
    let len = usize::from(size).next_multiple_of(4);
    need(cursor, len, &PROPERTY_DATA)?;
    let (format, is_name) = match property_type {
        PropertyType::AUTHENTICATED_SID | PropertyType::APPLICATION_SID => (Format::Bytes, false),
        PropertyType::AUTHENTICATED_NAME | PropertyType::APPLICATION_NAME => (Format::Utf16Le, true),
        _ => (Format::Uint, false),
    };
    let format = if format == Format::Uint && len != 4 { Format::Bytes } else { format };
    let data = cursor.take(len, &PROPERTY_DATA, format)?;
    let property = Property { property_type, size, data: data.into() };
    if cursor.context().tracing() && !is_name {
        cursor.context().note(match property.value() {
            PropertyValue::AuthenticationService(service) => service.name(),
            PropertyValue::AuthenticationLevel(level) => level.name(),
            PropertyValue::ImpersonationLevel(level) => level.name(),
            _ => None,
        });
    }
    if let Some((at, rule)) = property.broken(collection) {
        return Err(DecodeError::new(offset, at, rule));
    }
    cursor.must(property.is_padded(), offset, &PROPERTY_SIZE, rules::SEC_PROPPAD)?;
    Ok(property)
}

/// A count or a size promises more bytes than there are.
fn need(cursor: &Cursor<'_, '_>, len: usize, at: &'static At) -> Result<(), DecodeError> {
    if cursor.remaining() < len { Err(cursor.error(at, rules::SEC_TRUNC)) } else { Ok(()) }
}

/// Builds security data from what [`walk`] meets.
impl<'a> SecurityData<'a> {
    pub(crate) fn push(&mut self, item: Item<'a>) {
        match item {
            Item::Style(style) => self.style = style,
            Item::Collection(collection_type) => {
                self.collections.push(Collection { collection_type, properties: Vec::new() });
            }
            Item::Property(property) => {
                if let Some(collection) = self.collections.last_mut() {
                    collection.properties.push(property);
                }
            }
        }
    }

    pub(crate) fn put<B: Sink>(&self, dst: &mut B) {
        let head = [1, 1, self.style.0, len_u16(self.collections.len())].map(u16::to_le_bytes);
        dst.put(head.as_flattened());
        for Collection { collection_type, properties } in &self.collections {
            let head = [collection_type.0, len_u16(properties.len())].map(u16::to_le_bytes);
            dst.put(head.as_flattened());
            for Property { property_type, size, data } in properties {
                dst.put([property_type.0, *size].map(u16::to_le_bytes).as_flattened());
                dst.put(data);
            }
        }
    }
}

impl<'a> Decode<'a> for SecurityData<'a> {
    const AT: &'static At = &DATA;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let mut data = Self::EMPTY;
        walk(cursor, &mut |item| data.push(item))?;
        Ok(data)
    }
}

impl Encode for SecurityData<'_> {
    fn encoded_len(&self) -> usize {
        let properties = self.collections.iter().flat_map(|c| &c.properties);
        properties
            .map(|p| p.data.len().saturating_add(4))
            .fold(self.collections.len().saturating_mul(4), usize::saturating_add)
            .saturating_add(8)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.style.name().is_none() {
            return Err(encode_error(&STYLE, rules::SEC_STYLE));
        }
        check_len(self.collections.len(), MAX_U16, &COLLECTIONS)?;
        let mut expected = CollectionType::CHAIN;
        for Collection { collection_type, properties } in &self.collections {
            if *collection_type != expected {
                return Err(encode_error(&COLLECTION_TYPE, rules::SEC_COLLTYPE));
            }
            if properties.is_empty() {
                return Err(encode_error(&PROPERTIES, rules::SEC_EMPTYCOLL));
            }
            check_len(properties.len(), MAX_U16, &PROPERTIES)?;
            for property in properties {
                if property.data.len() != usize::from(property.size).next_multiple_of(4) {
                    return Err(EncodeError::Invalid {
                        at: &PROPERTY_SIZE,
                        reason: "is not the length of the data",
                    });
                }
                if let Some((at, rule)) = property.broken(*collection_type) {
                    return Err(encode_error(at, rule));
                }
            }
            expected = CollectionType::CALLER;
        }
        Ok(())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        Batch::of(dst, |batch| self.put(batch));
    }
}
