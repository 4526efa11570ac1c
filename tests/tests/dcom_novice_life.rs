//! Life and death of the novice's objects: references, pings, owners, limits.

use dce_rpc::Status;
use ndr_oaut::Variant;
use ra_dcom::calls::*;
use ra_dcom::novice::{Counts, NoviceLimits};
use ra_dcom::{ErrorStatus, HResult};
use remassist_core::Time;
use testkit::novice::{Machine, pointer, references, release, syntax, wanted};
use uuid::Uuid;

fn is_there(m: &mut Machine, who: &str, ipid: Uuid) -> bool {
    match m.call(who, ipid, Request::GetSessionInfo(GetSessionInfoRequest::default())) {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status, Status(HResult::RPC_E_INVALID_IPID.0));
            false
        }
    }
}

/// Whether a reference to its own interface can be had: does not count as a call.
fn answers(m: &mut Machine, who: &str, ipid: Uuid) -> bool {
    let Response::RemAddRef(added) = m.remote(who, Request::RemAddRef(references(ipid, 0, 0))) else {
        panic!()
    };
    assert!([HResult::S_OK, HResult::CO_E_OBJNOTREG].contains(&added.results[0]));
    added.results[0] == HResult::S_OK
}

#[test]
fn an_interface_lives_as_long_as_it_has_references() {
    let mut m = Machine::default();
    let ipid = m.rasrv("alice").ipid;
    m.remote("alice", Request::RemAddRef(references(ipid, 2, 3)));
    m.remote("alice", release(ipid, 6));
    assert!(is_there(&mut m, "alice", ipid));
    m.remote("alice", release(ipid, 100));
    assert!(is_there(&mut m, "alice", ipid), "private references are left");
    m.remote("alice", Request::RemRelease(references(ipid, 0, 2)));
    assert!(is_there(&mut m, "alice", ipid));
    m.remote("alice", Request::RemRelease(references(ipid, 0, 1)));
    assert!(!is_there(&mut m, "alice", ipid));
    assert_eq!(m.novice.counts(), Counts::default());
}

#[test]
fn an_object_lives_as_long_as_it_has_interfaces() {
    let mut m = Machine::default();
    let std = m.rasrv("alice");
    let iids = vec![IID_IDISPATCH, Uuid::max(), IID_IRASRV, IID_IUNKNOWN];
    let request = RemQueryInterfaceRequest { ipid: std.ipid, refs: 1, iids };
    let Response::RemQueryInterface(found) = m.remote("alice", Request::RemQueryInterface(request)) else {
        panic!()
    };
    assert_eq!(found.hresult, HResult::S_OK);
    let results = found.results.unwrap();
    let told: Vec<HResult> = results.iter().map(|r| r.hresult).collect();
    assert_eq!(told, [HResult::S_OK, HResult::E_NOINTERFACE, HResult::S_OK, HResult::S_OK]);
    assert!(
        results
            .iter()
            .all(|r| r.hresult != HResult::S_OK || (r.std.oid == std.oid && r.std.public_refs == 1))
    );
    assert_eq!(results[2].std.ipid, std.ipid);
    assert_eq!(m.novice.counts().interfaces, 3);
    m.remote("alice", release(std.ipid, 6));
    m.remote("alice", release(results[0].std.ipid, 1));
    assert_eq!(m.novice.counts(), Counts { objects: 1, interfaces: 1, sets: 0, callers: 1 });
    let request =
        RemQueryInterface2Request { ipid: results[3].std.ipid, iids: vec![IID_IRASRV, Uuid::max()] };
    let Response::RemQueryInterface2(found) = m.remote("alice", Request::RemQueryInterface2(request)) else {
        panic!()
    };
    assert_eq!((found.results, &found.interfaces[1]), (vec![HResult::S_OK, HResult::E_NOINTERFACE], &None));
    let (iid, again) = pointer(&found.interfaces[0]);
    assert_eq!((iid, again.oid, again.public_refs), (IID_IRASRV, std.oid, 5));
    m.remote("alice", release(results[3].std.ipid, 1));
    m.remote("alice", release(again.ipid, 5));
    assert_eq!(m.novice.counts(), Counts::default());
}

