//! The recorder: what it makes of calls, and what it refuses.

use comqc_format::{
    AuthenticationLevel, Property, RecordedCall, Recording, SecurityData, Style, TargetForm, Writer,
};
use comqc_session::{
    Argument, Direction, Interface, Invocation, Method, MethodKind, ObjectCodecs, Parameter, Properties,
    QueueMessage, RecordProblem, Recorder, RecorderOptions, Type,
};
use expect_test::{Expect, expect};
use ndr_oaut::{Bstr, InterfacePointer, InvokeFlags, InvokeRequest, Scalar, Stub, VarType, Variant};
use remassist_core::{Decode as _, DecodeOptions, Encode as _};
use testkit::queued::{IOTHER, ISHIP, SHIP, chain, claim, messages, sid};
use testkit::vectors;
use uuid::{Uuid, uuid};

fn recorder() -> Recorder {
    Recorder::new(SHIP, RecorderOptions::default())
}

fn finished(recorder: Recorder) -> QueueMessage {
    recorder.finish().unwrap().unwrap()
}

fn long(number: i32) -> Variant<'static> {
    Variant::Scalar(Scalar::I4(number))
}

fn text(text: &str) -> Variant<'static> {
    Variant::Bstr(Some(Bstr::new(text)))
}

/// Records what a vector says that it holds.
fn scenario(name: &str) -> Recorder {
    let mut options = RecorderOptions::default();
    if name == "target_bare" {
        options.writer.target_form = TargetForm::Bare;
    }
    let mut recorder = Recorder::new(SHIP, options);
    recorder.set_authenticated_security(claim(1107)).unwrap();
    let r = &mut recorder;
    match name {
        "one_meth" | "target_bare" => r.call(ISHIP, 3, 7),
        "meth_smth" => {
            r.call(ISHIP, 3, (12, Some(Bstr::new("Drummers drumming")))).unwrap();
            r.call(ISHIP, 3, (11, Some(Bstr::new("Pipers piping")))).unwrap();
            r.call_marshaled(ISHIP, 5, vec![])
        }
        "two_security_contexts" => {
            r.call(ISHIP, 3, 1).unwrap();
            r.set_authenticated_security(claim(1108)).unwrap();
            r.call(ISHIP, 3, 2).unwrap();
            r.call(ISHIP, 3, 3)
        }
        "interface_switch" => {
            r.call(ISHIP, 3, 1).unwrap();
            r.call(IOTHER, 3, 2).unwrap();
            r.call(IOTHER, 3, 3).unwrap();
            r.call(ISHIP, 3, 4)
        }
        "dispatch" => {
            let arguments = vec![long(1111).into(), text("Ipswich").into()];
            r.invoke(1, MethodKind::Method, arguments, vec![])
        }
        "dispatch_propput" => {
            let value = Variant::Scalar(Scalar::R8(1.5.into()));
            r.invoke(3, MethodKind::Put, vec![value.into()], vec![])
        }
        "object_reference_null" => r.call(ISHIP, 8, None::<InterfacePointer<'_>>),
        "max_padding" => {
            r.call(ISHIP, 3, 7).unwrap();
            r.call(ISHIP, 3, 8)
        }
        "security_minimal" => {
            r.set_security(SecurityData::EMPTY).unwrap();
            r.call(ISHIP, 3, 7)
        }
        "security_chain" => {
            r.set_authenticated_security(chain()).unwrap();
            r.call(ISHIP, 3, 7)
        }
        name => panic!("no scenario {name}"),
    }
    .unwrap();
    recorder
}

#[test]
fn recorded_scenarios_are_the_messages_of_the_vectors() {
    for case in messages("valid") {
        let (name, body) = (case["name"].as_str().unwrap(), vectors::hex(&case["hex"]));
        let message = finished(scenario(name));
        assert_eq!(*message.properties.extension, *vectors::hex(&case["extension_hex"]), "{name}");
        if name != "max_padding" {
            assert_eq!(*message.body, *body, "{name}");
            continue;
        }
        // Undefined padding is not written; the calls are the same.
        let [ours, theirs] = [&message.body[..], &body[..]]
            .map(|body| Recording::decode(body, &DecodeOptions::STRICT).unwrap());
        assert_eq!(ours.contexts, theirs.contexts);
        for (ours, theirs) in ours.calls.iter().zip(&theirs.calls) {
            assert!(theirs.data.starts_with(&ours.data));
            assert_eq!(RecordedCall { data: ours.data.clone(), ..theirs.clone() }, *ours);
        }
    }
}

#[test]
fn nothing_is_sent_when_nothing_was_called() {
    assert_eq!(recorder().finish(), Ok(None));
    let mut recorder = recorder().in_partition(SHIP);
    recorder.call(ISHIP, 3, 1).unwrap();
    assert_eq!((recorder.len(), recorder.is_empty()), (1, false));
    recorder.discard();
    assert!(recorder.is_empty());
    assert_eq!(recorder.clone().finish(), Ok(None));
    // What was set stays.
    recorder.call(ISHIP, 3, 2).unwrap();
    let message = finished(recorder);
    let recording = Recording::decode(&message.body, &DecodeOptions::STRICT).unwrap();
    assert_eq!((recording.partition, recording.calls.len()), (Some(SHIP), 1));
}

#[test]
fn properties_go_along() {
    let properties = Properties { label: "orders".into(), priority: 5, ..Default::default() };
    let mut recorder =
        Recorder::new(SHIP, RecorderOptions { properties: properties.clone(), ..Default::default() });
    recorder.call(ISHIP, 3, 1).unwrap();
    assert_eq!(finished(recorder).properties, properties);
}

#[test]
fn each_call_has_the_context_that_was_set_before_it() {
    let mut recorder = recorder();
    let application = SecurityData::new(AuthenticationLevel::NONE, vec![Property::sid(&sid(1107))]);
    let again = |recorder: &mut Recorder, data: &SecurityData<'static>| {
        recorder.set_security(data.clone()).unwrap();
        recorder.call(ISHIP, 3, 1).unwrap();
    };
    recorder.call(ISHIP, 3, 1).unwrap();
    again(&mut recorder, &application);
    again(&mut recorder, &SecurityData::EMPTY);
    again(&mut recorder, &application);
    let message = finished(recorder);
    let recording = Recording::decode(&message.body, &DecodeOptions::STRICT).unwrap();
    let contexts: Vec<_> = recording.calls.iter().map(|call| recording.security(call).unwrap()).collect();
    assert_eq!(contexts, [&SecurityData::EMPTY, &application, &SecurityData::EMPTY, &application]);
    // The second time each of them is only referred to.
    assert_eq!(recording.contexts.len(), 2);
}

