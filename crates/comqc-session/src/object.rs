//! Objects that travel in arguments by value ([MC-COMQC] 2.2.6.1.5).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::{Any, type_name};
use core::fmt;

use comqc_format::ObjectReference;
use ndr_oaut::{Elements, InterfacePointer, Variant};
use remassist_core::{Decode as _, DecodeError, Encode as _, EncodeError};
use uuid::Uuid;

use crate::Type;

/// Why an object cannot travel, or cannot be made of what has travelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// No codec for objects of this type: marshaling must fail ([MC-COMQC] 2.2.6.1.5).
    #[error("objects of type {0} have no registered binary form")]
    NoForm(&'static str),
    /// No codec for this class. Nothing is made of classes that the application has not registered.
    #[error("class {{{0}}} is not registered for objects in arguments")]
    UnknownClass(Uuid),
    /// The class has made an object of another type than the one asked for.
    #[error("an object of class {{{clsid}}} is no {expected}")]
    OtherType {
        /// The class.
        clsid: Uuid,
        /// The type asked for.
        expected: &'static str,
    },
    /// What stands there is no object reference structure.
    #[error("not an object by value: {0}")]
    Malformed(DecodeError),
    /// The structure cannot be written.
    #[error(transparent)]
    Encode(EncodeError),
    /// What the codec of the class says.
    #[error("class {{{clsid}}}: {reason}")]
    Codec {
        /// The class.
        clsid: Uuid,
        /// Why.
        reason: String,
    },
}

/// An object, whatever its type.
pub type Object = Box<dyn Any + Send>;

type Save = dyn Fn(&dyn Any) -> Option<Result<Vec<u8>, String>> + Send + Sync;
type Load = dyn Fn(&[u8]) -> Result<Object, String> + Send + Sync;

#[derive(Clone)]
struct Codec {
    save: Arc<Save>,
    load: Arc<Load>,
}

/// The classes whose objects may travel in arguments: CLSID, and how an object becomes bytes and bytes an object (on Windows
/// what `IPersistStream` does). Copies share the codecs.
#[derive(Clone, Default)]
pub struct ObjectCodecs {
    classes: Arc<BTreeMap<Uuid, Codec>>,
}

impl fmt::Debug for ObjectCodecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.classes.keys()).finish()
    }
}

impl ObjectCodecs {
    /// Registers a class, in place of what was registered for it before.
    pub fn register<T: Any + Send>(
        &mut self,
        clsid: Uuid,
        save: impl Fn(&T) -> Result<Vec<u8>, String> + Send + Sync + 'static,
        load: impl Fn(&[u8]) -> Result<T, String> + Send + Sync + 'static,
    ) {
        let codec = Codec {
            save: Arc::new(move |object| object.downcast_ref().map(&save)),
            load: Arc::new(move |data| load(data).map(|object| -> Object { Box::new(object) })),
        };
        Arc::make_mut(&mut self.classes).insert(clsid, codec);
    }

    /// Whether a class is registered.
    #[must_use]
    pub fn knows(&self, clsid: Uuid) -> bool {
        self.classes.contains_key(&clsid)
    }

    /// What stands for an object in arguments: the structure of [MC-COMQC] 2.2.6.1.5 in place of the OBJREF in an
    /// MInterfacePointer. Of several classes with objects of this type it is the one with the lowest CLSID.
    ///
    /// # Errors
    /// When no class has objects of this type, or its codec fails.
    pub fn save<T: Any>(&self, object: &T) -> Result<InterfacePointer<'static>, ObjectError> {
        let saved = self.classes.iter().find_map(|(clsid, codec)| Some((*clsid, (codec.save)(object)?)));
        let (clsid, data) = saved.ok_or(ObjectError::NoForm(type_name::<T>()))?;
        let data = data.map_err(|reason| ObjectError::Codec { clsid, reason })?;
        pointer(clsid, data)
    }

    /// Makes an object of what stands for it in arguments.
    ///
    /// # Errors
    /// When the class is not registered, or its codec fails.
    pub fn load(&self, pointer: &InterfacePointer<'_>) -> Result<Object, ObjectError> {
        let reference = ObjectReference::decode_strict(&pointer.objref).map_err(ObjectError::Malformed)?;
        let clsid = reference.object_id;
        let codec = self.classes.get(&clsid).ok_or(ObjectError::UnknownClass(clsid))?;
        (codec.load)(&reference.object).map_err(|reason| ObjectError::Codec { clsid, reason })
    }

    /// Makes an object of a certain type of what stands for it in arguments.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when the object has another type.
    pub fn load_as<T: Any>(&self, pointer: &InterfacePointer<'_>) -> Result<T, ObjectError> {
        let object = self.load(pointer)?.downcast();
        let clsid = ObjectReference::decode_strict(&pointer.objref).map_or(Uuid::nil(), |r| r.object_id);
        object.map(|object| *object).map_err(|_| ObjectError::OtherType { clsid, expected: type_name::<T>() })
    }

    /// Checks what stands for an object: that it is one, and that its class is registered. Makes nothing.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self, pointer: &InterfacePointer<'_>) -> Result<(), ObjectError> {
        let reference = ObjectReference::decode_strict(&pointer.objref).map_err(ObjectError::Malformed)?;
        let clsid = reference.object_id;
        if self.knows(clsid) { Ok(()) } else { Err(ObjectError::UnknownClass(clsid)) }
    }

    /// Checks every object inside a value. What is inside a record is known to [`check_typed`](Self::check_typed) alone.
    ///
    /// # Errors
    /// That of the first that is none, or whose class is not registered.
    pub fn check_all(&self, value: &Variant<'_>) -> Result<(), ObjectError> {
        each_pointer(value, &mut |pointer| self.check(pointer))
    }

    /// Checks every object inside a value of a type, those inside of declared records too; but not those in a VARIANT of a
    /// record.
    ///
    /// # Errors
    /// As [`check_all`](Self::check_all).
    pub fn check_typed(&self, ty: &Type, value: &Variant<'_>) -> Result<(), ObjectError> {
        ty.each_leaf(value, &mut |value| self.check_all(value))
    }
}

/// What stands for an object of a class in its binary form.
pub(crate) fn pointer(clsid: Uuid, data: Vec<u8>) -> Result<InterfacePointer<'static>, ObjectError> {
    let objref = ObjectReference::new(clsid, data.into()).to_vec().map_err(ObjectError::Encode)?;
    Ok(InterfacePointer { objref: objref.into() })
}

/// Visits the interface pointers inside a value. Records are bytes, what is inside is not found.
fn each_pointer<E>(
    value: &Variant<'_>,
    visit: &mut dyn FnMut(&InterfacePointer<'_>) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        Variant::Unknown(Some(pointer))
        | Variant::Dispatch(Some(pointer))
        | Variant::UnknownRef(Some(pointer))
        | Variant::DispatchRef(Some(pointer)) => visit(pointer),
        Variant::VariantRef(Some(value)) => each_pointer(value, visit),
        Variant::Array { array: Some(array), .. } | Variant::ArrayRef { array: Some(array), .. } => {
            match array.safearray.as_deref().map(|array| &array.elements) {
                Some(
                    Elements::Unknown(pointers)
                    | Elements::Dispatch(pointers)
                    | Elements::HaveIid { pointers, .. },
                ) => pointers.iter().flatten().try_for_each(visit),
                Some(Elements::Variant(values)) => {
                    values.iter().flatten().try_for_each(|value| each_pointer(value, visit))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