#[test]
fn what_is_not_there_has_no_references() {
    let mut m = Machine::default();
    let ipid = m.rasrv("alice").ipid;
    let query = |ipid, iids| Request::RemQueryInterface(RemQueryInterfaceRequest { ipid, refs: 1, iids });
    for (ipid, iids, hresult) in [
        (Uuid::max(), vec![IID_IRASRV], HResult::RPC_E_INVALID_OBJECT),
        (ipid, vec![], HResult::E_INVALIDARG),
        (ipid, vec![IID_IPCHSERVICE], HResult::E_NOINTERFACE),
        (ipid, vec![IID_IRASRV; 1025], HResult::E_OUTOFMEMORY),
    ] {
        let Response::RemQueryInterface(found) = m.remote("alice", query(ipid, iids)) else { panic!() };
        assert_eq!(found.hresult, hresult);
    }
    let mut both = references(Uuid::max(), 1, 1);
    both.refs.push(references(ipid, 1, 0).refs[0].clone());
    let Response::RemAddRef(added) = m.remote("alice", Request::RemAddRef(both.clone())) else { panic!() };
    assert_eq!(added.results, [HResult::CO_E_OBJNOTREG, HResult::S_OK]);
    let Response::RemRelease(released) = m.remote("alice", Request::RemRelease(both)) else { panic!() };
    assert_eq!(released.hresult, HResult::S_OK);
}

#[test]
fn nobody_reaches_the_objects_of_others() {
    let mut m = Machine::default();
    let std = m.rasrv("alice");
    let set = ping(&mut m, "alice", 0, 1, &[std.oid], &[]).0;
    for who in ["bob", "eve"] {
        assert!(!is_there(&mut m, who, std.ipid));
        assert!(!answers(&mut m, who, std.ipid));
        m.remote(who, Request::RemRelease(references(std.ipid, 1000, 1000)));
        let request = RemQueryInterfaceRequest { ipid: std.ipid, refs: 1, iids: vec![IID_IRASRV] };
        let Response::RemQueryInterface(found) = m.remote(who, Request::RemQueryInterface(request)) else {
            panic!()
        };
        assert_eq!((found.hresult, found.results), (HResult::RPC_E_INVALID_OBJECT, None));
        assert_eq!(simple_ping(&mut m, who, set), ErrorStatus::INVALID_SET);
        assert_eq!(ping(&mut m, who, set, 2, &[], &[std.oid]).1, ErrorStatus::INVALID_SET);
        let (own, status) = ping(&mut m, who, 0, 1, &[std.oid], &[]);
        assert_eq!(status, ErrorStatus::SUCCESS, "an unknown object is passed over in a new set");
        assert_eq!(ping(&mut m, who, own, 2, &[std.oid], &[]).1, ErrorStatus::INVALID_OID);
    }
    assert!(is_there(&mut m, "alice", std.ipid));
    m.helpers.push("ALICE".to_owned());
    assert!(is_there(&mut m, "ALICE", std.ipid), "the same account");
}

fn simple_ping(m: &mut Machine, who: &str, set_id: u64) -> ErrorStatus {
    let Response::SimplePing(told) = m.resolver(who, Request::SimplePing(SimplePingRequest { set_id }))
    else {
        panic!()
    };
    told.status
}

fn ping(
    m: &mut Machine,
    who: &str,
    set_id: u64,
    sequence_num: u16,
    add: &[u64],
    del: &[u64],
) -> (u64, ErrorStatus) {
    let list = |oids: &[u64]| (!oids.is_empty()).then(|| oids.to_vec());
    let (add_to_set, del_from_set) = (list(add), list(del));
    let request = ComplexPingRequest { set_id, sequence_num, add_to_set, del_from_set };
    let Response::ComplexPing(told) = m.resolver(who, Request::ComplexPing(request)) else { panic!() };
    assert_eq!(told.ping_backoff_factor, 0);
    (told.set_id, told.status)
}

#[test]
fn an_object_dies_after_three_missed_pings() {
    let mut m = Machine::default();
    let (kept, lost, never) = (m.rasrv("alice"), m.rasrv("alice"), m.rasrv("alice"));
    let (keep, _) = ping(&mut m, "alice", 0, 1, &[kept.oid], &[]);
    let (lose, _) = ping(&mut m, "alice", 0, 1, &[lost.oid], &[]);
    for _ in 0..2 {
        m.wait(120);
        assert_eq!(simple_ping(&mut m, "alice", keep), ErrorStatus::SUCCESS);
    }
    m.wait(119);
    assert_eq!(m.novice.next_tick(), Some(Time(360_001)));
    m.now = Time(360_000);
    assert!(answers(&mut m, "alice", lost.ipid) && answers(&mut m, "alice", never.ipid));
    m.now = Time(360_001);
    assert!(!answers(&mut m, "alice", lost.ipid) && !answers(&mut m, "alice", never.ipid));
    assert!(answers(&mut m, "alice", kept.ipid));
    assert_eq!(simple_ping(&mut m, "alice", lose), ErrorStatus::INVALID_SET);
    assert_eq!(m.novice.counts(), Counts { objects: 1, interfaces: 1, sets: 1, callers: 1 });
    m.wait(360);
    m.novice.tick(m.now);
    assert_eq!(m.novice.counts(), Counts::default());
    assert_eq!(m.novice.next_tick(), None);
}

