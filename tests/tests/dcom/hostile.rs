//! Novices that are old, broken, or mean no good.

use ndr_oaut::{
    Bstr, Elements, ObjRefBody, OrpcExtent, OrpcExtentArray, OrpcThat, SafeArray, StdObjRef, VarType, Variant,
};
use ra_dcom::calls::*;
use ra_dcom::expert::{DcomOptions, ExpertError, Interfaces, Machine, RaSrv, Told};
use ra_dcom::{ErrorStatus, HResult};
use remassist_core::{Secret, Utf16Le};
use rpc_net::{ConnectOptions, Status};
use tokio::time::timeout;
use uuid::Uuid;

use crate::pair::LIMIT;
use crate::scripted::{
    OXID, REM_UNKNOWN, Reply, Script, Scripted, custom, item, pointer, requested, standard, std, ticket,
};

/// What no specification knows.
const FAULT: Status = Status(0x1234_5678);

/// What an expert that asks IRASrv alone gets as error.
async fn refused(script: Script) -> ExpertError {
    let novice = script.serve().await;
    let expert = novice.expert().await.with_interfaces(Interfaces::RaSrv);
    timeout(LIMIT, expert.sessions()).await.unwrap().unwrap_err()
}

/// What an expert that asks IPCHService alone gets as error.
async fn refused_old(script: Script) -> ExpertError {
    let novice = script.serve().await;
    let expert = novice.expert().await.with_interfaces(Interfaces::PchService).with_max_sessions(10);
    timeout(LIMIT, expert.sessions()).await.unwrap().unwrap_err()
}

/// Answers activations with this reference.
fn activating(
    body: impl Fn(Uuid) -> Option<ndr_oaut::InterfacePointer<'static>> + Send + Sync + 'static,
) -> Script {
    Script::new().on(Method::RemoteCreateInstance, move |request, usual| {
        let iid = requested(request);
        usual.activated(iid, body(iid), HResult::S_OK)
    })
}

fn failed(hresult: HResult) -> Reply {
    Ok(Response::RemoteCreateInstance(ActivationResponse { act_properties: None, hresult }))
}

async fn until_released(novice: &Scripted, refs: u64) {
    let released = async {
        while novice.released() != refs {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(LIMIT, released).await.is_ok(), "{} references instead of {refs}", novice.released());
}

#[tokio::test]
async fn usual_answers_are_understood() {
    let novice = Script::new().serve().await;
    let expert = novice.expert().await;
    let sessions = expert.sessions().await.unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(expert.ticket(&sessions[0], "x").await.unwrap().expose(), "ticket");
    until_released(&novice, 10).await;
    let old = expert.with_interfaces(Interfaces::PchService);
    let sessions = old.sessions().await.unwrap();
    assert_eq!((sessions.len(), sessions[0].id), (2, 7));
    assert_eq!(old.ticket(&sessions[0], "x").await.unwrap().expose(), "old ticket");
    until_released(&novice, 35).await;
}

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    for (bindings, tried) in [
        (vec![], 0),
        (vec!["127.0.0.1[1]"], 1),
        (vec!["127.0.0.1[1]", "127.0.0.1[x]", "[1]", "127.0.0.1[0]"], 1),
    ] {
        let error = refused(Script::new().bindings(&bindings)).await;
        assert_eq!(error, ExpertError::Unreachable { tried }, "{bindings:?}");
        assert!(!error.is_final());
    }
    // A list without end is not tried to its end.
    let many: Vec<_> =
        (1..=1000).map(|number| format!("127.0.0.{}[{}]", number % 200, 1 + number / 200)).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let error = refused(Script::new().bindings(&many)).await;
    assert!(matches!(error, ExpertError::Unreachable { tried: 32..=64 }), "{error:?}");
}

#[tokio::test]
async fn addresses_of_others_are_tried_where_the_known_one_fails() {
    for bindings in [
        vec!["127.0.0.1[1]", "127.0.0.1[PORT]"],
        vec!["no such host.invalid[PORT]"],
        vec!["127.0.0.1"],
        vec!["::1[PORT]"],
    ] {
        let novice = Script::new().bindings(&bindings).serve().await;
        let sessions = timeout(LIMIT, novice.expert().await.sessions()).await.unwrap();
        assert_eq!(sessions.unwrap().len(), 2, "{bindings:?}");
    }
}

