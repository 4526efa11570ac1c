//! Client and server talk to each other, with a toy security provider that counts, signs and encrypts; and what a
//! server says to a client that breaks the rules.

use dce_rpc::{
    AuthLevel, AuthType, BindAck, Body, CallSpec, Client, ClientEvent, ContextReason, ContextResult,
    Features, Flags, Input, Misuse, Options, Output, Pdu, PresentationContext, Reason, Refusal, RejectReason,
    Request, Server, ServerEvent, Status, SyntaxId, Verifier,
};
use proptest::prelude::*;
use remassist_core::{Decode, Encode, Time};
use testkit::rpc::*;
use uuid::Uuid;

#[test]
fn calls_of_every_level_and_provider_go_there_and_back() {
    for header_signing in [true, false] {
        for auth_type in [AuthType::WINNT, AuthType::GSS_NEGOTIATE] {
            for level in [AuthLevel::CONNECT, AuthLevel::PACKET, AuthLevel::INTEGRITY, AuthLevel::PRIVACY] {
                for len in [0, 1, 15, 16, 17, 1400, 5791, 5792, 40_000] {
                    let mut pair = Pair::new(header_signing);
                    pair.chunk = if len == 17 { 1 } else { 1000 };
                    let bound = pair.bind(ONE, Some((key(auth_type, level, 9), b"secret")));
                    assert_eq!(bound, [ClientEvent::Bound { context_id: 0 }]);
                    assert_eq!(pair.client.features(), Features::ALL);
                    assert_eq!(pair.client.assoc_group_id(), 0x77);
                    let stub: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
                    for _ in 0..3 {
                        pair.wire.clear();
                        let (call_id, events) = pair.call(0, Some(9), &stub);
                        let call = only(events);
                        let level = if level == AuthLevel::PACKET { AuthLevel::INTEGRITY } else { level };
                        assert_eq!(call.security, Some(key(auth_type, level, 9)));
                        assert_eq!((call.call_id, call.opnum, call.object), (call_id, 3, Some(Uuid::max())));
                        // A verification trailer leaves padding behind.
                        assert_eq!(call.stub[..len], stub);
                        let padded = !header_signing && level.is_protected();
                        assert_eq!(call.stub.len(), if padded { len.next_multiple_of(4) } else { len });
                        pair.server.respond(call_id, &stub).unwrap();
                        let events = pair.run().0;
                        let stub = stub.clone();
                        assert_eq!(events, [ClientEvent::Response { call_id, big_endian: false, stub }]);
                        let plain = len > 15 && pair.wire.windows(8).any(|w| w == [1, 2, 3, 4, 5, 6, 7, 8]);
                        assert_eq!(plain, len > 15 && level != AuthLevel::PRIVACY);
                    }
                }
            }
        }
    }
}

#[test]
fn contexts_stand_side_by_side() {
    let mut pair = Pair::new(true);
    for n in 0..10_u32 {
        let level = if n % 2 == 0 { AuthLevel::PRIVACY } else { AuthLevel::INTEGRITY };
        let interface = if n % 3 == 0 { ONE } else { TWO };
        assert_eq!(pair.bind(interface, Some((key(AuthType::WINNT, level, n), b"secret"))).len(), 1);
    }
    for n in (0..10_u32).chain([3, 0, 7]) {
        // The first bind has a context for features.
        let context = if n == 0 { 0 } else { n as u16 + 1 };
        let (call_id, events) = pair.call(context, Some(n), b"parameters");
        let call = only(events);
        assert_eq!(call.interface, if n % 3 == 0 { ONE } else { TWO });
        assert_eq!(call.security.unwrap().context_id, n);
        assert!(pair.server.security(&call.security.unwrap()).is_some());
        pair.server.respond(call_id, b"results").unwrap();
        assert_eq!(pair.run().0.len(), 1);
    }
}

#[test]
fn a_wrong_password_is_told_to_the_first_call() {
    let mut pair = Pair::new(true);
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::PRIVACY, 1), b"wrong!")));
    let (call_id, events) = pair.call(0, Some(1), b"parameters");
    assert_eq!(events, []);
    // The fault came with the same run; a second call shows that the connection goes on.
    let (_, events) = pair.call(0, Some(1), b"again");
    assert_eq!((events, call_id), (vec![], 2));
    assert_eq!(pair.server_closed, None);
    let mut pair = Pair::new(true);
    let events = pair.bind(ONE, Some((key(AuthType::GSS_NEGOTIATE, AuthLevel::PRIVACY, 1), b"wrong!")));
    let why = Refusal::Fault(Status::ACCESS_DENIED);
    assert_eq!(events, [ClientEvent::Refused { context_id: 0, why }]);
}

