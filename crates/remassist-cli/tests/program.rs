//! The program as a user runs it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{failure, hex, run, stdout, vectors};
use serde_json::Value;
use talking::{Talking, root};

mod common;
mod talking;

fn line(args: &[&str], input: &str) -> String {
    let text = String::from_utf8(stdout(args, input.as_bytes())).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "one line: {text:?}");
    text.trim_end_matches('\n').to_owned()
}

/// Every sample that the tests have, as hexadecimal digits, with its kind.
fn samples() -> Vec<(&'static str, String)> {
    let mut samples = Vec::new();
    for file in ["type1.msrcIncident", "type2.msrcIncident"] {
        let bytes = std::fs::read(root().join("examples/data").join(file)).unwrap();
        samples.push(("invitation", hex(&bytes)));
    }
    let utf16 = |text: &str| hex(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    let wire = vectors("channel/remdesk-wire.json");
    for run in wire.get("runs").and_then(Value::as_object).unwrap().values() {
        for name in ["connection_string_1", "connection_string_2"] {
            let text = run.get(name).and_then(Value::as_str).unwrap();
            samples.push(("connstring", hex(text.as_bytes())));
            samples.push(("connstring", utf16(&format!("{text}\r\n\0"))));
        }
        for pdu in run.get("pdus").and_then(Value::as_array).unwrap() {
            let get = |name| pdu.get(name).and_then(Value::as_str).unwrap();
            let kind = if get("channel") == "encomsp" { "encomsp" } else { "rc-ctl" };
            samples.push((kind, get("hex").to_owned()));
        }
    }
    for name in ["valid", "ambiguous"] {
        for message in
            vectors(&format!("comqc/{name}.json")).get("messages").and_then(Value::as_array).unwrap()
        {
            let tolerant = message.get("tolerant").and_then(Value::as_str).unwrap_or("accept");
            if let Some(bytes) = message.get("hex").and_then(Value::as_str)
                && tolerant.starts_with("accept")
            {
                samples.push(("comqc", bytes.to_owned()));
            }
        }
    }
    samples.push((
        "rccommand",
        utf16("<RCCOMMAND NAME=\"VOIPGO\" VOIPGOKEY=\"a&amp;&#xA;b\" VOIPIPLIST='1.2.3.4:5'/>\0"),
    ));
    let contact = std::fs::read(root().join("tests/vectors/rccommand/contact-printed.xml")).unwrap();
    samples.push(("contact", hex(&contact)));
    samples.push((
        "expert-blob",
        utf16("9;NAME=John69;PASS=D4B4277E9E9D06CFC19BB23FD869B5E0C99B0908280407A6E2EEC43F98035F7D\0"),
    ));
    samples.push(("help-blob", utf16("13;UNSOLICITED=118;ID=EXDOMAIN\\EXUSER")));
    samples.push(("chat", utf16("h\u{e9}llo \u{1F600}\0")));
    samples
}

#[test]
fn inspect_and_encode_give_back_the_same() {
    let samples = samples();
    assert!(samples.len() > 60, "{}", samples.len());
    for (kind, sample) in samples {
        let json = stdout(&["inspect", "--hex", "--json", "--show-secrets", "-"], sample.as_bytes());
        let value: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value.get("kind").and_then(Value::as_str), Some(kind), "{sample}");
        assert!(value.get("deviations").is_some_and(Value::is_array));
        let again = String::from_utf8(stdout(&["encode", "--kind", kind, "--hex", "-"], &json)).unwrap();
        if ["invitation", "connstring", "rccommand", "contact"].contains(&kind) {
            // Quotes and blanks of XML may change; what the document says may not.
            let json_again = stdout(&["inspect", "--hex", "--json", "--show-secrets", "-"], again.as_bytes());
            let again: Value = serde_json::from_slice(&json_again).unwrap();
            assert_eq!(again.get("value"), value.get("value"));
        } else {
            assert_eq!(again.trim_end(), sample.to_lowercase(), "{kind}");
        }
        // The value alone is enough when the kind is given; the raw bytes are those of the digits.
        let alone = serde_json::to_vec(value.get("value").unwrap()).unwrap();
        let bytes = stdout(&["encode", "--kind", kind, "-"], &alone);
        let again = stdout(&["encode", "--hex", "-"], &json);
        assert_eq!(hex(&bytes), String::from_utf8(again).unwrap().trim_end());
        let tree = stdout(&["inspect", "--hex", "--kind", kind, "-"], sample.as_bytes());
        assert!(tree.split(|b| *b == b'\n').count() > 3);
        assert!(!tree.contains(&0x1B), "no colours in a pipe");
    }
}

