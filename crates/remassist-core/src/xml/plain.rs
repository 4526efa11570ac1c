//! Elements in the form that peers write, read in one pass: ASCII names, values in double quotes that mean what they
//! show, nothing but blanks between tags.
//!
//! This path only ever says yes. Where anything is of another form, breaks a rule or exceeds a limit, it gives up, and
//! the reader in `read.rs` begins at the same place again: it alone knows errors, deviations and the trace.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::attributes::{Attributes, Span};
use super::{Element, ElementSpec, MAX_ATTRIBUTES, MAX_DEPTH, Schema, is_same};
use crate::text::TextCursor;

/// Room at first for children, and for attributes where none are defined: most elements have no more.
const FEW: usize = 4;
/// Room at first for attributes at most.
const MANY: usize = 8;

/// The XML declaration at the cursor, which then stands behind it. `None`, and nothing has happened, when there is none
/// or it is not plain.
pub(super) fn declaration<'a>(cursor: &mut TextCursor<'_, 'a>) -> Option<Attributes<'a>> {
    if cursor.tracing() {
        return None;
    }
    let bytes = cursor.text().as_bytes();
    let start = cursor.position();
    let mut at = start.wrapping_add(b"<?xml".len());
    if bytes.get(start..at) != Some(b"<?xml") {
        return None;
    }
    let inside = at;
    let attributes = attributes(cursor, &mut at, None)?;
    // It ends at the first `?>`, even within quotes.
    if bytes.get(inside..at)?.contains(&b'?') {
        return None;
    }
    let end = after(bytes, after(bytes, at, b'?')?, b'>')?;
    cursor.move_to(end);
    Some(attributes)
}

/// The element at the cursor, perhaps behind blanks; the cursor then stands behind it. `None`, and nothing has happened, when it is not plain.
pub(super) fn element<'a>(cursor: &mut TextCursor<'_, 'a>, schema: &'static Schema) -> Option<Element<'a>> {
    if cursor.tracing() {
        return None;
    }
    let (depth, elements) = (cursor.limits().depth.min(MAX_DEPTH), cursor.limits().items);
    let start = blanks_end(cursor.text().as_bytes(), cursor.position());
    let mut reader = Reader { cursor, bytes: cursor.text().as_bytes(), schema, elements, end: 0 };
    let element = reader.element(start, depth)?;
    let end = reader.end;
    cursor.move_to(end);
    Some(element)
}

/// The attributes of the element at the cursor, which then stands behind it, when it is named as `spec` says and closes
/// itself: as [`element`], without what an element is made of besides.
pub(super) fn lone<'a>(
    cursor: &mut TextCursor<'_, 'a>,
    spec: &'static ElementSpec,
) -> Option<Attributes<'a>> {
    let limits = cursor.limits();
    if cursor.tracing() || limits.depth == 0 || limits.items == 0 {
        return None;
    }
    let bytes = cursor.text().as_bytes();
    let start = after(bytes, cursor.position(), b'<')?;
    if !bytes.get(start..)?.starts_with(spec.name.as_bytes()) {
        return None;
    }
    let mut at = start.wrapping_add(spec.name.len());
    let attributes = attributes(cursor, &mut at, Some(spec))?;
    let end = after(bytes, after(bytes, at, b'/')?, b'>')?;
    cursor.move_to(end);
    Some(attributes)
}

struct Reader<'p, 't, 'a> {
    cursor: &'p TextCursor<'t, 'a>,
    bytes: &'t [u8],
    schema: &'static Schema,
    /// How many elements may still come.
    elements: usize,
    /// Where the element read last ends.
    end: usize,
}

impl<'a> Reader<'_, '_, 'a> {
    /// The element at a position.
    fn element(&mut self, at: usize, depth: usize) -> Option<Element<'a>> {
        let bytes = self.bytes;
        let below = depth.checked_sub(1)?;
        self.elements = self.elements.checked_sub(1)?;
        let start = after(bytes, at, b'<')?;
        let name = start..name_end(bytes, start)?;
        let written = bytes.get(name.clone())?;
        let spec = self.schema.element(written);
        let mut at = name.end;
        let attributes = attributes(self.cursor, &mut at, spec)?;
        let name = match spec {
            Some(spec) => Cow::Borrowed(spec.name),
            None => self.cursor.cow(name),
        };
        let mut children = Vec::new();
        if byte(bytes, at) == b'/' {
            at = after(bytes, at.wrapping_add(1), b'>')?;
        } else {
            at = after(bytes, at, b'>')?;
            loop {
                at = blanks_end(bytes, at);
                let next = at.wrapping_add(1);
                if byte(bytes, next) == b'/' {
                    let start = next.wrapping_add(1);
                    let end = start.wrapping_add(written.len());
                    if byte(bytes, at) != b'<' || !is_same(bytes.get(start..end)?, written) {
                        return None;
                    }
                    at = after(bytes, end, b'>')?;
                    break;
                }
                let child = self.element(at, below)?;
                if children.is_empty() {
                    children = Vec::with_capacity(FEW);
                }
                children.push(child);
                at = self.end;
            }
        }
        self.end = at;
        Some(Element { name, attributes, children })
    }
}

