//! The container header and the call target in it.

use alloc::string::ToString;

use remassist_core::{
    At, Blob, Cursor, DecodeError, EncodeError, Format, MAX_U32, Utf16Le, check_len, len_u32, usize_from,
    utf16,
};
use uuid::Uuid;

use crate::rules::{self, encode_error};
use crate::sink::Sink;
use crate::{CONTAINER_GUID, Signature, TARGET_STRUCTURE_GUID};

const fn at(field: &'static str) -> At {
    At::new("[MC-COMQC]", "2.2.2", "CHDR", field)
}
const fn target(field: &'static str) -> At {
    At::new("[MC-COMQC]", "2.2.2.1", "CallTargetIdentifier", field)
}
pub(crate) const CHDR: At = at("");
const SIGNATURE: At = at("HeaderSignature");
const SIZE: At = at("Size");
const MESSAGE_SIGNATURE: At = at("MessageSignature");
const MAXIMUM_VERSION: At = at("MaximumVersion");
const MINIMUM_VERSION: At = at("MinimumVersion");
pub(crate) const MESSAGE_SIZE: At = at("MessageSize");
const RESERVED3: At = at("Reserved3");
const TARGET_SIZE: At = at("CallTargetIdentifierSize");
const RESERVED4: At = at("Reserved4");
const PADDING: At = at("Padding");
const EXTRA: At = at("(after the padding)");
const TARGET: At = target("");
const STRUCTURE_ID: At = target("StructureID");
const TARGET_ID: At = target("TargetID");
const STRING_SIZE: At = target("TargetIDStringSize");
const STRING: At = target("TargetIDString");

/// Bytes before the call target identifier.
const FIXED: usize = 80;
/// Bytes of a call target identifier before its string.
const TARGET_FIXED: usize = 36;

/// The container header ([MC-COMQC] 2.2.2), little-endian, 80 bytes, the call target identifier and padding to a
/// multiple of 8: `CHDR`, Size u32, Message Signature GUID, Maximum Version u32, Minimum Version u32, Message Size u32,
/// Reserved 3 (32 bytes), Call Target Identifier Size u32, Reserved 4 (8 bytes), then Structure ID GUID, Target ID GUID,
/// Target ID String Size u32, Target ID String, padding.
///
/// The sizes and the two constant GUIDs are not kept: they follow from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Container<'a> {
    /// Maximum Version: 1.
    pub maximum_version: u32,
    /// Minimum Version: 1.
    pub minimum_version: u32,
    /// Reserved 3: zeros, ignored when read.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_zero"))]
    pub reserved3: [u8; 32],
    /// Reserved 4: zeros, ignored when read.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_zero"))]
    pub reserved4: [u8; 8],
    /// CLSID of the object that is called.
    pub target_id: Uuid,
    /// Text of that CLSID with its terminator; of no meaning, only its form is checked.
    pub target_id_string: Utf16Le<'a>,
    /// Bytes behind the string that Call Target Identifier Size counts.
    pub padding: Blob<'a>,
    /// Bytes behind those, which only Size counts; none in a message that keeps the rules.
    pub extra: Blob<'a>,
}

#[cfg(feature = "serde")]
fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0)
}

/// How a target is written as text ([MC-COMQC] 2.2.2.1 allows all three).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TargetForm {
    /// `{812DF40E-BD88-11D0-8A6D-00C04FC340EE}`: 78 bytes, a container of 200. Its padding also reads as the empty second
    /// string that a saved "new" moniker has, whose CLSID the Structure ID is (reading A12).
    #[default]
    Braces,
    /// `812df40e-bd88-11d0-8a6d-00c04fc340ee`: 74 bytes, a container of 192.
    Bare,
    /// Nothing: 2 bytes of terminator, a container of 120.
    Empty,
}

