//! IPCHService, IPCHCollection and ISAFSession ([MS-RAI] 3.1.4.1).

use alloc::string::String;

use ndr_oaut::{Bstr, ByteOrder, InterfacePointer, Ndr, Reader, Variant, Writer};
use ra_channel::HelpBlob;
use remassist_core::{At, Decode as _, DecodeError, Encode as _, Utf16Le};

use super::SecretBstr;
use super::macros::{own_itself, params};
use crate::{HResult, SessionStateEnum};

params! {
    /// The \[in\] parameters of `IPCHService::RemoteConnectionParms` (opnum 19).
    params RemoteConnectionParmsRequest<'a>, "[MS-RAI]" "3.1.4.1.1" "IPCHService::RemoteConnectionParms" {
        /// bstrUserName: the user of the session.
        "bstrUserName" user_name: Option<Bstr<'a>>;
        /// bstrDomainName: the user's domain.
        "bstrDomainName" domain_name: Option<Bstr<'a>>;
        /// lSessionID: the session.
        "lSessionID" session_id: i32;
        /// bstrUserHelpBlob: who asks; see [`help_blob`](Self::help_blob).
        "bstrUserHelpBlob" user_help_blob: Option<Bstr<'a>>;
    }
}

impl RemoteConnectionParmsRequest<'_> {
    /// The request of an expert, `DOMAIN\user`, for a session.
    #[must_use]
    pub fn new(
        user: &str,
        domain: &str,
        session_id: i32,
        expert: &str,
    ) -> RemoteConnectionParmsRequest<'static> {
        let blob = HelpBlob::new(&expert.chars().filter(|c| *c != '\0').collect::<String>());
        let text = blob.to_vec().ok().map(|bytes| Utf16Le(bytes.into()));
        RemoteConnectionParmsRequest {
            user_name: Some(Bstr::new(user)),
            domain_name: Some(Bstr::new(domain)),
            session_id,
            user_help_blob: Some(Bstr { text }),
        }
    }

    /// What bstrUserHelpBlob says; `None` for a null one.
    ///
    /// # Errors
    /// When it is not such a blob.
    pub fn help_blob(&self) -> Result<Option<HelpBlob<'_>>, DecodeError> {
        let text = self.user_help_blob.as_ref().and_then(|blob| blob.text.as_ref());
        text.map(|text| HelpBlob::decode(text.as_bytes())).transpose()
    }
}

params! {
    /// The \[out\] parameter of `IPCHService::RemoteConnectionParms` (opnum 19).
    params RemoteConnectionParmsResponse<'a>, "[MS-RAI]" "3.1.4.1.1" "IPCHService::RemoteConnectionParms" {
        /// pbstrConnectionString: a connection string 1 or 2.
        "pbstrConnectionString" connection_string: Option<SecretBstr<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[out\] parameter of `IPCHService::RemoteUserSessionInfo` (opnum 20).
    params RemoteUserSessionInfoResponse<'a>, "[MS-RAI]" "3.1.4.1.2" "IPCHService::RemoteUserSessionInfo" {
        /// pVal: an IPCHCollection of the sessions.
        "pVal" collection: Option<InterfacePointer<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[out\] parameter of `IPCHCollection::_NewEnum` (opnum 7).
    params NewEnumResponse<'a>, "[MS-RAI]" "3.1.4.1.2.1.1" "IPCHCollection::_NewEnum" {
        /// pVal: the IUnknown of a copy of the collection.
        "pVal" copy: Option<InterfacePointer<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[in\] parameter of `IPCHCollection::Item` (opnum 8), 4 bytes.
    params ItemRequest, "[MS-RAI]" "3.1.4.1.2.1.2" "IPCHCollection::Item" {
        /// vIndex: counts from 1.
        "vIndex" index: i32;
    }
}

