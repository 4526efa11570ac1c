//! Names of queues: path names, format names, those of COM+.

use comqc_session::{
    Address, DirectName, DirectQueue, FormatName, FormatNames, LocalName, MachineQueue, Member, NameError,
    PathName, QueueName,
};
use expect_test::expect;
use proptest::prelude::*;
use testkit::oracles;

/// What is written of what was read, or the error.
fn read<T: std::str::FromStr<Err = NameError> + ToString>(text: &str) -> String {
    text.parse::<T>().map_or_else(|error| error.to_string(), |name| name.to_string())
}

/// Each line: text, then what becomes of it.
fn lines<T: std::str::FromStr<Err = NameError> + ToString>(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("{text} -> {}\n", read::<T>(text))).collect()
}

#[test]
fn names_of_queues() {
    expect![[r#"
        App -> App
        Order Entry -> Order Entry
        App;sub -> App;sub
        App;journal -> App;JOURNAL
        App;sub;JOURNAL -> App;sub;JOURNAL
         -> not a name of a queue: a name is empty at byte 0
         App -> not a name of a queue: a space at an end of the name at byte 0
        a+b -> not a name of a queue: a character that names cannot have at byte 1
        aä -> not a name of a queue: a character that names cannot have at byte 1
        App; -> not a name of a queue: a name is empty at byte 4
        App;a;b -> not a name of a queue: a character that names cannot have at byte 5
        App;JOURNAL;JOURNAL -> not a name of a queue: the journal is not a subqueue at byte 4
        Private$ -> not a name of a queue: a name that begins others at byte 0
    "#]]
    .assert_eq(&lines::<QueueName>(&[
        "App",
        "Order Entry",
        "App;sub",
        "App;journal",
        "App;sub;JOURNAL",
        "",
        " App",
        "a+b",
        "aä",
        "App;",
        "App;a;b",
        "App;JOURNAL;JOURNAL",
        "Private$",
    ]));
    assert!(QueueName::new(&"x".repeat(124)).is_ok());
    assert_eq!(QueueName::new(&"x".repeat(125)).unwrap_err().at, 124);
    assert!(QueueName::new("a").unwrap().with_subqueue(&"x".repeat(32)).is_ok());
    assert!(QueueName::new("a").unwrap().with_subqueue(&"x".repeat(33)).is_err());
}

#[test]
fn path_names() {
    expect![[r#"
        server\App -> server\App
        server\private$\Order Entry -> server\PRIVATE$\Order Entry
        .\System$;DeadXact -> .\SYSTEM$;DeadXact
        server -> not a name of a queue: no backslash behind the computer at byte 6
        \App -> not a name of a queue: a name is empty at byte 0
        ser ver\App -> not a name of a queue: a character that names cannot have at byte 3
        server\private$\ -> not a name of a queue: a name is empty at byte 16
        server\private$\a\b -> not a name of a queue: a character that names cannot have at byte 17
        server\system$;a;b -> not a name of a queue: a character that names cannot have at byte 16
    "#]]
    .assert_eq(&lines::<PathName>(&[
        "server\\App",
        "server\\private$\\Order Entry",
        ".\\System$;DeadXact",
        "server",
        "\\App",
        "ser ver\\App",
        "server\\private$\\",
        "server\\private$\\a\\b",
        "server\\system$;a;b",
    ]));
    assert!(format!("{}\\a", "c".repeat(256)).parse::<PathName>().is_ok());
    assert_eq!(format!("{}\\a", "c".repeat(257)).parse::<PathName>().unwrap_err().at, 256);
}

#[test]
fn direct_names_go_over_the_wire_without_their_prefix() {
    expect![[r#"
        OS:server\private$\App -> OS:server\PRIVATE$\App
        os:server\App;journal -> OS:server\App;JOURNAL
        TCP:192.0.2.7\PRIVATE$\App;sub -> TCP:192.0.2.7\PRIVATE$\App;sub
        TCP:2001:db8::7\App -> TCP:2001:db8::7\App
        OS:server\system$;deadxact -> OS:server\SYSTEM$;DEADXACT
        HTTP://server/msmq/private$/orders -> HTTP://server/MSMQ\PRIVATE$\orders
        HTTPS://server:444/MSMQ\a/b -> HTTPS://server:444/MSMQ\a/b
        HTTP://server:/MSMQ\a -> HTTP://server/MSMQ\a
        IPX:0a:ff\App -> IPX:0a:ff\App
        DIRECT=OS:server\App -> not a name of a queue: behind a protocol that is not known at byte 10
        server\App -> not a name of a queue: no protocol at byte 0
        OS:server -> not a name of a queue: no backslash behind the computer at byte 9
        TCP:server\App -> not a name of a queue: no address of the Internet protocol at byte 4
        TCP:192.0.2.256\App -> not a name of a queue: no address of the Internet protocol at byte 4
        OS:server\SYSTEM$;OTHER -> not a name of a queue: a queue that computers do not have at byte 18
        HTTP:server/MSMQ\a -> not a name of a queue: no // of an address of HTTP at byte 5
        HTTP://server/other\a -> not a name of a queue: no /MSMQ\ behind the host at byte 13
        HTTP://server:65536/MSMQ\a -> not a name of a queue: no port at byte 14
        HTTP://server:+1/MSMQ\a -> not a name of a queue: no port at byte 14
        IPX:0a\App -> not a name of a queue: no numbers of network and host at byte 4
    "#]]
    .assert_eq(&lines::<DirectName>(&[
        "OS:server\\private$\\App",
        "os:server\\App;journal",
        "TCP:192.0.2.7\\PRIVATE$\\App;sub",
        "TCP:2001:db8::7\\App",
        "OS:server\\system$;deadxact",
        "HTTP://server/msmq/private$/orders",
        "HTTPS://server:444/MSMQ\\a/b",
        "HTTP://server:/MSMQ\\a",
        "IPX:0a:ff\\App",
        "DIRECT=OS:server\\App",
        "server\\App",
        "OS:server",
        "TCP:server\\App",
        "TCP:192.0.2.256\\App",
        "OS:server\\SYSTEM$;OTHER",
        "HTTP:server/MSMQ\\a",
        "HTTP://server/other\\a",
        "HTTP://server:65536/MSMQ\\a",
        "HTTP://server:+1/MSMQ\\a",
        "IPX:0a\\App",
    ]));
}

#[test]
fn format_names() {
    let guid = "5f2a9c3e-7b14-4d8a-9a51-0c6e8d3b2f10";
    let texts = [
        "direct=OS:server\\App",
        "PUBLIC=GUID",
        "PRIVATE=GUID\\0000001A",
        "PRIVATE=GUID\\1a;journal",
        "DL=GUID",
        "dl=GUID@example.com",
        "MACHINE=GUID",
        "MACHINE=GUID;deadletter",
        "CONNECTOR=GUID",
        "CONNECTOR=GUID;xactonly",
        "MULTICAST=239.1.2.3:8001",
        "App",
        "OTHER=GUID",
        "PUBLIC={GUID}",
        "PUBLIC=GUID;JOURNAL",
        "PRIVATE=GUID",
        "PRIVATE=GUID\\123456789",
        "PRIVATE=GUID\\1;OTHER",
        "DL=GUID@",
        "MACHINE=GUID;OTHER",
        "CONNECTOR=GUID;OTHER",
        "MULTICAST=192.0.2.7:8001",
        "MULTICAST=224.0.0.1:08",
        "MULTICAST=224.0.0.1:65536",
    ];
    let texts: Vec<_> = texts.iter().map(|text| text.replace("GUID", guid)).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let shown = lines::<FormatName>(&texts).replace(guid, "guid").replace(&guid.to_uppercase(), "GUID");
    expect![[r#"
        direct=OS:server\App -> DIRECT=OS:server\App
        PUBLIC=guid -> PUBLIC=GUID
        PRIVATE=guid\0000001A -> PRIVATE=GUID\1A
        PRIVATE=guid\1a;journal -> PRIVATE=GUID\1A;JOURNAL
        DL=guid -> DL=GUID
        dl=guid@example.com -> DL=GUID@example.com
        MACHINE=guid -> MACHINE=GUID
        MACHINE=guid;deadletter -> MACHINE=GUID;DEADLETTER
        CONNECTOR=guid -> CONNECTOR=GUID
        CONNECTOR=guid;xactonly -> CONNECTOR=GUID;XACTONLY
        MULTICAST=239.1.2.3:8001 -> MULTICAST=239.1.2.3:8001
        App -> not a name of a queue: no kind of format name at byte 0
        OTHER=guid -> not a name of a queue: a kind of format name that is not known at byte 0
        PUBLIC={guid} -> not a name of a queue: no GUID with hyphens and without braces at byte 7
        PUBLIC=guid;JOURNAL -> not a name of a queue: no GUID with hyphens and without braces at byte 7
        PRIVATE=guid -> not a name of a queue: no number of a queue at byte 44
        PRIVATE=guid\123456789 -> not a name of a queue: no number of 1 to 8 hexadecimal digits at byte 45
        PRIVATE=guid\1;OTHER -> not a name of a queue: not JOURNAL at byte 47
        DL=guid@ -> not a name of a queue: a name is empty at byte 40
        MACHINE=guid;OTHER -> not a name of a queue: a queue that computers do not have at byte 45
        CONNECTOR=guid;OTHER -> not a name of a queue: not XACTONLY at byte 47
        MULTICAST=192.0.2.7:8001 -> not a name of a queue: no address for many at byte 10
        MULTICAST=224.0.0.1:08 -> not a name of a queue: no port at byte 22
        MULTICAST=224.0.0.1:65536 -> not a name of a queue: no port at byte 25
    "#]]
    .assert_eq(&shown);
}

#[test]
fn several_format_names_stand_with_commas() {
    let several = "DIRECT=OS:a\\b,DIRECT=TCP:192.0.2.7\\PRIVATE$\\c,MULTICAST=224.0.0.1:1";
    let names: FormatNames = several.parse().unwrap();
    assert_eq!((names.names().len(), names.to_string()), (3, several.to_owned()));
    expect!["not a name of a queue: a queue that can only be read from, among several at byte 14"]
        .assert_eq(&read::<FormatNames>("DIRECT=OS:a\\b,DIRECT=OS:a\\b;JOURNAL"));
    expect!["not a name of a queue: no kind of format name at byte 14"]
        .assert_eq(&read::<FormatNames>("DIRECT=OS:a\\b,"));
    let journal = "DIRECT=OS:a\\b;JOURNAL";
    assert!(journal.parse::<FormatNames>().unwrap().names()[0].is_read_only(), "alone it can be read from");
}

#[test]
fn names_are_the_same_in_any_case() {
    let same =
        |a: &str, b: &str| assert_eq!(a.parse::<FormatName>().unwrap(), b.parse::<FormatName>().unwrap());
    same("DIRECT=OS:Server\\Private$\\Order Entry", "direct=os:SERVER\\PRIVATE$\\ORDER ENTRY");
    same("DIRECT=HTTP://Host/msmq/private$/q", "Direct=http://HOST/MSMQ\\PRIVATE$\\Q");
    assert_ne!("a\\b".parse::<PathName>().unwrap(), "a\\PRIVATE$\\b".parse().unwrap());
}

#[test]
fn com_names_the_queue_of_an_application_after_both() {
    let path = PathName::of_application("SERVER7.Example.com", "Order Entry", true).unwrap();
    assert_eq!(path.to_string(), "server7\\PRIVATE$\\Order Entry");
    let direct = DirectName::of_path(path).unwrap();
    assert_eq!(FormatName::Direct(direct.clone()).to_string(), "DIRECT=OS:server7\\PRIVATE$\\Order Entry");
    assert!(matches!(direct.queue, DirectQueue::Private(_)) && matches!(direct.address, Address::Os(_)));
    let public = PathName::of_application("server7", "Order Entry", false).unwrap();
    assert!(matches!(public.queue, LocalName::Public(_)));
    assert!(PathName::of_application("server7", "a\\b", true).is_err());
    let dead: PathName = "server\\SYSTEM$;DEADXACT".parse().unwrap();
    assert_eq!(DirectName::of_path(dead).unwrap().queue, DirectQueue::Machine(MachineQueue::DeadXact));
    assert!(DirectName::of_path("server\\SYSTEM$;OTHER".parse().unwrap()).is_err());
}

#[test]
fn com_has_retry_queues_and_a_dead_queue_beside_a_queue() {
    let app = QueueName::new("App").unwrap();
    assert_eq!(app.retry(4).unwrap().to_string(), "App_4");
    assert_eq!(app.dead().unwrap().to_string(), "App_DeadQueue");
    let member = |name: &str| {
        let name = QueueName::new(name).unwrap();
        let (application, member) = name.member();
        (application.to_owned(), member)
    };
    assert_eq!(member("App"), ("App".into(), Member::Main));
    assert_eq!(member("App_0"), ("App".into(), Member::Retry(0)));
    assert_eq!(member("APP_DEADQUEUE"), ("APP".into(), Member::Dead));
    for main in ["App_00", "App_-1", "App_256", "App_", "_0", "_DeadQueue"] {
        assert_eq!(member(main), (main.into(), Member::Main));
    }
    let long = QueueName::new(&"x".repeat(120)).unwrap();
    assert!(long.retry(0).is_ok() && long.dead().is_err());
}

proptest! {
    #[test]
    fn any_text_obeys_the_laws(text in ".{0,60}") {
        oracles::run("comqc_names", text.as_bytes());
    }

    #[test]
    fn any_words_of_names_obey_the_laws(words in proptest::collection::vec(
        prop::sample::select(vec![
            "DIRECT=", "OS:", "TCP:", "HTTP:", "https:", "//", "/MSMQ", "IPX:", "\\", "PRIVATE$\\", "private$/", "SYSTEM$;", ";", ",",
            "JOURNAL", "DEADXACT", "PUBLIC=", "PRIVATE=", "5F2A9C3E-7B14-4D8A-9A51-0C6E8D3B2F10", "DL=", "@", "MACHINE=",
            "CONNECTOR=", "XACTONLY", "MULTICAST=", "224.0.0.1", ":", "80", "App", "_0", "_DeadQueue", "a", " ", "ä", "ff",
            "queue:", "/new:", "A.B", "=", "Priority", "PathName", "FormatName", "Label", "Trace", "1", "0x", "INFINITE", "{", "}",
        ]), 0..12)) {
        oracles::run("comqc_names", words.concat().as_bytes());
    }
}
