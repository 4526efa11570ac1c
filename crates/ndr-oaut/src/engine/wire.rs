//! The description of a structure.

use remassist_core::{At, DecodeError};

use super::{Reader, Writer};

/// A type with a form in NDR 2.0 (\[C706\] 14).
///
/// The form has two parts: the head is what stands in place, the tail is what the pointers of the head point to. A
/// structure is the heads of its fields and then their tails; a pointer's head is its referent id, its tail the head
/// and the tail of its referent. That is the whole of the deferral of \[C706\] 14.3.12.3.
pub trait Ndr<'a>: Sized {
    /// What the head tells: all of a value without pointers.
    type Head;
    /// The head begins at a multiple of this many bytes from the beginning of the stream: 1, 2, 4 or 8.
    const ALIGN: usize;

    /// Reads what stands in place; aligns first.
    ///
    /// # Errors
    /// When the bytes cannot be read so, or break a rule under a strict policy.
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self::Head, DecodeError>;

    /// Reads what the pointers of the head point to.
    ///
    /// # Errors
    /// As [`head`](Self::head).
    fn tail(head: Self::Head, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError>;

    /// Writes what stands in place.
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At);

    /// Writes what the pointers point to.
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At);
}

/// The alignment of a structure: the largest of its fields (\[C706\] 14.3.2).
#[doc(hidden)]
#[must_use]
pub const fn align_of(fields: &[usize]) -> usize {
    let mut align = 1;
    let mut rest = fields;
    while let [first, others @ ..] = rest {
        if *first > align {
            align = *first;
        }
        rest = others;
    }
    align
}

/// Describes a structure (`struct`) or the parameters of a call (`params`) field by field, in the order of the IDL:
/// name in the specification, type on the wire, where the value comes from when writing. The block at the end makes
/// the value of the fields read. Reader and writer both come from this one list.
#[macro_export]
macro_rules! wire {
    (struct $lt:lifetime $name:ty, $doc:literal $section:literal $structure:literal, |$v:ident, $r:ident|
        $($wire:literal $field:ident: $ty:ty = $get:expr;)* => $build:expr) => {
        impl<$lt> $crate::Ndr<$lt> for $name {
            type Head = ($(<$ty as $crate::Ndr<$lt>>::Head,)*);
            const ALIGN: usize = $crate::align_of(&[$(<$ty as $crate::Ndr<$lt>>::ALIGN),*]);

            fn head(
                r: &mut $crate::Reader<'_, $lt>,
                _: &'static $crate::remassist_core::At,
            ) -> Result<Self::Head, $crate::remassist_core::DecodeError> {
                r.align(Self::ALIGN)?;
                r.group(const { &$crate::remassist_core::At::new($doc, $section, $structure, "") }, |r| {
                    Ok(($(<$ty as $crate::Ndr<$lt>>::head(
                        r, const { &$crate::remassist_core::At::new($doc, $section, $structure, $wire) })?,)*))
                })
            }

            fn tail(
                ($($field,)*): Self::Head,
                $r: &mut $crate::Reader<'_, $lt>,
                _: &'static $crate::remassist_core::At,
            ) -> Result<Self, $crate::remassist_core::DecodeError> {
                $(let $field = <$ty as $crate::Ndr<$lt>>::tail(
                    $field, $r, const { &$crate::remassist_core::At::new($doc, $section, $structure, $wire) })?;)*
                $build
            }

            fn put_head(&self, w: &mut $crate::Writer<'_>, _: &'static $crate::remassist_core::At) {
                let $v = self;
                w.align(<Self as $crate::Ndr<$lt>>::ALIGN);
                $(<$ty as $crate::Ndr<$lt>>::put_head(
                    &$get, w, const { &$crate::remassist_core::At::new($doc, $section, $structure, $wire) });)*
            }

            fn put_tail(&self, w: &mut $crate::Writer<'_>, _: &'static $crate::remassist_core::At) {
                let $v = self;
                $(<$ty as $crate::Ndr<$lt>>::put_tail(
                    &$get, w, const { &$crate::remassist_core::At::new($doc, $section, $structure, $wire) });)*
            }
        }
    };
    (params $lt:lifetime $name:ty, $doc:literal $section:literal $structure:literal, |$v:ident, $r:ident|
        $($wire:literal $field:ident: $ty:ty = $get:expr;)* => $build:expr) => {
        impl<$lt> $crate::Ndr<$lt> for $name {
            type Head = Self;
            const ALIGN: usize = 1;

            fn head(
                $r: &mut $crate::Reader<'_, $lt>,
                _: &'static $crate::remassist_core::At,
            ) -> Result<Self, $crate::remassist_core::DecodeError> {
                $r.group(const { &$crate::remassist_core::At::new($doc, $section, $structure, "") }, |$r| {
                    $(let $field = $r.value::<$ty>(
                        const { &$crate::remassist_core::At::new($doc, $section, $structure, $wire) })?;)*
                    $build
                })
            }

            fn tail(
                head: Self,
                _: &mut $crate::Reader<'_, $lt>,
                _: &'static $crate::remassist_core::At,
            ) -> Result<Self, $crate::remassist_core::DecodeError> {
                Ok(head)
            }

            fn put_head(&self, w: &mut $crate::Writer<'_>, _: &'static $crate::remassist_core::At) {
                let $v = self;
                $(w.value::<$ty>(
                    &$get, const { &$crate::remassist_core::At::new($doc, $section, $structure, $wire) });)*
            }

            fn put_tail(&self, _: &mut $crate::Writer<'_>, _: &'static $crate::remassist_core::At) {}
        }
    };
}
