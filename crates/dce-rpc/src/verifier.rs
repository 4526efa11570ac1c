//! What the security provider adds at the end of a PDU.

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U16, check_len,
};

use crate::names::{AuthLevel, AuthType};
use crate::wire::{ByteOrder, rpce};

const SECTION: &str = "2.2.2.11";
pub(crate) const TRAILER: At = rpce(SECTION, "sec_trailer", "");
const AUTH_TYPE: At = rpce(SECTION, "sec_trailer", "auth_type");
const LEVEL: At = rpce(SECTION, "sec_trailer", "auth_level");
const PAD_LENGTH: At = rpce(SECTION, "sec_trailer", "auth_pad_length");
const RESERVED: At = rpce(SECTION, "sec_trailer", "auth_reserved");
const CONTEXT: At = rpce(SECTION, "sec_trailer", "auth_context_id");
const PADDING: At = rpce(SECTION, "sec_trailer", "(padding)");
const TOKEN: At = rpce("2.2.2.12", "PDU", "auth_token");

/// Bytes of a sec_trailer.
pub(crate) const LEN: usize = 8;

/// Authentication padding, sec_trailer and authentication token, at the end of a PDU ([MS-RPCE] 2.2.2.11, 2.2.2.12):
/// padding, auth_type u8, auth_level u8, auth_pad_length u8, auth_reserved u8, auth_context_id u32, token of auth_length
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Verifier<'a> {
    /// Padding between body and sec_trailer, at most 255 bytes; its content is ignored.
    pub padding: Blob<'a>,
    /// The security provider.
    pub auth_type: AuthType,
    /// How the PDU is protected.
    pub auth_level: AuthLevel,
    /// 0, ignored when read.
    pub reserved: u8,
    /// Which security context of the connection.
    pub context_id: u32,
    /// The token, 1 to 65,535 bytes: without one there is no sec_trailer, but in answers of servers that deviate.
    pub token: Blob<'a>,
}

impl<'a> Verifier<'a> {
    /// The same verifier, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Verifier<'static> {
        Verifier { padding: self.padding.into_owned(), token: self.token.into_owned(), ..self }
    }

    pub(crate) fn encoded_len(&self) -> usize {
        self.padding.len().saturating_add(LEN).saturating_add(self.token.len())
    }

    /// `bare`: the token may be missing.
    pub(crate) fn check(&self, bare: bool) -> Result<(), EncodeError> {
        check_len(self.padding.len(), usize::from(u8::MAX), &PAD_LENGTH)?;
        if self.token.is_empty() && !bare {
            let reason = "without a token there is no sec_trailer";
            return Err(EncodeError::Invalid { at: &TOKEN, reason });
        }
        check_len(self.token.len(), MAX_U16, &TOKEN)
    }

    pub(crate) fn write(&self, order: ByteOrder, dst: &mut dyn BufMut) {
        dst.put_slice(&self.padding);
        let pad = u8::try_from(self.padding.len()).unwrap_or(u8::MAX);
        dst.put_slice(&[self.auth_type.0, self.auth_level.0, pad, self.reserved]);
        order.put_u32(dst, self.context_id);
        dst.put_slice(&self.token);
    }
}

/// Where the parts of a PDU end, which its last bytes tell.
pub(crate) struct Split {
    /// Bytes of the body without padding.
    pub(crate) body: usize,
    padding: usize,
}

impl Split {
    /// Finds the sec_trailer in what follows the common header: `auth_length` + 8 bytes before the end.
    pub(crate) fn find(
        cursor: &Cursor<'_, '_>,
        auth_length: u16,
        at: &'static At,
    ) -> Result<Self, DecodeError> {
        let auth_length = usize::from(auth_length);
        let max = cursor.remaining().saturating_sub(LEN);
        let Some(trailer) = cursor.remaining().checked_sub(auth_length.saturating_add(LEN)) else {
            let got = u64::try_from(auth_length).unwrap_or(u64::MAX);
            return Err(cursor.error(at, DecodeErrorKind::OutOfBounds { got, max }));
        };
        let pad = cursor.rest().get(trailer.saturating_add(2)).copied().unwrap_or_default();
        let padding = usize::from(pad);
        let Some(body) = trailer.checked_sub(padding) else {
            let offset = cursor.offset().saturating_add(trailer).saturating_add(2);
            let kind = DecodeErrorKind::OutOfBounds { got: u64::from(pad), max: trailer };
            return Err(DecodeError::new(offset, &PAD_LENGTH, kind));
        };
        Ok(Self { body, padding })
    }

    /// Reads the verifier; the cursor stands behind the body.
    pub(crate) fn parse<'a>(
        &self,
        order: ByteOrder,
        cursor: &mut Cursor<'_, 'a>,
    ) -> Result<Verifier<'a>, DecodeError> {
        let padding = cursor.take(self.padding, &PADDING, Format::Filler)?.into();
        // [MS-RPCE] wants 16 from the beginning of the body, but its own rpc_auth_3 has 4; [C706] 13.2.6.1 wants 4.
        let aligned = cursor.offset().is_multiple_of(4);
        cursor.must(
            aligned,
            cursor.offset(),
            &TRAILER,
            DecodeErrorKind::Rule("not aligned to a multiple of 4"),
        )?;
        cursor.group(&TRAILER, |cursor| {
            let auth_type = AuthType(cursor.u8(&AUTH_TYPE)?);
            cursor.context().note(auth_type.name());
            let auth_level = AuthLevel(cursor.u8(&LEVEL)?);
            cursor.context().note(auth_level.name());
            cursor.u8(&PAD_LENGTH)?;
            let reserved = cursor.u8(&RESERVED)?;
            let context_id = order.u32(cursor, &CONTEXT)?;
            let token = cursor.take_rest(&TOKEN, Format::Bytes).into();
            Ok(Verifier { padding, auth_type, auth_level, reserved, context_id, token })
        })
    }
}
