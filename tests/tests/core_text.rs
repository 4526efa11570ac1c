//! Text around a content: encodings, byte order marks, tails, and errors at wire offsets.

use expect_test::expect;
use remassist_core::text::{Encoding, TextCursor, TextDocument, TextFormat, TextRules};
use remassist_core::{
    At, Decode as _, DecodeError, DecodeErrorKind, DecodeOptions, Encode as _, EncodeError,
};
use testkit::laws;
use testkit::sample::SampleFile;

const ENCODINGS: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be];

fn bytes(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.into(),
        Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    }
}

#[test]
fn every_encoding_with_and_without_mark_and_tail() {
    for encoding in ENCODINGS {
        for bom in ["", "\u{FEFF}"] {
            for tail in ["", "\0", "\r\n", "\r\n\0", " \t\0\0"] {
                let content = "<CALL NAME=\"é€😀\"/>";
                let input = bytes(&format!("{bom}{content}{tail}"), encoding);
                let file = SampleFile::decode(&input).unwrap();
                assert_eq!((file.encoding, file.bom), (encoding, !bom.is_empty()));
                assert_eq!(file.tail, tail);
                assert_eq!(file.content.0.root.attributes.get("NAME"), Some("é€😀"));
                assert_eq!(file.to_vec().unwrap(), input);
                laws::json(&file.clone().map_owned(|s| testkit::sample::Sample(s.0.into_owned())));
            }
        }
    }
}

/// The same mistake, at the byte where it stands in each encoding.
#[test]
fn errors_count_bytes_of_the_wire() {
    let at = |text: &str| ENCODINGS.map(|e| SampleFile::decode(&bytes(text, e)).expect_err(text).offset());
    assert_eq!(at("<CALL NAME=\"ab\" NAME=\"\"/>"), [16, 32, 32]);
    // é is 2, € 3, 😀 4 bytes of UTF-8; 2, 2, 4 of UTF-16.
    assert_eq!(at("<CALL NAME=\"é€😀\" NAME=\"\"/>"), [23, 36, 36]);
    assert_eq!(at("<CALL NAME=\"😀&bad;\"/>"), [16, 28, 28]);
    assert_eq!(at("<CALL NAME=\"😀\"/>😀"), [19, 34, 34]);
    assert_eq!(at("\u{FEFF}<CALL NAME=\"😀&bad;\"/>"), [19, 30, 30]);
    assert_eq!(at("<CALL NAME=\"😀"), [0, 0, 0]);
}

#[test]
fn deviations_and_traces_count_bytes_of_the_wire() {
    for encoding in ENCODINGS {
        let input = bytes("\u{FEFF}<CALL NAME=\"😀é\"PASS=\"€\"><ITEM/></ITEM></CALL>\r\n\0", encoding);
        let decoded = SampleFile::decode_with(&input, &DecodeOptions::TOLERANT.with_trace(true)).unwrap();
        laws::trace_covers(&decoded.trace, input.len());
        let slice = |offset: usize, text| assert!(input[offset..].starts_with(&bytes(text, encoding)));
        slice(decoded.deviations[0].offset, "PASS");
        slice(decoded.deviations[1].offset, "</ITEM>");
        let secret = decoded.trace.iter().find(|e| e.secret).unwrap();
        assert_eq!(input[secret.offset..][..secret.len], bytes("€", encoding));
    }
}

