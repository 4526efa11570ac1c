//! XML is read on two paths: plain elements in one pass, everything, and all that is traced, by quick-xml. Both must tell
//! the same about any text.

use proptest::prelude::*;
use rccommand::{ContactFile, RcCommand};
use remassist_core::text::{TextDocument, TextFormat as _};
use remassist_core::{Decode as _, DecodeError, DecodeOptions, Decoded, Limits, utf16};
use testkit::sample::Sample;

/// What reading tells, as text; the values of secret attributes are compared apart, by `==`.
fn told<T: PartialEq + std::fmt::Debug>(
    plain: Result<Decoded<'_, T>, DecodeError>,
    traced: Result<Decoded<'_, T>, DecodeError>,
    context: &dyn std::fmt::Debug,
) -> bool {
    match (plain, traced) {
        (Ok(plain), Ok(traced)) => {
            assert_eq!(format!("{:?}", plain.value), format!("{:?}", traced.value), "{context:?}");
            assert_eq!(plain.value, traced.value, "{context:?}");
            assert_eq!(plain.rest, traced.rest, "{context:?}");
            assert_eq!(plain.deviations, traced.deviations, "{context:?}");
            true
        }
        (Err(plain), Err(traced)) => {
            assert_eq!(plain, traced, "{context:?}");
            assert_eq!(plain.to_string(), traced.to_string(), "{context:?}");
            false
        }
        (plain, traced) => panic!("{plain:?} without a trace, {traced:?} with one, for {context:?}"),
    }
}

/// Functions that compare both paths, from a string and from UTF-16LE, under both policies, with these limits; they tell
/// whether all of it was read.
macro_rules! both {
    ($($name:ident: $format:ident),*) => { $(
        fn $name(text: &str, limits: Limits) -> bool {
            let wire = utf16::encode(text);
            let mut read = true;
            for options in [DecodeOptions::TOLERANT, DecodeOptions::STRICT] {
                let plain = options.with_limits(limits);
                let traced = plain.with_trace(true);
                let context = (text, plain);
                read &= told($format::parse_with(text, &plain), $format::parse_with(text, &traced), &context);
                let decode = |options| TextDocument::<$format<'_>>::decode_with(&wire, options);
                told(decode(&plain), decode(&traced), &context);
            }
            read
        }
    )* };
}

both!(sample: Sample, message: RcCommand, contact: ContactFile);

fn everywhere(text: &str, limits: Limits) {
    sample(text, limits);
    message(text, limits);
    contact(text, limits);
}

/// Mostly plain, with what is not in between.
fn value() -> impl Strategy<Value = String> {
    let special: &[&str] =
        &["&amp;", "&#x41;", "&bomb;", "&", "<", ">", "'", "\t", "\r\n", "\u{7F}", "\u{1}", "\0", "\u{FFFE}"];
    let piece = prop_oneof![
        6 => "[ -!#-%'-;=?-~]{0,12}",
        2 => "[é漢😀\u{EFFF}\u{F000}\u{FFFD}]{1,3}",
        1 => one_of(special).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

fn one_of(names: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(names)
}

fn attribute() -> impl Strategy<Value = String> {
    // Often in the order of a definition, sometimes twice, sometimes almost a name that is defined.
    let names = one_of(&[
        "NAME",
        "FILENAME",
        "FILESIZE",
        "CHANNELID",
        "INTERNALDATA",
        "VOIPGOKEY",
        "PASS",
        "ID",
        "NAM",
        "NAMES",
        "_a:b-1.c",
        "é",
        "1",
        "",
    ]);
    let equals = prop_oneof![12 => Just("="), 1 => one_of(&["", " = ", "==", "=="])];
    let blank = prop_oneof![12 => Just(" "), 2 => one_of(&["", "  ", "\t", "\r\n", "\u{A0}"])];
    let quote = prop_oneof![12 => Just("\""), 1 => one_of(&["'", ""])];
    let value = prop_oneof![3 => value(), 1 => one_of(&["FILEXFER", "436", "ESCRC", "DENIEDRC "]).prop_map(str::to_owned)];
    (blank, names, equals, quote, value).prop_map(|(b, n, e, q, v)| format!("{b}{n}{e}{q}{v}{q}"))
}

fn name() -> impl Strategy<Value = &'static str> {
    one_of(&[
        "RCCOMMAND",
        "RCCOMMANDS",
        "CALL",
        "ITEM",
        "RAINVITATIONCOLL",
        "RAINVITATIONITEM",
        "X",
        "é",
        "1",
    ])
}

fn between() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 3 => one_of(&[" ", "\r\n", "\t", "<!-- -->", "<?p i?>", "x", "&amp;", "\0", "\u{FEFF}"])]
}

