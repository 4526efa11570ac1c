//! The XML messages against quick-xml reading the same into owned attributes.

use std::hint::black_box;

use quick_xml::Reader;
use quick_xml::events::Event;
use rccommand::RcCommand;
use remassist_core::text::{TextCursor, TextDocument, TextFormat, TextRules};
use remassist_core::xml::{AttributeSpec, Document, ElementSpec, Schema};
use remassist_core::{At, Decode as _, DecodeError, EncodeError, utf16};
use testkit::bench::{heading, ratio};

const TEXT: &str =
    "<RCCOMMAND NAME=\"FILEXFER\" FILENAME=\"20070130182140.xml\" FILESIZE=\"436\" CHANNELID=\"RA_FX\"/>";

/// Shaped like the connection string 2 of [MS-RAI] 2.2.2.
const CONNECTION: &str = "<E><A KH=\"YiKwWUY8Ioq5NB3wAQHSbs5kwrM=\" \
    ID=\"8rYm30RBW8/4dAWoUsWbFCF5jno/7jr5tNpHQc2goLbw4uuBBJvLsU02YYLlBMg5\"/><C><T ID=\"1\" SID=\"1440550163\">\
    <L P=\"49749\" N=\"2001:4898:1a:5:79e2:3356:9b22:3470\"/><L P=\"49751\" N=\"172.31.250.64\"/></T></C></E>";

const fn element(name: &'static str, attributes: &'static [AttributeSpec]) -> ElementSpec {
    ElementSpec { name, at: At::new("[MS-RAI]", "2.2.2", name, ""), attributes }
}
const fn attribute(element: &'static str, name: &'static str) -> AttributeSpec {
    AttributeSpec::new("[MS-RAI]", "2.2.2", element, name)
}
static AT: At = At::new("[MS-RAI]", "2.2.2", "E", "");
static SCHEMA: Schema = Schema {
    at: At::new("[MS-RAI]", "2.2.2", "E", ""),
    elements: &[
        element("E", &[]),
        element("A", &[attribute("A", "KH"), attribute("A", "KH2"), attribute("A", "ID")]),
        element("C", &[]),
        element("T", &[attribute("T", "ID"), attribute("T", "SID")]),
        element("L", &[attribute("L", "P"), attribute("L", "N")]),
    ],
};

struct Connection<'a>(Document<'a>);

impl<'a> TextFormat<'a> for Connection<'a> {
    const AT: &'static At = &AT;
    const RULES: TextRules = TextRules::ANY;

    fn parse_text(cursor: &mut TextCursor<'_, 'a>) -> Result<Self, DecodeError> {
        Document::parse(cursor, &SCHEMA).map(Self)
    }

    fn check_text(&self) -> Result<(), EncodeError> {
        self.0.check(&AT)
    }

    fn write_text(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        self.0.write(out)
    }
}

fn owned_attributes(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    let mut attributes = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
                    attributes.push((attribute.key.0.to_owned(), value.into_owned()));
                }
            }
            Event::Eof => return attributes,
            _ => {}
        }
    }
}

fn main() {
    heading("RCCOMMAND");
    let wire = utf16::encode(&format!("{TEXT}\0"));
    ratio(
        "parse from UTF-16LE",
        0.5,
        || {
            black_box(TextDocument::<RcCommand<'_>>::decode(black_box(&wire)).unwrap());
        },
        || {
            let (text, _) = encoding_rs::UTF_16LE.decode_without_bom_handling(black_box(&wire));
            black_box(owned_attributes(text.trim_end_matches('\0')));
        },
    );
    ratio(
        "parse from a string",
        0.5,
        || {
            black_box(RcCommand::parse(black_box(TEXT)).unwrap());
        },
        || {
            black_box(owned_attributes(black_box(TEXT)));
        },
    );
    heading("Connection string 2");
    assert_eq!(Connection::parse(CONNECTION).unwrap().to_text().unwrap(), CONNECTION);
    ratio(
        "parse from a string",
        0.5,
        || {
            black_box(Connection::parse(black_box(CONNECTION)).unwrap());
        },
        || {
            black_box(owned_attributes(black_box(CONNECTION)));
        },
    );
}
