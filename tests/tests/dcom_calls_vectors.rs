//! Calls of [MS-RAI] that other software made.

use ndr_oaut::{Bstr, ByteOrder, Elements, InterfacePointer, ObjRef, SafeArray, Stub, VarType, Variant};
use ra_dcom::calls::*;
use ra_dcom::{HResult, SessionStateEnum};
use remassist_core::{Decode, DecodeOptions, Encode};
use serde_json::Value;
use testkit::{damage, dcom, vectors};

/// Bytes, each with its mask.
type Masked = Vec<(u8, u8)>;

/// Takes the deviations D1, D2 and D8 out of a stream: goes through its parameters, reads as Wine writes and writes as
/// the specifications ask.
struct Repair {
    from: Masked,
    at: usize,
    to: Masked,
}

impl Repair {
    fn align(&mut self, from: usize) {
        self.at = self.at.next_multiple_of(from);
        self.to.resize(self.to.len().next_multiple_of(4), (0, 0));
    }

    fn copy(&mut self, len: usize) {
        self.to.extend_from_slice(&self.from[self.at..self.at + len]);
        self.at += len;
    }

    fn word(&self, ahead: usize) -> u32 {
        let byte = |n: usize| self.from[self.at + ahead + n].0;
        u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
    }

    /// A number of 4 bytes.
    fn number(&mut self) {
        self.align(4);
        self.copy(4);
    }

    /// A referent id, whatever it is.
    fn referent(&mut self) -> bool {
        self.align(4);
        let points = self.word(0) != 0;
        self.copy(4);
        let end = self.to.len();
        self.to[end - 4..].iter_mut().for_each(|(_, mask)| *mask = if points { 0 } else { 0xFF });
        points
    }

    fn blob(&mut self) {
        self.align(4);
        let bytes = self.word(4);
        self.copy(12);
        self.copy(if bytes == u32::MAX { 0 } else { bytes as usize });
    }

    fn bstr(&mut self) {
        assert!(self.referent());
        self.align(8);
        self.blob();
    }

    fn array(&mut self) {
        assert!(self.referent());
        self.align(8);
        if !self.referent() {
            return;
        }
        self.copy(24);
        assert!(self.referent());
        self.copy(8);
        let count = self.word(0);
        self.copy(4);
        self.to.extend(std::iter::repeat_n([(1, 0), (0, 0), (0, 0), (0, 0)], count as usize).flatten());
        (0..count).for_each(|_| self.blob());
    }

    fn pointer(&mut self) {
        self.to.extend([(1, 0), (0, 0), (0, 0), (0, 0)]);
        let size = self.word(0) as usize;
        self.copy(4);
        self.at -= 4;
        self.copy(4 + size);
    }
}

/// The parameters of a stream that has deviations.
fn parameters(call: &str, response: bool) -> &'static str {
    match (call, response) {
        ("RemoteConnectionParms", false) => "bbnb",
        ("RemoteConnectionParms" | "get_DomainName" | "get_UserName", true) => "bn",
        ("put_DomainName" | "put_UserName", false) => "b",
        ("RemoteUserSessionInfo" | "get__NewEnum", true) => "pn",
        ("GetSessionInfo", false) => "an",
        ("GetSessionInfo", true) => "ann",
        other => panic!("{other:?}"),
    }
}

/// A stream of a row, without the deviations.
fn stream(row: &Value, which: &str) -> Masked {
    let (bytes, mask) = (vectors::hex(&row[which]), vectors::hex(&row[format!("{which}_mask")]));
    assert_eq!(bytes.len(), mask.len());
    let from: Masked = bytes.into_iter().zip(mask).collect();
    let deviations = row[format!("{which}_deviations")].as_array().unwrap();
    if !deviations.iter().any(|d| ["D1", "D2", "D8"].contains(&vectors::text(d))) {
        return from;
    }
    let mut repair = Repair { from, at: 0, to: Vec::new() };
    for kind in parameters(vectors::text(&row["call"]), which == "response").chars() {
        match kind {
            'b' => repair.bstr(),
            'a' => repair.array(),
            'p' => repair.pointer(),
            _ => repair.number(),
        }
    }
    assert_eq!(repair.at, repair.from.len());
    repair.to
}

