//! The novice as a DCOM server, without I/O: calls in, bytes out.

use dce_rpc::{AuthLevel, Status, SyntaxId};
use ndr_oaut::{
    ActivationContextInfoData, Bstr, ComVersion, CustomObjRef, Elements, InterfacePointer, OrpcThat,
    OrpcThis, Property, SpecialPropertiesData, Stub, Variant, Varying,
};
use ra_dcom::calls::*;
use ra_dcom::novice::{
    Class, Identity, Novice, NoviceEvent, Port, Question, Refusal, Session, SessionChoice, TicketForm,
    TicketRequest,
};
use ra_dcom::{ErrorStatus, HResult, SessionStateEnum};
use remassist_core::{Blob, Decode as _, Encode as _};
use testkit::novice::{
    ICLASS_FACTORY, Machine, TICKET, collection, enumeration, every_object, item, odd_sessions, pointer,
    query, references, syntax, wanted,
};
use uuid::Uuid;

#[test]
fn everybody_may_ask_whether_the_server_lives_and_nothing_else() {
    let mut m = Machine::default();
    let resolver = syntax(IID_IOBJECTEXPORTER);
    assert_eq!(m.raw(None, resolver, 3, None, &[]).unwrap(), [0; 4]);
    let stub = m.raw(None, resolver, 5, None, &[]).unwrap();
    let alive: Stub<'_, ServerAlive2Response> = Stub::decode_strict(&stub).unwrap();
    let ServerAlive2Response { com_version, bindings, reserved, status } = alive.value;
    assert_eq!((com_version, reserved, status), (ComVersion { major: 5, minor: 7 }, 0, ErrorStatus::SUCCESS));
    let bindings = bindings.unwrap();
    let strings: Vec<_> = bindings.string_bindings().into_iter().map(|b| b.network_address).collect();
    assert_eq!(strings, ["127.0.0.1", "192.0.2.7", "2001:db8::7", "novice.example"]);
    for interface in
        [IID_IOBJECTEXPORTER, IID_IACTIVATION, IID_IREMOTESCMACTIVATOR, IID_IRASRV, IID_IREMUNKNOWN]
    {
        for opnum in 0..30 {
            let open = interface == IID_IOBJECTEXPORTER && matches!(opnum, 3 | 5);
            let level = Novice::minimum_level(&syntax(interface), opnum);
            assert_eq!(level, if open { AuthLevel::NONE } else { AuthLevel::INTEGRITY });
            if !open {
                let refused = m.raw(None, syntax(interface), opnum, Some(Uuid::max()), &[]);
                assert_eq!(refused, Err(Status::ACCESS_DENIED), "{interface} {opnum}");
            }
        }
    }
    assert!(m.asked.is_empty());
}

#[test]
fn each_port_has_its_interfaces_in_version_0_0() {
    let resolver = [IID_IOBJECTEXPORTER, IID_IACTIVATION, IID_IREMOTESCMACTIVATOR];
    let objects = [
        IID_IUNKNOWN,
        IID_IDISPATCH,
        IID_IRASRV,
        IID_IPCHSERVICE,
        IID_IPCHCOLLECTION,
        IID_ISAFSESSION,
        IID_IENUMVARIANT,
        IID_IREMUNKNOWN,
        IID_IREMUNKNOWN2,
        ICLASS_FACTORY,
    ];
    for iid in resolver.iter().chain(&objects) {
        let has = |port| Novice::supports(port, &syntax(*iid));
        assert_eq!(
            (has(Port::Resolver), has(Port::Objects)),
            (resolver.contains(iid), objects.contains(iid))
        );
        for port in [Port::Resolver, Port::Objects] {
            assert!(!Novice::supports(port, &SyntaxId::new(*iid, 1, 0)));
            assert!(!Novice::supports(port, &SyntaxId::new(*iid, 0, 1)));
        }
    }
    let mut m = Machine::default();
    assert_eq!(m.raw(Some("alice"), syntax(Uuid::max()), 0, None, &[]), Err(Status::UNK_IF));
}

