//! IActivation and IRemoteSCMActivator: objects are made ([MS-DCOM] 3.1.2.5.2).

use alloc::vec::Vec;
use core::net::IpAddr;

use dce_rpc::Status;
use ndr_oaut::{
    ActivationContextInfoData, ActivationProperties, ComVersion, CustomObjRef, InterfacePointer, ObjRef,
    OrpcThis, PropsOut, PropsOutInfo, Ref, RemoteReplyScmInfo, ScmReplyInfoData, SpecialPropertiesData,
};
use remassist_core::{Decode as _, Encode as _};
use uuid::Uuid;

use super::core::{
    Answer, Call, Done, Novice, NoviceEvent, Progress, Question, Then, VERSION, is_spoken, plain,
};
use super::object::{Class, Object, Pointer};
use super::provider::SessionChoice;
use super::resolver::AUTHN_HINT;
use super::run::Caller;
use crate::calls::{
    ActivationResponse, RemoteActivationRequest, RemoteActivationResponse, RemoteCreateInstanceRequest,
    RemoteGetClassObjectRequest,
};
use crate::{ErrorStatus, HResult};

/// Mode of RemoteActivation that asks for the class object.
const CLASS_OBJECT: u32 = 0xFFFF_FFFF;
/// ACTVFLAGS_ACTIVATE_32_BIT_SERVER and ACTVFLAGS_ACTIVATE_64_BIT_SERVER ([MS-DCOM] 2.2.22.2.1).
const BIT_32: u32 = 0x0000_0004;
const BIT_64: u32 = 0x0000_0008;

/// An object that is asked for.
#[derive(Debug)]
pub(super) struct Activation {
    class: Class,
    session: SessionChoice,
    /// Whether the class object is asked for.
    factory: bool,
    iids: Vec<Uuid>,
    /// Whether the answer is that of RemoteActivation.
    old: bool,
}

impl Novice {
    /// A call of IActivation.
    pub(super) fn remote_activation(&mut self, call: &Call<'_>) -> Result<Progress, Status> {
        if call.opnum != 0 {
            return Err(Status::OP_RNG_ERROR);
        }
        let (this, request) = plain::<(OrpcThis<'_>, RemoteActivationRequest<'_>)>(call)?;
        let iids = request.iids.unwrap_or_default();
        let factory = request.mode == CLASS_OBJECT;
        let count = iids.len();
        let session = SessionChoice::Any;
        match self.begin(this.version, &request.clsid, session, factory, iids, true) {
            Ok((question, then)) => Ok(Progress::Ask(question, then)),
            Err(hresult) => failed_old(hresult, count).map(Progress::Done),
        }
    }

    /// A call of IRemoteSCMActivator.
    pub(super) fn remote_scm_activator(&mut self, call: &Call<'_>) -> Result<Progress, Status> {
        let (version, properties) = match call.opnum {
            3 => {
                let (this, request) = plain::<(OrpcThis<'_>, RemoteGetClassObjectRequest<'_>)>(call)?;
                (this.version, request.act_properties)
            }
            4 => {
                let (this, request) = plain::<(OrpcThis<'_>, RemoteCreateInstanceRequest<'_>)>(call)?;
                (this.version, request.act_properties)
            }
            _ => return Err(Status::OP_RNG_ERROR),
        };
        let factory = call.opnum == 3;
        let wanted = wanted(properties.as_ref());
        let begun = wanted
            .and_then(|(clsid, session, iids)| self.begin(version, &clsid, session, factory, iids, false));
        match begun {
            Ok((question, then)) => Ok(Progress::Ask(question, then)),
            Err(hresult) => failed(hresult).map(Progress::Done),
        }
    }

