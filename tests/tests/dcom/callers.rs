//! Callers that protect too little, and callers that write otherwise than ours.

use ndr_oaut::{
    ActivationProperties, ByteOrder, ComVersion, CustomObjRef, InstantiationInfoData, InterfacePointer,
    ObjRef, ObjRefBody, OrpcExtent, OrpcExtentArray, OrpcThis,
};
use ra_dcom::calls::*;
use ra_dcom::novice::{Answer, Call, Endpoints, Identity, Novice, NoviceLimits, Port, Question, Step};
use ra_dcom::{ErrorStatus, HResult};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Time};
use rpc_net::{AuthLevel, ConnectOptions, Connection, Error, Status, SyntaxId};
use uuid::Uuid;

use crate::bench::{Bench, PATIENT, options};

const VERSION: ComVersion = ComVersion { major: 5, minor: 7 };

fn this(extensions: Option<OrpcExtentArray<'static>>) -> OrpcThis<'static> {
    OrpcThis { version: VERSION, flags: 0, reserved1: 0, cid: Uuid::max(), extensions }
}

fn stub(this: Option<OrpcThis<'static>>, byte_order: ByteOrder, parameters: Request<'static>) -> Vec<u8> {
    let message = Message::new(Body::Request { this, parameters });
    Message { byte_order, ..message }.to_vec().unwrap()
}

fn read(method: Method, stub: &[u8]) -> Response<'static> {
    let format = StubFormat::of(method, Direction::Response);
    let answer = Message::read(method, format, stub, &DecodeOptions::STRICT).unwrap().value.into_owned();
    let Body::Response { parameters, .. } = answer.body else { unreachable!() };
    parameters
}

/// Whoever proves nothing, or proves it once and for all, gets only what everybody gets.
#[tokio::test]
async fn below_packet_integrity_there_is_fault_5() {
    let bench = Bench::local(3, 0).await;
    let with = |level| {
        let mut connect = options("eva", 0, PATIENT).connect;
        connect.level = level;
        connect
    };
    for connect in [
        ConnectOptions::default(),
        with(AuthLevel::CONNECT),
        with(AuthLevel::CALL),
        with(AuthLevel::INTEGRITY),
    ] {
        // Ours makes packet integrity of what is between.
        let weak = connect.credentials.is_none() || connect.level == AuthLevel::CONNECT;
        let (resolver, objects) = (bench.resolver(), bench.server.object_addrs()[0]);
        let resolver = Connection::connect(resolver, &connect).await.unwrap();
        let exporter = resolver.interface(SyntaxId::new(IID_IOBJECTEXPORTER, 0, 0)).await.unwrap();
        for opnum in [3, 5] {
            exporter.call(opnum, None, Vec::new()).await.unwrap();
        }
        let request = ResolveOxidRequest { oxid: 1, protseqs: vec![7] };
        let request = stub(None, ByteOrder::Little, Request::ResolveOxid2(request));
        let resolved = exporter.call(4, None, request).await;
        if weak {
            assert_eq!(resolved.unwrap_err(), Error::Fault(Status::ACCESS_DENIED), "{:?}", connect.level);
        } else {
            let Response::ResolveOxid2(answer) = read(Method::ResolveOxid2, &resolved.unwrap().stub) else {
                panic!()
            };
            assert_eq!(answer.status, ErrorStatus::INVALID_OXID);
        }
        let objects = Connection::connect(objects, &connect).await.unwrap();
        for (connection, iid, opnums) in [
            (&resolver, IID_IREMOTESCMACTIVATOR, [3, 4]),
            (&resolver, IID_IACTIVATION, [0, 9]),
            (&objects, IID_IRASRV, [7, 8]),
            (&objects, IID_IREMUNKNOWN, [3, 5]),
        ] {
            let interface = connection.interface(SyntaxId::new(iid, 0, 0)).await.unwrap();
            for opnum in opnums {
                let error = interface.call(opnum, Some(Uuid::max()), Vec::new()).await.unwrap_err();
                // Above, it gets as far as the parameters, which are missing.
                assert_eq!(error == Error::Fault(Status::ACCESS_DENIED), weak, "{iid}, {opnum}: {error:?}");
            }
        }
    }
    assert_eq!(bench.server.counts(), Default::default());
}

