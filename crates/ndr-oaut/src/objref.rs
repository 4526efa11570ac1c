//! OBJREF, as bytes and not as NDR ([MS-DCOM] 2.2.18).

use bytes::BufMut;
use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, Encode, EncodeError, Format, MAX_U32, check_len,
    len_u32, usize_from,
};
use uuid::Uuid;

use crate::DualStringArray;
use crate::wire;

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-DCOM]", section, structure, field)
}
static OBJREF: At = at("2.2.18", "OBJREF", "");
static SIGNATURE: At = at("2.2.18", "OBJREF", "signature");
static FLAGS: At = at("2.2.18", "OBJREF", "flags");
static IID: At = at("2.2.18", "OBJREF", "iid");
static STD: At = at("2.2.18.2", "STDOBJREF", "");
static STD_FLAGS: At = at("2.2.18.2", "STDOBJREF", "flags");
static REFS: At = at("2.2.18.2", "STDOBJREF", "cPublicRefs");
static OXID: At = at("2.2.18.2", "STDOBJREF", "oxid");
static OID: At = at("2.2.18.2", "STDOBJREF", "oid");
static IPID: At = at("2.2.18.2", "STDOBJREF", "ipid");
static HANDLER: At = at("2.2.18.5", "OBJREF_HANDLER", "clsid");
static CLSID: At = at("2.2.18.6", "OBJREF_CUSTOM", "clsid");
static EXTENSION: At = at("2.2.18.6", "OBJREF_CUSTOM", "cbExtension");
static RESERVED: At = at("2.2.18.6", "OBJREF_CUSTOM", "reserved");
static CUSTOM: At = at("2.2.18.6", "OBJREF_CUSTOM", "");
static OBJECT_DATA: At = at("2.2.18.6", "OBJREF_CUSTOM", "pObjectData");
static SIGNATURE1: At = at("2.2.18.7", "OBJREF_EXTENDED", "Signature1");
static ELEMENTS: At = at("2.2.18.7", "OBJREF_EXTENDED", "nElms");
static SIGNATURE2: At = at("2.2.18.7", "OBJREF_EXTENDED", "Signature2");
static DATA_ID: At = at("2.2.18.8", "DATAELEMENT", "dataID");
static DATA_SIZE: At = at("2.2.18.8", "DATAELEMENT", "cbSize");
static DATA_ROUNDED: At = at("2.2.18.8", "DATAELEMENT", "cbRounded");
static DATA: At = at("2.2.18.8", "DATAELEMENT", "Data");

/// "MEOW".
const MEOW: u32 = 0x574F_454D;
/// Signature1 and Signature2 of OBJREF_EXTENDED.
const EXTENDED: u32 = 0x4E53_5956;

/// A reference to an object, by whatever way it travels ([MS-DCOM] 2.2.18), little-endian: signature u32 "MEOW", flags
/// u32 (one of 1, 2, 4, 8), iid, and what flags says.
///
/// Decoding fails at other signatures and flags. IID_NULL is a deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ObjRef<'a> {
    /// The interface that is referred to.
    pub iid: Uuid,
    /// What flags says.
    pub body: ObjRefBody<'a>,
}

/// The four forms of an OBJREF.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ObjRefBody<'a> {
    /// OBJREF_STANDARD ([MS-DCOM] 2.2.18.4), flags 1.
    Standard {
        /// The object.
        std: StdObjRef,
        /// Its resolver.
        resolver: DualStringArray,
    },
    /// OBJREF_HANDLER ([MS-DCOM] 2.2.18.5), flags 2.
    Handler {
        /// The object.
        std: StdObjRef,
        /// The class of the handler at the client.
        clsid: Uuid,
        /// Its resolver.
        resolver: DualStringArray,
    },
    /// OBJREF_CUSTOM ([MS-DCOM] 2.2.18.6), flags 4. The data go to the end.
    Custom {
        /// The class that understands the data. Never make an object of a class that is not known for it.
        clsid: Uuid,
        /// cbExtension: ignored.
        extension: u32,
        /// reserved: ignored; some senders put a size there.
        reserved: u32,
        /// pObjectData.
        data: Blob<'a>,
    },
    /// OBJREF_EXTENDED ([MS-DCOM] 2.2.18.7), flags 8, with its one DATAELEMENT ([MS-DCOM] 2.2.18.8).
    Extended {
        /// The object.
        std: StdObjRef,
        /// Its resolver.
        resolver: DualStringArray,
        /// dataID: the context.
        data_id: Uuid,
        /// Data without their padding.
        data: Blob<'a>,
        /// What the data are padded with to a multiple of 8.
        padding: Blob<'a>,
    },
}