    /// What must be asked before the object is made. A session that is asked for must be there.
    fn begin(
        &self,
        version: ComVersion,
        clsid: &Uuid,
        session: SessionChoice,
        factory: bool,
        iids: Vec<Uuid>,
        old: bool,
    ) -> Result<(Question, Then), HResult> {
        if !is_spoken(version) {
            return Err(HResult::RPC_E_VERSION_MISMATCH);
        }
        let class = Class::of(clsid).ok_or(HResult::REGDB_E_CLASSNOTREG)?;
        if iids.is_empty() {
            return Err(HResult::E_INVALIDARG);
        }
        if iids.len() > self.limits.items_per_call {
            return Err(HResult::E_OUTOFMEMORY);
        }
        let question = match session {
            SessionChoice::Id(_) => Question::Sessions,
            SessionChoice::Any | SessionChoice::Console => Question::MayAsk,
        };
        Ok((question, Then::Activate(Activation { class, session, factory, iids, old })))
    }

    /// Makes the object, once the caller may have it.
    pub(super) fn activate(
        &mut self,
        caller: &Caller<'_>,
        activation: Activation,
        answer: Answer,
        local: Option<IpAddr>,
    ) -> Result<Done, Status> {
        let made = permitted(activation.session, answer).and_then(|()| self.make(caller, &activation));
        let pointers = match made {
            Ok(pointers) => pointers,
            Err(hresult) if activation.old => return failed_old(hresult, activation.iids.len()),
            Err(hresult) => return failed(hresult),
        };
        let (caller, class) = (caller.identity.clone(), activation.class);
        let done = if activation.old {
            self.activated_old(&pointers, local)
        } else {
            self.activated(&activation.iids, &pointers, local)
        };
        done.map(|done| Done { event: Some(NoviceEvent::Activated { caller, class }), ..done })
    }

    /// A new object as the interfaces asked for. Without any of them it is not kept.
    fn make(
        &mut self,
        caller: &Caller<'_>,
        activation: &Activation,
    ) -> Result<Vec<Result<Pointer, HResult>>, HResult> {
        let Activation { class, session, factory, ref iids, .. } = *activation;
        let object = if factory { Object::Factory(class, session) } else { Object::Of(class, session) };
        let oid = self.exporter.add(caller.owner, object, caller.now)?;
        let mut marshal = |iid: &Uuid| {
            let std = self.exporter.marshal_new(oid, *iid, caller.now)?;
            Ok(Pointer { iid: *iid, std })
        };
        let pointers: Vec<Result<Pointer, HResult>> = iids.iter().map(&mut marshal).collect();
        self.exporter.remove_if_unused(oid);
        if pointers.iter().any(Result::is_ok) { Ok(pointers) } else { Err(HResult::E_NOINTERFACE) }
    }

    /// PropsOutInfo and ScmReplyInfo, in this order and nothing else: some clients read by position, others know no more.
    fn activated(
        &self,
        iids: &[Uuid],
        pointers: &[Result<Pointer, HResult>],
        local: Option<IpAddr>,
    ) -> Result<Done, Status> {
        let out = |(iid, pointer): (&Uuid, &Result<Pointer, HResult>)| PropsOut {
            iid: *iid,
            hresult: pointer.err().unwrap_or(HResult::S_OK).0,
            pointer: pointer.as_ref().ok().map(|pointer| self.objref(pointer, local)),
        };
        let interfaces = iids.iter().zip(pointers).map(out).collect();
        let remote_reply = Ref(RemoteReplyScmInfo {
            oxid: self.exporter.oxid(),
            oxid_bindings: Ref(self.endpoints.exporter(local)),
            ipid_rem_unknown: self.exporter.remote_unknown(),
            authn_hint: AUTHN_HINT,
            server_version: VERSION,
        });
        let properties = Vec::from([
            PropsOutInfo { interfaces }.into(),
            ScmReplyInfoData { pdw_reserved: None, remote_reply }.into(),
        ]);
        let objref = CustomObjRef::reply(ActivationProperties::new(properties)).to_vec();
        let objref = objref.map_err(|_| Status::REMOTE_NO_MEMORY)?.into();
        let act_properties = Some(InterfacePointer { objref });
        Done::orpc(ActivationResponse { act_properties, hresult: HResult::S_OK }, HResult::S_OK)
    }

