//! A novice that answers as a test wants: a service of rpc-net that knows every call, and gives usual answers where a test
//! gives none.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndr_oaut::{
    ActivationProperties, Bstr, ComVersion, CustomObjRef, DualStringArray, InterfacePointer, ObjRef,
    ObjRefBody, OrpcThat, PropsOut, PropsOutInfo, Ref, RemoteReplyScmInfo, ScmReplyInfoData, StdObjRef,
    StringBinding, Variant,
};
use ra_dcom::calls::*;
use ra_dcom::expert::{DcomOptions, Expert, ExpertError};
use ra_dcom::{ErrorStatus, HResult, SessionName, SessionStateEnum};
use remassist_core::{Blob, DecodeOptions, Encode as _};
use rpc_net::{
    AuthLevel, ConnectOptions, Credentials, IncomingCall, MemoryAccounts, NoAudit, Server, ServerOptions,
    Service, Status, SyntaxId,
};
use tokio::net::TcpListener;
use tokio::time::timeout;
use uuid::{Uuid, uuid};

use crate::pair::{LIMIT, PASSWORD};

pub const OXID: u64 = 0x0123;
pub const REM_UNKNOWN: Uuid = uuid!("00000000-1111-2222-3333-444444444444");
const IPID: Uuid = uuid!("00000001-1111-2222-3333-444444444444");

