//! IDispatch: names, DISPIDs and arguments ([MS-OAUT] 3.1.4), onto the same methods that the opnums lead to.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use ndr_oaut::{
    Bstr, ExcepInfo, InterfacePointer, InvokeFlags, InvokeRequest, InvokeResponse, PSafeArray, Scalar,
    VarType, Variant,
};
use remassist_core::{len_u32, usize_from};

use super::object::{Class, Method, Object, Property, Put, Value};
use crate::HResult;
use crate::calls::{
    DISPID_GETNOVICEUSERINFO, DISPID_GETSESSIONINFO, DISPID_NEWENUM, DISPID_PCH_COL_COUNT,
    DISPID_PCH_SVC_REMOTECONNECTIONPARMS, DISPID_PCH_SVC_REMOTEUSERSESSIONINFO, DISPID_SAF_SESS_DOMAINNAME,
    DISPID_SAF_SESS_SESSIONID, DISPID_SAF_SESS_SESSIONSTATE, DISPID_SAF_SESS_USERNAME, DISPID_UNKNOWN,
    DISPID_VALUE, IID_IUNKNOWN, array_of,
};

/// The id of what nobody knows.
pub(super) const UNKNOWN: i32 = DISPID_UNKNOWN;
/// DISPID_PROPERTYPUT ([MS-OAUT] 2.2.32): the name of the new value.
const PROPERTY_PUT: i32 = -3;

/// A member of a dispatch interface: name, DISPID, names of the parameters ([MS-RAI] 7).
struct Member {
    name: &'static str,
    id: i32,
    parameters: &'static [&'static str],
    is: Is,
}

/// Which member it is.
#[derive(Clone, Copy)]
enum Is {
    NoviceUserInfo,
    SessionInfo,
    ConnectionParms,
    UserSessionInfo,
    NewEnum,
    Item,
    Count,
    Property(Property),
}

impl Is {
    /// Whether dwFlags may call it so.
    fn allows(self, flags: InvokeFlags) -> bool {
        let property = matches!(self, Self::NewEnum | Self::Item | Self::Count | Self::Property(_));
        // Clients that do not know which it is say both.
        flags.contains(if property { InvokeFlags::PROPERTYGET } else { InvokeFlags::METHOD })
    }
}

const fn member(name: &'static str, id: i32, parameters: &'static [&'static str], is: Is) -> Member {
    Member { name, id, parameters, is }
}

static IRASRV: [Member; 2] = [
    member("GetNoviceUserInfo", DISPID_GETNOVICEUSERINFO, &["szName"], Is::NoviceUserInfo),
    member("GetSessionInfo", DISPID_GETSESSIONINFO, &["UserNames", "Count"], Is::SessionInfo),
];
static IPCH_SERVICE: [Member; 2] = [
    member(
        "RemoteConnectionParms",
        DISPID_PCH_SVC_REMOTECONNECTIONPARMS,
        &["bstrUserName", "bstrDomainName", "lSessionID", "bstrUserHelpBlob"],
        Is::ConnectionParms,
    ),
    member("RemoteUserSessionInfo", DISPID_PCH_SVC_REMOTEUSERSESSIONINFO, &[], Is::UserSessionInfo),
];
static IPCH_COLLECTION: [Member; 3] = [
    member("_NewEnum", DISPID_NEWENUM, &[], Is::NewEnum),
    member("Item", DISPID_VALUE, &["vIndex"], Is::Item),
    member("Count", DISPID_PCH_COL_COUNT, &[], Is::Count),
];
static ISAF_SESSION: [Member; 4] = [
    member("SessionID", DISPID_SAF_SESS_SESSIONID, &[], Is::Property(Property::SessionId)),
    member("SessionState", DISPID_SAF_SESS_SESSIONSTATE, &[], Is::Property(Property::SessionState)),
    member("DomainName", DISPID_SAF_SESS_DOMAINNAME, &[], Is::Property(Property::DomainName)),
    member("UserName", DISPID_SAF_SESS_USERNAME, &[], Is::Property(Property::UserName)),
];

fn members(object: &Object) -> &'static [Member] {
    match object {
        Object::Of(Class::RaSrv, _) => &IRASRV,
        Object::Of(Class::PchService, _) => &IPCH_SERVICE,
        Object::Collection(_) => &IPCH_COLLECTION,
        Object::Session(_) => &ISAF_SESSION,
        Object::Factory(..) | Object::Enumeration(..) => &[],
    }
}

