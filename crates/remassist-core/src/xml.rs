//! The small XML of the protocols: elements with attributes, no text, no declarations of entities.
//!
//! quick-xml finds the tags; what is kept is what the protocols mean: the names, order and values of attributes.
//! Blanks, quotes and comments may change when a document is written again.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;
use zeroize::{Zeroize as _, Zeroizing};

use crate::text::TextCursor;
use crate::{At, DecodeError, DecodeErrorKind as Kind, EncodeError};

/// Attributes of one element at most: comparing their names costs the square of their number.
const MAX_ATTRIBUTES: usize = 256;

/// Elements inside each other at most, whatever [`Limits::depth`](crate::Limits::depth) says: they are written, wiped
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
    fn element(&self, name: &str) -> Option<&'static ElementSpec> {
        self.elements.iter().find(|e| e.name == name)
    }
}

/// Attributes in the order in which they stand, with the values that an XML reader reports.
///
/// The text is held in one piece; a name or value is a slice of it. Text with a secret value is wiped when dropped.
#[derive(Clone, Default)]
pub struct Attributes<'a> {
    text: Cow<'a, str>,
    spans: Vec<Span>,
    /// The text holds, or once held, a secret value.
    secret: bool,
}

#[derive(Clone)]
struct Span {
    name: Range<usize>,
    value: Range<usize>,
    secret: bool,
}

impl<'a> Attributes<'a> {
    /// No attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Cow::Borrowed(""), spans: Vec::new(), secret: false }
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
    pub fn get(&self, name: &str) -> Option<&str> {
        self.spans.iter().find(|span| self.is_named(span, name)).map(|span| self.slice(&span.value))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator + '_ {
        self.spans.iter().map(|span| (self.slice(&span.name), self.slice(&span.value)))
    }

    /// Lengths first: most names differ in them.
    fn is_named(&self, span: &Span, name: &str) -> bool {
        span.name.len() == name.len() && self.text.as_bytes().get(span.name.clone()) == Some(name.as_bytes())
    }

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

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.to_mut().push_str(text);
        start..self.text.len()
    }

    /// Makes room without leaving a copy of a secret behind.
    fn reserve(&mut self, additional: usize) {
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
            text.zeroize();
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

    /// Reads the attributes in a part of the text: what stands between an element's name and the end of its tag.
    fn parse(
        cursor: &TextCursor<'_, 'a>,
        range: Range<usize>,
        spec: Option<&'static ElementSpec>,
        schema: &'static Schema,
    ) -> Result<Self, DecodeError> {
        let at = spec.map_or(&schema.at, |s| &s.at);
        let start = range.start;
        let mut reader = AttributeReader::new(cursor, range, spec, at);
        let text = cursor.slice(reader.range.clone());
        let mut before = 0;
        for attribute in quick_xml::events::attributes::Attributes::new(text, 0).with_checks(false) {
            let Ok(quick_xml::events::attributes::Attribute { key, value: Cow::Borrowed(raw) }) = attribute
            else {
                return Err(cursor.error(
                    start.saturating_add(before),
                    at,
                    Kind::Rule("malformed attribute"),
                ));
            };
            let (name, value) = (range_in(text, key.0), range_in(text, raw));
            let position = start.saturating_add(name.start);
            if !is_name(key.0) {
                return Err(cursor.error(position, at, Kind::Rule("an attribute's name is not an XML name")));
            }
            if !text.get(..name.start).unwrap_or_default().ends_with(is_blank) {
                cursor.must(false, position, at, Kind::Rule("no blank before an attribute"))?;
            }
            before = value.end;
            reader.push(name, value)?;
        }
        Ok(reader.finish())
    }
}

/// Puts attributes together, whoever found them in the text.
struct AttributeReader<'r, 't, 'a> {
    cursor: &'r TextCursor<'t, 'a>,
    /// The part of the text that the attributes stand in.
    range: Range<usize>,
    text: &'t str,
    spec: Option<&'static ElementSpec>,
    at: &'static At,
    spans: Vec<Span>,
    /// Values that differ from what stands in the text; they go behind it.
    extra: Zeroizing<String>,
}

