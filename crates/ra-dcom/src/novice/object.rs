//! The objects that a novice has, and what can be asked of them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use ndr_oaut::{Bstr, StdObjRef};
use remassist_core::Secret;
use uuid::Uuid;

use super::provider::{Session, SessionChoice};
use crate::SessionStateEnum;
use crate::calls::{
    CLSID_PCHSERVICE, CLSID_RASRV, IID_IDISPATCH, IID_IENUMVARIANT, IID_IPCHCOLLECTION, IID_IPCHSERVICE,
    IID_IRASRV, IID_ISAFSESSION, IID_IUNKNOWN,
};

/// The classes ([MS-RAI] 1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// RASrv, with IRASrv.
    RaSrv,
    /// PCHService, with IPCHService.
    PchService,
}

impl Class {
    /// The class of a CLSID.
    #[must_use]
    pub fn of(clsid: &Uuid) -> Option<Self> {
        match *clsid {
            CLSID_RASRV => Some(Self::RaSrv),
            CLSID_PCHSERVICE => Some(Self::PchService),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RaSrv => "RASrv",
            Self::PchService => "PCHService",
        }
    }
}

/// The sessions of a moment, which a collection and its copies share. Their elements are the same objects.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    pub(super) group: u64,
    pub(super) list: Arc<[Session]>,
}

/// An object.
#[derive(Debug)]
pub(super) enum Object {
    /// An object of a class, for a session.
    Of(Class, SessionChoice),
    /// Makes objects of a class: a class object.
    Factory(Class, SessionChoice),
    /// With IPCHCollection.
    Collection(Sessions),
    /// With IEnumVARIANT: the sessions, and how many are fetched.
    Enumeration(Sessions, usize),
    /// With ISAFSession.
    Session(SessionObject),
}

/// What an ISAFSession tells, and a caller may change for itself.
#[derive(Debug)]
pub(super) struct SessionObject {
    /// Which element of a collection.
    pub(super) element: (u64, usize),
    pub(super) id: u32,
    pub(super) state: SessionStateEnum,
    pub(super) domain: Bstr<'static>,
    pub(super) user: Bstr<'static>,
}

impl SessionObject {
    pub(super) fn new(element: (u64, usize), session: &Session) -> Self {
        let text = |name: &Option<_>| name.as_deref().map_or(Bstr::NULL, Bstr::new);
        let (domain, user) = (text(&session.domain), text(&session.user));
        Self { element, id: session.id, state: session.state, domain, user }
    }
}

impl Object {
    /// The interfaces, IUnknown first.
    pub(super) fn interfaces(&self) -> &'static [Uuid] {
        match self {
            Self::Of(Class::RaSrv, _) => &[IID_IUNKNOWN, IID_IDISPATCH, IID_IRASRV],
            Self::Of(Class::PchService, _) => &[IID_IUNKNOWN, IID_IDISPATCH, IID_IPCHSERVICE],
            Self::Factory(..) => &[IID_IUNKNOWN, ICLASS_FACTORY],
            Self::Collection(_) => &[IID_IUNKNOWN, IID_IDISPATCH, IID_IPCHCOLLECTION],
            Self::Enumeration(..) => &[IID_IUNKNOWN, IID_IENUMVARIANT],
            Self::Session(_) => &[IID_IUNKNOWN, IID_IDISPATCH, IID_ISAFSESSION],
        }
    }

    /// Which element of a collection it is.
    pub(super) fn element(&self) -> Option<(u64, usize)> {
        match self {
            Self::Session(session) => Some(session.element),
            _ => None,
        }
    }
}

/// `IClassFactory`, which class objects have; COM defines it and no specification of protocols does.
pub(super) const ICLASS_FACTORY: Uuid = Uuid::from_u128(0x0000_0001_0000_0000_c000_0000_0000_0046);

/// Every interface that an object has.
pub(super) const INTERFACES: [Uuid; 8] = [
    IID_IUNKNOWN,
    IID_IDISPATCH,
    IID_IRASRV,
    IID_IPCHSERVICE,
    IID_IPCHCOLLECTION,
    IID_ISAFSESSION,
    IID_IENUMVARIANT,
    ICLASS_FACTORY,
];

/// A call of a method, whether it came as an opnum or through IDispatch::Invoke.
#[derive(Debug)]
pub(super) enum Method {
    /// IRASrv::GetNoviceUserInfo.
    NoviceUserInfo,
    /// IRASrv::GetSessionInfo.
    SessionInfo,
    /// IPCHService::RemoteConnectionParms.
    ConnectionParms { user: Bstr<'static>, domain: Bstr<'static>, session: i32, help_blob: Bstr<'static> },
    /// IPCHService::RemoteUserSessionInfo.
    UserSessionInfo,
    /// IPCHCollection::_NewEnum, also IEnumVARIANT::Clone.
    NewEnum,
    /// IPCHCollection::Item.
    Item(i32),
    /// IPCHCollection::Count.
    Count,
    /// A property of ISAFSession.
    Get(Property),
    /// A property of ISAFSession.
    Put(Put),
    /// IEnumVARIANT::Next.
    Next(u32),
    /// IEnumVARIANT::Skip.
    Skip(u32),
    /// IEnumVARIANT::Reset.
    Reset,
    /// IClassFactory::CreateInstance.
    CreateInstance(Uuid),
    /// IClassFactory::LockServer.
    Lock,
}

/// The properties of ISAFSession.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    SessionId,
    SessionState,
    DomainName,
    UserName,
}

/// A property of ISAFSession with a new value.
#[derive(Debug)]
pub(super) enum Put {
    SessionId(u32),
    SessionState(u32),
    DomainName(Bstr<'static>),
    UserName(Bstr<'static>),
}

/// What a method gives.
#[derive(Debug)]
pub(super) enum Value {
    Nothing,
    /// [out] long.
    Number(i32),
    /// [out] DWORD.
    Id(u32),
    State(SessionStateEnum),
    Text(Bstr<'static>),
    Ticket(Secret<alloc::string::String>),
    /// UserNames; Count is their number.
    Names(Vec<Option<Bstr<'static>>>),
    /// An interface pointer.
    Pointer(Pointer),
    /// What a VARIANT holds: VT_DISPATCH.
    Dispatch(Pointer),
    /// What VARIANTs hold.
    Elements(Vec<Pointer>),
}

/// A reference that was made for the caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pointer {
    pub(super) iid: Uuid,
    pub(super) std: StdObjRef,
}
