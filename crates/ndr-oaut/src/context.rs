//! Contexts ([MS-DCOM] 2.2.20), as bytes and not as NDR.

use alloc::vec::Vec;

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U32, check_len,
    len_u32, usize_from,
};
use uuid::{Uuid, uuid};

use crate::CustomData;

macro_rules! fields {
    ($($name:ident = $section:literal, $structure:literal, $field:literal;)*) => {$(
        static $name: At = At::new("[MS-DCOM]", $section, $structure, $field);
    )*};
}
fields! {
    CONTEXT = "2.2.20", "Context", "";
    MAJOR = "2.2.20", "Context", "MajorVersion";
    MINOR = "2.2.20", "Context", "MinVersion";
    CONTEXT_ID = "2.2.20", "Context", "ContextId";
    FLAGS = "2.2.20", "Context", "Flags";
    RESERVED = "2.2.20", "Context", "Reserved";
    EXTENTS = "2.2.20", "Context", "dwNumExtents";
    EXTENTS_SIZE = "2.2.20", "Context", "cbExtents";
    MSHL_FLAGS = "2.2.20", "Context", "MshlFlags";
    COUNT = "2.2.20", "Context", "Count";
    FROZEN = "2.2.20", "Context", "Frozen";
    PROPERTY = "2.2.20.1", "PROPMARSHALHEADER", "";
    CLSID = "2.2.20.1", "PROPMARSHALHEADER", "clsid";
    POLICY_ID = "2.2.20.1", "PROPMARSHALHEADER", "policyId";
    PROPERTY_FLAGS = "2.2.20.1", "PROPMARSHALHEADER", "flags";
    SIZE = "2.2.20.1", "PROPMARSHALHEADER", "cb";
    DATA = "2.2.20.1", "PROPMARSHALHEADER", "ctxProperty";
}

/// CTXMSHLFLAGS_BYVAL.
const BY_VALUE: u32 = 2;

/// A context ([MS-DCOM] 2.2.20), little-endian: 48 bytes and its properties.
///
/// MajorVersion u16 (1), MinVersion u16 (1), ContextId, Flags u32 (2), Reserved u32, dwNumExtents u32 (0), cbExtents u32
/// (0), MshlFlags u32, Count u32, Frozen u32, PROPMARSHALHEADERs.
///
/// Decoding fails at other versions and when there are extents. Other flags are a deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Context<'a> {
    /// ContextId.
    pub id: Uuid,
    /// Flags: 2, by value.
    pub flags: u32,
    /// Reserved: 0, ignored.
    pub reserved: u32,
    /// MshlFlags: ignored.
    pub mshl_flags: u32,
    /// Frozen: 1, ignored.
    pub frozen: u32,
    /// PropMarshalHeader.
    pub properties: Vec<ContextProperty<'a>>,
}

/// `PROPMARSHALHEADER` ([MS-DCOM] 2.2.20.1), 40 bytes and the data: clsid, policyId, flags u32, cb u32, ctxProperty.
///
/// Flags that are not exactly one of the three are a deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ContextProperty<'a> {
    /// clsid: GUID_NULL when the data are an OBJREF, else the class that knows them.
    pub clsid: Uuid,
    /// policyId: which property.
    pub policy_id: Uuid,
    /// flags: of which kind of context.
    pub flags: u32,
    /// ctxProperty.
    pub data: Blob<'a>,
}

impl ContextProperty<'_> {
    /// `CPFLAG_PROPAGATE`: of a prototype context.
    pub const PROPAGATE: u32 = 1;
    /// `CPFLAG_EXPOSE`: of a client context.
    pub const EXPOSE: u32 = 2;
    /// `CPFLAG_ENVOY`: of an envoy context.
    pub const ENVOY: u32 = 4;
}

impl<'a> Context<'a> {
    /// A context with properties.
    #[must_use]
    pub fn new(id: Uuid, properties: Vec<ContextProperty<'a>>) -> Self {
        Self { id, flags: BY_VALUE, reserved: 0, mshl_flags: 0, frozen: 1, properties }
    }

    /// The same context, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Context<'static> {
        let Self { id, flags, reserved, mshl_flags, frozen, properties } = self;
        let own = |p: ContextProperty<'_>| ContextProperty {
            clsid: p.clsid,
            policy_id: p.policy_id,
            flags: p.flags,
            data: p.data.into_owned(),
        };
        let properties = properties.into_iter().map(own).collect();
        Context { id, flags, reserved, mshl_flags, frozen, properties }
    }
}