#[test]
fn an_oxid_is_resolved() {
    let mut m = Machine::default();
    let (oxid, protseqs) = (m.oxid, vec![7]);
    let asked = ResolveOxidRequest { oxid, protseqs: protseqs.clone() };
    let Response::ResolveOxid2(two) = m.resolver("eve", Request::ResolveOxid2(asked.clone())) else {
        panic!()
    };
    let Response::ResolveOxid(one) = m.resolver("eve", Request::ResolveOxid(asked)) else { panic!() };
    assert_eq!((one.bindings.as_ref(), one.ipid_rem_unknown), (two.bindings.as_ref(), two.ipid_rem_unknown));
    assert_eq!((two.authn_hint, two.com_version.minor, two.status), (6, 7, ErrorStatus::SUCCESS));
    assert_eq!(two.ipid_rem_unknown, m.remote_unknown);
    let bindings = two.bindings.unwrap();
    let strings: Vec<_> =
        bindings.string_bindings().iter().map(|b| (b.tower_id, b.network_address.clone())).collect();
    let expected = ["127.0.0.1[50000]", "192.0.2.7[50000]", "2001:db8::7[50000]", "novice.example[50000]"];
    assert_eq!(strings, expected.map(|text| (7, text.to_owned())));
    let services: Vec<_> = bindings.security_bindings().iter().map(|b| b.authentication_service).collect();
    assert_eq!(services, [9, 10]);
    let asked = ResolveOxidRequest { oxid: oxid ^ 1, protseqs };
    let Response::ResolveOxid(none) = m.resolver("alice", Request::ResolveOxid(asked)) else { panic!() };
    assert_eq!((none.bindings, none.status), (None, ErrorStatus::INVALID_OXID));
}

#[test]
fn an_activation_tells_two_properties_and_no_others() {
    let mut m = Machine::default();
    let made =
        m.activate("alice", wanted(CLSID_RASRV, &[IID_IRASRV, IID_IPCHSERVICE, IID_IUNKNOWN], None)).unwrap();
    let classes: Vec<Uuid> = made.properties.iter().map(Property::clsid).collect();
    assert_eq!(classes, [CLSID_PROPSOUTINFO, CLSID_SCMREPLYINFO]);
    let interfaces = &made.props_out_info().unwrap().interfaces;
    let told: Vec<_> = interfaces.iter().map(|i| (i.iid, HResult(i.hresult))).collect();
    assert_eq!(
        told,
        [
            (IID_IRASRV, HResult::S_OK),
            (IID_IPCHSERVICE, HResult::E_NOINTERFACE),
            (IID_IUNKNOWN, HResult::S_OK)
        ]
    );
    assert_eq!(interfaces[1].pointer, None);
    let (iid, first) = pointer(&interfaces[0].pointer);
    let (_, third) = pointer(&interfaces[2].pointer);
    assert_eq!((iid, first.public_refs, first.flags), (IID_IRASRV, 5, 0));
    assert_eq!((first.oid, first.oxid), (third.oid, m.oxid));
    assert_ne!(first.ipid, third.ipid);
    let reply = &made.scm_reply_info().unwrap().remote_reply.0;
    assert_eq!((reply.oxid, reply.authn_hint, reply.server_version.minor), (m.oxid, 6, 7));
    assert_eq!(reply.oxid_bindings.0.string_bindings()[0].network_address, "127.0.0.1[50000]");
    assert_eq!(m.asked, [Question::MayAsk]);
    let caller = Identity::new("DOM", "alice");
    assert_eq!(m.events, [NoviceEvent::Activated { caller, class: Class::RaSrv }]);
}

