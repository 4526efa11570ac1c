//! Laws over generated PDUs and verification trailers; rules that a PDU can break.

use dce_rpc::{
    AuthLevel, AuthType, Bind, BindAck, BindNak, Body, Command, CommandBody, CommonHeader, ContextReason,
    ContextResult, DataRepresentation, Fault, Flags, PacketType, Pdu, PresentationContext,
    PresentationResult, RejectReason, Request, Response, Status, SyntaxId, VerificationTrailer, Verifier,
};
use expect_test::expect;
use proptest::prelude::*;
use remassist_core::{Blob, Decode, DecodeOptions, Encode, Limits};
use testkit::laws;
use uuid::Uuid;

fn blob(max: usize) -> impl Strategy<Value = Blob<'static>> {
    prop::collection::vec(any::<u8>(), 0..max).prop_map(Blob::from)
}

fn syntax() -> impl Strategy<Value = SyntaxId> {
    let any = (any::<u128>(), any::<u32>())
        .prop_map(|(uuid, version)| SyntaxId { uuid: Uuid::from_u128(uuid), version });
    prop_oneof![Just(SyntaxId::NDR), Just(SyntaxId::NDR64), any]
}

fn bind() -> impl Strategy<Value = Bind> {
    let context = (any::<u16>(), any::<u8>(), syntax(), prop::collection::vec(syntax(), 0..3)).prop_map(
        |(id, reserved, abstract_syntax, transfer_syntaxes)| PresentationContext {
            id,
            reserved,
            abstract_syntax,
            transfer_syntaxes,
        },
    );
    (any::<[u16; 2]>(), any::<u32>(), any::<[u8; 3]>(), prop::collection::vec(context, 1..4)).prop_map(
        |([max_xmit_frag, max_recv_frag], assoc_group_id, reserved, contexts)| Bind {
            max_xmit_frag,
            max_recv_frag,
            assoc_group_id,
            reserved,
            contexts,
        },
    )
}

fn bind_ack() -> impl Strategy<Value = BindAck<'static>> {
    let result = (0..5_u16, any::<u16>(), syntax()).prop_map(|(result, reason, transfer_syntax)| {
        PresentationResult { result: ContextResult(result), reason: ContextReason(reason), transfer_syntax }
    });
    let address = prop::collection::vec(any::<u8>(), 0..12);
    (any::<[u16; 2]>(), any::<u32>(), address, prop::collection::vec(result, 0..4))
        .prop_map(|([x, r], group, address, results)| BindAck::new((x, r), group, address, results))
}

fn body() -> impl Strategy<Value = Body<'static>> {
    let object = prop::option::of(any::<u128>().prop_map(Uuid::from_u128));
    let request = (any::<u32>(), any::<[u16; 2]>(), object, blob(40)).prop_map(
        |(alloc_hint, [context_id, opnum], object, stub)| {
            Body::Request(Request { alloc_hint, context_id, opnum, object, stub })
        },
    );
    let response = (any::<u32>(), any::<u16>(), any::<[u8; 2]>(), blob(40)).prop_map(
        |(alloc_hint, context_id, [cancel_count, reserved], stub)| {
            Body::Response(Response { alloc_hint, context_id, cancel_count, reserved, stub })
        },
    );
    let fault = (any::<u32>(), any::<u16>(), any::<[u8; 6]>(), any::<u32>(), blob(20)).prop_map(
        |(alloc_hint, context_id, [cancel_count, reserved, reserved2 @ ..], status, stub)| {
            let status = Status(status);
            Body::Fault(Fault { alloc_hint, context_id, cancel_count, reserved, status, reserved2, stub })
        },
    );
    let versions = prop::collection::vec(any::<[u8; 2]>(), 0..4);
    let nak = (any::<u16>(), versions, blob(50)).prop_map(|(reason, versions, tail)| {
        Body::BindNak(BindNak { reason: RejectReason(reason), versions, tail })
    });
    let unknown =
        (20..=255_u8, blob(20)).prop_map(|(n, body)| Body::Unknown { packet_type: PacketType(n), body });
    prop_oneof![
        request,
        response,
        fault,
        bind().prop_map(Body::Bind),
        bind().prop_map(Body::AlterContext),
        bind_ack().prop_map(Body::BindAck),
        bind_ack().prop_map(Body::AlterContextResp),
        nak,
        any::<[u8; 4]>().prop_map(|pad| Body::Auth3 { pad: pad.to_vec().into() }),
        prop_oneof![Just(Body::Shutdown), Just(Body::CoCancel), Just(Body::Orphaned)],
        unknown,
    ]
}