#[test]
fn who_calls_is_not_dead() {
    let mut m = Machine::default();
    let std = m.rasrv("alice");
    ping(&mut m, "alice", 0, 1, &[std.oid], &[]);
    m.wait(300);
    assert!(is_there(&mut m, "alice", std.ipid));
    // The set ends, but the object was called within the last period: it lives on as one in no set.
    m.wait(100);
    assert!(answers(&mut m, "alice", std.ipid));
    assert_eq!(m.novice.counts().sets, 0);
    m.wait(259);
    assert!(answers(&mut m, "alice", std.ipid));
    m.wait(1);
    assert!(!answers(&mut m, "alice", std.ipid));
}

#[test]
fn an_object_is_held_by_any_set_it_is_in() {
    let mut m = Machine::default();
    let std = m.rasrv("alice");
    let (one, _) = ping(&mut m, "alice", 0, 1, &[std.oid, std.oid], &[]);
    let (two, _) = ping(&mut m, "alice", 0, 1, &[std.oid], &[]);
    for _ in 0..5 {
        m.wait(120);
        simple_ping(&mut m, "alice", two);
    }
    assert_eq!(simple_ping(&mut m, "alice", one), ErrorStatus::INVALID_SET);
    assert!(answers(&mut m, "alice", std.ipid));
    // Out of the last set it has three periods more.
    assert_eq!(ping(&mut m, "alice", two, 1, &[], &[std.oid, 77]), (two, ErrorStatus::SUCCESS));
    m.now = Time(m.now.0 + 359_999);
    assert!(answers(&mut m, "alice", std.ipid));
    m.now = Time(m.now.0 + 1);
    assert!(!answers(&mut m, "alice", std.ipid));
}

#[test]
fn a_ping_that_comes_late_changes_nothing() {
    let mut m = Machine::default();
    let (a, b) = (m.rasrv("alice"), m.rasrv("alice"));
    let (set, _) = ping(&mut m, "alice", 0, 5, &[a.oid], &[]);
    m.wait(200);
    assert_eq!(ping(&mut m, "alice", set, 4, &[b.oid], &[a.oid]).1, ErrorStatus::SUCCESS);
    m.wait(160);
    assert!(!answers(&mut m, "alice", b.ipid), "was not added");
    assert!(!answers(&mut m, "alice", a.ipid), "the set was not pinged");
    assert_eq!(ping(&mut m, "alice", 12345, 1, &[], &[]), (12345, ErrorStatus::INVALID_SET));
}

#[test]
fn a_set_forgets_objects_that_were_released() {
    let mut m = Machine::default();
    let std = m.rasrv("alice");
    let (set, _) = ping(&mut m, "alice", 0, 1, &[std.oid], &[]);
    m.remote("alice", release(std.ipid, 5));
    assert_eq!(m.novice.counts(), Counts { objects: 0, interfaces: 0, sets: 1, callers: 1 });
    assert_eq!(ping(&mut m, "alice", set, 2, &[std.oid], &[]).1, ErrorStatus::INVALID_OID);
}

#[test]
fn ten_thousand_activations_leave_nothing() {
    let mut m = Machine::default();
    let mut last = None;
    for turn in 0..10_000_u64 {
        let who = ["alice", "bob"][(turn % 2) as usize];
        let std = m.rasrv(who);
        assert!(std.oid != 0 && Some(std.oid) != last);
        last = Some(std.oid);
        if turn % 3 == 0 {
            // Lost, as by a client that crashed.
            m.wait(1);
        } else {
            m.remote(who, release(std.ipid, 5));
        }
        m.events.clear();
        m.asked.clear();
        // Those of the last six minutes.
        assert!(m.novice.counts().objects <= 361, "{:?}", m.novice.counts());
    }
    m.wait(360);
    m.novice.tick(m.now);
    assert_eq!(m.novice.counts(), Counts::default());
}

