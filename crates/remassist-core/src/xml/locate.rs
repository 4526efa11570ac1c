//! Where an attribute stands, for rules that can only be checked when the document is whole.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::read::range_in;
use crate::text::TextCursor;

/// Position of the value of an attribute in the document that the cursor has read since `start`: of the attribute of
/// that name in the element number `nth` (from 0) of the name given. Where there is no such attribute, the position of
/// the element; where there is no such element, `start`.
///
/// The document is searched for it: call this only when something is wrong.
#[must_use]
pub fn position_of(
    cursor: &TextCursor<'_, '_>,
    start: usize,
    element: &str,
    nth: usize,
    attribute: &str,
) -> usize {
    let text = cursor.slice(start..cursor.position());
    start.saturating_add(find(text, element, nth, attribute).unwrap_or_default())
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
