//! The automation types without pointers ([MS-OAUT] 2.2.24 to 2.2.27, 2.2.29.1).

use remassist_core::{At, DecodeError, DecodeErrorKind};

use crate::VarType;
use crate::engine::{Ndr, Placed, R4, R8, Reader, Writer};
use crate::wire;

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident($type:ty) = $vt:ident;)*) => {
        /// A value of an automation type without pointers, always little-endian.
        #[non_exhaustive]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Scalar {
            $($(#[$doc])* $name($type),)*
        }

        impl Scalar {
            /// The type, without flags.
            #[must_use]
            pub fn vt(&self) -> VarType {
                match self {
                    $(Self::$name(_) => VarType::$vt,)*
                }
            }

            /// Reads a value of a type; `None` when the type is none of these.
            ///
            /// # Errors
            /// When the bytes end, or the value breaks a rule under a strict policy.
            pub fn read<'a>(
                vt: VarType,
                r: &mut Reader<'_, 'a>,
                at: &'static At,
            ) -> Result<Option<Self>, DecodeError> {
                Ok(Some(match vt {
                    $(VarType::$vt => Self::$name(r.value(at)?),)*
                    _ => return Ok(None),
                }))
            }

            /// Whether a type is one of these.
            #[must_use]
            pub fn has(vt: VarType) -> bool {
                matches!(vt, $(VarType::$vt)|*)
            }

            /// Writes the value.
            pub fn write(&self, w: &mut Writer<'_>, at: &'static At) {
                match self {
                    $(Self::$name(value) => w.value(value, at),)*
                }
            }
        }
    };
}
scalars! {
    /// `VT_I1`.
    I1(i8) = I1;
    /// `VT_UI1`.
    Ui1(u8) = UI1;
    /// `VT_I2`.
    I2(i16) = I2;
    /// `VT_UI2`.
    Ui2(u16) = UI2;
    /// `VT_I4`.
    I4(i32) = I4;
    /// `VT_UI4`.
    Ui4(u32) = UI4;
    /// `VT_I8`.
    I8(i64) = I8;
    /// `VT_UI8`.
    Ui8(u64) = UI8;
    /// `VT_INT`, 4 bytes.
    Int(i32) = INT;
    /// `VT_UINT`, 4 bytes.
    Uint(u32) = UINT;
    /// `VT_R4`.
    R4(R4) = R4;
    /// `VT_R8`.
    R8(R8) = R8;
    /// `VT_BOOL`.
    Bool(VariantBool) = BOOL;
    /// `VT_ERROR`, an HRESULT.
    Error(u32) = ERROR;
    /// `VT_CY` ([MS-OAUT] 2.2.24), in units of 1/10,000.
    Currency(i64) = CY;
    /// `VT_DATE` ([MS-OAUT] 2.2.25), in days since December 30, 1899.
    Date(R8) = DATE;
    /// `VT_DECIMAL`.
    Decimal(Decimal) = DECIMAL;
}

/// `VARIANT_BOOL` ([MS-OAUT] 2.2.27), 2 bytes; other numbers than the two are a deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VariantBool(pub u16);

impl VariantBool {
    /// 0xFFFF.
    pub const TRUE: Self = Self(0xFFFF);
    /// 0x0000.
    pub const FALSE: Self = Self(0);

    /// Whether the number is not 0.
    #[must_use]
    pub fn value(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for VariantBool {
    fn from(value: bool) -> Self {
        if value { Self::TRUE } else { Self::FALSE }
    }
}

impl<'a> Ndr<'a> for VariantBool {
    type Head = Self;
    const ALIGN: usize = 2;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        static BOOL: At = At::new("[MS-OAUT]", "2.2.27", "VARIANT_BOOL", "");
        r.align(2)?;
        let offset = r.offset();
        let number = r.u16(at)?;
        let known = matches!(Self(number), Self::TRUE | Self::FALSE);
        r.must(known, offset, &BOOL, DecodeErrorKind::InvalidValue { got: number.into() })?;
        Ok(Self(number))
    }
    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.u16(self.0);
    }
    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

/// `DECIMAL` ([MS-OAUT] 2.2.26), 16 bytes: wReserved u16, scale u8, sign u8, Hi32 u32, Lo64 u64.
///
/// A scale above 28 and a sign that is neither 0 nor 0x80 are deviations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Decimal {
    /// wReserved: ignored; some senders leave the type of the VARIANT in it.
    pub reserved: u16,
    /// The number is to be divided by 10 to this power, 0 to 28.
    pub scale: u8,
    /// 0, or 0x80 for a negative number.
    pub sign: u8,
    /// The high 32 bits.
    pub hi32: u32,
    /// The low 64 bits.
    pub lo64: u64,
}

static SCALE: At = At::new("[MS-OAUT]", "2.2.26", "DECIMAL", "scale");
static SIGN: At = At::new("[MS-OAUT]", "2.2.26", "DECIMAL", "sign");
wire! {
    struct 'a Decimal, "[MS-OAUT]" "2.2.26" "DECIMAL", |v, r|
    "wReserved" reserved: u16 = v.reserved;
    "scale" scale: Placed<u8> = Placed::new(v.scale);
    "sign" sign: Placed<u8> = Placed::new(v.sign);
    "Hi32" hi32: u32 = v.hi32;
    "Lo64" lo64: u64 = v.lo64;
    => {
        let got = |got: u8| DecodeErrorKind::InvalidValue { got: got.into() };
        r.must(scale.value <= 28, scale.offset, &SCALE, got(scale.value))?;
        r.must(matches!(sign.value, 0 | 0x80), sign.offset, &SIGN, got(sign.value))?;
        Ok(Self { reserved, scale: scale.value, sign: sign.value, hi32, lo64 })
    }
}
