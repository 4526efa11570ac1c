//! Names of files that a peer suggests.

use proptest::prelude::*;
use ra_session::FileName;

fn suggestion(original: &str) -> String {
    let name = FileName::new(original);
    assert_eq!(name.original, original);
    assert_safe(&name.suggestion);
    name.suggestion
}

/// The rules, not written as in the crate.
fn assert_safe(name: &str) {
    assert!(!name.is_empty() && name.len() <= 255, "{name:?}");
    assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']), "{name:?}");
    for c in name.chars() {
        assert!(!c.is_control() && !"<>:\"/\\|?*".contains(c), "{c:?} in {name:?}");
        let hidden =
            ['\u{200B}', '\u{200E}', '\u{200F}', '\u{202A}', '\u{202B}', '\u{202D}', '\u{202E}', '\u{2066}']
                .into_iter()
                .chain([
                    '\u{2067}', '\u{2068}', '\u{2069}', '\u{FEFF}', '\u{AD}', '\u{61C}', '\u{2028}',
                    '\u{2029}',
                ]);
        assert!(hidden.into_iter().all(|h| h != c), "{c:?} in {name:?}");
        assert!(!c.is_whitespace() || c == ' ', "{c:?} in {name:?}");
    }
    let stem = name.split('.').next().unwrap().trim_end().to_uppercase();
    let mut devices: Vec<String> =
        ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].map(String::from).into();
    for port in ["COM", "LPT"] {
        devices.extend("0123456789¹²³".chars().map(|n| format!("{port}{n}")));
    }
    assert!(!devices.contains(&stem), "{name:?}");
    // One component, whatever takes it for a path.
    let path = std::path::Path::new(name);
    assert_eq!(path.components().count(), 1);
    assert_eq!(path.file_name().unwrap(), name);
    // Nothing more to do.
    assert_eq!(FileName::new(name).suggestion, name);
}

#[test]
fn ordinary_names_stay() {
    for name in [
        "20070130182140.xml",
        "a",
        "Bericht 2007.tar.gz",
        "Übersicht.docx",
        "報告.pdf",
        "отчёт.txt",
        "תמונה.png",
        "emoji 🦀.rs",
        "no_extension",
        "-rf",
        "~",
        "a..b",
        "common.txt",
        "COM10",
        "LPT",
        "COM",
        "aux_.h",
        "console.txt",
        "a's (1) [x] {y} #&%+=@!,;^$`.txt",
        "e\u{301}.txt",
    ] {
        assert_eq!(suggestion(name), name);
    }
}