#[test]
fn properties_may_stand_in_any_order_beside_unknown_ones() {
    let mut m = Machine::default();
    let usual = wanted(CLSID_RASRV, &[IID_IRASRV], None);
    let mut turned = usual.clone();
    turned.properties.reverse();
    let mut more = usual.clone();
    more.properties.insert(1, Property::Unknown { clsid: Uuid::max(), data: Blob::from(vec![7; 24]) });
    let mut small = usual.clone();
    if let Property::InstantiationInfo(info) = &mut small.properties[1] {
        info.value.this_size = 0;
    }
    for asked in [usual.clone(), turned, more, small] {
        m.object("alice", asked).unwrap();
    }
    for reserved in [0, 1, u32::MAX] {
        let mut objref = CustomObjRef::request(usual.clone());
        objref.reserved = Some(reserved);
        m.activate_with("alice", objref.to_vec().unwrap(), ComVersion::default()).unwrap();
    }
    let mut lacking = usual.clone();
    lacking.properties.remove(1);
    assert_eq!(m.activate("alice", lacking).unwrap_err(), HResult::E_INVALIDARG);
    let with_context = |context: &[u8]| {
        let client_ctx = Some(InterfacePointer { objref: context.to_vec().into() });
        let mut asked = usual.clone();
        asked.properties.push(ActivationContextInfoData { client_ctx, ..Default::default() }.into());
        asked
    };
    assert_eq!(m.activate("alice", with_context(b"WEOM")).unwrap_err(), HResult::RPC_E_INVALID_OBJREF);
    m.activate("alice", with_context(&CustomObjRef::request(usual.clone()).to_vec().unwrap())).unwrap();
    // The properties of an answer ask for nothing.
    let answer = CustomObjRef::reply(usual).to_vec().unwrap();
    let refused = m.activate_with("alice", answer, ComVersion::default());
    assert_eq!(refused.unwrap_err(), HResult::RPC_E_INVALID_OBJREF);
}

#[test]
fn what_is_not_there_cannot_be_activated() {
    let mut m = Machine::default();
    let refused = |m: &mut Machine, asked| m.activate("alice", asked).unwrap_err();
    assert_eq!(refused(&mut m, wanted(Uuid::max(), &[IID_IRASRV], None)), HResult::REGDB_E_CLASSNOTREG);
    assert_eq!(refused(&mut m, wanted(CLSID_RASRV, &[IID_IPCHSERVICE], None)), HResult::E_NOINTERFACE);
    assert_eq!(
        refused(&mut m, wanted(CLSID_RASRV, &[IID_IRASRV], Some(9))),
        HResult::CO_E_RUNAS_LOGON_FAILURE
    );
    let mut flags = wanted(CLSID_RASRV, &[IID_IRASRV], None);
    if let Property::InstantiationInfo(info) = &mut flags.properties[1] {
        info.value.actv_flags = if cfg!(target_pointer_width = "64") { 4 } else { 8 };
    }
    assert_eq!(refused(&mut m, flags), HResult::REGDB_E_CLASSNOTREG);
    let many = vec![IID_IRASRV; 1025];
    assert_eq!(refused(&mut m, wanted(CLSID_RASRV, &many, None)), HResult::E_OUTOFMEMORY);
    let objref = CustomObjRef::request(wanted(CLSID_RASRV, &[IID_IRASRV], None)).to_vec().unwrap();
    for (major, minor, spoken) in
        [(5, 1, true), (5, 6, true), (5, 7, true), (5, 8, false), (4, 7, false), (6, 0, false)]
    {
        let result = m.activate_with("alice", objref.clone(), ComVersion { major, minor });
        assert_eq!(result.err(), (!spoken).then_some(HResult::RPC_E_VERSION_MISMATCH), "{major}.{minor}");
    }
    assert_eq!(
        m.activate("eve", wanted(CLSID_RASRV, &[IID_IRASRV], None)).unwrap_err(),
        HResult::E_ACCESSDENIED
    );
    assert_eq!(m.novice.counts().objects, 3);
    let last = m.events.pop().unwrap();
    let code = HResult::E_ACCESSDENIED.0;
    let caller = Some(Identity::new("DOM", "eve"));
    let interface = IID_IREMOTESCMACTIVATOR;
    assert_eq!(last, NoviceEvent::Refused { caller, interface, opnum: 4, code });
}

fn remote_activation(
    m: &mut Machine,
    who: &str,
    request: RemoteActivationRequest<'static>,
) -> RemoteActivationResponse<'static> {
    let this = OrpcThis { flags: 1, ..OrpcThis::default() };
    let stub = Stub::new((this, request)).to_vec().unwrap();
    let stub = m.raw(Some(who), syntax(IID_IACTIVATION), 0, None, &stub).unwrap();
    let response: Stub<'_, (OrpcThat<'_>, RemoteActivationResponse<'_>)> =
        Stub::decode_strict(&stub).unwrap();
    response.value.1.into_owned()
}

