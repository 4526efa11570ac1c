//! Opnums of the objects: parameters in, parameters out ([MS-RAI] 3, [MS-OAUT] 3.1, 3.3).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use dce_rpc::Status;
use ndr_oaut::{Bstr, InvokeRequest, InvokeResponse, Variant, Varying};
use remassist_core::len_u32;
use uuid::Uuid;

use super::core::{Call, Done, Novice, Progress, Then, orpc};
use super::dispatch::{self, Invocation};
use super::object::{ICLASS_FACTORY, Method, Pointer, Property, Put, Value};
use super::run::{Caller, Run};
use crate::calls::{
    CountResponse, GetDomainNameResponse, GetIdsOfNamesRequest, GetIdsOfNamesResponse,
    GetNoviceUserInfoRequest, GetNoviceUserInfoResponse, GetSessionIdResponse, GetSessionInfoRequest,
    GetSessionInfoResponse, GetSessionStateResponse, GetUserNameResponse, IID_IDISPATCH, IID_IENUMVARIANT,
    IID_IPCHCOLLECTION, IID_IPCHSERVICE, IID_IRASRV, IID_ISAFSESSION, ItemRequest, ItemResponse,
    NewEnumResponse, NoParameters, PointerLevels, RemoteConnectionParmsRequest,
    RemoteConnectionParmsResponse, RemoteUserSessionInfoResponse, ResultOnly, SecretBstr, SecretWideString,
    SetDomainNameRequest, SetSessionIdRequest, SetSessionStateRequest, SetUserNameRequest, UserNames,
    array_of,
};
use crate::{HResult, SessionStateEnum};

/// How the answer of a method is written.
#[derive(Debug)]
pub(super) enum Form {
    NoviceUserInfo,
    SessionInfo(PointerLevels),
    ConnectionParms,
    UserSessionInfo,
    NewEnum,
    Item,
    Count,
    Get(Property),
    /// The HRESULT alone.
    Nothing,
    /// IEnumVARIANT::Next, of so many.
    Next(u32),
    Skip,
    /// IEnumVARIANT::Clone and IClassFactory::CreateInstance: an interface pointer.
    Pointer,
    Invoke(Invocation),
}

impl Form {
    /// Whether sessions are told as names, and not as a collection.
    pub(super) fn tells_names(&self) -> bool {
        match self {
            Self::SessionInfo(_) => true,
            Self::Invoke(invocation) => invocation.tells_names(),
            _ => false,
        }
    }
}