fn verifier() -> impl Strategy<Value = Verifier<'static>> {
    (blob(17), any::<[u8; 3]>(), any::<u32>(), blob(20)).prop_map(
        |(padding, [auth_type, auth_level, reserved], context_id, token)| Verifier {
            padding,
            auth_type: AuthType(auth_type),
            auth_level: AuthLevel(auth_level),
            reserved,
            context_id,
            token: [&token[..], &[1]].concat().into(),
        },
    )
}

fn pdu() -> impl Strategy<Value = Pdu<'static>> {
    (any::<[u8; 2]>(), any::<bool>(), any::<u32>(), body(), prop::option::of(verifier())).prop_map(
        |([version_minor, flags], little, call_id, body, verifier)| {
            let flags = match &body {
                Body::Request(Request { object: Some(_), .. }) => Flags(flags).with(Flags::OBJECT_UUID),
                Body::Request(_) => Flags(flags).without(Flags::OBJECT_UUID),
                _ => Flags(flags),
            };
            let data_representation =
                if little { DataRepresentation::LITTLE } else { DataRepresentation::BIG };
            Pdu { version_minor, flags, data_representation, call_id, body, verifier }
        },
    )
}

fn trailer() -> impl Strategy<Value = VerificationTrailer<'static>> {
    let header2 = (any::<[u8; 8]>(), any::<u32>(), any::<[u16; 2]>()).prop_map(
        |([packet_type, a, b, c, drep @ ..], call_id, [context_id, opnum])| CommandBody::Header2 {
            packet_type: PacketType(packet_type),
            reserved: [a, b, c],
            data_representation: DataRepresentation(drep),
            call_id,
            context_id,
            opnum,
        },
    );
    let unknown = (4..0x4000_u16, 0..4_usize)
        .prop_map(|(command, words)| CommandBody::Unknown { command, body: vec![7; 4 * words].into() });
    let body = prop_oneof![
        any::<u32>().prop_map(|bits| CommandBody::Bitmask { bits }),
        header2,
        (syntax(), syntax()).prop_map(|(interface, transfer)| CommandBody::PContext { interface, transfer }),
        unknown,
    ];
    let command = (any::<bool>(), body).prop_map(|(must_process, body)| Command { must_process, body });
    prop::collection::vec(command, 1..4).prop_map(|commands| VerificationTrailer { commands })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn pdus_obey_the_laws(value in pdu()) {
        laws::value(&value);
        laws::json(&value);
        let bytes = value.to_vec().unwrap();
        laws::truncations::<Pdu<'_>>(&bytes);
        let (header, _) = CommonHeader::decode_prefix(&bytes).unwrap();
        prop_assert_eq!(header, value.header());
        laws::value(&header);
        prop_assert_eq!(Pdu::decode(&bytes).unwrap().into_owned(), value);
    }

    #[test]
    fn verification_trailers_obey_the_laws(value in trailer()) {
        laws::value(&value);
        laws::json(&value);
        laws::truncations::<VerificationTrailer<'_>>(&value.to_vec().unwrap());
    }

    #[test]
    fn a_trailer_is_found_behind_any_stub_data(value in trailer(), words in 0..9_usize, byte: u8) {
        let mut stub = vec![byte; 4 * words];
        stub.extend(value.to_vec().unwrap());
        prop_assert_eq!(VerificationTrailer::find(&stub), Some((value, 4 * words)));
        stub.push(0);
        prop_assert_eq!(VerificationTrailer::find(&stub), None);
    }
}

