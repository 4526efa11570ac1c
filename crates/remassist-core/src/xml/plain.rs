//! Elements in the form that peers write, read in one pass: ASCII names, values in double quotes that mean what they
//! show, nothing but blanks between tags.
//!
//! This path only ever says yes. Where anything is of another form, breaks a rule or exceeds a limit, it gives up, and
//! the reader in `read.rs` begins at the same place again: it alone knows errors, deviations and the trace.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use super::attributes::{Attributes, Span};
use super::chars::is_plain;
use super::{Element, ElementSpec, MAX_ATTRIBUTES, MAX_DEPTH, Schema};
use crate::text::TextCursor;

/// The element at the cursor, which then stands behind it. `None`, and nothing has happened, when it is not plain.
pub(super) fn element<'a>(cursor: &mut TextCursor<'_, 'a>, schema: &'static Schema) -> Option<Element<'a>> {
    if cursor.tracing() {
        return None;
    }
    let (depth, elements) = (cursor.limits().depth.min(MAX_DEPTH), cursor.limits().items);
    let bytes = cursor.text().as_bytes();
    let mut reader = Reader { cursor, bytes, at: cursor.position(), schema, elements };
    if !reader.skip(b'<') {
        return None;
    }
    let element = reader.element(depth)?;
    let end = reader.at;
    cursor.move_to(end);
    Some(element)
}

struct Reader<'p, 't, 'a> {
    cursor: &'p TextCursor<'t, 'a>,
    bytes: &'t [u8],
    /// Position in the text.
    at: usize,
    schema: &'static Schema,
    /// How many elements may still come.
    elements: usize,
}

impl<'a> Reader<'_, '_, 'a> {
    /// An element whose `<` was read.
    fn element(&mut self, depth: usize) -> Option<Element<'a>> {
        let below = depth.checked_sub(1)?;
        self.elements = self.elements.checked_sub(1)?;
        let name = self.name()?;
        let written = self.bytes.get(name.clone())?;
        let spec = self.schema.element(written);
        let attributes = self.attributes(spec)?;
        let name = match spec {
            Some(spec) => Cow::Borrowed(spec.name),
            None => self.cursor.cow(name),
        };
        let mut element = Element { name, attributes, children: Vec::new() };
        if self.skip(b'/') {
            return self.skip(b'>').then_some(element);
        }
        if !self.skip(b'>') {
            return None;
        }
        loop {
            self.blanks();
            if !self.skip(b'<') {
                return None;
            }
            if self.skip(b'/') {
                let end = self.name()?;
                return (self.bytes.get(end)? == written && self.skip(b'>')).then_some(element);
            }
            element.children.push(self.element(below)?);
        }
    }

    /// The attributes up to the end of the tag.
    fn attributes(&mut self, spec: Option<&'static ElementSpec>) -> Option<Attributes<'a>> {
        let (start, bytes) = (self.at, self.bytes);
        let (items, string) = (self.cursor.limits().items.min(MAX_ATTRIBUTES), self.cursor.limits().string);
        let mut spans: Vec<Span> = Vec::new();
        let part = bytes.get(start..)?;
        while self.blanks() && class(self.peek()) & START != 0 {
            let name = self.name()?;
            if !(self.skip(b'=') && self.skip(b'"')) {
                return None;
            }
            let value = self.value()?;
            let from_start =
                |range: Range<usize>| range.start.wrapping_sub(start)..range.end.wrapping_sub(start);
            let span = Span { name: from_start(name), value: from_start(value), secret: false };
            let written = part.get(span.name.clone())?;
            let twice = spans.iter().any(|other| is(part, &other.name, written));
            if twice || spans.len() >= items || span.value.len() > string {
                return None;
            }
            if spans.is_empty() {
                spans.reserve_exact(4);
            }
            spans.push(span);
        }
        if spans.is_empty() {
            return Some(Attributes::new());
        }
        for secret in spec.map_or(&[][..], |s| s.attributes).iter().filter(|a| a.secret) {
            if let Some(span) = spans.iter_mut().find(|span| is(part, &span.name, secret.name.as_bytes())) {
                span.secret = true;
                self.cursor.secret();
            }
        }
        Some(Attributes::from_spans(self.cursor.cow(start..self.at), spans))
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        if found {
            self.at = self.at.wrapping_add(1);
        }
        found
    }

    /// Goes behind blanks; whether there were any.
    fn blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at = self.at.wrapping_add(1);
        }
        self.at > start
    }

    /// A name of ASCII letters, digits and signs.
    fn name(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        if class(self.peek()) & START == 0 {
            return None;
        }
        let len = self.bytes.get(start..)?.iter().position(|b| class(*b) & NAME == 0)?;
        self.at = start.wrapping_add(len);
        Some(start..self.at)
    }

    /// A value that means what it shows, and its closing quote.
    fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let mut len = 0_usize;
        for word in rest.as_chunks::<8>().0 {
            let stop = special(u64::from_le_bytes(*word));
            if stop < 8 {
                len = len.wrapping_add(stop);
                break;
            }
            len = len.wrapping_add(8);
        }
        // Near the end of the text there is no whole word.
        let more = rest.get(len..)?.iter().position(|b| class(*b) & VALUE == 0)?;
        self.at = start.wrapping_add(len).wrapping_add(more);
        let value = start..self.at;
        self.skip(b'"').then_some(value)
    }
}

/// Whether a part of the bytes is `name`: lengths first, as most names differ in them.
fn is(bytes: &[u8], part: &Range<usize>, name: &[u8]) -> bool {
    part.len() == name.len() && bytes.get(part.clone()) == Some(name)
}

/// Index of the first of eight bytes that does not mean itself in a value, or 8.
fn special(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The top bit of each byte below the limit, perhaps also of bytes above the first one.
    let below = |x: u64, limit: u8| x.wrapping_sub(ONES.wrapping_mul(u64::from(limit))) & !x & HIGHS;
    let is = |byte: u8| below(word ^ ONES.wrapping_mul(u64::from(byte)), 1);
    let found = below(word, b' ') | is(b'"') | is(b'&') | is(b'<') | is(0xEF);
    usize::try_from(found.trailing_zeros()).unwrap_or_default() >> 3
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
