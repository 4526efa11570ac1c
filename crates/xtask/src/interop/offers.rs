//! impacket as expert, novices of ours: made-up sessions with the example of `ra-dcom`.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::dcom::{Peers, holds};
use super::impacket::lines;
use super::program::Program;
use super::relay::Relay;
use super::tshark::judge_rpc;
use crate::run::Result;

pub const HELPER: [&str; 4] = ["--user", "alice", "--password", "Pass123!"];
const INTEGRITY: [&str; 2] = ["--level", "integrity"];
const PRIVACY: [&str; 2] = ["--level", "privacy"];

/// Below packet integrity, and for whoever is not who it says.
const DENIED: &str = "0x00000005";
const OP_RNG_ERROR: &str = "0x1c010002";
const INVALID_IPID: &str = "0x80010113";

/// A step of the script, and what must be in its answer; "result" is "ok" where nothing else is said.
pub type Step<'s> = (&'s str, Value);

fn hresult(code: &str) -> Value {
    json!({ "result": "hresult", "code": code })
}

fn fault(status: &str) -> Value {
    json!({ "result": "fault", "status": status })
}

fn names(names: &Value) -> Value {
    json!({ "names": names, "count": names.as_array().map(Vec::len) })
}

fn ticket(number: u32, session: u32) -> Value {
    json!({ "text": format!(
        "<E><A KH=\"kh\" ID=\"ticket {number} of session {session}\"/><C><T ID=\"1\" SID=\"0\"><L P=\"3389\" N=\"127.0.0.1\"/></T></C></E>"
    ) })
}

fn old_ticket(number: u32, session: u32) -> Value {
    json!({ "text": format!("65538,1,127.0.0.1:3389,*,ticket {number} of session {session},*,*,kh") })
}

fn session(domain: Option<&str>, user: Option<&str>, id: u32, state: &str) -> Value {
    json!({ "domain": domain, "user": user, "id": id, "state": state })
}

/// Of all kinds.
fn odd() -> Value {
    json!([
        session(Some("DOM"), Some("alice"), 1, "pchActive"),
        session(Some("D\u{d6}M"), Some("\u{65e5}\u{672c}\u{1f600}"), 2, "pchConnected"),
        session(None, Some("nobody"), 3, "pchActive"),
        session(None, None, 4, "pchListen"),
        session(Some("DOM"), Some("idle"), 5, "pchIdle"),
        session(Some("DOM"), Some("gone"), 6, "pchDisconnected"),
        session(Some("DOM"), Some("bob"), 0xFFFF_FFFE, "pchShadow"),
    ])
}

/// How IRASrv tells [`odd`]: without those that are idle or disconnected, and NULL for those without a name.
fn odd_names() -> Value {
    json!(["DOM\\alice:1", "D\u{d6}M\\\u{65e5}\u{672c}\u{1f600}:2", null, null, "DOM\\bob:4294967294"])
}

/// How the getters of ISAFSession tell sessions.
fn getters(sessions: &Value) -> Value {
    let told = |session: &Value| {
        let mut session = session.clone();
        session["state"] = json!(session["state"].as_str().unwrap_or_default().trim_start_matches("pch"));
        session
    };
    sessions.as_array().into_iter().flatten().map(told).collect()
}

/// A novice with made-up sessions, that ends with its value.
struct Novice {
    resolver: SocketAddr,
    objects: SocketAddr,
    program: Program,
}

impl Novice {
    fn start(peers: &Peers, sessions: &Value, refusal: Option<&str>) -> Result<Self> {
        let account = |user: &str| json!({ "user": user, "password": "Pass123!" });
        let file = json!({
            "resolver": "127.0.0.1:0",
            "accounts": [account("alice"), account("mallory")],
            "helpers": ["alice"],
            "sessions": sessions,
            "refusal": refusal,
        });
        let path = peers.folder.join("novice.json");
        fs::write(&path, file.to_string()).map_err(|e| e.to_string())?;
        let mut program = Program::start(Command::new(&peers.programs.novice).arg(path))?;
        let listening = program.wait("listening")?;
        let address = |name: &str| listening[name][0].as_str().and_then(|address| address.parse().ok());
        let (resolver, objects) = address("resolver").zip(address("objects")).ok_or("no addresses")?;
        Ok(Self { resolver, objects, program })
    }

