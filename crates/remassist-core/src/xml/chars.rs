//! What may stand where in XML, and how it is escaped.

use alloc::string::String;
use core::fmt;

/// A byte of a value that means itself. 0xEF begins U+FFFE and U+FFFF, which are looked at one by one.
pub(super) const fn is_plain(b: u8) -> bool {
    b >= 0x20 && b != b'&' && b != b'<' && b != 0xEF
}

pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// `Char` of XML 1.0.
pub(super) const fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Close enough to `Name` of XML 1.0: nothing that could end a name, a tag or a value.
pub(super) fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_numeric() || c == '-' || c == '.')
}

/// The value that an XML reader reports: references resolved, literal blanks made spaces (XML 1.0, 3.3.3).
pub(super) fn unescape_into(raw: &str, out: &mut String) -> Result<(), (usize, &'static str)> {
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

pub(super) fn escape(value: &str, out: &mut dyn fmt::Write) -> fmt::Result {
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
