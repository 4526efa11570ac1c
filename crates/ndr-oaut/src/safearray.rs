//! SAFEARRAY ([MS-OAUT] 2.2.30).

use alloc::vec::Vec;

use remassist_core::{At, Blob, DecodeError, DecodeErrorKind, len_u32};
use uuid::Uuid;

use crate::engine::{Count, Ndr, Reader, Writer};
use crate::wire;
use crate::{Bstr, Features, InterfacePointer, Record, SfType, VarType, Variant};

const fn at(section: &'static str, structure: &'static str, field: &'static str) -> At {
    At::new("[MS-OAUT]", section, structure, field)
}
static ARRAY: At = at("2.2.30.10", "SAFEARRAY", "");
static MAX_COUNT: At = at("2.2.30.10", "SAFEARRAY", "max_count");
static DIMS: At = at("2.2.30.10", "SAFEARRAY", "cDims");
static FEATURES: At = at("2.2.30.10", "SAFEARRAY", "fFeatures");
static ELEMENT_SIZE: At = at("2.2.30.10", "SAFEARRAY", "cbElements");
static LOCKS: At = at("2.2.30.10", "SAFEARRAY", "cLocks");
static BOUNDS: At = at("2.2.30.10", "SAFEARRAY", "rgsabound");
static SF_TYPE: At = at("2.2.30.9", "SAFEARRAYUNION", "sfType");
static SIZE: At = at("2.2.30.9", "SAFEARRAYUNION", "Size");
static IID: At = at("2.2.30.7", "SAFEARR_HAVEIID", "iid");
static ELEMENTS: At = at("2.2.30.9", "SAFEARRAYUNION", "elements");
static BOUND_ELEMENTS: At = at("2.2.30.1", "SAFEARRAYBOUND", "cElements");

/// `_wireSAFEARRAY`, what a SAFEARRAY points to ([MS-OAUT] 2.2.30.10), always little-endian.
///
/// max_count u32, cDims u16 (equal), fFeatures u16, cbElements u32, cLocks u32, sfType u32, Size u32, a pointer to the
/// elements, with SF_HAVEIID an IID, the bounds of each dimension (8 bytes), the elements. A SAFEARRAY as a parameter
/// or field is `Option<SafeArray>`.
///
/// Decoding fails when the counts contradict each other, at `SF_ERROR` and at unknown element types. Features, type and
/// element size that do not fit each other are deviations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SafeArray<'a> {
    /// fFeatures.
    pub features: Features,
    /// cbElements: size of an element in bytes, as [`SfType::element_size`] tells it.
    pub element_size: u32,
    /// cLocks: with `FADF_HAVEVARTYPE` the type of the elements in the high half; the low half is ignored.
    pub locks: u32,
    /// rgsabound, in the order of the wire; at least one, and their product is the number of elements.
    pub bounds: Vec<Bound>,
    /// uArrayStructs.
    pub elements: Elements<'a>,
}

/// `SAFEARRAYBOUND` ([MS-OAUT] 2.2.30.1), 8 bytes: one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bound {
    /// cElements; 0 is a deviation.
    pub elements: u32,
    /// lLbound: index of the first element.
    pub lower: i32,
}

wire! {
    struct 'a Bound, "[MS-OAUT]" "2.2.30.1" "SAFEARRAYBOUND", |v, r|
    "cElements" elements: u32 = v.elements;
    "lLbound" lower: i32 = v.lower;
    => {
        let _ = r;
        Ok(Self { elements, lower })
    }
}

