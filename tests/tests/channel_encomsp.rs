//! Share control: [MS-RDPEMC].

use expect_test::{Expect, expect};
use proptest::prelude::*;
use ra_channel::encomsp::{
    AppFlags, ControlFlags, DiscCode, DiscType, EncomspPayload, FilterFlags, Message, ParticipantFlags, Pdu,
    PduType, WindowFlags,
};
use remassist_core::{Blob, Decode, DecodeOptions, Encode, Limits, Utf16Le, from_hex};
use testkit::{laws, vectors};

fn hex(text: &str) -> Vec<u8> {
    from_hex(&text.replace(' ', "")).unwrap()
}

fn deviations(bytes: &[u8]) -> Vec<String> {
    assert!(laws::bytes::<EncomspPayload>(bytes));
    let decoded = EncomspPayload::decode_with(bytes, &DecodeOptions::TOLERANT).unwrap();
    decoded.deviations.iter().map(ToString::to_string).collect()
}

fn refuses(text: &str, expected: Expect) {
    let bytes = hex(text);
    assert!(!laws::bytes::<EncomspPayload>(&bytes));
    expected.assert_eq(&EncomspPayload::decode(&bytes).unwrap_err().to_string());
}

#[test]
fn printed_examples() {
    let examples = vectors::json("channel/encomsp-examples.json");
    let examples = examples.as_array().unwrap();
    let mut all = Vec::new();
    for example in examples {
        let bytes = vectors::hex(&example["hex"]);
        let message: Message = serde_json::from_value(example["message"].clone()).unwrap();
        assert_eq!(serde_json::to_value(&message).unwrap(), example["message"]);
        let pdu = Pdu::new(message);
        assert_eq!(Pdu::decode_strict(&bytes).unwrap(), pdu, "{example}");
        assert_eq!(pdu.to_vec().unwrap(), bytes);
        laws::value(&pdu);
        laws::truncations::<Pdu>(&bytes);
        laws::json(&pdu);
        all.extend(bytes);
    }
    assert_eq!(examples.len(), 14);
    // Several in one payload.
    assert_eq!(deviations(&all), [""; 0]);
    assert_eq!(EncomspPayload::decode_strict(&all).unwrap().pdus.len(), 14);
}

#[test]
fn every_encomsp_pdu_of_real_peers() {
    let runs = vectors::json("channel/remdesk-wire.json");
    let mut types = Vec::new();
    for data in runs["runs"].as_object().unwrap().values() {
        for pdu in data["pdus"].as_array().unwrap().iter().filter(|p| p["channel"] == "encomsp") {
            let bytes = vectors::hex(&pdu["hex"]);
            assert!(laws::bytes::<EncomspPayload>(&bytes));
            let decoded = Pdu::decode(&bytes).unwrap();
            assert_eq!(u64::from(decoded.message.pdu_type().0), pdu["type"].as_u64().unwrap());
            assert_eq!(decoded.encoded_len() as u64, pdu["length"].as_u64().unwrap());
            assert!(decoded.extra.is_empty());
            laws::json(&decoded.clone().into_owned());
            types.push(pdu["type"].as_u64().unwrap());
        }
    }
    assert_eq!(types, [8, 9, 9, 9, 8, 1, 10, 11, 7]);
    // What FreeRDP sends to ask for control.
    let ask = Message::ControlChange {
        flags: ControlFlags::REQUEST_VIEW | ControlFlags::REQUEST_INTERACT,
        participant_id: 0,
    };
    assert_eq!(Pdu::new(ask).to_vec().unwrap(), hex("0900 0a00 0300 00000000"));
}

#[test]
fn type_names() {
    let names: Vec<_> = (0..=14).map(|n| PduType(n).name()).collect();
    assert_eq!((names[0], names[14]), (None, None));
    assert!(names[1..14].iter().all(|n| n.unwrap().starts_with("ODTYPE_")));
    assert_eq!(PduType::PARTICIPANT_CTRL_CHANGE_RESPONSE.0, 13);
    assert_eq!(DiscCode(0xD00A_0006), DiscCode::SEND_FAILED);
    assert_eq!(DiscType::CLI.name(), Some("PARTICIPANT_DISCONNECT_REASON_CLI"));
}

#[test]
fn flags() {
    let flags = ParticipantFlags::MAY_VIEW | ParticipantFlags::MAY_INTERACT;
    assert!(flags.contains(ParticipantFlags::MAY_VIEW) && !flags.contains(ParticipantFlags::IS_PARTICIPANT));
    assert_eq!(flags.without(ParticipantFlags::MAY_INTERACT), ParticipantFlags::MAY_VIEW);
    assert_eq!(flags.names().collect::<Vec<_>>(), ["MAY_VIEW", "MAY_INTERACT"]);
    assert_eq!(ControlFlags::KNOWN.0, 0x000B);
    assert_eq!(FilterFlags::default().names().count(), 0);
}

