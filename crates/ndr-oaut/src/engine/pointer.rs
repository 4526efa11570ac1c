//! Pointers (\[C706\] 14.3.10 to 14.3.12).

use alloc::boxed::Box;

use remassist_core::{At, DecodeError};

use super::{Ndr, Reader, Writer};

/// A unique pointer: `None` is null. On the wire a referent id of 4 bytes, the referent follows in the tail.
impl<'a, T: Ndr<'a>> Ndr<'a> for Option<T> {
    type Head = bool;
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<bool, DecodeError> {
        r.referent(at)
    }
    #[inline]
    fn tail(head: bool, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        head.then(|| r.value(at)).transpose()
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        w.referent(self.is_some());
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        if let Some(value) = self {
            w.value(value, at);
        }
    }
}

/// Nothing on the wire. A reference pointer that is a parameter has no form of its own either.
impl<'a, T: Ndr<'a>> Ndr<'a> for Box<T> {
    type Head = T::Head;
    const ALIGN: usize = T::ALIGN;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<T::Head, DecodeError> {
        T::head(r, at)
    }
    #[inline]
    fn tail(head: T::Head, r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        T::tail(head, r, at).map(Self::new)
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        (**self).put_head(w, at);
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        (**self).put_tail(w, at);
    }
}

/// A full pointer (`ptr`): several may point to one referent, which the first of them in the stream brings along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Full<T> {
    /// Points to nothing; id 0.
    #[default]
    Null,
    /// The first pointer to its referent.
    New {
        /// Not 0, and of no other referent in the stream.
        id: u32,
        /// The referent.
        value: T,
    },
    /// Points to what an earlier pointer points to.
    Again {
        /// The id of that pointer.
        id: u32,
    },
}

impl<'a, T: Ndr<'a>> Ndr<'a> for Full<T> {
    /// The id, and whether it is new.
    type Head = (u32, bool);
    const ALIGN: usize = 4;
    #[inline]
    fn head(r: &mut Reader<'_, 'a>, at: &'static At) -> Result<(u32, bool), DecodeError> {
        let id = r.u32(at)?;
        Ok((id, id != 0 && r.is_new(id, at)?))
    }
    #[inline]
    fn tail((id, new): (u32, bool), r: &mut Reader<'_, 'a>, at: &'static At) -> Result<Self, DecodeError> {
        Ok(match (id, new) {
            (0, _) => Self::Null,
            (id, true) => Self::New { id, value: r.value(at)? },
            (id, false) => Self::Again { id },
        })
    }
    #[inline]
    fn put_head(&self, w: &mut Writer<'_>, at: &'static At) {
        let id = match self {
            Self::Null => 0,
            Self::New { id, .. } => {
                let new = *id != 0 && w.is_new(*id);
                w.need(new, at, "two referents of full pointers have one id, or one has the id 0");
                *id
            }
            Self::Again { id } => {
                let new = w.is_new(*id);
                w.need(!new, at, "a full pointer refers to what does not stand before it");
                *id
            }
        };
        w.u32(id);
    }
    #[inline]
    fn put_tail(&self, w: &mut Writer<'_>, at: &'static At) {
        if let Self::New { value, .. } = self {
            w.value(value, at);
        }
    }
}
