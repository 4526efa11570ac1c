//! Parameters in NDR: what stands in place, and behind it what its pointers point to (\[C706\] 14.3.12).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use ndr_oaut::{
    Bstr, ByteOrder, Elements, InterfacePointer, Ndr, PSafeArray, Reader, Record, Residue, SafeArray, Scalar,
    Variant, Writer,
};
use remassist_core::{
    At, DecodeError, DecodeErrorKind, DecodeOptions, EncodeError, Limits, decode_using, len_u32, usize_from,
};

use crate::{RecordType, Type};

const fn at(field: &'static str) -> At {
    At::new("[MC-COMQC]", "2.2.6.1.1", "parameters", field)
}
static PARAMETER: At = at("");
static VARIANT: At = at("VARIANT");
static ARRAY: At = at("SAFEARRAY");
static RECORDS: At = At::new("[MS-OAUT]", "2.2.28.2.1", "_wireBRECORD", "pRecord");

/// Bytes of the size in front of records.
const PREFIX: usize = 4;
/// Fields of all records of an array that are read: each takes much more room than on the wire.
const MAX_FIELDS: usize = 1 << 19;

/// A value whose records are read.
#[derive(Debug, Clone)]
pub(crate) enum Tree<'v> {
    /// Neither a record nor a pointer. Behind a pointer with or without `VT_BYREF`.
    Leaf(Cow<'v, Variant<'v>>),
    /// The fields of a record.
    Record(Vec<Tree<'v>>),
    /// What a unique pointer points to.
    Pointer(Option<Box<Tree<'v>>>),
}

/// What stands in place.
enum Head<'a> {
    Whole(Variant<'a>),
    /// A pointer, and where it stands.
    Points(bool, usize),
    Fields(Vec<Head<'a>>),
}

impl Type {
    /// Reads a parameter in NDR, with all that its pointers point to.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn read<'a>(&self, r: &mut Reader<'_, 'a>) -> Result<Variant<'a>, DecodeError> {
        let start = r.offset();
        let tree = self.tree(r)?;
        let unwritten = |_| rule(start, &PARAMETER, "a record that cannot be written again");
        tree.into_value(self).map_err(unwritten)
    }

    /// Writes a parameter in NDR, with all that its pointers point to. A value that this type does not
    /// [hold](Self::holds) fails.
    pub fn write(&self, value: &Variant<'_>, w: &mut Writer<'_>) {
        match self.tree_of(value) {
            Some(tree) => {
                self.put_head(&tree, w);
                self.put_tail(&tree, w);
            }
            None => w.need(false, &PARAMETER, "not a value of this type"),
        }
    }

    /// What the table says of the record that it is, or has inside.
    pub(crate) fn declared(&self) -> Option<&RecordType> {
        self.record()?.declared()
    }

    fn tree<'a>(&self, r: &mut Reader<'_, 'a>) -> Result<Tree<'a>, DecodeError> {
        let head = self.head(r)?;
        self.tail(head, r)
    }

    fn head<'a>(&self, r: &mut Reader<'_, 'a>) -> Result<Head<'a>, DecodeError> {
        let start = r.offset();
        Ok(match self {
            Self::Scalar(scalar) => match Scalar::read(scalar.vt(), r, &PARAMETER)? {
                Some(scalar) => Head::Whole(Variant::Scalar(scalar)),
                None => return Err(rule(start, &PARAMETER, "no type of Automation")),
            },
            Self::Enum => Head::Whole(Variant::Scalar(Scalar::I4(r.value(&PARAMETER)?))),
            Self::Enum16 => Head::Whole(Variant::Scalar(Scalar::I4(r.value::<u16>(&PARAMETER)?.into()))),
            Self::Variant => match r.referent(&VARIANT)? {
                true => Head::Points(true, start),
                false => return Err(rule(start, &VARIANT, "a VARIANT is a null pointer")),
            },
            Self::Record(record) => match record.declared() {
                Some(record) => Head::Fields(record.head(r)?),
                None => return Err(rule(start, &PARAMETER, "the fields of a record are not known")),
            },
            Self::SafeArray(_) | Self::PSafeArray(_) => Head::Points(r.referent(&ARRAY)?, start),
            _ => Head::Points(r.referent(&PARAMETER)?, start),
        })
    }

    fn tail<'a>(&self, head: Head<'a>, r: &mut Reader<'_, 'a>) -> Result<Tree<'a>, DecodeError> {
        let (points, start) = match head {
            Head::Whole(value) => return Ok(Tree::Leaf(Cow::Owned(value))),
            Head::Fields(heads) => {
                return match self.declared() {
                    Some(record) => record.tail(heads, r),
                    None => Ok(Tree::Record(Vec::new())),
                };
            }
            Head::Points(points, start) => (points, start),
        };
        let value = match self {
            Self::Unique(ty) => {
                let tree = points.then(|| ty.tree(r)).transpose()?;
                return Ok(Tree::Pointer(tree.map(Box::new)));
            }
            Self::Variant => r.value::<Variant<'a>>(&VARIANT)?,
            Self::Bstr => Variant::Bstr(Option::<Bstr<'a>>::tail(points, r, &PARAMETER)?),
            Self::Dispatch => Variant::Dispatch(Option::<InterfacePointer<'a>>::tail(points, r, &PARAMETER)?),
            Self::SafeArray(element) | Self::PSafeArray(element) => {
                let array = match self {
                    Self::PSafeArray(_) => Option::<PSafeArray<'a>>::tail(points, r, &ARRAY)?,
                    _ => Some(PSafeArray::tail(points, r, &ARRAY)?),
                };
                let value = Variant::Array { vt: element.vt(), array };
                if !self.holds(&value) {
                    return Err(rule(start, &ARRAY, "an array of another type"));
                }
                if self.untold(&value, false).is_some() {
                    return Err(rule(start, &ARRAY, "an array does not tell which records it has"));
                }
                value
            }
            _ => Variant::Unknown(Option::<InterfacePointer<'a>>::tail(points, r, &PARAMETER)?),
        };
        Ok(Tree::Leaf(Cow::Owned(value)))
    }

    /// A value of this type with its records read; `None` when it is none.
    pub(crate) fn tree_of<'v>(&self, value: &'v Variant<'v>) -> Option<Tree<'v>> {
        if !self.holds(value) {
            return None;
        }
        let inside = match (self, value) {
            (Self::Unique(_), Variant::Null) => return Some(Tree::Pointer(None)),
            (Self::Unique(ty), value) => Some((&**ty, value)),
            _ => None,
        };
        let (ty, value) = match inside {
            // A VARIANT behind a pointer is one more VARIANT.
            Some((Self::Variant, Variant::VariantRef(Some(value)))) => (&Self::Variant, &**value),
            Some(inside) => inside,
            None => (self, value),
        };
        let tree = match (ty, value) {
            (Self::Record(record), Variant::Record(Some(value)) | Variant::RecordRef(Some(value))) => {
                let record = record.declared()?;
                record.is_told(value.info.as_ref()).then_some(())?;
                record.trees(value, 1).ok()?.pop()?
            }
            (Self::Record(_), _) => return None,
            _ => Tree::Leaf(Cow::Borrowed(value)),
        };
        Some(if inside.is_some() { Tree::Pointer(Some(Box::new(tree))) } else { tree })
    }

    fn put_head(&self, tree: &Tree<'_>, w: &mut Writer<'_>) {
        match (self, tree) {
            (Self::Unique(_), Tree::Pointer(tree)) => w.referent(tree.is_some()),
            (_, Tree::Record(trees)) => {
                self.declared().into_iter().for_each(|record| record.put_head(trees, w))
            }
            (_, Tree::Leaf(value)) => self.put_leaf_head(value, w),
            _ => w.need(false, &PARAMETER, "not a value of this type"),
        }
    }

    fn put_tail(&self, tree: &Tree<'_>, w: &mut Writer<'_>) {
        match (self, tree) {
            (Self::Unique(ty), Tree::Pointer(Some(tree))) => {
                ty.put_head(tree, w);
                ty.put_tail(tree, w);
            }
            (_, Tree::Record(trees)) => {
                self.declared().into_iter().for_each(|record| record.put_tail(trees, w))
            }
            (_, Tree::Leaf(value)) => self.put_leaf_tail(value, w),
            _ => {}
        }
    }

    fn put_leaf_head(&self, value: &Variant<'_>, w: &mut Writer<'_>) {
        match (self, value) {
            (Self::Variant, _) => w.referent(true),
            (Self::Enum16, Variant::Scalar(Scalar::I4(number)) | Variant::ScalarRef(Scalar::I4(number))) => {
                w.value(&u16::try_from(*number).unwrap_or_default(), &PARAMETER);
            }
            (_, Variant::Scalar(scalar) | Variant::ScalarRef(scalar)) => scalar.write(w, &PARAMETER),
            (_, Variant::Bstr(text) | Variant::BstrRef(text)) => w.referent(text.is_some()),
            (
                _,
                Variant::Unknown(pointer)
                | Variant::Dispatch(pointer)
                | Variant::UnknownRef(pointer)
                | Variant::DispatchRef(pointer),
            ) => w.referent(pointer.is_some()),
            (Self::PSafeArray(_), Variant::Array { array, .. } | Variant::ArrayRef { array, .. }) => {
                w.referent(array.is_some());
            }
            (_, Variant::Array { array, .. } | Variant::ArrayRef { array, .. }) => {
                w.referent(array.as_ref().is_some_and(|array| array.safearray.is_some()));
            }
            _ => w.need(false, &PARAMETER, "not a value of this type"),
        }
    }

    fn put_leaf_tail(&self, value: &Variant<'_>, w: &mut Writer<'_>) {
        match (self, value) {
            (Self::Variant, value) => w.value(value, &VARIANT),
            (_, Variant::Bstr(text) | Variant::BstrRef(text)) => text.put_tail(w, &PARAMETER),
            (
                _,
                Variant::Unknown(pointer)
                | Variant::Dispatch(pointer)
                | Variant::UnknownRef(pointer)
                | Variant::DispatchRef(pointer),
            ) => pointer.put_tail(w, &PARAMETER),
            (Self::PSafeArray(_), Variant::Array { array, .. } | Variant::ArrayRef { array, .. }) => {
                array.put_tail(w, &ARRAY);
            }
            (_, Variant::Array { array: Some(array), .. } | Variant::ArrayRef { array: Some(array), .. }) => {
                array.put_tail(w, &ARRAY);
            }
            _ => {}
        }
    }

    /// Visits what is neither a record nor a pointer, inside records and arrays of records, too.
    pub(crate) fn each_leaf<E>(
        &self,
        value: &Variant<'_>,
        visit: &mut dyn FnMut(&Variant<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(record) = self.declared() else { return visit(value) };
        let trees = match value {
            Variant::Record(Some(value)) | Variant::RecordRef(Some(value)) => record.trees(value, 1).ok(),
            Variant::Array { array: Some(array), .. } | Variant::ArrayRef { array: Some(array), .. } => {
                array.safearray.as_deref().and_then(|array| record.elements(array))
            }
            _ => None,
        };
        trees.iter().flatten().try_for_each(|tree| tree.each_leaf(record, visit))
    }
}

impl<'v> Tree<'v> {
    fn fields(&self) -> Option<&[Self]> {
        if let Self::Record(fields) = self { Some(fields) } else { None }
    }

    /// The value, with records as their bytes.
    fn into_value(self, ty: &Type) -> Result<Variant<'v>, EncodeError> {
        Ok(match (ty, self) {
            (Type::Unique(_), Self::Pointer(None)) => Variant::Null,
            (Type::Unique(ty), Self::Pointer(Some(tree))) => ty.pointed(tree.into_value(ty)?),
            (Type::Record(record), tree @ Self::Record(_)) => match record.declared() {
                Some(record) => Variant::Record(Some(Box::new(record.record(&[tree])?))),
                None => Variant::Record(None),
            },
            (_, Self::Leaf(value)) => value.into_owned(),
            _ => Variant::Null,
        })
    }

    fn each_leaf<E>(
        &self,
        record: &RecordType,
        visit: &mut dyn FnMut(&Variant<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self::Record(trees) = self else { return Ok(()) };
        for (field, tree) in record.fields.iter().zip(trees) {
            let tree = match tree {
                Self::Pointer(Some(tree)) => &**tree,
                tree => tree,
            };
            match (tree, field.ty.declared()) {
                (Self::Leaf(value), _) => field.ty.each_leaf(value, visit)?,
                (tree @ Self::Record(_), Some(record)) => tree.each_leaf(record, visit)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl RecordType {
    fn head<'a>(&self, r: &mut Reader<'_, 'a>) -> Result<Vec<Head<'a>>, DecodeError> {
        r.align(self.align())?;
        self.fields.iter().map(|field| field.ty.head(r)).collect()
    }

    fn tail<'a>(&self, heads: Vec<Head<'a>>, r: &mut Reader<'_, 'a>) -> Result<Tree<'a>, DecodeError> {
        let pairs = self.fields.iter().zip(heads);
        let trees = pairs.map(|(field, head)| field.ty.tail(head, r)).collect::<Result<_, _>>()?;
        Ok(Tree::Record(trees))
    }

    fn put_head(&self, trees: &[Tree<'_>], w: &mut Writer<'_>) {
        w.align(self.align());
        self.fields.iter().zip(trees).for_each(|(field, tree)| field.ty.put_head(tree, w));
    }

    fn put_tail(&self, trees: &[Tree<'_>], w: &mut Writer<'_>) {
        self.fields.iter().zip(trees).for_each(|(field, tree)| field.ty.put_tail(tree, w));
    }

    /// Records as a BRECORD has them ([MS-OAUT] 2.2.28.2.1): one NDR stream, as an array, behind its size.
    pub(crate) fn record(&self, records: &[Tree<'_>]) -> Result<Record<'static>, EncodeError> {
        if records.is_empty() {
            return Ok(Record { flags: 0, info: self.info(), records: None });
        }
        let residue = Residue::default();
        let mut w = Writer::new(ByteOrder::Little, &residue);
        let fields = || records.iter().filter_map(Tree::fields);
        fields().for_each(|fields| self.put_head(fields, &mut w));
        fields().for_each(|fields| self.put_tail(fields, &mut w));
        let stream = w.finish()?;
        let mut bytes = len_u32(stream.len().saturating_add(PREFIX)).to_le_bytes().to_vec();
        bytes.extend_from_slice(&stream);
        Ok(Record { flags: 1, info: self.info(), records: Some(bytes.into()) })
    }

    /// Reads so many records, and nothing else.
    pub(crate) fn trees<'v>(&self, record: &'v Record<'_>, count: u32) -> Result<Vec<Tree<'v>>, DecodeError> {
        let Some(bytes) = record.records.as_deref() else {
            return if count == 0 { Ok(Vec::new()) } else { Err(rule(0, &RECORDS, "there are no records")) };
        };
        let stream = bytes.get(PREFIX..).ok_or(rule(0, &RECORDS, "no size is told"))?;
        let options = DecodeOptions::TOLERANT
            .with_limits(Limits::DEFAULT.with_message(bytes.len()).with_string(bytes.len()));
        let decoded = decode_using(stream, &options, &RECORDS, |cursor| {
            let mut r = Reader::new(cursor.clone(), ByteOrder::Little);
            let heads = r.elements(count, &RECORDS, |r| self.head(r))?;
            let trees = heads.into_iter().map(|head| self.tail(head, &mut r)).collect::<Result<_, _>>()?;
            *cursor = r.finish().0;
            Ok(trees)
        })?;
        match decoded.rest {
            [] => Ok(decoded.value),
            _ => Err(rule(0, &RECORDS, "more than the records")),
        }
    }

    /// The elements of an array of records; `None` when they are no such records.
    pub(crate) fn elements<'v>(&self, array: &'v SafeArray<'_>) -> Option<Vec<Tree<'v>>> {
        let count = array.bounds.iter().try_fold(1_u32, |count, bound| count.checked_mul(bound.elements))?;
        let fields = usize_from(count).saturating_mul(self.measure().1);
        if fields > MAX_FIELDS {
            return None;
        }
        let Elements::Record(records) = &array.elements else { return None };
        let [Some(record)] = records.as_slice() else { return None };
        self.is_told(record.info.as_ref()).then(|| self.trees(record, count).ok()).flatten()
    }

    /// The values of the fields of a record.
    ///
    /// # Errors
    /// When it is no such record.
    pub fn values<'v>(&self, record: &'v Record<'_>) -> Result<Vec<Variant<'v>>, DecodeError> {
        if !self.is_told(record.info.as_ref()) {
            return Err(rule(0, &RECORDS, "a record of another type"));
        }
        let Some(Tree::Record(trees)) = self.trees(record, 1)?.pop() else { return Ok(Vec::new()) };
        let unwritten = |_| rule(0, &RECORDS, "a record that cannot be written again");
        self.fields
            .iter()
            .zip(trees)
            .map(|(field, tree)| tree.into_value(&field.ty).map_err(unwritten))
            .collect()
    }

    /// A record of values, one for each field.
    ///
    /// # Errors
    /// When there are more or fewer, one is not of the type of its field, or cannot be written.
    pub fn of(&self, values: &[Variant<'_>]) -> Result<Record<'static>, EncodeError> {
        let invalid = |reason| EncodeError::Invalid { at: &RECORDS, reason };
        if values.len() != self.fields.len() {
            return Err(invalid("not one value for each field"));
        }
        let trees = self.fields.iter().zip(values).map(|(field, value)| field.ty.tree_of(value));
        let trees = trees.collect::<Option<_>>().ok_or(invalid("a value is not of the type of its field"))?;
        if self.fields.iter().zip(values).any(|(field, value)| field.ty.untold(value, false).is_some()) {
            return Err(invalid("an array does not tell which records it has"));
        }
        self.record(&[Tree::Record(trees)])
    }
}

fn rule(offset: usize, at: &'static At, rule: &'static str) -> DecodeError {
    DecodeError::new(offset, at, DecodeErrorKind::Rule(rule))
}
