//! Requests and responses of our own making: laws, both byte orders, hostile counts, seeds.

use std::fmt::Debug;

use expect_test::expect;
use ndr_oaut::{
    Bstr, ByteOrder, ComVersion, DualStringArray, Elements, ExcepInfo, Features, InterfacePointer,
    InvokeFlags, InvokeRequest, InvokeResponse, Ndr, OrpcExtent, OrpcExtentArray, OrpcThat, OrpcThis,
    SafeArray, SecurityBinding, StdObjRef, StringBinding, Stub, VarType, Variant, WideString,
};
use proptest::prelude::*;
use ra_dcom::calls::*;
use ra_dcom::{ErrorStatus, HResult, SessionName, SessionStateEnum};
use remassist_core::{Decode, DecodeOptions, Encode, Limits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use testkit::{dcom, laws};
use uuid::Uuid;

/// What the tests need of parameters.
trait Parameters: Ndr<'static> + PartialEq + Debug + Clone + Serialize + DeserializeOwned {}
impl<T: Ndr<'static> + PartialEq + Debug + Clone + Serialize + DeserializeOwned> Parameters for T {}

/// The laws for parameters that keep all rules, in both byte orders.
fn value<T: Parameters>(value: T) {
    let mut stub = Stub::new(value);
    laws::value(&stub);
    laws::json(&stub);
    let little: &'static [u8] = stub.to_vec().unwrap().leak();
    assert_eq!(Stub::<T>::decode_strict(little).unwrap(), stub);
    stub.byte_order = ByteOrder::Big;
    let big: &'static [u8] = stub.to_vec().unwrap().leak();
    assert_eq!(big.len(), little.len());
    let read = |bytes| Stub::<T>::read(bytes, ByteOrder::Big, &DecodeOptions::STRICT.with_trace(true));
    let decoded = read(big).unwrap();
    assert_eq!(decoded.value, stub);
    laws::trace_covers(&decoded.trace, big.len());
    for at in 0..big.len() {
        let mut damaged = big.to_vec();
        damaged[at] ^= 1 << (at % 8);
        let damaged = damaged.leak();
        if let Ok(d) = Stub::<T>::read(damaged, ByteOrder::Big, &DecodeOptions::TOLERANT) {
            assert_eq!(d.value.to_vec().unwrap(), damaged[..damaged.len() - d.rest.len()]);
        }
    }
}

fn this() -> OrpcThis<'static> {
    let extent = OrpcExtent { id: CLSID_CONTEXT_EXTENSION, data: vec![1, 2, 3].into() };
    OrpcThis { cid: IID_IRASRV, extensions: Some(OrpcExtentArray::new(vec![extent])), ..OrpcThis::default() }
}

/// The laws for both sides of a call, alone and through the front door, with and without headers.
fn call<C: Call>(request: C::Request<'static>, response: C::Response<'static>)
where
    C::Request<'static>: Parameters,
    C::Response<'static>: Parameters,
{
    value(request.clone());
    value(response.clone());
    let (this, that) = (this(), OrpcThat { flags: 0, extensions: this().extensions });
    let whole = OrpcRequest { this, parameters: request.clone() };
    front_door::<_, C>(Direction::Request, true, whole);
    front_door::<_, C>(Direction::Request, false, request);
    let whole = OrpcResponse { that, parameters: response.clone() };
    front_door::<_, C>(Direction::Response, true, whole);
    front_door::<_, C>(Direction::Response, false, response);
}

fn front_door<T: Ndr<'static>, C: Call>(direction: Direction, orpc_header: bool, value: T) {
    let mut stub = Stub::new(value);
    for byte_order in [ByteOrder::Little, ByteOrder::Big] {
        let format = StubFormat { direction, byte_order, orpc_header };
        stub.byte_order = byte_order;
        let bytes = stub.to_vec().unwrap();
        let strict = Message::read(C::METHOD, format, &bytes, &DecodeOptions::STRICT).unwrap();
        assert!(strict.rest.is_empty());
        let message = dcom::message(C::METHOD, format, &bytes).unwrap();
        assert_eq!(message, strict.value);
        seed(&message, &bytes);
        for len in 0..bytes.len() {
            let cut = dcom::message(C::METHOD, format, &bytes[..len]);
            assert!(cut.is_none() || C::METHOD == Method::SetSessionState, "{len} bytes of {message:?}");
        }
        // Bytes behind the last parameter, as a verification trailer, are nobody's.
        let trailer = [&bytes[..], &[0x8A; 9]].concat();
        let read = Message::read(C::METHOD, format, &trailer, &DecodeOptions::STRICT).unwrap();
        assert_eq!((read.value, read.rest), (message, &[0x8A; 9][..]));
    }
}

