//! Every method, with what it asks and what it answers.

use core::fmt;

use ndr_oaut::{Ndr, Reader, Writer};
use remassist_core::{At, DecodeError};
use uuid::Uuid;

use super::activation::*;
use super::dispatch::*;
use super::exporter::*;
use super::macros::Own as _;
use super::names::*;
use super::pch::*;
use super::rasrv::*;
use super::rem_unknown::*;
use super::{NoParameters, ResultOnly, StatusOnly};

/// A method as a type: its number, what it asks and what it answers.
///
/// ```
/// use ra_dcom::calls::{Call, GetSessionInfo, Method, PointerLevels};
///
/// let request = <GetSessionInfo as Call>::Request::default();
/// assert_eq!(request.user_names.levels, PointerLevels::Two);
/// assert_eq!((GetSessionInfo::METHOD, GetSessionInfo::METHOD.opnum()), (Method::GetSessionInfo, 8));
/// ```
pub trait Call {
    /// The method.
    const METHOD: Method;
    /// Its \[in\] parameters.
    type Request<'a>: Ndr<'a>;
    /// Its \[out\] parameters and result.
    type Response<'a>: Ndr<'a>;

    /// The same response, borrowed from nobody.
    fn owned(response: Self::Response<'_>) -> Self::Response<'static>;
}

macro_rules! methods {
    ($($name:ident = $iid:ident $opnum:literal, $doc:literal $section:literal $interface:literal $wire:literal,
        $request:ty => $response:ty;)*) => {
        /// A method of an interface.
        #[non_exhaustive]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Method {
            $(#[doc = concat!("`", $interface, "::", $wire, "` (opnum ", $opnum, ", ", $doc, " ", $section, ").")]
            $name,)*
        }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The interface that has the method; others inherit it.
            #[must_use]
            pub const fn interface(self) -> Uuid {
                match self {
                    $(Self::$name => $iid,)*
                }
            }

            /// The interface's name.
            #[must_use]
            pub const fn interface_name(self) -> &'static str {
                match self {
                    $(Self::$name => $interface,)*
                }
            }

            /// Number of the method in the interface.
            #[must_use]
            pub const fn opnum(self) -> u16 {
                match self {
                    $(Self::$name => $opnum,)*
                }
            }

