//! Clients and servers of connection-oriented RPC against peers that mean no good, or no more than they have to.

use dce_rpc::{
    AuthLevel, AuthType, BindAck, Body, CallSpec, Client, ClientEvent, Command, CommandBody, ContextKey,
    ContextResult, Features, Flags, Host, Input, Message, Misuse, Options, Output, Pdu, PresentationContext,
    Reason, ReassemblyError, Request, Response, Security, SecurityFailure, Server, ServerEvent, Status, Step,
    SyntaxId, VerificationTrailer, Verifier,
};
use remassist_core::{Blob, Encode};
use testkit::rpc::*;

const INTEGRITY: AuthLevel = AuthLevel::INTEGRITY;

fn spec(context_id: u16, security: Option<u32>, stub: &[u8]) -> CallSpec<'_> {
    CallSpec { context_id, security, opnum: 3, object: None, stub }
}

fn ntlm(id: u32) -> Option<(ContextKey, &'static [u8])> {
    Some((key(AuthType::WINNT, INTEGRITY, id), b"secret"))
}

fn with_stub(flags: Flags, call_id: u32, context_id: u16, stub: Vec<u8>) -> Pdu<'static> {
    let body = Request { alloc_hint: 0, context_id, opnum: 1, object: None, stub: stub.into() };
    Pdu::new(flags, call_id, Body::Request(body))
}

fn several() -> Pdu<'static> {
    let mut pdu = bound();
    pdu.flags = pdu.flags.with(Flags::CONC_MPX);
    pdu
}

/// A signed client's first token, and its last.
fn hello(flags: Flags) -> Pdu<'static> {
    let mut pdu = secured(bound(), token(1, b"hello"));
    pdu.flags = Flags::WHOLE.with(flags);
    pdu
}

#[test]
fn a_client_notices_when_header_signing_is_taken_away() {
    let mut pair = Pair::new(true);
    // PFC_SUPPORT_HEADER_SIGN of the bind: both sides now believe that the other cannot do it.
    pair.tamper = Some((true, 3, Flags::SUPPORT_HEADER_SIGN.0));
    assert_eq!(pair.bind(ONE, ntlm(1)), [ClientEvent::Bound { context_id: 0 }]);
    let call_id = pair.client.call(NOW, &spec(0, Some(1), b"parameters")).unwrap();
    let (client, server) = pair.run();
    assert_eq!(server, []);
    let status = Status::ACCESS_DENIED;
    assert_eq!(client, [ClientEvent::Fault { call_id, status, did_not_execute: true, extended_error: None }]);
}

#[test]
fn a_bitmask_is_compared_with_the_bind() {
    let commands = vec![Command { must_process: false, body: CommandBody::Bitmask { bits: 1 } }];
    let call = with_stub(Flags::WHOLE, 2, 0, VerificationTrailer { commands }.to_vec().unwrap());
    for (flags, calls) in [(Flags::SUPPORT_HEADER_SIGN, 1), (Flags::default(), 0)] {
        let (_, events, closed) = answers(&[hello(flags), auth3(token(1, b"secret")), call.clone()]);
        assert_eq!((events.len(), closed), (calls, None));
    }
}

#[test]
fn a_verification_trailer_stands_in_the_last_fragment_alone() {
    for len in (1300..1500).chain(2700..2850) {
        let mut pair = Pair::new(false);
        let mut options = Options::default();
        options.max_fragment = 1432;
        pair.client = Client::new(options, 0);
        pair.bind(ONE, ntlm(1));
        pair.wire.clear();
        let stub = vec![7; len];
        let (call_id, events) = pair.call(0, Some(1), &stub);
        let call = only(events);
        assert_eq!((&call.stub[..len], call.call_id), (&stub[..], call_id));
        let mut framer = dce_rpc::Framer::default();
        framer.push(&pair.wire);
        let mut last = Vec::new();
        while let Some((_, pdu)) = framer.pull().unwrap() {
            last = pdu.to_vec();
        }
        assert!(last.windows(4).any(|w| w == [0x8A, 0xE3, 0x13, 0x71]), "{len}");
    }
}

#[test]
fn what_looks_like_a_trailer_far_from_the_end_is_data() {
    let commands = vec![Command {
        must_process: false,
        body: CommandBody::Unknown { command: 9, body: vec![0; 2000].into() },
    }];
    let stub = VerificationTrailer { commands }.to_vec().unwrap();
    assert_eq!(VerificationTrailer::find(&stub), None);
    assert!(VerificationTrailer::find(&[&stub[..], &[0x8A, 0xE3]].concat()).is_none());
}