#[test]
fn the_tree_names_offset_length_field_value_and_section() {
    let input = b"0e0000000c000000520043005f00430054004c000000060000000100000002000000\n";
    let tree = String::from_utf8(stdout(&["inspect", "--hex", "-"], input)).unwrap();
    let line = tree.lines().find(|l| l.contains("versionMinor")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["30", "4", "versionMinor:", "2", "[MS-RA]", "2.2.1.8"]
    );
}

#[test]
fn secrets_are_shown_only_when_asked_for() {
    let file = "examples/data/type2.msrcIncident";
    let secrets = ["WB^6HsrIaFmEpi", "ZXhhbXBsZSBvZiBhbiBhdXRoZW50aWNhdGlvbiBpZA", "F29C42C8F0EBA2E4"];
    for args in [["inspect", "--password", "Pass123!", file].as_slice(), &["inspect", "--json", file]] {
        let hidden = String::from_utf8(stdout(args, b"")).unwrap();
        for secret in secrets.iter().chain(&["Pass123!"]) {
            assert!(!hidden.contains(secret), "{secret} in {hidden}");
        }
        let args = [args, &["--show-secrets"]].concat();
        let shown = String::from_utf8(stdout(&args, b"")).unwrap();
        assert!(shown.contains("WB^6HsrIaFmEpi"));
    }
    let redacted = stdout(&["inspect", "--json", file], b"");
    let (status, message) = failure(&["encode", "-"], &redacted);
    assert_eq!(status, 1);
    assert!(message.contains("redacted"), "{message}");
}

