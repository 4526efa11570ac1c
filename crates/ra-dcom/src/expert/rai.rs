//! The objects of [MS-RAI] 3, each with all its methods.

use ndr_oaut::{Bstr, Variant};
use remassist_core::{Secret, Utf16Le};
use uuid::Uuid;

use super::ExpertError;
use super::call::succeeded;
use super::machine::Machine;
use super::object::RemoteObject;
use crate::calls::{
    CLSID_PCHSERVICE, CLSID_RASRV, Call, Count, GetDomainName, GetNoviceUserInfo, GetSessionId,
    GetSessionInfo, GetSessionState, GetUserName, IID_IPCHCOLLECTION, IID_IPCHSERVICE, IID_IRASRV,
    IID_ISAFSESSION, Item, ItemRequest, Method, NewEnum, NoParameters, RemoteConnectionParms,
    RemoteConnectionParmsRequest, RemoteUserSessionInfo, ResultOnly, SetDomainName, SetDomainNameRequest,
    SetSessionId, SetSessionIdRequest, SetSessionState, SetSessionStateRequest, SetUserName,
    SetUserNameRequest,
};
use crate::{SessionName, SessionStateEnum};

/// Objects of these types have this in common.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident, $iid:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(RemoteObject);

        impl $name {
            /// The interface of an object, which is asked for it if it is another one.
            ///
            /// # Errors
            /// [`ExpertError`].
            pub async fn of(object: RemoteObject) -> Result<Self, ExpertError> {
                as_interface(object, $iid).await.map(Self)
            }

            /// The object.
            #[must_use]
            pub const fn object(&self) -> &RemoteObject {
                &self.0
            }

            /// As [`RemoteObject::release`].
            ///
            /// # Errors
            /// [`ExpertError`].
            pub async fn release(self) -> Result<(), ExpertError> {
                self.0.release().await
            }
        }
    )*};
}
objects! {
    /// The class RASrv by its interface IRASrv ([MS-RAI] 3.3.4.1): sessions and tickets of Windows Vista and later.
    RaSrv, IID_IRASRV;
    /// The class PCHService by its interface IPCHService ([MS-RAI] 3.1.4.1): sessions and tickets of Windows XP and Windows
    /// Server 2003.
    PchService, IID_IPCHSERVICE;
    /// An IPCHCollection ([MS-RAI] 3.1.4.1.2.1): the sessions of a machine.
    PchCollection, IID_IPCHCOLLECTION;
    /// An ISAFSession ([MS-RAI] 3.1.4.1.2.2): a session of a machine. Setters change the object, not the session.
    SafSession, IID_ISAFSESSION;
}

async fn as_interface(object: RemoteObject, iid: Uuid) -> Result<RemoteObject, ExpertError> {
    if object.iid() == iid { Ok(object) } else { object.query(iid).await }
}

/// The text of a ticket.
fn ticket(call: Method, text: Option<&Secret<Utf16Le<'_>>>) -> Result<Secret<String>, ExpertError> {
    let wrong = |rule| ExpertError::Protocol { call, rule };
    let text = text.ok_or_else(|| wrong("there is no ticket"))?.expose().before_nul();
    let text = text.to_text().map(Secret::new);
    let text = text.map_err(|_| wrong("the ticket is not well-formed text"))?;
    if text.expose().is_empty() { Err(wrong("the ticket is empty")) } else { Ok(text) }
}

/// A text that a person sees, up to its first NUL.
fn shown(text: Option<Bstr<'_>>) -> Option<String> {
    Some(text?.text?.before_nul().to_text_lossy())
}

impl RaSrv {
    /// Asks a machine for it; in a session, for the ticket of that session.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn activate(machine: &Machine, session: Option<u32>) -> Result<Self, ExpertError> {
        Self::of(machine.activate(CLSID_RASRV, IID_IRASRV, session).await?).await
    }

    /// GetSessionInfo (opnum 8): the sessions, but idle and disconnected ones. Elements that are null or tell no session are
    /// left out.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn get_session_info(&self) -> Result<Vec<SessionName>, ExpertError> {
        let answer = self.0.call::<GetSessionInfo>(&Default::default()).await?;
        succeeded(Method::GetSessionInfo, answer.hresult)?;
        Ok(answer.user_names.sessions().filter_map(Result::ok).collect())
    }

    /// GetNoviceUserInfo (opnum 7): the ticket of the session that the object was made in, a connection string 2.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn get_novice_user_info(&self) -> Result<Secret<String>, ExpertError> {
        let answer = self.0.call::<GetNoviceUserInfo>(&Default::default()).await?;
        succeeded(Method::GetNoviceUserInfo, answer.hresult)?;
        ticket(Method::GetNoviceUserInfo, answer.name.as_ref().map(|name| &name.0))
    }
}

