//! The player ([MC-COMQC] 3.1).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use comqc_format::{Call, GLOBAL_PARTITION, Reader, SecurityData, Writer, check_extension};
use ndr_oaut::{ByteOrder, InvokeRequest, Stub, Variant};
use remassist_core::{DecodeOptions, Limits, Policy};
use uuid::Uuid;

use crate::playback::Found;
use crate::{
    Claims, DeadReason, Interface, Invocation, ObjectCodecs, ObjectError, PlayUnauthenticated, Playback,
    PlaybackKind, Received, RetryScheme, SecurityPolicy, Type, Verdict,
};

/// `IDispatch::Invoke`, the only method of `IDispatch` that can be recorded.
pub(crate) const INVOKE: u32 = 6;
/// Methods of `IUnknown`, which cannot be recorded.
pub(crate) const FIRST_METHOD: u32 = 3;

/// What a player may be told.
pub struct PlayerOptions {
    /// How often a message is tried, and when.
    pub scheme: RetryScheme,
    /// Who may have calls played.
    pub policy: Box<dyn SecurityPolicy>,
    /// Whether a message must keep all rules of the format, as [MC-COMQC] 3.1.5 has it, or only those that leave its meaning
    /// clear.
    pub format: Policy,
    /// Bytes of a body.
    pub max_body: usize,
    /// Calls of a message.
    pub max_calls: usize,
    /// Collections in one security context.
    pub max_collections: usize,
    /// Classes whose objects may stand in arguments. Others are dead (`UnknownObject`) before a call is played, where the
    /// parameters tell their types: those of `IDispatch` and those of `interfaces`.
    pub objects: ObjectCodecs,
    /// Tables of interfaces that are called in NDR: the parameters of their methods are checked before a call is played.
    pub interfaces: Vec<Interface>,
    /// Tables that only name methods in errors, beside `interfaces`: nothing is checked by them.
    pub names: Vec<Interface>,
}

impl Default for PlayerOptions {
    /// COM+'s scheme, no authentication, strict format, 4 MiB less 4 KiB, 10,000 calls, 16 collections.
    fn default() -> Self {
        Self {
            scheme: RetryScheme::default(),
            policy: Box::new(PlayUnauthenticated),
            format: Policy::Strict,
            max_body: Writer::MAX_SIZE,
            max_calls: 10_000,
            max_collections: 16,
            objects: ObjectCodecs::default(),
            interfaces: Vec::new(),
            names: Vec::new(),
        }
    }
}

impl fmt::Debug for PlayerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, policy: _, format, max_body, max_calls, max_collections, objects, .. } = self;
        f.debug_struct("PlayerOptions")
            .field("scheme", scheme)
            .field("format", format)
            .field("max_body", max_body)
            .field("max_calls", max_calls)
            .field("max_collections", max_collections)
            .field("objects", objects)
            .field("interfaces", &self.interfaces)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Targets by partition (`None` for any) and CLSID.
type Registry<T> = BTreeMap<(Option<Uuid>, Uuid), T>;

/// The player: knows the objects that may be called, checks messages and says what becomes of them ([MC-COMQC] 3.1). `T` is
/// whatever the application registers for a class: a component, or what makes one.
///
/// **Partitions.** A target registered for a partition answers for it alone; one registered for `None` (or GUID_NULL) answers
/// for every partition that has none of its own for this class. A message without a partition, or with GUID_NULL (the server
/// chooses, [MS-COM] 3.10.4), is one for the global partition. Classes that nobody has registered are never activated.
pub struct Player<T> {
    pub(crate) options: PlayerOptions,
    targets: Registry<T>,
    exceptions: Registry<T>,
}

impl<T> fmt::Debug for Player<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player")
            .field("options", &self.options)
            .field("targets", &self.targets.keys())
            .field("exceptions", &self.exceptions.keys())
            .finish()
    }
}

fn key(partition: Option<Uuid>, clsid: Uuid) -> (Option<Uuid>, Uuid) {
    (partition.filter(|partition| !partition.is_nil()), clsid)
}

fn find<T>(registry: &Registry<T>, partition: Option<Uuid>, clsid: Uuid) -> Option<&T> {
    let (partition, clsid) = key(partition, clsid);
    let own = Some(partition.unwrap_or(GLOBAL_PARTITION));
    registry.get(&(own, clsid)).or_else(|| registry.get(&(None, clsid)))
}

fn dead(reason: DeadReason, text: impl Into<Cow<'static, str>>) -> Verdict {
    Verdict::Dead(reason, text.into())
}

