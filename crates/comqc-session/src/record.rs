//! Records that a table declares ([MS-OAUT] 2.2.28): user-defined types.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use ndr_oaut::{CustomObjRef, InterfacePointer, RecordInfoData};
use remassist_core::{Decode as _, DecodeOptions, Encode as _};
use uuid::Uuid;

use crate::Type;

/// Records of one table.
const MAX_RECORDS: usize = 256;
/// Fields of a record, those of the records inside counted too.
const MAX_FIELDS: usize = 1024;
/// How deep records may stand in records.
const MAX_DEPTH: usize = 8;

/// A record: a structure of fields, on the wire as its IDL says (\[C706\] 14.3.2).
///
/// The JSON form is `{"name": "Line", "fields": [{"name": "article", "type": "BSTR"}]}`; in a VARIANT and as the element of a
/// SAFEARRAY it needs `"guid": GUID` and `"library": {"guid": GUID, "major": 1, "minor": 0}` as well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct RecordType {
    /// Its name, an identifier of the IDL; upper and lower case are the same.
    pub name: String,
    /// Its GUID.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub guid: Option<Uuid>,
    /// The type library that it comes from.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub library: Option<Library>,
    /// Its fields, at least one. Fixed arrays are none of them: [MS-OAUT] 2.2.28.1 allows types of Automation.
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Field {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// Its type.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub ty: Type,
}

impl Field {
    /// A field.
    #[must_use]
    pub fn new(name: &str, ty: Type) -> Self {
        Self { name: name.into(), ty }
    }
}

/// A type library: what tells, with the GUID of a record, which record it is ([MS-OAUT] 2.2.31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Library {
    /// libraryGuid.
    pub guid: Uuid,
    /// verMajor.
    pub major: u32,
    /// verMinor.
    pub minor: u32,
    /// Lcid.
    #[cfg_attr(feature = "serde", serde(default))]
    pub lcid: u32,
}

/// Why a record cannot be declared so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {record}: {problem}")]
pub struct RecordTypeError {
    /// The record.
    pub record: String,
    /// What is wrong.
    pub problem: RecordTypeProblem,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordTypeProblem {
    /// The name of the record is no identifier.
    #[error("the name is no identifier")]
    Name,
    /// Two records have one name or GUID, or two fields one name.
    #[error("{0} stands twice")]
    Twice(String),
    /// No fields.
    #[error("a record has at least one field")]
    Empty,
    /// A record that is not declared.
    #[error("field {field}: no record {record} is declared")]
    Unknown {
        /// The field.
        field: String,
        /// What it names.
        record: String,
    },
    /// A type that is no field, or of which there are no arrays or pointers.
    #[error("field {field}: {ty} is no type of Automation")]
    Type {
        /// The field.
        field: String,
        /// Its type.
        ty: Type,
    },
    /// A record that has itself inside, or too many others.
    #[error("records are nested in each other, or deeper than {MAX_DEPTH}")]
    Depth,
    /// Too many fields.
    #[error("more than {MAX_FIELDS} fields, with those of the records inside")]
    Fields,
    /// Too many records.
    #[error("more than {MAX_RECORDS} records")]
    Records,
}

/// Which record a type names, and what the table of its interface says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRef {
    told: Told,
    known: Option<Arc<RecordType>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Name(String),
    Guid(Uuid),
}

impl RecordRef {
    /// The record of a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { told: Told::Name(name.into()), known: None }
    }

    /// What was declared, once the type stands in an [`Interface`](crate::Interface) or came from [`Records::get`].
    #[must_use]
    pub fn declared(&self) -> Option<&RecordType> {
        self.known.as_deref()
    }

    /// Whether it must be declared: a name says nothing by itself, a GUID does in a VARIANT.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.told, Told::Name(_))
    }

    /// Reads `Name` or `{GUID}`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match Uuid::try_parse(text) {
            Ok(guid) => Some(guid.into()),
            Err(_) => is_identifier(text).then(|| Self::named(text)),
        }
    }
}