/// `SAFEARRAYUNION` ([MS-OAUT] 2.2.30.9): the elements, the first index running fastest.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Elements<'a> {
    /// `SF_I1`: bytes.
    I1(Blob<'a>),
    /// `SF_I2`: types of 2 bytes.
    I2(Vec<u16>),
    /// `SF_I4`: types of 4 bytes, also `VT_R4`.
    I4(Vec<u32>),
    /// `SF_I8`: types of 8 bytes, also `VT_R8`.
    I8(Vec<u64>),
    /// `SF_BSTR`.
    Bstr(Vec<Option<Bstr<'a>>>),
    /// `SF_UNKNOWN`.
    Unknown(Vec<Option<InterfacePointer<'a>>>),
    /// `SF_DISPATCH`.
    Dispatch(Vec<Option<InterfacePointer<'a>>>),
    /// `SF_VARIANT`.
    Variant(Vec<Option<Variant<'a>>>),
    /// `SF_RECORD`: one BRECORD holds all records.
    Record(Vec<Option<Record<'a>>>),
    /// `SF_HAVEIID`.
    HaveIid {
        /// The interface of all elements.
        iid: Uuid,
        /// The interface pointers.
        pointers: Vec<Option<InterfacePointer<'a>>>,
    },
}

/// Does the same with the elements, whatever they are.
macro_rules! each {
    ($elements:expr, $items:ident => $do:expr) => {
        match $elements {
            Elements::I1($items) => $do,
            Elements::I2($items) => $do,
            Elements::I4($items) => $do,
            Elements::I8($items) => $do,
            Elements::Bstr($items) => $do,
            Elements::Unknown($items) => $do,
            Elements::Dispatch($items) => $do,
            Elements::Variant($items) => $do,
            Elements::Record($items) => $do,
            Elements::HaveIid { pointers: $items, .. } => $do,
        }
    };
}

impl Elements<'_> {
    /// The discriminant.
    #[must_use]
    pub fn sf_type(&self) -> SfType {
        match self {
            Self::I1(_) => SfType::I1,
            Self::I2(_) => SfType::I2,
            Self::I4(_) => SfType::I4,
            Self::I8(_) => SfType::I8,
            Self::Bstr(_) => SfType::BSTR,
            Self::Unknown(_) => SfType::UNKNOWN,
            Self::Dispatch(_) => SfType::DISPATCH,
            Self::Variant(_) => SfType::VARIANT,
            Self::Record(_) => SfType::RECORD,
            Self::HaveIid { .. } => SfType::HAVEIID,
        }
    }

    /// Number of elements; of records 1.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(self, items => items.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same elements, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> Elements<'static> {
        let pointers = |items: Vec<Option<InterfacePointer<'_>>>| {
            items.into_iter().map(|item| item.map(InterfacePointer::into_owned)).collect()
        };
        match self {
            Self::I1(items) => Elements::I1(items.into_owned()),
            Self::I2(items) => Elements::I2(items),
            Self::I4(items) => Elements::I4(items),
            Self::I8(items) => Elements::I8(items),
            Self::Bstr(items) => {
                Elements::Bstr(items.into_iter().map(|item| item.map(Bstr::into_owned)).collect())
            }
            Self::Unknown(items) => Elements::Unknown(pointers(items)),
            Self::Dispatch(items) => Elements::Dispatch(pointers(items)),
            Self::Variant(items) => {
                Elements::Variant(items.into_iter().map(|item| item.map(Variant::into_owned)).collect())
            }
            Self::Record(items) => {
                Elements::Record(items.into_iter().map(|item| item.map(Record::into_owned)).collect())
            }
            Self::HaveIid { iid, pointers: items } => Elements::HaveIid { iid, pointers: pointers(items) },
        }
    }
}

/// The number of elements that bounds make room for.
fn product(bounds: &[Bound]) -> u64 {
    bounds.iter().fold(1, |product: u64, bound| product.saturating_mul(bound.elements.into()))
}

impl<'a> SafeArray<'a> {
    /// An array of one dimension whose first index is 0, with the type of its elements.
    #[must_use]
    pub fn new(vt: VarType, elements: Elements<'a>) -> Self {
        let kind = match elements.sf_type() {
            SfType::BSTR => Features::BSTR,
            SfType::UNKNOWN => Features::UNKNOWN,
            SfType::DISPATCH => Features::DISPATCH,
            SfType::VARIANT => Features::VARIANT,
            SfType::RECORD => Features::RECORD,
            SfType::HAVEIID if vt == VarType::DISPATCH => Features::DISPATCH.with(Features::HAVEIID),
            SfType::HAVEIID => Features::UNKNOWN.with(Features::HAVEIID),
            _ => Features::default(),
        };
        // An IID or a record stands in place of the type.
        let typed = !matches!(elements.sf_type(), SfType::HAVEIID | SfType::RECORD);
        Self {
            features: if typed { kind.with(Features::HAVEVARTYPE) } else { kind },
            element_size: elements.sf_type().element_size().unwrap_or_default(),
            locks: if typed { u32::from(vt.0) << 16 } else { 0 },
            bounds: Vec::from([Bound { elements: len_u32(elements.len()), lower: 0 }]),
            elements,
        }
    }

    /// The type of the elements, where the array tells it.
    #[must_use]
    pub fn vt(&self) -> Option<VarType> {
        let vt = u16::try_from(self.locks >> 16).unwrap_or_default();
        self.features.contains(Features::HAVEVARTYPE).then_some(VarType(vt))
    }

    /// The same array, borrowed from nobody.
    #[must_use]
    pub fn into_owned(self) -> SafeArray<'static> {
        let Self { features, element_size, locks, bounds, elements } = self;
        SafeArray { features, element_size, locks, bounds, elements: elements.into_owned() }
    }
}

/// Whether the elements are one of the arrays of [MS-OAUT] 2.2.30.8, whose pointer is a unique one; that of the others is
/// a reference pointer.
fn is_sized(sf_type: SfType) -> bool {
    matches!(sf_type, SfType::I1 | SfType::I2 | SfType::I4 | SfType::I8)
}

/// What stands in place of a SAFEARRAY.
#[derive(Debug)]
pub struct SafeArrayHead {
    features: Features,
    element_size: u32,
    locks: u32,
    sf_type: SfType,
    size: Count,
    iid: Uuid,
    bounds: Vec<Bound>,
}

impl<'a> Ndr<'a> for SafeArray<'a> {
    type Head = SafeArrayHead;
    const ALIGN: usize = 4;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<SafeArrayHead, DecodeError> {
        r.align(4)?;
        r.little_endian(|r| r.group(&ARRAY, head))
    }

    fn tail(head: SafeArrayHead, r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        let SafeArrayHead { features, element_size, locks, sf_type, size, iid, bounds } = head;
        let elements = r.little_endian(|r| {
            Ok(match sf_type {
                SfType::I1 => Elements::I1(r.value(&ELEMENTS)?),
                SfType::I2 => Elements::I2(r.numbers(&ELEMENTS)?),
                SfType::I4 => Elements::I4(r.numbers(&ELEMENTS)?),
                SfType::I8 => Elements::I8(r.numbers(&ELEMENTS)?),
                SfType::BSTR => Elements::Bstr(r.value(&ELEMENTS)?),
                SfType::UNKNOWN => Elements::Unknown(r.value(&ELEMENTS)?),
                SfType::DISPATCH => Elements::Dispatch(r.value(&ELEMENTS)?),
                SfType::VARIANT => Elements::Variant(r.value(&ELEMENTS)?),
                SfType::RECORD => Elements::Record(r.value(&ELEMENTS)?),
                SfType::HAVEIID => Elements::HaveIid { iid, pointers: r.value(&ELEMENTS)? },
                SfType(got) => {
                    let kind = DecodeErrorKind::InvalidValue { got: got.into() };
                    return Err(DecodeError::new(size.offset().saturating_sub(4), &SF_TYPE, kind));
                }
            })
        })?;
        size.check(elements.len(), &SIZE)?;
        Ok(Self { features, element_size, locks, bounds, elements })
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.little_endian(|w| {
            let dims = u16::try_from(self.bounds.len()).unwrap_or_default();
            w.need(dims > 0, &DIMS, "an array needs from 1 to 65,535 dimensions");
            let sf_type = self.elements.sf_type();
            let len = u64::try_from(self.elements.len()).unwrap_or(u64::MAX);
            let fits = sf_type == SfType::RECORD || product(&self.bounds) == len;
            w.need(fits, &SIZE, "the number of elements is not the product of the bounds");
            w.u32(dims.into());
            w.u16(dims);
            w.u16(self.features.0);
            w.u32(self.element_size);
            w.u32(self.locks);
            w.u32(sf_type.0);
            w.len(self.elements.len(), &SIZE);
            if is_sized(sf_type) {
                w.referent(true)
            } else {
                w.embedded_reference()
            }
            if let Elements::HaveIid { iid, .. } = &self.elements {
                w.guid(iid);
            }
            self.bounds.iter().for_each(|bound| bound.put_head(w, &BOUNDS));
        });
    }

    fn put_tail(&self, w: &mut Writer<'_>, _: &'static At) {
        w.little_endian(|w| each!(&self.elements, items => w.value(items, &ELEMENTS)));
    }
}

