//! The novice on loopback, called by our own RPC client: that both ports serve, and whom.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ndr_oaut::{ActivationProperties, CustomObjRef, InterfacePointer, OrpcThis};
use ra_dcom::HResult;
use ra_dcom::calls::*;
use ra_dcom::novice::{
    Identity, NoviceAudit, NoviceEvent, NoviceOptions, NoviceServer, Refusal, Session, SessionChoice,
    SingleSession, TicketForm, TicketRequest,
};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Secret};
use rpc_net::{Audit, AuditEvent, ConnectOptions, Connection, Credentials, Error, MemoryAccounts, Status};
use testkit::novice::{pointer, syntax, wanted};
use uuid::Uuid;

const TICKET: &str = "the ticket that lets in";

#[derive(Default)]
struct Told {
    novice: Mutex<Vec<NoviceEvent>>,
    all: Mutex<String>,
}

impl Audit for Told {
    fn event(&self, event: &AuditEvent) {
        *self.all.lock().unwrap() += &format!("{event:?}\n");
    }
}

impl NoviceAudit for Told {
    fn novice_event(&self, _: SocketAddr, event: &NoviceEvent) {
        self.novice.lock().unwrap().push(event.clone());
        *self.all.lock().unwrap() += &format!("{event:?}\n");
    }
}

async fn start() -> (NoviceServer, Arc<Told>) {
    let make = |request: &TicketRequest| match request.form {
        TicketForm::ConnectionString1 => Err(Refusal::AlreadyRunning),
        TicketForm::ConnectionString2 => Ok(Secret::new(TICKET.to_owned())),
    };
    let helpers = vec![Identity::new("", "alice"), Identity::new("DOM", "carol")];
    let provider = SingleSession::new(Session::active("DOM", "ann", 3), helpers, make);
    let mut accounts = MemoryAccounts::new();
    for user in ["alice", "bob", "carol"] {
        accounts = accounts.with(None, user, "secret");
    }
    let told = Arc::new(Told::default());
    let audit: Arc<dyn NoviceAudit> = told.clone();
    let options = NoviceOptions::at("127.0.0.1:0".parse().unwrap());
    let server = NoviceServer::start(options, Arc::new(provider), Arc::new(accounts), audit).await.unwrap();
    (server, told)
}

async fn call(
    connection: &Connection,
    object: Option<Uuid>,
    request: Request<'static>,
) -> Result<Response<'static>, Error> {
    let method = request.method();
    let this = method.has_orpc_header().then(OrpcThis::default);
    let stub = Message::new(Body::Request { this, parameters: request }).to_vec().unwrap();
    let interface = connection.interface(syntax(method.interface())).await?;
    let reply = interface.call(method.opnum(), object, stub).await?;
    let format = StubFormat::of(method, Direction::Response);
    let read = Message::read(method, format, &reply.stub, &DecodeOptions::STRICT).unwrap();
    match read.value.into_owned().body {
        Body::Response { parameters, .. } => Ok(parameters),
        Body::Request { .. } => panic!("{method:?}"),
    }
}

async fn connect(address: SocketAddr, user: &str, password: &str) -> Connection {
    let options = ConnectOptions::new(Credentials::new("DOM", user, password));
    Connection::connect(address, &options).await.unwrap()
}

async fn activate(resolver: &Connection, clsid: Uuid, iid: Uuid) -> Result<(u16, Uuid), HResult> {
    let objref = CustomObjRef::request(wanted(clsid, &[iid], Some(3))).to_vec().unwrap();
    let act_properties = Some(InterfacePointer { objref: objref.into() });
    let request = RemoteCreateInstanceRequest { unk_outer: None, act_properties };
    let answer = call(resolver, None, Request::RemoteCreateInstance(request)).await.unwrap();
    let Response::RemoteCreateInstance(made) = answer else { panic!() };
    made.hresult.ok()?;
    let objref = made.act_properties.unwrap().objref;
    let made = CustomObjRef::<ActivationProperties<'_>>::decode_strict(&objref).unwrap().value;
    let bindings = made.scm_reply_info().unwrap().remote_reply.0.oxid_bindings.0.string_bindings();
    let (host, port) = bindings[0].network_address.split_once('[').unwrap();
    assert_eq!(host, "127.0.0.1");
    let ipid = pointer(&made.props_out_info().unwrap().interfaces[0].pointer).1.ipid;
    Ok((port.trim_end_matches(']').parse().unwrap(), ipid))
}

#[tokio::test]
async fn a_helper_gets_a_ticket_and_others_get_nothing() {
    let (server, told) = start().await;
    let resolver = server.resolver_addrs()[0];
    let alice = connect(resolver, "alice", "secret").await;
    let (port, ipid) = activate(&alice, CLSID_RASRV, IID_IRASRV).await.unwrap();
    assert_eq!(port, server.object_addrs()[0].port());
    let objects = server.object_addrs()[0];
    let helper = connect(objects, "ALICE", "secret").await;
    let request = || Request::GetNoviceUserInfo(GetNoviceUserInfoRequest::default());
    let Ok(Response::GetNoviceUserInfo(got)) = call(&helper, Some(ipid), request()).await else { panic!() };
    assert_eq!((got.hresult, got.name), (HResult::S_OK, Some(SecretWideString::new(TICKET))));

    // Another account, another helper, a wrong password.
    let bob = connect(resolver, "bob", "secret").await;
    assert_eq!(activate(&bob, CLSID_RASRV, IID_IRASRV).await, Err(HResult::E_ACCESSDENIED));
    let carol = connect(objects, "carol", "secret").await;
    let refused = call(&carol, Some(ipid), request()).await;
    assert_eq!(refused, Err(Error::Fault(Status(HResult::RPC_E_INVALID_IPID.0))));
    let wrong = connect(objects, "alice", "wrong").await;
    assert!(call(&wrong, Some(ipid), request()).await.is_err());

    // The other class, and what the machine refuses.
    let (_, pch) = activate(&alice, CLSID_PCHSERVICE, IID_IPCHSERVICE).await.unwrap();
    for (user, hresult) in [("ann", HResult::ERROR_CANNOT_MAKE), ("zoe", HResult::ERROR_NONE_MAPPED)] {
        let request = RemoteConnectionParmsRequest::new(user, "dom", 3, "DOM\\alice");
        let request = Request::RemoteConnectionParms(request);
        let Ok(Response::RemoteConnectionParms(got)) = call(&helper, Some(pch), request).await else {
            panic!()
        };
        assert_eq!(got.hresult, hresult);
    }
    server.shutdown().await;

    let given = told.novice.lock().unwrap().iter().any(|event| match event {
        NoviceEvent::TicketGiven { caller, session: SessionChoice::Id(3), user: None, .. } => {
            *caller == Identity::new("DOM", "alice")
        }
        _ => false,
    });
    assert!(given);
    let all = told.all.lock().unwrap();
    assert!(all.contains("Refused") && !all.contains(TICKET) && !all.contains("secret"), "{all}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let (server, _) = start().await;
    let options = NoviceOptions::at(server.resolver_addrs()[0]);
    let provider = SingleSession::new(Session::active("D", "u", 1), Vec::new(), |_: &TicketRequest| {
        Err(Refusal::Failed)
    });
    let accounts = Arc::new(MemoryAccounts::new());
    let again = NoviceServer::start(options, Arc::new(provider), accounts, Arc::new(rpc_net::NoAudit)).await;
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    server.shutdown().await;
}
