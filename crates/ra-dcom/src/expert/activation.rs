//! Activation ([MS-DCOM] 3.2.4.1.1): asking a machine for an object of a class.

use ndr_oaut::{
    ActivationContextInfoData, ActivationProperties, ComVersion, CustomObjRef, DualStringArray,
    InstantiationInfoData, InterfacePointer, LocationInfoData, Property, RemoteRequestScmInfo,
    ScmRequestInfoData, SecurityInfoData, SpecialPropertiesData,
};
use remassist_core::{Decode as _, DecodeOptions, Encode as _};
use rpc_net::{ContextReason, Refusal, Status};
use uuid::Uuid;

use super::ExpertError;
use super::call::{call, succeeded};
use super::machine::{Machine, TCP, resolved};
use super::object::RemoteObject;
use crate::HResult;
use crate::calls::{
    IID_IACTIVATION, IID_IREMOTESCMACTIVATOR, Method, RemoteActivation, RemoteActivationRequest,
    RemoteCreateInstance, RemoteCreateInstanceRequest,
};

/// RPC_C_IMP_LEVEL_IDENTIFY and RPC_C_IMP_LEVEL_IMPERSONATE ([MS-RPCE] 2.2.1.1.9).
const IDENTIFY: u32 = 2;
const IMPERSONATE: u32 = 3;

/// What an activation has told, in either form.
struct Activated<'a> {
    oxid: u64,
    bindings: DualStringArray,
    rem_unknown: Uuid,
    version: ComVersion,
    hresult: HResult,
    pointer: Option<InterfacePointer<'a>>,
}

impl Machine {
    /// Asks for an object of a class, by one of its interfaces; in a logon session, where one is given. Sealed
    /// (IRemoteSCMActivator::RemoteCreateInstance). An old machine is asked by IActivation::RemoteActivation, which knows
    /// no sessions.
    ///
    /// # Errors
    /// [`ExpertError`]; the HRESULT of the activation in [`ExpertError::Call`].
    pub async fn activate(
        &self,
        clsid: Uuid,
        iid: Uuid,
        session: Option<u32>,
    ) -> Result<RemoteObject, ExpertError> {
        let (method, activated) = if self.is_old() && session.is_none() {
            self.remote_activation(clsid, iid).await?
        } else {
            match self.remote_create_instance(clsid, iid, session).await {
                Err(error) if session.is_none() && is_missing(&error) => {
                    self.found_old();
                    self.remote_activation(clsid, iid).await?
                }
                other => other?,
            }
        };
        succeeded(method, activated.hresult)?;
        let Activated { oxid, bindings, rem_unknown, version, pointer, .. } = activated;
        // So that the reference finds its exporter.
        let _exporter = self.exporter_at(oxid, &bindings, rem_unknown, version).await?;
        self.object(method, pointer.as_ref()).await
    }

    async fn remote_create_instance(
        &self,
        clsid: Uuid,
        iid: Uuid,
        session: Option<u32>,
    ) -> Result<(Method, Activated<'static>), ExpertError> {
        let method = Method::RemoteCreateInstance;
        let properties = asked(self.version(), clsid, iid, session);
        let objref = CustomObjRef::request(properties).to_vec().map_err(|_| ExpertError::Unwritable)?;
        let parameters = RemoteCreateInstanceRequest {
            unk_outer: None,
            act_properties: Some(InterfacePointer { objref: objref.into() }),
        };
        let interface = self.resolver().interface(IID_IREMOTESCMACTIVATOR, method).await?;
        let told = call::<RemoteCreateInstance>(&interface, self.version(), None, &parameters).await?;
        succeeded(method, told.hresult)?;

        let wrong = |rule| ExpertError::Protocol { call: method, rule };
        let blob = told.act_properties.ok_or_else(|| wrong("there are no properties"))?;
        let properties =
            CustomObjRef::<ActivationProperties<'_>>::decode_with(&blob.objref, &DecodeOptions::TOLERANT)
                .map_err(|error| ExpertError::Answer { call: method, error })?
                .value
                .value;
        let outs = properties.props_out_info().map(|info| info.interfaces.as_slice()).unwrap_or_default();
        let out = outs.iter().find(|out| out.iid == iid);
        let out = out.ok_or_else(|| wrong("nothing about the interface asked for"))?;
        let hresult = HResult(out.hresult);
        succeeded(method, hresult)?;
        let reply = properties.scm_reply_info().ok_or_else(|| wrong("nothing about the object exporter"))?;
        let reply = &reply.remote_reply.0;
        Ok((
            method,
            Activated {
                oxid: reply.oxid,
                bindings: reply.oxid_bindings.0.clone(),
                rem_unknown: reply.ipid_rem_unknown,
                version: reply.server_version,
                hresult,
                pointer: out.pointer.clone().map(InterfacePointer::into_owned),
            },
        ))
    }

    async fn remote_activation(
        &self,
        clsid: Uuid,
        iid: Uuid,
    ) -> Result<(Method, Activated<'static>), ExpertError> {
        let method = Method::RemoteActivation;
        let parameters = RemoteActivationRequest {
            clsid,
            client_imp_level: IDENTIFY,
            iids: Some(vec![iid]),
            protseqs: vec![TCP],
            ..RemoteActivationRequest::default()
        };
        let interface = self.resolver().interface(IID_IACTIVATION, method).await?;
        let told = call::<RemoteActivation>(&interface, self.version(), None, &parameters).await?;
        resolved(method, told.status)?;
        succeeded(method, told.hr)?;
        let (Some(bindings), [pointer], [result]) = (told.bindings, &*told.interfaces, &*told.results) else {
            return Err(ExpertError::Protocol { call: method, rule: "not one result for one interface" });
        };
        Ok((
            method,
            Activated {
                oxid: told.oxid,
                bindings,
                rem_unknown: told.ipid_rem_unknown,
                version: told.server_version,
                hresult: *result,
                pointer: pointer.clone(),
            },
        ))
    }
}

/// The properties of a request, in the order in which Windows has them.
fn asked(version: ComVersion, clsid: Uuid, iid: Uuid, session: Option<u32>) -> ActivationProperties<'static> {
    let mut what = InstantiationInfoData::new(clsid, vec![iid]);
    what.client_version = version;
    let protocols =
        RemoteRequestScmInfo { client_imp_level: IMPERSONATE, requested_protseqs: Some(vec![TCP]) };
    ActivationProperties::new(vec![
        Property::from(SpecialPropertiesData::new(session)),
        Property::from(what),
        Property::from(ActivationContextInfoData::default()),
        Property::from(SecurityInfoData::default()),
        Property::from(LocationInfoData::default()),
        Property::from(ScmRequestInfoData { pdw_reserved: None, remote_request: ndr_oaut::Ref(protocols) }),
    ])
}

/// Whether the machine has no IRemoteSCMActivator.
fn is_missing(error: &ExpertError) -> bool {
    let ExpertError::Rpc { error, .. } = error else { return false };
    match error {
        rpc_net::Error::Refused(Refusal::Context(_, reason)) => {
            *reason == ContextReason::ABSTRACT_SYNTAX_NOT_SUPPORTED
        }
        rpc_net::Error::Fault(status) => matches!(*status, Status::OP_RNG_ERROR | Status::UNK_IF),
        _ => false,
    }
}
