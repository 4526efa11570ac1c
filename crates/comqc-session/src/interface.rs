//! Tables of interfaces: what a recorder and a player without an IDL compiler know of methods.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use ndr_oaut::{ByteOrder, Reader, Residue, Variant, Writer};
use remassist_core::{At, DecodeError, DecodeOptions, EncodeError, decode_using};
use uuid::Uuid;

use crate::dispatch::dereferenced;
use crate::player::FIRST_METHOD;
use crate::{Argument, Invocation, MethodKind, RecordType, RecordTypeError, Records, Type};

static PARAMETERS: At = At::new("[MC-COMQC]", "2.2.6.1", "parameters", "");
/// The last method of `IDispatch`, which dual interfaces inherit.
const LAST_OF_DISPATCH: u32 = 6;

/// An interface whose calls can be recorded: checked when it is made.
///
/// Of every method either the number (for calls in NDR under the interface's IID) or the DISPID (for calls on `IDispatch`) is
/// known, or both. The JSON form is `{"iid": "..", "name": "IShip", "methods": [{"name": "Load", "number": 3,
/// "parameters": [{"name": "tons", "type": "long"}]}]}`; `"records"` declares [records](RecordType) that parameters name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Parts", into = "Parts"))]
pub struct Interface {
    parts: Parts,
}

/// What an [`Interface`] is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "Interface", deny_unknown_fields))]
struct Parts {
    iid: Uuid,
    name: String,
    #[cfg_attr(feature = "serde", serde(default))]
    dual: bool,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Records::is_empty"))]
    records: Records,
    methods: Vec<Method>,
}

/// A method or property.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Method {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// Method Number: its index in the interface, the three methods of `IUnknown` before (and the four of `IDispatch` in a
    /// dual interface).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub number: Option<u32>,
    /// DISPID.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub dispid: Option<i32>,
    /// What a call on `IDispatch` does with it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub kind: MethodKind,
    /// Its parameters; of a put the value is the last.
    #[cfg_attr(feature = "serde", serde(default))]
    pub parameters: Vec<Parameter>,
    /// What it returns besides an HRESULT: nothing, else it cannot be recorded.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub returns: Option<Type>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Parameter {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// Its type, without the pointer of `by_ref`.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub ty: Type,
    /// Which way it goes.
    #[cfg_attr(feature = "serde", serde(default))]
    pub direction: Direction,
    /// It is a pointer to the type, which must not be null: a reference pointer, nothing on the wire. One that may be null is
    /// [`Type::Unique`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub by_ref: bool,
    /// It may be left out of calls on `IDispatch`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub optional: bool,
}

impl Parameter {
    /// An \[in\] parameter.
    #[must_use]
    pub fn new(name: &str, ty: Type) -> Self {
        Self { name: name.into(), ty, direction: Direction::In, by_ref: false, optional: false }
    }
}

/// Which way a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Direction {
    /// `[in]`.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "in"))]
    In,
    /// `[in, out]`: only in calls on `IDispatch` ([MC-COMQC] 2.2.6.1.1, 2.2.6.1.2); nothing comes back.
    #[cfg_attr(feature = "serde", serde(rename = "in, out"))]
    InOut,
    /// `[out]`: cannot be recorded.
    #[cfg_attr(feature = "serde", serde(rename = "out"))]
    Out,
}

/// Why a table is no interface whose calls can be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{interface}{}{method}: {problem}", if .method.is_empty() { "" } else { "." })]
pub struct InterfaceError {
    /// The interface.
    pub interface: String,
    /// The method; empty when the interface itself is meant.
    pub method: String,
    /// What is wrong.
    pub problem: InterfaceProblem,
}

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceProblem {
    /// The IID is that of `IDispatch` or null.
    #[error("an interface needs an IID of its own")]
    Iid,
    /// Neither number nor DISPID.
    #[error("neither number nor DISPID is told")]
    NoNumber,
    /// A number of `IUnknown`, or of `IDispatch` in a dual interface.
    #[error("{0} is the number of an inherited method, which cannot be recorded")]
    Inherited(u32),
    /// Two methods have one number, DISPID and kind, or name and kind; or two parameters one name.
    #[error("{0} stands twice")]
    Twice(String),
    /// Not queueable.
    #[error(transparent)]
    NotQueueable(NotQueueable),
    /// No array of these can travel.
    #[error("parameter {0}: no such array")]
    Array(String),
    /// No pointer to these can travel.
    #[error("parameter {0}: no such pointer")]
    Pointer(String),
    /// A record that cannot be declared so.
    #[error(transparent)]
    RecordType(Box<RecordTypeError>),
    /// A record that is not declared.
    #[error("parameter {parameter}: no record {record} is declared")]
    UnknownRecord {
        /// The parameter.
        parameter: String,
        /// What it names.
        record: String,
    },
    /// A put without a value.
    #[error("a put needs a parameter for the value")]
    NoValue,
}

