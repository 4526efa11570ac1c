//! PROPVARIANT ([MS-MQMQ] 2.2.13): values of properties.

use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError, DecodeErrorKind, len_u32, usize_from};
use uuid::Uuid;

use super::types::{Octets, Text};

static VARIANT: At = At::new("[MS-MQMQ]", "2.2.13.1", "PROPVARIANT", "");
static VT: At = At::new("[MS-MQMQ]", "2.2.13.1", "PROPVARIANT", "vt");
static RESERVED: At = At::new("[MS-MQMQ]", "2.2.13.1", "PROPVARIANT", "wReserved");
static VALUE: At = At::new("[MS-MQMQ]", "2.2.13.1", "PROPVARIANT", "_varUnion");
static COUNT: At = At::new("[MS-MQMQ]", "2.2.16", "COUNTEDARRAY", "cElems");

/// VT_VECTOR: a counted array of the type.
const VECTOR: u16 = 0x1000;

macro_rules! variants {
    (
        empty { $($(#[$e_doc:meta])* $empty:ident = $e_vt:literal;)* }
        numbers { $($(#[$n_doc:meta])* $number:ident($n_type:ty) = $n_vt:literal;)* }
        pointers { $($(#[$p_doc:meta])* $pointer:ident($p_type:ty) = $p_vt:literal;)* }
        counted { $($(#[$c_doc:meta])* $counted:ident($c_type:ty) = $c_vt:literal, $len:expr;)* }
    ) => {
        /// PROPVARIANT ([MS-MQMQ] 2.2.13.1): vt u16, reserved u8, u8 and u32, vt again as the discriminant of the union, then its
        /// arm; aligned to 8. A null pointer is `None`.
        #[non_exhaustive]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum PropVariant {
            $($(#[$e_doc])* $empty,)*
            $($(#[$n_doc])* $number($n_type),)*
            $($(#[$p_doc])* $pointer(Option<$p_type>),)*
            $($(#[$c_doc])* $counted(Option<$c_type>),)*
        }

        /// What stands in place.
        #[doc(hidden)]
        pub enum Head {
            Whole(PropVariant),
            /// A pointer to one value: vt, and whether it points.
            Pointer(u16, bool),
            /// A pointer to an array: vt, number of elements, whether it points.
            Counted(u16, u32, bool, usize),
        }

        impl PropVariant {
            /// The type, with VT_VECTOR.
            #[must_use]
            pub fn vt(&self) -> u16 {
                match self {
                    $(Self::$empty => $e_vt,)*
                    $(Self::$number(_) => $n_vt,)*
                    $(Self::$pointer(_) => $p_vt,)*
                    $(Self::$counted(_) => $c_vt,)*
                }
            }

            fn arm(vt: u16, r: &mut Reader<'_, '_>) -> Result<Head, DecodeError> {
                Ok(match vt {
                    $($e_vt => Head::Whole(Self::$empty),)*
                    $($n_vt => Head::Whole(Self::$number(r.value(&VALUE)?)),)*
                    $($p_vt)|* => Head::Pointer(vt, r.referent(&VALUE)?),
                    $($c_vt)|* => {
                        r.align(4)?;
                        let offset = r.offset();
                        Head::Counted(vt, r.u32(&COUNT)?, r.referent(&VALUE)?, offset)
                    }
                    _ => return Err(r.error(&VT, DecodeErrorKind::InvalidValue { got: vt.into() })),
                })
            }

            fn pointee(vt: u16, points: bool, r: &mut Reader<'_, '_>) -> Result<Self, DecodeError> {
                Ok(match vt {
                    $($p_vt => Self::$pointer(points.then(|| r.value(&VALUE)).transpose()?),)*
                    _ => Self::Empty,
                })
            }

            fn array(vt: u16, count: u32, points: bool, offset: usize, r: &mut Reader<'_, '_>) -> Result<Self, DecodeError> {
                let (value, len) = r.nested(&VALUE, |r| Ok(match vt {
                    $($c_vt => {
                        let value: Option<$c_type> = points.then(|| r.value(&VALUE)).transpose()?;
                        let len: fn(&$c_type) -> usize = $len;
                        let len = value.as_ref().map_or(0, len);
                        (Self::$counted(value), len)
                    })*
                    _ => (Self::Empty, 0),
                }))?;
                if usize_from(count) != len {
                    return Err(DecodeError::new(offset, &COUNT, DecodeErrorKind::OutOfBounds { got: count.into(), max: len }));
                }
                Ok(value)
            }

            fn put_arm(&self, w: &mut Writer<'_>, at: &'static At) {
                match self {
                    $(Self::$empty => {})*
                    $(Self::$number(value) => value.put_head(w, at),)*
                    $(Self::$pointer(value) => w.referent(value.is_some()),)*
                    $(Self::$counted(value) => {
                        let len: fn(&$c_type) -> usize = $len;
                        w.len(value.as_ref().map_or(0, len), at);
                        w.referent(value.is_some());
                    })*
                }
            }

            fn put_pointee(&self, w: &mut Writer<'_>, at: &'static At) {
                match self {
                    $(Self::$empty => {})*
                    $(Self::$number(_) => {})*
                    $(Self::$pointer(value) => if let Some(value) = value { w.value(value, at) },)*
                    $(Self::$counted(value) => if let Some(value) = value { w.value(value, at) },)*
                }
            }
        }
    };
}
variants! {
    empty {
        /// VT_EMPTY.
        Empty = 0;
        /// VT_NULL.
        Null = 1;
    }
    numbers {
        /// VT_I2.
        I2(i16) = 2;
        /// VT_I4.
        I4(i32) = 3;
        /// VT_BOOL: 0xFFFF or 0.
        Bool(u16) = 11;
        /// VT_I1.
        I1(i8) = 16;
        /// VT_UI1.
        Ui1(u8) = 17;
        /// VT_UI2.
        Ui2(u16) = 18;
        /// VT_UI4.
        Ui4(u32) = 19;
        /// VT_I8.
        I8(i64) = 20;
        /// VT_UI8.
        Ui8(u64) = 21;
    }
    pointers {
        /// VT_LPWSTR.
        Lpwstr(Text) = 31;
        /// VT_CLSID.
        Clsid(Uuid) = 72;
    }
    counted {
        /// VT_BLOB.
        Blob(Octets) = 65, |value| value.0.len();
        /// VT_VECTOR | VT_UI1.
        VectorUi1(Octets) = 0x1011, |value| value.0.len();
        /// VT_VECTOR | VT_UI2.
        VectorUi2(Vec<u16>) = 0x1012, Vec::len;
        /// VT_VECTOR | VT_I4.
        VectorI4(Vec<i32>) = 0x1003, Vec::len;
        /// VT_VECTOR | VT_UI4.
        VectorUi4(Vec<u32>) = 0x1013, Vec::len;
        /// VT_VECTOR | VT_UI8.
        VectorUi8(Vec<u64>) = 0x1015, Vec::len;
        /// VT_VECTOR | VT_CLSID.
        VectorClsid(Vec<Uuid>) = 0x1048, Vec::len;
        /// VT_VECTOR | VT_LPWSTR.
        VectorLpwstr(Vec<Option<Text>>) = 0x101F, Vec::len;
        /// VT_VECTOR | VT_VARIANT.
        VectorVariant(Vec<PropVariant>) = 0x100C, Vec::len;
    }
}

impl Default for PropVariant {
    /// VT_NULL, what a caller asks with.
    fn default() -> Self {
        Self::Null
    }
}

impl PropVariant {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Lpwstr(Some(text.into()))
    }

    /// Texts.
    #[must_use]
    pub fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::VectorLpwstr(Some(texts.into_iter().map(|text| Some(Text(text))).collect()))
    }

    /// The text, where it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Lpwstr(Some(text)) => Some(&text.0),
            _ => None,
        }
    }

    /// The texts, where they are some.
    #[must_use]
    pub fn as_texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::VectorLpwstr(texts) => {
                Some(texts.iter().flatten().flatten().map(|text| text.0.as_str()).collect())
            }
            _ => None,
        }
    }

    /// Whether the type is an array of counted elements.
    #[must_use]
    pub fn is_vector(&self) -> bool {
        self.vt() & VECTOR != 0
    }
}

impl<'a> Ndr<'a> for PropVariant {
    type Head = Head;
    const ALIGN: usize = 8;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Head, DecodeError> {
        r.align(Self::ALIGN)?;
        r.group(&VARIANT, |r| {
            let vt = r.u16(&VT)?;
            r.free(&RESERVED, remassist_core::Format::Uint, [0; 1])?;
            r.free(&RESERVED, remassist_core::Format::Uint, [0; 1])?;
            r.free(&RESERVED, remassist_core::Format::Uint, [0; 4])?;
            let tag = r.u16(&VT)?;
            if tag != vt {
                let rule = DecodeErrorKind::Rule("the discriminant of the union is not vt");
                return Err(r.error(&VT, rule));
            }
            Self::arm(vt, r)
        })
    }

    fn tail(head: Head, r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        match head {
            Head::Whole(value) => Ok(value),
            Head::Pointer(vt, points) => Self::pointee(vt, points, r),
            Head::Counted(vt, count, points, offset) => Self::array(vt, count, points, offset, r),
        }
    }

    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        w.align(Self::ALIGN);
        w.u16(self.vt());
        w.free([0; 1]);
        w.free([0; 1]);
        w.free([0; 4]);
        w.u16(self.vt());
        self.put_arm(w, at);
    }

    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        self.put_pointee(w, at);
    }
}

/// How many properties one call may name ([MS-MQMR] 3.1.4.1, [MS-MQMP] 3.1.4).
pub(crate) const MAX_PROPERTIES: u32 = 128;

/// Whether the three counts of properties agree, as `range` and `size_is` want.
pub(crate) fn counts_agree(cp: u32, ids: usize, values: usize) -> bool {
    (1..=MAX_PROPERTIES).contains(&cp) && len_u32(ids) == cp && len_u32(values) == cp
}
