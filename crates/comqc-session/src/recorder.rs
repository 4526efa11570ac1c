//! The recorder ([MC-COMQC] 3.2).

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;

use comqc_format::{IID_IDISPATCH, Property, PropertyType, RecordedCall, Recording, SecurityData, Writer};
use ndr_oaut::{ByteOrder, InterfacePointer, InvokeFlags, InvokeRequest, Ndr, Stub, Variant};
use remassist_core::{Blob, DecodeError, DecodeOptions, Encode as _, EncodeError, usize_from};
use uuid::Uuid;

use crate::dispatch;
use crate::player::{FIRST_METHOD, INVOKE};
use crate::{
    Argument, ArgumentError, Interface, Invocation, MethodKind, NotQueueable, ObjectCodecs, ObjectError,
    Properties, QueueMessage, Type,
};

/// What a recorder may be told.
#[derive(Debug, Clone)]
pub struct RecorderOptions {
    /// Properties of the message.
    pub properties: Properties,
    /// How the message is written; also the largest body, 4 MiB less 4 KiB by default.
    pub writer: Writer,
    /// Calls of a message.
    pub max_calls: usize,
    /// Collections in one security context.
    pub max_collections: usize,
    /// Classes whose objects may stand in arguments.
    pub objects: ObjectCodecs,
    /// Language of the arguments of calls on `IDispatch`.
    pub lcid: u32,
    /// Say in calls on `IDispatch` that result, exception and index of the wrong argument are not wanted
    /// ([MS-OAUT] 3.1.4.4).
    pub zero_flags: bool,
}

impl Default for RecorderOptions {
    /// 10,000 calls, 16 collections, no objects, English (0x0409).
    fn default() -> Self {
        Self {
            properties: Properties::default(),
            writer: Writer::default(),
            max_calls: 10_000,
            max_collections: 16,
            objects: ObjectCodecs::default(),
            lcid: 0x0409,
            zero_flags: false,
        }
    }
}

/// Why a call was not recorded. The calls before are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// The number that the call would have had, from 1.
    pub call: usize,
    /// The method, for people.
    pub method: String,
    /// What is wrong.
    pub problem: RecordProblem,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, method, problem } = self;
        if method.is_empty() { write!(f, "{problem}") } else { write!(f, "call {call}, {method}: {problem}") }
    }
}

impl core::error::Error for RecordError {}

/// What is wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordProblem {
    /// A method number below 3.
    #[error("methods of IUnknown cannot be recorded")]
    Unknown,
    /// A method of `IDispatch` that is not Invoke.
    #[error("of IDispatch only Invoke can be recorded")]
    NotInvoke,
    /// A put without a value.
    #[error("a property needs a value")]
    NoValue,
    /// An argument that cannot travel.
    #[error("argument {name}: {error}")]
    Object {
        /// Its name, or its number from 1.
        name: String,
        /// Why.
        error: ObjectError,
    },
    /// Arguments that do not fit the table of the interface.
    #[error(transparent)]
    Arguments(ArgumentError),
    /// The parameters cannot be written.
    #[error(transparent)]
    Encode(EncodeError),
    /// Marshaled parameters that are not those of Invoke.
    #[error("not the parameters of Invoke: {0}")]
    NotParameters(DecodeError),
    /// More calls than allowed.
    #[error("more than {0} calls")]
    TooManyCalls(usize),
    /// The message would be larger than allowed.
    #[error("the message would have {size} bytes, more than {max}")]
    TooLarge {
        /// Its size with this call.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// More collections in the security data than allowed.
    #[error("more than {0} collections of security properties")]
    TooManyCollections(usize),
    /// Security data that claim authentication, without being told that they should.
    #[error("the security data claim an authenticated caller")]
    ClaimsAuthentication,
}

/// Records calls on one object and makes one message of them ([MC-COMQC] 3.2). Nothing leaves it before
/// [`finish`](Self::finish).
///
/// Each call is checked when it is made; one that fails is not recorded, and those before it stay.
#[derive(Debug, Clone)]
pub struct Recorder {
    options: RecorderOptions,
    recording: Recording<'static>,
    /// The security context of the next call, and its wire form.
    security: (SecurityData<'static>, Vec<u8>),
    /// Where in the recording each context is.
    contexts: BTreeMap<Vec<u8>, usize>,
    /// Bytes of the message so far.
    size: usize,
}

impl Recorder {
    /// No calls yet on an object of this class; its security context is empty (Style 2): no caller is named, because nobody
    /// has been authenticated.
    #[must_use]
    pub fn new(clsid: Uuid, options: RecorderOptions) -> Self {
        let container = comqc_format::Container::new(clsid, options.writer.target_form);
        Self {
            options,
            recording: Recording::new(clsid),
            security: (SecurityData::EMPTY, SecurityData::EMPTY.to_vec().unwrap_or_default()),
            contexts: BTreeMap::new(),
            size: container.size(),
        }
    }

