//! The small XML of the protocols: elements with attributes, no text, no declarations of entities.
//!
//! quick-xml finds the tags, or, where elements stand in the plain form that peers write, one faster pass that tells the
//! same; what is kept is what the protocols mean: the names, order and values of attributes.
//! Blanks, quotes and comments may change when a document is written again.

mod attributes;
mod chars;
mod locate;
mod plain;
mod read;

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

pub use attributes::Attributes;
use chars::is_name;
pub use locate::broken;

use crate::text::TextCursor;
use crate::{At, DecodeError, EncodeError};

/// Attributes of one element at most: comparing their names costs the square of their number.
const MAX_ATTRIBUTES: usize = 256;

/// Elements inside each other at most, whatever [`Limits::depth`](crate::Limits::depth) says: they are written
/// and turned into JSON by recursion.
const MAX_DEPTH: usize = 32;

/// An attribute that a specification defines.
#[derive(Debug)]
pub struct AttributeSpec {
    /// Its name.
    pub name: &'static str,
    /// Where it is defined.
    pub at: At,
    /// Its value must not be shown.
    pub secret: bool,
}

impl AttributeSpec {
    /// An attribute whose value may be shown.
    #[must_use]
    pub const fn new(
        doc: &'static str,
        section: &'static str,
        element: &'static str,
        name: &'static str,
    ) -> Self {
        Self { name, at: At::new(doc, section, element, name), secret: false }
    }

    /// The same attribute with a value that must not be shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// An element that a specification defines.
#[derive(Debug)]
pub struct ElementSpec {
    /// Its name.
    pub name: &'static str,
    /// Where it is defined.
    pub at: At,
    /// The attributes it may have.
    pub attributes: &'static [AttributeSpec],
}

impl ElementSpec {
    fn at_of(&'static self, attribute: &str) -> &'static At {
        self.attributes.iter().find(|a| a.name == attribute).map_or(&self.at, |a| &a.at)
    }

    fn is_secret(&self, attribute: &[u8]) -> bool {
        self.attributes.iter().any(|a| a.secret && a.name.as_bytes() == attribute)
    }
}

/// The elements of one format.
#[derive(Debug)]
pub struct Schema {
    /// The format: errors in what no element defines.
    pub at: At,
    /// Its elements.
    pub elements: &'static [ElementSpec],
}

impl Schema {
    fn element(&self, name: &[u8]) -> Option<&'static ElementSpec> {
        self.elements.iter().find(|e| is_same(e.name.as_bytes(), name))
    }
}

/// Whether two names are the same: most are of different lengths, or too short to be worth a call of `memcmp`.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    const SHORT: usize = 6;
    a.len() == b.len() && if a.len() < SHORT { a.iter().zip(b).all(|(a, b)| a == b) } else { a == b }
}

/// An element: a name, attributes, elements inside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Element<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its attributes.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Attributes::is_empty"))]
    pub attributes: Attributes<'a>,
    /// The elements inside, in order.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub children: Vec<Element<'a>>,
}

impl<'a> Element<'a> {
    /// An element without attributes and children.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self { name: Cow::Borrowed(name), attributes: Attributes::new(), children: Vec::new() }
    }

    /// The same element with other attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes<'a>) -> Self {
        self.attributes = attributes;
        self
    }

    /// The same element with one more child.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The first child of a name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// All children of a name.
    pub fn children_named<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = &'s Self> + 's {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The same element, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Element<'static> {
        Element {
            name: Cow::Owned(self.name.into_owned()),
            attributes: self.attributes.into_owned(),
            children: self.children.into_iter().map(Element::into_owned).collect(),
        }
    }

    /// Checks that the element can be written and read again as it is.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`] or [`EncodeError::TooLarge`].
    pub fn check(&self, at: &'static At) -> Result<(), EncodeError> {
        self.check_below(at, MAX_DEPTH)
    }

    fn check_below(&self, at: &'static At, depth: usize) -> Result<(), EncodeError> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(EncodeError::Invalid { at, reason: "elements are nested too deep" });
        };
        if !is_name(&self.name) {
            return Err(EncodeError::Invalid { at, reason: "an element's name is not an XML name" });
        }
        crate::check_len(self.attributes.len(), MAX_ATTRIBUTES, at)?;
        self.attributes.check(at)?;
        self.children.iter().try_for_each(|child| child.check_below(at, below))
    }

    /// Writes the element in one line, self-closed when it has no children.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("<")?;
        out.write_str(&self.name)?;
        self.attributes.write(out)?;
        if self.children.is_empty() {
            return out.write_str("/>");
        }
        out.write_str(">")?;
        self.children.iter().try_for_each(|child| child.write(out))?;
        out.write_str("</")?;
        out.write_str(&self.name)?;
        out.write_str(">")
    }
}

/// An XML document: perhaps a declaration, and one element.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Document<'a> {
    /// What `<?xml ?>` says, where it stands.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub declaration: Option<Attributes<'a>>,
    /// The outermost element.
    pub root: Element<'a>,
}

impl<'a> Document<'a> {
    /// Reads a document and leaves the cursor behind its root element.
    ///
    /// # Errors
    /// When the text is not well-formed XML, has a DOCTYPE, an entity that is not predefined, text, an attribute
    /// twice, or exceeds a limit.
    pub fn parse(cursor: &mut TextCursor<'_, 'a>, schema: &'static Schema) -> Result<Self, DecodeError> {
        read::Parser::new(cursor, schema).run()
    }

    /// The same document, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Document<'static> {
        Document { declaration: self.declaration.map(Attributes::into_owned), root: self.root.into_owned() }
    }

    /// Checks that the document can be written and read again as it is.
    ///
    /// # Errors
    /// [`EncodeError::Invalid`] or [`EncodeError::TooLarge`].
    pub fn check(&self, at: &'static At) -> Result<(), EncodeError> {
        if let Some(declaration) = &self.declaration {
            crate::check_len(declaration.len(), MAX_ATTRIBUTES, at)?;
            declaration.check(at)?;
        }
        self.root.check(at)
    }

    /// Writes the declaration in a line of its own, then the root element in one line.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        if let Some(declaration) = &self.declaration {
            out.write_str("<?xml")?;
            declaration.write(out)?;
            out.write_str("?>\n")?;
        }
        self.root.write(out)
    }
}