#[test]
fn text_that_is_no_text() {
    let refused = |input: &[u8]| SampleFile::decode(input).unwrap_err().to_string();
    let utf16 = bytes("<CALL NAME=\"a\"/>", Encoding::Utf16Le);
    let shown = [
        refused(b"<CALL NAME=\"\xFF\"/>"),
        refused(&utf16[..utf16.len() - 1]),
        refused(&[&bytes("<CALL NAME=\"", Encoding::Utf16Le)[..], &[0x00, 0xDC]].concat()),
        refused(&[&bytes("<CALL NAME=\"", Encoding::Utf16Be)[..], &[0xD8, 0x00, 0, b'A']].concat()),
        refused(b"\xEF\xBB\xBF<\xC3"),
        refused(b"\xFE\xFF\0"),
    ]
    .join("\n");
    expect![[r#"
        SAMPLE at byte 12: the text is not well-formed in its encoding ([TEST] 1)
        SAMPLE at byte 30: the text is not well-formed in its encoding ([TEST] 1)
        SAMPLE at byte 24: the text is not well-formed in its encoding ([TEST] 1)
        SAMPLE at byte 24: the text is not well-formed in its encoding ([TEST] 1)
        SAMPLE at byte 4: the text is not well-formed in its encoding ([TEST] 1)
        SAMPLE at byte 2: the text is not well-formed in its encoding ([TEST] 1)"#]]
    .assert_eq(&shown);
}

#[test]
fn detection_by_the_first_bytes() {
    for (input, expected) in [
        (&b""[..], (Encoding::Utf8, false)),
        (b"<", (Encoding::Utf8, false)),
        (b"<C", (Encoding::Utf8, false)),
        (b"\0\0", (Encoding::Utf8, false)),
        (b"<\0", (Encoding::Utf16Le, false)),
        (b"\0<", (Encoding::Utf16Be, false)),
        (b"\xFF\xFE", (Encoding::Utf16Le, true)),
        (b"\xFE\xFF", (Encoding::Utf16Be, true)),
        (b"\xEF\xBB\xBF", (Encoding::Utf8, true)),
        (b"\xEF\xBB", (Encoding::Utf8, false)),
    ] {
        assert_eq!(Encoding::detect(input), expected, "{input:02x?}");
    }
}

/// A run of the letter a, for which UTF-16LE and one NUL are demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Letters(usize);

impl<'a> TextFormat<'a> for Letters {
    const AT: &'static At = &At::new("[TEST]", "2", "LETTERS", "");
    const RULES: TextRules = TextRules::UNICODE_Z;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        let len = cursor.rest().bytes().take_while(|b| *b == b'a').count();
        if len == 0 {
            return Err(cursor.error(cursor.position(), Self::AT, DecodeErrorKind::Rule("no letter a")));
        }
        cursor.field(cursor.position()..cursor.position() + len, Self::AT);
        cursor.advance(len);
        Ok(Self(len))
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        if self.0 > 0 { Ok(()) } else { Err(EncodeError::Invalid { at: Self::AT, reason: "no letter a" }) }
    }

    fn write_text(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        out.write_str(&"a".repeat(self.0))
    }
}

#[test]
fn rules_about_encoding_and_terminator() {
    let good = bytes("aaa\0", Encoding::Utf16Le);
    assert_eq!(TextDocument::decode_strict(&good).unwrap(), TextDocument::unicode_z(Letters(3)));
    let mut shown = String::new();
    for (text, encoding) in [
        ("aaa", Encoding::Utf16Le),
        ("aaa\0\0", Encoding::Utf16Le),
        ("aaa\r\n\0", Encoding::Utf16Le),
        ("\u{FEFF}aaa\0", Encoding::Utf16Le),
        ("aaa\0", Encoding::Utf16Be),
        ("aaa", Encoding::Utf8),
    ] {
        let input = bytes(text, encoding);
        assert!(laws::bytes::<TextDocument<'_, Letters>>(&input));
        let decoded = TextDocument::<Letters>::decode_with(&input, &DecodeOptions::TOLERANT).unwrap();
        for deviation in decoded.deviations {
            shown += &format!("{text:?} {encoding:?}: {deviation}\n");
        }
    }
    expect![[r#"
        "aaa" Utf16Le: LETTERS at byte 6: the text does not end with exactly one NUL ([TEST] 2)
        "aaa\0\0" Utf16Le: LETTERS at byte 6: the text does not end with exactly one NUL ([TEST] 2)
        "aaa\r\n\0" Utf16Le: LETTERS at byte 6: the text does not end with exactly one NUL ([TEST] 2)
        "\u{feff}aaa\0" Utf16Le: LETTERS at byte 0: the text is not UTF-16LE without a byte order mark ([TEST] 2)
        "aaa\0" Utf16Be: LETTERS at byte 0: the text is not UTF-16LE without a byte order mark ([TEST] 2)
        "aaa" Utf8: LETTERS at byte 0: the text is not UTF-16LE without a byte order mark ([TEST] 2)
        "aaa" Utf8: LETTERS at byte 3: the text does not end with exactly one NUL ([TEST] 2)
    "#]].assert_eq(&shown);
    // A string has neither encoding nor terminator.
    assert_eq!(Letters::parse_with("aaa\r\n", &DecodeOptions::STRICT).unwrap().value, Letters(3));
}

#[test]
fn laws_of_letters() {
    for encoding in ENCODINGS {
        for (bom, tail) in [(false, "\0"), (true, ""), (false, "\r\n")] {
            laws::value(&TextDocument { encoding, bom, content: Letters(5), tail: tail.into() });
        }
    }
    let mut file = TextDocument::utf8(Letters(0));
    expect!["LETTERS: no letter a ([TEST] 2)"].assert_eq(&file.to_vec().unwrap_err().to_string());
    file.content = Letters(1);
    file.tail = "b".into();
    expect!["LETTERS: only blanks and NULs may follow the content ([TEST] 2)"]
        .assert_eq(&file.to_vec().unwrap_err().to_string());
}