impl<'r, 't, 'a> AttributeReader<'r, 't, 'a> {
    fn new(
        cursor: &'r TextCursor<'t, 'a>,
        range: Range<usize>,
        spec: Option<&'static ElementSpec>,
        at: &'static At,
    ) -> Self {
        let text = cursor.slice(range.clone());
        Self { cursor, range, text, spec, at, spans: Vec::new(), extra: Zeroizing::default() }
    }

    /// Where the attribute is defined; only for errors and the trace.
    fn at_of(&self, name: &str) -> &'static At {
        self.spec.map_or(self.at, |s| s.at_of(name))
    }

    /// One more attribute, whose value means what it shows; the ranges count from the beginning of the part.
    fn push_plain(&mut self, name: Range<usize>, value: Range<usize>) -> Result<(), DecodeError> {
        let text = self.text;
        let key = text.get(name.clone()).unwrap_or_default();
        let limits = self.cursor.limits();
        let (items, string) = (limits.items.min(MAX_ATTRIBUTES), limits.string);
        let same = |span: &Span| span.name.len() == key.len() && text.get(span.name.clone()) == Some(key);
        let (range, kind) = if self.spans.iter().any(same) {
            (&name, Kind::Rule("an attribute stands twice"))
        } else if self.spans.len() >= items {
            (&name, Kind::LimitExceeded { limit: "attributes", max: items })
        } else if value.len() > string {
            (&value, Kind::LimitExceeded { limit: "string bytes", max: string })
        } else {
            if self.spans.is_empty() {
                self.spans.reserve(4);
            }
            let secret = self.spec.is_some_and(|s| s.attributes.iter().any(|a| a.secret && a.name == key));
            self.spans.push(Span { name, value, secret });
            return Ok(());
        };
        Err(self.cursor.error(self.range.start.saturating_add(range.start), self.at_of(key), kind))
    }

    /// One more attribute, whose value may be escaped.
    fn push(&mut self, name: Range<usize>, value: Range<usize>) -> Result<(), DecodeError> {
        self.push_plain(name.clone(), value.clone())?;
        let Self { cursor, text, .. } = *self;
        let at = self.at_of(text.get(name).unwrap_or_default());
        let raw = text.get(value.clone()).unwrap_or_default();
        let value_at = self.range.start.saturating_add(value.start);
        cursor.field(value_at..value_at.saturating_add(raw.len()), at);
        let Some(span) = self.spans.last_mut() else { return Ok(()) };
        if span.secret {
            cursor.secret();
        }
        if !raw.bytes().all(is_plain) {
            if self.extra.is_empty() {
                self.extra.reserve_exact(text.len());
            }
            let from = text.len().saturating_add(self.extra.len());
            unescape_into(raw, &mut self.extra).map_err(|(offset, rule)| {
                cursor.error(value_at.saturating_add(offset), at, Kind::Rule(rule))
            })?;
            span.value = from..text.len().saturating_add(self.extra.len());
        }
        Ok(())
    }

    fn finish(self) -> Attributes<'a> {
        let Self { cursor, range, extra, spans, .. } = self;
        if spans.is_empty() {
            return Attributes::new();
        }
        let secret = spans.iter().any(|s| s.secret);
        let mut attributes = Attributes { text: cursor.cow(range), spans, secret };
        if !extra.is_empty() {
            attributes.reserve(extra.len());
            attributes.append(&extra);
        }
        attributes
    }
}

/// Where a slice of a text stands in it.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
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
        Parser::new(cursor, schema).run()
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

/// One element that is open while its children are read.
struct Open<'a> {
    element: Element<'a>,
    group: crate::Group,
}

struct Parser<'p, 't, 'a> {
    cursor: &'p mut TextCursor<'t, 'a>,
    schema: &'static Schema,
    start: usize,
    open: Vec<Open<'a>>,
    elements: usize,
    declaration: Option<Attributes<'a>>,
}

impl<'p, 't, 'a> Parser<'p, 't, 'a> {
    fn new(cursor: &'p mut TextCursor<'t, 'a>, schema: &'static Schema) -> Self {
        let start = cursor.position();
        Self { cursor, schema, start, open: Vec::new(), elements: 0, declaration: None }
    }

