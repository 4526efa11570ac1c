//! The kinds of DCOM: stub data, references to objects, PDUs.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use common::{failure, hex, run, stdout, vectors};
use serde_json::Value;

mod common;

/// What `inspect` prints of hexadecimal digits, in JSON; `encode` has to make the same bytes of it without being told
/// anything, and of the printed tree nothing is asked but that it is there.
fn round_trip(args: &[&str], digits: &str) -> Value {
    let inspect = |more: &[&str]| {
        let args = [&["inspect", "--hex"], more, args, &["-"]].concat();
        stdout(&args, digits.as_bytes())
    };
    let json = inspect(&["--json", "--show-secrets"]);
    let again = String::from_utf8(stdout(&["encode", "--hex", "-"], &json)).unwrap();
    assert_eq!(again.trim_end(), digits.to_lowercase(), "{args:?}");
    let tree = String::from_utf8(inspect(&[])).unwrap();
    assert!(tree.lines().count() >= 2, "{tree}");
    serde_json::from_slice(&json).unwrap()
}

fn rows(file: &str) -> Vec<Value> {
    let json = vectors(file);
    json.get("vectors").or(json.get("cases")).and_then(Value::as_array).unwrap().clone()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

/// Both directions of a row that can be used as they are.
fn round_trip_of_call(row: &Value, interface: &str, opnum: &str) -> usize {
    let directions = ["request", "response"];
    let usable = directions.iter().filter(|which| row[format!("{which}_usable_as_is")] == true);
    let each = usable.map(|which| {
        let direction = format!("--{which}");
        let args = [
            "--kind",
            "rai-call",
            "--no-orpc-header",
            "--interface",
            interface,
            "--opnum",
            opnum,
            &direction,
        ];
        round_trip(&args, text(row, which));
    });
    each.count()
}

#[test]
fn types_of_automation() {
    let (mut values, mut calls) = (0, 0);
    for row in rows("ndr-oaut/oaut-types.json") {
        let (kind, form) = match text(&row, "call") {
            "BSTR" => ("oaut-bstr", "pointer"),
            "VARIANT" => ("oaut-variant", "pointer"),
            "SAFEARRAY" => ("oaut-safearray", "pointer"),
            "PSAFEARRAY" => ("oaut-safearray", "pointer_to_pointer"),
            call => {
                let (interface, opnum) = match call {
                    "RemoteConnectionParms" => ("IPCHService", call),
                    "RemoteUserSessionInfo" => ("IPCHService", "20"),
                    "Item" => ("{833e4100-aff7-4ac3-aac2-9f24c1457bce}", "item"),
                    "Invoke" => ("IPCHService", "6"),
                    "GetBstr (DomainName/UserName get)" => ("ISAFSession", "GetDomainName"),
                    _ => ("irasrv", "GetSessionInfo"),
                };
                calls += round_trip_of_call(&row, interface, opnum);
                continue;
            }
        };
        let json = round_trip(&["--kind", kind], text(&row, "request"));
        assert!(json["value"][form].is_object(), "{json}");
        values += 1;
    }
    assert_eq!((values, calls), (25, 28));
}

#[test]
fn values_behind_a_pointer() {
    let mut seen = 0;
    for row in rows("ndr-oaut/oaut-usermarshal.json") {
        // The others begin with the padding of the stream that they were taken from.
        if row["start_offset_mod_8"] != 0 {
            continue;
        }
        let (kind, form) = match text(&row, "type") {
            "BSTR" => ("oaut-bstr", "pointee"),
            "VARIANT" => ("oaut-variant", "pointee"),
            // What points to it is a pointer itself.
            _ => ("oaut-safearray", "pointer"),
        };
        let json = round_trip(&["--kind", kind], text(&row, "wire"));
        assert!(json["value"][form].is_object(), "{json}");
        seen += 1;
    }
    assert_eq!(seen, 44);
}

#[test]
fn big_endian_values() {
    let json = round_trip(
        &["--kind", "oaut-bstr", "--big-endian"],
        "00020000010000000200000001000000 6100".replace(' ', "").as_str(),
    );
    assert_eq!(json["value"]["pointer"]["byte_order"], "Big");
    assert_eq!(json["value"]["pointer"]["value"]["text"], "a");
    assert_eq!(json["value"]["pointer"]["residue"], serde_json::json!({}));
}

#[test]
fn calls_of_a_dispatch_proxy() {
    let mut seen = 0;
    for row in rows("ndr-oaut/dispatch-invoke.json") {
        // Its padding is not that of NDR; see the README of the vectors.
        if row["name"] != "dispatch-012" {
            seen += round_trip_of_call(&row, "IDispatch", &row["opnum"].to_string());
        }
    }
    assert_eq!(seen, 12);
}

#[test]
fn calls_of_remote_assistance() {
    let mut seen = 0;
    for row in rows("ra-dcom/rai-calls.json") {
        let interface = text(&row, "interface").split(' ').next().unwrap();
        if !text(&row, "call").ends_with("NotUsedByProtocol") {
            seen += round_trip_of_call(&row, interface, &row["opnum"].to_string());
        }
    }
    assert_eq!(seen, 38);
}

/// ORPCTHIS of version 5.7 without extensions.
const THIS: &str = "0500070000000000000000000102030405060708090a0b0c0d0e0f1000000000";

#[test]
fn headers_byte_orders_and_trailers() {
    let call = |more: &[&'static str]| {
        [&["--kind", "rai-call", "--interface", "ISAFSession", "--opnum"], more].concat()
    };
    let json = round_trip(&call(&["SessionID (Set)", "--request"]), &format!("{THIS}05000000"));
    assert_eq!(json["value"]["call"], "ISAFSession::SessionID (Set)");
    assert_eq!(json["value"]["body"]["Request"]["this"]["version"]["minor"], 7, "{json}");
    let big = "0005000700000000000000000403020106050807090a0b0c0d0e0f100000000000000005";
    let big = round_trip(&call(&["8", "--request", "--big-endian"]), big);
    let body = |mut json: Value| json["value"]["body"].take();
    assert_eq!(big["value"]["byte_order"], "Big");
    assert_eq!(body(big), body(json));

    // The trailer of a request follows its parameters, at a multiple of 4.
    let trailer = "8ae3137102f436710140040001000000";
    let json = round_trip(&call(&["8", "--request"]), &format!("{THIS}05000000{trailer}"));
    assert_eq!(json["value"]["verification_trailer"]["commands"][0]["body"]["type"], "bitmask");
    assert_eq!(json["deviations"], serde_json::json!([]));
    let args = [&["inspect", "--hex"][..], &call(&["8", "--request"]), &["-"]].concat();
    let tree = String::from_utf8(stdout(&args, format!("{THIS}05000000{trailer}").as_bytes())).unwrap();
    let signature = tree.lines().find(|line| line.contains("8ae3137102f43671")).unwrap();
    assert_eq!(signature.split_whitespace().next(), Some("36"), "{tree}");

    // A few zeros are a deviation, and all else an error.
    let zeros = format!("{THIS}0500000000000000");
    let json = round_trip(&call(&["8", "--request"]), &zeros);
    assert_eq!(json["deviations"][0]["offset"], 36);
    let strict = [&["inspect", "--hex", "--strict"][..], &call(&["8", "--request"]), &["-"]].concat();
    assert!(stdout(&strict, format!("{THIS}05000000").as_bytes()).len() > 100);
    assert_eq!(failure(&strict, zeros.as_bytes()).0, 1);
    assert_eq!(failure(&args, format!("{zeros}01").as_bytes()).0, 1);
    assert_eq!(failure(&args, format!("{zeros}{zeros}").as_bytes()).0, 1);
}

/// DUALSTRINGARRAY with a binding of TCP and one of Kerberos.
fn bindings() -> String {
    let mut units = vec![7];
    units.extend("h[135]\0\0".encode_utf16());
    let security = units.len();
    units.extend([16, 0xFFFF]);
    units.extend("H\0\0".encode_utf16());
    let lengths = [units.len(), security].map(|n| u16::try_from(n).unwrap());
    lengths.iter().chain(&units).map(|unit| hex(&unit.to_le_bytes())).collect()
}

#[test]
fn references_of_every_form() {
    for row in rows("ndr-oaut/objref.json") {
        let json = round_trip(&[], text(&row, "objref"));
        assert_eq!(json["kind"], "objref");
        let oxid = text(&row["decoded"]["STDOBJREF"], "oxid").trim_start_matches("0x");
        let std = &json["value"]["object"]["body"]["Standard"]["std"];
        assert_eq!(std["oxid"].as_u64().unwrap(), u64::from_str_radix(oxid, 16).unwrap());
    }
    let iid = "0002040000000000c000000000000046";
    let std = format!("0000000005000000{}{}{}", "11".repeat(8), "22".repeat(8), "33".repeat(16));
    let bindings = bindings();
    let data = format!("{iid}0300000008000000abcdef0000000000");
    let forms = [
        (format!("4d454f5701000000{iid}{std}{bindings}"), "Standard"),
        (format!("4d454f5702000000{iid}{std}{iid}{bindings}"), "Handler"),
        (format!("4d454f5704000000{iid}{iid}00000000000000000102"), "Custom"),
        (format!("4d454f5708000000{iid}{std}5659534e{bindings}010000005659534e{data}"), "Extended"),
    ];
    for (digits, form) in &forms {
        let json = round_trip(&[], digits);
        assert!(json["value"]["object"]["body"][form].is_object(), "{json}");
        if *form != "Custom" {
            assert!(json.to_string().contains(r#"["ncacn_ip_tcp:h[135]","Kerberos as H"]"#), "{json}");
        }
    }
    // A context without properties, and with one byte more.
    let context = format!(
        "4d454f5704000000c001000000000000c0000000000000463b03000000000000c0000000000000460000000038000000{}{}{}",
        "01000100",
        "44".repeat(16),
        "02000000000000000000000000000000000000000000000001000000"
    );
    let json = round_trip(&["--strict"], &context);
    assert_eq!(json["value"]["context"]["value"]["frozen"], 1, "{json}");
    let (status, message) = failure(&["inspect", "--hex", "-"], format!("{context}00").as_bytes());
    assert!(status == 1 && message.contains("at byte 96"), "{message}");
}

#[test]
fn activation_properties() {
    for row in rows("ndr-oaut/activation.json") {
        let json = round_trip(&[], text(&row, "hex"));
        let properties = json["value"]["activation_properties"]["value"]["properties"].as_array();
        let properties = properties.unwrap_or_else(|| panic!("{json}"));
        assert_eq!(properties.len(), row["expected"].as_array().unwrap().len());
    }
}

#[test]
fn pdus() {
    let mut stream = String::new();
    let figures = vectors("dce-rpc/figures.json");
    let all = rows("dce-rpc/impacket.json").into_iter().chain(figures["pdus"].as_array().unwrap().clone());
    let mut count = 0;
    for row in all {
        let json = round_trip(&[], text(&row, "hex"));
        assert_eq!((&json["kind"], json["value"].as_array().unwrap().len()), (&Value::from("rpc-pdu"), 1));
        assert_eq!(json["value"][0]["body"]["type"], row["expected"]["body"]["type"], "{json}");
        stream.push_str(text(&row, "hex"));
        count += 1;
    }
    let json = round_trip(&[], &stream);
    assert_eq!((json["value"].as_array().unwrap().len(), count), (23, 23));
    // Each PDU is aligned from its own beginning, wherever that is.
    for deviation in json["deviations"].as_array().unwrap() {
        assert_ne!(deviation["problem"], "not aligned to a multiple of 4");
    }
    let (status, message) = failure(&["inspect", "--hex", "-"], &stream.as_bytes()[..stream.len() - 2]);
    assert_eq!((status, message.lines().count()), (1, 1));
    let last = stream.len() / 2 - text(&figures["pdus"][3], "hex").len() / 2;
    let offset: usize = message.split("at byte ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(offset >= last, "{message}");
}

#[test]
fn secrets_of_calls_and_pdus() {
    let ticket = "65538,1,192.0.2.1:3389,ticket";
    let units: String = ticket.encode_utf16().map(|unit| hex(&unit.to_le_bytes())).collect();
    let len = ticket.len();
    let count = |n: usize| hex(&u32::try_from(n).unwrap().to_le_bytes());
    let bstr = format!("00000200{}{}{}{units}", count(len), count(len * 2), count(len));
    let pad = "0".repeat(bstr.len().next_multiple_of(8) - bstr.len());
    let stub = format!("{}{bstr}{pad}00000000", "00".repeat(8));
    let request = format!("{}{}", count(stub.len() / 2), "00000000");
    let frag = hex(&u16::try_from(24 + stub.len() / 2).unwrap().to_le_bytes());
    let pdu = format!("0500020310000000{frag}000001000000{request}{stub}");
    let call = ["--kind", "rai-call", "--interface", "IPCHService", "--opnum", "19", "--response"];
    // A VARIANT with the same text, as a result of Invoke.
    let invoke = ["--kind", "rai-call", "--interface", "IPCHService", "--opnum", "Invoke", "--response"];
    let size = count((20 + 4 + 12 + len * 2).div_ceil(8));
    let variant =
        format!("00000200{}{size}000000000800000000000000080000000400020 0{}", "00000000", &bstr[8..]);
    let variant = variant.replace(' ', "");
    let pad = "0".repeat(variant.len().next_multiple_of(8) - variant.len());
    let result = format!(
        "{}{variant}{pad}{}{}{}{}",
        "00".repeat(8),
        "00".repeat(32),
        "00000000",
        "00".repeat(8),
        "00000000"
    );
    for (args, digits) in [(&call[..], &stub), (&[][..], &pdu), (&invoke[..], &result)] {
        let mut json = Vec::new();
        for more in [&[][..], &["--json"]] {
            let all = [&["inspect", "--hex"], more, args, &["-"]].concat();
            let hidden = stdout(&all, digits.as_bytes());
            let all = [&["--show-secrets"], more].concat();
            let all = [&["inspect", "--hex"], &all[..], args, &["-"]].concat();
            let shown = stdout(&all, digits.as_bytes());
            let has = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes);
                text.contains(ticket) || text.contains(&units[..40])
            };
            assert!(!has(&hidden) && has(&shown), "{args:?} {}", String::from_utf8_lossy(&hidden));
            json = hidden;
        }
        let (status, message) = failure(&["encode", "-"], &json);
        assert!(status == 1 && message.contains("redacted"), "{message}");
        round_trip(args, digits);
    }
}

#[test]
fn tokens_are_secret_and_signatures_are_not() {
    let (mut tokens, mut signatures) = (0, 0);
    for row in rows("dce-rpc/impacket.json") {
        let Some(token) = row.pointer("/expected/verifier/token").and_then(Value::as_str) else { continue };
        let is_call = ["request", "response", "fault"].contains(&text(&row["expected"]["body"], "type"));
        for more in [&[][..], &["--json"]] {
            let args = [&["inspect", "--hex"], more, &["-"]].concat();
            let shown = String::from_utf8(stdout(&args, text(&row, "hex").as_bytes())).unwrap();
            assert_eq!(shown.contains(token), is_call, "{shown}");
        }
        *if is_call { &mut signatures } else { &mut tokens } += 1;
    }
    assert!(tokens > 2 && signatures > 0, "{tokens} {signatures}");
}

#[test]
fn cut_input_ends_with_one_line() {
    let objref = text(&rows("ndr-oaut/activation.json")[0], "hex").to_owned();
    let pdu = text(&rows("dce-rpc/impacket.json")[1], "hex").to_owned();
    let types = rows("ndr-oaut/oaut-types.json");
    let named =
        |call: &str| text(types.iter().rfind(|row| row["call"] == call).unwrap(), "request").to_owned();
    let call =
        ["--kind", "rai-call", "--interface", "IDispatch", "--opnum", "6", "--request", "--no-orpc-header"];
    for (args, digits) in [
        (&["--kind", "objref"][..], objref),
        (&["--kind", "rpc-pdu"], pdu),
        (&["--kind", "oaut-variant"], named("VARIANT")),
        (&["--kind", "oaut-safearray"], named("SAFEARRAY")),
        (&call, named("Invoke")),
    ] {
        for len in (0..digits.len()).step_by(6) {
            let output = run(&[&["inspect", "--hex"], args, &["-"]].concat(), &digits.as_bytes()[..len]);
            let message = String::from_utf8(output.stderr).unwrap();
            match output.status.code() {
                // The beginning of a reference with data of any length, or a null pointer.
                Some(0) => assert_eq!(message, ""),
                status => assert_eq!((status, message.lines().count()), (Some(1), 1), "{message}"),
            }
        }
    }
    let many = "05001303100000001000000001000000".repeat((1 << 16) + 1);
    let (status, message) = failure(&["inspect", "--hex", "-"], many.as_bytes());
    assert!(status == 1 && message.contains("PDUs"), "{message}");
}

#[test]
fn bindings_are_text() {
    let array = bindings();
    // 14 units: what follows needs no padding.
    assert_eq!(array.len(), 4 * (2 + 14));
    let stub = format!("05000700000002000e000000{array}0000000000000000");
    let args =
        ["--kind", "rai-call", "--interface", "IObjectExporter", "--opnum", "ServerAlive2", "--response"];
    let json = round_trip(&args, &stub);
    assert!(json.to_string().contains(r#"["ncacn_ip_tcp:h[135]","Kerberos as H"]"#), "{json}");
    let tree = stdout(&[&["inspect", "--hex"][..], &args, &["-"]].concat(), stub.as_bytes());
    let tree = String::from_utf8(tree).unwrap();
    let line = tree.lines().find(|line| line.contains("aStringArray")).unwrap();
    assert!(line.contains("\"ncacn_ip_tcp:h[135], Kerberos as H\""), "{tree}");
    assert_eq!(tree.matches("aStringArray").count(), 1);
}

#[test]
fn errors_and_usage() {
    let call = ["inspect", "--hex", "--kind", "rai-call"];
    let usage = |more: &[&str]| {
        let (status, message) = failure(&[&call[..], more, &["-"]].concat(), b"00");
        assert_eq!((status, message.lines().count()), (2, 1), "{message}");
        message
    };
    assert!(usage(&[]).contains("--interface"));
    assert!(usage(&["--interface", "IRASrv"]).contains("--opnum"));
    assert!(usage(&["--interface", "IRASrv", "--opnum", "8"]).contains("--request or --response"));
    let unknown = usage(&["--interface", "IUnheardOf", "--opnum", "8", "--request"]);
    assert!(unknown.contains("unknown interface \"IUnheardOf\""), "{unknown}");
    usage(&["--interface", "00000000-0000-0000-c000-000000000046", "--opnum", "3", "--request"]);
    usage(&["--interface", "IPCHService", "--opnum", "7", "--request"]);
    usage(&["--interface", "IRASrv", "--opnum", "ResolveOxid", "--request"]);
    usage(&["--interface", "IRASrv", "--opnum", "70000", "--request"]);
    let both = ["--interface", "IRASrv", "--opnum", "8", "--request", "--response", "-"];
    assert_eq!(run(&[&call[..], &both].concat(), b"").status.code(), Some(2));
    let (status, message) = failure(&["inspect", "--hex", "--opnum", "8", "-"], b"00");
    assert!(status == 2 && message.contains("--opnum goes with --kind rai-call"), "{message}");
    assert_eq!(failure(&["inspect", "--hex", "--kind", "objref", "--big-endian", "-"], b"00").0, 2);

    let damaged = |args: &[&str], digits: &str| {
        let (status, message) = failure(&[&["inspect", "--hex"], args, &["-"]].concat(), digits.as_bytes());
        assert_eq!((status, message.lines().count()), (1, 1), "{message}");
        assert!(message.contains("at byte"), "{message}");
        message
    };
    let response = ["--kind", "rai-call", "--interface", "IRASrv", "--opnum", "8", "--response"];
    assert!(damaged(&response, "0000").starts_with("remassist: rai-call: "));
    // A count that promises more than there is.
    damaged(&["--kind", "oaut-bstr"], "00000200ffffff7ffeffffffffffff7f");
    damaged(&["--kind", "oaut-variant"], "");
    damaged(&["--kind", "oaut-safearray"], "000002000100000001000000");
    damaged(&["--kind", "objref"], "4d454f5703000000");
    damaged(&["--kind", "rpc-pdu"], "");
    damaged(&["--kind", "rpc-pdu"], "0500000310000000000f00000100000000");
    for json in [
        r#"{"kind":"oaut-bstr","value":{}}"#,
        r#"{"kind":"oaut-bstr","value":{"elsewhere":{}}}"#,
        r#"{"kind":"oaut-bstr","value":7}"#,
        r#"{"kind":"rai-call","value":{"body":{}}}"#,
        r#"{"kind":"rpc-pdu","value":{}}"#,
        r#"{"kind":"objref","value":{"context":{}}}"#,
    ] {
        let (status, message) = failure(&["encode", "-"], json.as_bytes());
        assert_eq!((status, message.lines().count()), (1, 1), "{message}");
    }
}

#[test]
fn only_signatures_are_detected() {
    let kind = |digits: &str| {
        let output = run(&["inspect", "--hex", "--json", "-"], digits.as_bytes());
        let json: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        json.and_then(|json| json["kind"].as_str().map(str::to_owned))
    };
    let orphaned = "05001303100000001000000001000000";
    assert_eq!(kind(orphaned).as_deref(), Some("rpc-pdu"));
    assert_eq!(kind(&orphaned.replacen("0500", "0501", 1)).as_deref(), Some("rpc-pdu"));
    for other in ["0502130310", "0400130310", "0500010310", "0500130320"] {
        assert_ne!(kind(&format!("{other}{}", &orphaned[10..])).as_deref(), Some("rpc-pdu"), "{other}");
    }
    // Longer than what is there.
    assert_ne!(kind("05001303100000001100000001000000").as_deref(), Some("rpc-pdu"));
    // A BSTR is text like any other.
    assert_ne!(kind("000002000100000002000000010000006100").as_deref(), Some("oaut-bstr"));
    // Text of a chat that begins as a reference does.
    assert_eq!(kind("4d454f57410042000000").as_deref(), Some("chat"));
    // A window of encomsp whose first 16 bytes are those of a PDU of 256 bytes.
    let window = "050012000000000001000900000001004100".repeat(16);
    assert!(window.len() > 512);
    assert_eq!(kind(&window).as_deref(), Some("encomsp"));
}