fn element() -> impl Strategy<Value = String> {
    let tag = || (name(), prop::collection::vec(attribute(), 0..5), one_of(&["", "", "", " "]));
    let leaf = (tag(), between()).prop_map(|((n, a, end), b)| format!("{b}<{n}{}{end}/>", a.concat()));
    leaf.prop_recursive(4, 12, 3, move |inner| {
        let close = prop_oneof![12 => Just(None), 1 => name().prop_map(Some)];
        (tag(), prop::collection::vec(inner, 0..3), between(), close, one_of(&["", "", "", " "])).prop_map(
            |((n, a, blank), children, b, close, end)| {
                let close = close.unwrap_or(n);
                format!("{b}<{n}{}{blank}>{}{b}</{close}{end}>", a.concat(), children.concat())
            },
        )
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let small = (0_usize..4, 0_usize..6, 0_usize..16).prop_map(|(depth, items, string)| {
        Limits::DEFAULT.with_depth(depth).with_items(items).with_string(string)
    });
    prop_oneof![2 => Just(Limits::DEFAULT), 1 => small]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_documents(
        before in prop_oneof![6 => Just(""), 2 => one_of(&[" ", "<!-- -->", "\u{FEFF}"]), 3 => one_of(DECLARATIONS)],
        element in element(),
        after in prop_oneof![6 => Just(""), 2 => one_of(&["\0", "\r\n", "x", "<X/>"])],
        limits in limits(),
    ) {
        everywhere(&format!("{before}{element}{after}"), limits);
    }

    #[test]
    fn damaged_documents(
        text in prop::sample::select(PLAIN),
        at in any::<prop::sample::Index>(),
        len in 0_usize..3,
        new in "[ -~]{0,2}|[<>/=\"&\\\\x00é\u{FFFF}]",
        limits in limits(),
    ) {
        let at = (0..=at.index(text.len())).rfind(|at| text.is_char_boundary(*at)).unwrap();
        let rest = text.get(at + len..).unwrap_or_default();
        everywhere(&format!("{}{new}{rest}", &text[..at]), limits);
        everywhere(&text[..at], limits);
    }

    /// A value that ends at any distance from the end of the text, with any character in any place.
    #[test]
    fn values(before in "[ -!#-%'-;=?-~é]{0,20}", c in any::<char>(), after in "[a-zé]{0,20}", end in "[ \\x00]{0,9}") {
        everywhere(&format!("<CALL NAME=\"{before}{c}{after}\"/>{end}"), Limits::DEFAULT);
        everywhere(&format!("<RCCOMMAND NAME=\"{before}{c}{after}\"/>{end}"), Limits::DEFAULT);
    }
}

const PLAIN: &[&str] = &[
    "<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"20070130182140.xml\" FILESIZE=\"436\" CHANNELID=\"RA_FX\"/>",
    "<RCCOMMAND NAME=\"VOIPGO\" VOIPVER=\"2\" VOIPGOKEY=\"NzaogjS5hQMun/saZ1YCBMT9Gw==\" VOIPIPLIST=\"1.2.3.4:5,\"/>\0",
    "<CALL PASS=\"hunter2\" NAME=\"n\"><ITEM ID=\"1\"/>\r\n<ITEM ID=\"2\"><X Y=\"é\"></X></ITEM></CALL>\r\n",
    "<RAINVITATIONCOLL><RAINVITATIONITEM NAME=\"n\" COMPUTERNAME=\"c\" AVATAR=\"\" PUBLICKEY=\"AAAA\" ADDRESS=\"0\" \
     TYPE=\"1\" TIME=\"20080625161611.5\"/></RAINVITATIONCOLL>",
];

/// What may be a declaration: both paths must tell the same of it and of what follows.
const DECLARATIONS: &[&str] = &[
    "<?xml version=\"1.0\"?>",
    "<?xml version=\"1.0\" encoding=\"Unicode\" ?>\r\n",
    "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>",
    "\n<?xml version=\"1.0\"?>",
    "<?xml version=\"1.0?>\"?>",
    "<?xml version=\"?\"?>",
    "<?xml version=\">\"?>",
    "<?xml version='1.0'?>\t",
    "<?xml a=\"\" a=\"\"?>",
    "<?xml?>",
    "<?xml ?>",
    "<?xml  />",
    "<?xml version=\"1.0\">",
    "<?xml version=\"1.0\"??>",
    "<?xmls version=\"1.0\"?>",
];

#[test]
fn declarations() {
    for declaration in DECLARATIONS {
        for end in ["", "<CALL NAME=\"n\"/>", " <CALL/>", "\u{FEFF}<CALL/>", "x<CALL/>"] {
            for limits in [Limits::DEFAULT, Limits::DEFAULT.with_items(1), Limits::DEFAULT.with_string(1)] {
                everywhere(&format!("{declaration}{end}"), limits);
            }
        }
    }
    assert!(sample("<?xml version=\"1.0\" encoding=\"Unicode\" ?>\r\n<CALL/>", Limits::DEFAULT));
}

/// The documents that the other tests damage are read; so is what comes near to a limit.
#[test]
fn plain_documents_and_limits() {
    assert!(message(PLAIN[0], Limits::DEFAULT));
    assert!(message(PLAIN[1], Limits::DEFAULT));
    assert!(sample(PLAIN[2], Limits::DEFAULT));
    assert!(contact(PLAIN[3], Limits::DEFAULT));
    let attributes = |n: usize| (0..n).map(|i| format!(" A{i}=\"\"")).collect::<String>();
    for n in [1, 4, 5, 255, 256, 257] {
        assert_eq!(sample(&format!("<CALL{}/>", attributes(n)), Limits::DEFAULT), n <= 256);
        let text = format!("<RCCOMMAND NAME=\"ESCRC\"{}/>", attributes(n - 1));
        assert_eq!(message(&text, Limits::DEFAULT), n <= 256);
    }
    for n in 1..40 {
        let deep = format!("{}{}", "<X>".repeat(n), "</X>".repeat(n));
        assert_eq!(sample(&deep, Limits::DEFAULT), n <= Limits::DEFAULT.depth);
        assert_eq!(sample(&deep, Limits::DEFAULT.with_depth(100)), n <= 32);
        let wide = format!("<CALL>{}</CALL>", "<X/>".repeat(n));
        assert_eq!(sample(&wide, Limits::DEFAULT.with_items(20)), n < 20);
        let long = format!("<CALL NAME=\"{}\"/>", "v".repeat(n));
        assert_eq!(sample(&long, Limits::DEFAULT.with_string(20)), n <= 20);
    }
}

/// Secrets are known on both paths, in and out of the order of the definition.
#[test]
fn secrets() {
    for text in [
        "<CALL NAME=\"n\" PASS=\"hunter2\"/>",
        "<CALL PASS=\"hunter2\" NAME=\"n\"/>",
        "<CALL Q=\"1\" PASS=\"hunter2\"/>",
    ] {
        for trace in [false, true] {
            let read = Sample::parse_with(text, &DecodeOptions::TOLERANT.with_trace(trace)).unwrap();
            assert!(!format!("{:?}", read.value).contains("hunter2"), "{text} {trace}");
            assert_eq!(read.value.0.root.attributes.get("PASS"), Some("hunter2"));
        }
    }
}