    /// The COM+ partition of the object.
    #[must_use]
    pub fn in_partition(mut self, partition: Uuid) -> Self {
        if self.recording.partition.replace(partition).is_none() {
            self.size = self.size.saturating_add(24);
        }
        self
    }

    /// Sets the security context of the calls that follow, as `CoImpersonateClient` does.
    ///
    /// # Errors
    /// When the data break a rule of [MS-COM] 2.2.3.2, or say that a SID or name was authenticated (0x0b01, 0x0b02): without
    /// an authenticated call an application gives [`Property::account_name`] or [`PropertyType::APPLICATION_SID`].
    pub fn set_security(&mut self, security: SecurityData<'static>) -> Result<(), RecordError> {
        let claims = |property: &Property<'_>| {
            let types = [PropertyType::AUTHENTICATED_SID, PropertyType::AUTHENTICATED_NAME];
            types.contains(&property.property_type)
        };
        if security.collections.iter().flat_map(|c| &c.properties).any(claims) {
            return Err(self.error(String::new(), RecordProblem::ClaimsAuthentication));
        }
        self.set_authenticated_security(security)
    }

    /// As [`set_security`](Self::set_security), for a caller who has really authenticated the callers that the data name.
    ///
    /// # Errors
    /// When the data break a rule of [MS-COM] 2.2.3.2.
    pub fn set_authenticated_security(&mut self, security: SecurityData<'static>) -> Result<(), RecordError> {
        let max = self.options.max_collections;
        if security.collections.len() > max {
            return Err(self.error(String::new(), RecordProblem::TooManyCollections(max)));
        }
        match security.to_vec() {
            Ok(bytes) => self.security = (security, bytes),
            Err(error) => return Err(self.error(String::new(), RecordProblem::Encode(error))),
        }
        Ok(())
    }

