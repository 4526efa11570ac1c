//! Types of parameters ([MC-COMQC] 2.2.6.1.3, [MS-OAUT] 2.2.49.3).

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use ndr_oaut::{InterfacePointer, PSafeArray, Reader, SafeArray, Scalar, VarType, Variant, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind};
use uuid::Uuid;

/// The type of a parameter: an Automation type, as no other can be recorded ([MC-COMQC] 2.2.6.1.3).
///
/// Text is that of the IDL: `long`, `BSTR`, `SAFEARRAY(VARIANT)`, `enum`, `IUnknown*`, `interface {IID}`, `record {GUID}`.
/// Values are [`Variant`]s of the type that [`vt`](Self::vt) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A type without pointers: `char`, `unsigned char`, `short`, `unsigned short`, `long`, `unsigned long`, `int`,
    /// `unsigned int`, `hyper`, `unsigned hyper`, `float`, `double`, `VARIANT_BOOL`, `SCODE`, `CURRENCY`, `DATE`, `DECIMAL`.
    Scalar(ScalarType),
    /// `v1_enum`: an enumeration of 4 bytes, also what type libraries make of every enumeration.
    Enum,
    /// `enum`: an enumeration without the attribute `v1_enum`, 2 bytes in NDR (\[C706\] 14.2.5).
    Enum16,
    /// `BSTR`.
    Bstr,
    /// `VARIANT`.
    Variant,
    /// `IUnknown*`: an object by value, of a class that was registered.
    Unknown,
    /// `IDispatch*`.
    Dispatch,
    /// `interface {IID}`: a pointer to another interface.
    Interface(Uuid),
    /// `record {GUID}`: a user-defined type. Its fields are not known, so it is no parameter in NDR.
    Record(Uuid),
    /// `SAFEARRAY(T)`; `T` is neither an array nor a DECIMAL. One pointer in NDR ([MS-OAUT] 6: `SAFEARRAY(type)` is SAFEARRAY).
    SafeArray(Box<Type>),
    /// `PSAFEARRAY(T)`: the same behind one pointer more, what proxies that know it as LPSAFEARRAY write.
    PSafeArray(Box<Type>),
}

/// A type without pointers, by the number that a VARIANT has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalarType(VarType);

impl ScalarType {
    /// The type of this number; `None` when it is none of these.
    #[must_use]
    pub fn new(vt: VarType) -> Option<Self> {
        Scalar::has(vt).then_some(Self(vt))
    }

    /// Its number.
    #[must_use]
    pub fn vt(self) -> VarType {
        self.0
    }
}

/// Names of the IDL, the one to write first.
const NAMES: &[(&str, VarType)] = &[
    ("char", VarType::I1),
    ("unsigned char", VarType::UI1),
    ("short", VarType::I2),
    ("unsigned short", VarType::UI2),
    ("long", VarType::I4),
    ("unsigned long", VarType::UI4),
    ("int", VarType::INT),
    ("unsigned int", VarType::UINT),
    ("hyper", VarType::I8),
    ("unsigned hyper", VarType::UI8),
    ("float", VarType::R4),
    ("double", VarType::R8),
    ("VARIANT_BOOL", VarType::BOOL),
    ("SCODE", VarType::ERROR),
    ("CURRENCY", VarType::CY),
    ("DATE", VarType::DATE),
    ("DECIMAL", VarType::DECIMAL),
    ("HRESULT", VarType::ERROR),
    ("__int64", VarType::I8),
    ("unsigned __int64", VarType::UI8),
];

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => {
                let name = NAMES.iter().find(|(_, vt)| *vt == scalar.0).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
            Self::Enum => f.write_str("v1_enum"),
            Self::Enum16 => f.write_str("enum"),
            Self::Bstr => f.write_str("BSTR"),
            Self::Variant => f.write_str("VARIANT"),
            Self::Unknown => f.write_str("IUnknown*"),
            Self::Dispatch => f.write_str("IDispatch*"),
            Self::Interface(iid) => write!(f, "interface {{{iid}}}"),
            Self::Record(guid) => write!(f, "record {{{guid}}}"),
            Self::SafeArray(element) => write!(f, "SAFEARRAY({element})"),
            Self::PSafeArray(element) => write!(f, "PSAFEARRAY({element})"),
        }
    }
}

