//! IDispatch at the novice: names and arguments lead to the same methods as opnums do.

use ndr_oaut::{Bstr, Elements, Scalar, VarType, Variant};
use ra_dcom::HResult;
use ra_dcom::calls::*;
use ra_dcom::novice::{Identity, Question, Refusal, SessionChoice};
use testkit::novice::{Machine, every_object, odd_sessions, pointer};
use uuid::Uuid;

fn invoke(
    m: &mut Machine,
    iid: Uuid,
    ipid: Uuid,
    request: InvokeRequest<'static>,
) -> InvokeResponse<'static> {
    let Ok(Response::Invoke(told)) = m.through("alice", iid, Some(ipid), Request::Invoke(request)) else {
        panic!()
    };
    told
}

/// A call with arguments, the last one first.
fn with(member: i32, flags: InvokeFlags, args: Vec<Variant<'static>>) -> InvokeRequest<'static> {
    let args = (!args.is_empty()).then(|| args.into_iter().map(Some).collect());
    InvokeRequest { member, flags, params: DispParams { args, named: None }, ..Default::default() }
}

#[test]
fn names_have_ids() {
    let mut m = Machine::default();
    let objects = every_object(&mut m);
    let mut ids = |iid: Uuid, names: &[&str]| {
        let names = names.iter().map(|name| Some(ndr_oaut::WideString::new(name))).collect();
        let request = Request::GetIdsOfNames(GetIdsOfNamesRequest { iid: Uuid::nil(), names, lcid: 0 });
        let Ok(Response::GetIdsOfNames(told)) = m.through("alice", iid, Some(objects(iid)), request) else {
            panic!()
        };
        (told.ids, told.hresult)
    };
    for (iid, name, id) in [
        (IID_IRASRV, "GetNoviceUserInfo", 1),
        (IID_IRASRV, "getsessioninfo", 2),
        (IID_IPCHSERVICE, "RemoteConnectionParms", 0x0800_0040),
        (IID_IPCHSERVICE, "RemoteUserSessionInfo", 0x0800_0041),
        (IID_IPCHCOLLECTION, "_NewEnum", -4),
        (IID_IPCHCOLLECTION, "Item", 0),
        (IID_IPCHCOLLECTION, "COUNT", 0x0801_0000),
        (IID_ISAFSESSION, "SessionID", 0x0802_0D10),
        (IID_ISAFSESSION, "SessionState", 0x0802_0D11),
        (IID_ISAFSESSION, "DomainName", 0x0802_0D12),
        (IID_ISAFSESSION, "UserName", 0x0802_0D13),
    ] {
        assert_eq!(ids(iid, &[name]), (vec![id], HResult::S_OK), "{name}");
    }
    let names = ["RemoteConnectionParms", "LSESSIONID", "bstrUserName", "none"];
    assert_eq!(ids(IID_IPCHSERVICE, &names), (vec![0x0800_0040, 2, 0, -1], HResult::DISP_E_UNKNOWNNAME));
    assert_eq!(ids(IID_IRASRV, &["Count", "UserNames"]), (vec![-1, -1], HResult::DISP_E_UNKNOWNNAME));
    assert_eq!(ids(IID_IRASRV, &["Get\0SessionInfo"]).1, HResult::DISP_E_UNKNOWNNAME);
}

#[test]
fn every_member_can_be_invoked() {
    let mut m = Machine { sessions: odd_sessions(), ..Machine::default() };
    let objects = every_object(&mut m);
    let (method, get, put) = (InvokeFlags::METHOD, InvokeFlags::PROPERTYGET, InvokeFlags::PROPERTYPUT);
    let bstr = |text: &str| Variant::Bstr(Some(Bstr::new(text)));
    let i4 = |number| Variant::Scalar(Scalar::I4(number));

    // IPCHService: positional and named arguments.
    let args = vec![bstr("blob"), i4(1), bstr("DOM"), bstr("ann")];
    let told = invoke(&mut m, IID_IPCHSERVICE, objects(IID_IPCHSERVICE), with(0x0800_0040, method, args));
    assert_eq!((HResult(told.hresult), told.result), (HResult::S_OK, Some(bstr("ticket1"))));
    let mut named = with(0x0800_0040, method, vec![i4(1), bstr("blob"), bstr("DOM"), bstr("ann")]);
    named.params.named = Some(vec![2, 3]);
    let told = invoke(&mut m, IID_IPCHSERVICE, objects(IID_IPCHSERVICE), named);
    assert_eq!((HResult(told.hresult), told.result), (HResult::S_OK, Some(bstr("ticket2"))));
    let Some(Question::Ticket(asked)) = m.asked.last() else { panic!() };
    assert_eq!((&asked.user, asked.session), (&Some(Identity::new("DOM", "ann")), SessionChoice::Id(1)));
    let told = invoke(&mut m, IID_IPCHSERVICE, objects(IID_IPCHSERVICE), with(0x0800_0041, method, vec![]));
    let Some(Variant::Dispatch(collection)) = told.result else { panic!() };
    assert_eq!(pointer(&collection).0, IID_IPCHCOLLECTION);

    // IPCHCollection.
    let ipid = objects(IID_IPCHCOLLECTION);
    let told = invoke(&mut m, IID_IPCHCOLLECTION, ipid, with(0x0801_0000, get, vec![]));
    assert_eq!(told.result, Some(i4(5)));
    let index = Variant::Scalar(Scalar::Ui1(2));
    let told = invoke(&mut m, IID_IPCHCOLLECTION, ipid, with(0, get.with(method), vec![index]));
    assert!(matches!(told.result, Some(Variant::Dispatch(_))));
    let told = invoke(&mut m, IID_IPCHCOLLECTION, ipid, with(-4, get, vec![]));
    assert!(matches!(told.result, Some(Variant::Unknown(_))));
    let told = invoke(&mut m, IID_IPCHCOLLECTION, ipid, with(0, get, vec![i4(9)]));
    assert_eq!(HResult(told.hresult), HResult::DISP_E_EXCEPTION);
    assert_eq!(HResult(told.exception.scode), HResult::E_INVALIDARG);
    let quiet = get.with(InvokeFlags::ZERO_EXCEP_INFO).with(InvokeFlags::ZERO_VAR_RESULT);
    let told = invoke(&mut m, IID_IPCHCOLLECTION, ipid, with(0, quiet, vec![i4(9)]));
    assert_eq!((told.exception.scode, told.result), (0, Some(Variant::Empty)));

    // ISAFSession.
    let ipid = objects(IID_ISAFSESSION);
    for (id, old, new) in [
        (0x0802_0D10, Variant::Scalar(Scalar::Ui4(1)), Variant::Scalar(Scalar::Ui4(9))),
        (0x0802_0D11, i4(0), i4(4)),
        (0x0802_0D12, bstr("DOM"), bstr("other")),
        (0x0802_0D13, bstr("ann"), bstr("somebody")),
    ] {
        let told = invoke(&mut m, IID_ISAFSESSION, ipid, with(id, get, vec![]));
        assert_eq!(told.result, Some(old));
        let mut change = with(id, put, vec![new.clone()]);
        change.params.named = Some(vec![-3]);
        assert_eq!(invoke(&mut m, IID_ISAFSESSION, ipid, change).hresult, 0);
        let told = invoke(&mut m, IID_ISAFSESSION, ipid, with(id, get, vec![]));
        assert_eq!(told.result, Some(new));
    }
}

#[test]
fn parameters_that_go_both_ways_are_invoked_by_reference() {
    let mut m = Machine::default();
    let rasrv = m.rasrv("alice").ipid;
    let by_ref = |member, refs: Vec<Variant<'static>>| {
        let mut request = with(member, InvokeFlags::METHOD, vec![Variant::Empty; refs.len()]);
        request.var_ref_index = (0..refs.len()).map(|i| u32::try_from(i).unwrap()).collect();
        request.var_ref = refs.into_iter().map(Some).collect();
        request
    };
    let asked = by_ref(1, vec![Variant::BstrRef(None)]);
    let told = invoke(&mut m, IID_IRASRV, rasrv, asked);
    assert_eq!(told.var_ref, [Some(Variant::BstrRef(Some(Bstr::new("ticket1"))))]);
    assert_eq!((told.hresult, told.result), (0, Some(Variant::Empty)));
    let names = Variant::ArrayRef { vt: VarType::BSTR, array: None };
    let asked = by_ref(2, vec![Variant::ScalarRef(Scalar::Int(0)), names.clone()]);
    let told = invoke(&mut m, IID_IRASRV, rasrv, asked);
    assert_eq!((told.hresult, told.var_ref[0].as_ref()), (0, Some(&Variant::ScalarRef(Scalar::Int(2)))));
    let Some(Variant::ArrayRef { vt: VarType::BSTR, array: Some(array) }) = &told.var_ref[1] else {
        panic!()
    };
    let Elements::Bstr(names_told) = &array.safearray.as_ref().unwrap().elements else { panic!() };
    assert_eq!(names_told[0], Some(Bstr::new("DOM\\ann:1")));
    // In VARIANTs that the client brought.
    let empty = || Variant::VariantRef(Some(Box::new(Variant::Empty)));
    let told = invoke(&mut m, IID_IRASRV, rasrv, by_ref(2, vec![empty(), empty()]));
    assert_eq!(told.var_ref[0], Some(Variant::VariantRef(Some(Box::new(Variant::Scalar(Scalar::I4(2)))))));
    let told = invoke(&mut m, IID_IRASRV, rasrv, by_ref(2, vec![names, empty()]));
    assert_eq!((HResult(told.hresult), told.arg_err), (HResult::DISP_E_TYPEMISMATCH, 0));
    m.refusal = Some(Refusal::Policy);
    let told = invoke(&mut m, IID_IRASRV, rasrv, by_ref(1, vec![Variant::BstrRef(None)]));
    assert_eq!(told.exception.scode, HResult::ERROR_ACCESS_DISABLED_BY_POLICY.0);
    assert_eq!(told.var_ref, [Some(Variant::BstrRef(None))]);
}