    /// Number of calls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recording.calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recording.calls.is_empty()
    }

    /// The pending calls.
    #[must_use]
    pub fn calls(&self) -> &[RecordedCall<'static>] {
        &self.recording.calls
    }

    /// What stands for an object in the parameters of a typed call.
    ///
    /// # Errors
    /// When its type has no registered codec: marshaling must fail ([MC-COMQC] 2.2.6.1.5).
    pub fn object<O: Any>(&self, object: &O) -> Result<InterfacePointer<'static>, ObjectError> {
        self.options.objects.save(object)
    }

    /// Records a call with typed parameters: a tuple, or a type that `ndr_oaut::wire!` describes. Interface pointers in them
    /// come from [`object`](Self::object).
    ///
    /// # Errors
    /// When the call cannot be recorded.
    pub fn call<'v, P: Ndr<'v>>(
        &mut self,
        interface_id: Uuid,
        method_number: u32,
        parameters: P,
    ) -> Result<(), RecordError> {
        match Stub::new(parameters).to_vec() {
            Ok(data) => self.call_marshaled(interface_id, method_number, data),
            Err(error) => Err(self.error(method(interface_id, method_number), RecordProblem::Encode(error))),
        }
    }

    /// Records a call whose parameters are marshaled already. Those of `IDispatch` are looked at, those of other interfaces
    /// are not.
    ///
    /// # Errors
    /// When the call cannot be recorded.
    pub fn call_marshaled(
        &mut self,
        interface_id: Uuid,
        method_number: u32,
        data: impl Into<Blob<'static>>,
    ) -> Result<(), RecordError> {
        let data = data.into();
        self.checked(interface_id, method_number, &data)
            .and_then(|()| self.push(interface_id, method_number, data))
            .map_err(|problem| self.error(method(interface_id, method_number), problem))
    }

    /// Records a call on `IDispatch` by DISPID: arguments in their order, and arguments with names (as the numbers that
    /// `GetIDsOfNames` gives). Of a put the last argument without a name is the value.
    ///
    /// # Errors
    /// When the call cannot be recorded.
    pub fn invoke<'v>(
        &mut self,
        member: i32,
        kind: MethodKind,
        arguments: Vec<Argument<'v>>,
        named: Vec<(i32, Argument<'v>)>,
    ) -> Result<(), RecordError> {
        let has_value =
            !arguments.is_empty() || named.iter().any(|(name, _)| *name == dispatch::PROPERTY_PUT);
        if kind.is_put() && !has_value {
            return Err(self.error(alloc::format!("DISPID {member}"), RecordProblem::NoValue));
        }
        let lcid = self.options.lcid;
        let invocation = Invocation { member, kind, lcid, positional: arguments, named };
        self.invoke_request(invocation.into_request())
    }

    /// Records a call in NDR by a table: one argument for each parameter.
    ///
    /// # Errors
    /// When the table has no such method, the arguments do not fit it, or the call cannot be recorded.
    pub fn call_method(
        &mut self,
        interface: &Interface,
        name: &str,
        arguments: &[Variant<'_>],
    ) -> Result<(), RecordError> {
        let kinds = [MethodKind::Method, MethodKind::Put, MethodKind::PutRef, MethodKind::Get];
        let method = kinds.into_iter().find_map(|kind| interface.method(name, kind));
        let recorded = method.ok_or_else(|| interface.no_method(name)).and_then(|method| {
            let number = method.number.ok_or(ArgumentError::NotQueueable(NotQueueable::Unknown("number")))?;
            Ok((method, number, method.encode(arguments)?))
        });
        recorded
            .map_err(RecordProblem::Arguments)
            .and_then(|(method, number, data)| {
                for (parameter, value) in method.parameters.iter().zip(arguments) {
                    self.objects_in(&parameter.ty, value, || parameter.name.clone())?;
                }
                self.push(interface.iid(), number, data.into())
            })
            .map_err(|problem| self.error(title(interface, name), problem))
    }

    /// Records a call on `IDispatch` by a table: arguments in the order of the parameters, and arguments with the names of
    /// parameters. [`Variant::MISSING`] leaves an optional one out.
    ///
    /// # Errors
    /// When the table has no such method, the arguments do not fit it, or the call cannot be recorded.
    pub fn invoke_method<'v>(
        &mut self,
        interface: &Interface,
        name: &str,
        kind: MethodKind,
        arguments: Vec<Variant<'v>>,
        named: Vec<(&str, Variant<'v>)>,
    ) -> Result<(), RecordError> {
        let lcid = self.options.lcid;
        interface
            .method(name, kind)
            .ok_or_else(|| interface.no_method(name))
            .and_then(|method| method.invocation(lcid, arguments, named))
            .map_err(|error| self.error(title(interface, name), RecordProblem::Arguments(error)))
            .and_then(|invocation| self.invoke_request(invocation.into_request()))
            .map_err(|error| RecordError { method: title(interface, name), ..error })
    }

    /// Records a call on `IDispatch` as it is; adds what the options say of dwFlags.
    ///
    /// # Errors
    /// When the call cannot be recorded.
    pub fn invoke_request(&mut self, mut request: InvokeRequest<'_>) -> Result<(), RecordError> {
        if self.options.zero_flags {
            let zero = InvokeFlags::ZERO_VAR_RESULT.with(InvokeFlags::ZERO_EXCEP_INFO);
            request.flags = request.flags.with(zero).with(InvokeFlags::ZERO_ARG_ERR);
        }
        let what = alloc::format!("DISPID {}", request.member);
        let recorded = self
            .objects_of(&request)
            .and_then(|()| Stub::new(request).to_vec().map_err(RecordProblem::Encode))
            .and_then(|data| {
                strict_invoke(&data).map_err(RecordProblem::NotParameters)?;
                self.push(IID_IDISPATCH, INVOKE, data.into())
            });
        recorded.map_err(|problem| self.error(what, problem))
    }

    /// Forgets all calls and keeps the rest.
    pub fn discard(&mut self) {
        let Recording { target_id, partition, .. } = self.recording;
        let fresh = Self::new(target_id, self.options.clone());
        self.size = fresh.size.saturating_add(if partition.is_some() { 24 } else { 0 });
        self.recording = Recording { partition, ..fresh.recording };
        self.contexts.clear();
    }

    /// The message with all calls; `None` when there are none, because then nothing must be sent ([MC-COMQC] 3.2.4.3).
    ///
    /// # Errors
    /// None but those of a writer that was made to write more than [`Writer::OPTIMIZED`] does: of its size.
    pub fn finish(self) -> Result<Option<QueueMessage>, RecordError> {
        if self.is_empty() {
            return Ok(None);
        }
        let body = self.options.writer.to_vec(&self.recording);
        let body = body.map_err(|error| self.error(String::new(), RecordProblem::Encode(error)))?;
        Ok(Some(QueueMessage { properties: self.options.properties, body: body.into() }))
    }

    fn error(&self, method: String, problem: RecordProblem) -> RecordError {
        RecordError { call: self.len().saturating_add(1), method, problem }
    }

    /// Checks what can be known of marshaled parameters.
    fn checked(&self, interface_id: Uuid, method_number: u32, data: &Blob<'_>) -> Result<(), RecordProblem> {
        if method_number < FIRST_METHOD {
            return Err(RecordProblem::Unknown);
        }
        if interface_id != IID_IDISPATCH {
            return Ok(());
        }
        if method_number != INVOKE {
            return Err(RecordProblem::NotInvoke);
        }
        let request = strict_invoke(data).map_err(RecordProblem::NotParameters)?;
        self.objects_of(&request)
    }

    /// Checks the objects in the arguments of a call on `IDispatch`.
    fn objects_of(&self, request: &InvokeRequest<'_>) -> Result<(), RecordProblem> {
        let args = request.params.args.as_deref().unwrap_or_default();
        let names = request.params.named.as_deref().unwrap_or_default();
        let by_value = args.iter().enumerate();
        let by_ref = request.var_ref_index.iter().map(|place| usize_from(*place)).zip(&request.var_ref);
        for (place, value) in by_value.chain(by_ref) {
            let Some(value) = value else { continue };
            self.objects_in(&Type::Variant, value, || match names.get(place) {
                Some(id) if *id != dispatch::PROPERTY_PUT => alloc::format!("with name {id}"),
                _ => args.len().saturating_sub(place).to_string(),
            })?;
        }
        Ok(())
    }

    fn objects_in(
        &self,
        ty: &Type,
        value: &Variant<'_>,
        name: impl FnOnce() -> String,
    ) -> Result<(), RecordProblem> {
        let checked = self.options.objects.check_typed(ty, value);
        checked.map_err(|error| RecordProblem::Object { name: name(), error })
    }

    /// Adds a call under the security context of now, if there is room.
    fn push(
        &mut self,
        interface_id: Uuid,
        method_number: u32,
        data: Blob<'static>,
    ) -> Result<(), RecordProblem> {
        let Self { options, recording, security, contexts, size } = self;
        if recording.calls.len() >= options.max_calls {
            return Err(RecordProblem::TooManyCalls(options.max_calls));
        }
        let last = recording.calls.last();
        let known = contexts.get(&security.1).copied();
        let Writer { omit_repeated_security, references, short_methods, max_size, .. } = options.writer;
        let security_size = match known {
            Some(context) if omit_repeated_security && last.is_some_and(|call| call.context == context) => 0,
            Some(_) if references => 16,
            _ => security.1.len().saturating_add(16),
        };
        let is_short = short_methods && last.is_some_and(|call| call.interface_id == interface_id);
        let method_size = if is_short { 32_usize } else { 48 }.saturating_add(data.len());
        let new = [security_size, method_size].iter().fold(*size, |size, part| {
            size.saturating_add(*part).checked_next_multiple_of(8).unwrap_or(usize::MAX)
        });
        if new > max_size {
            return Err(RecordProblem::TooLarge { size: new, max: max_size });
        }
        let context = known.unwrap_or_else(|| {
            let context = recording.add_context(security.0.clone());
            contexts.insert(security.1.clone(), context);
            context
        });
        recording.add_call(context, interface_id, method_number, data);
        *size = new;
        Ok(())
    }
}

fn title(interface: &Interface, method: &str) -> String {
    alloc::format!("{}.{method}", interface.name())
}

fn strict_invoke(data: &[u8]) -> Result<InvokeRequest<'_>, DecodeError> {
    Stub::read(data, ByteOrder::Little, &DecodeOptions::STRICT).map(|decoded| decoded.value.value)
}

fn method(interface_id: Uuid, method_number: u32) -> String {
    alloc::format!("method {method_number} of {{{interface_id}}}")
}