#[test]
fn the_old_activation_works_and_fails_likewise() {
    let mut m = Machine::default();
    let request = RemoteActivationRequest {
        clsid: CLSID_PCHSERVICE,
        iids: Some(vec![IID_IPCHSERVICE, IID_IRASRV]),
        protseqs: vec![7],
        ..Default::default()
    };
    let made = remote_activation(&mut m, "alice", request.clone());
    assert_eq!((made.hr, made.status, made.oxid), (HResult::S_OK, ErrorStatus::SUCCESS, m.oxid));
    assert_eq!(made.results, [HResult::S_OK, HResult::E_NOINTERFACE]);
    assert_eq!((made.authn_hint, made.ipid_rem_unknown), (6, m.remote_unknown));
    assert_eq!((pointer(&made.interfaces[0]).0, &made.interfaces[1]), (IID_IPCHSERVICE, &None));
    let unknown = RemoteActivationRequest { clsid: Uuid::max(), ..request.clone() };
    for (who, request, hr) in
        [("alice", unknown, HResult::REGDB_E_CLASSNOTREG), ("eve", request.clone(), HResult::E_ACCESSDENIED)]
    {
        let refused = remote_activation(&mut m, who, request);
        assert_eq!((refused.hr, refused.results.as_slice()), (hr, [HResult::S_OK; 2].as_slice()));
        assert_eq!(refused.interfaces, [None, None]);
    }
    let factory = RemoteActivationRequest { mode: u32::MAX, iids: Some(vec![ICLASS_FACTORY]), ..request };
    let factory = remote_activation(&mut m, "alice", factory);
    assert_eq!(pointer(&factory.interfaces[0]).0, ICLASS_FACTORY);
}

#[test]
fn a_class_object_makes_objects() {
    let mut m = Machine::default();
    let objref = CustomObjRef::request(wanted(CLSID_RASRV, &[ICLASS_FACTORY], Some(2))).to_vec().unwrap();
    let request =
        RemoteGetClassObjectRequest { act_properties: Some(InterfacePointer { objref: objref.into() }) };
    let Response::RemoteGetClassObject(made) = m.resolver("alice", Request::RemoteGetClassObject(request))
    else {
        panic!()
    };
    let objref = made.act_properties.unwrap().objref;
    let made = CustomObjRef::<ndr_oaut::ActivationProperties<'_>>::decode_strict(&objref).unwrap().value;
    let factory = pointer(&made.props_out_info().unwrap().interfaces[0].pointer).1.ipid;
    let create = |m: &mut Machine, iid: Uuid| {
        let stub = Stub::new((OrpcThis::default(), iid)).to_vec().unwrap();
        let stub = m.raw(Some("alice"), syntax(ICLASS_FACTORY), 3, Some(factory), &stub).unwrap();
        let answer: Stub<'_, (OrpcThat<'_>, Option<InterfacePointer<'_>>, HResult)> =
            Stub::decode_strict(&stub).unwrap();
        (answer.value.1.map(InterfacePointer::into_owned), answer.value.2)
    };
    let (objref, hresult) = create(&mut m, IID_IRASRV);
    assert_eq!(hresult, HResult::S_OK);
    let made = pointer(&objref).1.ipid;
    assert_eq!(create(&mut m, IID_IPCHSERVICE), (None, HResult::E_NOINTERFACE));
    assert_eq!(m.novice.counts().objects, 2);
    let lock = Stub::new((OrpcThis::default(), 1_u32)).to_vec().unwrap();
    assert_eq!(m.raw(Some("alice"), syntax(ICLASS_FACTORY), 4, Some(factory), &lock).unwrap(), [0; 12]);
    // In the session that the class object was asked for.
    let name = GetNoviceUserInfoRequest::default();
    m.call("alice", made, Request::GetNoviceUserInfo(name)).unwrap();
    let Some(Question::Ticket(request)) = m.asked.last() else { panic!() };
    assert_eq!(request.session, SessionChoice::Id(2));
}