/// `STDOBJREF` ([MS-DCOM] 2.2.18.1), 40 bytes: flags u32, cPublicRefs u32, oxid u64, oid u64, ipid. In an OBJREF
/// little-endian, as a parameter NDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StdObjRef {
    /// 0, or [`NO_PING`](Self::NO_PING); all else is ignored.
    pub flags: u32,
    /// References that must be released.
    pub public_refs: u32,
    /// The exporter of the object.
    pub oxid: u64,
    /// The object.
    pub oid: u64,
    /// Its interface.
    pub ipid: Uuid,
}

impl StdObjRef {
    /// `SORF_NOPING`: the object need not be pinged.
    pub const NO_PING: u32 = 0x0000_1000;

    fn parse(cursor: &mut Cursor<'_, '_>) -> Result<Self, DecodeError> {
        cursor.group(&STD, |c| {
            Ok(Self {
                flags: c.flags32(&STD_FLAGS)?,
                public_refs: c.u32(&REFS)?,
                oxid: c.u64(&OXID)?,
                oid: c.u64(&OID)?,
                ipid: c.guid(&IPID)?,
            })
        })
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u32_le(self.flags);
        dst.put_u32_le(self.public_refs);
        dst.put_u64_le(self.oxid);
        dst.put_u64_le(self.oid);
        dst.put_slice(&self.ipid.to_bytes_le());
    }
}

wire! {
    struct 'a StdObjRef, "[MS-DCOM]" "2.2.18.3" "STDOBJREF", |v, r|
    "flags" flags: u32 = v.flags;
    "cPublicRefs" public_refs: u32 = v.public_refs;
    "oxid" oxid: u64 = v.oxid;
    "oid" oid: u64 = v.oid;
    "ipid" ipid: Uuid = v.ipid;
    => {
        let _ = r;
        Ok(Self { flags, public_refs, oxid, oid, ipid })
    }
}

impl ObjRef<'_> {
    /// The field flags: which form.
    #[must_use]
    pub fn flags(&self) -> u32 {
        match &self.body {
            ObjRefBody::Standard { .. } => 1,
            ObjRefBody::Handler { .. } => 2,
            ObjRefBody::Custom { .. } => 4,
            ObjRefBody::Extended { .. } => 8,
        }
    }

    /// The same reference, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ObjRef<'static> {
        let body = match self.body {
            ObjRefBody::Standard { std, resolver } => ObjRefBody::Standard { std, resolver },
            ObjRefBody::Handler { std, clsid, resolver } => ObjRefBody::Handler { std, clsid, resolver },
            ObjRefBody::Custom { clsid, extension, reserved, data } => {
                ObjRefBody::Custom { clsid, extension, reserved, data: data.into_owned() }
            }
            ObjRefBody::Extended { std, resolver, data_id, data, padding } => ObjRefBody::Extended {
                std,
                resolver,
                data_id,
                data: data.into_owned(),
                padding: padding.into_owned(),
            },
        };
        ObjRef { iid: self.iid, body }
    }
}

fn signature(cursor: &mut Cursor<'_, '_>, at: &'static At, expected: u32) -> Result<(), DecodeError> {
    let offset = cursor.offset();
    let got = cursor.u32(at)?;
    if got == expected {
        return Ok(());
    }
    Err(DecodeError::new(offset, at, DecodeErrorKind::InvalidValue { got: got.into() }))
}

/// Reads what all forms begin with, and where flags stood: flags and iid.
fn common(c: &mut Cursor<'_, '_>) -> Result<(u32, usize, Uuid), DecodeError> {
    signature(c, &SIGNATURE, MEOW)?;
    let flags_offset = c.offset();
    let flags = c.u32(&FLAGS)?;
    let offset = c.offset();
    let iid = c.guid(&IID)?;
    c.must(!iid.is_nil(), offset, &IID, DecodeErrorKind::Rule("iid is GUID_NULL"))?;
    Ok((flags, flags_offset, iid))
}