/// The attributes at a position behind the name of an element, which then is the one behind them.
fn attributes<'a>(
    cursor: &TextCursor<'_, 'a>,
    position: &mut usize,
    spec: Option<&'static ElementSpec>,
) -> Option<Attributes<'a>> {
    let start = *position;
    let part = cursor.text().as_bytes().get(start..)?;
    if matches!(byte(part, 0), b'/' | b'>' | b'?') {
        return Some(Attributes::new());
    }
    let limits = cursor.limits();
    let items = limits.items.min(MAX_ATTRIBUTES);
    let mut expected = spec.map_or(&[][..], |s| s.attributes).iter();
    let mut spans: Vec<Span> = Vec::with_capacity(spec.map_or(FEW, |s| s.attributes.len().min(MANY)));
    let mut any_secret = false;
    let mut at = 0;
    loop {
        let begin = blanks_end(part, at);
        if begin == at || matches!(byte(part, begin), b'/' | b'>' | b'?') {
            at = begin;
            break;
        }
        let (end, secret) = match expected.find(|a| stands(part, begin, a.name)) {
            Some(known) => (begin.wrapping_add(known.name.len()), known.secret),
            // Not defined, or not in the order of the definition: only such a one can stand twice.
            None => {
                let end = name_end(part, begin)?;
                let name = part.get(begin..end)?;
                if spans.iter().any(|other| part.get(other.name.clone()) == Some(name)) {
                    return None;
                }
                (end, spec.is_some_and(|s| s.is_secret(name)))
            }
        };
        let from = after(part, after(part, end, b'=')?, b'"')?;
        let value = from..value_end(part, from);
        at = after(part, value.end, b'"')?;
        if spans.len() >= items || value.len() > limits.string {
            return None;
        }
        any_secret |= secret;
        spans.push(Span { name: begin..end, value, secret });
    }
    *position = start.wrapping_add(at);
    if spans.is_empty() {
        return Some(Attributes::new());
    }
    if any_secret {
        cursor.secret();
    }
    Some(Attributes { text: cursor.cow(start..*position), spans, secret: any_secret })
}

/// Whether an attribute of this name begins here.
fn stands(bytes: &[u8], at: usize, name: &str) -> bool {
    let end = at.wrapping_add(name.len());
    byte(bytes, end) == b'=' && bytes.get(at..end).is_some_and(|n| is_same(n, name.as_bytes()))
}

/// A byte; behind the end of the text 0, which is never plain.
fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

/// The position behind a byte that must be there.
fn after(bytes: &[u8], at: usize, expected: u8) -> Option<usize> {
    if bytes.get(at) == Some(&expected) { Some(at.wrapping_add(1)) } else { None }
}

/// The position behind blanks, if there are any.
fn blanks_end(bytes: &[u8], mut at: usize) -> usize {
    while matches!(byte(bytes, at), b' ' | b'\t' | b'\r' | b'\n') {
        at = at.wrapping_add(1);
    }
    at
}

/// The end of a name of ASCII letters, digits and signs.
fn name_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    if class(byte(bytes, at)) & START == 0 {
        return None;
    }
    while class(byte(bytes, at)) & NAME != 0 {
        at = at.wrapping_add(1);
    }
    Some(at)
}

/// The end of a value that means what it shows: the first byte that does not. On its own, so that the constants of
/// [`not_ascii_value`] stay in registers.
#[inline(never)]
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>())
        && !block.iter().fold(false, |any, b| any | !is_ascii_value(*b))
    {
        at = at.wrapping_add(block.len());
    }
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        // 8 when nothing is found.
        let passed = not_ascii_value(u64::from_le_bytes(*word)).trailing_zeros() >> 3;
        at = at.wrapping_add(crate::usize_from(passed));
        if passed < 8 {
            if !is_value(byte(bytes, at)) {
                return at;
            }
            at = at.wrapping_add(1);
        }
    }
    last_value_end(bytes, at)
}

/// [`value_end`] in the last bytes of the text.
#[cold]
fn last_value_end(bytes: &[u8], mut at: usize) -> usize {
    while is_value(byte(bytes, at)) {
        at = at.wrapping_add(1);
    }
    at
}

/// Whether a byte means itself in a value in double quotes: U+FFFE and U+FFFF, which begin with 0xEF, cannot stand in XML.
const fn is_value(byte: u8) -> bool {
    is_ascii_value(byte) || (byte >= 0x80 && byte != 0xEF)
}

/// Whether a byte is ASCII and means itself in a value in double quotes.
const fn is_ascii_value(byte: u8) -> bool {
    (byte.wrapping_sub(b' ') < 0x60) & (byte != b'"') & (byte != b'&') & (byte != b'<')
}

/// The top bit of the first of eight bytes that is not ASCII, or does not mean itself in a value in double quotes;
/// perhaps also of later ones.
const fn not_ascii_value(word: u64) -> u64 {
    const fn all(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    // Going below zero sets the top bit, and borrows from the next byte, which may then be found without reason.
    let control = word.wrapping_sub(all(b' '));
    let quote_or_and = ((word & !all(b'"' ^ b'&')) ^ all(b'"' & b'&')).wrapping_sub(all(1));
    let less = (word ^ all(b'<')).wrapping_sub(all(1));
    (word | control | quote_or_and | less) & all(0x80)
}

/// May begin a name.
const START: u8 = 1;
/// May stand in a name.
const NAME: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u8] = &mut classes;
    let mut byte = 0_u8;
    while let Some((class, more)) = rest.split_first_mut() {
        if byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') {
            *class = START | NAME;
        }
        if byte.is_ascii_digit() || matches!(byte, b'-' | b'.') {
            *class = NAME;
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
