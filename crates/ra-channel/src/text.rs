//! Text as the channel messages carry it.

use remassist_core::utf16::nul_at;
use remassist_core::{
    At, Cursor, DecodeError, DecodeErrorKind as Kind, EncodeError, Format, Secret, Utf16Le,
};

/// What is wrong with text of an odd number of bytes.
pub(crate) const ODD: &str = "UTF-16 text has an even number of bytes";

/// Reads all that is left as text of whole code units with at most one NUL, at its end.
pub(crate) fn text<'a>(cursor: &mut Cursor<'_, 'a>, at: &'static At) -> Result<Utf16Le<'a>, DecodeError> {
    let bytes = cursor.rest();
    let max = cursor.context().limits().string;
    if bytes.len() > max {
        return Err(cursor.error(at, Kind::LimitExceeded { limit: "string bytes", max }));
    }
    if !bytes.len().is_multiple_of(2) {
        return Err(cursor.error(at, Kind::Rule(ODD)));
    }
    if let Some(extra) = after_nul(bytes) {
        let offset = cursor.offset().saturating_add(bytes.len().saturating_sub(extra));
        return Err(DecodeError::new(offset, at, Kind::TrailingData { extra }));
    }
    Ok(Utf16Le::from(cursor.take_rest(at, Format::Utf16Le)))
}

/// [`text`] that is secret.
pub(crate) fn secret_text<'a>(
    cursor: &mut Cursor<'_, 'a>,
    at: &'static At,
) -> Result<Secret<Utf16Le<'a>>, DecodeError> {
    let text = text(cursor, at)?;
    if !text.as_bytes().is_empty() {
        cursor.context().secret();
    }
    Ok(Secret::new(text))
}

/// Checks that [`text`] reads these bytes as they are.
pub(crate) fn check_text(bytes: &[u8], at: &'static At) -> Result<(), EncodeError> {
    let reason = if !bytes.len().is_multiple_of(2) {
        ODD
    } else if after_nul(bytes).is_some() {
        "a NUL is the last character"
    } else {
        return Ok(());
    };
    Err(EncodeError::Invalid { at, reason })
}

/// How many bytes follow the first NUL, when there are any.
fn after_nul(bytes: &[u8]) -> Option<usize> {
    let extra = bytes.len().saturating_sub(nul_at(bytes)?).saturating_sub(2);
    (extra > 0).then_some(extra)
}

/// The same secret text, borrowed from nobody.
pub(crate) fn owned_secret(text: Secret<Utf16Le<'_>>) -> Secret<Utf16Le<'static>> {
    text.map(|t| t.clone().into_owned())
}