/// GetIDsOfNames ([MS-OAUT] 3.1.4.3): the DISPID of a member, and the numbers of its parameters; whether all are known.
pub(super) fn ids_of_names(object: &Object, names: &[Cow<'_, str>]) -> (Vec<i32>, bool) {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let mut names = names.iter();
    let Some(first) = names.next() else { return (Vec::new(), true) };
    let member = members(object).iter().find(|member| same(member.name, first));
    let parameter = |name: &Cow<'_, str>| {
        let index = member?.parameters.iter().position(|parameter| same(parameter, name))?;
        i32::try_from(index).ok()
    };
    let mut ids = Vec::from([member.map_or(UNKNOWN, |member| member.id)]);
    ids.extend(names.map(|name| parameter(name).unwrap_or(UNKNOWN)));
    let known = !ids.contains(&UNKNOWN);
    (ids, known)
}

/// What the answer to an Invoke needs to know of the request.
#[derive(Debug)]
pub(super) struct Invocation {
    flags: InvokeFlags,
    /// rgVarRef of the request.
    var_ref: Vec<Option<Variant<'static>>>,
    /// Which of them take the [in, out] parameters, in the order of the parameters.
    outs: Vec<usize>,
}

/// Why an Invoke did not come to a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadCall {
    pub(super) hresult: HResult,
    /// pArgErr.
    argument: usize,
}

impl From<HResult> for BadCall {
    fn from(hresult: HResult) -> Self {
        Self { hresult, argument: 0 }
    }
}

/// The arguments of a call, by parameter.
struct Arguments<'r> {
    request: &'r InvokeRequest<'static>,
    /// Where in rgvarg the argument of each parameter is.
    places: Vec<usize>,
}

impl<'r> Arguments<'r> {
    /// Sorts the arguments of a call by the parameters of a member: those with names, then the others from the last of
    /// rgvarg on ([MS-OAUT] 3.1.4.4.1).
    fn of(request: &'r InvokeRequest<'static>, parameters: usize) -> Result<Self, BadCall> {
        let count = request.params.args.as_ref().map_or(0, Vec::len);
        let names = request.params.named.as_deref().unwrap_or_default();
        if count != parameters || names.len() > count {
            return Err(HResult::DISP_E_BADPARAMCOUNT.into());
        }
        let mut places: Vec<Option<usize>> = (0..parameters).map(|_| None).collect();
        for (place, name) in names.iter().enumerate() {
            let free = usize::try_from(*name).ok().and_then(|index| places.get_mut(index));
            let unknown = BadCall { hresult: HResult::DISP_E_PARAMNOTFOUND, argument: place };
            *free.filter(|free| free.is_none()).ok_or(unknown)? = Some(place);
        }
        let mut others = (names.len()..count).rev();
        // As many as parameters without a name, which come first.
        let places = places.into_iter().map(|place| place.or_else(|| others.next()));
        let places: Option<Vec<usize>> = places.collect();
        Ok(Self { request, places: places.ok_or(HResult::DISP_E_PARAMNOTFOUND)? })
    }

    /// The argument of a property put: whatever its name says, there is only one.
    fn of_put(request: &'r InvokeRequest<'static>) -> Result<Self, BadCall> {
        let count = request.params.args.as_ref().map_or(0, Vec::len);
        let names = request.params.named.as_deref().unwrap_or_default();
        if count != 1 {
            return Err(HResult::DISP_E_BADPARAMCOUNT.into());
        }
        if names.iter().any(|name| *name != PROPERTY_PUT) {
            return Err(HResult::DISP_E_PARAMNOTFOUND.into());
        }
        Ok(Self { request, places: Vec::from([0]) })
    }

