//! Values as people write and read them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use comqc_format::ObjectReference;
use ndr_oaut::{
    Bound, Bstr, Decimal, Elements, InterfacePointer, PSafeArray, Record, SafeArray, Scalar, VarType,
    Variant, VariantBool,
};
use remassist_core::{Decode as _, Hex, Utf16Le, from_hex};
use uuid::Uuid;

use crate::{Type, object};

/// A value as a person writes it: what JSON has. Type and value together give a [`Variant`]; see [`Plain::of`] for the forms.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// Nothing: a null pointer, a null BSTR, `VT_NULL`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above those of [`Int`](Self::Int).
    Uint(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Elements of an array.
    List(Vec<Plain>),
    /// Anything else, by the names of its parts.
    Map(BTreeMap<String, Plain>),
}

/// Why a value is not one of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not {wanted}")]
pub struct ValueError {
    /// What is there.
    pub what: String,
    /// What would be right.
    pub wanted: String,
}

/// How deep values may be nested.
const MAX_DEPTH: usize = 32;

fn map<const N: usize>(parts: [(&str, Plain); N]) -> Plain {
    Plain::Map(parts.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn hex(bytes: &[u8]) -> Plain {
    Plain::Text(format!("{:x}", Hex(bytes)))
}

impl From<u64> for Plain {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Uint(number), Self::Int)
    }
}

impl From<f64> for Plain {
    /// JSON has no numbers that are none: those are text.
    fn from(number: f64) -> Self {
        if number.is_finite() { Self::Float(number) } else { Self::Text(number.to_string()) }
    }
}

impl Plain {
    /// A value whose type is known from elsewhere: `7`, `"text"`, `true`, `null`, `[1, 2]`.
    ///
    /// CURRENCY and DECIMAL are text (`"12.3400"`), DATE a number of days, an SCODE text (`"0x80020004"`), what is no text in a
    /// BSTR `{"hex": ".."}`; an object by value `{"class": CLSID, "data": hex}`, another OBJREF `{"objref": hex}`; an array of
    /// bytes `{"hex": ".."}`, one of more dimensions `{"bounds": [[elements, lower], ..], "elements": [..]}`; a record
    /// `{"flags": 1, "info": hex, "records": hex}`. What no type tells, in a VARIANT, is as [`of_variant`](Self::of_variant).
    #[must_use]
    pub fn of(ty: &Type, value: &Variant<'_>) -> Self {
        if *ty == Type::Variant { Self::of_variant(value) } else { Self::bare(value) }
    }

    /// A value that tells its type: a `long` is `7`, a `double` `7.5`, a BSTR `"text"`, a VARIANT_BOOL `true`, `VT_NULL` `null`,
    /// a VARIANT without a value `{"type": "empty"}`, anything else `{"type": "short", "value": 7}`, with `"ref": true` by
    /// reference.
    #[must_use]
    pub fn of_variant(value: &Variant<'_>) -> Self {
        let (name, by_ref) = match value {
            Variant::Null => return Self::Null,
            Variant::Empty => return map([("type", Self::Text("empty".into()))]),
            Variant::Scalar(Scalar::I4(_) | Scalar::Bool(VariantBool::TRUE | VariantBool::FALSE)) => {
                return Self::bare(value);
            }
            Variant::Scalar(Scalar::R8(number)) if number.value().is_finite() => return Self::bare(value),
            Variant::Bstr(Some(Bstr { text: Some(_) })) => return Self::bare(value),
            Variant::VariantRef(value) => {
                let value = value.as_ref().map_or(Self::Null, |value| Self::of_variant(value));
                let name = Self::Text("VARIANT".into());
                return map([("type", name), ("ref", Self::Bool(true)), ("value", value)]);
            }
            value => (type_of(value.vt()), value.vt().is_by_ref()),
        };
        let parts = [("type", Self::Text(name)), ("value", Self::bare(value))];
        let Self::Map(mut parts) = map(parts) else { return Self::Null };
        if by_ref {
            parts.insert("ref".into(), Self::Bool(true));
        }
        Self::Map(parts)
    }