/// Why a method cannot be recorded ([MC-COMQC] 2.2.6.1.1, 2.2.6.1.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotQueueable {
    /// An \[out\] parameter.
    #[error("parameter {0} is [out]: nothing comes back from a queue")]
    Out(String),
    /// An \[in, out\] parameter in NDR.
    #[error("parameter {0} is [in, out], which only calls on IDispatch can have")]
    InOut(String),
    /// A return value.
    #[error("it returns {0}: nothing comes back from a queue")]
    Returns(Type),
    /// A record in NDR.
    #[error("parameter {0} is a record, whose fields no table tells")]
    Record(String),
    /// The number or the DISPID is not known.
    #[error("its {0} is not known")]
    Unknown(&'static str),
}

/// Why arguments and parameters do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// The table has no such method.
    #[error("{interface} has no {method}")]
    NoMethod {
        /// The interface.
        interface: String,
        /// Name, number or DISPID of the method.
        method: String,
    },
    /// The method cannot be called this way.
    #[error(transparent)]
    NotQueueable(NotQueueable),
    /// Too many or too few arguments.
    #[error("{got} arguments for {wanted} parameters")]
    Count {
        /// Arguments given.
        got: usize,
        /// Parameters.
        wanted: usize,
    },
    /// An argument by a name or DISPID that no parameter has.
    #[error("no parameter {0}")]
    NoParameter(String),
    /// Two arguments for one parameter.
    #[error("parameter {0} has two arguments")]
    Twice(String),
    /// No argument for a parameter.
    #[error("parameter {0} has no argument")]
    Missing(String),
    /// A value of another type.
    #[error("parameter {name}: not a {ty}")]
    Type {
        /// The parameter.
        name: String,
        /// Its type.
        ty: Type,
    },
    /// A null pointer in a call on `IDispatch`, which has no form for it.
    #[error("parameter {0}: a null pointer, which no call on IDispatch can have")]
    Null(String),
    /// A record in a VARIANT or SAFEARRAY, where its GUID and its library must be told ([MS-OAUT] 2.2.28.2.1).
    #[error(
        "parameter {name}: in a VARIANT or SAFEARRAY the GUID and the library of record {record} are needed"
    )]
    Untold {
        /// The parameter.
        name: String,
        /// The record.
        record: String,
    },
    /// A value that cannot be written.
    #[error("parameter {name}: {error}")]
    Encode {
        /// The parameter.
        name: String,
        /// Why.
        error: EncodeError,
    },
    /// Bytes that are no such parameter.
    #[error("parameter {name}: {error}")]
    Decode {
        /// The parameter; empty for those of Invoke.
        name: String,
        /// Why.
        error: DecodeError,
    },
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Interface {
    /// An interface of these methods. `dual`: it inherits the methods of `IDispatch`.
    ///
    /// # Errors
    /// When a method cannot be recorded in any way, or two cannot be told apart.
    pub fn new(iid: Uuid, name: &str, dual: bool, methods: Vec<Method>) -> Result<Self, InterfaceError> {
        Self::try_from(Parts { iid, name: name.into(), dual, records: Records::default(), methods })
    }

    /// As [`new`](Self::new); parameters may name these records.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the records cannot be declared so.
    pub fn with_records(
        iid: Uuid,
        name: &str,
        dual: bool,
        records: Vec<RecordType>,
        methods: Vec<Method>,
    ) -> Result<Self, InterfaceError> {
        let records = Records::new(records).map_err(|error| InterfaceError {
            interface: name.into(),
            method: String::new(),
            problem: InterfaceProblem::RecordType(Box::new(error)),
        })?;
        Self::try_from(Parts { iid, name: name.into(), dual, records, methods })
    }

    /// The records that it declares.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.parts.records
    }

    /// The IID.
    #[must_use]
    pub fn iid(&self) -> Uuid {
        self.parts.iid
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Whether it inherits the methods of `IDispatch`.
    #[must_use]
    pub fn is_dual(&self) -> bool {
        self.parts.dual
    }

    /// The methods.
    #[must_use]
    pub fn methods(&self) -> &[Method] {
        &self.parts.methods
    }

    /// The method of this name and kind.
    #[must_use]
    pub fn method(&self, name: &str, kind: MethodKind) -> Option<&Method> {
        self.methods().iter().find(|method| method.kind == kind && same(&method.name, name))
    }

    /// The method of this number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<&Method> {
        self.methods().iter().find(|method| method.number == Some(number))
    }

    /// The method of this DISPID and kind.
    #[must_use]
    pub fn by_dispid(&self, dispid: i32, kind: MethodKind) -> Option<&Method> {
        self.methods().iter().find(|method| method.kind == kind && method.dispid == Some(dispid))
    }

    /// Whether a number under the IID of the interface is one of `IUnknown` or, in a dual interface, of `IDispatch`. Those of
    /// `IDispatch` have \[out\] parameters, so NDR forbids them ([MC-COMQC] 2.2.6.1.1).
    #[must_use]
    pub fn inherits(&self, number: u32) -> bool {
        number < FIRST_METHOD || self.is_dual() && number <= LAST_OF_DISPATCH
    }

    pub(crate) fn no_method(&self, method: impl ToString) -> ArgumentError {
        ArgumentError::NoMethod { interface: self.name().into(), method: method.to_string() }
    }
}