/// What a method is answered with.
pub type Reply = Result<Response<'static>, Status>;
type Answer = Box<dyn Fn(&Request<'static>, &Usual) -> Reply + Send + Sync>;

/// What usual answers are made of.
#[derive(Clone)]
pub struct Usual {
    pub version: ComVersion,
    pub bindings: Vec<(u16, String)>,
    pub port: u16,
}

impl Usual {
    pub fn bindings(&self) -> DualStringArray {
        let binding = |(tower_id, address): &(u16, String)| StringBinding {
            tower_id: *tower_id,
            network_address: address.replace("PORT", &self.port.to_string()),
        };
        DualStringArray::new(&self.bindings.iter().map(binding).collect::<Vec<_>>(), &[])
    }

    /// What RemoteCreateInstance says when it succeeds.
    pub fn activated(
        &self,
        iid: Uuid,
        pointer: Option<InterfacePointer<'static>>,
        hresult: HResult,
    ) -> Reply {
        let remote_reply = Ref(RemoteReplyScmInfo {
            oxid: OXID,
            oxid_bindings: Ref(self.bindings()),
            ipid_rem_unknown: REM_UNKNOWN,
            authn_hint: 6,
            server_version: self.version,
        });
        let interfaces = vec![PropsOut { iid, hresult: hresult.0, pointer }];
        let properties = vec![
            PropsOutInfo { interfaces }.into(),
            ScmReplyInfoData { pdw_reserved: None, remote_reply }.into(),
        ];
        let objref = CustomObjRef::reply(ActivationProperties::new(properties)).to_vec().unwrap();
        let act_properties = Some(InterfacePointer { objref: objref.into() });
        Ok(Response::RemoteCreateInstance(ActivationResponse { act_properties, hresult: HResult::S_OK }))
    }

    fn answer(&self, request: &Request<'static>) -> Reply {
        let hresult = HResult::S_OK;
        let status = ErrorStatus::SUCCESS;
        Ok(match request {
            Request::ServerAlive2(_) => Response::ServerAlive2(ServerAlive2Response {
                com_version: self.version,
                bindings: Some(self.bindings()),
                reserved: 0,
                status,
            }),
            Request::RemoteCreateInstance(_) => {
                let iid = requested(request);
                return self.activated(iid, Some(standard(iid, std())), hresult);
            }
            Request::RemoteActivation(request) => {
                let iid = request.iids.as_ref().unwrap()[0];
                Response::RemoteActivation(RemoteActivationResponse {
                    oxid: OXID,
                    bindings: Some(self.bindings()),
                    ipid_rem_unknown: REM_UNKNOWN,
                    authn_hint: 6,
                    server_version: self.version,
                    hr: hresult,
                    interfaces: vec![Some(standard(iid, std()))],
                    results: vec![hresult],
                    status,
                })
            }
            Request::ResolveOxid2(_) => Response::ResolveOxid2(ResolveOxid2Response {
                bindings: None,
                ipid_rem_unknown: Uuid::nil(),
                authn_hint: 6,
                com_version: self.version,
                status: ErrorStatus::INVALID_OXID,
            }),
            Request::ComplexPing(_) => {
                Response::ComplexPing(ComplexPingResponse { set_id: 1, ping_backoff_factor: 0, status })
            }
            Request::SimplePing(_) => Response::SimplePing(StatusOnly { status }),
            Request::RemRelease(_) => Response::RemRelease(ResultOnly { hresult }),
            Request::RemAddRef(refs) => {
                Response::RemAddRef(RemAddRefResponse { results: vec![hresult; refs.refs.len()], hresult })
            }
            Request::RemQueryInterface(_) => Response::RemQueryInterface(RemQueryInterfaceResponse {
                results: Some(vec![RemQiResult { hresult, std: std() }]),
                hresult,
            }),
            Request::GetSessionInfo(request) => {
                let name = |user: &str, id| SessionName { domain: "D".into(), user: user.into(), id };
                Response::GetSessionInfo(GetSessionInfoResponse::new(request, &[name("a", 1), name("b", 2)]))
            }
            Request::GetNoviceUserInfo(_) => ticket(Some("ticket")),
            Request::RemoteUserSessionInfo(_) => {
                let collection = Some(standard(IID_IPCHCOLLECTION, std()));
                Response::RemoteUserSessionInfo(RemoteUserSessionInfoResponse { collection, hresult })
            }
            Request::RemoteConnectionParms(_) => {
                let connection_string = Some(SecretBstr::new("old ticket"));
                Response::RemoteConnectionParms(RemoteConnectionParmsResponse { connection_string, hresult })
            }
            Request::Count(_) => Response::Count(CountResponse { count: 2, hresult }),
            Request::Item(_) => item(Some(standard(IID_ISAFSESSION, std()))),
            Request::GetSessionId(_) => {
                Response::GetSessionId(GetSessionIdResponse { session_id: 7, hresult })
            }
            Request::GetSessionState(_) => Response::GetSessionState(GetSessionStateResponse {
                state: SessionStateEnum::ACTIVE,
                hresult,
            }),
            Request::GetDomainName(_) => {
                Response::GetDomainName(GetDomainNameResponse { domain_name: Some(Bstr::new("D")), hresult })
            }
            Request::GetUserName(_) => {
                Response::GetUserName(GetUserNameResponse { user_name: Some(Bstr::new("o")), hresult })
            }
            _ => return Err(Status::OP_RNG_ERROR),
        })
    }
}

/// An object of this exporter, with five references.
pub fn std() -> StdObjRef {
    StdObjRef { flags: 0, public_refs: 5, oxid: OXID, oid: 9, ipid: IPID }
}

pub fn pointer(iid: Uuid, body: ObjRefBody<'static>) -> InterfacePointer<'static> {
    InterfacePointer { objref: ObjRef { iid, body }.to_vec().unwrap().into() }
}

pub fn standard(iid: Uuid, std: StdObjRef) -> InterfacePointer<'static> {
    pointer(iid, ObjRefBody::Standard { std, resolver: DualStringArray::new(&[], &[]) })
}

pub fn custom(iid: Uuid) -> InterfacePointer<'static> {
    let data = Blob::from(vec![1, 2, 3, 4]);
    pointer(iid, ObjRefBody::Custom { clsid: Uuid::max(), extension: 0, reserved: 0, data })
}

pub fn ticket(text: Option<&str>) -> Response<'static> {
    let name = text.map(SecretWideString::new);
    Response::GetNoviceUserInfo(GetNoviceUserInfoResponse { name, hresult: HResult::S_OK })
}