/// With `DCOM_SEEDS` set, a message as it stands on the network becomes a seed of the fuzz target: of [MS-RAI] the
/// big-endian ones, since `dcom_calls_vectors` has the others.
fn seed(message: &Message<'_>, stub: &[u8]) {
    let (method, format) = (message.method(), message.format());
    let order = if method.section().starts_with("[MS-RAI]") { ByteOrder::Big } else { ByteOrder::Little };
    let wanted = format.orpc_header == method.has_orpc_header() && format.byte_order == order;
    if wanted && std::env::var_os("DCOM_SEEDS").is_some() {
        let bytes = [&dcom::choice(method, format), stub].concat();
        let folder = testkit::vectors::dir().join("../../fuzz/corpus/dcom_call");
        std::fs::write(folder.join(format!("{method:?}-{:?}", format.direction)), bytes).unwrap();
    }
}

fn pointer() -> Option<InterfacePointer<'static>> {
    Some(InterfacePointer { objref: b"MEOW.......".to_vec().into() })
}

fn bindings() -> Option<DualStringArray> {
    let string = StringBinding { tower_id: 7, network_address: "::1[4711]".to_owned() };
    let security = SecurityBinding { authentication_service: 10, principal: String::new() };
    Some(DualStringArray::new(&[string], &[security]))
}

fn sessions() -> Vec<SessionName> {
    ["DOM\\alice:1", "D\u{d6}M\\\u{65e5}\u{672c}:2", "\\:3"].map(|text| text.parse().unwrap()).to_vec()
}

const NO: NoParameters = NoParameters {};
const OK: HResult = HResult::S_OK;
const DONE: ErrorStatus = ErrorStatus::SUCCESS;

#[test]
fn calls_of_ipchservice_and_its_collection() {
    let request = RemoteConnectionParmsRequest::new("alice", "EXDOMAIN", 1, "EXDOMAIN\\EXUSER");
    let text = request.user_help_blob.as_ref().unwrap().text.as_ref().unwrap();
    assert_eq!(text.to_text().unwrap(), "13;UNSOLICITED=118;ID=EXDOMAIN\\EXUSER");
    let blob = request.help_blob().unwrap().unwrap();
    assert!(blob.unsolicited() && *blob.id().unwrap() == *"EXDOMAIN\\EXUSER");
    let connection_string = Some(SecretBstr::new("65538,1,..."));
    call::<RemoteConnectionParms>(
        request.clone(),
        RemoteConnectionParmsResponse { connection_string, hresult: OK },
    );
    let null = RemoteConnectionParmsRequest { user_help_blob: Some(Bstr::NULL), ..Default::default() };
    assert!(null.help_blob().unwrap().is_none());
    let hresult = HResult::ERROR_NONE_MAPPED;
    let none = RemoteConnectionParmsResponse { connection_string: Some(SecretBstr::NULL), hresult };
    call::<RemoteConnectionParms>(null, none);
    call::<RemoteUserSessionInfo>(NO, RemoteUserSessionInfoResponse { collection: pointer(), hresult: OK });
    call::<NewEnum>(NO, NewEnumResponse { copy: None, hresult: HResult::E_POINTER });
    let entry = Some(Variant::Dispatch(pointer()));
    call::<Item>(ItemRequest { index: -1 }, ItemResponse { entry, hresult: OK });
    call::<Count>(NO, CountResponse { count: 3, hresult: OK });
}