#[test]
fn calls_that_want_no_answer_are_counted_all_the_same() {
    let mut options = Options::default();
    options.max_calls = 2;
    let mut server = Server::new(Two::new(true), options, 1, "135");
    server.handle(NOW, Input::Data(&several().to_vec().unwrap()));
    let mut calls = 0;
    for call_id in 2..10 {
        let pdu = request(Flags::WHOLE.with(Flags::MAYBE), call_id, 0);
        server.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    }
    loop {
        match server.poll() {
            Output::Event(ServerEvent::Call(_)) => calls += 1,
            Output::Wait(_) => break,
            _ => {}
        }
    }
    assert_eq!(calls, 2);
    assert_eq!(server.respond(2, b""), Ok(()));
}

#[test]
fn a_call_is_refused_at_its_first_fragment() {
    let two = PresentationContext::new(1, TWO, SyntaxId::NDR);
    let mut contexts = several();
    if let Body::Bind(bind) = &mut contexts.body {
        bind.contexts.push(two);
    }
    for (before, context_id, status) in [
        (0, 9, Status::INVALID_PRES_CONTEXT_ID),
        (0, 1, Status::ACCESS_DENIED),
        (1, 0, Status::SERVER_TOO_BUSY),
    ] {
        let mut options = Options::default();
        options.max_calls = 1;
        let mut server = Server::new(Two { minimum: INTEGRITY, ..Two::new(true) }, options, 1, "135");
        let mut pdus = vec![contexts.clone()];
        pdus.extend((0..before).map(|n| request(Flags::WHOLE, 90 + n, 0)));
        pdus.push(request(Flags::FIRST, 2, context_id));
        let (sent, events) = deliver(&mut server, &pdus);
        assert_eq!(fault_of(&sent[1]), status);
        assert!(sent[1].flags.contains(Flags::DID_NOT_EXECUTE));
        assert_eq!(events.len(), usize::try_from(before).unwrap());
        // What is left of it is not answered, and the connection goes on.
        let rest = [request(Flags::default(), 2, context_id), request(Flags::LAST, 2, context_id)];
        assert_eq!(deliver(&mut server, &rest), (vec![], vec![]));
        assert!(server.fault(90, Status::FAULT_UNSPEC, true).is_ok() == (before == 1));
        let (_, events) = deliver(&mut server, &[request(Flags::WHOLE, 3, 0)]);
        assert_eq!(only(events).call_id, 3);
    }
}

