//! A novice under the calls of several callers, with whatever stub data.

use std::collections::BTreeMap;

use ndr_oaut::{
    ActivationProperties, ByteOrder, CustomObjRef, InstantiationInfoData, InterfacePointer, LocationInfoData,
    OrpcThis, Property, Ref, RemoteRequestScmInfo, ScmRequestInfoData, SpecialPropertiesData, Stub,
};
use ra_dcom::calls::*;
use ra_dcom::novice::{
    Answer, Call, Counts, Endpoints, Identity, Novice, NoviceLimits, Pending, Port, Question, Refusal,
    Session, Status, Step, SyntaxId,
};
use ra_dcom::{HResult, SessionStateEnum};
use remassist_core::{DecodeOptions, Encode as _, Secret, Time};
use uuid::Uuid;

use super::Oracle;

pub(super) const ALL: &[Oracle] = &[("dcom_novice", calls)];

const TICKET: &str = "nobody shall read this";
const CALLERS: [Option<&str>; 4] = [Some("alice"), Some("bob"), Some("eve"), None];
const INTERFACES: [Uuid; 13] = [
    IID_IOBJECTEXPORTER,
    IID_IACTIVATION,
    IID_IREMOTESCMACTIVATOR,
    IID_IREMUNKNOWN,
    IID_IREMUNKNOWN2,
    IID_IUNKNOWN,
    IID_IDISPATCH,
    IID_IRASRV,
    IID_IPCHSERVICE,
    IID_IPCHCOLLECTION,
    IID_ISAFSESSION,
    IID_IENUMVARIANT,
    Uuid::from_u128(0x0000_0001_0000_0000_c000_0000_0000_0046),
];
const OBJECTS: usize = 24;
const OBJECTS_PER_CALLER: usize = 12;
const SETS: usize = 5;

/// Operations, one after the other: a byte that says what, one that says who, and what they need.
fn calls(input: &[u8]) {
    let mut world = World::new();
    let mut input = input;
    while let Some(([what, who], rest)) = input.split_first_chunk() {
        input = rest;
        world.step(*what, usize::from(*who) % CALLERS.len(), &mut input);
        world.check();
    }
    // Nothing is left when nobody pings.
    for _ in 0..3 {
        world.now = Time(world.now.0 + 360_000);
        world.novice.tick(world.now);
    }
    assert_eq!(world.novice.counts(), Counts::default());
    assert_eq!(world.novice.next_tick(), None);
}

fn byte(input: &mut &[u8]) -> usize {
    let (first, rest) = input.split_first().map_or((0, *input), |(first, rest)| (*first, rest));
    *input = rest;
    first.into()
}

struct World {
    novice: Novice,
    now: Time,
    /// IPIDs that were handed out, and to whom.
    ipids: BTreeMap<Uuid, usize>,
    oids: Vec<u64>,
    sets: Vec<u64>,
    remote_unknown: Uuid,
}

impl World {
    fn new() -> Self {
        let mut limits = NoviceLimits::default();
        limits.objects = OBJECTS;
        limits.objects_per_caller = OBJECTS_PER_CALLER;
        (limits.sets, limits.sets_per_caller, limits.objects_per_set) = (SETS, 2, 8);
        (limits.items_per_call, limits.sessions, limits.name) = (16, 8, 32);
        let endpoints =
            Endpoints { addresses: Vec::new(), hostname: None, resolver_port: 1135, object_port: 1136 };
        let mut next = 0_u64;
        let random = move |bytes: &mut [u8]| {
            for byte in bytes {
                next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = next.to_be_bytes()[0];
            }
        };
        let mut world = Self {
            novice: Novice::new(endpoints, limits, random).unwrap(),
            now: Time(0),
            ipids: BTreeMap::new(),
            oids: Vec::new(),
            sets: Vec::new(),
            remote_unknown: Uuid::nil(),
        };
        let made = world.activate(0, CLSID_RASRV, IID_IRASRV, None).unwrap();
        world.remote_unknown = remote_unknown(&made);
        world
    }

