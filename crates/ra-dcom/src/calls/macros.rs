//! How parameters are written down.

use alloc::vec::Vec;

use ndr_oaut::{
    Bstr, ComVersion, DualStringArray, InterfacePointer, InvokeRequest, InvokeResponse, OrpcThat, OrpcThis,
    Residue, SafeArray, StdObjRef, Variant, WideString,
};
use uuid::Uuid;

use crate::{ErrorStatus, HResult, SessionStateEnum};

/// The same value, borrowed from nobody.
pub(crate) trait Own {
    type Owned;
    fn own(self) -> Self::Owned;
}

macro_rules! own_itself {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::calls::macros::Own for $type {
            type Owned = Self;
            fn own(self) -> Self {
                self
            }
        }
    )*};
}
pub(crate) use own_itself;
own_itself!(
    u16,
    u32,
    i32,
    u64,
    Uuid,
    HResult,
    ErrorStatus,
    SessionStateEnum,
    ComVersion,
    DualStringArray,
    StdObjRef
);

macro_rules! own_borrowed {
    ($($type:ident),* $(,)?) => {$(
        impl $crate::calls::macros::Own for $type<'_> {
            type Owned = $type<'static>;
            fn own(self) -> $type<'static> {
                self.into_owned()
            }
        }
    )*};
}
pub(crate) use own_borrowed;
own_borrowed!(
    Bstr,
    InterfacePointer,
    InvokeRequest,
    InvokeResponse,
    OrpcThat,
    OrpcThis,
    Residue,
    SafeArray,
    Variant,
    WideString,
);

impl<T: Own> Own for Option<T> {
    type Owned = Option<T::Owned>;
    fn own(self) -> Self::Owned {
        self.map(T::own)
    }
}

impl<T: Own> Own for Vec<T> {
    type Owned = Vec<T::Owned>;
    fn own(self) -> Self::Owned {
        self.into_iter().map(T::own).collect()
    }
}

/// Parameters, or a structure, in the order of the IDL: name in the specification, field, type on the wire. For those
/// whose fields say nothing about each other; the others are spelled out with `wire!`.
macro_rules! params {
    ($(#[$doc:meta])* $kind:ident $name:ident<$lt:lifetime>, $d:literal $section:literal $structure:literal {
        $($(#[$field_doc:meta])* $wire:literal $field:ident: $type:ty;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name<$lt> {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        ndr_oaut::wire! {
            $kind $lt $name<$lt>, $d $section $structure, |v, r|
            $($wire $field: $type = v.$field;)*
            => {
                let _ = r;
                Ok(Self { $($field),* })
            }
        }

        impl $name<'_> {
            /// The same parameters, borrowed from nobody.
            #[must_use]
            pub fn into_owned(self) -> $name<'static> {
                $name { $($field: $crate::calls::macros::Own::own(self.$field)),* }
            }
        }
        $crate::calls::macros::own_borrowed!($name);
    };
    ($(#[$doc:meta])* $kind:ident $name:ident, $d:literal $section:literal $structure:literal {
        $($(#[$field_doc:meta])* $wire:literal $field:ident: $type:ty;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        ndr_oaut::wire! {
            $kind 'a $name, $d $section $structure, |v, r|
            $($wire $field: $type = v.$field;)*
            => {
                let _ = r;
                Ok(Self { $($field),* })
            }
        }
        $crate::calls::macros::own_itself!($name);
    };
}
pub(crate) use params;

/// A newtype of a `u32` on the wire.
macro_rules! u32_on_the_wire {
    ($($type:ident),*) => {$(
        impl<'a> ndr_oaut::Ndr<'a> for $type {
            type Head = Self;
            const ALIGN: usize = 4;
            fn head(
                r: &mut ndr_oaut::Reader<'_, 'a>,
                at: &'static remassist_core::At,
            ) -> Result<Self, remassist_core::DecodeError> {
                let value = Self(r.u32(at)?);
                r.note(value.name());
                Ok(value)
            }
            fn tail(
                head: Self,
                _: &mut ndr_oaut::Reader<'_, 'a>,
                _: &'static remassist_core::At,
            ) -> Result<Self, remassist_core::DecodeError> {
                Ok(head)
            }
            fn put_head(&self, w: &mut ndr_oaut::Writer<'_>, _: &'static remassist_core::At) {
                w.u32(self.0);
            }
            fn put_tail(&self, _: &mut ndr_oaut::Writer<'_>, _: &'static remassist_core::At) {}
        }
    )*};
}
u32_on_the_wire!(HResult, ErrorStatus);
