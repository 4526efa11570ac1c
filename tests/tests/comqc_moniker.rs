//! The queue moniker of COM+.

use comqc_session::{
    DeliveryGuarantee, Destination, EncryptionAlgorithm, HashAlgorithm, Lifetime, MonikerClass, PrivacyLevel,
    Properties, QueueMoniker, SignatureLevel,
};
use expect_test::expect;
use proptest::prelude::*;
use uuid::uuid;

fn moniker(text: &str) -> QueueMoniker {
    text.parse().unwrap()
}

fn written(text: &str) -> String {
    text.parse::<QueueMoniker>().map_or_else(|error| error.to_string(), |moniker| moniker.to_text().unwrap())
}

#[test]
fn a_class_is_named_by_clsid_or_progid() {
    let ship = MonikerClass::Clsid(uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee"));
    assert_eq!(moniker("queue:/new:{812DF40E-BD88-11D0-8A6D-00C04FC340EE}").class, ship);
    assert_eq!(moniker("queue:/new:812df40e-bd88-11d0-8a6d-00c04fc340ee").class, ship);
    assert_eq!(moniker("Queue:/New:QCShip.Ship").class, MonikerClass::ProgId("QCShip.Ship".into()));
    assert_eq!(
        written("queue:/new:812df40e-bd88-11d0-8a6d-00c04fc340ee"),
        "queue:/new:{812DF40E-BD88-11D0-8A6D-00C04FC340EE}"
    );
}

#[test]
fn without_parameters_the_properties_are_those_of_com() {
    let moniker = moniker("queue:/new:A.B");
    assert_eq!(moniker.properties(), Properties::default());
    assert_eq!(moniker.destination, Destination::Queue { computer: None, queue: None });
}

#[test]
fn every_parameter_sets_its_property() {
    let properties = moniker(
        "queue:AppSpecific=12345,AuthLevel=1,Delivery=MQMSG_DELIVERY_EXPRESS,EncryptAlgorithm=CALG_RC2,HashAlgorithm=CALG_MD5,\
         Journal=MQMSG_JOURNAL,Label=to be shipped,MaxTimeToReachQueue=60,MaxTimeToReceive=LONG_LIVED,\
         Priority=MQ_MAX_PRIORITY,PrivLevel=BODY_ENHANCED,Trace=MQMSG_SEND_ROUTE_TO_REPORT_QUEUE/new:A.B",
    )
    .properties();
    let expected = Properties {
        application_tag: 12345,
        signature_level: SignatureLevel(1),
        delivery: DeliveryGuarantee::EXPRESS,
        encryption_algorithm: EncryptionAlgorithm::RC2,
        hash_algorithm: HashAlgorithm::MD5,
        positive_journaling: true,
        label: "to be shipped".into(),
        time_to_reach_queue: Some(60),
        time_to_be_received: Some(345_600),
        priority: 7,
        privacy: PrivacyLevel::ENHANCED,
        tracing: true,
        ..Properties::default()
    };
    assert_eq!(properties, expected);
}

#[test]
fn values_are_numbers_or_symbols_in_any_case() {
    let both = |a: &str, b: &str| {
        assert_eq!(moniker(&format!("queue:{a}/new:A.B")), moniker(&format!("queue:{b}/new:A.B")));
    };
    both("AUTHLEVEL=mqmsg_auth_level_always", "AuthLevel=1");
    both("Delivery=MQMSG_DELIVERY_RECOVERABLE", "Delivery=1");
    both("EncryptAlgorithm=CALG_RC4", "EncryptAlgorithm=0x6801");
    both("HashAlgorithm=CALG_SHA", "HashAlgorithm=32772");
    both("Journal=MQMSG_DEADLETTER", "Journal=1");
    both("MaxTimeToReachQueue=INFINITE", "MaxTimeToReachQueue=4294967295");
    both("MaxTimeToReceive=LONG_LIVED", "MaxTimeToReceive=0xFFFFFFFE");
    both("Priority=MQ_DEFAULT_PRIORITY", "Priority=3");
    both("PrivLevel=BODY", "PrivLevel=MQMSG_PRIV_LEVEL_BODY_BASE");
    both("PrivLevel=NONE", "PrivLevel=0");
    both("Trace=MQMSG_TRACE_NONE", "Trace=0");
    assert_eq!(
        moniker("queue:MaxTimeToReceive=INFINITE/new:A.B").max_time_to_receive,
        Some(Lifetime::Infinite)
    );
}

#[test]
fn what_is_more_exact_overrides_a_destination() {
    let destination = |parameters: &str| written(&format!("queue:{parameters}/new:A.B"));
    expect!["queue:ComputerName=c,QueueName=PRIVATE$\\q/new:A.B"]
        .assert_eq(&destination("QueueName=private$\\q, ComputerName=c"));
    expect!["queue:PathName=c\\PRIVATE$\\q/new:A.B"]
        .assert_eq(&destination("QueueName=x,PathName=c\\PRIVATE$\\q,ComputerName=y"));
    expect!["queue:FormatName=DIRECT=HTTP://h/MSMQ\\q/new:A.B"]
        .assert_eq(&destination("ComputerName=y,PathName=c\\q,FormatName=DIRECT=HTTP://h/msmq\\q"));
    expect!["not a queue moniker: a destination behind FormatName at byte 40"]
        .assert_eq(&destination("FormatName=DIRECT=OS:c\\q,PathName=c\\q"));
}

#[test]
fn what_is_not_understood_is_an_error_and_says_where() {
    let errors: String = [
        "",
        "new:A.B",
        "queue:Priority=1",
        "queue:/new:",
        "queue:/new:{A.B}",
        "queue:Priority/new:A.B",
        "queue:Priority=8/new:A.B",
        "queue:Priority=-1/new:A.B",
        "queue:Priority=+1/new:A.B",
        "queue:Priority=1,priority=1/new:A.B",
        "queue:Priority=1,,Trace=1/new:A.B",
        "queue:Colour=1/new:A.B",
        "queue:AuthLevel=3/new:A.B",
        "queue:Journal=4/new:A.B",
        "queue:PrivLevel=2/new:A.B",
        "queue:MaxTimeToReceive=4294967296/new:A.B",
        "queue:AppSpecific=x/new:A.B",
        "queue:Priority=1,PathName=a\\b\\c/new:A.B",
    ]
    .iter()
    .map(|text| format!("{text} -> {}\n", written(text)))
    .collect();
    expect![[r#"
         -> not a queue moniker: no queue: at the beginning at byte 0
        new:A.B -> not a queue moniker: no queue: at the beginning at byte 0
        queue:Priority=1 -> not a queue moniker: no /new: at the end at byte 16
        queue:/new: -> not a queue moniker: neither a CLSID nor a ProgID at byte 11
        queue:/new:{A.B} -> not a queue moniker: neither a CLSID nor a ProgID at byte 11
        queue:Priority/new:A.B -> not a queue moniker: a parameter without a value at byte 6
        queue:Priority=8/new:A.B -> not a queue moniker: a number that is too large at byte 15
        queue:Priority=-1/new:A.B -> not a queue moniker: a value that is neither a number nor a symbol of this parameter at byte 15
        queue:Priority=+1/new:A.B -> not a queue moniker: a value that is neither a number nor a symbol of this parameter at byte 15
        queue:Priority=1,priority=1/new:A.B -> not a queue moniker: a parameter that stands twice at byte 17
        queue:Priority=1,,Trace=1/new:A.B -> not a queue moniker: a parameter without a value at byte 17
        queue:Colour=1/new:A.B -> not a queue moniker: a parameter that is not known at byte 6
        queue:AuthLevel=3/new:A.B -> not a queue moniker: a number that means nothing at byte 16
        queue:Journal=4/new:A.B -> not a queue moniker: a number that is too large at byte 14
        queue:PrivLevel=2/new:A.B -> not a queue moniker: a number that means nothing at byte 16
        queue:MaxTimeToReceive=4294967296/new:A.B -> not a queue moniker: a value that is neither a number nor a symbol of this parameter at byte 23
        queue:AppSpecific=x/new:A.B -> not a queue moniker: a value that is neither a number nor a symbol of this parameter at byte 18
        queue:Priority=1,PathName=a\b\c/new:A.B -> not a queue moniker: a character that names cannot have at byte 29
    "#]].assert_eq(&errors);
    let long = format!("queue:Label={}/new:A.B", "x".repeat(250));
    expect!["not a queue moniker: a label that is too long at byte 12"].assert_eq(&written(&long));
}

#[test]
fn what_a_moniker_cannot_tell_is_not_written() {
    let mut comma = QueueMoniker::new(MonikerClass::ProgId("A.B".into()));
    comma.label = Some("a,b".into());
    assert!(comma.to_text().is_err());
    comma.label = Some("a,Priority=3".into());
    assert!(comma.to_text().is_err(), "a label that would be a parameter");
    comma.label = None;
    comma.priority = Some(8);
    assert!(comma.to_text().is_err());
    assert!(serde_json::to_string(&comma).is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        label in proptest::option::of("[^,]{0,40}"),
        numbers in (any::<Option<u32>>(), any::<Option<u32>>(), proptest::option::of(0_u8..8), any::<Option<bool>>()),
        format in any::<bool>(),
    ) {
        let mut written = QueueMoniker::new(MonikerClass::Clsid(uuid!("812df40e-bd88-11d0-8a6d-00c04fc340ee")));
        (written.app_specific, written.priority, written.trace) = (numbers.0, numbers.2, numbers.3);
        written.hash_algorithm = numbers.1.map(HashAlgorithm);
        written.label = label;
        if format {
            written.destination = Destination::Format("DIRECT=OS:c\\PRIVATE$\\q".parse().unwrap());
        }
        let text = written.to_text().unwrap();
        prop_assert_eq!(text.parse::<QueueMoniker>().unwrap(), written.clone());
        let json = serde_json::to_string(&written).unwrap();
        prop_assert_eq!(serde_json::from_str::<QueueMoniker>(&json).unwrap(), written);
    }
}