#[test]
fn bad_invocations_are_told() {
    let mut m = Machine::default();
    let pch = m.pch("alice").ipid;
    let bstr = || Variant::Bstr(Some(Bstr::new("x")));
    let i8 = |number| Variant::Scalar(Scalar::I8(number));
    let mut told = |request| {
        let told = invoke(&mut m, IID_IPCHSERVICE, pch, request);
        (HResult(told.hresult), told.arg_err)
    };
    let id = 0x0800_0040;
    let method = InvokeFlags::METHOD;
    assert_eq!(told(with(77, method, vec![])).0, HResult::DISP_E_MEMBERNOTFOUND);
    assert_eq!(told(with(id, InvokeFlags::PROPERTYGET, vec![])).0, HResult::DISP_E_MEMBERNOTFOUND);
    assert_eq!(told(with(id, InvokeFlags::PROPERTYPUT, vec![bstr()])).0, HResult::DISP_E_MEMBERNOTFOUND);
    assert_eq!(told(with(id, method, vec![bstr()])).0, HResult::DISP_E_BADPARAMCOUNT);
    let args = |three: Variant<'static>| vec![bstr(), three, bstr(), bstr()];
    assert_eq!(told(with(id, method, args(bstr()))), (HResult::DISP_E_TYPEMISMATCH, 1));
    assert_eq!(told(with(id, method, args(i8(1 << 40)))), (HResult::DISP_E_OVERFLOW, 1));
    assert_eq!(told(with(id, method, args(Variant::MISSING))), (HResult::DISP_E_PARAMNOTOPTIONAL, 1));
    let quiet = with(id, method.with(InvokeFlags::ZERO_ARG_ERR), args(bstr()));
    assert_eq!(told(quiet), (HResult::DISP_E_TYPEMISMATCH, 0));
    let mut request = with(id, method, args(i8(1)));
    request.params.named = Some(vec![9]);
    assert_eq!(told(request.clone()), (HResult::DISP_E_PARAMNOTFOUND, 0));
    request.params.named = Some(vec![1, 1]);
    assert_eq!(told(request.clone()), (HResult::DISP_E_PARAMNOTFOUND, 1));
    request.params.named = None;
    request.iid = IID_IPCHSERVICE;
    assert_eq!(told(request.clone()).0, HResult::DISP_E_UNKNOWNINTERFACE);
    request.iid = Uuid::nil();
    request.var_ref_index = vec![77];
    request.var_ref = vec![Some(Variant::BstrRef(None))];
    assert_eq!(told(request).0, HResult::E_INVALIDARG);
    assert!(m.tickets == 0);
}