#[test]
fn calls_without_security_say_so() {
    let mut pair = Pair::new(true);
    pair.bind(ONE, None);
    assert_eq!(only(pair.call(0, None, b"x").1).security, None);
    let mut pair = Pair::new(true);
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::PRIVACY, 1), b"secret")));
    assert_eq!(only(pair.call(0, None, b"x").1).security, None);
}

#[test]
fn a_byte_changed_on_the_wire_never_gives_other_data() {
    for level in [AuthLevel::INTEGRITY, AuthLevel::PRIVACY] {
        for to_server in [true, false] {
            for at in 0..120 {
                for mask in [0x01, 0x80] {
                    let mut pair = Pair::new(true);
                    pair.bind(ONE, Some((key(AuthType::WINNT, level, 1), b"secret")));
                    let spec =
                        CallSpec { context_id: 0, security: Some(1), opnum: 3, object: None, stub: b"data" };
                    let call_id = pair.client.call(NOW, &spec).unwrap();
                    if to_server {
                        pair.tamper = Some((true, at, mask));
                    }
                    for event in pair.run().1 {
                        let ServerEvent::Call(call) = event else { continue };
                        let same = (call.call_id, call.opnum, &call.stub[..]) == (call_id, 3, b"data");
                        // Without sec_trailer a call says that nobody proved anything.
                        assert!(call.security.is_none() || (same && !to_server), "{at} {mask} {call:?}");
                        pair.tamper = Some((false, at, mask));
                        pair.server.respond(call.call_id, b"results").unwrap();
                    }
                    for event in pair.run().0 {
                        assert!(!matches!(event, ClientEvent::Response { .. }), "{at} {mask} {event:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn refusals_are_understood() {
    let mut pair = Pair::new(true);
    let none = SyntaxId::new(Uuid::max(), 1, 0);
    let (result, reason) = (ContextResult::PROVIDER_REJECTION, ContextReason::ABSTRACT_SYNTAX_NOT_SUPPORTED);
    let why = Refusal::Context(result, reason);
    assert_eq!(pair.bind(none, None), [ClientEvent::Refused { context_id: 0, why }]);
    assert_eq!(pair.bind(ONE, None), [ClientEvent::Bound { context_id: 2 }]);
    let mut pair = Pair::new(true);
    let why = Refusal::Bind(RejectReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED);
    let events = pair.bind(ONE, Some((key(AuthType::GSS_KERBEROS, AuthLevel::PRIVACY, 1), b"secret")));
    assert_eq!(events, [ClientEvent::Refused { context_id: 0, why }]);
    assert!(pair.client_closed.is_some());
}

#[test]
fn faults_cancels_and_orphans() {
    let mut pair = Pair::new(true);
    pair.bind(ONE, None);
    let (call_id, _) = pair.call(0, None, b"x");
    pair.client.cancel(call_id).unwrap();
    assert_eq!(pair.run().1, [ServerEvent::Cancelled(call_id)]);
    assert_eq!(pair.server.fault(call_id, Status(0), true), Err(Misuse::ForbiddenStatus));
    pair.server.fault(call_id, Status::OP_RNG_ERROR, false).unwrap();
    assert_eq!(pair.server.respond(call_id, b""), Err(Misuse::UnknownCall));
    let fault = ClientEvent::Fault {
        call_id,
        status: Status::OP_RNG_ERROR,
        did_not_execute: true,
        extended_error: None,
    };
    assert_eq!(pair.run().0, [fault]);
    let (call_id, _) = pair.call(0, None, b"x");
    pair.client.orphan(call_id).unwrap();
    assert_eq!(pair.run().1, [ServerEvent::Orphaned(call_id)]);
    assert_eq!(pair.server.respond(call_id, b""), Err(Misuse::UnknownCall));
    pair.server.shutdown();
    assert_eq!(pair.run().0, [ClientEvent::Shutdown]);
    assert_eq!(pair.client_closed, None);
}

#[test]
fn an_answer_that_does_not_come_ends_the_connection() {
    let mut client = Client::<Toy>::new(Options::default(), 0);
    client.bind(NOW, ONE, None).unwrap();
    assert_eq!(client.bind(NOW, ONE, None), Err(Misuse::Negotiating));
    assert!(matches!(client.poll(), Output::Send(_)));
    let Output::Wait(Some(deadline)) = client.poll() else { panic!() };
    client.handle(Time(deadline.0 - 1), Input::Tick);
    assert_eq!(client.poll(), Output::Wait(Some(deadline)));
    client.handle(deadline, Input::Tick);
    assert_eq!(client.poll(), Output::Close(Reason::TimedOut));
    assert_eq!(client.poll(), Output::Wait(None));
    assert_eq!(client.bind(NOW, ONE, None), Err(Misuse::Closed));
}

#[test]
fn features_and_ndr64_are_answered_as_clients_want_it() {
    let offered = [SyntaxId::NDR, SyntaxId::NDR64, SyntaxId::feature_negotiation(Features(0xFFFF))];
    let contexts = offered.iter().zip(0..).map(|(s, id)| PresentationContext::new(id, ONE, *s)).collect();
    let (sent, _, closed) = answers(&[Pdu::new(Flags::WHOLE, 1, Body::Bind(bind(contexts)))]);
    let Body::BindAck(BindAck { results, max_xmit_frag, secondary_address, .. }) = &sent[0].body else {
        panic!()
    };
    let short: Vec<_> = results.iter().map(|r| (r.result.0, r.reason.0, r.transfer_syntax)).collect();
    assert_eq!(short, [(0, 0, SyntaxId::NDR), (2, 2, SyntaxId::NIL), (3, 3, SyntaxId::NIL)]);
    assert_eq!((*max_xmit_frag, &secondary_address[..], closed), (4280, &b"135\0"[..], None));
}

#[test]
fn what_breaks_the_rules_is_answered_with_a_fault() {
    let cases: Vec<(Vec<Pdu<'_>>, Option<Status>, bool)> = vec![
        (vec![request(Flags::WHOLE, 1, 0)], Some(Status::PROTO_ERROR), true),
        (vec![bound(), request(Flags::WHOLE, 2, 9)], Some(Status::INVALID_PRES_CONTEXT_ID), false),
        (vec![bound(), request(Flags::LAST, 900, 0)], Some(Status::PROTO_ERROR), true),
        (
            vec![bound(), request(Flags::FIRST, 2, 0), request(Flags::LAST, 3, 0)],
            Some(Status::PROTO_ERROR),
            true,
        ),
        (
            vec![bound(), request(Flags::FIRST, 2, 0), request(Flags::LAST, 2, 1)],
            Some(Status::PROTO_ERROR),
            true,
        ),
        (vec![bound(), Pdu::new(Flags::WHOLE, 2, Body::Shutdown)], Some(Status::PROTO_ERROR), true),
        (vec![bound(), bound()], None, true),
    ];
    for (pdus, status, closes) in cases {
        let (sent, events, closed) = answers(&pdus);
        let last = sent.last().unwrap();
        match status {
            Some(status) => assert_eq!(fault_of(last), status),
            None => assert!(matches!(last.body, Body::BindNak(_))),
        }
        assert_eq!((events, closed.is_some()), (vec![], closes), "{last:?}");
    }
}

#[test]
fn an_unknown_security_context_is_refused_once_for_a_call() {
    let protected = |flags| {
        let mut pdu = request(flags, 5, 0);
        pdu.verifier = Some(Verifier {
            padding: vec![0; 12].into(),
            auth_type: AuthType::WINNT,
            auth_level: AuthLevel::PRIVACY,
            reserved: 0,
            context_id: 8,
            token: vec![0; 16].into(),
        });
        pdu
    };
    let pdus = [bound(), protected(Flags::FIRST), protected(Flags(0)), protected(Flags::LAST)];
    let (sent, events, closed) = answers(&pdus);
    assert_eq!((sent.len(), events, closed), (2, vec![], None));
    assert_eq!(fault_of(&sent[1]), Status::ACCESS_DENIED);
}

#[test]
fn alter_context_may_have_sizes_of_zero() {
    let contexts = vec![PresentationContext::new(4, TWO, SyntaxId::NDR)];
    let alter = dce_rpc::Bind { max_xmit_frag: 0, max_recv_frag: 0, ..bind(contexts) };
    let alter = Pdu::new(Flags::WHOLE, 2, Body::AlterContext(alter));
    let (sent, events, closed) = answers(&[bound(), alter, request(Flags::WHOLE, 3, 4)]);
    assert!(matches!(sent[1].body, Body::AlterContextResp(_)));
    assert_eq!((only(events).interface, closed), (TWO, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_streams_never_make_a_server_or_a_client_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in 1..100_usize,
    ) {
        let mut pair = Pair::new(true);
        pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::INTEGRITY, 1), b"secret")));
        pair.call(0, Some(1), &[7; 100]);
        let mut stream = pair.wire;
        for (index, byte) in damage {
            let at = index.index(stream.len());
            stream[at] = byte;
        }
        let mut server = Server::new(Two::new(true), Options::default(), 1, "135");
        let mut client = Client::<Toy>::new(Options::default(), 0);
        client.bind(NOW, ONE, None).unwrap();
        for part in stream.chunks(cut) {
            server.handle(NOW, Input::Data(part));
            client.handle(NOW, Input::Data(part));
        }
        while !matches!(server.poll(), Output::Wait(_)) {}
        while !matches!(client.poll(), Output::Wait(_)) {}
    }
}

/// A client with a protected call under way, and what it is answered.
fn answered(change: impl FnOnce(&mut Pdu<'_>)) -> Option<Reason> {
    let mut pair = Pair::new(true);
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::INTEGRITY, 1), b"secret")));
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::INTEGRITY, 2), b"secret")));
    let (call_id, _) = pair.call(0, Some(1), b"parameters");
    let body = dce_rpc::Response {
        alloc_hint: 0,
        context_id: 0,
        cancel_count: 0,
        reserved: 0,
        stub: b"forged".to_vec().into(),
    };
    let mut pdu = Pdu::new(Flags::WHOLE, call_id, Body::Response(body));
    change(&mut pdu);
    pair.client.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    assert_eq!(pair.run().0, []);
    pair.client_closed
}