/// Text that is no type that can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a type of Automation such as long, BSTR, VARIANT, SAFEARRAY(BSTR), IUnknown*, interface {{IID}}"
)]
pub struct TypeError;

impl FromStr for Type {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let text = text.trim();
        if let Some((_, vt)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Scalar(ScalarType(*vt)));
        }
        let guid = |text: &str| Uuid::try_parse(text.trim()).map_err(|_| TypeError);
        Ok(match text {
            "v1_enum" => Self::Enum,
            "enum" => Self::Enum16,
            "BSTR" => Self::Bstr,
            "VARIANT" => Self::Variant,
            "IUnknown*" => Self::Unknown,
            "IDispatch*" => Self::Dispatch,
            _ => {
                if let Some(iid) = text.strip_prefix("interface ") {
                    Self::Interface(guid(iid)?)
                } else if let Some(record) = text.strip_prefix("record ") {
                    Self::Record(guid(record)?)
                } else {
                    let (text, more) = text.strip_prefix('P').map_or((text, false), |text| (text, true));
                    let element = text.strip_prefix("SAFEARRAY(").and_then(|text| text.strip_suffix(')'));
                    // Not more than one level: what is inside is no array.
                    let element = element.filter(|element| !element.contains("SAFEARRAY"));
                    let array = Self::safe_array(element.ok_or(TypeError)?.parse()?).ok_or(TypeError)?;
                    match array {
                        Self::SafeArray(element) if more => Self::PSafeArray(element),
                        array => array,
                    }
                }
            }
        })
    }
}

const fn at(field: &'static str) -> At {
    At::new("[MC-COMQC]", "2.2.6.1.1", "parameters", field)
}
static PARAMETER: At = at("");
static VARIANT: At = at("VARIANT");
static ARRAY: At = at("SAFEARRAY");

impl Type {
    /// A type without pointers.
    #[must_use]
    pub fn scalar(vt: VarType) -> Option<Self> {
        ScalarType::new(vt).map(Self::Scalar)
    }

    /// An array; `None` where there are no arrays of that.
    #[must_use]
    pub fn safe_array(element: Type) -> Option<Self> {
        element.is_element().then(|| Self::SafeArray(Box::new(element)))
    }

    /// Whether there are arrays of it.
    pub(crate) fn is_element(&self) -> bool {
        self.element().is_none() && self.vt() != VarType::DECIMAL
    }

    /// The type of the elements of an array.
    #[must_use]
    pub fn element(&self) -> Option<&Type> {
        match self {
            Self::SafeArray(element) | Self::PSafeArray(element) => Some(element),
            _ => None,
        }
    }

    /// The type of a VARIANT that holds such a value ([MS-OAUT] 2.2.49.3).
    #[must_use]
    pub fn vt(&self) -> VarType {
        match self {
            Self::Scalar(scalar) => scalar.0,
            Self::Enum | Self::Enum16 => VarType::I4,
            Self::Bstr => VarType::BSTR,
            Self::Variant => VarType::VARIANT,
            Self::Unknown | Self::Interface(_) => VarType::UNKNOWN,
            Self::Dispatch => VarType::DISPATCH,
            Self::Record(_) => VarType::RECORD,
            Self::SafeArray(element) | Self::PSafeArray(element) => element.vt().array(),
        }
    }