#[test]
fn nobody_claims_authentication_by_accident() {
    let mut recorder = recorder();
    let error = recorder.set_security(claim(1107)).unwrap_err();
    expect!["the security data claim an authenticated caller"].assert_eq(&error.to_string());
    let name = Property {
        property_type: comqc_format::PropertyType::AUTHENTICATED_NAME,
        ..Property::account_name("alice")
    };
    let name = SecurityData::new(AuthenticationLevel::NONE, vec![name]);
    assert_eq!(recorder.set_security(name).unwrap_err().problem, RecordProblem::ClaimsAuthentication);
    let broken = SecurityData { style: Style(7), collections: vec![] };
    assert!(matches!(recorder.set_security(broken).unwrap_err().problem, RecordProblem::Encode(_)));
    // What failed has changed nothing.
    recorder.call(ISHIP, 3, 1).unwrap();
    let message = finished(recorder);
    let recording = Recording::decode(&message.body, &DecodeOptions::STRICT).unwrap();
    assert_eq!(recording.contexts, [SecurityData::EMPTY]);
}

fn table() -> Interface {
    let parameter = |name, ty: &str| Parameter::new(name, ty.parse().unwrap());
    let methods = vec![
        Method {
            name: "Load".into(),
            number: Some(7),
            dispid: Some(1),
            parameters: vec![parameter("tons", "long"), parameter("what", "BSTR")],
            ..Default::default()
        },
        Method {
            name: "Swap".into(),
            number: Some(8),
            dispid: Some(2),
            parameters: vec![
                Parameter { direction: Direction::InOut, ..parameter("a", "BSTR") },
                Parameter { direction: Direction::InOut, ..parameter("b", "VARIANT") },
                Parameter { optional: true, ..parameter("c", "VARIANT") },
            ],
            ..Default::default()
        },
        Method {
            name: "Port".into(),
            number: Some(9),
            dispid: Some(3),
            kind: MethodKind::Put,
            parameters: vec![parameter("index", "long"), parameter("value", "BSTR")],
            ..Default::default()
        },
        Method {
            name: "Take".into(),
            number: Some(10),
            dispid: Some(4),
            parameters: vec![parameter("box", "IUnknown*")],
            ..Default::default()
        },
    ];
    Interface::new(ISHIP, "IShip", true, methods).unwrap()
}