    /// Where in rgVarRef the argument of a parameter is, if it is one by reference.
    fn by_reference(&self, parameter: usize) -> Option<usize> {
        let place = self.places.get(parameter)?;
        let place = len_u32(*place);
        self.request.var_ref_index.iter().position(|index| *index == place)
    }

    fn get(&self, parameter: usize) -> Option<&'r Variant<'static>> {
        if let Some(index) = self.by_reference(parameter) {
            return self.request.var_ref.get(index)?.as_ref();
        }
        self.request.params.args.as_ref()?.get(*self.places.get(parameter)?)?.as_ref()
    }

    /// What is wrong with the argument of a parameter.
    fn bad(&self, parameter: usize, hresult: HResult) -> BadCall {
        BadCall { hresult, argument: self.places.get(parameter).copied().unwrap_or_default() }
    }

    fn text(&self, parameter: usize) -> Result<Bstr<'static>, BadCall> {
        match plain(self.get(parameter)) {
            Some(Variant::Bstr(text) | Variant::BstrRef(text)) => Ok(text.clone().unwrap_or(Bstr::NULL)),
            other => Err(self.bad(parameter, mistake(other))),
        }
    }

    fn number(&self, parameter: usize) -> Result<i64, BadCall> {
        let mismatch = |other| self.bad(parameter, mistake(other));
        match plain(self.get(parameter)) {
            Some(variant @ (Variant::Scalar(scalar) | Variant::ScalarRef(scalar))) => {
                integer(scalar).ok_or_else(|| mismatch(Some(variant)))
            }
            other => Err(mismatch(other)),
        }
    }

    fn i32(&self, parameter: usize) -> Result<i32, BadCall> {
        let number = self.number(parameter)?;
        i32::try_from(number).map_err(|_| self.bad(parameter, HResult::DISP_E_OVERFLOW))
    }

    /// A DWORD, which automation may hold in a signed type.
    fn u32(&self, parameter: usize) -> Result<u32, BadCall> {
        let number = self.number(parameter)?;
        let signed = || i32::try_from(number).ok().map(i32::cast_unsigned);
        let number = u32::try_from(number).ok().or_else(signed);
        number.ok_or_else(|| self.bad(parameter, HResult::DISP_E_OVERFLOW))
    }

    /// Where the value of an [in, out] parameter goes: it must be by reference, and of its type.
    fn out(&self, parameter: usize, fits: impl Fn(&Variant<'_>) -> bool) -> Result<usize, BadCall> {
        let index = self.by_reference(parameter).filter(|_| self.get(parameter).is_some_and(fits));
        index.ok_or_else(|| self.bad(parameter, HResult::DISP_E_TYPEMISMATCH))
    }
}

/// The variant that a reference to a variant leads to.
fn plain<'v>(variant: Option<&'v Variant<'static>>) -> Option<&'v Variant<'static>> {
    match variant {
        Some(Variant::VariantRef(Some(variant))) => Some(variant),
        other => other,
    }
}

/// An argument of another type, or one that is left out ([MS-OAUT] 3.1.4.4.3).
fn mistake(variant: Option<&Variant<'_>>) -> HResult {
    match variant {
        Some(variant) if *variant != Variant::MISSING => HResult::DISP_E_TYPEMISMATCH,
        _ => HResult::DISP_E_PARAMNOTOPTIONAL,
    }
}

fn integer(scalar: &Scalar) -> Option<i64> {
    Some(match *scalar {
        Scalar::I1(number) => number.into(),
        Scalar::I2(number) => number.into(),
        Scalar::I4(number) | Scalar::Int(number) => number.into(),
        Scalar::I8(number) => number,
        Scalar::Ui1(number) => number.into(),
        Scalar::Ui2(number) => number.into(),
        Scalar::Ui4(number) | Scalar::Uint(number) => number.into(),
        Scalar::Ui8(number) => i64::try_from(number).ok()?,
        _ => return None,
    })
}