impl TargetForm {
    /// The terminated text of a CLSID.
    #[must_use]
    pub fn text(self, target: Uuid) -> Utf16Le<'static> {
        Utf16Le::with_nul(&match self {
            Self::Braces => target.braced().to_string().to_uppercase(),
            Self::Bare => target.hyphenated().to_string(),
            Self::Empty => return Utf16Le::with_nul(""),
        })
    }
}

impl<'a> Container<'a> {
    /// A container for calls to the object of this CLSID.
    #[must_use]
    pub fn new(target_id: Uuid, form: TargetForm) -> Self {
        let target_id_string = form.text(target_id);
        let len = TARGET_FIXED.saturating_add(target_id_string.0.len());
        Self {
            maximum_version: 1,
            minimum_version: 1,
            reserved3: [0; 32],
            reserved4: [0; 8],
            target_id,
            target_id_string,
            padding: zeros(len),
            extra: Blob::default(),
        }
    }

    /// The field Call Target Identifier Size, in bytes.
    #[must_use]
    pub fn target_size(&self) -> usize {
        TARGET_FIXED.saturating_add(self.target_id_string.0.len()).saturating_add(self.padding.len())
    }

    /// The field Size: bytes of the whole container header.
    #[must_use]
    pub fn size(&self) -> usize {
        FIXED.saturating_add(self.target_size()).saturating_add(self.extra.len())
    }

