//! ORPCTHIS and ORPCTHAT ([MS-DCOM] 2.2.13).

use alloc::vec::Vec;

use remassist_core::{At, Blob, DecodeError, DecodeErrorKind, Format, MAX_U32, usize_from};
use uuid::{Uuid, uuid};

use crate::engine::{Count, Ndr, Reader, Writer};
use crate::wire;

/// `COMVERSION` ([MS-DCOM] 2.2.11), 4 bytes: MajorVersion u16, MinorVersion u16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ComVersion {
    /// 5.
    pub major: u16,
    /// 1 to 7.
    pub minor: u16,
}

impl Default for ComVersion {
    /// 5.7, the newest.
    fn default() -> Self {
        Self { major: 5, minor: 7 }
    }
}

wire! {
    struct 'a ComVersion, "[MS-DCOM]" "2.2.11" "COMVERSION", |v, r|
    "MajorVersion" major: u16 = v.major;
    "MinorVersion" minor: u16 = v.minor;
    => {
        let _ = r;
        Ok(Self { major, minor })
    }
}

/// `ORPC_EXTENT` ([MS-DCOM] 2.2.13.1): max_count u32 (size rounded up to a multiple of 8), id, size u32, the data,
/// padded to max_count. Decoding fails at another max_count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrpcExtent<'a> {
    /// The format of the data; those not known are to be ignored.
    pub id: Uuid,
    /// The data without their padding.
    pub data: Blob<'a>,
}

impl OrpcExtent<'_> {
    /// CLSID_ERROR_EXTENSION ([MS-DCOM] 2.2.21.1): the data are an [`ObjRef`](crate::ObjRef), often a
    /// `CustomObjRef<ErrorInfo>`.
    pub const ERROR: Uuid = uuid!("0000031c-0000-0000-c000-000000000046");
    /// CLSID_CONTEXT_EXTENSION ([MS-DCOM] 2.2.21.4): the data are a [`ContextExtension`](crate::ContextExtension).
    pub const CONTEXT: Uuid = uuid!("00000334-0000-0000-c000-000000000046");

    /// The same extension, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> OrpcExtent<'static> {
        OrpcExtent { id: self.id, data: self.data.into_owned() }
    }
}

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-DCOM]", section, structure, field)
}
static EXTENT: At = at("2.2.13.1", "ORPC_EXTENT", "");
static EXTENT_MAX: At = at("2.2.13.1", "ORPC_EXTENT", "max_count");
static EXTENT_ID: At = at("2.2.13.1", "ORPC_EXTENT", "id");
static EXTENT_SIZE: At = at("2.2.13.1", "ORPC_EXTENT", "size");
static EXTENT_DATA: At = at("2.2.13.1", "ORPC_EXTENT", "data");

impl<'a> Ndr<'a> for OrpcExtent<'a> {
    type Head = Self;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(4)?;
        r.group(&EXTENT, |r| {
            let max_count = Count::read(r, &EXTENT_MAX)?;
            let id = r.guid(&EXTENT_ID)?;
            let size = usize_from(r.u32(&EXTENT_SIZE)?);
            max_count.check(size.saturating_add(7) & !7, &EXTENT_MAX)?;
            let data = r.bytes(size, &EXTENT_DATA, Format::Bytes)?;
            r.filler(pad(size), &EXTENT_DATA)?;
            Ok(Self { id, data: data.into() })
        })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        let size = self.data.len();
        w.need(size <= MAX_U32.saturating_sub(7), &EXTENT_SIZE, "an extension is too large");
        w.len(size.saturating_add(pad(size)), &EXTENT_MAX);
        w.guid(&self.id);
        w.len(size, &EXTENT_SIZE);
        w.bytes(&self.data);
        w.filler(pad(size));
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// Bytes from a size to the next multiple of 8.
fn pad(size: usize) -> usize {
    size.wrapping_neg() % 8
}

/// `ORPC_EXTENT_ARRAY` ([MS-DCOM] 2.2.13.2), 12 bytes: size u32, reserved u32, a pointer to as many pointers to
/// [`OrpcExtent`] as size rounded up to an even number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrpcExtentArray<'a> {
    /// Number of extensions; another one than there are is a deviation.
    pub size: u32,
    /// Ignored.
    pub reserved: u32,
    /// The extensions, an even number of pointers.
    pub extents: Option<Vec<Option<OrpcExtent<'a>>>>,
}