#[test]
fn passwords() {
    let file = "examples/data/type2.msrcIncident";
    let (status, message) = failure(&["inspect", "--password", "wrong", file], b"");
    assert_eq!(status, 1);
    assert!(message.contains("password is wrong"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pw");
    std::fs::write(&path, "Pass123!\n").unwrap();
    let tree = stdout(&["inspect", "--password-file", path.to_str().unwrap(), file], b"");
    assert!(String::from_utf8(tree).unwrap().contains("192.0.2.10"));
    let both = ["inspect", "--password", "x", "--password-file", path.to_str().unwrap(), file];
    assert_eq!(run(&both, b"").status.code(), Some(2));
}

#[test]
fn exit_status_and_errors() {
    let (status, message) = failure(&["inspect", "--hex", "--kind", "rc-ctl", "-"], b"0e000000080000005200");
    assert_eq!(status, 1);
    assert!(message.contains("at byte 8") && message.contains("[MS-RA] 2.2.1.2"), "{message}");
    assert_eq!(message.lines().count(), 1);
    let (status, message) = failure(&["inspect", "--hex", "-"], b"zz");
    assert_eq!((status, message.lines().count()), (1, 1));
    assert_eq!(failure(&["inspect", "-"], b"").0, 1);
    assert_eq!(failure(&["inspect", "/nonexistent/file"], b"").0, 2);
    assert_eq!(failure(&["encode", "-"], b"{").0, 1);
    assert_eq!(failure(&["encode", "-"], b"{}").0, 2);
    assert_eq!(failure(&["crypt", "pass-stub", "--stub", "x"], b"").0, 2);
    for usage in
        [&["inspect"][..], &["inspect", "--kind", "x", "-"], &["nothing"], &["invite", "--type", "3"]]
    {
        assert_eq!(run(usage, b"").status.code(), Some(2), "{usage:?}");
    }
    // A deviation is an error only in strict mode.
    let two = b"0e00000008000000520043005f00430054004c0000000200000001000100";
    assert!(run(&["inspect", "--hex", "-"], two).status.success());
    let (status, message) = failure(&["inspect", "--hex", "--strict", "-"], two);
    assert!(status == 1 && message.contains("2.2.1.10"), "{message}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let contact = std::fs::read(root().join("tests/vectors/rccommand/contact-printed.xml")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_remassist"))
        .args(["inspect", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(&contact).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}

#[test]
fn hostile_text_cannot_reach_the_terminal() {
    let text = "<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"\u{202E}gpj.exe\u{9b}2J\" FILESIZE=\"1\" CHANNELID=\"RA_FX\"/>\0";
    let wire: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let tree = String::from_utf8(stdout(&["inspect", "-"], &wire)).unwrap();
    assert!(tree.contains("\\u{202e}gpj.exe\\u{9b}2J"), "{tree}");
}

#[test]
fn known_answers() {
    let pass = line(&["crypt", "pass-stub", "--password", "Password1", "--stub", "RT=0PvIndan52*"], "");
    assert_eq!(pass, "3C9CAE0BCE7AB15C8AAC01D676045EDF3FFAF092E2DE368A2017E68A0DED7C90");
    for vector in vectors("invitation/crypto-lhticket.json").get("vectors").and_then(Value::as_array).unwrap()
    {
        let get = |name| vector.get(name).and_then(Value::as_str).unwrap();
        if get("note").starts_with("variant") || get("password").is_empty() {
            continue;
        }
        let password = get("password");
        assert_eq!(
            line(&["crypt", "lhticket", "--password", password], get("connection_string")),
            get("lhticket")
        );
        let text =
            stdout(&["crypt", "lhticket", "--password", password, "--decrypt"], get("lhticket").as_bytes());
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.trim_end_matches('\n'), get("connection_string").trim_end_matches('\n'));
    }
    // [MS-RAIOP] 4.1 and 4.2.
    assert_eq!(line(&["crypt", "easy-connect", "password"], "SAMPLE\n"), "F8JKRV");
    let key = ["--password", "F8JKRV", "--hours", "338540"];
    let encrypted = line(&[&["crypt", "easy-connect", "encrypt"], &key[..]].concat(), "SAMPLE");
    assert_eq!(encrypted, "7fd654482fe09273d76985b01d4b7a4b");
    assert_eq!(line(&[&["crypt", "easy-connect", "decrypt"], &key[..]].concat(), &encrypted), "SAMPLE");
    let name = line(&["crypt", "easy-connect", "peer-name", "--password", "XVY3PH", "--hours", "338518"], "");
    assert_eq!(name, "0.410504D41B2CD63C31D0C1539AD9331C");
    let token = |role, password| line(&["crypt", "token", "--role", role, "--password", password], "<E/>");
    assert_eq!(token("novice", "ABCDEF").len(), 40);
    assert_ne!(token("novice", "ABCDEF"), token("expert", "ABCDEF"));
    assert_eq!(token("novice", "ABCDEF"), token("novice", "xABCDEF"));
    let (status, message) = failure(&["crypt", "lhticket", "--password", "x", "--decrypt"], b"00");
    assert!(status == 1 && message.contains("blocks"), "{message}");
}

#[test]
fn invitations_of_both_types() {
    let folder = tempfile::tempdir().unwrap();
    for (file_type, addresses) in [
        ("1", vec!["192.0.2.1:3389", "host.example:3390"]),
        ("2", vec!["[2001:db8::1]:3389", "192.0.2.1:49152"]),
    ] {
        let path = folder.path().join(file_type);
        let path = path.to_str().unwrap();
        let mut args =
            vec!["invite", "--type", file_type, "--name", "A \"B\" <C> \u{e9}", "--password", "p\u{e4}ss"];
        addresses.iter().for_each(|a| args.extend(["--address", a]));
        args.extend(["--minutes", "5", "--out", path]);
        assert_eq!(stdout(&args, b""), b"");
        let json = stdout(
            &["inspect", "--json", "--strict", "--show-secrets", "--password", "p\u{e4}ss", path],
            b"",
        );
        let json = String::from_utf8(json).unwrap();
        for address in addresses {
            let host = address.rsplit_once(':').unwrap().0.trim_matches(['[', ']']);
            assert!(json.contains(host), "{host} in {json}");
        }
        let other = std::fs::read(path).unwrap();
        stdout(&args, b"");
        assert_ne!(std::fs::read(path).unwrap(), other, "no two invitations are alike");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
    }
    let bad = |address| {
        failure(&["invite", "--type", "1", "--name", "x", "--address", address, "--password", "p"], b"").0
    };
    assert_eq!([bad("nohost"), bad("host:0x10"), bad("[::1]:3389"), bad("host:70000")], [2; 4]);
}

#[test]
fn huge_input_ends_with_an_error() {
    let zeros = vec![b'0'; 40 << 20];
    let (status, message) = failure(&["inspect", "--kind", "rc-ctl", "-"], &zeros);
    assert_eq!((status, message.lines().count()), (1, 1), "{message}");
}

#[test]
fn whole_sessions_over_rdp() {
    let transcript = String::from_utf8(stdout(&["demo"], b"")).unwrap();
    for part in [
        "== a whole session: version 2 over RDP with TLS ==",
        "novice -> expert  RC_CTL         REMOTEDESKTOP_CTL_VERSIONINFO 1.2",
        "expert -> novice  70             chat message 86 bytes",
        "novice -> expert  71             RCCOMMAND ESCRC",
        "expert -> novice  RA_FX          2930 messages of file data, 3000001 bytes",
        "== a whole session: version 3 over RDP with TLS ==",
        "expert -> novice  RC_CTL         REMOTEDESKTOP_CTL_TOKEN",
        "[MS-RA] 2.2.1.15",
        "novice: got the contact of Eva",
        "expert: got the contact of Nils",
        "  ok     version 3: a file arrived each way, byte for byte",
        "== help is offered: a ticket over DCOM, then version 2 over RDP with TLS ==",
        "novice: DESK\\eva could not log on: no such account, or another password",
        "novice: refused DESK\\otto: E_ACCESSDENIED (0x80070005)",
        "expert: there is session 2 of DESK\\nils",
        "  ok     offer: the novice verified the expert by its ticket",
        "player 2: message 12: a player has died with it",
        "57 checks, 0 failed",
    ] {
        assert!(transcript.contains(part), "{part} is not in:\n{transcript}");
    }
    assert!(!transcript.contains("Pass123!") && !transcript.contains("FAILED"));
}

#[test]
fn one_act_of_the_demonstration() {
    let offer = String::from_utf8(stdout(&["demo", "--act", "offer"], b"")).unwrap();
    assert!(offer.ends_with("12 checks, 0 failed\n") && !offer.contains("a whole session"), "{offer}");
    let help = String::from_utf8(stdout(&["demo", "--act", "help"], b"")).unwrap();
    assert!(help.ends_with("24 checks, 0 failed\n"), "{help}");
}

#[test]
fn sessions_that_end_as_specified() {
    for (scenario, part) in [
        (
            "wrong-password",
            "novice -> expert  RC_CTL         REMOTEDESKTOP_CTL_RESULT PASSWORDS_DONT_MATCH (61)",
        ),
        ("wrong-password", "expert: over: the peer's token is wrong"),
        ("refused", "novice -> expert  RC_CTL         REMOTEDESKTOP_CTL_RESULT SAFERROR_HELPEESAIDNO (41)"),
        ("refused", "RCCOMMAND DENIEDRC"),
        ("hostile", "novice: wants evil.exe_x of 5000 bytes?"),
        ("hostile", "novice: the file failed: the file does not have the size that was announced"),
    ] {
        let transcript = String::from_utf8(stdout(&["demo", "--scenario", scenario], b"")).unwrap();
        assert!(transcript.contains(part), "{part} is not in:\n{transcript}");
        assert!(transcript.ends_with(" checks, 0 failed\n"), "{transcript}");
    }
}

/// A novice that has written its invitation.
fn novice(invitation: &Path, args: &[&str], input: Stdio) -> Talking {
    let mut all = vec!["novice", "--listen", "127.0.0.1:0", "--exit-after-session"];
    all.extend(["--invitation", invitation.to_str().unwrap()]);
    all.extend(args);
    let mut novice = Talking::start(&all, input);
    novice.wait("listening");
    novice
}

/// Types a line.
fn says(program: &mut Talking, line: &str) {
    writeln!(program.child.stdin.as_mut().unwrap(), "{line}").unwrap();
}

/// Two programs, one connection; how they ended, and the lines of JSON that each printed.
fn helped(novice: &[&str], expert: &[&str]) -> [(Option<i32>, Vec<Value>); 2] {
    let folder = tempfile::tempdir().unwrap();
    let invitation = folder.path().join("invitation");
    let novice = self::novice(&invitation, novice, Stdio::null());
    let mut args = vec!["expert", invitation.to_str().unwrap()];
    args.extend(expert);
    let mut expert = Talking::start(&args, Stdio::null());
    let told = std::iter::from_fn(|| expert.event()).collect();
    let status = expert.child.wait().unwrap();
    // After a session it ends by itself.
    [novice.end(if status.success() { 30 } else { 1 }), (status.code(), told)]
}

fn names(events: &[Value]) -> Vec<&str> {
    let names = events.iter().map(|event| event["event"].as_str().unwrap());
    names.filter(|name| *name != "progress" && *name != "input").collect()
}

#[test]
fn one_program_helps_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    std::fs::write(path("driver.zip"), &bytes).unwrap();
    std::fs::write(path("empty"), b"").unwrap();
    std::fs::create_dir(path("in")).unwrap();
    std::fs::write(path("in/driver.zip"), b"another one").unwrap();
    for security in [&["--security", "tls"][..], &["--security", "rdp", "--encryption", "none"]] {
        let mut novice = vec!["--allow", "view,control,files", "--name", "Nora"];
        let folder = path("in");
        novice.extend(["--receive-dir", &folder]);
        novice.extend(security);
        let (driver, empty, screenshot) = (path("driver.zip"), path("empty"), path("screen.png"));
        let mut expert = vec!["--say", "Hello\u{1b}[2J", "--type", "a\n", "--for", "3", "--name", "Erik"];
        expert.extend(["--send", &driver, &empty, "--screenshot", &screenshot]);
        expert.extend(security);
        let [(novice, heard), (expert, told)] = helped(&novice, &expert);
        assert_eq!((novice, expert), (Some(0), Some(0)), "{heard:?} {told:?}");
        for name in ["verified", "established", "chat", "control_requested", "file_complete", "closed"] {
            assert!(names(&heard).contains(&name), "{name}: {heard:?}");
        }
        for name in ["connected", "screen", "control_granted", "typed", "file_sent", "closed", "screenshot"] {
            assert!(names(&told).contains(&name), "{name}: {told:?}");
        }
        let typed = heard.iter().filter(|event| event["event"] == "input").count();
        assert_eq!(typed, 4, "{heard:?}");
        let saved: Vec<_> = heard.iter().filter(|event| event["event"] == "file_saved").collect();
        let first = saved[0]["path"].as_str().unwrap();
        assert_ne!(first, path("in/driver.zip"));
        assert!(std::fs::read(first).unwrap() == bytes, "the file is another one");
        assert_eq!(std::fs::read(saved[1]["path"].as_str().unwrap()).unwrap(), b"");
        // The picture is the whole test picture.
        let file = std::io::BufReader::new(std::fs::File::open(&screenshot).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let picture = ra_rdp::test_picture(800, 600);
        let wanted = picture.pixels().chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]);
        assert!(wanted.eq(pixels), "the screenshot is another picture");
    }
    assert_eq!(std::fs::read(path("in/driver.zip")).unwrap(), b"another one");
}