    /// The same header, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Container<'static> {
        Container {
            target_id_string: self.target_id_string.into_owned(),
            padding: self.padding.into_owned(),
            extra: self.extra.into_owned(),
            ..self
        }
    }

    /// Reads the header at the cursor, which holds the whole body; also gives Message Size, which is not less than
    /// the header and not more than the body.
    pub(crate) fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<(Self, usize), DecodeError> {
        cursor.group(&CHDR, Self::fields)
    }

    fn fields(cursor: &mut Cursor<'_, 'a>) -> Result<(Self, usize), DecodeError> {
        let start = cursor.offset();
        let body = cursor.remaining();
        let fail = |offset, at, rule| Err(DecodeError::new(offset, at, rule));
        if let Some(signature) = cursor.rest().first_chunk()
            && u32::from_le_bytes(*signature) != Signature::CONTAINER.0
        {
            return fail(start, &SIGNATURE, rules::CONTAINER_FIRST);
        }
        if body < FIXED {
            return fail(start.saturating_add(body), &CHDR, rules::COMMON_TRUNC);
        }
        cursor.u32(&SIGNATURE)?;
        cursor.context().note(Signature::CONTAINER.name());
        let offset = cursor.offset();
        let size = usize_from(cursor.u32(&SIZE)?);
        if !size.is_multiple_of(8) {
            return fail(offset, &SIZE, rules::COMMON_SIZE8);
        }
        if size < FIXED || size > body {
            return fail(offset, &SIZE, rules::COMMON_SIZE);
        }
        let offset = cursor.offset();
        if cursor.guid(&MESSAGE_SIGNATURE)? != CONTAINER_GUID {
            return fail(offset, &MESSAGE_SIGNATURE, rules::CHDR_MSGSIG);
        }
        let offset = cursor.offset();
        let maximum_version = cursor.u32(&MAXIMUM_VERSION)?;
        if maximum_version == 0 {
            return fail(offset, &MAXIMUM_VERSION, rules::CHDR_MAXVER);
        }
        cursor.must(maximum_version == 1, offset, &MAXIMUM_VERSION, rules::CHDR_MAXVER)?;
        let offset = cursor.offset();
        let minimum_version = cursor.u32(&MINIMUM_VERSION)?;
        if minimum_version > 1 {
            return fail(offset, &MINIMUM_VERSION, rules::CHDR_MINVER);
        }
        cursor.must(minimum_version == 1, offset, &MINIMUM_VERSION, rules::CHDR_MINVER)?;
        let offset = cursor.offset();
        let message_size = usize_from(cursor.u32(&MESSAGE_SIZE)?);
        if message_size < size || message_size > body {
            return fail(offset, &MESSAGE_SIZE, rules::CHDR_MSGSIZE);
        }
        cursor.must(message_size == body, offset, &MESSAGE_SIZE, rules::CHDR_MSGSIZE)?;
        let reserved3 = array(cursor.take(32, &RESERVED3, Format::Filler)?);
        let target_size_at = cursor.offset();
        let target_size = usize_from(cursor.u32(&TARGET_SIZE)?);
        let space = size.saturating_sub(FIXED);
        if target_size > space || target_size < TARGET_FIXED {
            return fail(target_size_at, &TARGET_SIZE, rules::CHDR_CTISIZE);
        }
        if target_size.is_multiple_of(8) {
            cursor.must(target_size == space, target_size_at, &TARGET_SIZE, rules::CHDR_CTISIZE)?;
        } else {
            cursor.must(false, target_size_at, &TARGET_SIZE, rules::CHDR_CTISIZE8)?;
            let filled = target_size.next_multiple_of(8) == space;
            cursor.must(filled, target_size_at, &TARGET_SIZE, rules::CHDR_CTISIZE)?;
        }
        let reserved4 = array(cursor.take(8, &RESERVED4, Format::Filler)?);
        let (target_id, target_id_string) =
            cursor.group(&TARGET, |cursor| target_fields(cursor, target_size, space))?;
        let used = TARGET_FIXED.saturating_add(target_id_string.0.len());
        let Some(padding) = target_size.checked_sub(used) else {
            return fail(target_size_at, &TARGET_SIZE, rules::CHDR_CTISIZE);
        };
        cursor.must(padding < 8, cursor.offset(), &PADDING, rules::CTI_PADDING)?;
        let padding = cursor.take(padding, &PADDING, Format::Filler)?.into();
        let extra = cursor.take(space.saturating_sub(target_size), &EXTRA, Format::Filler)?.into();
        let container = Self {
            maximum_version,
            minimum_version,
            reserved3,
            reserved4,
            target_id,
            target_id_string,
            padding,
            extra,
        };
        Ok((container, message_size))
    }

    pub(crate) fn check(&self) -> Result<(), EncodeError> {
        if self.maximum_version == 0 {
            return Err(encode_error(&MAXIMUM_VERSION, rules::CHDR_MAXVER));
        }
        if self.minimum_version > 1 {
            return Err(encode_error(&MINIMUM_VERSION, rules::CHDR_MINVER));
        }
        if !self.size().is_multiple_of(8) {
            return Err(encode_error(&SIZE, rules::COMMON_SIZE8));
        }
        check_len(self.size(), MAX_U32, &SIZE)
    }

    pub(crate) fn put<B: Sink>(&self, message_size: usize, dst: &mut B) {
        let word = |n: usize| len_u32(n).to_le_bytes();
        dst.put([Signature::CONTAINER.0.to_le_bytes(), word(self.size())].as_flattened());
        dst.put(&CONTAINER_GUID.to_bytes_le());
        let versions = [self.maximum_version, self.minimum_version].map(u32::to_le_bytes);
        dst.put(versions.as_flattened());
        dst.put(&word(message_size));
        dst.put(&self.reserved3);
        dst.put(&word(self.target_size()));
        dst.put(&self.reserved4);
        dst.put(&TARGET_STRUCTURE_GUID.to_bytes_le());
        dst.put(&self.target_id.to_bytes_le());
        dst.put(&word(self.target_id_string.0.len()));
        dst.put(self.target_id_string.as_bytes());
        dst.put(&self.padding);
        dst.put(&self.extra);
    }
}