fn request() -> Pdu<'static> {
    let stub = Blob::from(b"stubdata".to_vec());
    let body = Request { alloc_hint: 8, context_id: 1, opnum: 2, object: None, stub };
    let mut pdu = Pdu::new(Flags::WHOLE, 9, Body::Request(body));
    pdu.verifier = Some(Verifier {
        padding: vec![0; 8].into(),
        auth_type: AuthType::WINNT,
        auth_level: AuthLevel::INTEGRITY,
        reserved: 0,
        context_id: 3,
        token: vec![1; 16].into(),
    });
    pdu
}

/// What the tolerant decoder says to a request with one byte changed.
fn changed(at: usize, byte: u8) -> String {
    let mut bytes = request().to_vec().unwrap();
    bytes[at] = byte;
    match Pdu::decode_with(&bytes, &DecodeOptions::TOLERANT) {
        Err(error) => format!("error: {error}"),
        Ok(decoded) => decoded.deviations.iter().map(|d| format!("deviation: {d}\n")).collect(),
    }
}

#[test]
fn errors_name_byte_field_and_section() {
    expect![
        "error: rpcconn_common_hdr_t.rpc_vers at byte 0: value 0x4 is not allowed here ([C706] 12.6.3.1)"
    ]
    .assert_eq(&changed(0, 4));
    expect![[r#"
        deviation: rpcconn_common_hdr_t.rpc_vers_minor at byte 1: value 0x1 is not allowed here ([MS-RPCE] 3.3.1.5.1)
    "#]]
    .assert_eq(&changed(1, 1));
    expect![[r#"
        deviation: rpcconn_common_hdr_t.PTYPE at byte 16: no type of connection-oriented RPC ([C706] 12.6.3.1)
    "#]]
    .assert_eq(&changed(2, 1));
    expect!["error: rpcconn_common_hdr_t.packed_drep at byte 4: neither big-endian nor little-endian ([C706] 12.6.3.1)"]
        .assert_eq(&changed(4, 0x20));
    expect![
        "error: rpcconn_common_hdr_t.frag_length at byte 8: less than the common header ([C706] 12.6.3.1)"
    ]
    .assert_eq(&changed(8, 15));
    expect!["error: rpcconn_common_hdr_t.auth_length at byte 16: length or offset 49 does not fit its container of 40 ([C706] 12.6.3.1)"]
        .assert_eq(&changed(10, 49));
    expect!["error: sec_trailer.auth_pad_length at byte 42: length or offset 25 does not fit its container of 24 ([MS-RPCE] 2.2.2.11)"]
        .assert_eq(&changed(42, 25));
}

#[test]
fn a_sec_trailer_without_token_is_a_deviation_of_answers_and_wrong_elsewhere() {
    // Samba 4.17 ends an exchange of Kerberos so.
    let ack = BindAck::new(
        (5840, 5840),
        1,
        Vec::new(),
        vec![PresentationResult {
            result: ContextResult::ACCEPTANCE,
            reason: ContextReason::NOT_SPECIFIED,
            transfer_syntax: SyntaxId::NDR,
        }],
    );
    let mut pdu = Pdu::new(Flags::WHOLE, 1, Body::AlterContextResp(ack));
    let mut verifier = request().verifier.unwrap();
    (verifier.padding, verifier.token) = (vec![0; 4].into(), Blob::from(Vec::new()));
    pdu.verifier = Some(verifier.clone());
    let bytes = pdu.to_vec().unwrap();
    assert_eq!(Pdu::decode(&bytes).unwrap(), pdu);
    expect!["sec_trailer at byte 56: a sec_trailer without token ([MS-RPCE] 2.2.2.11)"]
        .assert_eq(&Pdu::decode_strict(&bytes).unwrap_err().to_string());
    assert!(Pdu { verifier: Some(verifier), ..request() }.to_vec().is_err());
}

#[test]
fn a_trailer_that_is_not_aligned_is_a_deviation() {
    let mut pdu = request();
    pdu.verifier.as_mut().unwrap().padding = vec![0; 3].into();
    let bytes = pdu.to_vec().unwrap();
    assert_eq!(Pdu::decode(&bytes).unwrap(), pdu);
    expect!["sec_trailer at byte 35: not aligned to a multiple of 4 ([MS-RPCE] 2.2.2.11)"]
        .assert_eq(&Pdu::decode_strict(&bytes).unwrap_err().to_string());
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let error = |pdu: &Pdu<'_>| pdu.to_vec().unwrap_err().to_string();
    let mut pdu = request();
    pdu.flags = Flags::WHOLE.with(Flags::OBJECT_UUID);
    expect!["rpcconn_common_hdr_t.pfc_flags: PFC_OBJECT_UUID does not tell whether there is an object UUID ([C706] 12.6.3.1)"]
        .assert_eq(&error(&pdu));
    let mut pdu = request();
    pdu.verifier.as_mut().unwrap().token = Blob::default();
    expect!["PDU.auth_token: without a token there is no sec_trailer ([MS-RPCE] 2.2.2.12)"]
        .assert_eq(&error(&pdu));
    let mut pdu = request();
    pdu.verifier.as_mut().unwrap().token = vec![0; 65_500].into();
    expect!["rpcconn_common_hdr_t.frag_length: 65548 is more than the 65535 that fit ([C706] 12.6.3.1)"]
        .assert_eq(&error(&pdu));
    let body = Body::Unknown { packet_type: PacketType::BIND, body: Blob::default() };
    expect!["rpcconn_common_hdr_t.PTYPE: a type that has a body of its own ([C706] 12.6.3.1)"]
        .assert_eq(&error(&Pdu::new(Flags::WHOLE, 1, body)));
    let mut pdu = request();
    pdu.data_representation = DataRepresentation([0x20, 0, 0, 0]);
    assert!(error(&pdu).contains("neither big-endian nor little-endian"));
}

#[test]
fn a_trailer_of_thousands_of_commands_ends_at_the_limit() {
    let body = CommandBody::Unknown { command: 9, body: Blob::default() };
    let commands = vec![Command { must_process: false, body }; 5000];
    let bytes = VerificationTrailer { commands }.to_vec().unwrap();
    let limits = Limits::DEFAULT.with_items(4999);
    let options = DecodeOptions::TOLERANT.with_limits(limits);
    let error = VerificationTrailer::decode_with(&bytes, &options).unwrap_err();
    assert!(error.to_string().contains("more than the configured limit of 4999"), "{error}");
    assert_eq!(VerificationTrailer::decode_strict(&bytes).unwrap().commands.len(), 5000);
}

#[test]
fn a_command_that_stands_twice_is_a_deviation() {
    let command = |bits| Command { must_process: false, body: CommandBody::Bitmask { bits } };
    let trailer = VerificationTrailer { commands: vec![command(1), command(2)] };
    let bytes = trailer.to_vec().unwrap();
    assert_eq!(VerificationTrailer::decode(&bytes).unwrap(), trailer);
    expect!["SEC_VT at byte 16: a command stands twice ([MS-RPCE] 2.2.2.13)"]
        .assert_eq(&VerificationTrailer::decode_strict(&bytes).unwrap_err().to_string());
}

#[test]
fn forbidden_status_codes_are_known() {
    assert!(Status(0).is_forbidden() && Status(0xC000_0005).is_forbidden());
    assert!(!Status::ACCESS_DENIED.is_forbidden() && !Status::PROTO_ERROR.is_forbidden());
}
