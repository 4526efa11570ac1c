//! Interfaces, classes and other well-known GUIDs ([MS-RAI] 1.9, [MS-DCOM] 1.9, [MS-OAUT] 1.9).

use uuid::{Uuid, uuid};

macro_rules! guids {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: Uuid = uuid!($value);
    )*};
}
guids! {
    /// `IPCHService` ([MS-RAI] 1.9).
    IID_IPCHSERVICE = "833e4200-aff7-4ac3-aac2-9f24c1457bce";
    /// `IPCHCollection` ([MS-RAI] 1.9).
    IID_IPCHCOLLECTION = "833e4100-aff7-4ac3-aac2-9f24c1457bce";
    /// `ISAFSession` ([MS-RAI] 1.9).
    IID_ISAFSESSION = "833e41aa-aff7-4ac3-aac2-9f24c1457bce";
    /// `IRASrv` ([MS-RAI] 1.9).
    IID_IRASRV = "f120a684-b926-447f-9df4-c966cb785648";
    /// The class PCHService ([MS-RAI] 1.9).
    CLSID_PCHSERVICE = "833e4010-aff7-4ac3-aac2-9f24c1457bce";
    /// The class RASrv ([MS-RAI] 1.9).
    CLSID_RASRV = "3c3a70a7-a468-49b9-8ada-28e11fccad5d";
    /// `IUnknown` ([MS-DCOM] 1.9).
    IID_IUNKNOWN = "00000000-0000-0000-c000-000000000046";
    /// `IDispatch` ([MS-OAUT] 1.9).
    IID_IDISPATCH = "00020400-0000-0000-c000-000000000046";
    /// `IEnumVARIANT` ([MS-OAUT] 1.9).
    IID_IENUMVARIANT = "00020404-0000-0000-c000-000000000046";
    /// `IRemUnknown` ([MS-DCOM] 1.9).
    IID_IREMUNKNOWN = "00000131-0000-0000-c000-000000000046";
    /// `IRemUnknown2` ([MS-DCOM] 1.9).
    IID_IREMUNKNOWN2 = "00000143-0000-0000-c000-000000000046";
    /// `IObjectExporter` ([MS-DCOM] 1.9).
    IID_IOBJECTEXPORTER = "99fcfec4-5260-101b-bbcb-00aa0021347a";
    /// `IActivation` ([MS-DCOM] 1.9).
    IID_IACTIVATION = "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57";
    /// `IRemoteSCMActivator` ([MS-DCOM] 1.9).
    IID_IREMOTESCMACTIVATOR = "000001a0-0000-0000-c000-000000000046";
    /// `IActivationPropertiesIn` ([MS-DCOM] 1.9): the iid of the OBJREF of an activation request.
    IID_IACTIVATIONPROPERTIESIN = "000001a2-0000-0000-c000-000000000046";
    /// `IActivationPropertiesOut` ([MS-DCOM] 1.9): the iid of the OBJREF of its answer.
    IID_IACTIVATIONPROPERTIESOUT = "000001a3-0000-0000-c000-000000000046";
    /// `IContext` ([MS-DCOM] 1.9): the iid of the OBJREF of a context.
    IID_ICONTEXT = "000001c0-0000-0000-c000-000000000046";
    /// The class of the OBJREF of an activation request ([MS-DCOM] 1.9).
    CLSID_ACTIVATIONPROPERTIESIN = "00000338-0000-0000-c000-000000000046";
    /// The class of the OBJREF of its answer ([MS-DCOM] 1.9); also that of the property PropsOutInfo.
    CLSID_ACTIVATIONPROPERTIESOUT = "00000339-0000-0000-c000-000000000046";
    /// The class of the OBJREF of a context ([MS-DCOM] 1.9).
    CLSID_CONTEXTMARSHALER = "0000033b-0000-0000-c000-000000000046";
    /// The ORPC extension that tells a context ([MS-DCOM] 1.9).
    CLSID_CONTEXT_EXTENSION = "00000334-0000-0000-c000-000000000046";
    /// The ORPC extension that tells an error ([MS-DCOM] 1.9).
    CLSID_ERROR_EXTENSION = "0000031c-0000-0000-c000-000000000046";
    /// The class of the OBJREF of error information ([MS-DCOM] 1.9).
    CLSID_ERROROBJECT = "0000031b-0000-0000-c000-000000000046";
    /// The property ActivationContextInfoData ([MS-DCOM] 1.9).
    CLSID_ACTIVATIONCONTEXTINFO = "000001a5-0000-0000-c000-000000000046";
    /// The property InstanceInfoData ([MS-DCOM] 1.9).
    CLSID_INSTANCEINFO = "000001ad-0000-0000-c000-000000000046";
    /// The property InstantiationInfoData ([MS-DCOM] 1.9).
    CLSID_INSTANTIATIONINFO = "000001ab-0000-0000-c000-000000000046";
    /// The property PropsOutInfo ([MS-DCOM] 1.9).
    CLSID_PROPSOUTINFO = "00000339-0000-0000-c000-000000000046";
    /// The property ScmReplyInfoData ([MS-DCOM] 1.9).
    CLSID_SCMREPLYINFO = "000001b6-0000-0000-c000-000000000046";
    /// The property ScmRequestInfoData ([MS-DCOM] 1.9).
    CLSID_SCMREQUESTINFO = "000001aa-0000-0000-c000-000000000046";
    /// The property SecurityInfoData ([MS-DCOM] 1.9).
    CLSID_SECURITYINFO = "000001a6-0000-0000-c000-000000000046";
    /// The property LocationInfoData ([MS-DCOM] 1.9).
    CLSID_SERVERLOCATIONINFO = "000001a4-0000-0000-c000-000000000046";
    /// The property SpecialPropertiesData ([MS-DCOM] 1.9).
    CLSID_SPECIALSYSTEMPROPERTIES = "000001b9-0000-0000-c000-000000000046";
}

macro_rules! dispids {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: i32 = $value;
    )*};
}
dispids! {
    /// `IPCHService::RemoteConnectionParms` ([MS-RAI] 7).
    DISPID_PCH_SVC_REMOTECONNECTIONPARMS = 0x0800_0040;
    /// `IPCHService::RemoteUserSessionInfo` ([MS-RAI] 7).
    DISPID_PCH_SVC_REMOTEUSERSESSIONINFO = 0x0800_0041;
    /// `IPCHCollection::Count` ([MS-RAI] 7).
    DISPID_PCH_COL_COUNT = 0x0801_0000;
    /// `ISAFSession::SessionID` ([MS-RAI] 7).
    DISPID_SAF_SESS_SESSIONID = 0x0802_0D10;
    /// `ISAFSession::SessionState` ([MS-RAI] 7).
    DISPID_SAF_SESS_SESSIONSTATE = 0x0802_0D11;
    /// `ISAFSession::DomainName` ([MS-RAI] 7).
    DISPID_SAF_SESS_DOMAINNAME = 0x0802_0D12;
    /// `ISAFSession::UserName` ([MS-RAI] 7).
    DISPID_SAF_SESS_USERNAME = 0x0802_0D13;
    /// `IRASrv::GetNoviceUserInfo` ([MS-RAI] 7).
    DISPID_GETNOVICEUSERINFO = 1;
    /// `IRASrv::GetSessionInfo` ([MS-RAI] 7).
    DISPID_GETSESSIONINFO = 2;
}
