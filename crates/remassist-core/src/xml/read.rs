//! XML read by quick-xml, tag by tag.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;
use quick_xml::events::attributes::{Attribute, Attributes as RawAttributes};
use zeroize::Zeroizing;

use super::attributes::{Attributes, Span};
use super::chars::{is_blank, is_name, is_plain, unescape_into};
use super::{Document, Element, ElementSpec, MAX_ATTRIBUTES, MAX_DEPTH, Schema, plain};
use crate::text::TextCursor;
use crate::{At, DecodeError, DecodeErrorKind as Kind};

/// One element that is open while its children are read.
struct Open<'a> {
    element: Element<'a>,
    group: crate::Group,
}

/// Reads whatever is XML, tells what is wrong with it, and records the trace.
pub(super) struct Parser<'p, 't, 'a> {
    cursor: &'p mut TextCursor<'t, 'a>,
    schema: &'static Schema,
    start: usize,
    open: Vec<Open<'a>>,
    elements: usize,
    declaration: Option<Attributes<'a>>,
}

impl<'p, 't, 'a> Parser<'p, 't, 'a> {
    pub(super) fn new(cursor: &'p mut TextCursor<'t, 'a>, schema: &'static Schema) -> Self {
        let start = cursor.position();
        Self { cursor, schema, start, open: Vec::new(), elements: 0, declaration: None }
    }

    pub(super) fn run(mut self) -> Result<Document<'a>, DecodeError> {
        self.declaration = plain::declaration(self.cursor);
        loop {
            // Tried at most once from each place where a root element may begin.
            let plain = if self.open.is_empty() { plain::element(self.cursor, self.schema) } else { None };
            let finished = if plain.is_some() { plain } else { self.token()? };
            if let Some(root) = finished {
                return Ok(Document { declaration: self.declaration, root });
            }
        }
    }

    /// One token, found by quick-xml.
    fn token(&mut self) -> Result<Option<Element<'a>>, DecodeError> {
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
                    AttributeReader::read(self.cursor, range(tag.attributes_raw()), spec, self.schema)?;
                return self.begin(empty, range(name), spec, attributes, group, after);
            }
            Event::End(tag) => return self.end_tag(range(tag.name().0), after),
            Event::Decl(tag) => {
                if position != self.start {
                    return Err(self.fail(position, "an XML declaration that does not come first"));
                }
                let content: &str = &tag;
                let content = range(content.strip_prefix("xml").unwrap_or(content));
                self.declaration = Some(AttributeReader::read(self.cursor, content, None, self.schema)?);
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
        let spec = self.schema.element(name.as_bytes());
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
        let at = self.schema.element(name.as_bytes()).map_or(&self.schema.at, |s| &s.at);
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

/// Puts the attributes of one element together.
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
    /// Reads the attributes in a part of the text: what stands between an element's name and the end of its tag.
    fn read(
        cursor: &'r TextCursor<'t, 'a>,
        range: Range<usize>,
        spec: Option<&'static ElementSpec>,
        schema: &'static Schema,
    ) -> Result<Attributes<'a>, DecodeError> {
        let at = spec.map_or(&schema.at, |s| &s.at);
        let start = range.start;
        let mut reader = Self::new(cursor, range, spec, at);
        let text = cursor.slice(reader.range.clone());
        let mut before = 0;
        for attribute in RawAttributes::new(text, 0).with_checks(false) {
            let Ok(Attribute { key, value: Cow::Borrowed(raw) }) = attribute else {
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

    fn new(
        cursor: &'r TextCursor<'t, 'a>,
        range: Range<usize>,
        spec: Option<&'static ElementSpec>,
        at: &'static At,
    ) -> Self {
        let text = cursor.slice(range.clone());
        Self { cursor, range, text, spec, at, spans: Vec::new(), extra: Zeroizing::default() }
    }

    /// One more attribute; the ranges count from the beginning of the part.
    fn push(&mut self, name: Range<usize>, value: Range<usize>) -> Result<(), DecodeError> {
        let Self { cursor, text, .. } = *self;
        let key = text.get(name.clone()).unwrap_or_default();
        let raw = text.get(value.clone()).unwrap_or_default();
        let at = self.spec.map_or(self.at, |s| s.at_of(key));
        let name_at = self.range.start.saturating_add(name.start);
        let value_at = self.range.start.saturating_add(value.start);
        let limits = cursor.limits();
        let items = limits.items.min(MAX_ATTRIBUTES);
        if self.spans.iter().any(|span| text.get(span.name.clone()) == Some(key)) {
            return Err(cursor.error(name_at, at, Kind::Rule("an attribute stands twice")));
        }
        if self.spans.len() >= items {
            let kind = Kind::LimitExceeded { limit: "attributes", max: items };
            return Err(cursor.error(name_at, at, kind));
        }
        if raw.len() > limits.string {
            let kind = Kind::LimitExceeded { limit: "string bytes", max: limits.string };
            return Err(cursor.error(value_at, at, kind));
        }
        let secret = self.spec.is_some_and(|s| s.is_secret(key.as_bytes()));
        if !self.spec.is_some_and(|s| s.attributes.iter().any(|a| a.name == key)) {
            // Nothing else tells of its name.
            cursor.field(name_at..name_at.saturating_add(key.len()), at);
        }
        cursor.field(value_at..value_at.saturating_add(raw.len()), at);
        if secret {
            cursor.secret();
        }
        let value = if raw.bytes().all(is_plain) {
            value
        } else {
            if self.extra.is_empty() {
                self.extra.reserve_exact(text.len());
            }
            let from = text.len().saturating_add(self.extra.len());
            unescape_into(raw, &mut self.extra).map_err(|(offset, rule)| {
                cursor.error(value_at.saturating_add(offset), at, Kind::Rule(rule))
            })?;
            from..text.len().saturating_add(self.extra.len())
        };
        self.spans.push(Span { name, value, secret });
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
pub(super) fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start.saturating_add(part.len())
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