#[test]
fn nobody_is_there_to_say_yes() {
    let [(novice, heard), (expert, told)] = helped(&[], &[]);
    // The novice goes on waiting for an expert.
    assert_eq!((novice, expert), (None, Some(1)), "{heard:?} {told:?}");
    assert!(names(&heard).contains(&"refused"), "{heard:?}");
    assert!(!names(&told).contains(&"established") && !names(&told).contains(&"screen"), "{told:?}");
}

#[test]
fn an_image_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut file = std::fs::File::create(path("shown.png")).unwrap();
    ra_rdp::test_picture(130, 70).to_png(&mut file).unwrap();
    let (image, screenshot) = (path("shown.png"), path("seen.png"));
    let novice = ["--display", &image, "--allow", "view"];
    let [(novice, heard), (expert, told)] = helped(&novice, &["--screenshot", &screenshot, "--for", "2"]);
    assert_eq!((novice, expert), (Some(0), Some(0)), "{heard:?} {told:?}");
    assert!(std::fs::read(image).unwrap() == std::fs::read(screenshot).unwrap());
}

#[test]
fn what_cannot_be_shown_is_told_before_anybody_is_invited() {
    let folder = tempfile::tempdir().unwrap();
    let invitation = folder.path().join("invitation");
    for (display, error) in [
        ("missing.png", "missing.png: "),
        ("Cargo.toml", "Cargo.toml: "),
        ("x11::no", "X11"),
        ("x11:", "wants a display"),
    ] {
        let mut args = vec!["novice", "--listen", "127.0.0.1:0", "--password", "Pass123!"];
        args.extend(["--display", display, "--invitation", invitation.to_str().unwrap()]);
        let output = run(&args, b"");
        assert_eq!(output.status.code(), Some(2), "{display}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(error), "{display}");
        assert!(!invitation.exists(), "{display}");
    }
}

#[test]
fn what_passes_on_the_channels_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a.txt"), "some text").unwrap();
    let (here, there, file, incoming) = (path("here"), path("there"), path("a.txt"), path(""));
    let novice = ["--record", &here, "--allow", "view,files", "--receive-dir", &incoming];
    let expert = ["--record", &there, "--say", "my dog's name", "--send", &file, "--for", "2"];
    let [(novice, heard), (expert, told)] = helped(&novice, &expert);
    assert_eq!((novice, expert), (Some(0), Some(0)), "{heard:?} {told:?}");
    // Both saw the same, but each at its own time.
    let passed = |path: &str, from: &str| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().skip(1).map(|line| line.split_once(' ').unwrap().1.to_owned());
        lines.filter(|line| line.starts_with(from)).collect()
    };
    assert!(passed(&here, "expert").len() > 5);
    assert_eq!(passed(&here, "expert"), passed(&there, "expert"));
    assert_eq!(passed(&here, "novice"), passed(&there, "novice"));

    let output = run(&["inspect", &there], b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for wanted in
        ["CTL_VERSIONINFO 1.2", "with PASS", "chat message", r#"FILEXFER "a.txt", 9 bytes"#, "FILEXFEREND"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("dog") && !text.contains("Pass123!"), "{text}");
    let json = |args: &[&str]| -> Vec<Value> {
        let output = run(args, b"");
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let values = json(&["inspect", "--json", &there]);
    let lines = std::fs::read_to_string(&there).unwrap().lines().count();
    assert_eq!(values.len(), lines - 1);
    let rc_ctl = values.iter().filter(|value| value["kind"] == "rc-ctl").collect::<Vec<_>>();
    assert!(rc_ctl.len() >= 5 && rc_ctl.iter().all(|value| value["value"].is_object()), "{rc_ctl:?}");
    assert!(json(&["inspect", "--json", "--show-secrets", &there]).len() == values.len());

    // Where it is damaged, all before that is shown, and the line is named.
    let mut bytes = std::fs::read(&there).unwrap();
    bytes.truncate(bytes.len() - 5);
    std::fs::write(&there, &bytes).unwrap();
    let output = run(&["inspect", &there], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("CTL_VERSIONINFO"));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("line {lines}: it has no end")), "{error}");
}