fn head(r: &mut Reader<'_, '_>) -> Result<SafeArrayHead, DecodeError> {
    let max_count = Count::read(r, &MAX_COUNT)?;
    let start = r.offset();
    let dims = r.u16(&DIMS)?;
    max_count.check(dims.into(), &MAX_COUNT)?;
    if dims == 0 {
        return Err(DecodeError::new(start, &DIMS, DecodeErrorKind::InvalidValue { got: 0 }));
    }
    let features = Features(r.u16(&FEATURES)?);
    let (element_size, locks) = (r.u32(&ELEMENT_SIZE)?, r.u32(&LOCKS)?);
    let sf_offset = r.offset();
    let sf_type = SfType(r.u32(&SF_TYPE)?);
    r.note(sf_type.name());
    let Some(expected) = sf_type.element_size() else {
        return Err(DecodeError::new(
            sf_offset,
            &SF_TYPE,
            DecodeErrorKind::InvalidValue { got: sf_type.0.into() },
        ));
    };
    let size = Count::read(r, &SIZE)?;
    if is_sized(sf_type) {
        r.reference(&ELEMENTS)?
    } else {
        r.embedded_reference(&ELEMENTS)?
    }
    let iid = if sf_type == SfType::HAVEIID { r.guid(&IID)? } else { Uuid::nil() };
    let bounds_offset = r.offset();
    let bounds = r.elements(dims.into(), &BOUNDS, |r| r.value::<Bound>(&BOUNDS))?;

    if sf_type == SfType::RECORD {
        let one = DecodeErrorKind::InvalidValue { got: size.get().into() };
        r.must(size.get() == 1, size.offset(), &SIZE, one)?;
    } else if product(&bounds) != size.get().into() {
        let max = usize::try_from(product(&bounds)).unwrap_or(usize::MAX);
        return Err(DecodeError::new(
            size.offset(),
            &SIZE,
            DecodeErrorKind::OutOfBounds { got: size.get().into(), max },
        ));
    }
    let empty = bounds.iter().any(|bound| bound.elements == 0);
    r.must(!empty, bounds_offset, &BOUND_ELEMENTS, DecodeErrorKind::InvalidValue { got: 0 })?;
    let got = DecodeErrorKind::InvalidValue { got: element_size.into() };
    r.must(element_size == expected, start.saturating_add(4), &ELEMENT_SIZE, got)?;
    let got = DecodeErrorKind::InvalidValue { got: features.0.into() };
    r.must(features.fit(sf_type), start.saturating_add(2), &FEATURES, got)?;
    let vt = VarType(u16::try_from(locks >> 16).unwrap_or_default());
    let typed = features.contains(Features::HAVEVARTYPE);
    let fits = if typed { sf_type.holds(vt) } else { vt == VarType::EMPTY };
    let got = DecodeErrorKind::InvalidValue { got: locks.into() };
    r.must(fits, start.saturating_add(8), &LOCKS, got)?;
    Ok(SafeArrayHead { features, element_size, locks, sf_type, size, iid, bounds })
}
