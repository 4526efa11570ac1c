//! XML: what is accepted, what is refused and with which words, what is kept.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use remassist_core::text::TextFormat as _;
use remassist_core::xml::{Attributes, Document, Element};
use remassist_core::{DecodeOptions, Encode as _, Limits};
use testkit::laws;
use testkit::sample::{Sample, SampleFile};

fn read(text: &str) -> Element<'_> {
    Sample::parse(text).unwrap_or_else(|e| panic!("{e}: {text}")).0.root
}

fn with_limits(text: &str, limits: Limits) -> String {
    let options = DecodeOptions::TOLERANT.with_limits(limits);
    match Sample::parse_with(text, &options) {
        Ok(d) => format!("{:?}", d.value.0.root),
        Err(e) => e.to_string(),
    }
}

#[test]
fn errors_tell_what_where_and_by_which_section() {
    let texts = [
        "",
        "  ",
        "CALL",
        "<CALL",
        "<CALL>",
        "<CALL NAME=\"1",
        "<CALL NAME='1",
        "<CALL NAME=1/>",
        "<CALL NAME/>",
        "<CALL NAME=\"1\"/ >",
        "<1/>",
        "<CALL 1=\"\"/>",
        "<CALL NAME=\"1\" NAME=\"2\"/>",
        "<CALL PASS=\"hunter2\" PASS=\"\"/>",
        "<CALL PASS=\"hunter2&\"/>",
        "<CALL NAME=\"a<b\"/>",
        "<CALL NAME=\"&nbsp;\"/>",
        "<CALL NAME=\"ab&#0;\"/>",
        "<CALL NAME=\"&#xD800;\"/>",
        "<CALL NAME=\"&#x110000;\"/>",
        "<CALL NAME=\"&#xFFFE;\"/>",
        "<CALL NAME=\"&#+65;\"/>",
        "<CALL NAME=\"&#X41;\"/>",
        "<CALL NAME=\"&#;\"/>",
        "<CALL NAME=\"&\"/>",
        "<CALL NAME=\"\u{1}\"/>",
        "<CALL NAME=\"\u{FFFF}\"/>",
        "<CALL>text</CALL>",
        "<CALL>&amp;</CALL>",
        "<CALL><![CDATA[x]]></CALL>",
        "<!DOCTYPE CALL [<!ENTITY a \"b\">]><CALL NAME=\"&a;\"/>",
        "<CALL/><CALL/>",
        "<CALL/>x",
        "<CALL></ITEM></CALL>",
        "</CALL>",
        " <?xml version=\"1.0\"?><CALL/>",
        "<CALL><!-- </CALL>",
        "\u{FEFF}<CALL/>",
        "<CALL>\u{FEFF}   <ITEM/></CALL>",
    ];
    let mut shown = String::new();
    for text in texts {
        let error = Sample::parse(text).expect_err(text);
        assert!(!error.to_string().contains("hunter2"));
        shown += &format!("{text}\n    {error}\n");
    }
    expect![[r#"

            SAMPLE at byte 0: the text ends before the XML element does ([TEST] 1)
  
            SAMPLE at byte 2: the text ends before the XML element does ([TEST] 1)
        CALL
            SAMPLE at byte 0: text where only XML elements may stand ([TEST] 1)
        <CALL
            SAMPLE at byte 0: the text ends inside a tag ([TEST] 1)
        <CALL>
            SAMPLE at byte 6: the text ends before the XML element does ([TEST] 1)
        <CALL NAME="1
            SAMPLE at byte 0: the text ends inside an attribute's value ([TEST] 1)
        <CALL NAME='1
            SAMPLE at byte 0: the text ends inside an attribute's value ([TEST] 1)
        <CALL NAME=1/>
            CALL at byte 5: malformed attribute ([TEST] 1.1)
        <CALL NAME/>
            CALL at byte 5: malformed attribute ([TEST] 1.1)
        <CALL NAME="1"/ >
            CALL at byte 13: malformed attribute ([TEST] 1.1)
        <1/>
            SAMPLE at byte 0: an element's name is not an XML name ([TEST] 1)
        <CALL 1=""/>
            CALL at byte 6: an attribute's name is not an XML name ([TEST] 1.1)
        <CALL NAME="1" NAME="2"/>
            CALL.NAME at byte 15: an attribute stands twice ([TEST] 1.1)
        <CALL PASS="hunter2" PASS=""/>
            CALL.PASS at byte 21: an attribute stands twice ([TEST] 1.1)
        <CALL PASS="hunter2&"/>
            CALL.PASS at byte 19: '&' that begins no reference ([TEST] 1.1)
        <CALL NAME="a<b"/>
            CALL.NAME at byte 13: '<' in an attribute's value ([TEST] 1.1)
        <CALL NAME="&nbsp;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="ab&#0;"/>
            CALL.NAME at byte 14: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&#xD800;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&#x110000;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&#xFFFE;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&#+65;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&#X41;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&#;"/>
            CALL.NAME at byte 12: a reference that is not predefined in XML ([TEST] 1.1)
        <CALL NAME="&"/>
            CALL.NAME at byte 12: '&' that begins no reference ([TEST] 1.1)
        <CALL NAME=""/>
            CALL.NAME at byte 12: a character that cannot stand in XML ([TEST] 1.1)
        <CALL NAME="￿"/>
            CALL.NAME at byte 12: a character that cannot stand in XML ([TEST] 1.1)
        <CALL>text</CALL>
            SAMPLE at byte 6: text where only XML elements may stand ([TEST] 1)
        <CALL>&amp;</CALL>
            SAMPLE at byte 6: text where only XML elements may stand ([TEST] 1)
        <CALL><![CDATA[x]]></CALL>
            SAMPLE at byte 6: text where only XML elements may stand ([TEST] 1)
        <!DOCTYPE CALL [<!ENTITY a "b">]><CALL NAME="&a;"/>
            SAMPLE at byte 0: a DOCTYPE is refused ([TEST] 1)
        <CALL/><CALL/>
            SAMPLE at byte 7: 7 bytes left after the value ([TEST] 1)
        <CALL/>x
            SAMPLE at byte 7: 1 bytes left after the value ([TEST] 1)
        <CALL></ITEM></CALL>
            ITEM at byte 6: an end tag without its start tag ([TEST] 1.2)
        </CALL>
            CALL at byte 0: an end tag without its start tag ([TEST] 1.1)
         <?xml version="1.0"?><CALL/>
            SAMPLE at byte 1: an XML declaration that does not come first ([TEST] 1)
        <CALL><!-- </CALL>
            SAMPLE at byte 6: the text ends inside a comment ([TEST] 1)
        ﻿<CALL/>
            SAMPLE at byte 0: text where only XML elements may stand ([TEST] 1)
        <CALL>﻿   <ITEM/></CALL>
            SAMPLE at byte 6: text where only XML elements may stand ([TEST] 1)
    "#]]
    .assert_eq(&shown);
}

#[test]
fn values_are_those_that_an_xml_reader_reports() {
    let value =
        |raw: &str| read(&format!("<CALL NAME=\"{raw}\"/>")).attributes.get("NAME").unwrap().to_owned();
    for (raw, expected) in [
        ("", ""),
        ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
        ("&#65;&#x41;&#x1F600;&#0000066;", "AA\u{1F600}B"),
        ("a\nb\rc\td\r\ne\n\r", "a b c d e  "),
        ("&#9;&#10;&#13;", "\t\n\r"),
        ("'>", "'>"),
        ("\u{FFFD}\u{FEFF}\u{85}\u{7F}", "\u{FFFD}\u{FEFF}\u{85}\u{7F}"),
    ] {
        assert_eq!(value(raw), expected, "{raw:?}");
    }
}

#[test]
fn what_does_not_matter_is_accepted() {
    let plain = read("<CALL NAME=\"1\"><ITEM ID=\"2\"/></CALL>");
    for same in [
        "<CALL NAME='1'><ITEM ID='2'></ITEM></CALL>",
        "<CALL\n\tNAME = \"1\" ><!-- a -->\r\n<?p q?><ITEM\rID= \"2\" /></CALL >",
        "<?xml version=\"1.0\"?>\n<!-- a --><CALL NAME=\"&#49;\"><ITEM ID=\"2\"/></CALL>\r\n\0",
    ] {
        assert_eq!(read(same), plain, "{same}");
    }
}

/// Order of attributes, and attributes and elements that nobody knows.
#[test]
fn the_rest_is_kept() {
    let text = "<?xml version=\"1.0\" encoding=\"Unicode\"?>\n<CALL b=\"\" NAME=\"1\" a=\"x\"><OTHER c.d-e=\"é\"/><ITEM/></CALL>";
    assert_eq!(Sample::parse(text).unwrap().to_text().unwrap(), text);
}

#[test]
fn rules_broken_harmlessly_are_deviations() {
    let mut shown = String::new();
    for text in [
        "<CALL NAME=\"1\"PASS=\"2\"/>",
        "<CALL><ITEM ID=\"1\"/></ITEM></CALL>",
        "<CALL><ITEM><ITEM/></ITEM></ITEM></ITEM></CALL>",
    ] {
        let decoded = Sample::parse_with(text, &DecodeOptions::TOLERANT).unwrap();
        let strict = Sample::parse_with(text, &DecodeOptions::STRICT).unwrap_err();
        assert_eq!(strict.to_string(), decoded.deviations[0].to_string());
        for deviation in decoded.deviations {
            shown += &format!("{deviation}\n");
        }
    }
    expect![[r#"
        CALL at byte 14: no blank before an attribute ([TEST] 1.1)
        ITEM at byte 20: an end tag without its start tag ([TEST] 1.2)
        ITEM at byte 26: an end tag without its start tag ([TEST] 1.2)
        ITEM at byte 33: an end tag without its start tag ([TEST] 1.2)
    "#]]
    .assert_eq(&shown);
}

#[test]
fn limits() {
    let check = |text: &str, limits, expected: Expect| expected.assert_eq(&with_limits(text, limits));
    let limits = Limits::DEFAULT;
    check(
        "<A><A/></A>",
        limits.with_depth(1),
        expect!["SAMPLE at byte 3: more than the configured limit of 1 (depth of elements) ([TEST] 1)"],
    );
    check(
        "<A><A/><A/></A>",
        limits.with_items(2),
        expect!["SAMPLE at byte 7: more than the configured limit of 2 (elements) ([TEST] 1)"],
    );
    check(
        "<A a=\"\" b=\"\"/>",
        limits.with_items(1),
        expect!["SAMPLE at byte 8: more than the configured limit of 1 (attributes) ([TEST] 1)"],
    );
    check(
        "<A a=\"12345\"/>",
        limits.with_string(4),
        expect!["SAMPLE at byte 6: more than the configured limit of 4 (string bytes) ([TEST] 1)"],
    );
    check(
        "<A/>",
        limits.with_message(3),
        expect!["SAMPLE at byte 3: more than the configured limit of 3 (message bytes) ([TEST] 1)"],
    );
    let deep = |n: usize| "<A>".repeat(n) + &"</A>".repeat(n);
    check(
        &deep(17),
        limits,
        expect!["SAMPLE at byte 48: more than the configured limit of 16 (depth of elements) ([TEST] 1)"],
    );
    check(
        &deep(33),
        limits.with_depth(1000),
        expect!["SAMPLE at byte 96: more than the configured limit of 32 (depth of elements) ([TEST] 1)"],
    );
    let deepest = deep(32);
    let kept = Sample::parse_with(&deepest, &DecodeOptions::TOLERANT.with_limits(limits.with_depth(32)));
    laws::json(&SampleFile::utf8(Sample(kept.unwrap().value.0.into_owned())));
    let many: String = (0..257).map(|n| format!(" a{n}=\"\"")).collect();
    check(
        &format!("<A{many}/>"),
        limits,
        expect!["SAMPLE at byte 1941: more than the configured limit of 256 (attributes) ([TEST] 1)"],
    );
}

#[test]
fn secrets_are_not_shown() {
    for text in [
        "<CALL NAME=\"shown\" PASS=\"hunter2\"/>",
        "<CALL NAME=\"shown\" PASS='hunter2'/>",
        "<CALL NAME=\"shown\" PASS=\"hunter&#50;\"/>",
    ] {
        for root in [read(text), read(text).into_owned(), read(text).clone()] {
            let debug = format!("{root:?} {root:#?}");
            assert!(
                debug.contains("shown") && !debug.contains("hunter2") && debug.contains("Secret(..)"),
                "{debug}"
            );
            assert_eq!(root.attributes.get("PASS"), Some("hunter2"));
        }
    }
    let mut attributes = Attributes::new().with("a", "1").with_secret("p", "hunter2");
    attributes.set("p", "hunter3");
    assert_eq!(format!("{attributes:?}"), r#"{"a": "1", "p": "Secret(..)"}"#);
    attributes.remove("p");
    assert_eq!(format!("{attributes:?}"), r#"{"a": "1"}"#);
    assert_eq!(attributes.len(), 1);
    assert_ne!(Attributes::new().with_secret("p", "a"), Attributes::new().with_secret("p", "b"));
    assert_eq!(Attributes::new().with_secret("p", "a"), Attributes::new().with("p", "a"));
    assert_ne!(Attributes::new().with("a", "").with("b", ""), Attributes::new().with("b", "").with("a", ""));
}

/// Secret fields are marked in the trace, and an empty one marks nothing else.
#[test]
fn secrets_in_the_trace() {
    let secrets = |text: &'static str| {
        let decoded = Sample::parse_with(text, &DecodeOptions::TOLERANT.with_trace(true)).unwrap();
        laws::trace_covers(&decoded.trace, text.len());
        decoded.trace.iter().filter(|e| e.secret).map(|e| &text[e.offset..][..e.len]).collect::<Vec<_>>()
    };
    assert_eq!(secrets("<CALL NAME=\"x\" PASS=\"hunter2\"/>"), ["hunter2"]);
    assert_eq!(secrets("<CALL NAME=\"x\" PASS=\"\"/>"), [""; 0]);
    assert_eq!(secrets("<CALL><X><X PASS=\"1\"/></X><CALL PASS=\"2\"/></CALL>"), ["2"]);
}

#[test]
fn json() {
    let document =
        Sample::parse("<?xml version=\"1.0\"?><CALL NAME=\"&lt;\" PASS=\"p\"><ITEM/></CALL>").unwrap();
    let json = serde_json::to_string(&document).unwrap();
    expect![[r#"{"declaration":{"version":"1.0"},"root":{"name":"CALL","attributes":{"NAME":"<","PASS":{"secret":"p"}},"children":[{"name":"ITEM"}]}}"#]].assert_eq(&json);
    assert_eq!(serde_json::from_str::<Sample<'_>>(&json).unwrap(), document);
    let refused = |json: &str| serde_json::from_str::<Element<'_>>(json).unwrap_err().to_string();
    expect!["an attribute stands twice at line 1 column 37"]
        .assert_eq(&refused(r#"{"name":"A","attributes":{"a":"1","a":"2"}}"#));
    expect![[r#"attribute "a" is no string, or was redacted at line 1 column 46"#]]
        .assert_eq(&refused(r#"{"name":"A","attributes":{"a":{"secret":null}}}"#));
    expect![[r#"attribute "a" is no string, or was redacted at line 1 column 32"#]]
        .assert_eq(&refused(r#"{"name":"A","attributes":{"a":1}}"#));
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let refused = |element: Element<'static>| {
        let document = Document { declaration: None, root: element };
        SampleFile::utf8(Sample(document)).to_vec().unwrap_err().to_string()
    };
    let mut deep = Element::new("A");
    for _ in 0..32 {
        deep = Element::new("A").with_child(deep);
    }
    let shown = [
        refused(Element::new("a b")),
        refused(Element::new("")),
        refused(Element::new("A").with_attributes(Attributes::new().with("a>", ""))),
        refused(Element::new("A").with_attributes(Attributes::new().with("a", "\0"))),
        refused(Element::new("A").with_child(Element::new("/"))),
        refused(deep),
    ]
    .join("\n");
    expect![[r#"
        SAMPLE: an element's name is not an XML name ([TEST] 1)
        SAMPLE: an element's name is not an XML name ([TEST] 1)
        SAMPLE: an attribute's name is not an XML name ([TEST] 1)
        SAMPLE: a character cannot stand in XML ([TEST] 1)
        SAMPLE: an element's name is not an XML name ([TEST] 1)
        SAMPLE: elements are nested too deep ([TEST] 1)"#]]
    .assert_eq(&shown);
    let mut file = SampleFile::utf8(Sample(Document { declaration: None, root: Element::new("A") }));
    file.tail = "x".into();
    assert!(file.to_vec().is_err());
}

/// Names and values of all elements in order, read by quick-xml alone.
fn by_quick_xml(text: &str) -> Option<Vec<(String, String)>> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        match reader.read_event().ok()? {
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.ok()?;
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?;
                    found.push((attribute.key.0.to_owned(), value.into_owned()));
                }
            }
            quick_xml::events::Event::Eof => return Some(found),
            _ => {}
        }
    }
}

fn by_us(element: &Element<'_>, found: &mut Vec<(String, String)>) {
    found.extend(element.attributes.iter().map(|(n, v)| (n.to_owned(), v.to_owned())));
    element.children.iter().for_each(|child| by_us(child, found));
}

/// Pieces of attribute values as they stand in a file, most of them allowed.
fn raw_value() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[ -!#-%(-;=-~]{0,12}",
        2 => prop::sample::select(vec!["&amp;", "&lt;", "&#9;", "&#x1F600;", "\r\n", "\r", "\n", "\t", "é", "€", "😀"])
            .prop_map(str::to_owned),
        1 => "&#x?[0-9a-fA-F]{1,6};",
        1 => prop::char::any().prop_filter("quotes end the value", |c| *c != '"' && *c != '\'').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn raw_tag() -> impl Strategy<Value = String> {
    let attribute = ("[a-zA-Z_][a-zA-Z0-9_.-]{0,8}", raw_value(), any::<bool>(), "[ \r\n\t]{1,2}", " ?");
    prop::collection::vec(attribute, 0..5).prop_map(|attributes| {
        attributes
            .into_iter()
            .enumerate()
            .map(|(n, (name, value, double, before, after))| {
                let quote = if double { '"' } else { '\'' };
                format!("{before}{name}{n}{after}={after}{quote}{value}{quote}")
            })
            .collect()
    })
}

fn element() -> impl Strategy<Value = Element<'static>> {
    let name = prop::sample::select(vec!["CALL", "ITEM", "X"]);
    let attributes =
        prop::collection::vec(("NAME|PASS|ID|[a-zé]{1,3}", any::<String>()), 0..4).prop_map(|list| {
            list.into_iter().fold(Attributes::new(), |all, (name, value)| {
                let value: String = value.chars().filter(|c| *c >= ' ' && *c < '\u{FFFE}').collect();
                if name == "PASS" { all.with_secret(&name, &value) } else { all.with(&name, &value) }
            })
        });
    let leaf =
        (name, attributes).prop_map(|(name, attributes)| Element::new(name).with_attributes(attributes));
    leaf.prop_recursive(4, 12, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..3)).prop_map(|(mut outer, children)| {
            outer.children = children;
            outer
        })
    })
}

proptest! {
    /// Where we accept, quick-xml reads the same; what quick-xml refuses, we refuse.
    #[test]
    fn attributes_are_read_as_by_quick_xml(outer in raw_tag(), inner in raw_tag()) {
        let text = format!("<CALL{outer}><ITEM{inner}/></CALL>");
        let theirs = by_quick_xml(&text);
        if let Ok(ours) = Sample::parse(&text) {
            let mut found = Vec::new();
            by_us(&ours.0.root, &mut found);
            prop_assert_eq!(Some(found), theirs, "{}", text);
        }
        testkit::oracles::run("core_text", text.as_bytes());
    }

    /// What has only allowed characters and references is accepted.
    #[test]
    fn any_value_can_be_written(root in element()) {
        let file = SampleFile::unicode_z(Sample(Document { declaration: None, root }));
        let bytes = file.to_vec().unwrap();
        let again = <SampleFile<'_> as remassist_core::Decode<'_>>::decode(&bytes).unwrap();
        prop_assert_eq!(&again, &file);
        testkit::oracles::run("core_text", &bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn laws_hold_for_any_document(root in element(), which in 0..3_u8, bom in any::<bool>()) {
        use remassist_core::text::Encoding;
        let mut file = SampleFile::utf8(Sample(Document { declaration: None, root }));
        file.encoding = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be][usize::from(which)];
        file.bom = bom;
        laws::xml_value(&file);
        laws::json(&file);
    }
}