/// A BSTR of a request: a null pointer in its place is the null BSTR.
fn owned(bstr: Option<Bstr<'_>>) -> Bstr<'static> {
    bstr.map_or(Bstr::NULL, Bstr::into_owned)
}

impl Novice {
    /// A call on an object. Who calls an IPID that is not there, is somebody else's or has another interface learns only
    /// that it is not there.
    pub(super) fn object(&mut self, caller: &Caller<'_>, call: &Call<'_>) -> Result<Progress, Status> {
        let interface = call.object.and_then(|ipid| self.exporter.interface(caller.owner, &ipid));
        let interface = interface.filter(|interface| interface.iid == call.interface.uuid);
        let oid = interface.ok_or(Status(HResult::RPC_E_INVALID_IPID.0))?.oid;
        let dispatch = [IID_IDISPATCH, IID_IRASRV, IID_IPCHSERVICE, IID_IPCHCOLLECTION, IID_ISAFSESSION];
        let dispatch = dispatch.contains(&call.interface.uuid);
        let (method, form) = match call.opnum {
            5 if dispatch => return self.ids_of_names(caller, oid, call).map(Progress::Done),
            6 if dispatch => {
                let request = orpc::<InvokeRequest<'_>>(call)?.into_owned();
                match self.invoked(caller, oid, request)? {
                    Ok((method, invocation)) => (method, Form::Invoke(invocation)),
                    Err(refused) => {
                        let code = HResult(refused.hresult);
                        return Done::orpc(refused, code).map(Progress::Done);
                    }
                }
            }
            _ => method(call)?,
        };
        let value = match self.run(caller, oid, method) {
            Ok(Run::Ask(question)) => return Ok(Progress::Ask(question, Then::Return(form))),
            Ok(Run::Done(value)) => Ok(value),
            Err(error) => Err(error),
        };
        self.write(form, value, call.local).map(Progress::Done)
    }

    fn ids_of_names(&mut self, caller: &Caller<'_>, oid: u64, call: &Call<'_>) -> Result<Done, Status> {
        let GetIdsOfNamesRequest { iid, names, .. } = orpc(call)?;
        let unknown = |hresult| (names.iter().map(|_| dispatch::UNKNOWN).collect(), hresult);
        let object = self.exporter.object(caller.owner, oid, caller.now);
        let object = object.ok_or(Status(HResult::RPC_E_DISCONNECTED.0))?;
        let (ids, hresult) = if !iid.is_nil() {
            unknown(HResult::DISP_E_UNKNOWNINTERFACE)
        } else if names.len() > self.limits.items_per_call {
            unknown(HResult::E_OUTOFMEMORY)
        } else {
            let text = |name: &Option<ndr_oaut::WideString<'_>>| {
                Cow::Owned::<str>(
                    name.as_ref().map_or_else(String::new, |n| n.0.before_nul().to_text_lossy()),
                )
            };
            let names: Vec<Cow<'_, str>> = names.iter().map(text).collect();
            let (ids, known) = dispatch::ids_of_names(object, &names);
            (ids, if known { HResult::S_OK } else { HResult::DISP_E_UNKNOWNNAME })
        };
        Done::orpc(GetIdsOfNamesResponse { ids, hresult }, hresult)
    }

    /// The method that an Invoke calls, or what to answer when it calls none.
    fn invoked(
        &mut self,
        caller: &Caller<'_>,
        oid: u64,
        request: InvokeRequest<'static>,
    ) -> Result<Result<(Method, Invocation), InvokeResponse<'static>>, Status> {
        let limit = self.limits.items_per_call;
        let object = self.exporter.object(caller.owner, oid, caller.now);
        let object = object.ok_or(Status(HResult::RPC_E_DISCONNECTED.0))?;
        let method = dispatch::method(object, request, limit);
        Ok(method.map_err(|(bad, invocation)| invocation.refused(bad)))
    }

    /// Writes the answer of a method. What it would have given is null or 0 when it failed.
    pub(super) fn write(
        &self,
        form: Form,
        value: Result<Value, HResult>,
        local: Option<IpAddr>,
    ) -> Result<Done, Status> {
        let code = value.as_ref().err().copied().unwrap_or(HResult::S_OK);
        let objref = |pointer: &Pointer| self.objref(pointer, local);
        let hresult = code;
        if let Form::Invoke(invocation) = form {
            return Done::orpc(invocation.answered(value, objref), code);
        }
        let pointer = |value| match value {
            Ok(Value::Pointer(pointer)) => Some(objref(&pointer)),
            _ => None,
        };
        match form {
            Form::NoviceUserInfo => {
                let name = match value {
                    Ok(Value::Ticket(ticket)) => Some(SecretWideString::new(ticket.expose())),
                    _ => None,
                };
                Done::orpc(GetNoviceUserInfoResponse { name, hresult }, code)
            }
            Form::SessionInfo(levels) => {
                let names = match value {
                    Ok(Value::Names(names)) => names,
                    _ => Vec::new(),
                };
                let count = i32::try_from(names.len()).unwrap_or(i32::MAX);
                let user_names = UserNames { levels, array: array_of(names) };
                Done::orpc(GetSessionInfoResponse { user_names, count, hresult }, code)
            }
            Form::ConnectionParms => {
                let text = match value {
                    Ok(Value::Ticket(ticket)) => SecretBstr::new(ticket.expose()),
                    _ => SecretBstr::NULL,
                };
                let connection_string = Some(text);
                Done::orpc(RemoteConnectionParmsResponse { connection_string, hresult }, code)
            }
            Form::UserSessionInfo => {
                Done::orpc(RemoteUserSessionInfoResponse { collection: pointer(value), hresult }, code)
            }
            Form::NewEnum => Done::orpc(NewEnumResponse { copy: pointer(value), hresult }, code),
            Form::Pointer => Done::orpc((pointer(value), hresult), code),
            Form::Item => {
                let entry = match value {
                    Ok(Value::Dispatch(pointer)) => Variant::Dispatch(Some(objref(&pointer))),
                    _ => Variant::Empty,
                };
                Done::orpc(ItemResponse { entry: Some(entry), hresult }, code)
            }
            Form::Count => {
                let count = if let Ok(Value::Number(number)) = value { number } else { 0 };
                Done::orpc(CountResponse { count, hresult }, code)
            }
            Form::Get(property) => got(property, value),
            Form::Nothing | Form::Invoke(_) => Done::orpc(ResultOnly { hresult }, code),
            Form::Next(count) => {
                let found = if let Ok(Value::Elements(found)) = value { found } else { Vec::new() };
                let elements = found.iter().map(|p| Some(Variant::Dispatch(Some(objref(p))))).collect();
                let fetched = len_u32(found.len());
                let all = fetched == count || !code.is_success();
                let code = if all { code } else { HResult::S_FALSE };
                Done::orpc((Varying { max_count: count, offset: 0, elements }, fetched, code), code)
            }
            Form::Skip => {
                let left = matches!(value, Ok(Value::Number(left)) if left != 0);
                let code = if left { HResult::S_FALSE } else { code };
                Done::orpc(ResultOnly { hresult: code }, code)
            }
        }
    }
}