fn deliver(server: &mut Server<Two>, pdus: &[Pdu<'_>]) -> (Vec<Pdu<'static>>, Vec<ServerEvent>) {
    for pdu in pdus {
        server.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    }
    let (sent, events, closed) = drain(server);
    assert_eq!(closed, None);
    (sent, events)
}

#[test]
fn the_rest_of_a_refused_call_is_ignored_whatever_its_number() {
    // A client that numbers the calls of each interface anew.
    let pdus = [
        several(),
        request(Flags::WHOLE, 1000, 0),
        request(Flags::FIRST, 5, 9),
        request(Flags::LAST, 5, 9),
        request(Flags::FIRST, 6, 0),
        Pdu::new(Flags::WHOLE, 6, Body::Orphaned),
        request(Flags::LAST, 6, 0),
    ];
    let (sent, events, closed) = answers(&pdus);
    assert_eq!((sent.len(), events.len(), closed), (2, 1, None));
}

#[test]
fn the_last_token_is_never_answered() {
    for verifier in [None, token(2, b"secret"), token(1, b"wrong")] {
        let failed = verifier.as_ref().is_some_and(|v| v.context_id == 1);
        let (sent, events, closed) = answers(&[hello(Flags::default()), auth3(verifier)]);
        assert_eq!((sent.len(), events), (1, vec![]));
        assert_eq!(closed, (!failed).then_some(Reason::OutOfSequence));
    }
}

#[test]
fn a_late_last_token_leaves_other_contexts_alone() {
    let second = {
        let contexts = vec![PresentationContext::new(1, TWO, SyntaxId::NDR)];
        secured(Pdu::new(Flags::WHOLE, 2, Body::AlterContext(bind(contexts))), token(2, b"hello"))
    };
    let signed = |context: u32, sequence, call_id| {
        let mut pdu = secured(request(Flags::WHOLE, call_id, 0), signature(context, INTEGRITY));
        sign(&mut pdu, sequence, 12);
        pdu
    };
    let first = [hello(Flags::SUPPORT_HEADER_SIGN), auth3(token(1, b"secret"))];
    let late = [second, signed(1, 0, 3), auth3(token(2, b"secret")), signed(2, 0, 4), signed(1, 1, 5)];
    let mut pdus = Vec::from(first);
    pdus.extend(late);
    pdus[0].flags = pdus[0].flags.with(Flags::CONC_MPX);
    let (_, events, closed) = answers(&pdus);
    let contexts: Vec<_> = events
        .into_iter()
        .map(|event| only(vec![event]))
        .map(|call| (call.call_id, call.security.unwrap().context_id))
        .collect();
    assert_eq!((contexts, closed), (vec![(3, 1), (4, 2), (5, 1)], None));
}

/// Pads a request of the client and signs it, whole.
fn sign(pdu: &mut Pdu<'_>, sequence: u32, padding: usize) {
    let verifier = pdu.verifier.as_mut().unwrap();
    verifier.padding = vec![0xBB; padding].into();
    let bytes = pdu.to_vec().unwrap();
    let signature = Toy::signature(true, sequence, &[&bytes[..bytes.len() - 16]]);
    pdu.verifier.as_mut().unwrap().token = signature.into();
}

#[test]
fn every_padding_is_understood() {
    for padding in (0..=16).chain([255]) {
        let mut pdu = secured(request(Flags::WHOLE, 2, 0), signature(1, INTEGRITY));
        sign(&mut pdu, 0, padding);
        let (_, events, closed) =
            answers(&[hello(Flags::SUPPORT_HEADER_SIGN), auth3(token(1, b"secret")), pdu]);
        assert_eq!((only(events).stub, closed), (b"stub".to_vec(), None), "{padding}");
    }
}

#[test]
fn a_client_that_has_not_finished_proves_nothing() {
    let (_, events, closed) = answers(&[hello(Flags::default()), request(Flags::WHOLE, 2, 0)]);
    assert_eq!((only(events).security, closed), (None, None));
    // Nor does a context of connect level that is not built.
    let mut connect = hello(Flags::default());
    connect.verifier.as_mut().unwrap().auth_level = AuthLevel::CONNECT;
    let (_, events, _) = answers(&[connect, request(Flags::WHOLE, 2, 0)]);
    assert_eq!(only(events).security, None);
}

#[test]
fn the_contexts_of_an_exchange_count_once() {
    let mut pair = Pair::new(true);
    let mut options = Options::default();
    options.max_contexts = 1;
    pair.server = Server::new(Two::new(true), options, 1, "135");
    // Three tokens in bind and alter_context, each with the same presentation context.
    let security = Some((key(AuthType::GSS_NEGOTIATE, INTEGRITY, 1), &b"secret"[..]));
    assert_eq!(pair.bind(ONE, security), [ClientEvent::Bound { context_id: 0 }]);
    assert!(matches!(pair.bind(TWO, None)[..], [ClientEvent::Refused { .. }]));
}

#[test]
fn features_stand_alone() {
    let syntaxes = vec![SyntaxId::NDR, SyntaxId::feature_negotiation(Features::ALL)];
    let context = PresentationContext {
        transfer_syntaxes: syntaxes,
        ..PresentationContext::new(0, ONE, SyntaxId::NDR)
    };
    let bind = Pdu::new(Flags::WHOLE, 1, Body::Bind(bind(vec![context])));
    let (sent, events, _) = answers(&[bind, request(Flags::WHOLE, 2, 0)]);
    let Body::BindAck(ack) = &sent[0].body else { panic!() };
    assert_eq!((ack.results[0].result, events.len()), (ContextResult::ACCEPTANCE, 1));
}

#[test]
fn a_call_is_cancelled_once() {
    let cancel = || Pdu::new(Flags::WHOLE, 2, Body::CoCancel);
    let (_, events, _) = answers(&[bound(), request(Flags::WHOLE, 2, 0), cancel(), cancel(), cancel()]);
    assert_eq!(events[1..], [ServerEvent::Cancelled(2)]);
}

#[test]
fn a_provider_that_cannot_sign_ends_the_connection() {
    let mut client = Toy::client(b"secret", true);
    client.signs = 2;
    let mut pair = Pair::new(true);
    pair.client.bind(NOW, ONE, Some((key(AuthType::WINNT, INTEGRITY, 1), client))).unwrap();
    assert_eq!(pair.run().0.len(), 1);
    // The third fragment fails, when the numbers of the first two are used up.
    let error = pair.client.call(NOW, &spec(0, Some(1), &[0; 20_000])).unwrap_err();
    assert_eq!(error, Misuse::Security);
    assert_eq!(pair.run(), (vec![], vec![]));
    assert_eq!(pair.client_closed, Some(Reason::Security(Status::SEC_PKG_ERROR)));
}

struct Forbidden;

impl Security for Forbidden {
    fn step(&mut self, _: &[u8]) -> Result<Step, SecurityFailure> {
        Err(SecurityFailure(Status(0xC000_0005)))
    }

    fn signature_len(&self) -> usize {
        0
    }

    fn protect(&mut self, _: &mut Message<'_>) -> Result<Vec<u8>, SecurityFailure> {
        Ok(Vec::new())
    }

    fn verify(&mut self, _: &mut Message<'_>, _: &[u8]) -> Result<(), SecurityFailure> {
        Ok(())
    }
}

struct OnlyForbidden;

impl Host for OnlyForbidden {
    type Security = Forbidden;

    fn supports(&mut self, _: &SyntaxId) -> bool {
        true
    }

    fn accept(&mut self, _: AuthType, _: AuthLevel) -> Option<Forbidden> {
        Some(Forbidden)
    }
}

#[test]
fn a_provider_cannot_make_a_server_send_a_forbidden_status() {
    let mut server = Server::new(OnlyForbidden, Options::default(), 1, "135");
    let contexts = vec![PresentationContext::new(1, TWO, SyntaxId::NDR)];
    let alter = secured(Pdu::new(Flags::WHOLE, 2, Body::AlterContext(bind(contexts))), token(2, b"hello"));
    for pdu in [bound(), alter] {
        server.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    }
    let (sent, ..) = drain(&mut server);
    assert_eq!(fault_of(&sent[1]), Status::FAULT_UNSPEC);
}

/// What a client does with one answer to its first bind.
fn acknowledged(verifier: Option<Verifier<'static>>) -> Option<Reason> {
    let mut pair = Pair::new(true);
    let toy = Toy::client(b"secret", true);
    pair.client.bind(NOW, ONE, Some((key(AuthType::WINNT, INTEGRITY, 1), toy))).unwrap();
    let result = |result, transfer_syntax| dce_rpc::PresentationResult {
        result,
        reason: dce_rpc::ContextReason::NOT_SPECIFIED,
        transfer_syntax,
    };
    let results = vec![
        result(ContextResult::ACCEPTANCE, SyntaxId::NDR),
        result(ContextResult::NEGOTIATE_ACK, SyntaxId::NIL),
    ];
    let ack = BindAck::new((4280, 4280), 1, Vec::new(), results);
    let pdu = secured(Pdu::new(Flags::WHOLE, 1, Body::BindAck(ack)), verifier);
    pair.client.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    loop {
        match pair.client.poll() {
            Output::Close(reason) => return Some(reason),
            Output::Event(event) => assert_eq!(event, ClientEvent::Bound { context_id: 0 }),
            Output::Wait(_) => return None,
            _ => {}
        }
    }
}

#[test]
fn a_server_cannot_leave_the_exchange_out() {
    assert_eq!(acknowledged(None), Some(Reason::Security(Status::SEC_PKG_ERROR)));
    assert_eq!(acknowledged(token(1, b"challenge")), None);
    assert_eq!(acknowledged(token(2, b"challenge")), Some(Reason::OutOfSequence));
    assert_eq!(acknowledged(token(1, b"nonsense")), Some(Reason::Security(Status::ACCESS_DENIED)));
}

#[test]
fn signatures_cover_every_byte_of_every_fragment() {
    for header_signing in [true, false] {
        let mut toy = Toy::client(b"secret", header_signing);
        toy.whole = true;
        let signed = toy.signed.clone();
        let mut pair = Pair::new(header_signing);
        pair.client.bind(NOW, ONE, Some((key(AuthType::WINNT, AuthLevel::PRIVACY, 1), toy))).unwrap();
        pair.run();
        let object = Some(uuid::Uuid::max());
        pair.client.call(NOW, &CallSpec { object, ..spec(0, Some(1), &[1; 20_000]) }).unwrap();
        let Output::Send(wire) = pair.client.poll() else { panic!() };
        let mut framer = dce_rpc::Framer::default();
        framer.push(&wire);
        let mut fragments = Vec::new();
        while let Some((_, pdu)) = framer.pull().unwrap() {
            fragments.push(pdu[..pdu.len() - 16].to_vec());
        }
        assert!(fragments.len() == 4 && *signed.borrow() == fragments);
    }
}

#[test]
fn ten_contexts_interleave() {
    let mut pair = Pair::new(true);
    for n in 0..10 {
        assert_eq!(pair.bind(if n % 2 == 0 { ONE } else { TWO }, ntlm(n)).len(), 1);
    }
    for _ in 0..3 {
        let calls: Vec<_> = (0..10_u32)
            .map(|n| {
                let context = if n == 0 { 0 } else { n as u16 + 1 };
                pair.call(context, Some(n), &[n as u8; 9000]).0
            })
            .collect();
        for call_id in calls.iter().rev() {
            pair.server.respond(*call_id, &[*call_id as u8; 9000]).unwrap();
        }
        let events = pair.run().0;
        let order: Vec<_> = events
            .iter()
            .map(|event| match event {
                ClientEvent::Response { call_id, stub, .. } if *stub == [*call_id as u8; 9000] => *call_id,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(order.iter().eq(calls.iter().rev()));
    }
}

#[test]
fn an_answer_without_end_is_too_large() {
    let mut pair = Pair::new(true);
    let mut options = Options::default();
    options.max_stub = 10_000;
    pair.client = Client::new(options, 0);
    pair.bind(ONE, None);
    let (call_id, _) = pair.call(0, None, b"");
    for n in 0..100 {
        let stub = Blob::from(vec![0; 1000]);
        let body = Response { alloc_hint: 0, context_id: 0, cancel_count: 0, reserved: 0, stub };
        let pdu = Pdu::new(Flags(u8::from(n == 0)), call_id, Body::Response(body));
        pair.client.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    }
    assert_eq!(pair.run().0, []);
    assert_eq!(pair.client_closed, Some(Reason::Fragments(ReassemblyError::TooLarge { max: 10_000 })));
}

#[test]
fn what_nobody_takes_does_not_pile_up() {
    let shutdown = Pdu::new(Flags::WHOLE, 1, Body::Shutdown).to_vec().unwrap();
    let mut pair = Pair::new(true);
    pair.bind(ONE, None);
    pair.client.handle(NOW, Input::Data(&shutdown.repeat(10_000)));
    let events = pair.run().0.len();
    assert_eq!((events, pair.client_closed), (4096, Some(Reason::Overflow)));
    let unknown = request(Flags::WHOLE, 1, 9).to_vec().unwrap();
    let mut server = Server::new(Two::new(true), Options::default(), 1, "135");
    server.handle(NOW, Input::Data(&bound().to_vec().unwrap()));
    server.handle(NOW, Input::Data(&unknown.repeat(10_000)));
    let (sent, events, closed) = drain(&mut server);
    assert_eq!((sent.len(), events.len(), closed), (4096, 0, Some(Reason::Overflow)));
}

/// Two tokens of each side, the last one of the server.
struct Four {
    client: bool,
    steps: u8,
}

impl Security for Four {
    fn step(&mut self, token: &[u8]) -> Result<Step, SecurityFailure> {
        self.steps += 1;
        let expected = if self.client { 2 * self.steps - 2 } else { 2 * self.steps - 1 };
        let right = if expected == 0 { token.is_empty() } else { token == [expected] };
        let done = expected >= 3;
        let token = if expected < 4 { vec![expected + 1] } else { Vec::new() };
        if right { Ok(Step { token, done }) } else { Err(SecurityFailure(Status::ACCESS_DENIED)) }
    }

    fn signature_len(&self) -> usize {
        16
    }

    fn protect(&mut self, _: &mut Message<'_>) -> Result<Vec<u8>, SecurityFailure> {
        Ok(vec![1; 16])
    }

    fn verify(&mut self, _: &mut Message<'_>, _: &[u8]) -> Result<(), SecurityFailure> {
        Ok(())
    }
}

struct HasFour;

impl Host for HasFour {
    type Security = Four;

    fn supports(&mut self, _: &SyntaxId) -> bool {
        true
    }

    fn accept(&mut self, _: AuthType, _: AuthLevel) -> Option<Four> {
        Some(Four { client: false, steps: 0 })
    }
}

#[test]
fn the_servers_last_token_comes_with_alter_context_resp() {
    let mut client = Client::new(Options::default(), 0);
    let mut server = Server::new(HasFour, Options::default(), 1, "135");
    let negotiate = key(AuthType::GSS_NEGOTIATE, AuthLevel::PRIVACY, 1);
    client.bind(NOW, ONE, Some((negotiate, Four { client: true, steps: 0 }))).unwrap();
    let (mut sent, mut bound) = (0, false);
    for _ in 0..10 {
        match client.poll() {
            Output::Send(bytes) => {
                sent += 1;
                server.handle(NOW, Input::Data(&bytes));
            }
            Output::Event(ClientEvent::Bound { context_id: 0 }) => bound = true,
            Output::Wait(_) => {}
            other => panic!("{other:?}"),
        }
        match server.poll() {
            Output::Send(bytes) => client.handle(NOW, Input::Data(&bytes)),
            Output::Wait(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sent, bound), (2, true));
    assert!(server.security(&negotiate).is_some());
}