/// Which method an Invoke calls ([MS-OAUT] 3.1.4.4).
pub(super) fn method(
    object: &Object,
    request: InvokeRequest<'static>,
    limit: usize,
) -> Result<(Method, Invocation), (BadCall, Invocation)> {
    let mut outs = Vec::new();
    let small = is_small(&request, limit).then_some(()).ok_or(HResult::E_INVALIDARG);
    let method = small.map_err(BadCall::from).and_then(|()| find(object, &request, &mut outs));
    let invocation = Invocation { flags: request.flags, var_ref: request.var_ref, outs };
    match method {
        Ok(method) => Ok((method, invocation)),
        Err(bad) => Err((bad, invocation)),
    }
}

fn find(object: &Object, request: &InvokeRequest<'static>, outs: &mut Vec<usize>) -> Result<Method, BadCall> {
    if !request.iid.is_nil() {
        return Err(HResult::DISP_E_UNKNOWNINTERFACE.into());
    }
    let member = members(object).iter().find(|member| member.id == request.member);
    let Some(Member { parameters, is, .. }) = member else {
        return Err(HResult::DISP_E_MEMBERNOTFOUND.into());
    };
    if let Is::Property(property) = *is
        && request.flags.contains(InvokeFlags::PROPERTYPUT)
    {
        let arguments = Arguments::of_put(request)?;
        return Ok(Method::Put(match property {
            Property::SessionId => Put::SessionId(arguments.u32(0)?),
            Property::SessionState => Put::SessionState(arguments.u32(0)?),
            Property::DomainName => Put::DomainName(arguments.text(0)?),
            Property::UserName => Put::UserName(arguments.text(0)?),
        }));
    }
    if !is.allows(request.flags) {
        return Err(HResult::DISP_E_MEMBERNOTFOUND.into());
    }
    let arguments = Arguments::of(request, parameters.len())?;
    Ok(match *is {
        Is::NoviceUserInfo => {
            outs.push(arguments.out(0, |v| matches!(v, Variant::BstrRef(_) | Variant::VariantRef(_)))?);
            Method::NoviceUserInfo
        }
        Is::SessionInfo => {
            let names = |v: &Variant<'_>| {
                matches!(v, Variant::ArrayRef { vt: VarType::BSTR, .. } | Variant::VariantRef(_))
            };
            let count = |v: &Variant<'_>| {
                matches!(v, Variant::ScalarRef(Scalar::I4(_) | Scalar::Int(_)) | Variant::VariantRef(_))
            };
            outs.extend([arguments.out(0, names)?, arguments.out(1, count)?]);
            Method::SessionInfo
        }
        Is::ConnectionParms => Method::ConnectionParms {
            user: arguments.text(0)?,
            domain: arguments.text(1)?,
            session: arguments.i32(2)?,
            help_blob: arguments.text(3)?,
        },
        Is::UserSessionInfo => Method::UserSessionInfo,
        Is::NewEnum => Method::NewEnum,
        Is::Item => Method::Item(arguments.i32(0)?),
        Is::Count => Method::Count,
        Is::Property(property) => Method::Get(property),
    })
}

impl Invocation {
    /// Whether GetSessionInfo was called, which alone has two [in, out] parameters.
    pub(super) fn tells_names(&self) -> bool {
        self.outs.len() == 2
    }