fn rows() -> Vec<Value> {
    let file = vectors::json("ra-dcom/rai-calls.json");
    let rows = file["vectors"].as_array().unwrap().clone();
    assert_eq!((rows.len(), &file["count"]), (32, &Value::from(32)));
    rows
}

fn method(row: &Value) -> Option<Method> {
    let interface = vectors::text(&row["interface"]);
    let iid = interface.split(['{', '}']).nth(1).unwrap().parse().unwrap();
    let method = Method::find(&iid, row["opnum"].as_u64().unwrap() as u16);
    if let Some(method) = method {
        assert_eq!(method.interface_name(), interface.split(' ').next().unwrap());
    }
    method
}

/// The laws for a stream of a row, for every damage of it, and that its value alone makes the same bytes.
fn read(row: &Value, direction: Direction) -> Body<'static> {
    let (method, name) = (method(row).unwrap(), vectors::text(&row["name"]));
    let which = if direction == Direction::Request { "request" } else { "response" };
    let masked = stream(row, which);
    let input: &'static [u8] = masked.iter().map(|(byte, _)| *byte).collect::<Vec<_>>().leak();
    let format = StubFormat { direction, byte_order: ByteOrder::Little, orpc_header: false };
    let decoded = Message::read(method, format, input, &DecodeOptions::STRICT)
        .unwrap_or_else(|e| panic!("{name} {which}: {e}"));
    assert!(decoded.rest.is_empty(), "{name} {which}");
    for damaged in damage::all::<Stub<'_, NoParameters>>(input) {
        dcom::message(method, format, &damaged);
    }
    for len in 0..input.len() {
        assert!(dcom::message(method, format, &input[..len]).is_none(), "{name} {which}: {len} bytes");
    }
    let message = dcom::message(method, format, input).unwrap();
    let made = Message::new(message.body.clone()).to_vec().unwrap();
    assert_eq!(made.len(), input.len(), "{name} {which}");
    for (at, (made, (given, mask))) in made.iter().zip(&masked).enumerate() {
        assert_eq!(made & mask, given & mask, "{name} {which} at {at}");
    }
    message.body
}

fn bstr(value: &Value) -> Option<Bstr<'static>> {
    Some(value.as_str().map_or(Bstr::NULL, Bstr::new))
}

fn wide(value: &Value) -> Option<SecretWideString<'static>> {
    value.as_str().map(SecretWideString::new)
}

fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => {
            i64::from_str_radix(text.split(' ').next().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
        }
        _ => value.as_i64().unwrap(),
    }
}

fn names(value: &Value, lower: &Value) -> UserNames<'static> {
    let array = value.as_array().map(|items| {
        let mut array = SafeArray::new(VarType::BSTR, Elements::Bstr(items.iter().map(bstr).collect()));
        array.bounds[0].lower = lower.as_i64().unwrap_or_default() as i32;
        Box::new(array)
    });
    UserNames { levels: PointerLevels::Two, array }
}