#[test]
fn calls_of_isafsession() {
    let result = ResultOnly { hresult: OK };
    call::<GetSessionId>(NO, GetSessionIdResponse { session_id: u32::MAX, hresult: OK });
    call::<SetSessionId>(SetSessionIdRequest { session_id: 2 }, result.clone());
    let state = SessionStateEnum::STATE_INVALID;
    call::<GetSessionState>(NO, GetSessionStateResponse { state, hresult: OK });
    for wide in [false, true] {
        call::<SetSessionState>(SetSessionStateRequest { state, wide }, result.clone());
    }
    let name = || Some(Bstr::new("D\u{d6}M"));
    call::<GetDomainName>(NO, GetDomainNameResponse { domain_name: name(), hresult: OK });
    call::<SetDomainName>(SetDomainNameRequest { domain_name: None }, result.clone());
    call::<GetUserName>(NO, GetUserNameResponse { user_name: Some(Bstr::NULL), hresult: OK });
    call::<SetUserName>(SetUserNameRequest { user_name: name() }, result);
}

#[test]
fn a_state_is_read_in_16_and_in_32_bits() {
    let read = |bytes: &[u8], order| {
        let read = Stub::<SetSessionStateRequest>::read(bytes, order, &DecodeOptions::STRICT).unwrap();
        (read.value.value.state.name(), read.value.value.wide, read.rest.len())
    };
    let idle = Some("pchIdle");
    assert_eq!(read(&[5, 0], ByteOrder::Little), (idle, false, 0));
    assert_eq!(read(&[5, 0, 0, 0], ByteOrder::Little), (idle, true, 0));
    assert_eq!(read(&[5, 0, 0x8A, 0xE3], ByteOrder::Little), (idle, false, 2));
    assert_eq!(read(&[0, 5], ByteOrder::Big), (idle, false, 0));
    assert_eq!(read(&[0, 0, 0, 5], ByteOrder::Big), (idle, true, 0));
    assert_eq!(read(&[0, 5, 0, 0], ByteOrder::Big), (idle, false, 2));
}

#[test]
fn calls_of_irasrv() {
    let name = Some(SecretWideString::new("<E>..</E>"));
    let request = GetNoviceUserInfoRequest { name: Some(SecretWideString::new("")) };
    call::<GetNoviceUserInfo>(request, GetNoviceUserInfoResponse { name, hresult: OK });
    let nothing = GetNoviceUserInfoResponse { name: None, hresult: HResult::ERROR_CANNOT_MAKE };
    call::<GetNoviceUserInfo>(GetNoviceUserInfoRequest::default(), nothing);
    for levels in [PointerLevels::One, PointerLevels::Two] {
        for sessions in [sessions(), Vec::new()] {
            let user_names = UserNames { levels, array: None };
            let request = GetSessionInfoRequest { user_names, count: 0 };
            let response = GetSessionInfoResponse::new(&request, &sessions);
            assert_eq!(response.user_names.levels, levels);
            assert_eq!(response.user_names.sessions().collect::<Result<Vec<_>, _>>().unwrap(), sessions);
            call::<GetSessionInfo>(request.clone(), response.clone());
            let user_names = response.user_names;
            call::<GetSessionInfo>(
                GetSessionInfoRequest { user_names, count: 3 },
                GetSessionInfoResponse::new(&request, &[]),
            );
        }
    }
}

#[test]
fn five_hundred_sessions_and_null_elements() {
    let sessions: Vec<_> = (0..500).map(|id| format!("DOM\\user{id}:{id}").parse().unwrap()).collect();
    let mut names = UserNames::new(PointerLevels::Two, &sessions);
    let Elements::Bstr(elements) = &mut names.array.as_mut().unwrap().elements else { panic!() };
    elements[0] = None;
    elements[1] = Some(Bstr::NULL);
    let stub = Stub::new(GetSessionInfoRequest { user_names: names, count: 500 });
    let bytes = stub.to_vec().unwrap();
    let read = Stub::<GetSessionInfoRequest<'_>>::decode_strict(&bytes).unwrap().value;
    let read: Vec<_> = read.user_names.sessions().map(Result::unwrap).collect();
    assert_eq!(read, sessions[2..]);
    let numbers = SafeArray::new(VarType::I4, Elements::I4(vec![1]));
    let numbers = UserNames { levels: PointerLevels::One, array: Some(Box::new(numbers)) };
    assert_eq!(numbers.sessions().count(), 0);
    // Without features, elements of one byte: could be an array behind two pointers.
    let bytes = Box::new(SafeArray {
        features: Features(0),
        ..SafeArray::new(VarType::UI1, Elements::I1(vec![1].into()))
    });
    let mut request = GetSessionInfoRequest { user_names: UserNames::default(), count: 0 };
    request.user_names.array = Some(bytes);
    assert!(Stub::new(request.clone()).to_vec().is_ok());
    request.user_names.levels = PointerLevels::One;
    assert!(Stub::new(request).to_vec().is_err());
}

