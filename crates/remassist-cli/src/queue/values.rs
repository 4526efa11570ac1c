//! Arguments of `IDispatch::Invoke` as JSON that people can read and write.
//!
//! | JSON | VARIANT |
//! |---|---|
//! | `"text"`, `true`, `null` | `VT_BSTR`, `VT_BOOL`, `VT_NULL` |
//! | `7`, `1.5` | `VT_I4` (`VT_I8` where it is too large), `VT_R8` |
//! | `[1, "a"]` | `VT_ARRAY` of `VT_VARIANT` |
//! | `{"currency": "12.50"}`, `{"decimal": "0.125"}` | `VT_CY`, `VT_DECIMAL` |
//! | `{"date": "2026-11-21T20:15:00"}`, or the number | `VT_DATE` |
//! | `{"i2": 7}`, also i1, ui1, ui2, i4, ui4, i8, ui8, int, uint, error, r4, r8 | the type of that name |
//! | `{"array": "i4", "items": [1, 2]}` | `VT_ARRAY` of that type |
//! | `{"empty": true}`, `{"missing": true}` | `VT_EMPTY`, an optional argument that is left out |
//! | `{"raw": ..}` | anything else, as `inspect --kind oaut-variant` prints it |

use remassist::ndr::{Bstr, Decimal, Elements, PSafeArray, R4, R8, SafeArray, Scalar, VarType, Variant};
use serde_json::{Map, Value, json};

use super::calendar;

/// How many values may stand inside each other; what is on the wire has a bound of its own.
const DEPTH: usize = 32;

type Told<T> = Result<T, String>;

/// The VARIANT that JSON tells.
pub fn variant(value: &Value) -> Told<Variant<'static>> {
    nested(value, DEPTH)
}

/// The VARIANT of a type that is known from elsewhere: `"12.50"` is enough for money then.
pub fn typed(vt: VarType, value: &Value) -> Told<Variant<'static>> {
    match value {
        Value::Array(items) if vt.is_array() => array(vt.base(), items, DEPTH),
        // Objects tell their type themselves.
        Value::Object(_) => variant(value),
        _ if vt.is_array() => Err(format!("{value} is no array")),
        Value::Null if matches!(vt, VarType::UNKNOWN | VarType::DISPATCH) => Ok(match vt {
            VarType::UNKNOWN => Variant::Unknown(None),
            _ => Variant::Dispatch(None),
        }),
        _ => item(vt, value, DEPTH),
    }
}

/// JSON that tells the same VARIANT where its type is known.
pub fn json_typed(vt: VarType, value: &Variant<'_>) -> Value {
    let told = json(value);
    let plain = told.as_object().and_then(|map| map.get("items").or_else(|| map.values().next()));
    let plain = plain.filter(|plain| typed(vt, plain).is_ok_and(|again| again == *value)).cloned();
    plain.unwrap_or(told)
}

fn nested(value: &Value, depth: usize) -> Told<Variant<'static>> {
    let depth = depth.checked_sub(1).ok_or("values stand inside each other too deep")?;
    Ok(match value {
        Value::Null => Variant::Null,
        Value::Bool(value) => Variant::Scalar(Scalar::Bool((*value).into())),
        Value::String(text) => Variant::Bstr(Some(Bstr::new(text))),
        Value::Number(number) => Variant::Scalar(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => i32::try_from(number).map_or(Scalar::I8(number), Scalar::I4),
            (_, Some(number), _) => Scalar::Ui8(number),
            (.., number) => Scalar::R8(R8::from(number.ok_or("a number that no type has")?)),
        }),
        Value::Array(items) => array(VarType::VARIANT, items, depth)?,
        Value::Object(map) => object(map, depth)?,
    })
}

fn object(map: &Map<String, Value>, depth: usize) -> Told<Variant<'static>> {
    if let (2, Some(Value::String(name)), Some(Value::Array(items))) =
        (map.len(), map.get("array"), map.get("items"))
    {
        let vt = vt(name).ok_or_else(|| format!("no type {name:?} for items of an array"))?;
        return array(vt, items, depth);
    }
    let (name, value) = match (map.len(), map.iter().next()) {
        (1, Some(only)) => only,
        _ => return Err("an object that names a value has one member, or array and items".to_owned()),
    };
    Ok(match name.as_str() {
        "empty" => Variant::Empty,
        "missing" => Variant::MISSING,
        "bstr" if value.is_null() => Variant::Bstr(None),
        "unknown" if value.is_null() => Variant::Unknown(None),
        "dispatch" if value.is_null() => Variant::Dispatch(None),
        "raw" => serde_json::from_value(value.clone()).map_err(|e| format!("raw: {e}"))?,
        _ => {
            let vt = vt(name).ok_or_else(|| format!("no type {name:?}"))?;
            item(vt, value, depth).map_err(|e| format!("{name}: {e}"))?
        }
    })
}