pub fn item(object: Option<InterfacePointer<'static>>) -> Response<'static> {
    Response::Item(ItemResponse { entry: Some(Variant::Dispatch(object)), hresult: HResult::S_OK })
}

/// The interface that RemoteCreateInstance is asked for.
pub fn requested(request: &Request<'_>) -> Uuid {
    let Request::RemoteCreateInstance(request) = request else { panic!("{request:?}") };
    let blob = &request.act_properties.as_ref().unwrap().objref;
    let properties =
        <CustomObjRef<ActivationProperties<'_>> as remassist_core::Decode>::decode(blob).unwrap();
    properties.value.instantiation_info().unwrap().iids[0]
}

pub struct Script {
    answers: BTreeMap<Method, Answer>,
    missing: Vec<Uuid>,
    pub usual: Usual,
    that: OrpcThat<'static>,
    /// What was called, in order.
    pub calls: Mutex<Vec<Request<'static>>>,
}

impl Script {
    pub fn new() -> Self {
        Self {
            answers: BTreeMap::new(),
            missing: Vec::new(),
            usual: Usual {
                version: ComVersion { major: 5, minor: 7 },
                bindings: vec![(7, "127.0.0.1[PORT]".to_owned())],
                port: 0,
            },
            that: OrpcThat::default(),
            calls: Mutex::default(),
        }
    }

    /// Answers a method so.
    pub fn on(
        mut self,
        method: Method,
        answer: impl Fn(&Request<'static>, &Usual) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.answers.insert(method, Box::new(answer));
        self
    }

    /// Does not have an interface.
    pub fn without(mut self, interface: Uuid) -> Self {
        self.missing.push(interface);
        self
    }

    pub fn version(mut self, major: u16, minor: u16) -> Self {
        self.usual.version = ComVersion { major, minor };
        self
    }

    pub fn bindings(mut self, bindings: &[&str]) -> Self {
        self.usual.bindings = bindings.iter().map(|address| (7, (*address).to_owned())).collect();
        self
    }

    pub fn with_that(mut self, that: OrpcThat<'static>) -> Self {
        self.that = that;
        self
    }

    pub async fn serve(mut self) -> Scripted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        self.usual.port = listener.local_addr().unwrap().port();
        let script = Arc::new(self);
        let accounts = Arc::new(MemoryAccounts::new().with(None, "eva", PASSWORD));
        let mut options = ServerOptions::default();
        options.max_connections_per_address = 256;
        let service = Arc::clone(&script);
        let server = Server::serve(vec![listener], service, accounts, Arc::new(NoAudit), options).unwrap();
        Scripted { server, script }
    }
}

impl Service for Script {
    fn supports(&self, interface: &SyntaxId) -> bool {
        !self.missing.contains(&interface.uuid)
    }

    fn minimum_level(&self, interface: &SyntaxId, opnum: u16) -> AuthLevel {
        let open = interface.uuid == IID_IOBJECTEXPORTER && opnum == 5;
        if open { AuthLevel::NONE } else { AuthLevel::PRIVACY }
    }

    async fn call(&self, call: IncomingCall) -> Result<Vec<u8>, Status> {
        let method = Method::find(&call.interface.uuid, call.opnum).ok_or(Status::OP_RNG_ERROR)?;
        let format = StubFormat::of(method, Direction::Request);
        let message = Message::read(method, format, &call.stub, &DecodeOptions::STRICT).unwrap();
        let Body::Request { parameters, .. } = message.value.into_owned().body else { unreachable!() };
        self.calls.lock().unwrap().push(parameters.clone());
        let parameters = match self.answers.get(&method) {
            Some(answer) => answer(&parameters, &self.usual),
            None => self.usual.answer(&parameters),
        }?;
        let that = method.has_orpc_header().then(|| self.that.clone());
        Ok(Message::new(Body::Response { that, parameters }).to_vec().unwrap())
    }
}

pub struct Scripted {
    pub server: Server,
    pub script: Arc<Script>,
}

impl Scripted {
    pub fn options(&self) -> DcomOptions {
        let mut connect = ConnectOptions::new(Credentials::new("DESK", "eva", PASSWORD));
        connect.connect_timeout = Duration::from_secs(5);
        let mut options = DcomOptions::new(connect);
        options.port = self.server.local_addrs()[0].port();
        options
    }

    pub async fn connect(&self) -> Result<Expert, ExpertError> {
        timeout(LIMIT, Expert::connect("127.0.0.1", self.options())).await.unwrap()
    }

    pub async fn expert(&self) -> Expert {
        self.connect().await.unwrap()
    }

    /// The calls since it was asked for the last time.
    pub fn called(&self) -> Vec<Method> {
        std::mem::take(&mut *self.script.calls.lock().unwrap()).iter().map(Request::method).collect()
    }

    /// References given and given back, by RemRelease and RemAddRef.
    pub fn released(&self) -> u64 {
        let calls = self.script.calls.lock().unwrap();
        let refs = calls.iter().filter_map(|call| match call {
            Request::RemRelease(refs) => Some(&refs.refs),
            _ => None,
        });
        refs.flatten().map(|reference| u64::from(reference.public_refs)).sum()
    }
}
