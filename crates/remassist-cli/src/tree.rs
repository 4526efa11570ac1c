//! The fields of a decoded value as a tree.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use remassist::core::{Deviation, Format, Hex, TraceEntry, Utf16Le, usize_from};

use crate::bindings::Follower;
use crate::flags;

/// Styles for a terminal; none of them where there is none, or where the user wants none.
#[derive(Debug, Default)]
pub struct Styles {
    group: Style,
    section: Style,
    deviation: Style,
}

impl Styles {
    pub fn of_stdout() -> Self {
        match anstream::AutoStream::choice(&io::stdout()) {
            anstream::ColorChoice::Never => Self::default(),
            _ => Self {
                group: Style::new().bold(),
                section: Style::new().dimmed(),
                deviation: AnsiColor::Yellow.on_default(),
            },
        }
    }
}

/// Characters of a text, or digits of bytes, that are shown.
const SHOWN: usize = 160;

/// Prints one line for each field: offset, length, name, value, section.
pub fn print(
    out: &mut dyn Write,
    input: &[u8],
    trace: &[TraceEntry],
    deviations: &[Deviation],
    show_secrets: bool,
) -> io::Result<()> {
    let Styles { group, section, deviation } = Styles::of_stdout();
    writeln!(out, "{section}{:>8} {:>8}  field{section:#}", "offset", "length")?;
    let (mut follower, mut rest) = (Follower::default(), trace);
    while let Some((entry, following)) = rest.split_first() {
        let units = follower.units(rest, input);
        let (entry, text) = match &units {
            Some((count, units, text)) => {
                rest = rest.get(*count..).unwrap_or_default();
                (units, Some(quoted(text.chars())))
            }
            None => {
                rest = following;
                (entry, None)
            }
        };
        // Quotes and blanks of XML.
        if entry.format == Format::Filler && entry.at.field.is_empty() {
            continue;
        }
        let TraceEntry { depth, offset, len, at, .. } = entry;
        let name = match (at.field, entry.format) {
            ("", Format::Group) => at.structure,
            // Attributes that no specification defines, and what follows a text.
            ("", _) => "(text)",
            (field, _) => field,
        };
        let indent = usize_from(2).saturating_mul(*depth);
        let style = if entry.format == Format::Group { group } else { Style::new() };
        write!(out, "{offset:>8} {len:>8}  {:indent$}{style}{name}{style:#}", "")?;
        if entry.format != Format::Group {
            let bytes = input.get(*offset..offset.saturating_add(*len)).unwrap_or_default();
            write!(out, ": {}", text.unwrap_or_else(|| value(entry, bytes, show_secrets)))?;
        }
        writeln!(out, "  {section}{} {}{section:#}", at.doc, at.section)?;
    }
    for found in deviations {
        writeln!(out, "{deviation}deviation: {found}{deviation:#}")?;
    }
    Ok(())
}

fn value(entry: &TraceEntry, bytes: &[u8], show_secrets: bool) -> String {
    if entry.secret && !show_secrets {
        return format!("<secret, {} bytes>", bytes.len());
    }
    let mut text = match entry.format {
        Format::Uint => decimal(number(bytes)),
        Format::UintBe => decimal(number_be(bytes)),
        Format::Int => {
            let unused = 64_u32.saturating_sub(u32::try_from(bytes.len()).unwrap_or(8).saturating_mul(8));
            (number(bytes).wrapping_shl(unused).cast_signed().wrapping_shr(unused)).to_string()
        }
        Format::Flags => format!("{:#x}{}", number(bytes), flags::names(entry.at, number(bytes))),
        Format::Guid => guid(bytes, number),
        Format::GuidBe => guid(bytes, number_be),
        Format::Utf8 => quoted(String::from_utf8_lossy(bytes).chars()),
        Format::Utf16Le => quoted(char::decode_utf16(Utf16Le::from(bytes).units()).map(replaced)),
        Format::Utf16Be => {
            let units = bytes.chunks_exact(2).map(|u| u16::from_be_bytes(u.try_into().unwrap_or_default()));
            quoted(char::decode_utf16(units).map(replaced))
        }
        _ => hex(bytes),
    };
    if let Some(note) = entry.note {
        let _infallible = write!(text, " {note}");
    }
    text
}

fn replaced(c: Result<char, std::char::DecodeUtf16Error>) -> char {
    c.unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn number_be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn decimal(number: u64) -> String {
    match number {
        small @ ..=0xFF => small.to_string(),
        large => format!("{large} ({large:#x})"),
    }
}

fn guid(bytes: &[u8], number: fn(&[u8]) -> u64) -> String {
    let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default();
    let plain = |range| hex(part(range));
    let (a, b, c) = (number(part(0..4)), number(part(4..6)), number(part(6..8)));
    format!("{{{a:08x}-{b:04x}-{c:04x}-{}-{}}}", plain(8..10), plain(10..16))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = format!("{:x}", Hex(bytes.get(..SHOWN / 2).unwrap_or(bytes)));
    if bytes.len() > SHOWN / 2 {
        let _infallible = write!(text, ".. ({} bytes)", bytes.len());
    }
    text
}

/// Text in quotes, cut when long; nothing in it can move a terminal's cursor or turn its direction.
fn quoted(chars: impl Iterator<Item = char>) -> String {
    let mut text = String::from("\"");
    let mut more = 0_usize;
    for (index, c) in chars.enumerate() {
        if index >= SHOWN {
            more = more.saturating_add(1);
        } else if c.is_control() || is_format_character(c) || c == '"' || c == '\\' {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.push('"');
    if more > 0 {
        let _infallible = write!(text, ".. ({more} more characters)");
    }
    text
}

/// Marks and overrides of direction, and what else has no width.
const fn is_format_character(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}
