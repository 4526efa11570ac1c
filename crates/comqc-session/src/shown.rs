//! Values as people read them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use comqc_format::ObjectReference;
use ndr_oaut::{
    Bound, Bstr, Decimal, Elements, InterfacePointer, Record, SafeArray, Scalar, VarType, Variant,
    VariantBool,
};
use remassist_core::{Decode as _, usize_from};
use uuid::Uuid;

use crate::tree::Tree;
use crate::value::{hex, map};
use crate::{Plain, RecordType, Records, Type};

/// How deep records are read in VARIANTs of records: each reading begins a new stream.
const MAX_DEPTH: usize = 4;

/// Makes values readable.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'r> {
    records: &'r Records,
    depth: usize,
}

impl<'r> Shown<'r> {
    pub(crate) fn new(records: &'r Records) -> Self {
        Self { records, depth: 0 }
    }

    pub(crate) fn of(self, ty: &Type, value: &Variant<'_>) -> Plain {
        if let Type::Unique(ty) = ty {
            return match value {
                Variant::Null => Plain::Null,
                Variant::VariantRef(Some(value)) if **ty == Type::Variant => {
                    Self::behind(ty, self.of_variant(value))
                }
                value => Self::behind(ty, self.of(ty, value)),
            };
        }
        match (ty, ty.declared()) {
            (Type::Variant, _) => self.of_variant(value),
            (_, Some(record)) => self.declared(record, value).unwrap_or_else(|| self.bare(value)),
            (_, None) => self.bare(value),
        }
    }

    /// What a pointer points to, so that it is none.
    fn behind(ty: &Type, value: Plain) -> Plain {
        match value {
            Plain::Null if ty.declared().is_none() || ty.element().is_some() => map([("to", Plain::Null)]),
            value => value,
        }
    }

    /// A record, or an array of records, by fields; `None` when the bytes are none of these.
    fn declared(self, record: &RecordType, value: &Variant<'_>) -> Option<Plain> {
        match value {
            Variant::Record(Some(value)) | Variant::RecordRef(Some(value)) => {
                record.is_told(value.info.as_ref()).then_some(())?;
                record.trees(value, 1).ok()?.first().map(|tree| self.fields(record, tree))
            }
            Variant::Array { array, .. } | Variant::ArrayRef { array, .. } => {
                let array = array.as_ref()?.safearray.as_deref()?;
                let trees = record.elements(array)?;
                let elements = Plain::List(trees.iter().map(|tree| self.fields(record, tree)).collect());
                Some(if is_simple(array, trees.len()) { elements } else { bounded(array, elements) })
            }
            _ => None,
        }
    }

    fn fields(self, record: &RecordType, tree: &Tree<'_>) -> Plain {
        let Tree::Record(trees) = tree else { return Plain::Null };
        let pairs = record.fields.iter().zip(trees);
        Plain::Map(pairs.map(|(field, tree)| (field.name.clone(), self.tree(&field.ty, tree))).collect())
    }

    fn tree(self, ty: &Type, tree: &Tree<'_>) -> Plain {
        match (ty, tree) {
            (_, Tree::Leaf(value)) => self.of(ty, value),
            (Type::Unique(ty), Tree::Pointer(Some(tree))) => Self::behind(ty, self.tree(ty, tree)),
            (ty, Tree::Record(_)) => ty.declared().map_or(Plain::Null, |record| self.fields(record, tree)),
            _ => Plain::Null,
        }
    }

    fn of_variant(self, value: &Variant<'_>) -> Plain {
        let (name, by_ref) = match value {
            Variant::Null => return Plain::Null,
            Variant::Empty => return map([("type", Plain::Text("empty".into()))]),
            Variant::Scalar(Scalar::I4(_) | Scalar::Bool(VariantBool::TRUE | VariantBool::FALSE)) => {
                return self.bare(value);
            }
            Variant::Scalar(Scalar::R8(number)) if number.value().is_finite() => return self.bare(value),
            Variant::Bstr(Some(Bstr { text: Some(_) })) => return self.bare(value),
            Variant::VariantRef(value) => {
                let value = value.as_ref().map_or(Plain::Null, |value| self.of_variant(value));
                let name = Plain::Text("VARIANT".into());
                return map([("type", name), ("ref", Plain::Bool(true)), ("value", value)]);
            }
            value => (type_of(value.vt()), value.vt().is_by_ref()),
        };
        let (name, shown) = self.told(value).unwrap_or_else(|| (name, self.bare(value)));
        let parts = [("type", Plain::Text(name)), ("value", shown)];
        let Plain::Map(mut parts) = map(parts) else { return Plain::Null };
        if by_ref {
            parts.insert("ref".into(), Plain::Bool(true));
        }
        Plain::Map(parts)
    }