    /// Whether a value is one of this type. A VARIANT may be anything.
    #[must_use]
    pub fn holds(&self, value: &Variant<'_>) -> bool {
        match (self, value) {
            (Self::Variant, _) => true,
            (Self::Enum16, Variant::Scalar(Scalar::I4(number))) => u16::try_from(*number).is_ok(),
            (Self::Interface(_), Variant::Dispatch(_)) => true,
            (Self::SafeArray(element) | Self::PSafeArray(element), Variant::Array { vt, array }) => {
                let array = array.as_ref().and_then(|array| array.safearray.as_deref());
                *vt == element.vt() && array.is_none_or(|array| fits(array, *vt))
            }
            _ => value.vt() == self.vt(),
        }
    }

    /// Reads a parameter in NDR, with all that its pointers point to.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn read<'a>(&self, r: &mut Reader<'_, 'a>) -> Result<Variant<'a>, DecodeError> {
        let start = r.offset();
        let rule = |at, rule| DecodeError::new(start, at, DecodeErrorKind::Rule(rule));
        match self {
            Self::Scalar(scalar) => Scalar::read(scalar.0, r, &PARAMETER)?
                .map(Variant::Scalar)
                .ok_or(rule(&PARAMETER, "no type of Automation")),
            Self::Enum => Ok(Variant::Scalar(Scalar::I4(r.value(&PARAMETER)?))),
            Self::Enum16 => Ok(Variant::Scalar(Scalar::I4(r.value::<u16>(&PARAMETER)?.into()))),
            Self::Bstr => Ok(Variant::Bstr(r.value(&PARAMETER)?)),
            Self::Variant => {
                r.value::<Option<Variant<'a>>>(&VARIANT)?.ok_or(rule(&VARIANT, "a VARIANT is a null pointer"))
            }
            Self::Unknown | Self::Interface(_) => Ok(Variant::Unknown(r.value(&PARAMETER)?)),
            Self::Dispatch => Ok(Variant::Dispatch(r.value(&PARAMETER)?)),
            Self::Record(_) => Err(rule(&PARAMETER, "the fields of a record are not known")),
            Self::SafeArray(element) | Self::PSafeArray(element) => {
                let array: Option<PSafeArray<'a>> = match self {
                    Self::PSafeArray(_) => r.value(&ARRAY)?,
                    _ => Some(r.value(&ARRAY)?),
                };
                let value = Variant::Array { vt: element.vt(), array };
                if self.holds(&value) { Ok(value) } else { Err(rule(&ARRAY, "an array of another type")) }
            }
        }
    }

    /// Writes a parameter in NDR, with all that its pointers point to. A value that this type does not
    /// [hold](Self::holds) fails.
    pub fn write(&self, value: &Variant<'_>, w: &mut Writer<'_>) {
        let fits = !matches!(self, Self::Record(_)) && self.holds(value);
        w.need(fits, &PARAMETER, "not a value of this type");
        if !fits {
            return;
        }
        match (self, value) {
            (Self::Variant, value) => {
                w.referent(true);
                w.value(value, &VARIANT);
            }
            (Self::Enum16, Variant::Scalar(Scalar::I4(number))) => {
                w.value(&u16::try_from(*number).unwrap_or_default(), &PARAMETER);
            }
            (_, Variant::Scalar(scalar)) => scalar.write(w, &PARAMETER),
            (_, Variant::Bstr(text)) => w.value(text, &PARAMETER),
            (_, Variant::Unknown(pointer) | Variant::Dispatch(pointer)) => {
                w.value::<Option<InterfacePointer<'_>>>(pointer, &PARAMETER);
            }
            (Self::PSafeArray(_), Variant::Array { array, .. }) => w.value(array, &ARRAY),
            (_, Variant::Array { array: Some(array), .. }) => w.value(array, &ARRAY),
            (_, Variant::Array { array: None, .. }) => w.referent(false),
            _ => {}
        }
    }
}

/// Whether the elements of an array are of a type.
fn fits(array: &SafeArray<'_>, vt: VarType) -> bool {
    array.elements.sf_type().holds(vt) && array.vt().is_none_or(|told| told == vt)
}

#[cfg(feature = "serde")]
impl serde::Serialize for Type {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Type {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