    fn step(&mut self, what: u8, who: usize, input: &mut &[u8]) {
        let pick = byte(input);
        match what % 8 {
            0 => {
                let class = [CLSID_RASRV, CLSID_PCHSERVICE][pick & 1];
                let session = (pick & 2 != 0).then(|| u32::try_from(pick >> 2).unwrap());
                let iid = INTERFACES[byte(input) % INTERFACES.len()];
                let _ = self.activate(who, class, iid, session);
            }
            1 => self.now = Time(self.now.0 + 1000 * u64::try_from(pick * 2).unwrap()),
            2 => {
                let public = u32::try_from(byte(input)).unwrap();
                let refs = RemInterfaceRef {
                    ipid: self.ipid(pick),
                    public_refs: public & 15,
                    private_refs: public >> 4,
                };
                let refs = InterfaceRefs { refs: vec![refs] };
                let request =
                    if what & 8 == 0 { Request::RemRelease(refs) } else { Request::RemAddRef(refs) };
                let _ = self.ask(who, IID_IREMUNKNOWN, Some(self.remote_unknown), request);
            }
            3 => {
                let iids = vec![INTERFACES[byte(input) % INTERFACES.len()]];
                let request = RemQueryInterface2Request { ipid: self.ipid(pick), iids };
                let request = Request::RemQueryInterface2(request);
                let _ = self.ask(who, IID_IREMUNKNOWN2, Some(self.remote_unknown), request);
            }
            4 => {
                let oid = self.oids.get(pick % self.oids.len().max(1)).copied().unwrap_or(7);
                let set_id = self.sets.get(byte(input)).copied().unwrap_or(0);
                let sequence_num = u16::try_from(byte(input)).unwrap();
                let (add_to_set, del_from_set) =
                    if what & 8 == 0 { (Some(vec![oid]), None) } else { (None, Some(vec![oid])) };
                let request = ComplexPingRequest { set_id, sequence_num, add_to_set, del_from_set };
                let request = Request::ComplexPing(request);
                if let Ok(stub) = self.ask(who, IID_IOBJECTEXPORTER, None, request) {
                    self.sets.extend(stub.first_chunk().map(|set| u64::from_le_bytes(*set)));
                    self.sets.truncate(64);
                }
            }
            5 => {
                // A method that takes nothing, or one number.
                let interface = INTERFACES[pick % INTERFACES.len()];
                let (opnum, object) = (u16::try_from(byte(input) % 24).unwrap(), byte(input));
                let number = u32::try_from(byte(input)).unwrap();
                let stub = Stub::new((OrpcThis::default(), number)).to_vec().unwrap();
                let object = Some(self.ipid(object));
                let _ = self.raw(who, interface, opnum, object, &stub, ByteOrder::Little);
            }
            _ => {
                // Anything, behind a header that can be read, or not.
                let interface = INTERFACES[pick % INTERFACES.len()];
                let opnum = u16::try_from(byte(input) % 24).unwrap();
                let object = byte(input);
                let object =
                    if interface == IID_IREMUNKNOWN2 { self.remote_unknown } else { self.ipid(object) };
                let mut stub =
                    if what & 8 == 0 { Stub::new(OrpcThis::default()).to_vec().unwrap() } else { Vec::new() };
                let len = byte(input).min(input.len());
                let (data, rest) = input.split_at(len);
                *input = rest;
                stub.extend_from_slice(data);
                let order = if what & 16 == 0 { ByteOrder::Little } else { ByteOrder::Big };
                let _ = self.raw(who, interface, opnum, Some(object), &stub, order);
            }
        }
    }

    fn ipid(&self, pick: usize) -> Uuid {
        let known = self.ipids.keys().nth(pick % self.ipids.len().max(1));
        known.copied().unwrap_or(self.remote_unknown)
    }

    fn activate(
        &mut self,
        who: usize,
        clsid: Uuid,
        iid: Uuid,
        session: Option<u32>,
    ) -> Result<Vec<u8>, Status> {
        let remote_request =
            Ref(RemoteRequestScmInfo { client_imp_level: 2, requested_protseqs: Some(vec![7]) });
        let properties = ActivationProperties::new(vec![
            Property::from(SpecialPropertiesData::new(session)),
            InstantiationInfoData::new(clsid, vec![iid]).into(),
            LocationInfoData::default().into(),
            ScmRequestInfoData { pdw_reserved: None, remote_request }.into(),
        ]);
        let objref = CustomObjRef::request(properties).to_vec().unwrap();
        let act_properties = Some(InterfacePointer { objref: objref.into() });
        let request = RemoteCreateInstanceRequest { unk_outer: None, act_properties };
        self.ask(who, IID_IREMOTESCMACTIVATOR, None, Request::RemoteCreateInstance(request))
    }

    fn ask(
        &mut self,
        who: usize,
        interface: Uuid,
        object: Option<Uuid>,
        request: Request<'static>,
    ) -> Result<Vec<u8>, Status> {
        let method = request.method();
        let this = method.has_orpc_header().then(OrpcThis::default);
        let stub = Message::new(Body::Request { this, parameters: request }).to_vec().unwrap();
        self.raw(who, interface, method.opnum(), object, &stub, ByteOrder::Little)
    }