#[test]
fn a_protected_call_takes_no_other_answer() {
    assert_eq!(answered(|_| {}), Some(Reason::Unprotected));
    assert_eq!(answered(|pdu| pdu.verifier = signature(3, AuthLevel::INTEGRITY)), Some(Reason::Unprotected));
    assert_eq!(answered(|pdu| pdu.verifier = signature(1, AuthLevel::CONNECT)), Some(Reason::Unprotected));
    let wrong = Some(Reason::Security(Status::SEC_PKG_ERROR));
    assert_eq!(answered(|pdu| pdu.verifier = signature(1, AuthLevel::INTEGRITY)), wrong);
    assert_eq!(answered(|pdu| pdu.verifier = signature(2, AuthLevel::INTEGRITY)), wrong);
    // Nobody waits for it.
    assert_eq!(answered(|pdu| pdu.call_id = 99), None);
}

#[test]
fn an_answer_under_another_context_is_refused_even_with_its_signature() {
    let mut pair = Pair::new(true);
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::INTEGRITY, 1), b"secret")));
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::INTEGRITY, 2), b"secret")));
    let (first, _) = pair.call(0, Some(1), b"parameters");
    let (second, _) = pair.call(0, Some(2), b"parameters");
    pair.server.respond(second, b"results").unwrap();
    let Output::Send(bytes) = pair.server.poll() else { panic!() };
    // Properly signed for the second call, and given out as the answer to the first where the signature leaves it open.
    let mut pdu = Pdu::decode(&bytes).unwrap();
    pdu.call_id = first;
    pair.client.handle(NOW, Input::Data(&pdu.to_vec().unwrap()));
    assert_eq!(pair.run().0, []);
    assert!(pair.client_closed.is_some());
}