#[test]
fn questions_are_answered_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a.txt"), "some text").unwrap();
    let (invitation, file, incoming) = (folder.path().join("invitation"), path("a.txt"), path(""));
    let args = ["--receive-dir", &incoming];
    let mut novice = novice(&invitation, &args, Stdio::piped());
    let args = ["expert", invitation.to_str().unwrap(), "--send", &file, "--request-control", "--say", "Hi"];
    let mut expert = Talking::start(&args, Stdio::piped());
    novice.wait("ask_view");
    // That one was not asked; it is said to nobody yet, or a chat message.
    says(&mut novice, "y control");
    says(&mut novice, "y view");
    let (mut id, mut control) = (None, false);
    while id.is_none() || !control {
        let event = novice.event().unwrap();
        control |= event["event"] == "control_requested";
        if event["event"] == "file_offered" {
            id = Some(event["id"].as_u64().unwrap());
        }
    }
    // No answer: a chat message.
    says(&mut novice, "no problem");
    says(&mut novice, "n control");
    says(&mut novice, &format!("yes {}", id.unwrap()));
    let saved = novice.wait("file_saved");
    assert_eq!(std::fs::read(saved["path"].as_str().unwrap()).unwrap(), b"some text");
    assert_eq!(expert.wait("chat")["message"], "no problem");
    expert.wait("control_refused");
    expert.wait("file_sent");
    says(&mut expert, "/quit");
    assert_eq!(expert.end(30).0, Some(0));
    let (status, heard) = novice.end(30);
    assert_eq!(status, Some(0));
    assert!(!names(&heard).contains(&"control_granted"));
}