impl From<Interface> for Parts {
    fn from(interface: Interface) -> Self {
        interface.parts
    }
}

impl TryFrom<Parts> for Interface {
    type Error = InterfaceError;

    fn try_from(mut parts: Parts) -> Result<Self, InterfaceError> {
        let Parts { records, methods, .. } = &mut parts;
        for ty in methods.iter_mut().flat_map(|method| &mut method.parameters).map(|p| &mut p.ty) {
            records.declare(ty);
        }
        let interface = Self { parts };
        let error = |method: &str, problem| {
            Err(InterfaceError { interface: interface.name().into(), method: method.into(), problem })
        };
        if interface.iid().is_nil() || interface.iid() == comqc_format::IID_IDISPATCH {
            return error("", InterfaceProblem::Iid);
        }
        let (mut numbers, mut dispids, mut names) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for method in interface.methods() {
            if let Some(number) = method.number.filter(|number| interface.inherits(*number)) {
                return error(&method.name, InterfaceProblem::Inherited(number));
            }
            let number = method.number.is_none_or(|number| numbers.insert(number));
            let dispid = method.dispid.is_none_or(|dispid| dispids.insert((dispid, method.kind)));
            let name = names.insert((method.name.to_ascii_lowercase(), method.kind));
            for (new, what) in [(number, "its number"), (dispid, "its DISPID"), (name, "its name")] {
                if !new {
                    return error(&method.name, InterfaceProblem::Twice(what.into()));
                }
            }
            if let Err(problem) = method.check() {
                return error(&method.name, problem);
            }
        }
        Ok(interface)
    }
}

