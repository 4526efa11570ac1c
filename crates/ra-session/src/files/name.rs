//! Names of files that a peer suggests ([MS-RA] 4.2).

/// Most bytes of a name, in UTF-8: no usual file system takes more.
const MAX: usize = 255;
/// Most bytes after the last dot that are worth keeping when a name is cut.
const MAX_EXTENSION: usize = 32;
/// For names of which nothing is left.
const NAMELESS: &str = "file";

/// FILENAME of a peer, and the harmless part of it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// A name for a file in whatever directory the user chooses. It is never empty, has no path, drive or stream, at most 255
    /// bytes, nothing invisible or that turns the direction of the text, no character that Windows forbids and none of
    /// its device names; it neither begins nor ends with a dot or a blank. A file of that name may exist already, and what
    /// is in the file may be anything.
    pub suggestion: String,
    /// FILENAME as it came: show or log it, but never use it as a path.
    pub original: String,
}

impl FileName {
    /// Finds the harmless part of a name.
    #[must_use]
    pub fn new(original: impl Into<String>) -> Self {
        let original = original.into();
        Self { suggestion: suggest(&original), original }
    }
}

fn suggest(original: &str) -> String {
    let name = original.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean = String::with_capacity(name.len().min(MAX.saturating_mul(4)));
    for c in without_drive(name).chars().filter(|c| !is_invisible(*c)) {
        // A run of blanks would move the end of the name out of sight.
        match replaced(c) {
            ' ' if clean.ends_with(' ') => {}
            c => clean.push(c),
        }
    }
    let mut name = cut(trimmed(&clean)).into_owned();
    if is_device(&name) {
        name.insert(0, '_');
        name = cut(&name).into_owned();
    }
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}

/// `C:name` is a file in the current directory of a drive.
fn without_drive(name: &str) -> &str {
    match name.as_bytes() {
        [drive, b':', ..] if drive.is_ascii_alphabetic() => name.get(2..).unwrap_or_default(),
        _ => name,
    }
}

/// Dots at the beginning hide a file or name a directory; Windows drops dots and blanks at the end.
fn trimmed(name: &str) -> &str {
    name.trim_matches(['.', ' '])
}

/// What stands in for a character.
fn replaced(c: char) -> char {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        // What becomes one of those, or a separator, in an 8-bit character set.
        '＜' | '＞' | '：' | '＂' | '｜' | '？' | '＊' | '／' | '＼' | '⁄' | '∕' | '∖' | '⧵' => {
            '_'
        }
        c if c.is_whitespace() && !c.is_control() => ' ',
        c if c.is_control() => '_',
        c => c,
    }
}

/// What has no shape of its own: format characters, overrides of the direction, fillers, selectors, tags, noncharacters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// Whether Windows takes it for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let device = |known: &str| stem.eq_ignore_ascii_case(known);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].into_iter().any(device) {
        return true;
    }
    let mut end = stem.chars();
    let port = end.next_back().is_some_and(|c| matches!(c, '0'..='9' | '¹' | '²' | '³'));
    port && ["COM", "LPT"].into_iter().any(|known| end.as_str().eq_ignore_ascii_case(known))
}

/// At most [`MAX`] bytes, with the extension.
fn cut(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= MAX {
        return name.into();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= MAX_EXTENSION => (stem, extension),
        _ => return trimmed(prefix(name, MAX)).into(),
    };
    let room = MAX.saturating_sub(extension.len()).saturating_sub(1);
    [trimmed(prefix(stem, room)), ".", extension].concat().into()
}

/// As many whole characters as fit.
fn prefix(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