    /// Type and fields of a record, or of an array of records, that tells its type.
    fn told(self, value: &Variant<'_>) -> Option<(String, Plain)> {
        let (info, is_array) = match value {
            Variant::Record(Some(record)) | Variant::RecordRef(Some(record)) => (record.info.as_ref(), false),
            Variant::Array { array: Some(array), .. } | Variant::ArrayRef { array: Some(array), .. } => {
                match array.safearray.as_deref().map(|array| &array.elements) {
                    Some(Elements::Record(records)) => (records.first()?.as_ref()?.info.as_ref(), true),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
        let ty = self.records.told_by(info)?;
        let shown = Self { depth, ..self }.declared(ty.declared()?, value)?;
        let ty = if is_array { Type::SafeArray(Box::new(ty)) } else { ty };
        Some((ty.to_string(), shown))
    }

    fn bare(self, value: &Variant<'_>) -> Plain {
        match value {
            Variant::Empty | Variant::Null => Plain::Null,
            Variant::Scalar(scalar) | Variant::ScalarRef(scalar) => Plain::scalar(*scalar),
            Variant::Bstr(text) | Variant::BstrRef(text) => Plain::bstr(text.as_ref()),
            Variant::Unknown(pointer)
            | Variant::Dispatch(pointer)
            | Variant::UnknownRef(pointer)
            | Variant::DispatchRef(pointer) => Plain::pointer(pointer.as_ref()),
            Variant::Record(record) | Variant::RecordRef(record) => Plain::record(record.as_deref()),
            Variant::Array { vt, array } | Variant::ArrayRef { vt, array } => {
                let array = array.as_ref().and_then(|array| array.safearray.as_deref());
                array.map_or(Plain::Null, |array| self.array(*vt, array))
            }
            Variant::VariantRef(value) => value.as_ref().map_or(Plain::Null, |value| self.of_variant(value)),
            _ => Plain::Null,
        }
    }

    fn array(self, vt: VarType, array: &SafeArray<'_>) -> Plain {
        let numbers = |numbers: &mut dyn Iterator<Item = Option<Scalar>>| {
            numbers.map(|number| number.map_or(Plain::Null, Plain::scalar)).collect()
        };
        let elements: Vec<Plain> = match &array.elements {
            Elements::I1(bytes) if vt == VarType::UI1 => {
                let bytes = map([("hex", hex(bytes))]);
                return if is_simple(array, array.elements.len()) { bytes } else { bounded(array, bytes) };
            }
            Elements::I1(items) => numbers(&mut items.iter().map(|n| of_bits(vt, (*n).into()))),
            Elements::I2(items) => numbers(&mut items.iter().map(|n| of_bits(vt, (*n).into()))),
            Elements::I4(items) => numbers(&mut items.iter().map(|n| of_bits(vt, (*n).into()))),
            Elements::I8(items) => numbers(&mut items.iter().map(|n| of_bits(vt, *n))),
            Elements::Bstr(items) => items.iter().map(|item| Plain::bstr(item.as_ref())).collect(),
            Elements::Unknown(items)
            | Elements::Dispatch(items)
            | Elements::HaveIid { pointers: items, .. } => {
                items.iter().map(|item| Plain::pointer(item.as_ref())).collect()
            }
            Elements::Variant(items) => {
                let null = || map([("type", Plain::Text("empty".into()))]);
                items
                    .iter()
                    .map(|item| item.as_ref().map_or_else(null, |item| self.of_variant(item)))
                    .collect()
            }
            Elements::Record(items) => items.iter().map(|item| Plain::record(item.as_ref())).collect(),
            _ => Vec::new(),
        };
        let is_simple = is_simple(array, elements.len());
        let elements = Plain::List(elements);
        if is_simple { elements } else { bounded(array, elements) }
    }
}

impl Plain {
    fn scalar(scalar: Scalar) -> Self {
        match scalar {
            Scalar::I1(n) => Self::Int(n.into()),
            Scalar::Ui1(n) => Self::Int(n.into()),
            Scalar::I2(n) => Self::Int(n.into()),
            Scalar::Ui2(n) => Self::Int(n.into()),
            Scalar::I4(n) | Scalar::Int(n) => Self::Int(n.into()),
            Scalar::Ui4(n) | Scalar::Uint(n) => Self::Int(n.into()),
            Scalar::I8(n) => Self::Int(n),
            Scalar::Ui8(n) => n.into(),
            Scalar::R4(n) => f64::from(n.value()).into(),
            Scalar::R8(n) | Scalar::Date(n) => n.value().into(),
            Scalar::Bool(VariantBool::TRUE) => Self::Bool(true),
            Scalar::Bool(VariantBool::FALSE) => Self::Bool(false),
            Scalar::Bool(VariantBool(n)) => Self::Int(n.into()),
            Scalar::Error(n) => Self::Text(format!("{n:#010x}")),
            Scalar::Currency(n) => Self::Text(fixed(n.is_negative(), n.unsigned_abs().into(), 4)),
            Scalar::Decimal(Decimal { scale, sign, hi32, lo64, .. }) => {
                let number = u128::from(hi32) << 64 | u128::from(lo64);
                Self::Text(fixed(sign != 0, number, scale.into()))
            }
            _ => Self::Null,
        }
    }

    fn bstr(text: Option<&Bstr<'_>>) -> Self {
        let Some(text) = text.and_then(|text| text.text.as_ref()) else { return Self::Null };
        match text.to_text() {
            Ok(readable) if text.as_bytes().len().is_multiple_of(2) => Self::Text(readable),
            _ => map([("hex", hex(text.as_bytes()))]),
        }
    }

    fn pointer(pointer: Option<&InterfacePointer<'_>>) -> Self {
        let Some(InterfacePointer { objref }) = pointer else { return Self::Null };
        match ObjectReference::decode_strict(objref) {
            Ok(ObjectReference { reserved1: 0, reserved2: 1, padding: [0, 0, 0, 0], object_id, object }) => {
                map([("class", Self::Text(object_id.to_string())), ("data", hex(&object))])
            }
            _ => map([("objref", hex(objref))]),
        }
    }

    fn record(record: Option<&Record<'_>>) -> Self {
        let Some(Record { flags, info, records }) = record else { return Self::Null };
        map([
            ("flags", Self::Int((*flags).into())),
            ("info", info.as_ref().map_or(Self::Null, |info| hex(&info.objref))),
            ("records", records.as_ref().map_or(Self::Null, |records| hex(records))),
        ])
    }
}

/// The name of a type as [`Type`] reads it.
fn type_of(vt: VarType) -> String {
    let ty = match vt.base() {
        VarType::BSTR => Some(Type::Bstr),
        VarType::VARIANT => Some(Type::Variant),
        VarType::UNKNOWN => Some(Type::Unknown),
        VarType::DISPATCH => Some(Type::Dispatch),
        VarType::RECORD => Some(Type::Record(Uuid::nil().into())),
        vt => Type::scalar(vt),
    };
    let ty = ty.unwrap_or(Type::Variant);
    if vt.is_array() { Type::SafeArray(Box::new(ty)).to_string() } else { ty.to_string() }
}

/// Whether bounds say nothing more than the number of elements.
fn is_simple(array: &SafeArray<'_>, shown: usize) -> bool {
    matches!(array.bounds.as_slice(), [Bound { lower: 0, elements }] if usize_from(*elements) == shown)
}

fn bounded(array: &SafeArray<'_>, elements: Plain) -> Plain {
    let pair = |bound: &Bound| {
        Plain::List(Vec::from([Plain::Int(bound.elements.into()), Plain::Int(bound.lower.into())]))
    };
    map([("bounds", Plain::List(array.bounds.iter().map(pair).collect())), ("elements", elements)])
}

/// A number with a point before its last digits.
fn fixed(negative: bool, number: u128, scale: usize) -> String {
    let digits = format!("{number:0>width$}", width = scale.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    let sign = if negative { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The first bytes of a number.
fn low<const N: usize>(bits: u64) -> [u8; N] {
    bits.to_le_bytes().first_chunk().copied().unwrap_or([0; N])
}

/// An element of an array, which is kept as a number without a sign.
fn of_bits(vt: VarType, bits: u64) -> Option<Scalar> {
    Some(match vt {
        VarType::I1 => Scalar::I1(i8::from_le_bytes(low(bits))),
        VarType::UI1 => Scalar::Ui1(u8::from_le_bytes(low(bits))),
        VarType::I2 => Scalar::I2(i16::from_le_bytes(low(bits))),
        VarType::UI2 => Scalar::Ui2(u16::from_le_bytes(low(bits))),
        VarType::BOOL => Scalar::Bool(VariantBool(u16::from_le_bytes(low(bits)))),
        VarType::I4 => Scalar::I4(i32::from_le_bytes(low(bits))),
        VarType::UI4 => Scalar::Ui4(u32::from_le_bytes(low(bits))),
        VarType::INT => Scalar::Int(i32::from_le_bytes(low(bits))),
        VarType::UINT => Scalar::Uint(u32::from_le_bytes(low(bits))),
        VarType::ERROR => Scalar::Error(u32::from_le_bytes(low(bits))),
        VarType::R4 => Scalar::R4(ndr_oaut::R4(u32::from_le_bytes(low(bits)))),
        VarType::I8 => Scalar::I8(i64::from_le_bytes(low(bits))),
        VarType::UI8 => Scalar::Ui8(bits),
        VarType::R8 => Scalar::R8(ndr_oaut::R8(bits)),
        VarType::DATE => Scalar::Date(ndr_oaut::R8(bits)),
        VarType::CY => Scalar::Currency(i64::from_le_bytes(low(bits))),
        _ => return None,
    })
}