impl<T> Player<T> {
    /// Knows no objects yet.
    #[must_use]
    pub fn new(options: PlayerOptions) -> Self {
        Self { options, targets: Registry::new(), exceptions: Registry::new() }
    }

    /// Registers what is called, in place of what was registered before.
    pub fn register(&mut self, partition: Option<Uuid>, clsid: Uuid, target: T) {
        self.targets.insert(key(partition, clsid), target);
    }

    /// Registers the exception class of a class: it gets messages that the component of this CLSID has failed to play in
    /// every round, once.
    pub fn register_exception(&mut self, partition: Option<Uuid>, clsid: Uuid, target: T) {
        self.exceptions.insert(key(partition, clsid), target);
    }

    /// What the player was told.
    #[must_use]
    pub fn options(&self) -> &PlayerOptions {
        &self.options
    }

    /// Checks a message in the order of [MC-COMQC] 3.1.5: Extension, format, target, security. All calls are walked, so none
    /// is played of a message that breaks a rule at its end.
    ///
    /// # Errors
    /// The verdict about a message that is not to be played.
    pub fn begin<'p, 'm>(&'p self, received: &'m Received) -> Result<Playback<'p, 'm, T>, Verdict> {
        self.check(received, &self.targets, PlaybackKind::Normal)
    }

    /// As [`begin`](Self::begin), for a message that could not be delivered and came back to its sender (from a dead-letter
    /// queue): it goes to the exception class, once.
    ///
    /// # Errors
    /// The verdict about a message that is not to be played.
    pub fn begin_client_retry<'p, 'm>(
        &'p self,
        received: &'m Received,
    ) -> Result<Playback<'p, 'm, T>, Verdict> {
        self.check(received, &self.exceptions, PlaybackKind::FinalClientRetry)
    }

    pub(crate) fn exception(&self, partition: Option<Uuid>, clsid: Uuid) -> Option<&T> {
        find(&self.exceptions, partition, clsid)
    }

    fn check<'p, 'm>(
        &'p self,
        received: &'m Received,
        registry: &'p Registry<T>,
        kind: PlaybackKind,
    ) -> Result<Playback<'p, 'm, T>, Verdict> {
        if let Some(verdict) = self.options.scheme.before(received) {
            return Err(verdict);
        }
        check_extension(&received.message.properties.extension)
            .map_err(|error| dead(DeadReason::NotQueuedComponent, format!("{error}")))?;
        let (found, contexts) = self.walk(&received.message.body)?;
        let target_id = found.reader.container().target_id;
        let target = find(registry, found.partition, target_id).ok_or_else(|| {
            let what = if kind == PlaybackKind::Normal { "" } else { "an exception class of " };
            let text = match found.partition {
                Some(partition) => {
                    format!("nobody has registered {what}{{{target_id}}} in the partition {{{partition}}}")
                }
                None => format!("nobody has registered {what}{{{target_id}}}"),
            };
            dead(DeadReason::UnknownTarget, text)
        })?;
        let sender = &received.sender;
        let claims = Claims { target_id, partition: found.partition, contexts: &contexts, sender };
        self.options.policy.check(&claims).map_err(|refused| dead(DeadReason::Security, refused.0))?;
        Ok(Playback::new(self, received, target, kind, found))
    }

