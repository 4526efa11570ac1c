//! The activation properties BLOB ([MS-DCOM] 2.2.22).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use remassist_core::{
    At, Blob, Cursor, Decode, DecodeError, DecodeErrorKind, EncodeError, Format, MAX_U32, check_len,
    encode_whole, len_u32, usize_from,
};
use uuid::{Uuid, uuid};

use crate::engine::{Count, Frame, HEADERS, Placed, Ref, Serialized, pad};
use crate::wire;
use crate::{
    ActivationContextInfoData, CustomData, CustomObjRef, InstanceInfoData, InstantiationInfoData,
    LocationInfoData, PropsOutInfo, ScmReplyInfoData, ScmRequestInfoData, SecurityInfoData,
    SpecialPropertiesData,
};

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-DCOM]", section, structure, field)
}
static BLOB: At = at("2.2.22", "Activation Properties BLOB", "");
static SIZE: At = at("2.2.22", "Activation Properties BLOB", "dwSize");
static RESERVED: At = at("2.2.22", "Activation Properties BLOB", "dwReserved");
static PROPERTY: At = at("2.2.22", "Activation Properties BLOB", "Property");
static TOTAL: At = at("2.2.22.1", "CustomHeader", "totalSize");
static HEADER: At = at("2.2.22.1", "CustomHeader", "headerSize");
static IFS: At = at("2.2.22.1", "CustomHeader", "cIfs");
static CLASS_INFO: At = at("2.2.22.1", "CustomHeader", "classInfoClsid");
static CLSIDS: At = at("2.2.22.1", "CustomHeader", "pclsid");
static SIZES: At = at("2.2.22.1", "CustomHeader", "pSizes");

/// `MAX_ACTPROP_LIMIT` ([MS-DCOM] 2.2.28.1); `MIN_ACTPROP_LIMIT` is 1.
const MAX_PROPERTIES: u32 = 10;
/// MSHCTX_DIFFERENTMACHINE, what known senders say in destCtx.
const DIFFERENT_MACHINE: u32 = 2;