            /// The specification's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)*
                }
            }

            /// Document and section.
            #[must_use]
            pub const fn section(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($doc, " ", $section),)*
                }
            }

            pub(super) const fn at(self) -> &'static At {
                match self {
                    $(Self::$name => const { &At::new($doc, $section, concat!($interface, "::", $wire), "") },)*
                }
            }
        }

        /// The \[in\] parameters of a method.
        #[non_exhaustive]
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Request<'a> {
            $(#[doc = concat!("Of `", $interface, "::", $wire, "`.")]
            $name($request),)*
        }

        /// The \[out\] parameters and the result of a method.
        #[non_exhaustive]
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Response<'a> {
            $(#[doc = concat!("Of `", $interface, "::", $wire, "`.")]
            $name($response),)*
        }

        methods!(@parameters Request, $($name)*);
        methods!(@parameters Response, $($name)*);

        $(
            #[doc = concat!("`", $interface, "::", $wire, "` (opnum ", $opnum, ", ", $doc, " ", $section, ").")]
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name;

            impl Call for $name {
                const METHOD: Method = Method::$name;
                type Request<'a> = $request;
                type Response<'a> = $response;

                fn owned<'a>(response: $response) -> Self::Response<'static> {
                    response.own()
                }
            }
        )*
    };
    (@parameters $type:ident, $($name:ident)*) => {
        impl<'a> $type<'a> {
            /// Reads those of a method.
            ///
            /// # Errors
            /// Those of the parameters.
            pub fn read(method: Method, r: &mut Reader<'_, 'a>) -> Result<Self, DecodeError> {
                Ok(match method {
                    $(Method::$name => Self::$name(r.value(method.at())?),)*
                })
            }

            /// Writes them.
            pub fn put(&self, w: &mut Writer<'_>) {
                let at = self.method().at();
                match self {
                    $(Self::$name(parameters) => w.value(parameters, at),)*
                }
            }

            /// The method.
            #[must_use]
            pub const fn method(&self) -> Method {
                match self {
                    $(Self::$name(_) => Method::$name,)*
                }
            }

            /// The same parameters, borrowed from nobody.
            #[must_use]
            pub fn into_owned(self) -> $type<'static> {
                match self {
                    $(Self::$name(parameters) => $type::$name(parameters.own()),)*
                }
            }
        }
    };
}
methods! {
    GetTypeInfoCount = IID_IDISPATCH 3, "[MS-OAUT]" "3.1.4.1" "IDispatch" "GetTypeInfoCount",
        NoParameters => GetTypeInfoCountResponse;
    GetTypeInfo = IID_IDISPATCH 4, "[MS-OAUT]" "3.1.4.2" "IDispatch" "GetTypeInfo",
        GetTypeInfoRequest => GetTypeInfoResponse<'a>;
    GetIdsOfNames = IID_IDISPATCH 5, "[MS-OAUT]" "3.1.4.3" "IDispatch" "GetIDsOfNames",
        GetIdsOfNamesRequest<'a> => GetIdsOfNamesResponse;
    Invoke = IID_IDISPATCH 6, "[MS-OAUT]" "3.1.4.4" "IDispatch" "Invoke",
        InvokeRequest<'a> => InvokeResponse<'a>;

    RemoteConnectionParms = IID_IPCHSERVICE 19, "[MS-RAI]" "3.1.4.1.1" "IPCHService" "RemoteConnectionParms",
        RemoteConnectionParmsRequest<'a> => RemoteConnectionParmsResponse<'a>;
    RemoteUserSessionInfo = IID_IPCHSERVICE 20, "[MS-RAI]" "3.1.4.1.2" "IPCHService" "RemoteUserSessionInfo",
        NoParameters => RemoteUserSessionInfoResponse<'a>;

    NewEnum = IID_IPCHCOLLECTION 7, "[MS-RAI]" "3.1.4.1.2.1.1" "IPCHCollection" "_NewEnum",
        NoParameters => NewEnumResponse<'a>;
    Item = IID_IPCHCOLLECTION 8, "[MS-RAI]" "3.1.4.1.2.1.2" "IPCHCollection" "Item",
        ItemRequest => ItemResponse<'a>;
    Count = IID_IPCHCOLLECTION 9, "[MS-RAI]" "3.1.4.1.2.1.3" "IPCHCollection" "Count",
        NoParameters => CountResponse;

    GetSessionId = IID_ISAFSESSION 7, "[MS-RAI]" "3.1.4.1.2.2.3" "ISAFSession" "SessionID (Get)",
        NoParameters => GetSessionIdResponse;
    SetSessionId = IID_ISAFSESSION 8, "[MS-RAI]" "3.1.4.1.2.2.4" "ISAFSession" "SessionID (Set)",
        SetSessionIdRequest => ResultOnly;
    GetSessionState = IID_ISAFSESSION 9, "[MS-RAI]" "3.1.4.1.2.2.5" "ISAFSession" "SessionState (Get)",
        NoParameters => GetSessionStateResponse;
    SetSessionState = IID_ISAFSESSION 10, "[MS-RAI]" "3.1.4.1.2.2.6" "ISAFSession" "SessionState (Set)",
        SetSessionStateRequest => ResultOnly;
    GetDomainName = IID_ISAFSESSION 11, "[MS-RAI]" "3.1.4.1.2.2.1" "ISAFSession" "DomainName (Get)",
        NoParameters => GetDomainNameResponse<'a>;
    SetDomainName = IID_ISAFSESSION 12, "[MS-RAI]" "3.1.4.1.2.2.2" "ISAFSession" "DomainName (Set)",
        SetDomainNameRequest<'a> => ResultOnly;
    GetUserName = IID_ISAFSESSION 13, "[MS-RAI]" "3.1.4.1.2.2.7" "ISAFSession" "UserName (Get)",
        NoParameters => GetUserNameResponse<'a>;
    SetUserName = IID_ISAFSESSION 14, "[MS-RAI]" "3.1.4.1.2.2.8" "ISAFSession" "UserName (Set)",
        SetUserNameRequest<'a> => ResultOnly;

    GetNoviceUserInfo = IID_IRASRV 7, "[MS-RAI]" "3.3.4.1.1" "IRASrv" "GetNoviceUserInfo",
        GetNoviceUserInfoRequest<'a> => GetNoviceUserInfoResponse<'a>;
    GetSessionInfo = IID_IRASRV 8, "[MS-RAI]" "3.3.4.1.2" "IRASrv" "GetSessionInfo",
        GetSessionInfoRequest<'a> => GetSessionInfoResponse<'a>;

    RemQueryInterface = IID_IREMUNKNOWN 3, "[MS-DCOM]" "3.1.1.5.6.1.1" "IRemUnknown" "RemQueryInterface",
        RemQueryInterfaceRequest => RemQueryInterfaceResponse;
    RemAddRef = IID_IREMUNKNOWN 4, "[MS-DCOM]" "3.1.1.5.6.1.2" "IRemUnknown" "RemAddRef",
        InterfaceRefs => RemAddRefResponse;
    RemRelease = IID_IREMUNKNOWN 5, "[MS-DCOM]" "3.1.1.5.6.1.3" "IRemUnknown" "RemRelease",
        InterfaceRefs => ResultOnly;
    RemQueryInterface2 = IID_IREMUNKNOWN2 6, "[MS-DCOM]" "3.1.1.5.7.1.1" "IRemUnknown2" "RemQueryInterface2",
        RemQueryInterface2Request => RemQueryInterface2Response<'a>;

    ResolveOxid = IID_IOBJECTEXPORTER 0, "[MS-DCOM]" "3.1.2.5.1.1" "IObjectExporter" "ResolveOxid",
        ResolveOxidRequest => ResolveOxidResponse;
    SimplePing = IID_IOBJECTEXPORTER 1, "[MS-DCOM]" "3.1.2.5.1.2" "IObjectExporter" "SimplePing",
        SimplePingRequest => StatusOnly;
    ComplexPing = IID_IOBJECTEXPORTER 2, "[MS-DCOM]" "3.1.2.5.1.3" "IObjectExporter" "ComplexPing",
        ComplexPingRequest => ComplexPingResponse;
    ServerAlive = IID_IOBJECTEXPORTER 3, "[MS-DCOM]" "3.1.2.5.1.4" "IObjectExporter" "ServerAlive",
        NoParameters => StatusOnly;
    ResolveOxid2 = IID_IOBJECTEXPORTER 4, "[MS-DCOM]" "3.1.2.5.1.5" "IObjectExporter" "ResolveOxid2",
        ResolveOxidRequest => ResolveOxid2Response;
    ServerAlive2 = IID_IOBJECTEXPORTER 5, "[MS-DCOM]" "3.1.2.5.1.6" "IObjectExporter" "ServerAlive2",
        NoParameters => ServerAlive2Response;

    RemoteActivation = IID_IACTIVATION 0, "[MS-DCOM]" "3.1.2.5.2.3.1" "IActivation" "RemoteActivation",
        RemoteActivationRequest<'a> => RemoteActivationResponse<'a>;
    RemoteGetClassObject = IID_IREMOTESCMACTIVATOR 3, "[MS-DCOM]" "3.1.2.5.2.3.2" "IRemoteSCMActivator"
        "RemoteGetClassObject", RemoteGetClassObjectRequest<'a> => ActivationResponse<'a>;
    RemoteCreateInstance = IID_IREMOTESCMACTIVATOR 4, "[MS-DCOM]" "3.1.2.5.2.3.3" "IRemoteSCMActivator"
        "RemoteCreateInstance", RemoteCreateInstanceRequest<'a> => ActivationResponse<'a>;
}

/// `Interface::Method`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.interface_name(), self.name())
    }
}

impl Method {
    /// The method of an interface with a number, its own or inherited; `None` for those that the specifications do not
    /// use on the network, and for unknown interfaces.
    #[must_use]
    pub fn find(interface: &Uuid, opnum: u16) -> Option<Self> {
        let base = match *interface {
            IID_IPCHSERVICE | IID_IPCHCOLLECTION | IID_ISAFSESSION | IID_IRASRV => IID_IDISPATCH,
            IID_IREMUNKNOWN2 => IID_IREMUNKNOWN,
            _ => *interface,
        };
        let has = |interface: Uuid| {
            Self::ALL
                .iter()
                .find(|method| method.interface() == interface && method.opnum() == opnum)
                .copied()
        };
        has(*interface).or_else(|| has(base))
    }

    /// Whether requests begin with ORPCTHIS and responses with ORPCTHAT: those of objects, and by their IDL those of
    /// activation.
    #[must_use]
    pub fn has_orpc_header(self) -> bool {
        self.interface() != IID_IOBJECTEXPORTER
    }
}