#[tokio::test]
async fn references_that_are_none() {
    let create = Method::RemoteCreateInstance;
    let wrong = |rule| ExpertError::Protocol { call: create, rule };
    assert_eq!(refused(activating(|_| None)).await, wrong("there is no object"));
    assert_eq!(refused(activating(|iid| Some(custom(iid)))).await, wrong("an object is marshaled by itself"));
    let garbage = ndr_oaut::InterfacePointer { objref: vec![0x4D; 30].into() };
    let error = refused(activating(move |_| Some(garbage.clone()))).await;
    assert!(matches!(error, ExpertError::Answer { call, .. } if call == create), "{error:?}");
    let unknown = StdObjRef { oxid: 0x9999, ..std() };
    let error = refused(activating(move |iid| Some(standard(iid, unknown)))).await;
    let status = ErrorStatus::INVALID_OXID;
    assert_eq!(error, ExpertError::Resolver { call: Method::ResolveOxid2, status });
    // No properties, the wrong ones, and a failure inside.
    let none = |_: &Request<'static>, _: &crate::scripted::Usual| failed(HResult::S_OK);
    assert_eq!(refused(Script::new().on(create, none)).await, wrong("there are no properties"));
    let other = Script::new().on(create, |_, usual| {
        usual.activated(Uuid::max(), Some(standard(Uuid::max(), std())), HResult::S_OK)
    });
    assert_eq!(refused(other).await, wrong("nothing about the interface asked for"));
    let inside = Script::new()
        .on(create, |request, usual| usual.activated(requested(request), None, HResult::E_NOINTERFACE));
    assert_eq!(refused(inside).await, ExpertError::Call { call: create, hresult: HResult::E_NOINTERFACE });
}

#[tokio::test]
async fn references_to_another_exporter_are_resolved() {
    let novice = activating(|iid| Some(standard(iid, StdObjRef { oxid: OXID + 1, ..std() })))
        .on(Method::ResolveOxid2, |_, usual| {
            Ok(Response::ResolveOxid2(ResolveOxid2Response {
                bindings: Some(usual.bindings()),
                ipid_rem_unknown: REM_UNKNOWN,
                authn_hint: 1,
                com_version: usual.version,
                status: ErrorStatus::SUCCESS,
            }))
        })
        .serve()
        .await;
    assert_eq!(novice.expert().await.sessions().await.unwrap().len(), 2);
}

#[tokio::test]
async fn handlers_and_extended_references_are_objects() {
    let resolver = || ndr_oaut::DualStringArray::new(&[], &[]);
    let handler =
        move |iid| pointer(iid, ObjRefBody::Handler { std: std(), clsid: Uuid::max(), resolver: resolver() });
    let novice = activating(move |iid| Some(handler(iid))).serve().await;
    assert_eq!(novice.expert().await.sessions().await.unwrap().len(), 2);
    // The interface that was not asked for is asked for.
    let novice = activating(|_| Some(standard(Uuid::max(), std()))).serve().await;
    assert_eq!(novice.expert().await.sessions().await.unwrap().len(), 2);
    assert!(novice.called().contains(&Method::RemQueryInterface));
}

#[tokio::test]
async fn any_number_of_references_is_given_back() {
    for (public_refs, back) in [(0, 1), (1, 1), (u32::MAX, u64::from(u32::MAX))] {
        let novice =
            activating(move |iid| Some(standard(iid, StdObjRef { public_refs, ..std() }))).serve().await;
        assert_eq!(novice.expert().await.sessions().await.unwrap().len(), 2);
        until_released(&novice, back).await;
        assert_eq!(novice.called().contains(&Method::RemAddRef), public_refs == 0);
    }
    let call = Method::RemAddRef;
    for results in [vec![], vec![HResult::E_FAIL]] {
        let script = activating(|iid| Some(standard(iid, StdObjRef { public_refs: 0, ..std() })));
        let script = script.on(call, move |_, _| {
            let results = results.clone();
            Ok(Response::RemAddRef(RemAddRefResponse { results, hresult: HResult::S_OK }))
        });
        assert_eq!(refused(script).await, ExpertError::Call { call, hresult: HResult::E_FAIL });
    }
}