    fn bare(value: &Variant<'_>) -> Self {
        match value {
            Variant::Empty | Variant::Null => Self::Null,
            Variant::Scalar(scalar) | Variant::ScalarRef(scalar) => Self::scalar(*scalar),
            Variant::Bstr(text) | Variant::BstrRef(text) => Self::bstr(text.as_ref()),
            Variant::Unknown(pointer)
            | Variant::Dispatch(pointer)
            | Variant::UnknownRef(pointer)
            | Variant::DispatchRef(pointer) => Self::pointer(pointer.as_ref()),
            Variant::Record(record) | Variant::RecordRef(record) => Self::record(record.as_deref()),
            Variant::Array { vt, array } | Variant::ArrayRef { vt, array } => {
                let array = array.as_ref().and_then(|array| array.safearray.as_deref());
                array.map_or(Self::Null, |array| Self::array(*vt, array))
            }
            Variant::VariantRef(value) => value.as_ref().map_or(Self::Null, |value| Self::of_variant(value)),
            _ => Self::Null,
        }
    }

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

    fn array(vt: VarType, array: &SafeArray<'_>) -> Self {
        let numbers = |numbers: &mut dyn Iterator<Item = Option<Scalar>>| {
            numbers.map(|number| number.map_or(Self::Null, Self::scalar)).collect()
        };
        let elements: Vec<Self> = match &array.elements {
            Elements::I1(bytes) if vt == VarType::UI1 => {
                let bytes = map([("hex", hex(bytes))]);
                return if is_simple(array) { bytes } else { bounded(array, bytes) };
            }
            Elements::I1(items) => numbers(&mut items.iter().map(|n| of_bits(vt, (*n).into()))),
            Elements::I2(items) => numbers(&mut items.iter().map(|n| of_bits(vt, (*n).into()))),
            Elements::I4(items) => numbers(&mut items.iter().map(|n| of_bits(vt, (*n).into()))),
            Elements::I8(items) => numbers(&mut items.iter().map(|n| of_bits(vt, *n))),
            Elements::Bstr(items) => items.iter().map(|item| Self::bstr(item.as_ref())).collect(),
            Elements::Unknown(items)
            | Elements::Dispatch(items)
            | Elements::HaveIid { pointers: items, .. } => {
                items.iter().map(|item| Self::pointer(item.as_ref())).collect()
            }
            Elements::Variant(items) => {
                let null = || map([("type", Self::Text("empty".into()))]);
                items.iter().map(|item| item.as_ref().map_or_else(null, Self::of_variant)).collect()
            }
            Elements::Record(items) => items.iter().map(|item| Self::record(item.as_ref())).collect(),
            _ => Vec::new(),
        };
        let elements = Self::List(elements);
        if is_simple(array) { elements } else { bounded(array, elements) }
    }