/// The parameters of a request as the row tells them.
fn request(method: Method, input: &Value) -> Request<'static> {
    let i = &input["in"];
    match method {
        Method::RemoteConnectionParms => Request::RemoteConnectionParms(RemoteConnectionParmsRequest {
            user_name: bstr(&i[0]),
            domain_name: bstr(&i[1]),
            session_id: number(&i[2]) as i32,
            user_help_blob: bstr(&i[3]),
        }),
        Method::Item => Request::Item(ItemRequest { index: number(&i[0]) as i32 }),
        Method::SetSessionId => {
            Request::SetSessionId(SetSessionIdRequest { session_id: number(&i[0]) as u32 })
        }
        Method::SetSessionState => Request::SetSessionState(SetSessionStateRequest {
            state: SessionStateEnum(number(&i[0]) as u16),
            wide: false,
        }),
        Method::SetDomainName => Request::SetDomainName(SetDomainNameRequest { domain_name: bstr(&i[0]) }),
        Method::SetUserName => Request::SetUserName(SetUserNameRequest { user_name: bstr(&i[0]) }),
        Method::GetNoviceUserInfo => Request::GetNoviceUserInfo(GetNoviceUserInfoRequest { name: wide(i) }),
        Method::GetSessionInfo => Request::GetSessionInfo(GetSessionInfoRequest {
            user_names: names(&i[0], &Value::Null),
            count: number(&i[1]) as i32,
        }),
        Method::RemoteUserSessionInfo => Request::RemoteUserSessionInfo(NoParameters {}),
        Method::NewEnum => Request::NewEnum(NoParameters {}),
        Method::Count => Request::Count(NoParameters {}),
        Method::GetSessionId => Request::GetSessionId(NoParameters {}),
        Method::GetSessionState => Request::GetSessionState(NoParameters {}),
        Method::GetDomainName => Request::GetDomainName(NoParameters {}),
        Method::GetUserName => Request::GetUserName(NoParameters {}),
        other => panic!("{other:?}"),
    }
}

/// The interface of an OBJREF, which has identifiers of that run.
fn iid(pointer: Option<&InterfacePointer<'_>>) -> uuid::Uuid {
    ObjRef::decode(&pointer.unwrap().objref).unwrap().iid
}