fn counting(count: i32) -> Script {
    Script::new()
        .on(Method::Count, move |_, _| Ok(Response::Count(CountResponse { count, hresult: HResult::S_OK })))
}

#[tokio::test]
async fn counts_without_end_and_below_zero() {
    let novice = counting(i32::MAX).serve().await;
    let expert = novice.expert().await.with_interfaces(Interfaces::PchService).with_max_sessions(10);
    assert_eq!(expert.sessions().await.unwrap().len(), 10);
    assert_eq!(novice.called().iter().filter(|method| **method == Method::Item).count(), 10);
    let novice = counting(0).serve().await;
    let expert = novice.expert().await.with_interfaces(Interfaces::PchService);
    assert_eq!(expert.sessions().await.unwrap(), []);
    for count in [-1, i32::MIN] {
        let wrong = ExpertError::Protocol { call: Method::Count, rule: "a negative number of elements" };
        assert_eq!(refused_old(counting(count)).await, wrong);
    }
}

#[tokio::test]
async fn elements_that_fail_or_are_no_objects() {
    let call = Method::Item;
    let hresult = HResult::E_FAIL;
    let second = |answer: fn() -> Reply| {
        counting(5).on(call, move |request, _| match request {
            Request::Item(ItemRequest { index: 2 }) => answer(),
            _ => Ok(item(Some(standard(IID_ISAFSESSION, std())))),
        })
    };
    let failing = second(|| Ok(Response::Item(ItemResponse { entry: None, hresult: HResult::E_FAIL })));
    let novice = failing.serve().await;
    let expert = novice.expert().await.with_interfaces(Interfaces::PchService);
    assert_eq!(expert.sessions().await.unwrap_err(), ExpertError::Call { call, hresult });
    // Service, collection and the first element.
    until_released(&novice, 15).await;
    assert_eq!(
        refused_old(second(|| Err(FAULT))).await,
        ExpertError::Rpc { call, error: rpc_net::Error::Fault(FAULT) }
    );
    let wrong = |rule| ExpertError::Protocol { call, rule };
    let null = second(|| Ok(item(None)));
    assert_eq!(refused_old(null).await, wrong("there is no object"));
    let number =
        second(|| Ok(Response::Item(ItemResponse { entry: Some(Variant::Null), hresult: HResult::S_OK })));
    assert_eq!(refused_old(number).await, wrong("an element that is no object"));
    let nothing = second(|| Ok(Response::Item(ItemResponse { entry: None, hresult: HResult::S_OK })));
    assert_eq!(refused_old(nothing).await, wrong("an element that is no object"));
    let itself = second(|| Ok(item(Some(custom(IID_ISAFSESSION)))));
    assert_eq!(refused_old(itself).await, wrong("an object is marshaled by itself"));
}

#[tokio::test]
async fn old_machines_are_asked_in_the_old_way() {
    let missing = |script: Script| script.on(Method::ServerAlive2, |_, _| Err(Status::OP_RNG_ERROR));
    for script in [
        Script::new().version(5, 1),
        missing(Script::new()),
        missing(Script::new()).without(IID_IREMOTESCMACTIVATOR),
        Script::new().without(IID_IREMOTESCMACTIVATOR),
        Script::new().on(Method::RemoteCreateInstance, |_, _| Err(Status::OP_RNG_ERROR)),
    ] {
        let novice = script.serve().await;
        assert_eq!(novice.expert().await.sessions().await.unwrap().len(), 2);
        assert!(novice.called().contains(&Method::RemoteActivation));
    }
    // Newer ones are spoken to as what is known.
    let novice = Script::new().version(5, 9).serve().await;
    let expert = novice.expert().await;
    assert_eq!((expert.machine().version().minor, expert.sessions().await.unwrap().len()), (7, 2));
    for (major, minor) in [(4, 9), (6, 0)] {
        let novice = Script::new().version(major, minor).serve().await;
        assert_eq!(novice.connect().await.unwrap_err(), ExpertError::Version);
    }
}

