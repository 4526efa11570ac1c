//! Files and standard input.

use std::io::{self, Read as _};
use std::path::Path;

use remassist::core::{Limits, from_hex};

use crate::Failure;

/// The longest input that is read: far more than any of the protocols carries in one piece.
pub const MAX_INPUT: usize = 256 << 20;

/// Limits for people who look into files: wide enough for anything real, too narrow to fill the memory.
pub fn limits() -> Limits {
    Limits::DEFAULT.with_message(MAX_INPUT).with_string(MAX_INPUT).with_items(1 << 20)
}

/// Reads a file, or standard input for `-`.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = MAX_INPUT as u64 + 1;
    let result = if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    result.map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
    if bytes.len() > MAX_INPUT {
        return Err(Failure::Input(format!("{}: longer than {MAX_INPUT} bytes", path.display())));
    }
    Ok(bytes)
}

/// Hexadecimal digits as bytes; blanks and line breaks are skipped.
pub fn unhex(text: &[u8]) -> Result<Vec<u8>, Failure> {
    if let Some(at) = text.iter().position(|b| !b.is_ascii_hexdigit() && !b.is_ascii_whitespace()) {
        return Err(Failure::Input(format!("not a hexadecimal digit at character {at} of the input")));
    }
    let digits: String = text.iter().filter(|b| !b.is_ascii_whitespace()).map(|b| char::from(*b)).collect();
    from_hex(&digits).ok_or_else(|| Failure::Input("an odd number of hexadecimal digits".to_owned()))
}

/// Text on standard input, without the line break that a shell adds.
pub fn stdin_text() -> Result<String, Failure> {
    let bytes = read(Path::new("-"))?;
    let mut text = String::from_utf8(bytes).map_err(|e| {
        Failure::Input(format!("standard input is not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
    })?;
    // A ticket may end with a line break of Windows: that one belongs to it.
    if text.ends_with('\n') && !text.ends_with("\r\n") {
        text.pop();
    }
    Ok(text)
}