/// Reads the call target identifier up to its padding.
fn target_fields<'a>(
    cursor: &mut Cursor<'_, 'a>,
    target_size: usize,
    space: usize,
) -> Result<(Uuid, Utf16Le<'a>), DecodeError> {
    let fail = |offset, at, rule| Err(DecodeError::new(offset, at, rule));
    if space < TARGET_FIXED {
        return Err(cursor.error(&TARGET, rules::CHDR_CTISIZE));
    }
    let offset = cursor.offset();
    let id = cursor.guid(&STRUCTURE_ID)?;
    if id != TARGET_STRUCTURE_GUID {
        let shifted = TARGET_STRUCTURE_GUID.to_bytes_le();
        let is_shifted = shifted.get(4..).is_some_and(|tail| id.to_bytes_le().starts_with(tail));
        let rule = if is_shifted { rules::CTI_STRUCTID_76 } else { rules::CTI_STRUCTID };
        return fail(offset, &STRUCTURE_ID, rule);
    }
    let target_id = cursor.guid(&TARGET_ID)?;
    let offset = cursor.offset();
    let len = usize_from(cursor.u32(&STRING_SIZE)?);
    if len > space.saturating_sub(TARGET_FIXED) {
        return fail(offset, &STRING_SIZE, rules::CTI_STRSIZE);
    }
    if len > target_size.saturating_sub(TARGET_FIXED) {
        return fail(offset, &STRING_SIZE, rules::CHDR_CTISIZE);
    }
    let max = cursor.context().limits().string;
    if len > max {
        let kind = remassist_core::DecodeErrorKind::LimitExceeded { limit: "string bytes", max };
        return fail(offset, &STRING_SIZE, kind);
    }
    let offset = cursor.offset();
    let text = Utf16Le::from(cursor.take(len, &STRING, Format::Utf16Le)?);
    check_text(cursor, &text, offset)?;
    Ok((target_id, text))
}

/// Checks the form of the target's text, of which nothing depends (reading A11): one rule at most is reported.
fn check_text(cursor: &Cursor<'_, '_>, text: &Utf16Le<'_>, offset: usize) -> Result<(), DecodeError> {
    if is_uuid_or_empty(text) {
        return Ok(());
    }
    let bytes = text.as_bytes();
    let rule = if !bytes.len().is_multiple_of(2) || char::decode_utf16(text.units()).any(|c| c.is_err()) {
        rules::CTI_UTF16
    } else if !text.is_terminated() {
        rules::CTI_NUL
    } else {
        rules::CTI_ABNF
    };
    let nul = utf16::nul_at(bytes).unwrap_or(bytes.len());
    let offset = if rule == rules::CTI_NUL { offset.saturating_add(nul) } else { offset };
    cursor.must(false, offset, &STRING, rule)
}

/// `[ UUID / "{" UUID "}" ]` with its terminator.
fn is_uuid_or_empty(text: &Utf16Le<'_>) -> bool {
    const BRACED: &[u8; 39] = b"{hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh}\0";
    const BARE: &[u8; 37] = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh\0";
    match text.as_bytes().as_chunks() {
        (units, []) => has_form(units, BRACED) || has_form(units, BARE) || has_form(units, b"\0"),
        _ => false,
    }
}

/// Whether text has this form, in which `h` is a hexadecimal digit. Looks at all of it, so that it needs no branches.
#[inline(always)]
fn has_form<const N: usize>(units: &[[u8; 2]], form: &[u8; N]) -> bool {
    let Ok(units) = <&[[u8; 2]; N]>::try_from(units) else { return false };
    let mut misfits = 0;
    for (unit, expected) in units.iter().zip(form) {
        let unit = u16::from_le_bytes(*unit);
        let is_digit = (unit.wrapping_sub(0x30) < 10) | ((unit | 0x20).wrapping_sub(0x61) < 6);
        let fits = if *expected == b'h' { is_digit } else { unit == u16::from(*expected) };
        misfits |= u16::from(!fits);
    }
    misfits == 0
}

/// Zeros that fill `len` bytes up to a multiple of 8.
pub(crate) fn zeros(len: usize) -> Blob<'static> {
    const ZEROS: &[u8; 8] = &[0; 8];
    let count = len.next_multiple_of(8).saturating_sub(len);
    Blob::from(ZEROS.get(..count).unwrap_or_default())
}

/// Bytes that a cursor took with this very length.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}
