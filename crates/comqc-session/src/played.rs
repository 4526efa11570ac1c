//! A call that a component plays.

use alloc::format;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;

use comqc_format::{IID_IDISPATCH, Security, SecurityData};
use ndr_oaut::{ByteOrder, InterfacePointer, InvokeRequest, Ndr, Stub, Variant};
use remassist_core::{DecodeError, DecodeOptions};
use uuid::Uuid;

use crate::{ArgumentError, Interface, Invocation, Method, Object, ObjectCodecs, ObjectError};

/// One recorded call, as a component gets it.
#[derive(Clone)]
pub struct PlayedCall<'m> {
    /// Its place in the message, from 1.
    pub number: usize,
    /// The interface.
    pub interface_id: Uuid,
    /// Index of the method in the interface, the three of `IUnknown` before: 3 or more; of `IDispatch` always 6.
    pub method_number: u32,
    /// The marshaled parameters, perhaps with undefined bytes behind ([MC-COMQC] 2.2.6.1.4).
    pub data: &'m [u8],
    /// Where its security data stand; see [`claims`](Self::claims).
    pub security: Security<'m>,
    pub(crate) objects: ObjectCodecs,
    pub(crate) options: DecodeOptions,
}

impl fmt::Debug for PlayedCall<'_> {
    /// Without the parameters, which are the application's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlayedCall")
            .field("number", &self.number)
            .field("interface_id", &self.interface_id)
            .field("method_number", &self.method_number)
            .field("data", &format!("{} bytes", self.data.len()))
            .finish_non_exhaustive()
    }
}

impl<'m> PlayedCall<'m> {
    /// Whether the parameters are those of `IDispatch::Invoke`; otherwise they are NDR ([MC-COMQC] 2.2.6.1).
    #[must_use]
    pub fn is_dispatch(&self) -> bool {
        self.interface_id == IID_IDISPATCH
    }

    /// What the message claims of the callers. Proves nothing, see [`SecurityData`].
    #[must_use]
    pub fn claims(&self) -> SecurityData<'m> {
        // The player has checked them before the first call.
        self.security.decode().unwrap_or(SecurityData::EMPTY)
    }

    /// The parameters of a call on `IDispatch` ([MC-COMQC] 2.2.6.1.2); what follows them is ignored.
    ///
    /// # Errors
    /// When they are not those of Invoke: of calls on `IDispatch` that was checked before the first call was played.
    pub fn invoke(&self) -> Result<InvokeRequest<'m>, DecodeError> {
        self.params()
    }

    /// The parameters of a method in NDR ([MC-COMQC] 2.2.6.1.1): a tuple, or a type that `ndr_oaut::wire!` describes.
    /// What follows them is ignored.
    ///
    /// # Errors
    /// When they are no such parameters.
    pub fn params<P: Ndr<'m>>(&self) -> Result<P, DecodeError> {
        Stub::read(self.data, ByteOrder::Little, &self.options).map(|decoded| decoded.value.value)
    }

    /// Method and arguments by a table, whichever way the call came: in NDR under the IID of the table, or on `IDispatch`.
    ///
    /// # Errors
    /// When the call is one of another interface, the table has no such method, or the arguments do not fit it.
    pub fn named<'i>(&self, interface: &'i Interface) -> Result<NamedCall<'i, 'm>, ArgumentError> {
        if self.is_dispatch() {
            let request = self.invoke().map_err(|error| ArgumentError::Decode { name: "".into(), error })?;
            let invocation = Invocation::from(request);
            let method = interface
                .by_dispid(invocation.member, invocation.kind)
                .ok_or_else(|| interface.no_method(format!("DISPID {}", invocation.member)))?;
            return Ok(NamedCall { interface, method, arguments: method.arguments(invocation)? });
        }
        if self.interface_id != interface.iid() {
            return Err(interface.no_method(format!("interface {{{}}}", self.interface_id)));
        }
        let method = interface
            .by_number(self.method_number)
            .ok_or_else(|| interface.no_method(format!("method {}", self.method_number)))?;
        Ok(NamedCall { interface, method, arguments: method.decode(self.data, &self.options)? })
    }

    /// Makes the object that an interface pointer in the parameters stands for ([MC-COMQC] 2.2.6.1.5).
    ///
    /// # Errors
    /// When its class is not registered with the player, or its codec fails.
    pub fn object(&self, pointer: &InterfacePointer<'_>) -> Result<Object, ObjectError> {
        self.objects.load(pointer)
    }

    /// As [`object`](Self::object), of a certain type.
    ///
    /// # Errors
    /// As [`object`](Self::object), and when the object has another type.
    pub fn object_as<O: Any>(&self, pointer: &InterfacePointer<'_>) -> Result<O, ObjectError> {
        self.objects.load_as(pointer)
    }
}

/// A call as a table of its interface tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCall<'i, 'm> {
    /// The interface.
    pub interface: &'i Interface,
    /// The method.
    pub method: &'i Method,
    /// One for each parameter, in its order; [`Variant::MISSING`] for those left out.
    pub arguments: Vec<Variant<'m>>,
}

impl<'m> NamedCall<'_, 'm> {
    /// The argument for the parameter of this name.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&Variant<'m>> {
        let place = self.method.parameters.iter().position(|p| p.name.eq_ignore_ascii_case(name))?;
        self.arguments.get(place)
    }
}
