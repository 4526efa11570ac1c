//! Attributes: names, values, their order.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::chars::{escape, is_char, is_name};
use super::{ElementSpec, is_same, plain};
use crate::text::TextCursor;
use crate::{At, EncodeError};

/// Attributes in the order in which they stand, with the values that an XML reader reports.
///
/// The text is held in one piece; a name or value is a slice of it. Text with a secret value is wiped when dropped.
#[derive(Clone, Default)]
pub struct Attributes<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) spans: Vec<Span>,
    /// The text holds, or once held, a secret value.
    pub(super) secret: bool,
}

#[derive(Clone)]
pub(super) struct Span {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) secret: bool,
}

impl<'a> Attributes<'a> {
    /// No attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Cow::Borrowed(""), spans: Vec::new(), secret: false }
    }

    /// The attributes of an element that is all there is to read, such as `<NAME A="1"/>`, and leaves the cursor behind
    /// it. `None`, and nothing has happened, where anything but the plainest form of such an element stands, or its
    /// fields are to be recorded: [`Document::parse`](super::Document::parse) then tells more.
    pub fn parse_plain(cursor: &mut TextCursor<'_, 'a>, element: &'static ElementSpec) -> Option<Self> {
        plain::lone(cursor, element)
    }

    /// Number of attributes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The value of an attribute.
    #[must_use]
    #[inline]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.spans.iter().find(|span| self.is_named(span, name)).map(|span| self.slice(&span.value))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator + '_ {
        let text: &str = &self.text;
        let slice = move |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        self.spans.iter().map(move |span| (slice(&span.name), slice(&span.value)))
    }

    #[inline]
    fn is_named(&self, span: &Span, name: &str) -> bool {
        self.text.as_bytes().get(span.name.clone()).is_some_and(|n| is_same(n, name.as_bytes()))
    }

    #[inline]
    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Sets the value of an attribute, which keeps its place, or adds it at the end.
    pub fn set(&mut self, name: &str, value: &str) {
        self.put(name, value, false);
    }

    /// As [`set`](Self::set); the value is not shown by `Debug` and is wiped when dropped.
    pub fn set_secret(&mut self, name: &str, value: &str) {
        self.put(name, value, true);
    }

    /// [`set`](Self::set) as part of an expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// [`set_secret`](Self::set_secret) as part of an expression.
    #[must_use]
    pub fn with_secret(mut self, name: &str, value: &str) -> Self {
        self.set_secret(name, value);
        self
    }

    /// Removes an attribute; its text stays in memory until the whole is dropped.
    pub fn remove(&mut self, name: &str) {
        let text = &self.text;
        self.spans.retain(|span| text.get(span.name.clone()) != Some(name));
    }

    fn put(&mut self, name: &str, value: &str, secret: bool) {
        self.reserve(name.len().saturating_add(value.len()));
        self.secret |= secret;
        let value = self.append(value);
        match self.spans.iter().position(|span| self.is_named(span, name)) {
            Some(at) => {
                if let Some(span) = self.spans.get_mut(at) {
                    span.value = value;
                    span.secret |= secret;
                }
            }
            None => {
                let name = self.append(name);
                self.spans.push(Span { name, value, secret });
            }
        }
    }

    pub(super) fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.to_mut().push_str(text);
        start..self.text.len()
    }

    /// Makes room without leaving a copy of a secret behind.
    pub(super) fn reserve(&mut self, additional: usize) {
        let wanted = self.text.len().saturating_add(additional);
        if let Cow::Owned(text) = &self.text
            && text.capacity() >= wanted
        {
            return;
        }
        let mut larger = String::with_capacity(wanted.saturating_mul(2));
        larger.push_str(&self.text);
        self.wipe();
        self.text = Cow::Owned(larger);
    }

    fn wipe(&mut self) {
        if let Cow::Owned(text) = &mut self.text
            && self.secret
        {
            crate::secret::wipe_text(text);
        }
    }

    /// The same attributes, borrowed from nobody.
    #[must_use]
    pub fn into_owned(mut self) -> Attributes<'static> {
        let text = core::mem::take(&mut self.text);
        Attributes {
            text: Cow::Owned(text.into_owned()),
            spans: core::mem::take(&mut self.spans),
            secret: self.secret,
        }
    }

    /// Checks that names and values can stand in XML.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`].
    pub fn check(&self, at: &'static At) -> Result<(), EncodeError> {
        for (index, (name, value)) in self.iter().enumerate() {
            if !is_name(name) {
                return Err(EncodeError::Invalid { at, reason: "an attribute's name is not an XML name" });
            }
            if !value.chars().all(is_char) {
                return Err(EncodeError::Invalid { at, reason: "a character cannot stand in XML" });
            }
            if self.iter().take(index).any(|(other, _)| other == name) {
                return Err(EncodeError::Invalid { at, reason: "an attribute stands twice" });
            }
        }
        Ok(())
    }

    /// Writes each attribute with a blank before it.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for (name, value) in self.iter() {
            out.write_str(" ")?;
            out.write_str(name)?;
            out.write_str("=\"")?;
            escape(value, out)?;
            out.write_str("\"")?;
        }
        Ok(())
    }
}

impl Drop for Attributes<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Constant time for secret values of the same length; lengths are not hidden.
impl PartialEq for Attributes<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Span, b: &Span| {
            let (x, y) = (self.slice(&a.value), other.slice(&b.value));
            let values = if a.secret || b.secret {
                crate::constant_time_eq(x.as_bytes(), y.as_bytes())
            } else {
                x == y
            };
            values && self.slice(&a.name) == other.slice(&b.name)
        };
        self.len() == other.len() && self.spans.iter().zip(&other.spans).all(|(a, b)| same(a, b))
    }
}

impl Eq for Attributes<'_> {}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |span: &Span| if span.secret { "Secret(..)" } else { self.slice(&span.value) };
        f.debug_map().entries(self.spans.iter().map(|span| (self.slice(&span.name), shown(span)))).finish()
    }
}

#[cfg(feature = "serde")]
mod json {
    use super::{Attributes, String, fmt};
    use crate::Secret;
    use serde::de::{Error, MapAccess, Visitor};
    use serde::ser::SerializeMap as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Value {
        Plain(String),
        Hidden(Secret<String>),
    }

    /// An object; the values of secret attributes are `{"secret": ".."}`.
    impl Serialize for Attributes<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.len()))?;
            for span in &self.spans {
                let value = self.slice(&span.value);
                if span.secret {
                    map.serialize_entry(self.slice(&span.name), &Secret::new(String::from(value)))?;
                } else {
                    map.serialize_entry(self.slice(&span.name), value)?;
                }
            }
            map.end()
        }
    }

    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Attributes<'static>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of attributes")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut attributes = Attributes::new();
            while let Some(name) = map.next_key::<String>()? {
                if attributes.get(&name).is_some() {
                    return Err(A::Error::custom("an attribute stands twice"));
                }
                match map.next_value::<Value>() {
                    Ok(Value::Plain(value)) => attributes.set(&name, &value),
                    Ok(Value::Hidden(value)) => attributes.set_secret(&name, value.expose()),
                    Err(_) => {
                        let message = format_args!("attribute {name:?} is no string, or was redacted");
                        return Err(A::Error::custom(message));
                    }
                }
            }
            Ok(attributes)
        }
    }

    impl<'de> Deserialize<'de> for Attributes<'_> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Entries)
        }
    }
}