impl Method {
    fn check(&self) -> Result<(), InterfaceProblem> {
        let mut names = BTreeSet::new();
        for Parameter { name, ty, by_ref, .. } in &self.parameters {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(InterfaceProblem::Twice(alloc::format!("parameter {name}")));
            }
            if ty.element().is_some_and(|element| !element.is_element()) {
                return Err(InterfaceProblem::Array(name.clone()));
            }
            if !ty.is_whole() || *by_ref && matches!(ty, Type::Unique(_)) {
                return Err(InterfaceProblem::Pointer(name.clone()));
            }
            if let Some(record) =
                ty.record().filter(|record| record.is_named() && record.declared().is_none())
            {
                let (parameter, record) = (name.clone(), record.to_string());
                return Err(InterfaceProblem::UnknownRecord { parameter, record });
            }
        }
        if self.kind.is_put() && self.parameters.is_empty() {
            return Err(InterfaceProblem::NoValue);
        }
        if self.number.is_none() && self.dispid.is_none() {
            return Err(InterfaceProblem::NoNumber);
        }
        let ways = [
            self.number.and_then(|_| self.queueable().err()),
            self.dispid.and_then(|_| self.queueable_on_dispatch().err()),
        ];
        let known = [self.number.is_some(), self.dispid.is_some()];
        let any = ways.iter().zip(known).any(|(problem, known)| known && problem.is_none());
        match ways.into_iter().flatten().next() {
            Some(problem) if !any => Err(InterfaceProblem::NotQueueable(problem)),
            _ => Ok(()),
        }
    }

    /// Whether calls in NDR can be recorded: only \[in\] parameters, nothing returned.
    ///
    /// # Errors
    /// What stands against it.
    pub fn queueable(&self) -> Result<(), NotQueueable> {
        if self.number.is_none() {
            return Err(NotQueueable::Unknown("number"));
        }
        self.one_way()?;
        for Parameter { name, ty, direction, .. } in &self.parameters {
            if *direction == Direction::InOut {
                return Err(NotQueueable::InOut(name.clone()));
            }
            if ty.record().is_some_and(|record| record.declared().is_none()) && ty.element().is_none() {
                return Err(NotQueueable::Record(name.clone()));
            }
        }
        Ok(())
    }

    /// Whether calls on `IDispatch` can be recorded: no \[out\] parameters, nothing returned.
    ///
    /// # Errors
    /// What stands against it.
    pub fn queueable_on_dispatch(&self) -> Result<(), NotQueueable> {
        if self.dispid.is_none() {
            return Err(NotQueueable::Unknown("DISPID"));
        }
        self.one_way()
    }

    fn one_way(&self) -> Result<(), NotQueueable> {
        if let Some(ty) = &self.returns {
            return Err(NotQueueable::Returns(ty.clone()));
        }
        let out = self.parameters.iter().find(|parameter| parameter.direction == Direction::Out);
        out.map_or(Ok(()), |parameter| Err(NotQueueable::Out(parameter.name.clone())))
    }

    /// The place of the parameter of this name.
    fn place(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| same(&parameter.name, name))
    }

    /// Writes arguments, one for each parameter in its order, as NDR ([MC-COMQC] 2.2.6.1.1).
    ///
    /// # Errors
    /// When they do not fit the parameters, or the method cannot be recorded so.
    pub fn encode(&self, arguments: &[Variant<'_>]) -> Result<Vec<u8>, ArgumentError> {
        self.queueable().map_err(ArgumentError::NotQueueable)?;
        self.count(arguments.len())?;
        for (Parameter { name, ty, .. }, value) in self.parameters.iter().zip(arguments) {
            if ty.tree_of(value).is_none() {
                return Err(ArgumentError::Type { name: name.clone(), ty: ty.clone() });
            }
            if let Some(record) = ty.untold(value, false) {
                return Err(ArgumentError::Untold { name: name.clone(), record: record.to_string() });
            }
        }
        let residue = Residue::default();
        let written = |pairs: &mut dyn Iterator<Item = (&Parameter, &Variant<'_>)>| {
            let mut writer = Writer::new(ByteOrder::Little, &residue);
            pairs.for_each(|(parameter, value)| parameter.ty.write(value, &mut writer));
            writer.finish()
        };
        let mut pairs = self.parameters.iter().zip(arguments);
        written(&mut pairs.clone()).map_err(|error| {
            // Which one it was: the one that cannot be written alone either.
            let culprit = pairs.find(|pair| written(&mut core::iter::once(*pair)).is_err());
            let name = culprit.map(|(parameter, _)| parameter.name.clone()).unwrap_or_default();
            ArgumentError::Encode { name, error }
        })
    }

    /// Reads the arguments of a call in NDR, one for each parameter in its order; what follows them is ignored
    /// ([MC-COMQC] 2.2.6.1.4).
    ///
    /// # Errors
    /// When the bytes are no such parameters, or the method cannot be recorded so.
    pub fn decode<'a>(
        &self,
        data: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Vec<Variant<'a>>, ArgumentError> {
        self.queueable().map_err(ArgumentError::NotQueueable)?;
        let mut name = "";
        let decoded = decode_using(data, options, &PARAMETERS, |cursor| {
            let mut reader = Reader::new(cursor.clone(), ByteOrder::Little);
            let mut arguments = Vec::new();
            for parameter in &self.parameters {
                name = &parameter.name;
                arguments.push(parameter.ty.read(&mut reader)?);
            }
            *cursor = reader.finish().0;
            Ok(arguments)
        });
        decoded
            .map(|decoded| decoded.value)
            .map_err(|error| ArgumentError::Decode { name: name.into(), error })
    }

    /// Makes a call on `IDispatch` of arguments in the order of the parameters and of arguments with names.
    ///
    /// # Errors
    /// When they do not fit the parameters, or the method cannot be recorded so.
    pub fn invocation<'a>(
        &self,
        lcid: u32,
        arguments: Vec<Variant<'a>>,
        named: Vec<(&str, Variant<'a>)>,
    ) -> Result<Invocation<'a>, ArgumentError> {
        self.queueable_on_dispatch().map_err(ArgumentError::NotQueueable)?;
        let member = self.dispid.unwrap_or_default();
        let mut given = BTreeSet::new();
        let mut argument = |place: usize, value: Variant<'a>| {
            let Some(Parameter { name, ty, direction, optional, .. }) = self.parameters.get(place) else {
                return Err(ArgumentError::NoParameter(place.saturating_add(1).to_string()));
            };
            if !given.insert(place) {
                return Err(ArgumentError::Twice(name.clone()));
            }
            let left_out = *optional && value == Variant::MISSING;
            if !left_out && !ty.holds(&value) {
                return Err(ArgumentError::Type { name: name.clone(), ty: ty.clone() });
            }
            if let Some(record) = ty.untold(&value, true) {
                return Err(ArgumentError::Untold { name: name.clone(), record: record.to_string() });
            }
            match ty {
                Type::Unique(_) if left_out => Ok(value.into()),
                Type::Unique(_) if value == Variant::Null => Err(ArgumentError::Null(name.clone())),
                Type::Unique(_) => Ok(Argument::by_ref(dereferenced(value))),
                _ => Ok(Argument { value, by_ref: *direction == Direction::InOut && !left_out }),
            }
        };
        let count = arguments.len();
        if count > self.parameters.len() {
            self.count(count)?;
        }
        // The value of a put is the last of the arguments, whatever was left out before it.
        let last = self.parameters.len().saturating_sub(1);
        let has_name = named.iter().any(|(name, _)| self.place(name) == Some(last));
        let is_value = |index: usize| self.kind.is_put() && !has_name && index.saturating_add(1) == count;
        let mut positional = arguments
            .into_iter()
            .enumerate()
            .map(|(index, value)| argument(if is_value(index) { last } else { index }, value))
            .collect::<Result<Vec<_>, _>>()?;
        let mut with_names = Vec::new();
        for (name, value) in named {
            let place = self.place(name).ok_or_else(|| ArgumentError::NoParameter(name.into()))?;
            let argument = argument(place, value)?;
            if self.kind.is_put() && place == last {
                positional.push(argument);
            } else {
                with_names.push((i32::try_from(place).unwrap_or(i32::MAX), argument));
            }
        }
        for (place, parameter) in self.parameters.iter().enumerate() {
            if !given.contains(&place) && !parameter.optional {
                return Err(ArgumentError::Missing(parameter.name.clone()));
            }
        }
        Ok(Invocation { member, kind: self.kind, lcid, positional, named: with_names })
    }

    /// The arguments of a call on `IDispatch`, one for each parameter in its order; [`Variant::MISSING`] for those left out.
    /// Types are not looked at, because Automation converts them ([MS-OAUT] 3.1.4.4.4).
    ///
    /// # Errors
    /// When they do not fit the parameters.
    pub fn arguments<'a>(&self, invocation: Invocation<'a>) -> Result<Vec<Variant<'a>>, ArgumentError> {
        let Invocation { mut positional, named, .. } = invocation;
        let wanted = self.parameters.len();
        let mut places: Vec<Option<Variant<'a>>> = self.parameters.iter().map(|_| None).collect();
        let mut put = |place: usize, argument: Argument<'a>| {
            let number = || ArgumentError::NoParameter(place.saturating_add(1).to_string());
            let (parameter, slot) =
                self.parameters.get(place).zip(places.get_mut(place)).ok_or_else(number)?;
            // A pointer is what it is in NDR.
            let value = match &parameter.ty {
                Type::Unique(ty) if argument.by_ref => ty.pointed(argument.value),
                _ => argument.value,
            };
            match slot.replace(value) {
                None => Ok(()),
                Some(_) => Err(ArgumentError::Twice(parameter.name.clone())),
            }
        };
        if self.kind.is_put()
            && let Some(value) = positional.pop()
        {
            put(wanted.saturating_sub(1), value)?;
        }
        for (place, argument) in positional.into_iter().enumerate() {
            put(place, argument)?;
        }
        for (id, argument) in named {
            let place = usize::try_from(id).map_err(|_| ArgumentError::NoParameter(id.to_string()))?;
            put(place, argument)?;
        }
        let missing = |(value, parameter): (Option<Variant<'a>>, &Parameter)| match value {
            Some(value) => Ok(value),
            None if parameter.optional => Ok(Variant::MISSING),
            None => Err(ArgumentError::Missing(parameter.name.clone())),
        };
        places.into_iter().zip(&self.parameters).map(missing).collect()
    }

    fn count(&self, got: usize) -> Result<(), ArgumentError> {
        let wanted = self.parameters.len();
        if got == wanted { Ok(()) } else { Err(ArgumentError::Count { got, wanted }) }
    }
}
