//! Embedded pointers that must not be null.

use remassist_core::{At, DecodeError};

use super::{Ndr, Reader, Writer};

/// A pointer inside a structure that the specification forbids to be null: on the wire as `Option`, but decoding fails
/// when it is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ref<T>(pub T);

impl<'a, T: Ndr<'a>> Ndr<'a> for Ref<T> {
    type Head = ();
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<(), DecodeError> {
        r.reference(at)
    }
    #[inline]
    fn tail((): (), r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        r.value(at).map(Self)
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.referent(true);
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        w.value(&self.0, at);
    }
}
