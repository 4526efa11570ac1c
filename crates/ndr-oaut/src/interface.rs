//! Interface pointers and records: what carries an OBJREF.

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, usize_from,
};
use uuid::{Uuid, uuid};

use crate::CustomData;
use crate::engine::{Count, Ndr, Reader, Writer};
use crate::wire;

/// `MInterfacePointer` ([MS-DCOM] 2.2.14): max_count u32, ulCntData u32 (equal), the bytes of an OBJREF.
///
/// As a parameter or field it is `Option<InterfacePointer>`, a unique pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct InterfacePointer<'a> {
    /// The OBJREF; see [`ObjRef`](crate::ObjRef).
    pub objref: Blob<'a>,
}

impl InterfacePointer<'_> {
    /// The same pointer, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> InterfacePointer<'static> {
        InterfacePointer { objref: self.objref.into_owned() }
    }
}

static OBJREF: At = At::new("[MS-DCOM]", "2.2.14", "MInterfacePointer", "abData");
static POINTER: At = At::new("[MS-DCOM]", "2.2.14", "MInterfacePointer", "");
static COUNT: At = At::new("[MS-DCOM]", "2.2.14", "MInterfacePointer", "ulCntData");

impl<'a> Ndr<'a> for InterfacePointer<'a> {
    type Head = Self;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(4)?;
        r.group(&POINTER, |r| {
            let (max_count, count) = (Count::read(r, &OBJREF)?, Count::read(r, &COUNT)?);
            max_count.check(usize_from(count.get()), &OBJREF)?;
            Ok(Self { objref: r.bytes(usize_from(count.get()), &OBJREF, Format::Bytes)?.into() })
        })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.len(self.objref.len(), &OBJREF);
        w.len(self.objref.len(), &COUNT);
        w.bytes(&self.objref);
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// `_wireBRECORD` ([MS-OAUT] 2.2.28.2.1): records of a user-defined type, marshaled as their IDL says; 16 bytes and
/// what its two pointers point to.
///
/// fFlags u32 (1 with records, 0 without), clSize u32 (size of `records`, 0 without), pRecInfo, pRecord. Decoding fails
/// when clSize is not the size of the records; their content is kept as bytes. A prefix that is not clSize, and no
/// pRecInfo, are deviations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record<'a> {
    /// fFlags: 1 when there are records, 0 otherwise.
    pub flags: u32,
    /// Which type: a `CustomObjRef<RecordInfoData>`.
    pub info: Option<InterfacePointer<'a>>,
    /// The records: their size with this prefix (u32), then the records.
    pub records: Option<Blob<'a>>,
}

impl Record<'_> {
    /// The same records, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        Record {
            flags: self.flags,
            info: self.info.map(InterfacePointer::into_owned),
            records: self.records.map(Blob::into_owned),
        }
    }
}

static FLAGS: At = At::new("[MS-OAUT]", "2.2.28.2.1", "_wireBRECORD", "fFlags");
static SIZE: At = At::new("[MS-OAUT]", "2.2.28.2.1", "_wireBRECORD", "clSize");
static INFO: At = At::new("[MS-OAUT]", "2.2.28.2.1", "_wireBRECORD", "pRecInfo");
static RECORD: At = At::new("[MS-OAUT]", "2.2.28.2.1", "_wireBRECORD", "pRecord");

wire! {
    struct 'a Record<'a>, "[MS-OAUT]" "2.2.28.2.1" "_wireBRECORD", |v, r|
    "fFlags" flags: u32 = v.flags;
    "clSize" size: Count = Count::of(v.records.as_ref().map_or(0, |records| records.len()));
    "pRecInfo" info: Option<InterfacePointer<'a>> = v.info;
    "pRecord" records: Option<Blob<'a>> = v.records;
    => {
        size.check(records.as_ref().map_or(0, |records| records.len()), &SIZE)?;
        let rule = DecodeErrorKind::Rule("fFlags is not 1 with records, 0 without");
        r.must(flags == u32::from(records.is_some()), size.offset().saturating_sub(4), &FLAGS, rule)?;
        let rule = DecodeErrorKind::Rule("the records do not begin with clSize");
        let begins = |records: &Blob<'_>| records.starts_with(&size.get().to_le_bytes());
        r.must(records.as_ref().is_none_or(begins), size.offset(), &RECORD, rule)?;
        let rule = DecodeErrorKind::Rule("the type of the records is not told");
        r.must(info.is_some(), size.offset().saturating_add(4), &INFO, rule)?;
        Ok(Self { flags, info, records })
    }
}

/// `RecordInfoData` ([MS-OAUT] 2.2.31), 44 bytes, little-endian: which user-defined type. libraryGuid, verMajor u32,
/// recGuid, verMinor u32, Lcid u32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecordInfoData {
    /// libraryGuid: the type library.
    pub library: Uuid,
    /// verMajor: its version.
    pub major: u32,
    /// recGuid: the type.
    pub record: Uuid,
    /// verMinor: the minor version of the library.
    pub minor: u32,
    /// Lcid: the language of the library.
    pub lcid: u32,
}

/// CLSID_RecordInfo, IID_IRecordInfo.
impl CustomData for RecordInfoData {
    const CLASSES: &'static [(Uuid, Option<Uuid>)] = &[(
        uuid!("0000002f-0000-0000-c000-000000000046"),
        Some(uuid!("0000002f-0000-0000-c000-000000000046")),
    )];
}

macro_rules! info_at {
    ($($name:ident = $field:literal;)*) => {$(
        static $name: At = At::new("[MS-OAUT]", "2.2.31", "RecordInfoData", $field);
    )*};
}
info_at! {
    RECORD_INFO = "";
    LIBRARY = "libraryGuid";
    MAJOR = "verMajor";
    GUID = "recGuid";
    MINOR = "verMinor";
    LCID = "Lcid";
}

impl<'a> Decode<'a> for RecordInfoData {
    const AT: &'static At = &RECORD_INFO;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&RECORD_INFO, |c| {
            Ok(Self {
                library: c.guid(&LIBRARY)?,
                major: c.u32(&MAJOR)?,
                record: c.guid(&GUID)?,
                minor: c.u32(&MINOR)?,
                lcid: c.u32(&LCID)?,
            })
        })
    }
}

impl Encode for RecordInfoData {
    fn encoded_len(&self) -> usize {
        44
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_slice(&self.library.to_bytes_le());
        dst.put_u32_le(self.major);
        dst.put_slice(&self.record.to_bytes_le());
        dst.put_u32_le(self.minor);
        dst.put_u32_le(self.lcid);
    }
}