    fn run(mut self) -> Result<Document<'a>, DecodeError> {
        loop {
            let finished = match self.plain()? {
                Some(finished) => finished,
                None => self.other()?,
            };
            if let Some(root) = finished {
                return Ok(Document { declaration: self.declaration, root });
            }
        }
    }

    /// A tag in the form that peers write, found in one pass: ASCII names, one blank before each attribute, values in
    /// double quotes that mean what they show. `None`, and nothing has happened, when it is anything else.
    fn plain(&mut self) -> Result<Option<Option<Element<'a>>>, DecodeError> {
        let position = self.cursor.position();
        let text = self.cursor.rest();
        let (closing, body) = match text.as_bytes() {
            [b'<', b'/', body @ ..] => (true, body),
            [b'<', body @ ..] if !self.cursor.tracing() => (false, body),
            _ => return Ok(None),
        };
        let Some((name_len, mut rest)) = plain_name(body) else { return Ok(None) };
        let name_at = position.saturating_add(text.len()).saturating_sub(body.len());
        let name_at = name_at..name_at.saturating_add(name_len);
        let end = |rest: &[u8]| position.saturating_add(text.len()).saturating_sub(rest.len());
        if closing {
            let [b'>', rest @ ..] = rest else { return Ok(None) };
            return self.end_tag(name_at, end(rest)).map(Some);
        }
        let name = self.cursor.slice(name_at.clone());
        let spec = self.schema.element(name);
        let at = spec.map_or(&self.schema.at, |s| &s.at);
        let mut reader = AttributeReader::new(self.cursor, name_at.end..end(&[]), spec, at);
        let (empty, rest) = loop {
            match rest {
                [b'>', rest @ ..] => break (false, rest),
                [b'/', b'>', rest @ ..] | [b' ', b'/', b'>', rest @ ..] => break (true, rest),
                [b' ', attribute @ ..] => {
                    let Some((name_len, [b'=', b'"', value @ ..])) = plain_name(attribute) else {
                        return Ok(None);
                    };
                    let Some((value_len, next)) = plain_value(value) else { return Ok(None) };
                    let from = end(attribute).saturating_sub(name_at.end);
                    let value_at = from.saturating_add(name_len).saturating_add(2);
                    reader.push_plain(
                        from..from.saturating_add(name_len),
                        value_at..value_at.saturating_add(value_len),
                    )?;
                    rest = next;
                }
                _ => return Ok(None),
            }
        };
        reader.range.end = end(rest);
        let attributes = reader.finish();
        if attributes.secret {
            self.cursor.secret();
        }
        self.enter(position, name)?;
        let group = self.cursor.open_at(position, at);
        self.begin(empty, name_at, spec, attributes, group, end(rest)).map(Some)
    }

    /// One token that is anything else, found by quick-xml.
    fn other(&mut self) -> Result<Option<Element<'a>>, DecodeError> {
        let position = self.cursor.position();
        let text = self.cursor.rest();
        if text.starts_with('\u{FEFF}') {
            // quick-xml would take it for a byte order mark and leave it out of its positions.
            return Err(self.fail(position, "text where only XML elements may stand"));
        }
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        // End tags are matched here: one kind of stray end tag is known from real files.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        let event = reader.read_event().map_err(|e| {
            let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
            self.fail(position.saturating_add(at), syntax_rule(&e))
        })?;
        let len = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let after = position.saturating_add(len);
        let range = |part: &str| {
            let range = range_in(text, part);
            position.saturating_add(range.start)..position.saturating_add(range.end)
        };
        let empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.name().0;
                let (spec, at) = self.enter(position, name)?;
                if !is_name(name) {
                    let rule = Kind::Rule("an element's name is not an XML name");
                    return Err(self.cursor.error(position, at, rule));
                }
                let group = self.cursor.open_at(position, at);
                let attributes =
                    Attributes::parse(self.cursor, range(tag.attributes_raw()), spec, self.schema)?;
                return self.begin(empty, range(name), spec, attributes, group, after);
            }
            Event::End(tag) => return self.end_tag(range(tag.name().0), after),
            Event::Decl(tag) => {
                if position != self.start {
                    return Err(self.fail(position, "an XML declaration that does not come first"));
                }
                let content: &str = &tag;
                let content = range(content.strip_prefix("xml").unwrap_or(content));
                self.declaration = Some(Attributes::parse(self.cursor, content, None, self.schema)?);
            }
            Event::Text(blank) if blank.chars().all(is_blank) => {}
            Event::Comment(_) | Event::PI(_) => {}
            Event::DocType(_) => return Err(self.fail(position, "a DOCTYPE is refused")),
            Event::Eof => return Err(self.fail(position, "the text ends before the XML element does")),
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                return Err(self.fail(position, "text where only XML elements may stand"));
            }
        }
        self.cursor.advance(len);
        Ok(None)
    }

    fn fail(&self, position: usize, rule: &'static str) -> DecodeError {
        self.cursor.error(position, &self.schema.at, Kind::Rule(rule))
    }

    /// Checks the limits that one more element could exceed.
    fn enter(
        &mut self,
        position: usize,
        name: &str,
    ) -> Result<(Option<&'static ElementSpec>, &'static At), DecodeError> {
        let spec = self.schema.element(name);
        let at = spec.map_or(&self.schema.at, |s| &s.at);
        let limits = self.cursor.limits();
        let max = limits.depth.min(MAX_DEPTH);
        if self.open.len() >= max {
            let kind = Kind::LimitExceeded { limit: "depth of elements", max };
            return Err(self.cursor.error(position, at, kind));
        }
        self.elements = self.elements.saturating_add(1);
        if self.elements > limits.items {
            let kind = Kind::LimitExceeded { limit: "elements", max: limits.items };
            return Err(self.cursor.error(position, at, kind));
        }
        Ok((spec, at))
    }

    /// Opens an element, or takes it whole when its tag closes itself; returns it when it is the root.
    fn begin(
        &mut self,
        empty: bool,
        name: Range<usize>,
        spec: Option<&'static ElementSpec>,
        attributes: Attributes<'a>,
        group: crate::Group,
        after: usize,
    ) -> Result<Option<Element<'a>>, DecodeError> {
        let name = match spec {
            Some(spec) => Cow::Borrowed(spec.name),
            None => self.cursor.cow(name),
        };
        self.cursor.move_to(after);
        let element = Element { name, attributes, children: Vec::new() };
        if empty {
            return Ok(self.complete(element, group));
        }
        self.open.push(Open { element, group });
        Ok(None)
    }

    fn end_tag(&mut self, name: Range<usize>, after: usize) -> Result<Option<Element<'a>>, DecodeError> {
        let name = self.cursor.slice(name);
        let position = self.cursor.position();
        if self.open.last().is_some_and(|o| o.element.name == name) {
            self.cursor.move_to(after);
            return Ok(self.open.pop().and_then(|o| self.complete(o.element, o.group)));
        }
        // `<UPLOADDATA ... /></UPLOADDATA>` is printed in [MS-RAI] 6: the tag closes itself and is closed again.
        let again = self.open.last().and_then(|o| o.element.children.last()).is_some_and(|c| c.name == name);
        let at = self.schema.element(name).map_or(&self.schema.at, |s| &s.at);
        let rule = Kind::Rule("an end tag without its start tag");
        if !again {
            return Err(self.cursor.error(position, at, rule));
        }
        self.cursor.must(false, position, at, rule)?;
        self.cursor.move_to(after);
        Ok(None)
    }

    /// Gives an element whose end was read to its parent; returns it when it has none.
    fn complete(&mut self, element: Element<'a>, group: crate::Group) -> Option<Element<'a>> {
        self.cursor.close(group);
        match self.open.last_mut() {
            Some(parent) => {
                parent.element.children.push(element);
                None
            }
            None => Some(element),
        }
    }
}