impl From<Uuid> for RecordRef {
    /// The record of a GUID.
    fn from(guid: Uuid) -> Self {
        Self { told: Told::Guid(guid), known: None }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.told {
            Told::Name(name) => f.write_str(name),
            Told::Guid(guid) => write!(f, "{{{guid}}}"),
        }
    }
}

fn is_identifier(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// The records that a table declares: checked when they are made. Every record that a field names is one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<RecordType>", into = "Vec<RecordType>"))]
pub struct Records(Vec<Arc<RecordType>>);

impl Records {
    /// Records that may name each other, in any order.
    ///
    /// # Errors
    /// When two cannot be told apart, a field is of no type of Automation or names a record that is not there, or records are
    /// nested too deep.
    pub fn new(records: Vec<RecordType>) -> Result<Self, RecordTypeError> {
        let told: Vec<String> = records.iter().map(|record| record.name.clone()).collect();
        let mut made = Self::default();
        let (mut names, mut guids) = (BTreeSet::new(), BTreeSet::new());
        for (index, record) in records.iter().enumerate() {
            let error = |problem| RecordTypeError { record: record.name.clone(), problem };
            if index >= MAX_RECORDS {
                return Err(error(RecordTypeProblem::Records));
            }
            if !is_identifier(&record.name) {
                return Err(error(RecordTypeProblem::Name));
            }
            if !names.insert(record.name.to_ascii_lowercase()) {
                return Err(error(RecordTypeProblem::Twice("its name".into())));
            }
            if record.guid.is_some_and(|guid| !guids.insert(guid)) {
                return Err(error(RecordTypeProblem::Twice("its GUID".into())));
            }
            record.check().map_err(error)?;
        }
        // Each round makes those whose fields name only what is made: so no record can hold itself.
        let mut open = records;
        while !open.is_empty() {
            let before = open.len();
            let mut later = Vec::new();
            for mut record in open {
                let mut whole = true;
                for field in &mut record.fields {
                    whole &= made.declare(&mut field.ty);
                }
                if whole {
                    let error = |problem| RecordTypeError { record: record.name.clone(), problem };
                    let (depth, fields) = record.measure();
                    if depth > MAX_DEPTH {
                        return Err(error(RecordTypeProblem::Depth));
                    }
                    if fields > MAX_FIELDS {
                        return Err(error(RecordTypeProblem::Fields));
                    }
                    made.0.push(Arc::new(record));
                } else {
                    later.push(record);
                }
            }
            if later.len() == before {
                return Err(made.stuck(&later));
            }
            open = later;
        }
        let place = |record: &Arc<RecordType>| told.iter().position(|name| *name == record.name);
        made.0.sort_by_key(place);
        Ok(made)
    }

    /// Why none of these can be made: one names a record that nobody declares, or they hold each other.
    fn stuck(&self, open: &[RecordType]) -> RecordTypeError {
        for record in open {
            for Field { name, ty } in &record.fields {
                let Some(named) = ty.record().filter(|named| self.find(named).is_none()) else { continue };
                if !open.iter().any(|other| other.is(named)) {
                    let problem =
                        RecordTypeProblem::Unknown { field: name.clone(), record: named.to_string() };
                    return RecordTypeError { record: record.name.clone(), problem };
                }
            }
        }
        let record = open.first().map(|record| record.name.clone()).unwrap_or_default();
        RecordTypeError { record, problem: RecordTypeProblem::Depth }
    }

    /// The type of a record, by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Type> {
        let found = self.0.iter().find(|record| same(&record.name, name))?;
        Some(Type::Record(RecordRef { told: Told::Name(found.name.clone()), known: Some(found.clone()) }))
    }

    /// A type in which what it names is declared, where these records have it.
    #[must_use]
    pub fn resolve(&self, mut ty: Type) -> Type {
        self.declare(&mut ty);
        ty
    }

    /// The records in the order in which they were declared.
    pub fn iter(&self) -> impl Iterator<Item = &RecordType> {
        self.0.iter().map(|record| &**record)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, named: &RecordRef) -> Option<&Arc<RecordType>> {
        self.0.iter().find(|record| record.is(named))
    }

    /// The type of the records that a BRECORD tells.
    pub(crate) fn told_by(&self, info: Option<&InterfacePointer<'_>>) -> Option<Type> {
        let guid = told_guid(info?)?;
        let found = self.0.iter().find(|record| record.guid == Some(guid))?;
        self.get(&found.name)
    }

    /// Puts what is declared into a type. False when it names a record that is not declared.
    pub(crate) fn declare(&self, ty: &mut Type) -> bool {
        let Some(named) = ty.record_mut() else { return true };
        named.known = self.find(named).cloned();
        named.known.is_some()
    }
}