/// A property of ISAFSession.
fn got(property: Property, value: Result<Value, HResult>) -> Result<Done, Status> {
    let hresult = value.as_ref().err().copied().unwrap_or(HResult::S_OK);
    let (mut text, mut session_id, mut state) = (Bstr::NULL, 0, SessionStateEnum::default());
    match value {
        Ok(Value::Text(got)) => text = got,
        Ok(Value::Id(got)) => session_id = got,
        Ok(Value::State(got)) => state = got,
        _ => {}
    }
    match property {
        Property::SessionId => Done::orpc(GetSessionIdResponse { session_id, hresult }, hresult),
        Property::SessionState => Done::orpc(GetSessionStateResponse { state, hresult }, hresult),
        Property::DomainName => {
            Done::orpc(GetDomainNameResponse { domain_name: Some(text), hresult }, hresult)
        }
        Property::UserName => Done::orpc(GetUserNameResponse { user_name: Some(text), hresult }, hresult),
    }
}

/// The method of an opnum, IDispatch left out. Opnums 0 to 4, and those that are not used, are out of range for all
/// interfaces.
fn method(call: &Call<'_>) -> Result<(Method, Form), Status> {
    let nothing = || orpc::<NoParameters>(call);
    Ok(match (call.interface.uuid, call.opnum) {
        (IID_IRASRV, 7) => {
            orpc::<GetNoviceUserInfoRequest<'_>>(call)?;
            (Method::NoviceUserInfo, Form::NoviceUserInfo)
        }
        (IID_IRASRV, 8) => {
            let request: GetSessionInfoRequest<'_> = orpc(call)?;
            (Method::SessionInfo, Form::SessionInfo(request.user_names.levels))
        }
        (IID_IPCHSERVICE, 19) => {
            let request: RemoteConnectionParmsRequest<'_> = orpc(call)?;
            let method = Method::ConnectionParms {
                user: owned(request.user_name),
                domain: owned(request.domain_name),
                session: request.session_id,
                help_blob: owned(request.user_help_blob),
            };
            (method, Form::ConnectionParms)
        }
        (IID_IPCHSERVICE, 20) => {
            nothing()?;
            (Method::UserSessionInfo, Form::UserSessionInfo)
        }
        (IID_IPCHCOLLECTION, 7) => {
            nothing()?;
            (Method::NewEnum, Form::NewEnum)
        }
        (IID_IPCHCOLLECTION, 8) => {
            let ItemRequest { index } = orpc(call)?;
            (Method::Item(index), Form::Item)
        }
        (IID_IPCHCOLLECTION, 9) => {
            nothing()?;
            (Method::Count, Form::Count)
        }
        (IID_ISAFSESSION, 8) => {
            let SetSessionIdRequest { session_id } = orpc(call)?;
            (Method::Put(Put::SessionId(session_id)), Form::Nothing)
        }
        (IID_ISAFSESSION, 10) => {
            let SetSessionStateRequest { state, .. } = orpc(call)?;
            (Method::Put(Put::SessionState(state.0.into())), Form::Nothing)
        }
        (IID_ISAFSESSION, 12) => {
            let SetDomainNameRequest { domain_name } = orpc(call)?;
            (Method::Put(Put::DomainName(owned(domain_name))), Form::Nothing)
        }
        (IID_ISAFSESSION, 14) => {
            let SetUserNameRequest { user_name } = orpc(call)?;
            (Method::Put(Put::UserName(owned(user_name))), Form::Nothing)
        }
        (IID_ISAFSESSION, 7 | 9 | 11 | 13) => {
            nothing()?;
            let property = match call.opnum {
                7 => Property::SessionId,
                9 => Property::SessionState,
                11 => Property::DomainName,
                _ => Property::UserName,
            };
            (Method::Get(property), Form::Get(property))
        }
        (IID_IENUMVARIANT, 3) => {
            let count = orpc::<u32>(call)?;
            (Method::Next(count), Form::Next(count))
        }
        (IID_IENUMVARIANT, 4) => (Method::Skip(orpc::<u32>(call)?), Form::Skip),
        (IID_IENUMVARIANT, 5) => {
            nothing()?;
            (Method::Reset, Form::Nothing)
        }
        (IID_IENUMVARIANT, 6) => {
            nothing()?;
            (Method::NewEnum, Form::Pointer)
        }
        (ICLASS_FACTORY, 3) => (Method::CreateInstance(orpc::<Uuid>(call)?), Form::Pointer),
        (ICLASS_FACTORY, 4) => {
            // Locks what is never unloaded.
            orpc::<u32>(call)?;
            (Method::Lock, Form::Nothing)
        }
        _ => return Err(Status::OP_RNG_ERROR),
    })
}
