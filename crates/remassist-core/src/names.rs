//! Numbers with a meaning.

/// Declares newtypes of numbers of the wire: constants for the values that a specification names, `ALL` of them, and
/// `name()`, which knows these names. Any other number is a value, too.
///
/// ```
/// remassist_core::named_numbers! {
///     /// A signal, as it stands in a message.
///     Signal(u8) {
///         /// Go on.
///         GO = 1, "go";
///         /// Wait.
///         STOP = 2, "stop";
///     }
/// }
/// assert_eq!((Signal::STOP.0, Signal::STOP.name(), Signal(3).name()), (2, Some("stop"), None));
/// ```
///
/// The types are serialized where the crate that declares them has a feature `serde` that is on.
#[macro_export]
macro_rules! named_numbers {
    ($(
        $(#[$attribute:meta])*
        $type:ident($number:ty) { $($(#[$item:meta])* $const:ident = $value:literal $(,)? $name:literal;)* }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $type(pub $number);

        impl $type {
            $($(#[$item])* pub const $const: Self = Self($value);)*

            /// Those with a name.
            pub const ALL: &[Self] = &[$(Self::$const),*];

            /// The specification's name of the value, `None` when it has none.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    )*};
}