    fn raw(
        &mut self,
        who: usize,
        interface: Uuid,
        opnum: u16,
        object: Option<Uuid>,
        stub: &[u8],
        byte_order: ByteOrder,
    ) -> Result<Vec<u8>, Status> {
        let identity = CALLERS[who].map(|user| Identity::new("DOM", user));
        let syntax = SyntaxId::new(interface, 0, 0);
        let resolver = Novice::supports(Port::Resolver, &syntax);
        let port = if resolver { Port::Resolver } else { Port::Objects };
        let call = Call {
            caller: identity.as_ref(),
            interface: syntax,
            opnum,
            object,
            stub,
            byte_order,
            local: None,
        };
        let reply = match self.novice.call(self.now, port, &call) {
            Step::Reply(reply) => reply,
            Step::Ask(pending) => {
                let answer = answer(&pending);
                self.novice.answer(self.now, pending, answer)
            }
        };
        assert!(!format!("{:?}", reply.event).contains(TICKET));
        let alive = interface == IID_IOBJECTEXPORTER && matches!(opnum, 3 | 5);
        if CALLERS[who].is_none() && !alive {
            assert_eq!(reply.stub, Err(Status::ACCESS_DENIED));
        }
        if let (Ok(stub), Some(method)) = (&reply.stub, Method::find(&interface, opnum)) {
            let format = StubFormat::of(method, Direction::Response);
            let read = Message::read(method, format, stub, &DecodeOptions::TOLERANT);
            assert!(read.is_ok_and(|read| read.rest.is_empty()), "{method:?} {stub:?}");
            self.note(who, stub);
        }
        reply.stub
    }

    /// Keeps the ids of the OBJREFs in an answer.
    fn note(&mut self, who: usize, stub: &[u8]) {
        for at in 0..stub.len() {
            let Some(objref) = stub.get(at..at + 64).filter(|o| o.starts_with(b"MEOW\x01\0\0\0")) else {
                continue;
            };
            let number = |range| u64::from_le_bytes(<[u8; 8]>::try_from(&objref[range]).unwrap());
            let ipid = Uuid::from_slice_le(&objref[48..64]).unwrap();
            let owner = self.ipids.insert(ipid, who);
            assert!(owner.is_none_or(|owner| owner == who), "an IPID of two callers");
            self.oids.push(number(40..48));
        }
        self.oids.truncate(64);
        while self.ipids.len() > 64 {
            self.ipids.pop_first();
        }
    }

    /// What holds after every call.
    fn check(&mut self) {
        let counts = self.novice.counts();
        assert!(counts.objects <= OBJECTS && counts.sets <= SETS, "{counts:?}");
        assert!(counts.interfaces <= 3 * counts.objects && counts.callers <= 3, "{counts:?}");
        assert!(self.novice.next_tick().is_some() || counts.objects + counts.sets == 0);
        // An object is there for its owner only.
        let Some((ipid, owner)) = self.ipids.last_key_value().map(|(ipid, owner)| (*ipid, *owner)) else {
            return;
        };
        for other in (0..3).filter(|other| *other != owner) {
            let refs = vec![RemInterfaceRef { ipid, public_refs: 0, private_refs: 0 }];
            let request = Request::RemAddRef(InterfaceRefs { refs });
            let stub = self.ask(other, IID_IREMUNKNOWN, Some(self.remote_unknown), request).unwrap();
            assert!(stub.windows(4).any(|code| code == HResult::CO_E_OBJNOTREG.0.to_le_bytes()));
            for interface in &INTERFACES[5..] {
                let refused = self.raw(other, *interface, 7, Some(ipid), &[], ByteOrder::Little);
                assert_eq!(refused, Err(Status(HResult::RPC_E_INVALID_IPID.0)));
            }
        }
    }
}

/// eve is no helper.
fn answer(pending: &Pending) -> Answer {
    if pending.caller().user == "eve" {
        return Answer::Refused(Refusal::AccessDenied);
    }
    match pending.question() {
        Question::MayAsk => Answer::Allowed,
        Question::Sessions => {
            let nobody = Session { domain: None, user: None, id: 9, state: SessionStateEnum::LISTEN };
            Answer::Sessions(vec![Session::active("DOM", "ann", 1), nobody])
        }
        Question::Ticket(_) => Answer::Ticket(Secret::new(TICKET.to_owned())),
    }
}

/// ipidRemUnknown of an activation.
fn remote_unknown(stub: &[u8]) -> Uuid {
    let format = StubFormat::of(Method::RemoteCreateInstance, Direction::Response);
    let read = Message::read(Method::RemoteCreateInstance, format, stub, &DecodeOptions::STRICT).unwrap();
    let Body::Response { parameters: Response::RemoteCreateInstance(made), .. } = read.value.body else {
        panic!("no activation");
    };
    let pointer = made.act_properties.unwrap();
    let objref = <CustomObjRef<ActivationProperties<'_>> as remassist_core::Decode<'_>>::decode_strict(
        &pointer.objref,
    );
    objref.unwrap().value.scm_reply_info().unwrap().remote_reply.0.ipid_rem_unknown
}