/// Checks that the parameters of a response are those that the row tells.
fn response(name: &str, response: &Response<'static>, input: &Value) {
    let (out, hresult) = (&input["out"], HResult(number(&input["return"]) as u32));
    let expected = match response {
        Response::RemoteConnectionParms(r) => {
            let text = r.connection_string.as_ref().unwrap().text.as_ref();
            let shown = text.map(|text| text.expose().to_text().unwrap());
            match out.as_str() {
                Some(told) if told.contains("sample") => {
                    assert!(shown.unwrap().starts_with("65538,1,172.31.243.138:3389;MIKE_HOME:3389,*,"));
                }
                told => assert_eq!(shown.as_deref(), told, "{name}"),
            }
            Response::RemoteConnectionParms(RemoteConnectionParmsResponse { hresult, ..r.clone() })
        }
        Response::RemoteUserSessionInfo(r) => {
            assert_eq!(iid(r.collection.as_ref()), IID_IPCHCOLLECTION);
            Response::RemoteUserSessionInfo(RemoteUserSessionInfoResponse { hresult, ..r.clone() })
        }
        Response::NewEnum(r) => {
            assert_eq!(iid(r.copy.as_ref()), IID_IUNKNOWN);
            Response::NewEnum(NewEnumResponse { hresult, ..r.clone() })
        }
        Response::Item(r) => {
            let entry = match (number(&out["vt"]), r.entry.as_ref()) {
                (0, _) => Variant::Empty,
                (8, _) => Variant::Bstr(bstr(&out["value"])),
                (9, Some(Variant::Dispatch(pointer))) => {
                    assert_eq!(iid(pointer.as_ref()), IID_IDISPATCH);
                    Variant::Dispatch(pointer.clone())
                }
                other => panic!("{name}: {other:?}"),
            };
            Response::Item(ItemResponse { entry: Some(entry), hresult })
        }
        Response::Count(_) => Response::Count(CountResponse { count: number(out) as i32, hresult }),
        Response::GetSessionId(_) => {
            Response::GetSessionId(GetSessionIdResponse { session_id: number(out) as u32, hresult })
        }
        Response::GetSessionState(_) => {
            let state = SessionStateEnum(number(out) as u16);
            Response::GetSessionState(GetSessionStateResponse { state, hresult })
        }
        Response::GetDomainName(_) => {
            Response::GetDomainName(GetDomainNameResponse { domain_name: bstr(out), hresult })
        }
        Response::GetUserName(_) => {
            Response::GetUserName(GetUserNameResponse { user_name: bstr(out), hresult })
        }
        Response::GetNoviceUserInfo(r) if out == "connection string 2" => {
            let text = r.name.as_ref().unwrap().0.expose().to_text_lossy();
            assert!(text.starts_with("<E><A KH=\"") && text.ends_with("</C></E>"), "{text}");
            Response::GetNoviceUserInfo(GetNoviceUserInfoResponse { hresult, ..r.clone() })
        }
        Response::GetNoviceUserInfo(_) => {
            Response::GetNoviceUserInfo(GetNoviceUserInfoResponse { name: wide(out), hresult })
        }
        Response::GetSessionInfo(_) => Response::GetSessionInfo(GetSessionInfoResponse {
            user_names: names(&out[0], &input["out_lbound"]),
            count: number(&out[1]) as i32,
            hresult,
        }),
        Response::SetSessionId(_) => Response::SetSessionId(ResultOnly { hresult }),
        Response::SetSessionState(_) => Response::SetSessionState(ResultOnly { hresult }),
        Response::SetDomainName(_) => Response::SetDomainName(ResultOnly { hresult }),
        Response::SetUserName(_) => Response::SetUserName(ResultOnly { hresult }),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(response, &expected, "{name}");
}

#[test]
fn calls_of_others_say_what_their_rows_tell() {
    let mut methods = std::collections::BTreeSet::new();
    for row in rows() {
        let name = vectors::text(&row["name"]);
        let Some(method) = method(&row) else {
            // Its opnum 7 of IPCHService is none of the protocol's.
            assert_eq!((&row["call"], &row["request"]), (&"Opnum7NotUsedByProtocol".into(), &"".into()));
            let bytes = vectors::hex(&row["response"]);
            let hresult = Stub::<ResultOnly>::decode_strict(&bytes).unwrap().value.hresult;
            assert_eq!(hresult, HResult::E_NOTIMPL);
            continue;
        };
        methods.insert(method);
        let Body::Request { this: None, parameters } = read(&row, Direction::Request) else {
            panic!("{name}")
        };
        assert_eq!(parameters, request(method, &row["input"]), "{name}");
        let Body::Response { that: None, parameters } = read(&row, Direction::Response) else {
            panic!("{name}")
        };
        response(name, &parameters, &row["input"]);
    }
    let protocol = |m: &&Method| m.section().starts_with("[MS-RAI]");
    assert_eq!(methods, Method::ALL.iter().filter(protocol).copied().collect(), "every method has a row");
}

#[test]
fn what_the_deviations_are_is_not_read() {
    let row = |name: &str| rows().into_iter().find(|row| row["name"] == name).unwrap();
    let bytes = vectors::hex(&row("midl-000")["request"]);
    assert!(Stub::<RemoteConnectionParmsRequest<'_>>::decode(&bytes).is_err());
    let bytes = vectors::hex(&row("midl-008")["response"]);
    assert!(Stub::<RemoteUserSessionInfoResponse<'_>>::decode(&bytes).is_err());
}

/// `DCOM_SEEDS=1 cargo test` writes the seeds of the fuzz target again.
#[test]
fn seeds_of_the_fuzz_target_are_the_rows() {
    let folder = vectors::dir().join("../../fuzz/corpus/dcom_call");
    for row in rows() {
        let Some(method) = method(&row) else { continue };
        for (which, direction) in [("request", Direction::Request), ("response", Direction::Response)] {
            let format = StubFormat { direction, byte_order: ByteOrder::Little, orpc_header: false };
            let stub = stream(&row, which).into_iter().map(|(byte, _)| byte);
            let seed: Vec<u8> = dcom::choice(method, format).into_iter().chain(stub).collect();
            let path = folder.join(format!("{}-{which}", vectors::text(&row["name"])));
            if std::env::var_os("DCOM_SEEDS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &seed).unwrap();
            }
            assert_eq!(std::fs::read(&path).unwrap(), seed, "{}", path.display());
        }
    }
}