#[test]
fn rules_that_leave_the_meaning_clear() {
    expect![[r#"
        [
            "OD_FILTER_STATE_UPDATED.Flags at byte 4: value 0x81 is not allowed here ([MS-RDPEMC] 2.2.3.1)",
            "OD_PARTICIPANT_CTRL_CHANGE.Flags at byte 9: value 0x7 is not allowed here ([MS-RDPEMC] 2.2.4.3)",
            "ORDER_HDR.Type at byte 15: value 0x77 is not allowed here ([MS-RDPEMC] 2.2.1)",
        ]
    "#]]
    .assert_debug_eq(&deviations(&hex("0100 0500 81  0900 0a00 0700 01000000  7700 0600 abcd")));
    let mut long = hex("0300 0000 0100 01000000 0104");
    long.extend([b'x', 0].repeat(1025));
    let len = (long.len() as u16).to_le_bytes();
    long[2..4].copy_from_slice(&len);
    expect![[r#"
        [
            "UNICODE_STRING.cchString at byte 10: length or offset 1025 does not fit its container of 1024 ([MS-RDPEMC] 2.2.2)",
        ]
    "#]]
    .assert_debug_eq(&deviations(&long));
    // 1,024 are within the rule.
    let name = Utf16Le::new(&"x".repeat(1024));
    let pdu = Pdu::new(Message::AppCreated { flags: AppFlags::SHARED, app_id: 1, name });
    assert!(Pdu::decode_strict(&pdu.to_vec().unwrap()).is_ok());
}

#[test]
fn structure_that_is_wrong() {
    refuses("", expect!["ORDER_HDR.Type at byte 0: need 2 bytes, 0 left ([MS-RDPEMC] 2.2.1)"]);
    refuses(
        "0a00 0300",
        expect![
            "ORDER_HDR.Length at byte 2: length or offset 3 does not fit its container of 4 ([MS-RDPEMC] 2.2.1)"
        ],
    );
    refuses(
        "0a00 0000",
        expect![
            "ORDER_HDR.Length at byte 2: length or offset 0 does not fit its container of 4 ([MS-RDPEMC] 2.2.1)"
        ],
    );
    refuses("0a00 0500", expect!["ORDER_HDR.Length at byte 4: need 1 bytes, 0 left ([MS-RDPEMC] 2.2.1)"]);
    refuses("0a00 0400 0b", expect!["ORDER_HDR.Type at byte 4: need 2 bytes, 1 left ([MS-RDPEMC] 2.2.1)"]);
    // The string reaches into the next PDU.
    refuses(
        "0300 0c00 0100 01000000 0400 0a00 0400 0a00 0400",
        expect!["UNICODE_STRING.String at byte 12: need 8 bytes, 0 left ([MS-RDPEMC] 2.2.2)"],
    );
    refuses(
        "0900 0800 0300 0000",
        expect![
            "OD_PARTICIPANT_CTRL_CHANGE.ParticipantId at byte 6: need 4 bytes, 2 left ([MS-RDPEMC] 2.2.4.3)"
        ],
    );
}

#[test]
fn extensions_are_kept() {
    let bytes = hex("0100 0700 01 aabb  0a00 0500 cc");
    assert_eq!(deviations(&bytes), [""; 0]);
    let payload = EncomspPayload::decode_strict(&bytes).unwrap();
    let extra: Vec<_> = payload.pdus.iter().map(|p| p.extra.to_vec()).collect();
    assert_eq!(extra, [vec![0xAA, 0xBB], vec![0xCC]]);
    laws::json(&payload.into_owned());
}

#[test]
fn text_ends_at_the_first_nul() {
    let bytes = hex("0800 1800 01000000 00000000 0100 0400 6100 6200 0000 6300");
    assert_eq!(deviations(&bytes), [""; 0]);
    let Message::ParticipantCreated { friendly_name, .. } =
        &EncomspPayload::decode(&bytes).unwrap().pdus[0].message
    else {
        panic!()
    };
    assert_eq!(friendly_name.before_nul(), Utf16Le::new("ab"));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let name = |len| {
        Pdu::new(Message::AppCreated { flags: AppFlags(0), app_id: 0, name: Utf16Le::new(&"x".repeat(len)) })
    };
    let unknown = |n, extra| Pdu {
        extra,
        ..Pdu::new(Message::Unknown { pdu_type: PduType(n), body: Blob::default() })
    };
    let odd = Message::AppCreated { flags: AppFlags(0), app_id: 0, name: Utf16Le::from(&b"abc"[..]) };
    assert!(name(32_761).to_vec().is_ok());
    let errors: Vec<_> = [
        name(32_762),
        name(65_536),
        unknown(1, Blob::default()),
        unknown(99, Blob::from(vec![1])),
        Pdu::new(odd),
    ]
    .iter()
    .map(|pdu| pdu.to_vec().unwrap_err().to_string())
    .collect();
    expect![[r#"
        [
            "ORDER_HDR.Length: 65536 is more than the 65535 that fit ([MS-RDPEMC] 2.2.1)",
            "UNICODE_STRING.cchString: 65536 is more than the 65535 that fit ([MS-RDPEMC] 2.2.2)",
            "ORDER_HDR.Type: the type is known: it would not be read as an unknown message ([MS-RDPEMC] 2.2.1)",
            "PDU.extension: the body of an unknown message is all of it ([MS-RDPEMC] 3.2.5.1.1)",
            "UNICODE_STRING.String: UTF-16 text has an even number of bytes ([MS-RDPEMC] 2.2.2)",
        ]
    "#]]
    .assert_debug_eq(&errors);
    assert!(EncomspPayload { pdus: vec![] }.to_vec().is_err());
}

#[test]
fn limits() {
    let options = DecodeOptions::TOLERANT.with_limits(Limits::DEFAULT.with_items(3));
    let error = EncomspPayload::decode_with(&hex("0a000400").repeat(4), &options).unwrap_err();
    expect!["encomsp payload at byte 12: more than the configured limit of 3 (PDUs) ([MS-RDPEMC] 3.1.5.1)"]
        .assert_eq(&error.to_string());
}

fn name() -> impl Strategy<Value = Utf16Le<'static>> {
    prop::collection::vec(any::<u16>(), 0..12)
        .prop_map(|units| Utf16Le(units.iter().flat_map(|u| u.to_le_bytes()).collect::<Vec<_>>().into()))
}

fn message() -> impl Strategy<Value = Message<'static>> {
    let n = any::<u32>;
    prop_oneof![
        any::<u8>().prop_map(|f| Message::FilterUpdated { flags: FilterFlags(f) }),
        n().prop_map(|app_id| Message::AppRemoved { app_id }),
        (any::<u16>(), n(), name()).prop_map(|(f, app_id, name)| Message::AppCreated {
            flags: AppFlags(f),
            app_id,
            name
        }),
        n().prop_map(|window_id| Message::WindowRemoved { window_id }),
        (any::<u16>(), n(), n(), name()).prop_map(|(f, app_id, window_id, name)| {
            Message::WindowCreated { flags: WindowFlags(f), app_id, window_id, name }
        }),
        n().prop_map(|window_id| Message::ShowWindow { window_id }),
        (n(), n(), n()).prop_map(|(participant_id, t, c)| Message::ParticipantRemoved {
            participant_id,
            disc_type: DiscType(t),
            disc_code: DiscCode(c)
        }),
        (n(), n(), any::<u16>(), name()).prop_map(|(participant_id, group_id, f, friendly_name)| {
            Message::ParticipantCreated {
                participant_id,
                group_id,
                flags: ParticipantFlags(f),
                friendly_name,
            }
        }),
        (any::<u16>(), n()).prop_map(|(f, participant_id)| Message::ControlChange {
            flags: ControlFlags(f),
            participant_id
        }),
        Just(Message::StreamPaused),
        Just(Message::StreamResumed),
        (n(), n(), n(), n()).prop_map(|(left, top, right, bottom)| Message::WindowRegion {
            left,
            top,
            right,
            bottom
        }),
        (any::<u16>(), n(), n()).prop_map(|(f, participant_id, reason)| Message::ControlChangeResponse {
            flags: ControlFlags(f),
            participant_id,
            reason
        }),
        (14_u16.., prop::collection::vec(any::<u8>(), 0..9))
            .prop_map(|(t, body)| Message::Unknown { pdu_type: PduType(t), body: Blob::from(body) }),
    ]
}

fn pdu() -> impl Strategy<Value = Pdu<'static>> {
    (message(), prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(any::<u8>(), 0..9)]).prop_map(
        |(message, extra)| match message {
            Message::Unknown { .. } => Pdu::new(message),
            message => Pdu { message, extra: Blob::from(extra) },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn laws_of_pdus(pdu in pdu()) {
        laws::value(&pdu);
        laws::truncations::<Pdu>(&pdu.to_vec().unwrap());
        laws::json(&pdu);
        prop_assert_eq!(&pdu.clone().into_owned(), &pdu);
    }

    #[test]
    fn laws_of_payloads(pdus in prop::collection::vec(pdu(), 1..4)) {
        let payload = EncomspPayload { pdus };
        laws::value(&payload);
        laws::json(&payload);
        prop_assert_eq!(&payload.clone().into_owned(), &payload);
    }
}