#[tokio::test]
async fn an_old_machine_may_refuse_too() {
    let call = Method::RemoteActivation;
    let answer = |hr, interfaces: Vec<Option<ndr_oaut::InterfacePointer<'static>>>, results, status| {
        move |_: &Request<'static>, usual: &crate::scripted::Usual| {
            Ok(Response::RemoteActivation(RemoteActivationResponse {
                oxid: OXID,
                bindings: Some(usual.bindings()),
                ipid_rem_unknown: REM_UNKNOWN,
                authn_hint: 0,
                server_version: usual.version,
                hr,
                interfaces: interfaces.clone(),
                results: Vec::clone(&results),
                status,
            }))
        }
    };
    let (ok, fine) = (HResult::S_OK, ErrorStatus::SUCCESS);
    let old = || Script::new().version(5, 1);
    let hresult = HResult::REGDB_E_CLASSNOTREG;
    let error = refused(old().on(call, answer(hresult, vec![None], vec![ok], fine))).await;
    assert_eq!(error, ExpertError::Call { call, hresult });
    let error = refused(old().on(call, answer(ok, vec![None], vec![HResult::E_NOINTERFACE], fine))).await;
    assert_eq!(error, ExpertError::Call { call, hresult: HResult::E_NOINTERFACE });
    let status = ErrorStatus::OUTOFMEMORY;
    let error = refused(old().on(call, answer(ok, vec![None], vec![ok], status))).await;
    assert_eq!(error, ExpertError::Resolver { call, status });
    let error = refused(old().on(call, answer(ok, vec![], vec![], fine))).await;
    assert_eq!(error, ExpertError::Protocol { call, rule: "not one result for one interface" });
    let error = refused(old().on(call, answer(ok, vec![None], vec![ok], fine))).await;
    assert_eq!(error, ExpertError::Protocol { call, rule: "there is no object" });
}

#[tokio::test]
async fn the_other_class_is_asked_unless_that_cannot_help() {
    let ra_srv = |hresult| {
        Script::new().on(Method::RemoteCreateInstance, move |request, usual| {
            let iid = requested(request);
            if iid == IID_IRASRV {
                failed(hresult)
            } else {
                usual.activated(iid, Some(standard(iid, std())), HResult::S_OK)
            }
        })
    };
    for hresult in [HResult::REGDB_E_CLASSNOTREG, HResult::E_NOINTERFACE, HResult::E_FAIL] {
        let novice = ra_srv(hresult).serve().await;
        let sessions = novice.expert().await.sessions().await.unwrap();
        assert!(sessions.len() == 2 && sessions.iter().all(|session| session.told == Told::PchService));
    }
    for hresult in
        [HResult::E_ACCESSDENIED, HResult::ERROR_ACCESS_DISABLED_BY_POLICY, HResult::ERROR_CANNOT_MAKE]
    {
        let novice = ra_srv(hresult).serve().await;
        let error = novice.expert().await.sessions().await.unwrap_err();
        assert_eq!(error, ExpertError::Call { call: Method::RemoteCreateInstance, hresult });
        assert!(error.is_final());
        assert_eq!(novice.called(), [Method::ServerAlive2, Method::RemoteCreateInstance]);
    }
    // The class is there and fails.
    let novice = Script::new().on(Method::GetSessionInfo, |request, _| {
        let Request::GetSessionInfo(request) = request else { unreachable!() };
        let answer = GetSessionInfoResponse::new(request, &[]);
        Ok(Response::GetSessionInfo(GetSessionInfoResponse { hresult: HResult::E_OUTOFMEMORY, ..answer }))
    });
    let novice = novice.serve().await;
    let sessions = novice.expert().await.sessions().await.unwrap();
    assert!(sessions.iter().all(|session| session.told == Told::PchService));
    // Both fail: the first one says why.
    let neither = Script::new().on(Method::RemoteCreateInstance, |request, _| {
        failed(if requested(request) == IID_IRASRV { HResult::REGDB_E_CLASSNOTREG } else { HResult::E_FAIL })
    });
    let error = neither.serve().await.expert().await.sessions().await.unwrap_err();
    let (call, hresult) = (Method::RemoteCreateInstance, HResult::REGDB_E_CLASSNOTREG);
    assert_eq!(error, ExpertError::Call { call, hresult });
}

fn telling(elements: impl Fn() -> SafeArray<'static> + Send + Sync + 'static) -> Script {
    Script::new().on(Method::GetSessionInfo, move |_, _| {
        let user_names = UserNames { levels: PointerLevels::Two, array: Some(Box::new(elements())) };
        Ok(Response::GetSessionInfo(GetSessionInfoResponse { user_names, count: -5, hresult: HResult::S_OK }))
    })
}

