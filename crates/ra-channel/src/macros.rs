//! What the tables of the specifications become.

/// Places in [MS-RA], one for each field.
macro_rules! at {
    ($doc:literal: $($name:ident = $section:literal $structure:literal $field:literal;)*) => {$(
        const $name: remassist_core::At = remassist_core::At::new($doc, $section, $structure, $field);
    )*};
}

/// A bit field with the specification's names for some of its bits.
macro_rules! flags {
    (
        $(#[$doc:meta])*
        $type:ident($number:ty) { $($(#[$const_doc:meta])* $const:ident = $value:literal $name:literal;)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $type(pub $number);

        impl $type {
            $($(#[$const_doc])* pub const $const: Self = Self($value);)*
            /// Every bit that the specification names.
            pub const KNOWN: Self = Self(0 $(| $value)*);

            /// Whether all bits of `other` are set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The bits of both.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits of this one that `other` does not have.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// The specification's names of the bits that are set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                [$((Self::$const, $name)),*]
                    .into_iter()
                    .filter(move |(bit, _)| self.contains(*bit))
                    .map(|(_, name)| name)
            }
        }

        impl core::ops::BitOr for $type {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }
    };
}