/// An OBJREF_CUSTOM ([MS-DCOM] 2.2.18.6) of a class that is known, with what its data say in place of the data.
///
/// The data are [`ActivationProperties`](crate::ActivationProperties), a [`Context`](crate::Context), an
/// [`ErrorInfo`](crate::ErrorInfo) or a [`RecordInfoData`](crate::RecordInfoData). Decoding fails at other forms, at
/// classes that `T` does not have and at data that are no `T`; what follows them is left over. An IID that does not go
/// with the class is a deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CustomObjRef<T> {
    /// The interface that is referred to.
    pub iid: Uuid,
    /// The class of the data.
    pub clsid: Uuid,
    /// cbExtension: 0, ignored.
    pub extension: u32,
    /// reserved: ignored. `None` for what known senders put there: the size of the data and 8 more.
    pub reserved: Option<u32>,
    /// What the data say.
    pub value: T,
}

/// What may stand in the data of a [`CustomObjRef`].
pub trait CustomData {
    /// The classes of such data, each with the interface that goes with it, where one does.
    const CLASSES: &'static [(Uuid, Option<Uuid>)];
}

impl<T: CustomData> CustomObjRef<T> {
    /// Data of the first of their classes, with the interface that goes with it (IID_NULL where none does).
    #[must_use]
    pub fn new(value: T) -> Self {
        let (clsid, iid) = T::CLASSES.first().copied().unwrap_or_default();
        Self { iid: iid.unwrap_or_default(), clsid, extension: 0, reserved: None, value }
    }
}

impl<'a, T: Decode<'a> + Encode + CustomData> Decode<'a> for CustomObjRef<T> {
    const AT: &'static At = &CUSTOM;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&CUSTOM, |c| {
            let (flags, offset, iid) = common(c)?;
            if flags != 4 {
                return Err(DecodeError::new(
                    offset,
                    &FLAGS,
                    DecodeErrorKind::InvalidValue { got: flags.into() },
                ));
            }
            let iid_offset = offset.saturating_add(4);
            let offset = c.offset();
            let clsid = c.guid(&CLSID)?;
            let Some((_, expected)) = T::CLASSES.iter().find(|class| class.0 == clsid) else {
                return Err(DecodeError::new(
                    offset,
                    &CLSID,
                    DecodeErrorKind::Rule("not a class of such data"),
                ));
            };
            let rule = DecodeErrorKind::Rule("iid does not go with clsid");
            c.must(expected.is_none_or(|expected| iid == expected), iid_offset, &IID, rule)?;
            let extension = c.u32(&EXTENSION)?;
            let reserved = c.u32(&RESERVED)?;
            let start = c.offset();
            let value = T::parse(c)?;
            let usual = len_u32(c.offset().saturating_sub(start)).saturating_add(8);
            let reserved = (reserved != usual).then_some(reserved);
            Ok(Self { iid, clsid, extension, reserved, value })
        })
    }
}

impl<T: Encode + CustomData> Encode for CustomObjRef<T> {
    fn encoded_len(&self) -> usize {
        self.value.encoded_len().saturating_add(48)
    }

    fn check(&self) -> Result<(), EncodeError> {
        let known = T::CLASSES.iter().any(|class| class.0 == self.clsid);
        if known {
            self.value.check()
        } else {
            Err(EncodeError::Invalid { at: &CLSID, reason: "not a class of such data" })
        }
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u32_le(MEOW);
        dst.put_u32_le(4);
        dst.put_slice(&self.iid.to_bytes_le());
        dst.put_slice(&self.clsid.to_bytes_le());
        dst.put_u32_le(self.extension);
        let usual = || len_u32(self.value.encoded_len()).saturating_add(8);
        dst.put_u32_le(self.reserved.unwrap_or_else(usual));
        self.value.write(dst);
    }
}

impl<'a> Decode<'a> for ObjRef<'a> {
    const AT: &'static At = &OBJREF;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&OBJREF, |c| {
            let (flags, flags_offset, iid) = common(c)?;
            let body = match flags {
                1 => ObjRefBody::Standard { std: StdObjRef::parse(c)?, resolver: DualStringArray::parse(c)? },
                2 => ObjRefBody::Handler {
                    std: StdObjRef::parse(c)?,
                    clsid: c.guid(&HANDLER)?,
                    resolver: DualStringArray::parse(c)?,
                },
                4 => ObjRefBody::Custom {
                    clsid: c.guid(&CLSID)?,
                    extension: c.u32(&EXTENSION)?,
                    reserved: c.u32(&RESERVED)?,
                    data: c.take_rest(&OBJECT_DATA, Format::Bytes).into(),
                },
                8 => extended(c)?,
                got => {
                    let kind = DecodeErrorKind::InvalidValue { got: got.into() };
                    return Err(DecodeError::new(flags_offset, &FLAGS, kind));
                }
            };
            Ok(Self { iid, body })
        })
    }
}

