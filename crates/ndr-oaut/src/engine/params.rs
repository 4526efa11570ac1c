//! Parameters one after the other, and where a field stood.

use remassist_core::{At, DecodeError};

use super::{Ndr, Reader, Writer};

/// Parameters of a call: each whole, its pointees too, before the next (\[C706\] 14.3.12.3).
macro_rules! parameters {
    ($($type:ident $field:ident),*) => {
        impl<'a, $($type: Ndr<'a>),*> Ndr<'a> for ($($type,)*) {
            type Head = Self;
            const ALIGN: usize = 1;
            #[inline]
            fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
                Ok(($(r.value::<$type>(at)?,)*))
            }
            #[inline]
            fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
                Ok(head)
            }
            #[inline]
            fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
                let ($($field,)*) = self;
                $(w.value($field, at);)*
            }
            #[inline]
            fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
        }
    };
}
parameters!(A a, B b);
parameters!(A a, B b, C c);
parameters!(A a, B b, C c, D d);

/// A field and the absolute offset where it stood, for rules that are looked at later.
#[derive(Debug, Clone, Copy)]
pub struct Placed<T> {
    /// The field.
    pub value: T,
    /// Where it stood; 0 for one that is to be written.
    pub offset: usize,
}

impl<T> Placed<T> {
    /// A field to write.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, offset: 0 }
    }
}

impl<'a, T: Ndr<'a>> Ndr<'a> for Placed<T> {
    type Head = Placed<T::Head>;
    const ALIGN: usize = T::ALIGN;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self::Head, DecodeError> {
        r.align(T::ALIGN)?;
        let offset = r.offset();
        Ok(Placed { value: T::head(r, at)?, offset })
    }
    #[inline]
    fn tail(head: Self::Head, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        Ok(Self { value: T::tail(head.value, r, at)?, offset: head.offset })
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        self.value.put_head(w, at);
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        self.value.put_tail(w, at);
    }
}