#[test]
fn opnums_that_are_not_used_are_out_of_range() {
    let mut m = Machine::default();
    let used: [(Uuid, &[u16]); 6] = [
        (IID_IRASRV, &[5, 6, 7, 8]),
        (IID_IPCHSERVICE, &[5, 6, 19, 20]),
        (IID_IPCHCOLLECTION, &[5, 6, 7, 8, 9]),
        (IID_ISAFSESSION, &[5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        (IID_IENUMVARIANT, &[3, 4, 5, 6]),
        (IID_IUNKNOWN, &[]),
    ];
    let objects = every_object(&mut m);
    for (iid, used) in used {
        for opnum in (0..40).chain([0xFF, 0x7FFF, 0xFFFF]) {
            let stub = Stub::new(OrpcThis::default()).to_vec().unwrap();
            let result = m.raw(Some("alice"), syntax(iid), opnum, Some(objects(iid)), &stub);
            let out_of_range = result == Err(Status(0x1C01_0002));
            assert_eq!(out_of_range, !used.contains(&opnum), "{iid} {opnum} {result:?}");
        }
    }
    for (iid, last) in [(IID_IREMUNKNOWN, 5), (IID_IREMUNKNOWN2, 6)] {
        for opnum in 0..20 {
            let result = m.raw(Some("alice"), syntax(iid), opnum, Some(m.remote_unknown), &[]);
            let used = (3..=last).contains(&opnum);
            assert_eq!(result, Err(if used { Status::BAD_STUB_DATA } else { Status::OP_RNG_ERROR }));
        }
    }
    for (iid, used) in
        [(IID_IOBJECTEXPORTER, 0..=5), (IID_IACTIVATION, 0..=0), (IID_IREMOTESCMACTIVATOR, 3..=4)]
    {
        for opnum in 0..20 {
            let result = m.raw(Some("alice"), syntax(iid), opnum, None, &[]);
            assert_eq!(result == Err(Status::OP_RNG_ERROR), !used.contains(&opnum), "{iid} {opnum}");
        }
    }
}

#[test]
fn session_names_are_told_in_the_form_that_was_asked_for() {
    let mut m = Machine { sessions: odd_sessions(), ..Machine::default() };
    let rasrv = m.rasrv("alice").ipid;
    for levels in [PointerLevels::One, PointerLevels::Two] {
        let given = UserNames::new(levels, &["A\\b:1".parse().unwrap()]);
        let request = GetSessionInfoRequest { user_names: given, count: 3 };
        let Ok(Response::GetSessionInfo(told)) = m.call("alice", rasrv, Request::GetSessionInfo(request))
        else {
            panic!()
        };
        assert_eq!((told.hresult, told.count, told.user_names.levels), (HResult::S_OK, 3, levels));
        let Elements::Bstr(names) = told.user_names.array.unwrap().elements else { panic!() };
        assert_eq!(names, [Some(Bstr::new("DOM\\ann:1")), None, Some(Bstr::new("D\u{d6}M\\a:b:5"))]);
    }
    m.sessions.clear();
    let request = Request::GetSessionInfo(GetSessionInfoRequest::default());
    let Ok(Response::GetSessionInfo(told)) = m.call("alice", rasrv, request.clone()) else { panic!() };
    assert_eq!((told.hresult, told.count, told.user_names.array), (HResult::S_OK, 0, None));
    m.sessions = (0..4097).map(|id| Session::active("D", "u", id)).collect();
    let Ok(Response::GetSessionInfo(told)) = m.call("alice", rasrv, request.clone()) else { panic!() };
    assert_eq!((told.hresult, told.count, told.user_names.array), (HResult::E_OUTOFMEMORY, 0, None));
    m.helpers.clear();
    let Ok(Response::GetSessionInfo(told)) = m.call("alice", rasrv, request) else { panic!() };
    assert_eq!(told.hresult, HResult::E_ACCESSDENIED);
}

#[test]
fn a_ticket_is_for_the_session_of_the_activation() {
    let mut m = Machine::default();
    for (session, choice) in [(None, SessionChoice::Any), (Some(2), SessionChoice::Id(2))] {
        let rasrv = m.object("alice", wanted(CLSID_RASRV, &[IID_IRASRV], session)).unwrap().ipid;
        let name = Some(SecretWideString::new("whatever"));
        let request = Request::GetNoviceUserInfo(GetNoviceUserInfoRequest { name });
        let Ok(Response::GetNoviceUserInfo(told)) = m.call("alice", rasrv, request) else { panic!() };
        assert_eq!(told.hresult, HResult::S_OK);
        assert_eq!(told.name, Some(SecretWideString::new(&format!("{TICKET}{}", m.tickets))));
        let caller = Identity::new("DOM", "alice");
        let form = TicketForm::ConnectionString2;
        let request =
            TicketRequest { caller: caller.clone(), session: choice, user: None, form, help_blob: None };
        assert_eq!(m.asked.last(), Some(&Question::Ticket(request)));
        let given = NoviceEvent::TicketGiven { caller, session: choice, user: None, form };
        assert_eq!(m.events.last(), Some(&given));
    }
    let mut console = wanted(CLSID_RASRV, &[IID_IRASRV], Some(77));
    if let Property::SpecialProperties(special) = &mut console.properties[0] {
        special.value.flags = SpecialPropertiesData::USE_CONSOLE_SESSION;
    }
    let rasrv = m.object("alice", console).unwrap().ipid;
    m.refusal = Some(Refusal::AlreadyRunning);
    let request = Request::GetNoviceUserInfo(GetNoviceUserInfoRequest::default());
    let Ok(Response::GetNoviceUserInfo(told)) = m.call("alice", rasrv, request) else { panic!() };
    assert_eq!((told.name, told.hresult), (None, HResult::ERROR_CANNOT_MAKE));
    let Some(Question::Ticket(asked)) = m.asked.last() else { panic!() };
    assert_eq!(asked.session, SessionChoice::Console);
    assert!(!format!("{:?} {:?} {:?}", m.events, m.asked, m.novice).contains(TICKET));
}

fn parms(
    m: &mut Machine,
    pch: Uuid,
    request: RemoteConnectionParmsRequest<'static>,
) -> RemoteConnectionParmsResponse<'static> {
    let request = Request::RemoteConnectionParms(request);
    let Ok(Response::RemoteConnectionParms(told)) = m.call("alice", pch, request) else { panic!() };
    told
}

#[test]
fn connection_parameters_are_for_a_user_in_a_session() {
    let mut m = Machine::default();
    let pch = m.pch("alice").ipid;
    let request = RemoteConnectionParmsRequest::new("ann", "DOM", 1, "EX\\expert");
    let told = parms(&mut m, pch, request.clone());
    assert_eq!(told.hresult, HResult::S_OK);
    assert_eq!(told.connection_string, Some(SecretBstr::new(&format!("{TICKET}1"))));
    let Some(Question::Ticket(asked)) = m.asked.pop() else { panic!() };
    assert_eq!((asked.session, asked.form), (SessionChoice::Id(1), TicketForm::ConnectionString1));
    assert_eq!(asked.user, Some(Identity::new("dom", "ANN")));
    assert_eq!(asked.help_blob.as_deref(), Some("13;UNSOLICITED=112;ID=EX\\expert"));
    let broken = Bstr { text: Some(remassist_core::Utf16Le::from(&[0x00_u8, 0xD8][..])) };
    for (change, hresult) in [
        (RemoteConnectionParmsRequest { user_name: None, ..request.clone() }, HResult::ERROR_NONE_MAPPED),
        (
            RemoteConnectionParmsRequest { domain_name: Some(Bstr::NULL), ..request.clone() },
            HResult::ERROR_NONE_MAPPED,
        ),
        (
            RemoteConnectionParmsRequest { user_name: Some(broken), ..request.clone() },
            HResult::ERROR_NONE_MAPPED,
        ),
        (RemoteConnectionParmsRequest { session_id: -1, ..request.clone() }, HResult::ERROR_NONE_MAPPED),
        (RemoteConnectionParmsRequest { user_help_blob: None, ..request.clone() }, HResult::S_OK),
    ] {
        assert_eq!(parms(&mut m, pch, change).hresult, hresult);
    }
    for (refusal, hresult) in [
        (Refusal::AccessDenied, 0x8007_0005),
        (Refusal::Policy, 0x8007_04EC),
        (Refusal::AlreadyRunning, 0x8007_0052),
        (Refusal::UnknownUser, 0x8007_0534),
        (Refusal::OutOfMemory, 0x8007_000E),
        (Refusal::Failed, 0x8000_4005),
    ] {
        m.refusal = Some(refusal);
        let told = parms(&mut m, pch, request.clone());
        assert_eq!((told.hresult, told.connection_string), (HResult(hresult), Some(SecretBstr::NULL)));
    }
}

fn next(m: &mut Machine, ipid: Uuid, count: u32) -> (u32, u32, Vec<u64>, HResult) {
    let stub = Stub::new((OrpcThis::default(), count)).to_vec().unwrap();
    let stub = m.raw(Some("alice"), syntax(IID_IENUMVARIANT), 3, Some(ipid), &stub).unwrap();
    type Next<'a> = (OrpcThat<'a>, Varying<Option<Variant<'a>>>, u32, HResult);
    let answer: Stub<'_, Next<'_>> = Stub::decode_strict(&stub).unwrap();
    let (_, array, fetched, hresult) = answer.value;
    let oid = |variant: &Option<Variant<'_>>| match variant {
        Some(Variant::Dispatch(objref)) => pointer(objref).1.oid,
        other => panic!("{other:?}"),
    };
    (array.max_count, fetched, array.elements.iter().map(oid).collect(), hresult)
}