#[test]
fn a_verification_trailer_that_does_not_fit_is_refused() {
    use dce_rpc::{Command, CommandBody, VerificationTrailer};
    let fits = CommandBody::PContext { interface: ONE, transfer: SyntaxId::NDR };
    let lies = CommandBody::PContext { interface: TWO, transfer: SyntaxId::NDR };
    let unknown = || CommandBody::Unknown { command: 9, body: vec![0; 4].into() };
    for (must_process, body, ok) in
        [(false, fits, true), (false, lies, false), (false, unknown(), true), (true, unknown(), false)]
    {
        let mut stub = b"stub".to_vec();
        let commands = vec![Command { must_process, body }];
        stub.extend(VerificationTrailer { commands }.to_vec().unwrap());
        let body = Request { alloc_hint: 0, context_id: 0, opnum: 1, object: None, stub: stub.into() };
        let (sent, events, closed) = answers(&[bound(), Pdu::new(Flags::WHOLE, 2, Body::Request(body))]);
        assert_eq!(closed, None);
        if ok {
            assert_eq!(only(events).stub, b"stub");
        } else {
            assert_eq!((fault_of(&sent[1]), events), (Status::ACCESS_DENIED, vec![]));
        }
    }
}

#[test]
fn big_endian_clients_are_understood() {
    let mut pdus = [bound(), request(Flags::WHOLE, 2, 0)];
    pdus.iter_mut().for_each(|pdu| pdu.data_representation = dce_rpc::DataRepresentation::BIG);
    let (sent, events, _) = answers(&pdus);
    assert!(matches!(sent[0].body, Body::BindAck(_)));
    assert!(only(events).big_endian);
}