    /// The value of a type.
    ///
    /// # Errors
    /// When it is not one of this type.
    pub fn value(&self, ty: &Type) -> Result<Variant<'static>, ValueError> {
        self.typed(ty, 0)
    }

    fn typed(&self, ty: &Type, depth: usize) -> Result<Variant<'static>, ValueError> {
        if depth >= MAX_DEPTH {
            return Err(ValueError {
                what: "a value".into(),
                wanted: format!("nested less than {MAX_DEPTH} deep"),
            });
        }
        let wrong = || self.wrong(ty);
        if let (Self::Map(parts), true) = (self, *ty != Type::Variant)
            && let (Some(told), Some(value)) = (parts.get("type"), parts.get("value"))
        {
            return if *told == Self::Text(ty.to_string()) {
                value.typed(ty, depth.saturating_add(1))
            } else {
                Err(wrong())
            };
        }
        Ok(match ty {
            Type::Scalar(scalar) => Variant::Scalar(self.number(scalar.vt()).ok_or_else(wrong)?),
            Type::Enum | Type::Enum16 => {
                let number =
                    self.whole().and_then(|n| i32::try_from(n).ok()).map(|n| Variant::Scalar(Scalar::I4(n)));
                number.filter(|number| ty.holds(number)).ok_or_else(wrong)?
            }
            Type::Bstr => Variant::Bstr(Some(self.text().ok_or_else(wrong)?)),
            Type::Variant => return self.untyped(depth),
            Type::Unknown | Type::Interface(_) => Variant::Unknown(self.object().ok_or_else(wrong)?),
            Type::Dispatch => Variant::Dispatch(self.object().ok_or_else(wrong)?),
            Type::Record(_) => Variant::Record(self.records().ok_or_else(wrong)?.map(Box::new)),
            Type::SafeArray(element) | Type::PSafeArray(element) => {
                let safearray = match self {
                    Self::Null => None,
                    _ => Some(Box::new(self.elements(element, depth)?)),
                };
                Variant::Array { vt: element.vt(), array: Some(PSafeArray { safearray }) }
            }
        })
    }

    /// A value that tells its type.
    fn untyped(&self, depth: usize) -> Result<Variant<'static>, ValueError> {
        let wrong = || self.wrong(&Type::Variant);
        Ok(match self {
            Self::Null => Variant::Null,
            Self::Bool(value) => Variant::Scalar(Scalar::Bool((*value).into())),
            Self::Int(number) => Variant::Scalar(match i32::try_from(*number) {
                Ok(number) => Scalar::I4(number),
                Err(_) => Scalar::I8(*number),
            }),
            Self::Uint(number) => Variant::Scalar(Scalar::Ui8(*number)),
            Self::Float(number) => Variant::Scalar(Scalar::R8((*number).into())),
            Self::Text(_) => Variant::Bstr(self.text()),
            Self::List(_) => self.typed(&Type::SafeArray(Box::new(Type::Variant)), depth)?,
            Self::Map(parts) => {
                let Some(Self::Text(name)) = parts.get("type") else {
                    // What needs no name: bytes that are no text, and objects.
                    return match self.text() {
                        Some(text) => Ok(Variant::Bstr(Some(text))),
                        None => Ok(Variant::Unknown(self.object().ok_or_else(wrong)?)),
                    };
                };
                if name == "empty" {
                    return Ok(Variant::Empty);
                }
                let ty: Type = name.parse().map_err(|_| wrong())?;
                let value = parts.get("value").unwrap_or(&Self::Null).typed(&ty, depth.saturating_add(1))?;
                match (parts.get("ref"), ty) {
                    (Some(Self::Bool(true)), Type::Variant) => Variant::VariantRef(Some(Box::new(value))),
                    (Some(Self::Bool(true)), _) => crate::dispatch::referenced(value),
                    (_, Type::Variant) => return Err(wrong()),
                    _ => value,
                }
            }
        })
    }

    fn wrong(&self, ty: &Type) -> ValueError {
        let what = match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Uint(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
            Self::List(_) => "a list".into(),
            Self::Map(parts) => {
                format!("a value with {}", parts.keys().cloned().collect::<Vec<_>>().join(", "))
            }
        };
        ValueError { what, wanted: format!("a {ty}") }
    }

    fn whole(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some((*number).into()),
            Self::Uint(number) => Some((*number).into()),
            Self::Text(text) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok().map(Into::into),
                None => text.parse().ok(),
            },
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            // Through text, which rounds as it should.
            Self::Int(number) => number.to_string().parse().ok(),
            Self::Uint(number) => number.to_string().parse().ok(),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn number(&self, vt: VarType) -> Option<Scalar> {
        fn whole<T: TryFrom<i128>>(plain: &Plain) -> Option<T> {
            plain.whole().and_then(|number| T::try_from(number).ok())
        }
        Some(match vt {
            VarType::I1 => Scalar::I1(whole(self)?),
            VarType::UI1 => Scalar::Ui1(whole(self)?),
            VarType::I2 => Scalar::I2(whole(self)?),
            VarType::UI2 => Scalar::Ui2(whole(self)?),
            VarType::I4 => Scalar::I4(whole(self)?),
            VarType::UI4 => Scalar::Ui4(whole(self)?),
            VarType::I8 => Scalar::I8(whole(self)?),
            VarType::UI8 => Scalar::Ui8(whole(self)?),
            VarType::INT => Scalar::Int(whole(self)?),
            VarType::UINT => Scalar::Uint(whole(self)?),
            VarType::ERROR => Scalar::Error(whole(self)?),
            VarType::R4 => {
                let number = self.float()?;
                let single: f32 = number.to_string().parse().ok()?;
                // Not larger than a float can be.
                if number.is_finite() && !single.is_finite() {
                    return None;
                }
                Scalar::R4(single.into())
            }
            VarType::R8 => Scalar::R8(self.float()?.into()),
            VarType::DATE => Scalar::Date(self.float()?.into()),
            VarType::BOOL => match self {
                Self::Bool(value) => Scalar::Bool((*value).into()),
                _ => Scalar::Bool(VariantBool(whole(self)?)),
            },
            VarType::CY => {
                let (negative, number, scale) = self.decimal()?;
                let number = number.checked_mul(10_u128.checked_pow(4_u32.checked_sub(scale)?)?)?;
                let number = i128::try_from(number).ok()?;
                let number = if negative { number.checked_neg()? } else { number };
                Scalar::Currency(i64::try_from(number).ok()?)
            }
            VarType::DECIMAL => {
                let (negative, number, scale) = self.decimal()?;
                Scalar::Decimal(Decimal {
                    reserved: 0,
                    scale: u8::try_from(scale).ok()?,
                    sign: if negative { 0x80 } else { 0 },
                    hi32: u32::try_from(number >> 64).ok()?,
                    lo64: u64::try_from(number & u128::from(u64::MAX)).ok()?,
                })
            }
            _ => return None,
        })
    }

    /// Sign, digits as a number, and how many of them are behind the point.
    fn decimal(&self) -> Option<(bool, u128, u32)> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Uint(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            _ => return None,
        };
        let (negative, digits) =
            text.strip_prefix('-').map_or((false, text.as_str()), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{fraction}");
        if whole.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some((negative, all.parse().ok()?, u32::try_from(fraction.len()).ok()?))
    }

    fn part_bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Map(parts) => match parts.get(name)? {
                Self::Text(digits) => from_hex(digits),
                _ => None,
            },
            _ => None,
        }
    }

    fn text(&self) -> Option<Bstr<'static>> {
        match self {
            Self::Null => Some(Bstr::NULL),
            Self::Text(text) => Some(Bstr::new(text)),
            _ => Some(Bstr { text: Some(Utf16Le(self.part_bytes("hex")?.into())) }),
        }
    }

    fn object(&self) -> Option<Option<InterfacePointer<'static>>> {
        let Self::Map(parts) = self else { return (*self == Self::Null).then_some(None) };
        if let Some(Self::Text(class)) = parts.get("class") {
            let clsid = Uuid::try_parse(class).ok()?;
            return object::pointer(clsid, self.part_bytes("data")?).ok().map(Some);
        }
        Some(Some(InterfacePointer { objref: self.part_bytes("objref")?.into() }))
    }

    fn records(&self) -> Option<Option<Record<'static>>> {
        let Self::Map(parts) = self else { return (*self == Self::Null).then_some(None) };
        let flags = u32::try_from(parts.get("flags")?.whole()?).ok()?;
        let bytes = |name| match parts.get(name) {
            None | Some(Self::Null) => Some(None),
            Some(_) => self.part_bytes(name).map(Some),
        };
        let info = bytes("info")?.map(|objref| InterfacePointer { objref: objref.into() });
        Some(Some(Record { flags, info, records: bytes("records")?.map(Into::into) }))
    }

    fn elements(&self, ty: &Type, depth: usize) -> Result<SafeArray<'static>, ValueError> {
        let whole = Type::SafeArray(Box::new(ty.clone()));
        let wrong = || self.wrong(&whole);
        if let Self::Map(parts) = self
            && let (Some(Self::List(bounds)), Some(elements)) = (parts.get("bounds"), parts.get("elements"))
        {
            let bound = |bound: &Self| {
                let Self::List(pair) = bound else { return None };
                let [elements, lower] = pair.as_slice() else { return None };
                let elements = u32::try_from(elements.whole()?).ok()?;
                Some(Bound { elements, lower: i32::try_from(lower.whole()?).ok()? })
            };
            let mut array = elements.elements(ty, depth.saturating_add(1))?;
            array.bounds = bounds.iter().map(bound).collect::<Option<_>>().ok_or_else(wrong)?;
            return Ok(array);
        }
        let vt = ty.vt();
        if let (Some(bytes), VarType::UI1) = (self.part_bytes("hex"), vt) {
            return Ok(SafeArray::new(vt, Elements::I1(bytes.into())));
        }
        let Self::List(items) = self else { return Err(wrong()) };
        let depth = depth.saturating_add(1);
        let values = items.iter().map(|item| item.typed(ty, depth)).collect::<Result<Vec<_>, _>>()?;
        let bits = || {
            values.iter().filter_map(|value| if let Variant::Scalar(s) = value { to_bits(*s) } else { None })
        };
        let pointers = || {
            values.iter().map(|value| match value {
                Variant::Unknown(pointer) | Variant::Dispatch(pointer) => pointer.clone(),
                _ => None,
            })
        };
        fn narrow<T: TryFrom<u64>>(bits: impl Iterator<Item = u64>) -> Vec<T> {
            bits.filter_map(|number| T::try_from(number).ok()).collect()
        }
        let elements = match vt {
            VarType::I1 | VarType::UI1 => Elements::I1(narrow(bits()).into()),
            VarType::I2 | VarType::UI2 | VarType::BOOL => Elements::I2(narrow(bits())),
            VarType::I4 | VarType::UI4 | VarType::INT | VarType::UINT | VarType::ERROR | VarType::R4 => {
                Elements::I4(narrow(bits()))
            }
            VarType::I8 | VarType::UI8 | VarType::R8 | VarType::DATE | VarType::CY => {
                Elements::I8(bits().collect())
            }
            VarType::BSTR => Elements::Bstr(
                values
                    .into_iter()
                    .map(|value| if let Variant::Bstr(text) = value { text } else { None })
                    .collect(),
            ),
            VarType::VARIANT => Elements::Variant(values.into_iter().map(Some).collect()),
            VarType::UNKNOWN => match ty {
                Type::Interface(iid) => Elements::HaveIid { iid: *iid, pointers: pointers().collect() },
                _ => Elements::Unknown(pointers().collect()),
            },
            VarType::DISPATCH => Elements::Dispatch(pointers().collect()),
            VarType::RECORD => Elements::Record(
                values
                    .into_iter()
                    .map(|value| if let Variant::Record(record) = value { record.map(|r| *r) } else { None })
                    .collect(),
            ),
            _ => return Err(wrong()),
        };
        Ok(SafeArray::new(vt, elements))
    }
}

