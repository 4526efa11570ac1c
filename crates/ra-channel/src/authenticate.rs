//! REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET ([MS-RA] 2.2.1.4): two texts in a row.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::utf16::{nul_at, units};
use remassist_core::{
    Cursor, Decode as _, DecodeError, DecodeErrorKind as Kind, Encode as _, EncodeError, Secret, Utf16Le,
};
use zeroize::Zeroizing;

use crate::ExpertBlob;
use crate::blob::length;
use crate::text::{ODD, check_text, owned_secret, secret_text};

at! { "[MS-RA]":
    STRING = "2.2.1.4" "REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET" "raConnectionString";
    BLOB = "2.2.1.4" "REMOTEDESKTOP_CTL_AUTHENTICATE_PACKET" "expertBlob";
}

/// What the expert of version 1 proves itself with ([MS-RA] 2.2.1.4).
///
/// Each text ends with a NUL. FreeRDP 3 writes none and runs both together; they are then told apart by the end of
/// connection string 2 (`</E>`) or by the first length that follows an equals sign (the end of KH in connection
/// string 1). When neither is there, the message is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Authenticate<'a> {
    /// Connection string of [MS-RAI] 2.2.1 or 2.2.2, with its NUL.
    pub connection_string: Secret<Utf16Le<'a>>,
    /// Name of the expert and proof of the password.
    pub expert_blob: ExpertBlob<'a>,
}

impl<'a> Authenticate<'a> {
    /// Both with their NUL.
    #[must_use]
    pub fn new(connection_string: &str, expert_blob: ExpertBlob<'a>) -> Self {
        let connection_string = Secret::new(Utf16Le::with_nul(connection_string));
        Self { connection_string, expert_blob: ExpertBlob { terminated: true, ..expert_blob } }
    }

    /// The same message, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Authenticate<'static> {
        Authenticate {
            connection_string: owned_secret(self.connection_string),
            expert_blob: self.expert_blob.into_owned(),
        }
    }

    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        let body = cursor.rest();
        if !body.len().is_multiple_of(2) {
            return Err(cursor.error(&STRING, Kind::Rule(ODD)));
        }
        let Some(split) = split(body) else {
            return Err(cursor.error(
                &STRING,
                Kind::Rule("where the connection string ends and expertBlob begins cannot be told"),
            ));
        };
        let mut string = cursor.sub(split, &STRING)?;
        let connection_string = secret_text(&mut string, &STRING)?;
        let terminated = connection_string.expose().is_terminated();
        cursor.must(terminated, cursor.offset(), &STRING, Kind::Rule("the connection string has no NUL"))?;
        let expert_blob = ExpertBlob::parse(cursor)?;
        let end = cursor.offset();
        cursor.must(expert_blob.terminated, end, &BLOB, Kind::Rule("expertBlob has no NUL"))?;
        Ok(Self { connection_string, expert_blob })
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.connection_string.expose().as_bytes().len().saturating_add(self.expert_blob.encoded_len())
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        let string = self.connection_string.expose();
        check_text(string.as_bytes(), &STRING)?;
        self.expert_blob.check()?;
        // With a NUL between them, nothing can be mistaken.
        if string.is_terminated() && self.expert_blob.encoded_len() > 0 {
            return Ok(());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(self.encoded_len()));
        self.write(&mut *body);
        if split(&body) == Some(string.as_bytes().len()) {
            return Ok(());
        }
        Err(EncodeError::Invalid {
            at: &STRING,
            reason: "without a NUL, the connection string and expertBlob could not be told apart",
        })
    }

    pub(crate) fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice(self.connection_string.expose().as_bytes());
        self.expert_blob.write(dst);
    }
}

/// Where the connection string ends, in bytes; looks at each byte a few times at most.
fn split(body: &[u8]) -> Option<usize> {
    /// `</E>` in UTF-16LE.
    const END: [u16; 4] = [0x3C, 0x2F, 0x45, 0x3E];
    const BLANKS: [u16; 4] = [0x20, 0x09, 0x0D, 0x0A];

    let nul = nul_at(body);
    if let Some(end) = nul.map(|nul| nul.saturating_add(2)).filter(|end| *end < body.len()) {
        return Some(end);
    }
    // There is no NUL, or it ends all of it: both texts run together, or there is no expertBlob.
    let text = body.get(..nul.unwrap_or(body.len()))?;
    let xml = text.starts_with(&[b'<', 0]);
    let mut last = [0; 4];
    for (n, unit) in units(text).enumerate() {
        last.rotate_left(1);
        *last.last_mut()? = unit;
        let next = n.saturating_add(1).saturating_mul(2);
        if xml && last == END {
            let rest = text.get(next..)?;
            let blanks = units(rest).take_while(|u| BLANKS.contains(u)).count().saturating_mul(2);
            let end = next.saturating_add(blanks);
            return Some(if end == text.len() { body.len() } else { end });
        }
        if !xml && unit == 0x3D && length(text.get(next..)?).is_ok() {
            return Some(next);
        }
    }
    nul.map(|_| body.len())
}