params! {
    /// The \[out\] parameter of `IPCHCollection::Item` (opnum 8).
    params ItemResponse<'a>, "[MS-RAI]" "3.1.4.1.2.1.2" "IPCHCollection::Item" {
        /// ppEntry: `VT_DISPATCH`, the ISAFSession.
        "ppEntry" entry: Option<Variant<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[out\] parameter of `IPCHCollection::Count` (opnum 9), 8 bytes.
    params CountResponse, "[MS-RAI]" "3.1.4.1.2.1.3" "IPCHCollection::Count" {
        /// pVal: number of elements.
        "pVal" count: i32;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[out\] parameter of `ISAFSession::SessionID (Get)` (opnum 7), 8 bytes.
    params GetSessionIdResponse, "[MS-RAI]" "3.1.4.1.2.2.3" "ISAFSession::SessionID (Get)" {
        /// pVal.
        "pVal" session_id: u32;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[in\] parameter of `ISAFSession::SessionID (Set)` (opnum 8), 4 bytes.
    params SetSessionIdRequest, "[MS-RAI]" "3.1.4.1.2.2.4" "ISAFSession::SessionID (Set)" {
        /// pVal.
        "pVal" session_id: u32;
    }
}

params! {
    /// The \[out\] parameter of `ISAFSession::SessionState (Get)` (opnum 9), 8 bytes: 16 bits and padding.
    params GetSessionStateResponse, "[MS-RAI]" "3.1.4.1.2.2.5" "ISAFSession::SessionState (Get)" {
        /// pVal.
        "pVal" state: SessionStateEnum;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

/// The \[in\] parameter of `ISAFSession::SessionState (Set)` (opnum 10, [MS-RAI] 3.1.4.1.2.2.6): 16 bits as NDR has
/// enumerations, or 32 as automation has them; what comes is read and written again as it came.
///
/// Where four bytes make a number below 65,536, they are read as 32 bits: so the padding behind 16 bits tells the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SetSessionStateRequest {
    /// pVal.
    pub state: SessionStateEnum,
    /// Whether it stands in 32 bits.
    #[cfg_attr(feature = "serde", serde(default))]
    pub wide: bool,
}
own_itself!(SetSessionStateRequest);

static METHOD: At = At::new("[MS-RAI]", "3.1.4.1.2.2.6", "ISAFSession::SessionState (Set)", "");
static STATE: At = At::new("[MS-RAI]", "3.1.4.1.2.2.6", "ISAFSession::SessionState (Set)", "pVal");

impl<'a> Ndr<'a> for SetSessionStateRequest {
    type Head = Self;
    const ALIGN: usize = 2;

    fn head(r: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        r.align(2)?;
        r.group(&METHOD, |r| {
            let whole = r.peek::<4>().filter(|_| r.position().is_multiple_of(4));
            let wide = whole.is_some_and(|bytes| match r.byte_order() {
                ByteOrder::Little => u32::from_le_bytes(*bytes) >> 16 == 0,
                ByteOrder::Big => u32::from_be_bytes(*bytes) >> 16 == 0,
            });
            if !wide {
                return Ok(Self { state: r.value(&STATE)?, wide });
            }
            let state = SessionStateEnum(u16::try_from(r.u32(&STATE)?).unwrap_or(u16::MAX));
            r.note(state.name());
            Ok(Self { state, wide })
        })
    }

    fn tail(head: Self, _: &mut Reader<'_, 'a>, _: &'static At) -> Result<Self, DecodeError> {
        Ok(head)
    }

    fn put_head(&self, w: &mut Writer<'_>, _: &'static At) {
        if self.wide { w.u32(self.state.0.into()) } else { w.u16(self.state.0) }
    }

    fn put_tail(&self, _: &mut Writer<'_>, _: &'static At) {}
}

params! {
    /// The \[out\] parameter of `ISAFSession::DomainName (Get)` (opnum 11).
    params GetDomainNameResponse<'a>, "[MS-RAI]" "3.1.4.1.2.2.1" "ISAFSession::DomainName (Get)" {
        /// pVal.
        "pVal" domain_name: Option<Bstr<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[in\] parameter of `ISAFSession::DomainName (Set)` (opnum 12).
    params SetDomainNameRequest<'a>, "[MS-RAI]" "3.1.4.1.2.2.2" "ISAFSession::DomainName (Set)" {
        /// pVal.
        "pVal" domain_name: Option<Bstr<'a>>;
    }
}

params! {
    /// The \[out\] parameter of `ISAFSession::UserName (Get)` (opnum 13).
    params GetUserNameResponse<'a>, "[MS-RAI]" "3.1.4.1.2.2.7" "ISAFSession::UserName (Get)" {
        /// pVal.
        "pVal" user_name: Option<Bstr<'a>>;
        /// The HRESULT.
        "HRESULT" hresult: HResult;
    }
}

params! {
    /// The \[in\] parameter of `ISAFSession::UserName (Set)` (opnum 14).
    params SetUserNameRequest<'a>, "[MS-RAI]" "3.1.4.1.2.2.8" "ISAFSession::UserName (Set)" {
        /// pVal.
        "pVal" user_name: Option<Bstr<'a>>;
    }
}