/// A value of a type that is told.
fn item(vt: VarType, value: &Value, depth: usize) -> Told<Variant<'static>> {
    fn int<T: TryFrom<i128>>(value: &Value) -> Told<T> {
        let number = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
        let number = number.ok_or_else(|| format!("{value} is no whole number"))?;
        T::try_from(number).map_err(|_| format!("{number} does not fit"))
    }
    let float = || value.as_f64().ok_or_else(|| format!("{value} is no number"));
    let text = || match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("{value} is no number in quotes")),
    };
    Ok(Variant::Scalar(match vt {
        VarType::VARIANT => return nested(value, depth),
        VarType::BSTR => match value {
            Value::String(text) => return Ok(Variant::Bstr(Some(Bstr::new(text)))),
            Value::Null => return Ok(Variant::Bstr(None)),
            _ => return Err(format!("{value} is no text")),
        },
        VarType::I1 => Scalar::I1(int(value)?),
        VarType::UI1 => Scalar::Ui1(int(value)?),
        VarType::I2 => Scalar::I2(int(value)?),
        VarType::UI2 => Scalar::Ui2(int(value)?),
        VarType::I4 => Scalar::I4(int(value)?),
        VarType::UI4 => Scalar::Ui4(int(value)?),
        VarType::I8 => Scalar::I8(int(value)?),
        VarType::UI8 => Scalar::Ui8(int(value)?),
        VarType::INT => Scalar::Int(int(value)?),
        VarType::UINT => Scalar::Uint(int(value)?),
        VarType::ERROR => Scalar::Error(int(value)?),
        VarType::BOOL => Scalar::Bool(value.as_bool().ok_or_else(|| format!("{value} is not true or false"))?.into()),
        VarType::R4 => {
            let number = float()?;
            #[expect(clippy::cast_possible_truncation, reason = "what a type of 4 bytes holds of it")]
            let short = number as f32;
            Scalar::R4(R4::from(short))
        }
        VarType::R8 => Scalar::R8(R8::from(float()?)),
        VarType::CY => {
            let (number, scale) = decimal(&text()?, 4)?;
            let units = number.checked_mul(10_i128.pow(u32::from(4 - scale)));
            Scalar::Currency(units.and_then(|units| i64::try_from(units).ok()).ok_or("it does not fit")?)
        }
        VarType::DECIMAL => {
            let (number, scale) = decimal(&text()?, 28)?;
            let size = number.unsigned_abs();
            let hi32 = u32::try_from(size >> 64).map_err(|_| "it does not fit")?;
            let lo64 = u64::try_from(size & u128::from(u64::MAX)).map_err(|_| "it does not fit")?;
            let sign = if number < 0 { 0x80 } else { 0 };
            Scalar::Decimal(Decimal { reserved: 0, scale, sign, hi32, lo64 })
        }
        VarType::DATE => Scalar::Date(R8::from(match value {
            Value::String(text) => calendar::to_ole(text)
                .ok_or_else(|| format!("{text:?} is no date like 2026-11-21 or 2026-11-21T20:15:00"))?,
            _ => float()?,
        })),
        _ => return Err("no such type".to_owned()),
    }))
}

/// The digits of a decimal number, and how many of them stand behind the point.
fn decimal(text: &str, most: u8) -> Told<(i128, u8)> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty() && [whole, fraction].iter().all(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= most);
    match (is_number, scale, format!("{whole}{fraction}").parse::<i128>()) {
        (true, Some(scale), Ok(number)) => Ok((sign * number, scale)),
        (true, None, _) => Err(format!("{text} has more than {most} digits behind the point")),
        (true, _, Err(_)) => Err(format!("{text} does not fit")),
        _ => Err(format!("{text:?} is no decimal number")),
    }
}

/// The text of a decimal number with so many digits behind the point.
fn decimal_text(negative: bool, size: u128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{size:0width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if negative { "-" } else { "" })
}

