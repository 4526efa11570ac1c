//! Rules about attributes that can only be checked when the document is whole.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::read::range_in;
use crate::text::TextCursor;
use crate::{At, DecodeError, DecodeErrorKind};

/// Deviations of one document whose place is searched for: each search reads the document again, and a hostile one could
/// have very many. Later ones point at the beginning.
const SEARCHES: usize = 32;

/// A rule about an attribute is broken, which is told after the document was read: an error under
/// [`Policy::Strict`](crate::Policy::Strict), a deviation otherwise. It points at the value of the attribute `at.field` in
/// element number `nth` (from 0) of those named `element`; at the element when it has no such attribute; at `start`, from
/// where the cursor has read the document, when there is no such element.
///
/// # Errors
/// Under [`Policy::Strict`](crate::Policy::Strict).
pub fn broken(
    cursor: &TextCursor<'_, '_>,
    start: usize,
    element: &str,
    nth: usize,
    at: &'static At,
    rule: &'static str,
) -> Result<(), DecodeError> {
    let found = if cursor.deviations() < SEARCHES {
        find(cursor.slice(start..cursor.position()), element, nth, at.field)
    } else {
        None
    };
    let position = start.saturating_add(found.unwrap_or_default());
    cursor.must(false, position, at, DecodeErrorKind::Rule(rule))
}

fn find(text: &str, element: &str, nth: usize, attribute: &str) -> Option<usize> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut before = nth;
    loop {
        let position = usize::try_from(reader.buffer_position()).ok()?;
        let tag = match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) if tag.name().0 == element => tag,
            Event::Eof => return None,
            _ => continue,
        };
        if let Some(left) = before.checked_sub(1) {
            before = left;
            continue;
        }
        let raw = tag.attributes_raw();
        for found in quick_xml::events::attributes::Attributes::new(raw, 0).with_checks(false).flatten() {
            if found.key.0 == attribute
                && let alloc::borrow::Cow::Borrowed(value) = found.value
            {
                return Some(range_in(text, value).start);
            }
        }
        return Some(position);
    }
}
