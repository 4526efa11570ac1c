use std::collections::BTreeSet;

use comqc_format::Recording;
use comqc_session::{
    AfterFailure, CallError, DeadReason, Field, Interface, Invocation, Library, MessageId, Method,
    ObjectCodecs, Parameter, Plain, PlayedCall, Player, PlayerOptions, QueueMessage, Received, RecordType,
    Recorder, RecorderOptions, Records, Sender, Timestamp, Type, Verdict,
};
use ndr_oaut::{InvokeRequest, Stub, VarType, Variant};
use remassist_core::{Decode as _, DecodeOptions, Encode as _, Policy};
use uuid::Uuid;

use super::Oracle;

pub(super) const ALL: &[Oracle] = &[("comqc_player", player), ("comqc_interface", interface)];

/// What the bytes of an input choose from, and one kind of record that is not declared.
const TYPES: [&str; 43] = [
    "char",
    "unsigned char",
    "short",
    "unsigned short",
    "long",
    "unsigned long",
    "hyper",
    "unsigned hyper",
    "int",
    "unsigned int",
    "float",
    "double",
    "VARIANT_BOOL",
    "SCODE",
    "CURRENCY",
    "DATE",
    "DECIMAL",
    "v1_enum",
    "enum",
    "BSTR",
    "VARIANT",
    "IUnknown*",
    "IDispatch*",
    "SAFEARRAY(VARIANT)",
    "SAFEARRAY(BSTR)",
    "SAFEARRAY(unsigned char)",
    "SAFEARRAY(short)",
    "SAFEARRAY(long)",
    "SAFEARRAY(double)",
    "PSAFEARRAY(long)",
    "SAFEARRAY(IUnknown*)",
    "record Line",
    "record Shape",
    "[unique] record Line*",
    "[unique] record Point*",
    "SAFEARRAY(record Line)",
    "PSAFEARRAY(record Shape)",
    "[unique] SAFEARRAY(long)*",
    "[unique] short*",
    "[unique] hyper*",
    "[unique] BSTR*",
    "[unique] VARIANT*",
    "[unique] IUnknown**",
];

/// The records of these types, each with its GUID: those of `records.json`, and a VARIANT, an array, an object.
fn records() -> Vec<RecordType> {
    const RECORDS: [(&str, &[(&str, &str)]); 3] = [
        (
            "Line",
            &[
                ("flag", "unsigned char"),
                ("article", "BSTR"),
                ("quantity", "short"),
                ("price", "double"),
                ("note", "BSTR"),
            ],
        ),
        (
            "Shape",
            &[
                ("kind", "enum"),
                ("first", "record Point"),
                ("name", "BSTR"),
                ("second", "[unique] record Point*"),
                ("third", "[unique] record Point*"),
                ("weight", "[unique] double*"),
                ("any", "VARIANT"),
                ("lines", "SAFEARRAY(record Line)"),
                ("object", "[unique] IUnknown**"),
                ("tail", "unsigned char"),
            ],
        ),
        ("Point", &[("x", "unsigned char"), ("y", "hyper")]),
    ];
    let record = |(name, fields): (&str, &[(&str, &str)])| RecordType {
        name: name.into(),
        guid: Some(Uuid::from_bytes([name.as_bytes()[0]; 16])),
        library: Some(Library { guid: Uuid::from_u128(2), ..Default::default() }),
        fields: fields.iter().map(|(name, ty)| Field::new(name, ty.parse().expect("a type"))).collect(),
    };
    RECORDS.map(record).to_vec()
}

/// A player for the target of a message, if it has one, with a table for the interface of its first call.
fn for_message(body: &[u8], choice: u8, format: Policy) -> Player<()> {
    let mut objects = ObjectCodecs::default();
    objects.register::<Vec<u8>>(Uuid::nil(), |bytes| Ok(bytes.clone()), |bytes| Ok(bytes.to_vec()));
    let recording = Recording::decode(body, &DecodeOptions::TOLERANT);
    let mut interfaces = Vec::new();
    if let Ok(recording) = &recording
        && choice & 2 != 0
    {
        let types = [Type::Variant, Type::Unknown];
        let parameters = types.map(|ty| Parameter::new(&ty.to_string(), ty)).to_vec();
        let method = Method { name: "Do".into(), number: Some(8), parameters, ..Default::default() };
        interfaces
            .extend(Interface::new(recording.calls[0].interface_id, "I", choice & 4 != 0, vec![method]).ok());
    }
    let mut player = Player::new(PlayerOptions { format, objects, interfaces, ..Default::default() });
    if let Ok(recording) = recording {
        player.register(recording.partition, recording.target_id, ());
    }
    player
}