#[tokio::test]
async fn names_of_sessions_that_are_none() {
    let novice = telling(|| {
        let text = |text: &str| Some(Bstr::new(text));
        let lone: &[u8] = &[b'D', 0, b'\\', 0, 0, 0xD8, b':', 0, b'1', 0];
        let lone = Bstr { text: Some(Utf16Le::from(lone)) };
        let names = vec![
            None,
            text(""),
            text(":"),
            text("D\\u"),
            text("D\\u:"),
            text("D\\u:-1"),
            text("D\\u:4294967296"),
            text("\\u:1"),
            text("D\\:2"),
            text("u:3"),
            Some(Bstr::NULL),
            Some(lone),
            text("D\\u:v:4294967295"),
        ];
        SafeArray::new(VarType::BSTR, Elements::Bstr(names))
    });
    let novice = novice.serve().await;
    let sessions = novice.expert().await.sessions().await.unwrap();
    let [session] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!((session.domain.as_str(), session.user.as_str(), session.id), ("D", "u:v", u32::MAX));
    let novice = telling(|| SafeArray::new(VarType::I4, Elements::I4(vec![1, 2]))).serve().await;
    assert_eq!(novice.expert().await.sessions().await.unwrap(), []);
    // More than anybody can want.
    let novice = telling(|| {
        let names = (0..3000).map(|id| Some(Bstr::new(&format!("D\\u:{id}")))).collect();
        SafeArray::new(VarType::BSTR, Elements::Bstr(names))
    });
    let novice = novice.serve().await;
    assert_eq!(novice.expert().await.with_max_sessions(7).sessions().await.unwrap().len(), 7);
}

#[tokio::test]
async fn tickets_that_are_none() {
    let wide = |bytes: &'static [u8]| {
        let name = Some(SecretWideString(Secret::new(Utf16Le::from(bytes))));
        Response::GetNoviceUserInfo(GetNoviceUserInfoResponse { name, hresult: HResult::S_OK })
    };
    let call = Method::GetNoviceUserInfo;
    for (answer, rule) in [
        (ticket(None), "there is no ticket"),
        (ticket(Some("")), "the ticket is empty"),
        (ticket(Some("\0after")), "the ticket is empty"),
        (wide(&[0, 0xDC, b'a', 0, 0, 0]), "the ticket is not well-formed text"),
    ] {
        let novice = Script::new().on(call, move |_, _| Ok(answer.clone())).serve().await;
        let object = RaSrv::activate(novice.expert().await.machine(), Some(1)).await.unwrap();
        let error = object.get_novice_user_info().await.unwrap_err();
        assert_eq!(error, ExpertError::Protocol { call, rule });
    }
    let novice = Script::new().on(call, |_, _| Ok(ticket(Some("whole\0rest")))).serve().await;
    let object = RaSrv::activate(novice.expert().await.machine(), Some(1)).await.unwrap();
    assert_eq!(object.get_novice_user_info().await.unwrap().expose(), "whole");
    let call = Method::RemoteConnectionParms;
    for (connection_string, rule) in [
        (None, "there is no ticket"),
        (Some(SecretBstr::NULL), "there is no ticket"),
        (Some(SecretBstr::new("")), "the ticket is empty"),
    ] {
        let novice = Script::new().on(call, move |_, _| {
            let connection_string = connection_string.clone();
            let hresult = HResult::S_OK;
            Ok(Response::RemoteConnectionParms(RemoteConnectionParmsResponse { connection_string, hresult }))
        });
        let novice = novice.serve().await;
        let expert = novice.expert().await.with_interfaces(Interfaces::PchService);
        let session = expert.sessions().await.unwrap().remove(0);
        let error = expert.ticket(&session, "x").await.unwrap_err();
        assert_eq!(error, ExpertError::Protocol { call, rule });
    }
}