fn array(vt: VarType, items: &[Value], depth: usize) -> Told<Variant<'static>> {
    let each = |(index, value): (usize, &Value)| {
        item(vt, value, depth).map_err(|e| format!("item {}: {e}", index.saturating_add(1)))
    };
    let items = items.iter().enumerate().map(each).collect::<Told<Vec<_>>>()?;
    let elements = elements(vt, items).ok_or("arrays of this type have no readable form: use raw")?;
    let safearray = Some(Box::new(SafeArray::new(vt, elements)));
    Ok(Variant::Array { vt, array: Some(PSafeArray { safearray }) })
}

fn elements(vt: VarType, items: Vec<Variant<'static>>) -> Option<Elements<'static>> {
    fn all<T>(items: &[Variant<'_>], of: impl Fn(&Scalar) -> Option<T>) -> Option<Vec<T>> {
        let one = |item: &Variant<'_>| if let Variant::Scalar(scalar) = item { of(scalar) } else { None };
        items.iter().map(one).collect()
    }
    Some(match vt {
        VarType::VARIANT => Elements::Variant(items.into_iter().map(Some).collect()),
        VarType::BSTR => {
            let text = |item| if let Variant::Bstr(text) = item { Some(text) } else { None };
            Elements::Bstr(items.into_iter().map(text).collect::<Option<_>>()?)
        }
        VarType::I1 | VarType::UI1 => Elements::I1(
            all(&items, |scalar| match scalar {
                Scalar::I1(n) => Some(n.cast_unsigned()),
                Scalar::Ui1(n) => Some(*n),
                _ => None,
            })?
            .into(),
        ),
        VarType::I2 | VarType::UI2 | VarType::BOOL => Elements::I2(all(&items, |scalar| match scalar {
            Scalar::I2(n) => Some(n.cast_unsigned()),
            Scalar::Ui2(n) => Some(*n),
            Scalar::Bool(b) => Some(b.0),
            _ => None,
        })?),
        VarType::I4 | VarType::UI4 | VarType::INT | VarType::UINT | VarType::ERROR | VarType::R4 => {
            Elements::I4(all(&items, |scalar| match scalar {
                Scalar::I4(n) | Scalar::Int(n) => Some(n.cast_unsigned()),
                Scalar::Ui4(n) | Scalar::Uint(n) | Scalar::Error(n) => Some(*n),
                Scalar::R4(n) => Some(n.0),
                _ => None,
            })?)
        }
        VarType::I8 | VarType::UI8 | VarType::R8 | VarType::CY | VarType::DATE => {
            Elements::I8(all(&items, |scalar| match scalar {
                Scalar::I8(n) | Scalar::Currency(n) => Some(n.cast_unsigned()),
                Scalar::Ui8(n) => Some(*n),
                Scalar::R8(n) | Scalar::Date(n) => Some(n.0),
                _ => None,
            })?)
        }
        _ => return None,
    })
}

/// The names of types, in JSON.
const NAMES: &[(&str, VarType)] = &[
    ("i1", VarType::I1),
    ("ui1", VarType::UI1),
    ("i2", VarType::I2),
    ("ui2", VarType::UI2),
    ("i4", VarType::I4),
    ("ui4", VarType::UI4),
    ("i8", VarType::I8),
    ("ui8", VarType::UI8),
    ("int", VarType::INT),
    ("uint", VarType::UINT),
    ("r4", VarType::R4),
    ("r8", VarType::R8),
    ("bool", VarType::BOOL),
    ("error", VarType::ERROR),
    ("currency", VarType::CY),
    ("date", VarType::DATE),
    ("decimal", VarType::DECIMAL),
    ("bstr", VarType::BSTR),
    ("variant", VarType::VARIANT),
];

fn vt(name: &str) -> Option<VarType> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, vt)| *vt)
}

/// JSON that tells the same VARIANT.
pub fn json(value: &Variant<'_>) -> Value {
    let told = readable(value);
    // Two VARIANTs that print alike, as a number with bits that JSON has not.
    match told {
        Some(told) if variant(&told).is_ok_and(|again| again == *value) => told,
        _ => json!({ "raw": serde_json::to_value(value).unwrap_or_default() }),
    }
}

fn readable(value: &Variant<'_>) -> Option<Value> {
    Some(match value {
        Variant::Empty => json!({ "empty": true }),
        Variant::Null => Value::Null,
        missing if *missing == Variant::MISSING => json!({ "missing": true }),
        Variant::Scalar(scalar) => self::scalar(scalar)?,
        Variant::Bstr(None) => json!({ "bstr": null }),
        Variant::Bstr(Some(text)) => Value::String(text.text.as_ref()?.to_text().ok()?),
        Variant::Unknown(None) => json!({ "unknown": null }),
        Variant::Dispatch(None) => json!({ "dispatch": null }),
        Variant::Array { vt, array } => self::items(*vt, array.as_ref()?)?,
        _ => return None,
    })
}