/// The name of a type as [`Type`] reads it.
fn type_of(vt: VarType) -> String {
    let ty = match vt.base() {
        VarType::BSTR => Some(Type::Bstr),
        VarType::VARIANT => Some(Type::Variant),
        VarType::UNKNOWN => Some(Type::Unknown),
        VarType::DISPATCH => Some(Type::Dispatch),
        VarType::RECORD => Some(Type::Record(Uuid::nil())),
        vt => Type::scalar(vt),
    };
    let ty = ty.unwrap_or(Type::Variant);
    if vt.is_array() { Type::SafeArray(Box::new(ty)).to_string() } else { ty.to_string() }
}

/// Whether bounds say nothing more than the number of elements.
fn is_simple(array: &SafeArray<'_>) -> bool {
    matches!(array.bounds.as_slice(), [Bound { lower: 0, .. }])
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

fn to_bits(scalar: Scalar) -> Option<u64> {
    fn bits<const N: usize>(number: [u8; N]) -> u64 {
        let mut all = [0; 8];
        for (to, from) in all.iter_mut().zip(number) {
            *to = from;
        }
        u64::from_le_bytes(all)
    }
    Some(match scalar {
        Scalar::I1(n) => bits(n.to_le_bytes()),
        Scalar::Ui1(n) => n.into(),
        Scalar::I2(n) => bits(n.to_le_bytes()),
        Scalar::Ui2(n) | Scalar::Bool(VariantBool(n)) => n.into(),
        Scalar::I4(n) | Scalar::Int(n) => bits(n.to_le_bytes()),
        Scalar::Ui4(n) | Scalar::Uint(n) | Scalar::Error(n) => n.into(),
        Scalar::R4(n) => n.0.into(),
        Scalar::I8(n) | Scalar::Currency(n) => bits(n.to_le_bytes()),
        Scalar::Ui8(n) => n,
        Scalar::R8(n) | Scalar::Date(n) => n.0,
        _ => return None,
    })
}
