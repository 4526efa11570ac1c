//! How parameters and structures are written down.

/// Parameters of a call (`params`), or a structure (`struct`), in the order of the IDL: name in the specification, field,
/// type on the wire.
macro_rules! wires {
    ($($(#[$doc:meta])* $kind:ident $name:ident, $d:literal $section:literal $structure:literal {
        $($(#[$field_doc:meta])* $wire:literal $field:ident: $type:ty;)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    )*};
}
pub(crate) use wires;