impl PchService {
    /// Asks a machine for it.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn activate(machine: &Machine) -> Result<Self, ExpertError> {
        Self::of(machine.activate(CLSID_PCHSERVICE, IID_IPCHSERVICE, None).await?).await
    }

    /// RemoteUserSessionInfo (opnum 20): the sessions.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn remote_user_session_info(&self) -> Result<PchCollection, ExpertError> {
        let call = Method::RemoteUserSessionInfo;
        let answer = self.0.call::<RemoteUserSessionInfo>(&NoParameters {}).await?;
        succeeded(call, answer.hresult)?;
        PchCollection::of(self.0.machine().object(call, answer.collection.as_ref()).await?).await
    }

    /// RemoteConnectionParms (opnum 19): the ticket of a user's session, a connection string 1. `expert` is who asks,
    /// `DOMAIN\user`, for bstrUserHelpBlob.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn remote_connection_parms(
        &self,
        user: &str,
        domain: &str,
        session: u32,
        expert: &str,
    ) -> Result<Secret<String>, ExpertError> {
        let parameters = RemoteConnectionParmsRequest::new(user, domain, session.cast_signed(), expert);
        let answer = self.0.call::<RemoteConnectionParms>(&parameters).await?;
        succeeded(Method::RemoteConnectionParms, answer.hresult)?;
        ticket(
            Method::RemoteConnectionParms,
            answer.connection_string.as_ref().and_then(|string| string.text.as_ref()),
        )
    }
}

impl PchCollection {
    /// Count (opnum 9): number of elements, not negative.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn count(&self) -> Result<i32, ExpertError> {
        let call = Method::Count;
        let answer = self.0.call::<Count>(&NoParameters {}).await?;
        succeeded(call, answer.hresult)?;
        let wrong = ExpertError::Protocol { call, rule: "a negative number of elements" };
        if answer.count < 0 { Err(wrong) } else { Ok(answer.count) }
    }

    /// Item (opnum 8): an element, from 1 on.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn item(&self, index: i32) -> Result<SafSession, ExpertError> {
        let call = Method::Item;
        let answer = self.0.call::<Item>(&ItemRequest { index }).await?;
        succeeded(call, answer.hresult)?;
        let pointer = match &answer.entry {
            Some(Variant::Dispatch(pointer) | Variant::Unknown(pointer)) => pointer.as_ref(),
            _ => return Err(ExpertError::Protocol { call, rule: "an element that is no object" }),
        };
        SafSession::of(self.0.machine().object(call, pointer).await?).await
    }

    /// _NewEnum (opnum 7): the IUnknown of a copy.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn new_enum(&self) -> Result<RemoteObject, ExpertError> {
        let call = Method::NewEnum;
        let answer = self.0.call::<NewEnum>(&NoParameters {}).await?;
        succeeded(call, answer.hresult)?;
        self.0.machine().object(call, answer.copy.as_ref()).await
    }
}

impl SafSession {
    /// SessionID (opnum 7).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn session_id(&self) -> Result<u32, ExpertError> {
        let answer = self.0.call::<GetSessionId>(&NoParameters {}).await?;
        succeeded(Method::GetSessionId, answer.hresult)?;
        Ok(answer.session_id)
    }

    /// SessionID (opnum 8).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn set_session_id(&self, session_id: u32) -> Result<(), ExpertError> {
        self.set::<SetSessionId>(&SetSessionIdRequest { session_id }).await
    }

    /// SessionState (opnum 9).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn session_state(&self) -> Result<SessionStateEnum, ExpertError> {
        let answer = self.0.call::<GetSessionState>(&NoParameters {}).await?;
        succeeded(Method::GetSessionState, answer.hresult)?;
        Ok(answer.state)
    }

    /// SessionState (opnum 10).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn set_session_state(&self, state: SessionStateEnum) -> Result<(), ExpertError> {
        let parameters = SetSessionStateRequest { state, wide: false };
        self.set::<SetSessionState>(&parameters).await
    }

    /// DomainName (opnum 11); `None` for a null BSTR.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn domain_name(&self) -> Result<Option<String>, ExpertError> {
        let answer = self.0.call::<GetDomainName>(&NoParameters {}).await?;
        succeeded(Method::GetDomainName, answer.hresult)?;
        Ok(shown(answer.domain_name))
    }

    /// DomainName (opnum 12).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn set_domain_name(&self, name: Option<&str>) -> Result<(), ExpertError> {
        let domain_name = Some(name.map_or(Bstr::NULL, Bstr::new));
        self.set::<SetDomainName>(&SetDomainNameRequest { domain_name }).await
    }

    /// UserName (opnum 13); `None` for a null BSTR.
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn user_name(&self) -> Result<Option<String>, ExpertError> {
        let answer = self.0.call::<GetUserName>(&NoParameters {}).await?;
        succeeded(Method::GetUserName, answer.hresult)?;
        Ok(shown(answer.user_name))
    }

    /// UserName (opnum 14).
    ///
    /// # Errors
    /// [`ExpertError`].
    pub async fn set_user_name(&self, name: Option<&str>) -> Result<(), ExpertError> {
        let user_name = Some(name.map_or(Bstr::NULL, Bstr::new));
        self.set::<SetUserName>(&SetUserNameRequest { user_name }).await
    }

    async fn set<C>(&self, parameters: &C::Request<'_>) -> Result<(), ExpertError>
    where
        C: for<'a> Call<Response<'a> = ResultOnly>,
    {
        let answer = self.0.call::<C>(parameters).await?;
        succeeded(C::METHOD, answer.hresult)
    }
}