fn extended<'a>(c: &mut Cursor<'_, 'a>) -> Result<ObjRefBody<'a>, DecodeError> {
    let std = StdObjRef::parse(c)?;
    signature(c, &SIGNATURE1, EXTENDED)?;
    let resolver = DualStringArray::parse(c)?;
    signature(c, &ELEMENTS, 1)?;
    signature(c, &SIGNATURE2, EXTENDED)?;
    let offset = c.offset();
    let data_id = c.guid(&DATA_ID)?;
    c.must(!data_id.is_nil(), offset, &DATA_ID, DecodeErrorKind::Rule("dataID is GUID_NULL"))?;
    let offset = c.offset();
    let size = c.u32(&DATA_SIZE)?;
    c.must(size != 0, offset, &DATA_SIZE, DecodeErrorKind::InvalidValue { got: 0 })?;
    let offset = c.offset();
    let rounded = c.u32(&DATA_ROUNDED)?;
    if size.checked_next_multiple_of(8) != Some(rounded) {
        let kind = DecodeErrorKind::OutOfBounds { got: rounded.into(), max: usize_from(size) };
        return Err(DecodeError::new(offset, &DATA_ROUNDED, kind));
    }
    let data = c.take(usize_from(size), &DATA, Format::Bytes)?.into();
    let padding = c.take(usize_from(rounded.saturating_sub(size)), &DATA, Format::Filler)?.into();
    Ok(ObjRefBody::Extended { std, resolver, data_id, data, padding })
}

impl Encode for ObjRef<'_> {
    fn encoded_len(&self) -> usize {
        let body = match &self.body {
            ObjRefBody::Standard { resolver, .. } => resolver.encoded_len().saturating_add(40),
            ObjRefBody::Handler { resolver, .. } => resolver.encoded_len().saturating_add(56),
            ObjRefBody::Custom { data, .. } => data.len().saturating_add(24),
            ObjRefBody::Extended { resolver, data, padding, .. } => {
                let data = data.len().saturating_add(padding.len());
                resolver.encoded_len().saturating_add(data).saturating_add(76)
            }
        };
        body.saturating_add(24)
    }

    fn check(&self) -> Result<(), EncodeError> {
        match &self.body {
            ObjRefBody::Standard { resolver, .. } | ObjRefBody::Handler { resolver, .. } => resolver.check(),
            ObjRefBody::Custom { .. } => Ok(()),
            ObjRefBody::Extended { resolver, data, padding, .. } => {
                resolver.check()?;
                check_len(data.len(), MAX_U32.saturating_sub(7), &DATA_SIZE)?;
                if padding.len() == data.len().wrapping_neg() % 8 {
                    return Ok(());
                }
                Err(EncodeError::Invalid { at: &DATA, reason: "padding does not end at a multiple of 8" })
            }
        }
    }

    fn write(&self, dst: &mut dyn BufMut) {
        dst.put_u32_le(MEOW);
        dst.put_u32_le(self.flags());
        dst.put_slice(&self.iid.to_bytes_le());
        match &self.body {
            ObjRefBody::Standard { std, resolver } => {
                std.write(dst);
                resolver.write(dst);
            }
            ObjRefBody::Handler { std, clsid, resolver } => {
                std.write(dst);
                dst.put_slice(&clsid.to_bytes_le());
                resolver.write(dst);
            }
            ObjRefBody::Custom { clsid, extension, reserved, data } => {
                dst.put_slice(&clsid.to_bytes_le());
                dst.put_u32_le(*extension);
                dst.put_u32_le(*reserved);
                dst.put_slice(data);
            }
            ObjRefBody::Extended { std, resolver, data_id, data, padding } => {
                std.write(dst);
                dst.put_u32_le(EXTENDED);
                resolver.write(dst);
                dst.put_u32_le(1);
                dst.put_u32_le(EXTENDED);
                dst.put_slice(&data_id.to_bytes_le());
                dst.put_u32_le(len_u32(data.len()));
                dst.put_u32_le(len_u32(data.len().saturating_add(padding.len())));
                dst.put_slice(data);
                dst.put_slice(padding);
            }
        }
    }
}
