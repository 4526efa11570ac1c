//! Values as people write and read them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ndr_oaut::Variant;
use remassist_core::Hex;

use crate::shown::Shown;
use crate::written::Written;
use crate::{Records, Type};

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
pub(crate) const MAX_DEPTH: usize = 32;

pub(crate) fn map<const N: usize>(parts: [(&str, Plain); N]) -> Plain {
    Plain::Map(parts.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

pub(crate) fn hex(bytes: &[u8]) -> Plain {
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
    /// bytes `{"hex": ".."}`, one of more dimensions `{"bounds": [[elements, lower], ..], "elements": [..]}`; a record that is
    /// declared the values of its fields by name, another one `{"flags": 1, "info": hex, "records": hex}`; a unique pointer
    /// `null` or the value, and `{"to": null}` where the value is `null`. What no type tells, in a VARIANT, is as
    /// [`of_variant`](Self::of_variant).
    #[must_use]
    pub fn of(ty: &Type, value: &Variant<'_>) -> Self {
        Self::of_with(ty, value, &Records::default())
    }

    /// As [`of`](Self::of); these records are known in a VARIANT, too: `{"type": "record Line", "value": {..}}`.
    #[must_use]
    pub fn of_with(ty: &Type, value: &Variant<'_>, records: &Records) -> Self {
        Shown::new(records).of(ty, value)
    }

    /// A value that tells its type: a `long` is `7`, a `double` `7.5`, a BSTR `"text"`, a VARIANT_BOOL `true`, `VT_NULL` `null`,
    /// a VARIANT without a value `{"type": "empty"}`, anything else `{"type": "short", "value": 7}`, with `"ref": true` by
    /// reference.
    #[must_use]
    pub fn of_variant(value: &Variant<'_>) -> Self {
        Self::of(&Type::Variant, value)
    }

    /// The value of a type.
    ///
    /// # Errors
    /// When it is not one of this type.
    pub fn value(&self, ty: &Type) -> Result<Variant<'static>, ValueError> {
        self.value_with(ty, &Records::default())
    }

    /// As [`value`](Self::value); these records are known in a VARIANT, too.
    ///
    /// # Errors
    /// When it is not one of this type.
    pub fn value_with(&self, ty: &Type, records: &Records) -> Result<Variant<'static>, ValueError> {
        Written { records }.typed(self, ty, 0)
    }
}