#[test]
fn calls_of_idispatch() {
    call::<GetTypeInfoCount>(NO, GetTypeInfoCountResponse { count: 0, hresult: OK });
    let response = GetTypeInfoResponse { type_info: None, hresult: HResult::DISP_E_BADINDEX };
    call::<GetTypeInfo>(GetTypeInfoRequest { index: 1, lcid: 1033 }, response);
    let names = vec![Some(WideString::new("Item")), None];
    let response = GetIdsOfNamesResponse { ids: vec![DISPID_VALUE, DISPID_UNKNOWN], hresult: OK };
    call::<GetIdsOfNames>(GetIdsOfNamesRequest { names, ..Default::default() }, response);
    let request = InvokeRequest { flags: InvokeFlags::METHOD, ..InvokeRequest::default() };
    let hresult = HResult::DISP_E_MEMBERNOTFOUND.0;
    let result = Some(Variant::Empty);
    let exception = ExcepInfo::NONE;
    call::<Invoke>(request, InvokeResponse { result, exception, hresult, ..InvokeResponse::default() });
}

#[test]
fn calls_of_iremunknown() {
    let iids = vec![IID_IRASRV, IID_IPCHSERVICE];
    let std = StdObjRef { flags: 0, public_refs: 5, oxid: 1, oid: 2, ipid: IID_IRASRV };
    let results = Some(vec![
        RemQiResult { hresult: OK, std },
        RemQiResult { hresult: HResult::E_NOINTERFACE, std: StdObjRef::default() },
    ]);
    let request = RemQueryInterfaceRequest { ipid: IID_IUNKNOWN, refs: 5, iids: iids.clone() };
    call::<RemQueryInterface>(request, RemQueryInterfaceResponse { results, hresult: OK });
    let refs = vec![RemInterfaceRef { ipid: IID_IRASRV, public_refs: 5, private_refs: 0 }];
    let request = InterfaceRefs { refs };
    let response = RemAddRefResponse { results: vec![HResult::CO_E_OBJNOTREG], hresult: OK };
    call::<RemAddRef>(request.clone(), response);
    call::<RemRelease>(request, ResultOnly { hresult: OK });
    let response = RemQueryInterface2Response {
        results: vec![OK, HResult::E_NOINTERFACE],
        interfaces: vec![pointer(), None],
        hresult: OK,
    };
    call::<RemQueryInterface2>(RemQueryInterface2Request { ipid: IID_IUNKNOWN, iids }, response);
}

#[test]
fn calls_of_iobjectexporter() {
    let com_version = ComVersion::default();
    let ipid_rem_unknown = IID_IREMUNKNOWN;
    let request = ResolveOxidRequest { oxid: 1 << 63, protseqs: vec![7, 15, 16] };
    let (bindings, authn_hint, status) = (bindings(), 6, DONE);
    let response = ResolveOxidResponse { bindings: bindings.clone(), ipid_rem_unknown, authn_hint, status };
    call::<ResolveOxid>(request.clone(), response);
    let bindings2 = bindings.clone();
    let response =
        ResolveOxid2Response { bindings: bindings2, ipid_rem_unknown, authn_hint, com_version, status };
    call::<ResolveOxid2>(request, response);
    let response = ServerAlive2Response { com_version, bindings, reserved: 0, status };
    call::<ServerAlive2>(NO, response);
    call::<ServerAlive>(NO, StatusOnly { status });
    let status = ErrorStatus::INVALID_SET;
    call::<SimplePing>(SimplePingRequest { set_id: u64::MAX }, StatusOnly { status });
    for (add_to_set, del_from_set) in [(Some(vec![1, u64::MAX]), None), (None, Some(vec![])), (None, None)] {
        let request = ComplexPingRequest { set_id: 0, sequence_num: 1, add_to_set, del_from_set };
        call::<ComplexPing>(request, ComplexPingResponse { set_id: 7, ping_backoff_factor: 0, status });
    }
}

