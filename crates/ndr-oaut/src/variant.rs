//! VARIANT ([MS-OAUT] 2.2.29).

use alloc::boxed::Box;

use remassist_core::{At, DecodeError, DecodeErrorKind, Format};

use crate::engine::{Ndr, Reader, Writer};
use crate::{Bstr, InterfacePointer, Record, SafeArray, Scalar, VarType};

const fn at(field: &'static str) -> At {
    At::new("[MS-OAUT]", "2.2.29.1", "_wireVARIANT", field)
}
static VARIANT: At = at("");
static SIZE: At = at("clSize");
static RPC_RESERVED: At = at("rpcReserved");
static VT: At = at("vt");
static RESERVED: [At; 3] = [at("wReserved1"), at("wReserved2"), at("wReserved3")];
static SWITCH: At = at("switch_is(vt)");
static UNION: At = at("_varUnion");

/// `_wireVARIANT`, what a VARIANT points to ([MS-OAUT] 2.2.29.1), always little-endian; aligned to 8.
///
/// clSize u32 (size in units of 8 bytes), rpcReserved u32, vt u16, three reserved u16, the discriminant of the union
/// (u32: vt, or only the flags of an array), the union. A VARIANT as a parameter or field is `Option<Variant>`.
///
/// Decoding fails at types that the specification does not allow in a VARIANT, and when one is nested in another
/// deeper than the limit. A wrong clSize is a deviation.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Variant<'a> {
    /// `VT_EMPTY`.
    #[default]
    Empty,
    /// `VT_NULL`.
    Null,
    /// A type without pointers.
    Scalar(Scalar),
    /// `VT_BSTR`.
    Bstr(Option<Bstr<'a>>),
    /// `VT_UNKNOWN`.
    Unknown(Option<InterfacePointer<'a>>),
    /// `VT_DISPATCH`.
    Dispatch(Option<InterfacePointer<'a>>),
    /// `VT_RECORD`.
    Record(Option<Box<Record<'a>>>),
    /// `VT_ARRAY` of a type.
    Array {
        /// The type of the elements, without flags.
        vt: VarType,
        /// PSAFEARRAY.
        array: Option<PSafeArray<'a>>,
    },
    /// A type without pointers, by reference.
    ScalarRef(Scalar),
    /// `VT_BSTR | VT_BYREF`.
    BstrRef(Option<Bstr<'a>>),
    /// `VT_UNKNOWN | VT_BYREF`.
    UnknownRef(Option<InterfacePointer<'a>>),
    /// `VT_DISPATCH | VT_BYREF`.
    DispatchRef(Option<InterfacePointer<'a>>),
    /// `VT_RECORD | VT_BYREF`, which has the form of `VT_RECORD`.
    RecordRef(Option<Box<Record<'a>>>),
    /// `VT_ARRAY | VT_BYREF` of a type.
    ArrayRef {
        /// The type of the elements, without flags.
        vt: VarType,
        /// PSAFEARRAY.
        array: Option<PSafeArray<'a>>,
    },
    /// `VT_VARIANT | VT_BYREF`.
    VariantRef(Option<Box<Variant<'a>>>),
}

/// `PSAFEARRAY`: a pointer to a SAFEARRAY, which is a pointer itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PSafeArray<'a> {
    /// The array; a null pointer in place of it is legal.
    pub safearray: Option<Box<SafeArray<'a>>>,
}

impl<'a> Ndr<'a> for PSafeArray<'a> {
    type Head = bool;
    const ALIGN: usize = 4;
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<bool, DecodeError> {
        r.referent(at)
    }
    fn tail(head: bool, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        Ok(Self { safearray: Option::tail(head, r, at)? })
    }
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        self.safearray.put_head(w, at);
    }
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        self.safearray.put_tail(w, at);
    }
}

impl Variant<'_> {
    /// The marker of an optional argument that is left out ([MS-OAUT] 3.1.4.4.3).
    pub const MISSING: Variant<'static> = Variant::Scalar(Scalar::Error(0x8002_0004));

    /// The field vt.
    #[must_use]
    pub fn vt(&self) -> VarType {
        match self {
            Self::Empty => VarType::EMPTY,
            Self::Null => VarType::NULL,
            Self::Scalar(scalar) => scalar.vt(),
            Self::Bstr(_) => VarType::BSTR,
            Self::Unknown(_) => VarType::UNKNOWN,
            Self::Dispatch(_) => VarType::DISPATCH,
            Self::Record(_) => VarType::RECORD,
            Self::Array { vt, .. } => vt.array(),
            Self::ScalarRef(scalar) => scalar.vt().by_ref(),
            Self::BstrRef(_) => VarType::BSTR.by_ref(),
            Self::UnknownRef(_) => VarType::UNKNOWN.by_ref(),
            Self::DispatchRef(_) => VarType::DISPATCH.by_ref(),
            Self::RecordRef(_) => VarType::RECORD.by_ref(),
            Self::ArrayRef { vt, .. } => vt.array().by_ref(),
            Self::VariantRef(_) => VarType::VARIANT.by_ref(),
        }
    }

    /// The discriminant that peers write: vt, and for arrays only the flags, although the IDL says `switch_is(vt)`.
    fn switch(vt: VarType) -> u32 {
        let flags = VarType(vt.0 & (VarType::ARRAY.0 | VarType::BYREF.0));
        u32::from(if vt.is_array() { flags.0 } else { vt.0 })
    }

    /// The same value, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Variant<'static> {
        let array = |array: Option<PSafeArray<'_>>| {
            let own = |a: Box<SafeArray<'_>>| Box::new(a.into_owned());
            array.map(|a| PSafeArray { safearray: a.safearray.map(own) })
        };
        let record = |record: Option<Box<Record<'_>>>| record.map(|r| Box::new(r.into_owned()));
        match self {
            Self::Empty => Variant::Empty,
            Self::Null => Variant::Null,
            Self::Scalar(scalar) => Variant::Scalar(scalar),
            Self::Bstr(text) => Variant::Bstr(text.map(Bstr::into_owned)),
            Self::Unknown(p) => Variant::Unknown(p.map(InterfacePointer::into_owned)),
            Self::Dispatch(p) => Variant::Dispatch(p.map(InterfacePointer::into_owned)),
            Self::Record(r) => Variant::Record(record(r)),
            Self::Array { vt, array: a } => Variant::Array { vt, array: array(a) },
            Self::ScalarRef(scalar) => Variant::ScalarRef(scalar),
            Self::BstrRef(text) => Variant::BstrRef(text.map(Bstr::into_owned)),
            Self::UnknownRef(p) => Variant::UnknownRef(p.map(InterfacePointer::into_owned)),
            Self::DispatchRef(p) => Variant::DispatchRef(p.map(InterfacePointer::into_owned)),
            Self::RecordRef(r) => Variant::RecordRef(record(r)),
            Self::ArrayRef { vt, array: a } => Variant::ArrayRef { vt, array: array(a) },
            Self::VariantRef(v) => Variant::VariantRef(v.map(|v| Box::new(v.into_owned()))),
        }
    }

    /// Whether a type may stand in a VARIANT ([MS-OAUT] 2.2.7, context V).
    fn allows(vt: VarType) -> bool {
        let base = vt.base();
        let known = VarType(base.0 | vt.0 & (VarType::ARRAY.0 | VarType::BYREF.0)) == vt;
        let pointers = [VarType::BSTR, VarType::UNKNOWN, VarType::DISPATCH, VarType::RECORD].contains(&base);
        known
            && match (vt.is_array(), vt.is_by_ref()) {
                (true, _) => pointers || Scalar::has(base) || base == VarType::VARIANT,
                (false, true) => pointers || Scalar::has(base) || base == VarType::VARIANT,
                (false, false) => {
                    pointers || Scalar::has(base) || matches!(base, VarType::EMPTY | VarType::NULL)
                }
            }
    }
}

/// The union of a VARIANT is read in one go: nothing stands between its head and its tail.
impl<'a> Ndr<'a> for Variant<'a> {
    type Head = Self;
    const ALIGN: usize = 8;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(8)?;
        r.little_endian(|r| r.nested(&VARIANT, |r| r.group(&VARIANT, Self::read)))
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.align(8);
        w.little_endian(|w| {
            let start = w.position();
            w.u32(0);
            w.free([0; 4]);
            let vt = self.vt();
            if let Self::Array { vt, .. } | Self::ArrayRef { vt, .. } = self {
                w.need(vt.base() == *vt, &VT, "the type of elements has flags");
            }
            w.need(Self::allows(vt), &VT, "a type that no VARIANT may have");
            w.u16(vt.0);
            RESERVED.iter().for_each(|_| w.free([0; 2]));
            let switch =
                w.kept(Self::switch(vt).to_le_bytes(), |kept| u32::from_le_bytes(kept) == vt.0.into());
            w.raw(switch);
            self.put_union(w);
            let size = w.position().saturating_sub(start).div_ceil(8);
            w.free_again(start, u32::try_from(size).unwrap_or(u32::MAX));
        });
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

impl<'a> Variant<'a> {
    fn read(r: &mut Reader<'_, 'a>) -> Result<Self, DecodeError> {
        let (start, offset) = (r.position(), r.offset());
        let size = r.u32(&SIZE)?;
        r.free(&RPC_RESERVED, Format::Uint, [0; 4])?;
        let vt_offset = r.offset();
        let vt = VarType(r.u16(&VT)?);
        r.note(vt.name());
        for at in &RESERVED {
            r.free(at, Format::Uint, [0; 2])?;
        }
        let got = DecodeErrorKind::InvalidValue { got: vt.0.into() };
        if !Self::allows(vt) {
            return Err(DecodeError::new(vt_offset, &VT, got));
        }
        let switch_offset = r.offset();
        let usual = Self::switch(vt);
        let switch = u32::from_le_bytes(r.free(&SWITCH, Format::Uint, usual.to_le_bytes())?);
        if switch != usual && switch != vt.0.into() {
            let kind = DecodeErrorKind::InvalidValue { got: switch.into() };
            return Err(DecodeError::new(switch_offset, &SWITCH, kind));
        }
        let value = Self::union(vt, r)?.ok_or(DecodeError::new(vt_offset, &VT, got))?;
        let expected = u32::try_from(r.position().saturating_sub(start).div_ceil(8)).unwrap_or(u32::MAX);
        if size != expected {
            r.keep(start, 4);
        }
        let rule = DecodeErrorKind::Rule("clSize is not the size in units of 8 bytes");
        r.must(size == expected, offset, &SIZE, rule)?;
        Ok(value)
    }

    fn union(vt: VarType, r: &mut Reader<'_, 'a>) -> Result<Option<Self>, DecodeError> {
        let base = vt.base();
        // A record by reference has no pointer more than one by value.
        if vt.is_by_ref() && base != VarType::RECORD || vt.is_by_ref() && vt.is_array() {
            r.reference(&UNION)?;
        }
        Ok(Some(match (vt.is_array(), vt.is_by_ref(), base) {
            (true, false, vt) => Self::Array { vt, array: r.value(&UNION)? },
            (true, true, vt) => Self::ArrayRef { vt, array: r.value(&UNION)? },
            (_, false, VarType::EMPTY) => Self::Empty,
            (_, false, VarType::NULL) => Self::Null,
            (_, false, VarType::BSTR) => Self::Bstr(r.value(&UNION)?),
            (_, false, VarType::UNKNOWN) => Self::Unknown(r.value(&UNION)?),
            (_, false, VarType::DISPATCH) => Self::Dispatch(r.value(&UNION)?),
            (_, false, VarType::RECORD) => Self::Record(r.value(&UNION)?),
            (_, true, VarType::BSTR) => Self::BstrRef(r.value(&UNION)?),
            (_, true, VarType::UNKNOWN) => Self::UnknownRef(r.value(&UNION)?),
            (_, true, VarType::DISPATCH) => Self::DispatchRef(r.value(&UNION)?),
            (_, true, VarType::RECORD) => Self::RecordRef(r.value(&UNION)?),
            (_, true, VarType::VARIANT) => Self::VariantRef(r.value(&UNION)?),
            (_, by_ref, vt) => {
                let scalar = Scalar::read(vt, r, &UNION)?;
                return Ok(scalar.map(if by_ref { Self::ScalarRef } else { Self::Scalar }));
            }
        }))
    }

    fn put_union(&self, w: &mut Writer<'_>) {
        match self {
            Self::Empty | Self::Null => {}
            Self::Scalar(scalar) => scalar.write(w, &UNION),
            Self::Bstr(text) => w.value(text, &UNION),
            Self::Unknown(pointer) | Self::Dispatch(pointer) => w.value(pointer, &UNION),
            Self::Record(record) | Self::RecordRef(record) => w.value(record, &UNION),
            Self::Array { array, .. } => w.value(array, &UNION),
            Self::ScalarRef(scalar) => {
                w.referent(true);
                scalar.write(w, &UNION);
            }
            Self::BstrRef(text) => {
                w.referent(true);
                w.value(text, &UNION);
            }
            Self::UnknownRef(pointer) | Self::DispatchRef(pointer) => {
                w.referent(true);
                w.value(pointer, &UNION);
            }
            Self::ArrayRef { array, .. } => {
                w.referent(true);
                w.value(array, &UNION);
            }
            Self::VariantRef(variant) => {
                w.referent(true);
                w.value(variant, &UNION);
            }
        }
    }
}