/// A novice without a network, and one object of its.
struct Bare {
    novice: Novice,
    eva: Identity,
}

impl Bare {
    fn call(
        &mut self,
        port: Port,
        method: Method,
        object: Option<Uuid>,
        byte_order: ByteOrder,
        stub: &[u8],
    ) -> Step {
        let interface = SyntaxId::new(method.interface(), 0, 0);
        let (caller, opnum) = (Some(&self.eva), method.opnum());
        let call = Call { caller, interface, opnum, object, stub, byte_order, local: None };
        self.novice.call(Time(0), port, &call)
    }

    fn answered(&mut self, step: Step, method: Method, answer: Answer) -> Response<'static> {
        let Step::Ask(pending) = step else { panic!("{step:?}") };
        let reply = self.novice.answer(Time(0), pending, answer);
        read(method, &reply.stub.unwrap())
    }
}

/// Both byte orders, extensions of requests, and verification trailers behind the last parameter.
#[test]
fn requests_in_both_byte_orders_with_extensions_and_trailers() {
    let endpoints =
        Endpoints { addresses: Vec::new(), hostname: None, resolver_port: 135, object_port: 49_152 };
    let mut next = 0_u8;
    let random = move |bytes: &mut [u8]| {
        next += 1;
        bytes.fill(next);
    };
    let novice = Novice::new(endpoints, NoviceLimits::default(), random).unwrap();
    let mut bare = Bare { novice, eva: Identity { domain: "DESK".into(), user: "eva".into() } };
    let extent = OrpcExtent { id: Uuid::max(), data: vec![1; 11].into() };
    let extensions = OrpcExtentArray::new(vec![extent]);
    // [MS-RPCE] 2.2.2.13, with an empty bitmask.
    let trailer = [0x8A, 0xE3, 0x13, 0x71, 0x02, 0xF4, 0x36, 0x71, 1, 0x40, 4, 0, 0, 0, 0, 0];
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for extensions in [None, Some(extensions.clone())] {
            for trailer in [&[][..], &trailer] {
                let what = InstantiationInfoData::new(CLSID_RASRV, vec![IID_IRASRV]);
                let properties = CustomObjRef::request(ActivationProperties::new(vec![what.into()]));
                let objref = properties.to_vec().unwrap().into();
                let act_properties = Some(InterfacePointer { objref });
                let request = RemoteCreateInstanceRequest { unk_outer: None, act_properties };
                let mut bytes =
                    stub(Some(this(extensions.clone())), order, Request::RemoteCreateInstance(request));
                bytes.extend(trailer);
                let method = Method::RemoteCreateInstance;
                let step = bare.call(Port::Resolver, method, None, order, &bytes);
                let Response::RemoteCreateInstance(told) = bare.answered(step, method, Answer::Allowed)
                else {
                    panic!()
                };
                assert_eq!(told.hresult, HResult::S_OK);
                let blob = told.act_properties.unwrap().objref;
                let blob = CustomObjRef::<ActivationProperties<'_>>::decode(&blob).unwrap();
                let pointer = blob.value.props_out_info().unwrap().interfaces[0].pointer.clone().unwrap();
                let ObjRefBody::Standard { std, .. } = ObjRef::decode(&pointer.objref).unwrap().body else {
                    panic!()
                };

                let request = Request::GetSessionInfo(GetSessionInfoRequest::default());
                let mut bytes = stub(Some(this(extensions.clone())), order, request);
                bytes.extend(trailer);
                let method = Method::GetSessionInfo;
                let step = bare.call(Port::Objects, method, Some(std.ipid), order, &bytes);
                assert!(matches!(&step, Step::Ask(pending) if *pending.question() == Question::Sessions));
                let Response::GetSessionInfo(told) =
                    bare.answered(step, method, Answer::Sessions(Vec::new()))
                else {
                    panic!()
                };
                assert_eq!((told.count, told.hresult), (0, HResult::S_OK));
            }
        }
    }
    assert_eq!(bare.novice.counts().objects, 8);
}