#[test]
fn calls_of_activation() {
    let request = RemoteActivationRequest {
        clsid: CLSID_RASRV,
        object_name: Some(WideString::new("name")),
        object_storage: pointer(),
        iids: Some(vec![IID_IRASRV]),
        protseqs: vec![7],
        ..RemoteActivationRequest::default()
    };
    let response = RemoteActivationResponse {
        oxid: 1,
        bindings: bindings(),
        interfaces: vec![pointer()],
        results: vec![OK],
        ..RemoteActivationResponse::default()
    };
    call::<RemoteActivation>(request, response);
    let act_properties = pointer();
    let response = ActivationResponse { act_properties: pointer(), hresult: OK };
    let request = RemoteGetClassObjectRequest { act_properties: pointer() };
    call::<RemoteGetClassObject>(request, response.clone());
    call::<RemoteCreateInstance>(RemoteCreateInstanceRequest { unk_outer: None, act_properties }, response);
}

/// The first error of a request of a method, little-endian and without a header.
fn error(method: Method, bytes: &[u8]) -> String {
    let (direction, byte_order) = (Direction::Request, ByteOrder::Little);
    let format = StubFormat { direction, byte_order, orpc_header: false };
    assert!(dcom::message(method, format, bytes).is_none());
    Message::read(method, format, bytes, &DecodeOptions::TOLERANT).unwrap_err().to_string()
}

#[test]
fn counts_that_lie_are_refused() {
    let mut request = Stub::new(ComplexPingRequest { add_to_set: Some(vec![1]), ..Default::default() });
    let mut bytes = request.to_vec().unwrap();
    bytes[10] = 2;
    expect![
        "IObjectExporter::ComplexPing.AddToSet at byte 10: length or offset 2 does not fit its container of 1 ([MS-DCOM] 3.1.2.5.1.3)"
    ]
    .assert_eq(&error(Method::ComplexPing, &bytes));
    request.value.add_to_set = Some(vec![0; 65_536]);
    assert!(request.to_vec().is_err(), "a count of 16 bits");

    // Four thousand million interfaces in 40 bytes.
    let mut bytes = Stub::new(RemQueryInterface2Request::default()).to_vec().unwrap();
    bytes[16..18].fill(0xFF);
    bytes[20..24].fill(0xFF);
    error(Method::RemQueryInterface2, &bytes);
    bytes[20..24].copy_from_slice(&0xFFFF_u32.to_le_bytes());
    error(Method::RemQueryInterface2, &bytes);
    for method in [Method::RemAddRef, Method::RemRelease] {
        error(method, &[0xFF; 32]);
    }
    error(Method::ResolveOxid, &[0xFF; 64]);
    error(Method::GetSessionInfo, &[0xFF; 64]);
}