/// The first byte chooses how, the rest is a body. A player gives a verdict, or plays all calls; strict ones play nothing that
/// tolerant ones do not; what is recorded again is played the same.
fn player(input: &[u8]) {
    let Some((choice, body)) = input.split_first() else { return };
    let received = Received {
        id: MessageId::NIL,
        message: QueueMessage { body: body.to_vec().into(), ..Default::default() },
        sender: Sender::default(),
        sent: Timestamp(0),
        round: choice >> 5,
        failures: u32::from(choice >> 3 & 3),
        abandoned: 0,
    };
    let [strict, tolerant] =
        [Policy::Strict, Policy::Tolerant].map(|format| for_message(body, *choice, format));
    let well_formed = Recording::decode(body, &DecodeOptions::STRICT).is_ok();
    match (strict.begin(&received), tolerant.begin(&received)) {
        (Ok(_), Ok(_)) => assert!(well_formed),
        (Ok(_), Err(verdict)) => panic!("only strictly: {verdict:?}"),
        (Err(verdict), _) => {
            let Verdict::Dead(reason, text) = verdict else { panic!("{verdict:?}") };
            assert!(!text.is_empty());
            if !well_formed {
                assert_eq!(reason, DeadReason::Malformed);
            }
        }
    }
    let Ok(mut playback) = tolerant.begin(&received) else { return };
    let options = RecorderOptions {
        writer: comqc_format::Writer { max_size: usize::MAX, ..Default::default() },
        ..Default::default()
    };
    let mut recorder = Recorder::new(playback.target_id(), options);
    if let Some(partition) = playback.partition() {
        recorder = recorder.in_partition(partition);
    }
    let mut calls = Vec::new();
    while let Some(call) = playback.next_call() {
        assert!(call.method_number >= 3);
        assert!(!call.is_dispatch() || call.invoke().is_ok());
        calls.push((call.interface_id, call.method_number, call.data));
        let security = call.claims().into_owned();
        let recorded = recorder.set_authenticated_security(security).is_ok()
            && recorder.call_marshaled(call.interface_id, call.method_number, call.data.to_vec()).is_ok();
        assert!(
            recorded || call.is_dispatch() || call.claims().collections.len() > 16,
            "what was played can be recorded"
        );
    }
    assert_eq!(calls.len(), playback.len());
    assert_eq!(playback.done(), Verdict::Done);
    if recorder.len() == calls.len() {
        let message = recorder.finish().expect("there is room").expect("there are calls");
        let again = Received { message, ..received.clone() };
        let again = tolerant.begin(&again).map(|mut playback| {
            let next = || playback.next_call().map(|c| (c.interface_id, c.method_number, c.data.to_vec()));
            std::iter::from_fn(next).collect::<Vec<_>>()
        });
        let expected: Vec<_> =
            calls.iter().map(|(iid, number, data)| (*iid, *number, data.to_vec())).collect();
        assert_eq!(again.ok(), Some(expected));
    }
    let mut fail = |_: &PlayedCall<'_>| Err(CallError::from("no"));
    match tolerant.begin(&received).map(|playback| playback.play(&mut fail)) {
        Ok(AfterFailure::Settle(
            Verdict::Again(_) | Verdict::Retry { .. } | Verdict::Dead(DeadReason::Exhausted, _),
        )) => {}
        other => panic!("{other:?}"),
    }
}

/// The first byte tells how many parameters there are, as many bytes choose their types, the rest are the parameters: what a table
/// reads it writes so that it reads the same. The rest may also be those of Invoke.
fn interface(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let Some((types, data)) = rest.split_at_checked(usize::from(count % 8)) else { return };
    let types = types.iter().map(|choice| match TYPES.get(usize::from(*choice)) {
        Some(text) => text.parse().expect("a type"),
        None => Type::SafeArray(Box::new(Type::Record(Uuid::nil().into()))),
    });
    let parameters = types.enumerate().map(|(index, ty)| Parameter::new(&index.to_string(), ty)).collect();
    let method =
        Method { name: "Do".into(), number: Some(3), dispid: Some(1), parameters, ..Default::default() };
    let table =
        Interface::with_records(Uuid::from_u128(1), "I", false, records(), vec![method]).expect("a table");
    let (method, records) = (&table.methods()[0], table.records());
    let text = serde_json::to_string(&table).expect("JSON");
    assert_eq!(serde_json::from_str::<Interface>(&text).expect("what was written"), table);
    if let Ok(values) = method.decode(data, &DecodeOptions::TOLERANT) {
        let written = method.encode(&values).expect("what was read can be written");
        assert_eq!(method.decode(&written, &DecodeOptions::TOLERANT).as_ref(), Ok(&values));
        for (parameter, value) in method.parameters.iter().zip(&values) {
            readable(&parameter.ty, value, records);
        }
    }
    let Ok(Stub { value, .. }) = Stub::<InvokeRequest<'_>>::decode(data) else { return };
    let invocation = Invocation::from(value);
    let mut names = BTreeSet::new();
    if invocation.named.iter().all(|(name, _)| names.insert(*name)) {
        assert_eq!(Invocation::from(invocation.clone().into_request()), invocation);
    }
    for argument in &invocation.positional {
        readable(&Type::Variant, &argument.value, records);
    }
    if let Ok(values) = method.arguments(invocation) {
        assert_eq!(values.len(), method.parameters.len());
    }
    let request = Stub::new(
        Invocation { member: 1, kind: Default::default(), lcid: 0, positional: vec![], named: vec![] }
            .into_request(),
    );
    assert!(request.to_vec().is_ok());
}

/// What a person sees can be JSON, and is read as the same text again.
fn readable(ty: &Type, value: &Variant<'_>, records: &Records) {
    let plain = Plain::of_with(ty, value, records);
    let text = serde_json::to_string(&plain).expect("JSON");
    let again: Plain = serde_json::from_str(&text).expect("what was written");
    assert_eq!(again, plain);
    // Numbers that no program writes are not kept: a boolean that is neither, a DECIMAL with two signs.
    if let Ok(read) = again.value_with(ty, records)
        && ty.vt() != VarType::DECIMAL
    {
        assert_eq!(Plain::of_with(ty, &read, records), plain, "{text}");
    }
}