    fn activated_old(
        &self,
        pointers: &[Result<Pointer, HResult>],
        local: Option<IpAddr>,
    ) -> Result<Done, Status> {
        let objref = |p: &Result<Pointer, HResult>| p.as_ref().ok().map(|p| self.objref(p, local));
        let response = RemoteActivationResponse {
            oxid: self.exporter.oxid(),
            bindings: Some(self.endpoints.exporter(local)),
            ipid_rem_unknown: self.exporter.remote_unknown(),
            authn_hint: AUTHN_HINT,
            server_version: VERSION,
            hr: HResult::S_OK,
            interfaces: pointers.iter().map(objref).collect(),
            results: pointers.iter().map(|p| p.err().unwrap_or(HResult::S_OK)).collect(),
            status: ErrorStatus::SUCCESS,
        };
        Done::orpc(response, HResult::S_OK)
    }
}

/// Whether the caller may have objects, and in the session that was asked for.
fn permitted(session: SessionChoice, answer: Answer) -> Result<(), HResult> {
    match (session, answer) {
        (_, Answer::Refused(refusal)) => Err(refusal.hresult()),
        (SessionChoice::Any | SessionChoice::Console, Answer::Allowed) => Ok(()),
        (SessionChoice::Id(id), Answer::Sessions(sessions)) => {
            let there = sessions.iter().any(|session| session.id == id);
            if there { Ok(()) } else { Err(HResult::CO_E_RUNAS_LOGON_FAILURE) }
        }
        _ => Err(HResult::E_FAIL),
    }
}

/// What the properties of a request ask for: class, session, interfaces. They may stand in any order.
fn wanted(properties: Option<&InterfacePointer<'_>>) -> Result<(Uuid, SessionChoice, Vec<Uuid>), HResult> {
    let objref = &properties.ok_or(HResult::E_INVALIDARG)?.objref;
    let objref = CustomObjRef::<ActivationProperties<'_>>::decode_prefix(objref);
    let (objref, _) = objref.map_err(|_| HResult::RPC_E_INVALID_OBJREF)?;
    if !objref.is_request() {
        return Err(HResult::RPC_E_INVALID_OBJREF);
    }
    let instantiation = objref.value.instantiation_info().ok_or(HResult::E_INVALIDARG)?;
    let (wide, flags) = (cfg!(target_pointer_width = "64"), instantiation.actv_flags);
    if flags & if wide { BIT_32 } else { BIT_64 } != 0 {
        return Err(HResult::REGDB_E_CLASSNOTREG);
    }
    if objref.value.activation_context_info().is_some_and(is_broken) {
        return Err(HResult::RPC_E_INVALID_OBJREF);
    }
    let session = match objref.value.special_properties() {
        Some(special) if special.flags & SpecialPropertiesData::USE_CONSOLE_SESSION != 0 => {
            SessionChoice::Console
        }
        Some(special) if special.session_id != SpecialPropertiesData::ANY_SESSION => {
            SessionChoice::Id(special.session_id)
        }
        _ => SessionChoice::Any,
    };
    Ok((instantiation.class_id, session, instantiation.iids.clone()))
}

/// Whether the context of the client is no OBJREF ([MS-DCOM] 2.2.22.2.5). Clients are known that send none.
fn is_broken(context: &ActivationContextInfoData<'_>) -> bool {
    context.client_ctx.as_ref().is_some_and(|context| ObjRef::decode_prefix(&context.objref).is_err())
}

fn failed(hresult: HResult) -> Result<Done, Status> {
    Done::orpc(ActivationResponse { act_properties: None, hresult }, hresult)
}

/// The arrays have the size of the request also in failures ([MS-DCOM] 3.1.2.5.2.3.1).
fn failed_old(hresult: HResult, count: usize) -> Result<Done, Status> {
    let response = RemoteActivationResponse {
        oxid: 0,
        bindings: None,
        ipid_rem_unknown: Uuid::nil(),
        authn_hint: AUTHN_HINT,
        server_version: VERSION,
        hr: hresult,
        interfaces: (0..count).map(|_| None).collect(),
        results: (0..count).map(|_| HResult::S_OK).collect(),
        status: ErrorStatus::SUCCESS,
    };
    Done::orpc(response, hresult)
}