#[test]
fn a_collection_is_enumerated() {
    let mut m = Machine { sessions: odd_sessions(), ..Machine::default() };
    let pch = m.pch("alice").ipid;
    let collection = collection(&mut m, pch);
    let count = Request::Count(NoParameters::default());
    let Ok(Response::Count(told)) = m.call("alice", collection, count) else { panic!() };
    assert_eq!((told.count, told.hresult), (5, HResult::S_OK));
    let oids: Vec<u64> = (1..=5).map(|index| item(&mut m, collection, index).1).collect();
    assert_eq!(item(&mut m, collection, 2).1, oids[1]);
    for index in [0, 6, -1, i32::MIN, i32::MAX] {
        let Ok(Response::Item(told)) = m.call("alice", collection, Request::Item(ItemRequest { index }))
        else {
            panic!()
        };
        assert_eq!((told.hresult, told.entry), (HResult::E_INVALIDARG, Some(Variant::Empty)));
    }
    let all = enumeration(&mut m, collection);
    assert_eq!(next(&mut m, all, 2), (2, 2, oids[..2].to_vec(), HResult::S_OK));
    let simple = |m: &mut Machine, opnum, parameter: Option<u32>| {
        let stub = match parameter {
            Some(count) => Stub::new((OrpcThis::default(), count)).to_vec().unwrap(),
            None => Stub::new(OrpcThis::default()).to_vec().unwrap(),
        };
        m.raw(Some("alice"), syntax(IID_IENUMVARIANT), opnum, Some(all), &stub).unwrap()
    };
    assert_eq!(simple(&mut m, 4, Some(1)), [0; 12]);
    let stub = simple(&mut m, 6, None);
    let clone: Stub<'_, (OrpcThat<'_>, Option<InterfacePointer<'_>>, HResult)> =
        Stub::decode_strict(&stub).unwrap();
    let clone = pointer(&clone.value.1).1.ipid;
    assert_eq!(next(&mut m, all, 7), (7, 2, oids[3..].to_vec(), HResult::S_FALSE));
    assert_eq!(next(&mut m, all, 1), (1, 0, vec![], HResult::S_FALSE));
    assert_eq!(next(&mut m, clone, 1), (1, 1, vec![oids[3]], HResult::S_OK));
    assert_eq!(next(&mut m, clone, 0).3, HResult::E_INVALIDARG);
    assert_eq!(simple(&mut m, 5, None), [0; 12]);
    assert_eq!(next(&mut m, all, 1), (1, 1, vec![oids[0]], HResult::S_OK));
    assert_eq!(simple(&mut m, 4, Some(u32::MAX))[8..], [1, 0, 0, 0]);
    assert_eq!(next(&mut m, all, 1).1, 0);
}

