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
use super::call::{answer, call, request, syntax};
use super::exporter::succeeded;
use super::machine::{Machine, TCP};
use super::object::RemoteObject;
use crate::HResult;
use crate::calls::{
    ActivationResponse, IID_IACTIVATION, IID_IREMOTESCMACTIVATOR, RemoteActivationRequest,
    RemoteActivationResponse, RemoteCreateInstanceRequest,
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
        // [MS-DCOM] 3.2.4.1.1.2: IRemoteSCMActivator came with 5.6.
        let old = self.version() < ComVersion { major: 5, minor: 6 };
        let (name, activated) = if old && session.is_none() {
            self.remote_activation(clsid, iid).await?
        } else {
            match self.remote_create_instance(clsid, iid, session).await {
                Err(error) if session.is_none() && is_missing(&error) => {
                    self.remote_activation(clsid, iid).await?
                }
                other => other?,
            }
        };
        succeeded(name, activated.hresult)?;
        let Activated { oxid, bindings, rem_unknown, version, pointer, .. } = activated;
        // So that the reference finds its exporter.
        let _exporter = self.exporter_at(oxid, &bindings, rem_unknown, version).await?;
        self.object(name, pointer.as_ref()).await
    }

    async fn remote_create_instance(
        &self,
        clsid: Uuid,
        iid: Uuid,
        session: Option<u32>,
    ) -> Result<(&'static str, Activated<'static>), ExpertError> {
        const NAME: &str = "IRemoteSCMActivator::RemoteCreateInstance";
        let properties = asked(self.version(), clsid, iid, session);
        let objref = CustomObjRef::request(properties).to_vec().map_err(|_| ExpertError::Unwritable)?;
        let parameters = RemoteCreateInstanceRequest {
            unk_outer: None,
            act_properties: Some(InterfacePointer { objref: objref.into() }),
        };
        let stub = request(Some(self.version()), &parameters)?;
        let interface = self.resolver().interface(syntax(IID_IREMOTESCMACTIVATOR)).await;
        let interface = interface.map_err(|error| ExpertError::Rpc { call: NAME, error })?;
        let told = call(&interface, NAME, 4, None, stub, answer!(ActivationResponse<'_>)).await?;
        succeeded(NAME, told.hresult)?;

        let wrong = |rule| ExpertError::Protocol { call: NAME, rule };
        let blob = told.act_properties.ok_or_else(|| wrong("there are no properties"))?;
        let properties =
            CustomObjRef::<ActivationProperties<'_>>::decode_with(&blob.objref, &DecodeOptions::TOLERANT)
                .map_err(|error| ExpertError::Answer { call: NAME, error })?
                .value
                .value;
        let outs = properties.props_out_info().map(|info| info.interfaces.as_slice()).unwrap_or_default();
        let out = outs.iter().find(|out| out.iid == iid);
        let out = out.ok_or_else(|| wrong("nothing about the interface asked for"))?;
        let hresult = HResult(out.hresult);
        succeeded(NAME, hresult)?;
        let reply = properties.scm_reply_info().ok_or_else(|| wrong("nothing about the object exporter"))?;
        let reply = &reply.remote_reply.0;
        Ok((
            NAME,
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
    ) -> Result<(&'static str, Activated<'static>), ExpertError> {
        const NAME: &str = "IActivation::RemoteActivation";
        let parameters = RemoteActivationRequest {
            clsid,
            client_imp_level: IDENTIFY,
            iids: Some(vec![iid]),
            protseqs: vec![TCP],
            ..RemoteActivationRequest::default()
        };
        let stub = request(Some(self.version()), &parameters)?;
        let interface = self.resolver().interface(syntax(IID_IACTIVATION)).await;
        let interface = interface.map_err(|error| ExpertError::Rpc { call: NAME, error })?;
        let told = call(&interface, NAME, 0, None, stub, answer!(RemoteActivationResponse<'_>)).await?;
        super::machine::resolved(NAME, told.status)?;
        succeeded(NAME, told.hr)?;
        let (Some(bindings), [pointer], [result]) = (told.bindings, &*told.interfaces, &*told.results) else {
            return Err(ExpertError::Protocol { call: NAME, rule: "not one result for one interface" });
        };
        Ok((
            NAME,
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