/// Length of a name of ASCII letters, digits and signs, and what follows it.
fn plain_name(text: &[u8]) -> Option<(usize, &[u8])> {
    let len = text.iter().position(|b| class(*b) & NAME == 0)?;
    let starts = class(*text.first()?) & START != 0;
    if starts { Some((len, text.get(len..)?)) } else { None }
}

/// Length of a value that means what it shows, up to its quote, and what follows the quote.
fn plain_value(text: &[u8]) -> Option<(usize, &[u8])> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The top bit of each byte that is zero, perhaps also of bytes above one.
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let is = |x: u64, byte: u8| zero(x ^ ONES.wrapping_mul(u64::from(byte)));
    let mut len = 0_usize;
    for word in text.as_chunks::<8>().0 {
        let x = u64::from_le_bytes(*word);
        let below_space = x.wrapping_sub(ONES.wrapping_mul(0x20)) & !x & HIGHS;
        if (below_space | is(x, b'"') | is(x, b'&') | is(x, b'<') | is(x, 0xEF)) != 0 {
            break;
        }
        len = len.saturating_add(8);
    }
    let rest = text.get(len..)?;
    let more = rest.iter().position(|b| class(*b) & VALUE == 0)?;
    let [b'"', rest @ ..] = rest.get(more..)? else { return None };
    Some((len.saturating_add(more), rest))
}