#[test]
fn setters_change_the_object_and_not_the_session() {
    let mut m = Machine { sessions: odd_sessions(), ..Machine::default() };
    let pch = m.pch("alice").ipid;
    let collection = collection(&mut m, pch);
    let (ipid, _) = item(&mut m, collection, 3);
    let session = query(&mut m, ipid, IID_ISAFSESSION);
    let get = |m: &mut Machine| {
        let mut ask = |request| m.call("alice", session, request).unwrap();
        let none = NoParameters::default();
        let Response::GetSessionId(id) = ask(Request::GetSessionId(none)) else { panic!() };
        let Response::GetSessionState(state) = ask(Request::GetSessionState(none)) else { panic!() };
        let Response::GetDomainName(domain) = ask(Request::GetDomainName(none)) else { panic!() };
        let Response::GetUserName(user) = ask(Request::GetUserName(none)) else { panic!() };
        (id.session_id, state.state.0, domain.domain_name.unwrap(), user.user_name.unwrap())
    };
    assert_eq!(get(&mut m), (3, 1, Bstr::NULL, Bstr::new("nobody")));
    let set = |m: &mut Machine, request| match m.call("alice", session, request).unwrap() {
        Response::SetSessionId(r)
        | Response::SetSessionState(r)
        | Response::SetDomainName(r)
        | Response::SetUserName(r) => r.hresult,
        other => panic!("{other:?}"),
    };
    let state = |state, wide| {
        Request::SetSessionState(SetSessionStateRequest { state: SessionStateEnum(state), wide })
    };
    assert_eq!(
        set(&mut m, Request::SetSessionId(SetSessionIdRequest { session_id: u32::MAX })),
        HResult::S_OK
    );
    assert_eq!(set(&mut m, state(10, false)), HResult::S_OK);
    assert_eq!(set(&mut m, state(11, false)), HResult::E_INVALIDARG);
    assert_eq!(set(&mut m, state(9, true)), HResult::S_OK);
    let unpaired = Bstr { text: Some(remassist_core::Utf16Le::from(&[0x00_u8, 0xD8][..])) };
    let domain_name = Some(unpaired.clone());
    assert_eq!(set(&mut m, Request::SetDomainName(SetDomainNameRequest { domain_name })), HResult::S_OK);
    assert_eq!(set(&mut m, Request::SetUserName(SetUserNameRequest { user_name: None })), HResult::S_OK);
    assert_eq!(get(&mut m), (u32::MAX, 9, unpaired.clone(), Bstr::NULL));
    let user_name = Some(Bstr::new(&"x".repeat(513)));
    assert_eq!(set(&mut m, Request::SetUserName(SetUserNameRequest { user_name })), HResult::E_OUTOFMEMORY);
    // The same element is the same object; a new collection has new ones.
    assert_eq!(item(&mut m, collection, 3).0, ipid);
    assert_eq!(get(&mut m).0, u32::MAX);
    let again = self::collection(&mut m, pch);
    let other = item(&mut m, again, 3).0;
    let other = query(&mut m, other, IID_ISAFSESSION);
    let Ok(Response::GetSessionId(told)) =
        m.call("alice", other, Request::GetSessionId(NoParameters::default()))
    else {
        panic!()
    };
    assert_eq!(told.session_id, 3);
}