fn requests(recorder: &Recorder) -> Vec<InvokeRequest<'_>> {
    let request = |call: &'static [u8]| Stub::<InvokeRequest<'_>>::decode_strict(call).unwrap().value;
    recorder.calls().iter().map(|call| request(call.data.to_vec().leak())).collect()
}

#[test]
fn calls_by_name_are_those_by_number() {
    let mut by_name = recorder();
    by_name.call_method(&table(), "load", &[long(3), text("tea")]).unwrap();
    by_name.call_method(&table(), "Port", &[long(1), text("Ipswich")]).unwrap();
    by_name.invoke_method(&table(), "LOAD", MethodKind::Method, vec![long(3), text("tea")], vec![]).unwrap();
    let value = vec![("value", text("Ipswich"))];
    by_name.invoke_method(&table(), "Port", MethodKind::Put, vec![long(1)], value).unwrap();
    let mut by_number = recorder();
    by_number.call(ISHIP, 7, (3, Some(Bstr::new("tea")))).unwrap();
    by_number.call(ISHIP, 9, (1, Some(Bstr::new("Ipswich")))).unwrap();
    by_number.invoke(1, MethodKind::Method, vec![long(3).into(), text("tea").into()], vec![]).unwrap();
    by_number.invoke(3, MethodKind::Put, vec![long(1).into(), text("Ipswich").into()], vec![]).unwrap();
    assert_eq!(finished(by_name), finished(by_number));
}

#[test]
fn arguments_stand_in_reverse_order_and_those_by_reference_apart() {
    let mut recorder = recorder();
    let arguments = vec![text("left"), long(5)];
    recorder.invoke_method(&table(), "Swap", MethodKind::Method, arguments, vec![]).unwrap();
    let named = vec![("c", Variant::Null), ("b", Variant::Empty)];
    recorder.invoke_method(&table(), "Swap", MethodKind::Method, vec![text("left")], named).unwrap();
    let requests = requests(&recorder);
    let [both, named] = &requests[..] else { panic!() };
    assert_eq!(both.params.args, Some(vec![Some(Variant::Empty), Some(Variant::Empty)]));
    assert_eq!(both.var_ref_index, [0, 1]);
    // The last argument is the first.
    assert_eq!(
        both.var_ref,
        [Some(Variant::ScalarRef(Scalar::I4(5))), Some(Variant::BstrRef(Some(Bstr::new("left"))))]
    );
    assert_eq!(named.params.named, Some(vec![2, 1]));
    assert_eq!(
        named.params.args,
        Some(vec![Some(Variant::Null), Some(Variant::Empty), Some(Variant::Empty)])
    );
    let empty = Variant::VariantRef(Some(Box::new(Variant::Empty)));
    assert_eq!(named.var_ref, [Some(empty), Some(Variant::BstrRef(Some(Bstr::new("left"))))]);
    for request in &requests {
        assert_eq!(Invocation::from(request.clone()).into_request(), *request);
    }
}

#[test]
fn the_caller_can_say_that_it_wants_nothing_back() {
    let options = RecorderOptions { zero_flags: true, lcid: 0x0407, ..Default::default() };
    let mut recorder = Recorder::new(SHIP, options);
    recorder.invoke(1, MethodKind::PutRef, vec![long(1).into()], vec![]).unwrap();
    let request = &requests(&recorder)[0];
    assert_eq!((request.flags, request.lcid), (InvokeFlags(0x000E_0008), 0x0407));
    assert_eq!(request.params.named, Some(vec![-3]));
}

const BOX: Uuid = uuid!("00000000-0000-0000-0000-0000000000b0");