impl From<Records> for Vec<RecordType> {
    fn from(records: Records) -> Self {
        records.0.into_iter().map(Arc::unwrap_or_clone).collect()
    }
}

impl TryFrom<Vec<RecordType>> for Records {
    type Error = RecordTypeError;

    fn try_from(records: Vec<RecordType>) -> Result<Self, RecordTypeError> {
        Self::new(records)
    }
}

/// The GUID of the record that the pRecInfo of a BRECORD tells.
fn told_guid(info: &InterfacePointer<'_>) -> Option<Uuid> {
    let options = DecodeOptions::TOLERANT;
    let told = CustomObjRef::<RecordInfoData>::decode_with(&info.objref, &options).ok()?;
    Some(told.value.value.record)
}

impl RecordType {
    fn is(&self, named: &RecordRef) -> bool {
        match &named.told {
            Told::Name(name) => same(&self.name, name),
            Told::Guid(guid) => self.guid == Some(*guid),
        }
    }

    fn check(&self) -> Result<(), RecordTypeProblem> {
        if self.fields.is_empty() {
            return Err(RecordTypeProblem::Empty);
        }
        if self.fields.len() > MAX_FIELDS {
            return Err(RecordTypeProblem::Fields);
        }
        let mut names = BTreeSet::new();
        for Field { name, ty } in &self.fields {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(RecordTypeProblem::Twice(alloc::format!("field {name}")));
            }
            if !ty.is_whole() {
                return Err(RecordTypeProblem::Type { field: name.clone(), ty: ty.clone() });
            }
        }
        Ok(())
    }

    /// How deep records are nested in it, itself counted, and its fields with those of the records inside.
    pub(crate) fn measure(&self) -> (usize, usize) {
        self.fields.iter().fold((1, 0), |(depth, fields), field| {
            let inside = field.ty.record().and_then(RecordRef::declared).map(Self::measure);
            let (more, count) = inside.map_or((0, 1), |(depth, fields)| (depth, fields.saturating_add(1)));
            (depth.max(more.saturating_add(1)), fields.saturating_add(count))
        })
    }

    /// Its alignment in NDR: the largest of its fields.
    pub(crate) fn align(&self) -> usize {
        self.fields.iter().map(|field| field.ty.align()).max().unwrap_or(1)
    }

    /// Whether it has a field of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| same(&field.name, name))
    }

    /// pRecInfo of a BRECORD; `None` when GUID or library are not known.
    pub(crate) fn info(&self) -> Option<InterfacePointer<'static>> {
        let (record, library) = (self.guid?, self.library?);
        let Library { guid, major, minor, lcid } = library;
        let info = RecordInfoData { library: guid, major, record, minor, lcid };
        let objref = CustomObjRef::new(info).to_vec().ok()?;
        Some(InterfacePointer { objref: objref.into() })
    }

    /// Whether a BRECORD tells no other record.
    pub(crate) fn is_told(&self, info: Option<&InterfacePointer<'_>>) -> bool {
        match (info.and_then(told_guid), self.guid) {
            (Some(told), Some(guid)) => told == guid,
            _ => true,
        }
    }
}