    /// The answer when no method was called.
    pub(super) fn refused(self, bad: BadCall) -> InvokeResponse<'static> {
        let flagged = self.flags.contains(InvokeFlags::ZERO_ARG_ERR);
        InvokeResponse {
            result: Some(Variant::Empty),
            exception: ExcepInfo::NONE,
            arg_err: if flagged { 0 } else { len_u32(bad.argument) },
            var_ref: self.var_ref,
            hresult: bad.hresult.0,
        }
    }

    /// The answer of a method. One that failed is an exception with its HRESULT.
    pub(super) fn answered(
        mut self,
        value: Result<Value, HResult>,
        objref: impl Fn(&super::object::Pointer) -> InterfacePointer<'static>,
    ) -> InvokeResponse<'static> {
        let mut response = InvokeResponse {
            result: Some(Variant::Empty),
            exception: ExcepInfo::NONE,
            arg_err: 0,
            var_ref: Vec::new(),
            hresult: HResult::S_OK.0,
        };
        let result = match value {
            Err(error) => {
                response.hresult = HResult::DISP_E_EXCEPTION.0;
                if !self.flags.contains(InvokeFlags::ZERO_EXCEP_INFO) {
                    response.exception.scode = error.0;
                }
                Variant::Empty
            }
            Ok(Value::Number(number)) => Variant::Scalar(Scalar::I4(number)),
            // As automation sees a DWORD and an enumeration.
            Ok(Value::Id(id)) => Variant::Scalar(Scalar::Ui4(id)),
            Ok(Value::State(state)) => Variant::Scalar(Scalar::I4(state.0.into())),
            Ok(Value::Text(text)) => Variant::Bstr(Some(text)),
            Ok(Value::Ticket(ticket)) => {
                let text = Bstr::new(ticket.expose());
                // IRASrv gives it by reference, IPCHService as the result.
                if self.outs.is_empty() {
                    Variant::Bstr(Some(text))
                } else {
                    self.put(0, Variant::BstrRef(Some(text)));
                    Variant::Empty
                }
            }
            Ok(Value::Names(names)) => {
                let count = i32::try_from(names.len()).unwrap_or(i32::MAX);
                let array = Some(PSafeArray { safearray: array_of(names) });
                self.put(0, Variant::ArrayRef { vt: VarType::BSTR, array });
                self.put(1, Variant::ScalarRef(Scalar::I4(count)));
                Variant::Empty
            }
            Ok(Value::Pointer(pointer)) if pointer.iid == IID_IUNKNOWN => {
                Variant::Unknown(Some(objref(&pointer)))
            }
            Ok(Value::Pointer(pointer) | Value::Dispatch(pointer)) => {
                Variant::Dispatch(Some(objref(&pointer)))
            }
            Ok(Value::Nothing | Value::Elements(_)) => Variant::Empty,
        };
        if !self.flags.contains(InvokeFlags::ZERO_VAR_RESULT) {
            response.result = Some(result);
        }
        response.var_ref = self.var_ref;
        response
    }

    /// Gives an [in, out] parameter its value; in a VARIANT that the client brought, or as what it brought.
    fn put(&mut self, parameter: usize, value: Variant<'static>) {
        let place = self.outs.get(parameter).and_then(|index| self.var_ref.get_mut(*index));
        match place {
            Some(Some(Variant::VariantRef(variant))) => *variant = Some(Box::new(by_value(value))),
            Some(Some(Variant::ScalarRef(Scalar::Int(_)))) => {
                let Variant::ScalarRef(Scalar::I4(number)) = value else { return };
                *place.unwrap_or(&mut None) = Some(Variant::ScalarRef(Scalar::Int(number)));
            }
            Some(place) => *place = Some(value),
            None => {}
        }
    }
}

fn by_value(variant: Variant<'static>) -> Variant<'static> {
    match variant {
        Variant::BstrRef(text) => Variant::Bstr(text),
        Variant::ScalarRef(scalar) => Variant::Scalar(scalar),
        Variant::ArrayRef { vt, array } => Variant::Array { vt, array },
        other => other,
    }
}

/// Whether the arrays of a request are small enough to be looked at, and the arguments by reference have places.
fn is_small(request: &InvokeRequest<'_>, limit: usize) -> bool {
    let args = request.params.args.as_ref().map_or(0, Vec::len);
    let small = |len: usize| len <= limit;
    small(args) && small(request.var_ref.len()) && request.var_ref_index.iter().all(|i| usize_from(*i) < args)
}
