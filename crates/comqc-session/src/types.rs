//! Types of parameters ([MC-COMQC] 2.2.6.1.3, [MS-OAUT] 2.2.49.3).

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use ndr_oaut::{Elements, SafeArray, Scalar, VarType, Variant};
use uuid::Uuid;

use crate::{RecordRef, dispatch};

/// The type of a parameter: an Automation type, as no other can be recorded ([MC-COMQC] 2.2.6.1.3).
///
/// Text is that of the IDL: `long`, `BSTR`, `SAFEARRAY(VARIANT)`, `enum`, `IUnknown*`, `interface {IID}`, `record Name`,
/// `record {GUID}`, `[unique] long*`. Values are [`Variant`]s of the type that [`vt`](Self::vt) tells.
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
    /// `record Name` or `record {GUID}`: a user-defined type ([MS-OAUT] 2.2.28). In NDR it is what the table of its interface
    /// declares; the value is a [`Record`](ndr_oaut::Record) with its bytes, of which [`RecordType`](crate::RecordType) makes
    /// the values of the fields.
    Record(RecordRef),
    /// `[unique] T*`: a pointer that may be null, to any type but pointers like this and `PSAFEARRAY`. The value has `VT_BYREF`
    /// ([MS-OAUT] 2.2.49.3), that of the null pointer is [`Variant::Null`].
    Unique(Box<Type>),
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
            Self::Record(record) => write!(f, "record {record}"),
            Self::Unique(ty) => write!(f, "[unique] {ty}*"),
            Self::SafeArray(element) => write!(f, "SAFEARRAY({element})"),
            Self::PSafeArray(element) => write!(f, "PSAFEARRAY({element})"),
        }
    }
}

/// Text that is no type that can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a type of Automation such as long, BSTR, VARIANT, SAFEARRAY(BSTR), IUnknown*, interface {{IID}}, record Name, [unique] long*"
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
                    Self::Record(RecordRef::read(record.trim()).ok_or(TypeError)?)
                } else if let Some(pointer) = text.strip_prefix("[unique]") {
                    // Not more than one level, here too.
                    let ty = pointer.strip_suffix('*').filter(|ty| !ty.contains("[unique]"));
                    Self::unique(ty.ok_or(TypeError)?.parse()?).ok_or(TypeError)?
                } else {
                    let (text, more) = text.strip_prefix('P').map_or((text, false), |text| (text, true));
                    let element = text.strip_prefix("SAFEARRAY(").and_then(|text| text.strip_suffix(')'));
                    // Not more than one level: what is inside is no array.
                    let element = element
                        .filter(|element| !element.contains("SAFEARRAY") && !element.contains("[unique]"));
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

    /// A unique pointer; `None` where there are no pointers to that.
    #[must_use]
    pub fn unique(ty: Type) -> Option<Self> {
        ty.is_pointee().then(|| Self::Unique(Box::new(ty)))
    }

    /// Whether there are arrays of it.
    pub(crate) fn is_element(&self) -> bool {
        self.innermost().is_none() && self.vt() != VarType::DECIMAL
    }

    fn is_pointee(&self) -> bool {
        !matches!(self, Self::Unique(_) | Self::PSafeArray(_))
    }

    /// Whether it is a type at all, in all that is inside.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::SafeArray(element) | Self::PSafeArray(element) => element.is_element(),
            Self::Unique(ty) => ty.is_pointee() && ty.is_whole(),
            _ => true,
        }
    }

    /// What an array or a pointer is one of, or of which a pointer points to an array.
    pub(crate) fn innermost(&self) -> Option<&Type> {
        match self {
            Self::Unique(ty) => Some(ty.innermost().unwrap_or(ty)),
            _ => self.element(),
        }
    }

    /// The record that it is, or that it has as elements or behind a pointer.
    pub(crate) fn record(&self) -> Option<&RecordRef> {
        match self.innermost().unwrap_or(self) {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    pub(crate) fn record_mut(&mut self) -> Option<&mut RecordRef> {
        match self {
            Self::Record(record) => Some(record),
            Self::SafeArray(ty) | Self::PSafeArray(ty) | Self::Unique(ty) => ty.record_mut(),
            _ => None,
        }
    }

    /// The alignment in NDR of what stands in place.
    pub(crate) fn align(&self) -> usize {
        match self {
            Self::Scalar(scalar) => match scalar.0 {
                VarType::I1 | VarType::UI1 => 1,
                VarType::I2 | VarType::UI2 | VarType::BOOL => 2,
                VarType::I8 | VarType::UI8 | VarType::R8 | VarType::CY | VarType::DATE | VarType::DECIMAL => {
                    8
                }
                _ => 4,
            },
            Self::Enum16 => 2,
            Self::Record(record) => record.declared().map_or(1, crate::RecordType::align),
            _ => 4,
        }
    }

    /// The value of a pointer to a value of this type.
    pub(crate) fn pointed<'a>(&self, value: Variant<'a>) -> Variant<'a> {
        match self {
            Self::Variant => Variant::VariantRef(Some(Box::new(value))),
            _ => dispatch::referenced(value),
        }
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
            Self::Unique(ty) => ty.vt().by_ref(),
            Self::SafeArray(element) | Self::PSafeArray(element) => element.vt().array(),
        }
    }

    /// Whether a value is one of this type. A VARIANT may be anything; the bytes of records are not looked at.
    #[must_use]
    pub fn holds(&self, value: &Variant<'_>) -> bool {
        match (self, value) {
            (Self::Variant, _) | (Self::Unique(_), Variant::Null) => true,
            (Self::Unique(ty), Variant::VariantRef(value)) => **ty == Self::Variant && value.is_some(),
            (Self::Unique(ty), _) => value.vt().is_by_ref() && **ty != Self::Variant && ty.fits(value),
            _ => !value.vt().is_by_ref() && self.fits(value),
        }
    }

    /// Whether it is the type of a value, by reference or not.
    fn fits(&self, value: &Variant<'_>) -> bool {
        match (self, value) {
            (Self::Enum16, Variant::Scalar(Scalar::I4(number)) | Variant::ScalarRef(Scalar::I4(number))) => {
                u16::try_from(*number).is_ok()
            }
            (Self::Interface(_), Variant::Dispatch(_) | Variant::DispatchRef(_)) => true,
            (Self::Record(record), Variant::Record(None) | Variant::RecordRef(None)) => {
                record.declared().is_none()
            }
            (
                Self::SafeArray(element) | Self::PSafeArray(element),
                Variant::Array { vt, array } | Variant::ArrayRef { vt, array },
            ) => {
                let array = array.as_ref().and_then(|array| array.safearray.as_deref());
                *vt == element.vt() && array.is_none_or(|array| fits(array, *vt))
            }
            _ => value.vt().by_ref() == self.vt().by_ref(),
        }
    }

    /// The record whose GUID or library a value does not tell, as an array (and in a VARIANT a record, too) must.
    pub(crate) fn untold<'t>(&'t self, value: &Variant<'_>, in_variant: bool) -> Option<&'t RecordRef> {
        let record = self.record()?;
        let told = match value {
            Variant::Record(Some(value)) | Variant::RecordRef(Some(value)) => {
                !in_variant || value.info.is_some()
            }
            Variant::Array { array, .. } | Variant::ArrayRef { array, .. } => {
                let array = array.as_ref().and_then(|array| array.safearray.as_deref());
                match array.map(|array| &array.elements) {
                    Some(Elements::Record(records)) => records.iter().flatten().all(|r| r.info.is_some()),
                    _ => true,
                }
            }
            _ => true,
        };
        (!told).then_some(record)
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
