//! Types that several interfaces have.

use ndr_oaut::{Ndr, Reader, Varying, Writer, wire};
use remassist_core::{At, Blob, DecodeError, Format, len_u32, usize_from};
use uuid::Uuid;

/// A context handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Handle {
    pub(crate) attributes: u32,
    pub(crate) id: Uuid,
}

wire! {
    struct 'a Handle, "[C706]" "14.3.5" "ndr_context_handle", |v, _r|
    "context_handle_attributes" attributes: u32 = v.attributes;
    "context_handle_uuid" id: Uuid = v.id;
    => Ok(Self { attributes, id })
}

/// RPC_UNICODE_STRING, and RRP_UNICODE_STRING, which is the same with a terminator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UnicodeString {
    length: u16,
    maximum: u16,
    buffer: Option<Varying<u16>>,
}

wire! {
    struct 'a UnicodeString, "[MS-DTYP]" "2.3.10" "RPC_UNICODE_STRING", |v, _r|
    "Length" length: u16 = v.length;
    "MaximumLength" maximum: u16 = v.maximum;
    "Buffer" buffer: Option<Varying<u16>> = v.buffer;
    => Ok(Self { length, maximum, buffer })
}

impl UnicodeString {
    /// A text; a terminator has to be in it where it is needed.
    pub(crate) fn new(text: &str) -> Self {
        Self::of(text.encode_utf16().collect(), 0)
    }

    /// An empty one, with room for so many characters.
    pub(crate) fn room(characters: u32) -> Self {
        Self::of(Vec::new(), characters)
    }

    fn of(elements: Vec<u16>, room: u32) -> Self {
        let max_count = len_u32(elements.len()).max(room);
        let bytes = |count: u32| u16::try_from(count.saturating_mul(2)).unwrap_or(u16::MAX);
        let (length, maximum) = (bytes(len_u32(elements.len())), bytes(max_count));
        Self { length, maximum, buffer: Some(Varying { max_count, offset: 0, elements }) }
    }

    /// Without the terminator.
    pub(crate) fn text(&self) -> String {
        let units = self.buffer.as_ref().map(|buffer| buffer.elements.as_slice()).unwrap_or_default();
        String::from_utf16_lossy(units).trim_end_matches('\0').to_owned()
    }
}

static SID: At = At::new("[MS-DTYP]", "2.4.2.3", "RPC_SID", "");

/// RPC_SID: SubAuthorityCount in front, as of all structures that end with an array; then Revision, SubAuthorityCount,
/// IdentifierAuthority (6 bytes), SubAuthority (4 bytes each), which are kept as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sid<'a>(Blob<'a>);

impl<'a> Ndr<'a> for Sid<'a> {
    type Head = Self;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        let count = usize_from(r.u32(&SID)?);
        Ok(Self(r.bytes(count.saturating_mul(4).saturating_add(8), &SID, Format::Bytes)?.into()))
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.len(self.0.len().saturating_sub(8) / 4, &SID);
        w.bytes(&self.0);
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// As [MS-DTYP] 2.4.2.1 writes it.
impl std::fmt::Display for Sid<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(([revision, _, authority @ ..], rest)) = self.0.split_first_chunk::<8>() else {
            return f.write_str("?");
        };
        let authority = authority.iter().fold(0, |all: u64, byte| all << 8 | u64::from(*byte));
        write!(f, "S-{revision}-{authority}")?;
        rest.as_chunks().0.iter().try_for_each(|number| write!(f, "-{}", u32::from_le_bytes(*number)))
    }
}