/// The activation properties BLOB ([MS-DCOM] 2.2.22), little-endian: what a client asks of `IRemoteSCMActivator`, or what
/// it gets.
///
/// dwSize u32, dwReserved u32; CustomHeader ([MS-DCOM] 2.2.22.1) as a [`Serialized`]: totalSize u32, headerSize u32,
/// dwReserved u32, destCtx u32, cIfs u32, classInfoClsid, pclsid, pSizes, pdwReserved; then the properties, as long as
/// pSizes says. dwSize and totalSize count from the header to the last property, headerSize is the size of the header.
///
/// Decoding fails when these sizes do not fit each other or what is there, when there are no properties or more than the
/// limit on items, and when one of a known class cannot be read. More than 10 properties ([MS-DCOM] 2.2.28.1), a property
/// that stands twice and a classInfoClsid are deviations; as tolerant decoding reads them, encoding writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ActivationProperties<'a> {
    /// dwReserved: 0, ignored.
    pub reserved: u32,
    /// destCtx: 2, ignored.
    pub dest_ctx: u32,
    /// dwReserved of the header: 0, ignored.
    pub header_reserved: u32,
    /// classInfoClsid: GUID_NULL.
    pub class_info: Uuid,
    /// pdwReserved: null, ignored.
    pub pdw_reserved: Option<u32>,
    /// Properties, 1 to 10 for strict readers. Readers find them by class; known ones want PropsOutInfo before ScmReplyInfoData in replies, and
    /// nothing else.
    pub properties: Vec<Property<'a>>,
    /// What else stands in the header.
    #[cfg_attr(feature = "serde", serde(default))]
    pub frame: Frame<'a>,
}

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident($type:ty) = $clsid:literal, $get:ident, $own:expr;)*) => {
        /// One activation property ([MS-DCOM] 2.2.22.2).
        #[non_exhaustive]
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Property<'a> {
            $($(#[$doc])* $name(Serialized<'a, $type>),)*
            /// Of a class that is not known: to be ignored.
            Unknown {
                /// Which class.
                clsid: Uuid,
                /// The whole property.
                data: Blob<'a>,
            },
        }

        impl<'a> Property<'a> {
            /// The class, as pclsid tells it ([MS-DCOM] 1.9).
            #[must_use]
            pub fn clsid(&self) -> Uuid {
                match self {
                    $(Self::$name(_) => uuid!($clsid),)*
                    Self::Unknown { clsid, .. } => *clsid,
                }
            }

            /// The same property, borrowed from nobody.
            #[must_use]
            pub fn into_owned(self) -> Property<'static> {
                match self {
                    $(Self::$name(property) => Property::$name(Serialized {
                        value: $own(property.value),
                        frame: property.frame.into_owned(),
                    }),)*
                    Self::Unknown { clsid, data } => Property::Unknown { clsid, data: data.into_owned() },
                }
            }

            /// Reads the property of a class that takes all of the cursor.
            fn parse(clsid: Uuid, cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
                $(if clsid == uuid!($clsid) {
                    return Serialized::parse_whole(cursor).map(Self::$name);
                })*
                Ok(Self::Unknown { clsid, data: cursor.take_rest(&PROPERTY, Format::Bytes).into() })
            }

            /// Appends the property.
            fn append(&self, mut out: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
                match self {
                    $(Self::$name(property) => property.frame.append(&property.value, out),)*
                    Self::Unknown { clsid, data } => {
                        if [$(uuid!($clsid)),*].contains(clsid) {
                            let reason = "a known property stands as an unknown one";
                            return Err(EncodeError::Invalid { at: &CLSIDS, reason });
                        }
                        out.extend_from_slice(data);
                        Ok(out)
                    }
                }
            }
        }

        $(impl<'a> From<$type> for Property<'a> {
            fn from(value: $type) -> Self {
                Self::$name(value.into())
            }
        })*

        impl<'a> ActivationProperties<'a> {
            $(#[doc = concat!("The first [`Property::", stringify!($name), "`].")]
            #[must_use]
            pub fn $get(&self) -> Option<&$type> {
                self.properties.iter().find_map(|property| match property {
                    Property::$name(property) => Some(&property.value),
                    _ => None,
                })
            })*
        }
    };
}
properties! {
    /// What is to be made.
    InstantiationInfo(InstantiationInfoData) =
        "000001ab-0000-0000-c000-000000000046", instantiation_info, core::convert::identity;
    /// In which logon session.
    SpecialProperties(SpecialPropertiesData) =
        "000001b9-0000-0000-c000-000000000046", special_properties, core::convert::identity;
    /// The state that it begins with.
    InstanceInfo(InstanceInfoData<'a>) =
        "000001ad-0000-0000-c000-000000000046", instance_info, InstanceInfoData::into_owned;
    /// Which protocols the client speaks.
    ScmRequestInfo(ScmRequestInfoData) =
        "000001aa-0000-0000-c000-000000000046", scm_request_info, core::convert::identity;
    /// The context of the client.
    ActivationContextInfo(ActivationContextInfoData<'a>) =
        "000001a5-0000-0000-c000-000000000046", activation_context_info, ActivationContextInfoData::into_owned;
    /// Ignored, but must be there.
    ServerLocationInfo(LocationInfoData<'a>) =
        "000001a4-0000-0000-c000-000000000046", location_info, LocationInfoData::into_owned;
    /// Ignored.
    SecurityInfo(SecurityInfoData<'a>) =
        "000001a6-0000-0000-c000-000000000046", security_info, SecurityInfoData::into_owned;
    /// Where the object is.
    ScmReplyInfo(ScmReplyInfoData) =
        "000001b6-0000-0000-c000-000000000046", scm_reply_info, core::convert::identity;
    /// The interfaces of the object.
    PropsOutInfo(PropsOutInfo<'a>) =
        "00000339-0000-0000-c000-000000000046", props_out_info, PropsOutInfo::into_owned;
}

/// `CustomHeader` ([MS-DCOM] 2.2.22.1), 48 bytes and what its pointers point to.
struct CustomHeader {
    total_size: Placed<u32>,
    header_size: Placed<u32>,
    reserved: u32,
    dest_ctx: u32,
    class_info: Placed<Uuid>,
    clsids: Ref<Vec<Placed<Uuid>>>,
    sizes: Ref<Vec<u32>>,
    pdw_reserved: Option<u32>,
}

wire! {
    struct 'a CustomHeader, "[MS-DCOM]" "2.2.22.1" "CustomHeader", |v, r|
    "totalSize" total_size: Placed<u32> = v.total_size;
    "headerSize" header_size: Placed<u32> = v.header_size;
    "dwReserved" reserved: u32 = v.reserved;
    "destCtx" dest_ctx: u32 = v.dest_ctx;
    "cIfs" count: Count = Count::of(v.sizes.0.len());
    "classInfoClsid" class_info: Placed<Uuid> = v.class_info;
    "pclsid" clsids: Ref<Vec<Placed<Uuid>>> = v.clsids;
    "pSizes" sizes: Ref<Vec<u32>> = v.sizes;
    "pdwReserved" pdw_reserved: Option<u32> = v.pdw_reserved;
    => {
        let kind = DecodeErrorKind::InvalidValue { got: count.get().into() };
        if count.get() == 0 {
            return Err(DecodeError::new(count.offset(), &IFS, kind));
        }
        r.must(count.get() <= MAX_PROPERTIES, count.offset(), &IFS, kind)?;
        count.check(clsids.0.len(), &IFS)?;
        count.check(sizes.0.len(), &IFS)?;
        Ok(Self { total_size, header_size, reserved, dest_ctx, class_info, clsids, sizes, pdw_reserved })
    }
}

/// CLSID_ActivationPropertiesIn and IID_IActivationPropertiesIn ([MS-DCOM] 1.9).
const IN: (Uuid, Uuid) =
    (uuid!("00000338-0000-0000-c000-000000000046"), uuid!("000001a2-0000-0000-c000-000000000046"));
/// CLSID_ActivationPropertiesOut and IID_IActivationPropertiesOut ([MS-DCOM] 1.9).
const OUT: (Uuid, Uuid) =
    (uuid!("00000339-0000-0000-c000-000000000046"), uuid!("000001a3-0000-0000-c000-000000000046"));

impl CustomData for ActivationProperties<'_> {
    const CLASSES: &'static [(Uuid, Option<Uuid>)] = &[(IN.0, Some(IN.1)), (OUT.0, Some(OUT.1))];
}

/// The references of the parameters pActProperties and ppActProperties ([MS-DCOM] 3.1.2.5.2.3.2).
impl<'a> CustomObjRef<ActivationProperties<'a>> {
    /// What a client asks: CLSID_ActivationPropertiesIn.
    #[must_use]
    pub fn request(properties: ActivationProperties<'a>) -> Self {
        Self { iid: IN.1, clsid: IN.0, extension: 0, reserved: None, value: properties }
    }

    /// What it gets: CLSID_ActivationPropertiesOut.
    #[must_use]
    pub fn reply(properties: ActivationProperties<'a>) -> Self {
        Self { iid: OUT.1, clsid: OUT.0, extension: 0, reserved: None, value: properties }
    }

    /// Whether it is one of a request; else it is one of a reply.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.clsid == IN.0
    }

    /// The same reference, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> CustomObjRef<ActivationProperties<'static>> {
        let Self { iid, clsid, extension, reserved, value } = self;
        CustomObjRef { iid, clsid, extension, reserved, value: value.into_owned() }
    }
}

impl<'a> ActivationProperties<'a> {
    /// Properties in this order.
    #[must_use]
    pub fn new(properties: Vec<Property<'a>>) -> Self {
        Self {
            reserved: 0,
            dest_ctx: DIFFERENT_MACHINE,
            header_reserved: 0,
            class_info: Uuid::nil(),
            pdw_reserved: None,
            properties,
            frame: Frame::default(),
        }
    }

    /// The same properties, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> ActivationProperties<'static> {
        let Self { reserved, dest_ctx, header_reserved, class_info, pdw_reserved, properties, frame } = self;
        ActivationProperties {
            reserved,
            dest_ctx,
            header_reserved,
            class_info,
            pdw_reserved,
            properties: properties.into_iter().map(Property::into_owned).collect(),
            frame: frame.into_owned(),
        }
    }

    fn written(&self) -> Result<Vec<u8>, EncodeError> {
        if self.properties.is_empty() {
            return Err(EncodeError::Invalid { at: &IFS, reason: "no properties" });
        }
        let (mut sizes, mut properties) = (Vec::with_capacity(self.properties.len()), Vec::new());
        for property in &self.properties {
            let start = properties.len();
            properties = property.append(properties)?;
            sizes.push(len_u32(properties.len().saturating_sub(start)));
        }
        let mut header = CustomHeader {
            total_size: Placed::new(0),
            header_size: Placed::new(0),
            reserved: self.header_reserved,
            dest_ctx: self.dest_ctx,
            class_info: Placed::new(self.class_info),
            clsids: Ref(self.properties.iter().map(|property| Placed::new(property.clsid())).collect()),
            sizes: Ref(sizes),
            pdw_reserved: self.pdw_reserved,
        };
        let header_size = self.header_size();
        let total_size = header_size.saturating_add(properties.len());
        check_len(total_size, MAX_U32, &TOTAL)?;
        header.header_size = Placed::new(len_u32(header_size));
        header.total_size = Placed::new(len_u32(total_size));

        let mut blob = Vec::with_capacity(total_size.saturating_add(8));
        blob.extend_from_slice(&len_u32(total_size).to_le_bytes());
        blob.extend_from_slice(&self.reserved.to_le_bytes());
        let mut blob = self.frame.append(&header, blob)?;
        debug_assert_eq!(blob.len(), header_size.saturating_add(8), "the header has the size that it tells");
        blob.append(&mut properties);
        Ok(blob)
    }

    /// Size of the header as a stream: headers, 48 bytes and the reserved number, two arrays with their counts.
    fn header_size(&self) -> usize {
        let fixed = if self.pdw_reserved.is_some() { 60 } else { 56 };
        let object = self.properties.len().saturating_mul(20).saturating_add(fixed);
        let padding = self.frame.padding.as_ref().map_or(pad(object, 8), |padding| padding.len());
        [HEADERS, padding, self.frame.rest.len()].into_iter().fold(object, usize::saturating_add)
    }
}

impl<'a> Decode<'a> for ActivationProperties<'a> {
    const AT: &'static At = &BLOB;

    fn parse(cursor: &mut Cursor<'_, 'a>) -> Result<Self, DecodeError> {
        cursor.group(&BLOB, |c| {
            let size = c.u32(&SIZE)?;
            let reserved = c.u32(&RESERVED)?;
            let mut c = c.sub(usize_from(size), &SIZE)?;
            let start = c.offset();
            let Serialized { value: header, mut frame } = Serialized::<CustomHeader>::parse(&mut c)?;
            let there = c.offset().saturating_sub(start);
            let Some(rest) = usize_from(header.header_size.value).checked_sub(there) else {
                return Err(bounds(header.header_size, &HEADER, there));
            };
            frame.parse_rest(&mut c, rest)?;
            if header.total_size.value != size {
                return Err(bounds(header.total_size, &TOTAL, usize_from(size)));
            }
            let Placed { value: class_info, offset } = header.class_info;
            let rule = DecodeErrorKind::Rule("classInfoClsid is not GUID_NULL");
            c.must(class_info.is_nil(), offset, &CLASS_INFO, rule)?;

            let (mut properties, mut seen) = (Vec::with_capacity(header.sizes.0.len()), BTreeSet::new());
            for (clsid, size) in header.clsids.0.into_iter().zip(header.sizes.0) {
                c.must(
                    seen.insert(clsid.value),
                    clsid.offset,
                    &CLSIDS,
                    DecodeErrorKind::Rule("a property stands twice"),
                )?;
                let mut property = c.sub(usize_from(size), &SIZES)?;
                properties.push(Property::parse(clsid.value, &mut property)?);
            }
            c.finish(&PROPERTY)?;
            Ok(Self {
                reserved,
                dest_ctx: header.dest_ctx,
                header_reserved: header.reserved,
                class_info,
                pdw_reserved: header.pdw_reserved,
                properties,
                frame,
            })
        })
    }
}

fn bounds(field: Placed<u32>, at: &'static At, max: usize) -> DecodeError {
    DecodeError::new(field.offset, at, DecodeErrorKind::OutOfBounds { got: field.value.into(), max })
}

encode_whole!(ActivationProperties<'_>);