#[test]
fn limits_hold() {
    let mut options = Options::default();
    (options.max_stub, options.max_calls, options.max_security, options.max_contexts) = (7, 1, 1, 2);
    let mut pair = Pair::new(true);
    pair.server = Server::new(Two::new(true), options, 1, "135");
    pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::CONNECT, 1), b"secret")));
    let events = |pair: &mut Pair, stub: &[u8]| {
        let spec = CallSpec { context_id: 0, security: Some(1), opnum: 3, object: None, stub };
        pair.client.call(NOW, &spec).unwrap();
        pair.run()
    };
    let status = |events: &[ClientEvent]| match events {
        [ClientEvent::Fault { status, .. }] => *status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(&events(&mut pair, b"12345678").0), Status::ACCESS_DENIED);
    assert_eq!(events(&mut pair, b"1234567").1.len(), 1);
    assert_eq!(status(&events(&mut pair, b"").0), Status::SERVER_TOO_BUSY);
    let why = Refusal::Fault(Status::PROTO_ERROR);
    let refused = pair.bind(ONE, Some((key(AuthType::WINNT, AuthLevel::PRIVACY, 2), b"secret")));
    assert_eq!(refused, [ClientEvent::Refused { context_id: 2, why }]);
    assert_eq!(pair.bind(TWO, None).len(), 1);
    let why = Refusal::Bind(RejectReason::LOCAL_LIMIT_EXCEEDED);
    assert_eq!(pair.bind(TWO, None), [ClientEvent::Refused { context_id: 4, why }]);
    assert_eq!((pair.client_closed, pair.server_closed), (None, None));
}

#[test]
fn a_context_that_is_not_built_protects_nothing() {
    let hello = || secured(bound(), token(1, b"hello"));
    let call = |level| secured(request(Flags::WHOLE, 2, 0), signature(1, level));
    let (sent, events, closed) = answers(&[hello(), call(AuthLevel::INTEGRITY)]);
    assert_eq!((fault_of(&sent[1]), events), (Status::PROTO_ERROR, vec![]));
    assert_eq!(closed, Some(Reason::OutOfSequence));
    // A level that the context does not have.
    let built = || [hello(), auth3(token(1, b"secret"))];
    let [a, b] = built();
    let (sent, events, closed) = answers(&[a, b, call(AuthLevel::CONNECT)]);
    assert_eq!((fault_of(&sent[1]), events, closed), (Status::ACCESS_DENIED, vec![], None));
    let [a, b] = built();
    let (sent, events, closed) = answers(&[a, b, call(AuthLevel::INTEGRITY)]);
    assert_eq!((fault_of(&sent[1]), events), (Status::SEC_PKG_ERROR, vec![]));
    assert_eq!(closed, Some(Reason::Security(Status::SEC_PKG_ERROR)));
    // A second exchange for one context, a token for none.
    let [a, b] = built();
    let (_, _, closed) = answers(&[a, b, auth3(token(1, b"secret"))]);
    assert_eq!(closed, Some(Reason::OutOfSequence));
    let (_, _, closed) = answers(&[hello(), auth3(token(2, b"secret"))]);
    assert_eq!(closed, Some(Reason::OutOfSequence));
}

#[test]
fn calls_wait_for_each_other_unless_agreed_otherwise() {
    let (sent, events, closed) =
        answers(&[bound(), request(Flags::WHOLE, 2, 0), request(Flags::WHOLE, 3, 0)]);
    assert_eq!((events.len(), fault_of(&sent[1])), (1, Status::PROTO_ERROR));
    assert_eq!(closed, Some(Reason::OutOfSequence));
    let mut several = bound();
    several.flags = Flags::WHOLE.with(Flags::CONC_MPX);
    let calls = [several, request(Flags::WHOLE, 2, 0), request(Flags::WHOLE, 3, 0)];
    let (sent, events, closed) = answers(&calls);
    assert!(sent[0].flags.contains(Flags::CONC_MPX));
    assert_eq!((events.len(), closed), (2, None));
    let [several, ..] = calls;
    let (_, events, closed) = answers(&[several, request(Flags::WHOLE, 2, 0), request(Flags::WHOLE, 2, 0)]);
    assert_eq!((events.len(), closed), (1, Some(Reason::OutOfSequence)));
}