#[test]
fn headers_of_calls_are_looked_at() {
    let mut m = Machine::default();
    let rasrv = m.rasrv("alice").ipid;
    let this = OrpcThis::default();
    let version = |major, minor| OrpcThis { version: ComVersion { major, minor }, ..this.clone() };
    for (this, status) in [
        (version(5, 8), HResult::RPC_E_VERSION_MISMATCH),
        (version(4, 1), HResult::RPC_E_VERSION_MISMATCH),
        (OrpcThis { flags: 1, ..this.clone() }, HResult::RPC_E_INVALID_HEADER),
    ] {
        let stub = Stub::new((this, GetNoviceUserInfoRequest::default())).to_vec().unwrap();
        let result = m.raw(Some("alice"), syntax(IID_IRASRV), 7, Some(rasrv), &stub);
        assert_eq!(result, Err(Status(status.0)));
    }
    let mut stub = Stub::new((version(5, 1), GetNoviceUserInfoRequest::default())).to_vec().unwrap();
    // A verification trailer, say.
    stub.extend([0xAA; 40]);
    m.raw(Some("alice"), syntax(IID_IRASRV), 7, Some(rasrv), &stub).unwrap();
    for object in [None, Some(Uuid::nil()), Some(Uuid::max()), Some(m.remote_unknown)] {
        let result = m.raw(Some("alice"), syntax(IID_IRASRV), 7, object, &stub);
        assert_eq!(result, Err(Status(HResult::RPC_E_INVALID_IPID.0)));
    }
    // An IPID is one interface.
    let result = m.raw(Some("alice"), syntax(IID_IDISPATCH), 5, Some(rasrv), &stub);
    assert_eq!(result, Err(Status(HResult::RPC_E_INVALID_IPID.0)));
    let refs = Request::RemAddRef(references(rasrv, 1, 0));
    assert_eq!(m.call("alice", rasrv, refs), Err(Status(HResult::RPC_E_INVALID_IPID.0)));
}