    fn ask(&self, peers: &Peers, options: &[&str], steps: &[Step<'_>]) -> Result<Vec<Value>> {
        ask(peers, self.resolver.port(), &[&HELPER[..], options].concat(), steps)
    }
}

/// Runs the steps, and looks whether each answer is what it must be.
pub fn ask(peers: &Peers, port: u16, options: &[&str], steps: &[Step<'_>]) -> Result<Vec<Value>> {
    let mut script = peers.impacket.script("impacket_expert.py");
    script.args(["--port", &port.to_string()]).args(options).args(steps.iter().map(|(step, _)| step));
    let told = lines(&mut script)?;
    if told.len() != steps.len() {
        return Err(format!("{} answers to {} steps: {told:?}", told.len(), steps.len()));
    }
    for ((step, expected), told) in steps.iter().zip(&told) {
        let wanted = expected["result"].as_str().unwrap_or("ok");
        if told["result"] != wanted || !holds(told, expected) {
            return Err(format!("{step} with {options:?}: not \"{wanted}\" with {expected}, but {told}"));
        }
    }
    Ok(told)
}

/// What every activation tells.
fn made(interface: &str) -> Value {
    json!({
        "interfaces": [{ "interface": interface, "public_references": 5, "flags": 0 }],
        "version": "5.7",
        "authn_hint": 6,
        "security": [9, 10],
    })
}

/// With activation properties: two, in this order, and exact sizes.
fn made_by_properties(interface: &str) -> Value {
    let mut made = made(interface);
    made["properties"] =
        json!(["00000339-0000-0000-C000-000000000046", "000001B6-0000-0000-C000-000000000046"]);
    made["object_reference_size"] = json!(8);
    made["sizes_exact"] = json!(true);
    made
}

pub fn ra_srv(peers: &Peers) -> Result {
    for level in [INTEGRITY, PRIVACY] {
        let novice = Novice::start(peers, &odd(), None)?;
        let (created, all) = (made_by_properties("IRASrv"), names(&odd_names()));
        let steps = [
            ("server-alive", json!({})),
            ("server-alive,level=none", json!({})),
            ("server-alive2,level=none", json!({ "version": "5.7", "security": [9, 10] })),
            ("activate", created.clone()),
            ("resolve-oxid", json!({ "authn_hint": 6, "same_as_activation": true })),
            ("resolve-oxid2", json!({ "version": "5.7", "same_as_activation": true })),
            ("resolve-oxid2,oxid=0x1234", hresult("0x00000776")),
            ("get-session-info,form=one", all.clone()),
            ("get-session-info,form=two", all.clone()),
            ("get-session-info,form=one,given=names", all.clone()),
            ("get-session-info,form=two,given=empty", all.clone()),
            ("get-novice-user-info", ticket(1, 1)),
            ("get-novice-user-info,given=nothing", ticket(2, 1)),
            ("activate,session=2", created.clone()),
            ("get-novice-user-info", ticket(3, 2)),
            ("activate,session=0xffffffff", created.clone()),
            ("get-novice-user-info", ticket(4, 1)),
            ("activate,session=9", hresult("0x8000401a")),
            ("activate,via=activation", made("IRASrv")),
            ("get-novice-user-info", ticket(5, 1)),
            ("activate,via=class-object", made_by_properties("IClassFactory")),
            ("activate,version=5.1", json!({})),
            ("activate,version=6.0", hresult("0x80010110")),
            ("activate,surplus=3", created.clone()),
            ("activate,order=reversed", created.clone()),
            ("activate,size=0", created.clone()),
            ("activate,this-size=0", created.clone()),
            ("activate,class=unknown", hresult("0x80040154")),
            ("activate,iids=nobody's", hresult("0x80004002")),
            (
                "activate,iids=IRASrv+nobody's",
                json!({ "interfaces": [{ "interface": "IRASrv" }, { "code": "0x80004002" }] }),
            ),
            (
                "query-interface,iids=IDispatch+IPCHService+IUnknown",
                json!({ "interfaces": [
                    { "interface": "IDispatch", "code": "0x00000000", "same_object": true, "public_references": 5 },
                    { "interface": "IPCHService", "code": "0x80004002" },
                    { "interface": "IUnknown", "code": "0x00000000", "same_object": true },
                ] }),
            ),
            (
                "query-interface,interface=IRemUnknown2",
                json!({ "interfaces": [{ "interface": "IDispatch", "code": "0x00000000" }] }),
            ),
            ("get-ids-of-names", json!({ "ids": [2] })),
            ("get-ids-of-names,name=nothing", hresult("0x80020006")),
            ("invoke,id=2", hresult("0x8002000e")),
            ("impacket", all.clone()),
        ];
        novice.ask(peers, &level, &steps)?;
    }
    for (refusal, code) in [("policy", "0x800704ec"), ("running", "0x80070052"), ("memory", "0x8007000e")] {
        let novice = Novice::start(peers, &odd(), Some(refusal))?;
        let steps = [("activate", json!({})), ("get-novice-user-info", hresult(code))];
        novice.ask(peers, &PRIVACY, &steps)?;
    }
    Ok(())
}

pub fn pch_service(peers: &Peers) -> Result {
    for level in [INTEGRITY, PRIVACY] {
        let novice = Novice::start(peers, &odd(), None)?;
        let session =
            |id, state: &str, user: &str| json!({ "id": id, "state": state, "domain": null, "user": user });
        let steps = [
            ("activate,class=pchservice,via=class-object", made_by_properties("IClassFactory")),
            ("activate,class=pchservice,via=activation", made("IPCHService")),
            ("activate,class=pchservice", made_by_properties("IPCHService")),
            ("sessions", json!({ "sessions": getters(&odd()) })),
            ("remote-connection-parms,user=alice,domain=DOM", old_ticket(1, 1)),
            ("remote-connection-parms,user=ALICE,domain=dom,session=1,blob=null", old_ticket(2, 1)),
            ("remote-connection-parms,user=bob,domain=DOM,session=0xfffffffe", hresult("0x80070534")),
            ("remote-connection-parms,user=eve,domain=DOM", hresult("0x80070534")),
            ("remote-connection-parms,user=alice,domain=DOM,session=2", hresult("0x80070534")),
            ("remote-connection-parms", hresult("0x80070534")),
            ("remote-connection-parms,null=pointer", hresult("0x80070534")),
            ("count", json!({ "count": 7 })),
            ("item,index=0", hresult("0x80070057")),
            ("item,index=8", hresult("0x80070057")),
            ("item,index=-1", hresult("0x80070057")),
            ("item,index=1", json!({ "vt": 9, "interface": "IDispatch" })),
            ("set-session,field=user,value=\u{1f600}", json!({})),
            ("set-session,field=domain", json!({})),
            ("set-session,field=id,value=77", json!({})),
            ("set-session,field=state,value=3", json!({})),
            ("session", session(77, "Shadow", "\u{1f600}")),
            ("set-session,field=state,value=5,bits=32", json!({})),
            ("set-session,field=state,value=70", hresult("0x80070057")),
            ("session", session(77, "Idle", "\u{1f600}")),
            ("new-enum", json!({ "interface": "IUnknown" })),
            (
                "query-interface,of=enum,iids=IEnumVARIANT",
                json!({ "interfaces": [{ "code": "0x00000000" }] }),
            ),
            ("get-ids-of-names,of=IPCHService,name=RemoteConnectionParms", json!({ "ids": [0x0800_0040] })),
            ("invoke,of=IPCHService,id=99", hresult("0x80020003")),
            ("impacket,class=pchservice", json!({})),
        ];
        novice.ask(peers, &level, &steps)?;
    }
    Ok(())
}

/// None, one, and five hundred.
pub fn counts(peers: &Peers) -> Result {
    for count in [0, 1, 500] {
        let sessions =
            (1..=count).map(|id| session(Some("DOM"), Some(&format!("user{id}")), id, "pchActive"));
        let sessions: Value = sessions.collect();
        // A dimension of a SAFEARRAY cannot be empty: none are no array.
        let all: Value = (1..=count).map(|id| format!("DOM\\user{id}:{id}")).collect();
        let all = if count == 0 { json!({ "names": null, "count": 0 }) } else { names(&all) };
        let novice = Novice::start(peers, &sessions, None)?;
        let steps = [
            ("activate", json!({})),
            ("get-session-info,form=one", all.clone()),
            ("get-session-info,form=two", all),
            ("activate,class=pchservice", json!({})),
            ("sessions", json!({ "sessions": getters(&sessions) })),
        ];
        novice.ask(peers, &[], &steps).map_err(|e| format!("{count} sessions: {e}"))?;
    }
    Ok(())
}

/// Ten contexts of a connection in turn, calls that take many fragments, references, pings.
pub fn life(peers: &Peers) -> Result {
    let novice = Novice::start(peers, &odd(), None)?;
    let again = json!({ "contexts": 10, "calls": 50 });
    for level in [INTEGRITY, PRIVACY] {
        let steps = [
            ("activate", json!({})),
            ("contexts", again.clone()),
            ("activate,class=pchservice", json!({})),
            ("contexts,of=IPCHService", again.clone()),
            ("get-session-info", names(&odd_names())),
        ];
        novice.ask(peers, &level, &steps)?;
    }
    for (number, level, fragment, padding) in [(1, INTEGRITY, "600", 100_000), (2, PRIVACY, "64", 10_000)] {
        let padded = &format!("remote-connection-parms,user=alice,domain=DOM,padding={padding}");
        let steps = [("activate,class=pchservice", json!({})), (padded.as_str(), old_ticket(number, 1))];
        novice.ask(peers, &[&level[..], &["--fragment", fragment]].concat(), &steps)?;
    }
    let gone = || fault(INVALID_IPID);
    let steps = [
        ("activate", json!({})),
        ("complex-ping", json!({ "backoff": 0 })),
        ("simple-ping", json!({})),
        ("complex-ping,add=none,delete=all", json!({})),
        ("complex-ping,add=0x5", hresult("0x00000777")),
        ("simple-ping,set=0x77", hresult("0x00000778")),
        ("add-ref,references=7", json!({ "results": ["0x00000000"] })),
        ("release,references=11", json!({})),
        ("get-session-info", names(&odd_names())),
        ("release,references=1", json!({})),
        ("get-session-info", gone()),
        ("query-interface", hresult("0x80010114")),
        ("activate,class=pchservice", json!({})),
        ("remote-user-session-info", json!({ "interface": "IPCHCollection", "public_references": 5 })),
        ("release,of=IPCHService", json!({})),
        ("remote-user-session-info", gone()),
        // What a service has given lives longer.
        ("count", json!({ "count": 7 })),
        ("release,of=IPCHCollection", json!({})),
        ("count", gone()),
    ];
    novice.ask(peers, &PRIVACY, &steps)?;
    Ok(())
}

/// Who is not let in.
pub fn strangers(peers: &Peers) -> Result {
    let mut novice = Novice::start(peers, &odd(), None)?;
    let port = novice.resolver.port();
    let wrong = ["--user", "alice", "--password", "Pass123?"];
    let tries = [
        (&wrong[..], &["--mic", "none"][..], fault(DENIED)),
        (&wrong, &["--mic", "right"], fault(DENIED)),
        (&HELPER, &["--mic", "wrong"], fault(DENIED)),
        (&["--user", "nobody", "--password", "Pass123!"], &[], fault(DENIED)),
        // Nobody, told by NTLM, and not told at all.
        (&["--user", "", "--password", ""], &[], fault(DENIED)),
        (&HELPER, &["--level", "none"], fault(DENIED)),
        (&HELPER, &["--level", "connect"], fault(DENIED)),
        (&HELPER, &["--level", "call"], json!({ "result": "refused" })),
        (&HELPER, &["--level", "packet"], json!({ "result": "refused" })),
        (&HELPER, &["--no-key-exchange"], json!({ "result": "refused" })),
        // An account, but not that of a helper.
        (&["--user", "mallory", "--password", "Pass123!"], &[], hresult("0x80070005")),
    ];
    for (who, how, expected) in tries {
        let step = [("activate", expected)];
        ask(peers, port, &[who, how].concat(), &step)?;
    }
    let refused = |level: &str| match level {
        "call" | "packet" => json!({ "result": "refused" }),
        _ => fault(DENIED),
    };
    let levels: serde_json::Map<_, _> = ["none", "connect", "call", "packet"]
        .map(|level| (level.to_owned(), refused(level)))
        .into_iter()
        .collect();
    let mut levels = json!({ "levels": levels });
    levels["levels"]["integrity"] = json!("ok");
    levels["levels"]["privacy"] = json!("ok");
    let steps = [
        ("activate", json!({})),
        ("levels", levels.clone()),
        ("activate,class=pchservice", json!({})),
        ("levels,of=IPCHService", levels),
    ];
    novice.ask(peers, &["--mic", "right"], &steps)?;
    let mut told = String::new();
    while let Some(event) = novice.program.next(std::time::Duration::ZERO) {
        told += event["text"].as_str().unwrap_or_default();
    }
    if told.matches("WrongCredentials").count() < 4 || told.contains("Pass123") {
        return Err(format!("the audit tells wrong passwords, and no password: {told}"));
    }
    Ok(())
}

/// Calls that are none.
pub fn no_calls(peers: &Peers) -> Result {
    let novice = Novice::start(peers, &odd(), None)?;
    let objects = novice.objects.port();
    let at_objects = format!("bind,interface=IRASrv,port={objects},syntax=ndr64");
    let mut steps: Vec<Step<'_>> = vec![("activate", json!({}))];
    steps.extend(["opnum,opnum=3", "opnum,opnum=4", "opnum,opnum=9", "opnum,opnum=65535"].map(out_of_range));
    steps.push(("bad-ipid", fault(INVALID_IPID)));
    steps.push(("bad-ipid,ipid=none", fault(INVALID_IPID)));
    steps.push(("activate,class=pchservice", json!({})));
    steps.push(("remote-user-session-info", json!({})));
    steps.push(("item", json!({})));
    let of = [
        ("opnum,of=IPCHService,opnum=3"),
        ("opnum,of=IPCHService,opnum=4"),
        ("opnum,of=IPCHService,opnum=7"),
        ("opnum,of=IPCHService,opnum=18"),
        ("opnum,of=IPCHService,opnum=21"),
        ("opnum,of=IPCHCollection,opnum=10"),
        ("opnum,of=ISAFSession,opnum=15"),
    ];
    steps.extend(of.map(out_of_range));
    let refused = json!({ "result": "refused" });
    for bind in ["bind,syntax=ndr64", "bind,syntax=other", "bind,interface=IRASrv", &at_objects] {
        steps.push((bind, refused.clone()));
    }
    steps.push(("bind", json!({})));
    // And the connections go on.
    steps.push(("count", json!({ "count": 7 })));
    novice.ask(peers, &PRIVACY, &steps).map(drop)
}

fn out_of_range(step: &str) -> Step<'_> {
    (step, fault(OP_RNG_ERROR))
}

/// tshark reads what impacket and our novice say.
pub fn captured(peers: &Peers) -> Result {
    for (level, name) in [(INTEGRITY, "integrity"), (PRIVACY, "privacy")] {
        let novice = Novice::start(peers, &odd(), None)?;
        let relay = |part: &str, to: SocketAddr| {
            let relay = Relay::start(peers.folder.join(format!("novice-{name}-{part}.pcap")))?;
            relay.lead_to(to);
            Ok::<_, String>(relay)
        };
        let (resolver, objects) = (relay("resolver", novice.resolver)?, relay("objects", novice.objects)?);
        let object_port = objects.address.port().to_string();
        let options = [&HELPER[..], &level, &["--object-port", &object_port]].concat();
        let steps = [
            ("server-alive", json!({})),
            ("server-alive2", json!({})),
            ("activate", json!({})),
            ("resolve-oxid2", json!({})),
            ("get-session-info", json!({})),
            ("get-novice-user-info", json!({})),
            ("complex-ping", json!({})),
            ("simple-ping", json!({})),
            ("query-interface", json!({})),
            ("add-ref", json!({})),
            ("release", json!({})),
            ("activate,via=activation", json!({})),
            ("activate,class=pchservice,via=class-object", json!({})),
            ("activate,class=pchservice", json!({})),
            ("sessions", json!({})),
            ("remote-connection-parms,user=alice,domain=DOM,padding=20000", json!({})),
            ("bad-ipid", fault(INVALID_IPID)),
        ];
        ask(peers, resolver.address.port(), &options, &steps)?;
        if !peers.tshark {
            continue;
        }
        // Without the password: several contexts on a connection are more than it can unseal.
        let ports = [resolver.address.port(), objects.address.port()];
        let mut operations = judge_rpc(resolver.ended()?, &ports, None)?;
        operations.extend(judge_rpc(objects.ended()?, &ports, None)?);
        for name in [
            "ServerAlive",
            "ServerAlive2",
            "ResolveOxid2",
            "ComplexPing",
            "SimplePing",
            "RemoteActivation",
            "RemoteGetClassObject",
            "RemoteCreateInstance",
            "RemQueryInterface",
            "RemAddRef",
            "RemRelease",
        ] {
            for way in ["request", "response"] {
                let wanted = format!("{name} {way}");
                if !operations.iter().any(|operation| operation.contains(&wanted)) {
                    return Err(format!("{level:?}: tshark does not show {wanted}: {operations:?}"));
                }
            }
        }
    }
    Ok(())
}
