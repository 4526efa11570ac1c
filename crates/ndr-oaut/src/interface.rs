//! Interface pointers and records: what carries an OBJREF.

use remassist_core::{At, Blob, DecodeError, DecodeErrorKind, Format, usize_from};

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
/// when clSize is not the size of the records; what stands in them is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record<'a> {
    /// fFlags: 1 when there are records, 0 otherwise.
    pub flags: u32,
    /// Which type: an OBJREF_CUSTOM that holds a RecordInfoData.
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
        Ok(Self { flags, info, records })
    }
}