#[tokio::test]
async fn extensions_of_answers_are_passed_over() {
    let extent = OrpcExtent { id: Uuid::max(), data: vec![1; 13].into() };
    let that = OrpcThat { flags: 0, extensions: Some(OrpcExtentArray::new(vec![extent.clone(), extent])) };
    let novice = Script::new().with_that(that).serve().await;
    let expert = novice.expert().await;
    assert_eq!(expert.sessions().await.unwrap().len(), 2);
    assert_eq!(expert.with_interfaces(Interfaces::PchService).sessions().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_resolver_that_refuses_or_talks_nonsense() {
    let call = Method::ServerAlive2;
    let status = ErrorStatus(5);
    let script = Script::new().on(call, move |_, usual| {
        let com_version = usual.version;
        Ok(Response::ServerAlive2(ServerAlive2Response { com_version, bindings: None, reserved: 0, status }))
    });
    assert_eq!(script.serve().await.connect().await.unwrap_err(), ExpertError::Resolver { call, status });
    let error = Script::new().without(IID_IOBJECTEXPORTER).serve().await.connect().await.unwrap_err();
    assert!(matches!(error, ExpertError::Rpc { call: Method::ServerAlive2, .. }), "{error:?}");
}

/// Without an account nothing could be sealed.
#[tokio::test]
async fn nobody_asks_nothing() {
    let novice = Script::new().serve().await;
    let mut options = DcomOptions::new(ConnectOptions::default());
    options.port = novice.options().port;
    let error = Machine::connect("127.0.0.1", options).await.unwrap_err();
    let missing = rpc_net::Error::Security(rpc_net::SecurityCode::NO_CREDENTIALS);
    assert_eq!(error, ExpertError::Connecting(missing));
    assert_eq!(novice.called(), []);
}

/// The pings that a machine has got, as set, objects added and objects taken out.
fn pings(novice: &Scripted) -> Vec<(u64, Vec<u64>, Vec<u64>)> {
    let calls = novice.script.calls.lock().unwrap();
    let pings = calls.iter().filter_map(|call| match call {
        Request::ComplexPing(ping) => Some((
            ping.set_id,
            ping.add_to_set.clone().unwrap_or_default(),
            ping.del_from_set.clone().unwrap_or_default(),
        )),
        _ => None,
    });
    pings.collect()
}

#[tokio::test]
async fn a_ping_set_that_is_lost_is_made_anew() {
    for status in [ErrorStatus::INVALID_SET, ErrorStatus::INVALID_OID] {
        let script = Script::new();
        let novice = match status {
            ErrorStatus::INVALID_SET => {
                script.on(Method::SimplePing, move |_, _| Ok(Response::SimplePing(StatusOnly { status })))
            }
            // Only the first object is known: in a new set the others are passed over.
            _ => script
                .on(Method::RemoteCreateInstance, {
                    let next = std::sync::atomic::AtomicU64::new(9);
                    move |request, usual| {
                        let oid = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let iid = requested(request);
                        usual.activated(iid, Some(standard(iid, StdObjRef { oid, ..std() })), HResult::S_OK)
                    }
                })
                .on(Method::ComplexPing, move |request, _| {
                    let Request::ComplexPing(ping) = request else { unreachable!() };
                    let new = ping.set_id == 0;
                    let added = ping.add_to_set.as_ref().is_some_and(|oids| oids.iter().any(|oid| *oid > 9));
                    let status = if new || !added { ErrorStatus::SUCCESS } else { status };
                    Ok(Response::ComplexPing(ComplexPingResponse {
                        set_id: 1,
                        ping_backoff_factor: 0,
                        status,
                    }))
                }),
        };
        let novice = novice.serve().await;
        let mut options = novice.options();
        options.ping_interval = std::time::Duration::from_millis(5);
        let machine = Machine::connect("127.0.0.1", options).await.unwrap();
        let until = async |wanted: usize| {
            let pinged = async {
                while pings(&novice).len() < wanted {
                    tokio::task::yield_now().await;
                }
            };
            assert!(timeout(LIMIT, pinged).await.is_ok(), "{:?}", pings(&novice));
        };
        let first = RaSrv::activate(&machine, None).await.unwrap();
        until(1).await;
        assert_eq!(pings(&novice)[0], (0, vec![9], vec![]));
        let second = RaSrv::activate(&machine, None).await.unwrap();
        until(3).await;
        let pings = pings(&novice);
        if status == ErrorStatus::INVALID_SET {
            assert_eq!(pings[1], (0, vec![9], vec![]));
        } else {
            assert_eq!(pings[1..3], [(1, vec![10], vec![]), (0, vec![9, 10], vec![])]);
        }
        drop((first, second));
    }
}