impl<'a> OrpcExtentArray<'a> {
    /// An array of extensions.
    #[must_use]
    pub fn new(extents: Vec<OrpcExtent<'a>>) -> Self {
        let size = crate::engine::len_of(&extents);
        let mut extents: Vec<_> = extents.into_iter().map(Some).collect();
        if extents.len() % 2 == 1 {
            extents.push(None);
        }
        Self { size, reserved: 0, extents: Some(extents) }
    }

    /// The extensions that are there.
    pub fn iter(&self) -> impl Iterator<Item = &OrpcExtent<'a>> {
        self.extents.iter().flatten().flatten()
    }

    /// The same extensions, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> OrpcExtentArray<'static> {
        let own = |extents: Vec<Option<OrpcExtent<'_>>>| {
            extents.into_iter().map(|extent| extent.map(OrpcExtent::into_owned)).collect()
        };
        OrpcExtentArray { size: self.size, reserved: self.reserved, extents: self.extents.map(own) }
    }
}

static SIZE: At = at("2.2.13.2", "ORPC_EXTENT_ARRAY", "size");
static EXTENTS: At = at("2.2.13.2", "ORPC_EXTENT_ARRAY", "extent");
wire! {
    struct 'a OrpcExtentArray<'a>, "[MS-DCOM]" "2.2.13.2" "ORPC_EXTENT_ARRAY", |v, r|
    "size" size: Count = Count::of(usize_from(v.size));
    "reserved" reserved: u32 = v.reserved;
    "extent" extents: Option<Vec<Option<OrpcExtent<'a>>>> = v.extents;
    => {
        let value = Self { size: size.get(), reserved, extents };
        let there = value.iter().count() == usize_from(size.get());
        let rule = DecodeErrorKind::Rule("not as many extensions as the size says");
        r.must(there, size.offset(), &SIZE, rule)?;
        let room = value.extents.as_ref().map_or(0, Vec::len);
        let rule = DecodeErrorKind::Rule("the room for extensions is not their number rounded up to an even one");
        let even = usize_from(size.get()).next_multiple_of(2);
        r.must(room == even || value.extents.is_none(), size.offset(), &EXTENTS, rule)?;
        Ok(value)
    }
}

/// `ORPCTHIS` ([MS-DCOM] 2.2.13.3), first in every request to an object: version, flags u32, reserved1 u32, cid,
/// extensions; 32 bytes without them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrpcThis<'a> {
    /// Of the client.
    pub version: ComVersion,
    /// 0 but for activation, where it is ignored.
    pub flags: u32,
    /// Ignored.
    pub reserved1: u32,
    /// The causality: which chain of calls this one belongs to.
    pub cid: Uuid,
    /// Data of others that ride along.
    pub extensions: Option<OrpcExtentArray<'a>>,
}

wire! {
    struct 'a OrpcThis<'a>, "[MS-DCOM]" "2.2.13.3" "ORPCTHIS", |v, r|
    "version" version: ComVersion = v.version;
    "flags" flags: u32 = v.flags;
    "reserved1" reserved1: u32 = v.reserved1;
    "cid" cid: Uuid = v.cid;
    "extensions" extensions: Option<OrpcExtentArray<'a>> = v.extensions;
    => {
        let _ = r;
        Ok(Self { version, flags, reserved1, cid, extensions })
    }
}

impl OrpcThis<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> OrpcThis<'static> {
        let Self { version, flags, reserved1, cid, extensions } = self;
        OrpcThis { version, flags, reserved1, cid, extensions: extensions.map(OrpcExtentArray::into_owned) }
    }
}

/// `ORPCTHAT` ([MS-DCOM] 2.2.13.4), first in every response of an object: flags u32, extensions; 8 bytes without them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrpcThat<'a> {
    /// Ignored.
    pub flags: u32,
    /// Data of others that ride along.
    pub extensions: Option<OrpcExtentArray<'a>>,
}

wire! {
    struct 'a OrpcThat<'a>, "[MS-DCOM]" "2.2.13.4" "ORPCTHAT", |v, r|
    "flags" flags: u32 = v.flags;
    "extensions" extensions: Option<OrpcExtentArray<'a>> = v.extensions;
    => {
        let _ = r;
        Ok(Self { flags, extensions })
    }
}

impl OrpcThat<'_> {
    /// The same, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> OrpcThat<'static> {
        OrpcThat { flags: self.flags, extensions: self.extensions.map(OrpcExtentArray::into_owned) }
    }
}
