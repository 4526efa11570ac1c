//! Values as people write them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ndr_oaut::{
    Bound, Bstr, Decimal, Elements, InterfacePointer, PSafeArray, Record, SafeArray, Scalar, VarType,
    Variant, VariantBool,
};
use remassist_core::{Utf16Le, from_hex, len_u32};
use uuid::Uuid;

use crate::value::MAX_DEPTH;
use crate::{Plain, RecordType, Records, Type, ValueError, object};

/// Makes values of what a person has written.
#[derive(Clone, Copy)]
pub(crate) struct Written<'r> {
    pub(crate) records: &'r Records,
}

impl Written<'_> {
    pub(crate) fn typed(
        self,
        plain: &Plain,
        ty: &Type,
        depth: usize,
    ) -> Result<Variant<'static>, ValueError> {
        if depth >= MAX_DEPTH {
            return Err(ValueError {
                what: "a value".into(),
                wanted: format!("nested less than {MAX_DEPTH} deep"),
            });
        }
        let wrong = || plain.wrong(ty);
        let deeper = depth.saturating_add(1);
        // Fields of these names are fields.
        let plainly = |name| ty.declared().is_none_or(|record| !record.has(name));
        if let (Plain::Map(parts), true) =
            (plain, *ty != Type::Variant && plainly("type") && plainly("value"))
            && let (Some(told), Some(value)) = (parts.get("type"), parts.get("value"))
        {
            return if *told == Plain::Text(ty.to_string()) {
                self.typed(value, ty, deeper)
            } else {
                Err(wrong())
            };
        }
        Ok(match ty {
            Type::Scalar(scalar) => Variant::Scalar(plain.number(scalar.vt()).ok_or_else(wrong)?),
            Type::Enum | Type::Enum16 => {
                let number =
                    plain.whole().and_then(|n| i32::try_from(n).ok()).map(|n| Variant::Scalar(Scalar::I4(n)));
                number.filter(|number| ty.holds(number)).ok_or_else(wrong)?
            }
            Type::Bstr => Variant::Bstr(Some(plain.text().ok_or_else(wrong)?)),
            Type::Variant => return self.untyped(plain, depth),
            Type::Unknown | Type::Interface(_) => Variant::Unknown(plain.object().ok_or_else(wrong)?),
            Type::Dispatch => Variant::Dispatch(plain.object().ok_or_else(wrong)?),
            Type::Record(record) => match record.declared().filter(|record| !record.is_raw(plain)) {
                Some(record) => Variant::Record(Some(Box::new(self.record(plain, record, ty, deeper)?))),
                None => Variant::Record(plain.records().ok_or_else(wrong)?.map(Box::new)),
            },
            Type::Unique(ty) => match plain {
                Plain::Null => Variant::Null,
                Plain::Map(parts)
                    if parts.len() == 1 && parts.get("to") == Some(&Plain::Null) && plainly("to") =>
                {
                    ty.pointed(self.typed(&Plain::Null, ty, deeper)?)
                }
                _ => ty.pointed(self.typed(plain, ty, deeper)?),
            },
            Type::SafeArray(element) | Type::PSafeArray(element) => {
                let safearray = match plain {
                    Plain::Null => None,
                    _ => Some(Box::new(self.elements(plain, element, depth)?)),
                };
                Variant::Array { vt: element.vt(), array: Some(PSafeArray { safearray }) }
            }
        })
    }

    /// A record of what is written for its fields.
    fn record(
        self,
        plain: &Plain,
        record: &RecordType,
        ty: &Type,
        depth: usize,
    ) -> Result<Record<'static>, ValueError> {
        let Plain::Map(parts) = plain else { return Err(plain.wrong(ty)) };
        if let Some(name) = parts.keys().find(|name| !record.has(name)) {
            let what = format!("{name}, which {ty} does not have,");
            return Err(ValueError { what, wanted: "a field".into() });
        }
        let values = record.fields.iter().map(|field| {
            let mut told = parts.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&field.name));
            let error = |error: ValueError| {
                let what = format!("field {}: {}", field.name, error.what);
                ValueError { what, ..error }
            };
            match (told.next(), told.next()) {
                (Some((_, value)), None) => self.typed(value, &field.ty, depth).map_err(error),
                (Some(_), Some(_)) => Err(error(Plain::missing("told twice,", &field.ty))),
                (None, _) => Err(error(Plain::missing("left out,", &field.ty))),
            }
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        record.of(&values).map_err(|error| ValueError { what: error.to_string(), wanted: format!("a {ty}") })
    }

    /// A value that tells its type.
    fn untyped(self, plain: &Plain, depth: usize) -> Result<Variant<'static>, ValueError> {
        let wrong = || plain.wrong(&Type::Variant);
        Ok(match plain {
            Plain::Null => Variant::Null,
            Plain::Bool(value) => Variant::Scalar(Scalar::Bool((*value).into())),
            Plain::Int(number) => Variant::Scalar(match i32::try_from(*number) {
                Ok(number) => Scalar::I4(number),
                Err(_) => Scalar::I8(*number),
            }),
            Plain::Uint(number) => Variant::Scalar(Scalar::Ui8(*number)),
            Plain::Float(number) => Variant::Scalar(Scalar::R8((*number).into())),
            Plain::Text(_) => Variant::Bstr(plain.text()),
            Plain::List(_) => self.typed(plain, &Type::SafeArray(Box::new(Type::Variant)), depth)?,
            Plain::Map(parts) => {
                let Some(Plain::Text(name)) = parts.get("type") else {
                    // What needs no name: bytes that are no text, and objects.
                    return match plain.text() {
                        Some(text) => Ok(Variant::Bstr(Some(text))),
                        None => Ok(Variant::Unknown(plain.object().ok_or_else(wrong)?)),
                    };
                };
                if name == "empty" {
                    return Ok(Variant::Empty);
                }
                let mut ty: Type = name.parse().map_err(|_| wrong())?;
                let declared = self.records.declare(&mut ty);
                if !declared && ty.record().is_some_and(|record| record.is_named())
                    || matches!(ty, Type::Unique(_))
                {
                    return Err(wrong());
                }
                let value =
                    self.typed(parts.get("value").unwrap_or(&Plain::Null), &ty, depth.saturating_add(1))?;
                if declared && ty.untold(&value, true).is_some() {
                    let wanted = "one of a record whose GUID and library are declared".into();
                    return Err(ValueError { what: format!("a VARIANT of {ty}"), wanted });
                }
                match (parts.get("ref"), ty) {
                    (Some(Plain::Bool(true)), Type::Variant) => Variant::VariantRef(Some(Box::new(value))),
                    (Some(Plain::Bool(true)), _) => crate::dispatch::referenced(value),
                    (_, Type::Variant) => return Err(wrong()),
                    _ => value,
                }
            }
        })
    }

    fn elements(self, plain: &Plain, ty: &Type, depth: usize) -> Result<SafeArray<'static>, ValueError> {
        let whole = Type::SafeArray(Box::new(ty.clone()));
        let wrong = || plain.wrong(&whole);
        if let Plain::Map(parts) = plain
            && let (Some(Plain::List(bounds)), Some(elements)) = (parts.get("bounds"), parts.get("elements"))
        {
            let bound = |bound: &Plain| {
                let Plain::List(pair) = bound else { return None };
                let [elements, lower] = pair.as_slice() else { return None };
                let elements = u32::try_from(elements.whole()?).ok()?;
                Some(Bound { elements, lower: i32::try_from(lower.whole()?).ok()? })
            };
            let mut array = self.elements(elements, ty, depth.saturating_add(1))?;
            let bounds: Vec<Bound> = bounds.iter().map(bound).collect::<Option<_>>().ok_or_else(wrong)?;
            // Of other arrays the number of elements is seen when they are written.
            let count =
                |bounds: &[Bound]| bounds.iter().try_fold(1_u32, |n, bound| n.checked_mul(bound.elements));
            if ty.declared().is_some_and(|record| !record.is_raw(elements))
                && count(&bounds) != count(&array.bounds)
            {
                return Err(wrong());
            }
            array.bounds = bounds;
            return Ok(array);
        }
        let vt = ty.vt();
        if let (Some(bytes), VarType::UI1) = (plain.part_bytes("hex"), vt) {
            return Ok(SafeArray::new(vt, Elements::I1(bytes.into())));
        }
        let Plain::List(items) = plain else { return Err(wrong()) };
        let depth = depth.saturating_add(1);
        let values = items.iter().map(|item| self.typed(item, ty, depth)).collect::<Result<Vec<_>, _>>()?;
        if let Some(record) = ty.declared().filter(|record| !record.is_raw(plain)) {
            let trees: Option<Vec<_>> = values.iter().map(|value| ty.tree_of(value)).collect();
            let made = trees.and_then(|trees| record.record(&trees).ok());
            let mut array = SafeArray::new(vt, Elements::Record(Vec::from([Some(made.ok_or_else(wrong)?)])));
            array.bounds = Vec::from([Bound { elements: len_u32(values.len()), lower: 0 }]);
            return Ok(array);
        }
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

impl RecordType {
    /// Whether a record, or one of a list, is written as its bytes, because they could not be read.
    fn is_raw(&self, plain: &Plain) -> bool {
        let parts = match plain {
            Plain::Map(parts) => parts,
            Plain::List(items) => return items.iter().any(|item| self.is_raw(item)),
            _ => return false,
        };
        let names = ["flags", "info", "records"];
        parts.len() == names.len() && names.iter().all(|name| parts.contains_key(*name) && !self.has(name))
    }
}

impl Plain {
    fn missing(why: &str, ty: &Type) -> ValueError {
        ValueError { what: why.into(), wanted: format!("a {ty}") }
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
