//! A DCOM novice on a virtual clock, and what its callers need.

use dce_rpc::{Status, SyntaxId};
use ndr_oaut::{
    ActivationProperties, ByteOrder, ComVersion, CustomObjRef, InstantiationInfoData, InterfacePointer,
    LocationInfoData, ObjRef, ObjRefBody, OrpcThat, OrpcThis, Property, Ref, RemoteRequestScmInfo,
    ScmRequestInfoData, SpecialPropertiesData, StdObjRef, Stub, Variant,
};
use ra_dcom::calls::*;
use ra_dcom::novice::{
    Answer, Call, Counts, Endpoints, Identity, Novice, NoviceEvent, NoviceLimits, Pending, Port, Question,
    Refusal, Session, Step,
};
use ra_dcom::{HResult, SessionStateEnum};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Secret, Time};
use uuid::Uuid;

/// What stands in every ticket, followed by its number.
pub const TICKET: &str = "ticket";
pub const CALLERS: [&str; 3] = ["alice", "bob", "eve"];

/// A novice and its machine.
pub struct Machine {
    pub novice: Novice,
    pub now: Time,
    pub sessions: Vec<Session>,
    /// Who may ask.
    pub helpers: Vec<String>,
    pub refusal: Option<Refusal>,
    pub asked: Vec<Question>,
    pub events: Vec<NoviceEvent>,
    pub tickets: u32,
    pub oxid: u64,
    pub remote_unknown: Uuid,
}

pub fn endpoints() -> Endpoints {
    Endpoints {
        addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        hostname: Some("novice.example".to_owned()),
        resolver_port: 135,
        object_port: 50_000,
    }
}

pub fn random() -> impl FnMut(&mut [u8]) + Send + 'static {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |bytes| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_le_bytes()[3];
        }
    }
}

pub fn syntax(iid: Uuid) -> SyntaxId {
    SyntaxId::new(iid, 0, 0)
}

impl Default for Machine {
    fn default() -> Self {
        Self::with(NoviceLimits::default())
    }
}

impl Machine {
    pub fn with(limits: NoviceLimits) -> Self {
        let mut machine = Self {
            novice: Novice::new(endpoints(), limits, random()).unwrap(),
            now: Time(1),
            sessions: vec![Session::active("DOM", "ann", 1), Session::active("D\u{d6}M", "\u{1f600}", 2)],
            helpers: vec!["alice".to_owned(), "bob".to_owned()],
            refusal: None,
            asked: Vec::new(),
            events: Vec::new(),
            tickets: 0,
            oxid: 0,
            remote_unknown: Uuid::nil(),
        };
        machine.look_around();
        machine
    }

    /// Finds OXID and Remote Unknown with an object that is not kept.
    fn look_around(&mut self) {
        let made = self.activate("alice", wanted(CLSID_RASRV, &[IID_IRASRV], None)).unwrap();
        let reply = &made.scm_reply_info().unwrap().remote_reply.0;
        (self.oxid, self.remote_unknown) = (reply.oxid, reply.ipid_rem_unknown);
        let ipid = pointer(&made.props_out_info().unwrap().interfaces[0].pointer).1.ipid;
        self.remote("alice", release(ipid, 5));
        assert_eq!(self.novice.counts(), Counts::default());
        self.asked.clear();
        self.events.clear();
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now = Time(self.now.0 + seconds * 1000);
    }

    fn answer(&mut self, pending: &Pending) -> Answer {
        if !self.helpers.contains(&pending.caller().user) {
            return Answer::Refused(Refusal::AccessDenied);
        }
        self.asked.push(pending.question().clone());
        match (pending.question(), self.refusal) {
            (Question::MayAsk, _) => Answer::Allowed,
            (_, Some(refusal)) => Answer::Refused(refusal),
            (Question::Sessions, _) => Answer::Sessions(self.sessions.clone()),
            (Question::Ticket(_), _) => {
                self.tickets += 1;
                Answer::Ticket(Secret::new(format!("{TICKET}{}", self.tickets)))
            }
        }
    }

    /// Stub data in, stub data out.
    pub fn raw(
        &mut self,
        who: Option<&str>,
        interface: SyntaxId,
        opnum: u16,
        object: Option<Uuid>,
        stub: &[u8],
    ) -> Result<Vec<u8>, Status> {
        let identity = who.map(|user| Identity::new("DOM", user));
        let port =
            [Port::Resolver, Port::Objects].into_iter().find(|port| Novice::supports(*port, &interface));
        let call = Call {
            caller: identity.as_ref(),
            interface,
            opnum,
            object,
            stub,
            byte_order: ByteOrder::Little,
            local: Some("127.0.0.1".parse().unwrap()),
        };
        let reply = match self.novice.call(self.now, port.unwrap_or(Port::Objects), &call) {
            Step::Reply(reply) => reply,
            Step::Ask(pending) => {
                let answer = self.answer(&pending);
                self.novice.answer(self.now, pending, answer)
            }
        };
        self.events.extend(reply.event);
        reply.stub
    }