#[test]
fn ranges_of_counts_are_rules() {
    let none = Stub::new(RemoteActivationRequest::default());
    let bytes = none.to_vec().unwrap();
    assert_eq!(Stub::<RemoteActivationRequest<'_>>::decode(&bytes).unwrap(), none);
    expect![
        "IActivation::RemoteActivation.Interfaces at byte 32: value 0x0 is not allowed here ([MS-DCOM] 3.1.2.5.2.3.1)"
    ]
    .assert_eq(&Stub::<RemoteActivationRequest<'_>>::decode_strict(&bytes).unwrap_err().to_string());
    let many = RemoteActivationRequest {
        iids: Some(vec![IID_IRASRV]),
        protseqs: vec![7; 0x8001],
        ..RemoteActivationRequest::default()
    };
    assert!(Stub::<RemoteActivationRequest<'_>>::decode_strict(&Stub::new(many).to_vec().unwrap()).is_err());
    let iid = GetIdsOfNamesRequest { iid: IID_IUNKNOWN, ..GetIdsOfNamesRequest::default() };
    let bytes = Stub::new(iid).to_vec().unwrap();
    assert!(Stub::<GetIdsOfNamesRequest<'_>>::decode(&bytes).is_ok());
    assert!(Stub::<GetIdsOfNamesRequest<'_>>::decode_strict(&bytes).is_err());
}

#[test]
fn limits_hold() {
    let refs = vec![RemInterfaceRef::default(); 3];
    let bytes = Stub::new(InterfaceRefs { refs }).to_vec().unwrap();
    let options = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_items(2));
    assert!(Stub::<InterfaceRefs>::decode_with(&bytes, &options).is_err());
    let format = StubFormat::of(Method::RemRelease, Direction::Request);
    let options = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_message(31));
    assert!(Message::read(Method::RemRelease, format, &[0; 32], &options).is_err());
}

#[test]
fn tickets_are_not_shown() {
    let response = GetNoviceUserInfoResponse { name: Some(SecretWideString::new("ticket")), hresult: OK };
    let bstr =
        RemoteConnectionParmsResponse { connection_string: Some(SecretBstr::new("ticket")), hresult: OK };
    assert!(!format!("{response:?}{bstr:?}").contains("ticket"));
    for (method, bytes) in [
        (Method::GetNoviceUserInfo, Stub::new(response).to_vec().unwrap()),
        (Method::RemoteConnectionParms, Stub::new(bstr).to_vec().unwrap()),
    ] {
        let (direction, byte_order) = (Direction::Response, ByteOrder::Little);
        let format = StubFormat { direction, byte_order, orpc_header: false };
        let options = DecodeOptions::STRICT.with_trace(true);
        let decoded = Message::read(method, format, &bytes, &options).unwrap();
        assert!(!format!("{:?}", decoded.value).contains("ticket"));
        let json = serde_json::to_value(&decoded.value).unwrap().to_string();
        assert!(json.contains(r#"{"secret":"ticket"#), "{json}");
        let secret: Vec<_> = decoded.trace.iter().filter(|entry| entry.secret).collect();
        assert_eq!(secret.len(), 1);
        assert!(secret[0].len >= 12);
    }
}

#[test]
fn methods_are_found_by_interface_and_number() {
    for method in Method::ALL {
        assert_eq!(Method::find(&method.interface(), method.opnum()), Some(*method));
        assert!(!method.name().is_empty() && method.section().starts_with("[MS-"));
    }
    for interface in [IID_IPCHSERVICE, IID_IPCHCOLLECTION, IID_ISAFSESSION, IID_IRASRV] {
        assert_eq!(Method::find(&interface, 5), Some(Method::GetIdsOfNames));
        assert_eq!(Method::find(&interface, 6), Some(Method::Invoke));
        assert!((0..3).all(|opnum| Method::find(&interface, opnum).is_none()));
    }
    assert_eq!(Method::find(&IID_IREMUNKNOWN2, 3), Some(Method::RemQueryInterface));
    assert_eq!(Method::find(&IID_IREMUNKNOWN, 6), None);
    assert_eq!(Method::find(&IID_IPCHSERVICE, 7), None);
    assert_eq!(Method::find(&IID_IPCHSERVICE, 21), None);
    assert_eq!(Method::find(&Uuid::nil(), 0), None);
    assert!(!Method::ServerAlive2.has_orpc_header() && Method::RemoteActivation.has_orpc_header());
}

fn text() -> impl Strategy<Value = Option<Bstr<'static>>> {
    proptest::option::of(proptest::option::of(".{0,12}"))
        .prop_map(|text| text.map(|text| text.map_or(Bstr::NULL, |text| Bstr::new(&text))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_for_a_connection_string(a in text(), b in text(), session_id: i32, c in text()) {
        value(RemoteConnectionParmsRequest { user_name: a, domain_name: b, session_id, user_help_blob: c });
    }

    #[test]
    fn any_list_of_sessions(names in proptest::collection::vec(text(), 1..4), two: bool, count: i32, result: u32) {
        let levels = if two { PointerLevels::Two } else { PointerLevels::One };
        let array = SafeArray::new(VarType::BSTR, Elements::Bstr(names));
        let user_names = UserNames { levels, array: Some(Box::new(array)) };
        value(GetSessionInfoResponse { user_names, count, hresult: HResult(result) });
    }

    #[test]
    fn any_ping(set_id: u64, sequence_num: u16, add: Option<[u64; 2]>, del: Option<[u64; 1]>) {
        let (add_to_set, del_from_set) = (add.map(Vec::from), del.map(Vec::from));
        value(ComplexPingRequest { set_id, sequence_num, add_to_set, del_from_set });
    }

    #[test]
    fn any_stub_data(choice: [u8; 2], stub in proptest::collection::vec(0_u8..4, 0..96)) {
        let (method, format) = dcom::choose(choice);
        dcom::message(method, format, &stub);
    }
}