#[test]
fn hostile_names_are_reduced() {
    let x300 = "x".repeat(300);
    let table: &[(&str, &str)] = &[
        // Paths.
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\Start Menu\\evil.exe", "evil.exe"),
        ("/etc/shadow", "shadow"),
        ("C:\\Windows\\System32\\drivers\\etc\\hosts", "hosts"),
        ("\\\\server\\share\\file.txt", "file.txt"),
        ("\\\\?\\C:\\x.txt", "x.txt"),
        ("\\\\.\\PhysicalDrive0", "PhysicalDrive0"),
        ("a/b\\c/d", "d"),
        ("dir/", "file"),
        ("/", "file"),
        ("..", "file"),
        (".", "file"),
        ("a/..", "file"),
        ("..\\", "file"),
        // Drives and streams.
        ("C:evil.txt", "evil.txt"),
        ("c:", "file"),
        ("c:c:x", "c_x"),
        ("file.txt:stream.exe", "file.txt_stream.exe"),
        ("file.txt::$DATA", "file.txt__$DATA"),
        (":", "_"),
        ("ab:c", "ab_c"),
        // Control characters.
        ("a\0.exe", "a_.exe"),
        ("a\r\nb\tc", "a__b_c"),
        ("\u{1B}[31mred", "_[31mred"),
        ("x\u{85}y\u{9B}z\u{7F}", "x_y_z_"),
        // What turns the text or cannot be seen.
        ("invoice\u{202E}fdp.exe", "invoicefdp.exe"),
        ("a\u{2066}b\u{2069}c\u{200F}d\u{61C}", "abcd"),
        ("zero\u{200B}width\u{FEFF}.txt", "zerowidth.txt"),
        ("soft\u{AD}hyphen\u{2060}", "softhyphen"),
        ("tag\u{E0041}\u{FE0F}\u{3164}s", "tags"),
        ("a\u{2028}b\u{2029}c", "abc"),
        ("non\u{FFFE}char\u{10FFFF}acter", "noncharacter"),
        // What Windows forbids, and what becomes so.
        ("<>:\"|?*", "_______"),
        ("a\u{FF0F}b\u{FF3C}c\u{2215}d\u{2044}e\u{FF1A}f", "a_b_c_d_e_f"),
        // Devices.
        ("CON", "_CON"),
        ("con", "_con"),
        ("nul.txt", "_nul.txt"),
        ("Aux.tar.gz", "_Aux.tar.gz"),
        ("PRN .txt", "_PRN .txt"),
        ("COM1", "_COM1"),
        ("com0.x", "_com0.x"),
        ("LPT9.log", "_LPT9.log"),
        ("COM¹", "_COM¹"),
        ("lpt³.x", "_lpt³.x"),
        ("CONIN$", "_CONIN$"),
        ("conout$.x", "_conout$.x"),
        ("CO\u{200B}N", "_CON"),
        ("CON.", "_CON"),
        (" CON ", "_CON"),
        (".nul", "_nul"),
        ("x/CON", "_CON"),
        ("C:CON", "_CON"),
        // Dots and blanks.
        ("", "file"),
        ("   ", "file"),
        ("...", "file"),
        (" . . ", "file"),
        ("\u{202E}\u{200B}", "file"),
        (".bashrc", "bashrc"),
        ("...hidden", "hidden"),
        ("name.", "name"),
        ("name...", "name"),
        ("name . . ", "name"),
        ("\u{A0}\u{3000}name\u{2003}", "name"),
        ("a.txt                    .exe", "a.txt .exe"),
        ("a\u{A0}\u{2003} \u{3000}b", "a b"),
        ("name.\u{200B}", "name"),
    ];
    for (original, expected) in table {
        assert_eq!(suggestion(original), *expected, "{original:?}");
    }
    // Length.
    assert_eq!(suggestion(&x300), "x".repeat(255));
    assert_eq!(suggestion(&format!("{x300}.txt")), format!("{}.txt", "x".repeat(251)));
    assert_eq!(suggestion(&format!("a{}.txt", ".".repeat(300))), "a.txt");
    assert_eq!(suggestion(&format!("{}.txt", "ä".repeat(200))), format!("{}.txt", "ä".repeat(125)));
    assert_eq!(suggestion(&"🦀".repeat(100)), "🦀".repeat(63));
    assert_eq!(suggestion(&format!("a.{x300}")), format!("a.{}", "x".repeat(253)));
    let device = suggestion(&format!("NUL.{}.txt", "y".repeat(300)));
    assert_eq!(device, format!("_NUL.{}.txt", "y".repeat(246)));
    assert_eq!(suggestion(&format!("{}.{}", "z".repeat(254), " ".repeat(40))), "z".repeat(254));
    assert_eq!(suggestion(&"a/".repeat(1 << 16)), "file");
    assert_eq!(suggestion(&"\u{202E}".repeat(1 << 16)), "file");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_made_safe(original in any::<String>()) {
        suggestion(&original);
    }

    #[test]
    fn pieces_of_trouble_are_made_safe(pieces in prop::collection::vec(prop::sample::select(vec![
        "/", "\\", ":", ".", " ", "..", "C", "C:", "CON", "nul", "COM", "1", "¹", "\u{200B}", "\u{202E}", "\0", "\n",
        "\u{A0}", "ä", "🦀", "x", "_", "txt", "$", "CONIN$", "aux", "\u{FF0F}", "\u{FDD0}",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ]), 0..24)) {
        suggestion(&pieces.concat());
    }
}