#[test]
fn objects_have_limits() {
    let mut limits = NoviceLimits::default();
    (limits.objects, limits.objects_per_caller) = (5, 3);
    let mut m = Machine::with(limits);
    let asked = || wanted(CLSID_RASRV, &[IID_IRASRV], None);
    let first = m.rasrv("alice");
    m.rasrv("alice");
    m.rasrv("alice");
    assert_eq!(m.object("alice", asked()).unwrap_err(), HResult::E_OUTOFMEMORY);
    m.rasrv("bob");
    m.rasrv("bob");
    assert_eq!(m.object("bob", asked()).unwrap_err(), HResult::E_OUTOFMEMORY, "of all callers");
    m.remote("alice", release(first.ipid, 5));
    m.rasrv("bob");
    assert_eq!(m.novice.counts(), Counts { objects: 5, interfaces: 5, sets: 0, callers: 2 });
}

#[test]
fn ping_sets_have_limits() {
    let mut limits = NoviceLimits::default();
    (limits.sets, limits.sets_per_caller, limits.objects_per_set) = (3, 2, 1);
    let mut m = Machine::with(limits);
    let (a, b) = (m.rasrv("alice"), m.rasrv("alice"));
    let (set, _) = ping(&mut m, "alice", 0, 1, &[a.oid], &[]);
    assert_eq!(ping(&mut m, "alice", set, 2, &[b.oid], &[]).1, ErrorStatus::OUTOFMEMORY);
    assert_eq!(ping(&mut m, "alice", 0, 1, &[a.oid, b.oid], &[]), (0, ErrorStatus::OUTOFMEMORY));
    assert_eq!(m.novice.counts().sets, 1);
    ping(&mut m, "alice", 0, 1, &[], &[]);
    assert_eq!(ping(&mut m, "alice", 0, 1, &[], &[]), (0, ErrorStatus::OUTOFMEMORY));
    ping(&mut m, "bob", 0, 1, &[], &[]);
    assert_eq!(ping(&mut m, "bob", 0, 1, &[], &[]).1, ErrorStatus::OUTOFMEMORY, "of all callers");
    m.wait(360);
    assert_eq!(ping(&mut m, "bob", 0, 1, &[], &[]).1, ErrorStatus::SUCCESS);
}

#[test]
fn elements_that_cannot_all_be_had_leave_nothing() {
    let mut limits = NoviceLimits::default();
    limits.objects_per_caller = 4;
    let mut m = Machine::with(limits);
    m.sessions = (0..9).map(|id| ra_dcom::novice::Session::active("D", "u", id)).collect();
    let pch = m.pch("alice").ipid;
    let request = Request::RemoteUserSessionInfo(NoParameters::default());
    let Ok(Response::RemoteUserSessionInfo(told)) = m.call("alice", pch, request) else { panic!() };
    let collection = pointer(&told.collection).1.ipid;
    let Ok(Response::NewEnum(told)) = m.call("alice", collection, Request::NewEnum(NoParameters::default()))
    else {
        panic!()
    };
    let unknown = pointer(&told.copy).1.ipid;
    let request = RemQueryInterfaceRequest { ipid: unknown, refs: 1, iids: vec![IID_IENUMVARIANT] };
    let Response::RemQueryInterface(found) = m.remote("alice", Request::RemQueryInterface(request)) else {
        panic!()
    };
    let all = found.results.unwrap()[0].std.ipid;
    let before = m.novice.counts();
    let next = |m: &mut Machine, count: u32| {
        let stub = ndr_oaut::Stub::new((ndr_oaut::OrpcThis::default(), count));
        let stub = remassist_core::Encode::to_vec(&stub).unwrap();
        let stub = m.raw(Some("alice"), syntax(IID_IENUMVARIANT), 3, Some(all), &stub).unwrap();
        HResult(u32::from_le_bytes(*stub.last_chunk().unwrap()))
    };
    assert_eq!(next(&mut m, 2), HResult::E_OUTOFMEMORY);
    assert_eq!(m.novice.counts(), before);
    assert_eq!(next(&mut m, 1), HResult::S_OK);
    let Ok(Response::Item(told)) = m.call("alice", collection, Request::Item(ItemRequest { index: 2 }))
    else {
        panic!()
    };
    assert_eq!((told.hresult, told.entry), (HResult::E_OUTOFMEMORY, Some(Variant::Empty)));
}