/// Client and prototype contexts: CLSID_ContextMarshaler, IID_IContext.
impl CustomData for Context<'_> {
    const CLASSES: &'static [(Uuid, Option<Uuid>)] = &[(
        uuid!("0000033b-0000-0000-c000-000000000046"),
        Some(uuid!("000001c0-0000-0000-c000-000000000046")),
    )];
}

/// Reads a number that has to be the one expected.
fn constant<T: Into<u64> + PartialEq + Copy>(
    offset: usize,
    got: T,
    expected: T,
    at: &'static At,
) -> Result<(), DecodeError> {
    if got == expected {
        return Ok(());
    }
    Err(DecodeError::new(offset, at, DecodeErrorKind::InvalidValue { got: got.into() }))
}

impl<'a> Decode<'a> for Context<'a> {
    const AT: &'static At = &CONTEXT;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&CONTEXT, |c| {
            for at in [&MAJOR, &MINOR] {
                constant(c.offset(), c.u16(at)?, 1, at)?;
            }
            let id = c.guid(&CONTEXT_ID)?;
            let offset = c.offset();
            let flags = c.flags32(&FLAGS)?;
            let kind = DecodeErrorKind::InvalidValue { got: flags.into() };
            c.must(flags == BY_VALUE, offset, &FLAGS, kind)?;
            let reserved = c.u32(&RESERVED)?;
            for at in [&EXTENTS, &EXTENTS_SIZE] {
                constant(c.offset(), c.u32(at)?, 0, at)?;
            }
            let mshl_flags = c.u32(&MSHL_FLAGS)?;
            let offset = c.offset();
            let count = c.u32(&COUNT)?;
            let max = c.context().limits().items;
            if usize_from(count) > max {
                let kind = DecodeErrorKind::LimitExceeded { limit: "items", max };
                return Err(DecodeError::new(offset, &COUNT, kind));
            }
            let frozen = c.u32(&FROZEN)?;
            let mut properties = Vec::new();
            for _ in 0..count {
                properties.push(property(c)?);
            }
            Ok(Self { id, flags, reserved, mshl_flags, frozen, properties })
        })
    }
}

fn property<'a>(cursor: &mut Cursor<'_, 'a>) -> Result<ContextProperty<'a>, DecodeError> {
    cursor.group(&PROPERTY, |c| {
        let (clsid, policy_id) = (c.guid(&CLSID)?, c.guid(&POLICY_ID)?);
        let offset = c.offset();
        let flags = c.flags32(&PROPERTY_FLAGS)?;
        let kind = DecodeErrorKind::InvalidValue { got: flags.into() };
        c.must(matches!(flags, 1 | 2 | 4), offset, &PROPERTY_FLAGS, kind)?;
        let size = usize_from(c.u32(&SIZE)?);
        let data = c.take(size, &DATA, Format::Bytes)?.into();
        Ok(ContextProperty { clsid, policy_id, flags, data })
    })
}

impl Encode for Context<'_> {
    fn encoded_len(&self) -> usize {
        self.properties
            .iter()
            .fold(48, |len, property| len.saturating_add(property.data.len()).saturating_add(40))
    }

    fn check(&self) -> Result<(), EncodeError> {
        check_len(self.properties.len(), MAX_U32, &COUNT)?;
        self.properties.iter().try_for_each(|property| check_len(property.data.len(), MAX_U32, &SIZE))
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u16_le(1);
        dst.put_u16_le(1);
        dst.put_slice(&self.id.to_bytes_le());
        dst.put_u32_le(self.flags);
        dst.put_u32_le(self.reserved);
        dst.put_u64_le(0);
        dst.put_u32_le(self.mshl_flags);
        dst.put_u32_le(len_u32(self.properties.len()));
        dst.put_u32_le(self.frozen);
        for property in &self.properties {
            dst.put_slice(&property.clsid.to_bytes_le());
            dst.put_slice(&property.policy_id.to_bytes_le());
            dst.put_u32_le(property.flags);
            dst.put_u32_le(len_u32(property.data.len()));
            dst.put_slice(&property.data);
        }
    }
}
