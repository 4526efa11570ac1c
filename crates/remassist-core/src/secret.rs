//! Values that must not reach a log, an error or somebody else's memory.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

/// A value that is wiped when dropped, redacted in `Debug`, has no `Display`, and is compared in constant time.
///
/// With the feature `serde` it is written as `{"secret": ..}`, so that a program can find and redact it; the redacted
/// form `{"secret": null}` cannot be read again.
///
/// ```
/// use remassist_core::Secret;
///
/// let password = Secret::new(String::from("correct horse"));
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// assert_eq!(password.expose(), "correct horse");
/// ```
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a value in.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. What is copied out of it is no longer wiped.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Another secret made of this one; the old one is wiped.
    #[must_use]
    pub fn map<U: Zeroize>(self, f: impl FnOnce(&T) -> U) -> Secret<U> {
        Secret::new(f(&self.0))
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Constant time for values of the same length; lengths are not hidden.
impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.0.as_ref(), other.0.as_ref())
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Overwrites text with zeros, all of its memory: what `zeroize` does, but many bytes at a time.
pub(crate) fn wipe_text(text: &mut String) {
    wipe(&mut core::mem::take(text).into_bytes());
}

/// Overwrites bytes with zeros, all of their memory: what `zeroize` does, but many bytes at a time.
pub(crate) fn wipe(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.resize(bytes.capacity(), 0);
    zeroize::optimization_barrier(bytes.as_slice());
    bytes.clear();
}

/// Compares in constant time for inputs of the same length; lengths are not hidden.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(feature = "serde")]
mod json {
    use super::{Secret, Zeroize};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    #[serde(rename = "Secret")]
    struct Shown<'a, T> {
        secret: &'a T,
    }

    #[derive(Deserialize)]
    #[serde(rename = "Secret")]
    struct MaybeShown<T> {
        secret: Option<T>,
    }

    impl<T: Zeroize + Serialize> Serialize for Secret<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            Shown { secret: self.expose() }.serialize(serializer)
        }
    }

    impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let shown = MaybeShown::deserialize(deserializer)?;
            shown.secret.map(Self::new).ok_or_else(|| D::Error::custom("the secret was redacted"))
        }
    }
}