fn scalar(scalar: &Scalar) -> Option<Value> {
    let named = |value: Value| {
        let name = NAMES.iter().find(|(_, vt)| *vt == scalar.vt()).map(|(name, _)| *name);
        name.map(|name| json!({ name: value }))
    };
    let float = |number: f64| serde_json::Number::from_f64(number).map(Value::Number);
    match scalar {
        Scalar::I4(n) => Some(json!(n)),
        Scalar::Bool(b) => Some(json!(b.value())),
        Scalar::R8(n) => float(n.value()),
        Scalar::I1(n) => named(json!(n)),
        Scalar::Ui1(n) => named(json!(n)),
        Scalar::I2(n) => named(json!(n)),
        Scalar::Ui2(n) => named(json!(n)),
        Scalar::Ui4(n) | Scalar::Uint(n) | Scalar::Error(n) => named(json!(n)),
        Scalar::I8(n) => named(json!(n)),
        Scalar::Ui8(n) => named(json!(n)),
        Scalar::Int(n) => named(json!(n)),
        Scalar::R4(n) => named(float(n.value().into())?),
        Scalar::Currency(n) => named(json!(decimal_text(*n < 0, n.unsigned_abs().into(), 4))),
        Scalar::Date(n) => named(match calendar::of_ole(n.value()) {
            Some(text) => Value::String(text),
            None => float(n.value())?,
        }),
        Scalar::Decimal(n) if n.scale <= 28 => {
            let size = u128::from(n.hi32) << 64 | u128::from(n.lo64);
            named(json!(decimal_text(n.sign != 0, size, n.scale)))
        }
        _ => None,
    }
}

fn items(vt: VarType, array: &PSafeArray<'_>) -> Option<Value> {
    let elements = &array.safearray.as_deref()?.elements;
    // Only numbers of that type come back the same; what was read is compared in the end.
    let number = |bits: u64| -> Option<Value> {
        #[expect(clippy::cast_possible_truncation, reason = "elements of 1, 2 and 4 bytes have no other bits")]
        let (b1, b2, b4) = (bits as u8, bits as u16, bits as u32);
        let scalar = match vt {
            VarType::I1 => Scalar::I1(b1.cast_signed()),
            VarType::UI1 => Scalar::Ui1(b1),
            VarType::I2 => Scalar::I2(b2.cast_signed()),
            VarType::UI2 => Scalar::Ui2(b2),
            VarType::BOOL => Scalar::Bool(remassist::ndr::VariantBool(b2)),
            VarType::I4 => Scalar::I4(b4.cast_signed()),
            VarType::UI4 => Scalar::Ui4(b4),
            VarType::INT => Scalar::Int(b4.cast_signed()),
            VarType::UINT => Scalar::Uint(b4),
            VarType::ERROR => Scalar::Error(b4),
            VarType::R4 => Scalar::R4(R4(b4)),
            VarType::I8 => Scalar::I8(bits.cast_signed()),
            VarType::UI8 => Scalar::Ui8(bits),
            VarType::R8 => Scalar::R8(R8(bits)),
            VarType::CY => Scalar::Currency(bits.cast_signed()),
            VarType::DATE => Scalar::Date(R8(bits)),
            _ => return None,
        };
        // The type stands once, at the array.
        Some(match self::scalar(&scalar)? {
            Value::Object(map) => map.into_iter().next()?.1,
            value => value,
        })
    };
    let items: Option<Vec<Value>> = match elements {
        Elements::I1(items) => items.iter().map(|n| number((*n).into())).collect(),
        Elements::I2(items) => items.iter().map(|n| number((*n).into())).collect(),
        Elements::I4(items) => items.iter().map(|n| number((*n).into())).collect(),
        Elements::I8(items) => items.iter().map(|n| number(*n)).collect(),
        Elements::Bstr(items) => (items.iter())
            .map(|text| match text {
                None => Some(Value::Null),
                Some(text) => text.text.as_ref()?.to_text().ok().map(Value::String),
            })
            .collect(),
        Elements::Variant(items) => items.iter().map(|item| readable(item.as_ref()?)).collect(),
        _ => None,
    };
    let name = NAMES.iter().find(|(_, known)| *known == vt).map(|(name, _)| *name)?;
    let items = Value::Array(items?);
    Some(if vt == VarType::VARIANT { items } else { json!({ "array": name, "items": items }) })
}