    /// A call of a method through an interface; the answer must be well-formed.
    pub fn through(
        &mut self,
        who: &str,
        interface: Uuid,
        object: Option<Uuid>,
        request: Request<'static>,
    ) -> Result<Response<'static>, Status> {
        let method = request.method();
        let this = method.has_orpc_header().then(OrpcThis::default);
        let stub = Message::new(Body::Request { this, parameters: request }).to_vec().unwrap();
        let stub = self.raw(Some(who), syntax(interface), method.opnum(), object, &stub)?;
        let format = StubFormat::of(method, Direction::Response);
        let read = Message::read(method, format, &stub, &DecodeOptions::STRICT).unwrap();
        assert!(read.rest.is_empty(), "{method:?}");
        match read.value.into_owned().body {
            Body::Response { that, parameters } => {
                assert_eq!(that.is_some(), method.has_orpc_header());
                assert_eq!(that.unwrap_or_default(), OrpcThat::default());
                Ok(parameters)
            }
            Body::Request { .. } => panic!("{method:?}"),
        }
    }

    pub fn call(
        &mut self,
        who: &str,
        object: Uuid,
        request: Request<'static>,
    ) -> Result<Response<'static>, Status> {
        let interface = request.method().interface();
        self.through(who, interface, Some(object), request)
    }

    /// A call of the resolver.
    pub fn resolver(&mut self, who: &str, request: Request<'static>) -> Response<'static> {
        let interface = request.method().interface();
        self.through(who, interface, None, request).unwrap()
    }

    /// A call of IRemUnknown(2).
    pub fn remote(&mut self, who: &str, request: Request<'static>) -> Response<'static> {
        self.call(who, self.remote_unknown, request).unwrap()
    }

    /// RemoteCreateInstance.
    pub fn activate(
        &mut self,
        who: &str,
        properties: ActivationProperties<'static>,
    ) -> Result<ActivationProperties<'static>, HResult> {
        let objref = CustomObjRef::request(properties).to_vec().unwrap();
        self.activate_with(who, objref, ComVersion::default())
    }

    pub fn activate_with(
        &mut self,
        who: &str,
        objref: Vec<u8>,
        version: ComVersion,
    ) -> Result<ActivationProperties<'static>, HResult> {
        let act_properties = Some(InterfacePointer { objref: objref.into() });
        let request = RemoteCreateInstanceRequest { unk_outer: None, act_properties };
        let this = OrpcThis { version, flags: 1, ..OrpcThis::default() };
        let method = Method::RemoteCreateInstance;
        let stub = Stub::new((this, request)).to_vec().unwrap();
        let stub = self.raw(Some(who), syntax(method.interface()), 4, None, &stub).unwrap();
        let response: Stub<'_, (OrpcThat<'_>, ActivationResponse<'_>)> = Stub::decode_strict(&stub).unwrap();
        let ActivationResponse { act_properties, hresult } = response.value.1.into_owned();
        let Some(pointer) = act_properties else { return Err(hresult) };
        assert_eq!(hresult, HResult::S_OK);
        let objref = CustomObjRef::<ActivationProperties<'_>>::decode_strict(&pointer.objref).unwrap();
        assert!(!objref.is_request());
        assert_eq!(objref.reserved, None);
        Ok(objref.into_owned().value)
    }

    /// A new object of RASrv.
    pub fn rasrv(&mut self, who: &str) -> StdObjRef {
        self.object(who, wanted(CLSID_RASRV, &[IID_IRASRV], None)).unwrap()
    }

    /// A new object of PCHService.
    pub fn pch(&mut self, who: &str) -> StdObjRef {
        self.object(who, wanted(CLSID_PCHSERVICE, &[IID_IPCHSERVICE], None)).unwrap()
    }

    pub fn object(
        &mut self,
        who: &str,
        properties: ActivationProperties<'static>,
    ) -> Result<StdObjRef, HResult> {
        let made = self.activate(who, properties)?;
        Ok(pointer(&made.props_out_info().unwrap().interfaces[0].pointer).1)
    }
}

/// What a client asks for, as clients order it.
pub fn wanted(clsid: Uuid, iids: &[Uuid], session: Option<u32>) -> ActivationProperties<'static> {
    let remote_request = Ref(RemoteRequestScmInfo { client_imp_level: 2, requested_protseqs: Some(vec![7]) });
    ActivationProperties::new(vec![
        Property::from(SpecialPropertiesData::new(session)),
        InstantiationInfoData::new(clsid, iids.to_vec()).into(),
        LocationInfoData::default().into(),
        ScmRequestInfoData { pdw_reserved: None, remote_request }.into(),
    ])
}