#[test]
fn objects_travel_only_with_a_registered_codec() {
    let mut objects = ObjectCodecs::default();
    let save = |text: &String| {
        if text.is_empty() { Err("an empty box".into()) } else { Ok(text.clone().into_bytes()) }
    };
    objects.register::<String>(BOX, save, |_| Err("not here".into()));
    let mut recorder = Recorder::new(SHIP, RecorderOptions { objects, ..Default::default() });
    let pointer = recorder.object(&String::from("box")).unwrap();
    assert_eq!(pointer.objref[..4], [0; 4]);
    assert_eq!(pointer.objref[4..12], [32, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(pointer.objref[12..28], BOX.to_bytes_le());
    assert_eq!(pointer.objref[28..], *b"\0\0\0\0box");
    let known = Variant::Unknown(Some(pointer));
    recorder.call_method(&table(), "Take", std::slice::from_ref(&known)).unwrap();
    recorder.call_method(&table(), "Take", &[Variant::Unknown(None)]).unwrap();
    recorder.invoke_method(&table(), "Take", MethodKind::Method, vec![known], vec![]).unwrap();

    expect!["objects of type i32 have no registered binary form"]
        .assert_eq(&recorder.object(&5).unwrap_err().to_string());
    expect!["class {00000000-0000-0000-0000-0000000000b0}: an empty box"]
        .assert_eq(&recorder.object(&String::new()).unwrap_err().to_string());
    let strange = Variant::Unknown(Some(InterfacePointer { objref: b"MEOW and more".to_vec().into() }));
    fails(
        recorder.call_method(&table(), "Take", std::slice::from_ref(&strange)),
        expect![
            "call 4, IShip.Take: argument box: not an object by value: ObjectReference at byte 0: OBJREF-TRUNC: the object reference ends inside its header ([MC-COMQC] 2.2.6.1.5)"
        ],
    );
    let other =
        remassist_core::Encode::to_vec(&comqc_format::ObjectReference::new(SHIP, vec![].into())).unwrap();
    let other = Variant::Unknown(Some(InterfacePointer { objref: other.into() }));
    fails(
        recorder.invoke(9, MethodKind::Method, vec![long(1).into(), other.clone().into()], vec![]),
        expect![
            "call 4, DISPID 9: argument 2: class {812df40e-bd88-11d0-8a6d-00c04fc340ee} is not registered for objects in arguments"
        ],
    );
    fails(
        recorder.invoke(9, MethodKind::Method, vec![], vec![(3, Argument::by_ref(other))]),
        expect![
            "call 4, DISPID 9: argument with name 3: class {812df40e-bd88-11d0-8a6d-00c04fc340ee} is not registered for objects in arguments"
        ],
    );
    assert_eq!(recorder.len(), 3);
}

#[track_caller]
fn fails(result: Result<(), comqc_session::RecordError>, expected: Expect) {
    expected.assert_eq(&result.unwrap_err().to_string());
}

#[test]
fn what_cannot_be_recorded_is_told_with_call_and_argument() {
    let mut r = recorder();
    let table = table();
    fails(
        r.call(ISHIP, 2, 1),
        expect![
            "call 1, method 2 of {3f2504e0-4f89-11d3-9a0c-0305e82c3301}: methods of IUnknown cannot be recorded"
        ],
    );
    fails(
        r.call(comqc_format::IID_IDISPATCH, 3, 1),
        expect![
            "call 1, method 3 of {00020400-0000-0000-c000-000000000046}: of IDispatch only Invoke can be recorded"
        ],
    );
    fails(
        r.call(comqc_format::IID_IDISPATCH, 6, 1),
        expect![
            "call 1, method 6 of {00020400-0000-0000-c000-000000000046}: not the parameters of Invoke: IDispatch::Invoke.riid at byte 4: need 16 bytes, 0 left ([MS-OAUT] 3.1.4.4)"
        ],
    );
    r.call(ISHIP, 3, 1).unwrap();
    fails(
        r.invoke(1, MethodKind::Put, vec![], vec![]),
        expect!["call 2, DISPID 1: a property needs a value"],
    );
    fails(r.call_method(&table, "Sink", &[]), expect!["call 2, IShip.Sink: IShip has no Sink"]);
    fails(
        r.call_method(&table, "Load", &[long(1)]),
        expect!["call 2, IShip.Load: 1 arguments for 2 parameters"],
    );
    fails(
        r.call_method(&table, "Load", &[text("1"), text("tea")]),
        expect!["call 2, IShip.Load: parameter tons: not a long"],
    );
    fails(
        r.call_method(&table, "Swap", &[text("1"), text("2")]),
        expect!["call 2, IShip.Swap: parameter a is [in, out], which only calls on IDispatch can have"],
    );
    let load = |r: &mut Recorder, arguments, named| {
        r.invoke_method(&table, "Load", MethodKind::Method, arguments, named)
    };
    fails(load(&mut r, vec![long(1)], vec![]), expect!["call 2, IShip.Load: parameter what has no argument"]);
    fails(
        load(&mut r, vec![long(1), long(2)], vec![]),
        expect!["call 2, IShip.Load: parameter what: not a BSTR"],
    );
    fails(
        load(&mut r, vec![long(1)], vec![("tons", long(1))]),
        expect!["call 2, IShip.Load: parameter tons has two arguments"],
    );
    fails(load(&mut r, vec![], vec![("kind", long(1))]), expect!["call 2, IShip.Load: no parameter kind"]);
    fails(
        load(&mut r, vec![long(1), text("2"), text("3")], vec![]),
        expect!["call 2, IShip.Load: 3 arguments for 2 parameters"],
    );
    fails(
        r.invoke_method(&table, "Port", MethodKind::Get, vec![], vec![]),
        expect!["call 2, IShip.Port: IShip has no Port"],
    );
    assert_eq!(r.len(), 1);
}

#[test]
fn limits_are_kept_before_the_message_is_made() {
    let options = RecorderOptions { max_calls: 2, max_collections: 2, ..Default::default() };
    let mut recorder = Recorder::new(SHIP, options);
    assert_eq!(
        recorder.set_authenticated_security(chain()).unwrap_err().problem,
        RecordProblem::TooManyCollections(2)
    );
    recorder.call(ISHIP, 3, 1).unwrap();
    recorder.call(ISHIP, 3, 1).unwrap();
    fails(
        recorder.call(ISHIP, 3, 1),
        expect!["call 3, method 3 of {3f2504e0-4f89-11d3-9a0c-0305e82c3301}: more than 2 calls"],
    );
    let mut recorder = Recorder::new(SHIP, RecorderOptions::default());
    let room = Writer::MAX_SIZE - 200 - 24 - 48;
    let error = recorder.call_marshaled(ISHIP, 3, vec![0; room + 1]).unwrap_err();
    let size = Writer::MAX_SIZE + 8;
    assert_eq!(error.problem, RecordProblem::TooLarge { size, max: Writer::MAX_SIZE });
    recorder.call_marshaled(ISHIP, 3, vec![0; room]).unwrap();
    assert!(recorder.call_marshaled(ISHIP, 3, vec![]).is_err());
    assert_eq!(finished(recorder).body.len(), Writer::MAX_SIZE);
}

/// The recorder knows the size that each of the writers comes to.
#[test]
fn the_size_is_that_of_the_message() {
    let forms = [TargetForm::Braces, TargetForm::Bare, TargetForm::Empty];
    for (number, form) in (0..8).zip(forms.into_iter().cycle()) {
        let writer = Writer {
            omit_repeated_security: number & 1 != 0,
            references: number & 2 != 0,
            short_methods: number & 4 != 0,
            target_form: form,
            ..Writer::default()
        };
        let record = |max_size: usize| {
            let writer = Writer { max_size, ..writer };
            let mut recorder =
                Recorder::new(SHIP, RecorderOptions { writer, ..Default::default() }).in_partition(BOX);
            for (user, interface, len) in
                [(1, ISHIP, 0), (1, ISHIP, 5), (2, ISHIP, 8), (1, IOTHER, 1), (1, IOTHER, 3)]
            {
                recorder.set_authenticated_security(claim(user)).unwrap();
                recorder.call_marshaled(interface, 3, vec![0; len])?;
            }
            recorder.finish()
        };
        let size = record(usize::MAX).unwrap().unwrap().body.len();
        assert!(record(size).is_ok());
        let error = record(size - 1).unwrap_err();
        assert_eq!(
            (error.call, error.problem),
            (5, RecordProblem::TooLarge { size, max: size - 1 }),
            "{writer:?}"
        );
    }
}

#[test]
fn dynamic_calls_are_the_bytes_of_typed_ones() {
    let load = Method {
        name: "Load".into(),
        number: Some(3),
        parameters: vec![
            Parameter::new("x", Type::scalar(VarType::UI1).unwrap()),
            Parameter::new("y", Type::Variant),
        ],
        ..Default::default()
    };
    let table = Interface::new(IOTHER, "IOther", false, vec![load]).unwrap();
    let (mut dynamic, mut typed) = (recorder(), recorder());
    dynamic.call_method(&table, "Load", &[Variant::Scalar(Scalar::Ui1(9)), text("a")]).unwrap();
    typed.call(IOTHER, 3, (9_u8, Some(text("a")))).unwrap();
    assert_eq!(dynamic.calls(), typed.calls());
    assert_eq!(Stub::new((9_u8, Some(text("a")))).to_vec().unwrap(), *typed.calls()[0].data);
}