    /// Walks all calls, and returns the security contexts that they have.
    fn walk<'m>(&self, body: &'m [u8]) -> Result<(Found<'m>, Vec<SecurityData<'m>>), Verdict> {
        let malformed = |text: String| dead(DeadReason::Malformed, text);
        let PlayerOptions { max_body, max_calls, max_collections, .. } = self.options;
        if body.len() > max_body {
            return Err(malformed(format!("the body has {} bytes, more than {max_body}", body.len())));
        }
        let reader = Reader::with_options(body, &self.decode_options());
        let reader = Box::new(reader.map_err(|error| malformed(format!("{error}")))?);
        let mut calls = 0_usize;
        let mut contexts = BTreeMap::new();
        let mut walk = reader.clone();
        for call in walk.by_ref() {
            let call = call.map_err(|error| malformed(format!("{error}")))?;
            calls = calls.saturating_add(1);
            if calls > max_calls {
                return Err(malformed(format!("more than {max_calls} calls")));
            }
            if let alloc::collections::btree_map::Entry::Vacant(place) = contexts.entry(call.security.offset)
            {
                let data = call.security.decode().map_err(|error| malformed(format!("{error}")))?;
                if data.collections.len() > max_collections {
                    return Err(malformed(format!(
                        "more than {max_collections} collections of security properties"
                    )));
                }
                place.insert(data);
            }
            self.check_call(&call).map_err(|(reason, error)| {
                dead(reason, format!("call {calls}, {}: {error}", self.method(&call)))
            })?;
        }
        let partition = walk.partition_id();
        Ok((Found { reader, calls, partition }, contexts.into_values().collect()))
    }

    /// Checks what can be known of a call before it is played.
    fn check_call(&self, call: &Call<'_>) -> Result<(), (DeadReason, String)> {
        let malformed = |text: &str| Err((DeadReason::Malformed, text.into()));
        if call.method_number < FIRST_METHOD {
            return malformed("methods of IUnknown cannot be recorded");
        }
        if call.is_dispatch() {
            if call.method_number != INVOKE {
                return malformed("of IDispatch only Invoke can be recorded");
            }
            let request = Stub::<InvokeRequest<'_>>::read(call.data, ByteOrder::Little, &self.parameters())
                .map_err(|error| (DeadReason::Malformed, format!("{error}")))?
                .value
                .value;
            let arguments = request.params.args.iter().flatten().chain(&request.var_ref).flatten();
            return arguments
                .into_iter()
                .try_for_each(|argument| self.check_objects(&Type::Variant, argument));
        }
        let Some(interface) = self.interface(call.interface_id) else { return Ok(()) };
        if interface.inherits(call.method_number) {
            return malformed("methods of IDispatch are not called under the IID of a dual interface");
        }
        let Some(method) = interface.by_number(call.method_number) else { return Ok(()) };
        let arguments = method
            .decode(call.data, &self.parameters())
            .map_err(|error| (DeadReason::Malformed, format!("{error}")))?;
        let mut pairs = method.parameters.iter().zip(&arguments);
        pairs.try_for_each(|(parameter, argument)| self.check_objects(&parameter.ty, argument))
    }

    fn check_objects(&self, ty: &Type, value: &Variant<'_>) -> Result<(), (DeadReason, String)> {
        self.options.objects.check_typed(ty, value).map_err(|error| {
            let reason = match error {
                ObjectError::UnknownClass(_) => DeadReason::UnknownObject,
                _ => DeadReason::Malformed,
            };
            (reason, format!("{error}"))
        })
    }

    fn interface(&self, iid: Uuid) -> Option<&Interface> {
        self.options.interfaces.iter().find(|interface| interface.iid() == iid)
    }

    pub(crate) fn decode_options(&self) -> DecodeOptions {
        match self.options.format {
            Policy::Strict => DecodeOptions::STRICT.with_limits(self.limits()),
            Policy::Tolerant => self.parameters(),
        }
    }

    /// How parameters are read: rules of NDR and Automation that are broken without a doubt about the meaning, such as the
    /// size hint of a VARIANT, are no reason to lose a message.
    pub(crate) fn parameters(&self) -> DecodeOptions {
        DecodeOptions::TOLERANT.with_limits(self.limits())
    }

    fn limits(&self) -> Limits {
        Limits::DEFAULT.with_message(self.options.max_body).with_string(self.options.max_body)
    }

    /// The method of a call, for people: by interface and name, where a table has it, beside IID and number.
    pub(crate) fn method(&self, call: &Call<'_>) -> String {
        let Call { interface_id, method_number, .. } = call;
        let told = format!("method {method_number} of {{{interface_id}}}");
        let mut tables = self.options.interfaces.iter().chain(&self.options.names);
        if !call.is_dispatch() {
            let mut tables = tables.filter(|table| table.iid() == *interface_id);
            return match tables.find_map(|table| Some((table, table.by_number(*method_number)?))) {
                Some((interface, method)) => format!("{}.{} ({told})", interface.name(), method.name),
                None => told,
            };
        }
        let request = Stub::<InvokeRequest<'_>>::read(call.data, ByteOrder::Little, &self.parameters());
        let Ok(request) = request else { return told };
        let Invocation { member, kind, .. } = request.value.value.into();
        // Messages do not tell the interface: only one may have it.
        let found = tables.find_map(|table| Some((table, table.by_dispid(member, kind)?)));
        let mut other =
            |iid| tables.any(|table| table.iid() != iid && table.by_dispid(member, kind).is_some());
        match found {
            Some((interface, method)) if !other(interface.iid()) => {
                format!("{}.{} (DISPID {member} of IDispatch)", interface.name(), method.name)
            }
            _ => format!("DISPID {member} of IDispatch"),
        }
    }
}