/// The interface and the reference of an OBJREF.
pub fn pointer(pointer: &Option<InterfacePointer<'_>>) -> (Uuid, StdObjRef) {
    let objref = ObjRef::decode_strict(&pointer.as_ref().unwrap().objref).unwrap();
    match objref.body {
        ObjRefBody::Standard { std, .. } => (objref.iid, std),
        other => panic!("{other:?}"),
    }
}

pub fn release(ipid: Uuid, public: u32) -> Request<'static> {
    Request::RemRelease(references(ipid, public, 0))
}

pub fn references(ipid: Uuid, public_refs: u32, private_refs: u32) -> ra_dcom::calls::InterfaceRefs {
    ra_dcom::calls::InterfaceRefs { refs: vec![RemInterfaceRef { ipid, public_refs, private_refs }] }
}

pub const ICLASS_FACTORY: Uuid = Uuid::from_u128(0x0000_0001_0000_0000_c000_0000_0000_0046);

/// An object with each of the interfaces; gives the IPID for an interface.
pub fn every_object(m: &mut Machine) -> impl Fn(Uuid) -> Uuid + use<> {
    let rasrv = m.rasrv("alice").ipid;
    let unknown = query(m, rasrv, IID_IUNKNOWN);
    let pch = m.pch("alice").ipid;
    let collection = collection(m, pch);
    let (item, _) = item(m, collection, 1);
    let session = query(m, item, IID_ISAFSESSION);
    let enumeration = enumeration(m, collection);
    move |iid| match iid {
        IID_IRASRV => rasrv,
        IID_IPCHSERVICE => pch,
        IID_IPCHCOLLECTION => collection,
        IID_ISAFSESSION => session,
        IID_IENUMVARIANT => enumeration,
        _ => unknown,
    }
}

pub fn query(m: &mut Machine, ipid: Uuid, iid: Uuid) -> Uuid {
    let request = RemQueryInterfaceRequest { ipid, refs: 5, iids: vec![iid] };
    let Response::RemQueryInterface(found) = m.remote("alice", Request::RemQueryInterface(request)) else {
        panic!()
    };
    assert_eq!(found.hresult, HResult::S_OK);
    found.results.unwrap()[0].std.ipid
}

pub fn collection(m: &mut Machine, pch: Uuid) -> Uuid {
    let request = Request::RemoteUserSessionInfo(NoParameters::default());
    let Ok(Response::RemoteUserSessionInfo(told)) = m.call("alice", pch, request) else { panic!() };
    assert_eq!(told.hresult, HResult::S_OK);
    let (iid, std) = pointer(&told.collection);
    assert_eq!(iid, IID_IPCHCOLLECTION);
    std.ipid
}

/// IPID and OID of an element.
pub fn item(m: &mut Machine, collection: Uuid, index: i32) -> (Uuid, u64) {
    let Ok(Response::Item(told)) = m.call("alice", collection, Request::Item(ItemRequest { index })) else {
        panic!()
    };
    assert_eq!(told.hresult, HResult::S_OK);
    let Some(Variant::Dispatch(objref)) = told.entry else { panic!("{:?}", told.entry) };
    let (iid, std) = pointer(&objref);
    assert_eq!(iid, IID_IDISPATCH);
    (std.ipid, std.oid)
}

pub fn enumeration(m: &mut Machine, collection: Uuid) -> Uuid {
    let request = Request::NewEnum(NoParameters::default());
    let Ok(Response::NewEnum(told)) = m.call("alice", collection, request) else { panic!() };
    let (iid, std) = pointer(&told.copy);
    assert_eq!(iid, IID_IUNKNOWN);
    query(m, std.ipid, IID_IENUMVARIANT)
}

pub fn session_of(domain: Option<&str>, user: Option<&str>, id: u32, state: SessionStateEnum) -> Session {
    Session { domain: domain.map(Into::into), user: user.map(Into::into), id, state }
}

pub fn odd_sessions() -> Vec<Session> {
    vec![
        session_of(Some("DOM"), Some("ann"), 1, SessionStateEnum::ACTIVE),
        session_of(Some("DOM"), Some("gone"), 2, SessionStateEnum::DISCONNECTED),
        session_of(None, Some("nobody"), 3, SessionStateEnum::CONNECTED),
        session_of(Some("DOM"), Some("idle"), 4, SessionStateEnum::IDLE),
        session_of(Some("D\u{d6}M"), Some("a:b"), 5, SessionStateEnum::SHADOW),
    ]
}