/// May begin a name.
const START: u8 = 1;
/// May stand in a name.
const NAME: u8 = 2;
/// Means itself in a value in double quotes.
const VALUE: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0_u8;
    while let Some((class, more)) = rest.split_first_mut() {
        if byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') {
            *class |= START | NAME;
        }
        if byte.is_ascii_digit() || matches!(byte, b'-' | b'.') {
            *class |= NAME;
        }
        if is_plain(byte) && byte != b'"' {
            *class |= VALUE;
        }
        byte = byte.wrapping_add(1);
        rest = more;
    }
    classes
};

#[expect(clippy::indexing_slicing, reason = "every byte is an index below 256")]
fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

fn syntax_rule(error: &quick_xml::Error) -> &'static str {
    use quick_xml::errors::{Error, SyntaxError};
    match error {
        Error::Syntax(SyntaxError::UnclosedTag) => "the text ends inside a tag",
        Error::Syntax(SyntaxError::UnclosedComment) => "the text ends inside a comment",
        Error::Syntax(
            SyntaxError::UnclosedSingleQuotedAttributeValue | SyntaxError::UnclosedDoubleQuotedAttributeValue,
        ) => "the text ends inside an attribute's value",
        Error::Syntax(_) => "malformed markup",
        Error::IllFormed(_) => "the XML is not well-formed",
        _ => "the XML cannot be read",
    }
}

/// A byte of a value that means itself. 0xEF begins U+FFFE and U+FFFF, which are looked at one by one.
const fn is_plain(b: u8) -> bool {
    b >= 0x20 && b != b'&' && b != b'<' && b != 0xEF
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// `Char` of XML 1.0.
const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Close enough to `Name` of XML 1.0: nothing that could end a name, a tag or a value.
fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_numeric() || c == '-' || c == '.')
}

/// The value that an XML reader reports: references resolved, literal blanks made spaces (XML 1.0, 3.3.3).
fn unescape_into(raw: &str, out: &mut String) -> Result<(), (usize, &'static str)> {
    let mut rest = raw;
    let mut offset = 0_usize;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        let value = match c {
            '\r' if rest.starts_with("\r\n") => {
                used = 2;
                ' '
            }
            '\r' | '\n' | '\t' => ' ',
            '<' => return Err((offset, "'<' in an attribute's value")),
            '&' => {
                let end = rest.find(';').ok_or((offset, "'&' that begins no reference"))?;
                used = end.saturating_add(1);
                let name = rest.get(1..end).unwrap_or_default();
                reference(name).ok_or((offset, "a reference that is not predefined in XML"))?
            }
            c if is_char(c) => c,
            _ => return Err((offset, "a character that cannot stand in XML")),
        };
        out.push(value);
        rest = rest.get(used..).unwrap_or_default();
        offset = offset.saturating_add(used);
    }
    Ok(())
}

fn reference(name: &str) -> Option<char> {
    let number = |digits: &str, radix| {
        let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten()
    };
    let code = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    };
    char::from_u32(code?).filter(|c| is_char(*c))
}

fn escape(value: &str, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut rest = value;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\t', '\n', '\r']) {
        let (plain, special) = rest.split_at(at);
        out.write_str(plain)?;
        out.write_str(match special.chars().next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            Some('\t') => "&#x9;",
            Some('\n') => "&#xA;",
            _ => "&#xD;",
        })?;
        rest = special.get(1..).unwrap_or_default();
    }
    out.write_str(rest)
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
